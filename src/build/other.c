/* Rows of the builder without weights. */
#include "build_internal.h"
#include "dscq/base/alloc.h"

#include <math.h>
#include <stdio.h>

dscq_status build__alias(build_ctx *b, int32_t i, const dscq_node *n)
{
    b->tensor[i] = build__input_of(b, n, 0);
    return DSCQ_OK;
}

/* Softmax, yolo, region: what comes after the integer part. */
dscq_status build__head(build_ctx *b, int32_t i, const dscq_node *n)
{
    int is_output = 0;

    for (int32_t o = 0; o < dscq_model_outputs(b->net); o++)
        is_output = is_output || dscq_model_output(b->net, o) == i;
    if (!is_output)
        return build__refuse(b, n, "only an output of the network may be one");
    b->tensor[i] = -1;
    return DSCQ_OK;
}

/* An operation whose output has its input's codes. */
static dscq_status moving(build_ctx *b, int32_t i, const dscq_node *n, dscq_qop op,
                          dscq_qnode **q)
{
    const int32_t x = build__input_of(b, n, 0);
    const dscq_aquant edge = build__edge_from(&b->m->tensor[x]);
    const dscq_status status =
        build__new_tensor(b, &b->tensor[i], n->name, n->out, &edge);

    if (status == DSCQ_OK)
        *q = build__new_node(b, op, n->name, "", &x, 1, b->tensor[i]);
    return status;
}

dscq_status build__upsample(build_ctx *b, int32_t i, const dscq_node *n)
{
    dscq_qnode *q;
    const dscq_status status = moving(b, i, n, DSCQ_Q_UPSAMPLE, &q);

    if (status == DSCQ_OK)
        q->factor = ((const dscq_scale_factor_params *)n->params)->stride;
    return status;
}

dscq_status build__reorg(build_ctx *b, int32_t i, const dscq_node *n)
{
    dscq_qnode *q;
    const dscq_status status = moving(b, i, n, DSCQ_Q_REORG, &q);

    if (status == DSCQ_OK)
        q->factor = ((const dscq_scale_factor_params *)n->params)->stride;
    return status;
}

/* ---- pooling ---- */

static void pool_window(dscq_qnode *q, const dscq_node *n)
{
    q->kernel_h = n->window.kernel_h;
    q->kernel_w = n->window.kernel_w;
    build__copy_window(q, &n->window);
}

dscq_status build__maxpool(build_ctx *b, int32_t i, const dscq_node *n)
{
    dscq_qnode *q;
    const dscq_status status = moving(b, i, n, DSCQ_Q_MAXPOOL, &q);

    if (status == DSCQ_OK)
        pool_window(q, n);
    return status;
}

dscq_status build__avgpool(build_ctx *b, int32_t i, const dscq_node *n)
{
    enum { COUNTS = DSCQ_QNET_MAX_ENTRIES };
    const int32_t x = build__input_of(b, n, 0);
    const dscq_qtensor *in = &b->m->tensor[x];
    dscq_aquant store = build__edge_from(in);
    const dscq_aquant *edge = build__edge_of(b, i, &store);
    int32_t *keys = NULL;
    dscq_status status;

    if (edge == NULL)
        edge = &store;
    DSCQ_TRY(build__new_tensor(b, &b->tensor[i], n->name, n->out, edge));
    dscq_qnode *q =
        build__new_node(b, DSCQ_Q_AVGPOOL, n->name, "", &x, 1, b->tensor[i]);
    pool_window(q, n);
    q->count_include_pad = ((const dscq_pool_params *)n->params)->count_pad != 0;
    keys = dscq_calloc(COUNTS, sizeof *keys);
    if (keys == NULL)
        return dscq_fail_nomem(b->err, "pooling", COUNTS * sizeof *keys);
    const int32_t count = dscq_qpool_counts(q, in->h, in->w, keys, COUNTS);
    if (count < 1 || count > COUNTS) {
        status = build__refuse(b, n, "a window lies in the padding alone");
        goto done;
    }
    DSCQ_TRY(dscq_qnode_reserve(q, count, b->err));
    for (int32_t k = 0; k < count; k++) {
        q->scale_key[k] = keys[k];
        DSCQ_TRY(build__set_scale(
            b, n, q, k, 256.0 * in->scale / (b->m->tensor[q->output].scale * keys[k])));
    }
done:
    dscq_free(keys);
    return status;
}

