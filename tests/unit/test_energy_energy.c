/* The bill by hand, the laws, the files, and what is refused. */
#include "dscq/energy/energy.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

static dscq_energy flat(double value)
{
    dscq_energy e;

    memset(&e, 0, sizeof e);
    for (int i = 0; i < DSCQ_ENERGY_COUNT; i++) {
        e.row[i].value = value;
        e.row[i].spread = 1;
    }
    return e;
}

static dscq_machine machine_100mhz(void)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_machine m;

    test_ok(dscq_machine_defaults(&m, &err));
    m.clock_mhz = 100;
    return m;
}

/* docs/energy.md, worked example */
START_TEST(the_bill_by_hand)
{
    const dscq_machine m = machine_100mhz();
    const dscq_counters c = {
        .cycles = 100, .mult_slots = 400, .mac_done = 150, .mac_dense = 200};
    dscq_energy e = flat(0);
    dscq_energy_bill b;
    dscq_error err = {DSCQ_OK, ""};

    e.row[DSCQ_ENERGY_mac].value = 2;
    e.row[DSCQ_ENERGY_mac].spread = 2;
    e.row[DSCQ_ENERGY_mac_idle].value = 1;
    e.row[DSCQ_ENERGY_clock_frac].value = 0.5;
    e.row[DSCQ_ENERGY_pl_static_mw].value = 3;
    test_ok(dscq_energy_price(&b, &e, &m, &c, NULL, &err));
    ck_assert_double_eq_tol(b.pj[DSCQ_BILL_multiply], 550, 1e-9);
    ck_assert_double_eq_tol(b.pj[DSCQ_BILL_clock], 275, 1e-9);
    ck_assert_double_eq_tol(b.pj[DSCQ_BILL_pl_static], 3000, 1e-9);
    ck_assert_double_eq_tol(b.total_pj, 3825, 1e-9);
    ck_assert_double_eq_tol(b.dynamic_pj, 825, 1e-9);
    ck_assert_double_eq_tol(b.static_pj, 3000, 1e-9);
    ck_assert_double_eq_tol(b.dram_pj, 0, 1e-9);
    ck_assert_double_eq_tol(b.low_pj_total, (150 + 250) * 1.5 + 3000, 1e-9);
    ck_assert_double_eq_tol(b.high_pj_total, (600 + 250) * 1.5 + 3000, 1e-9);
    ck_assert_double_eq_tol(b.watt, 3825e-12 / 1e-6, 1e-12);
    ck_assert_double_eq_tol(b.gops_per_watt_dense, 2 * 200 / 3825.0 * 1e3, 1e-9);
    ck_assert_int_eq(b.deciding[0], DSCQ_ENERGY_mac);
    dscq_counters two = c; /* 100 of them in 50 pairs */
    two.mac_paired = 100;
    e.row[DSCQ_ENERGY_mac_pair].value = 3;
    test_ok(dscq_energy_price(&b, &e, &m, &two, NULL, &err));
    ck_assert_double_eq_tol(b.pj[DSCQ_BILL_multiply], 500, 1e-9);
}
END_TEST

/* The clock's share has an interval of its own, on top of what it is a share of. */
START_TEST(the_clocks_interval_is_that_of_both)
{
    const dscq_machine m = machine_100mhz();
    const dscq_counters c = {.cycles = 100, .mult_slots = 400, .mac_done = 150};
    dscq_energy e = flat(0);
    dscq_energy_bill b;
    dscq_error err = {DSCQ_OK, ""};

    e.row[DSCQ_ENERGY_mac].value = 2;
    e.row[DSCQ_ENERGY_mac].spread = 2;
    e.row[DSCQ_ENERGY_clock_frac].value = 0.5;
    e.row[DSCQ_ENERGY_clock_frac].spread = 4;
    test_ok(dscq_energy_price(&b, &e, &m, &c, NULL, &err));
    ck_assert_double_eq_tol(b.pj[DSCQ_BILL_clock], 150, 1e-9);
    ck_assert_double_eq_tol(b.low_pj[DSCQ_BILL_clock], 150 * 0.5 / 4, 1e-9);
    ck_assert_double_eq_tol(b.high_pj[DSCQ_BILL_clock], 600 * 0.5 * 4, 1e-9);
}
END_TEST

START_TEST(dram_energy_of_the_controller_replaces_the_simple_one)
{
    const dscq_machine m = machine_100mhz();
    const dscq_counters c = {.cycles = 100, .dram_read_bursts = 10};
    const dscq_dram_energy d = {.background = 1,
                                .actpre = 2,
                                .burst = 3,
                                .refresh = 4,
                                .total = 10,
                                .termination = 7};
    const dscq_energy e = flat(1);
    dscq_energy_bill simple, real;
    dscq_error err = {DSCQ_OK, ""};

    test_ok(dscq_energy_price(&simple, &e, &m, &c, NULL, &err));
    test_ok(dscq_energy_price(&real, &e, &m, &c, &d, &err));
    ck_assert_double_eq_tol(simple.pj[DSCQ_BILL_dram_burst], 640, 1e-9);
    ck_assert_double_eq_tol(simple.pj[DSCQ_BILL_dram_background], 1000, 1e-9);
    ck_assert_double_eq_tol(real.dram_pj, 10, 1e-12);
    ck_assert_double_eq_tol(real.dram_termination_pj, 7, 1e-12);
    ck_assert_double_eq_tol(real.dynamic_pj + real.static_pj + real.dram_pj,
                            real.total_pj, 1e-9);
}
END_TEST

