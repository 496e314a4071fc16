/* Which encoding a layer's streams take, and their bytes: rules W1 to W7 by hand. */
#include "dscq/base/alloc.h"
#include "lower_internal.h"
#include "support.h"

#include <string.h>

static low_choice choose(int32_t stream, int zero_skip, int32_t stored, int32_t of)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_machine m;
    dscq_qweights w = {.k = 1, .r = 1, .s = 1, .c = of, .count = (size_t)of, .bits = 4};
    const lowering l = {.m = &m};

    test_ok(dscq_machine_defaults(&m, &err));
    m.schedule.stream = stream;
    m.zero_skip = zero_skip;
    w.value = dscq_calloc((size_t)of, sizeof *w.value);
    for (int32_t i = 0; i < stored; i++)
        w.value[i] = 1;
    const low_choice c = lower__choose_encoding(&l, &w);
    dscq_free(w.value);
    return c;
}

/* [W4]: with 7 stored of 100, zero runs of 5 bits are smaller (0.0776 entries of 9 bits
 * against 0.0707 of 10), but a tenth of the entries would be fillers. */
START_TEST(a_filler_costs_a_cycle)
{
    const low_choice c = choose(DSCQ_SCHEDULE_STREAM_AUTO, 1, 7, 100);

    ck_assert_int_eq(c.kind, DSCQ_STREAM_GAP);
    ck_assert_int_eq(c.gap_bits, 6);
    ck_assert(c.bits_per_weight > 0.70 && c.bits_per_weight < 0.71);
}
END_TEST

/* [W7] with codes of 4 bits: 3 bits a weight as bitmap at one half (gap: 6 and more
 * bits an entry); dense above 0.98, where the marks are for nothing. */
START_TEST(the_smallest_encoding_is_chosen)
{
    const int32_t any = DSCQ_SCHEDULE_STREAM_AUTO;

    ck_assert_int_eq(choose(any, 1, 50, 100).kind, DSCQ_STREAM_BITMAP);
    ck_assert_double_eq(choose(any, 1, 50, 100).bits_per_weight, 3);
    ck_assert_int_eq(choose(any, 1, 98, 100).kind, DSCQ_STREAM_BITMAP);
    ck_assert_int_eq(choose(any, 1, 99, 100).kind, DSCQ_STREAM_DENSE);
    ck_assert_int_eq(choose(any, 0, 7, 100).kind, DSCQ_STREAM_DENSE); /* no skipping */
}
END_TEST

START_TEST(a_forced_encoding_is_taken)
{
    ck_assert_int_eq(choose(DSCQ_SCHEDULE_STREAM_DENSE, 1, 7, 100).kind,
                     DSCQ_STREAM_DENSE);
    ck_assert_int_eq(choose(DSCQ_SCHEDULE_STREAM_BITMAP, 1, 99, 100).kind,
                     DSCQ_STREAM_BITMAP);
    const low_choice c = choose(DSCQ_SCHEDULE_STREAM_GAP, 1, 100, 100);
    ck_assert_int_eq(c.kind, DSCQ_STREAM_GAP);
    ck_assert_int_eq(c.gap_bits, 2);
}
END_TEST

/* One lane, one channel, nine columns with codes of 4 bits. */
static void stream(dscq_stream_kind kind, const uint8_t *want, size_t bytes,
                   uint64_t entries)
{
    static const uint16_t k_code[9] = {0, 0, 3, 0, 0, 0, 0, 5, 0};
    int16_t value[9], mult[1] = {0x1234}, lane_value[9];
    uint8_t shift[1] = {7};
    int32_t bias[1] = {-2}, channel[1] = {0};
    uint32_t offset[2];
    uint16_t code[9];
    size_t column[9];
    dscq_error err = {DSCQ_OK, ""};
    dscq_machine m;
    dscq_program p = {0};
    lowering l = {.m = &m, .p = &p, .err = &err};
    const dscq_qweights w = {
        .k = 1, .r = 1, .s = 1, .c = 9, .count = 9, .bits = 4, .value = value};
    const dscq_hw_op op = {.lanes = 1, .mult = mult, .shift = shift, .bias = bias};
    dscq_hw_wtile t = {.m_count = 1,
                       .c_count = 9,
                       .columns = 9,
                       .rows = 1,
                       .channel = channel,
                       .lane_offset = offset,
                       .kind = kind,
                       .gap_bits = kind == DSCQ_STREAM_GAP ? 2 : 0};
    low_tile_job j = {.l = &l,
                      .w = &w,
                      .codes = k_code,
                      .t = &t,
                      .op = &op,
                      .code_bits = 4,
                      .column = column,
                      .code = code,
                      .value = lane_value};

    test_ok(dscq_machine_defaults(&m, &err));
    for (int32_t i = 0; i < 9; i++) {
        value[i] = (int16_t)k_code[i];
        column[i] = lower__column_at(&j, i);
    }
    test_ok(lower__write_streams(&j));
    ck_assert_uint_eq(t.stream_bytes, bytes);
    ck_assert_mem_eq(p.image, want, bytes);
    ck_assert_uint_eq(t.entries, entries);
    ck_assert_uint_eq(t.nonzero, 2);
    ck_assert_int_eq(t.buffer_bytes, (int64_t)bytes);
    dscq_free(p.image);
}

