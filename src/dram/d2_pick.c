#include "d2.h"

#include <string.h>

/* R2.5 "may issue": earliest cycle, DRAM_NEVER while the bank state forbids it. */
static inline uint64_t ready_at(const d2 *s, int32_t r, const d2_cmd *e)
{
    const d2_bank *b = &s->bank[r][e->bank];

    if (e->is_act) {
        const d2_rank *rank = &s->rank[r];
        if (b->state != D2_IDLE && b->state != D2_REFRESHING)
            return DRAM_NEVER;
        return dscq_max64(b->next_act, rank->faw[rank->faw_at]);
    }
    if (b->state != D2_ACTIVE || b->row != e->row || b->accesses >= (uint32_t)s->cap)
        return DRAM_NEVER;
    return e->is_write ? b->next_wr : b->next_rd;
}

static int has_older_column(const d2_queue *q, int32_t i)
{
    for (int32_t j = 0; j < i; j++)
        if (!q->cmd[j].is_act && q->cmd[j].bank == q->cmd[i].bank &&
            q->cmd[j].row == q->cmd[i].row)
            return 1;
    return 0;
}

static int is_behind_own_act(const d2_queue *q, int32_t i)
{
    return i > 0 && q->cmd[i - 1].is_act && q->cmd[i - 1].req == q->cmd[i].req;
}

/* Index of the entry to issue from one queue, or -1; *wake falls to the first
 * cycle at which a blocked entry becomes ready. */
static int32_t pick_entry(const d2 *s, int32_t r, const d2_queue *q, uint64_t t,
                          uint64_t *wake)
{
    const int32_t look = !s->open_page && s->per_bank && q->count > 1 ? 1 : q->count;

    for (int32_t i = 0; i < look; i++) {
        const uint64_t at = ready_at(s, r, &q->cmd[i]);
        if (at > t) {
            *wake = dram_min64(*wake, at);
            continue;
        }
        if (s->open_page ? has_older_column(q, i) : is_behind_own_act(q, i))
            continue;
        return i;
    }
    return -1;
}

static void forget_wanted(d2 *s, int32_t rank, const d2_cmd *e)
{
    d2_bank *b = &s->bank[rank][e->bank];

    if (b->state == D2_ACTIVE && b->row == e->row && b->wanted != 0)
        b->wanted--;
}

static void erase(d2 *s, int32_t rank, d2_queue *q, int32_t i)
{
    forget_wanted(s, rank, &q->cmd[i]);
    q->count--;
    s->rank[rank].queued--;
    memmove(&q->cmd[i], &q->cmd[i + 1], (size_t)(q->count - i) * sizeof *q->cmd);
}

static d2_choice take(d2 *s, int32_t rank, d2_queue *q, int32_t i)
{
    const d2_cmd e = q->cmd[i];
    dscq_dram_op op = DSCQ_DRAM_ACT;

    if (!e.is_act && s->open_page)
        op = e.is_write ? DSCQ_DRAM_WR : DSCQ_DRAM_RD;
    else if (!e.is_act)
        op = e.is_write ? DSCQ_DRAM_WRA : DSCQ_DRAM_RDA;
    erase(s, rank, q, i);
    return (d2_choice){op, rank, e.bank, e.req, e.row};
}

void dram__d2_advance_pointer(const d2 *s, int32_t *rank, int32_t *bank)
{
    if (s->order == DSCQ_DRAM_RANK_FIRST) {
        if (++*rank == s->ranks) {
            *rank = 0;
            *bank = (*bank + 1) % s->banks;
        }
    } else if (++*bank == s->banks) {
        *bank = 0;
        *rank = (*rank + 1) % s->ranks;
    }
}

/* R2.5a, an open bank in the way of a refresh: its queued column first, if that
 * is what comes first for the row; else close it (open page only). */
static int clear_way(d2 *s, int32_t r, int32_t b, uint64_t t, d2_choice *out)
{
    d2_queue *q = d2_queue_of(s, r, b);
    d2_bank *bank = &s->bank[r][b];
    int32_t i = 0;

    while (i < q->count && !(q->cmd[i].bank == b && q->cmd[i].row == bank->row))
        i++;
    if (i < q->count && !q->cmd[i].is_act) {
        if (ready_at(s, r, &q->cmd[i]) > t)
            return 0;
        *out = take(s, r, q, i);
        return 1;
    }
    if (!s->open_page || t < bank->next_pre)
        return 0;
    bank->accesses = 0;
    *out = (d2_choice){DSCQ_DRAM_PRE, r, b, DRAM_NO_REQ, 0};
    return 1;
}

