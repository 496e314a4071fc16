#include "flat.h"

#include <string.h>

static uint64_t number(const uint8_t *p, size_t bytes)
{
    uint64_t v = 0;

    for (size_t i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

/* The offset at `at` leads forward, to at least `room` bytes. */
static int follow(size_t *to, const tfl_bytes *f, size_t at, size_t room)
{
    if (at > f->count || f->count - at < 4)
        return 0;
    const uint64_t where = at + number(f->at + at, 4);
    if (where > f->count || f->count - where < room)
        return 0;
    *to = (size_t)where;
    return 1;
}

static int open_table(tfl_table *out, const tfl_bytes *f, size_t at)
{
    const int64_t back = (int32_t)number(f->at + at, 4);
    const int64_t vtable = (int64_t)at - back;

    if (vtable < 0 || (uint64_t)vtable > f->count || f->count - (size_t)vtable < 4)
        return 0;
    const size_t v = (size_t)vtable;
    const size_t vtable_bytes = (size_t)number(f->at + v, 2),
                 size = (size_t)number(f->at + v + 2, 2);
    if (vtable_bytes < 4 || vtable_bytes % 2 != 0 || vtable_bytes > f->count - v ||
        size < 4 || size > f->count - at)
        return 0;
    *out = (tfl_table){f, at, size, v + 4, (int32_t)(vtable_bytes - 4) / 2};
    return 1;
}

int tflite__root(tfl_table *out, const tfl_bytes *file)
{
    size_t at;

    return follow(&at, file, 0, 4) && open_table(out, file, at);
}

/* Where a field of that many bytes stands; 0: it does not. */
static size_t field_at(const tfl_table *t, int32_t field, size_t bytes)
{
    if (t->file == NULL || field >= t->fields)
        return 0;
    const size_t offset =
        (size_t)number(t->file->at + t->vtable + 2 * (size_t)field, 2);
    return offset >= 4 && offset <= t->size && t->size - offset >= bytes
               ? t->at + offset
               : 0;
}

int tflite__table(tfl_table *out, const tfl_table *t, int32_t field)
{
    const size_t here = field_at(t, field, 4);
    size_t at;

    *out = (tfl_table){NULL, 0, 0, 0, 0};
    return here == 0 || (follow(&at, t->file, here, 4) && open_table(out, t->file, at));
}

int tflite__vector(tfl_vec *out, const tfl_table *t, int32_t field, size_t each)
{
    const size_t here = field_at(t, field, 4);
    size_t at;

    *out = (tfl_vec){NULL, 0};
    if (here == 0)
        return 1;
    if (!follow(&at, t->file, here, 4))
        return 0;
    const uint64_t count = number(t->file->at + at, 4);
    if (count * each > t->file->count - at - 4)
        return 0;
    *out = (tfl_vec){t->file->at + at + 4, (uint32_t)count};
    return 1;
}

int tflite__tables(tfl_tables *out, const tfl_table *t, int32_t field)
{
    tfl_vec v;

    *out = (tfl_tables){t->file, 0, 0};
    if (!tflite__vector(&v, t, field, 4))
        return 0;
    if (v.at != NULL)
        *out = (tfl_tables){t->file, (size_t)(v.at - t->file->at), v.count};
    return 1;
}

int tflite__table_at(tfl_table *out, const tfl_tables *v, uint32_t i)
{
    size_t at;

    return follow(&at, v->file, v->at + 4 * (size_t)i, 4) &&
           open_table(out, v->file, at);
}

int64_t tflite__int(const tfl_table *t, int32_t field, size_t bytes, int64_t otherwise)
{
    const size_t at = field_at(t, field, bytes);

    if (at == 0)
        return otherwise;
    const uint64_t v = number(t->file->at + at, bytes);
    return bytes == 1 ? (int8_t)v : bytes == 4 ? (int32_t)v : (int64_t)v;
}

static float real_of(const uint8_t *p)
{
    const uint32_t bits = (uint32_t)number(p, 4);
    float v;

    memcpy(&v, &bits, sizeof v);
    return v;
}

double tflite__real(const tfl_table *t, int32_t field, double otherwise)
{
    const size_t at = field_at(t, field, 4);

    return at != 0 ? (double)real_of(t->file->at + at) : otherwise;
}

int32_t tflite__i32(tfl_vec v, uint32_t i)
{
    return (int32_t)number(v.at + 4 * (size_t)i, 4);
}

int64_t tflite__i64(tfl_vec v, uint32_t i)
{
    return (int64_t)number(v.at + 8 * (size_t)i, 8);
}

float tflite__f32(tfl_vec v, uint32_t i)
{
    return real_of(v.at + 4 * (size_t)i);
}
