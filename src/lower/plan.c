/* Which operations form a stage, in how many bands, and what stays on chip: a shortest
 * path over the cuts between operations, each cut either through DRAM or on chip. */
#include "dscq/base/alloc.h"
#include "lower_internal.h"

static const double UNREACHED = 1e300;

/* Numbers of bands that are tried, up to a row each: dividers of the usual heights. */
static const int32_t k_bands[] = {1, 2, 3, 4, 6, 8, 14, 28, 56, 112, 1 << 20};

/* Middle channels of a group that are tried, the first that fits is taken; a group's
 * lanes are shaped for it, not for the layer. */
static const int32_t k_groups[] = {256, 128, 64, 32, 16, 8};
static const double GROUP_SLOWDOWN = 1.3;

/* Inputs of a strip against the whole map: borders are read by two strips. */
static const double STRIP_BORDER = 1.5;

/* In deep networks long stages are tried only where maps are large against the buffer:
 * elsewhere short ones are as good, and there are many. */
enum { LONG_STAGE = 8, DEEP_NETWORK = 40, ROOMY = 4 };

typedef struct planner {
    lowering *l;
    int64_t room;
    double *best;  /* [(ops + 1) * CUTS] */
    int32_t *from; /* cut before the stage that ends here */
    int32_t *from_cut;
    low_stage *stage; /* the stage that ends here */
} planner;

/* Bytes of whole tensors that cross cut `at` (before operation `at`). */
static int64_t crossing(const lowering *l, int32_t at)
{
    int64_t sum = 0;

    for (int32_t t = 0; t < l->p->tensor_count; t++)
        if (lower__crosses(l, t, at))
            sum += lower__whole_bytes(l, t);
    return sum;
}

/* Exactly one block: [1 x 1 expansion] depthwise projection [its sum]; what stands
 * between blocks stays by itself. */
static int is_one_block(const dscq_hw_op *op, int32_t first, int32_t last)
{
    const int expands = op[first].mode == DSCQ_HW_BROADCAST && op[first].kernel_h == 1;
    const int32_t dw = first + expands;

    return dw < last && op[dw].mode == DSCQ_HW_DEPTHWISE &&
           op[dw + 1].mode == DSCQ_HW_BROADCAST &&
           (dw + 1 == last || (dw + 2 == last && op[last].mode == DSCQ_HW_ADD));
}

static int fuse_allowed(const lowering *l, int32_t first, int32_t last)
{
    const dscq_hw_op *op = l->p->op;
    const int32_t n = last - first + 1;

    if (n == 1)
        return 1;
    switch (l->m->schedule.fuse) {
    case DSCQ_SCHEDULE_FUSE_NONE:
        return 0;
    case DSCQ_SCHEDULE_FUSE_DW: /* a depthwise operation and the next */
        return n == 2 && op[first].mode == DSCQ_HW_DEPTHWISE &&
               op[last].mode == DSCQ_HW_BROADCAST;
    case DSCQ_SCHEDULE_FUSE_BLOCK: /* [expand] depthwise project [sum] */
        for (int32_t i = first; i <= last; i++)
            if (op[i].mode == DSCQ_HW_DEPTHWISE && i > first + 1)
                return 0;
        return n <= 4 && (op[first].mode == DSCQ_HW_DEPTHWISE ||
                          op[first + 1].mode == DSCQ_HW_DEPTHWISE);
    case DSCQ_SCHEDULE_FUSE_ONE_BLOCK:
        return is_one_block(op, first, last);
    default:
        return n <= LOWER_STAGE_MAX;
    }
}

static void consider(planner *pl, int32_t first, int32_t last, int left, int right,
                     const low_stage *s, double cost)
{
    const int32_t to = (last + 1) * CUTS + right, from = first * CUTS + left;
    const double total = pl->best[from] + cost;

    if (total < pl->best[to]) {
        pl->best[to] = total;
        pl->from[to] = first;
        pl->from_cut[to] = left;
        pl->stage[to] = *s;
    }
}

