/* The layers that are searched, and what a choice means for the compressor. */
#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "search_internal.h"

#include <math.h>
#include <string.h>

double search__rate(const search *s, int32_t step)
{
    /* a rate as a person would write it, so that a recipe reads 0.35 */
    return floor((double)step * s->params.p_step * 1e6 + 0.5) / 1e6;
}

static int is_searched(const search *s, const dscq_rule *r)
{
    const dscq_node *n = dscq_model_node(dscq_project_model(s->project), r->node);

    return !r->skip && r->form != DSCQ_FORM_BINARY && r->b <= 8 &&
           dscq_glob_match_any(s->params.layers, n->name);
}

dscq_status search__space(search *s, dscq_error *err)
{
    const dscq_search_params *sp = &s->params;
    const dscq_model *m = dscq_project_model(s->project);
    dscq_rule *rule = NULL;
    size_t count;
    dscq_status status;

    if (sp->b_min > sp->b_max)
        return dscq_fail(err, DSCQ_FORMAT, "[search] b_min = %d is above b_max = %d",
                         (int)sp->b_min, (int)sp->b_max);
    DSCQ_TRY(dscq_rules_make(&rule, &count, s->settings, m, err));
    s->layer = dscq_calloc(count + 1, sizeof *s->layer);
    if (s->layer == NULL) {
        status = dscq_fail_nomem(err, "search", count * sizeof *s->layer);
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        const int deep = rule[i].kind == DSCQ_KIND_DEPTHWISE;
        const int32_t least =
            deep && sp->dw_b_min > sp->b_min ? sp->dw_b_min : sp->b_min;

        if (!is_searched(s, &rule[i]))
            continue;
        s->layer[s->layers++] = (search_layer){
            .node = rule[i].node,
            .kind = rule[i].kind,
            .weights = dscq_model_node(m, rule[i].node)->weights->count,
            .steps = deep ? 0 : (int32_t)floor(sp->p_max / sp->p_step + 1e-9),
            .b_min = least < sp->b_max ? least : sp->b_max,
            .b_max = sp->b_max};
    }
    if (s->layers == 0)
        status =
            dscq_fail(err, DSCQ_FORMAT,
                      "[search] layers = %s: no layer to search; binary, 16-bit and "
                      "skipped ones are left as they are",
                      sp->layers);
done:
    dscq_free(rule);
    return status;
}

static int32_t clamp(int32_t v, int32_t lo, int32_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

dscq_status search__given(search *s, search_choice *out, dscq_error *err)
{
    dscq_rule *rule = NULL;
    size_t count;
    dscq_status status;

    DSCQ_TRY(dscq_rules_make(&rule, &count, s->settings, s->origin, err));
    for (size_t i = 0, at = 0; i < count && at < s->layers; i++) {
        const search_layer *l = &s->layer[at];

        if (rule[i].node != l->node)
            continue;
        const double step = floor(rule[i].p / s->params.p_step + 0.5);
        out[at].p = clamp((int32_t)step, 0, l->steps);
        out[at++].b = clamp(rule[i].b, l->b_min, l->b_max);
    }
done:
    dscq_free(rule);
    return status;
}

dscq_status search__settings(dscq_settings **out, const search *s,
                             const search_choice *c, dscq_error *err)
{
    const dscq_settings *base = s->settings;
    dscq_settings *made = NULL;
    dscq_status status;

    *out = NULL;
    DSCQ_TRY(dscq_settings_create(&made, err));
    made->all = base->all;
    for (size_t i = 0; i < s->base_rows; i++)
        DSCQ_TRY(dscq_settings_add(made, &base->layer[i], err));
    for (size_t i = 0; i < s->layers; i++) {
        dscq_layer_params row = dscq_layer_params_none();

        (void)dscq_str_copy(row.match, sizeof row.match,
                            dscq_model_node(s->origin, s->layer[i].node)->name);
        if (s->layer[i].steps > 0)
            row.p = search__rate(s, c[i].p);
        row.b = c[i].b;
        DSCQ_TRY(dscq_settings_add(made, &row, err));
    }
    *out = made;
    return DSCQ_OK;
done:
    dscq_settings_destroy(made);
    return status;
}

int search__same(const search *s, const search_choice *a, const search_choice *b)
{
    for (size_t i = 0; i < s->layers; i++)
        if (a[i].p != b[i].p || a[i].b != b[i].b)
            return 0;
    return 1;
}

int64_t search__find(const search *s, const search_choice *c)
{
    for (size_t i = 0; i < s->trials; i++)
        if (search__same(s, s->trial[i].choice, c))
            return (int64_t)i;
    return -1;
}
