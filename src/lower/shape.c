/* How long an operation takes in one shape of the array: the machine's own recurrence
 * on the real weights of each tile, a few vectors long, taken in its steady state. */
#include "dscq/base/alloc.h"
#include "dscq/hw/lanes.h"
#include "lower_internal.h"

#include <stdlib.h>
#include <string.h>

/* Vectors until the lanes are in their steady state, and then; of rows. */
enum { WARM = 2, MEASURED = 4, WARM_ROWS = 4, MEASURED_ROWS = 8 };

typedef struct dealt {
    int32_t entries, channel;
} dealt;

static int more_entries(const void *a, const void *b)
{
    const dealt *x = a, *y = b;

    if (x->entries != y->entries)
        return x->entries > y->entries ? -1 : 1;
    return x->channel < y->channel ? -1 : 1;
}

/* Longest first to the lane that has least, each lane at most `rows` channels. */
dscq_status lower__deal(int32_t *place, int32_t rows, int32_t lanes,
                        const int32_t *entries, int32_t channels, int balance,
                        dscq_error *err)
{
    int64_t load[DSCQ_LANES_MAX] = {0};
    int32_t used[DSCQ_LANES_MAX] = {0};

    for (int32_t i = 0; i < rows * lanes; i++)
        place[i] = -1;
    if (!balance) { /* channel m to lane m mod lanes */
        for (int32_t c = 0; c < channels; c++)
            place[c] = c;
        return DSCQ_OK;
    }
    dealt *order = dscq_malloc((size_t)channels, sizeof *order);
    if (order == NULL)
        return dscq_fail_nomem(err, "dealing channels",
                               (size_t)channels * sizeof *order);
    for (int32_t c = 0; c < channels; c++)
        order[c] = (dealt){entries[c], c};
    qsort(order, (size_t)channels, sizeof *order, more_entries);
    for (int32_t i = 0; i < channels; i++) {
        int32_t best = -1;
        for (int32_t l = 0; l < lanes; l++)
            if (used[l] < rows && (best < 0 || load[l] < load[best]))
                best = l;
        place[used[best]++ * lanes + best] = order[i].channel;
        load[best] += order[i].entries + 1; /* no lane stays without a channel */
    }
    dscq_free(order);
    return DSCQ_OK;
}

/* Cycles to read the words of `pixels` neighbouring pixels. */
static int32_t read_cycles(const lowering *l, const dscq_hw_op *op, int32_t pixels)
{
    const dscq_machine *m = l->m;
    const int32_t eb = l->p->tensor[op->in[0]].elem_bytes;
    const int32_t step =
        op->stride_w * eb < m->act_word_bytes ? op->stride_w * eb : m->act_word_bytes;
    const int32_t words = ceil_div((int64_t)pixels * step, m->act_word_bytes);

    return words <= m->act_banks ? 1 : ceil_div(words, m->act_banks);
}

int lower__is_wide(const lowering *l, int32_t op)
{
    const dscq_qweights *w = l->q->node[l->op[op].node].weights;
    dscq_hw_codes c = {.act_bytes = l->p->tensor[l->p->op[op].in[0]].elem_bytes};

    if (w->form == DSCQ_FORM_LINEAR)
        c.linear_bits = w->bits;
    else if (w->form == DSCQ_FORM_BINARY)
        c = (dscq_hw_codes){c.act_bytes, 0, w->level, w->k, .both_signs = 1};
    else
        c = (dscq_hw_codes){c.act_bytes, 0, w->codebook, w->codebook_count, 0};
    return dscq_hw_is_wide(&c);
}

typedef struct trial {
    lowering *l;
    int32_t each; /* cycles of an entry */
    dscq_lanes *lanes;
    uint16_t *work, *g;
    int32_t *entries, *place;
} trial;

static void trial_clear(trial *t)
{
    dscq_free(t->lanes);
    dscq_free(t->work);
    dscq_free(t->g);
    dscq_free(t->entries);
    dscq_free(t->place);
}

