/* A network from the sections of a cfg. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "nn_internal.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Layers of Darknet's dialects that this program does not have. */
#define DARKNET_OTHERS                                                                 \
    "crop|cost|detection|iseg|local|deconv|deconvolutional|logistic|l2norm|crnn|gru|"  \
    "lstm|rnn|Gaussian_yolo|contrastive|conv_lstm|empty|silence|history|implicit|"     \
    "local_avg|local_avgpool|sam"

typedef struct section {
    const dscq_layer_ops *ops;
    size_t index; /* in the cfg */
    void *params;
    nn_common common;
    int32_t input[DSCQ_NODE_INPUTS];
    int32_t input_count;
    int feeds_weights; /* some layer with weights comes behind it */
} section;

typedef struct builder {
    dscq_config *cfg;
    section *item;
    int32_t count;
    int32_t net; /* section of [net], -1: none */
    dscq_net_params params;
} builder;

/* Inside a function that returns a status: a failure that a listener of the cfg took
 * is none. */
#define HEAR(b, call)                                                                  \
    do {                                                                               \
        const dscq_status heard_ = (call);                                             \
        if (heard_ != DSCQ_OK && !dscq_config_complain((b)->cfg, err))                 \
            return heard_;                                                             \
    } while (0)

static void clear_builder(builder *b)
{
    for (int32_t i = 0; b->item != NULL && i < b->count; i++)
        dscq_free(b->item[i].params);
    dscq_free(b->item);
}

/* Put "file:line: " in front of a message that has none. */
static dscq_status at_section(const builder *b, size_t i, dscq_error *err,
                              dscq_status status)
{
    char where[DSCQ_PATH_MAX + DSCQ_NAME_MAX];

    dscq_config_where(where, sizeof where, b->cfg, i);
    dscq_fail_at(err, "%s", where);
    return status;
}

static int is_net(const char *name)
{
    return strcmp(name, "net") == 0 || strcmp(name, "network") == 0;
}

static dscq_status unknown_section(const builder *b, size_t i, const char *not_layers,
                                   dscq_error *err)
{
    const char *name = dscq_config_section(b->cfg, i);
    const char *nearest = "net";
    char other[DSCQ_NAME_MAX], best[DSCQ_NAME_MAX];

    if (dscq_choice_find(DARKNET_OTHERS, name) >= 0)
        return at_section(b, i, err,
                          dscq_fail(err, DSCQ_UNSUPPORTED,
                                    "[%s]: this layer of Darknet is not supported",
                                    name));
    for (size_t j = 0; j < dscq_layer_count(); j++)
        if (dscq_edit_distance(name, dscq_layer_at(j)->name) <
            dscq_edit_distance(name, nearest))
            nearest = dscq_layer_at(j)->name;
    (void)dscq_str_copy(best, sizeof best, nearest);
    for (int j = 0;; j++) {
        dscq_choice_name(other, sizeof other, not_layers, j);
        if (other[0] == '\0')
            break;
        if (dscq_edit_distance(name, other) < dscq_edit_distance(name, best))
            (void)dscq_str_copy(best, sizeof best, other);
    }
    return at_section(b, i, err,
                      dscq_fail(err, DSCQ_FORMAT,
                                "[%s]: unknown section; did you mean [%s]?", name,
                                best));
}

/* Darknet's [cost] at the end: the loss, the answers are those of the layer before it.
 */
static int is_loss(const dscq_config *c, size_t i)
{
    if (strcmp(dscq_config_section(c, i), "cost") != 0)
        return 0;
    for (size_t j = i + 1; j < dscq_config_count(c); j++)
        if (dscq_layer_find(dscq_config_section(c, j)) != NULL)
            return 0; /* layers count it when they name others by number */
    return 1;
}

static dscq_status read_over_section(const builder *b, size_t i, dscq_error *err)
{
    dscq_config_use(b->cfg, i);
    return dscq_config_read_over(b->cfg, i, "", dscq_config_line(b->cfg, i),
                                 DSCQ_CONFIG_FOREIGN, err);
}

