/* vec.c - vectors of n floats: arithmetic, sums in a fixed order, optimisers. */
#include "kernels_internal.h"
#include "simd.h"

#include <math.h>

/* Run BODY with `i` and `n`: whole vectors, then one partial. */
#define EACH_VECTOR(count, BODY)                                                       \
    for (size_t i = 0; i < (count); i += VL) {                                         \
        const size_t n_ = (count)-i;                                                   \
        if (n_ >= VL) {                                                                \
            const size_t n = VL;                                                       \
            BODY                                                                       \
        } else {                                                                       \
            const size_t n = n_;                                                       \
            BODY                                                                       \
        }                                                                              \
    }

void FN(add)(const float *x, const float *y, float *out, size_t count)
{
    EACH_VECTOR(count, {
        v_store_upto(out + i, n, v_load_upto(x + i, n) + v_load_upto(y + i, n));
    })
}

void FN(mul)(const float *x, const float *y, float *out, size_t count)
{
    EACH_VECTOR(count, {
        v_store_upto(out + i, n, v_load_upto(x + i, n) * v_load_upto(y + i, n));
    })
}

void FN(axpy)(float alpha, const float *x, float *y, size_t count)
{
    EACH_VECTOR(count, {
        v_store_upto(y + i, n, v_load_upto(y + i, n) + alpha * v_load_upto(x + i, n));
    })
}

void FN(scale)(float alpha, const float *x, float *out, size_t count)
{
    EACH_VECTOR(count, { v_store_upto(out + i, n, alpha * v_load_upto(x + i, n)); })
}

/* Blocks of 4096 in float (error 2^-24 * 64 additions per lane), blocks in double. */
enum { BLOCK = 4096 };

static float block_dot(const float *x, const float *y, size_t count)
{
    vf s[4] = {{0}, {0}, {0}, {0}};
    size_t i = 0;

    for (; i + 4 * VL <= count; i += 4 * VL) {
        UNROLL
        for (size_t k = 0; k < 4; k++) {
            vf a = v_load(x + i + k * VL);

            s[k] += y != NULL ? a * v_load(y + i + k * VL) : a;
        }
    }
    for (; i < count; i += VL) {
        size_t n = count - i;
        vf a = v_load_upto(x + i, n);

        s[0] += y != NULL ? a * v_load_upto(y + i, n) : a;
    }
    return v_sum((s[0] + s[1]) + (s[2] + s[3]));
}

double FN(sum)(const float *x, size_t count)
{
    double s = 0;

    for (size_t i = 0; i < count; i += BLOCK)
        s += (double)block_dot(x + i, NULL, count - i < BLOCK ? count - i : BLOCK);
    return s;
}

double FN(dot)(const float *x, const float *y, size_t count)
{
    double s = 0;

    for (size_t i = 0; i < count; i += BLOCK)
        s += (double)block_dot(x + i, y + i, count - i < BLOCK ? count - i : BLOCK);
    return s;
}

float FN(abs_max)(const float *x, size_t count)
{
    vf most = {0};
    float s = 0, lane[DSCQ_LANES];

    EACH_VECTOR(count, {
        vf a = v_load_upto(x + i, n);
        most = v_max(v_max(a, -a), most);
    })
    memcpy(lane, &most, sizeof lane);
    for (size_t i = 0; i < VL; i++)
        s = lane[i] > s ? lane[i] : s;
    return s;
}

void FN(min_max)(const float *x, size_t count, float *lo, float *hi)
{
    vf least = v_set(x[0]), most = least;
    size_t i = 0;

    for (; i + VL <= count; i += VL) {
        vf a = v_load(x + i);

        least = v_min(a, least);
        most = v_max(a, most);
    }
    *lo = *hi = x[0];
    for (size_t k = 0; k < VL; k++) {
        *lo = least[k] < *lo ? least[k] : *lo;
        *hi = most[k] > *hi ? most[k] : *hi;
    }
    for (; i < count; i++) {
        *lo = x[i] < *lo ? x[i] : *lo;
        *hi = x[i] > *hi ? x[i] : *hi;
    }
}

void FN(abs_histogram)(const float *x, size_t count, float top, uint64_t *bin_count,
                       size_t bins)
{
    const float per_bin = (float)bins / top;

    for (size_t i = 0; i < count; i++) {
        float at = fabsf(x[i]) * per_bin;

        bin_count[at < (float)(bins - 1) ? (size_t)at : bins - 1]++;
    }
}

static void softmax_row(const float *x, float *out, size_t count)
{
    float most, least, total;

    FN(min_max)(x, count, &least, &most);
    EACH_VECTOR(count,
                { v_store_upto(out + i, n, v_exp(v_load_upto(x + i, n) - most)); })
    total = (float)FN(sum)(out, count);
    FN(scale)(1.0F / total, out, out, count);
}

void FN(softmax)(const float *x, float *out, size_t rows, size_t count)
{
    for (size_t r = 0; r < rows && count > 0; r++)
        softmax_row(x + r * count, out + r * count, count);
}

void FN(sgd)(const dscq_sgd *o, float *w, float *v, const float *g, size_t count)
{
    EACH_VECTOR(count, {
        vf weight = v_load_upto(w + i, n);
        vf grad = v_load_upto(g + i, n) + o->decay * weight;
        vf speed = o->momentum * v_load_upto(v + i, n) + grad;
        vf by = o->nesterov ? grad + o->momentum * speed : speed;

        v_store_upto(v + i, n, speed);
        v_store_upto(w + i, n, weight - o->rate * by);
    })
}

void FN(adam)(const dscq_adam *o, float *w, float *m, float *v, const float *g,
              size_t count)
{
    EACH_VECTOR(count, {
        vf weight = v_load_upto(w + i, n);
        vf grad = v_load_upto(g + i, n);
        vf first = o->beta1 * v_load_upto(m + i, n) + (1.0F - o->beta1) * grad;
        vf second = o->beta2 * v_load_upto(v + i, n) + (1.0F - o->beta2) * grad * grad;
        vf by = first * o->m_scale / (v_sqrt(second * o->v_scale) + o->eps);

        v_store_upto(m + i, n, first);
        v_store_upto(v + i, n, second);
        v_store_upto(w + i, n, weight - o->rate * (by + o->decay * weight));
    })
}
