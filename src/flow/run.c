#include "dscq/flow/run.h"

#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/data/pictures.h"
#include "dscq/infer/runtime.h"
#include "dscq/nn/detect.h"
#include "dscq/nn/layer.h"
#include "flow_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A line "key=value" of the file's free text; 0 when it is not there. */
static double meta_real(const dscq_qmodel *q, const char *key)
{
    const size_t n = strlen(key);

    for (const char *p = q->meta; p != NULL && *p != '\0';) {
        if (strncmp(p, key, n) == 0 && p[n] == '=')
            return strtod(p + n + 1, NULL);
        p = strchr(p, '\n');
        p = p != NULL ? p + 1 : NULL;
    }
    return 0;
}

dscq_status flow__one_input(const dscq_qmodel *q, dscq_error *err)
{
    if (q->input_count == 1)
        return DSCQ_OK;
    return dscq_fail(err, DSCQ_UNSUPPORTED,
                     "%s has %d inputs ('%s', '%s'%s) and a picture is one; verify and "
                     "simulate run it on its embedded inputs, the library on any",
                     q->name, (int)q->input_count, q->tensor[q->input[0].tensor].name,
                     q->tensor[q->input[1].tensor].name,
                     q->input_count > 2 ? ", ..." : "");
}

dscq_status flow__head(dscq_head *out, const dscq_qmodel *q, int32_t o, dscq_error *err)
{
    const dscq_qtensor *t = &q->tensor[q->output[o].tensor];
    const dscq_status status = dscq_head_parse(out, q->output[o].params, err);

    if (status != DSCQ_OK)
        return dscq_fail_at(err, "%s, output %d", q->name, (int)o);
    if (out->h != t->h || out->w != t->w ||
        (int64_t)out->anchors * (5 + out->classes) != t->c)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s, output %d: its settings want %d x %d x %d anchors of %d "
                         "classes, the map '%s' is %d x %d x %d",
                         q->name, (int)o, (int)out->h, (int)out->w, (int)out->anchors,
                         (int)out->classes, t->name, (int)t->h, (int)t->w, (int)t->c);
    return DSCQ_OK;
}

dscq_status dscq_flow_preproc(dscq_preproc *out, const dscq_qmodel *q, dscq_error *err)
{
    const dscq_qinput *in = &q->input[0];
    const dscq_qtensor *t = &q->tensor[in->tensor];
    const double crop = meta_real(q, "crop_frac");

    const dscq_status status = flow__one_input(q, err);

    if (status != DSCQ_OK)
        return status;
    if (!in->is_image || (t->c != 1 && t->c != 3))
        return dscq_fail(err, DSCQ_UNSUPPORTED,
                         "%s takes %d x %d x %d numbers, not pictures", q->name,
                         (int)t->w, (int)t->h, (int)t->c);
    *out =
        (dscq_preproc){.width = t->w,
                       .height = t->h,
                       .channels = t->c,
                       .resize = in->resize_mode,
                       .filter = in->resize_filter,
                       .order = in->colour_order == 1 ? DSCQ_ORDER_BGR : DSCQ_ORDER_RGB,
                       .fill = in->fill,
                       .crop_frac = crop > 0 && crop <= 1 ? (float)crop : 1.0f,
                       .scale = (float)in->scale};
    for (int c = 0; c < t->c; c++) {
        out->mean[c] = (float)in->mean[c];
        out->std[c] = (float)in->std[c];
    }
    return dscq_preproc_check(out, err);
}

void dscq_flow_codes(void *codes, const dscq_qmodel *q, uint8_t *pixels)
{
    const dscq_qtensor *t = &q->tensor[q->input[0].tensor];
    const size_t n = dscq_qtensor_count(t);

    if (q->input[0].colour_order == 1 && t->c == 3)
        for (size_t i = 0; i < n; i += 3) {
            const uint8_t red = pixels[i];
            pixels[i] = pixels[i + 2];
            pixels[i + 2] = red;
        }
    dscq_infer_quantise_image(q, &q->input[0], pixels, codes);
}

dscq_ranking dscq_ranking_begin(double *logit, int32_t count)
{
    dscq_ranking r = {logit, count, -HUGE_VAL, 0};

    for (int32_t c = 0; c < count; c++)
        r.top = fmax(r.top, logit[c]);
    for (int32_t c = 0; c < count; c++)
        r.sum += exp(logit[c] - r.top);
    return r;
}

int32_t dscq_ranking_next(dscq_ranking *r, double *probability)
{
    int32_t best = 0;

    for (int32_t c = 1; c < r->count; c++)
        if (r->logit[c] > r->logit[best])
            best = c;
    *probability = exp(r->logit[best] - r->top) / r->sum;
    r->logit[best] = -HUGE_VAL;
    return best;
}

