/* The DRAM channel: hand-worked latencies and energies, jumps against single steps,
 * small goldens, and errors. */
#include "dscq/base/hash.h"
#include "dscq/base/rng.h"
#include "dscq/base/str.h"
#include "dscq/dram/trace.h"
#include "support.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const k_configs[] = {
    "d2_stock",      "d2_close2r",   "d2_page",      "d2_x16_4r",
    "d3_ddr4x8",     "d3_ddr4x16_u", "d3_lpddr4x32", "d3_ddr4x8_2r_close",
    "d3_ddr3_as_d2", "ddr5_4800"};
enum { ALL_CONFIGS = sizeof k_configs / sizeof k_configs[0], CONFIGS = 9 /* golden */ };

static dscq_dram_config load(const char *name, const char *policy)
{
    dscq_dram_config c;
    dscq_error err;
    char path[128];

    snprintf(path, sizeof path, "data/dram/%s.cfg", name);
    test_ok(dscq_dram_config_load(&c, test_source(path), &err));
    if (policy != NULL)
        dscq_str_copy(c.policy, sizeof c.policy, policy);
    return c;
}

/* Run a trace given as text; latency is the sum over reads. */
static dscq_dram_result run_text(const dscq_dram_config *c, const char *text)
{
    dscq_dram_trace t;
    dscq_dram_result r;
    dscq_error err;

    test_ok(dscq_dram_trace_parse(&t, text, strlen(text), "text", &err));
    test_ok(dscq_dram_run(&r, c, &t, NULL, NULL, &err));
    dscq_dram_trace_clear(&t);
    return r;
}

/* ---- by hand --------------------------------------------------------------- */

typedef struct hand_case {
    const char *config, *policy, *trace;
    uint64_t latency_sum, cycles;
} hand_case;

static const hand_case k_hand[] = {
    /* d2 [R2.7] [R2.3]: moved in 0, ACT 1, RD 1 + tRCD 10, data 11 + 1 + CL 10 + B 4 */
    {"d2_stock", NULL, "0 R 0\n", 26, 27},
    /* [R2.1] accepted in 1; [R2.6] the second bank's ACT tRRD 4 later */
    {"d2_stock", NULL, "0 R 0\n0 R 40\n", 26 + 29, 31},
    /* powered down since 0: ACT waits for tXP 4 after cycle 100 */
    {"d2_stock", NULL, "100 R 0\n", 29, 130},
    /* a write ends at ACT 1 + tRCD 10 + WL 9 + B 4 */
    {"d2_stock", NULL, "0 W 0\n", 0, 25},
    /* d3: accepted at 1, moved in 1, ACT 2, RD 19, data 19 + CL 17 + B 4 */
    {"d3_ddr4x8", NULL, "0 R 0\n", 39, 41},
    /* same row: tCCD_L 6 later, accepted one cycle later */
    {"d3_ddr4x8", NULL, "0 R 0\n0 R 40\n", 39 + 44, 47},
    /* [R3.8] a repeated address shares the burst; a buffered write answers in one cycle
     */
    {"d3_ddr4x8", NULL, "0 R 0\n0 R 0\n", 39 + 38, 41},
    {"d3_ddr4x16_u", NULL, "0 W 0\n0 R 0\n", 1, 20},
    /* frfcfs sees a request in the cycle of its acceptance: ACT 0, RD 17 */
    {"d3_ddr4x8", "frfcfs", "0 R 0\n", 38, 39},
    /* row conflict: RD 17, PRE tRAS 39, ACT 56, RD 73, data 94; accepted in 1 */
    {"d3_ddr4x8", "frfcfs", "0 R 0\n0 R 20000\n", 38 + 93, 95},
    /* DDR5: ACT 0, RD tRCD 39, data 39 + CL 40 + B 8 */
    {"ddr5_4800", NULL, "0 R 0\n", 87, 88},
    /* the next group's ACT tRRD_S 8 later, RD 47; accepted in 1 */
    {"ddr5_4800", NULL, "0 R 0\n0 R 40\n", 87 + 94, 96},
    /* RD of 39 takes two cycles of the command bus: ACT 41, RD 80 */
    {"ddr5_4800", NULL, "0 R 0\n40 R 80\n", 87 + 88, 129},
    /* a second write to the row tCCD_L_WR 48 behind the first: WR 39, 87 */
    {"ddr5_4800", NULL, "0 W 0\n0 W 200\n", 0, 88},
    /* bank 0 of every group is refreshed in tREFI / 4 = 2340 + tXP 18: ACT tRFCsb 312
     * later, in 2670; another bank's tREFSBRD 72 later, in 2430 */
    {"ddr5_4800", NULL, "2360 R 0\n", 2670 - 2360 + 87, 2758},
    {"ddr5_4800", NULL, "2360 R 8000\n", 2430 - 2360 + 87, 2518},
    /* HBM2, two bursts of 32 bytes in two groups: ACT 0, RD 12, data 12 + CL 18 + B 2;
     * ACT tRRD_S 4, RD 16, accepted in 1 */
    {"hbm2_2000", NULL, "0 R 0\n", 32 + 35, 37},
    /* before a write tRCD_WR 6: WR 6 and 10 */
    {"hbm2_2000", NULL, "0 W 0\n", 0, 11},
    /* groups alternate as they can: RD 12, tCCD_L 3 later 15, the other group's
     * tCCD_S 2 later 17, 20; accepted in 0, 2, 1, 3 */
    {"hbm2_2000", NULL, "0 R 0\n0 R 80\n", 32 + 33 + 36 + 37, 41},
};

