#include "dram_internal.h"
#include "dscq/dram/dram.h"

#include <math.h>

dscq_dram_counters dscq_dram_count(const dscq_dram *d)
{
    dscq_dram_counters n = d->n;

    n.cycles = d->now;
    n.ref_owed = d->policy->ref_owed(d);
    n.rank_active_cycles = n.rank_idle_cycles = n.rank_powerdown_cycles = 0;
    for (int32_t r = 0; r < d->cfg.ranks; r++) {
        n.rank_active_cycles += d->rank_cycles[r][DRAM_RANK_ACTIVE];
        n.rank_idle_cycles += d->rank_cycles[r][DRAM_RANK_IDLE];
        n.rank_powerdown_cycles += d->rank_cycles[r][DRAM_RANK_POWERDOWN];
    }
    return n;
}

/* Charge in mA x cycles of one device: integers when the currents are, so a sum
 * over a run is exact in double up to 2^53. */
dscq_dram_energy dscq_dram_energy_pj(const dscq_dram_config *c,
                                     const dscq_dram_counters *n)
{
    const double pj = c->devices_per_rank * c->VDD_V * c->tck_ns;
    const double B = dscq_dram_burst_cycles(c);
    const double act = c->IDD0_mA * c->tRC -
                       (c->IDD3N_mA * c->tRAS + c->IDD2N_mA * (c->tRC - c->tRAS));
    const double burst = (c->IDD4R_mA - c->IDD3N_mA) * B * (double)n->read_cmds +
                         (c->IDD4W_mA - c->IDD3N_mA) * B * (double)n->write_cmds;
    const double refresh =
        (c->IDD5_mA - c->IDD3N_mA) * c->tRFC * (double)n->ref +
        (c->IDD5C_mA - c->IDD2N_mA) * c->tRFCsb * (double)n->ref_same_bank;
    const double background = c->IDD3N_mA * (double)n->rank_active_cycles +
                              c->IDD2N_mA * (double)n->rank_idle_cycles +
                              c->IDD2P_mA * (double)n->rank_powerdown_cycles;
    const double bits = 8.0 * dscq_dram_burst_bytes(c);
    dscq_dram_energy e = {.background = background * pj,
                          .actpre = act * (double)n->act * pj,
                          .burst = burst * pj,
                          .refresh = refresh * pj};

    e.total = (background + act * (double)n->act + burst + refresh) * pj;
    e.termination = bits * (c->read_pj_per_bit * (double)n->read_cmds +
                            c->write_pj_per_bit * (double)n->write_cmds);
    return e;
}

static uint64_t open_banks(const dscq_dram *d)
{
    uint64_t open = 0;

    for (int32_t r = 0; r < d->cfg.ranks; r++)
        for (int32_t b = 0; b < d->cfg.banks; b++)
            open += d->open[r][b];
    return open;
}

/* Returns NULL, or the text of the broken law. */
static const char *broken_law(const dscq_dram *d, const dscq_dram_counters *n)
{
    const uint64_t ranks = (uint64_t)d->cfg.ranks,
                   B = (uint64_t)dscq_dram_burst_cycles(&d->cfg);
    const uint64_t columns = n->read_cmds + n->write_cmds;
    const uint64_t interval = (uint64_t)(d->cfg.tREFI / d->refresh_sets);
    const uint64_t due = ranks * (n->cycles / interval);
    const uint64_t paid = n->ref + n->ref_same_bank + n->ref_owed;
    /* d2 and d3 stagger ranks by the interval rounded down, so they run ahead */
    const uint64_t slack = ranks + 1 + due * ranks / interval;
    const dscq_dram_energy e = dscq_dram_energy_pj(&d->cfg, n);
    const double parts = e.background + e.actpre + e.burst + e.refresh;

    if (n->rank_active_cycles + n->rank_idle_cycles + n->rank_powerdown_cycles !=
        ranks * n->cycles)
        return "every rank is active, idle or powered down in every cycle";
    if (n->reads_done > n->reads || n->writes_done > n->writes)
        return "no request is done twice";
    if (n->read_cmds + n->reads_joined + n->reads_forwarded > n->reads ||
        n->write_cmds + n->writes_joined + n->writes_buffered > n->writes)
        return "every burst belongs to one accepted request";
    if (dscq_dram_idle(d) &&
        (n->reads_done != n->reads || n->writes_done != n->writes ||
         n->read_cmds + n->reads_joined + n->reads_forwarded != n->reads ||
         n->write_cmds + n->writes_joined + n->writes_buffered != n->writes))
        return "when idle, requests = bursts + joined + forwarded + buffered";
    /* bursts in flight may end after the last cycle run */
    if (columns * B > n->cycles + (uint64_t)(d->cfg.CL + d->cfg.CWL) + B)
        return "the data bus moves one burst at a time";
    if (n->row_hits + n->row_misses != columns || n->row_misses > n->act)
        return "a column command hits an open row or is first after an activate";
    if (n->pre + n->auto_pre + open_banks(d) != n->act)
        return "every activated row is open or was precharged";
    if (dscq_dram_idle(d) &&
        n->act + n->writes_buffered + n->reads_forwarded < n->rows_touched)
        return "every row that a request named was activated";
    if (paid > due + slack || paid + slack < due)
        return "refreshes issued and owed = ranks x cycles / tREFI";
    if (fabs(e.total - parts) > 1e-12 * fabs(e.total))
        return "total energy is the sum of its parts";
    return NULL;
}

dscq_status dscq_dram_check_laws(const dscq_dram *d, dscq_error *err)
{
    const dscq_dram_counters n = dscq_dram_count(d);
    const char *law = broken_law(d, &n);

    if (law == NULL)
        return DSCQ_OK;
    return dscq_fail(err, DSCQ_INTERNAL,
                     "DRAM policy %s broke a law after %llu cycles: %s",
                     d->policy->name, (unsigned long long)n.cycles, law);
}
