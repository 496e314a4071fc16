#include "compress_internal.h"
#include "test_compress_util.h"

static images g_train; /* made once, only read afterwards */
static dscq_model *g_float;

static void setup(void)
{
    images_make(&g_train, 1);
    g_float = net_make(k_net, 2);
    net_train(g_float, NULL, &g_train, 12, 0.05);
}

static void teardown(void)
{
    dscq_model_destroy(g_float);
}

static dscq_model *clone(void)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_model *m = NULL;

    test_ok(dscq_model_clone(&m, g_float, &err));
    return m;
}

static dscq_compressor *make(dscq_model *m, const char *settings, dscq_pool *pool)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_settings *s = settings_make(settings);
    dscq_compressor *c = NULL;

    test_ok(dscq_compressor_create(&c, m, s, pool, &err));
    dscq_settings_destroy(s);
    return c;
}

/* What every method must hold after its freeze. */
static void check_frozen(dscq_model *m, const dscq_compressor *c, int per_layer)
{
    dscq_error err = {DSCQ_OK, ""};

    for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
        const dscq_weights *w = dscq_model_node(m, i)->weights;
        const dscq_wquant *q = dscq_compressor_wquant(c, i);
        const dscq_rule *r = dscq_compressor_rule(c, i);

        if (w->count == 0) {
            ck_assert_ptr_null(q);
            continue;
        }
        ck_assert_ptr_nonnull(q);
        test_ok(dscq_wquant_check(q, &err));
        ck_assert_int_eq(q->w.form, r->form);
        if (r->form != DSCQ_FORM_BINARY && r->p > 0.0 && per_layer)
            ck_assert_msg((double)q->nonzero <= (1.0 - r->p) * (double)w->count + 2.0,
                          "%s: %zu of %zu kept at p = %g", dscq_model_node(m, i)->name,
                          q->nonzero, w->count, r->p);
        /* what the network uses is what the integers say */
        float *used = dscq_malloc(w->count, sizeof *used);
        dscq_wquant_apply(q, used);
        ck_assert_mem_eq(used, w->w_used, w->count * sizeof *used);
        /* ... and quantising that again changes nothing */
        dscq_wquant *again = NULL;
        test_ok(dscq_wquant_clone(&again, q, &err));
        dscq_wquant_assign(again, used);
        ck_assert_mem_eq(again->w.value, q->w.value, w->count * sizeof *q->w.value);
        dscq_wquant_fake(q, used, used);
        ck_assert_mem_eq(used, w->w_used, w->count * sizeof *used);
        dscq_wquant_destroy(again);
        dscq_free(used);
    }
}

static const char *settings_of(const dscq_method *method)
{
    static char text[512];

    snprintf(text, sizeof text,
             "[compress]\nmethod = %s\np = 0.6\nb = 4\nfirst_b = 8\nphase_epochs = 1\n"
             "high_frac = 0.1\nlanes = 4\ntile = 16\nacc_loss = 0.02\n",
             method->name);
    return text;
}

START_TEST(every_method_freezes_without_training)
{
    const dscq_method *method = dscq_method_at((size_t)_i);
    dscq_error err = {DSCQ_OK, ""};
    dscq_model *m = clone();
    dscq_compressor *c = make(m, settings_of(method), NULL);
    dscq_table *t = NULL;

    test_ok(dscq_compressor_freeze(c, &err));
    check_frozen(m, c, strcmp(method->name, "acdc") != 0);
    test_ok(dscq_compressor_table(&t, c, &err));
    ck_assert_uint_eq(dscq_table_rows(t), 5);
    dscq_table_destroy(t);
    dscq_compressor_destroy(c);
    for (int32_t i = 0; i < dscq_model_nodes(m); i++)
        ck_assert_ptr_eq(dscq_model_node(m, i)->weights->w_used,
                         dscq_model_node(m, i)->weights->w);
    dscq_model_destroy(m);
}
END_TEST

/* Fine-tuning with a method: sparsity, integers, and an accuracy that chance does not
 * give. The frozen state evaluated in training is what the integers compute. */
/* Codes of a network that was quantised around a zero point stay where that is asked
 * for. */
