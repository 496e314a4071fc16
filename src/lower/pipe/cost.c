/* What stages take of the board. */
#include "dscq/hw/board.h"
#include "pipe.h"

#include <string.h>

dscq_resources lower__share_of(const dscq_resources *r, double logic, double block)
{
    return (dscq_resources){.dsp = (int64_t)((double)r->dsp * block),
                            .bram36 = (int64_t)((double)r->bram36 * block),
                            .uram = (int64_t)((double)r->uram * block),
                            .lut = (int64_t)((double)r->lut * logic),
                            .ff = (int64_t)((double)r->ff * logic)};
}

dscq_status lower__board_of(const lowering *l, low_board *out)
{
    const dscq_resources fixed = dscq_pipe_fixed_need(l->m);
    char path[DSCQ_PATH_MAX];
    dscq_board board;
    dscq_status status = DSCQ_OK;

    memset(out, 0, sizeof *out);
    out->most = (dscq_resources){INT32_MAX, INT32_MAX, 0, INT32_MAX, INT32_MAX};
    out->advised = out->most;
    if (l->m->board[0] == '\0')
        return DSCQ_OK;
    DSCQ_TRY(dscq_machine_path(path, sizeof path, l->m, "boards", l->m->board, l->err));
    DSCQ_TRY(dscq_board_load(&board, path, l->err));
    out->most = dscq_board_resources(&board);
    out->advised =
        lower__share_of(&out->most, board.logic_fill_frac, board.block_fill_frac);
#define X(field, text)                                                                 \
    out->most.field -= fixed.field;                                                    \
    out->advised.field -= fixed.field;
    DSCQ_RESOURCE_LIST(X)
#undef X
done:
    return status;
}

dscq_pipe_cost lower__stage_cost(const lowering *l, const dscq_pipe_stage *s)
{
    const dscq_hw_op *op = &l->p->op[s->op_first];
    dscq_pipe_cost c = {.post = s->post, .multiplies = dscq_hw_op_rescales(op)};

    if (s->kind != DSCQ_PIPE_LANES)
        return c;
    c.lanes = s->lanes;
    c.vector = s->vector;
    c.channels = l->p->tensor[op->out].c;
    for (int32_t i = s->wtile_first; i < s->wtile_first + s->wtile_count; i++) {
        const dscq_hw_wtile *t = &l->p->wtile[i];
        uint32_t longest = 0;
        c.acc_rows =
            op->mode == DSCQ_HW_DEPTHWISE ? 1 : dscq_max32(c.acc_rows, t->rows);
        c.is_wide |= dscq_hw_wtile_is_wide(l->p, t);
        c.is_dense = t->kind == DSCQ_STREAM_DENSE || t->kind == DSCQ_STREAM_BINARY;
        c.entry_bits = t->kind == DSCQ_STREAM_BINARY
                           ? 1
                           : t->bits + (t->kind == DSCQ_STREAM_GAP ? t->gap_bits : 0);
        for (int32_t k = 0; k < s->lanes; k++)
            longest = t->lane_offset[k + 1] - t->lane_offset[k] > longest
                          ? t->lane_offset[k + 1] - t->lane_offset[k]
                          : longest;
        c.depth += ceil_div(8LL * longest, c.entry_bits);
    }
    return c;
}

dscq_resources lower__fifos_need(const lowering *l, int32_t stage, int32_t lanes,
                                 int32_t vector, int32_t post)
{
    const dscq_pipe *pipe = dscq_program_pipe(l->p);
    dscq_resources sum = {0};

    for (int32_t i = 0; i < pipe->fifo_count; i++) {
        const dscq_pipe_fifo *f = &pipe->fifo[i];
        if (f->to != stage)
            continue;
        const dscq_hw_tensor *t = &l->p->tensor[pipe->stage[f->from].tensor];
        const dscq_pipe_stage *to = &pipe->stage[stage];
        const int64_t bytes = (int64_t)f->rows * t->w * t->c * t->elem_bytes;
        int64_t width = to->kind == DSCQ_PIPE_VECTOR ? post : 8;
        if (to->kind == DSCQ_PIPE_LANES)
            width = l->p->op[to->op_first].mode == DSCQ_HW_DEPTHWISE
                        ? (int64_t)lanes * vector
                        : vector;
        const dscq_resources r =
            dscq_pipe_fifo_need(bytes, (width > 0 ? width : 1) * t->elem_bytes);
        dscq_resources_add(&sum, &r);
    }
    return sum;
}

void lower__sum_needs(lowering *l, dscq_resources *total)
{
    dscq_pipe *pipe = dscq_program_pipe(l->p);

    memset(total, 0, sizeof *total);
    for (int32_t i = 0; i < pipe->stage_count; i++) {
        dscq_pipe_stage *s = &pipe->stage[i];
        const dscq_resources fifos =
            lower__fifos_need(l, i, s->lanes, s->vector, s->post);
        s->need = (dscq_resources){0};
        if (s->kind >= DSCQ_PIPE_LANES) {
            const dscq_pipe_cost c = lower__stage_cost(l, s);
            s->need = dscq_pipe_stage_need(&c, l->m);
        }
        dscq_resources_add(&s->need, &fifos);
        dscq_resources_add(total, &s->need);
    }
}

int lower__within(const dscq_resources *need, const dscq_resources *most)
{
#define X(field, text)                                                                 \
    if (need->field > most->field)                                                     \
        return 0;
    DSCQ_RESOURCE_LIST(X)
#undef X
    return 1;
}
