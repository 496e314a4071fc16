/* The arrays of a network: made, copied, drawn, folded. */
#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "nn_internal.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const nn__array_name[NN_ARRAYS] = {"weight", "bias", "gamma",
                                               "beta",   "mean", "var"};

float *nn__array_of(const dscq_weights *w, int which, size_t *count)
{
    float *const all[NN_ARRAYS] = {w->w, w->bias, w->gamma, w->beta, w->mean, w->var};

    *count = which == 0 ? w->count : (size_t)w->channels;
    return all[which];
}

void nn__weights_destroy(dscq_weights *w)
{
    if (w == NULL)
        return;
    dscq_free(w->w);
    dscq_free(w->bias);
    dscq_free(w->gamma);
    dscq_free(w->beta);
    dscq_free(w->mean);
    dscq_free(w->var);
    dscq_free(w);
}

static int take_floats(float **out, size_t count, float value)
{
    *out = dscq_malloc(count, sizeof(float));
    if (*out == NULL)
        return 0;
    for (size_t i = 0; i < count; i++)
        (*out)[i] = value;
    return 1;
}

/* The arrays, as long as size_weights() says. */
dscq_status nn__weights_take(dscq_node *n, dscq_error *err)
{
    dscq_weights *w = n->weights;
    const size_t channels = (size_t)w->channels;
    int ok = 1;

    if (w->count > 0)
        ok = take_floats(&w->w, w->count, 0.0f);
    w->w_used = w->w;
    if (n->normalised)
        ok = ok && take_floats(&w->gamma, channels, 1.0f) &&
             take_floats(&w->beta, channels, 0.0f) &&
             take_floats(&w->mean, channels, 0.0f) &&
             take_floats(&w->var, channels, 1.0f);
    else if (channels > 0)
        ok = ok && take_floats(&w->bias, channels, 0.0f);
    if (ok)
        return DSCQ_OK;
    dscq_fail_nomem(err, "weights", (w->count + 4 * channels) * sizeof(float));
    (void)dscq_fail_at(err, "%s", n->name);
    return DSCQ_NOMEM;
}

dscq_status nn__weights_size(dscq_node *n, const dscq_layer_shape *s,
                             const dscq_node_spec *spec, dscq_error *err)
{
    dscq_weights *w = dscq_calloc(1, sizeof *w);

    if (w == NULL)
        return dscq_fail_nomem(err, "weights", sizeof *w);
    n->weights = w;
    if (s->k > 0) {
        const dscq_shape all = {s->k, s->r, s->s, s->c};
        w->count = dscq_shape_count(&all);
        if (w->count == 0)
            return dscq_fail(err, DSCQ_FORMAT,
                             "%s: %d x %d x %d x %d weights: too many", n->name,
                             (int)s->k, (int)s->r, (int)s->s, (int)s->c);
    }
    w->k = s->k;
    w->r = s->r;
    w->s = s->s;
    w->c = s->c;
    w->bn_eps = spec->normalised ? spec->bn_eps : 1e-5;
    w->channels = spec->normalised || spec->has_bias ? s->out.c : 0;
    return DSCQ_OK;
}

static void copy_floats(float *to, const float *from, size_t count)
{
    if (to != NULL && from != NULL)
        memcpy(to, from, count * sizeof(float));
}

void nn__weights_copy(dscq_weights *to, const dscq_weights *from)
{
    const size_t c = (size_t)from->channels;

    copy_floats(to->w, from->w, from->count);
    copy_floats(to->bias, from->bias, c);
    copy_floats(to->gamma, from->gamma, c);
    copy_floats(to->beta, from->beta, c);
    copy_floats(to->mean, from->mean, c);
    copy_floats(to->var, from->var, c);
}

/* He et al. 2015, by fan-in; large layers look whether to stop now and then. */
static dscq_status init_node(const dscq_node *n, dscq_rng r, const dscq_log *log,
                             dscq_error *err)
{
    enum { PIECE = 1 << 22 };
    const dscq_weights *w = n->weights;
    const double fan_in = (double)w->r * w->s * w->c;
    const double gain = n->act == DSCQ_ACT_LINEAR ? 1.0 : 2.0;

    for (size_t j = 0; j < w->count; j++) {
        if (j % PIECE == 0 && dscq_log_stop(log))
            return dscq_fail(err, DSCQ_INTERRUPTED, "stopped while weights were made");
        w->w[j] = dscq_rng_normal(&r) * (float)sqrt(gain / fan_in);
    }
    return DSCQ_OK;
}

