#include "dscq/hw/lanes.h"

#include "dscq/base/ints.h"
#include "simd.h"

#include <assert.h>
#include <string.h>

enum { REL_LIMIT = 1 << 29 }; /* relative times stay far below 2^31 */

static int32_t largest_end(const dscq_lanes *l)
{
    int32_t best = 0;

    for (int32_t i = 0; i < l->active; i++)
        best = dscq_max32(best, l->e[i]);
    return best;
}

/* Move relative time 0 to base + by; what lies before becomes 0, which no maximum
 * can tell from its true value because everything new is later. */
static void rebase(dscq_lanes *l, int32_t by)
{
    l->base += (uint64_t)by;
    l->b = dscq_max32(l->b - by, -1);
    l->start = dscq_max32(l->start - by, 0);
    l->pe_last = dscq_max32(l->pe_last - by, 0);
    for (int32_t i = 0; i < DSCQ_BANKS_MAX; i++)
        l->pe[i] = dscq_max32(l->pe[i] - by, 0);
    for (int32_t i = 0; i < l->lanes; i++)
        l->e[i] = dscq_max32(l->e[i] - by, 0);
    for (int32_t d = 0; d < l->depth; d++)
        for (int32_t i = 0; i < l->lanes; i++)
            l->s[d][i] = dscq_max32(l->s[d][i] - by, -1);
}

static void clear_gaps(dscq_lanes *l)
{
    for (int g = 0; g < DSCQ_GAP_COUNT; g++)
        memset(l->gap[g], 0, (size_t)l->lanes * sizeof l->gap[g][0]);
}

void dscq_lanes_reset(dscq_lanes *l, uint64_t cycle)
{
    memset(l, 0, sizeof *l);
    l->base = cycle;
    l->b = -1;
    l->lanes = l->active = l->depth = l->banks = 1;
}

void dscq_lanes_shape(dscq_lanes *l, int32_t lanes, int32_t active, int32_t depth,
                      int32_t banks, uint64_t cycle)
{
    assert(lanes >= 1 && lanes <= DSCQ_LANES_MAX && active >= 1 && active <= lanes);
    assert(depth >= 1 && depth <= DSCQ_QUEUE_MAX);
    assert(banks >= 1 && banks <= DSCQ_BANKS_MAX);
    assert(cycle >= dscq_lanes_end(l));

    const uint64_t pe_last = l->base + (uint64_t)l->pe_last;
    uint64_t pe[DSCQ_BANKS_MAX];
    for (int32_t i = 0; i < l->banks; i++) /* oldest first */
        pe[i] = l->base + (uint64_t)l->pe[(l->bank_at + i) % l->banks];
    const int32_t had = l->banks;

    l->lanes = lanes;
    l->active = active;
    l->depth = depth;
    l->banks = banks;
    l->base = cycle;
    l->b = -1;
    l->is_started = 0;
    l->start = 0;
    l->at = 0;
    l->bank_at = 0;
    memset(l->pe, 0, sizeof l->pe);
    l->pe_last = pe_last > cycle ? (int32_t)(pe_last - cycle) : 0;
    for (int32_t i = 0; i < banks && i < had; i++) { /* newest to the newest place */
        const uint64_t v = pe[had - 1 - i];
        l->pe[banks - 1 - i] = v > cycle ? (int32_t)(v - cycle) : 0;
    }
    memset(l->e, 0, (size_t)lanes * sizeof l->e[0]);
    for (int32_t d = 0; d < depth; d++)
        for (int32_t i = 0; i < lanes; i++)
            l->s[d][i] = -1; /* the queue has room in cycle 0 */
    clear_gaps(l);
}

void dscq_lanes_start(dscq_lanes *l, uint64_t t0)
{
    int32_t low = l->b;

    for (int32_t i = 0; i < l->active; i++)
        low = l->e[i] < low ? l->e[i] : low;
    if (low > 0)
        rebase(l, low);
    assert(t0 < l->base + REL_LIMIT); /* the caller reshapes after long waits */
    l->start = t0 > l->base ? (int32_t)(t0 - l->base) : 0;
    l->is_started = 1;
    clear_gaps(l);
}

typedef struct column {
    int32_t b;     /* cycle of the broadcast */
    int32_t floor; /* first column of a vector: no lane before this */
} column;

/* Lanes [l0, l1) take one column each. Returns nothing that depends on order. */
static DSCQ_HW_INLINE void take(const uint16_t *work, int32_t n, column c, int32_t *e,
                                int32_t *s, int32_t *gap, int32_t *gap_post)
{
    /* [L3] */
    const int32_t at = c.b + 1;

    if (c.floor == 0) {
        for (int32_t i = 0; i < n; i++) {
            const int32_t from = e[i];
            const int32_t take_at = from > at ? from : at;
            gap[i] += take_at - from;
            s[i] = take_at;
            e[i] = take_at + work[i];
        }
        return;
    }
    for (int32_t i = 0; i < n; i++) {
        const int32_t from = e[i];
        const int32_t ready = from > at ? from : at;
        const int32_t take_at = ready > c.floor ? ready : c.floor;
        gap[i] += ready - from;
        gap_post[i] += take_at - ready;
        s[i] = take_at;
        e[i] = take_at + work[i];
    }
}

