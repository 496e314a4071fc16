/*
 * Policy d3: the rules of DRAMsim3 (its last public commit, 2021), so that its
 * cycles and commands come out equal. docs/dram.md numbers the rules; the comments
 * below name them (R3.1 ...).
 */
#include "banks.h"
#include "dscq/base/alloc.h"

#include <assert.h>
#include <string.h>

enum { DRAIN_ABOVE = 8 }; /* writes that never leave the buffer on their own */

typedef struct d3_entry {
    int32_t req;
    uint32_t row, column;
    uint8_t bank, is_write;
} d3_entry;

typedef struct d3_queue {
    d3_entry *entry;
    int32_t count, rank;
} d3_queue;

typedef struct d3_list {
    int32_t *req;
    int32_t count, cap;
} d3_list;

enum { QUEUES_MAX = DSCQ_DRAM_RANKS_MAX * DSCQ_DRAM_BANKS_MAX };

/* What every cycle looks through stands first: behind the banks it was 15 % slower. */
typedef struct d3 {
    d3_queue queue[QUEUES_MAX];
    uint64_t wake[QUEUES_MAX]; /* no entry of the queue can issue before */
    int32_t per_bank, unified, close_page, depth, cap, queues;
    uint64_t read_cycles; /* from a read command to the end of its data */
    dram_banks banks;
    d3_entry *entries;
    d3_list reads, writes; /* unified: only `reads` is used */
    int32_t *req_mem;
    int32_t queued, drain, last_queue;
    dram_pending pending;
    uint64_t next_ref; /* cycle in which the next refresh is queued */
    uint64_t ref_step;
    int32_t ref_rank, ref_count; /* oldest queued one's rank; how many are queued */
} d3;

static void d3_destroy(void *state)
{
    d3 *s = state;

    if (s == NULL)
        return;
    dram__pending_destroy(&s->pending);
    dscq_free(s->entries);
    dscq_free(s->req_mem);
    dscq_free(s);
}

static dscq_status make_queues(d3 *s, const dscq_dram_config *c, dscq_error *err)
{
    const size_t trans = (size_t)c->transaction_queue;
    const size_t cells = (size_t)s->queues * (size_t)s->depth;

    s->entries = dscq_calloc(cells, sizeof *s->entries);
    s->req_mem = dscq_calloc(2 * trans, sizeof *s->req_mem);
    if (s->entries == NULL || s->req_mem == NULL)
        return dscq_fail_nomem(err, "DRAM queues", cells * sizeof *s->entries);
    s->reads = (d3_list){s->req_mem, 0, (int32_t)trans};
    s->writes = (d3_list){s->req_mem + trans, 0, (int32_t)trans};
    for (int32_t q = 0; q < s->queues; q++) {
        s->queue[q].entry = s->entries + (size_t)q * (size_t)s->depth;
        s->queue[q].rank = s->per_bank ? q / c->banks : q;
        s->wake[q] = DRAM_NEVER;
    }
    return dram__pending_create(&s->pending, cells + 2 * trans + 1, err);
}

static dscq_status d3_create(void **out, dscq_dram *d, dscq_error *err)
{
    const dscq_dram_config *c = &d->cfg;
    d3 *s = dscq_calloc(1, sizeof *s);

    *out = s;
    if (s == NULL)
        return dscq_fail_nomem(err, "DRAM policy d3", sizeof *s);
    dram__banks_init(&s->banks, c);
    s->read_cycles = (uint64_t)(c->CL + dscq_dram_burst_cycles(c));
    s->per_bank = c->queues == DSCQ_DRAM_PER_BANK;
    s->unified = c->unified_queue;
    s->close_page = c->page == DSCQ_DRAM_CLOSE;
    s->depth = c->command_queue;
    s->cap = c->row_cap;
    s->queues = c->ranks * (s->per_bank ? c->banks : 1);
    s->last_queue = 0;
    s->ref_step = (uint64_t)(c->tREFI / c->ranks);
    s->next_ref = s->ref_step;
    return make_queues(s, c, err);
}

