#include "tflite_network.h"

#include "dscq/base/alloc.h"
#include "dscq/base/hash.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/compress/calibrate.h"
#include "dscq/compress/method.h"
#include "dscq/flow/steps.h"
#include "dscq/infer/reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- arrays ------------------------------------------------------------- */

static double element(const char *type, const uint8_t *p)
{
    float real;

    if (strcmp(type, "i1") == 0)
        return (int8_t)p[0];
    if (strcmp(type, "u1") == 0)
        return p[0];
    if (strcmp(type, "i2") == 0)
        return (int16_t)(p[0] | p[1] << 8);
    memcpy(&real, p, sizeof real);
    return (double)real;
}

int tflite_array_read(tflite_array *a, const char *path)
{
    uint8_t *data = NULL;
    size_t bytes = 0;

    *a = (tflite_array){{0}, NULL, 0};
    if (dscq_file_read(&data, &bytes, path, 1 << 28, NULL) != DSCQ_OK || bytes < 12 ||
        memcmp(data, "\x93NUMPY\1", 7) != 0) {
        dscq_free(data);
        return 0;
    }
    const size_t head = 10 + (size_t)(data[8] | data[9] << 8);
    const char *descr = head < bytes ? strstr((char *)data + 10, "'descr': '") : NULL;
    if (descr != NULL)
        memcpy(a->type, descr + 11, 2);
    const size_t each =
        a->type[1] >= '1' && a->type[1] <= '8' ? (size_t)(a->type[1] - '0') : 1;
    a->count = head < bytes ? (bytes - head) / each : 0;
    a->v = dscq_malloc(a->count, sizeof *a->v);
    for (size_t i = 0; a->v != NULL && i < a->count; i++)
        a->v[i] = element(a->type, data + head + i * each);
    dscq_free(data);
    return descr != NULL && a->v != NULL;
}

void tflite_array_free(tflite_array *a)
{
    dscq_free(a->v);
    a->v = NULL;
}

/* ---- the file ----------------------------------------------------------- */

dscq_status tflite_open(tflite_network *n, const char *path, dscq_error *err)
{
    const dscq_exec_options o = {.batch = 1, .keep_nodes = 1};
    dscq_status status;

    memset(n, 0, sizeof *n);
    DSCQ_TRY(dscq_tflite_load(&n->f, path, err));
    DSCQ_TRY(dscq_tflite_to_model(&n->m, NULL, n->f, err));
    DSCQ_TRY(dscq_exec_create(&n->e, n->m, &o, err));
    const dscq_shape s = dscq_model_input(n->m);
    n->tensors = dscq_tflite_tensors(n->f);
    n->golden = dscq_calloc((size_t)n->tensors, sizeof *n->golden);
    n->crc = dscq_calloc((size_t)n->tensors, sizeof *n->crc);
    n->x = dscq_calloc(dscq_shape_count(&s), sizeof *n->x);
    if (n->golden == NULL || n->crc == NULL || n->x == NULL)
        status = dscq_fail_nomem(err, "a network", 0);
done:
    return status;
}

void tflite_close(tflite_network *n)
{
    for (int32_t i = 0; n->golden != NULL && i < n->tensors; i++)
        dscq_free(n->golden[i]);
    dscq_free(n->golden);
    dscq_free(n->crc);
    dscq_free(n->x);
    dscq_exec_destroy(n->e);
    dscq_qmodel_destroy(n->q);
    dscq_model_destroy(n->m);
    dscq_tflite_close(n->f);
}

/* CRC-32 of the bytes that the file would hold. */
static uint32_t sum_of(const dscq_tflite_info *t, const double *v)
{
    uint32_t crc = 0;

    for (size_t i = 0; i < t->count; i++) {
        const float real = (float)v[i];
        uint8_t bytes[4];
        const size_t each = t->bits == 0 ? 4 : t->bits > 8 ? 2 : 1;
        const int32_t code = t->bits == 0 ? 0 : (int32_t)v[i];
        if (t->bits == 0)
            memcpy(bytes, &real, 4);
        else
            for (size_t k = 0; k < each; k++)
                bytes[k] = (uint8_t)((uint32_t)code >> (8 * k));
        crc = dscq_crc32(crc, bytes, each);
    }
    return crc;
}

