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
    data_columns columns;     /* of a list with separators */
} list_job;

/* The length of a name of a picture that a blank follows; 0 when there is none. */
static size_t picture_before_blank(const char *line, size_t bytes)
{
    char name[DSCQ_PATH_MAX];

    for (size_t i = 1; i < bytes && i < sizeof name; i++) {
        name[i - 1] = line[i - 1];
        name[i] = '\0';
        if ((line[i] == ' ' || line[i] == '\t') && dscq_image_has_extension(name))
            return i;
    }
    return 0;
}

/* Picture and class of a line without separators: the class follows the picture's
 * ending, or the last blank (a file name may hold blanks). 1 when there is no class. */
static size_t two_fields(const char **field, size_t *len, const char *line,
                         size_t bytes)
{
    const size_t name = picture_before_blank(line, bytes);
    size_t at = name > 0 ? name : bytes;

    field[0] = line;
    len[0] = bytes;
    while (name == 0 && at > 0 && line[at - 1] != ' ' && line[at - 1] != '\t')
        at--;
    if (at == 0)
        return 1;
    field[1] = line + at;
    len[1] = bytes - at;
    len[0] = at;
    data__trim(&field[0], &len[0]);
    data__trim(&field[1], &len[1]);
    /* "a b.png": a blank inside the only name */
    return name > 0 || memchr(field[1], '.', len[1]) == NULL ? 2 : 1;
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
static dscq_status label_of(int32_t *cls, list_job *j, const char *text,
                            dscq_error *err)
{
    char name[16];
    int64_t number = 0;
    dscq_status status = DSCQ_OK;

    if (dscq_names_find(j->o->names, text) < 0 &&
        data__parse_whole(&number, text, strlen(text))) {
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
    return data__class_of(cls, j->o, text, "list", err);
}

static dscq_status add_picture(list_job *j, const char *file, int32_t cls,
                               dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    dscq_status status;

    DSCQ_TRY(data__find_listed(path, j->o, j->root, file, err));
    DSCQ_TRY(data__part_add(j->part, path, cls, err));
done:
    return status;
}

static dscq_status add_line(list_job *j, const char *line, size_t bytes,
                            dscq_error *err)
{
    char file[DSCQ_PATH_MAX], label[DSCQ_CLASS_NAME_MAX];
    const char *field[2];
    size_t len[2];
    int32_t cls = -1;
    dscq_status status;

    if (two_fields(field, len, line, bytes) == 1) {
        DSCQ_TRY(copy_field(file, sizeof file, line, bytes, err));
        DSCQ_TRY(data__class_in_path(&cls, j->o, file, err));
    } else {
        DSCQ_TRY(copy_field(file, sizeof file, field[0], len[0], err));
        DSCQ_TRY(copy_field(label, sizeof label, field[1], len[1], err));
        DSCQ_TRY(label_of(&cls, j, label, err));
    }
    DSCQ_TRY(add_picture(j, file, cls, err));
done:
    return status;
}

/* A line that is wrong: with its place, and, while checking, not the end. */
static dscq_status bad_line(list_job *j, int32_t line, dscq_error *why, dscq_error *err)
{
    if (why->code != DSCQ_NOMEM)
        (void)dscq_fail_at(why, "%s:%d", j->path, (int)line);
    return data__hard(j->o, "bad_line", j->path, why, err);
}

static dscq_status read_lines(list_job *j, data_lines l, dscq_error *err)
{
    const char *line;
    size_t len;
    dscq_error why;
    dscq_status status = DSCQ_OK;

    while (status == DSCQ_OK && data__next_line(&line, &len, &l)) {
        data__trim(&line, &len);
        if (len > 0 && line[0] != '#' && add_line(j, line, len, &why) != DSCQ_OK)
            status = bad_line(j, l.number, &why, err);
    }
    return status;
}

/* ---- with separators ------------------------------------------------------- */

/* The class whose column holds the 1. */
static dscq_status marked_class(int32_t *cls, list_job *j, const data_csv *c,
                                dscq_error *err)
{
    const data_columns *k = &j->columns;
    int marked = 0;

    for (size_t i = 0; i < k->count; i++) {
        if (i == k->picture || !data__is_one(data__csv_field(c, i)))
            continue;
        const dscq_status status =
            data__class_of(cls, j->o, k->heading[i], "list", err);
        if (status != DSCQ_OK)
            return status;
        marked++;
    }
    return marked == 1 ? DSCQ_OK
                       : dscq_fail(err, DSCQ_FORMAT,
                                   "%d classes are marked with 1, want one", marked);
}

static dscq_status add_record(list_job *j, const data_csv *c, dscq_error *err)
{
    const data_columns *k = &j->columns;
    const char *file = data__csv_field(c, k->picture);
    const char *label = data__csv_field(c, k->label);
    int32_t cls = -1;
    dscq_status status;

    if (file[0] == '\0')
        return dscq_fail(err, DSCQ_FORMAT, "no picture in column %zu", k->picture + 1);
    size_t count = c->count; /* with a separator at the end, one too many */
    while (count > k->count && data__csv_field(c, count - 1)[0] == '\0')
        count--;
    if (count > k->count)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%zu fields, the first line has %zu: put quotes around one "
                         "that holds a '%c'",
                         count, k->count, c->separator);
    if (k->is_one_hot)
        DSCQ_TRY(marked_class(&cls, j, c, err));
    else if (c->count == 1)
        DSCQ_TRY(data__class_in_path(&cls, j->o, file, err));
    else if (label[0] == '\0')
        return dscq_fail(err, DSCQ_FORMAT, "no class in column %zu", k->label + 1);
    else
        DSCQ_TRY(label_of(&cls, j, label, err));
    DSCQ_TRY(add_picture(j, file, cls, err));
done:
    return status;
}

static dscq_status read_records(list_job *j, data_lines l, char separator,
                                dscq_error *err)
{
    data_csv c = {.separator = separator};
    dscq_error why = {DSCQ_OK, ""};
    dscq_status status, record;

    DSCQ_TRY(data__columns_find(&j->columns, j->o, &l, separator, j->path, err));
    /* One column a class: their order is that of the classes. */
    for (size_t i = 0; j->columns.is_one_hot && i < j->columns.count; i++) {
        int32_t cls;
        if (i != j->columns.picture)
            DSCQ_TRY(data__class_of(&cls, j->o, j->columns.heading[i], j->path, err));
    }
    while (data__csv_next(&c, &l, &record, &why)) {
        const char *first = data__csv_field(&c, 0);

        if (record == DSCQ_OK &&
            (c.line == j->columns.heading_line || first[0] == '#' ||
             (c.count == 1 && first[0] == '\0')))
            continue;
        if (record == DSCQ_OK)
            record = add_record(j, &c, &why);
        if (record != DSCQ_OK)
            DSCQ_TRY(bad_line(j, c.line, &why, err));
    }
done:
    data__csv_clear(&c);
    return status;
}

/* Names in a list start from *_labels when that is a folder (the folder of the
 * pictures), else from the list's own folder. */
static dscq_status open_list(data_part *part, data_open *o, dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    list_job j = {.part = part, .o = o, .path = path};
    uint8_t *data = NULL;
    size_t bytes = 0;
    char separator = '\0';
    data_lines l;
    dscq_status status;

    DSCQ_TRY(data__resolve(path, o, o->source, err));
    if (o->labels[0] != '\0')
        DSCQ_TRY(data__resolve(j.root, o, o->labels, err));
    else
        dscq_path_dir(j.root, sizeof j.root, path);
    DSCQ_TRY(dscq_file_read(&data, &bytes, path, 1 << 28, err));
    DSCQ_TRY(data__lines(&l, (const char *)data, bytes, path, err));
    DSCQ_TRY(data__csv_separator(&separator, &l, err));
    DSCQ_TRY(separator != '\0' ? read_records(&j, l, separator, err)
                               : read_lines(&j, l, err));
done:
    data__columns_clear(&j.columns);
    dscq_free(data);
    return status;
}

const data_reader data__reader_list = {
    .name = "list",
    .summary = "a text or CSV list: picture, class number or name",
    .needs_source = 1,
    .open = open_list,
    .fetch = data__fetch_file,
};
