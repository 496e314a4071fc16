/* A small network by hand: each of its numbers is known. */
#ifndef QMODEL_LEGAL_H
#define QMODEL_LEGAL_H

#include "dscq/qnet/qmodel.h"

/* in 6x6x4 -> conv 3x3 -> a 6x6x4; add(in, a) -> b; avgpool 2x2 -> c; lut -> d */
dscq_qmodel *qmodel_legal(void);

#endif
