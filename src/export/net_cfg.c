#include "dscq/export/net_cfg.h"

#include "dscq/base/alloc.h"
#include "dscq/nn/detect.h"
#include "dscq/nn/layer.h"
#include "dscq/nn/layers.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct cfg_writer {
    dscq_str *to;
    const dscq_model *m;
    int darknet;
    int pjreddie;     /* and of the older dialect */
    int32_t *map;     /* node -> section; of the input: first_free       */
    int32_t sections; /* written so far                                  */
    int32_t input_at; /* section that passes the input on, -1: the input */
    int32_t passing;  /* sections so far that only pass something on      */
    dscq_error *err;
} cfg_writer;

static int32_t at(const cfg_writer *w, int32_t node)
{
    return node == DSCQ_INPUT ? w->input_at : w->map[node];
}

static dscq_status cannot(const cfg_writer *w, const dscq_node *n, const char *what)
{
    return dscq_fail(w->err, DSCQ_UNSUPPORTED,
                     "layer '%s': a Darknet cfg%s cannot say %s; export %s instead",
                     n->name, w->pjreddie ? " of pjreddie's dialect" : "", what,
                     w->pjreddie ? "the alexeyab dialect or ONNX" : "ONNX");
}

static void put_window(cfg_writer *w, const dscq_node *n, int is_pool)
{
    const dscq_window *v = &n->window;
    const int same = v->pad_top == v->pad_left && v->pad_top == v->pad_bottom &&
                     v->pad_top == v->pad_right;

    dscq_str_addf(w->to, "size=%d\n", (int)v->kernel_h);
    if (v->kernel_w != v->kernel_h)
        dscq_str_addf(w->to, "size_w=%d\n", (int)v->kernel_w);
    dscq_str_addf(w->to, "stride=%d\n", (int)v->stride_h);
    if (v->stride_w != v->stride_h)
        dscq_str_addf(w->to, "stride_y=%d\nstride_x=%d\n", (int)v->stride_h,
                      (int)v->stride_w);
    if (v->dilation_h > 1)
        dscq_str_addf(w->to, "dilation=%d\n", (int)v->dilation_h);
    if (same && !is_pool && v->pad_top == v->kernel_h / 2 * v->dilation_h &&
        v->kernel_h == v->kernel_w)
        dscq_str_add(w->to, "pad=1\n");
    else if (same && !is_pool)
        dscq_str_addf(w->to, "padding=%d\n", (int)v->pad_top);
    else if (w->darknet && is_pool)
        dscq_str_addf(w->to, "padding=%d\n", (int)(v->pad_top + v->pad_bottom));
    else
        dscq_str_addf(w->to, "pad_top=%d\npad_left=%d\npad_bottom=%d\npad_right=%d\n",
                      (int)v->pad_top, (int)v->pad_left, (int)v->pad_bottom,
                      (int)v->pad_right);
}

/* What the younger dialect added and the older one would pass over in silence. */
static dscq_status check_pjreddie(cfg_writer *w, int32_t i)
{
    const dscq_node *n = dscq_model_node(w->m, i);
    const dscq_route_params *part = n->ops->does == DSCQ_DOES_JOIN ? n->params : NULL;
    dscq_head head = {.scale_xy = 1};

    if (n->window.dilation_h > 1 || n->window.dilation_w > 1)
        return cannot(w, n, "dilation");
    if (n->ops->does == DSCQ_DOES_SUM && n->input_count > 2)
        return cannot(w, n, "a sum of more than two");
    if (part != NULL && (part->groups > 1 || part->channels > 0))
        return cannot(w, n, "a part of the channels");
    if (n->ops->does == DSCQ_DOES_HEAD) {
        const dscq_status status = dscq_head_from_node(&head, w->m, i, w->err);
        if (status != DSCQ_OK)
            return status;
    }
    if (head.new_coords)
        return cannot(w, n, "new_coords");
    return head.scale_xy == 1 ? DSCQ_OK : cannot(w, n, "scale_x_y");
}

