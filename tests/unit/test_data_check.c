/* dscq_dataset_check: all problems of a data set at once. */
#include "dscq/base/alloc.h"
#include "test_data_util.h"

static size_t count_kind(const dscq_table *t, const char *severity, const char *kind)
{
    const size_t s = (size_t)dscq_table_find(t, "severity");
    const size_t k = (size_t)dscq_table_find(t, "kind");
    size_t n = 0;

    for (size_t r = 0; r < dscq_table_rows(t); r++)
        n += strcmp(dscq_table_text(t, r, s), severity) == 0 &&
             strcmp(dscq_table_text(t, r, k), kind) == 0;
    return n;
}

static const char *text_of(const dscq_table *t, const char *kind, const char *column)
{
    for (size_t r = 0; r < dscq_table_rows(t); r++)
        if (strcmp(dscq_table_text(t, r, (size_t)dscq_table_find(t, "kind")), kind) ==
            0)
            return dscq_table_text(t, r, (size_t)dscq_table_find(t, column));
    return "";
}

static size_t check(dscq_table **t, const char *settings)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_data_params p;
    size_t errors = 0;
    dscq_data_seen seen;

    test_ok(data_settings(&p, settings, &err));
    test_ok(dscq_problems_create(t, &err));
    test_ok(dscq_dataset_check(*t, &errors, &seen, &p, test_path(""), NULL, &err));
    return errors;
}

START_TEST(a_clean_set_has_no_problems)
{
    dscq_table *t;

    ck_assert_uint_eq(check(&t, "type=signs width=16 height=16 count=60 classes=3"), 0);
    ck_assert_uint_eq(dscq_table_rows(t), 0);
    dscq_table_destroy(t);
}
END_TEST

START_TEST(all_problems_of_a_folder_are_found)
{
    dscq_table *t;
    char name[64];

    data_make_dir("a/car");
    data_make_dir("a/cart");
    data_make_dir("a/none");
    data_make_dir("b/car");
    for (int i = 0; i < 24; i++) {
        (void)snprintf(name, sizeof name, "a/car/%02d.png", i);
        data_write_png(name, 6, 6, 3, (unsigned)i);
    }
    data_write_png("a/cart/1.png", 6, 6, 3, 100);
    data_write_png("a/cart/2.png", 6, 6, 3, 3); /* as car/03: two labels */
    data_write_png("b/car/1.png", 6, 6, 3, 5);  /* as a/car/05           */
    (void)test_file("a/car/x.png", "no picture");
    (void)test_file_bytes("a/car/y.jpg", "\xff\xd8\xff\xe0", 4);
    ck_assert_uint_eq(check(&t, "type=folder train=a test=b width=8 height=8"), 2);
    ck_assert_uint_eq(count_kind(t, "error", "unreadable"), 2);
    ck_assert_uint_eq(count_kind(t, "warning", "conflicting_label"), 1);
    ck_assert_uint_eq(count_kind(t, "warning", "in_train_and_test"), 1);
    ck_assert_uint_eq(count_kind(t, "warning", "name_collision"), 1);
    ck_assert_uint_eq(count_kind(t, "warning", "imbalance"), 1);
    ck_assert_uint_ge(count_kind(t, "warning", "empty_class"), 1);
    ck_assert_ptr_nonnull(strstr(text_of(t, "unreadable", "text"), "x.png: neither"));
    ck_assert_ptr_nonnull(
        strstr(text_of(t, "in_train_and_test", "file"), "b/car/1.png"));
    dscq_table_destroy(t);
}
END_TEST

START_TEST(all_problems_of_boxes_are_found)
{
    dscq_table *t;

    data_make_dir("y/images");
    data_make_dir("y/labels");
    data_write_png("y/images/1.png", 6, 6, 3, 1);
    data_write_png("y/images/2.png", 6, 6, 3, 2);
    data_write_png("y/images/3.png", 6, 6, 3, 3);
    data_write_png("y/images/4.png", 6, 6, 3, 4);
    (void)test_file("y/labels/1.txt", "0 .5 .5 .5 .5\n0 .5 .5 0 .5\n");
    (void)test_file("y/labels/2.txt", "0 .5 .5 .5\n");
    (void)test_file("y/labels/3.txt", "\n7 .5 .5 .5 .5\n");
    (void)test_file("c.names", "thing\n");
    ck_assert_uint_eq(
        check(&t,
              "type=yolo train=y/images names=c.names width=8 height=8 mean=0 std=1"),
        2);
    ck_assert_uint_eq(count_kind(t, "error", "bad_boxes"), 2);
    ck_assert_uint_eq(count_kind(t, "warning", "empty_box"), 1);
    ck_assert_uint_eq(count_kind(t, "warning", "missing_label"), 1);
    dscq_table_destroy(t);
}
END_TEST

START_TEST(a_source_that_cannot_be_opened_is_a_row)
{
    dscq_table *t;

    ck_assert_uint_eq(check(&t, "type=folder train=missing width=8 height=8"), 1);
    ck_assert_uint_eq(count_kind(t, "error", "bad_source"), 1);
    dscq_table_destroy(t);
    data_make_dir("ok/a");
    data_write_png("ok/a/1.png", 6, 6, 3, 1);
    data_write_png("ok/a/2.png", 6, 6, 3, 2);
    ck_assert_uint_eq(check(&t, "type=folder train=ok test=missing width=8 height=8"),
                      1);
    ck_assert_uint_eq(count_kind(t, "warning", "one_class"), 1);
    dscq_table_destroy(t);
    ck_assert_uint_eq(check(&t, "type=folder train=ok width=8 height=8 std=1,2"), 1);
    ck_assert_uint_eq(count_kind(t, "error", "settings"), 1);
    dscq_table_destroy(t);
}
END_TEST

static dscq_status check_here(void *ctx, dscq_error *err)
{
    dscq_data_params p;
    dscq_table *t = NULL;
    dscq_data_seen seen;
    size_t errors = 0;

    (void)ctx;
    dscq_status status = data_settings(
        &p, "type=signs width=12 height=12 count=9 classes=3 cache_mb=0", err);
    if (status == DSCQ_OK)
        status = dscq_problems_create(&t, err);
    if (status == DSCQ_OK)
        status = dscq_dataset_check(t, &errors, &seen, &p, ".", NULL, err);
    dscq_table_destroy(t);
    return status;
}

START_TEST(no_memory_is_reported)
{
    ck_assert_uint_ge(test_each_alloc_fails(check_here, NULL), 10);
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("data/check", &tc);

    tcase_add_test(tc, a_clean_set_has_no_problems);
    tcase_add_test(tc, all_problems_of_a_folder_are_found);
    tcase_add_test(tc, all_problems_of_boxes_are_found);
    tcase_add_test(tc, a_source_that_cannot_be_opened_is_a_row);
    tcase_add_test(tc, no_memory_is_reported);
    return s;
}

int main(void)
{
    return test_run(make);
}
