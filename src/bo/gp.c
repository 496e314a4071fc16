/* Gaussian process regression: Rasmussen and Williams 2006, algorithm 2.1. */
#include "bo_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/bo/linalg.h"

#include <math.h>
#include <string.h>

enum { SIGNAL = DSCQ_BO_GROUPS, NOISE, PARTS };
static const double k_pi = 3.14159265358979323846;

void bo__gp_default_hyper(double hyper[GP_HYPER])
{
    for (int g = 0; g < DSCQ_BO_GROUPS; g++)
        hyper[g] = log(0.5);
    hyper[SIGNAL] = 0.0;
    hyper[NOISE] = log(1e-3);
    hyper[PARTS] = log(0.25);
}

void bo__gp_distance(double out[GP_PAIR], const bo_space *s, const double *a,
                     const double *b)
{
    memset(out, 0, GP_PAIR * sizeof *out);
    for (size_t i = 0; i < s->dims; i++) {
        const dscq_bo_dim *d = &s->dim[i];
        double u = a[i], v = b[i], diff;

        if (d->kind != DSCQ_BO_REAL) { /* the rounding inside the kernel */
            u = nearbyint(u);
            v = nearbyint(v);
        }
        if (d->kind == DSCQ_BO_CHOICE)
            diff = u != v ? 1.0 : 0.0;
        else
            diff = d->hi > d->lo ? (u - v) / (d->hi - d->lo) : 0.0;
        /* a group of many variables has no longer reach than one of few */
        out[d->group] += diff * diff / s->per_group[d->group];
    }
    for (size_t i = s->dims; i < s->dims + s->parts; i++)
        out[DSCQ_BO_GROUPS] += a[i] * b[i];
}

double bo__gp_kernel(const gp *g, const double hyper[GP_HYPER],
                     const double d2[GP_PAIR])
{
    double r2 = 0.0, parts = 0.0;

    for (int i = 0; i < DSCQ_BO_GROUPS; i++)
        if (d2[i] > 0.0)
            r2 += d2[i] * exp(-2.0 * hyper[i]);
    if (g->has_parts)
        parts = exp(hyper[PARTS]) * d2[DSCQ_BO_GROUPS] / (g->scale * g->scale);
    const double r = sqrt(5.0 * r2);
    return exp(hyper[SIGNAL] - r) * (1.0 + r + 5.0 * r2 / 3.0) + parts;
}

int bo__gp_create(gp *g, size_t cap)
{
    memset(g, 0, sizeof *g);
    bo__gp_default_hyper(g->hyper);
    g->scale = 1.0;
    g->l = dscq_malloc(2 * cap * cap, sizeof *g->l);
    g->alpha = dscq_malloc(3 * cap, sizeof *g->alpha);
    g->work = g->alpha != NULL ? g->alpha + cap : NULL;
    return g->l != NULL && g->alpha != NULL;
}

void bo__gp_free(gp *g)
{
    dscq_free(g->l);
    dscq_free(g->alpha);
    memset(g, 0, sizeof *g);
}

static void standardise(gp *g, const double *y, size_t n)
{
    double mean = 0.0, var = 0.0;

    for (size_t i = 0; i < n; i++)
        mean += y[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        var += (y[i] - mean) * (y[i] - mean) / (double)n;
    g->shift = mean;
    g->scale = var > 0.0 ? sqrt(var) : 1.0;
}

/* Minus the log marginal likelihood and log priors; d2[(i*n + j)*GP_PAIR]. */
static double loss(const gp *g, const double hyper[GP_HYPER], const double *d2,
                   const double *y, size_t n)
{
    double *k = g->l, *l = g->l + n * n, *a = g->work, jitter, fit = 0.0, prior = 0.0;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++)
            k[i * n + j] = k[j * n + i] =
                bo__gp_kernel(g, hyper, d2 + (i * n + j) * GP_PAIR) +
                (i == j ? exp(hyper[NOISE]) : 0.0);
    if (!dscq_chol_ladder(l, k, n, &jitter))
        return (double)INFINITY;
    for (size_t i = 0; i < n; i++)
        a[i] = (y[i] - g->shift) / g->scale;
    dscq_chol_forward(l, n, a);
    for (size_t i = 0; i < n; i++)
        fit += a[i] * a[i];
    for (int h = 0; h < DSCQ_BO_GROUPS; h++)
        prior += 0.5 * (hyper[h] - log(0.5)) * (hyper[h] - log(0.5));
    prior += 0.5 * hyper[SIGNAL] * hyper[SIGNAL];
    if (g->has_parts)
        prior += 0.5 * (hyper[PARTS] - log(0.25)) * (hyper[PARTS] - log(0.25));
    prior += 0.125 * (hyper[NOISE] - log(1e-3)) * (hyper[NOISE] - log(1e-3));
    return 0.5 * (fit + dscq_chol_logdet(l, n) + (double)n * log(2.0 * k_pi)) + prior;
}

