/*
 * MobileNetV2 at 224 x 224, dense 8-bit weights, a buffer of 64K entries of one byte
 * (data/machines/wu2019.cfg): traffic and DRAM energy, layer by layer against fused.
 *
 *   bench_sim_fuse [machine.cfg]
 *
 * Two baselines: `ideal`, each tensor and weight moved once per layer and shortcuts
 * read again (from the shapes alone; 17.13 M entries); `layers`, the same machine
 * without fusion, nothing kept between layers, raster order, as it really runs.
 */
#include "bench_sim_nets.h"
#include "dscq/base/config.h"
#include "dscq/hw/sim.h"
#include "dscq/lower/lower.h"

typedef struct result {
    double entries, act_mj, burst_mj, background_mj, total_mj, weights;
    uint64_t cycles;
} result;

static void must(dscq_status status, const dscq_error *err)
{
    if (status != DSCQ_OK) {
        (void)fprintf(stderr, "bench_sim_fuse: %s\n", err->msg);
        exit(dscq_status_exit_code(status));
    }
}

static result run(const dscq_qmodel *q, const char *path, const char *const *set)
{
    const dscq_sim_options opt = {.no_data = 1};
    dscq_config *c = NULL;
    dscq_machine m;
    dscq_program *p = NULL;
    dscq_sim *s = NULL;
    dscq_error err = {DSCQ_OK, ""};

    must(dscq_config_load(&c, path, &err), &err);
    for (; *set != NULL; set++)
        must(dscq_config_set(c, *set, "bench", &err), &err);
    must(dscq_machine_bind(&m, c, BENCH_SOURCE_DIR "/data", &err), &err);
    must(dscq_lower(&p, NULL, q, &m, NULL, &err), &err);
    must(dscq_sim_run(&s, p, &m, NULL, &opt, &err), &err);
    const dscq_dram_energy d = dscq_sim_dram_energy(s);
    const dscq_counters *n = dscq_sim_counters(s);
    const result r = {.entries = dscq_sim_total(s).dram_bytes,
                      .act_mj = d.actpre * 1e-9,
                      .burst_mj = d.burst * 1e-9,
                      .background_mj = d.background * 1e-9,
                      .total_mj = d.total * 1e-9,
                      .weights = (double)n->dram_weight_bytes,
                      .cycles = n->cycles};
    dscq_sim_destroy(s);
    dscq_program_destroy(p);
    dscq_config_destroy(c);
    return r;
}

/* Every tensor and weight once per layer, from the shapes. */
static double ideal(const dscq_qmodel *q)
{
    double sum = 0;

    for (int32_t i = 0; i < q->node_count; i++) {
        const dscq_qnode *n = &q->node[i];
        if (n->op == DSCQ_Q_ADD) { /* done with the projection: the shortcut only */
            sum += (double)dscq_qtensor_count(&q->tensor[n->input[1]]);
            continue;
        }
        sum += (double)dscq_qtensor_count(&q->tensor[n->input[0]]);
        sum += (double)dscq_qtensor_count(&q->tensor[n->output]);
        sum += n->weights != NULL ? (double)n->weights->count : 0;
    }
    return sum;
}

/* Weights alone: what the reference counts, without channel constants and padding. */
static double plain_weights(const dscq_qmodel *q)
{
    double sum = 0;

    for (int32_t i = 0; i < q->node_count; i++)
        sum += q->node[i].weights != NULL ? (double)q->node[i].weights->count : 0;
    return sum;
}

static void print(const char *name, result r, double base, const result *layers)
{
    printf(
        "%-27s %7.2f M entries (%5.1f %% below ideal), weights %5.2f M, DRAM mJ: "
        "activate + burst %.3f (%5.1f %% below layers), background %.3f, total %.3f; "
        "%llu cycles\n",
        name, r.entries * 1e-6, 100 * (1 - r.entries / base), r.weights * 1e-6,
        r.act_mj + r.burst_mj,
        100 * (1 - (r.act_mj + r.burst_mj) / (layers->act_mj + layers->burst_mj)),
        r.background_mj, r.total_mj, (unsigned long long)r.cycles);
}

int main(int argc, char **argv)
{
    static const char *const k_layers[] = {"schedule.fuse=none", "schedule.resident=no",
                                           "schedule.order=raster", NULL};
    static const char *const k_block[] = {"schedule.fuse=block", "schedule.resident=no",
                                          NULL};
    static const char *const k_one[] = {"schedule.fuse=one_block",
                                        "schedule.resident=no", NULL};
    static const char *const k_auto[] = {NULL};
    const char *path =
        argc > 1 ? argv[1] : BENCH_SOURCE_DIR "/data/machines/wu2019.cfg";
    dscq_qmodel *dense = net_mobilenet_v2(1.0, 8, 1);
    dscq_qmodel *packed = net_mobilenet_v2(0.3, 4, 1);
    const double base = ideal(dense);

    printf("ideal layer by layer: %.2f M entries\n", base * 1e-6);
    const double plain = plain_weights(dense);
    const result layers = run(dense, path, k_layers);
    print("layers, raster", layers, base, &layers);
    const result one = run(dense, path, k_one);
    print("each block by itself, scan", one, base, &layers);
    const double counted = one.entries - (one.weights - plain);
    printf("  the same without channel constants and stream padding, as the reference "
           "counts: %.2f M entries, %.1f %% below ideal; reference 17.13 M -> 5.63 M "
           "(%+.1f %%)\n",
           counted * 1e-6, 100 * (1 - counted / base), 100 * (counted / 5.63e6 - 1));
    print("blocks and neighbours, scan", run(dense, path, k_block), base, &layers);
    print("auto, scan", run(dense, path, k_auto), base, &layers);
    print("auto, density 0.3, 4 bits", run(packed, path, k_auto), base, &layers);
    dscq_qmodel_destroy(dense);
    dscq_qmodel_destroy(packed);
    return 0;
}
