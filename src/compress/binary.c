/* A binary tensor with sparse blocks of 8-bit weights: a reconstruction of the mixed
 * precision of Nguyen et al., TCSVT 2021 (docs/methods.md). */
#include "compress_internal.h"
#include "dscq/compress/levels.h"

#include <assert.h>
#include <math.h>

int32_t dscq_binary_block(const dscq_weights *w, int32_t asked)
{
    const int32_t window = w->r * w->s, per = window * w->c;
    const int32_t block = asked > 0 ? asked : (window > 1 ? window : 16);

    return block < per ? block : per;
}

/* Sum of |w| over the low (or all) weights of channel o. */
static double channel_abs(const dscq_wquant *q, const float *w, int32_t o, int all,
                          size_t *number)
{
    const size_t per = q->w.count / (size_t)q->w.k;
    const size_t blocks = q->w.block_count / (size_t)q->w.k;
    double sum = 0.0;

    *number = 0;
    for (size_t j = 0; j < per; j++)
        if (all || !q->w.block_high[(size_t)o * blocks + j / (size_t)q->w.block]) {
            sum += fabs((double)w[(size_t)o * per + j]);
            (*number)++;
        }
    return sum;
}

/* Error of binarising each block with the channel's mean. */
static void block_scores(const dscq_wquant *q, const float *w, double *score)
{
    const size_t per = q->w.count / (size_t)q->w.k;
    const size_t blocks = q->w.block_count / (size_t)q->w.k;

    for (int32_t o = 0; o < q->w.k; o++) {
        size_t n;
        const double alpha = channel_abs(q, w, o, 1, &n) / (double)per;

        for (size_t b = 0; b < blocks; b++)
            score[(size_t)o * blocks + b] = 0.0;
        for (size_t j = 0; j < per; j++) {
            const double d = fabs((double)w[(size_t)o * per + j]) - alpha;
            score[(size_t)o * blocks + j / (size_t)q->w.block] += d * d;
        }
    }
}

/* order[0..n): indices by falling score, the lower index first on a tie (heap sort). */
static void sift(uint32_t *order, size_t at, size_t n, const double *score)
{
    for (;;) {
        size_t child = 2 * at + 1;
        const uint32_t x = order[at];

        if (child >= n)
            return;
            /* the heap's top is what comes last: lowest score, highest index */
#define LATER(a, b) (score[a] < score[b] || (score[a] == score[b] && (a) > (b)))
        if (child + 1 < n && LATER(order[child + 1], order[child]))
            child++;
        if (!LATER(order[child], x))
            return;
#undef LATER
        order[at] = order[child];
        order[child] = x;
        at = child;
    }
}

static void order_by_score(uint32_t *order, const double *score, size_t n)
{
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (size_t i = n / 2; i-- > 0;)
        sift(order, i, n, score);
    for (size_t end = n; end > 1; end--) {
        const uint32_t x = order[0];
        order[0] = order[end - 1];
        order[end - 1] = x;
        sift(order, 0, end - 1, score);
    }
}

static void channel_scale(dscq_wquant *q, const float *w, int32_t o)
{
    const size_t per = q->w.count / (size_t)q->w.k;
    const size_t blocks = q->w.block_count / (size_t)q->w.k;
    size_t low;
    double alpha = channel_abs(q, w, o, 0, &low), high = 0.0;

    alpha = low > 0 ? alpha / (double)low : 0.0;
    for (size_t j = 0; j < per; j++)
        if (q->w.block_high[(size_t)o * blocks + j / (size_t)q->w.block])
            high = fmax(high, fabs((double)w[(size_t)o * per + j]));
    if (!(fmax(alpha, high) > 0.0)) { /* a dead channel */
        q->scale[o] = 1e-12;
        q->w.level[o] = 1;
        return;
    }
    if (low == per) {
        q->scale[o] = alpha;
        q->w.level[o] = 1;
        return;
    }
    q->scale[o] = fmax(alpha, high) / 127.0;
    q->w.level[o] = (int16_t)fmax(dscq_round_away(alpha / q->scale[o]), 1.0);
}

void dscq_binary_fit(dscq_wquant *q, const float *w, double high_frac, double *score,
                     uint32_t *order)
{
    const size_t n = q->w.block_count;
    const size_t high = (size_t)dscq_round_away(high_frac * (double)n);

    assert(q->w.form == DSCQ_FORM_BINARY && q->scale_count == q->w.k);
    block_scores(q, w, score);
    order_by_score(order, score, n);
    for (size_t i = 0; i < n; i++)
        q->w.block_high[order[i]] = i < high;
    for (int32_t o = 0; o < q->w.k; o++)
        channel_scale(q, w, o);
}
