/* Exact cycles of small programs, and programs that must be refused. */
#include "dscq/base/alloc.h"
#include "dscq/base/json.h"
#include "dscq/hw/sim.h"
#include "dscq/hw/trace.h"
#include "dscq/lower/lower.h"
#include "support.h"

#include <string.h>

static dscq_qmodel *one_weight(void)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_qmodel *q;

    test_ok(dscq_qmodel_create(&q, &err));
    test_ok(dscq_qmodel_reserve(q, 2, 1, 1, 1, &err));
    q->tensor[0] = (dscq_qtensor){
        .name = "x", .h = 1, .w = 4, .c = 1, .bits = 8, .is_signed = 1, .scale = 1};
    q->tensor[1] = q->tensor[0];
    strcpy(q->tensor[1].name, "y");
    dscq_qnode *n = &q->node[0];
    strcpy(n->name, "conv");
    n->op = DSCQ_Q_CONV;
    n->input_count = 1;
    n->output = 1;
    n->clamp_lo = -128;
    n->clamp_hi = 127;
    test_ok(dscq_qweights_create(&n->weights, 1, 1, 1, 1, DSCQ_FORM_LINEAR, 0, &err));
    n->weights->bits = 8;
    n->weights->value[0] = 3;
    test_ok(dscq_qnode_reserve(n, 1, &err));
    n->mult[0] = 16384; /* u = acc * 16384 >> 6 = 256 acc */
    n->shift[0] = 6;
    q->output[0].tensor = 1;
    strcpy(q->output[0].role, "raw");
    test_ok(dscq_qmodel_check(q, &err));
    return q;
}

static dscq_machine four_multipliers(void)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_machine m;

    test_ok(dscq_machine_defaults(&m, &err));
    m.multipliers = 4;
    m.lanes.count = 1;
    m.lanes.v[0] = 1;
    m.post_entries = 4;
    m.burst_bytes = 8;
    m.axi_ports = 1;
    m.axi_bytes = 8;
    m.mem_bytes_per_cycle = 8;
    m.mem_latency_cycles = 10;
    m.command_cycles = 2;
    m.reconfigure_cycles = 4;
    m.post_latency_cycles = 8;
    return m;
}

typedef struct log {
    dscq_sim_event e[8];
    int n;
} log_t;

static void keep(void *ctx, const dscq_sim_event *e)
{
    log_t *l = ctx;

    if (l->n < 8)
        l->e[l->n++] = *e;
}

/* docs/accelerator.md section 13, example 4 */
START_TEST(one_pixel_row_takes_41_cycles)
{
    dscq_qmodel *q = one_weight();
    const dscq_machine m = four_multipliers();
    const int8_t x[4] = {1, -2, 40, 50}, want[4] = {3, -6, 120, 127};
    const void *inputs[1] = {x};
    dscq_program *p;
    dscq_sim *s;
    dscq_error err = {DSCQ_OK, ""};
    log_t log = {.n = 0};
    const dscq_sim_options opt = {.event = keep, .event_ctx = &log, .certify = 5};

    test_ok(dscq_lower(&p, NULL, q, &m, NULL, &err));
    test_ok(dscq_sim_run(&s, p, &m, inputs, &opt, &err));
    ck_assert_uint_eq(p->tensor[1].dram_addr % 8, 0); /* [D5] behind 4 bytes of x */
    ck_assert_int_eq(log.n, 4);
    ck_assert_int_eq(log.e[0].unit, DSCQ_UNIT_LOAD_ACT);
    ck_assert_uint_eq(log.e[0].start, 2); /* [D4] */
    ck_assert_uint_eq(log.e[0].end, 13);
    ck_assert_int_eq(log.e[1].unit, DSCQ_UNIT_LOAD_WEIGHT);
    ck_assert_uint_eq(log.e[1].start, 3);
    ck_assert_uint_eq(log.e[1].end, 15); /* [D1] 12 bytes, two bursts */
    ck_assert_int_eq(log.e[2].unit, DSCQ_UNIT_COMPUTE);
    ck_assert_uint_eq(log.e[2].start, 17); /* [L8] */
    ck_assert_uint_eq(log.e[2].end, 19);
    ck_assert_int_eq(log.e[3].unit, DSCQ_UNIT_STORE);
    ck_assert_uint_eq(log.e[3].start, 30); /* [T2] [P3] written in 28 */
    ck_assert_uint_eq(dscq_sim_counters(s)->cycles, 41);
    ck_assert_uint_eq(dscq_sim_counters(s)->mac_done, 4); /* [L4] one entry, P = 4 */
    /* [S2] 2 cycles until it starts, a burst at peak rate (a cycle more), then latency
     */
    ck_assert_uint_eq(dscq_sim_stall(s, DSCQ_UNIT_LOAD_ACT, DSCQ_STALL_OTHER_UNIT), 2);
    ck_assert_uint_eq(dscq_sim_stall(s, DSCQ_UNIT_LOAD_ACT, DSCQ_STALL_TRANSFER), 2);
    ck_assert_uint_eq(dscq_sim_stall(s, DSCQ_UNIT_LOAD_ACT, DSCQ_STALL_LATENCY), 9);
    for (int u = 0; u < DSCQ_UNIT_COUNT; u++) {
        uint64_t sum = 0;
        for (int i = 0; i < DSCQ_STALL_COUNT; i++)
            sum += dscq_sim_stall(s, (dscq_unit)u, (dscq_stall)i);
        ck_assert_uint_eq(sum, u == DSCQ_UNIT_COMPUTE ? 4 * 41 : 41); /* [S3] */
    }
    ck_assert_mem_eq(dscq_sim_output(s, 0, 0, NULL), want, 4);
    ck_assert_int_gt(dscq_sim_total(s).certified, 0);
    dscq_sim_destroy(s);
    dscq_program_destroy(p);
    dscq_qmodel_destroy(q);
}
END_TEST

