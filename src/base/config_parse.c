#include "config_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"

#include <stdlib.h>
#include <string.h>

/* Bounds on hostile files; the largest real network file has a few hundred
 * sections. Duplicate keys are looked for one by one, hence the second bound. */
enum { FILE_MAX = 4 << 20, SECTIONS_MAX = 1 << 16, ENTRIES_MAX = 512 };

void dscq_config_destroy(dscq_config *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->count; i++) {
        config_section *s = &c->section[i];
        for (size_t e = 0; e < s->count; e++) {
            dscq_free(s->entry[e].key);
            dscq_free(s->entry[e].value);
            dscq_free(s->entry[e].origin);
        }
        dscq_free(s->entry);
        dscq_free(s->name);
    }
    dscq_free(c->section);
    dscq_free(c->over);
    dscq_free(c->name);
    dscq_free(c);
}

static char *copy_bytes(const char *text, size_t n)
{
    char *p = dscq_malloc(n + 1, 1);

    if (p != NULL) {
        memcpy(p, text, n);
        p[n] = '\0';
    }
    return p;
}

/* Room for one more item; NULL when there is none to be had. */
static void *more(void *items, size_t count, size_t *cap, size_t elem_bytes)
{
    if (count < *cap)
        return items;
    const size_t want = *cap == 0 ? 8 : *cap * 2;
    void *p = dscq_realloc(items, count * elem_bytes, want * elem_bytes);
    if (p != NULL)
        *cap = want;
    return p;
}

static dscq_status add_section(dscq_config *c, const char *name, size_t n, int line,
                               dscq_error *err)
{
    if (c->count == SECTIONS_MAX)
        return dscq_fail(err, DSCQ_FORMAT, "%s:%d: more than %d sections", c->name,
                         line, SECTIONS_MAX);
    config_section *p = more(c->section, c->count, &c->cap, sizeof *p);
    if (p == NULL)
        return dscq_fail_nomem(err, c->name, sizeof *p);
    c->section = p;
    char *copy = copy_bytes(name, n);
    if (copy == NULL)
        return dscq_fail_nomem(err, c->name, n + 1);
    c->section[c->count++] = (config_section){.name = copy, .line = line};
    return DSCQ_OK;
}

static dscq_status add_entry(dscq_config *c, config_section *s, config_entry e,
                             dscq_error *err)
{
    if (s->count == ENTRIES_MAX)
        return dscq_fail(err, DSCQ_FORMAT, "%s:%d: more than %d keys in [%s]", c->name,
                         e.line, ENTRIES_MAX, s->name);
    config_entry *p = more(s->entry, s->count, &s->cap, sizeof *p);
    if (p == NULL)
        return dscq_fail_nomem(err, c->name, sizeof *p);
    s->entry = p;
    s->entry[s->count++] = e;
    return DSCQ_OK;
}

static config_entry *find_entry(const config_section *s, const char *key, size_t n)
{
    for (size_t i = 0; i < s->count; i++)
        if (strncmp(s->entry[i].key, key, n) == 0 && s->entry[i].key[n] == '\0')
            return &s->entry[i];
    return NULL;
}

/* [text, text + n) without the blanks around it. */
static void trim(const char **text, size_t *n)
{
    while (*n > 0 && strchr(" \t\r", (*text)[0]) != NULL)
        (*text)++, (*n)--;
    while (*n > 0 && strchr(" \t\r", (*text)[*n - 1]) != NULL)
        (*n)--;
}

/* Where the comment of a line begins, or its end: '#' or ';' at the start, behind a
 * blank, or behind the ']' of a section; one inside a word ("14_*;15_*", "a#1") or
 * inside quotes belongs to the value. */
static size_t before_comment(const char *text, size_t n)
{
    int quoted = 0;

    for (size_t i = 0; i < n; i++) {
        const char before = i > 0 ? text[i - 1] : ' ';
        if (text[i] == '"' &&
            (quoted || before == '=' || strchr(" \t", before) != NULL))
            quoted = !quoted;
        else if (!quoted && (text[i] == '#' || text[i] == ';') &&
                 (strchr(" \t", before) != NULL || (text[0] == '[' && before == ']')))
            return i;
    }
    return n;
}