/* ---- one picture -------------------------------------------------------- */

typedef struct answering {
    const dscq_qmodel *q;
    const dscq_answer_options *o;
    dscq_preproc preproc;
    dscq_runtime *runtime;
    dscq_table *t;
    uint8_t *codes;
    void **output;
    double *real;
    float *raw;
    dscq_head *head;         /* [output_count], detectors */
    int is_detector, is_raw; /* neither: classes */
    size_t asked, unread;    /* pictures */
    const char *name;        /* of the picture, from the folder that was asked for on */
    dscq_error first;        /* why the first of the unread was not */
} answering;

static const char *class_name(const dscq_qmodel *q, int32_t cls)
{
    return cls < q->class_count ? q->class_name[cls] : "";
}

static void add_classes(answering *a, const char *path)
{
    const dscq_qtensor *t = &a->q->tensor[a->q->output[0].tensor];
    const int32_t classes = (int32_t)dscq_qtensor_count(t);

    dscq_infer_dequantise(t, a->output[0], a->real);
    dscq_ranking r = dscq_ranking_begin(a->real, classes);
    for (int rank = 1; rank <= a->o->top && rank <= classes; rank++) {
        double probability;
        const int32_t best = dscq_ranking_next(&r, &probability);
        DSCQ_TABLE_ROW(a->t, dscq_text(path), dscq_int(rank), dscq_int(best),
                       dscq_text(class_name(a->q, best)), dscq_real(probability));
    }
}

/* From fractions of the input to pixels of the picture. */
static flow_drawn_box on_picture(const answering *a, const dscq_detection *d,
                                 const dscq_image *im, const dscq_placement *where)
{
    const double w = a->preproc.width, h = a->preproc.height;
    const double x0 = ((double)(d->x - d->w / 2) * w - where->dx) / where->sx;
    const double x1 = ((double)(d->x + d->w / 2) * w - where->dx) / where->sx;
    const double y0 = ((double)(d->y - d->h / 2) * h - where->dy) / where->sy;
    const double y1 = ((double)(d->y + d->h / 2) * h - where->dy) / where->sy;

    return (flow_drawn_box){.x0 = fmax(x0, 0),
                            .y0 = fmax(y0, 0),
                            .x1 = fmin(x1, im->width),
                            .y1 = fmin(y1, im->height),
                            .score = (double)d->score,
                            .cls = d->cls,
                            .name = class_name(a->q, d->cls)};
}

static void add_box(answering *a, const char *path, const flow_drawn_box *b)
{
    DSCQ_TABLE_ROW(a->t, dscq_text(path), dscq_int(b->cls), dscq_text(b->name),
                   dscq_real(b->score), dscq_real(b->x0), dscq_real(b->y0),
                   dscq_real(b->x1), dscq_real(b->y1));
}

static dscq_status add_boxes(answering *a, const char *path, const dscq_image *im,
                             const dscq_placement *where, dscq_error *err)
{
    dscq_detections found = {0};
    flow_drawn_box *drawn = NULL;
    dscq_status status = DSCQ_OK;

    for (int32_t o = 0; o < a->q->output_count; o++) {
        const dscq_qtensor *t = &a->q->tensor[a->q->output[o].tensor];
        const size_t n = dscq_qtensor_count(t);
        dscq_infer_dequantise(t, a->output[o], a->real);
        for (size_t i = 0; i < n; i++)
            a->raw[i] = (float)a->real[i];
        DSCQ_TRY(
            dscq_head_decode(&found, &a->head[o], a->raw, 0, a->o->threshold, err));
    }
    dscq_detections_suppress(&found, FLOW_SUPPRESS_IOU, FLOW_KEEP_PER_IMAGE);
    drawn = dscq_calloc(found.count + 1, sizeof *drawn);
    if (drawn == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "boxes", found.count * sizeof *drawn));
    for (size_t i = 0; i < found.count; i++) {
        drawn[i] = on_picture(a, &found.item[i], im, where);
        add_box(a, path, &drawn[i]);
    }
    if (a->o->draw != NULL && a->o->draw[0] != '\0')
        DSCQ_TRY(flow__draw(a->o->draw, a->name, im, drawn, found.count, err));
done:
    dscq_free(drawn);
    dscq_detections_clear(&found);
    return status;
}

/* What can be said of maps that nobody here decodes. */
static void add_maps(answering *a, const char *path)
{
    for (int32_t o = 0; o < a->q->output_count; o++) {
        const dscq_qtensor *t = &a->q->tensor[a->q->output[o].tensor];
        const size_t n = dscq_qtensor_count(t);
        double least = HUGE_VAL, most = -HUGE_VAL, sum = 0;
        dscq_infer_dequantise(t, a->output[o], a->real);
        for (size_t i = 0; i < n; i++) {
            least = fmin(least, a->real[i]);
            most = fmax(most, a->real[i]);
            sum += a->real[i];
        }
        DSCQ_TABLE_ROW(a->t, dscq_text(path), dscq_text(t->name), dscq_int(t->h),
                       dscq_int(t->w), dscq_int(t->c), dscq_real(least),
                       dscq_real(sum / (double)n), dscq_real(most));
    }
}

