/* int_im2col.c - convolution windows of bytes as rows of a matrix. */
#include "int_internal.h"
#include "int_simd.h"

typedef uint8_t vcopy __attribute__((vector_size(64), aligned(1), may_alias));
typedef uint8_t vshort __attribute__((vector_size(16), aligned(1), may_alias));

/* At least n bytes, up to 63 more. */
INL void copy_over(uint8_t *out, const uint8_t *in, size_t n)
{
    if (n <= sizeof(vshort)) {
        *(vshort *)out = *(const vshort *)in;
        return;
    }
    for (size_t i = 0; i < n; i += sizeof(vcopy))
        *(vcopy *)(out + i) = *(const vcopy *)(in + i);
}

/* `count` windows of one output row, all of them inside the image: what is copied too
 * much is overwritten by what comes next. */
static void windows(const dscq_geom *g, const uint8_t *from, size_t count, uint8_t *out,
                    size_t ldo)
{
    const size_t c = (size_t)g->c, line = (size_t)g->kernel_w * c;
    const size_t step = (size_t)g->stride_w * c;
    const size_t row = (size_t)g->dilation_h * (size_t)g->in_w * c;

    for (size_t p = 0; p < count; p++, from += step, out += ldo)
        for (size_t r = 0; r < (size_t)g->kernel_h; r++)
            copy_over(out + r * line, from + r * row, line);
}

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

/* How many windows from output (oy, ox) on, at most `most` and to the end of the output
 * row, lie inside the image and are rows of neighbouring bytes. */
static size_t run_inside(const dscq_geom *g, int32_t oy, int32_t ox, size_t most)
{
    const int32_t y = oy * g->stride_h - g->pad_top, x = ox * g->stride_w - g->pad_left;
    const int32_t high = (g->kernel_h - 1) * g->dilation_h + 1;

    if (g->groups != 1 || (g->dilation_w != 1 && g->kernel_w > 1) || y < 0 ||
        y + high > g->in_h || x < 0 || x + g->kernel_w > g->in_w)
        return 0;
    size_t fit = (size_t)((g->in_w - g->kernel_w - x) / g->stride_w) + 1;
    const size_t left = (size_t)(g->out_w - ox);

    fit = fit < left ? fit : left;
    return fit < most ? fit : most;
}

void FN(im2col)(const dscq_geom *g, const uint8_t *image, int32_t group, size_t first,
                size_t rows, uint8_t *out, size_t ldo, uint8_t fill)
{
    const size_t c = (size_t)(g->c / g->groups), all = (size_t)g->c;
    const size_t line = (size_t)g->kernel_w * c;
    const uint8_t *from = image + (size_t)group * c;

    for (size_t p = first, end = first + rows; p < end; p++, out += ldo) {
        int32_t oy = (int32_t)(p / (size_t)g->out_w),
                ox = (int32_t)(p % (size_t)g->out_w);
        int32_t x = ox * g->stride_w - g->pad_left;

        const size_t inside = run_inside(g, oy, ox, end - p);
        if (inside > 0) {
            const int32_t y = oy * g->stride_h - g->pad_top;
            windows(g, image + ((size_t)y * (size_t)g->in_w + (size_t)x) * all, inside,
                    out, ldo);
            p += inside - 1;
            out += (inside - 1) * ldo;
            continue;
        }
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
