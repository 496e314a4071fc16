/*
 * Policy frfcfs: our own controller.
 *
 * Reads go first; writes are buffered and leave in batches between two watermarks,
 * or when no read waits. Among the requests of the kind in turn a ready column
 * command goes before an activate, an activate before a precharge, the older before
 * the younger (Rixner et al., ISCA 2000). "Ready" knows bank groups and ranks, so
 * bursts alternate between groups by themselves. Rows stay open while somebody
 * wants them; an idle row is closed by a timer per bank that doubles when the same
 * row is opened again and halves when a conflict had to close it. Refreshes are
 * postponed while a rank has work, up to refresh_postpone. docs/dram.md has the rules.
 */
#include "frfcfs.h"

#include "dscq/base/alloc.h"

enum { CLOSE_MIN = 16, CLOSE_MAX = 4096 };

static const dscq_dram_op k_column[FRF_KINDS] = {
    [FRF_READ] = DSCQ_DRAM_RD, [FRF_WRITE] = DSCQ_DRAM_WR};

static void frf_destroy(void *state)
{
    frf *s = state;

    if (s == NULL)
        return;
    dram__frf_queue_destroy(s);
    dscq_free(s);
}

static void set_delays(frf *s, const dscq_dram_config *c)
{
    const dram_banks *b = &s->banks;

    s->read_cycles = (uint64_t)(c->CL + dscq_dram_burst_cycles(c));
    s->pre_act = dram__banks_delay(b, DSCQ_DRAM_PRE, DRAM_NEXT_ACT);
    s->act_column = dram__banks_delay(b, DSCQ_DRAM_ACT, DRAM_NEXT_RD);
    s->turn[FRF_READ] = dram__banks_delay(b, DSCQ_DRAM_RD, DRAM_NEXT_WR);
    s->turn[FRF_WRITE] = dram__banks_delay(b, DSCQ_DRAM_WR, DRAM_NEXT_RD);
}

static void set_refresh(frf *s, dscq_dram *d)
{
    const int same_bank = d->cfg.refresh == DSCQ_DRAM_SAME_BANK;

    if (same_bank)
        d->refresh_sets = d->cfg.banks / d->cfg.bank_groups;
    s->refresh = same_bank ? DSCQ_DRAM_REFSB : DSCQ_DRAM_REF;
    s->refresh_interval = (uint64_t)(d->cfg.tREFI / d->refresh_sets);
    /* the price of a same-bank refresh stands on IDD2N (laws.c) */
    s->refresh_cycles =
        same_bank ? 0 : dram__banks_delay(&s->banks, DSCQ_DRAM_REF, DRAM_NEXT_ACT);
}

static dscq_status frf_create(void **out, dscq_dram *d, dscq_error *err)
{
    const dscq_dram_config *c = &d->cfg;
    frf *s = dscq_calloc(1, sizeof *s);

    *out = s;
    if (s == NULL)
        return dscq_fail_nomem(err, "DRAM policy frfcfs", sizeof *s);
    dram__banks_init(&s->banks, c);
    set_delays(s, c);
    set_refresh(s, d);
    for (int32_t r = 0; r < c->ranks; r++) {
        s->rank[r].due = s->refresh_interval * (uint64_t)(r + 1) / (uint64_t)c->ranks;
        for (int32_t b = 0; b < c->banks; b++)
            s->page[r][b] = (frf_page){.close_after = (uint64_t)c->close_cycles,
                                       .closed_row = DRAM_NO_ROW};
    }
    return dram__frf_queue_create(s, c, err);
}

static int frf_room(const void *state, int is_write)
{
    const frf *s = state;

    const frf_kind kind = is_write ? FRF_WRITE : FRF_READ;

    return s->held[kind] < s->cap[kind];
}

