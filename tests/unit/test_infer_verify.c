/* Digests: right ones pass, a changed network is found with its place. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/infer/verify.h"
#include "dscq/pack/pack.h"
#include "qmodel_random.h"
#include "support.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static dscq_qmodel *make(uint64_t seed)
{
    const qmodel_random_opts o = {.nodes = 9,
                                  .max_side = 8,
                                  .max_channels = 24,
                                  .wide = 1,
                                  .inputs = 1 + (int32_t)(seed % 3)};
    dscq_rng g = dscq_rng_seeded(seed);
    dscq_qmodel *m;
    void *in[3 * 3];
    dscq_error err;

    ck_assert_msg(qmodel_random(&m, &g, &o, &err) == DSCQ_OK, "%s", err.msg);
    const int32_t count = 3 * m->input_count;
    for (int32_t i = 0; i < count; i++) {
        const dscq_qtensor *t = &m->tensor[m->input[i % m->input_count].tensor];
        in[i] = dscq_calloc(dscq_qtensor_bytes(t), 1);
        qmodel_random_codes(t, in[i], &g);
    }
    ck_assert_msg(dscq_infer_make_digests(m, 3, (const void *const *)in, &err) ==
                      DSCQ_OK,
                  "%s", err.msg);
    for (int32_t i = 0; i < count; i++)
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
    dscq_qmodel *m = make(6);
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

/* x + y, each with codes of its own. */
static dscq_qmodel *sum_of_two(void)
{
    dscq_qmodel *m;
    dscq_error err;

    ck_assert_int_eq(dscq_qmodel_create(&m, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_qmodel_reserve(m, 3, 1, 2, 1, &err), DSCQ_OK);
    for (int32_t i = 0; i < 3; i++) {
        (void)snprintf(m->tensor[i].name, 64, "t%d", i);
        m->tensor[i].h = 5;
        m->tensor[i].w = 1;
        m->tensor[i].c = 5;
        m->tensor[i].bits = i == 1 ? 12 : 8; /* one byte a code, and two */
        m->tensor[i].scale = 1;
    }
    m->input[1].tensor = 1;
    m->output[0].tensor = 2;
    (void)snprintf(m->output[0].role, 32, "raw");
    (void)snprintf(m->node[0].name, 64, "sum");
    m->node[0].op = DSCQ_Q_ADD;
    m->node[0].input_count = 2;
    m->node[0].input[1] = 1;
    m->node[0].output = 2;
    m->node[0].clamp_lo = -128;
    m->node[0].clamp_hi = 127;
    ck_assert_int_eq(dscq_qnode_reserve(&m->node[0], 2, &err), DSCQ_OK);
    m->node[0].mult[0] = 128; /* x + y / 16 */
    m->node[0].mult[1] = 8;
    ck_assert_msg(dscq_qmodel_check(m, &err) == DSCQ_OK, "%s", err.msg);
    return m;
}

START_TEST(every_input_has_codes_of_its_own)
{
    dscq_qmodel *m = sum_of_two(), *back;
    uint8_t x[25] = {1}, *data;
    uint16_t y[25] = {0, 100};
    const void *const in[] = {x, y};
    size_t bytes, standard_bytes;
    dscq_error err;

    ck_assert_int_eq(dscq_infer_make_digests(m, 2, NULL, &err), DSCQ_OK);
    ck_assert_ptr_null(m->digest_input); /* the standard ones take no room */
    ck_assert_uint_ne(m->digest[0], m->digest[1]);
    ck_assert_int_eq(dscq_pack_encode(&data, &standard_bytes, m, NULL, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_pack_decode(&back, data, standard_bytes, &err), DSCQ_OK);
    ck_assert_msg(dscq_infer_verify(NULL, back, NULL, &err) == DSCQ_OK, "%s", err.msg);
    dscq_qmodel_destroy(back);
    dscq_free(data);
    ck_assert_int_eq(dscq_infer_make_digests(m, 1, in, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_pack_encode(&data, &bytes, m, NULL, &err), DSCQ_OK);
    ck_assert_uint_eq(bytes, standard_bytes - 4 + 25 + 50); /* a digest less */
    ck_assert_int_eq(dscq_pack_decode(&back, data, bytes, &err), DSCQ_OK);
    ck_assert_mem_eq(back->digest_input, x, 25);
    ck_assert_mem_eq(back->digest_input + 26, y, 50); /* wide codes are aligned */
    ck_assert_int_eq(dscq_infer_verify(NULL, back, NULL, &err), DSCQ_OK);
    back->digest_input[26] = 99; /* the second input, first code */
    ck_assert_int_eq(dscq_infer_verify(NULL, back, NULL, &err), DSCQ_MISMATCH);
    dscq_qmodel_destroy(back);
    dscq_qmodel_destroy(m);
    dscq_free(data);
}
END_TEST

/* SplitMix64 of state i * inputs + j + 1, as docs/format.md section 8 has it. */
START_TEST(standard_inputs_are_those_of_the_document)
{
    dscq_qmodel *m = sum_of_two();
    uint16_t data[13 + 25];
    uint64_t s = 1 * 2 + 1 + 1; /* digest input 1, input 1 */
    const void *at[2];

    dscq_qmodel_standard_codes(m, 1, data);
    dscq_qmodel_inputs_of(m, data, at);
    ck_assert_ptr_eq(at[1], data + 13);
    for (size_t i = 0; i < 25; i++) {
        s += UINT64_C(0x9e3779b97f4a7c15);
        uint64_t z = (s ^ s >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        z ^= z >> 31;
        ck_assert_int_eq(dscq_qtensor_get(&m->tensor[1], at[1], i),
                         -2048 + (int32_t)((z >> 32) % 4096));
    }
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

static Suite *make_suite(void)
{
    Suite *s = suite_create("infer_verify");
    TCase *tc = tcase_create("verify");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, an_unchanged_file_verifies, 0, 20);
    tcase_add_test(tc, a_changed_layer_is_named);
    tcase_add_test(tc, every_input_has_codes_of_its_own);
    tcase_add_test(tc, standard_inputs_are_those_of_the_document);
    tcase_add_test(tc, a_dump_is_compared_code_by_code);
    tcase_add_test(tc, without_digests_there_is_nothing_to_verify);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return test_run(make_suite);
}
