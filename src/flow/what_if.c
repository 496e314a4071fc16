#include "dscq/energy/energy.h"
#include "dscq/flow/simulate.h"
#include "dscq/hw/engine.h"

#include <stdio.h>
#include <string.h>

/* Keys that leave the program as it is: the same commands, other times. */
static const char *const k_free[] = {"clock_mhz",
                                     "dram",
                                     "energy",
                                     "mem_bytes_per_cycle",
                                     "mem_latency_cycles",
                                     "outstanding",
                                     "axi_ports",
                                     "axi_bytes",
                                     "queue_depth",
                                     "row_queue",
                                     "acc_banks",
                                     "row_registers",
                                     "post_entries",
                                     "post_latency_cycles",
                                     "command_cycles",
                                     "reconfigure_cycles"};

static int is_free(const char *key)
{
    for (size_t i = 0; i < sizeof k_free / sizeof *k_free; i++)
        if (strcmp(k_free[i], key) == 0)
            return 1;
    return 0;
}

static dscq_status set_one(dscq_machine *m, char *text, dscq_error *err)
{
    char *value = strchr(text, '=');
    dscq_status status;

    if (value == NULL || value == text)
        return dscq_fail(err, DSCQ_ARG, "--what-if: '%s' is not KEY=VALUE", text);
    *value++ = '\0';
    if (dscq_keys_find(dscq_machine_keys(), text) != NULL && !is_free(text))
        return dscq_fail(
            err, DSCQ_ARG,
            "--what-if: %s changes the program itself; run again with --set "
            "%s=%s",
            text, text, value);
    status = dscq_keys_set(m, dscq_machine_keys(), text, value, err);
    if (status != DSCQ_OK)
        return dscq_fail_at(err, "--what-if");
    return DSCQ_OK;
}

static dscq_status set_all(dscq_machine *m, const char *list, dscq_error *err)
{
    char text[DSCQ_PATH_MAX];
    dscq_status status = DSCQ_OK;

    while (*list != '\0' && status == DSCQ_OK) {
        const size_t n = strcspn(list, ",");
        if (n >= sizeof text)
            return dscq_fail(err, DSCQ_ARG, "--what-if: %zu bytes are too many", n);
        memcpy(text, list, n);
        text[n] = '\0';
        status = set_one(m, text, err);
        list += n + (list[n] == ',');
    }
    return status;
}

static void add(dscq_table *t, const char *name, double now, double then)
{
    DSCQ_TABLE_ROW(t, dscq_text(name), dscq_real(now), dscq_real(then),
                   dscq_real(then - now),
                   now != 0 ? dscq_real((then - now) / now) : dscq_none());
}

static const dscq_column k_columns[] = {
    DSCQ_TEXT_COLUMN("quantity", "what if"),      DSCQ_REAL_COLUMN("base", "now", 3),
    DSCQ_REAL_COLUMN("what_if", "then", 3),       DSCQ_REAL_COLUMN("difference", "", 3),
    DSCQ_REAL_COLUMN("change_frac", "change", 4), DSCQ_COLUMN_END};

static dscq_status fill(dscq_table **out, const dscq_simulation *s,
                        const dscq_sim_totals *t, const dscq_energy_bill *b,
                        dscq_error *err)
{
    const double frames = s->totals.frames > 0 ? (double)s->totals.frames : 1;
    dscq_status status;

    DSCQ_TRY(dscq_table_create(out, "what_if", k_columns, err));
    add(*out, "cycles_per_frame", (double)s->totals.cycles / frames,
        (double)t->cycles / frames);
    add(*out, "fps", s->totals.fps, t->fps);
    add(*out, "latency_ms", s->totals.latency_ms, t->latency_ms);
    add(*out, "dense_gops", s->totals.gops_dense, t->gops_dense);
    add(*out, "utilisation_frac", s->totals.utilisation, t->utilisation);
    add(*out, "dram_gbytes_per_s", s->totals.dram_gbytes_per_s, t->dram_gbytes_per_s);
    add(*out, "power_mw", 1e3 * s->bill.watt, 1e3 * b->watt);
    add(*out, "energy_uj", 1e-6 * s->bill.total_pj / frames,
        1e-6 * b->total_pj / frames);
    add(*out, "dram_energy_uj", 1e-6 * s->bill.dram_pj / frames,
        1e-6 * b->dram_pj / frames);
    add(*out, "dense_gops_per_watt", s->bill.gops_per_watt_dense,
        b->gops_per_watt_dense);
    status = dscq_table_finish(out, err);
done:
    return status;
}

/* The changed machine must still fit its board (a clock has a limit). */
static dscq_status check_board(const dscq_simulation *s, const dscq_machine *m,
                               dscq_error *err)
{
    dscq_table *unused = NULL;
    const dscq_status status = dscq_flow_resources(&unused, s->program, m, err);

    dscq_table_destroy(unused);
    return status == DSCQ_OK ? DSCQ_OK : dscq_fail_at(err, "--what-if");
}

dscq_status dscq_flow_what_if(dscq_table **out, const dscq_simulation *s,
                              const dscq_machine *base, const char *list,
                              dscq_error *err)
{
    const dscq_sim_options timing = {.no_data = 1};
    dscq_machine m = *base;
    dscq_energy coefficients;
    dscq_energy_bill bill;
    dscq_sim *sim = NULL;
    dscq_status status;

    *out = NULL;
    DSCQ_TRY(set_all(&m, list, err));
    DSCQ_TRY(dscq_machine_check(&m, err));
    DSCQ_TRY(check_board(s, &m, err));
    DSCQ_TRY(dscq_energy_load_for(&coefficients, &m, err));
    if (s->program->engine->retime != NULL)
        DSCQ_TRY(s->program->engine->retime(s->program, &m, err));
    DSCQ_TRY(dscq_sim_run(&sim, s->program, &m, NULL, &timing, err));
    const dscq_sim_totals t = dscq_sim_total(sim);
    const dscq_dram_energy dram = dscq_sim_dram_energy(sim);
    DSCQ_TRY(dscq_energy_price(&bill, &coefficients, &m, dscq_sim_counters(sim), &dram,
                               err));
    DSCQ_TRY(fill(out, s, &t, &bill, err));
done:
    dscq_sim_destroy(sim);
    if (status != DSCQ_OK) {
        dscq_table_destroy(*out);
        *out = NULL;
    }
    return status;
}
