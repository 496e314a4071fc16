/* The rules a reader enforces: a legal network with one thing wrong is refused with
 * words that name it. */
#include "dscq/base/alloc.h"
#include "dscq/base/rng.h"
#include "dscq/qnet/qmodel.h"
#include "qmodel_legal.h"
#include "qmodel_random.h"
#include "support.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One line each: what is broken, and a word the message must hold. */
#define BREAK_LIST(X)                                                                  \
    X(m->tensor[1].bits = 17, "17 bits")                                               \
    X(m->tensor[1].bits = 3, "3 bits")                                                 \
    X(m->tensor[0].zero_point = 128, "zero point 128")                                 \
    X(m->tensor[0].scale = 0, "scale 0")                                               \
    X(m->tensor[0].scale = (double)INFINITY, "scale inf")                              \
    X(m->tensor[0].h = 0, "not a shape")                                               \
    X(m->tensor[1].c = 5, "'a' (conv)")                                                \
    X(m->tensor[0].name[0] = '\n', "control character")                                \
    X(m->tensor[0].name[0] = 0, "empty")                                               \
    X(m->node[1].name[0] = 'a', "both 'a'")                                            \
    X(m->node[0].input[0] = 3, "reads tensor 3")                                       \
    X(m->node[0].input[0] = -1, "reads tensor -1")                                     \
    X(m->node[1].output = 1, "already has a producer")                                 \
    X(m->node[0].op = (dscq_qop)DSCQ_Q_COUNT, "unknown")                               \
    X(m->node[0].stride_h = 0, "stride or dilation 0")                                 \
    X(m->node[0].pad_left = -1, "padding -1")                                          \
    X(m->node[0].groups = 3, "3 groups")                                               \
    X(m->node[0].clamp_hi = 128, "clamp")                                              \
    X(m->node[0].clamp_lo = 128, "clamp")                                              \
    X(m->node[0].slope_q15 = 32769, "slope")                                           \
    X(m->node[0].mult[2] = 100, "not normalised")                                      \
    X(m->node[0].shift[2] = 1, "not normalised")                                       \
    X(m->node[0].shift[2] = 48, "r 48")                                                \
    X(m->node[0].mult[1] = INT16_MIN, "m -32768")                                      \
    X(m->node[0].bias[3] = 1 << 23, "24 bits")                                         \
    X(m->node[0].weights->value[0] = 5, "not in the codebook")                         \
    X(m->node[0].weights->codebook[0] = 1, "entry 0 is 1")                             \
    X(m->node[0].weights->codebook[2] = 100, "both 100")                               \
    X(m->node[0].weights->codebook_count = 5, "5 entries")                             \
    X(m->node[0].weights->bits = 9, "9-bit")                                           \
    X(m->node[0].weights->k = 3, "weights of 3")                                       \
    X(m->node[0].scale_count = 3, "3 scale entries")                                   \
    X(m->node[1].input_count = 1, "1 inputs")                                          \
    X(m->node[1].input_count = 17, "17 inputs")                                        \
    X(m->node[1].shift[1] = 3, "differs")                                              \
    X(m->node[2].scale_key[0] = 3, "4 positions")                                      \
    X((m->node[2].pad_top = 2, m->tensor[3].h = m->tensor[4].h = 4), "padding alone")  \
    X(m->node[2].kernel_w = 0, "window of 2 x 0")                                      \
    X(m->node[3].table[9] = 128, "table entry 9")                                      \
    X(m->node[3].table_count = 255, "255 table entries")                               \
    X(m->output[0].tensor = 5, "no tensor 5")                                          \
    X(m->output[0].role[0] = 0, "role")                                                \
    X(m->input[0].tensor = 9, "no tensor 9")                                           \
    X(m->input[0].mean[1] = (double)NAN, "not a number")                               \
    X(m->input[0].resize_mode = 3, "resize 3")                                         \
    X(m->input[0].resize_filter = 5, "filter 5")                                       \
    X(m->input[0].colour_order = 3, "order 3")                                         \
    X(m->tensor[0].name[0] = '\xe4', "not UTF-8")                                      \
    X(m->output[0].params[0] = '\t', "settings")                                       \
    X(m->digest_inputs = 1, "digests without")                                         \
    X(m->class_count = 1, "class names")                                               \
    X(m->node_count = 0, "0 nodes")

