#include "help.h"

#include <stdio.h>
#include <string.h>

typedef struct options {
    int32_t man;
} options;

static void put_examples(dscq_str *s, const char *text)
{
    dscq_str_add(s, "Examples:\n");
    while (*text != '\0') {
        const size_t n = strcspn(text, "\n");
        dscq_str_addf(s, "%s%.*s\n",
                      n == 0         ? ""
                      : *text == '$' ? "    "
                                     : "  ",
                      (int)n, text);
        text += n + (text[n] == '\n');
    }
    dscq_str_add(s, "\n");
}

static void build_command(dscq_str *s, const cli_cmd *cmd)
{
    const cli_opt *row[HELP_OPTIONS_MAX];
    char form[200] = "", text[512] = "";

    dscq_str_addf(s, "usage: dscq %s [OPTION]...%s%s\n\n", cmd->name,
                  *cmd->synopsis != '\0' ? " " : "", cmd->synopsis);
    if (cmd->examples != NULL && *cmd->examples != '\0')
        put_examples(s, cmd->examples);
    cli__help_fill(s, cmd->description, 0, 0);
    dscq_str_add(s, "\nOptions:\n");
    const size_t n = cli_all_options(row, HELP_OPTIONS_MAX, cmd);
    for (size_t i = 0; i < n; i++) {
        cli__help_option_form(form, sizeof form, row[i]);
        cli__help_option_text(text, sizeof text, row[i]);
        cli__help_item(s, form, text, 30);
    }
}

void cli_help_command(cli_call *call, const cli_cmd *cmd)
{
    dscq_str s = {0};

    build_command(&s, cmd);
    (void)cli__help_print(call, &s, NULL);
}

void cli__help_overview(dscq_str *s, const cli_program *p)
{
    dscq_str_add(s, "usage: dscq COMMAND [OPTION]... [OPERAND]...\n\n");
    cli__help_fill(
        s,
        "dscq compresses depthwise separable networks, packs them, and shows how "
        "they run on an FPGA array.",
        0, 0);
    for (int g = CLI_MODEL; g < CLI_HIDDEN; g++) {
        int titled = 0;
        for (size_t i = 0; p->commands[i] != NULL; i++) {
            const cli_cmd *c = p->commands[i];
            if ((int)c->group != g)
                continue;
            if (!titled++)
                dscq_str_addf(s, "\n%s:\n", cli__help_group_title(c->group));
            cli__help_item(s, c->name, c->summary, 16);
        }
    }
    dscq_str_add(s, "\nTopics:\n");
    for (size_t i = 0; p->topics[i] != NULL; i++)
        cli__help_item(s, p->topics[i]->name, p->topics[i]->summary, 16);
    dscq_str_add(s, "\n'dscq help NAME' explains a command or a topic.\n");
}

static dscq_status no_such_page(const cli_program *p, const char *name, dscq_error *err)
{
    const char *names[128];
    size_t n = cli_listed(names, 64, p);

    for (size_t i = 0; p->topics[i] != NULL && n < 128; i++)
        names[n++] = p->topics[i]->name;
    const char *near = cli_near(name, names, n);
    if (near != NULL)
        return dscq_fail(err, DSCQ_ARG, "no command or topic '%s'; did you mean '%s'?",
                         name, near);
    return dscq_fail(err, DSCQ_ARG, "no command or topic '%s'; try 'dscq help'", name);
}

static dscq_status run(cli_call *call, const void *params, dscq_error *err)
{
    const options *o = params;
    const cli_program *p = call->program;
    const char *name = call->arg_count > 0 ? call->arg[0] : NULL;
    dscq_str s = {0};

    if (o->man && (name == NULL || strcmp(name, "dscq") == 0))
        return cli__help_man(call, NULL, err);
    if (name == NULL) {
        cli__help_overview(&s, p);
        return cli__help_print(call, &s, err);
    }
    const cli_cmd *cmd = cli_find(p, name);
    if (cmd != NULL && o->man)
        return cli__help_man(call, cmd, err);
    if (cmd != NULL) {
        build_command(&s, cmd);
        return cli__help_print(call, &s, err);
    }
    for (size_t i = 0; p->topics[i] != NULL; i++)
        if (!o->man && strcmp(p->topics[i]->name, name) == 0)
            return p->topics[i]->print(call, err);
    if (!o->man && cli__help_lookup(&s, p, name) > 0)
        return cli__help_print(call, &s, err);
    dscq_str_free(&s);
    return no_such_page(p, name, err);
}

static const cli_opt k_options[] = {
    CLI_OPT_FLAG(options, man, "--man", 0, "print the manual page source (man(7))"),
    CLI_OPT_END};

static const char *const k_words[] = {"@commands", "@topics", NULL};

const cli_cmd cli_cmd_help = {
    .name = "help",
    .group = CLI_META,
    .synopsis = "[COMMAND | TOPIC | WORD]",
    .summary = "explain a command, a topic, a key or a name",
    .description =
        "Without an operand: the list of commands and topics.\n\n"
        "With the name of a command: its usage, what it does, its options. "
        "Any other word is looked up in the tables: a key (train.epochs, or "
        "epochs for all sections that have it), a section ([train]), a layer, "
        "a method, an encoding, a type of data, an option (behind --).",
    .examples = "The options of a command:\n"
                "$ dscq help version\n"
                "A key, a section, a method:\n"
                "$ dscq help train.epochs\n"
                "$ dscq help '[train]'\n"
                "$ dscq help dsc_clipq\n"
                "What the exit codes mean:\n"
                "$ dscq help exit-codes\n",
    .max_args = 1,
    .options = k_options,
    .option_bytes = sizeof(options),
    .topics = k_words,
    .run = run,
};
