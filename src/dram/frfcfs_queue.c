#include "dscq/base/alloc.h"
#include "frfcfs.h"

dscq_status dram__frf_queue_create(frf *s, const dscq_dram_config *c, dscq_error *err)
{
    const size_t nodes = (size_t)c->read_queue + (size_t)c->write_queue;

    s->cap[FRF_READ] = c->read_queue;
    s->cap[FRF_WRITE] = c->write_queue;
    s->node = dscq_calloc(nodes, sizeof *s->node);
    if (s->node == NULL)
        return dscq_fail_nomem(err, "DRAM queues", nodes * sizeof *s->node);
    s->node_free = DRAM_NO_REQ;
    for (size_t i = nodes; i-- > 0;) {
        s->node[i].next = s->node_free;
        s->node_free = (int32_t)i;
    }
    for (int k = 0; k < FRF_KINDS; k++)
        for (int r = 0; r < DSCQ_DRAM_RANKS_MAX; r++)
            for (int b = 0; b < DSCQ_DRAM_BANKS_MAX; b++)
                s->list[k][r][b] = (frf_list){.first = DRAM_NO_REQ,
                                              .last = DRAM_NO_REQ,
                                              .node = DRAM_NO_REQ,
                                              .ready = DRAM_NEVER};
    return dram__pending_create(&s->pending, nodes + 1, err);
}

void dram__frf_queue_destroy(frf *s)
{
    dram__pending_destroy(&s->pending);
    dscq_free(s->node);
}

void dram__frf_link(dscq_dram *d, frf *s, int32_t req)
{
    const dram_req *r = &d->req[req];
    const int32_t rank = r->at.rank, bank = r->at.bank;
    const frf_kind kind = r->is_write ? FRF_WRITE : FRF_READ;
    frf_list *l = &s->list[kind][rank][bank];
    const int32_t i = s->node_free;

    s->node_free = s->node[i].next;
    s->node[i] = (frf_node){req, l->last, DRAM_NO_REQ, r->at.row, s->arrivals++};
    if (l->last != DRAM_NO_REQ)
        s->node[l->last].next = i;
    else
        l->first = i;
    l->last = i;
    s->filled[kind][rank] |= UINT32_C(1) << bank;
    s->linked[kind]++;
    s->rank[rank].queued++;
    /* behind a column or an activate nothing changes for the list as a whole */
    if (l->first == i || l->op == DSCQ_DRAM_PRE) {
        l->stale = 1;
        l->ready = d->now;
    }
}

void dram__frf_unlink(dscq_dram *d, frf *s, frf_kind kind, int32_t i)
{
    frf_node *n = &s->node[i];
    const dscq_dram_place *at = &d->req[n->req].at;
    frf_list *l = &s->list[kind][at->rank][at->bank];

    if (n->prev != DRAM_NO_REQ)
        s->node[n->prev].next = n->next;
    else
        l->first = n->next;
    if (n->next != DRAM_NO_REQ)
        s->node[n->next].prev = n->prev;
    else
        l->last = n->prev;
    n->next = s->node_free;
    s->node_free = i;
    s->linked[kind]--;
    s->rank[at->rank].queued--;
    if (l->first == DRAM_NO_REQ) {
        s->filled[kind][at->rank] &= ~(UINT32_C(1) << at->bank);
        l->ready = DRAM_NEVER;
    }
}

void dram__frf_stale(frf *s, int32_t rank, int32_t bank, uint64_t now)
{
    for (int k = 0; k < FRF_KINDS; k++) {
        frf_list *l = &s->list[k][rank][bank];
        if (l->first != DRAM_NO_REQ) {
            l->stale = 1;
            l->ready = now;
        }
    }
}

/* The oldest request for the open row, unless a read of another row is too old
 * (nobody waits for a buffered write). */
static int32_t find_hit(const dscq_dram *d, const frf *s, const frf_list *l,
                        frf_kind kind, const dram_bank *b)
{
    const frf_node *first = &s->node[l->first];
    const uint64_t age = d->now - d->req[first->req].admitted;

    /* [R4.3] */
    if (first->row != b->row && kind == FRF_READ &&
        (b->hits >= (uint32_t)d->cfg.hit_cap || age > (uint64_t)d->cfg.max_age_cycles))
        return DRAM_NO_REQ;
    for (int32_t i = l->first; i != DRAM_NO_REQ; i = s->node[i].next)
        if (s->node[i].row == b->row)
            return i;
    return DRAM_NO_REQ;
}

void dram__frf_refresh_list(dscq_dram *d, frf *s, frf_kind kind, int32_t rank,
                            int32_t bank)
{
    frf_list *l = &s->list[kind][rank][bank];
    const uint32_t row = s->banks.bank[rank][bank].row;

    if (l->stale) {
        l->node = row == DRAM_NO_ROW
                      ? l->first
                      : find_hit(d, s, l, kind, &s->banks.bank[rank][bank]);
        if (row == DRAM_NO_ROW)
            l->op = DSCQ_DRAM_ACT;
        else if (l->node == DRAM_NO_REQ)
            l->op = DSCQ_DRAM_PRE;
        else
            l->op = kind == FRF_WRITE ? DSCQ_DRAM_WR : DSCQ_DRAM_RD;
        if (l->node == DRAM_NO_REQ)
            l->node = l->first;
        l->stale = 0;
    }
    if (l->op == DSCQ_DRAM_ACT)
        l->ready = dram_banks_at(&s->banks, rank, bank, DRAM_NEXT_ACT);
    else if (l->op == DSCQ_DRAM_PRE)
        l->ready = dram_banks_close_at(&s->banks, rank, bank, DRAM_NEXT_PRE);
    else
        l->ready = dram_banks_column_at(&s->banks, rank, bank, kind == FRF_WRITE);
}
