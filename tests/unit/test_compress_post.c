#include "dscq/compress/calibrate.h"
#include "dscq/compress/levels.h"
#include "dscq/compress/post.h"
#include "test_compress_util.h"

static images g_train;
static dscq_model *g_float;

static void setup(void)
{
    images_make(&g_train, 1);
    g_float = net_make(k_net, 2);
    net_train(g_float, NULL, &g_train, 12, 0.05);
}

static void teardown(void)
{
    dscq_model_destroy(g_float);
}

static dscq_post_data post_data(void)
{
    return (dscq_post_data){
        .next = images_batch, .ctx = &g_train, .batch = BATCH, .images = 128};
}

/* ---- one layer ------------------------------------------------------------------- */

enum { ROWS = 12, COLS = 40, SAMPLES = 300 };

typedef struct problem {
    float w[ROWS * COLS];
    double h[COLS * COLS], step[ROWS];
} problem;

/* Correlated inputs: what second order is for. */
static problem *problem_make(void)
{
    problem *p = dscq_calloc(1, sizeof *p);
    dscq_rng rng = dscq_rng_seeded(3);

    for (int s = 0; s < SAMPLES; s++) {
        double x[COLS], common = (double)dscq_rng_normal(&rng);

        for (int j = 0; j < COLS; j++)
            x[j] = j == 7 ? 0.0 : 0.7 * common + 0.7 * (double)dscq_rng_normal(&rng);
        for (int i = 0; i < COLS; i++)
            for (int j = 0; j < COLS; j++)
                p->h[i * COLS + j] += 2.0 / SAMPLES * x[i] * x[j];
    }
    for (int i = 0; i < ROWS * COLS; i++)
        p->w[i] = dscq_rng_normal(&rng);
    for (int r = 0; r < ROWS; r++)
        p->step[r] = dscq_linear_step(p->w + r * COLS, NULL, COLS, 3);
    return p;
}

static double plain_error(const problem *p)
{
    double total = 0.0;

    for (int r = 0; r < ROWS; r++) {
        double d[COLS];

        for (int j = 0; j < COLS; j++) {
            const double w = (double)p->w[r * COLS + j];
            d[j] = w - p->step[r] * fmax(-3, fmin(3, nearbyint(w / p->step[r])));
        }
        for (int i = 0; i < COLS; i++)
            for (int j = 0; j < COLS; j++)
                total += 0.5 * d[i] * p->h[i * COLS + j] * d[j];
    }
    return total;
}

START_TEST(second_order_beats_rounding)
{
    problem *p = problem_make();
    dscq_error err = {DSCQ_OK, ""};
    int16_t value[ROWS * COLS];
    double error;

    test_ok(dscq_obq_layer(value, p->w, ROWS, COLS, p->h, p->step, 0.0, 3, NULL, &error,
                           &err));
    for (int i = 0; i < ROWS * COLS; i++)
        ck_assert_int_le(abs(value[i]), 3);
    ck_assert_double_lt(error, 0.6 * plain_error(p));
    dscq_free(p);
}
END_TEST

START_TEST(second_order_meets_the_rate)
{
    problem *p = problem_make();
    dscq_error err = {DSCQ_OK, ""};
    int16_t value[2][ROWS * COLS];
    double error[2];

    for (int k = 0; k < 2; k++) {
        dscq_pool *pool = NULL;
        size_t zero = 0;

        test_ok(dscq_pool_create(&pool, k == 0 ? 1 : 8, &err));
        test_ok(dscq_obq_layer(value[k], p->w, ROWS, COLS, p->h, p->step, 0.6, 8, pool,
                               &error[k], &err));
        dscq_pool_destroy(pool);
        for (int i = 0; i < ROWS * COLS; i++)
            zero += value[k][i] == 0;
        ck_assert_uint_ge(zero, (size_t)(0.6 * ROWS * COLS));
        ck_assert_uint_le(zero, (size_t)(0.6 * ROWS * COLS) + 40);
    }
    ck_assert_mem_eq(value[0], value[1], sizeof value[0]);
    /* plain magnitude pruning at the same rate loses more */
    double plain = 0.0;
    float sorted[ROWS * COLS];
    memcpy(sorted, p->w, sizeof sorted);
    for (int i = 1; i < ROWS * COLS; i++)
        for (int j = i; j > 0 && fabsf(sorted[j]) < fabsf(sorted[j - 1]); j--) {
            const float t = sorted[j];
            sorted[j] = sorted[j - 1];
            sorted[j - 1] = t;
        }
    const float edge = fabsf(sorted[(int)(0.6 * ROWS * COLS)]);
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < COLS; i++)
            for (int j = 0; j < COLS; j++) {
                const float a = p->w[r * COLS + i], b = p->w[r * COLS + j];
                if (fabsf(a) < edge && fabsf(b) < edge)
                    plain += 0.5 * (double)a * (double)b * p->h[i * COLS + j];
            }
    ck_assert_double_lt(error[0], 0.8 * plain);
    dscq_free(p);
}
END_TEST

