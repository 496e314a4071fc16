/* Rules of docs/accelerator.md that no hand case of a whole run shows: each by hand, in
 * the function that acts by it. The tag stands beside what would fail. */
#include "array/array.h"
#include "dscq/hw/memory.h"
#include "dscq/hw/pipeline.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

enum { IN, OUT, TENSORS };

/* One operation from a map to another, 8 banks of 8-byte words. */
typedef struct world {
    dscq_machine m;
    dscq_program p;
    dscq_hw_tensor tensor[TENSORS];
    dscq_hw_ring ring[TENSORS];
    dscq_hw_op op;
    dscq_hw_wtile tile;
    dscq_hw_cmd cmd;
    hw_array a;
    int32_t channel[8];
} world;

static void begin(world *w, dscq_hw_mode mode, int32_t side, int32_t channels)
{
    dscq_error err = {DSCQ_OK, ""};

    memset(w, 0, sizeof *w);
    test_ok(dscq_machine_defaults(&w->m, &err));
    w->m.act_banks = 8;
    w->m.act_word_bytes = 8;
    w->m.post_entries = 16;
    w->m.command_cycles = 2;
    w->m.reconfigure_cycles = 4;
    w->m.post_latency_cycles = 8;
    w->m.row_registers = 3;
    for (int i = 0; i < TENSORS; i++) {
        w->tensor[i] = (dscq_hw_tensor){
            .h = side, .w = side, .c = channels, .bits = 8, .elem_bytes = 1};
        w->ring[i] = (dscq_hw_ring){.tensor = i,
                                    .rows = side,
                                    .width = side,
                                    .c_count = channels,
                                    .line_bytes = (side + 7) / 8 * 8};
    }
    w->op = (dscq_hw_op){.mode = mode,
                         .in = {IN},
                         .in_count = 1,
                         .out = OUT,
                         .kernel_h = 1,
                         .kernel_w = 1,
                         .stride_h = 1,
                         .stride_w = 1,
                         .dilation_h = 1,
                         .dilation_w = 1,
                         .c_count = channels,
                         .factor_up = 1,
                         .factor_down = 1,
                         .lanes = 1,
                         .vector = 4};
    w->tile = (dscq_hw_wtile){
        .m_count = 1, .c_count = 1, .columns = 1, .rows = 1, .channel = w->channel};
    w->cmd = (dscq_hw_cmd){.ring = OUT, .ring_in = {IN}, .last = side * side};
    w->p = (dscq_program){.tensor = w->tensor,
                          .ring = w->ring,
                          .op = &w->op,
                          .wtile = &w->tile,
                          .tensor_count = TENSORS,
                          .ring_count = TENSORS,
                          .op_count = 1,
                          .wtile_count = 1};
    test_ok(hw__array_init(&w->a, &w->p, &w->m, &err));
}

static hw_done run(world *w, const hw_decoded *d)
{
    const hw_ready ready = {0, -1};
    dscq_counters c = {0};
    hw_done done;
    dscq_error err = {DSCQ_OK, ""};

    test_ok(hw__array_run(&done, &w->a, &w->cmd, d, ready, &c, &err));
    return done;
}

static void end(world *w)
{
    hw__array_clear(&w->a);
}

/* A 3 x 3 window, padding 1, on 8 rows. */
START_TEST(a_step_reads_the_rows_that_it_does_not_hold)
{
    world w;

    begin(&w, DSCQ_HW_DEPTHWISE, 8, 1);
    w.op.kernel_h = w.op.kernel_w = 3;
    w.op.pad_top = w.op.pad_left = 1;
    ck_assert_int_eq(hw__new_rows(&w.a, &w.op, 8, 0, 1), 2); /* [R1] padding: free */
    ck_assert_int_eq(hw__new_rows(&w.a, &w.op, 8, 1, 0), 1); /* [R1] two are held */
    ck_assert_int_eq(hw__new_rows(&w.a, &w.op, 8, 7, 0), 0);
    w.m.row_registers = 2;
    ck_assert_int_eq(hw__new_rows(&w.a, &w.op, 8, 1, 0), 3); /* [R1] none is held */
    end(&w);
}
END_TEST

/* 14 outputs of a 3-wide window touch pixels -1 .. 14: two words, so floor(8 / 2) lanes
 * in a cycle; 78 touch ten words of eight banks. */
