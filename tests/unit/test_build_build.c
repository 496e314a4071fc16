/* From a float network to the integer one: every layer type, compared with the float
 * engine node by node. */
#include "dscq/base/alloc.h"
#include "dscq/base/config.h"
#include "dscq/build/build.h"
#include "dscq/compress/quantize.h"
#include "dscq/infer/reference.h"
#include "dscq/nn/exec.h"
#include "dscq/nn/layer.h"
#include "dscq/pack/pack.h"
#include "support.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char k_all[] =
    "[net]\nwidth=12\nheight=12\nchannels=3\n"
    "[convolutional]\nname=stem\nfilters=8\nsize=3\nstride=2\npad=1\n"
    "batch_normalize=1\nactivation=relu6\n"
    "[depthwise]\nname=dw\nsize=3\nstride=1\npad=1\nbatch_normalize=1\nactivation="
    "relu\n"
    "[convolutional]\nname=pw\nfilters=8\nsize=1\nbatch_normalize=1\nactivation="
    "linear\n"
    "[shortcut]\nname=sum\nfrom=-3\nactivation=leaky\n"
    "[convolutional]\nname=swish\nfilters=12\nsize=3\npad=1\nbatch_normalize=1\n"
    "activation=swish\n"
    "[avgpool]\nname=squeeze\n"
    "[convolutional]\nname=gate\nfilters=12\nsize=1\nactivation=logistic\n"
    "[scale_channels]\nname=excite\nfrom=4\n"
    "[maxpool]\nname=pool\nsize=2\nstride=2\n"
    "[upsample]\nname=up\nstride=2\n"
    "[route]\nname=join\nlayers=9,3\n"
    "[route]\nname=part\nlayers=-1\ngroups=2\ngroup_id=1\n"
    "[batchnorm]\nname=norm\nactivation=leaky\n"
    "[activation]\nname=act\nactivation=hard_swish\n"
    "[lrn]\nname=lrn\nsize=5\nalpha=0.5\nbeta=0.75\n"
    "[reorg]\nname=reorg\nstride=2\n"
    "[avgpool]\nname=mean\nsize=3\nstride=2\npadding=2\n"
    "[dropout]\nname=drop\nprobability=0.5\n"
    "[connected]\nname=fc\noutput=6\nactivation=linear\n"
    "[softmax]\nname=prob\n";

/* Sums of maps with other numbers of channels: the first ones meet. */
static const char k_uneven[] =
    "[net]\nwidth=6\nheight=5\nchannels=3\n"
    "[convolutional]\nname=six\nfilters=6\nsize=3\npad=1\nactivation=relu\n"
    "[convolutional]\nname=four\nfilters=4\nsize=1\nactivation=linear\n"
    "[shortcut]\nname=of_more\nfrom=0\nactivation=relu\n"
    "[convolutional]\nname=nine\nfilters=9\nsize=1\nactivation=linear\n"
    "[shortcut]\nname=of_fewer\nfrom=2,0\nbeta=0.5\nactivation=leaky\n"
    "[avgpool]\n[connected]\nname=fc\noutput=3\nactivation=linear\n";

typedef struct made {
    dscq_model *net;
    dscq_exec *exec;
    float *x;
    dscq_aquant *edge;
    dscq_wquant **q;
    dscq_build_spec spec;
    dscq_qmodel *m;
} made;

static dscq_model *parse(const char *text)
{
    const dscq_rng rng = dscq_rng_seeded(5);
    dscq_config *cfg;
    dscq_model *net;
    dscq_error err;

    ck_assert_msg(dscq_config_parse(&cfg, text, strlen(text), "test.cfg", &err) ==
                      DSCQ_OK,
                  "%s", err.msg);
    ck_assert_msg(dscq_model_from_config(&net, cfg, "", &rng, &err) == DSCQ_OK, "%s",
                  err.msg);
    dscq_config_destroy(cfg);
    return net;
}

/* Running statistics and shifts that are not 0 and 1. */
static void disturb(dscq_model *net)
{
    dscq_rng g = dscq_rng_seeded(8);

    for (int32_t i = 0; i < dscq_model_nodes(net); i++) {
        dscq_weights *w = dscq_model_node(net, i)->weights;
        for (int32_t c = 0; c < w->channels; c++) {
            if (w->gamma != NULL) {
                w->gamma[c] = dscq_rng_between(&g, -1.5f, 1.5f);
                w->beta[c] = dscq_rng_between(&g, -0.5f, 1.0f);
                w->mean[c] = dscq_rng_between(&g, -0.3f, 0.3f);
                w->var[c] = dscq_rng_between(&g, 0.3f, 1.5f);
            }
            if (w->bias != NULL)
                w->bias[c] = dscq_rng_between(&g, -0.5f, 0.5f);
        }
    }
}

