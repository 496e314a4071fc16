/* PNG (ISO/IEC 15948): signature, IHDR, IDAT, IEND. What is drawn and what is a picture
 * of a data set are written here; reading is the business of the data module. */
#include "dscq/base/png.h"

#include "dscq/base/alloc.h"
#include "dscq/base/hash.h"
#include "dscq/base/io.h"
#include "dscq/base/zip.h"

#include <string.h>

enum { SIDE_MAX = 65535, CHUNK_BYTES = 12 };

static void put_u32(uint8_t *p, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* Length, type, data, CRC of type and data; returns what follows. */
static uint8_t *put_chunk(uint8_t *p, const char *type, const uint8_t *data,
                          size_t bytes)
{
    put_u32(p, (uint32_t)bytes);
    memcpy(p + 4, type, 4);
    if (bytes > 0)
        memcpy(p + 8, data, bytes);
    put_u32(p + 8 + bytes, dscq_crc32(0, p + 4, bytes + 4));
    return p + CHUNK_BYTES + bytes;
}

/* Every row behind its filter type: 2, the difference to the row above, suits flat
 * drawings and photographs alike. */
static uint8_t *filter_rows(const uint8_t *px, size_t row, size_t height)
{
    uint8_t *out = dscq_malloc(height, row + 1);

    for (size_t y = 0; out != NULL && y < height; y++) {
        uint8_t *q = out + y * (row + 1);
        *q++ = 2;
        for (size_t x = 0; x < row; x++)
            q[x] = (uint8_t)(px[y * row + x] - (y > 0 ? px[(y - 1) * row + x] : 0));
    }
    return out;
}

dscq_status dscq_png_encode(uint8_t **data, size_t *bytes, const uint8_t *px,
                            size_t width, size_t height, int channels, dscq_error *err)
{
    static const uint8_t k_signature[8] = {137, 'P', 'N', 'G', '\r', '\n', 26, '\n'};
    uint8_t header[13] = {0}, *packed = NULL;
    const size_t row = (size_t)channels * width;
    size_t packed_bytes = 0;

    *data = NULL;
    *bytes = 0;
    if (width < 1 || height < 1 || width > SIDE_MAX || height > SIDE_MAX)
        return dscq_fail(err, DSCQ_ARG, "a PNG of %zu x %zu pixels: want 1 to %d",
                         width, height, SIDE_MAX);
    uint8_t *rows = filter_rows(px, row, height);
    if (rows == NULL)
        return dscq_fail_nomem(err, "PNG", row * height);
    dscq_status status = dscq_deflate(&packed, &packed_bytes, rows, (row + 1) * height,
                                      DSCQ_ZIP_ZLIB, err);
    dscq_free(rows);
    if (status != DSCQ_OK)
        return status;
    const size_t total =
        sizeof k_signature + 3 * CHUNK_BYTES + sizeof header + packed_bytes;
    if (packed_bytes > INT32_MAX) {
        dscq_free(packed);
        return dscq_fail(err, DSCQ_ARG, "a PNG of %zu x %zu pixels is too large", width,
                         height);
    }
    uint8_t *p = dscq_malloc(total, 1);
    if (p == NULL) {
        dscq_free(packed);
        return dscq_fail_nomem(err, "PNG", total);
    }
    put_u32(header, (uint32_t)width);
    put_u32(header + 4, (uint32_t)height);
    header[8] = 8; /* bits a sample */
    header[9] = channels == 3 ? 2 : 0;
    memcpy(p, k_signature, sizeof k_signature);
    uint8_t *next = put_chunk(p + sizeof k_signature, "IHDR", header, sizeof header);
    next = put_chunk(next, "IDAT", packed, packed_bytes);
    (void)put_chunk(next, "IEND", NULL, 0);
    dscq_free(packed);
    *data = p;
    *bytes = total;
    return DSCQ_OK;
}

dscq_status dscq_png_write(const char *path, const uint8_t *px, size_t width,
                           size_t height, int channels, dscq_error *err)
{
    uint8_t *data = NULL;
    size_t bytes = 0;
    dscq_status status =
        dscq_png_encode(&data, &bytes, px, width, height, channels, err);

    if (status == DSCQ_OK)
        status = dscq_file_write(path, data, bytes, err);
    dscq_free(data);
    return status;
}
