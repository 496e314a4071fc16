/* Machine files, their contradictions, the RAM rule, memory by hand. */
#include "dscq/hw/board.h"
#include "dscq/hw/machine.h"
#include "dscq/hw/memory.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

static const char *const k_files[] = {"zcu104", "zynq7020", "wu2019", "zhang2019",
                                      "yang2024"};

START_TEST(shipped_machines_load_and_fit_their_boards)
{
    const char *name = k_files[_i];
    dscq_resource_row rows[DSCQ_RESOURCE_ROWS];
    dscq_resources total;
    dscq_machine m;
    dscq_board b;
    dscq_memory *mem;
    char path[DSCQ_PATH_MAX];
    dscq_error err = {DSCQ_OK, ""};

    (void)snprintf(path, sizeof path, "data/machines/%s.cfg", name);
    test_ok(dscq_machine_load(&m, test_source(path), &err));
    ck_assert_str_eq(m.name, name);
    const int n = dscq_machine_resources(rows, &total, &m);
    ck_assert_int_le(n, DSCQ_RESOURCE_ROWS);
    test_ok(dscq_machine_path(path, sizeof path, &m, "boards", m.board, &err));
    test_ok(dscq_board_load(&b, path, &err));
    test_ok(dscq_board_fits(&b, &total, m.clock_mhz, &err));
    test_ok(dscq_memory_create(&mem, &m, &err));
    ck_assert_ptr_nonnull(dscq_memory_dram(mem));
    dscq_memory_destroy(mem);
}
END_TEST

/* A pipeline is sized by its network: board, memory and keys are checked here, its
 * resources where stages are made (test_pipe_random). */
START_TEST(shipped_pipelines_load)
{
    static const char *const k_pipes[] = {"meng2024", "nguyen2021"};
    dscq_machine m;
    dscq_board b;
    dscq_memory *mem;
    char path[DSCQ_PATH_MAX];
    dscq_error err = {DSCQ_OK, ""};

    (void)snprintf(path, sizeof path, "data/machines/%s.cfg", k_pipes[_i]);
    test_ok(dscq_machine_load(&m, test_source(path), &err));
    ck_assert_str_eq(m.name, k_pipes[_i]);
    ck_assert_int_eq(m.engine, DSCQ_ENGINE_PIPELINE);
    test_ok(dscq_machine_path(path, sizeof path, &m, "boards", m.board, &err));
    test_ok(dscq_board_load(&b, path, &err));
    ck_assert_int_le(m.multipliers, dscq_board_resources(&b).dsp);
    const dscq_resources none = {0};
    test_ok(dscq_board_fits(&b, &none, m.clock_mhz, &err)); /* the clock */
    test_ok(dscq_memory_create(&mem, &m, &err));
    ck_assert_ptr_nonnull(dscq_memory_dram(mem));
    dscq_memory_destroy(mem);
}
END_TEST

START_TEST(ram_blocks_follow_the_best_shape)
{
    ck_assert_int_eq(dscq_ram_bram36(64, 2048), 4); /* 8 banks of it: 32 blocks */
    ck_assert_int_eq(dscq_ram_bram36(72, 512), 1);
    ck_assert_int_eq(dscq_ram_bram36(1, 32768), 1);
    ck_assert_int_eq(dscq_ram_bram36(32, 1024), 1);
    ck_assert_int_eq(dscq_ram_bram36(37, 1024), 2);
    ck_assert_int_eq(dscq_ram_uram(64, 12288), 3);
    ck_assert_int_eq(dscq_ram_uram(73, 4096), 2);
}
END_TEST

START_TEST(contradictions_are_named)
{
    dscq_machine m;
    dscq_error err = {DSCQ_OK, ""};

    test_ok(dscq_machine_defaults(&m, &err));
    m.lanes.v[0] = 24;
    test_fails(
        dscq_machine_check(&m, &err), DSCQ_FORMAT,
        "lanes = 24 does not divide multipliers = 256 into a vector of 1 to 1024");
    test_ok(dscq_machine_defaults(&m, &err));
    m.act_bytes = 1000;
    test_fails(dscq_machine_check(&m, &err), DSCQ_FORMAT,
               "act_bytes = 1000 is not a multiple of act_banks x act_word_bytes = 64");
    test_ok(dscq_machine_defaults(&m, &err));
    m.burst_bytes = 48;
    test_fails(dscq_machine_check(&m, &err), DSCQ_FORMAT,
               "burst_bytes = 48: want a power of two");
    test_ok(dscq_machine_defaults(&m, &err));
    m.schedule.lanes = 5;
    test_fails(dscq_machine_check(&m, &err), DSCQ_FORMAT,
               "[schedule] lanes = 5 is not in [machine] lanes");
}
END_TEST

