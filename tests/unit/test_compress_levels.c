#include "dscq/base/alloc.h"
#include "dscq/base/rng.h"
#include "dscq/compress/levels.h"
#include "dscq/compress/prune.h"
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const float k_toy[16] = {0.05F, -0.12F, 0.31F, -0.02F, 0.18F, -0.44F,
                                0.09F, -0.27F, 0.52F, -0.07F, 0.24F, -0.35F,
                                0.40F, -0.16F, 0.13F, -0.61F};

static void *scratch_for(size_t n)
{
    void *s = dscq_malloc(1, dscq_clipq_scratch_bytes(n));

    ck_assert_ptr_nonnull(s);
    return s;
}

/* 16 weights, p = 0.25, b = 2: docs/methods.md. */
START_TEST(worked_example)
{
    static const double k_want[16] = {0,       -0.225, 0.29667, 0,     0.29667, -0.525,
                                      0,       -0.225, 0.29667, 0,     0.29667, -0.225,
                                      0.29667, -0.225, 0.29667, -0.525};
    void *scratch = scratch_for(16);
    uint8_t mask[16];
    float used[16];
    dscq_clip c;

    dscq_clipq(&c, used, mask, k_toy, 16, 0.25, 2, DSCQ_PART_WIDTH, scratch);
    ck_assert(c.c_pos == 0.13F);
    ck_assert(c.c_neg == -0.12F);
    ck_assert_int_eq(c.kp, 1);
    ck_assert_int_eq(c.kn, 2);
    ck_assert_int_eq(c.level_count, 3);
    ck_assert_double_eq_tol(c.level[0], -0.525, 1e-7);
    ck_assert_double_eq_tol(c.level[1], -0.225, 1e-7);
    ck_assert_double_eq_tol(c.level[2], 0.296666667, 1e-7);
    ck_assert_uint_eq(c.kept, 12);
    for (int i = 0; i < 16; i++) {
        ck_assert_double_eq_tol((double)used[i], k_want[i], 1e-5);
        ck_assert_int_eq(mask[i], k_want[i] != 0.0);
    }
    dscq_free(scratch);
}
END_TEST

