/* Convolutions of the fast runtime: which kernel, its constants, its walk. */
#include "dscq/base/alloc.h"
#include "fast.h"

#include <string.h>

enum { TILE_PIXELS = 48, DW_TAPS = 256 };

static int fits_bytes(const dscq_qweights *w)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->value[i] < -128 || w->value[i] > 127)
            return 0;
    return 1;
}

static int has_padding(const dscq_qnode *n)
{
    return (n->pad_top | n->pad_left | n->pad_bottom | n->pad_right) != 0;
}

static fast_kind kind_of(const dscq_qnode *n, const dscq_qtensor *x)
{
    const dscq_qweights *w = n->weights;

    if (x->bits > 8 || !fits_bytes(w))
        return FAST_WIDE;
    if (w->c == 1 && n->groups == x->c && w->k == x->c && x->c > 1 &&
        w->r * w->s <= DW_TAPS)
        return FAST_DEPTHWISE;
    if (w->r == 1 && w->s == 1 && n->groups == 1 && !has_padding(n))
        return FAST_POINT;
    return FAST_IM2COL;
}

/* ---- preparation -------------------------------------------------------------------
 */

static int64_t sum_of(const dscq_qweights *w, size_t k)
{
    const size_t per = w->count / (size_t)w->k;
    int64_t sum = 0;

    for (size_t i = 0; i < per; i++)
        sum += w->value[k * per + i];
    return sum;
}

static dscq_status make_post(fast_node *f, const dscq_qmodel *m, const fast_kernels *k,
                             dscq_error *err)
{
    const dscq_qnode *n = f->n;
    const dscq_qtensor *x = &m->tensor[n->input[0]], *y = &m->tensor[n->output];
    const size_t groups = f->kind == FAST_IM2COL ? (size_t)n->groups : 1;
    const size_t per = (size_t)n->weights->k / groups;
    const size_t room = (per + FAST_BLOCK - 1) / FAST_BLOCK * FAST_BLOCK;

    f->group_post = room;
    f->post_memory = dscq_calloc(room * groups * 4, sizeof(int32_t));
    if (f->post_memory == NULL)
        return dscq_fail_nomem(err, "channel constants", room * groups * 16);
    fast_post *p = &f->post;
    p->corr = f->post_memory;
    p->mult = p->corr + room * groups;
    p->shift = p->mult + room * groups;
    p->bias = p->shift + room * groups;
    p->zero = fast_zero(y);
    p->lo = n->clamp_lo - dscq_qtensor_lo(y);
    p->hi = n->clamp_hi - dscq_qtensor_lo(y);
    p->is_leaky = n->is_leaky;
    p->slope = n->slope_q15;
    p->out_bytes = (int)fast_elem(y);
    for (size_t c = 0; c < (size_t)n->weights->k; c++) {
        const size_t at =
            f->kind == FAST_DEPTHWISE ? k->dw_channel(c) : c / per * room + c % per;
        p->corr[at] =
            (int32_t)(uint32_t)(-(int64_t)fast_zero(x) * sum_of(n->weights, c));
        p->mult[at] = n->mult[c];
        p->shift[at] = n->shift[c];
        p->bias[at] = n->bias[c];
    }
    return DSCQ_OK;
}

static dscq_status pack_weights(fast_node *f, const fast_kernels *k, dscq_error *err)
{
    const dscq_qnode *n = f->n;
    const dscq_qweights *w = n->weights;
    const size_t taps = (size_t)w->r * (size_t)w->s, per = taps * (size_t)w->c;
    const size_t groups = (size_t)n->groups, out = (size_t)w->k / groups;

    f->k4 = (per + 3) / 4;
    if (f->kind == FAST_WIDE)
        return DSCQ_OK;
    f->packed_group = infer__gemm_bytes(out, per);
    f->packed_bytes = f->kind == FAST_DEPTHWISE ? k->dw_bytes((size_t)w->k, taps)
                                                : f->packed_group * groups;
    f->packed = dscq_malloc(f->packed_bytes, 1);
    if (f->packed == NULL)
        return dscq_fail_nomem(err, "packed weights", f->packed_bytes);
    if (f->kind == FAST_DEPTHWISE) {
        k->pack_dw(f->packed, w->value, (size_t)w->k, taps);
        return DSCQ_OK;
    }
    for (size_t g = 0; g < groups; g++)
        infer__pack_gemm(f->packed + g * f->packed_group, w->value + g * out * per, out,
                         per);
    return DSCQ_OK;
}

