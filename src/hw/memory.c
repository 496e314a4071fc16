#include "dscq/hw/memory.h"

#include "dscq/base/alloc.h"

#include <assert.h>
#include <math.h>

/* Bursts that are finished (their cycle is known) wait in a small heap ordered by
 * cycle, then by submission, so that equal cycles come out in a fixed order. */
typedef struct finished {
    uint64_t cycle, order;
    uint32_t tag;
} finished;

struct dscq_memory {
    int is_simple;
    int32_t burst_bytes;
    /* simple: times in 1/4096 cycles, so that fractional bandwidths stay integers */
    uint64_t bus_free, burst_time, latency;
    double peak;
    /* command level: several DRAM bursts may make one request */
    dscq_dram *dram;
    uint64_t acc_fs, dram_fs; /* clock periods in femtoseconds */
    int32_t dram_burst, parts;
    uint32_t *tag_of, *left; /* per request in flight, by slot */
    uint32_t *free_slot;
    uint32_t slots, free_count;
    uint64_t orders;
    finished *heap;
    uint32_t heap_count, heap_cap;
};

enum { SUB = 4096, SLOTS = 4096 };

static int earlier(const finished *a, const finished *b)
{
    return a->cycle != b->cycle ? a->cycle < b->cycle : a->order < b->order;
}

static void heap_push(dscq_memory *m, finished f)
{
    uint32_t i = m->heap_count++;

    assert(m->heap_count <= m->heap_cap);
    while (i > 0 && earlier(&f, &m->heap[(i - 1) / 2])) {
        m->heap[i] = m->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    m->heap[i] = f;
}

static finished heap_pop(dscq_memory *m)
{
    const finished top = m->heap[0];
    const finished last = m->heap[--m->heap_count];
    uint32_t i = 0;

    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= m->heap_count)
            break;
        if (child + 1 < m->heap_count && earlier(&m->heap[child + 1], &m->heap[child]))
            child++;
        if (!earlier(&m->heap[child], &last))
            break;
        m->heap[i] = m->heap[child];
        i = child;
    }
    if (m->heap_count > 0)
        m->heap[i] = last;
    return top;
}

static dscq_status create_command_level(dscq_memory *mem, const dscq_machine *m,
                                        dscq_error *err)
{
    dscq_dram_config cfg;
    char path[DSCQ_PATH_MAX];
    dscq_status status;

    DSCQ_TRY(dscq_machine_path(path, sizeof path, m, "dram", m->dram, err));
    DSCQ_TRY(dscq_dram_config_load(&cfg, path, err));
    DSCQ_TRY(dscq_dram_create(&mem->dram, &cfg, err));
    mem->dram_burst = dscq_dram_burst_bytes(&cfg);
    if (m->burst_bytes % mem->dram_burst != 0)
        DSCQ_TRY(dscq_fail(err, DSCQ_FORMAT,
                           "burst_bytes = %d is not a multiple of the %d-byte bursts "
                           "of dram = %s",
                           m->burst_bytes, mem->dram_burst, m->dram));
    mem->parts = m->burst_bytes / mem->dram_burst;
    mem->acc_fs = (uint64_t)llround(1e9 / m->clock_mhz);
    mem->dram_fs = (uint64_t)llround(cfg.tck_ns * 1e6);
    mem->peak = dscq_dram_peak_bytes_per_ns(&cfg) * 1e3 / m->clock_mhz;
    mem->tag_of = dscq_calloc(SLOTS, sizeof *mem->tag_of);
    mem->left = dscq_calloc(SLOTS, sizeof *mem->left);
    mem->free_slot = dscq_calloc(SLOTS, sizeof *mem->free_slot);
    if (mem->tag_of == NULL || mem->left == NULL || mem->free_slot == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "memory requests in flight", 12ULL * SLOTS));
    mem->slots = SLOTS;
    for (uint32_t i = 0; i < SLOTS; i++)
        mem->free_slot[i] = SLOTS - 1 - i;
    mem->free_count = SLOTS;
done:
    return status;
}

dscq_status dscq_memory_create(dscq_memory **out, const dscq_machine *m,
                               dscq_error *err)
{
    dscq_memory *mem = dscq_calloc(1, sizeof *mem);
    dscq_status status = DSCQ_OK;

    *out = NULL;
    if (mem == NULL)
        return dscq_fail_nomem(err, "the memory model", sizeof *mem);
    mem->burst_bytes = m->burst_bytes;
    mem->heap_cap = SLOTS + 1;
    mem->heap = dscq_calloc(mem->heap_cap, sizeof *mem->heap);
    if (mem->heap == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "memory completions",
                                 mem->heap_cap * sizeof *mem->heap));
    mem->is_simple = dscq_machine_is_simple(m);
    if (!mem->is_simple) {
        DSCQ_TRY(create_command_level(mem, m, err));
    } else {
        mem->burst_time = (uint64_t)ceil(m->burst_bytes / m->mem_bytes_per_cycle * SUB);
        mem->latency = (uint64_t)m->mem_latency_cycles;
        mem->peak = m->mem_bytes_per_cycle;
    }
    *out = mem;
    return DSCQ_OK;
done:
    dscq_memory_destroy(mem);
    return status;
}

