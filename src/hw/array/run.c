/* A run of the array: each unit works through its queue as its tokens come. */
#include "run.h"

#include "dscq/base/alloc.h"
#include "dscq/base/ints.h"
#include "dscq/base/rng.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const size_t DECODED_MAX_BYTES = (size_t)96 << 20;

/* ---- compute --------------------------------------------------------------------- */

static void evict(sim_state *st, int32_t keep)
{
    while (st->decoded_bytes > DECODED_MAX_BYTES) {
        int32_t oldest = -1;
        for (int32_t i = 0; i < st->p->wtile_count; i++)
            if (st->decoded[i] != NULL && i != keep &&
                (oldest < 0 || st->decoded[i]->asked < st->decoded[oldest]->asked))
                oldest = i;
        if (oldest < 0)
            return;
        st->decoded_bytes -= st->decoded[oldest]->bytes;
        hw__decoded_destroy(st->decoded[oldest]);
        st->decoded[oldest] = NULL;
    }
}

static dscq_status weights_of(sim_state *st, const dscq_hw_cmd *c, hw_decoded **out)
{
    *out = NULL;
    if (c->wtile < 0)
        return DSCQ_OK;
    hw_decoded **d = &st->decoded[c->wtile];
    if (*d == NULL) {
        const dscq_hw_wtile *w = &st->p->wtile[c->wtile];
        const int32_t each = dscq_entry_cycles(&st->s->machine, st->p->op[w->op].vector,
                                               dscq_hw_wtile_is_wide(st->p, w));
        const dscq_status status =
            hw__decode(d, st->p, w, each, !st->opt->no_data, st->err);
        if (status != DSCQ_OK)
            return status;
        st->decoded_bytes += (*d)->bytes;
        evict(st, c->wtile);
    }
    (*d)->asked = ++st->decode_clock;
    *out = *d;
    return DSCQ_OK;
}

static dscq_status compute_one(sim_state *st, const dscq_hw_cmd *c, hw_ready ready)
{
    dscq_counters *layer = &st->s->layer[st->p->op[c->op].layer];
    hw_decoded *w = NULL;
    hw_done done;
    dscq_status status;

    DSCQ_TRY(weights_of(st, c, &w));
    DSCQ_TRY(hw__array_run(&done, &st->array, c, w, ready, layer, st->err));
    if (!st->opt->no_data)
        DSCQ_TRY(hw__data_compute(&st->data, c, w, st->err));
    layer->commands++;
    layer->cycles += done.weight_read - st->held_until;
    st->held_until = done.weight_read;
    st->end = dscq_max64(st->end, done.out_written);
    st->s->frame_end[c->frame] =
        dscq_max64(st->s->frame_end[c->frame], done.out_written);
    DSCQ_TRY(hw__token_add(st, DSCQ_TOKEN_ACT_READ, done.act_read));
    DSCQ_TRY(hw__token_add(st, DSCQ_TOKEN_WEIGHT_READ, done.weight_read));
    DSCQ_TRY(hw__token_add(st, DSCQ_TOKEN_OUT_WRITTEN, done.out_written));
    if (st->opt->event != NULL) {
        const dscq_sim_event e = {.unit = DSCQ_UNIT_COMPUTE,
                                  .stage = -1,
                                  .op = c->op,
                                  .frame = c->frame,
                                  .command = (int32_t)st->computed,
                                  .ready = ready.cycle,
                                  .start = done.start,
                                  .end = done.weight_read};
        st->opt->event(st->opt->event_ctx, &e);
    }
    st->computed++;
done:
    return status;
}

static dscq_status compute_all(sim_state *st, int *did)
{
    dscq_status status = DSCQ_OK;
    hw_ready ready;

    *did = 0;
    while (st->computed < st->p->queue_count[DSCQ_UNIT_COMPUTE]) {
        const dscq_hw_cmd *c = &st->p->queue[DSCQ_UNIT_COMPUTE][st->computed];
        if (!hw__tokens_ready(st, c, &ready))
            break;
        DSCQ_TRY(compute_one(st, c, ready));
        *did = 1;
    }
done:
    return status;
}

