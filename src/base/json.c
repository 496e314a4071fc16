#include "dscq/base/alloc.h"
#include "json_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

dscq_json *base__json_new(json_kind kind)
{
    dscq_json *j = dscq_calloc(1, sizeof *j);

    if (j != NULL)
        j->kind = kind;
    return j;
}

void dscq_json_free(dscq_json *j)
{
    if (j == NULL)
        return;
    for (size_t i = 0; i < j->count; i++) {
        if (j->key != NULL)
            dscq_free(j->key[i]);
        dscq_json_free(j->child[i]);
    }
    dscq_free(j->key);
    dscq_free(j->child);
    if (j->kind == KIND_TEXT)
        dscq_free(j->v.text);
    dscq_free(j);
}

static int reserve(dscq_json *j)
{
    if (j->count < j->cap)
        return 1;
    const size_t cap = j->cap == 0 ? 8 : j->cap * 2;
    dscq_json **child =
        dscq_realloc(j->child, j->count * sizeof *j->child, cap * sizeof *j->child);
    if (child == NULL)
        return 0;
    j->child = child;
    if (j->kind == KIND_OBJECT) {
        char **key =
            dscq_realloc(j->key, j->count * sizeof *j->key, cap * sizeof *j->key);
        if (key == NULL)
            return 0;
        j->key = key;
    }
    j->cap = cap;
    return 1;
}

void base__json_append(dscq_json *parent, const char *key, dscq_json *child)
{
    char *copy = NULL;

    if (parent == NULL || child == NULL || !reserve(parent) ||
        (parent->kind == KIND_OBJECT && (copy = dscq_strdup(key)) == NULL)) {
        if (parent != NULL)
            parent->bad = 1;
        dscq_json_free(child);
        return;
    }
    if (parent->kind == KIND_OBJECT)
        parent->key[parent->count] = copy;
    parent->child[parent->count++] = child;
}

/* ---- looking ---------------------------------------------------------- */

size_t dscq_json_count(const dscq_json *j)
{
    return j != NULL ? j->count : 0;
}

const dscq_json *dscq_json_at(const dscq_json *j, size_t i)
{
    return j != NULL && j->kind == KIND_ARRAY && i < j->count ? j->child[i] : NULL;
}

const char *dscq_json_key(const dscq_json *j, size_t i)
{
    return j != NULL && j->kind == KIND_OBJECT && i < j->count ? j->key[i] : NULL;
}

const dscq_json *dscq_json_member(const dscq_json *j, size_t i)
{
    return j != NULL && j->kind == KIND_OBJECT && i < j->count ? j->child[i] : NULL;
}

static const dscq_json *member(const dscq_json *j, const char *key, size_t n)
{
    for (size_t i = 0; j->kind == KIND_OBJECT && i < j->count; i++)
        if (strncmp(j->key[i], key, n) == 0 && j->key[i][n] == '\0')
            return j->child[i];
    return NULL;
}

const dscq_json *dscq_json_get(const dscq_json *j, const char *path)
{
    while (j != NULL && *path != '\0') {
        if (*path == '[') {
            char *end = NULL;
            if (path[1] < '0' || path[1] > '9')
                return NULL;
            const unsigned long long i = strtoull(path + 1, &end, 10);
            if (*end != ']')
                return NULL;
            j = i < SIZE_MAX ? dscq_json_at(j, (size_t)i) : NULL;
            path = end + 1;
        } else {
            const size_t n = strcspn(path, ".[");
            j = member(j, path, n);
            path += n;
        }
        if (*path == '.')
            path++;
    }
    return j;
}

int dscq_json_is_number(const dscq_json *j)
{
    return j != NULL && (j->kind == KIND_INT || j->kind == KIND_REAL);
}

int dscq_json_is_int(const dscq_json *j)
{
    return j != NULL && j->kind == KIND_INT;
}

double dscq_json_real(const dscq_json *j, double dflt)
{
    if (!dscq_json_is_number(j))
        return dflt;
    return j->kind == KIND_INT ? (double)j->v.i : j->v.r;
}

int64_t dscq_json_int(const dscq_json *j, int64_t dflt)
{
    return j != NULL && (j->kind == KIND_INT || j->kind == KIND_BOOL) ? j->v.i : dflt;
}

const char *dscq_json_text(const dscq_json *j, const char *dflt)
{
    return j != NULL && j->kind == KIND_TEXT ? j->v.text : dflt;
}

/* ---- building --------------------------------------------------------- */

dscq_json *dscq_json_object(void)
{
    return base__json_new(KIND_OBJECT);
}

dscq_json *dscq_json_array(void)
{
    return base__json_new(KIND_ARRAY);
}

static dscq_json *new_int(json_kind kind, int64_t v)
{
    dscq_json *j = base__json_new(kind);

    if (j != NULL)
        j->v.i = v;
    return j;
}

static dscq_json *new_real(double v)
{
    dscq_json *j = base__json_new(KIND_REAL);

    if (j != NULL)
        j->v.r = v;
    return j;
}

static dscq_json *new_text(const char *v)
{
    dscq_json *j = base__json_new(KIND_TEXT);

    if (j != NULL && (j->v.text = dscq_strdup(v)) == NULL) {
        dscq_json_free(j);
        return NULL;
    }
    return j;
}

void dscq_json_put(dscq_json *obj, const char *key, dscq_json *child)
{
    assert(obj == NULL || obj->kind == KIND_OBJECT);
    assert(obj == NULL || member(obj, key, strlen(key)) == NULL); /* once per key */
    base__json_append(obj, key, child);
}

void dscq_json_put_int(dscq_json *obj, const char *key, int64_t v)
{
    dscq_json_put(obj, key, new_int(KIND_INT, v));
}

void dscq_json_put_real(dscq_json *obj, const char *key, double v)
{
    dscq_json_put(obj, key, new_real(v));
}

void dscq_json_put_text(dscq_json *obj, const char *key, const char *v)
{
    dscq_json_put(obj, key, new_text(v));
}

void dscq_json_put_bool(dscq_json *obj, const char *key, int v)
{
    dscq_json_put(obj, key, new_int(KIND_BOOL, v != 0));
}

void dscq_json_push(dscq_json *array, dscq_json *child)
{
    assert(array == NULL || array->kind == KIND_ARRAY);
    base__json_append(array, NULL, child);
}

void dscq_json_push_int(dscq_json *array, int64_t v)
{
    dscq_json_push(array, new_int(KIND_INT, v));
}

void dscq_json_push_real(dscq_json *array, double v)
{
    dscq_json_push(array, new_real(v));
}

void dscq_json_push_text(dscq_json *array, const char *v)
{
    dscq_json_push(array, new_text(v));
}
