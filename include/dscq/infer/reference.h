/*
 * infer/reference.h - what a packed file computes: the definition.
 *
 * Slow and obvious, one function an operation (qnet/qops.def), exact integers of 64
 * bits, straight from docs/arithmetic.md. It shares no arithmetic with the fast
 * runtime (infer/runtime.h) or the machine model; all three must give the same bytes.
 */
#ifndef DSCQ_INFER_REFERENCE_H
#define DSCQ_INFER_REFERENCE_H

#include "dscq/base/status.h"
#include "dscq/qnet/qmodel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Called after every node, in order; `codes` is its output tensor in stored form
 * (1 or 2 bytes a code, host order), borrowed until the call returns. NULL: not
 * wanted. Anything but DSCQ_OK stops the run and is returned. */
typedef dscq_status dscq_infer_observer(void *ctx, int32_t node, const dscq_qtensor *t,
                                        const void *codes, dscq_error *err);

/* Run the whole network on one image.
 *   m       has passed dscq_qmodel_check()
 *   input   m->input_count pointers to stored codes, in the order of m->input
 *   output  NULL, or m->output_count pointers to dscq_qtensor_bytes() each, filled
 * Input codes outside their tensor's range are DSCQ_ARG. */
dscq_status dscq_infer_reference(const dscq_qmodel *m, const void *const *input,
                                 void *const *output, dscq_infer_observer *observe,
                                 void *ctx, dscq_error *err);

/* One node alone: x[i] and y are stored codes of its tensors. For replaying test
 * vectors and for finding which rule differs. */
dscq_status dscq_infer_node(const dscq_qmodel *m, const dscq_qnode *n,
                            const void *const *x, void *y, dscq_error *err);

/* Input codes of an image: `pixel` is h x w x c bytes of tensor t's size, already
 * resized (docs/arithmetic.md section 2). */
void dscq_infer_quantise_image(const dscq_qmodel *m, const dscq_qinput *in,
                               const uint8_t *pixel, void *codes);
/* Input codes of real values, h x w x c; a NaN becomes the zero point. */
void dscq_infer_quantise_real(const dscq_qtensor *t, const float *x, void *codes);
/* real = scale * (code - zero point) */
void dscq_infer_dequantise(const dscq_qtensor *t, const void *codes, double *x);
/* Largest code of a tensor, the lower index on a tie. */
int32_t dscq_infer_class(const dscq_qtensor *t, const void *codes);

#ifdef __cplusplus
}
#endif
#endif
