/* What the last run of a session left in its buffers. */
#include "api_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/flow/run.h"
#include "dscq/infer/runtime.h"

static const dscq_qtensor *output_map(const dscq_session *s, int32_t i)
{
    return i >= 0 && i < s->q->output_count ? &s->q->tensor[s->q->output[i].tensor]
                                            : NULL;
}

const void *dscq_session_codes(size_t *bytes, const dscq_session *s, int32_t i,
                               int32_t image)
{
    const dscq_qtensor *t = output_map(s, i);

    if (t == NULL || image < 0 || image >= s->count)
        return NULL;
    if (bytes != NULL)
        *bytes = dscq_qtensor_bytes(t);
    return s->output[(size_t)image * (size_t)s->q->output_count + (size_t)i];
}

dscq_status dscq_session_output(float *to, size_t capacity, const dscq_session *s,
                                int32_t i, dscq_error *err)
{
    double *real = NULL;
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(to, "to", err));
    DSCQ_TRY(api__need(s, "session", err));
    const dscq_qtensor *t = output_map(s, i);
    if (t == NULL)
        DSCQ_TRY(dscq_fail(err, DSCQ_ARG, "output %d: there are %d", (int)i,
                           (int)s->q->output_count));
    const size_t each = dscq_qtensor_count(t);
    if (capacity / each < (size_t)s->count)
        DSCQ_TRY(dscq_fail(err, DSCQ_ARG,
                           "output %d of %d images is %zu numbers, room is for %zu",
                           (int)i, (int)s->count, (size_t)s->count * each, capacity));
    real = dscq_malloc(each, sizeof *real);
    if (real == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "an output", each * sizeof *real));
    for (int32_t n = 0; n < s->count; n++) {
        dscq_infer_dequantise(t, dscq_session_codes(NULL, s, i, n), real);
        for (size_t k = 0; k < each; k++)
            *to++ = (float)real[k];
    }
done:
    dscq_free(real);
    return status;
}

dscq_status dscq_session_top(int32_t *classes, double *probabilities,
                             const dscq_session *s, int32_t image, int32_t k,
                             dscq_error *err)
{
    double *real = NULL;
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(classes, "classes", err));
    DSCQ_TRY(api__need(s, "session", err));
    const void *codes = dscq_session_codes(NULL, s, 0, image);
    if (codes == NULL)
        DSCQ_TRY(dscq_fail(err, DSCQ_ARG, "image %d: the last run had %d", (int)image,
                           (int)s->count));
    const dscq_qtensor *t = output_map(s, 0);
    const size_t count = dscq_qtensor_count(t);
    if (k < 1 || (size_t)k > count)
        DSCQ_TRY(dscq_fail(err, DSCQ_ARG, "k %d: 1 to %zu", (int)k, count));
    real = dscq_malloc(count, sizeof *real);
    if (real == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "classes", count * sizeof *real));
    dscq_infer_dequantise(t, codes, real);
    dscq_ranking r = dscq_ranking_begin(real, (int32_t)count);
    for (int32_t i = 0; i < k; i++) {
        double probability;
        classes[i] = dscq_ranking_next(&r, &probability);
        if (probabilities != NULL)
            probabilities[i] = probability;
    }
done:
    dscq_free(real);
    return status;
}

uint64_t dscq_session_bytes(const dscq_session *s)
{
    const size_t each =
        s->in_bytes + s->out_bytes +
        sizeof(void *) * (size_t)(s->q->input_count + s->q->output_count);
    const size_t threads = (size_t)dscq_pool_threads(s->pool);
    size_t bytes = dscq_runtime_weight_bytes(s->runtime) +
                   threads * dscq_runtime_arena_bytes(s->runtime) +
                   (size_t)s->room * each;

    if (s->pixels != NULL)
        bytes +=
            (size_t)s->room * dscq_qtensor_count(&s->q->tensor[s->q->input[0].tensor]);
    return bytes;
}

const char *dscq_session_kernels(const dscq_session *s)
{
    return dscq_runtime_kernels(s->runtime);
}
