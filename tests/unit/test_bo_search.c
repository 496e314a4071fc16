#include "bo_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/rng.h"
#include "dscq/bo/bo.h"
#include "dscq/bo/linalg.h"
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- linear algebra ------------------------------------------------------------ */

/* Our own code first, then OpenBLAS where it is installed. */
static void begin(int i)
{
    dscq_error err = {DSCQ_OK, ""};

    if (i == 0)
        ck_assert_str_eq(dscq_linalg_name(), "own");
    else
        test_ok(dscq_linalg_begin(NULL, &err));
}

START_TEST(factor_solve_and_inverse)
{
    enum { N = 23 };
    double a[N * N], l[N * N], b[N], x[N], g[N * N], jitter;
    dscq_rng rng = dscq_rng_seeded(1);

    begin(_i);
    for (int i = 0; i < N * N; i++)
        g[i] = (double)dscq_rng_normal(&rng);
    for (int i = 0; i < N; i++) {
        x[i] = (double)dscq_rng_normal(&rng);
        for (int j = 0; j < N; j++) {
            a[i * N + j] = i == j ? 0.5 : 0.0;
            for (int k = 0; k < N; k++)
                a[i * N + j] += g[i * N + k] * g[j * N + k];
        }
    }
    for (int i = 0; i < N; i++) {
        b[i] = 0.0;
        for (int j = 0; j < N; j++)
            b[i] += a[i * N + j] * x[j];
    }
    ck_assert(dscq_chol_ladder(l, a, N, &jitter));
    ck_assert_double_eq(jitter, 0.0);
    dscq_chol_forward(l, N, b);
    dscq_chol_backward(l, N, b);
    for (int i = 0; i < N; i++)
        ck_assert_double_eq_tol(b[i], x[i], 1e-8);
    double det = 0.0;
    for (int i = 0; i < N; i++)
        det += 2.0 * log(l[i * N + i]);
    ck_assert_double_eq_tol(dscq_chol_logdet(l, N), det, 1e-12);
    memcpy(l, a, sizeof l);
    ck_assert(dscq_spd_inverse(l, N));
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double s = 0.0;
            for (int k = 0; k < N; k++)
                s += a[i * N + k] * l[k * N + j];
            ck_assert_double_eq_tol(s, i == j ? 1.0 : 0.0, 1e-8);
        }
}
END_TEST

START_TEST(the_ladder_saves_singular_matrices)
{
    double a[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1}, l[9], jitter;
    double bad[4] = {1, 5, 5, 1};

    begin(_i);
    ck_assert(dscq_chol_ladder(l, a, 3, &jitter));
    ck_assert_double_gt(jitter, 0.0);
    ck_assert(!dscq_chol_ladder(l, bad, 2, &jitter));
    ck_assert(!dscq_spd_inverse(bad, 2));
}
END_TEST

START_TEST(sums_of_squares)
{
    const double x[6] = {1, 2, 3, 4, 5, 6};
    double h[4] = {1, 0, 0, 0};

    begin(_i);
    dscq_gram_add(h, x, 3, 2);
    dscq_mirror(h, 2);
    ck_assert_double_eq(h[0], 36);
    ck_assert_double_eq(h[1], 44);
    ck_assert_double_eq(h[2], 44);
    ck_assert_double_eq(h[3], 56);
}
END_TEST

/* Loading it starts nothing and leaves the environment as it was. */
START_TEST(loading_leaves_no_trace)
{
    dscq_error err = {DSCQ_OK, ""};
    double a[1] = {4};

    ck_assert_int_eq(setenv("OPENBLAS_NUM_THREADS", "3", 1), 0);
    test_ok(dscq_linalg_begin(NULL, &err));
    ck_assert(dscq_chol_factor(a, 1));
    ck_assert_double_eq(a[0], 2);
    ck_assert_str_eq(getenv("OPENBLAS_NUM_THREADS"), "3");
    ck_assert_uint_eq(test_file_count("/proc/self/task"), 1);
}
END_TEST

static dscq_status begin_again(void *ctx, dscq_error *err)
{
    const dscq_status status = dscq_linalg_begin(NULL, err);

    (void)ctx;
    return status;
}

