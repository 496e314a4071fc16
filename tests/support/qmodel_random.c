#include "qmodel_random.h"

#include "dscq/base/alloc.h"
#include "dscq/build/build.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct gen {
    dscq_qmodel *m;
    dscq_rng *rng;
    const qmodel_random_opts *o;
    int32_t tensors, nodes; /* used so far */
    dscq_error *err;
} gen;

static int32_t below(gen *g, int32_t n)
{
    return (int32_t)dscq_rng_below(g->rng, (uint64_t)n);
}

static int32_t between(gen *g, int32_t lo, int32_t hi)
{
    return lo + below(g, hi - lo + 1);
}

static dscq_qtensor *new_tensor(gen *g, int32_t h, int32_t w, int32_t c)
{
    dscq_qtensor *t = &g->m->tensor[g->tensors];

    (void)snprintf(t->name, sizeof t->name, "t%d", g->tensors++);
    t->h = h;
    t->w = w;
    t->c = c;
    t->bits = g->o->only_int8 || below(g, 3) != 0 ? 8 : between(g, 4, 8);
    if (g->o->wide && below(g, 4) == 0)
        t->bits = between(g, 9, 16);
    t->is_signed = g->o->only_int8 || below(g, 4) != 0;
    const int32_t lo = dscq_qtensor_lo(t), hi = dscq_qtensor_hi(t);
    t->zero_point = below(g, 3) == 0 ? (t->is_signed ? 0 : lo) : between(g, lo, hi);
    t->scale = 0.01 + dscq_rng_unit64(g->rng);
    return t;
}

static void same_codes(dscq_qtensor *y, const dscq_qtensor *x)
{
    y->bits = x->bits;
    y->is_signed = x->is_signed;
    y->zero_point = x->zero_point;
    y->scale = x->scale;
}

static void set_clamp(gen *g, dscq_qnode *n, const dscq_qtensor *y)
{
    const int32_t lo = dscq_qtensor_lo(y), hi = dscq_qtensor_hi(y);
    const int kind = below(g, 3);

    n->clamp_lo = kind == 1 ? y->zero_point : lo;
    n->clamp_hi = hi;
    if (kind == 2) {
        n->clamp_lo = between(g, lo, hi);
        n->clamp_hi = between(g, n->clamp_lo, hi);
    }
}

static void set_leaky(gen *g, dscq_qnode *n)
{
    n->is_leaky = below(g, 3) == 0;
    n->slope_q15 = n->is_leaky ? below(g, 32769) : 0;
}

/* A factor that maps values of about `spread` over the output's range. */
static double factor_for(gen *g, const dscq_qtensor *y, double spread)
{
    const double range = dscq_qtensor_hi(y) - dscq_qtensor_lo(y);

    return 256.0 * range / (4.0 * fmax(spread, 1e-3)) *
           (0.3 + 2.0 * dscq_rng_unit64(g->rng));
}

static double spread_of(const dscq_qtensor *x)
{
    return 0.5 * (double)dscq_qtensor_reach(x) + 0.5;
}

static const dscq_qtensor *input_tensor(gen *g, const dscq_qnode *n, int32_t i)
{
    return &g->m->tensor[n->input[i]];
}

/* ---- one function an operation; 0: does not fit here ---- */

static int window(gen *g, dscq_qnode *n, const dscq_qtensor *x, int32_t *kh,
                  int32_t *kw)
{
    *kh = between(g, 1, 4);
    *kw = below(g, 2) ? *kh : between(g, 1, 4);
    n->stride_h = between(g, 1, 3);
    n->stride_w = below(g, 2) ? n->stride_h : between(g, 1, 3);
    n->pad_top = below(g, *kh);
    n->pad_left = below(g, *kw);
    n->pad_bottom = below(g, 2) ? n->pad_top : below(g, *kh);
    n->pad_right = below(g, 2) ? n->pad_left : below(g, *kw);
    return dscq_qwindow_out(x->h, *kh, n->stride_h, n->pad_top + n->pad_bottom, 1) >
               0 &&
           dscq_qwindow_out(x->w, *kw, n->stride_w, n->pad_left + n->pad_right, 1) > 0;
}

