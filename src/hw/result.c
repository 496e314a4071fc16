/* The result of a run: what every engine fills. */
#include "result.h"

#include "dscq/base/alloc.h"

#include <string.h>

dscq_status hw__sim_create(dscq_sim **out, const dscq_program *p, const dscq_machine *m,
                           dscq_error *err)
{
    dscq_sim *s = dscq_calloc(1, sizeof *s);

    *out = s;
    if (s == NULL)
        return dscq_fail_nomem(err, "a simulation", sizeof *s);
    s->machine = *m;
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

void hw__sim_give(const dscq_sim *s, hw_data *d, const void *const *inputs)
{
    const dscq_program *p = d->p;

    for (int32_t i = 0; i < p->input_count; i++)
        for (int32_t f = 0; f < p->frames; f++)
            hw__data_input(d, p->input[i], f,
                           (const uint8_t *)inputs[i] +
                               s->tensor_bytes[p->input[i]] * (size_t)f);
}

static void take_tensor(dscq_sim *s, hw_data *d, int32_t tensor)
{
    if (d->captured[tensor] == NULL)
        return; /* not captured, or taken */
    s->tensor[tensor] = d->captured[tensor];
    d->captured[tensor] = NULL;
}

dscq_status hw__sim_take(dscq_sim *s, hw_data *d, dscq_error *err)
{
    const dscq_program *p = d->p;

    for (int32_t i = 0; i < p->output_count; i++)
        for (int32_t f = 0; f < p->frames; f++) {
            void *to = dscq_calloc(s->output_bytes[i], 1);
            if (to == NULL)
                return dscq_fail_nomem(err, "outputs", s->output_bytes[i]);
            s->output[i * p->frames + f] = to;
            hw__data_output(d, p->output[i], f, to);
        }
    for (int32_t o = 0; o < p->op_count; o++) /* inside a sum: never a tensor */
        take_tensor(s, d, p->op[o].out);
    for (int32_t i = 0; i < p->input_count; i++)
        take_tensor(s, d, p->input[i]);
    return DSCQ_OK;
}

void hw__sim_memory(dscq_sim *s, const dscq_memory *memory)
{
    const dscq_dram *d = dscq_memory_dram(memory);

    if (d == NULL)
        return;
    s->dram = dscq_dram_count(d);
    s->dram_energy = dscq_dram_energy_pj(dscq_dram_settings(d), &s->dram);
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
