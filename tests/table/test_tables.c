/* Every activation behind every layer that fuses one: the integer layer is as near to
 * the float one as 8 bits allow, and no worse than the same activation in a section of
 * its own. A new activation is tested when its row exists. */
#include "dscq/base/alloc.h"
#include "dscq/base/config.h"
#include "dscq/infer/reference.h"
#include "dscq/nn/exec.h"
#include "qmodel_float.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SIDE = 8, CHANNELS = 6, CALIBRATE = 64, IMAGES = 16 };

#define NET "[net]\nwidth=8\nheight=8\nchannels=6\n"
#define ACT "activation="

/* A network up to the layer "it", whose activation comes next; the error of the
 * layers before, of the input and of 8-bit weights is part of a case. */
typedef struct fusing {
    const char *name, *text;
    double most; /* rms error, in deviations of the output */
} fusing;

static const fusing k_fusing[] = {
    {"convolutional",
     "[convolutional]\nname=it\nfilters=12\nsize=3\npad=1\nbatch_normalize=1\n" ACT,
     0.022},
    {"depthwise", "[depthwise]\nname=it\nsize=3\npad=1\nbatch_normalize=1\n" ACT,
     0.022},
    {"connected", "[connected]\nname=it\noutput=96\n" ACT, 0.022},
    {"batchnorm", "[batchnorm]\nname=it\n" ACT, 0.022},
    {"shortcut",
     "[convolutional]\nname=a\nfilters=6\nsize=1\nbatch_normalize=1\nactivation="
     "linear\n"
     "[batchnorm]\nname=b\nactivation=linear\n[shortcut]\nname=it\nfrom=-2\n" ACT,
     0.03},
    {"scale_channels",
     "[convolutional]\nname=a\nfilters=6\nsize=1\nbatch_normalize=1\nactivation="
     "linear\n"
     "[avgpool]\n"
     "[convolutional]\nname=gate\nfilters=6\nsize=1\nactivation=linear\n"
     "[scale_channels]\nname=it\nfrom=0\n" ACT,
     0.033},
    {"gate",
     "[convolutional]\nname=a\nfilters=24\nsize=1\nbatch_normalize=1\n"
     "activation=linear\n[avgpool]\nsize=2\nstride=2\n"
     "[convolutional]\nname=it\nfilters=24\nsize=1\n" ACT,
     0.033},
};

typedef struct act_case {
    dscq_act act;
    double slope; /* NaN: by default */
} act_case;

/* Every row of the activation table, and slopes that make a table of what is none. */
static const double k_slopes[] = {-0.3, 0.0, 0.3, 1.7};

enum {
    SLOPES = sizeof k_slopes / sizeof *k_slopes,
    CASES = DSCQ_ACT_COUNT + 2 * SLOPES
};

static act_case case_at(int i)
{
    if (i < DSCQ_ACT_COUNT)
        return (act_case){(dscq_act)i, (double)NAN};
    const int k = i - DSCQ_ACT_COUNT;
    return (act_case){k < SLOPES ? DSCQ_ACT_LEAKY : DSCQ_ACT_ELU, k_slopes[k % SLOPES]};
}

static dscq_model *parse(const char *text)
{
    const dscq_rng rng = dscq_rng_seeded(5);
    dscq_config *cfg;
    dscq_model *net;
    dscq_error err;

    test_ok(dscq_config_parse(&cfg, text, strlen(text), "test.cfg", &err));
    test_ok(dscq_model_from_config(&net, cfg, "", &rng, &err));
    dscq_config_destroy(cfg);
    return net;
}

/* Weights that do not depend on the activation; what it sees reaches further than a
 * tanh bends. */
static void fill(dscq_model *net)
{
    dscq_rng g = dscq_rng_seeded(8);

    for (int32_t i = 0; i < dscq_model_nodes(net); i++) {
        dscq_weights *w = dscq_model_node(net, i)->weights;
        for (int32_t c = 0; c < w->channels; c++) {
            if (w->gamma != NULL) {
                w->gamma[c] = dscq_rng_between(&g, 1.8f, 2.4f);
                w->beta[c] = dscq_rng_between(&g, -0.5f, 1.0f);
                w->var[c] = dscq_rng_between(&g, 0.5f, 0.7f);
            }
            if (w->bias != NULL)
                w->bias[c] = dscq_rng_between(&g, -0.5f, 1.0f);
        }
        const float spread = w->gamma == NULL ? 4.0f : 1.4f;
        for (size_t k = 0; k < w->count; k++)
            w->w[k] = spread * dscq_rng_normal(&g) /
                      sqrtf((float)w->r * (float)w->s * (float)w->c);
    }
}

