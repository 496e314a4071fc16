/* What tensors, blocks in groups and strips take of the activation buffer. */
#include "lower_internal.h"

/* Bytes of a group's weights: codes with their positions; of a middle channel and of an
 * output beside them; and half of the next group, which loads meanwhile. */
static const double CODED = 1.15, OUTPUT_BYTES = 12, NEXT_GROUP = 1.5;
enum { GROUP_CHANNEL_BYTES = 32 };

/* [B1] */
int32_t lower__line_bytes(const lowering *l, int32_t tensor, int32_t width)
{
    const int32_t word = l->m->act_word_bytes;

    return ceil_div((int64_t)width * l->p->tensor[tensor].elem_bytes, word) * word;
}

int64_t lower__ring_bytes(const lowering *l, int32_t tensor, int32_t rows,
                          int32_t width, int32_t channels)
{
    const dscq_hw_ring r = {.tensor = tensor,
                            .rows = rows,
                            .width = width,
                            .c_count = channels,
                            .line_bytes = lower__line_bytes(l, tensor, width)};

    return in_pages(dscq_hw_ring_bytes(&r, l->m->act_word_bytes, l->m->act_banks));
}

int64_t lower__whole_bytes(const lowering *l, int32_t t)
{
    const dscq_hw_tensor *x = &l->p->tensor[t];

    return lower__ring_bytes(l, t, x->h, x->w, x->c);
}

double lower__dram_bytes(const lowering *l, int32_t t)
{
    return (double)dscq_hw_tensor_bytes(&l->p->tensor[t]);
}

/* [D5] */
void lower__place_maps(lowering *l)
{
    dscq_program *p = l->p;
    const int64_t align = l->m->burst_bytes;
    uint64_t at = (uint64_t)(dscq_ceil_div((int64_t)p->image_bytes, align) * align);

    for (int32_t i = 0; i < p->tensor_count; i++) {
        dscq_hw_tensor *t = &p->tensor[i];
        if (!t->in_dram)
            continue;
        t->dram_addr = at;
        t->dram_frame =
            (uint64_t)(dscq_ceil_div((int64_t)dscq_hw_tensor_bytes(t), align) * align);
        at += t->dram_frame * (uint64_t)p->frames;
    }
    p->dram_bytes = at;
}

int lower__crosses(const lowering *l, int32_t t, int32_t at)
{
    const low_tensor *x = &l->tensor[t];

    return !x->is_input && x->first_op < at && x->last_op >= at;
}

/* [expand] depthwise project, nothing of the middle used elsewhere. */
int lower__is_block(const lowering *l, int32_t first, int32_t last)
{
    const dscq_hw_op *op = l->p->op;
    const int32_t n = last - first + 1, dw = last - 1;

    if (n < 2 || n > 3 || op[dw].mode != DSCQ_HW_DEPTHWISE || op[dw].has_residual ||
        op[last].mode != DSCQ_HW_BROADCAST || op[last].in[0] != op[dw].out ||
        l->tensor[op[dw].out].last_op != last || l->tensor[op[dw].out].is_output ||
        l->q->node[l->op[last].node].groups != 1 || op[last].kernel_h != 1 ||
        op[last].kernel_w != 1 ||
        l->q->node[l->op[last].node].weights->form == DSCQ_FORM_BINARY)
        return 0;
    if (n == 2)
        return 1;
    return op[first].mode == DSCQ_HW_BROADCAST && !op[first].has_residual &&
           op[dw].in[0] == op[first].out && l->tensor[op[first].out].last_op == dw &&
           !l->tensor[op[first].out].is_output &&
           l->q->node[l->op[first].node].groups == 1;
}

int32_t lower__group_out_rows(const lowering *l, int32_t tensor)
{
    const int32_t h = l->p->tensor[tensor].h;

    return dscq_min32(h, 2 * ceil_div(h, LOWER_GROUP_BANDS));
}

/* What a block in groups of `group` middle channels takes; 0 rings: its weights do not
 * fit twice. */
