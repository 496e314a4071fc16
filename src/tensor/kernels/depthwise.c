/*
 * depthwise.c - one row of a depthwise convolution, and its two gradients.
 *
 * The kernels are bound by memory, so they are plain: a tile of PIXELS outputs of one
 * vector of channels in registers, every tap loaded once a tile. Narrow maps go
 * channels outside, so that the weights stay in registers; wide ones go pixels
 * outside, so that memory is read in order. 3x3 and 5x5 have their loops unrolled.
 */
#include "activate.h"
#include "kernels_internal.h"

enum { PIXELS = 4, TAPS_MAX = 25, NARROW = 128 };

/* A row kernel with its sizes; constants where the caller passes constants. */
typedef struct dw_row {
    const float *const *in; /* kernel_h rows, NULL: nothing there */
    const float *w;
    float *out;
    size_t c, pixels;
    size_t kh, kw;
    size_t step;   /* floats between the windows of neighbouring outputs */
    ptrdiff_t tap; /* floats between taps                                */
    size_t skip;   /* floats from in[r] to the first tap                 */
} dw_row;

static const dscq_on_store plain;

/* ---- forward ------------------------------------------------------------ */

typedef struct sums {
    vf s, q;
} sums;

/* `count` outputs from pixel x of the channels at c0. */
INL void forward_tile(const dw_row *d, const size_t kh, const size_t kw,
                      const size_t count, size_t x, size_t c0, size_t n, const vf *w,
                      vf *acc)
{
    UNROLL
    for (size_t u = 0; u < count; u++)
        acc[u] = (vf){0};
    for (size_t r = 0; r < kh; r++) {
        const float *in = d->in[r];

        if (in == NULL)
            continue;
        in += d->skip + x * d->step + c0;
        for (size_t k = 0; k < kw; k++, in += d->tap) {
            vf v = w != NULL ? w[r * kw + k]
                             : v_load_upto(d->w + (r * kw + k) * d->c + c0, n);

            UNROLL
            for (size_t u = 0; u < count; u++)
                acc[u] += v * v_load_upto(in + u * d->step, n);
        }
    }
}

INL void forward_store(const dw_row *d, const size_t count, size_t at, size_t n,
                       vf *acc, const dscq_on_store *s, vf bias, sums *t)
{
    UNROLL
    for (size_t u = 0; u < count; u++) {
        float *to = d->out + at + u * d->c;
        vf v = acc[u] + bias;

        if (s->add_to)
            v += v_load_upto(to, n);
        t->s += v;
        t->q += v * v;
        if (s->act == DSCQ_ACT_RELU)
            v = v_max((vf){0}, v);
        else if (s->act == DSCQ_ACT_RELU6)
            v = clamp06(v);
        v_store_upto(to, n, v);
    }
}

INL void add_sums(const dscq_on_store *s, size_t c0, size_t n, sums t)
{
    if (s->sum == NULL)
        return;
    v_store_upto(s->sum + c0, n, v_load_upto(s->sum + c0, n) + t.s);
    v_store_upto(s->sum_sq + c0, n, v_load_upto(s->sum_sq + c0, n) + t.q);
}

/* Pixels [x, end) of the channels at c0. */
INL void forward_run(const dw_row *d, const size_t kh, const size_t kw, size_t x,
                     size_t end, size_t c0, const vf *w, const dscq_on_store *s)
{
    size_t n = d->c - c0 < VL ? d->c - c0 : VL;
    vf bias = s->bias != NULL ? v_load_upto(s->bias + c0, n) : (vf){0};
    sums t = {{0}, {0}};
    vf acc[PIXELS];

    for (; x + PIXELS <= end; x += PIXELS) {
        forward_tile(d, kh, kw, PIXELS, x, c0, n, w, acc);
        forward_store(d, PIXELS, x * d->c + c0, n, acc, s, bias, &t);
    }
    for (; x < end; x++) {
        forward_tile(d, kh, kw, 1, x, c0, n, w, acc);
        forward_store(d, 1, x * d->c + c0, n, acc, s, bias, &t);
    }
    add_sums(s, c0, n, t);
}

/* kh, kw: constants, or 0 to take those of d */
INL void forward_row(const dw_row *d, const size_t kh, const size_t kw,
                     const dscq_on_store *s)
{
    const size_t rows = kh > 0 ? kh : d->kh, cols = kw > 0 ? kw : d->kw;
    const size_t span = d->c <= NARROW ? d->pixels : 2 * PIXELS;

    for (size_t x = 0; x < d->pixels; x += span) {
        size_t end = d->pixels - x < span ? d->pixels : x + span;

        for (size_t c0 = 0; c0 < d->c; c0 += VL) {
            vf w[TAPS_MAX];

            if (kh == 0 || kh * kw > 9 || d->c - c0 < VL) {
                forward_run(d, rows, cols, x, end, c0, NULL, s);
                continue;
            }
            UNROLL
            for (size_t k = 0; k < kh * kw; k++)
                w[k] = v_load(d->w + k * d->c + c0);
            forward_run(d, kh, kw, x, end, c0, w, s);
        }
    }
}

