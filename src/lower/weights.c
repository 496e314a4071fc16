/* Array shape of every convolution, by the machine's own recurrence on its weights. */
#include "dscq/base/alloc.h"
#include "lower_internal.h"

/* Cycles of a vector against entries a lane, where no shape is tried. */
static const double UNEVEN = 1.2;

/* stored[k * channels + m] of the first group. */
static void mark_stored(uint8_t *stored, const low_tile_job *j, int32_t channels,
                        int32_t columns, int all)
{
    for (int32_t m = 0; m < channels; m++)
        for (int32_t k = 0; k < columns; k++) {
            const size_t at = (size_t)m * (size_t)columns + (size_t)k;
            stored[(size_t)k * (size_t)channels + (size_t)m] =
                (uint8_t)(all || j->codes[at] != 0);
        }
}

static double vectors_of(const dscq_hw_op *op, const dscq_hw_tensor *y, int32_t vector)
{
    if (op->mode == DSCQ_HW_DEPTHWISE)
        return (double)y->h * ceil_div(y->w, vector);
    return ceil_div((int64_t)y->h * y->w, vector);
}

/* Lanes when there is no choice, else 0: forced, or one pixel, where the vector is
 * empty but for one place and lanes are all that counts. */
static int32_t only_shape(const lowering *l, const dscq_hw_op *op,
                          const dscq_hw_tensor *y)
{
    const dscq_machine *m = l->m;
    int32_t most = 0;

    if (m->schedule.lanes != 0)
        return m->schedule.lanes;
    if (m->lanes.count > 1 && (y->h * y->w > 1 || op->mode == DSCQ_HW_DEPTHWISE))
        return 0;
    for (int32_t i = 0; i < m->lanes.count; i++)
        most = (int32_t)m->lanes.v[i] > most ? (int32_t)m->lanes.v[i] : most;
    return most;
}

static dscq_status choose_shape(low_tile_job *j, low_choice enc)
{
    lowering *l = j->l;
    const int32_t at = (int32_t)(j->op - l->p->op);
    dscq_hw_op *op = &l->p->op[at];
    const dscq_machine *m = l->m;
    const dscq_hw_tensor *y = &l->p->tensor[op->out];
    const int32_t groups = j->depthwise ? 1 : l->q->node[l->op[at].node].groups;
    const int32_t channels = j->w->k / groups;
    const int32_t columns = (int32_t)(j->w->count / (size_t)j->w->k);
    const int all = enc.kind == DSCQ_STREAM_DENSE || enc.kind == DSCQ_STREAM_BINARY;
    double best = -1;
    dscq_status status = DSCQ_OK;
    const int32_t only = only_shape(l, op, y);

    if (only > 0) { /* nothing to choose: an estimate of the time will do */
        op->lanes = only;
        op->vector = m->multipliers / only;
        const double entries =
            all ? (double)j->w->count : (double)dscq_qweights_nonzero(j->w);
        const double vc = UNEVEN * entries / only *
                              dscq_entry_cycles(m, op->vector, lower__is_wide(l, at)) +
                          columns;
        l->op[at].vector_cycles = vc;
        l->op[at].fixed_cycles = m->reconfigure_cycles + m->command_cycles;
        return DSCQ_OK;
    }
    uint8_t *stored = dscq_malloc((size_t)channels * (size_t)columns, 1);

    if (stored == NULL)
        return dscq_fail_nomem(l->err, "shape search",
                               (size_t)channels * (size_t)columns);
    mark_stored(stored, j, channels, columns, all);
    for (int32_t i = 0; i < m->lanes.count; i++) {
        const int32_t lanes = (int32_t)m->lanes.v[i];
        double vc, fixed;
        /* so many lanes that not one channel each fits the buffer: a last resort */
        if (best >= 0 && lower__row_bytes(lanes, columns, enc.bits_per_weight) >
                             (double)m->weight_bytes / 2)
            continue;
        DSCQ_TRY(lower__try_shape(l, at, stored, columns, lanes, &vc, &fixed));
        const double cycles = vectors_of(op, y, m->multipliers / lanes) * vc + fixed;
        if (best < 0 || cycles < best) {
            best = cycles;
            op->lanes = lanes;
            op->vector = m->multipliers / lanes;
            l->op[at].vector_cycles = vc;
            l->op[at].fixed_cycles = fixed;
        }
    }
done:
    dscq_free(stored);
    return status;
}