static DSCQ_HW_INLINE int32_t largest(const int32_t *v, int32_t n)
{
    int32_t best = -1; /* the cycle before time 0 */

    for (int32_t i = 0; i < n; i++)
        best = v[i] > best ? v[i] : best;
    return best;
}

static DSCQ_HW_INLINE dscq_lane_gap next_broadcast(dscq_lanes *l, int32_t g,
                                                   int32_t queue_free)
{
    /* [L1] */
    const int32_t rate = l->b + g;
    const int32_t first = l->start + g - 1;
    dscq_lane_gap cause = g > 1 ? DSCQ_GAP_FETCH : DSCQ_GAP_RATE;
    int32_t b = rate;

    if (first > b) {
        b = first;
        cause = DSCQ_GAP_START;
    }
    /* [L2] */
    if (queue_free > b) {
        b = queue_free;
        cause = DSCQ_GAP_QUEUE;
    }
    l->b = b;
    return cause;
}

static DSCQ_HW_INLINE void vector_body(dscq_lanes *l, const uint16_t *work,
                                       int32_t columns, int32_t stride,
                                       const uint16_t *g)
{
    const int32_t n = l->active;
    int32_t floor = l->pe[l->bank_at];

    for (int32_t k = 0; k < columns; k++) {
        int32_t *s = l->s[l->at];
        const dscq_lane_gap cause = next_broadcast(l, g[k], largest(s, n) + 1);
        const column c = {l->b, floor};

        take(work + (size_t)k * (size_t)stride, n, c, l->e, s, l->gap[cause],
             l->gap[DSCQ_GAP_POST]);
        floor = 0;
        l->at = l->at + 1 == l->depth ? 0 : l->at + 1;
    }
}

DSCQ_HW_DISPATCH(vector_run,
                 (dscq_lanes * l, const uint16_t *work, int32_t columns, int32_t stride,
                  const uint16_t *g),
                 vector_body, (l, work, columns, stride, g))

/* The sums of a vector are complete: the bank goes to the post-processor. */
static void hand_over(dscq_lanes *l, int32_t post_cycles)
{
    if (post_cycles <= 0)
        return;
    /* [L5] [P1] */
    l->pe_last = dscq_max32(largest_end(l), l->pe_last) + post_cycles;
    l->pe[l->bank_at] = l->pe_last;
    l->bank_at = l->bank_at + 1 == l->banks ? 0 : l->bank_at + 1;
}

static void keep_small(dscq_lanes *l)
{
    if (l->b > REL_LIMIT) {
        int32_t low = l->b;
        for (int32_t i = 0; i < l->active; i++)
            low = l->e[i] < low ? l->e[i] : low;
        rebase(l, low);
    }
}

void dscq_lanes_vector(dscq_lanes *l, const uint16_t *work, int32_t columns,
                       int32_t stride, const uint16_t *g, int32_t post_cycles)
{
    assert(l->is_started);
    vector_run(l, work, columns, stride, g);
    hand_over(l, post_cycles);
    keep_small(l);
}

void dscq_lanes_rows(dscq_lanes *l, const uint16_t *work, int32_t count,
                     int32_t per_slot, int32_t g, int32_t post_cycles)
{
    const int32_t floor = l->pe[l->bank_at];
    int32_t *s = l->s[l->at];

    assert(l->is_started && per_slot >= 1 && count <= l->active);
    /* [R3] */
    for (int32_t i = 0; i < count; i += per_slot) {
        const int32_t n = count - i < per_slot ? count - i : per_slot;
        const dscq_lane_gap cause = next_broadcast(l, g, largest(s + i, n) + 1);
        const column c = {l->b, floor};
        take(work + i, n, c, l->e + i, s + i, l->gap[cause] + i,
             l->gap[DSCQ_GAP_POST] + i);
    }
    l->at = l->at + 1 == l->depth ? 0 : l->at + 1;
    hand_over(l, post_cycles);
    keep_small(l);
}

uint64_t dscq_lanes_broadcast_end(const dscq_lanes *l)
{
    return l->base + (uint64_t)l->b + 1;
}

uint64_t dscq_lanes_end(const dscq_lanes *l)
{
    return l->base + (uint64_t)largest_end(l);
}

uint64_t dscq_lanes_post_end(const dscq_lanes *l)
{
    return l->base + (uint64_t)l->pe_last;
}
