#include "dscq/import/darknet.h"

#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/nn/layer.h"
#include "dscq/nn/layers.h"

#include <math.h>
#include <string.h>

enum { HEADER_SHORT = 16, HEADER_LONG = 20 };
static const size_t WEIGHTS_BYTES_MAX = (size_t)4 << 30;

/* Reading and writing walk the same list of fields; only the mover differs. */
typedef struct cursor {
    uint8_t *bytes; /* payload of float32, little endian */
    size_t count, pos;
    int writing;
    dscq_darknet_dialect dialect;
} cursor;

static uint32_t load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

static void store_u32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static void move_one(cursor *f, float *v)
{
    uint32_t bits;

    if (f->writing) {
        memcpy(&bits, v, sizeof bits);
        store_u32(f->bytes + 4 * f->pos, bits);
    } else {
        bits = load_u32(f->bytes + 4 * f->pos);
        memcpy(v, &bits, sizeof bits);
    }
    f->pos++;
}

static void move_many(cursor *f, float *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        move_one(f, v + i);
}

/* A variance v that makes sqrt(v) + 1e-6, pjreddie's divisor, what sqrt(var + eps) is
 * here, and back. */
static double to_pjreddie(double var, double eps)
{
    const double root = sqrt(var + eps) - 1e-6;

    return root > 0 ? root * root : 0;
}

static double from_pjreddie(double v, double eps)
{
    const double root = sqrt(v) + 1e-6;

    if (!(v >= 0)) /* no variance: for the check of all weights to say */
        return v;
    return fmax(0, root * root - eps);
}

static void move_variances(cursor *f, const dscq_weights *w)
{
    for (int32_t k = 0; k < w->channels; k++) {
        const int old = f->dialect == DSCQ_DARKNET_PJREDDIE;
        float v = w->var[k];
        if (f->writing && old)
            v = (float)to_pjreddie((double)v, w->bn_eps);
        move_one(f, &v);
        if (!f->writing)
            w->var[k] = old ? (float)from_pjreddie((double)v, w->bn_eps) : v;
    }
}

/* File order: k, c, r, s. Memory: k, r, s, c. */
static void move_kernels(cursor *f, const dscq_weights *w)
{
    for (int32_t k = 0; k < w->k; k++)
        for (int32_t c = 0; c < w->c; c++)
            for (int32_t r = 0; r < w->r; r++)
                for (int32_t s = 0; s < w->s; s++) {
                    const size_t at =
                        (((size_t)k * (size_t)w->r + (size_t)r) * (size_t)w->s +
                         (size_t)s) *
                            (size_t)w->c +
                        (size_t)c;
                    move_one(f, w->w + at);
                }
}

/* Darknet flattens its maps as channel, row, column; ours are row, column, channel.
 * Old files (`transposed`) hold [in][out]. */
static void move_connected(cursor *f, const dscq_node *n, int transposed)
{
    const dscq_weights *w = n->weights;
    const size_t in = (size_t)w->c, map = (size_t)n->in.h * (size_t)n->in.w;
    const size_t channels = (size_t)n->in.c;
    const size_t start = f->pos;

    for (size_t o = 0; o < (size_t)w->k; o++)
        for (size_t c = 0; c < channels; c++)
            for (size_t p = 0; p < map; p++) {
                const size_t i = c * map + p;
                f->pos = start + (transposed ? i * (size_t)w->k + o : o * in + i);
                move_one(f, w->w + o * in + p * channels + c);
            }
    f->pos = start + in * (size_t)w->k;
}

/* Does the file hold beta too? pjreddie's has none for a [batchnorm] of its own. */
static int has_beta(const dscq_node *n, dscq_darknet_dialect dialect)
{
    return dialect != DSCQ_DARKNET_PJREDDIE || n->ops->does != DSCQ_DOES_NORM;
}