START_TEST(hand_counted_latencies)
{
    const hand_case *h = &k_hand[_i];
    const dscq_dram_config c = load(h->config, h->policy);
    const dscq_dram_result r = run_text(&c, h->trace);

    ck_assert_msg(r.counters.read_latency_cycles == h->latency_sum &&
                      r.cycles == h->cycles,
                  "case %d '%s': latency %" PRIu64 ", cycles %" PRIu64, _i, h->trace,
                  r.counters.read_latency_cycles, r.cycles);
}
END_TEST

/* A run as text: every command with its cycle, rank, bank and row. */
static void add_command(void *ctx, const dscq_dram_command *m)
{
    static const char *const ops[] = {"ACT", "RD",  "WR",  "RDA", "WRA",
                                      "PRE", "REF", "PDE", "PDX", "REFSB"};

    dscq_str_addf(ctx, "%" PRIu64 " %s %d.%d.%u; ", m->cycle, ops[m->op], m->at.rank,
                  m->at.bank, m->at.row);
}

typedef struct command_case {
    const char *config, *policy, *set[2]; /* KEY=VALUE */
    const char *trace, *want;
} command_case;

static const command_case k_commands[] = {
    /* [R2.5] closed eagerly tRAS 24 after the activate of 1; [R2.2] idle tRP 10 later;
     * [R2.8] asleep then, up with the next request, which waits for tXP 4 */
    {"d2_stock",
     "d2",
     {NULL},
     "0 R 0\n60 R 4000000\n",
     "1 ACT 0.0.0; 11 RD 0.0.0; 25 PRE 0.0.0; 35 PDE 0.0.0; 60 PDX 0.0.0; 64 ACT "
     "0.0.1024; 74 RD 0.0.1024; 88 PRE 0.0.0; "},
    /* [R3.2] tREFI 9360 over two ranks; [R3.1] 9400 counts from 9401, moved then */
    {"d3_ddr4x8_2r_close",
     "d3",
     {NULL},
     "9400 R 0\n",
     "4680 REF 0.0.0; 9360 REF 1.0.0; 9402 ACT 0.0.0; 9419 RDA 0.0.0; "},
    /* [R3.3] the open bank first, the refresh tRP 17 later, tRFC 420 */
    {"d3_ddr4x8",
     "d3",
     {NULL},
     "0 R 0\n9400 R 0\n",
     "2 ACT 0.0.0; 19 RD 0.0.0; 9360 PRE 0.0.0; 9377 REF 0.0.0; 9797 ACT 0.0.0; 9814 "
     "RD 0.0.0; "},
    /* [R3.4] the third request is the first whose command is ready: tCCD_L 6 */
    {"d3_ddr4x8",
     "d3",
     {NULL},
     "0 R 0\n0 R 20000\n0 R 40\n",
     "2 ACT 0.0.0; 19 RD 0.0.0; 25 RD 0.0.0; 41 PRE 0.0.0; 58 ACT 0.0.1; 75 RD "
     "0.0.1; "},
    /* [R4.1] a write in a batch of its own waits for the read of its address */
    {"d3_ddr4x8",
     "frfcfs",
     {"controller.write_high=1"},
     "0 R 0\n0 W 0\n",
     "0 ACT 0.0.0; 17 RD 0.0.0; 27 WR 0.0.0; "},
    /* [R4.2] three writes begin a batch that ends when one is left: the read of 48
     * (CWL 12 + B 4 + tWTR_L 9 behind 23) goes before the third */
    {"d3_ddr4x8",
     "frfcfs",
     {"controller.write_high=3", "controller.write_low=1"},
     "0 W 0\n0 W 40\n0 W 80\n0 R c0\n",
     "0 ACT 0.0.0; 17 WR 0.0.0; 23 WR 0.0.0; 48 RD 0.0.0; 58 WR 0.0.0; "},
    /* [R4.3] a column command before the older request's precharge, unless the row has
     * had hit_cap bursts */
    {"d3_ddr4x8",
     "frfcfs",
     {NULL},
     "0 R 0\n0 R 20000\n0 R 40\n",
     "0 ACT 0.0.0; 17 RD 0.0.0; 23 RD 0.0.0; 39 PRE 0.0.0; 56 ACT 0.0.1; 73 RD "
     "0.0.1; "},
    {"d3_ddr4x8",
     "frfcfs",
     {"controller.hit_cap=1"},
     "0 R 0\n0 R 20000\n0 R 40\n",
     "0 ACT 0.0.0; 17 RD 0.0.0; 39 PRE 0.0.0; 56 ACT 0.0.1; 73 RD 0.0.1; 95 PRE 0.0.0; "
     "112 ACT 0.0.0; 129 RD 0.0.0; "},
    /* [R4.4] a write's row is opened while the read waits, when half of write_high are
     * buffered; else behind the read */
    {"d3_ddr4x8",
     "frfcfs",
     {"controller.write_high=2"},
     "0 R 0\n0 W 2000\n",
     "0 ACT 0.0.0; 4 ACT 0.4.0; 17 RD 0.0.0; 27 WR 0.4.0; "},
    {"d3_ddr4x8",
     "frfcfs",
     {NULL},
     "0 R 0\n0 W 2000\n",
     "0 ACT 0.0.0; 17 RD 0.0.0; 18 ACT 0.4.0; 35 WR 0.4.0; "},
    /* [R4.5] closed 128 idle cycles behind 17; opened again, 256 behind 417 */
    {"d3_ddr4x8",
     "frfcfs",
     {NULL},
     "0 R 0\n400 R 0\n800 R 0\n",
     "0 ACT 0.0.0; 17 RD 0.0.0; 145 PRE 0.0.0; 400 ACT 0.0.0; 417 RD 0.0.0; 673 PRE "
     "0.0.0; 800 ACT 0.0.0; 817 RD 0.0.0; "},
    /* [R4.6] the refresh owed in 9360 waits for the two reads; or they for it */
    {"d3_ddr4x8",
     "frfcfs",
     {NULL},
     "9355 R 0\n9355 R 20000\n",
     "9355 ACT 0.0.0; 9372 RD 0.0.0; 9394 PRE 0.0.0; 9411 ACT 0.0.1; 9428 RD 0.0.1; "},
    {"d3_ddr4x8",
     "frfcfs",
     {"controller.refresh_postpone=0"},
     "9355 R 0\n9355 R 20000\n",
     "9355 ACT 0.0.0; 9394 PRE 0.0.0; 9411 REF 0.0.0; 9831 ACT 0.0.0; 9848 RD 0.0.0; "
     "9870 PRE 0.0.0; 9887 ACT 0.0.1; 9904 RD 0.0.1; "},
};

