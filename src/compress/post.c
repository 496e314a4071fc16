/* What is measured on a few hundred images: second moments of inputs, their means,
 * batch norm statistics. */
#include "dscq/compress/post.h"

#include "compress_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/bo/linalg.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { POSITIONS = 128, CHUNK = 256 };
static const size_t k_memory = (size_t)256 << 20; /* of second moments at a time */

/* Run forward passes over the images; each() (may be NULL) after every batch. */
static dscq_status pass_images(dscq_exec *e, dscq_pass pass, const dscq_post_data *d,
                               void (*each)(void *ctx, dscq_exec *e, size_t number),
                               void *ctx, dscq_error *err)
{
    int64_t left = d->images > 0 ? d->images : INT64_MAX;

    for (size_t number = 0; left > 0; number++) {
        dscq_train_batch b;
        dscq_status status = d->next(d->ctx, &b, 0, number, err);

        if (status != DSCQ_OK)
            return status;
        if (b.n == 0)
            return number > 0 ? DSCQ_OK
                              : dscq_fail(err, DSCQ_ARG, "no images to calibrate with");
        if (dscq_log_stop(d->log))
            return dscq_fail(err, DSCQ_INTERRUPTED, "stopped while measuring");
        const int32_t n = b.n < left ? b.n : (int32_t)left;
        assert(n <= dscq_exec_batch(e));
        if (each != NULL && pass == DSCQ_PASS_TRAIN)
            each(ctx, e, number);
        dscq_exec_forward(e, pass, b.x, n, NULL);
        left -= n;
    }
    return DSCQ_OK;
}

static dscq_status make_exec(dscq_exec **e, dscq_model *m, const dscq_post_data *d,
                             int training, dscq_error *err)
{
    const dscq_exec_options o = {.batch = d->batch,
                                 .training = training,
                                 .raw_outputs = 1,
                                 .pool = d->pool,
                                 .kernels = d->kernels};

    return dscq_exec_create(e, m, &o, err);
}

static dscq_status check_twins(const dscq_model *a, const dscq_model *b,
                               dscq_error *err)
{
    int same = dscq_model_nodes(a) == dscq_model_nodes(b);

    for (int32_t i = 0; same && i < dscq_model_nodes(a); i++)
        same = dscq_model_node(a, i)->weights->count ==
               dscq_model_node(b, i)->weights->count;
    if (!same)
        return dscq_fail(err, DSCQ_ARG,
                         "post-training: the float network has another "
                         "graph than the compressed one");
    return DSCQ_OK;
}

/* ---- batch norm --------------------------------------------------------- */

/* Factors 1, 1/2, 1/3, ... turn the moving average into the mean of all batches. */
static void average(void *ctx, dscq_exec *e, size_t number)
{
    (void)ctx;
    dscq_exec_norm_momentum(e, 1.0 / ((double)number + 1.0));
}

dscq_status dscq_post_norm(dscq_model *m, const dscq_post_data *data, dscq_error *err)
{
    dscq_exec *e = NULL;
    dscq_status status = make_exec(&e, m, data, 1, err);

    if (status == DSCQ_OK)
        status = pass_images(e, DSCQ_PASS_TRAIN, data, average, NULL, err);
    dscq_exec_destroy(e);
    return status;
}

/* What the float network has + (seen by the quantised - seen by the float one);
 * variances by their ratio. */
static void shift_norm(dscq_weights *w, const dscq_weights *old, const dscq_weights *f)
{
    for (int32_t c = 0; c < w->channels; c++) {
        const double ratio = f->var[c] > 0.0F && w->var[c] > 0.0F
                                 ? (double)w->var[c] / (double)f->var[c]
                                 : 1.0;

        w->mean[c] =
            (float)((double)old->mean[c] + (double)w->mean[c] - (double)f->mean[c]);
        w->var[c] = (float)((double)old->var[c] * ratio);
    }
}

dscq_status dscq_post_norm_shift(dscq_model *m, const dscq_model *origin,
                                 const dscq_post_data *data, dscq_error *err)
{
    dscq_model *twin = NULL;
    dscq_status status;

    DSCQ_TRY(check_twins(m, origin, err));
    DSCQ_TRY(dscq_model_clone(&twin, origin, err));
    DSCQ_TRY(dscq_post_norm(m, data, err));
    DSCQ_TRY(dscq_post_norm(twin, data, err));
    for (int32_t i = 0; i < dscq_model_nodes(m); i++)
        if (dscq_model_node(m, i)->normalised)
            shift_norm(dscq_model_node(m, i)->weights,
                       dscq_model_node(origin, i)->weights,
                       dscq_model_node(twin, i)->weights);
done:
    dscq_model_destroy(twin);
    return status;
}