static void fill_book(gen *g, dscq_qweights *w)
{
    w->bits = between(g, 1, 8);
    w->codebook_count = 1;
    const int32_t want = between(g, 2, 1 << w->bits);
    for (int32_t i = 1; i < want; i++) {
        const int32_t v = g->o->wide && below(g, 30) == 0 ? between(g, -2000, 2000)
                                                          : between(g, -128, 127);
        int is_new = 1;
        for (int32_t j = 0; j < w->codebook_count; j++)
            is_new = is_new && w->codebook[j] != v;
        if (is_new)
            w->codebook[w->codebook_count++] = (int16_t)v;
    }
    const int32_t zero_in = between(g, 1, 12); /* density varies by layer */
    for (size_t i = 0; i < w->count; i++)
        w->value[i] =
            below(g, zero_in) != 0 ? 0 : w->codebook[below(g, w->codebook_count)];
}

static void fill_linear(gen *g, dscq_qweights *w)
{
    w->bits = g->o->wide && below(g, 4) == 0 ? 16 : between(g, 2, 8);
    const int32_t top = w->bits == 16 ? 1500 : 1 << (w->bits - 1);
    for (size_t i = 0; i < w->count; i++)
        w->value[i] = (int16_t)between(g, -top, top - 1);
}

static void fill_binary(gen *g, dscq_qweights *w)
{
    const size_t per = w->count / (size_t)w->k, blocks = w->block_count / (size_t)w->k;

    w->bits = 1;
    for (int32_t k = 0; k < w->k; k++)
        w->level[k] = (int16_t)between(g, 1, 90);
    for (size_t b = 0; b < w->block_count; b++)
        w->block_high[b] = below(g, 5) == 0;
    for (size_t i = 0; i < w->count; i++) {
        const size_t k = i / per, b = k * blocks + i % per / (size_t)w->block;
        const int32_t a = w->level[k];
        w->value[i] = (int16_t)(w->block_high[b] ? between(g, -128, 127)
                                                 : (below(g, 2) ? a : -a));
    }
}

/* Halve the weights' range until no channel can overflow. */
static int tame(const dscq_qtensor *x, dscq_qweights *w)
{
    const size_t per = w->count / (size_t)w->k;

    for (int32_t k = 0; k < w->k; k++) {
        int64_t sum = 0;
        for (size_t i = 0; i < per; i++)
            sum += w->value[(size_t)k * per + i] < 0 ? -w->value[(size_t)k * per + i]
                                                     : w->value[(size_t)k * per + i];
        if (sum > INT32_MAX / dscq_qtensor_reach(x))
            return 0;
    }
    return 1;
}

static void conv_constants(gen *g, dscq_qnode *n, const dscq_qtensor *x,
                           const dscq_qtensor *y)
{
    const dscq_qweights *w = n->weights;
    const size_t per = w->count / (size_t)w->k;

    for (int32_t k = 0; k < w->k; k++) {
        double sq = 0.0;
        for (size_t i = 0; i < per; i++)
            sq += (double)w->value[(size_t)k * per + i] * w->value[(size_t)k * per + i];
        double f = factor_for(g, y, spread_of(x) * sqrt(sq));
        if (below(g, 8) == 0)
            f = -f;
        if (below(g, 20) == 0)
            f = 0.0;
        if (!dscq_qmultiplier(&n->mult[k], &n->shift[k], f)) {
            n->mult[k] = 0;
            n->shift[k] = 0;
        }
        n->bias[k] = between(g, -5000, 5000);
        if (below(g, 30) == 0)
            n->bias[k] = below(g, 2) ? (1 << 23) - 1 : -(1 << 23);
    }
}

