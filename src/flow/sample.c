#include "dscq/flow/sample.h"

#include "dscq/base/alloc.h"
#include "dscq/base/png.h"
#include "dscq/base/str.h"
#include "flow_internal.h"

#include <stdio.h>
#include <string.h>

static dscq_status open_split(dscq_dataset **d, dscq_project *p, dscq_split split,
                              const dscq_log *log, dscq_error *err)
{
    dscq_status status;

    DSCQ_TRY(dscq_project_dataset(d, p, log, err));
    if (split == DSCQ_SPLIT_TEST)
        DSCQ_TRY(dscq_dataset_open_test(*d, err));
done:
    return status;
}

/* How a text may name classes, the surest first. */
typedef enum naming { BY_NAME, BY_GLOB, BY_BEGINNING, BY_NUMBER, NAMINGS } naming;

static int is_named(naming by, const char *name, int32_t number, const char *text)
{
    char digits[16];

    if (by == BY_NAME)
        return strcmp(name, text) == 0;
    if (by == BY_GLOB)
        return dscq_glob_match(text, name);
    if (by == BY_BEGINNING)
        return *text != '\0' && strncmp(name, text, strlen(text)) == 0;
    (void)snprintf(digits, sizeof digits, "%d", (int)number);
    return strcmp(digits, text) == 0;
}

/* The first way in which the text names any class. */
static dscq_status find_naming(naming *out, const dscq_dataset *d, const char *text,
                               dscq_error *err)
{
    const int32_t n = dscq_dataset_classes(d);
    const char *near = NULL;
    unsigned best = ~0U;

    for (int by = 0; by < NAMINGS; by++)
        for (int32_t i = 0; i < n; i++)
            if (is_named((naming)by, dscq_dataset_class_name(d, i), i, text)) {
                *out = (naming)by;
                return DSCQ_OK;
            }
    for (int32_t i = 0; i < n; i++) {
        const char *name = dscq_dataset_class_name(d, i);
        if (dscq_edit_distance(text, name) < best) {
            best = dscq_edit_distance(text, name);
            near = name;
        }
    }
    if (near == NULL)
        return dscq_fail(err, DSCQ_ARG, "class '%s': the data have no classes", text);
    return dscq_fail(err, DSCQ_ARG, "class '%s': there is none; did you mean '%s'?",
                     text, near);
}

static dscq_status find_item(size_t *item, const dscq_dataset *d,
                             const dscq_sample_options *o, dscq_error *err)
{
    const size_t count = dscq_dataset_count(d, o->split);
    naming by = BY_NAME;
    int64_t seen = 0;
    dscq_status status = DSCQ_OK;

    if (o->cls != NULL)
        DSCQ_TRY(find_naming(&by, d, o->cls, err));
    for (size_t i = 0; i < count; i++) {
        const int32_t label = dscq_dataset_label(d, o->split, i);
        if (o->cls != NULL &&
            (label < 0 ||
             !is_named(by, dscq_dataset_class_name(d, label), label, o->cls)))
            continue;
        if (seen++ == o->index) {
            *item = i;
            return DSCQ_OK;
        }
    }
    status = dscq_fail(err, DSCQ_ARG,
                       "index %lld: the %s part has %lld such pictures, from 0",
                       (long long)o->index, dscq_split_name(o->split), (long long)seen);
done:
    return status;
}

dscq_status dscq_flow_sample(dscq_sample *out, dscq_project *p,
                             const dscq_sample_options *o, dscq_error *err)
{
    dscq_image im = {0};
    dscq_dataset *d;
    size_t item = 0;
    dscq_status status;

    memset(out, 0, sizeof *out);
    DSCQ_TRY(open_split(&d, p, o->split, o->log, err));
    DSCQ_TRY(find_item(&item, d, o, err));
    DSCQ_TRY(dscq_dataset_image(&im, d, o->split, item, err));
    DSCQ_TRY(dscq_image_set_channels(&im, 3, err));
    DSCQ_TRY(
        dscq_png_write(o->path, im.px, (size_t)im.width, (size_t)im.height, 3, err));
    out->width = im.width;
    out->height = im.height;
    out->label = dscq_dataset_label(d, o->split, item);
    (void)dscq_dataset_origin(out->origin, sizeof out->origin, d, o->split, item);
    if (out->label >= 0)
        (void)dscq_str_copy(out->class_name, sizeof out->class_name,
                            dscq_dataset_class_name(d, out->label));
done:
    dscq_image_clear(&im);
    return status;
}

dscq_status dscq_flow_classes(dscq_table **out, dscq_project *p, dscq_split split,
                              const dscq_log *log, dscq_error *err)
{
    static const dscq_column columns[] = {
        DSCQ_INT_COLUMN("index", ""), DSCQ_TEXT_COLUMN("class", ""),
        DSCQ_INT_COLUMN("pictures", ""), DSCQ_COLUMN_END};
    uint64_t *count = NULL;
    dscq_dataset *d;
    dscq_status status;

    DSCQ_TRY(open_split(&d, p, split, log, err));
    const int32_t n = dscq_dataset_classes(d);
    count = dscq_calloc((size_t)n + 1, sizeof *count);
    if (count == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "classes", (size_t)n * sizeof *count));
    dscq_dataset_histogram(d, split, count);
    DSCQ_TRY(dscq_table_create(out, "classes", columns, err));
    for (int32_t i = 0; i < n; i++)
        DSCQ_TABLE_ROW(*out, dscq_int(i), dscq_text(dscq_dataset_class_name(d, i)),
                       dscq_int((int64_t)count[i]));
    status = dscq_table_finish(out, err);
done:
    dscq_free(count);
    return status;
}