static dscq_status check_darknet(cfg_writer *w, int32_t i)
{
    const dscq_node *n = dscq_model_node(w->m, i);
    const dscq_window *v = &n->window;
    const dscq_act_row *act = dscq_act_at(n->act);
    const dscq_darknet which = w->pjreddie ? DSCQ_DARKNET_BOTH : DSCQ_DARKNET_YOUNGER;
    const int32_t before = n->ops->does == DSCQ_DOES_MAX
                               ? (v->pad_top + v->pad_bottom) / 2
                               : v->pad_bottom;

    if (!w->darknet)
        return DSCQ_OK;
    if (n->ops->darknet < which)
        return cannot(w, n, n->type);
    if (n->ops->does == DSCQ_DOES_MEAN)
        return v->kernel_h == n->in.h && v->kernel_w == n->in.w && v->pad_top == 0
                   ? DSCQ_OK
                   : cannot(w, n, "an average over a part of the map");
    if (v->kernel_h != v->kernel_w || v->stride_h != v->stride_w ||
        v->pad_top != v->pad_left || v->pad_bottom != v->pad_right ||
        v->pad_top != before)
        return cannot(w, n, "padding or kernels that differ by side");
    if (act->darknet < which)
        return cannot(w, n, act->name);
    if (act->is_sloped && fabs(n->act_slope - act->slope) > 1e-7)
        return cannot(w, n, "this slope of the activation");
    if (w->pjreddie) /* variances take the epsilon in */
        return check_pjreddie(w, i);
    if (n->normalised && fabs(n->weights->bn_eps - 1e-5) > 1e-9)
        return cannot(w, n, "another epsilon than 1e-5");
    return DSCQ_OK;
}

/* What is not the default, by the layer's own rows. */
static dscq_status put_keys(cfg_writer *w, const dscq_node *n)
{
    const dscq_layer_ops *ops = n->ops;
    char a[4096], b[4096];
    dscq_status status = DSCQ_OK;
    void *plain = dscq_calloc(1, ops->param_bytes + 1);

    if (plain == NULL)
        return dscq_fail_nomem(w->err, "layer settings", ops->param_bytes);
    DSCQ_TRY(dscq_keys_defaults(plain, ops->keys, w->err));
    for (const dscq_key *k = ops->keys; k->name != NULL; k++) {
        if (strcmp(k->name, "from") == 0 || strcmp(k->name, "layers") == 0)
            continue;
        dscq_keys_print(a, sizeof a, n->params, k);
        dscq_keys_print(b, sizeof b, plain, k);
        if (k->dflt == NULL || strcmp(a, b) != 0)
            dscq_str_addf(w->to, "%s=%s\n", k->name, a);
    }
done:
    dscq_free(plain);
    return status;
}

static void put_real(cfg_writer *w, const char *key, double v)
{
    char real[40];

    dscq_str_real(real, sizeof real, v);
    dscq_str_addf(w->to, "%s=%s\n", key, real);
}

/* A name for a section that no node stands for, unlike those of all nodes: what is
 * made up when it is left out may be one of them. */
static void put_pass_name(cfg_writer *w)
{
    char name[DSCQ_NODE_NAME];

    if (w->darknet)
        return;
    do
        snprintf(name, sizeof name, "pass_%d", (int)w->passing++);
    while (dscq_model_find(w->m, name) >= 0);
    dscq_str_addf(w->to, "name=%s\n", name);
}

static void put_training(cfg_writer *w, const dscq_node *n)
{
    if (n->rate != 1)
        put_real(w, "learning_rate", n->rate);
    if (n->frozen)
        dscq_str_add(w->to, "frozen=1\n");
}

/* What a node says of being an output: its place, where they come in another order than
 * they stand in; 0: nothing. */
static int32_t output_place(const cfg_writer *w, int32_t i)
{
    const int32_t outputs = dscq_model_outputs(w->m);
    const int is_head = (dscq_model_node(w->m, i)->ops->flags & DSCQ_LAYER_HEAD) != 0;
    int32_t place = 0;
    int in_order = 1;

    if (outputs == 1 && dscq_model_output(w->m, 0) == dscq_model_nodes(w->m) - 1)
        return 0;
    for (int32_t j = 0; j < outputs; j++) {
        if (dscq_model_output(w->m, j) == i)
            place = j + 1;
        in_order &=
            j == 0 || dscq_model_output(w->m, j) > dscq_model_output(w->m, j - 1);
    }
    return place == 0 || (is_head && in_order) ? 0 : in_order ? 1 : place;
}

