/* DRAM model: speed when busy and idle, and policy frfcfs against the better of d2
 * and d3 on the same device and address map. One command:
 *
 *     bench_dram [TRACE_FOLDER]        default ../shared/dram/traces beside the project
 *
 * Without the folder the same tables are made from generated traces. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/rng.h"
#include "dscq/base/str.h"
#include "dscq/dram/check.h"
#include "dscq/dram/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef DSCQ_SOURCE_DIR
#define DSCQ_SOURCE_DIR "."
#endif

static const char *const k_configs[] = {
    "d2_stock",     "d2_close2r",         "d2_page",
    "d2_x16_4r",    "d3_ddr4x8",          "d3_ddr4x16_u",
    "d3_lpddr4x32", "d3_ddr4x8_2r_close", "d3_ddr3_as_d2"};
enum { CONFIGS = sizeof k_configs / sizeof k_configs[0], TRACES_MAX = 64 };

typedef struct named_trace {
    char name[64];
    dscq_dram_trace trace;
} named_trace;

static named_trace g_traces[TRACES_MAX];
static int g_trace_count;

static void die(const dscq_error *err)
{
    fprintf(stderr, "bench_dram: %s\n", err->msg);
    exit(EXIT_FAILURE);
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int load_traces(const char *folder)
{
    dscq_dir dir;
    dscq_error err;
    char path[DSCQ_PATH_MAX];

    if (!dscq_path_is_dir(folder))
        return 0;
    if (dscq_dir_list(&dir, folder, &err) != DSCQ_OK)
        die(&err);
    for (size_t i = 0; i < dir.count && g_trace_count < TRACES_MAX; i++) {
        named_trace *t = &g_traces[g_trace_count];
        if (!dscq_glob_match("*.trc.gz", dir.name[i]))
            continue;
        snprintf(t->name, sizeof t->name, "%.*s", (int)strcspn(dir.name[i], "."),
                 dir.name[i]);
        if (dscq_path_join(path, sizeof path, folder, dir.name[i], &err) != DSCQ_OK ||
            dscq_dram_trace_load(&t->trace, path, &err) != DSCQ_OK)
            die(&err);
        g_trace_count++;
    }
    dscq_dir_free(&dir);
    return g_trace_count > 0;
}

/* count requests; `run` consecutive lines at a time, `writes` of 8 are writes. */
static void make_trace(const char *name, int count, int run, unsigned writes,
                       uint64_t gap)
{
    named_trace *t = &g_traces[g_trace_count++];
    dscq_rng rng = dscq_rng_seeded((uint64_t)run * 64 + writes);
    uint64_t at = 0;

    snprintf(t->name, sizeof t->name, "%s", name);
    t->trace.item = dscq_calloc((size_t)count, sizeof *t->trace.item);
    for (int i = 0; t->trace.item != NULL && i < count; i++, at += 64) {
        if (i % run == 0)
            at = dscq_rng_below(&rng, UINT64_C(1) << 24) * 64;
        t->trace.item[t->trace.count++] = (dscq_dram_trace_item){
            (uint64_t)i * gap, at, (int32_t)(dscq_rng_below(&rng, 8) < writes)};
    }
}

static void make_traces(void)
{
    make_trace("sequential", 60000, 60000, 0, 0);
    make_trace("random", 40000, 1, 0, 0);
    make_trace("random_rw", 40000, 1, 4, 0);
    make_trace("blocks_rw", 60000, 16, 2, 0);
    make_trace("paced", 30000, 8, 3, 12);
}

static void load_config(dscq_dram_config *c, const char *name)
{
    char path[DSCQ_PATH_MAX];
    dscq_error err;

    snprintf(path, sizeof path, "%s/data/dram/%s.cfg", DSCQ_SOURCE_DIR, name);
    if (dscq_dram_config_load(c, path, &err) != DSCQ_OK)
        die(&err);
}

/* Cycles of one run; 0 when the policy's rules never finish it. */
static uint64_t cycles_of(dscq_dram_config c, const char *policy, const named_trace *t,
                          double *latency, double *pj, uint64_t *violations)
{
    dscq_dram_checker *checker = NULL;
    dscq_dram_result r;
    dscq_error err;
    dscq_status status;

    dscq_str_copy(c.policy, sizeof c.policy, policy);
    if (dscq_dram_checker_create(&checker, &c, &err) != DSCQ_OK)
        die(&err);
    status = dscq_dram_run(&r, &c, &t->trace, dscq_dram_checker_see, checker, &err);
    if (status != DSCQ_OK && status != DSCQ_UNSUPPORTED)
        die(&err);
    *violations += dscq_dram_checker_violations(checker);
    dscq_dram_checker_destroy(checker);
    if (status != DSCQ_OK)
        return 0;
    *latency = r.read_latency_mean_cycles;
    *pj = r.energy_pj.total;
    return r.cycles;
}

