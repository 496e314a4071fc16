#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "json_internal.h"

enum { FILE_MAX = 64 << 20, DEPTH_MAX = 256 };

#if DSCQ_WITH_JSON

#include <errno.h>
#include <jansson.h>
#include <string.h>

/* jansson allows a nesting of 2048; less is wanted here, so look first. */
static dscq_status check_depth(const char *text, size_t bytes, const char *name,
                               dscq_error *err)
{
    int depth = 0, line = 1, in_text = 0;

    for (size_t i = 0; i < bytes; i++) {
        const char c = text[i];
        line += c == '\n';
        if (in_text && c == '\\')
            i++;
        else if (c == '"')
            in_text = !in_text;
        else if (!in_text && (c == '[' || c == '{') && ++depth > DEPTH_MAX)
            return dscq_fail(err, DSCQ_FORMAT, "%s:%d: nested deeper than %d", name,
                             line, DEPTH_MAX);
        else if (!in_text && (c == ']' || c == '}'))
            depth--;
    }
    return DSCQ_OK;
}

static dscq_json *scalar(const json_t *in)
{
    dscq_json *j = base__json_new(KIND_NULL);

    if (j == NULL)
        return NULL;
    if (json_is_boolean(in)) {
        j->kind = KIND_BOOL;
        j->v.i = json_is_true(in);
    } else if (json_is_integer(in)) {
        j->kind = KIND_INT;
        j->v.i = json_integer_value(in);
    } else if (json_is_real(in)) {
        j->kind = KIND_REAL;
        j->v.r = json_real_value(in);
    } else if (json_is_string(in)) {
        j->v.text = dscq_strdup(json_string_value(in));
        if (j->v.text == NULL) {
            dscq_json_free(j);
            return NULL;
        }
        j->kind = KIND_TEXT;
    }
    return j;
}

/* NULL or a `bad` somewhere inside: no memory. */
/* NOLINTNEXTLINE(misc-no-recursion): depth is bounded by check_depth() */
static dscq_json *convert(json_t *in, int *bad)
{
    const int is_object = json_is_object(in);
    const char *key;
    json_t *value;
    size_t i;

    if (!is_object && !json_is_array(in))
        return scalar(in);
    dscq_json *j = base__json_new(is_object ? KIND_OBJECT : KIND_ARRAY);
    if (j == NULL)
        return NULL;
    if (is_object) {
        json_object_foreach(in, key, value)
        {
            base__json_append(j, key, convert(value, bad));
        }
    } else {
        json_array_foreach(in, i, value)
        {
            base__json_append(j, NULL, convert(value, bad));
        }
    }
    *bad |= j->bad;
    return j;
}

dscq_status dscq_json_parse(dscq_json **out, const char *text, size_t bytes,
                            const char *name, dscq_error *err)
{
    json_error_t why;
    int bad = 0;

    *out = NULL;
    dscq_status status = dscq_text_begin(&text, &bytes, name, err);
    if (status == DSCQ_OK)
        status = check_depth(text, bytes, name, err);
    if (status != DSCQ_OK)
        return status;
    errno = 0; /* jansson tells most failed allocations as errors of syntax */
    json_t *in =
        json_loadb(text, bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (in == NULL)
        return errno == ENOMEM
                   ? dscq_fail_nomem(err, name, bytes)
                   : dscq_fail(err, DSCQ_FORMAT, "%s:%d: %s", name, why.line, why.text);
    dscq_json *j = convert(in, &bad);
    json_decref(in);
    if (j == NULL || bad) {
        dscq_json_free(j);
        return dscq_fail_nomem(err, name, bytes);
    }
    *out = j;
    return DSCQ_OK;
}

#else

dscq_status dscq_json_parse(dscq_json **out, const char *text, size_t bytes,
                            const char *name, dscq_error *err)
{
    (void)text;
    (void)bytes;
    *out = NULL;
    return dscq_fail(err, DSCQ_UNSUPPORTED,
                     "%s: this build reads no JSON; configure with -DDSCQ_WITH_JSON=ON",
                     name);
}

#endif

dscq_status dscq_json_load(dscq_json **out, const char *path, dscq_error *err)
{
    uint8_t *text = NULL;
    size_t bytes = 0;
    dscq_status status = dscq_file_read(&text, &bytes, path, FILE_MAX, err);

    *out = NULL;
    if (status == DSCQ_OK)
        status = dscq_json_parse(out, (const char *)text, bytes, path, err);
    dscq_free(text);
    return status;
}