/* Counts per column and lane of channels [m0, m0 + count), and the columns kept. */
static dscq_status count_work(int32_t *kept_out, trial *t, const uint8_t *stored,
                              int32_t columns, int32_t channels, const int32_t part[2],
                              int32_t lanes)
{
    const int32_t m0 = part[0], count = part[1];
    const int32_t rows = ceil_div(count, lanes);
    const int32_t active = count < lanes ? count : lanes;
    int32_t kept = 0;

    memset(t->entries, 0, (size_t)count * sizeof *t->entries);
    for (int32_t k = 0; k < columns; k++)
        for (int32_t m = 0; m < count; m++)
            t->entries[m] += stored[(size_t)k * (size_t)channels + (size_t)(m0 + m)];
    const dscq_status status = lower__deal(t->place, rows, lanes, t->entries, count,
                                           t->l->m->schedule.balance, t->l->err);
    if (status != DSCQ_OK)
        return status;
    for (int32_t k = 0; k < columns; k++) {
        const uint8_t *row = stored + (size_t)k * (size_t)channels + m0;
        uint16_t *work = t->work + (size_t)kept * (size_t)active;
        int32_t sum = 0;
        memset(work, 0, (size_t)active * sizeof *work);
        for (int32_t r = 0; r < rows; r++)
            for (int32_t i = 0; i < active; i++) {
                const int32_t c = t->place[r * lanes + i];
                if (c >= 0) {
                    work[i] = (uint16_t)(work[i] + row[c]);
                    sum += row[c];
                }
            }
        if (sum == 0)
            continue;
        for (int32_t i = 0; i < active; i++)
            work[i] = (uint16_t)(work[i] > 0 ? work[i] * t->each : 1);
        kept++;
    }
    *kept_out = kept;
    return DSCQ_OK;
}

static void run_vectors(trial *t, int32_t columns, int32_t active, int32_t lanes,
                        int32_t g, int32_t post, double *vector_cycles, double *fixed)
{
    uint64_t at[2] = {0, 0};

    for (int32_t k = 0; k < columns; k++)
        t->g[k] = (uint16_t)g;
    dscq_lanes_reset(t->lanes, 0);
    dscq_lanes_shape(t->lanes, lanes, active, t->l->m->queue_depth, t->l->m->acc_banks,
                     0);
    dscq_lanes_start(t->lanes, 0);
    for (int v = 0; v < WARM + MEASURED; v++) {
        if (v == WARM)
            at[0] = dscq_lanes_end(t->lanes);
        dscq_lanes_vector(t->lanes, t->work, columns, active, t->g, post);
    }
    at[1] = dscq_lanes_end(t->lanes);
    const double v = (double)(at[1] - at[0]) / MEASURED;
    *vector_cycles += v;
    const double fill = (double)at[0] - WARM * v;
    *fixed = (fill > 0 ? fill : 0) + t->l->m->reconfigure_cycles +
             t->l->m->command_cycles + post;
}

static dscq_status try_broadcast(trial *t, const dscq_hw_op *op, const uint8_t *stored,
                                 int32_t columns, int32_t channels, int32_t lanes,
                                 double *vector_cycles, double *fixed)
{
    const dscq_machine *m = t->l->m;
    const int32_t vector = m->multipliers / lanes;
    const int32_t most = m->acc_rows * lanes;
    const int32_t tiles = ceil_div(channels, most);
    const int32_t per = ceil_div(channels, tiles);

    for (int32_t m0 = 0; m0 < channels; m0 += per) {
        const int32_t count = channels - m0 < per ? channels - m0 : per;
        const int32_t part[2] = {m0, count};
        int32_t kept = 0;
        if (count_work(&kept, t, stored, columns, channels, part, lanes) != DSCQ_OK)
            return DSCQ_NOMEM;
        const int32_t active = count < lanes ? count : lanes;
        if (kept == 0) {
            for (int32_t i = 0; i < active; i++)
                t->work[i] = 1;
            kept = 1;
        }
        run_vectors(t, kept, active, lanes, read_cycles(t->l, op, vector),
                    dscq_post_cycles(count, vector, m->post_entries), vector_cycles,
                    fixed);
    }
    return DSCQ_OK;
}

