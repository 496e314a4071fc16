/* int_im2col.c - convolution windows of bytes as rows of a matrix. */
#include "int_internal.h"

#include <string.h>

/* One kernel row of one output pixel; x is the input column of its first tap. */
static void gather(const dscq_geom *g, const uint8_t *row, int32_t x, uint8_t fill,
                   uint8_t *out)
{
    const size_t c = (size_t)(g->c / g->groups), all = (size_t)g->c;

    if (g->groups == 1 && g->dilation_w == 1 && x >= 0 && x + g->kernel_w <= g->in_w) {
        memcpy(out, row + (size_t)x * c, (size_t)g->kernel_w * c);
        return;
    }
    for (int32_t s = 0; s < g->kernel_w; s++, out += c, x += g->dilation_w) {
        if (x < 0 || x >= g->in_w)
            memset(out, fill, c);
        else
            memcpy(out, row + (size_t)x * all, c);
    }
}

void FN(im2col)(const dscq_geom *g, const uint8_t *image, int32_t group, size_t first,
                size_t rows, uint8_t *out, size_t ldo, uint8_t fill)
{
    const size_t c = (size_t)(g->c / g->groups), all = (size_t)g->c;
    const size_t line = (size_t)g->kernel_w * c;
    const uint8_t *from = image + (size_t)group * c;

    for (size_t p = first; p < first + rows; p++, out += ldo) {
        int32_t oy = (int32_t)(p / (size_t)g->out_w),
                ox = (int32_t)(p % (size_t)g->out_w);
        int32_t x = ox * g->stride_w - g->pad_left;

        for (int32_t r = 0; r < g->kernel_h; r++) {
            int32_t y = oy * g->stride_h - g->pad_top + r * g->dilation_h;
            uint8_t *to = out + (size_t)r * line;

            if (y < 0 || y >= g->in_h)
                memset(to, fill, line);
            else
                gather(g, from + (size_t)y * (size_t)g->in_w * all, x, fill, to);
        }
    }
}