static double compare_config(const char *name, int postpone, int verbose)
{
    dscq_dram_config c;
    double worst = 0, sum = 0, pj_sum = 0;
    const char *worst_name = "";
    uint64_t bad[3] = {0};

    load_config(&c, name);
    c.refresh_postpone = postpone;
    for (int i = 0; i < g_trace_count; i++) {
        const named_trace *t = &g_traces[i];
        double lat[3] = {0}, pj[3] = {0};
        const uint64_t d2 = cycles_of(c, "d2", t, &lat[0], &pj[0], &bad[0]);
        const uint64_t d3 = cycles_of(c, "d3", t, &lat[1], &pj[1], &bad[1]);
        const uint64_t own = cycles_of(c, "frfcfs", t, &lat[2], &pj[2], &bad[2]);
        const uint64_t best = d3 != 0 && d3 < d2 ? d3 : d2;
        const double ratio = (double)own / (double)best;
        sum += ratio;
        pj_sum += pj[2] / (d3 != 0 && pj[1] < pj[0] ? pj[1] : pj[0]);
        if (ratio > worst) {
            worst = ratio;
            worst_name = t->name;
        }
        if (verbose)
            printf("  %-14s %9" PRIu64 " %9" PRIu64 " %9" PRIu64
                   " %7.4f   %7.1f %7.1f %7.1f\n",
                   t->name, d2, d3, own, ratio, lat[0], lat[1], lat[2]);
    }
    printf("%-20s %7.4f %7.4f  %-14s %7.3f %9" PRIu64 " %6" PRIu64 " %6" PRIu64 "\n",
           name, sum / g_trace_count, worst, worst_name, pj_sum / g_trace_count, bad[0],
           bad[1], bad[2]);
    return worst;
}

static void compare_policies(int verbose)
{
    double worst = 0;

    for (int postpone = 0; postpone <= 8; postpone += 8) {
        printf("\ncycles of frfcfs / better of d2 and d3, refresh_postpone = %d\n",
               postpone);
        printf("%-20s %7s %7s  %-14s %7s %9s %6s %6s\n", "config", "mean", "worst",
               "on", "energy", "illegal:d2", "d3", "frfcfs");
        for (int i = 0; i < CONFIGS; i++) {
            const double w = compare_config(k_configs[i], postpone, verbose);
            worst = w > worst ? w : worst;
        }
    }
    printf("worst ratio %.4f, bar 1.02: %s\n", worst,
           worst <= 1.02 ? "met" : "NOT met");
}

static void busy_speed(void)
{
    printf("%-20s %10s %12s %12s\n", "busy, M cycles/s", "own file", "as frfcfs",
           "M requests/s");
    for (int i = 0; i < CONFIGS; i++) {
        double rate[2] = {0}, requests = 0;
        for (int own = 0; own < 2; own++) {
            dscq_dram_config c;
            uint64_t cycles = 0;
            size_t count = 0;
            load_config(&c, k_configs[i]);
            if (own)
                dscq_str_copy(c.policy, sizeof c.policy, "frfcfs");
            const double t0 = seconds();
            for (int k = 0; k < g_trace_count; k++) {
                dscq_dram_result r;
                dscq_error err;
                if (strncmp(g_traces[k].name, "burstidle", 9) == 0)
                    continue; /* mostly idle: measured apart */
                if (dscq_dram_run(&r, &c, &g_traces[k].trace, NULL, NULL, &err) !=
                    DSCQ_OK)
                    die(&err);
                cycles += r.cycles;
                count += g_traces[k].trace.count;
            }
            const double dt = seconds() - t0;
            rate[own] = 1e-6 * (double)cycles / dt;
            requests = own ? requests : 1e-6 * (double)count / dt;
        }
        printf("%-20s %10.1f %12.1f %12.2f\n", k_configs[i], rate[0], rate[1],
               requests);
    }
}

static void idle_speed(void)
{
    printf("\n%-20s %14s\n", "idle", "M cycles/s");
    for (int i = 0; i < CONFIGS; i++) {
        const uint64_t span = UINT64_C(2000000000);
        dscq_dram_config c;
        dscq_dram *d;
        dscq_error err;
        load_config(&c, k_configs[i]);
        if (dscq_dram_create(&d, &c, &err) != DSCQ_OK)
            die(&err);
        const double t0 = seconds();
        dscq_dram_advance(d, span);
        printf("%-20s %14.0f\n", k_configs[i], 1e-6 * (double)span / (seconds() - t0));
        dscq_dram_destroy(d);
    }
}

int main(int argc, char **argv)
{
    const int verbose = argc > 1 && strcmp(argv[argc - 1], "-v") == 0;
    const char *folder =
        argc > 1 + verbose ? argv[1] : DSCQ_SOURCE_DIR "/../shared/dram/traces";

    if (!load_traces(folder)) {
        printf("no traces in %s: generated ones\n", folder);
        make_traces();
    }
    busy_speed();
    idle_speed();
    compare_policies(verbose);
    for (int i = 0; i < g_trace_count; i++)
        dscq_dram_trace_clear(&g_traces[i].trace);
    return EXIT_SUCCESS;
}
