/* Matrix products, normalisations, quantisation. */
#include "onnx_internal.h"

#include <math.h>
#include <string.h>

enum { RANK = DSCQ_ONNX_RANK };

static dscq_status run_gemm(onnx_call *c)
{
    const onnx_tensor *a = c->in[0], *b = c->in[1], *bias = onnx__in(c, 2);
    const int ta = onnx__attr_int(c->node, "transA", 0) != 0,
              tb = onnx__attr_int(c->node, "transB", 0) != 0;
    const double alpha = onnx__attr_real(c->node, "alpha", 1),
                 beta = onnx__attr_real(c->node, "beta", 1);
    int64_t stride[RANK] = {0, 0};
    dscq_status status;

    if (a->rank != 2 || b->rank != 2 || a->dim[!ta] != b->dim[tb])
        return onnx__bad(c, "its matrices do not go together");
    const int64_t m = a->dim[ta], k = a->dim[!ta], n = b->dim[!tb];
    const int64_t dim[2] = {m, n};
    int64_t whole[RANK] = {m, n};
    int32_t rank = 2;
    if (bias != NULL && (bias->rank > 2 || !onnx__broadcast(whole, &rank, bias) ||
                         whole[0] != m || whole[1] != n))
        return onnx__bad(c, "its bias does not go with the product");
    if (bias != NULL)
        onnx__strides(stride, bias, 2);
    DSCQ_TRY(onnx__out(c, 0, a->type, 2, dim));
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t e = 0; e < k; e++)
                sum +=
                    a->v[ta ? e * m + i : i * k + e] * b->v[tb ? j * k + e : e * n + j];
            sum *= alpha;
            if (bias != NULL)
                sum += beta * bias->v[i * stride[0] + j * stride[1]];
            c->out[0]->v[i * n + j] = onnx__round_to(a->type, sum, 0);
        }
done:
    return status;
}

typedef struct product {
    const onnx_tensor *a, *b;
    const onnx_tensor *a_zero, *b_zero;
} product;

static double zero_at(const onnx_tensor *t, int64_t i)
{
    return t == NULL || t->count == 0 ? 0
                                      : t->v[t->count == 1 ? 0 : (size_t)i % t->count];
}

/* As NumPy's matmul: leading dimensions broadcast, vectors get a dimension of one. */
static dscq_status multiply(onnx_call *c, const product *p, int32_t type)
{
    onnx_tensor a = *p->a, b = *p->b;
    int64_t dim[RANK], sa[RANK], sb[RANK];
    int32_t rank = 0;
    dscq_status status;

    if (a.rank < 1 || b.rank < 1)
        return onnx__bad(c, "a scalar");
    const int row = a.rank == 1, column = b.rank == 1;
    if (row) {
        a.dim[1] = a.dim[0];
        a.dim[0] = 1;
        a.rank = 2;
    }
    if (column) {
        b.dim[1] = 1;
        b.rank = 2;
    }
    const int64_t m = a.dim[a.rank - 2], k = a.dim[a.rank - 1], n = b.dim[b.rank - 1];
    if (b.dim[b.rank - 2] != k)
        return onnx__bad(c, "its matrices do not go together");
    onnx_tensor la = a, lb = b;
    la.rank -= 2;
    lb.rank -= 2;
    if (!onnx__broadcast(dim, &rank, &la) || !onnx__broadcast(dim, &rank, &lb))
        return onnx__bad(c, "its leading dimensions do not go together");
    onnx__strides(sa, &la, rank);
    onnx__strides(sb, &lb, rank);
    const int32_t lead = rank;
    int64_t batches = 1;
    for (int32_t i = 0; i < lead; i++)
        batches *= dim[i];
    if (!row)
        dim[rank++] = m;
    if (!column)
        dim[rank++] = n;
    DSCQ_TRY(onnx__out(c, 0, type, rank, dim));
    double *to = c->out[0]->v;
    for (int64_t q = 0; q < batches; q++) {
        const int64_t ia = onnx__place(q, lead, dim, sa);
        const int64_t ib = onnx__place(q, lead, dim, sb);
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++) {
                double sum = 0;
                for (int64_t e = 0; e < k; e++)
                    sum += (a.v[(ia * m + i) * k + e] - zero_at(p->a_zero, i)) *
                           (b.v[(ib * k + e) * n + j] - zero_at(p->b_zero, j));
                *to++ = sum;
            }
    }
