/* Random networks on random machines: every tensor's bytes equal the integer reference,
 * laws hold, order of evaluation changes nothing. */
#include "dscq/base/alloc.h"
#include "dscq/hw/sim.h"
#include "dscq/infer/reference.h"
#include "dscq/lower/lower.h"
#include "sim_world.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void compare(const world *w, const dscq_sim *s, uint64_t seed)
{
    for (int32_t i = 0; i < w->q->node_count; i++) {
        const int32_t t = w->q->node[i].output;
        const dscq_qtensor *x = &w->q->tensor[t];
        const void *got = dscq_sim_tensor(s, t, NULL);
        if (got == NULL)
            continue; /* inside a sum: never a tensor of its own */
        for (size_t k = 0; k < dscq_qtensor_count(x); k++)
            ck_assert_msg(
                dscq_qtensor_get(x, got, k) == dscq_qtensor_get(x, w->want[i], k),
                "seed %llu: node %d %s (%s) code %zu of %dx%dx%d: %d, want %d",
                (unsigned long long)seed, i, w->q->node[i].name,
                dscq_qop_name(w->q->node[i].op), k, x->h, x->w, x->c,
                dscq_qtensor_get(x, got, k), dscq_qtensor_get(x, w->want[i], k));
    }
    for (int32_t i = 0; i < w->q->output_count; i++) {
        const int32_t t = w->q->output[i].tensor;
        size_t bytes;
        const void *got = dscq_sim_output(s, i, 0, &bytes);
        for (int32_t n = 0; n < w->q->node_count; n++)
            if (w->q->node[n].output == t)
                ck_assert_msg(memcmp(got, w->want[n], bytes) == 0,
                              "seed %llu: output %d", (unsigned long long)seed, i);
    }
}

static int g_split; /* cases in which an entry too wide for a pair took two cycles */

/* Blocks of memory that hold a byte of what a command moves, each once. */
static uint64_t blocks_of(uint8_t *seen, const dscq_program *p, const dscq_hw_cmd *c,
                          uint64_t burst)
{
    uint64_t count = 0;

    memset(seen, 0, p->dram_bytes / burst + 1);
    if (c->unit == DSCQ_UNIT_LOAD_WEIGHT) {
        const dscq_hw_wtile *w = &p->wtile[c->wtile];
        for (uint64_t i = 0; i < w->stream_bytes; i++)
            seen[(w->dram_addr + i) / burst] = 1;
    } else {
        const dscq_hw_ring *r = &p->ring[c->ring];
        const dscq_hw_tensor *x = &p->tensor[r->tensor];
        for (int32_t y = c->first; y < c->last; y++)
            for (int32_t ch = r->c0; ch < r->c0 + r->c_count; ch++)
                for (int32_t i = 0; i < r->width * x->elem_bytes; i++) {
                    const int64_t line = (int64_t)y * x->c + ch;
                    const uint64_t at =
                        x->dram_addr + x->dram_frame * (uint64_t)c->frame +
                        (uint64_t)((line * x->w + r->x0) * x->elem_bytes + i);
                    seen[at / burst] = 1;
                }
    }
    for (uint64_t i = 0; i <= p->dram_bytes / burst; i++)
        count += seen[i];
    return count;
}

/* No transfer asks twice for a block that two of its pieces share. */
static void count_bursts(const dscq_program *p, const dscq_sim *s,
                         const dscq_machine *m, uint64_t seed)
{
    const uint64_t burst = (uint64_t)m->burst_bytes;
    uint8_t *seen = dscq_malloc(p->dram_bytes / burst + 1, 1);
    uint64_t want[2] = {0, 0}; /* read, written */
    const dscq_counters *n = dscq_sim_counters(s);

    ck_assert_ptr_nonnull(seen);
    for (int u = 0; u < DSCQ_UNIT_COUNT; u++)
        for (size_t i = 0; u != DSCQ_UNIT_COMPUTE && i < p->queue_count[u]; i++)
            want[u == DSCQ_UNIT_STORE] += blocks_of(seen, p, &p->queue[u][i], burst);
    ck_assert_msg(n->dram_read_bursts == want[0] && n->dram_write_bursts == want[1],
                  "seed %llu: %llu and %llu bursts, want %llu and %llu",
                  (unsigned long long)seed, (unsigned long long)n->dram_read_bursts,
                  (unsigned long long)n->dram_write_bursts, (unsigned long long)want[0],
                  (unsigned long long)want[1]);
    dscq_free(seen);
}

