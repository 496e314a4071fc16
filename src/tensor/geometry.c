/* geometry.c - how far rows are apart, and how far kernels reach beyond a map. */
#include "dscq/tensor/kernels.h"

size_t dscq_row_stride(size_t c)
{
    size_t stride = (c + 15) / 16 * 16;

    /* rows 1, 2 or 4 KiB apart fall into few sets of a first-level cache */
    return stride % 256 == 0 ? stride + 16 : stride;
}

static int32_t reach(int32_t kernel, int32_t dilation)
{
    return (kernel - 1) * dilation;
}

int32_t dscq_dw_dz_lead(const dscq_geom *g)
{
    int32_t before = reach(g->kernel_w, g->dilation_w) - g->pad_left;

    return before <= 0 ? 0 : (before + g->stride_w - 1) / g->stride_w;
}

int32_t dscq_dw_dz_trail(const dscq_geom *g)
{
    int32_t last = (g->in_w - 1 + g->pad_left) / g->stride_w;

    return last < g->out_w ? 0 : last - g->out_w + 1;
}

int32_t dscq_dw_in_pixels(const dscq_geom *g)
{
    return (g->out_w - 1) * g->stride_w + reach(g->kernel_w, g->dilation_w) + 1;
}