START_TEST(codes_of_before_stay)
{
    dscq_error err = {DSCQ_OK, ""};

    for (int keep = 0; keep < 2; keep++) {
        dscq_model *m = clone();
        int32_t books = 0, layers = 0;

        for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
            const dscq_weights *w = dscq_model_node(m, i)->weights;
            for (size_t k = 0; k < w->count; k++)
                w->w[k] = (float)(0.004 * ((int)(k * 37 % 256) - 60)); /* -60..195 */
        }
        dscq_compressor *c =
            make(m,
                 keep ? "[compress]\nmethod=uniform\nb=8\nepochs=0\np=0\nkeep_codes=1\n"
                      : "[compress]\nmethod=uniform\nb=8\nepochs=0\np=0\n",
                 NULL);
        test_ok(dscq_compressor_freeze(c, &err));
        for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
            const dscq_weights *w = dscq_model_node(m, i)->weights;
            const dscq_wquant *q = dscq_compressor_wquant(c, i);
            if (w->count < 256)
                continue;
            test_ok(dscq_wquant_check(q, &err));
            layers++;
            books += q->w.form == DSCQ_FORM_CODEBOOK;
            for (size_t k = 0; keep && k < w->count; k++)
                ck_assert_double_eq_tol((double)w->w_used[k], (double)w->w[k], 1e-6);
        }
        ck_assert_int_gt(layers, 0);
        ck_assert_int_eq(books, keep ? layers : 0);
        dscq_compressor_destroy(c);
        dscq_model_destroy(m);
    }
}
END_TEST
START_TEST(every_method_trains)
{
    const dscq_method *method = dscq_method_at((size_t)_i);
    dscq_error err = {DSCQ_OK, ""};
    dscq_model *m = clone();
    dscq_compressor *c = make(m, settings_of(method), NULL);
    const int32_t epochs = 14;

    test_ok(dscq_compressor_start(c, (uint32_t)epochs, IMAGES / BATCH,
                                  net_score(m, &g_train), &err));
    net_train(m, c, &g_train, epochs, 0.02);
    ck_assert(dscq_compressor_frozen(c));
    test_ok(dscq_compressor_apply(c, &err));
    const int scored = (method->flags & DSCQ_METHOD_SCORED) != 0;
    check_frozen(m, c, !scored && strcmp(method->name, "acdc") != 0);
    ck_assert_msg(net_score(m, &g_train) > (scored ? 0.7 : 0.85), "%s: %g",
                  method->name, net_score(m, &g_train));
    if ((method->flags & DSCQ_METHOD_PRUNES) != 0)
        ck_assert_msg(dscq_compressor_sparsity(c) > (scored ? 0.2 : 0.3),
                      "%s: sparsity %g", method->name, dscq_compressor_sparsity(c));
    dscq_compressor_destroy(c);
    dscq_model_destroy(m);
}
END_TEST

static uint64_t digest(dscq_model *m, const dscq_compressor *c)
{
    uint64_t h = 1469598103934665603ULL;

    for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
        const dscq_wquant *q = dscq_compressor_wquant(c, i);
        const dscq_weights *w = dscq_model_node(m, i)->weights;
        const unsigned char *b = (const unsigned char *)(q != NULL ? q->w.value : NULL);

        for (size_t k = 0; q != NULL && k < q->w.count * sizeof *q->w.value; k++)
            h = (h ^ b[k]) * 1099511628211ULL;
        b = (const unsigned char *)w->w;
        for (size_t k = 0; k < w->count * sizeof *w->w; k++)
            h = (h ^ b[k]) * 1099511628211ULL;
    }
    return h;
}

START_TEST(same_bytes_for_any_number_of_threads)
{
    const dscq_method *method = dscq_method_at((size_t)_i);
    dscq_error err = {DSCQ_OK, ""};
    uint64_t got[2];

    for (int k = 0; k < 2; k++) {
        dscq_model *m = clone();
        dscq_pool *pool = NULL;
        dscq_compressor *c;

        test_ok(dscq_pool_create(&pool, k == 0 ? 1 : 8, &err));
        c = make(m, settings_of(method), pool);
        test_ok(dscq_compressor_start(c, 3, IMAGES / BATCH, 1.0, &err));
        net_train(m, c, &g_train, 3, 0.02);
        test_ok(dscq_compressor_freeze(c, &err));
        got[k] = digest(m, c);
        dscq_compressor_destroy(c);
        dscq_model_destroy(m);
        dscq_pool_destroy(pool);
    }
    ck_assert_uint_eq(got[0], got[1]);
}
END_TEST

