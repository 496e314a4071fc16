/* Reading the sections; the mirror of section_put.c. Faults stay in the reader. */
#include "dscq/base/alloc.h"
#include "format.h"

enum { TENSOR_MIN = 15, NODE_MIN = 5, INPUT_MIN = 2, OUTPUT_MIN = 3 };

static void get_tensor(dscq_qtensor *t, dscq_reader *r)
{
    dscq_get_text(r, t->name, sizeof t->name, "tensor name");
    t->h = dscq_get_int(r, 1, DSCQ_QNET_MAX_SIDE, "tensor rows");
    t->w = dscq_get_int(r, 1, DSCQ_QNET_MAX_SIDE, "tensor columns");
    t->c = dscq_get_int(r, 1, DSCQ_QNET_MAX_CHANNELS, "tensor channels");
    const uint64_t kind = dscq_get_u(r, 1, "tensor bits");
    t->bits = (int32_t)(kind & 0x7f);
    t->is_signed = (int32_t)(kind >> 7);
    const int64_t zero = dscq_get_zigzag(r, "tensor zero point");
    if (zero < INT16_MIN || zero > UINT16_MAX || t->bits < 4 || t->bits > 16)
        dscq_get_fail(r, "tensor bits or zero point");
    t->zero_point = r->bad != NULL ? 0 : (int32_t)zero;
    t->scale = dscq_get_real(r, "tensor scale");
}

static void get_fields(dscq_qnode *n, dscq_reader *r)
{
    for (size_t i = 0; i < pack__field_count; i++) {
        const pack_field_row *f = &pack__fields[i];
        if (!pack__field_in(f, n->op))
            continue;
        const int64_t v = f->is_signed ? dscq_get_zigzag(r, f->name)
                                       : (int64_t)dscq_get_varint(r, f->name);
        if (v < -65536 || v > 1 << 24)
            dscq_get_fail(r, f->name);
        *pack__field(f, n) = r->bad != NULL ? 0 : (int32_t)v;
    }
}

static void get_node(dscq_qmodel *m, dscq_qnode *n, int32_t *kernel, dscq_reader *r)
{
    n->op = (dscq_qop)dscq_get_u(r, 1, "operation");
    dscq_get_text(r, n->name, sizeof n->name, "node name");
    n->input_count = dscq_get_int(r, 1, DSCQ_QNODE_INPUTS, "number of node inputs");
    for (int32_t i = 0; i < n->input_count; i++)
        n->input[i] = dscq_get_int(r, 0, m->tensor_count - 1, "node input");
    n->output = dscq_get_int(r, 0, m->tensor_count - 1, "node output");
    if (n->op >= DSCQ_Q_COUNT)
        dscq_get_fail(r, "operation");
    if (r->bad != NULL)
        return;
    if (n->name[0] == '\0')
        memcpy(n->name, m->tensor[n->output].name, sizeof n->name);
    else if (strcmp(n->name, m->tensor[n->output].name) == 0)
        dscq_get_fail(r, "node name");
    get_fields(n, r);
    if (dscq_qop_has(n->op, DSCQ_QHAS_WEIGHTS)) {
        kernel[0] = dscq_get_int(r, 1, DSCQ_QNET_MAX_SIDE, "kernel rows");
        kernel[1] = dscq_get_int(r, 1, DSCQ_QNET_MAX_SIDE, "kernel columns");
    }
}

/* The weights' shape follows from the tensors; their values come later. */
static dscq_status shape_weights(dscq_qmodel *m, dscq_qnode *n, const int32_t *kernel,
                                 dscq_reader *r, dscq_error *err)
{
    const int32_t c = m->tensor[n->input[0]].c;

    if (n->groups < 1 || c % n->groups != 0) {
        dscq_get_fail(r, "groups");
        return DSCQ_OK;
    }
    n->weights = dscq_calloc(1, sizeof *n->weights);
    if (n->weights == NULL)
        return dscq_fail_nomem(err, "weights", sizeof *n->weights);
    n->weights->k = m->tensor[n->output].c;
    n->weights->r = kernel[0];
    n->weights->s = kernel[1];
    n->weights->c = c / n->groups;
    return DSCQ_OK;
}

static dscq_status get_net(dscq_qmodel *m, dscq_reader *r, dscq_error *err)
{
    dscq_status status;

    dscq_get_text(r, m->name, sizeof m->name, "name of the network");
    m->float_bytes = dscq_get_varint(r, "float bytes");
    const size_t tensors =
        dscq_get_count(r, DSCQ_QNET_MAX_TENSORS, TENSOR_MIN, "tensors");
    m->tensor = dscq_calloc(tensors, sizeof *m->tensor);
    if (m->tensor == NULL)
        return dscq_fail_nomem(err, "tensors", tensors * sizeof *m->tensor);
    m->tensor_count = (int32_t)tensors;
    for (size_t i = 0; i < tensors && r->bad == NULL; i++)
        get_tensor(&m->tensor[i], r);
    const size_t nodes = dscq_get_count(r, DSCQ_QNET_MAX_NODES, NODE_MIN, "nodes");
    m->node = dscq_calloc(nodes, sizeof *m->node);
    if (m->node == NULL)
        return dscq_fail_nomem(err, "nodes", nodes * sizeof *m->node);
    m->node_count = (int32_t)nodes;
    for (size_t i = 0; i < nodes && r->bad == NULL; i++) {
        dscq_qnode *n = &m->node[i];
        int32_t kernel[2] = {0, 0};
        dscq_qnode_clear(n);
        get_node(m, n, kernel, r);
        if (r->bad == NULL && dscq_qop_has(n->op, DSCQ_QHAS_WEIGHTS))
            DSCQ_TRY(shape_weights(m, n, kernel, r, err));
    }
    status = DSCQ_OK;
done:
    return status;
}