static void admit_write(dscq_dram *d, frf *s, int32_t req, dram_pending_slot *p)
{
    dram__report(d, req, d->now + 1, DRAM_DONE_WRITE);
    if (p->write != DRAM_NO_REQ) {
        d->n.writes_joined++;
        dram__release(d, req);
        return;
    }
    p->write = req;
    d->n.writes_buffered++;
    s->held[FRF_WRITE]++;
    /* a read of the old bytes is under way: parked until that has been issued */
    /* [R4.1] */
    if (p->first_read == DRAM_NO_REQ)
        dram__frf_link(d, s, req);
}

static void frf_admit(dscq_dram *d, int32_t req)
{
    frf *s = d->state;
    dram_pending_slot *p = dram__pending_insert(&s->pending, d->req[req].address);

    if (d->req[req].is_write) {
        admit_write(d, s, req, p);
    } else if (p->write != DRAM_NO_REQ) {
        d->n.reads_forwarded++;
        dram__finish(d, req, d->now + 1, DRAM_DONE_FORWARD);
    } else if (p->first_read != DRAM_NO_REQ) {
        d->n.reads_joined++;
        d->req[p->last_read].next = req;
        p->last_read = req;
    } else {
        p->first_read = p->last_read = req;
        s->held[FRF_READ]++;
        dram__frf_link(d, s, req);
    }
}

static int frf_drained(const void *state)
{
    const frf *s = state;

    return s->held[FRF_READ] == 0 && s->held[FRF_WRITE] == 0;
}

static uint64_t frf_ref_owed(const dscq_dram *d)
{
    const frf *s = d->state;
    uint64_t owed = 0;

    for (int32_t r = 0; r < d->cfg.ranks; r++)
        owed += (uint64_t)s->rank[r].owed;
    return owed;
}

/* ---- issuing ------------------------------------------------------------- */

static void issue_pre(dscq_dram *d, frf *s, int32_t rank, int32_t bank)
{
    const dscq_dram_place at = {
        .rank = rank, .group = bank >> s->banks.per_group_shift, .bank = bank};

    dram__note(d, DSCQ_DRAM_PRE, &at);
    dram__banks_issue(&s->banks, DSCQ_DRAM_PRE, &at, d->now);
    dram__frf_stale(s, rank, bank, d->now);
}

/* A row that the timer closed and that is opened again should have stayed open. */
static void learn_from_act(frf_page *p, uint32_t row)
{
    /* [R4.5] */
    if (p->closed_row == row && p->close_after < CLOSE_MAX)
        p->close_after *= 2;
    p->closed_row = DRAM_NO_ROW;
}

static void issue_act(dscq_dram *d, frf *s, const dscq_dram_place *at)
{
    dram__note(d, DSCQ_DRAM_ACT, at);
    dram__banks_issue(&s->banks, DSCQ_DRAM_ACT, at, d->now);
    learn_from_act(&s->page[at->rank][at->bank], at->row);
    s->page[at->rank][at->bank].last_use = d->now;
    dram__frf_stale(s, at->rank, at->bank, d->now);
}

static void finish_reads(dscq_dram *d, frf *s, dram_pending_slot *p)
{
    const uint64_t done = d->now + s->read_cycles;

    for (int32_t i = p->first_read; i != DRAM_NO_REQ;) {
        const int32_t next = d->req[i].next;
        dram__finish(d, i, done, DRAM_DONE_READ);
        i = next;
    }
    p->first_read = p->last_read = DRAM_NO_REQ;
    if (p->write != DRAM_NO_REQ)
        dram__frf_link(d, s, p->write);
}

static void issue_column(dscq_dram *d, frf *s, frf_kind kind, int32_t node)
{
    const int32_t req = s->node[node].req;
    const dscq_dram_place at = d->req[req].at;
    dram_pending_slot *p = dram__pending_find(&s->pending, d->req[req].address);

    dram__note(d, k_column[kind], &at);
    dram__banks_issue(&s->banks, k_column[kind], &at, d->now);
    dram__frf_unlink(d, s, kind, node);
    s->held[kind]--;
    s->page[at.rank][at.bank].last_use = d->now;
    if (kind == FRF_WRITE) {
        p->write = DRAM_NO_REQ;
        d->n.writes_buffered--;
        dram__release(d, req);
    } else {
        finish_reads(d, s, p);
    }
    dram__pending_drop_if_empty(&s->pending, p);
    dram__frf_stale(s, at.rank, at.bank, d->now);
}