/* ---- biases ------------------------------------------------------------- */

typedef struct means {
    const dscq_model *model;
    double **sum; /* [1 + nodes][channels] */
    double *count;
} means;

static void means_see(void *ctx, int32_t node, const float *y, dscq_shape shape)
{
    means *s = ctx;
    const size_t n = dscq_shape_count(&shape), c = (size_t)shape.c;
    double *sum = s->sum[node + 1];

    for (size_t i = 0; i < n; i += c)
        for (size_t k = 0; k < c; k++)
            sum[k] += (double)y[i + k];
    const size_t positions = n / c;
    s->count[node + 1] += (double)positions;
}

static void means_free(means *s)
{
    for (int32_t i = 0; s->sum != NULL && i <= dscq_model_nodes(s->model); i++)
        dscq_free(s->sum[i]);
    dscq_free(s->sum);
    dscq_free(s->count);
}

static dscq_status means_make(means *s, const dscq_model *m, dscq_error *err)
{
    const int32_t nodes = dscq_model_nodes(m);

    s->model = m;
    s->sum = dscq_calloc((size_t)nodes + 1, sizeof *s->sum);
    s->count = dscq_calloc((size_t)nodes + 1, sizeof *s->count);
    if (s->sum == NULL || s->count == NULL)
        return dscq_fail_nomem(err, "channel means", (size_t)nodes * 16);
    for (int32_t i = 0; i <= nodes; i++) {
        const int32_t c =
            i == 0 ? dscq_model_input(m).c : dscq_model_node(m, i - 1)->out.c;

        s->sum[i] = dscq_calloc((size_t)c, sizeof **s->sum);
        if (s->sum[i] == NULL)
            return dscq_fail_nomem(err, "channel means", (size_t)c * 8);
    }
    return DSCQ_OK;
}

/* Mean of input channel i of the group of output o. */
static double input_mean(const means *s, const dscq_node *n, int32_t o, int32_t i)
{
    const int32_t from = n->input[0] + 1;
    const int32_t groups = n->window.groups > 1 ? n->window.groups : 1;
    const int32_t group = o / (n->weights->k / groups);
    const int32_t flat = n->window.kernel_h == 0; /* connected: h, w, c flattened */
    const int32_t channel = flat ? i % n->in.c : group * n->weights->c + i;

    return s->count[from] > 0.0 ? s->sum[from][channel] / s->count[from] : 0.0;
}

static void shift_node(const means *s, const dscq_node *n, const dscq_weights *origin)
{
    dscq_weights *w = n->weights;
    const size_t per = w->count / (size_t)w->k;

    for (int32_t o = 0; o < w->k && o < w->channels; o++) {
        double shift = 0.0;

        for (size_t j = 0; j < per; j++) {
            const size_t at = (size_t)o * per + j;
            shift += ((double)w->w_used[at] - (double)origin->w[at]) *
                     input_mean(s, n, o, (int32_t)(j % (size_t)w->c));
        }
        if (w->mean != NULL)
            w->mean[o] += (float)shift;
        else if (w->bias != NULL)
            w->bias[o] -= (float)shift;
    }
}

dscq_status dscq_post_bias(dscq_model *m, dscq_model *origin,
                           const dscq_post_data *data, dscq_error *err)
{
    dscq_exec *e = NULL;
    means s = {0};
    dscq_status status;

    DSCQ_TRY(check_twins(m, origin, err));
    DSCQ_TRY(means_make(&s, origin, err));
    DSCQ_TRY(make_exec(&e, origin, data, 0, err));
    dscq_exec_observe(e, means_see, &s);
    DSCQ_TRY(pass_images(e, DSCQ_PASS_EVAL, data, NULL, NULL, err));
    for (int32_t i = 0; i < dscq_model_nodes(m); i++)
        if (dscq_model_node(m, i)->weights->count > 0)
            shift_node(&s, dscq_model_node(m, i), dscq_model_node(origin, i)->weights);
done:
    dscq_exec_destroy(e);
    if (s.model != NULL)
        means_free(&s);
    return status;
}

/* ---- second moments ----------------------------------------------------- */

