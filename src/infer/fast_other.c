/* The runtime's operations without weights. */
#include "dscq/base/alloc.h"
#include "fast.h"

#include <string.h>

static inline void put(uint8_t *y, size_t elem, size_t i, int32_t v)
{
    if (elem == 1)
        y[i] = (uint8_t)v;
    else
        ((uint16_t *)(void *)y)[i] = (uint16_t)v;
}

static inline int32_t limit(int64_t v, int32_t lo, int32_t hi)
{
    return v < lo ? lo : v > hi ? hi : (int32_t)v;
}

/* From 1/256 steps to what the output tensor holds. */
static int32_t finish(const dscq_qnode *n, const dscq_qtensor *y, int64_t u)
{
    return limit(y->zero_point + ((u + 128) >> 8), n->clamp_lo, n->clamp_hi) +
           fast_offset(y);
}

static int64_t leaky(const dscq_qnode *n, int64_t u)
{
    return n->is_leaky && u < 0 ? u * n->slope_q15 >> 15 : u;
}

/* ---- sums and products ---- */

/* What a sum of bytes has in common; its terms are the caller's. */
static dscq_byte_sum byte_sum(const fast_run *c, int32_t shift)
{
    const int32_t low = fast_offset(c->out);

    return (dscq_byte_sum){.shift = shift,
                           .zero = fast_zero(c->out),
                           .lo = c->n->clamp_lo + low,
                           .hi = c->n->clamp_hi + low};
}

static void set_term(dscq_byte_sum *s, const fast_run *c, int32_t term, int32_t input)
{
    s->z[term] = fast_zero(&c->m->tensor[c->n->input[input]]);
    s->m[term] = c->n->mult[input];
}

static void add_bytes(const fast_run *c, size_t count)
{
    dscq_byte_sum s = byte_sum(c, c->n->shift[0]);

    set_term(&s, c, 0, 0);
    set_term(&s, c, 1, 1);
    c->k->sum_bytes(&s, c->x[0], c->x[1], c->y, count);
}

