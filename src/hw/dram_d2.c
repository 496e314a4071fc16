/*
 * Policy d2: the rules of DRAMSim2 (its last public commit, 2018), so that its
 * cycles, commands and energy come out equal. docs/dram.md numbers the rules; the
 * comments below name them (R2.1 ...).
 */
#include "dram_internal.h"
#include "dscq/base/alloc.h"

#include <assert.h>
#include <string.h>

typedef enum bank_state { IDLE, ACTIVE, PRECHARGING, REFRESHING, POWERDOWN } bank_state;

typedef struct d2_bank {
    uint64_t next_rd, next_wr, next_act, next_pre; /* earliest cycle of each */
    uint64_t change_at;                            /* of the state; HW_NEVER: stays */
    uint32_t row, accesses;                        /* accesses: against the row cap */
    uint32_t wanted; /* queued commands for the open row */
    bank_state state;
    int32_t auto_pre; /* the pending change is an auto-precharge */
} d2_bank;

typedef struct d2_cmd {
    int32_t req; /* an activate and its column command carry the same one */
    uint32_t row;
    uint8_t bank, is_act, is_write;
} d2_cmd;

typedef struct d2_queue {
    d2_cmd *cmd;
    int32_t count;
} d2_queue;

typedef struct d2_rank {
    uint64_t faw[4]; /* when each of the last four activates leaves the window */
    uint32_t faw_at; /* the oldest */
    uint64_t refresh_at, flag_clear_at, power_up_at;
    int32_t flag; /* waits for, or is about to need, a refresh */
    int32_t powered_down, queued, busy_banks, idle_banks;
    uint64_t active_mask;
} d2_rank;

typedef struct d2 {
    int32_t ranks, banks, per_bank, open_page, depth, cap, low_power, order;
    int32_t rl, wl, burst;
    int32_t rd_to_pre, wr_to_pre, rd_to_wr, wr_to_rd, wr_to_rd_rank;
    int32_t rda_to_act, wra_to_act, col_to_col, col_to_col_rank;
    int32_t *trans, trans_count, trans_cap;
    d2_queue queue[DSCQ_DRAM_RANKS_MAX * DSCQ_DRAM_BANKS_MAX];
    d2_cmd *cmds;
    d2_rank rank[DSCQ_DRAM_RANKS_MAX];
    d2_bank bank[DSCQ_DRAM_RANKS_MAX][DSCQ_DRAM_BANKS_MAX];
    uint64_t next_change; /* least change_at of all banks */
    int32_t refresh_pointer, refresh_rank, refresh_wanted;
    int32_t next_rank, next_bank, pre_rank, pre_bank;
} d2;

static void set_constants(d2 *s, const dscq_dram_config *c)
{
    const int32_t B = dscq_dram_burst_cycles(c);

    /* No notion of bank groups: the longer of each pair keeps it legal. The original
     * has WL = CL - 1 for every device; a config that wants to equal it says so. */
    s->burst = B;
    s->rl = c->CL;
    s->wl = c->CWL;
    s->rd_to_pre = B + (c->tRTP > c->tCCD_L ? c->tRTP : c->tCCD_L) - c->tCCD_L;
    if (s->rd_to_pre < c->tRTP) /* the original's formula takes tCCD for the burst */
        s->rd_to_pre = c->tRTP;
    s->wr_to_pre = s->wl + B + c->tWR;
    s->rd_to_wr = s->rl + B + c->tRTRS - s->wl;
    s->wr_to_rd = s->wl + B + c->tWTR_L;
    s->wr_to_rd_rank = s->wl + B + c->tRTRS - s->rl;
    s->rda_to_act = c->tRTP + c->tRP;
    s->wra_to_act = s->wl + B + c->tWR + c->tRP;
    s->col_to_col = c->tCCD_L > B ? c->tCCD_L : B;
    s->col_to_col_rank = B + c->tRTRS;
}