static dscq_status keep(void *ctx, int32_t op, int32_t tensor, const double *v,
                        dscq_error *err)
{
    tflite_network *n = ctx;
    const dscq_tflite_info t = dscq_tflite_tensor(n->f, tensor);

    (void)op;
    dscq_free(n->golden[tensor]);
    n->golden[tensor] = dscq_malloc(t.count, sizeof *v);
    if (n->golden[tensor] == NULL)
        return dscq_fail_nomem(err, "a tensor", t.count * sizeof *v);
    memcpy(n->golden[tensor], v, t.count * sizeof *v);
    n->crc[tensor] = sum_of(&t, v);
    return DSCQ_OK;
}

/* Several inputs are the channels of one; a vector stands at every pixel. */
static void fill_input(tflite_network *n, const tflite_array *in)
{
    const dscq_shape s = dscq_model_input(n->m);
    const size_t pixels = (size_t)s.h * (size_t)s.w, all = (size_t)s.c;
    size_t first = 0;

    for (int32_t i = 0; i < dscq_tflite_inputs(n->f); i++) {
        const dscq_tflite_info t =
            dscq_tflite_tensor(n->f, dscq_tflite_input_tensor(n->f, i));
        const size_t c = dscq_tflite_inputs(n->f) == 1
                             ? all
                             : (size_t)t.dim[t.rank > 0 ? t.rank - 1 : 0];
        for (size_t p = 0; p < pixels; p++)
            for (size_t k = 0; k < c; k++) {
                const double v = in[i].v[(p * c + k) % in[i].count];
                n->x[p * all + first + k] =
                    (float)(t.bits > 0 ? (v - t.zero) * t.scale : v);
            }
        first += c;
    }
}

void tflite_feed(tflite_network *n)
{
    dscq_exec_forward(n->e, DSCQ_PASS_EVAL, n->x, 1, NULL);
}

dscq_status tflite_run(tflite_network *n, const tflite_array *in, int with_file,
                       dscq_error *err)
{
    const double *values[TFLITE_ENDS];
    dscq_status status = DSCQ_OK;

    fill_input(n, in);
    tflite_feed(n);
    for (int32_t i = 0; i < dscq_tflite_inputs(n->f); i++) {
        values[i] = in[i].v;
        if (with_file)
            DSCQ_TRY(keep(n, -1, dscq_tflite_input_tensor(n->f, i), in[i].v, err));
    }
    if (with_file)
        DSCQ_TRY(dscq_tflite_run(n->f, values, keep, n, err));
done:
    return status;
}

/* ---- packed ------------------------------------------------------------- */

/* The file's grids: all codes of their bits, signed; an output's with as many codes
 * between two as 16 bits allow. */
static void give_grids(dscq_aquant *grid, const tflite_network *n)
{
    int32_t count;
    const dscq_graph_range *r = dscq_tflite_ranges(n->f, &count);

    for (int32_t i = 0; i < count; i++) {
        const int32_t at = dscq_calibrate_source(n->m, r[i].node);
        const int32_t bits = r[i].hi - r[i].lo > 255 ? 16 : 8, half = 1 << (bits - 1);
        const int logits = dscq_calibrate_is_logits(n->m, at);
        const int32_t between = logits ? 1 << (16 - bits) : 1;
        grid[at + 1] =
            (dscq_aquant){r[i].scale / between, (r[i].zero - r[i].lo - half) * between,
                          logits ? 16 : bits, 1};
    }
}

