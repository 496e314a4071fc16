/* One trial: from a recipe to the numbers that decide, without retraining. */
#include "dscq/base/alloc.h"
#include "dscq/compress/calibrate.h"
#include "dscq/compress/post.h"
#include "dscq/energy/energy.h"
#include "dscq/flow/simulate.h"
#include "dscq/hw/engine.h"
#include "dscq/infer/verify.h"
#include "dscq/pack/pack.h"
#include "search_internal.h"

#include <math.h>
#include <string.h>

enum { EMBEDDED_INPUTS = 2 };

void search__trial_clear(search_product *t)
{
    dscq_qmodel_destroy(t->q);
    dscq_compressor_destroy(t->compressor);
    dscq_model_destroy(t->model);
    dscq_free(t->edge);
    memset(t, 0, sizeof *t);
}

dscq_status search__trial_freeze(search_product *t, search *s,
                                 const dscq_settings *settings, dscq_error *err)
{
    const size_t grids = dscq_grid_count(dscq_model_nodes(s->origin));
    dscq_status status;

    memset(t, 0, sizeof *t);
    t->edge = dscq_calloc(grids, sizeof *t->edge);
    if (t->edge == NULL)
        return dscq_fail_nomem(err, "the edges of a network", grids * sizeof *t->edge);
    DSCQ_TRY(dscq_model_clone(&t->model, s->origin, err));
    DSCQ_TRY(dscq_compressor_create(&t->compressor, t->model, settings, s->pool, err));
    DSCQ_TRY(dscq_compressor_freeze(t->compressor, err));
done:
    return status;
}

dscq_status search__trial_assemble(search_product *t, search *s,
                                   const dscq_aquant *edge, dscq_error *err)
{
    dscq_dataset *d = s->judged.dataset;
    const dscq_flow_parts parts = {.model = t->model,
                                   .compressor = t->compressor,
                                   .edge = edge,
                                   .preproc = dscq_dataset_preproc(d),
                                   .dataset = d,
                                   .class_count = dscq_dataset_classes(d),
                                   .logit_bits = s->settings->all.logit_b,
                                   .meta = s->meta};

    return dscq_flow_assemble(&t->q, &parts, err);
}

static dscq_status measure_norm(dscq_model *m, search *s, dscq_error *err)
{
    const dscq_post_data data = {.next = dscq_flow_pick_batch,
                                 .ctx = &s->trained_feed,
                                 .batch = s->trained_feed.batch,
                                 .pool = s->pool,
                                 .kernels = s->kernels,
                                 .log = s->log};

    return s->has_norm ? dscq_post_norm(m, &data, err) : DSCQ_OK;
}

/* Ranges of the activations of m. Calibration works on the project's own network: it
 * borrows m's place. */
static dscq_status calibrate(dscq_aquant *edge, dscq_model *m, const dscq_compressor *c,
                             search *s, dscq_error *err)
{
    dscq_model *const own = dscq_project_swap_model(s->project, m);
    const dscq_status status =
        dscq_flow_calibrate(edge, s->project, c, s->pool, s->kernels, NULL, err);
    (void)dscq_project_swap_model(s->project, own);
    return status;
}

/* Fraction of the judged images that m gets right; edge NULL: float activations. */
static dscq_status score(double *out, dscq_model *m, const dscq_aquant *edge, search *s,
                         dscq_error *err)
{
    const dscq_exec_options eo = {.batch = s->judged_feed.batch,
                                  .raw_outputs = 1,
                                  .pool = s->pool,
                                  .kernels = s->kernels};
    dscq_exec *e = NULL;
    size_t right = 0;
    dscq_status status;

    DSCQ_TRY(dscq_exec_create(&e, m, &eo, err));
    if (edge != NULL)
        DSCQ_TRY(dscq_flow_quantise_edges(e, edge, dscq_model_nodes(m), err));
    DSCQ_TRY(dscq_flow_judge(s->right, e, &s->judged_feed, err));
    for (size_t i = 0; i < s->judged.count; i++)
        right += s->right[i];
    *out = (double)right / (double)s->judged.count;
done:
    dscq_exec_destroy(e);
    return status;
}

dscq_status search__trial_float(search *s, dscq_error *err)
{
    const size_t grids = dscq_grid_count(dscq_model_nodes(s->origin));
    dscq_compressor *c = NULL;
    dscq_model *m = NULL;
    dscq_status status;

    s->edge = dscq_calloc(grids, sizeof *s->edge);
    if (s->edge == NULL)
        return dscq_fail_nomem(err, "the edges of a network", grids * sizeof *s->edge);
    DSCQ_TRY(dscq_model_clone(&m, s->origin, err));
    DSCQ_TRY(score(&s->float_score, m, NULL, s, err));
    DSCQ_TRY(dscq_compressor_create(&c, m, s->settings, s->pool, err));
    dscq_compressor_use(c, 0); /* float weights; the settings say how to calibrate */
    DSCQ_TRY(calibrate(s->edge, m, c, s, err));
done:
    dscq_compressor_destroy(c);
    dscq_model_destroy(m);
    return status;
}

