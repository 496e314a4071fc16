/* The fast runtime gives the reference's bytes: on the test vectors and on random
 * networks, with every kernel family of this CPU and any number of threads. */
#include "dscq/base/alloc.h"
#include "dscq/infer/runtime.h"
#include "dscq/tensor/int_kernels.h"
#include "qmodel_random.h"
#include "qmodel_vector.h"
#include "support.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

typedef struct shown {
    uint8_t **codes; /* [nodes] */
    const dscq_qmodel *m;
    const char *what;
} shown;

static dscq_status keep(void *ctx, int32_t node, const dscq_qtensor *t,
                        const void *codes, dscq_error *err)
{
    shown *s = ctx;

    (void)err;
    s->codes[node] = dscq_malloc(dscq_qtensor_bytes(t), 1);
    memcpy(s->codes[node], codes, dscq_qtensor_bytes(t));
    return DSCQ_OK;
}

static dscq_status compare(void *ctx, int32_t node, const dscq_qtensor *t,
                           const void *codes, dscq_error *err)
{
    const shown *s = ctx;
    const dscq_qnode *n = &s->m->node[node];

    (void)err;
    for (size_t i = 0; i < dscq_qtensor_count(t); i++)
        ck_assert_msg(
            dscq_qtensor_get(t, codes, i) == dscq_qtensor_get(t, s->codes[node], i),
            "%s, node '%s' (%s), code %zu of %d x %d x %d: %d, want %d", s->what,
            n->name, dscq_qop_name(n->op), i, t->h, t->w, t->c,
            dscq_qtensor_get(t, codes, i), dscq_qtensor_get(t, s->codes[node], i));
    return DSCQ_OK;
}

static void check_network(const dscq_qmodel *m, const void *const *input)
{
    shown s = {dscq_calloc((size_t)m->node_count, sizeof(uint8_t *)), m, ""};
    dscq_error err;

    ck_assert_msg(dscq_infer_reference(m, input, NULL, keep, &s, &err) == DSCQ_OK, "%s",
                  err.msg);
    for (int f = 0; dscq_int_kernels_family(f) != NULL; f++) {
        const dscq_runtime_options o = {NULL, dscq_int_kernels_family(f)};
        dscq_runtime *r;
        ck_assert_msg(dscq_runtime_create(&r, m, &o, &err) == DSCQ_OK, "%s", err.msg);
        ck_assert_str_eq(dscq_runtime_kernels(r), o.kernels);
        s.what = o.kernels;
        ck_assert_int_eq(dscq_runtime_trace(r, input, compare, &s, &err), DSCQ_OK);
        dscq_runtime_destroy(r);
    }
    for (int32_t i = 0; i < m->node_count; i++)
        dscq_free(s.codes[i]);
    dscq_free(s.codes);
}

static void random_network(uint64_t seed, const qmodel_random_opts *o)
{
    dscq_rng g = dscq_rng_seeded(seed);
    dscq_qmodel *m;
    dscq_error err;

    ck_assert_msg(qmodel_random(&m, &g, o, &err) == DSCQ_OK, "%s", err.msg);
    const dscq_qtensor *t = &m->tensor[m->input[0].tensor];
    void *in = dscq_calloc(dscq_qtensor_bytes(t), 1);
    qmodel_random_codes(t, in, &g);
    const void *input[1] = {in};
    check_network(m, input);
    dscq_free(in);
    dscq_qmodel_destroy(m);
}

START_TEST(random_networks_of_every_kind)
{
    const qmodel_random_opts o = {
        .nodes = 10, .max_side = 12, .max_channels = 50, .wide = _i % 2};
    random_network((uint64_t)_i, &o);
}
END_TEST

START_TEST(random_byte_networks_with_many_channels)
{
    const qmodel_random_opts o = {.nodes = 5,
                                  .max_side = 14,
                                  .max_channels = 150,
                                  .only_int8 = 1,
                                  .ops = 1U << DSCQ_Q_CONV};
    random_network(5000 + (uint64_t)_i, &o);
}
END_TEST

/* Long rows of few channels: windows read in place, rows of which only some are kept.
 */
START_TEST(random_byte_networks_with_long_rows)
{
    const qmodel_random_opts o = {.nodes = 3,
                                  .max_side = 90,
                                  .max_channels = 20,
                                  .only_int8 = 1,
                                  .ops = 1U << DSCQ_Q_CONV};
    random_network(6000 + (uint64_t)_i, &o);
}
END_TEST

START_TEST(runtime_gives_the_vectors_outputs)
{
    qmodel_vectors all;
    dscq_error err;

    ck_assert_msg(qmodel_vectors_load(&all, dscq_qop_name((dscq_qop)_i), &err) ==
                      DSCQ_OK,
                  "%s", err.msg);
    for (size_t i = 0; i < all.count; i++)
        check_network(all.item[i].m, (const void *const *)all.item[i].input);
    qmodel_vectors_free(&all);
}
END_TEST

