/* Shared inside the infer module. */
#ifndef INFER_INTERNAL_H
#define INFER_INTERNAL_H

#include "dscq/infer/reference.h"

/* A tensor of the reference: its codes widened. */
typedef struct ref_map {
    const dscq_qtensor *t;
    int32_t *q; /* [h*w*c] */
} ref_map;

typedef void ref_fn(const dscq_qnode *n, const ref_map *x, ref_map *y);

#define DSCQ_QOP(name, id, meaning, traits) ref_fn infer__ref_##name;
#include "dscq/qnet/qops.def"
#undef DSCQ_QOP

#endif
