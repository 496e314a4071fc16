#include "dscq/tensor/shape.h"

#include <stdio.h>

size_t dscq_shape_count(const dscq_shape *s)
{
    const int32_t dim[4] = {s->n, s->h, s->w, s->c};
    uint64_t count = 1;

    for (int i = 0; i < 4; i++) {
        if (dim[i] <= 0)
            return 0;
        /* count <= 2^40 and dim < 2^31: the product may pass 2^64, so divide */
        if (count > ((uint64_t)1 << 40) / (uint64_t)dim[i])
            return 0;
        count *= (uint64_t)dim[i];
    }
    return count > SIZE_MAX ? 0 : (size_t)count;
}

int dscq_shape_equal(const dscq_shape *a, const dscq_shape *b)
{
    return a->n == b->n && dscq_shape_same_map(a, b);
}

int dscq_shape_same_map(const dscq_shape *a, const dscq_shape *b)
{
    return a->h == b->h && a->w == b->w && a->c == b->c;
}

void dscq_shape_text(char *out, size_t cap, const dscq_shape *s)
{
    snprintf(out, cap, "%dx%dx%d", (int)s->h, (int)s->w, (int)s->c);
}

int32_t dscq_window_out(int32_t in, int32_t k, int32_t stride, int32_t pad_lo,
                        int32_t pad_hi, int32_t dilation)
{
    int64_t room;

    if (in <= 0 || k <= 0 || stride <= 0 || pad_lo < 0 || pad_hi < 0 || dilation <= 0)
        return 0;
    room = (int64_t)in + pad_lo + pad_hi - (int64_t)dilation * (k - 1) - 1;
    if (room < 0 || room / stride >= INT32_MAX)
        return 0;
    return (int32_t)(room / stride + 1);
}
