/* Starting from other weights, teachers, and comparing two runs, by the program. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/nn/checkpoint.h"
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NET(stem, mid, head, classes)                                                  \
    "[net]\nwidth=16\nheight=16\nchannels=3\n"                                         \
    "[convolutional]\nname=" stem "\nfilters=8\nsize=3\nstride=2\npad=1\n"             \
    "batch_normalize=1\nactivation=relu\n"                                             \
    "[convolutional]\nname=" mid "\nfilters=16\nsize=3\nstride=2\npad=1\n"             \
    "batch_normalize=1\nactivation=relu\n"                                             \
    "[avgpool]\n[connected]\nname=" head "\noutput=" classes "\nactivation=linear\n"   \
    "[softmax]\n"                                                                      \
    "[data]\ntype=signs\nclasses=" classes "\ncount=200\ntest_count=60\n"              \
    "valid_frac=0.2\n"                                                                 \
    "[train]\nepochs=2\nbatch=16\nlearning_rate=0.05\n"

static void make_reference(void)
{
    test_file("net.cfg", NET("stem", "mid", "head", "4"));
    test_file("wider.cfg", NET("stem", "mid", "head", "6"));
    test_file("renamed.cfg", NET("first", "second", "last", "4"));
    test_program_ok("train net.cfg -o one -q");
}

/* Whether array `x` of file a equals array `y` of file b. */
static int same(const char *a, const char *x, const char *b, const char *y)
{
    dscq_checkpoint *p = NULL, *q = NULL;
    size_t n = 0, m = 0;

    ck_assert_int_eq(dscq_checkpoint_read(&p, test_path(a), NULL), DSCQ_OK);
    ck_assert_int_eq(dscq_checkpoint_read(&q, test_path(b), NULL), DSCQ_OK);
    const float *v = dscq_checkpoint_find(p, x, DSCQ_ENTRY_F32, &n);
    const float *w = dscq_checkpoint_find(q, y, DSCQ_ENTRY_F32, &m);
    ck_assert(v != NULL && w != NULL && n == m);
    const int equal = memcmp(v, w, n * sizeof *v) == 0;
    dscq_checkpoint_destroy(p);
    dscq_checkpoint_destroy(q);
    return equal;
}

START_TEST(a_head_starts_afresh_when_asked)
{
    test_program_ok("train net.cfg -o fresh -q --set train.epochs=0");
    test_program_ok(
        "train net.cfg -o again -q --set train.epochs=0 -w one/float.ckpt --set "
        "train.reinit_layers=head");
    ck_assert(same("again/float.ckpt", "mid.weight", "one/float.ckpt", "mid.weight"));
    ck_assert(same("again/float.ckpt", "mid.var", "one/float.ckpt", "mid.var"));
    ck_assert(
        same("again/float.ckpt", "head.weight", "fresh/float.ckpt", "head.weight"));
    ck_assert(
        !same("fresh/float.ckpt", "head.weight", "one/float.ckpt", "head.weight"));
    test_program_fails("train net.cfg -o bad -q -w one/float.ckpt --set "
                       "train.reinit_layers=haed",
                       5, "haed");
    /* evaluation takes the file as it is */
    test_program_ok("eval net.cfg -w one/float.ckpt --set train.reinit_layers=head "
                    "--predictions a.csv");
    test_program_ok("eval net.cfg -w one/float.ckpt --against a.csv");
}
END_TEST

START_TEST(another_number_of_classes_keeps_the_body)
{
    test_program_ok(
        "train wider.cfg -o six -q -w one/float.ckpt --set train.epochs=1 --set "
        "train.freeze=stem,mid");
    ck_assert(same("six/float.ckpt", "mid.weight", "one/float.ckpt", "mid.weight"));
    ck_assert(same("six/float.ckpt", "stem.mean", "one/float.ckpt", "stem.mean"));
    test_program_fails(
        "train wider.cfg -o bad -q -w one/float.ckpt --set train.freeze=body*", 5,
        "body*");
}
END_TEST

START_TEST(other_names_load_by_order)
{
    test_program_fails("train renamed.cfg -o bad -q -w one/float.ckpt", 5,
                       "no layer has the name");
    test_program_ok(
        "train renamed.cfg -o by_order -q --set train.epochs=0 -w one/float.ckpt "
        "--set train.load=order");
    ck_assert(
        same("by_order/float.ckpt", "second.weight", "one/float.ckpt", "mid.weight"));
    ck_assert(same("by_order/float.ckpt", "last.bias", "one/float.ckpt", "head.bias"));
}
END_TEST

START_TEST(a_teacher_steers_training_and_fine_tuning)
{
    test_program_ok("train net.cfg -o alone -q --set train.epochs=1");
    test_program_ok("train net.cfg -o pupil -q --set train.epochs=1 --set "
                    "train.distil_weight=0.7 --set train.teacher=one/float.ckpt");
    ck_assert(
        !same("alone/float.ckpt", "mid.weight", "pupil/float.ckpt", "mid.weight"));
    /* another network teaches, as long as it answers in the same classes */
    test_program_ok("train renamed.cfg -o other -q");
    test_program_ok(
        "train net.cfg -o second -q --set train.epochs=1 --set "
        "train.distil_weight=0.7 --set train.teacher=other/float.ckpt --set "
        "train.teacher_net=renamed.cfg");
    test_program_fails("train net.cfg -o bad -q --set train.distil_weight=0.7 --set "
                       "train.teacher=one/float.ckpt --set train.teacher_net=wider.cfg",
                       5, "teacher");
    test_program_ok(
        "compress net.cfg -o small -q -w one/float.ckpt --set compress.epochs=1 "
        "--set train.distil_weight=0.7 --set train.teacher=one/float.ckpt");
}
END_TEST

START_TEST(runs_are_compared_on_the_same_images)
{
    test_program_ok(
        "train net.cfg -o short -q --set train.epochs=1 --set train.seed=3");
    test_program_ok("eval net.cfg -w short/float.ckpt --predictions short.csv");
    test_program_ok("eval net.cfg -w short/float.ckpt --against short.csv");
    test_printed("earlier only right 0, this only right 0, McNemar p = 1");
    test_program_ok("eval net.cfg -w one/float.ckpt --against short.csv");
    test_printed("McNemar p = ");
    test_program_fails(
        "eval net.cfg -w one/float.ckpt --against short.csv --split valid", 5,
        "short.csv:2");
    char *text = test_read(test_path("short.csv"));
    text[strlen(text) - 1] = '\0'; /* the last line ends without its newline */
    test_file("cut.csv", text);
    test_program_fails("eval net.cfg -w one/float.ckpt --against cut.csv", 5,
                       "cut.csv:61");
    memcpy(text, "label,predicted,imagE", 21);
    test_file("bad.csv", text);
    test_program_fails("eval net.cfg -w one/float.ckpt --against bad.csv", 5,
                       "bad.csv:1");
    dscq_free(text);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("transfer", &tc);

    tcase_add_checked_fixture(tc, make_reference, NULL);
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, a_head_starts_afresh_when_asked);
    tcase_add_test(tc, another_number_of_classes_keeps_the_body);
    tcase_add_test(tc, other_names_load_by_order);
    tcase_add_test(tc, a_teacher_steers_training_and_fine_tuning);
    tcase_add_test(tc, runs_are_compared_on_the_same_images);
    return s;
}

int main(void)
{
    return test_run(make);
}
