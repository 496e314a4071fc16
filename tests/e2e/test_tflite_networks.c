/* TensorFlow Lite files of others, as published. Those of ../shared/models/quantised:
 * the file's own arithmetic has the golden layers, every packed operation gives the
 * golden codes of its golden inputs to within a step, the whole network the golden
 * answers; what cannot run is refused by name. Those beside their ONNX twins: golden
 * classes. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/data/image.h"
#include "foreign.h"
#include "support.h"
#include "tflite_network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH = 512, OUT_MAX = 1 << 20 };

#define FOLDER "models/quantised/tflite"

/* `mean`: of the packed network's deviation from the golden codes, over an output. */
static const struct run {
    const char *name;
    int is_float;
    double mean;
} k_runs[] = {
    {"mlperf_ad01_int8", 0, 0.5},
    {"mlperf_kws_int8", 0, 1.5},
    {"mlperf_resnet8_int8", 0, 1},
    {"mlperf_resnet8_float32", 1, 0},
    {"mlperf_vww96_int8", 0, 1},
    {"mobilenet_v1_025_128_uint8", 0, 0.1},
    {"mobilenet_v2_100_224_uint8", 0, 0.1},
    {"ds_cnn_s_int16x8", 0, 8},
    {"tflm_person_detect_int8", 0, 2},
    {"ssd_slim_face_int8", 0, 1.2},
    {"yolo_fastest_person_int8", 0, 0.6},
    {"mcunet_detection_int8", 0, 0.06}, /* of real outputs */
    {"micro_speech_int8", 0, 1},
    {"hello_world_int8", 0, 0},
    {"har_cnn_int8", 0, 1},
    {"blazeface_front_float16", 1, 0},
    {"seanet_conv11_int16x8", 0, 0},
    {"seanet_sub0_int16", 0, 0.3},
    {"split_concat_uint8", 0, 0},
    {"mlperf_ad01_float32", 1, 0},
    {"cifar10_cnn_int8", 0, 1},
};

/* A file of a network's folder, which need not be there (the folder is). */
static const char *file_of(const char *name, const char *file)
{
    static char path[2 * PATH];

    snprintf(path, sizeof path, "%.500s/%s/%s", test_shared(FOLDER), name, file);
    return path;
}

/* ---- layers ------------------------------------------------------------- */

/* Every CRC of layers_a.tsv but those of a softmax, which the file's own arithmetic
 * approximates. */
static void check_sums(const tflite_network *n, const char *name)
{
    const char *path = file_of(name, "layers_a.tsv");
    char op[64];
    long tensor;
    unsigned long crc;

    if (!dscq_path_exists(path))
        return;
    char *text = test_read(path);
    for (char *line = strchr(text, '\n'); line != NULL && line[1] != '\0';
         line = strchr(line, '\n')) {
        line++;
        ck_assert_int_eq(sscanf(line,
                                "%*d\t%63[^\t]\t%ld\t%*[^\t]\t%*[^\t]\t%*[^\t]\t%lx",
                                op, &tensor, &crc),
                         3);
        if (strcmp(op, "SOFTMAX") != 0)
            ck_assert_msg(n->crc[tensor] == crc, "%s: tensor %ld of %s", name, tensor,
                          op);
    }
    dscq_free(text);
}

static void check_step(void *ctx, const tflite_step *s)
{
    ck_assert_msg((double)s->near >= 0.99 * (double)s->count,
                  "%s: %s: %zu of %zu within a step, the worst %g", (const char *)ctx,
                  s->name, s->near, s->count, s->worst);
}

/* ---- answers ------------------------------------------------------------ */

