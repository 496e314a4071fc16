/*
 * compress/quantize.h - quantised weights of one node, quantised activations of one
 * edge: what every compression method ends in and what the packer writes.
 *
 * Integers first: a weight IS scale * value, value an integer found from a code
 * (docs/arithmetic.md section 7). The float copy that training and evaluation use is
 * made from the integers (dscq_wquant_apply), so both compute the same network.
 */
#ifndef DSCQ_COMPRESS_QUANTIZE_H
#define DSCQ_COMPRESS_QUANTIZE_H

#include "dscq/base/status.h"
#include "dscq/nn/exec.h"
#include "dscq/nn/model.h"
#include "dscq/qnet/qmodel.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_wquant {
    /* Integers: 0 wherever mask is 0. bits: 2..8 codebook, 2..8 or 16 linear
     * (symmetric, |v| < 2^(b-1)), 1 binary. Codebook: entries 1.. ascend. */
    dscq_qweights w;
    uint16_t *code; /* [count] code of each value; 0 is the value 0                   */
                    /* (binary: 1 = negative in low blocks, 8-bit number else)        */
    uint8_t *mask;  /* [count] 1 = kept, 0 = pruned                                   */
    size_t nonzero; /* values that are not 0                                          */
    int32_t scale_count; /* 1, or k: one per output channel                           */
    double *scale;       /* [scale_count] > 0                                         */
    int16_t edge[DSCQ_CODEBOOK_MAX]; /* between entries e and e + 1, in half steps    */
    double codebook_real[DSCQ_CODEBOOK_MAX]; /* codebook * scale[0]; in units of the
                                                channel's scale when scale_count > 1 */
} dscq_wquant;

/* Zeroed, mask all 1, scales 1. scale_count 1 or w->k; block is used by the binary
 * form only. Owned by the caller: dscq_wquant_destroy(). */
dscq_status dscq_wquant_create(dscq_wquant **out, const dscq_weights *w,
                               dscq_qform form, int32_t bits, int32_t scale_count,
                               int32_t block, dscq_error *err);
dscq_status dscq_wquant_clone(dscq_wquant **out, const dscq_wquant *q, dscq_error *err);
void dscq_wquant_destroy(dscq_wquant *q); /* NULL is fine */

/* Set the codebook from real levels (n <= 255, in units of the channel's scale when
 * there are several): entries are rounded half away from zero to the signed 8-bit
 * grid whose step is max|level|/127, repeats and zeros dropped; all scales are
 * multiplied by the step. Values and codes are left to dscq_wquant_assign(). */
void dscq_wquant_set_levels(dscq_wquant *q, const double *level, int32_t n);
/* The same from the entries themselves: ascending whole numbers other than 0, n <= 255,
 * at most 255 from 0, of a grid with that step. */
void dscq_wquant_set_codes(dscq_wquant *q, const int16_t *entry, int32_t n,
                           double step);
/* After set_levels with the same ascending levels: edge[i] lies between level[i] and
 * level[i + 1], in their units; a weight beyond an edge belongs to the next level. An
 * edge is rounded to half a grid step and kept at least half a step away from both its
 * entries, so that a rounded level stays inside its own interval; between a negative
 * and a positive entry the sign decides. Without this call edges are midpoints. */
void dscq_wquant_set_edges(dscq_wquant *q, const double *level, const double *edge,
                           int32_t n);

/* Values and codes for the weights w[count], everything else as it is: the nearest
 * value the form has (codebook: the nonzero entry between whose edges it lies, on an
 * edge the one of smaller magnitude, for kept weights), 0 where the mask says so.
 * Binary: sign(w), +-0 counts as plus. Same answer for the same w (idempotent on its
 * own output). */
void dscq_wquant_assign(dscq_wquant *q, const float *w);

/* out[i] = (float)(scale * value[i]): what w_used shall be. */
void dscq_wquant_apply(const dscq_wquant *q, float *out);
/* Both at once, without storing values or codes: what a training step needs. */
void dscq_wquant_fake(const dscq_wquant *q, const float *w, float *out);

/* Every rule above; DSCQ_INTERNAL naming the broken one. */
dscq_status dscq_wquant_check(const dscq_wquant *q, dscq_error *err);

/* Bits of the layer by definitions A (values only) and C (entropy of positions and
 * codes, a lower bound) of docs/methods.md; definition B is the file's business. */
double dscq_wquant_bits_values(const dscq_wquant *q);
dscq_status dscq_wquant_bits_entropy(double *out, const dscq_wquant *q,
                                     dscq_error *err);
/* Signal to quantisation noise of the weights against w[count], dB; +inf if equal. */
double dscq_wquant_sqnr_db(const dscq_wquant *q, const float *w);

/* The activation of one edge: real = scale * (code - zero_point), docs/arithmetic.md
 * section 1. bits 4..16. */
typedef struct dscq_aquant {
    double scale;
    int32_t zero_point, bits, is_signed;
} dscq_aquant;

/* The narrowest grid of `bits` that holds [lo, hi] and 0 exactly: scale from the
 * range, zero point nudged to a code. lo <= hi; a range of no width gets scale 1. A
 * range that does not go below 0 gets the lowest code as zero point, so that an edge
 * behind ReLU uses every code. */
dscq_aquant dscq_aquant_make(double lo, double hi, int32_t bits, int is_signed);
/* The lowest code. */
int32_t dscq_aquant_low(const dscq_aquant *a);
/* The interval of values that the codes stand for. */
void dscq_aquant_range(const dscq_aquant *a, double *lo, double *hi);
/* The same for the engine's fake quantisation. */
dscq_act_quant dscq_aquant_fake(const dscq_aquant *a);

#ifdef __cplusplus
}
#endif
#endif
