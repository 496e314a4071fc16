/* Tensors of the generated parser become ours: every type of value as double. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "proto.h"

#include <math.h>
#include <string.h>

#if DSCQ_WITH_ONNX
static void *proto_alloc(void *ctx, size_t size)
{
    onnx_proto_memory *m = ctx;

    if (size > m->left)
        return NULL;
    m->left -= size;
    void *p = dscq_malloc(size, 1);
    m->no_memory |= p == NULL;
    return p;
}

static void proto_free(void *ctx, void *p)
{
    (void)ctx;
    dscq_free(p);
}

ProtobufCAllocator onnx__proto_allocator(onnx_proto_memory *m)
{
    return (ProtobufCAllocator){proto_alloc, proto_free, m};
}

static double half(uint32_t bits)
{
    const int e = (int)(bits >> 10 & 31);
    const double m = bits & 1023, s = bits & 0x8000 ? -1 : 1;

    if (e == 31)
        return m != 0 ? (double)NAN : s * (double)INFINITY;
    return e == 0 ? s * ldexp(m, -24) : s * ldexp(m + 1024, e - 25);
}

size_t onnx__element_bytes(int32_t type)
{
    switch (type) {
    case DSCQ_ONNX_UINT8:
    case DSCQ_ONNX_INT8:
    case DSCQ_ONNX_BOOL:
        return 1;
    case DSCQ_ONNX_UINT16:
    case DSCQ_ONNX_INT16:
    case DSCQ_ONNX_FLOAT16:
        return 2;
    case DSCQ_ONNX_FLOAT:
    case DSCQ_ONNX_INT32:
    case DSCQ_ONNX_UINT32:
        return 4;
    case DSCQ_ONNX_INT64:
    case DSCQ_ONNX_UINT64:
    case DSCQ_ONNX_DOUBLE:
        return 8;
    default:
        return 0;
    }
}

static double from_bits(int32_t type, uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float f;
    double d;

    switch (type) {
    case DSCQ_ONNX_FLOAT:
        memcpy(&f, &low, sizeof f);
        return (double)f;
    case DSCQ_ONNX_DOUBLE:
        memcpy(&d, &bits, sizeof d);
        return d;
    case DSCQ_ONNX_FLOAT16:
        return half(low & 0xffff);
    case DSCQ_ONNX_INT8:
        return (double)(int8_t)(uint8_t)low;
    case DSCQ_ONNX_INT16:
        return (double)(int16_t)(uint16_t)low;
    case DSCQ_ONNX_INT32:
        return (double)(int32_t)low;
    case DSCQ_ONNX_INT64:
        return (double)(int64_t)bits;
    case DSCQ_ONNX_BOOL:
        return bits != 0;
    default:
        return (double)bits;
    }
}

static int read_raw(onnx_tensor *t, const Onnx__TensorProto *p)
{
    const size_t size = onnx__element_bytes(t->type);

    if (p->raw_data.len != t->count * size)
        return 0;
    for (size_t i = 0; i < t->count; i++) {
        uint64_t bits = 0;
        for (size_t b = 0; b < size; b++)
            bits |= (uint64_t)p->raw_data.data[i * size + b] << (8 * b);
        t->v[i] = from_bits(t->type, bits);
    }
    return 1;
}

static int read_typed(onnx_tensor *t, const Onnx__TensorProto *p)
{
    const int32_t type = t->type;
    const size_t have = type == DSCQ_ONNX_FLOAT    ? p->n_float_data
                        : type == DSCQ_ONNX_DOUBLE ? p->n_double_data
                        : type == DSCQ_ONNX_INT64  ? p->n_int64_data
                        : type == DSCQ_ONNX_UINT64 || type == DSCQ_ONNX_UINT32
                            ? p->n_uint64_data
                            : p->n_int32_data;

    if (have != t->count)
        return 0;
    for (size_t i = 0; i < have; i++)
        t->v[i] = type == DSCQ_ONNX_FLOAT    ? (double)p->float_data[i]
                  : type == DSCQ_ONNX_DOUBLE ? p->double_data[i]
                  : type == DSCQ_ONNX_INT64  ? (double)p->int64_data[i]
                  : type == DSCQ_ONNX_UINT64 || type == DSCQ_ONNX_UINT32
                      ? (double)p->uint64_data[i]
                      : from_bits(type, (uint64_t)(uint32_t)p->int32_data[i]);
    return 1;
}

dscq_status onnx__read_tensor(onnx_tensor **out, onnx_pool *pool,
                              const Onnx__TensorProto *p, const char *place,
                              dscq_error *err)
{
    const char *name = p->name != NULL ? p->name : "";
    const int32_t type = p->data_type;

    *out = NULL;
    if (onnx__element_bytes(type) == 0)
        return dscq_fail(err, DSCQ_UNSUPPORTED,
                         "%s: tensor '%.80s': data type %d is not supported", place,
                         name, (int)type);
    if (p->n_external_data > 0 || (p->has_data_location && p->data_location != 0))
        return dscq_fail(err, DSCQ_UNSUPPORTED,
                         "%s: tensor '%.80s' is in an external data file; save the "
                         "model with its weights inside",
                         place, name);
    if (p->n_dims > DSCQ_ONNX_RANK)
        return dscq_fail(err, DSCQ_UNSUPPORTED, "%s: tensor '%.80s': rank %zu", place,
                         name, p->n_dims);
    onnx_tensor *t = onnx__new(pool, type, (int32_t)p->n_dims, p->dims);
    if (t == NULL)
        return dscq_fail(err, DSCQ_FORMAT, "%s: tensor '%.80s': size out of range",
                         place, name);
    if (!(p->has_raw_data ? read_raw(t, p) : read_typed(t, p)))
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s: tensor '%.80s': its data do not have %zu values", place,
                         name, t->count);
    *out = t;
    return DSCQ_OK;
}

dscq_status dscq_onnx_tensor_load(dscq_onnx_tensor **out, const char *path,
                                  dscq_error *err)
{
    onnx_proto_memory memory = {PROTO_FILE_MAX, 0};
    ProtobufCAllocator allocator = onnx__proto_allocator(&memory);
    onnx_pool pool = {.limit = PROTO_FILE_MAX};
    uint8_t *data = NULL;
    size_t bytes = 0;
    Onnx__TensorProto *p = NULL;
    onnx_tensor *t = NULL;
    dscq_status status;

    *out = NULL;
    DSCQ_TRY(dscq_file_read(&data, &bytes, path, PROTO_FILE_MAX, err));
    p = onnx__tensor_proto__unpack(&allocator, bytes, data);
    if (memory.no_memory)
        DSCQ_TRY(dscq_fail_nomem(err, path, bytes));
    if (p == NULL)
        DSCQ_TRY(dscq_fail(err, DSCQ_FORMAT, "%s: not a tensor", path));
    status = onnx__read_tensor(&t, &pool, p, path, err);
    DSCQ_TRY(onnx__pool_status(&pool, status, path, err));
    *out = dscq_calloc(1, sizeof **out);
    double *v = dscq_malloc(t->count, sizeof *v);
    if (*out == NULL || v == NULL) {
        dscq_free(*out);
        dscq_free(v);
        *out = NULL;
        DSCQ_TRY(dscq_fail_nomem(err, "a tensor", t->count * sizeof *v));
    }
    **out = *t;
    memcpy(v, t->v, t->count * sizeof *v);
    (*out)->v = v;
done:
    if (p != NULL)
        onnx__tensor_proto__free_unpacked(p, &allocator);
    onnx__release(&pool);
    dscq_free(data);
    return status;
}

#else

dscq_status dscq_onnx_tensor_load(dscq_onnx_tensor **out, const char *path,
                                  dscq_error *err)
{
    *out = NULL;
    return dscq_fail(err, DSCQ_UNSUPPORTED, NO_ONNX("read"), path);
}
#endif