/* ---- sums, products, joins ---- */

/* Channels first .. first + count - 1 of tensor t as one of their own. */
static dscq_status slice(build_ctx *b, const dscq_node *n, const char *suffix,
                         int32_t t, int32_t first, int32_t count, int32_t *y)
{
    const dscq_qtensor *x = &b->m->tensor[t];
    const dscq_aquant edge = build__edge_from(x);
    char name[80];

    (void)snprintf(name, sizeof name, "%.50s%s", n->name, suffix);
    const dscq_status status =
        build__new_tensor(b, y, name, (dscq_shape){1, x->h, x->w, count}, &edge);
    if (status == DSCQ_OK)
        build__new_node(b, DSCQ_Q_SLICE, n->name, suffix, &t, 1, *y)->first = first;
    return status;
}

/* Input j of a sum with as many channels as the first input has: the first ones of
 * more, or with zeros behind fewer (a part of the first input times 0). */
static dscq_status fit_channels(build_ctx *b, const dscq_node *n, int32_t j, int32_t *x)
{
    const int32_t have = b->m->tensor[x[j]].c, want = b->m->tensor[x[0]].c;
    char rest[16], padded[24], name[80];
    int32_t part[2] = {x[j], 0}, y;
    dscq_status status;

    (void)snprintf(rest, sizeof rest, ".%d", (int)j);
    if (have == want)
        return DSCQ_OK;
    if (have > want)
        return slice(b, n, rest, x[j], 0, want, &x[j]);
    DSCQ_TRY(slice(b, n, rest, x[0], have, want - have, &part[1]));
    const dscq_qtensor *t = &b->m->tensor[x[j]];
    const dscq_aquant edge = build__edge_from(t);
    (void)snprintf(padded, sizeof padded, ".%d.pad", (int)j);
    (void)snprintf(name, sizeof name, "%.50s%s", n->name, padded);
    DSCQ_TRY(build__new_tensor(b, &y, name, (dscq_shape){1, t->h, t->w, want}, &edge));
    dscq_qnode *q = build__new_node(b, DSCQ_Q_CONCAT, n->name, padded, part, 2, y);
    DSCQ_TRY(dscq_qnode_reserve(q, 2, b->err));
    q->shift[0] = DSCQ_QSHIFT_COPIED; /* with m = 0; the rest: m = 0, r = 0 */
    x[j] = y;
done:
    return status;
}

dscq_status build__shortcut(build_ctx *b, int32_t i, const dscq_node *n)
{
    const dscq_shortcut_params *p = n->params;
    int32_t x[DSCQ_QNODE_INPUTS], y;
    double factor[DSCQ_QNODE_INPUTS], top = 0.0;
    uint8_t r = 0;
    int lut;
    dscq_status status;

    if (n->input_count < 2)
        return build__refuse(b, n, "a sum of one");
    DSCQ_TRY(build__open_act(b, i, n, &y, &lut));
    for (int32_t j = 0; j < n->input_count; j++) {
        x[j] = build__input_of(b, n, j);
        DSCQ_TRY(fit_channels(b, n, j, x));
        factor[j] = 256.0 * (j == 0 ? p->alpha : p->beta) * b->m->tensor[x[j]].scale /
                    b->m->tensor[y].scale;
        top = fmax(top, fabs(factor[j]));
    }
    dscq_qnode *q = build__new_node(b, DSCQ_Q_ADD, n->name, "", x, n->input_count, y);
    DSCQ_TRY(dscq_qnode_reserve(q, n->input_count, b->err));
    const int fits = !isfinite(top) || build__fits(b, q, top, BUILD_FACTOR_MAX);
    for (int32_t j = 0; j < n->input_count && isfinite(top); j++)
        factor[j] = fmin(fmax(factor[j], -BUILD_FACTOR_MAX), BUILD_FACTOR_MAX);
    if (fits && !dscq_qmultipliers(q->mult, &r, factor, n->input_count)) {
        status = dscq_fail(b->err, DSCQ_ARG,
                           "layer '%s': the scales of its inputs and output do not fit "
                           "each other",
                           n->name);
        goto done;
    }
    for (int32_t j = 0; j < n->input_count; j++)
        q->shift[j] = r;
    if (!lut)
        (void)build__set_act(b, q, n->act, n->act_slope);
    DSCQ_TRY(build__close_act(b, i, n, y, lut));
done:
    return status;
}

