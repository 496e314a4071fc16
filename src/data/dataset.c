#include "dscq/data/dataset.h"

#include "data_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/hash.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"

#include <stdio.h>
#include <string.h>

static dscq_status settle_size(dscq_dataset *d, dscq_error *err)
{
    const dscq_data_params *p = &d->params;
    const data_part *part = &d->part[0];
    dscq_preproc *q = &d->preproc;

    *q = (dscq_preproc){.width = p->width,
                        .height = p->height,
                        .channels = p->channels,
                        .resize = p->resize,
                        .filter = p->filter,
                        .order = p->order,
                        .fill = p->fill,
                        .crop_frac = (float)p->crop_frac,
                        .scale = (float)p->pixel_scale,
                        .mean = {0, 0, 0},
                        .std = {1, 1, 1}};
    if (q->channels == 2)
        return dscq_fail(err, DSCQ_FORMAT, "data.channels = 2: want 1 or 3");
    if (q->channels == 0)
        q->channels = part->raw != NULL ? part->raw_channels : 3;
    if (part->raw != NULL && q->width == 0)
        q->width = part->raw_width;
    if (part->raw != NULL && q->height == 0)
        q->height = part->raw_height;
    if (q->width == 0 || q->height == 0)
        return dscq_fail(err, DSCQ_FORMAT,
                         "data.%s is missing: type = %s has pictures of any size",
                         q->width == 0 ? "width" : "height", d->reader->name);
    return DSCQ_OK;
}

/* Names that were met in no particular order are put in bytewise order. */
static dscq_status sort_names(dscq_dataset *d, data_part *part, dscq_error *err)
{
    int32_t *map = dscq_malloc((size_t)d->names.count, sizeof *map);

    if (map == NULL)
        return dscq_fail_nomem(err, "class names",
                               (size_t)d->names.count * sizeof *map);
    dscq_names_sort(&d->names, map);
    data__part_remap(part, map);
    dscq_free(map);
    return DSCQ_OK;
}

static void name_source(data_open *o, const dscq_dataset *d, int which)
{
    const dscq_data_params *p = &d->params;

    o->params = p;
    o->dir = d->dir;
    o->is_test = which == 1;
    o->source = which == 1 ? p->test : p->train;
    o->labels = which == 1 ? p->test_labels : p->train_labels;
    o->sort_names = 0;
}

dscq_status data__open_part(dscq_dataset *d, int which, data_open *o, dscq_error *err)
{
    data_part *part = &d->part[which];
    dscq_status status;

    name_source(o, d, which);
    o->names = &d->names;
    part->reader = d->reader;
    part->params = &d->params;
    part->is_test = o->is_test;
    if (d->reader->needs_source && o->source[0] == '\0')
        return dscq_fail(err, DSCQ_FORMAT,
                         "data.%s is missing: type = %s needs a source",
                         which == 1 ? "test" : "train", d->reader->name);
    DSCQ_TRY(d->reader->open(part, o, err));
    if (part->count == 0 && o->problems == NULL) {
        status = dscq_fail(err, DSCQ_FORMAT, "data.%s = '%s': no pictures in it",
                           which == 1 ? "test" : "train", o->source);
        goto done;
    }
    if (o->sort_names && !o->names_fixed && d->names.count > 1)
        DSCQ_TRY(sort_names(d, part, err));
    DSCQ_TRACE(o->log, DATA,
               "%s '%s': reader %s, as data.type says; %zu pictures, %d classes in "
               "the order of %s",
               which == 1 ? "test" : "train", o->source, d->reader->name, part->count,
               (int)d->names.count,
               o->names_fixed                        ? "data.names or the training part"
               : o->sort_names && d->names.count > 1 ? "their names"
                                                     : "their numbers");
    o->names_fixed = 1;
    part->slot = dscq_calloc(part->count, sizeof *part->slot);
    if (part->slot == NULL)
        status =
            dscq_fail_nomem(err, "the picture cache", part->count * sizeof(void *));
done:
    dscq_dir_free(&o->listed);
    o->listed_dir[0] = '\0';
    if (o->warnings > 5 && o->problems == NULL)
        dscq_log_printf(o->log, DSCQ_LOG_WARN,
                        "%zu such warnings in all; see dscq check", o->warnings);
    return status;
}

