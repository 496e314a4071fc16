/* Stored zip archives of .npy arrays. */
#include "dscq/export/npz.h"

#include "dscq/base/alloc.h"
#include "dscq/base/bytes.h"
#include "dscq/base/hash.h"
#include "dscq/base/io.h"

#include <stdio.h>

enum { VERSION = 20, DOS_DAY_ONE = 0x21 /* 1980-01-01 */, RANK_MAX = 8 };

struct dscq_npz {
    dscq_writer *out;
    dscq_buf central; /* directory, written last */
    uint64_t at;
    uint32_t count;
};

dscq_status dscq_npz_open(dscq_npz **out, const char *path, dscq_error *err)
{
    dscq_npz *z = dscq_calloc(1, sizeof *z);

    *out = NULL;
    if (z == NULL)
        return dscq_fail_nomem(err, path, sizeof *z);
    const dscq_status status = dscq_writer_open(&z->out, path, err);
    if (status != DSCQ_OK) {
        dscq_free(z);
        return status;
    }
    *out = z;
    return DSCQ_OK;
}

/* The 64-byte multiple in front of an array's data. 0: the shape is too long. */
static int npy_head(dscq_buf *b, const char *type, const int64_t *shape, int32_t rank)
{
    char text[256];
    int n = snprintf(text, sizeof text,
                     "{'descr': '%s', 'fortran_order': False, 'shape': (", type);

    for (int32_t i = 0; i < rank && n > 0 && n < 200; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%lld,%s", (long long)shape[i],
                      i + 1 < rank ? " " : "");
    n += snprintf(text + n, sizeof text - (size_t)n, "), }");
    if (n >= 240)
        return 0;
    const size_t total = (10 + (size_t)n + 1 + 63) / 64 * 64;
    dscq_put(b, "\x93NUMPY\x01", 7);
    dscq_put_u(b, 0, 1);
    dscq_put_u(b, total - 10, 2);
    dscq_put(b, text, (size_t)n);
    for (size_t i = 10 + (size_t)n; i + 1 < total; i++)
        dscq_put_u(b, ' ', 1);
    dscq_put_u(b, '\n', 1);
    return 1; /* no memory: b->bad */
}

/* What local header and directory entry share. */
static void put_facts(dscq_buf *b, uint32_t crc, uint64_t bytes, size_t name_bytes)
{
    dscq_put_u(b, VERSION, 2);
    dscq_put_u(b, 0, 2); /* flags */
    dscq_put_u(b, 0, 2); /* stored */
    dscq_put_u(b, 0, 2); /* time */
    dscq_put_u(b, DOS_DAY_ONE, 2);
    dscq_put_u(b, crc, 4);
    dscq_put_u(b, bytes, 4);
    dscq_put_u(b, bytes, 4);
    dscq_put_u(b, name_bytes, 2);
    dscq_put_u(b, 0, 2); /* extra */
}

dscq_status dscq_npz_add(dscq_npz *z, const char *name, const char *type,
                         size_t elem_bytes, const int64_t *shape, int32_t rank,
                         const void *data, dscq_error *err)
{
    dscq_buf head = {0}, local = {0};
    uint64_t bytes = elem_bytes;
    char file[160];
    dscq_status status = DSCQ_OK;

    for (int32_t i = 0; i < rank; i++)
        bytes = shape[i] < 0 || bytes > UINT32_MAX ? UINT64_MAX
                                                   : bytes * (uint64_t)shape[i];
    const int n = snprintf(file, sizeof file, "%s.npy", name);
    if (bytes > UINT32_MAX - 256 || rank > RANK_MAX || n < 0 ||
        (size_t)n >= sizeof file || z->count >= 65535 ||
        z->at + bytes > UINT32_MAX - 1024 || !npy_head(&head, type, shape, rank)) {
        status = dscq_fail(err, DSCQ_ARG, "array '%s' does not fit an .npz file", name);
        goto done;
    }
    uint32_t crc = dscq_crc32(0, head.data, head.len);
    crc = dscq_crc32(crc, data, (size_t)bytes);
    const uint64_t total = head.len + bytes;
    dscq_put_u(&local, 0x04034b50, 4);
    put_facts(&local, crc, total, (size_t)n);
    dscq_put(&local, file, (size_t)n);
    dscq_put_u(&z->central, 0x02014b50, 4);
    dscq_put_u(&z->central, VERSION, 2);
    put_facts(&z->central, crc, total, (size_t)n);
    dscq_put_u(&z->central, 0, 2); /* comment */
    dscq_put_u(&z->central, 0, 2); /* disk */
    dscq_put_u(&z->central, 0, 2); /* internal attributes */
    dscq_put_u(&z->central, 0, 4); /* external attributes */
    dscq_put_u(&z->central, z->at, 4);
    dscq_put(&z->central, file, (size_t)n);
    if (head.bad || local.bad || z->central.bad) {
        status = dscq_fail_nomem(err, name, local.len);
        goto done;
    }
    DSCQ_TRY(dscq_writer_put(z->out, local.data, local.len, err));
    DSCQ_TRY(dscq_writer_put(z->out, head.data, head.len, err));
    DSCQ_TRY(dscq_writer_put(z->out, data, (size_t)bytes, err));
    z->at += local.len + total;
    z->count++;
done:
    dscq_buf_free(&head);
    dscq_buf_free(&local);
    return status;
}

void dscq_npz_abandon(dscq_npz *z)
{
    if (z == NULL)
        return;
    dscq_writer_abandon(z->out);
    dscq_buf_free(&z->central);
    dscq_free(z);
}

dscq_status dscq_npz_close(dscq_npz *z, dscq_error *err)
{
    const uint64_t bytes = z->central.len;
    dscq_status status;

    dscq_put_u(&z->central, 0x06054b50, 4);
    dscq_put_u(&z->central, 0, 4); /* disks */
    dscq_put_u(&z->central, z->count, 2);
    dscq_put_u(&z->central, z->count, 2);
    dscq_put_u(&z->central, bytes, 4);
    dscq_put_u(&z->central, z->at, 4);
    dscq_put_u(&z->central, 0, 2); /* comment */
    if (z->central.bad) {
        status = dscq_fail_nomem(err, "zip directory", (size_t)bytes);
        dscq_npz_abandon(z);
        return status;
    }
    status = dscq_writer_put(z->out, z->central.data, z->central.len, err);
    if (status == DSCQ_OK) {
        status = dscq_writer_commit(z->out, err);
        z->out = NULL;
    }
    dscq_npz_abandon(z);
    return status;
}
