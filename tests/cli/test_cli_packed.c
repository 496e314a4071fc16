/* Commands on packed files that no trainer here writes: several inputs, a head whose
 * settings are of another map, texts that are none. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/infer/verify.h"
#include "dscq/pack/pack.h"
#include "qmodel_random.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

typedef struct path {
    char text[512];
} path; /* test_path() turns over its buffers */

static path path_of(const char *name)
{
    path p;

    (void)snprintf(p.text, sizeof p.text, "%s", test_path(name));
    return p;
}

static path write_model(const char *name, const dscq_qmodel *m)
{
    const path p = path_of(name);
    dscq_error err = {DSCQ_OK, ""};

    test_ok(dscq_pack_write(p.text, m, NULL, &err));
    return p;
}

/* `inputs` maps, digests of two embedded inputs: standard ones, or stored. */
static path several_inputs(int32_t inputs, int is_standard)
{
    const qmodel_random_opts o = {
        .nodes = 6, .max_side = 6, .max_channels = 8, .only_int8 = 1, .inputs = inputs};
    dscq_rng g = dscq_rng_seeded(40 + (uint64_t)inputs);
    dscq_error err = {DSCQ_OK, ""};
    void *codes[2 * 3];
    dscq_qmodel *m;
    char name[32];

    test_ok(qmodel_random(&m, &g, &o, &err));
    for (int32_t i = 0; i < 2 * inputs; i++) {
        const dscq_qtensor *t = &m->tensor[m->input[i % inputs].tensor];
        codes[i] = dscq_malloc(dscq_qtensor_bytes(t), 1);
        qmodel_random_codes(t, codes[i], &g);
    }
    test_ok(dscq_infer_make_digests(
        m, 2, is_standard ? NULL : (const void *const *)codes, &err));
    for (int32_t i = 0; i < 2 * inputs; i++)
        dscq_free(codes[i]);
    (void)snprintf(name, sizeof name, "inputs_%d_%d.bin", inputs, is_standard);
    const path p = write_model(name, m);
    dscq_qmodel_destroy(m);
    return p;
}

static void expect(const char *const argv[], int code, const char *text)
{
    static test_output o;

    ck_assert_msg(test_command(&o, NULL, argv) == code, "%s: %s%s", argv[0], o.out,
                  o.err);
    ck_assert_msg(strstr(o.out, text) != NULL || strstr(o.err, text) != NULL,
                  "%s: no '%s' in %s%s", argv[0], text, o.out, o.err);
}

START_TEST(every_command_takes_a_network_with_several_inputs)
{
    const path file = several_inputs(2 + _i / 2, _i % 2), d = path_of("several.dump");
    const path z = path_of("several.npz"), r = path_of("report.html");
    const char *f = file.text, *dump = d.text, *npz = z.text, *html = r.text;

    expect((const char *[]){"verify", f, NULL}, 0, "2 embedded inputs");
    expect((const char *[]){"verify", f, "--write-dump", dump, NULL}, 0, "all equal");
    expect((const char *[]){"verify", f, "--dump", dump, NULL}, 0, "all equal");
    expect((const char *[]){"inspect", f, NULL}, 0, "random");
    expect((const char *[]){"unpack", f, "-o", npz, NULL}, 0, "wrote");
    expect((const char *[]){"diff", f, f, NULL}, 0, "");
    expect((const char *[]){"simulate", f, "--machine", "zcu104", "--verify", NULL}, 0,
           "equal to the integer reference");
    expect((const char *[]){"simulate", f, "--machine", "zcu104", "--verify",
                            "--frames", "3", NULL},
           0, "equal to the integer reference");
    expect((const char *[]){"report", f, "--machine", "zcu104", "--html", html, NULL},
           0, "");
    expect((const char *[]){"run", f, "photo.png", NULL}, 4, "inputs ('t0', 't1'");
    (void)remove(dump);
    (void)remove(npz);
    (void)remove(html);
}
END_TEST

/* A detector's map of 2 x 2 x 12 whose settings say more than it holds. */
static dscq_qmodel *detector(const char *settings)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_qmodel *m;

    test_ok(dscq_qmodel_create(&m, &err));
    test_ok(dscq_qmodel_reserve(m, 2, 1, 1, 1, &err));
    for (int32_t i = 0; i < 2; i++)
        m->tensor[i] = (dscq_qtensor){.h = i ? 2 : 4,
                                      .w = i ? 2 : 4,
                                      .c = i ? 12 : 3,
                                      .bits = 8,
                                      .is_signed = 1,
                                      .scale = 0.1};
    (void)snprintf(m->tensor[0].name, 64, "input");
    (void)snprintf(m->tensor[1].name, 64, "map");
    m->input[0] = (dscq_qinput){
        .is_image = 1, .scale = 1, .std = {1, 1, 1, 1}, .resize_filter = 1};
    m->node[0].op = DSCQ_Q_REORG;
    m->node[0].factor = 2;
    m->node[0].input_count = 1;
    m->node[0].output = 1;
    (void)snprintf(m->node[0].name, 64, "map");
    m->output[0].tensor = 1;
    (void)snprintf(m->output[0].role, 32, "yolo");
    (void)snprintf(m->output[0].params, 512, "%s", settings);
    return m;
}

/* 8-bit grey, 1 x 1. */
static const uint8_t k_png[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48,
    0x44, 0x52, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00, 0x00, 0x00,
    0x00, 0x3a, 0x7e, 0x9b, 0x55, 0x00, 0x00, 0x00, 0x0a, 0x49, 0x44, 0x41, 0x54, 0x78,
    0x9c, 0x63, 0x68, 0x00, 0x00, 0x00, 0x82, 0x00, 0x81, 0x77, 0xcd, 0x72, 0xb6, 0x00,
    0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};

START_TEST(a_head_must_be_that_of_its_map)
{
    static const char good[] =
        "classes=1\nh=2\nw=2\nmask=0,1\nanchors=0.1,0.1,0.5,0.5\n";
    static const char large[] =
        "classes=1\nh=200\nw=200\nmask=0,1\nanchors=0.1,0.1,0.5,0.5\n";
    static const char wide[] =
        "classes=80\nh=2\nw=2\nmask=0,1\nanchors=0.1,0.1,0.5,0.5\n";
    const path png = path_of("one.png");
    ck_assert_ptr_nonnull(test_file_bytes("one.png", k_png, sizeof k_png));
    static const struct {
        const char *text, *word;
        int code;
    } k_cases[] = {
        {good, "", 0},
        {large, "200 x 200 x 2 anchors of 1 classes, the map 'map' is 2 x 2", 5},
        {wide, "2 anchors of 80 classes", 5},
        {"classes=1\n", "are required", 5},
        {"", "are required", 5}};

    for (size_t i = 0; i < sizeof k_cases / sizeof *k_cases; i++) {
        dscq_qmodel *m = detector(k_cases[i].text);
        const path f = write_model("detector.bin", m);
        expect((const char *[]){"run", f.text, png.text, NULL}, k_cases[i].code,
               k_cases[i].word);
        dscq_qmodel_destroy(m);
    }
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("cli_packed", &tc);

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, every_command_takes_a_network_with_several_inputs, 0, 4);
    tcase_add_test(tc, a_head_must_be_that_of_its_map);
    return s;
}

int main(void)
{
    return test_run(make);
}
