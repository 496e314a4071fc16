#include "test_tensor_util.h"

static const size_t widths[] = {1, 3, 4, 7, 8, 10, 16, 17, 24, 32, 40, 64, 100, 515};
static const size_t heights[] = {0, 1, 2, 5, 33, 70};

static const dscq_fake_quant k_before = {0.07F, -2, -28, 35};

/* Nearly every real number is one operation away from a quantisation step, where
 * float and double may choose differently: compare as codes, one step apart allowed
 * for few. */
static int at_step(const dscq_fake_quant *q, double x)
{
    double at = x / (double)q->scale;

    return q != NULL && fabs(at - floor(at) - 0.5) < 1e-3;
}

static int at_kink(double x)
{
    return fabs(x) < 1e-4 || fabs(x - 6) < 1e-4 || fabs(fabs(x) - 3) < 1e-4;
}

typedef struct rows_case {
    const dscq_kernels *k;
    dscq_on_load f;
    size_t rows, c;
} rows_case;

static double affine(const rows_case *t, size_t i, float z)
{
    double a = t->f.a != NULL ? (double)t->f.a[i] : 1;
    double b = t->f.b != NULL ? (double)t->f.b[i] : 0;

    return a * (double)z + b;
}

static double argument(const rows_case *t, size_t i, float z)
{
    double x = affine(t, i, z);

    return t->f.before != NULL ? dscq_ref_quantise(t->f.before, x) : x;
}

/* Close to a step of either grid. */
static int is_unsure(const rows_case *t, size_t i, float z)
{
    double y = dscq_act_value(t->f.act, (double)t->f.slope, argument(t, i, z));

    return (t->f.before != NULL && at_step(t->f.before, affine(t, i, z))) ||
           (t->f.quant != NULL && at_step(t->f.quant, y));
}

static void check_load(const rows_case *t, dscq_rng *r, size_t gap)
{
    const size_t ldz = t->c + gap, ldy = t->c + 2 * gap;
    float *z = randoms(r, t->rows * ldz + 1), *y = floats(t->rows * ldy + 1);

    for (size_t i = 0; i <= t->rows * ldy; i++)
        y[i] = 77;
    t->k->load(&t->f, z, ldz, y, ldy, t->rows, t->c);
    for (size_t i = 0; i < t->rows * ldy; i++) {
        size_t c = i % ldy;
        float from;

        if (c >= t->c) {
            ck_assert_double_eq((double)y[i], (double)(77));
            continue;
        }
        from = z[i / ldy * ldz + c];
        if (is_unsure(t, c, from))
            continue;
        ck_assert_msg(
            close_to((double)y[i], dscq_ref_load(&t->f, c, (double)from), 2e-6),
            "%s %s rows %zu c %zu: y[%zu] = %.9g, want %.9g", t->k->name,
            dscq_act_name(t->f.act), t->rows, t->c, i, (double)y[i],
            dscq_ref_load(&t->f, c, (double)from));
    }
    floats_free(z);
    floats_free(y);
}

static void check_mask(const rows_case *t, dscq_rng *r, int adds, int far)
{
    const size_t n = t->rows * t->c;
    float *z = randoms(r, n), *g = randoms(r, n), *more = randoms(r, n),
          *out = floats(n);
    float *s1 = randoms(r, t->c), *s2 = randoms(r, t->c);
    double *want1 = doubles(t->c), *want2 = doubles(t->c);

    for (size_t c = 0; c < t->c; c++) {
        want1[c] = (double)s1[c];
        want2[c] = (double)s2[c];
    }
    t->k->mask(&t->f, z, g, adds ? more : NULL, out, t->rows, t->c, s1, s2, far);
    for (size_t i = 0; i < n; i++) {
        size_t c = i % t->c;
        double x = argument(t, c, z[i]);
        double want = ((double)g[i] + (adds ? (double)more[i] : 0)) *
                      dscq_ref_mask(&t->f, c, (double)z[i]);

        if (!at_kink(x) && !is_unsure(t, c, z[i]))
            ck_assert_msg(close_to((double)out[i], want, 4e-6),
                          "%s %s rows %zu c %zu: out[%zu] = %.9g, want %.9g",
                          t->k->name, dscq_act_name(t->f.act), t->rows, t->c, i,
                          (double)out[i], want);
        want1[c] += (double)out[i]; /* sums of what was stored */
        want2[c] += (double)out[i] * (double)z[i];
    }
    all_close("sum", s1, want1, t->c, 2e-5);
    all_close("sum_z", s2, want2, t->c, 2e-5);
    floats_free(z);
    floats_free(g);
    floats_free(more);
    floats_free(out);
    floats_free(s1);
    floats_free(s2);
    dscq_free(want1);
    dscq_free(want2);
}