dscq_status infer__conv_prepare(fast_node *f, const dscq_qmodel *m,
                                const fast_kernels *k, dscq_error *err)
{
    const dscq_qnode *n = f->n;
    const dscq_qtensor *x = &m->tensor[n->input[0]];
    dscq_status status;

    f->kind = kind_of(n, x);
    DSCQ_TRY(make_post(f, m, k, err));
    DSCQ_TRY(pack_weights(f, k, err));
    if (has_padding(n) && f->kind != FAST_WIDE)
        f->padded_bytes = (size_t)(x->h + n->pad_top + n->pad_bottom) *
                              (size_t)(x->w + n->pad_left + n->pad_right) *
                              (size_t)x->c +
                          FAST_SLACK;
    if (f->kind == FAST_IM2COL)
        f->tile_bytes = TILE_PIXELS * f->k4 * 4 + FAST_SLACK;
    if (f->kind == FAST_WIDE)
        f->tile_bytes = f->k4 * 4 * sizeof(int32_t);
done:
    return status;
}

/* ---- running ------------------------------------------------------------------------
 */

/* x with its padding, filled with the zero point. */
static const uint8_t *padded(const dscq_qnode *n, const dscq_qtensor *x,
                             const uint8_t *in, uint8_t *out)
{
    const size_t c = (size_t)x->c, row = (size_t)x->w * c;
    const size_t left = (size_t)n->pad_left * c, right = (size_t)n->pad_right * c;
    const int zero = fast_zero(x);
    uint8_t *p = out;

    memset(p, zero, (size_t)n->pad_top * (left + row + right));
    p += (size_t)n->pad_top * (left + row + right);
    for (int32_t h = 0; h < x->h; h++) {
        memset(p, zero, left);
        memcpy(p + left, in + (size_t)h * row, row);
        memset(p + left + row, zero, right);
        p += left + row + right;
    }
    memset(p, zero, (size_t)n->pad_bottom * (left + row + right));
    return out;
}

typedef struct conv_ctx {
    const fast_node *f;
    const dscq_qnode *n;
    const dscq_qtensor *x, *y;
    const fast_kernels *k;
    const uint8_t *in;
    size_t in_row; /* bytes */
    uint8_t *out, *tile;
} conv_ctx;

static void run_point(const conv_ctx *c)
{
    const size_t in_c = (size_t)c->x->c, n = (size_t)c->y->c;
    const size_t out_row = (size_t)c->y->w * n * (size_t)c->f->post.out_bytes;

    if (c->n->stride_h == 1 && c->n->stride_w == 1) {
        c->k->gemm(c->in, in_c, c->f->packed, c->f->k4,
                   (size_t)c->y->h * (size_t)c->y->w, n, &c->f->post, c->out, n);
        return;
    }
    for (int32_t h = 0; h < c->y->h; h++)
        c->k->gemm(c->in + (size_t)h * (size_t)c->n->stride_h * c->in_row,
                   in_c * (size_t)c->n->stride_w, c->f->packed, c->f->k4,
                   (size_t)c->y->w, n, &c->f->post, c->out + (size_t)h * out_row, n);
}

static void run_depthwise(const conv_ctx *c)
{
    const size_t ch = (size_t)c->x->c;
    const fast_geom g = {c->x->c,
                         c->y->w,
                         c->n->weights->r,
                         c->n->weights->s,
                         c->in_row * (size_t)c->n->dilation_h,
                         ch * (size_t)c->n->dilation_w,
                         ch * (size_t)c->n->stride_w};

    for (int32_t h = 0; h < c->y->h; h++)
        c->k->dw(c->in + (size_t)h * (size_t)c->n->stride_h * c->in_row, c->f->packed,
                 &g, &c->f->post,
                 c->out +
                     (size_t)h * (size_t)c->y->w * ch * (size_t)c->f->post.out_bytes);
}

/* The window of output pixel (oh, ow) in group g, in the weights' order. */
static void gather(const conv_ctx *c, size_t oh, size_t ow, size_t g, uint8_t *out)
{
    const dscq_qweights *w = c->n->weights;
    const size_t ch = (size_t)c->x->c, part = (size_t)w->c;
    const uint8_t *at = c->in + oh * (size_t)c->n->stride_h * c->in_row +
                        ow * (size_t)c->n->stride_w * ch + g * part;
    const size_t column = ch * (size_t)c->n->dilation_w;

    for (int32_t r = 0; r < w->r; r++) {
        const uint8_t *p = at + (size_t)(r * c->n->dilation_h) * c->in_row;
        if (part == ch && c->n->dilation_w == 1) {
            memcpy(out, p, (size_t)w->s * ch);
            out += (size_t)w->s * ch;
            continue;
        }
        for (int32_t s = 0; s < w->s; s++, out += part)
            memcpy(out, p + (size_t)s * column, part);
    }
}

