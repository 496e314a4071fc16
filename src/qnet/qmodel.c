/* The integer network in memory: making, freeing, small questions. */
#include "dscq/qnet/qmodel.h"

#include "dscq/base/alloc.h"
#include "dscq/base/rng.h"
#include "qnet_internal.h"

#include <assert.h>
#include <math.h>
#include <string.h>

_Static_assert(sizeof((dscq_qtensor *)0)->name == DSCQ_QNET_MAX_NAME + 1,
               "tensor names");
_Static_assert(sizeof((dscq_qnode *)0)->name == DSCQ_QNET_MAX_NAME + 1, "node names");
_Static_assert(sizeof *((dscq_qmodel *)0)->class_name == DSCQ_QNET_MAX_NAME + 1,
               "classes");
_Static_assert(sizeof((dscq_qmodel *)0)->name == DSCQ_QNET_MAX_NETWORK_NAME + 1,
               "name");
_Static_assert(sizeof((dscq_qoutput *)0)->role == DSCQ_QNET_MAX_ROLE + 1, "roles");
_Static_assert(sizeof((dscq_qoutput *)0)->params == DSCQ_QNET_MAX_SETTINGS + 1,
               "settings");

dscq_status dscq_qmodel_create(dscq_qmodel **out, dscq_error *err)
{
    *out = dscq_calloc(1, sizeof **out);
    if (*out == NULL)
        return dscq_fail_nomem(err, "integer network", sizeof **out);
    return DSCQ_OK;
}

void dscq_qnode_clear(dscq_qnode *n)
{
    memset(n, 0, sizeof *n);
    n->stride_h = n->stride_w = n->dilation_h = n->dilation_w = 1;
    n->groups = n->factor = 1;
}

dscq_status dscq_qmodel_reserve(dscq_qmodel *m, int32_t tensors, int32_t nodes,
                                int32_t inputs, int32_t outputs, dscq_error *err)
{
    assert(m->tensor == NULL && m->node == NULL);
    assert(tensors >= 0 && nodes >= 0 && inputs >= 0 && outputs >= 0);
    m->tensor = dscq_calloc((size_t)tensors, sizeof *m->tensor);
    m->node = dscq_calloc((size_t)nodes, sizeof *m->node);
    m->input = dscq_calloc((size_t)inputs, sizeof *m->input);
    m->output = dscq_calloc((size_t)outputs, sizeof *m->output);
    if (m->tensor == NULL || m->node == NULL || m->input == NULL || m->output == NULL)
        return dscq_fail_nomem(err, "integer network's graph",
                               (unsigned long long)nodes * sizeof *m->node);
    m->tensor_count = tensors;
    m->node_count = nodes;
    m->input_count = inputs;
    m->output_count = outputs;
    for (int32_t i = 0; i < tensors; i++)
        m->tensor[i].is_signed = 1;
    for (int32_t i = 0; i < nodes; i++)
        dscq_qnode_clear(&m->node[i]);
    return DSCQ_OK;
}

dscq_status dscq_qnode_reserve(dscq_qnode *n, int32_t count, dscq_error *err)
{
    const int with_bias = dscq_qop_has(n->op, DSCQ_QHAS_WEIGHTS);
    const int with_key = dscq_qop_has(n->op, DSCQ_QHAS_KEYS);

    assert(count >= 0 && n->mult == NULL);
    n->mult = dscq_calloc((size_t)count, sizeof *n->mult);
    n->shift = dscq_calloc((size_t)count, sizeof *n->shift);
    n->bias = with_bias ? dscq_calloc((size_t)count, sizeof *n->bias) : NULL;
    n->scale_key = with_key ? dscq_calloc((size_t)count, sizeof *n->scale_key) : NULL;
    if (n->mult == NULL || n->shift == NULL || (with_bias && n->bias == NULL) ||
        (with_key && n->scale_key == NULL))
        return dscq_fail_nomem(err, "channel constants", (unsigned long long)count * 7);
    n->scale_count = count;
    return DSCQ_OK;
}

void dscq_qweights_clear(dscq_qweights *w)
{
    dscq_free(w->value);
    dscq_free(w->level);
    dscq_free(w->block_high);
    w->value = w->level = NULL;
    w->block_high = NULL;
}

