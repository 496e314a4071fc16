/* ONNX graph to network: constants are folded, every other node finds its rule. */
#include "lower.h"

#include "dscq/base/alloc.h"
#include "dscq/base/str.h"

#include <stdio.h>
#include <string.h>

/* ---- folding ------------------------------------------------------------ */

static int all_const(const lower *l, const onnx_node *n)
{
    for (int32_t i = 0; i < n->in_count; i++)
        if (n->in[i] >= 0 && l->konst[n->in[i]] == NULL)
            return 0;
    return 1;
}

static dscq_status fold(lower *l, const onnx_node *n)
{
    const onnx_tensor **in = onnx__take(&l->pool, (size_t)n->in_count, sizeof *in);
    onnx_call c = {.pool = &l->pool,
                   .node = n,
                   .opset = l->f->opset,
                   .in = in,
                   .in_count = n->in_count,
                   .err = l->err};

    if (in == NULL)
        return dscq_fail_nomem(l->err, "constants", 0);
    for (int32_t i = 0; i < n->in_count; i++)
        in[i] = n->in[i] >= 0 ? l->konst[n->in[i]] : NULL;
    const dscq_status status = onnx__eval(&c);
    for (int32_t i = 0; status == DSCQ_OK && i < n->out_count; i++)
        if (n->out[i] >= 0 && c.out[i] != NULL) {
            l->konst[n->out[i]] = c.out[i];
            l->value[n->out[i]].kind = ONNX_CONST;
        }
    return status;
}

/* The shape of what the network computes is known. */
static dscq_status fold_shape(lower *l, const onnx_node *n, const onnx_edge *v)
{
    const onnx_tensor like = {.rank = v->rank};
    onnx_tensor x = like;
    const onnx_tensor *in = &x;
    onnx_call c = {.pool = &l->pool,
                   .node = n,
                   .opset = l->f->opset,
                   .in = &in,
                   .in_count = 1,
                   .err = l->err};

    memcpy(x.dim, v->dim, sizeof x.dim);
    x.count = 1;
    for (int32_t i = 0; i < v->rank; i++)
        x.count *= (size_t)v->dim[i];
    const dscq_status status = onnx__eval(&c);
    if (status == DSCQ_OK && n->out[0] >= 0) {
        l->konst[n->out[0]] = c.out[0];
        l->value[n->out[0]].kind = ONNX_CONST;
    }
    return status;
}

/* Constants that do not depend on the network, first: rules look ahead at them. */
static void fold_all(lower *l)
{
    dscq_error *keep = l->err, ignored;

    l->err = &ignored;
    for (int32_t i = 0; i < l->f->node_count; i++) {
        const onnx_node *n = &l->f->node[i];
        if (all_const(l, n) && onnx__can_fold(n) && fold(l, n) == DSCQ_OK)
            l->done[i] = 1;
    }
    l->err = keep;
}

/* ---- nodes -------------------------------------------------------------- */

static int is_refused(const lower *l, const onnx_node *n)
{
    for (int32_t i = 0; i < n->in_count; i++)
        if (n->in[i] >= 0 && l->value[n->in[i]].kind == ONNX_REFUSED)
            return 1;
    return 0;
}

/* The grid of the inputs that are codes, for what only moves them; 0: they differ, or
 * only some are. */
static int common_grid(const lower *l, const onnx_node *n, onnx_edge *grid)
{
    int32_t codes = 0, real = 0;

    for (int32_t i = 0; i < n->in_count; i++) {
        const onnx_edge *v = n->in[i] >= 0 ? &l->value[n->in[i]] : NULL;
        if (v == NULL || v->kind == ONNX_CONST)
            continue;
        real += !v->is_codes;
        if (v->is_codes && codes++ == 0)
            *grid = *v;
        if (v->is_codes && (v->scale != grid->scale || v->zero != grid->zero))
            return 0;
    }
    return codes == 0 || real == 0;
}

static dscq_status apply(lower *l, const onnx_node *n, const onnx_row *r)
{
    onnx_edge grid = {.is_codes = 0};
    dscq_status status;

    if (r->takes == ONNX_CODES)
        return r->rule(l, n);
    if (!common_grid(l, n, &grid))
        return onnx__fail(l, "codes of different scales, or codes and real values");
    if (grid.is_codes && r->takes == ONNX_REAL)
        return onnx__fail(l, "codes where real values are wanted");
    status = r->rule(l, n);
    for (int32_t i = 0; status == DSCQ_OK && grid.is_codes && i < n->out_count; i++)
        if (n->out[i] >= 0) {
            l->value[n->out[i]].is_codes = 1;
            l->value[n->out[i]].scale = grid.scale;
            l->value[n->out[i]].zero = grid.zero;
        }
    return status;
}

