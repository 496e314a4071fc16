/* Every type of data set from files made here: what is read, and what is refused. */
#include "dscq/base/alloc.h"
#include "dscq/data/batch.h"
#include "test_data_util.h"

#include <stdlib.h>

/* ---- makers ---- */

/* n pictures of 4x3 whose pixels count up; labels i % 3. */
static void make_idx(const char *stem, uint8_t n, int cut)
{
    uint8_t px[16 + 255 * 12] = {0, 0, 8, 3, 0, 0, 0, n, 0, 0, 0, 3, 0, 0, 0, 4};
    uint8_t lb[8 + 255] = {0, 0, 8, 1, 0, 0, 0, n};
    char name[64];

    for (int i = 0; i < n * 12; i++)
        px[16 + i] = (uint8_t)i;
    for (int i = 0; i < n; i++)
        lb[8 + i] = (uint8_t)(i % 3);
    (void)snprintf(name, sizeof name, "%s-images-idx3-ubyte", stem);
    (void)test_file_bytes(name, px, (size_t)(16 + n * 12 - cut));
    (void)snprintf(name, sizeof name, "%s-labels-idx1-ubyte", stem);
    (void)test_file_bytes(name, lb, (size_t)(8 + n));
}

static void make_cifar(const char *name, int records, int label_bytes, uint8_t label)
{
    const size_t one = (size_t)label_bytes + 3072;
    uint8_t *data = calloc((size_t)records, one);

    for (int i = 0; i < records; i++) {
        uint8_t *r = data + (size_t)i * one;
        r[0] = (uint8_t)(label_bytes == 2 ? 3 : label);
        r[label_bytes - 1] = label;
        for (int k = 0; k < 3; k++)
            memset(r + label_bytes + 1024 * k, 10 * k + i, 1024);
    }
    (void)test_file_bytes(name, data, (size_t)records * one);
    free(data);
}

/* ---- formats ---- */

START_TEST(idx_is_read)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_dataset *d;
    dscq_image im;
    char text[64];

    make_idx("a", 30, 0);
    test_ok(data_open_set(&d, "type=idx train=a-images-idx3-ubyte valid_frac=0", &err));
    ck_assert_uint_eq(dscq_dataset_count(d, DSCQ_SPLIT_TRAIN), 30);
    ck_assert_uint_eq(dscq_dataset_count(d, DSCQ_SPLIT_VALID), 0);
    ck_assert_int_eq(dscq_dataset_classes(d), 3);
    ck_assert_str_eq(dscq_dataset_class_name(d, 2), "2");
    ck_assert_int_eq(dscq_dataset_label(d, DSCQ_SPLIT_TRAIN, 7), 1);
    const dscq_preproc *p = dscq_dataset_preproc(d);
    ck_assert_int_eq(p->width, 4);
    ck_assert_int_eq(p->height, 3);
    ck_assert_int_eq(p->channels, 1);
    test_ok(dscq_dataset_image(&im, d, DSCQ_SPLIT_TRAIN, 2, &err));
    ck_assert_int_eq(im.px[5], 29);
    dscq_image_clear(&im);
    (void)dscq_dataset_origin(text, sizeof text, d, DSCQ_SPLIT_TRAIN, 2);
    ck_assert_str_eq(text, "a-images-idx3-ubyte[2]");
    ck_assert_int_eq(dscq_dataset_has_test(d), 0);
    test_fails(dscq_dataset_open_test(d, &err), DSCQ_ARG,
               "no test part: set data.test, or data.test_frac to hold back a share of "
               "the training source");
    dscq_dataset_destroy(d);
}
END_TEST

START_TEST(mean_and_deviation_are_measured_exactly)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_dataset *d;

    make_idx("m", 20, 0); /* bytes 0..239 once each */
    test_ok(data_open_set(&d, "type=idx train=m-images-idx3-ubyte valid_frac=0", &err));
    const dscq_preproc *p = dscq_dataset_preproc(d);
    ck_assert_double_eq_tol((double)p->mean[0], 119.5 / 255, 1e-7);
    ck_assert_double_eq_tol((double)p->std[0], 69.2814 / 255,
                            1e-6); /* sqrt((240^2-1)/12) */
    dscq_dataset_destroy(d);
    test_ok(data_open_set(
        &d, "type=idx train=m-images-idx3-ubyte mean=0.5 std=0.25 pixel_scale=0.01",
        &err));
    float x[12];
    const uint32_t index = 0;
    test_ok(dscq_batch_fill(x, NULL, d, DSCQ_SPLIT_TRAIN, &index, 1, &err));
    ck_assert_double_eq_tol((double)(x[1] - x[0]), 0.04, 1e-6);
    dscq_dataset_destroy(d);
}
END_TEST

