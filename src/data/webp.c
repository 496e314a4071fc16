/* The only file that knows libwebp. */
#include "data_internal.h"

#include <string.h>

#if DSCQ_WITH_WEBP

#include "dscq/base/alloc.h"

#include <webp/decode.h>

static dscq_status refuse(const data_decode *job, VP8StatusCode why, dscq_error *err)
{
    if (why == VP8_STATUS_OUT_OF_MEMORY)
        return dscq_fail_nomem(err, job->name, 0);
    return dscq_fail(err, DSCQ_FORMAT, "%s: damaged WebP: %s", job->name,
                     why == VP8_STATUS_NOT_ENOUGH_DATA ? "cut short" : "not decodable");
}

static uint32_t u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

/* The EXIF chunk of the RIFF file; some writers put "Exif\0\0" before it. */
static int orientation(const data_decode *job)
{
    const uint8_t *d = job->data;

    for (size_t at = 12; job->bytes >= 8 && at <= job->bytes - 8;) {
        const uint8_t *body = d + at + 8;
        size_t bytes = u32(d + at + 4);

        if (bytes > job->bytes - at - 8)
            break;
        const size_t next = at + 8 + bytes + bytes % 2;

        if (memcmp(d + at, "EXIF", 4) == 0) {
            const int has_mark = bytes > 6 && memcmp(body, "Exif\0\0", 6) == 0;
            return data__exif_orientation(body + (has_mark ? 6 : 0),
                                          bytes - (has_mark ? 6 : 0));
        }
        at = next;
    }
    return 1;
}

static dscq_status read_rgb(const data_decode *job, dscq_image *out, dscq_error *err)
{
    const size_t stride = (size_t)out->width * 3;
    WebPDecoderConfig c;

    if (!WebPInitDecoderConfig(&c))
        return dscq_fail(err, DSCQ_INTERNAL, "libwebp of another version");
    c.output.colorspace = MODE_RGB;
    c.output.is_external_memory = 1;
    c.output.u.RGBA.rgba = out->px;
    c.output.u.RGBA.stride = (int)stride;
    c.output.u.RGBA.size = stride * (size_t)out->height;
    const VP8StatusCode why = WebPDecode(job->data, job->bytes, &c);

    WebPFreeDecBuffer(&c.output);
    return why == VP8_STATUS_OK ? DSCQ_OK : refuse(job, why, err);
}

static dscq_status read_rgba(data_decode *job, dscq_image *out, dscq_error *err)
{
    const size_t stride = (size_t)out->width * 4;
    const size_t bytes = stride * (size_t)out->height;
    uint8_t *px = dscq_malloc(bytes, 1);
    dscq_status status = DSCQ_OK;

    if (px == NULL)
        return dscq_fail_nomem(err, job->name, bytes);
    if (WebPDecodeRGBAInto(job->data, job->bytes, px, bytes, (int)stride) == NULL)
        status = refuse(job, VP8_STATUS_BITSTREAM_ERROR, err);
    else if (data__composite(out, px, 4, job->opts.background))
        job->notes |= DSCQ_IMAGE_TRANSPARENT;
    dscq_free(px);
    return status;
}

dscq_status data__webp_decode(data_decode *job, dscq_image *out, dscq_error *err)
{
    WebPBitstreamFeatures f;
    const VP8StatusCode why = WebPGetFeatures(job->data, job->bytes, &f);
    dscq_status status;

    if (why != VP8_STATUS_OK)
        return refuse(job, why, err);
    job->width = (uint32_t)f.width;
    job->height = (uint32_t)f.height;
    job->orientation = orientation(job);
    DSCQ_TRY(job->check_size(job, err));
    if (f.has_animation)
        return dscq_fail(err, DSCQ_UNSUPPORTED,
                         "%s: a WebP film; save its pictures one by one", job->name);
    if (job->header_only)
        goto done;
    DSCQ_TRY(dscq_image_init(out, f.width, f.height, 3, err));
    status = f.has_alpha ? read_rgba(job, out, err) : read_rgb(job, out, err);
done:
    return status;
}

#else

dscq_status data__webp_decode(data_decode *job, dscq_image *out, dscq_error *err)
{
    (void)out;
    return dscq_fail(err, DSCQ_UNSUPPORTED,
                     "%s: this build reads no WebP; configure with -DDSCQ_WITH_WEBP=ON",
                     job->name);
}

#endif