static void run_im2col(const conv_ctx *c)
{
    const size_t pixels = (size_t)c->y->h * (size_t)c->y->w, n = (size_t)c->y->c;
    const size_t lda = c->f->k4 * 4, groups = (size_t)c->n->groups;
    const size_t per = n / groups;

    memset(c->tile, 0, TILE_PIXELS * lda);
    for (size_t g = 0; g < groups; g++) {
        fast_post post = c->f->post;
        post.corr += g * c->f->group_post;
        post.mult += g * c->f->group_post;
        post.shift += g * c->f->group_post;
        post.bias += g * c->f->group_post;
        for (size_t i = 0; i < pixels; i += TILE_PIXELS) {
            const size_t m = pixels - i < TILE_PIXELS ? pixels - i : TILE_PIXELS;
            for (size_t j = 0; j < m; j++)
                gather(c, (i + j) / (size_t)c->y->w, (i + j) % (size_t)c->y->w, g,
                       c->tile + j * lda);
            c->k->gemm(c->tile, lda, c->f->packed + g * c->f->packed_group, c->f->k4, m,
                       per, &post,
                       c->out + (i * n + g * per) * (size_t)c->f->post.out_bytes, n);
        }
    }
}

/* 16-bit activations or weights: widened windows, plain sums. */
static void run_wide(const conv_ctx *c)
{
    const dscq_qnode *n = c->n;
    const dscq_qweights *w = n->weights;
    const size_t per = w->count / (size_t)w->k, part = (size_t)w->c;
    const size_t elem = fast_elem(c->x), out_per_group = (size_t)(w->k / n->groups);
    const int32_t zero = fast_zero(c->x);
    int32_t *win = (int32_t *)(void *)c->tile;
    size_t at = 0;

    for (int32_t oh = 0; oh < c->y->h; oh++)
        for (int32_t ow = 0; ow < c->y->w; ow++)
            for (size_t k = 0; k < (size_t)w->k; k++, at++) {
                const size_t first = k / out_per_group * part;
                uint32_t acc = 0;
                for (size_t i = 0; k % out_per_group == 0 && i < per; i++) {
                    const int32_t tap = (int32_t)(i / part);
                    const int32_t h =
                        oh * n->stride_h - n->pad_top + tap / w->s * n->dilation_h;
                    const int32_t v =
                        ow * n->stride_w - n->pad_left + tap % w->s * n->dilation_w;
                    const size_t p =
                        ((size_t)h * (size_t)c->x->w + (size_t)v) * (size_t)c->x->c +
                        first + i % part;
                    win[i] = h < 0 || v < 0 || h >= c->x->h || v >= c->x->w ? zero
                             : elem == 1                                    ? c->in[p]
                                         : ((const uint16_t *)(const void *)c->in)[p];
                }
                for (size_t i = 0; i < per; i++)
                    acc += (uint32_t)win[i] * (uint32_t)w->value[k * per + i];
                const int32_t q = infer__requant(&c->f->post, k, (int32_t)acc);
                if (c->f->post.out_bytes == 1)
                    c->out[at] = (uint8_t)q;
                else
                    ((uint16_t *)(void *)c->out)[at] = (uint16_t)q;
            }
}

void infer__conv_run(const fast_node *f, const dscq_qmodel *m, const fast_kernels *k,
                     const uint8_t *x, uint8_t *y, uint8_t *scratch)
{
    const dscq_qnode *n = f->n;
    conv_ctx c = {.f = f,
                  .n = n,
                  .x = &m->tensor[n->input[0]],
                  .y = &m->tensor[n->output],
                  .k = k,
                  .in = x,
                  .out = y,
                  .tile = scratch + (f->padded_bytes + 63) / 64 * 64};

    c.in_row = (size_t)c.x->w * (size_t)c.x->c;
    if (f->padded_bytes != 0) {
        c.in = padded(n, c.x, x, scratch);
        c.in_row += (size_t)(n->pad_left + n->pad_right) * (size_t)c.x->c;
    }
    switch (f->kind) {
    case FAST_POINT:
        run_point(&c);
        break;
    case FAST_DEPTHWISE:
        run_depthwise(&c);
        break;
    case FAST_IM2COL:
        run_im2col(&c);
        break;
    case FAST_WIDE:
        run_wide(&c);
        break;
    }
}
