/* The pipeline's recurrence against the stepped model on random graphs; hand cases. */
#include "dscq/base/alloc.h"
#include "dscq/base/rng.h"
#include "dscq/hw/memory.h"
#include "dscq/hw/pipeline.h"
#include "dscq/hw/pipeline_stepped.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STAGES = 32, FIFOS = 96 };

static dscq_pipe *new_pipe(void)
{
    dscq_pipe *p = dscq_calloc(1, sizeof *p);

    p->stage = dscq_calloc(STAGES, sizeof *p->stage);
    p->fifo = dscq_calloc(FIFOS, sizeof *p->fifo);
    return p;
}

static int32_t add_stage(dscq_pipe *p, dscq_pipe_kind kind, int32_t rows,
                         int32_t cycles, int32_t latency)
{
    dscq_pipe_stage *s = &p->stage[p->stage_count];

    (void)snprintf(s->name, sizeof s->name, "s%d", p->stage_count);
    s->kind = kind;
    s->rows = rows;
    s->cycles = cycles;
    s->latency = latency;
    return p->stage_count++;
}

/* Windows of `kernel` rows at `stride`, `pad` rows of padding above. */
static dscq_pipe_fifo *add_fifo(dscq_pipe *p, int32_t from, int32_t to, int32_t kernel,
                                int32_t stride, int32_t pad, int32_t extra)
{
    dscq_pipe_fifo *f = &p->fifo[p->fifo_count++];
    const int32_t in = p->stage[from].rows, out = p->stage[to].rows;
    int32_t most = 1, had = 0;

    f->from = from;
    f->to = to;
    f->lo = dscq_calloc((size_t)out, sizeof *f->lo);
    f->hi = dscq_calloc((size_t)out, sizeof *f->hi);
    for (int32_t n = 0; n < out; n++) {
        int32_t lo = n * stride - pad, hi = lo + kernel;
        hi = hi > in ? in : hi < had ? had : hi;
        lo = lo < 0 ? 0 : lo > had ? had : lo;
        f->lo[n] = lo;
        f->hi[n] = had = hi;
        most = hi - lo > most ? hi - lo : most;
    }
    f->used = had;
    f->rows = most + extra;
    return f;
}

static void random_dma(dscq_pipe_stage *s, dscq_rng *r)
{
    s->row_bytes = 1 + dscq_rng_below(r, 200);
    s->frame_bytes = (s->row_bytes * (uint64_t)s->rows + 63) / 64 * 64;
    s->address = 4096 * dscq_rng_below(r, 8);
}

/* A random acyclic graph: loads, windows, joins with shortcuts, stores. */
static dscq_pipe *random_pipe(dscq_rng *r)
{
    dscq_pipe *p = new_pipe();
    const int32_t nodes = 2 + (int32_t)dscq_rng_below(r, 8);
    uint8_t read[STAGES] = {0};

    const int32_t loads = 1 + (int32_t)dscq_rng_below(r, 2);
    for (int32_t i = 0; i < loads; i++) {
        add_stage(p, DSCQ_PIPE_LOAD, 3 + (int32_t)dscq_rng_below(r, 14), 1, 0);
        random_dma(&p->stage[i], r);
    }
    for (int32_t i = 0; i < nodes; i++) {
        const int32_t from =
            i < loads ? i : (int32_t)dscq_rng_below(r, (uint64_t)p->stage_count);
        const int32_t in = p->stage[from].rows;
        int32_t kernel = 1 + (int32_t)dscq_rng_below(r, 4);
        const int32_t stride = 1 + (int32_t)dscq_rng_below(r, 3);
        kernel = kernel > in ? in : kernel;
        if (dscq_rng_below(r, 10) == 0)
            kernel = in; /* the whole map */
        const int32_t pad = (int32_t)dscq_rng_below(r, (uint64_t)kernel);
        const int32_t rows = (in + pad - kernel) / stride + 1;
        const int32_t at =
            add_stage(p, DSCQ_PIPE_LANES, rows, 1 + (int32_t)dscq_rng_below(r, 40),
                      (int32_t)dscq_rng_below(r, 10));
        add_fifo(p, from, at, kernel, stride, pad, (int32_t)dscq_rng_below(r, 4));
        read[from] = 1;
        for (int32_t k = 0; k < at; k++) /* a shortcut of the same height */
            if (p->stage[k].rows == rows && dscq_rng_below(r, 3) == 0) {
                add_fifo(p, k, at, 1, 1, 0, (int32_t)dscq_rng_below(r, 12));
                read[k] = 1;
                break;
            }
    }
    for (int32_t i = 0, n = p->stage_count; i < n; i++)
        if (!read[i]) {
            const int32_t at = add_stage(p, DSCQ_PIPE_STORE, p->stage[i].rows, 1, 0);
            add_fifo(p, i, at, 1, 1, 0, (int32_t)dscq_rng_below(r, 4));
            random_dma(&p->stage[at], r);
        }
    for (int32_t i = 0; i < loads; i++) { /* rows that nobody reads are not loaded */
        int32_t used = 1;
        for (int32_t k = 0; k < p->fifo_count; k++)
            if (p->fifo[k].from == i && p->fifo[k].used > used)
                used = p->fifo[k].used;
        p->stage[i].rows = used;
    }
    return p;
}