/* Wide enough to go block by block. */
START_TEST(wide_layers_go_in_blocks)
{
    enum { WIDE = 400, TALL = 6, SEEN = 500 };
    float *w = dscq_calloc((size_t)TALL * WIDE, sizeof *w);
    double *h = dscq_calloc((size_t)WIDE * WIDE, sizeof *h), step[TALL];
    uint8_t *keep = dscq_malloc((size_t)TALL * WIDE, 1);
    int16_t *value[2];
    dscq_rng rng = dscq_rng_seeded(8);
    dscq_error err = {DSCQ_OK, ""};
    double error[2], plain = 0.0;

    for (int s = 0; s < SEEN; s++) {
        double x[WIDE];
        const double common = (double)dscq_rng_normal(&rng);

        for (int j = 0; j < WIDE; j++)
            x[j] = 0.7 * common + 0.7 * (double)dscq_rng_normal(&rng);
        for (int i = 0; i < WIDE; i++)
            for (int j = 0; j < WIDE; j++)
                h[i * WIDE + j] += 2.0 / SEEN * x[i] * x[j];
    }
    for (int i = 0; i < TALL * WIDE; i++) {
        w[i] = dscq_rng_normal(&rng);
        keep[i] = dscq_rng_below(&rng, 4) != 0;
    }
    for (int r = 0; r < TALL; r++) {
        double d[WIDE];

        step[r] = dscq_linear_step(w + r * WIDE, NULL, WIDE, 4);
        for (int j = 0; j < WIDE; j++) {
            const double x = (double)w[r * WIDE + j] / step[r];
            d[j] = step[r] * (x - fmax(-7, fmin(7, nearbyint(x))));
        }
        for (int i = 0; i < WIDE; i++)
            for (int j = 0; j < WIDE; j++)
                plain += 0.5 * d[i] * h[i * WIDE + j] * d[j];
    }
    for (int k = 0; k < 2; k++) {
        dscq_pool *pool = NULL;

        value[k] = dscq_calloc((size_t)TALL * WIDE, sizeof **value);
        test_ok(dscq_pool_create(&pool, k == 0 ? 1 : 8, &err));
        test_ok(dscq_obq_layer(value[k], w, TALL, WIDE, h, step, 0.0, 4, pool,
                               &error[k], &err));
        dscq_pool_destroy(pool);
    }
    ck_assert_mem_eq(value[0], value[1], (size_t)TALL * WIDE * sizeof **value);
    ck_assert_double_lt(error[0], 0.6 * plain);
    /* pruned before stays pruned and counts */
    size_t zero = 0, held = 0;
    test_ok(dscq_obq_masked(value[0], w, keep, TALL, WIDE, h, step, 0.5, 4, NULL, NULL,
                            &err));
    for (int i = 0; i < TALL * WIDE; i++) {
        ck_assert(keep[i] || value[0][i] == 0);
        zero += value[0][i] == 0;
        held += !keep[i];
    }
    ck_assert_uint_gt(zero, held + 100);
    ck_assert_uint_ge(zero, TALL * WIDE / 2 - 4); /* floors of four blocks */
    ck_assert_uint_lt(zero, TALL * WIDE * 7 / 10);
    dscq_free(value[0]);
    dscq_free(value[1]);
    dscq_free(keep);
    dscq_free(h);
    dscq_free(w);
}
END_TEST

/* ---- a network ---------------------------------------------------------- */

