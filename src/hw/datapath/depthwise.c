/* Depthwise mode: a channel's rows become rows of pairs of neighbouring taps, so that
 * a tap row of the kernel is (taps + 1) / 2 products a pixel. */
#include "datapath_internal.h"
#include "dscq/base/alloc.h"

#include <string.h>

/* Rows of pairs of one channel: pair q of kernel row r stands for output column x at
 * row(input row)[plane(q) + x]. At strides 1 and 2 all q share one plane. */
typedef struct rows {
    int32_t y0;     /* input row of the first */
    int32_t count;  /* rows */
    int32_t width;  /* pairs of one plane */
    int32_t planes; /* of one row */
    int32_t line;   /* codes of a row that are needed, padding included */
    int32_t x0;     /* input column of the first code */
    int32_t is_shared;
    size_t stride; /* pairs of a row, all planes */
} rows;

static rows shape_of(const hw_conv *j)
{
    const dscq_hw_op *op = j->op;
    rows r = {0};

    r.is_shared = op->dilation_w == 1 && op->stride_w <= 2 && j->t->elem_bytes == 1;
    r.planes = r.is_shared ? 1 : j->w->row_pairs;
    r.width = j->out->width;
    if (r.is_shared)
        r.width += op->stride_w == 1 ? 2 * (j->w->row_pairs - 1) : j->w->row_pairs - 1;
    r.x0 = j->out->x0 * op->stride_w - op->pad_left;
    r.line = r.is_shared ? (r.width - 1) * op->stride_w + 2
                         : (r.width - 1) * op->stride_w +
                               (2 * j->w->row_pairs - 1) * op->dilation_w + 1;
    r.stride = (size_t)r.width * (size_t)r.planes;
    return r;
}

/* Codes that lie on the map, and on the ring's columns, of the line at row y. */
static void fill_line(const hw_conv *j, const rows *r, int32_t y, int32_t channel)
{
    const int32_t eb = j->t->elem_bytes;
    int32_t a = r->x0 < j->in->x0 ? j->in->x0 - r->x0 : 0;
    int32_t b = j->in->x0 + j->in->width - r->x0;

    b = b < r->line ? b : r->line;
    if (a < b)
        hw__copy(j->line + a * eb,
                 hw__line(j->d, j->in, y, channel) + (r->x0 + a - j->in->x0) * eb,
                 (b - a) * eb);
}

/* One plane of a row at any stride and dilation. */
static void pair_plane(const hw_conv *j, const rows *r, int32_t q, int32_t *to)
{
    const dscq_hw_op *op = j->op;
    const int32_t eb = j->t->elem_bytes, z = j->t->zero_point;

    for (int32_t x = 0; x < r->width; x++) {
        const uint8_t *even =
            j->line + (x * op->stride_w + 2 * q * op->dilation_w) * eb;
        const uint32_t lo = (uint32_t)(hw__get(j->t, even) - z);
        const uint32_t hi = (uint32_t)(hw__get(j->t, even + op->dilation_w * eb) - z);
        to[x] = (int32_t)((lo & 0xffff) | hi << 16);
    }
}

static void pair_row(const hw_conv *j, const rows *r, int32_t y, int32_t channel,
                     int32_t *to)
{
    if (y < 0 || y >= j->t->h) {
        memset(to, 0, r->stride * sizeof *to);
        return;
    }
    fill_line(j, r, y, channel);
    if (!r->is_shared) {
        for (int32_t q = 0; q < r->planes; q++)
            pair_plane(j, r, q, to + q * r->width);
        return;
    }
    static const uint32_t k_first = 0;
    const int32_t flip = j->t->is_signed ? 0 : 128;
    const hw_pair_source from = {.even = j->line,
                                 .odd = j->line + 1,
                                 .flip = (uint8_t)flip,
                                 .zero = (int16_t)(j->t->zero_point - flip)};
    if (j->op->stride_w == 2)
        j->d->kernels->pair_next(to, &from, r->width);
    else
        j->d->kernels->pair_up(to, 0, &from, &k_first, 1, r->width);
}

