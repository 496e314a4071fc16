/*
 * A detector taught by another one with the same heads. The student's objectness
 * follows the teacher's everywhere; places, sizes and classes follow it as far as the
 * teacher sees an object there (after Mehta and Ozturk 2018, who scale these terms by
 * the teacher's objectness). Every term is a divergence: 0 when both say the same.
 */
#include "detect_internal.h"

static double entropy(double p)
{
    return (p > 0 ? -p * log(p) : 0) + (p < 1 ? -(1 - p) * log(1 - p) : 0);
}

/* Divergence of the student's chance from the teacher's, and its slope. */
static double follow(float *grad, const dscq_head *h, double v, double teacher,
                     double weight)
{
    const double p = nn__head_chance(h, teacher);

    return nn__head_cross_entropy(grad, h, v, p, weight) - weight * entropy(p);
}

static double follow_size(float *grad, double v, double teacher, double weight)
{
    *grad += (float)(weight * (v - teacher));
    return weight * 0.5 * (v - teacher) * (v - teacher);
}

static double log_sum(const float *v, int32_t n)
{
    double top = (double)v[0], sum = 0;

    for (int32_t k = 1; k < n; k++)
        top = fmax(top, (double)v[k]);
    for (int32_t k = 0; k < n; k++)
        sum += exp((double)v[k] - top);
    return top + log(sum);
}

static double follow_classes(float *grad, const dscq_head *h, const float *v,
                             const float *teacher, double weight)
{
    double loss = 0;

    if (!h->is_region) {
        for (int32_t k = 0; k < h->classes; k++)
            loss += follow(&grad[k], h, (double)v[k], (double)teacher[k], weight);
        return loss;
    }
    const double all = log_sum(v, h->classes), theirs = log_sum(teacher, h->classes);
    for (int32_t k = 0; k < h->classes; k++) {
        const double log_p = (double)v[k] - all, log_q = (double)teacher[k] - theirs;
        loss += weight * exp(log_q) * (log_q - log_p);
        grad[k] += (float)(weight * (exp(log_p) - exp(log_q)));
    }
    return loss;
}

static double follow_anchor(float *grad, const dscq_head *h, const float *v,
                            const float *teacher, const dscq_detect_loss *p,
                            double scale)
{
    const double seen = nn__head_chance(h, (double)teacher[4]) * scale;
    double loss = 0;

    for (int i = 0; i < 2; i++) {
        loss += follow(&grad[i], h, (double)v[i], (double)teacher[i], p->box * seen);
        loss += follow_size(&grad[2 + i], (double)v[2 + i], (double)teacher[2 + i],
                            p->box * seen);
    }
    loss += follow(&grad[4], h, (double)v[4], (double)teacher[4], p->object * scale);
    return loss + follow_classes(grad + 5, h, v + 5, teacher + 5, p->cls * seen);
}

double dscq_head_distil(float *grad, const dscq_head *h, const float *raw,
                        const float *teacher, int32_t n, const dscq_detect_loss *p)
{
    const size_t step = (size_t)(5 + h->classes);
    const size_t boxes = (size_t)n * (size_t)h->h * (size_t)h->w * (size_t)h->anchors;
    double loss = 0;

    for (size_t i = 0; i < boxes; i++)
        loss += follow_anchor(grad + i * step, h, raw + i * step, teacher + i * step, p,
                              1.0 / n);
    return loss;
}
