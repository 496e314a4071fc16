/* Losses, normalisation of layers, windows of signals, boxes, and other rare ones. */
#include "onnx_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RANK = DSCQ_ONNX_RANK };
static const double k_pi = 3.14159265358979323846;

/* ---- losses ------------------------------------------------------------- */

/* x: N x C x pixels log-probabilities; one label a pixel. Output `out` of the call. */
static dscq_status log_loss(onnx_call *c, const onnx_tensor *x,
                            const onnx_tensor *label, const onnx_tensor *weight,
                            int32_t out)
{
    const char *reduction = onnx__attr_text(c->node, "reduction", "mean");
    const onnx_attr *ignore = onnx__attr_find(c->node, "ignore_index");
    const int none = strcmp(reduction, "none") == 0;
    double sum = 0, weights = 0;
    dscq_status status;

    if (x->rank < 2 || label->rank != x->rank - 1 || x->dim[1] < 1 ||
        (int64_t)label->count * x->dim[1] != (int64_t)x->count ||
        (weight != NULL && (int64_t)weight->count != x->dim[1]))
        return onnx__bad(c, "scores, labels and weights do not go together");
    DSCQ_TRY(onnx__out(c, out, x->type, none ? label->rank : 0, label->dim));
    const int64_t classes = x->dim[1];
    const int64_t pixels =
        x->dim[0] > 0 ? (int64_t)label->count / x->dim[0] : (int64_t)label->count;
    for (int64_t i = 0; i < (int64_t)label->count; i++) {
        const double k = label->v[i];
        double loss = 0, w = 0;
        if (ignore == NULL || k != (double)ignore->i) {
            if (!(k >= 0 && k < (double)classes))
                return onnx__bad(c, "a label is out of range");
            w = weight != NULL ? weight->v[(int64_t)k] : 1;
            loss = -w * x->v[(i / pixels * classes + (int64_t)k) * pixels + i % pixels];
        }
        sum += loss;
        weights += w;
        if (none)
            c->out[out]->v[i] = onnx__round_to(x->type, loss, 0);
    }
    if (!none)
        c->out[out]->v[0] = onnx__round_to(
            x->type, strcmp(reduction, "sum") == 0 ? sum : sum / weights, 0);
done:
    return status;
}

static dscq_status run_nll_loss(onnx_call *c)
{
    return log_loss(c, c->in[0], c->in[1], onnx__in(c, 2), 0);
}

static dscq_status run_cross_entropy(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    dscq_status status;

    if (x->rank < 2 || x->dim[1] < 1)
        return onnx__bad(c, "scores without classes");
    onnx_tensor *log_p = onnx__new(c->pool, x->type, x->rank, x->dim);
    if (log_p == NULL)
        return dscq_fail_nomem(c->err, "probabilities", 0);
    const int64_t n = x->dim[1];
    int64_t inner = 1;
    for (int32_t i = 2; i < x->rank; i++)
        inner *= x->dim[i];
    for (int64_t i = 0; i < (int64_t)x->count / n; i++) {
        const int64_t at = i / inner * n * inner + i % inner;
        double most = -(double)INFINITY, sum = 0;
        for (int64_t k = 0; k < n; k++)
            most = fmax(most, x->v[at + k * inner]);
        for (int64_t k = 0; k < n; k++)
            sum += exp(x->v[at + k * inner] - most);
        for (int64_t k = 0; k < n; k++)
            log_p->v[at + k * inner] = x->v[at + k * inner] - most - log(sum);
    }
    DSCQ_TRY(log_loss(c, log_p, c->in[1], onnx__in(c, 2), 0));
    for (size_t i = 0; i < log_p->count; i++)
        log_p->v[i] = onnx__round_to(x->type, log_p->v[i], 0);
    c->out[1] = log_p;
done:
    return status;
}

/* ---- normalisation ------------------------------------------------------ */

