/* Sums, products, joins (docs/arithmetic.md section 4). */
#include "ref_util.h"

void infer__ref_add(const dscq_qnode *n, const ref_map *x, ref_map *y)
{
    const size_t count = dscq_qtensor_count(y->t);

    for (size_t i = 0; i < count; i++) {
        int64_t sum = 0;
        for (int32_t j = 0; j < n->input_count; j++)
            sum += (int64_t)(x[j].q[i] - x[j].t->zero_point) * n->mult[j];
        y->q[i] = ref_finish(n, y, ref_leaky(n, ref_shift(sum, n->shift[0])));
    }
}

void infer__ref_mul(const dscq_qnode *n, const ref_map *x, ref_map *y)
{
    const int one_pixel = x[1].t->h == 1 && x[1].t->w == 1;

    for (int32_t h = 0; h < y->t->h; h++)
        for (int32_t w = 0; w < y->t->w; w++)
            for (int32_t c = 0; c < y->t->c; c++) {
                const int64_t a = ref_at(&x[0], h, w, c) - x[0].t->zero_point;
                const int64_t b =
                    ref_at(&x[1], one_pixel ? 0 : h, one_pixel ? 0 : w, c) -
                    x[1].t->zero_point;
                *ref_cell(y, h, w, c) =
                    ref_finish(n, y, ref_shift(a * b * n->mult[0], n->shift[0]));
            }
}

static int32_t rescaled(const dscq_qnode *n, int32_t i, const ref_map *x,
                        const ref_map *y, int32_t q)
{
    if (dscq_qnode_is_copied(n, i))
        return q;
    return ref_finish(
        n, y, ref_shift((int64_t)(q - x->t->zero_point) * n->mult[i], n->shift[i]));
}

void infer__ref_concat(const dscq_qnode *n, const ref_map *x, ref_map *y)
{
    int32_t first = 0;

    for (int32_t i = 0; i < n->input_count; i++) {
        for (int32_t h = 0; h < y->t->h; h++)
            for (int32_t w = 0; w < y->t->w; w++)
                for (int32_t c = 0; c < x[i].t->c; c++)
                    *ref_cell(y, h, w, first + c) =
                        rescaled(n, i, &x[i], y, ref_at(&x[i], h, w, c));
        first += x[i].t->c;
    }
}

void infer__ref_rescale(const dscq_qnode *n, const ref_map *x, ref_map *y)
{
    infer__ref_concat(n, x, y);
}
