/* The loops of the data path, one table for each family of CPUs; all give the same
 * sums (integers, any order). Written for the machine alone: nothing here is shared
 * with the reference that the machine is compared with.
 *
 * Pairs. Inputs are kept as pairs of 16-bit numbers (code minus zero point, at most 15
 * bits) in one 32-bit word, the lower column in the low half; weights likewise, so
 * that one word of each gives two products.
 *
 * Buffers may be read and written up to HW_SLACK words beyond the n that is asked
 * for. */
#ifndef HW_KERNELS_H
#define HW_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum { HW_GROUP = 16, HW_BLOCK = 64, HW_SLACK = 16 };

/* docs/arithmetic.md section 3 after the sum: y = clamp(zero + (((sum * m >> shift) +
 * bias, leaky) + 128 >> 8)). */
typedef struct hw_scale {
    int32_t m, shift, bias, zero, lo, hi, is_leaky, slope_q15;
} hw_scale;

/* Section 4, sum of two: q = own, other. */
typedef struct hw_residual {
    int32_t m_self, m_other, shift, zero_self, zero_other, zero, lo, hi, is_leaky,
        slope_q15;
} hw_residual;

/* Where pairs come from: two lines of 8-bit codes, `step` bytes to the next pair's;
 * code ^ flip, taken as signed, minus zero. */
typedef struct hw_pair_source {
    const uint8_t *even, *odd; /* of pair `first` */
    size_t step;
    uint32_t first;
    uint8_t flip;
    int16_t zero;
} hw_pair_source;

/* The two lines of pair `number`. */
typedef struct hw_pair_lines {
    const uint8_t *even, *odd;
} hw_pair_lines;

static inline hw_pair_lines hw__pair_lines(const hw_pair_source *f, uint32_t number)
{
    const size_t at = (number - f->first) * f->step;

    return (hw_pair_lines){f->even + at, f->odd + at};
}

typedef struct hw_kernels {
    const char *name;
    /* sum[j] = sum over entries of both products of value[e] and x[at[e] * stride + j],
     * j < n <= HW_BLOCK */
    void (*mac)(int32_t *sum, const int32_t *x, size_t stride, const uint32_t *at,
                const int32_t *value, uint32_t entries, int32_t n);
    /* n pixels of the pairs list[0..count): to[list[i] * stride + j] */
    void (*pair_up)(int32_t *to, size_t stride, const hw_pair_source *from,
                    const uint32_t *list, size_t count, int32_t n);
    /* to[j] = the pair of codes 2 j and 2 j + 1 of from->even, j < n */
    void (*pair_next)(int32_t *to, const hw_pair_source *from, int32_t n);
    /* The pairs of row[0 .. 2 n) that are not both zero: number and pair. How many. */
    uint32_t (*squeeze)(uint32_t *at, int32_t *value, const int16_t *row, uint32_t n);
    void (*scale)(int32_t *code, const int32_t *sum, int32_t n, const hw_scale *s);
    void (*residual)(int32_t *code, const int32_t *other, int32_t n,
                     const hw_residual *r);
} hw_kernels;

extern const hw_kernels hw__kernels_avx512; /* x86-64 only */

/* Best first; NULL beyond the last family that this CPU runs. */
const hw_kernels *hw__kernels(int i);

#endif
