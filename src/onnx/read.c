/* Messages of the generated parser become our graph. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "onnx_internal.h"
#include "proto.h"
#include "scan.h"

#include <stdio.h>
#include <string.h>

#if DSCQ_WITH_ONNX

enum { NODES_MAX = 20000, VALUES_MAX = 100000, NAMES_MAX = 1000000 };

typedef struct reader {
    dscq_onnx *f;
    int32_t *hash; /* value indices by name, -1: free */
    size_t hash_size;
    int32_t value_cap;
    dscq_error *err;
} reader;

static dscq_status no_room(const reader *r)
{
    return dscq_fail(r->err, DSCQ_NOMEM, "out of memory: the graph of %s", r->f->name);
}

static size_t hash_text(const char *s)
{
    uint64_t h = 1469598103934665603ULL;

    for (; *s != '\0'; s++)
        h = (h ^ (uint8_t)*s) * 1099511628211ULL;
    return (size_t)(h ^ (h >> 29));
}

/* Index of the value called `name`, made when it is new; -1: left out, -2: no room. */
static int32_t value_of(reader *r, const char *name)
{
    dscq_onnx *f = r->f;

    if (name == NULL || name[0] == '\0')
        return -1;
    size_t at = hash_text(name) & (r->hash_size - 1);
    for (; r->hash[at] >= 0; at = (at + 1) & (r->hash_size - 1))
        if (strcmp(f->value[r->hash[at]].name, name) == 0)
            return r->hash[at];
    if (f->value_count >= r->value_cap)
        return -2;
    onnx_value *v = &f->value[f->value_count];
    v->name = onnx__copy_text(&f->pool, name, strlen(name));
    v->producer = v->consumer = v->rank = -1;
    if (v->name == NULL)
        return -2;
    r->hash[at] = f->value_count;
    return f->value_count++;
}

static dscq_status read_attr(reader *r, onnx_attr *to, const Onnx__AttributeProto *a)
{
    onnx_pool *pool = &r->f->pool;

    to->name = onnx__copy_text(pool, a->name != NULL ? a->name : "",
                               a->name != NULL ? strlen(a->name) : 0);
    to->type = (int32_t)a->type;
    to->i = a->i;
    to->f = (double)a->f;
    to->s = onnx__copy_text(pool, a->has_s ? (const char *)a->s.data : "",
                            a->has_s ? a->s.len : 0);
    to->ints = a->n_ints;
    to->floats = a->n_floats;
    to->int_v = onnx__take(pool, a->n_ints, sizeof *to->int_v);
    to->float_v = onnx__take(pool, a->n_floats, sizeof *to->float_v);
    if (to->name == NULL || to->s == NULL || to->int_v == NULL || to->float_v == NULL)
        return no_room(r);
    for (size_t i = 0; i < a->n_ints; i++)
        to->int_v[i] = a->ints[i];
    for (size_t i = 0; i < a->n_floats; i++)
        to->float_v[i] = (double)a->floats[i];
    if (a->t == NULL || onnx__element_bytes(a->t->data_type) == 0)
        return DSCQ_OK; /* strings and the like: whoever needs it will miss it */
    return onnx__read_tensor(&to->t, pool, a->t, r->f->name, r->err);
}

static dscq_status read_names(reader *r, int32_t **out, int32_t *count, char **name,
                              size_t n)
{
    *out = onnx__take(&r->f->pool, n, sizeof **out);
    if (*out == NULL)
        return no_room(r);
    for (size_t i = 0; i < n; i++) {
        (*out)[i] = value_of(r, name[i]);
        if ((*out)[i] == -2)
            return no_room(r);
    }
    *count = (int32_t)n;
    return DSCQ_OK;
}

