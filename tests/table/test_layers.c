/*
 * Every layer type against two oracles: the double-precision reference (forward), and
 * slopes of that reference (backward). A layer without a case fails. The layer under
 * test stands behind a normalised convolution, so that its input gradient, and the
 * activation and normalisation recomputed on load, are judged as well.
 */
#include "dscq/base/alloc.h"
#include "dscq/base/hash.h"
#include "dscq/nn/exec.h"
#include "dscq/nn/layer.h"
#include "dscq/nn/reference.h"
#include "support.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct layer_case {
    const char *layer; /* row that is tested                       */
    const char *net;   /* width, height, channels, batch           */
    const char *front; /* of the convolution in front; NULL: plain */
    const char *text;  /* the section                              */
} layer_case;

#define FRONT(c, act)                                                                  \
    "[convolutional]\nfilters=" #c "\nsize=1\nbatch_normalize=1\nactivation=" #act "\n"
#define CONV "[convolutional]\n"
#define BN   "batch_normalize=1\n"

/* clang-format off */
static const layer_case k_cases[] = {
    /* pointwise */
    {"convolutional", "5 3 2 3", FRONT(6, relu), CONV "filters=7\nsize=1\nactivation=linear\n"},
    {"convolutional", "4 4 1 1", FRONT(1, linear), CONV "filters=1\nsize=1\n" BN "activation=relu\n"},
    {"convolutional", "9 7 3 3", FRONT(19, leaky), CONV "filters=35\nsize=1\n" BN "activation=relu6\n"},
    {"convolutional", "3 3 2 2", FRONT(48, swish), CONV "filters=300\nsize=1\n" BN "activation=tanh\n"},
    {"convolutional", "2 2 2 3", FRONT(300, relu), CONV "filters=270\nsize=1\nactivation=leaky\n"},
    {"convolutional", "33 31 3 2", FRONT(8, relu), CONV "filters=16\nsize=1\n" BN "activation=relu\n"},
    /* any kernel */
    {"convolutional", "7 7 3 3", NULL, CONV "filters=4\nsize=3\npad=1\n" BN "activation=relu\n"},
    {"convolutional", "7 6 3 3", FRONT(5, relu), CONV "filters=4\nsize=3\npad=1\nactivation=relu\n"},
    {"convolutional", "9 9 2 2", FRONT(4, relu), CONV "filters=6\nsize=3\nstride=2\npad=1\n" BN "activation=linear\n"},
    {"convolutional", "8 8 2 2", FRONT(4, relu), CONV "filters=6\nsize=3\nstride=2\npad_top=0\npad_left=0\npad_bottom=1\npad_right=1\n" BN "activation=relu\n"},
    {"convolutional", "9 5 2 2", FRONT(3, hard_swish), CONV "filters=5\nsize_h=1\nsize_w=5\nstride_x=2\nstride_y=1\npad_left=1\npad_right=2\nactivation=linear\n"},
    {"convolutional", "3 3 2 1", FRONT(4, relu), CONV "filters=3\nsize=5\npadding=2\nactivation=linear\n"},
    {"convolutional", "10 10 2 2", FRONT(8, relu), CONV "filters=12\nsize=3\ngroups=4\npad=1\n" BN "activation=relu\n"},
    {"convolutional", "10 10 2 1", FRONT(4, relu), CONV "filters=4\nsize=3\ndilation=2\npad=1\n" BN "activation=relu\n"},
    {"convolutional", "6 6 2 2", FRONT(4, relu), CONV "filters=8\nsize=3\ngroups=4\npad=1\nactivation=relu\n"},
    {"convolutional", "6 6 2 3", FRONT(4, relu), CONV "filters=4\nsize=6\nactivation=relu\n"},
    {"convolutional", "6 6 2 2", FRONT(4, relu), CONV "filters=8\nsize=1\nstride=2\n" BN "activation=linear\n"},
    {"convolutional", "40 40 3 1", NULL, CONV "filters=8\nsize=3\nstride=2\npad=1\n" BN "activation=relu\n"},
    {"convolutional", "12 12 3 2", FRONT(128, relu), CONV "filters=8\nsize=3\npad=1\n" BN "activation=relu\n"},
    {"convolutional", "6 6 2 2", FRONT(4, relu), CONV "filters=4\nsize=1\nbias=0\nactivation=relu\n"},
    /* few channels, long rows */
    {"convolutional", "33 9 3 2", NULL, CONV "filters=8\nsize=3\npad=1\n" BN "activation=relu\n"},
    {"convolutional", "41 40 3 3", NULL, CONV "filters=20\nsize=3\nstride=2\npad_bottom=1\npad_right=1\n" BN "activation=relu\n"},
    {"convolutional", "40 12 2 2", FRONT(3, relu), CONV "filters=5\nsize=5\nstride=2\npad=1\nactivation=relu\n"},
    {"convolutional", "20 7 1 2", FRONT(1, relu), CONV "filters=3\nsize_h=5\nsize_w=2\npad_top=3\npad_left=2\nactivation=relu\n"},
    {"convolutional", "70 6 3 1", FRONT(4, relu), CONV "filters=4\nsize_h=3\nsize_w=3\nstride_x=4\nstride_y=1\n" BN "activation=relu\n"},
    {"convolutional", "64 100 3 2", NULL, CONV "filters=16\nsize=3\nstride=2\npad=1\n" BN "activation=relu\n"},
    /* depthwise, both spellings */
    {"convolutional", "6 6 2 2", FRONT(8, relu), CONV "filters=8\ngroups=8\nsize=3\npad=1\n" BN "activation=relu\n"},
    {"depthwise", "6 5 2 3", FRONT(8, relu), "[depthwise]\nsize=3\npad=1\n" BN "activation=relu\n"},
    {"depthwise", "7 9 2 3", FRONT(16, relu6), "[depthwise]\nsize=3\nstride=2\npad=1\n" BN "activation=relu6\n"},
    {"depthwise", "8 8 2 1", FRONT(3, relu), "[depthwise]\nsize=3\nstride=2\npad_top=0\npad_left=0\npad_bottom=1\npad_right=1\nactivation=relu\n"},
    {"depthwise", "7 7 2 2", FRONT(17, relu), "[depthwise]\nsize=5\nstride=1\npad=1\n" BN "activation=swish\n"},
    {"depthwise", "11 11 2 2", FRONT(4, relu), "[depthwise]\nsize=3\nstride=2\ndilation=2\npad=1\n" BN "activation=relu\n"},
    {"depthwise", "3 3 2 2", FRONT(4, relu), "[depthwise]\nsize=5\npad=1\nactivation=relu\n"},
    {"depthwise", "9 6 2 2", FRONT(5, relu), "[depthwise]\nsize_h=3\nsize_w=1\nstride_y=3\nstride_x=2\nactivation=relu\n"},
    {"depthwise", "4 4 2 2", FRONT(1, relu), "[depthwise]\nsize=3\npad=1\nactivation=relu\n"},
    {"depthwise", "4 4 2 2", FRONT(6, relu), "[depthwise]\nsize=4\n" "activation=relu\n"},
    {"depthwise", "50 40 2 1", FRONT(64, relu), "[depthwise]\nsize=3\npad=1\n" BN "activation=relu\n"},
    {"connected", "4 3 2 3", FRONT(5, relu), "[connected]\noutput=7\nactivation=relu\n"},
    {"connected", "1 1 9 5", FRONT(12, relu), "[connected]\noutput=33\n" BN "activation=tanh\n"},
    {"connected", "6 6 2 3", FRONT(60, relu), "[connected]\noutput=270\nactivation=leaky\n"},
    {"connected", "1 1 5 1", NULL, "[connected]\noutput=4\nactivation=linear\n"},
    {"batchnorm", "5 4 3 3", FRONT(6, relu), "[batchnorm]\nactivation=relu\n"},
    {"batchnorm", "1 1 3 4", FRONT(1, leaky), "[batchnorm]\n"},
    {"activation", "5 4 3 2", FRONT(6, linear), "[activation]\nactivation=mish\n"},
    {"activation", "5 4 3 2", FRONT(6, linear), "[activation]\nactivation=hard_sigmoid\n"},
    {"activation", "5 4 3 2", FRONT(6, linear), "[activation]\nactivation=elu\n"},
    {"activation", "5 4 3 2", FRONT(6, linear), "[activation]\nactivation=logistic\n"},
    {"maxpool", "8 8 2 3", FRONT(5, linear), "[maxpool]\nsize=2\nstride=2\n"},
    {"maxpool", "7 5 2 3", FRONT(5, linear), "[maxpool]\nsize=3\nstride=2\n"},
    {"maxpool", "6 6 2 1", FRONT(20, linear), "[maxpool]\nsize=5\nstride=1\n"},
    {"maxpool", "5 5 2 1", FRONT(3, linear), "[maxpool]\nsize=3\nstride=2\npadding=0\n"},
    {"avgpool", "5 4 2 3", FRONT(5, relu), "[avgpool]\n"},
    {"avgpool", "1 1 2 3", FRONT(17, relu), "[avgpool]\n"},
    {"avgpool", "7 6 2 2", FRONT(5, relu), "[avgpool]\nsize=3\nstride=2\npadding=2\n"},
    {"avgpool", "7 6 2 2", FRONT(5, relu), "[avgpool]\nsize=3\nstride=2\npadding=2\ncount_pad=1\n"},
    {"dropout", "3 3 2 2", FRONT(4, relu), "[dropout]\nprobability=.3\n"},
    {"shortcut", "5 4 3 3", FRONT(6, relu), CONV "filters=6\nsize=3\npad=1\n" BN "activation=linear\n[shortcut]\nfrom=-2\nactivation=relu\n"},
    {"shortcut", "5 4 3 2", FRONT(6, relu), CONV "filters=6\nsize=1\n" BN "activation=linear\n[shortcut]\nfrom=-2\n" CONV "filters=6\nsize=1\n" BN "activation=linear\n[shortcut]\nfrom=-2,-4\nalpha=0.5\nbeta=2\n"},
    {"shortcut", "3 3 2 2", FRONT(4, relu), "[shortcut]\nfrom=-1\nactivation=linear\n"},
    {"shortcut", "4 3 2 3", FRONT(6, relu), CONV "filters=4\nsize=1\nactivation=relu\n[shortcut]\nfrom=-2\nactivation=relu\n"},
    {"shortcut", "4 3 2 3", FRONT(3, relu), CONV "filters=7\nsize=1\nactivation=relu\n[shortcut]\nfrom=-2\nactivation=leaky\n"},
    {"shortcut", "3 3 2 2", FRONT(3, relu), CONV "filters=7\nsize=1\nactivation=relu\n" CONV "filters=5\nsize=1\nactivation=linear\n[shortcut]\nfrom=-2,-3\nalpha=0.5\nbeta=2\n"},
    {"route", "5 4 3 3", FRONT(6, relu), CONV "filters=3\nsize=3\npad=1\nactivation=relu\n[route]\nlayers=-1,-2\n"},
    {"route", "5 4 3 3", FRONT(6, relu), "[route]\nlayers=-1\ngroups=3\ngroup_id=1\n"},
    {"route", "5 4 3 2", FRONT(6, relu), "[route]\nlayers=-1\nfirst_channel=1\nchannels=4\n"},
    {"route", "5 4 3 2", FRONT(6, relu), CONV "filters=3\nsize=1\nactivation=relu\n[route]\nlayers=-2\n" CONV "filters=3\nsize=1\nactivation=relu\n[route]\nlayers=-1,-3,-1\n"},
    {"upsample", "3 4 2 2", FRONT(5, relu), "[upsample]\nstride=2\n"},
    {"upsample", "3 2 2 1", FRONT(5, relu), "[upsample]\nstride=3\n"},
    {"reorg", "6 4 2 2", FRONT(5, relu), "[reorg]\nstride=2\n"},
    {"reorg", "6 3 2 1", FRONT(1, relu), "[reorg]\nstride=3\n"},
    {"lrn", "4 4 2 2", FRONT(9, relu), "[lrn]\nsize=5\nalpha=0.5\nbeta=0.75\nkappa=2\n"},
    {"lrn", "2 2 2 1", FRONT(3, relu), "[lrn]\nsize=4\nalpha=1\nbeta=0.5\nkappa=1\n"},
    {"lrn", "2 2 2 1", FRONT(1, relu), "[lrn]\nsize=5\nalpha=1\n"},
    {"scale_channels", "4 3 2 3", FRONT(6, relu), "[avgpool]\n" CONV "filters=6\nsize=1\nactivation=logistic\n[scale_channels]\nfrom=-3\n"},
    {"scale_channels", "4 3 2 2", FRONT(6, relu), CONV "filters=6\nsize=1\nactivation=hard_sigmoid\n[scale_channels]\nfrom=-2\nactivation=relu\n"},
    {"softmax", "3 2 2 2", FRONT(6, linear), "[softmax]\n[activation]\nactivation=linear\n"},
    {"softmax", "1 1 2 3", FRONT(6, linear), "[softmax]\ngroups=2\ntemperature=2\n[activation]\nactivation=linear\n"},
    {"yolo", "4 3 3 2", FRONT(3, relu), CONV "filters=14\nsize=1\nactivation=linear\n[yolo]\nmask=1,2\nnum=3\nclasses=2\nanchors=1,2,3,4,5,6\n"},
    {"region", "4 3 3 1", FRONT(3, relu), CONV "filters=14\nsize=1\nactivation=linear\n[region]\nnum=2\nclasses=2\nanchors=1,2,3,4\n"},
};
/* clang-format on */

