/*
 * depthwise.c - one row of a depthwise convolution, and its two gradients.
 *
 * The kernels are bound by memory, so they are plain: a tile of PIXELS outputs of one
 * vector of channels in registers, every tap loaded once a tile. Narrow maps go
 * channels outside, so that the weights stay in registers; wide ones go pixels
 * outside, so that memory is read in order. Common kernel sizes are unrolled.
 */
#include "activate.h"
#include "kernels_internal.h"

enum { PIXELS = 4, TAPS_MAX = 25, NARROW = 128 };

/* A row of outputs, each the sum over kh rows and kw taps of weight * input. The
 * gradient of the input is one, too: with stride 1 its taps run backwards, with
 * stride s it is s interleaved rows, each with every s-th tap. All distances are in
 * floats. */
typedef struct dw_row {
    const float *const *in; /* kh rows, NULL: nothing there           */
    const float *w;         /* weight of row r, tap k: r*w_row + k*w_tap */
    float *out;
    size_t c, pixels, kh, kw;
    size_t w_row;
    ptrdiff_t w_tap;
    size_t step, out_step; /* between the windows, the places of two outputs */
    ptrdiff_t tap;         /* between taps                                   */
    size_t skip;           /* from in[r] to the first tap                    */
} dw_row;

typedef struct sums {
    vf s, q;
} sums;

static const dscq_on_store plain;

/* ---- a row of sums ------------------------------------------------------ */

/* Sizes of a row kernel: constants, or 0 where the row says. `ratio` is step / tap:
 * with it the windows of neighbouring outputs share the vectors they have loaded. */
typedef struct row_size {
    size_t kh, kw, ratio;
} row_size;

INL vf weight_at(const dw_row *d, size_t r, size_t k, size_t c0, size_t n)
{
    return v_load_upto(d->w + r * d->w_row + (ptrdiff_t)k * d->w_tap + c0, n);
}

/* One kernel row, its inputs in registers. */
INL void sum_shared(const dw_row *d, const row_size z, const size_t count,
                    const float *in, const size_t n, const vf *w, vf *acc)
{
    vf v[(PIXELS - 1) * 2 + 5];

    UNROLL
    for (size_t i = 0; i < (count - 1) * z.ratio + z.kw; i++)
        v[i] = v_load_upto(in + (ptrdiff_t)i * d->tap, n);
    UNROLL
    for (size_t k = 0; k < z.kw; k++) {
        UNROLL
        for (size_t u = 0; u < count; u++)
            acc[u] += w[k] * v[u * z.ratio + k];
    }
}

/* The `count` outputs from pixel at[0] of n channels at at[1]. */
INL void sum_taps(const dw_row *d, const row_size z, const size_t count,
                  const size_t at[2], const size_t n, const vf *w, vf *acc)
{
    const size_t kh = z.kh > 0 ? z.kh : d->kh, kw = z.kw > 0 ? z.kw : d->kw;

    UNROLL
    for (size_t u = 0; u < count; u++)
        acc[u] = (vf){0};
    for (size_t r = 0; r < kh; r++) {
        const float *in = d->in[r];

        if (in == NULL)
            continue;
        in += d->skip + at[0] * d->step + at[1];
        if (w != NULL && z.ratio > 0) {
            sum_shared(d, z, count, in, n, w + r * z.kw, acc);
            continue;
        }
        for (size_t k = 0; k < kw; k++, in += d->tap) {
            vf v = w != NULL ? w[r * z.kw + k] : weight_at(d, r, k, at[1], n);

            UNROLL
            for (size_t u = 0; u < count; u++)
                acc[u] += v * v_load_upto(in + u * d->step, n);
        }
    }
}

