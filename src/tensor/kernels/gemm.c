/*
 * gemm.c - C = A * packed B in register tiles, the result finished in registers.
 *
 * Packed: for every block of at most K_BLOCK rows of B, for every panel of one to
 * three vectors of columns, the panel's rows one after the other; columns past n
 * are 0. Order of a sum: k ascending, one chain per element.
 */
#include "kernels_internal.h"
#include "tile.h"

/* K_BLOCK: a panel of two vectors is at most 64 KiB. A_BLOCK: floats of A that stay
 * in the second-level cache while all panels pass. */
enum { K_BLOCK = 512, A_BLOCK = 64 * 1024 };

typedef enum finish_act {
    FINISH_NONE,
    FINISH_CLAMP,
    FINISH_LEAK,
    FINISH_LATER
} finish_act;

/* on_store at the columns of one panel */
typedef struct finish {
    int add_to;
    const float *bias;
    float *sum, *sum_sq;
    finish_act act;
    float lo, hi; /* clamp; leak: lo is the slope */
} finish;

typedef struct tile_job {
    const float *a, *b;
    float *c;
    size_t lda, ldc, k;
    size_t last; /* columns of the last vector that exist */
    const finish *end;
} tile_job;

/* Sums over the rows of a tile, then one addition to memory. */
INL void tile_stat(const size_t mr, const size_t nv, vf acc[TILE_MR][TILE_NV],
                   const tile_job *t)
{
    UNROLL
    for (size_t j = 0; j < nv; j++) {
        size_t n = j + 1 == nv ? t->last : VL;
        vf s = v_load_upto(t->end->sum + j * VL, n);
        vf q = v_load_upto(t->end->sum_sq + j * VL, n);

        UNROLL
        for (size_t i = 0; i < mr; i++) {
            s += acc[i][j];
            q += acc[i][j] * acc[i][j];
        }
        v_store_upto(t->end->sum + j * VL, n, s);
        v_store_upto(t->end->sum_sq + j * VL, n, q);
    }
}

#define EACH_ELEMENT                                                                   \
    UNROLL                                                                             \
    for (size_t i = 0; i < mr; i++)                                                    \
        UNROLL                                                                         \
    for (size_t j = 0; j < nv; j++)

INL void tile_store(const size_t mr, const size_t nv, vf acc[TILE_MR][TILE_NV],
                    const tile_job *t)
{
    if (t->last == VL) {
        EACH_ELEMENT v_store(t->c + i * t->ldc + j * VL, acc[i][j]);
        return;
    }
    EACH_ELEMENT
    {
        if (j + 1 == nv)
            v_store_n(t->c + i * t->ldc + j * VL, t->last, acc[i][j]);
        else
            v_store(t->c + i * t->ldc + j * VL, acc[i][j]);
    }
}

INL void tile_finish(const size_t mr, const size_t nv, vf acc[TILE_MR][TILE_NV],
                     const tile_job *t)
{
    const finish *f = t->end;

    if (f->add_to)
        EACH_ELEMENT acc[i][j] +=
            v_load_upto(t->c + i * t->ldc + j * VL, j + 1 == nv ? t->last : VL);
    if (f->bias != NULL)
        EACH_ELEMENT acc[i][j] +=
            v_load_upto(f->bias + j * VL, j + 1 == nv ? t->last : VL);
    if (f->sum != NULL)
        tile_stat(mr, nv, acc, t);
    if (f->act == FINISH_CLAMP)
        EACH_ELEMENT acc[i][j] = v_min(v_set(f->hi), v_max(v_set(f->lo), acc[i][j]));
    else if (f->act == FINISH_LEAK)
        EACH_ELEMENT acc[i][j] = v_max(acc[i][j] * f->lo, acc[i][j]);
}