/* ---- refresh and power --------------------------------------------------- */

/* The banks that rank r's next refresh wants to itself now; 0: none. Owed refreshes
 * wait for a pause of their banks, but not for ever. */
static uint32_t wants_refresh(const dscq_dram *d, const frf *s, int32_t r)
{
    const frf_rank *rank = &s->rank[r];
    const int32_t limit = d->cfg.refresh_postpone > 0 ? d->cfg.refresh_postpone : 1;

    if (rank->owed == 0)
        return 0;
    const uint32_t taken = dram__banks_taken(&s->banks, s->refresh, rank->set);
    const uint32_t wanted = s->filled[FRF_READ][r] | s->filled[FRF_WRITE][r];
    /* [R4.6] */
    const int must = rank->owed >= limit * d->refresh_sets;
    return must || (wanted & taken) == 0 ? taken : 0;
}

static int run_refresh(dscq_dram *d, frf *s, int32_t r, uint64_t *wake)
{
    frf_rank *rank = &s->rank[r];
    const dscq_dram_place at = {.rank = r, .bank = rank->set};
    const int32_t k =
        dram__banks_refresh_next(&s->banks, s->refresh, &at, d->now, wake);

    if (k == DRAM_REFRESH_WAIT)
        return 0;
    if (k != DRAM_REFRESH_NOW) {
        issue_pre(d, s, r, k);
        return 1;
    }
    dram__note(d, s->refresh, &at);
    dram__banks_issue(&s->banks, s->refresh, &at, d->now);
    rank->owed--;
    rank->busy_to = d->now + s->refresh_cycles;
    rank->set = (rank->set + 1) % d->refresh_sets;
    return 1;
}

static void power_down(dscq_dram *d, frf *s, int32_t r, int down)
{
    const dscq_dram_place at = {.rank = r};
    const dscq_dram_op op = down ? DSCQ_DRAM_PDE : DSCQ_DRAM_PDX;

    dram__note(d, op, &at);
    dram__banks_issue(&s->banks, op, &at, d->now);
    s->rank[r].powered_down = down;
}

/* Precharge power-down as soon as a rank has nothing to do and is at rest. */
static void run_power(dscq_dram *d, frf *s, int32_t r, uint64_t *wake)
{
    const frf_rank *rank = &s->rank[r];
    const int work = rank->queued != 0 || rank->owed != 0;

    if (rank->powered_down) {
        const uint64_t leave = s->banks.rank[r].next[DRAM_NEXT_PDX];
        if (work && d->now >= leave)
            power_down(d, s, r, 0);
        else if (work)
            *wake = dram_min64(*wake, leave);
        return;
    }
    if (work || s->banks.rank[r].open != 0)
        return;
    uint64_t rest = s->banks.rank[r].rest;
    for (int32_t k = 0; k < s->banks.banks; k++)
        rest = dscq_max64(rest, s->banks.bank[r][k].next[DRAM_NEXT_ACT]);
    if (rest <= d->now)
        power_down(d, s, r, 1);
    else
        *wake = dram_min64(*wake, rest);
}

/* closed[rank] becomes the banks that take no requests in this cycle; *issued when a
 * command for a refresh went out. */
static void run_ranks(dscq_dram *d, frf *s, uint32_t *closed, int *issued,
                      uint64_t *wake)
{
    for (int32_t r = 0; r < s->banks.ranks; r++) {
        frf_rank *rank = &s->rank[r];
        if (rank->due <= d->now) {
            rank->owed++;
            rank->due += s->refresh_interval;
        }
        *wake = dram_min64(*wake, rank->due);
        if (d->cfg.low_power)
            run_power(d, s, r, wake);
        closed[r] = rank->powered_down ? UINT32_MAX : wants_refresh(d, s, r);
        if (closed[r] != 0 && !rank->powered_down && !*issued)
            *issued = run_refresh(d, s, r, wake);
    }
}

