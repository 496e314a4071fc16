/* Picture files whose class is a folder, a file name, or unknown. */
#include "data_internal.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The pictures of one class; `f` keeps the account of the whole source. */
static dscq_status add_class_dir(data_part *part, data_open *o, const char *path,
                                 dscq_pictures *f, dscq_error *err)
{
    const size_t before = f->count;
    dscq_error why;
    int32_t cls = -1;
    dscq_status status = data__class_of(&cls, o, dscq_path_base(path), path, &why);

    if (status != DSCQ_OK)
        return data__hard(o, "unknown_class", path, &why, err);
    DSCQ_TRY(dscq_pictures_list(f, path, err));
    for (size_t i = before; i < f->count; i++)
        DSCQ_TRY(data__part_add(part, f->path[i], cls, err));
    if (f->count == before)
        data__soft(o, "empty_class", path, 0, "no pictures of this class");
done:
    return status;
}

/* Pictures beside the class folders belong to no class. */
static void remark_strays(data_open *o, const char *root, size_t strays,
                          const char *first)
{
    char text[400];

    if (strays == 0)
        return;
    (void)snprintf(text, sizeof text,
                   "%zu picture%s beside the class folders left out (first %.200s)",
                   strays, strays == 1 ? "" : "s", first);
    data__soft(o, "without_class", root, 0, text);
}

/* train/, valid/ and the like one level too high: their names are no classes. */
static int is_part_name(const char *name)
{
    static const char *const k_parts[] = {"train", "training", "valid",   "validation",
                                          "val",   "test",     "testing", "eval"};

    for (size_t i = 0; i < sizeof k_parts / sizeof *k_parts; i++)
        if (strcasecmp(name, k_parts[i]) == 0)
            return 1;
    return 0;
}

static void remark_parts(data_open *o, const char *root)
{
    int32_t parts = 0;

    for (int32_t c = 0; c < o->names->count; c++)
        parts += is_part_name(o->names->name[c]);
    if (parts > 0 && parts == o->names->count)
        data__soft(o, "parts_as_classes", root, 0,
                   "the class folders are called like parts of a data set; if the "
                   "classes lie one level below, name one of them as data.train and "
                   "another as data.test");
}

static dscq_status open_folder(data_part *part, data_open *o, dscq_error *err)
{
    char root[DSCQ_PATH_MAX], path[DSCQ_PATH_MAX], stray[DSCQ_PATH_MAX] = "";
    dscq_pictures f = {0};
    dscq_dir list = {0};
    size_t strays = 0;
    dscq_status status;

    DSCQ_TRY(data__resolve(root, o, o->source, err));
    DSCQ_TRY(dscq_dir_list(&list, root, err)); /* sorted: so are the classes */
    for (size_t i = 0; i < list.count; i++) {
        if (data__is_clutter(list.name[i]))
            continue;
        DSCQ_TRY(dscq_path_join(path, sizeof path, root, list.name[i], err));
        if (dscq_path_is_dir(path))
            DSCQ_TRY(add_class_dir(part, o, path, &f, err));
        else if (dscq_image_has_extension(path) && strays++ == 0)
            (void)dscq_str_copy(stray, sizeof stray, path);
    }
    if (o->names->count == 0) {
        status = dscq_fail(err, DSCQ_FORMAT, "%s: no class folders in it%s", root,
                           strays > 0 ? ", only pictures; type = list, flat or images "
                                        "reads those"
                                      : "");
        goto done;
    }
    data__folder_remarks(o, root, &f);
    remark_strays(o, root, strays, stray);
    remark_parts(o, root);
done:
    dscq_pictures_clear(&f);
    dscq_dir_free(&list);
    return status;
}

/* "rolled-in_scale_12.jpg" -> "rolled-in_scale" */
static dscq_status class_from_name(char *out, const char *file, dscq_error *err)
{
    const char *bar = strrchr(file, '_');
    const size_t len = bar != NULL ? (size_t)(bar - file) : 0;

    if (len == 0 || len >= DSCQ_CLASS_NAME_MAX)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s: want CLASS_NUMBER in the file name, or data.names", file);
    memcpy(out, file, len);
    out[len] = '\0';
    return DSCQ_OK;
}

static dscq_status label_one(data_part *part, data_open *o, size_t i, int by_names,
                             dscq_error *err)
{
    const char *path = data__part_path(part, i);
    const char *file = dscq_path_base(path);
    char name[DSCQ_CLASS_NAME_MAX];
    int32_t cls = -1;
    dscq_error why;
    dscq_status status;

    if (by_names)
        status = data__class_in_path(&cls, o, file, &why);
    else if ((status = class_from_name(name, file, &why)) == DSCQ_OK)
        status = data__class_of(&cls, o, name, path, &why);
    part->item[i].label = cls;
    return status == DSCQ_OK ? DSCQ_OK
                             : data__hard(o, "missing_label", path, &why, err);
}

/* While checking, items that could not be labelled were reported; leave them out. */
static void drop_unlabelled(data_part *part)
{
    size_t kept = 0;

    for (size_t i = 0; i < part->count; i++)
        if (part->item[i].label >= 0)
            part->item[kept++] = part->item[i];
    part->count = kept;
}

static dscq_status open_flat(data_part *part, data_open *o, dscq_error *err)
{
    const int by_names = o->params->names[0] != '\0';
    char root[DSCQ_PATH_MAX];
    dscq_status status;

    DSCQ_TRY(data__resolve(root, o, o->source, err));
    DSCQ_TRY(data__add_folder(part, o, root, NULL, err));
    for (size_t i = 0; i < part->count; i++)
        DSCQ_TRY(label_one(part, o, i, by_names, err));
    drop_unlabelled(part);
    o->sort_names = 1;
done:
    return status;
}

static dscq_status open_images(data_part *part, data_open *o, dscq_error *err)
{
    char root[DSCQ_PATH_MAX];
    dscq_status status;

    DSCQ_TRY(data__resolve(root, o, o->source, err));
    DSCQ_TRY(data__add_folder(part, o, root, NULL, err));
done:
    return status;
}

const data_reader data__reader_folder = {
    .name = "folder",
    .summary = "one sub-folder of pictures (PNG, JPEG, BMP, WebP) per class",
    .needs_source = 1,
    .open = open_folder,
    .fetch = data__fetch_file,
};

const data_reader data__reader_flat = {
    .name = "flat",
    .summary = "one folder; the class is in the file name (CLASS_NUMBER.jpg)",
    .needs_source = 1,
    .open = open_flat,
    .fetch = data__fetch_file,
};

const data_reader data__reader_images = {
    .name = "images",
    .summary = "one folder of pictures without labels, for calibration",
    .needs_source = 1,
    .open = open_images,
    .fetch = data__fetch_file,
};
