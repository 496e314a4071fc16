/* A text file that lists pictures, with or without their class. */
#include "data_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"

#include <stdio.h>
#include <string.h>

typedef struct list_job {
    data_part *part;
    data_open *o;
    const char *path;         /* of the list */
    char root[DSCQ_PATH_MAX]; /* folder that its names start from */
} list_job;

/* First and second field. CSV when the line holds a comma, else the label follows
 * the last blank (a file name may hold blanks, a label may not). */
static size_t two_fields(const char **field, size_t *len, const char *line,
                         size_t bytes)
{
    const char *comma = memchr(line, ',', bytes);

    field[0] = line;
    len[0] = bytes;
    if (comma != NULL) {
        const char *second = comma + 1;
        const size_t rest = bytes - (size_t)(second - line);
        const char *end = memchr(second, ',', rest);

        len[0] = (size_t)(comma - line);
        field[1] = second;
        len[1] = end != NULL ? (size_t)(end - second) : rest;
    } else {
        size_t at = bytes;

        while (at > 0 && line[at - 1] != ' ' && line[at - 1] != '\t')
            at--;
        if (at == 0)
            return 1;
        field[1] = line + at;
        len[1] = bytes - at;
        len[0] = at;
    }
    data__trim(&field[0], &len[0]);
    data__trim(&field[1], &len[1]);
    return len[1] > 0 ? 2 : 1;
}

static dscq_status copy_field(char *out, size_t cap, const char *text, size_t bytes,
                              dscq_error *err)
{
    if (bytes == 0 || bytes >= cap || memchr(text, '\0', bytes) != NULL)
        return dscq_fail(err, DSCQ_FORMAT, "field of %zu characters: want 1..%zu",
                         bytes, cap - 1);
    memcpy(out, text, bytes);
    out[bytes] = '\0';
    return DSCQ_OK;
}

/* A number is a class number, anything else a class name. Without data.names,
 * numbers name themselves. */
static dscq_status label_of(int32_t *cls, list_job *j, const char *text, size_t bytes,
                            dscq_error *err)
{
    char name[DSCQ_CLASS_NAME_MAX];
    int64_t number = 0;
    dscq_status status = copy_field(name, sizeof name, text, bytes, err);

    if (status != DSCQ_OK)
        return status;
    if (dscq_names_find(j->o->names, name) < 0 &&
        data__parse_int(&number, text, bytes)) {
        const int32_t most =
            j->o->names_fixed ? j->o->names->count : (int32_t)DSCQ_CLASSES_MAX;

        if (number < 0 || number >= most)
            return dscq_fail(err, DSCQ_FORMAT, "class %lld: want 0..%d",
                             (long long)number, (int)most - 1);
        while (j->o->names->count <= number && status == DSCQ_OK) {
            (void)snprintf(name, sizeof name, "%d", (int)j->o->names->count);
            status = dscq_names_add(j->o->names, name, err);
        }
        *cls = (int32_t)number;
        return status;
    }
    return data__class_of(cls, j->o, name, "list", err);
}

static dscq_status add_line(list_job *j, const char *line, size_t bytes,
                            dscq_error *err)
{
    char file[DSCQ_PATH_MAX], path[DSCQ_PATH_MAX];
    const char *field[2];
    size_t len[2];
    int32_t cls = -1;
    dscq_status status;
    const size_t fields = two_fields(field, len, line, bytes);

    if (fields == 1 || (fields == 2 && memchr(line, ',', bytes) == NULL &&
                        memchr(field[1], '.', len[1]) != NULL)) {
        /* no label, or a blank inside the only name */
        DSCQ_TRY(copy_field(file, sizeof file, line, bytes, err));
        DSCQ_TRY(data__class_in_path(&cls, j->o, file, err));
    } else {
        DSCQ_TRY(copy_field(file, sizeof file, field[0], len[0], err));
        DSCQ_TRY(label_of(&cls, j, field[1], len[1], err));
    }
    DSCQ_TRY(dscq_path_join(path, sizeof path, j->root, file, err));
    DSCQ_TRY(data__part_add(j->part, path, cls, err));
done:
    return status;
}

/* A first CSV line whose first field is no picture is a heading. */
static int is_heading(const char *line, size_t bytes)
{
    const char *comma = memchr(line, ',', bytes);
    char file[64];
    const size_t len = comma != NULL ? (size_t)(comma - line) : 0;

    if (comma == NULL || len == 0 || len >= sizeof file)
        return 0;
    memcpy(file, line, len);
    file[len] = '\0';
    return !dscq_image_has_extension(file);
}

static dscq_status read_list(list_job *j, const char *text, size_t bytes,
                             dscq_error *err)
{
    data_lines l = {text, text + bytes, 0};
    const char *line;
    size_t len;
    dscq_error why;

    while (data__next_line(&line, &len, &l)) {
        data__trim(&line, &len);
        if (len == 0 || line[0] == '#' || (l.number == 1 && is_heading(line, len)))
            continue;
        dscq_status status = add_line(j, line, len, &why);
        if (status != DSCQ_OK && status != DSCQ_NOMEM)
            (void)dscq_fail_at(&why, "%s:%d", j->path, l.number);
        if (status != DSCQ_OK)
            status = data__hard(j->o, "bad_line", j->path, l.number, &why, err);
        if (status != DSCQ_OK)
            return status;
    }
    return DSCQ_OK;
}

/* Names in a list start from *_labels when that is a folder (the folder of the
 * pictures), else from the list's own folder. */
static dscq_status open_list(data_part *part, data_open *o, dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    list_job j = {.part = part, .o = o, .path = path};
    uint8_t *data = NULL;
    size_t bytes = 0;
    dscq_status status;

    DSCQ_TRY(data__resolve(path, o, o->source, err));
    if (o->labels[0] != '\0')
        DSCQ_TRY(data__resolve(j.root, o, o->labels, err));
    else
        dscq_path_dir(j.root, sizeof j.root, path);
    DSCQ_TRY(dscq_file_read(&data, &bytes, path, 1 << 28, err));
    DSCQ_TRY(read_list(&j, (const char *)data, bytes, err));
done:
    dscq_free(data);
    return status;
}

const data_reader data_reader_list = {
    .name = "list",
    .summary = "a text or CSV list: picture, class number or name",
    .needs_source = 1,
    .open = open_list,
    .fetch = data__fetch_file,
};
