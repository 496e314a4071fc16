/* What a row of a module's table says of itself, as help. */
#include "help_rows.h"

#include "dscq/compress/method.h"
#include "dscq/nn/layer.h"
#include "dscq/pack/encoding.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

/* "a|b|c" -> "a, b, c", which can be broken into lines. */
static void list_choices(char *out, size_t cap, const char *choices)
{
    size_t n = 0;

    for (; *choices != '\0' && n + 3 < cap; choices++) {
        out[n++] = *choices == '|' ? ',' : *choices;
        if (*choices == '|')
            out[n++] = ' ';
    }
    out[n] = '\0';
}

/* "1 to 64", "at least 0", "a, b, c", "0 or 1". */
static void range_of(char *out, size_t cap, const dscq_key *k)
{
    char lo[40], hi[40];
    const int has_lo = k->min > -DBL_MAX, has_hi = k->max < DBL_MAX;

    out[0] = '\0';
    dscq_str_real(lo, sizeof lo, k->min);
    dscq_str_real(hi, sizeof hi, k->max);
    if (k->type == DSCQ_KEY_ENUM)
        list_choices(out, cap, k->choices);
    else if (k->type == DSCQ_KEY_BOOL)
        (void)snprintf(out, cap, "0 or 1");
    else if (k->type == DSCQ_KEY_OVER)
        (void)snprintf(out, cap, "read over");
    else if (k->type == DSCQ_KEY_STR)
        (void)snprintf(out, cap, "text");
    else if (has_lo && has_hi)
        (void)snprintf(out, cap, "%s to %s", lo, hi);
    else if (has_lo || has_hi)
        (void)snprintf(out, cap, "%s %s", has_lo ? "at least" : "at most",
                       has_lo ? lo : hi);
    else
        (void)snprintf(out, cap, "a number");
    if (k->type == DSCQ_KEY_LIST)
        (void)snprintf(out + strlen(out), cap - strlen(out), ", a list");
}

void cli__put_key(dscq_str *s, const char *name, const dscq_key *k)
{
    char range[256], text[1024];

    range_of(range, sizeof range, k);
    if (k->dflt == NULL)
        (void)snprintf(text, sizeof text, "%s (%s; required)", k->help, range);
    else
        (void)snprintf(text, sizeof text, "%s (%s%s%s)", k->help, range,
                       *k->dflt != '\0' ? "; default " : "", k->dflt);
    cli__help_item(s, name, text, NAME_COLUMN);
}

void cli__put_keys(dscq_str *s, const dscq_key *keys)
{
    for (const dscq_key *k = keys; k->name != NULL; k++)
        cli__put_key(s, k->name, k);
}

void cli__put_section(dscq_str *s, const char *name, const dscq_key *keys)
{
    dscq_str_addf(s, "%s[%s]\n", s->len > 0 ? "\n" : "", name);
    cli__put_keys(s, keys);
}

void cli__put_layer(dscq_str *s, const dscq_layer_ops *ops)
{
    dscq_str_addf(s, "%s[%s]%s%s%s\n  ", s->len > 0 ? "\n" : "", ops->name,
                  ops->alias != NULL ? ", also [" : "",
                  ops->alias != NULL ? ops->alias : "", ops->alias != NULL ? "]" : "");
    cli__help_fill(s, ops->summary, 2, 2);
    if (ops->keys != NULL)
        cli__put_keys(s, ops->keys);
}

/* Its own and those it shares with all. */
static void put_key_names(dscq_str *s, const dscq_method *m)
{
    const char *before = "  keys of [compress] beside p and b: ";

    for (size_t i = 0; i < DSCQ_METHOD_KEYS && m->keys[i] != NULL; i++)
        for (const dscq_key *k = m->keys[i]->rows; k->name != NULL; k++) {
            dscq_str_addf(s, "%s%s", before, k->name);
            before = ", ";
        }
    if (m->reads != NULL)
        dscq_str_addf(s, "%s%s", before, m->reads);
    if (m->reads != NULL || m->keys[0] != NULL)
        dscq_str_add(s, "\n");
}

void cli__put_method(dscq_str *s, const dscq_method *m)
{
    dscq_str_addf(s, "%s%s\n  ", s->len > 0 ? "\n" : "", m->name);
    cli__help_fill(s, m->summary, 2, 2);
    if (m->source != NULL) {
        dscq_str_add(s, "  ");
        cli__help_fill(s, m->source, 2, 2);
    }
    put_key_names(s, m);
}

void cli__put_method_keys(dscq_str *s, const dscq_method *m)
{
    for (size_t i = 0; i < DSCQ_METHOD_KEYS && m->keys[i] != NULL; i++)
        cli__put_keys(s, m->keys[i]->rows);
}

void cli__put_encoding(dscq_str *s, const dscq_pack_encoding_info *e)
{
    char text[512];

    (void)snprintf(text, sizeof text, "%s. %s; %g a cycle, %ld table bits: %s",
                   e->summary, dscq_pack_kind_name(e->kind), e->hw_entries_per_cycle,
                   (long)e->hw_table_bits, e->hw_note);
    cli__help_item(s, e->name, text, NAME_COLUMN);
}
