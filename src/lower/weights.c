/* Array shape, weight tiles and lane streams of every convolution
 * (docs/accelerator.md section 4). */
#include "dscq/base/alloc.h"
#include "lower_internal.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* ---- tiles -------------------------------------------------------------- */

static dscq_status new_tile(lowering *l, dscq_hw_wtile **out)
{
    dscq_program *p = l->p;

    if (p->wtile_count == l->wtile_cap) {
        const int32_t cap = l->wtile_cap == 0 ? 128 : 2 * l->wtile_cap;
        dscq_hw_wtile *t = dscq_realloc(p->wtile, (size_t)l->wtile_cap * sizeof *t,
                                        (size_t)cap * sizeof *t);
        if (t == NULL || cap > LOWER_TILES_MAX)
            return dscq_fail_nomem(l->err, "weight tiles", (size_t)cap * sizeof *t);
        p->wtile = t;
        l->wtile_cap = cap;
    }
    *out = &p->wtile[p->wtile_count];
    memset(*out, 0, sizeof **out);
    p->wtile_count++;
    return DSCQ_OK;
}

typedef struct piece {
    int32_t m_first, m_count, c_first, c_count;
} piece;

static dscq_status tile_scratch(low_tile_job *j)
{
    const size_t columns = (size_t)j->t->columns, places = columns * (size_t)j->t->rows;

    j->column = dscq_malloc(columns, sizeof *j->column);
    j->code = dscq_malloc(places, sizeof *j->code);
    j->value = dscq_malloc(places, sizeof *j->value);
    if (j->column == NULL || j->code == NULL || j->value == NULL)
        return dscq_fail_nomem(j->l->err, "a weight tile", places * 4);
    for (int32_t k = 0; k < j->t->columns; k++)
        j->column[k] = lower__column_at(j, k);
    return DSCQ_OK;
}

static void tile_scratch_free(low_tile_job *j)
{
    dscq_free(j->column);
    dscq_free(j->code);
    dscq_free(j->value);
    j->column = NULL;
    j->code = NULL;
    j->value = NULL;
}

static void count_entries(const low_tile_job *j, int32_t *entries)
{
    const dscq_hw_wtile *t = j->t;
    const size_t per = j->w->count / (size_t)j->w->k;

    for (int32_t i = 0; i < t->m_count; i++) {
        const uint16_t *codes = j->codes + (size_t)(t->m_first + i) * per;
        if (t->kind == DSCQ_STREAM_DENSE || t->kind == DSCQ_STREAM_BINARY)
            entries[i] = t->columns;
        else
            for (int32_t k = 0; k < t->columns; k++)
                entries[i] += codes[j->column[k]] != 0;
    }
}

static dscq_status make_tile(low_tile_job *j, piece x, low_choice enc)
{
    lowering *l = j->l;
    const int32_t lanes = j->op->lanes, rows = ceil_div(x.m_count, lanes);
    const int32_t per = j->w->r * j->w->s;
    const low_op *low = &l->op[j->op - l->p->op];
    int32_t *entries = NULL;
    dscq_hw_wtile *t = NULL;
    dscq_status status;

    DSCQ_TRY(new_tile(l, &t));
    j->t = t;
    t->op = (int32_t)(j->op - l->p->op);
    t->m_first = x.m_first;
    t->m_count = x.m_count;
    t->c_first = x.c_first;
    t->c_count = x.c_count;
    t->columns = j->depthwise ? per : per * x.c_count;
    t->rows = rows;
    t->kind = enc.kind;
    t->gap_bits = enc.gap_bits;
    t->bits = j->code_bits;
    t->is_linear = j->w->form == DSCQ_FORM_LINEAR;
    if (j->w->form == DSCQ_FORM_CODEBOOK) {
        t->codebook_count = j->w->codebook_count;
        memcpy(t->codebook, j->w->codebook, sizeof t->codebook);
    }
    t->channel = dscq_malloc((size_t)(rows * lanes), sizeof *t->channel);
    t->lane_offset = dscq_calloc((size_t)lanes + 1, sizeof *t->lane_offset);
    entries = dscq_calloc((size_t)x.m_count, sizeof *entries);
    if (t->channel == NULL || t->lane_offset == NULL || entries == NULL)
        DSCQ_TRY(dscq_fail_nomem(l->err, "a weight tile", (size_t)(rows * lanes) * 4));
    if (enc.kind == DSCQ_STREAM_BINARY) {
        t->block = j->w->block;
        t->level = dscq_malloc((size_t)x.m_count, sizeof *t->level);
        if (t->level == NULL)
            DSCQ_TRY(dscq_fail_nomem(l->err, "a weight tile", (size_t)x.m_count * 2));
        memcpy(t->level, j->w->level + x.m_first, (size_t)x.m_count * sizeof *t->level);
    }
    DSCQ_TRY(tile_scratch(j));
    count_entries(j, entries);
    /* pieces share their accumulators' places: dealt by number */
    DSCQ_TRY(lower__deal(t->channel, rows, lanes, entries, x.m_count,
                         l->m->schedule.balance && !j->depthwise && low->k_pieces <= 1,
                         l->err));
    for (int32_t i = 0; i < rows * lanes; i++)
        t->channel[i] += t->channel[i] >= 0 ? x.m_first : 0;
    DSCQ_TRY(lower__write_streams(j));
done:
    tile_scratch_free(j);
    dscq_free(entries);
    return status;
}