START_TEST(cifar_folders_and_files_are_read)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_dataset *d;
    dscq_image im;

    data_make_dir("c");
    make_cifar("c/data_batch_1.bin", 5, 1, 4);
    make_cifar("c/data_batch_2.bin", 2, 1, 9);
    make_cifar("c/test_batch.bin", 3, 1, 1);
    test_ok(data_open_set(&d, "type=cifar10 train=c test=c valid_frac=0", &err));
    ck_assert_uint_eq(dscq_dataset_count(d, DSCQ_SPLIT_TRAIN), 7);
    ck_assert_int_eq(dscq_dataset_label(d, DSCQ_SPLIT_TRAIN, 5), 9);
    ck_assert_str_eq(dscq_dataset_class_name(d, 9), "truck");
    test_ok(dscq_dataset_image(&im, d, DSCQ_SPLIT_TRAIN, 3, &err));
    static const uint8_t k_px[] = {3, 13, 23};
    ck_assert_mem_eq(im.px + 3 * 1023, k_px, 3);
    dscq_image_clear(&im);
    ck_assert_uint_eq(dscq_dataset_count(d, DSCQ_SPLIT_TEST), 0);
    test_ok(dscq_dataset_open_test(d, &err));
    ck_assert_uint_eq(dscq_dataset_count(d, DSCQ_SPLIT_TEST), 3);
    dscq_dataset_destroy(d);

    test_ok(data_open_set(&d, "type=cifar10 train=c/data_batch_2.bin,c/test_batch.bin",
                          &err));
    ck_assert_uint_eq(dscq_dataset_count(d, DSCQ_SPLIT_TRAIN), 4); /* one to valid */
    dscq_dataset_destroy(d);

    make_cifar("c/train.bin", 2, 2, 77);
    test_ok(data_open_set(&d, "type=cifar100 train=c valid_frac=0", &err));
    ck_assert_int_eq(dscq_dataset_label(d, DSCQ_SPLIT_TRAIN, 0), 77);
    ck_assert_int_eq(dscq_dataset_classes(d), 100);
    dscq_dataset_destroy(d);
    test_ok(data_open_set(&d, "type=cifar100 fine=0 train=c valid_frac=0", &err));
    ck_assert_int_eq(dscq_dataset_label(d, DSCQ_SPLIT_TRAIN, 0), 3);
    ck_assert_int_eq(dscq_dataset_classes(d), 20);
    dscq_dataset_destroy(d);
}
END_TEST

static void make_folder(void)
{
    char name[64];

    data_make_dir("f/zebra");
    data_make_dir("f/ant");
    data_make_dir("g/zebra");
    for (int i = 0; i < 4; i++) {
        (void)snprintf(name, sizeof name, "f/zebra/%d.png", i);
        data_write_png(name, 9 + i, 7, 3, (unsigned)i);
        (void)snprintf(name, sizeof name, "f/ant/%d.png", i);
        data_write_png(name, 5, 6 + i, 1, (unsigned)i + 9);
    }
    (void)test_file("f/ant/notes.txt", "not a picture");
    data_write_png("g/zebra/x.png", 8, 8, 3, 50);
}

START_TEST(class_folders_are_sorted_bytewise)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_dataset *d;

    make_folder();
    test_ok(data_open_set(
        &d, "type=folder train=f test=g width=6 height=6 valid_frac=0.25", &err));
    ck_assert_str_eq(dscq_dataset_class_name(d, 0), "ant");
    ck_assert_uint_eq(dscq_dataset_count(d, DSCQ_SPLIT_TRAIN), 6);
    ck_assert_uint_eq(dscq_dataset_count(d, DSCQ_SPLIT_VALID), 2);
    uint64_t n[2];
    dscq_dataset_histogram(d, DSCQ_SPLIT_VALID, n);
    ck_assert_uint_eq(n[0], 1); /* one of each class */
    ck_assert_uint_eq(n[1], 1);
    ck_assert_int_eq(dscq_dataset_preproc(d)->channels, 3);
    test_ok(dscq_dataset_open_test(d, &err));
    ck_assert_int_eq(dscq_dataset_label(d, DSCQ_SPLIT_TEST, 0), 1);
    char text[2048];
    (void)dscq_dataset_origin(text, sizeof text, d, DSCQ_SPLIT_TEST, 0);
    ck_assert_ptr_nonnull(strstr(text, "g/zebra/x.png"));
    dscq_dataset_destroy(d);

    data_make_dir("h/newt");
    data_write_png("h/newt/x.png", 8, 8, 3, 50);
    test_ok(data_open_set(&d, "type=folder train=f test=h width=6 height=6", &err));
    ck_assert_int_eq(dscq_dataset_open_test(d, &err), DSCQ_FORMAT);
    ck_assert_ptr_nonnull(
        strstr(err.msg, "h/newt: unknown class 'newt'; nearest is 'ant'"));
    dscq_dataset_destroy(d);
}
END_TEST

