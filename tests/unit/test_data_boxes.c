/* VOC XML, YOLO text, COCO JSON: the rules by hand-worked cases, and refusals. */
#include "dscq/data/boxes.h"
#include "test_data_util.h"

static const char k_voc[] =
    "<?xml version=\"1.0\"?>\n"
    "<annotation verified=\"yes\">\n"
    "  <filename>a.jpg</filename>\n"
    "  <size><width>200</width><height>100</height><depth>3</depth></size>\n"
    "  <object><name>dog</name><difficult>1</difficult>\n"
    "    "
    "<bndbox><xmin>1</xmin><ymin>11</ymin><xmax>100</xmax><ymax>60</ymax></bndbox>\n"
    "    <part><name>head</name><bndbox><xmin>5</xmin><ymin>5</ymin><xmax>6</xmax>"
    "<ymax>6</ymax></bndbox></part>\n"
    "  </object>\n"
    "  <object><name> cat </name><bndbox><ymax>100.0</ymax><xmax>220</xmax>"
    "<xmin>151</xmin><ymin>-4</ymin></bndbox></object>\n"
    "  <object><name>dog</name>\n"
    "    <bndbox><xmin>7</xmin><ymin>1</ymin><xmax>7</xmax><ymax>9</ymax></bndbox>\n"
    "  </object>\n"
    "</annotation>\n";

static dscq_status voc(dscq_annotation *a, const char *text, dscq_names *names,
                       int grow, dscq_error *err)
{
    return dscq_voc_parse(a, text, strlen(text), "a.xml", names, grow, err);
}

START_TEST(voc_counts_from_one_and_includes_the_end)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_names names = {0};
    dscq_annotation a;

    test_ok(voc(&a, k_voc, &names, 1, &err));
    ck_assert_int_eq(a.width, 200);
    ck_assert_int_eq(a.height, 100);
    ck_assert_str_eq(a.file, "a.jpg");
    ck_assert_uint_eq(a.boxes.count, 2);
    ck_assert_uint_eq(a.skipped, 1); /* xmin = xmax */
    ck_assert_int_eq(a.skipped_line, 10);
    ck_assert_int_eq(names.count, 2); /* parts are no objects */
    dscq_annotation_normalise(&a, a.width, a.height);
    const dscq_box *b = a.boxes.box;
    ck_assert_double_eq((double)b[0].x0, 0.0);
    ck_assert_double_eq_tol((double)b[0].y0, 0.1, 1e-7);
    ck_assert_double_eq((double)b[0].x1, 0.5);
    ck_assert_double_eq_tol((double)b[0].y1, 0.6, 1e-7);
    ck_assert_int_eq(b[0].cls, 0);
    ck_assert_int_eq(b[0].is_difficult, 1);
    ck_assert_double_eq((double)b[1].x0, 0.75); /* and cut at the edges */
    ck_assert_double_eq((double)b[1].x1, 1.0);
    ck_assert_double_eq((double)b[1].y0, 0.0);
    ck_assert_double_eq((double)b[1].y1, 1.0);
    ck_assert_str_eq(names.name[b[1].cls], "cat");
    dscq_annotation_clear(&a);
    dscq_names_clear(&names);
}
END_TEST

typedef struct refusal {
    const char *text, *message;
} refusal;

#define BOX "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"

static const refusal k_bad_voc[] = {
    {"", "a.xml:1: not well-formed XML: no element found"},
    {"<annotation>\n<object>", "a.xml:2: not well-formed XML: no element found"},
    {"<html></html>", "a.xml:1: root element <html>, want <annotation>"},
    {"<annotation>\n<object>" BOX "</object></annotation>",
     "a.xml:2: object without name"},
    {"<annotation><object><name>dog</name></object></annotation>",
     "a.xml:1: object without a complete bndbox"},
    {"<annotation><object><name>cow</name>" BOX "</object></annotation>",
     "a.xml:1: unknown class 'cow'; nearest is 'dog'"},
    {"<annotation><object><name>dog</name><bndbox>\n<xmin>nan</xmin></bndbox></object>"
     "</annotation>",
     "a.xml:2: <xmin> is 'nan': want a number in [-1e+06, 1e+06]"},
    {"<annotation><size><width>99999</width></size></annotation>",
     "a.xml:1: <width> is '99999': want a number in [0, 32767]"},
    {"<!DOCTYPE a [<!ENTITY b \"c\">]><annotation/>",
     "a.xml:1: declares an entity; annotations have none"},
    {"<annotation><object><name>dog</name>" BOX "</wrong></annotation>",
     "a.xml:1: not well-formed XML: mismatched tag"},
};

