/* Running an engine forward. */
#include "dscq/nn/exec.h"

#include "exec_internal.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* ---- how a node's output is read ---------------------------------------- */

void nn__exec_edge(dscq_edge *out, const dscq_exec *e, int32_t node)
{
    memset(out, 0, sizeof *out);
    out->is_plain = 1;
    if (node == DSCQ_INPUT) {
        out->z = e->x;
        out->shape = dscq_model_input(e->m);
        out->shape.n = e->n;
        if (e->input_quantised) {
            out->load.quant = &e->input_quant;
            out->is_plain = 0;
        }
        return;
    }
    const dscq_node *n = dscq_model_node(e->m, node);
    const exec_node *x = &e->node[node];
    out->z = x->z;
    out->shape = n->out;
    out->shape.n = e->n;
    if (e->pass == DSCQ_PASS_EVAL)
        return; /* stored as others read it */
    if (n->normalised)
        out->load.a = x->a;
    if (n->normalised || n->weights->bias != NULL)
        out->load.b = x->b;
    out->load.act = n->act;
    out->load.slope = (float)n->act_slope;
    out->load.quant = x->has_quant ? &x->quant : NULL;
    out->load.before = x->has_before ? &x->before : NULL;
    out->is_plain = out->load.b == NULL && n->act == DSCQ_ACT_LINEAR && !x->has_quant;
}

dscq_layer_io nn__exec_io(const dscq_exec *e, int32_t i, dscq_edge *x)
{
    const dscq_node *n = dscq_model_node(e->m, i);
    const exec_node *en = &e->node[i];
    dscq_layer_io io = {.node = n,
                        .k = e->k,
                        .pool = e->o.pool,
                        .scratch = e->scratch,
                        .n = e->n,
                        .n_max = e->o.batch,
                        .training = e->pass == DSCQ_PASS_TRAIN,
                        .x_count = n->input_count,
                        .x = x,
                        .z = en->z,
                        .dw_part = e->dw_part,
                        .packed = en->packed,
                        .packed_back = en->packed_back,
                        .rng = dscq_rng_fork(&e->rng, "node", (uint64_t)i),
                        .has_rng = e->has_rng};

    for (int32_t j = 0; j < n->input_count; j++)
        nn__exec_edge(&x[j], e, en->x[j]);
    if (io.training)
        io.state = en->state;
    return io;
}

/* ---- packing and folding ------------------------------------------------ */

/* Packed before the pass, and kept. */
static int is_packed(const dscq_exec *e, int32_t i)
{
    return !e->node[i].is_view && e->node[i].packed != NULL &&
           e->node[i].pack_buf[0] < 0;
}

void nn__exec_pack_node(dscq_exec *e, int32_t i, int back)
{
    const dscq_node *n = dscq_model_node(e->m, i);
    const exec_node *x = &e->node[i];
    const int scaled = e->pass == DSCQ_PASS_EVAL && n->normalised;

    if (x->is_view || x->pack_buf[back] < 0)
        return;
    n->ops->pack(back ? x->packed_back : x->packed, n, e->k, scaled ? x->fold_a : NULL,
                 back, scaled ? e->pack_scratch : NULL);
}

static void pack_for_eval(dscq_exec *e, int32_t i)
{
    const dscq_node *n = dscq_model_node(e->m, i);
    const exec_node *x = &e->node[i];

    if (!x->is_view && x->fold_a != NULL)
        dscq_node_fold(n, x->fold_a, x->fold_b);
    if (is_packed(e, i))
        n->ops->pack(x->packed, n, e->k, n->normalised ? x->fold_a : NULL, 0,
                     e->pack_scratch);
}

/* One direction of a node, the last node first: it tends to have the most weights, and
 * no thread should begin with those when the others have finished. */
static void pack_task(void *ctx, size_t task, int worker)
{
    const dscq_exec *e = ctx;
    const int32_t i = e->count - 1 - (int32_t)(task / 2);
    const int back = task % 2 != 0;

    (void)worker;
    if (is_packed(e, i) && (!back || e->node[i].packed_back != NULL)) {
        const dscq_node *n = dscq_model_node(e->m, i);
        n->ops->pack(back ? e->node[i].packed_back : e->node[i].packed, n, e->k, NULL,
                     back, NULL);
    }
}

