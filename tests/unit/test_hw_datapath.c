/* Every family of kernels of the data path gives the numbers of plain arithmetic. */
#include "../../src/hw/datapath/kernels.h"
#include "dscq/base/rng.h"
#include "support.h"

#include <string.h>

enum { PAIRS = 40, STRIDE = HW_BLOCK + HW_SLACK, ENTRIES = 33, CASES = 500 };

static int32_t below(dscq_rng *rng, int32_t n)
{
    return (int32_t)dscq_rng_below(rng, (uint64_t)n);
}

static int32_t pair_of(int32_t even, int32_t odd)
{
    return (int32_t)((uint32_t)(even & 0xffff) | (uint32_t)odd << 16);
}

static void one_sums_of_pairs(uint64_t seed)
{
    static int32_t x[PAIRS * STRIDE + HW_BLOCK], sum[HW_BLOCK + HW_SLACK];
    uint32_t at[ENTRIES];
    int32_t value[ENTRIES];
    dscq_rng rng = dscq_rng_seeded(seed);
    const uint32_t entries = (uint32_t)below(&rng, ENTRIES + 1);
    const int32_t n = 1 + below(&rng, HW_BLOCK);
    const size_t stride = n == 1 ? 1 : STRIDE;

    for (size_t i = 0; i < sizeof x / sizeof x[0]; i++)
        x[i] = pair_of(below(&rng, 32767) - 16383, below(&rng, 32767) - 16383);
    for (uint32_t e = 0; e < entries; e++) {
        at[e] = (uint32_t)below(&rng, PAIRS);
        value[e] = pair_of(below(&rng, 2048) - 1024, below(&rng, 2048) - 1024);
    }
    for (int f = 0; hw__kernels(f) != NULL; f++) {
        hw__kernels(f)->mac(sum, x, stride, at, value, entries, n);
        for (int32_t j = 0; j < n; j++) {
            int64_t want = 0;
            for (uint32_t e = 0; e < entries; e++) {
                const int32_t p = x[at[e] * stride + (size_t)j];
                want += (int64_t)(int16_t)(p & 0xffff) * (int16_t)(value[e] & 0xffff);
                want += (int64_t)(p >> 16) * (value[e] >> 16);
            }
            ck_assert_msg(sum[j] == want, "%s, pixel %d of %d", hw__kernels(f)->name, j,
                          n);
        }
    }
}

static void one_pairs_of_codes(uint64_t seed)
{
    enum { LINE = 100 };
    static uint8_t code[4 * PAIRS * LINE + HW_BLOCK];
    static int32_t x[PAIRS * STRIDE + HW_BLOCK];
    dscq_rng rng = dscq_rng_seeded(seed);
    const int32_t n = 1 + below(&rng, HW_BLOCK);
    const uint8_t flip = below(&rng, 2) ? 128 : 0;
    const int16_t zero = (int16_t)(below(&rng, 256) - 128);
    const uint32_t list[3] = {7, 9, 12};
    const hw_pair_source from = {code, code + LINE, 2 * LINE, 5, flip, zero};

    for (size_t i = 0; i < sizeof code; i++)
        code[i] = (uint8_t)below(&rng, 256);
    for (int f = 0; hw__kernels(f) != NULL; f++) {
        hw__kernels(f)->pair_up(x, STRIDE, &from, list, 3, n);
        for (int i = 0; i < 3; i++)
            for (int32_t j = 0; j < n; j++) {
                const uint8_t *line = code + (list[i] - 5) * 2 * LINE + j;
                ck_assert_int_eq(x[list[i] * STRIDE + (uint32_t)j],
                                 pair_of((int8_t)(line[0] ^ flip) - zero,
                                         (int8_t)(line[LINE] ^ flip) - zero));
            }
        hw__kernels(f)->pair_next(x, &from, n);
        for (int32_t j = 0; j < n; j++)
            ck_assert_int_eq(x[j], pair_of((int8_t)(code[2 * j] ^ flip) - zero,
                                           (int8_t)(code[2 * j + 1] ^ flip) - zero));
    }
}

