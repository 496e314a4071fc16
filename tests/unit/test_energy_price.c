#include "dscq/base/io.h"
#include "dscq/energy/energy.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A small machine and a run that can be priced by hand. */
static dscq_machine machine(void)
{
    dscq_machine m;

    ck_assert_int_eq(dscq_machine_defaults(&m, NULL), DSCQ_OK);
    m.clock_mhz = 100;
    m.multipliers = 4;
    m.act_bits = 8;
    m.act_ram = DSCQ_RAM_BRAM;
    m.weight_ram = DSCQ_RAM_URAM;
    return m;
}

static dscq_energy coefficients(void)
{
    dscq_energy e;

    memset(&e, 0, sizeof e);
    for (int i = 0; i < DSCQ_ENERGY_COUNT; i++) {
        e.row[i].value = 1;
        e.row[i].spread = 2;
    }
    e.row[DSCQ_ENERGY_mac].value = 3;
    e.row[DSCQ_ENERGY_clock_frac].value = 0.5;
    e.row[DSCQ_ENERGY_uram_byte].value = 7;
    return e;
}

START_TEST(a_hand_worked_bill)
{
    const dscq_machine m = machine();
    const dscq_energy e = coefficients();
    const dscq_dram_energy none = {0};
    const dscq_counters c = {.cycles = 100, /* 1 us */
                             .mult_slots = 400,
                             .mult_compute = 90,
                             .mult_filler = 10,
                             .mac_dense = 300,
                             .mac_done = 90,
                             .codebook_reads = 25,
                             .acc_updates = 100,
                             .requants = 8,
                             .columns = 5,
                             .act_read_bytes = 20,
                             .act_write_bytes = 8,
                             .weight_read_bytes = 2,
                             .weight_fill_bytes = 1,
                             .dram_act_read_bytes = 40,
                             .dram_weight_bytes = 10};
    dscq_energy_bill b;
    dscq_error err;

    ck_assert_int_eq(dscq_energy_price(&b, &e, &m, &c, &none, &err), DSCQ_OK);
    ck_assert_double_eq_tol(b.pj[DSCQ_BILL_multiply], 100 * 3 + 300 * 1, 1e-9);
    ck_assert_double_eq_tol(b.pj[DSCQ_BILL_registers], 5 * 4, 1e-9);
    ck_assert_double_eq_tol(b.pj[DSCQ_BILL_act_buffer], 28, 1e-9);
    ck_assert_double_eq_tol(b.pj[DSCQ_BILL_weight_buffer], 21, 1e-9);
    const double switching = 600 + 25 + 100 + 8 + 20 + 28 + 21 + 50;
    ck_assert_double_eq_tol(b.pj[DSCQ_BILL_clock], 0.5 * switching, 1e-9);
    /* 1 mW for 1 us is 1000 pJ; logic, processor and simple DRAM: three of them */
    ck_assert_double_eq_tol(b.static_pj, 2000, 1e-6);
    ck_assert_double_eq_tol(b.dram_pj, 50 + 1000, 1e-6);
    ck_assert_double_eq_tol(b.total_pj, 1.5 * switching + 3050, 1e-6);
    ck_assert_double_eq_tol(b.chip_pj, b.total_pj - b.dram_pj, 1e-9);
    ck_assert_double_eq_tol(b.watt, b.total_pj * 1e-12 / 1e-6, 1e-12);
    ck_assert_double_eq_tol(b.gops_per_watt_dense, 600 / (b.total_pj * 1e-3), 1e-9);
    ck_assert_double_eq_tol(b.low_pj[DSCQ_BILL_multiply], 300, 1e-9);
    ck_assert_double_eq_tol(b.high_pj[DSCQ_BILL_clock], 0.5 * 2 * 2 * switching, 1e-9);
    ck_assert(b.low_pj_total < b.total_pj && b.total_pj < b.high_pj_total);
}
END_TEST

