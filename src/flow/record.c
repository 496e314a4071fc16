/* Which settings made what lies in a run's folder: settings.txt, a part for every
 * stage, a line for every setting that decides what the stage makes. A stage that goes
 * on with
 * --resume compares them: what was begun with one setting and ended with another was
 * made by neither. Keys whose row says DSCQ_MAY_CHANGE are left out. */
#include "dscq/base/alloc.h"
#include "dscq/base/hash.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/nn/checkpoint.h"
#include "flow_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_MAX = DSCQ_LIST_MAX * 26 + DSCQ_PATH_MAX };

/* ---- the settings as lines --------------------------------------------------------
 */

/* A value is one line. */
static void put(dscq_str *to, const char *key, const char *value)
{
    dscq_str_addf(to, "%s=", key);
    for (const char *p = value; *p != '\0'; p++)
        dscq_str_add_bytes(to, *p == '\n' || *p == '\r' ? " " : p, 1);
    dscq_str_add(to, "\n");
}

/* Data that only measuring at the end reads, and calibration. */
static int is_read_later(const char *key)
{
    static const char *const k_later[] = {"test", "test_labels", "test_count",
                                          "calibrate"};

    for (size_t i = 0; i < sizeof k_later / sizeof *k_later; i++)
        if (strcmp(key, k_later[i]) == 0)
            return 1;
    return 0;
}

void dscq_flow_record_keys(dscq_str *to, const char *section, const void *params,
                           const dscq_key *keys, int all)
{
    char name[2 * DSCQ_NAME_MAX], value[VALUE_MAX];

    for (const dscq_key *k = keys; k->name != NULL; k++) {
        if (!all && dscq_key_may_change(k))
            continue;
        (void)snprintf(name, sizeof name, "%s.%s", section, k->name);
        (void)dscq_keys_print(value, sizeof value, params, k);
        put(to, name, value);
    }
}

static void put_data(dscq_str *to, const dscq_data_params *data, int all)
{
    char name[DSCQ_NAME_MAX], value[VALUE_MAX];

    for (const dscq_key *k = dscq_data_keys; k->name != NULL; k++) {
        if (dscq_key_may_change(k) || (!all && is_read_later(k->name)))
            continue;
        (void)snprintf(name, sizeof name, "data.%s", k->name);
        (void)dscq_keys_print(value, sizeof value, data, k);
        put(to, name, value);
    }
}

static int is_setting(const char *section)
{
    static const char k_all[] = "|" FLOW_SECTIONS "|";
    char word[DSCQ_NAME_MAX];

    (void)snprintf(word, sizeof word, "|%.100s|", section);
    return strstr(k_all, word) != NULL;
}

/* The graph as it stands in the cfg: [net], and the layers by their number. */
static void put_network(dscq_str *to, const dscq_config *c)
{
    int32_t layer = 0;

    for (size_t i = 0; i < dscq_config_count(c); i++) {
        const char *section = dscq_config_section(c, i), *key;
        const int is_net = i == 0 || strcmp(section, "net") == 0;
        char name[3 * DSCQ_NAME_MAX], of[DSCQ_NAME_MAX];

        if (is_setting(section))
            continue;
        (void)snprintf(of, sizeof of, is_net ? "net" : "layer %d", (int)layer);
        if (!is_net) {
            put(to, of, section);
            layer++;
        }
        for (size_t k = 0; (key = dscq_config_key_at(c, i, k)) != NULL; k++) {
            (void)snprintf(name, sizeof name, "%s.%.200s", of, key);
            put(to, name, dscq_config_get(c, i, key));
        }
    }
}

/* The text of all [compress] and [compress_layer] sections, a line a key. */
static dscq_status put_compress(dscq_str *to, const dscq_settings *s, dscq_error *err)
{
    char section[DSCQ_NAME_MAX] = "", name[3 * DSCQ_NAME_MAX], *text = NULL;
    int32_t rows = 0;
    const dscq_status status = dscq_settings_text(&text, s, err);

    if (status != DSCQ_OK)
        return status;
    for (char *line = text, *next; *line != '\0'; line = next) {
        next = line + strcspn(line, "\n");
        if (*next != '\0')
            *next++ = '\0';
        char *equal = strstr(line, " = ");
        if (strcmp(line, "[compress]") == 0) {
            (void)snprintf(section, sizeof section, "compress");
        } else if (line[0] == '[') {
            (void)snprintf(section, sizeof section, "compress_layer#%d", (int)++rows);
        } else if (equal != NULL) {
            *equal = '\0';
            (void)snprintf(name, sizeof name, "%s.%.200s", section, line);
            put(to, name, equal + 3);
        }
    }
    dscq_free(text);
    return DSCQ_OK;
}

