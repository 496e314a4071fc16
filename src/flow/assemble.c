/* From a tuned model, its frozen compressor and the quantised edges to the integer
 * network. */
#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "dscq/build/build.h"
#include "dscq/compress/calibrate.h"
#include "flow_internal.h"

#include <math.h>
#include <string.h>

/* data/image.h's preprocessing in the packed file's terms. */
static dscq_qinput input_of(const dscq_preproc *p)
{
    dscq_qinput in = {.is_image = 1,
                      .resize_mode = p->resize,
                      .resize_filter = p->filter,
                      .colour_order = p->channels == 1 ? 2 : p->order,
                      .fill = p->fill,
                      .scale = (double)p->scale};

    for (int32_t c = 0; c < p->channels; c++) {
        in.mean[c] = (double)p->mean[c];
        in.std[c] = (double)p->std[c];
    }
    return in;
}

/* Outputs whose steps were too fine for what comes in. */
static void say_widened(const dscq_flow_parts *parts, const double *wider)
{
    for (int32_t i = 0; i < dscq_model_nodes(parts->model); i++)
        if (wider[i] > 1.0)
            dscq_log_printf(
                parts->log, DSCQ_LOG_INFO,
                "%s: its output keeps %.1f of %d bits: finer steps than its "
                "inputs can move do not fit their factors",
                dscq_model_node(parts->model, i)->name,
                parts->edge[i + 1].bits - log2(wider[i]), (int)parts->edge[i + 1].bits);
}

dscq_status dscq_flow_assemble(dscq_qmodel **out, const dscq_flow_parts *parts,
                               dscq_error *err)
{
    const int32_t nodes = dscq_model_nodes(parts->model);
    const dscq_wquant **weights = dscq_calloc((size_t)nodes, sizeof *weights);
    double *wider = dscq_calloc((size_t)nodes, sizeof *wider);
    const char **names = dscq_calloc((size_t)parts->class_count + 1, sizeof *names);
    dscq_qinput input;
    dscq_status status;

    *out = NULL;
    if (weights == NULL || wider == NULL || names == NULL) {
        status = dscq_fail_nomem(err, "the description of a packed network",
                                 (unsigned long long)nodes * sizeof *weights);
        goto done;
    }
    for (int32_t i = 0; i < nodes; i++)
        weights[i] = dscq_compressor_wquant(parts->compressor, i);
    for (int32_t i = 0; i < parts->class_count; i++)
        names[i] = dscq_dataset_class_name(parts->dataset, i);
    dscq_build_spec spec = {.input = parts->edge[0],
                            .node_count = nodes,
                            .edge = parts->edge + 1,
                            .before_act = parts->edge + dscq_grid_before(nodes, 0),
                            .weights = weights,
                            .class_name = names,
                            .class_count = parts->class_count,
                            .meta = parts->meta,
                            .logit_bits = parts->logit_bits,
                            .wider = wider};
    if (parts->preproc != NULL) {
        input = input_of(parts->preproc);
        spec.preprocess = &input;
    }
    DSCQ_TRY(dscq_build_qmodel(out, parts->model, &spec, err));
    say_widened(parts, wider);
done:
    dscq_free(wider);
    dscq_free(names);
    dscq_free(weights);
    return status;
}
