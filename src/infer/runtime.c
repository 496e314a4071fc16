/* The fast runtime: memory plan, batch, trace. */
#include "dscq/infer/runtime.h"

#include "dscq/base/alloc.h"
#include "fast.h"

#include <string.h>

static fast_fn *const k_run[DSCQ_Q_COUNT] = {
#define DSCQ_QOP(name, id, meaning, traits) [DSCQ_Q_##id] = infer__fast_##name,
#include "dscq/qnet/qops.def"
#undef DSCQ_QOP
};

static dscq_status choose(const dscq_int_kernels **out, const char *name,
                          dscq_error *err)
{
    *out = dscq_int_kernels_get(name);
    if (*out == NULL)
        return dscq_fail(err, DSCQ_UNSUPPORTED,
                         "kernels '%s': this CPU or build does not have them; the best "
                         "here are '%s'",
                         name, dscq_int_kernels_family(0));
    return DSCQ_OK;
}

/* ---- plan ---- */

static size_t room_of(const dscq_qtensor *t)
{
    return (dscq_qtensor_count(t) * fast_elem(t) + FAST_SLACK + 63) / 64 * 64;
}

/* [first, last] node in which each tensor is alive; outputs to the end. */
static void lifetimes(const dscq_qmodel *m, int32_t *first, int32_t *last)
{
    for (int32_t i = 0; i < m->tensor_count; i++) {
        first[i] = -1;
        last[i] = -1;
    }
    for (int32_t i = 0; i < m->node_count; i++) {
        first[m->node[i].output] = last[m->node[i].output] = i;
        for (int32_t j = 0; j < m->node[i].input_count; j++)
            last[m->node[i].input[j]] = i;
    }
    for (int32_t i = 0; i < m->output_count; i++)
        last[m->output[i].tensor] = m->node_count;
}

/* Lowest place for tensor t beside those placed before that live at the same time. */
static size_t place(const dscq_qmodel *m, const size_t *offset, const uint8_t *placed,
                    const int32_t *first, const int32_t *last, int32_t t)
{
    const size_t need = room_of(&m->tensor[t]);
    size_t at = 0;
    int moved = 1;

    while (moved) {
        moved = 0;
        for (int32_t o = 0; o < m->tensor_count; o++) {
            if (!placed[o] || last[o] < first[t] || first[o] > last[t])
                continue;
            const size_t end = offset[o] + room_of(&m->tensor[o]);
            if (at < end && offset[o] < at + need) {
                at = end;
                moved = 1;
            }
        }
    }
    return at;
}

static dscq_status plan(dscq_runtime *r, dscq_error *err)
{
    const dscq_qmodel *m = r->m;
    const size_t n = (size_t)m->tensor_count;
    int32_t *first = dscq_calloc(n, sizeof *first),
            *last = dscq_calloc(n, sizeof *last);
    uint8_t *placed = dscq_calloc(n, 1);
    size_t scratch = 0;
    dscq_status status = DSCQ_OK;

    r->offset = dscq_calloc(n, sizeof *r->offset);
    if (first == NULL || last == NULL || placed == NULL || r->offset == NULL) {
        status = dscq_fail_nomem(err, "memory plan", n * 17);
        goto done;
    }
    lifetimes(m, first, last);
    for (int32_t i = 0; i < m->tensor_count; i++) { /* producers come in order */
        r->offset[i] = place(m, r->offset, placed, first, last, i);
        placed[i] = 1;
        if (r->offset[i] + room_of(&m->tensor[i]) > r->scratch_at)
            r->scratch_at = r->offset[i] + room_of(&m->tensor[i]);
    }
    for (int32_t i = 0; i < m->node_count; i++) {
        const size_t need = infer__scratch_bytes(&r->node[i]);
        scratch = need > scratch ? need : scratch;
    }
    r->block_bytes = r->scratch_at + scratch;
done:
    dscq_free(first);
    dscq_free(last);
    dscq_free(placed);
    return status;
}

/* ---- life ---- */

void dscq_runtime_destroy(dscq_runtime *r)
{
    if (r == NULL)
        return;
    for (int32_t i = 0; r->node != NULL && i < r->m->node_count; i++) {
        dscq_free(r->node[i].packed);
        dscq_free(r->node[i].packed_at);
        dscq_free(r->node[i].post);
        dscq_free(r->node[i].table);
    }
    for (int w = 0; r->block != NULL && w < r->workers; w++)
        dscq_free(r->block[w]);
    dscq_free(r->node);
    dscq_free(r->offset);
    dscq_free(r->block);
    dscq_free(r);
}

static dscq_status prepare(dscq_runtime *r, dscq_error *err)
{
    dscq_status status;

    r->node = dscq_calloc((size_t)r->m->node_count, sizeof *r->node);
    r->block = dscq_calloc((size_t)r->workers, sizeof *r->block);
    if (r->node == NULL || r->block == NULL)
        return dscq_fail_nomem(err, "runtime",
                               (size_t)r->m->node_count * sizeof *r->node);
    for (int32_t i = 0; i < r->m->node_count; i++) {
        fast_node *f = &r->node[i];
        f->n = &r->m->node[i];
        if (dscq_qop_has(f->n->op, DSCQ_QHAS_WEIGHTS))
            DSCQ_TRY(infer__prepare_weights(f, r->m, r->k, err));
        if (dscq_qop_has(f->n->op, DSCQ_QHAS_LOOKUP))
            DSCQ_TRY(infer__prepare_lookup(f, r->m, err));
    }
    DSCQ_TRY(plan(r, err));
    for (int w = 0; w < r->workers; w++) {
        r->block[w] = dscq_calloc(r->block_bytes, 1);
        if (r->block[w] == NULL)
            return dscq_fail_nomem(err, "activations", r->block_bytes);
    }
done:
    return status;
}

