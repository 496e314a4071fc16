/* From settings to what happens to each layer. */
#include "compress_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "dscq/compress/settings.h"

#include <assert.h>
#include <string.h>

const char *dscq_layer_kind_name(dscq_layer_kind k)
{
    static const char *const k_names[] = {
#define X(id, word) word,
        DSCQ_LAYER_KIND_LIST(X)
#undef X
    };

    return k_names[k];
}

/* Only layers that move or pool values lie between the input and `node`. */
static int is_first(const dscq_model *m, int32_t node)
{
    const dscq_node *d = dscq_model_node(m, node);

    while (d->input_count == 1 && d->input[0] >= 0) {
        d = dscq_model_node(m, d->input[0]);
        if (d->weights->count > 0)
            return 0;
    }
    return d->input_count == 1 && d->input[0] == DSCQ_INPUT;
}

static dscq_layer_kind inner_kind(const dscq_node *d)
{
    const dscq_weights *w = d->weights;

    if (d->window.groups > 1 && w->c == 1 && d->window.groups == d->in.c)
        return DSCQ_KIND_DEPTHWISE;
    if (d->window.kernel_h == 0 || (d->in.h == 1 && d->in.w == 1))
        return DSCQ_KIND_CONNECTED;
    return w->r == 1 && w->s == 1 ? DSCQ_KIND_POINTWISE : DSCQ_KIND_CONV;
}

void dscq_layer_kinds(dscq_layer_kind *out, const dscq_model *m)
{
    const int32_t n = dscq_model_nodes(m);

    /* LAST until a later node with weights reads it, through whatever lies between */
    for (int32_t i = 0; i < n; i++)
        out[i] = DSCQ_KIND_LAST;
    for (int32_t i = n - 1; i >= 0; i--) {
        const dscq_node *d = dscq_model_node(m, i);

        for (int32_t k = 0; k < d->input_count; k++)
            if (d->input[k] >= 0 && (d->weights->count > 0 || out[i] != DSCQ_KIND_LAST))
                out[d->input[k]] = DSCQ_KIND_CONV;
    }
    for (int32_t i = 0; i < n; i++)
        if (dscq_model_node(m, i)->weights->count > 0 && out[i] != DSCQ_KIND_LAST)
            out[i] =
                is_first(m, i) ? DSCQ_KIND_FIRST : inner_kind(dscq_model_node(m, i));
}

/* What a form allows: binary has one bit, codebooks 2 to 8, linear 2 to 8 or 16. */
static void settle(dscq_rule *r, int form_given)
{
    if (r->b == 1)
        r->form = DSCQ_FORM_BINARY;
    else if (r->form == DSCQ_FORM_BINARY)
        r->b = 1;
    if (r->b > 8) {
        r->b = 16;
        r->form = DSCQ_FORM_LINEAR;
    } else if (r->b == 8 && !form_given && r->p == 0.0 && r->form != DSCQ_FORM_BINARY) {
        r->form =
            DSCQ_FORM_LINEAR; /* 255 levels: a grid is as good and needs no table */
        r->per_channel = 1;
    }
    if (r->form == DSCQ_FORM_BINARY) {
        r->p = 0.0;
        r->per_channel = 1;
    }
    if (r->skip) {
        r->p = 0.0;
        r->b = 8;
        r->form = DSCQ_FORM_LINEAR;
        r->per_channel = 1;
    }
}

static void kind_policy(dscq_rule *r, const dscq_compress_params *p)
{
    if (r->kind == DSCQ_KIND_DEPTHWISE && p->depthwise == 0) {
        r->p = p->dw_p;
        r->b = p->dw_b;
        r->form = DSCQ_FORM_LINEAR;
        r->per_channel = 1;
    } else if (r->kind == DSCQ_KIND_FIRST) {
        r->p = p->first_p >= 0.0 ? p->first_p : p->p;
        r->b = p->first_b > 0 ? p->first_b : p->b;
    } else if (r->kind == DSCQ_KIND_LAST) {
        r->p = p->last_p >= 0.0 ? p->last_p : p->p;
        r->b = p->last_b > 0 ? p->last_b : p->b;
    }
}

static int override(dscq_rule *r, const dscq_layer_params *l)
{
    if (l->p >= 0.0)
        r->p = l->p;
    if (l->b > 0)
        r->b = l->b;
    if (l->b > 1 && r->form == DSCQ_FORM_BINARY)
        r->form = DSCQ_FORM_CODEBOOK;
    if (l->form >= 0)
        r->form = (dscq_qform)l->form;
    if (l->scale >= 0)
        r->per_channel = l->scale;
    if (l->high_frac >= 0.0)
        r->high_frac = l->high_frac;
    if (l->block >= 0)
        r->block = l->block;
    if (l->keep_channels > 0.0)
        r->keep_channels = l->keep_channels;
    if (l->skip >= 0)
        r->skip = l->skip;
    return l->form >= 0;
}

static dscq_rule rule_of(const dscq_settings *s, const dscq_model *m, int32_t node,
                         dscq_layer_kind kind, uint8_t *matched)
{
    const dscq_node *d = dscq_model_node(m, node);
    const dscq_compress_params *p = &s->all;
    int form_given = 0;
    dscq_rule r = {.node = node,
                   .kind = kind,
                   .p = p->p,
                   .b = p->b,
                   .form = (dscq_qform)p->form,
                   .per_channel = p->scale,
                   .high_frac = p->high_frac,
                   .block = p->block,
                   .keep_channels = 1.0};

    kind_policy(&r, p);
    for (size_t i = 0; i < s->layer_count; i++)
        if (dscq_glob_match_any(s->layer[i].match, d->name)) {
            matched[i] = 1;
            form_given |= override(&r, &s->layer[i]);
        }
    settle(&r, form_given);
    r.block = dscq_binary_block(d->weights, r.block);
    return r;
}

dscq_status dscq_rules_make(dscq_rule **out, size_t *count, const dscq_settings *s,
                            const dscq_model *m, dscq_error *err)
{
    const int32_t nodes = dscq_model_nodes(m);
    dscq_rule *rules = dscq_calloc((size_t)nodes, sizeof *rules);
    uint8_t *matched = dscq_calloc(s->layer_count + 1, 1);
    dscq_layer_kind *kinds = dscq_calloc((size_t)nodes, sizeof *kinds);
    dscq_status status = DSCQ_OK;

    *out = NULL;
    *count = 0;
    if (rules == NULL || matched == NULL || kinds == NULL) {
        status =
            dscq_fail_nomem(err, "compression rules", (size_t)nodes * sizeof *rules);
        goto done;
    }
    dscq_layer_kinds(kinds, m);
    for (int32_t i = 0; i < nodes; i++)
        if (dscq_model_node(m, i)->weights->count > 0)
            rules[(*count)++] = rule_of(s, m, i, kinds[i], matched);
    for (size_t i = 0; i < s->layer_count; i++) {
        if (s->layer[i].activation_b > 0)
            for (int32_t k = 0; k < nodes; k++)
                matched[i] |= (uint8_t)dscq_glob_match_any(s->layer[i].match,
                                                           dscq_model_node(m, k)->name);
        if (!matched[i]) {
            status = dscq_fail(err, DSCQ_FORMAT,
                               "[compress_layer] match = %s: no layer with weights has "
                               "such a name (`dscq inspect` lists them)",
                               s->layer[i].match);
            goto done;
        }
    }
    *out = rules;
    rules = NULL;
done:
    dscq_free(rules);
    dscq_free(matched);
    dscq_free(kinds);
    return status;
}
