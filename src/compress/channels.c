/* Which channels belong together, and which go. */
#include "dscq/compress/channels.h"

#include "compress_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/nn/layer.h"
#include "dscq/nn/layers.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- union of channels -------------------------------------------------- */

/* Ids: one a channel of each node, node after node; the input's channels first. */
typedef struct ties {
    const dscq_model *m;
    int32_t *parent;
    uint8_t *fixed; /* by id, valid at roots after settle() */
    int32_t *first; /* [nodes + 1] id of a node's channel 0; [0] the input */
    int32_t count;
} ties;

static int32_t find(ties *t, int32_t id)
{
    while (t->parent[id] != id) {
        t->parent[id] = t->parent[t->parent[id]];
        id = t->parent[id];
    }
    return id;
}

/* The smaller id leads, so that the owner of a class is its first maker. */
static void tie(ties *t, int32_t a, int32_t b)
{
    a = find(t, a);
    b = find(t, b);
    if (a > b) {
        const int32_t x = a;
        a = b;
        b = x;
    }
    t->parent[b] = a;
    t->fixed[a] |= t->fixed[b];
}

static int32_t id_of(const ties *t, int32_t node, int32_t channel)
{
    return t->first[node + 1] + channel;
}

static int32_t channels_of(const ties *t, int32_t node)
{
    return node == DSCQ_INPUT ? dscq_model_input(t->m).c
                              : dscq_model_node(t->m, node)->out.c;
}

static void fix(ties *t, int32_t node)
{
    for (int32_t c = 0; c < channels_of(t, node); c++)
        t->fixed[find(t, id_of(t, node, c))] = 1;
}

/* ---- what each layer type does with channels ---------------------------- */

/* Output channel i is input channel i, of every input. */
static void follow(ties *t, int32_t node, const dscq_node *n)
{
    for (int32_t k = 0; k < n->input_count; k++) {
        if (channels_of(t, n->input[k]) != n->out.c) {
            fix(t, node);
            fix(t, n->input[k]);
            continue;
        }
        for (int32_t c = 0; c < n->out.c; c++)
            tie(t, id_of(t, n->input[k], c), id_of(t, node, c));
    }
}

static void opaque(ties *t, int32_t node, const dscq_node *n)
{
    fix(t, node);
    for (int32_t k = 0; k < n->input_count; k++)
        fix(t, n->input[k]);
}

static int is_depthwise(const dscq_node *n)
{
    return n->window.groups > 1 && n->weights->c == 1 && n->weights->k == n->in.c;
}

/* New channels, free to go; a depthwise kernel hands its input's channel on. */
static void make(ties *t, int32_t node, const dscq_node *n)
{
    if (is_depthwise(n))
        follow(t, node, n);
    else if (n->window.groups > 1)
        opaque(t, node, n);
}

/* Channels of the inputs one after the other; a slice of channels stays whole. */
static void join(ties *t, int32_t node, const dscq_node *n)
{
    int32_t at = 0;

    for (int32_t k = 0; k < n->input_count; k++)
        at += channels_of(t, n->input[k]);
    if (at != n->out.c) {
        opaque(t, node, n);
        return;
    }
    at = 0;
    for (int32_t k = 0; k < n->input_count; k++)
        for (int32_t c = 0; c < channels_of(t, n->input[k]); c++)
            tie(t, id_of(t, n->input[k], c), id_of(t, node, at++));
}

static void tie_node(ties *t, int32_t node)
{
    const dscq_node *n = dscq_model_node(t->m, node);

    if (n->weights->count > 0)
        make(t, node, n);
    else if (n->ops->does == DSCQ_DOES_JOIN)
        join(t, node, n);
    else if ((n->ops->flags & DSCQ_LAYER_FOLLOWS) != 0)
        follow(t, node, n);
    else
        opaque(t, node, n);
}

