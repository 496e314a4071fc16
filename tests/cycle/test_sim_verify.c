/* simulate --verify: a fault planted in the machine is named by its place. --frames N:
 * every frame's bytes, what N frames may and may not take, weights that stay on the
 * chip. */
#include "dscq/base/alloc.h"
#include "dscq/flow/simulate.h"
#include "dscq/lower/lower.h"
#include "qmodel_random.h"
#include "sim_world.h"
#include "support.h"

#include <string.h>

enum { H = 4, W = 5, C = 2, K = 3, FAULT_WEIGHT = 77 };

/* 4 x 5 x 2 through a 1 x 1 convolution of three channels, then a second one of one. */
static dscq_qmodel *two_layers(void)
{
    static const int8_t k_first[K * C] = {1, 2, FAULT_WEIGHT, 3, 4, 5};
    dscq_error err = {DSCQ_OK, ""};
    dscq_qmodel *q;

    test_ok(dscq_qmodel_create(&q, &err));
    test_ok(dscq_qmodel_reserve(q, 3, 2, 1, 1, &err));
    for (int i = 0; i < 3; i++) {
        q->tensor[i] = (dscq_qtensor){.h = H,
                                      .w = W,
                                      .c = i == 0   ? C
                                           : i == 1 ? K
                                                    : 1,
                                      .bits = 8,
                                      .is_signed = 1,
                                      .scale = 1};
        q->tensor[i].name[0] = (char)('a' + i);
    }
    for (int i = 0; i < 2; i++) {
        dscq_qnode *n = &q->node[i];
        const int32_t k = i == 0 ? K : 1, c = i == 0 ? C : K;
        strcpy(n->name, i == 0 ? "first" : "second");
        n->op = DSCQ_Q_CONV;
        n->input_count = 1;
        n->input[0] = i;
        n->output = i + 1;
        n->clamp_lo = -128;
        n->clamp_hi = 127;
        test_ok(
            dscq_qweights_create(&n->weights, k, 1, 1, c, DSCQ_FORM_LINEAR, 0, &err));
        n->weights->bits = 8;
        for (int32_t w = 0; w < k * c; w++)
            n->weights->value[w] = i == 0 ? k_first[w] : 1;
        test_ok(dscq_qnode_reserve(n, k, &err));
        for (int32_t m = 0; m < k; m++) {
            n->mult[m] = 16384;
            n->shift[m] = 6;
        }
    }
    q->output[0].tensor = 2;
    strcpy(q->output[0].role, "raw");
    test_ok(dscq_qmodel_check(q, &err));
    return q;
}

/* The bit that makes the weight 77 of channel 1 a 76. */
static void plant(dscq_program *p)
{
    int planted = 0;

    for (uint64_t i = 0; i < p->image_bytes && !planted; i++)
        if (p->image[i] == FAULT_WEIGHT) {
            p->image[i] ^= 1;
            planted = 1;
        }
    ck_assert_int_eq(planted, 1);
}

static void expect_fault(int32_t frames, int32_t frame, int with_fault,
                         const char *want)
{
    dscq_qmodel *q = two_layers();
    int8_t x[2][H][W][C] = {{{{0}}}};
    const dscq_lower_options lo = {.frames = frames};
    const dscq_sim_options o = {.capture = 1, .certify = 4};
    const void *inputs[1] = {x};
    dscq_error err = {DSCQ_OK, ""};
    dscq_program *p;
    dscq_machine m;
    dscq_sim *s;
    int compared = -1;

    x[frame][2][3][0] = 1; /* only there does the weight matter */
    test_ok(dscq_machine_defaults(&m, &err));
    m.schedule.fuse = DSCQ_SCHEDULE_FUSE_NONE; /* layer by layer: every tensor exists */
    test_ok(dscq_lower(&p, NULL, q, &m, &lo, &err));
    if (with_fault)
        plant(p);
    test_ok(dscq_sim_run(&s, p, &m, inputs, &o, &err));
    if (with_fault)
        test_fails(dscq_flow_sim_verify(&compared, q, s, inputs, frames, &err),
                   DSCQ_MISMATCH, want);
    else
        test_ok(dscq_flow_sim_verify(&compared, q, s, inputs, frames, &err));
    ck_assert_int_eq(compared, with_fault ? -1 : 2);
    dscq_sim_destroy(s);
    dscq_program_destroy(p);
    dscq_qmodel_destroy(q);
}

