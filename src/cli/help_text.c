#include "help.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void pad(dscq_str *out, int n)
{
    while (n-- > 0)
        dscq_str_add_bytes(out, " ", 1);
}

void cli__help_fill(dscq_str *out, const char *text, int at, int indent)
{
    int at_start = 1; /* of a paragraph or of the text */

    if (at < indent) {
        pad(out, indent - at);
        at = indent;
    }
    while (*text != '\0') {
        if (*text == '\n' && text[1] == '\n') {
            dscq_str_add(out, "\n\n");
            pad(out, indent);
            at = indent;
            at_start = 1;
        }
        if (isspace((unsigned char)*text)) {
            text++;
            continue;
        }
        const int n = (int)strcspn(text, " \n");
        if (!at_start && at + 1 + n > HELP_WIDTH) {
            dscq_str_add(out, "\n");
            pad(out, indent);
            at = indent;
        } else if (!at_start) {
            dscq_str_add(out, " ");
            at++;
        }
        dscq_str_add_bytes(out, text, (size_t)n);
        at += n;
        text += n;
        at_start = 0;
    }
    dscq_str_add(out, "\n");
}

void cli__help_item(dscq_str *out, const char *name, const char *text, int column)
{
    int at = 2 + (int)strlen(name);

    dscq_str_addf(out, "  %s", name);
    if (at + 2 > column) {
        dscq_str_add(out, "\n");
        at = 0;
    }
    cli__help_fill(out, text, at, column);
}

void cli__help_option_form(char *out, size_t cap, const cli_opt *o)
{
    char letter[8] = "    ";
    const char *value = o->kind == CLI_FLAG            ? ""
                        : o->key.type == DSCQ_KEY_ENUM ? o->key.choices
                        : o->metavar != NULL           ? o->metavar
                                                       : "VALUE";

    if (o->letter != 0)
        (void)snprintf(letter, sizeof letter, "-%c, ", o->letter);
    if (strcmp(o->key.name, "--json") == 0)
        (void)snprintf(out, cap, "%s--json[=%s]", letter, value);
    else
        (void)snprintf(out, cap, "%s%s%s%s", letter, o->key.name,
                       *value != '\0' ? " " : "", value);
}

void cli__help_option_text(char *out, size_t cap, const cli_opt *o)
{
    const char *d = o->key.dflt;

    if (o->kind != CLI_VALUE || d == NULL || *d == '\0' || strcmp(d, "-1") == 0)
        (void)snprintf(out, cap, "%s", o->key.help);
    else
        (void)snprintf(out, cap, "%s (default %s)", o->key.help, d);
}

dscq_status cli__help_print(cli_call *call, dscq_str *s, dscq_error *err)
{
    dscq_status status = DSCQ_OK;

    if (s->bad)
        status = dscq_fail(err, DSCQ_NOMEM, "out of memory: help text");
    else if (s->text != NULL)
        cli_out_raw(call, s->text);
    dscq_str_free(s);
    return status;
}

const char *cli__help_group_title(cli_group group)
{
    static const char *const k_title[] = {
        "Networks and data", "Compression and packing", "Hardware, energy, reports",
        "About this program", ""};

    return k_title[group];
}
