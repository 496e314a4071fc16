#include "dscq/flow/project.h"

#include "dscq/base/alloc.h"
#include "dscq/base/config.h"
#include "dscq/base/hash.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/flow/import.h"
#include "dscq/nn/layers.h"
#include "flow_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const k_not_layers = FLOW_SECTIONS;

/* Over the cfg's bytes and what the command line changed. */
static dscq_status digest_config(dscq_project *p, const dscq_project_options *o,
                                 dscq_error *err)
{
    enum { CFG_BYTES_MAX = 1 << 24 };
    dscq_sha256 s;
    uint8_t *text = NULL;
    size_t bytes;
    dscq_status status;

    dscq_sha256_init(&s);
    if (o != NULL && o->text != NULL) {
        dscq_sha256_add(&s, o->text, strlen(o->text));
    } else {
        DSCQ_TRY(dscq_file_read(&text, &bytes, p->path, CFG_BYTES_MAX, err));
        dscq_sha256_add(&s, text, bytes);
    }
    for (size_t i = 0; o != NULL && i < o->set_count; i++)
        dscq_sha256_add(&s, o->set[i], strlen(o->set[i]) + 1);
    if (o != NULL && o->has_seed)
        dscq_sha256_add(&s, &p->train.seed, sizeof p->train.seed);
    if (p->recipe != NULL) {
        dscq_free(text);
        text = NULL;
        DSCQ_TRY(dscq_file_read(&text, &bytes, dscq_config_name(p->recipe),
                                CFG_BYTES_MAX, err));
        dscq_sha256_add(&s, text, bytes);
    }
    dscq_sha256_end(p->sha256, &s);
done:
    dscq_free(text);
    return status;
}

static dscq_status bind_section(void *params, dscq_project *p, const char *name,
                                const dscq_key *keys, int *found_out, dscq_error *err)
{
    int at;
    dscq_status status;

    DSCQ_TRY(dscq_config_find_unique(&at, p->cfg, name, err));
    if (found_out != NULL)
        *found_out = at >= 0;
    if (at < 0) /* what the section must say is asked for when it is needed */
        return dscq_keys_defaults(params, keys, err);
    DSCQ_TRY(dscq_config_bind(params, p->cfg, at, name, keys, err));
done:
    return status;
}

static dscq_status apply_overrides(dscq_project *p, const dscq_project_options *o,
                                   dscq_error *err)
{
    dscq_status status = DSCQ_OK;
    char seed[64];

    for (size_t i = 0; o != NULL && i < o->set_count; i++)
        FLOW_HEAR(dscq_config_set(p->cfg, o->set[i], "--set", err));
    if (o != NULL && o->has_seed) {
        snprintf(seed, sizeof seed, "train.seed=%llu", (unsigned long long)o->seed);
        DSCQ_TRY(dscq_config_set(p->cfg, seed, "--seed", err));
    }
done:
    return status;
}

/* Pictures of an imported network are not standardised by their own statistics, which
 * no exporter means, unless somebody says auto: they stay pixels of 0 to 1, as Darknet
 * has them. */
static dscq_status settle_imported(dscq_project *p, dscq_error *err)
{
    const int at = dscq_config_find(p->cfg, "data");
    int has[2];
    dscq_status status;

    if (at < 0 || !dscq_model_net(p->model)->imported)
        return DSCQ_OK;
    has[0] = dscq_config_get(p->cfg, (size_t)at, "mean") != NULL;
    has[1] = dscq_config_get(p->cfg, (size_t)at, "std") != NULL;
    if (!has[0]) {
        DSCQ_TRY(dscq_config_set(p->cfg, "data.mean=0", "imported network", err));
        dscq_str_copy(p->data.mean, sizeof p->data.mean, "0");
    }
    if (!has[1]) {
        DSCQ_TRY(dscq_config_set(p->cfg, "data.std=1", "imported network", err));
        dscq_str_copy(p->data.std, sizeof p->data.std, "1");
    }
    dscq_str_copy(p->unsaid, sizeof p->unsaid, dscq_flow_unsaid_keys(has[0], has[1]));
    return DSCQ_OK;
done:
    return status;
}

/* Darknet's letter_box = 1: pictures keep their shape, where [data] does not say how
 * they reach the input's size. */
static dscq_status settle_letter_box(dscq_project *p, dscq_error *err)
{
    const int at = dscq_config_find(p->cfg, "data");
    dscq_status status;

    if (at < 0 || !dscq_model_net(p->model)->letter_box ||
        dscq_config_get(p->cfg, (size_t)at, "resize") != NULL)
        return DSCQ_OK;
    DSCQ_TRY(dscq_config_set(p->cfg, "data.resize=letterbox", "net.letter_box", err));
    p->data.resize = DSCQ_RESIZE_LETTERBOX;
done:
    return status;
}

const char *dscq_flow_unsaid_keys(int has_mean, int has_std)
{
    return !has_mean && !has_std ? "mean and std"
           : !has_mean           ? "mean"
           : has_std             ? ""
                                 : "std";
}