static size_t node_floats(const dscq_node *n, dscq_darknet_dialect dialect)
{
    const dscq_weights *w = n->weights;
    const size_t channels = (size_t)w->channels;
    size_t total = w->count;

    if (n->normalised)
        total += (has_beta(n, dialect) ? 4 : 3) * channels;
    else if (w->bias != NULL)
        total += channels;
    return total;
}

static int is_connected(const dscq_node *n)
{
    return n->weights->count != 0 && n->window.kernel_h == 0;
}

static void move_node(cursor *f, const dscq_node *n, int transposed)
{
    dscq_weights *w = n->weights;
    const size_t channels = (size_t)w->channels;

    if (n->normalised && !is_connected(n)) {
        if (has_beta(n, f->dialect))
            move_many(f, w->beta, channels);
        move_many(f, w->gamma, channels);
        move_many(f, w->mean, channels);
        move_variances(f, w);
    } else {
        move_many(f, n->normalised ? w->beta : w->bias,
                  n->normalised || w->bias != NULL ? channels : 0);
    }
    if (!is_connected(n)) {
        move_kernels(f, w);
        return;
    }
    move_connected(f, n, transposed);
    if (n->normalised) {
        move_many(f, w->gamma, channels);
        move_many(f, w->mean, channels);
        move_variances(f, w);
    }
}

static dscq_status read_header(dscq_darknet_info *info, size_t *header_bytes,
                               const uint8_t *p, size_t bytes, const char *path,
                               dscq_error *err)
{
    if (bytes < HEADER_SHORT)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s: %zu bytes are too few for a Darknet weights header", path,
                         bytes);
    info->major = (int32_t)load_u32(p);
    info->minor = (int32_t)load_u32(p + 4);
    info->revision = (int32_t)load_u32(p + 8);
    if (info->major < 0 || info->minor < 0 || info->major > 100000 ||
        info->minor > 100000)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s: version %d.%d is not that of a Darknet weights file",
                         path, (int)info->major, (int)info->minor);
    *header_bytes = info->major * 10 + info->minor >= 2 ? (size_t)HEADER_LONG
                                                        : (size_t)HEADER_SHORT;
    if (bytes < *header_bytes)
        return dscq_fail(err, DSCQ_FORMAT, "%s: cut short inside the header", path);
    info->seen = load_u32(p + 12);
    if (*header_bytes == HEADER_LONG)
        info->seen |= (uint64_t)load_u32(p + 16) << 32;
    if ((bytes - *header_bytes) % 4 != 0)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s: %zu bytes after the header are not whole float32 values; "
                         "the file is cut short",
                         path, bytes - *header_bytes);
    info->float_count = (bytes - *header_bytes) / 4;
    return DSCQ_OK;
}

static uint64_t model_floats(const dscq_model *m, dscq_darknet_dialect dialect)
{
    uint64_t total = 0;

    for (int32_t i = 0; i < dscq_model_nodes(m); i++)
        total += node_floats(dscq_model_node(m, i), dialect);
    return total;
}

static dscq_status fill(dscq_model *m, cursor *f, int32_t cutoff, int transposed,
                        dscq_darknet_info *info, const char *path, dscq_error *err)
{
    const int32_t nodes = dscq_model_nodes(m);
    const int32_t last = cutoff > 0 && cutoff < nodes ? cutoff : nodes;

    for (int32_t i = 0; i < last; i++) {
        const dscq_node *n = dscq_model_node(m, i);
        const size_t want = node_floats(n, f->dialect);
        if (want == 0)
            continue;
        if (cutoff == DSCQ_DARKNET_LEADING && f->pos == f->count && f->pos > 0) {
            info->first_left = info->layers_left++ == 0 ? i : info->first_left;
            continue;
        }
        if (want > f->count - f->pos)
            return dscq_fail(
                err, DSCQ_FORMAT,
                "%s: %zu values, but the network needs %llu; they end inside "
                "layer '%s': is this the cfg the weights were trained with?",
                path, f->count, (unsigned long long)model_floats(m, f->dialect),
                n->name);
        move_node(f, n, transposed);
        info->layers_loaded++;
    }
    if (last == nodes && f->pos != f->count)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s: %zu values, but the network takes only %zu: is this the "
                         "cfg the weights were trained with?",
                         path, f->count, f->pos);
    return DSCQ_OK;
}