dscq_status dscq_runtime_create(dscq_runtime **out, const dscq_qmodel *m,
                                const dscq_runtime_options *options, dscq_error *err)
{
    dscq_runtime *r = dscq_calloc(1, sizeof *r);
    dscq_status status;

    *out = NULL;
    if (r == NULL)
        return dscq_fail_nomem(err, "runtime", sizeof *r);
    r->m = m;
    r->pool = options != NULL ? options->pool : NULL;
    r->workers = dscq_pool_threads(r->pool);
    DSCQ_TRY(choose(&r->k, options != NULL ? options->kernels : NULL, err));
    DSCQ_TRY(prepare(r, err));
    *out = r;
    return DSCQ_OK;
done:
    dscq_runtime_destroy(r);
    return status;
}

/* ---- running ---- */

/* Stored codes to what a tensor holds, and back. */
static void load_codes(const dscq_qtensor *t, const void *codes, uint8_t *u)
{
    const size_t n = dscq_qtensor_count(t);
    const uint8_t flip = (uint8_t)fast_offset(t), *q = codes;

    if (t->bits > 8) {
        memcpy(u, codes, n * 2);
        return;
    }
    for (size_t i = 0; i < n; i++)
        u[i] = q[i] ^ flip;
}

static void store_codes(const dscq_qtensor *t, const uint8_t *u, void *codes)
{
    load_codes(t, u, codes); /* its own inverse */
}

static void run_node(dscq_runtime *r, int32_t i, uint8_t *block)
{
    fast_node *f = &r->node[i];
    const uint8_t *x[DSCQ_QNODE_INPUTS] = {NULL};
    const fast_run c = {.f = f,
                        .n = f->n,
                        .m = r->m,
                        .k = r->k,
                        .x = x,
                        .y = block + r->offset[f->n->output],
                        .scratch = block + r->scratch_at,
                        .in = &r->m->tensor[f->n->input[0]],
                        .out = &r->m->tensor[f->n->output]};
    const double start = r->now != NULL && block == r->block[0] ? r->now() : 0.0;

    for (int32_t j = 0; j < f->n->input_count; j++)
        x[j] = block + r->offset[f->n->input[j]];
    k_run[f->n->op](&c);
    if (r->now != NULL && block == r->block[0])
        f->seconds += r->now() - start;
}

static void load_inputs(dscq_runtime *r, const void *const *input, uint8_t *block)
{
    for (int32_t j = 0; j < r->m->input_count; j++) {
        const int32_t t = r->m->input[j].tensor;
        load_codes(&r->m->tensor[t], input[j], block + r->offset[t]);
    }
}

typedef struct batch {
    dscq_runtime *r;
    const void *const *input;
    void *const *output;
} batch;

static void one_image(void *ctx, size_t image, int worker)
{
    const batch *b = ctx;
    const dscq_qmodel *m = b->r->m;
    uint8_t *block = b->r->block[worker];

    load_inputs(b->r, b->input + image * (size_t)m->input_count, block);
    for (int32_t i = 0; i < m->node_count; i++)
        run_node(b->r, i, block);
    for (int32_t j = 0; j < m->output_count; j++) {
        const int32_t t = m->output[j].tensor;
        store_codes(&m->tensor[t], block + b->r->offset[t],
                    b->output[image * (size_t)m->output_count + (size_t)j]);
    }
}

void dscq_runtime_run(dscq_runtime *r, int32_t n, const void *const *input,
                      void *const *output)
{
    batch b = {r, input, output};

    dscq_pool_run(n == 1 ? NULL : r->pool, (size_t)n, one_image, &b);
}

dscq_status dscq_runtime_trace(dscq_runtime *r, const void *const *input,
                               dscq_infer_observer *observe, void *ctx, dscq_error *err)
{
    const dscq_qmodel *m = r->m;
    size_t most = 0;
    dscq_status status = DSCQ_OK;

    for (int32_t i = 0; i < m->tensor_count; i++)
        if (dscq_qtensor_bytes(&m->tensor[i]) > most)
            most = dscq_qtensor_bytes(&m->tensor[i]);
    uint8_t *codes = dscq_malloc(most, 1);
    if (codes == NULL)
        return dscq_fail_nomem(err, "trace", most);
    load_inputs(r, input, r->block[0]);
    for (int32_t i = 0; i < m->node_count; i++) {
        const int32_t t = m->node[i].output;
        run_node(r, i, r->block[0]);
        store_codes(&m->tensor[t], r->block[0] + r->offset[t], codes);
        DSCQ_TRY(observe(ctx, i, &m->tensor[t], codes, err));
    }
done:
    dscq_free(codes);
    return status;
}

const char *dscq_runtime_kernels(const dscq_runtime *r)
{
    return r->k->name;
}

size_t dscq_runtime_arena_bytes(const dscq_runtime *r)
{
    return r->block_bytes;
}

size_t dscq_runtime_weight_bytes(const dscq_runtime *r)
{
    size_t bytes = 0;

    for (int32_t i = 0; i < r->m->node_count; i++)
        bytes += r->node[i].packed_bytes;
    return bytes;
}

void dscq_runtime_profile(dscq_runtime *r, double (*now)(void))
{
    r->now = now;
}

double dscq_runtime_seconds(const dscq_runtime *r, int32_t node)
{
    return r->node[node].seconds;
}
