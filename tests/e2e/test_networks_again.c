/* Every network of ../shared/models goes to ONNX and back: as a float network it is the
 * same; packed, the float network that comes back answers as the first one does, no
 * further from it than the packed network is, and packed on the grids of the file it is
 * that network again. Where there are labels, by accuracy. */
#include "dscq/base/alloc.h"
#include "dscq/data/image.h"
#include "dscq/infer/runtime.h"
#include "dscq/nn/checkpoint.h"
#include "dscq/pack/pack.h"
#include "foreign.h"
#include "program.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PATH = 1024, CENTRE = 224, NETS = 5, CIFAR_BYTES = 3072 };

typedef enum source { IMAGENET, CIFAR, COCO, NOISE } source;

static const struct network {
    const char *file, *weights; /* below models/ */
    source from;
    double scale, mean, std;
    size_t images;
} k_networks[] = {
    {"mobilenet_v1_1.0_224/mobilenet_v1_1.0_224.onnx.xz", NULL, IMAGENET, 1, 128, 128,
     24},
    {"mobilenet_v2_1.0_224/mobilenet_v2_1.0_224.onnx.xz", NULL, IMAGENET, 1, 128, 128,
     24},
    {"mobilenet_v1_0.25_224/mobilenet_v1_0.25_224.onnx", NULL, IMAGENET, 1, 127.5,
     127.5, 48},
    {"mobilenet_v1_0.25_128/mobilenet_v1_0.25_128.onnx", NULL, IMAGENET, 1, 128, 128,
     96},
    {"cifar10_resnet/resnet20_cifar10.onnx", NULL, CIFAR, 1 / 255.0, 0.449, 0.226, 200},
    {"cifar10_dsc/dsc_cifar10.cfg", "cifar10_dsc/dsc_cifar10.weights", CIFAR, 1 / 255.0,
     0.4734, 0.2516, 200},
    {"mlperf_tiny/resnet8_cifar10.onnx", NULL, CIFAR, 1, 0, 1, 200},
    {"mlperf_tiny/vww_96.onnx", NULL, COCO, 1 / 255.0, 0, 1, 48},
    {"mlperf_tiny/kws_dscnn.onnx", NULL, NOISE, 1 / 255.0, 0.5, 0.25, 48},
    {"yolo-fastest-1.1-coco/yolo-fastest-1.1.cfg",
     "yolo-fastest-1.1-coco/yolo-fastest-1.1.weights", COCO, 1 / 255.0, 0, 1, 8},
    {"mobilenetv2-yolov3-nano-voc/mobilenetv2-yolov3-nano-voc.cfg",
     "mobilenetv2-yolov3-nano-voc/mobilenetv2-yolov3-nano-voc.weights", COCO, 1 / 255.0,
     0, 1, 8},
    {"face/slim-320.onnx", NULL, COCO, 1, 127, 128, 8},
    {"face/yunet_n_320.onnx", NULL, COCO, 1, 0, 1, 8},
};

/* One of the five: a float network, or a packed one. */
typedef struct machine {
    dscq_model *m;
    dscq_exec *e;
    dscq_qmodel *q;
    dscq_runtime *r;
    float *y; /* every output of an image, one after the other */
    size_t count, first;
    double signal, noise; /* of it, against another */
    size_t right, same;
} machine;

static void open_float(machine *k, const char *dir)
{
    const dscq_exec_options o = {.batch = 1, .raw_outputs = 1};
    const dscq_rng rng = dscq_rng_seeded(1);
    dscq_config *cfg = NULL;
    char path[PATH];
    dscq_shape s;
    dscq_error err = {0};

    snprintf(path, sizeof path, "%s/net.cfg", dir);
    test_ok(dscq_config_load(&cfg, test_path(path), &err));
    test_ok(dscq_model_from_config(&k->m, cfg, "data|compress", &rng, &err));
    dscq_config_destroy(cfg);
    snprintf(path, sizeof path, "%s/float.ckpt", dir);
    test_ok(dscq_model_load(k->m, test_path(path), DSCQ_MATCH_EXACT, NULL, &err));
    test_ok(dscq_exec_create(&k->e, k->m, &o, &err));
    for (int32_t i = 0; i < dscq_model_outputs(k->m); i++) {
        (void)dscq_exec_output(k->e, i, &s);
        k->count += (size_t)s.h * (size_t)s.w * (size_t)s.c;
        k->first = i == 0 ? k->count : k->first;
    }
    k->y = dscq_calloc(k->count, sizeof *k->y);
}

