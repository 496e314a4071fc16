/* engine = array: operations, weight tiles, a plan, commands. */
#include "lower_internal.h"

/* Of a command-level DRAM's peak, what a well-behaved stream reaches. */
static const double DRAM_SHARE = 0.85;
/* objective = traffic: cycles decide between plans of equal bytes. */
static const double TIE = 1e-4;
/* A plan whose places do not pack is made again for a sixteenth less. */
enum { PLAN_TRIES = 64, LESS = 15, OF = 16 };

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

    l->mem_rate = m->mem_bytes_per_cycle;
    if (!dscq_machine_is_simple(m)) {
        dscq_dram_config c;
        char path[DSCQ_PATH_MAX];
        DSCQ_TRY(dscq_machine_path(path, sizeof path, m, "dram", m->dram, l->err));
        DSCQ_TRY(dscq_dram_config_load(&c, path, l->err));
        l->mem_rate = DRAM_SHARE * dscq_dram_peak_bytes_per_ns(&c) * 1e3 / m->clock_mhz;
    }
    l->mem_rate = l->mem_rate < port ? l->mem_rate : port;
    l->cycle_price = 1;
    l->byte_price = 0;
    if (m->schedule.objective == DSCQ_SCHEDULE_FOR_TRAFFIC) {
        l->byte_price = 1;
        l->cycle_price = TIE;
    } else if (m->schedule.objective == DSCQ_SCHEDULE_FOR_ENERGY) {
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
static dscq_status plan_and_emit(lowering *l)
{
    dscq_machine less = *l->m;
    const dscq_machine *whole = l->m;
    const int64_t unit = (int64_t)less.act_banks * less.act_word_bytes;
    dscq_status status = DSCQ_ARG;

    for (int tries = 0; tries < PLAN_TRIES && status == DSCQ_ARG; tries++) {
        l->group_failed = 0;
        l->m = &less;
        status = lower__plan(l);
        if (status == DSCQ_ARG && tries > 0)
            break; /* the last message but one was the cause */
        if (status != DSCQ_OK)
            goto done;
        l->m = whole;
        status = lower__emit(l);
        if (!l->group_failed)
            less.act_bytes = less.act_bytes * LESS / OF / unit * unit;
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
    if (l->m->schedule.weights == DSCQ_SCHEDULE_WEIGHTS_ONCHIP &&
        bytes > l->m->weight_bytes)
        return dscq_fail(l->err, DSCQ_ARG,
                         "[schedule] weights = onchip needs %lld bytes, %lld more than "
                         "weight_bytes = %lld",
                         (long long)bytes, (long long)(bytes - l->m->weight_bytes),
                         (long long)l->m->weight_bytes);
    return DSCQ_OK;
}

dscq_status lower__array(lowering *l, dscq_table **schedule_out)
{
    dscq_status status;

    l->scan = l->m->schedule.order != DSCQ_SCHEDULE_ORDER_RASTER;
    DSCQ_TRY(set_prices(l));
    DSCQ_TRY(lower__make_ops(l));
    find_lives(l);
    DSCQ_TRY(lower__make_weights(l));
    DSCQ_TRY(check_on_chip(l));
    DSCQ_TRY(plan_and_emit(l));
    DSCQ_TRY(dscq_program_check(l->p, l->err));
    if (schedule_out != NULL)
        DSCQ_TRY(lower__table(schedule_out, l, l->err));
done:
    return status;
}
