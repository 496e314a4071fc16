/* Digests: made by the reference, checked by anybody. */
#include "dscq/infer/verify.h"

#include "dscq/base/alloc.h"
#include "dscq/base/hash.h"
#include "dscq/base/io.h"
#include "dscq/infer/runtime.h"
#include "dscq/qnet/limits.h"

#include <string.h>

enum { DUMP_HEAD = 16 };
static const uint8_t k_dump_magic[8] = {'D', 'S', 'C', 'Q', 'D', 'U', 'M', 'P'};

/* One embedded input at a time, with pointers to the codes of each of the network's
 * inputs. */
typedef struct embedded {
    uint8_t *codes;
    const void *input[DSCQ_QMODEL_ENDS];
} embedded;

static dscq_status open_embedded(embedded *e, const dscq_qmodel *m, dscq_error *err)
{
    const size_t bytes = dscq_qmodel_digest_bytes(m);

    e->codes = dscq_malloc(bytes, 1);
    if (e->codes == NULL)
        return dscq_fail_nomem(err, "embedded inputs", bytes);
    dscq_qmodel_inputs_of(m, e->codes, e->input);
    return DSCQ_OK;
}

static void close_embedded(embedded *e)
{
    dscq_free(e->codes);
}

/* ---- making ---- */

static dscq_status keep_crc(void *ctx, int32_t node, const dscq_qtensor *t,
                            const void *codes, dscq_error *err)
{
    (void)err;
    ((uint32_t *)ctx)[node] = dscq_crc32(0, codes, dscq_qtensor_bytes(t));
    return DSCQ_OK;
}

/* Into inputs[n][dscq_qmodel_digest_bytes(m)]. */
static void gather(uint8_t *inputs, const dscq_qmodel *m, int32_t n,
                   const void *const *input)
{
    const size_t all = (size_t)n * (size_t)m->input_count;

    for (size_t k = 0; k < all; k++) {
        const int32_t j = (int32_t)(k % (size_t)m->input_count);
        const dscq_qtensor *t = &m->tensor[m->input[j].tensor];
        memcpy(inputs, input[k], dscq_qtensor_bytes(t));
        inputs += dscq_qtensor_room(t);
    }
}

/* A model that holds no inputs of its own has the standard ones. */
static void keep_inputs(dscq_qmodel *m, int32_t n, uint8_t *inputs)
{
    dscq_free(m->digest_input);
    m->digest_inputs = n;
    m->digest_input = inputs;
}

dscq_status dscq_infer_make_digests(dscq_qmodel *m, int32_t n, const void *const *input,
                                    dscq_error *err)
{
    uint8_t *inputs = NULL;
    uint32_t *digest = NULL;
    embedded e = {NULL, {NULL}};
    dscq_status status = DSCQ_OK;

    if (n < 0 || n > DSCQ_QNET_MAX_DIGESTS)
        return dscq_fail(err, DSCQ_ARG, "%d digest inputs; want 0 to %d", n,
                         DSCQ_QNET_MAX_DIGESTS);
    if (n > 0) {
        const size_t bytes = dscq_qmodel_digest_bytes(m);
        inputs = input != NULL ? dscq_calloc((size_t)n, bytes) : NULL;
        digest = dscq_malloc((size_t)n * (size_t)m->node_count, sizeof *digest);
        if ((inputs == NULL && input != NULL) || digest == NULL) {
            status = dscq_fail_nomem(err, "digests", (size_t)n * bytes);
            goto done;
        }
        DSCQ_TRY(open_embedded(&e, m, err));
    }
    if (inputs != NULL)
        gather(inputs, m, n, input);
    for (int32_t i = 0; i < n; i++) {
        if (inputs != NULL)
            memcpy(e.codes, inputs + (size_t)i * dscq_qmodel_digest_bytes(m),
                   dscq_qmodel_digest_bytes(m));
        else
            dscq_qmodel_standard_codes(m, i, e.codes);
        DSCQ_TRY(dscq_infer_reference(m, e.input, NULL, keep_crc,
                                      digest + (size_t)i * (size_t)m->node_count, err));
    }
    keep_inputs(m, n, inputs);
    dscq_free(m->digest);
    m->digest = digest;
    inputs = NULL;
    digest = NULL;
done:
    close_embedded(&e);
    dscq_free(inputs);
    dscq_free(digest);
    return status;
}

