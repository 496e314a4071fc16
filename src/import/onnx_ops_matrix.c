/* Matrix products, normalisations, quantisation. */
#include "onnx_internal.h"

#include <math.h>
#include <string.h>

enum { RANK = DSCQ_ONNX_RANK };

static dscq_status run_gemm(ox_call *c)
{
    const ox_tensor *a = c->in[0], *b = c->in[1], *bias = ox_in(c, 2);
    const int ta = ox_attr_int(c->node, "transA", 0) != 0,
              tb = ox_attr_int(c->node, "transB", 0) != 0;
    const double alpha = ox_attr_real(c->node, "alpha", 1),
                 beta = ox_attr_real(c->node, "beta", 1);
    int64_t stride[RANK] = {0, 0};
    dscq_status status;

    if (a->rank != 2 || b->rank != 2 || a->dim[!ta] != b->dim[tb])
        return ox_bad(c, "its matrices do not go together");
    const int64_t m = a->dim[ta], k = a->dim[!ta], n = b->dim[!tb];
    const int64_t dim[2] = {m, n};
    int64_t whole[RANK] = {m, n};
    int32_t rank = 2;
    if (bias != NULL && (bias->rank > 2 || !ox_broadcast(whole, &rank, bias) ||
                         whole[0] != m || whole[1] != n))
        return ox_bad(c, "its bias does not go with the product");
    if (bias != NULL)
        ox_strides(stride, bias, 2);
    DSCQ_TRY(ox_out(c, 0, a->type, 2, dim));
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t e = 0; e < k; e++)
                sum +=
                    a->v[ta ? e * m + i : i * k + e] * b->v[tb ? j * k + e : e * n + j];
            sum *= alpha;
            if (bias != NULL)
                sum += beta * bias->v[i * stride[0] + j * stride[1]];
            c->out[0]->v[i * n + j] = ox_round_to(a->type, sum, 0);
        }
done:
    return status;
}

typedef struct product {
    const ox_tensor *a, *b;
    const ox_tensor *a_zero, *b_zero;
} product;

static double zero_at(const ox_tensor *t, int64_t i)
{
    return t == NULL || t->count == 0 ? 0
                                      : t->v[t->count == 1 ? 0 : (size_t)i % t->count];
}

