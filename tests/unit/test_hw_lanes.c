/* The recurrence against hand-worked cases and against the stepped lanes. */
#include "dscq/base/alloc.h"
#include "dscq/base/rng.h"
#include "dscq/hw/lanes.h"
#include "dscq/hw/stepped.h"
#include "support.h"

#include <check.h>
#include <string.h>

/* One lane, never stalled, D = 8, n = (5, 0, 0, 0, 1), b[0] = 1: s[0] = 2, e[4] = 11.
 */
START_TEST(hand_case_of_one_lane)
{
    static const uint16_t work[5] = {5, 1, 1, 1, 1};
    static const uint16_t g[5] = {1, 1, 1, 1, 1};
    dscq_lanes *l = dscq_malloc(1, sizeof *l);

    dscq_lanes_reset(l, 1);
    dscq_lanes_shape(l, 1, 1, 8, 2, 1);
    dscq_lanes_start(l, 1);
    dscq_lanes_vector(l, work, 1, 1, g, 0);
    ck_assert_uint_eq(dscq_lanes_end(l), 7); /* [L3] s = 2, five entries */
    dscq_lanes_vector(l, work + 1, 4, 1, g, 0);
    ck_assert_uint_eq(dscq_lanes_broadcast_end(l), 6); /* [L1] a column a cycle */
    ck_assert_uint_eq(dscq_lanes_end(l), 11);
    dscq_free(l);
}
END_TEST

/* Two lanes, D = 1: lane 0 has (4, 1), lane 1 has (1, 1). b = (0, 2): lane 0 takes
 * column 0 in cycle 1, so its slot is free in 2. s = (1, 5) and (1, 3). */
START_TEST(hand_case_of_a_full_queue)
{
    static const uint16_t work[6] = {4, 1, 1, 1, 1, 1};
    static const uint16_t g[3] = {1, 1, 1};
    dscq_lanes *l = dscq_malloc(1, sizeof *l);

    dscq_lanes_reset(l, 0);
    dscq_lanes_shape(l, 2, 2, 1, 2, 0);
    dscq_lanes_start(l, 0);
    dscq_lanes_vector(l, work, 3, 2, g, 3);
    /* b = 0, 2, then lane 0 takes column 1 in 5: b[2] = 6, s = 7, e = 8 */
    ck_assert_uint_eq(dscq_lanes_broadcast_end(l), 7); /* [L2] */
    ck_assert_uint_eq(dscq_lanes_end(l), 8);
    ck_assert_uint_eq(dscq_lanes_post_end(l), 11);
    /* lane 1 waited: column 0 taken in 1 (gap 1), 1 in 3 (gap 1), 2 in 7 (gap 3) */
    ck_assert_int_eq(l->gap[DSCQ_GAP_QUEUE][1], 4);
    dscq_free(l);
}
END_TEST

/* One bank: the second vector's first column waits for the post-processor. */
START_TEST(hand_case_of_one_bank)
{
    static const uint16_t work[1] = {2};
    static const uint16_t g[1] = {1};
    dscq_lanes *l = dscq_malloc(1, sizeof *l);

    dscq_lanes_reset(l, 0);
    dscq_lanes_shape(l, 1, 1, 4, 1, 0);
    dscq_lanes_start(l, 0);
    dscq_lanes_vector(l, work, 1, 1, g, 10); /* s 1, e 3, post 3..12 */
    ck_assert_uint_eq(dscq_lanes_post_end(l), 13);
    dscq_lanes_vector(l, work, 1, 1, g, 10);       /* s 13, e 15, post 15..24 */
    ck_assert_uint_eq(dscq_lanes_end(l), 15);      /* [L5] */
    ck_assert_uint_eq(dscq_lanes_post_end(l), 25); /* [P1] */
    ck_assert_int_eq(l->gap[DSCQ_GAP_POST][0], 10);
    dscq_free(l);
}
END_TEST

enum { MAX_PUSH = 512, MAX_LANES = 24, MAX_VECTORS = 64 };