static dscq_status read_node(reader *r, int32_t index, const Onnx__NodeProto *p)
{
    dscq_onnx *f = r->f;
    onnx_node *n = &f->node[index];
    const char *const text[] = {p->name, p->op_type, p->domain};
    const char **const to[] = {&n->name, &n->op, &n->domain};
    dscq_status status;

    for (int i = 0; i < 3; i++) {
        const char *s = text[i] != NULL ? text[i] : "";
        *to[i] = onnx__copy_text(&f->pool, s, strlen(s));
        if (*to[i] == NULL)
            return no_room(r);
    }
    DSCQ_TRY(read_names(r, &n->in, &n->in_count, p->input, p->n_input));
    DSCQ_TRY(read_names(r, &n->out, &n->out_count, p->output, p->n_output));
    n->attr = onnx__take(&f->pool, p->n_attribute, sizeof *n->attr);
    if (n->attr == NULL)
        DSCQ_TRY(no_room(r));
    n->attr_count = (int32_t)p->n_attribute;
    for (size_t i = 0; i < p->n_attribute; i++) {
        DSCQ_TRY(read_attr(r, &n->attr[i], p->attribute[i]));
        n->has_graph |= p->attribute[i]->g != NULL || p->attribute[i]->n_graphs > 0;
    }
    for (int32_t i = 0; i < n->out_count; i++) {
        if (n->out[i] < 0)
            continue;
        onnx_value *v = &f->value[n->out[i]];
        if (v->producer >= 0 || v->init != NULL || v->is_input)
            return dscq_fail(r->err, DSCQ_FORMAT,
                             "%s: value '%.100s' is made by two nodes", f->name,
                             v->name);
        v->producer = index;
    }
    for (int32_t i = 0; i < n->in_count; i++)
        if (n->in[i] >= 0) {
            f->value[n->in[i]].consumers++;
            f->value[n->in[i]].consumer = index;
        }
done:
    return status;
}

/* 0: no dense tensor of a type that is understood. */
static int read_type(onnx_value *v, const Onnx__TypeProto *p)
{
    if (p == NULL || p->value_case == ONNX__TYPE_PROTO__VALUE__NOT_SET)
        return 1;
    if (p->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || p->tensor_type == NULL)
        return 0;
    v->type = p->tensor_type->elem_type;
    if (v->type != DSCQ_ONNX_NONE && onnx__element_bytes(v->type) == 0)
        return 0;
    const Onnx__TensorShapeProto *s = p->tensor_type->shape;
    if (s == NULL || s->n_dim > DSCQ_ONNX_RANK)
        return 1;
    v->rank = (int32_t)s->n_dim;
    for (size_t i = 0; i < s->n_dim; i++)
        v->dim[i] = s->dim[i]->value_case ==
                            ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE
                        ? s->dim[i]->dim_value
                        : -1;
    return 1;
}

static dscq_status not_a_tensor(const reader *r, const char *name)
{
    return dscq_fail(r->err, DSCQ_UNSUPPORTED,
                     "%s: '%.100s' is not a dense tensor of numbers (text, bfloat16, "
                     "sequences and maps are not supported)",
                     r->f->name, name);
}

static dscq_status read_ports(reader *r, const Onnx__GraphProto *g)
{
    dscq_onnx *f = r->f;

    f->input = onnx__take(&f->pool, g->n_input, sizeof *f->input);
    f->output = onnx__take(&f->pool, g->n_output, sizeof *f->output);
    if (f->input == NULL || f->output == NULL)
        return no_room(r);
    for (size_t i = 0; i < g->n_input; i++) {
        const int32_t v = value_of(r, g->input[i]->name);
        if (v < 0)
            return dscq_fail(r->err, DSCQ_FORMAT, "%s: an input has no name", f->name);
        if (!read_type(&f->value[v], g->input[i]->type))
            return not_a_tensor(r, f->value[v].name);
        if (f->value[v].init != NULL || f->value[v].is_input)
            continue; /* an initialiser that is listed as an input too */
        f->value[v].is_input = 1;
        f->input[f->input_count++] = v;
    }
    for (size_t i = 0; i < g->n_output; i++) {
        const int32_t v = value_of(r, g->output[i]->name);
        if (v < 0)
            return dscq_fail(r->err, DSCQ_FORMAT, "%s: an output has no name", f->name);
        if (!read_type(&f->value[v], g->output[i]->type))
            return not_a_tensor(r, f->value[v].name);
        f->value[v].is_output = 1;
        f->output[f->output_count++] = v;
    }
    return DSCQ_OK;
}

static dscq_status size_tables(reader *r, const Onnx__GraphProto *g)
{
    size_t names = g->n_input + g->n_output + g->n_initializer;

    for (size_t i = 0; i < g->n_node && names < NAMES_MAX; i++)
        names += g->node[i]->n_input + g->node[i]->n_output;
    if (g->n_node > NODES_MAX || names > VALUES_MAX)
        return dscq_fail(r->err, DSCQ_UNSUPPORTED, "%s: %zu nodes: too many",
                         r->f->name, g->n_node);
    r->hash_size = 16;
    while (r->hash_size < 2 * names + 2)
        r->hash_size *= 2;
    r->value_cap = (int32_t)names;
    r->hash = dscq_malloc(r->hash_size, sizeof *r->hash);
    r->f->value = onnx__take(&r->f->pool, names, sizeof *r->f->value);
    r->f->node = onnx__take(&r->f->pool, g->n_node, sizeof *r->f->node);
    if (r->hash == NULL || r->f->value == NULL || r->f->node == NULL)
        return no_room(r);
    for (size_t i = 0; i < r->hash_size; i++)
        r->hash[i] = -1;
    return DSCQ_OK;
}

