#include "dscq/compress/channels.h"
#include "dscq/compress/fold.h"
#include "test_compress_util.h"

/* Shortcut over a block, a concatenation, a depthwise kernel, a grouped convolution
 * (whose channels are fixed), and a connected layer on a map. */
static const char k_joins[] =
    "[net]\nwidth=8\nheight=8\nchannels=2\n"
    "[convolutional]\nname=stem\nbatch_normalize=1\nfilters=12\nsize=3\nstride=1\npad="
    "1\n"
    "activation=relu\n"
    "[convolutional]\nname=expand\nbatch_normalize=1\nfilters=24\nsize=1\nactivation="
    "relu6\n"
    "[depthwise]\nname=dw\nbatch_normalize=1\nsize=3\nstride=1\npad=1\nactivation="
    "relu6\n"
    "[convolutional]\nname=project\nbatch_normalize=1\nfilters=12\nsize=1\n"
    "activation=linear\n"
    "[shortcut]\nname=sum\nfrom=-4\nactivation=relu\n"
    "[convolutional]\nname=side\nfilters=10\nsize=3\nstride=1\npad=1\nactivation="
    "leaky\n"
    "[route]\nname=cat\nlayers=-1,-2\n"
    "[maxpool]\nname=pool\nsize=2\nstride=2\n"
    "[convolutional]\nname=grouped\nfilters=22\ngroups=2\nsize=3\nstride=2\npad=1\n"
    "activation=relu\n"
    "[convolutional]\nname=late\nfilters=8\nsize=1\nactivation=relu\n"
    "[connected]\nname=hidden\noutput=20\nactivation=relu\n"
    "[connected]\nname=fc\noutput=4\nactivation=linear\n"
    "[softmax]\n";

static const dscq_node *node_of(dscq_model *m, const char *name)
{
    const int32_t i = dscq_model_find(m, name);

    ck_assert_int_ge(i, 0);
    return dscq_model_node(m, i);
}

/* Something in every constant, so that a mix-up shows. */
static dscq_model *busy_net(void)
{
    dscq_model *m = net_make(k_joins, 4);
    dscq_rng rng = dscq_rng_seeded(8);

    for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
        dscq_weights *w = dscq_model_node(m, i)->weights;
        float *const all[] = {w->bias, w->gamma, w->beta, w->mean, w->var};

        for (int a = 0; a < 5; a++)
            for (int32_t c = 0; all[a] != NULL && c < w->channels; c++)
                all[a][c] = dscq_rng_unit(&rng) + (a == 4 || a == 1 ? 0.5F : -0.3F);
    }
    return m;
}

static void outputs(float *y, dscq_model *m, const float *x, int32_t n)
{
    dscq_error err = {DSCQ_OK, ""};
    const dscq_exec_options o = {.batch = n, .raw_outputs = 1};
    dscq_exec *e = NULL;
    dscq_shape shape;

    test_ok(dscq_exec_create(&e, m, &o, &err));
    dscq_exec_forward(e, DSCQ_PASS_EVAL, x, n, NULL);
    memcpy(y, dscq_exec_output(e, 0, &shape), (size_t)n * CLASSES * sizeof *y);
    dscq_exec_destroy(e);
}

START_TEST(the_small_network_is_the_large_one_with_dead_columns)
{
    static images im;
    static const char *const k_settings[] = {
        "[compress]\n[compress_layer]\nmatch=*\nkeep_channels=0.5\n",
        "[compress]\n[compress_layer]\nmatch=expand,late\nkeep_channels=0.3\n",
        "[compress]\n[compress_layer]\nmatch=*\nkeep_channels=0.01\n", "[compress]\n"};
    dscq_error err = {DSCQ_OK, ""};
    dscq_model *m = busy_net(), *small = NULL;
    dscq_settings *s = settings_make(k_settings[_i]);
    dscq_channel_plan *p = NULL;
    dscq_table *t = NULL;
    float want[16 * CLASSES], got[16 * CLASSES];

    images_make(&im, 5);
    test_ok(dscq_channels_plan(&p, m, &err));
    test_ok(dscq_channels_choose(p, m, s, 1, &err));
    test_ok(dscq_channels_apply(&small, m, p, &err));
    for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
        const dscq_node *n = dscq_model_node(m, i);

        for (size_t j = 0; j < n->weights->count && n->window.groups <= 1; j++) {
            const int32_t c = (int32_t)(j % (size_t)n->weights->c) % n->in.c;
            if (n->input[0] >= 0 && !p->keep[p->class_of[n->input[0]][c]])
                n->weights->w[j] = 0.0F;
        }
    }
    outputs(want, m, im.x[0], 16);
    outputs(got, small, im.x[0], 16);
    for (int i = 0; i < 16 * CLASSES; i++)
        ck_assert_msg(fabsf(want[i] - got[i]) <= 1e-4F * (1.0F + fabsf(want[i])),
                      "%d: %g, large %g", i, (double)got[i], (double)want[i]);
    /* ties: the block's stream is cut once, with everything on it */
    const int32_t stem = node_of(small, "stem")->out.c;
    ck_assert_int_eq(node_of(small, "project")->out.c, stem);
    ck_assert_int_eq(node_of(small, "dw")->out.c, node_of(small, "expand")->out.c);
    ck_assert_int_eq(node_of(small, "grouped")->out.c, 22);
    ck_assert_int_eq(node_of(small, "fc")->out.c, CLASSES);
    if (_i == 1)
        ck_assert_int_eq(node_of(small, "expand")->out.c, 8); /* ceil(0.3 * 24) */
    if (_i == 0) {
        ck_assert_int_eq(node_of(small, "expand")->out.c, 12);
        ck_assert_int_eq(node_of(small, "hidden")->out.c, 10);
        ck_assert_int_eq(stem, 12); /* reaches the grouped layer: fixed */
    }
    if (_i == 3)
        ck_assert_uint_eq(dscq_model_param_count(small), dscq_model_param_count(m));
    else
        ck_assert_uint_lt(dscq_model_macs(small), dscq_model_macs(m));
    test_ok(dscq_channels_table(&t, m, small, &err));
    ck_assert_uint_eq(dscq_table_rows(t), 9);
    dscq_table_destroy(t);
    dscq_channels_plan_destroy(p);
    dscq_settings_destroy(s);
    dscq_model_destroy(small);
    dscq_model_destroy(m);
}
END_TEST

