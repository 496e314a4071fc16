/*
 * help.h - what cmd_help.c, help_man.c and the topics share.
 */
#ifndef DSCQ_CLI_HELP_H
#define DSCQ_CLI_HELP_H

#include "cmd.h"
#include "dscq/base/str.h"

enum { HELP_WIDTH = 80, HELP_OPTIONS_MAX = 64 };

/* Fill `text` to HELP_WIDTH columns behind `indent` blanks; the first line continues
 * one that already has `at` columns. Empty lines divide paragraphs. */
void help_fill(dscq_str *out, const char *text, int at, int indent);
/* "  NAME    text", the text filled in a column of its own. */
void help_item(dscq_str *out, const char *name, const char *text, int column);
/* "-o, --output PATH", "--json[=FILE]", "--progress auto|none|json". */
void help_option_form(char *out, size_t cap, const cli_opt *o);
/* The help text and, where there is one worth telling, the default. */
void help_option_text(char *out, size_t cap, const cli_opt *o);
/* Print what was built; DSCQ_NOMEM when it could not be. Frees it. */
dscq_status help_print(cli_call *call, dscq_str *s, dscq_error *err);

/* A manual page in man(7), clean under mandoc -T lint; NULL: dscq(1) itself. */
dscq_status help_man(cli_call *call, const cli_cmd *cmd, dscq_error *err);

/* What the tables know of a word: a key ("train.epochs", "epochs"), a section
 * ("[train]"), a layer, method, encoding, data type, counter, option. 0: nothing. */
int help_lookup(dscq_str *s, const char *word);
/* `dscq help` without an operand. */
void help_overview(dscq_str *s);

const char *help_group_title(cli_group group);

#endif
