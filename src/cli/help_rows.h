/*
 * help_rows.h - what a row of a module's table says of itself, as help: shared by the
 * topics and the look-up of a word.
 */
#ifndef CLI_HELP_ROWS_H
#define CLI_HELP_ROWS_H

#include "help.h"

struct dscq_layer_ops;
struct dscq_method;
struct dscq_pack_encoding_info;

enum { NAME_COLUMN = 26 };

/* "epochs    passes over the data (1 to 1000; default 60)" */
void cli__put_key(dscq_str *s, const char *name, const dscq_key *k);
void cli__put_keys(dscq_str *s, const dscq_key *keys);
/* "[name]" and its keys, behind an empty line when something stands above. */
void cli__put_section(dscq_str *s, const char *name, const dscq_key *keys);
void cli__put_layer(dscq_str *s, const struct dscq_layer_ops *ops);
void cli__put_method(dscq_str *s, const struct dscq_method *m);
/* The rows of its own keys. */
void cli__put_method_keys(dscq_str *s, const struct dscq_method *m);
void cli__put_encoding(dscq_str *s, const struct dscq_pack_encoding_info *e);

#endif