static void range_of(const float *x, size_t n, double *lo, double *hi)
{
    *lo = *hi = 0.0;
    for (size_t i = 0; i < n; i++) {
        *lo = fmin(*lo, (double)x[i]);
        *hi = fmax(*hi, (double)x[i]);
    }
}

static dscq_aquant edge_of(const float *x, size_t n)
{
    double lo, hi;

    range_of(x, n, &lo, &hi);
    return dscq_aquant_make(lo, hi, 8, 1);
}

static void quantise(made *t, int32_t i, const dscq_node *n)
{
    const dscq_weights *w = n->weights;
    dscq_error err;

    if (w->count == 0)
        return;
    ck_assert_msg(dscq_wquant_create(&t->q[i], w, DSCQ_FORM_LINEAR, 8, w->k, 0, &err) ==
                      DSCQ_OK,
                  "%s", err.msg);
    const size_t per = w->count / (size_t)w->k;
    for (int32_t k = 0; k < w->k; k++) {
        double top = 1e-9;
        for (size_t j = 0; j < per; j++)
            top = fmax(top, fabs((double)w->w[(size_t)k * per + j]));
        t->q[i]->scale[k] = top / 127.0;
    }
    dscq_wquant_assign(t->q[i], w->w);
}

static void prepare(made *t, const char *text)
{
    const dscq_exec_options o = {.batch = 1, .raw_outputs = 1, .keep_nodes = 1};
    dscq_rng g = dscq_rng_seeded(21);
    dscq_error err;

    memset(t, 0, sizeof *t);
    t->net = parse(text);
    disturb(t->net);
    const int32_t nodes = dscq_model_nodes(t->net);
    const dscq_shape in = dscq_model_input(t->net);
    const size_t count = (size_t)in.h * (size_t)in.w * (size_t)in.c;
    ck_assert_msg(dscq_exec_create(&t->exec, t->net, &o, &err) == DSCQ_OK, "%s",
                  err.msg);
    t->x = dscq_calloc(count, sizeof *t->x);
    for (size_t i = 0; i < count; i++)
        t->x[i] = dscq_rng_between(&g, -1.0f, 1.0f);
    dscq_exec_forward(t->exec, DSCQ_PASS_EVAL, t->x, 1, NULL);
    t->edge = dscq_calloc((size_t)nodes, sizeof *t->edge);
    t->q = dscq_calloc((size_t)nodes, sizeof *t->q);
    for (int32_t i = 0; i < nodes; i++) {
        dscq_shape s;
        const float *y = dscq_exec_node_output(t->exec, i, &s);
        const dscq_node *n = dscq_model_node(t->net, i);
        if (y != NULL)
            t->edge[i] = edge_of(y, (size_t)s.h * (size_t)s.w * (size_t)s.c);
        quantise(t, i, n);
    }
    t->spec = (dscq_build_spec){.input = edge_of(t->x, count),
                                .node_count = nodes,
                                .edge = t->edge,
                                .weights = (const dscq_wquant *const *)t->q};
}

static void release(made *t)
{
    for (int32_t i = 0; i < t->spec.node_count; i++)
        dscq_wquant_destroy(t->q[i]);
    dscq_free(t->q);
    dscq_free(t->edge);
    dscq_free(t->x);
    dscq_exec_destroy(t->exec);
    dscq_qmodel_destroy(t->m);
    dscq_model_destroy(t->net);
}

static dscq_status near_float(void *ctx, int32_t node, const dscq_qtensor *t,
                              const void *codes, dscq_error *err)
{
    made *d = ctx;
    const int32_t at = dscq_model_find(d->net, t->name);
    const size_t n = dscq_qtensor_count(t);
    double lo, hi, error = 0.0;
    dscq_shape s;

    (void)err;
    if (at < 0)
        return DSCQ_OK; /* "<node>.pre", parts of a route */
    const float *want = dscq_exec_node_output(d->exec, at, &s);
    double *got = dscq_calloc(n, sizeof *got);
    ck_assert_uint_eq(n, (size_t)s.h * (size_t)s.w * (size_t)s.c);
    dscq_infer_dequantise(t, codes, got);
    range_of(want, n, &lo, &hi);
    for (size_t i = 0; i < n; i++)
        error += fabs(got[i] - (double)want[i]);
    error /= (double)n * (hi - lo);
    /* The error of all layers before adds up in the six logits. */
    ck_assert_msg(error < (strcmp(t->name, "fc") == 0 ? 0.08 : 0.02),
                  "node %d '%s' (%s): mean error %.2f %% of the range", node, t->name,
                  dscq_qop_name(d->m->node[node].op), 100.0 * error);
    dscq_free(got);
    return DSCQ_OK;
}

