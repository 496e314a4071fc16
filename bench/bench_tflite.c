/* TensorFlow Lite files of ../shared/models/quantised: the file's own arithmetic (do
 * the CRCs of its layers hold?), every packed operation on golden inputs, and the whole
 * network's deviation from the golden outputs beside that of TFLite 2.9's optimised
 * kernels, where the files have it.
 *
 *     bench_tflite DIR [NAME...]        DIR = ../shared/models/quantised/tflite
 */
#include "dscq/base/alloc.h"
#include "tflite_network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OUT_MAX = 1 << 21 };

static const char *const k_names[] = {"mlperf_ad01_int8",
                                      "mlperf_kws_int8",
                                      "mlperf_resnet8_int8",
                                      "mlperf_resnet8_float32",
                                      "mlperf_vww96_int8",
                                      "mobilenet_v1_025_128_uint8",
                                      "mobilenet_v2_100_224_uint8",
                                      "ds_cnn_s_int16x8",
                                      "tflm_person_detect_int8",
                                      "ssd_slim_face_int8",
                                      "yolo_fastest_person_int8",
                                      "mcunet_detection_int8",
                                      "micro_speech_int8",
                                      "hello_world_int8",
                                      "har_cnn_int8",
                                      "blazeface_front_float16",
                                      "seanet_conv11_int16x8",
                                      "seanet_sub0_int16",
                                      "split_concat_uint8",
                                      "mlperf_ad01_float32",
                                      "cifar10_cnn_int8"};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- layers ------------------------------------------------------------- */

/* How many of the CRCs in layers_a.tsv hold; *rows: of how many. */
static size_t count_sums(size_t *rows, const tflite_network *n, const char *path)
{
    char line[4096];
    size_t good = 0;
    FILE *f = fopen(path, "r");

    *rows = 0;
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        char *column[9] = {NULL}, *p = line;
        for (int i = 0; i < 9 && p != NULL; i++) {
            column[i] = p;
            p = strchr(p, '\t');
            if (p != NULL)
                *p++ = '\0';
        }
        if (column[6] == NULL || line[0] < '0' || line[0] > '9' ||
            strcmp(column[1], "SOFTMAX") == 0)
            continue;
        const long tensor = strtol(column[2], NULL, 10);
        (*rows)++;
        good += tensor < n->tensors &&
                n->crc[tensor] == (uint32_t)strtoul(column[6], NULL, 16);
    }
    if (f != NULL)
        fclose(f);
    return good;
}

typedef struct totals {
    size_t steps, bad; /* operations; with fewer than 99 % within one step */
    size_t count, equal, near;
    double worst, least; /* codes; smallest part within one step */
    char name[64];       /* of that one */
} totals;

static void add_step(void *ctx, const tflite_step *s)
{
    totals *t = ctx;
    const double part = (double)s->near / (double)s->count;

    t->steps++;
    t->bad += part < 0.99;
    t->count += s->count;
    t->equal += s->equal;
    t->near += s->near;
    t->worst = fmax(t->worst, s->worst);
    if (t->steps == 1 || part < t->least) {
        t->least = part;
        snprintf(t->name, sizeof t->name, "%s", s->name);
    }
}

/* ---- the whole ---------------------------------------------------------- */

typedef struct deviation {
    size_t count, differ;
    double most, sum, top; /* top: largest magnitude of the golden */
    int same_class;
} deviation;

static size_t largest(const double *v, size_t n)
{
    size_t best = 0;

    for (size_t i = 1; i < n; i++)
        best = v[i] > v[best] ? i : best;
    return best;
}

static deviation deviate(const double *v, const tflite_array *golden)
{
    deviation d = {.count = golden->count};

    for (size_t i = 0; i < d.count; i++) {
        const double e = fabs(v[i] - golden->v[i]);
        d.differ += e > 0;
        d.sum += e;
        d.most = fmax(d.most, e);
        d.top = fmax(d.top, fabs(golden->v[i]));
    }
    d.same_class = largest(v, d.count) == largest(golden->v, d.count);
    return d;
}

static void print_deviation(const char *who, const deviation *d)
{
    printf("  %-14s most %-11.6g mean %-11.6g differ %6zu of %zu%s\n", who, d->most,
           d->sum / (double)d->count, d->differ, d->count,
           d->same_class ? "" : "  OTHER CLASS");
}