START_TEST(banks_serve_as_many_lanes_as_a_row_leaves_room_for)
{
    world w;

    begin(&w, DSCQ_HW_DEPTHWISE, 80, 1);
    w.op.kernel_w = 3;
    w.op.pad_left = 1;
    hw_row_step s = hw__row_step(&w.a, &w.op, &w.ring[IN], 0, 14);
    ck_assert_int_eq(s.words, 2); /* [R2] */
    ck_assert_int_eq(s.per_slot, 4);
    s = hw__row_step(&w.a, &w.op, &w.ring[IN], 0, 78);
    ck_assert_int_eq(s.words, 10); /* [R2] */
    ck_assert_int_eq(s.per_slot, 1);
    end(&w);
}
END_TEST

/* 16 codes a cycle in vectors of 4: four channels side by side. */
START_TEST(the_post_processor_takes_whole_channels)
{
    world w;

    begin(&w, DSCQ_HW_BROADCAST, 8, 1);
    ck_assert_int_eq(hw__post_cycles(&w.m, 10, 4, 1), 3); /* [P2] ceil(10 / 4) */
    ck_assert_int_eq(hw__post_cycles(&w.m, 2, 40, 1), 6); /* [P2] 2 x ceil(40 / 16) */
    ck_assert_int_eq(hw__post_cycles(&w.m, 64, 4, 8),
                     32); /* [P2] 2048 bytes, 64 each */
    end(&w);
}
END_TEST

/* One column of one entry: read in cycle 2, taken in 3, free in 4, post-processed in 4.
 */
START_TEST(a_residual_reads_through_the_same_port)
{
    uint16_t work[1] = {1};
    int32_t column[1] = {0};
    const hw_decoded d = {.columns = 1, .active = 1, .column = column, .work = work};
    world w;

    begin(&w, DSCQ_HW_BROADCAST, 2, 1);
    hw_done plain = run(&w, &d);
    ck_assert_uint_eq(plain.start, 4); /* [L7] the lanes are configured: 0 + 4 */
    ck_assert_uint_eq(plain.out_written, plain.weight_read + 1 + 8); /* [P3] */
    end(&w);
    begin(&w, DSCQ_HW_BROADCAST, 2, 1);
    w.op.has_residual = 1;
    hw_done sum = run(&w, &d);
    ck_assert_uint_eq(sum.act_read, plain.act_read + 1); /* [P4] 4 bytes: a cycle */
    end(&w);
    begin(&w, DSCQ_HW_BROADCAST, 2, 1);
    w.op.has_residual = 1;
    w.tile.m_count = 17;
    sum = run(&w, &d);
    ck_assert_uint_eq(sum.act_read, plain.act_read + 2); /* [P4] 68 bytes of 64 */
    end(&w);
}
END_TEST

static uint64_t vector_cycles(world *w)
{
    const hw_done done = run(w, NULL);

    ck_assert_uint_eq(done.start, 2); /* [V1] nothing to drain: command_cycles */
    end(w);
    return done.act_read - done.start;
}

/* 16 x 16 x 4: 1,024 outputs at 16 a cycle, 128 words at 8. */
START_TEST(vector_operations_take_the_widest_of_three)
{
    world w;

    begin(&w, DSCQ_HW_LUT, 16, 4);
    ck_assert_uint_eq(vector_cycles(&w), 64); /* [V1] outputs */
    begin(&w, DSCQ_HW_LUT, 16, 4);
    w.m.post_entries = 1024;
    ck_assert_uint_eq(vector_cycles(&w), 16); /* [V1] words */
    begin(&w, DSCQ_HW_MAXPOOL, 16, 4);
    w.m.post_entries = 1024;
    w.op.kernel_h = w.op.kernel_w = 3;
    ck_assert_uint_eq(vector_cycles(&w), 48); /* [V2] three lines a row */
    begin(&w, DSCQ_HW_COPY, 16, 4);
    w.op.c_count = 1;
    ck_assert_uint_eq(vector_cycles(&w), 16); /* [V3] the channels it copies */
    begin(&w, DSCQ_HW_LRN, 16, 4);
    w.op.span = 5;
    ck_assert_uint_eq(vector_cycles(&w), 192); /* [V4] 1024 x 6 / (2 x 16) */
}
END_TEST

