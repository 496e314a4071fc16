/* Picture files whose class is a folder, a file name, or unknown. */
#include "data_internal.h"
#include "dscq/base/io.h"

#include <string.h>

static dscq_status add_class_dir(data_part *part, data_open *o, const char *root,
                                 const char *name, dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    dscq_error why;
    int32_t cls = -1;
    size_t added = 0;
    dscq_status status;

    DSCQ_TRY(dscq_path_join(path, sizeof path, root, name, err));
    if (!dscq_path_is_dir(path))
        return DSCQ_OK;
    status = data__class_of(&cls, o, name, path, &why);
    if (status != DSCQ_OK)
        return data__hard(o, "unknown_class", path, 0, &why, err);
    DSCQ_TRY(data__add_folder(part, path, cls, &added, err));
    if (added == 0)
        data__soft(o, "empty_class", path, 0, "no pictures of this class");
done:
    return status;
}

static dscq_status open_folder(data_part *part, data_open *o, dscq_error *err)
{
    char root[DSCQ_PATH_MAX];
    dscq_dir list = {0};
    dscq_status status;

    DSCQ_TRY(data__resolve(root, o, o->source, err));
    DSCQ_TRY(dscq_dir_list(&list, root, err)); /* sorted: so are the classes */
    for (size_t i = 0; i < list.count; i++)
        if (list.name[i][0] != '.')
            DSCQ_TRY(add_class_dir(part, o, root, list.name[i], err));
    if (o->names->count == 0)
        status = dscq_fail(err, DSCQ_FORMAT, "%s: no class folders in it", root);
done:
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
                             : data__hard(o, "missing_label", path, 0, &why, err);
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
    size_t added = 0;
    dscq_status status;

    DSCQ_TRY(data__resolve(root, o, o->source, err));
    DSCQ_TRY(data__add_folder(part, root, -1, &added, err));
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
    size_t added = 0;
    dscq_status status;

    DSCQ_TRY(data__resolve(root, o, o->source, err));
    DSCQ_TRY(data__add_folder(part, root, -1, &added, err));
done:
    return status;
}

const data_reader data_reader_folder = {
    .name = "folder",
    .summary = "one sub-folder of PNG and JPEG pictures per class",
    .needs_source = 1,
    .open = open_folder,
    .fetch = data__fetch_file,
};

const data_reader data_reader_flat = {
    .name = "flat",
    .summary = "one folder; the class is in the file name (CLASS_NUMBER.jpg)",
    .needs_source = 1,
    .open = open_flat,
    .fetch = data__fetch_file,
};

const data_reader data_reader_images = {
    .name = "images",
    .summary = "one folder of pictures without labels, for calibration",
    .needs_source = 1,
    .open = open_images,
    .fetch = data__fetch_file,
};
