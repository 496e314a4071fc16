/* Writing the sections (docs/format.md sections 4 and 5). */
#include "format.h"

#include <string.h>

static void put_tensor(dscq_buf *b, const dscq_qtensor *t)
{
    dscq_put_text(b, t->name);
    dscq_put_varint(b, (uint64_t)t->h);
    dscq_put_varint(b, (uint64_t)t->w);
    dscq_put_varint(b, (uint64_t)t->c);
    dscq_put_u(b, (uint64_t)t->bits | (uint64_t)t->is_signed << 7, 1);
    dscq_put_zigzag(b, t->zero_point);
    dscq_put_real(b, t->scale);
}

static void put_node(dscq_buf *b, const dscq_qmodel *m, const dscq_qnode *n)
{
    dscq_qnode copy = *n;

    dscq_put_u(b, (uint64_t)n->op, 1);
    dscq_put_text(b, strcmp(n->name, m->tensor[n->output].name) == 0 ? "" : n->name);
    dscq_put_varint(b, (uint64_t)n->input_count);
    for (int32_t i = 0; i < n->input_count; i++)
        dscq_put_varint(b, (uint64_t)n->input[i]);
    dscq_put_varint(b, (uint64_t)n->output);
    for (size_t i = 0; i < pack__field_count; i++) {
        const pack_field_row *f = &pack__fields[i];
        if (!pack__field_in(f, n->op))
            continue;
        const int32_t v = *pack__field(f, &copy);
        if (f->is_signed)
            dscq_put_zigzag(b, v);
        else
            dscq_put_varint(b, (uint64_t)v);
    }
    if (n->weights != NULL) {
        dscq_put_varint(b, (uint64_t)n->weights->r);
        dscq_put_varint(b, (uint64_t)n->weights->s);
    }
}

static void put_net(dscq_buf *b, const dscq_qmodel *m)
{
    dscq_put_text(b, m->name);
    dscq_put_varint(b, m->float_bytes);
    dscq_put_varint(b, (uint64_t)m->tensor_count);
    for (int32_t i = 0; i < m->tensor_count; i++)
        put_tensor(b, &m->tensor[i]);
    dscq_put_varint(b, (uint64_t)m->node_count);
    for (int32_t i = 0; i < m->node_count; i++)
        put_node(b, m, &m->node[i]);
}

static void put_constants(dscq_buf *b, const dscq_qmodel *m, pack_choice *sizes)
{
    for (int32_t i = 0; i < m->node_count; i++) {
        const dscq_qnode *n = &m->node[i];
        const size_t start = b->len;
        const pack_entry entry = pack__entry(n, &m->tensor[n->output]);
        const int with_bias = dscq_qop_has(n->op, DSCQ_QHAS_WEIGHTS);
        const int with_key = dscq_qop_has(n->op, DSCQ_QHAS_KEYS);
        dscq_put_varint(b, (uint64_t)n->scale_count);
        for (int32_t k = 0; k < n->scale_count; k++)
            dscq_put_u(b, (uint16_t)n->mult[k], 2);
        for (int32_t k = 0; k < n->scale_count; k++)
            dscq_put_u(b, n->shift[k], 1);
        for (int32_t k = 0; with_bias && k < n->scale_count; k++)
            dscq_put_u(b, (uint32_t)n->bias[k] & 0xffffff, 3);
        for (int32_t k = 0; with_key && k < n->scale_count; k++)
            dscq_put_varint(b, (uint64_t)n->scale_key[k]);
        dscq_put_varint(b, (uint64_t)n->table_count);
        for (int32_t k = 0; k < n->table_count; k++)
            dscq_put_u(b, (uint32_t)n->table[k], entry.bytes);
        if (sizes != NULL)
            sizes[i].size.constants = (uint64_t)(b->len - start) * 8;
    }
}

