#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "dscq/hw/engine.h"
#include "lower_internal.h"

static dscq_status copy_tensors(lowering *l)
{
    const dscq_qmodel *q = l->q;
    dscq_program *p = l->p;

    p->tensor = dscq_calloc((size_t)q->tensor_count, sizeof *p->tensor);
    p->layer_name = dscq_calloc((size_t)q->node_count, sizeof *p->layer_name);
    l->tensor = dscq_calloc((size_t)q->tensor_count, sizeof *l->tensor);
    if (p->tensor == NULL || p->layer_name == NULL || l->tensor == NULL)
        return dscq_fail_nomem(l->err, "tensors",
                               (size_t)q->tensor_count * sizeof *p->tensor);
    p->tensor_count = q->tensor_count;
    p->layer_count = q->node_count;
    for (int32_t i = 0; i < q->tensor_count; i++) {
        const dscq_qtensor *t = &q->tensor[i];
        dscq_hw_tensor *x = &p->tensor[i];
        dscq_str_copy(x->name, sizeof x->name, t->name);
        x->h = t->h;
        x->w = t->w;
        x->c = t->c;
        x->bits = t->bits;
        x->is_signed = t->is_signed;
        x->zero_point = t->zero_point;
        x->elem_bytes = t->bits > 8 ? 2 : 1;
    }
    for (int32_t i = 0; i < q->node_count; i++)
        dscq_str_copy(p->layer_name[i], sizeof p->layer_name[i], q->node[i].name);
    p->input_count = q->input_count;
    for (int32_t i = 0; i < q->input_count; i++)
        p->input[i] = q->input[i].tensor;
    p->output_count = q->output_count;
    for (int32_t i = 0; i < q->output_count; i++)
        p->output[i] = q->output[i].tensor;
    return DSCQ_OK;
}

dscq_status dscq_lower_check(const dscq_qmodel *q, const dscq_machine *m,
                             dscq_error *err)
{
    return lower__check(q, m, err);
}

/* How each engine makes its program of the tensors. */
static dscq_status (*const k_engine[DSCQ_ENGINE_COUNT])(lowering *l,
                                                        dscq_table **schedule_out) = {
#define X(name, id, text) lower__##name,
    DSCQ_ENGINE_LIST(X)
#undef X
};

dscq_status dscq_lower(dscq_program **program_out, dscq_table **schedule_out,
                       const dscq_qmodel *q, const dscq_machine *m,
                       const dscq_lower_options *options, dscq_error *err)
{
    lowering l = {.q = q, .m = m, .err = err};
    const dscq_log *log = options != NULL ? options->log : NULL;
    dscq_table *schedule = NULL;
    dscq_status status;

    *program_out = NULL;
    if (schedule_out != NULL)
        *schedule_out = NULL;
    DSCQ_TRY(dscq_machine_check(m, err));
    DSCQ_TRY(lower__check(q, m, err));
    DSCQ_TRY(dscq_program_create(&l.p, dscq_engine_of(m), err));
    dscq_str_copy(l.p->name, sizeof l.p->name, q->name);
    dscq_str_copy(l.p->machine_name, sizeof l.p->machine_name, m->name);
    l.p->frames = options != NULL && options->frames > 0 ? options->frames : 1;
    DSCQ_TRY(copy_tensors(&l));
    const int wanted = schedule_out != NULL || dscq_log_traces(log, DSCQ_TRACE_LOWER);
    DSCQ_TRY(k_engine[m->engine](&l, wanted ? &schedule : NULL));
    if (schedule != NULL)
        dscq_table_trace(schedule, log, DSCQ_TRACE_LOWER);
    if (schedule_out != NULL) {
        *schedule_out = schedule;
        schedule = NULL;
    }
    *program_out = l.p;
    l.p = NULL;
done:
    dscq_table_destroy(schedule);
    dscq_program_destroy(l.p);
    dscq_free(l.op);
    dscq_free(l.tensor);
    dscq_free(l.stage);
    return status;
}