static void check_output(const tflite_network *n, const struct run *r, char set,
                         int32_t i)
{
    static double v[OUT_MAX];
    char file[32];
    tflite_array golden;
    double far = 0, sum = 0, top = 0;
    dscq_error err = {0};

    snprintf(file, sizeof file, "output_%c_%d.npy", set, (int)i);
    ck_assert(tflite_array_read(&golden, file_of(r->name, file)));
    ck_assert_uint_le(golden.count, OUT_MAX);
    test_ok(tflite_answer(v, n, i, !r->is_float, &err));
    for (size_t k = 0; k < golden.count; k++) {
        const double d = fabs(v[k] - golden.v[k]);
        far = fmax(far, d);
        sum += d;
        top = fmax(top, fabs(golden.v[k]));
    }
    printf("%s %c %d: mean %.4g, most %.4g\n", r->name, set, (int)i,
           sum / (double)golden.count, far);
    if (r->is_float)
        ck_assert_msg(far <= 1e-4 * top, "%s: %g of %g", r->name, far, top);
    else if (golden.count > 100 || set == 'a') /* one value may tip a softmax of few */
        ck_assert_msg(sum <= r->mean * (double)golden.count + 1e-9, "%s: mean %g",
                      r->name, sum / (double)golden.count);
    tflite_array_free(&golden);
}

/* Sets a, b, c, ... as far as there are any. */
static int read_inputs(tflite_array *in, const tflite_network *n, const char *name,
                       char set)
{
    char file[32];

    for (int32_t i = 0; i < dscq_tflite_inputs(n->f); i++) {
        snprintf(file, sizeof file, "input_%c_%d.npy", set, (int)i);
        if (!dscq_path_exists(file_of(name, file)) ||
            !tflite_array_read(&in[i], file_of(name, file)))
            return 0;
    }
    return 1;
}

START_TEST(a_published_file_answers_as_it_should)
{
    const struct run *r = &k_runs[_i];
    tflite_network n;
    dscq_error err = {0};

    if (test_shared(FOLDER) == NULL)
        return;
    test_ok(tflite_open(&n, file_of(r->name, "model.tflite"), &err));
    for (char set = 'a'; set <= 'd'; set++) {
        tflite_array in[TFLITE_ENDS] = {{{0}, NULL, 0}};
        if (read_inputs(in, &n, r->name, set)) {
            const int first = set == 'a' && !r->is_float;
            test_ok(tflite_run(&n, in, first, &err));
            if (first) {
                check_sums(&n, r->name);
                test_ok(tflite_pack(&n, &err));
                test_ok(tflite_steps(&n, check_step, (void *)r->name, &err));
            }
            for (int32_t i = 0; i < dscq_tflite_outputs(n.f); i++)
                check_output(&n, r, set, i);
        }
        for (int i = 0; i < TFLITE_ENDS; i++)
            tflite_array_free(&in[i]);
    }
    tflite_close(&n);
}
END_TEST

/* ---- refusals ----------------------------------------------------------- */

static const struct refusal {
    const char *name;
    size_t rows;
    const char *op;
} k_refusals[] = {
    {"refuse_dtln_lstm_int8", 2, "UNIDIRECTIONAL_SEQUENCE_LSTM"},
    {"refuse_audio_preprocessor", 9, "CUSTOM:SignalWindow"},
    {"refuse_mnist_lstm_int8", 1, "UNIDIRECTIONAL_SEQUENCE_LSTM"},
    {"refuse_custom_op_scalar", 1, "CUSTOM:fake-op-double"},
    {"refuse_person_detect_vela", 1, "CUSTOM:ethos-u"},
};

START_TEST(what_cannot_run_is_refused_by_name)
{
    const struct refusal *r = &k_refusals[_i];
    dscq_tflite *f = NULL;
    dscq_model *m = NULL;
    dscq_table *t = NULL;
    dscq_error err = {0};

    if (test_shared(FOLDER) == NULL)
        return;
    test_ok(dscq_tflite_load(&f, file_of(r->name, "model.tflite"), &err));
    ck_assert_int_eq(dscq_tflite_to_model(&m, &t, f, &err), DSCQ_UNSUPPORTED);
    ck_assert_ptr_nonnull(t);
    ck_assert_uint_eq(dscq_table_rows(t), r->rows);
    ck_assert_str_eq(dscq_table_text(t, 0, 1), r->op);
    ck_assert_ptr_nonnull(strstr(err.msg, r->op));
    dscq_table_destroy(t);
    dscq_tflite_close(f);
}
END_TEST

