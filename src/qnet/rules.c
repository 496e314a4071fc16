/* What each operation demands of its node: one row and one function an operation. */
#include "rules.h"

#include "dscq/base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- what several share ---- */

dscq_status qnet__rule_refuse(const qnet_rule *c, const char *fmt, ...)
{
    char text[320];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return dscq_fail(c->err, DSCQ_FORMAT, "node '%s' (%s): %s", c->n->name,
                     dscq_qop_name(c->n->op), text);
}

dscq_status qnet__rule_clamp(const qnet_rule *c)
{
    const int32_t lo = dscq_qtensor_lo(c->y), hi = dscq_qtensor_hi(c->y);

    if (c->n->clamp_lo < lo || c->n->clamp_hi > hi || c->n->clamp_lo > c->n->clamp_hi)
        return qnet__rule_refuse(c, "clamp [%d, %d] outside the output's [%d, %d]",
                                 c->n->clamp_lo, c->n->clamp_hi, lo, hi);
    return DSCQ_OK;
}

dscq_status qnet__rule_leaky(const qnet_rule *c)
{
    if (c->n->is_leaky != 0 && c->n->is_leaky != 1)
        return qnet__rule_refuse(c, "is_leaky %d", c->n->is_leaky);
    if (c->n->slope_q15 < 0 || c->n->slope_q15 > 32768)
        return qnet__rule_refuse(c, "slope %d/32768; want 0 to 32768", c->n->slope_q15);
    return DSCQ_OK;
}

dscq_status qnet__rule_shape(const qnet_rule *c, int32_t h, int32_t w, int32_t ch)
{
    if (c->y->h != h || c->y->w != w || c->y->c != ch)
        return qnet__rule_refuse(c,
                                 "output is %d x %d x %d; the inputs make %d x %d x %d",
                                 c->y->h, c->y->w, c->y->c, h, w, ch);
    return DSCQ_OK;
}

/* Codes are moved, not changed: both sides mean the same by a code. */
dscq_status qnet__rule_same_codes(const qnet_rule *c)
{
    if (c->x->bits != c->y->bits || c->x->is_signed != c->y->is_signed ||
        c->x->zero_point != c->y->zero_point)
        return qnet__rule_refuse(
            c, "input and output must have the same bits, sign and zero "
               "point");
    return DSCQ_OK;
}

dscq_status qnet__rule_inputs(const qnet_rule *c, int32_t want)
{
    if (c->n->input_count != want)
        return qnet__rule_refuse(c, "%d inputs; want %d", c->n->input_count, want);
    return DSCQ_OK;
}

dscq_status qnet__rule_scale(const qnet_rule *c, int32_t want)
{
    if (c->n->scale_count != want || c->n->mult == NULL || c->n->shift == NULL)
        return qnet__rule_refuse(c, "%d scale entries; want %d", c->n->scale_count,
                                 want);
    for (int32_t i = 0; i < want; i++)
        if (c->n->mult[i] == INT16_MIN || c->n->shift[i] > 47)
            return qnet__rule_refuse(
                c, "scale entry %d: m %d, r %d; want |m| < 32768, r <= 47", i,
                c->n->mult[i], c->n->shift[i]);
    return DSCQ_OK;
}

dscq_status qnet__rule_normal(const qnet_rule *c)
{
    for (int32_t i = 0; i < c->n->scale_count; i++) {
        const int32_t m = c->n->mult[i] < 0 ? -c->n->mult[i] : c->n->mult[i];
        if (m != 0 ? m < 16384 : c->n->shift[i] != 0)
            return qnet__rule_refuse(c, "scale entry %d: m %d, r %d is not normalised",
                                     i, c->n->mult[i], c->n->shift[i]);
    }
    return DSCQ_OK;
}

dscq_status qnet__rule_pads(const qnet_rule *c)
{
    const dscq_qnode *n = c->n;
    const int32_t side[] = {n->pad_top, n->pad_left, n->pad_bottom, n->pad_right};

    for (int i = 0; i < 4; i++)
        if (side[i] < 0 || side[i] > DSCQ_QNET_MAX_SIDE)
            return qnet__rule_refuse(c, "padding %d; want 0 to %d", side[i],
                                     DSCQ_QNET_MAX_SIDE);
    return DSCQ_OK;
}

