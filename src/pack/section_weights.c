/* The WGT section: one record a node with weights, in node order (docs/format.md
 * section 5). */
#include "dscq/base/alloc.h"
#include "format.h"

/* ---- writing ---- */

static unsigned entry_bytes(const dscq_qweights *w)
{
    for (int32_t i = 0; i < w->codebook_count; i++)
        if (w->codebook[i] < -128 || w->codebook[i] > 127)
            return 2;
    return 1;
}

static void put_form(dscq_buf *b, const dscq_qweights *w)
{
    if (w->form == DSCQ_FORM_CODEBOOK) {
        const unsigned bytes = entry_bytes(w);
        dscq_put_varint(b, (uint64_t)w->codebook_count);
        dscq_put_u(b, bytes, 1);
        for (int32_t i = 1; i < w->codebook_count; i++)
            dscq_put_u(b, (uint16_t)w->codebook[i], bytes);
    } else if (w->form == DSCQ_FORM_BINARY) {
        dscq_put_varint(b, (uint64_t)w->block);
        for (int32_t k = 0; k < w->k; k++)
            dscq_put_u(b, (uint16_t)w->level[k], 2);
    }
}

static dscq_status put_layer(dscq_buf *b, const dscq_qweights *w,
                             const dscq_pack_options *o, pack_choice *choice,
                             dscq_error *err)
{
    uint16_t *code = dscq_malloc(w->count, sizeof *code);
    dscq_status status;

    if (code == NULL)
        return dscq_fail_nomem(err, "codes", w->count * sizeof *code);
    DSCQ_TRY(dscq_qweights_codes(w, code, err));
    DSCQ_TRY(pack__choose(choice, w, code, o, err));
    dscq_put_u(b, (uint64_t)choice->encoding, 1);
    dscq_put_u(b, (uint64_t)w->form, 1);
    dscq_put_u(b, (uint64_t)w->bits, 1);
    dscq_put_varint(b, (uint64_t)choice->arg);
    put_form(b, w);
    const uint64_t bytes = dscq_pack_size_bits(&choice->size) / 8; /* costs are exact */
    dscq_put_varint(b, bytes);
    const size_t start = b->len;
    DSCQ_TRY(pack__encoding(choice->encoding)->encode(b, w, choice->arg, code, err));
    if (!b->bad && b->len - start != bytes)
        status = dscq_fail(err, DSCQ_INTERNAL, "encoding %s: %zu bytes, foretold %llu",
                           pack__encoding(choice->encoding)->info.name, b->len - start,
                           (unsigned long long)bytes);
done:
    dscq_free(code);
    return status;
}

dscq_status pack__put_weights(dscq_buf *b, const dscq_qmodel *m,
                              const dscq_pack_options *o, pack_choice *sizes,
                              dscq_error *err)
{
    for (int32_t i = 0; i < m->node_count; i++) {
        pack_choice choice = {0};
        const size_t start = b->len;
        if (m->node[i].weights == NULL)
            continue;
        const dscq_status status = put_layer(b, m->node[i].weights, o, &choice, err);
        if (status != DSCQ_OK)
            return dscq_fail_at(err, "node '%s'", m->node[i].name);
        if (sizes != NULL) {
            const dscq_qweights *w = m->node[i].weights;
            const uint64_t payload = dscq_pack_size_bits(&choice.size);
            dscq_buf form = {.counting = 1};
            put_form(&form, w);
            choice.size.codebooks += (uint64_t)form.len * 8;
            choice.size.headers +=
                (uint64_t)(b->len - start) * 8 - payload - (uint64_t)form.len * 8;
            choice.size.constants = sizes[i].size.constants; /* QNT came before */
            sizes[i] = choice;
        }
    }
    return DSCQ_OK;
}

/* ---- reading ---- */

static void get_codebook(dscq_qweights *w, dscq_reader *r)
{
    w->codebook_count = dscq_get_int(r, 1, 256, "codebook entries");
    const unsigned bytes = (unsigned)dscq_get_u(r, 1, "bytes of a codebook entry");
    if (bytes != 1 && bytes != 2)
        dscq_get_fail(r, "bytes of a codebook entry");
    if (w->bits > 8 || w->codebook_count > 1 << w->bits)
        dscq_get_fail(r, "codebook entries");
    for (int32_t i = 1; i < w->codebook_count && r->bad == NULL; i++) {
        const uint64_t v = dscq_get_u(r, bytes, "codebook entry");
        w->codebook[i] = bytes == 1 ? (int8_t)(uint8_t)v : (int16_t)(uint16_t)v;
    }
    if (r->bad == NULL && bytes != entry_bytes(w))
        dscq_get_fail(r, "bytes of a codebook entry");
}