static int32_t queue_index(const d3 *s, const dscq_dram_place *at)
{
    return s->per_bank ? at->rank * s->banks.banks + at->bank : at->rank;
}

static int d3_room(const void *state, int is_write)
{
    const d3 *s = state;
    const d3_list *l = s->unified || !is_write ? &s->reads : &s->writes;

    return l->count < l->cap;
}

/* R3.8: repeated addresses share a burst; a pending write answers a read. */
static void d3_admit(dscq_dram *d, int32_t req)
{
    d3 *s = d->state;
    dram_req *r = &d->req[req];
    dram_pending_slot *p = dram__pending_insert(&s->pending, r->address);

    if (r->is_write) {
        dram__report(d, req, d->now + 1, DRAM_DONE_WRITE);
        /* [R3.8] */
        if (p->write != DRAM_NO_REQ) {
            d->n.writes_joined++;
            dram__release(d, req);
            return;
        }
        d->n.writes_buffered++;
        p->write = req;
        d3_list *l = s->unified ? &s->reads : &s->writes;
        l->req[l->count++] = req;
    } else if (p->write != DRAM_NO_REQ) {
        d->n.reads_forwarded++;
        dram__finish(d, req, d->now + 1, DRAM_DONE_FORWARD);
    } else if (p->first_read != DRAM_NO_REQ) {
        d->n.reads_joined++;
        d->req[p->last_read].next = req;
        p->last_read = req;
    } else {
        p->first_read = p->last_read = req;
        s->reads.req[s->reads.count++] = req;
    }
}

static int d3_drained(const void *state)
{
    const d3 *s = state;

    /* [R3.7] */
    return s->queued == 0 && s->reads.count == 0 && s->writes.count <= DRAIN_ABOVE;
}

static uint64_t d3_ref_owed(const dscq_dram *d)
{
    return (uint64_t)((const d3 *)d->state)->ref_count;
}

/* ---- issuing ------------------------------------------------------------- */

static void touch_bank(d3 *s, int32_t rank, int32_t bank, uint64_t t)
{
    const int32_t q = s->per_bank ? rank * s->banks.banks + bank : rank;

    if (s->queue[q].count != 0)
        s->wake[q] = t;
}

static void issue_pre(dscq_dram *d, d3 *s, int32_t rank, int32_t bank)
{
    const dscq_dram_place at = {
        .rank = rank, .group = bank >> s->banks.per_group_shift, .bank = bank};

    dram__note(d, DSCQ_DRAM_PRE, &at);
    dram__banks_issue(&s->banks, DSCQ_DRAM_PRE, &at, d->now);
    touch_bank(s, rank, bank, d->now);
}

/* R3.3: close the rank's banks as they become ready, then refresh. Returns 1
 * when a command went out; *wake falls to the next chance otherwise. */
static int run_refresh(dscq_dram *d, d3 *s, uint64_t *wake)
{
    const int32_t r = s->ref_rank;
    const dscq_dram_place at = {.rank = r};
    const int32_t k =
        dram__banks_refresh_next(&s->banks, DSCQ_DRAM_REF, &at, d->now, wake);

    if (k == DRAM_REFRESH_WAIT)
        return 0;
    if (k != DRAM_REFRESH_NOW) {
        issue_pre(d, s, r, k);
        return 1;
    }
    dram__note(d, DSCQ_DRAM_REF, &at);
    dram__banks_issue(&s->banks, DSCQ_DRAM_REF, &at, d->now);
    s->ref_count--;
    s->ref_rank = (r + 1) % s->banks.ranks;
    return 1;
}

static int may_precharge(const d3 *s, const d3_queue *q, int32_t i)
{
    const d3_entry *e = &q->entry[i];
    const dram_bank *b = &s->banks.bank[q->rank][e->bank];

    for (int32_t j = 0; j < i; j++)
        if (q->entry[j].bank == e->bank)
            return 0;
    if (b->hits >= (uint32_t)s->cap)
        return 1;
    for (int32_t j = i; j < q->count; j++)
        if (q->entry[j].bank == e->bank && q->entry[j].row == b->row)
            return 0;
    return 1;
}

