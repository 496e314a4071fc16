/* YOLO folders: pictures, and a text of boxes for each beside or under labels/. */
#include "data_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"

#include <stdio.h>
#include <string.h>

/* Darknet's rule: the last "images" or "JPEGImages" of the path becomes "labels",
 * the extension ".txt". */
static dscq_status label_path(char *out, const char *picture, dscq_error *err)
{
    static const char *const k_dir[] = {"/JPEGImages/", "/images/"};
    const char *at = NULL, *dot = strrchr(picture, '.');
    size_t skip = 0;

    for (size_t i = 0; i < 2; i++) {
        for (const char *p = strstr(picture, k_dir[i]); p != NULL;
             p = strstr(p + 1, k_dir[i])) {
            if (at == NULL || p > at) {
                at = p;
                skip = strlen(k_dir[i]);
            }
        }
    }
    if (dot == NULL || strchr(dot, '/') != NULL)
        dot = picture + strlen(picture);
    const char *rest = at != NULL ? at + skip : picture;
    const int n =
        at != NULL ? snprintf(out, DSCQ_PATH_MAX, "%.*s/labels/%.*s.txt",
                              (int)(at - picture), picture, (int)(dot - rest), rest)
                   : snprintf(out, DSCQ_PATH_MAX, "%.*s.txt", (int)(dot - rest), rest);

    return n < DSCQ_PATH_MAX
               ? DSCQ_OK
               : dscq_fail(err, DSCQ_FORMAT, "%.80s...: path too long", picture);
}

static dscq_status read_boxes(data_part *part, data_open *o, const char *picture,
                              const char *path, dscq_error *err)
{
    uint8_t *text = NULL;
    size_t bytes = 0;
    dscq_annotation a = {0};
    dscq_status status;

    if (!dscq_path_exists(path)) {
        /* Darknet takes the picture as background; that is usually a wrong path. */
        data__soft(o, "missing_label", path, 0, "no such file; picture left out");
        return DSCQ_OK;
    }
    DSCQ_TRY(dscq_file_read(&text, &bytes, path, 1 << 26, err));
    DSCQ_TRY(dscq_yolo_parse(&a, (const char *)text, bytes, path,
                             o->names_fixed ? o->names->count : 0, err));
    data__report_skipped(o, path, &a);
    DSCQ_TRY(data__part_add(part, picture, -1, err));
    DSCQ_TRY(data__part_add_boxes(part, &a, err));
done:
    dscq_annotation_clear(&a);
    dscq_free(text);
    return status;
}

static dscq_status add_picture(data_part *part, data_open *o, const char *picture,
                               dscq_error *err)
{
    char path[DSCQ_PATH_MAX], base[DSCQ_PATH_MAX], dir[DSCQ_PATH_MAX];
    dscq_error why = {DSCQ_OK, ""};
    dscq_status status;

    DSCQ_TRY(label_path(path, picture, err));
    if (o->labels[0] != '\0') {
        (void)dscq_str_copy(base, sizeof base, dscq_path_base(path));
        DSCQ_TRY(data__resolve(dir, o, o->labels, err));
        DSCQ_TRY(dscq_path_join(path, sizeof path, dir, base, err));
    }
    status = read_boxes(part, o, picture, path, &why);
    if (status != DSCQ_OK)
        status = data__hard(o, status == DSCQ_IO ? "missing_file" : "bad_boxes", path,
                            0, &why, err);
done:
    return status;
}

static dscq_status add_folder(data_part *part, data_open *o, const char *dir,
                              dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    dscq_dir list = {0};
    dscq_status status;

    DSCQ_TRY(dscq_dir_list(&list, dir, err));
    for (size_t i = 0; i < list.count; i++) {
        if (!dscq_image_has_extension(list.name[i]))
            continue;
        DSCQ_TRY(dscq_path_join(path, sizeof path, dir, list.name[i], err));
        DSCQ_TRY(add_picture(part, o, path, err));
    }
done:
    dscq_dir_free(&list);
    return status;
}

/* One path a line, relative to the folder of the list. */
static dscq_status add_list(data_part *part, data_open *o, const char *list,
                            dscq_error *err)
{
    uint8_t *text = NULL;
    size_t bytes = 0, len;
    const char *line;
    char name[DSCQ_PATH_MAX], dir[DSCQ_PATH_MAX], path[DSCQ_PATH_MAX];
    dscq_status status;

    dscq_path_dir(dir, sizeof dir, list);
    DSCQ_TRY(dscq_file_read(&text, &bytes, list, 1 << 28, err));
    data_lines l = {(const char *)text, (const char *)text + bytes, 0};
    while (data__next_line(&line, &len, &l)) {
        data__trim(&line, &len);
        if (len == 0)
            continue;
        if (len >= sizeof name || memchr(line, '\0', len) != NULL) {
            status =
                dscq_fail(err, DSCQ_FORMAT, "%s:%d: no picture path", list, l.number);
            goto done;
        }
        memcpy(name, line, len);
        name[len] = '\0';
        DSCQ_TRY(dscq_path_join(path, sizeof path, dir, name, err));
        DSCQ_TRY(add_picture(part, o, path, err));
    }
done:
    dscq_free(text);
    return status;
}

static dscq_status open_yolo(data_part *part, data_open *o, dscq_error *err)
{
    char source[DSCQ_PATH_MAX], name[16];
    int32_t most = -1;
    dscq_status status;

    DSCQ_TRY(data__resolve(source, o, o->source, err));
    DSCQ_TRY(dscq_path_is_dir(source) ? add_folder(part, o, source, err)
                                      : add_list(part, o, source, err));
    for (size_t i = 0; i < part->boxes.count; i++)
        most = part->boxes.box[i].cls > most ? part->boxes.box[i].cls : most;
    for (int32_t c = 0; !o->names_fixed && c <= most; c++) {
        (void)snprintf(name, sizeof name, "%d", (int)c);
        DSCQ_TRY(dscq_names_add(o->names, name, err));
    }
done:
    return status;
}

const data_reader data_reader_yolo = {
    .name = "yolo",
    .summary = "pictures with a text of 'class cx cy w h' each; folder or list file",
    .has_boxes = 1,
    .needs_source = 1,
    .open = open_yolo,
    .fetch = data__fetch_file,
};
