/* --what-if: the same program, timed again; refusals; both engines. */
#include "dscq/flow/simulate.h"
#include "qmodel_random.h"
#include "support.h"

#include <string.h>

static dscq_qmodel *network(uint64_t seed)
{
    const qmodel_random_opts o = {
        .nodes = 8, .max_side = 16, .max_channels = 16, .only_int8 = 1};
    dscq_rng r = dscq_rng_seeded(seed);
    dscq_error err = {DSCQ_OK, ""};
    dscq_qmodel *q;

    test_ok(qmodel_random(&q, &r, &o, &err));
    return q;
}

static void machine(dscq_machine *m, int engine)
{
    dscq_error err = {DSCQ_OK, ""};

    test_ok(dscq_machine_defaults(m, &err));
    m->engine = engine;
    m->act_bits = m->weight_bits = 16;
    m->act_bytes = 1 << 20;
    m->weight_bytes = 1 << 20;
    const char *dir = test_source("data");
    memcpy(m->data_dir, dir, strlen(dir) + 1);
}

static double value(const dscq_table *t, const char *quantity, const char *column)
{
    for (size_t r = 0; r < dscq_table_rows(t); r++)
        if (strcmp(dscq_table_text(t, r, 0), quantity) == 0)
            return dscq_table_real(t, r, (size_t)dscq_table_find(t, column));
    ck_abort_msg("no row %s", quantity);
    return 0;
}

START_TEST(times_the_same_program_again)
{
    for (uint64_t seed = 0; seed < 8; seed++) {
        dscq_simulate_options o = {.what_if = "clock_mhz=100"};
        dscq_error err = {DSCQ_OK, ""};
        dscq_simulation s, fresh;
        dscq_machine m;
        dscq_qmodel *q = network(seed);
        machine(&m, (int)seed % 2);
        /* simple memory counts cycles: half the clock is half the speed, exactly */
        test_ok(dscq_flow_simulate(&s, q, &m, &o, &err));
        ck_assert(value(s.what_if, "cycles_per_frame", "difference") == 0);
        ck_assert(value(s.what_if, "fps", "change_frac") < -0.499999 &&
                  value(s.what_if, "fps", "change_frac") > -0.500001);
        dscq_simulation_clear(&s);
        /* equals a run that starts with the other value, when lowering ignores it */
        o.what_if = "mem_latency_cycles=300,outstanding=2";
        test_ok(dscq_flow_simulate(&s, q, &m, &o, &err));
        o.what_if = NULL;
        m.mem_latency_cycles = 300;
        m.outstanding = 2;
        test_ok(dscq_flow_simulate(&fresh, q, &m, &o, &err));
        if (seed % 2 == 0)
            ck_assert(value(s.what_if, "cycles_per_frame", "what_if") ==
                      (double)fresh.totals.cycles);
        ck_assert(value(s.what_if, "cycles_per_frame", "difference") >= 0);
        dscq_simulation_clear(&fresh);
        dscq_simulation_clear(&s);
        dscq_qmodel_destroy(q);
    }
}
END_TEST

START_TEST(refuses_what_changes_the_program)
{
    dscq_simulate_options o = {.what_if = "multipliers=8"};
    dscq_error err = {DSCQ_OK, ""};
    dscq_simulation s;
    dscq_machine m;
    dscq_qmodel *q = network(3);

    machine(&m, 0);
    test_fails(
        dscq_flow_simulate(&s, q, &m, &o, &err), DSCQ_ARG,
        "--what-if: multipliers changes the program itself; run again with --set "
        "multipliers=8");
    o.what_if = "clock_mhz";
    test_fails(dscq_flow_simulate(&s, q, &m, &o, &err), DSCQ_ARG,
               "--what-if: 'clock_mhz' is not KEY=VALUE");
    o.what_if = "clock_mhs=3";
    ck_assert_int_eq(dscq_flow_simulate(&s, q, &m, &o, &err), DSCQ_FORMAT);
    ck_assert(strstr(err.msg, "clock_mhz") != NULL); /* did you mean */
    o.what_if = "dram=ddr3-1333";
    test_ok(dscq_flow_simulate(&s, q, &m, &o, &err));
    ck_assert(value(s.what_if, "dram_energy_uj", "what_if") > 0);
    dscq_simulation_clear(&s);
    dscq_qmodel_destroy(q);
}
END_TEST

START_TEST(keys_that_move_nothing_are_known)
{
    dscq_machine m;

    machine(&m, 0);
    ck_assert_ptr_null(dscq_flow_dead_key(&m, "mem_latency_cycles"));
    ck_assert_ptr_null(dscq_flow_dead_key(&m, "schedule.fuse"));
    ck_assert_ptr_nonnull(dscq_flow_dead_key(&m, "fifo_rows"));
    memcpy(m.dram, "ddr3_1333", sizeof "ddr3_1333");
    ck_assert_str_eq(dscq_flow_dead_key(&m, "machine.mem_latency_cycles"),
                     "the memory is command-level (dram is not simple)");
    m.engine = DSCQ_ENGINE_PIPELINE;
    ck_assert_ptr_null(dscq_flow_dead_key(&m, "fifo_rows"));
    ck_assert_ptr_nonnull(dscq_flow_dead_key(&m, "schedule.fuse"));
    ck_assert_ptr_nonnull(dscq_flow_dead_key(&m, "act_bytes"));
}
END_TEST

static Suite *make(void)
{
    TCase *t;
    Suite *s = test_suite("what_if", &t);

    tcase_add_test(t, times_the_same_program_again);
    tcase_add_test(t, keys_that_move_nothing_are_known);
    tcase_add_test(t, refuses_what_changes_the_program);
    return s;
}

int main(void)
{
    return test_run(make);
}