START_TEST(bad_voc_is_refused)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_names names = {0};
    dscq_annotation a;

    test_ok(dscq_names_add(&names, "dog", &err));
    test_fails(voc(&a, k_bad_voc[_i].text, &names, 0, &err), DSCQ_FORMAT,
               k_bad_voc[_i].message);
    ck_assert_ptr_null(a.boxes.box);
    dscq_names_clear(&names);
}
END_TEST

START_TEST(deep_nesting_is_refused)
{
    static char text[16 + 2000 * 3];
    dscq_error err = {DSCQ_OK, ""};
    dscq_names names = {0};
    dscq_annotation a;

    strcpy(text, "<annotation>");
    for (int i = 0; i < 2000; i++)
        strcat(text, "<a>");
    test_fails(voc(&a, text, &names, 1, &err), DSCQ_FORMAT,
               "a.xml:1: elements nested too deeply");
}
END_TEST

static dscq_status yolo(dscq_annotation *a, const char *text, int32_t classes,
                        dscq_error *err)
{
    return dscq_yolo_parse(a, text, strlen(text), "a.txt", classes, err);
}

START_TEST(yolo_is_centre_and_size_in_fractions)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_annotation a;

    test_ok(yolo(&a, "3.0 0.5 0.25 0.5 0.5\r\n\n 0\t0.95 0.5 0.2 1\n1 .5 .5 0 .1", 4,
                 &err));
    ck_assert_uint_eq(a.boxes.count, 2);
    ck_assert_uint_eq(a.skipped, 1);
    ck_assert_int_eq(a.skipped_line, 4);
    ck_assert_int_eq(a.boxes.box[0].cls, 3);
    ck_assert_double_eq((double)a.boxes.box[0].x0, 0.25);
    ck_assert_double_eq((double)a.boxes.box[0].x1, 0.75);
    ck_assert_double_eq((double)a.boxes.box[0].y0, 0.0);
    ck_assert_double_eq((double)a.boxes.box[0].y1, 0.5);
    ck_assert_double_eq((double)a.boxes.box[1].x1, 1.0); /* 1.05, cut */
    dscq_annotation_clear(&a);
    test_ok(yolo(&a, "", 4, &err)); /* background */
    ck_assert_uint_eq(a.boxes.count, 0);
}
END_TEST

static const refusal k_bad_yolo[] = {
    {"0 0.5 0.5 0.5", "a.txt:1: 4 fields, want 'class cx cy w h'"},
    {"0 .1 .1 .1 .1\n0 .1 .1 .2 .1 .2 .2 .1 .2",
     "a.txt:2: 9 fields, want 'class cx cy w h' (outlines are not boxes)"},
    {"4 .5 .5 .1 .1", "a.txt:1: class '4': want 0..3"},
    {"-1 .5 .5 .1 .1", "a.txt:1: class '-1': want 0..3"},
    {"1.5 .5 .5 .1 .1", "a.txt:1: class '1.5': want 0..3"},
    {"1 320 .5 .1 .1", "a.txt:1: cx = '320': want a fraction of the picture, 0..1"},
    {"1 .5 nan .1 .1", "a.txt:1: cy = 'nan': want a fraction of the picture, 0..1"},
    {"1 .5 .5 -.1 .1", "a.txt:1: w = '-.1': want a fraction of the picture, 0..1"},
    {"1 .5 .5 .1 1e999", "a.txt:1: h = '1e999': want a fraction of the picture, 0..1"},
    {"1 .5 .5 .1 0x1p-3",
     "a.txt:1: h = '0x1p-3': want a fraction of the picture, 0..1"},
};