/* `section`: the activation in a section "act" behind "it". Returns its node. */
static dscq_model *make(int32_t *at, const fusing *f, const act_case *c, int section)
{
    char act[80], own[160], text[1000];

    (void)snprintf(act, sizeof act, "%s", dscq_act_name(c->act));
    if (!isnan(c->slope))
        (void)snprintf(act, sizeof act, "%s\nslope=%.3g", dscq_act_name(c->act),
                       c->slope);
    (void)snprintf(own, sizeof own, "linear\n[activation]\nname=act\nactivation=%s",
                   act);
    (void)snprintf(text, sizeof text,
                   NET "%s%s\n[convolutional]\nname=end\nfilters=3\nsize=1\n"
                       "activation=linear\n",
                   f->text, section ? own : act);
    dscq_model *m = parse(text);
    fill(m);
    *at = dscq_model_find(m, section ? "act" : "it");
    ck_assert_int_ge(*at, 0);
    return m;
}

typedef struct distance {
    dscq_exec *exec;
    int32_t node;
    double error, sum, sum_sq, count;
} distance;

static dscq_status compare(void *ctx, int32_t node, const dscq_qtensor *t,
                           const void *codes, dscq_error *err)
{
    distance *d = ctx;
    const dscq_node *n = dscq_model_node(dscq_exec_model(d->exec), d->node);
    const size_t count = dscq_qtensor_count(t);
    dscq_shape s;

    (void)node;
    (void)err;
    if (strcmp(n->name, t->name) != 0)
        return DSCQ_OK;
    const float *want = dscq_exec_node_output(d->exec, d->node, &s);
    double *got = dscq_calloc(count, sizeof *got);
    ck_assert_ptr_nonnull(got);
    dscq_infer_dequantise(t, codes, got);
    for (size_t i = 0; i < count; i++) {
        const double e = got[i] - (double)want[i];
        d->error += e * e;
        d->sum += (double)want[i];
        d->sum_sq += (double)want[i] * (double)want[i];
    }
    d->count += (double)count;
    dscq_free(got);
    return DSCQ_OK;
}

/* Rms error of the node's output on images that calibration has not seen, in its
 * deviations. */
static double error_of(dscq_model *m, int32_t node)
{
    const dscq_exec_options o = {.batch = 1, .raw_outputs = 1, .keep_nodes = 1};
    distance d = {.node = node};
    float x[SIDE * SIDE * CHANNELS];
    int8_t codes[SIDE * SIDE * CHANNELS];
    const void *input[1] = {codes};
    dscq_rng rng = dscq_rng_seeded(77);
    dscq_qmodel *q = NULL;
    dscq_error err;

    test_ok(test_qmodel_calibrated(&q, m, CALIBRATE, &err));
    test_ok(dscq_exec_create(&d.exec, m, &o, &err));
    for (int i = 0; i < IMAGES; i++) {
        for (size_t k = 0; k < sizeof x / sizeof *x; k++)
            x[k] = dscq_rng_between(&rng, -1.0f, 1.0f);
        dscq_exec_forward(d.exec, DSCQ_PASS_EVAL, x, 1, NULL);
        dscq_infer_quantise_real(&q->tensor[q->input[0].tensor], x, codes);
        test_ok(dscq_infer_reference(q, input, NULL, compare, &d, &err));
    }
    dscq_qmodel_destroy(q);
    dscq_exec_destroy(d.exec);
    const double mean = d.sum / d.count;
    return sqrt(d.error / d.count) / sqrt(d.sum_sq / d.count - mean * mean);
}

START_TEST(fused_as_good_as_apart_and_both_near_float)
{
    const fusing *f = &k_fusing[_i / CASES];
    const act_case c = case_at(_i % CASES);
    double error[2];

    for (int section = 0; section < 2; section++) {
        int32_t at;
        dscq_model *m = make(&at, f, &c, section);
        error[section] = error_of(m, at);
        ck_assert_msg(error[section] <= f->most,
                      "%s %s %g %s: error %.2f %% of the deviation", f->name,
                      dscq_act_name(c.act), c.slope, section ? "apart" : "fused",
                      100 * error[section]);
        dscq_model_destroy(m);
    }
    ck_assert_msg(20 * log10(error[0] / error[1]) <= 1.0,
                  "%s %s %g: %.2f %% fused, %.2f %% apart", f->name,
                  dscq_act_name(c.act), c.slope, 100 * error[0], 100 * error[1]);
}
END_TEST

