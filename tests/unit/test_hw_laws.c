/* A planted fault in any counter that a law speaks of is found, and named. */
#include "dscq/hw/counters.h"
#include "support.h"

#include <string.h>

/* A run of 10 cycles of 4 multipliers in which every reason occurs. */
static dscq_counters sound(void)
{
    dscq_counters c;

    memset(&c, 0, sizeof c);
    c.cycles = 10;
    c.mult_slots = 40;
    c.mult_compute = 12;
    c.mult_filler = 3;
    c.mult_pixel_tail = c.mult_empty = c.mult_no_channel = c.mult_imbalance = 2;
    c.mult_act_fetch = c.mult_post = c.mult_vector_op = c.mult_drain = 2;
    c.mult_wait_act = c.mult_wait_weight = c.mult_wait_self = c.mult_wait_store = 2;
    c.mult_idle = 1;
    c.mac_dense = 50;
    c.mac_done = 15;
    c.mac_skipped = 35;
    c.post_busy = 10;
    c.act_fill_bytes = c.dram_act_read_bytes = 64;
    c.act_drain_bytes = c.dram_act_write_bytes = 32;
    c.weight_fill_bytes = c.dram_weight_bytes = 16;
    return c;
}

static void planted(uint64_t *counter, int64_t by, const dscq_counters *c,
                    const char *law)
{
    *counter = (uint64_t)((int64_t)*counter + by);
    const char *found = dscq_counters_check(c);
    ck_assert_msg(found != NULL && strstr(found, law) != NULL, "found: %s, planted: %s",
                  found != NULL ? found : "nothing", law);
    *counter = (uint64_t)((int64_t)*counter - by);
    ck_assert_ptr_null(dscq_counters_check(c));
}

START_TEST(every_law_finds_its_fault)
{
    dscq_counters c = sound();
    uint64_t *const reason[] = {
        &c.mult_compute,    &c.mult_filler,     &c.mult_pixel_tail, &c.mult_empty,
        &c.mult_no_channel, &c.mult_imbalance,  &c.mult_act_fetch,  &c.mult_post,
        &c.mult_vector_op,  &c.mult_drain,      &c.mult_wait_act,   &c.mult_wait_weight,
        &c.mult_wait_self,  &c.mult_wait_store, &c.mult_idle,       &c.mult_split};

    ck_assert_ptr_null(dscq_counters_check(&c));
    for (size_t i = 0; i < sizeof reason / sizeof reason[0]; i++) {
        planted(reason[i], 1, &c, "exactly one reason"); /* [S1] */
        planted(reason[i], -1, &c, "exactly one reason");
    }
    planted(&c.mac_done, 1, &c, "done or skipped");
    planted(&c.mac_skipped, 1, &c, "done or skipped");
    planted(&c.mac_paired, 1, &c, "two by two");
    planted(&c.mac_paired, 16, &c, "two by two");
    planted(&c.post_busy, 1, &c, "at most every cycle");
    planted(&c.dram_act_read_bytes, 1, &c, "goes into the buffer");
    planted(&c.dram_act_write_bytes, 1, &c, "comes from the buffer");
    planted(&c.dram_weight_bytes, 1, &c, "weight bytes");
    planted(&c.weight_fill_bytes, 1, &c, "weight bytes");
}
END_TEST

START_TEST(more_macs_than_cycles_are_found)
{
    dscq_counters c = sound();

    c.mac_done += 1;
    c.mac_skipped -= 1;
    ck_assert_str_eq(dscq_counters_check(&c),
                     "a multiplier does at most one MAC per cycle");
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("hw/laws", &tc);

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, every_law_finds_its_fault);
    tcase_add_test(tc, more_macs_than_cycles_are_found);
    return s;
}

int main(void)
{
    return test_run(make);
}
