/* Convolutions of the fast runtime: which kernel, its constants, its walk. */
#include "dscq/base/alloc.h"
#include "fast.h"

#include <assert.h>
#include <string.h>

enum { TILE_PIXELS = 96, DW_ROWS = 64, LINES_PIXELS = 12 };

static int fits_bytes(const dscq_qweights *w)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->value[i] < -128 || w->value[i] > 127)
            return 0;
    return 1;
}

/* Weights are packed in words of four, the last filled with 0, and what lies behind a
 * row may be read: so a row may be taken for whole words, which is faster. */
static size_t whole_words(size_t k)
{
    return (k + 3) / 4 * 4;
}

/* Neighbouring bytes of a window. */
static size_t line_of(const dscq_qweights *w)
{
    return (size_t)w->s * (size_t)w->c;
}

static fast_kind kind_of(const dscq_qnode *n, const dscq_qweights *w,
                         const dscq_qtensor *x, const dscq_qtensor *y)
{
    if (x->bits > 8 || !fits_bytes(w))
        return FAST_WIDE;
    if (w->c == 1 && n->groups == x->c && w->k == x->c && x->c > 1 && y->bits <= 8 &&
        w->r <= DW_ROWS)
        return FAST_DEPTHWISE;
    if (w->r == 1 && w->s == 1 && n->groups == 1 && !fast_has_padding(n) &&
        n->stride_h == 1 && n->stride_w == 1)
        return FAST_GEMM;
    if (w->r == x->h && w->s == x->w && n->groups == 1 && !fast_has_padding(n) &&
        n->dilation_h == 1 && n->dilation_w == 1)
        return FAST_GEMM; /* fully connected: one row that is the whole map */
    /* short rows of pixels would leave the register tiles half empty */
    if (n->groups == 1 && n->dilation_w == 1 && y->w >= LINES_PIXELS && y->bits <= 8 &&
        4 * line_of(w) >= 3 * whole_words(line_of(w)))
        return FAST_LINES;
    return FAST_IM2COL;
}

/* Per cent of the groups of four weights that may hold one that is not 0. Where one
 * instruction does four products the dense form is hard to beat, most of all by
 * narrow layers, whose pixels cost more to turn than to multiply (bench_int). */
static size_t sparse_limit_pct(size_t outs, size_t depth, const dscq_int_kernels *k)
{
    if (strcmp(k->name, "avx512vnni") != 0)
        return 50;
    return outs >= 64 && depth >= 64 ? 36 : 10;
}

static int pays_sparse(const dscq_qweights *w, const dscq_int_kernels *k_table)
{
    const size_t per = w->count / (size_t)w->k;
    const size_t limit_pct = sparse_limit_pct((size_t)w->k, per, k_table);
    size_t groups = 0, used = 0;

    for (size_t k = 0; k < (size_t)w->k; k++)
        for (size_t i = 0; i < per; i += 4, groups++) {
            int any = 0;
            for (size_t j = i; j < i + 4 && j < per; j++)
                any |= w->value[k * per + j] != 0;
            used += (size_t)any;
        }
    return used * 100 < groups * limit_pct;
}

/* ---- preparation ---- */

typedef struct shape {
    size_t groups, n, k; /* groups, output channels and weights of one */
} shape;

static shape shape_of(const fast_node *f)
{
    const dscq_qweights *w = f->n->weights;
    const size_t groups = f->kind == FAST_IM2COL ? (size_t)f->n->groups : 1;

    if (f->kind == FAST_LINES)
        return (shape){1, (size_t)w->k, (size_t)w->r * whole_words(line_of(w))};
    return (shape){groups, (size_t)w->k / groups, w->count / (size_t)w->k};
}

static dscq_status make_post(fast_node *f, const dscq_qmodel *m,
                             const dscq_int_kernels *k, dscq_error *err)
{
    const dscq_qnode *n = f->n;
    const dscq_qtensor *y = &m->tensor[n->output];
    const shape s = shape_of(f);

    f->post_group = fast_round(k->requant_bytes(s.n));
    f->post = dscq_calloc(f->post_group, s.groups);
    if (f->post == NULL)
        return dscq_fail_nomem(err, "channel constants", f->post_group * s.groups);
    for (size_t g = 0; g < s.groups; g++) {
        const dscq_requant r = {.mult = n->mult + g * s.n,
                                .shift = n->shift + g * s.n,
                                .bias = n->bias + g * s.n,
                                .zero = y->zero_point,
                                .lo = n->clamp_lo,
                                .hi = n->clamp_hi,
                                .is_leaky = n->is_leaky,
                                .slope_q15 = n->slope_q15,
                                .offset = fast_offset(y),
                                .out_bytes = (int32_t)fast_elem(y)};
        k->requant_pack(f->post + g * f->post_group, &r, s.n,
                        f->kind == FAST_DEPTHWISE);
    }
    return DSCQ_OK;
}

