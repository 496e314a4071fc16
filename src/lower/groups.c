/* Blocks in groups of middle channels (LOW_GROUPS): shapes and tiles of their own. */
#include "dscq/base/alloc.h"
#include "lower_internal.h"

#include <string.h>

int32_t lower__holding_lanes(const lowering *l, int32_t op)
{
    const dscq_hw_tensor *y = &l->p->tensor[l->p->op[op].out];
    int32_t best = 0;

    for (int32_t i = 0; i < l->m->lanes.count; i++) {
        const int32_t lanes = (int32_t)l->m->lanes.v[i];
        const int32_t vector = l->m->multipliers / lanes;
        const int64_t rows =
            (int64_t)ceil_div(y->c, lanes) * ceil_div((int64_t)y->h * y->w, vector);
        if (rows <= l->m->acc_rows &&
            (l->m->schedule.lanes == 0 || lanes == l->m->schedule.lanes))
            best = lanes;
    }
    return best;
}

/* The most lanes that `group` channels fill. */
static int32_t filled_lanes(const lowering *l, int32_t group)
{
    int32_t best = (int32_t)l->m->lanes.v[0];

    for (int32_t i = 0; i < l->m->lanes.count; i++)
        if ((int32_t)l->m->lanes.v[i] <= group)
            best = (int32_t)l->m->lanes.v[i];
    return l->m->schedule.lanes != 0 ? l->m->schedule.lanes : best;
}

static void drop_tiles(lowering *l, int32_t at)
{
    dscq_program *p = l->p;
    const int32_t first = l->op[at].wtile_first, n = l->op[at].wtile_count;

    for (int32_t i = first; i < first + n; i++)
        dscq_hw_wtile_clear(&p->wtile[i]);
    memmove(p->wtile + first, p->wtile + first + n,
            (size_t)(p->wtile_count - first - n) * sizeof *p->wtile);
    p->wtile_count -= n;
    for (int32_t o = 0; o < p->op_count; o++)
        if (l->op[o].wtile_first > first)
            l->op[o].wtile_first -= n;
    l->op[at].wtile_count = 0;
}

static dscq_status cut_in_groups(lowering *l, int32_t at, int32_t group, int by_input)
{
    dscq_hw_op *op = &l->p->op[at];
    low_op *low = &l->op[at];
    low_opened o;
    dscq_status status = lower__open_op(&o, l, at);

    if (status != DSCQ_OK)
        return status;
    const dscq_qweights *w = &o.w;
    const int depthwise = o.job.depthwise;
    const int32_t middle = by_input ? w->c : w->k;
    drop_tiles(l, at);
    op->lanes = by_input ? lower__holding_lanes(l, at) : filled_lanes(l, group);
    op->vector = l->m->multipliers / op->lanes;
    low->wtile_first = l->p->wtile_count;
    low->weight_bytes = 0;
    low->weight_buffer = 0;
    low->k_pieces = by_input ? ceil_div(middle, group) : 1;
    for (int32_t c = 0; c < middle; c += group) {
        const int32_t n = middle - c < group ? middle - c : group;
        const low_piece x = by_input    ? (low_piece){0, w->k, c, n}
                            : depthwise ? (low_piece){c, n, c, n}
                                        : (low_piece){c, n, 0, w->c};
        DSCQ_TRY(lower__make_tile(&o.job, x, lower__choose_encoding(l, w)));
        low->weight_bytes += o.job.t->stream_bytes;
        low->weight_buffer += in_pages(o.job.t->buffer_bytes);
        if (o.job.t->buffer_bytes > l->m->weight_bytes)
            DSCQ_TRY(dscq_fail(l->err, DSCQ_ARG,
                               "layer '%s': %d channels of weights need %lld bytes; "
                               "weight_bytes = %lld",
                               op->name, n, (long long)o.job.t->buffer_bytes,
                               (long long)l->m->weight_bytes));
    }
done:
    low->wtile_count = l->p->wtile_count - low->wtile_first;
    lower__close_op(&o);
    return status;
}

/* All operations of the block, or none: DSCQ_ARG and their own tiles again when a tile
 * turns out larger than the weight buffer. */
dscq_status lower__regroup(lowering *l, int32_t first, int32_t last, int32_t group)
{
    dscq_status status = DSCQ_OK;

    for (int32_t o = first; o <= last && status == DSCQ_OK; o++)
        status = cut_in_groups(l, o, group, o == last);
    if (status != DSCQ_ARG)
        return status;
    l->op[last].no_group = 1;
    l->group_failed = 1;
    for (int32_t o = first; o <= last; o++) {
        drop_tiles(l, o);
        l->op[o].weight_bytes = 0;
        l->op[o].weight_buffer = 0;
        status = lower__make_conv(l, o);
        if (status != DSCQ_OK)
            return status;
    }
    return DSCQ_ARG;
}
