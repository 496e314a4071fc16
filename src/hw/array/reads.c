/* The activation buffer's read port (rules B2, B3, R1, R2). */
#include "array.h"
#include "dscq/base/ints.h"

#include <string.h>

typedef struct row_words {
    int32_t first, last; /* words of the line that are touched; first > last: none */
    int32_t bank;        /* of word 0 of the line */
} row_words;

/* Pixels x .. x + n - 1 of output row y under kernel place (r, s). */
static row_words touched(const hw_array *a, const dscq_hw_op *op,
                         const dscq_hw_ring *in, int32_t y, int32_t x, int32_t n,
                         const int32_t rs[2])
{
    const dscq_hw_tensor *t = &a->p->tensor[in->tensor];
    const int32_t word = a->m->act_word_bytes, line = in->line_bytes / word;
    const int32_t iy = y * op->stride_h - op->pad_top + rs[0] * op->dilation_h;
    int32_t ix0 = x * op->stride_w - op->pad_left + rs[1] * op->dilation_w;
    int32_t ix1 = ix0 + (n - 1) * op->stride_w;

    if (iy < 0 || iy >= t->h)
        return (row_words){1, 0, 0};
    if (ix0 < in->x0) /* padding left of the map: first pixel on it */
        ix0 += (int32_t)dscq_ceil_div(in->x0 - ix0, op->stride_w) * op->stride_w;
    if (ix1 >= in->x0 + in->width)
        ix1 -= (int32_t)dscq_ceil_div(ix1 - (in->x0 + in->width - 1), op->stride_w) *
               op->stride_w;
    if (ix0 > ix1)
        return (row_words){1, 0, 0};
    /* [B2] */
    return (row_words){(ix0 - in->x0) * t->elem_bytes / word,
                       ((ix1 - in->x0) * t->elem_bytes + t->elem_bytes - 1) / word,
                       (int32_t)((int64_t)(iy % in->rows) * line % a->m->act_banks)};
}

int32_t hw__column_cycles(hw_array *a, const dscq_hw_op *op, const dscq_hw_ring *out,
                          const dscq_hw_ring *in, int32_t first, int32_t last,
                          int32_t r, int32_t s, int32_t *words)
{
    const int32_t banks = a->m->act_banks, word = a->m->act_word_bytes;
    const int32_t eb = a->p->tensor[in->tensor].elem_bytes;
    const int32_t step_bytes = op->stride_w * eb;
    const int32_t rs[2] = {r, s};
    int32_t worst = 1;

    *words = 0;
    /* [B4] */
    memset(a->bank_hits, 0, (size_t)banks * sizeof *a->bank_hits);
    for (int32_t p = first; p < last;) {
        const int32_t x = p % out->width;
        const int32_t n = out->width - x < last - p ? out->width - x : last - p;
        const row_words w = touched(a, op, in, p / out->width, out->x0 + x, n, rs);
        /* a stride wider than a word skips words */
        const int32_t step = step_bytes > word ? step_bytes / word : 1;
        for (int32_t j = w.first; j <= w.last; j += step) {
            /* [B3] */
            int32_t *hits = &a->bank_hits[(w.bank + j) % banks];
            ++*hits;
            ++*words;
            worst = *hits > worst ? *hits : worst;
        }
        p += n;
    }
    return worst;
}

int32_t hw__new_rows(const hw_array *a, const dscq_hw_op *op, int32_t h, int32_t y,
                     int is_first)
{
    int32_t n = 0;

    for (int32_t r = 0; r < op->kernel_h; r++) {
        const int32_t iy = y * op->stride_h - op->pad_top + r * op->dilation_h;
        if (iy < 0 || iy >= h)
            continue;
        int held = 0;
        if (!is_first && a->m->row_registers >= op->kernel_h)
            for (int32_t q = 0; q < op->kernel_h && !held; q++)
                held = (y - 1) * op->stride_h - op->pad_top + q * op->dilation_h == iy;
        /* [R1] */
        n += !held;
    }
    return n;
}

hw_row_step hw__row_step(const hw_array *a, const dscq_hw_op *op,
                         const dscq_hw_ring *in, int32_t x, int32_t n)
{
    const dscq_hw_tensor *t = &a->p->tensor[in->tensor];
    const int32_t word = a->m->act_word_bytes, banks = a->m->act_banks;
    int32_t ix0 = x * op->stride_w - op->pad_left;
    int32_t ix1 =
        (x + n - 1) * op->stride_w - op->pad_left + (op->kernel_w - 1) * op->dilation_w;

    ix0 = ix0 < in->x0 ? in->x0 : ix0;
    ix1 = ix1 >= in->x0 + in->width ? in->x0 + in->width - 1 : ix1;
    if (ix1 < ix0)
        return (hw_row_step){banks, 0};
    const int32_t w0 = (ix0 - in->x0) * t->elem_bytes / word;
    const int32_t w1 = ((ix1 - in->x0 + 1) * t->elem_bytes - 1) / word;
    const int32_t words = w1 - w0 + 1;
    /* [R2] */
    return (hw_row_step){words >= banks ? 1 : banks / words, words};
}