void nn__exec_pack(dscq_exec *e)
{
    const int for_eval = e->pass == DSCQ_PASS_EVAL;

    if (for_eval && !e->stale && e->packed_for_eval)
        return;
    if (for_eval)
        for (int32_t i = 0; i < e->count; i++)
            pack_for_eval(e, i);
    else
        dscq_pool_run(e->o.pool, 2 * (size_t)e->count, pack_task, e);
    e->packed_for_eval = for_eval;
    e->stale = 0;
}

/* ---- batch norm --------------------------------------------------------- */

static void use_running(exec_node *x, const dscq_node *n)
{
    const dscq_weights *w = n->weights;

    for (int32_t c = 0; c < w->channels; c++) {
        if (w->gamma == NULL) {
            x->b[c] = w->bias[c];
            continue;
        }
        const double inv = 1.0 / sqrt((double)w->var[c] + w->bn_eps);
        const double a = (double)w->gamma[c] * inv;
        x->mean[c] = (double)w->mean[c];
        x->inv[c] = inv;
        x->a[c] = (float)a;
        x->b[c] = (float)((double)w->beta[c] - (double)w->mean[c] * a);
    }
}

static void use_batch(dscq_exec *e, exec_node *x, const dscq_node *n, size_t groups)
{
    dscq_weights *w = n->weights;
    const size_t channels = (size_t)n->out.c;
    const double count = (double)e->n * n->out.h * n->out.w;
    const double f = e->norm_momentum;

    nn__sums_total(e->sums, groups, channels);
    for (size_t c = 0; c < channels; c++) {
        const double mean = e->sums[c] / count;
        double var = e->sums[channels + c] / count - mean * mean;
        var = var > 0 ? var : var == var ? 0 : var; /* NaN stays */
        const double inv = 1.0 / sqrt(var + w->bn_eps);
        const double a = (double)w->gamma[c] * inv;
        x->mean[c] = mean;
        x->inv[c] = inv;
        x->a[c] = (float)a;
        x->b[c] = (float)((double)w->beta[c] - mean * a);
        const double unbiased = count > 1 ? var * count / (count - 1) : var;
        w->mean[c] = (float)((1 - f) * (double)w->mean[c] + f * mean);
        w->var[c] = (float)((1 - f) * (double)w->var[c] + f * unbiased);
    }
}

/* ---- forward ------------------------------------------------------------ */

static size_t run(const dscq_layer_io *io)
{
    return io->node->ops->image_forward != NULL ? nn__images_forward(io)
                                                : io->node->ops->forward(io);
}

static void forward_train(dscq_exec *e, int32_t i)
{
    const dscq_node *n = dscq_model_node(e->m, i);
    exec_node *x = &e->node[i];
    dscq_edge edges[DSCQ_NODE_INPUTS];
    dscq_layer_io io = nn__exec_io(e, i, edges);

    nn__exec_pack_node(e, i, 0);
    x->batch_norm = n->normalised && !e->norm_frozen && !n->frozen;
    io.sum = x->batch_norm ? e->sums : NULL;
    const size_t groups = run(&io);
    if (x->batch_norm)
        use_batch(e, x, n, groups);
    else
        use_running(x, n);
}

enum { ACTIVATE_ROWS = 256 };

typedef struct activate_ctx {
    const dscq_kernels *k;
    const dscq_on_load *f;
    float *z;
    size_t rows, c;
} activate_ctx;

static void activate_task(void *ctx, size_t task, int worker)
{
    const activate_ctx *a = ctx;
    const size_t first = task * ACTIVATE_ROWS;
    float *z = a->z + first * a->c;

    (void)worker;
    a->k->load(a->f, z, a->c, z, a->c, nn__min(a->rows - first, ACTIVATE_ROWS), a->c);
}