static int gen_conv(gen *g, dscq_qnode *n)
{
    const dscq_qtensor *x = input_tensor(g, n, 0);
    int32_t kh, kw;
    int32_t k = between(g, 1, g->o->max_channels);
    const int kind = below(g, 4);

    if (!window(g, n, x, &kh, &kw))
        return 0;
    if (kind == 0) { /* pointwise */
        kh = kw = 1;
        n->pad_top = n->pad_left = n->pad_bottom = n->pad_right = 0;
        n->stride_h = n->stride_w = 1 + (below(g, 4) == 0);
    } else if (kind == 1) { /* depthwise, sometimes with a multiplier */
        n->groups = x->c;
        k = x->c * (x->c * 2 <= g->o->max_channels ? between(g, 1, 2) : 1);
    } else if (kind == 2 && x->c % 2 == 0 && k > 1) {
        n->groups = 2;
        k = k / 2 * 2;
    } else if (kind == 3 && x->h * x->w <= 64) { /* fully connected */
        kh = x->h;
        kw = x->w;
        n->pad_top = n->pad_left = n->pad_bottom = n->pad_right = 0;
    }
    n->dilation_h = below(g, 6) == 0 ? 2 : 1;
    n->dilation_w = below(g, 6) == 0 ? 2 : 1;
    const int32_t oh = dscq_qwindow_out(x->h, kh, n->stride_h,
                                        n->pad_top + n->pad_bottom, n->dilation_h);
    const int32_t ow = dscq_qwindow_out(x->w, kw, n->stride_w,
                                        n->pad_left + n->pad_right, n->dilation_w);
    if (oh < 1 || ow < 1)
        return 0;
    const dscq_qform form = (dscq_qform)below(g, 3);
    if (dscq_qweights_create(&n->weights, k, kh, kw, x->c / n->groups, form,
                             between(g, 1, 20), g->err) != DSCQ_OK ||
        dscq_qnode_reserve(n, k, g->err) != DSCQ_OK)
        return -1;
    if (form == DSCQ_FORM_CODEBOOK)
        fill_book(g, n->weights);
    else if (form == DSCQ_FORM_LINEAR)
        fill_linear(g, n->weights);
    else
        fill_binary(g, n->weights);
    if (!tame(x, n->weights))
        return 0;
    const dscq_qtensor *y = new_tensor(g, oh, ow, k);
    conv_constants(g, n, input_tensor(g, n, 0), y);
    set_leaky(g, n);
    set_clamp(g, n, y);
    return 1;
}

static int find_same_map(gen *g, const dscq_qtensor *x, int same_c)
{
    const int32_t start = below(g, g->tensors);

    for (int32_t i = 0; i < g->tensors; i++) {
        const int32_t t = (start + i) % g->tensors;
        const dscq_qtensor *o = &g->m->tensor[t];
        if (o->h == x->h && o->w == x->w && (!same_c || o->c == x->c))
            return t;
    }
    return -1;
}

static int gen_add(gen *g, dscq_qnode *n)
{
    double f[4];
    const int32_t want = below(g, 4) == 0 ? 3 : 2;

    for (n->input_count = 1; n->input_count < want; n->input_count++)
        n->input[n->input_count] = find_same_map(g, input_tensor(g, n, 0), 1);
    const dscq_qtensor *y =
        new_tensor(g, input_tensor(g, n, 0)->h, input_tensor(g, n, 0)->w,
                   input_tensor(g, n, 0)->c);
    for (int32_t i = 0; i < want; i++)
        f[i] = factor_for(g, y, spread_of(input_tensor(g, n, i))) *
               (below(g, 9) == 0 ? -1.0 : 1.0);
    if (dscq_qnode_reserve(n, want, g->err) != DSCQ_OK)
        return -1;
    if (!dscq_qmultipliers(n->mult, n->shift, f, want))
        n->mult[0] = 1;
    for (int32_t i = 1; i < want; i++)
        n->shift[i] = n->shift[0];
    set_leaky(g, n);
    set_clamp(g, n, y);
    return 1;
}

