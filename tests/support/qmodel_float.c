#include "qmodel_float.h"

#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/build/build.h"
#include "dscq/compress/calibrate.h"
#include "dscq/import/darknet.h"
#include "dscq/nn/exec.h"
#include "dscq/onnx/onnx.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES = 2 };

/* Ranges of all edges from images of noise. */
static dscq_status observe(dscq_calibrated **out, dscq_model *m, int32_t images,
                           dscq_error *err)
{
    const dscq_exec_options o = {.batch = 1, .raw_outputs = 1};
    const dscq_shape in = dscq_model_input(m);
    const size_t count = dscq_shape_count(&in);
    float *x = dscq_malloc(count, sizeof *x);
    dscq_observer *seen = NULL;
    dscq_settings *settings = NULL;
    dscq_exec *e = NULL;
    dscq_rng rng = dscq_rng_seeded(21);
    dscq_status status;

    if (x == NULL)
        return dscq_fail_nomem(err, "an image of noise", count * sizeof *x);
    DSCQ_TRY(dscq_exec_create(&e, m, &o, err));
    DSCQ_TRY(dscq_observer_create(&seen, m, err));
    DSCQ_TRY(dscq_settings_create(&settings, err));
    dscq_observer_watch(seen, e);
    for (int32_t i = 0; i < images; i++) {
        for (size_t k = 0; k < count; k++)
            x[k] = dscq_rng_between(&rng, -1.0f, 1.0f);
        dscq_exec_forward(e, DSCQ_PASS_EVAL, x, 1, NULL);
    }
    DSCQ_TRY(dscq_calibrate(out, seen, settings, NULL, err));
done:
    dscq_settings_destroy(settings);
    dscq_observer_destroy(seen);
    dscq_exec_destroy(e);
    dscq_free(x);
    return status;
}

static dscq_status quantise(dscq_wquant **q, const dscq_weights *w, dscq_error *err)
{
    dscq_status status;

    DSCQ_TRY(dscq_wquant_create(q, w, DSCQ_FORM_LINEAR, 8, w->k, 0, err));
    const size_t per = w->count / (size_t)w->k;
    for (int32_t k = 0; k < w->k; k++) {
        double top = 1e-9;
        for (size_t j = 0; j < per; j++)
            top = fmax(top, fabs((double)w->w[(size_t)k * per + j]));
        (*q)->scale[k] = top / 127.0;
    }
    dscq_wquant_assign(*q, w->w);
done:
    return status;
}

dscq_status test_qmodel_from_float(dscq_qmodel **out, dscq_model *m, dscq_error *err)
{
    return test_qmodel_calibrated(out, m, IMAGES, err);
}

dscq_status test_qmodel_calibrated(dscq_qmodel **out, dscq_model *m, int32_t images,
                                   dscq_error *err)
{
    const int32_t nodes = dscq_model_nodes(m);
    dscq_wquant **q = dscq_calloc((size_t)nodes, sizeof *q);
    dscq_calibrated *c = NULL;
    dscq_status status = DSCQ_OK;

    if (q == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "a packed network", (size_t)nodes * 64));
    DSCQ_TRY(observe(&c, m, images, err));
    for (int32_t i = 0; i < nodes; i++) {
        const dscq_weights *w = dscq_model_node(m, i)->weights;
        if (w->count > 0)
            DSCQ_TRY(quantise(&q[i], w, err));
    }
    const dscq_build_spec spec = {.input = c->input,
                                  .node_count = nodes,
                                  .edge = c->edge,
                                  .before_act = c->before,
                                  .weights = (const dscq_wquant *const *)q};
    DSCQ_TRY(dscq_build_qmodel(out, m, &spec, err));
done:
    for (int32_t i = 0; q != NULL && i < nodes; i++)
        dscq_wquant_destroy(q[i]);
    dscq_calibrated_destroy(c);
    dscq_free(q);
    return status;
}

static int ends_in(const char *path, const char *end)
{
    const size_t n = strlen(path), k = strlen(end);

    return n >= k && strcmp(path + n - k, end) == 0;
}

static dscq_status load_onnx(dscq_model **out, const char *path, dscq_error *err)
{
    dscq_onnx *f = NULL;
    dscq_table *refused = NULL;
    dscq_status status;

    DSCQ_TRY(dscq_onnx_load(&f, path, err));
    DSCQ_TRY(dscq_onnx_to_model(out, &refused, f, err));
done:
    dscq_table_destroy(refused);
    dscq_onnx_close(f);
    return status;
}

/* The graph sections alone: what else stands in the file is not looked at. */
static dscq_status load_cfg(dscq_model **out, const char *path, dscq_error *err)
{
    const dscq_rng rng = dscq_rng_seeded(1);
    dscq_config *cfg = NULL;
    dscq_status status;

    DSCQ_TRY(dscq_config_load(&cfg, path, err));
    DSCQ_TRY(dscq_model_from_config(
        out, cfg,
        "data|train|compress|compress_layer|sensitivity|search|machine|schedule", &rng,
        err));
done:
    dscq_config_destroy(cfg);
    return status;
}

dscq_status test_load_network(dscq_model **out, const char *path, const char *unpacked,
                              dscq_error *err)
{
    char text[2 * DSCQ_PATH_MAX + 64];
    dscq_status status;

    *out = NULL;
    if (ends_in(path, ".onnx"))
        return load_onnx(out, path, err);
    if (ends_in(path, ".cfg"))
        return load_cfg(out, path, err);
    if (ends_in(path, ".xz")) {
        (void)snprintf(text, sizeof text, "xz -dc '%s' > '%s'", path, unpacked);
        if (system(text) != 0)
            return dscq_fail(err, DSCQ_IO, "%s: xz cannot unpack it", path);
        return load_onnx(out, unpacked, err);
    }
    (void)snprintf(text, sizeof text, "%.*s.cfg", (int)(strlen(path) - 8), path);
    DSCQ_TRY(load_cfg(out, text, err));
    DSCQ_TRY(dscq_darknet_load(*out, path, 0, NULL, err));
done:
    return status;
}