START_TEST(flat_folders_have_the_class_in_the_name)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_dataset *d;

    data_make_dir("flat");
    data_write_png("flat/rolled-in_scale_1.png", 4, 4, 1, 1);
    data_write_png("flat/rolled-in_scale_2.png", 4, 4, 1, 2);
    data_write_png("flat/a_1.png", 4, 4, 1, 3);
    test_ok(data_open_set(
        &d, "type=flat train=flat width=4 height=4 channels=1 valid_frac=0", &err));
    ck_assert_int_eq(dscq_dataset_classes(d), 2);
    ck_assert_str_eq(dscq_dataset_class_name(d, 0), "a");
    ck_assert_str_eq(dscq_dataset_class_name(d, 1), "rolled-in_scale");
    ck_assert_int_eq(dscq_dataset_label(d, DSCQ_SPLIT_TRAIN, 2), 1);
    dscq_dataset_destroy(d);

    /* by the longest class name inside; a tie of different names is no answer */
    (void)test_file("k.names", "a\nrolled\nin_scale\n");
    ck_assert_int_eq(
        data_open_set(&d, "type=flat train=flat names=k.names width=4 height=4", &err),
        DSCQ_OK);
    ck_assert_int_eq(dscq_dataset_classes(d), 3);
    dscq_dataset_destroy(d);
    (void)test_file("k.names", "a\nrolled\nscale_\n");
    ck_assert_int_eq(
        data_open_set(&d, "type=flat train=flat names=k.names width=4 height=4", &err),
        DSCQ_FORMAT);
    ck_assert_ptr_nonnull(
        strstr(err.msg, "both 'rolled' and 'scale_' stand in this path"));

    data_write_png("flat/plain.png", 4, 4, 1, 3);
    ck_assert_int_eq(data_open_set(&d, "type=flat train=flat width=4 height=4", &err),
                     DSCQ_FORMAT);
    ck_assert_ptr_nonnull(strstr(
        err.msg, "plain.png: want CLASS_NUMBER in the file name, or data.names"));
}
END_TEST

START_TEST(lists_are_read)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_dataset *d;

    data_make_dir("l/p");
    data_write_png("l/p/x y.png", 4, 4, 3, 1);
    data_write_png("l/p/z.png", 4, 4, 3, 2);
    (void)test_file("l/a.csv", "file,class,more\nx y.png,2,s\nz.png,0,t\n");
    test_ok(data_open_set(
        &d, "type=list train=l/a.csv train_labels=l/p width=4 height=4 valid_frac=0",
        &err));
    ck_assert_uint_eq(dscq_dataset_count(d, DSCQ_SPLIT_TRAIN), 2);
    ck_assert_int_eq(dscq_dataset_label(d, DSCQ_SPLIT_TRAIN, 0), 2);
    ck_assert_int_eq(dscq_dataset_classes(d), 3);
    dscq_dataset_destroy(d);

    (void)test_file("l/b.txt", "# comment\np/z.png cat\n\np/x y.png dog\n");
    test_ok(data_open_set(&d, "type=list train=l/b.txt width=4 height=4 valid_frac=0",
                          &err));
    ck_assert_str_eq(dscq_dataset_class_name(d, 0), "cat");
    ck_assert_int_eq(dscq_dataset_label(d, DSCQ_SPLIT_TRAIN, 1), 1);
    dscq_dataset_destroy(d);

    (void)test_file("l/c.txt", "p/z.png\np/x y.png\n"); /* Darknet: class in the path */
    (void)test_file("l/n", "z\nx y\n");
    test_ok(data_open_set(
        &d, "type=list train=l/c.txt names=l/n width=4 height=4 valid_frac=0", &err));
    ck_assert_int_eq(dscq_dataset_label(d, DSCQ_SPLIT_TRAIN, 0), 0);
    ck_assert_int_eq(dscq_dataset_label(d, DSCQ_SPLIT_TRAIN, 1), 1);
    dscq_dataset_destroy(d);
}
END_TEST

