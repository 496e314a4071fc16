/* Packed networks as ONNX files: evaluated operator by operator they give the codes of
 * the integer reference but for a step of rounding, and they come back as networks. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/rng.h"
#include "dscq/export/packed_onnx.h"
#include "dscq/infer/reference.h"
#include "dscq/onnx/build.h"
#include "dscq/onnx/onnx.h"
#include "dscq/pack/pack.h"
#include "program.h"
#include "qmodel_random.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORTS = 16, SEEDS = 6 };

/* Real values of codes, rows-columns-channels to channels first. */
static dscq_onnx_tensor *as_tensor(const dscq_qtensor *t, const void *codes)
{
    dscq_onnx_tensor *x = dscq_calloc(1, sizeof *x);
    const size_t map = (size_t)t->h * (size_t)t->w, c = (size_t)t->c;

    ck_assert_ptr_nonnull(x);
    *x = (dscq_onnx_tensor){.type = DSCQ_ONNX_FLOAT,
                            .rank = 4,
                            .dim = {1, t->c, t->h, t->w},
                            .count = map * c};
    x->v = dscq_calloc(map * c, sizeof *x->v);
    ck_assert_ptr_nonnull(x->v);
    for (size_t i = 0; i < map * c; i++)
        x->v[i % c * map + i / c] =
            (double)(float)(t->scale * (dscq_qtensor_get(t, codes, i) - t->zero_point));
    return x;
}

/* How many codes of the output differ, and by how much at most. */
static size_t compare(const dscq_qtensor *t, const void *want,
                      const dscq_onnx_tensor *y, double *far)
{
    const size_t map = (size_t)t->h * (size_t)t->w, c = (size_t)t->c;
    size_t different = 0;

    ck_assert_uint_eq(y->count, map * c);
    for (size_t i = 0; i < map * c; i++) {
        const double code = y->v[i % c * map + i / c] / t->scale + t->zero_point;
        const double d = fabs(code - dscq_qtensor_get(t, want, i));
        different += d > 0.01;
        *far = fmax(*far, d);
    }
    return different;
}

/* The model's answer for random codes against that of its ONNX file. 0: refused. */
static int check_model(const dscq_qmodel *m, dscq_rng *rng, double *far, size_t *off,
                       size_t *all)
{
    const char *path = test_path("packed.onnx");
    void *in[PORTS], *out[PORTS];
    dscq_onnx_tensor *x[PORTS];
    const dscq_onnx_tensor *y[PORTS];
    dscq_onnx *f = NULL;
    dscq_error err = {0};
    const dscq_status status = dscq_export_packed_onnx(path, m, &err);

    if (status == DSCQ_UNSUPPORTED) {
        ck_assert_msg(strstr(err.msg, "layer '") != NULL, "%s", err.msg);
        ck_assert(!dscq_path_exists(path));
        return 0;
    }
    ck_assert_msg(status == DSCQ_OK, "%s", err.msg);
    for (int32_t i = 0; i < m->input_count; i++) {
        const dscq_qtensor *t = &m->tensor[m->input[i].tensor];
        in[i] = dscq_calloc(dscq_qtensor_bytes(t), 1);
        qmodel_random_codes(t, in[i], rng);
        x[i] = as_tensor(t, in[i]);
    }
    for (int32_t i = 0; i < m->output_count; i++)
        out[i] = dscq_calloc(dscq_qtensor_bytes(&m->tensor[m->output[i].tensor]), 1);
    test_ok(dscq_infer_reference(m, (const void *const *)in, out, NULL, NULL, &err));
    test_ok(dscq_onnx_load(&f, path, &err));
    ck_assert_int_eq(dscq_onnx_inputs(f), m->input_count);
    ck_assert_int_eq(dscq_onnx_outputs(f), m->output_count);
    test_ok(dscq_onnx_run(y, NULL, f, (const dscq_onnx_tensor *const *)x,
                          m->input_count, &err));
    for (int32_t i = 0; i < m->output_count; i++) {
        const dscq_qtensor *t = &m->tensor[m->output[i].tensor];
        *off += compare(t, out[i], y[i], far);
        *all += dscq_qtensor_count(t);
        dscq_free(out[i]);
    }
    for (int32_t i = 0; i < m->input_count; i++) {
        dscq_free(in[i]);
        dscq_onnx_tensor_free(x[i]);
    }
    dscq_onnx_close(f);
    remove(path);
    return 1;
}

/* One operation alone: nothing is carried on, so a code is off by one at most. */
START_TEST(an_operation_gives_the_codes_of_the_reference)
{
    double far = 0;
    size_t off = 0, all = 0;
    int done = 0;
    const int joins = (dscq_qop)_i == DSCQ_Q_CONCAT; /* of convolutions */
    dscq_error err = {0};

    if (!test_has(dscq_onnx_available(), "ONNX"))
        return;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        dscq_rng rng = dscq_rng_seeded(100 * seed + (uint64_t)_i);
        const qmodel_random_opts o = {.nodes = joins ? 4 : 1,
                                      .max_side = 9,
                                      .max_channels = 8,
                                      .ops = 1u << _i | (joins ? 1u : 0),
                                      .only_int8 = 1};
        dscq_qmodel *m = NULL;
        test_ok(qmodel_random(&m, &rng, &o, &err));
        done += check_model(m, &rng, &far, &off, &all);
        dscq_qmodel_destroy(m);
    }
    printf("%s: %d of %d exported, %zu of %zu codes off, by %.2f at most\n",
           dscq_qop_name((dscq_qop)_i), done, (int)SEEDS, off, all, far);
    if ((dscq_qop)_i == DSCQ_Q_LRN) { /* random tables belong to no constants */
        ck_assert_int_eq(done, 0);
        return;
    }
    ck_assert_int_ge(done, SEEDS / 2); /* the others: no mean, no copy */
    if (!joins)
        ck_assert_double_le(far, 1.01);
    ck_assert_uint_le(off * (joins ? 10 : 50), all); /* ties of two rules of rounding */
}
END_TEST

