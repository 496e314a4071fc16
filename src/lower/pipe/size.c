/* Lanes, vector and width of every stage: for a given time of a frame each stage takes
 * its cheapest shape that is fast enough; the shortest time whose sum fits is found by
 * bisection. Estimates; pipeline.c counts exactly what was chosen. */
#include "dscq/base/alloc.h"
#include "pipe.h"

#include <stdio.h>
#include <string.h>

/* A frame sized for target_fps is so much shorter: estimates are a little low. */
static const double TARGET = 0.97;
/* A lane's stream against its share, where entries are stored alone. */
static const double LONGEST_LANE = 1.1;
static const double ANY_TIME = 1e300;

typedef struct shape {
    int32_t lanes, vector, post;
    double cycles; /* of a frame */
    dscq_resources need;
    double cost; /* share of the board, resources added up */
} shape;

typedef struct choices {
    shape *v;
    int32_t count, cap, best;
} choices;

static const int32_t k_lanes[] = {1,  2,  3,  4,  6,  8,   12,  16,
                                  24, 32, 48, 64, 96, 128, 192, 256};
static const int32_t k_vectors[] = {1,  2,  3,  4,  5,  6,  7,  8,   10, 12,
                                    14, 16, 20, 24, 28, 32, 56, 112, 224};
static const int32_t k_posts[] = {1, 2, 4, 8, 16, 32, 64, 128};
enum {
    LANES = sizeof k_lanes / sizeof *k_lanes,
    VECTORS = sizeof k_vectors / sizeof *k_vectors,
    POSTS = sizeof k_posts / sizeof *k_posts
};

static double share(const dscq_resources *need, const dscq_resources *of)
{
    double sum = 0;

#define X(field, text)                                                                 \
    sum += of->field > 0 ? (double)need->field / (double)of->field : 0;
    DSCQ_RESOURCE_LIST(X)
#undef X
    return sum;
}

static dscq_status add_shape(choices *c, shape s, dscq_error *err)
{
    if (c->count == c->cap) {
        const int32_t cap = c->cap == 0 ? 256 : 2 * c->cap;
        shape *v =
            dscq_realloc(c->v, (size_t)c->cap * sizeof *v, (size_t)cap * sizeof *v);
        if (v == NULL)
            return dscq_fail_nomem(err, "stage shapes", (size_t)cap * sizeof *v);
        c->v = v;
        c->cap = cap;
    }
    c->v[c->count++] = s;
    return DSCQ_OK;
}

typedef struct conv_facts {
    const dscq_pipe_stage *s;
    int32_t stage, channels, width, depthwise, groups;
    double weights;
    int32_t code_bits;
    low_choice enc;
    const low_board *b;
} conv_facts;

static shape conv_shape(const lowering *l, const conv_facts *k, int32_t lanes,
                        double vector_cycles, int32_t vector, int32_t post)
{
    const int32_t vectors = ceil_div(k->width, vector);
    const int32_t rows = ceil_div(k->channels, lanes);
    const int32_t at_once = k->depthwise ? dscq_min32(lanes, k->channels) : k->channels;
    const int32_t t = dscq_post_cycles(at_once, vector, post);
    const int32_t steps = k->depthwise ? rows : 1;
    const double one = vector_cycles / steps;
    const double row = l->m->command_cycles + 2.0 +
                       (double)vectors * k->groups * steps * (one > t ? one : t) + t;
    const int binary = k->enc.kind == DSCQ_STREAM_BINARY;
    const int dense = binary || k->enc.kind == DSCQ_STREAM_DENSE;
    const int32_t bits = binary ? 1 : k->code_bits + k->enc.gap_bits;
    /* of one lane's stream, positions included */
    const double stream = k->weights / lanes * k->enc.bits_per_weight;
    const dscq_pipe_cost cost = {
        .lanes = lanes,
        .vector = vector,
        .post = post,
        .acc_rows = k->depthwise ? 1 : rows,
        .channels = k->channels * k->groups,
        .entry_bits = bits,
        .depth = (int32_t)(stream * (dense ? 1.0 : LONGEST_LANE) / bits) + 1,
        .is_wide = lower__is_wide(l, k->s->op_first),
        .is_dense = dense};
    shape s = {.lanes = lanes,
               .vector = vector,
               .post = post,
               .cycles = row * k->s->rows,
               .need = dscq_pipe_stage_need(&cost, l->m)};
    const dscq_resources fifos = lower__fifos_need(l, k->stage, lanes, vector, post);

    dscq_resources_add(&s.need, &fifos);
    s.cost = share(&s.need, &k->b->most);
    return s;
}

