/*
 * base/config.h - files of [section] key = value, in Darknet's syntax.
 *
 * Sections may repeat and stay in file order (in a network file the repeated
 * anonymous sections are the graph). '#' and ';' start a comment at the start of a
 * line, behind a blank and behind a [section]; a value with such a thing in it stands
 * in double quotes. Blanks around '=' and inside lists do not matter; a key given
 * twice in one section is an error, unless dscq_config_first_counts(). Values are bound
 * to structs through key rows (base/keys.h), which also marks them as used: what nobody
 * asked for is reported, never ignored.
 *
 * Precedence: default, file, --set, explicit flag; later wins. Every value
 * remembers its origin for --print-config.
 */
#ifndef DSCQ_BASE_CONFIG_H
#define DSCQ_BASE_CONFIG_H

#include "dscq/base/keys.h"
#include "dscq/base/status.h"
#include "dscq/base/str.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_config dscq_config;

/* Owned by the caller: dscq_config_destroy(). DSCQ_IO when the file cannot be
 * read, DSCQ_FORMAT as "file:line: ..." when it cannot be parsed. */
dscq_status dscq_config_load(dscq_config **out, const char *path, dscq_error *err);
dscq_status dscq_config_parse(dscq_config **out, const char *text, size_t text_bytes,
                              const char *name, dscq_error *err);
void dscq_config_destroy(dscq_config *c); /* NULL is fine */

/* To say everything at once: what is wrong with a line, a key, a value or a section is
 * handed to hear() instead of ending the call, and reading goes on as if it did not
 * stand there. The listener stays with the config: the bind functions below ask it as
 * well. A file that cannot be read still is a failure. */
typedef struct dscq_config_listener {
    void (*hear)(void *ctx, const dscq_error *why);
    void *ctx;
} dscq_config_listener;
dscq_status dscq_config_load_all(dscq_config **out, const char *path,
                                 const dscq_config_listener *listener, dscq_error *err);
/* For those who find more wrong: 1 when the listener took the complaint, 0 when there
 * is none or *why is no fault of the file (memory). */
int dscq_config_complain(dscq_config *c, const dscq_error *why);
/* How much was left out in this way, unknown keys not counted: what is built from the
 * rest may be another network. */
size_t dscq_config_holes(const dscq_config *c);
/* Were whole lines left out when the file was read? */
int dscq_config_is_torn(const dscq_config *c);

const char *dscq_config_name(const dscq_config *c); /* path or name given */
size_t dscq_config_count(const dscq_config *c);     /* sections */
const char *dscq_config_section(const dscq_config *c, size_t i); /* "convolutional" */
int dscq_config_line(const dscq_config *c,
                     size_t i); /* line of the section; 0 = --set */
/* For messages: "file:line" of section i, with " and --set section.key" behind it when
 * a setting from elsewhere changed it (the last such), or "--set section" alone when
 * the file has no such section. */
void dscq_config_where(char *out, size_t cap, const dscq_config *c, size_t i);

/* First section called `name`; -1 when there is none. */
int dscq_config_find(const dscq_config *c, const char *name);
/* As above, DSCQ_FORMAT when the section stands twice. *out = -1: none. */
dscq_status dscq_config_find_unique(int *out, const dscq_config *c, const char *name,
                                    dscq_error *err);

/* Raw text of a key in section i, NULL when absent. Does not mark it used. */
const char *dscq_config_get(const dscq_config *c, size_t i, const char *key);
/* Name of the k-th key given in section i, NULL when there are no more. */
const char *dscq_config_key_at(const dscq_config *c, size_t i, size_t k);
/* Line of that key; 0 when absent. */
int dscq_config_key_line(const dscq_config *c, size_t i, const char *key);

/* Where its value comes from: "file:line", or "--set section.key"; "" when absent. */
void dscq_config_key_origin(char *out, size_t cap, const dscq_config *c, size_t i,
                            const char *key);

/* Of a key that stands twice in section i the first counts, as in Darknet, and the
 * others are read over; before the section is bound. */
void dscq_config_first_counts(dscq_config *c, size_t i);
/* Section i is taken care of, without binding it. */
void dscq_config_use(dscq_config *c, size_t i);
/* What stands in the file and moves nothing here is noted, each key once. */
typedef enum dscq_config_why {
    DSCQ_CONFIG_FOREIGN, /* only another program's training reads it (DSCQ_KEY_OVER) */
    DSCQ_CONFIG_AGAIN    /* it stands there before */
} dscq_config_why;
/* key "": the whole section. DSCQ_NOMEM. */
dscq_status dscq_config_read_over(dscq_config *c, size_t i, const char *key, int line,
                                  dscq_config_why why, dscq_error *err);
/* "[net] ema_alpha (line 29), [yolo] resize (line 80 and 2 more)"; nothing: none. */
void dscq_config_over_list(dscq_str *to, const dscq_config *c, dscq_config_why why);

/* "section.key=value", or "section#3.key=value" for the third section of that
 * name (from 1). A missing section is created; `origin` ("--set") is remembered.
 * Overrides a value from the file. DSCQ_ARG when the text has another form. */
dscq_status dscq_config_set(dscq_config *c, const char *assignment, const char *origin,
                            dscq_error *err);

/* Defaults first, then every entry of section i, through the rows. Marks the
 * section as used. Unknown key, bad value, missing required key: DSCQ_FORMAT,
 * "file:line: ...". i < 0 binds an empty section called `name` (so required
 * keys are still missed by name). */
dscq_status dscq_config_bind(void *params, dscq_config *c, int i, const char *name,
                             const dscq_key *keys, dscq_error *err);

/* As dscq_config_bind but with more than one table for one section: rows[t]
 * binds to params[t]; a key must be in exactly one of them. */
dscq_status dscq_config_bind_many(void *const *params, const dscq_key *const *rows,
                                  size_t tables, dscq_config *c, int i,
                                  const char *name, dscq_error *err);

/* DSCQ_FORMAT naming the first section that nobody bound, with the nearest of
 * the legal names in `legal` ("data|train|compress"). */
dscq_status dscq_config_check_used(const dscq_config *c, const char *legal,
                                   dscq_error *err);

/* `text` cut to one section's effective settings in the same syntax, each line
 * with its origin as a comment; re-readable. Calls put(ctx, line) per line. */
void dscq_config_print_section(const dscq_config *c, int i, const char *name,
                               const void *params, const dscq_key *keys,
                               void (*put)(void *ctx, const char *line), void *ctx);

#ifdef __cplusplus
}
#endif
#endif