low_need lower__group_need(const lowering *l, int32_t first, int32_t last,
                           const int cut[2], int32_t group)
{
    const dscq_hw_op *op = l->p->op;
    low_need n = {0, 0};
    double weights = 0;

    for (int32_t o = first; o <= last; o++) {
        const dscq_qweights *w = l->q->node[l->op[o].node].weights;
        const double per = (double)w->count / (o == last ? w->c : w->k);
        weights += group * (per * w->bits / 8 * CODED + GROUP_CHANNEL_BYTES) +
                   (o == last ? OUTPUT_BYTES * w->k : 0);
    }
    if (NEXT_GROUP * weights > (double)l->m->weight_bytes)
        return n;
    for (int32_t o = first; o < last; o++) {
        const dscq_hw_tensor *t = &l->p->tensor[op[o].out];
        n.rings += lower__ring_bytes(l, op[o].out, t->h, t->w, group);
    }
    const int32_t ins[2] = {op[first].in[0],
                            op[last].has_residual ? op[last].in[1] : op[first].in[0]};
    for (int i = 0; i < 2; i++) {
        if (i == 1 && ins[1] == ins[0])
            continue;
        n.rings += lower__whole_bytes(l, ins[i]);
        if (cut[0] == CUT_DRAM || l->tensor[ins[i]].is_input)
            n.bytes += lower__dram_bytes(l, ins[i]);
    }
    const int32_t out = op[last].out;
    const dscq_hw_tensor *y = &l->p->tensor[out];
    const int stays = cut[1] == CUT_CHIP && l->tensor[out].last_op > last;
    n.rings += lower__ring_bytes(l, out, stays ? y->h : lower__group_out_rows(l, out),
                                 y->w, y->c);
    if (!stays || l->tensor[out].is_output)
        n.bytes += lower__dram_bytes(l, out);
    for (int32_t t = 0; t < l->p->tensor_count; t++)
        if (t != ins[0] && t != ins[1] && lower__crosses(l, t, first) &&
            l->tensor[t].last_op > last && cut[0] == CUT_CHIP && cut[1] == CUT_CHIP)
            n.rings += lower__whole_bytes(l, t);
    return n;
}

int lower__separable(const dscq_hw_op *op)
{
    return op->mode == DSCQ_HW_MAXPOOL || op->mode == DSCQ_HW_AVGPOOL ||
           op->mode == DSCQ_HW_LUT;
}

int64_t lower__strip_bytes(const lowering *l, int32_t o, int32_t rows, int32_t width,
                           int32_t chan)
{
    const dscq_hw_op *op = &l->p->op[o];
    const int32_t w = l->p->tensor[op->out].w, h = l->p->tensor[op->out].h;
    const int32_t mid = h / 2 / rows * rows;
    int64_t sum = 0;
    int32_t lo, hi;

    for (int32_t i = 0; i < op->in_count; i++) {
        const dscq_hw_tensor *x = &l->p->tensor[op->in[i]];
        int32_t need = 0, wide = 0;
        lower__rows(l->p, o, i, mid, mid + rows < h ? mid + rows : h, &lo, &hi);
        need = hi - lo;
        lower__rows(l->p, o, i, 0, rows < h ? rows : h, &lo, &hi);
        need = hi - lo > need ? hi - lo : need;
        for (int32_t at = 0; at < w; at += width) {
            lower__columns(l->p, o, i, at, at + width < w ? at + width : w, &lo, &hi);
            wide = hi - lo > wide ? hi - lo : wide;
        }
        const int32_t c = chan > 0 ? chan : x->c;
        need = need < 1 ? 1 : need > x->h ? x->h : need;
        sum += lower__ring_bytes(l, op->in[i], need, wide < 1 ? 1 : wide, c);
    }
    return sum + lower__ring_bytes(l, op->out, rows, width < w ? width : w,
                                   chan > 0 ? chan : l->p->tensor[op->out].c);
}
