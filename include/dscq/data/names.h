/*
 * data/names.h - a list of class names; the index is the class.
 */
#ifndef DSCQ_DATA_NAMES_H
#define DSCQ_DATA_NAMES_H

#include "dscq/base/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { DSCQ_CLASSES_MAX = 32768, DSCQ_CLASS_NAME_MAX = 512 };

typedef struct dscq_names {
    char **name; /* owned */
    int32_t count, cap;
} dscq_names; /* zero-initialise */

void dscq_names_clear(dscq_names *n);
int32_t dscq_names_find(const dscq_names *n, const char *name); /* -1: none */
/* Append; the caller has looked for duplicates. DSCQ_FORMAT above the limit. */
dscq_status dscq_names_add(dscq_names *n, const char *name, dscq_error *err);
/* Find or append, index into *out. */
dscq_status dscq_names_intern(int32_t *out, dscq_names *n, const char *name,
                              dscq_error *err);
/* Sort bytewise; map[old index] = new index (map holds n->count). */
void dscq_names_sort(dscq_names *n, int32_t *map);
/* One name a line (a trailing carriage return and blanks are dropped, empty lines
 * at the end ignored). DSCQ_FORMAT "file:line: ..." for an empty or repeated one. */
dscq_status dscq_names_load(dscq_names *out, const char *path, dscq_error *err);
dscq_status dscq_names_parse(dscq_names *out, const char *text, size_t bytes,
                             const char *name, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
