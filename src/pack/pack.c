/* The file around the sections: header, section table, checksums. */
#include "dscq/pack/pack.h"

#include "dscq/base/alloc.h"
#include "dscq/base/hash.h"
#include "dscq/base/io.h"
#include "format.h"

#include <stdio.h>

/* ---- writing ---- */

typedef struct sections {
    dscq_buf body[PACK_S_COUNT];
    size_t bytes; /* of the whole file */
    uint32_t count;
} sections;

/* One of QNT and QNTC is there; QNT when both are empty. */
static int is_written(const sections *s, int i)
{
    if (i == PACK_S_QNT)
        return s->body[PACK_S_QNTC].len == 0;
    return s->body[i].len > 0 || (pack__sections[i].required && i != PACK_S_QNTC);
}

static dscq_status make_sections(sections *s, const dscq_qmodel *m,
                                 const dscq_pack_options *o, int counting,
                                 pack_choice *sizes, dscq_error *err)
{
    dscq_status status;

    DSCQ_TRY(dscq_qmodel_check(m, err));
    s->bytes = PACK_HEADER_BYTES;
    for (int i = 0; i < PACK_S_COUNT; i++) {
        s->body[i].counting = counting;
        DSCQ_TRY(pack__put_section(&s->body[i], i, m, o, sizes, err));
        if (s->body[i].bad)
            return dscq_fail_nomem(err, pack__sections[i].text, s->body[i].len);
    }
    for (int i = 0; i < PACK_S_COUNT; i++) {
        if (!is_written(s, i))
            continue;
        s->bytes += PACK_ENTRY_BYTES + s->body[i].len;
        s->count++;
    }
done:
    return status;
}

static void free_sections(sections *s)
{
    for (int i = 0; i < PACK_S_COUNT; i++)
        dscq_buf_free(&s->body[i]);
}

static void put_file(dscq_buf *b, const sections *s)
{
    dscq_buf table = {0}, head = {0};

    for (int i = 0; i < PACK_S_COUNT; i++) {
        if (!is_written(s, i))
            continue;
        dscq_put(&table, pack__sections[i].tag, 4);
        dscq_put_u(&table, pack__sections[i].required ? PACK_REQUIRED : 0, 4);
        dscq_put_u(&table, s->body[i].len, 8);
        dscq_put_u(&table, dscq_crc32(0, s->body[i].data, s->body[i].len), 4);
        dscq_put_u(&table, 0, 4);
    }
    dscq_put(&head, PACK_MAGIC, 8);
    dscq_put_u(&head, PACK_MAJOR, 2);
    dscq_put_u(&head, is_written(s, PACK_S_QNTC) ? 1 : 0,
               2); /* lowest that has it all */
    dscq_put_u(&head, s->count, 4);
    dscq_put_u(&head, s->bytes, 8);
    dscq_put_u(&head, dscq_crc32(0, table.data, table.len), 4);
    dscq_put_u(&head, dscq_crc32(0, head.data, head.len), 4);
    dscq_buf_reserve(b, s->bytes);
    dscq_put(b, head.data, head.len);
    dscq_put(b, table.data, table.len);
    for (int i = 0; i < PACK_S_COUNT; i++)
        if (is_written(s, i))
            dscq_put(b, s->body[i].data, s->body[i].len);
    b->bad |= head.bad | table.bad;
    dscq_buf_free(&head);
    dscq_buf_free(&table);
}

static const dscq_pack_options k_keep = {DSCQ_PACK_KEEP, -1, 0};

dscq_status dscq_pack_encode(uint8_t **data, size_t *bytes, const dscq_qmodel *m,
                             const dscq_pack_options *options, dscq_error *err)
{
    sections s = {0};
    dscq_buf b = {0};
    dscq_status status;

    *data = NULL;
    *bytes = 0;
    DSCQ_TRY(make_sections(&s, m, options != NULL ? options : &k_keep, 0, NULL, err));
    put_file(&b, &s);
    if (b.bad) {
        status = dscq_fail_nomem(err, "packed file", s.bytes);
        goto done;
    }
    *data = b.data;
    *bytes = b.len;
    b.data = NULL;
done:
    free_sections(&s);
    dscq_buf_free(&b);
    return status;
}