static void put_input(dscq_buf *b, const dscq_qinput *in)
{
    dscq_put_varint(b, (uint64_t)in->tensor);
    dscq_put_u(b, (uint64_t)in->is_image, 1);
    if (!in->is_image)
        return;
    dscq_put_u(b, (uint64_t)in->resize_mode, 1);
    dscq_put_u(b, (uint64_t)in->resize_filter, 1);
    dscq_put_u(b, (uint64_t)in->colour_order, 1);
    dscq_put_u(b, (uint64_t)in->fill, 1);
    dscq_put_real(b, in->scale);
    for (int c = 0; c < 4; c++)
        dscq_put_real(b, in->mean[c]);
    for (int c = 0; c < 4; c++)
        dscq_put_real(b, in->std[c]);
    for (int c = 0; c < 4; c++)
        dscq_put_u(b, (uint32_t)in->mult[c], 4);
    for (int c = 0; c < 4; c++)
        dscq_put_u(b, (uint32_t)in->offset[c], 4);
}

static void put_ends(dscq_buf *b, const dscq_qmodel *m)
{
    dscq_put_varint(b, (uint64_t)m->input_count);
    for (int32_t i = 0; i < m->input_count; i++)
        put_input(b, &m->input[i]);
    dscq_put_varint(b, (uint64_t)m->output_count);
    for (int32_t i = 0; i < m->output_count; i++) {
        dscq_put_varint(b, (uint64_t)m->output[i].tensor);
        dscq_put_text(b, m->output[i].role);
        dscq_put_text(b, m->output[i].params);
    }
}

static void put_classes(dscq_buf *b, const dscq_qmodel *m)
{
    dscq_put_varint(b, (uint64_t)m->class_count);
    for (int32_t i = 0; i < m->class_count; i++)
        dscq_put_text(b, m->class_name[i]);
}

static void put_digest_input(dscq_buf *b, const dscq_qmodel *m, const uint8_t *data)
{
    for (int32_t j = 0; j < m->input_count; j++) {
        const dscq_qtensor *t = &m->tensor[m->input[j].tensor];
        const size_t count = dscq_qtensor_count(t);
        for (size_t k = 0; k < count; k++)
            dscq_put_u(b, (uint32_t)dscq_qtensor_get(t, data, k), t->bits > 8 ? 2 : 1);
        data += dscq_qtensor_room(t);
    }
}

static void put_digests(dscq_buf *b, const dscq_qmodel *m)
{
    const size_t each = dscq_qmodel_digest_bytes(m);
    const int is_stored =
        m->digest_input != NULL &&
        !dscq_qmodel_is_standard(m, m->digest_input, m->digest_inputs);

    dscq_put_varint(b, (uint64_t)m->digest_inputs);
    for (int32_t i = 0; is_stored && i < m->digest_inputs; i++)
        put_digest_input(b, m, m->digest_input + (size_t)i * each);
    for (int32_t i = 0; i < m->digest_inputs * m->node_count; i++)
        dscq_put_u(b, m->digest[i], 4);
}

dscq_status pack__put_section(dscq_buf *b, int section, const dscq_qmodel *m,
                              const dscq_pack_options *o, pack_choice *sizes,
                              dscq_error *err)
{
    switch (section) {
    case PACK_S_NET:
        put_net(b, m);
        break;
    case PACK_S_QNT:
        if (!pack__codes_constants(m, o))
            put_constants(b, m, sizes);
        break;
    case PACK_S_QNTC:
        if (pack__codes_constants(m, o))
            pack__put_coded_constants(b, m, sizes);
        break;
    case PACK_S_IO:
        put_ends(b, m);
        break;
    case PACK_S_CLS:
        if (m->class_count > 0)
            put_classes(b, m);
        break;
    case PACK_S_META:
        if (m->meta != NULL)
            dscq_put(b, m->meta, strlen(m->meta));
        break;
    case PACK_S_DIG:
        if (m->digest_inputs > 0)
            put_digests(b, m);
        break;
    default:
        return pack__put_weights(b, m, o, sizes, err);
    }
    return DSCQ_OK;
}
