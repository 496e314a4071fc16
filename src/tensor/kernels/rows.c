/* rows.c - what happens to rows of pixels between matrix products. */
#include "activate.h"
#include "kernels_internal.h"

/* Coefficients that must be made up (narrow rows joined, missing a or b) are kept
 * for at most so many channels; wider rows are cut. */
enum { COLS = 512 };

/* How many dense rows of c channels to treat as one, so that vectors are full. */
static size_t join_rows(size_t rows, size_t c)
{
    size_t join = VL;

    while (join > 1 && c % (2 * VL / join) == 0)
        join /= 2;
    return c * join > COLS || rows < 2 * join ? 1 : join;
}

/* out[i] = in[i mod c], or `missing` when there is no in */
static void repeat(float *out, const float *in, size_t c, size_t count, float missing)
{
    for (size_t i = 0, k = 0; i < count; i++) {
        out[i] = in != NULL ? in[k] : missing;
        k = k + 1 == c ? 0 : k + 1;
    }
}

/* sum[i mod c] += part[i] */
static void fold(float *sum, const float *part, size_t c, size_t count)
{
    for (size_t i = 0; i < count; i += c)
        for (size_t k = 0; k < c; k++)
            sum[k] += part[i + k];
}

/* Rows taken together before the next vector of channels: coefficients and sums
 * stay in registers, and the rows in the first-level cache. */
static size_t rows_at_once(size_t c)
{
    return c <= 64 ? 64 : 8;
}

/* Ask for the same vector some rows further on: walking down a column skips from line
 * to line, which the hardware does not foresee when the rows come from memory. Beyond
 * the end it has no effect. */
INL void fetch_ahead(const float *p, size_t ld, size_t row)
{
    __builtin_prefetch((const void *)((uintptr_t)p + row * ld * sizeof *p), 0, 3);
}

