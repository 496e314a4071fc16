#include "dscq/hw/stepped.h"

#include "dscq/base/alloc.h"
#include "dscq/hw/machine.h"

#include <string.h>

/* Registers. `now` is what every unit reads, `next` what it writes. */
typedef struct lane_regs {
    int32_t queue[DSCQ_QUEUE_MAX]; /* push numbers, oldest first             */
    int32_t count;
    int32_t left;    /* cycles of work left, this one included                */
    int32_t work_on; /* push worked on, -1                                   */
    int32_t ended;   /* vector whose last column ended at this edge, -1      */
} lane_regs;

typedef struct regs {
    lane_regs *lane;
    int32_t next_push;   /* push being read                                  */
    int32_t read_cycles; /* cycles already spent reading it                  */
    int32_t post_left, post_vector; /* vector in the post-processor          */
    int32_t banks_released;         /* vectors whose bank is free again      */
} regs;

typedef struct world {
    const dscq_stepped_push *push;
    const int32_t *post_cycles;
    int32_t pushes, vectors, lanes, depth, banks;
    int32_t *missing; /* [vectors] lanes whose last column has not ended     */
    regs now, next;
    dscq_stepped_result out;
} world;

static void tick_broadcast(world *w, uint64_t cycle)
{
    const regs *r = &w->now;

    if (r->next_push == w->pushes || cycle < w->push[r->next_push].not_before)
        return;
    const dscq_stepped_push *p = &w->push[r->next_push];
    const int32_t spent = r->read_cycles + 1;
    if (spent < p->g) {
        w->next.read_cycles = spent;
        return;
    }
    for (int32_t l = p->lane0; l < p->lane1; l++)
        if (r->lane[l].count >= w->depth) {
            w->next.read_cycles = p->g - 1; /* held in the read register */
            return;
        }
    for (int32_t l = p->lane0; l < p->lane1; l++) {
        lane_regs *n = &w->next.lane[l];
        n->queue[n->count++] = r->next_push;
    }
    w->next.next_push = r->next_push + 1;
    w->next.read_cycles = 0;
    w->out.broadcast_end = cycle + 1;
}

static void tick_lane(world *w, int32_t l, uint64_t cycle)
{
    const lane_regs *r = &w->now.lane[l];
    lane_regs *n = &w->next.lane[l];

    if (r->left > 0) {
        n->left = r->left - 1;
        if (n->left == 0 && w->push[r->work_on].is_last)
            n->ended = w->push[r->work_on].vector;
        if (n->left > 0)
            return;
        w->out.lanes_end = cycle + 1;
        return;
    }
    (void)cycle;
}

/* Taking happens in the cycle itself: a lane whose work ended at the last edge and
 * whose queue held something at the last edge starts now. */
static void take_columns(world *w, uint64_t cycle)
{
    for (int32_t l = 0; l < w->lanes; l++) {
        lane_regs *r = &w->now.lane[l];
        lane_regs *n = &w->next.lane[l];
        if (r->left > 0 || r->count == 0)
            continue;
        const dscq_stepped_push *p = &w->push[r->queue[0]];
        if (p->is_first && p->vector - w->now.banks_released >= w->banks)
            continue;
        const int32_t work = p->n[l] > 0 ? p->n[l] : 1;
        n->work_on = r->work_on = r->queue[0];
        r->left = work; /* visible to tick_lane in this very cycle */
        n->left = work;
        n->count--;
        memmove(n->queue, n->queue + 1, sizeof n->queue[0] * (size_t)n->count);
    }
    (void)cycle;
}

static void tick_post(world *w, uint64_t cycle)
{
    regs *r = &w->now;

    if (r->post_left == 0 && r->post_vector < w->vectors &&
        w->missing[r->post_vector] == 0)
        r->post_left = w->post_cycles[r->post_vector];
    if (r->post_left > 0) {
        w->next.post_left = r->post_left - 1;
        if (w->next.post_left == 0) {
            w->next.post_vector = r->post_vector + 1;
            w->next.banks_released = r->banks_released + 1;
            w->out.post_end = cycle + 1;
        }
    }
}

static void commit(world *w)
{
    lane_regs *keep = w->now.lane;

    for (int32_t l = 0; l < w->lanes; l++) {
        int32_t *ended = &w->next.lane[l].ended;
        if (*ended >= 0)
            w->missing[*ended]--;
        *ended = -1;
    }
    memcpy(keep, w->next.lane, sizeof *keep * (size_t)w->lanes);
    lane_regs *spare = w->next.lane;
    w->now = w->next;
    w->now.lane = keep;
    w->next.lane = spare;
}

dscq_status dscq_stepped_run(dscq_stepped_result *out, const dscq_stepped_push *push,
                             int32_t pushes, const int32_t *post_cycles,
                             int32_t vectors, int32_t lanes, int32_t depth,
                             int32_t banks, uint64_t start, uint64_t limit,
                             dscq_error *err)
{
    world w = {.push = push,
               .post_cycles = post_cycles,
               .pushes = pushes,
               .vectors = vectors,
               .lanes = lanes,
               .depth = depth,
               .banks = banks,
               .out = {start, start, start}};
    dscq_status status = DSCQ_OK;

    w.now.lane = dscq_calloc((size_t)lanes, sizeof *w.now.lane);
    w.next.lane = dscq_calloc((size_t)lanes, sizeof *w.next.lane);
    w.missing = dscq_calloc((size_t)vectors, sizeof *w.missing);
    if (w.now.lane == NULL || w.next.lane == NULL || w.missing == NULL)
        status = dscq_fail_nomem(err, "the stepped lanes",
                                 2ULL * sizeof *w.now.lane * (unsigned)lanes);
    for (int32_t l = 0; status == DSCQ_OK && l < lanes; l++)
        w.now.lane[l].ended = w.next.lane[l].ended = -1;
    for (int32_t i = 0; status == DSCQ_OK && i < pushes; i++)
        w.missing[push[i].vector] += push[i].is_last * (push[i].lane1 - push[i].lane0);
    uint64_t cycle = start;
    while (status == DSCQ_OK && w.now.post_vector < vectors) {
        if (cycle - start > limit)
            status = dscq_fail(err, DSCQ_INTERNAL,
                               "the stepped lanes did not end in %llu cycles",
                               (unsigned long long)limit);
        take_columns(&w, cycle);
        tick_broadcast(&w, cycle);
        for (int32_t l = 0; l < lanes; l++)
            tick_lane(&w, l, cycle);
        tick_post(&w, cycle);
        commit(&w);
        cycle++;
    }
    dscq_free(w.now.lane);
    dscq_free(w.next.lane);
    dscq_free(w.missing);
    *out = w.out;
    return status;
}
