#include "dscq/compress/ranges.h"

#include "dscq/base/alloc.h"
#include "dscq/compress/calibrate.h"

#include <math.h>
#include <string.h>

static const double k_momentum = 0.9, k_most = 0.01;
static const char k_entry[] = "ranges.velocity";

struct dscq_ranges {
    const dscq_model *model;
    int32_t nodes;
    double *velocity; /* [dscq_grid_count(nodes)] */
    uint8_t *fixed;   /* [nodes] outputs, and whatever takes over another's codes */
};

dscq_status dscq_ranges_create(dscq_ranges **out, const dscq_model *m, dscq_error *err)
{
    dscq_ranges *r = dscq_calloc(1, sizeof *r);

    *out = NULL;
    if (r == NULL)
        return dscq_fail_nomem(err, "learned ranges", sizeof *r);
    r->model = m;
    r->nodes = dscq_model_nodes(m);
    r->velocity = dscq_calloc(dscq_grid_count(r->nodes), sizeof *r->velocity);
    r->fixed = dscq_calloc((size_t)r->nodes, 1);
    if (r->velocity == NULL || r->fixed == NULL) {
        dscq_ranges_destroy(r);
        return dscq_fail_nomem(err, "learned ranges", (size_t)r->nodes * 17);
    }
    for (int32_t i = 0; i < r->nodes; i++)
        r->fixed[i] = dscq_calibrate_source(m, i) != i;
    for (int32_t i = 0; i < dscq_model_outputs(m); i++) {
        const int32_t at = dscq_calibrate_source(m, dscq_model_output(m, i));
        if (at != DSCQ_INPUT)
            r->fixed[at] = 1;
    }
    *out = r;
    return DSCQ_OK;
}

void dscq_ranges_destroy(dscq_ranges *r)
{
    if (r == NULL)
        return;
    dscq_free(r->velocity);
    dscq_free(r->fixed);
    dscq_free(r);
}

static double largest_code(const dscq_aquant *a)
{
    const int32_t bottom = dscq_aquant_low(a);

    return fmax(1.0, bottom + (1 << a->bits) - 1 - a->zero_point);
}

static void step_one(double *velocity, dscq_aquant *a, const dscq_node *n,
                     double gradient, double rate)
{
    const double values = (double)n->out.h * n->out.w * n->out.c;
    const double g = gradient / sqrt(values * largest_code(a));
    const double most = k_most * a->scale;

    if (!isfinite(g)) /* the trainer will say so */
        return;
    *velocity = k_momentum * *velocity + g;
    a->scale -= fmax(-most, fmin(most, rate * *velocity));
}

void dscq_ranges_step(dscq_ranges *r, dscq_aquant *grid, const dscq_exec *e,
                      double rate)
{
    for (int32_t i = 0; i < r->nodes; i++) {
        const dscq_node *n = dscq_model_node(r->model, i);
        const size_t at[2] = {(size_t)i + 1, dscq_grid_before(r->nodes, i)};
        const double gradient[2] = {dscq_exec_range_grad(e, i),
                                    dscq_exec_range_grad_before(e, i)};

        for (int k = 0; k < 2 && !r->fixed[i]; k++)
            if (grid[at[k]].bits > 0 && grid[at[k]].bits <= 8)
                step_one(&r->velocity[at[k]], &grid[at[k]], n, gradient[k], rate);
    }
    for (int32_t i = 0; i < r->nodes; i++) {
        const int32_t from = dscq_calibrate_source(r->model, i);
        if (from != i)
            grid[i + 1] = grid[from + 1];
    }
}

dscq_status dscq_ranges_save(const dscq_ranges *r, dscq_checkpoint *to, dscq_error *err)
{
    return dscq_checkpoint_add(to, k_entry, DSCQ_ENTRY_F64, r->velocity,
                               dscq_grid_count(r->nodes), err);
}

dscq_status dscq_ranges_load(dscq_ranges *r, const dscq_checkpoint *from,
                             dscq_error *err)
{
    size_t n = 0;
    const double *v = dscq_checkpoint_find(from, k_entry, DSCQ_ENTRY_F64, &n);

    if (v == NULL || n != dscq_grid_count(r->nodes))
        return dscq_fail(err, DSCQ_FORMAT,
                         "checkpoint: no usable '%s'; the run that wrote it did not "
                         "learn ranges, or is of another network",
                         k_entry);
    memcpy(r->velocity, v, n * sizeof *v);
    return DSCQ_OK;
}
