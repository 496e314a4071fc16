#include "dscq/compress/levels.h"
#include "test_compress_util.h"

static dscq_weights shape(float *w, int32_t k, int32_t r, int32_t s, int32_t c)
{
    return (dscq_weights){
        .k = k, .r = r, .s = s, .c = c, .w = w, .count = (size_t)(k * r * s * c)};
}

START_TEST(levels_on_the_grid)
{
    float w[8] = {0.1F, -0.2F, 0.4F, -0.8F, 0.1F, 0.39F, -0.21F, 0.0F};
    const dscq_weights of = shape(w, 2, 1, 1, 4);
    const double level[4] = {-0.8, -0.2, 0.1, 0.41};
    static const int16_t k_want[8] = {16, -32, 65, -127, 16, 65, -32, 0};
    dscq_error err = {DSCQ_OK, ""};
    dscq_wquant *q = NULL;
    float out[8];

    test_ok(dscq_wquant_create(&q, &of, DSCQ_FORM_CODEBOOK, 3, 1, 1, &err));
    dscq_wquant_set_levels(q, level, 4);
    ck_assert_int_eq(q->w.codebook_count, 5);
    ck_assert_int_eq(q->w.codebook[0], 0);
    ck_assert_int_eq(q->w.codebook[1], -127);
    ck_assert_int_eq(q->w.codebook[4], 65);
    ck_assert_double_eq_tol(q->scale[0], 0.8 / 127, 1e-12);
    q->mask[7] = 0;
    dscq_wquant_assign(q, w);
    ck_assert_mem_eq(q->w.value, k_want, sizeof k_want);
    ck_assert_uint_eq(q->nonzero, 7);
    test_ok(dscq_wquant_check(q, &err));
    dscq_wquant_apply(q, out);
    float fake[8];
    double bits = 0;
    dscq_wquant_fake(q, w, fake);
    ck_assert_mem_eq(out, fake, sizeof out);
    ck_assert_double_eq(dscq_wquant_bits_values(q), 21.0);
    test_ok(dscq_wquant_bits_entropy(&bits, q, &err));
    ck_assert_double_lt(bits, 24.0);
    ck_assert_double_gt(dscq_wquant_sqnr_db(q, w), 25.0);
    q->w.value[0]++;
    ck_assert_int_eq(dscq_wquant_check(q, &err), DSCQ_INTERNAL);
    dscq_wquant_destroy(q);
}
END_TEST

/* The nearest entry, against a search over all, for codebooks of any shape. */
START_TEST(assigns_the_nearest)
{
    dscq_rng rng = dscq_rng_seeded((uint64_t)_i);
    const int32_t n = 1 + (int32_t)dscq_rng_below(&rng, 100);
    enum { COUNT = 600 };
    float w[COUNT];
    double level[128];
    const dscq_weights of = shape(w, 3, 1, 1, COUNT / 3);
    dscq_error err = {DSCQ_OK, ""};
    dscq_wquant *q = NULL;

    for (int32_t i = 0; i < n; i++)
        level[i] = (double)dscq_rng_normal(&rng);
    for (int i = 0; i < COUNT; i++)
        w[i] = dscq_rng_normal(&rng) * 2.0F;
    test_ok(dscq_wquant_create(&q, &of, DSCQ_FORM_CODEBOOK, 8, _i % 2 != 0 ? 3 : 1, 1,
                               &err));
    for (int32_t o = 0; o < q->scale_count; o++)
        q->scale[o] = 0.5 + o;
    dscq_wquant_set_levels(q, level, n);
    dscq_wquant_assign(q, w);
    test_ok(dscq_wquant_check(q, &err));
    for (int i = 0; i < COUNT; i++) {
        const double s = q->scale[q->scale_count == 1 ? 0 : i / (COUNT / 3)];
        double best = (double)INFINITY;

        int sides = 0;
        for (int32_t e = 1; e < q->w.codebook_count; e++)
            sides |= q->w.codebook[e] < 0 ? 1 : 2;
        for (int32_t e = 1; e < q->w.codebook_count; e++)
            if (sides != 3 ||
                (q->w.codebook[e] < 0) == (w[i] < 0.0F)) /* keeps its sign */
                best = fmin(best, fabs((double)w[i] - s * q->w.codebook[e]));
        ck_assert_double_eq_tol(fabs((double)w[i] - s * q->w.value[i]), best, 1e-9);
    }
    dscq_wquant_destroy(q);
}
END_TEST