static size_t group_bytes(const fast_node *f, const dscq_qweights *w,
                          const dscq_int_kernels *k, const shape *s, size_t g)
{
    if (f->kind == FAST_DEPTHWISE)
        return fast_round(
            k->dw_packed_bytes((size_t)w->r * (size_t)w->s, (size_t)w->k));
    if (f->is_sparse)
        return fast_round(
            k->sparse_packed_bytes(w->value + g * s->n * s->k, s->k, s->n, s->k));
    return fast_round(k->gemm_packed_bytes(s->n, s->k));
}

/* The weights with every line of a window filled to whole words. */
static dscq_status whole_lines(const dscq_qweights *w, int16_t **out, dscq_error *err)
{
    const size_t line = line_of(w), whole = whole_words(line);
    const size_t lines = (size_t)w->k * (size_t)w->r;
    int16_t *v = dscq_calloc(lines * whole, sizeof *v);

    *out = v;
    if (v == NULL)
        return dscq_fail_nomem(err, "packed weights", lines * whole * sizeof *v);
    for (size_t i = 0; i < lines; i++)
        memcpy(v + i * whole, w->value + i * line, line * sizeof *v);
    return DSCQ_OK;
}

static dscq_status pack_weights(fast_node *f, const dscq_qweights *w,
                                const dscq_qmodel *m, const dscq_int_kernels *k,
                                dscq_error *err)
{
    const int32_t zero = fast_zero(&m->tensor[f->n->input[0]]);
    const shape s = shape_of(f);
    int16_t *lines = NULL;
    dscq_status status = DSCQ_OK;

    if (f->kind == FAST_LINES)
        DSCQ_TRY(whole_lines(w, &lines, err));
    f->packed_at = dscq_calloc(s.groups, sizeof *f->packed_at);
    if (f->packed_at == NULL) {
        status =
            dscq_fail_nomem(err, "packed weights", s.groups * sizeof *f->packed_at);
        goto done;
    }
    for (size_t g = 0; g < s.groups; g++) {
        f->packed_at[g] = f->packed_bytes;
        f->packed_bytes += group_bytes(f, w, k, &s, g);
    }
    f->packed = dscq_calloc(f->packed_bytes, 1);
    if (f->packed == NULL) {
        status = dscq_fail_nomem(err, "packed weights", f->packed_bytes);
        goto done;
    }
    for (size_t g = 0; g < s.groups; g++) {
        const int16_t *v = (lines != NULL ? lines : w->value) + g * s.n * s.k;
        uint8_t *to = f->packed + f->packed_at[g];
        if (f->kind == FAST_DEPTHWISE)
            k->dw_pack(to, v, (size_t)w->r * (size_t)w->s, (size_t)w->k, zero);
        else if (f->is_sparse)
            k->sparse_pack(to, v, s.k, s.n, s.k, zero);
        else
            k->gemm_pack(to, v, s.k, s.n, s.k, zero);
    }
done:
    dscq_free(lines);
    return status;
}

/* Wide nodes use the values as they are. */
static dscq_status keep_values(fast_node *f, const dscq_qweights *w, dscq_error *err)
{
    f->packed_bytes = w->count * sizeof *w->value;
    f->packed = dscq_malloc(w->count, sizeof *w->value);
    if (f->packed == NULL)
        return dscq_fail_nomem(err, "weights", f->packed_bytes);
    memcpy(f->packed, w->value, f->packed_bytes);
    return DSCQ_OK;
}