static dscq_status read_graph(reader *r, const Onnx__GraphProto *g)
{
    dscq_onnx *f = r->f;
    dscq_status status;

    if (g->n_sparse_initializer > 0)
        return dscq_fail(r->err, DSCQ_UNSUPPORTED,
                         "%s: sparse initialisers are not supported", f->name);
    DSCQ_TRY(size_tables(r, g));
    for (size_t i = 0; i < g->n_initializer; i++) {
        const int32_t v = value_of(r, g->initializer[i]->name);
        if (v < 0)
            DSCQ_TRY(dscq_fail(r->err, DSCQ_FORMAT, "%s: an initialiser has no name",
                               f->name));
        DSCQ_TRY(onnx__read_tensor(&f->value[v].init, &f->pool, g->initializer[i],
                                   f->name, r->err));
    }
    DSCQ_TRY(read_ports(r, g));
    for (size_t i = 0; i < g->n_node; i++) {
        DSCQ_TRY(read_node(r, (int32_t)i, g->node[i]));
        f->node_count++;
    }
    DSCQ_TRY(onnx__check_order(f, r->err));
done:
    return status;
}

static int64_t opset_of(const Onnx__ModelProto *m)
{
    for (size_t i = 0; i < m->n_opset_import; i++) {
        const char *d = m->opset_import[i]->domain;
        if (d == NULL || d[0] == '\0' || strcmp(d, "ai.onnx") == 0)
            return m->opset_import[i]->version;
    }
    return 1;
}

dscq_status dscq_onnx_parse(dscq_onnx **out, const uint8_t *data, size_t bytes,
                            const char *name, dscq_error *err)
{
    onnx_proto_memory memory = {
        64 * ((size_t)1 << 20) + 24 * (bytes < PROTO_FILE_MAX ? bytes : PROTO_FILE_MAX),
        0};
    ProtobufCAllocator allocator = onnx__proto_allocator(&memory);
    Onnx__ModelProto *m = NULL;
    reader r = {.err = err};
    dscq_status status;

    *out = NULL;
    const char *wrong =
        bytes > PROTO_FILE_MAX ? "larger than 1 GiB" : onnx__scan(data, bytes);
    if (wrong != NULL)
        return dscq_fail(err, DSCQ_FORMAT, "%s: %s", name, wrong);
    r.f = dscq_calloc(1, sizeof *r.f);
    if (r.f == NULL)
        return dscq_fail_nomem(err, "an ONNX graph", sizeof *r.f);
    r.f->pool.limit = memory.left;
    dscq_str_copy(r.f->name, sizeof r.f->name, dscq_path_base(name));
    m = onnx__model_proto__unpack(&allocator, bytes, data);
    if (memory.no_memory)
        DSCQ_TRY(dscq_fail_nomem(err, name, bytes));
    if (m == NULL || m->graph == NULL)
        DSCQ_TRY(
            dscq_fail(err, DSCQ_FORMAT, "%s: not an ONNX file, or cut short", name));
    r.f->opset = opset_of(m);
    status = read_graph(&r, m->graph);
    DSCQ_TRY(onnx__pool_status(&r.f->pool, status, name, err));
    *out = r.f;
    r.f = NULL;
done:
    if (m != NULL)
        onnx__model_proto__free_unpacked(m, &allocator);
    dscq_free(r.hash);
    dscq_onnx_close(r.f);
    return status;
}

int dscq_onnx_available(void)
{
    return 1;
}

#else /* built without the generated parser */

dscq_status dscq_onnx_parse(dscq_onnx **out, const uint8_t *data, size_t bytes,
                            const char *name, dscq_error *err)
{
    const char *wrong = onnx__scan(data, bytes);

    *out = NULL;
    if (wrong != NULL)
        return dscq_fail(err, DSCQ_FORMAT, "%s: %s", name, wrong);
    return dscq_fail(err, DSCQ_UNSUPPORTED, NO_ONNX("read"), name);
}

int dscq_onnx_available(void)
{
    return 0;
}
#endif

dscq_status dscq_onnx_load(dscq_onnx **out, const char *path, dscq_error *err)
{
    uint8_t *data = NULL;
    size_t bytes = 0;
    dscq_status status;

    *out = NULL;
    DSCQ_TRY(dscq_file_read(&data, &bytes, path, PROTO_FILE_MAX, err));
    DSCQ_TRY(dscq_onnx_parse(out, data, bytes, path, err));
done:
    dscq_free(data);
    return status;
}
