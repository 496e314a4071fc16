/* What differs between two networks, one row a difference. */
#include "format.h"

#include <stdarg.h>
#include <stdio.h>

typedef struct diff_ctx {
    dscq_table *t;
    dscq_status status; /* the first failure */
    dscq_error *err;
} diff_ctx;

DSCQ_PRINTF(4, 5)
static void row(diff_ctx *d, const char *where, const char *what, const char *fmt, ...)
{
    char text[160];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    char *second = strchr(text, '\x1f');
    if (second != NULL)
        *second++ = '\0';
    DSCQ_TABLE_ROW(d->t, dscq_text(where), dscq_text(what), dscq_text(text),
                   dscq_text(second != NULL ? second : ""));
}

static void number(diff_ctx *d, const char *where, const char *what, int64_t a,
                   int64_t b)
{
    if (a != b)
        row(d, where, what, "%lld\x1f%lld", (long long)a, (long long)b);
}

static void real(diff_ctx *d, const char *where, const char *what, double a, double b)
{
    if (a != b)
        row(d, where, what, "%.9g\x1f%.9g", a, b);
}

static void words(diff_ctx *d, const char *where, const char *what, const char *a,
                  const char *b)
{
    if (strcmp(a, b) != 0)
        row(d, where, what, "%.60s\x1f%.60s", a, b);
}

static void tensor(diff_ctx *d, const dscq_qtensor *a, const dscq_qtensor *b)
{
    words(d, a->name, "tensor name", a->name, b->name);
    number(d, a->name, "rows", a->h, b->h);
    number(d, a->name, "columns", a->w, b->w);
    number(d, a->name, "channels", a->c, b->c);
    number(d, a->name, "bits", a->bits, b->bits);
    number(d, a->name, "signed", a->is_signed, b->is_signed);
    number(d, a->name, "zero point", a->zero_point, b->zero_point);
    real(d, a->name, "scale", a->scale, b->scale);
}

static void array(diff_ctx *d, const char *where, const char *what, const void *a,
                  const void *b, size_t count, size_t each)
{
    const uint8_t *x = a, *y = b;
    size_t differ = 0, first = 0;

    for (size_t i = 0; x != NULL && y != NULL && i < count; i++)
        if (memcmp(x + i * each, y + i * each, each) != 0 && differ++ == 0)
            first = i;
    if (differ > 0)
        row(d, where, what,
            "%zu of %zu differ\x1f"
            "first at %zu",
            differ, count, first);
}

static void values(diff_ctx *d, const char *where, const dscq_qweights *a,
                   const dscq_qweights *b)
{
    dscq_qweights x, y;

    if (d->status != DSCQ_OK)
        return;
    d->status = dscq_qweights_open(&x, a, d->err);
    if (d->status != DSCQ_OK)
        return;
    d->status = dscq_qweights_open(&y, b, d->err);
    if (d->status == DSCQ_OK)
        array(d, where, "weights", x.value, y.value, a->count, sizeof *x.value);
    dscq_qweights_close(&y, b);
    dscq_qweights_close(&x, a);
}

static void weights(diff_ctx *d, const char *where, const dscq_qweights *a,
                    const dscq_qweights *b)
{
    if (a == NULL || b == NULL || a->count != b->count || a->k != b->k ||
        a->r != b->r || a->s != b->s) {
        if (a != b)
            row(d, where, "weights", "%zu\x1f%zu", a ? a->count : 0, b ? b->count : 0);
        return;
    }
    number(d, where, "weight form", a->form, b->form);
    number(d, where, "weight bits", a->bits, b->bits);
    number(d, where, "codebook entries", a->codebook_count, b->codebook_count);
    array(d, where, "codebook", a->codebook, b->codebook,
          a->codebook_count < b->codebook_count ? (size_t)a->codebook_count
                                                : (size_t)b->codebook_count,
          2);
    values(d, where, a, b);
    if (a->form == DSCQ_FORM_BINARY && b->form == DSCQ_FORM_BINARY) {
        array(d, where, "levels", a->level, b->level, (size_t)a->k, sizeof *a->level);
        number(d, where, "block", a->block, b->block);
        if (a->block_count == b->block_count)
            array(d, where, "blocks", a->block_high, b->block_high, a->block_count, 1);
    }
}

static void node(diff_ctx *d, const dscq_qnode *a, const dscq_qnode *b)
{
    dscq_qnode x = *a, y = *b;

    words(d, a->name, "node name", a->name, b->name);
    number(d, a->name, "output", a->output, b->output);
    number(d, a->name, "inputs", a->input_count, b->input_count);
    for (int32_t i = 0; i < a->input_count && i < b->input_count; i++)
        number(d, a->name, "input", a->input[i], b->input[i]);
    if (a->op != b->op) {
        row(d, a->name, "operation", "%s\x1f%s", dscq_qop_name(a->op),
            dscq_qop_name(b->op));
        return;
    }
    for (size_t i = 0; i < pack__field_count; i++)
        if (pack__field_in(&pack__fields[i], a->op))
            number(d, a->name, pack__fields[i].name, *pack__field(&pack__fields[i], &x),
                   *pack__field(&pack__fields[i], &y));
    number(d, a->name, "scale entries", a->scale_count, b->scale_count);
    number(d, a->name, "table entries", a->table_count, b->table_count);
    if (a->scale_count == b->scale_count) {
        const size_t n = (size_t)a->scale_count;
        array(d, a->name, "multipliers", a->mult, b->mult, n, sizeof *a->mult);
        array(d, a->name, "shifts", a->shift, b->shift, n, 1);
        if (dscq_qop_has(a->op, DSCQ_QHAS_WEIGHTS))
            array(d, a->name, "biases", a->bias, b->bias, n, sizeof *a->bias);
    }
    if (a->table_count == b->table_count)
        array(d, a->name, "table", a->table, b->table, (size_t)a->table_count,
              sizeof *a->table);
    weights(d, a->name, a->weights, b->weights);
}