START_TEST(every_layer_type_stays_near_the_float_engine)
{
    made t;
    dscq_error err;

    prepare(&t, k_all);
    ck_assert_msg(dscq_build_qmodel(&t.m, t.net, &t.spec, &err) == DSCQ_OK, "%s",
                  err.msg);
    const dscq_qtensor *x = &t.m->tensor[t.m->input[0].tensor];
    void *codes = dscq_calloc(dscq_qtensor_bytes(x), 1);
    dscq_infer_quantise_real(x, t.x, codes);
    const void *input[1] = {codes};
    ck_assert_msg(dscq_infer_reference(t.m, input, NULL, near_float, &t, &err) ==
                      DSCQ_OK,
                  "%s", err.msg);
    ck_assert_int_eq(t.m->output_count, 1);
    ck_assert_str_eq(t.m->output[0].role, "logits");
    const dscq_qtensor *y = &t.m->tensor[t.m->output[0].tensor];
    ck_assert_str_eq(y->name, "fc");
    ck_assert_int_eq(y->bits, 16);
    ck_assert_uint_eq(t.m->float_bytes, dscq_model_float_bytes(t.net));
    dscq_free(codes);
    release(&t);
}
END_TEST

START_TEST(uneven_sums_stay_near_the_float_engine)
{
    made t;
    dscq_error err;

    prepare(&t, k_uneven);
    test_ok(dscq_build_qmodel(&t.m, t.net, &t.spec, &err));
    const dscq_qtensor *x = &t.m->tensor[t.m->input[0].tensor];
    void *codes = dscq_calloc(dscq_qtensor_bytes(x), 1);
    dscq_infer_quantise_real(x, t.x, codes);
    const void *input[1] = {codes};
    test_ok(dscq_infer_reference(t.m, input, NULL, near_float, &t, &err));
    dscq_free(codes);
    release(&t);
}
END_TEST

START_TEST(a_built_network_survives_the_file)
{
    made t;
    dscq_qmodel *back;
    dscq_table *diff;
    uint8_t *data;
    size_t bytes;
    dscq_error err;

    prepare(&t, k_all);
    ck_assert_msg(dscq_build_qmodel(&t.m, t.net, &t.spec, &err) == DSCQ_OK, "%s",
                  err.msg);
    ck_assert_int_eq(dscq_pack_encode(&data, &bytes, t.m, NULL, &err), DSCQ_OK);
    ck_assert_msg(dscq_pack_decode(&back, data, bytes, &err) == DSCQ_OK, "%s", err.msg);
    ck_assert_int_eq(dscq_pack_diff(&diff, t.m, back, &err), DSCQ_OK);
    ck_assert_uint_eq(dscq_table_rows(diff), 0);
    dscq_table_destroy(diff);
    dscq_qmodel_destroy(back);
    dscq_free(data);
    release(&t);
}
END_TEST

START_TEST(refusals_name_the_layer)
{
    made t;
    dscq_error err;

    prepare(&t, k_all);
    t.edge[dscq_model_find(t.net, "pw")].bits = 0;
    ck_assert_int_eq(dscq_build_qmodel(&t.m, t.net, &t.spec, &err), DSCQ_ARG);
    ck_assert_ptr_nonnull(strstr(err.msg, "'pw'"));
    release(&t);

    prepare(&t, k_all);
    dscq_wquant **dw = &t.q[dscq_model_find(t.net, "dw")];
    dscq_wquant_destroy(*dw);
    *dw = NULL;
    ck_assert_int_eq(dscq_build_qmodel(&t.m, t.net, &t.spec, &err), DSCQ_ARG);
    ck_assert_ptr_nonnull(strstr(err.msg, "'dw'"));
    release(&t);

    prepare(&t, "[net]\nwidth=4\nheight=4\nchannels=2\n"
                "[softmax]\nname=early\n[connected]\noutput=3\nname=fc\n"
                "activation=linear\n");
    ck_assert_int_eq(dscq_build_qmodel(&t.m, t.net, &t.spec, &err), DSCQ_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.msg, "'early'"));
    release(&t);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("build_build");
    TCase *tc = tcase_create("build");

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, every_layer_type_stays_near_the_float_engine);
    tcase_add_test(tc, uneven_sums_stay_near_the_float_engine);
    tcase_add_test(tc, a_built_network_survives_the_file);
    tcase_add_test(tc, refusals_name_the_layer);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return test_run(make_suite);
}