START_TEST(bad_yolo_is_refused)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_annotation a;

    test_fails(yolo(&a, k_bad_yolo[_i].text, 4, &err), DSCQ_FORMAT,
               k_bad_yolo[_i].message);
}
END_TEST

#define IMAGES                                                                         \
    "\"images\":[{\"id\":7,\"file_name\":\"b.jpg\",\"width\":100,\"height\":50},"      \
    "{\"id\":2,\"file_name\":\"a.jpg\",\"width\":10,\"height\":10}]"
#define CATEGORIES                                                                     \
    "\"categories\":[{\"id\":90,\"name\":\"brush\"},{\"id\":1,\"name\":\"person\"}]"

static dscq_status coco(dscq_coco *c, const char *text, dscq_error *err)
{
    return dscq_coco_parse(c, text, strlen(text), "a.json", err);
}

START_TEST(coco_ids_have_gaps_and_boxes_count_from_zero)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_coco c;

    test_ok(coco(&c,
                 "{" IMAGES "," CATEGORIES ",\"annotations\":["
                 "{\"image_id\":7,\"category_id\":90,\"bbox\":[10,5,20.5,10],"
                 "\"iscrowd\":1},"
                 "{\"image_id\":7,\"category_id\":1,\"bbox\":[0,0,0,3]}]}",
                 &err));
    ck_assert_uint_eq(c.count, 2);
    ck_assert_str_eq(c.image[0].ann.file, "a.jpg"); /* by name */
    ck_assert_str_eq(c.names.name[0], "person");    /* by id   */
    ck_assert_int_eq(c.category_id[1], 90);
    const dscq_annotation *a = &c.image[1].ann;
    ck_assert_int_eq(c.image[1].id, 7);
    ck_assert_uint_eq(a->boxes.count, 1);
    ck_assert_uint_eq(a->skipped, 1);
    ck_assert_int_eq(a->boxes.box[0].cls, 1);
    ck_assert_int_eq(a->boxes.box[0].is_crowd, 1);
    ck_assert_double_eq_tol((double)a->boxes.box[0].x0, 0.1, 1e-7);
    ck_assert_double_eq_tol((double)a->boxes.box[0].x1, 0.305, 1e-7);
    ck_assert_double_eq_tol((double)a->boxes.box[0].y1, 0.3, 1e-7);
    dscq_coco_clear(&c);
}
END_TEST

static const refusal k_bad_coco[] = {
    {"{}", "a.json: no images[] in it"},
    {"{\"images\":[{\"id\":1}]}", "a.json: images[0]: no id or no file_name"},
    {"{\"images\":[{\"id\":1,\"file_name\":\"a\",\"width\":-1,\"height\":5}]}",
     "a.json: images[0]: -1x5 pixels: want 1..32767"},
    {"{" IMAGES "}", "a.json: 0 categories[]: want 1..32768"},
    {"{" IMAGES
     ",\"categories\":[{\"id\":1,\"name\":\"a\"},{\"id\":1,\"name\":\"b\"}]}",
     "a.json: category id 1 given twice"},
    {"{" IMAGES "," CATEGORIES ",\"annotations\":[{\"image_id\":3,\"category_id\":1,"
     "\"bbox\":[0,0,1,1]}]}",
     "a.json: annotations[0]: image_id 3 is not in images[]"},
    {"{" IMAGES "," CATEGORIES ",\"annotations\":[{\"image_id\":2,\"category_id\":3,"
     "\"bbox\":[0,0,1,1]}]}",
     "a.json: annotations[0]: category_id 3 is not in categories[]"},
    {"{" IMAGES "," CATEGORIES ",\"annotations\":[{\"image_id\":2,\"category_id\":1,"
     "\"bbox\":[0,0,1]}]}",
     "a.json: annotations[0]: bbox: want [x, y, w, h] in pixels"},
};