/* Of length scales, signal, noise, parts. */
static const double k_range[4][2] = {
    {0.02, 20.0}, {0.0067, 148.4}, {1e-8, 0.5}, {1e-4, 25.0}};

static double bounded_loss(const gp *g, const double *p, const int32_t *use, int count,
                           const double *d2, const double *y, size_t n)
{
    double hyper[GP_HYPER];

    memcpy(hyper, g->hyper, sizeof hyper);
    for (int i = 0; i < count; i++) {
        const double *range = k_range[use[i] >= SIGNAL ? 1 + use[i] - SIGNAL : 0];

        if (!(exp(p[i]) >= range[0] && exp(p[i]) <= range[1]))
            return (double)INFINITY;
        hyper[use[i]] = p[i];
    }
    return loss(g, hyper, d2, y, n);
}

/* ---- Nelder and Mead 1965 ------------------------------------------------------- */

typedef struct simplex {
    double p[GP_HYPER + 1][GP_HYPER], v[GP_HYPER + 1];
} simplex;

typedef struct target {
    const gp *g;
    const int32_t *use;
    int count;
    const double *d2, *y;
    size_t n;
} target;

static double value_at(const target *t, const double *p)
{
    return bounded_loss(t->g, p, t->use, t->count, t->d2, t->y, t->n);
}

static void sort_simplex(simplex *s, int m)
{
    for (int i = 1; i <= m; i++)
        for (int j = i; j > 0 && s->v[j] < s->v[j - 1]; j--) {
            double p[GP_HYPER];
            const double v = s->v[j];

            memcpy(p, s->p[j], sizeof p);
            memcpy(s->p[j], s->p[j - 1], sizeof p);
            memcpy(s->p[j - 1], p, sizeof p);
            s->v[j] = s->v[j - 1];
            s->v[j - 1] = v;
        }
}

/* The worst corner moved through the middle of the others by `factor`. */
static double try_corner(const target *t, const simplex *s, double factor, double *p)
{
    for (int i = 0; i < t->count; i++) {
        double middle = 0.0;

        for (int k = 0; k < t->count; k++)
            middle += s->p[k][i] / t->count;
        p[i] = middle + factor * (s->p[t->count][i] - middle);
    }
    return value_at(t, p);
}

static void put_corner(simplex *s, int at, const double *p, double v)
{
    memcpy(s->p[at], p, sizeof s->p[at]);
    s->v[at] = v;
}

static double nelder_mead(const target *t, double *start, int rounds)
{
    const int m = t->count;
    simplex s;

    memset(&s, 0, sizeof s);
    for (int k = 0; k <= m; k++) {
        memcpy(s.p[k], start, (size_t)m * sizeof *start);
        if (k > 0)
            s.p[k][k - 1] += 0.5;
        s.v[k] = value_at(t, s.p[k]);
    }
    sort_simplex(&s, m);
    for (int r = 0; r < rounds && s.v[m] - s.v[0] > 1e-4; r++) {
        double p[GP_HYPER] = {0}, q[GP_HYPER] = {0};
        const double v = try_corner(t, &s, -1.0, p);

        if (v < s.v[0]) {
            const double u = try_corner(t, &s, -2.0, q);
            put_corner(&s, m, u < v ? q : p, u < v ? u : v);
        } else if (v < s.v[m - 1]) {
            put_corner(&s, m, p, v);
        } else {
            const double u = try_corner(t, &s, v < s.v[m] ? -0.5 : 0.5, q);
            if (u < (v < s.v[m] ? v : s.v[m])) {
                put_corner(&s, m, q, u);
            } else {
                for (int k = 1; k <= m; k++) {
                    for (int i = 0; i < m; i++)
                        s.p[k][i] = 0.5 * (s.p[k][i] + s.p[0][i]);
                    s.v[k] = value_at(t, s.p[k]);
                }
            }
        }
        sort_simplex(&s, m);
    }
    memcpy(start, s.p[0], (size_t)m * sizeof *start);
    return s.v[0];
}

