#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "lower_internal.h"

#include <math.h>

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

/* Who makes each tensor and who is its last reader. */
static void find_lives(lowering *l)
{
    const dscq_program *p = l->p;

    for (int32_t t = 0; t < p->tensor_count; t++)
        l->tensor[t] = (low_tensor){.first_op = -1, .last_op = -1, .ring = -1};
    for (int32_t i = 0; i < p->input_count; i++)
        l->tensor[p->input[i]].is_input = 1;
    for (int32_t i = 0; i < p->output_count; i++)
        l->tensor[p->output[i]].is_output = 1;
    for (int32_t o = 0; o < p->op_count; o++) {
        const dscq_hw_op *op = &p->op[o];
        for (int32_t i = 0; i < op->in_count; i++)
            l->tensor[op->in[i]].last_op = o;
        low_tensor *y = &l->tensor[op->out];
        if (y->first_op < 0)
            y->first_op = o;
        if (y->last_op < o)
            y->last_op = o;
    }
}

static dscq_status set_prices(lowering *l)
{
    const dscq_machine *m = l->m;
    const double port = (double)m->axi_ports * m->axi_bytes;
    dscq_status status = DSCQ_OK;

    /* what a well-behaved stream reaches of a command-level DRAM */
    l->mem_rate = m->mem_bytes_per_cycle;
    if (!dscq_machine_is_simple(m)) {
        dscq_dram_config c;
        char path[DSCQ_PATH_MAX];
        DSCQ_TRY(dscq_machine_path(path, sizeof path, m, "dram", m->dram, l->err));
        DSCQ_TRY(dscq_dram_config_load(&c, path, l->err));
        l->mem_rate = 0.85 * dscq_dram_peak_bytes_per_ns(&c) * 1e3 / m->clock_mhz;
    }
    l->mem_rate = l->mem_rate < port ? l->mem_rate : port;
    l->cycle_price = 1;
    l->byte_price = 0;
    if (m->schedule.objective == 2) { /* traffic; cycles decide between equals */
        l->byte_price = 1;
        l->cycle_price = 1e-4;
    } else if (m->schedule.objective == 1) {
        dscq_energy e;
        DSCQ_TRY(dscq_energy_load_for(&e, m, l->err));
        const double watt = (e.row[DSCQ_ENERGY_pl_static_mw].value +
                             e.row[DSCQ_ENERGY_ps_static_mw].value +
                             e.row[DSCQ_ENERGY_dram_static_mw].value) *
                            1e-3;
        l->cycle_price = watt * 1e6 / m->clock_mhz; /* pJ */
        l->byte_price =
            e.row[DSCQ_ENERGY_dram_byte].value + e.row[DSCQ_ENERGY_dma_byte].value;
    }
done:
    return status;
}

/* Places may be left unused between whole tensors: plan again with less room. */
static dscq_status plan_and_emit(lowering *l, int32_t frames)
{
    dscq_machine less = *l->m;
    const dscq_machine *whole = l->m;
    const int64_t unit = (int64_t)less.act_banks * less.act_word_bytes;
    dscq_status status = DSCQ_ARG;

    for (int tries = 0; tries < 64 && status == DSCQ_ARG; tries++) {
        l->group_failed = 0;
        l->m = &less;
        status = lower__plan(l);
        if (status == DSCQ_ARG && tries > 0)
            break; /* the last message but one was the cause */
        if (status != DSCQ_OK)
            goto done;
        l->m = whole;
        status = lower__emit(l, frames);
        if (!l->group_failed)
            less.act_bytes = less.act_bytes * 15 / 16 / unit * unit;
        if (less.act_bytes < unit)
            break;
    }
    if (status == DSCQ_ARG)
        status = dscq_fail(l->err, DSCQ_ARG,
                           "the tensors of this network do not pack into act_bytes = "
                           "%lld",
                           (long long)whole->act_bytes);
done:
    l->m = whole;
    return status;
}

static dscq_status check_on_chip(const lowering *l)
{
    int64_t bytes = 0;

    for (int32_t o = 0; o < l->p->op_count; o++)
        bytes += l->op[o].weight_buffer;
    if (l->m->schedule.weights == 2 && bytes > l->m->weight_bytes)
        return dscq_fail(l->err, DSCQ_ARG,
                         "[schedule] weights = onchip needs %lld bytes, %lld more than "
                         "weight_bytes = %lld",
                         (long long)bytes, (long long)(bytes - l->m->weight_bytes),
                         (long long)l->m->weight_bytes);
    return DSCQ_OK;
}

dscq_status dscq_lower_check(const dscq_qmodel *q, const dscq_machine *m,
                             dscq_error *err)
{
    return lower__check(q, m, err);
}

dscq_status dscq_lower(dscq_program **program_out, dscq_table **schedule_out,
                       const dscq_qmodel *q, const dscq_machine *m,
                       const dscq_lower_options *options, dscq_error *err)
{
    lowering l = {.q = q, .m = m, .err = err};
    const int32_t frames = options != NULL && options->frames > 0 ? options->frames : 1;
    dscq_status status;

    *program_out = NULL;
    if (schedule_out != NULL)
        *schedule_out = NULL;
    DSCQ_TRY(dscq_machine_check(m, err));
    DSCQ_TRY(lower__check(q, m, err));
    DSCQ_TRY(dscq_program_create(&l.p, err));
    dscq_str_copy(l.p->name, sizeof l.p->name, q->name);
    dscq_str_copy(l.p->machine_name, sizeof l.p->machine_name, m->name);
    l.p->frames = frames;
    l.scan = m->schedule.order != 1;
    DSCQ_TRY(copy_tensors(&l));
    if (m->engine == 1) {
        DSCQ_TRY(lower__pipeline(&l, schedule_out));
        *program_out = l.p;
        l.p = NULL;
        goto done;
    }
    DSCQ_TRY(set_prices(&l));
    DSCQ_TRY(lower__make_ops(&l));
    find_lives(&l);
    DSCQ_TRY(lower__make_weights(&l));
    DSCQ_TRY(check_on_chip(&l));
    DSCQ_TRY(plan_and_emit(&l, frames));
    DSCQ_TRY(dscq_program_check(l.p, err));
    if (schedule_out != NULL)
        DSCQ_TRY(lower__table(schedule_out, &l, err));
    *program_out = l.p;
    l.p = NULL;
done:
    dscq_program_destroy(l.p);
    dscq_free(l.op);
    dscq_free(l.tensor);
    dscq_free(l.stage);
    return status;
}