done:
    return status;
}

static dscq_status run_matmul(onnx_call *c)
{
    const product p = {.a = c->in[0], .b = c->in[1]};
    const dscq_status status = multiply(c, &p, c->in[0]->type);

    for (size_t i = 0; status == DSCQ_OK && i < c->out[0]->count; i++)
        c->out[0]->v[i] = onnx__round_to(c->in[0]->type, c->out[0]->v[i], 0);
    return status;
}

static dscq_status run_matmul_integer(onnx_call *c)
{
    const product p = {c->in[0], c->in[1], onnx__in(c, 2), onnx__in(c, 3)};

    return multiply(c, &p, DSCQ_ONNX_INT32);
}

static int fits_scale(const onnx_tensor *t, int64_t n)
{
    return t->count == 1 || (int64_t)t->count == n;
}

static dscq_status run_qlinear_matmul(onnx_call *c)
{
    const product p = {c->in[0], c->in[3], c->in[2], c->in[5]};
    const onnx_tensor *yz = c->in[7];
    const dscq_status status = multiply(c, &p, yz->type);

    if (status != DSCQ_OK)
        return status;
    const onnx_tensor *a = c->in[0], *b = c->in[3];
    const int64_t n = b->rank > 1 ? b->dim[b->rank - 1] : 1,
                  m = a->rank > 1 ? a->dim[a->rank - 2] : 1;
    if (!fits_scale(c->in[1], m) || !fits_scale(c->in[4], n) || c->in[6]->count != 1)
        return onnx__bad(c,
                         "scales are neither one value nor one a row (of a), a column "
                         "(of b)");
    for (size_t i = 0; i < c->out[0]->count; i++) {
        const int64_t column = (int64_t)i % n, row = (int64_t)i / n % m;
        const double s = zero_at(c->in[1], row) * zero_at(c->in[4], column);
        c->out[0]->v[i] = onnx__round_to(
            yz->type,
            onnx__half_to_even(c->out[0]->v[i] * s / c->in[6]->v[0]) + zero_at(yz, 0),
            1);
    }
    return DSCQ_OK;
}

/* ---- normalisations ----------------------------------------------------- */

static int64_t pixels_of(const onnx_tensor *x)
{
    int64_t n = 1;

    for (int32_t i = 2; i < x->rank; i++)
        n *= x->dim[i];
    return n;
}

/* Statistics of the batch, and the running ones moved towards them. */
static dscq_status train_batch_norm(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    const double eps = onnx__attr_real(c->node, "epsilon", 1e-5),
                 keep = onnx__attr_real(c->node, "momentum", 0.9);
    const int64_t channels = x->rank > 1 ? x->dim[1] : 1, pixels = pixels_of(x);
    const double n = channels > 0 ? (double)x->count / (double)channels : 0;
    dscq_status status;

    for (int32_t i = 1; i < 5; i++)
        if (c->in[i]->count != (size_t)channels)
            return onnx__bad(c, "one value a channel is wanted");
    DSCQ_TRY(onnx__out(c, 0, x->type, x->rank, x->dim));
    DSCQ_TRY(onnx__out(c, 1, x->type, 1, &channels));
    DSCQ_TRY(onnx__out(c, 2, x->type, 1, &channels));
    double *mean = c->out[1]->v, *var = c->out[2]->v;
    for (size_t i = 0; i < x->count; i++)
        mean[(int64_t)i / pixels % channels] += x->v[i] / n;
    for (size_t i = 0; i < x->count; i++) {
        const int64_t k = (int64_t)i / pixels % channels;
        var[k] += (x->v[i] - mean[k]) * (x->v[i] - mean[k]) / n;
    }
    for (size_t i = 0; i < x->count; i++) {
        const int64_t k = (int64_t)i / pixels % channels;
        const double a = c->in[1]->v[k] / sqrt(var[k] + eps);
        c->out[0]->v[i] =
            onnx__round_to(x->type, a * (x->v[i] - mean[k]) + c->in[2]->v[k], 0);
    }
    for (int64_t k = 0; k < channels; k++) {
        mean[k] =
            onnx__round_to(x->type, keep * c->in[3]->v[k] + (1 - keep) * mean[k], 0);
        var[k] =
            onnx__round_to(x->type, keep * c->in[4]->v[k] + (1 - keep) * var[k], 0);
    }
done:
    return status;
}