/* The gap stream of test_lower_stream: nine columns, two of them stored, one filler. */
START_TEST(empty_columns_are_not_broadcast)
{
    uint8_t image[16] = {3, 0, 0, 0, 0xce, 0x40, 0x01, 0};
    uint32_t offset[2] = {0, 8};
    dscq_error err = {DSCQ_OK, ""};
    hw_decoded *d = NULL;
    world w;

    begin(&w, DSCQ_HW_BROADCAST, 8, 9);
    w.p.image = image;
    w.p.image_bytes = sizeof image;
    w.tile.c_count = w.tile.columns = 9;
    w.tile.kind = DSCQ_STREAM_GAP;
    w.tile.bits = 4;
    w.tile.gap_bits = 2;
    w.tile.is_linear = 1;
    w.tile.lane_offset = offset;
    w.tile.stream_bytes = 16;
    w.tile.entries = 3;
    w.tile.nonzero = 2;
    test_ok(hw__decode(&d, &w.p, &w.tile, 1, 1, &err));
    ck_assert_int_eq(d->columns, 3); /* [L6] the filler's column has an entry */
    ck_assert_int_eq(d->column[0], 2);
    ck_assert_int_eq(d->column[2], 7);
    ck_assert_uint_eq(d->entries, 3);
    hw__decoded_destroy(d);
    image[0] = 0; /* no entry at all */
    w.tile.entries = w.tile.nonzero = 0;
    test_ok(hw__decode(&d, &w.p, &w.tile, 1, 1, &err));
    ck_assert_int_eq(d->columns, 1); /* [L6] */
    hw__decoded_destroy(d);
    end(&w);
}
END_TEST

/* DDR4-2400 at 0.833 ns behind an array at 260 MHz: cycle 3 is 11.54 ns, the edge after
 * it
 * 14. Asleep since 0: up in 14, activate tXP 8 later, read 39, data 39 + 17 + 4 = 60:
 * over with edge 61, which is 50.8 ns: the array's edge 14. */
START_TEST(requests_and_answers_wait_for_the_next_edge)
{
    dscq_machine m;
    dscq_memory *mem;
    uint64_t accepted, cycle;
    uint32_t tag;
    dscq_error err = {DSCQ_OK, ""};

    test_ok(dscq_machine_defaults(&m, &err));
    (void)snprintf(m.dram, sizeof m.dram, "ddr4_2400");
    (void)snprintf(m.data_dir, sizeof m.data_dir, "%s", test_source("data"));
    m.clock_mhz = 260;
    m.burst_bytes = 64;
    test_ok(dscq_memory_create(&mem, &m, &err));
    test_ok(dscq_memory_submit(mem, &accepted, 0, 0, 1, 3, &err));
    ck_assert_int_eq(dscq_memory_next(mem, &tag, &cycle), 1);
    ck_assert_uint_eq(cycle, 14); /* [M4] */
    dscq_memory_destroy(mem);
}
END_TEST

/* 64 multipliers as 16 lanes x 4. */
START_TEST(resources_of_a_machine_by_hand)
{
    static const struct {
        const char *part; /* the rule's text begins so */
        dscq_resources need;
    } k_want[] = {
        {"F1: ", {.dsp = 64, .lut = 64 * 22, .ff = 64 * 40}},
        {"F2: ", {.lut = 2 * 64 * 64 * 32 / 64}},
        {"F3: ", {.lut = 16 * 4 * 8 / 2}},
        {"F4: ", {.lut = 16 * 6 * 8 * 5 / 4}},
        {"F5: ", {.lut = 16 * (180 + 4 * 8)}},
        {"F6: ", {.dsp = 16, .lut = 8 * 150, .ff = 8 * 260}},
        {"F7: ", {.bram36 = 8 * 2}}, /* 1024 words of 64 bits */
        {"F8: ", {.bram36 = 16}},    /* 512 words of 32 bits  */
        {"F9: ", {.lut = 5000, .ff = 7000, .bram36 = 2}},
        {"F10: ", {.lut = 6000}},
    };
    dscq_resource_row rows[DSCQ_RESOURCE_ROWS];
    dscq_resources all;
    dscq_machine m;
    dscq_error err = {DSCQ_OK, ""};

    test_ok(dscq_machine_defaults(&m, &err));
    m.multipliers = 64;
    m.lanes.count = 1;
    m.lanes.v[0] = 16;
    m.acc_banks = 2;
    m.acc_rows = 64;
    m.acc_bits = 32;
    m.act_bits = m.weight_bits = 8;
    m.queue_depth = 8;
    m.row_registers = 3;
    m.row_queue = 2;
    m.post_entries = 8;
    m.act_banks = m.act_word_bytes = 8;
    m.act_bytes = 65536;
    m.weight_bytes = 32768;
    m.act_ram = m.weight_ram = DSCQ_RAM_BRAM;
    m.axi_ports = 2;
    const int n = dscq_machine_resources(rows, &all, &m);
    ck_assert_int_eq(n, sizeof k_want / sizeof k_want[0]);
    for (int i = 0; i < n; i++) {
        const dscq_resources *got = &rows[i].need, *want = &k_want[i].need;
        ck_assert_msg(strncmp(rows[i].rule, k_want[i].part, strlen(k_want[i].part)) ==
                          0,
                      "%s", rows[i].rule);
        ck_assert_msg(got->dsp == want->dsp && got->bram36 == want->bram36, "%s",
                      k_want[i].part);
        /* a bank's and a lane's wiring come on top of what the rules say */
        ck_assert_msg(got->lut >= want->lut && got->ff >= want->ff, "%s: %lld LUT",
                      k_want[i].part, (long long)got->lut);
        if (i != 6)
            ck_assert_msg(got->lut == want->lut, "%s: %lld LUT", k_want[i].part,
                          (long long)got->lut);
    }
}
END_TEST