/* 1 when the network fitted the machine and was compared. */
static int one_case(uint64_t seed, const qmodel_random_opts *o)
{
    world w;
    dscq_program *p = NULL;
    dscq_sim *s = NULL;
    dscq_error err = {DSCQ_OK, ""};
    const dscq_sim_options opt = {.capture = 1, .certify = 3, .certify_seed = seed};

    world_make(&w, seed, o);
    const dscq_status status = dscq_lower(&p, NULL, w.q, &w.m, NULL, &err);
    if (status == DSCQ_ARG) { /* too small a machine, and it says so */
        ck_assert_msg(strstr(err.msg, "_bytes") != NULL, "%s", err.msg);
        world_end(&w);
        return 0;
    }
    ck_assert_msg(status == DSCQ_OK, "seed %llu: %s", (unsigned long long)seed,
                  err.msg);
    ck_assert_msg(dscq_sim_run(&s, p, &w.m, (const void *const *)w.input, &opt, &err) ==
                      DSCQ_OK,
                  "seed %llu: %s", (unsigned long long)seed, err.msg);
    compare(&w, s, seed);
    count_bursts(p, s, &w.m, seed);
    g_split += dscq_sim_counters(s)->mult_split > 0;
    dscq_sim_destroy(s);
    dscq_program_destroy(p);
    world_end(&w);
    return 1;
}

static uint64_t cases(void)
{
    const char *n = getenv("DSCQ_SIM_CASES");

    return n != NULL ? strtoull(n, NULL, 10) : 150;
}

START_TEST(outputs_equal_the_reference)
{
    const qmodel_random_opts o = {.nodes = 8, .max_side = 20, .max_channels = 24};
    int compared = 0;

    for (uint64_t i = 0; i < cases(); i++)
        compared += one_case(1000 + i, &o);
    ck_assert_int_gt(compared, (int)cases() / 2);
}
END_TEST

START_TEST(wide_tensors_equal_the_reference)
{
    const qmodel_random_opts o = {
        .nodes = 8, .max_side = 12, .max_channels = 20, .wide = 1};
    int compared = 0;

    for (uint64_t i = 0; i < cases(); i++)
        compared += one_case(500000 + i, &o);
    ck_assert_int_gt(compared, (int)cases() / 2);
    ck_assert_int_gt(g_split, (int)cases() / 10);
}
END_TEST

START_TEST(deep_networks_equal_the_reference)
{
    const qmodel_random_opts o = {.nodes = 40, .max_side = 33, .max_channels = 40};
    int compared = 0;

    for (uint64_t i = 0; i < cases() / 3; i++)
        compared += one_case(900000 + i, &o);
    ck_assert_int_gt(compared, (int)cases() / 10);
}
END_TEST

