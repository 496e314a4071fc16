#include "test_tensor_util.h"

static dscq_geom window(int32_t h, int32_t w, int32_t c, const int32_t k[2],
                        const int32_t s[2], const int32_t d[2])
{
    dscq_geom g = {.in_h = h,
                   .in_w = w,
                   .c = c,
                   .kernel_h = k[0],
                   .kernel_w = k[1],
                   .stride_h = s[0],
                   .stride_w = s[1],
                   .dilation_h = d[0],
                   .dilation_w = d[1],
                   .groups = 1};
    return g;
}

/* Pads `top`, `left` and the same plus one behind; 0 outputs when too large. */
static int place(dscq_geom *g, int32_t top, int32_t left)
{
    int32_t h = g->in_h + 2 * top + 1 - g->dilation_h * (g->kernel_h - 1) - 1;
    int32_t w = g->in_w + 2 * left + 1 - g->dilation_w * (g->kernel_w - 1) - 1;

    g->pad_top = top;
    g->pad_left = left;
    g->out_h = h < 0 ? 0 : h / g->stride_h + 1;
    g->out_w = w < 0 ? 0 : w / g->stride_w + 1;
    return g->out_h > 0 && g->out_w > 0;
}

static const int32_t channels[] = {1, 3, 8, 16, 20, 48, 130, 264};
static const int32_t kernels[][2] = {{3, 3}, {5, 5}, {1, 1}, {2, 3}, {7, 1}};
static const int32_t strides[][2] = {{1, 1}, {2, 2}, {1, 2}, {3, 3}, {2, 1}};
static const int32_t maps[][2] = {{1, 1}, {4, 4}, {5, 11}, {9, 6}};

typedef void geom_fn(const dscq_kernels *k, const dscq_geom *g, dscq_rng *r);

static void each_geom(const dscq_kernels *k, geom_fn *fn, size_t channel_step)
{
    static const int32_t apart[] = {1, 2};
    dscq_rng r = dscq_rng_seeded(21);

    for (size_t m = 0; k != NULL && m < COUNT_OF(maps); m++)
        for (size_t i = 0; i < COUNT_OF(kernels); i++)
            for (size_t j = 0; j < COUNT_OF(strides); j++)
                for (size_t c = (m + i) % channel_step; c < COUNT_OF(channels);
                     c += channel_step)
                    for (int32_t pad = 0; pad < 4; pad++) {
                        const int32_t d[2] = {apart[pad / 3], apart[pad / 3]};
                        dscq_geom g = window(maps[m][0], maps[m][1], channels[c],
                                             kernels[i], strides[j], d);

                        if (place(&g, pad % 3, (pad + 1) % 3))
                            fn(k, &g, &r);
                    }
}

/* ---- depthwise ---------------------------------------------------------- */

typedef struct dw_world {
    float *in, *w, *wt, *dout; /* w [c][taps], wt [taps][c] */
    float *padded, *dz;        /* rows with their columns of padding */
    size_t in_pixels, dz_pixels, taps, c;
    const float *rows[16];
} dw_world;

static void dw_make(dw_world *d, const dscq_kernels *k, const dscq_geom *g, dscq_rng *r)
{
    const size_t lead = (size_t)dscq_dw_dz_lead(g), trail = (size_t)dscq_dw_dz_trail(g);
    const size_t h = (size_t)g->in_h, w = (size_t)g->in_w, ow = (size_t)g->out_w;

    d->c = (size_t)g->c;
    d->taps = (size_t)(g->kernel_h * g->kernel_w);
    d->in = randoms(r, h * w * d->c);
    d->w = randoms(r, d->c * d->taps);
    d->wt = floats(d->c * d->taps);
    d->dout = randoms(r, (size_t)g->out_h * ow * d->c);
    k->transpose(d->wt, d->w, d->c, d->taps);
    d->in_pixels = (size_t)dscq_dw_in_pixels(g);
    d->padded = floats(h * d->in_pixels * d->c);
    memset(d->padded, 0, h * d->in_pixels * d->c * sizeof(float));
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++)
            if (x + (size_t)g->pad_left < d->in_pixels)
                memcpy(d->padded + (y * d->in_pixels + x + (size_t)g->pad_left) * d->c,
                       d->in + (y * w + x) * d->c, d->c * sizeof(float));
    d->dz_pixels = lead + ow + trail;
    d->dz = floats((size_t)g->out_h * d->dz_pixels * d->c);
    memset(d->dz, 0, (size_t)g->out_h * d->dz_pixels * d->c * sizeof(float));
    for (size_t y = 0; y < (size_t)g->out_h; y++)
        memcpy(d->dz + (y * d->dz_pixels + lead) * d->c, d->dout + y * ow * d->c,
               ow * d->c * sizeof(float));
}

