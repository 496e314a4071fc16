/*
 * What the machine model says, and how fast it says it.
 *
 *   bench_sim [mbv2|alexnet] [density] [machine.cfg] [frames] [key=value ...]
 *
 * Synthetic weights (said so in the output): the published shapes, non-zeros at random
 * places. key=value overrides a machine or schedule key: machine.clock_mhz=300.
 * Speeds are processor time, the best of REPEATS runs: other work does not count.
 */
#include "bench_sim_nets.h"
#include "bench_table.h"
#include "dscq/base/config.h"
#include "dscq/energy/energy.h"
#include "dscq/hw/board.h"
#include "dscq/hw/sim.h"
#include "dscq/infer/reference.h"
#include "dscq/infer/runtime.h"
#include "dscq/lower/lower.h"

#include <sys/resource.h>
#include <time.h>

enum { REPEATS = 5 };

static double cpu_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void must(dscq_status status, const dscq_error *err)
{
    if (status != DSCQ_OK) {
        (void)fprintf(stderr, "bench_sim: %s\n", err->msg);
        exit(dscq_status_exit_code(status));
    }
}

static void load_machine(dscq_machine *m, const char *path, int argc, char **argv)
{
    dscq_config *c = NULL;
    dscq_error err;

    must(dscq_config_load(&c, path, &err), &err);
    for (int i = 0; i < argc; i++)
        must(dscq_config_set(c, argv[i], "command line", &err), &err);
    must(dscq_machine_bind(m, c, BENCH_SOURCE_DIR "/data", &err), &err);
    dscq_config_destroy(c);
}

static void print_resources(const dscq_machine *m)
{
    dscq_resource_row rows[DSCQ_RESOURCE_ROWS];
    dscq_resources total;
    dscq_board board;
    char path[DSCQ_PATH_MAX];
    dscq_error err = {DSCQ_OK, ""};

    (void)dscq_machine_resources(rows, &total, m);
    printf("resources: dsp %lld, bram36 %lld, uram %lld, lut %lld, ff %lld\n",
           (long long)total.dsp, (long long)total.bram36, (long long)total.uram,
           (long long)total.lut, (long long)total.ff);
    if (m->board[0] == '\0')
        return;
    must(dscq_machine_path(path, sizeof path, m, "boards", m->board, &err), &err);
    must(dscq_board_load(&board, path, &err), &err);
    if (dscq_board_fits(&board, &total, m->clock_mhz, &err) != DSCQ_OK)
        printf("does not fit: %s\n", err.msg);
    else
        printf("fits %s\n", board.name);
}

static void print_totals(const dscq_sim *s, const dscq_machine *m)
{
    const dscq_sim_totals t = dscq_sim_total(s);
    const dscq_counters *c = dscq_sim_counters(s);
    const dscq_dram_energy d = dscq_sim_dram_energy(s);
    dscq_energy e;
    dscq_energy_bill b;
    dscq_error err = {DSCQ_OK, ""};

    printf("cycles %llu, frames %llu, fps %.1f, latency %.3f ms\n",
           (unsigned long long)t.cycles, (unsigned long long)t.frames, t.fps,
           t.latency_ms);
    printf(
        "utilisation %.3f, dense MAC per multiplier and cycle %.3f, GOPS dense %.1f, "
        "effective %.1f\n",
        t.utilisation, t.dense_mac_per_multiplier_cycle, t.gops_dense,
        t.gops_effective);
    printf("DRAM bytes: activations in %llu, out %llu, weights %llu, total %.0f\n",
           (unsigned long long)c->dram_act_read_bytes,
           (unsigned long long)c->dram_act_write_bytes,
           (unsigned long long)c->dram_weight_bytes, t.dram_bytes);
    must(dscq_energy_load_for(&e, m, &err), &err);
    must(dscq_energy_price(&b, &e, m, c, &d, &err), &err);
    printf("energy %.3f mJ (%.3f .. %.3f), dynamic %.3f, static %.3f, DRAM %.3f "
           "(background %.3f, activate %.3f, burst %.3f, refresh %.3f); %.2f W, %.2f "
           "GOPS/W dense, %.2f effective\n",
           b.total_pj * 1e-9, b.low_pj_total * 1e-9, b.high_pj_total * 1e-9,
           b.dynamic_pj * 1e-9, b.static_pj * 1e-9, b.dram_pj * 1e-9,
           b.pj[DSCQ_BILL_dram_background] * 1e-9, b.pj[DSCQ_BILL_dram_actpre] * 1e-9,
           b.pj[DSCQ_BILL_dram_burst] * 1e-9, b.pj[DSCQ_BILL_dram_refresh] * 1e-9,
           b.watt, b.gops_per_watt_dense, b.gops_per_watt_effective);
}

/* Run it REPEATS times; the last result is kept. Returns the shortest time. */
static double run_s(dscq_sim **out, const dscq_program *p, const dscq_machine *m,
                    const void *const *inputs, const dscq_sim_options *options)
{
    double best = 1e30;
    dscq_error err = {DSCQ_OK, ""};

    for (int i = 0; i < REPEATS; i++) {
        dscq_sim_destroy(*out);
        const double t = cpu_s();
        must(dscq_sim_run(out, p, m, inputs, options, &err), &err);
        const double took = cpu_s() - t;
        best = took < best ? took : best;
    }
    return best;
}

