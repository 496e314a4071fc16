/* COCO instances: images, categories and annotations in one JSON document. */
#include "data_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/json.h"
#include "dscq/base/str.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_id(const void *a, const void *b)
{
    const int64_t x = ((const dscq_coco_image *)a)->id;
    const int64_t y = ((const dscq_coco_image *)b)->id;

    return (x > y) - (x < y);
}

static int by_file(const void *a, const void *b)
{
    const dscq_coco_image *x = a, *y = b;
    const int order = strcmp(x->ann.file, y->ann.file);

    return order != 0 ? order : by_id(a, b);
}

typedef struct category {
    int64_t id;
    const char *name; /* borrowed from the document */
} category;

static int by_category(const void *a, const void *b)
{
    const int64_t x = ((const category *)a)->id, y = ((const category *)b)->id;

    return (x > y) - (x < y);
}

/* Missing, null, 0, and text are "not said": then the picture itself is asked. */
static double side_of(const dscq_json *j)
{
    const double v = dscq_json_real(j, 0);

    return v >= -1e9 && v <= 1e9 ? floor(v) : -1;
}

static dscq_status read_image(dscq_coco_image *im, const dscq_json *j, size_t i,
                              dscq_error *err)
{
    const dscq_json *id = dscq_json_get(j, "id");
    const double w = side_of(dscq_json_get(j, "width"));
    const double h = side_of(dscq_json_get(j, "height"));
    const char *file = dscq_json_text(dscq_json_get(j, "file_name"), NULL);

    if (!dscq_json_is_int(id) || file == NULL || file[0] == '\0')
        return dscq_fail(err, DSCQ_FORMAT, "images[%zu]: no id or no file_name", i);
    if (w < 0 || h < 0 || w > DSCQ_IMAGE_SIDE_MAX || h > DSCQ_IMAGE_SIDE_MAX)
        return dscq_fail(err, DSCQ_FORMAT, "images[%zu]: %.0fx%.0f pixels: want 1..%d",
                         i, w, h, DSCQ_IMAGE_SIDE_MAX);
    if (!dscq_str_copy(im->ann.file, sizeof im->ann.file, file))
        return dscq_fail(err, DSCQ_FORMAT, "images[%zu]: file_name of %zu characters",
                         i, strlen(file));
    im->id = dscq_json_int(id, 0);
    im->ann.width = w >= 1 && h >= 1 ? (int32_t)w : 0;
    im->ann.height = w >= 1 && h >= 1 ? (int32_t)h : 0;
    im->ann.in_pixels = 1;
    return DSCQ_OK;
}

static dscq_status read_images(dscq_coco *c, const dscq_json *doc, dscq_error *err)
{
    const dscq_json *list = dscq_json_get(doc, "images");
    const size_t n = dscq_json_count(list);

    if (n == 0)
        return dscq_fail(err, DSCQ_FORMAT, "no images[] in it");
    c->image = dscq_calloc(n, sizeof *c->image);
    if (c->image == NULL)
        return dscq_fail_nomem(err, "COCO pictures", n * sizeof *c->image);
    c->count = n;
    for (size_t i = 0; i < n; i++) {
        const dscq_status status =
            read_image(&c->image[i], dscq_json_at(list, i), i, err);
        if (status != DSCQ_OK)
            return status;
    }
    qsort(c->image, n, sizeof *c->image, by_id);
    for (size_t i = 1; i < n; i++)
        if (c->image[i].id == c->image[i - 1].id)
            return dscq_fail(err, DSCQ_FORMAT, "image id %lld given twice",
                             (long long)c->image[i].id);
    return DSCQ_OK;
}

static dscq_status name_categories(dscq_coco *c, const category *cat, size_t n,
                                   dscq_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && cat[i].id == cat[i - 1].id)
            return dscq_fail(err, DSCQ_FORMAT, "category id %lld given twice",
                             (long long)cat[i].id);
        if (dscq_names_find(&c->names, cat[i].name) >= 0)
            return dscq_fail(err, DSCQ_FORMAT, "category name '%.60s' given twice",
                             cat[i].name);
        const dscq_status status = dscq_names_add(&c->names, cat[i].name, err);
        if (status != DSCQ_OK)
            return status;
        c->category_id[i] = cat[i].id;
    }
    return DSCQ_OK;
}

static dscq_status read_categories(dscq_coco *c, const dscq_json *doc, dscq_error *err)
{
    const dscq_json *list = dscq_json_get(doc, "categories");
    const size_t n = dscq_json_count(list);
    category *cat;
    dscq_status status = DSCQ_OK;

    if (n == 0 || n > DSCQ_CLASSES_MAX)
        return dscq_fail(err, DSCQ_FORMAT, "%zu categories[]: want 1..%d", n,
                         DSCQ_CLASSES_MAX);
    cat = dscq_calloc(n, sizeof *cat);
    c->category_id = dscq_calloc(n, sizeof *c->category_id);
    if (cat == NULL || c->category_id == NULL) {
        status = dscq_fail_nomem(err, "COCO categories", n * sizeof *cat);
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        const dscq_json *id = dscq_json_get(dscq_json_at(list, i), "id");

        cat[i].id = dscq_json_int(id, 0);
        cat[i].name =
            dscq_json_text(dscq_json_get(dscq_json_at(list, i), "name"), NULL);
        if (!dscq_json_is_int(id) || cat[i].name == NULL || cat[i].name[0] == '\0' ||
            strlen(cat[i].name) >= DSCQ_CLASS_NAME_MAX) {
            status = dscq_fail(err, DSCQ_FORMAT,
                               "categories[%zu]: want an id and a name of at most %d "
                               "characters",
                               i, DSCQ_CLASS_NAME_MAX - 1);
            goto done;
        }
    }
    qsort(cat, n, sizeof *cat, by_category);
    status = name_categories(c, cat, n, err);
done:
    dscq_free(cat);
    return status;
}