static dscq_status run_layer_norm(onnx_call *c)
{
    const onnx_tensor *x = c->in[0], *scale = c->in[1], *bias = onnx__in(c, 2);
    const double eps = onnx__attr_real(c->node, "epsilon", 1e-5);
    int64_t axis = onnx__attr_int(c->node, "axis", -1), dim[RANK], n = 1;
    dscq_status status;

    if (!onnx__axis(&axis, x->rank))
        return onnx__bad(c, "axis is out of range");
    for (int32_t i = 0; i < x->rank; i++) {
        dim[i] = i < axis ? x->dim[i] : 1;
        n *= i < axis ? 1 : x->dim[i];
    }
    if ((int64_t)scale->count != n || (bias != NULL && (int64_t)bias->count != n))
        return onnx__unsupported(c, "a scale or bias that is broadcast");
    DSCQ_TRY(onnx__out(c, 0, x->type, x->rank, x->dim));
    DSCQ_TRY(onnx__out(c, 1, x->type, x->rank, dim));
    DSCQ_TRY(onnx__out(c, 2, x->type, x->rank, dim));
    for (int64_t i = 0; n > 0 && i < (int64_t)x->count / n; i++) {
        double sum = 0, squares = 0;
        for (int64_t k = 0; k < n; k++)
            sum += x->v[i * n + k];
        const double mean = sum / (double)n;
        for (int64_t k = 0; k < n; k++)
            squares += (x->v[i * n + k] - mean) * (x->v[i * n + k] - mean);
        const double inverse = 1 / sqrt(squares / (double)n + eps);
        for (int64_t k = 0; k < n; k++)
            c->out[0]->v[i * n + k] =
                onnx__round_to(x->type,
                               (x->v[i * n + k] - mean) * inverse * scale->v[k] +
                                   (bias != NULL ? bias->v[k] : 0),
                               0);
        c->out[1]->v[i] = onnx__round_to(x->type, mean, 0);
        c->out[2]->v[i] = onnx__round_to(x->type, inverse, 0);
    }
done:
    return status;
}

static dscq_status run_mean_variance(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    int64_t axes[RANK] = {0, 2, 3}, stride[RANK], groups = 1;
    int over[RANK] = {0};
    int32_t n;
    dscq_status status;

    DSCQ_TRY(onnx__int_list(c, "axes", -1, axes, &n, RANK));
    if (n == 0) {
        axes[0] = 0;
        axes[1] = 2;
        axes[2] = 3;
        n = 3;
    }
    for (int32_t i = 0; i < n; i++) {
        if (!onnx__axis(&axes[i], x->rank) || x->count == 0)
            return onnx__bad(c, "an axis is out of range, or nothing is there");
        over[axes[i]] = 1;
    }
    for (int32_t d = x->rank - 1; d >= 0; d--) {
        stride[d] = over[d] ? 0 : groups;
        groups *= over[d] ? 1 : x->dim[d];
    }
    DSCQ_TRY(onnx__out(c, 0, x->type, x->rank, x->dim));
    double *sum = onnx__take(c->pool, (size_t)groups, 2 * sizeof *sum);
    if (sum == NULL)
        return dscq_fail_nomem(c->err, "sums", 0);
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < x->count; i++) {
            const int64_t g = onnx__place((int64_t)i, x->rank, x->dim, stride);
            const double each = (double)x->count / (double)groups;
            const double mean = sum[2 * g] / each,
                         var = sum[2 * g + 1] / each - mean * mean;
            if (pass == 1)
                c->out[0]->v[i] =
                    onnx__round_to(x->type, (x->v[i] - mean) / (sqrt(var) + 1e-9), 0);
            sum[2 * g] += pass == 0 ? x->v[i] : 0;
            sum[2 * g + 1] += pass == 0 ? x->v[i] * x->v[i] : 0;
        }
done:
    return status;
}

/* ---- windows of signals ------------------------------------------------- */

static dscq_status run_window(onnx_call *c)
{
    const char first = c->node->op[0], second = c->node->op[2];
    const int periodic = onnx__attr_int(c->node, "periodic", 1) != 0;
    const int64_t type = onnx__attr_int(c->node, "output_datatype", DSCQ_ONNX_FLOAT);
    const double size = c->in[0]->count == 1 ? c->in[0]->v[0] : -1;
    dscq_status status;

    if (!(size >= 0 && size < 1e8) || !onnx__is_float((int32_t)type))
        return onnx__bad(c, "size or data type is out of range");
    const int64_t n = (int64_t)size;
    const double span = periodic ? size : size - 1;
    DSCQ_TRY(onnx__out(c, 0, (int32_t)type, 1, &n));
    for (int64_t i = 0; i < n; i++) {
        const double t = 2 * k_pi * (double)i / span;
        const double hamming = 25.0 / 46; /* by the definition of the operator */
        const double v = first == 'B'    ? 0.42 - 0.5 * cos(t) + 0.08 * cos(2 * t)
                         : second == 'm' ? hamming - (1 - hamming) * cos(t)
                                         : 0.5 - 0.5 * cos(t);
        c->out[0]->v[i] = onnx__round_to((int32_t)type, v, 0);
    }
done:
    return status;
}

