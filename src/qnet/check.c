/* The rules that a reader must enforce: names, shapes, ranges, graph order. The
 * rules of one operation stand in rules_*.c. */
#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "qnet_internal.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* UTF-8 in less than `cap` bytes, without control characters; `lines`: newlines too. */
static dscq_status check_chars(const char *text, size_t cap, int lines,
                               const char *what, dscq_error *err)
{
    assert(text != NULL);
    const char *end = memchr(text, '\0', cap);

    if (end == NULL)
        return dscq_fail(err, DSCQ_FORMAT, "%s is longer than %zu bytes", what,
                         cap - 1);
    while (text < end) {
        const size_t n = dscq_utf8_length(text);
        if (n == 0)
            return dscq_fail(err, DSCQ_FORMAT, "%s is not UTF-8 (byte 0x%02x)", what,
                             (unsigned)(unsigned char)*text);
        if (dscq_is_control(text) && !(lines && *text == '\n'))
            return dscq_fail(err, DSCQ_FORMAT, "%s holds the control character 0x%02x",
                             what, (unsigned)(unsigned char)text[n - 1]);
        text += n;
    }
    return DSCQ_OK;
}

static dscq_status check_text(const char *text, size_t cap, int may_be_empty,
                              const char *what, dscq_error *err)
{
    if (text[0] == '\0' && !may_be_empty)
        return dscq_fail(err, DSCQ_FORMAT, "%s is empty", what);
    return check_chars(text, cap, 0, what, err);
}

static dscq_status check_tensor(const dscq_qtensor *t, int32_t i, dscq_error *err)
{
    char what[32];

    (void)snprintf(what, sizeof what, "name of tensor %d", i);
    const dscq_status status = check_text(t->name, sizeof t->name, 0, what, err);
    if (status != DSCQ_OK)
        return status;
    if (t->h < 1 || t->w < 1 || t->c < 1 || t->h > DSCQ_QNET_MAX_SIDE ||
        t->w > DSCQ_QNET_MAX_SIDE || t->c > DSCQ_QNET_MAX_CHANNELS ||
        dscq_qtensor_count(t) > DSCQ_QNET_MAX_ELEMENTS)
        return dscq_fail(err, DSCQ_FORMAT, "tensor '%s': %d x %d x %d is not a shape",
                         t->name, t->h, t->w, t->c);
    if (t->bits < 4 || t->bits > 16 || (t->is_signed != 0 && t->is_signed != 1))
        return dscq_fail(err, DSCQ_FORMAT, "tensor '%s': %d bits; want 4 to 16",
                         t->name, t->bits);
    if (t->zero_point < dscq_qtensor_lo(t) || t->zero_point > dscq_qtensor_hi(t))
        return dscq_fail(err, DSCQ_FORMAT,
                         "tensor '%s': zero point %d outside [%d, %d]", t->name,
                         t->zero_point, dscq_qtensor_lo(t), dscq_qtensor_hi(t));
    if (!(t->scale > 0.0) || !isfinite(t->scale))
        return dscq_fail(err, DSCQ_FORMAT, "tensor '%s': scale %g; want above 0",
                         t->name, t->scale);
    return DSCQ_OK;
}

static dscq_status check_input(const dscq_qmodel *m, const dscq_qinput *in, int32_t i,
                               dscq_error *err)
{
    if (in->tensor < 0 || in->tensor >= m->tensor_count)
        return dscq_fail(err, DSCQ_FORMAT, "input %d: no tensor %d", i, in->tensor);
    if (in->is_image != 0 && in->is_image != 1)
        return dscq_fail(err, DSCQ_FORMAT, "input %d: is_image %d", i, in->is_image);
    if (in->is_image && m->tensor[in->tensor].c > DSCQ_QNET_MAX_IMAGE_CHANNELS)
        return dscq_fail(err, DSCQ_FORMAT, "input %d: an image of %d channels", i,
                         m->tensor[in->tensor].c);
    if (in->resize_mode < 0 || in->resize_mode > DSCQ_QNET_MAX_RESIZE ||
        in->resize_filter < 0 || in->resize_filter > DSCQ_QNET_MAX_FILTER ||
        in->colour_order < 0 || in->colour_order > DSCQ_QNET_MAX_ORDER ||
        in->fill < 0 || in->fill > 255)
        return dscq_fail(err, DSCQ_FORMAT,
                         "input %d: resize %d, filter %d, order %d or fill %d is "
                         "unknown",
                         i, in->resize_mode, in->resize_filter, in->colour_order,
                         in->fill);
    for (int c = 0; c < 4; c++)
        if (!isfinite(in->mean[c]) || !isfinite(in->std[c]) || !isfinite(in->scale))
            return dscq_fail(err, DSCQ_FORMAT,
                             "input %d: mean, std or scale of "
                             "channel %d is not a number",
                             i, c);
    return DSCQ_OK;
}