static int gen_mul(gen *g, dscq_qnode *n)
{
    const dscq_qtensor *x = input_tensor(g, n, 0);

    n->input_count = 2;
    n->input[1] = find_same_map(g, x, 1);
    for (int32_t t = 0; t < g->tensors; t++) /* prefer 1 x 1 x C when there is one */
        if (g->m->tensor[t].h == 1 && g->m->tensor[t].w == 1 &&
            g->m->tensor[t].c == x->c && below(g, 2))
            n->input[1] = t;
    const dscq_qtensor *y = new_tensor(g, x->h, x->w, x->c);
    if (dscq_qnode_reserve(n, 1, g->err) != DSCQ_OK)
        return -1;
    (void)dscq_qmultiplier(n->mult, n->shift,
                           factor_for(g, y,
                                      spread_of(input_tensor(g, n, 0)) *
                                          spread_of(input_tensor(g, n, 1))));
    set_clamp(g, n, y);
    return 1;
}

static int gen_join(gen *g, dscq_qnode *n, int32_t want)
{
    int32_t c = input_tensor(g, n, 0)->c;

    for (n->input_count = 1; n->input_count < want; n->input_count++) {
        n->input[n->input_count] = find_same_map(g, input_tensor(g, n, 0), 0);
        c += input_tensor(g, n, n->input_count)->c;
    }
    if (c > g->o->max_channels)
        return 0;
    dscq_qtensor *y =
        new_tensor(g, input_tensor(g, n, 0)->h, input_tensor(g, n, 0)->w, c);
    if (below(g, 2))
        same_codes(y, input_tensor(g, n, 0));
    if (dscq_qnode_reserve(n, want, g->err) != DSCQ_OK)
        return -1;
    for (int32_t i = 0; i < want; i++) {
        const dscq_qtensor *x = input_tensor(g, n, i);
        if (x->bits == y->bits && x->is_signed == y->is_signed &&
            x->zero_point == y->zero_point && below(g, 3) != 0) {
            n->shift[i] = DSCQ_QSHIFT_COPIED;
            continue;
        }
        (void)dscq_qmultiplier(&n->mult[i], &n->shift[i],
                               factor_for(g, y, spread_of(x)));
    }
    set_clamp(g, n, y);
    return 1;
}

static int gen_concat(gen *g, dscq_qnode *n)
{
    return gen_join(g, n, between(g, 2, 4));
}

static int gen_rescale(gen *g, dscq_qnode *n)
{
    return gen_join(g, n, 1);
}

static int gen_pool(gen *g, dscq_qnode *n)
{
    const dscq_qtensor *x = input_tensor(g, n, 0);
    int32_t keys[64];

    if (!window(g, n, x, &n->kernel_h, &n->kernel_w))
        return 0;
    if (below(g, 4) == 0) {
        n->kernel_h = n->kernel_w = 0;
        n->stride_h = n->stride_w = 1;
        n->pad_top = n->pad_left = n->pad_bottom = n->pad_right = 0;
    }
    const int32_t kh = n->kernel_h ? n->kernel_h : x->h;
    const int32_t kw = n->kernel_w ? n->kernel_w : x->w;
    const int32_t h =
        dscq_qwindow_out(x->h, kh, n->stride_h, n->pad_top + n->pad_bottom, 1);
    const int32_t w =
        dscq_qwindow_out(x->w, kw, n->stride_w, n->pad_left + n->pad_right, 1);
    if ((h - 1) * n->stride_h - n->pad_top >= x->h ||
        (w - 1) * n->stride_w - n->pad_left >= x->w)
        return 0;
    dscq_qtensor *y = new_tensor(g, h, w, x->c);
    set_clamp(g, n, y);
    if (n->op == DSCQ_Q_MAXPOOL) {
        same_codes(y, x);
        set_clamp(g, n, y);
        return 1;
    }
    n->count_include_pad = below(g, 3) == 0;
    const int32_t count = dscq_qpool_counts(n, x->h, x->w, keys, 64);
    if (dscq_qnode_reserve(n, count, g->err) != DSCQ_OK)
        return -1;
    for (int32_t i = 0; i < count; i++) {
        n->scale_key[i] = keys[i];
        (void)dscq_qmultiplier(&n->mult[i], &n->shift[i],
                               factor_for(g, y, spread_of(x)) / keys[i]);
    }
    return 1;
}

