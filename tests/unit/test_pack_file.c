/* The file as a whole: what is written comes back, damage is refused. */
#include "dscq/base/alloc.h"
#include "dscq/pack/pack.h"
#include "pack_repair.h"
#include "qmodel_random.h"
#include "support.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static dscq_qmodel *make(uint64_t seed, int32_t nodes)
{
    const qmodel_random_opts o = {
        .nodes = nodes, .max_side = 9, .max_channels = 40, .wide = 1};
    dscq_rng g = dscq_rng_seeded(seed);
    dscq_qmodel *m;
    dscq_error err;

    ck_assert_msg(qmodel_random(&m, &g, &o, &err) == DSCQ_OK, "%s", err.msg);
    if (seed % 3 == 0) {
        m->class_count = 2;
        m->class_name = dscq_calloc(2, sizeof *m->class_name);
        (void)snprintf(m->class_name[0], 64, "no entry");
        (void)snprintf(m->class_name[1], 64, "B\xc3\xa4r");
        m->meta = dscq_strdup("method=none\nseed=1\n");
    }
    if (seed % 4 == 0) {
        const size_t bytes = dscq_qmodel_digest_bytes(m);
        m->digest_inputs = 2;
        m->digest_input = dscq_calloc(bytes, 2);
        for (size_t i = 0; i < 2; i++)
            qmodel_random_codes(&m->tensor[0], m->digest_input + i * bytes, &g);
        m->digest = dscq_calloc((size_t)m->node_count * 2, sizeof *m->digest);
        m->digest[0] = 0x12345678;
    }
    return m;
}

START_TEST(written_read_written_is_the_same)
{
    static const dscq_pack_profile profile[] = {DSCQ_PACK_KEEP, DSCQ_PACK_MACHINE,
                                                DSCQ_PACK_LOADED, DSCQ_PACK_ARCHIVE};
    dscq_qmodel *m = make((uint64_t)_i, 1 + _i);
    dscq_error err;

    for (size_t p = 0; p < 4; p++) {
        const dscq_pack_options o = {profile[p], -1, 0};
        dscq_qmodel *back;
        dscq_table *diff;
        uint8_t *a, *b;
        size_t na, nb;
        ck_assert_msg(dscq_pack_encode(&a, &na, m, &o, &err) == DSCQ_OK, "%s", err.msg);
        ck_assert_msg(dscq_pack_decode(&back, a, na, &err) == DSCQ_OK, "%s", err.msg);
        ck_assert_msg(dscq_pack_encode(&b, &nb, back, NULL, &err) == DSCQ_OK, "%s",
                      err.msg);
        ck_assert_uint_eq(na, nb);
        ck_assert_mem_eq(a, b, na);
        ck_assert_int_eq(dscq_pack_diff(&diff, m, back, &err), DSCQ_OK);
        ck_assert_msg(dscq_table_rows(diff) == 0, "%s differs",
                      dscq_table_text(diff, 0, 0));
        dscq_table_destroy(diff);
        dscq_qmodel_destroy(back);
        dscq_free(a);
        dscq_free(b);
    }
    dscq_qmodel_destroy(m);
}
END_TEST

/* Any single changed byte is refused; corruptions = tries spread over some files. */
static void corrupt(uint64_t seed, int tries)
{
    dscq_qmodel *m = make(seed, 8);
    dscq_rng g = dscq_rng_seeded(seed * 31 + 7);
    uint8_t *data;
    size_t bytes;
    dscq_error err;

    ck_assert_int_eq(dscq_pack_encode(&data, &bytes, m, NULL, &err), DSCQ_OK);
    for (int i = 0; i < tries; i++) {
        const size_t at = (size_t)dscq_rng_below(&g, bytes);
        const uint8_t was = data[at];
        dscq_qmodel *back = NULL;
        data[at] = (uint8_t)(was ^ (1 + dscq_rng_below(&g, 255)));
        const dscq_status status = dscq_pack_decode(&back, data, bytes, &err);
        ck_assert_msg(status == DSCQ_FORMAT || status == DSCQ_UNSUPPORTED,
                      "byte %zu of %zu changed from %u to %u: %s", at, bytes, was,
                      data[at], dscq_status_name(status));
        ck_assert_ptr_null(back);
        data[at] = was;
    }
    dscq_free(data);
    dscq_qmodel_destroy(m);
}

START_TEST(no_changed_byte_is_accepted)
{
    corrupt((uint64_t)_i, 1000);
}
END_TEST

