/* Tables of an integer network as ONNX: a table is known for the activation that made
 * it, and any other is looked up. That the whole file computes: test_export_onnx. */
#include "dscq/export/packed_onnx.h"
#include "dscq/nn/layer.h"
#include "dscq/nn/model.h"
#include "dscq/onnx/onnx.h"
#include "qmodel_float.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A convolution with the activation, and one behind it. */
static dscq_qmodel *with_table(const char *act)
{
    const dscq_rng r = dscq_rng_seeded(4);
    dscq_config *cfg = NULL;
    dscq_model *m = NULL;
    dscq_qmodel *q = NULL;
    dscq_error err = {0};
    char text[300];

    snprintf(text, sizeof text,
             "[net]\nwidth=6\nheight=6\nchannels=4\n"
             "[convolutional]\nname=a\nfilters=8\nsize=3\npad=1\nactivation=%s\n"
             "[convolutional]\nname=b\nfilters=2\nsize=1\nactivation=linear\n",
             act);
    test_ok(dscq_config_parse(&cfg, text, strlen(text), "t.cfg", &err));
    test_ok(dscq_model_from_config(&m, cfg, "", &r, &err));
    test_ok(test_qmodel_calibrated(&q, m, 8, &err));
    dscq_config_destroy(cfg);
    dscq_model_destroy(m);
    return q;
}

static dscq_qnode *table_of(dscq_qmodel *q)
{
    for (int32_t i = 0; i < q->node_count; i++)
        if (q->node[i].op == DSCQ_Q_LUT)
            return &q->node[i];
    return NULL;
}

/* The file as text holds the operator's name. */
static int says(const char *path, const char *op)
{
    static char bytes[1 << 16];
    FILE *f = fopen(path, "rb");

    ck_assert_ptr_nonnull(f);
    const size_t n = fread(bytes, 1, sizeof bytes, f), len = strlen(op);
    ck_assert(n > len && n < sizeof bytes);
    (void)fclose(f);
    for (size_t i = 0; i + len <= n; i++)
        if (memcmp(bytes + i, op, len) == 0)
            return 1;
    return 0;
}

START_TEST(a_table_is_known_for_its_activation)
{
    const dscq_act_row *row = dscq_act_at((dscq_act)_i);
    const char *path = test_path("t.onnx");
    char text[60];
    dscq_onnx *f = NULL;
    dscq_model *m = NULL;
    dscq_error err = {0};

    snprintf(text, sizeof text, "%s%s", row->name, row->is_sloped ? "\nslope=1.5" : "");
    dscq_qmodel *q = with_table(text);
    ck_assert_int_eq(table_of(q) != NULL, row->kind != DSCQ_ACT_CLAMP);
    test_ok(dscq_export_packed_onnx(path, q, &err));
    ck_assert_int_eq(says(path, "Gather"),
                     row->kind == DSCQ_ACT_CURVE && row->onnx.op == NULL);
    if (row->kind != DSCQ_ACT_CLAMP && row->onnx.op != NULL &&
        test_has(dscq_onnx_available(), "ONNX")) {
        test_ok(dscq_onnx_load(&f, path, &err));
        test_ok(dscq_onnx_to_model(&m, NULL, f, &err));
        int found = 0;
        for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
            const dscq_node *n = dscq_model_node(m, i);
            found |= n->act == (dscq_act)_i &&
                     (!row->is_sloped || fabs(n->act_slope - 1.5) < 0.1);
        }
        ck_assert_msg(found, "%s is not in the file", row->name);
        dscq_model_destroy(m);
        dscq_onnx_close(f);
    }
    dscq_qmodel_destroy(q);
}
END_TEST

/* Two steps off the curve in one place: no activation. */
START_TEST(a_table_of_nothing_known_is_looked_up)
{
    const char *path = test_path("t.onnx");
    dscq_qmodel *q = with_table("tanh");
    dscq_qnode *t = table_of(q);
    dscq_error err = {0};

    t->table[t->table_count / 2] += 2;
    test_ok(dscq_export_packed_onnx(path, q, &err));
    ck_assert(says(path, "Gather"));
    dscq_qmodel_destroy(q);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("export_packed", &tc);

    tcase_add_loop_test(tc, a_table_is_known_for_its_activation, 0, DSCQ_ACT_COUNT);
    tcase_add_test(tc, a_table_of_nothing_known_is_looked_up);
    return s;
}

int main(void)
{
    return test_run(make);
}
