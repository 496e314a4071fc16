#include "dscq/nn/checkpoint.h"

#include "dscq/base/alloc.h"
#include "dscq/base/hash.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "nn_internal.h"

#include <stdio.h>
#include <string.h>

enum { VERSION = 1, NAME_MAX_BYTES = 200, ENTRIES_MAX = 16384 };
static const char k_magic[8] = {'D', 'S', 'C', 'Q', 'C', 'K', 'P', 'T'};
static const size_t k_file_max = (size_t)1 << 34;

typedef struct entry {
    char name[NAME_MAX_BYTES + 1];
    dscq_entry_kind kind;
    size_t count;
    void *data;
} entry;

struct dscq_checkpoint {
    entry *item;
    size_t count, cap;
};

static size_t elem_bytes(dscq_entry_kind kind)
{
    static const size_t bytes[] = {4, 8, 8, 1};

    return bytes[kind];
}

dscq_status dscq_checkpoint_create(dscq_checkpoint **out, dscq_error *err)
{
    *out = dscq_calloc(1, sizeof **out);
    return *out != NULL ? DSCQ_OK : dscq_fail_nomem(err, "a checkpoint", sizeof **out);
}

void dscq_checkpoint_destroy(dscq_checkpoint *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->count; i++)
        dscq_free(c->item[i].data);
    dscq_free(c->item);
    dscq_free(c);
}

static const entry *find(const dscq_checkpoint *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->item[i].name, name) == 0)
            return &c->item[i];
    return NULL;
}

dscq_status dscq_checkpoint_add(dscq_checkpoint *c, const char *name,
                                dscq_entry_kind kind, const void *data, size_t count,
                                dscq_error *err)
{
    entry e = {.kind = kind, .count = count};
    size_t bytes;

    if (!dscq_str_copy(e.name, sizeof e.name, name) || name[0] == '\0' ||
        find(c, name) != NULL || c->count >= ENTRIES_MAX)
        return dscq_fail(err, DSCQ_FORMAT,
                         "checkpoint entry '%s': name empty, too long, or there twice",
                         name);
    if (c->count == c->cap) {
        const size_t cap = c->cap == 0 ? 64 : 2 * c->cap;
        entry *grown = dscq_realloc(c->item, c->cap * sizeof e, cap * sizeof e);
        if (grown == NULL)
            return dscq_fail_nomem(err, "a checkpoint", cap * sizeof e);
        c->item = grown;
        c->cap = cap;
    }
    if (!dscq_size_mul(&bytes, count, elem_bytes(kind)) ||
        (e.data = dscq_malloc(bytes + 1, 1)) == NULL)
        return dscq_fail_nomem(err, "a checkpoint entry", count);
    if (bytes > 0)
        memcpy(e.data, data, bytes);
    ((char *)e.data)[bytes] = '\0';
    c->item[c->count++] = e;
    return DSCQ_OK;
}

size_t dscq_checkpoint_count(const dscq_checkpoint *c)
{
    return c->count;
}

const char *dscq_checkpoint_name(const dscq_checkpoint *c, size_t i)
{
    return i < c->count ? c->item[i].name : NULL;
}

const void *dscq_checkpoint_find(const dscq_checkpoint *c, const char *name,
                                 dscq_entry_kind kind, size_t *count_out)
{
    const entry *e = find(c, name);

    if (e == NULL || e->kind != kind)
        return NULL;
    if (count_out != NULL)
        *count_out = e->count;
    return e->data;
}

/* ---- bytes -------------------------------------------------------------- */

