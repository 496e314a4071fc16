#include "data_internal.h"
#include "dscq/data/image.h"

#include <math.h>
#include <string.h>

size_t dscq_preproc_floats(const dscq_preproc *p)
{
    return (size_t)p->width * (size_t)p->height * (size_t)p->channels;
}

dscq_status dscq_preproc_check(const dscq_preproc *p, dscq_error *err)
{
    if (p->width < 1 || p->height < 1 || p->width > DSCQ_IMAGE_SIDE_MAX ||
        p->height > DSCQ_IMAGE_SIDE_MAX || p->height > DSCQ_IMAGE_PIXELS_MAX / p->width)
        return dscq_fail(err, DSCQ_ARG, "preprocessing: input of %dx%d pixels",
                         (int)p->width, (int)p->height);
    if (p->channels != 1 && p->channels != 3)
        return dscq_fail(err, DSCQ_ARG, "preprocessing: channels = %d: want 1 or 3",
                         (int)p->channels);
    if (p->resize < 0 || p->resize > DSCQ_RESIZE_CROP || p->filter < 0 ||
        p->filter > DSCQ_FILTER_NEAREST || p->order < 0 || p->order > DSCQ_ORDER_BGR)
        return dscq_fail(err, DSCQ_ARG,
                         "preprocessing: resize %d, filter %d, order %d: no such mode",
                         (int)p->resize, (int)p->filter, (int)p->order);
    if (p->fill < 0 || p->fill > 255)
        return dscq_fail(err, DSCQ_ARG, "preprocessing: fill = %d: want 0..255",
                         (int)p->fill);
    if (!(p->crop_frac > 0.0f && p->crop_frac <= 1.0f))
        return dscq_fail(err, DSCQ_ARG, "preprocessing: crop_frac = %g: want (0, 1]",
                         (double)p->crop_frac);
    if (!isfinite(p->scale) || p->scale == 0.0f)
        return dscq_fail(err, DSCQ_ARG, "preprocessing: scale = %g: want not 0",
                         (double)p->scale);
    for (int32_t c = 0; c < p->channels; c++)
        if (!isfinite(p->mean[c]) || !isfinite(p->std[c]) || !(p->std[c] > 0.0f))
            return dscq_fail(err, DSCQ_ARG,
                             "preprocessing: channel %d: mean %g, std %g: want finite "
                             "values and std above 0",
                             (int)c, (double)p->mean[c], (double)p->std[c]);
    return DSCQ_OK;
}

static int32_t scaled(int32_t a, int32_t num, int32_t den)
{
    const int64_t v = (int64_t)a * num / den; /* cut, as Darknet does */
    return v < 1 ? 1 : (int32_t)v;
}

/* Where the picture comes from and goes to. */
static void place(int32_t region[4], dscq_placement *to, const dscq_preproc *p,
                  int32_t w, int32_t h)
{
    const int is_wide = (int64_t)w * p->height >= (int64_t)h * p->width;

    region[0] = region[1] = 0;
    region[2] = w;
    region[3] = h;
    *to = (dscq_placement){
        .width = p->width, .height = p->height, .image_width = w, .image_height = h};
    if (p->resize == DSCQ_RESIZE_LETTERBOX) {
        to->width = is_wide ? p->width : scaled(w, p->height, h);
        to->height = is_wide ? scaled(h, p->width, w) : p->height;
        to->x = (p->width - to->width) / 2;
        to->y = (p->height - to->height) / 2;
    } else if (p->resize == DSCQ_RESIZE_CROP) {
        const double rw = is_wide ? (double)h * p->width / p->height : (double)w;
        const double rh = is_wide ? (double)h : (double)w * p->height / p->width;
        const double frac = (double)p->crop_frac;

        region[2] = (int32_t)fmin(fmax(floor(rw * frac + 0.5), 1.0), (double)w);
        region[3] = (int32_t)fmin(fmax(floor(rh * frac + 0.5), 1.0), (double)h);
        region[0] = (w - region[2]) / 2;
        region[1] = (h - region[3]) / 2;
    }
    to->sx = (double)to->width / region[2];
    to->sy = (double)to->height / region[3];
    to->dx = to->x - region[0] * to->sx;
    to->dy = to->y - region[1] * to->sy;
}

