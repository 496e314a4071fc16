/* What commands do to bytes: rings in the activation buffer, the array's sums, the
 * post-processor's integer rules (docs/arithmetic.md section 3). Written for the
 * machine alone: shares nothing with the reference that it is compared with. */
#include "dscq/base/alloc.h"
#include "hw_internal.h"

#include <assert.h>
#include <string.h>

enum { CHUNK = 64, COLUMN_BUDGET = 1 << 18 };

dscq_status hw__data_init(hw_data *d, const dscq_program *p, int64_t act_bytes,
                          int capture, dscq_error *err)
{
    memset(d, 0, sizeof *d);
    d->p = p;
    d->act = dscq_calloc((size_t)act_bytes + 8, 1);
    d->dram = dscq_calloc((size_t)(p->dram_bytes - p->image_bytes) + 8, 1);
    d->captured = dscq_calloc((size_t)p->tensor_count, sizeof *d->captured);
    d->tile = dscq_malloc(CHUNK, sizeof *d->tile);
    if (d->act == NULL || d->dram == NULL || d->captured == NULL || d->tile == NULL)
        return dscq_fail_nomem(err, "the machine's memories",
                               (unsigned long long)act_bytes + p->dram_bytes);
    for (int32_t i = 0; capture && i < p->tensor_count; i++) {
        const dscq_hw_tensor *t = &p->tensor[i];
        d->captured[i] = dscq_calloc((size_t)t->h * (size_t)t->w,
                                     (size_t)t->c * (size_t)t->elem_bytes);
        if (d->captured[i] == NULL)
            return dscq_fail_nomem(err, "captured tensors",
                                   (unsigned long long)t->h * (unsigned)t->w *
                                       (unsigned)t->c);
    }
    return DSCQ_OK;
}

void hw__data_clear(hw_data *d)
{
    for (int32_t i = 0; d->captured != NULL && i < d->p->tensor_count; i++)
        dscq_free(d->captured[i]);
    dscq_free(d->captured);
    dscq_free(d->act);
    dscq_free(d->dram);
    dscq_free(d->acc);
    dscq_free(d->tile);
    dscq_free(d->columns);
    dscq_free(d->wide);
    memset(d, 0, sizeof *d);
}

/* Address of a pixel of a tensor in the modelled DRAM. */
static uint8_t *dram_at(const hw_data *d, const dscq_hw_tensor *t, int32_t frame,
                        int32_t y, int32_t c, int32_t x)
{
    const uint64_t line = (uint64_t)y * (uint64_t)t->c + (uint64_t)c;
    const uint64_t at = t->dram_addr + t->dram_frame * (uint64_t)frame +
                        (line * (uint64_t)t->w + (uint64_t)x) * (uint64_t)t->elem_bytes;

    return d->dram + (at - d->p->image_bytes);
}

void hw__data_load(hw_data *d, const dscq_hw_cmd *c)
{
    const dscq_hw_ring *r = &d->p->ring[c->ring];
    const dscq_hw_tensor *t = &d->p->tensor[r->tensor];
    const size_t bytes = (size_t)r->width * (size_t)t->elem_bytes;

    for (int32_t y = c->first; y < c->last; y++)
        for (int32_t ch = r->c0; ch < r->c0 + r->c_count; ch++)
            memcpy(hw__line(d, r, y, ch), dram_at(d, t, c->frame, y, ch, r->x0), bytes);
}

void hw__data_store(hw_data *d, const dscq_hw_cmd *c)
{
    const dscq_hw_ring *r = &d->p->ring[c->ring];
    const dscq_hw_tensor *t = &d->p->tensor[r->tensor];
    const size_t bytes = (size_t)r->width * (size_t)t->elem_bytes;

    for (int32_t y = c->first; y < c->last; y++)
        for (int32_t ch = r->c0; ch < r->c0 + r->c_count; ch++)
            memcpy(dram_at(d, t, c->frame, y, ch, r->x0), hw__line(d, r, y, ch), bytes);
}

void hw__data_input(hw_data *d, int32_t tensor, int32_t frame, const void *codes)
{
    const dscq_hw_tensor *t = &d->p->tensor[tensor];
    const size_t eb = (size_t)t->elem_bytes;
    const uint8_t *from = codes;

    for (int32_t y = 0; y < t->h; y++)
        for (int32_t x = 0; x < t->w; x++)
            for (int32_t c = 0; c < t->c; c++) {
                const size_t i =
                    ((size_t)y * (size_t)t->w + (size_t)x) * (size_t)t->c + (size_t)c;
                memcpy(dram_at(d, t, frame, y, c, x), from + i * eb, eb);
            }
    if (d->captured[tensor] != NULL)
        memcpy(d->captured[tensor], codes,
               (size_t)t->h * (size_t)t->w * (size_t)t->c * eb);
}

