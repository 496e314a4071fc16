/* Traces of random networks on both engines: JSON and VCD are well formed, time never
 * runs backwards, and what every unit or stage is seen to work is what the stall
 * account says, cycles being the file's time times the clock. */
#include "dscq/base/alloc.h"
#include "dscq/base/json.h"
#include "dscq/hw/pipeline.h"
#include "dscq/hw/sim.h"
#include "dscq/hw/trace.h"
#include "dscq/lower/lower.h"
#include "sim_world.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRACKS = 128 };

/* Of each track: cycles seen working. */
typedef struct seen {
    int tracks;
    char name[TRACKS][160];
    uint64_t busy[TRACKS];
} seen;

static uint64_t number(const dscq_json *e, const char *key)
{
    const int64_t v = dscq_json_int(dscq_json_get(e, key), -1);

    ck_assert_msg(v >= 0, "event without %s", key);
    return (uint64_t)v;
}

/* Microseconds as cycles: the clock in MHz. A picosecond of rounding is far below one.
 */
static uint64_t cycles_of(double us, double clock_mhz)
{
    const double cycles = us * clock_mhz;

    ck_assert_msg(fabs(cycles - nearbyint(cycles)) < 0.01, "%.17g us are %.17g cycles",
                  us, cycles);
    return (uint64_t)nearbyint(cycles);
}

static double real(const dscq_json *e, const char *key)
{
    const double v = dscq_json_real(dscq_json_get(e, key), -1);

    ck_assert_msg(v >= 0, "event without %s", key);
    return v;
}

static void read_json(seen *out, const char *path, double clock_mhz)
{
    uint64_t last[TRACKS] = {0};
    double end_us[TRACKS] = {0};
    dscq_error err = {DSCQ_OK, ""};
    dscq_json *j;

    memset(out, 0, sizeof *out);
    test_ok(dscq_json_load(&j, path, &err));
    const dscq_json *events = dscq_json_get(j, "traceEvents");
    for (size_t i = 0; i < dscq_json_count(events); i++) {
        const dscq_json *e = dscq_json_at(events, i);
        const char *ph = dscq_json_text(dscq_json_get(e, "ph"), "");
        const uint64_t tid = number(e, "tid");
        ck_assert_uint_lt(tid, TRACKS);
        if (strcmp(ph, "M") == 0) { /* names come first, in order */
            ck_assert_int_eq((int)tid, out->tracks++);
            (void)snprintf(out->name[tid], sizeof out->name[tid], "%s",
                           dscq_json_text(dscq_json_get(e, "args.name"), ""));
            ck_assert_str_ne(out->name[tid], "");
            continue;
        }
        ck_assert_str_eq(ph, "X");
        ck_assert_int_lt((int)tid, out->tracks);
        ck_assert_str_ne(dscq_json_text(dscq_json_get(e, "name"), ""), "");
        const double start_us = real(e, "ts"), us = real(e, "dur");
        ck_assert_double_ge(start_us, end_us[tid] - 1e-9); /* not by a rounding */
        end_us[tid] = start_us + us;
        const uint64_t ts = cycles_of(start_us, clock_mhz);
        const uint64_t dur = cycles_of(us, clock_mhz);
        const dscq_json *args = dscq_json_get(e, "args");
        ck_assert_uint_eq(number(args, "start_cycle"), ts);
        ck_assert_uint_eq(number(args, "cycles"), dur);
        ck_assert_uint_ge(ts, last[tid]); /* slices of a track never overlap */
        last[tid] = ts + dur;
        out->busy[tid] += dur;
    }
    dscq_json_free(j);
}

typedef struct vcd {
    char id[TRACKS][12];
    int is_high[TRACKS];
    uint64_t since[TRACKS];
} vcd;

static int wire(const vcd *v, int tracks, const char *id)
{
    for (int i = 0; i < tracks; i++)
        if (strcmp(v->id[i], id) == 0)
            return i;
    ck_abort_msg("no wire %s", id);
    return -1;
}

static void toggle(seen *out, vcd *v, const char *line, uint64_t now)
{
    const int t = wire(v, out->tracks, line + 1), high = line[0] == '1';

    ck_assert_msg(v->is_high[t] != high, "wire %s is %d twice", line + 1, high);
    if (!high)
        out->busy[t] += now - v->since[t];
    v->since[t] = now;
    v->is_high[t] = high;
}

/* "$timescale 10 ps $end": microseconds of one step. */
static double step_us(const char *line)
{
    static const struct {
        const char *name;
        double us;
    } k_units[] = {{"ms", 1e3}, {"us", 1}, {"ns", 1e-3}, {"ps", 1e-6}, {"fs", 1e-9}};
    char unit[8];
    int n = 0;

    ck_assert_msg(sscanf(line, "$timescale %d %7s $end", &n, unit) == 2, "%s", line);
    ck_assert_msg(n == 1 || n == 10 || n == 100, "%s", line); /* IEEE 1364 */
    for (size_t i = 0; i < sizeof k_units / sizeof *k_units; i++)
        if (strcmp(unit, k_units[i].name) == 0)
            return n * k_units[i].us;
    ck_abort_msg("%s", line);
    return 0;
}

