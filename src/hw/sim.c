#include "dscq/base/alloc.h"
#include "dscq/base/ints.h"
#include "dscq/base/rng.h"
#include "sim_internal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const size_t DECODED_MAX_BYTES = (size_t)96 << 20;

dscq_status hw__token_add(sim_state *st, dscq_token token, uint64_t cycle)
{
    hw_token_times *t = &st->token[token];

    if (t->count == t->cap) {
        const size_t cap = t->cap == 0 ? 256 : 2 * t->cap;
        uint64_t *time = dscq_realloc(t->time, t->cap * 8, cap * 8);
        if (time == NULL)
            return dscq_fail_nomem(st->err, "token times", cap * 8ULL);
        t->time = time;
        t->cap = cap;
    }
    t->time[t->count] = t->count > 0 ? dscq_max64(cycle, t->time[t->count - 1]) : cycle;
    t->count++;
    return DSCQ_OK;
}

int hw__tokens_ready(const sim_state *st, const dscq_hw_cmd *c, hw_ready *out)
{
    *out = (hw_ready){0, -1};
    for (int i = 0; i < DSCQ_TOKEN_COUNT; i++) {
        const uint32_t want = c->wait[i];
        if (want == 0)
            continue;
        if (want > st->token[i].count)
            return 0;
        const uint64_t at = st->token[i].time[want - 1];
        if (at > out->cycle)
            *out = (hw_ready){at, i};
    }
    return 1;
}

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

static dscq_status check_fits(const dscq_program *p, const dscq_machine *m,
                              dscq_error *err)
{
    for (int32_t i = 0; i < p->ring_count; i++) {
        const dscq_hw_ring *r = &p->ring[i];
        const int64_t bytes = dscq_hw_ring_bytes(r, m->act_word_bytes, m->act_banks);
        if (r->line_bytes % m->act_word_bytes != 0 || r->base + bytes > m->act_bytes ||
            (int64_t)r->rows * r->row_bytes != bytes)
            return dscq_fail(err, DSCQ_ARG,
                             "program: a ring of %s ends at byte %lld of act_bytes = "
                             "%lld",
                             p->tensor[r->tensor].name, (long long)(r->base + bytes),
                             (long long)m->act_bytes);
    }
    for (int32_t i = 0; i < p->wtile_count; i++) {
        const dscq_hw_wtile *w = &p->wtile[i];
        if (w->buffer_base < 0 || w->buffer_base + w->buffer_bytes > m->weight_bytes)
            return dscq_fail(err, DSCQ_ARG,
                             "program: a weight tile of %s, %lld bytes at %lld, ends "
                             "beyond weight_bytes = %lld",
                             p->op[w->op].name, (long long)w->buffer_bytes,
                             (long long)w->buffer_base, (long long)m->weight_bytes);
        if (p->op[w->op].mode == DSCQ_HW_BROADCAST && w->rows > m->acc_rows)
            return dscq_fail(err, DSCQ_ARG,
                             "program: %s accumulates %d channels per lane; acc_rows = "
                             "%d",
                             p->op[w->op].name, w->rows, m->acc_rows);
    }
    for (size_t i = 0; i < p->queue_count[DSCQ_UNIT_COMPUTE]; i++) {
        const dscq_hw_cmd *c = &p->queue[DSCQ_UNIT_COMPUTE][i];
        const dscq_hw_op *o = &p->op[c->op];
        if (c->wtile < 0 || !(c->flags & (DSCQ_CMD_ACC_KEEP | DSCQ_CMD_ACC_RESUME)))
            continue;
        const int64_t rows = (int64_t)p->wtile[c->wtile].rows *
                             ((c->last - c->first + o->vector - 1) / o->vector);
        if (rows > m->acc_rows)
            return dscq_fail(
                err, DSCQ_ARG,
                "program: %s keeps %lld sums per lane place; acc_rows = %d", o->name,
                (long long)rows, m->acc_rows);
    }
    for (int32_t i = 0; i < p->op_count; i++) {
        const dscq_hw_op *o = &p->op[i];
        if (dscq_hw_has_weights(o) && o->lanes * o->vector != m->multipliers)
            return dscq_fail(
                err, DSCQ_ARG,
                "program: %s wants %d x %d multipliers; the machine has %d", o->name,
                o->lanes, o->vector, m->multipliers);
    }
    return DSCQ_OK;
}

