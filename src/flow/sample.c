#include "dscq/flow/sample.h"

#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "dscq/report/png.h"
#include "flow_internal.h"

#include <stdlib.h>
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

/* A name, or a number as `run --json` and `eval` print it. */
static dscq_status find_class(int32_t *out, const dscq_dataset *d, const char *text,
                              dscq_error *err)
{
    const int32_t n = dscq_dataset_classes(d);
    const char *near = NULL;
    unsigned best = ~0U;
    char *end;

    for (int32_t i = 0; i < n; i++) {
        const unsigned distance =
            dscq_edit_distance(text, dscq_dataset_class_name(d, i));
        if (distance < best) {
            best = distance;
            near = dscq_dataset_class_name(d, i);
            *out = i;
        }
    }
    if (near == NULL)
        return dscq_fail(err, DSCQ_ARG, "class '%s': the data have no classes", text);
    if (best == 0)
        return DSCQ_OK;
    const long number = strtol(text, &end, 10);
    if (*end == '\0' && end != text && number >= 0 && number < n) {
        *out = (int32_t)number;
        return DSCQ_OK;
    }
    return dscq_fail(err, DSCQ_ARG, "class '%s': there is none; did you mean '%s'?",
                     text, near);
}

static dscq_status find_item(size_t *item, const dscq_dataset *d,
                             const dscq_sample_options *o, dscq_error *err)
{
    const size_t count = dscq_dataset_count(d, o->split);
    int32_t cls = -1;
    int64_t seen = 0;
    dscq_status status = DSCQ_OK;

    if (o->cls != NULL)
        DSCQ_TRY(find_class(&cls, d, o->cls, err));
    for (size_t i = 0; i < count; i++)
        if ((cls < 0 || dscq_dataset_label(d, o->split, i) == cls) &&
            seen++ == o->index) {
            *item = i;
            return DSCQ_OK;
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
        dscq_png_write_rgb(o->path, im.px, (size_t)im.width, (size_t)im.height, err));
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
    dscq_table *t = NULL;
    uint64_t *count = NULL;
    dscq_dataset *d;
    dscq_status status;

    DSCQ_TRY(open_split(&d, p, split, log, err));
    const int32_t n = dscq_dataset_classes(d);
    count = dscq_calloc((size_t)n + 1, sizeof *count);
    if (count == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "classes", (size_t)n * sizeof *count));
    dscq_dataset_histogram(d, split, count);
    DSCQ_TRY(dscq_table_create(&t, "classes", err));
    dscq_table_add_int(t, "index", "");
    dscq_table_add_text(t, "class", "");
    dscq_table_add_int(t, "pictures", "");
    for (int32_t i = 0; i < n; i++) {
        const size_t row = dscq_table_add_row(t);
        dscq_table_set_int(t, row, "index", i);
        dscq_table_set_text(t, row, "class", dscq_dataset_class_name(d, i));
        dscq_table_set_int(t, row, "pictures", (int64_t)count[i]);
    }
    DSCQ_TRY(dscq_table_check(t, err));
    *out = t;
    t = NULL;
done:
    dscq_table_destroy(t);
    dscq_free(count);
    return status;
}
