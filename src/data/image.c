#include "dscq/data/image.h"

#include "data_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/png.h"

#include <string.h>

dscq_status dscq_image_init(dscq_image *out, int32_t width, int32_t height,
                            int32_t channels, dscq_error *err)
{
    *out = (dscq_image){0};
    if (channels != 1 && channels != 3)
        return dscq_fail(err, DSCQ_ARG, "picture with %d channels: want 1 or 3",
                         (int)channels);
    if (width < 1 || height < 1 || width > DSCQ_IMAGE_SIDE_MAX ||
        height > DSCQ_IMAGE_SIDE_MAX || height > DSCQ_IMAGE_PIXELS_MAX / width)
        return dscq_fail(err, DSCQ_ARG,
                         "picture of %dx%d: want sides of 1..%d and at most %d pixels",
                         (int)width, (int)height, DSCQ_IMAGE_SIDE_MAX,
                         DSCQ_IMAGE_PIXELS_MAX);
    const size_t bytes = (size_t)width * (size_t)height * (size_t)channels;

    out->px = dscq_malloc(bytes, 1);
    if (out->px == NULL)
        return dscq_fail_nomem(err, "a picture", bytes);
    out->width = width;
    out->height = height;
    out->channels = channels;
    return DSCQ_OK;
}

void dscq_image_clear(dscq_image *im)
{
    dscq_free(im->px);
    *im = (dscq_image){0};
}

int data__composite(dscq_image *out, const uint8_t *px, size_t samples,
                    const uint8_t background[3])
{
    const size_t n = (size_t)out->width * (size_t)out->height;
    const size_t c = (size_t)out->channels;
    const uint8_t grey[3] = {data__luma(background), 0, 0};
    const uint8_t *under = c == 1 ? grey : background;
    unsigned least = 255;

    for (size_t i = 0; i < n; i++) {
        const uint8_t *s = px + i * samples;
        const unsigned a = s[c];

        least = a < least ? a : least;
        for (size_t k = 0; k < c; k++)
            out->px[i * c + k] =
                (uint8_t)((a * s[k] + (255 - a) * under[k] + 127) / 255);
    }
    return least < 255;
}

dscq_status dscq_image_set_channels(dscq_image *im, int32_t channels, dscq_error *err)
{
    const size_t n = (size_t)im->width * (size_t)im->height;
    dscq_image to;

    if (channels == im->channels)
        return DSCQ_OK;
    const dscq_status status =
        dscq_image_init(&to, im->width, im->height, channels, err);
    if (to.px == NULL)
        return status;
    for (size_t i = 0; i < n; i++) {
        if (channels == 3)
            memset(to.px + 3 * i, im->px[i], 3);
        else
            to.px[i] = data__luma(im->px + 3 * i);
    }
    dscq_image_clear(im);
    *im = to;
    return DSCQ_OK;
}

/* Orientation as in EXIF tag 0x0112 (TIFF 6.0, section 8): where the stored first
 * row and first column are in the picture as seen. */
dscq_status data__orient(dscq_image *im, int orientation, dscq_error *err)
{
    const int32_t w = im->width, h = im->height;
    const size_t c = (size_t)im->channels;
    const int swap = orientation >= 5;
    static const uint8_t k_flip[9][2] = {/* columns, rows */
                                         {0, 0}, {0, 0}, {1, 0}, {1, 1}, {0, 1},
                                         {0, 0}, {0, 1}, {1, 1}, {1, 0}};
    dscq_image to;

    if (orientation < 2 || orientation > 8)
        return DSCQ_OK;
    const dscq_status status =
        dscq_image_init(&to, swap ? h : w, swap ? w : h, im->channels, err);
    if (to.px == NULL)
        return status;
    for (int32_t y = 0; y < h; y++) {
        const int32_t fy = k_flip[orientation][1] ? h - 1 - y : y;

        for (int32_t x = 0; x < w; x++) {
            const int32_t fx = k_flip[orientation][0] ? w - 1 - x : x;
            const int32_t tx = swap ? fy : fx, ty = swap ? fx : fy;

            memcpy(to.px + ((size_t)ty * (size_t)to.width + (size_t)tx) * c,
                   im->px + ((size_t)y * (size_t)w + (size_t)x) * c, c);
        }
    }
    dscq_image_clear(im);
    *im = to;
    return DSCQ_OK;
}

static uint32_t tiff_u(const uint8_t *p, int bytes, int big)
{
    uint32_t v = 0;

    for (int i = 0; i < bytes; i++)
        v |= (uint32_t)p[i] << (8 * (big ? bytes - 1 - i : i));
    return v;
}

int data__exif_orientation(const uint8_t *tiff, size_t bytes)
{
    if (bytes < 14 ||
        !((tiff[0] == 'I' && tiff[1] == 'I') || (tiff[0] == 'M' && tiff[1] == 'M')))
        return 1;
    const int big = tiff[0] == 'M';
    const size_t ifd = tiff_u(tiff + 4, 4, big);

    if (tiff_u(tiff + 2, 2, big) != 42 || ifd > bytes - 2)
        return 1;
    const size_t count = tiff_u(tiff + ifd, 2, big);
    for (size_t i = 0; i < count && (bytes - ifd - 2) / 12 > i; i++) {
        const uint8_t *entry = tiff + ifd + 2 + 12 * i;

        if (tiff_u(entry, 2, big) == 0x0112 && tiff_u(entry + 2, 2, big) == 3) {
            const uint32_t v = tiff_u(entry + 8, 2, big);
            return v >= 1 && v <= 8 ? (int)v : 1;
        }
    }
    return 1;
}

dscq_status dscq_image_write_png(const char *path, const dscq_image *im,
                                 dscq_error *err)
{
    return dscq_png_write(path, im->px, (size_t)im->width, (size_t)im->height,
                          im->channels, err);
}
