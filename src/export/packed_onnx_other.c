/* Operations without weights as ONNX operators. */
#include "dscq/base/alloc.h"
#include "export_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static dscq_status end(export_onnx *w, dscq_onnx_node *node, const char *op,
                       const char *out)
{
    dscq_onnx_node_end(&w->g, node, op, out);
    return DSCQ_OK;
}

static dscq_onnx_node from(const export_onnx *w, const dscq_qnode *n)
{
    dscq_onnx_node node = {0};

    for (int32_t i = 0; i < n->input_count; i++)
        dscq_onnx_node_input(&node, w->name[n->input[i]]);
    return node;
}

/* Value i of the node's inputs times `factor`, under another name. */
static void scaled(export_onnx *w, const char *in, double factor, const char *out)
{
    char constant[EXPORT_ONNX_NAME];
    dscq_onnx_node node = {0};

    export__onnx_part(constant, out, "factor");
    export__onnx_scalar(&w->g, constant, factor);
    dscq_onnx_node_input(&node, in);
    dscq_onnx_node_input(&node, constant);
    dscq_onnx_node_end(&w->g, &node, "Mul", out);
}

/* ---- sums, products, joins ---------------------------------------------- */

/* The node's inputs, each times what its multiplier amounts to in real numbers: nearly
 * always 1, within what 15 bits can say. */
static void weighted_inputs(export_onnx *w, const dscq_qnode *n, dscq_onnx_node *node)
{
    const double s_y = w->m->tensor[n->output].scale;
    char name[DSCQ_QNODE_INPUTS][EXPORT_ONNX_NAME], what[24];

    for (int32_t i = 0; i < n->input_count; i++) {
        const dscq_qtensor *x = &w->m->tensor[n->input[i]];
        const double factor = ldexp(n->mult[i], -n->shift[i]) * s_y / (256 * x->scale);
        memcpy(name[i], w->name[n->input[i]], sizeof name[i]);
        if (dscq_qnode_is_copied(n, i) ||
            fabs(factor - 1) * (double)dscq_qtensor_reach(x) * x->scale <= s_y / 256)
            continue;
        (void)snprintf(what, sizeof what, "part%d", (int)i);
        export__onnx_part(name[i], w->name[n->output], what);
        scaled(w, w->name[n->input[i]], factor, name[i]);
    }
    for (int32_t i = 0; i < n->input_count; i++)
        dscq_onnx_node_input(node, name[i]);
}

dscq_status export__onnx_add(export_onnx *w, const dscq_qnode *n, const char *out)
{
    dscq_onnx_node node = {0};

    weighted_inputs(w, n, &node);
    return end(w, &node, "Sum", out);
}

dscq_status export__onnx_mul(export_onnx *w, const dscq_qnode *n, const char *out)
{
    const double s_x =
        w->m->tensor[n->input[0]].scale * w->m->tensor[n->input[1]].scale;
    const double factor =
        ldexp(n->mult[0], -n->shift[0]) * w->m->tensor[n->output].scale / (256 * s_x);
    char product[EXPORT_ONNX_NAME];
    dscq_onnx_node node = from(w, n);

    if (fabs(factor - 1) < 1e-3) /* a multiplier has 15 bits */
        return end(w, &node, "Mul", out);
    export__onnx_part(product, w->name[n->output], "product");
    dscq_onnx_node_end(&w->g, &node, "Mul", product);
    scaled(w, product, factor, out);
    return DSCQ_OK;
}

/* Copied codes are the same values only on the same grid. */
static dscq_status check_copies(const export_onnx *w, const dscq_qnode *n)
{
    const dscq_qtensor *y = &w->m->tensor[n->output];

    for (int32_t i = 0; i < n->input_count; i++) {
        const dscq_qtensor *x = &w->m->tensor[n->input[i]];
        if (dscq_qnode_is_copied(n, i) &&
            (x->zero_point != y->zero_point || fabs(x->scale / y->scale - 1) > 1e-6))
            return dscq_fail(w->err, DSCQ_UNSUPPORTED,
                             "layer '%s': codes copied to another scale have no ONNX "
                             "form",
                             n->name);
    }
    return DSCQ_OK;
}

dscq_status export__onnx_concat(export_onnx *w, const dscq_qnode *n, const char *out)
{
    dscq_onnx_node node = {0};
    const dscq_status status = check_copies(w, n);

    if (status != DSCQ_OK)
        return status;
    weighted_inputs(w, n, &node);
    dscq_onnx_node_int(&node, "axis", 1);
    return end(w, &node, "Concat", out);
}

dscq_status export__onnx_rescale(export_onnx *w, const dscq_qnode *n, const char *out)
{
    dscq_onnx_node node = {0};
    const dscq_status status = check_copies(w, n);

    if (status != DSCQ_OK)
        return status;
    weighted_inputs(w, n, &node);
    return end(w, &node, "Identity", out);
}

