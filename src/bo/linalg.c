#include "dscq/bo/linalg.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#if DSCQ_WITH_BLAS

/* Fortran's names; a character argument has a hidden length at the end. Row-major lower
 * is column-major upper. */
extern void dpotrf_(const char *uplo, const int *n, double *a, const int *lda,
                    int *info, size_t uplo_len);
extern void dpotri_(const char *uplo, const int *n, double *a, const int *lda,
                    int *info, size_t uplo_len);
extern void dtrsv_(const char *uplo, const char *trans, const char *diag, const int *n,
                   const double *a, const int *lda, double *x, const int *incx,
                   size_t uplo_len, size_t trans_len, size_t diag_len);
extern void dsyrk_(const char *uplo, const char *trans, const int *n, const int *k,
                   const double *alpha, const double *a, const int *lda,
                   const double *beta, double *c, const int *ldc, size_t uplo_len,
                   size_t trans_len);
extern void openblas_set_num_threads(int threads);

static const int k_one = 1;

int dscq_chol_factor(double *a, size_t n)
{
    const int size = (int)n;
    int info = 0;

    if (n == 0)
        return 1;
    openblas_set_num_threads(1); /* the same bytes on any machine of this kind */
    dpotrf_("U", &size, a, &size, &info, 1);
    return info == 0;
}

void dscq_chol_forward(const double *l, size_t n, double *b)
{
    const int size = (int)n;

    if (n > 0)
        dtrsv_("U", "T", "N", &size, l, &size, b, &k_one, 1, 1, 1);
}

void dscq_chol_backward(const double *l, size_t n, double *b)
{
    const int size = (int)n;

    if (n > 0)
        dtrsv_("U", "N", "N", &size, l, &size, b, &k_one, 1, 1, 1);
}

static int inverse_from_factor(double *a, size_t n)
{
    const int size = (int)n;
    int info = 0;

    dpotri_("U", &size, a, &size, &info, 1);
    return info == 0;
}

void dscq_gram_add(double *h, const double *x, size_t rows, size_t n)
{
    const int size = (int)n, k = (int)rows;
    const double one = 1.0;

    if (rows == 0 || n == 0)
        return;
    openblas_set_num_threads(1);
    dsyrk_("U", "N", &size, &k, &one, x, &size, &one, h, &size, 1, 1);
}

const char *dscq_linalg_name(void)
{
    return "openblas";
}

#else

int dscq_chol_factor(double *a, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        double *aj = a + j * n;
        double d = aj[j];

        for (size_t k = 0; k < j; k++)
            d -= aj[k] * aj[k];
        if (!(d > 0.0) || !isfinite(d))
            return 0;
        d = sqrt(d);
        aj[j] = d;
        for (size_t i = j + 1; i < n; i++) {
            double *ai = a + i * n;
            double s = ai[j];

            for (size_t k = 0; k < j; k++)
                s -= ai[k] * aj[k];
            ai[j] = s / d;
        }
    }
    return 1;
}

void dscq_chol_forward(const double *l, size_t n, double *b)
{
    for (size_t i = 0; i < n; i++) {
        double s = b[i];

        for (size_t k = 0; k < i; k++)
            s -= l[i * n + k] * b[k];
        b[i] = s / l[i * n + i];
    }
}

void dscq_chol_backward(const double *l, size_t n, double *b)
{
    for (size_t i = n; i-- > 0;) {
        b[i] /= l[i * n + i];
        for (size_t k = 0; k < i; k++)
            b[k] -= l[i * n + k] * b[i];
    }
}

/* L to L^-1 in place, then the lower triangle of L^-T L^-1. */
static int inverse_from_factor(double *a, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        a[j * n + j] = 1.0 / a[j * n + j];
        for (size_t i = j + 1; i < n; i++) {
            double s = 0.0;

            for (size_t k = j; k < i; k++)
                s -= a[i * n + k] * a[k * n + j];
            a[i * n + j] = s / a[i * n + i];
        }
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            double s = 0.0;

            for (size_t k = i; k < n; k++)
                s += a[k * n + i] * a[k * n + j];
            a[i * n + j] = s; /* rows below i are still needed, row i no more */
        }
    return 1;
}

void dscq_gram_add(double *h, const double *x, size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < n; i++) {
            const double v = x[r * n + i];

            for (size_t j = 0; j <= i && v != 0.0; j++)
                h[i * n + j] += v * x[r * n + j];
        }
}

const char *dscq_linalg_name(void)
{
    return "own";
}

#endif

int dscq_chol_ladder(double *l, const double *a, size_t n, double *jitter)
{
    double mean = 0.0;

    for (size_t i = 0; i < n; i++)
        mean += a[i * n + i] / (double)n;
    *jitter = 0.0;
    for (double step = 0.0; step <= 1.5e-2; step = step > 0.0 ? step * 10.0 : 1e-10) {
        memcpy(l, a, n * n * sizeof *l);
        for (size_t i = 0; i < n; i++)
            l[i * n + i] += step * mean;
        *jitter = step * mean;
        if (dscq_chol_factor(l, n))
            return 1;
    }
    return 0;
}

double dscq_chol_logdet(const double *l, size_t n)
{
    double s = 0.0;

    for (size_t i = 0; i < n; i++)
        s += log(l[i * n + i]);
    return 2.0 * s;
}

void dscq_mirror(double *a, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            a[j * n + i] = a[i * n + j];
}

int dscq_spd_inverse(double *a, size_t n)
{
    if (!dscq_chol_factor(a, n) || !inverse_from_factor(a, n))
        return 0;
    dscq_mirror(a, n);
    return 1;
}
