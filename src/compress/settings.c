#include "dscq/compress/settings.h"

#include "compress_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/str.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define P dscq_compress_params
const dscq_key dscq_compress_keys[] = {
    DSCQ_KEY_STR_ROW(P, method, "clipq", "methods, one stage after the other"),
    DSCQ_KEY_LIST_ROW(P, share, 0.01, 1, "", "part of the epochs of each stage"),
    DSCQ_KEY_INT_ROW(P, epochs, 0, 100000, "10", "epochs of fine-tuning"),
    DSCQ_KEY_REAL_ROW(P, learning_rate, 0, 10, "0.01", "rate of fine-tuning"),
    DSCQ_KEY_REAL_ROW(P, freeze_frac, 0, 1, "0.1",
                      "last part of the steps: masks and codebooks fixed"),
    DSCQ_KEY_REAL_ROW(P, p, 0, 0.999, "0.5", "fraction of a layer's weights to prune"),
    DSCQ_KEY_INT_ROW(P, b, 1, 16, "4", "bits of a weight's code (1: binary)"),
    DSCQ_KEY_ENUM_ROW(P, form, DSCQ_CHOICES(DSCQ_QFORM_LIST(DSCQ_CHOICE)), "codebook",
                      "how codes become weights, where the method leaves it open"),
    DSCQ_KEY_ENUM_ROW(P, scale, "layer|channel", "layer", "one weight scale for each"),
    DSCQ_KEY_ENUM_ROW(P, partition, "width|entropy", "width",
                      "how CLIP-Q cuts the axis into intervals"),
    DSCQ_KEY_ENUM_ROW(P, variant, DSCQ_VARIANT_CHOICES, "default",
                      "dsc_clipq: ablation"),
    DSCQ_KEY_ENUM_ROW(P, depthwise, "own|same", "own",
                      "depthwise layers: linear codes per channel, or as the others"),
    DSCQ_KEY_INT_ROW(P, dw_b, 2, 16, "8", "bits of depthwise weights"),
    DSCQ_KEY_INT_ROW(P, first_b, 0, 16, "8", "bits of the first layer (0: b)"),
    DSCQ_KEY_INT_ROW(P, last_b, 0, 16, "0", "bits of the last layer (0: b)"),
    DSCQ_KEY_REAL_ROW(P, dw_p, 0, 0.999, "0", "pruning rate of depthwise layers"),
    DSCQ_KEY_REAL_ROW(P, first_p, -1, 0.999, "0", "of the first layer (-1: p)"),
    DSCQ_KEY_REAL_ROW(P, last_p, -1, 0.999, "-1", "of the last layer (-1: p)"),
    DSCQ_KEY_REAL_ROW(P, ramp_frac, 0, 1, "0.5",
                      "magnitude, balance: part of a stage in which p is reached"),
    DSCQ_KEY_REAL_ROW(P, acc_loss, 0, 1, "0.001",
                      "reversed, peak: score that a cut may cost"),
    DSCQ_KEY_INT_ROW(P, round_epochs, 1, 1000, "1",
                     "reversed, peak: epochs of retraining after a cut"),
    DSCQ_KEY_REAL_ROW(P, density_step, 0.01, 0.99, "0.8",
                      "reversed: factor of the kept fraction from cut to cut"),
    DSCQ_KEY_REAL_ROW(P, alpha_first, 0.01, 2, "0.5",
                      "peak: first threshold, in peak positions"),
    DSCQ_KEY_REAL_ROW(P, alpha_step, 0.01, 1, "0.1", "peak: its growth"),
    DSCQ_KEY_ENUM_ROW(P, peak, "valley|accuracy|size", "valley",
                      "peak: which reading of the method"),
    DSCQ_KEY_INT_ROW(P, phase_epochs, 1, 1000, "5",
                     "acdc: epochs of a sparse or dense phase"),
    DSCQ_KEY_INT_ROW(P, lanes, 1, 4096, "8", "balance: lanes of the machine"),
    DSCQ_KEY_INT_ROW(P, tile, 1, 65536, "64", "balance: weights of a tile"),
    DSCQ_KEY_REAL_ROW(P, high_frac, 0, 1, "0.03",
                      "binary: part of the blocks that keep 8 bits"),
    DSCQ_KEY_INT_ROW(P, block, 0, 65536, "0",
                     "binary: weights of a block (0: a kernel, or 16)"),
    DSCQ_KEY_INT_ROW(P, activation_b, 4, 16, "8", "bits of activations"),
    DSCQ_KEY_INT_ROW(P, input_b, 4, 16, "8", "bits of the network's input"),
    DSCQ_KEY_INT_ROW(P, logit_b, 4, 16, "16", "bits of the network's outputs"),
    DSCQ_KEY_ENUM_ROW(P, calibration, "minmax|percentile|kl|mse", "mse",
                      "how the range of an activation is chosen"),
    DSCQ_KEY_REAL_ROW(P, percentile, 50, 100, "99.99",
                      "part of the values inside the range, percent"),
    DSCQ_KEY_INT_ROW(P, calibration_images, 1, 1000000, "512",
                     "images for calibration"),
    DSCQ_KEY_STR_ROW(
        P, ranges, "",
        "grids of activations instead, as import writes them (ranges.csv); "
        "layers it does not name are calibrated"),
    DSCQ_KEY_BOOL_ROW(P, learn_ranges, "0",
                      "ranges of activations learn from the freeze on"),
    DSCQ_KEY_REAL_ROW(P, range_rate, 0, 100, "1",
                      "learn_ranges: their rate, in learning rates"),
    DSCQ_KEY_BOOL_ROW(P, bias_correction, "0",
                      "shift biases by what quantisation does to the mean"),
    DSCQ_KEY_BOOL_ROW(P, reestimate_norm, "0",
                      "measure batch norm statistics again with quantised weights"),
    DSCQ_KEY_BOOL_ROW(P, fold_norm, "0",
                      "fold batch norm into the weights before anything else"),
    DSCQ_KEY_INT_ROW(P, channel_epochs, -1, 100000, "-1",
                     "keep_channels: epochs of the smaller network (-1: epochs)"),
    DSCQ_KEY_INT_ROW(
        P, channel_multiple, 1, 1024, "1",
        "keep_channels: channels kept are rounded up to multiples of this"),
    DSCQ_KEY_END};
