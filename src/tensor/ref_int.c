#include "dscq/tensor/ref.h"

/* Division by a power of two towards minus infinity, without a shift of a negative. */
static int64_t floor_half(int64_t x, int times)
{
    for (; times > 0; times--)
        x = x >= 0 ? x / 2 : -((1 - x) / 2);
    return x;
}

int32_t dscq_ref_requant(const dscq_requant *r, size_t c, int64_t acc)
{
    int64_t u = floor_half(acc * r->mult[c], r->shift[c]) + r->bias[c], y;

    if (r->is_leaky && u < 0)
        u = floor_half(u * r->slope_q15, 15);
    y = r->zero + floor_half(u + 128, 8);
    return (int32_t)(y < r->lo ? r->lo : y > r->hi ? r->hi : y);
}

static int64_t window_sum(const dscq_geom *g, int32_t outs, const int32_t at[3],
                          const uint8_t *in, int32_t zero, const int16_t *w)
{
    const int32_t per = g->c / g->groups, k = at[2],
                  from = k / (outs / g->groups) * per;
    int64_t sum = 0;

    for (int32_t r = 0; r < g->kernel_h; r++)
        for (int32_t s = 0; s < g->kernel_w; s++) {
            int32_t y = at[0] * g->stride_h - g->pad_top + r * g->dilation_h;
            int32_t x = at[1] * g->stride_w - g->pad_left + s * g->dilation_w;

            if (y < 0 || y >= g->in_h || x < 0 || x >= g->in_w)
                continue;
            for (int32_t c = 0; c < per; c++)
                sum += w[((k * g->kernel_h + r) * g->kernel_w + s) * per + c] *
                       (in[(y * g->in_w + x) * g->c + from + c] - zero);
        }
    return sum;
}

void dscq_ref_conv_int(const dscq_geom *g, int32_t k, const uint8_t *in, int32_t zero,
                       const int16_t *w, int64_t *acc)
{
    for (int32_t y = 0; y < g->out_h; y++)
        for (int32_t x = 0; x < g->out_w; x++)
            for (int32_t o = 0; o < k; o++)
                *acc++ = window_sum(g, k, (int32_t[]){y, x, o}, in, zero, w);
}
