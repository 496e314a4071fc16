/* COCO: a folder of pictures and one JSON document of boxes. */
#include "data_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"

#include <string.h>

/* Categories of the document -> classes of the data set. */
static dscq_status map_classes(int32_t *map, data_open *o, const dscq_coco *c,
                               const char *name, dscq_error *err)
{
    for (int32_t i = 0; i < c->names.count; i++) {
        const dscq_status status =
            data__class_of(&map[i], o, c->names.name[i], name, err);
        if (status != DSCQ_OK)
            return status;
    }
    return DSCQ_OK;
}

static dscq_status add_image(data_part *part, data_open *o, dscq_annotation *a,
                             const char *dir, const char *json, dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    dscq_status status;

    DSCQ_TRY(data__find_listed(path, o, dir, a->file, err));
    if (a->in_pixels) { /* the document does not say how large it is */
        DSCQ_TRY(dscq_image_probe(&a->width, &a->height, path, err));
        dscq_annotation_normalise(a, a->width, a->height);
    }
    data__report_skipped(o, json, a);
    DSCQ_TRY(data__part_add(part, path, -1, err));
    DSCQ_TRY(data__part_add_boxes(part, a, err));
done:
    return status;
}

static dscq_status add_images(data_part *part, data_open *o, dscq_coco *c,
                              const char *json, const int32_t *map, dscq_error *err)
{
    char dir[DSCQ_PATH_MAX];
    dscq_error why = {DSCQ_OK, ""};
    dscq_status status;

    DSCQ_TRY(data__resolve(dir, o, o->source, err));
    for (size_t i = 0; i < c->count; i++) {
        dscq_annotation *a = &c->image[i].ann;

        for (size_t k = 0; k < a->boxes.count; k++)
            a->boxes.box[k].cls = map[a->boxes.box[k].cls];
        status = add_image(part, o, a, dir, json, &why);
        if (status != DSCQ_OK)
            DSCQ_TRY(data__hard(o, status == DSCQ_IO ? "missing_file" : "unreadable",
                                a->file, &why, err));
    }
    status = data__remark_unlisted(part, o, dir, err);
done:
    return status;
}

static dscq_status open_coco(data_part *part, data_open *o, dscq_error *err)
{
    char json[DSCQ_PATH_MAX];
    uint8_t *text = NULL;
    size_t bytes = 0;
    dscq_coco c = {0};
    int32_t *map = NULL;
    dscq_status status;

    if (o->labels[0] == '\0')
        return dscq_fail(err, DSCQ_FORMAT,
                         "data.%s_labels is missing: type = coco needs its JSON file",
                         o->is_test ? "test" : "train");
    DSCQ_TRY(data__resolve(json, o, o->labels, err));
    DSCQ_TRY(dscq_file_read(&text, &bytes, json, (size_t)1 << 31, err));
    DSCQ_TRY(dscq_coco_parse(&c, (const char *)text, bytes, json, err));
    map = dscq_malloc((size_t)c.names.count, sizeof *map);
    if (map == NULL) {
        status = dscq_fail_nomem(err, json, (size_t)c.names.count * sizeof *map);
        goto done;
    }
    DSCQ_TRY(map_classes(map, o, &c, json, err));
    DSCQ_TRY(add_images(part, o, &c, json, map, err));
done:
    dscq_free(map);
    dscq_coco_clear(&c);
    dscq_free(text);
    return status;
}

const data_reader data__reader_coco = {
    .name = "coco",
    .summary = "COCO: a folder of pictures, *_labels = instances JSON",
    .has_boxes = 1,
    .needs_source = 1,
    .open = open_coco,
    .fetch = data__fetch_file,
};
