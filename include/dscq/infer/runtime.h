/*
 * infer/runtime.h - the packed network at speed, with the reference's bytes.
 *
 * Everything is planned and packed once: a pass allocates nothing. Images of a batch
 * run on the pool's threads, one thread an image; the bytes do not depend on the
 * number of threads nor on the CPU family, since all arithmetic is exact (tested
 * equal to infer/reference.h on random networks).
 */
#ifndef DSCQ_INFER_RUNTIME_H
#define DSCQ_INFER_RUNTIME_H

#include "dscq/base/par.h"
#include "dscq/base/status.h"
#include "dscq/infer/reference.h"
#include "dscq/qnet/qmodel.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_runtime dscq_runtime;

typedef struct dscq_runtime_options {
    dscq_pool *pool; /* borrowed; NULL: this thread alone                          */
    /* A family of tensor/int_kernels.h ("avx512vnni", "avx2", "portable"); NULL: the
     * best of this CPU. DSCQ_UNSUPPORTED when the CPU lacks it. */
    const char *kernels;
} dscq_runtime_options;

/* m is borrowed and must outlive the runtime; it has passed dscq_qmodel_check().
 * options NULL: one thread, best kernels. */
dscq_status dscq_runtime_create(dscq_runtime **out, const dscq_qmodel *m,
                                const dscq_runtime_options *options, dscq_error *err);
void dscq_runtime_destroy(dscq_runtime *r); /* NULL is fine */

/* n images. input[i * input_count + j]: stored codes of input j of image i;
 * output[i * output_count + j] likewise, filled. Codes must lie in their tensor's
 * range (quantise functions of reference.h see to that); they are not checked. */
void dscq_runtime_run(dscq_runtime *r, int32_t n, const void *const *input,
                      void *const *output);

/* One image with every node's output shown, as dscq_infer_reference(). */
dscq_status dscq_runtime_trace(dscq_runtime *r, const void *const *input,
                               dscq_infer_observer *observe, void *ctx,
                               dscq_error *err);

const char *dscq_runtime_kernels(const dscq_runtime *r); /* for the run manifest */
/* Planned: activations and scratch of one thread, packed weights. */
size_t dscq_runtime_arena_bytes(const dscq_runtime *r);
size_t dscq_runtime_weight_bytes(const dscq_runtime *r);

/* Seconds spent in each node so far, when a clock was given; now NULL: off. Only
 * worker 0's work is counted. */
void dscq_runtime_profile(dscq_runtime *r, double (*now)(void));
double dscq_runtime_seconds(const dscq_runtime *r, int32_t node);

#ifdef __cplusplus
}
#endif
#endif
