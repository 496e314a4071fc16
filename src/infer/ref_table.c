/* Table nodes and local response normalisation (docs/arithmetic.md section 6). */
#include "ref_util.h"

void infer__ref_lut(const dscq_qnode *n, const ref_map *x, ref_map *y)
{
    const size_t count = dscq_qtensor_count(y->t);

    for (size_t i = 0; i < count; i++)
        y->q[i] = n->table[x->q[i] - dscq_qtensor_lo(x->t)];
}

static uint32_t squares(const dscq_qnode *n, const ref_map *x, int32_t h, int32_t w,
                        int32_t c)
{
    uint32_t sum = 0;

    for (int32_t i = c - (n->first - 1) / 2; i <= c + n->first / 2; i++)
        if (i >= 0 && i < x->t->c) {
            const int64_t d = ref_at(x, h, w, i) - x->t->zero_point;
            sum += (uint32_t)(d * d);
        }
    return sum;
}

void infer__ref_lrn(const dscq_qnode *n, const ref_map *x, ref_map *y)
{
    for (int32_t h = 0; h < y->t->h; h++)
        for (int32_t w = 0; w < y->t->w; w++)
            for (int32_t c = 0; c < y->t->c; c++) {
                const int32_t i = dscq_lrn_index(squares(n, x, h, w, c));
                const int64_t d = ref_at(x, h, w, c) - x->t->zero_point;
                *ref_cell(y, h, w, c) =
                    ref_finish(n, y, ref_shift(d * n->table[i], n->shift[0]));
            }
}