START_TEST(a_folded_network_computes_the_same)
{
    static images im;
    dscq_error err = {DSCQ_OK, ""};
    dscq_model *m = busy_net(), *folded = NULL;
    float want[16 * CLASSES], got[16 * CLASSES];

    images_make(&im, 5);
    test_ok(dscq_fold_norm(&folded, m, &err));
    ck_assert_int_eq(dscq_model_nodes(folded), dscq_model_nodes(m));
    for (int32_t i = 0; i < dscq_model_nodes(folded); i++)
        ck_assert_int_eq(dscq_model_node(folded, i)->normalised, 0);
    ck_assert_uint_eq(dscq_model_float_bytes(folded), dscq_model_float_bytes(m));
    outputs(want, m, im.x[0], 16);
    outputs(got, folded, im.x[0], 16);
    for (int i = 0; i < 16 * CLASSES; i++)
        ck_assert_msg(fabsf(want[i] - got[i]) <= 1e-4F * (1.0F + fabsf(want[i])),
                      "%d: %g, folded %g", i, (double)got[i], (double)want[i]);
    dscq_model_destroy(folded);
    dscq_model_destroy(m);
}
END_TEST

START_TEST(the_weak_go_first)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_model *m = busy_net(), *small = NULL;
    dscq_settings *s = settings_make(
        "[compress]\n[compress_layer]\nmatch=expand\nkeep_channels=0.5\n");
    dscq_channel_plan *p = NULL;
    const int32_t at = dscq_model_find(m, "expand");
    dscq_weights *w = dscq_model_node(m, at)->weights;

    for (size_t j = 0; j < w->count; j++) /* odd rows are weak */
        w->w[j] = (j / (w->count / 24)) % 2 != 0 ? 0.001F : 1.0F;
    test_ok(dscq_channels_plan(&p, m, &err));
    test_ok(dscq_channels_choose(p, m, s, 8, &err));
    for (int32_t c = 0; c < 24; c += 2)
        ck_assert_int_eq(p->keep[p->class_of[at][c]], 1);
    test_ok(dscq_channels_apply(&small, m, p, &err));
    ck_assert_int_eq(node_of(small, "expand")->out.c, 16); /* 12, to a multiple of 8 */
    dscq_channels_plan_destroy(p);
    dscq_settings_destroy(s);
    dscq_model_destroy(small);
    dscq_model_destroy(m);
}
END_TEST

static dscq_status whole(void *ctx, dscq_error *err)
{
    dscq_model *small = NULL;
    dscq_channel_plan *p = NULL;
    dscq_settings *s = NULL;
    dscq_status status;

    DSCQ_TRY(dscq_settings_create(&s, err));
    DSCQ_TRY(dscq_channels_plan(&p, ctx, err));
    DSCQ_TRY(dscq_channels_choose(p, ctx, s, 1, err));
    DSCQ_TRY(dscq_channels_apply(&small, ctx, p, err));
done:
    dscq_settings_destroy(s);
    dscq_channels_plan_destroy(p);
    dscq_model_destroy(small);
    return status;
}

START_TEST(no_memory_is_an_error)
{
    dscq_model *m = busy_net();

    ck_assert_uint_gt(test_each_alloc_fails(whole, m), 10);
    dscq_model_destroy(m);
}
END_TEST

static Suite *channels_suite(void)
{
    TCase *tc;
    Suite *s = test_suite("compress channels", &tc);

    tcase_add_loop_test(tc, the_small_network_is_the_large_one_with_dead_columns, 0, 4);
    tcase_add_test(tc, a_folded_network_computes_the_same);
    tcase_add_test(tc, the_weak_go_first);
    tcase_add_test(tc, no_memory_is_an_error);
    return s;
}

int main(void)
{
    return test_run(channels_suite);
}
