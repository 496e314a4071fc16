/* Checkpoints: what is written comes back; what is damaged is refused. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/nn/checkpoint.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

#define HEAD "[net]\nwidth=4\nheight=4\nchannels=2\n"
#define STEM                                                                           \
    "[convolutional]\nname=stem\nfilters=3\nsize=3\nbatch_normalize=1\nactivation="    \
    "relu\n"
#define OUT(n) "[connected]\nname=out\noutput=" #n "\nactivation=linear\n"

static dscq_model *make(const char *text, uint64_t seed)
{
    dscq_config *cfg = NULL;
    dscq_model *m = NULL;
    dscq_error err = {0};
    const dscq_rng r = dscq_rng_seeded(seed);

    ck_assert_int_eq(dscq_config_parse(&cfg, text, strlen(text), "t.cfg", &err),
                     DSCQ_OK);
    ck_assert_msg(dscq_model_from_config(&m, cfg, "", &r, &err) == DSCQ_OK, "%s",
                  err.msg);
    dscq_config_destroy(cfg);
    return m;
}

static int same_weights(const dscq_model *a, const dscq_model *b, int32_t node)
{
    const dscq_weights *x = dscq_model_node(a, node)->weights;
    const dscq_weights *y = dscq_model_node(b, node)->weights;

    return x->count == y->count && memcmp(x->w, y->w, x->count * sizeof(float)) == 0;
}

START_TEST(weights_come_back)
{
    dscq_model *a = make(HEAD STEM OUT(5), 1), *b = make(HEAD STEM OUT(5), 2);
    dscq_error err = {0};
    dscq_match_report r = {0};

    dscq_model_node(a, 0)->weights->mean[1] = 7.5f;
    ck_assert_int_eq(dscq_model_save(a, test_path("w.ckpt"), &err), DSCQ_OK);
    ck_assert(!same_weights(a, b, 0));
    ck_assert_int_eq(
        dscq_model_load(b, test_path("w.ckpt"), DSCQ_MATCH_EXACT, &r, &err), DSCQ_OK);
    ck_assert(same_weights(a, b, 0) && same_weights(a, b, 1));
    ck_assert(dscq_model_node(b, 0)->weights->mean[1] == 7.5f);
    ck_assert_int_eq(r.loaded, 2);
    ck_assert_int_eq(r.missing + r.misfit + r.surplus, 0);
    dscq_model_destroy(a);
    dscq_model_destroy(b);
}
END_TEST

START_TEST(another_head_is_left_as_it_is)
{
    dscq_model *a = make(HEAD STEM OUT(5), 1), *b = make(HEAD STEM OUT(7), 2);
    dscq_model *fresh = make(HEAD STEM OUT(7), 2);
    dscq_error err = {0};
    dscq_match_report r = {0};
    const char *path = test_path("w.ckpt");

    ck_assert_int_eq(dscq_model_save(a, path, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_model_load(b, path, DSCQ_MATCH_EXACT, NULL, &err),
                     DSCQ_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.msg, "'out'"));
    ck_assert(same_weights(b, fresh, 0)); /* untouched */
    for (int how = DSCQ_MATCH_NAME; how <= DSCQ_MATCH_ORDER; how++) {
        ck_assert_int_eq(dscq_model_load(b, path, (dscq_match)how, &r, &err), DSCQ_OK);
        ck_assert(same_weights(a, b, 0) && same_weights(b, fresh, 1));
        ck_assert_int_eq(r.loaded, 1);
        ck_assert_int_eq(r.misfit, 1);
        ck_assert_int_eq(r.surplus, 1);
        ck_assert_str_eq(r.first_left, "out");
    }
    dscq_model_destroy(a);
    dscq_model_destroy(b);
    dscq_model_destroy(fresh);
}
END_TEST

START_TEST(other_names_load_by_order)
{
    dscq_model *a = make(HEAD STEM OUT(5), 1);
    dscq_model *b = make(HEAD "[convolutional]\nname=first\nfilters=3\nsize=3\n"
                              "batch_normalize=1\nactivation=relu\n[avgpool]\n"
                              "[connected]\noutput=9\nactivation=linear\n",
                         2);
    dscq_error err = {0};
    dscq_match_report r = {0};

    ck_assert_int_eq(dscq_model_save(a, test_path("w.ckpt"), &err), DSCQ_OK);
    ck_assert_int_eq(dscq_model_load(b, test_path("w.ckpt"), DSCQ_MATCH_NAME, &r, &err),
                     DSCQ_OK);
    ck_assert_int_eq(r.loaded, 0);
    ck_assert_int_eq(r.missing, 2);
    ck_assert_int_eq(
        dscq_model_load(b, test_path("w.ckpt"), DSCQ_MATCH_ORDER, &r, &err), DSCQ_OK);
    ck_assert_int_eq(r.loaded, 1);
    ck_assert(same_weights(a, b, 0));
    dscq_model_destroy(a);
    dscq_model_destroy(b);
}
END_TEST