void infer__fast_add(const fast_run *c)
{
    const size_t count = dscq_qtensor_count(c->out), elem = fast_elem(c->out);
    size_t bytes = elem;

    for (int32_t j = 0; j < c->n->input_count; j++)
        bytes += fast_elem(&c->m->tensor[c->n->input[j]]);
    if (bytes == 3 && c->n->input_count == 2 && !c->n->is_leaky) {
        add_bytes(c, count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        int64_t sum = 0;
        for (int32_t j = 0; j < c->n->input_count; j++) {
            const dscq_qtensor *t = &c->m->tensor[c->n->input[j]];
            sum += (int64_t)(fast_get(c->x[j], t, i) - fast_zero(t)) * c->n->mult[j];
        }
        put(c->y, elem, i, finish(c->n, c->out, leaky(c->n, sum >> c->n->shift[0])));
    }
}

void infer__fast_mul(const fast_run *c)
{
    const dscq_qtensor *b = &c->m->tensor[c->n->input[1]];
    const size_t count = dscq_qtensor_count(c->out), ch = (size_t)c->out->c;
    const size_t ey = fast_elem(c->out);
    const int one = b->h == 1 && b->w == 1;
    const int32_t za = fast_zero(c->in), zb = fast_zero(b);

    for (size_t i = 0; i < count; i++) {
        const int64_t p = (int64_t)(fast_get(c->x[0], c->in, i) - za) *
                          (fast_get(c->x[1], b, one ? i % ch : i) - zb);
        put(c->y, ey, i, finish(c->n, c->out, p * c->n->mult[0] >> c->n->shift[0]));
    }
}

/* ---- joins ---- */

static int32_t rescaled(const dscq_qnode *n, int32_t j, const dscq_qtensor *x,
                        const dscq_qtensor *y, int32_t u)
{
    return finish(n, y, (int64_t)(u - fast_zero(x)) * n->mult[j] >> n->shift[j]);
}

static void join_one(const fast_run *c, int32_t j, size_t first)
{
    const dscq_qtensor *t = &c->m->tensor[c->n->input[j]];
    const size_t pixels = (size_t)t->h * (size_t)t->w, ch = (size_t)t->c;
    const size_t ex = fast_elem(t), ey = fast_elem(c->out), ld = (size_t)c->out->c;
    const int copy = dscq_qnode_is_copied(c->n, j);

    const int bytes = ex == 1 && ey == 1;
    dscq_byte_sum s = byte_sum(c, c->n->shift[j]);

    set_term(&s, c, 0, j);
    for (size_t p = 0; p < pixels; p++) {
        if (copy) {
            memcpy(c->y + (p * ld + first) * ey, c->x[j] + p * ch * ex, ch * ex);
        } else if (bytes) {
            c->k->sum_bytes(&s, c->x[j] + p * ch, NULL, c->y + p * ld + first, ch);
        } else {
            for (size_t k = 0; k < ch; k++)
                put(c->y, ey, p * ld + first + k,
                    rescaled(c->n, j, t, c->out, fast_get(c->x[j], t, p * ch + k)));
        }
    }
}

void infer__fast_concat(const fast_run *c)
{
    size_t first = 0;

    for (int32_t j = 0; j < c->n->input_count; j++) {
        join_one(c, j, first);
        first += (size_t)c->m->tensor[c->n->input[j]].c;
    }
}

void infer__fast_rescale(const fast_run *c)
{
    infer__fast_concat(c);
}

/* ---- pooling ---- */

typedef struct span {
    int32_t h0, h1, w0, w1;
} span;

static span window_at(const fast_run *c, int32_t oh, int32_t ow)
{
    const dscq_qnode *n = c->n;
    span s = {oh * n->stride_h - n->pad_top, 0, ow * n->stride_w - n->pad_left, 0};

    s.h1 = s.h0 + (n->kernel_h == 0 ? c->in->h : n->kernel_h);
    s.w1 = s.w0 + (n->kernel_w == 0 ? c->in->w : n->kernel_w);
    s.h0 = s.h0 < 0 ? 0 : s.h0;
    s.w0 = s.w0 < 0 ? 0 : s.w0;
    s.h1 = s.h1 > c->in->h ? c->in->h : s.h1;
    s.w1 = s.w1 > c->in->w ? c->in->w : s.w1;
    return s;
}

enum { FAST_WINDOW = 64 };

/* The maximum of a window of bytes; more positions than FAST_WINDOW go in turns. */
static void max_bytes(const fast_run *c, span s, uint8_t *y)
{
    const size_t ch = (size_t)c->in->c, row = (size_t)c->in->w * ch;
    const int32_t off = fast_offset(c->out);
    const uint8_t lo = (uint8_t)(c->n->clamp_lo + off);
    const uint8_t hi = (uint8_t)(c->n->clamp_hi + off);
    const uint8_t *at[FAST_WINDOW];
    size_t count = 0;

    for (int32_t h = s.h0; h < s.h1; h++)
        for (int32_t w = s.w0; w < s.w1; w++) {
            if (count == FAST_WINDOW) {
                c->k->max_bytes(at, count, lo, hi, y, ch);
                at[0] = y;
                count = 1;
            }
            at[count++] = c->x[0] + (size_t)h * row + (size_t)w * ch;
        }
    c->k->max_bytes(at, count, lo, hi, y, ch);
}

static void max_codes(const fast_run *c, span s, size_t at)
{
    const size_t ch = (size_t)c->in->c;

    for (size_t k = 0; k < ch; k++) {
        int32_t top = INT32_MIN;
        for (int32_t h = s.h0; h < s.h1; h++)
            for (int32_t w = s.w0; w < s.w1; w++) {
                const size_t from = (size_t)h * (size_t)c->in->w + (size_t)w;
                const int32_t v = fast_get(c->x[0], c->in, from * ch + k);
                top = v > top ? v : top;
            }
        put(c->y, 2, at * ch + k, limit(top, c->n->clamp_lo, c->n->clamp_hi));
    }
}

static void max_pixel(const fast_run *c, span s, size_t at)
{
    if (fast_elem(c->in) == 1)
        max_bytes(c, s, c->y + at * (size_t)c->in->c);
    else
        max_codes(c, s, at);
}

void infer__fast_maxpool(const fast_run *c)
{
    for (int32_t h = 0; h < c->out->h; h++)
        for (int32_t w = 0; w < c->out->w; w++)
            max_pixel(c, window_at(c, h, w), (size_t)h * (size_t)c->out->w + (size_t)w);
}

enum { FAST_BLOCK = 256 };

/* FAST_BLOCK channels at a time, so that the sums live on the stack. */
static void mean_block(const fast_run *c, span s, size_t at, size_t k0, size_t count)
{
    const size_t ch = (size_t)c->in->c, ex = fast_elem(c->in), ey = fast_elem(c->out);
    const int32_t real = (s.h1 - s.h0) * (s.w1 - s.w0);
    const int32_t e = c->n->count_include_pad ? 0 : dscq_qpool_entry(c->n, real);
    const int32_t zero = fast_zero(c->in);
    uint32_t sum[FAST_BLOCK] = {0};

    for (int32_t h = s.h0; h < s.h1; h++)
        for (int32_t w = s.w0; w < s.w1; w++) {
            const uint8_t *x =
                c->x[0] + (((size_t)h * (size_t)c->in->w + (size_t)w) * ch + k0) * ex;
            if (ex == 1)
                c->k->total_bytes(sum, x, count);
            else
                for (size_t k = 0; k < count; k++)
                    sum[k] += (uint32_t)(fast_get(x, c->in, k) - zero);
        }
    for (size_t k = 0; k < count; k++) {
        const int64_t v =
            ex == 1 ? (int64_t)sum[k] - (int64_t)real * zero : (int64_t)(int32_t)sum[k];
        put(c->y, ey, at * ch + k0 + k,
            finish(c->n, c->out, v * c->n->mult[e] >> c->n->shift[e]));
    }
}

void infer__fast_avgpool(const fast_run *c)
{
    const size_t ch = (size_t)c->in->c;

    for (int32_t h = 0; h < c->out->h; h++)
        for (int32_t w = 0; w < c->out->w; w++)
            for (size_t k = 0; k < ch; k += FAST_BLOCK)
                mean_block(c, window_at(c, h, w),
                           (size_t)h * (size_t)c->out->w + (size_t)w, k,
                           ch - k < FAST_BLOCK ? ch - k : FAST_BLOCK);
}

/* ---- moving codes ---- */

void infer__fast_upsample(const fast_run *c)
{
    const size_t px = (size_t)c->in->c * fast_elem(c->in);
    const int32_t f = c->n->factor;
    uint8_t *y = c->y;

    for (int32_t h = 0; h < c->out->h; h++)
        for (int32_t w = 0; w < c->out->w; w++, y += px)
            memcpy(y,
                   c->x[0] +
                       ((size_t)(h / f) * (size_t)c->in->w + (size_t)(w / f)) * px,
                   px);
}

void infer__fast_reorg(const fast_run *c)
{
    const size_t px = (size_t)c->in->c * fast_elem(c->in);
    const size_t f = (size_t)c->n->factor;
    const uint8_t *x = c->x[0];

    for (size_t h = 0; h < (size_t)c->in->h; h++)
        for (size_t w = 0; w < (size_t)c->in->w; w++, x += px)
            memcpy(c->y + ((h / f * (size_t)c->out->w + w / f) * f * f + h % f * f +
                           w % f) *
                              px,
                   x, px);
}

void infer__fast_slice(const fast_run *c)
{
    const size_t e = fast_elem(c->in), in = (size_t)c->in->c * e;
    const size_t out = (size_t)c->out->c * e, first = (size_t)c->n->first * e;
    const size_t pixels = (size_t)c->in->h * (size_t)c->in->w;

    for (size_t p = 0; p < pixels; p++)
        memcpy(c->y + p * out, c->x[0] + p * in + first, out);
}

void infer__fast_pad(const fast_run *c)
{
    const size_t e = fast_elem(c->in), row = (size_t)c->in->w * (size_t)c->in->c * e;
    const size_t out_row = (size_t)c->out->w * (size_t)c->out->c * e;
    const size_t count = dscq_qtensor_count(c->out);

    for (size_t i = 0; i < count; i++)
        put(c->y, e, i, fast_zero(c->out));
    for (size_t h = 0; h < (size_t)c->in->h; h++)
        memcpy(c->y + (h + (size_t)c->n->pad_top) * out_row +
                   (size_t)c->n->pad_left * (size_t)c->in->c * e,
               c->x[0] + h * row, row);
}

/* ---- tables ---- */

/* 256 entries, of which those of real codes are filled. */
dscq_status infer__prepare_lookup(fast_node *f, const dscq_qmodel *m, dscq_error *err)
{
    const dscq_qnode *n = f->n;
    const dscq_qtensor *x = &m->tensor[n->input[0]], *y = &m->tensor[n->output];
    const size_t ey = fast_elem(y);

    f->table = dscq_calloc(256, ey);
    if (f->table == NULL)
        return dscq_fail_nomem(err, "table", 256 * ey);
    for (int32_t i = 0; i < 1 << x->bits; i++)
        put(f->table, ey, (size_t)(dscq_qtensor_lo(x) + i + fast_offset(x)),
            n->table[i] + fast_offset(y));
    return DSCQ_OK;
}

void infer__fast_lut(const fast_run *c)
{
    const size_t count = dscq_qtensor_count(c->out), ey = fast_elem(c->out);

    if (ey == 1) {
        for (size_t i = 0; i < count; i++)
            c->y[i] = c->f->table[c->x[0][i]];
        return;
    }
    for (size_t i = 0; i < count; i++)
        put(c->y, 2, i, fast_get(c->f->table, c->out, c->x[0][i]));
}

void infer__fast_lrn(const fast_run *c)
{
    const int32_t ch = c->in->c, before = (c->n->first - 1) / 2,
                  after = c->n->first / 2;
    const size_t pixels = (size_t)c->in->h * (size_t)c->in->w;
    const size_t ey = fast_elem(c->out);
    const int32_t zero = fast_zero(c->in);

    for (size_t p = 0; p < pixels; p++) {
        const size_t at = p * (size_t)ch;
        uint32_t sum = 0; /* of the window, moved along; exact, so it may wrap back */
        for (int32_t k = -after; k < ch; k++) {
            const int32_t in = k + after, out = k - before - 1;
            if (in >= 0 && in < ch) {
                const int32_t d = fast_get(c->x[0], c->in, at + (size_t)in) - zero;
                sum += (uint32_t)d * (uint32_t)d;
            }
            if (out >= 0 && out < ch) {
                const int32_t d = fast_get(c->x[0], c->in, at + (size_t)out) - zero;
                sum -= (uint32_t)d * (uint32_t)d;
            }
            if (k < 0 || k >= ch)
                continue;
            const int64_t d = fast_get(c->x[0], c->in, at + (size_t)k) - zero;
            put(c->y, ey, at + (size_t)k,
                finish(c->n, c->out,
                       d * c->n->table[dscq_lrn_index(sum)] >> c->n->shift[0]));
        }
    }
}
