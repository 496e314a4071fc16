/* What a machine needs of an FPGA: docs/accelerator.md section 9, rules F1..F10.
 * RAM shapes: the vendors' 36-kbit block and 288-kbit UltraRAM. LUT and FF figures
 * are per-unit estimates (upper side), each a named constant. */
#include "dscq/base/ints.h"
#include "dscq/hw/machine.h"

#include <string.h>

enum {
    DSP_PER_REQUANT = 2,     /* 32 x 16 bit product                                 */
    LUT_PER_MULTIPLIER = 22, /* accumulate in fabric: adder, operand and bank select */
    FF_PER_MULTIPLIER = 40,
    LUT_BITS = 64,      /* one LUT as distributed RAM: 64 x 1                  */
    LUT_PER_LANE = 180, /* decoder, zero-run counter, codebook read            */
    FF_PER_LANE = 160,
    LUT_PER_POST = 150,
    FF_PER_POST = 260, /* bias, shift, clamp, residual          */
    LUT_PER_BANK = 90,
    FF_PER_BANK = 140, /* address generators, crossbar share    */
    LUT_PER_AXI = 2500,
    FF_PER_AXI = 3500, /* one read and write DMA port           */
    LUT_CONTROL = 6000,
    FF_CONTROL = 8000 /* queues, tokens, loop counters         */
};

void dscq_resources_add(dscq_resources *sum, const dscq_resources *r)
{
#define X(field, text) sum->field += r->field;
    DSCQ_RESOURCE_LIST(X)
#undef X
}

int64_t dscq_multiplier_dsp(int64_t lanes, int64_t vector, int pairs)
{
    return lanes * (pairs ? dscq_ceil_div(vector, 2) : vector);
}

int64_t dscq_ram_bram36(int64_t width_bits, int64_t depth)
{
    static const int32_t shape[][2] = {{72, 512}, {36, 1024}, {18, 2048}, {9, 4096},
                                       {4, 8192}, {2, 16384}, {1, 32768}};
    int64_t best = INT64_MAX;

    if (width_bits <= 0 || depth <= 0)
        return 0;
    for (size_t i = 0; i < sizeof shape / sizeof shape[0]; i++) {
        const int64_t n =
            dscq_ceil_div(width_bits, shape[i][0]) * dscq_ceil_div(depth, shape[i][1]);
        best = n < best ? n : best;
    }
    return best;
}

int64_t dscq_ram_uram(int64_t width_bits, int64_t depth)
{
    if (width_bits <= 0 || depth <= 0)
        return 0;
    return dscq_ceil_div(width_bits, 72) * dscq_ceil_div(depth, 4096);
}

static dscq_resources ram(int kind, int64_t banks, int64_t width_bits, int64_t depth)
{
    dscq_resources r = {0};

    if (kind == DSCQ_RAM_BRAM)
        r.bram36 = banks * dscq_ram_bram36(width_bits, depth);
    else if (kind == DSCQ_RAM_URAM)
        r.uram = banks * dscq_ram_uram(width_bits, depth);
    else
        r.lut = banks * width_bits * dscq_ceil_div(depth, LUT_BITS);
    return r;
}

static int32_t most_lanes(const dscq_machine *m)
{
    int32_t best = 1;

    for (int32_t i = 0; i < m->lanes.count; i++)
        best = (int32_t)m->lanes.v[i] > best ? (int32_t)m->lanes.v[i] : best;
    return best;
}

/* The shape that needs most: pairs are made inside a lane. */
static int64_t multiplier_dsp(const dscq_machine *m)
{
    int64_t most = 0;

    for (int32_t i = 0; i < m->lanes.count; i++) {
        const int64_t lanes = (int64_t)m->lanes.v[i];
        const int64_t n =
            dscq_multiplier_dsp(lanes, m->multipliers / lanes, m->int8_pairs);
        most = n > most ? n : most;
    }
    return most;
}

int dscq_machine_resources(dscq_resource_row *rows, dscq_resources *total,
                           const dscq_machine *m)
{
    const int64_t lanes = most_lanes(m), mult = m->multipliers;
    const int64_t vector = mult / lanes;
    const int64_t bank_words = m->act_bytes / m->act_banks / m->act_word_bytes;
    const int64_t lane_words = dscq_ceil_div(m->weight_bytes, lanes * 4);
    const int64_t adder = m->int8_pairs ? m->acc_bits : 0; /* not in the DSP then */
    int n = 0;

    rows[n++] = (dscq_resource_row){"multipliers",
                                    m->int8_pairs
                                        ? "F1: one DSP and two adders per two products"
                                        : "F1: one DSP each",
                                    {.dsp = multiplier_dsp(m),
                                     .lut = mult * (LUT_PER_MULTIPLIER + adder),
                                     .ff = mult * FF_PER_MULTIPLIER}};
    rows[n++] = (dscq_resource_row){
        "accumulators",
        "F2: banks x rows x multipliers x bits / 64 LUT",
        {.lut = (int64_t)m->acc_banks * dscq_ceil_div(m->acc_rows, LUT_BITS) * mult *
                m->acc_bits * (m->acc_rows < LUT_BITS / 2 ? 1 : 2) / 2}};
    rows[n++] = (dscq_resource_row){
        "lane queues",
        "F3: depth x vector bytes per lane, 32 deep x 2 per LUT",
        {.lut = lanes * vector * m->act_bits * dscq_ceil_div(m->queue_depth, 32) / 2,
         .ff = lanes * (vector * m->act_bits + FF_PER_LANE)}};
    rows[n++] =
        (dscq_resource_row){"row registers",
                            "F4: kernel rows x (vector + 2 halo) bytes per lane",
                            {.lut = lanes * (vector + 2) * m->act_bits *
                                    (m->row_registers + m->row_queue) / 4,
                             .ff = lanes * (vector + 2) * m->act_bits}};
    rows[n++] = (dscq_resource_row){
        "decoders, codebooks",
        "F5: 256 entries of distributed RAM per lane",
        {.lut = lanes * (LUT_PER_LANE + 4 * (int64_t)m->weight_bits)}};
    rows[n++] = (dscq_resource_row){"post-processor",
                                    "F6: two DSPs per output and cycle",
                                    {.dsp = (int64_t)m->post_entries * DSP_PER_REQUANT,
                                     .lut = (int64_t)m->post_entries * LUT_PER_POST,
                                     .ff = (int64_t)m->post_entries * FF_PER_POST}};
    rows[n++] = (dscq_resource_row){
        "activation buffer", "F7: per bank, best shape of the RAM blocks",
        ram(m->act_ram, m->act_banks, 8LL * m->act_word_bytes, bank_words)};
    rows[n - 1].need.lut += (int64_t)m->act_banks * LUT_PER_BANK;
    rows[n - 1].need.ff += (int64_t)m->act_banks * FF_PER_BANK;
    rows[n++] = (dscq_resource_row){"weight buffer", "F8: 32 bits wide per lane",
                                    ram(m->weight_ram, lanes, 32, lane_words)};
    rows[n++] = (dscq_resource_row){"DMA ports",
                                    "F9: per AXI port",
                                    {.lut = (int64_t)m->axi_ports * LUT_PER_AXI,
                                     .ff = (int64_t)m->axi_ports * FF_PER_AXI,
                                     .bram36 = m->axi_ports}};
    rows[n++] = (dscq_resource_row){
        "control", "F10: constant", {.lut = LUT_CONTROL, .ff = FF_CONTROL}};

    memset(total, 0, sizeof *total);
    for (int i = 0; i < n; i++)
        dscq_resources_add(total, &rows[i].need);
    return n;
}
