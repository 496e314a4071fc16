/*
 * infer/verify.h - golden digests inside the file, and finding the first difference.
 *
 * A packed file may hold a few inputs with the CRC-32 of every node's output bytes
 * (stored codes, little endian). A network with several inputs is given codes for each.
 * Whoever executes the file can check itself against them without a data set.
 */
#ifndef DSCQ_INFER_VERIFY_H
#define DSCQ_INFER_VERIFY_H

#include "dscq/base/status.h"
#include "dscq/infer/reference.h"
#include "dscq/qnet/qmodel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Run the reference on n embedded inputs and keep them and their digests in m,
 * replacing earlier ones; n = 0 removes them. input[i * m->input_count + j]: stored
 * codes of input j of the network in embedded input i; NULL: the standard ones, which
 * take no room. DSCQ_ARG for n above 64. */
dscq_status dscq_infer_make_digests(dscq_qmodel *m, int32_t n, const void *const *input,
                                    dscq_error *err);

/* Where two executions first differ. node -1: nowhere. */
typedef struct dscq_infer_difference {
    int32_t image, node;          /* digest input, node index                    */
    int32_t channel, row, column; /* -1: only the digest is known to differ       */
    int32_t want, got;            /* codes there                                 */
    uint32_t want_crc, got_crc;
} dscq_infer_difference;

/* Execute the embedded inputs with the fast runtime's kernels `kernels` (NULL: the
 * best) and compare every node with its digest. On the first wrong one the reference
 * tells the place. DSCQ_MISMATCH with a message naming image, layer, channel, row and
 * column; *out (may be NULL) has the same as numbers. DSCQ_ARG: no digests inside. */
dscq_status dscq_infer_verify(dscq_infer_difference *out, const dscq_qmodel *m,
                              const char *kernels, dscq_error *err);

/* All nodes' outputs for all embedded inputs as a file (docs/format.md section 9), and
 * the comparison of such a file, made by anybody, with the reference. Atomic. */
dscq_status dscq_infer_dump(const char *path, const dscq_qmodel *m, dscq_error *err);
dscq_status dscq_infer_verify_dump(dscq_infer_difference *out, const dscq_qmodel *m,
                                   const char *path, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
