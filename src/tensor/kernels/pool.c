/* pool.c - pooling and nearest-neighbour upsampling of one image. */
#include "kernels_internal.h"
#include "simd.h"

/* The part of a window along one axis that lies inside the map. */
typedef struct span {
    int32_t first, count; /* taps */
    int32_t at, step;     /* position of the first tap, distance between taps */
} span;

static span clip(int32_t out, int32_t stride, int32_t pad, int32_t kernel,
                 int32_t dilation, int32_t size)
{
    span s = {0, 0, out * stride - pad, dilation};

    while (s.first < kernel && s.at < 0) {
        s.first++;
        s.at += dilation;
    }
    while (s.first + s.count < kernel && s.at + s.count * dilation < size)
        s.count++;
    return s;
}

static span clip_rows(const dscq_geom *g, int32_t y)
{
    return clip(y, g->stride_h, g->pad_top, g->kernel_h, g->dilation_h, g->in_h);
}

static span clip_cols(const dscq_geom *g, int32_t x)
{
    return clip(x, g->stride_w, g->pad_left, g->kernel_w, g->dilation_w, g->in_w);
}

INL vi vi_load_upto(const int32_t *p, size_t n)
{
    vi x = {0};

    memcpy(&x, p, (n < VL ? n : VL) * sizeof *p);
    return x;
}

INL void vi_store_upto(int32_t *p, size_t n, vi x)
{
    memcpy(p, &x, (n < VL ? n : VL) * sizeof *p);
}

static void max_window(const dscq_geom *g, span ys, span xs, const float *in,
                       float *out, int32_t *where)
{
    const size_t c = (size_t)g->c;

    for (size_t c0 = 0; c0 < c; c0 += VL) {
        size_t n = c - c0 < VL ? c - c0 : VL;
        int32_t pixel = ys.at * g->in_w + xs.at;
        vf best = v_load_upto(in + (size_t)pixel * c + c0, n);
        vi at = (vi){0} + pixel;

        for (int32_t i = 0; i < ys.count; i++)
            for (int32_t j = 0; j < xs.count; j++) {
                vf x;
                vi more;

                pixel = (ys.at + i * ys.step) * g->in_w + xs.at + j * xs.step;
                x = v_load_upto(in + (size_t)pixel * c + c0, n);
                more = x > best;
                best = v_max(x, best);
                at = v_pick(more, (vi){0} + pixel, at);
            }
        v_store_upto(out + c0, n, best);
        if (where != NULL)
            vi_store_upto(where + c0, n, at);
    }
}

void FN(maxpool)(const dscq_geom *g, const float *in, float *out, int32_t *where)
{
    const size_t c = (size_t)g->c;

    for (int32_t y = 0; y < g->out_h; y++)
        for (int32_t x = 0; x < g->out_w; x++, out += c) {
            span ys = clip_rows(g, y), xs = clip_cols(g, x);

            if (ys.count > 0 && xs.count > 0) {
                max_window(g, ys, xs, in, out, where);
            } else {
                memset(out, 0, c * sizeof *out);
                for (size_t i = 0; where != NULL && i < c; i++)
                    where[i] = -1;
            }
            where = where != NULL ? where + c : NULL;
        }
}

void FN(maxpool_back)(const dscq_geom *g, const float *dout, const int32_t *where,
                      float *din_add)
{
    const size_t c = (size_t)g->c, pixels = (size_t)g->out_h * (size_t)g->out_w;

    for (size_t p = 0; p < pixels; p++)
        for (size_t i = 0; i < c; i++)
            if (where[p * c + i] >= 0)
                din_add[(size_t)where[p * c + i] * c + i] += dout[p * c + i];
}

static float share(const dscq_geom *g, int count_pad, span ys, span xs)
{
    int32_t count = count_pad ? g->kernel_h * g->kernel_w : ys.count * xs.count;

    return count > 0 ? 1.0F / (float)count : 0;
}

static void avg_window(const dscq_geom *g, span ys, span xs, float by, const float *in,
                       float *out)
{
    const size_t c = (size_t)g->c;

    for (size_t c0 = 0; c0 < c; c0 += VL) {
        size_t n = c - c0 < VL ? c - c0 : VL;
        vf total = {0};

        for (int32_t i = 0; i < ys.count; i++) {
            size_t row = (size_t)(ys.at + i * ys.step) * (size_t)g->in_w;

            for (int32_t j = 0; j < xs.count; j++)
                total +=
                    v_load_upto(in + (row + (size_t)(xs.at + j * xs.step)) * c + c0, n);
        }
        v_store_upto(out + c0, n, total * by);
    }
}

void FN(avgpool)(const dscq_geom *g, int count_pad, const float *in, float *out)
{
    for (int32_t y = 0; y < g->out_h; y++)
        for (int32_t x = 0; x < g->out_w; x++, out += g->c) {
            span ys = clip_rows(g, y), xs = clip_cols(g, x);

            avg_window(g, ys, xs, share(g, count_pad, ys, xs), in, out);
        }
}

void FN(avgpool_back)(const dscq_geom *g, int count_pad, const float *dout,
                      float *din_add)
{
    const size_t c = (size_t)g->c;

    for (int32_t y = 0; y < g->out_h; y++)
        for (int32_t x = 0; x < g->out_w; x++, dout += c) {
            span ys = clip_rows(g, y), xs = clip_cols(g, x);
            float by = share(g, count_pad, ys, xs);

            for (int32_t i = 0; i < ys.count; i++)
                for (int32_t j = 0; j < xs.count; j++) {
                    size_t row = (size_t)(ys.at + i * ys.step) * (size_t)g->in_w;
                    size_t pixel = row + (size_t)(xs.at + j * xs.step);

                    FN(axpy)(by, dout, din_add + pixel * c, c);
                }
        }
}

void FN(upsample)(const float *in, int32_t in_h, int32_t in_w, int32_t c,
                  int32_t factor, float *out)
{
    const size_t n = (size_t)c, f = (size_t)factor, line = (size_t)in_w * f * n;

    for (size_t y = 0; y < (size_t)in_h; y++, out += f * line) {
        for (size_t x = 0; x < (size_t)in_w * f; x++)
            memcpy(out + x * n, in + (y * (size_t)in_w + x / f) * n, n * sizeof *out);
        for (size_t i = 1; i < f; i++)
            memcpy(out + i * line, out, line * sizeof *out);
    }
}

void FN(upsample_back)(const float *dout, int32_t in_h, int32_t in_w, int32_t c,
                       int32_t factor, float *din_add)
{
    const size_t n = (size_t)c, f = (size_t)factor, w = (size_t)in_w;

    for (size_t y = 0; y < (size_t)in_h * f; y++)
        for (size_t x = 0; x < w * f; x++, dout += n)
            FN(axpy)(1.0F, dout, din_add + (y / f * w + x / f) * n, n);
}
