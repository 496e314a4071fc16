#include "dscq/compress/settings.h"

#include "compress_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/str.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

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
    dscq_key keys[DSCQ_COMPRESS_KEYS];
    dscq_status status;

    *out = NULL;
    if (s == NULL)
        return dscq_fail_nomem(err, "compression settings", sizeof *s);
    dscq_compress_keys(keys);
    status = dscq_keys_defaults(&s->all, keys, err);
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

/* Keys that contradict each other are errors of the file; *key is the one to blame. */
static dscq_status check_keys(const char **key, const dscq_compress_params *p,
                              dscq_error *err)
{
    const dscq_method *stage[DSCQ_STAGES];
    int32_t stages = 0;
    dscq_status status;

    *key = "method";
    status = dscq_method_stages(stage, &stages, p->method, err);
    if (status != DSCQ_OK)
        return status;
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
    dscq_key keys[DSCQ_COMPRESS_KEYS];
    const char *key = NULL;
    dscq_settings *s = NULL;
    dscq_status status;
    int at;

    *out = NULL;
    DSCQ_TRY(dscq_settings_create(&s, err));
    DSCQ_TRY(dscq_config_find_unique(&at, cfg, k_section, err));
    dscq_compress_keys(keys);
    DSCQ_TRY(dscq_config_bind(&s->all, cfg, at, k_section, keys, err));
    status = check_keys(&key, &s->all, err);
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
    dscq_key keys[DSCQ_COMPRESS_KEYS];
    dscq_str text = {0};

    *out = NULL;
    dscq_compress_keys(keys);
    dscq_str_addf(&text, "[%s]\n", k_section);
    for (const dscq_key *k = keys; k->name != NULL; k++) {
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
