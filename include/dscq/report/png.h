/*
 * report/png.h - write pixels as a PNG file, atomically.
 */
#ifndef DSCQ_REPORT_PNG_H
#define DSCQ_REPORT_PNG_H

#include "dscq/base/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* rgb: height rows of width * 3 bytes, no padding. width and height in [1, 65535].
 * Deflated at a fixed level: the same pixels give the same bytes. */
dscq_status dscq_png_write_rgb(const char *path, const uint8_t *rgb, size_t width,
                               size_t height, dscq_error *err);

/* The file as bytes; *data is freed with dscq_free(). */
dscq_status dscq_png_encode_rgb(uint8_t **data, size_t *bytes, const uint8_t *rgb,
                                size_t width, size_t height, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
