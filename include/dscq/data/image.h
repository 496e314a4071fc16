/*
 * data/image.h - decoded pictures, their geometry, and the network's input.
 *
 * A dscq_image is dense height x width x channels bytes, channels 1 (grey) or 3
 * (RGB). PNG comes through libpng, JPEG through libjpeg (accurate integer DCT), WebP
 * through libwebp, BMP through a decoder of our own, all with every size checked
 * before memory is taken. Resizing is integer
 * arithmetic throughout, so that the same picture gives the same bytes with any
 * compiler and on any machine.
 *
 * A dscq_preproc says how a picture becomes a network's input. It is plain data:
 * the packed file stores it and replays it with dscq_preproc_apply().
 */
#ifndef DSCQ_DATA_IMAGE_H
#define DSCQ_DATA_IMAGE_H

#include "dscq/base/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    DSCQ_IMAGE_SIDE_MAX = 32767,     /* pixels, either side            */
    DSCQ_IMAGE_PIXELS_MAX = 1 << 26, /* width * height                 */
    DSCQ_IMAGE_FILE_BYTES_MAX = 1 << 28
};

/* What decoding did that nobody asked for. */
enum {
    DSCQ_IMAGE_TURNED = 1,      /* as its EXIF orientation says            */
    DSCQ_IMAGE_DEEP = 2,        /* samples of more than 8 bits were cut    */
    DSCQ_IMAGE_TRANSPARENT = 4, /* it had alpha; the background shows      */
    DSCQ_IMAGE_INKS = 8,        /* CMYK or YCCK, to RGB without a profile  */
    DSCQ_IMAGE_GREY = 16        /* stored without colour                   */
};

/* The format a picture was decoded from. */
typedef enum dscq_image_kind {
    DSCQ_IMAGE_MADE, /* not decoded */
    DSCQ_IMAGE_PNG,
    DSCQ_IMAGE_JPEG,
    DSCQ_IMAGE_BMP,
    DSCQ_IMAGE_WEBP,
    DSCQ_IMAGE_KINDS
} dscq_image_kind;
const char *dscq_image_kind_name(dscq_image_kind kind); /* "PNG" */
/* Does a file that begins so hold a picture, of a kind that is read or not? */
int dscq_image_is_picture(const uint8_t *head, size_t bytes);

typedef struct dscq_image {
    int32_t width, height, channels;
    int32_t kind;   /* dscq_image_kind */
    uint32_t notes; /* DSCQ_IMAGE_*, of a decoded picture */
    uint8_t *px;    /* [height][width][channels], from dscq_malloc(); owned */
} dscq_image;

/* Fill *out with an uncleared picture. DSCQ_ARG for a size outside the limits or
 * channels other than 1 and 3, DSCQ_NOMEM; *out is then zero. */
dscq_status dscq_image_init(dscq_image *out, int32_t width, int32_t height,
                            int32_t channels, dscq_error *err);
void dscq_image_clear(dscq_image *im); /* frees the pixels, zeroes the struct */

typedef struct dscq_decode_opts {
    int32_t channels;      /* 1, 3, or 0 = as stored (grey stays grey)          */
    uint8_t background[3]; /* what shows through transparent pixels, RGB        */
    uint32_t max_pixels;   /* 0 = DSCQ_IMAGE_PIXELS_MAX                         */
    int32_t as_stored;     /* leave an EXIF orientation alone                   */
} dscq_decode_opts;

/*
 * PNG (any bit depth, palette, alpha), JPEG (grey, YCbCr, RGB, CMYK, YCCK; baseline or
 * progressive), BMP (1 to 32 bits, palette, masks, run lengths, either direction) or
 * WebP (still), told apart by their first bytes, never by name. 16-bit samples keep
 * their high byte; alpha is composited over opts->background; an EXIF orientation
 * is applied, so that width and height are those a viewer shows; out->notes says which
 * of it happened. opts may be NULL
 * (channels as stored, white background). `name` is for messages.
 *
 * DSCQ_FORMAT when the bytes are none of these, are damaged or cut short (a JPEG that
 * its library can only patch up counts as damaged) or exceed the limits;
 * DSCQ_UNSUPPORTED for a form left out of this build. *out is zero on failure.
 */
dscq_status dscq_image_decode(dscq_image *out, const uint8_t *data, size_t bytes,
                              const char *name, const dscq_decode_opts *opts,
                              dscq_error *err);
/* The same from a file; DSCQ_IO when it cannot be read. */
dscq_status dscq_image_load(dscq_image *out, const char *path,
                            const dscq_decode_opts *opts, dscq_error *err);
/* Width and height after orientation, from the header alone. */
dscq_status dscq_image_probe(int32_t *width, int32_t *height, const char *path,
                             dscq_error *err);