START_TEST(unlabelled_pictures_have_label_minus_one)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_dataset *d;

    data_make_dir("u");
    data_write_png("u/1.png", 4, 4, 3, 1);
    data_write_png("u/2.png", 4, 4, 3, 2);
    test_ok(
        data_open_set(&d, "type=images train=u width=8 height=8 valid_frac=0", &err));
    ck_assert_int_eq(dscq_dataset_classes(d), 0);
    ck_assert_int_eq(dscq_dataset_label(d, DSCQ_SPLIT_TRAIN, 1), -1);
    dscq_dataset_destroy(d);
}
END_TEST

#define OBJECT(name, a, b, c, d)                                                       \
    "<object><name>" name "</name><bndbox><xmin>" a "</xmin><ymin>" b                  \
    "</ymin><xmax>" c "</xmax><ymax>" d "</ymax></bndbox></object>"

static void make_voc(void)
{
    data_make_dir("v/JPEGImages");
    data_make_dir("v/Annotations");
    data_make_dir("v/ImageSets/Main");
    data_write_png("v/JPEGImages/one.png", 20, 10, 3, 1);
    data_write_png("v/JPEGImages/two.png", 20, 10, 3, 2);
    (void)test_file(
        "v/Annotations/one.xml",
        "<annotation><size><width>20</width><height>10</height></size>" OBJECT(
            "b", "1", "1", "10", "10")
            OBJECT("a", "11", "1", "20", "5") "</annotation>");
    (void)test_file("v/Annotations/two.xml", /* no size: taken from the picture */
                    "<annotation>" OBJECT("a", "1", "1", "20", "10")
                        OBJECT("a", "3", "3", "3", "9") "</annotation>");
    (void)test_file("v/ImageSets/Main/train.txt", "one 1\n\ntwo -1\n");
    (void)test_file("v/ImageSets/Main/test.txt", "two\n");
}

START_TEST(voc_folders_and_lists_are_read)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_dataset *d;
    size_t n = 0;

    make_voc();
    test_ok(
        data_open_set(&d,
                      "type=voc train=v/ImageSets/Main/train.txt "
                      "test=v/ImageSets/Main/test.txt width=8 height=8 valid_frac=0",
                      &err));
    ck_assert_int_eq(dscq_dataset_has_boxes(d), 1);
    ck_assert_int_eq(dscq_dataset_classes(d), 2);
    ck_assert_str_eq(dscq_dataset_class_name(d, 0), "a"); /* sorted, boxes follow */
    const dscq_box *b = dscq_dataset_boxes(d, DSCQ_SPLIT_TRAIN, 0, &n);
    ck_assert_uint_eq(n, 2);
    ck_assert_int_eq(b[0].cls, 1);
    ck_assert_double_eq((double)b[0].x1, 0.5);
    b = dscq_dataset_boxes(d, DSCQ_SPLIT_TRAIN, 1, &n);
    ck_assert_uint_eq(n, 1); /* the empty one is left out */
    ck_assert_double_eq((double)b[0].x1, 1.0);
    test_ok(dscq_dataset_open_test(d, &err));
    ck_assert_uint_eq(dscq_dataset_count(d, DSCQ_SPLIT_TEST), 1);
    dscq_dataset_destroy(d);
    test_ok(data_open_set(&d, "type=voc train=v width=8 height=8 valid_frac=0", &err));
    ck_assert_uint_eq(dscq_dataset_count(d, DSCQ_SPLIT_TRAIN), 2);
    dscq_dataset_destroy(d);
}
END_TEST