static int overtakes_read(const d3_queue *q, int32_t i)
{
    const d3_entry *e = &q->entry[i];

    for (int32_t j = 0; j < i; j++) {
        const d3_entry *o = &q->entry[j];
        if (!o->is_write && o->bank == e->bank && o->row == e->row &&
            o->column == e->column)
            return 1;
    }
    return 0;
}

/* R3.4 within one queue: the first entry whose next needed command is ready. */
static int32_t pick_entry(d3 *s, const d3_queue *q, uint64_t t, dscq_dram_op *op,
                          uint64_t *wake)
{
    *wake = DRAM_NEVER;
    for (int32_t i = 0; i < q->count; i++) {
        const d3_entry *e = &q->entry[i];
        const dram_bank *b = &s->banks.bank[q->rank][e->bank];
        uint64_t at;
        if (b->row == DRAM_NO_ROW) {
            *op = DSCQ_DRAM_ACT;
            at = dram_banks_at(&s->banks, q->rank, e->bank, DRAM_NEXT_ACT);
        } else if (b->row == e->row) {
            *op = e->is_write ? DSCQ_DRAM_WR : DSCQ_DRAM_RD;
            at = dram_banks_column_at(&s->banks, q->rank, e->bank, e->is_write);
        } else {
            *op = DSCQ_DRAM_PRE;
            at = dram_banks_close_at(&s->banks, q->rank, e->bank, DRAM_NEXT_PRE);
        }
        if (at > t)
            *wake = dram_min64(*wake, at);
        /* [R3.4] */
        else if (*op == DSCQ_DRAM_PRE ? may_precharge(s, q, i)
                                      : !(*op == DSCQ_DRAM_WR && overtakes_read(q, i)))
            return i;
    }
    return -1;
}

static void finish_reads(dscq_dram *d, d3 *s, dram_pending_slot *p)
{
    const uint64_t done = d->now + s->read_cycles;

    for (int32_t i = p->first_read; i != DRAM_NO_REQ;) {
        const int32_t next = d->req[i].next;
        dram__finish(d, i, done, DRAM_DONE_READ);
        i = next;
    }
    p->first_read = p->last_read = DRAM_NO_REQ;
}

static void issue_column(dscq_dram *d, d3 *s, d3_queue *q, int32_t i)
{
    const d3_entry e = q->entry[i];
    const dscq_dram_place at = d->req[e.req].at;
    dram_pending_slot *p = dram__pending_find(&s->pending, d->req[e.req].address);
    static const dscq_dram_op ops[2][2] = {{DSCQ_DRAM_RD, DSCQ_DRAM_RDA},
                                           {DSCQ_DRAM_WR, DSCQ_DRAM_WRA}};

    dram__note(d, ops[e.is_write][s->close_page], &at);
    dram__banks_issue(&s->banks, ops[e.is_write][s->close_page], &at, d->now);
    q->count--;
    s->queued--;
    memmove(&q->entry[i], &q->entry[i + 1], (size_t)(q->count - i) * sizeof *q->entry);
    if (e.is_write) {
        p->write = DRAM_NO_REQ;
        d->n.writes_buffered--;
        dram__release(d, e.req);
    } else {
        finish_reads(d, s, p);
    }
    dram__pending_drop_if_empty(&s->pending, p);
}

static void issue_entry(dscq_dram *d, d3 *s, int32_t qi, int32_t i, dscq_dram_op op)
{
    d3_queue *q = &s->queue[qi];
    const d3_entry *e = &q->entry[i];

    if (op == DSCQ_DRAM_PRE) {
        issue_pre(d, s, q->rank, e->bank);
    } else if (op == DSCQ_DRAM_ACT) {
        dram__note(d, op, &d->req[e->req].at);
        dram__banks_issue(&s->banks, op, &d->req[e->req].at, d->now);
    } else {
        issue_column(d, s, q, i);
    }
    s->wake[qi] = q->count != 0 ? d->now : DRAM_NEVER;
    s->last_queue = qi;
}

