/* Data as people have them: what lies in folders and lists is read or spoken of. */
#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "dscq/data/pictures.h"
#include "test_data_util.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- helpers ---- */

typedef struct report {
    dscq_table *t;
    size_t errors;
    dscq_data_seen seen;
} report;

static report check(const char *settings)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_data_params p;
    report r = {0};

    test_ok(data_settings(&p, settings, &err));
    test_ok(dscq_problems_create(&r.t, &err));
    test_ok(dscq_dataset_check(r.t, &r.errors, &r.seen, &p, test_path(""), NULL, &err));
    return r;
}

/* Text of the first problem of a kind; "" when there is none. */
static const char *says(const report *r, const char *kind)
{
    const size_t k = (size_t)dscq_table_find(r->t, "kind");
    const size_t text = (size_t)dscq_table_find(r->t, "text");

    for (size_t i = 0; i < dscq_table_rows(r->t); i++)
        if (strcmp(dscq_table_text(r->t, i, k), kind) == 0)
            return dscq_table_text(r->t, i, text);
    return "";
}

#define HAS(text, part)                                                                \
    ck_assert_msg(strstr(text, part) != NULL, "'%s' in '%s'", part, text)

static void end(report *r)
{
    dscq_table_destroy(r->t);
}

#define LIST "width=4 height=4 valid_frac=0 mean=0 std=1 "

static dscq_dataset *opened(const char *settings)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_dataset *d;

    test_ok(data_open_set(&d, settings, &err));
    return d;
}

static int32_t label(const dscq_dataset *d, size_t i)
{
    return dscq_dataset_label(d, DSCQ_SPLIT_TRAIN, i);
}

/* ---- folders ---- */

static void make_classes(void)
{
    data_make_dir("f/cat/old/older");
    data_make_dir("f/dog");
    data_write_png("f/cat/1.png", 6, 6, 3, 1);
    data_write_png("f/cat/old/2.PNG", 6, 6, 3, 2);
    data_write_png("f/cat/old/older/3.png", 6, 6, 3, 3);
    data_write_png("f/dog/4.png", 6, 6, 3, 4);
}

START_TEST(what_lies_deeper_is_read_and_counted)
{
    make_classes();
    report r = check("type=folder train=f " LIST);
    ck_assert_uint_eq(r.errors, 0);
    ck_assert_uint_eq(r.seen.pictures, 4);
    ck_assert_uint_eq(r.seen.kind[DSCQ_IMAGE_PNG], 4);
    HAS(says(&r, "sub_folders"), "2 of the 4 pictures lie in sub-folders");
    HAS(says(&r, "sub_folders"), "f/cat/old/2.PNG");
    end(&r);
    ck_assert_int_eq(symlink("../..", test_path("f/cat/old/up")), 0); /* no way out */
    r = check("type=images train=f " LIST);
    ck_assert_uint_eq(r.seen.pictures, 4);
    HAS(says(&r, "sub_folders"), "4 of the 4 pictures");
    end(&r);
}
END_TEST

START_TEST(pictures_of_other_kinds_are_counted)
{
    make_classes();
    (void)test_file_bytes("f/dog/5.gif", "GIF89a", 6);
    (void)test_file_bytes("f/dog/6", "II*\0....", 8);
    (void)test_file("f/dog/7.heic", "?");
    (void)test_file("f/dog/8.txt", "no picture");
    (void)test_file("f/dog/9.dat", "no picture either");
    data_write_png("f/dog/photo.png_large", 6, 6, 3, 5);
    data_write_png("f/stray.png", 6, 6, 3, 6);
    report r = check("type=folder train=f " LIST);
    ck_assert_uint_eq(r.errors, 0);
    ck_assert_uint_eq(r.seen.pictures, 4);
    HAS(says(&r, "other_kinds"), "3 pictures of other kinds left out");
    HAS(says(&r, "other_kinds"), "f/dog/5.gif (GIF picture)");
    HAS(says(&r, "unnamed_pictures"), "1 picture left out whose names do not end");
    HAS(says(&r, "without_class"), "1 picture beside the class folders left out");
    end(&r);
}
END_TEST

