#include "test_tensor_util.h"

static const size_t sizes[] = {1, 2, 3, 7, 8, 13, 16, 17, 24, 27, 33, 40, 48, 65};

typedef struct gemm_case {
    const dscq_kernels *k;
    size_t m, n, depth;
    int transposed; /* B given as [K][N] */
} gemm_case;

/* What on_store makes of a product p at column j, starting from the old value. */
static double stored(const dscq_on_store *s, double p, double old, size_t j,
                     double *before_act)
{
    p += s->add_to ? old : 0;
    p += s->bias != NULL ? (double)s->bias[j] : 0;
    *before_act = p;
    return dscq_act_value(s->act, (double)s->slope, p);
}

static void check_gemm(const gemm_case *t, dscq_rng *r, dscq_on_store s, int has_stat)
{
    const size_t lda = t->depth + 3, ldc = t->n + 2;
    const size_t stride[2] = {t->transposed ? t->n : 1, t->transposed ? 1 : t->depth};
    float *a = randoms(r, t->m * lda), *b = randoms(r, t->n * t->depth);
    float *c = randoms(r, t->m * ldc), *old = floats(t->m * ldc);
    float *bias = randoms(r, t->n), *sum = randoms(r, t->n), *sq = randoms(r, t->n);
    size_t packed_floats = t->k->gemm_packed_floats(t->n, t->depth);
    float *packed = dscq_malloc(packed_floats, sizeof *packed);
    double *want = doubles(t->m * t->n), *wsum = doubles(t->n), *wsq = doubles(t->n);
    double tol = 4e-7 * (4 + (double)t->depth), p;

    memcpy(old, c, t->m * ldc * sizeof *c);
    s.bias = s.bias != NULL ? bias : NULL;
    s.sum = has_stat ? sum : NULL;
    s.sum_sq = has_stat ? sq : NULL;
    for (size_t j = 0; j < t->n; j++) {
        wsum[j] = (double)sum[j];
        wsq[j] = (double)sq[j];
    }
    t->k->gemm_pack(packed, b, t->n, t->depth, stride[1], stride[0]);
    t->k->gemm(packed, a, lda, c, ldc, t->m, t->n, t->depth, &s);
    dscq_ref_gemm(want, a, lda, b, stride, (size_t[]){t->m, t->n, t->depth});
    for (size_t i = 0; i < t->m; i++)
        for (size_t j = 0; j < ldc; j++) {
            double was = (double)old[i * ldc + j], got = (double)c[i * ldc + j], y;

            if (j >= t->n) {
                ck_assert_double_eq(got, was);
                continue;
            }
            y = stored(&s, want[i * t->n + j], was, j, &p);
            wsum[j] += p;
            wsq[j] += p * p;
            ck_assert_msg(close_to(got, y, tol),
                          "%s %zux%zux%zu c[%zu,%zu] = %.9g, want %.9g", t->k->name,
                          t->m, t->n, t->depth, i, j, got, y);
        }
    if (has_stat) {
        all_close("sum", sum, wsum, t->n, 20 * tol);
        all_close("sum_sq", sq, wsq, t->n, 20 * tol);
    }
    floats_free(a);
    floats_free(b);
    floats_free(c);
    floats_free(old);
    floats_free(bias);
    floats_free(sum);
    floats_free(sq);
    dscq_free(packed);
    dscq_free(want);
    dscq_free(wsum);
    dscq_free(wsq);
}

START_TEST(gemm_agrees_for_all_small_sizes)
{
    const dscq_kernels *k = family_at(_i);
    dscq_rng r = dscq_rng_seeded(11);
    const dscq_on_store none = {0};

    for (size_t m = 0; k != NULL && m < COUNT_OF(sizes); m++)
        for (size_t n = 0; n < COUNT_OF(sizes); n++)
            for (size_t d = 0; d < COUNT_OF(sizes); d += 3) {
                gemm_case t = {k, sizes[m], sizes[n], sizes[d], (m + n) % 2 == 0};

                check_gemm(&t, &r, none, 0);
            }
}
END_TEST

START_TEST(gemm_finishes_its_result_in_order)
{
    const dscq_kernels *k = family_at(_i);
    dscq_rng r = dscq_rng_seeded(12);
    static const float yes = 1;

    for (int act = 0; k != NULL && act < DSCQ_ACT_COUNT; act++)
        for (int bits = 0; bits < 8; bits++)
            for (size_t n = 3; n < 40; n += 12) {
                const dscq_on_store s = {bits & 1, bits & 2 ? &yes : NULL, NULL,
                                         NULL,     (dscq_act)act,          0.3F,
                                         0};
                gemm_case t = {k, 29, n, 10, 0};

                check_gemm(&t, &r, s, bits & 4);
            }
}
END_TEST

/* Several blocks of k and of rows. */
START_TEST(gemm_agrees_where_k_and_rows_are_blocked)
{
    const dscq_kernels *k = family_at(_i);
    dscq_rng r = dscq_rng_seeded(13);
    static const float yes = 1;
    const dscq_on_store s = {1, &yes, NULL, NULL, DSCQ_ACT_RELU6, 0, 0};
    const dscq_on_store swish = {0, &yes, NULL, NULL, DSCQ_ACT_SWISH, 0, 0};
    const gemm_case big[] = {
        {k, 131, 20, 1100, 0}, {k, 300, 10, 513, 1}, {k, 1, 70, 1025, 0}};

    for (size_t i = 0; k != NULL && i < COUNT_OF(big); i++) {
        check_gemm(&big[i], &r, s, 1);
        check_gemm(&big[i], &r, swish, 1);
    }
}
END_TEST

