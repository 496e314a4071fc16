/*
 * help.h - what cmd_help.c, help_man.c and the topics share.
 */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cmd.h"
#include "dscq/base/str.h"

enum { HELP_WIDTH = 80, HELP_OPTIONS_MAX = 64 };

/* Fill `text` to HELP_WIDTH columns behind `indent` blanks; the first line continues
 * one that already has `at` columns. Empty lines divide paragraphs. */
void cli__help_fill(dscq_str *out, const char *text, int at, int indent);
/* "  NAME    text", the text filled in a column of its own. */
void cli__help_item(dscq_str *out, const char *name, const char *text, int column);
/* "-o, --output PATH", "--json[=FILE]", "--progress auto|none|json". */
void cli__help_option_form(char *out, size_t cap, const cli_opt *o);
/* The help text and, where there is one worth telling, the default. */
void cli__help_option_text(char *out, size_t cap, const cli_opt *o);
/* Print what was built; DSCQ_NOMEM when it could not be. Frees it. */
dscq_status cli__help_print(cli_call *call, dscq_str *s, dscq_error *err);

/* A manual page in man(7), clean under mandoc -T lint; NULL: dscq(1) itself. */
dscq_status cli__help_man(cli_call *call, const cli_cmd *cmd, dscq_error *err);

/* What the tables know of a word: a key ("train.epochs", "epochs"), a section
 * ("[train]"), a layer, method, encoding, data type, counter, option. 0: nothing. */
int cli__help_lookup(dscq_str *s, const cli_program *p, const char *word);
/* `dscq help` without an operand. */
void cli__help_overview(dscq_str *s, const cli_program *p);

const char *cli__help_group_title(cli_group group);

#endif