void bo__gp_fit(gp *g, const bo_space *s, const double *const *x, const double *y,
                size_t n, double *d2, const dscq_rng *rng)
{
    enum { STARTS = 4, ROUNDS = 80 };
    dscq_rng r = *rng;
    int32_t use[GP_HYPER];
    int count = 0;
    double best = (double)INFINITY, top[GP_HYPER] = {0};

    if (n < 2)
        return;
    standardise(g, y, n);
    for (int i = 0; i < DSCQ_BO_GROUPS; i++)
        if (s->per_group[i] > 0.0)
            use[count++] = i;
    use[count++] = SIGNAL;
    use[count++] = NOISE;
    if (g->has_parts)
        use[count++] = PARTS;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++)
            bo__gp_distance(d2 + (i * n + j) * GP_PAIR, s, x[i], x[j]);
    const target t = {g, use, count, d2, y, n};
    for (int start = 0; start < STARTS; start++) {
        double p[GP_HYPER] = {0}, dflt[GP_HYPER];

        bo__gp_default_hyper(dflt);
        for (int i = 0; i < count; i++)
            p[i] = start == 0   ? g->hyper[use[i]]
                   : start == 1 ? dflt[use[i]]
                                : dflt[use[i]] + 2.0 * dscq_rng_unit64(&r) - 1.0;
        const double v = nelder_mead(&t, p, ROUNDS);
        if (v < best) {
            best = v;
            memcpy(top, p, sizeof top);
        }
    }
    for (int i = 0; i < count && isfinite(best); i++)
        g->hyper[use[i]] = top[i];
}

void bo__gp_condition(gp *g, const bo_space *s, const double *const *x, const double *y,
                      size_t n)
{
    double *k = g->l + n * n, jitter;

    g->n = n;
    g->x = x;
    g->ready = 0;
    if (n == 0)
        return;
    standardise(g, y, n);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            double d2[GP_PAIR];

            bo__gp_distance(d2, s, x[i], x[j]);
            k[i * n + j] = k[j * n + i] =
                bo__gp_kernel(g, g->hyper, d2) + (i == j ? exp(g->hyper[NOISE]) : 0.0);
        }
    if (!dscq_chol_ladder(g->l, k, n, &jitter))
        return;
    for (size_t i = 0; i < n; i++)
        g->alpha[i] = (y[i] - g->shift) / g->scale;
    dscq_chol_forward(g->l, n, g->alpha);
    dscq_chol_backward(g->l, n, g->alpha);
    g->ready = 1;
}

void bo__gp_predict(const gp *g, const bo_space *s, const double *x, double *mean,
                    double *deviation)
{
    double m = 0.0, self[GP_PAIR], var;

    if (!g->ready) {
        *mean = g->shift;
        *deviation = g->scale;
        return;
    }
    bo__gp_distance(self, s, x, x);
    var = bo__gp_kernel(g, g->hyper, self);
    for (size_t i = 0; i < g->n; i++) {
        double d2[GP_PAIR];

        bo__gp_distance(d2, s, x, g->x[i]);
        g->work[i] = bo__gp_kernel(g, g->hyper, d2);
        m += g->work[i] * g->alpha[i];
    }
    dscq_chol_forward(g->l, g->n, g->work);
    for (size_t i = 0; i < g->n; i++)
        var -= g->work[i] * g->work[i];
    *mean = g->shift + g->scale * m;
    *deviation = g->scale * sqrt(var > 1e-12 ? var : 1e-12);
}