dscq_status tflite_pack(tflite_network *n, dscq_error *err)
{
    const size_t grids = dscq_grid_count(dscq_model_nodes(n->m));
    dscq_aquant *given = dscq_calloc(grids, sizeof *given),
                *grid = dscq_calloc(grids, sizeof *grid);
    dscq_observer *seen = NULL;
    dscq_calibrated *chosen = NULL;
    dscq_compressor *c = NULL;
    dscq_settings *s = NULL;
    dscq_status status;

    DSCQ_TRY(dscq_settings_create(&s, err));
    (void)dscq_str_copy(s->all.method, sizeof s->all.method, "uniform");
    s->all.epochs = 0;
    s->all.p = 0;
    s->all.b = 8;
    s->all.keep_codes = 1;
    DSCQ_TRY(dscq_compressor_create(&c, n->m, s, NULL, err));
    DSCQ_TRY(dscq_compressor_freeze(c, err));
    DSCQ_TRY(dscq_observer_create(&seen, n->m, err));
    dscq_observer_watch(seen, n->e);
    dscq_exec_refresh(n->e);
    tflite_feed(n);
    dscq_observer_watch(NULL, n->e);
    give_grids(given, n);
    DSCQ_TRY(dscq_calibrate(&chosen, seen, s, given, err));
    dscq_calibrated_copy(grid, chosen);
    const dscq_flow_parts parts = {
        .model = n->m, .compressor = c, .edge = grid, .logit_bits = 16};
    DSCQ_TRY(dscq_flow_assemble(&n->q, &parts, err));
    DSCQ_TRY(dscq_qmodel_check(n->q, err));
done:
    dscq_compressor_destroy(c); /* the float network is itself again */
    dscq_exec_refresh(n->e);
    tflite_feed(n);
    dscq_settings_destroy(s);
    dscq_calibrated_destroy(chosen);
    dscq_observer_destroy(seen);
    dscq_free(given);
    dscq_free(grid);
    return status;
}

/* ---- answers ------------------------------------------------------------ */

static int32_t tensor_named(const dscq_qmodel *q, const char *name)
{
    for (int32_t i = 0; i < q->tensor_count; i++)
        if (strcmp(q->tensor[i].name, name) == 0)
            return i;
    return -1;
}

/* What node `node` puts out, from the codes of the packed network: of the layers that
 * only name their input otherwise, that one's. */
static void node_values(float *y, const tflite_network *n, int32_t node,
                        void *const *codes)
{
    const dscq_node *d = dscq_model_node(n->m, node);
    const int32_t at = tensor_named(n->q, d->name);

    if (at < 0) {
        node_values(y, n, d->input[0], codes);
        if (strcmp(d->type, "softmax") != 0)
            return;
        const size_t all = dscq_shape_count(&d->out), c = (size_t)d->out.c;
        for (size_t i = 0; i < all; i += c) {
            double top = (double)y[i], sum = 0;
            for (size_t k = i; k < i + c; k++)
                top = fmax(top, (double)y[k]);
            for (size_t k = i; k < i + c; k++)
                sum += exp((double)y[k] - top);
            for (size_t k = i; k < i + c; k++)
                y[k] = (float)(exp((double)y[k] - top) / sum);
        }
        return;
    }
    const dscq_qtensor *t = &n->q->tensor[at];
    for (size_t i = 0; i < dscq_qtensor_count(t); i++)
        y[i] = (float)((dscq_qtensor_get(t, codes[at], i) - t->zero_point) * t->scale);
}

typedef struct recorder {
    const tflite_network *n;
    void **codes; /* [tensor_count] */
} recorder;

static dscq_status record(void *ctx, int32_t node, const dscq_qtensor *t,
                          const void *codes, dscq_error *err)
{
    recorder *r = ctx;
    const int32_t at = r->n->q->node[node].output;

    r->codes[at] = dscq_calloc(dscq_qtensor_bytes(t), 1);
    if (r->codes[at] == NULL)
        return dscq_fail_nomem(err, "codes", dscq_qtensor_bytes(t));
    memcpy(r->codes[at], codes, dscq_qtensor_bytes(t));
    return DSCQ_OK;
}