START_TEST(loading_needs_memory_and_says_so)
{
    ck_assert_uint_le(test_each_alloc_fails(begin_again, NULL), 2);
}
END_TEST

/* ---- known functions ------------------------------------------------------------ */

static dscq_bo_dim dim(const char *name, dscq_bo_kind kind, double lo, double hi,
                       int32_t group)
{
    dscq_bo_dim d = {.kind = kind, .lo = lo, .hi = hi, .group = group};

    strcpy(d.name, name);
    return d;
}

/* Branin 1972; minimum 0.397887. */
static double branin(const double *x)
{
    const double pi = 3.14159265358979;
    const double a = x[1] - 5.1 / (4 * pi * pi) * x[0] * x[0] + 5 / pi * x[0] - 6;

    return a * a + 10 * (1 - 1 / (8 * pi)) * cos(x[0]) + 10;
}

static double run(const dscq_bo_dim *d, size_t n, const dscq_bo_options *o,
                  double (*f)(const double *), double (*g)(const double *), int steps)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_bo *b = NULL;
    double x[8];

    test_ok(dscq_bo_create(&b, d, n, o, &err));
    for (int i = 0; i < steps; i++) {
        int found;
        double limit = 0.0;

        test_ok(dscq_bo_ask(b, x, &found, &err));
        if (!found)
            break;
        if (g != NULL)
            limit = g(x);
        test_ok(dscq_bo_tell(b, x, f(x), &limit, &err));
    }
    const int64_t best = dscq_bo_best(b);
    const double y = best >= 0 ? dscq_bo_at(b, (size_t)best).y : (double)INFINITY;
    dscq_bo_destroy(b);
    return y;
}

START_TEST(finds_branins_minimum)
{
    const dscq_bo_dim d[2] = {dim("x", DSCQ_BO_REAL, -5, 10, 0),
                              dim("y", DSCQ_BO_REAL, 0, 15, 1)};
    const dscq_bo_options o = {.seed = (uint64_t)_i, .candidates = 500};

    ck_assert_double_lt(run(d, 2, &o, branin, NULL, 35), 0.45);
}
END_TEST

static double mixed(const double *x) /* minimum 0 at (7, 2, 0.3) */
{
    const double c = x[1] == 2.0 ? 0.0 : 1.0 + x[1];
    return (x[0] - 7) * (x[0] - 7) / 10 + c + 10 * (x[2] - 0.3) * (x[2] - 0.3);
}

START_TEST(mixed_variables)
{
    const dscq_bo_dim d[3] = {dim("bits", DSCQ_BO_INT, 0, 20, 0),
                              dim("kind", DSCQ_BO_CHOICE, 0, 4, 1),
                              dim("p", DSCQ_BO_REAL, 0, 1, 2)};
    const dscq_bo_options o = {.seed = (uint64_t)_i, .candidates = 500};

    ck_assert_double_lt(run(d, 3, &o, mixed, NULL, 45), 0.15);
}
END_TEST

static double line(const double *x)
{
    return x[0] + x[1];
}

static double circle(const double *x) /* inside radius 1: minimum -sqrt(2) */
{
    return x[0] * x[0] + x[1] * x[1] - 1.0;
}

START_TEST(respects_a_constraint)
{
    const dscq_bo_dim d[2] = {dim("x", DSCQ_BO_REAL, -2, 2, 0),
                              dim("y", DSCQ_BO_REAL, -2, 2, 0)};
    const dscq_bo_options o = {.seed = (uint64_t)_i, .limits = 1, .candidates = 500};
    const double y = run(d, 2, &o, line, circle, 40);

    ck_assert_double_lt(y, -1.25);
    ck_assert_double_ge(y, -1.41422);
}
END_TEST

/* ---- manners --------------------------------------------------------------------- */

