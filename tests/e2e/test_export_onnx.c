/* Packed networks as ONNX files: evaluated operator by operator they give the codes of
 * the integer reference but for a step of rounding, and they come back as networks. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/rng.h"
#include "dscq/import/onnx.h"
#include "dscq/infer/reference.h"
#include "dscq/pack/pack.h"
#include "qmodel_random.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
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
    const dscq_status status = dscq_pack_write_onnx(path, m, &err);

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

    if (!dscq_onnx_available())
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

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("export_onnx", &tc);

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, an_operation_gives_the_codes_of_the_reference, 0,
                        DSCQ_Q_COUNT);
    return s;
}

int main(void)
{
    return test_run(make);
}
