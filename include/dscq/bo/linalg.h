/*
 * bo/linalg.h - symmetric positive definite systems in double: the few LAPACK routines
 * that the Gaussian process and second-order compression need.
 *
 * Matrices are n x n, dense, row-major; a factor fills the lower triangle (the upper
 * one is left as it was). With OpenBLAS its dpotrf, dpotri, dtrsv and dsyrk do the
 * work, on one thread; where it is not installed, or switched off (DSCQ_WITH_BLAS=OFF),
 * code of our own does, a few times slower. The two differ in the last digits.
 */
#ifndef DSCQ_BO_LINALG_H
#define DSCQ_BO_LINALG_H

#include "dscq/base/log.h"
#include "dscq/base/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Before anything else here: loads OpenBLAS if it is installed, the first time in a
 * process; says on the log (may be NULL) if it is not. It starts no threads, whatever
 * OPENBLAS_NUM_THREADS says. DSCQ_NOMEM: no memory to load it; may be tried again. Safe
 * from any thread. */
dscq_status dscq_linalg_begin(const dscq_log *log, dscq_error *err);
/* a = L * L^T in place. 0: not positive definite (a is then spoilt), else 1. */
int dscq_chol_factor(double *a, size_t n);
/* The same, adding 0, then 1e-10, 1e-9, ... 1e-2 times the mean of the diagonal to the
 * diagonal until it works; *jitter is what was added. `a` is kept, l gets the factor.
 * 0: not even then. */
int dscq_chol_ladder(double *l, const double *a, size_t n, double *jitter);
void dscq_chol_forward(const double *l, size_t n, double *b);  /* b = L^-1 b   */
void dscq_chol_backward(const double *l, size_t n, double *b); /* b = L^-T b   */
double dscq_chol_logdet(const double *l, size_t n);            /* log |L L^T|  */
/* a = a^-1, both triangles. 0: not positive definite. */
int dscq_spd_inverse(double *a, size_t n);
/* h += X^T X, lower triangle only; h is n x n, X rows x n. */
void dscq_gram_add(double *h, const double *x, size_t rows, size_t n);
/* Copy the lower triangle to the upper one. */
void dscq_mirror(double *a, size_t n);
/* "openblas" or "own", for the run manifest; "own" before dscq_linalg_begin(). */
const char *dscq_linalg_name(void);

#ifdef __cplusplus
}
#endif
#endif