static dscq_status conv_choices(choices *c, lowering *l, int32_t stage,
                                const low_board *b)
{
    const dscq_pipe_stage *s = &dscq_program_pipe(l->p)->stage[stage];
    const dscq_hw_op *op = &l->p->op[s->op_first];
    const dscq_qnode *n = &l->q->node[l->op[s->op_first].node];
    const int depthwise = op->mode == DSCQ_HW_DEPTHWISE;
    conv_facts k = {.s = s,
                    .stage = stage,
                    .depthwise = depthwise,
                    .groups = depthwise ? 1 : n->groups,
                    .width = l->p->tensor[op->out].w,
                    .b = b};
    double times[LANES];
    int32_t lanes[LANES], count = 0;
    dscq_status status;

    k.channels = n->weights->k / k.groups;
    for (int i = 0; i < LANES; i++)
        if (k_lanes[i] <= k.channels)
            lanes[count++] = k_lanes[i];
    DSCQ_TRY(lower__probe(l, s->op_first, lanes, count, times, &k.enc));
    k.weights = (double)n->weights->count;
    k.code_bits = n->weights->bits;
    for (int32_t i = 0; i < count; i++) {
        const double one = times[i] / k.groups;
        for (int v = 0; v < VECTORS && k_vectors[v] < 2 * k.width; v++) {
            const int32_t vector = dscq_min32(k_vectors[v], k.width);
            for (int p = 0; p < POSTS; p++)
                DSCQ_TRY(add_shape(
                    c, conv_shape(l, &k, lanes[i], one, vector, k_posts[p]), l->err));
        }
    }
done:
    return status;
}

static dscq_status vector_choices(choices *c, lowering *l, int32_t stage,
                                  const low_board *b)
{
    const dscq_pipe_stage *s = &dscq_program_pipe(l->p)->stage[stage];
    dscq_status status = DSCQ_OK;

    for (int p = 0; p < POSTS; p++) {
        dscq_pipe_stage one = *s;
        double row = l->m->command_cycles;
        one.post = k_posts[p];
        for (int32_t o = s->op_first; o < s->op_first + s->op_count; o++)
            row += ceil_div((int64_t)dscq_pipe_work(l->p, &l->p->op[o]), one.post) + 1;
        const dscq_pipe_cost cost = lower__stage_cost(l, &one);
        shape x = {.lanes = 1,
                   .vector = 1,
                   .post = one.post,
                   .cycles = row * s->rows,
                   .need = dscq_pipe_stage_need(&cost, l->m)};
        const dscq_resources fifos = lower__fifos_need(l, stage, 1, 1, one.post);
        dscq_resources_add(&x.need, &fifos);
        x.cost = share(&x.need, &b->most);
        DSCQ_TRY(add_shape(c, x, l->err));
    }
done:
    return status;
}

/* The cheapest shape of each stage that takes at most `interval` cycles a frame. 0: a
 * stage is not that fast in any shape, or they do not fit together. */
static int pick(choices *c, int32_t n, double interval, const dscq_resources *most,
                int64_t multipliers)
{
    dscq_resources sum = {0};
    int64_t used = 0;

    for (int32_t i = 0; i < n; i++) {
        c[i].best = -1;
        for (int32_t k = 0; k < c[i].count; k++)
            if (c[i].v[k].cycles <= interval &&
                (c[i].best < 0 || c[i].v[k].cost < c[i].v[c[i].best].cost))
                c[i].best = k;
        if (c[i].count == 0)
            continue;
        if (c[i].best < 0)
            return 0;
        const shape *s = &c[i].v[c[i].best];
        dscq_resources_add(&sum, &s->need);
        used += (int64_t)s->lanes * s->vector;
    }
    return used <= multipliers && lower__within(&sum, most);
}