static dscq_status lower_node(lower *l, const onnx_node *n)
{
    const onnx_row *rule = onnx__rule_find(n);

    if (n->has_graph)
        return onnx__fail(l, "control flow is not supported");
    if (all_const(l, n) && onnx__can_fold(n))
        return fold(l, n);
    if (strcmp(n->op, "Shape") == 0 || strcmp(n->op, "Size") == 0) {
        const onnx_edge *x = onnx__run(l, n, 0);
        if (x != NULL)
            return fold_shape(l, n, x);
    }
    if (rule == NULL)
        return onnx__fail(l,
                          onnx__op_find(n->domain, n->op) != NULL
                              ? "supported between constants only: no layer does this"
                              : "this operator is not supported");
    if (n->in_count < 1 || n->out_count < 1 || n->out[0] < 0)
        return dscq_fail(l->err, DSCQ_FORMAT, "%.40s '%.80s' has no input or output",
                         n->op, n->name);
    for (int32_t i = 0; i < n->in_count; i++)
        if (n->in[i] >= 0 && l->value[n->in[i]].kind == ONNX_NONE)
            return dscq_fail(l->err, DSCQ_FORMAT, "nothing makes value '%.100s'",
                             l->f->value[n->in[i]].name);
    return apply(l, n, rule);
}

static void tell(const lower *l, const onnx_node *n, int32_t layers, const char *what)
{
    const int32_t now = dscq_model_nodes(l->m);
    char made[48] = "";

    if (now > layers)
        (void)snprintf(made, sizeof made, ", layers %d to %d", (int)layers,
                       (int)now - 1);
    dscq_log_trace(l->f->log, DSCQ_TRACE_ONNX, "node %d '%.80s' (%.40s): %s%s",
                   (int)(n - l->f->node), n->name, n->op, what, made);
}

/* What became of a node, in words. */
static const char *fate(const lower *l, const onnx_node *n, dscq_status status)
{
    const onnx_row *rule = onnx__rule_find(n);

    if (status != DSCQ_OK)
        return l->err->msg;
    if (n->out[0] >= 0 && l->value[n->out[0]].kind == ONNX_CONST)
        return "a constant";
    return rule == NULL ? "known shapes" : rule->op;
}

static dscq_status lower_all(lower *l, dscq_table *refused)
{
    dscq_onnx *f = l->f;
    const int traced = dscq_log_traces(f->log, DSCQ_TRACE_ONNX);

    for (int32_t i = 0; i < f->node_count; i++) {
        const onnx_node *n = &f->node[i];
        dscq_status status = DSCQ_OK;
        const int32_t layers = dscq_model_nodes(l->m);
        if (l->done[i] && traced)
            tell(l, n, layers, "folded, or taken up by a node before it");
        if (l->done[i])
            continue;
        l->index = i;
        const int silent = is_refused(l, n);
        if (!silent)
            status = lower_node(l, n);
        else if (onnx__rule_find(n) == NULL && !onnx__can_fold(n))
            status = onnx__fail(l, "this operator is not supported");
        if (traced)
            tell(l, n, layers, silent ? "needs a refused node" : fate(l, n, status));
        if (status == DSCQ_FORMAT)
            dscq_fail_at(l->err, "%s", f->name);
        if (status != DSCQ_OK && status != DSCQ_UNSUPPORTED)
            return status;
        if (status == DSCQ_UNSUPPORTED)
            onnx__refuse(refused, f, n, l->err->msg);
        for (int32_t j = 0; (silent || status != DSCQ_OK) && j < n->out_count; j++)
            if (n->out[j] >= 0)
                l->value[n->out[j]].kind = ONNX_REFUSED;
    }
    return dscq_table_rows(refused) > 0 ? onnx__refused(f, refused, l->err) : DSCQ_OK;
}

/* ---- input and outputs -------------------------------------------------- */

static dscq_status make_input(lower *l)
{
    dscq_onnx *f = l->f;
    dscq_shape s = {1, 1, 1, 1};

    if (f->input_count != 1)
        return dscq_fail(l->err, DSCQ_UNSUPPORTED,
                         "%s: %d inputs; a network has one (the others must be "
                         "initialisers)",
                         f->name, (int)f->input_count);
    const onnx_value *in = &f->value[f->input[0]];
    int64_t dim[DSCQ_ONNX_RANK];
    if (in->rank != 4 && in->rank != 2)
        return dscq_fail(l->err, DSCQ_UNSUPPORTED,
                         "%s: input '%.80s' has rank %d; want N x C x H x W or N x F",
                         f->name, in->name, (int)in->rank);
    for (int32_t i = 0; i < in->rank; i++) {
        dim[i] = i == 0 && in->dim[0] < 1 ? 1 : in->dim[i];
        if (dim[i] < 1 || dim[i] > 65536)
            return dscq_fail(l->err, DSCQ_UNSUPPORTED,
                             "%s: input '%.80s': size %d is not fixed; set it when "
                             "exporting",
                             f->name, in->name, (int)i);
    }
    /* Exporters of NHWC graphs begin with a transposition. */
    const onnx_node *first = in->consumers == 1 ? &f->node[in->consumer] : NULL;
    const onnx_attr *perm = first != NULL && strcmp(first->op, "Transpose") == 0
                                ? onnx__attr_find(first, "perm")
                                : NULL;
    const int rows = in->rank == 4 && perm != NULL && perm->ints == 4 &&
                     perm->int_v[1] == 3 && perm->int_v[2] == 1 && perm->int_v[3] == 2;
    if (in->rank == 2)
        s.c = (int32_t)dim[1];
    else
        s = (dscq_shape){1, (int32_t)dim[rows ? 1 : 2], (int32_t)dim[rows ? 2 : 3],
                         (int32_t)dim[rows ? 3 : 1]};
    char name[sizeof f->name];
    dscq_str_copy(name, sizeof name, f->name);
    char *dot = strchr(name, '.');
    for (char *next = dot; next != NULL; next = strchr(next + 1, '.'))
        dot = next;
    if (dot != NULL && dot != name)
        *dot = '\0';
    const dscq_status status = dscq_model_create(&l->m, name, s, l->err);
    if (status == DSCQ_OK)
        onnx__set(l, f->input[0], DSCQ_INPUT, in->rank, dim, rows);
    return status;
}

