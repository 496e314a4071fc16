/* What the files of this module share. */
#ifndef BO_INTERNAL_H
#define BO_INTERNAL_H

#include "dscq/base/rng.h"
#include "dscq/bo/bo.h"

enum {
    GP_HYPER = DSCQ_BO_GROUPS + 3,
    GP_PAIR = DSCQ_BO_GROUPS + 1, /* what two points have in common */
    GP_POINTS = 400,
    BO_OUTPUTS = DSCQ_BO_LIMITS + 1
};

/* Where points lie: normalised to [0, 1] per dimension, whole numbers rounded. A point
 * is its dims values with its parts behind them. */
typedef struct bo_space {
    const dscq_bo_dim *dim;
    size_t dims, parts;
    double per_group[DSCQ_BO_GROUPS]; /* dimensions of each group */
} bo_space;

/* A Gaussian process over given points: zero mean, unit scale inside. */
typedef struct gp {
    /* log length scales by group, log signal, log noise, log variance of the parts'
     * factors (in the units of the data) */
    double hyper[GP_HYPER];
    int has_parts;
    size_t n;
    const double *const *x;   /* [n] borrowed */
    double *l, *alpha, *work; /* factor of K, K^-1 y */
    double shift, scale;      /* of the data */
    int ready;
} gp;

/* Squared distance of two points split by groups; choices differ by 0 or 1. Last: the
 * product of their parts. */
void bo__gp_distance(double out[GP_PAIR], const bo_space *s, const double *a,
                     const double *b);
double bo__gp_kernel(const gp *g, const double hyper[GP_HYPER],
                     const double d2[GP_PAIR]);

/* Room for cap points; 0: no memory. */
int bo__gp_create(gp *g, size_t cap);
void bo__gp_free(gp *g);
/* Hyper-parameters that explain y[n] at x[n] best; starts from g->hyper. d2: scratch of
 * n * n * GP_PAIR doubles. Never fails: the start stays when nothing is better. */
void bo__gp_fit(gp *g, const bo_space *s, const double *const *x, const double *y,
                size_t n, double *d2, const dscq_rng *rng);
/* Condition on data with the present hyper-parameters. g->ready says whether it went.
 */
void bo__gp_condition(gp *g, const bo_space *s, const double *const *x, const double *y,
                      size_t n);
/* Posterior at x, in the units of y. */
void bo__gp_predict(const gp *g, const bo_space *s, const double *x, double *mean,
                    double *deviation);
void bo__gp_default_hyper(double hyper[GP_HYPER]);

typedef struct bo_row {
    double *x; /* [dims + parts] */
    double y[BO_OUTPUTS], prior[BO_OUTPUTS];
    int told, failed;
} bo_row;

struct dscq_bo {
    dscq_bo_dim *dim;
    size_t dims;
    dscq_bo_options o;
    bo_space space;
    bo_row *row; /* told ones and asked ones, in order of first appearance */
    size_t rows, room;
    size_t *order; /* told rows in order of telling: indices into row */
    size_t told;
    uint64_t asks;
    gp model[BO_OUTPUTS];
    size_t fitted_at;  /* told points when the hyper-parameters were last fitted */
    int conditioned;   /* models hold all rows, pending ones included            */
    double *d2;        /* scratch of bo__gp_fit */
    double caution;    /* exponent of the probability that constraints hold */
    double *at;        /* scratch: a candidate with its parts */
    const double **mx; /* [GP_POINTS] */
    double *my;
};

int32_t bo__outputs(const dscq_bo *b);
int bo__feasible(const dscq_bo *b, const bo_row *r);
void bo__round(const dscq_bo *b, double *x); /* into the space */
int64_t bo__find(const dscq_bo *b, const double *x);
dscq_status bo__add_row(dscq_bo *b, const double *x, size_t *at, dscq_error *err);
/* x[dims] and its parts into out[dims + parts]. */
void bo__with_parts(const dscq_bo *b, double *out, const double *x);
/* Fit and condition the models when something changed. */
void bo__model(dscq_bo *b);
/* log of expected improvement times probability of feasibility. */
double bo__acquisition(const dscq_bo *b, const double *x, double best, int has_best);
int bo__model_ready(const dscq_bo *b);

enum { BO_ELITE = 5 };

/* Put `point` with its score s among the n <= BO_ELITE of the lowest scores, in order;
 * returns how many there are now. */
size_t bo__keep_least(double score[BO_ELITE], size_t what[BO_ELITE], size_t n, double s,
                      size_t point);

/* The best point of a model so far. */
typedef struct bo_chase {
    double *x, *y; /* it; scratch: [dims] each */
    double value, best;
    int has_best, found;
} bo_chase;

/* Is x, not seen before, better? */
void bo__consider(const dscq_bo *b, bo_chase *c, const double *x);
/* Candidates near good points (options.local); 0: there is no point to be near to. */
int bo__search_near(const dscq_bo *b, bo_chase *c, dscq_rng *rng);
/* Exponent of the probability of feasibility now. */
double bo__caution(const dscq_bo *b);
/* In how many variables a candidate may differ from the nearest good point now. */
size_t bo__reach(const dscq_bo *b);

#endif