dscq_status qnet__rule_steps(const qnet_rule *c)
{
    const dscq_qnode *n = c->n;
    const int32_t step[] = {n->stride_h, n->stride_w, n->dilation_h, n->dilation_w};

    for (int i = 0; i < 4; i++)
        if (step[i] < 1 || step[i] > DSCQ_QNET_MAX_SIDE)
            return qnet__rule_refuse(c, "stride or dilation %d; want 1 to %d", step[i],
                                     DSCQ_QNET_MAX_SIDE);
    return qnet__rule_pads(c);
}

/* ---- sums, products, joins ---- */

static dscq_status rule_add(const qnet_rule *c)
{
    dscq_status status;

    if (c->n->input_count < 2)
        return qnet__rule_refuse(c, "%d inputs; want 2 or more", c->n->input_count);
    for (int32_t i = 0; i < c->n->input_count; i++) {
        const dscq_qtensor *x = &c->m->tensor[c->n->input[i]];
        DSCQ_TRY(qnet__rule_shape(c, x->h, x->w, x->c));
    }
    DSCQ_TRY(qnet__rule_scale(c, c->n->input_count));
    for (int32_t i = 1; i < c->n->input_count; i++)
        if (c->n->shift[i] != c->n->shift[0])
            return qnet__rule_refuse(c, "input %d: r %d differs from %d", i,
                                     c->n->shift[i], c->n->shift[0]);
    DSCQ_TRY(qnet__rule_clamp(c));
    DSCQ_TRY(qnet__rule_leaky(c));
done:
    return status;
}

static dscq_status rule_mul(const qnet_rule *c)
{
    dscq_status status;

    DSCQ_TRY(qnet__rule_inputs(c, 2));
    const dscq_qtensor *b = &c->m->tensor[c->n->input[1]];
    if (b->c != c->x->c ||
        !((b->h == c->x->h && b->w == c->x->w) || (b->h == 1 && b->w == 1)))
        return qnet__rule_refuse(
            c,
            "second input is %d x %d x %d; want the first's shape or "
            "1 x 1 x %d",
            b->h, b->w, b->c, c->x->c);
    DSCQ_TRY(qnet__rule_shape(c, c->x->h, c->x->w, c->x->c));
    DSCQ_TRY(qnet__rule_scale(c, 1));
    DSCQ_TRY(qnet__rule_clamp(c));
done:
    return status;
}

static dscq_status check_join(const qnet_rule *c, int32_t i)
{
    const qnet_rule one = {c->m, c->n, &c->m->tensor[c->n->input[i]], c->y, c->err};

    if (one.x->h != c->y->h || one.x->w != c->y->w)
        return qnet__rule_refuse(c, "input %d is %d x %d; the output %d x %d", i,
                                 one.x->h, one.x->w, c->y->h, c->y->w);
    if (c->n->shift[i] == 255 && c->n->mult[i] == 0)
        return qnet__rule_same_codes(&one);
    if (c->n->shift[i] > 47 || c->n->mult[i] == INT16_MIN)
        return qnet__rule_refuse(
            c, "scale entry %d: m %d, r %d; want |m| < 32768, r <= 47", i,
            c->n->mult[i], c->n->shift[i]);
    return DSCQ_OK;
}

static dscq_status rule_concat(const qnet_rule *c)
{
    int64_t channels = 0;
    dscq_status status;

    if (c->n->scale_count != c->n->input_count || c->n->mult == NULL ||
        c->n->shift == NULL)
        return qnet__rule_refuse(c, "%d scale entries; want %d", c->n->scale_count,
                                 c->n->input_count);
    for (int32_t i = 0; i < c->n->input_count; i++) {
        DSCQ_TRY(check_join(c, i));
        channels += c->m->tensor[c->n->input[i]].c;
    }
    if (channels != c->y->c)
        return qnet__rule_refuse(c, "%lld input channels; the output has %d",
                                 (long long)channels, c->y->c);
    DSCQ_TRY(qnet__rule_clamp(c));
done:
    return status;
}

static dscq_status rule_rescale(const qnet_rule *c)
{
    const dscq_status status = qnet__rule_inputs(c, 1);

    return status != DSCQ_OK ? status : rule_concat(c);
}

/* ---- pooling ---- */