START_TEST(commands_by_hand)
{
    const command_case *k = &k_commands[_i];
    dscq_config *f = NULL;
    dscq_dram_config c;
    dscq_dram_trace t;
    dscq_dram_result r;
    dscq_error err;
    dscq_str s = {0};
    char path[128];

    snprintf(path, sizeof path, "data/dram/%s.cfg", k->config);
    test_ok(dscq_config_load(&f, test_source(path), &err));
    for (int i = 0; i < 2 && k->set[i] != NULL; i++)
        test_ok(dscq_config_set(f, k->set[i], "--set", &err));
    test_ok(dscq_dram_config_bind(&c, f, &err));
    dscq_str_copy(c.policy, sizeof c.policy, k->policy);
    test_ok(dscq_dram_trace_parse(&t, k->trace, strlen(k->trace), "text", &err));
    test_ok(dscq_dram_run(&r, &c, &t, add_command, &s, &err));
    ck_assert_msg(strcmp(s.text, k->want) == 0, "case %d '%s': %s", _i, k->trace,
                  s.text);
    dscq_str_free(&s);
    dscq_dram_trace_clear(&t);
    dscq_config_destroy(f);
}
END_TEST

START_TEST(energy_increments_are_those_of_the_data_sheets)
{
    const dscq_dram_counters act = {.act = 1}, rd = {.read_cmds = 1},
                             wr = {.write_cmds = 1}, ref = {.ref = 1},
                             on = {.rank_active_cycles = 1},
                             idle = {.rank_idle_cycles = 1};
    const struct {
        const char *config;
        double act, rd, wr, ref, on, idle;
    } want[] = {
        {"d2_stock", 28080, 11880, 15120, 414090, 1620, 1260},
        {"d3_ddr4x8", 3450.144, 2932.224, 2549.76, 692737.92, 342.624, 270.912},
        {"d3_lpddr4x32", 3478.032, 3123.456, 2884.416, 181941.312, 93.624, 67.728}};

    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        const dscq_dram_config c = load(want[i].config, NULL);
        ck_assert_double_eq_tol(dscq_dram_energy_pj(&c, &act).actpre, want[i].act,
                                1e-6);
        ck_assert_double_eq_tol(dscq_dram_energy_pj(&c, &rd).burst, want[i].rd, 1e-6);
        ck_assert_double_eq_tol(dscq_dram_energy_pj(&c, &wr).burst, want[i].wr, 1e-6);
        ck_assert_double_eq_tol(dscq_dram_energy_pj(&c, &ref).refresh, want[i].ref,
                                1e-6);
        ck_assert_double_eq_tol(dscq_dram_energy_pj(&c, &on).background, want[i].on,
                                1e-6);
        ck_assert_double_eq_tol(dscq_dram_energy_pj(&c, &idle).background, want[i].idle,
                                1e-6);
    }
}
END_TEST

