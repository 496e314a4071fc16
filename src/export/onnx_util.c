/* What the writers of ONNX files share: names, constants, activations. */
#include "export_internal.h"

#include <math.h>
#include <stdio.h>

void export__onnx_part(char *out, const char *base, const char *what)
{
    (void)snprintf(out, EXPORT_ONNX_NAME, "%.70s.%.20s", base, what);
}

void export__onnx_scalar(dscq_onnx_graph *g, const char *name, double v)
{
    const float f = (float)v;

    dscq_onnx_graph_floats(g, name, &f, 0, NULL);
}

static void put_bound(dscq_onnx_graph *g, dscq_onnx_node *node, const char *out,
                      const char *what, double v)
{
    char name[EXPORT_ONNX_NAME];

    export__onnx_part(name, out, what);
    export__onnx_scalar(g, name, v);
    dscq_onnx_node_input(node, name);
}

void export__onnx_act(dscq_onnx_graph *g, dscq_act act, double slope, const char *in,
                      const char *out)
{
    const dscq_act_row *row = dscq_act_at(act);
    const dscq_act_onnx *r = &row->onnx;
    const double alpha = row->is_sloped ? slope : r->alpha;
    char before[EXPORT_ONNX_NAME], gate[EXPORT_ONNX_NAME];
    dscq_onnx_node node = {0};

    export__onnx_part(before, out, "before");
    export__onnx_part(gate, out, "gate");
    dscq_onnx_node_input(&node, in);
    if (r->before != NULL) {
        dscq_onnx_node_end(g, &node, r->before, before);
        dscq_onnx_node_input(&node, before);
    }
    if (row->kind == DSCQ_ACT_CLAMP && isfinite(row->hi)) { /* of Clip */
        put_bound(g, &node, out, "min", row->lo);
        put_bound(g, &node, out, "max", row->hi);
    }
    if (row->is_sloped || r->alpha != 0)
        dscq_onnx_node_real(&node, "alpha", alpha);
    if (r->beta != 0)
        dscq_onnx_node_real(&node, "beta", r->beta);
    dscq_onnx_node_end(g, &node, r->op, r->is_gate ? gate : out);
    if (r->is_gate) {
        dscq_onnx_node_input(&node, in);
        dscq_onnx_node_input(&node, gate);
        dscq_onnx_node_end(g, &node, "Mul", out);
    }
}