static void put_common(cfg_writer *w, const dscq_node *n, int32_t place)
{
    const unsigned flags = n->ops->flags;

    if (!w->darknet) {
        dscq_str_addf(w->to, "name=%s\n", n->name);
        put_training(w, n);
    }
    if (place > 0 && !w->darknet)
        dscq_str_addf(w->to, "net_output=%d\n", (int)place);
    if (n->normalised && (flags & DSCQ_LAYER_ALWAYS_NORM) == 0)
        dscq_str_add(w->to, "batch_normalize=1\n");
    if (n->normalised && !w->darknet)
        put_real(w, "bn_eps", n->weights->bn_eps);
    if (!n->normalised && n->weights->count > 0 && n->weights->bias == NULL &&
        !w->darknet)
        dscq_str_add(w->to, "bias=0\n");
    if ((flags & DSCQ_LAYER_ACT) == 0)
        return;
    dscq_str_addf(w->to, "activation=%s\n", dscq_act_name(n->act));
    if (dscq_act_at(n->act)->is_sloped && !w->darknet)
        put_real(w, "slope", n->act_slope);
}

static void put_list(cfg_writer *w, const char *key, const dscq_node *n, int32_t first)
{
    dscq_str_addf(w->to, "%s=", key);
    for (int32_t i = first; i < n->input_count; i++)
        dscq_str_addf(w->to, "%s%d", i > first ? "," : "", (int)at(w, n->input[i]));
    dscq_str_add(w->to, "\n");
}

/* Darknet's depthwise is a convolution of so many groups. */
static void put_conv(cfg_writer *w, const dscq_node *n)
{
    const int says = w->darknet || n->ops->channels_key != NULL;

    if (says)
        dscq_str_addf(w->to, "filters=%d\n", (int)n->out.c);
    if (says && (n->window.groups > 1 || n->ops->channels_key == NULL))
        dscq_str_addf(w->to, "groups=%d\n", (int)n->window.groups);
    put_window(w, n, 0);
}

static void put_pool(cfg_writer *w, const dscq_node *n)
{
    const dscq_pool_params *p = n->params;
    const int is_mean = n->ops->does == DSCQ_DOES_MEAN;

    if (is_mean && (w->darknet || (p->size <= 0 && p->size_h <= 0 && p->size_w <= 0)))
        return; /* over the whole map */
    put_window(w, n, 1);
    if (is_mean && p->count_pad)
        dscq_str_add(w->to, "count_pad=1\n");
}

static dscq_status put_body(cfg_writer *w, const dscq_node *n)
{
    switch (n->ops->does) {
    case DSCQ_DOES_CONV:
        put_conv(w, n);
        return DSCQ_OK;
    case DSCQ_DOES_MAX:
    case DSCQ_DOES_MEAN:
        put_pool(w, n);
        return DSCQ_OK;
    case DSCQ_DOES_JOIN:
        put_list(w, "layers", n, 0);
        break;
    default:
        if (n->input_count > 1)
            put_list(w, "from", n, 1);
    }
    return put_keys(w, n);
}

/* The section just written, from `start` of the text on, must be readable: a network
 * made elsewhere can hold values that no key takes. */
static dscq_status check_readable(const cfg_writer *w, const dscq_node *n, size_t start)
{
    dscq_config *cfg = NULL;
    dscq_error why = {0};
    dscq_status status;

    if (w->to->bad) /* the caller says so */
        return DSCQ_OK;
    DSCQ_TRY(dscq_config_parse(&cfg, w->to->text + start, w->to->len - start, n->name,
                               w->err));
    status = dscq_layer_check_section(cfg, 0, &why);
    if (status == DSCQ_FORMAT)
        status = dscq_fail(w->err, DSCQ_UNSUPPORTED,
                           "layer '%s': a cfg cannot hold it: %s", n->name, why.msg);
    else if (status != DSCQ_OK)
        status = dscq_fail(w->err, status, "%s", why.msg);
done:
    dscq_config_destroy(cfg);
    return status;
}

