/* bench_infer_int - the integer runtime on MobileNetV1's shapes.
 *
 *     bench_infer_int [WIDTH RESOLUTION [DENSITY]]     (default: several)
 *
 * One thread, batch 1, processor time of a pass (median of 7 of at least 50 ms), per
 * kernel family, dense and with pointwise weights pruned at random.
 */
#include "bench_util.h"
#include "dscq/base/alloc.h"
#include "dscq/base/rng.h"
#include "dscq/infer/runtime.h"
#include "dscq/pack/build.h"
#include "dscq/tensor/int_kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const dscq_error *err)
{
    fprintf(stderr, "bench_infer_int: %s\n", err->msg);
    exit(1);
}

static double cpu_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct net {
    dscq_qmodel *m;
    dscq_rng rng;
    double density;
} net;

static void set_tensor(dscq_qtensor *t, int32_t i, int32_t h, int32_t w, int32_t c)
{
    (void)snprintf(t->name, sizeof t->name, "t%d", i);
    t->h = h;
    t->w = w;
    t->c = c;
    t->bits = 8;
    t->scale = 1.0;
    t->zero_point = i == 0 ? 0 : -128;
}

static void add_conv(net *b, int32_t i, int32_t k, int32_t size, int32_t stride,
                     int32_t groups, double density)
{
    dscq_qnode *n = &b->m->node[i];
    const dscq_qtensor *x = &b->m->tensor[i];
    dscq_error err;

    (void)snprintf(n->name, sizeof n->name, "n%d", i);
    n->op = DSCQ_Q_CONV;
    n->input_count = 1;
    n->input[0] = i;
    n->output = i + 1;
    n->stride_h = n->stride_w = stride;
    n->pad_top = n->pad_left = n->pad_bottom = n->pad_right = size / 2;
    n->groups = groups;
    n->clamp_lo = -128;
    n->clamp_hi = 127;
    set_tensor(&b->m->tensor[i + 1], i + 1,
               dscq_qwindow_out(x->h, size, stride, size / 2 * 2, 1),
               dscq_qwindow_out(x->w, size, stride, size / 2 * 2, 1), k);
    if (dscq_qweights_create(&n->weights, k, size, size, x->c / groups,
                             DSCQ_FORM_LINEAR, 0, &err) != DSCQ_OK ||
        dscq_qnode_reserve(n, k, 1, 0, &err) != DSCQ_OK)
        die(&err);
    n->weights->bits = 8;
    for (size_t j = 0; j < n->weights->count; j++)
        if (dscq_rng_unit64(&b->rng) < density)
            n->weights->value[j] = (int16_t)(dscq_rng_below(&b->rng, 255) - 127);
    const double fan = size * size * (double)(x->c / groups);
    for (int32_t c = 0; c < k; c++)
        (void)dscq_pack_multiplier(&n->mult[c], &n->shift[c],
                                   256.0 / (80.0 * sqrt(fan * density)));
}

static void add_mean(net *b, int32_t i)
{
    dscq_qnode *n = &b->m->node[i];
    const dscq_qtensor *x = &b->m->tensor[i];
    dscq_error err;

    (void)snprintf(n->name, sizeof n->name, "n%d", i);
    n->op = DSCQ_Q_AVGPOOL;
    n->input_count = 1;
    n->input[0] = i;
    n->output = i + 1;
    n->clamp_lo = -128;
    n->clamp_hi = 127;
    set_tensor(&b->m->tensor[i + 1], i + 1, 1, 1, x->c);
    if (dscq_qnode_reserve(n, 1, 0, 1, &err) != DSCQ_OK)
        die(&err);
    n->scale_key[0] = x->h * x->w;
    (void)dscq_pack_multiplier(n->mult, n->shift, 256.0 / n->scale_key[0]);
}

static dscq_qmodel *mobilenet(double width, int32_t side, double density)
{
    static const int32_t block[13][2] = {
        {64, 1},  {128, 2}, {128, 1}, {256, 2}, {256, 1},  {512, 2}, {512, 1},
        {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1}};
    net b = {NULL, dscq_rng_seeded(3), density};
    dscq_error err;
    int32_t n = 0;

    if (dscq_qmodel_create(&b.m, &err) != DSCQ_OK ||
        dscq_qmodel_reserve(b.m, 30, 29, 1, 1, &err) != DSCQ_OK)
        die(&err);
    set_tensor(&b.m->tensor[0], 0, side, side, 3);
    b.m->input[0].scale = 1.0;
    add_conv(&b, n++, (int32_t)(32 * width), 3, side > 64 ? 2 : 1, 1, 1.0);
    for (int i = 0; i < 13; i++) {
        const int32_t c = b.m->tensor[n].c;
        add_conv(&b, n, c, 3, block[i][1], c, 1.0);
        n++;
        add_conv(&b, n++, (int32_t)(block[i][0] * width), 1, 1, 1, density);
    }
    add_mean(&b, n++);
    add_conv(&b, n++, side > 64 ? 1000 : 10, 1, 1, 1, density);
    b.m->output[0].tensor = n;
    (void)snprintf(b.m->output[0].role, sizeof b.m->output[0].role, "logits");
    if (dscq_qmodel_check(b.m, &err) != DSCQ_OK)
        die(&err);
    return b.m;
}

static double pass_seconds(dscq_runtime *r, const void *const *in, void *const *out)
{
    double t[7];

    dscq_runtime_run(r, 1, in, out);
    for (int i = 0; i < 7; i++) {
        const double start = cpu_now();
        int runs = 0;
        for (; cpu_now() - start < 0.05; runs++)
            dscq_runtime_run(r, 1, in, out);
        t[i] = (cpu_now() - start) / runs;
    }
    qsort(t, 7, sizeof *t, bench_order);
    return t[3];
}

static void report(double width, int32_t side, double density)
{
    dscq_qmodel *m = mobilenet(width, side, density);
    void *in = dscq_calloc(dscq_qtensor_bytes(&m->tensor[0]), 1);
    void *out = dscq_calloc(dscq_qtensor_bytes(&m->tensor[m->output[0].tensor]), 1);
    const void *inputs[1] = {in};
    void *outputs[1] = {out};
    double macs = 0.0;
    dscq_error err;

    for (int32_t i = 0; i < m->node_count; i++)
        macs += (double)dscq_qnode_macs(m, &m->node[i]);
    for (int f = 0; dscq_int_kernels_family(f) != NULL; f++) {
        const dscq_runtime_options o = {NULL, dscq_int_kernels_family(f)};
        dscq_runtime *r;
        if (dscq_runtime_create(&r, m, &o, &err) != DSCQ_OK)
            die(&err);
        const double s = pass_seconds(r, inputs, outputs);
        printf(
            "V1 %.2f at %3d, density %.2f  %-11s %9.3f ms  %8.1f GMAC/s (dense count)  "
            "arena %zu KiB\n",
            width, side, density, o.kernels, s * 1e3, macs / s / 1e9,
            dscq_runtime_arena_bytes(r) >> 10);
        dscq_runtime_destroy(r);
    }
    dscq_free(in);
    dscq_free(out);
    dscq_qmodel_destroy(m);
}

int main(int argc, char **argv)
{
    if (argc >= 3) {
        report(strtod(argv[1], NULL), (int32_t)strtol(argv[2], NULL, 10),
               argc > 3 ? strtod(argv[3], NULL) : 1.0);
        return 0;
    }
    report(0.25, 32, 1.0);
    report(0.25, 224, 1.0);
    report(1.0, 224, 1.0);
    report(1.0, 224, 0.25);
    report(1.0, 224, 0.1);
    return 0;
}
