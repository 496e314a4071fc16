/* Pascal VOC folders: JPEGImages, Annotations, ImageSets/Main. */
#include "data_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"

#include <stdio.h>
#include <string.h>

typedef struct voc_source {
    data_part *part;
    data_open *o;
    char images[DSCQ_PATH_MAX], xml[DSCQ_PATH_MAX]; /* folders */
} voc_source;

/* NAME with the ending of a picture, or the file that the annotation names, in
 * whatever case their endings are. */
static dscq_status find_picture(char *out, const voc_source *v, const char *name,
                                const char *file, dscq_error *err)
{
    char stem[DSCQ_PATH_MAX];
    int found = 0;
    dscq_status status;

    DSCQ_TRY(dscq_path_join(stem, sizeof stem, v->images, name, err));
    DSCQ_TRY(data__find_ending(out, &found, v->o, stem, err));
    if (found)
        return DSCQ_OK;
    if (file[0] != '\0') {
        DSCQ_TRY(data__find_listed(out, v->o, v->images, file, err));
        if (dscq_path_exists(out))
            return DSCQ_OK;
    }
    return dscq_fail(
        err, DSCQ_IO,
        "%s: no picture of that name (.png, .jpg, .bmp, .webp ... tried%s%s)", stem,
        file[0] != '\0' ? ", and " : "", file);
done:
    return status;
}

static dscq_status add_annotated(voc_source *v, const char *xml, const char *name,
                                 dscq_annotation *a, dscq_error *err)
{
    char picture[DSCQ_PATH_MAX];
    dscq_status status;

    DSCQ_TRY(find_picture(picture, v, name, a->file, err));
    if (a->width == 0 || a->height == 0)
        DSCQ_TRY(dscq_image_probe(&a->width, &a->height, picture, err));
    dscq_annotation_normalise(a, a->width, a->height);
    data__report_skipped(v->o, xml, a);
    DSCQ_TRY(data__part_add(v->part, picture, -1, err));
    DSCQ_TRY(data__part_add_boxes(v->part, a, err));
done:
    return status;
}

static dscq_status add_name(voc_source *v, const char *name, const char *ending,
                            dscq_error *err)
{
    char base[DSCQ_PATH_MAX], xml[DSCQ_PATH_MAX] = "";
    uint8_t *text = NULL;
    size_t bytes = 0;
    dscq_annotation a = {0};
    dscq_error why = {DSCQ_OK, ""};
    dscq_status status;

    if (snprintf(base, sizeof base, "%s%s", name, ending) >= (int)sizeof base)
        return dscq_fail(err, DSCQ_FORMAT, "%.60s...: name too long", name);
    DSCQ_TRY(dscq_path_join(xml, sizeof xml, v->xml, base, &why));
    DSCQ_TRY(dscq_file_read(&text, &bytes, xml, 1 << 26, &why));
    DSCQ_TRY(dscq_voc_parse(&a, (const char *)text, bytes, xml, v->o->names,
                            !v->o->names_fixed, &why));
    DSCQ_TRY(add_annotated(v, xml, name, &a, &why));
done:
    dscq_annotation_clear(&a);
    dscq_free(text);
    return status == DSCQ_OK
               ? DSCQ_OK
               : data__hard(v->o, status == DSCQ_IO ? "missing_file" : "bad_boxes", xml,
                            &why, err);
}

