#include "dscq/base/alloc.h"
#include "eval.h"

/* Average precisions, one a class; -1: the class does not occur. */
typedef struct scored {
    double map;
    double *each; /* [classes] */
    int there;
} scored;

static dscq_status table_of(dscq_table **out, dscq_dataset *d, const scored *real,
                            const scored *packed, dscq_error *err)
{
    dscq_column columns[5] = {DSCQ_INT_COLUMN("class", ""),
                              DSCQ_TEXT_COLUMN("name", "")};
    const scored *shown[2];
    size_t n = 0;

    if (real->there) {
        shown[n] = real;
        columns[2 + n++] =
            (dscq_column)DSCQ_REAL_COLUMN("float_ap_frac", "float AP", 4);
    }
    if (packed->there) {
        shown[n] = packed;
        columns[2 + n++] =
            (dscq_column)DSCQ_REAL_COLUMN("packed_ap_frac", "packed AP", 4);
    }
    const dscq_status status = dscq_table_create(out, "classes", columns, err);
    if (status != DSCQ_OK)
        return status;
    for (int32_t c = 0; c < dscq_dataset_classes(d); c++) {
        dscq_cell cell[4] = {dscq_int(c), dscq_text(dscq_dataset_class_name(d, c))};
        for (size_t i = 0; i < n; i++) /* a class that does not occur has none */
            if (shown[i]->each[c] >= 0)
                cell[2 + i] = dscq_real(shown[i]->each[c]);
        dscq_table_add(*out, cell, 2 + n);
    }
    return dscq_table_finish(out, err);
}

static void show(cli_call *call, const char *what, const char *key, const scored *s)
{
    cli_out_text(call, "%-7s mAP %6.2f %%\n", what, 100 * s->map);
    cli_out_real(call, key, s->map);
}

dscq_status cli__eval_boxes(cli_call *call, const eval_options *o, dscq_project *p,
                            const dscq_qmodel *q, const dscq_run_options *ro,
                            dscq_error *err)
{
    const dscq_ap_rule rule = (dscq_ap_rule)o->rule;
    const dscq_split split = (dscq_split)o->split;
    scored real = {0}, packed = {0};
    dscq_table *t = NULL;
    dscq_dataset *d;
    dscq_status status;

    if (o->confusion || o->predictions[0] != '\0' || o->against[0] != '\0')
        return dscq_fail(err, DSCQ_ARG,
                         "%s is a detector: --confusion, --predictions and --against "
                         "are for classifiers",
                         dscq_project_path(p));
    DSCQ_TRY(dscq_project_dataset(&d, p, call->log, err));
    const size_t classes = (size_t)dscq_dataset_classes(d);
    real.each = dscq_calloc(classes + 1, sizeof(double));
    packed.each = dscq_calloc(classes + 1, sizeof(double));
    if (real.each == NULL || packed.each == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "classes", classes * sizeof(double)));
    if (o->weights[0] != '\0' || q == NULL) {
        DSCQ_TRY(dscq_flow_eval_boxes(&real.map, real.each, p, split, rule, ro, err));
        real.there = 1;
        show(call, "float", "float_map_frac", &real);
    }
    if (q != NULL) {
        DSCQ_TRY(dscq_flow_eval_packed_boxes(&packed.map, packed.each, p, q, split,
                                             rule, ro, err));
        packed.there = 1;
        show(call, "packed", "packed_map_frac", &packed);
    }
    if (o->per_class) {
        DSCQ_TRY(table_of(&t, d, &real, &packed, err));
        cli_out_table(call, t);
    }
done:
    dscq_table_destroy(t);
    dscq_free(real.each);
    dscq_free(packed.each);
    return status;
}