/* The name says .png, the content something else that is read. */
START_TEST(content_counts_not_the_name)
{
    static const uint8_t k_bmp[] = {
        'B', 'M', 0, 0, 0, 0, 0, 0, 0,  0, 54, 0, 0, 0, 40, 0,  0,  0, 1, 0,
        0,   0,   1, 0, 0, 0, 1, 0, 24, 0, 0,  0, 0, 0, 0,  0,  0,  0, 0, 0,
        0,   0,   0, 0, 0, 0, 0, 0, 0,  0, 0,  0, 0, 0, 10, 20, 30, 0};

    make_classes();
    (void)test_file_bytes("f/dog/5.jpg", k_bmp, sizeof k_bmp);
    report r = check("type=folder train=f " LIST);
    ck_assert_uint_eq(r.errors, 0);
    ck_assert_uint_eq(r.seen.kind[DSCQ_IMAGE_BMP], 1);
    end(&r);
}
END_TEST

START_TEST(what_systems_leave_behind_is_no_data)
{
    static const char *const k_dirs[] = {
        "f/__MACOSX/cat", "f/@eaDir/cat",         "f/.git",      "f/cat/@eaDir",
        "f/$RECYCLE.BIN", "f/.ipynb_checkpoints", "f/lost+found"};
    char name[100];

    make_classes();
    for (size_t i = 0; i < sizeof k_dirs / sizeof *k_dirs; i++) {
        data_make_dir(k_dirs[i]);
        (void)snprintf(name, sizeof name, "%s/x.png", k_dirs[i]);
        (void)test_file_bytes(name, "\0\5\26\7", 4);
    }
    (void)test_file_bytes("f/cat/._1.png", "\0\5\26\7", 4);
    (void)test_file("f/cat/.DS_Store", "x");
    (void)test_file("f/cat/Thumbs.db", "x");
    report r = check("type=folder train=f " LIST);
    ck_assert_uint_eq(r.errors, 0);
    ck_assert_uint_eq(r.seen.pictures, 4);
    ck_assert_str_eq(says(&r, "other_kinds"), "");
    ck_assert_str_eq(says(&r, "empty_class"), "");
    end(&r);
    dscq_dataset *d = opened("type=folder train=f " LIST);
    ck_assert_int_eq(dscq_dataset_classes(d), 2);
    dscq_dataset_destroy(d);
}
END_TEST

START_TEST(parts_are_no_classes)
{
    data_make_dir("p/train/cat");
    data_make_dir("p/valid/cat");
    data_write_png("p/train/cat/1.png", 6, 6, 3, 1);
    data_write_png("p/valid/cat/2.png", 6, 6, 3, 2);
    report r = check("type=folder train=p " LIST);
    HAS(says(&r, "parts_as_classes"), "called like parts of a data set");
    end(&r);
}
END_TEST

typedef struct pipe_case {
    const char *pipe, *settings, *kind;
} pipe_case;

/* Every place that a file is read from. */
static const pipe_case k_pipes[] = {
    {"f/cat/pipe.png", "type=folder train=f " LIST, "missing_file"},
    {"list.csv", "type=list train=list.csv " LIST, "bad_source"},
    {"n.names", "type=folder train=f names=n.names " LIST, "bad_source"},
    {"y/images/1.png", "type=yolo train=y/images " LIST, "missing_file"},
    {"y/labels/2.txt", "type=yolo train=y/images " LIST, "missing_file"},
    {"y.txt", "type=yolo train=y.txt " LIST, "bad_source"},
    {"v/Annotations/a.xml", "type=voc train=v " LIST, "missing_file"},
    {"c.json", "type=coco train=f train_labels=c.json " LIST, "bad_source"},
    {"i-images-idx3-ubyte", "type=idx train=i-images-idx3-ubyte " LIST, "bad_source"},
    {"data_batch_1.bin", "type=cifar10 train=data_batch_1.bin " LIST, "bad_source"},
};

