#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "dscq/compress/settings.h"
#include "flow_internal.h"

#include <assert.h>
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

static dscq_status bind_other(dscq_project *p, const dscq_project_section *row,
                              dscq_error *err)
{
    void *params = dscq_calloc(1, row->bytes);
    dscq_status status;

    if (params == NULL)
        return dscq_fail_nomem(err, "the settings", row->bytes);
    p->section[p->section_count] = row;
    p->section_params[p->section_count++] = params;
    FLOW_HEAR(bind_section(params, p, row->name, row->keys, err));
    if (row->check != NULL)
        FLOW_HEAR(row->check(params, p->cfg, dscq_config_find(p->cfg, row->name), err));
done:
    return status;
}

void *dscq_project_section_params(dscq_project *p, const dscq_project_section *section)
{
    for (size_t i = 0; i < p->section_count; i++)
        if (p->section[i] == section)
            return p->section_params[i];
    return NULL;
}

dscq_project_options flow__same_sections(const dscq_project *p)
{
    return (dscq_project_options){.section = p->section,
                                  .section_count = p->section_count};
}

const dscq_settings *dscq_project_settings(const dscq_project *p)
{
    return p->settings;
}

dscq_status dscq_project_use_recipe(dscq_project *p, size_t rows, const char *path,
                                    dscq_error *err)
{
    dscq_settings *more = NULL;
    dscq_status status;

    dscq_config_destroy(p->searched);
    p->searched = NULL;
    p->settings->layer_count = rows;
    DSCQ_TRY(dscq_config_load(&p->searched, path, err));
    DSCQ_TRY(dscq_settings_from_config(&more, p->searched, err));
    for (size_t i = 0; i < more->layer_count; i++)
        DSCQ_TRY(dscq_settings_add(p->settings, &more->layer[i], err));
done:
    dscq_settings_destroy(more);
    return status;
}

dscq_status flow__bind_more(dscq_project *p, const dscq_project_options *o,
                            dscq_error *err)
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
    assert(o == NULL || o->section_count <= DSCQ_PROJECT_SECTIONS);
    for (size_t i = 0; o != NULL && i < o->section_count; i++)
        DSCQ_TRY(bind_other(p, o->section[i], err));
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
    dscq_key keys[DSCQ_COMPRESS_KEYS];
    size_t row = 0;

    dscq_compress_keys(keys);
    dscq_config_print_section(p->cfg, dscq_config_find(p->cfg, "compress"), "compress",
                              &p->settings->all, keys, put, ctx);
    print_layers(p, p->cfg, &row, put, ctx);
    if (p->recipe != NULL)
        print_layers(p, p->recipe, &row, put, ctx);
    if (p->searched != NULL)
        print_layers(p, p->searched, &row, put, ctx);
    const int sense = dscq_config_find(p->cfg, "sensitivity");
    if (sense >= 0)
        dscq_config_print_section(p->cfg, sense, "sensitivity", &p->sense,
                                  dscq_sense_keys, put, ctx);
    for (size_t i = 0; i < p->section_count; i++) {
        const dscq_project_section *other = p->section[i];
        const int at = dscq_config_find(p->cfg, other->name);
        if (at >= 0)
            dscq_config_print_section(p->cfg, at, other->name, p->section_params[i],
                                      other->keys, put, ctx);
    }
}