#undef P

#define L dscq_layer_params
const dscq_key dscq_layer_keys[] = {
    DSCQ_KEY_STR_ROW(L, match, NULL, "globs over layer names, comma separated"),
    DSCQ_KEY_REAL_ROW(L, p, -1, 0.999, "-1", "pruning rate"),
    DSCQ_KEY_REAL_ROW(L, high_frac, -1, 1, "-1", "binary: blocks with 8 bits"),
    DSCQ_KEY_REAL_ROW(L, keep_channels, -1, 1, "-1",
                      "structured: part of the output channels to keep"),
    DSCQ_KEY_INT_ROW(L, b, -1, 16, "-1", "bits of a code"),
    DSCQ_KEY_ENUM_ROW(L, form, "inherit" DSCQ_QFORM_LIST(DSCQ_CHOICE), "inherit",
                      "how codes become weights"),
    DSCQ_KEY_ENUM_ROW(L, scale, "inherit|layer|channel", "inherit",
                      "one weight scale for each"),
    DSCQ_KEY_INT_ROW(L, block, -1, 65536, "-1", "binary: weights of a block"),
    DSCQ_KEY_INT_ROW(L, activation_b, -1, 16, "-1", "bits of the layer's output"),
    DSCQ_KEY_BOOL_ROW(L, skip, "0", "leave alone: 8 bits a channel, nothing pruned"),
    DSCQ_KEY_END};
#undef L

static const char k_section[] = "compress", k_layer_section[] = "compress_layer";

dscq_layer_params dscq_layer_params_none(void)
{
    return (dscq_layer_params){.p = -1.0,
                               .high_frac = -1.0,
                               .keep_channels = -1.0,
                               .b = -1,
                               .form = -1,
                               .scale = -1,
                               .block = -1,
                               .activation_b = -1};
}

dscq_status dscq_settings_create(dscq_settings **out, dscq_error *err)
{
    dscq_settings *s = dscq_calloc(1, sizeof *s);
    dscq_status status;

    *out = NULL;
    if (s == NULL)
        return dscq_fail_nomem(err, "compression settings", sizeof *s);
    status = dscq_keys_defaults(&s->all, dscq_compress_keys, err);
    if (status != DSCQ_OK) {
        dscq_settings_destroy(s);
        return status;
    }
    *out = s;
    return DSCQ_OK;
}