static void dw_free(dw_world *d)
{
    floats_free(d->in);
    floats_free(d->w);
    floats_free(d->wt);
    floats_free(d->dout);
    floats_free(d->padded);
    floats_free(d->dz);
}

static void dw_point(dw_world *d, const dscq_geom *g, int32_t oy)
{
    for (int32_t r = 0; r < g->kernel_h; r++) {
        int32_t y = oy * g->stride_h - g->pad_top + r * g->dilation_h;

        d->rows[r] =
            y < 0 || y >= g->in_h ? NULL : d->padded + (size_t)y * d->in_pixels * d->c;
    }
}

static void dw_point_back(dw_world *d, const dscq_geom *g, int32_t iy)
{
    for (int32_t r = 0; r < g->kernel_h; r++) {
        int32_t at = iy + g->pad_top - r * g->dilation_h;

        d->rows[r] = at < 0 || at % g->stride_h != 0 || at / g->stride_h >= g->out_h
                         ? NULL
                         : d->dz + (size_t)(at / g->stride_h) * d->dz_pixels * d->c;
    }
}

static void check_depthwise(const dscq_kernels *k, const dscq_geom *plain, dscq_rng *r)
{
    dscq_geom g = *plain;
    const dscq_on_store far = {.far = 1};
    const size_t line = (size_t)g.out_w * (size_t)g.c, in_line = (size_t)(g.in_w * g.c);
    const size_t count = (size_t)g.out_h * line, in_count = (size_t)g.in_h * in_line;
    dw_world d;
    float *out = floats(count), *back = floats(in_count), *grad, *flat;
    double *want, *dw, *din = doubles(in_count);

    dw_make(&d, k, &g, r);
    want = doubles(count);
    dw = doubles(d.taps * d.c);
    grad = floats(d.taps * d.c);
    flat = floats(d.taps * d.c);
    memset(grad, 0, d.taps * d.c * sizeof *grad);
    for (int32_t y = 0; y < g.out_h; y++) {
        dw_point(&d, &g, y);
        k->dw_forward(&g, d.rows, d.wt, out + (size_t)y * line, &far);
        k->dw_wgrad(&g, d.rows, d.dout + (size_t)y * line, grad);
    }
    for (int32_t y = 0; y < g.in_h; y++) {
        dw_point_back(&d, &g, y);
        k->dw_dgrad(&g, d.rows, d.wt, back + (size_t)y * in_line);
    }
    k->transpose(flat, grad, d.taps, d.c);
    g.groups = g.c;
    dscq_ref_conv(&g, g.c, d.in, d.w, want);
    all_close("depthwise forward", out, want, count, 2e-5);
    dscq_ref_conv_wgrad(&g, g.c, d.in, d.dout, dw);
    all_close("depthwise wgrad", flat, dw, d.taps * d.c, 1e-4);
    dscq_ref_conv_dgrad(&g, g.c, d.w, d.dout, din);
    all_close("depthwise dgrad", back, din, in_count, 2e-5);
    dw_free(&d);
    floats_free(out);
    floats_free(back);
    floats_free(grad);
    floats_free(flat);
    dscq_free(want);
    dscq_free(dw);
    dscq_free(din);
}

START_TEST(depthwise_and_its_gradients_agree_over_the_grid)
{
    each_geom(family_at(_i), check_depthwise, 2);
}
END_TEST