static int gen_maxpool(gen *g, dscq_qnode *n)
{
    return gen_pool(g, n);
}

static int gen_avgpool(gen *g, dscq_qnode *n)
{
    return gen_pool(g, n);
}

static int moved(gen *g, int32_t h, int32_t w, int32_t c, const dscq_qtensor *x)
{
    if (h > 2 * g->o->max_side || w > 2 * g->o->max_side || c > g->o->max_channels)
        return 0;
    same_codes(new_tensor(g, h, w, c), x);
    return 1;
}

/* Drawn for all that move codes, used or not: the networks of a seed stay the same. */
static int32_t factor(gen *g)
{
    return between(g, 1, 3);
}

static int gen_upsample(gen *g, dscq_qnode *n)
{
    const dscq_qtensor *x = input_tensor(g, n, 0);
    const int32_t f = n->factor = factor(g);

    return moved(g, x->h * f, x->w * f, x->c, x);
}

static int gen_reorg(gen *g, dscq_qnode *n)
{
    const dscq_qtensor *x = input_tensor(g, n, 0);
    const int32_t f = n->factor = factor(g);

    if (x->h % f != 0 || x->w % f != 0)
        return 0;
    return moved(g, x->h / f, x->w / f, x->c * f * f, x);
}

static int gen_slice(gen *g, dscq_qnode *n)
{
    const dscq_qtensor *x = input_tensor(g, n, 0);

    (void)factor(g);
    n->first = below(g, x->c);
    return moved(g, x->h, x->w, between(g, 1, x->c - n->first), x);
}

static int gen_pad(gen *g, dscq_qnode *n)
{
    const dscq_qtensor *x = input_tensor(g, n, 0);

    (void)factor(g);
    n->pad_top = below(g, 3);
    n->pad_left = below(g, 3);
    n->pad_bottom = below(g, 3);
    n->pad_right = below(g, 3);
    return moved(g, x->h + n->pad_top + n->pad_bottom,
                 x->w + n->pad_left + n->pad_right, x->c, x);
}

static int gen_lut(gen *g, dscq_qnode *n)
{
    const dscq_qtensor *x = input_tensor(g, n, 0);

    if (x->bits > 8)
        return 0;
    const dscq_qtensor *y = new_tensor(g, x->h, x->w, x->c);
    n->table_count = 1 << x->bits;
    n->table = dscq_calloc((size_t)n->table_count, sizeof *n->table);
    if (n->table == NULL)
        return -1;
    for (int32_t i = 0; i < n->table_count; i++)
        n->table[i] = between(g, dscq_qtensor_lo(y), dscq_qtensor_hi(y));
    return 1;
}

static int gen_lrn(gen *g, dscq_qnode *n)
{
    const dscq_qtensor *x = input_tensor(g, n, 0);
    const int64_t reach = dscq_qtensor_reach(x);

    n->first = between(g, 1, 7);
    const int64_t span = n->first < x->c ? n->first : x->c;
    if (n->first > 2 * x->c + 1 || span > (int64_t)UINT32_MAX / (reach * reach))
        return 0;
    const dscq_qtensor *y = new_tensor(g, x->h, x->w, x->c);
    n->table_count = dscq_lrn_index((uint32_t)(span * reach * reach)) + 1;
    n->table = dscq_calloc((size_t)n->table_count, sizeof *n->table);
    if (n->table == NULL || dscq_qnode_reserve(n, 1, g->err) != DSCQ_OK)
        return -1;
    for (int32_t i = 0; i < n->table_count; i++)
        n->table[i] = 65535 / (1 + i / 16) - below(g, 3);
    n->shift[0] = (uint8_t)between(g, 7, 12);
    set_clamp(g, n, y);
    return 1;
}

static int (*const k_gen[DSCQ_Q_COUNT])(gen *, dscq_qnode *) = {
#define DSCQ_QOP(name, id, meaning, traits) [DSCQ_Q_##id] = gen_##name,
#include "dscq/qnet/qops.def"
#undef DSCQ_QOP
};

