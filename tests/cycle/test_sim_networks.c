/* Small networks of the project and of others: accepted by the machines, and the bytes
 * of the integer reference. bench_networks does the same for all of them. */
#include "dscq/base/alloc.h"
#include "dscq/base/config.h"
#include "dscq/hw/sim.h"
#include "dscq/infer/reference.h"
#include "dscq/lower/lower.h"
#include "qmodel_float.h"
#include "qmodel_random.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const k_machine[] = {"zcu104", "zynq7020", "yang2024"};

static void load_machine(dscq_machine *m, const char *name)
{
    char path[64];
    dscq_error err = {DSCQ_OK, ""};
    dscq_config *c;

    (void)snprintf(path, sizeof path, "data/machines/%s.cfg", name);
    test_ok(dscq_config_load(&c, test_source(path), &err));
    test_ok(dscq_machine_bind(m, c, test_source("data"), &err));
    dscq_config_destroy(c);
}

static void compare(const dscq_qmodel *q, const dscq_sim *s, const void *input,
                    const char *what)
{
    void *want[DSCQ_OP_INPUTS] = {NULL};
    const void *inputs[1] = {input};
    dscq_error err = {DSCQ_OK, ""};

    for (int32_t o = 0; o < q->output_count; o++)
        want[o] = dscq_calloc(dscq_qtensor_bytes(&q->tensor[q->output[o].tensor]), 1);
    test_ok(dscq_infer_reference(q, inputs, want, NULL, NULL, &err));
    for (int32_t o = 0; o < q->output_count; o++) {
        size_t bytes;
        const void *have = dscq_sim_output(s, o, 0, &bytes);
        ck_assert_msg(memcmp(want[o], have, bytes) == 0, "%s: output %d differs", what,
                      o);
        dscq_free(want[o]);
    }
}

static void run(const char *path)
{
    dscq_model *net;
    dscq_qmodel *q;
    dscq_rng rng = dscq_rng_seeded(7);
    dscq_error err = {DSCQ_OK, ""};

    test_ok(test_load_network(&net, path, test_path("net.onnx"), &err));
    test_ok(test_qmodel_from_float(&q, net, &err));
    void *input = dscq_calloc(dscq_qtensor_bytes(&q->tensor[q->input[0].tensor]), 1);
    qmodel_random_codes(&q->tensor[q->input[0].tensor], input, &rng);
    for (size_t i = 0; i < sizeof k_machine / sizeof k_machine[0]; i++) {
        const dscq_sim_options o = {.certify = 2, .certify_seed = 1};
        const void *inputs[1] = {input};
        dscq_machine m;
        dscq_program *p;
        dscq_sim *s;
        load_machine(&m, k_machine[i]);
        ck_assert_msg(dscq_lower(&p, NULL, q, &m, NULL, &err) == DSCQ_OK,
                      "%s on %s: %s", path, m.name, err.msg);
        ck_assert_msg(dscq_sim_run(&s, p, &m, inputs, &o, &err) == DSCQ_OK,
                      "%s on %s: %s", path, m.name, err.msg);
        ck_assert_int_ge(dscq_sim_total(s).certified, 1);
        compare(q, s, input, path);
        dscq_sim_destroy(s);
        dscq_program_destroy(p);
    }
    dscq_free(input);
    dscq_qmodel_destroy(q);
    dscq_model_destroy(net);
}

START_TEST(networks_of_the_project)
{
    static const char *const k_net[] = {"demo", "lenet_dsc", "steel", "tiny_dsc",
                                        "dsc_detector"};
    char path[64];

    (void)snprintf(path, sizeof path, "data/nets/%s.cfg", k_net[_i]);
    run(test_source(path));
}
END_TEST

START_TEST(networks_of_others)
{
    static const char *const k_net[] = {
        "cifar10_dsc/dsc_cifar10.onnx", "mlperf_tiny/kws_dscnn.onnx",
        "mlperf_tiny/vww_96.onnx", "mlperf_tiny/resnet8_cifar10.onnx",
        "yolo-fastest-1.1-coco/yolo-fastest-1.1.weights"};
    char path[128];

    (void)snprintf(path, sizeof path, "models/%s", k_net[_i]);
    if (test_shared(path) != NULL)
        run(test_shared(path));
}
END_TEST

/* The figure that an objective asks for, as it came out. */
static double figure(const dscq_sim *s, int32_t objective)
{
    const dscq_sim_totals t = dscq_sim_total(s);

    return objective == 0 ? (double)t.cycles : t.dram_bytes;
}

static const double NOT_WORSE = 1.02; /* a plan is an estimate */

/* --explain-schedule: a row for every layer, whose bytes are those that were moved; and
 * each objective is served best by its own schedule. */
START_TEST(the_schedule_is_explained_and_serves_its_objective)
{
    static const int32_t k_objective[] = {0, 2}; /* cycles, traffic */
    dscq_model *net;
    dscq_qmodel *q;
    dscq_sim *s[2];
    dscq_error err = {DSCQ_OK, ""};

    test_ok(test_load_network(&net, test_source("data/nets/tiny_dsc.cfg"), "", &err));
    test_ok(test_qmodel_from_float(&q, net, &err));
    for (int i = 0; i < 2; i++) {
        const dscq_sim_options o = {.no_data = 1};
        dscq_machine m;
        dscq_program *p;
        dscq_table *t;
        double planned = 0;
        load_machine(&m, "zynq7020");
        m.act_bytes = 48 << 10;
        m.schedule.objective = k_objective[i];
        test_ok(dscq_lower(&p, &t, q, &m, NULL, &err));
        ck_assert_uint_ge(dscq_table_rows(t), (size_t)q->node_count / 2);
        for (size_t c = 0; c < dscq_table_columns(t); c++)
            for (size_t r = 0; r < dscq_table_rows(t); r++)
                if (strcmp(dscq_table_column(t, c)->key, "stage_bytes") == 0 &&
                    dscq_table_is_set(t, r, c))
                    planned += dscq_table_real(t, r, c);
        test_ok(dscq_sim_run(&s[i], p, &m, NULL, &o, &err));
        const double moved = dscq_sim_total(s[i]).dram_bytes;
        printf("objective %d: planned %.0f bytes, moved %.0f, %.0f cycles\n",
               k_objective[i], planned, moved, figure(s[i], 0));
        ck_assert_msg(planned <= moved * NOT_WORSE && moved <= planned * NOT_WORSE,
                      "planned %.0f bytes, moved %.0f", planned, moved);
        dscq_table_destroy(t);
        dscq_program_destroy(p);
    }
    ck_assert(figure(s[0], 0) <= figure(s[1], 0) * NOT_WORSE);
    ck_assert(figure(s[1], 2) <= figure(s[0], 2) * NOT_WORSE);
    dscq_sim_destroy(s[0]);
    dscq_sim_destroy(s[1]);
    dscq_qmodel_destroy(q);
    dscq_model_destroy(net);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("sim/networks", &tc);

    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, networks_of_the_project, 0, 5);
    tcase_add_loop_test(tc, networks_of_others, 0, 5);
    tcase_add_test(tc, the_schedule_is_explained_and_serves_its_objective);
    return s;
}

int main(void)
{
    return test_run(make);
}
