/* Evaluating a packed network: integers from pixels to logits. */
#include "dscq/base/alloc.h"
#include "dscq/flow/run.h"
#include "dscq/infer/reference.h"
#include "dscq/infer/runtime.h"
#include "flow_internal.h"

#include <string.h>

/* A batch of images of a split and everything its run needs, allocated once. */
enum { PACKED_BATCH = 64 };

typedef struct packed_run {
    const dscq_qmodel *q;
    dscq_dataset *d;
    dscq_split split;
    size_t first;    /* image of the split that is the batch's first */
    uint8_t *pixels; /* [PACKED_BATCH][h*w*c] */
    uint8_t *codes;  /* [PACKED_BATCH][input_bytes] */
    uint8_t *out;    /* [PACKED_BATCH][output_bytes] */
    size_t pixel_bytes, input_bytes, output_bytes;
    const void *input[PACKED_BATCH];
    void **output; /* [PACKED_BATCH * output_count] */
    dscq_status status[PACKED_BATCH];
    dscq_error *error; /* [PACKED_BATCH] */
} packed_run;

static void prepare_image(void *ctx, size_t i, int worker)
{
    packed_run *r = ctx;
    uint8_t *pixels = r->pixels + i * r->pixel_bytes;

    (void)worker;
    r->status[i] =
        dscq_dataset_pixels(pixels, NULL, r->d, r->split, r->first + i, &r->error[i]);
    if (r->status[i] == DSCQ_OK)
        dscq_flow_codes(r->codes + i * r->input_bytes, r->q, pixels);
}

static void packed_run_clear(packed_run *r)
{
    dscq_free(r->pixels);
    dscq_free(r->codes);
    dscq_free(r->out);
    dscq_free(r->output);
    dscq_free(r->error);
}

static dscq_status packed_run_init(packed_run *r, const dscq_qmodel *q, dscq_dataset *d,
                                   dscq_split split, dscq_error *err)
{
    const dscq_qtensor *in = &q->tensor[q->input[0].tensor];

    *r = (packed_run){.q = q, .d = d, .split = split};
    r->pixel_bytes = dscq_qtensor_count(in);
    r->input_bytes = dscq_qtensor_bytes(in);
    for (int32_t o = 0; o < q->output_count; o++)
        r->output_bytes += dscq_qtensor_bytes(&q->tensor[q->output[o].tensor]);
    r->pixels = dscq_malloc(PACKED_BATCH, r->pixel_bytes);
    r->codes = dscq_malloc(PACKED_BATCH, r->input_bytes);
    r->out = dscq_malloc(PACKED_BATCH, r->output_bytes);
    r->output =
        dscq_calloc((size_t)PACKED_BATCH * (size_t)q->output_count, sizeof *r->output);
    r->error = dscq_calloc(PACKED_BATCH, sizeof *r->error);
    if (r->pixels == NULL || r->codes == NULL || r->out == NULL || r->output == NULL ||
        r->error == NULL) {
        return dscq_fail_nomem(err, "a batch of images", /* the caller clears */
                               PACKED_BATCH * (r->input_bytes + r->output_bytes));
    }
    for (size_t i = 0; i < PACKED_BATCH; i++) {
        uint8_t *at = r->out + i * r->output_bytes;
        r->input[i] = r->codes + i * r->input_bytes;
        for (int32_t o = 0; o < q->output_count; o++) {
            r->output[i * (size_t)q->output_count + (size_t)o] = at;
            at += dscq_qtensor_bytes(&q->tensor[q->output[o].tensor]);
        }
    }
    return DSCQ_OK;
}

static size_t outputs_count(const dscq_qmodel *q)
{
    size_t n = 0;

    for (int32_t o = 0; o < q->output_count; o++)
        n += dscq_qtensor_count(&q->tensor[q->output[o].tensor]);
    return n;
}

static dscq_status hand_over(packed_run *r, size_t n, double *real,
                             flow_packed_sink *sink, void *ctx, dscq_error *err)
{
    const dscq_qmodel *q = r->q;
    dscq_status status = DSCQ_OK;

    for (size_t i = 0; i < n; i++) {
        double *at = real;
        for (int32_t o = 0; o < q->output_count; o++) {
            const dscq_qtensor *t = &q->tensor[q->output[o].tensor];
            dscq_infer_dequantise(t, r->output[i * (size_t)q->output_count + (size_t)o],
                                  at);
            at += dscq_qtensor_count(t);
        }
        DSCQ_TRY(sink(ctx, r->first + i, real, err));
    }
done:
    return status;
}

