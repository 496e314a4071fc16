#include "dscq/bo/linalg.h"

#include "linalg_internal.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

/* ---- our own ------------------------------------------------------------ */

static int own_factor(double *a, size_t n)
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

static void own_forward(const double *l, size_t n, double *b)
{
    for (size_t i = 0; i < n; i++) {
        double s = b[i];

        for (size_t k = 0; k < i; k++)
            s -= l[i * n + k] * b[k];
        b[i] = s / l[i * n + i];
    }
}

static void own_backward(const double *l, size_t n, double *b)
{
    for (size_t i = n; i-- > 0;) {
        b[i] /= l[i * n + i];
        for (size_t k = 0; k < i; k++)
            b[k] -= l[i * n + k] * b[i];
    }
}

/* L to L^-1 in place, then the lower triangle of L^-T L^-1. */
static int own_inverse(double *a, size_t n)
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

static void own_gram_add(double *h, const double *x, size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < n; i++) {
            const double v = x[r * n + i];

            for (size_t j = 0; j <= i && v != 0.0; j++)
                h[i * n + j] += v * x[r * n + j];
        }
}

static const linalg_table k_own = {"own",        own_factor,   own_forward,
                                   own_backward, own_gram_add, own_inverse};

/* ---- who does it -------------------------------------------------------- */

/* The only mutable objects here: decided once a process, so that results do not change
 * midway. */
static pthread_mutex_t deciding = PTHREAD_MUTEX_INITIALIZER;
static const linalg_table *_Atomic decided;

dscq_status dscq_linalg_begin(const dscq_log *log, dscq_error *err)
{
    const linalg_table *table = NULL;
    dscq_status status = DSCQ_OK;

    if (atomic_load(&decided) != NULL)
        return DSCQ_OK;
    (void)pthread_mutex_lock(&deciding);
    if (atomic_load(&decided) == NULL &&
        (status = bo__openblas(&table, err)) == DSCQ_OK) {
        if (table == NULL && DSCQ_WITH_BLAS)
            dscq_log_printf(log, DSCQ_LOG_INFO,
                            "OpenBLAS is not installed (libopenblas.so.0): slower code "
                            "of dscq's own does the linear algebra; last digits may "
                            "differ");
        atomic_store(&decided, table != NULL ? table : &k_own);
    }
    (void)pthread_mutex_unlock(&deciding);
    return status;
}

/* Whoever did not begin gets what there is without loading. */
static const linalg_table *table(void)
{
    const linalg_table *t = atomic_load(&decided);

    return t != NULL ? t : &k_own;
}

const char *dscq_linalg_name(void)
{
    return table()->name;
}

int dscq_chol_factor(double *a, size_t n)
{
    return table()->factor(a, n);
}

void dscq_chol_forward(const double *l, size_t n, double *b)
{
    table()->forward(l, n, b);
}

void dscq_chol_backward(const double *l, size_t n, double *b)
{
    table()->backward(l, n, b);
}

void dscq_gram_add(double *h, const double *x, size_t rows, size_t n)
{
    table()->gram_add(h, x, rows, n);
}

/* ---- on top of them ------------------------------------------------------ */

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
    if (!dscq_chol_factor(a, n) || !table()->inverse_from_factor(a, n))
        return 0;
    dscq_mirror(a, n);
    return 1;
}