START_TEST(a_planted_fault_is_named_by_its_place)
{
    expect_fault(1, 0, 0, "");
    expect_fault(2, 1, 0, "");
    expect_fault(1, 0, 1,
                 "layer 'first', channel 1, row 2, column 3: the machine has 76, the "
                 "integer reference 77");
    expect_fault(2, 1, 1,
                 "frame 1, layer 'first', channel 1, row 2, column 3: the machine has "
                 "76, the integer reference 77");
    expect_fault(2, 0, 1, /* of earlier frames only the outputs are kept */
                 "frame 0, layer 'second', channel 0, row 2, column 3: the machine has "
                 "81, the integer reference 82");
}
END_TEST

/* ---- several frames ----------------------------------------------------- */

enum { FRAMES = 4 };

static dscq_sim *run(const dscq_qmodel *q, const dscq_machine *m, int32_t frames,
                     const void *const *inputs, dscq_sim_bound *bound)
{
    const dscq_lower_options lo = {.frames = frames};
    dscq_error err = {DSCQ_OK, ""};
    dscq_program *p = NULL;
    dscq_sim *s = NULL;

    if (dscq_lower(&p, NULL, q, m, &lo, &err) == DSCQ_OK)
        test_ok(dscq_sim_run(&s, p, m, inputs, NULL, &err));
    if (s != NULL)
        *bound = dscq_sim_lower_bound(p, m);
    dscq_program_destroy(p); /* outputs and counters are the simulation's own */
    return s;
}

static void check_frames(const dscq_qmodel *q, const dscq_machine *m,
                         void *const *inputs, const dscq_sim *all, dscq_sim_bound bound,
                         uint64_t seed)
{
    const uint64_t cycles = dscq_sim_counters(all)->cycles;
    uint64_t alone = 0;

    for (int32_t f = 0; f < FRAMES; f++) {
        const void *one[16];
        dscq_sim_bound b;
        for (int32_t i = 0; i < q->input_count; i++) {
            const dscq_qtensor *t = &q->tensor[q->input[i].tensor];
            one[i] = (const uint8_t *)inputs[i] + (size_t)f * dscq_qtensor_bytes(t);
        }
        dscq_sim *s = run(q, m, 1, one, &b);
        ck_assert_ptr_nonnull(s);
        for (int32_t i = 0; i < q->output_count; i++) {
            size_t bytes, again;
            const void *want = dscq_sim_output(s, i, 0, &bytes);
            const void *got = dscq_sim_output(all, i, f, &again);
            ck_assert_uint_eq(bytes, again);
            ck_assert_msg(memcmp(got, want, bytes) == 0, "seed %d frame %d output %d",
                          (int)seed, f, i);
        }
        alone += dscq_sim_counters(s)->cycles;
        ck_assert_uint_ge(cycles, dscq_sim_counters(s)->cycles);
        ck_assert_uint_eq(dscq_sim_counters(all)->mac_done,
                          FRAMES * dscq_sim_counters(s)->mac_done);
        /* work of N frames over the peak rate of the slowest unit */
        ck_assert_uint_ge(bound.compute + FRAMES, FRAMES * b.compute);
        ck_assert_uint_ge(bound.post + FRAMES, FRAMES * b.post);
        if (f > 0)
            ck_assert_uint_gt(dscq_sim_frame_end(all, f),
                              dscq_sim_frame_end(all, f - 1));
        dscq_sim_destroy(s);
    }
    ck_assert_uint_eq(dscq_sim_frame_end(all, FRAMES - 1), cycles);
    ck_assert_uint_ge(cycles, bound.cycles);
    /* loads of the next frame may come before the last stores of this one */
    ck_assert_msg(10 * cycles <= 11 * alone,
                  "seed %d: %d frames take %llu cycles, alone %llu", (int)seed, FRAMES,
                  (unsigned long long)cycles, (unsigned long long)alone);
}