static dscq_status put_node(cfg_writer *w, int32_t i)
{
    const dscq_node *n = dscq_model_node(w->m, i);
    const int is_conv = n->ops->does == DSCQ_DOES_CONV;
    dscq_status status;

    DSCQ_TRY(check_darknet(w, i));
    if (n->ops->does != DSCQ_DOES_JOIN && at(w, n->input[0]) != w->sections - 1) {
        dscq_str_addf(w->to, "\n[route]\nlayers=%d\n", (int)at(w, n->input[0]));
        put_pass_name(w);
        w->sections++;
    }
    const size_t start = w->to->len;
    dscq_str_addf(w->to, "\n[%s]\n", is_conv && w->darknet ? "convolutional" : n->type);
    DSCQ_TRY(put_body(w, n));
    put_common(w, n, output_place(w, i));
    DSCQ_TRY(check_readable(w, n, start));
    w->map[i] = w->sections++;
done:
    return status;
}

/* The input can only be read by the first section. */
static void pass_input(cfg_writer *w)
{
    int other = 0;

    for (int32_t i = 0; i < dscq_model_nodes(w->m); i++) {
        const dscq_node *n = dscq_model_node(w->m, i);
        for (int32_t j = 0; j < n->input_count; j++)
            other |= n->input[j] == DSCQ_INPUT &&
                     (i > 0 || j > 0 || n->ops->does == DSCQ_DOES_JOIN);
    }
    if (!other)
        return;
    dscq_str_add(w->to, "\n[activation]\nactivation=linear\n");
    put_pass_name(w);
    w->input_at = w->sections++;
}

/* A file's name may hold what would end the line. */
static void put_name(dscq_str *text, const char *name)
{
    dscq_str_add(text, "name=");
    for (; *name != '\0'; name++)
        dscq_str_addf(text, "%c", iscntrl((unsigned char)*name) ? '_' : *name);
    dscq_str_add(text, "\n");
}

dscq_status dscq_export_net_cfg(dscq_str *text, const dscq_model *m,
                                dscq_cfg_dialect dialect, dscq_error *err)
{
    const dscq_shape in = dscq_model_input(m);
    const size_t nodes = (size_t)dscq_model_nodes(m);
    cfg_writer w = {.to = text,
                    .m = m,
                    .darknet = dialect != DSCQ_CFG_OURS && dialect != DSCQ_CFG_IMPORTED,
                    .pjreddie = dialect == DSCQ_CFG_PJREDDIE,
                    .input_at = -1,
                    .err = err};
    dscq_status status = DSCQ_OK;

    w.map = dscq_calloc(nodes + 1, sizeof *w.map);
    if (w.map == NULL)
        return dscq_fail_nomem(err, "a cfg", nodes);
    dscq_str_add(text, "[net]\n");
    if (!w.darknet && dscq_model_name(m)[0] != '\0')
        put_name(text, dscq_model_name(m));
    if (in.h == 1 && in.w == 1)
        dscq_str_addf(text, "inputs=%d\n", (int)in.c);
    else
        dscq_str_addf(text, "width=%d\nheight=%d\nchannels=%d\n", (int)in.w, (int)in.h,
                      (int)in.c);
    if (w.pjreddie)
        dscq_str_add(text, "dialect=pjreddie\n");
    const dscq_net_params *net = dscq_model_net(m);
    if (dialect == DSCQ_CFG_IMPORTED || (!w.darknet && net != NULL && net->imported))
        dscq_str_add(text, "imported=1\n");
    pass_input(&w);
    for (int32_t i = 0; i < dscq_model_nodes(m); i++)
        DSCQ_TRY(put_node(&w, i));
    if (text->bad)
        DSCQ_TRY(dscq_fail_nomem(err, "a cfg", text->len));
done:
    dscq_free(w.map);
    return status;
}
