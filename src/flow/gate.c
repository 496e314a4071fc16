#include "dscq/flow/gate.h"

#include "dscq/base/keys.h"
#include "dscq/base/str.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const k_schema = "dscq.report/1";
static const char *const k_places[] = {"total", "accuracy", "file"};

typedef struct rule {
    char key[128];
    int above;    /* '>': more is worse */
    int at_limit; /* ">=", "<=": the limit itself breaks it */
    int relative; /* the amount is a change from the baseline */
    int percent;
    double amount;
} rule;

static dscq_status parse_rule(rule *out, const char *text, dscq_error *err)
{
    const size_t key_len = strcspn(text, "<>");
    const char *p = text + key_len;
    char *end = NULL;

    *out = (rule){.above = *p == '>'};
    if (*p == '\0' || key_len == 0 || key_len >= sizeof out->key ||
        text[strcspn(text, "=!<>")] != *p)
        return dscq_fail(err, DSCQ_ARG,
                         "gate '%s': want KEY>AMOUNT, KEY<AMOUNT, KEY>=AMOUNT or "
                         "KEY<=AMOUNT, such as energy_pj>+2%%",
                         text);
    memcpy(out->key, text, key_len);
    out->key[key_len] = '\0';
    for (size_t i = key_len; i > 0 && out->key[i - 1] == ' '; i--)
        out->key[i - 1] = '\0';
    p++;
    out->at_limit = *p == '=';
    p += out->at_limit;
    while (*p == ' ')
        p++;
    out->relative = *p == '+' || *p == '-';
    out->amount = strtod(p, &end);
    if (end == p || !isfinite(out->amount))
        return dscq_fail(err, DSCQ_ARG, "gate '%s': '%s' is not a number", text, p);
    if (*end == '%') {
        out->percent = 1;
        out->relative = 1;
        end++;
    }
    if (*end != '\0')
        return dscq_fail(err, DSCQ_ARG, "gate '%s': '%s' behind the number", text, end);
    if (out->relative && (out->above ? out->amount < 0 : out->amount > 0))
        return dscq_fail(err, DSCQ_ARG,
                         "gate '%s': '>' goes with a rise (+), '<' with a fall (-)",
                         text);
    return DSCQ_OK;
}

static dscq_status needs_baseline(const char *text, dscq_error *err)
{
    return dscq_fail(err, DSCQ_ARG, "gate '%s' compares: give --baseline FILE", text);
}

static const dscq_json *look_up(const dscq_json *report, const char *key)
{
    const dscq_json *found = dscq_json_get(report, key);

    for (size_t i = 0; found == NULL && i < sizeof k_places / sizeof *k_places; i++) {
        const dscq_json *place = dscq_json_get(report, k_places[i]);
        found = place != NULL ? dscq_json_get(place, key) : NULL;
    }
    return found != NULL && dscq_json_is_number(found) ? found : NULL;
}

static dscq_status check_schema(const dscq_json *report, const char *which,
                                dscq_error *err)
{
    const char *schema = dscq_json_text(dscq_json_get(report, "schema"), "(none)");

    if (strcmp(schema, k_schema) != 0)
        return dscq_fail(err, DSCQ_ARG, "%s report: schema '%s', want '%s'", which,
                         schema, k_schema);
    return DSCQ_OK;
}

static double limit_of(const rule *r, double old)
{
    if (!r->relative)
        return r->amount;
    return old + (r->percent ? fabs(old) * r->amount / 100.0 : r->amount);
}

/* Decimal numbers are rarely binary ones: 0.8 - 0.1 is 0.7 and a bit. What differs from
 * the limit by no more than the rounding of the numbers it was made from is at it. */
static int breaks(const rule *r, double value, double limit, double old)
{
    const double largest = fmax(fmax(fabs(value), fabs(limit)), fabs(old));
    const double slack = 4 * DBL_EPSILON * fmax(largest, fabs(r->amount));
    const double over = r->above ? value - limit : limit - value;

    return r->at_limit ? over >= -slack : over > slack;
}

static dscq_status apply(dscq_table *t, size_t *broken, const char *text,
                         const dscq_json *report, const dscq_json *baseline,
                         dscq_error *err)
{
    rule r;
    dscq_status status;

    DSCQ_TRY(parse_rule(&r, text, err));
    const dscq_json *now = look_up(report, r.key);
    const dscq_json *old = baseline != NULL ? look_up(baseline, r.key) : NULL;
    if (now == NULL)
        return dscq_fail(err, DSCQ_ARG, "gate '%s': the report has no number '%s'",
                         text, r.key);
    if (r.relative && baseline == NULL)
        return needs_baseline(text, err);
    if (r.relative && old == NULL)
        return dscq_fail(err, DSCQ_ARG, "gate '%s': the baseline has no number '%s'",
                         text, r.key);
    const double value = dscq_json_real(now, 0);
    const double before = dscq_json_real(old, 0);
    const double limit = limit_of(&r, before);
    const int is_broken = breaks(&r, value, limit, before);
    DSCQ_TABLE_ROW(t, dscq_text(text), dscq_text(r.key),
                   old != NULL ? dscq_real(before) : dscq_none(), dscq_real(value),
                   dscq_real(limit), dscq_int(is_broken));
    *broken += (size_t)is_broken;
    status = DSCQ_OK;
done:
    return status;
}