static void put_le(uint8_t *p, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get_le(const uint8_t *p, int bytes)
{
    uint64_t v = 0;

    for (int i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

/* Arrays are stored little endian; swaps in place on a machine that is not. */
static void to_little_endian(void *data, size_t count, size_t bytes)
{
    static const uint16_t one = 1;
    uint8_t first;

    memcpy(&first, &one, 1);
    if (first == 1 || bytes == 1)
        return;
    for (size_t i = 0; i < count; i++) {
        uint8_t *p = (uint8_t *)data + i * bytes;
        for (size_t j = 0; j < bytes / 2; j++) {
            const uint8_t t = p[j];
            p[j] = p[bytes - 1 - j];
            p[bytes - 1 - j] = t;
        }
    }
}

typedef struct sink {
    dscq_writer *w;
    uint32_t all, part; /* CRC of the file, of the entry */
} sink;

static dscq_status put(sink *s, const void *data, size_t bytes, dscq_error *err)
{
    s->all = dscq_crc32(s->all, data, bytes);
    s->part = dscq_crc32(s->part, data, bytes);
    return dscq_writer_put(s->w, data, bytes, err);
}

static dscq_status put_entry(sink *s, const entry *e, dscq_error *err)
{
    const size_t name = strlen(e->name), bytes = e->count * elem_bytes(e->kind);
    uint8_t head[2], tail[9], crc[4];
    dscq_status status;

    s->part = 0;
    put_le(head, name, 2);
    put_le(tail, (uint64_t)e->kind, 1);
    put_le(tail + 1, e->count, 8);
    DSCQ_TRY(put(s, head, sizeof head, err));
    DSCQ_TRY(put(s, e->name, name, err));
    DSCQ_TRY(put(s, tail, sizeof tail, err));
    to_little_endian(e->data, e->count, elem_bytes(e->kind));
    status = put(s, e->data, bytes, err);
    to_little_endian(e->data, e->count, elem_bytes(e->kind));
    if (status != DSCQ_OK)
        return status;
    put_le(crc, s->part, 4);
    DSCQ_TRY(put(s, crc, sizeof crc, err));
done:
    return status;
}

dscq_status dscq_checkpoint_write(const dscq_checkpoint *c, const char *path,
                                  dscq_error *err)
{
    sink s = {0};
    uint8_t head[8], crc[4];
    dscq_status status;

    DSCQ_TRY(dscq_writer_open(&s.w, path, err));
    put_le(head, VERSION, 4);
    put_le(head + 4, c->count, 4);
    DSCQ_TRY(put(&s, k_magic, sizeof k_magic, err));
    DSCQ_TRY(put(&s, head, sizeof head, err));
    for (size_t i = 0; i < c->count; i++)
        DSCQ_TRY(put_entry(&s, &c->item[i], err));
    DSCQ_TRY(put(&s, "DONE", 4, err));
    put_le(crc, s.all, 4);
    DSCQ_TRY(dscq_writer_put(s.w, crc, sizeof crc, err));
    return dscq_writer_commit(s.w, err);
done:
    dscq_writer_abandon(s.w);
    return status;
}

typedef struct cursor {
    const uint8_t *p;
    size_t left;
    const char *path;
} cursor;

static dscq_status cut_short(const cursor *c, dscq_error *err)
{
    return dscq_fail(err, DSCQ_FORMAT, "%s: the checkpoint is cut short or damaged",
                     c->path);
}

static dscq_status read_entry(dscq_checkpoint *out, cursor *c, dscq_error *err)
{
    const uint8_t *start = c->p;
    char name[NAME_MAX_BYTES + 1];
    size_t bytes;

    if (c->left < 2)
        return cut_short(c, err);
    const size_t length = (size_t)get_le(c->p, 2);
    if (length == 0 || length > NAME_MAX_BYTES || c->left < 2 + length + 9)
        return cut_short(c, err);
    memcpy(name, c->p + 2, length);
    name[length] = '\0';
    const uint8_t kind = c->p[2 + length];
    const uint64_t count = get_le(c->p + 3 + length, 8);
    const size_t head = 2 + length + 9;
    if (kind > DSCQ_ENTRY_TEXT || count > k_file_max ||
        !dscq_size_mul(&bytes, (size_t)count, elem_bytes((dscq_entry_kind)kind)) ||
        c->left - head < 4 || bytes > c->left - head - 4)
        return cut_short(c, err);
    if ((uint32_t)get_le(start + head + bytes, 4) != dscq_crc32(0, start, head + bytes))
        return dscq_fail(err, DSCQ_FORMAT, "%s: entry '%s' is damaged (CRC)", c->path,
                         strlen(name) == length ? name : "?");
    const dscq_status status = dscq_checkpoint_add(out, name, (dscq_entry_kind)kind,
                                                   start + head, (size_t)count, err);
    if (status != DSCQ_OK) {
        dscq_fail_at(err, "%s", c->path);
        return status;
    }
    to_little_endian(out->item[out->count - 1].data, (size_t)count,
                     elem_bytes((dscq_entry_kind)kind));
    c->p += head + bytes + 4;
    c->left -= head + bytes + 4;
    return DSCQ_OK;
}

static dscq_status parse(dscq_checkpoint *out, const uint8_t *data, size_t bytes,
                         const char *path, dscq_error *err)
{
    cursor c = {data, bytes, path};

    if (bytes < 24 || memcmp(data, k_magic, sizeof k_magic) != 0)
        return dscq_fail(err, DSCQ_FORMAT, "%s: this is no checkpoint", path);
    if (get_le(data + 8, 4) != VERSION)
        return dscq_fail(err, DSCQ_FORMAT, "%s: checkpoint version %u; this is %d",
                         path, (unsigned)get_le(data + 8, 4), (int)VERSION);
    const uint32_t count = (uint32_t)get_le(data + 12, 4);
    c.p += 16;
    c.left -= 16;
    if (count > ENTRIES_MAX)
        return cut_short(&c, err);
    for (uint32_t i = 0; i < count; i++) {
        const dscq_status status = read_entry(out, &c, err);
        if (status != DSCQ_OK)
            return status;
    }
    if (c.left != 8 || memcmp(c.p, "DONE", 4) != 0 ||
        (uint32_t)get_le(c.p + 4, 4) != dscq_crc32(0, data, bytes - 4))
        return cut_short(&c, err);
    return DSCQ_OK;
}

static int is_array_of_layer(const char *name, size_t *layer_chars)
{
    const char *dot = strrchr(name, '.');

    *layer_chars = dot != NULL ? (size_t)(dot - name) : 0;
    for (int i = 0; dot != NULL && i < NN_ARRAYS; i++)
        if (strcmp(dot + 1, nn__array_name[i]) == 0)
            return 1;
    return 0;
}

static dscq_status check_floats(const dscq_checkpoint *c, const char *path,
                                dscq_error *err)
{
    char what[NAME_MAX_BYTES + 32];
    dscq_status status = DSCQ_OK;
    size_t chars;

    for (size_t i = 0; i < c->count && status == DSCQ_OK; i++) {
        const entry *e = &c->item[i];
        if (e->kind != DSCQ_ENTRY_F32)
            continue;
        if (is_array_of_layer(e->name, &chars))
            (void)snprintf(what, sizeof what, "layer '%.*s': %s", (int)chars, e->name,
                           e->name + chars + 1);
        else
            (void)snprintf(what, sizeof what, "entry '%s': value", e->name);
        status = nn__check_values(what, e->data, e->count,
                                  strcmp(e->name + chars, ".var") == 0, err);
    }
    return status == DSCQ_OK ? status : dscq_fail_at(err, "%s", path);
}

dscq_status dscq_checkpoint_read(dscq_checkpoint **out, const char *path,
                                 dscq_error *err)
{
    dscq_checkpoint *c = NULL;
    uint8_t *data = NULL;
    size_t bytes;
    dscq_status status;

    *out = NULL;
    DSCQ_TRY(dscq_file_read(&data, &bytes, path, k_file_max, err));
    DSCQ_TRY(dscq_checkpoint_create(&c, err));
    DSCQ_TRY(parse(c, data, bytes, path, err));
    DSCQ_TRY(check_floats(c, path, err));
    *out = c;
    c = NULL;
done:
    dscq_checkpoint_destroy(c);
    dscq_free(data);
    return status;
}
