/* Random networks as pipelines: every tensor's bytes equal the integer reference for
 * several frames, laws hold, DRAM moves inputs and outputs only. */
#include "dscq/base/alloc.h"
#include "dscq/base/rng.h"
#include "dscq/hw/pipeline_stepped.h"
#include "dscq/hw/sim.h"
#include "dscq/infer/reference.h"
#include "dscq/lower/lower.h"
#include "qmodel_random.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES = 3, IO = 16 };

typedef struct world {
    dscq_qmodel *q;
    dscq_machine m;
    void *input[IO];
    void **want; /* [node], last frame */
} world;

static void random_machine(dscq_machine *m, dscq_rng *r)
{
    static const char *const k_dram[] = {"simple", "ddr3_1333", "ddr4_2400", "simple"};
    dscq_error err;

    test_ok(dscq_machine_defaults(m, &err));
    m->engine = DSCQ_ENGINE_PIPELINE;
    m->multipliers = 4096;
    m->act_bits = m->weight_bits = 16;
    m->queue_depth = 1 + (int32_t)dscq_rng_below(r, 12);
    m->acc_banks = 1 + (int32_t)dscq_rng_below(r, 3);
    m->row_queue = 1 + (int32_t)dscq_rng_below(r, 3);
    m->fifo_rows = 1 + (int32_t)dscq_rng_below(r, 3);
    m->command_cycles = (int32_t)dscq_rng_below(r, 5);
    m->post_latency_cycles = (int32_t)dscq_rng_below(r, 20);
    m->outstanding = 1 + (int32_t)dscq_rng_below(r, 32);
    m->mem_bytes_per_cycle = 0.5 + 20 * dscq_rng_unit64(r);
    m->mem_latency_cycles = (int32_t)dscq_rng_below(r, 100);
    m->target_fps = dscq_rng_below(r, 2) ? 0 : 2000 + 1e5 * dscq_rng_unit64(r);
    m->zero_skip = dscq_rng_below(r, 4) != 0;
    m->schedule.stream = (int32_t)dscq_rng_below(r, 4);
    m->schedule.balance = (int32_t)dscq_rng_below(r, 2);
    (void)snprintf(m->dram, sizeof m->dram, "%s", k_dram[dscq_rng_below(r, 4)]);
    (void)snprintf(m->data_dir, sizeof m->data_dir, "%s", test_source("data"));
}

static dscq_status keep(void *ctx, int32_t node, const dscq_qtensor *t,
                        const void *codes, dscq_error *err)
{
    world *w = ctx;

    dscq_free(w->want[node]);
    w->want[node] = dscq_malloc(dscq_qtensor_bytes(t), 1);
    if (w->want[node] == NULL)
        return dscq_fail_nomem(err, "a copy", dscq_qtensor_bytes(t));
    memcpy(w->want[node], codes, dscq_qtensor_bytes(t));
    return DSCQ_OK;
}

static const dscq_qtensor *input_of(const world *w, int32_t i)
{
    return &w->q->tensor[w->q->input[i].tensor];
}

static void make_world(world *w, uint64_t seed, const qmodel_random_opts *o)
{
    dscq_rng root = dscq_rng_seeded(seed), r = dscq_rng_fork(&root, "net", 0);
    dscq_error err = {DSCQ_OK, ""};

    memset(w, 0, sizeof *w);
    test_ok(qmodel_random(&w->q, &r, o, &err));
    w->want = dscq_calloc((size_t)w->q->node_count, sizeof *w->want);
    for (int32_t i = 0; i < w->q->input_count; i++) {
        const size_t bytes = dscq_qtensor_bytes(input_of(w, i));
        w->input[i] = dscq_malloc(bytes, FRAMES);
        for (size_t f = 0; f < FRAMES; f++)
            qmodel_random_codes(input_of(w, i), (uint8_t *)w->input[i] + f * bytes, &r);
    }
    dscq_rng rm = dscq_rng_fork(&root, "machine", 0);
    random_machine(&w->m, &rm);
}

static void end_world(world *w)
{
    for (int32_t i = 0; i < w->q->input_count; i++)
        dscq_free(w->input[i]);
    for (int32_t i = 0; i < w->q->node_count; i++)
        dscq_free(w->want[i]);
    dscq_free(w->want);
    dscq_qmodel_destroy(w->q);
}

