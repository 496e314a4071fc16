/* Boards and DRAM configurations: every file under data/ binds, names what exists and
 * agrees with itself; contradictions are refused. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/rng.h"
#include "dscq/base/str.h"
#include "dscq/dram/config.h"
#include "dscq/hw/board.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

enum { BOARDS_MIN = 10, DRAMS_MIN = 13 };

static dscq_dram_config load_dram(const char *name)
{
    dscq_dram_config c;
    dscq_error err;
    char path[256];

    snprintf(path, sizeof path, "data/dram/%s.cfg", name);
    test_ok(dscq_dram_config_load(&c, test_source(path), &err));
    return c;
}

static void check_board(const char *file)
{
    char path[300];
    dscq_board b;
    dscq_error err;

    snprintf(path, sizeof path, "data/boards/%s", file);
    test_ok(dscq_board_load(&b, test_source(path), &err));
    const dscq_dram_config c = load_dram(b.dram);
    const double peak = dscq_dram_peak_bytes_per_ns(&c) * 1e9 * b.dram_channels;
    ck_assert_msg(dscq_dram_capacity_bytes(&c) == (uint64_t)b.dram_bytes, "%s", file);
    ck_assert_msg(peak > 0.97 * b.dram_peak_bytes_per_s &&
                      peak < 1.03 * b.dram_peak_bytes_per_s,
                  "%s: %g bytes/s, its memory file gives %g", file,
                  b.dram_peak_bytes_per_s, peak);
}

START_TEST(every_board_binds_and_agrees_with_its_memory)
{
    dscq_dir dir;
    dscq_error err;

    test_ok(dscq_dir_list(&dir, test_source("data/boards"), &err));
    ck_assert_uint_ge(dir.count, BOARDS_MIN);
    for (size_t i = 0; i < dir.count; i++)
        check_board(dir.name[i]);
    dscq_dir_free(&dir);
}
END_TEST

START_TEST(every_dram_file_binds_and_states_its_source)
{
    dscq_dir dir;
    dscq_error err;

    test_ok(dscq_dir_list(&dir, test_source("data/dram"), &err));
    ck_assert_uint_ge(dir.count, DRAMS_MIN);
    for (size_t i = 0; i < dir.count; i++) {
        char path[300], name[128];
        snprintf(path, sizeof path, "data/dram/%s", dir.name[i]);
        snprintf(name, sizeof name, "%.*s", (int)strcspn(dir.name[i], "."),
                 dir.name[i]);
        char *text = test_read(test_source(path));
        ck_assert_msg(strstr(text, "# Source:") != NULL, "%s: no source", path);
        dscq_free(text);
        (void)load_dram(name);
    }
    dscq_dir_free(&dir);
}
END_TEST

START_TEST(a_machine_that_is_too_large_is_told_by_how_much)
{
    const dscq_resources small = {.dsp = 1728}, large = {.dsp = 1900, .bram36 = 400};
    dscq_board b;
    dscq_error err;

    test_ok(dscq_board_load(&b, test_source("data/boards/zcu104.cfg"), &err));
    test_ok(dscq_board_fits(&b, &small, 200, &err));
    test_fails(dscq_board_fits(&b, &large, 200, &err), DSCQ_ARG,
               "the machine does not fit ZCU104 (XCZU7EV): dsp 1900 of 1728 (172 too "
               "many), bram36 400 of 312 (88 too many)");
    test_fails(dscq_board_fits(&b, &small, 400, &err), DSCQ_ARG,
               "the machine does not fit ZCU104 (XCZU7EV): clock 400 MHz, designs of "
               "this kind reach 333");
}
END_TEST

START_TEST(a_board_that_contradicts_itself_is_refused)
{
    const char *path = test_file(
        "b.cfg", "[board]\nname = x\ndevice = y\nsource = z\ndsp = 1\nbram36 = 1\n"
                 "lut = 1\nff = 1\nclock_mhz = 100\ndram = d\ndram_bytes = 1\n"
                 "dram_peak_bytes_per_s = 1\nports = 2\nport_bits = 64\n"
                 "port_mhz = 100\nport_bytes_per_s = 9e8\n");
    dscq_board b;
    dscq_error err;

    ck_assert_int_eq(dscq_board_load(&b, path, &err), DSCQ_FORMAT);
    ck_assert_ptr_nonnull(
        strstr(err.msg, "port_bytes_per_s = 9e+08: 64 bits at 100 MHz carry 8e+08"));
    path = test_file("c.cfg", "[board]\nname = x\n[bored]\n");
    ck_assert_int_eq(dscq_board_load(&b, path, &err), DSCQ_FORMAT);
}
END_TEST

/* ---- address maps ------------------------------------------------------------- */