/* ---- comparing ---- */

static void first_code(dscq_infer_difference *d, const dscq_qtensor *t,
                       const void *want, const void *got)
{
    for (size_t i = 0; i < dscq_qtensor_count(t); i++) {
        d->want = dscq_qtensor_get(t, want, i);
        d->got = dscq_qtensor_get(t, got, i);
        if (d->want == d->got)
            continue;
        d->channel = (int32_t)(i % (size_t)t->c);
        d->column = (int32_t)(i / (size_t)t->c % (size_t)t->w);
        d->row = (int32_t)(i / (size_t)t->c / (size_t)t->w);
        return;
    }
}

static dscq_status mismatch(const dscq_qmodel *m, const dscq_infer_difference *d,
                            dscq_error *err)
{
    const char *name = m->node[d->node].name;

    if (d->channel < 0)
        return dscq_fail(err, DSCQ_MISMATCH,
                         "input %d, layer '%s': CRC %08x, the file says %08x; both "
                         "executions here agree, so the file's digest is not of this "
                         "network",
                         d->image, name, d->got_crc, d->want_crc);
    return dscq_fail(
        err, DSCQ_MISMATCH,
        "input %d, layer '%s': channel %d, row %d, column %d is %d, want %d", d->image,
        name, d->channel, d->row, d->column, d->got, d->want);
}

static dscq_status need_digests(const dscq_qmodel *m, dscq_error *err)
{
    if (m->digest_inputs == 0)
        return dscq_fail(err, DSCQ_ARG,
                         "the file holds no digests; write it with some inputs");
    return DSCQ_OK;
}

typedef struct check_ctx {
    const dscq_qmodel *m;
    dscq_infer_difference *d;
    void *got;           /* codes of the first wrong node */
    const uint8_t *dump; /* or what to compare with       */
} check_ctx;

static dscq_status check_crc(void *ctx, int32_t node, const dscq_qtensor *t,
                             const void *codes, dscq_error *err)
{
    check_ctx *c = ctx;
    const uint32_t want =
        c->m->digest[(size_t)c->d->image * (size_t)c->m->node_count + (size_t)node];
    const uint32_t got = dscq_crc32(0, codes, dscq_qtensor_bytes(t));

    if (want == got)
        return DSCQ_OK;
    c->d->node = node;
    c->d->want_crc = want;
    c->d->got_crc = got;
    c->got = dscq_malloc(dscq_qtensor_bytes(t), 1);
    if (c->got == NULL)
        return dscq_fail_nomem(err, "verification", dscq_qtensor_bytes(t));
    memcpy(c->got, codes, dscq_qtensor_bytes(t));
    return DSCQ_MISMATCH;
}

/* The reference at the node that was wrong. */
static dscq_status locate(void *ctx, int32_t node, const dscq_qtensor *t,
                          const void *codes, dscq_error *err)
{
    const check_ctx *c = ctx;

    (void)err;
    if (node != c->d->node)
        return DSCQ_OK;
    first_code(c->d, t, codes, c->got);
    return DSCQ_MISMATCH; /* no need to go on */
}

static void start(dscq_infer_difference *d, int32_t image)
{
    *d = (dscq_infer_difference){
        .image = image, .node = -1, .channel = -1, .row = -1, .column = -1};
}

dscq_status dscq_infer_verify(dscq_infer_difference *out, const dscq_qmodel *m,
                              const char *kernels, dscq_error *err)
{
    const dscq_runtime_options o = {NULL, kernels};
    dscq_infer_difference mine;
    dscq_runtime *r = NULL;
    embedded e = {NULL, {NULL}};
    check_ctx c = {m, out != NULL ? out : &mine, NULL, NULL};
    dscq_status status;

    start(c.d, 0);
    DSCQ_TRY(need_digests(m, err));
    DSCQ_TRY(open_embedded(&e, m, err));
    DSCQ_TRY(dscq_runtime_create(&r, m, &o, err));
    for (int32_t i = 0; i < m->digest_inputs; i++) {
        dscq_qmodel_digest_codes(m, i, e.codes);
        start(c.d, i);
        status = dscq_runtime_trace(r, e.input, check_crc, &c, err);
        if (status == DSCQ_MISMATCH) {
            status = dscq_infer_reference(m, e.input, NULL, locate, &c, err);
            if (status == DSCQ_MISMATCH || status == DSCQ_OK)
                status = mismatch(m, c.d, err);
        }
        if (status != DSCQ_OK)
            goto done;
    }
done:
    close_embedded(&e);
    dscq_free(c.got);
    dscq_runtime_destroy(r);
    return status;
}