START_TEST(voc_contradictions_are_named)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_dataset *d;

    make_voc();
    (void)test_file(
        "v/Annotations/one.xml",
        "<annotation><size><width>10</width><height>20</height></size>" OBJECT(
            "b", "1", "1", "9", "9") "</annotation>");
    ck_assert_int_eq(data_open_set(&d, "type=voc train=v width=8 height=8", &err),
                     DSCQ_FORMAT);
    ck_assert_ptr_nonnull(
        strstr(err.msg, "picture of 20x10 pixels but its annotation says 10x20"));
    (void)test_file("v/ImageSets/Main/train.txt", "three\n");
    ck_assert_int_eq(
        data_open_set(&d, "type=voc train=v/ImageSets/Main/train.txt width=8 height=8",
                      &err),
        DSCQ_IO);
    ck_assert_ptr_nonnull(strstr(err.msg, "Annotations/three.xml: cannot"));
}
END_TEST

START_TEST(yolo_labels_are_found_by_rewriting_the_path)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_dataset *d;
    size_t n = 0;

    data_make_dir("y/images");
    data_make_dir("y/labels");
    data_write_png("y/images/p.png", 20, 10, 3, 1);
    data_write_png("y/images/q.png", 20, 10, 3, 2);
    data_write_png("y/images/r.png", 20, 10, 3, 3); /* no label file: left out */
    (void)test_file("y/labels/p.txt", "1 0.5 0.5 0.5 1\n");
    (void)test_file("y/labels/q.txt", "");
    (void)test_file("y/train.txt", "images/q.png\nimages/p.png\n");
    test_ok(data_open_set(&d, "type=yolo train=y/images width=8 height=8 valid_frac=0",
                          &err));
    ck_assert_uint_eq(dscq_dataset_count(d, DSCQ_SPLIT_TRAIN), 2);
    ck_assert_int_eq(dscq_dataset_classes(d), 2);
    const dscq_box *b = dscq_dataset_boxes(d, DSCQ_SPLIT_TRAIN, 0, &n);
    ck_assert_uint_eq(n, 1);
    ck_assert_double_eq((double)b[0].x0, 0.25);
    ck_assert_ptr_null(dscq_dataset_boxes(d, DSCQ_SPLIT_TRAIN, 1, &n));
    ck_assert_uint_eq(n, 0); /* background */
    dscq_dataset_destroy(d);
    test_ok(data_open_set(
        &d, "type=yolo train=y/train.txt width=8 height=8 valid_frac=0", &err));
    (void)dscq_dataset_boxes(d, DSCQ_SPLIT_TRAIN, 1, &n);
    ck_assert_uint_eq(n, 1);
    dscq_dataset_destroy(d);
    (void)test_file("one.names", "thing\n");
    ck_assert_int_eq(
        data_open_set(&d, "type=yolo train=y/images names=one.names width=8 height=8",
                      &err),
        DSCQ_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.msg, "y/labels/p.txt:1: class '1': want 0..0"));
}
END_TEST

START_TEST(coco_is_read)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_dataset *d;
    size_t n = 0;

    data_make_dir("coco");
    data_write_png("coco/p.png", 20, 10, 3, 1);
    (void)test_file("coco.json",
                    "{\"images\":[{\"id\":5,\"file_name\":\"p.png\",\"width\":20,"
                    "\"height\":10}],\"categories\":[{\"id\":3,\"name\":\"car\"}],"
                    "\"annotations\":[{\"image_id\":5,\"category_id\":3,"
                    "\"bbox\":[5,0,10,5]}]}");
    test_ok(data_open_set(
        &d, "type=coco train=coco train_labels=coco.json width=8 height=8 valid_frac=0",
        &err));
    const dscq_box *b = dscq_dataset_boxes(d, DSCQ_SPLIT_TRAIN, 0, &n);
    ck_assert_uint_eq(n, 1);
    ck_assert_double_eq((double)b[0].x0, 0.25);
    ck_assert_double_eq((double)b[0].y1, 0.5);
    ck_assert_str_eq(dscq_dataset_class_name(d, 0), "car");
    dscq_dataset_destroy(d);
    ck_assert_int_eq(data_open_set(&d, "type=coco train=coco width=8 height=8", &err),
                     DSCQ_FORMAT);
    ck_assert_str_eq(err.msg,
                     "data.train_labels is missing: type = coco needs its JSON "
                     "file");
}
END_TEST

/* ---- refusals ---- */

typedef struct refusal {
    const char *settings;
    dscq_status status;
    const char *says; /* part of the message */
} refusal;

