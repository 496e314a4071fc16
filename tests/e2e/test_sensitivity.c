/* dscq sensitivity on a tiny network: the same bytes for any number of threads and
 * after kill -9, a recipe that compress reads, and refusals. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/json.h"
#include "program.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const k_net =
    "[net]\nwidth=16\nheight=16\nchannels=3\n"
    "[convolutional]\nname=first\nfilters=8\nsize=3\nstride=2\npad=1\n"
    "batch_normalize=1\nactivation=relu\n"
    "[depthwise]\nname=deep\nsize=3\npad=1\nbatch_normalize=1\nactivation=relu\n"
    "[convolutional]\nname=wide\nfilters=24\nsize=1\nbatch_normalize=1\n"
    "activation=relu\n"
    "[avgpool]\n[connected]\nname=fc\noutput=4\nactivation=linear\n[softmax]\n"
    "[data]\ntype=signs\nclasses=4\ncount=1000\ntest_count=100\nvalid_frac=0.3\n"
    "difficulty=0\n"
    "[train]\nepochs=10\nbatch=16\nlearning_rate=0.1\n"
    "[compress]\nmethod=dsc_clipq\nepochs=1\n"
    "[sensitivity]\nprune=0.5,0.9\nbits=2,4,8\nchannels=0.5\nnorm_images=64\n"
    "max_loss=0.05\n";

static void world(void)
{
    test_file("net.cfg", k_net);
    test_program_ok("sensitivity net.cfg -o one --threads 1 --quiet --json=one.json");
}

static double drop_of(const dscq_json *rows, const char *layer, const char *probe,
                      double value)
{
    for (size_t i = 0; i < dscq_json_count(rows); i++) {
        const dscq_json *r = dscq_json_at(rows, i);
        if (strcmp(dscq_json_text(dscq_json_get(r, "layer"), ""), layer) == 0 &&
            strcmp(dscq_json_text(dscq_json_get(r, "probe"), ""), probe) == 0 &&
            fabs(dscq_json_real(dscq_json_get(r, "value"), -1) - value) < 1e-9)
            return dscq_json_real(dscq_json_get(r, "drop_frac"), -9);
    }
    ck_abort_msg("no cell %s %s %g", layer, probe, value);
    return 0;
}

START_TEST(every_cell_is_there_and_harder_costs_more)
{
    dscq_json *j = NULL;

    if (!test_has_json())
        return;
    ck_assert_int_eq(dscq_json_load(&j, test_path("one.json"), NULL), DSCQ_OK);
    const dscq_json *rows = dscq_json_get(j, "sensitivity");
    ck_assert_uint_eq(dscq_json_count(rows), 3 * 6 + 5); /* classes are no channels */
    ck_assert_uint_eq(dscq_json_count(dscq_json_get(j, "layers")), 4);
    ck_assert_int_eq(dscq_json_int(dscq_json_get(j, "images"), 0), 300);
    ck_assert_double_gt(dscq_json_real(dscq_json_get(j, "score_frac"), 0), 0.6);
    ck_assert_double_gt(drop_of(rows, "wide", "prune", 0.9),
                        drop_of(rows, "wide", "bits", 8) + 0.02);
    dscq_json_free(j);
    const char *const files[] = {"one/sensitivity.csv", "one/verdicts.csv",
                                 "one/sensitivity.svg", "one/sensitivity.png",
                                 "one/recipe.cfg",      "one/float.ckpt"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        ck_assert_msg(dscq_path_exists(test_path(files[i])), "no %s", files[i]);
}
END_TEST

START_TEST(threads_and_kills_change_no_byte)
{
    const char *const files[] = {"sensitivity.json", "sensitivity.csv", "verdicts.csv",
                                 "sensitivity.svg",  "sensitivity.png", "recipe.cfg"};

    test_program_ok("sensitivity net.cfg -o two -w one/float.ckpt --threads 2 --quiet");
    const int kills = test_kill_until_done(
        "sensitivity net.cfg -o three -w one/float.ckpt --threads 1 --quiet",
        "--resume", 0);
    ck_assert_int_gt(kills, 0);
    test_same_files("one", "two", files, sizeof files / sizeof *files);
    test_same_files("one", "three", files, sizeof files / sizeof *files);
}
END_TEST

START_TEST(a_journal_of_something_else_is_refused)
{
    ck_assert_int_eq(test_program("sensitivity net.cfg -o one --quiet"), 2);
    test_said("--resume continues that run");
    if (!test_has_json())
        return;
    ck_assert_int_eq(test_program("sensitivity net.cfg -o one --resume --quiet "
                                  "--set sensitivity.images=90"),
                     5);
    test_said("begun with sensitivity.images = 2000, now it is 90");
    test_program_ok("sensitivity net.cfg -o one --resume --quiet");
}
END_TEST

START_TEST(compress_reads_the_recipe)
{
    test_program_ok("compress net.cfg -w one/float.ckpt --recipe one/recipe.cfg -o "
                    "packed --quiet");
    char *layers = test_read(test_path("packed/layers.csv"));
    char *recipe = test_read(test_path("one/recipe.cfg"));
    ck_assert(strstr(recipe, "match = wide") != NULL);
    ck_assert(strstr(layers, "wide") != NULL);
    dscq_free(layers);
    dscq_free(recipe);
    test_file("bad.cfg", "[compress]\np=0.5\n");
    ck_assert_int_eq(test_program("compress net.cfg --recipe bad.cfg -o x --quiet"), 5);
    test_said("bad.cfg:1: [compress]: a recipe has [compress_layer] sections only");
    test_file("bad.cfg", "[compress_layer]\nmatch=nobody\nb=3\n");
    ck_assert_int_eq(test_program("compress net.cfg --recipe bad.cfg -o x --quiet"), 5);
    test_said("nobody");
    ck_assert(!dscq_path_exists(test_path("x")));
}
END_TEST

/* Grey pictures as MNIST keeps them; there is no test file: whoever opens it fails. */
START_TEST(the_test_part_is_left_alone)
{
    enum { IMAGES = 80, SIDE = 16, HEAD = 16 };
    static uint8_t image[HEAD + IMAGES * SIDE * SIDE] = {0, 0, 8, 3,    0, 0, 0, IMAGES,
                                                         0, 0, 0, SIDE, 0, 0, 0, SIDE};
    static uint8_t label[8 + IMAGES] = {0, 0, 8, 1, 0, 0, 0, IMAGES};

    for (size_t i = 0; i < IMAGES * SIDE * SIDE; i++)
        image[HEAD + i] = (uint8_t)(i * i / 7);
    for (size_t i = 0; i < IMAGES; i++)
        label[8 + i] = (uint8_t)(i % 4);
    test_file_bytes("images.idx", image, sizeof image);
    test_file_bytes("labels.idx", label, sizeof label);
    test_program_ok("sensitivity net.cfg -o none --quiet --set data.type=idx --set "
                    "data.train=images.idx --set data.train_labels=labels.idx --set "
                    "data.test=absent.idx --set data.test_labels=absent.idx --set "
                    "net.channels=1 --set train.epochs=1");
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("sensitivity", &tc);

    tcase_add_checked_fixture(tc, world, NULL);
    tcase_set_timeout(tc, 400);
    tcase_add_test(tc, every_cell_is_there_and_harder_costs_more);
    tcase_add_test(tc, threads_and_kills_change_no_byte);
    tcase_add_test(tc, a_journal_of_something_else_is_refused);
    tcase_add_test(tc, compress_reads_the_recipe);
    tcase_add_test(tc, the_test_part_is_left_alone);
    return s;
}

int main(void)
{
    return test_run(make);
}
