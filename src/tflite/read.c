/* The file: operators and tensors of its first subgraph, by the field numbers of
 * schema.fbs. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "tflite_internal.h"

#include <string.h>

enum {
    FILE_MAX = 1 << 30,
    COUNT_MAX = 1 << 18, /* tensors; uses by operators in all */
    OPS_MAX = 1 << 14,
    CHANNELS_MAX = 1 << 24
};

/* Tables of the file that others refer to. */
typedef struct parts {
    dscq_tflite *f;
    tfl_tables codes, buffers;
    int64_t uses; /* of tensors by operators */
    dscq_error *err;
} parts;

static dscq_status bad(const parts *p, const char *what, uint32_t i)
{
    return dscq_fail(p->err, DSCQ_FORMAT, "%s: damaged: %s %u", p->f->name, what, i);
}

int dscq_tflite_is(const uint8_t *head, size_t bytes)
{
    return bytes >= 8 && memcmp(head + 4, "TFL3", 4) == 0;
}

/* ---- tensors ------------------------------------------------------------ */

/* Bytes of a constant: in the buffer itself or, of files above 2 GB, at an offset. */
static int read_buffer(tfl_vec *out, const parts *p, int64_t i)
{
    tfl_table buffer;

    *out = (tfl_vec){NULL, 0};
    if (i == 0 || p->buffers.count == 0)
        return i == 0;
    if (i < 0 || i >= p->buffers.count ||
        !tflite__table_at(&buffer, &p->buffers, (uint32_t)i) ||
        !tflite__vector(out, &buffer, 0, 1))
        return 0;
    const uint64_t at = (uint64_t)tflite__int(&buffer, 1, 8, 0),
                   size = (uint64_t)tflite__int(&buffer, 2, 8, 0);
    if (out->count > 0 || at <= 1 || size == 0)
        return 1;
    if (at > p->f->file.count || size > p->f->file.count - at)
        return 0;
    *out = (tfl_vec){p->f->file.at + at, (uint32_t)size};
    return 1;
}

static int read_shape(tfl_tensor *t, const tfl_table *from)
{
    tfl_vec shape, signature;

    if (!tflite__vector(&shape, from, 0, 4) ||
        !tflite__vector(&signature, from, 7, 4) || shape.count > DSCQ_GRAPH_RANK)
        return 0;
    t->rank = (int32_t)shape.count;
    for (uint32_t i = 0; i < shape.count; i++) {
        t->dim[i] = tflite__i32(shape, i);
        if (t->dim[i] < -1)
            return 0;
    }
    return 1;
}

/* Scale and zero point; a file may say one without the other. */
static int read_grid(tfl_tensor *t, const tfl_table *from)
{
    tfl_table q;

    if (!tflite__table(&q, from, 4))
        return 0;
    if (q.file == NULL)
        return 1;
    t->axis = (int32_t)tflite__int(&q, 6, 4, 0);
    return tflite__vector(&t->scale, &q, 2, 4) && tflite__vector(&t->zero, &q, 3, 8) &&
           t->scale.count <= CHANNELS_MAX &&
           (t->zero.count == 0 || t->zero.count == t->scale.count);
}

static int read_tensor(tfl_tensor *t, const parts *p, const tfl_table *from)
{
    tfl_table sparse;

    t->type = (int32_t)tflite__int(from, 1, 1, 0);
    if (!tflite__vector(&t->name, from, 3, 1) || !tflite__table(&sparse, from, 6))
        return 0;
    t->is_sparse = sparse.file != NULL;
    return read_shape(t, from) && read_grid(t, from) &&
           read_buffer(&t->data, p, tflite__int(from, 2, 4, 0));
}

static dscq_status read_tensors(parts *p, const tfl_table *graph)
{
    dscq_tflite *f = p->f;
    tfl_tables v;
    tfl_table t;

    if (!tflite__tables(&v, graph, 0) || v.count > COUNT_MAX)
        return bad(p, "the list of tensors", 0);
    f->tensor = dscq_calloc(v.count, sizeof *f->tensor);
    if (f->tensor == NULL)
        return dscq_fail_nomem(p->err, "tensors", v.count * sizeof *f->tensor);
    f->tensor_count = (int32_t)v.count;
    for (uint32_t i = 0; i < v.count; i++)
        if (!tflite__table_at(&t, &v, i) || !read_tensor(&f->tensor[i], p, &t))
            return bad(p, "tensor", i);
    return DSCQ_OK;
}

/* ---- operators ---------------------------------------------------------- */

static int are_tensors(const parts *p, tfl_vec v)
{
    for (uint32_t i = 0; i < v.count; i++)
        if (tflite__i32(v, i) < -1 || tflite__i32(v, i) >= p->f->tensor_count)
            return 0;
    return 1;
}

static int read_op(tfl_op *o, parts *p, const tfl_table *from)
{
    const int64_t index = (uint32_t)tflite__int(from, 0, 4, 0);
    tfl_table code;

    if (index >= p->codes.count ||
        !tflite__table_at(&code, &p->codes, (uint32_t)index) ||
        !tflite__vector(&o->custom, &code, 1, 1))
        return 0;
    const int64_t old = tflite__int(&code, 0, 1, 0), now = tflite__int(&code, 3, 4, 0);
    o->code =
        (int32_t)(now > old ? now : old); /* numbers above 126 are in the new one */
    o->version = (int32_t)tflite__int(&code, 2, 4, 1);
    if (!tflite__vector(&o->in, from, 1, 4) || !tflite__vector(&o->out, from, 2, 4) ||
        !tflite__table(&o->options, from, 4))
        return 0;
    p->uses += (int64_t)o->in.count + o->out.count;
    return p->uses <= COUNT_MAX && are_tensors(p, o->in) && are_tensors(p, o->out);
}