/* Edges that touch the levels (an interval whose weights all lie at its end): every
 * entry still belongs to itself, whatever the scale does to its float. */
START_TEST(levels_stay_inside_their_edges)
{
    dscq_rng rng = dscq_rng_seeded((uint64_t)_i);
    const int32_t n = 2 + (int32_t)dscq_rng_below(&rng, 60);
    float w[128], again[128];
    double level[64], edge[64];
    const dscq_weights of = shape(w, 2, 1, 1, 64);
    dscq_error err = {DSCQ_OK, ""};
    dscq_wquant *q = NULL;

    level[0] = -1.0 - dscq_rng_unit64(&rng);
    for (int32_t i = 1; i < n; i++)
        level[i] = level[i - 1] + 0.002 + 0.1 * dscq_rng_unit64(&rng);
    for (int32_t i = 0; i + 1 < n; i++)
        edge[i] = level[i + (int32_t)dscq_rng_below(&rng, 2)];
    test_ok(dscq_wquant_create(&q, &of, DSCQ_FORM_CODEBOOK, 6, 2, 1, &err));
    q->scale[0] = 0.3 + dscq_rng_unit64(&rng);
    q->scale[1] = 7.0 + dscq_rng_unit64(&rng);
    dscq_wquant_set_levels(q, level, n);
    dscq_wquant_set_edges(q, level, edge, n);
    for (int i = 0; i < 128; i++) {
        const int32_t e = 1 + i % 64 % (q->w.codebook_count - 1);
        w[i] = (float)(q->scale[i / 64] * q->w.codebook[e]);
    }
    dscq_wquant_assign(q, w);
    test_ok(dscq_wquant_check(q, &err));
    dscq_wquant_apply(q, again);
    ck_assert_mem_eq(again, w, sizeof w);
    dscq_wquant_fake(q, w, again);
    ck_assert_mem_eq(again, w, sizeof w);
    dscq_wquant_destroy(q);
}
END_TEST

START_TEST(binary_with_blocks)
{
    /* two channels of 8 weights, blocks of 4: block 1 of channel 0 is far from binary
     */
    float w[16] = {1, -1, 1, 1, 4, -0.1F, 0.2F, -6, /**/ 2, -2, 2, 2, -2, 2, -2, -2};
    const dscq_weights of = shape(w, 2, 2, 2, 2);
    dscq_error err = {DSCQ_OK, ""};
    dscq_wquant *q = NULL;
    double score[4];
    uint32_t order[4];
    float out[16];

    test_ok(dscq_wquant_create(&q, &of, DSCQ_FORM_BINARY, 1, 2, 4, &err));
    ck_assert_uint_eq(q->w.block_count, 4);
    dscq_binary_fit(q, w, 0.25, score, order);
    ck_assert_int_eq(q->w.block_high[0], 0);
    ck_assert_int_eq(q->w.block_high[1], 1);
    ck_assert_int_eq(q->w.block_high[2] + q->w.block_high[3], 0);
    dscq_wquant_assign(q, w);
    test_ok(dscq_wquant_check(q, &err));
    dscq_wquant_apply(q, out);
    for (int i = 0; i < 16; i++)
        ck_assert_msg(fabsf(out[i] - w[i]) < 0.03F, "[%d] %g, not %g", i,
                      (double)out[i], (double)w[i]);
    ck_assert_int_eq(q->w.value[8], q->w.level[1]);
    ck_assert_int_eq(q->w.level[1], 1);
    ck_assert_double_eq(dscq_wquant_bits_values(q), 12.0 + 4 * 8.0);
    dscq_wquant_destroy(q);
    ck_assert_int_eq(dscq_binary_block(&of, 0), 4);
    ck_assert_int_eq(dscq_binary_block(&of, 100), 8);
}
END_TEST