static void open_packed(machine *k, const char *file)
{
    dscq_error err = {0};

    test_ok(dscq_pack_read(&k->q, test_path(file), &err));
    test_ok(dscq_runtime_create(&k->r, k->q, &(dscq_runtime_options){0}, &err));
    for (int32_t i = 0; i < k->q->output_count; i++) {
        k->count += dscq_qtensor_count(&k->q->tensor[k->q->output[i].tensor]);
        k->first = i == 0 ? k->count : k->first;
    }
    k->y = dscq_calloc(k->count, sizeof *k->y);
}

static void close_machine(machine *k)
{
    dscq_exec_destroy(k->e);
    dscq_model_destroy(k->m);
    dscq_runtime_destroy(k->r);
    dscq_qmodel_destroy(k->q);
    dscq_free(k->y);
}

static void run_float(machine *k, const float *x)
{
    size_t at = 0;
    dscq_shape s;

    dscq_exec_forward(k->e, DSCQ_PASS_EVAL, x, 1, NULL);
    for (int32_t i = 0; i < dscq_model_outputs(k->m); i++) {
        const float *y = dscq_exec_output(k->e, i, &s);
        const size_t n = (size_t)s.h * (size_t)s.w * (size_t)s.c;
        memcpy(k->y + at, y, n * sizeof *y);
        at += n;
    }
}

static void run_packed(machine *k, const float *x)
{
    const dscq_qtensor *t = &k->q->tensor[k->q->input[0].tensor];
    const size_t n = dscq_qtensor_count(t);
    int8_t *in = dscq_calloc(n, 1);
    void *out[16];
    size_t at = 0;

    ck_assert_int_le(t->bits, 8);
    for (size_t i = 0; i < n; i++) {
        const double code = floor((double)x[i] / t->scale + 0.5) + t->zero_point;
        in[i] = (int8_t)fmin(fmax(code, dscq_qtensor_lo(t)), dscq_qtensor_hi(t));
    }
    ck_assert_int_le(k->q->output_count, 16);
    for (int32_t i = 0; i < k->q->output_count; i++)
        out[i] =
            dscq_calloc(dscq_qtensor_bytes(&k->q->tensor[k->q->output[i].tensor]), 1);
    dscq_runtime_run(k->r, 1, (const void *const[]){in}, out);
    for (int32_t i = 0; i < k->q->output_count; i++) {
        const dscq_qtensor *y = &k->q->tensor[k->q->output[i].tensor];
        for (size_t j = 0; j < dscq_qtensor_count(y); j++)
            k->y[at++] =
                (float)(y->scale * (dscq_qtensor_get(y, out[i], j) - y->zero_point));
        dscq_free(out[i]);
    }
    dscq_free(in);
}

/* ---- pictures ---- */

typedef struct pictures {
    const struct network *n;
    dscq_shape in;
    uint8_t *cifar;
    char *list;
    const char *line;
    dscq_rng g;
    float *x;
} pictures;

static void put(pictures *p, const uint8_t *px)
{
    const size_t n = (size_t)p->in.h * (size_t)p->in.w * (size_t)p->in.c;

    for (size_t i = 0; i < n; i++)
        p->x[i] = (float)((px[i] * p->n->scale - p->n->mean) / p->n->std);
}

