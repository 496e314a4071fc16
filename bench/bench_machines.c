/*
 * The machines of data/machines/ beside what their papers report.
 *
 *   bench_machines            one row a machine: ours and the paper's
 *   bench_machines NAME       that row, and the schedule and stalls behind it
 *
 * Networks of the published shapes with synthetic weights; two frames; timing with
 * command-level DRAM, no arithmetic (outputs are compared by the tests).
 */
#include "bench_sim_nets.h"
#include "bench_table.h"
#include "dscq/flow/simulate.h"

typedef struct row {
    const char *machine, *network, *paper, *same;
    dscq_qmodel *(*make)(void);
} row;

static dscq_qmodel *mbv2_sparse(void)
{
    return net_mobilenet_v2(0.3, 4, 1);
}

static dscq_qmodel *mbv2_dense(void)
{
    return net_mobilenet_v2(1.0, 8, 1);
}

static dscq_qmodel *alexnet(void)
{
    static const double k_fc[3] = {0.055, 0.065, 0.20};

    return net_alexnet(0.35, k_fc, 4, 1);
}

/* About the published 8.3 M multiply-accumulates and 0.079 M non-zero weights. */
static dscq_qmodel *narrow_v1(void)
{
    return net_mobilenet_v1(0.1875, 128, 5, 0.65, 8, 1);
}

static dscq_qmodel *tiny_yolo(void)
{
    return net_tiny_yolo(1);
}

/* clang-format off */
static const row k_rows[] = {
    {"yang2024", "MobileNetV2 224, density 0.3, 4 bits",
     "predecessor: 29.53 GOPS, 2.98 W, 9.91 GOPS/W, 113 DSP", "no: network and clock not public", mbv2_sparse},
    {"wu2019", "MobileNetV2 224, dense, 8 bits",
     "DRAM energy -67 % with 64K entries", "traffic: yes; baseline and DRAM part not public", mbv2_dense},
    {"zhang2019", "AlexNet, densities derived from the published ratio",
     "9.73 fps on ZCU104", "same board and network; its array is not public", alexnet},
    {"meng2024", "MobileNetV1 0.1875 at 128, density 0.65",
     "366 fps, 16.64 M operations, 8.57 GOPS/W", "no: board and network not public; sized for 366 fps", narrow_v1},
    {"nguyen2021", "Tiny YOLOv2 416, 1-bit weights, 3 % 8-bit blocks",
     "2019 design: 1877 GOPS, 18.29 W, 102.6 GOPS/W", "same board and clock; another detector, products in DSP", tiny_yolo},
};
/* clang-format on */

static void must(dscq_status status, const dscq_error *err)
{
    if (status != DSCQ_OK) {
        (void)fprintf(stderr, "bench_machines: %s\n", err->msg);
        exit(dscq_status_exit_code(status));
    }
}

static long long used(const dscq_simulation *s, const char *resource)
{
    const dscq_table *t = s->resources;

    for (size_t r = 0; r < dscq_table_rows(t); r++)
        if (strcmp(dscq_table_text(t, r, 0), resource) == 0 &&
            strcmp(dscq_table_text(t, r, 1), "total") == 0)
            return (long long)dscq_table_int(t, r, 2);
    return 0;
}

/* Every tensor and weight once per layer, bytes: the baseline of the traffic column. */
static double once_per_layer(const dscq_qmodel *q)
{
    double sum = 0;

    for (int32_t i = 0; i < q->node_count; i++) {
        const dscq_qnode *n = &q->node[i];
        for (int32_t k = n->op == DSCQ_Q_ADD ? 1 : 0; k < n->input_count; k++)
            sum += (double)dscq_qtensor_bytes(&q->tensor[n->input[k]]);
        if (n->op != DSCQ_Q_ADD) /* a sum is done with the layer before it */
            sum += (double)dscq_qtensor_bytes(&q->tensor[n->output]);
        sum += n->weights != NULL ? (double)n->weights->count : 0;
    }
    return sum;
}

static void run_row(const row *k, int details)
{
    const dscq_simulate_options o = {.frames = 3, .no_data = 1, .certify = -1};
    dscq_machine m;
    dscq_simulation s;
    dscq_error err = {DSCQ_OK, ""};
    dscq_qmodel *q = k->make();

    must(dscq_flow_machine(&m, k->machine, NULL, BENCH_SOURCE_DIR "/data", NULL, 0,
                           NULL, &err),
         &err);
    must(dscq_flow_simulate(&s, q, &m, &o, &err), &err);
    const double ops =
        s.totals.fps * 2e-9 * (double)dscq_sim_counters(s.sim)->mac_dense / o.frames;
    const double watt = 1e-12 / s.bill.seconds;
    if (details) {
        bench_print_table(s.schedule, 0);
        bench_print_table(s.stalls, 0);
    }
    printf(
        "%-11s %s: %.1f M MAC; %.0f MHz, %d multipliers, %lld DSP, %lld BRAM36, %lld "
        "LUT\n"
        "            %.1f fps, %.3g ms latency, %.2f GOPS, %.2f W, %.2f GOPS/W (%.2f "
        "without DRAM and processor); DRAM %.3f MB a frame, %.1f %% below once per "
        "layer\n"
        "            watt: logic dynamic %.3f, logic static %.3f, processor system "
        "%.3f, "
        "DRAM %.3f\n"
        "            paper: %s\n            same conditions: %s\n",
        k->machine, k->network,
        (double)dscq_sim_counters(s.sim)->mac_dense / o.frames * 1e-6, m.clock_mhz,
        s.machine.multipliers, used(&s, "dsp"), used(&s, "bram36"), used(&s, "lut"),
        s.totals.fps, s.totals.latency_ms, ops, s.bill.watt, s.bill.gops_per_watt_dense,
        s.bill.gops_per_watt_dense * s.bill.total_pj /
            (s.bill.total_pj - s.bill.dram_pj - s.bill.pj[DSCQ_BILL_ps_static]),
        s.totals.dram_bytes / o.frames * 1e-6,
        100 * (1 - s.totals.dram_bytes / o.frames / once_per_layer(q)),
        s.bill.dynamic_pj * watt, s.bill.pj[DSCQ_BILL_pl_static] * watt,
        s.bill.pj[DSCQ_BILL_ps_static] * watt, s.bill.dram_pj * watt, k->paper,
        k->same);
    dscq_simulation_clear(&s);
    dscq_qmodel_destroy(q);
}

int main(int argc, char **argv)
{
    int ran = 0;

    for (size_t i = 0; i < sizeof k_rows / sizeof *k_rows; i++)
        if (argc < 2 || strcmp(argv[1], k_rows[i].machine) == 0) {
            run_row(&k_rows[i], argc > 1);
            ran++;
        }
    if (ran == 0)
        (void)fprintf(stderr, "bench_machines: no machine '%s' here\n", argv[1]);
    return ran > 0 ? 0 : 2;
}
