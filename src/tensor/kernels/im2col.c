/* im2col.c - convolution windows as rows of a matrix, and back. */
#include "kernels_internal.h"

#include <string.h>

/* One kernel row of one output pixel: kernel_w runs of `c` channels. */
typedef struct taps {
    int32_t x;          /* input column of the first tap, may be negative */
    size_t c, distance; /* floats of a run; floats between columns        */
} taps;

static void gather(const dscq_geom *g, const float *row, const taps *t, float *out)
{
    if (t->c == t->distance && g->dilation_w == 1 && t->x >= 0 &&
        t->x + g->kernel_w <= g->in_w) {
        memcpy(out, row + (size_t)t->x * t->c,
               (size_t)g->kernel_w * t->c * sizeof *out);
        return;
    }
    for (int32_t s = 0; s < g->kernel_w; s++, out += t->c) {
        int32_t x = t->x + s * g->dilation_w;

        if (x < 0 || x >= g->in_w)
            memset(out, 0, t->c * sizeof *out);
        else
            memcpy(out, row + (size_t)x * t->distance, t->c * sizeof *out);
    }
}

void FN(im2col)(const dscq_geom *g, const float *image, int32_t group, size_t first,
                size_t rows, float *out, size_t ldo)
{
    const size_t c = (size_t)(g->c / g->groups), all = (size_t)g->c;
    const size_t line = (size_t)g->kernel_w * c;
    const float *from = image + (size_t)group * c;

    for (size_t p = first; p < first + rows; p++, out += ldo) {
        int32_t oy = (int32_t)(p / (size_t)g->out_w),
                ox = (int32_t)(p % (size_t)g->out_w);
        taps t = {ox * g->stride_w - g->pad_left, c, all};

        for (int32_t r = 0; r < g->kernel_h; r++) {
            int32_t y = oy * g->stride_h - g->pad_top + r * g->dilation_h;

            if (y < 0 || y >= g->in_h)
                memset(out + (size_t)r * line, 0, line * sizeof *out);
            else
                gather(g, from + (size_t)y * (size_t)g->in_w * all, &t,
                       out + (size_t)r * line);
        }
    }
}

static void scatter(const dscq_geom *g, const float *cols, const taps *t, float *row)
{
    if (t->c == t->distance && g->dilation_w == 1 && t->x >= 0 &&
        t->x + g->kernel_w <= g->in_w) {
        FN(axpy)(1.0F, cols, row + (size_t)t->x * t->c, (size_t)g->kernel_w * t->c);
        return;
    }
    for (int32_t s = 0; s < g->kernel_w; s++, cols += t->c) {
        int32_t x = t->x + s * g->dilation_w;

        if (x >= 0 && x < g->in_w)
            FN(axpy)(1.0F, cols, row + (size_t)x * t->distance, t->c);
    }
}

void FN(col2im_add)(const dscq_geom *g, const float *cols, size_t ldc, int32_t group,
                    size_t first, size_t rows, float *image)
{
    const size_t c = (size_t)(g->c / g->groups), all = (size_t)g->c;
    const size_t line = (size_t)g->kernel_w * c;
    float *to = image + (size_t)group * c;

    for (size_t p = first; p < first + rows; p++, cols += ldc) {
        int32_t oy = (int32_t)(p / (size_t)g->out_w),
                ox = (int32_t)(p % (size_t)g->out_w);
        taps t = {ox * g->stride_w - g->pad_left, c, all};

        for (int32_t r = 0; r < g->kernel_h; r++) {
            int32_t y = oy * g->stride_h - g->pad_top + r * g->dilation_h;

            if (y >= 0 && y < g->in_h)
                scatter(g, cols + (size_t)r * line, &t,
                        to + (size_t)y * (size_t)g->in_w * all);
        }
    }
}

/* Squares of 16 x 16: both sides of a square stay in the first-level cache. */
void FN(transpose)(float *out, const float *in, size_t rows, size_t cols)
{
    enum { SIDE = 16 };

    for (size_t i0 = 0; i0 < rows; i0 += SIDE)
        for (size_t j0 = 0; j0 < cols; j0 += SIDE)
            for (size_t j = j0; j < cols && j < j0 + SIDE; j++)
                for (size_t i = i0; i < rows && i < i0 + SIDE; i++)
                    out[j * rows + i] = in[i * cols + j];
}
