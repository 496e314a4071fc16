/* YOLO folders: pictures, and a text of boxes for each beside or under labels/. */
#include "data_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The last folder called images or JPEGImages in a path; NULL when there is none. */
static const char *images_folder(const char *path, size_t *len)
{
    const char *found = NULL;

    for (const char *at = path; *at != '\0';) {
        const size_t n = strcspn(at, "/");

        if (at[n] == '/' && ((n == 6 && strncasecmp(at, "images", n) == 0) ||
                             (n == 10 && strncasecmp(at, "JPEGImages", n) == 0))) {
            found = at;
            *len = n;
        }
        at += n + (at[n] == '/');
    }
    return found;
}

/* `dir`/NAME.txt or .TXT for the picture NAME.png; 1 when there is such a file. `out`
 * is the first that was looked for. */
static int label_in(char out[DSCQ_PATH_MAX], const char *dir, const char *name)
{
    static const char *const k_endings[] = {".txt", ".TXT", ".Txt"};
    char path[DSCQ_PATH_MAX];
    const int stem = (int)dscq_path_stem(name);

    for (size_t i = 0; i < sizeof k_endings / sizeof *k_endings; i++) {
        const int n = snprintf(path, sizeof path, "%s%s%.*s%s", dir,
                               dir[0] != '\0' ? "/" : "", stem, name, k_endings[i]);
        if (n < 0 || (size_t)n >= sizeof path)
            return 0;
        if (i == 0 || dscq_path_exists(path))
            (void)dscq_str_copy(out, DSCQ_PATH_MAX, path);
        if (dscq_path_exists(path))
            return 1;
    }
    return 0;
}

/* Darknet's rule: the last "images" or "JPEGImages" of the path becomes "labels". 0
 * when the path has none or there is no such file. */
static int label_by_rule(char out[DSCQ_PATH_MAX], const char *picture, int *has_rule)
{
    char dir[DSCQ_PATH_MAX];
    size_t len = 0;
    const char *images = images_folder(picture, &len);

    *has_rule = images != NULL;
    if (images == NULL)
        return 0;
    for (int capital = 0; capital < 2; capital++) {
        char tried[DSCQ_PATH_MAX];

        (void)snprintf(dir, sizeof dir, "%.*s%s", (int)(images - picture), picture,
                       capital ? "Labels" : "labels");
        const int found = label_in(tried, dir, images + len + 1);
        if (found || !capital)
            (void)dscq_str_copy(out, DSCQ_PATH_MAX, tried);
        if (found)
            return 1;
    }
    return 0;
}

/* The same for the whole path of a picture that was named from inside its folder. */
static int label_by_place(char out[DSCQ_PATH_MAX], const char *picture, int *has_rule)
{
    char dir[DSCQ_PATH_MAX], whole[DSCQ_PATH_MAX];
    int found = 0;

    dscq_path_dir(dir, sizeof dir, picture);
    char *real = realpath(dir, NULL);
    if (real != NULL && dscq_path_join(whole, sizeof whole, real,
                                       dscq_path_base(picture), NULL) == DSCQ_OK)
        found = label_by_rule(out, whole, has_rule);
    free(real);
    return found;
}

/* Where the boxes of a picture are: by Darknet's rule, beside it, or in a folder
 * "labels" in or beside its own. When there are none, where they were expected. */
static void find_label(char out[DSCQ_PATH_MAX], const char *picture)
{
    static const char *const k_places[] = {"", "/labels", "/../labels"};
    char dir[DSCQ_PATH_MAX], other[DSCQ_PATH_MAX], expected[DSCQ_PATH_MAX] = "";
    const char *base = dscq_path_base(picture);
    int has_rule = 0;

    if (label_by_rule(expected, picture, &has_rule) ||
        (!has_rule && label_by_place(expected, picture, &has_rule))) {
        (void)dscq_str_copy(out, DSCQ_PATH_MAX, expected);
        return;
    }
    dscq_path_dir(dir, sizeof dir, picture);
    for (size_t i = 0; i < sizeof k_places / sizeof *k_places; i++) {
        (void)snprintf(other, sizeof other, "%.3000s%s", dir, k_places[i]);
        const int found = label_in(out, other, base);
        if (expected[0] == '\0')
            (void)dscq_str_copy(expected, sizeof expected, out);
        if (found)
            return;
    }
    (void)dscq_str_copy(out, DSCQ_PATH_MAX, expected);
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
    char path[DSCQ_PATH_MAX], dir[DSCQ_PATH_MAX];
    dscq_error why = {DSCQ_OK, ""};
    dscq_status status;

    if (o->labels[0] != '\0') {
        DSCQ_TRY(data__resolve(dir, o, o->labels, err));
        (void)label_in(path, dir, dscq_path_base(picture));
    } else {
        find_label(path, picture);
    }
    status = read_boxes(part, o, picture, path, &why);
    if (status != DSCQ_OK)
        status = data__hard(o, status == DSCQ_IO ? "missing_file" : "bad_boxes", path,
                            &why, err);
done:
    return status;
}

/* One line of a list: a path from the folder of the list on. */
static dscq_status add_listed(data_part *part, data_open *o, const char *dir,
                              const char *line, size_t len, dscq_error *err)
{
    char name[DSCQ_PATH_MAX], path[DSCQ_PATH_MAX];
    dscq_status status;

    if (len >= sizeof name || memchr(line, '\0', len) != NULL)
        return dscq_fail(err, DSCQ_FORMAT, "no path of a picture");
    memcpy(name, line, len);
    name[len] = '\0';
    DSCQ_TRY(data__find_listed(path, o, dir, name, err));
    if (!dscq_path_exists(path))
        return dscq_fail(err, DSCQ_IO, "%s: no such picture", path);
    DSCQ_TRY(add_picture(part, o, path, err));
done:
    return status;
}

static dscq_status add_list(data_part *part, data_open *o, const char *list,
                            dscq_error *err)
{
    uint8_t *text = NULL;
    size_t bytes = 0, len;
    const char *line;
    char dir[DSCQ_PATH_MAX];
    data_lines l;
    dscq_error why = {DSCQ_OK, ""};
    dscq_status status;

    dscq_path_dir(dir, sizeof dir, list);
    DSCQ_TRY(dscq_file_read(&text, &bytes, list, 1 << 28, err));
    DSCQ_TRY(data__lines(&l, (const char *)text, bytes, list, err));
    while (data__next_line(&line, &len, &l)) {
        data__trim(&line, &len);
        if (len == 0 || line[0] == '#')
            continue;
        status = add_listed(part, o, dir, line, len, &why);
        if (status != DSCQ_OK && status != DSCQ_NOMEM)
            (void)dscq_fail_at(&why, "%s:%d", list, l.number);
        if (status != DSCQ_OK)
            DSCQ_TRY(data__hard(o, "bad_line", list, &why, err));
    }
    status = DSCQ_OK;
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
    DSCQ_TRY(dscq_path_is_dir(source)
                 ? data__add_folder(part, o, source, add_picture, err)
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

const data_reader data__reader_yolo = {
    .name = "yolo",
    .summary = "pictures with a text of 'class cx cy w h' each; folder or list file",
    .has_boxes = 1,
    .needs_source = 1,
    .open = open_yolo,
    .fetch = data__fetch_file,
};