static double lower_s(dscq_program **p, dscq_table **schedule, const dscq_qmodel *q,
                      const dscq_machine *m, int32_t frames)
{
    const dscq_lower_options options = {.frames = frames};
    double best = 1e30;
    dscq_error err = {DSCQ_OK, ""};

    for (int i = 0; i < REPEATS; i++) {
        dscq_program_destroy(*p);
        dscq_table_destroy(*schedule);
        const double t = cpu_s();
        must(dscq_lower(p, schedule, q, m, &options, &err), &err);
        const double took = cpu_s() - t;
        best = took < best ? took : best;
    }
    return best;
}

static double peak_mb(void)
{
    struct rusage u;

    (void)getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_maxrss / 1024;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "mbv2";
    const double density = argc > 2 ? atof(argv[2]) : 0.3;
    const char *path =
        argc > 3 ? argv[3] : BENCH_SOURCE_DIR "/data/machines/zcu104.cfg";
    const int32_t frames = argc > 4 ? (int32_t)strtol(argv[4], NULL, 10) : 1;
    static const double k_fc[3] = {0.055, 0.065, 0.20};
    const int32_t bits = density >= 1 ? 8 : 4;
    dscq_machine m;
    dscq_program *p = NULL;
    dscq_table *schedule = NULL, *table = NULL;
    dscq_sim *s = NULL, *quick = NULL;
    dscq_error err = {DSCQ_OK, ""};

    load_machine(&m, path, argc > 5 ? argc - 5 : 0, argv + 5);
    dscq_qmodel *q = strcmp(name, "alexnet") == 0 ? net_alexnet(density, k_fc, bits, 1)
                                                  : net_mobilenet_v2(density, bits, 1);
    const size_t in_bytes = dscq_qtensor_bytes(&q->tensor[0]);
    const size_t out_bytes = dscq_qtensor_bytes(&q->tensor[q->output[0].tensor]);
    uint8_t *input = dscq_malloc(in_bytes, (size_t)frames);
    for (size_t i = 0; i < in_bytes * (size_t)frames; i++)
        input[i] = (uint8_t)(i * 2654435761u >> 13);

    printf(
        "%s, synthetic weights, pointwise density %.2f, %d bits, machine %s, %g MHz, "
        "dram %s\n",
        q->name, density, bits, m.name, m.clock_mhz, m.dram);
    print_resources(&m);
    const double schedule_s = lower_s(&p, &schedule, q, &m, frames);
    bench_print_table(schedule, 1);

    const dscq_sim_options timing = {.no_data = 1};
    const dscq_sim_options whole = {.certify = 4, .certify_seed = 1};
    const void *inputs[1] = {input};
    const double quick_s = run_s(&quick, p, &m, NULL, &timing);
    const double whole_s = run_s(&s, p, &m, inputs, &whole);
    const double mb = peak_mb();
    must(dscq_sim_table_layers(&table, s, &err), &err);
    bench_print_table(table, 1);
    dscq_table_destroy(table);
    must(dscq_sim_table_stalls(&table, s, &err), &err);
    bench_print_table(table, 1);
    print_totals(s, &m);
    const dscq_sim_bound b = dscq_sim_lower_bound(p, &m);
    printf("bound: compute %llu, post %llu, memory %llu\n",
           (unsigned long long)b.compute, (unsigned long long)b.post,
           (unsigned long long)b.memory);

    /* the same bytes as the integer runtime */
    dscq_runtime *r = NULL;
    void *want = dscq_malloc(out_bytes, 1);
    void *outputs[1] = {want};
    must(dscq_runtime_create(&r, q, NULL, &err), &err);
    int same = 1;
    for (int32_t f = 0; f < frames; f++) {
        const void *one[1] = {input + in_bytes * (size_t)f};
        dscq_runtime_run(r, 1, one, outputs);
        same &= memcmp(want, dscq_sim_output(s, 0, f, NULL), out_bytes) == 0;
    }
    const uint64_t cycles = dscq_sim_counters(s)->cycles;
    printf("output bytes equal the integer runtime: %s; certified commands %d\n",
           same ? "yes" : "NO", dscq_sim_total(s).certified);
    printf("processor time, best of %d: schedule %.1f ms, timing only %.1f ms (%.1f M "
           "cycles/s), with data %.1f ms (%.1f M cycles/s); %.0f MB\n",
           REPEATS, schedule_s * 1e3, quick_s * 1e3, (double)cycles / quick_s * 1e-6,
           whole_s * 1e3, (double)cycles / whole_s * 1e-6, mb);
    dscq_runtime_destroy(r);
    dscq_free(want);
    dscq_free(input);
    dscq_table_destroy(table);
    dscq_table_destroy(schedule);
    dscq_sim_destroy(s);
    dscq_sim_destroy(quick);
    dscq_program_destroy(p);
    dscq_qmodel_destroy(q);
    return same ? 0 : 1;
}