/* Float activations and 8-bit weights: multiplied out, and said. */
START_TEST(a_hybrid_file_says_that_it_is_one)
{
    dscq_tflite *f = NULL;
    dscq_model *m = NULL;
    dscq_error err = {0};

    if (test_shared(FOLDER) == NULL)
        return;
    test_ok(dscq_tflite_load(&f, file_of("refuse_kws_hybrid", "model.tflite"), &err));
    test_ok(dscq_tflite_to_model(&m, NULL, f, &err));
    ck_assert_ptr_nonnull(dscq_tflite_note(f, 0));
    ck_assert_ptr_nonnull(strstr(dscq_tflite_note(f, 0), "dynamic-range"));
    dscq_model_destroy(m);
    dscq_tflite_close(f);
}
END_TEST

/* ---- beside their ONNX twins -------------------------------------------- */

/* The layer in front of a softmax at the end. */
static int32_t logits_of(const tflite_network *n)
{
    const int32_t last = dscq_model_output(n->m, 0);
    const dscq_node *d = dscq_model_node(n->m, last);

    return strcmp(d->type, "softmax") == 0 ? d->input[0] : last;
}

static void put_bytes(tflite_network *n, const uint8_t *px, double mean, double std)
{
    const dscq_shape s = dscq_model_input(n->m);

    for (size_t i = 0; i < dscq_shape_count(&s); i++)
        n->x[i] = (float)((px[i] - mean) / std);
}

/* The float network's logits, or the packed one's codes on the file's grid, against a
 * list; the classes must be the same. */
static void check_logits(tflite_network *n, const dscq_json *want, int is_float,
                         double within, const char *what)
{
    static float y[4096];
    const int32_t node = logits_of(n);
    const dscq_shape s = dscq_model_node(n->m, node)->out;
    const size_t count = dscq_shape_count(&s);
    size_t best = 0, golden = 0;
    double far = 0, scale = 1, zero = 0;
    dscq_error err = {0};

    ck_assert_uint_eq(dscq_json_count(want), count);
    tflite_feed(n);
    if (!is_float && n->q == NULL)
        test_ok(tflite_pack(n, &err));
    test_ok(tflite_node(y, n, node, !is_float, &err));
    for (int32_t i = 0; !is_float && i < n->tensors; i++) {
        const dscq_tflite_info t = dscq_tflite_tensor(n->f, i);
        if (t.node == node && t.bits > 0) {
            scale = t.scale;
            zero = t.zero;
        }
    }
    for (size_t k = 0; k < count; k++) {
        const double v = (double)y[k] / scale + zero,
                     w = dscq_json_real(dscq_json_at(want, k), 0);
        far = fmax(far, fabs(v - w));
        best = y[k] > y[best] ? k : best;
        golden = w > dscq_json_real(dscq_json_at(want, golden), 0) ? k : golden;
    }
    ck_assert_msg(best == golden, "%s: class %zu, golden %zu", what, best, golden);
    ck_assert_msg(far <= within, "%s: %g away", what, far);
}

static int open_twin(tflite_network *n, const char *file)
{
    char relative[PATH];
    dscq_error err = {0};

    snprintf(relative, sizeof relative, "models/%s", file);
    const char *path = test_shared(relative);
    if (path == NULL)
        return 0;
    test_ok(tflite_open(n, path, &err));
    return 1;
}

START_TEST(resnet8_has_its_golden_classes)
{
    dscq_json *j = foreign_golden("cifar10_logits.json");
    uint8_t *rgb = foreign_cifar();
    tflite_network n;

    for (int is_float = 0; j != NULL && rgb != NULL && is_float < 2; is_float++) {
        const dscq_json *list =
            dscq_json_get(dscq_json_get(j, "logits"),
                          is_float ? "resnet8_float" : "resnet8_int8_codes");
        if (!open_twin(&n, is_float ? "mlperf_tiny/resnet8_cifar10_float.tflite"
                                    : "mlperf_tiny/resnet8_cifar10_int8.tflite"))
            break;
        for (size_t i = 0; i < 16; i++) {
            put_bytes(&n, rgb + i * 3072, 0, 1);
            check_logits(&n, dscq_json_at(list, i), is_float, is_float ? 1e-3 : 6,
                         "resnet8");
        }
        tflite_close(&n);
    }
    dscq_free(rgb);
    dscq_json_free(j);
}
END_TEST

