/* Without labels: does the packed network answer what the float one answers? */
#include "dscq/base/alloc.h"
#include "flow_internal.h"

#include <math.h>

typedef struct agree_sink {
    dscq_dataset *d;
    dscq_split split;
    dscq_exec *exec; /* of the float network, one image at a time */
    float *x;
    int32_t classes; /* 0: no classifier */
    double signal, noise;
    flow_agreement *out;
} agree_sink;

/* A float output against the packed one of the same shape, `n` numbers. */
static void add_output(agree_sink *s, const float *y, size_t n, const double *packed)
{

    for (size_t k = 0; k < n; k++) {
        const double d = (double)y[k] - packed[k];
        s->signal += (double)y[k] * (double)y[k];
        s->noise += d * d;
    }
    if (s->classes > 0) { /* a tie goes to the lower class, as everywhere */
        size_t a = 0, b = 0;
        for (size_t k = 1; k < n; k++) {
            a = y[k] > y[a] ? k : a;
            b = packed[k] > packed[b] ? k : b;
        }
        s->out->same += a == b;
    }
}

static dscq_status add_image(void *ctx, size_t i, const double *real, dscq_error *err)
{
    agree_sink *s = ctx;
    const uint32_t index = (uint32_t)i;
    dscq_status status;

    DSCQ_TRY(dscq_batch_fill(s->x, NULL, s->d, s->split, &index, 1, err));
    dscq_exec_forward(s->exec, DSCQ_PASS_EVAL, s->x, 1, NULL);
    for (int32_t o = 0; o < dscq_model_outputs(dscq_exec_model(s->exec)); o++) {
        dscq_shape shape;
        const float *y = dscq_exec_output(s->exec, o, &shape);
        const size_t n = dscq_shape_count(&shape);
        DSCQ_TRY(flow__check_outputs(y, n, i, err));
        add_output(s, y, n, real);
        real += n;
    }
    s->out->images++;
done:
    return status;
}

dscq_status flow__agree(flow_agreement *out, dscq_project *p, dscq_model *origin,
                        const dscq_qmodel *q, dscq_split split,
                        const dscq_run_options *o, dscq_error *err)
{
    agree_sink s = {.split = split, .out = out, .classes = flow__classes(p)};
    const dscq_kernels *kernels;
    dscq_pool *pool = NULL;
    dscq_status status;

    *out = (flow_agreement){.has_top1 = s.classes > 0};
    DSCQ_TRY(dscq_project_dataset(&s.d, p, o->log, err));
    DSCQ_TRY(dscq_flow_pool(&pool, &kernels, o, err));
    const dscq_exec_options eo = {
        .batch = 1, .raw_outputs = 1, .pool = pool, .kernels = kernels};
    DSCQ_TRY(dscq_exec_create(&s.exec, origin, &eo, err));
    const size_t floats = dscq_preproc_floats(dscq_dataset_preproc(s.d));
    s.x = dscq_malloc(floats, sizeof *s.x);
    if (s.x == NULL) {
        status = dscq_fail_nomem(err, "an image", floats * sizeof *s.x);
        goto done;
    }
    DSCQ_TRY(flow__packed_each(p, q, split, o, add_image, &s, err));
    out->sqnr_db = s.noise > 0 ? 10 * log10(s.signal / s.noise) : (double)INFINITY;
done:
    dscq_exec_destroy(s.exec);
    dscq_free(s.x);
    dscq_pool_destroy(pool);
    return status;
}