dscq_status dscq_pack_write(const char *path, const dscq_qmodel *m,
                            const dscq_pack_options *options, dscq_error *err)
{
    uint8_t *data;
    size_t bytes;
    dscq_status status = dscq_pack_encode(&data, &bytes, m, options, err);

    if (status == DSCQ_OK)
        status = dscq_file_write(path, data, bytes, err);
    dscq_free(data);
    return status;
}

/* ---- reading ---- */

typedef struct entry {
    char tag[5];
    uint32_t flags, crc;
    uint64_t bytes;
    size_t offset;
} entry;

typedef struct toc {
    entry e[PACK_MAX_SECTIONS];
    uint32_t count;
} toc;

static dscq_status read_header(toc *t, const uint8_t *data, size_t bytes,
                               dscq_error *err)
{
    dscq_reader r = {data, bytes, 0, NULL};

    if (bytes < PACK_HEADER_BYTES)
        return dscq_fail(err, DSCQ_FORMAT, "%zu bytes are too few for a packed network",
                         bytes);
    if (bytes > PACK_MAX_FILE)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%zu bytes are more than a packed network may"
                         " have",
                         bytes);
    if (memcmp(data, PACK_MAGIC, 8) != 0)
        return dscq_fail(err, DSCQ_FORMAT,
                         memcmp(data + 1, "DSCQ", 4) == 0
                             ? "a packed network damaged by a text-mode transfer"
                             : "not a packed network (the first 8 bytes differ)");
    r.pos = 8;
    const unsigned major = (unsigned)dscq_get_u(&r, 2, "version");
    const unsigned minor = (unsigned)dscq_get_u(&r, 2, "version");
    t->count = (uint32_t)dscq_get_u(&r, 4, "sections");
    const uint64_t total = dscq_get_u(&r, 8, "file bytes");
    const uint32_t table_crc = (uint32_t)dscq_get_u(&r, 4, "checksum");
    const uint32_t head_crc = (uint32_t)dscq_get_u(&r, 4, "checksum");
    if (head_crc != dscq_crc32(0, data, PACK_HEADER_BYTES - 4))
        return dscq_fail(err, DSCQ_FORMAT,
                         "header: checksum differs; the file is damaged");
    if (major != PACK_MAJOR)
        return dscq_fail(err, DSCQ_UNSUPPORTED,
                         "format version %u.%u; this program reads %d.x", major, minor,
                         PACK_MAJOR);
    if (total != bytes)
        return dscq_fail(err, DSCQ_FORMAT, "%zu bytes; the header says %llu", bytes,
                         (unsigned long long)total);
    if (t->count > PACK_MAX_SECTIONS ||
        (size_t)t->count * PACK_ENTRY_BYTES > bytes - PACK_HEADER_BYTES)
        return dscq_fail(err, DSCQ_FORMAT, "header: %u sections", t->count);
    if (table_crc !=
        dscq_crc32(0, data + PACK_HEADER_BYTES, (size_t)t->count * PACK_ENTRY_BYTES))
        return dscq_fail(err, DSCQ_FORMAT,
                         "section table: checksum differs; the file is damaged");
    return DSCQ_OK;
}