static void compare(world *w, const dscq_sim *s, uint64_t seed)
{
    dscq_error err = {DSCQ_OK, ""};

    for (int32_t f = 0; f < FRAMES; f++) {
        const void *one[IO];
        void *out[IO];
        for (int32_t i = 0; i < w->q->input_count; i++)
            one[i] =
                (uint8_t *)w->input[i] + (size_t)f * dscq_qtensor_bytes(input_of(w, i));
        for (int32_t i = 0; i < w->q->output_count; i++)
            out[i] = dscq_malloc(
                dscq_qtensor_bytes(&w->q->tensor[w->q->output[i].tensor]), 1);
        test_ok(dscq_infer_reference(w->q, one, out, keep, w, &err));
        for (int32_t i = 0; i < w->q->output_count; i++) {
            size_t bytes;
            const void *got = dscq_sim_output(s, i, f, &bytes);
            ck_assert_msg(memcmp(got, out[i], bytes) == 0,
                          "seed %llu frame %d output %d", (unsigned long long)seed, f,
                          i);
            dscq_free(out[i]);
        }
    }
    for (int32_t i = 0; i < w->q->node_count; i++) {
        size_t bytes;
        const void *got = dscq_sim_tensor(s, w->q->node[i].output, &bytes);
        ck_assert_msg(got != NULL && memcmp(got, w->want[i], bytes) == 0,
                      "seed %llu: layer %s", (unsigned long long)seed,
                      w->q->node[i].name);
    }
}

static void check_traffic(const world *w, const dscq_program *p, const dscq_sim *s)
{
    const dscq_counters *c = dscq_sim_counters(s);
    uint64_t in = 0, out = 0;

    for (int32_t i = 0; i < dscq_program_pipe(p)->stage_count; i++) {
        const dscq_pipe_stage *x = &dscq_program_pipe(p)->stage[i];
        const uint64_t bytes = FRAMES * (uint64_t)x->rows * x->row_bytes;
        in += x->kind == DSCQ_PIPE_LOAD ? bytes : 0;
        out += x->kind == DSCQ_PIPE_STORE ? bytes : 0;
    }
    for (int32_t i = 0; i < w->q->output_count; i++)
        out -= FRAMES * dscq_qtensor_bytes(&w->q->tensor[w->q->output[i].tensor]);
    ck_assert_uint_eq(out, 0);
    ck_assert_uint_eq(c->dram_act_read_bytes, in);
    ck_assert_uint_eq(c->dram_weight_bytes, 0);
}

static int one_case(uint64_t seed, const qmodel_random_opts *o)
{
    const dscq_lower_options lo = {.frames = FRAMES};
    const dscq_sim_options opt = {.capture = 1}, timing = {.no_data = 1};
    dscq_program *p = NULL;
    dscq_sim *s = NULL, *quick = NULL;
    dscq_error err = {DSCQ_OK, ""};
    world w;

    make_world(&w, seed, o);
    const dscq_status status = dscq_lower(&p, NULL, w.q, &w.m, &lo, &err);
    if (status == DSCQ_ARG) {
        ck_assert_msg(strstr(err.msg, "multipliers is too small") != NULL, "%s",
                      err.msg);
        end_world(&w);
        return 0;
    }
    ck_assert_msg(status == DSCQ_OK, "seed %llu: %s", (unsigned long long)seed,
                  err.msg);
    /* [PL6] FIFOs into joins hold what the other side needs: no deadlock */
    ck_assert_msg(dscq_sim_run(&s, p, &w.m, (const void *const *)w.input, &opt, &err) ==
                      DSCQ_OK,
                  "seed %llu: %s", (unsigned long long)seed, err.msg);
    compare(&w, s, seed);
    check_traffic(&w, p, s);
    test_ok(dscq_sim_run(&quick, p, &w.m, NULL, &timing, &err));
    ck_assert_mem_eq(dscq_sim_counters(quick), dscq_sim_counters(s),
                     sizeof(dscq_counters));
    for (int32_t f = 1; f < FRAMES; f++)
        ck_assert(dscq_sim_frame_end(s, f) > dscq_sim_frame_end(s, f - 1));
    dscq_sim_destroy(quick);
    dscq_sim_destroy(s);
    dscq_program_destroy(p);
    end_world(&w);
    return 1;
}

