/* Optimal Brain Quantiser for one matrix: rows are independent, all share H. */
#include "compress_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/bo/linalg.h"
#include "dscq/compress/post.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { EXACT_COLS = 320, BLOCK = 128 };
static const double k_damp = 0.01;

typedef struct obq_job {
    size_t rows, cols;
    const float *w;
    const uint8_t *keep;   /* [rows][cols] 0: pruned before; NULL: none */
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
    double q = dscq_round_away(w / step);

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
    for (size_t j = 0; o->keep != NULL && j < n; j++)
        if (!o->keep[r * n + j]) {
            eliminate(inv, w, alive, n, j, 0.0);
            left--;
        }
    for (size_t k = 0; k < cuts && left > 0; k++, left--) {
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
        o->value[r * n + j] = (int16_t)dscq_round_away(w[j] / o->step[r]);
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
    o->inv = o->row = NULL;
    o->loss = NULL;
    o->count = NULL;
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

/* Prune and round one matrix with the inverse given. */
static dscq_status prune_and_round(obq_job *o, double p, dscq_pool *pool,
                                   dscq_error *err)
{
    const int workers = dscq_pool_threads(pool);
    const size_t all = o->rows * o->cols;
    size_t total = (size_t)floor(p * (double)all * (1.0 + 1e-12)), gone = 0;
    size_t *count = dscq_calloc(o->rows, sizeof *count);
    dscq_status status;

    if (count == NULL)
        return dscq_fail_nomem(err, "second-order rounding", o->rows * sizeof *count);
    for (size_t i = 0; o->keep != NULL && i < all; i++)
        gone += !o->keep[i];
    total = total > gone ? total - gone : 0;
    o->longest = (size_t)ceil((double)o->cols * fmin(1.0, p + 0.5 * (1.0 - p)));
    o->count = NULL;
    status = make_work(o, workers, err);
    if (status == DSCQ_OK && total > 0) {
        for (size_t i = 0; i < all; i++)
            o->loss[i] = (double)INFINITY;
        dscq_pool_run(pool, o->rows, row_task, o);
    }
    o->count = count;
    if (status == DSCQ_OK && total > 0)
        status = share_cuts(o, total, err);
    if (status == DSCQ_OK)
        dscq_pool_run(pool, o->rows, row_task, o);
    free_work(o, workers);
    return status;
}

/* ---- wide matrices: block after block ------------------------------------------ */

typedef struct blocks {
    const obq_job *whole;
    size_t first, n;    /* the block in work: columns [first, first + n)          */
    double *inverse;    /* [cols][cols] inverse of H over the columns not yet done */
    double *left;       /* [rows][cols] weights as earlier blocks left them       */
    double *pass;       /* [n][cols - first - n] what a block's error does to others */
    float *w;           /* [rows][n] */
    int16_t *value;     /* [rows][n] */
    uint8_t *keep;      /* [rows][n] */
    double *own, *core; /* [n][n] inverse of the block, and its inverse           */
} blocks;

static void blocks_free(blocks *b)
{
    dscq_free(b->left);
    dscq_free(b->pass);
    dscq_free(b->w);
    dscq_free(b->value);
    dscq_free(b->keep);
    dscq_free(b->own);
    dscq_free(b->core);
}

static dscq_status blocks_make(blocks *b, dscq_error *err)
{
    const size_t rows = b->whole->rows, cols = b->whole->cols;

    b->left = dscq_malloc(rows * cols, sizeof *b->left);
    b->pass = dscq_malloc(BLOCK * cols, sizeof *b->pass);
    b->w = dscq_malloc(rows * BLOCK, sizeof *b->w);
    b->value = dscq_malloc(rows * BLOCK, sizeof *b->value);
    b->keep = dscq_malloc(rows * BLOCK, 1);
    b->own = dscq_malloc((size_t)BLOCK * BLOCK, sizeof *b->own);
    b->core = dscq_malloc((size_t)BLOCK * BLOCK, sizeof *b->core);
    if (b->left == NULL || b->pass == NULL || b->w == NULL || b->value == NULL ||
        b->keep == NULL || b->own == NULL || b->core == NULL)
        return dscq_fail_nomem(err, "second-order rounding", rows * cols * 8ULL);
    for (size_t i = 0; i < rows * cols; i++)
        b->left[i] = (double)b->whole->w[i];
    return DSCQ_OK;
}

static void take_block(blocks *b)
{
    const obq_job *o = b->whole;

    for (size_t r = 0; r < o->rows; r++)
        for (size_t j = 0; j < b->n; j++) {
            const size_t at = r * o->cols + b->first + j;
            b->w[r * b->n + j] = (float)b->left[at];
            b->keep[r * b->n + j] = o->keep == NULL || o->keep[at];
        }
    for (size_t i = 0; i < b->n; i++)
        memcpy(b->own + i * b->n, b->inverse + (b->first + i) * o->cols + b->first,
               b->n * sizeof *b->own);
}

/* Where the rest must go when the block is fixed: -e core inverse[block][rest]. */
static void rest_task(void *ctx, size_t r, int worker)
{
    blocks *b = ctx;
    const obq_job *o = b->whole;
    const size_t from = b->first + b->n, rest = o->cols - from;
    double *left = b->left + r * o->cols;

    (void)worker;
    for (size_t j = 0; j < b->n; j++) {
        const int16_t v = b->value[r * b->n + j];
        const double e = left[b->first + j] - o->step[r] * v;

        o->value[r * o->cols + b->first + j] = v;
        for (size_t k = 0; e != 0.0 && k < rest; k++)
            left[from + k] -= e * b->pass[j * rest + k];
    }
}

/* The inverse over the columns that are left, once the block is fixed. */
static void shrink_task(void *ctx, size_t i, int worker)
{
    blocks *b = ctx;
    const size_t cols = b->whole->cols, from = b->first + b->n, rest = cols - from;
    double *row = b->inverse + (from + i) * cols + from;

    (void)worker;
    for (size_t j = 0; j < b->n; j++) {
        const double f = b->inverse[(b->first + j) * cols + from + i];
        for (size_t k = 0; k < rest; k++)
            row[k] -= f * b->pass[j * rest + k];
    }
}

static dscq_status pass_on(blocks *b, dscq_pool *pool, dscq_error *err)
{
    const size_t cols = b->whole->cols, from = b->first + b->n, rest = cols - from;

    memcpy(b->core, b->own, b->n * b->n * sizeof *b->core);
    if (!dscq_spd_inverse(b->core, b->n))
        return dscq_fail(err, DSCQ_FORMAT,
                         "second-order rounding: the inputs of a layer are not finite");
    memset(b->pass, 0, b->n * rest * sizeof *b->pass);
    for (size_t i = 0; i < b->n; i++)
        for (size_t j = 0; j < b->n; j++) {
            const double f = b->core[i * b->n + j];
            const double *base = b->inverse + (b->first + j) * cols + from;
            for (size_t k = 0; k < rest; k++)
                b->pass[i * rest + k] += f * base[k];
        }
    dscq_pool_run(pool, b->whole->rows, rest_task, b);
    dscq_pool_run(pool, rest, shrink_task, b);
    return DSCQ_OK;
}

/* Cubes of the number of columns are too much for wide layers: a row's own order holds
 * inside a block, and what a block cannot make up for is passed on to later ones
 * exactly (as in GPTQ, Frantar et al., ICLR 2023). Each block is pruned at rate p. */
static dscq_status in_blocks(obq_job *o, double *inverse, double p, dscq_pool *pool,
                             dscq_error *err)
{
    blocks b = {.whole = o, .inverse = inverse};
    dscq_status status = blocks_make(&b, err);

    for (; status == DSCQ_OK && b.first < o->cols; b.first += b.n) {
        b.n = o->cols - b.first < BLOCK ? o->cols - b.first : BLOCK;
        take_block(&b);
        obq_job part = {.rows = o->rows,
                        .cols = b.n,
                        .w = b.w,
                        .keep = b.keep,
                        .inverse = b.own,
                        .step = o->step,
                        .top = o->top,
                        .value = b.value};
        status = prune_and_round(&part, p, pool, err);
        if (status == DSCQ_OK)
            status = pass_on(&b, pool, err);
    }
    blocks_free(&b);
    return status;
}

dscq_status dscq_obq_masked(int16_t *value, const float *w, const uint8_t *keep,
                            size_t rows, size_t cols, const double *hessian,
                            const double *step, double p, int32_t bits, dscq_pool *pool,
                            double *error, dscq_error *err)
{
    double *inverse = dscq_malloc(cols * cols, sizeof *inverse);
    obq_job o = {.rows = rows,
                 .cols = cols,
                 .w = w,
                 .keep = keep,
                 .inverse = inverse,
                 .step = step,
                 .top = (1 << (bits - 1)) - 1,
                 .value = value};
    dscq_status status;

    if (inverse == NULL)
        return dscq_fail_nomem(err, "second-order rounding", cols * cols * 8ULL);
    DSCQ_TRY(dscq_linalg_begin(NULL, err));
    DSCQ_TRY(invert(inverse, hessian, cols, err));
    DSCQ_TRY(cols > EXACT_COLS ? in_blocks(&o, inverse, p, pool, err)
                               : prune_and_round(&o, p, pool, err));
    if (error != NULL)
        *error = output_error(&o, hessian);
done:
    dscq_free(inverse);
    return status;
}

dscq_status dscq_obq_layer(int16_t *value, const float *w, size_t rows, size_t cols,
                           const double *hessian, const double *step, double p,
                           int32_t bits, dscq_pool *pool, double *error,
                           dscq_error *err)
{
    return dscq_obq_masked(value, w, NULL, rows, cols, hessian, step, p, bits, pool,
                           error, err);
}
