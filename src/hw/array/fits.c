#include "run.h"

dscq_status hw__array_fits(const dscq_program *p, const dscq_machine *m,
                           dscq_error *err)
{
    for (int32_t i = 0; i < p->ring_count; i++) {
        const dscq_hw_ring *r = &p->ring[i];
        const int64_t bytes = dscq_hw_ring_bytes(r, m->act_word_bytes, m->act_banks);
        /* [B5] */
        if (r->line_bytes % m->act_word_bytes != 0 || r->base + bytes > m->act_bytes ||
            (int64_t)r->rows * r->row_bytes != bytes)
            return dscq_fail(err, DSCQ_ARG,
                             "program: a ring of %s ends at byte %lld of act_bytes = "
                             "%lld",
                             p->tensor[r->tensor].name, (long long)(r->base + bytes),
                             (long long)m->act_bytes);
    }
    for (int32_t i = 0; i < p->wtile_count; i++) {
        const dscq_hw_wtile *w = &p->wtile[i];
        if (w->buffer_base < 0 || w->buffer_base + w->buffer_bytes > m->weight_bytes)
            return dscq_fail(err, DSCQ_ARG,
                             "program: a weight tile of %s, %lld bytes at %lld, ends "
                             "beyond weight_bytes = %lld",
                             p->op[w->op].name, (long long)w->buffer_bytes,
                             (long long)w->buffer_base, (long long)m->weight_bytes);
        if (p->op[w->op].mode == DSCQ_HW_BROADCAST && w->rows > m->acc_rows)
            return dscq_fail(err, DSCQ_ARG,
                             "program: %s accumulates %d channels per lane; acc_rows = "
                             "%d",
                             p->op[w->op].name, w->rows, m->acc_rows);
    }
    for (size_t i = 0; i < p->queue_count[DSCQ_UNIT_COMPUTE]; i++) {
        const dscq_hw_cmd *c = &p->queue[DSCQ_UNIT_COMPUTE][i];
        const dscq_hw_op *o = &p->op[c->op];
        if (c->wtile < 0 || !(c->flags & (DSCQ_CMD_ACC_KEEP | DSCQ_CMD_ACC_RESUME)))
            continue;
        const int64_t rows = (int64_t)p->wtile[c->wtile].rows *
                             ((c->last - c->first + o->vector - 1) / o->vector);
        if (rows > m->acc_rows)
            return dscq_fail(
                err, DSCQ_ARG,
                "program: %s keeps %lld sums per lane place; acc_rows = %d", o->name,
                (long long)rows, m->acc_rows);
    }
    for (int32_t i = 0; i < p->op_count; i++) {
        const dscq_hw_op *o = &p->op[i];
        if (dscq_hw_has_weights(o) && o->lanes * o->vector != m->multipliers)
            return dscq_fail(
                err, DSCQ_ARG,
                "program: %s wants %d x %d multipliers; the machine has %d", o->name,
                o->lanes, o->vector, m->multipliers);
    }
    return DSCQ_OK;
}