static void input(diff_ctx *d, const dscq_qinput *a, const dscq_qinput *b)
{
    number(d, "input", "tensor", a->tensor, b->tensor);
    number(d, "input", "is image", a->is_image, b->is_image);
    if (!a->is_image || !b->is_image)
        return;
    number(d, "input", "resize mode", a->resize_mode, b->resize_mode);
    number(d, "input", "resize filter", a->resize_filter, b->resize_filter);
    number(d, "input", "colour order", a->colour_order, b->colour_order);
    number(d, "input", "fill", a->fill, b->fill);
    real(d, "input", "scale", a->scale, b->scale);
    for (int c = 0; c < 4; c++) {
        real(d, "input", "mean", a->mean[c], b->mean[c]);
        real(d, "input", "deviation", a->std[c], b->std[c]);
        number(d, "input", "multiplier", a->mult[c], b->mult[c]);
        number(d, "input", "offset", a->offset[c], b->offset[c]);
    }
}

static void ends(diff_ctx *d, const dscq_qmodel *a, const dscq_qmodel *b)
{
    number(d, "file", "inputs", a->input_count, b->input_count);
    for (int32_t i = 0; i < a->input_count && i < b->input_count; i++)
        input(d, &a->input[i], &b->input[i]);
    number(d, "file", "outputs", a->output_count, b->output_count);
    for (int32_t i = 0; i < a->output_count && i < b->output_count; i++) {
        number(d, "output", "tensor", a->output[i].tensor, b->output[i].tensor);
        words(d, "output", "role", a->output[i].role, b->output[i].role);
        words(d, "output", "settings", a->output[i].params, b->output[i].params);
    }
    number(d, "file", "class names", a->class_count, b->class_count);
    for (int32_t i = 0; i < a->class_count && i < b->class_count; i++)
        words(d, "file", "class name", a->class_name[i], b->class_name[i]);
}

static int is_standard(const dscq_qmodel *m)
{
    return m->digest_input == NULL ||
           dscq_qmodel_is_standard(m, m->digest_input, m->digest_inputs);
}

static void digests(diff_ctx *d, const dscq_qmodel *a, const dscq_qmodel *b)
{
    number(d, "file", "digest inputs", a->digest_inputs, b->digest_inputs);
    if (a->digest_inputs != b->digest_inputs || a->node_count != b->node_count ||
        a->input_count < 1 || b->input_count < 1)
        return;
    const size_t n = (size_t)a->digest_inputs;
    const size_t bytes = dscq_qmodel_digest_bytes(a);
    const int a_standard = is_standard(a), b_standard = is_standard(b);
    if (a_standard != b_standard)
        words(d, "file", "digest inputs", a_standard ? "standard" : "stored",
              b_standard ? "standard" : "stored");
    else if (!a_standard && bytes == dscq_qmodel_digest_bytes(b))
        array(d, "file", "digest input bytes", a->digest_input, b->digest_input,
              n * bytes, 1);
    array(d, "file", "digests", a->digest, b->digest, n * (size_t)a->node_count, 4);
}

dscq_status dscq_pack_diff(dscq_table **out, const dscq_qmodel *a, const dscq_qmodel *b,
                           dscq_error *err)
{
    diff_ctx d = {NULL, DSCQ_OK, err};
    static const dscq_column columns[] = {
        DSCQ_TEXT_COLUMN("where", ""), DSCQ_TEXT_COLUMN("what", ""),
        DSCQ_TEXT_COLUMN("a", ""), DSCQ_TEXT_COLUMN("b", ""), DSCQ_COLUMN_END};
    const dscq_status status = dscq_table_create(out, "differences", columns, err);

    if (status != DSCQ_OK)
        return status;
    d.t = *out;
    words(&d, "file", "name", a->name, b->name);
    number(&d, "file", "tensors", a->tensor_count, b->tensor_count);
    number(&d, "file", "nodes", a->node_count, b->node_count);
    for (int32_t i = 0; i < a->tensor_count && i < b->tensor_count; i++)
        tensor(&d, &a->tensor[i], &b->tensor[i]);
    for (int32_t i = 0; i < a->node_count && i < b->node_count; i++)
        node(&d, &a->node[i], &b->node[i]);
    ends(&d, a, b);
    words(&d, "file", "meta data", a->meta ? a->meta : "", b->meta ? b->meta : "");
    number(&d, "file", "float bytes", (int64_t)a->float_bytes, (int64_t)b->float_bytes);
    digests(&d, a, b);
    return d.status != DSCQ_OK ? d.status : dscq_table_check(d.t, err);
}