START_TEST(a_named_pipe_is_refused_at_once)
{
    const pipe_case *c = &k_pipes[_i];

    make_classes();
    data_make_dir("y/images");
    data_make_dir("y/labels");
    data_make_dir("v/Annotations");
    data_make_dir("v/JPEGImages");
    data_write_png("y/images/2.png", 6, 6, 3, 1);
    (void)test_file("y/labels/1.txt", "0 .5 .5 .5 .5\n");
    ck_assert_int_eq(mkfifo(test_path(c->pipe), 0600), 0);
    alarm(20);
    report r = check(c->settings);
    alarm(0);
    ck_assert_uint_ge(r.errors, 1);
    HAS(says(&r, c->kind), "is no ordinary file (a named pipe)");
    end(&r);
}
END_TEST

/* ---- lists ---- */

typedef struct list_case {
    const char *text, *more;
    int32_t count, label[4];
    const char *name0; /* of class 0 */
} list_case;

static const list_case k_lists[] = {
    {"a.png , x\nb.png , y\nc.png , x\n", "", 3, {0, 1, 0}, "x"},
    {"\"a,a.png\",\"x\"\n\"b.png\",\"y\"\n", "", 2, {0, 1}, "x"},
    {"\"a \"\"q\"\".png\",x\nb.png,\"y, z\"\n", "", 2, {0, 1}, "x"},
    {"a.png;x\r\nb.png;y\r\n", "", 2, {0, 1}, "x"},
    {"a.png\tx\rb.png\ty\r", "", 2, {0, 1}, "x"},
    {"\xef\xbb\xbf"
     "a.png,x\nb.png,y\n",
     "",
     2,
     {0, 1},
     "x"},
    {"\xef\xbb\xbf"
     "a.png x\nb.png y\n",
     "",
     2,
     {0, 1},
     "x"},
    {"filename,label\na.png,x\nb.png,y\n", "", 2, {0, 1}, "x"},
    {"#filename,label\na.png,x\nb.png,y\n", "", 2, {0, 1}, "x"},
    {"label,filename\nx,a.png\ny,b.png\n", "", 2, {0, 1}, "x"},
    {"x,a.png\ny,b.png\n", "", 2, {0, 1}, "x"},
    {",file,class\n0,a.png,x\n1,b.png,y\n", "", 2, {0, 1}, "x"},
    {"Filename;Width;Height;ClassId\na.png;6;6;1\nb.png;6;6;0\n", "", 2, {1, 0}, "0"},
    {"a.png traffic light\nb.png  stop v2.0\n", "", 2, {0, 1}, "traffic light"},
    {"a \"q\".png x\nb.png y\n", "", 2, {0, 1}, "x"},
    {"id_code,diagnosis\na,1\nb,0\n", "", 2, {1, 0}, "0"},
    {"a.png,1.0\nb.png,0.0\n", "", 2, {1, 0}, "0"},
    {"a.PNG,x\nb.Png,y\n", "", 2, {0, 1}, "x"},
    {"somewhere\\else\\a.png,x\n/no/such/b.png,y\n", "", 2, {0, 1}, "x"},
    {"filename,x,y\na.png,0,1\nb.png,1,0\n", "label_column=one-hot", 2, {1, 0}, "x"},
    {"filename,kind,what\na.png,x,1\nb.png,y,2\n", "label_column=kind", 2, {0, 1}, "x"},
    {"a.png,x\n\n# comment\nb.png,y,\n", "", 2, {0, 1}, "x"},
    {"a.png,x", "", 1, {0}, "x"},
    {"file,class,note\na.png,x,\"two\nlines\"\nb.png,y,\n", "", 2, {0, 1}, "x"},
};