enum { CASES = sizeof k_cases / sizeof k_cases[0] };

typedef struct world {
    dscq_model *m;
    dscq_exec *e;
    dscq_reference *r;
    dscq_pool *pool;
    int32_t n;
    float *x;
    size_t x_count;
} world;

/* Values that are neither all alike nor far from 1. */
static void randomise(float *v, size_t count, dscq_rng *r, float centre, float spread)
{
    for (size_t i = 0; v != NULL && i < count; i++)
        v[i] = centre + spread * dscq_rng_between(r, -1.0f, 1.0f);
}

static dscq_model *make_model(const layer_case *c, int32_t *n)
{
    char text[4096];
    int w, h, ch, batch;
    dscq_config *cfg = NULL;
    dscq_model *m = NULL;
    dscq_error err = {0};
    dscq_rng r = dscq_rng_seeded(5);

    ck_assert_int_eq(sscanf(c->net, "%d %d %d %d", &w, &h, &ch, &batch), 4);
    snprintf(text, sizeof text, "[net]\nwidth=%d\nheight=%d\nchannels=%d\n%s%s", w, h,
             ch, c->front != NULL ? c->front : "", c->text);
    ck_assert_msg(dscq_config_parse(&cfg, text, strlen(text), "case.cfg", &err) ==
                      DSCQ_OK,
                  "%s: %s", c->layer, err.msg);
    ck_assert_msg(dscq_model_from_config(&m, cfg, "", &r, &err) == DSCQ_OK, "%s: %s",
                  c->layer, err.msg);
    dscq_config_destroy(cfg);
    for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
        dscq_weights *p = dscq_model_node(m, i)->weights;
        const size_t k = (size_t)p->channels;
        randomise(p->bias, k, &r, 0.1f, 0.5f);
        randomise(p->gamma, k, &r, 1.0f, 0.4f);
        randomise(p->beta, k, &r, 0.2f, 0.5f);
        randomise(p->mean, k, &r, 0.0f, 0.5f);
        randomise(p->var, k, &r, 1.0f, 0.5f);
    }
    *n = batch;
    return m;
}