static int pick_for_refresh(d2 *s, uint64_t t, d2_choice *out)
{
    const int32_t r = s->refresh_rank;

    for (int32_t b = 0; b < s->banks; b++) {
        if (s->bank[r][b].state == D2_ACTIVE)
            return clear_way(s, r, b, t, out);
        if (s->bank[r][b].next_act > t)
            return 0;
    }
    if (s->bank[r][0].state == D2_POWERDOWN)
        return 0;
    s->refresh_wanted = 0;
    *out = (d2_choice){DSCQ_DRAM_REF, r, 0, DRAM_NO_REQ, 0};
    return 1;
}

/* The entry that pick_entry() found leaves its queue, and with a column command the
 * activate right before it, which it no longer needs (open page). */
static void take_picked(d2 *s, int32_t rank, d2_queue *q, int32_t i, d2_choice *out)
{
    if (s->open_page && !q->cmd[i].is_act && i > 0 && q->cmd[i - 1].is_act) {
        s->bank[rank][q->cmd[i].bank].accesses++;
        erase(s, rank, q, --i);
    }
    *out = take(s, rank, q, i);
}

static int visit(d2 *s, int32_t rank, int32_t bank, uint64_t t, d2_choice *out,
                 uint64_t *wake)
{
    d2_queue *q = d2_queue_of(s, rank, bank);

    if (q->count == 0 || (s->refresh_wanted && s->refresh_rank == rank))
        return 0;
    if (q->wake <= t) {
        q->wake = DRAM_NEVER;
        const int32_t i = pick_entry(s, rank, q, t, &q->wake);
        if (i >= 0) {
            q->wake = 0;
            s->next_rank = rank;
            s->next_bank = bank;
            take_picked(s, rank, q, i, out);
            return 1;
        }
    }
    *wake = dram_min64(*wake, q->wake);
    return 0;
}

/* R2.5b: round robin over the queues. */
static int pick_from_queues(d2 *s, uint64_t t, d2_choice *out, uint64_t *wake)
{
    int32_t rank = s->next_rank, bank = s->next_bank;

    if (s->per_bank) {
        for (int32_t v = s->ranks * s->banks; v > 0; v--) {
            if (visit(s, rank, bank, t, out, wake))
                return 1;
            dram__d2_advance_pointer(s, &rank, &bank);
        }
        return 0;
    }
    /* the pointer passes each rank's only queue again and again: go straight on */
    for (int32_t v = s->ranks; v > 0; v--) {
        if (visit(s, rank, bank, t, out, wake))
            return 1;
        if (s->order == DSCQ_DRAM_BANK_FIRST)
            bank = s->banks - 1;
        dram__d2_advance_pointer(s, &rank, &bank);
    }
    return 0;
}

/* How many steps the pointer (rank, bank) is behind (r, b). */
static int32_t steps_to(const d2 *s, int32_t rank, int32_t bank, int32_t r, int32_t b)
{
    const int32_t all = s->ranks * s->banks;
    const int32_t d = s->order == DSCQ_DRAM_RANK_FIRST
                          ? (b * s->ranks + r) - (bank * s->ranks + rank)
                          : (r * s->banks + b) - (rank * s->banks + bank);

    return d < 0 ? d + all : d;
}

/* R2.5c: close a row that nothing in the queue wants, or that is used up. */
static int pick_precharge(d2 *s, uint64_t t, d2_choice *out, uint64_t *wake)
{
    int32_t best = INT32_MAX;

    for (int32_t r = 0; r < s->ranks; r++)
        for (uint32_t left = s->rank[r].active_mask; left != 0; left &= left - 1) {
            const int32_t k = __builtin_ctz(left);
            const d2_bank *b = &s->bank[r][k];
            if (b->wanted != 0 && b->accesses != (uint32_t)s->cap)
                continue;
            if (b->next_pre > t) {
                *wake = dram_min64(*wake, b->next_pre);
            } else if (steps_to(s, s->pre_rank, s->pre_bank, r, k) < best) {
                best = steps_to(s, s->pre_rank, s->pre_bank, r, k);
                *out = (d2_choice){DSCQ_DRAM_PRE, r, k, DRAM_NO_REQ, 0};
            }
        }
    if (best == INT32_MAX)
        return 0;
    s->pre_rank = out->rank;
    s->pre_bank = out->bank;
    s->bank[out->rank][out->bank].accesses = 0;
    return 1;
}

int dram__d2_pick(d2 *s, uint64_t t, d2_choice *out, uint64_t *wake)
{
    if (s->refresh_wanted) {
        *wake = t + 1;
        if (pick_for_refresh(s, t, out))
            return 1;
    }
    /* [R2.5] */
    if (pick_from_queues(s, t, out, wake))
        return 1;
    return s->open_page && pick_precharge(s, t, out, wake);
}
