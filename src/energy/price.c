/* Counters x coefficients. Which counter each coefficient multiplies is docs/energy.md.
 */
#include "dscq/energy/energy.h"

#include <math.h>
#include <string.h>

/* One product of the bill. */
typedef struct term {
    dscq_energy_id coefficient;
    dscq_bill_id bill;
    double count;
} term;

enum { TERMS = 14, PICO_PER_MILLI = 1000000000 };

static double u(uint64_t v)
{
    return (double)v;
}

static dscq_energy_id ram_of(int32_t ram)
{
    switch (ram) {
    case DSCQ_RAM_LUT:
        return DSCQ_ENERGY_lutram_byte;
    case DSCQ_RAM_URAM:
        return DSCQ_ENERGY_uram_byte;
    default:
        return DSCQ_ENERGY_bram_byte;
    }
}

static int fill_terms(term t[TERMS], const dscq_machine *m, const dscq_counters *c,
                      double seconds, int is_simple)
{
    /* A multiplier switches for every stored entry it is given, useful or not. */
    const double busy = u(c->mult_compute) + u(c->mult_filler) + u(c->mult_pixel_tail);
    const double moved = u(c->dram_act_read_bytes) + u(c->dram_act_write_bytes) +
                         u(c->dram_weight_bytes);
    const double milli = seconds * PICO_PER_MILLI; /* mW x s in pJ, per mW */
    int n = 0;

    t[n++] = (term){DSCQ_ENERGY_mac, DSCQ_BILL_multiply, busy};
    t[n++] = (term){DSCQ_ENERGY_mac_idle, DSCQ_BILL_multiply, u(c->mult_slots) - busy};
    t[n++] = (term){DSCQ_ENERGY_codebook, DSCQ_BILL_codebook, u(c->codebook_reads)};
    t[n++] = (term){DSCQ_ENERGY_accumulator, DSCQ_BILL_accumulate, u(c->acc_updates)};
    t[n++] = (term){DSCQ_ENERGY_requant, DSCQ_BILL_post, u(c->requants)};
    t[n++] = (term){DSCQ_ENERGY_register_byte, DSCQ_BILL_registers,
                    u(c->columns) * m->multipliers * ((m->act_bits + 7) / 8)};
    t[n++] = (term){ram_of(m->act_ram), DSCQ_BILL_act_buffer,
                    u(c->act_read_bytes) + u(c->act_write_bytes) +
                        u(c->act_fill_bytes) + u(c->act_drain_bytes)};
    t[n++] = (term){ram_of(m->weight_ram), DSCQ_BILL_weight_buffer,
                    u(c->weight_read_bytes) + u(c->weight_fill_bytes)};
    t[n++] = (term){DSCQ_ENERGY_dma_byte, DSCQ_BILL_dma, moved};
    t[n++] = (term){DSCQ_ENERGY_pl_static_mw, DSCQ_BILL_pl_static, milli};
    t[n++] = (term){DSCQ_ENERGY_ps_static_mw, DSCQ_BILL_ps_static, milli};
    t[n++] = (term){DSCQ_ENERGY_dram_byte, DSCQ_BILL_dram_burst, is_simple ? moved : 0};
    t[n++] = (term){DSCQ_ENERGY_dram_static_mw, DSCQ_BILL_dram_background,
                    is_simple ? milli : 0};
    return n;
}

static int is_dynamic(dscq_bill_id id)
{
    return id <= DSCQ_BILL_dma;
}

static void add(dscq_energy_bill *b, dscq_bill_id id, double pj, double low,
                double high)
{
    b->pj[id] += pj;
    b->low_pj[id] += low;
    b->high_pj[id] += high;
}

/* The clock tree is a fraction of what switches; its interval is both at their ends. */
static void add_clock(dscq_energy_bill *b, const dscq_energy_row *clock)
{
    double pj = 0, low = 0, high = 0;

    for (int i = 0; i < DSCQ_BILL_COUNT; i++) {
        if (!is_dynamic((dscq_bill_id)i))
            continue;
        pj += b->pj[i];
        low += b->low_pj[i];
        high += b->high_pj[i];
    }
    add(b, DSCQ_BILL_clock, pj * clock->value, low * clock->value / clock->spread,
        high * clock->value * clock->spread);
}

