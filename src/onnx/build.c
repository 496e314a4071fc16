/* ONNX files put together as messages of the generated packer: see the header. */
#include "dscq/onnx/build.h"

#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "proto.h"

#include <string.h>

#if DSCQ_WITH_ONNX

enum { MODEL_IR = 7, OPSET = 13 };

typedef Onnx__AttributeProto attribute;

/* ---- messages ----------------------------------------------------------- */

/* Empty; NULL: no memory. */
static void *message_new(const ProtobufCMessageDescriptor *d)
{
    void *m = dscq_malloc(d->sizeof_message, 1);

    if (m != NULL)
        protobuf_c_message_init(d, m);
    return m;
}

/* With all that hangs on it; NULL is fine. */
static void message_free(void *m)
{
    onnx_proto_memory unused = {0, 0};
    ProtobufCAllocator allocator = onnx__proto_allocator(&unused);

    if (m != NULL)
        protobuf_c_message_free_unpacked(m, &allocator);
}

/* A list of n pointers with room for one more: it doubles. NULL: no memory, and the
 * list is as it was. */
static void *room_for(void *list, size_t n)
{
    if ((n & (n - 1)) != 0)
        return list;
    return dscq_realloc(list, n * sizeof(void *), (n > 0 ? 2 * n : 1) * sizeof(void *));
}

/* Behind the list, which then owns the message; 0: no memory, and the message is gone.
 */
#define APPEND(ok, list, n, item)                                                      \
    do {                                                                               \
        void *room = (item) != NULL ? room_for((list), (n)) : NULL;                    \
        (ok) = room != NULL;                                                           \
        if (ok) {                                                                      \
            (list) = room;                                                             \
            (list)[(n)++] = (item);                                                    \
        }                                                                              \
    } while (0)

static int add_text(char ***list, size_t *n, const char *text)
{
    char *copy = dscq_strdup(text);
    int ok;

    APPEND(ok, *list, *n, copy);
    if (!ok)
        dscq_free(copy);
    return ok;
}

/* ---- nodes -------------------------------------------------------------- */

static Onnx__NodeProto *node_of(dscq_onnx_node *node)
{
    if (node->message == NULL)
        node->message = message_new(&onnx__node_proto__descriptor);
    node->bad |= node->message == NULL;
    return node->message;
}

void dscq_onnx_node_input(dscq_onnx_node *node, const char *value)
{
    Onnx__NodeProto *p = node_of(node);

    node->bad |= p == NULL || !add_text(&p->input, &p->n_input, value);
}

void dscq_onnx_node_output(dscq_onnx_node *node, const char *value)
{
    Onnx__NodeProto *p = node_of(node);

    node->bad |= p == NULL || !add_text(&p->output, &p->n_output, value);
}

/* NULL: no memory. */
static attribute *add_attribute(dscq_onnx_node *node, const char *name,
                                Onnx__AttributeProto__AttributeType type)
{
    Onnx__NodeProto *p = node_of(node);
    attribute *a = message_new(&onnx__attribute_proto__descriptor);
    int ok = a != NULL && p != NULL;

    if (ok) {
        a->has_type = 1;
        a->type = type;
        a->name = dscq_strdup(name);
        ok = a->name != NULL;
    }
    if (ok)
        APPEND(ok, p->attribute, p->n_attribute, a);
    if (!ok) {
        message_free(a);
        node->bad = 1;
        return NULL;
    }
    return a;
}

void dscq_onnx_node_int(dscq_onnx_node *node, const char *name, int64_t v)
{
    attribute *a =
        add_attribute(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);

    if (a == NULL)
        return;
    a->has_i = 1;
    a->i = v;
}

void dscq_onnx_node_ints(dscq_onnx_node *node, const char *name, const int32_t *v,
                         int n)
{
    attribute *a =
        add_attribute(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);

    if (a == NULL)
        return;
    a->ints = dscq_malloc((size_t)n, sizeof *a->ints);
    node->bad |= a->ints == NULL;
    for (int i = 0; a->ints != NULL && i < n; i++)
        a->ints[a->n_ints++] = v[i];
}

void dscq_onnx_node_real(dscq_onnx_node *node, const char *name, double v)
{
    attribute *a =
        add_attribute(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);

    if (a == NULL)
        return;
    a->has_f = 1;
    a->f = (float)v;
}

void dscq_onnx_node_text(dscq_onnx_node *node, const char *name, const char *v)
{
    attribute *a =
        add_attribute(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);

    if (a == NULL)
        return;
    a->s.data = (uint8_t *)dscq_strdup(v);
    a->s.len = strlen(v);
    a->has_s = a->s.data != NULL;
    node->bad |= !a->has_s;
}

void dscq_onnx_node_free(dscq_onnx_node *node)
{
    message_free(node->message);
    *node = (dscq_onnx_node){0};
}