static int up(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The definition of docs/methods.md, by sorting. */
static void slow_clipq(float *used, const float *w, size_t n, double p, int b)
{
    float *side[2] = {malloc(n * sizeof(float)), malloc(n * sizeof(float))};
    size_t count[2] = {0, 0};
    double cut[2] = {0, 0}, length[2] = {0, 0};
    int k[2] = {0, 0};

    for (size_t i = 0; i < n; i++)
        if (w[i] > 0.0F)
            side[0][count[0]++] = w[i];
        else if (w[i] < 0.0F)
            side[1][count[1]++] = -w[i];
    for (int s = 0; s < 2; s++)
        if (count[s] > 0) {
            qsort(side[s], count[s], sizeof(float), up);
            cut[s] = (double)side[s][(size_t)floor(p * (double)count[s] + 1e-9)];
            length[s] = (double)side[s][count[s] - 1] - cut[s];
            k[s] = (1 << b) - 1;
        }
    if (count[0] > 0 && count[1] > 0) {
        const int all = (1 << b) - 1;
        int kp = length[0] + length[1] > 0.0
                     ? (int)floor(all * length[0] / (length[0] + length[1]) + 0.5)
                     : 1;
        kp = kp < 1 ? 1 : kp > all - 1 ? all - 1 : kp;
        k[0] = kp;
        k[1] = all - kp;
    }
    memset(used, 0, n * sizeof(float));
    for (int s = 0; s < 2; s++) {
        if (length[s] == 0.0 && k[s] > 0)
            k[s] = 1;
        for (int j = 0; j < k[s]; j++) {
            double sum = 0.0;
            size_t m = 0;

            for (int pass = 0; pass < 2; pass++)
                for (size_t i = 0; i < n; i++) {
                    const double a = s == 0 ? (double)w[i] : -(double)w[i];
                    int at = 0;

                    if (!(a > 0.0) || a < cut[s])
                        continue;
                    if (k[s] > 1)
                        at = (int)ceil((a - cut[s]) * (k[s] / length[s])) - 1;
                    at = at < 0 ? 0 : at >= k[s] ? k[s] - 1 : at;
                    if (at != j)
                        continue;
                    if (pass == 0) {
                        sum += (double)w[i];
                        m++;
                    } else {
                        used[i] = (float)(sum / (double)m);
                    }
                }
        }
    }
    free(side[0]);
    free(side[1]);
}

START_TEST(agrees_with_sorting)
{
    static const size_t k_n[] = {1, 2, 3, 9, 64, 257, 3000, 5000};
    static const double k_p[] = {0.0, 0.1, 0.25, 0.5, 0.83, 0.99};
    dscq_rng rng = dscq_rng_seeded(7);

    for (size_t a = 0; a < sizeof k_n / sizeof *k_n; a++)
        for (size_t b = 0; b < sizeof k_p / sizeof *k_p; b++)
            for (int bits = 2; bits <= 8; bits += 2) {
                const size_t n = k_n[a];
                float *w = malloc(n * sizeof *w), *want = malloc(n * sizeof *w),
                      *got = malloc(n * sizeof *w);
                void *scratch = scratch_for(n);
                dscq_clip c;

                for (size_t i = 0; i < n; i++) {
                    w[i] = dscq_rng_normal(&rng) * (bits == 4 ? 1e-3F : 1.0F);
                    if (i % 7 == 3)
                        w[i] = i % 2 != 0 ? 0.0F : -0.0F;
                    if (bits == 6) /* many equal weights */
                        w[i] = floorf(w[i] * 3.0F) / 3.0F;
                    if (bits == 8) /* one side only */
                        w[i] = -fabsf(w[i]);
                }
                slow_clipq(want, w, n, k_p[b], bits);
                dscq_clipq(&c, got, NULL, w, n, k_p[b], bits, DSCQ_PART_WIDTH, scratch);
                for (size_t i = 0; i < n; i++)
                    ck_assert_msg(
                        fabsf(got[i] - want[i]) <= 1e-6F * (1 + fabsf(want[i])),
                        "n %zu p %g b %d [%zu]: w %g got %g want %g", n, k_p[b], bits,
                        i, (double)w[i], (double)got[i], (double)want[i]);
                free(w);
                free(want);
                free(got);
                dscq_free(scratch);
            }
}
END_TEST

/* Clipping exactly the share p of each side, whatever the distribution. */
START_TEST(requested_sparsity)
{
    enum { N = 10000 };
    static float w[N];
    static uint8_t mask[N];
    void *scratch = scratch_for(N);
    dscq_rng rng = dscq_rng_seeded(3);

    for (size_t i = 0; i < N; i++)
        w[i] = dscq_rng_normal(&rng) + 0.3F;
    for (int p = 0; p < 10; p++) {
        size_t zero = 0, pos = 0;
        dscq_clip c;

        dscq_clipq(&c, NULL, mask, w, N, p / 10.0, 4, DSCQ_PART_WIDTH, scratch);
        for (size_t i = 0; i < N; i++) {
            zero += !mask[i];
            pos += w[i] > 0.0F;
        }
        ck_assert_uint_eq(zero, (size_t)(p * (int)pos / 10) +
                                    (size_t)(p * (int)(N - pos) / 10));
        ck_assert_uint_eq(c.kept, N - zero);
        ck_assert_int_le(c.level_count, 15);
        for (int i = 1; i < c.level_count; i++)
            ck_assert_double_gt(c.level[i], c.level[i - 1]);
    }
    dscq_free(scratch);
}
END_TEST

START_TEST(broken_weights_do_no_harm)
{
    float w[8] = {NAN, 1.0F, -1.0F, INFINITY, -INFINITY, 0.0F, 0.5F, NAN}, used[8];
    float none[4] = {0, 0, 0, 0};
    void *scratch = scratch_for(8);
    uint8_t mask[8];
    dscq_clip c;

    dscq_clipq(&c, used, mask, w, 8, 0.3, 3, DSCQ_PART_WIDTH, scratch);
    dscq_clipq(&c, used, mask, w, 8, 0.3, 3, DSCQ_PART_ENTROPY, scratch);
    ck_assert_int_eq(mask[0], 0);
    dscq_clipq(&c, used, mask, none, 4, 0.3, 3, DSCQ_PART_WIDTH, scratch);
    ck_assert_int_eq(c.level_count, 0);
    ck_assert_uint_eq(c.kept, 0);
    for (int i = 0; i < 4; i++)
        ck_assert(used[i] == 0.0F);
    dscq_free(scratch);
}
END_TEST

/* The entropy partition puts more levels where weights are many and large than equal
 * widths do; at least it must not lose to them by its own measure, here by the share
 * of weights in the fullest interval. */
START_TEST(entropy_partition_spreads_the_weights)
{
    enum { N = 8000 };
    static float w[N], used[N];
    void *scratch = scratch_for(N);
    dscq_rng rng = dscq_rng_seeded(11);
    size_t fullest[2];

    for (size_t i = 0; i < N; i++) {
        const float x = dscq_rng_normal(&rng), y = dscq_rng_normal(&rng);
        w[i] = x * fabsf(y) * fabsf(y); /* long tails */
    }
    for (int part = 0; part < 2; part++) {
        dscq_clip c;

        dscq_clipq(&c, used, NULL, w, N, 0.3, 3, (dscq_partition)part, scratch);
        fullest[part] = 0;
        for (int k = 0; k < c.level_count; k++) {
            size_t m = 0;
            for (size_t i = 0; i < N; i++)
                m += used[i] == (float)c.level[k];
            fullest[part] = m > fullest[part] ? m : fullest[part];
        }
    }
    ck_assert_uint_lt(fullest[1], fullest[0]);
    dscq_free(scratch);
}
END_TEST

/* ---- masks ------------------------------------------------------------------- */

START_TEST(magnitude_mask_is_exact)
{
    enum { N = 4001 };
    static float w[N];
    static uint8_t mask[N], held[N], again[N];
    void *scratch = scratch_for(N);
    dscq_rng rng = dscq_rng_seeded(5);

    for (size_t i = 0; i < N; i++)
        w[i] = (float)((int)dscq_rng_below(&rng, 41) - 20) / 20.0F; /* ties, zeros */
    for (int p = 0; p <= 10; p++) {
        const double rate = p / 10.0 < 1.0 ? p / 10.0 : 0.999;
        const size_t cut = (size_t)(rate * N * (1 + 1e-12));
        float least = 9.0F, most = 0.0F;
        size_t kept = 0;

        ck_assert_uint_eq(dscq_mask_magnitude(mask, w, NULL, N, rate, scratch),
                          N - cut);
        for (size_t i = 0; i < N; i++) {
            kept += mask[i];
            if (mask[i])
                least = fminf(least, fabsf(w[i]));
            else
                most = fmaxf(most, fabsf(w[i]));
        }
        ck_assert_uint_eq(kept, N - cut);
        ck_assert(most <= least);
    }
    for (size_t i = 0; i < N; i++)
        held[i] = i % 2 == 0;
    dscq_mask_magnitude(mask, w, held, N, 0.75, scratch);
    dscq_mask_magnitude(again, w, mask, N, 0.75, scratch);
    ck_assert_mem_eq(mask, again, N); /* idempotent, and never revives */
    size_t kept = 0;
    for (size_t i = 0; i < N; i++) {
        ck_assert(!mask[i] || held[i]);
        kept += mask[i];
    }
    ck_assert_uint_eq(kept, N - (size_t)(0.75 * N));
    dscq_free(scratch);
}
END_TEST

START_TEST(global_threshold_meets_the_rate)
{
    float a[300], b[100];
    size_t kept[2];
    dscq_error err = {DSCQ_OK, ""};
    dscq_rng rng = dscq_rng_seeded(9);

    for (int i = 0; i < 300; i++)
        a[i] = dscq_rng_normal(&rng);
    for (int i = 0; i < 100; i++)
        b[i] = dscq_rng_normal(&rng) * 0.01F;
    const dscq_prune_span span[2] = {{a, 300}, {b, 100}};
    test_ok(dscq_prune_global(kept, span, 2, 0.5, &err));
    ck_assert_uint_eq(kept[0] + kept[1], 200);
    ck_assert_uint_lt(kept[1], 8); /* small weights go first, wherever they are */
}
END_TEST

START_TEST(lanes_finish_together)
{
    enum { K = 22, PER = 150, N = K * PER };
    static float w[N];
    static uint8_t even[N], plain[N];
    void *scratch = scratch_for(N);
    dscq_rng rng = dscq_rng_seeded(21);
    size_t kept;

    for (size_t i = 0; i < N; i++)
        w[i] = dscq_rng_normal(&rng) * (1.0F + (float)(i / PER % 4));
    const size_t want = dscq_mask_magnitude(plain, w, NULL, N, 0.7, scratch);
    kept = dscq_mask_balanced(even, w, NULL, K, PER, 0.7, 8, 32, scratch);
    ck_assert_uint_le(kept, want);
    ck_assert_uint_ge(kept + K, want);
    for (int o = 0; o < K; o += 8)
        for (size_t at = 0; at < PER; at += 32) {
            size_t first = 0;
            for (int r = o; r < K && r < o + 8; r++) {
                size_t n = 0;
                for (size_t j = at; j < PER && j < at + 32; j++)
                    n += even[(size_t)r * PER + j];
                if (r == o)
                    first = n;
                ck_assert_uint_eq(n, first);
            }
        }
    ck_assert_uint_lt(dscq_mask_lane_cycles(even, K, PER, 8, 32),
                      dscq_mask_lane_cycles(plain, K, PER, 8, 32));
    dscq_free(scratch);
}
END_TEST

START_TEST(peak_of_two_humps)
{
    enum { N = 20000 };
    static float w[N];
    static uint8_t mask[N];
    dscq_rng rng = dscq_rng_seeded(2);

    for (size_t i = 0; i < N; i++) {
        const float m = 0.5F + 0.1F * dscq_rng_normal(&rng);
        w[i] = i % 2 != 0 ? m : -m;
        mask[i] = 1;
    }
    ck_assert_double_eq_tol(dscq_peak_magnitude(w, mask, N), 0.5, 0.05);
    memset(mask, 0, N);
    ck_assert_double_eq(dscq_peak_magnitude(w, mask, N), 0.0);
}
END_TEST

/* ---- k-means, uniform, binary --------------------------------------------------- */

START_TEST(kmeans_finds_clusters)
{
    float w[90];
    double level[8];

    for (int i = 0; i < 90; i++)
        w[i] = (i % 3 == 0   ? -1.0F
                : i % 3 == 1 ? 0.25F
                             : 2.0F) +
               (float)(i % 5 - 2) * 0.01F;
    ck_assert_int_eq(dscq_kmeans(level, 3, w, NULL, 90, 50), 3);
    ck_assert_double_eq_tol(level[0], -1.0, 0.01);
    ck_assert_double_eq_tol(level[1], 0.25, 0.01);
    ck_assert_double_eq_tol(level[2], 2.0, 0.01);
    float same[4] = {1, 1, 1, 1};
    ck_assert_int_eq(dscq_kmeans(level, 3, same, NULL, 4, 50), 1);
    const uint8_t none[4] = {0, 0, 0, 0};
    ck_assert_int_eq(dscq_kmeans(level, 3, same, none, 4, 50), 0);
}
END_TEST

START_TEST(linear_step_beats_the_whole_range)
{
    enum { N = 4000 };
    static float w[N];
    dscq_rng rng = dscq_rng_seeded(4);
    double error[2] = {0, 0}, top = 0;

    for (size_t i = 0; i < N; i++) {
        w[i] = dscq_rng_normal(&rng);
        top = fmax(top, fabs((double)w[i]));
    }
    ck_assert_double_eq_tol(dscq_linear_step(w, NULL, N, 8), top / 127.0, 1e-9);
    const double steps[2] = {dscq_linear_step(w, NULL, N, 3), top / 3.0};
    for (int s = 0; s < 2; s++)
        for (size_t i = 0; i < N; i++) {
            double q = fmin(floor(fabs((double)w[i]) / steps[s] + 0.5), 3.0);
            error[s] += pow(fabs((double)w[i]) - q * steps[s], 2);
        }
    ck_assert_double_lt(error[0], 0.8 * error[1]);
    const float zero[3] = {0, 0, 0};
    ck_assert_double_gt(dscq_linear_step(zero, NULL, 3, 8), 0.0);
}
END_TEST

/* Error of a step, weight by weight. */
static double step_error(const float *w, size_t n, double step, double top)
{
    double error = 0;

    for (size_t i = 0; i < n; i++) {
        const double a = fabs((double)w[i]), q = fmin(floor(a / step + 0.5), top);
        error += (a - q * step) * (a - q * step);
    }
    return error;
}

/* Outliers far from the rest: the best step lies near the small end of the search, for
 * few weights (looked at one by one) and for many (a histogram of them). */
/* Weights that are whole multiples of a step keep it, whatever the largest is. */
START_TEST(linear_step_of_codes_is_theirs)
{
    enum { N = 200 };
    static const int tops[] = {127, 126, 90, 50, 3};
    dscq_rng rng = dscq_rng_seeded(6);
    float w[N];

    for (size_t t = 0; t < sizeof tops / sizeof *tops; t++) {
        const double own = 0.0123 + 0.001 * (double)t;
        for (int i = 0; i < N; i++)
            w[i] =
                (float)(own * ((double)dscq_rng_below(&rng, (uint64_t)tops[t] * 2 + 1) -
                               tops[t]));
        w[7] = (float)(own * -tops[t]);
        w[8] = (float)own;
        ck_assert_double_eq_tol(dscq_linear_step(w, NULL, N, 8), own, 1e-7 * own);
        ck_assert_double_eq_tol(dscq_lattice_step(w, NULL, N, 1, 127), own, 1e-7 * own);
        ck_assert_double_eq(dscq_lattice_step(w, NULL, N, tops[t] + 1, 2 * tops[t] - 1),
                            0);
        w[9] = (float)(0.3217 * own); /* no code */
        ck_assert_double_eq_tol(dscq_linear_step(w, NULL, N, 8), own * tops[t] / 127,
                                1e-7 * own);
    }
}
END_TEST
START_TEST(linear_step_of_outliers_is_near_the_best)
{
    enum { MANY = 6000 };
    static float w[MANY];
    const size_t n = _i == 0 ? 400 : MANY;
    dscq_rng rng = dscq_rng_seeded(11);
    double best = (double)INFINITY;

    for (size_t i = 0; i < n; i++)
        w[i] = (float)(dscq_rng_unit64(&rng) - 0.5);
    w[n / 2] = 4; /* eight times the largest of the others */
    const double step = dscq_linear_step(w, NULL, n, 4);
    for (int k = 1; k <= 2000; k++)
        best = fmin(best, step_error(w, n, 4.0 / 7 * k / 2000, 7));
    ck_assert_double_lt(step_error(w, n, step, 7), 1.05 * best);
}
END_TEST

/* Of few weights every candidate's error is exact: the step is that of the least, among
 * all from the whole range down to a twelfth of it, for every number of bits. */
START_TEST(linear_step_is_the_best_of_its_candidates)
{
    enum { N = 60, CANDIDATES = 48 };
    const double top = (1 << (_i - 1)) - 1;
    dscq_rng rng = dscq_rng_seeded(5);
    float w[N];

    for (int round = 0; round < 40; round++) {
        double largest = 0, least = (double)INFINITY, best = 0;

        for (int i = 0; i < N; i++) {
            w[i] =
                dscq_rng_normal(&rng) * (i % 7 == 0 ? 1.0F + 0.2F * (float)round : 1);
            largest = fmax(largest, fabs((double)w[i]));
        }
        for (int k = 0; k < CANDIDATES; k++) {
            const double step =
                largest / top * pow(12.0, -(double)k / (CANDIDATES - 1));
            const double error = step_error(w, N, step, top);
            best = error < least ? step : best;
            least = fmin(error, least);
        }
        ck_assert_double_eq_tol(dscq_linear_step(w, NULL, N, _i), best, 1e-12);
    }
}
END_TEST

static Suite *levels_suite(void)
{
    TCase *tc;
    Suite *s = test_suite("compress levels", &tc);

    tcase_add_test(tc, worked_example);
    tcase_add_test(tc, agrees_with_sorting);
    tcase_add_test(tc, requested_sparsity);
    tcase_add_test(tc, broken_weights_do_no_harm);
    tcase_add_test(tc, entropy_partition_spreads_the_weights);
    tcase_add_test(tc, magnitude_mask_is_exact);
    tcase_add_test(tc, global_threshold_meets_the_rate);
    tcase_add_test(tc, lanes_finish_together);
    tcase_add_test(tc, peak_of_two_humps);
    tcase_add_test(tc, kmeans_finds_clusters);
    tcase_add_test(tc, linear_step_beats_the_whole_range);
    tcase_add_test(tc, linear_step_of_codes_is_theirs);
    tcase_add_loop_test(tc, linear_step_of_outliers_is_near_the_best, 0, 2);
    tcase_add_loop_test(tc, linear_step_is_the_best_of_its_candidates, 2, 8);
    return s;
}

int main(void)
{
    return test_run(levels_suite);
}