static void try_single(planner *pl, const low_bands *b, int32_t o, int left, int right)
{
    const lowering *l = pl->l;
    const int32_t forced = l->m->schedule.dataflow;

    for (int f = LOW_BANDS; f <= LOW_WEIGHTS; f++) {
        if ((forced == DSCQ_SCHEDULE_FLOW_WEIGHTS && f == LOW_FEATURES) ||
            (forced == DSCQ_SCHEDULE_FLOW_FEATURES && f == LOW_WEIGHTS))
            continue;
        const low_flow_cost c = lower__single_flow(l, b, o, (low_flow)f, left, right);
        if (!c.fits || c.rings > pl->room)
            continue;
        low_stage s = {.first = o,
                       .last = o,
                       .bands = b->bands,
                       .flow = (low_flow)f,
                       .kept = c.kept,
                       .bytes = c.bytes};
        const double cost =
            lower__price(l, lower__stage_cycles(l, b, o, o), c.bytes, &s.cycles);
        consider(pl, o, o, left, right, &s, cost);
    }
}

static void try_fused(planner *pl, const low_bands *b, int32_t first, int32_t last,
                      int left, int right)
{
    const lowering *l = pl->l;
    const low_need n = lower__need_of(l, b, first, last, left, right, 1);
    int64_t buffer = 0;
    double weights = 0;

    if (n.rings > pl->room)
        return;
    for (int32_t o = first; o <= last; o++) {
        buffer += l->op[o].weight_buffer;
        weights += (double)l->op[o].weight_bytes;
        if (l->op[o].k_pieces > 1)
            return;
    }
    low_stage s = {.first = first, .last = last, .bands = b->bands};
    s.kept = buffer <= l->m->weight_bytes;
    s.bytes = n.bytes + weights * (s.kept ? 1 : b->bands);
    const double cost =
        lower__price(l, lower__stage_cycles(l, b, first, last), s.bytes, &s.cycles);
    consider(pl, first, last, left, right, &s, cost);
}

static void try_groups(planner *pl, int32_t first, int32_t last, int left, int right)
{
    const lowering *l = pl->l;
    const int cut[2] = {left, right};
    const int32_t middle = l->p->tensor[l->p->op[last - 1].out].c;

    if (l->op[last].no_group || !lower__is_block(l, first, last) ||
        lower__holding_lanes(l, last) == 0 || l->m->acc_banks < 2)
        return;
    for (size_t i = 0; i < sizeof k_groups / sizeof k_groups[0]; i++) {
        const int32_t group = k_groups[i];
        if (group >= middle)
            continue;
        const low_need n = lower__group_need(l, first, last, cut, group);
        if (n.rings == 0 || n.rings > pl->room)
            continue;
        low_stage s = {.first = first,
                       .last = last,
                       .bands = LOWER_GROUP_BANDS,
                       .flow = LOW_GROUPS,
                       .group = group,
                       .bytes = n.bytes};
        double cycles = 0;
        for (int32_t o = first; o <= last; o++) {
            s.bytes += (double)l->op[o].weight_bytes;
            cycles += lower__row_cycles(l, o, l->p->tensor[l->p->op[o].out].h) +
                      (double)middle / group * l->op[o].fixed_cycles;
        }
        const double cost =
            lower__price(l, GROUP_SLOWDOWN * cycles, s.bytes, &s.cycles);
        consider(pl, first, last, left, right, &s, cost);
        return;
    }
}

static int32_t height_of(const lowering *l, int32_t first, int32_t last)
{
    int32_t h = 1;

    for (int32_t o = first; o <= last; o++) {
        const int32_t t = l->p->op[o].out;
        if (l->tensor[t].last_op > last || l->tensor[t].is_output ||
            l->tensor[t].last_op < 0)
            h = l->p->tensor[t].h > h ? l->p->tensor[t].h : h;
    }
    return h;
}