static uint8_t *picture(const char *file)
{
    char relative[PATH];
    dscq_image im = {0};
    dscq_error err = {0};

    snprintf(relative, sizeof relative, "models/golden/inputs/%s", file);
    test_ok(dscq_image_load(&im, test_shared(relative), NULL, &err));
    const size_t bytes = 3 * (size_t)im.width * (size_t)im.height;
    uint8_t *px = dscq_malloc(bytes, 1);
    memcpy(px, im.px, bytes);
    dscq_image_clear(&im);
    return px;
}

START_TEST(wake_words_have_their_golden_class)
{
    dscq_json *j = foreign_golden("vww_logits.json");
    uint8_t *px = j != NULL ? picture("vww_000000000785_96.png") : NULL;
    tflite_network n;

    for (int is_float = 0; j != NULL && is_float < 2; is_float++) {
        if (!open_twin(&n, is_float ? "mlperf_tiny/vww_96_float.tflite"
                                    : "mlperf_tiny/vww_96_int8.tflite"))
            break;
        put_bytes(&n, px, 0, 255);
        check_logits(&n, dscq_json_get(j, is_float ? "float" : "int8_codes"), is_float,
                     is_float ? 1e-3 : 6, "vww_96");
        tflite_close(&n);
    }
    dscq_free(px);
    dscq_json_free(j);
}
END_TEST

START_TEST(spoken_words_have_their_golden_class)
{
    dscq_json *j = foreign_golden("kws_logits.json");
    const char *path = test_shared("models/golden/inputs/kws_49x10.f32");
    uint8_t *data = NULL;
    size_t bytes;
    tflite_network n;
    dscq_error err = {0};

    if (j == NULL || path == NULL)
        return;
    test_ok(dscq_file_read(&data, &bytes, path, 4096, &err));
    for (int is_float = 0; is_float < 2; is_float++) {
        if (!open_twin(&n, is_float ? "mlperf_tiny/kws_dscnn_float.tflite"
                                    : "mlperf_tiny/kws_dscnn_int8.tflite"))
            break;
        memcpy(n.x, data, bytes);
        check_logits(&n, dscq_json_get(j, is_float ? "float" : "int8_codes"), is_float,
                     is_float ? 1e-3 : 6, "kws_dscnn");
        tflite_close(&n);
    }
    dscq_free(data);
    dscq_json_free(j);
}
END_TEST

START_TEST(mobilenet_has_its_golden_classes)
{
    dscq_json *j = foreign_golden("imagenet_int8_logits.json");
    const dscq_json *list =
        j != NULL ? foreign_member(dscq_json_get(j, "logits"), "mobilenet_v1_0.25_128")
                  : NULL;
    tflite_network n;
    char file[32], key[8];

    if (j != NULL && open_twin(&n, "mobilenet_v1_0.25_128/"
                                   "mobilenet_v1_0.25_128_quant.tflite")) {
        for (int i = 0; i < 8; i++) {
            snprintf(file, sizeof file, "%04d_128.png", 100 * i);
            snprintf(key, sizeof key, "%04d", 100 * i);
            uint8_t *px = picture(file);
            put_bytes(&n, px, 128, 128);
            check_logits(&n, foreign_member(list, key), 0, 20, file);
            dscq_free(px);
        }
        tflite_close(&n);
    }
    dscq_json_free(j);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("tflite_networks", &tc);

    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, a_published_file_answers_as_it_should, 0,
                        sizeof k_runs / sizeof k_runs[0]);
    tcase_add_loop_test(tc, what_cannot_run_is_refused_by_name, 0,
                        sizeof k_refusals / sizeof k_refusals[0]);
    tcase_add_test(tc, a_hybrid_file_says_that_it_is_one);
    tcase_add_test(tc, resnet8_has_its_golden_classes);
    tcase_add_test(tc, wake_words_have_their_golden_class);
    tcase_add_test(tc, spoken_words_have_their_golden_class);
    tcase_add_test(tc, mobilenet_has_its_golden_classes);
    return s;
}

int main(void)
{
    return test_run(make);
}