static dscq_status run_batch_norm(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    const double eps = onnx__attr_real(c->node, "epsilon", 1e-5);
    dscq_status status;

    if (onnx__attr_int(c->node, "training_mode", 0) != 0)
        return train_batch_norm(c);
    if (c->node->out_count > 1 || onnx__attr_int(c->node, "spatial", 1) == 0 ||
        (c->opset < 7 && onnx__attr_int(c->node, "is_test", 0) == 0))
        return onnx__unsupported(c, "training mode, or statistics per pixel");
    const int64_t channels = x->rank > 1 ? x->dim[1] : 1, pixels = pixels_of(x);
    for (int32_t i = 1; i < 5; i++)
        if (c->in[i]->count != (size_t)channels)
            return onnx__bad(c, "one value a channel is wanted");
    DSCQ_TRY(onnx__out(c, 0, x->type, x->rank, x->dim));
    for (size_t i = 0; i < x->count; i++) {
        const int64_t k = (int64_t)i / pixels % channels;
        const double a = c->in[1]->v[k] / sqrt(c->in[4]->v[k] + eps);
        c->out[0]->v[i] =
            onnx__round_to(x->type, a * (x->v[i] - c->in[3]->v[k]) + c->in[2]->v[k], 0);
    }
done:
    return status;
}

static dscq_status run_instance_norm(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    const double eps = onnx__attr_real(c->node, "epsilon", 1e-5);
    dscq_status status;

    if (x->rank < 3 || c->in[1]->count != (size_t)x->dim[1] ||
        c->in[2]->count != (size_t)x->dim[1])
        return onnx__bad(c, "one value a channel is wanted");
    DSCQ_TRY(onnx__out(c, 0, x->type, x->rank, x->dim));
    const int64_t pixels = pixels_of(x), maps = x->dim[0] * x->dim[1];
    for (int64_t m = 0; m < maps; m++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < pixels; i++)
            sum += x->v[m * pixels + i];
        const double mean = sum / (double)pixels;
        for (int64_t i = 0; i < pixels; i++)
            squares += (x->v[m * pixels + i] - mean) * (x->v[m * pixels + i] - mean);
        const int64_t k = m % x->dim[1];
        const double a = c->in[1]->v[k] / sqrt(squares / (double)pixels + eps);
        for (int64_t i = 0; i < pixels; i++)
            c->out[0]->v[m * pixels + i] = onnx__round_to(
                x->type, a * (x->v[m * pixels + i] - mean) + c->in[2]->v[k], 0);
    }
done:
    return status;
}

static dscq_status run_lrn(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    const int64_t size = onnx__attr_int(c->node, "size", 1);
    const double alpha = onnx__attr_real(c->node, "alpha", 1e-4),
                 beta = onnx__attr_real(c->node, "beta", 0.75),
                 bias = onnx__attr_real(c->node, "bias", 1);
    dscq_status status;

    if (x->rank < 3 || size < 1 || size > 65536)
        return onnx__bad(c, "rank or size is out of range");
    DSCQ_TRY(onnx__out(c, 0, x->type, x->rank, x->dim));
    const int64_t pixels = pixels_of(x), channels = x->dim[1];
    for (size_t i = 0; i < x->count; i++) {
        const int64_t k = (int64_t)i / pixels % channels;
        int64_t lo = k - (size - 1) / 2, hi = k + size / 2;
        double sum = 0;
        lo = lo < 0 ? 0 : lo;
        hi = hi > channels - 1 ? channels - 1 : hi;
        for (int64_t j = lo; j <= hi; j++) {
            const double v = x->v[(int64_t)i + (j - k) * pixels];
            sum += v * v;
        }
        c->out[0]->v[i] = onnx__round_to(
            x->type, x->v[i] / pow(bias + alpha / (double)size * sum, beta), 0);
    }
done:
    return status;
}

/* ---- quantisation ------------------------------------------------------- */

/* Which entry of scale belongs to element i; scale is one value, or one per index of
 * `axis`. 0: it is neither. */