static world make_world(const layer_case *c, int training, int threads,
                        const char *family)
{
    world w = {0};
    dscq_error err = {0};
    dscq_rng r = dscq_rng_seeded(11);

    w.m = make_model(c, &w.n);
    ck_assert_int_eq(dscq_pool_create(&w.pool, threads, &err), DSCQ_OK);
    const dscq_exec_options o = {.batch = w.n,
                                 .training = training,
                                 .keep_nodes = !training,
                                 .pool = w.pool,
                                 .kernels = dscq_kernels_get(family)};
    ck_assert_msg(dscq_exec_create(&w.e, w.m, &o, &err) == DSCQ_OK, "%s: %s", c->layer,
                  err.msg);
    ck_assert_int_eq(dscq_reference_create(&w.r, w.m, w.n, &err), DSCQ_OK);
    const dscq_shape in = dscq_model_input(w.m);
    w.x_count = dscq_shape_count(&in) * (size_t)w.n;
    w.x = dscq_malloc(w.x_count, sizeof(float));
    randomise(w.x, w.x_count, &r, 0.0f, 1.0f);
    for (size_t i = 0; i < w.x_count; i++)
        dscq_reference_input(w.r)[i] = (double)w.x[i];
    return w;
}

static void end_world(world *w)
{
    dscq_reference_destroy(w->r);
    dscq_exec_destroy(w->e);
    dscq_model_destroy(w->m);
    dscq_pool_destroy(w->pool);
    dscq_free(w->x);
}

