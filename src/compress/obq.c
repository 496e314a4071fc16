/* Optimal Brain Quantiser for one matrix: rows are independent, all share H. */
#include "compress_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/bo/linalg.h"
#include "dscq/compress/post.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double k_damp = 0.01;

typedef struct obq_job {
    size_t rows, cols;
    const float *w;
    const double *inverse; /* of the damped H */
    const double *step;
    double *loss;   /* [rows][cols] of pruning the k-th weight of a row; +inf beyond */
    size_t *count;  /* [rows] weights to prune; NULL in the first pass                */
    size_t longest; /* first pass: weights of a row to try                            */
    int32_t top;    /* largest integer */
    int16_t *value;
    double **inv; /* [workers] cols * cols */
    double **row; /* [workers] cols: weights; then 0/1 alive as double   */
} obq_job;

/* Take weight j out at value q: the others make up for it. */
static void eliminate(double *inv, double *w, double *alive, size_t n, size_t j,
                      double q)
{
    const double d = inv[j * n + j], e = (w[j] - q) / d;

    for (size_t i = 0; i < n; i++)
        if (alive[i] != 0.0)
            w[i] -= inv[j * n + i] * e;
    w[j] = q;
    alive[j] = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double f = inv[i * n + j] / d;
        double *row = inv + i * n;
        const double *base = inv + j * n;

        if (alive[i] == 0.0 || f == 0.0)
            continue;
        for (size_t k = 0; k < n; k++)
            row[k] -= f * base[k];
    }
}

static double rounded(double w, double step, int32_t top)
{
    double q = compress_round(w / step);

    q = q > top ? top : q < -top ? -top : q;
    return q * step;
}

/* The weight that costs least to prune. */
static size_t cheapest(const double *inv, const double *w, const double *alive,
                       size_t n, double *cost)
{
    size_t best = 0;

    *cost = (double)INFINITY;
    for (size_t j = 0; j < n; j++) {
        const double c =
            alive[j] != 0.0 ? w[j] * w[j] / inv[j * n + j] : (double)INFINITY;

        if (c < *cost) {
            *cost = c;
            best = j;
        }
    }
    return best;
}

/* The next weight to round: the cheapest, or one that strayed beyond its grid while
 * others were fixed (error above half a step), the worst of those first. */
static size_t next_to_round(const obq_job *o, const double *inv, const double *w,
                            const double *alive, double step)
{
    const size_t n = o->cols;
    size_t best = n, worst = n;
    double least = (double)INFINITY, most = 0.25 * step * step * (1.0 + 1e-9);

    for (size_t j = 0; j < n; j++) {
        if (alive[j] == 0.0)
            continue;
        const double e = w[j] - rounded(w[j], step, o->top), sq = e * e;
        if (sq / inv[j * n + j] < least || best == n) {
            least = sq / inv[j * n + j];
            best = j;
        }
        if (sq > most) {
            most = sq;
            worst = j;
        }
    }
    return worst < n ? worst : best;
}

