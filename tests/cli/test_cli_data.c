/* People's own data through the program: checked, trained on, answered. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/data/image.h"
#include "program.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void picture(const char *name, unsigned salt, int cls)
{
    dscq_error err = {DSCQ_OK, ""};
    char dir[4096];
    dscq_image im;

    dscq_path_dir(dir, sizeof dir, test_path(name));
    test_ok(dscq_path_make_dirs(dir, &err));
    test_ok(dscq_image_init(&im, 16, 16, 3, &err));
    for (int i = 0; i < 16 * 16 * 3; i++) /* the upper or the left half is bright */
        im.px[i] = (uint8_t)(((cls == 0 ? i < 384 : i / 3 % 16 < 8) ? 200 : 30) +
                             ((unsigned)i * 31 + salt * 17) % 40);
    test_ok(dscq_image_write_png(test_path(name), &im, &err));
    dscq_image_clear(&im);
}

#define NET                                                                            \
    "[net]\nwidth=16\nheight=16\nchannels=3\n"                                         \
    "[convolutional]\nfilters=8\nsize=3\nstride=2\npad=1\nbatch_normalize=1\n"         \
    "activation=relu\n[connected]\noutput=2\nactivation=linear\n[softmax]\n"
#define REST                                                                           \
    "[data]\ntype=folder\ntrain=p\n[train]\nepochs=3\nbatch=4\n"                       \
    "[compress]\nmethod=uniform\np=0\nb=8\nepochs=0\n"

static void make_classes(void)
{
    char name[64];

    (void)test_file("net.cfg", NET REST);
    for (unsigned i = 0; i < 16; i++) {
        (void)snprintf(name, sizeof name, "p/%s/%u.png", i % 2 == 0 ? "top" : "left",
                       i);
        picture(name, i, (int)(i % 2));
    }
}

START_TEST(training_without_a_validation_part)
{
    make_classes();
    test_program_ok("check net.cfg --set data.valid_frac=0");
    test_printed("without validation the last epoch is kept");
    test_program_ok("train net.cfg --set data.valid_frac=0 -o t");
    test_said(
        "no validation part (data.valid_frac = 0): the weights of the last epoch");
    test_printed("validation none  after 3 epochs\n");
    char *curve = test_read(test_path("t/curve.csv"));
    ck_assert_ptr_null(strstr(curve, "nan"));
    dscq_free(curve);
    test_program_ok("compress net.cfg --set data.valid_frac=0 -w t/float.ckpt -o c "
                    "--set compress.epochs=2");
    test_said("the scores are of the training pictures");
    test_printed("top-1 on the train part (16 images)");
    (void)test_kill_until_done(
        "compress net.cfg --set data.valid_frac=0 -w t/float.ckpt "
        "--set compress.epochs=2 -o k",
        "--resume", 0);
    test_same("c/packed.bin", "k/packed.bin");
    /* what cannot do without it says so */
    test_program_fails("compress net.cfg --set data.valid_frac=0 -w t/float.ckpt -o m "
                       "--set compress.epochs=2 --set compress.method=peak",
                       5, "decides by the validation score");
    test_program_fails(
        "sensitivity net.cfg --set data.valid_frac=0 -w t/float.ckpt -o s", 5,
        "the valid part of the data is empty; raise [data] valid_frac");
}
END_TEST

START_TEST(one_bad_picture_costs_one_answer)
{
    make_classes();
    test_program_ok("compress net.cfg -o c --quiet");
    picture("in/1.png", 1, 0);
    picture("in/sub/3.PNG", 3, 1);
    (void)test_file_bytes("in/2.jpg", "\xff\xd8\xff\xe0", 4);
    ck_assert_int_eq(mkfifo(test_path("in/4.png"), 0600), 0);
    (void)test_file_bytes("in/5.gif", "GIF89a", 6);
    (void)test_file_bytes("in/._1.png", "\0\5\26\7", 4);
    test_program_fails("run c/packed.bin in --csv", 5,
                       "2 of 4 pictures not read: in/2.jpg: damaged JPEG");
    test_said("in/4.png: is no ordinary file (a named pipe)");
    test_said("1 of the 4 pictures lie in sub-folders");
    test_said("1 picture of other kinds left out (first in/5.gif (GIF picture))");
    test_printed("in/1.png,1,");
    test_printed("in/sub/3.PNG,1,");
    /* JSON as well, and a single one as ever */
    test_program_fails("run c/packed.bin in --json", 5, "2 of 4 pictures not read");
    test_printed("\"in/1.png\"");
    test_program_fails("run c/packed.bin in/4.png", 7, "in/4.png: is no ordinary file");
    test_program_fails("run c/packed.bin in/2.jpg", 5, "dscq: in/2.jpg: damaged JPEG");
}
END_TEST

START_TEST(kinds_are_counted)
{
    make_classes();
    (void)test_file_bytes("p/top/x.gif", "GIF89a", 6);
    test_program_ok("check net.cfg --json");
    test_printed("\"pictures_read\": 16");
    test_printed("\"png\": 16");
    test_printed("other_kinds");
    (void)test_file("p/top/bad.png", "?");
    test_program_fails("check net.cfg --json", 5, "1 errors");
    test_printed("neither PNG, JPEG, BMP nor WebP");
}
END_TEST