static void each_shape(const dscq_kernels *k, dscq_on_load f, int is_short)
{
    dscq_rng r = dscq_rng_seeded(7);
    float *a = randoms(&r, 600), *b = randoms(&r, 600);
    int has_a = f.a != NULL, has_b = f.b != NULL;

    f.a = has_a ? a : NULL;
    f.b = has_b ? b : NULL;
    for (size_t i = 0; i < COUNT_OF(widths); i += is_short ? 4 : 1)
        for (size_t j = 0; j < COUNT_OF(heights); j++) {
            rows_case t = {k, f, heights[j], widths[i]};

            check_load(&t, &r, 0);
            check_load(&t, &r, 3);
            for (int how = 0; how < 4; how++)
                check_mask(&t, &r, how & 1, how >> 1);
        }
    floats_free(a);
    floats_free(b);
}

START_TEST(load_and_mask_agree_with_the_reference_for_every_activation)
{
    const dscq_kernels *k = family_at(_i);
    static const float yes = 1;
    const dscq_fake_quant q = {0.05F, 3, -20, 31};

    for (int act = 0; k != NULL && act < DSCQ_ACT_COUNT; act++) {
        dscq_on_load f = {.a = &yes, .b = &yes, .act = (dscq_act)act, .slope = 0.3F};

        each_shape(k, f, act > DSCQ_ACT_LEAKY);
        f.quant = &q;
        each_shape(k, f, 1);
        f.slope = 1.5F; /* leaky as a table */
        f.before = dscq_act_is_table(f.act, 1.5) ? &k_before : NULL;
        each_shape(k, f, 1);
        f.quant = NULL;
        each_shape(k, f, 1);
    }
}
END_TEST

START_TEST(missing_scale_or_shift_count_as_one_and_zero)
{
    const dscq_kernels *k = family_at(_i);
    static const float yes = 1;
    const dscq_on_load f[] = {{.act = DSCQ_ACT_LINEAR},
                              {.act = DSCQ_ACT_RELU},
                              {.b = &yes, .act = DSCQ_ACT_LEAKY, .slope = 0.1F},
                              {.a = &yes, .act = DSCQ_ACT_RELU6}};

    for (size_t i = 0; k != NULL && i < COUNT_OF(f); i++)
        each_shape(k, f[i], 0);
}
END_TEST

START_TEST(large_arguments_and_nan_keep_their_meaning)
{
    const dscq_kernels *k = family_at(_i);
    const float z[] = {-1e4F, -100, -30, 30, 100, 1e4F, NAN};
    float y[COUNT_OF(z)];

    for (int act = 0; k != NULL && act < DSCQ_ACT_COUNT; act++) {
        const dscq_on_load f = {.act = (dscq_act)act, .slope = 0.3F};

        k->load(&f, z, 1, y, 1, COUNT_OF(z), 1);
        for (size_t i = 0; i + 1 < COUNT_OF(z); i++)
            ck_assert_msg(
                close_to((double)y[i], dscq_ref_load(&f, 0, (double)z[i]), 2e-6),
                "%s(%g) = %g", dscq_act_name((dscq_act)act), (double)z[i],
                (double)y[i]);
        ck_assert_msg(isnan(y[6]) || act >= DSCQ_ACT_LOGISTIC, "%s loses a NaN",
                      dscq_act_name((dscq_act)act));
    }
}
END_TEST

