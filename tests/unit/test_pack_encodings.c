/* Every row of encodings.def: what is decoded is what was encoded, the cost model is
 * exact, and the smallest is chosen. */
#include "dscq/base/alloc.h"
#include "dscq/base/rng.h"
#include "dscq/pack/pack.h"
#include "enc/encoding.h"
#include "qmodel_random.h"
#include "support.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A network of one convolution, r x s on an input of c channels; 1 x 1 output. */
static dscq_qmodel *one_layer(int32_t k, int32_t r, int32_t s, int32_t c,
                              dscq_qform form, int32_t block)
{
    dscq_error err;
    dscq_qmodel *m;

    ck_assert_int_eq(dscq_qmodel_create(&m, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_qmodel_reserve(m, 2, 1, 1, 1, &err), DSCQ_OK);
    for (int i = 0; i < 2; i++) {
        (void)snprintf(m->tensor[i].name, 64, "t%d", i);
        m->tensor[i].h = i ? 1 : r;
        m->tensor[i].w = i ? 1 : s;
        m->tensor[i].c = i ? k : c;
        m->tensor[i].bits = 8;
        m->tensor[i].scale = 0.5;
    }
    dscq_qnode *n = &m->node[0];
    (void)snprintf(n->name, 64, "layer");
    n->op = DSCQ_Q_CONV;
    n->input_count = 1;
    n->output = 1;
    n->clamp_lo = -128;
    n->clamp_hi = 127;
    ck_assert_int_eq(dscq_qweights_create(&n->weights, k, r, s, c, form, block, &err),
                     DSCQ_OK);
    ck_assert_int_eq(dscq_qnode_reserve(n, k, &err), DSCQ_OK);
    m->output[0].tensor = 1;
    (void)snprintf(m->output[0].role, 32, "logits");
    return m;
}

typedef enum fill {
    FILL_RANDOM,
    FILL_ZERO,
    FILL_FULL,
    FILL_LAST, /* only the last weight is not zero */
    FILL_FIRST,
    FILL_RUNS,  /* runs of exactly 2^n - 1, 2^n, 2^n + 1 zeros */
    FILL_ROWS,  /* whole output channels are dead */
    FILL_CODE1, /* one single code */
    FILL_COUNT
} fill;

static int16_t some_value(dscq_rng *g, const dscq_qweights *w)
{
    if (w->form == DSCQ_FORM_CODEBOOK)
        return w->codebook[1 + dscq_rng_below(g, (uint64_t)w->codebook_count - 1)];
    const int32_t top = 1 << (w->bits - 1);
    int32_t v = 0;
    while (v == 0)
        v = (int32_t)dscq_rng_below(g, (uint64_t)top * 2) - top;
    return (int16_t)(w->bits == 16 ? v / 64 + (v / 64 == 0) : v);
}

static void fill_weights(dscq_rng *g, dscq_qweights *w, fill kind, double density)
{
    size_t run = 0, want = 1;

    for (size_t i = 0; i < w->count; i++) {
        int keep = dscq_rng_unit64(g) < density;
        if (kind == FILL_ZERO || kind == FILL_LAST || kind == FILL_FIRST)
            keep = kind == FILL_LAST ? i + 1 == w->count : kind == FILL_FIRST && i == 0;
        if (kind == FILL_FULL)
            keep = 1;
        if (kind == FILL_ROWS)
            keep = keep && i / (w->count / (size_t)w->k) % 2 == 0;
        if (kind == FILL_RUNS) {
            keep = run++ == want;
            if (keep) {
                run = 0;
                want = ((size_t)1 << dscq_rng_below(g, 10)) + dscq_rng_below(g, 3) - 1;
            }
        }
        w->value[i] =
            keep ? (kind == FILL_CODE1
                        ? w->form == DSCQ_FORM_CODEBOOK ? w->codebook[1] : (int16_t)-1
                        : some_value(g, w))
                 : (int16_t)0;
    }
}

static void book(dscq_rng *g, dscq_qweights *w, int32_t bits)
{
    w->bits = bits;
    w->codebook_count = 1;
    while (w->codebook_count < 2 ||
           (w->codebook_count < 1 << bits && dscq_rng_below(g, 30) != 0)) {
        const int16_t v = (int16_t)(dscq_rng_below(g, 255) - 127);
        int is_new = 1;
        for (int32_t j = 0; j < w->codebook_count; j++)
            is_new = is_new && w->codebook[j] != v;
        if (is_new)
            w->codebook[w->codebook_count++] = v;
    }
}

/* Encode as `id`, decode, compare; the reported size must be the payload's. */
static void round_trip(const dscq_qmodel *m, int32_t id, const char *what)
{
    const dscq_qweights *w = m->node[0].weights;
    const dscq_pack_options o = {DSCQ_PACK_NAMED, id, 5};
    const char *name = dscq_pack_encoding_at(id)->name;
    dscq_qweights open;
    dscq_pack_summary sum;
    dscq_table *t;
    dscq_qmodel *back;
    uint8_t *data, *again;
    size_t bytes, bytes_again;
    dscq_error err;

    ck_assert_msg(dscq_pack_encode(&data, &bytes, m, &o, &err) == DSCQ_OK, "%s %s: %s",
                  name, what, err.msg);
    ck_assert_msg(dscq_pack_decode(&back, data, bytes, &err) == DSCQ_OK, "%s %s: %s",
                  name, what, err.msg);
    ck_assert_ptr_null(back->node[0].weights->value); /* they stay packed */
    ck_assert_int_eq(dscq_qweights_open(&open, back->node[0].weights, &err), DSCQ_OK);
    ck_assert_msg(memcmp(open.value, w->value, w->count * sizeof *w->value) == 0,
                  "%s %s: values differ", name, what);
    ck_assert_uint_eq(dscq_qweights_nonzero(back->node[0].weights),
                      dscq_qweights_nonzero(w));
    dscq_qweights_close(&open, back->node[0].weights);
    ck_assert_msg(dscq_pack_encode(&again, &bytes_again, back, NULL, &err) == DSCQ_OK,
                  "%s %s: %s", name, what, err.msg);
    ck_assert_msg(bytes == bytes_again && memcmp(data, again, bytes) == 0,
                  "%s %s: written again it has other bytes", name, what);
    ck_assert_int_eq(dscq_pack_sizes(&sum, &t, m, &o, &err), DSCQ_OK);
    ck_assert_uint_eq(sum.file_bytes, bytes);
    ck_assert_uint_eq(dscq_pack_size_bits(&sum.size), bytes * 8);
    /* Header: encoding, form, bits, two varints; more means a wrong cost model. */
    const int64_t head =
        dscq_table_int(t, 0, (size_t)dscq_table_find(t, "header_bits"));
    ck_assert_msg(head >= 40 && head <= 12 * 8 + 64 + 40 && head % 8 == 0,
                  "%s %s: %lld header bits", name, what, (long long)head);
    dscq_table_destroy(t);
    dscq_qmodel_destroy(back);
    dscq_free(data);
    dscq_free(again);
}

START_TEST(decodes_what_was_encoded)
{
    static const int32_t shape[][4] = {
        {1, 1, 1, 1}, {3, 1, 1, 7}, {16, 1, 1, 40}, {8, 3, 3, 1},   {5, 3, 3, 6},
        {7, 5, 2, 3}, {2, 8, 8, 2}, {130, 1, 1, 9}, {3, 11, 11, 3}, {1, 1, 1, 3000}};
    const int32_t id = _i;
    dscq_rng g = dscq_rng_seeded(77 + (uint64_t)_i);
    int tried = 0;

    for (size_t s = 0; s < sizeof shape / sizeof *shape; s++)
        for (int32_t bits = 1; bits <= 17; bits++) {
            const dscq_qform form = bits > 8 ? DSCQ_FORM_LINEAR : DSCQ_FORM_CODEBOOK;
            if (bits > 8 && bits != 9 && bits != 12 && bits != 16 && bits != 17)
                continue; /* 9, 12, 16: linear of 2, 5, 8 bits; 17: 16 bits */
            dscq_qmodel *m =
                one_layer(shape[s][0], shape[s][1], shape[s][2], shape[s][3], form, 0);
            dscq_qweights *w = m->node[0].weights;
            if (form == DSCQ_FORM_LINEAR)
                w->bits = bits == 17 ? 16 : bits - 7 > 8 ? 8 : bits - 7;
            else
                book(&g, w, bits);
            for (int f = 0; f < FILL_COUNT; f++) {
                char what[96];
                dscq_pack_size size;
                int32_t arg = 0;
                fill_weights(&g, w, (fill)f, dscq_rng_unit64(&g));
                (void)snprintf(what, sizeof what, "shape %zu, %d bits, fill %d", s,
                               w->bits, f);
                if (dscq_pack_cost(&size, &arg, w, id, NULL) != DSCQ_OK)
                    continue;
                round_trip(m, id, what);
                tried++;
            }
            dscq_qmodel_destroy(m);
        }
    if (strcmp(dscq_pack_encoding_at(id)->name, "binary") != 0)
        ck_assert_msg(tried > 100, "%s: only %d layers fit",
                      dscq_pack_encoding_at(id)->name, tried);
}
END_TEST

START_TEST(binary_layers_come_back)
{
    dscq_rng g = dscq_rng_seeded(5);

    for (int round = 0; round < 40; round++) {
        const int32_t c = 1 + (int32_t)dscq_rng_below(&g, 30);
        dscq_qmodel *m =
            one_layer(1 + (int32_t)dscq_rng_below(&g, 9), 3, 2, c, DSCQ_FORM_BINARY,
                      1 + (int32_t)dscq_rng_below(&g, 40));
        dscq_qweights *w = m->node[0].weights;
        w->bits = 1;
        for (int32_t k = 0; k < w->k; k++)
            w->level[k] = (int16_t)(1 + dscq_rng_below(&g, 300));
        for (size_t b = 0; b < w->block_count; b++)
            w->block_high[b] = dscq_rng_below(&g, 3) == 0;
        for (size_t i = 0; i < w->count; i++) {
            const size_t per = w->count / (size_t)w->k;
            const size_t b =
                i / per * (w->block_count / (size_t)w->k) + i % per / (size_t)w->block;
            w->value[i] =
                (int16_t)(w->block_high[b] ? (int32_t)dscq_rng_below(&g, 256) - 128
                          : dscq_rng_below(&g, 2) ? w->level[i / per]
                                                  : -w->level[i / per]);
        }
        round_trip(m, dscq_pack_encoding_find("binary"), "binary");
        dscq_qmodel_destroy(m);
    }
}
END_TEST

/* Bits of the file a profile makes. */
static uint64_t file_bytes(const dscq_qmodel *m, dscq_pack_profile p, int32_t id)
{
    const dscq_pack_options o = {p, id, 0};
    dscq_pack_summary sum;
    dscq_error err;

    ck_assert_msg(dscq_pack_sizes(&sum, NULL, m, &o, &err) == DSCQ_OK, "%s", err.msg);
    return sum.file_bytes;
}

START_TEST(a_profile_takes_the_smallest_it_may)
{
    static const double density[] = {0.02, 0.1, 0.3, 0.6, 0.95};
    dscq_rng g = dscq_rng_seeded(9);

    for (size_t d = 0; d < 5; d++) {
        dscq_qmodel *m = one_layer(64, 1, 1, 100, DSCQ_FORM_CODEBOOK, 0);
        book(&g, m->node[0].weights, 4);
        fill_weights(&g, m->node[0].weights, FILL_RANDOM, density[d]);
        const uint64_t machine = file_bytes(m, DSCQ_PACK_MACHINE, -1);
        const uint64_t loaded = file_bytes(m, DSCQ_PACK_LOADED, -1);
        const uint64_t archive = file_bytes(m, DSCQ_PACK_ARCHIVE, -1);
        ck_assert_uint_le(loaded, machine);
        ck_assert_uint_le(archive, loaded);
        for (int32_t id = 0; id < dscq_pack_encoding_count(); id++) {
            const dscq_pack_kind kind = dscq_pack_encoding_at(id)->kind;
            const uint64_t one = file_bytes(m, DSCQ_PACK_NAMED, id);
            if (kind == DSCQ_PACK_FIXED)
                ck_assert_uint_le(machine, one);
            if (kind <= DSCQ_PACK_DEEP)
                ck_assert_uint_le(archive, one);
        }
        dscq_qmodel_destroy(m);
    }
}
END_TEST

START_TEST(positions_stay_near_the_entropy_bound)
{
    static const double density[] = {0.05, 0.08, 0.1, 0.15, 0.2,
                                     0.3,  0.4,  0.5, 0.6,  0.7};
    dscq_rng g = dscq_rng_seeded(31);

    for (size_t d = 0; d < sizeof density / sizeof *density; d++)
        for (int archive = 0; archive < 2; archive++) {
            dscq_qmodel *m = one_layer(256, 1, 1, 1024, DSCQ_FORM_CODEBOOK, 0);
            dscq_qweights *w = m->node[0].weights;
            w->bits = 4;
            w->codebook_count = 16;
            for (int32_t i = 1; i < 16; i++)
                w->codebook[i] = (int16_t)(i < 8 ? i * 9 : (i - 7) * -8);
            fill_weights(&g, w, FILL_RANDOM, density[d]);
            const dscq_pack_options o = {
                archive ? DSCQ_PACK_ARCHIVE : DSCQ_PACK_MACHINE, -1, 0};
            dscq_pack_summary sum;
            ck_assert_int_eq(dscq_pack_sizes(&sum, NULL, m, &o, NULL), DSCQ_OK);
            /* Everything beyond the codes themselves counts as position here. */
            const double codes = sum.c_bits - sum.c_position_bits;
            const double used = (double)(sum.size.values + sum.size.positions) -
                                (archive ? codes : (double)sum.nonzero * 4.0);
            const double over = used / sum.c_position_bits - 1.0;
            ck_assert_msg(over < (archive ? 0.06 : 0.20),
                          "density %g: %s is %.1f %% over", density[d],
                          archive ? "archive" : "machine", over * 100.0);
            dscq_qmodel_destroy(m);
        }
}
END_TEST

START_TEST(context_coder_loses_little_against_its_own_model)
{
    dscq_rng g = dscq_rng_seeded(3);
    dscq_qmodel *m = one_layer(128, 1, 1, 512, DSCQ_FORM_CODEBOOK, 0);
    dscq_pack_size size;
    double ideal;
    int32_t arg;

    book(&g, m->node[0].weights, 5);
    fill_weights(&g, m->node[0].weights, FILL_RANDOM, 0.3);
    ck_assert_int_eq(dscq_pack_cost(&size, &arg, m->node[0].weights,
                                    dscq_pack_encoding_find("context"), NULL),
                     DSCQ_OK);
    ck_assert_int_eq(dscq_pack_context_ideal(&ideal, m->node[0].weights, arg, NULL),
                     DSCQ_OK);
    const double real = (double)dscq_pack_size_bits(&size);
    ck_assert_msg(real < ideal * 1.01 && real > ideal * 0.999, "%g bits, ideal %g",
                  real, ideal);
    dscq_qmodel_destroy(m);
}
END_TEST

START_TEST(gap_matches_a_layer_counted_by_hand)
{
    /* 0 0 0 5 0 0 0 0 5: gaps 3 and 4. With 2 bits: (3), filler (3), (0): three pairs
     * of 2 + 1 bits; with 3 bits: two pairs of 4 = 8 bits, the smallest. */
    dscq_qmodel *m = one_layer(1, 1, 1, 9, DSCQ_FORM_CODEBOOK, 0);
    dscq_qweights *w = m->node[0].weights;
    dscq_pack_size size;
    int32_t arg;

    w->bits = 1;
    w->codebook_count = 2;
    w->codebook[1] = 5;
    w->value[3] = w->value[8] = 5;
    ck_assert_int_eq(
        dscq_pack_cost(&size, &arg, w, dscq_pack_encoding_find("gap"), NULL), DSCQ_OK);
    ck_assert_int_eq(arg, 3);
    ck_assert_uint_eq(size.values, 2);
    ck_assert_uint_eq(size.positions, 6);
    ck_assert_uint_eq(size.padding, 0);
    dscq_qmodel_destroy(m);
}
END_TEST

/* Pairs of 2 + 1 bits, low bits first: (3, 1), then perhaps (3, 0), a filler. In front
 * of them, for one lane, is their number. */
START_TEST(pairs_end_with_a_weight)
{
    static const struct {
        const char *name;
        int32_t arg;
        size_t bytes;
        uint8_t payload[5];
        const char *bad;
    } k_case[] = {
        {"gap", 2, 1, {0x07}, NULL},
        {"gap", 2, 1, {0x1f}, "gap pairs end with a filler"},
        {"lanes", 1 | 2 << 16, 5, {1, 0, 0, 0, 0x07}, NULL},
        {"lanes", 1 | 2 << 16, 5, {2, 0, 0, 0, 0x1f}, "lane pairs end with a filler"}};
    dscq_qmodel *m = one_layer(1, 1, 1, 9, DSCQ_FORM_CODEBOOK, 0);
    dscq_qweights *w = m->node[0].weights;

    w->bits = 1;
    w->codebook_count = 2;
    w->codebook[1] = 5;
    for (size_t i = 0; i < sizeof k_case / sizeof *k_case; i++) {
        dscq_reader r = {k_case[i].payload, k_case[i].bytes, 0, NULL};
        uint16_t code[9];
        dscq_error err = {DSCQ_OK, ""};
        test_ok(pack__encoding(dscq_pack_encoding_find(k_case[i].name))
                    ->decode(code, w, k_case[i].arg, &r, &err));
        if (k_case[i].bad == NULL)
            ck_assert_ptr_null(r.bad);
        else
            ck_assert_str_eq(r.bad, k_case[i].bad);
        ck_assert_uint_eq(code[3], 1);
    }
    dscq_qmodel_destroy(m);
}
END_TEST

/* One kernel of 3 x 3: a count, then value, row and column of each weight, ascending.
 */
START_TEST(a_place_of_a_kernel_is_given_once)
{
    static const uint8_t k_good[] = {2, 1, 0x11, 1, 0x12},
                         k_twice[] = {2, 1, 0x11, 1, 0x11};
    dscq_qmodel *m = one_layer(1, 3, 3, 1, DSCQ_FORM_CODEBOOK, 0);
    dscq_qweights *w = m->node[0].weights;
    const pack_encoding *zhang = pack__encoding(dscq_pack_encoding_find("zhang_conv"));
    uint16_t code[9];
    dscq_error err = {DSCQ_OK, ""};

    w->bits = 1;
    w->codebook_count = 2;
    w->codebook[1] = 5;
    dscq_reader good = {k_good, sizeof k_good, 0, NULL};
    test_ok(zhang->decode(code, w, 0, &good, &err));
    ck_assert_ptr_null(good.bad);
    ck_assert_uint_eq(code[4] + code[5], 2);
    dscq_reader twice = {k_twice, sizeof k_twice, 0, NULL};
    test_ok(zhang->decode(code, w, 0, &twice, &err));
    ck_assert_str_eq(twice.bad, "kernel entry");
    dscq_qmodel_destroy(m);
}
END_TEST

START_TEST(entropy_of_a_layer_counted_by_hand)
{
    /* 8 weights, 2 not zero, different values: 8*H2(1/4) = 6.490, 2*1 bits. */
    dscq_qmodel *m = one_layer(1, 1, 1, 8, DSCQ_FORM_LINEAR, 0);
    double positions, values;
    dscq_error err = {DSCQ_OK, ""};

    m->node[0].weights->bits = 8;
    m->node[0].weights->value[1] = 5;
    m->node[0].weights->value[6] = -5;
    test_ok(dscq_pack_entropy(&positions, &values, m->node[0].weights, &err));
    ck_assert_double_eq_tol(positions, 6.490225, 1e-5);
    ck_assert_double_eq_tol(values, 2.0, 1e-12);
    dscq_qmodel_destroy(m);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("pack_encodings");
    TCase *tc = tcase_create("rows");

    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, decodes_what_was_encoded, 0, dscq_pack_encoding_count());
    tcase_add_test(tc, binary_layers_come_back);
    tcase_add_test(tc, a_profile_takes_the_smallest_it_may);
    tcase_add_test(tc, positions_stay_near_the_entropy_bound);
    tcase_add_test(tc, context_coder_loses_little_against_its_own_model);
    tcase_add_test(tc, gap_matches_a_layer_counted_by_hand);
    tcase_add_test(tc, pairs_end_with_a_weight);
    tcase_add_test(tc, a_place_of_a_kernel_is_given_once);
    tcase_add_test(tc, entropy_of_a_layer_counted_by_hand);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return test_run(make_suite);
}