START_TEST(gemm_without_depth_gives_the_bias)
{
    const dscq_kernels *k = family_at(_i);
    const float bias[3] = {1, -2, 3};
    const dscq_on_store s = {0, bias, NULL, NULL, DSCQ_ACT_RELU, 0, 0};
    float c[6] = {9, 9, 9, 9, 9, 9}, packed[1] = {0};

    if (k == NULL)
        return;
    ck_assert_uint_eq(k->gemm_packed_floats(3, 0), 0);
    k->gemm(packed, bias, 0, c, 3, 2, 3, 0, &s);
    for (int i = 0; i < 6; i++)
        ck_assert_double_eq((double)c[i], (double)(bias[i % 3] > 0 ? bias[i % 3] : 0));
}
END_TEST

static void check_tn(const dscq_kernels *k, dscq_rng *r, const size_t rnk[3], int add)
{
    const size_t rows = rnk[0], n = rnk[1], depth = rnk[2], ld = depth + 1;
    float *g = randoms(r, rows * n), *x = randoms(r, rows * depth);
    float *dw = randoms(r, n * ld), *old = floats(n * ld);
    float *scratch = dscq_malloc(k->gemm_tn_scratch_floats(n, depth), sizeof *scratch);
    double *want = doubles(n * depth);

    memcpy(old, dw, n * ld * sizeof *dw);
    k->gemm_tn(g, n, x, depth, rows, n, depth, dw, ld, add, scratch);
    dscq_ref_gemm_tn(want, g, x, rows, n, depth);
    for (size_t i = 0; i < n * ld; i++) {
        double was = add || i % ld >= depth ? (double)old[i] : 0, got = (double)dw[i];
        double y = i % ld < depth ? want[i / ld * depth + i % ld] : 0;

        ck_assert_msg(close_to(got, was + y, 4e-7 * (4 + (double)rows)),
                      "%s rows %zu n %zu k %zu dw[%zu] = %.9g, want %.9g", k->name,
                      rows, n, depth, i, got, was + y);
    }
    floats_free(g);
    floats_free(x);
    floats_free(dw);
    floats_free(old);
    dscq_free(scratch);
    dscq_free(want);
}

START_TEST(weight_gradient_agrees_for_all_small_sizes)
{
    const dscq_kernels *k = family_at(_i);
    dscq_rng r = dscq_rng_seeded(14);
    static const size_t more[][3] = {
        {0, 5, 5}, {600, 9, 70}, {257, 110, 33}, {300, 200, 5}, {513, 16, 8}};

    for (size_t n = 0; k != NULL && n < COUNT_OF(sizes); n++)
        for (size_t d = 0; d < COUNT_OF(sizes); d++)
            check_tn(k, &r, (size_t[]){1 + n * 7 + d, sizes[n], sizes[d]}, d % 2 == 0);
    for (size_t i = 0; k != NULL && i < COUNT_OF(more); i++)
        for (int add = 0; add < 2; add++)
            check_tn(k, &r, more[i], add);
}
END_TEST

/* Work is split by rows: the pieces must be the bytes of the whole. */
START_TEST(rows_do_not_influence_each_other)
{
    const dscq_kernels *k = family_at(_i);
    dscq_rng r = dscq_rng_seeded(15);
    float *a = randoms(&r, 50 * 30), *b = randoms(&r, 30 * 21), *c = floats(50 * 21);
    float *d = floats(50 * 21), packed[32 * 30 * 2] __attribute__((aligned(64)));

    for (size_t m = 1; k != NULL && m < 50; m += 5) {
        k->gemm_pack(packed, b, 21, 30, 30, 1);
        k->gemm(packed, a, 30, c, 21, 50, 21, 30, NULL);
        k->gemm(packed, a, 30, d, 21, m, 21, 30, NULL);
        k->gemm(packed, a + m * 30, 30, d + m * 21, 21, 50 - m, 21, 30, NULL);
        ck_assert_mem_eq(c, d, 50 * 21 * sizeof *c);
    }
    floats_free(a);
    floats_free(b);
    floats_free(c);
    floats_free(d);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("tensor_gemm", &tc);

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, gemm_agrees_for_all_small_sizes, 0, FAMILY_MAX);
    tcase_add_loop_test(tc, gemm_finishes_its_result_in_order, 0, FAMILY_MAX);
    tcase_add_loop_test(tc, gemm_agrees_where_k_and_rows_are_blocked, 0, FAMILY_MAX);
    tcase_add_loop_test(tc, gemm_without_depth_gives_the_bias, 0, FAMILY_MAX);
    tcase_add_loop_test(tc, weight_gradient_agrees_for_all_small_sizes, 0, FAMILY_MAX);
    tcase_add_loop_test(tc, rows_do_not_influence_each_other, 0, FAMILY_MAX);
    return s;
}

int main(void)
{
    return test_run(make);
}
