/* The operators that are evaluated. */
#include "onnx_internal.h"

#include <string.h>

const onnx_op_row *onnx__op_find(const char *domain, const char *op)
{
    static const onnx_op_row *const tables[] = {
        onnx__ops_point,  onnx__ops_shape,  onnx__ops_window, onnx__ops_matrix,
        onnx__ops_reduce, onnx__ops_resize, onnx__ops_index,  onnx__ops_more};

    if (domain[0] != '\0' && strcmp(domain, "ai.onnx") != 0)
        return NULL;
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
        for (const onnx_op_row *r = tables[t]; r->name != NULL; r++)
            if (strcmp(r->name, op) == 0)
                return r;
    return NULL;
}