static void row_task(void *ctx, size_t r, int worker)
{
    obq_job *o = ctx;
    const size_t n = o->cols;
    double *inv = o->inv[worker], *w = o->row[worker], *alive = w + n;
    const size_t cuts = o->count != NULL ? o->count[r] : o->longest;
    size_t left = n;

    memcpy(inv, o->inverse, n * n * sizeof *inv);
    for (size_t j = 0; j < n; j++) {
        w[j] = (double)o->w[r * n + j];
        alive[j] = 1.0;
    }
    for (size_t k = 0; k < cuts; k++, left--) {
        double cost;
        const size_t j = cheapest(inv, w, alive, n, &cost);

        if (o->count == NULL)
            o->loss[r * n + k] = cost;
        eliminate(inv, w, alive, n, j, 0.0);
    }
    for (; o->count != NULL && left > 0; left--) {
        const size_t j = next_to_round(o, inv, w, alive, o->step[r]);
        eliminate(inv, w, alive, n, j, rounded(w[j], o->step[r], o->top));
    }
    for (size_t j = 0; o->count != NULL && j < n; j++)
        o->value[r * n + j] = (int16_t)compress_round(w[j] / o->step[r]);
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* How many weights each row gives up: the cheapest of all traces, row by row a prefix
 * (losses are made monotone first). */
static dscq_status share_cuts(obq_job *o, size_t total, dscq_error *err)
{
    const size_t n = o->rows * o->cols;
    double *all = dscq_malloc(n, sizeof *all);
    size_t taken = 0;

    if (all == NULL)
        return dscq_fail_nomem(err, "pruning losses", n * sizeof *all);
    for (size_t r = 0; r < o->rows; r++)
        for (size_t k = 1; k < o->longest; k++) {
            double *l = &o->loss[r * o->cols + k];
            *l = *l > l[-1] ? *l : l[-1];
        }
    memcpy(all, o->loss, n * sizeof *all);
    qsort(all, n, sizeof *all, ascending);
    const double edge = total > 0 ? all[total - 1] : -1.0;
    for (int ties = 0; ties < 2; ties++) /* below the edge, then at it in row order */
        for (size_t r = 0; r < o->rows; r++)
            while (taken < total && o->count[r] < o->longest) {
                const double l = o->loss[r * o->cols + o->count[r]];
                if (ties ? !(l <= edge) : !(l < edge))
                    break;
                o->count[r]++;
                taken++;
            }
    dscq_free(all);
    return DSCQ_OK;
}

static void free_work(obq_job *o, int workers)
{
    for (int i = 0; i < workers; i++) {
        if (o->inv != NULL)
            dscq_free(o->inv[i]);
        if (o->row != NULL)
            dscq_free(o->row[i]);
    }
    dscq_free(o->inv);
    dscq_free(o->row);
    dscq_free(o->loss);
    dscq_free(o->count);
}

static dscq_status make_work(obq_job *o, int workers, dscq_error *err)
{
    int good = 1;

    o->inv = dscq_calloc((size_t)workers, sizeof *o->inv);
    o->row = dscq_calloc((size_t)workers, sizeof *o->row);
    o->loss = dscq_malloc(o->rows * o->cols, sizeof *o->loss);
    for (int i = 0; i < workers && o->inv != NULL && o->row != NULL; i++) {
        o->inv[i] = dscq_malloc(o->cols * o->cols, sizeof **o->inv);
        o->row[i] = dscq_malloc(2 * o->cols, sizeof **o->row);
        good = good && o->inv[i] != NULL && o->row[i] != NULL;
    }
    if (o->inv == NULL || o->row == NULL || o->loss == NULL || !good)
        return dscq_fail_nomem(err, "second-order rounding",
                               8ULL * o->cols * o->cols * (unsigned)workers);
    return DSCQ_OK;
}

/* H^-1 of the damped H; inputs that are always 0 have a diagonal of 1 and no weight. */
static dscq_status invert(double *inverse, const double *h, size_t n, dscq_error *err)
{
    double mean = 0.0;

    for (size_t i = 0; i < n; i++)
        mean += h[i * n + i] / (double)n;
    mean = mean > 0.0 ? mean : 1.0;
    for (double damp = k_damp; damp < 10.0; damp *= 10.0) {
        memcpy(inverse, h, n * n * sizeof *inverse);
        for (size_t i = 0; i < n; i++)
            inverse[i * n + i] = h[i * n + i] > 0.0 ? h[i * n + i] + damp * mean : 1.0;
        if (dscq_spd_inverse(inverse, n))
            return DSCQ_OK;
    }
    return dscq_fail(err, DSCQ_FORMAT,
                     "second-order rounding: the inputs of a layer are "
                     "not finite");
}

static double output_error(const obq_job *o, const double *h)
{
    double total = 0.0;

    for (size_t r = 0; r < o->rows; r++)
        for (size_t i = 0; i < o->cols; i++) {
            const size_t at = r * o->cols;
            const double di = (double)o->w[at + i] - o->step[r] * o->value[at + i];
            double s = 0.0;

            for (size_t j = 0; j < o->cols; j++)
                s += h[i * o->cols + j] *
                     ((double)o->w[at + j] - o->step[r] * o->value[at + j]);
            total += 0.5 * di * s;
        }
    return total;
}

dscq_status dscq_obq_layer(int16_t *value, const float *w, size_t rows, size_t cols,
                           const double *hessian, const double *step, double p,
                           int32_t bits, dscq_pool *pool, double *error,
                           dscq_error *err)
{
    const int workers = dscq_pool_threads(pool);
    const size_t total = (size_t)floor(p * (double)(rows * cols) * (1.0 + 1e-12));
    const double most = (double)cols * fmin(1.0, p + 0.5 * (1.0 - p));
    double *inverse = dscq_malloc(cols * cols, sizeof *inverse);
    obq_job o = {rows,
                 cols,
                 w,
                 inverse,
                 step,
                 NULL,
                 NULL,
                 (size_t)ceil(most),
                 (1 << (bits - 1)) - 1,
                 value,
                 NULL,
                 NULL};
    dscq_status status = DSCQ_OK;
    size_t *count = dscq_calloc(rows, sizeof *count);

    if (inverse == NULL || count == NULL) {
        status = dscq_fail_nomem(err, "second-order rounding", cols * cols * 8ULL);
        goto done;
    }
    DSCQ_TRY(make_work(&o, workers, err));
    DSCQ_TRY(invert(inverse, hessian, cols, err));
    if (total > 0) {
        for (size_t i = 0; i < rows * cols; i++)
            o.loss[i] = (double)INFINITY;
        dscq_pool_run(pool, rows, row_task, &o);
        o.count = count;
        count = NULL;
        DSCQ_TRY(share_cuts(&o, total, err));
    } else {
        o.count = count;
        count = NULL;
    }
    dscq_pool_run(pool, rows, row_task, &o);
    if (error != NULL)
        *error = output_error(&o, hessian);
done:
    dscq_free(count);
    dscq_free(inverse);
    free_work(&o, workers);
    return status;
}
