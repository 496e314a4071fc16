/* Constants added to a map or multiplied into it, one a channel, that belong to the
 * layer in front: y = scale * x + shift, on either side of its normalisation. */
#include "lower.h"

#include <math.h>
#include <string.h>

/* One value, or one along the channels of `like`. */
static int per_channel(const onnx_tensor *t, const onnx_like *like)
{
    const int32_t at = like->axis - (like->rank - (t != NULL ? t->rank : 0));

    if (t == NULL || t->rank > like->rank || t->count == 0)
        return 0;
    return t->count == 1 || (at >= 0 && t->count == (size_t)like->channels &&
                             t->dim[at] == like->channels);
}

static double one_of(const onnx_tensor *t, int64_t k)
{
    return t->v[t->count == 1 ? 0 : (size_t)k];
}

/* What a Sum, difference, product or quotient with a constant does to channel k. */
typedef struct step {
    const onnx_tensor *t;
    int is_product, is_inverse; /* times t, or divided by it; plus, or minus         */
    int turns;                  /* t - x                                             */
} step;

static int read_step(const lower *l, const onnx_node *n, int32_t value,
                     const onnx_like *like, step *s)
{
    const int32_t other = n->in_count == 2 && n->in[0] == value ? 1 : 0;
    const int is_sub = onnx__is(n, "Sub"), is_div = onnx__is(n, "Div");

    if (n->in_count != 2 || n->in[1 - other] != value ||
        !(onnx__is(n, "Add") || onnx__is(n, "Sum") || onnx__is(n, "Mul") || is_sub ||
          is_div))
        return 0;
    *s = (step){.t = onnx__const(l, n, other),
                .is_product = is_div || onnx__is(n, "Mul"),
                .is_inverse = is_div || (is_sub && other == 1),
                .turns = is_sub && other == 0};
    if (!per_channel(s->t, like) || (is_div && other == 0))
        return 0;
    for (int64_t k = 0; k < like->channels; k++)
        if (!isfinite(one_of(s->t, k)) || (is_div && one_of(s->t, k) == 0))
            return 0;
    return 1;
}

/* Room for both numbers of every channel, as 1 and 0. */
static int start(lower *l, onnx_tail *t, int side, int64_t channels)
{
    if (t->scale[side] != NULL)
        return 1;
    t->scale[side] = onnx__take(&l->pool, (size_t)channels, sizeof *t->scale[side]);
    t->shift[side] = onnx__take(&l->pool, (size_t)channels, sizeof *t->shift[side]);
    if (t->scale[side] == NULL || t->shift[side] == NULL)
        return 0;
    for (int64_t k = 0; k < channels; k++)
        t->scale[side][k] = 1;
    return 1;
}

static void put(onnx_tail *t, int side, int64_t k, double scale, double shift)
{
    t->scale[side][k] *= scale;
    t->shift[side][k] = t->shift[side][k] * scale + shift;
}

static int follow_norm(lower *l, onnx_tail *t, const onnx_node *n,
                       const onnx_like *like, int side)
{
    const onnx_tensor *in[4];
    const double eps = onnx__attr_real(n, "epsilon", 1e-5);

    for (int32_t i = 0; i < 4; i++) {
        in[i] = onnx__const(l, n, i + 1);
        if (in[i] == NULL || in[i]->count != (size_t)like->channels)
            return 0;
    }
    for (int64_t k = 0; k < like->channels; k++)
        if (!(one_of(in[3], k) + eps > 0))
            return 0;
    if (!start(l, t, side, like->channels))
        return 0;
    for (int64_t k = 0; k < like->channels; k++) {
        const double a = one_of(in[0], k) / sqrt(one_of(in[3], k) + eps);
        put(t, side, k, a, one_of(in[1], k) - a * one_of(in[2], k));
    }
    return 1;
}

int onnx__follow_affine(lower *l, onnx_tail *t, const onnx_node *n,
                        const onnx_like *like)
{
    const int side = t->norm != NULL;
    step s;

    if (onnx__is(n, "BatchNormalization"))
        return n->in[0] == t->value && onnx__norm_is_plain(n) &&
               follow_norm(l, t, n, like, side);
    if (!read_step(l, n, t->value, like, &s) || !start(l, t, side, like->channels))
        return 0;
    for (int64_t k = 0; k < like->channels; k++) {
        const double v = one_of(s.t, k);
        if (s.is_product)
            put(t, side, k, s.is_inverse ? 1 / v : v, 0);
        else
            put(t, side, k, s.turns ? -1 : 1, s.is_inverse ? -v : v);
    }
    return 1;
}

void onnx__apply_affine(const dscq_weights *w, const onnx_tail *t,
                        const onnx_tensor *bias, double beta)
{
    const size_t per = w->k > 0 ? w->count / (size_t)w->k : 0;

    for (int32_t k = 0; k < w->channels; k++) {
        const double given = bias != NULL ? beta * one_of(bias, k) : 0;
        const double scale = t->scale[0] != NULL ? t->scale[0][k] : 1;
        const double shift = scale * given + (t->scale[0] != NULL ? t->shift[0][k] : 0);
        if (w->bias != NULL)
            w->bias[k] = (float)shift;
        else if (w->mean != NULL) /* in front of the norm */
            w->mean[k] = (float)((double)w->mean[k] - shift);
        for (size_t i = 0; scale != 1 && i < per; i++)
            w->w[(size_t)k * per + i] =
                (float)(scale * (double)w->w[(size_t)k * per + i]);
        if (t->scale[1] != NULL) {
            w->gamma[k] = (float)(t->scale[1][k] * (double)w->gamma[k]);
            w->beta[k] = (float)(t->scale[1][k] * (double)w->beta[k] + t->shift[1][k]);
        }
    }
}