START_TEST(no_point_twice_until_the_space_is_empty)
{
    const dscq_bo_dim d[2] = {dim("a", DSCQ_BO_INT, 0, 4, 0),
                              dim("b", DSCQ_BO_CHOICE, 0, 2, 0)};
    const dscq_bo_options o = {.seed = 5, .candidates = 50};
    dscq_error err = {DSCQ_OK, ""};
    dscq_bo *b = NULL;
    int seen[5][3] = {{0}}, found;
    double x[2];

    test_ok(dscq_bo_create(&b, d, 2, &o, &err));
    for (int i = 0; i < 15; i++) {
        test_ok(dscq_bo_ask(b, x, &found, &err));
        ck_assert_int_eq(found, 1);
        ck_assert_int_eq(seen[(int)x[0]][(int)x[1]]++, 0);
        if (i % 3 != 2) /* some stay out */
            test_ok(dscq_bo_tell(b, x, i == 4 ? (double)NAN : x[0], NULL, &err));
    }
    test_ok(dscq_bo_ask(b, x, &found, &err));
    ck_assert_int_eq(found, 0);
    ck_assert_uint_eq(dscq_bo_count(b), 10);
    dscq_bo_destroy(b);
}
END_TEST

START_TEST(hostile_values_do_not_stop_it)
{
    static const double k_y[] = {(double)NAN, (double)INFINITY, 1e300, -1e300, 0, 0, 0,
                                 0,           1e-300,           5};
    const dscq_bo_dim d[2] = {dim("x", DSCQ_BO_REAL, 0, 1, 0),
                              dim("fixed", DSCQ_BO_REAL, 3, 3, 0)};
    const dscq_bo_options o = {.seed = 1, .limits = 1, .candidates = 50};
    dscq_error err = {DSCQ_OK, ""};
    dscq_bo *b = NULL;

    test_ok(dscq_bo_create(&b, d, 2, &o, &err));
    for (int i = 0; i < 30; i++) {
        double x[2], limit = i % 4 == 0 ? (double)NAN : (double)(i % 2);
        int found;

        test_ok(dscq_bo_ask(b, x, &found, &err));
        ck_assert(found && x[0] >= 0.0 && x[0] <= 1.0 && x[1] == 3.0);
        test_ok(dscq_bo_tell(b, x, k_y[i % 10], &limit, &err));
    }
    double out[2] = {2, 3}, limit = 0;
    test_fails(dscq_bo_tell(b, out, 0, &limit, &err), DSCQ_ARG,
               "search: 'x' = 2 is outside [0, 1]");
    dscq_bo_destroy(b);
    const dscq_bo_dim bad[1] = {dim("p", DSCQ_BO_REAL, 1, 0, 0)};
    ck_assert_int_eq(dscq_bo_create(&b, bad, 1, &o, &err), DSCQ_ARG);
    ck_assert_ptr_null(b);
}
END_TEST

static void prior(void *ctx, const double *x, double *mean)
{
    (void)ctx;
    mean[0] = 100 * (x[0] - 0.8) * (x[0] - 0.8);
}

/* A prior that knows the answer leads there at once. */
START_TEST(a_prior_is_used)
{
    const dscq_bo_dim d[1] = {dim("x", DSCQ_BO_REAL, 0, 1, 0)};
    const dscq_bo_options o = {.seed = 1, .initial = 3, .prior = prior};
    dscq_error err = {DSCQ_OK, ""};
    dscq_bo *b = NULL;
    double x[1], m, s;
    int found;

    test_ok(dscq_bo_create(&b, d, 1, &o, &err));
    for (int i = 0; i < 5; i++) {
        test_ok(dscq_bo_ask(b, x, &found, &err));
        prior(NULL, x, &m);
        test_ok(dscq_bo_tell(b, x, m, NULL, &err));
    }
    ck_assert_double_eq_tol(dscq_bo_at(b, (size_t)dscq_bo_best(b)).x[0], 0.8, 0.02);
    x[0] = 0.1;
    dscq_bo_predict(b, x, 0, &m, &s);
    ck_assert_double_eq_tol(m, 49.0, 1.0);
    dscq_bo_destroy(b);
}
END_TEST

/* log of (z cdf(z) + pdf(z)) for z far below 0, by the continued fraction of Mills'
 * ratio R: the sum is pdf (1 - x R(x)), x = -z. */