/* Few of a detector's boxes hold an object: objectness starts at 1 % (Lin et al. 2017,
 * section 4.1), or the first epochs only unlearn what is not there. */
static void init_heads(dscq_model *m)
{
    static const double prior = 0.01;

    for (int32_t i = 0; i < m->count; i++) {
        const dscq_node *n = &m->node[i];
        if ((n->ops->flags & DSCQ_LAYER_HEAD) == 0 || n->input[0] < 0)
            continue;
        const dscq_yolo_params *p = n->params;
        const dscq_weights *w = m->node[n->input[0]].weights;
        for (int32_t c = 4; w->bias != NULL && c < w->channels; c += 5 + p->classes)
            w->bias[c] = (float)log(prior / (1 - prior));
    }
}

/* All weights at once, before the first is taken; the largest layer is named. */
static dscq_status check_room(const dscq_model *m, dscq_error *err)
{
    char what[DSCQ_NODE_NAME + 128];
    uint64_t all = 0;
    int32_t most = 0;

    for (int32_t i = 0; i < m->count; i++) {
        all += m->node[i].weights->count * sizeof(float);
        if (m->node[i].weights->count > m->node[most].weights->count)
            most = i;
    }
    if (m->count == 0)
        return DSCQ_OK;
    (void)snprintf(what, sizeof what,
                   "weights of the network, %zu bytes of them in layer '%s'",
                   m->node[most].weights->count * sizeof(float), m->node[most].name);
    return dscq_memory_check(what, all, err);
}

dscq_status dscq_model_fill(dscq_model *m, const dscq_rng *rng, const dscq_log *log,
                            dscq_error *err)
{
    dscq_status status;

    assert(m->is_plan);
    DSCQ_TRY(check_room(m, err));
    for (int32_t i = 0; i < m->count; i++) {
        DSCQ_TRY(nn__weights_take(&m->node[i], err));
        DSCQ_TRY(init_node(&m->node[i], dscq_rng_fork(rng, "weights", (uint64_t)i), log,
                           err));
    }
    init_heads(m);
    m->is_plan = 0;
done:
    return status;
}

int32_t dscq_model_copy_layers(dscq_model *to, const dscq_model *from,
                               const char *patterns)
{
    int32_t matched = 0;

    assert(to->count == from->count);
    for (int32_t i = 0; i < to->count; i++)
        if (dscq_glob_match_any(patterns, to->node[i].name)) {
            nn__weights_copy(to->node[i].weights, from->node[i].weights);
            matched++;
        }
    return matched;
}

int32_t dscq_model_freeze(dscq_model *m, const char *patterns, int frozen)
{
    int32_t matched = 0;

    for (int32_t i = 0; i < m->count; i++)
        if (dscq_glob_match_any(patterns, m->node[i].name)) {
            m->node[i].frozen = frozen != 0;
            matched++;
        }
    return matched;
}

int32_t dscq_model_rate(dscq_model *m, const char *patterns, double factor)
{
    int32_t matched = 0;

    for (int32_t i = 0; i < m->count; i++)
        if (dscq_glob_match_any(patterns, m->node[i].name)) {
            m->node[i].rate = factor;
            matched++;
        }
    return matched;
}

void dscq_node_fold(const dscq_node *n, float *scale, float *shift)
{
    const dscq_weights *w = n->weights;

    for (int32_t c = 0; c < n->out.c; c++) {
        scale[c] = 1.0f;
        shift[c] = w->bias != NULL ? w->bias[c] : 0.0f;
        if (w->gamma == NULL)
            continue;
        const double a = (double)w->gamma[c] / sqrt((double)w->var[c] + w->bn_eps);
        scale[c] = (float)a;
        shift[c] = (float)((double)w->beta[c] - (double)w->mean[c] * a);
    }
}