START_TEST(damage_behind_right_checksums_is_survived)
{
    dscq_qmodel *m = make((uint64_t)_i, 10);
    dscq_rng g = dscq_rng_seeded((uint64_t)_i + 1000);
    const dscq_pack_options o = {_i % 2 ? DSCQ_PACK_ARCHIVE : DSCQ_PACK_NAMED, _i % 11,
                                 4};
    uint8_t *data, *copy;
    size_t bytes;
    dscq_error err;
    int refused = 0;

    ck_assert_int_eq(dscq_pack_encode(&data, &bytes, m, &o, &err), DSCQ_OK);
    copy = dscq_malloc(bytes, 1);
    uint32_t sections;
    memcpy(&sections, data + 12, 4);
    const size_t body = 32 + (size_t)sections * 24;
    for (int i = 0; i < 300; i++) {
        dscq_qmodel *back = NULL;
        memcpy(copy, data, bytes);
        const size_t at = body + (size_t)dscq_rng_below(&g, bytes - body);
        copy[at] = (uint8_t)dscq_rng_next(&g);
        ck_assert_uint_eq(pack_repair(copy), bytes);
        const dscq_status status = dscq_pack_decode(&back, copy, bytes, &err);
        refused += status != DSCQ_OK;
        if (status == DSCQ_OK) { /* then it is a network like any other */
            uint8_t *again;
            size_t n;
            ck_assert_int_eq(dscq_pack_encode(&again, &n, back, NULL, &err), DSCQ_OK);
            dscq_free(again);
        }
        dscq_qmodel_destroy(back);
    }
    ck_assert_int_gt(refused, 0);
    dscq_free(copy);
    dscq_free(data);
    dscq_qmodel_destroy(m);
}
END_TEST

START_TEST(every_shorter_file_is_refused)
{
    dscq_qmodel *m = make(12, 5);
    uint8_t *data;
    size_t bytes;
    dscq_error err;

    ck_assert_int_eq(dscq_pack_encode(&data, &bytes, m, NULL, &err), DSCQ_OK);
    for (size_t n = 0; n < bytes; n++) {
        dscq_qmodel *back;
        uint8_t *part =
            dscq_malloc(n, 1); /* exact, so that a sanitizer sees over-reads */
        memcpy(part, data, n);
        ck_assert_int_eq(dscq_pack_decode(&back, part, n, &err), DSCQ_FORMAT);
        dscq_free(part);
    }
    dscq_free(data);
    dscq_qmodel_destroy(m);
}
END_TEST

START_TEST(no_memory_is_survived)
{
    dscq_qmodel *m = make(12, 6), *back = NULL;
    uint8_t *data = NULL;
    size_t bytes;
    dscq_error err;
    dscq_status status = DSCQ_NOMEM;

    for (uint64_t k = 1; status != DSCQ_OK; k++) {
        (void)dscq_alloc_fail_at(k);
        status = dscq_pack_encode(&data, &bytes, m, NULL, &err);
        (void)dscq_alloc_fail_at(0);
        ck_assert_msg(status == DSCQ_OK || status == DSCQ_NOMEM, "%s", err.msg);
    }
    status = DSCQ_NOMEM;
    for (uint64_t k = 1; status != DSCQ_OK; k++) {
        (void)dscq_alloc_fail_at(k);
        status = dscq_pack_decode(&back, data, bytes, &err);
        (void)dscq_alloc_fail_at(0);
        ck_assert_msg(status == DSCQ_OK || status == DSCQ_NOMEM, "%s", err.msg);
        ck_assert_int_eq(back != NULL, status == DSCQ_OK);
    }
    dscq_free(data);
    dscq_qmodel_destroy(back);
    dscq_qmodel_destroy(m);
}
END_TEST

START_TEST(diff_names_what_changed)
{
    dscq_qmodel *a = make(20, 12), *b = make(20, 12);
    dscq_table *t;
    int32_t conv = 0;

    while (a->node[conv].weights == NULL)
        conv++;
    b->node[conv].bias[0] ^= 1;
    b->node[conv].clamp_hi -= 1;
    b->tensor[0].scale *= 2;
    ck_assert_int_eq(dscq_pack_diff(&t, a, b, NULL), DSCQ_OK);
    ck_assert_uint_eq(dscq_table_rows(t), 3);
    dscq_table_destroy(t);
    dscq_qmodel_destroy(a);
    dscq_qmodel_destroy(b);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("pack_file");
    TCase *tc = tcase_create("file");

    tcase_set_timeout(tc, 600);
    tcase_add_loop_test(tc, written_read_written_is_the_same, 0, 40);
    tcase_add_loop_test(tc, no_changed_byte_is_accepted, 0, 20);
    tcase_add_loop_test(tc, damage_behind_right_checksums_is_survived, 0, 44);
    tcase_add_test(tc, every_shorter_file_is_refused);
    tcase_add_test(tc, no_memory_is_survived);
    tcase_add_test(tc, diff_names_what_changed);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return test_run(make_suite);
}