static dscq_status paste(dscq_image *out, const dscq_image *im,
                         const dscq_placement *at, const dscq_preproc *p,
                         dscq_error *err)
{
    const size_t c = (size_t)im->channels;
    const dscq_status status =
        dscq_image_init(out, p->width, p->height, im->channels, err);

    if (status != DSCQ_OK)
        return status;
    memset(out->px, p->fill, (size_t)p->width * (size_t)p->height * c);
    for (int32_t y = 0; y < im->height; y++)
        memcpy(out->px + ((size_t)(y + at->y) * (size_t)p->width + (size_t)at->x) * c,
               im->px + (size_t)y * (size_t)im->width * c, (size_t)im->width * c);
    return DSCQ_OK;
}

dscq_status dscq_preproc_geometry(dscq_image *out, dscq_placement *where,
                                  const dscq_preproc *p, const dscq_image *in,
                                  dscq_error *err)
{
    int32_t region[4];
    dscq_placement at;
    dscq_image im = {0}, boxed = {0};
    dscq_status status;

    *out = (dscq_image){0};
    place(region, &at, p, in->width, in->height);
    DSCQ_TRY(dscq_image_resize(&im, in, region, at.width, at.height,
                               (dscq_filter)p->filter, err));
    DSCQ_TRY(dscq_image_set_channels(&im, p->channels, err));
    if (at.width != p->width || at.height != p->height) {
        DSCQ_TRY(paste(&boxed, &im, &at, p, err));
        dscq_image_clear(&im);
        im = boxed;
    }
    *out = im;
    if (where != NULL)
        *where = at;
    return DSCQ_OK;
done:
    dscq_image_clear(&im);
    return status;
}

void dscq_preproc_table(float table[3][256], const dscq_preproc *p)
{
    for (int32_t c = 0; c < 3; c++) {
        const int32_t k = c < p->channels ? c : p->channels - 1;
        for (int v = 0; v < 256; v++)
            table[c][v] = (float)(((double)v * (double)p->scale - (double)p->mean[k]) /
                                  (double)p->std[k]);
    }
}

void dscq_preproc_normalise(float *out, const uint8_t *px, size_t pixels,
                            const dscq_preproc *p, const float table[3][256])
{
    if (p->channels == 1) {
        for (size_t i = 0; i < pixels; i++)
            out[i] = table[0][px[i]];
        return;
    }
    const size_t first = p->order == DSCQ_ORDER_BGR ? 2 : 0, last = 2 - first;

    for (size_t i = 0; i < pixels; i++, out += 3, px += 3) {
        out[0] = table[0][px[first]];
        out[1] = table[1][px[1]];
        out[2] = table[2][px[last]];
    }
}

dscq_status dscq_preproc_apply(float *out, dscq_placement *where, const dscq_preproc *p,
                               const dscq_image *in, dscq_error *err)
{
    float table[3][256];
    dscq_image im;
    const dscq_status status = dscq_preproc_geometry(&im, where, p, in, err);

    if (status != DSCQ_OK)
        return status;
    dscq_preproc_table(table, p);
    dscq_preproc_normalise(out, im.px, (size_t)im.width * (size_t)im.height, p,
                           (const float(*)[256])table);
    dscq_image_clear(&im);
    return DSCQ_OK;
}

dscq_status dscq_preproc_load(float *out, dscq_placement *where, const dscq_preproc *p,
                              const char *path, dscq_error *err)
{
    const uint8_t fill = (uint8_t)p->fill;
    const dscq_decode_opts opts = {.channels = p->channels,
                                   .background = {fill, fill, fill}};
    dscq_image im;
    dscq_status status = dscq_preproc_check(p, err);

    if (status == DSCQ_OK)
        status = dscq_image_load(&im, path, &opts, err);
    if (status != DSCQ_OK)
        return status;
    status = dscq_preproc_apply(out, where, p, &im, err);
    dscq_image_clear(&im);
    return status;
}
