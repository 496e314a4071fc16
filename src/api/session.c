/* Running a network of integers: buffers that grow to the largest batch. */
#include "api_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/par.h"
#include "dscq/flow/run.h"
#include "dscq/infer/runtime.h"

#include <string.h>

dscq_status dscq_session_open(dscq_session **out, const dscq_qnet *q,
                              const dscq_session_options *options, dscq_error *err)
{
    dscq_session_options o;
    dscq_session *s = NULL;
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(out, "out", err));
    *out = NULL;
    DSCQ_TRY(api__need(q, "qnet", err));
    DSCQ_TRY(api__take(&o, sizeof o, options, "dscq_session_options", err));
    if (o.threads < 0)
        DSCQ_TRY(dscq_fail(err, DSCQ_ARG, "threads %d: 0 or more", (int)o.threads));
    s = dscq_calloc(1, sizeof *s);
    if (s == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "a session", sizeof *s));
    s->q = q->model;
    for (int32_t i = 0; i < s->q->input_count; i++)
        s->in_bytes += dscq_qtensor_room(&s->q->tensor[s->q->input[i].tensor]);
    for (int32_t i = 0; i < s->q->output_count; i++)
        s->out_bytes += dscq_qtensor_room(&s->q->tensor[s->q->output[i].tensor]);
    DSCQ_TRY(dscq_pool_create(&s->pool, o.threads, err));
    const dscq_runtime_options ro = {.pool = s->pool, .kernels = o.kernels};
    DSCQ_TRY(dscq_runtime_create(&s->runtime, s->q, &ro, err));
    *out = s;
    return DSCQ_OK;
done:
    dscq_session_close(s);
    return status;
}

static void free_buffers(dscq_session *s)
{
    dscq_free(s->codes);
    dscq_free(s->out);
    dscq_free(s->pixels);
    dscq_free(s->input);
    dscq_free(s->output);
    s->codes = s->out = s->pixels = NULL;
    s->input = NULL;
    s->output = NULL;
    s->room = s->count = 0;
}

void dscq_session_close(dscq_session *s)
{
    if (s == NULL)
        return;
    dscq_runtime_destroy(s->runtime);
    dscq_pool_destroy(s->pool);
    free_buffers(s);
    dscq_free(s);
}

/* Where the maps of every image stand. */
static void place_maps(dscq_session *s)
{
    const dscq_qmodel *q = s->q;
    const void **in = s->input;
    void **out = s->output;

    for (size_t n = 0; n < (size_t)s->room; n++) {
        uint8_t *at = s->codes + n * s->in_bytes;
        for (int32_t i = 0; i < q->input_count; i++) {
            *in++ = at;
            at += dscq_qtensor_room(&q->tensor[q->input[i].tensor]);
        }
        at = s->out + n * s->out_bytes;
        for (int32_t i = 0; i < q->output_count; i++) {
            *out++ = at;
            at += dscq_qtensor_room(&q->tensor[q->output[i].tensor]);
        }
    }
}

static dscq_status make_room(dscq_session *s, int32_t count, dscq_error *err)
{
    const size_t n = (size_t)count;

    if (count < 1)
        return dscq_fail(err, DSCQ_ARG, "%d images: 1 or more", (int)count);
    s->count = 0;
    if (count <= s->room)
        return DSCQ_OK;
    free_buffers(s);
    s->codes = dscq_malloc(n, s->in_bytes);
    s->out = dscq_malloc(n, s->out_bytes);
    s->input = dscq_calloc(n * (size_t)s->q->input_count, sizeof *s->input);
    s->output = dscq_calloc(n * (size_t)s->q->output_count, sizeof *s->output);
    if (s->codes == NULL || s->out == NULL || s->input == NULL || s->output == NULL) {
        free_buffers(s);
        return dscq_fail_nomem(err, "a batch of images",
                               n * (s->in_bytes + s->out_bytes));
    }
    s->room = count;
    place_maps(s);
    return DSCQ_OK;
}

static void run(dscq_session *s, int32_t count)
{
    dscq_runtime_run(s->runtime, count, s->input, s->output);
    s->count = count;
}

dscq_status dscq_session_run_floats(dscq_session *s, int32_t count,
                                    const float *const *x, dscq_error *err)
{
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(s, "session", err));
    DSCQ_TRY(api__need(x, "x", err));
    for (int32_t i = 0; i < s->q->input_count; i++)
        DSCQ_TRY(api__need(x[i], "x[]", err));
    DSCQ_TRY(make_room(s, count, err));
    for (int32_t n = 0; n < count; n++) {
        uint8_t *at = s->codes + (size_t)n * s->in_bytes;
        for (int32_t i = 0; i < s->q->input_count; i++) {
            const dscq_qtensor *t = &s->q->tensor[s->q->input[i].tensor];
            dscq_infer_quantise_real(t, x[i] + (size_t)n * dscq_qtensor_count(t), at);
            at += dscq_qtensor_room(t);
        }
    }
    run(s, count);
done:
    return status;
}

static void quantise_picture(void *ctx, size_t i, int worker)
{
    dscq_session *s = ctx;
    const dscq_qtensor *t = &s->q->tensor[s->q->input[0].tensor];

    (void)worker;
    dscq_flow_codes(s->codes + i * s->in_bytes, s->q,
                    s->pixels + i * dscq_qtensor_count(t));
}

dscq_status dscq_session_run_pixels(dscq_session *s, int32_t count,
                                    const uint8_t *pixels, dscq_error *err)
{
    dscq_preproc is_picture;
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(s, "session", err));
    DSCQ_TRY(api__need(pixels, "pixels", err));
    DSCQ_TRY(dscq_flow_preproc(&is_picture, s->q, err));
    DSCQ_TRY(make_room(s, count, err));
    const size_t each = dscq_qtensor_count(&s->q->tensor[s->q->input[0].tensor]);
    if (s->pixels == NULL)
        s->pixels = dscq_malloc((size_t)s->room, each);
    if (s->pixels == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "a batch of pictures", (size_t)s->room * each));
    memcpy(s->pixels, pixels, (size_t)count * each);
    dscq_pool_run(s->pool, (size_t)count, quantise_picture, s);
    run(s, count);
done:
    return status;
}