/* The centre, or the whole, of a file, at the network's size. */
static void put_file(pictures *p, const char *relative, int32_t centre)
{
    const dscq_decode_opts rgb = {.channels = 3};
    dscq_image im = {0}, part = {0};
    dscq_error err = {0};

    test_ok(dscq_image_load(&im, test_shared(relative), &rgb, &err));
    const int32_t w = centre > 0 ? centre : im.width,
                  h = centre > 0 ? centre : im.height;
    const int32_t region[4] = {(im.width - w) / 2, (im.height - h) / 2, w, h};
    test_ok(dscq_image_resize(&part, &im, region, p->in.w, p->in.h,
                              DSCQ_FILTER_BILINEAR, &err));
    put(p, part.px);
    dscq_image_clear(&im);
    dscq_image_clear(&part);
}

/* The next picture; its label, -1: none is known. */
static long next_picture(pictures *p, size_t i)
{
    static const char *const lists[] = {[IMAGENET] = "datasets/imagenet256/labels.csv",
                                        [CIFAR] = "models/golden/cifar10_test_top1.csv",
                                        [COCO] = "models/golden/vww_coco128val.csv"};
    char name[128], relative[PATH];
    uint8_t noise[1024];

    if (p->n->from == NOISE) {
        ck_assert_uint_le((size_t)p->in.h * (size_t)p->in.w, sizeof noise);
        for (size_t j = 0; j < sizeof noise; j++)
            noise[j] = (uint8_t)dscq_rng_below(&p->g, 256);
        put(p, noise);
        return -1;
    }
    if (p->list == NULL) {
        p->list = test_read(test_shared(lists[p->n->from]));
        p->line = p->list;
    }
    p->line = strchr(p->line, '\n');
    ck_assert_ptr_nonnull(p->line);
    p->line++;
    if (p->n->from == CIFAR) {
        put(p, p->cifar + i * CIFAR_BYTES);
        return foreign_column(p->line, 1);
    }
    snprintf(name, sizeof name, "%.*s", (int)strcspn(p->line, ","), p->line);
    snprintf(relative, sizeof relative, "datasets/%s/images/%s",
             p->n->from == IMAGENET ? "imagenet256" : "coco128-val", name);
    put_file(p, relative, p->n->from == IMAGENET ? CENTRE : 0);
    return p->n->from == IMAGENET ? foreign_column(p->line, 1) : -1;
}

/* ---- there and back ---- */

static int start(const struct network *n)
{
    char relative[PATH], file[PATH], weights[PATH] = "", folder[PATH], args[4 * PATH];

    snprintf(relative, sizeof relative, "models/%s", n->file);
    const char *there = test_shared_unpacked(relative);
    if (there == NULL || !test_has(dscq_onnx_available(), "ONNX"))
        return 0;
    snprintf(file, sizeof file, "%s", there);
    if (n->weights != NULL) {
        snprintf(relative, sizeof relative, "models/%s", n->weights);
        snprintf(weights, sizeof weights, "%s", test_shared(relative));
    }
    there = test_shared("datasets/coco128-val/images");
    if (there == NULL)
        return 0;
    snprintf(folder, sizeof folder, "%s", there);
    snprintf(
        args, sizeof args,
        "import -o net --data type=images --data train=%s --data pixel_scale=%.17g "
        "--data mean=%.17g --data std=%.17g %s %s",
        folder, n->scale, n->mean, n->std, file, weights);
    test_program_ok(args);
#define PACK                                                                           \
    " --quiet --set compress.method=uniform --set compress.p=0 --set compress.b=8 "    \
    "--set compress.scale=channel --set compress.epochs=0 "                            \
    "--set compress.calibration_images=24"
    test_program_ok("compress net/net.cfg -w net/float.ckpt -o out" PACK);
    test_program_ok("export net/net.cfg -w net/float.ckpt -o float.onnx");
    test_program_ok("import float.onnx -o float --quiet");
    test_program_ok("export out/packed.bin -o out.onnx");
    snprintf(args, sizeof args,
             "import out.onnx -o back --data type=images --data train=%s "
             "--data pixel_scale=%.17g --data mean=%.17g --data std=%.17g",
             folder, n->scale, n->mean, n->std);
    test_program_ok(args);
    test_program_ok("compress back/net.cfg -w back/float.ckpt -o again "
                    "--set compress.ranges=ranges.csv" PACK);
    return 1;
}

