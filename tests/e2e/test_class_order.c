/* A packed network keeps the names of its classes: data that number them otherwise are
 * matched by name, data with other names are refused. */
#define _XOPEN_SOURCE 700
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/data/image.h"
#include "dscq/pack/pack.h"
#include "dscq/qnet/qmodel.h"
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NET                                                                            \
    "[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nfilters=8\nsize=3\npad="   \
    "1\n"                                                                              \
    "batch_normalize=1\nactivation=relu\n[connected]\noutput=3\nactivation=linear\n"   \
    "[softmax]\n[data]\ntype=folder\ntrain=train\nvalid_frac=0.2\n"                    \
    "[train]\nepochs=20\nbatch=8\n[compress]\nepochs=0\nmethod=uniform\nb=8\np=0\n"

static const char *const k_class[] = {"cherry", "apple", "banana"};
enum { CLASSES = 3, EACH = 12 };

/* A picture of one colour, a little lighter or darker. */
static void write_picture(const char *name, int cls, int k)
{
    dscq_image im = {0};
    dscq_error err = {0};

    test_ok(dscq_image_init(&im, 8, 8, 3, &err));
    for (int i = 0; i < 8 * 8 * 3; i++)
        im.px[i] = (uint8_t)((i % 3 == cls ? 200 : 30) + 3 * k);
    test_ok(dscq_image_write_png(test_path(name), &im, &err));
    dscq_image_clear(&im);
}

static void make_pictures(void)
{
    char name[200];

    for (int c = 0; c < CLASSES; c++) {
        (void)snprintf(name, sizeof name, "train/%s", k_class[c]);
        (void)dscq_path_make_dirs(test_path(name), NULL);
        for (int k = 0; k < EACH; k++) {
            (void)snprintf(name, sizeof name, "train/%s/%d.png", k_class[c], k);
            write_picture(name, c, k);
        }
    }
    test_file("net.cfg", NET);
    test_program_ok("compress net.cfg -o run -q");
    test_program_ok("eval net.cfg -p run/packed.bin --split valid");
    test_printed("top-1 100.00 %");
}

/* The pictures as a list, classes from the last to the first, each called as[c]. */
static void make_list(const char *name, const char *const as[CLASSES])
{
    char text[8000] = "", line[200];

    for (int c = CLASSES; c-- > 0;)
        for (int k = 0; k < EACH; k++) {
            (void)snprintf(line, sizeof line, "train/%s/%d.png,%s\n", k_class[c], k,
                           as[c]);
            strcat(text, line);
        }
    test_file(name, text);
}

#define LIST                                                                           \
    " --set data.type=list --set data.train=list.csv --set data.valid_frac=0 --split " \
    "train"

START_TEST(another_order_is_matched_by_name)
{
    make_list("list.csv", k_class);
    test_file("names.txt", "banana\ncherry\napple\n");
    test_program_ok("eval net.cfg -p run/packed.bin --per-class" LIST
                    " --set data.names=names.txt");
    test_printed("top-1 100.00 %");
    test_said("matched by name");
    test_program_ok("eval net.cfg -p run/packed.bin --baseline run/packed.bin" LIST
                    " --set data.names=names.txt");
    test_printed("baseline top-1 100.00 %");
}
END_TEST

START_TEST(other_names_are_refused_with_both_lists)
{
    static const char *const k_other[] = {"cherry", "apple", "pear"};

    make_list("list.csv", k_other);
    test_program_fails("eval net.cfg -p run/packed.bin" LIST, 5,
                       "(apple, banana, cherry)");
    test_said("pear");
}
END_TEST

START_TEST(numbers_are_no_names)
{
    static const char *const k_numbers[] = {"2", "0", "1"}; /* as the folder sorts */

    make_list("list.csv", k_numbers);
    test_file("names.txt", "0\n1\n2\n");
    test_program_ok("eval net.cfg -p run/packed.bin -q" LIST
                    " --set data.names=names.txt");
    test_printed("top-1 100.00 %");
    test_said("warning: the classes of the data have no names: matched by number");
}
END_TEST

/* ---- detectors ------------------------------------------------------------------- */

#define DETECTOR                                                                       \
    "[net]\nwidth=32\nheight=32\nchannels=3\n[convolutional]\nfilters=8\nsize=3\n"     \
    "stride=2\npad=1\nbatch_normalize=1\nactivation=relu\n[convolutional]\n"           \
    "filters=8\nsize=3\nstride=2\npad=1\nbatch_normalize=1\nactivation=relu\n"         \
    "[convolutional]\nfilters=14\nsize=1\nactivation=linear\n"                         \
    "[yolo]\nmask=0,1\nnum=2\nclasses=2\nanchors=8,8, 14,14\n[data]\n"                 \
    "type=signs_detect\nclasses=2\nobjects=2\ncount=300\ntest_count=60\n"              \
    "valid_frac=0.2\ndifficulty=0\n[train]\nepochs=25\nbatch=16\noptimiser=adamw\n"    \
    "learning_rate=0.02\n[compress]\nepochs=0\nmethod=uniform\nb=8\np=0\n"

static double packed_map(void)
{
    char *text = test_read(test_path("stdout.txt"));
    const char *at = strstr(text, "packed");
    const double map = at != NULL ? strtod(strpbrk(at, "0123456789"), NULL) : -1;

    dscq_free(text);
    return map;
}

/* The same file, its two classes called otherwise. */
static void rename_classes(const char *first, const char *second)
{
    dscq_pack_options po;
    dscq_error err = {0};
    dscq_qmodel *q = NULL;
    uint8_t *data = NULL;
    size_t bytes;

    test_ok(dscq_pack_read(&q, test_path("d/packed.bin"), &err));
    ck_assert_int_eq(q->class_count, 2);
    (void)snprintf(q->class_name[0], sizeof *q->class_name, "%s", first);
    (void)snprintf(q->class_name[1], sizeof *q->class_name, "%s", second);
    test_ok(dscq_pack_options_parse(&po, "machine", &err));
    test_ok(dscq_pack_encode(&data, &bytes, q, &po, &err));
    test_file_bytes("renamed.bin", data, bytes);
    dscq_free(data);
    dscq_qmodel_destroy(q);
}

START_TEST(boxes_are_matched_by_name_too)
{
    dscq_error err = {0};
    dscq_qmodel *q = NULL;
    char first[64], second[64];

    test_file("d.cfg", DETECTOR);
    test_program_ok("compress d.cfg -o d -q");
    test_program_ok("eval d.cfg -p d/packed.bin");
    const double map = packed_map();
    ck_assert_double_gt(map, 20);
    test_ok(dscq_pack_read(&q, test_path("d/packed.bin"), &err));
    (void)snprintf(first, sizeof first, "%s", q->class_name[0]);
    (void)snprintf(second, sizeof second, "%s", q->class_name[1]);
    dscq_qmodel_destroy(q);
    ck_assert_str_ne(first, "0");
    rename_classes(second, first); /* what it finds are the others now */
    test_program_ok("eval d.cfg -p renamed.bin");
    test_said("matched by name");
    ck_assert_double_lt(packed_map(), map / 2);
    rename_classes("dog", "cat");
    test_program_fails("eval d.cfg -p renamed.bin", 5, "(dog, cat)");
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("class_order", &tc);

    tcase_add_checked_fixture(tc, make_pictures, NULL);
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, another_order_is_matched_by_name);
    tcase_add_test(tc, other_names_are_refused_with_both_lists);
    tcase_add_test(tc, numbers_are_no_names);
    tcase_add_test(tc, boxes_are_matched_by_name_too);
    return s;
}

int main(void)
{
    return test_run(make);
}
