/*
 * fast_rows.c - rows of a map with its padding.
 *
 * Only some rows are kept, in a buffer that stays in the first-level cache: new ones
 * are copied behind the last until it is full, then those still needed move to its
 * front.
 */
#include "fast.h"

#include <string.h>

enum { ROWS_BYTES = 12 * 1024 };

/* Rows that a window reaches over. */
static size_t span_of(const dscq_qnode *n)
{
    return (size_t)(n->weights->r - 1) * (size_t)n->dilation_h + 1;
}

static size_t row_bytes(const dscq_qnode *n, const dscq_qtensor *x)
{
    return (size_t)(x->w + n->pad_left + n->pad_right) * (size_t)x->c;
}

static size_t capacity_of(const dscq_qnode *n, const dscq_qtensor *x)
{
    const size_t all = (size_t)(x->h + n->pad_top + n->pad_bottom);
    const size_t some = ROWS_BYTES / row_bytes(n, x);
    const size_t least = 2 * span_of(n);
    const size_t rows = some > least ? some : least;

    return rows < all ? rows : all;
}

size_t infer__rows_bytes(const dscq_qnode *n, const dscq_qtensor *x)
{
    return fast_has_padding(n) ? capacity_of(n, x) * row_bytes(n, x) + FAST_SLACK : 0;
}

fast_rows infer__rows_open(const dscq_qnode *n, const dscq_qtensor *x,
                           const uint8_t *in, uint8_t *buffer)
{
    fast_rows w = {.in = in,
                   .x = x,
                   .bytes = row_bytes(n, x),
                   .left = (size_t)n->pad_left * (size_t)x->c,
                   .right = (size_t)n->pad_right * (size_t)x->c,
                   .top = (size_t)n->pad_top,
                   .capacity = capacity_of(n, x),
                   .span = span_of(n)};

    if (fast_has_padding(n))
        w.buffer = buffer;
    return w;
}

/* Row i of the padded map. */
static void make_row(const fast_rows *w, size_t i, uint8_t *to)
{
    const size_t inner = w->bytes - w->left - w->right;
    const int zero = fast_zero(w->x);

    if (i < w->top || i - w->top >= (size_t)w->x->h) {
        memset(to, zero, w->bytes);
        return;
    }
    memset(to, zero, w->left);
    memcpy(to + w->left, w->in + (i - w->top) * inner, inner);
    memset(to + w->left + inner, zero, w->right);
}

const uint8_t *infer__rows_at(fast_rows *w, size_t i)
{
    if (w->buffer == NULL)
        return w->in + i * w->bytes;
    if (i + w->span > w->first + w->capacity) {
        const size_t kept = w->end > i ? w->end - i : 0;

        memmove(w->buffer, w->buffer + (i - w->first) * w->bytes * (kept > 0),
                kept * w->bytes);
        w->first = i;
        w->end = i + kept;
    }
    for (; w->end < i + w->span; w->end++)
        make_row(w, w->end, w->buffer + (w->end - w->first) * w->bytes);
    return w->buffer + (i - w->first) * w->bytes;
}