START_TEST(termination_is_priced_apart)
{
    dscq_dram_config c = load("d3_ddr4x8", NULL);
    const dscq_dram_counters n = {.read_cmds = 2, .write_cmds = 1};

    ck_assert_double_eq(dscq_dram_energy_pj(&c, &n).termination, 0);
    c.read_pj_per_bit = 9;
    c.write_pj_per_bit = 5;
    const dscq_dram_energy e = dscq_dram_energy_pj(&c, &n);
    ck_assert_double_eq(e.termination, 512 * (9 * 2 + 5));
    ck_assert_double_eq_tol(e.total, e.background + e.actpre + e.burst + e.refresh,
                            1e-9);
}
END_TEST

START_TEST(an_idle_channel_refreshes_every_trefi_and_powers_down)
{
    const dscq_dram_config c = load("d2_stock", NULL);
    dscq_dram *d = NULL;
    dscq_error err;

    test_ok(dscq_dram_create(&d, &c, &err));
    dscq_dram_advance(d, 10 * 5200 + 200);
    const dscq_dram_counters n = dscq_dram_count(d);
    ck_assert_uint_eq(n.cycles, 52200);
    ck_assert_uint_eq(n.ref, 10);                      /* [R2.4] */
    ck_assert_uint_eq(n.rank_active_cycles, 10 * 107); /* [R2.9] tRFC */
    ck_assert_uint_gt(n.rank_powerdown_cycles, 50000);
    test_ok(dscq_dram_check_laws(d, &err));
    dscq_dram_destroy(d);
}
END_TEST