INL void tile(const size_t mr, const size_t nv, const tile_job *t)
{
    /* one pointer for three rows: the addressing modes reach p, p+lda, p+2*lda */
    const float *p[(TILE_MR + 2) / 3], *b = t->b;
    const size_t lda = t->lda;
    vf acc[TILE_MR][TILE_NV];

    UNROLL
    for (size_t i = 0; i < mr; i += 3)
        p[i / 3] = t->a + i * lda;
    EACH_ELEMENT acc[i][j] = (vf){0};
    for (size_t k = t->k; k > 0; k--) {
        vf x[TILE_NV];

        UNROLL
        for (size_t j = 0; j < nv; j++)
            x[j] = v_load(b + j * VL);
        b += nv * VL;
        UNROLL
        for (size_t i = 0; i < mr; i++) {
            float y = p[i / 3][i % 3 * lda];

            UNROLL
            for (size_t j = 0; j < nv; j++)
                acc[i][j] += y * x[j];
        }
        UNROLL
        for (size_t i = 0; i < mr; i += 3)
            p[i / 3]++;
    }
    if (t->end != NULL)
        tile_finish(mr, nv, acc, t);
    tile_store(mr, nv, acc, t);
}

#define X(mr, nv)                                                                      \
    static void tile_##mr##_##nv(const tile_job *t)                                    \
    {                                                                                  \
        tile(mr, nv, t);                                                               \
    }
TILE_LIST(X)
#undef X

/* by nv, then fewer and fewer rows */
static const struct {
    size_t mr, nv;
    void (*run)(const tile_job *t);
} tiles[] = {
#define X(mr, nv) {mr, nv, tile_##mr##_##nv},
    TILE_LIST(X)
#undef X
};

static void strip(size_t nv, size_t m, tile_job t)
{
    size_t i = 0;

    while (tiles[i].nv != nv)
        i++;
    while (m > 0) {
        while (tiles[i].mr > m)
            i++;
        tiles[i].run(&t);
        t.a += tiles[i].mr * t.lda;
        t.c += tiles[i].mr * t.ldc;
        m -= tiles[i].mr;
    }
}

static size_t vectors(size_t n)
{
    return (n + VL - 1) / VL;
}

/* Blocks of k of nearly equal size. */
static size_t k_block(size_t k)
{
    size_t blocks = (k + K_BLOCK - 1) / K_BLOCK;

    return blocks == 0 ? 1 : (k + blocks - 1) / blocks;
}

size_t FN(gemm_packed_floats)(size_t n, size_t k)
{
    return vectors(n) * VL * k;
}

/* One panel of kc rows: any strides. */
static void pack_any(float *out, const float *b, size_t columns, size_t wide, size_t kc,
                     const size_t stride[2])
{
    for (size_t k = 0; k < kc; k++)
        for (size_t j = 0; j < wide; j++)
            *out++ = j < columns ? b[k * stride[0] + j * stride[1]] : 0;
}

/* Columns next to each other in memory. */
static void pack_rows(float *out, const float *b, size_t columns, size_t wide,
                      size_t kc, size_t k_stride)
{
    for (size_t k = 0; k < kc; k++)
        for (size_t j = 0; j < wide; j += VL, out += VL)
            v_store(out, j >= columns ? (vf){0}
                                      : v_load_upto(b + k * k_stride + j, columns - j));
}

/* Rows (k) next to each other in memory: squares are turned in registers. */
static void pack_columns(float *out, const float *b, size_t columns, size_t wide,
                         size_t kc, size_t n_stride)
{
    for (size_t j = 0; j < wide; j += VL)
        for (size_t k = 0; k < kc; k += VL) {
            const size_t n = kc - k < VL ? kc - k : VL;
            vf x[DSCQ_LANES];

            UNROLL
            for (size_t i = 0; i < VL; i++)
                x[i] = j + i < columns ? v_load_upto(b + (j + i) * n_stride + k, n)
                                       : (vf){0};
            v_transpose(x);
            UNROLL
            for (size_t i = 0; i < VL; i++)
                if (i < n)
                    v_store(out + (k + i) * wide + j, x[i]);
        }
}

static void pack_panel(float *out, const float *b, size_t columns, size_t wide,
                       size_t kc, const size_t stride[2])
{
    if (stride[1] == 1)
        pack_rows(out, b, columns, wide, kc, stride[0]);
    else if (stride[0] == 1)
        pack_columns(out, b, columns, wide, kc, stride[1]);
    else
        pack_any(out, b, columns, wide, kc, stride);
}