static void pool_kernel(const dscq_qnode *n, int32_t in_h, int32_t in_w, int32_t *kh,
                        int32_t *kw)
{
    *kh = n->kernel_h == 0 ? in_h : n->kernel_h;
    *kw = n->kernel_w == 0 ? in_w : n->kernel_w;
}

static dscq_status check_pool(const qnet_rule *c)
{
    const dscq_qnode *n = c->n;
    int32_t kh, kw;
    dscq_status status;

    DSCQ_TRY(qnet__rule_inputs(c, 1));
    DSCQ_TRY(qnet__rule_steps(c));
    if (n->kernel_h < 0 || n->kernel_w < 0 || n->kernel_h > DSCQ_QNET_MAX_SIDE ||
        n->kernel_w > DSCQ_QNET_MAX_SIDE || (n->kernel_h == 0) != (n->kernel_w == 0))
        return qnet__rule_refuse(c, "window of %d x %d", n->kernel_h, n->kernel_w);
    pool_kernel(n, c->x->h, c->x->w, &kh, &kw);
    const int32_t h =
        dscq_qwindow_out(c->x->h, kh, n->stride_h, n->pad_top + n->pad_bottom, 1);
    const int32_t w =
        dscq_qwindow_out(c->x->w, kw, n->stride_w, n->pad_left + n->pad_right, 1);
    DSCQ_TRY(qnet__rule_shape(c, h, w, c->x->c));
    if (kh <= n->pad_top || kw <= n->pad_left ||
        (int64_t)(h - 1) * n->stride_h - n->pad_top >= c->x->h ||
        (int64_t)(w - 1) * n->stride_w - n->pad_left >= c->x->w)
        return qnet__rule_refuse(c, "a window lies in the padding alone");
    DSCQ_TRY(qnet__rule_clamp(c));
done:
    return status;
}

static dscq_status rule_maxpool(const qnet_rule *c)
{
    const dscq_status status = check_pool(c);

    return status != DSCQ_OK ? status : qnet__rule_same_codes(c);
}

/* Sizes of the part of each window that lies on the map, ascending, each once. */
static int32_t overlaps(int32_t in, int32_t k, int32_t stride, int32_t lo, int32_t hi,
                        int32_t *out, int32_t cap)
{
    const int32_t positions = dscq_qwindow_out(in, k, stride, lo + hi, 1);
    int32_t count = 0;

    for (int32_t o = 0; o < positions; o++) {
        const int32_t a = o * stride - lo < 0 ? 0 : o * stride - lo;
        const int32_t b = o * stride - lo + k > in ? in : o * stride - lo + k;
        int32_t at = 0;
        if (b <= a)
            return 0;
        while (at < count && out[at] < b - a)
            at++;
        if (at < count && out[at] == b - a)
            continue;
        if (count == cap)
            return 0;
        memmove(out + at + 1, out + at, (size_t)(count - at) * sizeof *out);
        out[at] = b - a;
        count++;
    }
    return count;
}

int32_t dscq_qpool_counts(const dscq_qnode *n, int32_t in_h, int32_t in_w,
                          int32_t *counts, int32_t cap)
{
    int32_t rows[DSCQ_QNET_MAX_POOL_SIDES], cols[DSCQ_QNET_MAX_POOL_SIDES], kh, kw,
        count = 0;

    pool_kernel(n, in_h, in_w, &kh, &kw);
    if (n->count_include_pad) {
        if (cap > 0)
            counts[0] = kh * kw;
        return 1;
    }
    const int32_t nr = overlaps(in_h, kh, n->stride_h, n->pad_top, n->pad_bottom, rows,
                                DSCQ_QNET_MAX_POOL_SIDES);
    const int32_t nc = overlaps(in_w, kw, n->stride_w, n->pad_left, n->pad_right, cols,
                                DSCQ_QNET_MAX_POOL_SIDES);
    for (int32_t i = 0; i < nr * nc; i++) {
        const int32_t v = rows[i / nc] * cols[i % nc];
        int32_t at = 0;
        while (at < count && at < cap && counts[at] < v)
            at++;
        if (at < count && at < cap && counts[at] == v)
            continue;
        if (count < cap) {
            memmove(counts + at + 1, counts + at,
                    (size_t)(count - at) * sizeof *counts);
            counts[at] = v;
        }
        count++;
    }
    return count;
}

