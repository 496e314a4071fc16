#include "test_tensor_util.h"

static const size_t lengths[] = {1, 5, 8, 16, 31, 64, 100, 1000, 9001};

START_TEST(elementwise_arithmetic_agrees)
{
    const dscq_kernels *k = family_at(_i);
    dscq_rng r = dscq_rng_seeded(1);

    for (size_t j = 0; k != NULL && j < COUNT_OF(lengths); j++) {
        const size_t n = lengths[j];
        float *x = randoms(&r, n), *y = randoms(&r, n), *out = floats(n);

        k->add(x, y, out, n);
        for (size_t i = 0; i < n; i++)
            ck_assert(out[i] == x[i] + y[i]);
        k->mul(x, y, out, n);
        for (size_t i = 0; i < n; i++)
            ck_assert(out[i] == x[i] * y[i]);
        k->scale(3, x, out, n);
        for (size_t i = 0; i < n; i++)
            ck_assert(out[i] == 3 * x[i]);
        k->axpy(0.5F, y, out, n);
        for (size_t i = 0; i < n; i++)
            ck_assert(
                close_to((double)out[i], 3 * (double)x[i] + (double)y[i] / 2, 1e-6));
        floats_free(x);
        floats_free(y);
        floats_free(out);
    }
}
END_TEST

START_TEST(sums_are_near_exact_and_repeatable)
{
    const dscq_kernels *k = family_at(_i);
    dscq_rng r = dscq_rng_seeded(2);

    for (size_t j = 0; k != NULL && j < COUNT_OF(lengths); j++) {
        const size_t n = lengths[j];
        float *x = randoms(&r, n), *y = randoms(&r, n), lo, hi, most = 0;
        double s = 0, d = 0;

        for (size_t i = 0; i < n; i++) {
            s += (double)x[i];
            d += (double)x[i] * (double)y[i];
            most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
        }
        ck_assert_double_eq_tol(k->sum(x, n), s, 3e-5 * sqrt((double)n));
        ck_assert_double_eq_tol(k->dot(x, y, n), d, 3e-5 * sqrt((double)n));
        ck_assert(k->dot(x, y, n) == k->dot(x, y, n));
        ck_assert(k->abs_max(x, n) == most);
        x[n / 2] = -9;
        k->min_max(x, n, &lo, &hi);
        ck_assert(lo == -9 && (n == 1 ? hi == -9 : hi <= 2));
        ck_assert(k->abs_max(x, n) == 9);
        floats_free(x);
        floats_free(y);
    }
    if (k != NULL) {
        ck_assert(k->sum(NULL, 0) == 0);
        ck_assert(k->abs_max(NULL, 0) == 0);
    }
}
END_TEST

START_TEST(histogram_puts_edges_and_nan_where_it_says)
{
    const dscq_kernels *k = family_at(_i);
    const float x[] = {0, -0.24F, 0.25F, -0.5F, 0.99F, 1, -7, NAN};
    uint64_t count[4] = {10, 0, 0, 0};

    if (k == NULL)
        return;
    k->abs_histogram(x, COUNT_OF(x), 1, count, 4);
    ck_assert_uint_eq(count[0], 12);
    ck_assert_uint_eq(count[1], 1);
    ck_assert_uint_eq(count[2], 1);
    ck_assert_uint_eq(count[3], 4);
}
END_TEST

START_TEST(quantise_rounds_half_to_even_and_clamps)
{
    const dscq_kernels *k = family_at(_i);
    const dscq_fake_quant q = {0.5F, 1, -4, 3};
    const float x[] = {0, 0.25F, 0.75F, -0.25F, 100, -100, 0.3F};
    const float want[] = {0, 0, 1, 0, 1, -2.5F, 0.5F};
    float out[COUNT_OF(x)];

    if (k == NULL)
        return;
    k->quantise(&q, x, out, COUNT_OF(x));
    for (size_t i = 0; i < COUNT_OF(x); i++)
        ck_assert_msg(out[i] == want[i], "quantise(%g) = %g", (double)x[i],
                      (double)out[i]);
}
END_TEST

START_TEST(softmax_sums_to_one_and_survives_large_logits)
{
    const dscq_kernels *k = family_at(_i);
    dscq_rng r = dscq_rng_seeded(4);

    for (size_t j = 0; k != NULL && j < COUNT_OF(lengths); j++) {
        const size_t n = lengths[j];
        float *x = randoms(&r, 2 * n);
        double total = 0, most = -1e30;

        x[n] = 1000;
        for (size_t i = 0; i < n; i++)
            most = (double)x[i] > most ? (double)x[i] : most;
        for (size_t i = 0; i < n; i++)
            total += exp((double)x[i] - most);
        float *out = floats(2 * n);
        k->softmax(x, out, 2, n);
        for (size_t i = 0; i < n; i++)
            ck_assert(close_to((double)out[i], exp((double)x[i] - most) / total, 1e-6));
        ck_assert_double_eq_tol((double)out[n], 1, 1e-6);
        floats_free(x);
        floats_free(out);
    }
}
END_TEST

