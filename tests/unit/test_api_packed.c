/* The library as a caller has it: networks of integers, sessions, machines. */
#include "dscq/base/alloc.h"
#include "dscq/base/json.h"
#include "dscq/dscq.h"
#include "dscq/infer/reference.h"
#include "dscq/pack/pack.h"
#include "qmodel_random.h"
#include "support.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define OK(call) ck_assert_msg((call) == DSCQ_OK, "%s", err.msg)

enum { PICTURE = 16 * 16 * 3, PICTURES = 5, CLASSES = 4 };

static dscq_error err;
static uint8_t pixels[PICTURES * PICTURE];

/* A small network, compressed; and pictures for it. */
static dscq_qnet *make_packed(void)
{
    static const char *const set[] = {"train.epochs=1", "data.count=120"};
    const dscq_net_options o = {.size = sizeof o, .set = set, .set_count = 2};
    dscq_net *n = NULL;
    dscq_qnet *q = NULL;

    OK(dscq_net_open(&n, test_source("tests/install/small.cfg"), &o, &err));
    OK(dscq_net_train(NULL, n, NULL, &err));
    OK(dscq_net_compress(&q, NULL, NULL, n, NULL, &err));
    for (size_t i = 0; i < PICTURES; i++)
        OK(dscq_net_picture(pixels + i * PICTURE, PICTURE, NULL, n, "test", i, &err));
    dscq_net_close(n);
    return q;
}

static dscq_machine *make_machine(const char *const *set, size_t count)
{
    const dscq_machine_options o = {.size = sizeof o,
                                    .set = set,
                                    .set_count = count,
                                    .data_dir = test_source("data")};
    dscq_machine *m = NULL;

    OK(dscq_machine_open(&m, "zcu104", &o, &err));
    return m;
}

START_TEST(a_packed_network_is_its_bytes)
{
    dscq_qnet *q = make_packed(), *again = NULL;
    dscq_qnet_info a = {.size = sizeof a}, b = {.size = sizeof b};
    uint8_t *data = NULL;
    size_t bytes = 0;
    dscq_table *t = NULL;

    OK(dscq_qnet_encode(&data, &bytes, q, NULL, &err));
    OK(dscq_qnet_decode(&again, data, bytes, &err));
    OK(dscq_qnet_describe(&a, q, &err));
    OK(dscq_qnet_describe(&b, again, &err));
    ck_assert_str_eq(a.sha256, b.sha256);
    ck_assert_uint_eq(a.file_bytes, bytes);
    ck_assert_uint_eq(a.value_bits + a.position_bits + a.codebook_bits +
                          a.constant_bits + a.padding_bits + a.header_bits,
                      8 * bytes);
    OK(dscq_qnet_verify(again, &err));
    dscq_qnet_close(again);
    data[bytes / 2] ^= 1;
    ck_assert_int_eq(dscq_qnet_decode(&again, data, bytes, &err), DSCQ_FORMAT);
    ck_assert_ptr_null(again);
    dscq_free(data);
    OK(dscq_qnet_table(&t, q, "layers", &err));
    ck_assert_uint_eq(dscq_table_rows(t), 4);
    dscq_table_close(t);
    ck_assert_int_eq(dscq_qnet_table(&t, q, "x", &err), DSCQ_ARG);
    ck_assert_int_eq(dscq_qnet_write(q, test_path("x.bin"), "no such encoding", &err),
                     DSCQ_ARG);
    ck_assert_ptr_nonnull(strstr(dscq_qnet_meta(q), "method=dsc_clipq\n"));
    ck_assert_str_eq(dscq_qnet_class_name(q, CLASSES), "");
    ck_assert_str_ne(dscq_qnet_class_name(q, 0), "");
    dscq_qnet_close(q);
}
END_TEST