static dscq_status answer_image(answering *a, const char *path, const dscq_image *im,
                                dscq_error *err)
{
    dscq_image ready = {0};
    dscq_placement where;
    dscq_status status;

    DSCQ_TRY(dscq_preproc_geometry(&ready, &where, &a->preproc, im, err));
    dscq_flow_codes(a->codes, a->q, ready.px);
    const void *input = a->codes;
    dscq_runtime_run(a->runtime, 1, &input, a->output);
    if (a->is_detector)
        DSCQ_TRY(add_boxes(a, path, im, &where, err));
    else if (a->is_raw)
        add_maps(a, path);
    else
        add_classes(a, path);
done:
    dscq_image_clear(&ready);
    return status;
}

/* One picture that cannot be read costs one answer: it is named and counted. */
static dscq_status answer_one(answering *a, const char *path, dscq_error *err)
{
    dscq_image im = {0};
    dscq_error why = {DSCQ_OK, ""};
    dscq_status status = dscq_image_load(&im, path, NULL, &why);

    a->asked++;
    if (status == DSCQ_NOMEM) {
        *err = why;
    } else if (status != DSCQ_OK) {
        if (a->unread++ == 0)
            a->first = why;
        else
            dscq_log_printf(a->o->log, DSCQ_LOG_WARN, "%s", why.msg);
        status = DSCQ_OK;
    } else {
        status = answer_image(a, path, &im, err);
    }
    dscq_image_clear(&im);
    return status;
}

typedef struct remark_job {
    const dscq_log *log;
    const char *path;
} remark_job;

static void put_remark(void *ctx, const char *kind, const char *text)
{
    const remark_job *j = ctx;

    (void)kind;
    dscq_log_printf(j->log, DSCQ_LOG_WARN, "%s: %s", j->path, text);
}

/* A path in a folder, without the folder. */
static const char *inside(const char *path, const char *dir)
{
    const size_t n = strlen(dir);

    if (strcmp(dir, ".") == 0 || strncmp(path, dir, n) != 0)
        return path;
    return path + n + strspn(path + n, "/");
}

/* A picture, or the pictures of a folder. */
static dscq_status answer_path(answering *a, const char *path, dscq_error *err)
{
    remark_job remark = {a->o->log, path};
    dscq_pictures f = {0};
    dscq_status status = DSCQ_OK;

    a->name = dscq_path_base(path);
    if (!dscq_path_is_dir(path))
        return answer_one(a, path, err);
    DSCQ_TRY(dscq_pictures_list(&f, path, err));
    dscq_pictures_remarks(&f, put_remark, &remark);
    for (size_t i = 0; i < f.count; i++) {
        a->name = inside(f.path[i], path);
        DSCQ_TRY(answer_one(a, f.path[i], err));
        dscq_log_progress(a->o->log, "run", (double)i + 1, (double)f.count,
                          dscq_path_base(f.path[i]));
        if (dscq_log_stop(a->o->log)) {
            status = dscq_fail(err, DSCQ_INTERRUPTED, "stopped after %s", f.path[i]);
            goto done;
        }
    }
    if (f.count == 0)
        status =
            dscq_fail(err, DSCQ_FORMAT,
                      "%s: no picture (.png, .jpg, .bmp, .webp) in this folder", path);
done:
    dscq_pictures_clear(&f);
    return status;
}

/* The answers stand, and the status says that some are missing. */
static dscq_status tell_unread(const answering *a, dscq_error *err)
{
    if (a->unread == 0)
        return DSCQ_OK;
    if (a->asked == 1)
        return dscq_fail(err, a->first.code, "%s", a->first.msg);
    return dscq_fail(err, a->first.code, "%zu of %zu pictures not read: %s", a->unread,
                     a->asked, a->first.msg);
}

/* ---- set-up ------------------------------------------------------------- */

static const dscq_column k_maps[] = {DSCQ_TEXT_COLUMN("image", ""),
                                     DSCQ_TEXT_COLUMN("output", ""),
                                     DSCQ_INT_COLUMN("rows", ""),
                                     DSCQ_INT_COLUMN("columns", ""),
                                     DSCQ_INT_COLUMN("channels", ""),
                                     DSCQ_REAL_COLUMN("least", "", 4),
                                     DSCQ_REAL_COLUMN("mean", "", 4),
                                     DSCQ_REAL_COLUMN("most", "", 4),
                                     DSCQ_COLUMN_END};