START_TEST(mask_without_z_passes_the_gradient_and_its_sum)
{
    const dscq_kernels *k = family_at(_i);
    const float g[] = {1, 2, 3, 4, 5, 6};
    float out[6], sum[3] = {0, 10, 0};

    if (k == NULL)
        return;
    k->mask(NULL, NULL, g, g, out, 2, 3, sum, NULL, 0);
    for (int i = 0; i < 6; i++)
        ck_assert_double_eq((double)out[i], (double)(2 * g[i]));
    ck_assert_double_eq((double)sum[0], (double)(10));
    ck_assert_double_eq((double)sum[1], (double)(24));
    ck_assert_double_eq((double)sum[2], (double)(18));
}
END_TEST

static void check_bn(const dscq_kernels *k, dscq_rng *r, size_t rows, size_t c,
                     size_t gap)
{
    const size_t n = rows * c, ld = c + gap;
    float *z = randoms(r, n), *g = randoms(r, n), *d = floats(rows * ld), *co[3];
    float *s1 = randoms(r, c), *s2 = randoms(r, c);
    double *want1 = doubles(c), *want2 = doubles(c);

    for (int i = 0; i < 3; i++)
        co[i] = randoms(r, c);
    k->bn_back((const float *const[]){co[0], co[1], co[2]}, g, z, d, ld, rows, c);
    for (size_t i = 0; i < n; i++) {
        double want = (double)co[0][i % c] * (double)g[i] +
                      (double)co[1][i % c] * (double)z[i] + (double)co[2][i % c];

        ck_assert_msg(close_to((double)d[i / c * ld + i % c], want, 1e-6),
                      "bn_back %zu", i);
    }
    for (size_t i = 0; i < c; i++) {
        want1[i] = (double)s1[i];
        want2[i] = (double)s2[i];
    }
    for (size_t i = 0; i < n; i++) {
        want1[i % c] += (double)d[i / c * ld + i % c];
        want2[i % c] += pow((double)d[i / c * ld + i % c], 2);
    }
    k->stat(d, ld, rows, c, s1, s2);
    all_close("sum", s1, want1, c, 2e-5);
    all_close("sum_sq", s2, want2, c, 2e-5);
    k->stat(d, ld, rows, c, s1, NULL);
    k->add_rows(-0.5F, g, c, d, ld, rows, c);
    floats_free(z);
    floats_free(g);
    floats_free(d);
    floats_free(s1);
    floats_free(s2);
    dscq_free(want1);
    dscq_free(want2);
    for (int i = 0; i < 3; i++)
        floats_free(co[i]);
}

START_TEST(normalisation_backward_and_statistics_agree)
{
    const dscq_kernels *k = family_at(_i);
    dscq_rng r = dscq_rng_seeded(3);

    for (size_t i = 0; k != NULL && i < COUNT_OF(widths); i++)
        for (size_t j = 0; j < COUNT_OF(heights); j++) {
            check_bn(k, &r, heights[j], widths[i], 0);
            check_bn(k, &r, heights[j], widths[i], 5);
        }
}
END_TEST

START_TEST(portable_is_always_there_and_unknown_families_never)
{
    ck_assert_ptr_nonnull(dscq_kernels_get("portable"));
    ck_assert_ptr_null(dscq_kernels_get("mmx"));
    ck_assert_ptr_eq(dscq_kernels_get(NULL), dscq_kernels_get(dscq_kernels_family(0)));
    ck_assert_ptr_null(dscq_kernels_family(FAMILY_MAX));
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("tensor_rows", &tc);

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, load_and_mask_agree_with_the_reference_for_every_activation,
                        0, FAMILY_MAX);
    tcase_add_loop_test(tc, missing_scale_or_shift_count_as_one_and_zero, 0,
                        FAMILY_MAX);
    tcase_add_loop_test(tc, large_arguments_and_nan_keep_their_meaning, 0, FAMILY_MAX);
    tcase_add_loop_test(tc, mask_without_z_passes_the_gradient_and_its_sum, 0,
                        FAMILY_MAX);
    tcase_add_loop_test(tc, normalisation_backward_and_statistics_agree, 0, FAMILY_MAX);
    tcase_add_test(tc, portable_is_always_there_and_unknown_families_never);
    return s;
}

int main(void)
{
    return test_run(make);
}