static dscq_status ties_make(ties *t, const dscq_model *m, dscq_error *err)
{
    const int32_t nodes = dscq_model_nodes(m);

    t->m = m;
    t->first = dscq_calloc((size_t)nodes + 2, sizeof *t->first);
    if (t->first == NULL)
        return dscq_fail_nomem(err, "channel classes", (size_t)nodes * 4);
    for (int32_t i = DSCQ_INPUT; i < nodes; i++)
        t->first[i + 2] = t->first[i + 1] + channels_of(t, i);
    t->count = t->first[nodes + 1];
    t->parent = dscq_calloc((size_t)t->count, sizeof *t->parent);
    t->fixed = dscq_calloc((size_t)t->count, 1);
    if (t->parent == NULL || t->fixed == NULL)
        return dscq_fail_nomem(err, "channel classes", (size_t)t->count * 5);
    for (int32_t i = 0; i < t->count; i++)
        t->parent[i] = i;
    fix(t, DSCQ_INPUT);
    for (int32_t i = 0; i < nodes; i++)
        tie_node(t, i);
    for (int32_t i = 0; i < dscq_model_outputs(m); i++)
        fix(t, dscq_model_output(m, i));
    return DSCQ_OK;
}

/* ---- classes ------------------------------------------------------------ */

static int makes_channels(const dscq_node *n)
{
    return n->weights->count > 0 && n->weights->k == n->out.c && !is_depthwise(n);
}

/* Rows of each layer that makes channels, by their L1 norm over the layer's mean. */
static void add_importance(dscq_channel_plan *p, const dscq_model *m)
{
    for (int32_t i = 0; i < p->nodes; i++) {
        const dscq_node *n = dscq_model_node(m, i);
        const dscq_weights *w = n->weights;
        double total = 0.0;

        if (!makes_channels(n))
            continue;
        const size_t per = w->count / (size_t)w->k;
        for (size_t j = 0; j < w->count; j++)
            total += fabs((double)w->w[j]);
        for (int32_t o = 0; o < w->k && total > 0.0; o++) {
            double norm = 0.0;

            for (size_t j = 0; j < per; j++)
                norm += fabs((double)w->w[(size_t)o * per + j]);
            p->importance[p->class_of[i][o]] += norm * (double)w->k / total;
        }
    }
}

static dscq_status number_classes(dscq_channel_plan *p, ties *t, dscq_error *err)
{
    int32_t *number = dscq_malloc((size_t)t->count, sizeof *number);

    if (number == NULL)
        return dscq_fail_nomem(err, "channel classes", (size_t)t->count * 4);
    for (int32_t i = 0; i < t->count; i++)
        if (find(t, i) == i)
            number[i] = p->classes++;
    p->owner = dscq_malloc((size_t)p->classes, sizeof *p->owner);
    p->importance = dscq_calloc((size_t)p->classes, sizeof *p->importance);
    p->keep = dscq_malloc((size_t)p->classes, 1);
    if (p->owner == NULL || p->importance == NULL || p->keep == NULL) {
        dscq_free(number);
        return dscq_fail_nomem(err, "channel classes", (size_t)p->classes * 13);
    }
    memset(p->keep, 1, (size_t)p->classes);
    for (int32_t i = 0; i < p->classes; i++)
        p->owner[i] = -1;
    for (int32_t i = 0; i < p->nodes; i++)
        for (int32_t c = 0; c < channels_of(t, i); c++) {
            const int32_t root = find(t, id_of(t, i, c)), k = number[root];

            p->class_of[i][c] = k;
            if (!t->fixed[root] && p->owner[k] < 0 &&
                makes_channels(dscq_model_node(t->m, i)))
                p->owner[k] = i;
        }
    dscq_free(number);
    return DSCQ_OK;
}