static double far_improvement(double z)
{
    const long double x = -(long double)z;
    long double f = x;

    for (int k = 400; k > 0; k--)
        f = x + (long double)k / f;
    return (double)(-x * x / 2 - 0.918938533204672741780L + logl(1 - x / f));
}

/* What hardly can be better still is ordered: the tail has the right height and joins
 * the exact form. */
START_TEST(improvement_has_the_right_tail)
{
    const dscq_bo_dim d[1] = {dim("x", DSCQ_BO_REAL, 0, 1, 0)};
    const dscq_bo_options o = {.seed = 1, .initial = 3};
    dscq_error err = {DSCQ_OK, ""};
    dscq_bo *b = NULL;
    double mean, s, x[1];

    test_ok(dscq_bo_create(&b, d, 1, &o, &err));
    for (int i = 0; i < 6; i++) {
        x[0] = i / 5.0;
        test_ok(dscq_bo_tell(b, x, sin(3 * x[0]), NULL, &err));
    }
    x[0] = 0.33;
    dscq_bo_predict(b, x, 0, &mean, &s);
    ck_assert_double_gt(s, 0);
    for (double z = -2; z > -60; z -= 0.5) {
        const double got = bo__acquisition(b, x, mean + z * s, 1) - log(s);
        ck_assert_msg(fabs(got - far_improvement(z)) < (z > -8 ? 1e-4 : 0.05),
                      "z = %g: %.6f, want %.6f", z, got, far_improvement(z));
    }
    dscq_bo_destroy(b);
}
END_TEST

/* log of the normal distribution far below 0, by the same fraction: pdf(x) R(x). */
static double far_probability(double z)
{
    double mills = 0;

    for (int k = 400; k > 0; k--)
        mills = k / (-z + mills);
    return -0.5 * z * z - 0.5 * log(2 * M_PI) - log(-z + mills);
}

static void prior_of_a_limit(void *ctx, const double *x, double *mean)
{
    (void)ctx;
    mean[0] = 0;
    mean[1] = x[0];
}

/* A limit that nobody has told anything about holds with the prior's probability. */
START_TEST(probability_has_the_right_tail)
{
    const dscq_bo_dim d[1] = {dim("x", DSCQ_BO_REAL, 0, 100, 0)};
    const dscq_bo_options o = {
        .seed = 1, .initial = 3, .limits = 1, .prior = prior_of_a_limit};
    dscq_error err = {DSCQ_OK, ""};
    dscq_bo *b = NULL;

    test_ok(dscq_bo_create(&b, d, 1, &o, &err));
    b->model[1].scale = 1;
    for (b->caution = 1; b->caution < 3; b->caution++)
        for (double z = -2; z > -60; z -= 0.25) {
            const double x[1] = {-z}, want = b->caution * far_probability(z);
            const double got = bo__acquisition(b, x, 0, 0);
            ck_assert_msg(fabs(got - want) < 2e-3, "z = %g: %.6f, want %.6f", z, got,
                          want);
        }
    dscq_bo_destroy(b);
}
END_TEST

/* The longer no point has kept its limits, the more their probability counts: to four
 * times; one that does begins anew. */
START_TEST(caution_grows_with_every_broken_limit)
{
    const dscq_bo_dim d[1] = {dim("x", DSCQ_BO_INT, 0, 100, 0)};
    const dscq_bo_options o = {.seed = 1, .limits = 1};
    dscq_error err = {DSCQ_OK, ""};
    dscq_bo *b = NULL;

    test_ok(dscq_bo_create(&b, d, 1, &o, &err));
    for (int i = 0; i < 20; i++) {
        const double x[1] = {i}, broken = i == 16 ? -1 : 1;
        test_ok(dscq_bo_tell(b, x, 0, &broken, &err));
        ck_assert_double_eq(bo__caution(b), i < 12    ? 1.25 + 0.25 * i
                                            : i < 16  ? 4
                                            : i == 16 ? 1
                                                      : 1 + 0.25 * (i - 16));
    }
    dscq_bo_destroy(b);
}
END_TEST

/* ---- many variables ---------------------------------------------------------- */

enum { MANY = 60 };

/* Each variable saves in proportion to its value and hurts with its square; how much, a
 * prior knows only roughly. */