START_TEST(stages_follow_each_other)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_model *m = clone();
    dscq_compressor *c =
        make(m,
             "[compress]\nmethod = magnitude, clipq\nshare = 0.6, 0.4\n"
             "p = 0.5\nb = 3\n",
             NULL);
    const int32_t pw = dscq_model_find(m, "b2_pw");

    test_ok(dscq_compressor_start(c, 10, IMAGES / BATCH, 1.0, &err));
    net_train(m, c, &g_train, 10, 0.02);
    check_frozen(m, c, 1);
    const dscq_wquant *q = dscq_compressor_wquant(c, pw);
    ck_assert_int_eq(q->w.form, DSCQ_FORM_CODEBOOK);
    ck_assert_int_le(q->w.codebook_count, 8);
    /* the second stage counts what the first pruned: not half of the half */
    ck_assert_uint_ge(q->nonzero, q->w.count * 45 / 100);
    dscq_compressor_destroy(c);
    dscq_model_destroy(m);
}
END_TEST

/* Saved in the middle and loaded into a fresh compressor: the same bytes. */
static const char *const k_sequences[] = {
    "magnitude, clipq",
    "peak\npeak=size",
    "peak\npeak=accuracy\nround_epochs=2",
    "reversed\nround_epochs=2",
    "reversed, acdc",
    "reversed\nround_epochs=2\n[compress_layer]\nmatch = b2_*\np = 0\n"};
static const double k_score[] = {1.0, 1.0, 0.5, 1.0, 0.9995, 0.5, 0.5, 0.5, 0.5, 1.0};
enum { SEQUENCES = sizeof k_sequences / sizeof *k_sequences };

START_TEST(state_survives_a_checkpoint)
{
    const size_t n = dscq_method_count();
    const char *method =
        (size_t)_i < n ? dscq_method_at((size_t)_i)->name : k_sequences[(size_t)_i - n];
    char text[160];
    dscq_error err = {DSCQ_OK, ""};
    uint64_t got[2], frozen_steps[2] = {0, 0};

    snprintf(text, sizeof text, "[compress]\np = 0.5\nphase_epochs = 1\nmethod = %s\n",
             method);
    for (int k = 0; k < 2; k++) {
        dscq_model *m = clone();
        dscq_compressor *c = make(m, text, NULL);

        test_ok(dscq_compressor_start(c, 10, 10, 1.0, &err));
        for (uint64_t step = 0; step < 95; step++) {
            if (k == 1 && step % 3 == 1) {
                dscq_checkpoint *to = NULL;

                test_ok(dscq_checkpoint_create(&to, &err));
                test_ok(dscq_compressor_save(c, to, &err));
                test_ok(dscq_checkpoint_write(to, test_path("c"), &err));
                dscq_checkpoint_destroy(to);
                dscq_compressor_destroy(c);
                dscq_model *kept = NULL;
                test_ok(dscq_model_clone(&kept, m, &err));
                c = make(m, text, NULL);
                test_ok(dscq_compressor_start(c, 10, 10, 1.0, &err));
                for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
                    const dscq_weights *w = dscq_model_node(kept, i)->weights;
                    if (w->count > 0)
                        memcpy(dscq_model_node(m, i)->weights->w, w->w,
                               w->count * sizeof *w->w);
                }
                dscq_model_destroy(kept);
                test_ok(dscq_checkpoint_read(&to, test_path("c"), &err));
                test_ok(dscq_compressor_load(c, to, &err));
                dscq_checkpoint_destroy(to);
            }
            if (step % 3 == 1)
                test_ok(dscq_compressor_apply(c, &err));
            test_ok(dscq_compressor_before_step(c, m, step, &err));
            frozen_steps[k] += (uint64_t)dscq_compressor_frozen(c);
            for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
                dscq_weights *w = dscq_model_node(m, i)->weights;
                for (size_t j = 0; j < w->count; j++) /* stands for an update */
                    w->w[j] += 0.01F * (w->w_used[j] - w->w[j]) +
                               2e-2F * (float)((int)((j + step) % 7) - 3);
            }
            if (step % 10 == 9)
                test_ok(dscq_compressor_epoch(c, (uint32_t)step / 10,
                                              k_score[step / 10], &err));
        }
        test_ok(dscq_compressor_apply(c, &err));
        got[k] = digest(m, c);
        dscq_compressor_destroy(c);
        dscq_model_destroy(m);
    }
    ck_assert_uint_eq(got[0], got[1]);
    ck_assert(frozen_steps[0] > 0 && frozen_steps[0] == frozen_steps[1]);
}
END_TEST