dscq_status build__scale(build_ctx *b, int32_t i, const dscq_node *n)
{
    int32_t x[2], y;
    int lut;
    dscq_aquant store;
    dscq_status status;

    if (n->input_count != 2)
        return build__refuse(b, n, "%d inputs", n->input_count);
    x[0] = build__input_of(b, n, 0);
    x[1] = build__input_of(b, n, 1);
    if (b->m->tensor[x[0]].h < b->m->tensor[x[1]].h ||
        b->m->tensor[x[0]].w < b->m->tensor[x[1]].w) { /* the small one second */
        const int32_t t = x[0];
        x[0] = x[1];
        x[1] = t;
    }
    if (build__edge_of(b, i, &store) == NULL)
        return build__refuse(b, n, "its output has no scale");
    DSCQ_TRY(build__open_act(b, i, n, &y, &lut));
    dscq_qnode *q = build__new_node(b, DSCQ_Q_MUL, n->name, "", x, 2, y);
    DSCQ_TRY(dscq_qnode_reserve(q, 1, b->err));
    DSCQ_TRY(build__set_scale(b, n, q, 0,
                              256.0 * b->m->tensor[x[0]].scale *
                                  b->m->tensor[x[1]].scale / b->m->tensor[y].scale));
    if (!lut)
        (void)build__set_act(b, q, n->act, n->act_slope);
    DSCQ_TRY(build__close_act(b, i, n, y, lut));
done:
    return status;
}

/* The channels of input t that a route takes: itself, or a slice of it. */
static dscq_status route_part(build_ctx *b, const dscq_node *n, int32_t j, int32_t *t)
{
    const dscq_route_params *p = n->params;
    const dscq_qtensor *x = &b->m->tensor[*t];
    const int32_t groups = p->groups > 1 ? p->groups : 1;
    const int32_t count = p->channels > 0 ? p->channels : x->c / groups;
    const int32_t first = x->c / groups * (groups > 1 ? p->group_id : 0) +
                          (p->channels > 0 ? p->first_channel : 0);
    char suffix[16] = "";

    if (count == x->c)
        return DSCQ_OK;
    if (n->input_count > 1)
        (void)snprintf(suffix, sizeof suffix, ".%d", (int)j);
    return slice(b, n, suffix, *t, first, count, t);
}

static int same_codes(const dscq_qtensor *a, const dscq_qtensor *y)
{
    return a->bits == y->bits && a->is_signed == y->is_signed &&
           a->zero_point == y->zero_point && fabs(a->scale / y->scale - 1.0) < 1e-9;
}