static dscq_status try_stage(planner *pl, int32_t first, int32_t last)
{
    const lowering *l = pl->l;
    const int32_t height = height_of(l, first, last);
    int32_t tried = 0;
    dscq_status status = DSCQ_OK;

    for (size_t i = 0; i < sizeof k_bands / sizeof k_bands[0]; i++) {
        const int32_t bands = k_bands[i] < height ? k_bands[i] : height;
        low_bands b;
        if (bands == tried)
            break;
        tried = bands;
        DSCQ_TRY(lower__bands_make(&b, l, first, last, bands, l->err));
        for (int left = 0; left < CUTS; left++)
            for (int right = 0; right < CUTS; right++) {
                if (pl->best[first * CUTS + left] == UNREACHED ||
                    (l->m->schedule.resident == DSCQ_SCHEDULE_RESIDENT_NO &&
                     (left || right)) ||
                    (last + 1 == l->p->op_count && right == CUT_CHIP))
                    continue;
                if (first == last)
                    try_single(pl, &b, first, left, right);
                else
                    try_fused(pl, &b, first, last, left, right);
            }
        lower__bands_clear(&b);
    }
    for (int left = 0; left < CUTS && first < last; left++)
        for (int right = 0; right < CUTS; right++)
            if (pl->best[first * CUTS + left] < UNREACHED &&
                !(l->m->schedule.resident == DSCQ_SCHEDULE_RESIDENT_NO &&
                  (left || right)) &&
                !(last + 1 == l->p->op_count && right == CUT_CHIP))
                try_groups(pl, first, last, left, right);
done:
    return status;
}

/* Several operations that write one tensor (a join) may not be parted by a DRAM cut:
 * the rows of all of them are stored together. */
static int may_cut(const lowering *l, int32_t at)
{
    return at == 0 || at == l->p->op_count || l->p->op[at].out != l->p->op[at - 1].out;
}

/* The widest strip of single rows that fits; DSCQ_ARG when none does. */
static dscq_status strip_stage(planner *pl, int32_t o)
{
    const lowering *l = pl->l;
    const dscq_hw_op *op = &l->p->op[o];
    const int32_t w = l->p->tensor[op->out].w;
    const int32_t all = l->p->tensor[op->out].c;
    low_stage s = {.first = o, .last = o, .flow = LOW_BANDS};
    int32_t chan = 0, width = w;

    while (width > 1 && lower__strip_bytes(l, o, 1, width, 0) > pl->room)
        width = (width + 1) / 2;
    int64_t need = lower__strip_bytes(l, o, 1, width, 0);
    if (need > pl->room && lower__separable(op)) {
        width = w;
        for (chan = all;
             chan > 1 && lower__strip_bytes(l, o, 1, width, chan) > pl->room;)
            chan = (chan + 1) / 2;
        need = lower__strip_bytes(l, o, 1, width, chan);
    }
    if (need > pl->room || (l->op[o].k_pieces > 1 && width < w))
        return dscq_fail(
            l->err, DSCQ_ARG,
            "layer '%s': its smallest tile needs %lld bytes of activations, "
            "%lld more than act_bytes = %lld",
            op->name, (long long)need, (long long)(need - pl->room),
            (long long)l->m->act_bytes);
    s.strip = width;
    s.chan = chan;
    int32_t rows = l->p->tensor[op->out].h;
    while (rows > 1 && lower__strip_bytes(l, o, rows, width, chan) > pl->room)
        rows = (rows + 1) / 2;
    s.bands = ceil_div(l->p->tensor[op->out].h, rows);
    s.kept = l->op[o].weight_buffer <= l->m->weight_bytes;
    const int32_t strips = ceil_div(w, width);
    s.bytes = lower__dram_bytes(l, op->out) + (double)l->op[o].weight_bytes * strips;
    for (int32_t i = 0; i < op->in_count; i++)
        s.bytes += STRIP_BORDER * lower__dram_bytes(l, op->in[i]);
    const double cost = lower__price(
        l, lower__row_cycles(l, o, rows) * s.bands * strips, s.bytes, &s.cycles);
    consider(pl, o, o, CUT_DRAM, CUT_DRAM, &s, cost);
    return DSCQ_OK;
}

static dscq_status plan_create(planner *pl, lowering *l)
{
    const size_t n = (size_t)(l->p->op_count + 1) * CUTS;

    pl->l = l;
    pl->best = dscq_malloc(n, sizeof *pl->best);
    pl->from = dscq_calloc(n, sizeof *pl->from);
    pl->from_cut = dscq_calloc(n, sizeof *pl->from_cut);
    pl->stage = dscq_calloc(n, sizeof *pl->stage);
    if (pl->best == NULL || pl->from == NULL || pl->from_cut == NULL ||
        pl->stage == NULL)
        return dscq_fail_nomem(l->err, "the plan", n * 64);
    return DSCQ_OK;
}