START_TEST(the_controllers_own_energy_takes_the_place_of_the_simple_memory)
{
    const dscq_machine m = machine();
    const dscq_energy e = coefficients();
    const dscq_dram_energy d = {.background = 5,
                                .actpre = 6,
                                .burst = 7,
                                .refresh = 8,
                                .total = 26,
                                .termination = 100};
    const dscq_counters c = {.cycles = 100, .dram_act_read_bytes = 64};
    dscq_energy_bill b;

    ck_assert_int_eq(dscq_energy_price(&b, &e, &m, &c, &d, NULL), DSCQ_OK);
    ck_assert_double_eq_tol(b.dram_pj, 26, 1e-12);
    ck_assert_double_eq_tol(b.dram_termination_pj, 100, 1e-12);
    ck_assert_double_eq_tol(b.dynamic_pj + b.static_pj + b.dram_pj, b.total_pj, 1e-9);
}
END_TEST

START_TEST(the_widest_interval_decides)
{
    const dscq_machine m = machine();
    const dscq_dram_energy none = {0};
    const dscq_counters c = {
        .cycles = 1, .mult_slots = 1000000, .mult_compute = 1000000};
    dscq_energy e = coefficients();
    dscq_energy_bill b;

    e.row[DSCQ_ENERGY_mac].spread = 1.01;
    e.row[DSCQ_ENERGY_clock_frac].spread = 3;
    ck_assert_int_eq(dscq_energy_price(&b, &e, &m, &c, &none, NULL), DSCQ_OK);
    ck_assert_int_eq(b.deciding[0], DSCQ_ENERGY_clock_frac);
    ck_assert_int_eq(b.deciding[1], DSCQ_ENERGY_mac);
}
END_TEST

START_TEST(every_shipped_table_has_every_row_with_a_source)
{
    dscq_dir d;
    int files = 0;

    ck_assert_int_eq(dscq_dir_list(&d, test_source("data/energy"), NULL), DSCQ_OK);
    for (size_t i = 0; i < d.count; i++) {
        char path[DSCQ_PATH_MAX];
        dscq_energy e;
        dscq_error err;
        snprintf(path, sizeof path, "%s/%s", test_source("data/energy"), d.name[i]);
        ck_assert_msg(dscq_energy_load(&e, path, &err) == DSCQ_OK, "%s", err.msg);
        for (int r = 0; r < DSCQ_ENERGY_COUNT; r++)
            ck_assert_msg(strlen(e.row[r].source) > 20 && e.row[r].spread > 1,
                          "%s: %s has no source or no spread", d.name[i],
                          dscq_energy_name(r));
        files++;
    }
    dscq_dir_free(&d);
    ck_assert_int_ge(files, 2);
}
END_TEST

static void expect_refusal(const char *text, const char *says)
{
    dscq_energy e;
    dscq_error err;

    ck_assert_int_eq(dscq_energy_load(&e, test_file("e.cfg", text), &err), DSCQ_FORMAT);
    ck_assert_msg(strstr(err.msg, says) != NULL, "'%s' not in: %s", says, err.msg);
}

START_TEST(wrong_tables_are_refused_by_name)
{
#define ROW(name)                                                                      \
    "[coefficient]\nname=" name "\nvalue=1\nspread=2\ntechnology=t\nsource=s\n"
    expect_refusal("[energy]\nname=x\n" ROW("mca"), "did you mean 'mac'");
    expect_refusal("[energy]\nname=x\n" ROW("mac") ROW("mac"), "line 3");
    expect_refusal("[energy]\nname=x\n" ROW("mac"), "mac_idle");
    expect_refusal("[energy]\nname=x\n[coefficient]\nname=mac\nvalue=1\nspread=0.5\n"
                   "technology=t\nsource=s\n",
                   "spread");
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("energy_price", &tc);

    tcase_add_test(tc, a_hand_worked_bill);
    tcase_add_test(tc, the_controllers_own_energy_takes_the_place_of_the_simple_memory);
    tcase_add_test(tc, the_widest_interval_decides);
    tcase_add_test(tc, every_shipped_table_has_every_row_with_a_source);
    tcase_add_test(tc, wrong_tables_are_refused_by_name);
    return s;
}

int main(void)
{
    return test_run(make);
}
