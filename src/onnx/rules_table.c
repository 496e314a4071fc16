/* The rule of each operator that becomes layers. */
#include "lower.h"

#include <string.h>

const onnx_row *onnx__rule_find(const onnx_node *n)
{
    static const onnx_row *const tables[] = {onnx__rows_weights, onnx__rows_join,
                                             onnx__rows_move, onnx__rows_quant};

    if (n->domain[0] != '\0' && strcmp(n->domain, "ai.onnx") != 0)
        return NULL;
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
        for (const onnx_row *r = tables[t]; r->op != NULL; r++)
            if (strcmp(r->op, n->op) == 0)
                return r;
    return NULL;
}
