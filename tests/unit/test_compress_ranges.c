#include "dscq/compress/calibrate.h"
#include "dscq/compress/ranges.h"
#include "test_compress_util.h"

enum { EPOCHS = 60, GRIDS = 32 };
static images g_train;

static void setup(void)
{
    images_make(&g_train, 1);
}

#define TWO(act)                                                                       \
    "[net]\nwidth=8\nheight=8\nchannels=2\n"                                           \
    "[convolutional]\nname=a\nfilters=3\nsize=1\nactivation=" act                      \
    "\n[connected]\nname=fc\noutput=4\nactivation=linear\n"

enum { GRID_BITS = 4 };

/* Of g * dq/dscale at x, q the codes of k_grid times the scale. */
static double step_error(double x, int zero)
{
    const double code = nearbyint(x) + zero;

    return code < -8 ? -8 - zero : code > 7 ? 7 - zero : code - zero - x;
}

/* By the definition, in double, from the weights of a network of TWO: the grid of what
 * leaves its leaky layer, or the one in front of its swish. */
static double by_hand(const dscq_model *m, const float *grad, double scale, int zero)
{
    const int before = dscq_model_node(m, 0)->act == DSCQ_ACT_SWISH;
    const dscq_weights *a = dscq_model_node(m, 0)->weights,
                       *fc = dscq_model_node(m, 1)->weights;
    double sum = 0.0;

    for (int i = 0; i < BATCH; i++)
        for (int p = 0; p < SIDE * SIDE; p++)
            for (int c = 0; c < 3; c++) {
                double y = (double)a->bias[c], g = 0.0;

                for (int k = 0; k < CHANNELS; k++)
                    y += (double)a->w[c * CHANNELS + k] *
                         (double)g_train.x[i][p * CHANNELS + k];
                if (!before)
                    y = y > 0.0 ? y : 0.1 * y;
                for (int o = 0; o < CLASSES; o++)
                    g += (double)fc->w[(o * SIDE * SIDE + p) * 3 + c] *
                         (double)grad[i * CLASSES + o];
                const double code = fmin(fmax(nearbyint(y / scale) + zero, -8.0), 7.0);
                if (before)
                    g *= dscq_act_slope(DSCQ_ACT_SWISH, 0, scale * (code - zero));
                sum += g * step_error(y / scale, zero);
            }
    return sum;
}

START_TEST(the_gradient_of_a_scale)
{
    const dscq_act_quant q = {
        .scale = _i ? 0.17F : 0.11F, .zero = _i ? -1 : -5, .bits = GRID_BITS};
    dscq_model *m = net_make(_i ? TWO("swish") : TWO("leaky"), 3);
    float grad[BATCH * CLASSES];
    dscq_rng rng = dscq_rng_seeded(9);
    dscq_error err = {DSCQ_OK, ""};
    double got[3];

    for (int i = 0; i < BATCH * CLASSES; i++)
        grad[i] = dscq_rng_normal(&rng);
    for (int k = 0; k < 3; k++) { /* one thread, eight, and not asked for */
        dscq_pool *pool = NULL;
        dscq_exec *e = NULL;

        test_ok(dscq_pool_create(&pool, k == 1 ? 8 : 1, &err));
        const dscq_exec_options o = {.batch = BATCH, .training = 1, .pool = pool};
        test_ok(dscq_exec_create(&e, m, &o, &err));
        test_ok(_i ? dscq_exec_quantise_before(e, 0, &q, &err)
                   : dscq_exec_quantise(e, 0, &q, &err));
        dscq_exec_learn_ranges(e, k < 2);
        for (int twice = 0; twice < 2; twice++) { /* nothing is left from before */
            dscq_exec_forward(e, DSCQ_PASS_TRAIN, g_train.x[0], BATCH, NULL);
            memcpy(dscq_exec_output_grad(e, 0), grad, sizeof grad);
            dscq_exec_backward(e);
        }
        got[k] = _i ? dscq_exec_range_grad_before(e, 0) : dscq_exec_range_grad(e, 0);
        ck_assert(0.0 == (_i ? dscq_exec_range_grad(e, 0)
                             : dscq_exec_range_grad_before(e, 0)));
        dscq_exec_destroy(e);
        dscq_pool_destroy(pool);
    }
    const double want = by_hand(m, grad, (double)q.scale, q.zero);
    ck_assert_double_gt(fabs(want), 0.1);
    ck_assert_double_eq_tol(got[0], want, 1e-3 * (1.0 + fabs(want)));
    ck_assert(got[0] == got[1] && got[2] == 0.0);
    dscq_model_destroy(m);
}
END_TEST