static void random_memory(dscq_machine *m, dscq_rng *r)
{
    dscq_error err;

    test_ok(dscq_machine_defaults(m, &err));
    m->command_cycles = (int32_t)dscq_rng_below(r, 6);
    m->burst_bytes = 8 << dscq_rng_below(r, 4);
    m->axi_ports = 1 + (int32_t)dscq_rng_below(r, 3);
    m->axi_bytes = 1 + (int32_t)dscq_rng_below(r, 16);
    m->outstanding = 1 + (int32_t)dscq_rng_below(r, 12);
    m->mem_bytes_per_cycle = 0.3 + 20 * dscq_rng_unit64(r);
    m->mem_latency_cycles = (int32_t)dscq_rng_below(r, 60);
}

static dscq_status run(dscq_pipe_result *out, const dscq_pipe *p, const dscq_machine *m,
                       int32_t frames, const int32_t *order, dscq_error *to)
{
    dscq_memory *memory = NULL;
    dscq_error err = {DSCQ_OK, ""};

    test_ok(dscq_memory_create(&memory, m, &err));
    const dscq_pipe_options o = {.frames = frames, .order = order, .memory = memory};
    const dscq_status status = dscq_pipe_run(out, p, m, &o, to);
    dscq_memory_destroy(memory);
    return status;
}

static void same(const dscq_pipe_result *a, const dscq_pipe_result *b,
                 const dscq_pipe *p, int32_t frames, uint64_t seed)
{
    ck_assert_msg(a->cycles == b->cycles, "seed %llu: %llu cycles, stepped %llu",
                  (unsigned long long)seed, (unsigned long long)a->cycles,
                  (unsigned long long)b->cycles);
    for (int32_t i = 0; i < p->stage_count; i++)
        ck_assert_msg(
            memcmp(&a->time[i], &b->time[i], sizeof a->time[i]) == 0,
            "seed %llu stage %d: busy %llu starved %llu blocked %llu idle "
            "%llu, stepped %llu %llu %llu %llu",
            (unsigned long long)seed, i, (unsigned long long)a->time[i].busy,
            (unsigned long long)a->time[i].starved,
            (unsigned long long)a->time[i].blocked, (unsigned long long)a->time[i].idle,
            (unsigned long long)b->time[i].busy, (unsigned long long)b->time[i].starved,
            (unsigned long long)b->time[i].blocked,
            (unsigned long long)b->time[i].idle);
    for (int32_t f = 0; f < frames; f++)
        ck_assert_uint_eq(a->frame_end[f], b->frame_end[f]);
    ck_assert_uint_eq(a->read_bursts, b->read_bursts);
    ck_assert_uint_eq(a->write_bursts, b->write_bursts);
}

static uint64_t cases(void)
{
    const char *n = getenv("DSCQ_PIPE_CASES");

    return n != NULL ? strtoull(n, NULL, 10) : 3000;
}