START_TEST(frames_cost_what_they_must)
{
    const qmodel_random_opts o = {.nodes = 8, .max_side = 16, .max_channels = 20};
    int taken = 0;

    for (uint64_t seed = 0; seed < 40; seed++) {
        dscq_rng root = dscq_rng_seeded(seed + 9000);
        dscq_rng r = dscq_rng_fork(&root, "net", 0), rm = dscq_rng_fork(&root, "m", 0);
        dscq_error err = {DSCQ_OK, ""};
        dscq_sim_bound bound;
        dscq_qmodel *q;
        dscq_machine m;
        void *inputs[16];
        test_ok(qmodel_random(&q, &r, &o, &err));
        world_machine(&m, &rm);
        m.engine = _i;
        if (_i == 1)
            m.multipliers = 4096;
        for (int32_t i = 0; i < q->input_count; i++) {
            const dscq_qtensor *t = &q->tensor[q->input[i].tensor];
            inputs[i] = dscq_malloc(dscq_qtensor_bytes(t), FRAMES);
            for (size_t f = 0; f < FRAMES; f++)
                qmodel_random_codes(t, (uint8_t *)inputs[i] + f * dscq_qtensor_bytes(t),
                                    &r);
        }
        dscq_sim *all = run(q, &m, FRAMES, (const void *const *)inputs, &bound);
        if (all != NULL) {
            taken++;
            check_frames(q, &m, inputs, all, bound, seed);
        }
        dscq_sim_destroy(all);
        for (int32_t i = 0; i < q->input_count; i++)
            dscq_free(inputs[i]);
        dscq_qmodel_destroy(q);
    }
    ck_assert_int_gt(taken, 20);
}
END_TEST

/* weights = onchip: N frames load them once; streamed: N times. */
START_TEST(resident_weights_are_loaded_once)
{
    dscq_qmodel *q = two_layers();
    static const int8_t x[FRAMES][H][W][C];
    const void *inputs[1] = {x};
    dscq_error err = {DSCQ_OK, ""};
    dscq_sim_bound b;
    dscq_machine m;
    uint64_t bytes[2][2];

    test_ok(dscq_machine_defaults(&m, &err));
    for (int onchip = 0; onchip < 2; onchip++)
        for (int many = 0; many < 2; many++) {
            m.schedule.weights =
                onchip ? DSCQ_SCHEDULE_WEIGHTS_ONCHIP : DSCQ_SCHEDULE_WEIGHTS_STREAM;
            dscq_sim *s = run(q, &m, many ? FRAMES : 1, inputs, &b);
            ck_assert_ptr_nonnull(s);
            bytes[onchip][many] = dscq_sim_counters(s)->dram_weight_bytes;
            dscq_sim_destroy(s);
        }
    ck_assert_uint_gt(bytes[1][0], 0);
    ck_assert_uint_eq(bytes[1][1], bytes[1][0]);
    ck_assert_uint_eq(bytes[0][0], bytes[1][0]);
    ck_assert_uint_eq(bytes[0][1], FRAMES * bytes[0][0]);
    dscq_qmodel_destroy(q);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("sim_verify", &tc);

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_planted_fault_is_named_by_its_place);
    tcase_add_loop_test(tc, frames_cost_what_they_must, 0, 2);
    tcase_add_test(tc, resident_weights_are_loaded_once);
    return s;
}

int main(void)
{
    return test_run(make);
}