static int32_t class_of(const dscq_coco *c, int64_t id)
{
    int32_t lo = 0, hi = c->names.count;

    while (lo < hi) {
        const int32_t mid = lo + (hi - lo) / 2;
        if (c->category_id[mid] < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < c->names.count && c->category_id[lo] == id ? lo : -1;
}

static dscq_status read_box(dscq_coco *c, const dscq_json *a, dscq_error *err)
{
    const dscq_json *bbox = dscq_json_get(a, "bbox");
    const dscq_json *kind = dscq_json_get(a, "category_id");
    const dscq_coco_image key = {.id = dscq_json_int(dscq_json_get(a, "image_id"), -1)};
    dscq_box b = {.cls = class_of(c, dscq_json_int(kind, -1))};
    double v[4];

    assert(c->image != NULL);
    dscq_coco_image *im = bsearch(&key, c->image, c->count, sizeof *c->image, by_id);
    if (im == NULL || !dscq_json_is_int(dscq_json_get(a, "image_id")))
        return dscq_fail(err, DSCQ_FORMAT, "image_id %lld is not in images[]",
                         (long long)key.id);
    if (b.cls < 0 || !dscq_json_is_int(kind))
        return dscq_fail(err, DSCQ_FORMAT, "category_id %lld is not in categories[]",
                         (long long)dscq_json_int(kind, -1));
    for (size_t i = 0; i < 4; i++) {
        v[i] = dscq_json_real(dscq_json_at(bbox, i), 1e9);
        if (dscq_json_count(bbox) != 4 || !(v[i] >= -1e6 && v[i] <= 1e6))
            return dscq_fail(err, DSCQ_FORMAT, "bbox: want [x, y, w, h] in pixels");
    }
    if (v[2] <= 0.0 || v[3] <= 0.0) {
        im->ann.skipped++;
        return DSCQ_OK;
    }
    if (im->ann.boxes.count >= DSCQ_BOXES_PER_IMAGE_MAX)
        return dscq_fail(err, DSCQ_FORMAT, "more than %d boxes in one picture",
                         DSCQ_BOXES_PER_IMAGE_MAX);
    b.x0 = (float)v[0];
    b.y0 = (float)v[1];
    b.x1 = (float)(v[0] + v[2]);
    b.y1 = (float)(v[1] + v[3]);
    b.is_crowd = (uint8_t)(dscq_json_int(dscq_json_get(a, "iscrowd"), 0) != 0);
    return dscq_boxes_add(&im->ann.boxes, &b, err);
}

static dscq_status read_document(dscq_coco *c, const dscq_json *doc, dscq_error *err)
{
    const dscq_json *list = dscq_json_get(doc, "annotations");
    dscq_status status;

    DSCQ_TRY(read_images(c, doc, err));
    assert(c->image != NULL);
    DSCQ_TRY(read_categories(c, doc, err));
    for (size_t i = 0; i < dscq_json_count(list); i++) {
        status = read_box(c, dscq_json_at(list, i), err);
        if (status == DSCQ_FORMAT)
            return dscq_fail_at(err, "annotations[%zu]", i);
        if (status != DSCQ_OK)
            return status;
    }
    for (size_t i = 0; i < c->count; i++)
        if (c->image[i].ann.width > 0)
            dscq_annotation_normalise(&c->image[i].ann, c->image[i].ann.width,
                                      c->image[i].ann.height);
    qsort(c->image, c->count, sizeof *c->image, by_file);
done:
    return status;
}

dscq_status dscq_coco_parse(dscq_coco *out, const char *text, size_t bytes,
                            const char *name, dscq_error *err)
{
    dscq_json *doc = NULL;
    dscq_coco c = {0};
    dscq_status status;

    *out = c;
    DSCQ_TRY(dscq_json_parse(&doc, text, bytes, name, err));
    status = read_document(&c, doc, err);
    if (status == DSCQ_FORMAT)
        (void)dscq_fail_at(err, "%s", name);
    if (status != DSCQ_OK)
        goto done;
    dscq_json_free(doc);
    *out = c;
    return DSCQ_OK;
done:
    dscq_json_free(doc);
    dscq_coco_clear(&c);
    return status;
}

void dscq_coco_clear(dscq_coco *c)
{
    for (size_t i = 0; i < c->count; i++)
        dscq_annotation_clear(&c->image[i].ann);
    dscq_free(c->image);
    dscq_names_clear(&c->names);
    dscq_free(c->category_id);
    *c = (dscq_coco){0};
}