/* made[t]: 0 nobody, 1 input or an earlier node. */
static dscq_status check_node_links(const dscq_qmodel *m, const dscq_qnode *n,
                                    const uint8_t *made, dscq_error *err)
{
    if ((int)n->op < 0 || n->op >= DSCQ_Q_COUNT)
        return dscq_fail(err, DSCQ_UNSUPPORTED, "node '%s': operation %d is unknown",
                         n->name, (int)n->op);
    if (n->input_count < 1 || n->input_count > DSCQ_QNODE_INPUTS)
        return dscq_fail(err, DSCQ_FORMAT, "node '%s': %d inputs; want 1 to %d",
                         n->name, n->input_count, DSCQ_QNODE_INPUTS);
    for (int32_t i = 0; i < n->input_count; i++)
        if (n->input[i] < 0 || n->input[i] >= m->tensor_count || !made[n->input[i]])
            return dscq_fail(err, DSCQ_FORMAT,
                             "node '%s': input %d reads tensor %d, which nothing "
                             "before it makes",
                             n->name, i, n->input[i]);
    if (n->output < 0 || n->output >= m->tensor_count || made[n->output])
        return dscq_fail(
            err, DSCQ_FORMAT, "node '%s': output tensor %d %s", n->name, n->output,
            n->output < 0 || n->output >= m->tensor_count ? "does not exist"
                                                          : "already has a producer");
    return DSCQ_OK;
}

static dscq_status check_graph(const dscq_qmodel *m, uint8_t *made, dscq_error *err)
{
    dscq_status status;

    for (int32_t i = 0; i < m->input_count; i++) {
        DSCQ_TRY(check_input(m, &m->input[i], i, err));
        if (made[m->input[i].tensor])
            return dscq_fail(err, DSCQ_FORMAT, "input %d: tensor %d is an input twice",
                             i, m->input[i].tensor);
        made[m->input[i].tensor] = 1;
    }
    for (int32_t i = 0; i < m->node_count; i++) {
        const dscq_qnode *n = &m->node[i];
        char what[32];
        (void)snprintf(what, sizeof what, "name of node %d", i);
        DSCQ_TRY(check_text(n->name, sizeof n->name, 0, what, err));
        DSCQ_TRY(check_node_links(m, n, made, err));
        DSCQ_TRY(qnet__check_node(m, n, err));
        made[n->output] = 1;
    }
    for (int32_t i = 0; i < m->tensor_count; i++)
        if (!made[i])
            return dscq_fail(err, DSCQ_FORMAT, "tensor '%s': nothing makes it",
                             m->tensor[i].name);
    status = DSCQ_OK;
done:
    return status;
}

static dscq_status check_outputs(const dscq_qmodel *m, dscq_error *err)
{
    dscq_status status;

    for (int32_t i = 0; i < m->output_count; i++) {
        const dscq_qoutput *o = &m->output[i];
        if (o->tensor < 0 || o->tensor >= m->tensor_count)
            return dscq_fail(err, DSCQ_FORMAT, "output %d: no tensor %d", i, o->tensor);
        DSCQ_TRY(check_text(o->role, sizeof o->role, 0, "role of an output", err));
        DSCQ_TRY(
            check_chars(o->params, sizeof o->params, 1, "an output's settings", err));
    }
    status = DSCQ_OK;
done:
    return status;
}