static dscq_status find_sections(builder *b, const char *not_layers, dscq_error *err)
{
    const size_t sections = dscq_config_count(b->cfg);

    b->net = -1;
    b->item = dscq_calloc(nn__max(sections, 1), sizeof *b->item);
    if (b->item == NULL)
        return dscq_fail_nomem(err, "sections", sections * sizeof *b->item);
    for (size_t i = 0; i < sections; i++) {
        const char *name = dscq_config_section(b->cfg, i);
        if (is_net(name)) {
            if (b->net >= 0)
                HEAR(b, at_section(
                            b, i, err,
                            dscq_fail(err, DSCQ_FORMAT, "[%s] stands twice", name)));
            else
                b->net = (int32_t)i;
            continue;
        }
        if (not_layers != NULL && dscq_choice_find(not_layers, name) >= 0)
            continue;
        if (is_loss(b->cfg, i)) {
            HEAR(b, read_over_section(b, i, err));
            continue;
        }
        section *s = &b->item[b->count];
        s->ops = dscq_layer_find(name);
        if (s->ops == NULL) {
            HEAR(b, unknown_section(b, i, not_layers, err));
            continue;
        }
        s->index = i;
        b->count++;
    }
    if (b->net < 0)
        return dscq_fail(err, DSCQ_FORMAT, "%s: no [net] section",
                         dscq_config_name(b->cfg));
    if (b->count == 0)
        return dscq_fail(err, DSCQ_FORMAT, "%s: no layers", dscq_config_name(b->cfg));
    return DSCQ_OK;
}

/* The keys of a section; s->params is made here and stays the caller's. */
static dscq_status bind_keys(section *s, dscq_config *cfg, dscq_error *err)
{
    s->params = dscq_calloc(1, nn__max(s->ops->param_bytes, 1));
    if (s->params == NULL)
        return dscq_fail_nomem(err, "layer settings", s->ops->param_bytes);

    dscq_config_first_counts(cfg, s->index);
    void *const params[] = {s->params, &s->common};
    const dscq_key *const rows[] = {s->ops->keys,
                                    dscq_layer_common_keys(s->ops->flags)};
    return dscq_config_bind_many(params, rows, 2, cfg, (int)s->index, s->ops->name,
                                 err);
}

dscq_status dscq_layer_check_section(dscq_config *cfg, size_t i, dscq_error *err)
{
    section s = {.ops = dscq_layer_find(dscq_config_section(cfg, i)), .index = i};

    assert(s.ops != NULL);
    const dscq_status status = bind_keys(&s, cfg, err);
    dscq_free(s.params);
    return status;
}

static dscq_status bind_section(builder *b, int32_t i, dscq_error *err)
{
    section *s = &b->item[i];
    dscq_status status = bind_keys(s, b->cfg, err);
    if (status != DSCQ_OK)
        return status;
    s->input[0] = i - 1;
    s->input_count = 1;
    if (s->ops->wire != NULL) {
        status = s->ops->wire(s->input, &s->input_count, s->params, i, err);
        if (status != DSCQ_OK)
            return at_section(b, s->index, err, status);
    }
    return DSCQ_OK;
}

/* Darknet's default is logistic, which nobody means. */
static dscq_status check_activation(const builder *b, const section *s, dscq_error *err)
{
    if ((s->ops->flags & DSCQ_LAYER_WEIGHTS) == 0 || s->common.activation != 0)
        return DSCQ_OK;
    const char *written = dscq_config_get(b->cfg, s->index, "activation");
    if (written != NULL && strcmp(written, "unset") != 0)
        return DSCQ_OK; /* a listener heard that it is none */
    return at_section(
        b, s->index, err,
        dscq_fail(err, DSCQ_FORMAT,
                  "[%s]: activation is missing (Darknet would take logistic); write "
                  "activation = relu, linear, ...",
                  s->ops->name));
}

