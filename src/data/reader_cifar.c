/* CIFAR-10 and CIFAR-100 binary: records of label byte(s) and three planes. */
#include "data_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"

#include <stdio.h>
#include <string.h>

enum { SIDE = 32, PLANE = SIDE * SIDE, PIXELS = 3 * PLANE };

typedef struct cifar_form {
    int32_t classes;
    size_t label_bytes, label_at; /* bytes before the planes; the one that counts */
    const char *train, *test;     /* files in a folder: prefix                    */
    const char *meta;             /* class names in a folder                      */
} cifar_form;

static const char *const k_cifar10[] = {"airplane", "automobile", "bird", "cat",
                                        "deer",     "dog",        "frog", "horse",
                                        "ship",     "truck"};

/* Interleave the planes of every record; append items. */
dscq_status data__cifar_parse(data_part *part, const uint8_t *data, size_t bytes,
                              const char *name, int32_t classes, size_t label_bytes,
                              size_t label_at, dscq_error *err)
{
    const size_t record = label_bytes + PIXELS, n = bytes / record;
    const size_t old = part->count * PIXELS;

    if (bytes == 0 || bytes % record != 0)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s: %zu bytes: want a multiple of %zu (%zu records and %zu "
                         "bytes left)",
                         name, bytes, record, n, bytes % record);
    uint8_t *grown = dscq_realloc(part->raw, old, old + n * PIXELS);

    if (grown == NULL)
        return dscq_fail_nomem(err, name, old + n * PIXELS);
    part->raw = grown;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *r = data + i * record, *plane = r + label_bytes;
        uint8_t *to = part->raw + old + i * PIXELS;

        if (r[label_at] >= classes)
            return dscq_fail(err, DSCQ_FORMAT, "%s: label %u of record %zu: want 0..%d",
                             name, r[label_at], i, (int)classes - 1);
        for (size_t k = 0; k < PLANE; k++, to += 3) {
            to[0] = plane[k];
            to[1] = plane[k + PLANE];
            to[2] = plane[k + 2 * (size_t)PLANE];
        }
        const dscq_status status = data__part_add(part, NULL, r[label_at], err);
        if (status != DSCQ_OK)
            return status;
    }
    return DSCQ_OK;
}

static dscq_status read_one(data_part *part, const cifar_form *f, const char *path,
                            dscq_error *err)
{
    uint8_t *data = NULL;
    size_t bytes = 0;
    dscq_status status;

    DSCQ_TRY(dscq_file_read_gz(&data, &bytes, path, (size_t)1 << 31, err));
    DSCQ_TRY(data__cifar_parse(part, data, bytes, path, f->classes, f->label_bytes,
                               f->label_at, err));
done:
    dscq_free(data);
    return status;
}

static dscq_status read_folder(data_part *part, const cifar_form *f, const data_open *o,
                               const char *dir, dscq_error *err)
{
    const char *prefix = o->is_test ? f->test : f->train;
    char path[DSCQ_PATH_MAX];
    dscq_dir list = {0};
    size_t found = 0;
    dscq_status status;

    DSCQ_TRY(dscq_dir_list(&list, dir, err));
    for (size_t i = 0; i < list.count; i++) {
        if (strncmp(list.name[i], prefix, strlen(prefix)) != 0 ||
            !dscq_path_ends(list.name[i], ".bin"))
            continue;
        DSCQ_TRY(dscq_path_join(path, sizeof path, dir, list.name[i], err));
        DSCQ_TRY(read_one(part, f, path, err));
        found++;
    }
    if (found == 0)
        status =
            dscq_fail(err, DSCQ_IO, "%s: no file %s*.bin in this folder", dir, prefix);
done:
    dscq_dir_free(&list);
    return status;
}

/* Files separated by commas. */
static dscq_status read_files(data_part *part, const cifar_form *f, const data_open *o,
                              dscq_error *err)
{
    const char *at = o->source;
    char name[DSCQ_PATH_MAX], path[DSCQ_PATH_MAX];
    dscq_status status = DSCQ_OK;

    while (status == DSCQ_OK && *at != '\0') {
        const size_t len = strcspn(at, ",");
        const char *text = at;
        size_t bytes = len;

        data__trim(&text, &bytes);
        memcpy(name, text, bytes); /* part of a DSCQ_PATH_MAX array */
        name[bytes] = '\0';
        at += len + (at[len] == ',');
        if (bytes == 0)
            continue;
        DSCQ_TRY(data__resolve(path, o, name, err));
        DSCQ_TRY(dscq_path_is_dir(path) ? read_folder(part, f, o, path, err)
                                        : read_one(part, f, path, err));
    }
done:
    return status;
}

static dscq_status name_classes(data_open *o, const cifar_form *f, dscq_error *err)
{
    char dir[DSCQ_PATH_MAX], path[DSCQ_PATH_MAX], text[16];
    dscq_status status;

    if (o->names_fixed)
        return o->names->count >= f->classes
                   ? DSCQ_OK
                   : dscq_fail(err, DSCQ_FORMAT,
                               "data.names has %d classes, this format %d",
                               (int)o->names->count, (int)f->classes);
    DSCQ_TRY(data__resolve(dir, o, o->source, err));
    status = dscq_path_join(path, sizeof path, dir, f->meta, err);
    if (status == DSCQ_OK && dscq_path_is_dir(dir) && dscq_path_exists(path)) {
        DSCQ_TRY(dscq_names_load(o->names, path, err));
        if (o->names->count == f->classes)
            return DSCQ_OK;
        return dscq_fail(err, DSCQ_FORMAT, "%s: %d class names: want %d", path,
                         (int)o->names->count, (int)f->classes);
    }
    status = DSCQ_OK;
    for (int32_t c = 0; c < f->classes && status == DSCQ_OK; c++) {
        (void)snprintf(text, sizeof text, "%s%d", "", (int)c);
        status = dscq_names_add(o->names, f->classes == 10 ? k_cifar10[c] : text, err);
    }
done:
    return status;
}

static dscq_status open_form(data_part *part, data_open *o, const cifar_form *f,
                             dscq_error *err)
{
    dscq_status status;

    part->raw_width = part->raw_height = SIDE;
    part->raw_channels = 3;
    DSCQ_TRY(name_classes(o, f, err));
    DSCQ_TRY(read_files(part, f, o, err));
done:
    return status;
}

static dscq_status open_cifar10(data_part *part, data_open *o, dscq_error *err)
{
    static const cifar_form k_form = {
        10, 1, 0, "data_batch", "test_batch", "batches.meta.txt"};

    return open_form(part, o, &k_form, err);
}

static dscq_status open_cifar100(data_part *part, data_open *o, dscq_error *err)
{
    static const cifar_form k_coarse = {20,      2,      0,
                                        "train", "test", "coarse_label_names.txt"};
    static const cifar_form k_fine = {100,     2,      1,
                                      "train", "test", "fine_label_names.txt"};

    return open_form(part, o, o->params->fine ? &k_fine : &k_coarse, err);
}

const data_reader data__reader_cifar10 = {
    .name = "cifar10",
    .summary = "CIFAR-10 binary files, or the folder that holds them",
    .has_size = 1,
    .needs_source = 1,
    .open = open_cifar10,
    .fetch = data__fetch_raw,
};

const data_reader data__reader_cifar100 = {
    .name = "cifar100",
    .summary = "CIFAR-100 binary files; fine = 0 for the 20 coarse classes",
    .has_size = 1,
    .needs_source = 1,
    .open = open_cifar100,
    .fetch = data__fetch_raw,
};