/* ---- settings ----------------------------------------------------------- */

static void refuse(const char *text, dscq_status want, const char *message)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_config *cfg = NULL;
    dscq_settings *s = NULL;
    dscq_model *m = NULL;
    dscq_rule *rules = NULL;
    size_t count;
    dscq_status status = dscq_config_parse(&cfg, text, strlen(text), "n.cfg", &err);

    if (status == DSCQ_OK)
        status = dscq_settings_from_config(&s, cfg, &err);
    if (status == DSCQ_OK) {
        m = net_make(k_net, 1);
        status = dscq_rules_make(&rules, &count, s, m, &err);
    }
    ck_assert_msg(status == want, "'%s': %s (%s)", text, dscq_status_name(status),
                  err.msg);
    ck_assert_msg(strstr(err.msg, message) != NULL, "'%s' says: %s", text, err.msg);
    dscq_free(rules);
    dscq_model_destroy(m);
    dscq_settings_destroy(s);
    dscq_config_destroy(cfg);
}

/* The code of 0 is the nearest one: 255 steps of 3.3 / 255 from -1 on, 77.27 of them
 * below 0. Both ends stay inside. */
START_TEST(zero_points_are_the_nearest_codes)
{
    const dscq_aquant a = dscq_aquant_make(-1.0, 2.3, 8, 1);
    const dscq_aquant b = dscq_aquant_make(-1.0, 2.2, 8, 0);
    double lo, hi;

    ck_assert_int_eq(a.zero_point, -51); /* -128 + 77.27 */
    ck_assert_int_eq(b.zero_point, 80);  /* 79.69        */
    dscq_aquant_range(&a, &lo, &hi);
    ck_assert(lo <= -1.0 + 1e-12 && hi >= 2.3 - 1e-12);
}
END_TEST

START_TEST(broken_settings)
{
    refuse("[compress]\nmethod = clpq\n", DSCQ_FORMAT,
           "n.cfg:2: [compress] method: unknown method 'clpq'; did you mean 'clipq'?");
    refuse("[compress]\nmethod =  , clipq\n", DSCQ_FORMAT, "unknown method ''");
    refuse("[compress]\nmethod=clipq\nshare=0.5,0.5\n", DSCQ_FORMAT,
           "2 numbers for 1 stages");
    refuse("[compress]\np = 1\n", DSCQ_FORMAT, "n.cfg:2:");
    refuse("[compress]\nb = 17\n", DSCQ_FORMAT, "n.cfg:2:");
    refuse("[compress]\nq = 3\n", DSCQ_FORMAT, "n.cfg:2: q = '3': unknown key");
    refuse("[compress]\n[compress]\n", DSCQ_FORMAT, "stands twice");
    refuse("[compress_layer]\np = 0.5\n", DSCQ_FORMAT, "match");
    refuse("[compress_layer]\nmatch = b1_pw\nb = 0\n", DSCQ_FORMAT, "b must not be 0");
    refuse("[compress_layer]\nmatch = nothing*\np = 0.5\n", DSCQ_FORMAT,
           "match = nothing*: no layer with weights");
}
END_TEST