START_TEST(tables_can_be_walked_and_written)
{
    dscq_qnet *q = make_packed();
    dscq_table *t = NULL;
    char *csv = NULL;

    OK(dscq_qnet_table(&t, q, "nodes", &err));
    ck_assert_int_eq(dscq_table_find(t, "nothing"), -1);
    ck_assert_ptr_null(dscq_table_column_name(t, dscq_table_columns(t)));
    ck_assert_int_eq(dscq_table_column_type(t, dscq_table_columns(t)), 0);
    for (size_t c = 0; c < dscq_table_columns(t); c++) {
        ck_assert_int_eq(dscq_table_find(t, dscq_table_column_name(t, c)), (int)c);
        ck_assert_ptr_nonnull(strchr("tir", dscq_table_column_type(t, c)));
    }
    OK(dscq_table_csv(&csv, t, &err));
    size_t lines = 0;
    for (const char *p = csv; (p = strchr(p, '\n')) != NULL; p++)
        lines++;
    ck_assert_uint_eq(lines, dscq_table_rows(t) + 1);
    dscq_free(csv);
    dscq_table_close(t);
    dscq_qnet_close(q);
}
END_TEST

/* ---- sessions -------------------------------------------------------------------- */

START_TEST(a_session_gives_codes_values_and_classes_that_agree)
{
    dscq_qnet *q = make_packed();
    const dscq_session_options one = {.size = sizeof one, .threads = 1},
                               portable = {.size = sizeof portable,
                                           .kernels = "portable",
                                           .threads = 2};
    dscq_map_info map = {.size = sizeof map};
    dscq_session *s = NULL, *other = NULL;
    float real[PICTURES * CLASSES], same[PICTURES * CLASSES];
    int32_t top[CLASSES];
    double p[CLASSES], sum = 0;
    size_t bytes = 0;

    OK(dscq_session_open(&s, q, &one, &err));
    OK(dscq_session_open(&other, q, &portable, &err));
    OK(dscq_session_run_pixels(s, PICTURES, pixels, &err));
    OK(dscq_session_run_pixels(other, 2, pixels, &err)); /* room grows */
    OK(dscq_session_run_pixels(other, PICTURES, pixels, &err));
    OK(dscq_session_output(real, PICTURES * CLASSES, s, 0, &err));
    OK(dscq_session_output(same, PICTURES * CLASSES, other, 0, &err));
    ck_assert_mem_eq(real, same, sizeof real);
    OK(dscq_qnet_output(&map, q, 0, &err));
    ck_assert_int_eq(map.channels, CLASSES);
    for (int32_t i = 0; i < PICTURES; i++) {
        const void *codes = dscq_session_codes(&bytes, s, 0, i);
        ck_assert_uint_eq(bytes, map.bits > 8 ? 2 * CLASSES : CLASSES);
        OK(dscq_session_top(top, p, s, i, CLASSES, &err));
        sum = 0;
        for (int32_t k = 0; k < CLASSES; k++) {
            const int code =
                map.bits > 8 ? ((const int16_t *)codes)[k] : ((const int8_t *)codes)[k];
            ck_assert(real[i * CLASSES + k] ==
                      (float)(map.scale * (code - map.zero_point)));
            ck_assert(real[i * CLASSES + top[0]] >= real[i * CLASSES + k]);
            ck_assert(k == 0 || p[k] <= p[k - 1]);
            sum += p[k];
        }
        ck_assert(fabs(sum - 1) < 1e-12);
    }
    ck_assert_uint_gt(dscq_session_bytes(s), 0);
    ck_assert_str_eq(dscq_session_kernels(other), "portable");
    dscq_session_close(s);
    dscq_session_close(other);
    dscq_qnet_close(q);
}
END_TEST