static void d2_destroy(void *state)
{
    d2 *s = state;

    if (s == NULL)
        return;
    dscq_free(s->trans);
    dscq_free(s->cmds);
    dscq_free(s);
}

static void start_state(d2 *s, const dscq_dram_config *c)
{
    const int32_t step = c->tREFI / c->ranks;

    for (int32_t r = 0; r < s->ranks; r++) {
        s->rank[r].refresh_at = (uint64_t)step * (uint64_t)(r + 1);
        s->rank[r].flag_clear_at = HW_NEVER;
        s->rank[r].idle_banks = s->banks;
        for (int32_t b = 0; b < s->banks; b++)
            s->bank[r][b].change_at = HW_NEVER;
    }
    s->next_change = HW_NEVER;
}

static dscq_status d2_create(void **out, dscq_dram *d, dscq_error *err)
{
    const dscq_dram_config *c = &d->cfg;
    d2 *s = dscq_calloc(1, sizeof *s);

    *out = s;
    if (s == NULL)
        return dscq_fail_nomem(err, "DRAM policy d2", sizeof *s);
    s->ranks = c->ranks;
    s->banks = c->banks;
    s->per_bank = c->queues == DSCQ_DRAM_PER_BANK;
    s->open_page = c->page == DSCQ_DRAM_OPEN;
    s->order = c->order;
    s->depth = c->command_queue;
    s->cap = c->row_cap;
    s->low_power = c->low_power;
    s->trans_cap = c->transaction_queue;
    set_constants(s, c);
    start_state(s, c);
    const size_t queues = (size_t)s->ranks * (s->per_bank ? (size_t)s->banks : 1);
    s->trans = dscq_calloc((size_t)s->trans_cap, sizeof *s->trans);
    s->cmds = dscq_calloc(queues * (size_t)s->depth, sizeof *s->cmds);
    if (s->trans == NULL || s->cmds == NULL)
        return dscq_fail_nomem(err, "DRAM queues", queues * (size_t)s->depth);
    for (size_t q = 0; q < queues; q++)
        s->queue[q].cmd = s->cmds + q * (size_t)s->depth;
    return DSCQ_OK;
}

static d2_queue *queue_of(d2 *s, int32_t rank, int32_t bank)
{
    return &s->queue[s->per_bank ? rank * s->banks + bank : rank];
}

static int d2_room(const void *state, int is_write)
{
    const d2 *s = state;

    (void)is_write;
    return s->trans_count < s->trans_cap;
}

static void d2_admit(dscq_dram *d, int32_t req)
{
    d2 *s = d->state;

    s->trans[s->trans_count++] = req;
}

static int d2_drained(const void *state)
{
    const d2 *s = state;

    for (int32_t r = 0; r < s->ranks; r++)
        if (s->rank[r].queued != 0)
            return 0;
    return s->trans_count == 0;
}

static uint64_t d2_ref_owed(const dscq_dram *d)
{
    const d2 *s = d->state;

    return s->refresh_wanted ? 1 : 0;
}

/* ---- bank states --------------------------------------------------------- */

static int is_busy(bank_state st)
{
    return st == ACTIVE || st == REFRESHING;
}

static void set_state(d2 *s, int32_t r, int32_t b, bank_state to, uint64_t change_at)
{
    d2_rank *rank = &s->rank[r];
    d2_bank *bank = &s->bank[r][b];

    rank->busy_banks += is_busy(to) - is_busy(bank->state);
    rank->idle_banks += (to == IDLE) - (bank->state == IDLE);
    if (to == ACTIVE)
        rank->active_mask |= UINT64_C(1) << b;
    else
        rank->active_mask &= ~(UINT64_C(1) << b);
    bank->state = to;
    bank->change_at = change_at;
    bank->auto_pre = 0;
    s->next_change = hw_min64(s->next_change, change_at);
}