void dscq_settings_destroy(dscq_settings *s)
{
    if (s == NULL)
        return;
    dscq_free(s->layer);
    dscq_free(s);
}

dscq_status dscq_settings_add(dscq_settings *s, const dscq_layer_params *l,
                              dscq_error *err)
{
    const size_t bytes = s->layer_count * sizeof *s->layer;
    dscq_layer_params *grown = dscq_realloc(s->layer, bytes, bytes + sizeof *s->layer);

    if (grown == NULL)
        return dscq_fail_nomem(err, "compression settings", sizeof *s->layer);
    s->layer = grown;
    s->layer[s->layer_count++] = *l;
    return DSCQ_OK;
}

/* A method that is misspelt and a share that fits no stage are errors of the file; *key
 * is the one to blame. */
static dscq_status check_methods(const char **key, const dscq_compress_params *p,
                                 dscq_error *err)
{
    const char *at = p->method;
    int32_t stages = 0;

    *key = "method";
    while (*at != '\0') {
        const size_t n = strcspn(at, ",");
        char name[DSCQ_NAME_MAX];
        const dscq_method *nearest = dscq_method_at(0);

        (void)snprintf(name, sizeof name, "%.*s", (int)n, at);
        char *word = name + strspn(name, " \t");
        word[strcspn(word, " \t")] = '\0';
        if (dscq_method_find(word) == NULL) {
            for (size_t i = 1; i < dscq_method_count(); i++)
                if (dscq_edit_distance(word, dscq_method_at(i)->name) <
                    dscq_edit_distance(word, nearest->name))
                    nearest = dscq_method_at(i);
            return dscq_fail(err, DSCQ_FORMAT,
                             "[compress] method: unknown method '%s'; did you mean "
                             "'%s'?",
                             word, nearest->name);
        }
        stages++;
        at += n + (at[n] == ',');
        if (*at != '\0' && (dscq_method_find(word)->flags & DSCQ_METHOD_POST) != 0)
            return dscq_fail(
                err, DSCQ_FORMAT,
                "[compress] method: %s rounds the finished network and must "
                "be the last stage",
                word);
    }
    if (stages == 0 || stages > COMPRESS_STAGES)
        return dscq_fail(err, DSCQ_FORMAT, "[compress] method: %d stages; want 1 to %d",
                         stages, COMPRESS_STAGES);
    *key = "share";
    if (p->share.count != 0 && p->share.count != stages)
        return dscq_fail(err, DSCQ_FORMAT,
                         "[compress] share: %d numbers for %d stages of method = %s",
                         p->share.count, stages, p->method);
    *key = "learn_ranges";
    if (p->learn_ranges && p->epochs == 0)
        return dscq_fail(err, DSCQ_FORMAT,
                         "[compress] learn_ranges learns in fine-tuning: set epochs "
                         "above 0, or leave it out");
    *key = "bias_correction";
    if (p->bias_correction && p->epochs > 0)
        return dscq_fail(err, DSCQ_FORMAT,
                         "[compress] bias_correction compares with the network before "
                         "compression, which training has left behind: set epochs = 0, "
                         "or leave it out");
    return DSCQ_OK;
}

static dscq_status bad_layer(const dscq_layer_params *l, const dscq_config *cfg,
                             size_t i, dscq_error *err)
{
    const char *key = l->b == 0                 ? "b"
                      : l->keep_channels == 0.0 ? "keep_channels"
                                                : "activation_b";
    char where[DSCQ_PATH_MAX + DSCQ_NAME_MAX];

    dscq_config_key_origin(where, sizeof where, cfg, i, key);
    return dscq_fail(err, DSCQ_FORMAT, "%s: [compress_layer] %s must not be %s", where,
                     key, key[0] == 'a' ? "below 4" : "0");
}

