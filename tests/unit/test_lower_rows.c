/* Rows that a stage holds, and the bytes that rings, strips and blocks take: by hand.
 */
#include "test_lower_util.h"

/* Two 3 x 3 windows of stride 1 over 8 rows, in two bands: outputs 0..3 need rows 0..4
 * of the middle and 0..5 of the input; row 4 of the output still reads row 3 of the
 * middle, and row 5 of the middle row 4 of the input. */
START_TEST(bands_hold_what_the_next_one_reads)
{
    static const int32_t k_end[3][3] = {{0, 6, 8}, {0, 5, 8}, {0, 4, 8}};
    static const int32_t k_low[3][2] = {{0, 4}, {0, 3}, {0, 4}};
    static const int32_t k_ring[3] = {6, 5, 4};
    dscq_error err = {DSCQ_OK, ""};
    low_bands b;
    chain c;

    begin(&c, 8, 4, 1);
    add_op(&c, DSCQ_HW_BROADCAST, 3, 1, 8, 4, 1);
    add_op(&c, DSCQ_HW_DEPTHWISE, 3, 1, 8, 4, 1);
    end(&c);
    test_ok(lower__bands_make(&b, &c.l, 0, 1, 2, &err));
    ck_assert_int_eq(b.count, 3);
    for (int32_t t = 0; t < 3; t++) {
        const int32_t i = lower__bands_find(&b, t);
        for (int32_t s = 0; s <= 2; s++)
            ck_assert_int_eq(b.end[i * 3 + s], k_end[t][s]);
        for (int32_t s = 1; s <= 2; s++)
            ck_assert_int_eq(b.low[i * 3 + s], k_low[t][s - 1]);
        ck_assert_int_eq(b.ring_rows[i], k_ring[t]);
    }
    lower__bands_clear(&b);
}
END_TEST

/* A 2 x 2 window of stride 2 (no padding): a band of two rows reads four, none twice.
 */
START_TEST(bands_that_do_not_overlap_hold_themselves)
{
    dscq_error err = {DSCQ_OK, ""};
    low_bands b;
    chain c;

    begin(&c, 8, 8, 1);
    add_op(&c, DSCQ_HW_MAXPOOL, 2, 2, 4, 4, 1);
    c.op[0].pad_top = c.op[0].pad_left = 0;
    end(&c);
    test_ok(lower__bands_make(&b, &c.l, 0, 0, 2, &err));
    ck_assert_int_eq(b.ring_rows[lower__bands_find(&b, 0)], 4);
    ck_assert_int_eq(b.ring_rows[lower__bands_find(&b, 1)], 2);
    lower__bands_clear(&b);
}
END_TEST

/* [B1] [B2]: 10 codes are two words; 3 channels of them six, which fill 8 banks of 8
 * bytes: 64 bytes a row. With 5 banks ten words: 80 bytes, and five rows end inside a
 * page. */
START_TEST(a_ring_fills_all_banks)
{
    chain c;

    begin(&c, 12, 10, 3);
    ck_assert_int_eq(lower__line_bytes(&c.l, 0, 10), 16);
    ck_assert_int_eq(lower__line_bytes(&c.l, 0, 8), 8);
    ck_assert_int_eq(lower__ring_bytes(&c.l, 0, 5, 10, 3), 5 * 64);
    ck_assert_int_eq(lower__whole_bytes(&c.l, 0), 12 * 64);
    c.m.act_banks = 5;
    ck_assert_int_eq(lower__ring_bytes(&c.l, 0, 5, 10, 3), 448);
    c.tensor[0].elem_bytes = 2;
    ck_assert_int_eq(lower__line_bytes(&c.l, 0, 10), 24);
    ck_assert_double_eq(lower__dram_bytes(&c.l, 0), 12 * 10 * 3 * 2);
}
END_TEST

/* A 3 x 3 window over 8 x 8 x 2: a strip of 2 rows and 4 columns reads 4 rows and 5
 * columns (one word a line, two words a row: 64 bytes); its own rows are 64 bytes too.
 */
START_TEST(a_strip_reads_its_border)
{
    chain c;

    begin(&c, 8, 8, 2);
    add_op(&c, DSCQ_HW_BROADCAST, 3, 1, 8, 8, 2);
    end(&c);
    ck_assert_int_eq(lower__strip_bytes(&c.l, 0, 2, 4, 0), (4 + 2) * 64);
    c.m.act_word_bytes =
        4; /* 5 columns are two words, 4 are one: 32 bytes a row each */
    ck_assert_int_eq(lower__strip_bytes(&c.l, 0, 2, 4, 0), 4 * 32 + 2 * 32);
    c.m.act_banks = 2; /* four words are two rounds of two banks: 16 bytes; two: 8 */
    ck_assert_int_eq(lower__strip_bytes(&c.l, 0, 8, 4, 0), 8 * 16 + 64);
    c.m.act_banks = 8;
    c.m.act_word_bytes = 8;
    c.op[0].mode = DSCQ_HW_MAXPOOL;
    ck_assert(lower__separable(&c.op[0]));
    ck_assert_int_eq(lower__strip_bytes(&c.l, 0, 1, 8, 1), (3 + 1) * 64);
}
END_TEST