/* ---- dumps ---- */

static dscq_status put_codes(void *ctx, int32_t node, const dscq_qtensor *t,
                             const void *codes, dscq_error *err)
{
    (void)node;
    return dscq_writer_put(ctx, codes, dscq_qtensor_bytes(t), err);
}

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static void dump_head(uint8_t head[DUMP_HEAD], const dscq_qmodel *m)
{
    memcpy(head, k_dump_magic, 8);
    put32(head + 8, (uint32_t)m->digest_inputs);
    put32(head + 12, (uint32_t)m->node_count);
}

dscq_status dscq_infer_dump(const char *path, const dscq_qmodel *m, dscq_error *err)
{
    uint8_t head[DUMP_HEAD];
    dscq_writer *w = NULL;
    embedded e = {NULL, {NULL}};
    dscq_status status;

    DSCQ_TRY(need_digests(m, err));
    DSCQ_TRY(open_embedded(&e, m, err));
    DSCQ_TRY(dscq_writer_open(&w, path, err));
    dump_head(head, m);
    DSCQ_TRY(dscq_writer_put(w, head, sizeof head, err));
    for (int32_t i = 0; i < m->digest_inputs; i++) {
        dscq_qmodel_digest_codes(m, i, e.codes);
        DSCQ_TRY(dscq_infer_reference(m, e.input, NULL, put_codes, w, err));
    }
    status = dscq_writer_commit(w, err);
    w = NULL;
done:
    close_embedded(&e);
    dscq_writer_abandon(w);
    return status;
}

static dscq_status check_dump(void *ctx, int32_t node, const dscq_qtensor *t,
                              const void *codes, dscq_error *err)
{
    check_ctx *c = ctx;
    const size_t bytes = dscq_qtensor_bytes(t);
    const uint8_t *got = c->dump;

    c->dump += bytes;
    if (memcmp(codes, got, bytes) == 0)
        return DSCQ_OK;
    c->d->node = node;
    first_code(c->d, t, codes, got);
    return mismatch(c->m, c->d, err);
}

dscq_status dscq_infer_verify_dump(dscq_infer_difference *out, const dscq_qmodel *m,
                                   const char *path, dscq_error *err)
{
    uint8_t head[DUMP_HEAD], *data = NULL;
    dscq_infer_difference mine;
    embedded e = {NULL, {NULL}};
    check_ctx c = {m, out != NULL ? out : &mine, NULL, NULL};
    size_t bytes, want = DUMP_HEAD, each = 0;
    dscq_status status;

    start(c.d, 0);
    DSCQ_TRY(need_digests(m, err));
    for (int32_t i = 0; i < m->node_count; i++)
        each += dscq_qtensor_bytes(&m->tensor[m->node[i].output]);
    want += each * (size_t)m->digest_inputs;
    DSCQ_TRY(dscq_file_read(&data, &bytes, path, want + 1, err));
    dump_head(head, m);
    if (bytes != want || memcmp(data, head, DUMP_HEAD) != 0) {
        status = dscq_fail(err, DSCQ_FORMAT,
                           "%s: not a dump of this network (%zu bytes, want %zu)", path,
                           bytes, want);
        goto done;
    }
    c.dump = data + DUMP_HEAD;
    DSCQ_TRY(open_embedded(&e, m, err));
    for (int32_t i = 0; i < m->digest_inputs; i++) {
        dscq_qmodel_digest_codes(m, i, e.codes);
        start(c.d, i);
        DSCQ_TRY(dscq_infer_reference(m, e.input, NULL, check_dump, &c, err));
    }
done:
    close_embedded(&e);
    dscq_free(data);
    return status;
}
