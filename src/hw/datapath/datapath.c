/* What commands do to bytes: rings in the activation buffer, the array's sums, the
 * post-processor's integer rules (docs/arithmetic.md section 3). Written for the
 * machine alone: shares nothing with the reference that it is compared with. */
#include "datapath_internal.h"
#include "dscq/base/alloc.h"

#include <string.h>

dscq_status hw__data_init(hw_data *d, const dscq_program *p, int64_t act_bytes,
                          int capture, dscq_error *err)
{
    memset(d, 0, sizeof *d);
    d->p = p;
    d->kernels = hw__kernels(0);
    /* kernels read a little beyond a line's end */
    d->act = dscq_calloc((size_t)act_bytes + 2 * HW_BLOCK, 1);
    d->dram = dscq_calloc((size_t)(p->dram_bytes - p->image_bytes) + 8, 1);
    d->captured = dscq_calloc((size_t)p->tensor_count, sizeof *d->captured);
    d->scratch = dscq_calloc(1, sizeof *d->scratch);
    if (d->act == NULL || d->dram == NULL || d->captured == NULL || d->scratch == NULL)
        return dscq_fail_nomem(err, "the machine's memories",
                               (unsigned long long)act_bytes + p->dram_bytes);
    for (int32_t i = 0; capture && i < p->tensor_count; i++) {
        const dscq_hw_tensor *t = &p->tensor[i];
        d->captured[i] = dscq_calloc(dscq_hw_tensor_bytes(t), 1);
        if (d->captured[i] == NULL)
            return dscq_fail_nomem(err, "captured tensors", dscq_hw_tensor_bytes(t));
    }
    return DSCQ_OK;
}

void hw__data_clear(hw_data *d)
{
    for (int32_t i = 0; d->captured != NULL && i < d->p->tensor_count; i++)
        dscq_free(d->captured[i]);
    dscq_free(d->captured);
    dscq_free(d->act);
    dscq_free(d->dram);
    dscq_free(d->acc);
    dscq_free(d->scratch);
    dscq_free(d->x);
    memset(d, 0, sizeof *d);
}

/* Address of a pixel of a tensor in the modelled DRAM. */
static uint8_t *dram_at(const hw_data *d, const dscq_hw_tensor *t, int32_t frame,
                        int32_t y, int32_t c, int32_t x)
{
    const uint64_t line = (uint64_t)y * (uint64_t)t->c + (uint64_t)c;
    const uint64_t at = t->dram_addr + t->dram_frame * (uint64_t)frame +
                        (line * (uint64_t)t->w + (uint64_t)x) * (uint64_t)t->elem_bytes;

    return d->dram + (at - d->p->image_bytes);
}

void hw__data_load(hw_data *d, const dscq_hw_cmd *c)
{
    const dscq_hw_ring *r = &d->p->ring[c->ring];
    const dscq_hw_tensor *t = &d->p->tensor[r->tensor];
    const size_t bytes = (size_t)r->width * (size_t)t->elem_bytes;

    for (int32_t y = c->first; y < c->last; y++)
        for (int32_t ch = r->c0; ch < r->c0 + r->c_count; ch++)
            memcpy(hw__line(d, r, y, ch), dram_at(d, t, c->frame, y, ch, r->x0), bytes);
}

void hw__data_store(hw_data *d, const dscq_hw_cmd *c)
{
    const dscq_hw_ring *r = &d->p->ring[c->ring];
    const dscq_hw_tensor *t = &d->p->tensor[r->tensor];
    const size_t bytes = (size_t)r->width * (size_t)t->elem_bytes;

    for (int32_t y = c->first; y < c->last; y++)
        for (int32_t ch = r->c0; ch < r->c0 + r->c_count; ch++)
            memcpy(dram_at(d, t, c->frame, y, ch, r->x0), hw__line(d, r, y, ch), bytes);
}

/* Row y of a tensor between HWC and the modelled DRAM's lines. */
static void turn_row(const hw_data *d, const dscq_hw_tensor *t, int32_t frame,
                     int32_t y, uint8_t *codes, int to_dram)
{
    const size_t eb = (size_t)t->elem_bytes, c_count = (size_t)t->c;
    uint8_t *row = codes + (size_t)y * (size_t)t->w * c_count * eb;

    for (int32_t c = 0; c < t->c; c++) {
        uint8_t *line = dram_at(d, t, frame, y, c, 0), *at = row + (size_t)c * eb;
        for (size_t x = 0; x < (size_t)t->w * eb; x++) {
            uint8_t *one = at + x / eb * c_count * eb + x % eb;
            if (to_dram)
                line[x] = *one;
            else
                *one = line[x];
        }
    }
}

void hw__data_input(hw_data *d, int32_t tensor, int32_t frame, const void *codes)
{
    const dscq_hw_tensor *t = &d->p->tensor[tensor];

    for (int32_t y = 0; y < t->h; y++)
        turn_row(d, t, frame, y, (uint8_t *)(uintptr_t)codes, 1);
    if (d->captured[tensor] != NULL)
        memcpy(d->captured[tensor], codes, dscq_hw_tensor_bytes(t));
}

void hw__data_output(const hw_data *d, int32_t tensor, int32_t frame, void *codes)
{
    const dscq_hw_tensor *t = &d->p->tensor[tensor];

    for (int32_t y = 0; y < t->h; y++)
        turn_row(d, t, frame, y, codes, 0);
}

dscq_status hw__data_compute(hw_data *d, const dscq_hw_cmd *c, const hw_decoded *w,
                             dscq_error *err)
{
    const dscq_hw_op *op = &d->p->op[c->op];

    if (w == NULL) {
        hw__data_vector(d, c);
        return DSCQ_OK;
    }
    const dscq_hw_ring *out = &d->p->ring[c->ring];
    hw_conv j = {.d = d,
                 .c = c,
                 .w = w,
                 .tile = &d->p->wtile[c->wtile],
                 .op = op,
                 .in = &d->p->ring[c->ring_in[0]],
                 .out = out,
                 .t = &d->p->tensor[op->in[0]],
                 .pixels = (size_t)out->width * (size_t)d->p->tensor[op->out].h};
    return op->mode == DSCQ_HW_BROADCAST ? hw__broadcast(&j, err)
                                         : hw__depthwise(&j, err);
}