START_TEST(lists_of_every_tool_are_read)
{
    const list_case *c = &k_lists[_i];
    char settings[200];

    data_write_png("a.png", 6, 6, 3, 1);
    data_write_png("b.png", 6, 6, 3, 2);
    data_write_png("c.png", 6, 6, 3, 3);
    data_write_png("a,a.png", 6, 6, 3, 4);
    data_write_png("a \"q\".png", 6, 6, 3, 5);
    (void)test_file("l.csv", c->text);
    (void)snprintf(settings, sizeof settings, "type=list train=l.csv " LIST "%s",
                   c->more);
    report r = check(settings);
    ck_assert_msg(r.errors == 0, "%s: %s%s", c->text, says(&r, "bad_line"),
                  says(&r, "bad_source"));
    ck_assert_uint_eq(r.seen.pictures, (size_t)c->count);
    end(&r);
    dscq_dataset *d = opened(settings);
    for (int32_t i = 0; i < c->count; i++)
        ck_assert_int_eq(label(d, (size_t)i), c->label[i]);
    ck_assert_str_eq(dscq_dataset_class_name(d, 0), c->name0);
    dscq_dataset_destroy(d);
}
END_TEST

typedef struct bad_list {
    const char *text;
    size_t bytes; /* 0: strlen() */
    const char *kind, *says;
} bad_list;

static const bad_list k_bad_lists[] = {
    {"filename,x,y\na.png,1,0\nb.png,0,1\n", 0, "bad_source",
     "which column is the class? the heading has x, y beside the picture, all of 0 and "
     "1; set data.label_column = one-hot"},
    {"filename,size,region\na.png,10,x\nb.png,20,y\n", 0, "bad_source",
     "set data.label_column = its heading"},
    {"a.png,1,0\nb.png,0,1\n", 0, "bad_source", "2 columns of 0 and 1"},
    {"a.png,\"x\nb.png,y\n", 0, "bad_line", "l.csv:1: a quote without its end"},
    {"a.png,\"x\"y\nb.png,y\n", 0, "bad_line", "l.csv:1: text behind a closing quote"},
    {"a.png,\nb.png,y\n", 0, "bad_line", "l.csv:1: no class in column 2"},
    {"a.png,x\nb.png,y,z\n", 0, "bad_line", "l.csv:2: 3 fields, the first line has 2"},
    {"\xff\xfe"
     "a\0,\0x\0\n\0",
     10, "bad_source", "is UTF-16 text; save it as UTF-8"},
    {"a\0,\0x\0\n\0", 8, "bad_source", "is UTF-16 text; save it as UTF-8"},
};

START_TEST(lists_that_cannot_be_told_are_refused)
{
    const bad_list *c = &k_bad_lists[_i];

    data_write_png("a.png", 6, 6, 3, 1);
    data_write_png("b.png", 6, 6, 3, 2);
    (void)test_file_bytes("l.csv", c->text, c->bytes > 0 ? c->bytes : strlen(c->text));
    report r = check("type=list train=l.csv " LIST);
    ck_assert_uint_ge(r.errors, 1);
    HAS(says(&r, c->kind), c->says);
    end(&r);
}
END_TEST

START_TEST(one_hot_marks_one_class)
{
    data_write_png("a.png", 6, 6, 3, 1);
    data_write_png("b.png", 6, 6, 3, 2);
    (void)test_file("l.csv", "filename,x,y\na.png,1,1\nb.png,0,0\n");
    report r = check("type=list train=l.csv label_column=one-hot " LIST);
    ck_assert_uint_eq(r.errors, 2);
    HAS(says(&r, "bad_line"), "l.csv:2: 2 classes are marked with 1, want one");
    end(&r);
    r = check("type=list train=l.csv label_column=z " LIST);
    HAS(says(&r, "bad_source"), "l.csv:1: no column 'z'; there are x, y");
    end(&r);
}
END_TEST

