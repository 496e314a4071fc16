/* ONNX files without a generated serialiser: see the header. */
#include "dscq/onnx/build.h"

#include "dscq/base/io.h"

#include <string.h>

enum { MODEL_IR = 7, OPSET = 13 };
enum { ATTR_FLOAT = 1, ATTR_INT = 2, ATTR_STRING = 3, ATTR_INTS = 7 };

typedef dscq_str bytes; /* a growable byte string */

static void put_varint(bytes *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7) {
        const char c = (char)(uint8_t)(v | 0x80);
        dscq_str_add_bytes(b, &c, 1);
    }
    const char c = (char)(uint8_t)v;
    dscq_str_add_bytes(b, &c, 1);
}

static void put_int(bytes *b, unsigned field, int64_t v)
{
    put_varint(b, (uint64_t)field << 3);
    put_varint(b, (uint64_t)v);
}

static void put_bytes(bytes *b, unsigned field, const void *data, size_t n)
{
    put_varint(b, (uint64_t)field << 3 | 2);
    put_varint(b, n);
    if (n > 0)
        dscq_str_add_bytes(b, data, n);
}

static void put_text(bytes *b, unsigned field, const char *text)
{
    put_bytes(b, field, text, strlen(text));
}

/* The low bytes of v, least first. */
static void put_low(bytes *b, uint64_t v, size_t n)
{
    char c[8];

    for (size_t i = 0; i < n; i++)
        c[i] = (char)(uint8_t)(v >> (8 * i));
    dscq_str_add_bytes(b, c, n);
}

static uint32_t bits_of(float f)
{
    uint32_t u;

    memcpy(&u, &f, sizeof u);
    return u;
}

/* The message `part` as a field; frees it. */
static void put_part(bytes *b, unsigned field, bytes *part)
{
    b->bad |= part->bad;
    put_bytes(b, field, part->text, part->len);
    dscq_str_free(part);
}

/* ---- nodes -------------------------------------------------------------- */

void dscq_onnx_node_input(dscq_str *node, const char *value)
{
    put_text(node, 1, value);
}

void dscq_onnx_node_output(dscq_str *node, const char *value)
{
    put_text(node, 2, value);
}

void dscq_onnx_node_int(dscq_str *node, const char *name, int64_t v)
{
    bytes a = {0};

    put_text(&a, 1, name);
    put_int(&a, 3, v);
    put_int(&a, 20, ATTR_INT);
    put_part(node, 5, &a);
}

void dscq_onnx_node_ints(dscq_str *node, const char *name, const int32_t *v, int n)
{
    bytes a = {0};

    put_text(&a, 1, name);
    for (int i = 0; i < n; i++)
        put_int(&a, 8, v[i]);
    put_int(&a, 20, ATTR_INTS);
    put_part(node, 5, &a);
}

void dscq_onnx_node_real(dscq_str *node, const char *name, double v)
{
    bytes a = {0};

    put_text(&a, 1, name);
    put_varint(&a, 2 << 3 | 5);
    put_low(&a, bits_of((float)v), 4);
    put_int(&a, 20, ATTR_FLOAT);
    put_part(node, 5, &a);
}

void dscq_onnx_node_text(dscq_str *node, const char *name, const char *v)
{
    bytes a = {0};

    put_text(&a, 1, name);
    put_text(&a, 4, v);
    put_int(&a, 20, ATTR_STRING);
    put_part(node, 5, &a);
}

void dscq_onnx_node_end(dscq_onnx_graph *g, dscq_str *node, const char *op,
                        const char *output)
{
    put_text(node, 2, output);
    put_text(node, 3, output);
    put_text(node, 4, op);
    put_part(&g->text, 1, node);
}

/* ---- initialisers, ports ------------------------------------------------ */

static size_t begin_tensor(bytes *t, const char *name, int type, int rank,
                           const int64_t *dim)
{
    size_t n = 1;

    for (int i = 0; i < rank; i++) {
        put_int(t, 1, dim[i]);
        n *= (size_t)dim[i];
    }
    put_int(t, 2, type);
    put_text(t, 8, name);
    return n;
}

static void end_tensor(dscq_onnx_graph *g, bytes *t, bytes *raw)
{
    put_part(t, 9, raw);
    put_part(&g->text, 5, t);
}

void dscq_onnx_graph_floats(dscq_onnx_graph *g, const char *name, const float *v,
                            int rank, const int64_t *dim)
{
    bytes t = {0}, raw = {0};
    const size_t n = begin_tensor(&t, name, DSCQ_ONNX_FLOAT, rank, dim);

    for (size_t i = 0; i < n; i++)
        put_low(&raw, bits_of(v[i]), 4);
    end_tensor(g, &t, &raw);
}

void dscq_onnx_graph_ints(dscq_onnx_graph *g, const char *name, dscq_onnx_type type,
                          const int64_t *v, int rank, const int64_t *dim)
{
    const size_t size = type == DSCQ_ONNX_INT64 ? 8 : type == DSCQ_ONNX_INT32 ? 4 : 1;
    bytes t = {0}, raw = {0};
    const size_t n = begin_tensor(&t, name, (int)type, rank, dim);

    for (size_t i = 0; i < n; i++)
        put_low(&raw, (uint64_t)v[i], size);
    end_tensor(g, &t, &raw);
}

static void port(dscq_onnx_graph *g, unsigned field, const char *name, dscq_shape s)
{
    const int32_t dim[] = {1, s.c, s.h, s.w};
    bytes v = {0}, type = {0}, tensor = {0}, shape = {0};

    for (int i = 0; i < 4; i++) {
        bytes d = {0};
        put_int(&d, 1, dim[i]);
        put_part(&shape, 1, &d);
    }
    put_int(&tensor, 1, DSCQ_ONNX_FLOAT);
    put_part(&tensor, 2, &shape);
    put_part(&type, 1, &tensor);
    put_text(&v, 1, name);
    put_part(&v, 2, &type);
    put_part(&g->text, field, &v);
}

void dscq_onnx_graph_input(dscq_onnx_graph *g, const char *name, dscq_shape s)
{
    port(g, 11, name, s);
}

void dscq_onnx_graph_output(dscq_onnx_graph *g, const char *name, dscq_shape s)
{
    port(g, 12, name, s);
}

dscq_status dscq_onnx_graph_write(dscq_onnx_graph *g, const char *name,
                                  const char *path, dscq_error *err)
{
    bytes file = {0}, opset = {0};
    dscq_status status;

    put_text(&g->text, 2, name[0] != '\0' ? name : "network");
    put_int(&file, 1, MODEL_IR);
    put_text(&file, 2, "dscq");
    put_text(&file, 3, dscq_version());
    put_part(&file, 7, &g->text);
    put_text(&opset, 1, "");
    put_int(&opset, 2, OPSET);
    put_part(&file, 8, &opset);
    if (file.bad)
        status = dscq_fail_nomem(err, "an ONNX file", file.len);
    else
        status = dscq_file_write(path, file.text, file.len, err);
    dscq_str_free(&file);
    return status;
}

void dscq_onnx_graph_free(dscq_onnx_graph *g)
{
    dscq_str_free(&g->text);
}
