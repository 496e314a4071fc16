#include "dscq/dram/check.h"

#include "dscq/base/alloc.h"

#include <stdio.h>

/* Long ago: far enough that no rule reaches back to it. */
#define LONG_AGO (-(INT64_C(1) << 50))
enum { GROUPS_MAX = 8, FAW_ACTS = 4, REFI_MAX = 9, CONTROLLER = -1 };

typedef struct bank_history {
    int64_t act, rd, wr, precharge; /* precharge: when it began, automatic or not */
    int64_t refresh;                /* of this bank, alone or with all */
    int32_t open;
    uint32_t row;
} bank_history;

typedef struct rank_history {
    bank_history bank[DSCQ_DRAM_BANKS_MAX];
    int64_t group_act[GROUPS_MAX], group_rd[GROUPS_MAX], group_wr[GROUPS_MAX];
    int64_t faw[FAW_ACTS]; /* the last four activates, oldest at faw_at */
    int32_t faw_at;
    int64_t act, refresh, same_bank, precharge, pd_entry, pd_exit;
    int32_t refreshed_set; /* the bank in every group that same_bank took */
    int32_t powered_down;
} rank_history;

struct dscq_dram_checker {
    dscq_dram_config cfg;
    rank_history rank[DSCQ_DRAM_RANKS_MAX];
    int64_t bus_free, data_end;
    int32_t driver; /* of the data bus: a rank, or CONTROLLER */
    uint64_t commands, violations, count[DSCQ_DRAM_RULES];
    char first[256];
};

static const char *const k_rules[] = {
#define X(id, text) #id,
    DSCQ_DRAM_RULE_LIST(X)
#undef X
};

const char *dscq_dram_rule_name(dscq_dram_rule rule)
{
    return k_rules[rule];
}

static void forget(rank_history *r, int32_t banks)
{
    for (int32_t k = 0; k < banks; k++)
        r->bank[k] = (bank_history){LONG_AGO, LONG_AGO, LONG_AGO, LONG_AGO, 0, 0, 0};
    for (int32_t g = 0; g < GROUPS_MAX; g++)
        r->group_act[g] = r->group_rd[g] = r->group_wr[g] = LONG_AGO;
    for (int32_t i = 0; i < FAW_ACTS; i++)
        r->faw[i] = LONG_AGO;
    r->precharge = r->pd_entry = r->pd_exit = r->act = r->same_bank = LONG_AGO;
    r->refresh = LONG_AGO; /* but the first interval of a bank starts with the run */
}

dscq_status dscq_dram_checker_create(dscq_dram_checker **out,
                                     const dscq_dram_config *config, dscq_error *err)
{
    dscq_dram_checker *c = dscq_calloc(1, sizeof *c);

    *out = NULL;
    if (c == NULL)
        return dscq_fail_nomem(err, "DRAM checker", sizeof *c);
    c->cfg = *config;
    c->bus_free = c->data_end = LONG_AGO;
    c->driver = CONTROLLER;
    for (int32_t r = 0; r < DSCQ_DRAM_RANKS_MAX; r++)
        forget(&c->rank[r], DSCQ_DRAM_BANKS_MAX);
    *out = c;
    return DSCQ_OK;
}

void dscq_dram_checker_destroy(dscq_dram_checker *c)
{
    dscq_free(c);
}

static const char *const k_ops[] = {"ACT", "RD",  "WR",  "RDA", "WRA",
                                    "PRE", "REF", "PDE", "PDX", "REFSB"};

static void violate(dscq_dram_checker *c, dscq_dram_rule rule,
                    const dscq_dram_command *m, int64_t earliest)
{
    c->count[rule]++;
    if (c->violations++ == 0)
        snprintf(c->first, sizeof c->first,
                 "cycle %llu: %s rank %d bank %d row %u breaks %s (not before %lld)",
                 (unsigned long long)m->cycle, k_ops[m->op], m->at.rank, m->at.bank,
                 m->at.row, k_rules[rule], (long long)earliest);
}

static void at_least(dscq_dram_checker *c, dscq_dram_rule rule,
                     const dscq_dram_command *m, int64_t since, int64_t distance)
{
    if ((int64_t)m->cycle < since + distance)
        violate(c, rule, m, since + distance);
}

static int64_t longer(int same_group, int32_t l, int32_t s)
{
    return same_group ? l : s;
}

/* The bank of a group that the flat number k is; a same-bank refresh is named by it. */
static int32_t in_group(const dscq_dram_config *g, int32_t k)
{
    return k % (g->banks / g->bank_groups);
}

