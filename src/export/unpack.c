/* The integer network as NumPy arrays. */
#include "dscq/export/unpack.h"

#include "dscq/base/alloc.h"
#include "dscq/export/npz.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct unpack_ctx {
    dscq_npz *z;
    const dscq_qmodel *m;
    const dscq_qnode *n;
    dscq_error *err;
} unpack_ctx;

static dscq_status add(const unpack_ctx *c, const char *what, const char *type,
                       size_t elem, const int64_t *shape, int32_t rank,
                       const void *data)
{
    char name[96];

    (void)snprintf(name, sizeof name, "%s.%s", c->n->name, what);
    for (char *p = name; *p != '\0'; p++)
        if (*p == '/' || *p == '\\')
            *p = '_'; /* a path in an archive would be a folder */
    return dscq_npz_add(c->z, name, type, elem, shape, rank, data, c->err);
}

/* real = value * m * 2^-r * s_y / (256 * s_x): the weights that take real inputs to
 * real outputs, batch norm's factor included. */
static dscq_status add_real(const unpack_ctx *c, const dscq_qweights *w,
                            const int64_t shape[4])
{
    const double s_x = c->m->tensor[c->n->input[0]].scale;
    const double s_y = c->m->tensor[c->n->output].scale;
    const size_t per = w->count / (size_t)w->k;
    const int64_t k_count = w->k;
    double *real = dscq_malloc(w->count, sizeof *real);
    double *bias = dscq_malloc((size_t)w->k, sizeof *bias);
    dscq_status status;

    if (real == NULL || bias == NULL) {
        status = dscq_fail_nomem(c->err, "real weights", w->count * sizeof *real);
        goto done;
    }
    for (size_t k = 0; k < (size_t)w->k; k++) {
        const double f = ldexp(c->n->mult[k], -c->n->shift[k]) * s_y / (256.0 * s_x);
        bias[k] = c->n->bias[k] / 256.0 * s_y;
        for (size_t i = 0; i < per; i++)
            real[k * per + i] = f * w->value[k * per + i];
    }
    DSCQ_TRY(add(c, "real", "<f8", 8, shape, 4, real));
    DSCQ_TRY(add(c, "real_bias", "<f8", 8, &k_count, 1, bias));
done:
    dscq_free(real);
    dscq_free(bias);
    return status;
}

static dscq_status add_weights(const unpack_ctx *c)
{
    const dscq_qweights *w = c->n->weights;
    dscq_qweights open;
    const int64_t shape[4] = {w->k, w->r, w->s, w->c};
    const int64_t entries = w->codebook_count, levels = w->k;
    dscq_status status;

    DSCQ_TRY(dscq_qweights_open(&open, w, c->err));
    DSCQ_TRY(add(c, "value", "<i2", 2, shape, 4, open.value));
    if (w->form == DSCQ_FORM_CODEBOOK)
        DSCQ_TRY(add(c, "codebook", "<i2", 2, &entries, 1, w->codebook));
    if (w->form == DSCQ_FORM_BINARY)
        DSCQ_TRY(add(c, "level", "<i2", 2, &levels, 1, w->level));
    DSCQ_TRY(add_real(c, &open, shape));
done:
    dscq_qweights_close(&open, w);
    return status;
}

static dscq_status add_node(const unpack_ctx *c)
{
    const int64_t scales = c->n->scale_count, table = c->n->table_count;
    dscq_status status = DSCQ_OK;

    if (scales > 0) {
        DSCQ_TRY(add(c, "mult", "<i2", 2, &scales, 1, c->n->mult));
        DSCQ_TRY(add(c, "shift", "|u1", 1, &scales, 1, c->n->shift));
    }
    if (dscq_qop_has(c->n->op, DSCQ_QHAS_WEIGHTS))
        DSCQ_TRY(add(c, "bias", "<i4", 4, &scales, 1, c->n->bias));
    if (dscq_qop_has(c->n->op, DSCQ_QHAS_KEYS))
        DSCQ_TRY(add(c, "positions", "<i4", 4, &scales, 1, c->n->scale_key));
    if (table > 0)
        DSCQ_TRY(add(c, "table", "<i4", 4, &table, 1, c->n->table));
    if (c->n->weights != NULL)
        DSCQ_TRY(add_weights(c));
done:
    return status;
}

/* scale, zero point, bits, sign of every tensor: rows in tensor order. */
static dscq_status add_tensors(const unpack_ctx *c)
{
    const int64_t shape[2] = {c->m->tensor_count, 7};
    double *rows = dscq_malloc((size_t)c->m->tensor_count, 7 * sizeof *rows);

    if (rows == NULL)
        return dscq_fail_nomem(c->err, "tensors", (size_t)c->m->tensor_count * 56);
    for (int32_t i = 0; i < c->m->tensor_count; i++) {
        const dscq_qtensor *t = &c->m->tensor[i];
        const double row[7] = {t->h,         t->w,          t->c,    t->bits,
                               t->is_signed, t->zero_point, t->scale};
        memcpy(rows + i * 7, row, sizeof row);
    }
    const dscq_status status =
        dscq_npz_add(c->z, "tensors", "<f8", 8, shape, 2, rows, c->err);
    dscq_free(rows);
    return status;
}

dscq_status dscq_export_npz(const char *path, const dscq_qmodel *m, dscq_error *err)
{
    unpack_ctx c = {NULL, m, NULL, err};
    dscq_status status;

    DSCQ_TRY(dscq_npz_open(&c.z, path, err));
    DSCQ_TRY(add_tensors(&c));
    for (int32_t i = 0; i < m->node_count; i++) {
        c.n = &m->node[i];
        DSCQ_TRY(add_node(&c));
    }
    return dscq_npz_close(c.z, err);
done:
    dscq_npz_abandon(c.z);
    return status;
}
