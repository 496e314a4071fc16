#include "kernels_internal.h"

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

const dscq_kernels FN(table) = {.name = TEXT(DSCQ_FAMILY),
                                .lanes = DSCQ_LANES,
#define X(name) .name = FN(name),
                                TENSOR_KERNEL_LIST(X)
#undef X
};