static int32_t sign_extend(uint64_t v, unsigned bits)
{
    const int64_t half = INT64_C(1) << (bits - 1);

    return (int32_t)((int64_t)(v ^ (uint64_t)half) - half);
}

static dscq_status get_scales(dscq_qnode *n, dscq_reader *r, dscq_error *err)
{
    const size_t count = dscq_get_count(r, DSCQ_QNET_MAX_CHANNELS, 3, "scale entries");

    if (r->bad != NULL || count == 0)
        return DSCQ_OK;
    const dscq_status status = dscq_qnode_reserve(n, (int32_t)count, err);
    if (status != DSCQ_OK)
        return status;
    for (size_t k = 0; k < count; k++)
        n->mult[k] = (int16_t)sign_extend(dscq_get_u(r, 2, "multiplier"), 16);
    for (size_t k = 0; k < count; k++)
        n->shift[k] = (uint8_t)dscq_get_u(r, 1, "shift");
    for (size_t k = 0; n->bias != NULL && k < count; k++)
        n->bias[k] = sign_extend(dscq_get_u(r, 3, "bias"), 24);
    for (size_t k = 0; n->scale_key != NULL && k < count; k++)
        n->scale_key[k] = dscq_get_int(r, 1, DSCQ_QNET_MAX_ELEMENTS, "pooling count");
    return DSCQ_OK;
}

static dscq_status get_constants(dscq_qmodel *m, dscq_reader *r, dscq_error *err)
{
    for (int32_t i = 0; i < m->node_count && r->bad == NULL; i++) {
        dscq_qnode *n = &m->node[i];
        const pack_entry entry = pack__entry(n, &m->tensor[n->output]);
        const dscq_status status = get_scales(n, r, err);
        if (status != DSCQ_OK)
            return status;
        const size_t count =
            dscq_get_count(r, DSCQ_QNET_MAX_TABLE, entry.bytes, "table entries");
        if (r->bad != NULL || count == 0)
            continue;
        n->table = dscq_calloc(count, sizeof *n->table);
        if (n->table == NULL)
            return dscq_fail_nomem(err, "table", count * sizeof *n->table);
        n->table_count = (int32_t)count;
        for (size_t k = 0; k < count; k++) {
            const uint64_t v = dscq_get_u(r, entry.bytes, "table entry");
            n->table[k] =
                entry.is_signed ? sign_extend(v, entry.bytes * 8) : (int32_t)v;
        }
    }
    return DSCQ_OK;
}

static void get_input(const dscq_qmodel *m, dscq_qinput *in, dscq_reader *r)
{
    in->tensor = dscq_get_int(r, 0, m->tensor_count - 1, "input tensor");
    in->is_image = (int32_t)dscq_get_u(r, 1, "input kind");
    if (in->is_image != 1)
        return;
    in->resize_mode = (int32_t)dscq_get_u(r, 1, "resize mode");
    in->resize_filter = (int32_t)dscq_get_u(r, 1, "resize filter");
    in->colour_order = (int32_t)dscq_get_u(r, 1, "colour order");
    in->fill = (int32_t)dscq_get_u(r, 1, "letterbox fill");
    in->scale = dscq_get_real(r, "pixel scale");
    for (int c = 0; c < 4; c++)
        in->mean[c] = dscq_get_real(r, "mean");
    for (int c = 0; c < 4; c++)
        in->std[c] = dscq_get_real(r, "deviation");
    for (int c = 0; c < 4; c++)
        in->mult[c] = sign_extend(dscq_get_u(r, 4, "pixel multiplier"), 32);
    for (int c = 0; c < 4; c++)
        in->offset[c] = sign_extend(dscq_get_u(r, 4, "pixel offset"), 32);
}