static void see_act(dscq_dram_checker *c, const dscq_dram_command *m, rank_history *r,
                    bank_history *b)
{
    const dscq_dram_config *g = &c->cfg;

    if (b->open)
        violate(c, DSCQ_DRAM_RULE_STATE, m, 0);
    at_least(c, DSCQ_DRAM_RULE_tRC, m, b->act, g->tRC);
    at_least(c, DSCQ_DRAM_RULE_tRP, m, b->precharge, g->tRP);
    for (int32_t i = 0; i < g->bank_groups; i++)
        at_least(c, DSCQ_DRAM_RULE_tRRD, m, r->group_act[i],
                 longer(i == m->at.group, g->tRRD_L, g->tRRD_S));
    at_least(c, DSCQ_DRAM_RULE_tFAW, m, r->faw[r->faw_at], g->tFAW);
    if (in_group(g, m->at.bank) == r->refreshed_set)
        at_least(c, DSCQ_DRAM_RULE_tRFCsb, m, r->same_bank, g->tRFCsb);
    else
        at_least(c, DSCQ_DRAM_RULE_tREFSBRD, m, r->same_bank, g->tREFSBRD);
    r->faw[r->faw_at] = (int64_t)m->cycle;
    r->faw_at = (r->faw_at + 1) % FAW_ACTS;
    r->group_act[m->at.group] = b->act = r->act = (int64_t)m->cycle;
    b->open = 1;
    b->row = m->at.row;
}

static void see_data(dscq_dram_checker *c, const dscq_dram_command *m, int is_write)
{
    const int32_t driver = is_write ? CONTROLLER : m->at.rank;
    const int64_t latency = is_write ? c->cfg.CWL : c->cfg.CL;
    const int64_t gap = driver != c->driver ? c->cfg.tRTRS : 0;

    at_least(c, DSCQ_DRAM_RULE_DATA, m, c->data_end + gap, -latency);
    c->data_end = (int64_t)m->cycle + latency + dscq_dram_burst_cycles(&c->cfg);
    c->driver = driver;
}

static void see_column(dscq_dram_checker *c, const dscq_dram_command *m,
                       rank_history *r, bank_history *b)
{
    const dscq_dram_config *g = &c->cfg;
    const int is_write = m->op == DSCQ_DRAM_WR || m->op == DSCQ_DRAM_WRA;
    const int64_t t = (int64_t)m->cycle;
    const int64_t write_end = g->CWL + dscq_dram_burst_cycles(g);

    if (!b->open)
        violate(c, DSCQ_DRAM_RULE_STATE, m, 0);
    else if (b->row != m->at.row)
        violate(c, DSCQ_DRAM_RULE_ROW, m, 0);
    at_least(c, DSCQ_DRAM_RULE_tRCD, m, b->act, is_write ? g->tRCD_WR : g->tRCD);
    for (int32_t i = 0; i < g->bank_groups; i++) {
        const int same = i == m->at.group;
        at_least(c, DSCQ_DRAM_RULE_tCCD, m, is_write ? r->group_wr[i] : r->group_rd[i],
                 longer(same, is_write ? g->tCCD_L_WR : g->tCCD_L, g->tCCD_S));
        if (!is_write)
            at_least(c, DSCQ_DRAM_RULE_tWTR, m, r->group_wr[i] + write_end,
                     longer(same, g->tWTR_L, g->tWTR_S));
    }
    see_data(c, m, is_write);
    if (is_write)
        r->group_wr[m->at.group] = b->wr = t;
    else
        r->group_rd[m->at.group] = b->rd = t;
    if (m->op == DSCQ_DRAM_RDA || m->op == DSCQ_DRAM_WRA) {
        /* the device itself waits for tRAS */
        const int64_t ready = t + (is_write ? write_end + g->tWR : g->tRTP);
        const int64_t ras = b->act + g->tRAS;
        b->precharge = ready > ras ? ready : ras;
        b->open = 0;
    }
}

static void see_pre(dscq_dram_checker *c, const dscq_dram_command *m, rank_history *r,
                    bank_history *b)
{
    const dscq_dram_config *g = &c->cfg;

    if (!b->open)
        violate(c, DSCQ_DRAM_RULE_STATE, m, 0);
    at_least(c, DSCQ_DRAM_RULE_tRAS, m, b->act, g->tRAS);
    at_least(c, DSCQ_DRAM_RULE_tRTP, m, b->rd, g->tRTP);
    at_least(c, DSCQ_DRAM_RULE_tWR, m, b->wr,
             g->CWL + dscq_dram_burst_cycles(g) + g->tWR);
    at_least(c, DSCQ_DRAM_RULE_tPPD, m, r->precharge, g->tPPD);
    b->precharge = r->precharge = (int64_t)m->cycle;
    b->open = 0;
}

