#include "dscq/hw/trace.h"

#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/hw/pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dscq_trace {
    dscq_writer *w;
    const dscq_program *p;
    int is_vcd, no_memory;
    uint64_t *shown; /* per track: end of what was shown */
    dscq_sim_event *e;
    size_t count, cap;
};

/* A track per unit of the array, or per stage of a pipeline. */
static int track_count(const dscq_program *p)
{
    return p->pipe != NULL ? p->pipe->stage_count : DSCQ_UNIT_COUNT;
}

static int track_of(const dscq_sim_event *e)
{
    return e->stage >= 0 ? e->stage : (int)e->unit;
}

dscq_status dscq_trace_open(dscq_trace **out, const char *path, const dscq_program *p,
                            dscq_error *err)
{
    const size_t n = strlen(path);
    dscq_trace *t = dscq_calloc(1, sizeof *t);

    *out = NULL;
    if (t == NULL)
        return dscq_fail_nomem(err, "a trace", sizeof *t);
    t->p = p;
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
    json_text(out, cap,
              t->p->pipe != NULL ? t->p->pipe->stage[track].name
                                 : dscq_unit_name(track));
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
    for (size_t i = 0; i < t->count; i++) {
        const dscq_sim_event *e = &t->e[i];
        json_text(name, sizeof name, t->p->op[e->op].name);
        DSCQ_TRY(dscq_writer_printf(
            t->w, err,
            ",\n{\"name\":\"%s\",\"ph\":\"X\",\"pid\":1,\"tid\":%d,\"ts\":%llu,"
            "\"dur\":%llu,\"args\":{\"frame\":%d,\"command\":%d,\"ready_cycle\":%llu,"
            "\"bytes\":%llu}}",
            name, track_of(e), (unsigned long long)e->start,
            (unsigned long long)(e->end - e->start), e->frame, e->command,
            (unsigned long long)e->ready, (unsigned long long)e->bytes));
    }
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

static dscq_status write_vcd_body(dscq_trace *t, const edge *v, size_t n,
                                  dscq_error *err)
{
    uint64_t now = UINT64_MAX;
    char id[12];
    dscq_status status = DSCQ_OK;

    for (size_t i = 0; i < n; i++) {
        if (v[i].cycle != now)
            DSCQ_TRY(dscq_writer_printf(t->w, err, "#%llu\n",
                                        (unsigned long long)v[i].cycle));
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
                                "$comment one time step is one cycle $end\n"
                                "$timescale 1 ns $end\n"
                                "$scope module machine $end\n"));
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
    DSCQ_TRY(write_vcd_body(t, v, n, err));
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