/* As NumPy's matmul: leading dimensions broadcast, vectors get a dimension of one. */
static dscq_status multiply(ox_call *c, const product *p, int32_t type)
{
    ox_tensor a = *p->a, b = *p->b;
    int64_t dim[RANK], sa[RANK], sb[RANK];
    int32_t rank = 0;
    dscq_status status;

    if (a.rank < 1 || b.rank < 1)
        return ox_bad(c, "a scalar");
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
        return ox_bad(c, "its matrices do not go together");
    ox_tensor la = a, lb = b;
    la.rank -= 2;
    lb.rank -= 2;
    if (!ox_broadcast(dim, &rank, &la) || !ox_broadcast(dim, &rank, &lb))
        return ox_bad(c, "its leading dimensions do not go together");
    ox_strides(sa, &la, rank);
    ox_strides(sb, &lb, rank);
    const int32_t lead = rank;
    int64_t batches = 1;
    for (int32_t i = 0; i < lead; i++)
        batches *= dim[i];
    if (!row)
        dim[rank++] = m;
    if (!column)
        dim[rank++] = n;
    DSCQ_TRY(ox_out(c, 0, type, rank, dim));
    double *to = c->out[0]->v;
    for (int64_t q = 0; q < batches; q++) {
        int64_t left = q, ia = 0, ib = 0;
        for (int32_t d = lead - 1; d >= 0; d--) {
            ia += left % dim[d] * sa[d];
            ib += left % dim[d] * sb[d];
            left /= dim[d];
        }
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

static dscq_status run_matmul(ox_call *c)
{
    const product p = {.a = c->in[0], .b = c->in[1]};
    const dscq_status status = multiply(c, &p, c->in[0]->type);

    for (size_t i = 0; status == DSCQ_OK && i < c->out[0]->count; i++)
        c->out[0]->v[i] = ox_round_to(c->in[0]->type, c->out[0]->v[i], 0);
    return status;
}

static dscq_status run_matmul_integer(ox_call *c)
{
    const product p = {c->in[0], c->in[1], ox_in(c, 2), ox_in(c, 3)};

    return multiply(c, &p, DSCQ_ONNX_INT32);
}

static int fits_scale(const ox_tensor *t, int64_t n)
{
    return t->count == 1 || (int64_t)t->count == n;
}

static dscq_status run_qlinear_matmul(ox_call *c)
{
    const product p = {c->in[0], c->in[3], c->in[2], c->in[5]};
    const ox_tensor *yz = c->in[7];
    const dscq_status status = multiply(c, &p, yz->type);

    if (status != DSCQ_OK)
        return status;
    const ox_tensor *a = c->in[0], *b = c->in[3];
    const int64_t n = b->rank > 1 ? b->dim[b->rank - 1] : 1,
                  m = a->rank > 1 ? a->dim[a->rank - 2] : 1;
    if (!fits_scale(c->in[1], m) || !fits_scale(c->in[4], n) || c->in[6]->count != 1)
        return ox_bad(c, "scales are neither one value nor one a row (of a), a column "
                         "(of b)");
    for (size_t i = 0; i < c->out[0]->count; i++) {
        const int64_t column = (int64_t)i % n, row = (int64_t)i / n % m;
        const double s = zero_at(c->in[1], row) * zero_at(c->in[4], column);
        c->out[0]->v[i] = ox_round_to(
            yz->type,
            ox_half_to_even(c->out[0]->v[i] * s / c->in[6]->v[0]) + zero_at(yz, 0), 1);
    }
    return DSCQ_OK;
}

/* ---- normalisations ----------------------------------------------------- */

static int64_t pixels_of(const ox_tensor *x)
{
    int64_t n = 1;

    for (int32_t i = 2; i < x->rank; i++)
        n *= x->dim[i];
    return n;
}

/* Statistics of the batch, and the running ones moved towards them. */
static dscq_status train_batch_norm(ox_call *c)
{
    const ox_tensor *x = c->in[0];
    const double eps = ox_attr_real(c->node, "epsilon", 1e-5),
                 keep = ox_attr_real(c->node, "momentum", 0.9);
    const int64_t channels = x->rank > 1 ? x->dim[1] : 1, pixels = pixels_of(x);
    const double n = channels > 0 ? (double)x->count / (double)channels : 0;
    dscq_status status;

    for (int32_t i = 1; i < 5; i++)
        if (c->in[i]->count != (size_t)channels)
            return ox_bad(c, "one value a channel is wanted");
    DSCQ_TRY(ox_out(c, 0, x->type, x->rank, x->dim));
    DSCQ_TRY(ox_out(c, 1, x->type, 1, &channels));
    DSCQ_TRY(ox_out(c, 2, x->type, 1, &channels));
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
            ox_round_to(x->type, a * (x->v[i] - mean[k]) + c->in[2]->v[k], 0);
    }
    for (int64_t k = 0; k < channels; k++) {
        mean[k] = ox_round_to(x->type, keep * c->in[3]->v[k] + (1 - keep) * mean[k], 0);
        var[k] = ox_round_to(x->type, keep * c->in[4]->v[k] + (1 - keep) * var[k], 0);
    }
done:
    return status;
}

static dscq_status run_batch_norm(ox_call *c)
{
    const ox_tensor *x = c->in[0];
    const double eps = ox_attr_real(c->node, "epsilon", 1e-5);
    dscq_status status;

    if (ox_attr_int(c->node, "training_mode", 0) != 0)
        return train_batch_norm(c);
    if (c->node->out_count > 1 || ox_attr_int(c->node, "spatial", 1) == 0 ||
        (c->opset < 7 && ox_attr_int(c->node, "is_test", 0) == 0))
        return ox_unsupported(c, "training mode, or statistics per pixel");
    const int64_t channels = x->rank > 1 ? x->dim[1] : 1, pixels = pixels_of(x);
    for (int32_t i = 1; i < 5; i++)
        if (c->in[i]->count != (size_t)channels)
            return ox_bad(c, "one value a channel is wanted");
    DSCQ_TRY(ox_out(c, 0, x->type, x->rank, x->dim));
    for (size_t i = 0; i < x->count; i++) {
        const int64_t k = (int64_t)i / pixels % channels;
        const double a = c->in[1]->v[k] / sqrt(c->in[4]->v[k] + eps);
        c->out[0]->v[i] =
            ox_round_to(x->type, a * (x->v[i] - c->in[3]->v[k]) + c->in[2]->v[k], 0);
    }
done:
    return status;
}

static dscq_status run_instance_norm(ox_call *c)
{
    const ox_tensor *x = c->in[0];
    const double eps = ox_attr_real(c->node, "epsilon", 1e-5);
    dscq_status status;

    if (x->rank < 3 || c->in[1]->count != (size_t)x->dim[1] ||
        c->in[2]->count != (size_t)x->dim[1])
        return ox_bad(c, "one value a channel is wanted");
    DSCQ_TRY(ox_out(c, 0, x->type, x->rank, x->dim));
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
            c->out[0]->v[m * pixels + i] = ox_round_to(
                x->type, a * (x->v[m * pixels + i] - mean) + c->in[2]->v[k], 0);
    }
done:
    return status;
}