int32_t dscq_qpool_entry(const dscq_qnode *n, int32_t count)
{
    for (int32_t i = 0; i < n->scale_count; i++)
        if (n->scale_key[i] == count)
            return i;
    return -1;
}

static dscq_status rule_avgpool(const qnet_rule *c)
{
    enum { CAP = DSCQ_QNET_MAX_POOL_SIDES * DSCQ_QNET_MAX_POOL_SIDES };
    const dscq_qnode *n = c->n;
    int32_t *want = NULL;
    int32_t kh, kw;
    dscq_status status;

    if (n->count_include_pad != 0 && n->count_include_pad != 1)
        return qnet__rule_refuse(c, "count_include_pad %d", n->count_include_pad);
    DSCQ_TRY(check_pool(c));
    pool_kernel(n, c->x->h, c->x->w, &kh, &kw);
    if ((int64_t)kh * kw > INT32_MAX / dscq_qtensor_reach(c->x))
        return qnet__rule_refuse(c, "a sum over %d x %d positions may overflow", kh,
                                 kw);
    want = dscq_calloc(CAP, sizeof *want);
    if (want == NULL)
        return dscq_fail_nomem(c->err, "pooling check", CAP * sizeof *want);
    const int32_t count = dscq_qpool_counts(n, c->x->h, c->x->w, want, CAP);
    if (count < 1 || count > CAP) {
        status = qnet__rule_refuse(c, "more than %d different window sizes",
                                   DSCQ_QNET_MAX_POOL_SIDES);
        goto done;
    }
    DSCQ_TRY(qnet__rule_scale(c, count));
    DSCQ_TRY(qnet__rule_normal(c));
    for (int32_t i = 0; i < count; i++)
        if (n->scale_key == NULL || n->scale_key[i] != want[i]) {
            status = qnet__rule_refuse(c, "scale entry %d is not for %d positions", i,
                                       want[i]);
            goto done;
        }
done:
    dscq_free(want);
    return status;
}

/* ---- moving codes ---- */

static dscq_status check_moved(const qnet_rule *c, int32_t h, int32_t w, int32_t ch)
{
    dscq_status status;

    DSCQ_TRY(qnet__rule_inputs(c, 1));
    DSCQ_TRY(qnet__rule_same_codes(c));
    DSCQ_TRY(qnet__rule_shape(c, h, w, ch));
done:
    return status;
}

static dscq_status check_factor(const qnet_rule *c)
{
    if (c->n->factor < 1 || c->n->factor > DSCQ_QNET_MAX_FACTOR)
        return qnet__rule_refuse(c, "factor %d; want 1 to %d", c->n->factor,
                                 DSCQ_QNET_MAX_FACTOR);
    return DSCQ_OK;
}

static dscq_status rule_upsample(const qnet_rule *c)
{
    const dscq_status status = check_factor(c);

    return status != DSCQ_OK ? status
                             : check_moved(c, c->x->h * c->n->factor,
                                           c->x->w * c->n->factor, c->x->c);
}

static dscq_status rule_reorg(const qnet_rule *c)
{
    const int32_t f = c->n->factor;
    const dscq_status status = check_factor(c);

    if (status != DSCQ_OK)
        return status;
    if (c->x->h % f != 0 || c->x->w % f != 0 ||
        c->x->c > DSCQ_QNET_MAX_CHANNELS / (f * f))
        return qnet__rule_refuse(c, "%d x %d x %d is not a multiple of %d", c->x->h,
                                 c->x->w, c->x->c, f);
    return check_moved(c, c->x->h / f, c->x->w / f, c->x->c * f * f);
}

static dscq_status rule_slice(const qnet_rule *c)
{
    if (c->n->first < 0 || c->n->first > c->x->c - c->y->c)
        return qnet__rule_refuse(c, "channels %d.. of %d; the output wants %d",
                                 c->n->first, c->x->c, c->y->c);
    return check_moved(c, c->x->h, c->x->w, c->y->c);
}

static dscq_status rule_pad(const qnet_rule *c)
{
    const dscq_status status = qnet__rule_pads(c);

    return status != DSCQ_OK
               ? status
               : check_moved(c, c->x->h + c->n->pad_top + c->n->pad_bottom,
                             c->x->w + c->n->pad_left + c->n->pad_right, c->x->c);
}

