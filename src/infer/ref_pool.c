/* Pooling (docs/arithmetic.md section 5). */
#include "ref_util.h"

typedef struct pool_window {
    int32_t h0, h1, w0, w1; /* real positions only: h0 <= h < h1 */
} pool_window;

static pool_window window_at(const dscq_qnode *n, const ref_map *x, int32_t oh,
                             int32_t ow)
{
    const int32_t kh = n->kernel_h == 0 ? x->t->h : n->kernel_h;
    const int32_t kw = n->kernel_w == 0 ? x->t->w : n->kernel_w;
    pool_window p;

    p.h0 = oh * n->stride_h - n->pad_top;
    p.w0 = ow * n->stride_w - n->pad_left;
    p.h1 = p.h0 + kh < x->t->h ? p.h0 + kh : x->t->h;
    p.w1 = p.w0 + kw < x->t->w ? p.w0 + kw : x->t->w;
    p.h0 = p.h0 < 0 ? 0 : p.h0;
    p.w0 = p.w0 < 0 ? 0 : p.w0;
    return p;
}

void infer__ref_maxpool(const dscq_qnode *n, const ref_map *x, ref_map *y)
{
    for (int32_t h = 0; h < y->t->h; h++)
        for (int32_t w = 0; w < y->t->w; w++)
            for (int32_t c = 0; c < y->t->c; c++) {
                const pool_window p = window_at(n, x, h, w);
                int32_t top = ref_at(x, p.h0, p.w0, c);
                for (int32_t i = p.h0; i < p.h1; i++)
                    for (int32_t j = p.w0; j < p.w1; j++)
                        if (ref_at(x, i, j, c) > top)
                            top = ref_at(x, i, j, c);
                *ref_cell(y, h, w, c) = ref_clamp(n, top);
            }
}

void infer__ref_avgpool(const dscq_qnode *n, const ref_map *x, ref_map *y)
{
    for (int32_t h = 0; h < y->t->h; h++)
        for (int32_t w = 0; w < y->t->w; w++)
            for (int32_t c = 0; c < y->t->c; c++) {
                const pool_window p = window_at(n, x, h, w);
                const int32_t real = (p.h1 - p.h0) * (p.w1 - p.w0);
                const int32_t e = n->count_include_pad ? 0 : dscq_qpool_entry(n, real);
                int64_t sum = 0;
                for (int32_t i = p.h0; i < p.h1; i++)
                    for (int32_t j = p.w0; j < p.w1; j++)
                        sum += ref_at(x, i, j, c) - x->t->zero_point;
                *ref_cell(y, h, w, c) =
                    ref_finish(n, y, ref_shift(sum * n->mult[e], n->shift[e]));
            }
}