static int scale_steps(onnx_call *c, int64_t *inner, int64_t *period)
{
    const onnx_tensor *x = c->in[0], *s = c->in[1], *z = onnx__in(c, 2);
    int64_t axis = onnx__attr_int(c->node, "axis", 1);

    *inner = *period = 1;
    if (s->count == 1)
        return z == NULL || z->count == 1;
    if (s->rank != 1 || !onnx__axis(&axis, x->rank) || s->dim[0] != x->dim[axis] ||
        (z != NULL && z->count != s->count))
        return 0;
    for (int32_t i = (int32_t)axis + 1; i < x->rank; i++)
        *inner *= x->dim[i];
    *period = s->dim[0];
    return 1;
}

static dscq_status run_quantize(onnx_call *c)
{
    const onnx_tensor *x = c->in[0], *s = c->in[1], *z = onnx__in(c, 2);
    const int32_t type = z != NULL ? z->type : DSCQ_ONNX_UINT8;
    int64_t inner, period;
    dscq_status status;

    if (!scale_steps(c, &inner, &period))
        return onnx__bad(c, "scale is neither one value nor one along the axis");
    DSCQ_TRY(onnx__out(c, 0, type, x->rank, x->dim));
    for (size_t i = 0; i < x->count; i++) {
        const int64_t k = (int64_t)i / inner % period;
        c->out[0]->v[i] = onnx__round_to(
            type,
            onnx__half_to_even((double)(float)(x->v[i] / s->v[k])) + zero_at(z, k), 1);
    }
done:
    return status;
}

static dscq_status run_dequantize(onnx_call *c)
{
    const onnx_tensor *x = c->in[0], *s = c->in[1], *z = onnx__in(c, 2);
    int64_t inner, period;
    dscq_status status;

    if (!scale_steps(c, &inner, &period))
        return onnx__bad(c, "scale is neither one value nor one along the axis");
    DSCQ_TRY(onnx__out(c, 0, s->type, x->rank, x->dim));
    for (size_t i = 0; i < x->count; i++) {
        const int64_t k = (int64_t)i / inner % period;
        c->out[0]->v[i] =
            onnx__round_to(s->type, (x->v[i] - zero_at(z, k)) * s->v[k], 0);
    }
done:
    return status;
}

static dscq_status run_dynamic_quantize(onnx_call *c)
{
    const onnx_tensor *x = c->in[0];
    double lo = 0, hi = 0;
    dscq_status status;

    for (size_t i = 0; i < x->count; i++) {
        lo = fmin(lo, x->v[i]);
        hi = fmax(hi, x->v[i]);
    }
    const double scale = hi > lo ? (double)(float)((hi - lo) / 255) : 1;
    const double zero = onnx__round_to(
        DSCQ_ONNX_UINT8, onnx__half_to_even((double)(float)(-lo / scale)), 1);
    DSCQ_TRY(onnx__out(c, 0, DSCQ_ONNX_UINT8, x->rank, x->dim));
    DSCQ_TRY(onnx__out(c, 1, DSCQ_ONNX_FLOAT, 0, NULL));
    DSCQ_TRY(onnx__out(c, 2, DSCQ_ONNX_UINT8, 0, NULL));
    for (size_t i = 0; i < x->count; i++)
        c->out[0]->v[i] = onnx__round_to(
            DSCQ_ONNX_UINT8,
            onnx__half_to_even((double)(float)(x->v[i] / scale)) + zero, 1);
    c->out[1]->v[0] = scale;
    c->out[2]->v[0] = zero;
done:
    return status;
}

const onnx_op_row onnx__ops_matrix[] = {
    {"Gemm", run_gemm, 2, 0},
    {"MatMul", run_matmul, 2, 0},
    {"MatMulInteger", run_matmul_integer, 2, 0},
    {"QLinearMatMul", run_qlinear_matmul, 8, 0},
    {"BatchNormalization", run_batch_norm, 5, 0},
    {"InstanceNormalization", run_instance_norm, 3, 0},
    {"LRN", run_lrn, 1, 0},
    {"QuantizeLinear", run_quantize, 2, 1},
    {"DequantizeLinear", run_dequantize, 2, 1},
    {"DynamicQuantizeLinear", run_dynamic_quantize, 1, 0},
    {NULL, NULL, 0, 0},
};