START_TEST(depthwise_finishes_its_result_in_order)
{
    const dscq_kernels *k = family_at(_i);
    dscq_rng r = dscq_rng_seeded(5);
    dscq_geom g =
        window(3, 9, 20, (int32_t[]){3, 3}, (int32_t[]){1, 1}, (int32_t[]){1, 1});
    float bias[20], sum[20], sq[20], *out = randoms(&r, 9 * 20), *was = floats(9 * 20);
    double *want = doubles(3 * 9 * 20);
    dw_world d;

    place(&g, 1, 1);
    g.out_h = 3;
    g.out_w = 9;
    for (int act = 0; k != NULL && act < DSCQ_ACT_COUNT; act++) {
        dscq_on_store s = {act & 1, bias, sum, sq, (dscq_act)act, 0.3F, act >> 1 & 1};

        memcpy(was, out, 9 * 20 * sizeof *out);
        dw_make(&d, k, &g, &r);
        for (int i = 0; i < 20; i++) {
            bias[i] = (float)i * 0.1F - 1;
            sum[i] = sq[i] = 1;
        }
        dw_point(&d, &g, 0);
        k->dw_forward(&g, d.rows, d.wt, out, &s);
        g.groups = 20;
        dscq_ref_conv(&g, 20, d.in, d.w, want);
        for (int c = 0; c < 20; c++) {
            double s1 = 1, s2 = 1;

            for (int x = 0; x < 9; x++) {
                double v = want[x * 20 + c] + (double)bias[c];

                v += act & 1 ? (double)was[x * 20 + c] : 0;
                s1 += v;
                s2 += v * v;
                ck_assert(close_to((double)out[x * 20 + c],
                                   dscq_act_value((dscq_act)act, 0.3, v), 2e-5));
            }
            ck_assert(close_to((double)sum[c], s1, 1e-4));
            ck_assert(close_to((double)sq[c], s2, 1e-4));
        }
        dw_free(&d);
    }
    floats_free(out);
    floats_free(was);
    dscq_free(want);
}
END_TEST

/* ---- im2col ------------------------------------------------------------- */

/* Convolution = im2col, product; gradient of the input = product, col2im. */
static void check_im2col(const dscq_kernels *k, const dscq_geom *plain, dscq_rng *r)
{
    dscq_geom g = *plain;
    const int32_t groups = g.c % 4 == 0 ? 4 : 1, outs = 2 * groups;
    const size_t per = (size_t)(g.kernel_h * g.kernel_w * g.c / groups), ld = per + 1;
    const size_t pixels = (size_t)(g.out_h * g.out_w),
                 count = (size_t)(g.in_h * g.in_w * g.c);
    float *in = randoms(r, count), *w = randoms(r, per * (size_t)outs);
    float *dout = randoms(r, pixels * (size_t)outs), *cols = floats(pixels * ld);
    float *back = floats(count);
    double *want = doubles(pixels * (size_t)outs), *din = doubles(count);

    g.groups = groups;
    memset(back, 0, count * sizeof *back);
    dscq_ref_conv(&g, outs, in, w, want);
    dscq_ref_conv_dgrad(&g, outs, w, dout, din);
    for (int32_t q = 0; q < groups; q++) {
        size_t half = pixels / 2;

        k->im2col(&g, in, q, 0, half, cols, ld);
        k->im2col(&g, in, q, half, pixels - half, cols + half * ld, ld);
        for (size_t p = 0; p < pixels; p++)
            for (int32_t o = 2 * q; o < 2 * q + 2; o++) {
                double s = 0;

                for (size_t i = 0; i < per; i++)
                    s += (double)cols[p * ld + i] * (double)w[(size_t)o * per + i];
                ck_assert(close_to(s, want[p * (size_t)outs + (size_t)o], 1e-9));
            }
        for (size_t p = 0; p < pixels; p++)
            for (size_t i = 0; i < per; i++) {
                size_t o = 2 * (size_t)q;

                cols[p * ld + i] =
                    dout[p * (size_t)outs + o] * w[o * per + i] +
                    dout[p * (size_t)outs + o + 1] * w[(o + 1) * per + i];
            }
        k->col2im_add(&g, cols, ld, q, 0, half, back);
        k->col2im_add(&g, cols + half * ld, ld, q, half, pixels - half, back);
    }
    all_close("col2im", back, din, count, 2e-5);
    floats_free(in);
    floats_free(w);
    floats_free(dout);
    floats_free(cols);
    floats_free(back);
    dscq_free(want);
    dscq_free(din);
}

START_TEST(im2col_and_its_transpose_give_the_convolution)
{
    each_geom(family_at(_i), check_im2col, 3);
}
END_TEST

/* One call per kernel row with overlapping rows of A, as kernels.h promises. */
START_TEST(a_row_of_a_dense_convolution_needs_no_im2col)
{
    const dscq_kernels *k = family_at(_i);
    dscq_rng r = dscq_rng_seeded(8);
    dscq_geom g =
        window(3, 12, 6, (int32_t[]){3, 3}, (int32_t[]){1, 1}, (int32_t[]){1, 1});
    float *in, *w, *out, *packed;
    double *want;

    if (k == NULL)
        return;
    in = randoms(&r, 3 * 12 * 6);
    w = randoms(&r, 5 * 54);
    out = floats(10 * 5);
    want = doubles(10 * 5);
    g.out_h = 1;
    g.out_w = 10;
    packed = dscq_malloc(k->gemm_packed_floats(5, 18), sizeof *packed);
    for (size_t i = 0; i < 3; i++) {
        const dscq_on_store s = {.add_to = i > 0};

        k->gemm_pack(packed, w + i * 18, 5, 18, 54, 1);
        k->gemm(packed, in + i * 72, 6, out, 5, 10, 5, 18, &s);
    }
    dscq_ref_conv(&g, 5, in, w, want);
    all_close("overlapping rows", out, want, 50, 2e-5);
    floats_free(in);
    floats_free(w);
    floats_free(out);
    dscq_free(packed);
    dscq_free(want);
}
END_TEST