static const refusal k_bad[] = {
    {"type=idx", DSCQ_FORMAT, "data.train is missing: type = idx needs a source"},
    {"type=idx train=none", DSCQ_FORMAT, "data.train_labels is missing, and 'none'"},
    {"type=idx train=none train_labels=x", DSCQ_IO, "/none: cannot"},
    {"type=idx train=cut-images-idx3-ubyte", DSCQ_FORMAT,
     "header promises 120 bytes of data, the file has 115"},
    {"type=idx train=empty train_labels=empty", DSCQ_FORMAT,
     "want two zero bytes first"},
    {"type=idx train=floats train_labels=x", DSCQ_UNSUPPORTED, "IDX element type 0x0d"},
    {"type=idx train=rank train_labels=x", DSCQ_FORMAT, "200 dimensions: want 3..4"},
    {"type=idx train=huge train_labels=x", DSCQ_FORMAT, "sizes in the header overflow"},
    {"type=idx train=ten-images-idx3-ubyte train_labels=cut-labels-idx1-ubyte.x",
     DSCQ_IO, "cut-labels"},
    {"type=idx train=ten-images-idx3-ubyte train_labels=six-labels-idx1-ubyte",
     DSCQ_FORMAT, "6 labels for the 10 pictures of"},
    {"type=idx train=ten-images-idx3-ubyte names=two.names", DSCQ_FORMAT,
     "label 2 of picture 2: want 0..1"},
    {"type=idx train=bad.gz train_labels=x", DSCQ_FORMAT, "bad.gz"},
    {"type=cifar10 train=text", DSCQ_FORMAT, "12 bytes: want a multiple of 3073"},
    {"type=cifar10 train=empty", DSCQ_FORMAT, "0 bytes: want a multiple of 3073"},
    {"type=cifar10 train=label11.bin", DSCQ_FORMAT, "label 11 of record 0: want 0..9"},
    {"type=cifar10 train=nothing", DSCQ_IO, "no file data_batch*.bin in this folder"},
    {"type=folder train=none width=8 height=8", DSCQ_IO, "/none: cannot list"},
    {"type=folder train=nothing width=8 height=8", DSCQ_FORMAT,
     "no class folders in it"},
    {"type=folder train=ok width=8", DSCQ_FORMAT,
     "data.height is missing: type = folder has pictures of any size"},
    {"type=folder train=ok width=8 height=8 channels=2", DSCQ_FORMAT,
     "data.channels = 2: want 1 or 3"},
    {"type=folder train=broken width=8 height=8", DSCQ_FORMAT, "cut.png: damaged PNG"},
    {"type=folder train=ok width=8 height=8 mean=1,2", DSCQ_FORMAT,
     "data.mean = '1,2': 2 numbers for 3 channels"},
    {"type=folder train=ok width=8 height=8 std=0", DSCQ_ARG, "channel 0: mean"},
    {"type=folder train=ok width=8 height=8 mean=x", DSCQ_FORMAT,
     "data.mean = 'x': want auto, one number, or 3 numbers"},
    {"type=folder train=ok width=8 height=8 names=none", DSCQ_IO, "/none: cannot"},
    {"type=folder train=ok width=8 height=8 names=two.names", DSCQ_FORMAT,
     "unknown class 'a'; nearest is"},
    {"type=images train=nothing width=8 height=8", DSCQ_FORMAT,
     "data.train = 'nothing': no pictures in it"},
    {"type=list train=bad1.txt width=8 height=8", DSCQ_FORMAT,
     "bad1.txt:2: class 99999999: want 0..32767"},
    {"type=list train=bad2.txt width=8 height=8", DSCQ_FORMAT,
     "bad2.txt:1: lost.png: no class name stands in this path"},
    {"type=list train=list0.txt width=8 height=8", DSCQ_IO, "lost.png: cannot"},
    {"type=voc train=nothing width=8 height=8", DSCQ_FORMAT,
     "nothing: no annotations (.xml) in it, nor a folder Annotations"},
    {"type=signs width=8 height=8", DSCQ_FORMAT, "8x8: generated signs want 12..4096"},
    {"type=signs width=32 height=32 names=two.names", DSCQ_FORMAT,
     "data.classes = 10, but there are 2 names"},
};