static dscq_status read_toc(toc *t, const uint8_t *data, size_t bytes, dscq_error *err)
{
    dscq_reader r = {data, bytes, PACK_HEADER_BYTES, NULL};
    const dscq_status status = read_header(t, data, bytes, err);
    if (status != DSCQ_OK)
        return status;

    size_t offset = PACK_HEADER_BYTES + (size_t)t->count * PACK_ENTRY_BYTES;
    for (uint32_t i = 0; i < t->count; i++) {
        entry *e = &t->e[i];
        memcpy(e->tag, dscq_get_bytes(&r, 4, "tag"), 4);
        e->tag[4] = '\0';
        e->flags = (uint32_t)dscq_get_u(&r, 4, "flags");
        e->bytes = dscq_get_u(&r, 8, "bytes");
        e->crc = (uint32_t)dscq_get_u(&r, 4, "checksum");
        const uint64_t reserved = dscq_get_u(&r, 4, "reserved");
        for (int c = 0; c < 4; c++)
            if (e->tag[c] < ' ' || e->tag[c] > '~')
                return dscq_fail(err, DSCQ_FORMAT, "section %u: its tag is not text",
                                 i);
        if (e->flags > PACK_REQUIRED || reserved != 0)
            return dscq_fail(err, DSCQ_FORMAT, "section '%s': unknown flags", e->tag);
        if (e->bytes > bytes - offset)
            return dscq_fail(err, DSCQ_FORMAT,
                             "section '%s': %llu bytes; the file has %zu left", e->tag,
                             (unsigned long long)e->bytes, bytes - offset);
        e->offset = offset;
        offset += (size_t)e->bytes;
    }
    if (offset != bytes)
        return dscq_fail(err, DSCQ_FORMAT, "%zu bytes behind the last section",
                         bytes - offset);
    for (uint32_t i = 0; i < t->count; i++)
        if (t->e[i].crc != dscq_crc32(0, data + t->e[i].offset, (size_t)t->e[i].bytes))
            return dscq_fail(err, DSCQ_FORMAT,
                             "section '%s': checksum differs; the file is damaged",
                             t->e[i].tag);
    return DSCQ_OK;
}

static int known(const char *tag)
{
    for (int i = 0; i < PACK_S_COUNT; i++)
        if (strcmp(pack__sections[i].tag, tag) == 0)
            return i;
    return -1;
}

/* Where each known section is; known ones stand in the order of the list. */
static dscq_status find_sections(const entry *found[PACK_S_COUNT], const toc *t,
                                 dscq_error *err)
{
    int last = -1;

    for (uint32_t i = 0; i < t->count; i++) {
        const entry *e = &t->e[i];
        const int s = known(e->tag);
        if (s < 0 && (e->flags & PACK_REQUIRED) != 0)
            return dscq_fail(err, DSCQ_UNSUPPORTED,
                             "section '%s' is required and unknown to this program",
                             e->tag);
        if (s < 0)
            continue;
        if (s <= last)
            return dscq_fail(err, DSCQ_FORMAT, "section '%s' is %s", e->tag,
                             found[s] != NULL ? "there twice" : "out of order");
        if ((int)(e->flags & PACK_REQUIRED) != pack__sections[s].required ||
            (e->bytes == 0 && !pack__sections[s].required))
            return dscq_fail(err, DSCQ_FORMAT, "section '%s': wrong flags or empty",
                             e->tag);
        found[s] = e;
        last = s;
    }
    if (found[PACK_S_QNT] != NULL && found[PACK_S_QNTC] != NULL)
        return dscq_fail(err, DSCQ_FORMAT,
                         "sections 'QNT ' and 'QNTC' exclude each other");
    for (int s = 0; s < PACK_S_COUNT; s++)
        if (pack__sections[s].required && found[s] == NULL && s != PACK_S_QNTC &&
            (s != PACK_S_QNT || found[PACK_S_QNTC] == NULL))
            return dscq_fail(err, DSCQ_FORMAT, "section '%s' (%s) is missing",
                             pack__sections[s].tag, pack__sections[s].text);
    return DSCQ_OK;
}

/* The network keeps `data`: its weights stay packed in there. Freed in any case. */
static dscq_status decode_owned(dscq_qmodel **out, uint8_t *data, size_t bytes,
                                dscq_error *err)
{
    const entry *found[PACK_S_COUNT] = {NULL};
    dscq_qmodel *m = NULL;
    toc t = {0};
    dscq_status status;

    DSCQ_TRY(read_toc(&t, data, bytes, err));
    DSCQ_TRY(find_sections(found, &t, err));
    DSCQ_TRY(dscq_qmodel_create(&m, err));
    for (int s = 0; s < PACK_S_COUNT; s++) {
        if (found[s] == NULL)
            continue;
        dscq_reader r = {data + found[s]->offset, (size_t)found[s]->bytes, 0, NULL};
        DSCQ_TRY(pack__get_section(m, s, &r, bytes, err));
        if (r.bad == NULL && r.pos != r.len)
            dscq_get_fail(&r, "bytes behind its end");
        if (r.bad != NULL) {
            status =
                dscq_fail(err, DSCQ_FORMAT, "section '%s': %s", found[s]->tag, r.bad);
            goto done;
        }
    }
    DSCQ_TRY(dscq_qmodel_check(m, err));
    for (int32_t i = 0; i < m->node_count; i++)
        if (m->node[i].weights != NULL)
            DSCQ_TRY(dscq_qweights_check(m, &m->node[i], err));
    m->file = data;
    *out = m;
    return DSCQ_OK;
done:
    dscq_qmodel_destroy(m);
    dscq_free(data);
    return status;
}

