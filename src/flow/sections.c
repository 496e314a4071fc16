#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "dscq/compress/settings.h"
#include "flow_internal.h"

#include <string.h>

static const char k_layer_section[] = "compress_layer";

dscq_status flow__load_recipe(dscq_project *p, const char *path, dscq_error *err)
{
    dscq_status status = dscq_config_load(&p->recipe, path, err);

    if (status != DSCQ_OK)
        return status;
    for (size_t i = 0; i < dscq_config_count(p->recipe); i++)
        if (strcmp(dscq_config_section(p->recipe, i), k_layer_section) != 0)
            return dscq_fail(err, DSCQ_FORMAT,
                             "%s:%d: [%s]: a recipe has [%s] sections only", path,
                             dscq_config_line(p->recipe, i),
                             dscq_config_section(p->recipe, i), k_layer_section);
    return DSCQ_OK;
}

static dscq_status add_recipe(dscq_project *p, dscq_error *err)
{
    dscq_settings *more = NULL;
    dscq_status status;

    if (p->recipe == NULL)
        return DSCQ_OK;
    DSCQ_TRY(dscq_settings_from_config(&more, p->recipe, err));
    for (size_t i = 0; i < more->layer_count; i++)
        DSCQ_TRY(dscq_settings_add(p->settings, &more->layer[i], err));
done:
    dscq_settings_destroy(more);
    return status;
}

static dscq_status bind_section(void *params, dscq_project *p, const char *name,
                                const dscq_key *keys, dscq_error *err)
{
    int at;
    dscq_status status;

    DSCQ_TRY(dscq_config_find_unique(&at, p->cfg, name, err));
    DSCQ_TRY(dscq_config_bind(params, p->cfg, at, name, keys, err));
done:
    return status;
}

/* A time that cannot be read is found now, not when the search begins. */
static dscq_status check_budget(const dscq_project *p, dscq_error *err)
{
    const int at = dscq_config_find(p->cfg, "search");
    char where[DSCQ_PATH_MAX + DSCQ_NAME_MAX];
    double seconds;

    if (p->search.budget[0] == '\0' ||
        dscq_parse_duration(&seconds, p->search.budget, err) == DSCQ_OK)
        return DSCQ_OK;
    if (err != NULL)
        err->code = DSCQ_FORMAT; /* like any other value of a key */
    dscq_config_key_origin(where, sizeof where, p->cfg, (size_t)at, "budget");
    return dscq_fail_at(err, "%s: budget", where);
}

dscq_status flow__bind_more(dscq_project *p, dscq_error *err)
{
    flow_machine_file file;
    dscq_rule *rules = NULL;
    size_t count;
    dscq_status status;

    FLOW_HEAR(dscq_settings_from_config(&p->settings, p->cfg, err));
    FLOW_HEAR(p->settings != NULL ? add_recipe(p, err) : DSCQ_OK);
    /* A pattern that matches no layer is found now, not after training. */
    if (p->settings != NULL && p->model != NULL) {
        status = dscq_rules_make(&rules, &count, p->settings, p->model, err);
        dscq_free(rules);
        if (status != DSCQ_OK)
            FLOW_HEAR(dscq_fail_at(err, "%s", p->path));
    }
    FLOW_HEAR(bind_section(&p->sense, p, "sensitivity", dscq_sense_keys, err));
    FLOW_HEAR(bind_section(&p->search, p, "search", dscq_search_keys, err));
    FLOW_HEAR(check_budget(p, err));
    FLOW_HEAR(flow__machine_section(&file, p->cfg, err));
done:
    return status;
}

/* The [compress_layer] sections of one file; settings->layer[*row] is its first. */
static void print_layers(const dscq_project *p, const dscq_config *from, size_t *row,
                         void (*put)(void *ctx, const char *line), void *ctx)
{
    for (size_t at = 0; at < dscq_config_count(from); at++) {
        const char *name = dscq_config_section(from, at);
        if (strcmp(name, k_layer_section) == 0 && *row < p->settings->layer_count)
            dscq_config_print_section(from, (int)at, name,
                                      &p->settings->layer[(*row)++], dscq_layer_keys,
                                      put, ctx);
    }
}

void flow__print_more(const dscq_project *p, void (*put)(void *ctx, const char *line),
                      void *ctx)
{
    size_t row = 0;

    dscq_config_print_section(p->cfg, dscq_config_find(p->cfg, "compress"), "compress",
                              &p->settings->all, dscq_compress_keys, put, ctx);
    print_layers(p, p->cfg, &row, put, ctx);
    if (p->recipe != NULL)
        print_layers(p, p->recipe, &row, put, ctx);
    if (p->searched != NULL)
        print_layers(p, p->searched, &row, put, ctx);
    const int sense = dscq_config_find(p->cfg, "sensitivity");
    if (sense >= 0)
        dscq_config_print_section(p->cfg, sense, "sensitivity", &p->sense,
                                  dscq_sense_keys, put, ctx);
    const int search = dscq_config_find(p->cfg, "search");
    if (search >= 0)
        dscq_config_print_section(p->cfg, search, "search", &p->search,
                                  dscq_search_keys, put, ctx);
}