/* Real values that preprocessing would give are the same as the pixels. */
START_TEST(floats_and_pixels_are_one_input)
{
    dscq_qnet *q = make_packed();
    static float x[PICTURES * PICTURE];
    dscq_map_info map = {.size = sizeof map};
    dscq_session *s = NULL;
    const float *inputs[] = {x};
    float a[PICTURES * CLASSES], b[PICTURES * CLASSES];

    OK(dscq_qnet_input(&map, q, 0, &err));
    ck_assert(map.is_image && map.bits == 8);
    OK(dscq_session_open(&s, q, NULL, &err));
    for (size_t i = 0; i < PICTURES * PICTURE; i++)
        x[i] = 1e9F; /* the end of the range */
    OK(dscq_session_run_floats(s, PICTURES, inputs, &err));
    OK(dscq_session_output(a, PICTURES * CLASSES, s, 0, &err));
    for (size_t i = 0; i < PICTURES * PICTURE; i++)
        x[i] = (float)(map.scale * ((map.is_signed ? 127 : 255) - map.zero_point));
    OK(dscq_session_run_floats(s, PICTURES, inputs, &err));
    OK(dscq_session_output(b, PICTURES * CLASSES, s, 0, &err));
    ck_assert_mem_eq(a, b, sizeof a);
    OK(dscq_session_run_pixels(s, PICTURES, pixels, &err));
    OK(dscq_session_output(b, PICTURES * CLASSES, s, 0, &err));
    ck_assert_int_ne(memcmp(a, b, sizeof a), 0);
    dscq_session_close(s);
    dscq_qnet_close(q);
}
END_TEST

/* Real values of input i for `images` images, which codes can say exactly. */
static float *random_input(const dscq_qtensor *t, size_t images, uint8_t *codes,
                           dscq_rng *rng)
{
    const size_t count = dscq_qtensor_count(t), bytes = dscq_qtensor_bytes(t);
    float *x = dscq_malloc(images * count, sizeof *x);

    for (size_t n = 0; n < images; n++) {
        qmodel_random_codes(t, codes + n * bytes, rng);
        for (size_t k = 0; k < count; k++)
            x[n * count + k] =
                (float)(t->scale *
                        (dscq_qtensor_get(t, codes + n * bytes, k) - t->zero_point));
    }
    return x;
}

static void compare_output(const dscq_session *s, const dscq_qmodel *m, int32_t o,
                           const void *const *want, size_t images)
{
    const dscq_qtensor *t = &m->tensor[m->output[o].tensor];
    const size_t count = dscq_qtensor_count(t);
    float *real = dscq_malloc(images * count, sizeof *real);
    size_t bytes = 0;

    OK(dscq_session_output(real, images * count, s, o, &err));
    for (size_t n = 0; n < images; n++) {
        const void *got = dscq_session_codes(&bytes, s, o, (int32_t)n);
        ck_assert_uint_eq(bytes, dscq_qtensor_bytes(t));
        ck_assert_mem_eq(got, want[n], bytes);
        for (size_t k = 0; k < count; k++)
            ck_assert(
                real[n * count + k] ==
                (float)(t->scale * (dscq_qtensor_get(t, want[n], k) - t->zero_point)));
    }
    dscq_free(real);
}

/* Any network, with several inputs and outputs, against the definition. */
START_TEST(a_session_computes_the_reference)
{
    enum { IMAGES = 3, INPUTS = 2, ENDS = 64 };
    const qmodel_random_opts ro = {
        .nodes = 12, .max_side = 8, .max_channels = 6, .wide = 1, .inputs = INPUTS};
    dscq_rng rng = dscq_rng_seeded((uint64_t)_i + 1);
    uint8_t *packed = NULL, *codes[INPUTS], *want[IMAGES][ENDS];
    const float *x[INPUTS];
    dscq_session *s = NULL;
    dscq_qmodel *m = NULL;
    dscq_qnet *q = NULL;
    size_t bytes = 0;

    OK(qmodel_random(&m, &rng, &ro, &err));
    OK(dscq_pack_encode(&packed, &bytes, m, NULL, &err));
    OK(dscq_qnet_decode(&q, packed, bytes, &err));
    OK(dscq_session_open(&s, q, NULL, &err));
    for (int32_t i = 0; i < INPUTS; i++) {
        const dscq_qtensor *t = &m->tensor[m->input[i].tensor];
        codes[i] = dscq_malloc(IMAGES, dscq_qtensor_bytes(t));
        x[i] = random_input(t, IMAGES, codes[i], &rng);
    }
    OK(dscq_session_run_floats(s, IMAGES, x, &err));
    for (size_t n = 0; n < IMAGES; n++) {
        const void *in[INPUTS];
        for (int32_t i = 0; i < INPUTS; i++)
            in[i] = codes[i] + n * dscq_qtensor_bytes(&m->tensor[m->input[i].tensor]);
        for (int32_t o = 0; o < m->output_count; o++)
            want[n][o] =
                dscq_malloc(dscq_qtensor_bytes(&m->tensor[m->output[o].tensor]), 1);
        OK(dscq_infer_reference(m, in, (void *const *)want[n], NULL, NULL, &err));
    }
    for (int32_t o = 0; o < m->output_count; o++) {
        const void *const all[IMAGES] = {want[0][o], want[1][o], want[2][o]};
        compare_output(s, m, o, all, IMAGES);
        for (size_t n = 0; n < IMAGES; n++)
            dscq_free(want[n][o]);
    }
    for (int32_t i = 0; i < INPUTS; i++) {
        dscq_free(codes[i]);
        dscq_free((void *)(uintptr_t)x[i]);
    }
    dscq_free(packed);
    dscq_session_close(s);
    dscq_qnet_close(q);
    dscq_qmodel_destroy(m);
}
END_TEST