/* Which layers have no layer with weights behind them: the last ones, whose width
 * is the number of classes or boxes. */
static void mark_feeds(builder *b)
{
    for (int32_t i = b->count - 1; i >= 0; i--) {
        const section *s = &b->item[i];
        const int on = s->feeds_weights || (s->ops->flags & DSCQ_LAYER_WEIGHTS) != 0;
        for (int32_t j = 0; j < s->input_count; j++)
            if (s->input[j] >= 0 && on)
                b->item[s->input[j]].feeds_weights = 1;
    }
}

/* Sandler et al. 2018, released code: round, but never down by more than 10 %. */
static int32_t round_channels(double channels, int32_t divisor)
{
    double c = floor((channels + divisor / 2.0) / divisor) * divisor;

    if (c < divisor)
        c = divisor;
    if (c < 0.9 * channels)
        c += divisor;
    return c < 1e6 ? (int32_t)c : 1000000;
}

static void widen(builder *b)
{
    if (b->params.width_multiplier == 1.0)
        return;
    mark_feeds(b);
    for (int32_t i = 0; i < b->count; i++) {
        section *s = &b->item[i];
        if (s->ops->channels == NULL || !s->feeds_weights)
            continue;
        const double wanted =
            s->ops->channels(s->params, 0) * b->params.width_multiplier;
        (void)s->ops->channels(s->params,
                               round_channels(wanted, b->params.channel_divisor));
    }
}

static dscq_status add_section(builder *b, dscq_model *m, int32_t i, dscq_error *err)
{
    const section *s = &b->item[i];
    const nn_common *c = &s->common;
    const unsigned flags = s->ops->flags;
    const int normalised = (flags & DSCQ_LAYER_NORM) != 0 && c->batch_normalize;
    const dscq_act act =
        c->activation > 0 ? (dscq_act)(c->activation - 1) : DSCQ_ACT_LINEAR;
    const dscq_node_spec spec = {
        .name = c->name,
        .normalised = normalised || (flags & DSCQ_LAYER_ALWAYS_NORM) != 0,
        .has_bias = (flags & DSCQ_LAYER_NORM) != 0 && c->bias &&
                    (flags & DSCQ_LAYER_WEIGHTS) != 0,
        .bn_eps = (flags & DSCQ_LAYER_NORM) != 0 && !isnan(c->bn_eps)
                      ? c->bn_eps
                      : b->params.bn_eps,
        .act = act,
        .act_slope = (flags & DSCQ_LAYER_ACT) != 0 && !isnan(c->slope)
                         ? c->slope
                         : dscq_act_at(act)->slope,
    };
    const dscq_status status = dscq_model_add(NULL, m, s->ops->name, s->params, &spec,
                                              s->input, s->input_count, err);
    if (status != DSCQ_OK)
        return at_section(b, s->index, err, status);

    dscq_node *n = nn__node(m, i);
    n->line = dscq_config_line(b->cfg, s->index);
    n->frozen = c->frozen;
    n->rate = c->learning_rate;
    if (c->stopbackward > 1)
        return dscq_config_read_over(
            b->cfg, s->index, "stopbackward",
            dscq_config_key_line(b->cfg, s->index, "stopbackward"), DSCQ_CONFIG_FOREIGN,
            err);
    for (int32_t j = 0; c->stopbackward == 1 && j <= i; j++)
        nn__node(m, j)->frozen = 1;
    return DSCQ_OK;
}

