/* What broadcast and depthwise commands read of their inputs. */
#include "datapath_internal.h"
#include "dscq/base/alloc.h"

#include <string.h>

int32_t hw__cut(hw_conv *j, int32_t first, int32_t last)
{
    const dscq_hw_ring *r = j->out;
    int32_t n = 0;

    for (int32_t p = first; p < last;) {
        const int32_t x = p % r->width;
        const int32_t run = r->width - x < last - p ? r->width - x : last - p;
        j->d->scratch->span[n++] = (hw_span){p / r->width, r->x0 + x, p - first, run};
        p += run;
    }
    return n;
}

dscq_status hw__room(hw_data *d, size_t count, dscq_error *err)
{
    if (count <= d->x_count)
        return DSCQ_OK;
    dscq_free(d->x);
    d->x = dscq_calloc(count, sizeof *d->x);
    d->x_count = d->x != NULL ? count : 0;
    if (d->x == NULL)
        return dscq_fail_nomem(err, "input vectors", count * 4ULL);
    return DSCQ_OK;
}

/* Codes minus zero point in [a, b) of a span, `step` bytes apart. */
static void widen(const dscq_hw_tensor *t, const uint8_t *line, int32_t step, int32_t a,
                  int32_t b, int16_t *to)
{
    const int32_t z = t->zero_point;

    if (t->elem_bytes == 2)
        for (int32_t i = a; i < b; i++)
            to[i] = (int16_t)(hw__get(t, line + i * step) - z);
    else if (t->is_signed)
        for (int32_t i = a; i < b; i++)
            to[i] = (int16_t)((int8_t)line[i * step] - z);
    else
        for (int32_t i = a; i < b; i++)
            to[i] = (int16_t)(line[i * step] - z);
}

void hw__fetch(const hw_conv *j, const hw_span *sp, int32_t r, int32_t s,
               int32_t channel, int16_t *to)
{
    const dscq_hw_op *op = j->op;
    const int32_t iy = sp->y * op->stride_h - op->pad_top + r * op->dilation_h;
    const int32_t ix = sp->x * op->stride_w - op->pad_left + s * op->dilation_w;
    const int32_t sw = op->stride_w, eb = j->t->elem_bytes;
    int32_t a = 0, b = sp->n;

    if (iy < 0 || iy >= j->t->h)
        b = 0;
    while (a < b && ix + a * sw < 0)
        a++;
    while (b > a && ix + (b - 1) * sw >= j->t->w)
        b--;
    if (a > 0 || b < sp->n) /* padding */
        memset(to, 0, (size_t)sp->n * sizeof *to);
    if (a < b)
        widen(j->t, hw__line(j->d, j->in, iy, channel) + (ix - j->in->x0) * eb, sw * eb,
              a, b, to);
}
