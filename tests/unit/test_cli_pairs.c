/* What `dscq eval` writes of two networks on the same images. */
#include "dscq/base/json.h"
#include "eval.h"
#include "support.h"

#include <check.h>
#include <stdio.h>

enum { IMAGES = 6, CLASSES = 2 };

static const int32_t k_before[IMAGES] = {0, 1, 0, 1, 0, 1};
static const int32_t k_now[IMAGES] = {0, 1, 1, 1, 1, 1};

/* The document that a call leaves in `file`. */
static dscq_json *written(const char *file, const int32_t *label)
{
    static const cli_cmd k_cmd = {.name = "eval", .takes = CLI_TAKES_TABLE};
    static const eval_pair k_pair = {"packed", "packed",        "float",
                                     "float",  "against_float", "mcnemar_p"};
    static const float k_logit[IMAGES * CLASSES] = {0};
    cli_call call = {.cmd = &k_cmd, .common = {.json = 1}};
    dscq_eval *e = NULL;
    dscq_json *j = NULL;
    dscq_error err = {DSCQ_OK, ""};

    (void)snprintf(call.common.json_file, sizeof call.common.json_file, "%s",
                   test_path(file));
    test_ok(cli_output_create(&call.out, &call, &err));
    test_ok(dscq_eval_create(&e, CLASSES, &err));
    test_ok(dscq_eval_add(e, k_logit, label, IMAGES, &err));
    cli__eval_show_pair(&call, &k_pair, e, k_before, k_now);
    test_ok(cli_output_finish(&call, &err));
    cli_output_destroy(call.out);
    dscq_eval_destroy(e);
    test_ok(dscq_json_load(&j, test_path(file), &err));
    return j;
}

START_TEST(a_comparison_by_hand)
{
    static const int32_t k_label[IMAGES] = {0, 1, 1, 1, -1, 0};
    dscq_json *j;

    if (!test_has_json())
        return;
    j = written("labelled.json", k_label);
    const dscq_json *pair = dscq_json_get(j, "against_float");
    /* five images count; the third is gained */
    ck_assert_double_eq_tol(dscq_json_real(dscq_json_get(pair, "change_frac"), -9), 0.2,
                            1e-12);
    ck_assert_double_eq(dscq_json_real(dscq_json_get(pair, "mcnemar_p"), -9), 1);
    ck_assert_double_eq(dscq_json_real(dscq_json_get(j, "mcnemar_p"), -9), 1);
    dscq_json_free(j);
}
END_TEST

/* Where nothing is comparable, no number says how alike the two are. */
START_TEST(without_labels_nothing_is_compared)
{
    static const int32_t k_none[IMAGES] = {-1, -1, -1, -1, -1, -1};
    dscq_json *j;

    if (!test_has_json())
        return;
    j = written("plain.json", k_none);
    ck_assert_ptr_nonnull(dscq_json_get(j, "schema"));
    ck_assert_ptr_null(dscq_json_get(j, "against_float"));
    ck_assert_ptr_null(dscq_json_get(j, "mcnemar_p"));
    dscq_json_free(j);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("cli_pairs", &tc);

    tcase_add_test(tc, a_comparison_by_hand);
    tcase_add_test(tc, without_labels_nothing_is_compared);
    return s;
}

int main(void)
{
    return test_run(make);
}