/* Units evaluated in any order: same cycles, same counters, same stalls. */
START_TEST(order_of_evaluation_does_not_matter)
{
    static const int k_orders[][DSCQ_UNIT_COUNT] = {
        {3, 2, 1, 0}, {2, 0, 1, 3}, {1, 3, 0, 2}, {2, 3, 1, 0}};
    const qmodel_random_opts o = {.nodes = 14, .max_side = 24, .max_channels = 24};

    for (uint64_t seed = 0; seed < 40; seed++) {
        world w;
        dscq_program *p = NULL;
        dscq_sim *a = NULL;
        dscq_error err = {DSCQ_OK, ""};
        const dscq_lower_options lo = {.frames = 1};
        world_make(&w, 7000 + seed, &o);
        if (dscq_lower(&p, NULL, w.q, &w.m, &lo, &err) != DSCQ_OK) {
            world_end(&w);
            continue;
        }
        test_ok(dscq_sim_run(&a, p, &w.m, (const void *const *)w.input, NULL, &err));
        for (size_t i = 0; i < sizeof k_orders / sizeof k_orders[0]; i++) {
            dscq_sim_options opt = {0};
            dscq_sim *b = NULL;
            memcpy(opt.unit_order, k_orders[i], sizeof opt.unit_order);
            test_ok(
                dscq_sim_run(&b, p, &w.m, (const void *const *)w.input, &opt, &err));
            ck_assert_mem_eq(dscq_sim_counters(a), dscq_sim_counters(b),
                             sizeof(dscq_counters));
            for (int u = 0; u < DSCQ_UNIT_COUNT; u++)
                for (int k = 0; k < DSCQ_STALL_COUNT; k++)
                    ck_assert_uint_eq(dscq_sim_stall(a, (dscq_unit)u, (dscq_stall)k),
                                      dscq_sim_stall(b, (dscq_unit)u, (dscq_stall)k));
            compare(&w, b, seed);
            dscq_sim_destroy(b);
        }
        dscq_sim_destroy(a);
        dscq_program_destroy(p);
        world_end(&w);
    }
}
END_TEST

/* Several frames through command-level DRAM: every frame's outputs, and ends in order.
 */
START_TEST(frames_on_real_dram_equal_the_reference)
{
    static const char *const k_dram[] = {"ddr3_1333", "ddr4_2400", "simple"};
    enum { FRAMES = 3 };
    const qmodel_random_opts o = {.nodes = 12, .max_side = 20, .max_channels = 24};
    int compared = 0;

    for (uint64_t seed = 0; seed < 60; seed++) {
        const dscq_lower_options lo = {.frames = FRAMES};
        dscq_error err = {DSCQ_OK, ""};
        dscq_program *p = NULL;
        dscq_sim *s = NULL;
        world w;
        world_make(&w, 60000 + seed, &o);
        (void)snprintf(w.m.dram, sizeof w.m.dram, "%s", k_dram[seed % 3]);
        (void)snprintf(w.m.data_dir, sizeof w.m.data_dir, "%s", test_source("data"));
        void *inputs[16], *outputs[16];
        dscq_rng r = dscq_rng_seeded(seed);
        for (int32_t i = 0; i < w.q->input_count; i++) {
            const dscq_qtensor *t = &w.q->tensor[w.q->input[i].tensor];
            inputs[i] = dscq_malloc(dscq_qtensor_bytes(t), FRAMES);
            for (size_t f = 0; f < FRAMES; f++)
                qmodel_random_codes(t, (uint8_t *)inputs[i] + f * dscq_qtensor_bytes(t),
                                    &r);
        }
        if (dscq_lower(&p, NULL, w.q, &w.m, &lo, &err) == DSCQ_OK) {
            ck_assert_msg(dscq_sim_run(&s, p, &w.m, (const void *const *)inputs, NULL,
                                       &err) == DSCQ_OK,
                          "seed %llu: %s", (unsigned long long)seed, err.msg);
            for (int32_t f = 0; f < FRAMES; f++) {
                const void *one[16];
                for (int32_t i = 0; i < w.q->input_count; i++)
                    one[i] = (uint8_t *)inputs[i] +
                             (size_t)f *
                                 dscq_qtensor_bytes(&w.q->tensor[w.q->input[i].tensor]);
                for (int32_t i = 0; i < w.q->output_count; i++)
                    outputs[i] = dscq_malloc(
                        dscq_qtensor_bytes(&w.q->tensor[w.q->output[i].tensor]), 1);
                test_ok(dscq_infer_reference(w.q, one, outputs, NULL, NULL, &err));
                for (int32_t i = 0; i < w.q->output_count; i++) {
                    size_t bytes;
                    const void *got = dscq_sim_output(s, i, f, &bytes);
                    ck_assert_msg(memcmp(got, outputs[i], bytes) == 0,
                                  "seed %llu frame %d output %d",
                                  (unsigned long long)seed, f, i);
                    dscq_free(outputs[i]);
                }
                ck_assert(f == 0 ||
                          dscq_sim_frame_end(s, f) > dscq_sim_frame_end(s, f - 1));
            }
            compared++;
        }
        for (int32_t i = 0; i < w.q->input_count; i++)
            dscq_free(inputs[i]);
        dscq_sim_destroy(s);
        dscq_program_destroy(p);
        world_end(&w);
    }
    ck_assert_int_gt(compared, 30);
}
END_TEST