START_TEST(batches_on_threads_have_the_same_bytes)
{
    enum { N = 7 };
    const qmodel_random_opts o = {.nodes = 12, .max_side = 10, .max_channels = 40};
    dscq_rng g = dscq_rng_seeded(99);
    dscq_qmodel *m;
    dscq_pool *pool;
    void *in[N], *out[2][N];

    ck_assert_int_eq(qmodel_random(&m, &g, &o, NULL), DSCQ_OK);
    ck_assert_int_eq(dscq_pool_create(&pool, 3, NULL), DSCQ_OK);
    const dscq_qtensor *x = &m->tensor[m->input[0].tensor];
    const dscq_qtensor *y = &m->tensor[m->output[0].tensor];
    for (int i = 0; i < N; i++) {
        in[i] = dscq_calloc(dscq_qtensor_bytes(x), 1);
        out[0][i] = dscq_calloc(dscq_qtensor_bytes(y), 1);
        out[1][i] = dscq_calloc(dscq_qtensor_bytes(y), 1);
        qmodel_random_codes(x, in[i], &g);
    }
    for (int p = 0; p < 2; p++) {
        const dscq_runtime_options opt = {p ? pool : NULL, NULL};
        dscq_runtime *r;
        ck_assert_int_eq(dscq_runtime_create(&r, m, &opt, NULL), DSCQ_OK);
        dscq_runtime_run(r, N, (const void *const *)in, out[p]);
        dscq_runtime_run(r, N, (const void *const *)in, out[p]); /* again: no state */
        dscq_runtime_destroy(r);
    }
    for (int i = 0; i < N; i++) {
        void *want = dscq_calloc(dscq_qtensor_bytes(y), 1);
        const void *input[1] = {in[i]};
        void *output[1] = {want};
        ck_assert_int_eq(dscq_infer_reference(m, input, output, NULL, NULL, NULL),
                         DSCQ_OK);
        ck_assert_mem_eq(out[0][i], want, dscq_qtensor_bytes(y));
        ck_assert_mem_eq(out[1][i], want, dscq_qtensor_bytes(y));
        dscq_free(want);
        dscq_free(in[i]);
        dscq_free(out[0][i]);
        dscq_free(out[1][i]);
    }
    dscq_pool_destroy(pool);
    dscq_qmodel_destroy(m);
}
END_TEST

START_TEST(no_memory_is_survived)
{
    const qmodel_random_opts o = {.nodes = 8, .max_side = 6, .max_channels = 20};
    dscq_rng g = dscq_rng_seeded(4);
    dscq_runtime *r = NULL;
    dscq_qmodel *m;
    dscq_error err;
    dscq_status status = DSCQ_NOMEM;

    ck_assert_int_eq(qmodel_random(&m, &g, &o, NULL), DSCQ_OK);
    for (uint64_t k = 1; status != DSCQ_OK; k++) {
        (void)dscq_alloc_fail_at(k);
        status = dscq_runtime_create(&r, m, NULL, &err);
        (void)dscq_alloc_fail_at(0);
        ck_assert_msg(status == DSCQ_OK || status == DSCQ_NOMEM, "%s", err.msg);
    }
    dscq_runtime_destroy(r);
    dscq_qmodel_destroy(m);
}
END_TEST

START_TEST(unknown_kernels_are_refused)
{
    const dscq_runtime_options o = {NULL, "neon9"};
    const qmodel_random_opts ro = {.nodes = 2, .max_side = 4, .max_channels = 8};
    dscq_rng g = dscq_rng_seeded(4);
    dscq_runtime *r;
    dscq_qmodel *m;

    ck_assert_int_eq(qmodel_random(&m, &g, &ro, NULL), DSCQ_OK);
    ck_assert_int_eq(dscq_runtime_create(&r, m, &o, NULL), DSCQ_UNSUPPORTED);
    dscq_qmodel_destroy(m);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("infer_runtime");
    TCase *tc = tcase_create("runtime");

    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, random_networks_of_every_kind, 0, 150);
    tcase_add_loop_test(tc, random_byte_networks_with_many_channels, 0, 60);
    tcase_add_loop_test(tc, random_byte_networks_with_long_rows, 0, 24);
    tcase_add_loop_test(tc, runtime_gives_the_vectors_outputs, 0, DSCQ_Q_COUNT);
    tcase_add_test(tc, batches_on_threads_have_the_same_bytes);
    tcase_add_test(tc, no_memory_is_survived);
    tcase_add_test(tc, unknown_kernels_are_refused);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return test_run(make_suite);
}
