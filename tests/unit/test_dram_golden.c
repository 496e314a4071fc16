/* Policies d2 and d3 against what DRAMSim2 and DRAMsim3 reported on 18 traces x 9
 * configurations. Needs the golden set beside the project (or in DSCQ_SHARED). */
#include "dscq/base/json.h"
#include "dscq/base/str.h"
#include "dscq/dram/trace.h"
#include "support.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t want_int(const dscq_json *j, const char *key)
{
    const int64_t v = dscq_json_int(dscq_json_get(j, key), -1);

    ck_assert_msg(v >= 0, "golden set: '%s' is missing", key);
    return (uint64_t)v;
}

static void same_count(const char *where, const dscq_json *g, const char *key,
                       uint64_t got)
{
    ck_assert_msg(want_int(g, key) == got, "%s: %s = %" PRIu64 ", want %" PRIu64, where,
                  key, got, want_int(g, key));
}

static void near(const char *where, const char *what, double got, double want,
                 double slack)
{
    ck_assert_msg(fabs(got - want) <= slack, "%s: %s = %.17g, want %.17g", where, what,
                  got, want);
}

/* Energies of the golden set are rounded to 0.1 pJ. */
static void same_energy(const char *where, const char *what, double got,
                        const dscq_json *g, const char *key)
{
    near(where, what, got, dscq_json_real(dscq_json_get(g, key), -1), 0.0500001);
}

static void compare_d2(const char *where, const dscq_json *g, const dscq_dram_result *r)
{
    const dscq_dram_counters *n = &r->counters;

    same_count(where, g, "row_hits", n->read_cmds + n->write_cmds - n->act);
    same_count(where, g, "rank_cycles.active_or_refreshing", n->rank_active_cycles);
    same_count(where, g, "rank_cycles.precharged_idle", n->rank_idle_cycles);
    same_count(where, g, "rank_cycles.power_down", n->rank_powerdown_cycles);
    same_energy(where, "background", r->energy_pj.background, g,
                "energy_pJ.background");
    same_energy(where, "actpre", r->energy_pj.actpre, g, "energy_pJ.actpre");
    same_energy(where, "burst", r->energy_pj.burst, g, "energy_pJ.burst");
    same_energy(where, "refresh", r->energy_pj.refresh, g, "energy_pJ.refresh");
    same_energy(where, "total", r->energy_pj.total, g, "energy_pJ.total");
}

static void compare_d3(const char *where, const dscq_json *g, const dscq_dram_result *r)
{
    const dscq_dram_counters *n = &r->counters;
    const dscq_json *e = dscq_json_get(g, "energy_pJ");

    same_count(where, g, "pre", n->pre);
    same_count(where, g, "rd_cmds", n->read_cmds);
    same_count(where, g, "wr_cmds", n->write_cmds);
    same_count(where, g, "writes_left_in_buffer", n->writes_buffered);
    same_count(where, g, "rank_cycles.active", n->rank_active_cycles);
    same_count(where, g, "rank_cycles.all_bank_idle", n->rank_idle_cycles);
    same_energy(where, "actpre", r->energy_pj.actpre, e, "actpre");
    same_energy(where, "refresh", r->energy_pj.refresh, e, "refresh");
    near(where, "burst", r->energy_pj.burst,
         dscq_json_real(dscq_json_get(e, "read"), 0) +
             dscq_json_real(dscq_json_get(e, "write"), 0),
         0.11);
    near(where, "background", r->energy_pj.background,
         dscq_json_real(dscq_json_get(e, "act_standby"), 0) +
             dscq_json_real(dscq_json_get(e, "pre_standby"), 0),
         0.11);
    same_energy(where, "total", r->energy_pj.total, e, "total");
}

static void compare(const char *where, const dscq_json *g, const dscq_dram_result *r,
                    int is_d2)
{
    same_count(where, g, "cycles", r->cycles);
    same_count(where, g, "reads", r->reads);
    same_count(where, g, "writes", r->writes);
    same_count(where, g, "act", r->act);
    same_count(where, g, "ref", r->ref);
    if (r->reads != 0)
        near(where, "read latency", r->read_latency_mean_cycles,
             dscq_json_real(dscq_json_get(g, "read_latency.mean"), -1), 0.0000501);
    if (is_d2)
        compare_d2(where, g, r);
    else
        compare_d3(where, g, r);
}

/* Our own policy on the same device and map is at most 2 % slower. */
static void compare_own(const char *where, const dscq_json *g, dscq_dram_config c,
                        const dscq_dram_trace *trace)
{
    dscq_dram_result r;
    dscq_error err;

    dscq_str_copy(c.policy, sizeof c.policy, "frfcfs");
    test_ok(dscq_dram_run(&r, &c, trace, NULL, NULL, &err));
    ck_assert_msg((double)r.cycles <= 1.02 * (double)want_int(g, "cycles"),
                  "%s: frfcfs needs %" PRIu64 " cycles, the reference %" PRIu64, where,
                  r.cycles, want_int(g, "cycles"));
}

static void run_trace(const char *trace_name, const dscq_json *configs)
{
    char path[128], where[200];
    dscq_dram_trace trace;
    dscq_error err;

    snprintf(path, sizeof path, "dram/traces/%s.trc.gz", trace_name);
    ck_assert_msg(dscq_dram_trace_load(&trace, test_shared(path), &err) == DSCQ_OK,
                  "%s", err.msg);
    for (size_t i = 0; i < dscq_json_count(configs); i++) {
        const char *name = dscq_json_key(configs, i);
        dscq_dram_config c;
        dscq_dram_result r;
        snprintf(path, sizeof path, "data/dram/%s.cfg", name);
        ck_assert_msg(dscq_dram_config_load(&c, test_source(path), &err) == DSCQ_OK,
                      "%s", err.msg);
        ck_assert_msg(dscq_dram_run(&r, &c, &trace, NULL, NULL, &err) == DSCQ_OK,
                      "%s on %s: %s", trace_name, name, err.msg);
        snprintf(where, sizeof where, "%s on %s", trace_name, name);
        compare(where, dscq_json_member(configs, i), &r, strcmp(c.policy, "d2") == 0);
        compare_own(where, dscq_json_member(configs, i), c, &trace);
    }
    dscq_dram_trace_clear(&trace);
}

START_TEST(every_trace_equals_the_reference_simulators)
{
    const char *path = test_shared("dram/golden.json");
    dscq_json *golden;
    dscq_error err;

    if (path == NULL)
        return; /* said so */
    ck_assert_msg(dscq_json_load(&golden, path, &err) == DSCQ_OK, "%s", err.msg);
    ck_assert_uint_eq(dscq_json_count(golden), 18);
    const dscq_json *configs =
        dscq_json_get(dscq_json_member(golden, (size_t)_i), "golden");
    ck_assert_uint_eq(dscq_json_count(configs), 9);
    run_trace(dscq_json_key(golden, (size_t)_i), configs);
    dscq_json_free(golden);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("dram_golden", &tc);

    tcase_add_loop_test(tc, every_trace_equals_the_reference_simulators, 0, 18);
    tcase_set_timeout(tc, 300);
    return s;
}

int main(void)
{
    return test_run(make);
}