/* R3.4: round robin, starting after the queue visited last. */
static int run_queues(dscq_dram *d, d3 *s, uint64_t *wake)
{
    const int32_t frozen = s->ref_count != 0 ? s->ref_rank : -1;
    int32_t qi = s->last_queue;

    for (int32_t v = 0; v < s->queues; v++) {
        if (++qi == s->queues)
            qi = 0;
        if (s->wake[qi] > d->now) {
            if (s->queue[qi].rank != frozen)
                *wake = dram_min64(*wake, s->wake[qi]);
            continue;
        }
        if (s->queue[qi].rank == frozen)
            continue;
        dscq_dram_op op;
        const int32_t i = pick_entry(s, &s->queue[qi], d->now, &op, &s->wake[qi]);
        if (i >= 0) {
            issue_entry(d, s, qi, i, op);
            return 1;
        }
        *wake = dram_min64(*wake, s->wake[qi]);
    }
    return 0;
}

/* ---- moving requests to the command queues (R3.6) ------------------------- */

static void push_entry(dscq_dram *d, d3 *s, int32_t req)
{
    const dram_req *r = &d->req[req];
    const int32_t qi = queue_index(s, &r->at);
    d3_queue *q = &s->queue[qi];

    q->entry[q->count++] = (d3_entry){.req = req,
                                      .row = r->at.row,
                                      .column = r->at.column,
                                      .bank = (uint8_t)r->at.bank,
                                      .is_write = (uint8_t)r->is_write};
    s->queued++;
    s->wake[qi] = d->now;
}

static int move_one(dscq_dram *d, d3 *s)
{
    /* [R3.6] */
    if (!s->unified && s->drain == 0 &&
        (s->writes.count >= s->writes.cap ||
         (s->writes.count > DRAIN_ABOVE && s->queued == 0)))
        s->drain = s->writes.count;
    d3_list *l = !s->unified && s->drain > 0 ? &s->writes : &s->reads;

    for (int32_t i = 0; i < l->count; i++) {
        const int32_t req = l->req[i];
        if (s->queue[queue_index(s, &d->req[req].at)].count >= s->depth)
            continue;
        if (!s->unified && d->req[req].is_write) {
            const dram_pending_slot *p =
                dram__pending_find(&s->pending, d->req[req].address);
            if (p->first_read != DRAM_NO_REQ) {
                s->drain = 0;
                return 1; /* something changed */
            }
            s->drain--;
        }
        push_entry(d, s, req);
        l->count--;
        memmove(&l->req[i], &l->req[i + 1], (size_t)(l->count - i) * sizeof *l->req);
        return 1;
    }
    return 0;
}

static uint64_t d3_tick(dscq_dram *d)
{
    d3 *s = d->state;
    const uint64_t t = d->now;
    uint64_t wake = DRAM_NEVER;
    int changed = 0;

    /* [R3.2] */
    if (t >= s->next_ref) {
        s->ref_count++;
        s->next_ref += s->ref_step;
    }
    /* [R3.3] */
    if (s->ref_count != 0)
        changed = run_refresh(d, s, &wake);
    if (!changed)
        changed = run_queues(d, s, &wake);
    for (int32_t r = 0; r < s->banks.ranks; r++)
        /* [R3.5] */
        d->rank_state[r] =
            s->banks.rank[r].open != 0 ? DRAM_RANK_ACTIVE : DRAM_RANK_IDLE;
    changed |= move_one(d, s);
    if (changed)
        return t + 1;
    return dscq_max64(dram_min64(wake, s->next_ref), t + 1);
}

const dram_policy dram__policy_d3 = {
    .name = "d3",
    .summary = "the rules of DRAMsim3: queues per bank or rank, write drain, joins",
    .create = d3_create,
    .destroy = d3_destroy,
    .room = d3_room,
    .admit = d3_admit,
    .tick = d3_tick,
    .drained = d3_drained,
    .ref_owed = d3_ref_owed,
    /* [R3.1] */
    .admit_delay = 1,
};