dscq_status dscq_pack_decode(dscq_qmodel **out, const void *data, size_t bytes,
                             dscq_error *err)
{
    uint8_t *copy = dscq_malloc(bytes, 1);

    *out = NULL;
    if (copy == NULL)
        return dscq_fail_nomem(err, "packed file", bytes);
    if (bytes > 0)
        memcpy(copy, data, bytes);
    return decode_owned(out, copy, bytes, err);
}

dscq_status dscq_pack_read(dscq_qmodel **out, const char *path, dscq_error *err)
{
    uint8_t *data;
    size_t bytes;
    dscq_status status =
        dscq_file_read(&data, &bytes, path, (size_t)PACK_MAX_FILE, err);

    *out = NULL;
    if (status != DSCQ_OK)
        return status;
    status = decode_owned(out, data, bytes, err);
    return status == DSCQ_OK ? status : dscq_fail_at(err, "%s", path);
}

dscq_status dscq_pack_sections(dscq_table **out, const void *data, size_t bytes,
                               dscq_error *err)
{
    static const dscq_column columns[] = {DSCQ_TEXT_COLUMN("tag", "section"),
                                          DSCQ_INT_COLUMN("required", ""),
                                          DSCQ_INT_COLUMN("offset_bytes", "offset"),
                                          DSCQ_INT_COLUMN("size_bytes", "bytes"),
                                          DSCQ_TEXT_COLUMN("crc32", ""),
                                          DSCQ_TEXT_COLUMN("content", ""),
                                          DSCQ_COLUMN_END};
    toc t = {0};
    dscq_status status;

    *out = NULL;
    DSCQ_TRY(read_toc(&t, data, bytes, err));
    DSCQ_TRY(dscq_table_create(out, "sections", columns, err));
    for (uint32_t i = 0; i < t.count; i++) {
        const int s = known(t.e[i].tag);
        char crc[16];

        (void)snprintf(crc, sizeof crc, "%08x", t.e[i].crc);
        DSCQ_TABLE_ROW(*out, dscq_text(t.e[i].tag),
                       dscq_int(t.e[i].flags & PACK_REQUIRED),
                       dscq_int((int64_t)t.e[i].offset),
                       dscq_int((int64_t)t.e[i].bytes), dscq_text(crc),
                       dscq_text(s < 0 ? "unknown, skipped" : pack__sections[s].text));
    }
    status = dscq_table_finish(out, err);
done:
    return status;
}

/* ---- accounting ---- */

static void add_sizes(dscq_pack_size *sum, const dscq_pack_size *s)
{
    sum->values += s->values;
    sum->positions += s->positions;
    sum->codebooks += s->codebooks;
    sum->constants += s->constants;
    sum->padding += s->padding;
    sum->headers += s->headers;
}

static const dscq_column k_sizes[] = {
    DSCQ_TEXT_COLUMN("layer", ""),
    DSCQ_TEXT_COLUMN("encoding", ""),
    DSCQ_INT_COLUMN("encoding_arg", "arg"),
    DSCQ_INT_COLUMN("weights", ""),
    DSCQ_INT_COLUMN("nonzero", ""),
    DSCQ_INT_COLUMN("bits_per_code", ""),
    DSCQ_INT_COLUMN("values_bits", ""),
    DSCQ_INT_COLUMN("positions_bits", ""),
    DSCQ_INT_COLUMN("codebook_bits", ""),
    DSCQ_INT_COLUMN("constants_bits", ""),
    DSCQ_INT_COLUMN("padding_bits", ""),
    DSCQ_INT_COLUMN("header_bits", ""),
    DSCQ_INT_COLUMN("total_bits", ""),
    DSCQ_REAL_COLUMN("density", "", 4),
    DSCQ_REAL_COLUMN("entropy_positions_bits", "bound pos", 0),
    DSCQ_REAL_COLUMN("entropy_values_bits", "bound val", 0),
    DSCQ_REAL_COLUMN("bits_per_weight", "bits/w", 3),
    DSCQ_COLUMN_END};

