/* Operations that move codes (docs/arithmetic.md section 4). */
#include "ref_util.h"

void infer__ref_upsample(const dscq_qnode *n, const ref_map *x, ref_map *y)
{
    for (int32_t h = 0; h < y->t->h; h++)
        for (int32_t w = 0; w < y->t->w; w++)
            for (int32_t c = 0; c < y->t->c; c++)
                *ref_cell(y, h, w, c) = ref_at(x, h / n->factor, w / n->factor, c);
}

void infer__ref_reorg(const dscq_qnode *n, const ref_map *x, ref_map *y)
{
    const int32_t f = n->factor;

    for (int32_t h = 0; h < x->t->h; h++)
        for (int32_t w = 0; w < x->t->w; w++)
            for (int32_t c = 0; c < x->t->c; c++)
                *ref_cell(y, h / f, w / f, (h % f * f + w % f) * x->t->c + c) =
                    ref_at(x, h, w, c);
}

void infer__ref_slice(const dscq_qnode *n, const ref_map *x, ref_map *y)
{
    for (int32_t h = 0; h < y->t->h; h++)
        for (int32_t w = 0; w < y->t->w; w++)
            for (int32_t c = 0; c < y->t->c; c++)
                *ref_cell(y, h, w, c) = ref_at(x, h, w, n->first + c);
}

void infer__ref_pad(const dscq_qnode *n, const ref_map *x, ref_map *y)
{
    for (int32_t h = 0; h < y->t->h; h++)
        for (int32_t w = 0; w < y->t->w; w++)
            for (int32_t c = 0; c < y->t->c; c++) {
                const int32_t ih = h - n->pad_top, iw = w - n->pad_left;
                *ref_cell(y, h, w, c) =
                    ref_inside(x, ih, iw) ? ref_at(x, ih, iw, c) : x->t->zero_point;
            }
}
