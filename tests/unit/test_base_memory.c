#include "dscq/base/alloc.h"
#include "dscq/base/arena.h"
#include "support.h"

#include <signal.h>
#include <string.h>

START_TEST(blocks_are_aligned_and_cleared)
{
    for (size_t n = 0; n < 300; n += 7) {
        unsigned char *p = dscq_calloc(n, 3);
        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq((uintptr_t)p % 64, 0);
        for (size_t i = 0; i < 3 * n; i++)
            ck_assert_uint_eq(p[i], 0);
        dscq_free(p);
    }
    dscq_free(NULL);
}
END_TEST

START_TEST(sizes_that_overflow_are_refused)
{
    size_t v = 5;

    ck_assert_ptr_null(dscq_calloc(SIZE_MAX / 2, 3));
    ck_assert_ptr_null(dscq_malloc(SIZE_MAX, 1));
    ck_assert_ptr_null(dscq_malloc(3, SIZE_MAX / 2));
    ck_assert(!dscq_size_mul(&v, SIZE_MAX / 2, 3));
    ck_assert(dscq_size_mul(&v, SIZE_MAX / 2, 2) && v == SIZE_MAX - 1);
    ck_assert(dscq_size_mul(&v, SIZE_MAX, 0) && v == 0);
}
END_TEST

START_TEST(realloc_keeps_what_was_there)
{
    char *p = dscq_strdup("hello");

    p = dscq_realloc(p, 6, 1000);
    ck_assert_str_eq(p, "hello");
    p = dscq_realloc(p, 1000, 3);
    ck_assert_mem_eq(p, "hel", 3);
    char *q = dscq_realloc(p, 3, SIZE_MAX); /* NULL leaves p valid */
    ck_assert_ptr_null(q);
    ck_assert_mem_eq(p, "hel", 3);
    dscq_free(p);
    p = dscq_realloc(NULL, 0, 8);
    ck_assert_ptr_nonnull(p);
    dscq_free(p);
}
END_TEST

START_TEST(the_kth_allocation_fails_once)
{
    void *p[4];

    (void)dscq_alloc_fail_at(3);
    for (int i = 0; i < 4; i++)
        p[i] = dscq_malloc(1, 1);
    ck_assert_ptr_nonnull(p[0]);
    ck_assert_ptr_nonnull(p[1]);
    ck_assert_ptr_null(p[2]);
    ck_assert_ptr_nonnull(p[3]);
    ck_assert_uint_eq(dscq_alloc_fail_at(0), 4);
    for (int i = 0; i < 4; i++)
        dscq_free(p[i]);
}
END_TEST

START_TEST(an_arena_gives_what_was_planned)
{
    const size_t plan =
        dscq_arena_room(10, 4) + dscq_arena_room(1, 64) + dscq_arena_room(0, 8);
    void *base = dscq_malloc(plan, 1);
    dscq_arena a;

    ck_assert_uint_eq(dscq_arena_room(10, 4), 128);
    dscq_arena_init(&a, base, plan);
    float *x = dscq_arena_take(&a, 10, sizeof *x);
    ck_assert_ptr_eq(x, base);
    const size_t mark = dscq_arena_mark(&a);
    unsigned char *y = dscq_arena_take(&a, 1, 64);
    void *z = dscq_arena_take(&a, 0, 8);
    ck_assert(y != NULL && z != NULL && (uintptr_t)y % 64 == 0);
    memset(x, 1, 40);
    memset(y, 2, 64);
    ck_assert_uint_eq(a.used_bytes, plan);
    ck_assert_ptr_null(dscq_arena_take(&a, 1, 1));
    dscq_arena_release(&a, mark);
    ck_assert_ptr_eq(dscq_arena_take(&a, 1, 64), y);
    ck_assert_uint_eq(a.peak_bytes, plan);
    dscq_arena_clear(&a);
    ck_assert_uint_eq(a.used_bytes, 0);
    memset(base, 0, plan); /* the owner has it back */
    dscq_free(base);
}
END_TEST

START_TEST(an_arena_refuses_what_overflows)
{
    void *base = dscq_malloc(256, 1);
    dscq_arena a;

    dscq_arena_init(&a, base, 256);
    ck_assert_uint_eq(dscq_arena_room(SIZE_MAX / 2, 4), SIZE_MAX);
    ck_assert_ptr_null(dscq_arena_take(&a, SIZE_MAX / 2, 4));
    ck_assert_ptr_null(dscq_arena_take(&a, SIZE_MAX - 8, 1));
    ck_assert_ptr_null(dscq_arena_take(&a, 193, 1)); /* the gap does not fit */
    ck_assert_ptr_nonnull(dscq_arena_take(&a, 192, 1));
    dscq_arena_clear(&a);
    dscq_free(base);
}
END_TEST

START_TEST(a_misaligned_arena_is_a_bug)
{
    dscq_arena a;
    char *base = dscq_malloc(256, 1);

    dscq_arena_init(&a, base + 1, 64);
}
END_TEST

#if defined(__SANITIZE_ADDRESS__)
START_TEST(one_element_past_a_block_is_caught)
{
    dscq_arena a;
    void *base = dscq_malloc(512, 1);

    dscq_arena_init(&a, base, 512);
    volatile float *x = dscq_arena_take(&a, 16, sizeof *x);
    x[16] = 1.0f;
}
END_TEST
#endif

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("base/alloc and base/arena", &tc);

    tcase_add_test(tc, blocks_are_aligned_and_cleared);
    tcase_add_test(tc, sizes_that_overflow_are_refused);
    tcase_add_test(tc, realloc_keeps_what_was_there);
    tcase_add_test(tc, the_kth_allocation_fails_once);
    tcase_add_test(tc, an_arena_gives_what_was_planned);
    tcase_add_test(tc, an_arena_refuses_what_overflows);
    tcase_add_test_raise_signal(tc, a_misaligned_arena_is_a_bug, SIGABRT);
#if defined(__SANITIZE_ADDRESS__)
    tcase_add_exit_test(tc, one_element_past_a_block_is_caught, 1);
#endif
    return s;
}

int main(void)
{
    return test_run(make);
}
