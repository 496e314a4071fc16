/* What pooling demands of its node: windows, and a scale for each number of positions.
 */
#include "dscq/base/alloc.h"
#include "rules.h"

#include <string.h>

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

    DSCQ_TRY(qnet__need_inputs(c, 1));
    DSCQ_TRY(qnet__need_steps(c));
    if (n->kernel_h < 0 || n->kernel_w < 0 || n->kernel_h > DSCQ_QNET_MAX_SIDE ||
        n->kernel_w > DSCQ_QNET_MAX_SIDE || (n->kernel_h == 0) != (n->kernel_w == 0))
        return qnet__refuse(c, "window of %d x %d", n->kernel_h, n->kernel_w);
    pool_kernel(n, c->x->h, c->x->w, &kh, &kw);
    const int32_t h =
        dscq_qwindow_out(c->x->h, kh, n->stride_h, n->pad_top + n->pad_bottom, 1);
    const int32_t w =
        dscq_qwindow_out(c->x->w, kw, n->stride_w, n->pad_left + n->pad_right, 1);
    DSCQ_TRY(qnet__need_shape(c, h, w, c->x->c));
    if (kh <= n->pad_top || kw <= n->pad_left ||
        (int64_t)(h - 1) * n->stride_h - n->pad_top >= c->x->h ||
        (int64_t)(w - 1) * n->stride_w - n->pad_left >= c->x->w)
        return qnet__refuse(c, "a window lies in the padding alone");
    DSCQ_TRY(qnet__need_clamp(c));
done:
    return status;
}

dscq_status qnet__rule_maxpool(const qnet_rule *c)
{
    const dscq_status status = check_pool(c);

    return status != DSCQ_OK ? status : qnet__need_same_codes(c);
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

dscq_status qnet__rule_avgpool(const qnet_rule *c)
{
    enum { CAP = DSCQ_QNET_MAX_POOL_SIDES * DSCQ_QNET_MAX_POOL_SIDES };
    const dscq_qnode *n = c->n;
    int32_t *want = NULL;
    int32_t kh, kw;
    dscq_status status;

    if (n->count_include_pad != 0 && n->count_include_pad != 1)
        return qnet__refuse(c, "count_include_pad %d", n->count_include_pad);
    DSCQ_TRY(check_pool(c));
    pool_kernel(n, c->x->h, c->x->w, &kh, &kw);
    if ((int64_t)kh * kw > INT32_MAX / dscq_qtensor_reach(c->x))
        return qnet__refuse(c, "a sum over %d x %d positions may overflow", kh, kw);
    want = dscq_calloc(CAP, sizeof *want);
    if (want == NULL)
        return dscq_fail_nomem(c->err, "pooling check", CAP * sizeof *want);
    const int32_t count = dscq_qpool_counts(n, c->x->h, c->x->w, want, CAP);
    if (count < 1 || count > CAP) {
        status = qnet__refuse(c, "more than %d different window sizes",
                              DSCQ_QNET_MAX_POOL_SIDES);
        goto done;
    }
    DSCQ_TRY(qnet__need_scales(c, count));
    DSCQ_TRY(qnet__need_normal(c));
    for (int32_t i = 0; i < count; i++)
        if (n->scale_key == NULL || n->scale_key[i] != want[i]) {
            status =
                qnet__refuse(c, "scale entry %d is not for %d positions", i, want[i]);
            goto done;
        }
done:
    dscq_free(want);
    return status;
}