void dscq_flow_unsaid_text(char *out, size_t cap, const char *keys)
{
    const int both = strchr(keys, ' ') != NULL;

    snprintf(out, cap,
             "the imported file does not say how pictures become the network's input, "
             "and %s %s not given in [data]: %s taken (of pixels 0 to 1); give what it "
             "was trained with",
             keys, both ? "are" : "is",
             both             ? "mean 0 and std 1 are"
             : keys[0] == 'm' ? "mean 0 is"
                              : "std 1 is");
}

int dscq_project_unsaid(char *out, size_t cap, dscq_project *p)
{
    if (p->unsaid[0] == '\0')
        return 0;
    dscq_flow_unsaid_text(out, cap, p->unsaid);
    p->unsaid[0] = '\0';
    return 1;
}

/* A wrong number in [data] leaves its default, a wrong type nothing to look at. */
static int has_type(const dscq_project *p)
{
    const int at = dscq_config_find(p->cfg, "data");
    const char *type = at >= 0 ? dscq_config_get(p->cfg, (size_t)at, "type") : NULL;

    return type != NULL && strcmp(type, dscq_data_type_name((size_t)p->data.type)) == 0;
}

/* A side of [net] as it is written, when there is no network to ask. */
static int32_t written_side(const dscq_project *p, const char *key)
{
    enum { USUAL = 32 }; /* enough to look at pictures with */
    int at = dscq_config_find(p->cfg, "net");

    if (at < 0)
        at = dscq_config_find(p->cfg, "network");
    const char *text = at >= 0 ? dscq_config_get(p->cfg, (size_t)at, key) : NULL;
    const long v = text != NULL ? strtol(text, NULL, 10) : 0;
    const int32_t most = strcmp(key, "channels") == 0 ? 3 : DSCQ_IMAGE_SIDE_MAX;

    return v >= 1 && v <= most ? (int32_t)v : most == 3 ? 3 : USUAL;
}

/* [data] takes the input's size where it says none. */
static dscq_status settle_size(dscq_project *p, dscq_error *err)
{
    const dscq_shape in = p->model != NULL ? dscq_model_input(p->model)
                                           : (dscq_shape){1, written_side(p, "height"),
                                                          written_side(p, "width"),
                                                          written_side(p, "channels")};

    if (p->data.width == 0)
        p->data.width = in.w;
    if (p->data.height == 0)
        p->data.height = in.h;
    if (p->data.channels == 0)
        p->data.channels = in.c;
    if (!p->has_data ||
        (p->data.width == in.w && p->data.height == in.h && p->data.channels == in.c))
        return DSCQ_OK;
    char where[DSCQ_PATH_MAX + DSCQ_NAME_MAX];
    dscq_config_where(where, sizeof where, p->cfg,
                      (size_t)dscq_config_find(p->cfg, "data"));
    return dscq_fail(err, DSCQ_FORMAT,
                     "%s: [data] is %d x %d x %d but [net] is %d x %d x %d; leave "
                     "the sizes out of [data] to take the network's",
                     where, (int)p->data.width, (int)p->data.height,
                     (int)p->data.channels, (int)in.w, (int)in.h, (int)in.c);
}

dscq_status dscq_project_plan_bytes(uint64_t *bytes, const dscq_project *p,
                                    dscq_error *err)
{
    dscq_train_params t = p->train;
    dscq_model *twin = NULL; /* a dry run freezes layers */
    dscq_train_plan plan;
    dscq_status status;

    t.lean = 1; /* as the run */
    DSCQ_TRY(dscq_model_clone(&twin, p->model, err));
    DSCQ_TRY(dscq_trainer_dry_run(&plan, twin, &t, NULL, NULL, err));
    *bytes = plan.total_bytes;
done:
    dscq_model_destroy(twin);
    return status;
}

/* A training step is what needs most; without it the weights must have room. */
static dscq_status make_weights(dscq_project *p, const dscq_project_options *o,
                                const dscq_rng *rng, dscq_error *err)
{
    uint64_t bytes = 0;
    dscq_status status;

    if (o != NULL && o->use == DSCQ_PROJECT_TRAIN) {
        DSCQ_TRY(dscq_project_plan_bytes(&bytes, p, err));
        DSCQ_TRY(dscq_exec_has_room(p->model, p->train.batch, bytes, err));
    }
    DSCQ_TRY(dscq_model_fill(p->model, rng, o != NULL ? o->log : NULL, err));
done:
    return status;
}