/* _i counts families; each formula is written out again in double. */
START_TEST(optimisers_follow_their_formulas)
{
    const dscq_kernels *k = family_at(_i);
    dscq_rng r = dscq_rng_seeded(6);
    const size_t n = 37;

    for (int nesterov = 0; k != NULL && nesterov < 2; nesterov++) {
        const dscq_sgd o = {0.1F, 0.9F, 0.01F, nesterov};
        const dscq_adam a = {0.01F, 0.9F, 0.99F, 1e-8F, 0.1F, 1 / (1 - 0.81F), 50};
        float *w = randoms(&r, n), *v = randoms(&r, n), *g = randoms(&r, n);
        float *m = randoms(&r, n), *old = floats(n), *before = floats(n);

        memcpy(old, w, n * sizeof *w);
        memcpy(before, v, n * sizeof *v);
        k->sgd(&o, w, v, g, n);
        for (size_t i = 0; i < n; i++) {
            double grad = (double)g[i] + 0.01 * (double)old[i];
            double speed = 0.9 * (double)before[i] + grad;

            ck_assert(close_to((double)v[i], speed, 1e-6));
            speed = nesterov ? grad + 0.9 * speed : speed;
            ck_assert(close_to((double)w[i], (double)old[i] - 0.1 * speed, 1e-6));
            v[i] = fabsf(v[i]);
            before[i] = v[i];
            old[i] = w[i];
        }
        float *first = floats(n);
        memcpy(first, m, n * sizeof *m);
        k->adam(&a, w, m, v, g, n);
        for (size_t i = 0; i < n; i++) {
            double x = 0.9 * (double)first[i] + 0.1 * (double)g[i];
            double y = 0.99 * (double)before[i] + 0.01 * pow((double)g[i], 2);
            double by = x * (double)a.m_scale / (sqrt(y * 50) + 1e-8);

            ck_assert(close_to((double)m[i], x, 2e-6));
            ck_assert(close_to((double)v[i], y, 2e-6));
            ck_assert(close_to((double)w[i],
                               (double)old[i] - 0.01 * (by + 0.1 * (double)old[i]),
                               2e-6));
        }
        floats_free(w);
        floats_free(v);
        floats_free(g);
        floats_free(m);
        floats_free(old);
        floats_free(before);
        floats_free(first);
    }
}
END_TEST

START_TEST(transpose_of_transpose_is_the_matrix)
{
    const dscq_kernels *k = family_at(_i);
    dscq_rng r = dscq_rng_seeded(9);
    float *x = randoms(&r, 35 * 18), *y = floats(35 * 18), *z = floats(35 * 18);

    if (k != NULL) {
        k->transpose(y, x, 35, 18);
        ck_assert(y[3 * 35 + 20] == x[20 * 18 + 3]);
        k->transpose(z, y, 18, 35);
        ck_assert_mem_eq(x, z, 35 * 18 * sizeof *x);
    }
    floats_free(x);
    floats_free(y);
    floats_free(z);
}
END_TEST

START_TEST(row_strides_fit_and_avoid_powers_of_two)
{
    for (size_t c = 1; c < 3000; c++) {
        size_t s = dscq_row_stride(c);

        ck_assert(s >= c && s % 16 == 0 && s % 256 != 0 && s < c + 32);
    }
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("tensor_vec", &tc);

    tcase_add_loop_test(tc, elementwise_arithmetic_agrees, 0, FAMILY_MAX);
    tcase_add_loop_test(tc, sums_are_near_exact_and_repeatable, 0, FAMILY_MAX);
    tcase_add_loop_test(tc, histogram_puts_edges_and_nan_where_it_says, 0, FAMILY_MAX);
    tcase_add_loop_test(tc, quantise_rounds_half_to_even_and_clamps, 0, FAMILY_MAX);
    tcase_add_loop_test(tc, softmax_sums_to_one_and_survives_large_logits, 0,
                        FAMILY_MAX);
    tcase_add_loop_test(tc, optimisers_follow_their_formulas, 0, FAMILY_MAX);
    tcase_add_loop_test(tc, transpose_of_transpose_is_the_matrix, 0, FAMILY_MAX);
    tcase_add_test(tc, row_strides_fit_and_avoid_powers_of_two);
    return s;
}

int main(void)
{
    return test_run(make);
}
