/*
 * project.h - opening a net.cfg for a command: the same everywhere.
 */
#ifndef CLI_PROJECT_H
#define CLI_PROJECT_H

#include "cmd.h"
#include "dscq/flow/folder.h"
#include "dscq/flow/project.h"
#include "dscq/flow/train.h"

/* Sections of net.cfg that modules above flow read. */
enum { CLI_SECTIONS = 1 };
extern const dscq_project_section *const cli_sections[CLI_SECTIONS];

/* call->arg[0]: a file, or a name under data/nets. --set and --seed applied. */
dscq_status cli_project_open(dscq_project **out, cli_call *call, dscq_error *err);
/* The same for a use of its own (--print-config only plans), and with a file of
 * [compress_layer] sections after those of the cfg; "": none. */
dscq_status cli_project_open_for(dscq_project **out, cli_call *call,
                                 dscq_project_use use, const char *recipe,
                                 dscq_error *err);
/* --print-config: prints it; 1 = that was all that was asked for. */
int cli_project_printed(cli_call *call, const dscq_project *p);
/* Output folder when -o is not given: "runs/" + the cfg's name. */
void cli_default_dir(char *out, size_t cap, const char *path);
/* The folder of a run for this call alone; dscq_folder_close() it. */
dscq_status cli_folder_open(dscq_folder **out, const cli_call *call, const char *dir,
                            dscq_error *err);
dscq_run_options cli_run_options(const cli_call *call, const char *dir,
                                 const char *weights, int resume);

#endif
