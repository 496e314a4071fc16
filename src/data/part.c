/* One source of samples: items, paths and boxes in growing arrays. */
#include "data_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

dscq_status data__resolve(char *out, const data_open *o, const char *path,
                          dscq_error *err)
{
    return dscq_path_locate(out, DSCQ_PATH_MAX, o->dir, path, err);
}

/* The names in a folder, kept: lists ask for the same one again and again. One that
 * cannot be listed is empty. */
static dscq_status names_in(data_open *o, const char *dir, dscq_error *err)
{
    if (o->listed_dir[0] != '\0' && strcmp(o->listed_dir, dir) == 0)
        return DSCQ_OK;
    dscq_dir_free(&o->listed);
    (void)dscq_str_copy(o->listed_dir, sizeof o->listed_dir, dir);
    if (dscq_dir_list(&o->listed, dir, err) != DSCQ_NOMEM)
        return DSCQ_OK;
    o->listed_dir[0] = '\0';
    return DSCQ_NOMEM;
}

dscq_status data__find_ending(char *out, int *found, data_open *o, const char *stem,
                              dscq_error *err)
{
    char dir[DSCQ_PATH_MAX];
    const char *base = dscq_path_base(stem);
    const size_t len = strlen(base);

    *found = 0;
    dscq_path_dir(dir, sizeof dir, stem);
    if (names_in(o, dir, err) != DSCQ_OK)
        return DSCQ_NOMEM;
    size_t lo = 0, hi = o->listed.count;
    while (lo < hi) { /* the first name that does not sort below the stem */
        const size_t mid = lo + (hi - lo) / 2;
        if (strcmp(o->listed.name[mid], base) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (size_t i = lo; i < o->listed.count && !*found; i++) {
        const char *name = o->listed.name[i];

        if (strncmp(name, base, len) != 0)
            break;
        *found = name[len] == '.' && strrchr(name, '.') == name + len &&
                 dscq_image_has_extension(name) &&
                 dscq_path_join(out, DSCQ_PATH_MAX, dir, name, NULL) == DSCQ_OK;
    }
    return DSCQ_OK;
}

/* `tried`, or the same with an ending, or with its ending in another case, into *out.
 */
static dscq_status look_for(char *out, int *found, data_open *o, const char *tried,
                            dscq_error *err)
{
    char stem[DSCQ_PATH_MAX], other[DSCQ_PATH_MAX];

    *found = dscq_path_exists(tried);
    if (*found) {
        (void)dscq_str_copy(out, DSCQ_PATH_MAX, tried);
        return DSCQ_OK;
    }
    (void)dscq_str_copy(stem, sizeof stem, tried);
    if (dscq_image_has_extension(stem))
        *strrchr(stem, '.') = '\0';
    const dscq_status status = data__find_ending(other, found, o, stem, err);
    if (*found)
        (void)dscq_str_copy(out, DSCQ_PATH_MAX, other);
    return status;
}

dscq_status data__find_listed(char *out, data_open *o, const char *dir,
                              const char *name, dscq_error *err)
{
    char tried[DSCQ_PATH_MAX], plain[DSCQ_PATH_MAX];
    int found = 0;
    dscq_status status;

    DSCQ_TRY(dscq_path_locate(tried, sizeof tried, dir, name, err));
    (void)dscq_str_copy(out, DSCQ_PATH_MAX, tried);
    DSCQ_TRY(look_for(out, &found, o, tried, err));
    (void)dscq_str_copy(plain, sizeof plain, name);
    for (char *c = plain; (c = strchr(c, '\\')) != NULL;)
        *c = '/';
    for (const char *rest = plain; rest != NULL && !found; rest = strchr(rest, '/')) {
        rest += strspn(rest, "/");
        if (dscq_path_join(tried, sizeof tried, dir, rest, NULL) == DSCQ_OK)
            DSCQ_TRY(look_for(out, &found, o, tried, err));
    }
done:
    return status;
}

static dscq_status add_text(size_t *offset, data_part *part, const char *path,
                            dscq_error *err)
{
    const size_t bytes = strlen(path) + 1;

    if (part->text_cap - part->text_bytes < bytes) {
        const size_t cap = 2 * part->text_cap + bytes + 4096;
        char *grown = dscq_realloc(part->text, part->text_bytes, cap);
        if (grown == NULL)
            return dscq_fail_nomem(err, "file names", cap);
        part->text = grown;
        part->text_cap = cap;
    }
    *offset = part->text_bytes;
    memcpy(part->text + part->text_bytes, path, bytes);
    part->text_bytes += bytes;
    return DSCQ_OK;
}

dscq_status data__part_add(data_part *part, const char *path, int32_t label,
                           dscq_error *err)
{
    data_item item = {.label = label, .box_first = (uint32_t)part->boxes.count};

    if (part->count >= UINT32_MAX / 2)
        return dscq_fail(err, DSCQ_FORMAT, "more than %u pictures", UINT32_MAX / 2);
    if (part->count == part->cap) {
        const size_t cap = part->cap == 0 ? 256 : 2 * part->cap;
        data_item *grown =
            dscq_realloc(part->item, part->cap * sizeof *grown, cap * sizeof *grown);
        if (grown == NULL)
            return dscq_fail_nomem(err, "the list of pictures", cap * sizeof *grown);
        part->item = grown;
        part->cap = cap;
    }
    if (path != NULL) {
        const dscq_status status = add_text(&item.path, part, path, err);
        if (status != DSCQ_OK)
            return status;
    }
    part->item[part->count++] = item;
    return DSCQ_OK;
}

dscq_status data__part_add_boxes(data_part *part, const dscq_annotation *a,
                                 dscq_error *err)
{
    data_item *item = &part->item[part->count - 1];

    if (part->boxes.count + a->boxes.count > UINT32_MAX / 2)
        return dscq_fail(err, DSCQ_FORMAT, "more than %u boxes", UINT32_MAX / 2);
    for (size_t i = 0; i < a->boxes.count; i++) {
        const dscq_status status = dscq_boxes_add(&part->boxes, &a->boxes.box[i], err);
        if (status != DSCQ_OK)
            return status;
    }
    item->box_count += (uint32_t)a->boxes.count;
    item->width = a->width;
    item->height = a->height;
    return DSCQ_OK;
}

const char *data__part_path(const data_part *part, size_t i)
{
    return part->text != NULL ? part->text + part->item[i].path : "";
}

void data__part_clear(data_part *part)
{
    if (part->slot != NULL)
        for (size_t i = 0; i < part->count; i++)
            dscq_free(atomic_load(&part->slot[i]));
    dscq_free(part->slot);
    dscq_free(part->item);
    dscq_free(part->text);
    dscq_free(part->raw);
    dscq_boxes_clear(&part->boxes);
    data__signs_destroy(part->signs);
    *part = (data_part){0};
}

void data__part_remap(data_part *part, const int32_t *map)
{
    for (size_t i = 0; i < part->count; i++)
        if (part->item[i].label >= 0)
            part->item[i].label = map[part->item[i].label];
    for (size_t i = 0; i < part->boxes.count; i++)
        part->boxes.box[i].cls = map[part->boxes.box[i].cls];
}

dscq_status data__fetch_file(dscq_image *out, const data_part *part, size_t i,
                             dscq_error *err)
{
    const data_item *item = &part->item[i];
    const uint8_t fill = (uint8_t)part->params->fill;
    dscq_decode_opts opts = {.channels = part->params->channels == 1 ? 0 : 3,
                             .background = {fill, fill, fill}};
    const char *path = data__part_path(part, i);
    dscq_status status = dscq_image_load(out, path, &opts, err);

    if (status != DSCQ_OK || item->width == 0)
        return status;
    /* Some tools count boxes in the picture as stored, before it is turned: the size
     * says so, and then that is the picture. */
    if ((out->notes & DSCQ_IMAGE_TURNED) != 0 && out->width == item->height &&
        out->height == item->width && out->width != out->height) {
        dscq_image_clear(out);
        opts.as_stored = 1;
        status = dscq_image_load(out, path, &opts, err);
        if (status != DSCQ_OK)
            return status;
    }
    if (out->width == item->width && out->height == item->height)
        return DSCQ_OK;
    const int32_t w = out->width, h = out->height;

    dscq_image_clear(out);
    return dscq_fail(err, DSCQ_FORMAT,
                     "%s: picture of %dx%d pixels but its annotation says %dx%d: "
                     "was it resized after it was labelled?",
                     path, (int)w, (int)h, (int)item->width, (int)item->height);
}

dscq_status data__fetch_raw(dscq_image *out, const data_part *part, size_t i,
                            dscq_error *err)
{
    const dscq_status status = dscq_image_init(out, part->raw_width, part->raw_height,
                                               part->raw_channels, err);
    const size_t bytes =
        (size_t)part->raw_width * (size_t)part->raw_height * (size_t)part->raw_channels;

    if (status == DSCQ_OK)
        memcpy(out->px, part->raw + i * bytes, bytes);
    return status;
}

dscq_status data__class_of(int32_t *out, data_open *o, const char *name,
                           const char *where, dscq_error *err)
{
    const char *best = NULL;
    unsigned distance = 0;

    *out = dscq_names_find(o->names, name);
    if (*out >= 0)
        return DSCQ_OK;
    if (strlen(name) >= DSCQ_CLASS_NAME_MAX)
        return dscq_fail(err, DSCQ_FORMAT, "%s: class name of %zu characters", where,
                         strlen(name));
    if (!o->names_fixed)
        return dscq_names_intern(out, o->names, name, err);
    for (int32_t i = 0; i < o->names->count; i++) {
        const unsigned d = dscq_edit_distance(name, o->names->name[i]);
        if (best == NULL || d < distance) {
            best = o->names->name[i];
            distance = d;
        }
    }
    return dscq_fail(err, DSCQ_FORMAT, "%s: unknown class '%.80s'; nearest is '%.80s'",
                     where, name, best != NULL ? best : "(none)");
}

dscq_status data__class_in_path(int32_t *out, const data_open *o, const char *path,
                                dscq_error *err)
{
    size_t longest = 0;
    int32_t rival = -1;

    *out = -1;
    for (int32_t i = 0; i < o->names->count; i++) {
        const size_t len = strlen(o->names->name[i]);

        if (len < longest || strstr(path, o->names->name[i]) == NULL)
            continue;
        rival = len == longest ? *out : -1;
        *out = i;
        longest = len;
    }
    if (*out < 0)
        return dscq_fail(err, DSCQ_FORMAT, "%s: no class name stands in this path",
                         path);
    if (rival >= 0)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s: both '%.80s' and '%.80s' stand in this path; list labels "
                         "in a file (type = list)",
                         path, o->names->name[rival], o->names->name[*out]);
    return DSCQ_OK;
}

dscq_status data__hard(data_open *o, const char *kind, const char *file,
                       const dscq_error *why, dscq_error *err)
{
    o->errors++;
    if (o->problems == NULL || why->code == DSCQ_NOMEM) {
        if (err != NULL)
            *err = *why;
        return why->code;
    }
    dscq_problems_add(o->problems, "error", kind, file, why->msg);
    return DSCQ_OK;
}

void data__soft(data_open *o, const char *kind, const char *file, int32_t line,
                const char *text)
{
    enum { SPOKEN_MAX = 5 }; /* the rest is only counted */

    o->warnings++;
    if (o->problems != NULL)
        dscq_problems_add(o->problems, "warning", kind, file, text);
    else if (o->warnings <= SPOKEN_MAX && line > 0)
        dscq_log_printf(o->log, DSCQ_LOG_WARN, "%s:%d: %s", file, (int)line, text);
    else if (o->warnings <= SPOKEN_MAX)
        dscq_log_printf(o->log, DSCQ_LOG_WARN, "%s: %s", file, text);
}

void data__report_skipped(data_open *o, const char *file, const dscq_annotation *a)
{
    char text[80];

    if (a->skipped == 0)
        return;
    (void)snprintf(text, sizeof text, "%zu box%s without area left out%s", a->skipped,
                   a->skipped == 1 ? "" : "es",
                   a->skipped > 1 && a->skipped_line > 0 ? " (first here)" : "");
    data__soft(o, "empty_box", file, a->skipped_line, text);
}

typedef struct remark_job {
    data_open *o;
    const char *dir;
} remark_job;

static void put_remark(void *ctx, const char *kind, const char *text)
{
    const remark_job *j = ctx;

    data__soft(j->o, kind, j->dir, 0, text);
}

void data__folder_remarks(data_open *o, const char *dir, const dscq_pictures *f)
{
    remark_job j = {o, dir};

    dscq_pictures_remarks(f, put_remark, &j);
}

dscq_status data__add_folder(data_part *part, data_open *o, const char *dir,
                             data_add_picture *add, dscq_error *err)
{
    dscq_pictures f = {0};
    dscq_status status = dscq_pictures_list(&f, dir, err);

    if (status == DSCQ_OK)
        data__folder_remarks(o, dir, &f);
    for (size_t i = 0; status == DSCQ_OK && i < f.count; i++)
        status = add != NULL ? add(part, o, f.path[i], err)
                             : data__part_add(part, f.path[i], -1, err);
    dscq_pictures_clear(&f);
    return status;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

dscq_status data__remark_unlisted(const data_part *part, data_open *o, const char *dir,
                                  dscq_error *err)
{
    const char **known = dscq_calloc(part->count + 1, sizeof *known);
    const char *first = NULL;
    dscq_pictures f = {0};
    size_t bare = 0;
    char text[400];
    dscq_status status;

    if (known == NULL)
        return dscq_fail_nomem(err, "names of pictures", part->count * sizeof *known);
    for (size_t i = 0; i < part->count; i++)
        known[i] = data__part_path(part, i);
    qsort(known, part->count, sizeof *known, by_text);
    DSCQ_TRY(dscq_pictures_list(&f, dir, err));
    for (size_t i = 0; i < f.count; i++) {
        const char *path = f.path[i];
        if (bsearch(&path, known, part->count, sizeof *known, by_text) == NULL &&
            bare++ == 0)
            first = path;
    }
    f.nested = 0; /* without an annotation they were counted, with one they are data */
    data__folder_remarks(o, dir, &f);
    if (bare > 0) {
        (void)snprintf(text, sizeof text,
                       "%zu picture%s without an annotation left out (first %.250s)",
                       bare, bare == 1 ? "" : "s", first);
        data__soft(o, "missing_label", dir, 0, text);
    }
done:
    dscq_pictures_clear(&f);
    dscq_free(known);
    return status;
}