dscq_status data__dataset_open(dscq_dataset **out, const dscq_data_params *p,
                               const char *dir, data_open *o, dscq_error *err)
{
    dscq_dataset *d = dscq_calloc(1, sizeof *d);
    char path[DSCQ_PATH_MAX];
    dscq_error why = {DSCQ_OK, ""};
    dscq_status status;

    *out = NULL;
    if (d == NULL)
        return dscq_fail_nomem(err, "a data set", sizeof *d);
    d->params = *p;
    d->reader = data__reader_at((size_t)p->type);
    if (o->log != NULL)
        d->log = *o->log;
    if (!dscq_str_copy(d->dir, sizeof d->dir, dir != NULL ? dir : ".")) {
        status = dscq_fail(err, DSCQ_ARG, "folder name of %zu characters",
                           dir != NULL ? strlen(dir) : 0);
        goto done;
    }
    if (p->names[0] != '\0') {
        DSCQ_TRY(dscq_path_locate(path, sizeof path, d->dir, p->names, err));
        status = dscq_names_load(&d->names, path, &why);
        o->names_fixed = status == DSCQ_OK;
        if (status != DSCQ_OK)
            DSCQ_TRY(data__hard(o, "bad_source", p->names, &why, err));
    }
    /* While checking, what is wrong with one source says nothing of the other. */
    status = data__open_part(d, 0, o, &why);
    if (status != DSCQ_OK)
        DSCQ_TRY(data__hard(o, "bad_source", p->train, &why, err));
    DSCQ_TRY(data__make_splits(d, err));
    DSCQ_TRY(settle_size(d, err));
    *out = d;
    return DSCQ_OK;
done:
    dscq_dataset_destroy(d);
    return status;
}

dscq_status dscq_dataset_open(dscq_dataset **out, const dscq_data_params *p,
                              const char *dir, const dscq_log *log, dscq_error *err)
{
    data_open o = {.log = log};
    dscq_status status = data__dataset_open(out, p, dir, &o, err);

    if (status == DSCQ_OK)
        status = data__settle_stats(*out, err);
    if (status != DSCQ_OK) {
        dscq_dataset_destroy(*out);
        *out = NULL;
    }
    return status;
}

int dscq_dataset_has_test(const dscq_dataset *d)
{
    return d->reader->needs_source ? d->params.test[0] != '\0' || d->held_back_count > 0
                                   : d->params.test_count > 0;
}

dscq_status dscq_dataset_open_test(dscq_dataset *d, dscq_error *err)
{
    data_open o = {.log = &d->log, .names_fixed = 1};
    dscq_status status;

    if (d->split[DSCQ_SPLIT_TEST].index != NULL)
        return DSCQ_OK;
    if (!dscq_dataset_has_test(d))
        return dscq_fail(
            err, DSCQ_ARG,
            "no test part: set data.test, or data.test_frac to hold back a "
            "share of the training source");
    if (d->held_back_count > 0) {
        d->split[DSCQ_SPLIT_TEST].index = d->held_back;
        d->split[DSCQ_SPLIT_TEST].count = d->held_back_count;
        d->split[DSCQ_SPLIT_TEST].part = 0;
        d->held_back = NULL;
        return DSCQ_OK;
    }
    DSCQ_TRY(data__open_part(d, 1, &o, err));
    uint32_t *index = dscq_malloc(d->part[1].count, sizeof *index);
    if (index == NULL) {
        status =
            dscq_fail_nomem(err, "the test part", d->part[1].count * sizeof *index);
        goto done;
    }
    for (size_t i = 0; i < d->part[1].count; i++)
        index[i] = (uint32_t)i;
    d->split[DSCQ_SPLIT_TEST].index = index;
    d->split[DSCQ_SPLIT_TEST].count = d->part[1].count;
    d->split[DSCQ_SPLIT_TEST].part = 1;
    return DSCQ_OK;
done:
    data__part_clear(&d->part[1]);
    return status;
}

void dscq_dataset_destroy(dscq_dataset *d)
{
    if (d == NULL)
        return;
    for (int k = 0; k < 3; k++)
        dscq_free(d->split[k].index);
    dscq_free(d->held_back);
    data__part_clear(&d->part[0]);
    data__part_clear(&d->part[1]);
    dscq_names_clear(&d->names);
    dscq_free(d);
}

const dscq_data_params *dscq_dataset_params(const dscq_dataset *d)
{
    return &d->params;
}

const dscq_preproc *dscq_dataset_preproc(const dscq_dataset *d)
{
    return &d->preproc;
}

dscq_status dscq_dataset_set_preproc(dscq_dataset *d, const dscq_preproc *p,
                                     dscq_error *err)
{
    const dscq_status status = dscq_preproc_check(p, err);

    if (status != DSCQ_OK)
        return status;
    data__cache_drop(d);
    d->preproc = *p;
    dscq_preproc_table(d->table, p);
    return DSCQ_OK;
}

int32_t dscq_dataset_classes(const dscq_dataset *d)
{
    return d->names.count;
}

const char *dscq_dataset_class_name(const dscq_dataset *d, int32_t cls)
{
    return d->names.name[cls];
}

int dscq_dataset_has_boxes(const dscq_dataset *d)
{
    return d->reader->has_boxes;
}

