/* Broadcast mode: the columns of a block of pixels, then each channel's sum of them. */
#include "datapath_internal.h"
#include "dscq/base/alloc.h"

#include <string.h>

/* Pixels of a block in the buffer of pairs; alone they lie side by side. */
static size_t stride_of(const hw_conv *j)
{
    return j->c->last - j->c->first == 1 ? 1 : HW_BLOCK + HW_SLACK;
}

/* Two columns whose lines are not simply side by side. */
static void fetch_pair(const hw_conv *j, uint32_t pair, int32_t spans, size_t stride)
{
    const dscq_hw_wtile *t = j->tile;
    struct hw_scratch *s = j->d->scratch;
    int32_t *to = j->d->x + pair * stride;

    for (int32_t i = 0; i < spans; i++) {
        const hw_span *sp = &s->span[i];
        for (int32_t half = 0; half < 2; half++) {
            const int32_t k = 2 * (int32_t)pair + half;
            int16_t *part = half == 0 ? s->even : s->odd;
            if (k < t->columns)
                hw__fetch(j, sp, k / t->c_count / j->op->kernel_w,
                          k / t->c_count % j->op->kernel_w, t->c_first + k % t->c_count,
                          part);
            else
                memset(part, 0, (size_t)sp->n * sizeof *part);
        }
        for (int32_t x = 0; x < sp->n; x++)
            to[sp->at + x] =
                (int32_t)((uint16_t)s->even[x] | (uint32_t)(uint16_t)s->odd[x] << 16);
    }
}

/* Pairs of one kernel place, neighbouring channels each, bytes side by side and no
 * padding: 0 when the span is not like that. */
static int fetch_lines(const hw_conv *j, const hw_span *sp, int32_t rs,
                       const uint32_t *list, size_t count, size_t stride)
{
    const dscq_hw_op *op = j->op;
    const int32_t y =
        sp->y * op->stride_h - op->pad_top + rs / op->kernel_w * op->dilation_h;
    const int32_t x =
        sp->x * op->stride_w - op->pad_left + rs % op->kernel_w * op->dilation_w;

    if (y < 0 || y >= j->t->h || x < 0 || x + sp->n > j->t->w)
        return 0;
    const uint8_t *line = hw__line(j->d, j->in, y, j->tile->c_first) + (x - j->in->x0);
    const int32_t flip = j->t->is_signed ? 0 : 128;
    const hw_pair_source from = {.even = line,
                                 .odd = line + j->in->line_bytes,
                                 .step = 2 * (size_t)j->in->line_bytes,
                                 .first = (uint32_t)(rs * j->tile->c_count / 2),
                                 .flip = (uint8_t)flip,
                                 .zero = (int16_t)(j->t->zero_point - flip)};
    j->d->kernels->pair_up(j->d->x + sp->at, stride, &from, list, count, sp->n);
    return 1;
}

/* All pairs that some channel has, of the block's spans. */
static void fetch_block(const hw_conv *j, int32_t spans, size_t stride)
{
    const hw_decoded *w = j->w;
    const int32_t half = j->tile->c_count / 2;
    const int lines = j->tile->c_count % 2 == 0 && j->op->stride_w == 1 &&
                      j->t->elem_bytes == 1 && stride > 1;

    for (size_t i = 0; i < w->used_count;) {
        if (!lines) {
            fetch_pair(j, w->used[i++], spans, stride);
            continue;
        }
        const int32_t rs = (int32_t)w->used[i] / half;
        size_t end = i;
        int all = 1;
        while (end < w->used_count && (int32_t)w->used[end] / half == rs)
            end++;
        for (int32_t s = 0; s < spans && all; s++)
            all = fetch_lines(j, &j->d->scratch->span[s], rs, w->used + i, end - i,
                              stride);
        for (; i < end; i++)
            if (!all)
                fetch_pair(j, w->used[i], spans, stride);
    }
}

/* Sums kept across commands that split the columns (rule L9): place, then pixel. */
static dscq_status keep_room(hw_data *d, size_t count, dscq_error *err)
{
    if (count <= d->acc_count)
        return DSCQ_OK;
    int32_t *acc = dscq_realloc(d->acc, d->acc_count * 4, count * 4);
    if (acc == NULL)
        return dscq_fail_nomem(err, "accumulators", count * 4ULL);
    d->acc = acc;
    d->acc_count = count;
    return DSCQ_OK;
}

static void keep_sums(const hw_conv *j, int32_t place, int32_t first, int32_t n)
{
    int32_t *kept = j->d->acc + (size_t)place * j->pixels + (size_t)first;
    int32_t *sum = j->d->scratch->sum;

    for (int32_t i = 0; i < n; i++) {
        if (j->c->flags & DSCQ_CMD_ACC_RESUME)
            sum[i] += kept[i];
        kept[i] = sum[i];
    }
}

/* Pixels [first, first + n), n <= HW_BLOCK, of every channel of the tile. */
static void block(hw_conv *j, int32_t first, int32_t n)
{
    const int32_t places = j->tile->rows * j->op->lanes;
    const int32_t spans = hw__cut(j, first, first + n);
    const size_t stride = stride_of(j);
    const hw_decoded *w = j->w;
    const int is_wide = j->t->bits > 14;

    if (!is_wide)
        fetch_block(j, spans, stride);
    for (int32_t i = 0; i < places; i++) {
        const int32_t channel = j->tile->channel[i];
        if (channel < 0)
            continue;
        if (is_wide)
            hw__wide_sums(j, i, 0, spans);
        else
            j->d->kernels->mac(j->d->scratch->sum, j->d->x, stride, w->at + w->first[i],
                               w->value + w->first[i], w->last[i] - w->first[i], n);
        if (j->c->flags & (DSCQ_CMD_ACC_KEEP | DSCQ_CMD_ACC_RESUME))
            keep_sums(j, i, first, n);
        if (!(j->c->flags & DSCQ_CMD_ACC_KEEP))
            hw__post(j, channel, spans);
    }
}

dscq_status hw__broadcast(hw_conv *j, dscq_error *err)
{
    const size_t pairs = ((size_t)j->tile->columns + 1) / 2;
    const size_t places = (size_t)j->tile->rows * (size_t)j->op->lanes;
    dscq_status status;

    DSCQ_TRY(hw__room(j->d, pairs * stride_of(j) + HW_SLACK, err));
    if (j->c->flags & (DSCQ_CMD_ACC_KEEP | DSCQ_CMD_ACC_RESUME))
        DSCQ_TRY(keep_room(j->d, places * j->pixels, err));
    for (int32_t p = j->c->first; p < j->c->last; p += HW_BLOCK)
        block(j, p, j->c->last - p < HW_BLOCK ? j->c->last - p : HW_BLOCK);
done:
    return status;
}
