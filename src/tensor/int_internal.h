/* int_internal.h - names of the integer kernels of one family. */
#ifndef TENSOR_INT_INTERNAL_H
#define TENSOR_INT_INTERNAL_H

#include "dscq/tensor/int_kernels.h"

#define TENSOR_INT_PASTE(family, name) tensor__int_##family##_##name
#define TENSOR_INT_NAME(family, name)  TENSOR_INT_PASTE(family, name)
#define FN(name)                       TENSOR_INT_NAME(DSCQ_INT_FAMILY, name)

/* every function of dscq_int_kernels */
#define TENSOR_INT_LIST(X)                                                             \
    X(requant_bytes)                                                                   \
    X(requant_pack)                                                                    \
    X(requant)                                                                         \
    X(gemm_packed_bytes)                                                               \
    X(gemm_pack)                                                                       \
    X(gemm)                                                                            \
    X(gemm_lines)                                                                      \
    X(sparse_packed_bytes)                                                             \
    X(sparse_pack)                                                                     \
    X(sparse_scratch_bytes)                                                            \
    X(sparse_gemm)                                                                     \
    X(dw_packed_bytes)                                                                 \
    X(dw_pack)                                                                         \
    X(dw_row)                                                                          \
    X(im2col)                                                                          \
    X(sum_bytes)                                                                       \
    X(max_bytes)                                                                       \
    X(total_bytes)

#if defined(DSCQ_INT_FAMILY)
#define X(name) extern __typeof__(*((const dscq_int_kernels *)0)->name) FN(name);
TENSOR_INT_LIST(X)
#undef X
extern const dscq_int_kernels FN(table);
#endif

#endif
