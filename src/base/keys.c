#include "dscq/base/str.h"
#include "keys_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned dscq_edit_distance(const char *a, const char *b)
{
    enum { CUT = 63 };
    const size_t n = strnlen(a, CUT), m = strnlen(b, CUT);
    unsigned row[CUT + 1];

    for (unsigned j = 0; j <= m; j++)
        row[j] = j;
    for (unsigned i = 1; i <= n; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= m; j++) {
            const unsigned change = diagonal + (a[i - 1] != b[j - 1]);
            const unsigned gap = 1 + (row[j] < row[j - 1] ? row[j] : row[j - 1]);
            diagonal = row[j];
            row[j] = change < gap ? change : gap;
        }
    }
    return row[m];
}

/* The row's own words decide, so that what people read is what is done. */
int dscq_key_may_change(const dscq_key *key)
{
    const size_t n = strlen(key->help), m = sizeof DSCQ_MAY_CHANGE - 1;

    return n >= m && strcmp(key->help + n - m, DSCQ_MAY_CHANGE) == 0;
}

const dscq_key *dscq_keys_find(const dscq_key *keys, const char *name)
{
    for (const dscq_key *k = keys; k->name != NULL; k++)
        if (strcmp(k->name, name) == 0)
            return k;
    return NULL;
}

const char *dscq_keys_nearest(const dscq_key *keys, const char *name)
{
    const char *best = "(this takes no keys)";
    unsigned best_distance = ~0U;

    for (const dscq_key *k = keys; k->name != NULL; k++) {
        const unsigned d = dscq_edit_distance(name, k->name);
        if (d < best_distance) {
            best = k->name;
            best_distance = d;
        }
    }
    return best;
}

/* The value that stands for "not said", where a row has one. */
static int is_auto(const dscq_key *k, const char *text)
{
    return k->type == DSCQ_KEY_REAL && k->dflt != NULL &&
           strcmp(k->dflt, "auto") == 0 && strcmp(text, "auto") == 0;
}

static dscq_status set_number(void *field, const dscq_key *k, const char *text,
                              dscq_error *err)
{
    const char *end = NULL;
    double v = 0;

    if (is_auto(k, text)) {
        *(double *)field = (double)NAN;
        return DSCQ_OK;
    }
    if (!base__keys_number(&v, k, text, &end) || *end != '\0' ||
        (k->type == DSCQ_KEY_INT && fabs(v) > INT32_MAX))
        return base__keys_bad_number(k, text, err);
    if (k->type == DSCQ_KEY_INT)
        *(int32_t *)field = (int32_t)v;
    else if (k->type == DSCQ_KEY_I64)
        *(int64_t *)field = (int64_t)v;
    else
        *(double *)field = v;
    return DSCQ_OK;
}

static dscq_status set_list(void *field, const dscq_key *k, const char *text,
                            dscq_error *err)
{
    dscq_list list = {0};
    const char *p = text + strspn(text, " \t");

    while (*p != '\0') {
        if (list.count == DSCQ_LIST_MAX)
            return dscq_fail(err, DSCQ_FORMAT, "%s: more than %d values", k->name,
                             DSCQ_LIST_MAX);
        if (!base__keys_number(&list.v[list.count++], k, p, &p) ||
            (*p != ',' && *p != '\0'))
            return base__keys_bad_number(k, text, err);
        if (*p == ',' && *(p += 1 + strspn(p + 1, " \t")) == '\0')
            return base__keys_bad_number(k, text,
                                         err); /* nothing after the last comma */
    }
    memcpy(field, &list, sizeof list);
    return DSCQ_OK;
}

static dscq_status set_bool(void *field, const dscq_key *k, const char *text,
                            dscq_error *err)
{
    const int word = dscq_choice_find("0|1|no|yes|false|true|off|on", text);

    if (word < 0)
        return dscq_fail(err, DSCQ_FORMAT, "%s = '%s': want 0 or 1 (no, yes)", k->name,
                         text);
    *(int32_t *)field = word % 2;
    return DSCQ_OK;
}

static dscq_status set_enum(void *field, const dscq_key *k, const char *text,
                            dscq_error *err)
{
    const int word = dscq_choice_find(k->choices, text);

    if (word < 0)
        return dscq_fail(err, DSCQ_FORMAT, "%s = '%s': want one of %s", k->name, text,
                         k->choices);
    *(int32_t *)field = word;
    return DSCQ_OK;
}