static dscq_status run_batch(packed_run *r, dscq_runtime *runtime, dscq_pool *pool,
                             size_t n, dscq_error *err)
{
    dscq_pool_run(pool, n, prepare_image, r);
    for (size_t i = 0; i < n; i++)
        if (r->status[i] != DSCQ_OK)
            return dscq_fail(err, r->status[i], "%s", r->error[i].msg);
    dscq_runtime_run(runtime, (int32_t)n, r->input, r->output);
    return DSCQ_OK;
}

static dscq_status open_split(dscq_dataset **d, dscq_project *p, const dscq_qmodel *q,
                              dscq_split split, const dscq_run_options *o,
                              dscq_error *err)
{
    dscq_status status;

    DSCQ_TRY(flow__one_input(q, err));
    DSCQ_TRY(dscq_project_dataset(d, p, o->log, err));
    if (split == DSCQ_SPLIT_TEST)
        DSCQ_TRY(dscq_dataset_open_test(*d, err));
    const dscq_qtensor *in = &q->tensor[q->input[0].tensor];
    const dscq_preproc *pre = dscq_dataset_preproc(*d);
    if (in->h != pre->height || in->w != pre->width || in->c != pre->channels)
        return dscq_fail(
            err, DSCQ_FORMAT,
            "the packed network takes %d x %d x %d, the data are %d x %d x "
            "%d",
            (int)in->w, (int)in->h, (int)in->c, (int)pre->width, (int)pre->height,
            (int)pre->channels);
done:
    return status;
}

dscq_status flow__packed_each(dscq_project *p, const dscq_qmodel *q, dscq_split split,
                              const dscq_run_options *o, flow_packed_sink *sink,
                              void *ctx, dscq_error *err)
{
    dscq_dataset *d;
    packed_run r = {0};
    dscq_runtime *runtime = NULL;
    dscq_pool *pool = NULL;
    double *real = dscq_calloc(outputs_count(q), sizeof *real);
    dscq_status status;

    if (real == NULL) {
        status = dscq_fail_nomem(err, "outputs", outputs_count(q) * sizeof *real);
        goto done;
    }
    DSCQ_TRY(open_split(&d, p, q, split, o, err));
    const size_t images = dscq_dataset_count(d, split);
    DSCQ_TRY(dscq_pool_create(&pool, o->threads, err));
    const dscq_runtime_options ro = {.pool = pool};
    DSCQ_TRY(dscq_runtime_create(&runtime, q, &ro, err));
    DSCQ_TRY(packed_run_init(&r, q, d, split, err));
    for (r.first = 0; r.first < images; r.first += PACKED_BATCH) {
        const size_t n =
            images - r.first < PACKED_BATCH ? images - r.first : PACKED_BATCH;
        DSCQ_TRY(run_batch(&r, runtime, pool, n, err));
        DSCQ_TRY(hand_over(&r, n, real, sink, ctx, err));
        dscq_log_progress(o->log, "integer evaluation", (double)(r.first + n),
                          (double)images, "");
        if (dscq_log_stop(o->log)) {
            status = dscq_fail(err, DSCQ_INTERRUPTED, "stopped while evaluating");
            goto done;
        }
    }
done:
    packed_run_clear(&r);
    dscq_runtime_destroy(runtime);
    dscq_pool_destroy(pool);
    dscq_free(real);
    return status;
}

/* ---- classifiers -------------------------------------------------------------- */

typedef struct class_sink {
    dscq_eval *eval;
    dscq_dataset *d;
    dscq_split split;
    float *logits;
    int32_t *number; /* [classes]: of a class of the data in the network */
    int32_t classes;
} class_sink;

static dscq_status add_logits(void *ctx, size_t i, const double *real, dscq_error *err)
{
    class_sink *s = ctx;
    const int32_t label = dscq_dataset_label(s->d, s->split, i);

    for (int32_t c = 0; c < s->classes; c++)
        s->logits[c] = (float)real[s->number[c]];
    return dscq_eval_add(s->eval, s->logits, &label, 1, err);
}

dscq_status dscq_flow_eval_packed(dscq_eval **out, dscq_project *p,
                                  const dscq_qmodel *q, dscq_split split,
                                  const dscq_run_options *o, dscq_error *err)
{
    class_sink s = {.split = split};
    dscq_status status;

    *out = NULL;
    DSCQ_TRY(open_split(&s.d, p, q, split, o, err));
    s.classes = (int32_t)dscq_qtensor_count(&q->tensor[q->output[0].tensor]);
    if (s.classes != dscq_dataset_classes(s.d))
        return dscq_fail(err, DSCQ_FORMAT,
                         "the packed network has %d outputs, the data %d classes",
                         (int)s.classes, (int)dscq_dataset_classes(s.d));
    s.logits = dscq_calloc((size_t)s.classes, sizeof *s.logits);
    s.number = dscq_calloc((size_t)s.classes, sizeof *s.number);
    if (s.logits == NULL || s.number == NULL) {
        status = dscq_fail_nomem(err, "logits", (size_t)s.classes * sizeof *s.logits);
        goto done;
    }
    DSCQ_TRY(flow__match_classes(s.number, q, s.d, o->log, err));
    DSCQ_TRY(dscq_eval_create(&s.eval, s.classes, err));
    DSCQ_TRY(flow__packed_each(p, q, split, o, add_logits, &s, err));
    *out = s.eval;
    s.eval = NULL;
done:
    dscq_eval_destroy(s.eval);
    dscq_free(s.number);
    dscq_free(s.logits);
    return status;
}

