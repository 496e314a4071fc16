/* Weight tiles of a convolution and their lane streams (docs/accelerator.md section 4).
 */
#include "dscq/base/alloc.h"
#include "lower_internal.h"

#include <string.h>

/* The longest lane against the mean: channels are dealt by their entries. */
static const double LONGEST_LANE = 1.1;
/* A channel of each lane beside its codes: constants, count, padding; without
 * constants. */
enum { ROW_BYTES = 24 };
static const double LANE_BYTES = 16;

void lower__close_op(low_opened *o)
{
    dscq_free(o->codes);
    dscq_qweights_close(&o->w, o->stored);
}

/* On failure nothing is left. */
dscq_status lower__open_op(low_opened *o, lowering *l, int32_t at)
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
        lower__close_op(o);
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

dscq_status lower__make_tile(low_tile_job *j, low_piece x, low_choice enc)
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

double lower__row_bytes(int32_t lanes, int32_t columns, double bits)
{
    return lanes * ((double)columns * bits / 8 * LONGEST_LANE + ROW_BYTES);
}

/* Rows of a tile so that it takes at most half the weight buffer (the other half is for
 * the next one); 0: not even one row fits, the columns must be cut as well. */
static int32_t rows_that_fit(const low_tile_job *j, int32_t columns, double bits,
                             int32_t most)
{
    const double row = lower__row_bytes(j->op->lanes, columns, bits);
    const double fit = (double)j->l->m->weight_bytes / 2 / row;

    return fit >= most ? most : (int32_t)fit;
}

dscq_status lower__make_tiles(low_tile_job *j, int32_t group, low_choice enc)
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
        const double fit = ((double)l->m->weight_bytes / 2 - LANE_BYTES * lanes) /
                           (lanes * (per * enc.bits_per_weight / 8 * LONGEST_LANE));
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
            const low_piece x = {
                group * channels + m, m_count, j->depthwise ? m : group * c_all + c,
                j->depthwise ? m_count : (c_all - c < c_step ? c_all - c : c_step)};
            DSCQ_TRY(lower__make_tile(j, x, enc));
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