START_TEST(recurrence_equals_the_stepped_model)
{
    int ran = 0, dead = 0;

    for (uint64_t seed = 0; seed < cases(); seed++) {
        dscq_rng r = dscq_rng_seeded(seed);
        dscq_pipe *p = random_pipe(&r);
        const int32_t frames = 1 + (int32_t)dscq_rng_below(&r, 3);
        dscq_error err = {DSCQ_OK, ""}, err2 = {DSCQ_OK, ""};
        dscq_pipe_result a, b;
        dscq_machine m;
        random_memory(&m, &r);
        const dscq_status sa = run(&a, p, &m, frames, NULL, &err);
        const dscq_status sb = dscq_pipe_stepped(&b, p, &m, frames, 3000, &err2);
        ck_assert_msg(sa == sb, "seed %llu: %s / stepped: %s", (unsigned long long)seed,
                      err.msg, err2.msg);
        if (sa == DSCQ_OK) { /* [PL7] bursts counted byte by byte */
            same(&a, &b, p, frames, seed);
            ran++;
        } else {
            ck_assert_msg(strstr(err.msg, "deadlock; ") != NULL, "seed %llu: %s",
                          (unsigned long long)seed, err.msg);
            dead++;
        }
        dscq_pipe_result_clear(&a);
        dscq_pipe_result_clear(&b);
        dscq_pipe_destroy(p);
    }
    ck_assert_int_gt(ran, (int)cases() / 2);
    ck_assert_int_gt(dead, 0);
}
END_TEST

START_TEST(order_of_evaluation_does_not_matter)
{
    for (uint64_t seed = 0; seed < 300; seed++) {
        dscq_rng r = dscq_rng_seeded(100000 + seed);
        dscq_pipe *p = random_pipe(&r);
        dscq_error err = {DSCQ_OK, ""};
        dscq_pipe_result a, b;
        dscq_machine m;
        uint32_t index[STAGES];
        int32_t order[STAGES];
        random_memory(&m, &r);
        for (uint32_t i = 0; i < STAGES; i++)
            index[i] = i;
        dscq_rng_shuffle(&r, index, (uint32_t)p->stage_count);
        for (int32_t i = 0; i < p->stage_count; i++)
            order[i] = (int32_t)index[i];
        const dscq_status sa = run(&a, p, &m, 2, NULL, &err);
        const dscq_status sb = run(&b, p, &m, 2, order, &err);
        ck_assert_msg(sa == sb, "seed %llu: %s", (unsigned long long)seed, err.msg);
        if (sa == DSCQ_OK)
            same(&a, &b, p, 2, seed);
        dscq_pipe_result_clear(&a);
        dscq_pipe_result_clear(&b);
        dscq_pipe_destroy(p);
    }
}
END_TEST

/* Section 14, example 1: two stages without memory. A makes 4 rows, 3 cycles each,
 * visible 2 cycles later; B needs 2 rows a firing (stride 2) and takes 5. */
START_TEST(hand_case_of_two_stages)
{
    dscq_pipe *p = new_pipe();
    dscq_error err = {DSCQ_OK, ""};
    dscq_pipe_result r;
    dscq_machine m;

    const int32_t a = add_stage(p, DSCQ_PIPE_LANES, 4, 3, 2);
    const int32_t b = add_stage(p, DSCQ_PIPE_VECTOR, 2, 5, 0);
    add_fifo(p, a, b, 2, 2, 0, 1); /* three rows */
    test_ok(dscq_machine_defaults(&m, &err));
    const dscq_pipe_options o = {.frames = 1};
    test_ok(dscq_pipe_run(&r, p, &m, &o, &err));
    /* A: 0..3, 3..6, 6..9, then full until B frees rows 0 and 1 in 13: 13..16.
     * B: rows 0 and 1 visible in 8: 8..13; rows 2 and 3 visible in 18: 18..23. */
    ck_assert_uint_eq(r.cycles, 23); /* [PL1] */
    ck_assert_uint_eq(r.time[a].busy, 12);
    ck_assert_uint_eq(r.time[a].blocked, 4); /* [PL9] */
    ck_assert_uint_eq(r.time[a].starved, 0);
    ck_assert_uint_eq(r.time[a].idle, 7);
    ck_assert_uint_eq(r.time[b].busy, 10);
    ck_assert_uint_eq(r.time[b].starved, 13);
    ck_assert_uint_eq(r.time[b].idle, 0);
    dscq_pipe_result_clear(&r);
    dscq_pipe_destroy(p);
}
END_TEST

/* Example 2: a shortcut around a 3-row window. The sum's first row needs row 1 of the
 * source, so the shortcut must hold two rows; with one the machine deadlocks. */