static void plan_clear(planner *pl)
{
    dscq_free(pl->best);
    dscq_free(pl->from);
    dscq_free(pl->from_cut);
    dscq_free(pl->stage);
}

static dscq_status search(planner *pl)
{
    lowering *l = pl->l;
    const int32_t n = l->p->op_count;
    dscq_status status = DSCQ_OK;

    for (int32_t i = 0; i < (n + 1) * CUTS; i++)
        pl->best[i] = UNREACHED;
    pl->best[CUT_DRAM] = 0;
    for (int32_t first = 0; first < n; first++) {
        if (!may_cut(l, first))
            continue;
        for (int32_t last = first; last < n && last < first + LOWER_STAGE_MAX; last++) {
            int joined = 1; /* parts of one join always go together */
            for (int32_t o = first; o < last; o++)
                joined &= l->p->op[o].out == l->p->op[o + 1].out;
            if (!may_cut(l, last + 1) || (!fuse_allowed(l, first, last) && !joined))
                continue;
            if (last - first >= LONG_STAGE && l->p->op_count > DEEP_NETWORK &&
                pl->best[(last + 1) * CUTS] < UNREACHED &&
                l->m->act_bytes > ROOMY * crossing(l, first + 1))
                break;
            DSCQ_TRY(try_stage(pl, first, last));
        }
        const int reachable = pl->best[first * CUTS] < UNREACHED;
        const int next_open = pl->best[(first + 1) * CUTS] == UNREACHED;
        if (reachable && next_open && may_cut(l, first + 1))
            DSCQ_TRY(strip_stage(pl, first));
    }
    if (pl->best[n * CUTS] == UNREACHED)
        DSCQ_TRY(dscq_fail(l->err, DSCQ_ARG,
                           "no schedule fits act_bytes = %lld and weight_bytes = %lld",
                           (long long)l->m->act_bytes, (long long)l->m->weight_bytes));
done:
    return status;
}

/* Walk back from the end; a tensor stays only when every cut it crosses is on chip. */
static dscq_status take_path(planner *pl)
{
    lowering *l = pl->l;
    int32_t at = l->p->op_count, cut = CUT_DRAM, n = 0;

    for (int32_t a = at, c = cut; a > 0; n++) {
        const int32_t i = a * CUTS + c;
        a = pl->from[i];
        c = pl->from_cut[i];
    }
    dscq_free(l->stage);
    l->stage = dscq_calloc((size_t)n, sizeof *l->stage);
    if (l->stage == NULL)
        return dscq_fail_nomem(l->err, "stages", (size_t)n * sizeof *l->stage);
    l->stage_count = n;
    for (int32_t t = 0; t < l->p->tensor_count; t++)
        l->tensor[t].stays = !l->tensor[t].is_input && l->tensor[t].first_op >= 0;
    while (at > 0) {
        const int32_t i = at * CUTS + cut;
        l->stage[--n] = pl->stage[i];
        for (int32_t t = 0; t < l->p->tensor_count && cut == CUT_DRAM; t++)
            if (lower__crosses(l, t, at))
                l->tensor[t].stays = 0;
        cut = pl->from_cut[i];
        at = pl->from[i];
    }
    return DSCQ_OK;
}

/* A tensor that lives inside one stage has a ring there, not a whole-tensor place. */
static void mark_inner(lowering *l)
{
    for (int32_t s = 0; s < l->stage_count; s++)
        for (int32_t t = 0; t < l->p->tensor_count; t++) {
            low_tensor *x = &l->tensor[t];
            if (x->first_op >= l->stage[s].first && x->last_op <= l->stage[s].last)
                x->stays = 0;
        }
}

dscq_status lower__plan(lowering *l)
{
    planner pl = {.room = l->m->act_bytes};
    dscq_status status;

    DSCQ_TRY(plan_create(&pl, l));
    DSCQ_TRY(search(&pl));
    DSCQ_TRY(take_path(&pl));
    mark_inner(l);
done:
    plan_clear(&pl);
    return status;
}
