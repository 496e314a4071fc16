/* Operations without weights: the post-processor has the buffers (rules V1 to V4). */
#include "array.h"
#include "dscq/base/ints.h"

/* Operand rows a pooling window reads anew, and taps of the other vector operations. */
static uint64_t read_words(const hw_array *a, const dscq_hw_cmd *cmd, int32_t channels)
{
    const dscq_hw_op *op = &a->p->op[cmd->op];
    const dscq_hw_ring *out = &a->p->ring[cmd->ring];
    const int32_t word = a->m->act_word_bytes;
    const uint64_t rows =
        (uint64_t)((cmd->last - 1) / out->width - cmd->first / out->width + 1);
    uint64_t words = 0;

    for (int32_t i = 0; i < op->in_count; i++) {
        const dscq_hw_ring *r = &a->p->ring[cmd->ring_in[i]];
        const dscq_hw_tensor *t = &a->p->tensor[r->tensor];
        const uint64_t line = (uint64_t)(r->line_bytes / word);
        uint64_t lines = rows * (uint64_t)channels;
        if (op->mode == DSCQ_HW_MAXPOOL || op->mode == DSCQ_HW_AVGPOOL)
            /* [V2] */
            lines *= (uint64_t)(op->kernel_h < t->h ? op->kernel_h : t->h);
        if (op->factor_down > 1)
            lines = rows * (uint64_t)op->factor_down * (uint64_t)t->c;
        if (op->mode == DSCQ_HW_MUL && i == 1 && t->h == 1 && t->w == 1)
            lines = (uint64_t)channels;
        words += lines * line;
    }
    return words;
}

static int32_t channels_of(const hw_array *a, const dscq_hw_cmd *cmd)
{
    const dscq_hw_op *op = &a->p->op[cmd->op];

    /* [V3] */
    return op->mode == DSCQ_HW_COPY ? op->c_count : a->p->ring[cmd->ring].c_count;
}

/* Rule V1: the widest of outputs over width, words read and words written over banks.
 */
void hw__run_vector(hw_done *out, hw_array *a, const dscq_hw_cmd *cmd, hw_ready ready,
                    dscq_counters *c)
{
    const dscq_hw_op *op = &a->p->op[cmd->op];
    const dscq_hw_ring *r = &a->p->ring[cmd->ring];
    const int32_t eb = a->p->tensor[op->out].elem_bytes;
    const int32_t channels = channels_of(a, cmd);
    const uint64_t outputs = (uint64_t)(cmd->last - cmd->first) * (uint64_t)channels;
    const uint64_t in_words = read_words(a, cmd, channels);
    const uint64_t rows =
        (uint64_t)((cmd->last - 1) / r->width - cmd->first / r->width + 1);
    const uint64_t out_words =
        rows * (uint64_t)channels * (uint64_t)(r->line_bytes / a->m->act_word_bytes);
    const uint64_t banks = (uint64_t)a->m->act_banks;
    uint64_t cycles =
        (outputs + (uint64_t)a->m->post_entries - 1) / (uint64_t)a->m->post_entries;

    /* [V1] */
    cycles = dscq_max64(cycles, (in_words + banks - 1) / banks);
    cycles = dscq_max64(cycles, (out_words + banks - 1) / banks);
    if (op->mode == DSCQ_HW_LRN) /* one multiplication a neighbour: rule V4 */
        /* [V4] */
        cycles = dscq_max64(cycles, outputs * (uint64_t)(op->span + 1) /
                                        (2 * (uint64_t)a->m->post_entries));

    const uint64_t free_at =
        dscq_max64(dscq_lanes_end(a->lanes), dscq_lanes_post_end(a->lanes));
    const uint64_t issue =
        dscq_max64(ready.cycle, a->issue_free) + (uint64_t)a->m->command_cycles;
    const uint64_t start = dscq_max64(dscq_max64(issue, free_at), a->accounted);
    hw__account_drain(a, c);
    if (dscq_lanes_post_end(a->lanes) > a->accounted) {
        const uint64_t until = dscq_lanes_post_end(a->lanes);
        c->mult_post += (until - a->accounted) * (uint64_t)a->m->multipliers;
        a->accounted = until;
    }
    hw__account_wait(a, start, ready, c);
    c->mult_vector_op += cycles * (uint64_t)a->m->multipliers;
    a->accounted = start + cycles;
    a->op = -1;
    dscq_lanes_shape(a->lanes, 1, 1, 1, a->m->acc_banks, a->accounted);
    c->post_busy += cycles;
    c->post_outputs += outputs;
    if (dscq_hw_op_rescales(op))
        c->requants += outputs * (uint64_t)op->in_count;
    c->act_read_bytes += in_words * (uint64_t)a->m->act_word_bytes;
    c->act_write_bytes += outputs * (uint64_t)eb;
    out->start = start;
    out->act_read = out->weight_read = a->accounted;
    out->out_written = a->accounted + (uint64_t)a->m->post_latency_cycles;
    a->issue_free = a->accounted;
}