static void try_depthwise(trial *t, const dscq_hw_op *op, const uint8_t *stored,
                          int32_t taps, int32_t channels, int32_t lanes,
                          double *vector_cycles, double *fixed)
{
    const dscq_machine *m = t->l->m;
    const int32_t vector = m->multipliers / lanes;
    const dscq_hw_tensor *x = &t->l->p->tensor[op->in[0]];
    int32_t span =
        (vector - 1) * op->stride_w + (op->kernel_w - 1) * op->dilation_w + 1;
    span = span < x->w ? span : x->w;
    const int32_t words = ceil_div((int64_t)span * x->elem_bytes, m->act_word_bytes);
    const int32_t slot = words >= m->act_banks ? 1 : m->act_banks / words;
    int32_t rows = op->stride_h < op->kernel_h ? op->stride_h : op->kernel_h;
    if (m->row_registers < op->kernel_h)
        rows = op->kernel_h;
    const int32_t g = rows * ceil_div(words, m->act_banks);

    for (int32_t m0 = 0; m0 < channels; m0 += lanes) {
        const int32_t n = channels - m0 < lanes ? channels - m0 : lanes;
        uint64_t at = 0;
        for (int32_t i = 0; i < n; i++) {
            int32_t e = 0;
            for (int32_t k = 0; k < taps; k++)
                e += stored[(size_t)k * (size_t)channels + (size_t)(m0 + i)];
            t->work[i] = (uint16_t)(e > 0 ? e * t->each : 1);
        }
        dscq_lanes_reset(t->lanes, 0);
        dscq_lanes_shape(t->lanes, lanes, n, m->row_queue, m->acc_banks, 0);
        dscq_lanes_start(t->lanes, 0);
        for (int v = 0; v < WARM_ROWS + MEASURED_ROWS; v++) {
            if (v == WARM_ROWS)
                at = dscq_lanes_end(t->lanes);
            dscq_lanes_rows(t->lanes, t->work, n, slot, g,
                            dscq_post_cycles(n, vector, m->post_entries));
        }
        *vector_cycles += (double)(dscq_lanes_end(t->lanes) - at) / MEASURED_ROWS;
    }
    *fixed = m->reconfigure_cycles + m->command_cycles + WARM_ROWS * (double)g +
             dscq_post_cycles(lanes, vector, m->post_entries);
}

dscq_status lower__try_shape(lowering *l, int32_t op, const uint8_t *stored,
                             int32_t columns, int32_t lanes, double *vector_cycles,
                             double *fixed_cycles)
{
    const dscq_hw_op *o = &l->p->op[op];
    const int depthwise = o->mode == DSCQ_HW_DEPTHWISE;
    const int32_t groups = depthwise ? 1 : l->q->node[l->op[op].node].groups;
    const int32_t channels = l->p->tensor[o->out].c / groups;
    trial t = {.l = l,
               .each = dscq_entry_cycles(l->m, l->m->multipliers / lanes,
                                         lower__is_wide(l, op))};
    dscq_status status = DSCQ_OK;

    *vector_cycles = *fixed_cycles = 0;
    const size_t width = (size_t)lanes + 1;
    t.lanes = dscq_malloc(1, sizeof *t.lanes);
    t.work = dscq_malloc((size_t)columns * width + width, sizeof *t.work);
    t.g = dscq_malloc((size_t)columns, sizeof *t.g);
    t.entries = dscq_malloc((size_t)channels, sizeof *t.entries);
    t.place = dscq_malloc((size_t)channels + width, sizeof *t.place);
    if (t.lanes == NULL || t.work == NULL || t.g == NULL || t.entries == NULL ||
        t.place == NULL)
        status = dscq_fail_nomem(l->err, "shape search", (size_t)columns * width * 2);
    else if (depthwise)
        try_depthwise(&t, o, stored, columns, channels, lanes, vector_cycles,
                      fixed_cycles);
    else
        status = try_broadcast(&t, o, stored, columns, channels, lanes, vector_cycles,
                               fixed_cycles);
    *vector_cycles *= groups; /* groups alike: the first one is tried */
    trial_clear(&t);
    return status;
}
