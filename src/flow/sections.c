#include "dscq/base/alloc.h"
#include "dscq/compress/settings.h"
#include "flow_internal.h"

#include <string.h>

dscq_status flow__bind_more(dscq_project *p, dscq_error *err)
{
    flow_machine_file file;
    dscq_rule *rules = NULL;
    size_t count;
    dscq_status status;

    DSCQ_TRY(dscq_settings_from_config(&p->settings, p->cfg, err));
    /* A pattern that matches no layer is found now, not after training. */
    status = dscq_rules_make(&rules, &count, p->settings, p->model, err);
    dscq_free(rules);
    if (status != DSCQ_OK)
        return dscq_fail_at(err, "%s", p->path);
    DSCQ_TRY(flow__machine_section(&file, p->cfg, err));
done:
    return status;
}

void flow__print_more(const dscq_project *p, void (*put)(void *ctx, const char *line),
                      void *ctx)
{
    dscq_config_print_section(p->cfg, dscq_config_find(p->cfg, "compress"), "compress",
                              &p->settings->all, dscq_compress_keys, put, ctx);
    for (size_t i = 0, at = 0; at < dscq_config_count(p->cfg); at++) {
        const char *name = dscq_config_section(p->cfg, at);
        if (strcmp(name, "compress_layer") == 0 && i < p->settings->layer_count)
            dscq_config_print_section(p->cfg, (int)at, name, &p->settings->layer[i++],
                                      dscq_layer_keys, put, ctx);
    }
}
