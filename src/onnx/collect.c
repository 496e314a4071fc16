/* Outputs of the graph from the outputs of the network. */
#include "onnx_internal.h"

const dscq_onnx_output *dscq_onnx_model_output(const dscq_onnx *f, int32_t i)
{
    return f->model_output != NULL ? &f->model_output[i] : NULL;
}

const dscq_onnx_range *dscq_onnx_ranges(const dscq_onnx *f, int32_t *count)
{
    *count = f->range_count;
    return f->range;
}

void dscq_onnx_collect(float *to, const dscq_onnx *f, const dscq_model *m, int32_t i,
                       const float *const *y)
{
    dscq_graph_collect(to, &f->model_output[i], m, y);
}