size_t dscq_dataset_count(const dscq_dataset *d, dscq_split s)
{
    return d->split[s].count;
}

static const data_item *item_at(const dscq_dataset *d, dscq_split s, size_t i)
{
    return &d->part[d->split[s].part].item[d->split[s].index[i]];
}

int32_t dscq_dataset_label(const dscq_dataset *d, dscq_split s, size_t i)
{
    return item_at(d, s, i)->label;
}

const dscq_box *dscq_dataset_boxes(const dscq_dataset *d, dscq_split s, size_t i,
                                   size_t *count)
{
    const data_item *item = item_at(d, s, i);

    *count = item->box_count;
    return item->box_count > 0 ? d->part[d->split[s].part].boxes.box + item->box_first
                               : NULL;
}

size_t dscq_dataset_origin(char *out, size_t cap, const dscq_dataset *d, dscq_split s,
                           size_t i)
{
    const int which = d->split[s].part;
    const data_part *part = &d->part[which];
    const uint32_t item = d->split[s].index[i];
    const char *source = which == 1 ? d->params.test : d->params.train;
    int n;

    if (part->text != NULL)
        n = snprintf(out, cap, "%s", data__part_path(part, item));
    else if (d->reader->needs_source)
        n = snprintf(out, cap, "%s[%u]", source, (unsigned)item);
    else
        n = snprintf(out, cap, "%s %s %u", d->reader->name,
                     which == 1 ? "test" : "train", (unsigned)item);
    return n > 0 ? (size_t)n : 0;
}

dscq_status dscq_dataset_image(dscq_image *out, dscq_dataset *d, dscq_split s, size_t i,
                               dscq_error *err)
{
    const data_part *part = &d->part[d->split[s].part];

    return part->reader->fetch(out, part, d->split[s].index[i], err);
}

dscq_status dscq_dataset_pixels(uint8_t *px, dscq_placement *where, dscq_dataset *d,
                                dscq_split s, size_t i, dscq_error *err)
{
    const uint8_t *from;
    dscq_image own = {0};
    const dscq_status status = data__pixels(&from, where, &own, d, d->split[s].part,
                                            d->split[s].index[i], err);

    if (status == DSCQ_OK)
        memcpy(px, from, dscq_preproc_floats(&d->preproc));
    dscq_image_clear(&own);
    return status;
}

void dscq_dataset_histogram(const dscq_dataset *d, dscq_split s, uint64_t *count)
{
    memset(count, 0, (size_t)d->names.count * sizeof *count);
    for (size_t i = 0; i < d->split[s].count; i++) {
        size_t boxes = 0;
        const dscq_box *b = dscq_dataset_boxes(d, s, i, &boxes);
        const int32_t label = item_at(d, s, i)->label;

        if (label >= 0)
            count[label]++;
        for (size_t k = 0; k < boxes; k++)
            count[b[k].cls]++;
    }
}

static uint64_t add_number(uint64_t h, int64_t v)
{
    uint8_t bytes[8];

    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)v >> (8 * i));
    return dscq_fnv64(h, bytes, sizeof bytes);
}

void dscq_dataset_digest(char out[17], const dscq_dataset *d)
{
    const dscq_data_params *p = &d->params;
    const data_part *part = &d->part[0];
    uint64_t h = dscq_fnv64(0, d->reader->name, strlen(d->reader->name));

    h = add_number(h, p->seed);
    for (int s = 0; s < 2; s++)
        h = add_number(h, (int64_t)d->split[s].count);
    if (!d->reader->needs_source) {
        h = add_number(h, (int64_t)(p->difficulty * 256.0));
        h = add_number(h, p->objects);
        h = add_number(h, (int64_t)p->width * 65536 + p->height);
    }
    for (int32_t c = 0; c < d->names.count; c++)
        h = dscq_fnv64(h, d->names.name[c], strlen(d->names.name[c]) + 1);
    for (size_t i = 0; i < part->count; i++) {
        const char *name = dscq_path_base(data__part_path(part, i));

        h = dscq_fnv64(h, name, strlen(name) + 1);
        h = add_number(h, part->item[i].label);
    }
    for (size_t i = 0; i < part->boxes.count; i++) {
        const dscq_box *b = &part->boxes.box[i];
        const float v[4] = {b->x0, b->y0, b->x1, b->y1};

        for (int k = 0; k < 4; k++) /* 1/2^20 of the picture */
            h = add_number(h, (int64_t)((double)v[k] * 1048576.0));
        h = add_number(h, b->cls);
    }
    if (part->raw != NULL)
        h = add_number(h, dscq_crc32(0, part->raw,
                                     part->count * (size_t)part->raw_width *
                                         (size_t)part->raw_height *
                                         (size_t)part->raw_channels));
    (void)snprintf(out, 17, "%016llx", (unsigned long long)h);
}
