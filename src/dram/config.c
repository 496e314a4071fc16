#include "dscq/dram/config.h"

#include "dram_internal.h"
#include "standard.h"

#include <stdlib.h>
#include <string.h>

#define S dscq_dram_config
#define TIMING(key, least, most, dflt, as, help)                                       \
    DSCQ_KEY_INT_ROW(S, key, least, most, dflt, help),
#define MILLIAMPS(field, help) DSCQ_KEY_REAL_ROW(S, field, 0, 1e5, NULL, help)

static const dscq_key k_device[] = {
    DSCQ_KEY_STR_ROW(S, part, NULL, "name of the part"),
    DSCQ_KEY_ENUM_ROW(S, standard, dram__standard_choices + 1, NULL,
                      "JEDEC family: whose constraints hold"),
    DSCQ_KEY_REAL_ROW(S, tck_ns, 0.05, 100, NULL, "clock period; two beats a cycle"),
    DSCQ_KEY_INT_ROW(S, ranks, 1, DSCQ_DRAM_RANKS_MAX, "1", "ranks on the channel"),
    DSCQ_KEY_INT_ROW(S, banks, 1, DSCQ_DRAM_BANKS_MAX, NULL, "banks of a rank"),
    DSCQ_KEY_INT_ROW(S, bank_groups, 1, 8, "1", "bank groups of a rank"),
    DSCQ_KEY_INT_ROW(S, rows, 1, 1 << 20, NULL, "rows of a bank"),
    DSCQ_KEY_INT_ROW(S, columns, 8, 1 << 14, NULL, "device columns of a row"),
    DSCQ_KEY_INT_ROW(S, device_width_bits, 4, 64, NULL, "data pins of one device"),
    DSCQ_KEY_INT_ROW(S, devices_per_rank, 1, 64, NULL, "devices side by side"),
    DSCQ_KEY_INT_ROW(S, burst_length, 2, 32, "8", "beats of a burst"),
    DSCQ_DRAM_TIMING_LIST(TIMING)
        DSCQ_KEY_REAL_ROW(S, VDD_V, 0.1, 5, NULL, "core supply"),
    MILLIAMPS(IDD0_mA, "one bank activate-precharge, per device"),
    MILLIAMPS(IDD2P_mA, "precharge power-down, per device"),
    MILLIAMPS(IDD2N_mA, "precharge standby, per device"),
    MILLIAMPS(IDD3N_mA, "active standby, per device"),
    MILLIAMPS(IDD4R_mA, "burst read, per device"),
    MILLIAMPS(IDD4W_mA, "burst write, per device"),
    MILLIAMPS(IDD5_mA, "burst refresh, per device"),
    DSCQ_KEY_REAL_ROW(S, IDD5C_mA, 0, 1e5, "0", "same-bank refresh, per device"),
    DSCQ_KEY_END,
};