/* ---- the machine -------------------------------------------------------- */

/* Block RAMs of the machine with its buffers cut down to what the program uses. */
static double brams(const dscq_machine *machine, const dscq_program *p)
{
    dscq_machine m = *machine;
    dscq_resources total = {0};
    dscq_resource_row row;

    m.act_bytes = p->act_peak_bytes < m.act_bytes ? p->act_peak_bytes : m.act_bytes;
    m.weight_bytes =
        p->weight_peak_bytes < m.weight_bytes ? p->weight_peak_bytes : m.weight_bytes;
    for (int32_t i = 0; p->engine->part(&row, p, &m, i); i++)
        dscq_resources_add(&total, &row.need);
    return (double)total.bram36;
}

static dscq_status price_layers(double *cycles, double *pj, const dscq_simulation *sim,
                                int32_t layers, dscq_error *err)
{
    const dscq_dram_energy none = {0}; /* memory by its coefficient: an estimate */
    dscq_energy e;
    dscq_energy_bill bill;
    dscq_status status;

    DSCQ_TRY(dscq_energy_load_for(&e, &sim->machine, err));
    for (int32_t i = 0; i < layers; i++) {
        const dscq_counters *c = dscq_sim_layer(sim->sim, i);

        DSCQ_TRY(dscq_energy_price(&bill, &e, &sim->machine, c, &none, err));
        cycles[i] = (double)c->cycles;
        pj[i] = bill.total_pj;
    }
done:
    return status;
}

dscq_status search__trial_simulate(double value[DSCQ_METRICS], const search *s,
                                   const dscq_qmodel *q, double *layer_cycles,
                                   double *layer_pj, dscq_error *err)
{
    const dscq_simulate_options so = {.no_data = 1, .certify = -1};
    dscq_simulation sim;
    dscq_status status = DSCQ_OK;

    if (s->o->machine == NULL)
        return DSCQ_OK;
    DSCQ_TRY(dscq_flow_simulate(&sim, q, s->o->machine, &so, err));
    const double frames = sim.totals.frames > 0 ? (double)sim.totals.frames : 1.0;
    value[DSCQ_METRIC_CYCLES] = (double)sim.totals.cycles / frames;
    value[DSCQ_METRIC_ENERGY] = sim.bill.total_pj / frames;
    value[DSCQ_METRIC_BRAM] = brams(s->o->machine, sim.program);
    if (layer_cycles != NULL)
        status = price_layers(layer_cycles, layer_pj, &sim, q->node_count, err);
    dscq_simulation_clear(&sim);
done:
    return status;
}

/* ---- all of it ---------------------------------------------------------- */

static dscq_status pack(double *bytes_out, const dscq_qmodel *q,
                        const dscq_pack_options *o, dscq_error *err)
{
    uint8_t *data = NULL;
    size_t bytes = 0;
    const dscq_status status = dscq_pack_encode(&data, &bytes, q, o, err);

    dscq_free(data);
    *bytes_out = (double)bytes;
    return status;
}

dscq_status search__trial_measure(double value[DSCQ_METRICS], search *s,
                                  const search_choice *c, dscq_error *err)
{
    dscq_settings *settings = NULL;
    search_product t = {0};
    double right = 0;
    dscq_status status;

    DSCQ_TRY(search__settings(&settings, s, c, err));
    DSCQ_TRY(search__trial_freeze(&t, s, settings, err));
    DSCQ_TRY(measure_norm(t.model, s, err));
    DSCQ_TRY(calibrate(t.edge, t.model, t.compressor, s, err));
    DSCQ_TRY(score(&right, t.model, t.edge, s, err));
    value[DSCQ_METRIC_LOSS] = s->float_score - right;
    DSCQ_TRY(search__trial_assemble(&t, s, t.edge, err));
    DSCQ_TRY(dscq_infer_make_digests(t.q, EMBEDDED_INPUTS, NULL, err));
    DSCQ_TRY(pack(&value[DSCQ_METRIC_BYTES], t.q, &s->packing, err));
    DSCQ_TRY(search__trial_simulate(value, s, t.q, NULL, NULL, err));
done:
    search__trial_clear(&t);
    dscq_settings_destroy(settings);
    return status;
}