/* ---- boxes -------------------------------------------------------------- */

typedef struct box {
    double lo[2], hi[2];
} box;

static box box_of(const double *v, int centred)
{
    box b;

    for (int k = 0; k < 2; k++) {
        const double p = v[k], q = v[2 + k];
        b.lo[k] = centred ? p - q / 2 : fmin(p, q);
        b.hi[k] = centred ? p + q / 2 : fmax(p, q);
    }
    return b;
}

static double overlap(const box *a, const box *b)
{
    double both = 1, area[2] = {1, 1};

    for (int k = 0; k < 2; k++) {
        both *= fmax(0, fmin(a->hi[k], b->hi[k]) - fmax(a->lo[k], b->lo[k]));
        area[0] *= a->hi[k] - a->lo[k];
        area[1] *= b->hi[k] - b->lo[k];
    }
    const double all = area[0] + area[1] - both;
    return all > 0 ? both / all : 0;
}

static double number(const onnx_tensor *t, double otherwise)
{
    return t != NULL && t->count == 1 ? t->v[0] : otherwise;
}

/* Boxes of one class of one image; keep[] gets indices, best first. */
static int64_t suppress(int64_t *keep, uint8_t *gone, const double *boxes,
                        const double *score, int64_t n, const double limit[3],
                        int centred)
{
    int64_t kept = 0;

    memset(gone, 0, (size_t)n);
    while ((double)kept < limit[0]) {
        int64_t best = -1;
        for (int64_t i = 0; i < n; i++)
            if (!gone[i] && score[i] > limit[2] && (best < 0 || score[i] > score[best]))
                best = i;
        if (best < 0)
            break;
        gone[best] = 1;
        const box b = box_of(boxes + 4 * best, centred);
        int free_of_others = 1;
        for (int64_t k = 0; k < kept && free_of_others; k++) {
            const box o = box_of(boxes + 4 * keep[k], centred);
            free_of_others = !(overlap(&b, &o) > limit[1]);
        }
        if (free_of_others)
            keep[kept++] = best;
    }
    return kept;
}

static dscq_status run_suppression(onnx_call *c)
{
    const onnx_tensor *boxes = c->in[0], *score = c->in[1];
    const double limit[3] = {number(onnx__in(c, 2), 0), number(onnx__in(c, 3), 0),
                             number(onnx__in(c, 4), -(double)INFINITY)};
    const int centred = onnx__attr_int(c->node, "center_point_box", 0) != 0;
    dscq_status status;

    if (boxes->rank != 3 || score->rank != 3 || boxes->dim[2] != 4 ||
        boxes->dim[0] != score->dim[0] || boxes->dim[1] != score->dim[2])
        return onnx__bad(c, "boxes and scores do not go together");
    const int64_t n = boxes->dim[1], classes = score->dim[1];
    int64_t *keep = onnx__take(c->pool, (size_t)n + 1, sizeof *keep);
    uint8_t *gone = onnx__take(c->pool, (size_t)n + 1, 1);
    double *rows = onnx__take(c->pool, score->count + 1, 3 * sizeof *rows);
    int64_t dim[2] = {0, 3};
    if (keep == NULL || gone == NULL || rows == NULL)
        return dscq_fail_nomem(c->err, "boxes", 0);
    for (int64_t i = 0; n > 0 && i < (int64_t)score->count / n; i++) {
        const int64_t image = i / classes;
        const int64_t kept = suppress(keep, gone, boxes->v + image * n * 4,
                                      score->v + i * n, n, limit, centred);
        for (int64_t k = 0; k < kept; k++) {
            double *to = rows + 3 * dim[0]++;
            to[0] = (double)image;
            to[1] = (double)(i % classes);
            to[2] = (double)keep[k];
        }
    }
    DSCQ_TRY(onnx__out(c, 0, DSCQ_ONNX_INT64, 2, dim));
    for (size_t i = 0; i < c->out[0]->count; i++)
        c->out[0]->v[i] = rows[i];
done:
    return status;
}