static dscq_status read_layers(dscq_settings *s, dscq_config *cfg, dscq_error *err)
{
    for (size_t i = 0; i < dscq_config_count(cfg); i++) {
        dscq_layer_params l = dscq_layer_params_none();
        dscq_status status;

        if (strcmp(dscq_config_section(cfg, i), k_layer_section) != 0)
            continue;
        status =
            dscq_config_bind(&l, cfg, (int)i, k_layer_section, dscq_layer_keys, err);
        if (status != DSCQ_OK)
            return status;
        l.form--; /* "inherit" */
        l.scale--;
        if (dscq_config_get(cfg, i, "skip") == NULL)
            l.skip = -1;
        if (l.b == 0 || (l.activation_b >= 0 && l.activation_b < 4) ||
            l.keep_channels == 0.0) {
            status = bad_layer(&l, cfg, i, err);
            if (!dscq_config_complain(cfg, err))
                return status;
            continue;
        }
        status = dscq_settings_add(s, &l, err);
        if (status != DSCQ_OK)
            return status;
    }
    return DSCQ_OK;
}

dscq_status dscq_settings_from_config(dscq_settings **out, dscq_config *cfg,
                                      dscq_error *err)
{
    char where[DSCQ_PATH_MAX + DSCQ_NAME_MAX];
    const char *key = NULL;
    dscq_settings *s = NULL;
    dscq_status status;
    int at;

    *out = NULL;
    DSCQ_TRY(dscq_settings_create(&s, err));
    DSCQ_TRY(dscq_config_find_unique(&at, cfg, k_section, err));
    DSCQ_TRY(dscq_config_bind(&s->all, cfg, at, k_section, dscq_compress_keys, err));
    status = check_methods(&key, &s->all, err);
    if (status != DSCQ_OK) {
        if (at >= 0) {
            dscq_config_key_origin(where, sizeof where, cfg, (size_t)at, key);
            if (where[0] == '\0') /* its default does not suit another key */
                dscq_config_where(where, sizeof where, cfg, (size_t)at);
            status = dscq_fail_at(err, "%s", where);
        }
        if (!dscq_config_complain(cfg, err))
            goto done;
    }
    DSCQ_TRY(read_layers(s, cfg, err));
    *out = s;
    return DSCQ_OK;
done:
    dscq_settings_destroy(s);
    return status;
}

/* ---- as text --------------------------------------------------------------- */

static void put_layer(dscq_str *text, const dscq_layer_params *l)
{
    char word[64];

    dscq_str_addf(text, "\n[%s]\nmatch = %s\n", k_layer_section, l->match);
    if (l->p >= 0.0) {
        dscq_str_real(word, sizeof word, l->p);
        dscq_str_addf(text, "p = %s\n", word);
    }
    if (l->b > 0)
        dscq_str_addf(text, "b = %d\n", l->b);
    if (l->form >= 0) {
        dscq_choice_name(word, sizeof word, DSCQ_CHOICES(DSCQ_QFORM_LIST(DSCQ_CHOICE)),
                         l->form);
        dscq_str_addf(text, "form = %s\n", word);
    }
    if (l->scale >= 0)
        dscq_str_addf(text, "scale = %s\n", l->scale ? "channel" : "layer");
    if (l->high_frac >= 0.0) {
        dscq_str_real(word, sizeof word, l->high_frac);
        dscq_str_addf(text, "high_frac = %s\n", word);
    }
    if (l->block >= 0)
        dscq_str_addf(text, "block = %d\n", l->block);
    if (l->keep_channels > 0.0) {
        dscq_str_real(word, sizeof word, l->keep_channels);
        dscq_str_addf(text, "keep_channels = %s\n", word);
    }
    if (l->activation_b > 0)
        dscq_str_addf(text, "activation_b = %d\n", l->activation_b);
    if (l->skip >= 0)
        dscq_str_addf(text, "skip = %d\n", l->skip);
}

dscq_status dscq_settings_text(char **out, const dscq_settings *s, dscq_error *err)
{
    dscq_str text = {0};

    *out = NULL;
    dscq_str_addf(&text, "[%s]\n", k_section);
    for (const dscq_key *k = dscq_compress_keys; k->name != NULL; k++) {
        char value[DSCQ_LIST_MAX * 26];

        dscq_keys_print(value, sizeof value, &s->all, k);
        if (value[0] != '\0') /* an empty list is its own default */
            dscq_str_addf(&text, "%s = %s\n", k->name, value);
    }
    for (size_t i = 0; i < s->layer_count; i++)
        put_layer(&text, &s->layer[i]);
    if (text.bad) {
        dscq_str_free(&text);
        return dscq_fail_nomem(err, "recipe text", text.len);
    }
    *out = text.text;
    return DSCQ_OK;
}
