#include "compress_internal.h"
#include "dscq/compress/quantize.h"

#include <assert.h>
#include <math.h>

dscq_aquant dscq_aquant_make(double lo, double hi, int32_t bits, int is_signed)
{
    const int32_t bottom = is_signed ? -(1 << (bits - 1)) : 0;
    const int32_t top = bottom + (1 << bits) - 1;
    dscq_aquant a = {1.0, bottom, bits, is_signed};

    assert(bits >= 2 && bits <= 16);
    lo = fmin(lo, 0.0);
    hi = fmax(hi, 0.0);
    if (!(hi - lo > 0.0) || !isfinite(hi - lo))
        return a;
    a.scale = (hi - lo) / (double)(top - bottom);
    if (!(a.scale > 1e-30)) { /* nothing ever passes this edge */
        a.scale = 1.0;
        return a;
    }
    if (lo < 0.0) {
        const double z = dscq_round_away(bottom - lo / a.scale);

        /* At least one code on each side that has values. */
        a.zero_point = (int32_t)fmin(fmax(z, bottom + 1), hi > 0.0 ? top - 1 : top);
        /* Rounding the zero point pushed one end out by up to half a step. */
        a.scale = fmax(-lo / (double)(a.zero_point - bottom),
                       hi > 0.0 ? hi / (double)(top - a.zero_point) : 0.0);
    }
    return a;
}

int32_t dscq_aquant_low(const dscq_aquant *a)
{
    return a->is_signed ? -(1 << (a->bits - 1)) : 0;
}

void dscq_aquant_range(const dscq_aquant *a, double *lo, double *hi)
{
    const int32_t bottom = dscq_aquant_low(a);

    *lo = a->scale * (bottom - a->zero_point);
    *hi = a->scale * (bottom + (1 << a->bits) - 1 - a->zero_point);
}

dscq_act_quant dscq_aquant_fake(const dscq_aquant *a)
{
    return (dscq_act_quant){.scale = (float)a->scale,
                            .zero = a->zero_point,
                            .bits = a->bits,
                            .is_unsigned = !a->is_signed};
}
