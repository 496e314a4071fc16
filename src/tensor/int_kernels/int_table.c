#include "int_internal.h"

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

const dscq_int_kernels FN(table) = {.name = TEXT(DSCQ_INT_FAMILY),
#define X(name) .name = FN(name),
                                    TENSOR_INT_LIST(X)
#undef X
};