static const dscq_key k_controller[] = {
    DSCQ_KEY_STR_ROW(S, policy, "frfcfs", "d2, d3 or frfcfs"),
    DSCQ_KEY_STR_ROW(S, address_map, "row:rank:column:bank:bankgroup",
                     "address fields, most significant first"),
    DSCQ_KEY_ENUM_ROW(S, page, DSCQ_DRAM_PAGES, "open", "row policy (d2, d3)"),
    DSCQ_KEY_ENUM_ROW(S, queues, DSCQ_DRAM_QUEUES, "per_bank",
                      "one command queue per rank or per bank (d2, d3)"),
    DSCQ_KEY_ENUM_ROW(S, order, DSCQ_DRAM_ORDERS, "rank_then_bank",
                      "round robin over queues (d2)"),
    DSCQ_KEY_INT_ROW(S, transaction_queue, 1, DSCQ_DRAM_QUEUE_MAX, "32",
                     "requests waiting (d2, d3)"),
    DSCQ_KEY_INT_ROW(S, command_queue, 2, DSCQ_DRAM_QUEUE_MAX, "8",
                     "entries of a command queue (d2: commands, d3: requests)"),
    DSCQ_KEY_INT_ROW(S, row_cap, 1, 1 << 20, "4",
                     "column commands before an open row may be closed (d2, d3)"),
    DSCQ_KEY_BOOL_ROW(S, unified_queue, "no", "reads and writes in one queue (d3)"),
    DSCQ_KEY_BOOL_ROW(S, low_power, "no", "precharge power-down (d2, frfcfs)"),
    DSCQ_KEY_INT_ROW(S, read_queue, 1, DSCQ_DRAM_QUEUE_MAX, "256",
                     "reads waiting (frfcfs)"),
    DSCQ_KEY_INT_ROW(S, write_queue, 1, DSCQ_DRAM_QUEUE_MAX, "256",
                     "writes buffered (frfcfs)"),
    DSCQ_KEY_INT_ROW(S, write_high, 1, DSCQ_DRAM_QUEUE_MAX, "192",
                     "buffered writes that force a batch (frfcfs)"),
    DSCQ_KEY_INT_ROW(S, write_low, 0, DSCQ_DRAM_QUEUE_MAX, "0",
                     "buffered writes that end a forced batch (frfcfs)"),
    DSCQ_KEY_INT_ROW(S, hit_cap, 1, 1 << 20, "16",
                     "bursts of a row before an older read of another goes (frfcfs)"),
    DSCQ_KEY_INT_ROW(S, max_age_cycles, 64, 1 << 20, "8000",
                     "age at which a read closes a row that is in use (frfcfs)"),
    DSCQ_KEY_INT_ROW(S, close_cycles, 1, 1 << 20, "128",
                     "first guess of the idle time that closes a row (frfcfs)"),
    DSCQ_KEY_INT_ROW(S, refresh_postpone, 0, 8, "8",
                     "refreshes that may be owed while there is work (frfcfs)"),
    DSCQ_KEY_ENUM_ROW(S, refresh, DSCQ_DRAM_REFRESHES, "all_bank",
                      "a rank at once, or one bank in every group (frfcfs)"),
    DSCQ_KEY_END,
};

static const dscq_key k_termination[] = {
    DSCQ_KEY_REAL_ROW(S, read_pj_per_bit, 0, 1e4, "0", "driver and termination, read"),
    DSCQ_KEY_REAL_ROW(S, write_pj_per_bit, 0, 1e4, "0", "the same for writes"),
    DSCQ_KEY_END,
};
#undef S

const dscq_key *dscq_dram_device_keys(void)
{
    return k_device;
}

const dscq_key *dscq_dram_controller_keys(void)
{
    return k_controller;
}

const dscq_key *dscq_dram_termination_keys(void)
{
    return k_termination;
}

static int32_t value_or(int32_t value, int32_t of_zero)
{
    return value != 0 ? value : of_zero;
}

static void fill_timings(dscq_dram_config *c)
{
#define X(key, least, most, dflt, as, help) c->key = value_or(c->key, c->as);
    DSCQ_DRAM_TIMING_LIST(X)
#undef X
}

dscq_status dscq_dram_config_bind(dscq_dram_config *out, dscq_config *c,
                                  dscq_error *err)
{
    static const struct {
        const char *section;
        const dscq_key *keys;
    } parts[] = {{"device", k_device},
                 {"controller", k_controller},
                 {"termination", k_termination}};
    dscq_dram_config v;
    dscq_status status;

    memset(&v, 0, sizeof v);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        int at = -1;
        DSCQ_TRY(dscq_config_find_unique(&at, c, parts[i].section, err));
        DSCQ_TRY(dscq_config_bind(&v, c, at, parts[i].section, parts[i].keys, err));
    }
    fill_timings(&v);
    status = dscq_dram_config_check(&v, err);
    if (status != DSCQ_OK)
        return dscq_fail_at(err, "%s", dscq_config_name(c));
    *out = v;
done:
    return status;
}