dscq_status build__route(build_ctx *b, int32_t i, const dscq_node *n)
{
    int32_t x[DSCQ_QNODE_INPUTS] = {0}, widest = 0;
    dscq_aquant store;
    const dscq_aquant *edge = build__edge_of(b, i, &store);
    dscq_status status;

    for (int32_t j = 0; j < n->input_count; j++) {
        x[j] = build__input_of(b, n, j);
        DSCQ_TRY(route_part(b, n, j, &x[j]));
        if (b->m->tensor[x[j]].scale > b->m->tensor[x[widest]].scale)
            widest = j;
    }
    if (n->input_count == 1) {
        b->tensor[i] = x[0];
        return DSCQ_OK;
    }
    if (edge == NULL) {
        store = build__edge_from(&b->m->tensor[x[widest]]);
        edge = &store;
    }
    DSCQ_TRY(build__new_tensor(b, &b->tensor[i], n->name, n->out, edge));
    dscq_qnode *q =
        build__new_node(b, DSCQ_Q_CONCAT, n->name, "", x, n->input_count, b->tensor[i]);
    DSCQ_TRY(dscq_qnode_reserve(q, n->input_count, b->err));
    const dscq_qtensor *y = &b->m->tensor[b->tensor[i]];
    for (int32_t j = 0; j < n->input_count; j++) {
        const dscq_qtensor *t = &b->m->tensor[x[j]];
        if (same_codes(t, y))
            q->shift[j] = DSCQ_QSHIFT_COPIED; /* with m = 0 */
        else
            DSCQ_TRY(build__set_scale(b, n, q, j, 256.0 * t->scale / y->scale));
    }
done:
    return status;
}

/* ---- local response normalisation ---- */

static double lrn_factor(const dscq_lrn_params *p, const dscq_qtensor *x,
                         double y_scale, int32_t i)
{
    const double sum = x->scale * x->scale * dscq_lrn_middle(i);

    return 256.0 * x->scale / y_scale *
           pow(p->kappa + p->alpha / p->size * sum, -p->beta);
}

dscq_status build__lrn(build_ctx *b, int32_t i, const dscq_node *n)
{
    const dscq_lrn_params *p = n->params;
    const int32_t x = build__input_of(b, n, 0);
    const dscq_qtensor *in = &b->m->tensor[x];
    const double reach = (double)dscq_qtensor_reach(in);
    const double span = p->size < in->c ? p->size : in->c;
    dscq_aquant store = build__edge_from(in);
    const dscq_aquant *edge = build__edge_of(b, i, &store);
    dscq_status status;

    if (span * reach * reach > 4294967295.0 || p->size > 2 * in->c + 1)
        return build__refuse(b, n, "%d channels of %d bits", p->size, in->bits);
    if (edge == NULL)
        edge = &store;
    DSCQ_TRY(build__new_tensor(b, &b->tensor[i], n->name, n->out, edge));
    dscq_qnode *q = build__new_node(b, DSCQ_Q_LRN, n->name, "", &x, 1, b->tensor[i]);
    q->first = p->size;
    q->table_count = dscq_lrn_index((uint32_t)(span * reach * reach)) + 1;
    DSCQ_TRY(dscq_qnode_reserve(q, 1, b->err));
    q->table = dscq_calloc((size_t)q->table_count, sizeof *q->table);
    if (q->table == NULL)
        return dscq_fail_nomem(b->err, "lrn table", (size_t)q->table_count * 4);
    /* beta >= 0: entry 0 is the largest */
    const double step = b->m->tensor[q->output].scale,
                 first = lrn_factor(p, in, step, 0);
    if (!isfinite(first))
        return build__refuse(b, n, "its scales do not fit each other");
    if (!build__fits(b, q, first, 65535.0))
        return DSCQ_OK;
    int r = 0;
    while (r < DSCQ_QSHIFT_MAX && first * ldexp(1.0, r + 1) < 65535.0)
        r++;
    for (int32_t k = 0; k < q->table_count; k++)
        q->table[k] = (int32_t)fmin(
            dscq_round_away(lrn_factor(p, in, step, k) * ldexp(1.0, r)), 65535.0);
    q->shift[0] = (uint8_t)r;
done:
    return status;
}