typedef struct moment {
    int32_t node, groups;
    size_t cols;
    double *h; /* [groups][cols][cols] */
    double *x; /* [CHUNK][cols] rows on their way in, one group at a time */
    double n;
} moment;

typedef struct moments {
    const dscq_model *model;
    moment *of;
    size_t count;
} moments;

/* The values that output position (oy, ox) of a group multiplies, OHWI order. */
static void patch(double *out, const dscq_node *n, const float *image, int32_t group,
                  int32_t oy, int32_t ox)
{
    const dscq_weights *w = n->weights;
    const dscq_window *k = &n->window;

    if (k->kernel_h == 0) {
        for (int32_t i = 0; i < w->c; i++)
            out[i] = (double)image[i];
        return;
    }
    for (int32_t r = 0; r < w->r; r++)
        for (int32_t s = 0; s < w->s; s++) {
            const int32_t y = oy * k->stride_h - k->pad_top + r * k->dilation_h;
            const int32_t x = ox * k->stride_w - k->pad_left + s * k->dilation_w;
            const int in = y >= 0 && y < n->in.h && x >= 0 && x < n->in.w;

            for (int32_t c = 0; c < w->c; c++)
                *out++ = in ? (double)image[((size_t)y * (size_t)n->in.w + (size_t)x) *
                                                (size_t)n->in.c +
                                            (size_t)(group * w->c + c)]
                            : 0.0;
        }
}

static void add_image(moment *m, const dscq_node *n, const float *image)
{
    const size_t all = (size_t)n->out.h * (size_t)n->out.w;
    const size_t step = all > POSITIONS ? (all + POSITIONS - 1) / POSITIONS : 1;

    for (int32_t g = 0; g < m->groups; g++) {
        size_t rows = 0;

        for (size_t at = 0; at < all; at += step) {
            patch(m->x + rows * m->cols, n, image, g, (int32_t)(at / (size_t)n->out.w),
                  (int32_t)(at % (size_t)n->out.w));
            rows++;
        }
        dscq_gram_add(m->h + (size_t)g * m->cols * m->cols, m->x, rows, m->cols);
        m->n += g == 0 ? (double)rows : 0.0;
    }
}

static void moments_see(void *ctx, int32_t node, const float *y, dscq_shape shape)
{
    moments *s = ctx;
    const size_t image = dscq_shape_count(&shape) / (size_t)shape.n;

    for (size_t i = 0; i < s->count; i++) {
        const dscq_node *n = dscq_model_node(s->model, s->of[i].node);

        if (n->input[0] != node)
            continue;
        for (int32_t k = 0; k < shape.n; k++)
            add_image(&s->of[i], n, y + (size_t)k * image);
    }
}

static int wants_obq(const dscq_compressor *c, int32_t node)
{
    const dscq_wquant *q = dscq_compressor_wquant(c, node);

    return q != NULL && q->w.form == DSCQ_FORM_LINEAR && q->w.bits <= 8 &&
           !dscq_compressor_rule(c, node)->skip;
}

static size_t moment_bytes(const dscq_node *n)
{
    const size_t cols = n->weights->count / (size_t)n->weights->k;
    const size_t groups = n->window.groups > 1 ? (size_t)n->window.groups : 1;

    return groups * cols * cols * sizeof(double);
}

/* Moments for as many layers from *next on as fit into memory. */
static dscq_status moments_make(moments *s, const dscq_compressor *c, int32_t *next,
                                dscq_error *err)
{
    const int32_t nodes = dscq_model_nodes(s->model);
    size_t bytes = 0;

    for (; *next < nodes; (*next)++) {
        const dscq_node *n = dscq_model_node(s->model, *next);
        moment *m = &s->of[s->count];

        if (!wants_obq(c, *next))
            continue;
        bytes += moment_bytes(n);
        if (bytes > k_memory && s->count > 0)
            return DSCQ_OK;
        m->node = *next;
        m->groups = n->window.groups > 1 ? n->window.groups : 1;
        m->cols = n->weights->count / (size_t)n->weights->k;
        m->n = 0.0;
        s->count++;
        m->h = dscq_calloc(moment_bytes(n), 1);
        m->x = dscq_malloc((size_t)CHUNK * m->cols, sizeof *m->x);
        if (m->h == NULL || m->x == NULL)
            return dscq_fail_nomem(err, "second moments", moment_bytes(n));
    }
    return DSCQ_OK;
}

