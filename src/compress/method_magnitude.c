/* Pruning by magnitude with a growing rate, and uniform codes. */
#include "compress_internal.h"
#include "dscq/compress/prune.h"

#include <math.h>

enum { REMASK = 16 };

/* ---- the ramp, and what it decides for a layer in a step --------------------- */

typedef struct ramp_params {
    double ramp_frac; /* part of a stage in which p is reached */
} ramp_params;

static const dscq_key k_ramp_rows[] = {
    DSCQ_KEY_REAL_ROW(ramp_params, ramp_frac, 0, 1, "0.5",
                      "magnitude, balance: part of a stage in which p is reached"),
    DSCQ_KEY_END};
static const dscq_method_keys k_ramp_keys = {k_ramp_rows, sizeof(ramp_params),
                                             "last_p"};

typedef struct ramp_layer {
    int32_t again; /* the mask is made again in this step */
} ramp_layer;

static const compress_field k_layer_fields[] = {
    COMPRESS_FIELD(ramp_layer, INT, again, 1), COMPRESS_FIELDS_END};
static const dscq_method_state k_ramp_state = {.layer_bytes = sizeof(ramp_layer),
                                               .layer_fields = k_layer_fields};

/* Zhu and Gupta 2017: fast at first, gentle at the end. */
static double ramp(const dscq_compressor *c, double t)
{
    const ramp_params *p = c->params[0];
    const double full = p->ramp_frac;
    const double left = full > 0.0 && t < full ? 1.0 - t / full : 0.0;

    return 1.0 - left * left * left;
}

/* The rate in force is set for the whole step, so that layers agree on it. */
static dscq_status step(dscq_compressor *c, double t, dscq_error *err)
{
    const double now = ramp(c, t);
    const int again = (c->step - c->stage_begin) % REMASK == 0 || now >= 1.0;

    (void)err;
    for (size_t i = 0; i < c->layers; i++) {
        dscq_clayer *l = &c->layer[i];
        ramp_layer *s = l->state;
        const double rate = l->rule.p * now;

        s->again = again && rate != l->rate; /* masks of a full ramp stay as they are */
        if (s->again)
            l->rate = rate;
    }
    return DSCQ_OK;
}

static void layer(dscq_compressor *c, dscq_clayer *l, int worker)
{
    const ramp_layer *s = l->state;

    if (s->again || c->step == c->stage_begin)
        compress__mask_rate(c, l, l->rate, worker);
    compress__zero_pruned(l);
    if (l->rate < l->rule.p)
        compress__copy_masked(l); /* still pruning: floats learn faster */
    else
        compress__copy_form(c, l, worker);
}

static dscq_status begin(dscq_compressor *c, dscq_error *err)
{
    (void)err;
    compress__all_linear(c);
    for (size_t i = 0; i < c->layers; i++)
        c->layer[i].rate = -1.0; /* the first step makes a mask */
    return DSCQ_OK;
}

const dscq_method dscq_method_magnitude = {
    .name = "magnitude",
    .summary = "prune the smallest weights with a growing rate, uniform codes",
    .source = "Zhu and Gupta 2017 (the ramp); Han et al., NIPS 2015",
    .reads = "scale",
    .flags = DSCQ_METHOD_PRUNES | DSCQ_METHOD_QUANTISES,
    .keys = {&k_ramp_keys},
    .state = &k_ramp_state,
    .begin = begin,
    .step = step,
    .layer = layer,
    .gradient = compress__mask_gradient,
};

/* ---- uniform codes alone ----------------------------------------------------- */

static dscq_status begin_uniform(dscq_compressor *c, dscq_error *err)
{
    (void)err;
    compress__all_linear(c);
    for (size_t i = 0; i < c->layers; i++) {
        c->layer[i].rule.p = 0.0;
        compress__mask_rate(c, &c->layer[i], 0.0, 0);
    }
    return DSCQ_OK;
}

static void layer_uniform(dscq_compressor *c, dscq_clayer *l, int worker)
{
    compress__copy_form(c, l, worker);
}

const dscq_method dscq_method_uniform = {
    .name = "uniform",
    .summary = "uniform codes and nothing pruned",
    .source = "Jacob et al., CVPR 2018, section 3",
    .reads = "scale",
    .flags = DSCQ_METHOD_QUANTISES,
    .begin = begin_uniform,
    .layer = layer_uniform,
};

/* ---- lanes ------------------------------------------------------------------- */

typedef struct lanes_params {
    int32_t lanes, tile; /* lanes side by side, weights of a tile */
} lanes_params;

static const dscq_key k_lanes_rows[] = {
    DSCQ_KEY_INT_ROW(lanes_params, lanes, 1, 4096, "8",
                     "balance: lanes of the machine"),
    DSCQ_KEY_INT_ROW(lanes_params, tile, 1, 65536, "64", "balance: weights of a tile"),
    DSCQ_KEY_END};
static const dscq_method_keys k_lanes_keys = {k_lanes_rows, sizeof(lanes_params),
                                              "phase_epochs"};

static dscq_status begin_balance(dscq_compressor *c, dscq_error *err)
{
    (void)err;
    for (size_t i = 0; i < c->layers; i++)
        c->layer[i].rate = -1.0;
    return DSCQ_OK;
}

static void layer_balance(dscq_compressor *c, dscq_clayer *l, int worker)
{
    const ramp_layer *s = l->state;
    const lanes_params *p = c->params[1];

    if (s->again || c->step == c->stage_begin) {
        if (l->rate > 0.0 && l->rule.kind != DSCQ_KIND_DEPTHWISE)
            dscq_mask_balanced(l->mask, l->w->w, l->held, l->w->k,
                               l->w->count / (size_t)l->w->k, l->rate, p->lanes,
                               p->tile, c->work[worker].clip);
        else
            compress__mask_rate(c, l, l->rate, worker);
    }
    compress__zero_pruned(l);
    compress__copy_form(c, l, worker);
}

const dscq_method dscq_method_balance = {
    .name = "balance",
    .summary = "magnitude pruning that gives the lanes of a machine equal work",
    .source = "docs/methods.md (lane-balanced masks)",
    .reads = "form",
    .flags = DSCQ_METHOD_PRUNES,
    .keys = {&k_ramp_keys, &k_lanes_keys},
    .state = &k_ramp_state,
    .begin = begin_balance,
    .step = step,
    .layer = layer_balance,
    .gradient = compress__mask_gradient,
};