dscq_status dscq_dram_config_load(dscq_dram_config *out, const char *path,
                                  dscq_error *err)
{
    dscq_config *c = NULL;
    dscq_status status;

    DSCQ_TRY(dscq_config_load(&c, path, err));
    DSCQ_TRY(dscq_dram_config_bind(out, c, err));
    DSCQ_TRY(dscq_config_check_used(c, "device|controller|termination", err));
done:
    dscq_config_destroy(c);
    return status;
}

/* A timing with a default that says something but that no row of the standard reads. */
static dscq_status check_standard(const dscq_dram_config *c, dscq_error *err)
{
    const char *name = dscq_dram_standard_name(c->standard);
    const struct {
        const char *key, *as, *dflt;
        int32_t value, value_as;
    } timings[] = {
#define X(key, least, most, dflt, as, help) {#key, #as, dflt, c->key, c->as},
        DSCQ_DRAM_TIMING_LIST(X)
#undef X
    };

    if (c->bank_groups > 1 && !dram__standard_has_level(c, DRAM_GROUP))
        return dscq_fail(err, DSCQ_FORMAT, "bank_groups = %d: standard %s has none",
                         c->bank_groups, name);
    for (size_t i = 0; i < sizeof timings / sizeof timings[0]; i++) {
        const char *dflt = timings[i].dflt;
        const int stands_alone = strcmp(timings[i].key, timings[i].as) == 0;
        if (dflt == NULL || dram__standard_has_timing(c, timings[i].key) ||
            timings[i].value ==
                (stands_alone ? strtol(dflt, NULL, 10) : timings[i].value_as))
            continue;
        return dscq_fail(err, DSCQ_FORMAT, "%s = %d: standard %s has no such timing",
                         timings[i].key, timings[i].value, name);
    }
    return DSCQ_OK;
}

static int is_power_of_two(int32_t v)
{
    return v > 0 && (v & (v - 1)) == 0;
}

static dscq_status check_geometry(const dscq_dram_config *c, dscq_error *err)
{
    const struct {
        const char *name;
        int32_t v;
    } sizes[] = {{"ranks", c->ranks},
                 {"banks", c->banks},
                 {"bank_groups", c->bank_groups},
                 {"rows", c->rows},
                 {"columns", c->columns},
                 {"device_width_bits x devices_per_rank", dscq_dram_bus_bits(c)},
                 {"burst_length", c->burst_length}};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (!is_power_of_two(sizes[i].v))
            return dscq_fail(err, DSCQ_FORMAT, "%s = %d: want a power of two",
                             sizes[i].name, sizes[i].v);
    if (c->bank_groups > c->banks)
        return dscq_fail(err, DSCQ_FORMAT, "bank_groups = %d: there are only %d banks",
                         c->bank_groups, c->banks);
    if (c->columns < c->burst_length || dscq_dram_burst_bytes(c) < 1)
        return dscq_fail(err, DSCQ_FORMAT,
                         "burst_length = %d: a row has only %d columns",
                         c->burst_length, c->columns);
    return DSCQ_OK;
}

/* The longest way from one closed row of a rank to the next. Where it does not fit
 * between refreshes of the rank, these close rows before their columns are reached, for
 * ever. */
static int32_t longest_access(const dscq_dram_config *c)
{
    const int32_t burst = dscq_dram_burst_cycles(c);
    const int32_t read = c->CL + burst + c->tRTP, write = c->CWL + burst + c->tWR;
    const int32_t way = c->tRP + c->tRCD + (read > write ? read : write) + c->tXP;
    const int32_t row = c->tRC > way ? c->tRC : way;
    const int32_t turn = c->tWTR_L + c->tRTRS + c->tCCD_L_WR + c->tRRD_L + c->tPPD;

    return row + turn + c->tFAW + c->tCKE;
}