START_TEST(bad_coco_is_refused)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_coco c;

    test_fails(coco(&c, k_bad_coco[_i].text, &err), DSCQ_FORMAT,
               k_bad_coco[_i].message);
    ck_assert_ptr_null(c.image);
}
END_TEST

START_TEST(overlap_is_by_area)
{
    const dscq_box a = {.x1 = 0.5f, .y1 = 0.5f};
    const dscq_box b = {.x0 = 0.25f, .y0 = 0.25f, .x1 = 0.75f, .y1 = 0.75f};
    const dscq_box none = {.x0 = 0.3f, .y0 = 0.3f, .x1 = 0.3f, .y1 = 0.9f};

    ck_assert_double_eq_tol(dscq_box_iou(&a, &b), 0.0625 / (0.25 + 0.25 - 0.0625),
                            1e-12);
    ck_assert_double_eq(dscq_box_iou(&a, &a), 1.0);
    ck_assert_double_eq(dscq_box_iou(&a, &none), 0.0);
}
END_TEST

START_TEST(names_are_one_a_line)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_names n;
    int32_t map[3];

    test_ok(dscq_names_parse(&n, "dog\r\ncat \nbird\n\n", 16, "c.names", &err));
    ck_assert_int_eq(n.count, 3);
    ck_assert_int_eq(dscq_names_find(&n, "cat"), 1);
    dscq_names_sort(&n, map);
    ck_assert_int_eq(map[0], 2);
    ck_assert_str_eq(n.name[0], "bird");
    dscq_names_clear(&n);
    test_fails(dscq_names_parse(&n, "a\n\nb", 4, "c.names", &err), DSCQ_FORMAT,
               "c.names:2: empty class name");
    test_fails(dscq_names_parse(&n, "a\nb\na", 5, "c.names", &err), DSCQ_FORMAT,
               "c.names:3: class name 'a' given twice");
    test_fails(dscq_names_parse(&n, "\n", 1, "c.names", &err), DSCQ_FORMAT,
               "c.names: no class names in it");
}
END_TEST

static dscq_status parse_all(void *ctx, dscq_error *err)
{
    static const char k_json[] =
        "{" IMAGES "," CATEGORIES ",\"annotations\":["
        "{\"image_id\":7,\"category_id\":1,\"bbox\":[1,2,3,4]}]}";
    dscq_names names = {0};
    dscq_annotation a;
    dscq_coco c = {0};

    (void)ctx;
    dscq_status status = voc(&a, k_voc, &names, 1, err);
    dscq_annotation_clear(&a);
    dscq_names_clear(&names);
    if (status == DSCQ_OK)
        status = yolo(&a, "0 .5 .5 .1 .1", 0, err);
    dscq_annotation_clear(&a);
    if (status == DSCQ_OK)
        status = coco(&c, k_json, err);
    dscq_coco_clear(&c);
    return status;
}

START_TEST(no_memory_is_reported)
{
    ck_assert_uint_ge(test_each_alloc_fails(parse_all, NULL), 8);
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("data/boxes", &tc);

    tcase_add_test(tc, voc_counts_from_one_and_includes_the_end);
    tcase_add_loop_test(tc, bad_voc_is_refused, 0,
                        (int)(sizeof k_bad_voc / sizeof *k_bad_voc));
    tcase_add_test(tc, deep_nesting_is_refused);
    tcase_add_test(tc, yolo_is_centre_and_size_in_fractions);
    tcase_add_loop_test(tc, bad_yolo_is_refused, 0,
                        (int)(sizeof k_bad_yolo / sizeof *k_bad_yolo));
    tcase_add_test(tc, coco_ids_have_gaps_and_boxes_count_from_zero);
    tcase_add_loop_test(tc, bad_coco_is_refused, 0,
                        (int)(sizeof k_bad_coco / sizeof *k_bad_coco));
    tcase_add_test(tc, overlap_is_by_area);
    tcase_add_test(tc, names_are_one_a_line);
    tcase_add_test(tc, no_memory_is_reported);
    return s;
}

int main(void)
{
    return test_run(make);
}
