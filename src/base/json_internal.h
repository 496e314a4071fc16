/*
 * The tree behind dscq_json: built by json.c and json_parse.c, written by
 * json_dump.c.
 */
#ifndef BASE_JSON_INTERNAL_H
#define BASE_JSON_INTERNAL_H

#include "dscq/base/json.h"

typedef enum json_kind {
    KIND_NULL,
    KIND_BOOL,
    KIND_INT,
    KIND_REAL,
    KIND_TEXT,
    KIND_ARRAY,
    KIND_OBJECT
} json_kind;

struct dscq_json {
    json_kind kind;
    int bad; /* an allocation failed while this was being filled */
    union {
        int64_t i; /* also 0 or 1 of a bool */
        double r;
        char *text;
    } v;
    char **key; /* of an object's children */
    dscq_json **child;
    size_t count, cap;
};

dscq_json *base__json_new(json_kind kind);
/* Takes child over. Does not look for a twin. */
void base__json_append(dscq_json *parent, const char *key, dscq_json *child);

#endif