START_TEST(addresses_and_places_are_one_to_one)
{
    static const char *const names[] = {"d2_close2r", "d2_x16_4r", "d3_ddr4x8_2r_close",
                                        "zcu104_ddr4_2400", "lpddr4_2400"};
    dscq_rng rng = dscq_rng_seeded(1);

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const dscq_dram_config c = load_dram(names[i]);
        const uint64_t bursts =
            dscq_dram_capacity_bytes(&c) / (uint64_t)dscq_dram_burst_bytes(&c);
        dscq_dram_map m;
        dscq_dram_map_init(&m, &c);
        for (int k = 0; k < 1000; k++) {
            const uint64_t a = dscq_rng_below(&rng, bursts) << m.burst_shift;
            const dscq_dram_place at = dscq_dram_map_place(&m, a + 5);
            ck_assert(at.rank < c.ranks && at.bank < c.banks &&
                      at.group < c.bank_groups);
            ck_assert(at.row < (uint32_t)c.rows);
            ck_assert_int_eq(at.group, at.bank / (c.banks / c.bank_groups));
            ck_assert_uint_eq(dscq_dram_map_address(&m, at), a);
        }
    }
}
END_TEST

START_TEST(a_map_by_hand)
{
    dscq_dram_config c = load_dram("d3_ddr4x8"); /* row:rank:bank:bankgroup:column */
    dscq_dram_map m;

    dscq_dram_map_init(&m, &c);
    /* 6 bits of burst, 7 of column, 2 of group, 2 of bank, then rows */
    const dscq_dram_place at = dscq_dram_map_place(&m, (UINT64_C(5) << 17) | (3 << 15) |
                                                           (2 << 13) | (17 << 6) | 63);
    ck_assert_uint_eq(at.row, 5);
    ck_assert_int_eq(at.group, 2);
    ck_assert_int_eq(at.bank, 2 * 4 + 3);
    ck_assert_uint_eq(at.column, 17);
}
END_TEST

static void refuse(const char *key, const char *value, const char *message)
{
    dscq_config *f = NULL;
    dscq_dram_config c;
    dscq_error err;
    char set[256];

    test_ok(dscq_config_load(&f, test_source("data/dram/d3_ddr4x8.cfg"), &err));
    snprintf(set, sizeof set, "%s=%s", key, value);
    test_ok(dscq_config_set(f, set, "--set", &err));
    ck_assert_int_eq(dscq_dram_config_bind(&c, f, &err), DSCQ_FORMAT);
    ck_assert_msg(strstr(err.msg, message) != NULL, "%s: %s", set, err.msg);
    dscq_config_destroy(f);
}

START_TEST(contradictions_in_a_dram_file_are_refused)
{
    refuse("controller.policy", "d4", "policy = 'd4': want one of d2 d3 frfcfs");
    refuse("controller.address_map", "row:rank:bank:column",
           "address_map = 'row:rank:bank:column': 'bankgroup' is missing");
    refuse("controller.address_map", "row:row:bank", "'row' is given twice");
    refuse("controller.address_map", "row:page", "'page' is no field");
    refuse("controller.address_map", "row:rank:bank:", "'' is no field");
    refuse("controller.write_low", "200", "write_low = 200: want less than write_high");
    refuse("controller.write_high", "1000", "write_queue holds only 256");
    refuse("device.rows", "1000", "rows = 1000: want a power of two");
    refuse("device.tCCD_L", "3", "tCCD_L = 3: want at least tCCD_S = 4");
    refuse("device.tRC", "20", "tRC = 20: want at least tRAS = 39");
    refuse("device.tREFI", "800", "tREFI = 800: want at least twice tRFC = 840");
    refuse("device.standard", "ddr9", "standard = 'ddr9': want one of ddr3|ddr4|");
    refuse("device.standard", "ddr3", "bank_groups = 4: standard ddr3 has none");
    refuse("device.tPPD", "2", "tPPD = 2: standard ddr4 has no such timing");
    refuse("device.banks", "2", "bank_groups = 4: there are only 2 banks");
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("hw_board", &tc);

    tcase_add_test(tc, every_board_binds_and_agrees_with_its_memory);
    tcase_add_test(tc, every_dram_file_binds_and_states_its_source);
    tcase_add_test(tc, a_machine_that_is_too_large_is_told_by_how_much);
    tcase_add_test(tc, a_board_that_contradicts_itself_is_refused);
    tcase_add_test(tc, addresses_and_places_are_one_to_one);
    tcase_add_test(tc, a_map_by_hand);
    tcase_add_test(tc, contradictions_in_a_dram_file_are_refused);
    return s;
}

int main(void)
{
    return test_run(make);
}