/* Rule F1: pairs lie inside a lane, in the shape that needs most. */
START_TEST(two_products_share_a_slice_inside_a_lane)
{
    dscq_resource_row rows[DSCQ_RESOURCE_ROWS];
    dscq_resources one, two;
    dscq_machine m;
    dscq_error err = {DSCQ_OK, ""};

    ck_assert_int_eq(dscq_multiplier_dsp(4, 6, 1), 12);
    ck_assert_int_eq(dscq_multiplier_dsp(4, 3, 1), 8);
    ck_assert_int_eq(dscq_multiplier_dsp(4, 3, 0), 12);
    test_ok(dscq_machine_defaults(&m, &err));
    m.multipliers = 24;
    m.lanes.count = 2;
    m.lanes.v[0] = 4; /* 4 x 6: 12 slices */
    m.lanes.v[1] = 8; /* 8 x 3: 16        */
    (void)dscq_machine_resources(rows, &one, &m);
    m.int8_pairs = 1;
    (void)dscq_machine_resources(rows, &two, &m);
    ck_assert_int_eq(one.dsp - two.dsp, 24 - 16);
    ck_assert_int_eq(two.lut - one.lut, 24LL * m.acc_bits);
    ck_assert_int_eq(dscq_entry_cycles(&m, 3, 1), 2);
    ck_assert_int_eq(dscq_entry_cycles(&m, 1, 1), 1);
    ck_assert_int_eq(dscq_entry_cycles(&m, 3, 0), 1);
}
END_TEST

START_TEST(unknown_keys_and_sections_are_refused)
{
    dscq_machine m;
    dscq_error err = {DSCQ_OK, ""};
    char want[600];
    const char *path = test_file("m.cfg", "[machine]\nqueue_dept = 4\n");

    (void)snprintf(want, sizeof want, "%s:2: ", path);
    ck_assert_int_eq(dscq_machine_load(&m, path, &err), DSCQ_FORMAT);
    ck_assert_msg(strncmp(err.msg, want, strlen(want)) == 0 &&
                      strstr(err.msg, "queue_depth") != NULL,
                  "%s", err.msg);
    path = test_file("n.cfg", "[machine]\n[scedule]\n");
    ck_assert_int_eq(dscq_machine_load(&m, path, &err), DSCQ_FORMAT);
    ck_assert_msg(strstr(err.msg, "schedule") != NULL, "%s", err.msg);
}
END_TEST

/* Rules M1 to M3: three bursts of 8 bytes at 4 bytes a cycle, latency 10. */
START_TEST(simple_memory_by_hand)
{
    dscq_machine m;
    dscq_memory *mem;
    uint64_t accepted, cycle;
    uint32_t tag;
    dscq_error err = {DSCQ_OK, ""};

    test_ok(dscq_machine_defaults(&m, &err));
    m.burst_bytes = 8;
    m.mem_bytes_per_cycle = 4;
    m.mem_latency_cycles = 10;
    test_ok(dscq_memory_create(&mem, &m, &err));
    test_ok(dscq_memory_submit(mem, &accepted, 0, 0, 1, 5, &err));
    test_ok(dscq_memory_submit(mem, &accepted, 8, 1, 2, 6, &err));
    test_ok(dscq_memory_submit(mem, &accepted, 16, 0, 3, 20, &err));
    ck_assert_int_eq(dscq_memory_next(mem, &tag, &cycle), 1);
    ck_assert_uint_eq(tag, 1);
    ck_assert_uint_eq(cycle, 17); /* [M2] [M3] bus 5..6 */
    ck_assert_int_eq(dscq_memory_next(mem, &tag, &cycle), 1);
    ck_assert_uint_eq(tag, 2);
    ck_assert_uint_eq(cycle, 19); /* [M1] bus 7..8 */
    ck_assert_int_eq(dscq_memory_next(mem, &tag, &cycle), 1);
    ck_assert_uint_eq(cycle, 32); /* bus 20..21 */
    ck_assert_int_eq(dscq_memory_next(mem, &tag, &cycle), 0);
    dscq_memory_destroy(mem);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("hw_machine", &tc);

    tcase_add_loop_test(tc, shipped_machines_load_and_fit_their_boards, 0,
                        (int)(sizeof k_files / sizeof k_files[0]));
    tcase_add_loop_test(tc, shipped_pipelines_load, 0, 2);
    tcase_add_test(tc, ram_blocks_follow_the_best_shape);
    tcase_add_test(tc, contradictions_are_named);
    tcase_add_test(tc, two_products_share_a_slice_inside_a_lane);
    tcase_add_test(tc, unknown_keys_and_sections_are_refused);
    tcase_add_test(tc, simple_memory_by_hand);
    return s;
}

int main(void)
{
    return test_run(make);
}
