#include "dscq/hw/trace.h"

#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/hw/engine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dscq_trace {
    dscq_writer *w;
    const dscq_program *p;
    double clock_mhz;
    int is_vcd, no_memory;
    uint64_t *shown; /* per track: end of what was shown */
    dscq_sim_event *e;
    size_t count, cap;
};

static int track_count(const dscq_program *p)
{
    return p->engine->tracks(p);
}

static int track_of(const dscq_sim_event *e)
{
    return e->stage >= 0 ? e->stage : (int)e->unit;
}

dscq_status dscq_trace_open(dscq_trace **out, const char *path, const dscq_program *p,
                            double clock_mhz, dscq_error *err)
{
    const size_t n = strlen(path);
    dscq_trace *t = dscq_calloc(1, sizeof *t);

    *out = NULL;
    if (t == NULL)
        return dscq_fail_nomem(err, "a trace", sizeof *t);
    t->p = p;
    t->clock_mhz = clock_mhz;
    t->shown = dscq_calloc((size_t)track_count(p), sizeof *t->shown);
    if (t->shown == NULL) {
        dscq_free(t);
        return dscq_fail_nomem(err, "a trace", 8ULL * (unsigned)track_count(p));
    }
    t->is_vcd = n > 4 && strcmp(path + n - 4, ".vcd") == 0;
    const dscq_status status = dscq_writer_open(&t->w, path, err);
    if (status != DSCQ_OK) {
        dscq_free(t->shown);
        dscq_free(t);
        return status;
    }
    *out = t;
    return DSCQ_OK;
}

void dscq_trace_event(void *trace, const dscq_sim_event *e)
{
    dscq_trace *t = trace;

    if (t->count == t->cap) {
        const size_t cap = t->cap == 0 ? 1024 : 2 * t->cap;
        dscq_sim_event *n = dscq_realloc(t->e, t->cap * sizeof *n, cap * sizeof *n);
        if (n == NULL) {
            t->no_memory = 1; /* said by dscq_trace_close() */
            return;
        }
        t->e = n;
        t->cap = cap;
    }
    /* slices of a track must not overlap: a command that begins while the one before
     * it still works (its queues go on) is shown from that one's end */
    uint64_t *shown = &t->shown[track_of(e)];
    dscq_sim_event *own = &t->e[t->count++];
    *own = *e;
    own->start = own->start < *shown ? *shown : own->start;
    own->end = own->end < own->start ? own->start : own->end;
    *shown = own->end;
}

/* Layer names are ours to escape: quotes, backslashes and control characters. */
static void json_text(char *out, size_t cap, const char *in)
{
    size_t n = 0;

    for (; *in != '\0' && n + 2 < cap; in++) {
        if (*in == '"' || *in == '\\')
            out[n++] = '\\';
        out[n++] = (unsigned char)*in < 32 ? ' ' : *in;
    }
    out[n] = '\0';
}

static void track_name(char *out, size_t cap, const dscq_trace *t, int track)
{
    json_text(out, cap, t->p->engine->track_name(t->p, track));
}

/* A moment in microseconds, as the format wants it, to the picosecond. Both ends of a
 * slice are rounded this way, so that slices that touch go on touching. */
static uint64_t at_ps(const dscq_trace *t, uint64_t cycle)
{
    return (uint64_t)llround((double)cycle * 1e6 / t->clock_mhz);
}

static dscq_status write_slice(dscq_trace *t, const dscq_sim_event *e, dscq_error *err)
{
    const uint64_t start = at_ps(t, e->start), length = at_ps(t, e->end) - start;
    const uint64_t us = 1000000;
    char name[160];

    json_text(name, sizeof name, t->p->op[e->op].name);
    return dscq_writer_printf(
        t->w, err,
        ",\n{\"name\":\"%s\",\"ph\":\"X\",\"pid\":1,\"tid\":%d,"
        "\"ts\":%llu.%06llu,\"dur\":%llu.%06llu,\"args\":{\"frame\":%d,"
        "\"command\":%d,\"start_cycle\":%llu,\"cycles\":%llu,"
        "\"ready_cycle\":%llu,\"bytes\":%llu}}",
        name, track_of(e), (unsigned long long)(start / us),
        (unsigned long long)(start % us), (unsigned long long)(length / us),
        (unsigned long long)(length % us), e->frame, e->command,
        (unsigned long long)e->start, (unsigned long long)(e->end - e->start),
        (unsigned long long)e->ready, (unsigned long long)e->bytes);
}

static dscq_status write_json(dscq_trace *t, dscq_error *err)
{
    char name[160];
    dscq_status status;

    DSCQ_TRY(
        dscq_writer_printf(t->w, err, "{\"displayTimeUnit\":\"ns\",\"traceEvents\":["));
    for (int u = 0; u < track_count(t->p); u++) {
        track_name(name, sizeof name, t, u);
        DSCQ_TRY(
            dscq_writer_printf(t->w, err,
                               "%s\n{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":1,"
                               "\"tid\":%d,\"args\":{\"name\":\"%s\"}}",
                               u > 0 ? "," : "", u, name));
    }
    for (size_t i = 0; i < t->count; i++)
        DSCQ_TRY(write_slice(t, &t->e[i], err));
    DSCQ_TRY(dscq_writer_printf(t->w, err, "\n]}\n"));
done:
    return status;
}

typedef struct edge {
    uint64_t cycle;
    int32_t unit, op; /* op -1: the unit rests */
} edge;