/* A value between quotes is what stands between them. */
static void unquote(const char **value, size_t *n)
{
    if (*n >= 2 && (*value)[0] == '"' && (*value)[*n - 1] == '"' &&
        memchr(*value + 1, '"', *n - 2) == NULL) {
        (*value)++;
        *n -= 2;
    }
}

static dscq_status parse_section(dscq_config *c, const char *text, size_t n, int line,
                                 dscq_error *err)
{
    if (text[n - 1] != ']')
        return dscq_fail(err, DSCQ_FORMAT, "%s:%d: '%.*s': want [section]", c->name,
                         line, (int)(n < 40 ? n : 40), text);
    const char *name = text + 1;
    size_t len = n - 2;
    trim(&name, &len);
    if (len == 0 || len >= DSCQ_NAME_MAX)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s:%d: section name of %zu characters: want 1 to %d", c->name,
                         line, len, DSCQ_NAME_MAX - 1);
    return add_section(c, name, len, line, err);
}

static dscq_status parse_entry(dscq_config *c, const char *text, size_t n, int line,
                               dscq_error *err)
{
    const char *eq = memchr(text, '=', n);
    config_section *s = c->count > 0 ? &c->section[c->count - 1] : NULL;

    if (eq == NULL || eq == text)
        return dscq_fail(err, DSCQ_FORMAT, "%s:%d: '%.*s': want key=value or [section]",
                         c->name, line, (int)(n < 40 ? n : 40), text);
    const char *key = text, *value = eq + 1;
    size_t key_n = (size_t)(eq - text), value_n = n - key_n - 1;
    trim(&key, &key_n);
    trim(&value, &value_n);
    unquote(&value, &value_n);
    if (s == NULL)
        return dscq_fail(err, DSCQ_FORMAT, "%s:%d: '%.*s' before the first [section]",
                         c->name, line, (int)(key_n < 40 ? key_n : 40), key);
    if (key_n >= DSCQ_NAME_MAX)
        return dscq_fail(err, DSCQ_FORMAT, "%s:%d: key of %zu characters: want 1 to %d",
                         c->name, line, key_n, DSCQ_NAME_MAX - 1);
    const config_entry *twin = find_entry(s, key, key_n);
    config_entry e = {copy_bytes(key, key_n), copy_bytes(value, value_n), NULL, line,
                      twin != NULL ? twin->line : 0};
    const dscq_status status = e.key == NULL || e.value == NULL
                                   ? dscq_fail_nomem(err, c->name, key_n + value_n + 2)
                                   : add_entry(c, s, e, err);
    if (status != DSCQ_OK) {
        dscq_free(e.key);
        dscq_free(e.value);
    }
    return status;
}

static dscq_status parse_lines(dscq_config *c, const char *text, size_t bytes,
                               dscq_error *err)
{
    dscq_status status = dscq_text_begin(&text, &bytes, c->name, err);
    const char *const end = text + bytes;
    dscq_error why;

    for (int line = 1; text < end && status == DSCQ_OK; line++) {
        const char *nl = memchr(text, '\n', (size_t)(end - text));
        const char *next = nl != NULL ? nl + 1 : end;
        const char *p = text;
        size_t n = (size_t)((nl != NULL ? nl : end) - text);
        if (memchr(p, '\0', n) != NULL)
            return dscq_fail(err, DSCQ_FORMAT,
                             "%s:%d: a zero byte: this is not a text file", c->name,
                             line);
        trim(&p, &n);
        n = before_comment(p, n);
        trim(&p, &n);
        if (n > 0 && *p == '[')
            status = parse_section(c, p, n, line, &why);
        else if (n > 0)
            status = parse_entry(c, p, n, line, &why);
        if (status != DSCQ_OK)
            status = dscq_config_complain(c, &why)
                         ? DSCQ_OK
                         : dscq_fail(err, why.code, "%s", why.msg);
        text = next;
    }
    return status;
}