/* The clamps alone: what else there is comes later. */
INL vf clamped(dscq_act act, vf x)
{
    const vf slope = {0};

#define DSCQ_ACT(name, ID, kind, lo, hi, value, derivative, vector, ...)               \
    if (DSCQ_ACT_##kind == DSCQ_ACT_CLAMP && act == DSCQ_ACT_##ID)                     \
        return vector;
#include "dscq/tensor/acts.def"
#undef DSCQ_ACT
    return x;
}

INL void store_sums(const dw_row *d, const size_t count, const size_t at[2],
                    const size_t n, vf *acc, const dscq_on_store *s, sums *t)
{
    vf bias = s->bias != NULL ? v_load_upto(s->bias + at[1], n) : (vf){0};
    float *to = d->out + at[0] * d->out_step + at[1];

    UNROLL
    for (size_t u = 0; u < count; u++, to += d->out_step) {
        vf v = acc[u] + bias;

        if (s->add_to)
            v += v_load_upto(to, n);
        t->s += v;
        t->q += v * v;
        v = clamped(s->act, v);
        if (s->far)
            v_stream(to, v);
        else
            v_store_upto(to, n, v);
    }
}

/* Pixels [x[0], x[1]) of n channels at c0. */
INL void run_of(const dw_row *d, const row_size z, const size_t x[2], size_t c0,
                const size_t n, const vf *w, const dscq_on_store *s)
{
    sums t = {{0}, {0}};
    size_t at[2] = {x[0], c0};
    vf acc[PIXELS];

    for (; at[0] + PIXELS <= x[1]; at[0] += PIXELS) {
        sum_taps(d, z, PIXELS, at, n, w, acc);
        store_sums(d, PIXELS, at, n, acc, s, &t);
    }
    for (; at[0] < x[1]; at[0]++) {
        sum_taps(d, z, 1, at, n, w, acc);
        store_sums(d, 1, at, n, acc, s, &t);
    }
    if (s->sum == NULL)
        return;
    v_store_upto(s->sum + c0, n, v_load_upto(s->sum + c0, n) + t.s);
    v_store_upto(s->sum_sq + c0, n, v_load_upto(s->sum_sq + c0, n) + t.q);
}

INL void row_of(const dw_row *d, const row_size z, const dscq_on_store *s)
{
    const size_t span = d->c <= NARROW ? d->pixels : 2 * PIXELS;

    for (size_t x = 0; x < d->pixels; x += span) {
        const size_t part[2] = {x, d->pixels - x < span ? d->pixels : x + span};

        for (size_t c0 = 0; c0 < d->c; c0 += VL) {
            vf w[TAPS_MAX];

            if (d->c - c0 < VL) {
                run_of(d, z, part, c0, d->c - c0, NULL, s);
                continue;
            }
            if (z.kh == 0) {
                run_of(d, z, part, c0, VL, NULL, s);
                continue;
            }
            UNROLL
            for (size_t r = 0; r < z.kh; r++) {
                UNROLL
                for (size_t k = 0; k < z.kw; k++)
                    w[r * z.kw + k] = weight_at(d, r, k, c0, VL);
            }
            run_of(d, z, part, c0, VL, w, s);
        }
    }
}

#define ROW_SIZES(X)                                                                   \
    X(1, 1, 1)                                                                         \
    X(1, 2, 1)                                                                         \
    X(2, 1, 1) X(2, 2, 1) X(3, 3, 1) X(3, 3, 2) X(5, 5, 1) X(5, 5, 2) X(0, 0, 0)
#define X(kh, kw, ratio)                                                               \
    static void row_##kh##_##kw##_##ratio(const dw_row *d, const dscq_on_store *s)     \
    {                                                                                  \
        row_of(d, (row_size){kh, kw, ratio}, s);                                       \
    }
ROW_SIZES(X)
#undef X

static void row(const dw_row *d, const dscq_on_store *s)
{
    const ptrdiff_t step = (ptrdiff_t)d->step;

#define X(h, w, ratio)                                                                 \
    if ((d->kh == (h) && d->kw == (w) && step == (ratio)*d->tap) || (h) == 0) {        \
        row_##h##_##w##_##ratio(d, s);                                                 \
        return;                                                                        \
    }
    ROW_SIZES(X)
#undef X
}

/* ---- narrow maps -------------------------------------------------------- */

/* With stride 1 and c a divisor of the vector, VL/c neighbouring pixels fill one: a
 * map of VL channels whose taps are c floats apart. Returns VL/c, or 1. */
static size_t pixels_in_vector(const dw_row *d)
{
    const size_t join = d->c < VL && VL % d->c == 0 ? VL / d->c : 1;

    return d->step == d->c && d->out_step == d->c && d->kh * d->kw <= TAPS_MAX &&
                   d->pixels >= join
               ? join
               : 1;
}

static void repeat(float *out, const float *in, size_t c)
{
    for (size_t i = 0; i < VL; i += c)
        memcpy(out + i, in, c * sizeof *out);
}

static void fold(float *sum, const float *part, size_t c)
{
    for (size_t i = 0; i < VL; i += c)
        for (size_t k = 0; k < c; k++)
            sum[k] += part[i + k];
}

/* The first pixels, a multiple of `join`; the caller does the rest. */
static void row_joined(const dw_row *d, const dscq_on_store *s, size_t join)
{
    float w[TAPS_MAX * DSCQ_LANES], bias[DSCQ_LANES], sum[2][DSCQ_LANES] = {{0}};
    dscq_on_store wide = *s;
    dw_row j = *d;

    for (size_t r = 0; r < d->kh; r++)
        for (size_t k = 0; k < d->kw; k++)
            repeat(w + (r * d->kw + k) * VL,
                   d->w + r * d->w_row + (ptrdiff_t)k * d->w_tap, d->c);
    j.w = w;
    j.w_row = d->kw * VL;
    j.w_tap = DSCQ_LANES;
    j.c = j.step = j.out_step = VL;
    j.tap = d->kw == 1 ? DSCQ_LANES : d->tap;
    j.pixels = d->pixels / join;
    if (s->bias != NULL) {
        repeat(bias, s->bias, d->c);
        wide.bias = bias;
    }
    if (s->sum != NULL) {
        wide.sum = sum[0];
        wide.sum_sq = sum[1];
    }
    row(&j, &wide);
    if (s->sum != NULL) {
        fold(s->sum, sum[0], d->c);
        fold(s->sum_sq, sum[1], d->c);
    }
}

static void row_any(dw_row d, const dscq_on_store *s)
{
    const size_t join = pixels_in_vector(&d), done = d.pixels / join * join;

    if (d.kw == 1) /* a single tap has no distance; make it the one that is fast */
        d.tap = (ptrdiff_t)d.step;
    if (join > 1) {
        row_joined(&d, s, join);
        d.skip += done * d.step;
        d.out += done * d.out_step;
        d.pixels -= done;
    }
    if (d.pixels > 0)
        row(&d, s);
}

/* ---- forward ------------------------------------------------------------ */

/* The row as the geometry has it; used by forward and by the weight gradient. */
static dw_row row_make(const dscq_geom *g, const float *const *in, const float *w,
                       float *out)
{
    const size_t c = (size_t)g->c, kw = (size_t)g->kernel_w;

    return (dw_row){.in = in,
                    .w = w,
                    .out = out,
                    .c = c,
                    .pixels = (size_t)g->out_w,
                    .kh = (size_t)g->kernel_h,
                    .kw = kw,
                    .w_row = kw * c,
                    .w_tap = g->c,
                    .step = (size_t)g->stride_w * c,
                    .out_step = c,
                    .tap = (ptrdiff_t)g->dilation_w * g->c,
                    .skip = 0};
}

void FN(dw_forward)(const dscq_geom *g, const float *const *in, const float *w,
                    float *out, const dscq_on_store *s)
{
    const size_t c = (size_t)g->c;
    const dscq_on_store *end = s != NULL ? s : &plain;
    const int is_clamp = act_kind(end->act) == DSCQ_ACT_CLAMP;
    dscq_on_store how = *end;

    how.far = how.far && v_may_stream(out, c) && is_clamp;
    row_any(row_make(g, in, w, out), &how);
    if (!is_clamp) {
        const dscq_on_load later = {.act = end->act, .slope = end->slope};

        FN(load)(&later, out, c, out, c, (size_t)g->out_w, c);
    }
}

/* ---- gradient of the weights: out is the gradient, w is dz --------------- */

/* Any kernel size and width: tap by tap. */
static void wgrad_any(const dw_row *d)
{
    const size_t span = d->c <= NARROW ? d->pixels : 2 * PIXELS;

    for (size_t x0 = 0; x0 < d->pixels; x0 += span)
        for (size_t c0 = 0; c0 < d->c; c0 += VL) {
            size_t n = d->c - c0 < VL ? d->c - c0 : VL;
            size_t end = d->pixels - x0 < span ? d->pixels : x0 + span;

            for (size_t i = 0; i < d->kh * d->kw; i++) {
                const float *in = d->in[i / d->kw];
                float *to = d->out + i * d->c + c0;
                vf a = v_load_upto(to, n);

                if (in == NULL)
                    continue;
                in += (ptrdiff_t)(i % d->kw) * d->tap + (ptrdiff_t)c0;
                for (size_t x = x0; x < end; x++)
                    a += v_load_upto(d->w + x * d->c + c0, n) *
                         v_load_upto(in + x * d->step, n);
                v_store_upto(to, n, a);
            }
        }
}

/* One kernel row of `kw` taps with full vectors: dz is loaded once a pixel. */
INL void wgrad_run(const dw_row *d, const size_t kw, const float *in, const size_t x[2],
                   size_t c0, vf *acc)
{
    in += x[0] * d->step + c0;
    for (size_t i = x[0]; i < x[1]; i++, in += d->step) {
        vf z = v_load(d->w + i * d->c + c0);

        UNROLL
        for (size_t k = 0; k < kw; k++)
            acc[k] += z * v_load(in + (ptrdiff_t)k * d->tap);
    }
}

/* All three rows at once where all three exist. */
INL void wgrad_run3(const dw_row *d, const size_t x[2], size_t c0, vf *acc)
{
    const size_t at = x[0] * d->step + c0;
    const float *in0 = d->in[0] + at, *in1 = d->in[1] + at, *in2 = d->in[2] + at;
    const float *dz = d->w + x[0] * d->c + c0;

    for (size_t i = x[0]; i < x[1]; i++, dz += d->c) {
        vf z = v_load(dz);

        UNROLL
        for (ptrdiff_t k = 0; k < 3; k++) {
            acc[k] += z * v_load(in0 + k * d->tap);
            acc[3 + k] += z * v_load(in1 + k * d->tap);
            acc[6 + k] += z * v_load(in2 + k * d->tap);
        }
        in0 += d->step;
        in1 += d->step;
        in2 += d->step;
    }
}

INL void wgrad_of(const dw_row *d, const size_t kh, const size_t kw)
{
    const size_t span = d->c <= NARROW ? d->pixels : 4 * PIXELS;
    const int all = kh == 3 && kw == 3 && d->in[0] && d->in[1] && d->in[2];

    for (size_t x = 0; x < d->pixels; x += span)
        for (size_t c0 = 0; c0 < d->c; c0 += VL) {
            const size_t part[2] = {x, d->pixels - x < span ? d->pixels : x + span};
            vf acc[TAPS_MAX];

            UNROLL
            for (size_t i = 0; i < kh * kw; i++)
                acc[i] = v_load(d->out + i * d->c + c0);
            if (all)
                wgrad_run3(d, part, c0, acc);
            UNROLL
            for (size_t r = 0; r < kh; r++)
                if (!all && d->in[r] != NULL)
                    wgrad_run(d, kw, d->in[r], part, c0, acc + r * kw);
            UNROLL
            for (size_t i = 0; i < kh * kw; i++)
                v_store(d->out + i * d->c + c0, acc[i]);
        }
}

static void wgrad(const dw_row *d)
{
    if (d->kh == 3 && d->kw == 3 && d->c % VL == 0)
        wgrad_of(d, 3, 3);
    else if (d->kh == 5 && d->kw == 5 && d->c % VL == 0)
        wgrad_of(d, 5, 5);
    else
        wgrad_any(d);
}

void FN(dw_wgrad)(const dscq_geom *g, const float *const *in, const float *dz,
                  float *dw)
{
    dw_row d = row_make(g, in, dz, dw);
    const size_t join = pixels_in_vector(&d), taps = d.kh * d.kw;
    const size_t rest = d.pixels % join;
    const float *moved[TAPS_MAX];

    if (join > 1) {
        float wide[TAPS_MAX * DSCQ_LANES] = {0};
        dw_row j = d;

        j.out = wide;
        j.c = j.step = VL;
        j.pixels = d.pixels / join;
        wgrad(&j);
        for (size_t i = 0; i < taps; i++)
            fold(dw + i * d.c, wide + i * VL, d.c);
        for (size_t r = 0; r < d.kh; r++)
            moved[r] = in[r] != NULL ? in[r] + (d.pixels - rest) * d.c : NULL;
        d.in = moved;
        d.w += (d.pixels - rest) * d.c;
        d.pixels = rest;
    }
    if (d.pixels > 0)
        wgrad(&d);
}

/* ---- gradient of the input ---------------------------------------------- */

/* Of the taps 0..kernel-1 (positions s*dilation) those that meet a multiple of the
 * stride at x + pad - position: first, distance, how many. */
typedef struct tap_run {
    size_t first, every, count;
} tap_run;

static tap_run taps_of(int32_t x_pad, int32_t kernel, int32_t dilation, int32_t stride)
{
    tap_run t = {0, 1, 0};

    for (int32_t s = 0; s < kernel; s++) {
        if ((x_pad - s * dilation) % stride != 0)
            continue;
        if (t.count == 0)
            t.first = (size_t)s;
        else if (t.count == 1)
            t.every = (size_t)s - t.first;
        t.count++;
    }
    return t;
}

static void zero_pixels(float *out, size_t step, size_t pixels, size_t c)
{
    for (size_t x = 0; x < pixels; x++)
        memset(out + x * step, 0, c * sizeof *out);
}

/* The input pixels q, q + stride, ... of a row. */
static void dgrad_phase(const dscq_geom *g, dw_row d, const tap_run *rows, int32_t q)
{
    const int32_t stride = g->stride_w, lead = dscq_dw_dz_lead(g);
    const tap_run t = taps_of(q + g->pad_left, g->kernel_w, g->dilation_w, stride);
    int32_t last;

    d.out += (size_t)q * d.c;
    d.pixels = (size_t)((g->in_w - q + stride - 1) / stride);
    d.out_step = (size_t)stride * d.c;
    d.kh = rows->count;
    d.kw = t.count;
    if (d.kh == 0 || d.kw == 0) {
        zero_pixels(d.out, d.out_step, d.pixels, d.c);
        return;
    }
    /* Taps walk back along dz as they go forward along the row: start at the last.
     * The division is exact, and with the lead the position never negative. */
    last = (int32_t)(t.first + (t.count - 1) * t.every);
    d.skip =
        (size_t)((q + g->pad_left - last * g->dilation_w + lead * stride) / stride) *
        d.c;
    d.tap = (ptrdiff_t)t.every * g->dilation_w / stride * g->c;
    d.w += rows->first * d.w_row + (size_t)last * d.c;
    d.w_row *= rows->every;
    d.w_tap = -(ptrdiff_t)t.every * g->c;
    row_any(d, &plain);
}

void FN(dw_dgrad)(const dscq_geom *g, const float *const *dz, const float *w, float *dx)
{
    dw_row d = row_make(g, dz, w, dx);
    const float *some[TAPS_MAX];
    tap_run rows = {0, 1, d.kh};

    /* only the rows that exist: those of one phase are equally far apart */
    d.step = d.c;
    if (g->stride_h > 1 && g->kernel_h <= TAPS_MAX) {
        size_t last = 0;

        rows.count = 0;
        for (size_t r = 0; r < d.kh; r++) {
            if (dz[r] == NULL)
                continue;
            if (rows.count == 0)
                rows.first = r;
            else if (rows.count == 1)
                rows.every = r - rows.first;
            last = r;
            some[rows.count++] = dz[r];
        }
        if (rows.count > 1 && rows.first + (rows.count - 1) * rows.every != last)
            rows = (tap_run){0, 1, d.kh}; /* a hole, which no geometry has */
        else
            d.in = some;
    }
    for (int32_t q = 0; q < g->stride_w && q < g->in_w; q++)
        dgrad_phase(g, d, &rows, q);
}
