/* Which encoding a layer gets: the smallest that the profile allows. */
#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "format.h"

dscq_status dscq_pack_options_parse(dscq_pack_options *out, const char *text,
                                    dscq_error *err)
{
    static const struct {
        const char *name;
        dscq_pack_profile profile;
    } rows[] = {{"keep", DSCQ_PACK_KEEP},
                {"machine", DSCQ_PACK_MACHINE},
                {"loaded", DSCQ_PACK_LOADED},
                {"archive", DSCQ_PACK_ARCHIVE}};

    *out = (dscq_pack_options){DSCQ_PACK_NAMED, dscq_pack_encoding_find(text), 0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, text) == 0)
            out->profile = rows[i].profile;
    if (out->profile == DSCQ_PACK_NAMED && out->encoding < 0)
        return dscq_fail(
            err, DSCQ_ARG,
            "profile '%s': want machine, loaded, archive, keep or the name "
            "of an encoding",
            text);
    return DSCQ_OK;
}

static int allowed(const pack_encoding *e, dscq_pack_profile p)
{
    if (p == DSCQ_PACK_ARCHIVE)
        return e->info.kind <= DSCQ_PACK_DEEP;
    if (p == DSCQ_PACK_LOADED)
        return e->info.kind <= DSCQ_PACK_ATREST;
    return e->info.kind == DSCQ_PACK_FIXED;
}

/* The layer's own choice, when it is legal. */
static int kept(pack_choice *out, const dscq_qweights *w, const dscq_pack_options *o)
{
    const int32_t id = o->profile == DSCQ_PACK_KEEP    ? w->encoding
                       : o->profile == DSCQ_PACK_NAMED ? o->encoding
                                                       : -1;
    const pack_encoding *e = pack__encoding(id);

    if (e == NULL || !e->fits(w))
        return 0;
    out->encoding = id;
    out->arg = o->profile == DSCQ_PACK_KEEP ? w->encoding_arg : o->lanes;
    return 1;
}

dscq_status pack__choose(pack_choice *out, const dscq_qweights *w, const uint16_t *code,
                         const dscq_pack_options *o, dscq_error *err)
{
    uint64_t best = UINT64_MAX;

    *out = (pack_choice){0};
    if (kept(out, w, o)) {
        const dscq_status status =
            pack__encoding(out->encoding)->cost(&out->size, &out->arg, w, code, err);
        if (status != DSCQ_UNSUPPORTED) /* then it does not fit after all */
            return status;
        *out = (pack_choice){0};
    }
    for (int32_t id = 0; id < dscq_pack_encoding_count(); id++) {
        const pack_encoding *e = pack__encoding(id);
        pack_choice one = {.encoding = id};
        if (!allowed(e, o->profile) || !e->fits(w))
            continue;
        const dscq_status status = e->cost(&one.size, &one.arg, w, code, err);
        if (status == DSCQ_UNSUPPORTED)
            continue;
        if (status != DSCQ_OK)
            return status;
        if (dscq_pack_size_bits(&one.size) < best) {
            best = dscq_pack_size_bits(&one.size);
            *out = one;
        }
    }
    if (best == UINT64_MAX)
        return dscq_fail(err, DSCQ_INTERNAL, "no encoding holds these weights");
    return DSCQ_OK;
}

/* "zhang 812, dense 1024": bits, those that fit. */
static dscq_status say_others(dscq_str *to, const dscq_qweights *w,
                              const uint16_t *code, int32_t chosen, dscq_error *err)
{
    for (int32_t id = 0; id < dscq_pack_encoding_count(); id++) {
        const pack_encoding *e = pack__encoding(id);
        pack_choice one = {.encoding = id};
        dscq_status status = DSCQ_UNSUPPORTED;

        if (id != chosen && e->fits(w))
            status = e->cost(&one.size, &one.arg, w, code, err);
        if (status == DSCQ_OK)
            dscq_str_addf(to, "%s%s %llu", to->len > 0 ? ", " : "", e->info.name,
                          (unsigned long long)dscq_pack_size_bits(&one.size));
        else if (status != DSCQ_UNSUPPORTED)
            return status;
    }
    return DSCQ_OK;
}

static dscq_status trace_layer(const dscq_qnode *n, const dscq_pack_options *o,
                               const dscq_log *log, dscq_error *err)
{
    uint16_t *code = dscq_malloc(n->weights->count, sizeof *code);
    pack_choice choice;
    dscq_str others = {0};
    dscq_status status;

    if (code == NULL)
        return dscq_fail_nomem(err, "codes", n->weights->count * sizeof *code);
    DSCQ_TRY(dscq_qweights_codes(n->weights, code, err));
    DSCQ_TRY(pack__choose(&choice, n->weights, code, o, err));
    DSCQ_TRY(say_others(&others, n->weights, code, choice.encoding, err));
    dscq_log_trace(log, DSCQ_TRACE_PACK, "%s: %s, %llu bits; others: %s", n->name,
                   pack__encoding(choice.encoding)->info.name,
                   (unsigned long long)dscq_pack_size_bits(&choice.size),
                   others.len > 0 && !others.bad ? others.text : "none fits");
done:
    dscq_str_free(&others);
    dscq_free(code);
    return status;
}

dscq_status dscq_pack_trace(const dscq_qmodel *m, const dscq_pack_options *options,
                            const dscq_log *log, dscq_error *err)
{
    dscq_status status = DSCQ_OK;

    if (!dscq_log_traces(log, DSCQ_TRACE_PACK))
        return DSCQ_OK;
    for (int32_t i = 0; i < m->node_count && status == DSCQ_OK; i++)
        if (m->node[i].weights != NULL)
            status = trace_layer(&m->node[i], options, log, err);
    return status;
}
