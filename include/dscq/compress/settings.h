/*
 * compress/settings.h - the [compress] section, its [compress_layer] sections, and
 * what they mean for each layer of a network.
 *
 *     [compress]
 *     method = dsc_clipq        # stages, in order: "reversed, clipq" prunes first
 *     p = 0.6                   # fraction of the weights of a layer to prune
 *     b = 4                     # bits of a code
 *
 *     [compress_layer]          # any number; a later one wins
 *     match = conv*_pw, fc      # comma-separated globs over layer names
 *     p = 0.8
 *     b = 3
 *
 * A layer is looked up in three steps: the values of [compress]; the policy of its
 * kind (first, depthwise, last); every [compress_layer] that matches, in file order,
 * for the keys given there. A pattern that matches no layer with weights is an error.
 */
#ifndef DSCQ_COMPRESS_SETTINGS_H
#define DSCQ_COMPRESS_SETTINGS_H

#include "dscq/base/config.h"
#include "dscq/base/keys.h"
#include "dscq/compress/quantize.h"
#include "dscq/nn/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How the range of an activation is chosen. */
#define DSCQ_CAL_LIST(X)                                                               \
    X(minmax, MINMAX)                                                                  \
    X(percentile, PERCENTILE)                                                          \
    X(kl, KL)                                                                          \
    X(mse, MSE)
typedef enum dscq_calibration {
#define X(word, id) DSCQ_CAL_##id,
    DSCQ_CAL_LIST(X)
#undef X
} dscq_calibration;

enum { DSCQ_COMPRESS_KEYS = 128, DSCQ_OWN_BYTES = 1024 };

/* The [compress] section. */
typedef struct dscq_compress_params {
    char method[DSCQ_NAME_MAX]; /* rows of compress/methods.def, comma separated  */
    dscq_list share;      /* of the epochs, one a stage; empty: equal            */
    int32_t epochs;       /* of fine-tuning, all stages                          */
    double learning_rate; /* of fine-tuning                                      */
    double freeze_frac;   /* last part of the steps: masks and codebooks fixed   */
    double p;             /* pruning rate                                        */
    int32_t b;            /* bits                                                */
    int32_t form;         /* dscq_qform for methods that leave it open           */
    int32_t scale;        /* 0 one per layer, 1 one per output channel           */
    int32_t depthwise;    /* 0 own (dw_b, dw_p, per channel, linear), 1 same     */
    int32_t dw_b, first_b, last_b; /* last_b 0: as the others                     */
    double dw_p, first_p, last_p;  /* last_p < 0: as the others                   */
    /* binary + blocks */
    double high_frac; /* of the blocks that keep 8 bits                      */
    int32_t block;    /* weights per block; 0: the kernel, or 16 for 1 x 1   */
    /* activations */
    int32_t activation_b, input_b, logit_b;
    int32_t calibration; /* dscq_calibration                                    */
    double percentile;
    int32_t calibration_images;
    char ranges[DSCQ_PATH_MAX]; /* grids from an import, or empty               */
    int32_t learn_ranges; /* scales learn with the weights (compress/ranges.h)    */
    double range_rate;    /* at this multiple of the learning rate               */
    /* after training stopped, or instead of it */
    int32_t bias_correction, reestimate_norm;
    /* before it */
    int32_t fold_norm;        /* batch norm into weights and biases                 */
    int32_t keep_codes;       /* of weights that were quantised before              */
    int32_t channel_epochs;   /* of the smaller network, < 0: as epochs             */
    int32_t channel_multiple; /* of the channels kept                               */
    /* what the keys of methods fill: dscq_method.keys */
    double own[DSCQ_OWN_BYTES / sizeof(double)];
} dscq_compress_params;

/* The rows of [compress], those of the methods among them; ended by DSCQ_KEY_END. */
void dscq_compress_keys(dscq_key out[DSCQ_COMPRESS_KEYS]);

/* A [compress_layer] section. Values that were not given are negative. */
typedef struct dscq_layer_params {
    char match[DSCQ_PATH_MAX];
    double p, high_frac, keep_channels;
    int32_t b, form, scale, block, activation_b, skip;
} dscq_layer_params;

extern const dscq_key dscq_layer_keys[];

typedef struct dscq_settings {
    dscq_compress_params all;
    dscq_layer_params *layer; /* in file order */
    size_t layer_count;
} dscq_settings;

/* Every [compress] and [compress_layer] of a cfg; without them, the defaults. Owned by
 * the caller: dscq_settings_destroy(). DSCQ_FORMAT "file:line: ...". When a network
 * is read with dscq_model_from_config(), "compress_layer" belongs into not_layers. */
dscq_status dscq_settings_from_config(dscq_settings **out, dscq_config *cfg,
                                      dscq_error *err);
dscq_status dscq_settings_create(dscq_settings **out, dscq_error *err); /* defaults */
void dscq_settings_destroy(dscq_settings *s); /* NULL is fine */
/* Append one (copied); start with dscq_layer_params_none(). */
dscq_status dscq_settings_add(dscq_settings *s, const dscq_layer_params *l,
                              dscq_error *err);
dscq_layer_params dscq_layer_params_none(void); /* nothing given */

/* suffix, word. */
#define DSCQ_LAYER_KIND_LIST(X)                                                        \
    X(CONV, "conv")                                                                    \
    X(FIRST, "first") /* reads the network input                                */     \
    X(DEPTHWISE, "depthwise")                                                          \
    X(POINTWISE, "pointwise")                                                          \
    X(CONNECTED, "connected")                                                          \
    X(LAST, "last") /* nothing with weights comes after it                      */
typedef enum dscq_layer_kind {
#define X(id, word) DSCQ_KIND_##id,
    DSCQ_LAYER_KIND_LIST(X)
#undef X
} dscq_layer_kind;

/* What shall happen to one node with weights. */
typedef struct dscq_rule {
    int32_t node;
    dscq_layer_kind kind;
    double p;  /* 0 <= p < 1                                           */
    int32_t b; /* 1..8, 16                                             */
    dscq_qform form;
    int32_t per_channel;  /* scale                                                */
    double high_frac;     /* binary: blocks with 8 bits                           */
    int32_t block;        /* binary: weights per block, >= 1                      */
    double keep_channels; /* structured pruning: fraction of outputs kept        */
    int32_t skip;         /* leave alone: 8-bit linear per channel, nothing pruned */
} dscq_rule;

/* One rule a node with weights, in execution order; *out freed with dscq_free().
 * DSCQ_FORMAT naming the pattern that matches nothing. */
dscq_status dscq_rules_make(dscq_rule **out, size_t *count, const dscq_settings *s,
                            const dscq_model *m, dscq_error *err);
/* Bits of a node's output: activation_b, or what a [compress_layer] says. */
int32_t dscq_rules_activation_bits(const dscq_settings *s, const dscq_model *m,
                                   int32_t node);
/* Kind of every node with weights; out: [nodes], the others' entries are undefined. */
void dscq_layer_kinds(dscq_layer_kind *out, const dscq_model *m);
const char *dscq_layer_kind_name(dscq_layer_kind k);

/* The settings as text that dscq_settings_from_config() reads back to the same rules:
 * a recipe. *text is freed with dscq_free(). */
dscq_status dscq_settings_text(char **out, const dscq_settings *s, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