/* Policy d3 keeps up to eight writes; the ninth begins a drain of all. */
START_TEST(d3_drains_nine_writes_and_keeps_eight)
{
    const dscq_dram_config c = load("d3_ddr4x8", NULL);
    dscq_str s = {0};

    for (unsigned i = 0; i < 8; i++)
        dscq_str_addf(&s, "0 W %x\n", i * 64);
    dscq_dram_result r = run_text(&c, s.text);
    ck_assert_uint_eq(r.counters.write_cmds, 0); /* [R3.7] */
    ck_assert_uint_eq(r.counters.writes_buffered, 8);
    dscq_str_add(&s, "0 W 200\n");
    r = run_text(&c, s.text);
    ck_assert_uint_eq(r.counters.write_cmds, 9); /* [R3.6] */
    r = run_text(&c, "0 R 0\n");
    ck_assert_uint_eq(r.counters.rank_active_cycles, 39); /* [R3.5] 2 to 40 */
    ck_assert_uint_eq(r.counters.rank_idle_cycles, 2);
    dscq_str_free(&s);
}
END_TEST

/* ---- jumps against single steps ---------------------------------------------- */

enum { ITEMS = 1500 };

static void random_trace(dscq_dram_trace *t, dscq_dram_trace_item *items, uint64_t seed)
{
    dscq_rng rng = dscq_rng_seeded(seed);
    const uint64_t run = 1 + dscq_rng_below(&rng, 20), gap = dscq_rng_below(&rng, 30);
    const uint64_t writes = dscq_rng_below(&rng, 5), idle = dscq_rng_below(&rng, 20000);
    const uint64_t span = UINT64_C(1) << (4 + dscq_rng_below(&rng, 20)); /* lines */
    uint64_t at = 0, now = 0;

    *t = (dscq_dram_trace){items, ITEMS};
    for (size_t i = 0; i < ITEMS; i++, at += 64) {
        if (dscq_rng_below(&rng, run) == 0)
            at = dscq_rng_below(&rng, span) * 64;
        now += dscq_rng_below(&rng, gap + 1);
        if (dscq_rng_below(&rng, 200) == 0)
            now += idle;
        items[i] = (dscq_dram_trace_item){now, at % (UINT64_C(1) << 29),
                                          dscq_rng_below(&rng, 4) < writes};
    }
}

static void hash_command(void *ctx, const dscq_dram_command *m)
{
    const uint64_t v[] = {
        m->cycle,  (uint64_t)m->op, (uint64_t)m->at.rank, (uint64_t)m->at.bank,
        m->at.row, m->at.column};

    *(uint64_t *)ctx = dscq_fnv64(*(uint64_t *)ctx, v, sizeof v);
}

/* The same run with one cycle a call and every completion polled. */
static dscq_dram_counters run_stepped(const dscq_dram_config *c,
                                      const dscq_dram_trace *t, uint64_t *hash)
{
    const uint64_t delay = strcmp(c->policy, "d3") == 0; /* its ticks come first */
    uint64_t polled = 0, latest = 0;
    size_t i = 0;
    dscq_dram *d = NULL;
    dscq_dram_completion done;
    dscq_error err;

    test_ok(dscq_dram_create(&d, c, &err));
    dscq_dram_watch(d, hash_command, hash);
    while (i < t->count || !dscq_dram_idle(d)) {
        const dscq_dram_trace_item *item = &t->item[i];
        if (i < t->count && item->arrival + delay <= dscq_dram_now(d) &&
            dscq_dram_room(d, item->is_write)) {
            const dscq_dram_request rq = {item->address, i++, item->is_write};
            test_ok(dscq_dram_submit(d, &rq, &err));
        }
        dscq_dram_advance(d, dscq_dram_now(d) + 1);
        for (; dscq_dram_poll(d, &done); polled++) {
            ck_assert_uint_ge(done.cycle, latest);
            ck_assert_uint_lt(done.cycle, dscq_dram_now(d));
            latest = done.cycle;
        }
    }
    ck_assert_uint_eq(polled, t->count);
    test_ok(dscq_dram_check_laws(d, &err));
    const dscq_dram_counters n = dscq_dram_count(d);
    dscq_dram_destroy(d);
    return n;
}