static void count_uses(dscq_tflite *f, int32_t i)
{
    for (uint32_t k = 0; k < f->op[i].in.count; k++) {
        const int32_t at = tflite__i32(f->op[i].in, k);
        if (at < 0)
            continue;
        f->tensor[at].consumers++;
        f->tensor[at].consumer = i;
    }
}

static dscq_status read_ops(parts *p, const tfl_table *graph)
{
    dscq_tflite *f = p->f;
    tfl_tables v;
    tfl_table t;

    if (!tflite__tables(&v, graph, 3) || v.count > OPS_MAX)
        return bad(p, "the list of operators", 0);
    f->op = dscq_calloc(v.count, sizeof *f->op);
    if (f->op == NULL)
        return dscq_fail_nomem(p->err, "operators", v.count * sizeof *f->op);
    f->op_count = (int32_t)v.count;
    for (uint32_t i = 0; i < v.count; i++) {
        if (!tflite__table_at(&t, &v, i) || !read_op(&f->op[i], p, &t))
            return bad(p, "operator", i);
        count_uses(f, (int32_t)i);
    }
    return DSCQ_OK;
}

/* ---- the file ----------------------------------------------------------- */

static dscq_status read_graph(parts *p, const tfl_table *graph)
{
    dscq_tflite *f = p->f;
    dscq_status status;

    DSCQ_TRY(read_tensors(p, graph));
    DSCQ_TRY(read_ops(p, graph));
    if (!tflite__vector(&f->in, graph, 1, 4) || !tflite__vector(&f->out, graph, 2, 4) ||
        !are_tensors(p, f->in) || !are_tensors(p, f->out) || f->in.count > 4096 ||
        f->out.count > 4096)
        return bad(p, "the list of inputs and outputs", 0);
    for (uint32_t i = 0; i < f->out.count; i++)
        if (tflite__i32(f->out, i) >= 0)
            f->tensor[tflite__i32(f->out, i)].is_output = 1;
done:
    return status;
}

static dscq_status read_model(parts *p)
{
    tfl_table model, graph;
    tfl_tables graphs;

    if (!tflite__root(&model, &p->f->file))
        return bad(p, "the table at offset", 0);
    if (!tflite__tables(&p->codes, &model, 1) || !tflite__tables(&graphs, &model, 2) ||
        !tflite__tables(&p->buffers, &model, 4))
        return bad(p, "a list of the table at offset", 0);
    if (tflite__int(&model, 0, 4, 0) != 3)
        return dscq_fail(p->err, DSCQ_UNSUPPORTED,
                         "%s: version %d of the TensorFlow Lite format; 3 is read",
                         p->f->name, (int)tflite__int(&model, 0, 4, 0));
    if (graphs.count < 1 || !tflite__table_at(&graph, &graphs, 0))
        return bad(p, "subgraph", 0);
    return read_graph(p, &graph);
}

dscq_status dscq_tflite_parse(dscq_tflite **out, const uint8_t *data, size_t bytes,
                              const char *name, dscq_error *err)
{
    dscq_tflite *f = dscq_calloc(1, sizeof *f);
    dscq_error local;
    parts p = {.f = f, .err = err != NULL ? err : &local};
    dscq_status status = DSCQ_OK;

    *out = NULL;
    if (f == NULL)
        return dscq_fail_nomem(err, "a network file", sizeof *f);
    (void)dscq_str_clean(f->name, sizeof f->name, name);
    if (!dscq_tflite_is(data, bytes) || bytes > FILE_MAX) {
        status = dscq_fail(p.err, DSCQ_FORMAT, "%s: no TensorFlow Lite file", f->name);
        goto done;
    }
    f->data = dscq_malloc(bytes, 1);
    if (f->data == NULL) {
        status = dscq_fail_nomem(p.err, "a network file", bytes);
        goto done;
    }
    memcpy(f->data, data, bytes);
    f->file = (tfl_bytes){f->data, bytes};
    DSCQ_TRY(read_model(&p));
    *out = f;
    f = NULL;
done:
    dscq_tflite_close(f);
    return status;
}

dscq_status dscq_tflite_load(dscq_tflite **out, const char *path, dscq_error *err)
{
    uint8_t *data = NULL;
    size_t bytes = 0;
    dscq_status status;

    *out = NULL;
    DSCQ_TRY(dscq_file_read(&data, &bytes, path, FILE_MAX, err));
    DSCQ_TRY(dscq_tflite_parse(out, data, bytes, path, err));
done:
    dscq_free(data);
    return status;
}

void dscq_tflite_close(dscq_tflite *f)
{
    if (f == NULL)
        return;
    dscq_free(f->tensor);
    dscq_free(f->op);
    dscq_free(f->node);
    dscq_free(f->range);
    dscq_free(f->output);
    dscq_free(f->output_name);
    dscq_free(f->data);
    dscq_free(f);
}