dscq_status infer__prepare_weights(fast_node *f, const dscq_qmodel *m,
                                   const dscq_int_kernels *k, dscq_error *err)
{
    const dscq_qnode *n = f->n;
    const dscq_qtensor *x = &m->tensor[n->input[0]], *y = &m->tensor[n->output];
    dscq_qweights w;
    dscq_status status;

    DSCQ_TRY(dscq_qweights_open(&w, n->weights, err));
    f->kind = kind_of(n, &w, x, y);
    f->is_sparse = f->kind != FAST_DEPTHWISE && f->kind != FAST_WIDE &&
                   y->h * y->w >= 16 && pays_sparse(&w, k);
    if (f->is_sparse && f->kind == FAST_LINES)
        f->kind = FAST_IM2COL;
    DSCQ_TRY(make_post(f, m, k, err));
    DSCQ_TRY(f->kind == FAST_WIDE ? keep_values(f, &w, err)
                                  : pack_weights(f, &w, m, k, err));
    const shape s = shape_of(f);
    if (f->kind == FAST_DEPTHWISE || f->kind == FAST_LINES)
        f->rows_bytes = infer__rows_bytes(n, x);
    if (f->kind == FAST_IM2COL)
        f->tile_bytes = TILE_PIXELS * whole_words(s.k) + FAST_SLACK;
    if (f->kind == FAST_WIDE)
        f->tile_bytes = s.k * sizeof(int32_t);
    if (f->kind == FAST_WIDE || y->bits > 8)
        f->acc_bytes = TILE_PIXELS * (size_t)n->weights->k * sizeof(int32_t);
    if (f->is_sparse)
        f->other_bytes = k->sparse_scratch_bytes(s.n, s.k);
done:
    dscq_qweights_close(&w, n->weights);
    return status;
}

size_t infer__scratch_bytes(const fast_node *f)
{
    return fast_round(f->rows_bytes) + fast_round(f->tile_bytes) +
           fast_round(f->acc_bytes) + fast_round(f->other_bytes);
}

/* ---- running ---- */

typedef struct conv_ctx {
    const fast_node *f;
    const dscq_qnode *n;
    const dscq_qtensor *x, *y;
    const dscq_int_kernels *k;
    const uint8_t *in;
    uint8_t *out, *rows, *tile, *acc, *other;
    shape s;
} conv_ctx;

static dscq_geom geom_of(const conv_ctx *c)
{
    const dscq_qnode *n = c->n;

    return (dscq_geom){.in_h = c->x->h,
                       .in_w = c->x->w,
                       .c = c->x->c,
                       .out_h = c->y->h,
                       .out_w = c->y->w,
                       .kernel_h = n->weights->r,
                       .kernel_w = n->weights->s,
                       .stride_h = n->stride_h,
                       .stride_w = n->stride_w,
                       .pad_top = n->pad_top,
                       .pad_left = n->pad_left,
                       .dilation_h = n->dilation_h,
                       .dilation_w = n->dilation_w,
                       .groups = n->groups};
}

/* m rows of group g's matrix to output pixels first .. first + m - 1. */
static void product(const conv_ctx *c, size_t g, const uint8_t *a, size_t lda,
                    size_t first, size_t m)
{
    const size_t n = c->s.n, ldo = (size_t)c->y->c, elem = fast_elem(c->y);
    const size_t k = whole_words(c->s.k);
    const uint8_t *w = c->f->packed + c->f->packed_at[g];
    const uint8_t *post = c->f->post + g * c->f->post_group;
    uint8_t *to = c->out + (first * ldo + g * n) * elem;

    if (elem == 1) {
        if (c->f->is_sparse)
            c->k->sparse_gemm(w, a, lda, to, ldo, m, n, c->s.k, post, c->other);
        else
            c->k->gemm(w, a, lda, to, ldo, m, n, k, post);
        return;
    }
    int32_t *acc = (int32_t *)(void *)c->acc;
    for (size_t i = 0; i < m; i += TILE_PIXELS) {
        const size_t rows = m - i < TILE_PIXELS ? m - i : TILE_PIXELS;
        if (c->f->is_sparse)
            c->k->sparse_gemm(w, a + i * lda, lda, acc, n, rows, n, c->s.k, NULL,
                              c->other);
        else
            c->k->gemm(w, a + i * lda, lda, acc, n, rows, n, k, NULL);
        c->k->requant(post, acc, n, to + i * ldo * elem, ldo, rows, n);
    }
}

static void run_im2col(const conv_ctx *c)
{
    const dscq_geom g = geom_of(c);
    const size_t pixels = (size_t)c->y->h * (size_t)c->y->w;
    const size_t ld = whole_words(c->s.k);

    for (size_t group = 0; group < c->s.groups; group++)
        for (size_t i = 0; i < pixels; i += TILE_PIXELS) {
            const size_t m = pixels - i < TILE_PIXELS ? pixels - i : TILE_PIXELS;
            c->k->im2col(&g, c->in, (int32_t)group, i, m, c->tile, ld,
                         (uint8_t)fast_zero(c->x));
            product(c, group, c->tile, ld, i, m);
        }
}

static uint8_t *out_row(const conv_ctx *c, int32_t h)
{
    return c->out + (size_t)h * (size_t)c->y->w * (size_t)c->y->c;
}

