#include "foreign.h"

#include "dscq/base/alloc.h"
#include "dscq/base/config.h"
#include "dscq/base/io.h"
#include "dscq/base/rng.h"
#include "dscq/data/image.h"
#include "dscq/import/darknet.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUTPUTS = 16 };

static void start(foreign *n, int32_t batch)
{
    const dscq_exec_options o = {.batch = batch, .raw_outputs = 1};
    const dscq_shape in = dscq_model_input(n->m);
    dscq_error err = {0};

    n->batch = batch;
    test_ok(dscq_exec_create(&n->e, n->m, &o, &err));
    n->x = dscq_calloc(dscq_shape_count(&in) * (size_t)batch, sizeof *n->x);
    ck_assert_ptr_nonnull(n->x);
}

void foreign_close(foreign *n)
{
    dscq_exec_destroy(n->e);
    dscq_model_destroy(n->m);
    dscq_onnx_close(n->f);
    dscq_free(n->x);
    memset(n, 0, sizeof *n);
}

void foreign_onnx_file(foreign *n, const char *path, int32_t batch)
{
    dscq_error err = {0};

    memset(n, 0, sizeof *n);
    test_ok(dscq_onnx_load(&n->f, path, &err));
    test_ok(dscq_onnx_to_model(&n->m, NULL, n->f, &err));
    start(n, batch);
}

int foreign_onnx(foreign *n, const char *file, int32_t batch)
{
    const char *path = test_shared_unpacked(file);

    memset(n, 0, sizeof *n);
    if (path == NULL || !test_has(dscq_onnx_available(), "ONNX"))
        return 0;
    foreign_onnx_file(n, path, batch);
    return 1;
}

int foreign_darknet(foreign *n, const char *stem, int32_t batch)
{
    char file[FOREIGN_PATH];
    dscq_config *cfg = NULL;
    const dscq_rng rng = dscq_rng_seeded(1);
    dscq_error err = {0};

    memset(n, 0, sizeof *n);
    snprintf(file, sizeof file, "%s.cfg", stem);
    const char *path = test_shared(file);
    if (path == NULL)
        return 0;
    test_ok(dscq_config_load(&cfg, path, &err));
    test_ok(dscq_model_from_config(&n->m, cfg, "", &rng, &err));
    dscq_config_destroy(cfg);
    snprintf(file, sizeof file, "%s.weights", stem);
    test_ok(dscq_darknet_load(n->m, test_shared(file), 0, NULL, &err));
    start(n, batch);
    return 1;
}

void foreign_pixels(foreign *n, int32_t slot, const uint8_t *rgb, const foreign_norm *p)
{
    const dscq_shape in = dscq_model_input(n->m);
    const size_t pixels = (size_t)in.h * (size_t)in.w;
    float *to = n->x + (size_t)slot * 3 * pixels;

    ck_assert_int_eq(in.c, 3);
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < 3; c++)
            to[3 * i + c] =
                (float)((rgb[3 * i + (p->bgr ? 2 - c : c)] * p->scale - p->mean[c]) /
                        p->std[c]);
}

void foreign_png(foreign *n, const char *file, const foreign_norm *p)
{
    char relative[FOREIGN_PATH];
    dscq_image im = {0};
    dscq_error err = {0};
    const dscq_shape in = dscq_model_input(n->m);

    snprintf(relative, sizeof relative, "models/golden/inputs/%s", file);
    const char *path = test_shared(relative);
    ck_assert_ptr_nonnull(path);
    test_ok(dscq_image_load(&im, path, NULL, &err));
    ck_assert_int_eq(im.width, in.w);
    ck_assert_int_eq(im.height, in.h);
    ck_assert_int_eq(im.channels, 3);
    foreign_pixels(n, 0, im.px, p);
    dscq_image_clear(&im);
}

void foreign_run(foreign *n, int32_t count)
{
    dscq_exec_forward(n->e, DSCQ_PASS_EVAL, n->x, count, NULL);
}

size_t foreign_output(const foreign *n, int32_t i, int32_t slot, float *to, size_t cap)
{
    const float *y[OUTPUTS];
    dscq_shape s = {0, 0, 0, 0}, wanted = {0, 0, 0, 0};
    size_t count = 0;

    ck_assert_int_le(dscq_model_outputs(n->m), OUTPUTS);
    for (int32_t j = 0; j < dscq_model_outputs(n->m); j++) {
        y[j] = dscq_exec_output(n->e, j, &s);
        y[j] += (size_t)slot * (size_t)s.h * (size_t)s.w * (size_t)s.c;
        if (j == i)
            wanted = s;
    }
    if (n->f == NULL) {
        const size_t map = (size_t)wanted.h * (size_t)wanted.w, c = (size_t)wanted.c;
        ck_assert_uint_le(map * c, cap);
        for (size_t p = 0; p < map * c; p++)
            to[p % c * map + p / c] = y[i][p];
        return map * c;
    }
    const dscq_onnx_output *o = dscq_onnx_model_output(n->f, i);
    for (int32_t p = 0; p < o->count; p++)
        count += dscq_shape_count(
            &dscq_model_node(n->m, dscq_model_output(n->m, o->part[p]))->out);
    ck_assert_uint_le(count, cap);
    dscq_onnx_collect(to, n->f, n->m, i, y);
    return count;
}

