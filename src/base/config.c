#include "config_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/str.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A fault of the file, and somebody who listens. */
static int is_heard(const dscq_config *c, const dscq_error *why)
{
    return c->listener.hear != NULL && why != NULL && why->code != DSCQ_NOMEM &&
           why->code != DSCQ_INTERNAL && why->code != DSCQ_INTERRUPTED;
}

int dscq_config_complain(dscq_config *c, const dscq_error *why)
{
    if (!is_heard(c, why))
        return 0;
    c->listener.hear(c->listener.ctx, why);
    c->holes++;
    return 1;
}

int dscq_config_is_torn(const dscq_config *c)
{
    return c->torn > 0;
}

size_t dscq_config_holes(const dscq_config *c)
{
    return c->holes;
}

size_t dscq_config_count(const dscq_config *c)
{
    return c->count;
}

const char *dscq_config_name(const dscq_config *c)
{
    return c->name;
}

const char *dscq_config_section(const dscq_config *c, size_t i)
{
    assert(i < c->count);
    return c->section[i].name;
}

int dscq_config_line(const dscq_config *c, size_t i)
{
    assert(i < c->count);
    return c->section[i].line;
}

void dscq_config_where(char *out, size_t cap, const dscq_config *c, size_t i)
{
    assert(i < c->count);
    const config_section *s = &c->section[i];
    const config_entry *set = NULL;

    for (size_t e = 0; e < s->count; e++)
        set = s->entry[e].origin != NULL ? &s->entry[e] : set;
    if (s->line > 0 && set != NULL)
        (void)snprintf(out, cap, "%s:%d and %s %s.%s", c->name, s->line, set->origin,
                       s->name, set->key);
    else if (s->line > 0)
        (void)snprintf(out, cap, "%s:%d", c->name, s->line);
    else
        (void)snprintf(out, cap, "%s %s", set != NULL ? set->origin : c->name, s->name);
}

int dscq_config_find(const dscq_config *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->section[i].name, name) == 0)
            return (int)i;
    return -1;
}

dscq_status dscq_config_find_unique(int *out, const dscq_config *c, const char *name,
                                    dscq_error *err)
{
    *out = dscq_config_find(c, name);
    for (size_t i = *out < 0 ? c->count : (size_t)*out + 1; i < c->count; i++)
        if (strcmp(c->section[i].name, name) == 0)
            return dscq_fail(err, DSCQ_FORMAT,
                             "%s:%d: section [%s] stands twice, first in line %d",
                             c->name, c->section[i].line, name, c->section[*out].line);
    return DSCQ_OK;
}

static const config_entry *entry(const dscq_config *c, size_t i, const char *key)
{
    assert(i < c->count);
    const config_section *s = &c->section[i];

    for (size_t e = 0; e < s->count; e++)
        if (strcmp(s->entry[e].key, key) == 0)
            return &s->entry[e];
    return NULL;
}

const char *dscq_config_get(const dscq_config *c, size_t i, const char *key)
{
    const config_entry *e = entry(c, i, key);

    return e != NULL ? e->value : NULL;
}

const char *dscq_config_key_at(const dscq_config *c, size_t i, size_t k)
{
    const config_section *s = &c->section[i];

    for (size_t e = 0; e < s->count; e++)
        if (s->entry[e].first == 0 && k-- == 0)
            return s->entry[e].key;
    return NULL;
}

int dscq_config_key_line(const dscq_config *c, size_t i, const char *key)
{
    const config_entry *e = entry(c, i, key);

    return e != NULL ? e->line : 0;
}

/* "file:line", or where else the value comes from. */
static void origin_of(char *out, size_t cap, const dscq_config *c,
                      const config_entry *e, const char *section)
{
    if (e->origin != NULL)
        (void)snprintf(out, cap, "%s %s.%s", e->origin, section, e->key);
    else
        (void)snprintf(out, cap, "%s:%d", c->name, e->line);
}

void dscq_config_key_origin(char *out, size_t cap, const dscq_config *c, size_t i,
                            const char *key)
{
    const config_entry *e = entry(c, i, key);

    out[0] = '\0';
    if (e != NULL)
        origin_of(out, cap, c, e, c->section[i].name);
}

void dscq_config_first_counts(dscq_config *c, size_t i)
{
    assert(i < c->count);
    c->section[i].first_counts = 1;
}

void dscq_config_use(dscq_config *c, size_t i)
{
    assert(i < c->count);
    c->section[i].used = 1;
}