static double many_cost(const double *x)
{
    double sum = 0;

    for (int i = 0; i < MANY; i++)
        sum -= (1 + i % 7) * x[i];
    return sum;
}

static double many_hurt(const double *x, int known)
{
    double sum = 0;

    for (int i = 0; i < MANY; i++)
        sum += (known ? 1.5 : 0.5 + (i * 11 % 13) / 6.0) * x[i] * x[i];
    return sum - 400 + 60 * sin(known ? 0 : x[0] + 3 * x[1] + x[2] * x[3]);
}

static void many_prior(void *ctx, const double *x, double *mean)
{
    (void)ctx;
    mean[0] = many_cost(x);
    mean[1] = many_hurt(x, 1);
}

static void many_parts(void *ctx, const double *x, double *phi)
{
    (void)ctx;
    for (int i = 0; i < MANY; i++)
        phi[i] = 1.5 * x[i] * x[i];
}

/* Best of 40 questions after a start that is feasible: 0 anywhere, 1 near good points,
 * 2 with parts as well. *kept: adds the feasible questions. */
static double many(int how, uint64_t seed, int *kept)
{
    dscq_bo_dim d[MANY];
    const dscq_bo_options o = {.seed = seed,
                               .limits = 1,
                               .initial = 1,
                               .candidates = 600,
                               .local = how > 0,
                               .part = how > 1 ? many_parts : NULL,
                               .parts = MANY,
                               .parts_of = 2,
                               .prior = many_prior};
    dscq_error err = {DSCQ_OK, ""};
    dscq_bo *b = NULL;
    double x[MANY];

    for (int i = 0; i < MANY; i++) {
        d[i] = dim("v", DSCQ_BO_INT, 0, 9, i % 3);
        x[i] = 1;
    }
    test_ok(dscq_bo_create(&b, d, MANY, &o, &err));
    for (int k = 0; k <= 40; k++) {
        int found = 1;

        if (k > 0)
            test_ok(dscq_bo_ask(b, x, &found, &err));
        ck_assert(found);
        size_t nearest = MANY;
        for (size_t t = 0; t < dscq_bo_count(b); t++) {
            size_t differ = 0;
            for (int i = 0; i < MANY; i++)
                differ += x[i] != dscq_bo_at(b, t).x[i];
            nearest = differ < nearest ? differ : nearest;
        }
        if (how > 0 && k > 0)
            ck_assert_uint_le(nearest, 48);
        const double hurt = many_hurt(x, 0);
        test_ok(dscq_bo_tell(b, x, many_cost(x), &hurt, &err));
        *kept += k > 0 && hurt <= 0;
    }
    const double y = dscq_bo_at(b, (size_t)dscq_bo_best(b)).y;
    dscq_bo_destroy(b);
    return y;
}

/* Near good points nothing is lost against looking everywhere, and knowing the parts
 * makes better points of the same number of questions, more of them feasible. */
START_TEST(many_variables_near_good_points)
{
    double y[3] = {0, 0, 0};
    int kept[3] = {0, 0, 0};

    for (uint64_t seed = 0; seed < 3; seed++)
        for (int how = 0; how < 3; how++)
            y[how] += many(how, seed, &kept[how]);
    ck_assert_double_lt(y[1], 0.97 * y[0]);
    ck_assert_double_lt(y[2], y[1]);
    ck_assert_int_gt(kept[1], kept[0]);
    ck_assert_int_gt(kept[2], kept[1]);
}
END_TEST