static dscq_compressor *frozen(dscq_model *m, const char *settings)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_settings *s = settings_make(settings);
    dscq_compressor *c = NULL;

    test_ok(dscq_compressor_create(&c, m, s, NULL, &err));
    test_ok(dscq_compressor_freeze(c, &err));
    dscq_settings_destroy(s);
    return c;
}

/* Mean squared difference of the logits from the float network's. */
static double distance(dscq_model *m)
{
    dscq_error err = {DSCQ_OK, ""};
    const dscq_exec_options o = {.batch = IMAGES, .raw_outputs = 1};
    dscq_exec *e[2] = {NULL, NULL};
    dscq_shape shape;
    double d = 0.0;

    test_ok(dscq_exec_create(&e[0], m, &o, &err));
    test_ok(dscq_exec_create(&e[1], g_float, &o, &err));
    for (int k = 0; k < 2; k++)
        dscq_exec_forward(e[k], DSCQ_PASS_EVAL, g_train.x[0], IMAGES, NULL);
    const float *a = dscq_exec_output(e[0], 0, &shape);
    const float *b = dscq_exec_output(e[1], 0, &shape);
    for (size_t i = 0; i < IMAGES * CLASSES; i++)
        d += pow((double)a[i] - (double)b[i], 2) / (IMAGES * CLASSES);
    dscq_exec_destroy(e[0]);
    dscq_exec_destroy(e[1]);
    return d;
}

START_TEST(what_an_earlier_stage_pruned_stays)
{
    static const char k_settings[] = "[compress]\nmethod=magnitude, obq\np=0.5\nb=4\n";
    dscq_error err = {DSCQ_OK, ""};
    const dscq_post_data data = post_data();
    dscq_model *m = NULL;
    uint8_t mask[2048];

    test_ok(dscq_model_clone(&m, g_float, &err));
    dscq_compressor *c = frozen(m, k_settings);
    const int32_t node = dscq_model_find(m, "b2_pw");
    const dscq_wquant *q = dscq_compressor_wquant(c, node);
    ck_assert_uint_le(q->w.count, sizeof mask);
    memcpy(mask, q->mask, q->w.count);
    test_ok(dscq_post_obq(c, g_float, &data, &err));
    q = dscq_compressor_wquant(c, node);
    for (size_t i = 0; i < q->w.count; i++)
        ck_assert(mask[i] || q->w.value[i] == 0);
    dscq_compressor_destroy(c);
    dscq_model_destroy(m);
}
END_TEST

START_TEST(obq_keeps_the_network)
{
    static const char k_settings[] = "[compress]\nmethod=obq\np=0.5\nb=4\n";
    dscq_error err = {DSCQ_OK, ""};
    const dscq_post_data data = post_data();
    dscq_model *m = NULL;

    test_ok(dscq_model_clone(&m, g_float, &err));
    dscq_compressor *c = frozen(m, k_settings);
    const double before = distance(m);
    test_ok(dscq_post_obq(c, g_float, &data, &err));
    ck_assert_double_lt(distance(m), 0.5 * before);
    const dscq_wquant *q = dscq_compressor_wquant(c, dscq_model_find(m, "b2_pw"));
    test_ok(dscq_wquant_check(q, &err));
    ck_assert_uint_le(q->nonzero, q->w.count / 2);
    dscq_compressor_destroy(c);
    dscq_model_destroy(m);
}
END_TEST

START_TEST(norm_and_bias_come_nearer)
{
    static const char k_settings[] =
        "[compress]\nmethod=uniform\nb=3\nlast_b=3\nform=linear\n";
    dscq_error err = {DSCQ_OK, ""};
    const dscq_post_data data = post_data();
    double d[4];

    for (int k = 0; k < 4; k++) {
        dscq_model *m = NULL;

        test_ok(dscq_model_clone(&m, g_float, &err));
        dscq_compressor *c = frozen(m, k_settings);
        if (k == 1)
            test_ok(dscq_post_bias(m, g_float, &data, &err));
        if (k == 2)
            test_ok(dscq_post_norm(m, &data, &err));
        if (k ==
            3) { /* few images are enough for the difference; biases do not add up */
            dscq_post_data few = data;

            few.images = BATCH;
            test_ok(dscq_post_bias(m, g_float, &data, &err));
            test_ok(dscq_post_norm_shift(m, g_float, &few, &err));
        }
        d[k] = distance(m);
        dscq_compressor_destroy(c);
        dscq_model_destroy(m);
    }
    ck_assert_double_lt(d[1], d[0]);
    ck_assert_double_lt(d[2], d[0]);
    ck_assert_double_lt(d[3], d[0]);
}
END_TEST