static Onnx__GraphProto *graph_of(dscq_onnx_graph *g)
{
    if (g->message == NULL)
        g->message = message_new(&onnx__graph_proto__descriptor);
    g->bad |= g->message == NULL;
    return g->message;
}

void dscq_onnx_node_end(dscq_onnx_graph *g, dscq_onnx_node *node, const char *op,
                        const char *output)
{
    Onnx__GraphProto *graph = graph_of(g);

    dscq_onnx_node_output(node, output);
    Onnx__NodeProto *p = node->message;
    int ok = !node->bad && graph != NULL;
    if (ok) {
        p->name = dscq_strdup(output);
        p->op_type = dscq_strdup(op);
        ok = p->name != NULL && p->op_type != NULL;
    }
    if (ok)
        APPEND(ok, graph->node, graph->n_node, p);
    if (ok)
        node->message = NULL;
    g->bad |= !ok;
    dscq_onnx_node_free(node);
}

/* ---- initialisers, ports ------------------------------------------------ */

static uint64_t bits_of(float f)
{
    uint32_t u;

    memcpy(&u, &f, sizeof u);
    return u;
}

/* A tensor of `count` values of `size` bytes each; its raw data are to be filled. NULL:
 * no memory. */
static uint8_t *add_tensor(dscq_onnx_graph *g, const char *name, int type, size_t size,
                           size_t *count, int rank, const int64_t *dim)
{
    Onnx__GraphProto *graph = graph_of(g);
    Onnx__TensorProto *t = message_new(&onnx__tensor_proto__descriptor);
    int ok = t != NULL && graph != NULL;

    *count = 1;
    for (int i = 0; i < rank; i++)
        *count *= (size_t)dim[i];
    if (ok) {
        t->has_data_type = t->has_raw_data = 1;
        t->data_type = type;
        t->name = dscq_strdup(name);
        t->dims = dscq_malloc((size_t)rank + 1, sizeof *t->dims);
        t->raw_data.data = dscq_malloc(*count, size);
        ok = t->name != NULL && t->dims != NULL && t->raw_data.data != NULL;
    }
    if (ok) {
        t->raw_data.len = *count * size;
        for (int i = 0; i < rank; i++)
            t->dims[t->n_dims++] = dim[i];
        APPEND(ok, graph->initializer, graph->n_initializer, t);
    }
    if (ok)
        return t->raw_data.data;
    message_free(t);
    g->bad = 1;
    return NULL;
}

/* The low bytes of v, least first. */
static void put_low(uint8_t *to, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (uint8_t)(v >> (8 * i));
}

void dscq_onnx_graph_floats(dscq_onnx_graph *g, const char *name, const float *v,
                            int rank, const int64_t *dim)
{
    size_t n;
    uint8_t *raw = add_tensor(g, name, DSCQ_ONNX_FLOAT, 4, &n, rank, dim);

    for (size_t i = 0; raw != NULL && i < n; i++)
        put_low(raw + 4 * i, bits_of(v[i]), 4);
}

void dscq_onnx_graph_ints(dscq_onnx_graph *g, const char *name, dscq_onnx_type type,
                          const int64_t *v, int rank, const int64_t *dim)
{
    const size_t size = onnx__element_bytes((int32_t)type);
    size_t n;
    uint8_t *raw = add_tensor(g, name, (int)type, size, &n, rank, dim);

    for (size_t i = 0; raw != NULL && i < n; i++)
        put_low(raw + size * i, (uint64_t)v[i], size);
}

static int add_size(Onnx__TensorShapeProto *shape, int32_t size)
{
    Onnx__TensorShapeProto__Dimension *d =
        message_new(&onnx__tensor_shape_proto__dimension__descriptor);
    int ok;

    if (d != NULL) {
        d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        d->dim_value = size;
    }
    APPEND(ok, shape->dim, shape->n_dim, d);
    if (!ok)
        message_free(d);
    return ok;
}

static int set_type(Onnx__ValueInfoProto *v, dscq_shape s)
{
    const int32_t size[] = {1, s.c, s.h, s.w};

    v->type = message_new(&onnx__type_proto__descriptor);
    if (v->type == NULL)
        return 0;
    v->type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    v->type->tensor_type = message_new(&onnx__type_proto__tensor__descriptor);
    if (v->type->tensor_type == NULL)
        return 0;
    Onnx__TypeProto__Tensor *t = v->type->tensor_type;
    t->has_elem_type = 1;
    t->elem_type = DSCQ_ONNX_FLOAT;
    t->shape = message_new(&onnx__tensor_shape_proto__descriptor);
    int ok = t->shape != NULL;
    for (int i = 0; ok && i < 4; i++)
        ok = add_size(t->shape, size[i]);
    return ok;
}

/* NULL: no memory. */
static Onnx__ValueInfoProto *port(const char *name, dscq_shape s)
{
    Onnx__ValueInfoProto *v = message_new(&onnx__value_info_proto__descriptor);

    if (v == NULL)
        return NULL;
    v->name = dscq_strdup(name);
    if (v->name != NULL && set_type(v, s))
        return v;
    message_free(v);
    return NULL;
}

