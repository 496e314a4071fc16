#include "dscq/tensor/ref.h"

#include <math.h>

static double affine(const dscq_on_load *f, size_t c, double z)
{
    double a = f->a != NULL ? (double)f->a[c] : 1,
           b = f->b != NULL ? (double)f->b[c] : 0;

    return a * z + b;
}

static double code_of(const dscq_fake_quant *q, double x)
{
    return nearbyint(x / (double)q->scale) + (double)q->zero;
}

double dscq_ref_quantise(const dscq_fake_quant *q, double x)
{
    double code = code_of(q, x), lo = (double)q->lo, hi = (double)q->hi;

    code = code < lo ? lo : code > hi ? hi : code;
    return (code - (double)q->zero) * (double)q->scale;
}

/* What the activation sees. */
static double argument(const dscq_on_load *f, size_t c, double z)
{
    double x = affine(f, c, z);

    return f->before != NULL ? dscq_ref_quantise(f->before, x) : x;
}

static int is_clamped(const dscq_fake_quant *q, double x)
{
    double code = code_of(q, x);

    return code < (double)q->lo || code > (double)q->hi;
}

double dscq_ref_load(const dscq_on_load *f, size_t c, double z)
{
    double y = dscq_act_value(f->act, (double)f->slope, argument(f, c, z));

    return f->quant != NULL ? dscq_ref_quantise(f->quant, y) : y;
}

double dscq_ref_mask(const dscq_on_load *f, size_t c, double z)
{
    double x = argument(f, c, z);

    if (f->before != NULL && is_clamped(f->before, affine(f, c, z)))
        return 0;
    if (f->quant != NULL &&
        is_clamped(f->quant, dscq_act_value(f->act, (double)f->slope, x)))
        return 0;
    return dscq_act_slope(f->act, (double)f->slope, x);
}

void dscq_ref_gemm(double *out, const float *a, size_t lda, const float *b,
                   const size_t stride[2], const size_t mnk[3])
{
    for (size_t i = 0; i < mnk[0]; i++)
        for (size_t j = 0; j < mnk[1]; j++) {
            double s = 0;

            for (size_t k = 0; k < mnk[2]; k++)
                s += (double)a[i * lda + k] * (double)b[k * stride[0] + j * stride[1]];
            out[i * mnk[1] + j] = s;
        }
}

void dscq_ref_gemm_tn(double *out, const float *g, const float *x, size_t rows,
                      size_t n, size_t k)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < k; j++) {
            double s = 0;

            for (size_t r = 0; r < rows; r++)
                s += (double)g[r * n + i] * (double)x[r * k + j];
            out[i * k + j] = s;
        }
}

/* Call back with every (input, weight, output) index triple that meets. */
typedef void meet_fn(void *ctx, size_t in, size_t w, size_t out);

static void meet_window(const dscq_geom *g, int32_t out_channels, const int32_t at[3],
                        meet_fn *fn, void *ctx)
{
    const int32_t k = at[2], per = g->c / g->groups;
    const int32_t from = k / (out_channels / g->groups) * per;

    for (int32_t r = 0; r < g->kernel_h; r++)
        for (int32_t s = 0; s < g->kernel_w; s++) {
            int32_t y = at[0] * g->stride_h - g->pad_top + r * g->dilation_h;
            int32_t x = at[1] * g->stride_w - g->pad_left + s * g->dilation_w;

            if (y < 0 || y >= g->in_h || x < 0 || x >= g->in_w)
                continue;
            for (int32_t c = 0; c < per; c++)
                fn(ctx, (size_t)((y * g->in_w + x) * g->c + from + c),
                   (size_t)(((k * g->kernel_h + r) * g->kernel_w + s) * per + c),
                   (size_t)((at[0] * g->out_w + at[1]) * out_channels + k));
        }
}

static void meet_all(const dscq_geom *g, int32_t out_channels, meet_fn *fn, void *ctx)
{
    for (int32_t y = 0; y < g->out_h; y++)
        for (int32_t x = 0; x < g->out_w; x++)
            for (int32_t k = 0; k < out_channels; k++)
                meet_window(g, out_channels, (int32_t[]){y, x, k}, fn, ctx);
}

typedef struct conv_job {
    const float *in, *w, *dout;
    double *to;
} conv_job;

static void meet_forward(void *ctx, size_t in, size_t w, size_t out)
{
    conv_job *j = ctx;

    j->to[out] += (double)j->in[in] * (double)j->w[w];
}

static void meet_wgrad(void *ctx, size_t in, size_t w, size_t out)
{
    conv_job *j = ctx;

    j->to[w] += (double)j->in[in] * (double)j->dout[out];
}

static void meet_dgrad(void *ctx, size_t in, size_t w, size_t out)
{
    conv_job *j = ctx;

    j->to[in] += (double)j->w[w] * (double)j->dout[out];
}

static void clear(double *x, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        x[i] = 0;
}

void dscq_ref_conv(const dscq_geom *g, int32_t k, const float *in, const float *w,
                   double *out)
{
    conv_job j = {in, w, NULL, out};

    clear(out, g->out_h * g->out_w * k);
    meet_all(g, k, meet_forward, &j);
}

void dscq_ref_conv_wgrad(const dscq_geom *g, int32_t k, const float *in,
                         const float *dout, double *dw)
{
    conv_job j = {in, NULL, dout, dw};

    clear(dw, k * g->kernel_h * g->kernel_w * (g->c / g->groups));
    meet_all(g, k, meet_wgrad, &j);
}

void dscq_ref_conv_dgrad(const dscq_geom *g, int32_t k, const float *w,
                         const float *dout, double *din)
{
    conv_job j = {NULL, w, dout, din};

    clear(din, g->in_h * g->in_w * g->c);
    meet_all(g, k, meet_dgrad, &j);
}

typedef struct window_value {
    double most, total;
    int32_t count;
} window_value;

static window_value look(const dscq_geom *g, const float *in, int32_t oy, int32_t ox,
                         int32_t c)
{
    window_value v = {-HUGE_VAL, 0, 0};

    for (int32_t r = 0; r < g->kernel_h; r++)
        for (int32_t s = 0; s < g->kernel_w; s++) {
            int32_t y = oy * g->stride_h - g->pad_top + r * g->dilation_h;
            int32_t x = ox * g->stride_w - g->pad_left + s * g->dilation_w;

            if (y >= 0 && y < g->in_h && x >= 0 && x < g->in_w) {
                double z = (double)in[(y * g->in_w + x) * g->c + c];

                v.most = z > v.most ? z : v.most;
                v.total += z;
                v.count++;
            }
        }
    return v;
}

void dscq_ref_maxpool(const dscq_geom *g, const float *in, double *out)
{
    for (int32_t y = 0; y < g->out_h; y++)
        for (int32_t x = 0; x < g->out_w; x++)
            for (int32_t c = 0; c < g->c; c++) {
                window_value v = look(g, in, y, x, c);

                *out++ = v.count > 0 ? v.most : 0;
            }
}

void dscq_ref_avgpool(const dscq_geom *g, int count_pad, const float *in, double *out)
{
    for (int32_t y = 0; y < g->out_h; y++)
        for (int32_t x = 0; x < g->out_w; x++)
            for (int32_t c = 0; c < g->c; c++) {
                window_value v = look(g, in, y, x, c);
                int32_t n = count_pad ? g->kernel_h * g->kernel_w : v.count;

                *out++ = n > 0 ? v.total / n : 0;
            }
}