typedef struct random_case {
    dscq_stepped_push push[MAX_PUSH];
    uint16_t n[MAX_PUSH][MAX_LANES], work[MAX_PUSH][MAX_LANES], g[MAX_PUSH];
    int32_t post[MAX_VECTORS];
    int32_t pushes, vectors, lanes, depth, banks;
} random_case;

static uint16_t random_count(dscq_rng *r, int style)
{
    if (style == 0)
        return (uint16_t)(dscq_rng_below(r, 3) == 0);
    if (style == 1)
        return (uint16_t)dscq_rng_below(r, 5);
    return dscq_rng_below(r, 10) == 0 ? (uint16_t)dscq_rng_below(r, 30) : 0;
}

/* Fill one random case and run the recurrence along; returns its post end. */
static uint64_t random_run(random_case *c, dscq_lanes *l, dscq_rng *r)
{
    const int depthwise = dscq_rng_below(r, 3) == 0;
    const uint64_t start = dscq_rng_below(r, 100);
    uint64_t t0 = start;

    c->lanes = 1 + (int32_t)dscq_rng_below(r, MAX_LANES);
    c->depth = 1 + (int32_t)dscq_rng_below(r, 9);
    c->banks = 1 + (int32_t)dscq_rng_below(r, 3);
    c->pushes = c->vectors = 0;
    dscq_lanes_reset(l, start);
    dscq_lanes_shape(l, c->lanes, c->lanes, c->depth, c->banks, start);
    const int commands = 1 + (int)dscq_rng_below(r, 4);
    for (int command = 0; command < commands; command++) {
        const int style = (int)dscq_rng_below(r, 3);
        const int vectors = 1 + (int)dscq_rng_below(r, 6);
        const int columns = 1 + (int)dscq_rng_below(r, 12);
        const int per_slot = 1 + (int)dscq_rng_below(r, (uint64_t)c->lanes);
        const int g_row = 1 + (int)dscq_rng_below(r, 4);
        t0 += dscq_rng_below(r, 2) ? dscq_rng_below(r, 200) : 0;
        dscq_lanes_start(l, t0);
        for (int v = 0; v < vectors; v++) {
            const int32_t first = c->pushes;
            const int32_t post = 1 + (int32_t)dscq_rng_below(r, 20);
            for (int k = 0; k < (depthwise ? 1 : columns); k++) {
                const int32_t p = c->pushes;
                for (int i = 0; i < c->lanes; i++) {
                    c->n[p][i] = random_count(r, style);
                    c->work[p][i] = c->n[p][i] ? c->n[p][i] : 1;
                }
                c->g[p] =
                    (uint16_t)(dscq_rng_below(r, 3) ? 1 : 1 + dscq_rng_below(r, 4));
                const int step = depthwise ? per_slot : c->lanes;
                for (int i = 0; i < c->lanes; i += step) {
                    const int32_t end = i + step < c->lanes ? i + step : c->lanes;
                    if (c->pushes > p) {
                        memcpy(c->n[c->pushes], c->n[p], sizeof c->n[p]);
                        memcpy(c->work[c->pushes], c->work[p], sizeof c->work[p]);
                    }
                    c->push[c->pushes] =
                        (dscq_stepped_push){.lane0 = i,
                                            .lane1 = end,
                                            .g = depthwise ? g_row : c->g[p],
                                            .vector = c->vectors,
                                            .is_first = depthwise || k == 0,
                                            .is_last = depthwise || k == columns - 1,
                                            .not_before = t0,
                                            .n = c->n[c->pushes]};
                    c->pushes++;
                }
            }
            c->post[c->vectors++] = post;
            if (depthwise)
                dscq_lanes_rows(l, c->work[first], c->lanes, per_slot, g_row, post);
            else
                dscq_lanes_vector(l, c->work[first], columns, MAX_LANES, c->g + first,
                                  post);
            if (c->pushes > MAX_PUSH - 64)
                return dscq_lanes_post_end(l);
        }
    }
    return dscq_lanes_post_end(l);
}