/* Rows of a tile so that it takes at most half the weight buffer (the other half is for
 * the next one); 0: not even one row fits, the columns must be cut as well. */
static int32_t rows_that_fit(const low_tile_job *j, int32_t columns, double bits,
                             int32_t most)
{
    const double row = j->op->lanes * ((double)columns * bits / 8 * 1.1 + 24);
    const double fit = (double)j->l->m->weight_bytes / 2 / row;

    return fit >= most ? most : (int32_t)fit;
}

static dscq_status make_group(low_tile_job *j, int32_t group, low_choice enc)
{
    lowering *l = j->l;
    low_op *low = &l->op[j->op - l->p->op];
    const int32_t per = j->w->r * j->w->s, lanes = j->op->lanes;
    const int32_t groups = j->depthwise ? 1 : l->q->node[low->node].groups;
    const int32_t channels = j->w->k / groups;
    const int32_t c_all = j->depthwise ? j->w->k : j->w->c;
    const int32_t columns = j->depthwise ? per : per * c_all;
    const int32_t most = j->depthwise ? ceil_div(channels, lanes) : l->m->acc_rows;
    int32_t rows = rows_that_fit(j, columns, enc.bits_per_weight, most);
    int32_t c_step = c_all;
    dscq_status status = DSCQ_OK;

    j->group_first = group * c_all;
    if (rows == 0) {
        const double fit = ((double)l->m->weight_bytes / 2 - 16.0 * lanes) /
                           (lanes * (per * enc.bits_per_weight / 8 * 1.1));
        rows = 1;
        c_step = (int32_t)fit < 1 ? 1 : (int32_t)fit;
        if (j->depthwise || enc.kind == DSCQ_STREAM_BINARY)
            c_step = c_all; /* refused below when it does not fit */
    }
    const int32_t tiles = ceil_div(channels, (int64_t)rows * lanes);
    const int32_t m_step =
        tiles == 1 ? channels : ceil_div(ceil_div(channels, tiles), lanes) * lanes;
    low->k_pieces = ceil_div(c_all, c_step);
    if (j->depthwise)
        low->k_pieces = 1;
    for (int32_t m = 0; m < channels; m += m_step)
        for (int32_t c = 0; c < c_all; c += c_step) {
            const int32_t m_count = channels - m < m_step ? channels - m : m_step;
            const piece x = {
                group * channels + m, m_count, j->depthwise ? m : group * c_all + c,
                j->depthwise ? m_count : (c_all - c < c_step ? c_all - c : c_step)};
            DSCQ_TRY(make_tile(j, x, enc));
            if (j->t->buffer_bytes > l->m->weight_bytes)
                DSCQ_TRY(
                    dscq_fail(l->err, DSCQ_ARG,
                              "layer '%s': its smallest weight tile needs %lld bytes, "
                              "%lld more than weight_bytes = %lld",
                              j->op->name, (long long)j->t->buffer_bytes,
                              (long long)(j->t->buffer_bytes - l->m->weight_bytes),
                              (long long)l->m->weight_bytes));
            if (j->depthwise)
                break;
        }
done:
    return status;
}

/* ---- shape -------------------------------------------------------------- */

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

