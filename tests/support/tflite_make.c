#include "tflite_make.h"

#include "dscq/base/bytes.h"
#include "support.h"

#include <string.h>

/* ---- putting together --------------------------------------------------- */

int32_t make_add(make_file *f, const char *name, make_type type, const int32_t *dim,
                 int rank)
{
    make_tensor *t = &f->tensor[f->tensors];

    ck_assert_int_lt(f->tensors, MAKE_TENSORS);
    ck_assert_int_le(rank, MAKE_RANK);
    *t = (make_tensor){.type = type, .rank = rank};
    ck_assert_uint_lt(strlen(name), sizeof t->name);
    memcpy(t->name, name, strlen(name) + 1);
    memcpy(t->dim, dim, (size_t)rank * sizeof *dim);
    return f->tensors++;
}

int32_t make_const(make_file *f, const char *name, make_type type, const int32_t *dim,
                   int rank, const void *data, size_t bytes)
{
    const int32_t t = make_add(f, name, type, dim, rank);

    f->tensor[t].data = data;
    f->tensor[t].bytes = bytes;
    return t;
}

void make_grid(make_file *f, int32_t tensor, const float *scale, const int64_t *zero,
               int scales, int axis)
{
    make_tensor *t = &f->tensor[tensor];

    t->scale = scale;
    t->zero = zero;
    t->scales = scales;
    t->axis = axis;
}

make_op *make_call(make_file *f, int code, const int32_t *in, const int32_t *out)
{
    make_op *o = &f->op[f->ops++];

    ck_assert_int_le(f->ops, MAKE_OPS);
    *o = (make_op){.code = code, .version = 1};
    for (; in[o->inputs] != -2; o->inputs++)
        o->in[o->inputs] = in[o->inputs];
    for (; out[o->outputs] != -2; o->outputs++)
        o->out[o->outputs] = out[o->outputs];
    return o;
}

void make_set(make_op *o, int field, int bytes, double value)
{
    ck_assert_int_lt(o->options, MAKE_OPTIONS);
    o->option[o->options++] = (make_option){field, bytes, 0, value};
}

void make_real(make_op *o, int field, double value)
{
    make_set(o, field, 4, value);
    o->option[o->options - 1].is_real = 1;
}

/* ---- the wire format ---------------------------------------------------- */

/* A table is written behind its vtable, with room for the offsets of what it holds;
 * that comes after it, and the offset is filled in then. */
typedef struct table {
    size_t at, field[16];
} table;

static void align(dscq_buf *b, size_t to)
{
    while (b->len % to != 0)
        dscq_put_u(b, 0, 1);
}

static void patch(dscq_buf *b, size_t at, size_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        b->data[at + i] = (uint8_t)(value >> (8 * i));
}

/* `size[i]` bytes for field i, 0: absent. */
static table open_table(dscq_buf *b, const uint8_t *size, int fields)
{
    table t = {0, {0}};
    size_t offset = 4;

    align(b, 8);
    const size_t vtable = b->len;
    for (int i = 0; i < fields + 2; i++)
        dscq_put_u(b, 0, 2);
    align(b, 8);
    t.at = b->len;
    dscq_put_u(b, (uint64_t)(t.at - vtable), 4);
    for (int i = 0; i < fields; i++) {
        if (size[i] == 0)
            continue;
        while (offset % size[i] != 0) {
            dscq_put_u(b, 0, 1);
            offset++;
        }
        t.field[i] = b->len;
        patch(b, vtable + 4 + 2 * (size_t)i, offset, 2);
        dscq_put_u(b, 0, size[i]);
        offset += size[i];
    }
    patch(b, vtable, 4 + 2 * (size_t)fields, 2);
    patch(b, vtable + 2, offset, 2);
    return t;
}

/* What stands at the end from now on is what the field refers to. */
static void refer(dscq_buf *b, size_t field)
{
    patch(b, field, b->len - field, 4);
}

static void put_vector(dscq_buf *b, size_t field, const void *data, size_t count,
                       size_t each)
{
    while ((b->len + 4) % 8 != 0)
        dscq_put_u(b, 0, 1);
    refer(b, field);
    dscq_put_u(b, count, 4);
    dscq_put(b, data, count * each);
    dscq_put_u(b, 0, 1); /* strings end so */
}

/* A vector of `count` tables to come; where its first offset stands. */
static size_t put_tables(dscq_buf *b, size_t field, size_t count)
{
    align(b, 4);
    refer(b, field);
    dscq_put_u(b, count, 4);
    const size_t at = b->len;
    for (size_t i = 0; i < count; i++)
        dscq_put_u(b, 0, 4);
    return at;
}

static void set_reference(dscq_buf *b, size_t at, const table *t)
{
    patch(b, at, t->at - at, 4);
}

static void put_grid(dscq_buf *b, size_t at, const make_tensor *t)
{
    static const uint8_t k_size[] = {0, 0, 4, 4, 0, 0, 4};
    const table q = open_table(b, k_size, 7);
    int64_t zero[64] = {0};

    ck_assert_int_le(t->scales, 64);
    for (int i = 0; i < t->scales; i++)
        zero[i] = t->zero != NULL ? t->zero[i] : 0;
    set_reference(b, at, &q);
    patch(b, q.field[6], (size_t)t->axis, 4);
    put_vector(b, q.field[2], t->scale, (size_t)t->scales, 4);
    put_vector(b, q.field[3], zero, (size_t)t->scales, 8);
}