static void compare(const layer_case *c, const char *what, const float *got,
                    const double *want, size_t count, double tolerance)
{
    double top = 0;

    for (size_t i = 0; i < count; i++)
        top = fmax(top, fabs(want[i]));
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(fabs((double)got[i] - want[i]) <= tolerance * (0.05 + top),
                      "%s [%s] %s %s[%zu of %zu]: got %.8g, want %.8g", c->layer,
                      c->net, c->text, what, i, count, (double)got[i], want[i]);
}

START_TEST(every_layer_has_a_case)
{
    const dscq_layer_ops *ops = dscq_layer_at((size_t)_i);
    int found = 0;

    for (size_t i = 0; i < CASES; i++)
        found += strcmp(k_cases[i].layer, ops->name) == 0;
    ck_assert_msg(found > 0, "%s: no case", ops->name);
    ck_assert_ptr_nonnull(ops->summary);
    ck_assert(ops->reference != NULL);
    ck_assert_ptr_eq(dscq_layer_find(ops->name), ops);
}
END_TEST

START_TEST(inference_agrees_with_reference)
{
    const layer_case *c = &k_cases[_i];

    for (int f = 0; dscq_kernels_family(f) != NULL; f++) {
        world w = make_world(c, 0, 1, dscq_kernels_family(f));
        dscq_exec_forward(w.e, DSCQ_PASS_EVAL, w.x, w.n, NULL);
        dscq_reference_forward(w.r, 0);
        for (int32_t i = 0; i < dscq_model_nodes(w.m); i++) {
            size_t count;
            const double *want = dscq_reference_output(w.r, i, &count);
            compare(c, dscq_model_node(w.m, i)->name,
                    dscq_exec_node_output(w.e, i, NULL), want, count, 2e-5);
        }
        end_world(&w);
    }
}
END_TEST