dscq_status dscq_channels_plan(dscq_channel_plan **out, const dscq_model *m,
                               dscq_error *err)
{
    dscq_channel_plan *p = dscq_calloc(1, sizeof *p);
    ties t = {0};
    dscq_status status = DSCQ_OK;

    *out = NULL;
    if (p == NULL)
        return dscq_fail_nomem(err, "channel plan", sizeof *p);
    p->nodes = dscq_model_nodes(m);
    p->class_of = dscq_calloc((size_t)p->nodes, sizeof *p->class_of);
    for (int32_t i = 0; p->class_of != NULL && i < p->nodes; i++) {
        p->class_of[i] =
            dscq_calloc((size_t)dscq_model_node(m, i)->out.c, sizeof **p->class_of);
        if (p->class_of[i] == NULL)
            status = dscq_fail_nomem(err, "channel plan", 4096);
    }
    if (p->class_of == NULL)
        status = dscq_fail_nomem(err, "channel plan", (size_t)p->nodes * 8);
    if (status == DSCQ_OK)
        status = ties_make(&t, m, err);
    if (status == DSCQ_OK)
        status = number_classes(p, &t, err);
    if (status == DSCQ_OK)
        add_importance(p, m);
    dscq_free(t.parent);
    dscq_free(t.fixed);
    dscq_free(t.first);
    if (status == DSCQ_OK)
        *out = p;
    else
        dscq_channels_plan_destroy(p);
    return status;
}

void dscq_channels_plan_destroy(dscq_channel_plan *p)
{
    if (p == NULL)
        return;
    for (int32_t i = 0; p->class_of != NULL && i < p->nodes; i++)
        dscq_free(p->class_of[i]);
    dscq_free(p->class_of);
    dscq_free(p->owner);
    dscq_free(p->importance);
    dscq_free(p->keep);
    dscq_free(p);
}

/* ---- choosing ----------------------------------------------------------- */

/* Largest fraction that a rule of a maker of the owner's classes asks for. */
static double keep_fraction(const dscq_channel_plan *p, const dscq_model *m,
                            const dscq_rule *rules, size_t count, int32_t owner)
{
    double keep = 0.0;

    for (size_t i = 0; i < count; i++) {
        const int32_t node = rules[i].node;

        if (!makes_channels(dscq_model_node(m, node)))
            continue;
        for (int32_t c = 0; c < dscq_model_node(m, node)->out.c; c++)
            if (p->owner[p->class_of[node][c]] == owner)
                keep = fmax(keep, rules[i].keep_channels);
    }
    return keep;
}

typedef struct ranked {
    double importance;
    int32_t class;
} ranked;

static int less_important(const void *a, const void *b)
{
    const ranked *x = a, *y = b;

    if (x->importance != y->importance)
        return x->importance < y->importance ? -1 : 1;
    return (x->class > y->class) - (x->class < y->class);
}

dscq_status dscq_channels_choose(dscq_channel_plan *p, const dscq_model *m,
                                 const dscq_settings *s, int32_t multiple,
                                 dscq_error *err)
{
    dscq_rule *rules = NULL;
    ranked *list = NULL;
    size_t count;
    dscq_status status;

    assert(multiple >= 1);
    DSCQ_TRY(dscq_rules_make(&rules, &count, s, m, err));
    list = dscq_malloc((size_t)p->classes, sizeof *list);
    if (list == NULL) {
        status =
            dscq_fail_nomem(err, "channel plan", (size_t)p->classes * sizeof *list);
        goto done;
    }
    for (int32_t owner = 0; owner < p->nodes; owner++) {
        int32_t n = 0;

        for (int32_t k = 0; k < p->classes; k++)
            if (p->owner[k] == owner)
                list[n++] = (ranked){p->importance[k], k};
        if (n == 0)
            continue;
        const double asked = keep_fraction(p, m, rules, count, owner) * n;
        int32_t keep = (int32_t)ceil(asked - 1e-9);
        keep = keep < 1 ? 1 : keep;
        keep = (keep + multiple - 1) / multiple * multiple;
        qsort(list, (size_t)n, sizeof *list, less_important);
        for (int32_t i = 0; i < n; i++)
            p->keep[list[i].class] = i >= n - keep;
    }
done:
    dscq_free(rules);
    dscq_free(list);
    return status;
}