static uint64_t cases(void)
{
    const char *n = getenv("DSCQ_SIM_CASES");

    return n != NULL ? strtoull(n, NULL, 10) : 60;
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

START_TEST(wide_and_deep_networks_equal_the_reference)
{
    const qmodel_random_opts o = {
        .nodes = 24, .max_side = 18, .max_channels = 20, .wide = 1};
    int compared = 0;

    for (uint64_t i = 0; i < cases() / 3; i++)
        compared += one_case(700000 + i, &o);
    ck_assert_int_gt(compared, (int)cases() / 6);
}
END_TEST

/* Every row of every stage against the stepped model, on machines with other queues,
 * banks and widths than it was made for. Returns how many. */
static int check_rows(dscq_program *p, const dscq_machine *given, uint64_t seed)
{
    dscq_pipe *pipe = dscq_program_pipe(p);
    dscq_rng r = dscq_rng_seeded(seed);
    dscq_error err = {DSCQ_OK, ""};
    dscq_machine m = *given;
    int rows = 0;

    for (int i = 0; i < 5; i++) {
        test_ok(dscq_pipe_measure(p, &m, &err));
        for (int32_t k = 0; k < pipe->stage_count; k++) {
            const dscq_pipe_stage *s = &pipe->stage[k];
            uint64_t want;
            if (s->kind < DSCQ_PIPE_LANES)
                continue;
            test_ok(dscq_pipe_stepped_row(&want, p, k, &m, &err));
            /* [PL2] lanes [PL3] with a width of their own [PL4] vector stages */
            ck_assert_msg((uint64_t)s->cycles == want,
                          "seed %llu, %s: a row takes %d cycles, stepped %llu",
                          (unsigned long long)seed, s->name, s->cycles,
                          (unsigned long long)want);
            rows++;
        }
        m.queue_depth = 1 + (int32_t)dscq_rng_below(&r, 9);
        m.row_queue = 1 + (int32_t)dscq_rng_below(&r, 4);
        m.acc_banks = 1 + (int32_t)dscq_rng_below(&r, 4);
        m.command_cycles = (int32_t)dscq_rng_below(&r, 5);
        for (int32_t k = 0; k < pipe->stage_count; k++)
            pipe->stage[k].post = 1 + (int32_t)dscq_rng_below(&r, 9);
    }
    return rows;
}

START_TEST(rows_equal_the_stepped_model)
{
    const qmodel_random_opts o = {.nodes = 10, .max_side = 20, .max_channels = 24};
    const dscq_lower_options lo = {.frames = 1};
    int rows = 0;

    for (uint64_t i = 0; i < 2 * cases(); i++) {
        dscq_program *p = NULL;
        dscq_error err = {DSCQ_OK, ""};
        world w;
        make_world(&w, 5000000 + i, &o);
        if (dscq_lower(&p, NULL, w.q, &w.m, &lo, &err) == DSCQ_OK)
            rows += check_rows(p, &w.m, i);
        dscq_program_destroy(p);
        end_world(&w);
    }
    ck_assert_msg(rows > 40 * (int)cases(), "%d rows", rows);
}
END_TEST

/* A shortcut that is too short is a deadlock, and says where. */
START_TEST(a_short_shortcut_is_named)
{
    const qmodel_random_opts o = {.nodes = 14, .max_side = 24, .max_channels = 12};
    int dead = 0;

    for (uint64_t seed = 0; seed < 120 && dead < 3; seed++) {
        dscq_error err = {DSCQ_OK, ""};
        dscq_program *p = NULL;
        dscq_sim *s = NULL;
        const dscq_sim_options timing = {.no_data = 1};
        world w;
        make_world(&w, 40000 + seed, &o);
        w.m.shortcut_rows = 1;
        const dscq_status status = dscq_lower(&p, NULL, w.q, &w.m, NULL, &err);
        if (status == DSCQ_OK &&
            dscq_sim_run(&s, p, &w.m, NULL, &timing, &err) == DSCQ_FORMAT) {
            ck_assert_msg(strstr(err.msg, "pipeline: deadlock; '") != NULL &&
                              strstr(err.msg, "finds the FIFO to '") != NULL,
                          "%s", err.msg);
            dead++;
        }
        dscq_sim_destroy(s);
        dscq_program_destroy(p);
        end_world(&w);
    }
    ck_assert_int_ge(dead, 3);
}
END_TEST

static Suite *make(void)
{
    TCase *t;
    Suite *s = test_suite("pipe_random", &t);

    tcase_set_timeout(t, 600);
    tcase_add_test(t, outputs_equal_the_reference);
    tcase_add_test(t, wide_and_deep_networks_equal_the_reference);
    tcase_add_test(t, rows_equal_the_stepped_model);
    tcase_add_test(t, a_short_shortcut_is_named);
    return s;
}

int main(void)
{
    return test_run(make);
}
