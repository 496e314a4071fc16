/* Evaluating one node, and a whole graph operator by operator. */
#include "onnx_internal.h"

int onnx__can_fold(const onnx_node *n)
{
    const onnx_op_row *r = onnx__op_find(n->domain, n->op);
    return r != NULL && r->is_light && !n->has_graph;
}

dscq_status onnx__eval(onnx_call *c)
{
    const onnx_op_row *r = onnx__op_find(c->node->domain, c->node->op);

    if (r == NULL)
        return onnx__unsupported(c, "this operator is not supported");
    if (c->node->has_graph)
        return onnx__unsupported(c, "control flow is not supported");
    if (c->node->out_count > ONNX_OUTPUTS)
        return onnx__unsupported(c, "too many outputs");
    for (int32_t i = 0; i < r->in_min; i++)
        if (onnx__in(c, i) == NULL)
            return onnx__bad(c, "an input is missing");
    return r->run(c);
}

/* ---- a whole graph ------------------------------------------------------ */

typedef struct runner {
    dscq_onnx *f;
    const onnx_tensor **value; /* [value_count] */
    dscq_table *refused;
    dscq_error *err;
} runner;

/* Every operator that is not there, before anything is computed. */
static dscq_status check_all(runner *r)
{
    const dscq_onnx *f = r->f;

    for (int32_t i = 0; i < f->node_count; i++) {
        const onnx_node *n = &f->node[i];
        if (n->has_graph)
            onnx__refuse(r->refused, f, n, "control flow is not supported");
        else if (onnx__op_find(n->domain, n->op) == NULL)
            onnx__refuse(r->refused, f, n, "this operator is not supported");
    }
    return dscq_table_rows(r->refused) > 0 ? onnx__refused(f, r->refused, r->err)
                                           : DSCQ_OK;
}

static dscq_status run_node(runner *r, const onnx_node *n)
{
    dscq_onnx *f = r->f;
    const onnx_tensor **in = onnx__take(&f->run, (size_t)n->in_count, sizeof *in);
    onnx_call c = {.pool = &f->run,
                   .node = n,
                   .opset = f->opset,
                   .in = in,
                   .in_count = n->in_count,
                   .err = r->err};

    if (in == NULL)
        return dscq_fail_nomem(r->err, "an operator", 0);
    for (int32_t i = 0; i < n->in_count; i++) {
        in[i] = n->in[i] >= 0 ? r->value[n->in[i]] : NULL;
        if (n->in[i] >= 0 && in[i] == NULL)
            return dscq_fail(r->err, DSCQ_FORMAT, "%s: nothing makes value '%.100s'",
                             f->name, f->value[n->in[i]].name);
    }
    const dscq_status status = onnx__eval(&c);
    if (status == DSCQ_UNSUPPORTED) {
        onnx__refuse(r->refused, f, n, r->err != NULL ? r->err->msg : "not supported");
        return onnx__refused(f, r->refused, r->err);
    }
    for (int32_t i = 0; i < n->out_count && status == DSCQ_OK; i++)
        if (n->out[i] >= 0)
            r->value[n->out[i]] = c.out[i];
    return status;
}

dscq_status dscq_onnx_run(const dscq_onnx_tensor **outputs, dscq_table **refused,
                          dscq_onnx *f, const dscq_onnx_tensor *const *inputs,
                          int32_t input_count, dscq_error *err)
{
    dscq_error local;
    runner r = {.f = f, .err = err != NULL ? err : &local};
    dscq_status status;

    if (refused != NULL)
        *refused = NULL;
    onnx__release(&f->run);
    f->run.limit = (size_t)3 << 30;
    DSCQ_TRY(onnx__refusals_create(&r.refused, r.err));
    r.value = onnx__take(&f->run, (size_t)f->value_count, sizeof *r.value);
    if (r.value == NULL)
        DSCQ_TRY(dscq_fail_nomem(r.err, "values", 0));
    for (int32_t i = 0; i < f->value_count; i++)
        r.value[i] = f->value[i].init;
    for (int32_t i = 0; i < f->input_count; i++) {
        if (i >= input_count || inputs[i] == NULL)
            DSCQ_TRY(dscq_fail(r.err, DSCQ_ARG, "%s: input '%.100s' is not given",
                               f->name, dscq_onnx_input_name(f, i)));
        r.value[f->input[i]] = inputs[i];
    }
    DSCQ_TRY(check_all(&r));
    for (int32_t i = 0; i < f->node_count; i++)
        DSCQ_TRY(run_node(&r, &f->node[i]));
    for (int32_t i = 0; i < f->output_count; i++) {
        outputs[i] = r.value[f->output[i]];
        if (outputs[i] == NULL)
            DSCQ_TRY(dscq_fail(r.err, DSCQ_FORMAT, "%s: nothing makes output '%.100s'",
                               f->name, dscq_onnx_output_name(f, i)));
    }
done:
    status = onnx__pool_status(&f->run, status, f->name, r.err);
    if (refused != NULL && status == DSCQ_UNSUPPORTED) {
        *refused = r.refused;
        r.refused = NULL;
    }
    dscq_table_destroy(r.refused);
    return status;
}