static void put_tensor(dscq_buf *b, size_t at, const make_tensor *t, size_t buffer)
{
    const uint8_t size[] = {4, 1, 4, 4, t->scales > 0 ? 4 : 0};
    const table to = open_table(b, size, 5);

    set_reference(b, at, &to);
    patch(b, to.field[1], (size_t)t->type, 1);
    patch(b, to.field[2], buffer, 4);
    put_vector(b, to.field[0], t->dim, (size_t)t->rank, 4);
    put_vector(b, to.field[3], t->name, strlen(t->name), 1);
    if (t->scales > 0)
        put_grid(b, to.field[4], t);
}

static void put_options(dscq_buf *b, size_t at, const make_op *o)
{
    uint8_t size[16] = {0};
    int fields = 0;

    for (int i = 0; i < o->options; i++) {
        size[o->option[i].field] = (uint8_t)o->option[i].bytes;
        fields = o->option[i].field >= fields ? o->option[i].field + 1 : fields;
    }
    const table t = open_table(b, size, fields);
    set_reference(b, at, &t);
    for (int i = 0; i < o->options; i++) {
        const make_option *p = &o->option[i];
        const float real = (float)p->value;
        uint32_t bits = (uint32_t)(int32_t)p->value;
        if (p->is_real)
            memcpy(&bits, &real, sizeof bits);
        patch(b, t.field[p->field], bits, (size_t)p->bytes);
    }
}

static void put_op(dscq_buf *b, size_t at, const make_op *o, size_t index)
{
    static const uint8_t k_size[] = {4, 4, 4, 1, 4};
    const table t = open_table(b, k_size, 5);

    set_reference(b, at, &t);
    patch(b, t.field[0], index, 4);
    patch(b, t.field[3], 1, 1);
    put_vector(b, t.field[1], o->in, (size_t)o->inputs, 4);
    put_vector(b, t.field[2], o->out, (size_t)o->outputs, 4);
    put_options(b, t.field[4], o);
}

/* One operator code for every operator: the format allows doubles. */
static void put_codes(dscq_buf *b, size_t field, const make_file *f)
{
    const size_t at = put_tables(b, field, (size_t)f->ops);

    for (int i = 0; i < f->ops; i++) {
        const make_op *o = &f->op[i];
        const uint8_t size[] = {1, o->custom != NULL ? 4 : 0, 4, 4};
        const table t = open_table(b, size, 4);
        set_reference(b, at + 4 * (size_t)i, &t);
        patch(b, t.field[0], o->code < 127 ? (size_t)o->code : 127, 1);
        patch(b, t.field[2], (size_t)o->version, 4);
        patch(b, t.field[3], (size_t)o->code, 4);
        if (o->custom != NULL)
            put_vector(b, t.field[1], o->custom, strlen(o->custom), 1);
    }
}

/* Buffer 0 is empty; tensor i has buffer i + 1. */
static void put_buffers(dscq_buf *b, size_t field, const make_file *f)
{
    const size_t at = put_tables(b, field, (size_t)f->tensors + 1);

    for (int i = 0; i <= f->tensors; i++) {
        const make_tensor *of = i > 0 ? &f->tensor[i - 1] : NULL;
        const uint8_t size[] = {of != NULL && of->data != NULL ? 4 : 0};
        const table t = open_table(b, size, 1);
        set_reference(b, at + 4 * (size_t)i, &t);
        if (size[0] != 0)
            put_vector(b, t.field[0], of->data, of->bytes, 1);
    }
}

static void put_graph(dscq_buf *b, size_t field, const make_file *f)
{
    static const uint8_t k_size[] = {4, 4, 4, 4};
    const size_t one = put_tables(b, field, 1);
    const table t = open_table(b, k_size, 4);

    set_reference(b, one, &t);
    const size_t tensors = put_tables(b, t.field[0], (size_t)f->tensors);
    for (int i = 0; i < f->tensors; i++)
        put_tensor(b, tensors + 4 * (size_t)i, &f->tensor[i], (size_t)i + 1);
    put_vector(b, t.field[1], f->in, (size_t)f->inputs, 4);
    put_vector(b, t.field[2], f->out, (size_t)f->outputs, 4);
    align(b, 4);
    const size_t ops = put_tables(b, t.field[3], (size_t)f->ops);
    for (int i = 0; i < f->ops; i++)
        put_op(b, ops + 4 * (size_t)i, &f->op[i], (size_t)i);
}

uint8_t *make_bytes(size_t *bytes, const make_file *f)
{
    static const uint8_t k_size[] = {4, 4, 4, 0, 4};
    dscq_buf b = {0};

    dscq_put_u(&b, 0, 4);
    dscq_put(&b, "TFL3", 4);
    const table t = open_table(&b, k_size, 5);
    patch(&b, 0, t.at, 4);
    patch(&b, t.field[0], 3, 4);
    put_codes(&b, t.field[1], f);
    put_graph(&b, t.field[2], f);
    put_buffers(&b, t.field[4], f);
    ck_assert_int_eq(b.bad, 0);
    *bytes = b.len;
    return b.data;
}