/* Thousands of random cases, three times compared, zero mismatches. */
START_TEST(recurrence_equals_the_stepped_lanes)
{
    random_case *c = dscq_malloc(1, sizeof *c);
    dscq_lanes *l = dscq_malloc(1, sizeof *l);
    const dscq_rng seed = dscq_rng_seeded(20261);

    ck_assert_ptr_nonnull(c);
    ck_assert_ptr_nonnull(l);
    for (uint64_t i = 0; i < 4000; i++) {
        dscq_rng r = dscq_rng_fork(&seed, "lanes", i);
        dscq_stepped_result got;
        dscq_error err = {DSCQ_OK, ""};
        const uint64_t post = random_run(c, l, &r);
        ck_assert_msg(dscq_stepped_run(&got, c->push, c->pushes, c->post, c->vectors,
                                       c->lanes, c->depth, c->banks,
                                       c->push[0].not_before, 1000000, &err) == DSCQ_OK,
                      "%s", err.msg);
        /* [R3] slots of rows among the columns */
        ck_assert_msg(got.post_end == post && got.lanes_end == dscq_lanes_end(l) &&
                          got.broadcast_end == dscq_lanes_broadcast_end(l),
                      "case %llu: stepped %llu %llu %llu, recurrence %llu %llu %llu",
                      (unsigned long long)i, (unsigned long long)got.broadcast_end,
                      (unsigned long long)got.lanes_end,
                      (unsigned long long)got.post_end,
                      (unsigned long long)dscq_lanes_broadcast_end(l),
                      (unsigned long long)dscq_lanes_end(l), (unsigned long long)post);
    }
    dscq_free(c);
    dscq_free(l);
}
END_TEST

/* Every lane-cycle from the start to a lane's end is work or one kind of gap. */
START_TEST(lane_cycles_are_accounted_for)
{
    random_case *c = dscq_malloc(1, sizeof *c);
    dscq_lanes *l = dscq_malloc(1, sizeof *l);
    const dscq_rng seed = dscq_rng_seeded(7);

    for (uint64_t i = 0; i < 300; i++) {
        dscq_rng r = dscq_rng_fork(&seed, "account", i);
        const int lanes = 1 + (int)dscq_rng_below(&r, MAX_LANES);
        const uint64_t start = dscq_rng_below(&r, 50);
        uint64_t sum = 0, want = 0;
        dscq_lanes_reset(l, start);
        dscq_lanes_shape(l, lanes, lanes, 1 + (int)dscq_rng_below(&r, 8), 2, start);
        dscq_lanes_start(l, start + dscq_rng_below(&r, 50));
        for (int v = 0; v < 5; v++) {
            for (int k = 0; k < 9; k++) {
                for (int j = 0; j < lanes; j++) {
                    c->work[k][j] = (uint16_t)(1 + dscq_rng_below(&r, 4));
                    sum += c->work[k][j];
                }
                c->g[k] = (uint16_t)(1 + dscq_rng_below(&r, 2));
            }
            dscq_lanes_vector(l, c->work[0], 9, MAX_LANES, c->g, 6);
        }
        for (int g = 0; g < DSCQ_GAP_COUNT; g++)
            for (int j = 0; j < lanes; j++)
                sum += (uint64_t)l->gap[g][j];
        for (int j = 0; j < lanes; j++)
            want += l->base + (uint64_t)l->e[j] - start;
        ck_assert_uint_eq(sum, want);
    }
    dscq_free(c);
    dscq_free(l);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("hw_lanes");
    TCase *tc = tcase_create("core");

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, hand_case_of_one_lane);
    tcase_add_test(tc, hand_case_of_a_full_queue);
    tcase_add_test(tc, hand_case_of_one_bank);
    tcase_add_test(tc, recurrence_equals_the_stepped_lanes);
    tcase_add_test(tc, lane_cycles_are_accounted_for);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return test_run(make_suite);
}