static dscq_status declare_output(lower *l, int32_t i)
{
    dscq_onnx *f = l->f;
    onnx_edge *v = &l->value[f->output[i]];
    dscq_onnx_output *o = &f->model_output[i];
    dscq_status status;

    if ((v->kind != ONNX_RUN && v->kind != ONNX_PARTS) || v->pad[0] || v->pad[1] ||
        v->pad[2] || v->pad[3])
        return dscq_fail(l->err, DSCQ_UNSUPPORTED,
                         "%s: output '%.80s' is not computed by the network", f->name,
                         f->value[f->output[i]].name);
    if (v->is_codes)
        return dscq_fail(
            l->err, DSCQ_UNSUPPORTED,
            "%s: output '%.80s' is codes; put a DequantizeLinear behind it", f->name,
            f->value[f->output[i]].name);
    o->name = f->value[f->output[i]].name;
    o->rank = v->rank;
    memcpy(o->dim, v->dim, sizeof o->dim);
    o->rows = v->rows;
    o->softmax = v->softmax;
    o->count = v->count;
    for (int32_t p = 0; p < v->count; p++) {
        if (v->part[p] == DSCQ_INPUT) /* the input itself is asked for */
            DSCQ_TRY(dscq_model_add(&v->part[p], l->m, "activation", NULL, NULL,
                                    &v->part[p], 1, l->err));
        DSCQ_TRY(dscq_model_add_output(l->m, v->part[p], l->err));
        for (int32_t j = 0; j < dscq_model_outputs(l->m); j++)
            if (dscq_model_output(l->m, j) == v->part[p])
                o->part[p] = j;
    }
    return DSCQ_OK;
done:
    return status;
}

dscq_status dscq_onnx_to_model(dscq_model **out, dscq_table **refused, dscq_onnx *f,
                               dscq_error *err)
{
    dscq_error local;
    lower l = {.f = f, .err = err != NULL ? err : &local};
    dscq_table *t = NULL;
    dscq_status status;

    *out = NULL;
    if (refused != NULL)
        *refused = NULL;
    l.pool.limit = f->pool.limit + ((size_t)64 << 20);
    DSCQ_TRY(onnx__refusals_create(&t, l.err));
    l.value = onnx__take(&l.pool, (size_t)f->value_count, sizeof *l.value);
    l.konst = onnx__take(&l.pool, (size_t)f->value_count, sizeof *l.konst);
    l.done = onnx__take(&l.pool, (size_t)f->node_count, 1);
    f->range = NULL;
    f->range_count = 0;
    f->model_output =
        onnx__take(&f->pool, (size_t)f->output_count, sizeof *f->model_output);
    if (l.value == NULL || l.konst == NULL || l.done == NULL || f->model_output == NULL)
        DSCQ_TRY(dscq_fail_nomem(l.err, "a graph", 0));
    for (int32_t i = 0; i < f->value_count; i++)
        if (f->value[i].init != NULL) {
            l.konst[i] = f->value[i].init;
            l.value[i].kind = ONNX_CONST;
        }
    DSCQ_TRY(make_input(&l));
    fold_all(&l);
    DSCQ_TRY(lower_all(&l, t));
    for (int32_t i = 0; i < f->output_count; i++)
        DSCQ_TRY(declare_output(&l, i));
    if (dscq_model_nodes(l.m) == 0)
        DSCQ_TRY(dscq_fail(l.err, DSCQ_UNSUPPORTED, "%s: no layers", f->name));
    status = dscq_model_check_weights(l.m, l.err);
    if (status != DSCQ_OK) {
        (void)dscq_fail_at(l.err, "%s", f->name);
        goto done;
    }
    *out = l.m;
    l.m = NULL;
done:
    status = onnx__pool_status(&l.pool, status, f->name, l.err);
    status = onnx__pool_status(&f->pool, status, f->name, l.err);
    if (status != DSCQ_OK) {
        dscq_model_destroy(*out);
        *out = NULL;
    }
    if (refused != NULL && status == DSCQ_UNSUPPORTED && t != NULL &&
        dscq_table_rows(t) > 0) {
        *refused = t;
        t = NULL;
    }
    dscq_table_destroy(t);
    dscq_model_destroy(l.m);
    onnx__release(&l.pool);
    return status;
}