START_TEST(columns_that_are_not_read_are_named)
{
    data_write_png("a.png", 6, 6, 3, 1);
    data_write_png("b.png", 6, 6, 3, 2);
    (void)test_file("l.csv",
                    "file,label,data set,xmin\na.png,x,train,1\nb.png,y,test,2\n");
    report r = check("type=list train=l.csv " LIST);
    ck_assert_uint_eq(r.errors, 0);
    HAS(says(&r, "ignored_column"), "column 'data set' is not looked at");
    end(&r);
    (void)test_file("l.csv", "Bild,Art\na.png,x\nb.png,y\n");
    r = check("type=list train=l.csv " LIST);
    ck_assert_uint_eq(r.seen.pictures, 2);
    HAS(says(&r, "heading"), "taken for a heading");
    end(&r);
}
END_TEST

/* ---- boxes ---- */

typedef struct yolo_case {
    const char *picture, *label, *train, *list; /* list: content of "list", or NULL */
} yolo_case;

static const yolo_case k_yolo[] = {
    {"images/1.png", "labels/1.txt", "images", NULL},
    {"images/1.png", "labels/1.txt", "./images", NULL},
    {"images/1.png", "labels/1.txt", "images/", NULL},
    {"images/1.png", "labels/1.txt", "images/../images", NULL},
    {"images/1.png", "labels/1.TXT", "images", NULL},
    {"Images/1.PNG", "Labels/1.txt", "Images", NULL},
    {"JPEGImages/1.png", "labels/1.txt", "JPEGImages", NULL},
    {"images/train/1.png", "labels/train/1.txt", "images/train", NULL},
    {"images/train/1.png", "labels/train/1.txt", "images", NULL},
    {"images/images/1.png", "images/labels/1.txt", "images", NULL},
    {"pics/1.png", "pics/1.txt", "pics", NULL},
    {"images/1.png", "images/1.txt", "images", NULL},
    {"pics/1.png", "labels/1.txt", "pics", NULL},
    {"images/1.png", "labels/1.txt", "list", "images/1.png\n"},
    {"images/1.png", "labels/1.txt", "list", "./images/1.png\r\n"},
    {"images/1.png", "labels/1.txt", "list",
     "\xef\xbb\xbf"
     "images/1.png\n"},
    {"images/1.png", "labels/1.txt", "list", "images\\1.png"},
    {"obj_train_data/1.png", "obj_train_data/1.txt", "list",
     "data/obj_train_data/1.png\n"},
};

START_TEST(yolo_labels_are_found)
{
    const yolo_case *c = &k_yolo[_i];
    dscq_error err = {DSCQ_OK, ""};
    dscq_data_params p;
    char settings[200], dir[DSCQ_PATH_MAX];
    dscq_dataset *d = NULL;

    dscq_path_dir(dir, sizeof dir, c->picture);
    data_make_dir(dir);
    dscq_path_dir(dir, sizeof dir, c->label);
    data_make_dir(dir);
    data_write_png(c->picture, 6, 6, 3, 1);
    (void)test_file(c->label, "\xef\xbb\xbf"
                              "0 .5 .5 .5 .5\r\n");
    if (c->list != NULL)
        (void)test_file("list", c->list);
    (void)snprintf(settings, sizeof settings, "type=yolo train=%s " LIST, c->train);
    test_ok(data_settings(&p, settings, &err));
    /* as a user in the folder of the network has it: nothing before the name */
    const int home = open(".", O_RDONLY | O_DIRECTORY);
    ck_assert_int_eq(chdir(test_path("")), 0);
    test_ok(dscq_dataset_open(&d, &p, ".", NULL, &err));
    ck_assert_uint_eq(dscq_dataset_count(d, DSCQ_SPLIT_TRAIN), 1);
    dscq_dataset_destroy(d);
    if (c->list == NULL) { /* and from inside the folder */
        ck_assert_int_eq(chdir(c->train), 0);
        (void)dscq_str_copy(p.train, sizeof p.train, ".");
        test_ok(dscq_dataset_open(&d, &p, ".", NULL, &err));
        ck_assert_uint_eq(dscq_dataset_count(d, DSCQ_SPLIT_TRAIN), 1);
        dscq_dataset_destroy(d);
    }
    ck_assert_int_eq(fchdir(home), 0);
    (void)close(home);
}
END_TEST