/* A stage of 4 lanes x 3, two codes a cycle, 16 sums a lane, 100 words of 8-bit weights
 * for 32 channels. */
START_TEST(resources_of_a_stage_by_hand)
{
    const dscq_pipe_cost own = {.lanes = 4,
                                .vector = 3,
                                .post = 2,
                                .acc_rows = 16,
                                .channels = 32,
                                .entry_bits = 8,
                                .depth = 100};
    const int64_t fixed = 12 * 22 + 4 * 60 + 2 * 150 + 250; /* [PF6] */
    const int64_t sums = 2 * 12 * 32 * 1 / 2; /* [PF5] 32 deep, half a LUT */
    dscq_machine m;
    dscq_error err = {DSCQ_OK, ""};
    dscq_pipe_cost c = own;

    test_ok(dscq_machine_defaults(&m, &err));
    m.int8_pairs = 0;
    m.acc_banks = 2;
    m.acc_bits = 32;
    dscq_resources r = dscq_pipe_stage_need(&c, &m);
    ck_assert_int_eq(r.dsp, 12 + 2 * 2); /* [PF1] */
    ck_assert_int_eq(r.bram36, 0);
    ck_assert_int_eq(r.ff, 12 * 40 + 4 * 60 + 2 * 260 + 350); /* [PF6] */
    /* [PF3] a memory a lane: 2 x 8 LUT each; 48 bits a channel: 48 LUT */
    ck_assert_int_eq(r.lut, fixed + sums + 4 * 16 + 48);
    c.is_dense = 1;
    r = dscq_pipe_stage_need(&c, &m);
    ck_assert_int_eq(r.lut, fixed + sums + 64 + 48); /* [PF3] one of 32 bits */
    c.depth = 600; /* [PF2] 32 x 10 LUT are more than 256: a block of 1 K x 36 */
    r = dscq_pipe_stage_need(&c, &m);
    ck_assert_int_eq(r.lut, fixed + sums + 48);
    ck_assert_int_eq(r.bram36, 1);
    c = own;
    c.acc_rows = 1; /* [PF5] a register */
    ck_assert_int_eq(dscq_pipe_stage_need(&c, &m).ff,
                     12 * 40 + 4 * 60 + 2 * 260 + 350 + 2 * 12 * 32);
    m.int8_pairs = 1;
    ck_assert_int_eq(dscq_pipe_stage_need(&c, &m).dsp, 4 * 2 + 4); /* [PF1] */
    c.is_wide = 1;
    ck_assert_int_eq(dscq_pipe_stage_need(&c, &m).dsp, 12 + 4); /* [PF1] */
    /* [PF4] 240 bytes read 3 at a time: 24 bits, 80 deep */
    ck_assert_int_eq(dscq_pipe_fifo_need(240, 3).lut, 24 * 2 + 60);
    ck_assert_int_eq(dscq_pipe_fifo_need(240, 3).ff, 80);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("hw_rules", &tc);

    tcase_add_test(tc, a_step_reads_the_rows_that_it_does_not_hold);
    tcase_add_test(tc, banks_serve_as_many_lanes_as_a_row_leaves_room_for);
    tcase_add_test(tc, the_post_processor_takes_whole_channels);
    tcase_add_test(tc, a_residual_reads_through_the_same_port);
    tcase_add_test(tc, vector_operations_take_the_widest_of_three);
    tcase_add_test(tc, empty_columns_are_not_broadcast);
    tcase_add_test(tc, requests_and_answers_wait_for_the_next_edge);
    tcase_add_test(tc, resources_of_a_machine_by_hand);
    tcase_add_test(tc, resources_of_a_stage_by_hand);
    return s;
}

int main(void)
{
    return test_run(make);
}