static double bisect(choices *c, int32_t n, double low, double high,
                     const dscq_resources *most, int64_t multipliers)
{
    if (!pick(c, n, high, most, multipliers))
        return 0;
    for (int i = 0; i < 40 && high - low > 0.5; i++) {
        const double middle = (low + high) / 2;
        *(pick(c, n, middle, most, multipliers) ? &high : &low) = middle;
    }
    (void)pick(c, n, high, most, multipliers);
    return high;
}

static dscq_status refuse(const lowering *l, choices *c, int32_t n, const low_board *b)
{
    dscq_resources sum = {0};
    char text[160] = "";
    size_t at = 0;

    (void)pick(c, n, ANY_TIME, &b->most, INT64_MAX);
    for (int32_t i = 0; i < n; i++)
        if (c[i].best >= 0)
            dscq_resources_add(&sum, &c[i].v[c[i].best].need);
#define X(field, text_)                                                                \
    if (sum.field > b->most.field && at < sizeof text)                                 \
        at += (size_t)snprintf(                                                        \
            text + at, sizeof text - at, "%s%s %lld of %lld (%lld too many)",          \
            at > 0 ? ", " : "", #field, (long long)sum.field,                          \
            (long long)b->most.field, (long long)(sum.field - b->most.field));
    DSCQ_RESOURCE_LIST(X)
#undef X
    return dscq_fail(l->err, DSCQ_ARG,
                     "machine '%s': a stage for each of %d layers does not fit board "
                     "%s: %s",
                     l->m->name, n, l->m->board,
                     at > 0 ? text : "multipliers is too small");
}

/* The least time any shape could take, and the most of the slowest shapes. */
static void bounds(const choices *c, int32_t n, double *low, double *high)
{
    *low = 1;
    *high = 1;
    for (int32_t i = 0; i < n; i++) {
        double least = ANY_TIME;
        for (int32_t k = 0; k < c[i].count; k++) {
            least = c[i].v[k].cycles < least ? c[i].v[k].cycles : least;
            *high = c[i].v[k].cycles > *high ? c[i].v[k].cycles : *high;
        }
        *low = c[i].count > 0 && least > *low ? least : *low;
    }
    *low -= 1;
}

static dscq_status choose(lowering *l, choices *c, int32_t n, const low_board *b,
                          double *interval)
{
    const double target =
        l->m->target_fps > 0 ? TARGET * l->m->clock_mhz * 1e6 / l->m->target_fps : 0;
    double low, high;

    bounds(c, n, &low, &high);
    if (target > low) /* no faster than asked for */
        low = target < high ? target - 1 : high - 1;
    *interval = bisect(c, n, low, high, &b->advised, l->m->multipliers);
    if (*interval == 0)
        *interval = bisect(c, n, low, high, &b->most, l->m->multipliers);
    return *interval > 0 ? DSCQ_OK : refuse(l, c, n, b);
}

dscq_status lower__size_stages(lowering *l, const low_board *b, double *interval)
{
    dscq_pipe *pipe = dscq_program_pipe(l->p);
    const int32_t n = pipe->stage_count;
    choices *c = dscq_calloc((size_t)n, sizeof *c);
    dscq_status status = DSCQ_OK;

    if (c == NULL)
        return dscq_fail_nomem(l->err, "stage shapes", (size_t)n * sizeof *c);
    for (int32_t i = 0; i < n; i++) {
        if (pipe->stage[i].kind == DSCQ_PIPE_LANES)
            DSCQ_TRY(conv_choices(&c[i], l, i, b));
        else if (pipe->stage[i].kind == DSCQ_PIPE_VECTOR)
            DSCQ_TRY(vector_choices(&c[i], l, i, b));
    }
    DSCQ_TRY(choose(l, c, n, b, interval));
    for (int32_t i = 0; i < n; i++)
        if (c[i].count > 0) {
            const shape *s = &c[i].v[c[i].best];
            pipe->stage[i].lanes = s->lanes;
            pipe->stage[i].vector = s->vector;
            pipe->stage[i].post = s->post;
        }
done:
    for (int32_t i = 0; i < n; i++)
        dscq_free(c[i].v);
    dscq_free(c);
    return status;
}
