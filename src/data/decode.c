/* From the bytes of a file to a picture, by what they are. */
#include "data_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"

#define KINDS "PNG, JPEG, BMP or WebP"
#define NONE  "neither PNG, JPEG, BMP nor WebP"

static dscq_status check_size(const data_decode *job, dscq_error *err)
{
    const uint32_t most =
        job->opts.max_pixels != 0 && job->opts.max_pixels < DSCQ_IMAGE_PIXELS_MAX
            ? job->opts.max_pixels
            : DSCQ_IMAGE_PIXELS_MAX;

    if (job->width < 1 || job->height < 1 || job->width > DSCQ_IMAGE_SIDE_MAX ||
        job->height > DSCQ_IMAGE_SIDE_MAX || job->height > most / job->width)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s: picture of %ux%u pixels: want sides of 1..%d and at "
                         "most %u pixels; make it smaller first",
                         job->name, (unsigned)job->width, (unsigned)job->height,
                         DSCQ_IMAGE_SIDE_MAX, (unsigned)most);
    return DSCQ_OK;
}

/* Header, then (unless only that is asked for) pixels. */
static dscq_status decode(data_decode *job, dscq_image *out, dscq_error *err)
{
    const data_kind *kind = data__kind(job->data, job->bytes);

    job->check_size = check_size;
    if (job->bytes == 0)
        return dscq_fail(err, DSCQ_FORMAT, "%s: empty file, want a " KINDS " picture",
                         job->name);
    if (kind == NULL)
        return dscq_fail(err, DSCQ_FORMAT, "%s: " NONE, job->name);
    if (kind->decode == NULL)
        return dscq_fail(err, DSCQ_FORMAT, "%s: a %s; want " KINDS "%s", job->name,
                         kind->name, kind->is_picture ? ": convert it" : "");
    job->kind = kind->kind;
    return kind->decode(job, out, err);
}

dscq_status dscq_image_decode(dscq_image *out, const uint8_t *data, size_t bytes,
                              const char *name, const dscq_decode_opts *opts,
                              dscq_error *err)
{
    data_decode job = {.data = data, .bytes = bytes, .name = name};
    dscq_image im = {0};
    dscq_status status;

    *out = (dscq_image){0};
    job.opts = opts != NULL ? *opts : (dscq_decode_opts){.background = {255, 255, 255}};
    DSCQ_TRY(decode(&job, &im, err));
    if (job.opts.channels != 0)
        DSCQ_TRY(dscq_image_set_channels(&im, job.opts.channels, err));
    if (!job.opts.as_stored && job.orientation >= 2 && job.orientation <= 8) {
        DSCQ_TRY(data__orient(&im, job.orientation, err));
        job.notes |= DSCQ_IMAGE_TURNED;
    }
    im.kind = job.kind;
    im.notes = job.notes;
    *out = im;
    return DSCQ_OK;
done:
    dscq_image_clear(&im);
    return status;
}

dscq_status dscq_image_load(dscq_image *out, const char *path,
                            const dscq_decode_opts *opts, dscq_error *err)
{
    uint8_t *data = NULL;
    size_t bytes = 0;
    dscq_status status;

    *out = (dscq_image){0};
    DSCQ_TRY(dscq_file_read(&data, &bytes, path, DSCQ_IMAGE_FILE_BYTES_MAX, err));
    DSCQ_TRY(dscq_image_decode(out, data, bytes, path, opts, err));
done:
    dscq_free(data);
    return status;
}

dscq_status dscq_image_probe(int32_t *width, int32_t *height, const char *path,
                             dscq_error *err)
{
    uint8_t *data = NULL;
    data_decode job = {.name = path, .header_only = 1};
    dscq_status status;

    DSCQ_TRY(dscq_file_read(&data, &job.bytes, path, DSCQ_IMAGE_FILE_BYTES_MAX, err));
    job.data = data;
    DSCQ_TRY(decode(&job, NULL, err));
    *width = (int32_t)(job.orientation >= 5 ? job.height : job.width);
    *height = (int32_t)(job.orientation >= 5 ? job.width : job.height);
done:
    dscq_free(data);
    return status;
}