static dscq_status check_timing(const dscq_dram_config *c, dscq_error *err)
{
    const int32_t access = longest_access(c) + c->tRFC;

    if (access > c->tREFI)
        return dscq_fail(
            err, DSCQ_FORMAT,
            "tREFI = %d: want at least %d, which a refresh and an access of "
            "a closed row can take (tRFC, tRP, tRCD, ...)",
            c->tREFI, access);
    const struct {
        const char *longer, *shorter;
        int32_t l, s;
    } order[] = {{"tRRD_L", "tRRD_S", c->tRRD_L, c->tRRD_S},
                 {"tCCD_L", "tCCD_S", c->tCCD_L, c->tCCD_S},
                 {"tWTR_L", "tWTR_S", c->tWTR_L, c->tWTR_S},
                 {"tRC", "tRAS", c->tRC, c->tRAS},
                 {"tREFI", "twice tRFC", c->tREFI, 2 * c->tRFC},
                 {"tREFI", "tXP + ranks", c->tREFI, c->tXP + c->ranks}};

    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        if (order[i].l < order[i].s)
            return dscq_fail(err, DSCQ_FORMAT, "%s = %d: want at least %s = %d",
                             order[i].longer, order[i].l, order[i].shorter, order[i].s);
    return DSCQ_OK;
}

static dscq_status check_refresh(const dscq_dram_config *c, dscq_error *err)
{
    const int32_t interval = c->tREFI / (c->banks / c->bank_groups);

    if (c->refresh != DSCQ_DRAM_SAME_BANK)
        return DSCQ_OK;
    if (c->tRFCsb == 0)
        return dscq_fail(err, DSCQ_FORMAT, "refresh = same_bank: tRFCsb is 0");
    if (longest_access(c) + c->tRFCsb > interval)
        return dscq_fail(err, DSCQ_FORMAT,
                         "refresh = same_bank: one is due every %d cycles; a refresh "
                         "and an access of a closed row can take %d",
                         interval, longest_access(c) + c->tRFCsb);
    return DSCQ_OK;
}

static dscq_status check_queues(const dscq_dram_config *c, dscq_error *err)
{
    if (c->write_low >= c->write_high)
        return dscq_fail(err, DSCQ_FORMAT,
                         "write_low = %d: want less than write_high = %d", c->write_low,
                         c->write_high);
    if (c->write_high > c->write_queue)
        return dscq_fail(err, DSCQ_FORMAT, "write_high = %d: write_queue holds only %d",
                         c->write_high, c->write_queue);
    return DSCQ_OK;
}

static const char k_policies[] =
#define DSCQ_DRAM_POLICY(id) " " #id
#include "policies.def"
#undef DSCQ_DRAM_POLICY
    ;

/* By name alone: what is behind the names knows this file. */
static dscq_status check_policy(const dscq_dram_config *c, dscq_error *err)
{
#define DSCQ_DRAM_POLICY(id)                                                           \
    if (strcmp(c->policy, #id) == 0)                                                   \
        return DSCQ_OK;
#include "policies.def"
#undef DSCQ_DRAM_POLICY
    return dscq_fail(err, DSCQ_FORMAT, "policy = '%s': want one of%s", c->policy,
                     k_policies);
}

dscq_status dscq_dram_config_check(const dscq_dram_config *c, dscq_error *err)
{
    dscq_dram_map map;
    dscq_status status;

    DSCQ_TRY(check_standard(c, err));
    DSCQ_TRY(check_geometry(c, err));
    DSCQ_TRY(check_timing(c, err));
    DSCQ_TRY(check_refresh(c, err));
    DSCQ_TRY(check_queues(c, err));
    DSCQ_TRY(dram__map_parse(&map, c, err));
    DSCQ_TRY(check_policy(c, err));
done:
    return status;
}

void dscq_dram_config_trace(const dscq_dram_config *c, const dscq_log *log)
{
    DSCQ_TRACE(log, DRAM,
               "%s: standard %s (%s), %d ranks of %d banks in %d groups; policy %s, "
               "map %s; %d bytes in %d cycles a burst",
               c->part, dscq_dram_standard_name(c->standard),
               dscq_dram_standard_summary(c->standard), (int)c->ranks, (int)c->banks,
               (int)c->bank_groups, c->policy, c->address_map,
               (int)dscq_dram_burst_bytes(c), (int)dscq_dram_burst_cycles(c));
}
