/* Weights of a node: values to codes and back, decoded when they are asked for, one
 * layer at a time, so that a network that was read takes its file and no more. */
#include "dscq/base/alloc.h"
#include "qnet_internal.h"

/* A binary layer's codes mean something with the marks of its blocks only. */
static dscq_status new_marks(uint8_t **high, const dscq_qweights *w, dscq_error *err)
{
    *high = NULL;
    if (w->form != DSCQ_FORM_BINARY)
        return DSCQ_OK;
    *high = dscq_malloc(w->block_count, 1);
    return *high != NULL ? DSCQ_OK
                         : dscq_fail_nomem(err, "binary blocks", w->block_count);
}

/* They were decoded once when they were read. */
static dscq_status changed(const char *fault, dscq_error *err)
{
    return dscq_fail(err, DSCQ_INTERNAL, "packed weights changed: %s", fault);
}

static dscq_status packed_codes(const dscq_qweights *w, uint16_t *codes,
                                dscq_error *err)
{
    const char *fault = NULL;
    uint8_t *high;
    dscq_status status;

    DSCQ_TRY(new_marks(&high, w, err));
    status = w->decode(codes, w, high, &fault, err);
    if (status == DSCQ_OK && fault != NULL)
        status = changed(fault, err);
    dscq_free(high);
done:
    return status;
}

static int32_t code_of_value(const dscq_qweights *w, int32_t value)
{
    for (int32_t i = 0; i < w->codebook_count; i++)
        if (w->codebook[i] == value)
            return i;
    return 0;
}

/* 8-bit entries are looked up in a table: layers have millions of weights. */
static void codes_from_book(const dscq_qweights *w, uint16_t *codes)
{
    uint8_t near[256] = {0};

    for (int32_t i = w->codebook_count - 1; i >= 0; i--)
        if (w->codebook[i] >= -128 && w->codebook[i] <= 127)
            near[w->codebook[i] + 128] = (uint8_t)i;
    for (size_t i = 0; i < w->count; i++) {
        const int32_t v = w->value[i];
        codes[i] =
            (uint16_t)(v >= -128 && v <= 127 ? near[v + 128] : code_of_value(w, v));
    }
}

static void codes_binary(const dscq_qweights *w, uint16_t *codes)
{
    for (size_t i = 0; i < w->count; i++)
        codes[i] = w->block_high[dscq_qweights_block(w, i)] ? (uint8_t)w->value[i]
                                                            : w->value[i] < 0;
}

dscq_status dscq_qweights_codes(const dscq_qweights *w, uint16_t *codes,
                                dscq_error *err)
{
    const uint32_t mask = (1U << w->bits) - 1;

    if (w->value == NULL)
        return packed_codes(w, codes, err);
    if (w->form == DSCQ_FORM_CODEBOOK)
        codes_from_book(w, codes);
    else if (w->form == DSCQ_FORM_BINARY)
        codes_binary(w, codes);
    else
        for (size_t i = 0; i < w->count; i++)
            codes[i] = (uint16_t)((uint32_t)w->value[i] & mask);
    return DSCQ_OK;
}

size_t dscq_qweights_nonzero(const dscq_qweights *w)
{
    size_t n = 0;

    if (w->value == NULL)
        return w->packed_nonzero;
    for (size_t i = 0; i < w->count; i++)
        n += w->value[i] != 0;
    return n;
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

    for (size_t i = 0; i < w->count; i++) {
        const int16_t level = w->level[i / per];
        v[i] = (int16_t)(w->block_high[dscq_qweights_block(w, i)]
                             ? (int8_t)(uint8_t)v[i]
                             : (v[i] != 0 ? -level : level));
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
    const dscq_status status = w->decode((uint16_t *)v, w, high, fault, err);
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
    const char *fault = NULL;
    uint8_t *high;
    dscq_status status;

    *out = *w;
    if (w->value != NULL)
        return DSCQ_OK;
    DSCQ_TRY(new_marks(&high, w, err));
    status = make_values(&out->value, w, high, &fault, err);
    if (status == DSCQ_OK && fault != NULL)
        status = changed(fault, err);
    dscq_free(high);
done:
    return status;
}

void dscq_qweights_close(dscq_qweights *out, const dscq_qweights *w)
{
    if (out->value != w->value)
        dscq_free(out->value);
    out->value = NULL;
}

dscq_status dscq_qweights_check(const dscq_qmodel *m, dscq_qnode *n, dscq_error *err)
{
    dscq_qweights *w = n->weights;
    const char *fault = NULL;

    dscq_status status = make_values(&w->value, w, w->block_high, &fault, err);
    if (status != DSCQ_OK)
        return dscq_fail_at(err, "node '%s'", n->name);
    if (fault != NULL)
        return dscq_fail(err, DSCQ_FORMAT, "node '%s': %s", n->name, fault);
    status = qnet__check_values(m, n, err);
    w->packed_nonzero = dscq_qweights_nonzero(w);
    dscq_free(w->value);
    w->value = NULL;
    return status;
}