/* sum of cotangent * output, over all outputs */
static double scalar(world *w, const double *cotangent)
{
    double sum = 0;

    dscq_reference_forward(w->r, 1);
    for (int32_t o = 0; o < dscq_model_outputs(w->m); o++) {
        size_t count;
        const double *y =
            dscq_reference_output(w->r, dscq_model_output(w->m, o), &count);
        for (size_t i = 0; i < count; i++)
            sum += y[i] * cotangent[i % 997];
    }
    return sum;
}

static void check_slopes(const layer_case *c, world *w, int32_t node,
                         dscq_ref_param what, const float *got, const double *cotangent)
{
    static const char *const names[] = {"weight", "bias", "gamma", "beta"};
    const double h = 1e-6;
    size_t count;
    double *p = dscq_reference_param(w->r, node, what, &count);
    double want[24];
    float have[24];
    char label[96];

    ck_assert_msg((p == NULL) == (got == NULL), "%s node %d: gradient of %s", c->layer,
                  (int)node, names[what]);
    if (p == NULL)
        return;
    const size_t step = count > 24 ? count / 24 : 1;
    size_t k = 0;
    for (size_t i = 0; i < count && k < 24; i += step, k++) {
        const double old = p[i];
        p[i] = old + h;
        const double up = scalar(w, cotangent);
        p[i] = old - h;
        want[k] = (up - scalar(w, cotangent)) / (2 * h);
        p[i] = old;
        have[k] = got[i];
    }
    snprintf(label, sizeof label, "d %s of node %d", names[what], (int)node);
    compare(c, label, have, want, k, 1e-3);
}

