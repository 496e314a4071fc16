/* The header-only reader for boards sees the same network as the library. */
#include "dscq/base/alloc.h"
#include "dscq/embed/packed_reader.h"
#include "dscq/pack/pack.h"
#include "qmodel_random.h"
#include "support.h"

#include <check.h>

/* ---- its own table of operations ---- */

/* clang-format off */
#define TRAITS(X)                                                                      \
    X(STEPS) X(PADS) X(WEIGHTS) X(WINDOW) X(KEYS) X(FACTOR) X(FIRST) X(CLAMP) X(LEAKY) \
    X(CURVE)
#define FIELDS(X)                                                                      \
    X(stride_h) X(stride_w) X(pad_top) X(pad_left) X(pad_bottom) X(pad_right)          \
    X(dilation_h) X(dilation_w) X(groups) X(kernel_h) X(kernel_w) X(count_include_pad) \
    X(factor) X(first) X(clamp_lo) X(clamp_hi) X(is_leaky) X(slope_q15)
/* clang-format on */

#define X(id, has)                                                                     \
    _Static_assert((int)DSCQ_PACKED_##id == (int)DSCQ_Q_##id, "number of " #id);
DSCQ_PACKED_OP_LIST(X)
#undef X
_Static_assert((int)DSCQ_PACKED_OPS == (int)DSCQ_Q_COUNT,
               "an operation of qnet/qops.def that embed/packed_reader.h lacks");

START_TEST(board_reader_knows_the_operations)
{
    const dscq_packed_node n = {.op = _i};

#define X(what)                                                                        \
    ck_assert_msg(dscq_packed_has(&n, DSCQ_PACKED_##what) ==                           \
                      dscq_qop_has((dscq_qop)_i, DSCQ_QHAS_##what),                    \
                  "embed/packed_reader.h and qnet/qops.def differ in " #what " of %s", \
                  dscq_qop_name((dscq_qop)_i));
    TRAITS(X)
#undef X
}
END_TEST

/* ---- networks ---- */

static void compare_node(const dscq_qnode *want, const dscq_packed_node *got)
{
    ck_assert_int_eq(want->op, got->op);
    ck_assert_int_eq(want->input_count, got->input_count);
    for (int32_t i = 0; i < want->input_count; i++)
        ck_assert_int_eq(want->input[i], got->input[i]);
    ck_assert_int_eq(want->output, got->output);
    ck_assert_int_eq(want->scale_count, got->scale_count);
    for (int32_t i = 0; i < want->scale_count; i++) {
        ck_assert_int_eq(want->mult[i], dscq_packed_mult(got, i));
        ck_assert_int_eq(want->shift[i], dscq_packed_shift(got, i));
        if (want->bias != NULL)
            ck_assert_int_eq(want->bias[i], dscq_packed_bias(got, i));
    }
    ck_assert_int_eq(want->table_count, got->table_count);
#define X(field) ck_assert_int_eq(want->field, got->field);
    FIELDS(X)
#undef X
}

START_TEST(board_reader_sees_the_same_network)
{
    static const char *const encodings[] = {"dense",  "bitmap", "gap",
                                            "kernel", "lanes",  "binary"};
    const qmodel_random_opts o = {
        .nodes = 12, .max_side = 8, .max_channels = 30, .wide = _i % 2};
    const dscq_pack_options opt = {DSCQ_PACK_NAMED,
                                   dscq_pack_encoding_find(encodings[_i % 6]), 7};
    dscq_rng g = dscq_rng_seeded(600 + (uint64_t)_i);
    static dscq_packed p; /* large for a stack */
    dscq_packed_node n;
    dscq_qmodel *m;
    uint8_t *data;
    size_t bytes;
    dscq_error err;

    ck_assert_msg(qmodel_random(&m, &g, &o, &err) == DSCQ_OK, "%s", err.msg);
    ck_assert_int_eq(dscq_pack_encode(&data, &bytes, m, &opt, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_packed_open(&p, data, bytes), DSCQ_PACKED_OK);
    ck_assert_int_eq(p.tensor_count, m->tensor_count);
    ck_assert_int_eq(p.node_count, m->node_count);
    for (int32_t i = 0; i < m->tensor_count; i++) {
        ck_assert_int_eq(p.tensor[i].c, m->tensor[i].c);
        ck_assert_int_eq(p.tensor[i].bits, m->tensor[i].bits);
        ck_assert_int_eq(p.tensor[i].zero_point, m->tensor[i].zero_point);
        ck_assert_double_eq(p.tensor[i].scale, m->tensor[i].scale);
    }
    for (int32_t i = 0; i < m->node_count; i++) {
        const dscq_qweights *w = m->node[i].weights;
        ck_assert_int_eq(dscq_packed_next(&p, &n), DSCQ_PACKED_OK);
        compare_node(&m->node[i], &n);
        if (w == NULL)
            continue;
        ck_assert_uint_eq(n.weight_count, w->count);
        int16_t *v = dscq_malloc(w->count, sizeof *v);
        ck_assert_int_eq(dscq_packed_weights(&n, v, w->count - 1), DSCQ_PACKED_ROOM);
        ck_assert_int_eq(dscq_packed_weights(&n, v, w->count), DSCQ_PACKED_OK);
        ck_assert_mem_eq(v, w->value, w->count * sizeof *v);
        dscq_free(v);
    }
    ck_assert_int_eq(dscq_packed_next(&p, &n), DSCQ_PACKED_END);
    data[bytes / 2] ^= 4;
    ck_assert_int_eq(dscq_packed_open(&p, data, bytes), DSCQ_PACKED_DAMAGED);
    dscq_free(data);
    dscq_qmodel_destroy(m);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("pack_embed");
    TCase *tc = tcase_create("embed");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, board_reader_knows_the_operations, 0, DSCQ_Q_COUNT);
    tcase_add_loop_test(tc, board_reader_sees_the_same_network, 0, 60);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return test_run(make_suite);
}
