/* The frame of the builder: layer by layer, inputs, outputs, texts. */
#include "build_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "dscq/compress/calibrate.h"
#include "dscq/nn/detect.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* One function may express several kinds. */
static build_fn *const k_rows[DSCQ_DOES_COUNT] = {
#define DSCQ_BUILD(does, fn) [DSCQ_DOES_##does] = build__##fn,
#include "rows.def"
#undef DSCQ_BUILD
};

/* ---- ends ---- */

static int is_head(const dscq_node *n)
{
    return (n->ops->flags & (DSCQ_LAYER_HEAD | DSCQ_LAYER_SOFTMAX)) != 0;
}

/* Node whose tensor an output is: the head's input, through views. */
static int32_t behind(const dscq_model *net, int32_t i)
{
    const dscq_node *n = dscq_model_node(net, i);

    while (is_head(n) && n->input[0] != DSCQ_INPUT) {
        i = n->input[0];
        n = dscq_model_node(net, i);
    }
    return i;
}

static void mark_outputs(build_ctx *b)
{
    const int32_t nodes = dscq_model_nodes(b->net);

    for (int32_t i = 0; i < dscq_model_outputs(b->net); i++)
        b->is_out[behind(b->net, dscq_model_output(b->net, i))] = 1;
    for (int32_t i = 0; i < nodes; i++) {
        const dscq_node *n = dscq_model_node(b->net, i);
        for (int32_t j = 0; j < n->input_count; j++)
            if (n->input[j] != DSCQ_INPUT && !is_head(n))
                b->is_out[n->input[j]] = 0;
    }
}

static int32_t to_int32(double v)
{
    return (int32_t)fmin(fmax(dscq_round_away(v), -2147483648.0), 2147483647.0);
}

static dscq_status put_input(build_ctx *b)
{
    assert(b->m != NULL);
    dscq_qinput *in = &b->m->input[0];
    const dscq_shape shape = dscq_model_input(b->net);
    const dscq_status status =
        build__new_tensor(b, &b->input, "input", shape, &b->spec->input);

    if (status != DSCQ_OK)
        return status;
    if (b->spec->preprocess != NULL)
        *in = *b->spec->preprocess;
    in->tensor = b->input;
    for (int c = 0; c < 4; c++) {
        const double std = in->std[c] == 0.0 ? 1.0 : in->std[c];
        in->mult[c] = to_int32(65536.0 * in->scale / (std * b->spec->input.scale));
        in->offset[c] = to_int32(-65536.0 * in->mean[c] / (std * b->spec->input.scale));
        if (!in->is_image)
            in->mult[c] = in->offset[c] = 0;
    }
    return DSCQ_OK;
}

static dscq_status put_output(build_ctx *b, int32_t i)
{
    const int32_t node = dscq_model_output(b->net, i);
    const dscq_node *n = dscq_model_node(b->net, node);
    dscq_qoutput *out = &b->m->output[i];

    out->tensor = b->tensor[behind(b->net, node)];
    if (out->tensor < 0)
        return build__refuse(b, n, "a head cannot be the input of a head");
    const dscq_qtensor *t = &b->m->tensor[out->tensor];
    const char *role = t->h == 1 && t->w == 1 ? "logits" : "raw";
    if ((n->ops->flags & DSCQ_LAYER_SOFTMAX) != 0)
        role = "logits";
    if ((n->ops->flags & DSCQ_LAYER_HEAD) != 0) {
        dscq_head head;
        const dscq_status status = dscq_head_from_node(&head, b->net, node, b->err);
        role = n->type;
        if (status != DSCQ_OK)
            return status;
        if (!dscq_head_text(out->params, sizeof out->params, &head))
            return build__refuse(b, n, "too many anchors for the file");
    }
    (void)dscq_str_copy(out->role, sizeof out->role, role);
    return DSCQ_OK;
}

static dscq_status put_texts(build_ctx *b)
{
    const dscq_build_spec *s = b->spec;
    dscq_qmodel *m = b->m;

    (void)dscq_str_clean(m->name, sizeof m->name, dscq_model_name(b->net));
    m->float_bytes = dscq_model_float_bytes(b->net);
    if (s->class_count > 0) {
        m->class_name = dscq_calloc((size_t)s->class_count, sizeof *m->class_name);
        if (m->class_name == NULL)
            return dscq_fail_nomem(b->err, "class names", (size_t)s->class_count * 64);
        m->class_count = s->class_count;
        for (int32_t i = 0; i < s->class_count; i++)
            (void)dscq_str_clean(m->class_name[i], sizeof *m->class_name,
                                 s->class_name[i]);
    }
    if (s->meta != NULL && s->meta[0] != '\0') {
        m->meta = dscq_strdup(s->meta);
        if (m->meta == NULL)
            return dscq_fail_nomem(b->err, "meta data", strlen(s->meta));
    }
    return DSCQ_OK;
}