dscq_status lower__make_conv(lowering *l, int32_t at)
{
    low_opened o;
    dscq_status status = lower__open_op(&o, l, at);

    if (status != DSCQ_OK)
        return status;
    const int32_t groups = o.job.depthwise ? 1 : l->q->node[l->op[at].node].groups;
    const low_choice enc = lower__choose_encoding(l, &o.w);
    DSCQ_TRY(choose_shape(&o.job, enc));
    l->op[at].wtile_first = l->p->wtile_count;
    for (int32_t g = 0; g < groups; g++)
        DSCQ_TRY(lower__make_tiles(&o.job, g, enc));
    l->op[at].wtile_count = l->p->wtile_count - l->op[at].wtile_first;
    for (int32_t i = 0; i < l->op[at].wtile_count; i++) {
        const dscq_hw_wtile *t = &l->p->wtile[l->op[at].wtile_first + i];
        l->op[at].weight_bytes += t->stream_bytes;
        l->op[at].weight_buffer += in_pages(t->buffer_bytes);
    }
done:
    lower__close_op(&o);
    return status;
}

/* Block flags, signs and 8-bit weights, exactly. */
static double binary_bits(const dscq_qweights *w)
{
    double bits = (double)w->block_count;

    for (size_t i = 0; i < w->block_count; i++)
        bits += (double)w->block * (w->block_high[i] ? 8 : 1);
    return bits / (double)w->count;
}

dscq_status lower__probe(lowering *l, int32_t at, const int32_t *lanes, int32_t count,
                         double *vector_cycles, low_choice *enc)
{
    dscq_hw_op *op = &l->p->op[at];
    const dscq_qweights *w = l->q->node[l->op[at].node].weights;
    const int depthwise = op->mode == DSCQ_HW_DEPTHWISE;
    const int32_t groups = depthwise ? 1 : l->q->node[l->op[at].node].groups;
    const int32_t channels = w->k / groups;
    const int32_t columns = (int32_t)(w->count / (size_t)w->k);
    const dscq_machine *whole = l->m;
    uint16_t *codes = dscq_malloc(w->count, sizeof *codes);
    uint8_t *stored = dscq_malloc((size_t)channels * (size_t)columns, 1);
    dscq_status status = DSCQ_OK;

    *enc = lower__choose_encoding(l, w);
    if (codes == NULL || stored == NULL) {
        status = dscq_fail_nomem(l->err, "weight codes", w->count * 3);
        goto done;
    }
    if (enc->kind == DSCQ_STREAM_BINARY)
        enc->bits_per_weight = binary_bits(w);
    DSCQ_TRY(dscq_qweights_codes(w, codes, l->err));
    const low_tile_job j = {.l = l, .w = w, .codes = codes, .op = op};
    mark_stored(stored, &j, channels, columns,
                enc->kind == DSCQ_STREAM_DENSE || enc->kind == DSCQ_STREAM_BINARY);
    for (int32_t i = 0; i < count; i++) {
        dscq_machine one = *whole;
        double fixed;
        one.multipliers = lanes[i];
        l->m = &one;
        status = lower__try_shape(l, at, stored, columns, lanes[i], &vector_cycles[i],
                                  &fixed);
        l->m = whole;
        if (status != DSCQ_OK)
            goto done;
    }
done:
    dscq_free(codes);
    dscq_free(stored);
    return status;
}

static void estimate_vector_op(lowering *l, int32_t at)
{
    const dscq_hw_op *op = &l->p->op[at];
    const dscq_machine *m = l->m;
    const int32_t c = op->mode == DSCQ_HW_COPY ? op->c_count : l->p->tensor[op->out].c;
    double reads = op->in_count;

    if (op->mode == DSCQ_HW_MAXPOOL || op->mode == DSCQ_HW_AVGPOOL)
        reads = (double)op->kernel_h * op->stride_w;
    const double read = reads * c / ((double)m->act_banks * m->act_word_bytes);
    const double write = (double)c / m->post_entries;
    l->op[at].point_cycles = read > write ? read : write;
    l->op[at].fixed_cycles = m->command_cycles + m->post_latency_cycles;
}

dscq_status lower__make_weights(lowering *l)
{
    dscq_status status = DSCQ_OK;

    for (int32_t i = 0; i < l->p->op_count; i++) {
        if (dscq_hw_has_weights(&l->p->op[i]))
            DSCQ_TRY(lower__make_conv(l, i));
        else
            estimate_vector_op(l, i);
    }
done:
    return status;
}
