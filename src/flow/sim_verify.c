/* A simulation's tensors against the integer reference, code by code. */
#include "dscq/base/alloc.h"
#include "dscq/flow/simulate.h"
#include "dscq/infer/reference.h"

#include <stdio.h>
#include <string.h>

typedef struct comparison {
    const dscq_qmodel *q;
    const dscq_sim *sim;
    int32_t frame, frames;
    int compared;
} comparison;

static dscq_status compare_codes(const comparison *c, const char *what,
                                 const dscq_qtensor *t, const void *want,
                                 const void *have, dscq_error *err)
{
    const size_t each = t->bits > 8 ? 2 : 1;
    const size_t bytes = dscq_qtensor_bytes(t);
    const uint8_t *a = want, *b = have;

    if (memcmp(a, b, bytes) == 0)
        return DSCQ_OK;
    size_t at = 0;
    while (memcmp(a + at * each, b + at * each, each) == 0)
        at++;
    const size_t pixel = at / (size_t)t->c;
    char frame[32] = "";
    if (c->frames > 1)
        (void)snprintf(frame, sizeof frame, "frame %d, ", c->frame);
    return dscq_fail(
        err, DSCQ_MISMATCH,
        "%slayer '%s', channel %zu, row %zu, column %zu: the machine has %d, "
        "the integer reference %d",
        frame, what, at % (size_t)t->c, pixel / (size_t)t->w, pixel % (size_t)t->w,
        dscq_qtensor_get(t, have, at), dscq_qtensor_get(t, want, at));
}

static dscq_status compare_node(void *ctx, int32_t node, const dscq_qtensor *t,
                                const void *codes, dscq_error *err)
{
    comparison *c = ctx;
    const dscq_qnode *n = &c->q->node[node];
    size_t bytes;
    const void *have = dscq_sim_tensor(c->sim, n->output, &bytes);

    if (have == NULL) /* never whole in one place: lives in the fused layers only */
        return DSCQ_OK;
    c->compared++;
    return compare_codes(c, n->name, t, codes, have, err);
}

/* Who makes the tensor: its name in messages. */
static const char *maker(const dscq_qmodel *q, int32_t tensor)
{
    for (int32_t i = 0; i < q->node_count; i++)
        if (q->node[i].output == tensor)
            return q->node[i].name;
    return q->tensor[tensor].name;
}

dscq_status dscq_flow_sim_verify(int *compared, const dscq_qmodel *q,
                                 const dscq_sim *sim, const void *const *codes,
                                 int32_t frames, dscq_error *err)
{
    comparison c = {.q = q, .sim = sim, .frames = frames};
    const void *x[DSCQ_QMODEL_ENDS];
    void **want = dscq_calloc((size_t)q->output_count, sizeof *want);
    dscq_status status = DSCQ_OK;

    if (want == NULL)
        return dscq_fail_nomem(err, "reference outputs", sizeof *want);
    for (int32_t o = 0; o < q->output_count; o++) {
        const size_t bytes = dscq_qtensor_bytes(&q->tensor[q->output[o].tensor]);
        want[o] = dscq_calloc(bytes, 1);
        if (want[o] == NULL) {
            status = dscq_fail_nomem(err, "reference outputs", bytes);
            goto done;
        }
    }
    for (int32_t f = 0; f < frames; f++) {
        for (int32_t i = 0; i < q->input_count; i++)
            x[i] = (const uint8_t *)codes[i] +
                   (size_t)f * dscq_qtensor_bytes(&q->tensor[q->input[i].tensor]);
        c.frame = f;
        DSCQ_TRY(dscq_infer_reference(q, x, want, f == frames - 1 ? compare_node : NULL,
                                      &c, err));
        for (int32_t o = 0; o < q->output_count; o++) {
            const dscq_qtensor *t = &q->tensor[q->output[o].tensor];
            size_t bytes;
            const void *have = dscq_sim_output(sim, o, f, &bytes);
            DSCQ_TRY(compare_codes(&c, maker(q, q->output[o].tensor), t, want[o], have,
                                   err));
        }
    }
    *compared = c.compared;
done:
    for (int32_t o = 0; o < q->output_count; o++)
        dscq_free(want[o]);
    dscq_free(want);
    return status;
}