/* ---- windows, moves ----------------------------------------------------- */

static void window(dscq_onnx_node *node, const dscq_qnode *n)
{
    const int32_t kernel[] = {n->kernel_h, n->kernel_w},
                  stride[] = {n->stride_h, n->stride_w},
                  pads[] = {n->pad_top, n->pad_left, n->pad_bottom, n->pad_right};

    dscq_onnx_node_ints(node, "kernel_shape", kernel, 2);
    dscq_onnx_node_ints(node, "strides", stride, 2);
    dscq_onnx_node_ints(node, "pads", pads, 4);
}

dscq_status export__onnx_maxpool(export_onnx *w, const dscq_qnode *n, const char *out)
{
    dscq_onnx_node node = from(w, n);

    if (n->kernel_h == 0)
        return end(w, &node, "GlobalMaxPool", out);
    window(&node, n);
    return end(w, &node, "MaxPool", out);
}

/* What the multiplier for every number of positions amounts to, 1 but for rounding;
 * 0: they differ from each other. */
static double mean_factor(const export_onnx *w, const dscq_qnode *n)
{
    const double unit =
        w->m->tensor[n->output].scale / (256 * w->m->tensor[n->input[0]].scale);
    double factor = 0;

    for (int32_t i = 0; i < n->scale_count; i++) {
        const double f = ldexp(n->mult[i], -n->shift[i]) * unit * n->scale_key[i];
        if (i > 0 && fabs(f - factor) > 2e-4 * fabs(factor))
            return 0;
        factor = i == 0 ? f : factor;
    }
    return fabs(factor - 1) < 2e-4 ? 1 : factor;
}

dscq_status export__onnx_avgpool(export_onnx *w, const dscq_qnode *n, const char *out)
{
    const double factor = mean_factor(w, n);
    char mean[EXPORT_ONNX_NAME];
    dscq_onnx_node node = {0};

    if (factor == 0)
        return dscq_fail(w->err, DSCQ_UNSUPPORTED,
                         "layer '%s': its multipliers are not those of a mean: no ONNX "
                         "form",
                         n->name);
    node = from(w, n);
    export__onnx_part(mean, out, "mean");
    if (n->kernel_h > 0)
        window(&node, n);
    if (n->kernel_h > 0 && n->count_include_pad)
        dscq_onnx_node_int(&node, "count_include_pad", 1);
    (void)end(w, &node, n->kernel_h > 0 ? "AveragePool" : "GlobalAveragePool",
              factor == 1 ? out : mean);
    if (factor != 1)
        scaled(w, mean, factor, out);
    return DSCQ_OK;
}

dscq_status export__onnx_upsample(export_onnx *w, const dscq_qnode *n, const char *out)
{
    const float f = (float)n->factor, scales[] = {1, 1, f, f};
    const int64_t four = 4;
    char name[EXPORT_ONNX_NAME];
    dscq_onnx_node node = from(w, n);

    export__onnx_part(name, w->name[n->output], "scales");
    dscq_onnx_graph_floats(&w->g, name, scales, 1, &four);
    dscq_onnx_node_input(&node, "");
    dscq_onnx_node_input(&node, name);
    dscq_onnx_node_text(&node, "mode", "nearest");
    dscq_onnx_node_text(&node, "coordinate_transformation_mode", "asymmetric");
    dscq_onnx_node_text(&node, "nearest_mode", "floor");
    return end(w, &node, "Resize", out);
}

dscq_status export__onnx_reorg(export_onnx *w, const dscq_qnode *n, const char *out)
{
    dscq_onnx_node node = from(w, n);

    dscq_onnx_node_int(&node, "blocksize", n->factor);
    return end(w, &node, "SpaceToDepth", out);
}

static void list(export_onnx *w, dscq_onnx_node *node, const char *base,
                 const char *what, const int64_t *v, int64_t count)
{
    char name[EXPORT_ONNX_NAME];

    export__onnx_part(name, base, what);
    dscq_onnx_graph_ints(&w->g, name, DSCQ_ONNX_INT64, v, 1, &count);
    dscq_onnx_node_input(node, name);
}

dscq_status export__onnx_slice(export_onnx *w, const dscq_qnode *n, const char *out)
{
    const char *base = w->name[n->output];
    const int64_t first = n->first, last = first + w->m->tensor[n->output].c, axis = 1;
    dscq_onnx_node node = from(w, n);

    list(w, &node, base, "starts", &first, 1);
    list(w, &node, base, "ends", &last, 1);
    list(w, &node, base, "axes", &axis, 1);
    return end(w, &node, "Slice", out);
}

dscq_status export__onnx_pad(export_onnx *w, const dscq_qnode *n, const char *out)
{
    const int64_t pads[] = {0, 0, n->pad_top,    n->pad_left,
                            0, 0, n->pad_bottom, n->pad_right};
    dscq_onnx_node node = from(w, n);

    list(w, &node, w->name[n->output], "pads", pads, 8);
    return end(w, &node, "Pad", out);
}