INL void fetch_to_write(const float *p, size_t ld, size_t row)
{
    __builtin_prefetch((const void *)((uintptr_t)p + row * ld * sizeof *p), 1, 3);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

typedef struct quant_vectors {
    vf inv, scale, zero, lo, hi;
} quant_vectors;

static quant_vectors quant_set(const dscq_fake_quant *q)
{
    quant_vectors v = {{0}, {0}, {0}, {0}, {0}};

    if (q != NULL) {
        v.inv = v_set(1.0F / q->scale);
        v.scale = v_set(q->scale);
        v.zero = v_set(q->zero);
        v.lo = v_set(q->lo);
        v.hi = v_set(q->hi);
    }
    return v;
}

INL vf quantise(const quant_vectors *q, vf x)
{
    vf code = v_rint(x * q->inv) + q->zero;

    return (v_min(q->hi, v_max(q->lo, code)) - q->zero) * q->scale;
}

/* g where the code of x is in range, else 0 */
INL vf quant_back(const quant_vectors *q, vf g, vf x)
{
    vf code = v_rint(x * q->inv) + q->zero;

    return v_keep_gt(v_keep_gt(g, code, q->lo - 0.5F), q->hi + 0.5F, code);
}

/* ---- load --------------------------------------------------------------- */

typedef struct load_job {
    const float *a, *b, *z;
    float *y;
    size_t ldz, ldy, rows, c;
    float slope;
    const dscq_fake_quant *quant, *before;
} load_job;

/* Constants of the inner loop, so that they stay in registers. */
typedef struct load_vectors {
    vf a, b, slope;
    quant_vectors q, before;
} load_vectors;

/* An activation that can be a table, and so have a grid in front of it; for the others
 * nothing is compiled in. */
INL int may_be_table(dscq_act act)
{
    return act_kind(act) != DSCQ_ACT_CLAMP;
}

INL void load_one(dscq_act act, int affine, const load_job *j, const load_vectors *v,
                  const size_t at[2], const size_t n)
{
    vf x = v_load_upto(j->z + at[0] * j->ldz + at[1], n);

    fetch_ahead(j->z + at[1], j->ldz, at[0] + rows_at_once(j->c));
    x = affine ? v->a * x + v->b : x;
    if (may_be_table(act) && j->before != NULL)
        x = quantise(&v->before, x);
    x = activate(act, x, v->slope);
    if (j->quant != NULL)
        x = quantise(&v->q, x);
    v_store_upto(j->y + at[0] * j->ldy + at[1], n, x);
}

/* Rows [r[0], r[1]) of the n channels at c0; n is a constant for a whole vector. Only
 * the short activations gain from unrolling. */
INL void load_column(dscq_act act, int affine, const load_job *j, const size_t r[2],
                     size_t c0, const size_t n)
{
    const load_vectors v = {affine ? v_load_upto(j->a + c0, n) : v_set(1.0F),
                            affine ? v_load_upto(j->b + c0, n) : (vf){0},
                            v_set(j->slope), quant_set(j->quant),
                            quant_set(may_be_table(act) ? j->before : NULL)};

    if (act_kind(act) == DSCQ_ACT_CURVE || n < VL) {
        for (size_t i = r[0]; i < r[1]; i++)
            load_one(act, affine, j, &v, (size_t[]){i, c0}, n);
        return;
    }
    UNROLL4
    for (size_t i = r[0]; i < r[1]; i++)
        load_one(act, affine, j, &v, (size_t[]){i, c0}, n);
}

INL void load_rows(dscq_act act, int affine, const load_job *j)
{
    const size_t step = rows_at_once(j->c);

    for (size_t r0 = 0; r0 < j->rows; r0 += step) {
        const size_t r[2] = {r0, least(r0 + step, j->rows)};
        size_t c0 = 0;

        for (; c0 + VL <= j->c; c0 += VL)
            load_column(act, affine, j, r, c0, VL);
        if (c0 < j->c)
            load_column(act, affine, j, r, c0, j->c - c0);
    }
}

static void load_any(dscq_act act, int affine, const load_job *j)
{
    switch (act) {
#define DSCQ_ACT(name, ID, ...)                                                        \
    case DSCQ_ACT_##ID:                                                                \
        if (affine)                                                                    \
            load_rows(DSCQ_ACT_##ID, 1, j);                                            \
        else                                                                           \
            load_rows(DSCQ_ACT_##ID, 0, j);                                            \
        break;
#include "dscq/tensor/acts.def"
#undef DSCQ_ACT
    case DSCQ_ACT_COUNT:
        break;
    }
}

static void copy_rows(const float *z, size_t ldz, float *y, size_t ldy, size_t rows,
                      size_t c)
{
    if (ldz == c && ldy == c) {
        c *= rows;
        rows = c > 0;
    }
    for (size_t r = 0; r < rows && y != z; r++)
        memcpy(y + r * ldy, z + r * ldz, c * sizeof *y);
}

void FN(load)(const dscq_on_load *f, const float *z, size_t ldz, float *y, size_t ldy,
              size_t rows, size_t c)
{
    const int affine = f != NULL && (f->a != NULL || f->b != NULL);
    float coef[2][COLS];
    size_t join, whole;

    if (f == NULL || (!affine && f->act == DSCQ_ACT_LINEAR && f->quant == NULL)) {
        copy_rows(z, ldz, y, ldy, rows, c);
        return;
    }
    load_job j = {f->a, f->b, z, y, ldz, ldy, rows, c, f->slope, f->quant, f->before};
    join = ldz == c && ldy == c ? join_rows(rows, c) : 1;
    whole = rows / join * join;
    if (join == 1 && (!affine || (f->a != NULL && f->b != NULL))) {
        load_any(f->act, affine, &j);
        return;
    }
    for (size_t c0 = 0; c0 < c; c0 += COLS) {
        size_t n = least(c - c0, COLS);

        repeat(coef[0], f->a != NULL ? f->a + c0 : NULL, n, n * join, 1);
        repeat(coef[1], f->b != NULL ? f->b + c0 : NULL, n, n * join, 0);
        j = (load_job){coef[0],    coef[1],    z + c0,       y + c0,
                       ldz * join, ldy * join, whole / join, n * join,
                       f->slope,   f->quant,   f->before};
        load_any(f->act, affine, &j);
    }
    if (whole < rows) { /* only when joined, so c <= COLS and the coefficients stand */
        j = (load_job){coef[0],      coef[1], z + whole * c, y + whole * c, c,        c,
                       rows - whole, c,       f->slope,      f->quant,      f->before};
        load_any(f->act, affine, &j);
    }
}

void FN(quantise)(const dscq_fake_quant *q, const float *x, float *out, size_t count)
{
    dscq_on_load f = {.act = DSCQ_ACT_LINEAR, .quant = q};

    FN(load)(&f, x, count, out, count, count > 0, count);
}

/* ---- mask --------------------------------------------------------------- */

typedef struct mask_job {
    const float *a, *b, *z, *g, *more;
    float *out, *sum, *sum_z;
    size_t ld, rows, c;
    float slope;
    const dscq_fake_quant *quant, *before;
    int far;
} mask_job;

/* q: of the output, then of what is in front of the activation. */
INL vf mask_one(dscq_act act, const mask_job *j, const quant_vectors q[2], size_t at,
                size_t n, vf a, vf b, vf *sum_z)
{
    vf z = v_load_upto(j->z + at, n), g = v_load_upto(j->g + at, n), x = a * z + b;
    vf slope = v_set(j->slope);

    if (j->more != NULL)
        g += v_load_upto(j->more + at, n);
    if (may_be_table(act) && j->before != NULL) {
        g = quant_back(&q[1], g, x);
        x = quantise(&q[1], x);
    }
    g = act_back(act, g, x, slope);
    if (j->quant != NULL)
        g = quant_back(&q[0], g, activate(act, x, slope));
    if (j->far && n == VL)
        v_stream(j->out + at, g);
    else
        v_store_upto(j->out + at, n, g);
    *sum_z += g * z;
    return g;
}

INL void mask_column(dscq_act act, const mask_job *j, const size_t r[2], size_t c0,
                     const size_t n)
{
    const quant_vectors q[2] = {quant_set(j->quant),
                                quant_set(may_be_table(act) ? j->before : NULL)};
    const vf a = v_load_upto(j->a + c0, n), b = v_load_upto(j->b + c0, n);
    vf s = {0}, t = {0};

    if (act_kind(act) == DSCQ_ACT_CURVE || n < VL) {
        for (size_t i = r[0]; i < r[1]; i++)
            s += mask_one(act, j, q, i * j->ld + c0, n, a, b, &t);
    } else {
        UNROLL4
        for (size_t i = r[0]; i < r[1]; i++) {
            fetch_ahead(j->z + c0, j->ld, i + r[1] - r[0]);
            if (!j->far)
                fetch_to_write(j->out + c0, j->ld, i + r[1] - r[0]);
            s += mask_one(act, j, q, i * j->ld + c0, n, a, b, &t);
        }
    }
    if (j->sum != NULL)
        v_store_upto(j->sum + c0, n, v_load_upto(j->sum + c0, n) + s);
    if (j->sum_z != NULL)
        v_store_upto(j->sum_z + c0, n, v_load_upto(j->sum_z + c0, n) + t);
}

INL void mask_rows(dscq_act act, const mask_job *j)
{
    const size_t step = rows_at_once(j->c);

    for (size_t r0 = 0; r0 < j->rows; r0 += step) {
        const size_t r[2] = {r0, least(r0 + step, j->rows)};
        size_t c0 = 0;

        for (; c0 + VL <= j->c; c0 += VL)
            mask_column(act, j, r, c0, VL);
        if (c0 < j->c)
            mask_column(act, j, r, c0, j->c - c0);
    }
}

static void mask_any(dscq_act act, const mask_job *j)
{
    switch (act) {
#define DSCQ_ACT(name, ID, ...)                                                        \
    case DSCQ_ACT_##ID:                                                                \
        mask_rows(DSCQ_ACT_##ID, j);                                                   \
        break;
#include "dscq/tensor/acts.def"
#undef DSCQ_ACT
    case DSCQ_ACT_COUNT:
        break;
    }
}

void FN(mask)(const dscq_on_load *f, const float *z, const float *g, const float *more,
              float *out, size_t rows, size_t c, float *sum, float *sum_z, int far)
{
    static const dscq_on_load linear = {.act = DSCQ_ACT_LINEAR};
    const size_t join = join_rows(rows, c), whole = rows / join * join;
    float coef[4][COLS];

    far = far && out != g && out != more && v_may_stream(out, c * join);
    f = f != NULL ? f : &linear;
    z = z != NULL ? z : g; /* linear: its value does not matter */
    if (join == 1 && f->a != NULL && f->b != NULL) {
        mask_job j = {f->a, f->b, z, g,        more,     out,       sum, sum_z,
                      c,    rows, c, f->slope, f->quant, f->before, far};

        mask_any(f->act, &j);
        return;
    }
    for (size_t c0 = 0; c0 < c; c0 += COLS) {
        size_t n = least(c - c0, COLS), wide = n * join;
        mask_job j = {coef[0],
                      coef[1],
                      z + c0,
                      g + c0,
                      more != NULL ? more + c0 : NULL,
                      out + c0,
                      sum != NULL ? coef[2] : NULL,
                      sum_z != NULL ? coef[3] : NULL,
                      c * join,
                      whole / join,
                      wide,
                      f->slope,
                      f->quant,
                      f->before,
                      far};

        repeat(coef[0], f->a != NULL ? f->a + c0 : NULL, n, wide, 1);
        repeat(coef[1], f->b != NULL ? f->b + c0 : NULL, n, wide, 0);
        memset(coef[2], 0, wide * sizeof(float));
        memset(coef[3], 0, wide * sizeof(float));
        mask_any(f->act, &j);
        if (sum != NULL)
            fold(sum + c0, coef[2], n, wide);
        if (sum_z != NULL)
            fold(sum_z + c0, coef[3], n, wide);
    }
    if (whole < rows) {
        const size_t at = whole * c;
        mask_job j = {
            coef[0],  coef[1],  z + at,   g + at,    more != NULL ? more + at : NULL,
            out + at, sum,      sum_z,    c,         rows - whole,
            c,        f->slope, f->quant, f->before, 0};

        mask_any(f->act, &j);
    }
}

/* ---- normalisation ------------------------------------------------------ */

typedef struct bn_job {
    const float *const *coef;
    const float *g, *z;
    float *d;
    size_t ld, ldd, rows, c;
} bn_job;

enum { BN_AHEAD = 2048 }; /* floats: two streams from memory, each read in order */

INL void bn_back_vector(const bn_job *j, const float *g, const float *z, float *d,
                        size_t c0, const size_t n)
{
    const vf c1 = v_load_upto(j->coef[0] + c0, n), c2 = v_load_upto(j->coef[1] + c0, n);
    const vf c3 = v_load_upto(j->coef[2] + c0, n);

    v_store_upto(d + c0, n,
                 c1 * v_load_upto(g + c0, n) + (c2 * v_load_upto(z + c0, n) + c3));
}

static void bn_back_rows(const bn_job *j)
{
    for (size_t r = 0; r < j->rows; r++) {
        const float *g = j->g + r * j->ld, *z = j->z + r * j->ld;
        float *d = j->d + r * j->ldd;
        size_t c0 = 0;

        for (; c0 + VL <= j->c; c0 += VL) {
            fetch_ahead(g, 1, c0 + BN_AHEAD);
            fetch_ahead(z, 1, c0 + BN_AHEAD);
            bn_back_vector(j, g, z, d, c0, VL);
        }
        if (c0 < j->c)
            bn_back_vector(j, g, z, d, c0, j->c - c0);
    }
}

void FN(bn_back)(const float *const coef[3], const float *g, const float *z, float *d,
                 size_t ldd, size_t rows, size_t c)
{
    const size_t join = ldd == c ? join_rows(rows, c) : 1, whole = rows / join * join;
    float wide[3][COLS];
    const float *const joined[3] = {wide[0], wide[1], wide[2]};

    if (join > 1)
        for (int i = 0; i < 3; i++)
            repeat(wide[i], coef[i], c, c * join, 0);
    bn_job j = {join > 1 ? joined : coef,
                g,
                z,
                d,
                c * join,
                ldd * join,
                whole / join,
                c * join};
    bn_back_rows(&j);
    if (whole < rows) {
        const size_t at = whole * c;

        j = (bn_job){coef, g + at, z + at, d + at, c, ldd, rows - whole, c};
        bn_back_rows(&j);
    }
}

/* The n channels at z: sums over rows. */
INL void stat_column(const float *z, size_t ldz, size_t rows, const size_t n,
                     float *sum, float *sum_sq)
{
    vf s = {0}, t = {0};

    UNROLL4
    for (size_t r = 0; r < rows; r++) {
        vf x = v_load_upto(z + r * ldz, n);

        s += x;
        t += x * x;
    }
    v_store_upto(sum, n, v_load_upto(sum, n) + s);
    if (sum_sq != NULL)
        v_store_upto(sum_sq, n, v_load_upto(sum_sq, n) + t);
}

static void stat_rows(const float *z, size_t ldz, size_t rows, size_t c, float *sum,
                      float *sum_sq)
{
    const size_t step = rows_at_once(c);

    for (size_t r = 0; r < rows; r += step)
        for (size_t c0 = 0; c0 < c; c0 += VL) {
            const float *at = z + r * ldz + c0;
            float *sq = sum_sq != NULL ? sum_sq + c0 : NULL;

            if (c - c0 >= VL)
                stat_column(at, ldz, least(rows - r, step), VL, sum + c0, sq);
            else
                stat_column(at, ldz, least(rows - r, step), c - c0, sum + c0, sq);
        }
}

void FN(stat)(const float *z, size_t ldz, size_t rows, size_t c, float *sum,
              float *sum_sq)
{
    const size_t join = ldz == c ? join_rows(rows, c) : 1, whole = rows / join * join;
    float wide[2][COLS];

    if (join == 1) {
        stat_rows(z, ldz, rows, c, sum, sum_sq);
        return;
    }
    memset(wide, 0, sizeof wide);
    stat_rows(z, c * join, whole / join, c * join, wide[0], wide[1]);
    fold(sum, wide[0], c, c * join);
    if (sum_sq != NULL)
        fold(sum_sq, wide[1], c, c * join);
    stat_rows(z + whole * c, c, rows - whole, c, sum, sum_sq);
}

void FN(add_rows)(float alpha, const float *x, size_t ldx, float *y, size_t ldy,
                  size_t rows, size_t c)
{
    if (ldx == c && ldy == c) {
        c *= rows;
        rows = c > 0;
    }
    for (size_t r = 0; r < rows; r++)
        FN(axpy)(alpha, x + r * ldx, y + r * ldy, c);
}