static dscq_status parse_all(dscq_config **out, const char *text, size_t text_bytes,
                             const char *name, const dscq_config_listener *listener,
                             dscq_error *err)
{
    dscq_config *c = dscq_calloc(1, sizeof *c);

    *out = NULL;
    if (c == NULL)
        return dscq_fail_nomem(err, name, sizeof *c);
    if (listener != NULL)
        c->listener = *listener;
    c->name = dscq_strdup(name);
    const dscq_status status = c->name == NULL
                                   ? dscq_fail_nomem(err, name, strlen(name) + 1)
                                   : parse_lines(c, text, text_bytes, err);
    if (status != DSCQ_OK) {
        dscq_config_destroy(c);
        return status;
    }
    c->torn = c->holes;
    *out = c;
    return DSCQ_OK;
}

dscq_status dscq_config_parse(dscq_config **out, const char *text, size_t text_bytes,
                              const char *name, dscq_error *err)
{
    return parse_all(out, text, text_bytes, name, NULL, err);
}

dscq_status dscq_config_load_all(dscq_config **out, const char *path,
                                 const dscq_config_listener *listener, dscq_error *err)
{
    uint8_t *text = NULL;
    size_t bytes = 0;
    dscq_status status = dscq_file_read(&text, &bytes, path, FILE_MAX, err);

    *out = NULL;
    if (status == DSCQ_OK)
        status = parse_all(out, (const char *)text, bytes, path, listener, err);
    dscq_free(text);
    return status;
}

dscq_status dscq_config_load(dscq_config **out, const char *path, dscq_error *err)
{
    return dscq_config_load_all(out, path, NULL, err);
}

/* "section" or "section#3": which section is meant; made when it is missing. */
static dscq_status target(size_t *out, dscq_config *c, const char *text, size_t n,
                          const char *assignment, dscq_error *err)
{
    const char *hash = memchr(text, '#', n);
    const size_t name_n = hash != NULL ? (size_t)(hash - text) : n;
    size_t want = 1, seen = 0;

    if (hash != NULL) {
        char *end = NULL;
        const unsigned long v = strtoul(hash + 1, &end, 10);
        if (end != text + n || end == hash + 1 || hash[1] < '0' || hash[1] > '9' ||
            v < 1 || v > SECTIONS_MAX)
            return dscq_fail(err, DSCQ_ARG, "'%s': want section#N.key=value, N from 1",
                             assignment);
        want = (size_t)v;
    }
    for (size_t i = 0; i < c->count; i++)
        if (strncmp(c->section[i].name, text, name_n) == 0 &&
            c->section[i].name[name_n] == '\0' && ++seen == want) {
            *out = i;
            return DSCQ_OK;
        }
    if (want != 1)
        return dscq_fail(err, DSCQ_ARG, "'%s': %s has only %zu section(s) [%.*s]",
                         assignment, c->name, seen, (int)name_n, text);
    *out = c->count;
    return add_section(c, text, name_n, 0, err);
}

dscq_status dscq_config_set(dscq_config *c, const char *assignment, const char *origin,
                            dscq_error *err)
{
    const char *eq = strchr(assignment, '=');
    const char *dot = strchr(assignment, '.');
    size_t i = 0;

    if (eq == NULL || dot == NULL || dot > eq || dot == assignment || dot + 1 == eq ||
        dot - assignment >= DSCQ_NAME_MAX || eq - dot > DSCQ_NAME_MAX)
        return dscq_fail(err, DSCQ_ARG, "'%s': want section.key=value", assignment);
    dscq_status status =
        target(&i, c, assignment, (size_t)(dot - assignment), assignment, err);
    if (status != DSCQ_OK)
        return status;
    const char *key = dot + 1, *value = eq + 1;
    size_t key_n = (size_t)(eq - key), value_n = strlen(value);
    trim(&key, &key_n);
    trim(&value, &value_n);

    config_entry e = {copy_bytes(key, key_n), copy_bytes(value, value_n),
                      dscq_strdup(origin), 0, 0};
    config_entry *old = find_entry(&c->section[i], key, key_n);
    if (e.key == NULL || e.value == NULL || e.origin == NULL)
        status = dscq_fail_nomem(err, assignment, strlen(assignment));
    else if (old == NULL)
        status = add_entry(c, &c->section[i], e, err);
    else {
        const config_entry gone = *old;
        *old = e;
        e = gone;
    }
    if (status != DSCQ_OK || old != NULL) {
        dscq_free(e.key);
        dscq_free(e.value);
        dscq_free(e.origin);
    }
    return status;
}