/* docs/accelerator.md section 13, example 6 */
START_TEST(two_words_of_a_bank_take_two_cycles)
{
    static const struct {
        int32_t banks;
        uint64_t lanes_end, cycles;
    } k_case[] = {{2, 19, 41}, {1, 20, 43}};
    dscq_qmodel *q = one_weight();
    dscq_machine m = four_multipliers();
    const int8_t x[4] = {1, -2, 40, 50};
    const void *inputs[1] = {x};
    dscq_program *p;
    dscq_sim *s;
    dscq_error err = {DSCQ_OK, ""};
    log_t log = {.n = 0};
    const dscq_sim_options opt = {.event = keep, .event_ctx = &log};

    m.act_word_bytes = 2;
    m.act_banks = k_case[_i].banks;
    test_ok(dscq_lower(&p, NULL, q, &m, NULL, &err));
    test_ok(dscq_sim_run(&s, p, &m, inputs, &opt, &err));
    ck_assert_int_eq(log.e[2].unit, DSCQ_UNIT_COMPUTE);
    ck_assert_uint_eq(log.e[2].start, 17);
    ck_assert_uint_eq(log.e[2].end, k_case[_i].lanes_end); /* [B3] */
    ck_assert_uint_eq(dscq_sim_counters(s)->cycles, k_case[_i].cycles);
    dscq_sim_destroy(s);
    dscq_program_destroy(p);
    dscq_qmodel_destroy(q);
}
END_TEST

/* Four bursts of 11 cycles each, a cycle apart: at most `outstanding` are under way, so
 * they go 2, 13, 24, 35 one by one, 2, 3, 13, 14 by pairs, and 2, 3, 4, 5 all at once.
 */
START_TEST(no_more_bursts_are_under_way_than_allowed)
{
    static const struct {
        int32_t outstanding;
        uint64_t end;
    } k_case[] = {{1, 46}, {2, 25}, {4, 16}};
    int8_t x[32] = {0};
    const void *inputs[1] = {x};
    dscq_machine m = four_multipliers();
    dscq_qmodel *q = one_weight();
    dscq_program *p;
    dscq_sim *s;
    dscq_error err = {DSCQ_OK, ""};
    log_t log = {.n = 0};
    const dscq_sim_options opt = {.event = keep, .event_ctx = &log};

    q->tensor[0].w = q->tensor[1].w = 32;
    m.outstanding = k_case[_i].outstanding;
    test_ok(dscq_lower(&p, NULL, q, &m, NULL, &err));
    test_ok(dscq_sim_run(&s, p, &m, inputs, &opt, &err));
    ck_assert_int_eq(log.e[0].unit, DSCQ_UNIT_LOAD_ACT);
    ck_assert_uint_eq(log.e[0].start, 2);
    ck_assert_uint_eq(log.e[0].bytes, 32);
    ck_assert_uint_eq(log.e[0].end, k_case[_i].end); /* [D2] */
    dscq_sim_destroy(s);
    dscq_program_destroy(p);
    dscq_qmodel_destroy(q);
}
END_TEST