START_TEST(bad_sources_are_refused_in_one_line)
{
    static const uint8_t k_floats[] = {0, 0, 0x0d, 3}, k_rank[] = {0, 0, 8, 200};
    static const uint8_t k_huge[] = {0,    0,    8,    3,    0xff, 0xff, 0xff, 0xff,
                                     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t k_gz[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xff, 0xff};
    dscq_error err = {DSCQ_OK, ""};
    dscq_dataset *d;

    make_idx("cut", 10, 5);
    make_idx("ten", 10, 0);
    make_idx("six", 6, 0);
    (void)test_file("empty", "");
    (void)test_file("text", "hello world\n");
    (void)test_file("two.names", "b\nc\n");
    (void)test_file_bytes("floats", k_floats, sizeof k_floats);
    (void)test_file_bytes("rank", k_rank, sizeof k_rank);
    (void)test_file_bytes("huge", k_huge, sizeof k_huge);
    (void)test_file_bytes("bad.gz", k_gz, sizeof k_gz);
    make_cifar("label11.bin", 1, 1, 11);
    data_make_dir("nothing");
    data_make_dir("ok/a");
    data_write_png("ok/a/x.png", 5, 5, 3, 1);
    data_make_dir("broken/a");
    (void)test_file_bytes("broken/a/cut.png", "\x89PNG\r\n\x1a\n\0\0\0", 11);
    (void)test_file("bad1.txt", "ok/a/x.png 0\nok/a/x.png 99999999\n");
    (void)test_file("bad2.txt", "lost.png\n");
    (void)test_file("list0.txt", "lost.png 0\n");

    const dscq_status status = data_open_set(&d, k_bad[_i].settings, &err);
    ck_assert_msg(status == k_bad[_i].status && strstr(err.msg, k_bad[_i].says) != NULL,
                  "%s: %s '%s', want %s '%s'", k_bad[_i].settings,
                  dscq_status_name(status), err.msg, dscq_status_name(k_bad[_i].status),
                  k_bad[_i].says);
    ck_assert_ptr_null(strchr(err.msg, '\n'));
    ck_assert_ptr_null(d);
}
END_TEST

static dscq_status open_and_read(void *ctx, dscq_error *err)
{
    dscq_dataset *d;
    dscq_status status = data_open_set(&d, ctx, err);
    uint8_t px[8 * 8 * 3];

    if (status == DSCQ_OK)
        status = dscq_dataset_pixels(px, NULL, d, DSCQ_SPLIT_TRAIN, 0, err);
    dscq_dataset_destroy(d);
    return status;
}

START_TEST(no_memory_is_reported)
{
    /* With a cache, a picture that finds no room in it is not an error. */
    char folder[] = "type=folder train=f width=8 height=8 cache_mb=0";
    char voc[] = "type=voc train=v width=8 height=8 cache_mb=0";
    char idx[] = "type=idx train=a-images-idx3-ubyte width=8 height=8 cache_mb=0";

    make_folder();
    make_voc();
    make_idx("a", 12, 0);
    ck_assert_uint_ge(test_each_alloc_fails(open_and_read, folder), 20);
    ck_assert_uint_ge(test_each_alloc_fails(open_and_read, voc), 20);
    ck_assert_uint_ge(test_each_alloc_fails(open_and_read, idx), 10);
}
END_TEST

START_TEST(every_type_has_a_name_and_a_summary)
{
    for (size_t i = 0; i < dscq_data_type_count(); i++) {
        const int at = dscq_choice_find(dscq_keys_find(dscq_data_keys, "type")->choices,
                                        dscq_data_type_name(i));
        ck_assert_int_eq(at, (int)i);
        ck_assert_uint_gt(strlen(dscq_data_type_summary(i)), 10);
    }
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("data/readers", &tc);

    tcase_add_test(tc, idx_is_read);
    tcase_add_test(tc, mean_and_deviation_are_measured_exactly);
    tcase_add_test(tc, cifar_folders_and_files_are_read);
    tcase_add_test(tc, class_folders_are_sorted_bytewise);
    tcase_add_test(tc, flat_folders_have_the_class_in_the_name);
    tcase_add_test(tc, lists_are_read);
    tcase_add_test(tc, unlabelled_pictures_have_label_minus_one);
    tcase_add_test(tc, voc_folders_and_lists_are_read);
    tcase_add_test(tc, voc_contradictions_are_named);
    tcase_add_test(tc, yolo_labels_are_found_by_rewriting_the_path);
    tcase_add_test(tc, coco_is_read);
    tcase_add_loop_test(tc, bad_sources_are_refused_in_one_line, 0,
                        (int)(sizeof k_bad / sizeof *k_bad));
    tcase_add_test(tc, no_memory_is_reported);
    tcase_add_test(tc, every_type_has_a_name_and_a_summary);
    return s;
}

int main(void)
{
    return test_run(make);
}