START_TEST(only_tables_have_a_grid_in_front)
{
    const dscq_act_quant q = {.scale = 0.1F, .bits = 8};
    dscq_error err = {DSCQ_OK, ""};
    const dscq_exec_options o = {.batch = 1};
    dscq_model *m = net_make(TWO("leaky"), 3);
    dscq_exec *e = NULL;

    test_ok(dscq_exec_create(&e, m, &o, &err));
    test_fails(dscq_exec_quantise_before(e, 0, &q, &err), DSCQ_ARG,
               "node 0: no activation that needs a table");
    test_fails(dscq_exec_quantise_before(e, DSCQ_INPUT, &q, &err), DSCQ_ARG,
               "node -1: no activation that needs a table");
    test_ok(dscq_exec_quantise_before(e, 0, NULL, &err));
    dscq_exec_destroy(e);
    dscq_model_destroy(m);
}
END_TEST

typedef struct learner {
    dscq_ranges *r;
    dscq_aquant *edge;
    int32_t nodes;
    double rate;
} learner;

static dscq_status use(dscq_exec *e, const learner *l, dscq_error *err)
{
    dscq_status status = DSCQ_OK;

    for (int32_t i = -1; i < l->nodes && status == DSCQ_OK; i++) {
        const dscq_act_quant q = dscq_aquant_fake(&l->edge[i + 1]);
        status = dscq_exec_quantise(e, i, &q, err);
    }
    return status;
}

static dscq_status learn(void *ctx, dscq_model *m, dscq_exec *e, uint64_t step,
                         dscq_error *err)
{
    learner *l = ctx;

    (void)m;
    (void)step;
    dscq_ranges_step(l->r, l->edge, e, l->rate);
    return use(e, l, err);
}

static double loss_of(dscq_model *m, const learner *l)
{
    dscq_error err = {DSCQ_OK, ""};
    const dscq_exec_options o = {.batch = BATCH, .raw_outputs = 1};
    dscq_exec *e = NULL;
    dscq_eval *v = NULL;

    test_ok(dscq_exec_create(&e, m, &o, &err));
    test_ok(use(e, l, &err));
    test_ok(dscq_eval_create(&v, CLASSES, &err));
    test_ok(dscq_evaluate(v, e, images_batch, &g_train, NULL, &err));
    const double loss = dscq_eval_loss(v);
    dscq_eval_destroy(v);
    dscq_exec_destroy(e);
    return loss;
}

static void calibrate(dscq_aquant *edge, dscq_model *m, const char *settings)
{
    dscq_error err = {DSCQ_OK, ""};
    const dscq_exec_options o = {.batch = IMAGES};
    dscq_settings *s = settings_make(settings);
    dscq_observer *seen = NULL;
    dscq_calibrated *cal = NULL;
    dscq_exec *e = NULL;

    test_ok(dscq_observer_create(&seen, m, &err));
    test_ok(dscq_exec_create(&e, m, &o, &err));
    dscq_exec_observe(e, dscq_observer_see, seen);
    dscq_exec_forward(e, DSCQ_PASS_EVAL, g_train.x[0], IMAGES, NULL);
    test_ok(dscq_calibrate(&cal, seen, s, NULL, &err));
    dscq_calibrated_copy(edge, cal);
    dscq_calibrated_destroy(cal);
    dscq_observer_destroy(seen);
    dscq_exec_destroy(e);
    dscq_settings_destroy(s);
}