START_TEST(a_session_refuses_what_is_not_there)
{
    dscq_qnet *q = make_packed();
    const dscq_session_options bad = {.size = sizeof bad, .kernels = "abacus"};
    dscq_map_info map = {.size = sizeof map};
    dscq_session *s = NULL;
    float real[CLASSES];
    int32_t top[1];
    const float *none[] = {NULL};

    ck_assert_int_eq(dscq_session_open(&s, q, &bad, &err), DSCQ_UNSUPPORTED);
    ck_assert_ptr_null(s);
    OK(dscq_session_open(&s, q, NULL, &err));
    ck_assert_ptr_null(dscq_session_codes(NULL, s, 0, 0)); /* nothing has run */
    ck_assert_int_eq(dscq_session_run_pixels(s, 0, pixels, &err), DSCQ_ARG);
    ck_assert_int_eq(dscq_session_run_floats(s, 1, none, &err), DSCQ_ARG);
    OK(dscq_session_run_pixels(s, 1, pixels, &err));
    ck_assert_int_eq(dscq_session_output(real, CLASSES - 1, s, 0, &err), DSCQ_ARG);
    ck_assert_int_eq(dscq_session_output(real, CLASSES, s, 1, &err), DSCQ_ARG);
    ck_assert_int_eq(dscq_session_top(top, NULL, s, 1, 1, &err), DSCQ_ARG);
    ck_assert_int_eq(dscq_session_top(top, NULL, s, 0, CLASSES + 1, &err), DSCQ_ARG);
    ck_assert_int_eq(dscq_qnet_input(&map, q, 1, &err), DSCQ_ARG);
    ck_assert_int_eq(dscq_qnet_output(&map, q, -1, NULL), DSCQ_ARG);
    dscq_session_close(s);
    dscq_qnet_close(q);
}
END_TEST

/* ---- machines -------------------------------------------------------------------- */

START_TEST(a_simulation_computes_what_a_session_does)
{
    dscq_qnet *q = make_packed();
    dscq_machine *m = make_machine(NULL, 0);
    dscq_simulation_options o = {.size = sizeof o, .verify = 1};
    dscq_simulation_info info = {.size = sizeof info};
    dscq_simulation *s = NULL;
    uint64_t total, layer, sum = 0;
    size_t bytes = 0;
    char *report = NULL;
    dscq_json *json = NULL;

    OK(dscq_simulate(&s, q, m, &o, &err));
    OK(dscq_simulation_describe(&info, s, &err));
    ck_assert_int_eq(info.verified, 5);
    ck_assert(info.energy_low_pj < info.energy_pj &&
              info.energy_pj < info.energy_high_pj);
    ck_assert_double_eq_tol(info.dynamic_pj + info.static_pj + info.dram_pj,
                            info.energy_pj, 1e-6 * info.energy_pj);
    OK(dscq_simulation_counter(&total, s, "mac_done", -1, &err));
    for (int32_t i = 0; i < 5; i++) {
        OK(dscq_simulation_counter(&layer, s, "mac_done", i, &err));
        sum += layer;
    }
    ck_assert_uint_eq(sum, total);
    ck_assert_int_eq(dscq_simulation_counter(&layer, s, "mac_done", 5, &err), DSCQ_ARG);
    ck_assert_int_eq(dscq_simulation_counter(&layer, s, "macs", -1, &err), DSCQ_ARG);
    ck_assert_uint_eq(dscq_table_rows(dscq_simulation_table(s, "layers")), 5);
    ck_assert_ptr_null(dscq_simulation_table(s, "what_if"));
    ck_assert_ptr_null(dscq_simulation_table(s, "x"));
    ck_assert_ptr_nonnull(dscq_simulation_codes(&bytes, s, 0, 0));
    ck_assert_uint_ge(bytes, CLASSES);
    ck_assert_ptr_null(dscq_simulation_codes(&bytes, s, 0, 1));
    OK(dscq_simulation_report(&report, s, q, &err));
    if (dscq_has("json")) {
        OK(dscq_json_parse(&json, report, strlen(report), "report", &err));
        dscq_json_free(json);
    }
    dscq_free(report);
    dscq_simulation_close(s);
    dscq_machine_close(m);
    dscq_qnet_close(q);
}
END_TEST