/* R2.2: timers that run out in cycle t. */
static void run_timers(d2 *s, uint64_t t, int32_t tRP)
{
    s->next_change = HW_NEVER;
    for (int32_t r = 0; r < s->ranks; r++)
        for (int32_t b = 0; b < s->banks; b++) {
            d2_bank *bank = &s->bank[r][b];
            if (bank->change_at <= t) {
                if (bank->auto_pre)
                    set_state(s, r, b, PRECHARGING, t + (uint64_t)tRP);
                else
                    set_state(s, r, b, IDLE, HW_NEVER);
            }
            s->next_change = hw_min64(s->next_change, bank->change_at);
        }
}

/* R2.4: only the rank under the pointer is looked at. */
static int run_refresh_counters(d2 *s, uint64_t t, const dscq_dram_config *c)
{
    d2_rank *rank = &s->rank[s->refresh_pointer];

    if (rank->refresh_at <= t) {
        s->refresh_wanted = 1;
        s->refresh_rank = s->refresh_pointer;
        rank->flag = 1;
        rank->refresh_at = t + (uint64_t)c->tREFI;
        s->refresh_pointer = (s->refresh_pointer + 1) % s->ranks;
        return 1;
    }
    if (rank->powered_down && !rank->flag && rank->refresh_at - t <= (uint64_t)c->tXP) {
        rank->flag = 1;
        return 1;
    }
    return 0;
}

/* ---- choosing a command -------------------------------------------------- */

/* R2.5 "may issue": earliest cycle, HW_NEVER while the bank state forbids it. */
static uint64_t ready_at(const d2 *s, int32_t r, const d2_cmd *e)
{
    const d2_bank *b = &s->bank[r][e->bank];

    if (e->is_act) {
        const d2_rank *rank = &s->rank[r];
        if (b->state != IDLE && b->state != REFRESHING)
            return HW_NEVER;
        return hw_max64(b->next_act, rank->faw[rank->faw_at]);
    }
    if (b->state != ACTIVE || b->row != e->row || b->accesses >= (uint32_t)s->cap)
        return HW_NEVER;
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
            *wake = hw_min64(*wake, at);
            continue;
        }
        if (s->open_page ? has_older_column(q, i) : is_behind_own_act(q, i))
            continue;
        return i;
    }
    return -1;
}

/* A command taken from a queue, or a precharge or refresh of the controller. */
typedef struct d2_choice {
    dscq_dram_op op;
    int32_t rank, bank, req;
    uint32_t row;
} d2_choice;

static void forget_wanted(d2 *s, int32_t rank, const d2_cmd *e)
{
    d2_bank *b = &s->bank[rank][e->bank];

    if (b->state == ACTIVE && b->row == e->row && b->wanted != 0)
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

static void advance_pointer(const d2 *s, int32_t *rank, int32_t *bank)
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
    d2_queue *q = queue_of(s, r, b);
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
    *out = (d2_choice){DSCQ_DRAM_PRE, r, b, HW_NO_REQ, 0};
    return 1;
}

static int pick_for_refresh(d2 *s, uint64_t t, d2_choice *out)
{
    const int32_t r = s->refresh_rank;

    for (int32_t b = 0; b < s->banks; b++) {
        if (s->bank[r][b].state == ACTIVE)
            return clear_way(s, r, b, t, out);
        if (s->bank[r][b].next_act > t)
            return 0;
    }
    if (s->bank[r][0].state == POWERDOWN)
        return 0;
    s->refresh_wanted = 0;
    *out = (d2_choice){DSCQ_DRAM_REF, r, 0, HW_NO_REQ, 0};
    return 1;
}