START_TEST(rules_in_their_order)
{
    static const char k_text[] = "[compress]\np = 0.6\nb = 4\nlast_b = 5\n"
                                 "[compress_layer]\nmatch = *_pw\np = 0.8\n"
                                 "[compress_layer]\nmatch = b2_pw\nb = 3\n"
                                 "[compress_layer]\nmatch = add\nactivation_b = 6\n";
    dscq_error err = {DSCQ_OK, ""};
    dscq_model *m = net_make(k_net, 1);
    dscq_settings *s = settings_make(k_text), *again;
    dscq_rule *r = NULL, *r2 = NULL;
    size_t n, n2;
    char *text = NULL;

    test_ok(dscq_rules_make(&r, &n, s, m, &err));
    ck_assert_uint_eq(n, 5);
    ck_assert_int_eq(r[0].kind, DSCQ_KIND_FIRST);
    ck_assert(r[0].b == 8 && r[0].p == 0.0 && r[0].form == DSCQ_FORM_LINEAR);
    ck_assert_int_eq(r[1].kind, DSCQ_KIND_DEPTHWISE);
    ck_assert(r[1].b == 8 && r[1].p == 0.0 && r[1].per_channel);
    ck_assert_int_eq(r[2].kind, DSCQ_KIND_POINTWISE);
    ck_assert(r[2].b == 4 && r[2].p == 0.8 && r[2].form == DSCQ_FORM_CODEBOOK);
    ck_assert(r[3].b == 3 && r[3].p == 0.8);
    ck_assert_int_eq(r[4].kind, DSCQ_KIND_LAST);
    ck_assert(r[4].b == 5 && r[4].p == 0.6);
    ck_assert_int_eq(dscq_rules_activation_bits(s, m, dscq_model_find(m, "add")), 6);
    ck_assert_int_eq(dscq_rules_activation_bits(s, m, dscq_model_find(m, "c1")), 8);
    ck_assert_int_eq(dscq_rules_activation_bits(s, m, DSCQ_INPUT), 8);
    test_ok(dscq_settings_text(&text, s, &err));
    again = settings_make(text);
    test_ok(dscq_rules_make(&r2, &n2, again, m, &err));
    ck_assert_mem_eq(r, r2, n * sizeof *r);
    dscq_free(text);
    dscq_free(r);
    dscq_free(r2);
    dscq_settings_destroy(s);
    dscq_settings_destroy(again);
    dscq_model_destroy(m);
}
END_TEST

START_TEST(every_method_says_what_it_is)
{
    dscq_key rows[DSCQ_COMPRESS_KEYS];

    dscq_compress_keys(rows);
    for (size_t i = 0; i < dscq_method_count(); i++) {
        const dscq_method *a = dscq_method_at(i);
        char keys[256];

        ck_assert(a->name && a->summary && a->source && a->layer);
        ck_assert_ptr_eq(dscq_method_find(a->name), a);
        strcpy(keys, a->reads != NULL ? a->reads : "");
        for (char *k = strtok(keys, ", "); k != NULL; k = strtok(NULL, ", "))
            ck_assert_msg(dscq_keys_find(rows, k) != NULL, "%s: key %s", a->name, k);
        for (size_t t = 0; t < DSCQ_METHOD_KEYS && a->keys[t] != NULL; t++)
            for (const dscq_key *k = a->keys[t]->rows; k->name != NULL; k++)
                ck_assert_msg(dscq_keys_find(rows, k->name) != NULL, "%s: key %s",
                              a->name, k->name);
    }
    for (const dscq_key *k = rows; k->name != NULL; k++) /* each once */
        ck_assert_ptr_eq(dscq_keys_find(rows, k->name), k);
    ck_assert_ptr_null(dscq_method_find("nothing"));
}
END_TEST

static Suite *quantize_suite(void)
{
    TCase *tc;
    Suite *s = test_suite("compress quantise", &tc);

    tcase_add_test(tc, levels_on_the_grid);
    tcase_add_loop_test(tc, assigns_the_nearest, 0, 30);
    tcase_add_loop_test(tc, levels_stay_inside_their_edges, 0, 30);
    tcase_add_test(tc, binary_with_blocks);
    tcase_add_test(tc, zero_points_are_the_nearest_codes);
    tcase_add_test(tc, broken_settings);
    tcase_add_test(tc, rules_in_their_order);
    tcase_add_test(tc, every_method_says_what_it_is);
    return s;
}

int main(void)
{
    return test_run(quantize_suite);
}