/* ---- requests ------------------------------------------------------------ */

/* Reads go first, except in a batch of writes, between the two marks. */
static void choose_mode(const dscq_dram *d, frf *s)
{
    /* [R4.2] */
    if (s->linked[FRF_WRITE] >= d->cfg.write_high)
        s->mode = FRF_WRITE;
    else if (s->linked[FRF_WRITE] <= d->cfg.write_low)
        s->mode = FRF_READ;
}

/* The better of two ready commands: column, activate, precharge; then age. */
static int is_better(const frf *s, const frf_list *a, const frf_list *b)
{
    const int ca = a->op == DSCQ_DRAM_PRE ? 2 : a->op == DSCQ_DRAM_ACT;
    const int cb = b->op == DSCQ_DRAM_PRE ? 2 : b->op == DSCQ_DRAM_ACT;

    /* [R4.3] */
    return ca != cb ? ca < cb : s->node[a->node].order < s->node[b->node].order;
}

/* Where pick() may look, and what it found out on the way. */
typedef struct frf_search {
    const uint32_t *closed; /* per rank: banks that take no requests */
    const uint32_t *skip;   /* per rank: banks left out; NULL: none */
    int rows_only;          /* activates and precharges only */
    int want_next;          /* find next_column */
    uint64_t next_column;   /* no column command of the kind before */
    uint64_t wake;          /* nothing of what was looked at is ready before */
} frf_search;

/* Earliest column command that the list can lead to. */
static uint64_t column_from(const frf *s, const frf_list *l, uint64_t now)
{
    const uint64_t at = dscq_max64(l->ready, now);

    if (l->op == DSCQ_DRAM_PRE)
        return at + s->pre_act + s->act_column;
    return l->op == DSCQ_DRAM_ACT ? at + s->act_column : at;
}

/* The better of `best` (may be NULL) and the best ready command of rank r. */
static frf_list *pick_in_rank(dscq_dram *d, frf *s, frf_kind kind, int32_t r,
                              frf_search *f, frf_list *best)
{
    const uint32_t out = f->closed[r] | (f->skip != NULL ? f->skip[r] : 0);
    uint32_t left = s->filled[kind][r] & ~out;

    for (; left != 0; left &= left - 1) {
        const int32_t b = __builtin_ctz(left);
        frf_list *l = &s->list[kind][r][b];
        if (l->ready <= d->now)
            dram__frf_refresh_list(d, s, kind, r, b);
        if (f->rows_only && (l->op == DSCQ_DRAM_RD || l->op == DSCQ_DRAM_WR))
            continue;
        if (f->want_next)
            f->next_column = dram_min64(f->next_column, column_from(s, l, d->now));
        if (l->ready > d->now)
            f->wake = dram_min64(f->wake, l->ready);
        else if (best == NULL || is_better(s, l, best))
            best = l;
    }
    return best;
}

/* The best ready command of one kind, or NULL. */
static frf_list *pick(dscq_dram *d, frf *s, frf_kind kind, frf_search *f)
{
    frf_list *best = NULL;

    f->next_column = DRAM_NEVER;
    for (int32_t r = 0; r < s->banks.ranks; r++)
        best = pick_in_rank(d, s, kind, r, f, best);
    return best;
}

static void issue_list(dscq_dram *d, frf *s, frf_kind kind, const frf_list *l)
{
    const dscq_dram_place at = d->req[s->node[l->node].req].at;

    if (l->op == DSCQ_DRAM_PRE) {
        frf_page *p = &s->page[at.rank][at.bank];
        if (d->now - p->last_use > p->close_after / 2 && p->close_after > CLOSE_MIN)
            p->close_after /= 2;
        issue_pre(d, s, at.rank, at.bank);
    } else if (l->op == DSCQ_DRAM_ACT) {
        issue_act(d, s, &at);
    } else {
        issue_column(d, s, kind, l->node);
    }
}