static void one_squeezed_row(uint64_t seed)
{
    int16_t row[2 * (PAIRS + HW_SLACK)];
    uint32_t at[PAIRS + HW_SLACK];
    int32_t value[PAIRS + HW_SLACK];
    dscq_rng rng = dscq_rng_seeded(seed);
    const int32_t n = 1 + below(&rng, PAIRS), density = below(&rng, 11);

    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++)
        row[i] = (int16_t)(below(&rng, 10) < density ? below(&rng, 65536) - 32768 : 0);
    for (int f = 0; hw__kernels(f) != NULL; f++) {
        const uint32_t got = hw__kernels(f)->squeeze(at, value, row, (uint32_t)n);
        uint32_t want = 0;
        for (int32_t i = 0; i < n; i++) {
            if (row[2 * i] == 0 && row[2 * i + 1] == 0)
                continue;
            ck_assert_uint_eq(at[want], (uint32_t)i);
            ck_assert_int_eq(value[want], pair_of(row[2 * i], row[2 * i + 1]));
            want++;
        }
        ck_assert_uint_eq(got, want);
    }
}

/* docs/arithmetic.md sections 3 and 4, once more. */
static int32_t finished(int64_t u, int32_t leaky, int32_t slope, int32_t zero,
                        int32_t lo, int32_t hi)
{
    if (leaky && u < 0)
        u = u * slope >> 15;
    u = zero + ((u + 128) >> 8);
    return (int32_t)(u < lo ? lo : u > hi ? hi : u);
}

static void one_scaled_codes(uint64_t seed)
{
    static int32_t sum[HW_BLOCK + HW_SLACK], code[HW_BLOCK + HW_SLACK],
        other[HW_BLOCK + HW_SLACK];
    dscq_rng rng = dscq_rng_seeded(seed);
    const int32_t n = 1 + below(&rng, HW_BLOCK), leaky = below(&rng, 2);
    const int32_t slope = below(&rng, 32769), lo = -below(&rng, 32769),
                  hi = below(&rng, 32768), zero = below(&rng, 256) - 128;
    const hw_scale s = {below(&rng, 65536) - 32768,
                        below(&rng, 48),
                        below(&rng, 1 << 24) - (1 << 23),
                        zero,
                        lo,
                        hi,
                        leaky,
                        slope};
    const hw_residual r = {below(&rng, 65536) - 32768,
                           below(&rng, 65536) - 32768,
                           below(&rng, 48),
                           below(&rng, 256) - 128,
                           below(&rng, 256) - 128,
                           zero,
                           lo,
                           hi,
                           leaky,
                           slope};

    for (size_t i = 0; i < sizeof sum / sizeof sum[0]; i++) {
        sum[i] = (int32_t)((int64_t)dscq_rng_below(&rng, UINT64_C(1) << 32) -
                           (INT64_C(1) << 31)) >>
                 below(&rng, 24);
        other[i] = below(&rng, 65536) - 32768;
    }
    for (int f = 0; hw__kernels(f) != NULL; f++) {
        hw__kernels(f)->scale(code, sum, n, &s);
        for (int32_t j = 0; j < n; j++)
            ck_assert_int_eq(code[j],
                             finished(((int64_t)sum[j] * s.m >> s.shift) + s.bias,
                                      leaky, slope, zero, lo, hi));
        int32_t before[HW_BLOCK + HW_SLACK];
        memcpy(before, code, sizeof before);
        hw__kernels(f)->residual(code, other, n, &r);
        for (int32_t j = 0; j < n; j++)
            ck_assert_int_eq(
                code[j], finished(((int64_t)(before[j] - r.zero_self) * r.m_self +
                                   (int64_t)(other[j] - r.zero_other) * r.m_other) >>
                                      r.shift,
                                  leaky, slope, zero, lo, hi));
    }
}

START_TEST(sums_of_pairs)
{
    for (uint64_t seed = 0; seed < CASES; seed++)
        one_sums_of_pairs(seed);
}
END_TEST

START_TEST(pairs_of_codes)
{
    for (uint64_t seed = 0; seed < CASES; seed++)
        one_pairs_of_codes(seed);
}
END_TEST

START_TEST(squeezed_rows)
{
    for (uint64_t seed = 0; seed < CASES; seed++)
        one_squeezed_row(seed);
}
END_TEST

START_TEST(scaled_codes)
{
    for (uint64_t seed = 0; seed < CASES; seed++)
        one_scaled_codes(seed);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("hw/datapath");
    TCase *tc = tcase_create("datapath");

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, sums_of_pairs);
    tcase_add_test(tc, pairs_of_codes);
    tcase_add_test(tc, squeezed_rows);
    tcase_add_test(tc, scaled_codes);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return test_run(make_suite);
}