START_TEST(a_listed_picture_that_is_missing_is_an_error)
{
    data_make_dir("images");
    (void)test_file("list", "images/1.png\n");
    report r = check("type=yolo train=list " LIST);
    ck_assert_uint_eq(r.errors, 1);
    HAS(says(&r, "bad_line"), "list:1: ");
    HAS(says(&r, "bad_line"), "images/1.png: no such picture");
    end(&r);
}
END_TEST

#define OBJECT(more)                                                                   \
    "<annotation><filename>a.jpg</filename><size><width/><height></height></size>"     \
    "<object><name>x</name>" more "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>3</xmax>" \
    "<ymax>3</ymax></bndbox></object></annotation>"

typedef struct voc_case {
    const char *picture, *xml, *train, *text;
    int difficult;
} voc_case;

static const voc_case k_voc[] = {
    {"v/JPEGImages/a.PNG", "v/Annotations/a.xml", "v", OBJECT("<difficult/>"), 0},
    {"v/JPEGImages/a.PnG", "v/Annotations/a.XML", "v",
     OBJECT("<difficult></difficult>"), 0},
    {"v/images/a.Jpeg", "v/annotations/a.xml", "v",
     OBJECT("<difficult>Unspecified</difficult>"), 0},
    {"v/a.png", "v/a.xml", "v", OBJECT("<difficult>true</difficult>"), 1},
    {"v/JPEGImages/a.b.png", "v/Annotations/a.b.xml", "v",
     OBJECT("<difficult>1</difficult>"), 1},
    {"v/JPEGImages/a.jpg", "v/Annotations/other.xml", "v", OBJECT(""), 0},
};

START_TEST(voc_as_tools_write_it_is_read)
{
    const voc_case *c = &k_voc[_i];
    char dir[DSCQ_PATH_MAX];
    size_t n = 0;

    dscq_path_dir(dir, sizeof dir, c->picture);
    data_make_dir(dir);
    dscq_path_dir(dir, sizeof dir, c->xml);
    data_make_dir(dir);
    data_write_png(c->picture, 6, 6, 3, 1);
    (void)test_file(c->xml, c->text);
    dscq_dataset *d = opened("type=voc train=v " LIST);
    const dscq_box *b = dscq_dataset_boxes(d, DSCQ_SPLIT_TRAIN, 0, &n);
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(b[0].is_difficult, c->difficult);
    ck_assert_double_eq((double)b[0].x1, 0.5); /* the size is the picture's */
    dscq_dataset_destroy(d);
}
END_TEST

START_TEST(pictures_without_annotation_are_counted)
{
    data_make_dir("v/JPEGImages/more");
    data_make_dir("v/Annotations");
    data_write_png("v/JPEGImages/a.png", 6, 6, 3, 1);
    data_write_png("v/JPEGImages/b.png", 6, 6, 3, 2);
    data_write_png("v/JPEGImages/more/c.png", 6, 6, 3, 3);
    (void)test_file("v/Annotations/a.xml", OBJECT(""));
    report r = check("type=voc train=v " LIST);
    ck_assert_uint_eq(r.errors, 0);
    HAS(says(&r, "missing_label"), "2 pictures without an annotation left out");
    end(&r);
}
END_TEST

#define COCO(images)                                                                   \
    "{\"images\":[" images "],\"categories\":[{\"id\":1,\"name\":\"x\"}],"             \
    "\"annotations\":[{\"image_id\":1,\"category_id\":1,\"bbox\":[0,0,4,3]}]}"