/* Is the name one of a picture this module reads (DSCQ_IMAGE_ENDINGS, any case)? */
#define DSCQ_IMAGE_ENDINGS                                                             \
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".webp"
int dscq_image_has_extension(const char *path);

/* 8-bit PNG, written atomically. */
dscq_status dscq_image_write_png(const char *path, const dscq_image *im,
                                 dscq_error *err);

/* Grey to RGB by repetition, RGB to grey as (19595 R + 38470 G + 7471 B + 32768)
 * >> 16 (ITU-R BT.601). In place; nothing happens when channels already agree. */
dscq_status dscq_image_set_channels(dscq_image *im, int32_t channels, dscq_error *err);

/* How positions of the output fall on the input, and how many pixels count. */
#define DSCQ_FILTER_CHOICES "bilinear|corners|antialias|area|nearest"
typedef enum dscq_filter {
    DSCQ_FILTER_BILINEAR,  /* two taps, pixel centres aligned                     */
    DSCQ_FILTER_CORNERS,   /* two taps, corner pixels aligned: (w-1)/(w'-1), the
                              rule of Darknet                                     */
    DSCQ_FILTER_ANTIALIAS, /* centres aligned, triangle widened when shrinking    */
    DSCQ_FILTER_AREA,      /* mean over the covered area, fractions counted       */
    DSCQ_FILTER_NEAREST
} dscq_filter;

/* The region (x, y, w, h) of `in`, resized to width x height. Weights are 15-bit
 * fractions that sum to one; rows carry 8 fractional bits between the passes. A
 * region of the requested size is copied. *out is initialised here. DSCQ_ARG when
 * the region leaves the picture. */
dscq_status dscq_image_resize(dscq_image *out, const dscq_image *in,
                              const int32_t region[4], int32_t width, int32_t height,
                              dscq_filter filter, dscq_error *err);

#define DSCQ_RESIZE_CHOICES "stretch|letterbox|crop"
typedef enum dscq_resize_mode {
    DSCQ_RESIZE_STRETCH,   /* both sides to the target, aspect ratio given up     */
    DSCQ_RESIZE_LETTERBOX, /* whole picture kept, centred, the rest is `fill`     */
    DSCQ_RESIZE_CROP       /* crop_frac of the largest centred region with the
                              target's aspect ratio, then resized               */
} dscq_resize_mode;

#define DSCQ_ORDER_CHOICES "rgb|bgr"
typedef enum dscq_order { DSCQ_ORDER_RGB, DSCQ_ORDER_BGR } dscq_order;

/* out = (pixel * scale - mean[c]) / std[c]; mean and std are in units of the
 * scaled pixel and in the order of the output's channels. */
typedef struct dscq_preproc {
    int32_t width, height, channels; /* of the network's input; channels 1 or 3 */
    int32_t resize;                  /* dscq_resize_mode                        */
    int32_t filter;                  /* dscq_filter                             */
    int32_t order;                   /* dscq_order                              */
    int32_t fill;    /* grey of letterbox bars and under transparent pixels, 0..255 */
    float crop_frac; /* (0, 1]; DSCQ_RESIZE_CROP only           */
    float scale;     /* usually 1/255                           */
    float mean[3], std[3]; /* std > 0                                 */
} dscq_preproc;

/* Where the picture went: x_net = x_image * sx + dx in pixels of each, so a
 * detection comes back as x_image = (x_net - dx) / sx. */
typedef struct dscq_placement {
    double sx, sy, dx, dy;
    int32_t x, y, width, height; /* the picture's rectangle in the output */
    int32_t image_width, image_height;
} dscq_placement;

/* DSCQ_ARG with the field's name when a value is outside its range. */
dscq_status dscq_preproc_check(const dscq_preproc *p, dscq_error *err);
size_t dscq_preproc_floats(const dscq_preproc *p); /* width * height * channels */

/* Geometry and channels only: *out is p's width x height x channels, bytes, still
 * in RGB order. `where` may be NULL. */
dscq_status dscq_preproc_geometry(dscq_image *out, dscq_placement *where,
                                  const dscq_preproc *p, const dscq_image *in,
                                  dscq_error *err);
/* Value for every byte: table[c][v], c in the order of the output. */
void dscq_preproc_table(float table[3][256], const dscq_preproc *p);
/* n pictures' worth of pixels at p's size, RGB bytes -> floats in p's order. */
void dscq_preproc_normalise(float *out, const uint8_t *px, size_t pixels,
                            const dscq_preproc *p, const float table[3][256]);
/* All of it: out[height][width][channels]. */
dscq_status dscq_preproc_apply(float *out, dscq_placement *where, const dscq_preproc *p,
                               const dscq_image *in, dscq_error *err);
/* And from a file, as `dscq run` does for each picture. */
dscq_status dscq_preproc_load(float *out, dscq_placement *where, const dscq_preproc *p,
                              const char *path, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