/* Lanes when there is no low_choice, else 0: forced, or one pixel, where the vector is
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
    double best = 1e300;
    dscq_status status = DSCQ_OK;
    const int32_t only = only_shape(l, op, y);

    if (only > 0) { /* nothing to choose: an estimate of the time will do */
        op->lanes = only;
        op->vector = m->multipliers / only;
        const double entries =
            all ? (double)j->w->count : (double)dscq_qweights_nonzero(j->w);
        const double vc = 1.2 * entries / only *
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
        if (m->schedule.lanes != 0 && lanes != m->schedule.lanes)
            continue;
        /* one pixel: the vector is empty but for one place, lanes are all that counts
         */
        if (m->schedule.lanes == 0 && y->h * y->w == 1 && i + 1 < m->lanes.count &&
            m->lanes.v[i + 1] > m->lanes.v[i] && !j->depthwise)
            continue;
        /* so many lanes that not one channel each fits the buffer: a last resort */
        if (best < 1e299 && lanes * (columns * enc.bits_per_weight / 8 * 1.1 + 24) >
                                (double)m->weight_bytes / 2)
            continue;
        DSCQ_TRY(lower__try_shape(l, at, stored, columns, lanes, &vc, &fixed));
        const double cycles = vectors_of(op, y, m->multipliers / lanes) * vc + fixed;
        if (cycles < best) {
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

/* The stored weights of an operation, opened to be cut into tiles. */
typedef struct opened {
    const dscq_qweights *stored;
    dscq_qweights w;
    uint16_t *codes;
    low_tile_job job; /* points at w and codes */
} opened;

static void close_op(opened *o)
{
    dscq_free(o->codes);
    dscq_qweights_close(&o->w, o->stored);
}

/* On failure nothing is left. */
static dscq_status open_op(opened *o, lowering *l, int32_t at)
{
    const dscq_hw_op *op = &l->p->op[at];
    dscq_status status;

    o->stored = l->q->node[l->op[at].node].weights;
    o->codes = NULL;
    status = dscq_qweights_open(&o->w, o->stored, l->err);
    if (status != DSCQ_OK)
        return status;
    o->codes = dscq_malloc(o->w.count, sizeof *o->codes);
    if (o->codes == NULL)
        status = dscq_fail_nomem(l->err, "weight codes", o->w.count * sizeof *o->codes);
    else
        status = dscq_qweights_codes(&o->w, o->codes, l->err);
    if (status != DSCQ_OK) {
        close_op(o);
        return status;
    }
    o->job = (low_tile_job){.l = l,
                            .w = &o->w,
                            .codes = o->codes,
                            .op = op,
                            .depthwise = op->mode == DSCQ_HW_DEPTHWISE,
                            .code_bits = o->w.form == DSCQ_FORM_BINARY ? 8 : o->w.bits};
    return DSCQ_OK;
}

dscq_status lower__make_conv(lowering *l, int32_t at)
{
    opened o;
    dscq_status status = open_op(&o, l, at);

    if (status != DSCQ_OK)
        return status;
    const int32_t groups = o.job.depthwise ? 1 : l->q->node[l->op[at].node].groups;
    const low_choice enc = lower__choose_encoding(l, &o.w);
    DSCQ_TRY(choose_shape(&o.job, enc));
    l->op[at].wtile_first = l->p->wtile_count;
    for (int32_t g = 0; g < groups; g++)
        DSCQ_TRY(make_group(&o.job, g, enc));
    l->op[at].wtile_count = l->p->wtile_count - l->op[at].wtile_first;
    for (int32_t i = 0; i < l->op[at].wtile_count; i++) {
        const dscq_hw_wtile *t = &l->p->wtile[l->op[at].wtile_first + i];
        l->op[at].weight_bytes += t->stream_bytes;
        l->op[at].weight_buffer += (t->buffer_bytes + 63) / 64 * 64;
    }
done:
    close_op(&o);
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

/* ---- groups of middle channels (LOW_GROUPS) ----------------------------- */

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
    opened o;
    dscq_status status = open_op(&o, l, at);

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
        const piece x = by_input    ? (piece){0, w->k, c, n}
                        : depthwise ? (piece){c, n, c, n}
                                    : (piece){c, n, 0, w->c};
        DSCQ_TRY(make_tile(&o.job, x, lower__choose_encoding(l, w)));
        low->weight_bytes += o.job.t->stream_bytes;
        low->weight_buffer += (o.job.t->buffer_bytes + 63) / 64 * 64;
        if (o.job.t->buffer_bytes > l->m->weight_bytes)
            DSCQ_TRY(dscq_fail(l->err, DSCQ_ARG,
                               "layer '%s': %d channels of weights need %lld bytes; "
                               "weight_bytes = %lld",
                               op->name, n, (long long)o.job.t->buffer_bytes,
                               (long long)l->m->weight_bytes));
    }
done:
    low->wtile_count = l->p->wtile_count - low->wtile_first;
    close_op(&o);
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