START_TEST(coco_sizes_are_asked_for_and_compared)
{
    static const char *const k_images[] = {
        "{\"id\":1,\"file_name\":\"a.png\"}",
        "{\"id\":1,\"file_name\":\"a.png\",\"width\":null,\"height\":null}",
        "{\"id\":1,\"file_name\":\"a.png\",\"width\":0,\"height\":0}",
        "{\"id\":1,\"file_name\":\"a.png\",\"width\":8.0,\"height\":6.0}",
        "{\"id\":1,\"file_name\":\"elsewhere\\\\a.PNG\"}"};
    char json[400];
    size_t n = 0;

    if (!test_has_json())
        return;
    data_make_dir("c");
    data_write_png("c/a.png", 8, 6, 3, 1);
    for (size_t i = 0; i < sizeof k_images / sizeof *k_images; i++) {
        (void)snprintf(json, sizeof json, COCO("%s"), k_images[i]);
        (void)test_file("c.json", json);
        dscq_dataset *d = opened("type=coco train=c train_labels=c.json " LIST);
        const dscq_box *b = dscq_dataset_boxes(d, DSCQ_SPLIT_TRAIN, 0, &n);
        ck_assert_uint_eq(n, 1);
        ck_assert_double_eq((double)b[0].x1, 0.5);
        ck_assert_double_eq((double)b[0].y1, 0.5);
        dscq_dataset_destroy(d);
    }
    (void)test_file("c.json", COCO("{\"id\":1,\"file_name\":\"a.png\",\"width\":16,"
                                   "\"height\":12}"));
    data_write_png("c/b.png", 8, 6, 3, 2);
    report r = check("type=coco train=c train_labels=c.json " LIST);
    ck_assert_uint_eq(r.errors, 1);
    HAS(says(&r, "unreadable"), "picture of 8x6 pixels but its annotation says 16x12");
    HAS(says(&r, "missing_label"), "1 picture without an annotation left out");
    end(&r);
}
END_TEST

static dscq_status open_list(void *ctx, dscq_error *err)
{
    dscq_dataset *d;
    const dscq_status status = data_open_set(&d, ctx, err);

    dscq_dataset_destroy(d);
    return status;
}

START_TEST(no_memory_is_reported)
{
    data_write_png("a.png", 6, 6, 3, 1);
    data_write_png("b.png", 6, 6, 3, 2);
    (void)test_file("l.csv", "filename;x;y\n\"A.PNG\";1;0\nb.png;0;1\n");
    ck_assert_uint_ge(
        test_each_alloc_fails(open_list,
                              "type=list train=l.csv label_column=one-hot " LIST),
        10);
    make_classes();
    ck_assert_uint_ge(test_each_alloc_fails(open_list, "type=folder train=f " LIST),
                      10);
}
END_TEST

#define LOOP(tc, test, table)                                                          \
    tcase_add_loop_test(tc, test, 0, (int)(sizeof(table) / sizeof *(table)))

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("data/found", &tc);

    tcase_add_test(tc, what_lies_deeper_is_read_and_counted);
    tcase_add_test(tc, pictures_of_other_kinds_are_counted);
    tcase_add_test(tc, content_counts_not_the_name);
    tcase_add_test(tc, what_systems_leave_behind_is_no_data);
    tcase_add_test(tc, parts_are_no_classes);
    LOOP(tc, a_named_pipe_is_refused_at_once, k_pipes);
    LOOP(tc, lists_of_every_tool_are_read, k_lists);
    LOOP(tc, lists_that_cannot_be_told_are_refused, k_bad_lists);
    tcase_add_test(tc, one_hot_marks_one_class);
    tcase_add_test(tc, columns_that_are_not_read_are_named);
    LOOP(tc, yolo_labels_are_found, k_yolo);
    tcase_add_test(tc, a_listed_picture_that_is_missing_is_an_error);
    LOOP(tc, voc_as_tools_write_it_is_read, k_voc);
    tcase_add_test(tc, pictures_without_annotation_are_counted);
    tcase_add_test(tc, coco_sizes_are_asked_for_and_compared);
    tcase_add_test(tc, no_memory_is_reported);
    return s;
}

int main(void)
{
    return test_run(make);
}