START_TEST(an_unchanged_network_stays)
{
    dscq_error err = {DSCQ_OK, ""};
    const dscq_post_data data = post_data();
    dscq_model *m = NULL;

    test_ok(dscq_model_clone(&m, g_float, &err));
    test_ok(dscq_post_norm_shift(m, g_float, &data, &err));
    ck_assert_double_lt(distance(m), 1e-9);
    dscq_model_destroy(m);
}
END_TEST

START_TEST(other_graphs_are_refused)
{
    dscq_error err = {DSCQ_OK, ""};
    const dscq_post_data data = post_data();
    dscq_model *other = net_make("[net]\nwidth=8\nheight=8\nchannels=2\n"
                                 "[connected]\noutput=4\nactivation=linear\n",
                                 1);

    test_fails(dscq_post_bias(other, g_float, &data, &err), DSCQ_ARG,
               "post-training: the float network has another graph than the compressed "
               "one");
    dscq_model_destroy(other);
}
END_TEST

/* ---- calibration -------------------------------------------------------- */

START_TEST(histograms_do_not_depend_on_batching)
{
    enum { N = 5000 };
    static float x[N];
    static dscq_hist a, b;
    dscq_rng rng = dscq_rng_seeded(4);

    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    for (size_t i = 0; i < N; i++)
        x[i] = i % 9 == 0 ? 0.0F : dscq_rng_normal(&rng) * (float)(1 + i / 500);
    x[17] = NAN;
    dscq_hist_add(&a, x, N);
    for (size_t i = 0; i < N; i += 7)
        dscq_hist_add(&b, x + i, N - i < 7 ? N - i : 7);
    ck_assert_mem_eq(&a, &b, sizeof a);
    ck_assert_uint_eq(a.total, N - 1);
    uint64_t sum = a.zeros;
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < DSCQ_HIST_BINS; i++)
            sum += a.count[s][i];
    ck_assert_uint_eq(sum, a.total);
}
END_TEST

START_TEST(rules_of_ranges)
{
    enum { N = 200000 };
    static float x[N];
    static dscq_hist h;
    dscq_rng rng = dscq_rng_seeded(6);
    double lo[4], hi[4], error[4];

    memset(&h, 0, sizeof h);
    for (size_t i = 0; i < N; i++)
        x[i] = fmaxf(dscq_rng_normal(&rng), 0.0F);
    x[0] = 40.0F; /* an outlier */
    dscq_hist_add(&h, x, N);
    for (int r = 0; r < 4; r++) {
        dscq_hist_range(&lo[r], &hi[r], &h, (dscq_calibration)r, 99.9, 4);
        const dscq_aquant a = dscq_aquant_make(lo[r], hi[r], 4, 1);

        ck_assert_double_eq(lo[r], 0.0);
        ck_assert_int_eq(a.zero_point, -8); /* all codes for a ReLU */
        error[r] = dscq_hist_error(&h, &a);
    }
    ck_assert_double_eq(hi[DSCQ_CAL_MINMAX], 40.0);
    ck_assert_double_eq_tol(hi[DSCQ_CAL_PERCENTILE], 3.29, 0.1);
    ck_assert(hi[DSCQ_CAL_KL] < 20.0 && hi[DSCQ_CAL_KL] > 1.0);
    for (int r = 0; r < 3; r++)
        ck_assert_double_le(error[DSCQ_CAL_MSE], error[r] * (1 + 1e-9));
    ck_assert_double_lt(error[DSCQ_CAL_MSE], 0.1 * error[DSCQ_CAL_MINMAX]);
}
END_TEST