void FN(dw_forward)(const dscq_geom *g, const float *const *in, const float *w,
                    float *out, const dscq_on_store *s)
{
    const size_t c = (size_t)g->c;
    const dscq_on_store *end = s != NULL ? s : &plain;
    const dw_row d = {in,
                      w,
                      out,
                      c,
                      (size_t)g->out_w,
                      (size_t)g->kernel_h,
                      (size_t)g->kernel_w,
                      (size_t)g->stride_w * c,
                      (ptrdiff_t)g->dilation_w * g->c,
                      0};

    if (d.kh == 3 && d.kw == 3)
        forward_row(&d, 3, 3, end);
    else if (d.kh == 5 && d.kw == 5)
        forward_row(&d, 5, 5, end);
    else
        forward_row(&d, 0, 0, end);
    if (end->act > DSCQ_ACT_RELU6) {
        const dscq_on_load later = {NULL, NULL, end->act, end->slope, NULL};

        FN(load)(&later, out, c, out, c, d.pixels, c);
    }
}

/* ---- gradient of the weights -------------------------------------------- */

/* Tap (r, k) over pixels [x, end): acc += dz * in */
INL vf wgrad_tap(const dw_row *d, const float *in, const float *dz, size_t x,
                 size_t end, size_t n)
{
    vf a = {0};

    for (; x < end; x++)
        a += v_load_upto(dz + x * d->c, n) * v_load_upto(in + x * d->step, n);
    return a;
}

/* Any kernel size: tap by tap. d->out is the gradient, d->w is dz. */
static void wgrad_any(const dw_row *d)
{
    const size_t span = d->c <= NARROW ? d->pixels : 2 * PIXELS;

    for (size_t x = 0; x < d->pixels; x += span)
        for (size_t c0 = 0; c0 < d->c; c0 += VL) {
            size_t n = d->c - c0 < VL ? d->c - c0 : VL;
            size_t end = d->pixels - x < span ? d->pixels : x + span;

            for (size_t i = 0; i < d->kh * d->kw; i++) {
                const float *in = d->in[i / d->kw];
                float *to = d->out + i * d->c + c0;

                if (in == NULL)
                    continue;
                in += (ptrdiff_t)(i % d->kw) * d->tap + (ptrdiff_t)c0;
                v_store_upto(
                    to, n, v_load_upto(to, n) + wgrad_tap(d, in, d->w + c0, x, end, n));
            }
        }
}

/* One kernel row of `kw` taps with full vectors: dz is loaded once a pixel. */
INL void wgrad_run(const dw_row *d, const size_t kw, const float *in, size_t x,
                   size_t end, size_t c0, vf *acc)
{
    in += x * d->step + c0;
    for (; x < end; x++, in += d->step) {
        vf z = v_load(d->w + x * d->c + c0);

        UNROLL
        for (size_t k = 0; k < kw; k++)
            acc[k] += z * v_load(in + (ptrdiff_t)k * d->tap);
    }
}

/* All three rows at once where all three exist. */
INL void wgrad_run3(const dw_row *d, size_t x, size_t end, size_t c0, vf *acc)
{
    const float *in0 = d->in[0] + x * d->step + c0, *in1 = d->in[1] + x * d->step + c0;
    const float *in2 = d->in[2] + x * d->step + c0, *dz = d->w + x * d->c + c0;

    for (; x < end; x++, dz += d->c) {
        vf z = v_load(dz);

        UNROLL
        for (size_t k = 0; k < 3; k++) {
            acc[k] += z * v_load(in0 + (ptrdiff_t)k * d->tap);
            acc[3 + k] += z * v_load(in1 + (ptrdiff_t)k * d->tap);
            acc[6 + k] += z * v_load(in2 + (ptrdiff_t)k * d->tap);
        }
        in0 += d->step;
        in1 += d->step;
        in2 += d->step;
    }
}

INL void wgrad_row(const dw_row *d, const size_t kh, const size_t kw)
{
    const size_t span = d->c <= NARROW ? d->pixels : 2 * PIXELS;
    const int all = kh == 3 && kw == 3 && d->in[0] && d->in[1] && d->in[2];

    for (size_t x = 0; x < d->pixels; x += span)
        for (size_t c0 = 0; c0 < d->c; c0 += VL) {
            size_t end = d->pixels - x < span ? d->pixels : x + span;
            vf acc[TAPS_MAX];

            UNROLL
            for (size_t i = 0; i < kh * kw; i++)
                acc[i] = v_load(d->out + i * d->c + c0);
            if (all)
                wgrad_run3(d, x, end, c0, acc);
            UNROLL
            for (size_t r = 0; r < kh; r++)
                if (!all && d->in[r] != NULL)
                    wgrad_run(d, kw, d->in[r], x, end, c0, acc + r * kw);
            UNROLL
            for (size_t i = 0; i < kh * kw; i++)
                v_store(d->out + i * d->c + c0, acc[i]);
        }
}