static dscq_status get_levels(dscq_qweights *w, dscq_reader *r, dscq_error *err)
{
    const size_t per = w->count / (size_t)w->k;

    w->block = dscq_get_int(r, 1, DSCQ_QNET_MAX_ELEMENTS, "weights of a block");
    if (r->bad != NULL)
        return DSCQ_OK;
    const uint8_t *raw = dscq_get_bytes(r, (size_t)w->k * 2, "binary levels");
    if (r->bad != NULL)
        return DSCQ_OK;
    w->block_count = (per + (size_t)w->block - 1) / (size_t)w->block * (size_t)w->k;
    w->level = dscq_malloc((size_t)w->k, sizeof *w->level);
    w->block_high = dscq_calloc(w->block_count, 1);
    if (w->level == NULL || w->block_high == NULL)
        return dscq_fail_nomem(err, "binary weights", w->block_count);
    for (int32_t k = 0; k < w->k; k++)
        w->level[k] = (int16_t)(uint16_t)(raw[2 * k] | raw[2 * k + 1] << 8);
    return DSCQ_OK;
}

static void get_head(dscq_qweights *w, dscq_reader *r)
{
    const int32_t encoding = (int32_t)dscq_get_u(r, 1, "encoding");
    const pack_encoding *e = pack__encoding(encoding);

    w->form = (dscq_qform)dscq_get_u(r, 1, "weight form");
    w->bits = (int32_t)dscq_get_u(r, 1, "bits of a code");
    if (e == NULL)
        dscq_get_fail(r, "encoding");
    if (w->form > DSCQ_FORM_BINARY)
        dscq_get_fail(r, "weight form");
    if (w->bits < 1 ||
        (w->bits > 8 && !(w->bits == 16 && w->form == DSCQ_FORM_LINEAR)) ||
        (w->form == DSCQ_FORM_BINARY && w->bits != 1))
        dscq_get_fail(r, "bits of a code");
    w->encoding = r->bad != NULL ? -1 : encoding;
    w->encoding_arg =
        e == NULL ? 0 : dscq_get_int(r, e->arg_min, e->arg_max, "encoding argument");
}

/* The payload stays where it is: dscq_qweights_check() looks into it. */
static dscq_status get_layer(dscq_qweights *w, uint64_t *budget, dscq_reader *r,
                             dscq_error *err)
{
    uint64_t count = (uint64_t)w->r * (uint64_t)w->s;
    dscq_status status;

    get_head(w, r);
    count *= (uint64_t)w->c; /* at most 2^28 * 2^20 */
    if (count > DSCQ_QNET_MAX_ELEMENTS ||
        count * (uint64_t)w->k > DSCQ_QNET_MAX_ELEMENTS ||
        count * (uint64_t)w->k > *budget)
        dscq_get_fail(r, "number of weights");
    if (r->bad != NULL)
        return DSCQ_OK;
    w->count = (size_t)count * (size_t)w->k;
    *budget -= w->count;
    if (w->form == DSCQ_FORM_CODEBOOK)
        get_codebook(w, r);
    else if (w->form == DSCQ_FORM_BINARY)
        DSCQ_TRY(get_levels(w, r, err));
    const uint64_t bytes = dscq_get_varint(r, "bytes of packed weights");
    if (bytes > r->len - r->pos)
        dscq_get_fail(r, "bytes of packed weights");
    const pack_encoding *e = pack__encoding(w->encoding);
    if (r->bad == NULL && !e->fits(w))
        dscq_get_fail(r, "an encoding that cannot hold this layer");
    if (r->bad != NULL)
        return DSCQ_OK;
    w->packed = dscq_get_bytes(r, (size_t)bytes, "weights");
    w->packed_bytes = (size_t)bytes;
    w->packed_encoding = w->encoding;
    w->packed_arg = w->encoding_arg;
    w->decode = pack__decode;
    return DSCQ_OK;
done:
    return status;
}

dscq_status pack__get_weights(dscq_qmodel *m, dscq_reader *r, uint64_t file_bytes,
                              dscq_error *err)
{
    uint64_t budget = PACK_WEIGHT_SLACK + file_bytes * PACK_WEIGHTS_PER_BYTE;

    for (int32_t i = 0; i < m->node_count && r->bad == NULL; i++) {
        if (m->node[i].weights == NULL)
            continue;
        const dscq_status status = get_layer(m->node[i].weights, &budget, r, err);
        if (status != DSCQ_OK)
            return status;
        if (r->bad != NULL)
            return dscq_fail(err, DSCQ_FORMAT, "node '%s': %s", m->node[i].name,
                             r->bad);
    }
    return DSCQ_OK;
}
