/* Ports in front of the controller: pacing, limits, arbitration, splitting. */
#include "dscq/base/rng.h"
#include "dscq/base/str.h"
#include "dscq/hw/dram_port.h"
#include "support.h"

#include <string.h>

typedef struct rig {
    dscq_dram *dram;
    dscq_dram_ports *ports;
} rig;

static dscq_dram_port_config defaults(void)
{
    dscq_dram_port_config c;
    dscq_error err;

    test_ok(dscq_keys_defaults(&c, dscq_dram_port_keys(), &err));
    return c;
}

/* DDR4-2400 x8, policy frfcfs: ACT in the cycle of acceptance, first data 38 later. */
static rig make_rig(int32_t ports, const dscq_dram_port_config *c)
{
    dscq_dram_config d;
    dscq_error err;
    rig r;

    test_ok(dscq_dram_config_load(&d, test_source("data/dram/d3_ddr4x8.cfg"), &err));
    dscq_str_copy(d.policy, sizeof d.policy, "frfcfs");
    test_ok(dscq_dram_create(&r.dram, &d, &err));
    test_ok(dscq_dram_ports_create(&r.ports, r.dram, ports, c, &err));
    return r;
}

static void drop_rig(rig *r)
{
    dscq_dram_ports_destroy(r->ports);
    dscq_dram_destroy(r->dram);
}

static void submit(rig *r, int32_t port, int is_write, uint64_t address, uint64_t bytes,
                   uint64_t id)
{
    const dscq_dram_port_request rq = {address, bytes, id, port, is_write};
    dscq_error err;

    test_ok(dscq_dram_ports_submit(r->ports, &rq, &err));
}

static dscq_dram_port_done wait_for_one(rig *r)
{
    dscq_dram_port_done done = {0};
    dscq_error err;

    test_ok(dscq_dram_ports_advance_until_done(r->ports, 1000000, &err));
    ck_assert_int_eq(dscq_dram_ports_poll(r->ports, &done), 1);
    return done;
}

START_TEST(one_burst_takes_the_memory_latency_and_the_interconnect_twice)
{
    dscq_dram_port_config c = defaults();

    for (c.latency_cycles = 0; c.latency_cycles <= 20; c.latency_cycles += 10) {
        rig r = make_rig(1, &c);
        submit(&r, 0, 0, 0, 64, 5);
        const dscq_dram_port_done done = wait_for_one(&r);
        ck_assert_uint_eq(done.id, 5);
        ck_assert_uint_eq(done.cycle, 38 + 2 * (uint64_t)c.latency_cycles);
        ck_assert_int_eq(dscq_dram_ports_idle(r.ports), 1);
        drop_rig(&r);
    }
}
END_TEST

START_TEST(a_narrow_port_paces_its_bursts)
{
    dscq_dram_port_config c = defaults();

    c.bytes_per_cycle = 4; /* 16 cycles for 64 bytes; the memory takes 6 */
    rig r = make_rig(1, &c);
    submit(&r, 0, 0, 0, 512, 1);
    /* the last is accepted in 112 and its row is open: CL 17 + B 4 */
    ck_assert_uint_eq(wait_for_one(&r).cycle, 7 * 16 + 21);
    drop_rig(&r);
}
END_TEST

START_TEST(the_outstanding_limit_serialises_port_bursts)
{
    dscq_dram_port_config c = defaults();

    c.max_burst_bytes = 64;
    c.outstanding = 1;
    rig r = make_rig(1, &c);
    submit(&r, 0, 0, 0, 192, 1);
    /* data in 38; the next is offered in 39: row open, 17 + 4 later */
    ck_assert_uint_eq(wait_for_one(&r).cycle, 38 + 2 * 22);
    const dscq_dram_port_counters n = dscq_dram_ports_count(r.ports, 0, 0);
    ck_assert_uint_eq(n.port_bursts, 3);
    drop_rig(&r);
}
END_TEST