void FN(gemm_pack)(float *packed, const float *b, size_t n, size_t k, size_t n_stride,
                   size_t k_stride)
{
    const size_t step = k_block(k), stride[2] = {k_stride, n_stride};

    for (size_t k0 = 0; k0 < k; k0 += step) {
        size_t kc = k - k0 < step ? k - k0 : step;

        for (size_t v = 0, nv; v < vectors(n); v += nv) {
            nv = panel_vectors(vectors(n) - v);
            pack_panel(packed, b + k0 * k_stride + v * VL * n_stride, n - v * VL,
                       nv * VL, kc, stride);
            packed += nv * VL * kc;
        }
    }
}

static finish_act act_of(const dscq_on_store *s, float *lo, float *hi)
{
    const dscq_act_row *row = dscq_act_at(s->act);

    *lo = (float)row->lo;
    *hi = (float)row->hi;
    switch (row->kind) {
    case DSCQ_ACT_CLAMP:
        return s->act == DSCQ_ACT_LINEAR ? FINISH_NONE : FINISH_CLAMP;
    case DSCQ_ACT_LEAK:
        *lo = s->slope;
        return s->slope >= 0 && s->slope <= 1 ? FINISH_LEAK : FINISH_LATER;
    case DSCQ_ACT_CURVE:
        break;
    }
    return FINISH_LATER;
}

/* What to do at panel column n0 of block k0. */
static finish finish_at(const dscq_on_store *s, size_t n0, int is_first, int is_last)
{
    finish f = {!is_first, NULL, NULL, NULL, FINISH_NONE, 0, 0};

    if (s == NULL)
        return f;
    f.add_to |= s->add_to;
    if (is_last) {
        f.bias = s->bias != NULL ? s->bias + n0 : NULL;
        f.sum = s->sum != NULL ? s->sum + n0 : NULL;
        f.sum_sq = s->sum != NULL ? s->sum_sq + n0 : NULL;
        f.act = act_of(s, &f.lo, &f.hi);
    }
    return f;
}

/* All panels of one block of k. */
static void panels(const float *packed, tile_job t, size_t m, size_t n,
                   const dscq_on_store *s, const int edge[2])
{
    for (size_t v = 0, nv; v < vectors(n); v += nv) {
        finish f = finish_at(s, v * VL, edge[0], edge[1]);
        tile_job job = t;

        nv = panel_vectors(vectors(n) - v);
        job.b = packed + t.k * v * VL;
        job.c = t.c + v * VL;
        job.last = n - (v + nv - 1) * VL < VL ? n - (v + nv - 1) * VL : VL;
        job.end = s != NULL || !edge[0] ? &f : NULL;
        strip(nv, m, job);
    }
}

/* Rows that are a multiple of every tile height and keep A in cache. */
static size_t row_block(size_t kc)
{
    size_t rows = A_BLOCK / (kc > 0 ? kc : 1) / TILE_MR * TILE_MR;

    return rows < TILE_MR ? TILE_MR : rows;
}

void FN(gemm)(const float *packed, const float *a, size_t lda, float *c, size_t ldc,
              size_t m, size_t n, size_t k, const dscq_on_store *s)
{
    const size_t step = k_block(k), block = row_block(step);
    const dscq_on_load later = {.act = s != NULL ? s->act : DSCQ_ACT_LINEAR,
                                .slope = s != NULL ? s->slope : 0};
    float lo, hi;

    for (size_t m0 = 0; m0 < m; m0 += block) {
        size_t rows = m - m0 < block ? m - m0 : block, k0 = 0;

        do { /* also once when k is 0: C is bias, or zero */
            size_t kc = k - k0 < step ? k - k0 : step;
            tile_job t = {a + m0 * lda + k0, NULL, c + m0 * ldc, lda, ldc, kc, 0, NULL};

            panels(packed + k0 * vectors(n) * VL, t, rows, n, s,
                   (int[]){k0 == 0, k0 + kc == k});
            k0 += step;
        } while (k0 < k);
        if (s != NULL && act_of(s, &lo, &hi) == FINISH_LATER)
            FN(load)(&later, c + m0 * ldc, ldc, c + m0 * ldc, ldc, rows, n);
    }
}