/* ---- tables ------------------------------------------------------------- */

/* Whether the table is what this activation makes (docs/arithmetic.md section 6). */
static int is_table_of(const export_onnx *w, const dscq_qnode *n, dscq_act act,
                       double slope)
{
    const dscq_qtensor *x = &w->m->tensor[n->input[0]], *y = &w->m->tensor[n->output];

    for (int32_t i = 0; i < n->table_count; i++) {
        const double v = x->scale * (i + dscq_qtensor_lo(x) - x->zero_point);
        const double u =
            floor(dscq_act_value(act, slope, v) / y->scale + 0.5) + y->zero_point;
        const double code = fmin(fmax(u, dscq_qtensor_lo(y)), dscq_qtensor_hi(y));
        if (fabs(code - n->table[i]) > 1) /* a tie, or a scale of float precision */
            return 0;
    }
    return 1;
}

/* The slope that the table has if it is one of leaky or elu: from the most negative
 * value whose code is within the range, where a step of it weighs least. */
static double slope_of(const export_onnx *w, const dscq_qnode *n, dscq_act act)
{
    const dscq_qtensor *x = &w->m->tensor[n->input[0]], *y = &w->m->tensor[n->output];

    for (int32_t i = 0; i < n->table_count; i++) {
        const double v = x->scale * (i + dscq_qtensor_lo(x) - x->zero_point);
        const double per = dscq_act_value(act, 1, v);
        if (v < 0 && n->table[i] > dscq_qtensor_lo(y) &&
            n->table[i] < dscq_qtensor_hi(y))
            return y->scale * (n->table[i] - y->zero_point) / per;
    }
    return 0;
}

/* A table of no known activation: looked up by the input's code. */
static dscq_status looked_up(export_onnx *w, const dscq_qnode *n, const char *out)
{
    const dscq_qtensor *x = &w->m->tensor[n->input[0]], *y = &w->m->tensor[n->output];
    const int64_t count = n->table_count;
    char table[EXPORT_ONNX_NAME], index[EXPORT_ONNX_NAME], whole[EXPORT_ONNX_NAME],
        step[EXPORT_ONNX_NAME], least[EXPORT_ONNX_NAME], moved[EXPORT_ONNX_NAME];
    float *real = dscq_malloc((size_t)n->table_count, sizeof *real);
    dscq_onnx_node node = {0};

    if (real == NULL)
        return dscq_fail_nomem(w->err, "a table", (size_t)count * sizeof *real);
    for (int32_t i = 0; i < n->table_count; i++)
        real[i] = (float)(y->scale * (n->table[i] - y->zero_point));
    export__onnx_part(table, out, "table");
    export__onnx_part(step, out, "step");
    export__onnx_part(least, out, "least");
    export__onnx_part(moved, out, "moved");
    export__onnx_part(index, out, "index");
    export__onnx_part(whole, out, "whole");
    dscq_onnx_graph_floats(&w->g, table, real, 1, &count);
    dscq_free(real);
    export__onnx_scalar(&w->g, step, x->scale);
    export__onnx_scalar(&w->g, least, x->zero_point - dscq_qtensor_lo(x) + 0.5);
    dscq_onnx_node_input(&node, w->name[n->input[0]]);
    dscq_onnx_node_input(&node, step);
    dscq_onnx_node_end(&w->g, &node, "Div", whole);
    dscq_onnx_node_input(&node, whole);
    dscq_onnx_node_input(&node, least);
    dscq_onnx_node_end(&w->g, &node, "Add", moved);
    dscq_onnx_node_input(&node, moved); /* rounds towards zero: the half is above */
    dscq_onnx_node_int(&node, "to", DSCQ_ONNX_INT64);
    dscq_onnx_node_end(&w->g, &node, "Cast", index);
    dscq_onnx_node_input(&node, table);
    dscq_onnx_node_input(&node, index);
    return end(w, &node, "Gather", out);
}

dscq_status export__onnx_lut(export_onnx *w, const dscq_qnode *n, const char *out)
{
    for (int sloped = 0; sloped < 2; sloped++) /* last those that bend to fit */
        for (int i = 0; i < DSCQ_ACT_COUNT; i++) {
            const dscq_act_row *row = dscq_act_at((dscq_act)i);
            if (row->is_sloped != sloped || row->onnx.op == NULL)
                continue;
            const double slope = sloped ? slope_of(w, n, (dscq_act)i) : 0;
            if (is_table_of(w, n, (dscq_act)i, slope)) {
                export__onnx_act(&w->g, (dscq_act)i, slope, w->name[n->input[0]], out);
                return DSCQ_OK;
            }
        }
    return looked_up(w, n, out);
}