static int by_cycle(const void *a, const void *b)
{
    const edge *x = a, *y = b;

    if (x->cycle != y->cycle)
        return x->cycle < y->cycle ? -1 : 1;
    if (x->unit != y->unit)
        return x->unit - y->unit;
    return x->op - y->op; /* rest first, then the next command */
}

/* An identifier: a letter (small: works; capital: operation), then a number when the
 * letters do not suffice. */
static const char *vcd_id(char out[12], char base, int track)
{
    const int n = snprintf(out, 12, "%c", base + track % 26);

    if (track >= 26)
        (void)snprintf(out + n, 12 - (size_t)n, "%d", track / 26);
    return out;
}

/* How a VCD counts time: a step of 10^n fs and, where the clock period is a whole
 * number of them, how many. */
typedef struct timescale {
    const char *text;
    double fs;
    uint64_t period; /* 0: none holds it; times are rounded to femtoseconds */
} timescale;

static timescale timescale_of(double clock_mhz)
{
    static const timescale k_steps[] = {
        {"1 ns", 1e6, 0},   {"100 ps", 1e5, 0}, {"10 ps", 1e4, 0}, {"1 ps", 1e3, 0},
        {"100 fs", 1e2, 0}, {"10 fs", 1e1, 0},  {"1 fs", 1, 0}};
    const size_t count = sizeof k_steps / sizeof *k_steps;

    for (size_t i = 0; i < count; i++) {
        const double period = 1e9 / clock_mhz / k_steps[i].fs;
        if (fabs(period - nearbyint(period)) <= 1e-12 * period)
            return (timescale){k_steps[i].text, k_steps[i].fs,
                               (uint64_t)nearbyint(period)};
    }
    return k_steps[count - 1];
}

static uint64_t at_step(const dscq_trace *t, const timescale *s, uint64_t cycle)
{
    return s->period != 0 ? cycle * s->period
                          : (uint64_t)llroundl((long double)cycle * 1e9L /
                                               (long double)t->clock_mhz);
}

static dscq_status write_vcd_body(dscq_trace *t, const timescale *scale, const edge *v,
                                  size_t n, dscq_error *err)
{
    uint64_t now = UINT64_MAX;
    char id[12];
    dscq_status status = DSCQ_OK;

    for (size_t i = 0; i < n; i++) {
        if (v[i].cycle != now)
            DSCQ_TRY(
                dscq_writer_printf(t->w, err, "#%llu\n",
                                   (unsigned long long)at_step(t, scale, v[i].cycle)));
        now = v[i].cycle;
        DSCQ_TRY(dscq_writer_printf(t->w, err, "%d%s\n", v[i].op >= 0,
                                    vcd_id(id, 'a', v[i].unit)));
        if (v[i].op < 0)
            continue;
        char bits[33];
        for (int b = 0; b < 32; b++)
            bits[b] = (v[i].op >> (31 - b) & 1) ? '1' : '0';
        bits[32] = '\0';
        DSCQ_TRY(dscq_writer_printf(t->w, err, "b%s %s\n", bits,
                                    vcd_id(id, 'A', v[i].unit)));
    }
done:
    return status;
}

static dscq_status write_vcd(dscq_trace *t, dscq_error *err)
{
    const timescale scale = timescale_of(t->clock_mhz);
    edge *v = dscq_malloc(2 * t->count, sizeof *v);
    char name[160], a[12], b[12];
    size_t n = 0;
    dscq_status status;

    if (v == NULL)
        return dscq_fail_nomem(err, "a trace", 2 * t->count * sizeof *v);
    for (size_t i = 0; i < t->count; i++) {
        const dscq_sim_event *e = &t->e[i];
        if (e->start == e->end) /* nothing to see */
            continue;
        v[n++] = (edge){e->start, track_of(e), e->op};
        v[n++] = (edge){e->end, track_of(e), -1};
    }
    if (n > 0)
        qsort(v, n, sizeof *v, by_cycle);
    DSCQ_TRY(dscq_writer_printf(t->w, err,
                                "$comment clock %.17g MHz $end\n"
                                "$timescale %s $end\n"
                                "$scope module machine $end\n",
                                t->clock_mhz, scale.text));
    for (int u = 0; u < track_count(t->p); u++) {
        track_name(name, sizeof name, t, u);
        for (char *c = name; *c != '\0'; c++) /* a VCD name has no spaces */
            *c = *c == ' ' ? '_' : *c;
        DSCQ_TRY(dscq_writer_printf(t->w, err,
                                    "$var wire 1 %s %s $end\n"
                                    "$var integer 32 %s %s_operation $end\n",
                                    vcd_id(a, 'a', u), name, vcd_id(b, 'A', u), name));
    }
    DSCQ_TRY(dscq_writer_printf(t->w, err, "$upscope $end\n$enddefinitions $end\n"));
    DSCQ_TRY(write_vcd_body(t, &scale, v, n, err));
done:
    dscq_free(v);
    return status;
}

void dscq_trace_abandon(dscq_trace *t)
{
    if (t == NULL)
        return;
    if (t->w != NULL)
        dscq_writer_abandon(t->w);
    dscq_free(t->e);
    dscq_free(t->shown);
    dscq_free(t);
}

dscq_status dscq_trace_close(dscq_trace *t, dscq_error *err)
{
    dscq_writer *w;
    dscq_status status;

    if (t->no_memory)
        DSCQ_TRY(dscq_fail_nomem(err, "a trace", t->cap * sizeof *t->e));
    DSCQ_TRY(t->is_vcd ? write_vcd(t, err) : write_json(t, err));
    w = t->w;
    t->w = NULL;
    status = dscq_writer_commit(w, err);
done:
    dscq_trace_abandon(t);
    return status;
}