START_TEST(shipped_files_load)
{
    static const char *const k_files[] = {"data/energy/fpga16.cfg",
                                          "data/energy/fpga28.cfg"};

    for (size_t i = 0; i < 2; i++) {
        dscq_energy e;
        dscq_table *t;
        dscq_error err = {DSCQ_OK, ""};
        test_ok(dscq_energy_load(&e, test_source(k_files[i]), &err));
        for (int k = 0; k < DSCQ_ENERGY_COUNT; k++) {
            ck_assert(e.row[k].source[0] != '\0');
            ck_assert(e.row[k].spread >= 1);
        }
        test_ok(dscq_energy_table_coefficients(&t, &e, &err));
        ck_assert_uint_eq(dscq_table_rows(t), DSCQ_ENERGY_COUNT);
        dscq_table_destroy(t);
    }
}
END_TEST

/* A file of before mac_pair was a coefficient. */
START_TEST(a_pair_of_products_follows_from_one)
{
    char text[8192] = "[energy]\nname = old\n";
    dscq_energy e;
    dscq_error err = {DSCQ_OK, ""};

    for (int i = 0; i < DSCQ_ENERGY_COUNT; i++) {
        const size_t at = strlen(text);
        if (i != DSCQ_ENERGY_mac_pair)
            (void)snprintf(text + at, sizeof text - at,
                           "[coefficient]\nname = %s\nvalue = 6\nspread = 1.6\n"
                           "technology = 28 nm\nsource = s\n",
                           dscq_energy_name(i));
    }
    test_ok(dscq_energy_load(&e, test_file("old.cfg", text), &err));
    const dscq_energy_row *pair = &e.row[DSCQ_ENERGY_mac_pair];
    ck_assert_str_eq(pair->name, "mac_pair");
    ck_assert_double_eq_tol(pair->value, 8.485281374, 1e-8);
    ck_assert_double_eq_tol(pair->spread, 1.793132, 1e-5);
    ck_assert_str_eq(pair->technology, "28 nm");
    ck_assert_str_eq(pair->source, "derived from mac: between one product and two");
    /* what the file says counts */
    strncat(text,
            "[coefficient]\nname = mac_pair\nvalue = 7\nspread = 2\n"
            "technology = t\nsource = own\n",
            sizeof text - strlen(text) - 1);
    test_ok(dscq_energy_load(&e, test_file("new.cfg", text), &err));
    ck_assert_double_eq(pair->value, 7);
    ck_assert_str_eq(pair->source, "own");
}
END_TEST

START_TEST(broken_files_are_refused)
{
    dscq_energy e;
    dscq_error err = {DSCQ_OK, ""};
    char want[600];
    const char *row = "[coefficient]\nname = mac\nvalue = 1\nspread = 2\n"
                      "technology = t\nsource = s\n";
    char text[1024];

    (void)snprintf(text, sizeof text, "[energy]\nname = x\n%s", row);
    const char *path = test_file("missing.cfg", text);
    (void)snprintf(want, sizeof want, "%s: coefficient 'mac_idle' is missing", path);
    test_fails(dscq_energy_load(&e, path, &err), DSCQ_FORMAT, want);
    (void)snprintf(text, sizeof text, "[energy]\nname = x\n%s%s", row, row);
    path = test_file("twice.cfg", text);
    (void)snprintf(want, sizeof want, "%s:9: 'mac' stands twice", path);
    test_fails(dscq_energy_load(&e, path, &err), DSCQ_FORMAT, want);
    path =
        test_file("unknown.cfg", "[energy]\nname = x\n[coefficient]\nname = mack\n"
                                 "value = 1\nspread = 2\ntechnology = t\nsource = s\n");
    (void)snprintf(want, sizeof want,
                   "%s:3: name = 'mack': no such coefficient; did you mean 'mac'?",
                   path);
    test_fails(dscq_energy_load(&e, path, &err), DSCQ_FORMAT, want);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("energy_energy", &tc);

    tcase_add_test(tc, the_bill_by_hand);
    tcase_add_test(tc, the_clocks_interval_is_that_of_both);
    tcase_add_test(tc, dram_energy_of_the_controller_replaces_the_simple_one);
    tcase_add_test(tc, shipped_files_load);
    tcase_add_test(tc, a_pair_of_products_follows_from_one);
    tcase_add_test(tc, broken_files_are_refused);
    return s;
}

int main(void)
{
    return test_run(make);
}