/* From ranges that outliers stretched, scales alone (weights stand still) find better
 * ones; saved and loaded in the middle they find the same. */
START_TEST(scales_learn)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_model *m = net_make(k_net, 2);
    dscq_aquant edge[2][GRIDS], start[GRIDS];
    double before = 0.0;

    net_train(m, NULL, &g_train, 12, 0.05);
    const int32_t nodes = dscq_model_nodes(m);
    ck_assert_uint_le(dscq_grid_count(nodes), GRIDS);
    calibrate(start, m, "[compress]\ncalibration=minmax\nactivation_b=4\n");
    for (int32_t i = 1; i <= nodes; i++)
        if (start[i].bits == 4)
            start[i].scale *= 3.0;
    for (int k = 0; k < 2; k++) {
        dscq_train_params p = train_params(EPOCHS);
        learner l = {.edge = edge[k], .nodes = nodes, .rate = 0.3};
        const dscq_train_hooks hooks = {.ctx = &l, .after_backward = learn};
        dscq_trainer *t = NULL;
        dscq_model *still = NULL;

        test_ok(dscq_model_clone(&still, m, &err));
        memcpy(edge[k], start, sizeof start);
        before = loss_of(still, &l);
        p.learning_rate = 1e-12;
        p.decay = 0.0;
        test_ok(dscq_ranges_create(&l.r, still, &err));
        test_ok(dscq_trainer_create(&t, still, &p, IMAGES / BATCH, NULL, NULL, &err));
        dscq_trainer_set_hooks(t, &hooks);
        dscq_exec_learn_ranges(dscq_trainer_exec(t), 1);
        dscq_exec_freeze_norm(dscq_trainer_exec(t), 1);
        test_ok(use(dscq_trainer_exec(t), &l, &err));
        for (int epoch = 0; epoch < EPOCHS; epoch++) {
            dscq_checkpoint *c = NULL;

            test_ok(dscq_trainer_epoch(t, images_batch, &g_train, NULL, &err));
            dscq_trainer_next_epoch(t);
            if (k == 0 || epoch != 30)
                continue;
            test_ok(dscq_checkpoint_create(&c, &err));
            ck_assert_int_eq(dscq_ranges_load(l.r, c, &err), DSCQ_FORMAT);
            test_ok(dscq_ranges_save(l.r, c, &err));
            test_ok(dscq_checkpoint_write(c, test_path("r"), &err));
            dscq_checkpoint_destroy(c);
            dscq_ranges_destroy(l.r);
            test_ok(dscq_ranges_create(&l.r, still, &err));
            test_ok(dscq_checkpoint_read(&c, test_path("r"), &err));
            test_ok(dscq_ranges_load(l.r, c, &err));
            dscq_checkpoint_destroy(c);
        }
        ck_assert_double_lt(loss_of(still, &l), 0.85 * before);
        dscq_trainer_destroy(t);
        dscq_ranges_destroy(l.r);
        dscq_model_destroy(still);
    }
    ck_assert_mem_eq(edge[0], edge[1], ((size_t)nodes + 1) * sizeof *start);
    /* the input and the logits keep theirs */
    ck_assert_double_eq(edge[0][0].scale, start[0].scale);
    ck_assert_double_eq(edge[0][nodes].scale, start[nodes].scale);
    dscq_model_destroy(m);
}
END_TEST

static Suite *ranges_suite(void)
{
    TCase *tc;
    Suite *s = test_suite("learned ranges", &tc);

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, the_gradient_of_a_scale, 0, 2);
    tcase_add_test(tc, only_tables_have_a_grid_in_front);
    tcase_add_test(tc, scales_learn);
    return s;
}

int main(void)
{
    return test_run(ranges_suite);
}