dscq_status dscq_config_read_over(dscq_config *c, size_t i, const char *key, int line,
                                  dscq_config_why why, dscq_error *err)
{
    const char *section = c->section[i].name;

    for (size_t k = 0; k < c->over_count; k++) {
        config_over *o = &c->over[k];
        if (o->why == why && strcmp(o->section, section) == 0 &&
            strcmp(o->key, key) == 0) {
            o->times++;
            return DSCQ_OK;
        }
    }
    if (c->over_count == c->over_cap) {
        const size_t cap = c->over_cap == 0 ? 8 : 2 * c->over_cap;
        config_over *p =
            dscq_realloc(c->over, c->over_cap * sizeof *p, cap * sizeof *p);
        if (p == NULL)
            return dscq_fail_nomem(err, c->name, cap * sizeof *p);
        c->over = p;
        c->over_cap = cap;
    }
    config_over *o = &c->over[c->over_count++];
    *o = (config_over){.why = why, .line = line, .times = 1};
    (void)dscq_str_copy(o->section, sizeof o->section, section);
    (void)dscq_str_copy(o->key, sizeof o->key, key);
    return DSCQ_OK;
}

void dscq_config_over_list(dscq_str *to, const dscq_config *c, dscq_config_why why)
{
    for (size_t k = 0; k < c->over_count; k++) {
        const config_over *o = &c->over[k];
        if (o->why != why)
            continue;
        dscq_str_addf(to, "%s[%s]%s%s (line %d", to->len > 0 ? ", " : "", o->section,
                      o->key[0] != '\0' ? " " : "", o->key, o->line);
        if (o->times > 1)
            dscq_str_addf(to, " and %d more", o->times - 1);
        dscq_str_add(to, ")");
    }
}

/* A key that stands again: the first one counts, where that is the rule. */
static dscq_status bind_again(dscq_config *c, size_t i, const config_entry *e,
                              dscq_error *err)
{
    if (c->section[i].first_counts)
        return dscq_config_read_over(c, i, e->key, e->line, DSCQ_CONFIG_AGAIN, err);
    return dscq_fail(err, DSCQ_FORMAT, "key '%s' given twice in [%s], first in line %d",
                     e->key, c->section[i].name, e->first);
}

static dscq_status unknown_key(const config_entry *e, const dscq_key *const *rows,
                               size_t tables, dscq_error *err)
{
    const char *near = NULL;

    for (size_t t = 0; t < tables; t++) {
        const char *k = dscq_keys_nearest(rows[t], e->key);
        if (*k != '(' && (near == NULL || dscq_edit_distance(k, e->key) <
                                              dscq_edit_distance(near, e->key)))
            near = k;
    }
    if (near == NULL)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s = '%s': unknown key (this section takes no keys)", e->key,
                         e->value);
    return dscq_fail(err, DSCQ_FORMAT, "%s = '%s': unknown key; did you mean '%s'?",
                     e->key, e->value, near);
}

/* *is_known: whether a table has the key. */
static dscq_status bind_entry(int *is_known, void *const *params,
                              const dscq_key *const *rows, size_t tables,
                              dscq_config *c, size_t i, const config_entry *e,
                              dscq_error *err)
{
    const dscq_key *key = NULL;
    size_t owner = tables;
    dscq_status status;

    for (size_t t = 0; t < tables; t++) {
        const dscq_key *k = dscq_keys_find(rows[t], e->key);
        if (k != NULL) {
            assert(owner == tables); /* a key stands in one table only */
            owner = t;
            key = k;
        }
    }
    *is_known = key != NULL;
    if (key == NULL)
        return unknown_key(e, rows, tables, err);
    status = dscq_keys_set(params[owner], rows[owner], e->key, e->value, err);
    if (status == DSCQ_OK && key->type == DSCQ_KEY_OVER)
        status = dscq_config_read_over(c, i, e->key, e->line, DSCQ_CONFIG_FOREIGN, err);
    return status;
}

static dscq_status check_required(dscq_config *c, int i, const char *name,
                                  const dscq_key *keys, dscq_error *err)
{
    char place[DSCQ_PATH_MAX + DSCQ_NAME_MAX];
    dscq_error why;

    (void)snprintf(place, sizeof place, "%s", c->name);
    if (i >= 0)
        dscq_config_where(place, sizeof place, c, (size_t)i);
    for (const dscq_key *k = keys; k->name != NULL; k++)
        if (k->dflt == NULL && (i < 0 || entry(c, (size_t)i, k->name) == NULL)) {
            (void)dscq_fail(&why, DSCQ_FORMAT, "%s: [%s] needs the key '%s': %s", place,
                            name, k->name, k->help);
            if (!dscq_config_complain(c, &why))
                return dscq_fail(err, why.code, "%s", why.msg);
        }
    return DSCQ_OK;
}

