/* Operations of the post-processor alone (docs/arithmetic.md sections 4 to 6): sums,
 * products, joins, pooling, tables. One output code at a time, straight from the
 * rules; they are a small share of any network. */
#include "hw_internal.h"

#include <assert.h>
#include <string.h>

typedef struct vec {
    hw_data *d;
    const dscq_hw_cmd *c;
    const dscq_hw_op *op;
    const dscq_hw_tensor *out;
} vec;

static const dscq_hw_tensor *in_tensor(const vec *v, int i)
{
    return &v->d->p->tensor[v->op->in[i]];
}

static int32_t get(const vec *v, int i, int32_t y, int32_t x, int32_t c)
{
    const dscq_hw_ring *r = &v->d->p->ring[v->c->ring_in[i]];
    const dscq_hw_tensor *t = in_tensor(v, i);

    return hw__get(t, hw__line(v->d, r, y, c) + (x - r->x0) * t->elem_bytes);
}

static int32_t finish(const vec *v, int64_t u)
{
    if (v->op->is_leaky && u < 0)
        u = u * v->op->slope_q15 >> 15;
    u = v->out->zero_point + ((u + 128) >> 8);
    if (u < v->op->clamp_lo)
        return v->op->clamp_lo;
    return u > v->op->clamp_hi ? v->op->clamp_hi : (int32_t)u;
}

static int32_t one_add(const vec *v, int32_t y, int32_t x, int32_t c)
{
    int64_t u = 0;

    for (int32_t i = 0; i < v->op->in_count; i++)
        u += (int64_t)(get(v, i, y, x, c) - in_tensor(v, i)->zero_point) *
             v->op->mult[i];
    return finish(v, u >> v->op->shift[0]);
}

static int32_t one_mul(const vec *v, int32_t y, int32_t x, int32_t c)
{
    const dscq_hw_tensor *b = in_tensor(v, 1);
    const int whole = b->h == v->out->h && b->w == v->out->w;
    const int64_t x1 = get(v, 0, y, x, c) - in_tensor(v, 0)->zero_point;
    const int64_t x2 = get(v, 1, whole ? y : 0, whole ? x : 0, c) - b->zero_point;

    return finish(v, x1 * x2 * v->op->mult[0] >> v->op->shift[0]);
}

static int32_t one_copy(const vec *v, int32_t y, int32_t x, int32_t c)
{
    const dscq_hw_op *op = v->op;
    const dscq_hw_tensor *t = in_tensor(v, 0);
    const int32_t i = c - op->c_out, f = op->factor_down;
    int32_t iy, ix, ic;

    if (f > 1) {
        ic = i % t->c;
        iy = y * f + i / t->c / f;
        ix = x * f + i / t->c % f;
    } else {
        iy = y / op->factor_up - op->pad_top;
        ix = x / op->factor_up - op->pad_left;
        ic = op->c_first + i;
    }
    if (iy < 0 || iy >= t->h || ix < 0 || ix >= t->w)
        return v->out->zero_point;
    const int32_t q = get(v, 0, iy, ix, ic);
    if (!op->copy_scaled)
        return q;
    return finish(v, (int64_t)(q - t->zero_point) * op->mult[0] >> op->shift[0]);
}

/* The part of a window that lies on the map. */
typedef struct window {
    int32_t y0, y1, x0, x1;
} window;

static window clip(const vec *v, int32_t y, int32_t x)
{
    const dscq_hw_op *op = v->op;
    const dscq_hw_tensor *t = in_tensor(v, 0);
    window w = {y * op->stride_h - op->pad_top, 0, x * op->stride_w - op->pad_left, 0};

    w.y1 = w.y0 + op->kernel_h < t->h ? w.y0 + op->kernel_h : t->h;
    w.x1 = w.x0 + op->kernel_w < t->w ? w.x0 + op->kernel_w : t->w;
    w.y0 = w.y0 < 0 ? 0 : w.y0;
    w.x0 = w.x0 < 0 ? 0 : w.x0;
    return w;
}

static int32_t one_maxpool(const vec *v, int32_t y, int32_t x, int32_t c)
{
    const window w = clip(v, y, x);
    int32_t best = INT32_MIN;

    for (int32_t i = w.y0; i < w.y1; i++)
        for (int32_t j = w.x0; j < w.x1; j++) {
            const int32_t q = get(v, 0, i, j, c);
            best = q > best ? q : best;
        }
    if (best < v->op->clamp_lo)
        return v->op->clamp_lo;
    return best > v->op->clamp_hi ? v->op->clamp_hi : best;
}

