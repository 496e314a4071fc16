#include "banks.h"

#include <assert.h>
#include <string.h>

/* Of a dscq_dram_op as a follower; entering power-down follows at once. */
static const dram_next k_next[DRAM_OPS] = {
    [DSCQ_DRAM_ACT] = DRAM_NEXT_ACT, [DSCQ_DRAM_RD] = DRAM_NEXT_RD,
    [DSCQ_DRAM_WR] = DRAM_NEXT_WR,   [DSCQ_DRAM_RDA] = DRAM_NEXT_RD,
    [DSCQ_DRAM_WRA] = DRAM_NEXT_WR,  [DSCQ_DRAM_PRE] = DRAM_NEXT_PRE,
    [DSCQ_DRAM_REF] = DRAM_NEXT_REF, [DSCQ_DRAM_PDE] = DRAM_NEXTS,
    [DSCQ_DRAM_PDX] = DRAM_NEXT_PDX, [DSCQ_DRAM_REFSB] = DRAM_NEXT_REFSB};

static int has(unsigned set, int op)
{
    return (set >> op & 1u) != 0;
}

/* The longest of the rows for the same follower. */
static void add_delay(dram_delays *d, dram_next next, uint64_t cycles)
{
    int32_t i = 0;

    while (i < d->count && d->row[i].next != next)
        i++;
    if (i == d->count)
        d->count++;
    d->row[i].next = next;
    dram_raise(&d->row[i].cycles, cycles);
}

static void add_window(dram_banks *b, const dram_row *r, dram_next next)
{
    assert(r->level == DRAM_RANK && b->window.count == 0 &&
           r->window <= DRAM_WINDOW_MAX);
    b->window.preceding = r->preceding;
    b->window.next = next;
    b->window.cycles = (uint64_t)r->latency;
    b->window.count = r->window;
}

static void add_row(dram_banks *b, const dram_row *r)
{
    const uint64_t cycles = r->latency > 0 ? (uint64_t)r->latency : 0;

    for (int op = 0; op < DRAM_OPS; op++)
        for (int to = 0; to < DRAM_OPS; to++) {
            if (!has(r->preceding, op) || !has(r->following, to))
                continue;
            assert(r->level != DRAM_GROUP || k_next[to] < DRAM_NEXT_PRE);
            if (r->window == 1)
                add_delay(&b->after[op][r->level], k_next[to], cycles);
            else
                add_window(b, r, k_next[to]);
        }
}

void dram__banks_init(dram_banks *b, const dscq_dram_config *c)
{
    dram_row row[DRAM_ROWS_MAX];
    const int32_t rows = dram__standard_rows(row, c);

    memset(b, 0, sizeof *b);
    b->ranks = c->ranks;
    b->banks = c->banks;
    while ((c->banks / c->bank_groups) >> b->per_group_shift > 1)
        b->per_group_shift++;
    for (int32_t r = 0; r < c->ranks; r++)
        for (int32_t k = 0; k < c->banks; k++)
            b->bank[r][k].row = DRAM_NO_ROW;
    for (int32_t i = 0; i < rows; i++)
        if (row[i].level != DRAM_GROUP || c->bank_groups > 1)
            add_row(b, &row[i]);
}

uint64_t dram__banks_delay(const dram_banks *b, dscq_dram_op op, dram_next next)
{
    uint64_t longest = 0;

    for (int level = 0; level < DRAM_OTHER; level++)
        for (int32_t i = 0; i < b->after[op][level].count; i++)
            if (b->after[op][level].row[i].next == next)
                longest = dscq_max64(longest, b->after[op][level].row[i].cycles);
    return longest;
}

static inline void raise_all(uint64_t *next, const dram_delays *d, uint64_t t)
{
    for (int32_t i = 0; i < d->count; i++)
        dram_raise(&next[d->row[i].next], t + d->row[i].cycles);
}

static void raise_window(dram_banks *b, dram_rank *rank, uint64_t t)
{
    rank->window[rank->window_at] = t + b->window.cycles;
    if (++rank->window_at == b->window.count)
        rank->window_at = 0;
    dram_raise(&rank->next[b->window.next], rank->window[rank->window_at]);
}