/* 4 -> 8 -> 8 -> 4 channels on 4 x 4: expand, depthwise, project. */
static void block(chain *c)
{
    begin(c, 4, 4, 4);
    add_op(c, DSCQ_HW_BROADCAST, 1, 1, 4, 4, 8);
    add_op(c, DSCQ_HW_DEPTHWISE, 3, 1, 4, 4, 8);
    add_op(c, DSCQ_HW_BROADCAST, 1, 1, 4, 4, 4);
    end(c);
    c->weights[0] =
        (dscq_qweights){.k = 8, .r = 1, .s = 1, .c = 4, .count = 32, .bits = 8};
    c->weights[1] =
        (dscq_qweights){.k = 8, .r = 3, .s = 3, .c = 1, .count = 72, .bits = 8};
    c->weights[2] =
        (dscq_qweights){.k = 4, .r = 1, .s = 1, .c = 8, .count = 32, .bits = 8};
}

START_TEST(a_block_is_known_by_its_shape)
{
    chain c;

    block(&c);
    ck_assert(lower__is_block(&c.l, 0, 2));
    ck_assert(lower__is_block(&c.l, 1, 2));
    ck_assert(!lower__is_block(&c.l, 0, 1));
    ck_assert(lower__crosses(&c.l, 1, 1) && !lower__crosses(&c.l, 0, 1) &&
              !lower__crosses(&c.l, 1, 2));
    c.life[2].is_output = 1; /* the middle is wanted elsewhere */
    ck_assert(!lower__is_block(&c.l, 0, 2));
}
END_TEST

/* A group of 4 middle channels: of weights (4 + 9 + 4) x 4 codes with a seventh more
 * for positions and constants, once and a half: 765.3 bytes. The input whole, two
 * middle maps of 4 channels, 2 rows of the output: (4 + 4 + 4 + 2) x 64 bytes; both
 * maps once. */
START_TEST(a_group_takes_its_share_of_the_middle)
{
    const int cut[2] = {CUT_DRAM, CUT_DRAM}, stays[2] = {CUT_DRAM, CUT_CHIP};
    chain c;

    block(&c);
    c.m.weight_bytes = 766;
    low_need n = lower__group_need(&c.l, 0, 2, cut, 4);
    ck_assert_int_eq(n.rings, 14 * 64);
    ck_assert_double_eq(n.bytes, 64 + 64);
    c.life[3].last_op = 3; /* read later, and kept on chip */
    c.life[3].is_output = 0;
    n = lower__group_need(&c.l, 0, 2, stays, 4);
    ck_assert_int_eq(n.rings, 16 * 64);
    ck_assert_double_eq(n.bytes, 64);
    c.m.weight_bytes = 765;
    ck_assert_int_eq(lower__group_need(&c.l, 0, 2, cut, 4).rings, 0);
}
END_TEST

/* 5, 1, 1 and 3 entries to two lanes of two places: the longest first to the lane with
 * least; a full lane takes no more. */
START_TEST(channels_are_dealt_longest_first)
{
    static const int32_t k_entries[4] = {5, 1, 1, 3}, k_want[4] = {0, 3, 2, 1};
    dscq_error err = {DSCQ_OK, ""};
    int32_t place[4];

    test_ok(lower__deal(place, 2, 2, k_entries, 4, 1, &err));
    ck_assert_mem_eq(place, k_want, sizeof place); /* [W7] */
    test_ok(lower__deal(place, 2, 2, k_entries, 3, 0, &err));
    ck_assert(place[0] == 0 && place[1] == 1 && place[2] == 2 && place[3] == -1);
}
END_TEST

static Suite *make(void)
{
    TCase *t;
    Suite *s = test_suite("lower_rows", &t);

    tcase_add_test(t, bands_hold_what_the_next_one_reads);
    tcase_add_test(t, bands_that_do_not_overlap_hold_themselves);
    tcase_add_test(t, a_ring_fills_all_banks);
    tcase_add_test(t, a_strip_reads_its_border);
    tcase_add_test(t, a_block_is_known_by_its_shape);
    tcase_add_test(t, a_group_takes_its_share_of_the_middle);
    tcase_add_test(t, channels_are_dealt_longest_first);
    return s;
}

int main(void)
{
    return test_run(make);
}