/* "~/pics": a shell leaves it alone behind a '=', in a file nobody else expands it. */
static dscq_status set_text(void *field, const dscq_key *k, const char *text,
                            dscq_error *err)
{
    const int is_home = text[0] == '~' && (text[1] == '/' || text[1] == '\0');
    const char *home = is_home ? getenv("HOME") : NULL;
    const size_t h = home != NULL ? strlen(home) : 0;

    text += h > 0;
    const size_t n = strlen(text);
    if (h + n >= k->size)
        return dscq_fail(err, DSCQ_FORMAT, "%s: %zu characters, at most %zu fit",
                         k->name, h + n, k->size - 1);
    memmove((char *)field + h, text, n + 1);
    if (h > 0)
        memcpy(field, home, h);
    return DSCQ_OK;
}

dscq_status dscq_keys_set(void *params, const dscq_key *keys, const char *name,
                          const char *text, dscq_error *err)
{
    const dscq_key *k = dscq_keys_find(keys, name);

    if (k == NULL) {
        const char *near = dscq_keys_nearest(keys, name);
        return *near == '(' ? dscq_fail(err, DSCQ_FORMAT, "%s = '%s': unknown key %s",
                                        name, text, near)
                            : dscq_fail(err, DSCQ_FORMAT,
                                        "%s = '%s': unknown key; did you mean '%s'?",
                                        name, text, near);
    }
    if (k->type == DSCQ_KEY_OVER)
        return DSCQ_OK;
    void *field = (unsigned char *)params + k->offset;
    switch (k->type) {
    case DSCQ_KEY_BOOL:
        return set_bool(field, k, text, err);
    case DSCQ_KEY_ENUM:
        return set_enum(field, k, text, err);
    case DSCQ_KEY_STR:
        return set_text(field, k, text, err);
    case DSCQ_KEY_LIST:
        return set_list(field, k, text, err);
    case DSCQ_KEY_INT:
    case DSCQ_KEY_I64:
    case DSCQ_KEY_REAL:
    case DSCQ_KEY_OVER:
        break;
    }
    return set_number(field, k, text, err);
}

dscq_status dscq_keys_defaults(void *params, const dscq_key *keys, dscq_error *err)
{
    dscq_status status;

    for (const dscq_key *k = keys; k->name != NULL; k++)
        if (k->dflt != NULL &&
            (status = dscq_keys_set(params, keys, k->name, k->dflt, err)) != DSCQ_OK)
            return status;
    return DSCQ_OK;
}

static size_t print_list(char *out, size_t cap, const dscq_list *list)
{
    char item[40];
    size_t len = 0;

    if (cap > 0)
        out[0] = '\0';
    for (int32_t i = 0; i < list->count; i++) {
        dscq_str_real(item, sizeof item, list->v[i]);
        const int n = snprintf(len < cap ? out + len : NULL, len < cap ? cap - len : 0,
                               "%s%s", i > 0 ? "," : "", item);
        len += n > 0 ? (size_t)n : 0;
    }
    return len;
}

size_t dscq_keys_print(char *out, size_t cap, const void *params, const dscq_key *key)
{
    const void *field = (const unsigned char *)params + key->offset;
    char word[DSCQ_NAME_MAX];
    int n = 0;

    switch (key->type) {
    case DSCQ_KEY_INT:
    case DSCQ_KEY_BOOL:
        n = snprintf(out, cap, "%d", (int)*(const int32_t *)field);
        break;
    case DSCQ_KEY_I64:
        n = snprintf(out, cap, "%lld", (long long)*(const int64_t *)field);
        break;
    case DSCQ_KEY_REAL:
        dscq_str_real(word, sizeof word, *(const double *)field);
        n = snprintf(out, cap, "%s",
                     isnan(*(const double *)field) && is_auto(key, "auto") ? "auto"
                                                                           : word);
        break;
    case DSCQ_KEY_ENUM:
        dscq_choice_name(word, sizeof word, key->choices, *(const int32_t *)field);
        n = snprintf(out, cap, "%s", word);
        break;
    case DSCQ_KEY_STR:
        n = snprintf(out, cap, "%s", (const char *)field);
        break;
    case DSCQ_KEY_LIST:
        return print_list(out, cap, field);
    case DSCQ_KEY_OVER:
        n = snprintf(out, cap, "%s", "");
        break;
    }
    return n > 0 ? (size_t)n : 0;
}