static uint64_t paired_run(int32_t weight_bits, uint64_t *split, uint64_t *paired)
{
    dscq_qmodel *q = one_weight();
    dscq_machine m = four_multipliers();
    const int8_t x[4] = {1, -2, 40, 50}, want[4] = {3, -6, 120, 127};
    const void *inputs[1] = {x};
    const dscq_sim_options opt = {.certify = 5};
    dscq_program *p;
    dscq_sim *s;
    dscq_error err = {DSCQ_OK, ""};

    m.int8_pairs = 1;
    m.weight_bits = 16;
    q->node[0].weights->bits = weight_bits;
    test_ok(dscq_lower(&p, NULL, q, &m, NULL, &err));
    test_ok(dscq_sim_run(&s, p, &m, inputs, &opt, &err));
    ck_assert_mem_eq(dscq_sim_output(s, 0, 0, NULL), want, 4);
    ck_assert_int_gt(dscq_sim_total(s).certified, 0);
    const uint64_t cycles = dscq_sim_counters(s)->cycles;
    *split = dscq_sim_counters(s)->mult_split;
    *paired = dscq_sim_counters(s)->mac_paired;
    dscq_sim_destroy(s);
    dscq_program_destroy(p);
    dscq_qmodel_destroy(q);
    return cycles;
}

/* docs/accelerator.md section 13, example 5 */
START_TEST(a_wide_entry_of_a_pair_takes_two_cycles)
{
    uint64_t split, paired;

    ck_assert_uint_eq(paired_run(8, &split, &paired), 41);
    ck_assert_uint_eq(split, 0);
    ck_assert_uint_eq(paired, 4);
    ck_assert_uint_eq(paired_run(16, &split, &paired), 42); /* [L10] */
    ck_assert_uint_eq(split, 4);
    ck_assert_uint_eq(paired, 0);
}
END_TEST

START_TEST(a_deadlock_names_the_blocked_units)
{
    dscq_qmodel *q = one_weight();
    const dscq_machine m = four_multipliers();
    const dscq_sim_options opt = {.no_data = 1};
    dscq_program *p;
    dscq_sim *s = NULL;
    dscq_error err = {DSCQ_OK, ""};

    test_ok(dscq_lower(&p, NULL, q, &m, NULL, &err));
    p->queue[DSCQ_UNIT_COMPUTE][0].wait[DSCQ_TOKEN_STORED] = 1;
    /* [T1] a counter below what a command names holds it; [T3] */
    test_fails(
        dscq_sim_run(&s, p, &m, NULL, &opt, &err), DSCQ_FORMAT,
        "program: deadlock; compute command 0 (conv) waits for stored = 1 (now 0); "
        "store command 0 (conv) waits for out_written = 1 (now 0)");
    ck_assert_ptr_null(s);
    dscq_program_destroy(p);
    dscq_qmodel_destroy(q);
}
END_TEST

/* Every broken field is refused before anything runs. */
START_TEST(broken_programs_are_refused)
{
    const dscq_machine m = four_multipliers();
    const dscq_sim_options opt = {.no_data = 1};

    for (int k = 0; k < 14; k++) {
        dscq_qmodel *q = one_weight();
        dscq_program *p;
        dscq_sim *s = NULL;
        dscq_error err = {DSCQ_OK, ""};
        test_ok(dscq_lower(&p, NULL, q, &m, NULL, &err));
        dscq_hw_cmd *c = &p->queue[DSCQ_UNIT_COMPUTE][0];
        switch (k) {
        case 0:
            p->ring[0].base = 1 << 30;
            break;
        case 1:
            p->ring[0].rows = 9;
            break;
        case 2:
            c->op = 7;
            break;
        case 3:
            c->wtile = -1;
            break;
        case 4:
            c->last = 5;
            break;
        case 5:
            c->ring_in[0] = 99;
            break;
        case 6:
            p->wtile[0].lane_offset[1] = 1 << 20;
            break;
        case 7:
            p->wtile[0].channel[0] = 4;
            break;
        case 8:
            p->wtile[0].entries++;
            break;
        case 9:
            p->tensor[1].dram_addr = p->dram_bytes;
            break;
        case 10:
            p->queue[DSCQ_UNIT_STORE][0].last = 3;
            break;
        case 11:
            p->ticket_count = 2;
            break;
        case 12:
            p->op[0].vector = 8;
            break;
        default:
            p->wtile[0].buffer_base = m.weight_bytes;
            break;
        }
        const dscq_status status = dscq_sim_run(&s, p, &m, NULL, &opt, &err);
        ck_assert_msg(status == DSCQ_FORMAT || status == DSCQ_ARG, "case %d: %s", k,
                      dscq_status_name(status));
        ck_assert_msg(strncmp(err.msg, "program: ", 9) == 0, "case %d: %s", k, err.msg);
        dscq_program_destroy(p);
        dscq_qmodel_destroy(q);
    }
}
END_TEST