/* ---- inverted residual blocks on small buffers: channel groups, fused bands ---- */

static int32_t add_conv(dscq_qmodel *q, dscq_rng *r, int32_t x, int32_t shape[3])
{
    /* shape: output channels, kernel, stride; depthwise when channels < 0 */
    const dscq_qtensor t = q->tensor[x];
    const int32_t dw = shape[0] < 0, k = shape[1], s = shape[2], p = k / 2;
    const int32_t m = dw ? t.c : shape[0];
    dscq_qnode *n = &q->node[q->node_count];
    dscq_error err = {DSCQ_OK, ""};

    (void)snprintf(n->name, sizeof n->name, "conv%d", q->node_count);
    n->op = DSCQ_Q_CONV;
    n->input[0] = x;
    n->input_count = 1;
    n->stride_h = n->stride_w = s;
    n->pad_top = n->pad_left = n->pad_bottom = n->pad_right = p;
    n->groups = dw ? t.c : 1;
    test_ok(dscq_qweights_create(&n->weights, m, k, k, dw ? 1 : t.c, DSCQ_FORM_LINEAR,
                                 0, &err));
    n->weights->bits = 8;
    const uint64_t density = 1 + dscq_rng_below(r, 10);
    for (size_t i = 0; i < n->weights->count; i++)
        if (dscq_rng_below(r, 10) < density)
            n->weights->value[i] = (int16_t)((int)dscq_rng_below(r, 255) - 127);
    test_ok(dscq_qnode_reserve(n, m, &err));
    for (int32_t i = 0; i < m; i++) {
        n->mult[i] = (int16_t)(16384 + dscq_rng_below(r, 9000));
        n->shift[i] = (uint8_t)(dw ? 17 : 19);
        n->bias[i] = (int32_t)dscq_rng_below(r, 4000) - 2000;
    }
    n->clamp_lo = -128;
    n->clamp_hi = 127;
    const int32_t y = q->tensor_count++;
    q->tensor[y] = t;
    (void)snprintf(q->tensor[y].name, sizeof t.name, "t%d", y);
    q->tensor[y].h = (t.h + 2 * p - k) / s + 1;
    q->tensor[y].w = (t.w + 2 * p - k) / s + 1;
    q->tensor[y].c = m;
    q->tensor[y].zero_point = (int32_t)dscq_rng_below(r, 21) - 10;
    n->output = y;
    q->node_count++;
    return y;
}

static int32_t add_sum(dscq_qmodel *q, int32_t a, int32_t b)
{
    dscq_qnode *n = &q->node[q->node_count];
    dscq_error err = {DSCQ_OK, ""};

    (void)snprintf(n->name, sizeof n->name, "add%d", q->node_count++);
    n->op = DSCQ_Q_ADD;
    n->input[0] = a;
    n->input[1] = b;
    n->input_count = 2;
    test_ok(dscq_qnode_reserve(n, 2, &err));
    n->mult[0] = 16384;
    n->mult[1] = 20000;
    n->shift[0] = n->shift[1] = 7;
    n->clamp_lo = -128;
    n->clamp_hi = 127;
    n->output = q->tensor_count++;
    q->tensor[n->output] = q->tensor[b];
    (void)snprintf(q->tensor[n->output].name, 8, "t%d", n->output);
    return n->output;
}

