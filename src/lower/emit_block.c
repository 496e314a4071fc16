#include "dscq/base/alloc.h"
#include "lower_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- a block in groups of middle channels ------------------------------- */

static dscq_status group_ring(low_emitter *e, const low_spaces *v, int32_t at,
                              int32_t t, int32_t rows, const int32_t chan[2],
                              int32_t *out)
{
    const dscq_hw_tensor *x = &e->p->tensor[t];
    dscq_hw_ring r = lower__ring_shape(e->l, t, rows, 0, x->w);

    r.c0 = chan[0];
    r.c_count = chan[1] - chan[0];
    r.base = lower__base_of(v, t, e->l->tensor[t].stays ? LOWER_NONE : at, 0);
    return lower__new_ring(e, &r, out);
}

/* Inputs of the block: whole rings, loaded in quarters when they come from DRAM. */
static dscq_status open_group_inputs(low_emitter *e, const low_spaces *v, int32_t at)
{
    const low_stage *s = &e->l->stage[at];
    const dscq_hw_op *first = &e->p->op[s->first], *last = &e->p->op[s->last];
    const int32_t ins[2] = {first->in[0],
                            last->has_residual ? last->in[1] : first->in[0]};
    dscq_status status = DSCQ_OK;

    e->slot_count = 0;
    for (int i = 0; i < 2; i++) {
        const dscq_hw_tensor *x = &e->p->tensor[ins[i]];
        const int32_t all[2] = {0, x->c};
        const int32_t step = ceil_div(x->h, LOWER_GROUP_BANDS);
        if (i == 1 && ins[1] == ins[0])
            break;
        low_slot *n = &e->slots[e->slot_count++];
        *n = (low_slot){ins[i], LOWER_NONE, 0, 0, 0};
        DSCQ_TRY(group_ring(e, v, at, ins[i], x->h, all, &n->ring));
        for (int32_t y = 0; lower__comes_from_dram(e->l, ins[i], s) && y < x->h;
             y += step)
            DSCQ_TRY(lower__emit_load(e, i == 0 ? s->first : s->last, n->ring, y,
                                      dscq_min32(y + step, x->h)));
    }
done:
    return status;
}

static dscq_status project_group(low_emitter *e, const low_stage *s, low_job j,
                                 int32_t g, int32_t groups)
{
    const int32_t t = e->p->op[s->last].out;
    const dscq_hw_tensor *y = &e->p->tensor[t];
    const int32_t step = ceil_div(y->h, LOWER_GROUP_BANDS);
    dscq_status status = DSCQ_OK;

    j.wtile = e->l->op[s->last].wtile_first + g;
    j.flags = (uint8_t)(DSCQ_CMD_ACC_HELD | (g > 0 ? DSCQ_CMD_ACC_RESUME : 0) |
                        (g + 1 < groups ? DSCQ_CMD_ACC_KEEP : 0));
    if (g + 1 < groups) {
        j.first = 0;
        j.last = y->h * y->w;
        return lower__emit_compute(e, &j);
    }
    for (int32_t a = 0; a < y->h; a += step) { /* the last group gives the outputs */
        const int32_t z = dscq_min32(a + step, y->h);
        j.first = a * y->w;
        j.last = z * y->w;
        DSCQ_TRY(lower__emit_compute(e, &j));
        if (y->in_dram && lower__moves_through_dram(e->l, t, s))
            DSCQ_TRY(lower__emit_store(e, s->last, j.ring_out, a, z));
    }
done:
    return status;
}

dscq_status lower__emit_groups(low_emitter *e, const low_spaces *v, int32_t at)
{
    const low_stage *s = &e->l->stage[at];
    const dscq_hw_op *op = e->p->op;
    const int32_t t = op[s->last].out;
    const dscq_hw_tensor *y = &e->p->tensor[t];
    const int32_t middle = e->p->tensor[op[s->last - 1].out].c;
    const int32_t groups = ceil_div(middle, s->group);
    const int32_t all[2] = {0, y->c};
    const int32_t out_rows =
        e->l->tensor[t].stays ? y->h : lower__group_out_rows(e->l, t);
    int32_t ring_out;
    dscq_status status;

    DSCQ_TRY(open_group_inputs(e, v, at));
    DSCQ_TRY(group_ring(e, v, at, t, out_rows, all, &ring_out));
    for (int32_t g = 0; g < groups; g++) {
        const int32_t chan[2] = {g * s->group, dscq_min32((g + 1) * s->group, middle)};
        int32_t ring_in = lower__slot_of(e, op[s->first].in[0])->ring;
        for (int32_t o = s->first; o < s->last; o++) {
            const dscq_hw_tensor *x = &e->p->tensor[op[o].out];
            low_job j = {.op = o, .wtile = e->l->op[o].wtile_first + g};
            j.ring_in[0] = ring_in;
            j.last = x->h * x->w;
            j.flags = DSCQ_CMD_ACC_HELD;
            DSCQ_TRY(group_ring(e, v, at, op[o].out, x->h, chan, &j.ring_out));
            DSCQ_TRY(lower__emit_compute(e, &j));
            ring_in = j.ring_out;
        }
        low_job j = {.op = s->last, .ring_out = ring_out};
        j.ring_in[0] = ring_in;
        if (op[s->last].has_residual)
            j.ring_in[1] = lower__slot_of(e, op[s->last].in[1])->ring;
        DSCQ_TRY(project_group(e, s, j, g, groups));
    }
done:
    return status;
}
