/* Walks the graph with one function an operation; every tensor is kept. */
#include "dscq/infer/reference.h"

#include "dscq/base/alloc.h"
#include "ref_util.h"

#include <math.h>
#include <string.h>

static ref_fn *const k_ops[DSCQ_Q_COUNT] = {
#define DSCQ_QOP(name, id, meaning, traits) [DSCQ_Q_##id] = infer__ref_##name,
#include "dscq/qnet/qops.def"
#undef DSCQ_QOP
};

static dscq_status widen(ref_map *x, const dscq_qtensor *t, const void *codes,
                         dscq_error *err)
{
    const size_t n = dscq_qtensor_count(t);

    x->t = t;
    x->q = dscq_malloc(n, sizeof *x->q);
    if (x->q == NULL)
        return dscq_fail_nomem(err, t->name, n * sizeof *x->q);
    for (size_t i = 0; codes != NULL && i < n; i++) {
        x->q[i] = dscq_qtensor_get(t, codes, i);
        if (x->q[i] < dscq_qtensor_lo(t) || x->q[i] > dscq_qtensor_hi(t))
            return dscq_fail(err, DSCQ_ARG,
                             "tensor '%s': code %d at %zu outside [%d, %d]", t->name,
                             x->q[i], i, dscq_qtensor_lo(t), dscq_qtensor_hi(t));
    }
    return DSCQ_OK;
}

static void narrow(void *codes, const ref_map *x)
{
    const size_t n = dscq_qtensor_count(x->t);

    for (size_t i = 0; i < n; i++)
        dscq_qtensor_put(x->t, codes, i, x->q[i]);
}

dscq_status dscq_infer_node(const dscq_qmodel *m, const dscq_qnode *n,
                            const void *const *x, void *y, dscq_error *err)
{
    ref_map in[DSCQ_QNODE_INPUTS] = {{0}}, out = {0};
    dscq_qnode open = *n;
    dscq_qweights w = {.value = NULL};
    dscq_status status;

    if (n->weights != NULL) {
        DSCQ_TRY(dscq_qweights_open(&w, n->weights, err));
        open.weights = &w;
    }
    for (int32_t i = 0; i < n->input_count; i++)
        DSCQ_TRY(widen(&in[i], &m->tensor[n->input[i]], x[i], err));
    DSCQ_TRY(widen(&out, &m->tensor[n->output], NULL, err));
    k_ops[n->op](&open, in, &out);
    narrow(y, &out);
done:
    for (int32_t i = 0; i < n->input_count; i++)
        dscq_free(in[i].q);
    dscq_free(out.q);
    if (n->weights != NULL)
        dscq_qweights_close(&w, n->weights);
    return status;
}

static dscq_status run_nodes(const dscq_qmodel *m, void **codes,
                             dscq_infer_observer *observe, void *ctx, dscq_error *err)
{
    const void *x[DSCQ_QNODE_INPUTS];
    dscq_status status = DSCQ_OK;

    for (int32_t i = 0; i < m->node_count; i++) {
        const dscq_qnode *n = &m->node[i];
        const dscq_qtensor *t = &m->tensor[n->output];
        for (int32_t j = 0; j < n->input_count; j++)
            x[j] = codes[n->input[j]];
        codes[n->output] = dscq_malloc(dscq_qtensor_bytes(t), 1);
        if (codes[n->output] == NULL)
            return dscq_fail_nomem(err, t->name, dscq_qtensor_bytes(t));
        DSCQ_TRY(dscq_infer_node(m, n, x, codes[n->output], err));
        if (observe != NULL)
            DSCQ_TRY(observe(ctx, i, t, codes[n->output], err));
    }
done:
    return status;
}

dscq_status dscq_infer_reference(const dscq_qmodel *m, const void *const *input,
                                 void *const *output, dscq_infer_observer *observe,
                                 void *ctx, dscq_error *err)
{
    void **codes = dscq_calloc((size_t)m->tensor_count, sizeof *codes);
    dscq_status status;

    if (codes == NULL)
        return dscq_fail_nomem(err, "tensors", (size_t)m->tensor_count * sizeof *codes);
    for (int32_t i = 0; i < m->input_count; i++) {
        const dscq_qtensor *t = &m->tensor[m->input[i].tensor];
        void *copy = dscq_malloc(dscq_qtensor_bytes(t), 1);
        if (copy == NULL) {
            status = dscq_fail_nomem(err, t->name, dscq_qtensor_bytes(t));
            goto done;
        }
        memcpy(copy, input[i], dscq_qtensor_bytes(t));
        codes[m->input[i].tensor] = copy;
    }
    DSCQ_TRY(run_nodes(m, codes, observe, ctx, err));
    for (int32_t i = 0; output != NULL && i < m->output_count; i++) {
        const int32_t t = m->output[i].tensor;
        memcpy(output[i], codes[t], dscq_qtensor_bytes(&m->tensor[t]));
    }
done:
    for (int32_t i = 0; i < m->tensor_count; i++)
        dscq_free(codes[i]);
    dscq_free(codes);
    return status;
}

static int32_t in_range(const dscq_qtensor *t, double v)
{
    const int32_t lo = dscq_qtensor_lo(t), hi = dscq_qtensor_hi(t);

    if (v <= lo)
        return lo;
    return v >= hi ? hi : (int32_t)v;
}

void dscq_infer_quantise_image(const dscq_qmodel *m, const dscq_qinput *in,
                               const uint8_t *pixel, void *codes)
{
    const dscq_qtensor *t = &m->tensor[in->tensor];
    const size_t n = dscq_qtensor_count(t);

    for (size_t i = 0; i < n; i++) {
        const size_t c = i % (size_t)t->c;
        const int64_t u = (int64_t)pixel[i] * in->mult[c] + in->offset[c] + 32768;
        const int64_t v = ref_shift(u, 16);
        dscq_qtensor_put(t, codes, i, in_range(t, (double)(v + t->zero_point)));
    }
}

void dscq_infer_quantise_real(const dscq_qtensor *t, const float *x, void *codes)
{
    const size_t n = dscq_qtensor_count(t);

    for (size_t i = 0; i < n; i++) {
        const double v = floor((double)x[i] / t->scale + 0.5) + t->zero_point;
        dscq_qtensor_put(t, codes, i, isnan(v) ? t->zero_point : in_range(t, v));
    }
}

void dscq_infer_dequantise(const dscq_qtensor *t, const void *codes, double *x)
{
    const size_t n = dscq_qtensor_count(t);

    for (size_t i = 0; i < n; i++)
        x[i] = t->scale * (double)(dscq_qtensor_get(t, codes, i) - t->zero_point);
}

int32_t dscq_infer_class(const dscq_qtensor *t, const void *codes)
{
    const size_t n = dscq_qtensor_count(t);
    size_t best = 0;

    for (size_t i = 1; i < n; i++)
        if (dscq_qtensor_get(t, codes, i) > dscq_qtensor_get(t, codes, best))
            best = i;
    return (int32_t)best;
}
