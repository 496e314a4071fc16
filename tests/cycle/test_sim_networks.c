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

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("sim/networks", &tc);

    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, networks_of_the_project, 0, 5);
    tcase_add_loop_test(tc, networks_of_others, 0, 5);
    return s;
}

int main(void)
{
    return test_run(make);
}