static dscq_status make_input(dscq_model **out, builder *b, dscq_error *err)
{
    dscq_net_params *p = &b->params;
    dscq_shape input = {1, p->height, p->width, p->channels};
    char name[DSCQ_NAME_MAX];

    if (p->inputs > 0 && p->width == 0 && p->height == 0)
        input = (dscq_shape){1, 1, 1, p->inputs};
    if (input.h == 0 || input.w == 0 || input.c == 0)
        return at_section(b, (size_t)b->net, err,
                          dscq_fail(err, DSCQ_FORMAT,
                                    "[net]: width, height and channels are required"));
    dscq_str_copy(name, sizeof name, p->name);
    if (name[0] == '\0') {
        dscq_str_copy(name, sizeof name, dscq_path_base(dscq_config_name(b->cfg)));
        name[dscq_path_stem(name)] = '\0';
    }
    return dscq_model_create(out, name, input, err);
}

/* Place of an output among them, 0: it is none. Heads need no word for it. */
static int32_t output_place(const builder *b, const dscq_model *m, int32_t i)
{
    const int32_t said = b->item[i].common.net_output;

    return said == 0 && (m->node[i].ops->flags & DSCQ_LAYER_HEAD) != 0 ? 1 : said;
}

/* Detector heads and what says net_output, by its number and then as they stand; else
 * the last layer. */
static dscq_status declare_outputs(const builder *b, dscq_model *m, dscq_error *err)
{
    for (int32_t done = 0, next; done != INT32_MAX; done = next) {
        next = INT32_MAX; /* the smallest number above those that are done */
        for (int32_t i = 0; i < m->count; i++) {
            const int32_t place = output_place(b, m, i);
            next = place > done && place < next ? place : next;
        }
        for (int32_t i = 0; next != INT32_MAX && i < m->count; i++) {
            const dscq_status status = output_place(b, m, i) == next
                                           ? dscq_model_add_output(m, i, err)
                                           : DSCQ_OK;
            if (status != DSCQ_OK)
                return status;
        }
    }
    return DSCQ_OK;
}

/* Sections and their keys. */
static dscq_status bind_all(builder *b, const char *not_layers, dscq_error *err)
{
    dscq_status status;

    DSCQ_TRY(find_sections(b, not_layers, err));
    dscq_config_first_counts(b->cfg, (size_t)b->net);
    DSCQ_TRY(dscq_config_bind(&b->params, b->cfg, b->net, "net", dscq_net_keys, err));
    for (int32_t i = 0; i < b->count; i++) {
        HEAR(b, bind_section(b, i, err));
        HEAR(b, check_activation(b, &b->item[i], err));
    }
done:
    return status;
}

static dscq_status build(dscq_model **out, builder *b, const dscq_rng *rng,
                         dscq_error *err)
{
    dscq_model *m = NULL;
    dscq_status status;

    widen(b);
    DSCQ_TRY(make_input(&m, b, err));
    m->is_plan = 1;
    for (int32_t i = 0; i < b->count; i++)
        DSCQ_TRY(add_section(b, m, i, err));
    DSCQ_TRY(declare_outputs(b, m, err));
    m->net = dscq_malloc(1, sizeof *m->net);
    if (m->net == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "[net] settings", sizeof *m->net));
    *m->net = b->params;
    if (rng != NULL)
        DSCQ_TRY(dscq_model_fill(m, rng, NULL, err));
    *out = m;
    m = NULL;
done:
    dscq_model_destroy(m);
    return status;
}

dscq_status dscq_model_from_config(dscq_model **out, dscq_config *cfg,
                                   const char *not_layers, const dscq_rng *rng,
                                   dscq_error *err)
{
    const size_t holes = dscq_config_holes(cfg);
    builder b = {.cfg = cfg};

    *out = NULL;
    dscq_status status = bind_all(&b, not_layers, err);
    /* With layers or their numbers left out, shapes would be those of another network.
     */
    if (status == DSCQ_OK && dscq_config_holes(cfg) == holes &&
        !dscq_config_is_torn(cfg))
        status = build(out, &b, rng, err);
    if (status != DSCQ_OK && dscq_config_complain(cfg, err))
        status = DSCQ_OK;
    clear_builder(&b);
    return status;
}