static int read_inputs(tflite_array *in, const tflite_network *n, const char *dir,
                       char set)
{
    char path[2 * TFLITE_PATH];

    for (int32_t i = 0; i < dscq_tflite_inputs(n->f); i++) {
        snprintf(path, sizeof path, "%s/input_%c_%d.npy", dir, set, (int)i);
        if (i >= TFLITE_ENDS || !tflite_array_read(&in[i], path))
            return 0;
    }
    return 1;
}

static void compare_set(const tflite_network *n, const char *dir, char set)
{
    static double v[OUT_MAX];
    char path[2 * TFLITE_PATH], title[64];
    dscq_error err = {0};

    for (int32_t i = 0; i < dscq_tflite_outputs(n->f); i++) {
        tflite_array golden, alt;
        snprintf(path, sizeof path, "%s/output_%c_%d.npy", dir, set, (int)i);
        if (!tflite_array_read(&golden, path) || golden.count > OUT_MAX)
            continue;
        printf(" set %c, output %d (%s)\n", set, (int)i,
               golden.type[0] == 'f' ? "real values" : "codes");
        for (int packed = 0; packed < (n->q != NULL ? 2 : 1); packed++) {
            if (tflite_answer(v, n, i, packed, &err) != DSCQ_OK) {
                printf("  %s\n", err.msg);
                continue;
            }
            const deviation d = deviate(v, &golden);
            snprintf(title, sizeof title, "%s", packed ? "packed" : "float");
            print_deviation(title, &d);
        }
        snprintf(path, sizeof path, "%s/alt_tflite290_%c_%d.npy", dir, set, (int)i);
        if (tflite_array_read(&alt, path)) {
            const deviation d = deviate(alt.v, &golden);
            print_deviation("TFLite 2.9", &d);
        } else {
            printf("  TFLite 2.9     as the golden, or not given\n");
        }
        tflite_array_free(&alt);
        tflite_array_free(&golden);
    }
}

static void run_sets(tflite_network *n, const char *dir)
{
    char path[2 * TFLITE_PATH];
    dscq_error err = {0};

    for (char set = 'a'; set <= 'd'; set++) {
        tflite_array in[TFLITE_ENDS] = {{{0}, NULL, 0}};
        if (read_inputs(in, n, dir, set) &&
            tflite_run(n, in, set == 'a', &err) == DSCQ_OK) {
            if (set == 'a' && tflite_pack(n, &err) != DSCQ_OK)
                printf(" not packed: %s\n", err.msg);
            if (set == 'a' && n->q != NULL) {
                totals t = {.least = 1};
                size_t rows;
                snprintf(path, sizeof path, "%s/layers_a.tsv", dir);
                const size_t good = count_sums(&rows, n, path);
                if (tflite_steps(n, add_step, &t, &err) != DSCQ_OK)
                    printf(" %s\n", err.msg);
                if (t.steps > 0)
                    printf(" layers: %zu of %zu CRCs hold; %zu packed operations on "
                           "golden "
                           "inputs: %.4f %% equal, %.4f %% within one step, worst %g; "
                           "least "
                           "%.4f %% (%s); below 99 %%: %zu\n",
                           good, rows, t.steps,
                           100.0 * (double)t.equal / (double)t.count,
                           100.0 * (double)t.near / (double)t.count, t.worst,
                           100 * t.least, t.name, t.bad);
            }
            compare_set(n, dir, set);
        } else if (set == 'a') {
            printf(" %s\n", err.msg);
        }
        for (int i = 0; i < TFLITE_ENDS; i++)
            tflite_array_free(&in[i]);
    }
}

static void run_one(const char *dir, const char *name)
{
    char folder[TFLITE_PATH], path[2 * TFLITE_PATH];
    tflite_network n;
    dscq_error err = {0};

    snprintf(folder, sizeof folder, "%.300s/%.100s", dir, name);
    snprintf(path, sizeof path, "%s/model.tflite", folder);
    const double from = now();
    const dscq_status status = tflite_open(&n, path, &err);
    printf("%s: %s, read and made a network in %.0f ms\n", name,
           status == DSCQ_OK ? "a network" : err.msg, 1e3 * (now() - from));
    if (status == DSCQ_OK)
        run_sets(&n, folder);
    tflite_close(&n);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench_tflite DIR [NAME...]\n");
        return 2;
    }
    for (int i = 2; i < argc; i++)
        run_one(argv[1], argv[i]);
    for (size_t i = 0; argc == 2 && i < sizeof k_names / sizeof *k_names; i++)
        run_one(argv[1], k_names[i]);
    return 0;
}