static dscq_status get_ends(dscq_qmodel *m, dscq_reader *r, dscq_error *err)
{
    const size_t inputs = dscq_get_count(r, DSCQ_QNET_MAX_ENDS, INPUT_MIN, "inputs");

    m->input = dscq_calloc(inputs, sizeof *m->input);
    if (m->input == NULL)
        return dscq_fail_nomem(err, "inputs", inputs * sizeof *m->input);
    m->input_count = (int32_t)inputs;
    for (size_t i = 0; i < inputs && r->bad == NULL; i++)
        get_input(m, &m->input[i], r);
    const size_t outputs = dscq_get_count(r, DSCQ_QNET_MAX_ENDS, OUTPUT_MIN, "outputs");
    m->output = dscq_calloc(outputs, sizeof *m->output);
    if (m->output == NULL)
        return dscq_fail_nomem(err, "outputs", outputs * sizeof *m->output);
    m->output_count = (int32_t)outputs;
    for (size_t i = 0; i < outputs && r->bad == NULL; i++) {
        dscq_qoutput *o = &m->output[i];
        o->tensor = dscq_get_int(r, 0, m->tensor_count - 1, "output tensor");
        dscq_get_text(r, o->role, sizeof o->role, "output role");
        dscq_get_text(r, o->params, sizeof o->params, "output settings");
    }
    return DSCQ_OK;
}

static dscq_status get_classes(dscq_qmodel *m, dscq_reader *r, dscq_error *err)
{
    const size_t count = dscq_get_count(r, DSCQ_QNET_MAX_CLASSES, 2, "class names");

    if (count == 0) { /* then the section is left out */
        dscq_get_fail(r, "class names");
        return DSCQ_OK;
    }
    m->class_name = dscq_calloc(count, sizeof *m->class_name);
    if (m->class_name == NULL)
        return dscq_fail_nomem(err, "class names", count * sizeof *m->class_name);
    m->class_count = (int32_t)count;
    for (size_t i = 0; i < count && r->bad == NULL; i++)
        dscq_get_text(r, m->class_name[i], sizeof *m->class_name, "class name");
    return DSCQ_OK;
}

static dscq_status get_meta(dscq_qmodel *m, dscq_reader *r, dscq_error *err)
{
    if (r->len > DSCQ_QNET_MAX_META || memchr(r->buf, 0, r->len) != NULL) {
        dscq_get_fail(r, "meta data text");
        return DSCQ_OK;
    }
    m->meta = dscq_calloc(r->len + 1, 1);
    if (m->meta == NULL)
        return dscq_fail_nomem(err, "meta data", r->len);
    memcpy(m->meta, dscq_get_bytes(r, r->len, "meta data text"), r->len);
    return DSCQ_OK;
}

/* Codes of all inputs of one embedded input. */
static void get_digest_input(const dscq_qmodel *m, uint8_t *data, dscq_reader *r)
{
    for (int32_t j = 0; j < m->input_count; j++) {
        const dscq_qtensor *t = &m->tensor[m->input[j].tensor];
        const size_t count = dscq_qtensor_count(t);
        const unsigned each = t->bits > 8 ? 2 : 1;
        for (size_t k = 0; k < count; k++)
            dscq_qtensor_put(t, data, k, (int32_t)dscq_get_u(r, each, "digest input"));
        data += dscq_qtensor_room(t);
    }
}

static dscq_status get_digests(dscq_qmodel *m, dscq_reader *r, dscq_error *err)
{
    const size_t n = (size_t)dscq_get_int(r, 1, DSCQ_QNET_MAX_DIGESTS, "digest inputs");
    const size_t each = dscq_qmodel_digest_bytes(m);
    const size_t digests = n * (size_t)m->node_count;
    const int is_standard = r->len - r->pos == digests * 4;
    size_t stored = 0; /* bytes of an embedded input in the file */

    for (int32_t j = 0; j < m->input_count; j++)
        stored += dscq_qtensor_bytes(&m->tensor[m->input[j].tensor]);
    if (r->bad == NULL && !is_standard && r->len - r->pos != stored * n + digests * 4)
        dscq_get_fail(r, "length of the digests");
    if (r->bad != NULL)
        return DSCQ_OK;
    m->digest_input = is_standard ? NULL : dscq_calloc(n, each);
    m->digest = dscq_malloc(digests, sizeof *m->digest);
    if ((m->digest_input == NULL && !is_standard) || m->digest == NULL)
        return dscq_fail_nomem(err, "digests", each * n + digests * 4);
    for (size_t i = 0; !is_standard && i < n; i++)
        get_digest_input(m, m->digest_input + i * each, r);
    for (size_t i = 0; i < digests; i++)
        m->digest[i] = (uint32_t)dscq_get_u(r, 4, "digest");
    m->digest_inputs = (int32_t)n;
    return DSCQ_OK;
}

dscq_status pack__get_section(dscq_qmodel *m, int section, dscq_reader *r,
                              uint64_t file_bytes, dscq_error *err)
{
    switch (section) {
    case PACK_S_NET:
        return get_net(m, r, err);
    case PACK_S_QNT:
        return get_constants(m, r, err);
    case PACK_S_QNTC:
        return pack__get_coded_constants(m, r, file_bytes, err);
    case PACK_S_IO:
        return get_ends(m, r, err);
    case PACK_S_CLS:
        return get_classes(m, r, err);
    case PACK_S_META:
        return get_meta(m, r, err);
    case PACK_S_DIG:
        return get_digests(m, r, err);
    default:
        return pack__get_weights(m, r, file_bytes, err);
    }
}
