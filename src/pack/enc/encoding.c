/* The table of encodings. */
#include "enc/encoding.h"

#include "dscq/base/alloc.h"

#include <math.h>

#define DSCQ_ENCODING(name) extern const pack_encoding pack__enc_##name;
#include "encodings.def"
#undef DSCQ_ENCODING

static const pack_encoding *const k_encodings[] = {
#define DSCQ_ENCODING(name) &pack__enc_##name,
#include "encodings.def"
#undef DSCQ_ENCODING
};

static const char *const k_kinds[] = {"fixed", "at rest", "deep", "comparison"};

const char *dscq_pack_kind_name(dscq_pack_kind kind)
{
    return k_kinds[kind];
}

int32_t dscq_pack_encoding_count(void)
{
    return (int32_t)(sizeof k_encodings / sizeof *k_encodings);
}

const pack_encoding *pack__encoding(int32_t id)
{
    return id >= 0 && id < dscq_pack_encoding_count() ? k_encodings[id] : NULL;
}

const dscq_pack_encoding_info *dscq_pack_encoding_at(int32_t id)
{
    const pack_encoding *e = pack__encoding(id);

    return e != NULL ? &e->info : NULL;
}

int32_t dscq_pack_encoding_find(const char *name)
{
    for (int32_t i = 0; i < dscq_pack_encoding_count(); i++)
        if (strcmp(k_encodings[i]->info.name, name) == 0)
            return i;
    return -1;
}

dscq_status dscq_pack_cost(dscq_pack_size *out, int32_t *arg, const dscq_qweights *w,
                           int32_t id, dscq_error *err)
{
    const pack_encoding *e = pack__encoding(id);

    if (e == NULL || !e->fits(w))
        return dscq_fail(err, DSCQ_UNSUPPORTED, "encoding %s cannot hold this layer",
                         e != NULL ? e->info.name : "?");
    uint16_t *code = dscq_malloc(w->count, sizeof *code);
    if (code == NULL)
        return dscq_fail_nomem(err, "codes", w->count * sizeof *code);
    *out = (dscq_pack_size){0};
    dscq_status status = dscq_qweights_codes(w, code, err);
    if (status == DSCQ_OK)
        status = e->cost(out, arg, w, code, err);
    dscq_free(code);
    return status;
}

static double plogp(double n, double total)
{
    return n > 0.0 ? -n * log2(n / total) : 0.0;
}

dscq_status dscq_pack_entropy(double *position_bits, double *value_bits,
                              const dscq_qweights *w, dscq_error *err)
{
    uint32_t *hist = dscq_calloc(65536, sizeof *hist);
    double values = 0.0;
    const size_t nnz = dscq_qweights_nonzero(w);
    dscq_qweights open = {.value = NULL};
    dscq_status status;

    if (hist == NULL)
        return dscq_fail_nomem(err, "counts of values", 65536 * sizeof *hist);
    DSCQ_TRY(dscq_qweights_open(&open, w, err));
    for (size_t i = 0; i < w->count; i++)
        hist[(uint16_t)open.value[i]]++;
    dscq_qweights_close(&open, w);
    for (size_t v = 1; v < 65536; v++)
        values += plogp(hist[v], (double)nnz);
    *position_bits =
        plogp((double)nnz, (double)w->count) + plogp(hist[0], (double)w->count);
    *value_bits = values;
done:
    dscq_free(hist);
    return status;
}