/* ---- others ------------------------------------------------------------- */

static dscq_status run_shrink(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    const double lambda = onnx__attr_real(c->node, "lambd", 0.5),
                 bias = onnx__attr_real(c->node, "bias", 0);
    const dscq_status status = onnx__out(c, 0, x->type, x->rank, x->dim);

    for (size_t i = 0; status == DSCQ_OK && i < x->count; i++)
        c->out[0]->v[i] = onnx__round_to(x->type,
                                         x->v[i] < -lambda  ? x->v[i] + bias
                                         : x->v[i] > lambda ? x->v[i] - bias
                                                            : 0,
                                         0);
    return status;
}

static dscq_status run_bit_shift(onnx_call *c)
{
    const onnx_tensor *x = c->in[0], *by = c->in[1];
    const int left = strcmp(onnx__attr_text(c->node, "direction", ""), "LEFT") == 0;
    dscq_status status;

    if (by->count != x->count)
        return onnx__unsupported(c, "a shift that is broadcast");
    DSCQ_TRY(onnx__out(c, 0, x->type, x->rank, x->dim));
    for (size_t i = 0; i < x->count; i++) {
        const int n = by->v[i] >= 0 && by->v[i] < 64 ? (int)by->v[i] : 64;
        c->out[0]->v[i] =
            onnx__round_to(x->type, floor(ldexp(x->v[i], left ? n : -n)), 0);
    }
done:
    return status;
}

/* By elimination; destroys a. */
static double determinant(double *a, int64_t n)
{
    double d = 1;

    for (int64_t k = 0; k < n; k++) {
        int64_t pivot = k;
        for (int64_t i = k + 1; i < n; i++)
            if (fabs(a[i * n + k]) > fabs(a[pivot * n + k]))
                pivot = i;
        if (a[pivot * n + k] == 0)
            return 0;
        for (int64_t j = 0; j < n && pivot != k; j++) {
            const double t = a[k * n + j];
            a[k * n + j] = a[pivot * n + j];
            a[pivot * n + j] = t;
        }
        d *= pivot != k ? -a[k * n + k] : a[k * n + k];
        for (int64_t i = k + 1; i < n; i++) {
            const double f = a[i * n + k] / a[k * n + k];
            for (int64_t j = k; j < n; j++)
                a[i * n + j] -= f * a[k * n + j];
        }
    }
    return d;
}

static dscq_status run_det(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    dscq_status status;

    if (x->rank < 2 || x->dim[x->rank - 1] != x->dim[x->rank - 2])
        return onnx__bad(c, "no square matrix");
    const int64_t n = x->dim[x->rank - 1];
    double *a = n <= 1 << 20 ? onnx__take(c->pool, (size_t)(n * n), sizeof *a) : NULL;
    if (a == NULL)
        return dscq_fail_nomem(c->err, "a matrix", 0);
    DSCQ_TRY(onnx__out(c, 0, x->type, x->rank - 2, x->dim));
    for (size_t i = 0; n > 0 && i < c->out[0]->count; i++) {
        memcpy(a, x->v + (int64_t)i * n * n, (size_t)(n * n) * sizeof *a);
        c->out[0]->v[i] = onnx__round_to(x->type, determinant(a, n), 0);
    }
done:
    return status;
}

const onnx_op_row onnx__ops_more[] = {
    {"NegativeLogLikelihoodLoss", run_nll_loss, 2, 0},
    {"SoftmaxCrossEntropyLoss", run_cross_entropy, 2, 0},
    {"LayerNormalization", run_layer_norm, 2, 0},
    {"MeanVarianceNormalization", run_mean_variance, 1, 0},
    {"HannWindow", run_window, 1, 1},
    {"HammingWindow", run_window, 1, 1},
    {"BlackmanWindow", run_window, 1, 1},
    {"NonMaxSuppression", run_suppression, 2, 0},
    {"Shrink", run_shrink, 1, 1},
    {"BitShift", run_bit_shift, 2, 1},
    {"Det", run_det, 1, 0},
    {NULL, NULL, 0, 0},
};