/* Another machine of the same family: every setting that a policy reads. */
static void vary(dscq_dram_config *c, uint64_t seed)
{
    dscq_rng rng = dscq_rng_seeded(seed);

    c->page = (int32_t)dscq_rng_below(&rng, 2);
    c->queues = (int32_t)dscq_rng_below(&rng, 2);
    c->order = (int32_t)dscq_rng_below(&rng, 2);
    c->unified_queue = (int32_t)dscq_rng_below(&rng, 2);
    c->low_power = (int32_t)dscq_rng_below(&rng, 2);
    c->transaction_queue = 1 + (int32_t)dscq_rng_below(&rng, 40);
    c->command_queue = 2 + (int32_t)dscq_rng_below(&rng, 20);
    c->row_cap = 1 + (int32_t)dscq_rng_below(&rng, 20);
    c->tREFI = 2 * c->tRFC + (int32_t)dscq_rng_below(&rng, 4000);
    c->tFAW = (int32_t)dscq_rng_below(&rng, 60);
    c->tXP = 1 + (int32_t)dscq_rng_below(&rng, 20);
    c->tCKE = 1 + (int32_t)dscq_rng_below(&rng, 20);
    c->read_queue = 1 + (int32_t)dscq_rng_below(&rng, 100);
    c->write_queue = 2 + (int32_t)dscq_rng_below(&rng, 100);
    c->write_high = 1 + (int32_t)dscq_rng_below(&rng, (uint64_t)c->write_queue);
    c->write_low = (int32_t)dscq_rng_below(&rng, (uint64_t)c->write_high);
    c->hit_cap = 1 + (int32_t)dscq_rng_below(&rng, 30);
    c->max_age_cycles = 64 + (int32_t)dscq_rng_below(&rng, 1000);
    c->close_cycles = 1 + (int32_t)dscq_rng_below(&rng, 1000);
    c->refresh_postpone = (int32_t)dscq_rng_below(&rng, 9);
    if (c->tREFI / (c->banks / c->bank_groups) < 1000) /* too often for an access */
        c->refresh = DSCQ_DRAM_ALL_BANK;
}

START_TEST(jumping_over_idle_cycles_changes_nothing)
{
    static dscq_dram_trace_item items[ITEMS];
    const char *policy = dscq_dram_policy_name(_i / ALL_CONFIGS);

    for (uint64_t seed = 0; seed < 6; seed++) {
        dscq_dram_config c = load(k_configs[_i % ALL_CONFIGS], policy);
        uint64_t jumped = 0, stepped = 0;
        dscq_dram_trace t;
        dscq_dram_result r;
        dscq_error err;
        random_trace(&t, items, 100 * seed + (uint64_t)_i);
        if (seed >= 2)
            vary(&c, 7000 + 100 * seed + (uint64_t)_i);
        test_ok(dscq_dram_config_check(&c, &err));
        const dscq_status status =
            dscq_dram_run(&r, &c, &t, hash_command, &jumped, &err);
        if (status == DSCQ_UNSUPPORTED && strcmp(policy, "d3") == 0)
            continue; /* its live-lock */
        ck_assert_msg(status == DSCQ_OK, "%s", err.msg);
        const dscq_dram_counters n = run_stepped(&c, &t, &stepped);
        ck_assert_msg(memcmp(&n, &r.counters, sizeof n) == 0 && jumped == stepped,
                      "%s as %s, seed %d", k_configs[_i % ALL_CONFIGS], policy,
                      (int)seed);
    }
}
END_TEST

START_TEST(advance_until_change_stops_where_something_changed)
{
    const dscq_dram_config c = load("d2_stock", NULL);
    const dscq_dram_request rq = {0, 7, 0};
    dscq_dram *d = NULL;
    dscq_dram_completion done;
    dscq_error err;

    test_ok(dscq_dram_create(&d, &c, &err));
    ck_assert_uint_eq(dscq_dram_advance_until_change(d, 1), 1);
    ck_assert_int_eq(dscq_dram_room(d, 0), 1);
    test_ok(dscq_dram_submit(d, &rq, &err));
    ck_assert_int_eq(dscq_dram_room(d, 0), 0); /* one a cycle */
    while (!dscq_dram_poll(d, &done))
        (void)dscq_dram_advance_until_change(d, UINT64_MAX);
    ck_assert_uint_eq(done.id, 7);
    /* powered down in 0: out at tCKE 4, ACT 4 + tXP 4, RD + 10, data + 15 */
    ck_assert_uint_eq(done.cycle, 33);
    ck_assert_uint_eq(dscq_dram_now(d), 34);
    ck_assert_int_eq(dscq_dram_idle(d), 1);
    dscq_dram_destroy(d);
}
END_TEST