void FN(dw_wgrad)(const dscq_geom *g, const float *const *in, const float *dz,
                  float *dw)
{
    const size_t c = (size_t)g->c;
    const dw_row d = {in,
                      dz,
                      dw,
                      c,
                      (size_t)g->out_w,
                      (size_t)g->kernel_h,
                      (size_t)g->kernel_w,
                      (size_t)g->stride_w * c,
                      (ptrdiff_t)g->dilation_w * g->c,
                      0};

    if (d.kh == 3 && d.kw == 3 && c % VL == 0)
        wgrad_row(&d, 3, 3);
    else if (d.kh == 5 && d.kw == 5 && c % VL == 0)
        wgrad_row(&d, 5, 5);
    else
        wgrad_any(&d);
}

/* ---- gradient of the input ----------------------------------------------
 * With stride 1 it is a forward row with the taps running backwards: tap s of input
 * pixel x meets output x + pad - s*dilation. */

/* The taps that reach input column ix, in steps of `every`, for any stride. */
typedef struct tap_run {
    size_t first, every, count;
    size_t at;   /* dz pixel (from the start of the padded row) of the first tap */
    size_t back; /* dz pixels to go back from one tap to the next */
} tap_run;

static tap_run taps_of(const dscq_geom *g, int32_t ix, int32_t lead)
{
    tap_run t = {0, 1, 0, 0, 0};
    int32_t previous = 0;

    for (int32_t s = 0; s < g->kernel_w; s++) {
        int32_t at = ix + g->pad_left - s * g->dilation_w;

        /* `at` may be negative: outputs before the first lie in the lead */
        if ((at % g->stride_w + g->stride_w) % g->stride_w != 0)
            continue;
        at = (at + lead * g->stride_w) / g->stride_w;
        if (t.count == 0) {
            t.first = (size_t)s;
            t.at = (size_t)at;
        } else if (t.count == 1) {
            t.every = (size_t)s - t.first;
            t.back = (size_t)(previous - at);
        }
        previous = at;
        t.count++;
    }
    return t;
}

/* `count` input pixels, each one stride after the other, so with the same taps. */
INL void dgrad_tile(const dw_row *d, const tap_run *t, const size_t count, size_t c0,
                    size_t n, vf *acc)
{
    UNROLL
    for (size_t u = 0; u < count; u++)
        acc[u] = (vf){0};
    for (size_t r = 0; r < d->kh; r++) {
        if (d->in[r] == NULL)
            continue;
        for (size_t k = 0; k < t->count; k++) {
            size_t tap = r * d->kw + t->first + k * t->every;
            const float *z = d->in[r] + (t->at - k * t->back) * d->c + c0;
            vf w = v_load_upto(d->w + tap * d->c + c0, n);

            UNROLL
            for (size_t u = 0; u < count; u++)
                acc[u] += w * v_load_upto(z + u * d->c, n);
        }
    }
}

static void dgrad_strided(const dscq_geom *g, const dw_row *d, int32_t lead)
{
    const int32_t stride = g->stride_w;
    vf acc[PIXELS];

    for (int32_t x0 = 0; x0 < g->in_w; x0 += PIXELS * stride)
        for (int32_t x = x0; x < x0 + stride && x < g->in_w; x++) {
            tap_run t = taps_of(g, x, lead);
            int32_t count = (g->in_w - x + stride - 1) / stride;
            float *to = d->out + (size_t)x * d->c;

            count = count < PIXELS ? count : PIXELS;
            for (size_t c0 = 0; c0 < d->c; c0 += VL) {
                size_t n = d->c - c0 < VL ? d->c - c0 : VL;

                if (count == PIXELS)
                    dgrad_tile(d, &t, PIXELS, c0, n, acc);
                for (int32_t u = 0; u < count; u++) {
                    tap_run shifted = t;

                    shifted.at += (size_t)u;
                    if (count != PIXELS)
                        dgrad_tile(d, &shifted, 1, c0, n, acc + u);
                    v_store_upto(to + (size_t)(u * stride) * d->c + c0, n, acc[u]);
                }
            }
        }
}

void FN(dw_dgrad)(const dscq_geom *g, const float *const *dz, const float *w, float *dx)
{
    const size_t c = (size_t)g->c;
    const int32_t lead = dscq_dw_dz_lead(g);
    const dw_row d = {dz,
                      w,
                      dx,
                      c,
                      (size_t)g->in_w,
                      (size_t)g->kernel_h,
                      (size_t)g->kernel_w,
                      c,
                      -(ptrdiff_t)g->dilation_w * g->c,
                      (size_t)(lead + g->pad_left) * c};

    if (g->stride_w > 1)
        dgrad_strided(g, &d, lead);
    else if (d.kh == 3 && d.kw == 3)
        forward_row(&d, 3, 3, &plain);
    else if (d.kh == 5 && d.kw == 5)
        forward_row(&d, 5, 5, &plain);
    else
        forward_row(&d, 0, 0, &plain);
}