void hw__data_output(const hw_data *d, int32_t tensor, int32_t frame, void *codes)
{
    const dscq_hw_tensor *t = &d->p->tensor[tensor];
    const size_t eb = (size_t)t->elem_bytes;
    uint8_t *to = codes;

    for (int32_t y = 0; y < t->h; y++)
        for (int32_t x = 0; x < t->w; x++)
            for (int32_t c = 0; c < t->c; c++) {
                const size_t i =
                    ((size_t)y * (size_t)t->w + (size_t)x) * (size_t)t->c + (size_t)c;
                memcpy(to + i * eb, dram_at(d, t, frame, y, c, x), eb);
            }
}

/* A run of a command's pixels inside one output row. */
typedef struct span {
    int32_t y, x, at, n; /* output row, first column, place in the chunk, pixels */
} span;

/* Cut [first, last) of a ring's flattened pixels into rows. */
static int32_t cut(span *out, const dscq_hw_ring *r, int32_t first, int32_t last)
{
    int32_t n = 0;

    for (int32_t p = first; p < last;) {
        const int32_t x = p % r->width;
        const int32_t run = r->width - x < last - p ? r->width - x : last - p;
        out[n++] = (span){p / r->width, r->x0 + x, p - first, run};
        p += run;
    }
    return n;
}

typedef struct taps {
    const hw_data *d;
    const dscq_hw_op *op;
    const dscq_hw_ring *in;
    const dscq_hw_tensor *t;
} taps;

/* Codes minus zero point under kernel position (r, s) for one span; padding gives 0.
 * `narrow` or `wide` gets them. */
static void fetch_span(const taps *k, const span *sp, int32_t r, int32_t s, int32_t c,
                       int16_t *narrow, int32_t *wide)
{
    const dscq_hw_op *op = k->op;
    const int32_t iy = sp->y * op->stride_h - op->pad_top + r * op->dilation_h;
    const int32_t ix = sp->x * op->stride_w - op->pad_left + s * op->dilation_w;
    const int32_t sw = op->stride_w, z = k->t->zero_point, eb = k->t->elem_bytes;
    int32_t a = 0, b = sp->n;

    if (iy < 0 || iy >= k->t->h)
        b = 0;
    while (a < b && ix + a * sw < 0)
        a++;
    while (b > a && ix + (b - 1) * sw >= k->t->w)
        b--;
    if (a > 0 || b < sp->n) { /* padding */
        if (narrow != NULL)
            memset(narrow, 0, (size_t)sp->n * sizeof *narrow);
        else
            memset(wide, 0, (size_t)sp->n * sizeof *wide);
    }
    if (a >= b)
        return;
    const uint8_t *line = hw__line(k->d, k->in, iy, c) + (ix - k->in->x0) * eb;
    if (narrow != NULL && eb == 1 && k->t->is_signed && sw == 1) {
        hw__widen(narrow + a, line + a, b - a, z);
    } else if (narrow != NULL && eb == 1 && k->t->is_signed) {
        for (int32_t i = a; i < b; i++)
            narrow[i] = (int16_t)((int8_t)line[i * sw] - z);
    } else if (narrow != NULL && eb == 1) {
        for (int32_t i = a; i < b; i++)
            narrow[i] = (int16_t)(line[i * sw] - z);
    } else if (narrow != NULL) {
        for (int32_t i = a; i < b; i++)
            narrow[i] = (int16_t)(hw__get(k->t, line + i * sw * eb) - z);
    } else {
        for (int32_t i = a; i < b; i++)
            wide[i] = hw__get(k->t, line + i * sw * eb) - z;
    }
}

/* docs/arithmetic.md section 3: scale, bias, leaky, clamp. */
static inline int32_t requantise(const dscq_hw_op *op, int32_t acc, int32_t m,
                                 int32_t shift, int32_t bias, int32_t zero)
{
    int64_t u = ((int64_t)acc * m >> shift) + bias;

    if (op->is_leaky && u < 0)
        u = u * op->slope_q15 >> 15;
    u = zero + ((u + 128) >> 8);
    if (u < op->clamp_lo)
        return op->clamp_lo;
    return u > op->clamp_hi ? op->clamp_hi : (int32_t)u;
}

static inline int32_t residual(const dscq_hw_op *op, int32_t own, int32_t other)
{
    int64_t u = ((int64_t)(own - op->res_zero_self) * op->res_m_self +
                 (int64_t)(other - op->res_zero_other) * op->res_m_other) >>
                op->res_shift;

    if (op->res_is_leaky && u < 0)
        u = u * op->res_slope_q15 >> 15;
    u = op->res_zero_out + ((u + 128) >> 8);
    if (u < op->res_lo)
        return op->res_lo;
    return u > op->res_hi ? op->res_hi : (int32_t)u;
}