/* ---- goldens of our own -------------------------------------------------------- */

START_TEST(small_traces_give_the_recorded_numbers)
{
    static dscq_dram_trace_item items[ITEMS];
    dscq_str s = {0};

    dscq_str_add(&s, "# policy config seed cycles act pre ref read_latency_sum pj\n");
    for (int p = 0; p < dscq_dram_policy_count(); p++)
        for (int k = 0; k < CONFIGS; k++)
            for (uint64_t seed = 1; seed <= 3; seed++) {
                const dscq_dram_config c = load(k_configs[k], dscq_dram_policy_name(p));
                dscq_dram_trace t;
                dscq_dram_result r;
                dscq_error err;
                random_trace(&t, items, 4242 + seed);
                const dscq_status status = dscq_dram_run(&r, &c, &t, NULL, NULL, &err);
                dscq_str_addf(&s, "%s %s %d ", c.policy, k_configs[k], (int)seed);
                if (status == DSCQ_OK)
                    dscq_str_addf(&s,
                                  "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
                                  " %" PRIu64 " %.1f\n",
                                  r.cycles, r.act, r.pre, r.ref,
                                  r.counters.read_latency_cycles, r.energy_pj.total);
                else
                    dscq_str_addf(&s, "%s\n", dscq_status_name(status));
            }
    test_golden_text("hw_dram_small.txt", s.text);
    dscq_str_free(&s);
}
END_TEST

/* ---- refusals -------------------------------------------------------------------- */

START_TEST(a_live_lock_of_d3_is_reported_not_run_for_ever)
{
    dscq_dram_config c = load("d3_ddr4x8", NULL);
    dscq_str s = {0};
    dscq_dram_trace t;
    dscq_dram_result r;
    dscq_error err;

    c.queues = DSCQ_DRAM_PER_RANK;
    c.command_queue = 2;
    /* reads that wait for one bank, a write of the last one's address behind it,
     * and enough other writes to fill the buffer before that read is moved */
    for (unsigned i = 0; i < 10; i++)
        dscq_str_addf(&s, "0 R %x\n", (i + 1) << 20);
    dscq_str_addf(&s, "0 W %x\n", 10u << 20);
    for (unsigned i = 0; i < 40; i++)
        dscq_str_addf(&s, "0 W %x\n", (i + 100) << 20);
    test_ok(dscq_dram_trace_parse(&t, s.text, s.len, "text", &err));
    ck_assert_int_eq(dscq_dram_run(&r, &c, &t, NULL, NULL, &err), DSCQ_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.msg, "live-lock"));
    dscq_str_copy(c.policy, sizeof c.policy, "frfcfs");
    test_ok(dscq_dram_run(&r, &c, &t, NULL, NULL, &err));
    dscq_dram_trace_clear(&t);
    dscq_str_free(&s);
}
END_TEST

static void refuse_trace(const char *text, const char *message)
{
    dscq_dram_trace t;
    dscq_error err;

    test_fails(dscq_dram_trace_parse(&t, text, strlen(text), "t", &err), DSCQ_FORMAT,
               message);
    ck_assert_ptr_null(t.item);
}