size_t foreign_best(const float *y, size_t n)
{
    size_t k = 0;

    for (size_t i = 1; i < n; i++)
        k = y[i] > y[k] ? i : k;
    return k;
}

int foreign_among(const float *y, size_t n, size_t label, size_t k)
{
    size_t above = 0;

    ck_assert_uint_lt(label, n);
    for (size_t i = 0; i < n; i++)
        above += y[i] > y[label] || (y[i] == y[label] && i < label);
    return above < k;
}

dscq_json *foreign_golden(const char *file)
{
    char relative[FOREIGN_PATH];
    dscq_json *j = NULL;
    dscq_error err = {0};

    snprintf(relative, sizeof relative, "models/golden/%s", file);
    const char *path = test_shared(relative);
    if (path == NULL || !test_has_json())
        return NULL;
    test_ok(dscq_json_load(&j, path, &err));
    return j;
}

const dscq_json *foreign_member(const dscq_json *j, const char *name)
{
    for (size_t i = 0; i < dscq_json_count(j); i++)
        if (strcmp(dscq_json_key(j, i), name) == 0)
            return dscq_json_member(j, i);
    return NULL;
}

void foreign_compare(const float *y, size_t count, const dscq_json *want,
                     const char *what)
{
    size_t most = 0;

    ck_assert_ptr_nonnull(want);
    ck_assert_uint_eq(count, dscq_json_count(want));
    for (size_t i = 0; i < count; i++) {
        const double w = dscq_json_real(dscq_json_at(want, i), (double)NAN);
        ck_assert_msg(fabs((double)y[i] - w) <= 1e-3, "%s: value %zu is %.6f, not %.6f",
                      what, i, (double)y[i], w);
        if (w > dscq_json_real(dscq_json_at(want, most), 0))
            most = i;
    }
    ck_assert_uint_eq(foreign_best(y, count), most);
}

void foreign_compare_raw(const foreign *n, int32_t i, const char *file)
{
    char relative[FOREIGN_PATH];
    uint8_t *data = NULL;
    size_t bytes = 0;
    dscq_error err = {0};

    snprintf(relative, sizeof relative, "models/golden/%s", file);
    const char *path = test_shared(relative);
    ck_assert_ptr_nonnull(path);
    test_ok(dscq_file_read(&data, &bytes, path, (size_t)1 << 26, &err));
    const size_t count = bytes / sizeof(float);
    float *y = dscq_calloc(count, sizeof *y);
    float *want = dscq_calloc(count, sizeof *want);
    memcpy(want, data, count * sizeof *want);
    ck_assert_uint_eq(foreign_output(n, i, 0, y, count), count);
    for (size_t k = 0; k < count; k++)
        ck_assert_msg(
            fabs((double)y[k] - (double)want[k]) <= 1e-3 + 1e-4 * fabs((double)want[k]),
            "%s: value %zu is %.6f, not %.6f", file, k, (double)y[k], (double)want[k]);
    dscq_free(y);
    dscq_free(want);
    dscq_free(data);
}

long foreign_column(const char *line, int index)
{
    for (; index > 0 && line != NULL; index--) {
        line = strchr(line, ',');
        line = line != NULL ? line + 1 : NULL;
    }
    return line != NULL ? strtol(line, NULL, 10) : -1;
}

/* 5000 pictures, from a strip one picture wide. */
static int unpack_strip(uint8_t *to, const char *file)
{
    enum { HALF = 5000 * 3072 };
    const char *strip = test_shared(file);
    const char *ppm = test_path("strip.ppm");
    char command[3 * FOREIGN_PATH];
    uint8_t *data = NULL;
    size_t bytes = 0;
    dscq_error err = {0};

    if (strip == NULL || !test_has_program("djxl"))
        return 0;
    snprintf(command, sizeof command, "djxl --quiet '%s' '%s' >/dev/null 2>&1", strip,
             ppm);
    ck_assert_int_eq(system(command), 0);
    test_ok(dscq_file_read(&data, &bytes, ppm, (size_t)1 << 28, &err));
    ck_assert_uint_gt(bytes, HALF);
    memcpy(to, data + bytes - HALF, HALF);
    dscq_free(data);
    remove(ppm);
    return 1;
}

uint8_t *foreign_cifar(void)
{
    uint8_t *rgb = dscq_malloc((size_t)10000 * 3072, 1);

    ck_assert_ptr_nonnull(rgb);
    if (unpack_strip(rgb, "datasets/cifar10/test_1.jxl") &&
        unpack_strip(rgb + (size_t)5000 * 3072, "datasets/cifar10/test_2.jxl"))
        return rgb;
    dscq_free(rgb);
    return NULL;
}
