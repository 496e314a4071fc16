/* What the stages of a pipeline need: docs/accelerator.md section 14, rules PF1..PF6.
 * DSP and RAM blocks follow the inference rules of the tools; LUT and FF are upper
 * estimates, as in section 9. */
#include "dscq/base/ints.h"
#include "dscq/hw/pipeline.h"

enum {
    RAM_LUT_MOST = 256, /* a memory of up to so many LUT is distributed RAM */
    LUT_BITS = 64,
    DSP_PER_REQUANT = 2,
    LUT_PER_MULTIPLIER = 22,
    FF_PER_MULTIPLIER = 40,
    LUT_PER_LANE = 60, /* entry decoder, codebook of 16..256 entries is the rest */
    FF_PER_LANE = 60,
    LUT_PER_POST = 150,
    FF_PER_POST = 260,
    LUT_PER_STAGE = 250, /* row counters, address generators */
    FF_PER_STAGE = 350,
    LUT_PER_FIFO = 60,
    FF_PER_FIFO = 80,
    LUT_PER_AXI = 2500,
    FF_PER_AXI = 3500,
    CONSTANT_BITS = 48 /* multiplier, shift and bias of a channel */
};

dscq_resources dscq_pipe_ram(int64_t width_bits, int64_t depth)
{
    /* [PF2] */
    const int64_t lut = width_bits * dscq_ceil_div(depth, LUT_BITS);
    dscq_resources r = {0};

    if (lut <= RAM_LUT_MOST)
        r.lut = lut;
    else
        r.bram36 = dscq_ram_bram36(width_bits, depth);
    return r;
}

static void add_times(dscq_resources *sum, dscq_resources r, int64_t n)
{
#define X(field, text) r.field *= n;
    DSCQ_RESOURCE_LIST(X)
#undef X
    dscq_resources_add(sum, &r);
}

dscq_resources dscq_pipe_stage_need(const dscq_pipe_cost *c, const dscq_machine *m)
{
    const int64_t mult = (int64_t)c->lanes * c->vector;
    dscq_resources r = {.lut = LUT_PER_STAGE, .ff = FF_PER_STAGE};

    r.lut += (int64_t)c->post * LUT_PER_POST;
    r.ff += (int64_t)c->post * FF_PER_POST;
    if (c->lanes == 0) {
        r.dsp = c->multiplies ? (int64_t)c->post * DSP_PER_REQUANT : 0;
        return r;
    }
    const int pairs = m->int8_pairs && !c->is_wide;
    /* [PF1] */
    r.dsp = dscq_multiplier_dsp(c->lanes, c->vector, pairs) +
            (int64_t)c->post * DSP_PER_REQUANT;
    r.lut += pairs ? mult * m->acc_bits : 0; /* the sums leave the DSP */
    /* [PF6] */
    r.lut += mult * LUT_PER_MULTIPLIER + (int64_t)c->lanes * LUT_PER_LANE;
    r.ff += mult * FF_PER_MULTIPLIER + (int64_t)c->lanes * FF_PER_LANE;
    /* [PF5] */
    /* accumulators: a single row is a register */
    if (c->acc_rows == 1)
        r.ff += (int64_t)m->acc_banks * mult * m->acc_bits;
    else
        r.lut += (int64_t)m->acc_banks * dscq_ceil_div(c->acc_rows, LUT_BITS) * mult *
                 m->acc_bits * (c->acc_rows <= LUT_BITS / 2 ? 1 : 2) / 2;
    /* [PF3] */
    if (c->is_dense)
        add_times(&r, dscq_pipe_ram((int64_t)c->lanes * c->entry_bits, c->depth), 1);
    else
        add_times(&r, dscq_pipe_ram(c->entry_bits, c->depth), c->lanes);
    add_times(&r, dscq_pipe_ram(CONSTANT_BITS, c->channels), 1);
    return r;
}

dscq_resources dscq_pipe_fifo_need(int64_t bytes, int64_t width_bytes)
{
    /* [PF4] */
    dscq_resources r =
        dscq_pipe_ram(8 * width_bytes, dscq_ceil_div(bytes, width_bytes));

    r.lut += LUT_PER_FIFO;
    r.ff += FF_PER_FIFO;
    return r;
}

dscq_resources dscq_pipe_fixed_need(const dscq_machine *m)
{
    return (dscq_resources){.lut = (int64_t)m->axi_ports * LUT_PER_AXI,
                            .ff = (int64_t)m->axi_ports * FF_PER_AXI,
                            .bram36 = m->axi_ports};
}