dscq_status hw__sim_create(dscq_sim **out, const dscq_program *p, const dscq_machine *m,
                           dscq_error *err)
{
    dscq_sim *s = dscq_calloc(1, sizeof *s);

    *out = s;
    if (s == NULL)
        return dscq_fail_nomem(err, "a simulation", sizeof *s);
    s->machine = *m;
    s->program = p;
    s->layer_count = p->layer_count;
    s->frames = p->frames;
    s->output_count = p->output_count;
    s->tensor_count = p->tensor_count;
    s->act_peak = p->act_peak_bytes;
    s->layer = dscq_calloc((size_t)p->layer_count, sizeof *s->layer);
    s->layer_name = dscq_calloc((size_t)p->layer_count, sizeof *s->layer_name);
    s->frame_end = dscq_calloc((size_t)p->frames, sizeof *s->frame_end);
    s->output =
        dscq_calloc((size_t)p->output_count * (size_t)p->frames, sizeof(void *));
    s->output_bytes = dscq_calloc((size_t)p->output_count, sizeof *s->output_bytes);
    s->tensor = dscq_calloc((size_t)p->tensor_count, sizeof *s->tensor);
    s->tensor_bytes = dscq_calloc((size_t)p->tensor_count, sizeof *s->tensor_bytes);
    if (s->layer == NULL || s->layer_name == NULL || s->frame_end == NULL ||
        s->output == NULL || s->output_bytes == NULL || s->tensor == NULL ||
        s->tensor_bytes == NULL)
        return dscq_fail_nomem(err, "a simulation", 1024);
    memcpy(s->layer_name, p->layer_name,
           (size_t)p->layer_count * sizeof *s->layer_name);
    for (int32_t i = 0; i < p->tensor_count; i++)
        s->tensor_bytes[i] = dscq_hw_tensor_bytes(&p->tensor[i]);
    for (int32_t i = 0; i < p->output_count; i++)
        s->output_bytes[i] = s->tensor_bytes[p->output[i]];
    return DSCQ_OK;
}

void dscq_sim_destroy(dscq_sim *s)
{
    if (s == NULL)
        return;
    for (int32_t i = 0; s->output != NULL && i < s->output_count * s->frames; i++)
        dscq_free(s->output[i]);
    for (int32_t i = 0; s->tensor != NULL && i < s->tensor_count; i++)
        dscq_free(s->tensor[i]);
    dscq_free(s->stage);
    dscq_free(s->layer);
    dscq_free(s->layer_name);
    dscq_free(s->frame_end);
    dscq_free(s->output);
    dscq_free(s->output_bytes);
    dscq_free(s->tensor);
    dscq_free(s->tensor_bytes);
    dscq_free(s);
}

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

static dscq_status give_inputs(sim_state *st, const void *const *inputs)
{
    const dscq_program *p = st->p;

    for (int32_t i = 0; i < p->input_count; i++)
        for (int32_t f = 0; f < p->frames; f++) {
            const size_t bytes = st->s->tensor_bytes[p->input[i]];
            hw__data_input(&st->data, p->input[i], f,
                           (const uint8_t *)inputs[i] + bytes * (size_t)f);
        }
    return DSCQ_OK;
}

static dscq_status take_outputs(sim_state *st)
{
    const dscq_program *p = st->p;
    dscq_sim *s = st->s;

    for (int32_t i = 0; i < p->output_count; i++)
        for (int32_t f = 0; f < p->frames; f++) {
            void *to = dscq_calloc(s->output_bytes[i], 1);
            if (to == NULL)
                return dscq_fail_nomem(st->err, "outputs", s->output_bytes[i]);
            s->output[i * p->frames + f] = to;
            hw__data_output(&st->data, p->output[i], f, to);
        }
    for (int32_t o = 0; o < p->op_count; o++) { /* inside a sum: never a tensor */
        const int32_t i = p->op[o].out;
        s->tensor[i] = st->data.captured[i];
    }
    for (int32_t i = 0; i < p->input_count; i++)
        s->tensor[p->input[i]] = st->data.captured[p->input[i]];
    for (int32_t i = 0; i < p->tensor_count; i++)
        if (s->tensor[i] != NULL)
            st->data.captured[i] = NULL;
    return DSCQ_OK;
}