/* R2.5b: round robin over the queues. */
static int pick_from_queues(d2 *s, uint64_t t, d2_choice *out, uint64_t *wake)
{
    int32_t rank = s->next_rank, bank = s->next_bank;
    const int32_t visits = s->ranks * s->banks;
    unsigned seen = 0; /* ranks; with one queue a rank a second look finds no more */

    for (int32_t v = 0; v < visits; v++) {
        d2_queue *q = queue_of(s, rank, bank);
        if (q->count != 0 && !(s->refresh_wanted && s->refresh_rank == rank) &&
            (seen & (1u << rank)) == 0) {
            const int32_t i = pick_entry(s, rank, q, t, wake);
            seen |= s->per_bank ? 0u : 1u << rank;
            if (i >= 0) {
                if (s->open_page && !q->cmd[i].is_act && i > 0 &&
                    q->cmd[i - 1].is_act) {
                    s->bank[rank][q->cmd[i].bank].accesses++;
                    erase(s, rank, q, i - 1);
                    *out = take(s, rank, q, i - 1);
                } else {
                    *out = take(s, rank, q, i);
                }
                s->next_rank = rank;
                s->next_bank = bank;
                return 1;
            }
        }
        advance_pointer(s, &rank, &bank);
    }
    return 0;
}

/* R2.5c: close a row that nothing in the queue wants, or that is used up. */
static int pick_precharge(d2 *s, uint64_t t, d2_choice *out, uint64_t *wake)
{
    int32_t rank = s->pre_rank, bank = s->pre_bank;

    for (int32_t v = s->ranks * s->banks; v > 0; v--) {
        d2_bank *b = &s->bank[rank][bank];
        if (b->state == ACTIVE && (b->wanted == 0 || b->accesses == (uint32_t)s->cap)) {
            if (t >= b->next_pre) {
                b->accesses = 0;
                s->pre_rank = rank;
                s->pre_bank = bank;
                *out = (d2_choice){DSCQ_DRAM_PRE, rank, bank, HW_NO_REQ, 0};
                return 1;
            }
            *wake = hw_min64(*wake, b->next_pre);
        }
        advance_pointer(s, &rank, &bank);
    }
    return 0;
}

/* ---- effects (R2.6) ------------------------------------------------------ */

static void after_column(d2 *s, const d2_choice *c, uint64_t t)
{
    const int is_write = c->op == DSCQ_DRAM_WR || c->op == DSCQ_DRAM_WRA;

    for (int32_t r = 0; r < s->ranks; r++) {
        const int own = r == c->rank;
        const uint64_t same = t + (uint64_t)(own ? s->col_to_col : s->col_to_col_rank);
        const uint64_t turn =
            t + (uint64_t)(!is_write ? s->rd_to_wr
                                     : (own ? s->wr_to_rd : s->wr_to_rd_rank));
        for (int32_t b = 0; b < s->banks; b++) {
            d2_bank *bank = &s->bank[r][b];
            if (!own && bank->state != ACTIVE)
                continue;
            hw_raise(is_write ? &bank->next_wr : &bank->next_rd, same);
            hw_raise(is_write ? &bank->next_rd : &bank->next_wr, turn);
        }
    }
    d2_bank *bank = &s->bank[c->rank][c->bank];
    const uint64_t to_pre = t + (uint64_t)(is_write ? s->wr_to_pre : s->rd_to_pre);
    if (c->op == DSCQ_DRAM_RD || c->op == DSCQ_DRAM_WR) {
        hw_raise(&bank->next_pre, to_pre);
        return;
    }
    hw_raise(&bank->next_act, t + (uint64_t)(is_write ? s->wra_to_act : s->rda_to_act));
    bank->next_rd = bank->next_wr = bank->next_act;
    bank->change_at = to_pre;
    bank->auto_pre = 1;
    s->next_change = hw_min64(s->next_change, to_pre);
}

