/* The slow reference replays the test vectors of tests/golden/arith. */
#include "dscq/base/alloc.h"
#include "dscq/infer/reference.h"
#include "qmodel_vector.h"
#include "support.h"

#include <check.h>
#include <string.h>

START_TEST(reference_gives_the_vectors_outputs)
{
    const dscq_qop op = (dscq_qop)_i;
    qmodel_vectors all;
    dscq_error err;

    ck_assert_msg(qmodel_vectors_load(&all, dscq_qop_name(op), &err) == DSCQ_OK, "%s",
                  err.msg);
    ck_assert_uint_gt(all.count, 0);
    for (size_t i = 0; i < all.count; i++) {
        const qmodel_vector *v = &all.item[i];
        const dscq_qtensor *y = &v->m->tensor[v->m->node[0].output];
        void *got = dscq_calloc(dscq_qtensor_bytes(y), 1);
        ck_assert_int_eq(dscq_infer_node(v->m, &v->m->node[0],
                                         (const void *const *)v->input, got, &err),
                         DSCQ_OK);
        for (size_t j = 0; j < dscq_qtensor_count(y); j++)
            ck_assert_msg(
                dscq_qtensor_get(y, got, j) == dscq_qtensor_get(y, v->want, j),
                "%s, '%s': code %zu is %d, want %d", dscq_qop_name(op), v->name, j,
                dscq_qtensor_get(y, got, j), dscq_qtensor_get(y, v->want, j));
        dscq_free(got);
    }
    qmodel_vectors_free(&all);
}
END_TEST

START_TEST(lrn_index_covers_32_bits_without_gaps)
{
    int32_t last = -1;

    for (uint64_t s = 0; s <= UINT32_MAX; s = s < 70000 ? s + 1 : s + s / 64) {
        const int32_t i = dscq_lrn_index((uint32_t)s);
        ck_assert_msg(i == last || i == last + 1, "S %llu: index %d after %d",
                      (unsigned long long)s, i, last);
        last = i;
    }
    ck_assert_int_eq(dscq_lrn_index(UINT32_MAX), 239);
    ck_assert_int_eq(dscq_lrn_index(16), 16);
    ck_assert_int_eq(dscq_lrn_index(15), 15);
    ck_assert_int_eq(dscq_lrn_index(31), 23);
}
END_TEST

START_TEST(ends_of_the_network_follow_the_page)
{
    dscq_qmodel *m;
    const uint8_t pixel[3] = {0, 128, 255};
    const float real[3] = {0.25f, -0.75f, 0.0f / 1.0f};
    int8_t q[3];
    double x[3];

    ck_assert_int_eq(dscq_qmodel_create(&m, NULL), DSCQ_OK);
    ck_assert_int_eq(dscq_qmodel_reserve(m, 1, 0, 1, 0, NULL), DSCQ_OK);
    m->tensor[0] = (dscq_qtensor){.name = "x",
                                  .h = 1,
                                  .w = 1,
                                  .c = 3,
                                  .bits = 8,
                                  .is_signed = 1,
                                  .zero_point = -5,
                                  .scale = 0.5};
    for (int c = 0; c < 3; c++) {
        m->input[0].mult[c] = 65536 / 2;
        m->input[0].offset[c] = -65536 * 10;
    }
    dscq_infer_quantise_image(m, &m->input[0], pixel, q);
    ck_assert_int_eq(q[0], -15);          /* 0/2 - 10 - 5 */
    ck_assert_int_eq(q[1], 64 - 10 - 5);  /* 128/2 */
    ck_assert_int_eq(q[2], 128 - 10 - 5); /* 127.5 rounds up */
    dscq_infer_quantise_real(&m->tensor[0], real, q);
    ck_assert_int_eq(q[0], 1 - 5);  /* 0.5 rounds up */
    ck_assert_int_eq(q[1], -1 - 5); /* -1.5: floor(-1.5 + 0.5) = -1 */
    ck_assert_int_eq(q[2], -5);
    dscq_infer_dequantise(&m->tensor[0], q, x);
    ck_assert_double_eq(x[0], 0.5);
    const int8_t tie[3] = {3, 9, 9};
    ck_assert_int_eq(dscq_infer_class(&m->tensor[0], tie), 1);
    dscq_qmodel_destroy(m);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("infer_vectors");
    TCase *tc = tcase_create("vectors");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, reference_gives_the_vectors_outputs, 0, DSCQ_Q_COUNT);
    tcase_add_test(tc, lrn_index_covers_32_bits_without_gaps);
    tcase_add_test(tc, ends_of_the_network_follow_the_page);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return test_run(make_suite);
}
