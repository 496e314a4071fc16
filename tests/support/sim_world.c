#include "sim_world.h"

#include "dscq/base/alloc.h"
#include "dscq/infer/reference.h"
#include "support.h"

#include <string.h>

static dscq_status keep(void *ctx, int32_t node, const dscq_qtensor *t,
                        const void *codes, dscq_error *err)
{
    world *w = ctx;

    w->want[node] = dscq_malloc(dscq_qtensor_bytes(t), 1);
    if (w->want[node] == NULL)
        return dscq_fail_nomem(err, "a copy", dscq_qtensor_bytes(t));
    memcpy(w->want[node], codes, dscq_qtensor_bytes(t));
    return DSCQ_OK;
}

static int32_t pick(dscq_rng *r, const int32_t *v, size_t n)
{
    return v[dscq_rng_below(r, n)];
}

void world_machine(dscq_machine *m, dscq_rng *r)
{
    static const int32_t k_mult[] = {16, 32, 64, 128, 256};
    static const int32_t k_kib[] = {4, 8, 16, 64, 256, 1024};
    dscq_error err;

    test_ok(dscq_machine_defaults(m, &err));
    m->multipliers = pick(r, k_mult, 5);
    m->lanes.count = 0;
    for (int32_t l = 2; l <= m->multipliers; l *= 2)
        if (dscq_rng_below(r, 2) || l * 2 > m->multipliers)
            m->lanes.v[m->lanes.count++] = l;
    m->act_bits = 16;
    m->weight_bits = 16;
    m->queue_depth = 1 + (int32_t)dscq_rng_below(r, 12);
    m->acc_rows = 1 + (int32_t)dscq_rng_below(r, 64);
    m->acc_banks = 1 + (int32_t)dscq_rng_below(r, 3);
    m->row_queue = 1 + (int32_t)dscq_rng_below(r, 3);
    m->row_registers = 1 + (int32_t)dscq_rng_below(r, 5);
    m->post_entries = 1 << dscq_rng_below(r, 8);
    m->act_banks = 1 << dscq_rng_below(r, 5);
    m->act_word_bytes = 4 << dscq_rng_below(r, 2);
    m->act_bytes = 1024 * (int64_t)pick(r, k_kib, 6);
    m->weight_bytes = 1024 * (int64_t)pick(r, k_kib + 1, 5);
    m->outstanding = 1 + (int32_t)dscq_rng_below(r, 32);
    m->mem_bytes_per_cycle = 0.5 + 20 * dscq_rng_unit64(r);
    m->mem_latency_cycles = (int32_t)dscq_rng_below(r, 100);
    m->zero_skip = dscq_rng_below(r, 4) != 0;
    m->schedule.fuse = (int32_t)dscq_rng_below(r, 5);
    m->schedule.resident = (int32_t)dscq_rng_below(r, 2);
    m->schedule.order = (int32_t)dscq_rng_below(r, 3);
    m->schedule.dataflow = (int32_t)dscq_rng_below(r, 3);
    m->schedule.stream = (int32_t)dscq_rng_below(r, 4);
    m->schedule.weights = (int32_t)dscq_rng_below(r, 2);
    m->schedule.objective = dscq_rng_below(r, 2) ? 2 : 0;
    m->schedule.balance = (int32_t)dscq_rng_below(r, 2);
    m->schedule.epilogue = (int32_t)dscq_rng_below(r, 2);
    m->int8_pairs = dscq_rng_below(r, 3) == 0;
}

void world_answer(world *w, dscq_rng *r)
{
    dscq_error err = {DSCQ_OK, ""};

    w->input = dscq_calloc((size_t)w->q->input_count, sizeof *w->input);
    w->want = dscq_calloc((size_t)w->q->node_count, sizeof *w->want);
    for (int32_t i = 0; i < w->q->input_count; i++) {
        const dscq_qtensor *t = &w->q->tensor[w->q->input[i].tensor];
        w->input[i] = dscq_malloc(dscq_qtensor_bytes(t), 1);
        qmodel_random_codes(t, w->input[i], r);
    }
    test_ok(
        dscq_infer_reference(w->q, (const void *const *)w->input, NULL, keep, w, &err));
}

void world_make(world *w, uint64_t seed, const qmodel_random_opts *o)
{
    dscq_rng root = dscq_rng_seeded(seed), r = dscq_rng_fork(&root, "net", 0);
    dscq_error err = {DSCQ_OK, ""};

    memset(w, 0, sizeof *w);
    test_ok(qmodel_random(&w->q, &r, o, &err));
    world_answer(w, &r);
    dscq_rng rm = dscq_rng_fork(&root, "machine", 0);
    world_machine(&w->m, &rm);
}

void world_end(world *w)
{
    for (int32_t i = 0; i < w->q->input_count; i++)
        dscq_free(w->input[i]);
    for (int32_t i = 0; i < w->q->node_count; i++)
        dscq_free(w->want[i]);
    dscq_free(w->input);
    dscq_free(w->want);
    dscq_qmodel_destroy(w->q);
}
