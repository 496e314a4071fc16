/* The planner's path over a chain of two 3 x 3 windows on 8 x 8 codes, 64 bytes a row
 * of the buffer; memory is all that costs. */
#include "dscq/base/alloc.h"
#include "test_lower_util.h"

static dscq_status plan(chain *c, int32_t fuse, int32_t resident, int64_t act_bytes,
                        dscq_error *err)
{
    begin(c, 8, 8, 1);
    add_op(c, DSCQ_HW_MAXPOOL, 3, 1, 8, 8, 1);
    add_op(c, DSCQ_HW_MAXPOOL, 3, 1, 8, 8, 1);
    end(c);
    c->m.schedule.fuse = fuse;
    c->m.schedule.resident = resident;
    c->m.act_bytes = act_bytes;
    c->l.mem_rate = c->l.cycle_price = 1;
    c->l.err = err;
    return lower__plan(&c->l);
}

/* Both maps in and out: each operation moves 128 bytes. */
START_TEST(layer_by_layer_moves_everything)
{
    dscq_error err = {DSCQ_OK, ""};
    chain c;

    test_ok(plan(&c, DSCQ_SCHEDULE_FUSE_NONE, DSCQ_SCHEDULE_RESIDENT_NO, 4096, &err));
    ck_assert_int_eq(c.l.stage_count, 2);
    ck_assert(!c.life[1].stays);
    ck_assert_double_eq(c.l.stage[0].bytes, 128);
    ck_assert_double_eq(c.l.stage[1].bytes, 128);
    dscq_free(c.l.stage);
}
END_TEST

/* The middle map stays in the buffer: 8 rows of 64 bytes fit. */
START_TEST(a_map_that_fits_stays)
{
    dscq_error err = {DSCQ_OK, ""};
    chain c;

    test_ok(plan(&c, DSCQ_SCHEDULE_FUSE_NONE, DSCQ_SCHEDULE_RESIDENT_AUTO, 4096, &err));
    ck_assert_int_eq(c.l.stage_count, 2);
    ck_assert(c.life[1].stays);
    ck_assert_double_eq(c.l.stage[0].bytes, 64);
    ck_assert_double_eq(c.l.stage[1].bytes, 64);
    dscq_free(c.l.stage);
}
END_TEST

START_TEST(fused_operations_are_one_stage)
{
    dscq_error err = {DSCQ_OK, ""};
    chain c;

    test_ok(plan(&c, DSCQ_SCHEDULE_FUSE_AUTO, DSCQ_SCHEDULE_RESIDENT_NO, 4096, &err));
    ck_assert_int_eq(c.l.stage_count, 1);
    ck_assert_int_eq(c.l.stage[0].last, 1);
    ck_assert_double_eq(c.l.stage[0].bytes, 128);
    dscq_free(c.l.stage);
}
END_TEST

/* A row at a time holds 3 rows and the next of the input, a row and the next of the
 * output: 384 bytes. Below that a strip of single rows: 3 and 1, 256 bytes; then
 * nothing. */
START_TEST(what_does_not_fit_in_bands_is_cut_in_strips)
{
    const int32_t fuse = DSCQ_SCHEDULE_FUSE_NONE, resident = DSCQ_SCHEDULE_RESIDENT_NO;
    dscq_error err = {DSCQ_OK, ""};
    chain c;

    test_ok(plan(&c, fuse, resident, 384, &err));
    ck_assert_int_eq(c.l.stage[0].bands, 8);
    ck_assert_int_eq(c.l.stage[0].strip, 0);
    dscq_free(c.l.stage);
    test_ok(plan(&c, fuse, resident, 383, &err));
    ck_assert_int_eq(c.l.stage_count, 2);
    ck_assert_int_eq(c.l.stage[0].strip, 8);
    ck_assert_int_eq(c.l.stage[0].bands, 8);
    dscq_free(c.l.stage);
    test_fails(
        plan(&c, fuse, resident, 255, &err), DSCQ_ARG,
        "layer '': its smallest tile needs 256 bytes of activations, 1 more than "
        "act_bytes = 255");
}
END_TEST

static Suite *make(void)
{
    TCase *t;
    Suite *s = test_suite("lower_plan", &t);

    tcase_add_test(t, layer_by_layer_moves_everything);
    tcase_add_test(t, a_map_that_fits_stays);
    tcase_add_test(t, fused_operations_are_one_stage);
    tcase_add_test(t, what_does_not_fit_in_bands_is_cut_in_strips);
    return s;
}

int main(void)
{
    return test_run(make);
}
