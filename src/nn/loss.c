#include "dscq/nn/train.h"

#include <math.h>
#include <stddef.h>

/* log(sum(exp(v/t))) and the maximum. */
static double log_sum(const float *v, int32_t n, double t, double *top_out)
{
    double top = (double)v[0] / t, sum = 0;

    for (int32_t i = 1; i < n; i++)
        top = fmax(top, (double)v[i] / t);
    for (int32_t i = 0; i < n; i++)
        sum += exp((double)v[i] / t - top);
    *top_out = top;
    return top + log(sum);
}

/* Cross-entropy with the smoothed label; *grad: weight * dL/dlogit. */
static double hard_part(float *grad, const float *v, int32_t label, int32_t classes,
                        double smoothing, double weight)
{
    double top;
    const double all = log_sum(v, classes, 1.0, &top);
    double loss = 0;

    for (int32_t c = 0; c < classes; c++) {
        const double log_p = (double)v[c] - all;
        const double target = smoothing / classes + (c == label ? 1 - smoothing : 0);
        if (target > 0)
            loss -= target * log_p;
        if (grad != NULL)
            grad[c] += (float)(weight * (exp(log_p) - target));
    }
    return loss;
}

/* T^2 KL(teacher || student) at temperature T. */
static double soft_part(float *grad, const float *v, const float *teacher,
                        int32_t classes, double t, double weight)
{
    double top;
    const double all = log_sum(v, classes, t, &top);
    const double all_teacher = log_sum(teacher, classes, t, &top);
    double loss = 0;

    for (int32_t c = 0; c < classes; c++) {
        const double log_p = (double)v[c] / t - all;
        const double log_q = (double)teacher[c] / t - all_teacher;
        loss += exp(log_q) * (log_q - log_p);
        if (grad != NULL)
            grad[c] += (float)(weight * t * (exp(log_p) - exp(log_q)));
    }
    return t * t * loss;
}

double dscq_loss_softmax(float *grad, const float *logits, const int32_t *label,
                         const float *teacher, int32_t n, int32_t classes,
                         const dscq_loss_params *p, int32_t *counted_out)
{
    const double soft = teacher != NULL ? p->distil_weight : 0;
    int32_t counted = 0;
    double sum = 0;

    for (int32_t i = 0; i < n; i++)
        counted += label[i] >= 0 && label[i] < classes;
    for (int32_t i = 0; i < n; i++) {
        const size_t at = (size_t)i * (size_t)classes;
        float *g = grad != NULL ? grad + at : NULL;
        for (int32_t c = 0; g != NULL && c < classes; c++)
            g[c] = 0.0f;
        if (label[i] < 0 || label[i] >= classes)
            continue;
        sum += (1 - soft) * hard_part(g, logits + at, label[i], classes,
                                      p->label_smoothing, (1 - soft) / counted);
        if (soft > 0)
            sum += soft * soft_part(g, logits + at, teacher + at, classes,
                                    p->distil_temperature, soft / counted);
    }
    if (counted_out != NULL)
        *counted_out = counted;
    return sum;
}
