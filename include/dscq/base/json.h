/*
 * base/json.h - JSON values: read, look at, build, write. Reading goes through
 * jansson and answers DSCQ_UNSUPPORTED in a build without it; building and
 * writing work in every build. Integers are exact to 64 bits; key order is
 * insertion order; reals are written with 17 significant digits at most; a tree
 * with NaN or infinity cannot be written (DSCQ_ARG). What is not UTF-8 in a text
 * is written as U+FFFD.
 */
#ifndef DSCQ_BASE_JSON_H
#define DSCQ_BASE_JSON_H

#include "dscq/base/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A value and what it holds. Whoever has the root owns the tree; a child is freed
 * with its parent. */
typedef struct dscq_json dscq_json;

/* Owned: release with dscq_json_free(). DSCQ_FORMAT "name:line: ..." when the
 * text is not JSON, nests deeper than 256, or repeats a key. */
dscq_status dscq_json_parse(dscq_json **out, const char *text, size_t bytes,
                            const char *name, dscq_error *err);
dscq_status dscq_json_load(dscq_json **out, const char *path, dscq_error *err);
void dscq_json_free(dscq_json *j); /* NULL is fine */

/* Borrowed from j; NULL when absent or of another kind. Path: "a.b[3].c". */
const dscq_json *dscq_json_get(const dscq_json *j, const char *path);
size_t dscq_json_count(const dscq_json *j); /* items of an array or object, else 0 */
const dscq_json *dscq_json_at(const dscq_json *j, size_t i); /* array item */
/* Key and value of object member i in insertion order. */
const char *dscq_json_key(const dscq_json *j, size_t i);
const dscq_json *dscq_json_member(const dscq_json *j, size_t i);
int dscq_json_is_number(const dscq_json *j);
int dscq_json_is_int(const dscq_json *j);
double dscq_json_real(const dscq_json *j, double dflt);
int64_t dscq_json_int(const dscq_json *j, int64_t dflt);
const char *dscq_json_text(const dscq_json *j, const char *dflt);

/* Builders. Return NULL on no memory; adders take the child over even on
 * failure, accept NULL and remember it: dscq_json_dump() then says NOMEM. A key
 * is put once per object. */
dscq_json *dscq_json_object(void);
dscq_json *dscq_json_array(void);
void dscq_json_put(dscq_json *obj, const char *key, dscq_json *child);
void dscq_json_put_int(dscq_json *obj, const char *key, int64_t v);
void dscq_json_put_real(dscq_json *obj, const char *key, double v);
void dscq_json_put_text(dscq_json *obj, const char *key, const char *v);
void dscq_json_put_bool(dscq_json *obj, const char *key, int v);
void dscq_json_push(dscq_json *array, dscq_json *child);
void dscq_json_push_int(dscq_json *array, int64_t v);
void dscq_json_push_real(dscq_json *array, double v);
void dscq_json_push_text(dscq_json *array, const char *v);

/* DSCQ_NOMEM when a part of it could not be had: for whoever reads what it has built.
 */
dscq_status dscq_json_whole(const dscq_json *j, dscq_error *err);
/* Indented by 2, newline at the end; *text is freed with dscq_free(). */
dscq_status dscq_json_dump(char **text, const dscq_json *j, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
