/* kernels_internal.h - names of the kernels of one family: FN(load) is
 * tensor__avx512_load in the avx512 objects. */
#ifndef TENSOR_KERNELS_INTERNAL_H
#define TENSOR_KERNELS_INTERNAL_H

#include "dscq/tensor/kernels.h"

#define TENSOR_PASTE(family, name) tensor__##family##_##name
#define TENSOR_NAME(family, name)  TENSOR_PASTE(family, name)
#define FN(name)                   TENSOR_NAME(DSCQ_FAMILY, name)

/* every function of dscq_kernels */
#define TENSOR_KERNEL_LIST(X)                                                          \
    X(load)                                                                            \
    X(mask)                                                                            \
    X(bn_back)                                                                         \
    X(stat)                                                                            \
    X(add_rows)                                                                        \
    X(gemm_packed_floats)                                                              \
    X(gemm_pack)                                                                       \
    X(gemm)                                                                            \
    X(gemm_tn_scratch_floats)                                                          \
    X(gemm_tn)                                                                         \
    X(dw_forward)                                                                      \
    X(dw_wgrad)                                                                        \
    X(dw_dgrad)                                                                        \
    X(transpose)                                                                       \
    X(im2col)                                                                          \
    X(col2im_add)                                                                      \
    X(maxpool)                                                                         \
    X(maxpool_back)                                                                    \
    X(avgpool)                                                                         \
    X(avgpool_back)                                                                    \
    X(upsample)                                                                        \
    X(upsample_back)                                                                   \
    X(add)                                                                             \
    X(mul)                                                                             \
    X(axpy)                                                                            \
    X(scale)                                                                           \
    X(sum)                                                                             \
    X(dot)                                                                             \
    X(abs_max)                                                                         \
    X(min_max)                                                                         \
    X(abs_histogram)                                                                   \
    X(quantise)                                                                        \
    X(softmax)                                                                         \
    X(sgd)                                                                             \
    X(adam)

#if defined(DSCQ_FAMILY)
#define X(name) extern __typeof__(*((const dscq_kernels *)0)->name) FN(name);
TENSOR_KERNEL_LIST(X)
#undef X
extern const dscq_kernels FN(table);
#endif

#endif