static void read_vcd(seen *out, const char *path, double clock_mhz)
{
    double step = 0;
    char *text = test_read(path);
    vcd v = {.id = {""}};
    uint64_t now = 0;
    int in_body = 0, times = 0;

    memset(out, 0, sizeof *out);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char id[12], name[160];
        if (strcmp(line, "$enddefinitions $end") == 0) {
            in_body = 1;
        } else if (!in_body) {
            if (sscanf(line, "$var wire 1 %11s %159s $end", id, name) == 2) {
                memcpy(v.id[out->tracks], id, sizeof id);
                memcpy(out->name[out->tracks++], name, sizeof name);
            } else if (strncmp(line, "$timescale", 10) == 0) {
                step = step_us(line);
            } else {
                ck_assert_msg(line[0] == '$', "definition '%s'", line);
            }
        } else if (line[0] == '#') {
            const uint64_t at =
                cycles_of((double)strtoull(line + 1, NULL, 10) * step, clock_mhz);
            ck_assert_msg(times++ == 0 || at > now, "time %s after %llu", line,
                          (unsigned long long)now);
            now = at;
        } else if (line[0] == 'b') {
            ck_assert_uint_eq(strspn(line + 1, "01"), 32);
        } else {
            ck_assert(line[0] == '0' || line[0] == '1');
            toggle(out, &v, line, now);
        }
    }
    ck_assert_int_eq(in_body, 1);
    for (int t = 0; t < out->tracks; t++)
        ck_assert_int_eq(v.is_high[t], 0); /* all work ends */
    dscq_free(text);
}

/* ---- against the account ------------------------------------------------ */

static uint64_t cause(const dscq_table *t, const char *unit, const char *name)
{
    double sum = 0;

    for (size_t r = 0; r < dscq_table_rows(t); r++)
        if (strcmp(dscq_table_text(t, r, 0), unit) == 0 &&
            strcmp(dscq_table_text(t, r, 1), name) == 0)
            sum += dscq_table_real(t, r, (size_t)dscq_table_find(t, "cycles"));
    return (uint64_t)(sum + 0.5);
}

/* DMA units: bytes moving and what the memory took for them. */
static uint64_t dma_busy(const dscq_sim *s, dscq_unit u)
{
    return dscq_sim_stall(s, u, DSCQ_STALL_TRANSFER) +
           dscq_sim_stall(s, u, DSCQ_STALL_LATENCY) +
           dscq_sim_stall(s, u, DSCQ_STALL_ROW_MISS) +
           dscq_sim_stall(s, u, DSCQ_STALL_REFRESH);
}

static void check_array(const seen *v, const dscq_sim *s, const dscq_machine *m)
{
    const uint64_t all = (uint64_t)m->multipliers;
    const dscq_counters *c = dscq_sim_counters(s);

    ck_assert_int_eq(v->tracks, DSCQ_UNIT_COUNT);
    for (int u = 0; u < DSCQ_UNIT_COUNT; u++) {
        ck_assert_str_eq(v->name[u], dscq_unit_name(u));
        if (u != DSCQ_UNIT_COMPUTE)
            ck_assert_msg(v->busy[u] == dma_busy(s, (dscq_unit)u),
                          "%s works %llu cycles, the account says %llu",
                          dscq_unit_name(u), (unsigned long long)v->busy[u],
                          (unsigned long long)dma_busy(s, (dscq_unit)u));
    }
    /* the array: all its work is inside its commands, all its rest outside */
    const uint64_t shown = all * v->busy[DSCQ_UNIT_COMPUTE];
    ck_assert_uint_le(c->mult_compute + c->mult_filler + c->mult_split +
                          c->mult_pixel_tail + c->mult_empty + c->mult_vector_op,
                      shown);
    ck_assert_uint_le(shown + c->mult_idle, c->mult_slots);
}

static void check_pipeline(const seen *v, const dscq_sim *s, const dscq_program *p)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_table *t;

    test_ok(dscq_sim_table_stalls(&t, s, &err));
    ck_assert_int_eq(v->tracks, dscq_program_pipe(p)->stage_count);
    for (int i = 0; i < v->tracks; i++) {
        const uint64_t busy = cause(t, dscq_program_pipe(p)->stage[i].name, "busy");
        ck_assert_msg(v->busy[i] == busy, "%s works %llu cycles, the account says %llu",
                      dscq_program_pipe(p)->stage[i].name,
                      (unsigned long long)v->busy[i], (unsigned long long)busy);
    }
    dscq_table_destroy(t);
}

