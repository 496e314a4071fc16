#include "dscq/data/names.h"

#include "data_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"

#include <stdlib.h>
#include <string.h>

void dscq_names_clear(dscq_names *n)
{
    for (int32_t i = 0; i < n->count; i++)
        dscq_free(n->name[i]);
    dscq_free(n->name);
    *n = (dscq_names){0};
}

int32_t dscq_names_find(const dscq_names *n, const char *name)
{
    for (int32_t i = 0; i < n->count; i++)
        if (strcmp(n->name[i], name) == 0)
            return i;
    return -1;
}

dscq_status dscq_names_add(dscq_names *n, const char *name, dscq_error *err)
{
    if (n->count >= DSCQ_CLASSES_MAX)
        return dscq_fail(err, DSCQ_FORMAT, "more than %d classes", DSCQ_CLASSES_MAX);
    if (n->count == n->cap) {
        const int32_t cap = n->cap == 0 ? 16 : 2 * n->cap;
        char **grown = dscq_realloc(n->name, (size_t)n->cap * sizeof *grown,
                                    (size_t)cap * sizeof *grown);
        if (grown == NULL)
            return dscq_fail_nomem(err, "class names", (size_t)cap * sizeof *grown);
        n->name = grown;
        n->cap = cap;
    }
    n->name[n->count] = dscq_strdup(name);
    if (n->name[n->count] == NULL)
        return dscq_fail_nomem(err, "a class name", strlen(name) + 1);
    n->count++;
    return DSCQ_OK;
}

dscq_status dscq_names_intern(int32_t *out, dscq_names *n, const char *name,
                              dscq_error *err)
{
    *out = dscq_names_find(n, name);
    if (*out >= 0)
        return DSCQ_OK;
    *out = n->count;
    return dscq_names_add(n, name, err);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names are distinct, so the new index is the number of smaller names: nothing to
 * allocate, nothing to fail. */
void dscq_names_sort(dscq_names *n, int32_t *map)
{
    for (int32_t i = 0; i < n->count; i++) {
        map[i] = 0;
        for (int32_t j = 0; j < n->count; j++)
            map[i] += strcmp(n->name[j], n->name[i]) < 0;
    }
    if (n->count > 1)
        qsort(n->name, (size_t)n->count, sizeof *n->name, by_text);
}

dscq_status dscq_names_parse(dscq_names *out, const char *text, size_t bytes,
                             const char *name, dscq_error *err)
{
    data_lines l;
    const char *line;
    size_t len;
    int32_t empty = 0; /* first empty line not yet known to be trailing */
    char copy[DSCQ_CLASS_NAME_MAX];
    dscq_names n = {0};
    dscq_status status = DSCQ_OK;

    *out = n;
    DSCQ_TRY(data__lines(&l, text, bytes, name, err));
    while (data__next_line(&line, &len, &l)) {
        data__trim(&line, &len);
        if (len == 0) {
            empty = empty == 0 ? l.number : empty;
            continue;
        }
        if (empty != 0)
            status =
                dscq_fail(err, DSCQ_FORMAT, "%s:%d: empty class name", name, empty);
        else if (len >= sizeof copy || memchr(line, '\0', len) != NULL)
            status = dscq_fail(err, DSCQ_FORMAT,
                               "%s:%d: class name of %zu characters: want at most %zu, "
                               "without NUL",
                               name, l.number, len, sizeof copy - 1);
        if (status != DSCQ_OK)
            goto done;
        memcpy(copy, line, len);
        copy[len] = '\0';
        if (dscq_names_find(&n, copy) >= 0) {
            status = dscq_fail(err, DSCQ_FORMAT, "%s:%d: class name '%s' given twice",
                               name, l.number, copy);
            goto done;
        }
        DSCQ_TRY(dscq_names_add(&n, copy, err));
    }
    if (n.count == 0) {
        status = dscq_fail(err, DSCQ_FORMAT, "%s: no class names in it", name);
        goto done;
    }
    *out = n;
    return DSCQ_OK;
done:
    dscq_names_clear(&n);
    return status;
}

dscq_status dscq_names_load(dscq_names *out, const char *path, dscq_error *err)
{
    uint8_t *data = NULL;
    size_t bytes;
    dscq_status status;

    *out = (dscq_names){0};
    DSCQ_TRY(dscq_file_read(&data, &bytes, path, 1 << 24, err));
    DSCQ_TRY(dscq_names_parse(out, (const char *)data, bytes, path, err));
done:
    dscq_free(data);
    return status;
}
