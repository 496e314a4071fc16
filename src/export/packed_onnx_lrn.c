/* Local response normalisation as an ONNX operator: the constants behind its table. */
#include "dscq/base/alloc.h"
#include "export_internal.h"

#include <math.h>

typedef struct lrn {
    double alpha, beta, kappa;
} lrn;

/* Of the table: sums of squares, in real numbers, and the factor of entry k. */
typedef struct curve {
    const dscq_qnode *n;
    double square, unit; /* of the input's code; factor = unit * f(sum) */
} curve;

static double sum_of(const curve *c, int32_t k)
{
    return c->square * dscq_lrn_middle(k) / c->n->first;
}

static double entry(const curve *c, int32_t k)
{
    return ldexp(c->n->table[k], -c->n->shift[0]) / c->unit;
}

/* The largest distance from the table, in its own units. */
static double distance(const curve *c, const lrn *p)
{
    double far = 0;

    for (int32_t k = 0; k < c->n->table_count; k++) {
        const double f = pow(p->kappa + p->alpha * sum_of(c, k), -p->beta);
        far = fmax(far, fabs(f - entry(c, k)) * ldexp(c->unit, c->n->shift[0]));
    }
    return far;
}

/* kappa + alpha * sum = f^(-1 / beta) is a line for the right beta: least squares, each
 * entry with the weight that its rounding leaves it. */
static lrn line_for(const curve *c, double beta)
{
    double w0 = 0, w1 = 0, w2 = 0, y0 = 0, y1 = 0;

    for (int32_t k = 0; k < c->n->table_count; k++) {
        const double f = entry(c, k), x = sum_of(c, k);
        if (!(f > 0))
            continue;
        const double y = pow(f, -1 / beta), slope = beta * f / y;
        const double w = slope * slope;
        w0 += w;
        w1 += w * x;
        w2 += w * x * x;
        y0 += w * y;
        y1 += w * x * y;
    }
    const double d = w0 * w2 - w1 * w1;
    lrn p = {0, beta, w0 > 0 ? y0 / w0 : 1};
    if (d > 1e-12 * w0 * w2) {
        p.alpha = (w0 * y1 - w1 * y0) / d;
        p.kappa = (w2 * y0 - w1 * y1) / d;
    }
    return p;
}

/* The beta in [lo, hi] whose line is nearest. */
static lrn nearest(const curve *c, double lo, double hi)
{
    enum { STEPS = 40 };
    static const double golden = 0.6180339887498949;

    for (int i = 0; i < STEPS; i++) {
        const double a = hi - golden * (hi - lo), b = lo + golden * (hi - lo);
        const lrn p = line_for(c, a), q = line_for(c, b);
        if (distance(c, &p) < distance(c, &q))
            hi = b;
        else
            lo = a;
    }
    return line_for(c, (lo + hi) / 2);
}

/* Constants that make the table; usual ones first. 0: there are none. */
static int find(const curve *c, lrn *out)
{
    static const lrn usual[] = {{1e-4, 0.75, 1}, {1e-4, 0.75, 2}, {2e-5, 0.75, 1},
                                {5e-5, 0.75, 1}, {1e-4, 0.5, 1},  {1e-4, 1, 1}};

    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        *out = usual[i];
        if (distance(c, out) <= 1)
            return 1;
    }
    for (double beta = 0.05; beta < 4; beta *= 1.3) {
        *out = nearest(c, beta / 1.3, beta * 1.3);
        if (distance(c, out) <= 1.01 && out->kappa > 0 && out->alpha >= 0)
            return 1;
    }
    return 0;
}

dscq_status export__onnx_lrn(export_onnx *w, const dscq_qnode *n, const char *out)
{
    const dscq_qtensor *x = &w->m->tensor[n->input[0]];
    const curve c = {n, x->scale * x->scale,
                     256 * x->scale / w->m->tensor[n->output].scale};
    dscq_onnx_node node = {0};
    lrn p;

    if (!find(&c, &p))
        return dscq_fail(w->err, DSCQ_UNSUPPORTED,
                         "layer '%s': its table belongs to no constants of local "
                         "response normalisation, and ONNX has no tables for it; "
                         "export the float network (dscq export NET.cfg -w FILE)",
                         n->name);
    dscq_onnx_node_input(&node, w->name[n->input[0]]);
    dscq_onnx_node_int(&node, "size", n->first);
    dscq_onnx_node_real(&node, "alpha", p.alpha);
    dscq_onnx_node_real(&node, "beta", p.beta);
    dscq_onnx_node_real(&node, "bias", p.kappa);
    dscq_onnx_node_end(&w->g, &node, "LRN", out);
    return DSCQ_OK;
}