static void add_layer_row(dscq_table *t, const dscq_qnode *n, const pack_choice *c,
                          double positions, double values)
{
    const dscq_qweights *w = n->weights;
    const size_t nnz = dscq_qweights_nonzero(w);
    const uint64_t total = dscq_pack_size_bits(&c->size);

    DSCQ_TABLE_ROW(
        t, dscq_text(n->name), dscq_text(pack__encoding(c->encoding)->info.name),
        dscq_int(c->arg), dscq_int((int64_t)w->count), dscq_int((int64_t)nnz),
        dscq_int(w->bits), dscq_int((int64_t)c->size.values),
        dscq_int((int64_t)c->size.positions), dscq_int((int64_t)c->size.codebooks),
        dscq_int((int64_t)c->size.constants), dscq_int((int64_t)c->size.padding),
        dscq_int((int64_t)c->size.headers), dscq_int((int64_t)total),
        dscq_real((double)nnz / (double)w->count), dscq_real(positions),
        dscq_real(values), dscq_real((double)total / (double)w->count));
}

static dscq_status account(dscq_pack_summary *out, dscq_table *t, const dscq_qmodel *m,
                           const pack_choice *sizes, const sections *s, dscq_error *err)
{
    uint64_t weights_bits = 0;
    dscq_status status = DSCQ_OK;

    *out = (dscq_pack_summary){.file_bytes = s->bytes, .float_bytes = m->float_bytes};
    for (int32_t i = 0; i < m->node_count; i++) {
        const dscq_qnode *n = &m->node[i];
        double positions, values;
        if (n->weights == NULL)
            continue;
        DSCQ_TRY(dscq_pack_entropy(&positions, &values, n->weights, err));
        out->weights += n->weights->count;
        out->nonzero += dscq_qweights_nonzero(n->weights);
        out->a_bits += (double)dscq_qweights_nonzero(n->weights) * n->weights->bits;
        out->c_position_bits += positions;
        out->c_bits += positions + values;
        add_sizes(&out->size, &sizes[i].size);
        weights_bits += dscq_pack_size_bits(&sizes[i].size) - sizes[i].size.constants;
        if (t != NULL)
            add_layer_row(t, n, &sizes[i], positions, values);
    }
    out->size.constants =
        (uint64_t)(s->body[PACK_S_QNT].len + s->body[PACK_S_QNTC].len) * 8;
    out->size.headers += (uint64_t)s->bytes * 8 - weights_bits - out->size.constants;
done:
    return status;
}

dscq_status dscq_pack_sizes(dscq_pack_summary *out, dscq_table **layers,
                            const dscq_qmodel *m, const dscq_pack_options *options,
                            dscq_error *err)
{
    pack_choice *sizes = dscq_calloc((size_t)m->node_count, sizeof *sizes);
    sections s = {0};
    dscq_status status;

    if (layers != NULL)
        *layers = NULL;
    if (sizes == NULL)
        return dscq_fail_nomem(err, "sizes", (size_t)m->node_count * sizeof *sizes);
    DSCQ_TRY(make_sections(&s, m, options != NULL ? options : &k_keep, 1, sizes, err));
    if (layers != NULL)
        DSCQ_TRY(dscq_table_create(layers, "layers", k_sizes, err));
    DSCQ_TRY(account(out, layers != NULL ? *layers : NULL, m, sizes, &s, err));
    if (layers != NULL)
        status = dscq_table_finish(layers, err);
done:
    dscq_free(sizes);
    free_sections(&s);
    return status;
}
