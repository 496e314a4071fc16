#include "dram_internal.h"
#include "dscq/dram/config.h"

#include <assert.h>
#include <string.h>

enum { ROW, RANK, BANK, GROUP, COLUMN, CHANNEL, FIELDS };

static const char *const k_fields[FIELDS] = {"row",       "rank",   "bank",
                                             "bankgroup", "column", "channel"};

static uint32_t log2_of(uint64_t v)
{
    uint32_t n = 0;

    while ((UINT64_C(1) << n) < v)
        n++;
    return n;
}

static int field_of(const char *word, size_t len)
{
    for (int f = 0; f < FIELDS; f++)
        if (strlen(k_fields[f]) == len && memcmp(k_fields[f], word, len) == 0)
            return f;
    return -1;
}

/* The order of fields, most significant first; each named once. */
static dscq_status parse_order(int order[FIELDS], int *count, const char *text,
                               dscq_error *err)
{
    unsigned seen = 0;

    *count = 0;
    for (const char *p = text;; p++) {
        const size_t len = strcspn(p, ":");
        const int f = field_of(p, len);
        if (f < 0 || (seen & (1u << f)) != 0)
            return dscq_fail(err, DSCQ_FORMAT,
                             "address_map = '%s': '%.*s' is %s; want row, rank, bank, "
                             "bankgroup, column, channel, each once",
                             text, (int)len, p, f < 0 ? "no field" : "given twice");
        seen |= 1u << f;
        order[(*count)++] = f;
        p += len;
        if (*p == '\0')
            break;
    }
    return DSCQ_OK;
}

dscq_status dram__map_parse(dscq_dram_map *out, const dscq_dram_config *c,
                            dscq_error *err)
{
    const uint32_t bits[FIELDS] = {
        [ROW] = log2_of((uint64_t)c->rows),
        [RANK] = log2_of((uint64_t)c->ranks),
        [BANK] = log2_of((uint64_t)(c->banks / c->bank_groups)),
        [GROUP] = log2_of((uint64_t)c->bank_groups),
        [COLUMN] = log2_of((uint64_t)(c->columns / c->burst_length)),
        [CHANNEL] = 0, /* accepted, because maps are often written with it */
    };
    int order[FIELDS], count = 0;
    dscq_dram_map m;
    dscq_status status;
    unsigned named = 0;

    memset(&m, 0, sizeof m);
    m.burst_shift = log2_of((uint64_t)dscq_dram_burst_bytes(c));
    m.capacity_bytes = dscq_dram_capacity_bytes(c);
    DSCQ_TRY(parse_order(order, &count, c->address_map, err));
    for (uint32_t at = m.burst_shift; count > 0; count--) {
        const int f = order[count - 1];
        named |= 1u << f;
        if (f == CHANNEL)
            continue;
        m.shift[f] = at;
        m.bits[f] = bits[f];
        at += bits[f];
    }
    for (int f = 0; f < FIELDS; f++)
        if (bits[f] != 0 && (named & (1u << f)) == 0)
            return dscq_fail(err, DSCQ_FORMAT, "address_map = '%s': '%s' is missing",
                             c->address_map, k_fields[f]);
    *out = m;
done:
    return status;
}

void dscq_dram_map_init(dscq_dram_map *out, const dscq_dram_config *c)
{
    const dscq_status status = dram__map_parse(out, c, NULL);

    assert(status == DSCQ_OK); /* the contract: c passed the check */
    (void)status;
}

static uint32_t field(const dscq_dram_map *m, uint64_t address, int f)
{
    return (uint32_t)((address >> m->shift[f]) & ((UINT64_C(1) << m->bits[f]) - 1));
}

dscq_dram_place dscq_dram_map_place(const dscq_dram_map *m, uint64_t address)
{
    const uint32_t group = field(m, address, GROUP);

    return (dscq_dram_place){
        .rank = (int32_t)field(m, address, RANK),
        .group = (int32_t)group,
        .bank = (int32_t)((group << m->bits[BANK]) | field(m, address, BANK)),
        .row = field(m, address, ROW),
        .column = field(m, address, COLUMN)};
}

uint64_t dscq_dram_map_address(const dscq_dram_map *m, dscq_dram_place at)
{
    const uint64_t in_group = (uint64_t)at.bank & ((UINT64_C(1) << m->bits[BANK]) - 1);

    return ((uint64_t)at.row << m->shift[ROW]) | ((uint64_t)at.rank << m->shift[RANK]) |
           (in_group << m->shift[BANK]) | ((uint64_t)at.group << m->shift[GROUP]) |
           ((uint64_t)at.column << m->shift[COLUMN]);
}