/* ---- detectors ------------------------------------------------------------------ */

typedef struct box_sink {
    const dscq_qmodel *q;
    dscq_dataset *d;
    dscq_split split;
    dscq_head *head; /* [output_count] */
    float *raw;
    dscq_detections found;
    dscq_truth *truth;
    int32_t *count;
    int32_t max_truths;
} box_sink;

static dscq_status add_boxes(void *ctx, size_t i, const double *real, dscq_error *err)
{
    box_sink *s = ctx;
    size_t n = 0;
    dscq_status status = DSCQ_OK;

    for (int32_t o = 0; o < s->q->output_count; o++) {
        const size_t each = dscq_qtensor_count(&s->q->tensor[s->q->output[o].tensor]);
        for (size_t v = 0; v < each; v++)
            s->raw[v] = (float)real[v];
        DSCQ_TRY(dscq_head_decode(&s->found, &s->head[o], s->raw, (int32_t)i,
                                  FLOW_SCORE_FLOOR, err));
        real += each;
    }
    const dscq_box *box = dscq_dataset_boxes(s->d, s->split, i, &n);
    s->count[i] = (int32_t)(n < (size_t)s->max_truths ? n : (size_t)s->max_truths);
    for (int32_t b = 0; b < s->count[i]; b++)
        s->truth[i * (size_t)s->max_truths + (size_t)b] = flow__truth_from_box(&box[b]);
done:
    return status;
}

/* Detections in the numbers of the data: number[i] is class i of the data in the
 * network.
 */
static void renumber(dscq_detections *found, const int32_t *number, int32_t classes)
{
    for (size_t k = 0; k < found->count; k++) {
        int32_t cls = 0;
        while (cls < classes && number[cls] != found->item[k].cls)
            cls++;
        found->item[k].cls = cls < classes ? cls : found->item[k].cls;
    }
}

dscq_status dscq_flow_eval_packed_boxes(double *map_out, double *per_class,
                                        dscq_project *p, const dscq_qmodel *q,
                                        dscq_split split, dscq_ap_rule rule,
                                        const dscq_run_options *o, dscq_error *err)
{
    box_sink s = {.q = q, .split = split};
    int32_t *number = NULL;
    dscq_status status;

    DSCQ_TRY(open_split(&s.d, p, q, split, o, err));
    const int32_t classes = dscq_dataset_classes(s.d);
    number = dscq_calloc((size_t)classes + 1, sizeof *number);
    if (number == NULL)
        return dscq_fail_nomem(err, "classes", (size_t)classes * sizeof *number);
    DSCQ_TRY(flow__match_classes(number, q, s.d, o->log, err));
    const size_t images = dscq_dataset_count(s.d, split);
    s.max_truths = dscq_dataset_params(s.d)->max_boxes;
    s.head = dscq_calloc((size_t)q->output_count, sizeof *s.head);
    s.raw = dscq_calloc(outputs_count(q), sizeof *s.raw);
    s.truth = dscq_calloc(images * (size_t)s.max_truths, sizeof *s.truth);
    s.count = dscq_calloc(images, sizeof *s.count);
    if (s.head == NULL || s.raw == NULL || s.truth == NULL || s.count == NULL) {
        status = dscq_fail_nomem(err, "the boxes of a split", images * sizeof *s.truth);
        goto done;
    }
    for (int32_t i = 0; i < q->output_count; i++)
        DSCQ_TRY(flow__head(&s.head[i], q, i, err));
    DSCQ_TRY(flow__packed_each(p, q, split, o, add_boxes, &s, err));
    renumber(&s.found, number, classes);
    dscq_detections_suppress(&s.found, FLOW_SUPPRESS_IOU, FLOW_KEEP_PER_IMAGE);
    DSCQ_TRY(dscq_average_precision(map_out, per_class, &s.found, s.truth, s.count,
                                    s.max_truths, (int32_t)images, classes, rule,
                                    FLOW_MATCH_IOU, err));
done:
    dscq_free(number);
    dscq_detections_clear(&s.found);
    dscq_free(s.count);
    dscq_free(s.truth);
    dscq_free(s.raw);
    dscq_free(s.head);
    return status;
}
