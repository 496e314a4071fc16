/* Opening a net.cfg for a command: the same everywhere. */
#include "project.h"

#include "dscq/base/io.h"
#include "dscq/search/search.h"

#include <stdio.h>
#include <string.h>

const dscq_project_section *const cli_sections[CLI_SECTIONS] = {&dscq_search_section};

dscq_status cli_project_open(dscq_project **out, cli_call *call, dscq_error *err)
{
    return cli_project_open_for(out, call, DSCQ_PROJECT_RUN, "", err);
}

dscq_status cli_project_open_for(dscq_project **out, cli_call *call,
                                 dscq_project_use use, const char *recipe,
                                 dscq_error *err)
{
    const cli_common *c = &call->common;
    const dscq_project_options o = {.set = c->set.v,
                                    .set_count = (size_t)c->set.count,
                                    .has_seed = c->seed >= 0,
                                    .seed = c->seed >= 0 ? (uint64_t)c->seed : 0,
                                    .recipe = recipe[0] != '\0' ? recipe : NULL,
                                    .section = cli_sections,
                                    .section_count = CLI_SECTIONS,
                                    .use = c->print_config ? DSCQ_PROJECT_PLAN : use,
                                    .log = call->log};
    char path[DSCQ_PATH_MAX];
    dscq_status status;

    DSCQ_TRY(cli_data_file(path, sizeof path, "nets", call->arg[0], err));
    DSCQ_TRY(dscq_project_open(out, path, &o, err));
done:
    return status;
}

int cli_project_printed(cli_call *call, const dscq_project *p)
{
    if (call->common.print_config)
        dscq_project_print(p, cli_out_line, call);
    return call->common.print_config;
}

/* "nets/mobilenet.cfg" -> "runs/mobilenet" */
void cli_default_dir(char *out, size_t cap, const char *path)
{
    const char *base = dscq_path_base(path);

    snprintf(out, cap, "runs/%.*s", (int)dscq_path_stem(base), base);
}

dscq_status cli_folder_open(dscq_folder **out, const cli_call *call, const char *dir,
                            dscq_error *err)
{
    char what[2 * DSCQ_NAME_MAX];

    (void)snprintf(what, sizeof what, "dscq %s %.200s", call->cmd->name, call->arg[0]);
    return dscq_folder_open(out, dir, what, call->common.force, call->log, err);
}

dscq_run_options cli_run_options(const cli_call *call, const char *dir,
                                 const char *weights, int resume)
{
    return (dscq_run_options){.out_dir = dir,
                              .weights = weights[0] != '\0' ? weights : NULL,
                              .threads = call->common.threads,
                              .resume = resume,
                              .force = call->common.force,
                              .log = call->log};
}
