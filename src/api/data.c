/* The data of a float network. */
#include "api_internal.h"

#include <string.h>

dscq_status dscq_net_data(dscq_data_info *out, dscq_net *n, dscq_error *err)
{
    dscq_dataset *d;
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__check_room(out, "dscq_data_info", err));
    DSCQ_TRY(api__need(n, "net", err));
    DSCQ_TRY(dscq_project_dataset(&d, n->project, &n->listener.log, err));
    if (dscq_dataset_has_test(d))
        DSCQ_TRY(dscq_dataset_open_test(d, err));
    const dscq_data_info info = {.train = dscq_dataset_count(d, DSCQ_SPLIT_TRAIN),
                                 .valid = dscq_dataset_count(d, DSCQ_SPLIT_VALID),
                                 .test = dscq_dataset_count(d, DSCQ_SPLIT_TEST),
                                 .classes = dscq_dataset_classes(d),
                                 .has_boxes = dscq_dataset_has_boxes(d)};
    api__give(out, &info, sizeof info);
done:
    return status;
}

dscq_status dscq_net_picture(uint8_t *pixels, size_t capacity, int32_t *label,
                             dscq_net *n, const char *part, size_t index,
                             dscq_error *err)
{
    dscq_dataset *d;
    dscq_split split;
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(pixels, "pixels", err));
    DSCQ_TRY(api__need(n, "net", err));
    DSCQ_TRY(api__part(&split, part, err));
    DSCQ_TRY(dscq_project_dataset(&d, n->project, &n->listener.log, err));
    if (split == DSCQ_SPLIT_TEST)
        DSCQ_TRY(dscq_dataset_open_test(d, err));
    if (index >= dscq_dataset_count(d, split))
        DSCQ_TRY(dscq_fail(err, DSCQ_ARG, "picture %zu: the %s part has %zu", index,
                           part, dscq_dataset_count(d, split)));
    const size_t bytes = dscq_preproc_floats(dscq_dataset_preproc(d));
    if (capacity < bytes)
        DSCQ_TRY(dscq_fail(err, DSCQ_ARG, "a picture is %zu bytes, room is for %zu",
                           bytes, capacity));
    DSCQ_TRY(dscq_dataset_pixels(pixels, NULL, d, split, index, err));
    if (label != NULL)
        *label = dscq_dataset_label(d, split, index);
done:
    return status;
}
