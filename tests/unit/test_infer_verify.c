/* Digests: right ones pass, a changed network is found with its place. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/infer/verify.h"
#include "dscq/pack/pack.h"
#include "qmodel_random.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static dscq_qmodel *make(uint64_t seed)
{
    const qmodel_random_opts o = {
        .nodes = 9, .max_side = 8, .max_channels = 24, .wide = 1};
    dscq_rng g = dscq_rng_seeded(seed);
    dscq_qmodel *m;
    void *in[3];
    dscq_error err;

    ck_assert_msg(qmodel_random(&m, &g, &o, &err) == DSCQ_OK, "%s", err.msg);
    for (int i = 0; i < 3; i++) {
        in[i] = dscq_calloc(dscq_qtensor_bytes(&m->tensor[0]), 1);
        qmodel_random_codes(&m->tensor[0], in[i], &g);
    }
    ck_assert_msg(dscq_infer_make_digests(m, 3, (const void *const *)in, &err) ==
                      DSCQ_OK,
                  "%s", err.msg);
    for (int i = 0; i < 3; i++)
        dscq_free(in[i]);
    return m;
}

START_TEST(an_unchanged_file_verifies)
{
    dscq_qmodel *m = make((uint64_t)_i), *back;
    dscq_infer_difference d;
    uint8_t *data;
    size_t bytes;
    dscq_error err;

    ck_assert_int_eq(dscq_pack_encode(&data, &bytes, m, NULL, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_pack_decode(&back, data, bytes, &err), DSCQ_OK);
    ck_assert_msg(dscq_infer_verify(&d, back, NULL, &err) == DSCQ_OK, "%s", err.msg);
    ck_assert_int_eq(d.node, -1);
    dscq_free(data);
    dscq_qmodel_destroy(back);
    dscq_qmodel_destroy(m);
}
END_TEST

START_TEST(a_changed_layer_is_named)
{
    dscq_qmodel *m = make(7);
    dscq_infer_difference d;
    dscq_error err;
    int32_t node = m->node_count - 1;

    while (node >= 0 && m->node[node].weights == NULL)
        node--;
    ck_assert_int_ge(node, 0);
    m->digest[node] ^= 1;
    ck_assert_int_eq(dscq_infer_verify(&d, m, NULL, &err), DSCQ_MISMATCH);
    ck_assert_int_eq(d.image, 0);
    ck_assert_int_eq(d.node, node);
    ck_assert_int_eq(d.channel, -1); /* both executions agree */
    ck_assert_ptr_nonnull(strstr(err.msg, m->node[node].name));
    dscq_qmodel_destroy(m);
}
END_TEST

START_TEST(a_dump_is_compared_code_by_code)
{
    dscq_qmodel *m = make(11);
    dscq_infer_difference d;
    char path[] = "test_infer_verify.dump";
    uint8_t *data;
    size_t bytes, at = 16;
    dscq_error err;

    ck_assert_msg(dscq_infer_dump(path, m, &err) == DSCQ_OK, "%s", err.msg);
    ck_assert_msg(dscq_infer_verify_dump(&d, m, path, &err) == DSCQ_OK, "%s", err.msg);
    ck_assert_int_eq(dscq_file_read(&data, &bytes, path, 1 << 26, &err), DSCQ_OK);
    /* node 2, row 0, column 0, channel 0 of the second input */
    for (int32_t i = 0; i < m->node_count; i++)
        at += dscq_qtensor_bytes(&m->tensor[m->node[i].output]);
    for (int32_t i = 0; i < 2; i++)
        at += dscq_qtensor_bytes(&m->tensor[m->node[i].output]);
    data[at] ^= 1;
    ck_assert_int_eq(dscq_file_write(path, data, bytes, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_infer_verify_dump(&d, m, path, &err), DSCQ_MISMATCH);
    ck_assert_int_eq(d.image, 1);
    ck_assert_int_eq(d.node, 2);
    ck_assert_int_eq(d.row, 0);
    ck_assert_int_eq(d.column, 0);
    ck_assert_int_eq(d.channel, 0);
    ck_assert_int_eq(dscq_file_write(path, data, bytes - 1, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_infer_verify_dump(&d, m, path, &err), DSCQ_FORMAT);
    ck_assert_int_eq(unlink(path), 0);
    dscq_free(data);
    dscq_qmodel_destroy(m);
}
END_TEST

START_TEST(without_digests_there_is_nothing_to_verify)
{
    dscq_qmodel *m = make(3);
    dscq_error err;

    ck_assert_int_eq(dscq_infer_make_digests(m, 0, NULL, &err), DSCQ_OK);
    ck_assert_ptr_null(m->digest);
    ck_assert_int_eq(dscq_infer_verify(NULL, m, NULL, &err), DSCQ_ARG);
    ck_assert_int_eq(dscq_infer_dump("never.dump", m, &err), DSCQ_ARG);
    ck_assert_int_eq(dscq_path_exists("never.dump"), 0);
    dscq_qmodel_destroy(m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("infer_verify");
    TCase *tc = tcase_create("verify");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, an_unchanged_file_verifies, 0, 20);
    tcase_add_test(tc, a_changed_layer_is_named);
    tcase_add_test(tc, a_dump_is_compared_code_by_code);
    tcase_add_test(tc, without_digests_there_is_nothing_to_verify);
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    const int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