START_TEST(a_machine_is_looked_at_and_planned_for)
{
    static const char *const fast[] = {"clock_mhz=250"}, *const wrong[] = {"clok=1"};
    const dscq_machine_options o = {.size = sizeof o,
                                    .set = wrong,
                                    .set_count = 1,
                                    .data_dir = test_source("data")};
    dscq_qnet *q = make_packed();
    dscq_machine *m = make_machine(fast, 1), *none = NULL;
    dscq_table *t = NULL;
    int found = 0;

    OK(dscq_machine_table(&t, m, "settings", &err));
    for (size_t i = 0; i < dscq_table_rows(t); i++)
        found += strcmp(dscq_table_text(t, i, 1), "clock_mhz") == 0 &&
                 strcmp(dscq_table_text(t, i, 2), "250") == 0;
    ck_assert_int_eq(found, 1);
    dscq_table_close(t);
    OK(dscq_machine_table(&t, m, "resources", &err));
    dscq_table_close(t);
    OK(dscq_machine_plan(&t, m, q, 1, &err));
    ck_assert_uint_ge(dscq_table_rows(t), 5);
    dscq_table_close(t);
    ck_assert_int_eq(dscq_machine_open(&none, "zcu104", &o, &err), DSCQ_FORMAT);
    ck_assert_ptr_null(none);
    ck_assert_int_eq(dscq_machine_open(&none, "no/such.cfg", NULL, &err), DSCQ_IO);
    dscq_machine_close(m);
    dscq_qnet_close(q);
}
END_TEST

/* One network and one machine, used by threads that know nothing of each other. */
typedef struct user {
    const dscq_qnet *q;
    const dscq_machine *m;
    float real[PICTURES * CLASSES];
    uint64_t cycles;
    dscq_status status;
} user;

static void *use(void *ctx)
{
    user *u = ctx;
    const dscq_session_options two = {.size = sizeof two, .threads = 2};
    dscq_simulation_info info = {.size = sizeof info};
    dscq_session *s = NULL;
    dscq_simulation *sim = NULL;

    u->status = dscq_session_open(&s, u->q, &two, NULL);
    for (int i = 0; i < 10 && u->status == DSCQ_OK; i++)
        u->status = dscq_session_run_pixels(s, PICTURES, pixels, NULL);
    if (u->status == DSCQ_OK)
        u->status = dscq_session_output(u->real, PICTURES * CLASSES, s, 0, NULL);
    if (u->status == DSCQ_OK)
        u->status = dscq_simulate(&sim, u->q, u->m, NULL, NULL);
    if (u->status == DSCQ_OK)
        u->status = dscq_simulation_describe(&info, sim, NULL);
    u->cycles = info.cycles;
    dscq_simulation_close(sim);
    dscq_session_close(s);
    return NULL;
}

