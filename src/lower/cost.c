/* What a stage costs: cycles of the array, bytes of DRAM, rings of the buffer. */
#include "lower_internal.h"

/* Of the shorter of array and memory time: they overlap but at the ends. */
static const double UNHIDDEN = 0.1;

/* Cycles of `rows` rows of an operation's output. */
double lower__row_cycles(const lowering *l, int32_t o, int32_t rows)
{
    const dscq_hw_op *op = &l->p->op[o];
    const int32_t w = l->p->tensor[op->out].w;

    if (rows <= 0)
        return 0;
    if (op->mode == DSCQ_HW_BROADCAST)
        return ceil_div((int64_t)rows * w, op->vector) * l->op[o].vector_cycles +
               l->op[o].fixed_cycles;
    if (op->mode == DSCQ_HW_DEPTHWISE)
        return (double)rows * ceil_div(w, op->vector) * l->op[o].vector_cycles +
               l->op[o].fixed_cycles;
    return (double)rows * w * l->op[o].point_cycles + l->op[o].fixed_cycles;
}

/* What the rings of a stage take, `slack`: one band more for loaded and stored ones. */
low_need lower__need_of(const lowering *l, const low_bands *b, int32_t first,
                        int32_t last, int left, int right, int slack)
{
    low_need n = {0, 0};

    for (int32_t i = 0; i < b->count; i++) {
        const int32_t t = b->tensor[i];
        const low_tensor *x = &l->tensor[t];
        const dscq_hw_tensor *ht = &l->p->tensor[t];
        const int made = x->first_op >= first && !x->is_input;
        const int out = x->last_op > last;
        const int stays =
            made ? out && right == CUT_CHIP
                 : !x->is_input && left == CUT_CHIP && (!out || right == CUT_CHIP);
        const int on_chip_left = !made && !x->is_input && left == CUT_CHIP;
        if (stays || on_chip_left) {
            n.rings += lower__whole_bytes(l, t);
            if (made && x->is_output)
                n.bytes += lower__dram_bytes(l, t);
            continue;
        }
        const int moves = !made || out || x->is_output;
        int32_t rows = b->ring_rows[i];
        if (moves && slack)
            rows += ceil_div(ht->h, b->bands);
        rows = rows > ht->h ? ht->h : rows;
        n.rings += lower__ring_bytes(l, t, rows, ht->w, ht->c);
        if (moves)
            n.bytes += lower__dram_bytes(l, t);
    }
    /* whole tensors that only pass by */
    for (int32_t t = 0; t < l->p->tensor_count; t++)
        if (lower__bands_find(b, t) < 0 && lower__crosses(l, t, first) &&
            l->tensor[t].last_op > last && left == CUT_CHIP && right == CUT_CHIP)
            n.rings += lower__whole_bytes(l, t);
    return n;
}

double lower__price(const lowering *l, double cycles, double bytes, double *out_cycles)
{
    const double memory = bytes / l->mem_rate;
    const double longer = cycles > memory ? cycles : memory;
    const double shorter = cycles > memory ? memory : cycles;

    *out_cycles = longer + UNHIDDEN * shorter;
    return *out_cycles * l->cycle_price + bytes * l->byte_price;
}

/* Scan order spares the turn: the last band (tile) of a sweep is the next one's first.
 */
static double sweeps(double once, int32_t times, double spared, int scan)
{
    return once * times - (scan && times > 1 ? spared * (times - 1) : 0);
}

int32_t lower__widest_tile(const lowering *l, int32_t o)
{
    int32_t most = 1;

    for (int32_t i = 0; i < l->op[o].wtile_count; i++) {
        const int32_t m = l->p->wtile[l->op[o].wtile_first + i].m_count;
        most = m > most ? m : most;
    }
    return most;
}

low_flow_cost lower__single_flow(const lowering *l, const low_bands *b, int32_t o,
                                 low_flow flow, int left, int right)
{
    const dscq_hw_op *op = &l->p->op[o];
    const low_op *low = &l->op[o];
    const low_need n = lower__need_of(l, b, o, o, left, right, 1);
    low_flow_cost f = {flow, 0, n.bytes, n.rings, 1};
    const int32_t tiles = low->wtile_count > 0 ? low->wtile_count : 1;
    const double weights = (double)low->weight_bytes;
    const double in_dram = l->tensor[op->in[0]].is_input || left == CUT_DRAM
                               ? lower__dram_bytes(l, op->in[0])
                               : 0;

    f.kept = low->weight_buffer <= l->m->weight_bytes;
    if (flow == LOW_BANDS) {
        f.bytes +=
            f.kept ? weights : sweeps(weights, b->bands, weights / tiles, l->scan);
        return f;
    }
    f.kept = 0;
    f.bytes += weights;
    if (low->k_pieces > 1 || tiles == 1)
        f.fits = 0;
    if (flow == LOW_WEIGHTS)
        f.bytes += sweeps(in_dram, tiles, in_dram / b->bands, l->scan) - in_dram;
    if (flow == LOW_FEATURES) {
        /* the whole input stays; an output that goes to DRAM only needs its tile */
        f.rings = 0;
        for (int32_t i = 0; i < op->in_count; i++)
            f.rings += lower__whole_bytes(l, op->in[i]);
        const dscq_hw_tensor *y = &l->p->tensor[op->out];
        const int to_dram = l->tensor[op->out].last_op > o && right == CUT_DRAM;
        f.rings += to_dram || l->tensor[op->out].last_op <= o
                       ? 2 * lower__ring_bytes(l, op->out, ceil_div(y->h, b->bands),
                                               y->w, lower__widest_tile(l, o))
                       : lower__whole_bytes(l, op->out);
    }
    return f;
}

double lower__stage_cycles(const lowering *l, const low_bands *b, int32_t first,
                           int32_t last)
{
    const int32_t n = b->bands + 1;
    double sum = 0;

    for (int32_t o = first; o <= last; o++) {
        const int32_t y = lower__bands_find(b, l->p->op[o].out);
        if (first == last && l->op[o].wtile_count > 0) { /* cut by pixels, no tails */
            sum += lower__row_cycles(l, o, l->p->tensor[l->p->op[o].out].h) +
                   (b->bands - 1) * (double)l->m->command_cycles;
            continue;
        }
        for (int32_t s = 1; s <= b->bands; s++)
            sum += lower__row_cycles(l, o, b->end[y * n + s] - b->end[y * n + s - 1]);
    }
    return sum;
}