static int wants_more(const build_ctx *b)
{
    for (int32_t k = 0; k < BUILD_LAYER_TENSORS; k++)
        if (b->want[k] > 1.0)
            return 1;
    return 0;
}

/* The nodes of one layer, again with wider steps as long as some factor asks for it. */
static dscq_status put_layer(build_ctx *b, int32_t i, build_fn *fn)
{
    enum { TRIES = 8 };
    const dscq_node *n = dscq_model_node(b->net, i);
    const int32_t first_node = b->m->node_count;

    b->first_tensor = b->m->tensor_count;
    for (int32_t k = 0; k < BUILD_LAYER_TENSORS; k++)
        b->wider[k] = 1.0;
    for (int t = 0; t < TRIES; t++) {
        memset(b->want, 0, sizeof b->want);
        const dscq_status status = fn(b, i, n);
        if (status != DSCQ_OK || !wants_more(b))
            return status;
        dscq_qmodel_cut(b->m, first_node);
        b->m->tensor_count = b->first_tensor;
        for (int32_t k = 0; k < BUILD_LAYER_TENSORS; k++)
            b->wider[k] *= fmax(1.0, b->want[k]);
    }
    return dscq_fail(b->err, DSCQ_ARG,
                     "layer '%s': the scales of its inputs, weights and output do not "
                     "fit each other",
                     n->name);
}

/* How many times as wide as given the steps of layer i's own output are. */
static double widened(const build_ctx *b, int32_t i)
{
    const int32_t made = b->tensor[i] - b->first_tensor;

    return made >= 0 && made < BUILD_LAYER_TENSORS ? b->wider[made] : 1.0;
}

static dscq_status put_nodes(build_ctx *b)
{
    for (int32_t i = 0; i < dscq_model_nodes(b->net); i++) {
        const dscq_node *n = dscq_model_node(b->net, i);
        build_fn *const fn = k_rows[n->ops->does];
        for (int32_t j = 0; j < n->input_count; j++)
            if (n->input[j] != DSCQ_INPUT && b->tensor[n->input[j]] < 0)
                return build__refuse(b, n,
                                     "it reads a head, which is not in the integer "
                                     "network");
        if (fn == NULL)
            return build__refuse(b, n, "this layer type has no integer form");
        const dscq_status status = put_layer(b, i, fn);
        if (status != DSCQ_OK)
            return status;
        if (b->spec->wider != NULL)
            b->spec->wider[i] = widened(b, i);
    }
    return DSCQ_OK;
}

/* A layer makes at most three nodes, and a slice for every input of a route. */
static int32_t room(const dscq_model *net)
{
    int32_t n = 4;

    for (int32_t i = 0; i < dscq_model_nodes(net); i++)
        n += 3 + dscq_model_node(net, i)->input_count;
    return n;
}

static dscq_status start(build_ctx *b)
{
    const int32_t nodes = dscq_model_nodes(b->net);
    dscq_status status;

    if (b->spec->node_count != nodes)
        return dscq_fail(b->err, DSCQ_ARG, "the spec has %d nodes, the network %d",
                         b->spec->node_count, nodes);
    b->tensor = dscq_calloc((size_t)nodes, sizeof *b->tensor);
    b->is_out = dscq_calloc((size_t)nodes, 1);
    if (b->tensor == NULL || b->is_out == NULL)
        return dscq_fail_nomem(b->err, "builder", (size_t)nodes * 5);
    DSCQ_TRY(dscq_qmodel_create(&b->m, b->err));
    DSCQ_TRY(dscq_qmodel_reserve(b->m, room(b->net), room(b->net), 1,
                                 dscq_model_outputs(b->net), b->err));
    b->m->tensor_count = b->m->node_count = 0;
    b->wider[0] = 1.0; /* the network's input */
    mark_outputs(b);
done:
    return status;
}

dscq_status dscq_build_qmodel(dscq_qmodel **out, const dscq_model *model,
                              const dscq_build_spec *spec, dscq_error *err)
{
    build_ctx b = {.net = model, .spec = spec, .err = err};
    dscq_status status;

    *out = NULL;
    DSCQ_TRY(start(&b));
    DSCQ_TRY(put_input(&b));
    DSCQ_TRY(put_nodes(&b));
    for (int32_t i = 0; i < dscq_model_outputs(model); i++)
        DSCQ_TRY(put_output(&b, i));
    DSCQ_TRY(put_texts(&b));
    DSCQ_TRY(dscq_qmodel_check(b.m, err));
    *out = b.m;
    b.m = NULL;
done:
    dscq_qmodel_destroy(b.m);
    dscq_free(b.tensor);
    dscq_free(b.is_out);
    return status;
}
