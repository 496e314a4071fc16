/*
 * Weights as they lie in the file: decoded when they are asked for, one layer at a
 * time, so that a network that was read takes its file and no more.
 */
#include "dscq/base/alloc.h"
#include "encoding.h"
#include "pack_internal.h"

/* The payload was decoded once when it was read, so a fault can only be memory's. high:
 * the marks of a binary layer, [block_count]. */
static dscq_status decode(uint16_t *codes, const dscq_qweights *w, uint8_t *high,
                          const char **fault, dscq_error *err)
{
    pack_reader r = {w->packed, w->packed_bytes, 0, NULL};
    pack_layer l;

    pack__layer_of(&l, w);
    l.block_high = high;
    const dscq_status status =
        pack__encoding(w->packed_encoding)->decode(codes, &l, w->packed_arg, &r, err);
    *fault = r.bad;
    return status;
}

dscq_status pack__packed_codes(const dscq_qweights *w, uint16_t *codes, dscq_error *err)
{
    const char *fault;
    uint8_t *high = NULL;

    if (w->form == DSCQ_FORM_BINARY) {
        high = dscq_malloc(w->block_count, 1);
        if (high == NULL)
            return dscq_fail_nomem(err, "binary blocks", w->block_count);
    }
    dscq_status status = decode(codes, w, high, &fault, err);
    if (status == DSCQ_OK && fault != NULL)
        status = dscq_fail(err, DSCQ_INTERNAL, "packed weights changed: %s", fault);
    dscq_free(high);
    return status;
}

static int values_from_book(int16_t *v, const dscq_qweights *w)
{
    uint32_t bad = 0;

    for (size_t i = 0; i < w->count; i++)
        bad |= (uint16_t)v[i] >= w->codebook_count;
    for (size_t i = 0; i < w->count && !bad; i++)
        v[i] = w->codebook[v[i]];
    return !bad;
}

static void values_from_numbers(int16_t *v, const dscq_qweights *w)
{
    const int shift = 16 - w->bits; /* the sign of a b-bit number */

    for (size_t i = 0; i < w->count; i++)
        v[i] = (int16_t)((int16_t)(uint16_t)((uint32_t)(uint16_t)v[i] << shift) /
                         (1 << shift));
}

static void values_from_signs(int16_t *v, const dscq_qweights *w)
{
    const size_t per = w->count / (size_t)w->k;
    const size_t blocks = w->block_count / (size_t)w->k;

    for (size_t i = 0; i < w->count; i++) {
        const size_t k = i / per, b = k * blocks + i % per / (size_t)w->block;
        v[i] = (int16_t)(w->block_high[b] ? (int8_t)(uint8_t)v[i]
                                          : (v[i] != 0 ? -w->level[k] : w->level[k]));
    }
}

/* Codes to values, in place: both have 16 bits. 0: a code that stands for nothing. */
static int values_from_codes(int16_t *v, const dscq_qweights *w)
{
    if (w->form == DSCQ_FORM_CODEBOOK)
        return values_from_book(v, w);
    if (w->form == DSCQ_FORM_LINEAR)
        values_from_numbers(v, w);
    else
        values_from_signs(v, w);
    return 1;
}

static dscq_status make_values(int16_t **out, const dscq_qweights *w, uint8_t *high,
                               const char **fault, dscq_error *err)
{
    int16_t *v = dscq_malloc(w->count, sizeof *v);

    *out = NULL;
    if (v == NULL)
        return dscq_fail_nomem(err, "weights", w->count * sizeof *v);
    const dscq_status status = decode((uint16_t *)v, w, high, fault, err);
    if (status == DSCQ_OK && *fault == NULL && !values_from_codes(v, w))
        *fault = "a code outside the codebook";
    if (status != DSCQ_OK || *fault != NULL)
        dscq_free(v);
    else
        *out = v;
    return status;
}

dscq_status dscq_qweights_open(dscq_qweights *out, const dscq_qweights *w,
                               dscq_error *err)
{
    const char *fault;
    uint8_t *high = NULL;

    *out = *w;
    if (w->value != NULL)
        return DSCQ_OK;
    if (w->form == DSCQ_FORM_BINARY) {
        high = dscq_malloc(w->block_count, 1);
        if (high == NULL)
            return dscq_fail_nomem(err, "binary blocks", w->block_count);
    }
    dscq_status status = make_values(&out->value, w, high, &fault, err);
    if (status == DSCQ_OK && fault != NULL)
        status = dscq_fail(err, DSCQ_INTERNAL, "packed weights changed: %s", fault);
    dscq_free(high);
    return status;
}

void dscq_qweights_close(dscq_qweights *out, const dscq_qweights *w)
{
    if (out->value != w->value)
        dscq_free(out->value);
    out->value = NULL;
}

dscq_status pack__check_packed(const dscq_qmodel *m, dscq_qnode *n, dscq_error *err)
{
    dscq_qweights *w = n->weights;
    const char *fault;

    dscq_status status = make_values(&w->value, w, w->block_high, &fault, err);
    if (status != DSCQ_OK)
        return dscq_fail_at(err, "node '%s'", n->name);
    if (fault != NULL)
        return dscq_fail(err, DSCQ_FORMAT, "node '%s': %s", n->name, fault);
    status = pack__check_values(m, n, err);
    w->packed_nonzero = dscq_qweights_nonzero(w);
    dscq_free(w->value);
    w->value = NULL;
    return status;
}
