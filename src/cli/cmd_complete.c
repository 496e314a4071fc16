/* `dscq __complete WORD...`: candidates for the last word, one a line, from the same
 * tables as everything else. No candidate: the shell offers files. */
#include "cmd.h"

#include <stdio.h>
#include <string.h>

enum { OPTIONS_MAX = 64 };

static void offer(cli_call *call, const char *word, const char *beginning)
{
    if (strncmp(word, beginning, strlen(beginning)) == 0)
        cli_out_line(call, word);
}

static void offer_commands(cli_call *call, const char *beginning)
{
    for (size_t i = 0; call->program->commands[i] != NULL; i++)
        if (call->program->commands[i]->group != CLI_HIDDEN)
            offer(call, call->program->commands[i]->name, beginning);
}

static void offer_choices(cli_call *call, const cli_opt *o, const char *beginning)
{
    char word[DSCQ_NAME_MAX];

    for (int i = 0; o->key.type == DSCQ_KEY_ENUM; i++) {
        dscq_choice_name(word, sizeof word, o->key.choices, i);
        if (word[0] == '\0')
            return;
        offer(call, word, beginning);
    }
}

static void offer_operands(cli_call *call, const cli_cmd *cmd, const char *beginning)
{
    for (const char *const *w = cmd->topics; w != NULL && *w != NULL; w++)
        if (strcmp(*w, "@commands") == 0)
            offer_commands(call, beginning);
        else if (strcmp(*w, "@topics") == 0)
            for (size_t i = 0; call->program->topics[i] != NULL; i++)
                offer(call, call->program->topics[i]->name, beginning);
        else
            offer(call, *w, beginning);
}

static dscq_status run(cli_call *call, const void *params, dscq_error *err)
{
    const cli_opt *row[OPTIONS_MAX];
    const int n = call->arg_count;
    const char *last = n > 0 ? call->arg[n - 1] : "";

    (void)params;
    (void)err;
    if (n <= 1) {
        offer_commands(call, last);
        return DSCQ_OK;
    }
    const cli_cmd *cmd = cli_find(call->program, call->arg[0]);
    if (cmd == NULL)
        return DSCQ_OK;
    const size_t count = cli_all_options(row, OPTIONS_MAX, cmd);
    for (size_t i = 0; i < count; i++) {
        const char *before = n > 2 ? call->arg[n - 2] : "";
        if (row[i]->kind != CLI_FLAG && strcmp(before, row[i]->key.name) == 0) {
            offer_choices(call, row[i], last);
            return DSCQ_OK;
        }
    }
    if (*last != '-') {
        offer_operands(call, cmd, last);
        return DSCQ_OK;
    }
    for (size_t i = 0; i < count; i++)
        offer(call, row[i]->key.name, last);
    return DSCQ_OK;
}

const cli_cmd cli_cmd_complete = {
    .name = "__complete",
    .group = CLI_HIDDEN,
    .synopsis = "-- WORD...",
    .summary = "list what may come next on a command line",
    .description = "For the completion files of the shells.",
    .max_args = -1,
    .run = run,
};