START_TEST(hand_case_of_a_short_shortcut)
{
    for (int32_t rows = 1; rows <= 2; rows++) {
        dscq_pipe *p = new_pipe();
        dscq_error err = {DSCQ_OK, ""};
        dscq_pipe_result r;
        dscq_machine m;
        const int32_t a = add_stage(p, DSCQ_PIPE_LANES, 4, 1, 0);
        const int32_t b = add_stage(p, DSCQ_PIPE_LANES, 4, 2, 0);
        const int32_t c = add_stage(p, DSCQ_PIPE_VECTOR, 4, 1, 0);
        add_fifo(p, a, b, 3, 1, 1, 1);
        add_fifo(p, b, c, 1, 1, 0, 0);
        add_fifo(p, a, c, 1, 1, 0, rows - 1);
        test_ok(dscq_machine_defaults(&m, &err));
        const dscq_pipe_options o = {.frames = 2};
        if (rows == 1)
            test_fails(dscq_pipe_run(&r, p, &m, &o, &err), DSCQ_FORMAT, /* [PL8] */
                       "pipeline: deadlock; 's0' finds the FIFO to 's2' full (1); 's1' "
                       "waits for 's0'; 's2' waits for 's1'");
        else
            test_ok(dscq_pipe_run(&r, p, &m, &o, &err));
        dscq_pipe_result_clear(&r);
        dscq_pipe_destroy(p);
    }
}
END_TEST

/* Example 3: one row from DRAM, one stage, one row back: 8-byte bursts, 8 bytes a
 * cycle, latency 10, command_cycles 2. */
START_TEST(hand_case_with_memory)
{
    dscq_pipe *p = new_pipe();
    dscq_error err = {DSCQ_OK, ""};
    dscq_pipe_result r;
    dscq_machine m;

    const int32_t a = add_stage(p, DSCQ_PIPE_LOAD, 1, 1, 0);
    const int32_t b = add_stage(p, DSCQ_PIPE_LANES, 1, 7, 3);
    const int32_t c = add_stage(p, DSCQ_PIPE_STORE, 1, 1, 0);
    add_fifo(p, a, b, 1, 1, 0, 0);
    add_fifo(p, b, c, 1, 1, 0, 0);
    p->stage[a].row_bytes = 16;
    p->stage[c].row_bytes = 4;
    p->stage[c].address = 64;
    test_ok(dscq_machine_defaults(&m, &err));
    m.burst_bytes = 8;
    m.axi_ports = 1;
    m.axi_bytes = 8;
    m.mem_bytes_per_cycle = 8;
    m.mem_latency_cycles = 10;
    m.command_cycles = 2;
    test_ok(run(&r, p, &m, 1, NULL, &err));
    /* bursts leave in 2 and 3, off the bus in 3 and 4, there in 13 and 14; stage
     * 14..21; visible in 24; the store leaves in 26, off the bus in 27, done in 37 */
    ck_assert_uint_eq(r.cycles, 37); /* [PL5] */
    ck_assert_uint_eq(r.time[b].starved, 14);
    ck_assert_uint_eq(r.read_bursts, 2);
    ck_assert_uint_eq(r.write_bursts, 1);
    dscq_pipe_result_clear(&r);
    dscq_pipe_destroy(p);
}
END_TEST

/* In the steady state a frame takes what the slowest stage takes. */
START_TEST(the_slowest_stage_sets_the_pace)
{
    dscq_pipe *p = new_pipe();
    dscq_error err = {DSCQ_OK, ""};
    dscq_pipe_result r;
    dscq_machine m;
    int32_t at = add_stage(p, DSCQ_PIPE_LANES, 16, 10, 4);

    for (int i = 0; i < 5; i++) {
        const int32_t next = add_stage(p, DSCQ_PIPE_LANES, 16, i == 2 ? 23 : 12, 4);
        add_fifo(p, at, next, 3, 1, 1, 1);
        at = next;
    }
    test_ok(dscq_machine_defaults(&m, &err));
    const dscq_pipe_options o = {.frames = 6};
    test_ok(dscq_pipe_run(&r, p, &m, &o, &err));
    for (int f = 2; f < 6; f++)
        ck_assert_uint_eq(r.frame_end[f] - r.frame_end[f - 1], 16 * 23);
    dscq_pipe_result_clear(&r);
    dscq_pipe_destroy(p);
}
END_TEST

static Suite *make(void)
{
    TCase *t;
    Suite *s = test_suite("hw_pipeline", &t);

    tcase_set_timeout(t, 600);
    tcase_add_test(t, hand_case_of_two_stages);
    tcase_add_test(t, hand_case_of_a_short_shortcut);
    tcase_add_test(t, hand_case_with_memory);
    tcase_add_test(t, the_slowest_stage_sets_the_pace);
    tcase_add_test(t, order_of_evaluation_does_not_matter);
    tcase_add_test(t, recurrence_equals_the_stepped_model);
    return s;
}

int main(void)
{
    return test_run(make);
}