static void after_act(d2 *s, const d2_choice *c, uint64_t t,
                      const dscq_dram_config *cfg)
{
    d2_rank *rank = &s->rank[c->rank];
    d2_bank *bank = &s->bank[c->rank][c->bank];
    const d2_queue *q = queue_of(s, c->rank, c->bank);

    set_state(s, c->rank, c->bank, ACTIVE, HW_NEVER);
    bank->row = c->row;
    hw_raise(&bank->next_act, t + (uint64_t)cfg->tRC);
    hw_raise(&bank->next_pre, t + (uint64_t)cfg->tRAS);
    hw_raise(&bank->next_rd, t + (uint64_t)cfg->tRCD);
    hw_raise(&bank->next_wr, t + (uint64_t)cfg->tRCD);
    for (int32_t b = 0; b < s->banks; b++)
        if (b != c->bank)
            hw_raise(&s->bank[c->rank][b].next_act, t + (uint64_t)cfg->tRRD_L);
    rank->faw[rank->faw_at] = t + (uint64_t)cfg->tFAW;
    rank->faw_at = (rank->faw_at + 1) % 4;
    bank->wanted = 0;
    for (int32_t i = 0; i < q->count; i++)
        bank->wanted += q->cmd[i].bank == c->bank && q->cmd[i].row == c->row;
}

static void after_refresh(d2 *s, int32_t r, uint64_t t, int32_t tRFC)
{
    for (int32_t b = 0; b < s->banks; b++) {
        set_state(s, r, b, REFRESHING, t + (uint64_t)tRFC);
        s->bank[r][b].next_act = t + (uint64_t)tRFC;
    }
    s->rank[r].flag_clear_at = t + 1; /* one cycle to reach the rank */
}

static void issue(dscq_dram *d, d2 *s, const d2_choice *c)
{
    const uint64_t t = d->now;
    dscq_dram_place at = {.rank = c->rank, .bank = c->bank, .row = c->row};
    d2_bank *bank = &s->bank[c->rank][c->bank];

    if (c->req != HW_NO_REQ)
        at = d->req[c->req].at;
    hw_dram_note(d, c->op, &at);
    switch (c->op) {
    case DSCQ_DRAM_ACT:
        after_act(s, c, t, &d->cfg);
        break;
    case DSCQ_DRAM_RD:
    case DSCQ_DRAM_RDA: /* one cycle to reach the rank, then latency and data */
        after_column(s, c, t);
        hw_dram_finish(d, c->req, t + 1 + (uint64_t)(s->rl + s->burst), HW_DONE_READ);
        break;
    case DSCQ_DRAM_WR:
    case DSCQ_DRAM_WRA:
        after_column(s, c, t);
        hw_dram_finish(d, c->req, t + (uint64_t)(s->wl + s->burst), HW_DONE_WRITE);
        break;
    case DSCQ_DRAM_PRE:
        set_state(s, c->rank, c->bank, PRECHARGING, t + (uint64_t)d->cfg.tRP);
        hw_raise(&bank->next_act, t + (uint64_t)d->cfg.tRP);
        break;
    default:
        after_refresh(s, c->rank, t, d->cfg.tRFC);
        break;
    }
}

/* ---- the tick ------------------------------------------------------------ */

static int choose_and_issue(dscq_dram *d, d2 *s, uint64_t *wake)
{
    d2_choice c;
    int found = 0;

    if (s->refresh_wanted) {
        *wake = d->now + 1;
        found = pick_for_refresh(s, d->now, &c);
    }
    if (!found)
        found = pick_from_queues(s, d->now, &c, wake);
    if (!found && s->open_page)
        found = pick_precharge(s, d->now, &c, wake);
    if (!found)
        return 0;
    issue(d, s, &c);
    advance_pointer(s, &s->next_rank, &s->next_bank);
    return 1;
}

/* R2.7: the oldest transaction whose command queue has two free places. */
static int move_transaction(dscq_dram *d, d2 *s)
{
    for (int32_t i = 0; i < s->trans_count; i++) {
        const int32_t req = s->trans[i];
        const hw_dram_req *r = &d->req[req];
        d2_queue *q = queue_of(s, r->at.rank, r->at.bank);
        if (q->count + 2 > s->depth)
            continue;
        d2_cmd e = {.req = req,
                    .row = r->at.row,
                    .bank = (uint8_t)r->at.bank,
                    .is_act = 1,
                    .is_write = r->is_write != 0};
        d2_bank *bank = &s->bank[r->at.rank][r->at.bank];
        q->cmd[q->count++] = e;
        e.is_act = 0;
        q->cmd[q->count++] = e;
        s->rank[r->at.rank].queued += 2;
        if (bank->state == ACTIVE && bank->row == e.row)
            bank->wanted += 2;
        s->trans_count--;
        memmove(&s->trans[i], &s->trans[i + 1],
                (size_t)(s->trans_count - i) * sizeof *s->trans);
        return 1;
    }
    return 0;
}

