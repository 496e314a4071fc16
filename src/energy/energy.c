/* The bill: which counter is priced with which coefficient. */
#include "dscq/energy/energy.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const char *const k_names[] = {
#define X(name, text) #name,
    DSCQ_BILL_LIST(X)
#undef X
};

static const char *const k_texts[] = {
#define X(name, text) text,
    DSCQ_BILL_LIST(X)
#undef X
};

const char *dscq_bill_name(int id)
{
    assert(id >= 0 && id < DSCQ_BILL_COUNT);
    return k_names[id];
}

const char *dscq_bill_text(int id)
{
    assert(id >= 0 && id < DSCQ_BILL_COUNT);
    return k_texts[id];
}

typedef struct pricing {
    dscq_energy_bill *b;
    const dscq_energy *e;
    double width[DSCQ_ENERGY_COUNT]; /* of the interval each coefficient causes */
} pricing;

/* count x coefficient into one line of the bill, with its interval. */
static void charge(pricing *p, dscq_bill_id line, dscq_energy_id id, double count)
{
    const dscq_energy_row *r = &p->e->row[id];
    const double pj = count * r->value;

    p->b->pj[line] += pj;
    p->b->low_pj[line] += pj / r->spread;
    p->b->high_pj[line] += pj * r->spread;
    p->width[id] += pj * r->spread - pj / r->spread;
}

static dscq_energy_id ram_byte(int32_t ram)
{
    return ram == DSCQ_RAM_URAM   ? DSCQ_ENERGY_uram_byte
           : ram == DSCQ_RAM_BRAM ? DSCQ_ENERGY_bram_byte
                                  : DSCQ_ENERGY_lutram_byte;
}

static void charge_dynamic(pricing *p, const dscq_machine *m, const dscq_counters *c)
{
    const double act_bytes = (double)(c->act_read_bytes + c->act_write_bytes +
                                      c->act_fill_bytes + c->act_drain_bytes);
    const double weight_bytes = (double)(c->weight_read_bytes + c->weight_fill_bytes);
    const double dma = (double)(c->dram_act_read_bytes + c->dram_act_write_bytes +
                                c->dram_weight_bytes);

    charge(p, DSCQ_BILL_multiply, DSCQ_ENERGY_mac,
           (double)c->mac_done - (double)c->mac_paired);
    charge(p, DSCQ_BILL_multiply, DSCQ_ENERGY_mac_pair, (double)c->mac_paired / 2);
    charge(p, DSCQ_BILL_multiply, DSCQ_ENERGY_mac_idle,
           (double)c->mult_slots - (double)c->mac_done);
    charge(p, DSCQ_BILL_codebook, DSCQ_ENERGY_codebook, (double)c->codebook_reads);
    charge(p, DSCQ_BILL_accumulate, DSCQ_ENERGY_accumulator, (double)c->acc_updates);
    charge(p, DSCQ_BILL_post, DSCQ_ENERGY_requant, (double)c->requants);
    charge(p, DSCQ_BILL_registers, DSCQ_ENERGY_register_byte, (double)c->acc_updates);
    charge(p, DSCQ_BILL_act_buffer, ram_byte(m->act_ram), act_bytes);
    charge(p, DSCQ_BILL_weight_buffer, ram_byte(m->weight_ram), weight_bytes);
    charge(p, DSCQ_BILL_dma, DSCQ_ENERGY_dma_byte, dma);
}

/* The clock tree, as a share of what it drives; its interval is that of the share. */
static void charge_clock(pricing *p)
{
    const dscq_energy_row *r = &p->e->row[DSCQ_ENERGY_clock_frac];
    double sum = 0, low = 0, high = 0;

    for (int i = 0; i < DSCQ_BILL_clock; i++) {
        sum += p->b->pj[i];
        low += p->b->low_pj[i];
        high += p->b->high_pj[i];
    }
    p->b->pj[DSCQ_BILL_clock] = sum * r->value;
    p->b->low_pj[DSCQ_BILL_clock] = low * r->value / r->spread;
    p->b->high_pj[DSCQ_BILL_clock] = high * r->value * r->spread;
    p->width[DSCQ_ENERGY_clock_frac] = sum * r->value * (r->spread - 1 / r->spread);
}

static void charge_dram(pricing *p, const dscq_counters *c, const dscq_machine *m,
                        const dscq_dram_energy *dram)
{
    static const dscq_bill_id k_lines[] = {DSCQ_BILL_dram_background,
                                           DSCQ_BILL_dram_actpre, DSCQ_BILL_dram_burst,
                                           DSCQ_BILL_dram_refresh};

    if (dram == NULL || dram->total <= 0) { /* simple memory */
        const double bytes =
            (double)(c->dram_read_bursts + c->dram_write_bursts) * m->burst_bytes;
        charge(p, DSCQ_BILL_dram_burst, DSCQ_ENERGY_dram_byte, bytes);
        charge(p, DSCQ_BILL_dram_background, DSCQ_ENERGY_dram_static_mw,
               p->b->seconds * 1e9);
        return;
    }
    const double v[] = {dram->background, dram->actpre, dram->burst, dram->refresh};
    for (int i = 0; i < 4; i++) { /* from data-sheet currents: no spread of ours */
        p->b->pj[k_lines[i]] = p->b->low_pj[k_lines[i]] = p->b->high_pj[k_lines[i]] =
            v[i];
    }
    p->b->dram_termination_pj = dram->termination;
}

