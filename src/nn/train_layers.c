/* Which layers a run trains and how fast: patterns over their names. */
#include "dscq/base/str.h"
#include "train_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The item of a comma-separated list at *at, without blanks; *at moves behind it. 0:
 * the list is over. */
static int next_item(char *out, size_t cap, const char **at)
{
    const char *from = *at;

    if (from == NULL || *from == '\0')
        return 0;
    const char *end = from + strcspn(from, ","), *last = end;
    while (from < last && *from == ' ')
        from++;
    while (last > from && last[-1] == ' ')
        last--;
    snprintf(out, cap, "%.*s", (int)(last - from), from);
    *at = *end == ',' ? end + 1 : end;
    return 1;
}

static int matches_weights(const dscq_model *m, const char *pattern)
{
    for (int32_t i = 0; i < m->count; i++) {
        const dscq_weights *w = m->node[i].weights;
        if (w->count + (size_t)w->channels > 0 &&
            dscq_glob_match(pattern, m->node[i].name))
            return 1;
    }
    return 0;
}

dscq_status dscq_model_check_patterns(const dscq_model *m, const char *key,
                                      const char *patterns, dscq_error *err)
{
    char item[DSCQ_PATH_MAX];

    for (const char *at = patterns; next_item(item, sizeof item, &at);)
        if (!matches_weights(m, item))
            return dscq_fail(err, DSCQ_FORMAT,
                             "%s: no layer with weights is called '%.60s' (--dry-run "
                             "lists the names)",
                             key, item);
    return DSCQ_OK;
}

/* "pattern:factor". */
static dscq_status one_rate(dscq_model *m, char *item, dscq_error *err)
{
    char *colon = strrchr(item, ':'), *end = NULL;
    const double v = colon != NULL ? strtod(colon + 1, &end) : -1;

    if (colon == NULL || end == colon + 1 || *end != '\0' || !(v >= 0 && v <= 1000))
        return dscq_fail(err, DSCQ_FORMAT,
                         "layer_rates: '%.60s': want pattern:factor with a factor in "
                         "[0, 1000]",
                         item);
    *colon = '\0';
    const dscq_status status = dscq_model_check_patterns(m, "layer_rates", item, err);
    if (status == DSCQ_OK)
        dscq_model_rate(m, item, v);
    return status;
}

dscq_status nn__apply_patterns(dscq_model *m, const dscq_train_params *p,
                               dscq_error *err)
{
    char item[DSCQ_PATH_MAX];
    dscq_status status;

    DSCQ_TRY(dscq_model_check_patterns(m, "freeze", p->freeze, err));
    DSCQ_TRY(
        dscq_model_check_patterns(m, "head_rate_layers", p->head_rate_layers, err));
    if (p->freeze[0] != '\0')
        dscq_model_freeze(m, p->freeze, 1);
    if (p->head_rate_layers[0] != '\0')
        dscq_model_rate(m, p->head_rate_layers, p->head_rate);
    for (const char *at = p->layer_rates; next_item(item, sizeof item, &at);)
        DSCQ_TRY(one_rate(m, item, err));
done:
    return status;
}