static void moments_clear(moments *s)
{
    for (size_t i = 0; i < s->count; i++) {
        dscq_free(s->of[i].h);
        dscq_free(s->of[i].x);
    }
    memset(s->of, 0, s->count * sizeof *s->of);
    s->count = 0;
}

/* One step a row, whatever the scales say. Freed with dscq_free(). */
static dscq_status spread_steps(double **out, const dscq_wquant *q, dscq_error *err)
{
    *out = dscq_malloc((size_t)q->w.k, sizeof **out);
    if (*out == NULL)
        return dscq_fail_nomem(err, "steps", (size_t)q->w.k * sizeof **out);
    for (int32_t o = 0; o < q->w.k; o++)
        (*out)[o] = q->scale[q->scale_count == 1 ? 0 : o];
    return DSCQ_OK;
}

/* New integers of one layer from its moments. */
static dscq_status solve(dscq_compressor *c, const dscq_model *origin, moment *m,
                         dscq_pool *pool, dscq_error *err)
{
    const dscq_weights *w = dscq_model_node(origin, m->node)->weights;
    const dscq_rule *rule = dscq_compressor_rule(c, m->node);
    const uint8_t *held = c->layer[c->layer_of[m->node]].held;
    const int32_t scales = rule->per_channel ? w->k : 1;
    const size_t rows = (size_t)w->k / (size_t)m->groups, square = m->cols * m->cols;
    dscq_wquant *q = NULL;
    double *step = NULL;
    dscq_status status;

    DSCQ_TRY(dscq_wquant_create(&q, w, DSCQ_FORM_LINEAR, rule->b, scales, 1, err));
    const size_t each = w->count / (size_t)scales;
    for (int32_t o = 0; o < scales; o++)
        q->scale[o] = dscq_linear_step(w->w + (size_t)o * each, NULL, each, rule->b);
    DSCQ_TRY(spread_steps(&step, q, err));
    for (int32_t g = 0; g < m->groups; g++) {
        const size_t at = (size_t)g * rows;
        double *h = m->h + (size_t)g * square;

        for (size_t i = 0; i < square; i++)
            h[i] *= m->n > 0.0 ? 2.0 / m->n : 0.0;
        dscq_mirror(h, m->cols);
        DSCQ_TRY(dscq_obq_masked(q->w.value + at * m->cols, w->w + at * m->cols,
                                 held != NULL ? held + at * m->cols : NULL, rows,
                                 m->cols, h, step + at, rule->p, rule->b, pool, NULL,
                                 err));
    }
    q->nonzero = 0;
    for (size_t i = 0; i < q->w.count; i++) {
        q->code[i] = (uint16_t)(q->w.value[i] & ((1 << q->w.bits) - 1));
        q->mask[i] = q->w.value[i] != 0;
        q->nonzero += q->mask[i];
    }
    dscq_free(step);
    return dscq_compressor_set_wquant(c, m->node, q, err);
done:
    dscq_free(step);
    dscq_wquant_destroy(q);
    return status;
}

dscq_status dscq_post_obq(dscq_compressor *c, dscq_model *origin,
                          const dscq_post_data *data, dscq_error *err)
{
    const int32_t nodes = dscq_model_nodes(origin);
    moments s = {origin, NULL, 0};
    dscq_exec *e = NULL;
    int32_t next = 0;
    dscq_status status;

    assert(dscq_compressor_frozen(c));
    status = dscq_linalg_begin(data->log, err);
    if (status != DSCQ_OK)
        return status;
    s.of = dscq_calloc((size_t)nodes, sizeof *s.of);
    if (s.of == NULL)
        return dscq_fail_nomem(err, "second moments", (size_t)nodes * sizeof *s.of);
    DSCQ_TRY(make_exec(&e, origin, data, 0, err));
    dscq_exec_observe(e, moments_see, &s);
    while (next < nodes) {
        DSCQ_TRY(moments_make(&s, c, &next, err));
        if (s.count == 0)
            break;
        DSCQ_TRY(pass_images(e, DSCQ_PASS_EVAL, data, NULL, NULL, err));
        for (size_t i = 0; i < s.count; i++) {
            dscq_log_progress(data->log, "second-order rounding", s.of[i].node, nodes,
                              dscq_model_node(origin, s.of[i].node)->name);
            DSCQ_TRY(solve(c, origin, &s.of[i], data->pool, err));
        }
        moments_clear(&s);
    }
done:
    moments_clear(&s);
    dscq_free(s.of);
    dscq_exec_destroy(e);
    return status;
}
