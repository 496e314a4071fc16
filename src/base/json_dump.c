#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "json_internal.h"

#include <math.h>
#include <string.h>

static void put_text(dscq_str *s, const char *text)
{
    static const char k_short[] = "\b\f\n\r\t\"\\", k_letter[] = "bfnrt\"\\";

    dscq_str_add(s, "\"");
    while (*text != '\0') {
        const unsigned char c = (unsigned char)*text;
        const char *esc = strchr(k_short, *text);
        const size_t n = dscq_utf8_length(text);
        if (esc != NULL)
            dscq_str_addf(s, "\\%c", k_letter[esc - k_short]);
        else if (c < 0x20)
            dscq_str_addf(s, "\\u%04x", (unsigned)c);
        else if (n == 0)
            dscq_str_add(s, "\\ufffd"); /* a name out of a file need not be UTF-8 */
        else
            dscq_str_add_bytes(s, text, n);
        text += n == 0 ? 1 : n;
    }
    dscq_str_add(s, "\"");
}

static void put_real(dscq_str *s, double v)
{
    char text[40];

    dscq_str_real(text, sizeof text, v);
    dscq_str_add(s, text);
    if (strpbrk(text, ".e") == NULL) /* so that it is read back as a real */
        dscq_str_add(s, ".0");
}

static void put_value(dscq_str *s, const dscq_json *j, int depth);

static void put_children(dscq_str *s, const dscq_json *j, int depth)
{
    const int is_object = j->kind == KIND_OBJECT;

    dscq_str_add(s, is_object ? "{" : "[");
    for (size_t i = 0; i < j->count; i++) {
        dscq_str_addf(s, "%s\n%*s", i > 0 ? "," : "", 2 * (depth + 1), "");
        if (is_object) {
            put_text(s, j->key[i]);
            dscq_str_add(s, ": ");
        }
        put_value(s, j->child[i], depth + 1);
    }
    if (j->count > 0)
        dscq_str_addf(s, "\n%*s", 2 * depth, "");
    dscq_str_add(s, is_object ? "}" : "]");
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tree, which is bounded */
static void put_value(dscq_str *s, const dscq_json *j, int depth)
{
    switch (j->kind) {
    case KIND_NULL:
        dscq_str_add(s, "null");
        break;
    case KIND_BOOL:
        dscq_str_add(s, j->v.i != 0 ? "true" : "false");
        break;
    case KIND_INT:
        dscq_str_addf(s, "%lld", (long long)j->v.i);
        break;
    case KIND_REAL:
        put_real(s, j->v.r);
        break;
    case KIND_TEXT:
        put_text(s, j->v.text);
        break;
    case KIND_ARRAY:
    case KIND_OBJECT:
        put_children(s, j, depth);
        break;
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tree, which is bounded */
dscq_status dscq_json_whole(const dscq_json *j, dscq_error *err)
{
    dscq_status status = DSCQ_OK;

    if (j == NULL || j->bad)
        return dscq_fail(err, DSCQ_NOMEM, "out of memory: JSON output");
    for (size_t i = 0; i < j->count && status == DSCQ_OK; i++)
        status = dscq_json_whole(j->child[i], err);
    return status;
}

/* What cannot be written, before anything is. */
static dscq_status check(const dscq_json *j, const char *key, dscq_error *err)
{
    dscq_status status = DSCQ_OK;

    if (j == NULL || j->bad)
        return dscq_fail(err, DSCQ_NOMEM, "out of memory: JSON output");
    if (j->kind == KIND_REAL && !isfinite(j->v.r))
        return dscq_fail(err, DSCQ_ARG, "'%s' is %s, which JSON cannot hold", key,
                         isnan(j->v.r) ? "not a number" : "infinite");
    for (size_t i = 0; i < j->count && status == DSCQ_OK; i++)
        status = check(j->child[i], j->kind == KIND_OBJECT ? j->key[i] : key, err);
    return status;
}

dscq_status dscq_json_dump(char **text, const dscq_json *j, dscq_error *err)
{
    dscq_str s = {0};
    const dscq_status status = check(j, "value", err);

    *text = NULL;
    if (status != DSCQ_OK)
        return status;
    put_value(&s, j, 0);
    dscq_str_add(&s, "\n");
    if (s.bad) {
        dscq_str_free(&s);
        return dscq_fail(err, DSCQ_NOMEM, "out of memory: JSON output");
    }
    *text = s.text; /* from dscq_malloc(): the caller frees it */
    return DSCQ_OK;
}
