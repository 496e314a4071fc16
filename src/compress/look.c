/* Looking at a compressor: integers, rules, sizes. */
#include "compress_internal.h"
#include "dscq/base/str.h"

#include <assert.h>
#include <string.h>

int dscq_compressor_frozen(const dscq_compressor *c)
{
    return c->frozen && c->settled;
}

static dscq_clayer *layer_at(const dscq_compressor *c, int32_t node)
{
    if (node < 0 || node >= dscq_model_nodes(c->model) || c->layer_of[node] < 0)
        return NULL;
    return &c->layer[c->layer_of[node]];
}

const dscq_wquant *dscq_compressor_wquant(const dscq_compressor *c, int32_t node)
{
    const dscq_clayer *l = layer_at(c, node);

    return c->frozen && l != NULL ? l->q : NULL;
}

dscq_status dscq_compressor_set_wquant(dscq_compressor *c, int32_t node, dscq_wquant *q,
                                       dscq_error *err)
{
    dscq_clayer *l = layer_at(c, node);
    dscq_status status;

    assert(c->frozen && l != NULL && q->w.count == l->w->count);
    status = dscq_wquant_check(q, err);
    if (status != DSCQ_OK) {
        dscq_wquant_destroy(q);
        return status;
    }
    dscq_wquant_destroy(l->q);
    l->q = q;
    dscq_wquant_apply(q, l->used);
    memcpy(l->w->w, l->used, q->w.count * sizeof *l->used);
    memcpy(l->mask, q->mask, q->w.count);
    l->kept = q->nonzero;
    return DSCQ_OK;
}

const dscq_rule *dscq_compressor_rule(const dscq_compressor *c, int32_t node)
{
    const dscq_clayer *l = layer_at(c, node);

    return l != NULL ? &l->rule : NULL;
}

const dscq_method *dscq_compressor_last(const dscq_compressor *c)
{
    return c->stage[c->stages - 1];
}

const dscq_settings *dscq_compressor_settings(const dscq_compressor *c)
{
    return c->settings;
}

double dscq_compressor_sparsity(const dscq_compressor *c)
{
    double zero = 0.0, all = 0.0;

    for (size_t i = 0; i < c->layers; i++) {
        const dscq_clayer *l = &c->layer[i];

        all += (double)l->w->count;
        for (size_t j = 0; j < l->w->count; j++)
            zero += l->used[j] == 0.0F;
    }
    return all > 0.0 ? zero / all : 0.0;
}

static const dscq_column k_columns[] = {
    DSCQ_TEXT_COLUMN("layer", ""),
    DSCQ_TEXT_COLUMN("kind", ""),
    DSCQ_TEXT_COLUMN("form", ""),
    DSCQ_INT_COLUMN("bits", ""),
    DSCQ_INT_COLUMN("weights", ""),
    DSCQ_INT_COLUMN("nonzero", ""),
    DSCQ_REAL_COLUMN("density_frac", "density", 3),
    DSCQ_REAL_COLUMN("asked_pruned_frac", "asked p", 3),
    DSCQ_INT_COLUMN("levels", ""),
    DSCQ_INT_COLUMN("scales", ""),
    DSCQ_REAL_COLUMN("values_bits", "A bits", 0),
    DSCQ_REAL_COLUMN("entropy_bits", "C bits", 0),
    DSCQ_REAL_COLUMN("sqnr_db", "SQNR dB", 1),
    DSCQ_COLUMN_END};

/* What the last four columns and some before them say is known once layers are frozen.
 */
static dscq_status add_row(dscq_table *t, const dscq_compressor *c,
                           const dscq_clayer *l, dscq_error *err)
{
    const dscq_wquant *q = l->q;
    const dscq_cell none = dscq_none();
    const int known = c->frozen;
    double entropy = 0;
    char form[16];
    dscq_status status = DSCQ_OK;

    if (known)
        DSCQ_TRY(dscq_wquant_bits_entropy(&entropy, q, err));
    dscq_choice_name(form, sizeof form, DSCQ_CHOICES(DSCQ_QFORM_LIST(DSCQ_CHOICE)),
                     (int)l->rule.form);
    DSCQ_TABLE_ROW(t, dscq_text(dscq_model_node(c->model, l->rule.node)->name),
                   dscq_text(dscq_layer_kind_name(l->rule.kind)), dscq_text(form),
                   dscq_int(l->rule.b), dscq_int((int64_t)l->w->count),
                   known ? dscq_int((int64_t)q->nonzero) : none,
                   known ? dscq_real((double)q->nonzero / (double)l->w->count) : none,
                   dscq_real(l->rule.p), known ? dscq_int(q->w.codebook_count) : none,
                   known ? dscq_int(q->scale_count) : none,
                   known ? dscq_real(dscq_wquant_bits_values(q)) : none,
                   known ? dscq_real(entropy) : none,
                   known ? dscq_finite(dscq_wquant_sqnr_db(q, l->w->w)) : none);
done:
    return status;
}

dscq_status dscq_compressor_table(dscq_table **out, const dscq_compressor *c,
                                  dscq_error *err)
{
    dscq_table *t = NULL;
    dscq_status status;

    *out = NULL;
    DSCQ_TRY(dscq_table_create(&t, "compression", k_columns, err));
    for (size_t i = 0; i < c->layers; i++)
        DSCQ_TRY(add_row(t, c, &c->layer[i], err));
    DSCQ_TRY(dscq_table_check(t, err));
    *out = t;
    return DSCQ_OK;
done:
    dscq_table_destroy(t);
    return status;
}

dscq_status dscq_compressor_trace(const dscq_compressor *c, const dscq_log *log,
                                  dscq_error *err)
{
    dscq_table *t = NULL;
    dscq_status status = DSCQ_OK;

    if (dscq_log_traces(log, DSCQ_TRACE_COMPRESS))
        status = dscq_compressor_table(&t, c, err);
    if (t != NULL)
        dscq_table_trace(t, log, DSCQ_TRACE_COMPRESS);
    dscq_table_destroy(t);
    return status;
}

dscq_status dscq_compressor_sizes(double *values_bytes_out, double *entropy_bytes_out,
                                  const dscq_compressor *c, dscq_error *err)
{
    double values = 0, entropy = 0;
    dscq_status status = DSCQ_OK;

    for (size_t i = 0; c->frozen && i < c->layers; i++) {
        double bits = 0;

        DSCQ_TRY(dscq_wquant_bits_entropy(&bits, c->layer[i].q, err));
        values += dscq_wquant_bits_values(c->layer[i].q);
        entropy += bits;
    }
    *values_bytes_out = values / 8;
    *entropy_bytes_out = entropy / 8;
done:
    return status;
}
