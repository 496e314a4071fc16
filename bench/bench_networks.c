/*
 * Is every network accepted by the machine, with the bytes of the integer reference?
 *
 *   bench_networks [MACHINE.cfg] NETWORK...
 *
 * NETWORK: .onnx, .onnx.xz, .weights (with the .cfg beside it), or .cfg (fresh
 * weights). Weights of 8 bits, ranges from noise, nothing trained. One row a network:
 * cycles, frames per second, whether the output bytes equal the reference's, processor
 * time of the schedule and of the run, most memory of the machine and the simulation.
 * The last line counts. Ends with exit code 1 when a network's bytes differ, 4 when one
 * is refused (a pipeline names the board's resources that its stages exceed).
 */
#include "dscq/base/alloc.h"
#include "dscq/base/config.h"
#include "dscq/hw/sim.h"
#include "dscq/infer/reference.h"
#include "dscq/lower/lower.h"
#include "qmodel_float.h"
#include "qmodel_random.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static double cpu_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double peak_mb(void)
{
    struct rusage u;

    (void)getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_maxrss / 1024;
}

static int same_outputs(const dscq_qmodel *q, const dscq_sim *s, const void *input,
                        dscq_error *err)
{
    void **want = dscq_calloc((size_t)q->output_count, sizeof *want);
    const void *inputs[1] = {input};
    int same = want != NULL;

    for (int32_t o = 0; same && o < q->output_count; o++) {
        want[o] = dscq_calloc(dscq_qtensor_bytes(&q->tensor[q->output[o].tensor]), 1);
        same = want[o] != NULL;
    }
    if (same)
        same = dscq_infer_reference(q, inputs, want, NULL, NULL, err) == DSCQ_OK;
    for (int32_t o = 0; same && o < q->output_count; o++) {
        size_t bytes;
        const void *have = dscq_sim_output(s, o, 0, &bytes);
        same = memcmp(want[o], have, bytes) == 0;
    }
    for (int32_t o = 0; want != NULL && o < q->output_count; o++)
        dscq_free(want[o]);
    dscq_free(want);
    return same;
}

static dscq_status one(int *same, const char *path, const dscq_machine *m,
                       dscq_error *err)
{
    dscq_model *net = NULL;
    dscq_qmodel *q = NULL;
    dscq_program *p = NULL;
    dscq_sim *s = NULL;
    void *input = NULL;
    dscq_rng rng = dscq_rng_seeded(7);
    dscq_status status;

    DSCQ_TRY(test_load_network(&net, path, "bench_networks.onnx", err));
    DSCQ_TRY(test_qmodel_from_float(&q, net, err));
    const dscq_qtensor *t = &q->tensor[q->input[0].tensor];
    input = dscq_calloc(dscq_qtensor_bytes(t), 1);
    if (input == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "an input", dscq_qtensor_bytes(t)));
    qmodel_random_codes(t, input, &rng);
    const double start = cpu_s();
    DSCQ_TRY(dscq_lower(&p, NULL, q, m, NULL, err));
    const double scheduled = cpu_s();
    const dscq_sim_options o = {.certify = 4, .certify_seed = 1};
    const void *inputs[1] = {input};
    DSCQ_TRY(dscq_sim_run(&s, p, m, inputs, &o, err));
    const double end = cpu_s(), mb = peak_mb();
    *same = same_outputs(q, s, input, err);
    const dscq_sim_totals f = dscq_sim_total(s);
    printf("%llu\t%.1f\t%.3f\t%s\t%.3f\t%.3f\t%.1f\t%.0f\n",
           (unsigned long long)f.cycles, f.fps, f.utilisation, *same ? "yes" : "NO",
           scheduled - start, end - scheduled,
           (double)f.cycles / (end - scheduled) * 1e-6, mb);
done:
    dscq_free(input);
    dscq_sim_destroy(s);
    dscq_program_destroy(p);
    dscq_qmodel_destroy(q);
    dscq_model_destroy(net);
    return status;
}

int main(int argc, char **argv)
{
    const char *machine = BENCH_SOURCE_DIR "/data/machines/zcu104.cfg";
    dscq_config *c = NULL;
    dscq_machine m;
    dscq_error err = {DSCQ_OK, ""};
    int first = 1, refused = 0, differ = 0;

    if (argc > 1 && strstr(argv[1], "machines/") != NULL)
        machine = argv[first++];
    if (dscq_config_load(&c, machine, &err) != DSCQ_OK ||
        dscq_machine_bind(&m, c, BENCH_SOURCE_DIR "/data", &err) != DSCQ_OK) {
        (void)fprintf(stderr, "bench_networks: %s\n", err.msg);
        return dscq_status_exit_code(err.code);
    }
    dscq_config_destroy(c);
    printf("machine %s\nnetwork\tcycles\tfps\tutilisation\tequal\tschedule_s\tsim_s\t"
           "mcycles_per_s\tpeak_mb\n",
           m.name);
    for (int i = first; i < argc; i++) {
        const char *name = strrchr(argv[i], '/');
        int same = 0;
        printf("%s\t", name != NULL ? name + 1 : argv[i]);
        if (one(&same, argv[i], &m, &err) != DSCQ_OK) {
            printf("refused: %s\n", err.msg);
            refused++;
        } else {
            differ += !same;
        }
        (void)fflush(stdout);
    }
    (void)remove("bench_networks.onnx");
    printf("%d networks: %d accepted with equal bytes, %d refused, %d differ\n",
           argc - first, argc - first - refused - differ, refused, differ);
    return differ > 0 ? 1 : refused > 0 ? 4 : 0;
}