void dscq_memory_destroy(dscq_memory *mem)
{
    if (mem == NULL)
        return;
    dscq_dram_destroy(mem->dram);
    dscq_free(mem->tag_of);
    dscq_free(mem->left);
    dscq_free(mem->free_slot);
    dscq_free(mem->heap);
    dscq_free(mem);
}

/* First DRAM clock edge at or after the start of an accelerator cycle, and the first
 * accelerator cycle at or after a DRAM edge. */
static uint64_t to_dram(const dscq_memory *m, uint64_t cycle)
{
    assert(cycle < UINT64_MAX / m->acc_fs - 1);
    /* [M4] */
    return (cycle * m->acc_fs + m->dram_fs - 1) / m->dram_fs;
}

static uint64_t to_acc(const dscq_memory *m, uint64_t cycle)
{
    assert(cycle < UINT64_MAX / m->dram_fs - 1);
    return (cycle * m->dram_fs + m->acc_fs - 1) / m->acc_fs;
}

static void collect(dscq_memory *m)
{
    dscq_dram_completion c;

    while (dscq_dram_poll(m->dram, &c)) {
        const uint32_t slot = (uint32_t)c.id;
        if (--m->left[slot] > 0)
            continue;
        heap_push(m, (finished){to_acc(m, c.cycle + 1), m->orders++, m->tag_of[slot]});
        m->free_slot[m->free_count++] = slot;
    }
}

static dscq_status submit_command_level(dscq_memory *m, uint64_t *accepted,
                                        uint64_t address, int is_write, uint32_t tag,
                                        uint64_t cycle, dscq_error *err)
{
    const uint64_t at = to_dram(m, cycle);

    assert(m->free_count > 0);
    const uint32_t slot = m->free_slot[--m->free_count];
    m->tag_of[slot] = tag;
    m->left[slot] = (uint32_t)m->parts;
    if (dscq_dram_now(m->dram) < at)
        dscq_dram_advance(m->dram, at);
    for (int32_t i = 0; i < m->parts; i++) {
        while (!dscq_dram_room(m->dram, is_write)) {
            dscq_dram_advance_until_change(m->dram, UINT64_MAX);
        }
        const dscq_dram_request r = {.address = address +
                                                (uint64_t)i * (uint64_t)m->dram_burst,
                                     .id = slot,
                                     .is_write = is_write};
        if (dscq_dram_submit(m->dram, &r, err) != DSCQ_OK)
            return err != NULL ? err->code : DSCQ_ARG;
    }
    collect(m);
    const uint64_t now = to_acc(m, dscq_dram_now(m->dram));
    *accepted = now > cycle ? now : cycle;
    return DSCQ_OK;
}

dscq_status dscq_memory_submit(dscq_memory *mem, uint64_t *accepted, uint64_t address,
                               int is_write, uint32_t tag, uint64_t cycle,
                               dscq_error *err)
{
    if (!mem->is_simple)
        return submit_command_level(mem, accepted, address, is_write, tag, cycle, err);
    const uint64_t at = cycle * SUB;
    /* [M1] */
    const uint64_t start = at > mem->bus_free ? at : mem->bus_free;
    /* [M2] */
    mem->bus_free = start + mem->burst_time;
    /* [M3] */
    const uint64_t end = (mem->bus_free + SUB - 1) / SUB + mem->latency;
    heap_push(mem, (finished){end, mem->orders++, tag});
    *accepted = cycle;
    return DSCQ_OK;
}

int dscq_memory_next(dscq_memory *mem, uint32_t *tag, uint64_t *cycle)
{
    if (!mem->is_simple) {
        collect(mem);
        while (mem->heap_count == 0 && mem->free_count < mem->slots) {
            dscq_dram_advance_until_change(mem->dram, UINT64_MAX);
            collect(mem);
        }
    }
    if (mem->heap_count == 0)
        return 0;
    const finished f = heap_pop(mem);
    *tag = f.tag;
    *cycle = f.cycle;
    return 1;
}

int dscq_memory_next_by(dscq_memory *mem, uint64_t limit, uint32_t *tag,
                        uint64_t *cycle)
{
    if (limit == UINT64_MAX)
        return dscq_memory_next(mem, tag, cycle);
    if (!mem->is_simple && mem->free_count < mem->slots) {
        const uint64_t until = to_dram(mem, limit);
        if (dscq_dram_now(mem->dram) < until)
            dscq_dram_advance(mem->dram, until);
        collect(mem);
    }
    if (mem->heap_count == 0 || mem->heap[0].cycle > limit)
        return 0;
    return dscq_memory_next(mem, tag, cycle);
}

void dscq_memory_settle(dscq_memory *mem, uint64_t cycle)
{
    if (!mem->is_simple && dscq_dram_now(mem->dram) < to_dram(mem, cycle))
        dscq_dram_advance(mem->dram, to_dram(mem, cycle));
}

const dscq_dram *dscq_memory_dram(const dscq_memory *mem)
{
    return mem->dram;
}

uint64_t dscq_memory_capacity(const dscq_memory *mem)
{
    if (mem->is_simple)
        return UINT64_C(1) << 40;
    return dscq_dram_capacity_bytes(dscq_dram_settings(mem->dram));
}

double dscq_memory_peak_bytes_per_cycle(const dscq_memory *mem)
{
    return mem->peak;
}

dscq_status dscq_memory_check_laws(const dscq_memory *mem, dscq_error *err)
{
    return mem->is_simple ? DSCQ_OK : dscq_dram_check_laws(mem->dram, err);
}
