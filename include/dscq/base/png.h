/*
 * base/png.h - write pixels as a PNG file, atomically.
 */
#ifndef DSCQ_BASE_PNG_H
#define DSCQ_BASE_PNG_H

#include "dscq/base/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* px: height rows of width * channels bytes, no padding; channels 3 (red, green, blue)
 * or 1 (grey). width and height in [1, 65535]. Deflated at a fixed level: the same
 * pixels give the same bytes. */
dscq_status dscq_png_write(const char *path, const uint8_t *px, size_t width,
                           size_t height, int channels, dscq_error *err);

/* The file as bytes; *data is freed with dscq_free(). */
dscq_status dscq_png_encode(uint8_t **data, size_t *bytes, const uint8_t *px,
                            size_t width, size_t height, int channels, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