/* What is in front of a table is wanted by itself: it is stored, shown, and then the
 * rest is done in place. */
static void activate_apart(const dscq_exec *e, int32_t i, const dscq_on_load *f)
{
    const dscq_node *n = dscq_model_node(e->m, i);
    const exec_node *x = &e->node[i];
    dscq_shape s = n->out;

    s.n = e->n;
    if (e->observe_before != NULL)
        e->observe_before(e->before_ctx, i, x->z, s);
    activate_ctx ctx = {.k = e->k,
                        .f = f,
                        .z = x->z,
                        .rows = (size_t)s.n * (size_t)s.h * (size_t)s.w,
                        .c = (size_t)s.c};
    dscq_pool_run(e->o.pool, (ctx.rows + ACTIVATE_ROWS - 1) / ACTIVATE_ROWS,
                  activate_task, &ctx);
}

static void forward_eval(dscq_exec *e, int32_t i)
{
    const dscq_node *n = dscq_model_node(e->m, i);
    const exec_node *x = &e->node[i];
    const dscq_on_load act = {.act = n->act,
                              .slope = (float)n->act_slope,
                              .quant = x->has_quant ? &x->quant : NULL,
                              .before = x->has_before ? &x->before : NULL};
    const int is_apart =
        x->has_before || (e->observe_before != NULL && dscq_node_has_table(n));
    dscq_edge edges[DSCQ_NODE_INPUTS];
    dscq_layer_io io = nn__exec_io(e, i, edges);

    nn__exec_pack_node(e, i, 0);
    if (!is_apart)
        io.post = act;
    io.post.a = n->normalised ? x->fold_a : NULL;
    io.post.b = x->fold_b;
    run(&io);
    if (is_apart)
        activate_apart(e, i, &act);
}

static void observe(const dscq_exec *e, int32_t i)
{
    const int32_t root = i == DSCQ_INPUT ? DSCQ_INPUT : e->node[i].root;
    dscq_shape s = nn__shape(e->m, root);

    if (e->observe == NULL || e->pass != DSCQ_PASS_EVAL)
        return;
    s.n = e->n;
    e->observe(e->observe_ctx, i, root == DSCQ_INPUT ? e->x : e->node[root].z, s);
}

/* Training: outputs are wanted activated, and their gradients start at 0. */
static void finish_outputs(dscq_exec *e)
{
    for (int32_t i = 0; i < e->outputs; i++) {
        exec_node *x = &e->node[e->output_root[i]];
        dscq_edge edge;
        nn__exec_edge(&edge, e, e->output_root[i]);
        const size_t c = (size_t)edge.shape.c;
        const size_t rows = (size_t)e->n * (size_t)edge.shape.h * (size_t)edge.shape.w;
        e->k->load(edge.is_plain ? NULL : &edge.load, edge.z, c, e->output_y[i], c,
                   rows, c);
        memset(x->g, 0, rows * c * sizeof(float));
    }
}

void dscq_exec_forward(dscq_exec *e, dscq_pass pass, const float *x, int32_t n,
                       const dscq_rng *rng)
{
    assert(n >= 1 && n <= e->o.batch);
    assert(pass == DSCQ_PASS_EVAL || e->o.training);
    e->pass = pass;
    e->x = x;
    e->n = n;
    e->has_rng = rng != NULL && pass == DSCQ_PASS_TRAIN;
    e->rng = rng != NULL ? *rng : dscq_rng_seeded(0);
    nn__exec_pack(e);
    observe(e, DSCQ_INPUT);
    for (int32_t i = 0; i < e->count; i++) {
        const double t = e->now != NULL ? e->now() : 0;
        if (!e->node[i].is_view && pass == DSCQ_PASS_TRAIN)
            forward_train(e, i);
        else if (!e->node[i].is_view)
            forward_eval(e, i);
        if (e->now != NULL)
            e->node[i].forward_s += e->now() - t;
        observe(e, i);
    }
    if (pass == DSCQ_PASS_TRAIN)
        finish_outputs(e);
}