static dscq_status check_digest_codes(const dscq_qtensor *t, const uint8_t *data,
                                      int32_t i, dscq_error *err)
{
    const int32_t lo = dscq_qtensor_lo(t), hi = dscq_qtensor_hi(t);
    const size_t n = dscq_qtensor_count(t);

    for (size_t k = 0; k < n; k++) {
        const int32_t q = dscq_qtensor_get(t, data, k);
        if (q < lo || q > hi)
            return dscq_fail(err, DSCQ_FORMAT,
                             "digest input %d, tensor '%s': code %d at %zu outside "
                             "[%d, %d]",
                             i, t->name, q, k, lo, hi);
    }
    return DSCQ_OK;
}

static dscq_status check_digests(const dscq_qmodel *m, dscq_error *err)
{
    if (m->digest_inputs < 0 || m->digest_inputs > DSCQ_QNET_MAX_DIGESTS)
        return dscq_fail(err, DSCQ_FORMAT, "%d digest inputs; at most %d",
                         m->digest_inputs, DSCQ_QNET_MAX_DIGESTS);
    if (m->digest_inputs == 0)
        return DSCQ_OK;
    if (m->digest == NULL)
        return dscq_fail(err, DSCQ_FORMAT, "digests without their data");
    const uint8_t *data = m->digest_input;
    for (int32_t i = 0; data != NULL && i < m->digest_inputs; i++)
        for (int32_t j = 0; j < m->input_count; j++) {
            const dscq_qtensor *t = &m->tensor[m->input[j].tensor];
            const dscq_status status = check_digest_codes(t, data, i, err);
            if (status != DSCQ_OK)
                return status;
            data += dscq_qtensor_room(t);
        }
    return DSCQ_OK;
}

static dscq_status check_names(const dscq_qmodel *m, dscq_error *err)
{
    for (int32_t i = 0; i < m->node_count; i++)
        for (int32_t j = 0; j < i; j++)
            if (strcmp(m->node[i].name, m->node[j].name) == 0)
                return dscq_fail(err, DSCQ_FORMAT, "nodes %d and %d are both '%s'", j,
                                 i, m->node[i].name);
    return DSCQ_OK;
}

static dscq_status check_counts(const dscq_qmodel *m, dscq_error *err)
{
    const struct {
        const char *what;
        int32_t n, lo, hi;
        const void *p;
    } rows[] = {
        {"tensors", m->tensor_count, 2, DSCQ_QNET_MAX_TENSORS, m->tensor},
        {"nodes", m->node_count, 1, DSCQ_QNET_MAX_NODES, m->node},
        {"inputs", m->input_count, 1, DSCQ_QNET_MAX_ENDS, m->input},
        {"outputs", m->output_count, 1, DSCQ_QNET_MAX_ENDS, m->output},
        {"class names", m->class_count, 0, DSCQ_QNET_MAX_CLASSES, m->class_name},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].n < rows[i].lo || rows[i].n > rows[i].hi ||
            (rows[i].n > 0 && rows[i].p == NULL))
            return dscq_fail(err, DSCQ_FORMAT, "%d %s; want %d to %d", rows[i].n,
                             rows[i].what, rows[i].lo, rows[i].hi);
    return DSCQ_OK;
}

dscq_status dscq_qmodel_check(const dscq_qmodel *m, dscq_error *err)
{
    uint8_t *made = NULL;
    dscq_status status;

    DSCQ_TRY(check_text(m->name, sizeof m->name, 1, "name of the network", err));
    DSCQ_TRY(check_counts(m, err));
    for (int32_t i = 0; i < m->tensor_count; i++)
        DSCQ_TRY(check_tensor(&m->tensor[i], i, err));
    made = dscq_calloc((size_t)m->tensor_count, 1);
    if (made == NULL)
        return dscq_fail_nomem(err, "graph check", (unsigned long long)m->tensor_count);
    DSCQ_TRY(check_graph(m, made, err));
    DSCQ_TRY(check_outputs(m, err));
    DSCQ_TRY(check_names(m, err));
    for (int32_t i = 0; i < m->class_count; i++)
        DSCQ_TRY(
            check_text(m->class_name[i], sizeof *m->class_name, 0, "class name", err));
    if (m->meta != NULL)
        DSCQ_TRY(
            check_chars(m->meta, (size_t)DSCQ_QNET_MAX_META + 1, 1, "meta data", err));
    DSCQ_TRY(check_digests(m, err));
done:
    dscq_free(made);
    return status;
}
