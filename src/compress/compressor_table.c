#include "compress_internal.h"
#include "dscq/base/str.h"

static void add_columns(dscq_table *t)
{
    dscq_table_add_text(t, "layer", "layer");
    dscq_table_add_text(t, "kind", "kind");
    dscq_table_add_text(t, "form", "form");
    dscq_table_add_int(t, "bits", "bits");
    dscq_table_add_int(t, "weights", "weights");
    dscq_table_add_int(t, "nonzero", "nonzero");
    dscq_table_add_real(t, "density_frac", "density", 3);
    dscq_table_add_real(t, "asked_pruned_frac", "asked p", 3);
    dscq_table_add_int(t, "levels", "levels");
    dscq_table_add_int(t, "scales", "scales");
    dscq_table_add_real(t, "values_bits", "A bits", 0);
    dscq_table_add_real(t, "entropy_bits", "C bits", 0);
    dscq_table_add_real(t, "sqnr_db", "SQNR dB", 1);
}

dscq_status dscq_compressor_table(dscq_table **out, const dscq_compressor *c,
                                  dscq_error *err)
{
    dscq_table *t;
    dscq_status status = dscq_table_create(&t, "compression", err);

    *out = NULL;
    if (status != DSCQ_OK)
        return status;
    add_columns(t);
    for (size_t i = 0; i < c->layers; i++) {
        const dscq_clayer *l = &c->layer[i];
        const size_t row = dscq_table_add_row(t);
        const double weights = (double)l->w->count;
        char form[16];

        dscq_choice_name(form, sizeof form, DSCQ_WFORM_CHOICES, (int)l->rule.form);
        dscq_table_set_text(t, row, "layer",
                            dscq_model_node(c->model, l->rule.node)->name);
        dscq_table_set_text(t, row, "kind", dscq_layer_kind_name(l->rule.kind));
        dscq_table_set_text(t, row, "form", form);
        dscq_table_set_int(t, row, "bits", l->rule.b);
        dscq_table_set_int(t, row, "weights", (int64_t)l->w->count);
        dscq_table_set_real(t, row, "asked_pruned_frac", l->rule.p);
        if (!c->frozen)
            continue;
        const double noise = dscq_wquant_sqnr_db(l->q, l->w->w);
        double entropy = 0;
        DSCQ_TRY(dscq_wquant_bits_entropy(&entropy, l->q, err));
        dscq_table_set_int(t, row, "nonzero", (int64_t)l->q->nonzero);
        dscq_table_set_real(t, row, "density_frac", (double)l->q->nonzero / weights);
        dscq_table_set_int(t, row, "levels", l->q->codebook_count);
        dscq_table_set_int(t, row, "scales", l->q->scale_count);
        dscq_table_set_real(t, row, "values_bits", dscq_wquant_bits_values(l->q));
        dscq_table_set_real(t, row, "entropy_bits", entropy);
        if (isfinite(noise))
            dscq_table_set_real(t, row, "sqnr_db", noise);
    }
    DSCQ_TRY(dscq_table_check(t, err));
    *out = t;
    return DSCQ_OK;
done:
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
