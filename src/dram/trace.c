#include "dscq/dram/trace.h"

#include "dram_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"

#include <string.h>

enum { TRACE_BYTES_MAX = 1 << 30, STUCK_REFRESHES = 64 };
#define CYCLE_MAX (UINT64_C(1) << 52)

/* ---- reading ------------------------------------------------------------- */

typedef struct reader {
    const char *p, *end;
} reader;

static void skip_blanks(reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\r'))
        r->p++;
}

static int digit_of(char ch, unsigned base)
{
    unsigned v = 99;

    if (ch >= '0' && ch <= '9')
        v = (unsigned)(ch - '0');
    else if (ch >= 'a' && ch <= 'f')
        v = (unsigned)(ch - 'a') + 10;
    else if (ch >= 'A' && ch <= 'F')
        v = (unsigned)(ch - 'A') + 10;
    return v < base ? (int)v : -1;
}

/* A number below CYCLE_MAX; 0 when there is none. */
static int read_number(reader *r, unsigned base, uint64_t *out)
{
    const char *start;
    uint64_t v = 0;

    skip_blanks(r);
    if (base == 16 && r->end - r->p > 2 && r->p[0] == '0' &&
        (r->p[1] == 'x' || r->p[1] == 'X'))
        r->p += 2;
    for (start = r->p; r->p < r->end; r->p++) {
        const int digit = digit_of(*r->p, base);
        if (digit < 0)
            break;
        v = v * base + (unsigned)digit;
        if (v >= CYCLE_MAX)
            return 0;
    }
    *out = v;
    return r->p > start;
}

/* Returns what is wrong with the line, or NULL. */
static const char *read_line(reader *r, dscq_dram_trace_item *out)
{
    if (!read_number(r, 10, &out->arrival))
        return "want an arrival cycle below 2^52";
    skip_blanks(r);
    if (r->p == r->end || (*r->p != 'R' && *r->p != 'W'))
        return "want R or W after the cycle";
    out->is_write = *r->p++ == 'W';
    if (!read_number(r, 16, &out->address))
        return "want a hexadecimal address below 2^52";
    skip_blanks(r);
    return r->p == r->end ? NULL : "unexpected text after the address";
}

static size_t count_lines(const char *text, size_t bytes)
{
    size_t lines = 1;

    for (const char *p = text; (p = memchr(p, '\n', bytes - (size_t)(p - text))); p++)
        lines++;
    return lines;
}

dscq_status dscq_dram_trace_parse(dscq_dram_trace *out, const char *text,
                                  size_t text_bytes, const char *name, dscq_error *err)
{
    *out = (dscq_dram_trace){0};
    const dscq_status status = dscq_text_begin(&text, &text_bytes, name, err);
    if (status != DSCQ_OK)
        return status;
    const size_t lines = count_lines(text, text_bytes);
    const char *end = text + text_bytes;
    dscq_dram_trace t = {.item = dscq_malloc(lines, sizeof *t.item)};
    size_t line = 0;

    if (t.item == NULL)
        return dscq_fail_nomem(err, "DRAM trace", lines * sizeof *t.item);
    for (const char *p = text; p < end; line++) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        reader r = {p, stop != NULL ? stop : end};
        dscq_dram_trace_item *item = &t.item[t.count];
        const char *wrong = NULL;
        p = stop != NULL ? stop + 1 : end;
        skip_blanks(&r);
        if (r.p == r.end || *r.p == '#')
            continue;
        wrong = read_line(&r, item);
        if (wrong == NULL && t.count != 0 && item->arrival < item[-1].arrival)
            wrong = "arrival cycles must not decrease";
        if (wrong != NULL) {
            dscq_dram_trace_clear(&t);
            return dscq_fail(err, DSCQ_FORMAT, "%s:%zu: %s", name, line + 1, wrong);
        }
        t.count++;
    }
    *out = t;
    return DSCQ_OK;
}

dscq_status dscq_dram_trace_load(dscq_dram_trace *out, const char *path,
                                 dscq_error *err)
{
    uint8_t *data = NULL;
    size_t bytes = 0;
    dscq_status status;

    *out = (dscq_dram_trace){0};
    DSCQ_TRY(dscq_file_read_gz(&data, &bytes, path, TRACE_BYTES_MAX, err));
    DSCQ_TRY(dscq_dram_trace_parse(out, (const char *)data, bytes, path, err));
done:
    dscq_free(data);
    return status;
}

void dscq_dram_trace_clear(dscq_dram_trace *t)
{
    dscq_free(t->item);
    *t = (dscq_dram_trace){0};
}

/* ---- running ------------------------------------------------------------- */

typedef struct watchdog {
    uint64_t done, since;
} watchdog;