static dscq_act_quant grid_of(const dscq_qmodel *q, const char *name)
{
    for (int32_t i = 0; i < q->tensor_count; i++) {
        const dscq_qtensor *t = &q->tensor[i];
        if (strcmp(t->name, name) == 0)
            return (dscq_act_quant){(float)t->scale, t->zero_point, t->bits,
                                    !t->is_signed};
    }
    return (dscq_act_quant){0};
}

static dscq_status count_steps(void *ctx, int32_t node, const dscq_qtensor *t,
                               const void *codes, dscq_error *err)
{
    distance *d = ctx;
    const int8_t *code = codes;

    (void)node;
    (void)err;
    if (strcmp(t->name, "it") != 0)
        return DSCQ_OK;
    const float *y = dscq_exec_node_output(d->exec, d->node, NULL);
    for (size_t i = 0; i < dscq_qtensor_count(t); i++) {
        const double want = nearbyint((double)y[i] / t->scale) + t->zero_point;
        d->error += fabs(want - code[i]) > 0.5;
        d->count++;
    }
    return DSCQ_OK;
}

/* With the grids of the packed network an engine puts out its codes: all but those that
 * a multiplier's last bit decides. */
START_TEST(engines_simulate_what_the_file_computes)
{
    const fusing norm = {"batchnorm", "[batchnorm]\nname=it\n" ACT, 0.0};
    const act_case c = case_at(_i);
    const dscq_exec_options o = {.batch = 1, .raw_outputs = 1, .keep_nodes = 1};
    float x[SIDE * SIDE * CHANNELS];
    int8_t codes[SIDE * SIDE * CHANNELS];
    const void *input[1] = {codes};
    dscq_rng rng = dscq_rng_seeded(78);
    distance d = {0};
    dscq_qmodel *q = NULL;
    dscq_error err;
    dscq_model *m = make(&d.node, &norm, &c, 0);

    test_ok(test_qmodel_calibrated(&q, m, CALIBRATE, &err));
    test_ok(dscq_exec_create(&d.exec, m, &o, &err));
    const dscq_act_quant in = grid_of(q, "input"), out = grid_of(q, "it"),
                         before = grid_of(q, "it.pre");
    test_ok(dscq_exec_quantise(d.exec, DSCQ_INPUT, &in, &err));
    test_ok(dscq_exec_quantise(d.exec, d.node, &out, &err));
    ck_assert_int_eq(before.bits > 0, dscq_node_has_table(dscq_model_node(m, d.node)));
    if (before.bits > 0)
        test_ok(dscq_exec_quantise_before(d.exec, d.node, &before, &err));
    for (int i = 0; i < IMAGES; i++) {
        for (size_t k = 0; k < sizeof x / sizeof *x; k++)
            x[k] = dscq_rng_between(&rng, -1.0f, 1.0f);
        dscq_exec_forward(d.exec, DSCQ_PASS_EVAL, x, 1, NULL);
        dscq_infer_quantise_real(&q->tensor[q->input[0].tensor], x, codes);
        test_ok(dscq_infer_reference(q, input, NULL, count_steps, &d, &err));
    }
    ck_assert_msg(d.error <= 0.01 * d.count, "%s %g: %.0f of %.0f codes differ",
                  dscq_act_name(c.act), c.slope, d.error, d.count);
    dscq_qmodel_destroy(q);
    dscq_exec_destroy(d.exec);
    dscq_model_destroy(m);
}
END_TEST

static Suite *tables_suite(void)
{
    TCase *tc;
    Suite *s = test_suite("activation tables", &tc);

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, fused_as_good_as_apart_and_both_near_float, 0,
                        (int)(sizeof k_fusing / sizeof *k_fusing) * CASES);
    tcase_add_loop_test(tc, engines_simulate_what_the_file_computes, 0, CASES);
    return s;
}

int main(void)
{
    return test_run(tables_suite);
}