static dscq_status run_packed(recorder *r, dscq_error *err)
{
    const dscq_qmodel *q = r->n->q;
    const int32_t in = q->input[0].tensor;

    r->codes = dscq_calloc((size_t)q->tensor_count, sizeof *r->codes);
    if (r->codes == NULL)
        return dscq_fail_nomem(err, "codes", 0);
    r->codes[in] = dscq_calloc(dscq_qtensor_bytes(&q->tensor[in]), 1);
    if (r->codes[in] == NULL)
        return dscq_fail_nomem(err, "codes", 0);
    dscq_infer_quantise_real(&q->tensor[in], r->n->x, r->codes[in]);
    return dscq_infer_reference(q, (const void *const *)&r->codes[in], NULL, record, r,
                                err);
}

static void free_codes(recorder *r)
{
    for (int32_t i = 0; r->codes != NULL && i < r->n->q->tensor_count; i++)
        dscq_free(r->codes[i]);
    dscq_free(r->codes);
}

dscq_status tflite_node(float *to, const tflite_network *n, int32_t node, int packed,
                        dscq_error *err)
{
    recorder r = {.n = n};
    dscq_shape s;
    dscq_status status = DSCQ_OK;

    if (packed) {
        DSCQ_TRY(run_packed(&r, err));
        node_values(to, n, node, r.codes);
    } else {
        const float *y = dscq_exec_node_output(n->e, node, &s);
        memcpy(to, y, dscq_shape_count(&s) * sizeof *y);
    }
done:
    free_codes(&r);
    return status;
}

dscq_status tflite_answer(double *to, const tflite_network *n, int32_t i, int packed,
                          dscq_error *err)
{
    enum { OUTPUTS = 64 };
    const dscq_tflite_info t =
        dscq_tflite_tensor(n->f, dscq_tflite_output_tensor(n->f, i));
    const int32_t outputs = dscq_model_outputs(n->m);
    recorder r = {.n = n};
    float *y[OUTPUTS] = {NULL}, *real = dscq_calloc(t.count + 1, sizeof *real);
    dscq_status status = DSCQ_OK;

    if (packed)
        DSCQ_TRY(run_packed(&r, err));
    for (int32_t j = 0; j < outputs && j < OUTPUTS; j++) {
        const int32_t node = dscq_model_output(n->m, j);
        dscq_shape s = dscq_model_node(n->m, node)->out;
        y[j] = dscq_calloc(dscq_shape_count(&s), sizeof *y[j]);
        if (packed)
            node_values(y[j], n, node, r.codes);
        else
            memcpy(y[j], dscq_exec_output(n->e, j, &s),
                   dscq_shape_count(&s) * sizeof *y[j]);
    }
    dscq_graph_collect(real, dscq_tflite_output(n->f, i), n->m,
                       (const float *const *)y);
    const int32_t lo = t.is_signed ? -(1 << (t.bits - 1)) : 0;
    for (size_t k = 0; k < t.count; k++) {
        const double code = round((double)real[k] / t.scale) + t.zero;
        to[k] = t.bits == 0 ? (double)real[k]
                            : fmin(fmax(code, lo), lo + (1 << t.bits) - 1);
    }
done:
    for (int32_t j = 0; j < OUTPUTS; j++)
        dscq_free(y[j]);
    dscq_free(real);
    free_codes(&r);
    return status;
}

/* ---- one operation at a time -------------------------------------------- */

/* The file's tensor that a packed tensor holds the codes of; -1: none. */
static int32_t file_tensor(const tflite_network *n, const dscq_qtensor *q, int is_input)
{
    for (int32_t i = 0; i < n->tensors; i++) {
        const dscq_tflite_info t = dscq_tflite_tensor(n->f, i);
        const char *name = t.node >= 0 ? dscq_model_node(n->m, t.node)->name : "";
        if (t.bits > 0 && n->golden[i] != NULL && t.count == dscq_qtensor_count(q) &&
            (is_input ? t.node == DSCQ_INPUT : strcmp(name, q->name) == 0))
            return i;
    }
    return -1;
}