dscq_status dscq_darknet_load(dscq_model *m, const char *path, int32_t cutoff,
                              dscq_darknet_info *info, dscq_error *err)
{
    dscq_darknet_info local = {.first_left = -1};
    uint8_t *data = NULL;
    size_t bytes = 0, header = 0;
    dscq_status status;

    DSCQ_TRY(dscq_file_read(&data, &bytes, path, WEIGHTS_BYTES_MAX, err));
    DSCQ_TRY(read_header(&local, &header, data, bytes, path, err));
    const dscq_net_params *net = dscq_model_net(m);
    cursor f = {data + header, (size_t)local.float_count, 0, 0,
                net != NULL && net->dialect == 1 ? DSCQ_DARKNET_PJREDDIE
                                                 : DSCQ_DARKNET_ALEXEYAB};
    const int transposed = local.major > 1000 || local.minor > 1000;
    DSCQ_TRY(fill(m, &f, cutoff, transposed, &local, path, err));
    status = dscq_model_check_weights(m, err);
    if (status != DSCQ_OK) {
        (void)dscq_fail_at(err, "%s", path);
        goto done;
    }
    if (info != NULL)
        *info = local;
done:
    dscq_free(data);
    return status;
}

static dscq_status check_sayable(const dscq_model *m, dscq_darknet_dialect dialect,
                                 dscq_error *err)
{
    for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
        const dscq_node *n = dscq_model_node(m, i);
        const dscq_window *v = &n->window;
        if (n->weights->count != 0 && v->kernel_h != v->kernel_w)
            return dscq_fail(err, DSCQ_UNSUPPORTED,
                             "layer '%s': a %d x %d kernel cannot be said in a Darknet "
                             "cfg; export ONNX instead",
                             n->name, (int)v->kernel_h, (int)v->kernel_w);
        for (int32_t k = 0; !has_beta(n, dialect) && k < n->weights->channels; k++)
            if (n->weights->beta[k] != 0)
                return dscq_fail(err, DSCQ_UNSUPPORTED,
                                 "layer '%s': pjreddie's weights hold no beta of a "
                                 "[batchnorm]; export the alexeyab dialect instead",
                                 n->name);
        if (n->weights->count == 0 && node_floats(n, dialect) != 0 &&
            n->ops->does != DSCQ_DOES_NORM)
            return dscq_fail(err, DSCQ_UNSUPPORTED,
                             "layer '%s': Darknet has no normalised '%s'; export ONNX "
                             "instead",
                             n->name, n->type);
    }
    return DSCQ_OK;
}

dscq_status dscq_darknet_save(const dscq_model *m, const char *path, uint64_t seen,
                              dscq_darknet_dialect dialect, dscq_error *err)
{
    const size_t count = (size_t)model_floats(m, dialect);
    uint8_t *data = NULL;
    dscq_status status;

    DSCQ_TRY(check_sayable(m, dialect, err));
    data = dscq_calloc(HEADER_LONG + 4 * count, 1);
    if (data == NULL) {
        status = dscq_fail_nomem(err, "a weights file", 4ULL * count);
        goto done;
    }
    store_u32(data + 4, 2);
    store_u32(data + 8, 5);
    store_u32(data + 12, (uint32_t)seen);
    store_u32(data + 16, (uint32_t)(seen >> 32));
    cursor f = {data + HEADER_LONG, count, 0, 1, dialect};
    for (int32_t i = 0; i < dscq_model_nodes(m); i++)
        if (node_floats(dscq_model_node(m, i), dialect) != 0)
            move_node(&f, dscq_model_node(m, i), 0);
    DSCQ_TRY(dscq_file_write(path, data, HEADER_LONG + 4 * count, err));
done:
    dscq_free(data);
    return status;
}