void dscq_onnx_graph_input(dscq_onnx_graph *g, const char *name, dscq_shape s)
{
    Onnx__GraphProto *graph = graph_of(g);
    Onnx__ValueInfoProto *v = port(name, s);
    int ok = graph != NULL;

    if (ok)
        APPEND(ok, graph->input, graph->n_input, v);
    if (!ok)
        message_free(v);
    g->bad |= !ok;
}

void dscq_onnx_graph_output(dscq_onnx_graph *g, const char *name, dscq_shape s)
{
    Onnx__GraphProto *graph = graph_of(g);
    Onnx__ValueInfoProto *v = port(name, s);
    int ok = graph != NULL;

    if (ok)
        APPEND(ok, graph->output, graph->n_output, v);
    if (!ok)
        message_free(v);
    g->bad |= !ok;
}

/* Straight into one buffer: packing piece by piece copies every nested message. */
static dscq_status write_model(const Onnx__ModelProto *m, const char *path,
                               dscq_error *err)
{
    const size_t bytes = onnx__model_proto__get_packed_size(m);

    if (bytes > INT32_MAX)
        return dscq_fail(err, DSCQ_UNSUPPORTED,
                         "%s: %zu bytes, more than the 2 GiB of an ONNX file", path,
                         bytes);
    uint8_t *data = dscq_malloc(bytes, 1);
    if (data == NULL)
        return dscq_fail_nomem(err, "an ONNX file", bytes);
    (void)onnx__model_proto__pack(m, data);
    const dscq_status status = dscq_file_write(path, data, bytes, err);
    dscq_free(data);
    return status;
}

dscq_status dscq_onnx_graph_write(dscq_onnx_graph *g, const char *name,
                                  const char *path, dscq_error *err)
{
    char producer[] = "dscq", domain[] = "", version[64];
    Onnx__ModelProto m = ONNX__MODEL_PROTO__INIT;
    Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT;
    Onnx__OperatorSetIdProto *opsets[] = {&opset};
    Onnx__GraphProto *graph = graph_of(g);
    dscq_status status;

    if (graph != NULL && graph->name == NULL)
        graph->name = dscq_strdup(name[0] != '\0' ? name : "network");
    if (g->bad || graph->name == NULL) {
        status = dscq_fail_nomem(err, "an ONNX file", 0);
    } else {
        (void)dscq_str_copy(version, sizeof version, dscq_version());
        opset.domain = domain;
        opset.has_version = m.has_ir_version = 1;
        opset.version = OPSET;
        m.ir_version = MODEL_IR;
        m.producer_name = producer;
        m.producer_version = version;
        m.graph = graph;
        m.opset_import = opsets;
        m.n_opset_import = 1;
        status = write_model(&m, path, err);
    }
    dscq_onnx_graph_free(g);
    return status;
}

void dscq_onnx_graph_free(dscq_onnx_graph *g)
{
    message_free(g->message);
    *g = (dscq_onnx_graph){0};
}

#else /* built without the generated packer: a graph holds nothing */

#pragma GCC diagnostic ignored "-Wunused-parameter"

void dscq_onnx_node_input(dscq_onnx_node *node, const char *value)
{
}
void dscq_onnx_node_output(dscq_onnx_node *node, const char *value)
{
}
void dscq_onnx_node_int(dscq_onnx_node *node, const char *name, int64_t v)
{
}
void dscq_onnx_node_ints(dscq_onnx_node *node, const char *name, const int32_t *v,
                         int n)
{
}
void dscq_onnx_node_real(dscq_onnx_node *node, const char *name, double v)
{
}
void dscq_onnx_node_text(dscq_onnx_node *node, const char *name, const char *v)
{
}
void dscq_onnx_node_end(dscq_onnx_graph *g, dscq_onnx_node *node, const char *op,
                        const char *output)
{
}
void dscq_onnx_node_free(dscq_onnx_node *node)
{
}
void dscq_onnx_graph_floats(dscq_onnx_graph *g, const char *name, const float *v,
                            int rank, const int64_t *dim)
{
}
void dscq_onnx_graph_ints(dscq_onnx_graph *g, const char *name, dscq_onnx_type type,
                          const int64_t *v, int rank, const int64_t *dim)
{
}
void dscq_onnx_graph_input(dscq_onnx_graph *g, const char *name, dscq_shape s)
{
}
void dscq_onnx_graph_output(dscq_onnx_graph *g, const char *name, dscq_shape s)
{
}
void dscq_onnx_graph_free(dscq_onnx_graph *g)
{
}

dscq_status dscq_onnx_graph_write(dscq_onnx_graph *g, const char *name,
                                  const char *path, dscq_error *err)
{
    return dscq_fail(err, DSCQ_UNSUPPORTED, NO_ONNX("write"), path);
}
#endif
