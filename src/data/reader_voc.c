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

/* JPEGImages/NAME.{jpg,jpeg,png}, or the file that the annotation names. */
static dscq_status find_picture(char *out, const voc_source *v, const char *name,
                                const char *file, dscq_error *err)
{
    static const char *const k_ext[] = {".jpg", ".jpeg", ".png", ".JPG"};
    char base[DSCQ_PATH_MAX];

    for (size_t i = 0; i < sizeof k_ext / sizeof *k_ext; i++) {
        if (snprintf(base, sizeof base, "%s%s", name, k_ext[i]) >= (int)sizeof base)
            break;
        if (dscq_path_join(out, DSCQ_PATH_MAX, v->images, base, NULL) == DSCQ_OK &&
            dscq_path_exists(out))
            return DSCQ_OK;
    }
    if (file[0] != '\0' &&
        dscq_path_join(out, DSCQ_PATH_MAX, v->images, dscq_path_base(file), NULL) ==
            DSCQ_OK &&
        dscq_path_exists(out))
        return DSCQ_OK;
    return dscq_fail(err, DSCQ_IO, "%s/%s.jpg: no such picture (.jpeg and .png tried)",
                     v->images, name);
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

static dscq_status add_name(voc_source *v, const char *name, dscq_error *err)
{
    char base[DSCQ_PATH_MAX], xml[DSCQ_PATH_MAX] = "";
    uint8_t *text = NULL;
    size_t bytes = 0;
    dscq_annotation a = {0};
    dscq_error why = {DSCQ_OK, ""};
    dscq_status status;

    if (snprintf(base, sizeof base, "%s.xml", name) >= (int)sizeof base)
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
                            0, &why, err);
}

/* First word of every line; VOC's per-class lists carry a flag behind it. */
static dscq_status add_list(voc_source *v, const char *path, dscq_error *err)
{
    uint8_t *text = NULL;
    size_t bytes = 0, len;
    const char *line;
    char name[DSCQ_PATH_MAX];
    dscq_status status;

    DSCQ_TRY(dscq_file_read(&text, &bytes, path, 1 << 28, err));
    data_lines l = {(const char *)text, (const char *)text + bytes, 0};
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
        DSCQ_TRY(add_name(v, name, err));
    }
done:
    dscq_free(text);
    return status;
}

static dscq_status add_all(voc_source *v, dscq_error *err)
{
    char name[DSCQ_PATH_MAX];
    dscq_dir list = {0};
    dscq_status status;

    DSCQ_TRY(dscq_dir_list(&list, v->xml, err));
    for (size_t i = 0; i < list.count; i++) {
        const size_t len = strlen(list.name[i]);

        if (len <= 4 || len >= sizeof name ||
            strcmp(list.name[i] + len - 4, ".xml") != 0)
            continue;
        memcpy(name, list.name[i], len - 4);
        name[len - 4] = '\0';
        DSCQ_TRY(add_name(v, name, err));
    }
done:
    dscq_dir_free(&list);
    return status;
}

static dscq_status open_voc(data_part *part, data_open *o, dscq_error *err)
{
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
    DSCQ_TRY(dscq_path_join(v.images, sizeof v.images, root, "JPEGImages", err));
    if (o->labels[0] != '\0')
        DSCQ_TRY(data__resolve(v.xml, o, o->labels, err));
    else
        DSCQ_TRY(dscq_path_join(v.xml, sizeof v.xml, root, "Annotations", err));
    DSCQ_TRY(is_root ? add_all(&v, err) : add_list(&v, source, err));
    o->sort_names = 1;
done:
    return status;
}

const data_reader data_reader_voc = {
    .name = "voc",
    .summary = "Pascal VOC: boxes in XML; root folder or ImageSets/Main/LIST.txt",
    .has_boxes = 1,
    .needs_source = 1,
    .open = open_voc,
    .fetch = data__fetch_file,
};
