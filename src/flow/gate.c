#include "dscq/flow/gate.h"

#include "dscq/base/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const k_schema = "dscq.report/1";
static const char *const k_places[] = {"total", "accuracy", "file"};

typedef struct rule {
    char key[128];
    int above;    /* '>': more is worse */
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
    if (*p == '\0' || key_len == 0 || key_len >= sizeof out->key)
        return dscq_fail(err, DSCQ_ARG,
                         "gate '%s': want KEY>AMOUNT or KEY<AMOUNT, such as "
                         "energy_pj>+2%%",
                         text);
    memcpy(out->key, text, key_len);
    out->key[key_len] = '\0';
    for (size_t i = key_len; i > 0 && out->key[i - 1] == ' '; i--)
        out->key[i - 1] = '\0';
    p++;
    p += *p == '='; /* ">=" is read as ">" : equality is never worse */
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
        return dscq_fail(err, DSCQ_ARG, "gate '%s' compares: give --baseline FILE",
                         text);
    if (r.relative && old == NULL)
        return dscq_fail(err, DSCQ_ARG, "gate '%s': the baseline has no number '%s'",
                         text, r.key);
    const double value = dscq_json_real(now, 0);
    const double limit = limit_of(&r, dscq_json_real(old, 0));
    const int is_broken = r.above ? value > limit : value < limit;
    const size_t row = dscq_table_add_row(t);
    dscq_table_set_text(t, row, "rule", text);
    dscq_table_set_text(t, row, "key", r.key);
    if (old != NULL)
        dscq_table_set_real(t, row, "baseline", dscq_json_real(old, 0));
    dscq_table_set_real(t, row, "new", value);
    dscq_table_set_real(t, row, "limit", limit);
    dscq_table_set_int(t, row, "broken", is_broken);
    *broken += (size_t)is_broken;
    status = DSCQ_OK;
done:
    return status;
}

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
    DSCQ_TRY(dscq_table_create(&t, "gates", err));
    dscq_table_add_text(t, "rule", "gate");
    dscq_table_add_text(t, "key", "");
    dscq_table_add_real(t, "baseline", "", 4);
    dscq_table_add_real(t, "new", "", 4);
    dscq_table_add_real(t, "limit", "", 4);
    dscq_table_add_int(t, "broken", "");
    for (size_t i = 0; i < rule_count; i++)
        DSCQ_TRY(apply(t, broken, rules[i], report, baseline, err));
    DSCQ_TRY(dscq_table_check(t, err));
    *out = t;
    return DSCQ_OK;
done:
    dscq_table_destroy(t);
    return status;
}