/* m, r, and the bias in three bytes; 8 bytes a channel: [W6]. */
#define CONSTANTS 0x34, 0x12, 7, 0xfe, 0xff, 0xff, 0, 0

/* [W4]: (2, 3), a run of four zeros cut after three by a filler (3, 0), (0, 5); what
 * follows the last weight is not stored. 2 + 3 x 4, then 3 at bit 6, then 5 at bit 14.
 */
START_TEST(a_gap_stream_counts_its_entries)
{
    static const uint8_t k_want[16] = {3, 0, 0, 0, 0xce, 0x40, 0x01, 0, CONSTANTS};

    stream(DSCQ_STREAM_GAP, k_want, 16, 3);
}
END_TEST

/* [W3]: for each column one bit, then its code: 0 0 1 0011 0 0 0 0 1 0101 0. */
START_TEST(a_bitmap_stream_marks_what_is_stored)
{
    static const uint8_t k_want[12] = {0x1c, 0x58, 0, 0, CONSTANTS};

    stream(DSCQ_STREAM_BITMAP, k_want, 12, 2);
}
END_TEST

/* [W2]: nine codes, 36 bits: padded to 8 bytes. */
START_TEST(a_dense_stream_is_all_codes)
{
    static const uint8_t k_want[16] = {0x00, 0x03, 0x00, 0x50, 0, 0, 0, 0, CONSTANTS};

    stream(DSCQ_STREAM_DENSE, k_want, 16, 9);
}
END_TEST

/* One lane with two channels of three columns: [W1] column by column, the channels of
 * the lane fastest. [W5] a flag a block (here a channel): the first keeps signs, the
 * second 8-bit weights: 0 1, then 1 00000101, 0 11111111, 1 00000111. */
START_TEST(a_binary_stream_keeps_signs_or_bytes)
{
    static const uint8_t k_want[4] = {0x2e, 0xf0, 0xff, 0};
    static const uint16_t k_code[6] = {1, 0, 1, 0, 0, 0};
    static const int16_t k_value[6] = {1, -1, 1, 5, -1, 7};
    static const uint8_t k_high[2] = {0, 1};
    int16_t value[6], mult[2] = {0}, lane_value[6];
    uint8_t shift[2] = {0}, high[2];
    int32_t bias[2] = {0}, channel[2] = {0, 1};
    uint32_t offset[2];
    uint16_t code[6];
    size_t column[3];
    dscq_error err = {DSCQ_OK, ""};
    dscq_machine m;
    dscq_program p = {0};
    lowering l = {.m = &m, .p = &p, .err = &err};
    dscq_qweights w = {
        .k = 2, .r = 1, .s = 1, .c = 3, .count = 6, .bits = 1, .value = value};
    const dscq_hw_op op = {.lanes = 1, .mult = mult, .shift = shift, .bias = bias};
    dscq_hw_wtile t = {.m_count = 2,
                       .c_count = 3,
                       .columns = 3,
                       .rows = 2,
                       .channel = channel,
                       .lane_offset = offset,
                       .kind = DSCQ_STREAM_BINARY};
    low_tile_job j = {.l = &l,
                      .w = &w,
                      .codes = k_code,
                      .t = &t,
                      .op = &op,
                      .code_bits = 1,
                      .column = column,
                      .code = code,
                      .value = lane_value};

    test_ok(dscq_machine_defaults(&m, &err));
    memcpy(value, k_value, sizeof value);
    memcpy(high, k_high, sizeof high);
    w.block = 3;
    w.block_high = high;
    for (int32_t i = 0; i < 3; i++)
        column[i] = lower__column_at(&j, i);
    test_ok(lower__write_streams(&j));
    ck_assert_mem_eq(p.image, k_want, sizeof k_want);
    ck_assert_uint_eq(t.entries, 6); /* [W5] */
    dscq_free(p.image);
}
END_TEST

static Suite *make(void)
{
    TCase *t;
    Suite *s = test_suite("lower_stream", &t);

    tcase_add_test(t, a_filler_costs_a_cycle);
    tcase_add_test(t, the_smallest_encoding_is_chosen);
    tcase_add_test(t, a_forced_encoding_is_taken);
    tcase_add_test(t, a_gap_stream_counts_its_entries);
    tcase_add_test(t, a_bitmap_stream_marks_what_is_stored);
    tcase_add_test(t, a_dense_stream_is_all_codes);
    tcase_add_test(t, a_binary_stream_keeps_signs_or_bytes);
    return s;
}

int main(void)
{
    return test_run(make);
}