/* Saved and resumed at any point: the same questions. */
START_TEST(resumes_to_the_same_points)
{
    const dscq_bo_dim d[3] = {dim("bits", DSCQ_BO_INT, 0, 20, 0),
                              dim("kind", DSCQ_BO_CHOICE, 0, 4, 1),
                              dim("p", DSCQ_BO_REAL, 0, 1, 2)};
    const dscq_bo_options o = {.seed = 3, .candidates = 200, .limits = 1};
    dscq_error err = {DSCQ_OK, ""};
    dscq_bo *b = NULL, *twin = NULL;
    dscq_json *j = NULL;
    char *text = NULL;

    test_ok(dscq_bo_create(&b, d, 3, &o, &err));
    for (int i = 0; i < 24; i++) {
        double x[3], y[3], limit = i % 5 - 3.0;
        int found;

        if (i % 6 == 3 || i == 13) {
            test_ok(dscq_bo_save(&j, b, &err));
            test_ok(dscq_json_dump(&text, j, &err));
            dscq_json_free(j);
            test_ok(dscq_json_parse(&j, text, strlen(text), "state", &err));
            dscq_free(text);
            test_ok(dscq_bo_create(&twin, d, 3, &o, &err));
            test_ok(dscq_bo_load(twin, j, &err));
            dscq_json_free(j);
            ck_assert_uint_eq(twin->fitted_at, b->fitted_at);
            for (size_t k = 0; k < b->rows; k++)
                ck_assert(twin->row[k].failed == b->row[k].failed &&
                          twin->row[k].told == b->row[k].told);
            test_ok(dscq_bo_ask(twin, y, &found, &err));
            test_ok(dscq_bo_ask(b, x, &found, &err));
            ck_assert_mem_eq(x, y, sizeof x);
            dscq_bo_destroy(b);
            b = twin;
        } else {
            test_ok(dscq_bo_ask(b, x, &found, &err));
        }
        test_ok(dscq_bo_tell(b, x, i == 7 ? (double)NAN : mixed(x), &limit, &err));
    }
    dscq_bo_destroy(b);
    /* another seed does not take it */
    test_ok(dscq_json_parse(&j, "{\"version\": 1, \"seed\": 4}", 25, "state", &err));
    test_ok(dscq_bo_create(&b, d, 3, &o, &err));
    ck_assert_int_eq(dscq_bo_load(b, j, &err), DSCQ_FORMAT);
    dscq_json_free(j);
    dscq_bo_destroy(b);
}
END_TEST

static dscq_status whole(void *ctx, dscq_error *err)
{
    const dscq_bo_dim d[1] = {dim("x", DSCQ_BO_REAL, 0, 1, 0)};
    const dscq_bo_options o = {.seed = 1, .initial = 2, .candidates = 20};
    dscq_bo *b = NULL;
    double x[1];
    int found;
    dscq_status status;

    (void)ctx;
    DSCQ_TRY(dscq_bo_create(&b, d, 1, &o, err));
    for (int i = 0; i < 4; i++) {
        DSCQ_TRY(dscq_bo_ask(b, x, &found, err));
        DSCQ_TRY(dscq_bo_tell(b, x, x[0], NULL, err));
    }
done:
    dscq_bo_destroy(b);
    return status;
}

START_TEST(no_memory_is_an_error)
{
    ck_assert_uint_gt(test_each_alloc_fails(whole, NULL), 8);
}
END_TEST

static Suite *bo_suite(void)
{
    TCase *tc;
    Suite *s = test_suite("bo", &tc);

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, factor_solve_and_inverse, 0, 2);
    tcase_add_loop_test(tc, the_ladder_saves_singular_matrices, 0, 2);
    tcase_add_loop_test(tc, sums_of_squares, 0, 2);
    tcase_add_test(tc, loading_leaves_no_trace);
    tcase_add_test(tc, loading_needs_memory_and_says_so);
    tcase_add_loop_test(tc, finds_branins_minimum, 0, 4);
    tcase_add_loop_test(tc, mixed_variables, 0, 4);
    tcase_add_loop_test(tc, respects_a_constraint, 0, 4);
    tcase_add_test(tc, no_point_twice_until_the_space_is_empty);
    tcase_add_test(tc, hostile_values_do_not_stop_it);
    tcase_add_test(tc, a_prior_is_used);
    tcase_add_test(tc, improvement_has_the_right_tail);
    tcase_add_test(tc, probability_has_the_right_tail);
    tcase_add_test(tc, caution_grows_with_every_broken_limit);
    tcase_add_test(tc, many_variables_near_good_points);
    tcase_add_test(tc, resumes_to_the_same_points);
    tcase_add_test(tc, no_memory_is_an_error);
    return s;
}

int main(void)
{
    return test_run(bo_suite);
}