static void set_all(d2 *s, int32_t r, bank_state to)
{
    for (int32_t b = 0; b < s->banks; b++)
        set_state(s, r, b, to, HW_NEVER);
}

/* R2.8 */
static int run_power(dscq_dram *d, d2 *s, int32_t r, uint64_t *wake)
{
    d2_rank *rank = &s->rank[r];
    const dscq_dram_place at = {.rank = r};

    if (rank->queued == 0 && !rank->flag) {
        if (rank->idle_banks != s->banks)
            return 0;
        set_all(s, r, POWERDOWN);
        rank->powered_down = 1;
        rank->power_up_at = d->now + (uint64_t)d->cfg.tCKE;
        hw_dram_note(d, DSCQ_DRAM_PDE, &at);
        return 1;
    }
    if (!rank->powered_down)
        return 0;
    if (d->now < rank->power_up_at) {
        *wake = hw_min64(*wake, rank->power_up_at);
        return 0;
    }
    set_all(s, r, IDLE);
    rank->powered_down = 0;
    for (int32_t b = 0; b < s->banks; b++)
        s->bank[r][b].next_act = d->now + (uint64_t)d->cfg.tXP;
    hw_dram_note(d, DSCQ_DRAM_PDX, &at);
    return 1;
}

static int run_ranks(dscq_dram *d, d2 *s, uint64_t *wake)
{
    int changed = 0;

    for (int32_t r = 0; r < s->ranks; r++) {
        d2_rank *rank = &s->rank[r];
        if (s->low_power)
            changed |= run_power(d, s, r, wake);
        if (rank->busy_banks != 0)
            d->rank_state[r] = HW_RANK_ACTIVE;
        else
            d->rank_state[r] = rank->powered_down ? HW_RANK_POWERDOWN : HW_RANK_IDLE;
        *wake = hw_min64(*wake, rank->flag_clear_at);
    }
    return changed;
}

static void clear_flags(d2 *s, uint64_t t)
{
    for (int32_t r = 0; r < s->ranks; r++)
        if (s->rank[r].flag_clear_at <= t) {
            s->rank[r].flag = 0;
            s->rank[r].flag_clear_at = HW_NEVER;
        }
}

static uint64_t d2_tick(dscq_dram *d)
{
    d2 *s = d->state;
    const uint64_t t = d->now;
    uint64_t wake = HW_NEVER;
    int changed;

    if (s->next_change <= t)
        run_timers(s, t, d->cfg.tRP);
    clear_flags(s, t);
    changed = run_refresh_counters(s, t, &d->cfg);
    changed |= choose_and_issue(d, s, &wake);
    changed |= move_transaction(d, s);
    changed |= run_ranks(d, s, &wake);
    if (changed)
        return t + 1;
    const d2_rank *next = &s->rank[s->refresh_pointer];
    wake = hw_min64(wake, next->refresh_at);
    if (next->powered_down && !next->flag)
        wake = hw_min64(wake, next->refresh_at - (uint64_t)d->cfg.tXP);
    wake = hw_min64(wake, s->next_change);
    return hw_max64(wake, t + 1);
}

const hw_dram_policy hw_dram_policy_d2 = {
    .name = "d2",
    .summary = "the rules of DRAMSim2: round robin, eager close, power-down",
    .create = d2_create,
    .destroy = d2_destroy,
    .room = d2_room,
    .admit = d2_admit,
    .tick = d2_tick,
    .drained = d2_drained,
    .ref_owed = d2_ref_owed,
    .admit_delay = 0,
};
