#include "dscq/base/io.h"
#include "dscq/base/spill.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

START_TEST(what_is_put_comes_back)
{
    const char text[] = "weights of an epoch";
    char back[sizeof text] = "";
    dscq_error err = {DSCQ_OK, ""};
    dscq_spill *s = NULL;

    test_ok(dscq_spill_create(&s, 1000, "", &err));
    test_ok(dscq_spill_put(s, 1000 - sizeof text, text, sizeof text, &err));
    test_ok(dscq_spill_put(s, 0, "x", 1, &err));
    test_ok(dscq_spill_get(s, 1000 - sizeof text, back, sizeof back, &err));
    ck_assert_str_eq(back, text);
    test_ok(dscq_spill_get(s, 500, back, 4, &err)); /* reserved: zeros */
    ck_assert_mem_eq(back, "\0\0\0\0", 4);
    dscq_spill_destroy(s);
    dscq_spill_destroy(NULL);
}
END_TEST

/* Nothing is left behind, not even while it is in use. */
START_TEST(the_file_has_no_name)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_spill *s = NULL;
    dscq_dir list;

    test_ok(dscq_path_make_dirs(test_path("spills"), &err));
    test_ok(dscq_spill_create(&s, 100, test_path("spills"), &err));
    test_ok(dscq_dir_list(&list, test_path("spills"), &err));
    ck_assert_uint_eq(list.count, 0);
    dscq_dir_free(&list);
    dscq_spill_destroy(s);
}
END_TEST

START_TEST(a_folder_that_cannot_be_written_is_named)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_spill *s = NULL;

    ck_assert_int_eq(dscq_spill_create(&s, 100, test_path("absent"), &err), DSCQ_IO);
    ck_assert_ptr_null(s);
    ck_assert_ptr_nonnull(strstr(err.msg, "absent: cannot keep 100 bytes"));
    ck_assert_ptr_nonnull(strstr(err.msg, "(make room, or choose another folder)"));
}
END_TEST

static dscq_status create_op(void *ctx, dscq_error *err)
{
    dscq_spill *s = NULL;
    const dscq_status status = dscq_spill_create(&s, 100, "", err);

    (void)ctx;
    dscq_spill_destroy(s);
    return status;
}

START_TEST(no_memory_is_reported)
{
    ck_assert_uint_ge(test_each_alloc_fails(create_op, NULL), 1);
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("base/spill", &tc);

    tcase_add_test(tc, what_is_put_comes_back);
    tcase_add_test(tc, the_file_has_no_name);
    tcase_add_test(tc, a_folder_that_cannot_be_written_is_named);
    tcase_add_test(tc, no_memory_is_reported);
    return s;
}

int main(void)
{
    return test_run(make);
}