void dscq_qweights_destroy(dscq_qweights *w)
{
    if (w == NULL)
        return;
    dscq_qweights_clear(w);
    dscq_free(w);
}

dscq_status dscq_qweights_init(dscq_qweights *w, int32_t k, int32_t r, int32_t s,
                               int32_t c, dscq_qform form, int32_t block,
                               dscq_error *err)
{
    const size_t per = (size_t)r * (size_t)s * (size_t)c;

    *w = (dscq_qweights){
        .k = k, .r = r, .s = s, .c = c, .count = per * (size_t)k, .form = form};
    w->encoding = -1;
    w->value = dscq_calloc(w->count, sizeof *w->value);
    if (form == DSCQ_FORM_BINARY) {
        assert(block >= 1);
        w->block = block;
        w->block_count = (per + (size_t)block - 1) / (size_t)block * (size_t)k;
        w->level = dscq_calloc((size_t)k, sizeof *w->level);
        w->block_high = dscq_calloc(w->block_count, 1);
    }
    if (w->value == NULL ||
        (form == DSCQ_FORM_BINARY && (w->level == NULL || w->block_high == NULL))) {
        dscq_qweights_clear(w);
        return dscq_fail_nomem(err, "weights", w->count * sizeof *w->value);
    }
    return DSCQ_OK;
}

dscq_status dscq_qweights_create(dscq_qweights **out, int32_t k, int32_t r, int32_t s,
                                 int32_t c, dscq_qform form, int32_t block,
                                 dscq_error *err)
{
    dscq_qweights *w = dscq_malloc(1, sizeof *w);

    *out = NULL;
    if (w == NULL)
        return dscq_fail_nomem(err, "weights", sizeof *w);
    const dscq_status status = dscq_qweights_init(w, k, r, s, c, form, block, err);
    if (status == DSCQ_OK)
        *out = w;
    else
        dscq_free(w);
    return status;
}

static void free_node(dscq_qnode *n)
{
    dscq_free(n->mult);
    dscq_free(n->shift);
    dscq_free(n->bias);
    dscq_free(n->scale_key);
    dscq_free(n->table);
    dscq_qweights_destroy(n->weights);
}

void dscq_qmodel_cut(dscq_qmodel *m, int32_t count)
{
    while (m->node_count > count) {
        dscq_qnode *n = &m->node[--m->node_count];
        free_node(n);
        dscq_qnode_clear(n);
    }
}

void dscq_qmodel_destroy(dscq_qmodel *m)
{
    if (m == NULL)
        return;
    for (int32_t i = 0; m->node != NULL && i < m->node_count; i++)
        free_node(&m->node[i]);
    dscq_free(m->tensor);
    dscq_free(m->node);
    dscq_free(m->input);
    dscq_free(m->output);
    dscq_free(m->class_name);
    dscq_free(m->digest_input);
    dscq_free(m->digest);
    dscq_free(m->meta);
    dscq_free(m->file);
    dscq_free(m);
}

size_t dscq_qtensor_count(const dscq_qtensor *t)
{
    return (size_t)t->h * (size_t)t->w * (size_t)t->c;
}

size_t dscq_qtensor_bytes(const dscq_qtensor *t)
{
    return dscq_qtensor_count(t) * (t->bits > 8 ? 2 : 1);
}

int32_t dscq_qtensor_lo(const dscq_qtensor *t)
{
    return t->is_signed ? -(1 << (t->bits - 1)) : 0;
}

int32_t dscq_qtensor_hi(const dscq_qtensor *t)
{
    return t->is_signed ? (1 << (t->bits - 1)) - 1 : (1 << t->bits) - 1;
}

int64_t dscq_qtensor_reach(const dscq_qtensor *t)
{
    const int64_t up = (int64_t)dscq_qtensor_hi(t) - t->zero_point;
    const int64_t down = (int64_t)t->zero_point - dscq_qtensor_lo(t);

    return up > down ? up : down;
}

int32_t dscq_qtensor_get(const dscq_qtensor *t, const void *data, size_t i)
{
    if (t->bits <= 8)
        return t->is_signed ? ((const int8_t *)data)[i] : ((const uint8_t *)data)[i];
    return t->is_signed ? ((const int16_t *)data)[i] : ((const uint16_t *)data)[i];
}