START_TEST(threads_share_a_network_and_a_machine)
{
    enum { USERS = 3 };
    dscq_qnet *q = make_packed();
    dscq_machine *m = make_machine(NULL, 0);
    user users[USERS];
    pthread_t thread[USERS];

    for (int i = 0; i < USERS; i++) {
        users[i] = (user){.q = q, .m = m};
        ck_assert_int_eq(pthread_create(&thread[i], NULL, use, &users[i]), 0);
    }
    for (int i = 0; i < USERS; i++) {
        (void)pthread_join(thread[i], NULL);
        ck_assert_int_eq(users[i].status, DSCQ_OK);
        ck_assert_mem_eq(users[i].real, users[0].real, sizeof users[i].real);
        ck_assert_uint_eq(users[i].cycles, users[0].cycles);
    }
    dscq_machine_close(m);
    dscq_qnet_close(q);
}
END_TEST

/* ---- no memory ------------------------------------------------------------------- */

/* Everything between a file and its numbers; the first failure. */
static dscq_status everything(const void *data, size_t bytes)
{
    const dscq_machine_options mo = {.size = sizeof mo,
                                     .data_dir = test_source("data")};
    const dscq_session_options one = {.size = sizeof one, .threads = 1};
    dscq_qnet *q = NULL;
    dscq_session *s = NULL;
    dscq_machine *m = NULL;
    dscq_simulation *sim = NULL;
    dscq_table *t = NULL;
    float real[CLASSES];
    int32_t top[1];
    char *text = NULL;
    dscq_status status = dscq_qnet_decode(&q, data, bytes, NULL);

    if (status == DSCQ_OK)
        status = dscq_session_open(&s, q, &one, NULL);
    if (status == DSCQ_OK)
        status = dscq_session_run_pixels(s, 1, pixels, NULL);
    if (status == DSCQ_OK)
        status = dscq_session_output(real, CLASSES, s, 0, NULL);
    if (status == DSCQ_OK)
        status = dscq_session_top(top, NULL, s, 0, 1, NULL);
    if (status == DSCQ_OK)
        status = dscq_qnet_table(&t, q, "nodes", NULL);
    if (status == DSCQ_OK)
        status = dscq_table_csv(&text, t, NULL);
    if (status == DSCQ_OK)
        status = dscq_machine_open(&m, "zcu104", &mo, NULL);
    if (status == DSCQ_OK)
        status = dscq_simulate(&sim, q, m, NULL, NULL);
    dscq_free(text);
    dscq_table_close(t);
    dscq_simulation_close(sim);
    dscq_machine_close(m);
    dscq_session_close(s);
    dscq_qnet_close(q);
    return status;
}

START_TEST(every_want_of_memory_is_told)
{
    dscq_qnet *q = make_packed();
    uint8_t *data = NULL;
    size_t bytes = 0;
    dscq_status status = DSCQ_NOMEM;

    OK(dscq_qnet_encode(&data, &bytes, q, NULL, &err));
    dscq_qnet_close(q);
    for (uint64_t k = 1; status == DSCQ_NOMEM; k++) {
        (void)dscq_alloc_fail_at(k);
        status = everything(data, bytes);
        if (dscq_alloc_fail_at(0) < k)
            ck_assert_int_eq(status, DSCQ_OK);
    }
    ck_assert_int_eq(status, DSCQ_OK);
    dscq_free(data);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("api_packed", &tc);

    tcase_add_test(tc, a_packed_network_is_its_bytes);
    tcase_add_test(tc, tables_can_be_walked_and_written);
    tcase_add_test(tc, a_session_gives_codes_values_and_classes_that_agree);
    tcase_add_test(tc, floats_and_pixels_are_one_input);
    tcase_add_loop_test(tc, a_session_computes_the_reference, 0, 12);
    tcase_add_test(tc, a_session_refuses_what_is_not_there);
    tcase_add_test(tc, a_simulation_computes_what_a_session_does);
    tcase_add_test(tc, a_machine_is_looked_at_and_planned_for);
    tcase_add_test(tc, threads_share_a_network_and_a_machine);
    tcase_add_test(tc, every_want_of_memory_is_told);
    tcase_set_timeout(tc, 120);
    return s;
}

int main(void)
{
    return test_run(make);
}