START_TEST(gradients_agree_with_slopes_of_the_reference)
{
    const layer_case *c = &k_cases[_i];
    double cotangent[997];
    dscq_rng r = dscq_rng_seeded(3);

    for (int i = 0; i < 997; i++)
        cotangent[i] = (double)dscq_rng_between(&r, -1.0f, 1.0f);
    for (int f = 0; dscq_kernels_family(f) != NULL; f++) {
        world w = make_world(c, 1, 2, dscq_kernels_family(f));
        dscq_exec_forward(w.e, DSCQ_PASS_TRAIN, w.x, w.n, NULL);
        dscq_reference_forward(w.r, 1);
        for (int32_t o = 0; o < dscq_model_outputs(w.m); o++) {
            size_t count;
            const double *want =
                dscq_reference_output(w.r, dscq_model_output(w.m, o), &count);
            compare(c, "training output", dscq_exec_output(w.e, o, NULL), want, count,
                    1e-4);
            for (size_t i = 0; i < count; i++)
                dscq_exec_output_grad(w.e, o)[i] = (float)cotangent[i % 997];
        }
        dscq_exec_backward(w.e);
        for (int32_t i = 0; i < dscq_model_nodes(w.m); i++) {
            const dscq_grads g = dscq_exec_grads(w.e, i);
            check_slopes(c, &w, i, DSCQ_REF_WEIGHT, g.w, cotangent);
            check_slopes(c, &w, i, DSCQ_REF_BIAS, g.bias, cotangent);
            check_slopes(c, &w, i, DSCQ_REF_GAMMA, g.gamma, cotangent);
            check_slopes(c, &w, i, DSCQ_REF_BETA, g.beta, cotangent);
        }
        end_world(&w);
    }
}
END_TEST

/* All gradients and outputs of one training step as bytes. */
static uint64_t digest(const layer_case *c, int threads)
{
    world w = make_world(c, 1, threads, NULL);
    const dscq_rng rng = dscq_rng_seeded(77);
    uint64_t h = 0;

    dscq_exec_forward(w.e, DSCQ_PASS_TRAIN, w.x, w.n, &rng);
    for (int32_t o = 0; o < dscq_model_outputs(w.m); o++) {
        dscq_shape s;
        const float *y = dscq_exec_output(w.e, o, &s);
        h = dscq_fnv64(h, y, dscq_shape_count(&s) * sizeof(float));
        for (size_t i = 0; i < dscq_shape_count(&s); i++)
            dscq_exec_output_grad(w.e, o)[i] = (float)(i % 13) - 6.0f;
    }
    dscq_exec_backward(w.e);
    for (int32_t i = 0; i < dscq_model_nodes(w.m); i++) {
        const dscq_grads g = dscq_exec_grads(w.e, i);
        const dscq_weights *p = dscq_model_node(w.m, i)->weights;
        const size_t k = (size_t)p->channels * sizeof(float);
        h = g.w != NULL ? dscq_fnv64(h, g.w, p->count * sizeof(float)) : h;
        h = g.bias != NULL ? dscq_fnv64(h, g.bias, k) : h;
        h = g.gamma != NULL ? dscq_fnv64(h, g.gamma, k) : h;
        h = g.beta != NULL ? dscq_fnv64(h, g.beta, k) : h;
    }
    end_world(&w);
    return h;
}

START_TEST(same_bytes_for_1_2_and_8_threads)
{
    const uint64_t one = digest(&k_cases[_i], 1);

    ck_assert_uint_eq(digest(&k_cases[_i], 2), one);
    ck_assert_uint_eq(digest(&k_cases[_i], 8), one);
}
END_TEST

