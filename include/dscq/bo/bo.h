/*
 * bo/bo.h - Bayesian optimisation of expensive functions over mixed spaces, under
 * constraints: ask for a point, evaluate it, tell the result.
 *
 * A Gaussian process with a Matern-5/2 kernel models the objective and each constraint.
 * Whole-number variables are rounded and choices compared inside the kernel, so that
 * the model is flat where the function is (Garrido-Merchan and Hernandez-Lobato, 2020).
 * Hyper-parameters maximise the marginal likelihood with weak priors (Nelder-Mead from
 * several starts). The next point has the largest expected improvement times the
 * probability that all constraints hold (Gardner et al., ICML 2014). No point is asked
 * twice. Where an output is known to be a sum of parts, a linear kernel over them
 * learns which are larger than thought. Everything follows from the seed and what was
 * told, in that order.
 */
#ifndef DSCQ_BO_BO_H
#define DSCQ_BO_BO_H

#include "dscq/base/json.h"
#include "dscq/base/log.h"
#include "dscq/base/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { DSCQ_BO_NAME = 64, DSCQ_BO_GROUPS = 8, DSCQ_BO_LIMITS = 6, DSCQ_BO_DIMS = 512 };

typedef enum dscq_bo_kind {
    DSCQ_BO_REAL,  /* lo <= x <= hi                                    */
    DSCQ_BO_INT,   /* whole, lo <= x <= hi                             */
    DSCQ_BO_CHOICE /* 0 .. hi; no order                                */
} dscq_bo_kind;

typedef struct dscq_bo_dim {
    char name[DSCQ_BO_NAME];
    dscq_bo_kind kind;
    double lo, hi; /* lo <= hi; CHOICE: lo = 0, hi = choices - 1       */
    int32_t group; /* variables of a group share a length scale, 0..7  */
} dscq_bo_dim;

/* What is known beforehand about a point: mean[0] of the objective, mean[1..] of the
 * constraints; the process models the rest. Must depend on x alone. */
typedef void dscq_bo_prior(void *ctx, const double *x, double *mean);

/* Parts that an output is made of: phi[features]; the prior mean has their sum already,
 * and the process learns by what factor each part differs from 1 (about 1 +- 0.5). Must
 * depend on x alone. */
typedef void dscq_bo_features(void *ctx, const double *x, double *phi);

typedef struct dscq_bo_options {
    uint64_t seed;
    int32_t limits;  /* constraints g_i(x) <= 0, at most DSCQ_BO_LIMITS          */
    int32_t initial; /* points of the first, space-filling design; 0: 2 a group + 4 */
    int32_t candidates; /* of an ask; 0: 2000                                       */
    int32_t local; /* not 0: only points that differ in few variables from a good    */
                   /* one that was told: for many variables and a good start         */
    dscq_bo_prior *prior;   /* NULL: none                                            */
    dscq_bo_features *part; /* NULL: none; same ctx                                */
    int32_t parts;          /* how many                                            */
    uint32_t parts_of;      /* outputs that have them: bit 0 the objective, ...    */
    void *prior_ctx;
    const dscq_log *log; /* DSCQ_TRACE_BO: each ask; NULL: nobody hears it           */
} dscq_bo_options;

typedef struct dscq_bo dscq_bo;

/* Minimises. DSCQ_ARG: a dimension without room, a group out of range. */
dscq_status dscq_bo_create(dscq_bo **out, const dscq_bo_dim *dims, size_t count,
                           const dscq_bo_options *o, dscq_error *err);
void dscq_bo_destroy(dscq_bo *b); /* NULL is fine */

/* The next point into x[dims]; *found = 0: every point of the (finite) space has been
 * asked or told. Several may be asked before any is told; points that are out count as
 * if they had the value that the model expects. */
dscq_status dscq_bo_ask(dscq_bo *b, double *x, int *found, dscq_error *err);

/* The result of any point (asked or not: warm starts). y: objective; limit[limits] <= 0
 * where constraints hold (NULL when there are none). A value that is not finite: the
 * evaluation failed; the point is not tried again and not modelled. Told twice: the
 * last one counts. DSCQ_ARG: outside the space. */
dscq_status dscq_bo_tell(dscq_bo *b, const double *x, double y, const double *limit,
                         dscq_error *err);

typedef struct dscq_bo_point {
    const double *x;
    double y;
    const double *limit;
    int told, feasible, failed;
} dscq_bo_point;

size_t dscq_bo_count(const dscq_bo *b); /* points told */
dscq_bo_point dscq_bo_at(const dscq_bo *b,
                         size_t i); /* in order of telling, borrowed */
/* Feasible point with the smallest objective, or -1. */
int64_t dscq_bo_best(const dscq_bo *b);
int dscq_bo_seen(const dscq_bo *b, const double *x); /* asked or told */

/* Model at a point: mean and deviation of the objective (output 0) or of constraint
 * output - 1. Before there is a model: the prior, deviation 1. */
void dscq_bo_predict(dscq_bo *b, const double *x, int32_t output, double *mean,
                     double *deviation);

/* The whole state; *out is the caller's (dscq_json_free). */
dscq_status dscq_bo_save(dscq_json **out, const dscq_bo *b, dscq_error *err);
/* Into a fresh dscq_bo with the same space and options: continues to the same points.
 * DSCQ_FORMAT when it belongs to another space or is damaged. */
dscq_status dscq_bo_load(dscq_bo *b, const dscq_json *j, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