static dscq_status run_lrn(ox_call *c)
{
    const ox_tensor *x = c->in[0];
    const int64_t size = ox_attr_int(c->node, "size", 1);
    const double alpha = ox_attr_real(c->node, "alpha", 1e-4),
                 beta = ox_attr_real(c->node, "beta", 0.75),
                 bias = ox_attr_real(c->node, "bias", 1);
    dscq_status status;

    if (x->rank < 3 || size < 1 || size > 65536)
        return ox_bad(c, "rank or size is out of range");
    DSCQ_TRY(ox_out(c, 0, x->type, x->rank, x->dim));
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
        c->out[0]->v[i] = ox_round_to(
            x->type, x->v[i] / pow(bias + alpha / (double)size * sum, beta), 0);
    }
done:
    return status;
}

/* ---- quantisation ------------------------------------------------------- */

/* Which entry of scale belongs to element i; scale is one value, or one per index of
 * `axis`. 0: it is neither. */
static int scale_steps(ox_call *c, int64_t *inner, int64_t *period)
{
    const ox_tensor *x = c->in[0], *s = c->in[1], *z = ox_in(c, 2);
    int64_t axis = ox_attr_int(c->node, "axis", 1);

    *inner = *period = 1;
    if (s->count == 1)
        return z == NULL || z->count == 1;
    if (s->rank != 1 || !ox_axis(&axis, x->rank) || s->dim[0] != x->dim[axis] ||
        (z != NULL && z->count != s->count))
        return 0;
    for (int32_t i = (int32_t)axis + 1; i < x->rank; i++)
        *inner *= x->dim[i];
    *period = s->dim[0];
    return 1;
}

static dscq_status run_quantize(ox_call *c)
{
    const ox_tensor *x = c->in[0], *s = c->in[1], *z = ox_in(c, 2);
    const int32_t type = z != NULL ? z->type : DSCQ_ONNX_UINT8;
    int64_t inner, period;
    dscq_status status;

    if (!scale_steps(c, &inner, &period))
        return ox_bad(c, "scale is neither one value nor one along the axis");
    DSCQ_TRY(ox_out(c, 0, type, x->rank, x->dim));
    for (size_t i = 0; i < x->count; i++) {
        const int64_t k = (int64_t)i / inner % period;
        c->out[0]->v[i] = ox_round_to(
            type, ox_half_to_even((double)(float)(x->v[i] / s->v[k])) + zero_at(z, k),
            1);
    }
done:
    return status;
}

static dscq_status run_dequantize(ox_call *c)
{
    const ox_tensor *x = c->in[0], *s = c->in[1], *z = ox_in(c, 2);
    int64_t inner, period;
    dscq_status status;

    if (!scale_steps(c, &inner, &period))
        return ox_bad(c, "scale is neither one value nor one along the axis");
    DSCQ_TRY(ox_out(c, 0, s->type, x->rank, x->dim));
    for (size_t i = 0; i < x->count; i++) {
        const int64_t k = (int64_t)i / inner % period;
        c->out[0]->v[i] = ox_round_to(s->type, (x->v[i] - zero_at(z, k)) * s->v[k], 0);
    }
done:
    return status;
}

static dscq_status run_dynamic_quantize(ox_call *c)
{
    const ox_tensor *x = c->in[0];
    double lo = 0, hi = 0;
    dscq_status status;

    for (size_t i = 0; i < x->count; i++) {
        lo = fmin(lo, x->v[i]);
        hi = fmax(hi, x->v[i]);
    }
    const double scale = hi > lo ? (double)(float)((hi - lo) / 255) : 1;
    const double zero =
        ox_round_to(DSCQ_ONNX_UINT8, ox_half_to_even((double)(float)(-lo / scale)), 1);
    DSCQ_TRY(ox_out(c, 0, DSCQ_ONNX_UINT8, x->rank, x->dim));
    DSCQ_TRY(ox_out(c, 1, DSCQ_ONNX_FLOAT, 0, NULL));
    DSCQ_TRY(ox_out(c, 2, DSCQ_ONNX_UINT8, 0, NULL));
    for (size_t i = 0; i < x->count; i++)
        c->out[0]->v[i] =
            ox_round_to(DSCQ_ONNX_UINT8,
                        ox_half_to_even((double)(float)(x->v[i] / scale)) + zero, 1);
    c->out[1]->v[0] = scale;
    c->out[2]->v[0] = zero;
done:
    return status;
}

const ox_op_row ox_ops_matrix[] = {
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
