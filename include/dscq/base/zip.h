/*
 * base/zip.h - bounded inflation, and deflation. Wraps zlib so that one file knows
 * it (it also holds dscq_crc32() of base/hash.h).
 */
#ifndef DSCQ_BASE_ZIP_H
#define DSCQ_BASE_ZIP_H

#include "dscq/base/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum dscq_zip_form {
    DSCQ_ZIP_RAW,  /* RFC 1951: a member of a .zip or .npz                   */
    DSCQ_ZIP_ZLIB, /* RFC 1950: an element of a MAT v5 file                  */
    DSCQ_ZIP_GZIP  /* RFC 1952: .gz, members may follow one another          */
} dscq_zip_form;

/* Inflate all of `in`. *out is freed with dscq_free(); one zero byte follows the
 * data. DSCQ_FORMAT for a damaged or truncated stream, bytes after its end, or
 * more than max_bytes of output (memory never exceeds that by more than 2x). */
dscq_status dscq_inflate(uint8_t **out, size_t *out_bytes, const void *in,
                         size_t in_bytes, dscq_zip_form form, size_t max_bytes,
                         dscq_error *err);

/* Deflate at zlib's level 9. *out is freed with dscq_free(). */
dscq_status dscq_deflate(uint8_t **out, size_t *out_bytes, const void *in,
                         size_t in_bytes, dscq_zip_form form, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