dscq_status dscq_gate_read_rules(const char *const *rules, size_t rule_count,
                                 int has_baseline, dscq_error *err)
{
    rule r;
    dscq_status status = DSCQ_OK;

    for (size_t i = 0; i < rule_count && status == DSCQ_OK; i++) {
        status = parse_rule(&r, rules[i], err);
        if (status == DSCQ_OK && r.relative && !has_baseline)
            status = needs_baseline(rules[i], err);
    }
    return status;
}

/* ---- what the two reports are of ----------------------------------------- */

/* One side of a difference, as text. */
static void say_value(char *out, size_t cap, const dscq_json *v)
{
    if (v == NULL)
        (void)snprintf(out, cap, "not said");
    else if (dscq_json_is_number(v))
        (void)snprintf(out, cap, "%.10g", dscq_json_real(v, 0));
    else
        (void)snprintf(out, cap, "%.60s", dscq_json_text(v, "?"));
}

static int same_value(const dscq_json *a, const dscq_json *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    if (dscq_json_is_number(a) || dscq_json_is_number(b))
        return dscq_json_is_number(a) && dscq_json_is_number(b) &&
               fabs(dscq_json_real(a, 0) - dscq_json_real(b, 0)) <=
                   DBL_EPSILON * fabs(dscq_json_real(a, 0));
    return strcmp(dscq_json_text(a, ""), dscq_json_text(b, "")) == 0;
}

static int differ(dscq_str *to, const char *what, const dscq_json *old,
                  const dscq_json *now)
{
    char was[80], is[80];

    if (same_value(old, now))
        return 0;
    say_value(was, sizeof was, old);
    say_value(is, sizeof is, now);
    dscq_str_addf(to, "%s%s is %s, was %s", to->len > 0 ? "; " : "", what, is, was);
    return 1;
}

/* The first key of an object that both have and that differs: later versions may add
 * keys. Objects within it are gone into. */
static int differ_inside(dscq_str *to, const char *what, const dscq_json *old,
                         const dscq_json *now)
{
    char name[DSCQ_NAME_MAX];

    for (size_t i = 0; i < dscq_json_count(now); i++) {
        const char *key = dscq_json_key(now, i);
        const dscq_json *a = dscq_json_get(old, key), *b = dscq_json_member(now, i);

        (void)snprintf(name, sizeof name, "%s %s", what, key);
        if (a == NULL)
            continue;
        if (dscq_json_count(b) > 0 ? differ_inside(to, name, a, b)
                                   : differ(to, name, a, b))
            return 1;
    }
    return 0;
}

dscq_status dscq_gate_comparable(const dscq_json *report, const dscq_json *baseline,
                                 dscq_error *err)
{
    static const struct {
        const char *path, *what;
    } k_same[] = {{"network.name", "network"},
                  {"network.macs", "multiply-accumulates"},
                  {"total.frames", "number of frames"},
                  {"accuracy.images", "number of images"}};
    dscq_str found = {0};
    dscq_status status = DSCQ_OK;

    DSCQ_TRY(check_schema(report, "the new", err));
    DSCQ_TRY(check_schema(baseline, "the baseline", err));
    if (!differ(&found, "machine", dscq_json_get(baseline, "machine.name"),
                dscq_json_get(report, "machine.name")))
        (void)differ_inside(&found, "machine", dscq_json_get(baseline, "settings"),
                            dscq_json_get(report, "settings"));
    for (size_t i = 0; i < sizeof k_same / sizeof *k_same; i++)
        (void)differ(&found, k_same[i].what, dscq_json_get(baseline, k_same[i].path),
                     dscq_json_get(report, k_same[i].path));
    if (found.bad)
        status = dscq_fail_nomem(err, "a comparison", found.cap);
    else if (found.len > 0)
        status = dscq_fail(err, DSCQ_ARG,
                           "the two reports are not of the same thing: %s", found.text);
done:
    dscq_str_free(&found);
    return status;
}

static const dscq_column k_columns[] = {DSCQ_TEXT_COLUMN("rule", "gate"),
                                        DSCQ_TEXT_COLUMN("key", ""),
                                        DSCQ_REAL_COLUMN("baseline", "", 4),
                                        DSCQ_REAL_COLUMN("new", "", 4),
                                        DSCQ_REAL_COLUMN("limit", "", 4),
                                        DSCQ_INT_COLUMN("broken", ""),
                                        DSCQ_COLUMN_END};

dscq_status dscq_gate_check(dscq_table **out, size_t *broken, const dscq_json *report,
                            const dscq_json *baseline, const char *const *rules,
                            size_t rule_count, dscq_error *err)
{
    dscq_table *t = NULL;
    dscq_status status;

    *broken = 0;
    DSCQ_TRY(check_schema(report, "the new", err));
    if (baseline != NULL)
        DSCQ_TRY(check_schema(baseline, "the baseline", err));
    DSCQ_TRY(dscq_table_create(&t, "gates", k_columns, err));
    for (size_t i = 0; i < rule_count; i++)
        DSCQ_TRY(apply(t, broken, rules[i], report, baseline, err));
    DSCQ_TRY(dscq_table_check(t, err));
    *out = t;
    return DSCQ_OK;
done:
    dscq_table_destroy(t);
    return status;
}