/* Requests are neither finished nor accepted for many refresh intervals. */
static dscq_status check_progress(watchdog *w, const dscq_dram *d, dscq_error *err)
{
    const uint64_t done = d->n.reads + d->n.writes + d->n.read_cmds + d->n.write_cmds;

    if (done != w->done) {
        *w = (watchdog){done, d->now};
        return DSCQ_OK;
    }
    if (d->now - w->since <= (uint64_t)STUCK_REFRESHES * (uint64_t)d->cfg.tREFI)
        return DSCQ_OK;
    return dscq_fail(
        err, DSCQ_UNSUPPORTED,
        "policy %s makes no progress after cycle %llu: its rules live-lock "
        "on this trace (a buffered write waits for a read of the same "
        "address); use policy frfcfs",
        d->policy->name, (unsigned long long)w->since);
}

static dscq_status submit_item(dscq_dram *d, watchdog *w, uint64_t earliest,
                               const dscq_dram_request *rq, dscq_error *err)
{
    dscq_status status = DSCQ_OK;

    if (d->last_submit == d->now) /* one a cycle */
        dram__step(d, d->now + 1);
    dscq_dram_advance(d, earliest);
    while (!dscq_dram_room(d, rq->is_write)) {
        dram__step(d, DRAM_NEVER);
        DSCQ_TRY(check_progress(w, d, err));
    }
    dram__forget_done(d);
    DSCQ_TRY(dscq_dram_submit(d, rq, err));
done:
    return status;
}

/* One request of the trace: as many bursts as it takes. */
static dscq_status run_item(dscq_dram *d, watchdog *w, const dscq_dram_trace_item *item,
                            uint64_t id, dscq_error *err)
{
    const uint64_t burst = (uint64_t)dscq_dram_burst_bytes(&d->cfg);
    const uint64_t earliest = item->arrival + (uint64_t)d->policy->admit_delay;
    uint64_t address = item->address, parts = 1;
    dscq_status status = DSCQ_OK;

    if (burst < DSCQ_DRAM_TRACE_BYTES) {
        address &= ~(uint64_t)(DSCQ_DRAM_TRACE_BYTES - 1);
        parts = DSCQ_DRAM_TRACE_BYTES / burst;
    }
    for (uint64_t p = 0; p < parts; p++) {
        const dscq_dram_request rq = {address + p * burst, id, item->is_write};
        DSCQ_TRY(submit_item(d, w, earliest, &rq, err));
    }
done:
    return status;
}

static dscq_status run_all(dscq_dram *d, const dscq_dram_trace *t, dscq_error *err)
{
    watchdog w = {0, 0};
    dscq_status status = DSCQ_OK;

    for (size_t i = 0; i < t->count; i++)
        DSCQ_TRY(run_item(d, &w, &t->item[i], i, err));
    while (!dscq_dram_idle(d)) {
        dram__step(d, d->policy->drained(d->state) ? d->end_cycle : DRAM_NEVER);
        DSCQ_TRY(check_progress(&w, d, err));
    }
done:
    return status;
}

static void fill_result(dscq_dram_result *out, const dscq_dram *d)
{
    const dscq_dram_counters n = dscq_dram_count(d);
    const uint64_t columns = n.read_cmds + n.write_cmds;
    const double cycles = (double)n.cycles;

    *out =
        (dscq_dram_result){.cycles = n.cycles,
                           .reads = n.reads,
                           .writes = n.writes,
                           .act = n.act,
                           .pre = n.pre,
                           .ref = n.ref + n.ref_same_bank,
                           .counters = n,
                           .bytes = columns * (uint64_t)dscq_dram_burst_bytes(&d->cfg),
                           .energy_pj = dscq_dram_energy_pj(&d->cfg, &n)};
    if (n.reads_done != 0)
        out->read_latency_mean_cycles =
            (double)n.read_latency_cycles / (double)n.reads_done;
    if (n.cycles != 0) {
        out->bus_use_frac =
            (double)columns * (double)dscq_dram_burst_cycles(&d->cfg) / cycles;
        out->bytes_per_ns = (double)out->bytes / (cycles * d->cfg.tck_ns);
    }
}

dscq_status dscq_dram_run(dscq_dram_result *out, const dscq_dram_config *config,
                          const dscq_dram_trace *trace, dscq_dram_watch_fn *watch,
                          void *watch_ctx, dscq_error *err)
{
    dscq_dram *d = NULL;
    dscq_status status;

    DSCQ_TRY(dscq_dram_create(&d, config, err));
    dscq_dram_watch(d, watch, watch_ctx);
    DSCQ_TRY(run_all(d, trace, err));
    DSCQ_TRY(dscq_dram_check_laws(d, err));
    fill_result(out, d);
done:
    dscq_dram_destroy(d);
    return status;
}

dscq_status dscq_dram_run_trace(dscq_dram_result *out, const dscq_dram_config *config,
                                const char *path, dscq_error *err)
{
    dscq_dram_trace t = {0};
    dscq_status status;

    DSCQ_TRY(dscq_dram_trace_load(&t, path, err));
    status = dscq_dram_run(out, config, &t, NULL, NULL, err);
    if (status != DSCQ_OK)
        (void)dscq_fail_at(err, "%s", path);
done:
    dscq_dram_trace_clear(&t);
    return status;
}