void dscq_qtensor_put(const dscq_qtensor *t, void *data, size_t i, int32_t code)
{
    if (t->bits <= 8)
        ((uint8_t *)data)[i] = (uint8_t)code;
    else
        ((uint16_t *)data)[i] = (uint16_t)code;
}

uint64_t dscq_qnode_macs(const dscq_qmodel *m, const dscq_qnode *n)
{
    const dscq_qtensor *y = &m->tensor[n->output];
    const uint64_t map = (uint64_t)y->h * (uint64_t)y->w;

    return n->weights != NULL ? map * n->weights->count : 0;
}

int32_t dscq_qwindow_out(int32_t in, int32_t k, int32_t stride, int32_t pads,
                         int32_t dilation)
{
    const int64_t span = (int64_t)dilation * (k - 1) + 1;
    const int64_t room = (int64_t)in + pads - span;

    return room < 0 ? 0 : (int32_t)(room / stride + 1);
}

int32_t dscq_lrn_index(uint32_t s)
{
    int32_t e = 0;

    if (s < 16)
        return (int32_t)s;
    while (e < 31 && s >> (e + 1) != 0)
        e++; /* floor(log2 s) */
    e -= 3;
    return 16 + 8 * (e - 1) + (int32_t)((s >> e) & 7);
}

double dscq_lrn_middle(int32_t i)
{
    if (i < 16)
        return i;
    return (8.5 + (i - 16) % 8) * ldexp(1.0, (i - 16) / 8 + 1) - 0.5;
}

/* ---- embedded inputs ---- */

size_t dscq_qtensor_room(const dscq_qtensor *t)
{
    return (dscq_qtensor_bytes(t) + 1) / 2 * 2;
}

size_t dscq_qmodel_digest_bytes(const dscq_qmodel *m)
{
    size_t bytes = 0;

    for (int32_t j = 0; j < m->input_count; j++)
        bytes += dscq_qtensor_room(&m->tensor[m->input[j].tensor]);
    return bytes;
}

void dscq_qmodel_inputs_of(const dscq_qmodel *m, const void *data, const void **x)
{
    const uint8_t *at = data;

    for (int32_t j = 0; j < m->input_count; j++) {
        x[j] = at;
        at += dscq_qtensor_room(&m->tensor[m->input[j].tensor]);
    }
}

/* Streams are numbered through all embedded inputs and the inputs of each. */
static dscq_rng standard_stream(const dscq_qmodel *m, int32_t i, int32_t j)
{
    return dscq_rng_seeded((uint64_t)i * (uint64_t)m->input_count + (uint64_t)j + 1);
}

static int32_t standard_code(const dscq_qtensor *t, dscq_rng *g)
{
    return dscq_qtensor_lo(t) +
           (int32_t)((dscq_rng_next(g) >> 32) & ((1U << t->bits) - 1));
}

void dscq_qmodel_standard_codes(const dscq_qmodel *m, int32_t i, void *data)
{
    uint8_t *at = data;

    for (int32_t j = 0; j < m->input_count; j++) {
        const dscq_qtensor *t = &m->tensor[m->input[j].tensor];
        const size_t count = dscq_qtensor_count(t);
        dscq_rng g = standard_stream(m, i, j);
        for (size_t k = 0; k < count; k++)
            dscq_qtensor_put(t, at, k, standard_code(t, &g));
        at += dscq_qtensor_room(t);
    }
}

int dscq_qmodel_is_standard(const dscq_qmodel *m, const void *data, int32_t count)
{
    const uint8_t *at = data;

    for (int32_t i = 0; i < count; i++)
        for (int32_t j = 0; j < m->input_count; j++) {
            const dscq_qtensor *t = &m->tensor[m->input[j].tensor];
            const size_t codes = dscq_qtensor_count(t);
            dscq_rng g = standard_stream(m, i, j);
            for (size_t k = 0; k < codes; k++)
                if (dscq_qtensor_get(t, at, k) != standard_code(t, &g))
                    return 0;
            at += dscq_qtensor_room(t);
        }
    return 1;
}

void dscq_qmodel_digest_codes(const dscq_qmodel *m, int32_t i, void *data)
{
    const size_t bytes = dscq_qmodel_digest_bytes(m);

    if (m->digest_input == NULL)
        dscq_qmodel_standard_codes(m, i, data);
    else
        memcpy(data, m->digest_input + (size_t)i * bytes, bytes);
}