static void add_dram(dscq_energy_bill *b, const dscq_dram_energy *d)
{
    add(b, DSCQ_BILL_dram_background, d->background, d->background, d->background);
    add(b, DSCQ_BILL_dram_actpre, d->actpre, d->actpre, d->actpre);
    add(b, DSCQ_BILL_dram_burst, d->burst, d->burst, d->burst);
    add(b, DSCQ_BILL_dram_refresh, d->refresh, d->refresh, d->refresh);
    b->dram_termination_pj = d->termination;
}

static void find_deciding(dscq_energy_bill *b, const double width[DSCQ_ENERGY_COUNT])
{
    int taken[DSCQ_ENERGY_COUNT] = {0};

    for (int k = 0; k < 3; k++) {
        int best = -1;
        for (int i = 0; i < DSCQ_ENERGY_COUNT; i++)
            if (!taken[i] && (best < 0 || width[i] > width[best]))
                best = i;
        taken[best] = 1;
        b->deciding[k] = best;
    }
}

static void add_totals(dscq_energy_bill *b)
{
    for (int i = 0; i < DSCQ_BILL_COUNT; i++) {
        b->total_pj += b->pj[i];
        b->low_pj_total += b->low_pj[i];
        b->high_pj_total += b->high_pj[i];
        if (is_dynamic((dscq_bill_id)i) || i == DSCQ_BILL_clock)
            b->dynamic_pj += b->pj[i];
        else if (i == DSCQ_BILL_pl_static || i == DSCQ_BILL_ps_static)
            b->static_pj += b->pj[i];
        else
            b->dram_pj += b->pj[i];
    }
    b->chip_pj = b->dynamic_pj + b->static_pj;
}

static dscq_status check(const dscq_energy_bill *b, dscq_error *err)
{
    const double sum = b->dynamic_pj + b->static_pj + b->dram_pj;

    for (int i = 0; i < DSCQ_BILL_COUNT; i++)
        if (!(b->pj[i] >= 0) || !isfinite(b->pj[i]) || b->low_pj[i] > b->pj[i] ||
            b->pj[i] > b->high_pj[i])
            return dscq_fail(err, DSCQ_INTERNAL,
                             "energy of %s: %g pJ outside its interval %g to %g",
                             dscq_bill_name(i), b->pj[i], b->low_pj[i], b->high_pj[i]);
    if (fabs(sum - b->total_pj) > 1e-9 * b->total_pj)
        return dscq_fail(err, DSCQ_INTERNAL,
                         "energy: components add up to %.17g pJ, the total is %.17g",
                         sum, b->total_pj);
    return DSCQ_OK;
}

dscq_status dscq_energy_price(dscq_energy_bill *out, const dscq_energy *e,
                              const dscq_machine *m, const dscq_counters *c,
                              const dscq_dram_energy *dram, dscq_error *err)
{
    const double seconds = u(c->cycles) / (m->clock_mhz * 1e6);
    double width[DSCQ_ENERGY_COUNT] = {0};
    dscq_energy_bill b;
    term t[TERMS];
    dscq_status status;

    memset(&b, 0, sizeof b);
    const int n = fill_terms(t, m, c, seconds, dram->total == 0);
    for (int i = 0; i < n; i++) {
        const dscq_energy_row *row = &e->row[t[i].coefficient];
        const double pj = t[i].count * row->value;
        add(&b, t[i].bill, pj, pj / row->spread, pj * row->spread);
        width[t[i].coefficient] += pj * row->spread - pj / row->spread;
    }
    const dscq_energy_row *clock = &e->row[DSCQ_ENERGY_clock_frac];
    add_clock(&b, clock);
    width[DSCQ_ENERGY_clock_frac] =
        b.pj[DSCQ_BILL_clock] * (clock->spread - 1 / clock->spread);
    add_dram(&b, dram);
    add_totals(&b);
    find_deciding(&b, width);
    DSCQ_TRY(check(&b, err));
    b.seconds = seconds;
    if (b.total_pj > 0 && seconds > 0) {
        b.watt = 1e-12 * b.total_pj / seconds;
        b.gops_per_watt_dense = 2e3 * u(c->mac_dense) / b.total_pj;
        b.gops_per_watt_effective = 2e3 * u(c->mac_done) / b.total_pj;
    }
    *out = b;
done:
    return status;
}
