/* One compute command alone, with its real entries and reading times: the recurrence
 * and the stepped lanes must end in the same cycles. */
#include "dscq/base/alloc.h"
#include "dscq/hw/stepped.h"
#include "run.h"

#include <string.h>

enum { CERT_PUSHES = 6000, CERT_VECTORS = 64 };

typedef struct cert {
    dscq_stepped_push *push;
    int32_t *post;
    int32_t pushes, vectors;
    dscq_lanes *lanes;
} cert;

static void broadcast_part(cert *k, hw_array *a, const dscq_hw_cmd *c,
                           const hw_decoded *w)
{
    const dscq_hw_op *op = &a->p->op[c->op];
    const dscq_hw_wtile *t = &a->p->wtile[c->wtile];
    const dscq_hw_ring *in = &a->p->ring[c->ring_in[0]], *out = &a->p->ring[c->ring];
    const int32_t post =
        hw__post_cycles(a->m, t->m_count, op->vector, a->p->tensor[op->out].elem_bytes);

    for (int32_t p = c->first; p < c->last && k->vectors < CERT_VECTORS &&
                               k->pushes + w->columns <= CERT_PUSHES;
         p += op->vector) {
        const int32_t end = p + op->vector < c->last ? p + op->vector : c->last;
        for (int32_t col = 0; col < w->columns; col++) {
            const int32_t rs = w->column[col] / t->c_count;
            int32_t words;
            const int32_t g = hw__column_cycles(
                a, op, out, in, p, end, rs / op->kernel_w, rs % op->kernel_w, &words);
            a->g[col] = (uint16_t)g;
            k->push[k->pushes++] =
                (dscq_stepped_push){.lane0 = 0,
                                    .lane1 = w->active,
                                    .g = g,
                                    .vector = k->vectors,
                                    .is_first = col == 0,
                                    .is_last = col == w->columns - 1,
                                    .n = w->work + (size_t)col * (size_t)w->active};
        }
        dscq_lanes_vector(k->lanes, w->work, w->columns, w->active, a->g, post);
        k->post[k->vectors++] = post;
    }
}

static void depthwise_part(cert *k, hw_array *a, const dscq_hw_cmd *c,
                           const hw_decoded *w)
{
    const dscq_hw_op *op = &a->p->op[c->op];
    const int32_t post =
        hw__post_cycles(a->m, w->active, op->vector, a->p->tensor[op->out].elem_bytes);
    const int32_t slot = w->active > 3 ? w->active / 3 : 1;

    for (int32_t v = 0; v < CERT_VECTORS && k->pushes + 4 <= CERT_PUSHES; v++) {
        for (int32_t l = 0; l < w->active; l += slot)
            k->push[k->pushes++] = (dscq_stepped_push){
                .lane0 = l,
                .lane1 = l + slot < w->active ? l + slot : w->active,
                .g = 1 + v % 3,
                .vector = k->vectors,
                .is_first = 1,
                .is_last = 1,
                .n = w->work};
        dscq_lanes_rows(k->lanes, w->work, w->active, slot, 1 + v % 3, post);
        k->post[k->vectors++] = post;
    }
}

dscq_status hw__certify(hw_array *a, const dscq_hw_cmd *c, const hw_decoded *w,
                        dscq_error *err)
{
    const dscq_hw_op *op = &a->p->op[c->op];
    const int depthwise = op->mode == DSCQ_HW_DEPTHWISE;
    const int32_t depth = depthwise ? a->m->row_queue : a->m->queue_depth;
    cert k = {0};
    dscq_stepped_result got;
    dscq_status status = DSCQ_OK;

    k.push = dscq_calloc(CERT_PUSHES, sizeof *k.push);
    k.post = dscq_calloc(CERT_VECTORS, sizeof *k.post);
    k.lanes = dscq_calloc(1, sizeof *k.lanes);
    if (k.push == NULL || k.post == NULL || k.lanes == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "the stepped check", sizeof *k.lanes));
    dscq_lanes_reset(k.lanes, 0);
    dscq_lanes_shape(k.lanes, w->active, w->active, depth, a->m->acc_banks, 0);
    dscq_lanes_start(k.lanes, 0);
    if (depthwise)
        depthwise_part(&k, a, c, w);
    else
        broadcast_part(&k, a, c, w);
    if (k.vectors == 0)
        goto done; /* one vector is longer than the check allows */
    DSCQ_TRY(dscq_stepped_run(&got, k.push, k.pushes, k.post, k.vectors, w->active,
                              depth, a->m->acc_banks, 0, UINT64_C(100000000), err));
    if (got.post_end != dscq_lanes_post_end(k.lanes) ||
        got.lanes_end != dscq_lanes_end(k.lanes))
        status = dscq_fail(err, DSCQ_MISMATCH,
                           "certificate: %s ends in cycle %llu, stepped in %llu",
                           op->name, (unsigned long long)dscq_lanes_post_end(k.lanes),
                           (unsigned long long)got.post_end);
done:
    dscq_free(k.push);
    dscq_free(k.post);
    dscq_free(k.lanes);
    return status;
}
