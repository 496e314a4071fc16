/*
 * base/keys.h - a setting is a row; an unknown key is an error.
 *
 * One row says everything about one setting. The same rows drive the config
 * file, `--set section.key=value`, --help, the manual page and completion.
 * Params structs are plain: strings are char arrays inside the struct, lists
 * are dscq_list, so that a params struct is copied with `=` and owns nothing.
 */
#ifndef DSCQ_BASE_KEYS_H
#define DSCQ_BASE_KEYS_H

#include "dscq/base/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { DSCQ_LIST_MAX = 96, DSCQ_PATH_MAX = 1024, DSCQ_NAME_MAX = 128 };

typedef struct dscq_list {
    int32_t count;
    double v[DSCQ_LIST_MAX];
} dscq_list;

typedef enum dscq_key_type {
    DSCQ_KEY_INT,  /* int32_t field                                           */
    DSCQ_KEY_I64,  /* int64_t field, |v| < 2^53                               */
    DSCQ_KEY_REAL, /* double field; a row whose default is "auto" also takes that
                      word, as NAN: no number a file can hold is taken for it */
    DSCQ_KEY_BOOL, /* int32_t field, 0 or 1; accepts 0 1 no yes false true    */
    DSCQ_KEY_ENUM, /* int32_t field = index into choices, "a|b|c"             */
    DSCQ_KEY_STR,  /* char[size] field                                        */
    DSCQ_KEY_LIST, /* dscq_list field; comma separated; min/max per element   */
    DSCQ_KEY_OVER  /* no field: any text is read over, and noted (config.h)   */
} dscq_key_type;

typedef struct dscq_key {
    const char *name; /* as written in a config file; includes the unit      */
    dscq_key_type type;
    size_t offset;       /* of the field in the params struct                */
    size_t size;         /* bytes of the field                               */
    double min, max;     /* inclusive                                        */
    const char *choices; /* DSCQ_KEY_ENUM: "a|b|c"                           */
    const char *dflt;    /* text, parsed like user input; NULL = required    */
    const char *help;    /* one line, no full stop                           */
} dscq_key;

/* clang-format off */
#define DSCQ_KEY_ROW(S, field, type, lo, hi, choices, dflt, help)                      \
    {#field, type, offsetof(S, field), sizeof(((S *)0)->field), lo, hi, choices, dflt, \
     help}
#define DSCQ_KEY_INT_ROW(S, field, lo, hi, dflt, help)                                 \
    DSCQ_KEY_ROW(S, field, DSCQ_KEY_INT, lo, hi, NULL, dflt, help)
#define DSCQ_KEY_I64_ROW(S, field, lo, hi, dflt, help)                                 \
    DSCQ_KEY_ROW(S, field, DSCQ_KEY_I64, lo, hi, NULL, dflt, help)
#define DSCQ_KEY_REAL_ROW(S, field, lo, hi, dflt, help)                                \
    DSCQ_KEY_ROW(S, field, DSCQ_KEY_REAL, lo, hi, NULL, dflt, help)
#define DSCQ_KEY_BOOL_ROW(S, field, dflt, help)                                        \
    DSCQ_KEY_ROW(S, field, DSCQ_KEY_BOOL, 0, 1, NULL, dflt, help)
#define DSCQ_KEY_ENUM_ROW(S, field, choices, dflt, help)                               \
    DSCQ_KEY_ROW(S, field, DSCQ_KEY_ENUM, 0, 0, choices, dflt, help)
#define DSCQ_KEY_STR_ROW(S, field, dflt, help)                                         \
    DSCQ_KEY_ROW(S, field, DSCQ_KEY_STR, 0, 0, NULL, dflt, help)
#define DSCQ_KEY_LIST_ROW(S, field, lo, hi, dflt, help)                                \
    DSCQ_KEY_ROW(S, field, DSCQ_KEY_LIST, lo, hi, NULL, dflt, help)
#define DSCQ_KEY_OVER_ROW(name, help)                                                  \
    {name, DSCQ_KEY_OVER, 0, 0, 0, 0, NULL, "", help}
#define DSCQ_KEY_END {NULL, DSCQ_KEY_INT, 0, 0, 0, 0, NULL, NULL, NULL}
/* clang-format on */

/* "a|b|c" from an X-macro list, so that enum and words cannot disagree:
 * DSCQ_CHOICES(LIST(DSCQ_CHOICE)), where LIST(X) is X(a, ...) X(b, ...) X(c, ...). */
#define DSCQ_CHOICE(word, ...) "|" #word
#define DSCQ_CHOICES(words)    (&(words)[1])

/* Behind the help of a key that a run may change when it is continued: it moves nothing
 * of the result, or the result is the one of a run that had it from the start. */
#define DSCQ_MAY_CHANGE "; may change on --resume"
int dscq_key_may_change(const dscq_key *key);

/* Row called `name`, or NULL. */
const dscq_key *dscq_keys_find(const dscq_key *keys, const char *name);

/* The key whose spelling is nearest to `name`; "(this takes no keys)" if none. */
const char *dscq_keys_nearest(const dscq_key *keys, const char *name);

/* Parse `text` into the field called `name`. Fails with DSCQ_FORMAT, naming the
 * key, the value and the legal range; an unknown key is an error and the
 * message offers the nearest legal spelling. The field is untouched on failure. */
dscq_status dscq_keys_set(void *params, const dscq_key *keys, const char *name,
                          const char *text, dscq_error *err);

/* Set every key that has a default; required ones are left alone. */
dscq_status dscq_keys_defaults(void *params, const dscq_key *keys, dscq_error *err);

/* Write the field as text that dscq_keys_set() reads back to the same value
 * (reals with up to 17 digits). Returns the length like snprintf. */
size_t dscq_keys_print(char *out, size_t cap, const void *params, const dscq_key *key);

/* Which word in `choices` ("a|b|c") is `text`: index or -1. */
int dscq_choice_find(const char *choices, const char *text);
/* Copy word i into out; "" when there is none. */
void dscq_choice_name(char *out, size_t cap, const char *choices, int i);

/* Edit distance, for suggestions; cuts off at 63 characters a side. */
unsigned dscq_edit_distance(const char *a, const char *b);

#ifdef __cplusplus
}
#endif
#endif