START_TEST(damaged_traces_are_refused_with_their_line)
{
    dscq_dram_trace t;
    dscq_error err;

    refuse_trace("0 R 40\n\nx R 0\n", "t:3: want an arrival cycle below 2^52");
    refuse_trace("0 Q 40\n", "t:1: want R or W after the cycle");
    refuse_trace("0 R\n", "t:1: want a hexadecimal address below 2^52");
    refuse_trace("0 R zz\n", "t:1: want a hexadecimal address below 2^52");
    refuse_trace("0 R 10000000000000\n", "t:1: want a hexadecimal address below 2^52");
    refuse_trace("0 R 40 7\n", "t:1: unexpected text after the address");
    refuse_trace("5 R 40\n4 R 40\n", "t:2: arrival cycles must not decrease");
    test_ok(dscq_dram_trace_parse(&t, "# c\n 3 W 0x4fC \r\n\n", 18, "t", &err));
    ck_assert_uint_eq(t.count, 1);
    ck_assert_uint_eq(t.item[0].address, 0x4fc);
    ck_assert_int_eq(t.item[0].is_write, 1);
    dscq_dram_trace_clear(&t);
    test_ok(dscq_dram_trace_parse(&t, "", 0, "t", &err));
    ck_assert_uint_eq(t.count, 0);
    dscq_dram_trace_clear(&t);
}
END_TEST

START_TEST(an_address_beyond_the_memory_is_refused)
{
    const dscq_dram_config c = load("d2_stock", NULL);
    dscq_dram_trace t;
    dscq_dram_result r;
    dscq_error err;

    test_ok(dscq_dram_trace_parse(&t, "0 R 80000000\n", 13, "t", &err));
    test_fails(dscq_dram_run(&r, &c, &t, NULL, NULL, &err), DSCQ_ARG,
               "address 0x80000000: the memory 'DDR3-1333 Micron 2 Gb x8 speed grade "
               "-15' ends at 0x80000000");
    dscq_dram_trace_clear(&t);
}
END_TEST

START_TEST(a_trace_request_is_several_short_bursts)
{
    dscq_dram_config c = load("d2_stock", "frfcfs");

    c.devices_per_rank = 2; /* 16 bytes a burst */
    const dscq_dram_result r = run_text(&c, "0 R 0\n0 W 1000\n");
    ck_assert_uint_eq(r.reads, 4);
    ck_assert_uint_eq(r.writes, 4);
    ck_assert_uint_eq(r.bytes, 128);
}
END_TEST

static dscq_status create_and_run(void *config, dscq_error *err)
{
    static const char text[] = "0 R 0\n0 W 40\n9 R 80\n";
    dscq_dram_trace t = {0};
    dscq_dram_result r;
    dscq_status status;

    DSCQ_TRY(dscq_dram_trace_parse(&t, text, sizeof text - 1, "t", err));
    DSCQ_TRY(dscq_dram_run(&r, config, &t, NULL, NULL, err));
done:
    dscq_dram_trace_clear(&t);
    return status;
}

START_TEST(every_failed_allocation_is_reported)
{
    dscq_dram_config c = load("d3_ddr4x8", dscq_dram_policy_name(_i));

    ck_assert_uint_ge(test_each_alloc_fails(create_and_run, &c), 6);
}
END_TEST

static Suite *make(void)
{
    const int policies = dscq_dram_policy_count();
    TCase *tc;
    Suite *s = test_suite("dram_rules", &tc);

    tcase_add_loop_test(tc, hand_counted_latencies, 0,
                        sizeof k_hand / sizeof k_hand[0]);
    tcase_add_loop_test(tc, commands_by_hand, 0,
                        sizeof k_commands / sizeof k_commands[0]);
    tcase_add_test(tc, energy_increments_are_those_of_the_data_sheets);
    tcase_add_test(tc, termination_is_priced_apart);
    tcase_add_test(tc, d3_drains_nine_writes_and_keeps_eight);
    tcase_add_test(tc, an_idle_channel_refreshes_every_trefi_and_powers_down);
    tcase_add_loop_test(tc, jumping_over_idle_cycles_changes_nothing, 0,
                        ALL_CONFIGS * policies);
    tcase_add_test(tc, advance_until_change_stops_where_something_changed);
    tcase_add_test(tc, small_traces_give_the_recorded_numbers);
    tcase_add_test(tc, a_live_lock_of_d3_is_reported_not_run_for_ever);
    tcase_add_test(tc, damaged_traces_are_refused_with_their_line);
    tcase_add_test(tc, an_address_beyond_the_memory_is_refused);
    tcase_add_test(tc, a_trace_request_is_several_short_bursts);
    tcase_add_loop_test(tc, every_failed_allocation_is_reported, 0, policies);
    tcase_set_timeout(tc, 300);
    return s;
}

int main(void)
{
    return test_run(make);
}