/* *wake falls to the first cycle in which there may be something to issue. */
static int run_requests(dscq_dram *d, frf *s, const uint32_t *closed, uint64_t *wake)
{
    const frf_kind mode = s->mode;
    const frf_kind other = mode == FRF_READ ? FRF_WRITE : FRF_READ;
    frf_search f = {
        .closed = closed, .want_next = s->linked[other] != 0, .wake = *wake};
    const frf_list *l = pick(d, s, mode, &f);

    if (l != NULL) {
        issue_list(d, s, mode, l);
        return 1;
    }
    *wake = f.wake;
    /* The other kind, in banks that this one does not use: rows for the next turn,
     * and bursts for which the bus is turned and back before anybody wants it. */
    const uint64_t turn = s->turn[other];
    if (s->linked[other] == 0 || (other == FRF_WRITE && s->linked[FRF_READ] != 0 &&
                                  s->linked[other] < d->cfg.write_high / 2))
        return 0;
    /* [R4.4] */
    f.skip = s->filled[mode];
    f.rows_only = f.next_column < d->now + turn;
    l = pick(d, s, other, &f);
    *wake = f.wake;
    if (l == NULL)
        return 0;
    issue_list(d, s, other, l);
    return 1;
}

/* Close a row that nobody has wanted for a while. */
static int run_idle_rows(dscq_dram *d, frf *s, uint64_t *wake)
{
    for (int32_t r = 0; r < s->banks.ranks; r++) {
        const uint32_t wanted = s->filled[FRF_READ][r] | s->filled[FRF_WRITE][r];
        for (uint32_t left = s->banks.rank[r].open & ~wanted; left != 0;
             left &= left - 1) {
            const int32_t b = __builtin_ctz(left);
            frf_page *p = &s->page[r][b];
            const uint64_t at =
                dscq_max64(p->last_use + p->close_after,
                           dram_banks_close_at(&s->banks, r, b, DRAM_NEXT_PRE));
            if (at <= d->now) {
                p->closed_row = s->banks.bank[r][b].row;
                issue_pre(d, s, r, b);
                return 1;
            }
            *wake = dram_min64(*wake, at);
        }
    }
    return 0;
}

static void set_rank_states(dscq_dram *d, const frf *s, uint64_t *wake)
{
    for (int32_t r = 0; r < s->banks.ranks; r++) {
        const frf_rank *rank = &s->rank[r];
        if (rank->powered_down) {
            d->rank_state[r] = DRAM_RANK_POWERDOWN;
        } else if (s->banks.rank[r].open != 0 || rank->busy_to > d->now) {
            d->rank_state[r] = DRAM_RANK_ACTIVE;
            if (rank->busy_to > d->now)
                *wake = dram_min64(*wake, rank->busy_to);
        } else {
            d->rank_state[r] = DRAM_RANK_IDLE;
        }
    }
}

static uint64_t frf_tick(dscq_dram *d)
{
    frf *s = d->state;
    uint32_t closed[DSCQ_DRAM_RANKS_MAX] = {0};
    uint64_t wake = DRAM_NEVER;
    int issued = 0;

    run_ranks(d, s, closed, &issued, &wake);
    choose_mode(d, s);
    if (!issued)
        issued = run_requests(d, s, closed, &wake);
    if (!issued)
        issued = run_idle_rows(d, s, &wake);
    set_rank_states(d, s, &wake);
    return issued ? d->now + 1 : dscq_max64(wake, d->now + 1);
}

const dram_policy dram__policy_frfcfs = {
    .name = "frfcfs",
    .summary = "our own: first-ready, write batches, adaptive close, bank groups",
    .create = frf_create,
    .destroy = frf_destroy,
    .room = frf_room,
    .admit = frf_admit,
    .tick = frf_tick,
    .drained = frf_drained,
    .ref_owed = frf_ref_owed,
    .admit_delay = 0,
};