/* A method of nobody, with every kind of member, in places that earlier files do not
 * have. */
typedef struct own_state {
    int32_t whole;
    double real;
} own_state;
typedef struct own_layer {
    float *score;
    int32_t whole;
    double real;
} own_layer;

START_TEST(every_kind_of_state_is_kept)
{
    static const compress_field fields[] = {COMPRESS_FIELD(own_state, INT, whole, 20),
                                            COMPRESS_FIELD(own_state, REAL, real, 9),
                                            COMPRESS_FIELDS_END};
    static const compress_field of_layer[] = {
        COMPRESS_FIELD(own_layer, WEIGHTS, score, 0),
        COMPRESS_FIELD(own_layer, INT, whole, 1),
        COMPRESS_FIELD(own_layer, REAL, real, 5), COMPRESS_FIELDS_END};
    static const dscq_method_state state = {sizeof(own_state), sizeof(own_layer),
                                            fields, of_layer};
    dscq_method method = *dscq_method_find("uniform");
    dscq_error err = {DSCQ_OK, ""};
    dscq_checkpoint *to = NULL;
    dscq_model *m[2];
    dscq_compressor *c[2];

    method.state = &state;
    test_ok(dscq_checkpoint_create(&to, &err));
    for (int k = 0; k < 2; k++) {
        m[k] = clone();
        c[k] = make(m[k], "[compress]\nmethod = uniform\n", NULL);
        c[k]->stage[0] = &method;
        test_ok(dscq_compressor_start(c[k], 1, 10, 1.0, &err));
    }
    *(own_state *)c[0]->state = (own_state){-7, 0.1};
    for (size_t i = 0; i < c[0]->layers; i++) {
        own_layer *l = c[0]->layer[i].state;
        l->whole = (int32_t)i;
        l->real = 1.0 / (double)(i + 3);
        for (size_t j = 0; j < c[0]->layer[i].w->count; j++)
            l->score[j] = (float)(i + 1) / (float)(j + 3);
    }
    test_ok(dscq_compressor_save(c[0], to, &err));
    test_ok(dscq_compressor_load(c[1], to, &err));
    const own_state *s = c[1]->state;
    ck_assert(s->whole == -7 && s->real == 0.1);
    for (size_t i = 0; i < c[0]->layers; i++) {
        const own_layer *a = c[0]->layer[i].state, *b = c[1]->layer[i].state;
        ck_assert(a->whole == b->whole && a->real == b->real);
        ck_assert_mem_eq(a->score, b->score,
                         c[0]->layer[i].w->count * sizeof *a->score);
    }
    dscq_checkpoint_destroy(to);
    for (int k = 0; k < 2; k++) {
        dscq_compressor_destroy(c[k]);
        dscq_model_destroy(m[k]);
    }
}
END_TEST

START_TEST(a_foreign_checkpoint_is_refused)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_model *m = clone();
    dscq_compressor *c = make(m, "[compress]\n", NULL);
    dscq_checkpoint *ck = NULL;

    test_ok(dscq_checkpoint_create(&ck, &err));
    test_ok(dscq_compressor_start(c, 1, 1, 0.0, &err));
    ck_assert_int_eq(dscq_compressor_load(c, ck, &err), DSCQ_FORMAT);
    dscq_checkpoint_destroy(ck);
    dscq_compressor_destroy(c);
    dscq_model_destroy(m);
}
END_TEST