#define LRN_NET                                                                        \
    "[net]\nwidth = 12\nheight = 12\nchannels = 3\n"                                   \
    "[convolutional]\nname = a\nfilters = 8\nsize = 3\npad = 1\nactivation = relu\n"   \
    "[lrn]\nname = b\nsize = 5\n%s\n[maxpool]\nsize = 2\nstride = 2\n"                 \
    "[convolutional]\nname = c\nfilters = 4\nsize = 6\nactivation = "                  \
    "linear\n[softmax]\n"                                                              \
    "[data]\ntype = signs\ncount = 48\ntest_count = 8\nclasses = 4\n"                  \
    "valid_frac = 0.25\nsplit = random\n[train]\nepochs = 1\nbatch = 8\n"              \
    "[compress]\nmethod = uniform\np = 0\nb = 8\nepochs = 0\nlogit_b = 8\n"            \
    "calibration_images = 16\n"

static void compress_lrn(const char *constants)
{
    char net[2048];

    snprintf(net, sizeof net, LRN_NET, constants);
    (void)test_file("net.cfg", net);
    test_program_ok("compress net.cfg -o out -q --force");
}

/* AlexNet's layer, and others: a file has a table, not the constants. */
static const char *const k_lrn[] = {"alpha = 1e-4",
                                    "alpha = 2e-5",
                                    "alpha = 0.003",
                                    "alpha = 0.02\nbeta = 0.5",
                                    "alpha = 1\nbeta = 0.5\nkappa = 0.5",
                                    "alpha = 0.3\nbeta = 1.3\nkappa = 2"};

START_TEST(local_response_normalisation_is_exported)
{
    dscq_rng rng = dscq_rng_seeded(4);
    dscq_qmodel *m = NULL;
    dscq_error err = {0};
    double far = 0;
    size_t off = 0, all = 0;

    if (!test_has(dscq_onnx_available(), "ONNX"))
        return;
    compress_lrn(k_lrn[_i]);
    test_ok(dscq_pack_read(&m, test_path("out/packed.bin"), &err));
    for (int i = 0; i < SEEDS; i++)
        ck_assert_int_eq(check_model(m, &rng, &far, &off, &all), 1);
    ck_assert_double_le(far, 2.01); /* the table has eight steps an octave */
    dscq_qmodel_destroy(m);
    test_program_ok("export out/packed.bin -o lrn.onnx --force");
    test_program_ok("import lrn.onnx -o back --force");
    char *cfg = test_read(test_path("back/net.cfg"));
    ck_assert_ptr_nonnull(strstr(cfg, "[lrn]"));
    dscq_free(cfg);
}
END_TEST

/* check and import say the same of a graph with two inputs. */
START_TEST(a_graph_of_two_inputs_is_refused_in_one_line)
{
    static const char says[] =
        "two.onnx: 2 inputs; a network has one (the others must be initialisers)";
    const dscq_shape s = {1, 4, 4, 3};
    dscq_onnx_graph g = {0};
    dscq_onnx_node n = {0};
    dscq_error err = {0};

    if (!test_has(dscq_onnx_available(), "ONNX"))
        return;
    dscq_onnx_graph_input(&g, "x", s);
    dscq_onnx_graph_input(&g, "y", s);
    dscq_onnx_node_input(&n, "x");
    dscq_onnx_node_input(&n, "y");
    dscq_onnx_node_end(&g, &n, "Add", "z");
    dscq_onnx_graph_output(&g, "z", s);
    test_ok(dscq_onnx_graph_write(&g, "two", test_path("two.onnx"), &err));
    dscq_onnx_graph_free(&g);
    test_program_fails("import two.onnx -o back", 4, says);
    ck_assert_int_eq(test_program("check two.onnx"), 5);
    test_printed(says);
    char *out = test_read(test_path("stdout.txt"));
    ck_assert_ptr_null(strstr(strstr(out, says) + 1, says)); /* once */
    dscq_free(out);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("export_onnx", &tc);

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, an_operation_gives_the_codes_of_the_reference, 0,
                        DSCQ_Q_COUNT);
    tcase_add_loop_test(tc, local_response_normalisation_is_exported, 0,
                        sizeof k_lrn / sizeof k_lrn[0]);
    tcase_add_test(tc, a_graph_of_two_inputs_is_refused_in_one_line);
    return s;
}

int main(void)
{
    setenv("DSCQ_DATA", test_source("data"), 1);
    return test_run(make);
}
