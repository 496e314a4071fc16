/* Rules of docs/accelerator.md that the timing, the data path and the planner all ask.
 */
#include "dscq/base/ints.h"
#include "dscq/hw/machine.h"
#include "dscq/hw/program.h"

int32_t dscq_entry_cycles(const dscq_machine *m, int32_t vector, int is_wide)
{
    /* [L10] */
    return m->int8_pairs && is_wide && vector > 1 ? 2 : 1;
}

int32_t dscq_post_cycles(int32_t channels, int32_t vector, int32_t width)
{
    if (vector <= width)
        return (int32_t)dscq_ceil_div(channels, width / vector);
    return channels * (int32_t)dscq_ceil_div(vector, width);
}

int dscq_hw_is_wide(const dscq_hw_codes *c)
{
    const int32_t low = c->both_signs ? -INT8_MAX : INT8_MIN;

    if (c->act_bytes > 1 || c->linear_bits > 8)
        return 1;
    for (int32_t i = 0; i < c->count; i++)
        if (c->value[i] < low || c->value[i] > INT8_MAX)
            return 1;
    return 0;
}

int dscq_hw_wtile_is_wide(const dscq_program *p, const dscq_hw_wtile *w)
{
    const int32_t act_bytes = p->tensor[p->op[w->op].in[0]].elem_bytes;

    if (w->kind == DSCQ_STREAM_BINARY)
        return dscq_hw_is_wide(
            &(dscq_hw_codes){act_bytes, 0, w->level, w->m_count, .both_signs = 1});
    if (w->is_linear)
        return dscq_hw_is_wide(&(dscq_hw_codes){act_bytes, .linear_bits = w->bits});
    return dscq_hw_is_wide(
        &(dscq_hw_codes){act_bytes, 0, w->codebook, w->codebook_count, 0});
}

int dscq_hw_op_rescales(const dscq_hw_op *op)
{
    return op->mode != DSCQ_HW_MAXPOOL && op->mode != DSCQ_HW_LUT &&
           (op->mode != DSCQ_HW_COPY || op->copy_scaled);
}

int64_t dscq_hw_ring_bytes(const dscq_hw_ring *r, int32_t word_bytes, int32_t banks)
{
    const int64_t words = (int64_t)r->c_count * (r->line_bytes / word_bytes);

    return r->rows * dscq_ceil_div(words, banks) * banks * word_bytes;
}
