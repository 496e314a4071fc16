#include "dscq/hw/counters.h"

#include <assert.h>
#include <stddef.h>

typedef struct counter_row {
    const char *name, *unit, *text;
    size_t offset;
} counter_row;

static const counter_row k_rows[] = {
#define X(field, unit, meaning) {#field, unit, meaning, offsetof(dscq_counters, field)},
    DSCQ_COUNTER_LIST(X)
#undef X
};
enum { ROWS = sizeof k_rows / sizeof k_rows[0] };

static const char *const k_units[] = {
#define X(name, id, text) #name,
    DSCQ_UNIT_LIST(X)
#undef X
};

static const char *const k_stalls[] = {
#define X(name, id, text) #name,
    DSCQ_STALL_LIST(X)
#undef X
};

static const char *const k_stall_texts[] = {
#define X(name, id, text) text,
    DSCQ_STALL_LIST(X)
#undef X
};

int dscq_counter_count(void)
{
    return ROWS;
}

const char *dscq_counter_name(int i)
{
    assert(i >= 0 && i < ROWS);
    return k_rows[i].name;
}

const char *dscq_counter_unit(int i)
{
    assert(i >= 0 && i < ROWS);
    return k_rows[i].unit;
}

const char *dscq_counter_text(int i)
{
    assert(i >= 0 && i < ROWS);
    return k_rows[i].text;
}

uint64_t dscq_counter_value(const dscq_counters *c, int i)
{
    assert(i >= 0 && i < ROWS);
    return *(const uint64_t *)(const void *)((const char *)c + k_rows[i].offset);
}

void dscq_counters_add(dscq_counters *sum, const dscq_counters *c)
{
#define X(field, unit, meaning) sum->field += c->field;
    DSCQ_COUNTER_LIST(X)
#undef X
}

const char *dscq_counters_check(const dscq_counters *c)
{
    const uint64_t slots =
        c->mult_compute + c->mult_filler + c->mult_split + c->mult_pixel_tail +
        c->mult_empty + c->mult_no_channel + c->mult_imbalance + c->mult_act_fetch +
        c->mult_post + c->mult_vector_op + c->mult_drain + c->mult_wait_act +
        c->mult_wait_weight + c->mult_wait_self + c->mult_wait_store + c->mult_idle;

    if (slots != c->mult_slots)
        return "every multiplier has exactly one reason in every cycle";
    if (c->mac_done + c->mac_skipped != c->mac_dense)
        return "every MAC of the workload is done or skipped exactly once";
    if (c->mac_done > c->mult_compute + c->mult_filler)
        return "a multiplier does at most one MAC per cycle";
    if (c->mac_paired > c->mac_done || c->mac_paired % 2 != 0)
        return "multiplies share a DSP two by two";
    if (c->post_busy > c->cycles)
        return "the post-processor works at most every cycle";
    if (c->act_fill_bytes < c->dram_act_read_bytes)
        return "what is read from DRAM goes into the buffer";
    if (c->act_drain_bytes < c->dram_act_write_bytes)
        return "what is written to DRAM comes from the buffer";
    if (c->weight_fill_bytes != c->dram_weight_bytes)
        return "weight bytes read from DRAM are the bytes in the weight buffer";
    return NULL;
}

const char *dscq_unit_name(int unit)
{
    assert(unit >= 0 && unit < DSCQ_UNIT_COUNT);
    return k_units[unit];
}

const char *dscq_stall_name(int stall)
{
    assert(stall >= 0 && stall < DSCQ_STALL_COUNT);
    return k_stalls[stall];
}

const char *dscq_stall_text(int stall)
{
    assert(stall >= 0 && stall < DSCQ_STALL_COUNT);
    return k_stall_texts[stall];
}