/* First word of every line; VOC's per-class lists carry a flag behind it. */
static dscq_status add_list(voc_source *v, const char *path, dscq_error *err)
{
    uint8_t *text = NULL;
    size_t bytes = 0, len;
    const char *line;
    char name[DSCQ_PATH_MAX];
    data_lines l;
    dscq_status status;

    DSCQ_TRY(dscq_file_read(&text, &bytes, path, 1 << 28, err));
    DSCQ_TRY(data__lines(&l, (const char *)text, bytes, path, err));
    while (data__next_line(&line, &len, &l)) {
        data__trim(&line, &len);
        size_t word = 0;
        while (word < len && line[word] != ' ' && line[word] != '\t')
            word++;
        if (word == 0)
            continue;
        if (word >= sizeof name || memchr(line, '\0', word) != NULL) {
            status =
                dscq_fail(err, DSCQ_FORMAT, "%s:%d: no picture name", path, l.number);
            goto done;
        }
        memcpy(name, line, word);
        name[word] = '\0';
        DSCQ_TRY(add_name(v, name, ".xml", err));
    }
done:
    dscq_free(text);
    return status;
}

static dscq_status add_all(voc_source *v, dscq_error *err)
{
    char name[DSCQ_PATH_MAX];
    dscq_dir list = {0};
    size_t annotations = 0;
    dscq_status status;

    DSCQ_TRY(dscq_dir_list(&list, v->xml, err));
    for (size_t i = 0; i < list.count; i++) {
        const size_t len = strlen(list.name[i]);

        if (!dscq_path_ends(list.name[i], ".xml") || data__is_clutter(list.name[i]) ||
            len >= sizeof name)
            continue;
        memcpy(name, list.name[i], len - 4);
        name[len - 4] = '\0';
        annotations++;
        DSCQ_TRY(add_name(v, name, list.name[i] + len - 4, err));
    }
    if (annotations == 0) {
        status = dscq_fail(err, DSCQ_FORMAT,
                           "%s: no annotations (.xml) in it, nor a folder Annotations",
                           v->xml);
        goto done;
    }
    DSCQ_TRY(data__remark_unlisted(v->part, v->o, v->images, err));
done:
    dscq_dir_free(&list);
    return status;
}

/* The first of some sub-folders that is there; else the root itself, as exports of
 * today have it, pictures and annotations side by side. */
static dscq_status choose_folder(char out[DSCQ_PATH_MAX], const char *root,
                                 const char *const *choice, dscq_error *err)
{
    for (size_t i = 0; choice[i] != NULL; i++) {
        const dscq_status status =
            dscq_path_join(out, DSCQ_PATH_MAX, root, choice[i], err);
        if (status != DSCQ_OK || dscq_path_is_dir(out))
            return status;
    }
    (void)dscq_str_copy(out, DSCQ_PATH_MAX, root);
    return DSCQ_OK;
}

static dscq_status open_voc(data_part *part, data_open *o, dscq_error *err)
{
    static const char *const k_images[] = {"JPEGImages", "images", "Images", NULL};
    static const char *const k_xml[] = {"Annotations", "annotations", NULL};
    voc_source v = {.part = part, .o = o};
    char source[DSCQ_PATH_MAX], root[DSCQ_PATH_MAX], up[DSCQ_PATH_MAX];
    dscq_status status;

    DSCQ_TRY(data__resolve(source, o, o->source, err));
    const int is_root = dscq_path_is_dir(source);

    (void)dscq_str_copy(root, sizeof root, source);
    for (int i = 0; !is_root && i < 3; i++) { /* ROOT/ImageSets/Main/LIST.txt */
        dscq_path_dir(up, sizeof up, root);
        (void)dscq_str_copy(root, sizeof root, up);
    }
    DSCQ_TRY(choose_folder(v.images, root, k_images, err));
    if (o->labels[0] != '\0')
        DSCQ_TRY(data__resolve(v.xml, o, o->labels, err));
    else
        DSCQ_TRY(choose_folder(v.xml, root, k_xml, err));
    DSCQ_TRY(is_root ? add_all(&v, err) : add_list(&v, source, err));
    o->sort_names = 1;
done:
    return status;
}

const data_reader data__reader_voc = {
    .name = "voc",
    .summary = "Pascal VOC: boxes in XML; root folder or ImageSets/Main/LIST.txt",
    .has_boxes = 1,
    .needs_source = 1,
    .open = open_voc,
    .fetch = data__fetch_file,
};
