#include "dscq/data/pictures.h"

#include "data_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 32 };

/* A folder on the way down; the chain finds links that lead back to it. */
typedef struct level {
    const struct level *up;
    dev_t device;
    ino_t inode;
    int depth;
} level;

static dscq_status add_path(dscq_pictures *f, const char *path, dscq_error *err)
{
    if (f->count == f->cap) {
        const size_t cap = f->cap == 0 ? 64 : 2 * f->cap;
        char **grown =
            dscq_realloc(f->path, f->count * sizeof *grown, cap * sizeof *grown);
        if (grown == NULL)
            return dscq_fail_nomem(err, "names of pictures", cap * sizeof *grown);
        f->path = grown;
        f->cap = cap;
    }
    f->path[f->count] = dscq_strdup(path);
    if (f->path[f->count] == NULL)
        return dscq_fail_nomem(err, "names of pictures", strlen(path) + 1);
    f->count++;
    return DSCQ_OK;
}

static void keep_first(char first[256], const char *path, const char *kind)
{
    if (first[0] == '\0')
        (void)snprintf(first, 256, "%.200s%s%s%s", path, kind != NULL ? " (" : "",
                       kind != NULL ? kind : "", kind != NULL ? ")" : "");
}

/* A file that its name does not make a picture: counted when it is one all the same.
 * Labels stand beside pictures by the hundred thousand; they are not opened. */
static void count_other(dscq_pictures *f, const char *path)
{
    uint8_t head[DATA_HEAD_BYTES];
    size_t bytes = 0;

    if (data__is_text_name(path) ||
        dscq_file_head(head, &bytes, sizeof head, path, NULL) != DSCQ_OK)
        return;
    const data_kind *kind = data__kind(head, bytes);

    if (kind != NULL && kind->decode != NULL) {
        f->unnamed++;
        keep_first(f->first_unnamed, path, kind->name);
    } else if ((kind != NULL && kind->is_picture) || data__is_foreign_name(path)) {
        f->foreign++;
        keep_first(f->first_foreign, path, kind != NULL ? kind->name : NULL);
    }
}

static dscq_status walk(dscq_pictures *f, const char *dir, const level *up,
                        dscq_error *err);

static dscq_status visit(dscq_pictures *f, const char *path, const level *here,
                         dscq_error *err)
{
    dscq_status status;

    if (dscq_path_is_dir(path))
        return walk(f, path, here, err);
    if (!dscq_image_has_extension(path)) {
        count_other(f, path);
        return DSCQ_OK;
    }
    status = add_path(f, path, err);
    if (status == DSCQ_OK && here->depth > 0) {
        f->nested++;
        keep_first(f->first_nested, path, NULL);
    }
    return status;
}

static dscq_status walk(dscq_pictures *f, const char *dir, const level *up,
                        dscq_error *err)
{
    level here = {.up = up, .depth = up != NULL ? up->depth + 1 : 0};
    char path[DSCQ_PATH_MAX];
    dscq_dir list = {0};
    struct stat st;
    dscq_status status;

    if (here.depth > DEPTH_MAX)
        return dscq_fail(err, DSCQ_FORMAT, "%s: folders nested deeper than %d", dir,
                         DEPTH_MAX);
    if (stat(dir, &st) == 0) {
        here.device = st.st_dev;
        here.inode = st.st_ino;
    }
    for (const level *l = up; l != NULL; l = l->up)
        if (l->device == here.device && l->inode == here.inode)
            return DSCQ_OK; /* a link that leads back up adds nothing */
    DSCQ_TRY(dscq_dir_list(&list, dir, err));
    for (size_t i = 0; i < list.count; i++) {
        if (data__is_clutter(list.name[i]))
            continue;
        DSCQ_TRY(dscq_path_join(path, sizeof path, dir, list.name[i], err));
        DSCQ_TRY(visit(f, path, &here, err));
    }
done:
    dscq_dir_free(&list);
    return status;
}

dscq_status dscq_pictures_list(dscq_pictures *out, const char *dir, dscq_error *err)
{
    return walk(out, dir, NULL, err);
}

void dscq_pictures_clear(dscq_pictures *f)
{
    for (size_t i = 0; i < f->count; i++)
        dscq_free(f->path[i]);
    dscq_free(f->path);
    *f = (dscq_pictures){0};
}

void dscq_pictures_remarks(const dscq_pictures *f,
                           void (*put)(void *ctx, const char *kind, const char *text),
                           void *ctx)
{
    char text[480];

    if (f->nested > 0) {
        (void)snprintf(
            text, sizeof text,
            "%zu of the %zu pictures lie in sub-folders and are read as well "
            "(first %s)",
            f->nested, f->count, f->first_nested);
        put(ctx, "sub_folders", text);
    }
    if (f->foreign > 0) {
        (void)snprintf(
            text, sizeof text,
            "%zu picture%s of other kinds left out (first %s): read are PNG, "
            "JPEG, BMP and WebP, convert the rest",
            f->foreign, f->foreign == 1 ? "" : "s", f->first_foreign);
        put(ctx, "other_kinds", text);
    }
    if (f->unnamed > 0) {
        (void)snprintf(text, sizeof text,
                       "%zu picture%s left out whose names do not end as one (first "
                       "%s): rename to .png, .jpg, .bmp or .webp",
                       f->unnamed, f->unnamed == 1 ? "" : "s", f->first_unnamed);
        put(ctx, "unnamed_pictures", text);
    }
}