static void find_deciding(pricing *p)
{
    for (int k = 0; k < 3; k++) {
        int best = 0;
        for (int i = 1; i < DSCQ_ENERGY_COUNT; i++)
            if (p->width[i] > p->width[best])
                best = i;
        p->b->deciding[k] = best;
        p->width[best] = -1;
    }
}

dscq_status dscq_energy_price(dscq_energy_bill *out, const dscq_energy *e,
                              const dscq_machine *m, const dscq_counters *c,
                              const dscq_dram_energy *dram, dscq_error *err)
{
    dscq_energy_bill b;
    pricing p = {.b = &b, .e = e};
    double sum = 0;

    memset(&b, 0, sizeof b);
    b.seconds = (double)c->cycles * 1e-6 / m->clock_mhz;
    charge_dynamic(&p, m, c);
    charge_clock(&p);
    /* 1 mW x 1 s = 1e9 pJ */
    charge(&p, DSCQ_BILL_pl_static, DSCQ_ENERGY_pl_static_mw, b.seconds * 1e9);
    charge(&p, DSCQ_BILL_ps_static, DSCQ_ENERGY_ps_static_mw, b.seconds * 1e9);
    charge_dram(&p, c, m, dram);
    for (int i = 0; i < DSCQ_BILL_COUNT; i++) {
        b.total_pj += b.pj[i];
        b.low_pj_total += b.low_pj[i];
        b.high_pj_total += b.high_pj[i];
        if (i <= DSCQ_BILL_clock)
            b.dynamic_pj += b.pj[i];
        else if (i == DSCQ_BILL_pl_static || i == DSCQ_BILL_ps_static)
            b.static_pj += b.pj[i];
        else
            b.dram_pj += b.pj[i];
    }
    sum = b.dynamic_pj + b.static_pj + b.dram_pj;
    if (!(fabs(sum - b.total_pj) <= 1e-12 * (b.total_pj + 1)) ||
        b.low_pj_total > b.total_pj || b.high_pj_total < b.total_pj)
        return dscq_fail(
            err, DSCQ_INTERNAL,
            "energy: the components add up to %.17g pJ, the total is %.17g", sum,
            b.total_pj);
    b.chip_pj = b.dynamic_pj + b.static_pj;
    if (b.seconds > 0 && b.total_pj > 0) {
        b.watt = b.total_pj * 1e-12 / b.seconds;
        /* operations per joule: 2 per MAC, over everything in the total */
        b.gops_per_watt_dense = 2e3 * (double)c->mac_dense / b.total_pj;
        b.gops_per_watt_effective = 2e3 * (double)c->mac_done / b.total_pj;
    }
    find_deciding(&p);
    *out = b;
    return DSCQ_OK;
}

dscq_status dscq_energy_table(dscq_table **out, const dscq_energy_bill *b,
                              dscq_error *err)
{
    static const dscq_column columns[] = {DSCQ_TEXT_COLUMN("component", ""),
                                          DSCQ_REAL_COLUMN("energy_pj", "pJ", 0),
                                          DSCQ_REAL_COLUMN("low_pj", "low", 0),
                                          DSCQ_REAL_COLUMN("high_pj", "high", 0),
                                          DSCQ_REAL_COLUMN("energy_frac", "share", 4),
                                          DSCQ_TEXT_COLUMN("meaning", ""),
                                          DSCQ_COLUMN_END};
    const dscq_status status = dscq_table_create(out, "energy", columns, err);

    if (status != DSCQ_OK)
        return status;
    for (int i = 0; i < DSCQ_BILL_COUNT; i++)
        DSCQ_TABLE_ROW(*out, dscq_text(k_names[i]), dscq_real(b->pj[i]),
                       dscq_real(b->low_pj[i]), dscq_real(b->high_pj[i]),
                       dscq_real(b->total_pj > 0 ? b->pj[i] / b->total_pj : 0),
                       dscq_text(k_texts[i]));
    return dscq_table_finish(out, err);
}

dscq_status dscq_energy_table_coefficients(dscq_table **out, const dscq_energy *e,
                                           dscq_error *err)
{
    static const dscq_column columns[] = {DSCQ_TEXT_COLUMN("coefficient", ""),
                                          DSCQ_REAL_COLUMN("value", "", 3),
                                          DSCQ_REAL_COLUMN("spread", "", 2),
                                          DSCQ_TEXT_COLUMN("unit", ""),
                                          DSCQ_TEXT_COLUMN("technology", ""),
                                          DSCQ_TEXT_COLUMN("source", ""),
                                          DSCQ_COLUMN_END};
    const dscq_status status = dscq_table_create(out, "coefficients", columns, err);

    if (status != DSCQ_OK)
        return status;
    for (int i = 0; i < DSCQ_ENERGY_COUNT; i++)
        DSCQ_TABLE_ROW(*out, dscq_text(e->row[i].name), dscq_real(e->row[i].value),
                       dscq_real(e->row[i].spread), dscq_text(dscq_energy_unit(i)),
                       dscq_text(e->row[i].technology), dscq_text(e->row[i].source));
    return dscq_table_finish(out, err);
}
