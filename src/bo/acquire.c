/* Expected improvement under constraints: Gardner et al., ICML 2014. */
#include "bo_internal.h"

#include <math.h>

static const double k_log_sqrt_2pi = 0.91893853320467274178,
                    k_sqrt_half = 0.70710678118654752440;

/* log of the normal distribution function; the tail by its series. */
static double log_cdf(double z)
{
    if (z > -8.0)
        return log(0.5 * erfc(-z * k_sqrt_half));
    return -0.5 * z * z - k_log_sqrt_2pi - log(-z) + log1p(-1.0 / (z * z));
}

/* log of s * (z cdf(z) + pdf(z)), z = (best - mean) / s */
static double log_ei(double mean, double s, double best)
{
    const double z = (best - mean) / s, log_pdf = -0.5 * z * z - k_log_sqrt_2pi;

    if (z > -8.0) {
        const double v = z * 0.5 * erfc(-z * k_sqrt_half) + exp(log_pdf);
        if (v > 0.0)
            return log(s) + log(v);
    }
    return log(s) + log_pdf - 2.0 * log(fabs(z) > 1.0 ? fabs(z) : 1.0);
}

static void predict(const dscq_bo *b, const double *x, const double *prior, int32_t i,
                    double *mean, double *deviation)
{
    bo__gp_predict(&b->model[i], &b->space, x, mean, deviation);
    *mean += prior[i];
}

double bo__acquisition(const dscq_bo *b, const double *x, double best, int has_best)
{
    double prior[BO_OUTPUTS] = {0.0}, mean, s, v = 0.0;

    if (b->o.prior != NULL)
        b->o.prior(b->o.prior_ctx, x, prior);
    bo__with_parts(b, b->at, x);
    if (has_best) {
        predict(b, b->at, prior, 0, &mean, &s);
        v = log_ei(mean, s, best);
    }
    for (int32_t i = 1; i < bo__outputs(b); i++) {
        predict(b, b->at, prior, i, &mean, &s);
        v += b->caution * log_cdf(-mean / s);
    }
    return v;
}

int bo__model_ready(const dscq_bo *b)
{
    for (int32_t i = 0; i < bo__outputs(b); i++)
        if (!b->model[i].ready)
            return 0;
    return 1;
}

void dscq_bo_predict(dscq_bo *b, const double *x, int32_t output, double *mean,
                     double *deviation)
{
    double prior[BO_OUTPUTS] = {0.0};

    if (b->o.prior != NULL)
        b->o.prior(b->o.prior_ctx, x, prior);
    bo__model(b);
    *mean = prior[output];
    *deviation = 1.0;
    bo__with_parts(b, b->at, x);
    if (b->model[output].ready)
        predict(b, b->at, prior, output, mean, deviation);
}
