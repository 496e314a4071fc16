/* A network of integers: in and out, and what it is. */
#include "api_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/hash.h"
#include "dscq/base/io.h"
#include "dscq/flow/run.h"
#include "dscq/infer/verify.h"
#include "dscq/pack/pack.h"

#include <string.h>

enum { FILE_BYTES_MAX = 1 << 30 };

dscq_status api__qnet_of(dscq_qnet **out, const void *data, size_t bytes,
                         dscq_error *err)
{
    dscq_qnet *q = dscq_calloc(1, sizeof *q);
    dscq_status status;

    if (q == NULL)
        return dscq_fail_nomem(err, "a network", sizeof *q);
    DSCQ_TRY(dscq_pack_decode(&q->model, data, bytes, err));
    q->file_bytes = bytes;
    dscq_sha256_hex(q->sha256, data, bytes);
    *out = q;
    return DSCQ_OK;
done:
    dscq_free(q);
    return status;
}

dscq_status dscq_qnet_open(dscq_qnet **out, const char *path, dscq_error *err)
{
    uint8_t *data = NULL;
    size_t bytes;
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(out, "out", err));
    *out = NULL;
    DSCQ_TRY(api__need(path, "path", err));
    DSCQ_TRY(dscq_file_read(&data, &bytes, path, FILE_BYTES_MAX, err));
    status = api__qnet_of(out, data, bytes, err);
    if (status != DSCQ_OK)
        (void)dscq_fail_at(err, "%s", path);
done:
    dscq_free(data);
    return status;
}

dscq_status dscq_qnet_decode(dscq_qnet **out, const void *data, size_t bytes,
                             dscq_error *err)
{
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(out, "out", err));
    *out = NULL;
    DSCQ_TRY(api__need(data, "data", err));
    DSCQ_TRY(api__qnet_of(out, data, bytes, err));
done:
    return status;
}

void dscq_qnet_close(dscq_qnet *q)
{
    if (q != NULL)
        dscq_qmodel_destroy(q->model);
    dscq_free(q);
}

/* *out: NULL for the encodings that the network has, else o filled. */
static dscq_status pack_options(const dscq_pack_options **out, dscq_pack_options *o,
                                const char *profile, dscq_error *err)
{
    *out = profile != NULL ? o : NULL;
    return profile != NULL ? dscq_pack_options_parse(o, profile, err) : DSCQ_OK;
}

dscq_status dscq_qnet_write(const dscq_qnet *q, const char *path, const char *profile,
                            dscq_error *err)
{
    const dscq_pack_options *as;
    dscq_pack_options o;
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(q, "qnet", err));
    DSCQ_TRY(api__need(path, "path", err));
    DSCQ_TRY(pack_options(&as, &o, profile, err));
    DSCQ_TRY(dscq_pack_write(path, q->model, as, err));
done:
    return status;
}

dscq_status dscq_qnet_encode(uint8_t **data, size_t *bytes, const dscq_qnet *q,
                             const char *profile, dscq_error *err)
{
    const dscq_pack_options *as;
    dscq_pack_options o;
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(data, "data", err));
    *data = NULL;
    DSCQ_TRY(api__need(bytes, "bytes", err));
    DSCQ_TRY(api__need(q, "qnet", err));
    DSCQ_TRY(pack_options(&as, &o, profile, err));
    DSCQ_TRY(dscq_pack_encode(data, bytes, q->model, as, err));
done:
    return status;
}

dscq_status dscq_qnet_verify(const dscq_qnet *q, dscq_error *err)
{
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(q, "qnet", err));
    DSCQ_TRY(dscq_infer_verify(NULL, q->model, NULL, err));
done:
    return status;
}

dscq_status dscq_qnet_answer(dscq_table **out, const dscq_qnet *q,
                             const char *const *path, size_t count,
                             const dscq_answer_request *request, dscq_error *err)
{
    const double default_threshold = 0.3;
    dscq_answer_request a;
    api_listener listener;
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(out, "out", err));
    *out = NULL;
    DSCQ_TRY(api__need(q, "qnet", err));
    DSCQ_TRY(api__need(path, "path", err));
    DSCQ_TRY(api__take(&a, sizeof a, request, "dscq_answer_request", err));
    DSCQ_TRY(api__listen(&listener, a.events, err));
    const dscq_answer_options o = {.top = a.top > 0 ? a.top : 1,
                                   .threshold = a.threshold > 0 ? a.threshold
                                                                : default_threshold,
                                   .draw = a.draw,
                                   .threads = a.threads > 0 ? a.threads : 0,
                                   .log = &listener.log};
    DSCQ_TRY(dscq_flow_answer(out, q->model, path, count, &o, err));
done:
    return status;
}