/* ---- tables ---- */

static dscq_status rule_lut(const qnet_rule *c)
{
    dscq_status status;

    DSCQ_TRY(qnet__rule_inputs(c, 1));
    if (c->x->bits > 8)
        return qnet__rule_refuse(c, "input of %d bits; at most 8", c->x->bits);
    DSCQ_TRY(qnet__rule_shape(c, c->x->h, c->x->w, c->x->c));
    if (c->n->table_count != 1 << c->x->bits || c->n->table == NULL)
        return qnet__rule_refuse(c, "%d table entries; want %d", c->n->table_count,
                                 1 << c->x->bits);
    for (int32_t i = 0; i < c->n->table_count; i++)
        if (c->n->table[i] < dscq_qtensor_lo(c->y) ||
            c->n->table[i] > dscq_qtensor_hi(c->y))
            return qnet__rule_refuse(
                c, "table entry %d is %d, not a code of the output", i, c->n->table[i]);
done:
    return status;
}

static dscq_status rule_lrn(const qnet_rule *c)
{
    const int64_t reach = dscq_qtensor_reach(c->x);
    dscq_status status;

    DSCQ_TRY(qnet__rule_inputs(c, 1));
    DSCQ_TRY(qnet__rule_shape(c, c->x->h, c->x->w, c->x->c));
    if (c->n->first < 1 || c->n->first > c->x->c * 2 + 1)
        return qnet__rule_refuse(c, "a sum over %d channels", c->n->first);
    const int64_t span = c->n->first < c->x->c ? c->n->first : c->x->c;
    if (span > (int64_t)UINT32_MAX / (reach * reach))
        return qnet__rule_refuse(c, "a sum of %lld squares may overflow",
                                 (long long)span);
    DSCQ_TRY(qnet__rule_scale(c, 1));
    if (c->n->mult[0] != 0)
        return qnet__rule_refuse(c, "m %d; want 0, the table is the factor",
                                 c->n->mult[0]);
    const int32_t top = dscq_lrn_index((uint32_t)(span * reach * reach));
    if (c->n->table_count != top + 1 || c->n->table == NULL)
        return qnet__rule_refuse(c, "%d table entries; want %d", c->n->table_count,
                                 top + 1);
    for (int32_t i = 0; i <= top; i++)
        if (c->n->table[i] < 0 || c->n->table[i] > 65535)
            return qnet__rule_refuse(c, "table entry %d is %d; want 0 to 65535", i,
                                     c->n->table[i]);
    DSCQ_TRY(qnet__rule_clamp(c));
done:
    return status;
}

/* In a file of its own, rules_conv.c. */
static dscq_status rule_conv(const qnet_rule *c)
{
    return qnet__rule_conv(c);
}

static dscq_status (*const k_rules[DSCQ_Q_COUNT])(const qnet_rule *) = {
#define X(name, id, text) rule_##name,
    DSCQ_QOP_LIST(X)
#undef X
};

/* Operations that have no scale entries, and none but two that have a table. */
static dscq_status rule_nothing_else(const qnet_rule *c)
{
    static const uint8_t moves[DSCQ_Q_COUNT] = {
        [DSCQ_Q_MAXPOOL] = 1, [DSCQ_Q_UPSAMPLE] = 1, [DSCQ_Q_REORG] = 1,
        [DSCQ_Q_SLICE] = 1,   [DSCQ_Q_PAD] = 1,      [DSCQ_Q_LUT] = 1};

    if (moves[c->n->op] && c->n->scale_count != 0)
        return qnet__rule_refuse(c, "%d scale entries; want 0", c->n->scale_count);
    if (c->n->op != DSCQ_Q_LUT && c->n->op != DSCQ_Q_LRN && c->n->table_count != 0)
        return qnet__rule_refuse(c, "%d table entries; want 0", c->n->table_count);
    return DSCQ_OK;
}

dscq_status qnet__check_node(const dscq_qmodel *m, const dscq_qnode *n, dscq_error *err)
{
    const qnet_rule c = {m, n, &m->tensor[n->input[0]], &m->tensor[n->output], err};
    const dscq_status status = k_rules[n->op](&c);

    return status != DSCQ_OK ? status : rule_nothing_else(&c);
}
