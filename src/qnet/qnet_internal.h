/* Shared inside the qnet module. */
#ifndef QNET_INTERNAL_H
#define QNET_INTERNAL_H

#include "dscq/qnet/limits.h"

/* What a convolution demands of its weights' values, which must be there. */
dscq_status qnet__check_values(const dscq_qmodel *m, const dscq_qnode *n,
                               dscq_error *err);
/* The rules of n's operation, its links being valid. */
dscq_status qnet__check_node(const dscq_qmodel *m, const dscq_qnode *n,
                             dscq_error *err);

#endif
