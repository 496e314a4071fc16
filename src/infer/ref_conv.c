/* Convolution of every kind (docs/arithmetic.md section 3). */
#include "ref_util.h"

static int64_t window_sum(const dscq_qnode *n, const ref_map *x, int32_t oh, int32_t ow,
                          int32_t k)
{
    const dscq_qweights *w = n->weights;
    const int32_t first = k / (w->k / n->groups) * w->c; /* channel of the group */
    int64_t acc = 0;

    for (int32_t r = 0; r < w->r; r++)
        for (int32_t s = 0; s < w->s; s++) {
            const int32_t h = oh * n->stride_h - n->pad_top + r * n->dilation_h;
            const int32_t v = ow * n->stride_w - n->pad_left + s * n->dilation_w;
            if (!ref_inside(x, h, v))
                continue;
            for (int32_t c = 0; c < w->c; c++) {
                const size_t at =
                    (((size_t)k * (size_t)w->r + (size_t)r) * (size_t)w->s +
                     (size_t)s) *
                        (size_t)w->c +
                    (size_t)c;
                acc += (int64_t)w->value[at] *
                       (ref_at(x, h, v, first + c) - x->t->zero_point);
            }
        }
    return acc;
}

void infer__ref_conv(const dscq_qnode *n, const ref_map *x, ref_map *y)
{
    for (int32_t h = 0; h < y->t->h; h++)
        for (int32_t w = 0; w < y->t->w; w++)
            for (int32_t k = 0; k < y->t->c; k++) {
                const int64_t acc = window_sum(n, x, h, w, k);
                int64_t u = ref_shift(acc * n->mult[k], n->shift[k]) + n->bias[k];
                u = ref_leaky(n, u);
                *ref_cell(y, h, w, k) = ref_finish(n, y, u);
            }
}