void hw__compute_stalls(dscq_sim *s)
{
    uint64_t *b = s->stall[DSCQ_UNIT_COMPUTE];
    const dscq_counters *c = &s->total;

    b[DSCQ_STALL_COMPUTE] =
        c->mult_compute + c->mult_filler + c->mult_split + c->mult_vector_op;
    b[DSCQ_STALL_IMBALANCE] =
        c->mult_imbalance + c->mult_empty + c->mult_pixel_tail + c->mult_no_channel;
    b[DSCQ_STALL_ACT_FETCH] = c->mult_act_fetch + c->mult_wait_act;
    b[DSCQ_STALL_WEIGHT_FETCH] = c->mult_wait_weight;
    b[DSCQ_STALL_WRITE_BACK] = c->mult_post + c->mult_wait_self + c->mult_wait_store;
    b[DSCQ_STALL_DRAIN] = c->mult_drain;
    b[DSCQ_STALL_IDLE] = c->mult_idle;
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
    const dscq_dram *d = dscq_memory_dram(st->port.memory);
    if (d != NULL) {
        s->dram = dscq_dram_count(d);
        s->dram_energy = dscq_dram_energy_pj(dscq_dram_settings(d), &s->dram);
    }
    hw__compute_stalls(s);
    s->bound = dscq_sim_lower_bound(st->p, st->m);
    DSCQ_TRY(check_laws(st));
    if (!st->opt->no_data)
        DSCQ_TRY(take_outputs(st));
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

dscq_status dscq_sim_run(dscq_sim **out, const dscq_program *p, const dscq_machine *m,
                         const void *const *inputs, const dscq_sim_options *options,
                         dscq_error *err)
{
    static const dscq_sim_options k_default;
    const dscq_sim_options *opt = options != NULL ? options : &k_default;
    sim_state st = {.p = p,
                    .m = m,
                    .opt = opt,
                    /* as if a burst had left in the cycle of the start */
                    .port = {.m = m, .next = hw__port_gap(m)},
                    .err = err};
    dscq_sim *s = NULL;
    dscq_status status;

    *out = NULL;
    DSCQ_TRY(dscq_program_check(p, err));
    DSCQ_TRY(dscq_machine_check(m, err));
    if (p->pipe == NULL)
        DSCQ_TRY(check_fits(p, m, err));
    DSCQ_TRY(hw__sim_create(&s, p, m, err));
    st.s = s;
    if (p->pipe != NULL) {
        DSCQ_TRY(hw__pipe_sim(s, p, m, inputs, opt, err));
        s->program = NULL;
        *out = s;
        return DSCQ_OK;
    }
    DSCQ_TRY(dscq_memory_create(&st.port.memory, m, err));
    if (p->dram_bytes > dscq_memory_capacity(st.port.memory))
        DSCQ_TRY(dscq_fail(err, DSCQ_ARG,
                           "program: %llu bytes of tensors and weights do not fit in "
                           "dram = %s of %llu bytes",
                           (unsigned long long)p->dram_bytes, m->dram,
                           (unsigned long long)dscq_memory_capacity(st.port.memory)));
    DSCQ_TRY(hw__array_init(&st.array, p, m, err));
    DSCQ_TRY(hw__dma_init(&st));
    st.decoded = dscq_calloc((size_t)p->wtile_count, sizeof *st.decoded);
    if (st.decoded == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "decoded weights", (size_t)p->wtile_count * 8));
    if (!opt->no_data) {
        DSCQ_TRY(hw__data_init(&st.data, p, m->act_bytes, opt->capture, err));
        DSCQ_TRY(give_inputs(&st, inputs));
    }
    DSCQ_TRY(run_loop(&st));
    DSCQ_TRY(finish(&st));
    DSCQ_TRY(certify(&st));
    s->program = NULL;
    *out = s;
    s = NULL;
done:
    state_clear(&st);
    dscq_sim_destroy(s);
    return status;
}