/* ---- the loop ----------------------------------------------------------- */

static size_t head_of(const sim_state *st, int u)
{
    return u == DSCQ_UNIT_COMPUTE ? st->computed : st->dma[u].issued;
}

static int all_issued(const sim_state *st)
{
    for (int u = 0; u < DSCQ_UNIT_COUNT; u++)
        if (head_of(st, u) < st->p->queue_count[u])
            return 0;
    return 1;
}

/* [T3] */
static dscq_status name_deadlock(const sim_state *st)
{
    char text[400] = "";
    size_t at = 0;

    for (int u = 0; u < DSCQ_UNIT_COUNT; u++) {
        const size_t head = head_of(st, u);
        if (head == st->p->queue_count[u] || at >= sizeof text)
            continue;
        const dscq_hw_cmd *c = &st->p->queue[u][head];
        at += (size_t)snprintf(text + at, sizeof text - at, "; %s command %zu (%s)",
                               dscq_unit_name(u), head, st->p->op[c->op].name);
        int named = 0;
        for (int i = 0; i < DSCQ_TOKEN_COUNT && at < sizeof text; i++)
            if (c->wait[i] > st->token[i].count) {
                at += (size_t)snprintf(
                    text + at, sizeof text - at, " waits for %s = %u (now %zu)",
                    dscq_token_name(i), c->wait[i], st->token[i].count);
                named = 1;
            }
        if (!named && at < sizeof text)
            at += (size_t)snprintf(text + at, sizeof text - at, " waits for ticket %u",
                                   st->next_ticket);
    }
    return dscq_fail(st->err, DSCQ_FORMAT, "program: deadlock%s", text);
}

static dscq_status run_loop(sim_state *st)
{
    int order[DSCQ_UNIT_COUNT] = {0, 1, 2, 3};
    dscq_status status = DSCQ_OK;
    int shuffled = 0;

    for (int i = 0; i < DSCQ_UNIT_COUNT; i++)
        shuffled |= st->opt->unit_order[i] != 0;
    if (shuffled)
        memcpy(order, st->opt->unit_order, sizeof order);
    for (;;) {
        int progress = 0, did = 0;
        for (int i = 0; i < DSCQ_UNIT_COUNT; i++) {
            if (order[i] == DSCQ_UNIT_COMPUTE)
                DSCQ_TRY(compute_all(st, &did));
            else
                DSCQ_TRY(hw__dma_issue(st, order[i], &did));
            progress |= did;
        }
        if (progress)
            continue;
        DSCQ_TRY(hw__dma_complete(st, &did));
        if (did)
            continue;
        if (all_issued(st))
            break;
        DSCQ_TRY(name_deadlock(st));
    }
done:
    return status;
}

/* ---- before and after --------------------------------------------------- */

static void state_clear(sim_state *st)
{
    for (int32_t i = 0; st->decoded != NULL && i < st->p->wtile_count; i++)
        hw__decoded_destroy(st->decoded[i]);
    dscq_free(st->decoded);
    for (int i = 0; i < DSCQ_TOKEN_COUNT; i++)
        dscq_free(st->token[i].time);
    hw__dma_clear(st);
    hw__array_clear(&st->array);
    if (st->data.p != NULL)
        hw__data_clear(&st->data);
    dscq_memory_destroy(st->port.memory);
}

static dscq_status check_laws(sim_state *st)
{
    dscq_sim *s = st->s;
    const char *law = dscq_counters_check(&s->total);

    if (law != NULL)
        return dscq_fail(st->err, DSCQ_INTERNAL, "simulation: broken law: %s", law);
    for (int u = 0; u < DSCQ_UNIT_COUNT; u++) {
        const uint64_t want =
            u == DSCQ_UNIT_COMPUTE ? s->total.mult_slots : s->total.cycles;
        uint64_t sum = 0;
        for (int i = 0; i < DSCQ_STALL_COUNT; i++)
            sum += s->stall[u][i];
        if (sum != want)
            /* [S3] */
            return dscq_fail(st->err, DSCQ_INTERNAL,
                             "simulation: broken law: the causes of %s add up to %llu, "
                             "not %llu",
                             dscq_unit_name(u), (unsigned long long)sum,
                             (unsigned long long)want);
    }
    if (s->bound.cycles > s->total.cycles)
        return dscq_fail(st->err, DSCQ_INTERNAL,
                         "simulation: broken law: %llu cycles are fewer than the bound "
                         "%llu",
                         (unsigned long long)s->total.cycles,
                         (unsigned long long)s->bound.cycles);
    return dscq_memory_check_laws(st->port.memory, st->err);
}