static void set_row(dram_banks *b, dscq_dram_op op, const dscq_dram_place *at)
{
    dram_bank *bank = &b->bank[at->rank][at->bank];
    dram_rank *rank = &b->rank[at->rank];

    if (op == DSCQ_DRAM_ACT) {
        bank->row = at->row;
        bank->hits = 0;
        rank->open |= UINT32_C(1) << at->bank;
    } else if (op == DSCQ_DRAM_RD || op == DSCQ_DRAM_WR) {
        bank->hits++;
    } else {
        bank->row = DRAM_NO_ROW;
        bank->hits = 0;
        rank->open &= ~(UINT32_C(1) << at->bank);
    }
}

uint32_t dram__banks_taken(const dram_banks *b, dscq_dram_op op, int32_t set)
{
    uint32_t taken = 0;

    if (op != DSCQ_DRAM_REFSB)
        return UINT32_MAX >> (32 - b->banks);
    for (int32_t k = set; k < b->banks; k += 1 << b->per_group_shift)
        taken |= UINT32_C(1) << k;
    return taken;
}

static int takes_all(dscq_dram_op op)
{
    return op == DSCQ_DRAM_REF || op == DSCQ_DRAM_PDE || op == DSCQ_DRAM_PDX;
}

static uint64_t act_delay(const dram_delays *d)
{
    for (int32_t i = 0; i < d->count; i++)
        if (d->row[i].next == DRAM_NEXT_ACT)
            return d->row[i].cycles;
    return 0;
}

void dram__banks_issue(dram_banks *b, dscq_dram_op op, const dscq_dram_place *at,
                       uint64_t t)
{
    const dram_delays *d = b->after[op];
    dram_rank *rank = &b->rank[at->rank];

    if (takes_all(op)) { /* what holds for every bank is kept once */
        raise_all(rank->next, &d[DRAM_BANK], t);
        dram_raise(&rank->rest, t + act_delay(&d[DRAM_BANK]));
    } else if (op == DSCQ_DRAM_REFSB) {
        for (uint32_t left = dram__banks_taken(b, op, at->bank); left != 0;
             left &= left - 1) {
            dram_bank *bank = &b->bank[at->rank][__builtin_ctz(left)];

            raise_all(bank->next, &d[DRAM_BANK], t);
            dram_raise(&rank->refreshable, bank->next[DRAM_NEXT_REF]);
        }
    } else {
        dram_bank *bank = &b->bank[at->rank][at->bank];

        raise_all(bank->next, &d[DRAM_BANK], t);
        dram_raise(&rank->refreshable, bank->next[DRAM_NEXT_REF]);
        raise_all(b->group[at->rank][at->group].next, &d[DRAM_GROUP], t);
        set_row(b, op, at);
    }
    raise_all(rank->next, &d[DRAM_RANK], t);
    if (has(b->window.preceding, (int)op))
        raise_window(b, rank, t);
    for (int32_t r = 0; r < b->ranks; r++)
        if (r != at->rank)
            raise_all(b->rank[r].next, &d[DRAM_OTHER], t);
}

int32_t dram__banks_refresh_next(const dram_banks *b, dscq_dram_op op,
                                 const dscq_dram_place *at, uint64_t t, uint64_t *wake)
{
    const dram_rank *rank = &b->rank[at->rank];
    const dram_next next = k_next[op];
    int32_t answer = DRAM_REFRESH_NOW;

    if (op == DSCQ_DRAM_REF && rank->open == 0 &&
        dscq_max64(rank->refreshable, rank->next[DRAM_NEXT_REF]) <= t)
        return DRAM_REFRESH_NOW; /* the usual case: no bank needs a look */
    for (uint32_t left = dram__banks_taken(b, op, at->bank); left != 0;
         left &= left - 1) {
        const int32_t k = __builtin_ctz(left);
        const int open = b->bank[at->rank][k].row != DRAM_NO_ROW;
        const uint64_t ready =
            dram_banks_close_at(b, at->rank, k, open ? DRAM_NEXT_PRE : next);
        if (ready <= t && open)
            return k;
        if (ready <= t)
            continue;
        *wake = dram_min64(*wake, ready);
        answer = DRAM_REFRESH_WAIT;
    }
    return answer;
}
