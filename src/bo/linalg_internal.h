/* Who does the linear algebra: a table for OpenBLAS, one for code of our own. */
#ifndef BO_LINALG_INTERNAL_H
#define BO_LINALG_INTERNAL_H

#include "dscq/base/status.h"

#include <stddef.h>

/* As in bo/linalg.h. */
typedef struct linalg_table {
    const char *name;
    int (*factor)(double *a, size_t n);
    void (*forward)(const double *l, size_t n, double *b);
    void (*backward)(const double *l, size_t n, double *b);
    void (*gram_add)(double *h, const double *x, size_t rows, size_t n);
    int (*inverse_from_factor)(double *a, size_t n); /* lower triangle */
} linalg_table;

/* Load OpenBLAS, on one thread. *out = NULL and DSCQ_OK: there is none. DSCQ_NOMEM:
 * there may be one but no memory for it. Not for two threads at once. */
dscq_status bo__openblas(const linalg_table **out, dscq_error *err);

#endif
