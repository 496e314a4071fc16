#include "dscq/base/zip.h"

#include "dscq/base/alloc.h"
#include "dscq/base/hash.h"

#include <limits.h>
#include <string.h>
#include <zlib.h>

uint32_t dscq_crc32(uint32_t crc, const void *data, size_t bytes)
{
    return bytes == 0 ? crc : (uint32_t)crc32_z(crc, data, bytes);
}

/* zlib's own state counts as an allocation too, so that tests can fail it. */
static voidpf zalloc(voidpf opaque, uInt items, uInt size)
{
    (void)opaque;
    return dscq_calloc(items, size);
}

static void zfree(voidpf opaque, voidpf p)
{
    (void)opaque;
    dscq_free(p);
}

typedef struct sink {
    uint8_t *data;
    size_t len, cap, max;
} sink;

static dscq_status too_much(const sink *s, dscq_error *err)
{
    return dscq_fail(err, DSCQ_FORMAT, "inflates to more than %zu bytes", s->max);
}

/* Room for at least one more byte, never above max + 1 (the final zero). */
static dscq_status grow(sink *s, dscq_error *err)
{
    if (s->len < s->cap)
        return DSCQ_OK;
    if (s->len >= s->max)
        return too_much(s, err);
    size_t cap = s->cap < 4096 ? 4096 : s->cap;
    cap = cap > s->max / 2 ? s->max : cap * 2;
    uint8_t *p = dscq_realloc(s->data, s->len, cap + 1);
    if (p == NULL)
        return dscq_fail_nomem(err, "inflated data", cap);
    s->data = p;
    s->cap = cap;
    return DSCQ_OK;
}

static uInt clamp(size_t n)
{
    return n > UINT_MAX / 2 ? UINT_MAX / 2 : (uInt)n;
}

/* One call of inflate(). An output that is exactly full is fine when the stream ends
 * there: zlib needs one more call, with room, to say so, hence the spare byte. */
static dscq_status step(int *rc, z_stream *z, sink *s, dscq_error *err)
{
    const int full = s->len == s->max;
    dscq_status status = full ? DSCQ_OK : grow(s, err);
    uint8_t spare;

    if (status != DSCQ_OK)
        return status;
    const uInt room = full ? 1 : clamp(s->cap - s->len);
    z->next_out = full ? &spare : s->data + s->len;
    z->avail_out = room;
    *rc = inflate(z, Z_NO_FLUSH);
    if (full && z->avail_out == 0)
        return too_much(s, err);
    if (!full)
        s->len += room - z->avail_out;
    return DSCQ_OK;
}

static dscq_status damaged(const z_stream *z, int rc, size_t pos, dscq_error *err)
{
    if (rc == Z_MEM_ERROR)
        return dscq_fail_nomem(err, "inflation", 0);
    if (rc == Z_BUF_ERROR)
        return dscq_fail(err, DSCQ_FORMAT, "compressed data ends early, at byte %zu",
                         pos);
    return dscq_fail(err, DSCQ_FORMAT, "compressed data is damaged near byte %zu: %s",
                     pos, z->msg != NULL ? z->msg : "a preset dictionary is wanted");
}

static dscq_status pump(z_stream *z, sink *s, const uint8_t *in, size_t in_bytes,
                        int many, dscq_error *err)
{
    dscq_status status;
    size_t pos = 0;
    int rc = Z_OK;

    for (;;) {
        const uInt have = clamp(in_bytes - pos);
        z->next_in = (z_const Bytef *)(in + pos);
        z->avail_in = have;
        if ((status = step(&rc, z, s, err)) != DSCQ_OK)
            return status;
        pos += have - z->avail_in;
        if (rc == Z_STREAM_END && pos == in_bytes)
            return DSCQ_OK;
        if (rc == Z_STREAM_END && (!many || inflateReset(z) != Z_OK))
            return dscq_fail(err, DSCQ_FORMAT, "%zu bytes follow the compressed data",
                             in_bytes - pos);
        if (rc != Z_OK && rc != Z_STREAM_END)
            return damaged(z, rc, pos, err);
    }
}

static const int k_window_bits[] = {-15, 15, 31};

dscq_status dscq_inflate(uint8_t **out, size_t *out_bytes, const void *in,
                         size_t in_bytes, dscq_zip_form form, size_t max_bytes,
                         dscq_error *err)
{
    z_stream z = {.zalloc = zalloc, .zfree = zfree};
    sink s = {NULL, 0, 0, max_bytes < SIZE_MAX / 4 ? max_bytes : SIZE_MAX / 4};

    *out = NULL;
    *out_bytes = 0;
    if (inflateInit2(&z, k_window_bits[form]) != Z_OK)
        return dscq_fail_nomem(err, "inflation", sizeof z);
    dscq_status status = pump(&z, &s, in, in_bytes, form == DSCQ_ZIP_GZIP, err);
    (void)inflateEnd(&z);
    if (status == DSCQ_OK && s.data == NULL) { /* an empty stream, max_bytes = 0 */
        s.data = dscq_malloc(1, 1);
        if (s.data == NULL)
            return dscq_fail_nomem(err, "inflated data", 1);
    }
    if (status != DSCQ_OK) {
        dscq_free(s.data);
        return status;
    }
    s.data[s.len] = 0;
    *out = s.data;
    *out_bytes = s.len;
    return DSCQ_OK;
}

dscq_status dscq_deflate(uint8_t **out, size_t *out_bytes, const void *in,
                         size_t in_bytes, dscq_zip_form form, dscq_error *err)
{
    z_stream z = {.zalloc = zalloc, .zfree = zfree};
    size_t pos = 0, len = 0;
    int rc = Z_OK;

    *out = NULL;
    *out_bytes = 0;
    if (deflateInit2(&z, 9, Z_DEFLATED, k_window_bits[form], 9, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        return dscq_fail_nomem(err, "deflation", 300000);
    const size_t cap = deflateBound(&z, in_bytes);
    uint8_t *p = dscq_malloc(cap, 1);
    while (p != NULL && rc == Z_OK) {
        const uInt have = clamp(in_bytes - pos), room = clamp(cap - len);
        z.next_in = (z_const Bytef *)((const uint8_t *)in + pos);
        z.avail_in = have;
        z.next_out = p + len;
        z.avail_out = room;
        rc = deflate(&z, pos + have == in_bytes ? Z_FINISH : Z_NO_FLUSH);
        pos += have - z.avail_in;
        len += room - z.avail_out;
    }
    (void)deflateEnd(&z);
    if (rc != Z_STREAM_END) { /* the bound holds, so only memory can be short */
        dscq_free(p);
        return dscq_fail_nomem(err, "deflated data", cap);
    }
    *out = p;
    *out_bytes = len;
    return DSCQ_OK;
}