START_TEST(requests_are_cut_at_burst_boundaries)
{
    const dscq_dram_port_config c = defaults(); /* 256-byte port bursts */
    rig r = make_rig(1, &c);

    submit(&r, 0, 1, 0x10, 1000, 1); /* 0x10 .. 0x3f8 */
    submit(&r, 0, 0, 0x10fff, 2, 2); /* two bytes in two DRAM bursts */
    (void)wait_for_one(&r);
    (void)wait_for_one(&r);
    const dscq_dram_port_counters w = dscq_dram_ports_count(r.ports, 0, 1);
    const dscq_dram_port_counters rd = dscq_dram_ports_count(r.ports, 0, 0);
    ck_assert_uint_eq(w.port_bursts, 4);
    ck_assert_uint_eq(w.dram_bursts, 16);
    ck_assert_uint_eq(w.bytes_wanted, 1000);
    ck_assert_uint_eq(w.bytes_moved, 1024);
    ck_assert_uint_eq(rd.port_bursts, 2);
    ck_assert_uint_eq(rd.dram_bursts, 2);
    drop_rig(&r);
}
END_TEST

typedef struct order {
    uint64_t address[64];
    int count;
} order;

static void see_address(void *ctx, const dscq_dram_command *m)
{
    order *o = ctx;

    if (m->op == DSCQ_DRAM_RD && o->count < 64)
        o->address[o->count++] = m->at.column;
}

START_TEST(ports_take_turns_by_whole_port_bursts)
{
    dscq_dram_port_config c = defaults();
    order o = {.count = 0};

    c.bytes_per_cycle = 1024;
    rig r = make_rig(2, &c);
    dscq_dram_watch(r.dram, see_address, &o);
    submit(&r, 0, 0, 0, 512, 1);
    submit(&r, 1, 0, 1024, 512, 2);
    ck_assert_uint_eq(wait_for_one(&r).id, 1);
    ck_assert_uint_eq(wait_for_one(&r).id, 2);
    ck_assert_int_eq(o.count, 16);
    for (int i = 0; i < 16; i++) /* 4 of port 0, 4 of port 1, ... in one row */
        ck_assert_uint_eq(o.address[i], (uint64_t)(i / 8 * 4 + i / 4 % 2 * 16 + i % 4));
    drop_rig(&r);
}
END_TEST

START_TEST(a_full_controller_is_counted_as_waiting)
{
    dscq_dram_port_config c = defaults();

    c.outstanding = 256;
    c.bytes_per_cycle = 1024;
    rig r = make_rig(1, &c);
    submit(&r, 0, 0, 0, 512 * 64, 1); /* the read queue holds 256 */
    (void)wait_for_one(&r);
    ck_assert_uint_gt(dscq_dram_ports_count(r.ports, 0, 0).wait_controller_cycles, 500);
    drop_rig(&r);
}
END_TEST

/* The same random traffic with long and with single-cycle advances. */
static uint64_t run_random(uint64_t seed, uint64_t stride, uint64_t *answers)
{
    dscq_rng rng = dscq_rng_seeded(seed);
    dscq_dram_port_config c = defaults();
    dscq_dram_port_done done;
    dscq_error err;
    uint64_t sum = 0, at = 0;

    c.bytes_per_cycle = 5.3;
    c.outstanding = 1 + (int32_t)dscq_rng_below(&rng, 6);
    c.fifo = 1 + (int32_t)dscq_rng_below(&rng, 6);
    c.max_burst_bytes = 64 << dscq_rng_below(&rng, 5);
    c.latency_cycles = (int32_t)dscq_rng_below(&rng, 30);
    rig r = make_rig(3, &c);
    for (int i = 0; i < 400; i++) {
        const int32_t port = (int32_t)dscq_rng_below(&rng, 3);
        const int is_write = (int)dscq_rng_below(&rng, 2);
        const uint64_t address = dscq_rng_below(&rng, 1 << 22);
        const uint64_t bytes = 1 + dscq_rng_below(&rng, 3000);
        at += dscq_rng_below(&rng, 600);
        while (dscq_dram_now(r.dram) < at) {
            const uint64_t next = dscq_dram_now(r.dram) + stride;
            test_ok(dscq_dram_ports_advance(r.ports, next < at ? next : at, &err));
        }
        while (dscq_dram_ports_poll(r.ports, &done)) {
            sum += done.cycle * (done.id + 1);
            (*answers)++;
        }
        if (dscq_dram_ports_room(r.ports, port, is_write))
            submit(&r, port, is_write, address, bytes, (uint64_t)i);
    }
    while (!dscq_dram_ports_idle(r.ports)) {
        test_ok(dscq_dram_ports_advance(r.ports, dscq_dram_now(r.dram) + 1, &err));
        while (dscq_dram_ports_poll(r.ports, &done)) {
            sum += done.cycle * (done.id + 1);
            (*answers)++;
        }
    }
    for (int32_t k = 0; k < 6; k++) {
        const dscq_dram_port_counters n = dscq_dram_ports_count(r.ports, k / 2, k % 2);
        sum = sum * 31 + n.wait_controller_cycles + n.dram_bursts;
    }
    test_ok(dscq_dram_check_laws(r.dram, &err));
    drop_rig(&r);
    return sum;
}