/* One channel of one span through the post-processor into the output ring. */
static void post_span(hw_data *d, const dscq_hw_cmd *c, const span *sp, int32_t channel,
                      const int32_t *sum)
{
    const dscq_hw_op *op = &d->p->op[c->op];
    const dscq_hw_ring *r = &d->p->ring[c->ring];
    const dscq_hw_tensor *t = &d->p->tensor[op->out];
    const int32_t m = op->mult[channel], shift = op->shift[channel],
                  bias = op->bias[channel];
    const int32_t zero = op->has_residual ? op->res_zero_self : t->zero_point;
    uint8_t *line = hw__line(d, r, sp->y, channel) + (sp->x - r->x0) * t->elem_bytes;
    const dscq_hw_ring *other = NULL;
    const dscq_hw_tensor *other_t = NULL;
    const uint8_t *other_line = NULL;

    if (op->has_residual) {
        other = &d->p->ring[c->ring_in[1]];
        other_t = &d->p->tensor[other->tensor];
        other_line = hw__line(d, other, sp->y, channel) +
                     (sp->x - other->x0) * other_t->elem_bytes;
    }
    for (int32_t i = 0; i < sp->n; i++) {
        int32_t y = requantise(op, sum[i], m, shift, bias, zero);
        if (other != NULL)
            y = residual(op, y, hw__get(other_t, other_line + i * other_t->elem_bytes));
        hw__put(t, line + i * t->elem_bytes, y);
    }
    if (d->captured[op->out] == NULL)
        return;
    for (int32_t i = 0; i < sp->n; i++) {
        const size_t at =
            ((size_t)sp->y * (size_t)t->w + (size_t)(sp->x + i)) * (size_t)t->c +
            (size_t)channel;
        memcpy(d->captured[op->out] + at * (size_t)t->elem_bytes,
               line + i * t->elem_bytes, (size_t)t->elem_bytes);
    }
}

/* Sums kept across commands (K-split): place i, pixel of the command. */
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

typedef struct conv_job {
    hw_data *d;
    const dscq_hw_cmd *c;
    const hw_decoded *w;
    const dscq_hw_wtile *tile;
    taps in;
    int is_wide;
    size_t stride; /* pixels of a column, padded */
    size_t pixels; /* of the output ring's columns, all rows */
    span *spans;
} conv_job;

static dscq_status grow_columns(conv_job *j, size_t count, dscq_error *err)
{
    hw_data *d = j->d;

    if (j->is_wide ? count <= d->wide_count : count <= d->columns_count)
        return DSCQ_OK;
    if (j->is_wide) {
        dscq_free(d->wide);
        d->wide_count = 0;
        d->wide = dscq_calloc(count, sizeof *d->wide);
        d->wide_count = d->wide != NULL ? count : 0;
    } else {
        dscq_free(d->columns);
        d->columns_count = 0;
        d->columns = dscq_calloc(count, sizeof *d->columns);
        d->columns_count = d->columns != NULL ? count : 0;
    }
    if (j->is_wide ? d->wide == NULL : d->columns == NULL)
        return dscq_fail_nomem(err, "column vectors", count * 4ULL);
    return DSCQ_OK;
}

/* The columns of `n` pixels, one after another. */
static void fetch_columns(conv_job *j, int32_t spans)
{
    const dscq_hw_wtile *t = j->tile;

    for (int32_t col = 0; col < j->w->columns; col++) {
        const int32_t k = j->w->column[col];
        const int32_t c = t->c_first + k % t->c_count;
        const int32_t rs = k / t->c_count;
        const int32_t r = rs / j->in.op->kernel_w, s = rs % j->in.op->kernel_w;
        const size_t at = (size_t)col * j->stride;
        for (int32_t i = 0; i < spans; i++) {
            const span *sp = &j->spans[i];
            fetch_span(&j->in, sp, r, s, c,
                       j->is_wide ? NULL : j->d->columns + at + (size_t)sp->at,
                       j->is_wide ? j->d->wide + at + (size_t)sp->at : NULL);
        }
    }
}

static void wide_sums(const conv_job *j, uint32_t first, uint32_t last, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        int32_t s = 0;
        for (uint32_t e = first; e < last; e++)
            s +=
                j->w->value[e] * j->d->wide[(size_t)j->w->k[e] * j->stride + (size_t)i];
        j->d->tile[i] = s;
    }
}