START_TEST(the_number_of_classes_is_mended_where_it_stands)
{
    make_classes();
    test_program_fails("check net.cfg --set connected.output=7", 5, "1 errors");
    test_printed("--set connected.output: [connected] output = 7, but the data have 2 "
                 "classes; set output = 2");
    picture("p/third/1.png", 1, 0);
    test_program_fails(
        "train net.cfg -o t", 5,
        "net.cfg:13: [connected] output = 2, but the data have 3 classes; "
        "set output = 3");
}
END_TEST

/* One of every sort; the comment says which line. */
START_TEST(check_says_everything_at_once)
{
    static const char *const k_said[] = {
        "bad.cfg:4: chanels = '3': unknown key; did you mean 'channels'?",
        "bad.cfg:7: filters = 'abc': want a whole number",
        "bad.cfg:11: activation = 'rellu': want one of",
        "bad.cfg:12: 'no key here': want key=value or [section]",
        "bad.cfg:13: [conected]: unknown section; did you mean [connected]?",
        "bad.cfg:18: valid_frac = '2': want a number in [0, 0.9]",
        "bad.cfg:22: batchs = '8': unknown key; did you mean 'batch'?",
        "train.teacher: ",
        "[compress] method: unknown method 'unifrom'; did you mean 'uniform'?",
        "bad.cfg:26: b = '99': want a whole number in [1, 16]",
        "none.names: cannot open",
        "nowhere: cannot list",
        "elsewhere: cannot list",
        "p/top/bad.png: neither PNG",
        "'neither-key': want section.key=value",
    };

    make_classes();
    (void)test_file("p/top/bad.png", "?");
    (void)test_file("bad.cfg",
                    "[net]\nwidth=16\nheight=16\nchanels=3\nchannels=3\n" /* 1 */
                    "[convolutional]\nfilters=abc\nsize=3\nstride=2\npad=1\nactivation="
                    "rellu\n"                             /* 6 */
                    "no key here\n[conected]\noutput=9\n" /* 12 */
                    "[data]\ntype=folder\ntrain=p\nvalid_frac=2\nnames=none."
                    "names\ntest=nowhere\n"
                    "[train]\nbatchs=8\nteacher=no.ckpt\n"
                    "[compress]\nmethod=unifrom\nb=99\n[data2]\n");
    test_program_fails("check bad.cfg --set data.calibrate=elsewhere "
                       "--set neither-key",
                       5, " errors");
    char *out = test_read(test_path("stdout.txt"));
    for (size_t i = 0; i < sizeof k_said / sizeof *k_said; i++)
        ck_assert_msg(strstr(out, k_said[i]) != NULL, "'%s' in\n%s", k_said[i], out);
    ck_assert_ptr_null(strstr(out, "activation is missing")); /* it is wrong */
    dscq_free(out);
    /* one shape at a time, and what fits all the same */
    test_program_fails("check net.cfg --set convolutional.size=99 --set train.batchs=1",
                       5, "2 errors");
}
END_TEST

START_TEST(weights_are_checked_behind_their_network)
{
    make_classes();
    test_program_ok("train net.cfg -o t --quiet");
    test_program_ok("check net.cfg t/float.ckpt");
    test_program_fails("check net.cfg t/float.ckpt --set convolutional.filters=4", 5,
                       "1 errors");
    test_printed("the weights do not fit net.cfg");
}
END_TEST

#define DETECTOR(more)                                                                 \
    "[net]\nwidth=16\nheight=16\nchannels=3\n"                                         \
    "[convolutional]\nfilters=14\nsize=1\nstride=4\nactivation=linear\n"               \
    "[yolo]\nmask=0,1\nanchors=4,4, 8,8\nclasses=2\nnum=2\n"                           \
    "[data]\ntype=yolo\ntrain=images\n[train]\nepochs=1\nbatch=2\n" more

START_TEST(a_head_has_a_class_for_every_class)
{
    (void)test_file("net.cfg", DETECTOR(""));
    (void)test_file("more.cfg", DETECTOR("[compress]\nepochs=0\n"));
    for (unsigned i = 0; i < 8; i++) {
        char name[32], text[64];

        (void)snprintf(name, sizeof name, "images/%u.png", i);
        picture(name, i, 0);
        (void)mkdir(test_path("labels"), 0700);
        (void)snprintf(name, sizeof name, "labels/%u.txt", i);
        (void)snprintf(text, sizeof text, "%u .5 .5 .5 .5\n", i % 3);
        (void)test_file(name, text);
    }
    test_program_fails("check net.cfg", 5, "1 errors");
    test_printed(
        "net.cfg:13: [yolo] classes = 2, but the data have 3 classes; set classes "
        "= 3 and filters = 16 in the layer before it");
    test_program_fails("train net.cfg -o t", 5, "[yolo] classes = 2");
    for (unsigned i = 2; i < 8; i += 3) {
        char name[32];
        (void)snprintf(name, sizeof name, "labels/%u.txt", i);
        (void)test_file(name, "0 .5 .5 .5 .5\n");
    }
    test_program_ok("check net.cfg");
    test_program_ok("train net.cfg -o t --set data.valid_frac=0");
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("cli/data", &tc);

    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, training_without_a_validation_part);
    tcase_add_test(tc, one_bad_picture_costs_one_answer);
    tcase_add_test(tc, kinds_are_counted);
    tcase_add_test(tc, check_says_everything_at_once);
    tcase_add_test(tc, weights_are_checked_behind_their_network);
    tcase_add_test(tc, the_number_of_classes_is_mended_where_it_stands);
    tcase_add_test(tc, a_head_has_a_class_for_every_class);
    return s;
}

int main(void)
{
    return test_run(make);
}