/* Break thing i. */
static void breaks(int i, dscq_qmodel *m, const char **what, const char **word)
{
    int at = 0;

#define X(stmt, text)                                                                  \
    if (at++ == i) {                                                                   \
        stmt;                                                                          \
        *what = #stmt;                                                                 \
        *word = text;                                                                  \
    }
    BREAK_LIST(X)
#undef X
}

START_TEST(one_broken_thing_is_refused_by_name)
{
    const char *what = NULL, *word = NULL;
    dscq_qmodel *m = qmodel_legal();
    dscq_error err;

    ck_assert_msg(dscq_qmodel_check(m, &err) == DSCQ_OK, "%s", err.msg);
    const int32_t nodes = m->node_count;
    breaks(_i, m, &what, &word);
    const dscq_status status = dscq_qmodel_check(m, &err);
    ck_assert_msg(status == DSCQ_FORMAT || status == DSCQ_UNSUPPORTED, "%s: %s", what,
                  dscq_status_name(status));
    ck_assert_msg(strstr(err.msg, word) != NULL, "%s: '%s' lacks '%s'", what, err.msg,
                  word);
    m->node_count = nodes; /* so that everything is freed */
    dscq_qmodel_destroy(m);
}
END_TEST

START_TEST(an_accumulator_that_could_overflow_is_refused)
{
    dscq_qmodel *m = qmodel_legal();
    dscq_qweights *w = m->node[0].weights;
    dscq_error err;

    w->form = DSCQ_FORM_LINEAR;
    w->bits = 16;
    m->tensor[0].bits = 16;
    for (size_t i = 0; i < 36; i++)
        w->value[i] = 1820; /* 36 * 1820 * 32768 = 2147 M < 2^31 */
    ck_assert_msg(dscq_qmodel_check(m, &err) == DSCQ_OK, "%s", err.msg);
    w->value[0] = 1841; /* 32768 * 65541 > 2^31 - 1 */
    ck_assert_int_eq(dscq_qmodel_check(m, &err), DSCQ_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.msg, "channel 0"));
    dscq_qmodel_destroy(m);
}
END_TEST

START_TEST(the_table_is_the_only_factor_of_an_lrn)
{
    const qmodel_random_opts o = {
        .nodes = 1, .max_side = 4, .max_channels = 9, .ops = 1U << DSCQ_Q_LRN};
    dscq_rng g = dscq_rng_seeded(3);
    dscq_qmodel *m;
    dscq_error err;

    ck_assert_msg(qmodel_random(&m, &g, &o, &err) == DSCQ_OK, "%s", err.msg);
    ck_assert_int_eq(m->node[0].op, DSCQ_Q_LRN);
    m->node[0].mult[0] = 1;
    ck_assert_int_eq(dscq_qmodel_check(m, &err), DSCQ_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.msg, "m 1; want 0"));
    dscq_qmodel_destroy(m);
}
END_TEST

START_TEST(multipliers_are_normalised_and_near)
{
    dscq_rng g = dscq_rng_seeded(2);
    int16_t m;
    uint8_t r;

    for (int i = 0; i < 20000; i++) {
        const double f =
            ldexp(0.5 + dscq_rng_unit64(&g) / 2.0, (int)dscq_rng_below(&g, 47) - 31) *
            (dscq_rng_below(&g, 2) ? 1 : -1);
        ck_assert_int_eq(dscq_qmultiplier(&m, &r, f), 1);
        ck_assert_msg(abs(m) >= 16384 && abs(m) <= 32767 && r <= 47, "%g: %d, %u", f, m,
                      r);
        ck_assert_double_le(fabs(m * ldexp(1.0, -r) / f - 1.0), 1.0 / 32768.0);
    }
    ck_assert_int_eq(dscq_qmultiplier(&m, &r, 0.0), 1);
    ck_assert_int_eq(m, 0);
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(dscq_qmultiplier(&m, &r, 32768.0), 0);
    ck_assert_int_eq(dscq_qmultiplier(&m, &r, (double)NAN), 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("qnet_check");
    TCase *tc = tcase_create("check");
    int count = 0;

#define X(stmt, word) count++;
    BREAK_LIST(X)
#undef X
    tcase_add_loop_test(tc, one_broken_thing_is_refused_by_name, 0, count);
    tcase_add_test(tc, an_accumulator_that_could_overflow_is_refused);
    tcase_add_test(tc, the_table_is_the_only_factor_of_an_lrn);
    tcase_add_test(tc, multipliers_are_normalised_and_near);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return test_run(make_suite);
}