/* What a file of the settings holds: its name says too little. */
static dscq_status put_contents(dscq_str *to, const char *key, const char *dir,
                                const char *file, dscq_error *err)
{
    char path[DSCQ_PATH_MAX], digest[65], name[DSCQ_NAME_MAX];
    dscq_status status = DSCQ_OK;

    if (file[0] == '\0')
        return DSCQ_OK;
    DSCQ_TRY(dscq_path_locate(path, sizeof path, dir, file, err));
    if (!dscq_path_is_file(path)) /* whoever needs it will say so */
        return DSCQ_OK;
    DSCQ_TRY(dscq_sha256_file(digest, path, err));
    (void)snprintf(name, sizeof name, "%s (contents)", key);
    put(to, name, digest);
done:
    return status;
}

void dscq_flow_digest_network(dscq_sha256 *h, const dscq_model *m)
{
    for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
        const dscq_node *n = dscq_model_node(m, i);
        const dscq_weights *w = n->weights;
        const float *const all[] = {w->bias, w->gamma, w->beta, w->mean, w->var};

        dscq_sha256_add(h, n->name, strlen(n->name) + 1);
        if (w->count > 0)
            dscq_sha256_add(h, w->w, w->count * sizeof *w->w);
        for (size_t k = 0; k < sizeof all / sizeof *all; k++)
            if (all[k] != NULL)
                dscq_sha256_add(h, all[k], (size_t)w->channels * sizeof(float));
    }
}

/* What the run starts from. */
static dscq_status put_weights(dscq_str *to, const dscq_project *p,
                               const dscq_run_options *o, dscq_error *err)
{
    char digest[65] = "none";
    dscq_status status = DSCQ_OK;
    dscq_sha256 h;

    if (o->weights != NULL) {
        DSCQ_TRY(dscq_sha256_file(digest, o->weights, err));
    } else if (o->as_is) {
        dscq_sha256_init(&h);
        dscq_flow_digest_network(&h, p->model);
        dscq_sha256_end(digest, &h);
    }
    put(to, "--weights (contents)", digest);
done:
    return status;
}

dscq_status dscq_flow_record_text(dscq_str *to, dscq_project *p,
                                  const dscq_run_options *o, dscq_flow_stage stage,
                                  dscq_error *err)
{
    const int all = stage == DSCQ_FLOW_SEARCHED || stage == DSCQ_FLOW_COMPRESSED;
    const dscq_kernels *kernels = dscq_kernels_get(o->kernels);
    char digest[17];
    dscq_dataset *d;
    dscq_status status;

    put_network(to, p->cfg);
    put_data(to, &p->data, all);
    DSCQ_TRY(dscq_project_dataset(&d, p, o->log, err));
    dscq_dataset_digest(digest, d);
    put(to, "the data (pictures, labels)", digest);
    if (stage != DSCQ_FLOW_SENSED) {
        dscq_flow_record_keys(to, "train", &p->train, dscq_train_keys, 0);
        DSCQ_TRY(put_contents(to, "train.teacher", p->dir, p->train.teacher, err));
        DSCQ_TRY(
            put_contents(to, "train.teacher_net", p->dir, p->train.teacher_net, err));
    }
    if (all) {
        DSCQ_TRY(put_compress(to, p->settings, err));
        DSCQ_TRY(
            put_contents(to, "compress.ranges", p->dir, p->settings->all.ranges, err));
    }
    if (stage == DSCQ_FLOW_SENSED ||
        stage == DSCQ_FLOW_SEARCHED) /* what is probed decides trials */
        dscq_flow_record_keys(to, "sensitivity", &p->sense, dscq_sense_keys, all);
    if (stage == DSCQ_FLOW_SEARCHED)
        for (size_t i = 0; i < p->section_count; i++)
            dscq_flow_record_keys(to, p->section[i]->name, p->section_params[i],
                                  p->section[i]->keys, 0);
    DSCQ_TRY(put_weights(to, p, o, err));
    put(to, "the float kernels", kernels != NULL ? kernels->name : "?");
    if (to->bad)
        status = dscq_fail_nomem(err, "the settings", to->len);
done:
    return status;
}