static void sums_of_block(conv_job *j, int32_t place, int32_t first_pixel, int32_t n)
{
    const uint32_t first = j->w->first[place], last = j->w->first[place + 1];
    const int flags = j->c->flags;
    int32_t *tile = j->d->tile;

    if (j->is_wide)
        wide_sums(j, first, last, n);
    else
        hw__mac_narrow(tile, j->d->columns, j->stride, j->w->k + first,
                       j->w->value + first, last - first, n);
    if (flags & (DSCQ_CMD_ACC_KEEP | DSCQ_CMD_ACC_RESUME)) {
        int32_t *kept = j->d->acc + (size_t)place * j->pixels + (size_t)first_pixel;
        for (int32_t i = 0; i < n; i++) {
            if (flags & DSCQ_CMD_ACC_RESUME)
                tile[i] += kept[i];
            kept[i] = tile[i];
        }
    }
}

/* Pixels [first, first + n), n <= 64, of every channel of the tile. */
static void broadcast_block(conv_job *j, int32_t first, int32_t n)
{
    const dscq_hw_ring *r = &j->d->p->ring[j->c->ring];
    const int32_t places = j->tile->rows * j->in.op->lanes;
    const int32_t spans = cut(j->spans, r, first, first + n);

    fetch_columns(j, spans);
    for (int32_t i = 0; i < places; i++) {
        const int32_t channel = j->tile->channel[i];
        if (channel < 0)
            continue;
        sums_of_block(j, i, first, n);
        if (j->c->flags & DSCQ_CMD_ACC_KEEP)
            continue;
        for (int32_t s = 0; s < spans; s++)
            post_span(j->d, j->c, &j->spans[s], channel, j->d->tile + j->spans[s].at);
    }
}

/* One channel, one span, kernel taps one after another. */
static void depthwise_span(conv_job *j, int32_t place, const span *sp,
                           int32_t channel_in, int32_t *sum)
{
    const int32_t kw = j->in.op->kernel_w;
    int32_t x[CHUNK];
    int16_t narrow[CHUNK];

    memset(sum, 0, (size_t)sp->n * sizeof *sum);
    for (uint32_t e = j->w->first[place]; e < j->w->first[place + 1]; e++) {
        const int32_t k = j->w->k[e], v = j->w->value[e];
        if (j->is_wide) {
            fetch_span(&j->in, sp, k / kw, k % kw, channel_in, NULL, x);
            for (int32_t i = 0; i < sp->n; i++)
                sum[i] += v * x[i];
            continue;
        }
        fetch_span(&j->in, sp, k / kw, k % kw, channel_in, narrow, NULL);
        for (int32_t i = 0; i < sp->n; i++)
            sum[i] += v * narrow[i];
    }
}

static void depthwise_block(conv_job *j, int32_t first, int32_t n)
{
    const dscq_hw_ring *r = &j->d->p->ring[j->c->ring];
    const int32_t places = j->tile->rows * j->in.op->lanes;
    const int32_t spans = cut(j->spans, r, first, first + n);

    for (int32_t i = 0; i < places; i++) {
        const int32_t channel = j->tile->channel[i];
        if (channel < 0)
            continue;
        for (int32_t s = 0; s < spans; s++) {
            depthwise_span(j, i, &j->spans[s], channel, j->d->tile);
            post_span(j->d, j->c, &j->spans[s], channel, j->d->tile);
        }
    }
}

dscq_status hw__data_compute(hw_data *d, const dscq_hw_cmd *c, const hw_decoded *w,
                             dscq_error *err)
{
    const dscq_hw_op *op = &d->p->op[c->op];
    span spans[CHUNK];

    if (w == NULL) {
        hw__data_vector(d, c);
        return DSCQ_OK;
    }
    conv_job j = {.d = d,
                  .c = c,
                  .w = w,
                  .tile = &d->p->wtile[c->wtile],
                  .in = {d, op, &d->p->ring[c->ring_in[0]], &d->p->tensor[op->in[0]]},
                  .stride = CHUNK,
                  .pixels = (size_t)d->p->ring[c->ring].width *
                            (size_t)d->p->tensor[op->out].h,
                  .spans = spans};
    j.is_wide = j.in.t->bits > 14;
    if (op->mode == DSCQ_HW_BROADCAST &&
        grow_columns(&j, (size_t)w->columns * CHUNK, err) != DSCQ_OK)
        return DSCQ_NOMEM;
    if (c->flags & (DSCQ_CMD_ACC_KEEP | DSCQ_CMD_ACC_RESUME)) {
        const size_t places = (size_t)j.tile->rows * (size_t)op->lanes;
        if (keep_room(d, places * j.pixels, err) != DSCQ_OK)
            return DSCQ_NOMEM;
    }
    for (int32_t p = c->first; p < c->last; p += CHUNK) {
        const int32_t n = c->last - p < CHUNK ? c->last - p : CHUNK;
        if (op->mode == DSCQ_HW_BROADCAST)
            broadcast_block(&j, p, n);
        else
            depthwise_block(&j, p, n);
    }
    return DSCQ_OK;
}