static dscq_qmodel *block_net(dscq_rng *r)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_qmodel *q;
    const int32_t side = 6 + (int32_t)dscq_rng_below(r, 16);

    test_ok(dscq_qmodel_create(&q, &err));
    test_ok(dscq_qmodel_reserve(q, 40, 40, 1, 1, &err));
    q->tensor_count = 1;
    q->node_count = 0;
    q->tensor[0] = (dscq_qtensor){.name = "x",
                                  .h = side,
                                  .w = side,
                                  .c = 4 + (int32_t)dscq_rng_below(r, 12),
                                  .bits = 8,
                                  .is_signed = 1,
                                  .scale = 1};
    int32_t x = 0;
    for (int b = 0; b < 4; b++) {
        const int32_t c = q->tensor[x].c;
        const int32_t stride = dscq_rng_below(r, 3) == 0 ? 2 : 1;
        const int sum = stride == 1 && dscq_rng_below(r, 2);
        int32_t y = x, shape[3] = {c * (1 + (int32_t)dscq_rng_below(r, 8)), 1, 1};
        if (dscq_rng_below(r, 4))
            y = add_conv(q, r, y, shape);
        y = add_conv(q, r, y, (int32_t[3]){-1, 3, stride});
        shape[0] = sum ? c : 4 + (int32_t)dscq_rng_below(r, 24);
        y = add_conv(q, r, y, shape);
        x = sum ? add_sum(q, x, y) : y;
    }
    q->output[0].tensor = x;
    (void)snprintf(q->output[0].role, sizeof q->output[0].role, "raw");
    test_ok(dscq_qmodel_check(q, &err));
    return q;
}

START_TEST(blocks_on_small_buffers_equal_the_reference)
{
    int compared = 0, grouped = 0;

    for (uint64_t seed = 0; seed < cases(); seed++) {
        dscq_rng root = dscq_rng_seeded(4000 + seed), r = dscq_rng_fork(&root, "b", 0);
        const dscq_sim_options opt = {.capture = 1, .certify = 2, .certify_seed = seed};
        dscq_error err = {DSCQ_OK, ""};
        dscq_program *p = NULL;
        dscq_sim *s = NULL;
        world w = {.q = block_net(&r)};
        world_answer(&w, &r);
        world_machine(&w.m, &r);
        w.m.acc_banks = 2;
        w.m.acc_rows = 64;
        w.m.schedule.fuse = DSCQ_SCHEDULE_FUSE_AUTO;
        w.m.schedule.objective = DSCQ_SCHEDULE_FOR_TRAFFIC;
        w.m.act_bytes = 2048 * (1 + (int64_t)dscq_rng_below(&r, 8));
        w.m.weight_bytes = 1024 * (1 + (int64_t)dscq_rng_below(&r, 6));
        w.m.act_banks = 4;
        w.m.act_word_bytes = 4;
        if (dscq_lower(&p, NULL, w.q, &w.m, NULL, &err) == DSCQ_OK) {
            for (size_t i = 0; i < p->queue_count[DSCQ_UNIT_COMPUTE]; i++)
                if (p->queue[DSCQ_UNIT_COMPUTE][i].flags & DSCQ_CMD_ACC_HELD) {
                    grouped++;
                    break;
                }
            /* [L9] [B4] held sums are right, and commands end as if they were alone */
            ck_assert_msg(dscq_sim_run(&s, p, &w.m, (const void *const *)w.input, &opt,
                                       &err) == DSCQ_OK,
                          "seed %llu: %s", (unsigned long long)seed, err.msg);
            compare(&w, s, seed);
            compared++;
        }
        dscq_sim_destroy(s);
        dscq_program_destroy(p);
        world_end(&w);
    }
    ck_assert_int_gt(compared, (int)cases() / 2);
    ck_assert_int_gt(grouped, (int)cases() / 20);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("sim_random", &tc);

    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, outputs_equal_the_reference);
    tcase_add_test(tc, wide_tensors_equal_the_reference);
    tcase_add_test(tc, deep_networks_equal_the_reference);
    tcase_add_test(tc, frames_on_real_dram_equal_the_reference);
    tcase_add_test(tc, blocks_on_small_buffers_equal_the_reference);
    tcase_add_test(tc, order_of_evaluation_does_not_matter);
    return s;
}

int main(void)
{
    return test_run(make);
}
