/* Manual pages in man(7), from the same rows as the help text. */
#include "help.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* '-' is a hyphen to roff and '\' its escape; a line must not begin with a dot or
 * an apostrophe. */
static void put_escaped(dscq_str *s, const char *text, size_t n)
{
    if (n > 0 && (*text == '.' || *text == '\''))
        dscq_str_add(s, "\\&");
    for (size_t i = 0; i < n; i++)
        if (text[i] == '-')
            dscq_str_add(s, "\\-");
        else if (text[i] == '\\')
            dscq_str_add(s, "\\e");
        else
            dscq_str_add_bytes(s, text + i, 1);
}

static void put(dscq_str *s, const char *text)
{
    put_escaped(s, text, strlen(text));
}

/* Words, a new input line after 70 columns or at a sentence's end. */
static void put_words(dscq_str *s, const char *text)
{
    size_t at = 0;
    char last = 'x';

    while (*text != '\0') {
        if (*text == '\n' && text[1] == '\n') {
            dscq_str_add(s, at > 0 ? "\n.PP\n" : ".PP\n");
            at = 0;
        }
        if (isspace((unsigned char)*text)) {
            text++;
            continue;
        }
        size_t n = 0;
        while (text[n] != '\0' && text[n] != ' ' && text[n] != '\n')
            n++;
        if (at > 0 && (at + n > 70 || last == '.')) {
            dscq_str_add(s, "\n");
            at = 0;
        } else if (at > 0) {
            dscq_str_add(s, " ");
        }
        put_escaped(s, text, n);
        at += n + 1;
        last = text[n - 1];
        text += n;
    }
    dscq_str_add(s, "\n");
}

static void put_title(dscq_str *s, const char *name, const char *summary)
{
    char capitals[DSCQ_NAME_MAX] = "";
    size_t n = 0;

    for (; name[n] != '\0' && n + 1 < sizeof capitals; n++)
        capitals[n] = (char)toupper((unsigned char)name[n]);
    dscq_str_add(s, ".TH ");
    put(s, capitals);
    dscq_str_add(s, " 1 \"" DSCQ_RELEASE_DATE "\" \"dscq " DSCQ_VERSION
                    "\" \"dscq manual\"\n.SH NAME\n");
    put(s, name);
    dscq_str_add(s, " \\- ");
    put(s, summary);
    dscq_str_add(s, "\n");
}

static void put_option(dscq_str *s, const cli_opt *o)
{
    const char *value = o->kind == CLI_FLAG            ? ""
                        : o->key.type == DSCQ_KEY_ENUM ? o->key.choices
                        : o->metavar != NULL           ? o->metavar
                                                       : "VALUE";
    const int is_json = strcmp(o->key.name, "--json") == 0;
    char text[512] = "";

    dscq_str_add(s, ".TP\n");
    if (o->letter != 0)
        dscq_str_addf(s, "\\fB\\-%c\\fR, ", o->letter);
    dscq_str_add(s, "\\fB");
    put(s, o->key.name);
    dscq_str_add(s, "\\fR");
    if (*value != '\0') {
        dscq_str_add(s, is_json ? "[=\\fI" : " \\fI");
        put(s, value);
        dscq_str_add(s, is_json ? "\\fR]" : "\\fR");
    }
    dscq_str_add(s, "\n");
    cli__help_option_text(text, sizeof text, o);
    put_words(s, text);
}

/* A line "$ ..." is shown as typed; the lines between say what it is for. */
static void put_examples(dscq_str *s, const char *text)
{
    int is_first = 1;

    while (*text != '\0') {
        const size_t n = strcspn(text, "\n");
        if (n > 0) {
            const int is_typed = *text == '$';
            dscq_str_add(s, is_first ? "" : ".PP\n");
            dscq_str_add(s, is_typed ? ".nf\n.RS\n" : "");
            put_escaped(s, text, n);
            dscq_str_add(s, is_typed ? "\n.RE\n.fi\n" : "\n");
            is_first = 0;
        }
        text += n + (text[n] == '\n');
    }
}

static void put_exit_codes(dscq_str *s)
{
    static const struct {
        const char *name;
        int code;
        const char *text;
    } k_codes[] = {
#define X(name, code, text) {#name, code, text},
        DSCQ_STATUS_LIST(X)
#undef X
    };

    dscq_str_add(s, ".SH EXIT STATUS\n");
    for (size_t i = 0; i < sizeof k_codes / sizeof k_codes[0]; i++) {
        dscq_str_addf(s, ".TP\n.B %d\n", k_codes[i].code);
        put(s, k_codes[i].text);
        dscq_str_add(s, "\n");
    }
}

static void command_page(dscq_str *s, const cli_cmd *cmd)
{
    const cli_opt *row[HELP_OPTIONS_MAX];
    char name[DSCQ_NAME_MAX] = "";

    (void)snprintf(name, sizeof name, "dscq-%s", cmd->name);
    put_title(s, name, cmd->summary);
    dscq_str_addf(s, ".SH SYNOPSIS\n\\fBdscq %s\\fR [\\fIOPTION\\fR]...", cmd->name);
    if (*cmd->synopsis != '\0') {
        dscq_str_add(s, " ");
        put(s, cmd->synopsis);
    }
    dscq_str_add(s, "\n.SH DESCRIPTION\n");
    put_words(s, cmd->description);
    dscq_str_add(s, ".SH OPTIONS\n");
    const size_t n = cli_all_options(row, HELP_OPTIONS_MAX, cmd);
    for (size_t i = 0; i < n; i++)
        put_option(s, row[i]);
    if (cmd->examples != NULL && *cmd->examples != '\0') {
        dscq_str_add(s, ".SH EXAMPLES\n");
        put_examples(s, cmd->examples);
    }
    put_exit_codes(s);
    dscq_str_add(s, ".SH SEE ALSO\n.BR dscq (1)\n");
}

static void main_page(dscq_str *s, const cli_program *p)
{
    put_title(s, "dscq", "compress depthwise separable networks and simulate them");
    dscq_str_add(s, ".SH SYNOPSIS\n\\fBdscq\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR]..."
                    " [\\fIOPERAND\\fR]...\n.SH DESCRIPTION\n");
    put_words(s,
              "dscq trains small convolutional networks, compresses them, packs them "
              "into one file, and runs that file on a model of an FPGA accelerator, "
              "cycle by cycle.\n\nEvery command has a page of its own.");
    dscq_str_add(s, ".SH COMMANDS\n");
    for (size_t i = 0; p->commands[i] != NULL; i++) {
        const cli_cmd *c = p->commands[i];
        if (c->group == CLI_HIDDEN)
            continue;
        dscq_str_addf(s, ".TP\n.BR dscq\\-%s (1)\n", c->name);
        put_words(s, c->summary);
    }
    put_exit_codes(s);
}

dscq_status cli__help_man(cli_call *call, const cli_cmd *cmd, dscq_error *err)
{
    dscq_str s = {0};

    if (cmd != NULL)
        command_page(&s, cmd);
    else
        main_page(&s, call->program);
    return cli__help_print(call, &s, err);
}
