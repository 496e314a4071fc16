/* One operator after the other. */
#include "run.h"

#include "dscq/base/alloc.h"

#include <string.h>

static tfl_kernel *find_kernel(int32_t code)
{
    static const struct {
        int32_t code;
        tfl_kernel *run;
    } k_rows[] = {
#define TFL_KERNEL(code, name) {TFL_##code, tflite__run_##name},
#include "kernels.def"
#undef TFL_KERNEL
    };

    for (size_t i = 0; i < sizeof k_rows / sizeof *k_rows; i++)
        if (k_rows[i].code == code)
            return k_rows[i].run;
    return NULL;
}

static dscq_status run_op(tfl_run *r, int32_t i, dscq_tflite_seen *see, void *ctx)
{
    const tfl_op *o = &r->f->op[i];
    tfl_kernel *kernel = find_kernel(o->code);
    dscq_status status;

    r->index = i;
    if (kernel == NULL)
        return tflite__cannot(r, "is not evaluated");
    DSCQ_TRY(kernel(r, o));
    for (uint32_t k = 0; see != NULL && k < o->out.count; k++) {
        const int32_t at = tflite__index(o->out, k);
        if (at >= 0 && r->v[at] != NULL)
            DSCQ_TRY(see(ctx, i, at, r->v[at], r->err));
    }
done:
    return status;
}

static dscq_status put_inputs(tfl_run *r, const double *const *inputs)
{
    dscq_status status = DSCQ_OK;

    for (uint32_t i = 0; i < r->f->in.count; i++) {
        const tfl_tensor *t = tflite__tensor(r->f, r->f->in, i);
        const size_t n = t != NULL ? (size_t)tflite__elements(t) : 0;
        if (n == 0 || n > TFL_VALUES_MAX)
            return dscq_fail(r->err, DSCQ_UNSUPPORTED, "%s: input %u has no fixed size",
                             r->f->name, i);
        DSCQ_TRY(tflite__room(r, tflite__index(r->f->in, i), n));
        memcpy(r->v[tflite__index(r->f->in, i)], inputs[i], n * sizeof **inputs);
    }
done:
    return status;
}

dscq_status dscq_tflite_run(const dscq_tflite *f, const double *const *inputs,
                            dscq_tflite_seen *see, void *ctx, dscq_error *err)
{
    dscq_error local;
    tfl_run r = {.f = f, .err = err != NULL ? err : &local};
    dscq_status status;

    r.v = dscq_calloc((size_t)f->tensor_count, sizeof *r.v);
    if (r.v == NULL)
        return dscq_fail_nomem(r.err, "tensors", 0);
    DSCQ_TRY(put_inputs(&r, inputs));
    for (int32_t i = 0; i < f->op_count; i++)
        DSCQ_TRY(run_op(&r, i, see, ctx));
done:
    for (int32_t i = 0; i < f->tensor_count; i++)
        dscq_free(r.v[i]);
    dscq_free(r.v);
    return status;
}