START_TEST(every_damaged_byte_and_every_short_file_is_refused)
{
    dscq_model *a = make(HEAD STEM OUT(5), 1);
    dscq_error err = {0};
    dscq_checkpoint *c = NULL;
    uint8_t *data = NULL;
    size_t bytes;

    ck_assert_int_eq(dscq_model_save(a, test_path("w.ckpt"), &err), DSCQ_OK);
    ck_assert_int_eq(dscq_file_read(&data, &bytes, test_path("w.ckpt"), 1 << 20, &err),
                     DSCQ_OK);
    for (size_t i = 0; i < bytes; i++) {
        data[i] ^= 0x10;
        const char *path = test_file_bytes("bad.ckpt", data, bytes);
        ck_assert_msg(dscq_checkpoint_read(&c, path, &err) == DSCQ_FORMAT, "byte %zu",
                      i);
        ck_assert_ptr_null(c);
        ck_assert_ptr_nonnull(strstr(err.msg, "bad.ckpt"));
        data[i] ^= 0x10;
    }
    for (size_t n = 0; n < bytes; n += 1 + n / 16) {
        const char *path = test_file_bytes("bad.ckpt", data, n);
        ck_assert_msg(dscq_checkpoint_read(&c, path, &err) == DSCQ_FORMAT, "%zu bytes",
                      n);
    }
    uint8_t *more = dscq_calloc(bytes + 1, 1);
    memcpy(more, data, bytes);
    ck_assert_int_eq(
        dscq_checkpoint_read(&c, test_file_bytes("bad.ckpt", more, bytes + 1), &err),
        DSCQ_FORMAT);
    ck_assert_int_eq(dscq_checkpoint_read(&c, test_path("none.ckpt"), &err), DSCQ_IO);
    dscq_free(more);
    dscq_free(data);
    dscq_model_destroy(a);
}
END_TEST

START_TEST(entries_of_all_kinds_come_back)
{
    dscq_checkpoint *c = NULL;
    dscq_error err = {0};
    const double reals[] = {1.5, -0.0, 1e300};
    const int64_t ints[] = {-5, 1LL << 60};
    size_t count = 0;

    ck_assert_int_eq(dscq_checkpoint_create(&c, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_checkpoint_add(c, "r", DSCQ_ENTRY_F64, reals, 3, &err), 0);
    ck_assert_int_eq(dscq_checkpoint_add(c, "i", DSCQ_ENTRY_I64, ints, 2, &err), 0);
    ck_assert_int_eq(dscq_checkpoint_add(c, "t", DSCQ_ENTRY_TEXT, "words", 5, &err), 0);
    ck_assert_int_eq(dscq_checkpoint_add(c, "e", DSCQ_ENTRY_F32, NULL, 0, &err), 0);
    ck_assert_int_eq(dscq_checkpoint_add(c, "r", DSCQ_ENTRY_F64, reals, 3, &err),
                     DSCQ_FORMAT);
    ck_assert_int_eq(dscq_checkpoint_write(c, test_path("k.ckpt"), &err), DSCQ_OK);
    dscq_checkpoint_destroy(c);
    ck_assert_int_eq(dscq_checkpoint_read(&c, test_path("k.ckpt"), &err), DSCQ_OK);
    ck_assert_mem_eq(dscq_checkpoint_find(c, "r", DSCQ_ENTRY_F64, &count), reals, 24);
    ck_assert_uint_eq(count, 3);
    ck_assert_mem_eq(dscq_checkpoint_find(c, "i", DSCQ_ENTRY_I64, &count), ints, 16);
    ck_assert_str_eq(dscq_checkpoint_find(c, "t", DSCQ_ENTRY_TEXT, &count), "words");
    ck_assert_ptr_nonnull(dscq_checkpoint_find(c, "e", DSCQ_ENTRY_F32, &count));
    ck_assert_uint_eq(count, 0);
    ck_assert_ptr_null(dscq_checkpoint_find(c, "i", DSCQ_ENTRY_F32, &count));
    dscq_checkpoint_destroy(c);
}
END_TEST

static dscq_status save_op(void *ctx, dscq_error *err)
{
    return dscq_model_save(ctx, test_path("full.ckpt"), err);
}

START_TEST(a_full_disk_leaves_nothing_behind)
{
    dscq_model *a = make(HEAD STEM OUT(5), 1);

    ck_assert_uint_gt(test_each_write_fails(save_op, a), 0);
    ck_assert_uint_eq(test_file_count(test_path("")), 1);
    dscq_model_destroy(a);
}
END_TEST

static Suite *suite(void)
{
    TCase *tc;
    Suite *s = test_suite("nn_files", &tc);

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, weights_come_back);
    tcase_add_test(tc, another_head_is_left_as_it_is);
    tcase_add_test(tc, other_names_load_by_order);
    tcase_add_test(tc, every_damaged_byte_and_every_short_file_is_refused);
    tcase_add_test(tc, entries_of_all_kinds_come_back);
    tcase_add_test(tc, a_full_disk_leaves_nothing_behind);
    return s;
}

int main(void)
{
    return test_run(suite);
}