/* Where each pair of a channel is, from the first row of a window. */
static void place_pairs(const hw_conv *j, const rows *r, int32_t place)
{
    const hw_decoded *w = j->w;
    uint32_t *to = j->offset;

    for (uint32_t e = w->first[place]; e < w->last[place]; e++) {
        const size_t kr = w->at[e] / (uint32_t)w->row_pairs;
        const size_t q = w->at[e] % (uint32_t)w->row_pairs;
        const size_t x = !r->is_shared          ? q * (size_t)r->width
                         : j->op->stride_w == 1 ? 2 * q
                                                : q;
        *to++ = (uint32_t)(kr * (size_t)j->op->dilation_h * r->stride + x);
    }
}

static void sums(const hw_conv *j, const rows *r, int32_t place, int32_t spans)
{
    const hw_decoded *w = j->w;
    struct hw_scratch *s = j->d->scratch;
    const uint32_t first = w->first[place];

    for (int32_t i = 0; i < spans; i++) {
        const hw_span *sp = &s->span[i];
        const int32_t row = sp->y * j->op->stride_h - j->op->pad_top - r->y0;
        const int32_t *x = j->d->x + (size_t)row * r->stride + (sp->x - j->out->x0);
        for (int32_t k = 0; k < sp->n; k += HW_BLOCK)
            j->d->kernels->mac(s->sum + sp->at + k, x + k, 1, j->offset,
                               w->value + first, w->last[place] - first,
                               sp->n - k < HW_BLOCK ? sp->n - k : HW_BLOCK);
    }
}

/* Pixels [first, last), at most HW_CHUNK, of every channel of the tile. */
static dscq_status chunk(hw_conv *j, rows *r, int32_t first, int32_t last,
                         dscq_error *err)
{
    const dscq_hw_op *op = j->op;
    const int32_t spans = hw__cut(j, first, last);
    const int32_t y0 = j->d->scratch->span[0].y;
    const int32_t y1 = j->d->scratch->span[spans - 1].y;
    const int is_wide = j->t->bits > 14;

    r->y0 = y0 * op->stride_h - op->pad_top;
    r->count = (y1 - y0) * op->stride_h + (op->kernel_h - 1) * op->dilation_h + 1;
    if (hw__room(j->d, (size_t)r->count * r->stride + HW_BLOCK, err) != DSCQ_OK)
        return DSCQ_NOMEM;
    for (int32_t i = 0; i < j->tile->rows * op->lanes; i++) {
        const int32_t channel = j->tile->channel[i];
        if (channel < 0)
            continue;
        if (is_wide) {
            hw__wide_sums(j, i, channel, spans);
        } else {
            for (int32_t y = 0; y < r->count; y++)
                pair_row(j, r, r->y0 + y, channel, j->d->x + (size_t)y * r->stride);
            place_pairs(j, r, i);
            sums(j, r, i, spans);
        }
        hw__post(j, channel, spans);
    }
    return DSCQ_OK;
}

dscq_status hw__depthwise(hw_conv *j, dscq_error *err)
{
    rows r = shape_of(j);
    const size_t bytes = (size_t)r.line * (size_t)j->t->elem_bytes;
    const size_t pairs = (size_t)j->op->kernel_h * (size_t)j->w->row_pairs;
    dscq_status status = DSCQ_OK;

    j->line = dscq_malloc(bytes + HW_BLOCK, 1);
    j->offset = dscq_malloc(pairs, sizeof *j->offset);
    if (j->line == NULL || j->offset == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "a line of inputs", bytes));
    const dscq_hw_tensor edge = *j->t; /* the padding holds the zero point's code */
    for (int32_t x = 0; x < r.line; x++)
        hw__put(&edge, j->line + x * edge.elem_bytes, edge.zero_point);
    memset(j->line + bytes, 0, HW_BLOCK);
    for (int32_t p = j->c->first; p < j->c->last; p += HW_CHUNK)
        DSCQ_TRY(chunk(j, &r, p, j->c->last - p < HW_CHUNK ? j->c->last : p + HW_CHUNK,
                       err));
done:
    dscq_free(j->line);
    dscq_free(j->offset);
    return status;
}