dscq_status dscq_config_bind_many(void *const *params, const dscq_key *const *rows,
                                  size_t tables, dscq_config *c, int i,
                                  const char *name, dscq_error *err)
{
    char where[DSCQ_PATH_MAX + DSCQ_NAME_MAX];
    dscq_error why;
    dscq_status status;
    int is_known;

    assert(i < 0 || (size_t)i < c->count);
    for (size_t t = 0; t < tables; t++)
        if ((status = dscq_keys_defaults(params[t], rows[t], err)) != DSCQ_OK)
            return status;
    for (size_t e = 0; i >= 0 && e < c->section[i].count; e++) {
        const config_entry *x = &c->section[i].entry[e];
        is_known = 1;
        status = x->first != 0 ? bind_again(c, (size_t)i, x, &why)
                               : bind_entry(&is_known, params, rows, tables, c,
                                            (size_t)i, x, &why);
        if (status == DSCQ_OK)
            continue;
        origin_of(where, sizeof where, c, x, c->section[i].name);
        (void)dscq_fail_at(&why, "%s", where);
        if (!is_heard(c, &why))
            return dscq_fail(err, why.code, "%s", why.msg);
        c->listener.hear(c->listener.ctx, &why);
        c->holes += (size_t)is_known;
    }
    for (size_t t = 0; t < tables; t++)
        if ((status = check_required(c, i, name, rows[t], err)) != DSCQ_OK)
            return status;
    if (i >= 0)
        c->section[i].used = 1;
    return DSCQ_OK;
}

dscq_status dscq_config_bind(void *params, dscq_config *c, int i, const char *name,
                             const dscq_key *keys, dscq_error *err)
{
    return dscq_config_bind_many(&params, &keys, 1, c, i, name, err);
}

static void nearest_choice(char *out, size_t cap, const char *legal, const char *name)
{
    char word[DSCQ_NAME_MAX];
    unsigned best = ~0U;

    for (int i = 0;; i++) {
        dscq_choice_name(word, sizeof word, legal, i);
        if (word[0] == '\0')
            return;
        const unsigned d = dscq_edit_distance(word, name);
        if (d < best) {
            best = d;
            (void)dscq_str_copy(out, cap, word);
        }
    }
}

dscq_status dscq_config_check_used(const dscq_config *c, const char *legal,
                                   dscq_error *err)
{
    char near[DSCQ_NAME_MAX] = "", where[DSCQ_PATH_MAX + DSCQ_NAME_MAX];

    for (size_t i = 0; i < c->count; i++) {
        const config_section *s = &c->section[i];
        if (s->used)
            continue;
        nearest_choice(near, sizeof near, legal, s->name);
        dscq_config_where(where, sizeof where, c, i);
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s: unknown section [%s]; did you mean [%s]?", where, s->name,
                         near);
    }
    return DSCQ_OK;
}

/* What the parser would cut off a text. */
static int needs_quotes(const char *text)
{
    const size_t n = strlen(text);

    if (n == 0 || strchr(text, '"') != NULL)
        return 0; /* nothing to keep, or nothing that quotes can keep */
    if (strchr(" \t#;", text[0]) != NULL || strchr(" \t", text[n - 1]) != NULL)
        return 1;
    for (size_t i = 1; i < n; i++)
        if ((text[i] == '#' || text[i] == ';') && strchr(" \t", text[i - 1]) != NULL)
            return 1;
    return 0;
}

void dscq_config_print_section(const dscq_config *c, int i, const char *name,
                               const void *params, const dscq_key *keys,
                               void (*put)(void *ctx, const char *line), void *ctx)
{
    char value[DSCQ_LIST_MAX * 26 + 1], line[sizeof value + DSCQ_NAME_MAX + 8];
    char where[DSCQ_PATH_MAX + DSCQ_NAME_MAX];

    (void)snprintf(line, sizeof line, "[%s]", name);
    put(ctx, line);
    for (const dscq_key *k = keys; k->name != NULL; k++) {
        const config_entry *e = i < 0 ? NULL : entry(c, (size_t)i, k->name);
        if (k->type == DSCQ_KEY_OVER)
            continue;
        if (e == NULL)
            (void)dscq_str_copy(where, sizeof where, "default");
        else
            origin_of(where, sizeof where, c, e, name);
        (void)snprintf(line, sizeof line, "# %s", where);
        put(ctx, line);
        (void)dscq_keys_print(value, sizeof value, params, k);
        const char *quote = k->type == DSCQ_KEY_STR && needs_quotes(value) ? "\"" : "";
        (void)snprintf(line, sizeof line, "%s=%s%s%s", k->name, quote, value, quote);
        put(ctx, line);
    }
}