static void compare(machine *k, const machine *truth)
{
    double mean = 0;

    ck_assert_uint_eq(k->count, truth->count);
    for (size_t i = 0; i < k->count; i++)
        mean += (double)truth->y[i] / (double)k->count;
    for (size_t i = 0; i < k->count; i++) {
        const double d = (double)k->y[i] - (double)truth->y[i];
        k->noise += d * d;
        k->signal += ((double)truth->y[i] - mean) * ((double)truth->y[i] - mean);
    }
    k->same += foreign_best(k->y, k->first) == foreign_best(truth->y, k->first);
}

static double decibels(const machine *k)
{
    return 10 * log10(k->signal / (k->noise + 1e-30));
}

START_TEST(a_network_that_went_to_onnx_and_back_is_the_same)
{
    const struct network *n = &k_networks[_i];
    enum { FLOAT, PACKED, BACK, AGAIN, COPY };
    machine k[NETS] = {{0}};
    pictures p = {.n = n, .g = dscq_rng_seeded(3)};

    if (n->from == CIFAR && (p.cifar = foreign_cifar()) == NULL)
        return;
    if (!start(n)) {
        dscq_free(p.cifar);
        return;
    }
    open_float(&k[FLOAT], "net");
    open_packed(&k[PACKED], "out/packed.bin");
    open_float(&k[BACK], "back");
    open_packed(&k[AGAIN], "again/packed.bin");
    open_float(&k[COPY], "float");
    p.in = dscq_model_input(k[FLOAT].m);
    p.x = dscq_calloc(dscq_shape_count(&p.in), sizeof *p.x);
    for (size_t i = 0; i < n->images; i++) {
        const long label = next_picture(&p, i);
        for (int j = 0; j < NETS; j++) {
            if (k[j].m != NULL)
                run_float(&k[j], p.x);
            else
                run_packed(&k[j], p.x);
            k[j].right += (long)foreign_best(k[j].y, k[j].first) == label;
        }
        compare(&k[PACKED], &k[FLOAT]);
        compare(&k[BACK], &k[FLOAT]);
        compare(&k[AGAIN], &k[PACKED]);
        compare(&k[COPY], &k[FLOAT]);
    }
    printf(
        "%s: right of %zu: float %zu, packed %zu, back %zu, again %zu; packed %.1f dB, "
        "back %.1f dB, again %.1f dB of the packed one, %zu the same class\n",
        n->file, n->images, k[FLOAT].right, k[PACKED].right, k[BACK].right,
        k[AGAIN].right, decibels(&k[PACKED]), decibels(&k[BACK]), decibels(&k[AGAIN]),
        k[AGAIN].same);
    ck_assert_double_ge(decibels(&k[COPY]), 90); /* float arithmetic alone */
    ck_assert_uint_eq(k[COPY].right, k[FLOAT].right);
    ck_assert_double_ge(decibels(&k[BACK]), decibels(&k[PACKED]) - 1);
    /* as near as the rounding of multipliers and biases leaves two packed networks,
     * where the first one is as near to the float network (one that was quantised) */
    ck_assert_double_ge(decibels(&k[AGAIN]), fmin(decibels(&k[PACKED]) + 3, 26));
    ck_assert_uint_ge(k[BACK].right + n->images / 20 + 1, k[FLOAT].right);
    ck_assert_uint_ge(k[AGAIN].right + n->images / 50 + 1, k[PACKED].right);
    for (int j = 0; j < NETS; j++)
        close_machine(&k[j]);
    dscq_free(p.x);
    dscq_free(p.list);
    dscq_free(p.cifar);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("networks_again", &tc);

    tcase_set_timeout(tc, 900);
    tcase_add_loop_test(tc, a_network_that_went_to_onnx_and_back_is_the_same, 0,
                        sizeof k_networks / sizeof k_networks[0]);
    return s;
}

int main(void)
{
    return test_run(make);
}