static void drop(dscq_qnode *n)
{
    dscq_free(n->mult);
    dscq_free(n->shift);
    dscq_free(n->bias);
    dscq_free(n->scale_key);
    dscq_free(n->table);
    dscq_qweights_destroy(n->weights);
    dscq_qnode_clear(n);
}

static int one_node(gen *g)
{
    enum { MORE = 3 }; /* convolutions are as frequent as four others */
    dscq_qnode *n = &g->m->node[g->nodes];
    const int32_t before = g->tensors;

    const int32_t pick = below(g, MORE + DSCQ_Q_COUNT);
    n->op = pick < MORE ? DSCQ_Q_CONV : (dscq_qop)(pick - MORE);
    if (g->o->ops != 0 && (g->o->ops >> n->op & 1U) == 0)
        return 0;
    n->input_count = 1;
    n->input[0] = below(g, 3) ? g->tensors - 1 : below(g, g->tensors);
    const int made = k_gen[n->op](g, n);
    if (made != 1) {
        drop(n);
        g->tensors = before;
        return made;
    }
    (void)snprintf(n->name, sizeof n->name, "n%d_%s", g->nodes, dscq_qop_name(n->op));
    n->output = g->tensors - 1;
    g->nodes++;
    return 1;
}

static void finish(gen *g)
{
    dscq_qinput *in = &g->m->input[0]; /* the others are real numbers */
    dscq_qoutput *out = &g->m->output[0];

    (void)snprintf(g->m->name, sizeof g->m->name, "random");
    in->tensor = 0;
    in->scale = 1.0;
    in->is_image = g->m->tensor[0].c <= 4;
    for (int c = 0; c < 4; c++) {
        in->std[c] = 1.0;
        in->mult[c] = between(g, -70000, 70000);
        in->offset[c] = between(g, -1000000, 1000000);
    }
    for (int32_t i = 1; i < g->m->input_count; i++)
        g->m->input[i].tensor = i;
    out->tensor = g->tensors - 1;
    (void)snprintf(out->role, sizeof out->role, "raw");
    g->m->tensor_count = g->tensors;
    g->m->node_count = g->nodes;
    g->m->float_bytes = 1234;
}

dscq_status qmodel_random(dscq_qmodel **out, dscq_rng *rng,
                          const qmodel_random_opts *opts, dscq_error *err)
{
    gen g = {NULL, rng, opts, 0, 0, err};
    dscq_status status;

    *out = NULL;
    DSCQ_TRY(dscq_qmodel_create(&g.m, err));
    const int32_t inputs = opts->inputs > 1 ? opts->inputs : 1;
    DSCQ_TRY(
        dscq_qmodel_reserve(g.m, opts->nodes + inputs, opts->nodes, inputs, 1, err));
    (void)new_tensor(&g, between(&g, 1, opts->max_side), between(&g, 1, opts->max_side),
                     between(&g, 1, opts->max_channels < 8 ? opts->max_channels : 8));
    for (int32_t i = 1; i < inputs; i++) /* often of one shape: sums can take both */
        (void)new_tensor(&g, g.m->tensor[0].h, g.m->tensor[0].w,
                         below(&g, 2) ? g.m->tensor[0].c
                                      : between(&g, 1, opts->max_channels));
    for (int tries = 0; g.nodes < opts->nodes && (tries < 400 || g.nodes == 0); tries++)
        if (one_node(&g) < 0) {
            status = dscq_fail_nomem(err, "random network", 0);
            goto done;
        }
    finish(&g);
    DSCQ_TRY(dscq_qmodel_check(g.m, err));
    *out = g.m;
    return DSCQ_OK;
done:
    dscq_qmodel_destroy(g.m);
    return status;
}

void qmodel_random_codes(const dscq_qtensor *t, void *data, dscq_rng *rng)
{
    const int32_t lo = dscq_qtensor_lo(t);
    const uint64_t range = (uint64_t)(dscq_qtensor_hi(t) - lo + 1);

    for (size_t i = 0; i < dscq_qtensor_count(t); i++)
        dscq_qtensor_put(t, data, i, lo + (int32_t)dscq_rng_below(rng, range));
}