/* Golden codes in the packed tensor's own numbers. */
static void put_golden(void *codes, const tflite_network *n, const dscq_qtensor *q,
                       int32_t tensor)
{
    const dscq_tflite_info t = dscq_tflite_tensor(n->f, tensor);

    for (size_t i = 0; i < t.count; i++) {
        const double real = (n->golden[tensor][i] - t.zero) * t.scale;
        dscq_qtensor_put(q, codes, i, (int32_t)round(real / q->scale) + q->zero_point);
    }
}

static void compare(tflite_step *s, const tflite_network *n, const dscq_qtensor *q,
                    const void *codes, int32_t tensor)
{
    const dscq_tflite_info t = dscq_tflite_tensor(n->f, tensor);
    const double lo = t.is_signed ? -ldexp(1, t.bits - 1) : 0,
                 hi = lo + ldexp(1, t.bits) - 1;

    for (size_t i = 0; i < t.count; i++) {
        const double real = (dscq_qtensor_get(q, codes, i) - q->zero_point) * q->scale;
        const double code = fmin(fmax(round(real / t.scale) + t.zero, lo), hi);
        const double d = fabs(code - n->golden[tensor][i]);
        s->equal += d == 0;
        s->near += d <= 1;
        s->worst = fmax(s->worst, d);
    }
    s->count = t.count;
}

static dscq_status step(const tflite_network *n, const dscq_qnode *o, void **codes,
                        tflite_step_fn *each, void *ctx, dscq_error *err)
{
    const dscq_qtensor *y = &n->q->tensor[o->output];
    const void *x[DSCQ_QNODE_INPUTS];
    const int32_t tensor = file_tensor(n, y, 0);
    tflite_step s = {.worst = 0};
    dscq_status status;

    for (int32_t i = 0; i < o->input_count; i++)
        x[i] = codes[o->input[i]];
    codes[o->output] = dscq_calloc(dscq_qtensor_bytes(y), 1);
    if (codes[o->output] == NULL)
        return dscq_fail_nomem(err, "codes", 0);
    DSCQ_TRY(dscq_infer_node(n->q, o, x, codes[o->output], err));
    if (tensor < 0)
        return DSCQ_OK; /* the file has no such tensor: what follows takes ours */
    (void)dscq_str_copy(s.name, sizeof s.name, o->name);
    compare(&s, n, y, codes[o->output], tensor);
    put_golden(codes[o->output], n, y, tensor);
    each(ctx, &s);
done:
    return status;
}

dscq_status tflite_steps(const tflite_network *n, tflite_step_fn *each, void *ctx,
                         dscq_error *err)
{
    recorder r = {.n = n};
    const dscq_qtensor *in = &n->q->tensor[n->q->input[0].tensor];
    void **first;
    dscq_status status = DSCQ_OK;

    r.codes = dscq_calloc((size_t)n->q->tensor_count, sizeof *r.codes);
    if (r.codes == NULL)
        return dscq_fail_nomem(err, "codes", 0);
    first = &r.codes[n->q->input[0].tensor];
    *first = dscq_calloc(dscq_qtensor_bytes(in), 1);
    if (*first == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "codes", 0));
    const int32_t tensor = file_tensor(n, in, 1);
    if (tensor >= 0)
        put_golden(*first, n, in, tensor);
    else
        dscq_infer_quantise_real(in, n->x, *first);
    for (int32_t i = 0; i < n->q->node_count; i++)
        DSCQ_TRY(step(n, &n->q->node[i], r.codes, each, ctx, err));
done:
    free_codes(&r);
    return status;
}