static int32_t one_avgpool(const vec *v, int32_t y, int32_t x, int32_t c)
{
    const dscq_hw_op *op = v->op;
    const int32_t zero = in_tensor(v, 0)->zero_point;
    const window w = clip(v, y, x);
    int32_t sum = 0, at = 0;

    for (int32_t i = w.y0; i < w.y1; i++)
        for (int32_t j = w.x0; j < w.x1; j++)
            sum += get(v, 0, i, j, c) - zero;
    const int32_t count = op->count_include_pad ? op->kernel_h * op->kernel_w
                                                : (w.y1 - w.y0) * (w.x1 - w.x0);
    while (at + 1 < op->scale_count && op->scale_key[at] != count)
        at++;
    return finish(v, (int64_t)sum * op->mult[at] >> op->shift[at]);
}

static int32_t one_lut(const vec *v, int32_t y, int32_t x, int32_t c)
{
    const dscq_hw_tensor *t = in_tensor(v, 0);
    const int32_t lowest = t->is_signed ? -(1 << (t->bits - 1)) : 0;

    return v->op->table[get(v, 0, y, x, c) - lowest];
}

static int32_t lrn_index(uint32_t sum)
{
    if (sum < 16)
        return (int32_t)sum;
    int32_t top = 31;
    while ((sum >> top & 1) == 0)
        top--;
    const int32_t e = top - 3;
    return 16 + 8 * (e - 1) + (int32_t)(sum >> e & 7);
}

static int32_t one_lrn(const vec *v, int32_t y, int32_t x, int32_t c)
{
    const dscq_hw_op *op = v->op;
    const dscq_hw_tensor *t = in_tensor(v, 0);
    const int32_t from = c - (op->span - 1) / 2, to = c + op->span / 2;
    uint32_t sum = 0;

    for (int32_t i = from < 0 ? 0 : from; i <= to && i < t->c; i++) {
        const int32_t q = get(v, 0, y, x, i) - t->zero_point;
        sum += (uint32_t)(q * q);
    }
    const int64_t own = get(v, 0, y, x, c) - t->zero_point;
    return finish(v, own * op->table[lrn_index(sum)] >> op->shift[0]);
}

typedef int32_t one_fn(const vec *v, int32_t y, int32_t x, int32_t c);

static one_fn *const k_one[DSCQ_HW_MODE_COUNT] = {
    [DSCQ_HW_ADD] = one_add,         [DSCQ_HW_MUL] = one_mul,
    [DSCQ_HW_COPY] = one_copy,       [DSCQ_HW_MAXPOOL] = one_maxpool,
    [DSCQ_HW_AVGPOOL] = one_avgpool, [DSCQ_HW_LUT] = one_lut,
    [DSCQ_HW_LRN] = one_lrn,
};

static void channel_range(const vec *v, const dscq_hw_ring *r, int32_t *first,
                          int32_t *last)
{
    *first = r->c0;
    *last = r->c0 + r->c_count;
    if (v->op->mode == DSCQ_HW_COPY) {
        *first = *first > v->op->c_out ? *first : v->op->c_out;
        const int32_t end = v->op->c_out + v->op->c_count;
        *last = *last < end ? *last : end;
    }
}

void hw__data_vector(hw_data *d, const dscq_hw_cmd *c)
{
    const dscq_hw_op *op = &d->p->op[c->op];
    const vec v = {d, c, op, &d->p->tensor[op->out]};
    const dscq_hw_ring *r = &d->p->ring[c->ring];
    one_fn *one = k_one[op->mode];
    const int32_t eb = v.out->elem_bytes;
    uint8_t *captured = d->captured[op->out];
    int32_t c_first, c_last;

    assert(one != NULL);
    channel_range(&v, r, &c_first, &c_last);
    for (int32_t p = c->first; p < c->last; p++) {
        const int32_t y = p / r->width, x = r->x0 + p % r->width;
        for (int32_t ch = c_first; ch < c_last; ch++) {
            uint8_t *at = hw__line(d, r, y, ch) + (x - r->x0) * eb;
            hw__put(v.out, at, one(&v, y, x, ch));
            if (captured != NULL)
                memcpy(captured + (((size_t)y * (size_t)v.out->w + (size_t)x) *
                                       (size_t)v.out->c +
                                   (size_t)ch) *
                                      (size_t)eb,
                       at, (size_t)eb);
        }
    }
}
