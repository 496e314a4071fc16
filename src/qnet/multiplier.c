/* Real factors as m * 2^-r (docs/arithmetic.md section 3). */
#include "dscq/base/ints.h"
#include "dscq/qnet/qmodel.h"

#include <math.h>

int dscq_qmultipliers(int16_t *m, uint8_t *r, const double *factor, int32_t n)
{
    double top = 0.0;
    int exponent = 0;

    for (int32_t i = 0; i < n; i++) {
        if (!isfinite(factor[i]))
            return 0;
        top = fmax(top, fabs(factor[i]));
        m[i] = 0;
    }
    *r = 0;
    if (top < ldexp(1.0, -33))
        return 1;
    (void)frexp(top, &exponent); /* top = f * 2^exponent, f in [0.5, 1) */
    int shift = 15 - exponent;
    if (shift <= DSCQ_QSHIFT_MAX && dscq_round_away(ldexp(top, shift)) >= 32768.0)
        shift--;
    if (shift < 0)
        return 0;
    if (shift > DSCQ_QSHIFT_MAX)
        shift = DSCQ_QSHIFT_MAX;
    for (int32_t i = 0; i < n; i++)
        m[i] = (int16_t)dscq_round_away(ldexp(factor[i], shift));
    *r = (uint8_t)shift;
    return 1;
}

int dscq_qmultiplier(int16_t *m, uint8_t *r, double factor)
{
    return dscq_qmultipliers(m, r, &factor, 1);
}