START_TEST(jumping_over_idle_cycles_changes_nothing)
{
    uint64_t a = 0, b = 0;

    ck_assert_uint_eq(run_random((uint64_t)_i, 1, &a),
                      run_random((uint64_t)_i, UINT64_MAX / 4, &b));
    ck_assert_uint_eq(a, b);
    ck_assert_uint_gt(a, 50);
}
END_TEST

START_TEST(bad_requests_and_settings_are_refused)
{
    dscq_dram_port_config c = defaults();
    rig r = make_rig(1, &c);
    const dscq_dram_port_request rq = {.address = (UINT64_C(8) << 30) - 10,
                                       .bytes = 11};
    dscq_dram_ports *p;
    dscq_error err;

    test_fails(dscq_dram_ports_submit(r.ports, &rq, &err), DSCQ_ARG,
               "port 0: 0x1fffffff6 + 11 bytes leaves the memory");
    c.max_burst_bytes = 100;
    test_fails(dscq_dram_ports_create(&p, r.dram, 1, &c, &err), DSCQ_ARG,
               "max_burst_bytes = 100: want a power of two in [16, 4096]");
    c = defaults();
    test_fails(dscq_dram_ports_create(&p, r.dram, 17, &c, &err), DSCQ_ARG,
               "17 ports: want 1 to 16");
    drop_rig(&r);
}
END_TEST

static dscq_status create_ports(void *dram, dscq_error *err)
{
    const dscq_dram_port_config c = {4, 4, 256, 0, 16};
    dscq_dram_ports *p = NULL;
    const dscq_status status = dscq_dram_ports_create(&p, dram, 2, &c, err);

    dscq_dram_ports_destroy(p);
    return status;
}

START_TEST(every_failed_allocation_is_reported)
{
    const dscq_dram_port_config c = defaults();
    rig r = make_rig(1, &c);

    ck_assert_uint_eq(test_each_alloc_fails(create_ports, r.dram), 3);
    drop_rig(&r);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("hw_dram_port", &tc);

    tcase_add_test(tc, one_burst_takes_the_memory_latency_and_the_interconnect_twice);
    tcase_add_test(tc, a_narrow_port_paces_its_bursts);
    tcase_add_test(tc, the_outstanding_limit_serialises_port_bursts);
    tcase_add_test(tc, requests_are_cut_at_burst_boundaries);
    tcase_add_test(tc, ports_take_turns_by_whole_port_bursts);
    tcase_add_test(tc, a_full_controller_is_counted_as_waiting);
    tcase_add_loop_test(tc, jumping_over_idle_cycles_changes_nothing, 0, 20);
    tcase_add_test(tc, bad_requests_and_settings_are_refused);
    tcase_add_test(tc, every_failed_allocation_is_reported);
    tcase_set_timeout(tc, 120);
    return s;
}

int main(void)
{
    return test_run(make);
}