dscq_status dscq_project_open(dscq_project **out, const char *path,
                              const dscq_project_options *o, dscq_error *err)
{
    dscq_project *p = dscq_calloc(1, sizeof *p);
    dscq_status status;

    *out = NULL;
    if (p == NULL)
        return dscq_fail_nomem(err, "a project", sizeof *p);
    if (!dscq_str_copy(p->path, sizeof p->path, path)) {
        status =
            dscq_fail(err, DSCQ_ARG, "path of %zu bytes is too long", strlen(path));
        goto done;
    }
    dscq_path_dir(p->dir, sizeof p->dir, path);
    DSCQ_TRY(
        o != NULL && o->text != NULL
            ? dscq_config_parse(&p->cfg, o->text, strlen(o->text), path, err)
            : dscq_config_load_all(&p->cfg, path, o != NULL ? o->listener : NULL, err));
    FLOW_HEAR(apply_overrides(p, o, err));
    FLOW_HEAR(bind_section(&p->train, p, "train", dscq_train_keys, NULL, err));
    FLOW_HEAR(bind_section(&p->data, p, "data", dscq_data_keys, &p->has_data, err));
    p->is_data_sure = p->has_data && has_type(p);
    const dscq_rng root = dscq_rng_seeded((uint64_t)p->train.seed);
    const dscq_rng weights = dscq_rng_fork(&root, "weights", 0);
    DSCQ_TRY(dscq_model_from_config(&p->model, p->cfg, k_not_layers, NULL, err));
    if (p->model != NULL)
        DSCQ_TRY(settle_imported(p, err));
    if (p->model != NULL)
        DSCQ_TRY(settle_letter_box(p, err));
    FLOW_HEAR(settle_size(p, err));
    if (o != NULL && o->recipe != NULL)
        DSCQ_TRY(flow__load_recipe(p, o->recipe, err));
    DSCQ_TRY(flow__bind_more(p, o, err));
    if (p->model != NULL)
        FLOW_HEAR(dscq_config_check_used(p->cfg, "net|" FLOW_SECTIONS, err));
    DSCQ_TRY(digest_config(p, o, err));
    if (o != NULL && o->listener == NULL)
        flow__over_tell(p->cfg, o->log);
    if (p->model != NULL && (o == NULL || o->use != DSCQ_PROJECT_PLAN))
        DSCQ_TRY(make_weights(p, o, &weights, err));
    *out = p;
    return DSCQ_OK;
done:
    dscq_project_destroy(p);
    return status;
}

void dscq_project_destroy(dscq_project *p)
{
    if (p == NULL)
        return;
    dscq_dataset_destroy(p->calibration);
    dscq_dataset_destroy(p->dataset);
    dscq_settings_destroy(p->settings);
    dscq_model_destroy(p->origin);
    dscq_model_destroy(p->model);
    dscq_config_destroy(p->cfg);
    dscq_config_destroy(p->recipe);
    dscq_config_destroy(p->searched);
    for (size_t i = 0; i < p->section_count; i++)
        dscq_free(p->section_params[i]);
    for (int s = 0; s < DSCQ_FLOW_STAGES; s++)
        dscq_free(p->record[s]);
    dscq_free(p);
}

dscq_status dscq_project_check_data(const dscq_project *p, const dscq_log *log,
                                    dscq_error *err)
{
    dscq_data_params params = p->data;
    dscq_dataset *d = NULL;
    dscq_status status;

    if (strcmp(params.mean, "auto") == 0)
        (void)dscq_str_copy(params.mean, sizeof params.mean, "0");
    if (strcmp(params.std, "auto") == 0)
        (void)dscq_str_copy(params.std, sizeof params.std, "1");
    DSCQ_TRY(dscq_dataset_open(&d, &params, p->dir, log, err));
    DSCQ_TRY(dscq_project_fits(p, dscq_dataset_classes(d), err));
done:
    dscq_dataset_destroy(d);
    return status;
}

dscq_status dscq_project_dataset(dscq_dataset **out, dscq_project *p,
                                 const dscq_log *log, dscq_error *err)
{
    char text[256];
    dscq_status status;

    if (p->dataset == NULL) {
        if (!p->has_data)
            return dscq_fail(err, DSCQ_FORMAT,
                             "%s: no [data] section says which pictures to use",
                             p->path);
        if (dscq_project_unsaid(text, sizeof text, p))
            dscq_log_printf(log, DSCQ_LOG_WARN, "%s: %s", p->path, text);
        DSCQ_TRY(dscq_dataset_open(&p->dataset, &p->data, p->dir, log, err));
    }
    status = dscq_project_fits(p, dscq_dataset_classes(p->dataset), err);
    if (status != DSCQ_OK) {
        dscq_dataset_destroy(p->dataset);
        p->dataset = NULL;
        return status;
    }
    *out = p->dataset;
    return DSCQ_OK;
done:
    return status;
}

void dscq_project_print(const dscq_project *p, void (*put)(void *ctx, const char *line),
                        void *ctx)
{
    const dscq_config *c = p->cfg;

    if (p->has_data)
        dscq_config_print_section(c, dscq_config_find(c, "data"), "data", &p->data,
                                  dscq_data_keys, put, ctx);
    dscq_config_print_section(c, dscq_config_find(c, "train"), "train", &p->train,
                              dscq_train_keys, put, ctx);
    flow__print_more(p, put, ctx);
}
