#include "standard.h"

/* Words of the rows: commands (as sets) and the longer of two times. */
enum {
    ACT = 1 << DSCQ_DRAM_ACT,
    RD = 1 << DSCQ_DRAM_RD,
    WR = 1 << DSCQ_DRAM_WR,
    RDA = 1 << DSCQ_DRAM_RDA,
    WRA = 1 << DSCQ_DRAM_WRA,
    PRE = 1 << DSCQ_DRAM_PRE,
    REF = 1 << DSCQ_DRAM_REF,
    PDE = 1 << DSCQ_DRAM_PDE,
    PDX = 1 << DSCQ_DRAM_PDX,
    READS = RD | RDA,
    WRITES = WR | WRA,
    REFSB = 1 << DSCQ_DRAM_REFSB,
    REFRESHES = REF | REFSB,
    COMMANDS = ACT | RD | WR | PRE | REFRESHES
};

static inline int32_t max(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* NOLINTBEGIN(bugprone-macro-parentheses): names and parts of statements, no values */
/* rows_<id>(): the timings are constants of their own names there. */
#define TIMING(key, least, most, dflt, as, help)                                       \
    const int32_t key = c->key;                                                        \
    (void)key;
#define DRAM_BEGIN(id)                                                                 \
    static int32_t rows_##id(dram_row *out, const dscq_dram_config *c)                 \
    {                                                                                  \
        const int32_t B = dscq_dram_burst_cycles(c);                                   \
        int32_t n = 0;                                                                 \
        DSCQ_DRAM_TIMING_LIST(TIMING)
#define DRAM_STANDARD(summary)
#define DRAM_ROW(level, preceding, following, latency, window)                         \
    out[n++] =                                                                         \
        (dram_row){DRAM_##level, preceding, following, latency, window, #latency};
#define DRAM_END(id)                                                                   \
    return n;                                                                          \
    }
#include "dram_standards.def"
#undef DRAM_BEGIN
#undef DRAM_STANDARD
#undef DRAM_ROW
#undef DRAM_END
#undef TIMING

#define DRAM_BEGIN(id) _Static_assert(0
#define DRAM_STANDARD(summary)
#define DRAM_ROW(level, preceding, following, latency, window) +1
#define DRAM_END(id) <= DRAM_ROWS_MAX, "DRAM_ROWS_MAX is too small for " #id);
#include "dram_standards.def"
#undef DRAM_BEGIN
#undef DRAM_STANDARD
#undef DRAM_ROW
#undef DRAM_END

static const struct {
    const char *name;
    int32_t (*rows)(dram_row *out, const dscq_dram_config *c);
    const char *summary;
} k_standards[] = {
#define DRAM_BEGIN(id)                                                                 \
    {                                                                                  \
#id, rows_##id,
#define DRAM_STANDARD(summary)                                                         \
    summary                                                                            \
    }                                                                                  \
    ,
#define DRAM_ROW(level, preceding, following, latency, window)
#define DRAM_END(id)
#include "dram_standards.def"
#undef DRAM_BEGIN
#undef DRAM_STANDARD
};

const char dram__standard_choices[] =
#define DRAM_BEGIN(id) "|" #id
#define DRAM_STANDARD(summary)
#include "dram_standards.def"
    ;
#undef DRAM_BEGIN
#undef DRAM_STANDARD
#undef DRAM_ROW
#undef DRAM_END
/* NOLINTEND(bugprone-macro-parentheses) */

int dscq_dram_standard_count(void)
{
    return (int)(sizeof k_standards / sizeof k_standards[0]);
}

const char *dscq_dram_standard_name(int i)
{
    return k_standards[i].name;
}

const char *dscq_dram_standard_summary(int i)
{
    return k_standards[i].summary;
}

int32_t dram__standard_rows(dram_row out[DRAM_ROWS_MAX], const dscq_dram_config *c)
{
    return k_standards[c->standard].rows(out, c);
}