static void run_lines(const conv_ctx *c)
{
    const dscq_qnode *n = c->n;
    fast_rows rows = infer__rows_open(n, c->x, c->in, c->rows);
    dscq_byte_lines a = {.step = (size_t)n->stride_w * (size_t)c->x->c,
                         .line = whole_words(line_of(n->weights)),
                         .lines = (size_t)n->weights->r,
                         .pitch = (size_t)n->dilation_h * rows.bytes};

    for (int32_t h = 0; h < c->y->h; h++) {
        a.at = infer__rows_at(&rows, (size_t)(h * n->stride_h));
        c->k->gemm_lines(c->f->packed, &a, out_row(c, h), c->s.n, (size_t)c->y->w,
                         c->s.n, c->f->post);
    }
}

static void run_depthwise(const conv_ctx *c)
{
    const dscq_geom g = geom_of(c);
    fast_rows rows = infer__rows_open(c->n, c->x, c->in, c->rows);
    const uint8_t *in[DW_ROWS];

    for (int32_t h = 0; h < c->y->h; h++) {
        in[0] = infer__rows_at(&rows, (size_t)(h * g.stride_h));
        for (int32_t r = 1; r < g.kernel_h; r++)
            in[r] = in[r - 1] + (size_t)g.dilation_h * rows.bytes;
        c->k->dw_row(&g, in, c->f->packed, out_row(c, h), c->f->post);
    }
}

/* Code + offset - zero point at a place of the input; 0 in the padding. */
static int32_t wide_at(const conv_ctx *c, int32_t h, int32_t w, size_t ch)
{
    if (h < 0 || w < 0 || h >= c->x->h || w >= c->x->w)
        return 0;
    const size_t i = ((size_t)h * (size_t)c->x->w + (size_t)w) * (size_t)c->x->c + ch;
    return fast_get(c->in, c->x, i) - fast_zero(c->x);
}

static void wide_window(const conv_ctx *c, int32_t oh, int32_t ow, size_t group,
                        int32_t *win)
{
    const dscq_qnode *n = c->n;
    const dscq_qweights *w = n->weights;

    for (int32_t r = 0; r < w->r; r++)
        for (int32_t s = 0; s < w->s; s++)
            for (size_t i = 0; i < (size_t)w->c; i++)
                *win++ = wide_at(c, oh * n->stride_h - n->pad_top + r * n->dilation_h,
                                 ow * n->stride_w - n->pad_left + s * n->dilation_w,
                                 group * (size_t)w->c + i);
}

static void run_wide(const conv_ctx *c)
{
    const dscq_qweights *w = c->n->weights;
    const size_t per_group = (size_t)(w->k / c->n->groups), ch = (size_t)c->y->c;
    int32_t *win = (int32_t *)(void *)c->tile, *acc = (int32_t *)(void *)c->acc;
    const int16_t *value = (const int16_t *)(const void *)c->f->packed;

    for (int32_t oh = 0; oh < c->y->h; oh++)
        for (int32_t ow = 0; ow < c->y->w; ow++) {
            for (size_t k = 0; k < (size_t)w->k; k++) {
                int64_t sum = 0; /* fits 32 bits: the check's bound */
                if (k % per_group == 0)
                    wide_window(c, oh, ow, k / per_group, win);
                for (size_t i = 0; i < c->s.k; i++)
                    sum += (int64_t)win[i] * value[k * c->s.k + i];
                acc[k] = (int32_t)sum;
            }
            const size_t at = (size_t)oh * (size_t)c->y->w + (size_t)ow;
            c->k->requant(c->f->post, acc, ch, c->out + at * ch * fast_elem(c->y), ch,
                          1, ch);
        }
}

void infer__fast_conv(const fast_run *r)
{
    const fast_node *f = r->f;
    conv_ctx c = {.f = f,
                  .n = r->n,
                  .x = r->in,
                  .y = r->out,
                  .k = r->k,
                  .in = r->x[0],
                  .out = r->y,
                  .rows = r->scratch,
                  .s = shape_of(f)};

    c.tile = c.rows + fast_round(f->rows_bytes);
    c.acc = c.tile + fast_round(f->tile_bytes);
    c.other = c.acc + fast_round(f->acc_bytes);
    switch (f->kind) {
    case FAST_GEMM:
        product(&c, 0, c.in, c.s.k, 0, (size_t)c.y->h * (size_t)c.y->w);
        break;
    case FAST_LINES:
        run_lines(&c);
        break;
    case FAST_IM2COL:
        run_im2col(&c);
        break;
    case FAST_DEPTHWISE:
        run_depthwise(&c);
        break;
    case FAST_WIDE:
        run_wide(&c);
        break;
    }
}