START_TEST(depthwise_keeps_its_own_policy)
{
    static const struct {
        const char *variant; /* of them, and keys with it */
        int form, bits, scales;
    } k_want[] = {
        {"default", DSCQ_FORM_LINEAR, 8, 16},   {"a", DSCQ_FORM_CODEBOOK, 4, 1},
        {"b", DSCQ_FORM_LINEAR, 16, 16},        {"c", DSCQ_FORM_LINEAR, 8, 16},
        {"d", DSCQ_FORM_LINEAR, 4, 16},         {"e", DSCQ_FORM_LINEAR, 8, 16},
        {"f", DSCQ_FORM_LINEAR, 8, 16},         {"c\ndw_b=6", DSCQ_FORM_LINEAR, 6, 16},
        {"f\ndw_b=5", DSCQ_FORM_LINEAR, 5, 16}, {"d\ndw_b=6", DSCQ_FORM_LINEAR, 4, 16},
        {"g", DSCQ_FORM_LINEAR, 8, 16}};
    char text[128];
    dscq_error err = {DSCQ_OK, ""};
    dscq_model *m = clone();
    dscq_compressor *c;

    snprintf(text, sizeof text,
             "[compress]\nmethod=dsc_clipq\np=0.5\nb=4\nvariant=%s\n",
             k_want[_i].variant);
    c = make(m, text, NULL);
    test_ok(dscq_compressor_freeze(c, &err));
    const dscq_wquant *dw = dscq_compressor_wquant(c, dscq_model_find(m, "b1_dw"));
    const dscq_wquant *pw = dscq_compressor_wquant(c, dscq_model_find(m, "b1_pw"));
    ck_assert_int_eq((int)dw->w.form, k_want[_i].form);
    ck_assert_int_eq(dw->w.bits, k_want[_i].bits);
    ck_assert_int_eq(dw->scale_count, k_want[_i].scales);
    const char first = k_want[_i].variant[0];
    const int shared = first == 'e' || first == 'f';
    ck_assert_int_eq(pw->scale_count, shared ? 32 : 1);
    dscq_compressor_destroy(c);
    dscq_model_destroy(m);
}
END_TEST

typedef struct op {
    dscq_model *m;
    dscq_settings *s;
} op;

static dscq_status freeze_op(void *ctx, dscq_error *err)
{
    op *o = ctx;
    dscq_compressor *c = NULL;
    dscq_status status = dscq_compressor_create(&c, o->m, o->s, NULL, err);

    if (status == DSCQ_OK)
        status = dscq_compressor_freeze(c, err);
    dscq_compressor_destroy(c);
    return status;
}

START_TEST(no_memory_is_an_error)
{
    op o = {clone(), settings_make("[compress]\nmethod=dsc_clipq\nlast_b=1\n")};

    ck_assert_uint_gt(test_each_alloc_fails(freeze_op, &o), 20);
    dscq_settings_destroy(o.s);
    dscq_model_destroy(o.m);
}
END_TEST

static Suite *method_suite(void)
{
    TCase *tc;
    Suite *s = test_suite("compress methods", &tc);
    const int methods = (int)dscq_method_count();

    tcase_add_unchecked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, every_method_freezes_without_training, 0, methods);
    tcase_add_test(tc, codes_of_before_stay);
    tcase_add_loop_test(tc, every_method_trains, 0, methods);
    tcase_add_loop_test(tc, same_bytes_for_any_number_of_threads, 0, methods);
    tcase_add_test(tc, stages_follow_each_other);
    tcase_add_loop_test(tc, state_survives_a_checkpoint, 0,
                        (int)dscq_method_count() + SEQUENCES);
    tcase_add_test(tc, every_kind_of_state_is_kept);
    tcase_add_test(tc, a_foreign_checkpoint_is_refused);
    tcase_add_loop_test(tc, depthwise_keeps_its_own_policy, 0, 11);
    tcase_add_test(tc, no_memory_is_an_error);
    return s;
}

int main(void)
{
    return test_run(method_suite);
}