static void see_interval(dscq_dram_checker *c, const dscq_dram_command *m,
                         int64_t since)
{
    const int64_t latest = since + (int64_t)REFI_MAX * c->cfg.tREFI;

    if ((int64_t)m->cycle > latest)
        violate(c, DSCQ_DRAM_RULE_tREFI, m, latest);
}

/* Of all banks, or of number at.bank in every group. */
static void see_ref(dscq_dram_checker *c, const dscq_dram_command *m, rank_history *r)
{
    const dscq_dram_config *g = &c->cfg;
    const int alone = m->op == DSCQ_DRAM_REFSB;
    const int32_t step = alone ? g->banks / g->bank_groups : 1;
    int64_t oldest = (int64_t)m->cycle;

    at_least(c, DSCQ_DRAM_RULE_tRFCsb, m, r->same_bank, g->tRFCsb);
    if (alone)
        at_least(c, DSCQ_DRAM_RULE_tRRD, m, r->act, g->tRRD_L);
    for (int32_t k = alone ? m->at.bank : 0; k < g->banks; k += step) {
        bank_history *b = &r->bank[k];
        if (b->open)
            violate(c, DSCQ_DRAM_RULE_STATE, m, 0);
        at_least(c, DSCQ_DRAM_RULE_tRP, m, b->precharge, g->tRP);
        if (b->refresh < oldest)
            oldest = b->refresh;
        b->refresh = (int64_t)m->cycle;
    }
    see_interval(c, m, oldest);
    if (alone) {
        r->same_bank = (int64_t)m->cycle;
        r->refreshed_set = m->at.bank;
    } else {
        r->refresh = (int64_t)m->cycle;
    }
}

static void see_power(dscq_dram_checker *c, const dscq_dram_command *m, rank_history *r)
{
    const int entry = m->op == DSCQ_DRAM_PDE;

    if (r->powered_down == entry)
        violate(c, DSCQ_DRAM_RULE_STATE, m, 0);
    r->powered_down = entry;
    if (!entry) {
        at_least(c, DSCQ_DRAM_RULE_tCKE, m, r->pd_entry, c->cfg.tCKE);
        r->pd_exit = (int64_t)m->cycle;
        return;
    }
    for (int32_t k = 0; k < c->cfg.banks; k++)
        if (r->bank[k].open)
            violate(c, DSCQ_DRAM_RULE_STATE, m, 0);
    r->pd_entry = (int64_t)m->cycle;
}

void dscq_dram_checker_see(void *checker, const dscq_dram_command *m)
{
    dscq_dram_checker *c = checker;
    rank_history *r = &c->rank[m->at.rank];
    bank_history *b = &r->bank[m->at.bank];

    c->commands++;
    if (m->op == DSCQ_DRAM_PDE || m->op == DSCQ_DRAM_PDX) {
        see_power(c, m, r);
        return;
    }
    at_least(c, DSCQ_DRAM_RULE_BUS, m, c->bus_free, 0);
    c->bus_free = (int64_t)m->cycle + (m->op <= DSCQ_DRAM_WRA ? c->cfg.tCMD : 1);
    if (r->powered_down)
        violate(c, DSCQ_DRAM_RULE_STATE, m, 0);
    at_least(c, DSCQ_DRAM_RULE_tXP, m, r->pd_exit, c->cfg.tXP);
    at_least(c, DSCQ_DRAM_RULE_tRFC, m, r->refresh, c->cfg.tRFC);
    if (m->op == DSCQ_DRAM_ACT)
        see_act(c, m, r, b);
    else if (m->op == DSCQ_DRAM_PRE)
        see_pre(c, m, r, b);
    else if (m->op == DSCQ_DRAM_REF || m->op == DSCQ_DRAM_REFSB)
        see_ref(c, m, r);
    else
        see_column(c, m, r, b);
}

void dscq_dram_checker_end(dscq_dram_checker *c, uint64_t cycle)
{
    for (int32_t r = 0; r < c->cfg.ranks; r++) {
        const dscq_dram_command m = {cycle, DSCQ_DRAM_REF, {.rank = r}};
        int64_t oldest = (int64_t)cycle;
        for (int32_t k = 0; k < c->cfg.banks; k++)
            if (c->rank[r].bank[k].refresh < oldest)
                oldest = c->rank[r].bank[k].refresh;
        see_interval(c, &m, oldest);
    }
}

uint64_t dscq_dram_checker_commands(const dscq_dram_checker *c)
{
    return c->commands;
}

uint64_t dscq_dram_checker_violations(const dscq_dram_checker *c)
{
    return c->violations;
}

uint64_t dscq_dram_checker_count(const dscq_dram_checker *c, dscq_dram_rule rule)
{
    return c->count[rule];
}

const char *dscq_dram_checker_first(const dscq_dram_checker *c)
{
    return c->first;
}