/* Periods of whole nanoseconds, picoseconds, femtoseconds, and none of them. */
static const double k_clock[] = {200, 100, 312.5, 160, 150, 266.6667, 97.3, 1999.99};

/* 1 when the machine took the network. */
static int one_case(uint64_t seed, int engine, int vcd_file)
{
    const qmodel_random_opts o = {.nodes = 9, .max_side = 18, .max_channels = 24};
    const dscq_lower_options lo = {.frames = 2};
    const char *path = test_path(vcd_file ? "t.vcd" : "t.json");
    dscq_rng root = dscq_rng_seeded(seed);
    dscq_rng r = dscq_rng_fork(&root, "net", 0),
             rm = dscq_rng_fork(&root, "machine", 0);
    dscq_error err = {DSCQ_OK, ""};
    dscq_program *p = NULL;
    dscq_qmodel *q;
    dscq_machine m;

    test_ok(qmodel_random(&q, &r, &o, &err));
    world_machine(&m, &rm);
    m.engine = engine;
    m.clock_mhz = k_clock[seed % (sizeof k_clock / sizeof *k_clock)];
    if (seed % 2) {
        strcpy(m.dram, "ddr3_1333");
        strcpy(m.data_dir, test_source("data"));
    }
    if (engine == 1)
        m.multipliers = 4096;
    const int taken = dscq_lower(&p, NULL, q, &m, &lo, &err) == DSCQ_OK;
    if (taken) {
        seen v;
        dscq_trace *t;
        dscq_sim *s;
        test_ok(dscq_trace_open(&t, path, p, m.clock_mhz, &err));
        const dscq_sim_options opt = {
            .no_data = 1, .event = dscq_trace_event, .event_ctx = t};
        test_ok(dscq_sim_run(&s, p, &m, NULL, &opt, &err));
        test_ok(dscq_trace_close(t, &err));
        (vcd_file ? read_vcd : read_json)(&v, path, m.clock_mhz);
        if (engine == 1)
            check_pipeline(&v, s, p);
        else
            check_array(&v, s, &m);
        dscq_sim_destroy(s);
    }
    dscq_program_destroy(p);
    dscq_qmodel_destroy(q);
    return taken;
}

START_TEST(traces_agree_with_the_stall_account)
{
    int taken = 0;

    for (uint64_t seed = 0; seed < 60; seed++)
        taken += one_case(4000 + seed, _i / 2, _i % 2);
    ck_assert_int_gt(taken, 30);
}
END_TEST

static void write_one(const char *path, double clock_mhz)
{
    const qmodel_random_opts o = {.nodes = 3, .max_side = 8, .max_channels = 8};
    const dscq_lower_options lo = {.frames = 1};
    dscq_rng root = dscq_rng_seeded(4000), rm = dscq_rng_fork(&root, "machine", 0);
    dscq_error err = {DSCQ_OK, ""};
    dscq_program *p = NULL;
    dscq_trace *t = NULL;
    dscq_qmodel *q;
    dscq_machine m;
    dscq_sim *s;

    test_ok(qmodel_random(&q, &root, &o, &err));
    world_machine(&m, &rm);
    test_ok(dscq_lower(&p, NULL, q, &m, &lo, &err));
    test_ok(dscq_trace_open(&t, path, p, clock_mhz, &err));
    const dscq_sim_options opt = {
        .no_data = 1, .event = dscq_trace_event, .event_ctx = t};
    test_ok(dscq_sim_run(&s, p, &m, NULL, &opt, &err));
    test_ok(dscq_trace_close(t, &err));
    dscq_sim_destroy(s);
    dscq_program_destroy(p);
    dscq_qmodel_destroy(q);
}

START_TEST(a_vcd_has_the_coarsest_timescale_that_holds_the_period)
{
    static const struct {
        double clock_mhz;
        const char *timescale;
    } k_cases[] = {{200, "1 ns"},  {1000, "1 ns"}, {400, "100 ps"}, {312.5, "100 ps"},
                   {800, "10 ps"}, {160, "10 ps"}, {1600, "1 ps"},  {640, "100 fs"},
                   {150, "1 fs"},  {97.3, "1 fs"}};

    for (size_t i = 0; i < sizeof k_cases / sizeof *k_cases; i++) {
        char want[64];
        const char *path = test_path("t.vcd");
        write_one(path, k_cases[i].clock_mhz);
        char *text = test_read(path);
        (void)snprintf(want, sizeof want, "\n$timescale %s $end\n",
                       k_cases[i].timescale);
        ck_assert_msg(strstr(text, want) != NULL, "%g MHz: %.80s", k_cases[i].clock_mhz,
                      text);
        dscq_free(text);
    }
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("hw_trace", &tc);

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_vcd_has_the_coarsest_timescale_that_holds_the_period);
    tcase_add_loop_test(tc, traces_agree_with_the_stall_account, 0, 4);
    return s;
}

int main(void)
{
    return test_run(make);
}