static const dscq_column k_boxes[] = {DSCQ_TEXT_COLUMN("image", ""),
                                      DSCQ_INT_COLUMN("class", ""),
                                      DSCQ_TEXT_COLUMN("name", ""),
                                      DSCQ_REAL_COLUMN("score_frac", "score", 3),
                                      DSCQ_REAL_COLUMN("left", "", 1),
                                      DSCQ_REAL_COLUMN("top", "", 1),
                                      DSCQ_REAL_COLUMN("right", "", 1),
                                      DSCQ_REAL_COLUMN("bottom", "", 1),
                                      DSCQ_COLUMN_END};
static const dscq_column k_classes[] = {
    DSCQ_TEXT_COLUMN("image", ""),
    DSCQ_INT_COLUMN("rank", ""),
    DSCQ_INT_COLUMN("class", ""),
    DSCQ_TEXT_COLUMN("name", ""),
    DSCQ_REAL_COLUMN("probability_frac", "probability", 4),
    DSCQ_COLUMN_END};

static dscq_status make_table(answering *a, dscq_error *err)
{
    if (a->is_raw)
        return dscq_table_create(&a->t, "maps", k_maps, err);
    if (a->is_detector)
        return dscq_table_create(&a->t, "boxes", k_boxes, err);
    return dscq_table_create(&a->t, "classes", k_classes, err);
}

static dscq_status prepare(answering *a, dscq_error *err)
{
    const dscq_qmodel *q = a->q;
    const size_t outputs = (size_t)q->output_count;
    size_t largest = 1;
    dscq_status status;

    DSCQ_TRY(dscq_flow_preproc(&a->preproc, q, err));
    const dscq_layer_ops *end = dscq_layer_find(q->output[0].role);
    a->is_detector = end != NULL && (end->flags & DSCQ_LAYER_HEAD) != 0;
    a->is_raw = !a->is_detector && strcmp(q->output[0].role, "logits") != 0;
    if (!a->is_detector && a->o->draw != NULL && a->o->draw[0] != '\0')
        return dscq_fail(err, DSCQ_ARG, "%s finds no boxes that could be drawn",
                         q->name);
    a->codes = dscq_malloc(dscq_qtensor_bytes(&q->tensor[q->input[0].tensor]), 1);
    a->output = dscq_calloc(outputs, sizeof *a->output);
    a->head = dscq_calloc(outputs, sizeof *a->head);
    if (a->codes == NULL || a->output == NULL || a->head == NULL)
        return dscq_fail_nomem(err, "a picture's codes", outputs);
    for (size_t o = 0; o < outputs; o++) {
        const dscq_qtensor *t = &q->tensor[q->output[o].tensor];
        largest = dscq_qtensor_count(t) > largest ? dscq_qtensor_count(t) : largest;
        a->output[o] = dscq_malloc(dscq_qtensor_bytes(t), 1);
        if (a->output[o] == NULL)
            return dscq_fail_nomem(err, "outputs", dscq_qtensor_bytes(t));
        if (a->is_detector)
            DSCQ_TRY(flow__head(&a->head[o], q, (int32_t)o, err));
    }
    a->real = dscq_calloc(largest, sizeof *a->real);
    a->raw = dscq_calloc(largest, sizeof *a->raw);
    if (a->real == NULL || a->raw == NULL)
        return dscq_fail_nomem(err, "outputs", largest * sizeof *a->real);
    DSCQ_TRY(dscq_runtime_create(&a->runtime, q, NULL, err));
    status = make_table(a, err);
done:
    return status;
}

dscq_status dscq_flow_answer(dscq_table **out, const dscq_qmodel *q,
                             const char *const *path, size_t count,
                             const dscq_answer_options *o, dscq_error *err)
{
    answering a = {.q = q, .o = o};
    dscq_status status;

    *out = NULL;
    DSCQ_TRY(prepare(&a, err));
    for (size_t i = 0; i < count; i++) {
        DSCQ_TRY(answer_path(&a, path[i], err));
        if (dscq_log_stop(o->log)) {
            status = dscq_fail(err, DSCQ_INTERRUPTED, "stopped after %s", path[i]);
            goto done;
        }
    }
    DSCQ_TRY(dscq_table_check(a.t, err));
    if (a.unread == 0 || a.unread < a.asked) {
        *out = a.t;
        a.t = NULL;
    }
    status = tell_unread(&a, err);
done:
    dscq_table_destroy(a.t);
    dscq_runtime_destroy(a.runtime);
    for (int32_t i = 0; a.output != NULL && i < q->output_count; i++)
        dscq_free(a.output[i]);
    dscq_free(a.output);
    dscq_free(a.head);
    dscq_free(a.raw);
    dscq_free(a.real);
    dscq_free(a.codes);
    return status;
}
