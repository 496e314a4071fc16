/*
 * import/darknet.h - Darknet `.weights` files: read into a model, write from one.
 *
 * The network text itself is an ordinary net.cfg (nn/model.h). Layout of a weights
 * file, little endian (facts from the formats' two public parsers, checked against
 * published files):
 *
 *   int32 major, minor, revision; then `seen`: uint64 when major*10 + minor >= 2,
 *   else uint32; then float32 values, in cfg order, no names, no padding:
 *   convolutional  bias[n] or, with batch_normalize, beta, gamma, mean, var [n];
 *                  then weight [n][c/groups][rows][columns]
 *   connected      bias[out], weight[out][in], then with batch_normalize gamma, mean,
 *                  var (bias is beta); major or minor > 1000: weight[in][out]
 *   batchnorm      beta, gamma, mean, var [c]; no beta in pjreddie's dialect, where
 *                  it is 0
 *
 * Nothing may be left over and nothing may be missing: either means that the cfg
 * is not the one the weights were trained with, and is DSCQ_FORMAT with both sizes.
 */
#ifndef DSCQ_IMPORT_DARKNET_H
#define DSCQ_IMPORT_DARKNET_H

#include "dscq/base/status.h"
#include "dscq/nn/model.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Batch norm divides by sqrt(var + eps), or by sqrt(var) + 1e-6: variances in memory
 * are of the first kind and converted on the way (exact to float rounding where the
 * result is not below 0). */
typedef enum dscq_darknet_dialect {
    DSCQ_DARKNET_ALEXEYAB,
    DSCQ_DARKNET_PJREDDIE
} dscq_darknet_dialect;

typedef struct dscq_darknet_info {
    int32_t major, minor, revision;
    uint64_t seen;         /* images trained on                        */
    uint64_t float_count;  /* values in the file                       */
    int32_t layers_loaded; /* nodes that took weights                  */
    int32_t first_left;    /* DSCQ_DARKNET_LEADING: node without; -1: none */
    int32_t layers_left;   /* such nodes                               */
} dscq_darknet_info;

/* A cutoff: the whole layers that the file begins with; the others stay as they are. */
enum { DSCQ_DARKNET_LEADING = -1 };

/* Fill the weights of `m`, whose graph came from the matching cfg; its `dialect` key
 * ([net]) is the file's. `cutoff` > 0
 * stops after that many nodes (a pretrained body, as Darknet's "partial" files
 * are used): then values may be left over. info may be NULL. DSCQ_DARKNET_LEADING: a
 * file may end behind any layer with weights (darknet53.conv.74), to train on from
 * there. On failure `m` is unspecified but valid. */
dscq_status dscq_darknet_load(dscq_model *m, const char *path, int32_t cutoff,
                              dscq_darknet_info *info, dscq_error *err);

/* Write the weights of `m` (version 0.2.5), atomically. DSCQ_UNSUPPORTED when a
 * node cannot be said in this format (a normalised add, say), by name. */
dscq_status dscq_darknet_save(const dscq_model *m, const char *path, uint64_t seen,
                              dscq_darknet_dialect dialect, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