START_TEST(what_cannot_be_mapped_is_named)
{
    dscq_qmodel *q = one_weight();
    dscq_machine m = four_multipliers();
    dscq_program *p = NULL;
    dscq_error err = {DSCQ_OK, ""};

    q->node[0].weights->form = DSCQ_FORM_LINEAR;
    q->node[0].weights->bits = 16;
    q->node[0].weights->value[0] = 300;
    test_fails(dscq_lower(&p, NULL, q, &m, NULL, &err), DSCQ_UNSUPPORTED,
               "layer 'conv': weight value 300; the lanes take weight_bits = 8");
    q->node[0].weights->value[0] = 3;
    q->node[0].weights->bits = 8;
    m.act_bytes = 256;
    m.act_banks = 8;
    m.act_word_bytes = 32; /* a line takes a word of every bank; [B5] */
    test_fails(
        dscq_lower(&p, NULL, q, &m, NULL, &err), DSCQ_ARG,
        "layer 'conv': its smallest tile needs 512 bytes of activations, 256 more "
        "than act_bytes = 256");
    dscq_qmodel_destroy(q);
}
END_TEST

static dscq_status lower_and_run(void *ctx, dscq_error *err)
{
    dscq_qmodel *q = ctx;
    const dscq_machine m = four_multipliers();
    const int8_t x[4] = {1, 2, 3, 4};
    const void *inputs[1] = {x};
    dscq_program *p = NULL;
    dscq_table *t = NULL;
    dscq_sim *s = NULL;
    const dscq_sim_options opt = {.certify = 1, .capture = 1};
    dscq_status status;

    DSCQ_TRY(dscq_lower(&p, &t, q, &m, NULL, err));
    DSCQ_TRY(dscq_sim_run(&s, p, &m, inputs, &opt, err));
done:
    dscq_sim_destroy(s);
    dscq_table_destroy(t);
    dscq_program_destroy(p);
    return status;
}

START_TEST(every_failing_allocation_is_reported)
{
    dscq_qmodel *q = one_weight();

    ck_assert_uint_gt(test_each_alloc_fails(lower_and_run, q), 20);
    dscq_qmodel_destroy(q);
}
END_TEST

/* The run of example 4 as a file, at 200 MHz, 5 ns a cycle: JSON that parses, and VCD
 * to the letter. */
START_TEST(traces_open_in_viewers)
{
    static const char *const k_names[] = {"t.json", "t.vcd"};
    dscq_qmodel *q = one_weight();
    const dscq_machine m = four_multipliers();
    dscq_program *p;
    dscq_error err = {DSCQ_OK, ""};

    test_ok(dscq_lower(&p, NULL, q, &m, NULL, &err));
    for (int i = 0; i < 2; i++) {
        dscq_trace *t;
        dscq_sim *s;
        test_ok(dscq_trace_open(&t, test_path(k_names[i]), p, 200, &err));
        const dscq_sim_options opt = {
            .no_data = 1, .event = dscq_trace_event, .event_ctx = t};
        test_ok(dscq_sim_run(&s, p, &m, NULL, &opt, &err));
        test_ok(dscq_trace_close(t, &err));
        dscq_sim_destroy(s);
    }
    dscq_json *j;
    test_ok(dscq_json_load(&j, test_path("t.json"), &err));
    const dscq_json *e = dscq_json_get(j, "traceEvents");
    ck_assert_uint_eq(dscq_json_count(e), 4 + 4); /* names of units, commands */
    e = dscq_json_at(e, 6);
    ck_assert_double_eq(dscq_json_real(dscq_json_get(e, "ts"), -1), 0.085);
    ck_assert_double_eq(dscq_json_real(dscq_json_get(e, "dur"), -1), 0.010);
    ck_assert_int_eq(dscq_json_int(dscq_json_get(e, "args.start_cycle"), -1), 17);
    ck_assert_int_eq(dscq_json_int(dscq_json_get(e, "args.cycles"), -1), 2);
    dscq_json_free(j);
    char *vcd = test_read(test_path("t.vcd"));
    ck_assert_ptr_nonnull(strstr(vcd, "#10\n1a\nb00000000000000000000000000000000 A\n"
                                      "#15\n1b\nb00000000000000000000000000000000 B\n"
                                      "#65\n0a\n#75\n0b\n#85\n1c\n"));
    dscq_free(vcd);
    dscq_program_destroy(p);
    dscq_qmodel_destroy(q);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("hw_sim", &tc);

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, one_pixel_row_takes_41_cycles);
    tcase_add_loop_test(tc, two_words_of_a_bank_take_two_cycles, 0, 2);
    tcase_add_loop_test(tc, no_more_bursts_are_under_way_than_allowed, 0, 3);
    tcase_add_test(tc, a_wide_entry_of_a_pair_takes_two_cycles);
    tcase_add_test(tc, a_deadlock_names_the_blocked_units);
    tcase_add_test(tc, broken_programs_are_refused);
    tcase_add_test(tc, what_cannot_be_mapped_is_named);
    tcase_add_test(tc, traces_open_in_viewers);
    tcase_add_test(tc, every_failing_allocation_is_reported);
    return s;
}

int main(void)
{
    return test_run(make);
}