/* clang-format off */
static const struct { const char *net, *text, *want; } k_refused[] = {
    {"4 4 3", CONV "filters=2\nsize=7\nactivation=relu\n", "does not fit"},
    {"4 4 3", CONV "filters=2\nsize=3\ndilation=2\nactivation=relu\n", "does not fit"},
    {"4 4 3", CONV "filters=2\nsize=1\n", "activation is missing"},
    {"4 4 3", CONV "filters=4\nsize=1\ngroups=2\nactivation=relu\n", "groups = 2"},
    {"4 4 4", CONV "filters=5\nsize=1\ngroups=2\nactivation=relu\n", "groups = 2"},
    {"4 4 4", CONV "filters=4\nsize=1\nxnor=1\nactivation=relu\n", "not supported"},
    {"4 4 4", CONV "filters=4\nsize=1\nactivation=rleu\n", "activation"},
    {"4 4 4", CONV "filter=4\nsize=1\nactivation=relu\n", "filters"},
    {"4 4 4", "[convolutionl]\nfilters=4\n", "convolutional"},
    {"4 4 4", "[lstm]\n", "not supported"},
    {"4 4 4", "[depthwise]\nsize=5\nactivation=relu\n", "does not fit"},
    {"4 4 4", "[maxpool]\nsize=5\nstride=1\npadding=0\n", "does not fit"},
    {"4 4 4", "[avgpool]\nsize=5\n", "does not fit"},
    {"4 4 4", "[shortcut]\nfrom=-1\n", "layer in front"},
    {"4 4 4", "[maxpool]\nsize=2\nstride=2\n[shortcut]\nfrom=3\n", "not an earlier layer"},
    {"4 4 4", "[maxpool]\nsize=2\nstride=2\n[maxpool]\nsize=2\nstride=2\n[shortcut]\nfrom=-2\n", "cannot add"},
    {"4 4 4", "[maxpool]\nsize=2\nstride=2\n[route]\nlayers=5\n", "not an earlier layer"},
    {"4 4 4", "[maxpool]\nsize=2\nstride=2\n[route]\nlayers=-1.5\n", "not an earlier layer"},
    {"4 4 4", "[maxpool]\nsize=2\nstride=2\n[maxpool]\nsize=2\nstride=2\n[route]\nlayers=-1,-2\n", "cannot join"},
    {"4 4 4", "[maxpool]\nsize=2\nstride=2\n[route]\nlayers=-1\ngroups=3\n", "channels"},
    {"4 4 4", "[reorg]\nstride=3\n", "does not divide"},
    {"4 4 4", "[softmax]\ngroups=3\n", "does not divide"},
    {"4 4 4", "[yolo]\nnum=1\nclasses=2\nanchors=1,2\n", "filters"},
    {"4 4 7", "[yolo]\nnum=1\nclasses=2\nanchors=1,2,3\n", "anchor"},
    {"4 4 7", "[yolo]\nnum=1\nclasses=2\nanchors=1,2\nmask=1\n", "mask"},
    {"4 4 7", "[yolo]\nnum=1\nclasses=2\nanchors=1,0\n", "anchor"},
    {"0 4 7", "[avgpool]\n", "required"},
    {"4 4 7", "", "no layers"},
};
/* clang-format on */

START_TEST(what_is_wrong_is_refused_with_its_place)
{
    int w, h, c;
    char text[1024];
    dscq_config *cfg = NULL;
    dscq_model *m = (dscq_model *)1;
    dscq_error err = {0};
    const dscq_rng r = dscq_rng_seeded(1);

    ck_assert_int_eq(sscanf(k_refused[_i].net, "%d %d %d", &w, &h, &c), 3);
    snprintf(text, sizeof text, "[net]\nwidth=%d\nheight=%d\nchannels=%d\n%s", w, h, c,
             k_refused[_i].text);
    ck_assert_int_eq(dscq_config_parse(&cfg, text, strlen(text), "bad.cfg", &err),
                     DSCQ_OK);
    const dscq_status s = dscq_model_from_config(&m, cfg, "", &r, &err);
    ck_assert_msg(s == DSCQ_FORMAT || s == DSCQ_UNSUPPORTED, "%s: status %d",
                  k_refused[_i].text, (int)s);
    ck_assert_ptr_null(m);
    ck_assert_msg(strncmp(err.msg, "bad.cfg", 7) == 0, "%s", err.msg);
    ck_assert_msg(strstr(err.msg, k_refused[_i].want) != NULL, "'%s' lacks '%s'",
                  err.msg, k_refused[_i].want);
    dscq_config_destroy(cfg);
}
END_TEST

static Suite *make(void)
{
    Suite *s = suite_create("layers");
    TCase *tc = tcase_create("oracles");
    TCase *bad = tcase_create("errors");

    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, every_layer_has_a_case, 0, (int)dscq_layer_count());
    tcase_add_loop_test(tc, inference_agrees_with_reference, 0, CASES);
    tcase_add_loop_test(tc, gradients_agree_with_slopes_of_the_reference, 0, CASES);
    tcase_add_loop_test(tc, same_bytes_for_1_2_and_8_threads, 0, CASES);
    tcase_add_loop_test(bad, what_is_wrong_is_refused_with_its_place, 0,
                        (int)(sizeof k_refused / sizeof k_refused[0]));
    suite_add_tcase(s, tc);
    suite_add_tcase(s, bad);
    return s;
}

int main(void)
{
    return test_run(make);
}