/* ---- pooling ------------------------------------------------------------ */

static void check_pool(const dscq_kernels *k, const dscq_geom *g, dscq_rng *r)
{
    const size_t count = (size_t)(g->in_h * g->in_w * g->c);
    const size_t outs = (size_t)(g->out_h * g->out_w * g->c);
    float *in = randoms(r, count), *out = floats(outs), *dout = randoms(r, outs);
    float *back = floats(count);
    int32_t *where = dscq_malloc(outs, sizeof *where);
    double *want = doubles(outs), *din = doubles(count), left = 0, right = 0;

    k->maxpool(g, in, out, where);
    dscq_ref_maxpool(g, in, want);
    all_close("maxpool", out, want, outs, 0);
    memset(back, 0, count * sizeof *back);
    k->maxpool_back(g, dout, where, back);
    for (size_t i = 0; i < outs; i++) {
        size_t from = (size_t)where[i] * (size_t)g->c + i % (size_t)g->c;

        if (where[i] < 0)
            continue;
        ck_assert_double_eq((double)in[from], (double)(out[i]));
        din[from] += (double)dout[i];
    }
    all_close("maxpool_back", back, din, count, 1e-6);
    k->maxpool(g, in, out, NULL);
    for (int count_pad = 0; count_pad < 2; count_pad++) {
        k->avgpool(g, count_pad, in, out);
        dscq_ref_avgpool(g, count_pad, in, want);
        all_close("avgpool", out, want, outs, 1e-6);
        memset(back, 0, count * sizeof *back);
        k->avgpool_back(g, count_pad, dout, back);
        left = right = 0; /* <dout, P in> = <P' dout, in> */
        for (size_t i = 0; i < outs; i++)
            left += (double)dout[i] * want[i];
        for (size_t i = 0; i < count; i++)
            right += (double)back[i] * (double)in[i];
        ck_assert_msg(close_to(left, right, 1e-4), "avgpool_back %g %g", left, right);
    }
    floats_free(in);
    floats_free(out);
    floats_free(dout);
    floats_free(back);
    dscq_free(where);
    dscq_free(want);
    dscq_free(din);
}

START_TEST(pooling_and_its_gradients_agree_over_the_grid)
{
    each_geom(family_at(_i), check_pool, 2);
}
END_TEST

START_TEST(upsampling_repeats_pixels_and_sums_them_back)
{
    const dscq_kernels *k = family_at(_i);
    const float in[2 * 2] = {1, 2, 3, 4}; /* 1 x 2 pixels, 2 channels */
    const float want[] = {1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4};
    float out[16], back[4] = {1, 0, 0, 0};

    if (k == NULL)
        return;
    k->upsample(in, 1, 2, 2, 2, out);
    ck_assert_mem_eq(out, want, sizeof want);
    k->upsample_back(out, 1, 2, 2, 2, back);
    for (int i = 0; i < 4; i++)
        ck_assert_double_eq((double)back[i], (double)(4 * in[i] + (i == 0)));
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("tensor_conv", &tc);

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, depthwise_and_its_gradients_agree_over_the_grid, 0,
                        FAMILY_MAX);
    tcase_add_loop_test(tc, depthwise_finishes_its_result_in_order, 0, FAMILY_MAX);
    tcase_add_loop_test(tc, im2col_and_its_transpose_give_the_convolution, 0,
                        FAMILY_MAX);
    tcase_add_loop_test(tc, a_row_of_a_dense_convolution_needs_no_im2col, 0,
                        FAMILY_MAX);
    tcase_add_loop_test(tc, pooling_and_its_gradients_agree_over_the_grid, 0,
                        FAMILY_MAX);
    tcase_add_loop_test(tc, upsampling_repeats_pixels_and_sums_them_back, 0,
                        FAMILY_MAX);
    return s;
}

int main(void)
{
    return test_run(make);
}