static dscq_status finish(sim_state *st)
{
    dscq_sim *s = st->s;
    dscq_status status;

    hw__array_finish(&st->array, st->end, &s->total);
    hw__dma_finish(st, st->end);
    dscq_memory_settle(st->port.memory, st->end);
    for (int32_t i = 0; i < s->layer_count; i++)
        dscq_counters_add(&s->total, &s->layer[i]);
    s->total.cycles = st->end;
    s->total.mult_slots = st->end * (uint64_t)st->m->multipliers;
    hw__sim_memory(s, st->port.memory);
    hw__compute_stalls(s);
    s->bound = hw__array_bound(st->p, st->m);
    DSCQ_TRY(check_laws(st));
    if (!st->opt->no_data)
        DSCQ_TRY(hw__sim_take(s, &st->data, st->err));
done:
    return status;
}

static dscq_status certify(sim_state *st)
{
    const size_t n = st->p->queue_count[DSCQ_UNIT_COMPUTE];
    dscq_rng rng = dscq_rng_seeded(st->opt->certify_seed);
    dscq_status status = DSCQ_OK;

    for (int i = 0; i < st->opt->certify && n > 0; i++) {
        const dscq_hw_cmd *c =
            &st->p->queue[DSCQ_UNIT_COMPUTE][dscq_rng_below(&rng, n)];
        hw_decoded *w = NULL;
        if (c->wtile < 0)
            continue;
        DSCQ_TRY(weights_of(st, c, &w));
        DSCQ_TRY(hw__certify(&st->array, c, w, st->err));
        st->s->certified++;
    }
done:
    return status;
}

static dscq_status open_run(sim_state *st, const void *const *inputs)
{
    const dscq_program *p = st->p;
    dscq_status status;

    DSCQ_TRY(hw__array_fits(p, st->m, st->err));
    DSCQ_TRY(dscq_memory_create(&st->port.memory, st->m, st->err));
    if (p->dram_bytes > dscq_memory_capacity(st->port.memory))
        DSCQ_TRY(dscq_fail(st->err, DSCQ_ARG,
                           "program: %llu bytes of tensors and weights do not fit in "
                           "dram = %s of %llu bytes",
                           (unsigned long long)p->dram_bytes, st->m->dram,
                           (unsigned long long)dscq_memory_capacity(st->port.memory)));
    DSCQ_TRY(hw__array_init(&st->array, p, st->m, st->err));
    DSCQ_TRY(hw__dma_init(st));
    st->decoded = dscq_calloc((size_t)p->wtile_count, sizeof *st->decoded);
    if (st->decoded == NULL)
        DSCQ_TRY(
            dscq_fail_nomem(st->err, "decoded weights", (size_t)p->wtile_count * 8));
    if (!st->opt->no_data) {
        DSCQ_TRY(
            hw__data_init(&st->data, p, st->m->act_bytes, st->opt->capture, st->err));
        hw__sim_give(st->s, &st->data, inputs);
    }
done:
    return status;
}

dscq_status hw__array_sim(dscq_sim *s, const dscq_program *p, const dscq_machine *m,
                          const void *const *inputs, const dscq_sim_options *o,
                          dscq_error *err)
{
    sim_state st = {.s = s,
                    .p = p,
                    .m = m,
                    .opt = o,
                    /* as if a burst had left in the cycle of the start */
                    .port = {.m = m, .next = hw__port_gap(m)},
                    .err = err};
    dscq_status status;

    DSCQ_TRY(open_run(&st, inputs));
    DSCQ_TRY(run_loop(&st));
    DSCQ_TRY(finish(&st));
    DSCQ_TRY(certify(&st));
done:
    state_clear(&st);
    return status;
}
