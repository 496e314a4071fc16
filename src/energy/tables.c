#include "dscq/energy/energy.h"

static const char *const k_bill_names[] = {
#define X(field, text) #field,
    DSCQ_BILL_LIST(X)
#undef X
};

static const char *const k_bill_texts[] = {
#define X(field, text) text,
    DSCQ_BILL_LIST(X)
#undef X
};

const char *dscq_bill_name(int id)
{
    return k_bill_names[id];
}

const char *dscq_bill_text(int id)
{
    return k_bill_texts[id];
}

dscq_status dscq_energy_table(dscq_table **out, const dscq_energy_bill *b,
                              dscq_error *err)
{
    dscq_table *t = NULL;
    dscq_status status;

    *out = NULL;
    DSCQ_TRY(dscq_table_create(&t, "energy", err));
    dscq_table_add_text(t, "component", "");
    dscq_table_add_real(t, "energy_pj", "energy", 0);
    dscq_table_add_real(t, "low_pj", "low", 0);
    dscq_table_add_real(t, "high_pj", "high", 0);
    dscq_table_add_real(t, "share_frac", "share", 4);
    dscq_table_add_text(t, "meaning", "");
    for (int i = 0; i < DSCQ_BILL_COUNT; i++) {
        const size_t row = dscq_table_add_row(t);
        dscq_table_set_text(t, row, "component", k_bill_names[i]);
        dscq_table_set_real(t, row, "energy_pj", b->pj[i]);
        dscq_table_set_real(t, row, "low_pj", b->low_pj[i]);
        dscq_table_set_real(t, row, "high_pj", b->high_pj[i]);
        dscq_table_set_real(t, row, "share_frac",
                            b->total_pj > 0 ? b->pj[i] / b->total_pj : 0);
        dscq_table_set_text(t, row, "meaning", k_bill_texts[i]);
    }
    DSCQ_TRY(dscq_table_check(t, err));
    *out = t;
    return DSCQ_OK;
done:
    dscq_table_destroy(t);
    return status;
}

dscq_status dscq_energy_table_coefficients(dscq_table **out, const dscq_energy *e,
                                           dscq_error *err)
{
    dscq_table *t = NULL;
    dscq_status status;

    *out = NULL;
    DSCQ_TRY(dscq_table_create(&t, "coefficients", err));
    dscq_table_add_text(t, "name", "");
    dscq_table_add_real(t, "value", "", 4);
    dscq_table_add_real(t, "spread", "", 2);
    dscq_table_add_text(t, "unit", "");
    dscq_table_add_text(t, "technology", "");
    dscq_table_add_text(t, "source", "");
    for (int i = 0; i < DSCQ_ENERGY_COUNT; i++) {
        const size_t row = dscq_table_add_row(t);
        dscq_table_set_text(t, row, "name", dscq_energy_name(i));
        dscq_table_set_real(t, row, "value", e->row[i].value);
        dscq_table_set_real(t, row, "spread", e->row[i].spread);
        dscq_table_set_text(t, row, "unit", dscq_energy_unit(i));
        dscq_table_set_text(t, row, "technology", e->row[i].technology);
        dscq_table_set_text(t, row, "source", e->row[i].source);
    }
    DSCQ_TRY(dscq_table_check(t, err));
    *out = t;
    return DSCQ_OK;
done:
    dscq_table_destroy(t);
    return status;
}