START_TEST(grids_hold_their_range)
{
    static const double k_ranges[][2] = {{0, 6},     {-1, 3}, {-5, 0},      {-1e-9, 1},
                                         {-1, 1e-9}, {0, 0},  {-0.3, 0.31}, {2, 5}};

    for (size_t i = 0; i < sizeof k_ranges / sizeof *k_ranges; i++)
        for (int bits = 4; bits <= 16; bits += 4)
            for (int is_signed = 0; is_signed < 2; is_signed++) {
                const double lo = fmin(k_ranges[i][0], 0), hi = k_ranges[i][1];
                const dscq_aquant a = dscq_aquant_make(lo, hi, bits, is_signed);
                const int bottom = is_signed ? -(1 << (bits - 1)) : 0;
                double got_lo, got_hi;

                dscq_aquant_range(&a, &got_lo, &got_hi);
                ck_assert(a.scale > 0.0);
                ck_assert_int_ge(a.zero_point, bottom);
                ck_assert_int_le(a.zero_point, bottom + (1 << bits) - 1);
                ck_assert_double_le(got_lo, lo + 1e-12);
                ck_assert_double_ge(got_hi, hi - 1e-12);
                if (lo == 0.0)
                    ck_assert_int_eq(a.zero_point, bottom);
            }
}
END_TEST

START_TEST(a_network_calibrates)
{
    dscq_error err = {DSCQ_OK, ""};
    const dscq_exec_options o = {.batch = BATCH};
    dscq_settings *s = settings_make("[compress]\nactivation_b=8\n");
    dscq_observer *seen = NULL;
    dscq_calibrated *cal = NULL;
    dscq_exec *e = NULL;
    dscq_eval *v = NULL;
    dscq_table *t = NULL;

    test_ok(dscq_observer_create(&seen, g_float, &err));
    test_fails(dscq_calibrate(&cal, seen, s, NULL, &err), DSCQ_ARG,
               "calibration: the network has seen no image");
    test_ok(dscq_exec_create(&e, g_float, &o, &err));
    dscq_exec_observe(e, dscq_observer_see, seen);
    dscq_exec_forward(e, DSCQ_PASS_EVAL, g_train.x[0], BATCH, NULL);
    dscq_exec_observe(e, NULL, NULL);
    test_ok(dscq_calibrate(&cal, seen, s, NULL, &err));
    const int32_t relu = dscq_model_find(g_float, "c1");
    const int32_t fc = dscq_model_find(g_float, "fc"), prob = fc + 1;
    ck_assert_int_eq(cal->edge[relu].zero_point, -128);
    ck_assert_int_eq(cal->edge[relu].bits, 8);
    ck_assert_int_eq(cal->edge[fc].bits, 16); /* the logits */
    ck_assert(cal->edge[prob].scale == cal->edge[fc].scale);
    ck_assert_double_ge(dscq_observer_range_ratio(seen, relu), 1.0);
    test_ok(dscq_calibrated_table(&t, cal, seen, &err));
    ck_assert_uint_eq(dscq_table_rows(t), (size_t)dscq_model_nodes(g_float) + 1);
    dscq_table_destroy(t);
    /* 8-bit activations change next to nothing */
    test_ok(dscq_calibrated_use(cal, e, &err));
    test_ok(dscq_eval_create(&v, CLASSES, &err));
    test_ok(dscq_evaluate(v, e, images_batch, &g_train, NULL, &err));
    ck_assert_double_ge(dscq_eval_top1_frac(v), net_score(g_float, &g_train) - 0.02);
    dscq_eval_destroy(v);
    dscq_exec_destroy(e);
    dscq_calibrated_destroy(cal);
    dscq_observer_destroy(seen);
    dscq_settings_destroy(s);
}
END_TEST

static Suite *post_suite(void)
{
    TCase *tc;
    Suite *s = test_suite("compress post-training", &tc);

    tcase_add_unchecked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, second_order_beats_rounding);
    tcase_add_test(tc, second_order_meets_the_rate);
    tcase_add_test(tc, wide_layers_go_in_blocks);
    tcase_add_test(tc, what_an_earlier_stage_pruned_stays);
    tcase_add_test(tc, an_unchanged_network_stays);
    tcase_add_test(tc, obq_keeps_the_network);
    tcase_add_test(tc, norm_and_bias_come_nearer);
    tcase_add_test(tc, other_graphs_are_refused);
    tcase_add_test(tc, histograms_do_not_depend_on_batching);
    tcase_add_test(tc, rules_of_ranges);
    tcase_add_test(tc, grids_hold_their_range);
    tcase_add_test(tc, a_network_calibrates);
    return s;
}

int main(void)
{
    return test_run(post_suite);
}
