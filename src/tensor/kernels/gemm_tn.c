/*
 * gemm_tn.c - the gradient of weights: dW[n x k] = G^T X over rows, or added to dW.
 *
 * Rows are summed in blocks of ROWS in registers, one chain per element, and the
 * block is stored or added to dW. Large products first copy a panel of X (one to three
 * vectors of columns) and a slab of G (panels of PANEL columns), so that tiles read
 * memory in order and no power-of-two distance empties a cache.
 */
#include "kernels_internal.h"
#include "tile.h"

enum { ROWS = 256, PANEL = 12, SLAB = 32 * PANEL, SMALL = 4096 };

typedef struct tn_job {
    const float *g, *x;
    float *dw;
    size_t ldg, ldx, lddw, rows;
    size_t last; /* columns of the last vector that exist */
    int add;     /* to what dW holds                      */
} tn_job;

INL vf load_last(const float *p, int is_last, size_t n)
{
    return is_last && n < VL ? v_load_n(p, n) : v_load(p);
}

INL float *dw_at(const tn_job *t, size_t i, size_t j)
{
    return t->dw + i * t->lddw + j * VL;
}

/* acc plus what dW holds. */
INL void tn_add(const size_t mr, const size_t nv, const int masked, const tn_job *t,
                vf acc[TILE_MR][TILE_NV])
{
    UNROLL
    for (size_t i = 0; i < mr; i++) {
        UNROLL
        for (size_t j = 0; j < nv; j++)
            acc[i][j] += load_last(dw_at(t, i, j), masked && j + 1 == nv, t->last);
    }
}

INL void tn_tile(const size_t mr, const size_t nv, const int masked, const tn_job *t)
{
    const float *g = t->g, *x = t->x;
    const size_t last = masked ? t->last : VL;
    vf acc[TILE_MR][TILE_NV];

    UNROLL
    for (size_t i = 0; i < mr; i++) {
        UNROLL
        for (size_t j = 0; j < nv; j++) {
            acc[i][j] = (vf){0};
            __builtin_prefetch(t->dw + i * t->lddw + j * VL, 1);
        }
    }
    for (size_t r = t->rows; r > 0; r--, g += t->ldg, x += t->ldx) {
        vf v[TILE_NV];

        UNROLL
        for (size_t j = 0; j < nv; j++)
            v[j] = load_last(x + j * VL, masked && j + 1 == nv, last);
        UNROLL
        for (size_t i = 0; i < mr; i++) {
            float y = g[i];

            UNROLL
            for (size_t j = 0; j < nv; j++)
                acc[i][j] += y * v[j];
        }
    }
    if (t->add)
        tn_add(mr, nv, masked, t, acc);
    UNROLL
    for (size_t i = 0; i < mr; i++) {
        UNROLL
        for (size_t j = 0; j < nv; j++)
            v_store_upto(dw_at(t, i, j), masked && j + 1 == nv ? last : VL, acc[i][j]);
    }
}

#define X(mr, nv)                                                                      \
    static void tn_tile_##mr##_##nv(const tn_job *t)                                   \
    {                                                                                  \
        if (t->last == VL)                                                             \
            tn_tile(mr, nv, 0, t);                                                     \
        else                                                                           \
            tn_tile(mr, nv, 1, t);                                                     \
    }
TILE_LIST(X)
#undef X

static const struct {
    size_t mr, nv;
    void (*run)(const tn_job *t);
} tiles[] = {
#define X(mr, nv) {mr, nv, tn_tile_##mr##_##nv},
    TILE_LIST(X)
#undef X
};

/* All n columns of G (in panels when copied) against one panel of X. */
static void strip(size_t nv, size_t n, int copied, tn_job t)
{
    const float *g = t.g;
    size_t first = 0;

    while (tiles[first].nv != nv)
        first++;
    for (size_t done = 0, i; done < n; done += tiles[i].mr) {
        size_t in_panel = done % PANEL, left = n - done;

        if (copied) {
            left = PANEL - in_panel < left ? PANEL - in_panel : left;
            t.g = g + (done - in_panel) * t.rows + in_panel;
        } else {
            t.g = g + done;
        }
        for (i = first; tiles[i].mr > left; i++)
            ;
        tiles[i].run(&t);
        t.dw += tiles[i].mr * t.lddw;
    }
}

static size_t vectors(size_t k)
{
    return (k + VL - 1) / VL;
}

static float share_of_lanes(size_t k)
{
    return (float)k / (float)(vectors(k) * VL);
}

/* Whether the vectors should run along n: dW is then made transposed. */
static int runs_along_n(size_t n, size_t k)
{
    return n * k <= SMALL && share_of_lanes(n) > share_of_lanes(k);
}

size_t FN(gemm_tn_scratch_floats)(size_t n, size_t k)
{
    return (size_t)ROWS * (SLAB + TILE_NV * VL) + (runs_along_n(n, k) ? n * k : 0);
}

/* Columns [0, count) of `rows` rows, copied densely with distance ld. */
static void copy_columns(float *out, size_t ld, const float *in, size_t ldin,
                         size_t rows, size_t count)
{
    for (size_t r = 0; r < rows; r++, out += ld, in += ldin) {
        /* the next columns are wanted next, and rows are too far apart for the
         * hardware to see a pattern */
        __builtin_prefetch(in + count);
        __builtin_prefetch(in + count + 16);
        for (size_t i = 0; i < count; i += VL)
            v_store_upto(out + i, count - i, v_load_upto(in + i, count - i));
    }
}

static void copy_slab(float *out, const float *g, size_t ldg, size_t rows, size_t n)
{
    for (size_t i = 0; i < n; i += PANEL)
        copy_columns(out + i * rows, PANEL, g + i, ldg, rows,
                     n - i < PANEL ? n - i : PANEL);
}

typedef struct copies {
    int g, x;
    float *slab, *panel;
} copies;

/* One slab of G (t.g, n columns) against all columns of X. */
static void slab(size_t n, size_t k, tn_job t, const copies *to)
{
    for (size_t v = 0, nv; v < vectors(k); v += nv) {
        tn_job job = t;
        size_t left = k - v * VL, wide;

        nv = panel_vectors(vectors(k) - v);
        wide = nv * VL < left ? nv * VL : left;
        job.x = t.x + v * VL;
        job.dw = t.dw + v * VL;
        job.last = wide - (nv - 1) * VL;
        if (to->x) {
            copy_columns(to->panel, nv * VL, job.x, t.ldx, t.rows, wide);
            job.x = to->panel;
            job.ldx = nv * VL;
        }
        strip(nv, n, to->g, job);
    }
}

static void blocks(const tn_job *whole, size_t n, size_t k, float *scratch)
{
    const copies to = {n > 24 && (k > 3 * VL || whole->ldg > 128),
                       n > 48 || whole->ldx > 128, scratch,
                       scratch + (size_t)ROWS * SLAB};

    for (size_t r = 0; r < whole->rows; r += ROWS)
        for (size_t i = 0, step; i < n; i += step) {
            tn_job t = *whole;

            t.add |= r > 0;
            step = n - i < SLAB ? n - i : SLAB;
            t.rows = whole->rows - r < ROWS ? whole->rows - r : ROWS;
            t.g += r * t.ldg + i;
            t.x += r * t.ldx;
            t.dw += i * t.lddw;
            if (to.g) {
                copy_slab(to.slab, t.g, t.ldg, t.rows, step);
                t.g = to.slab;
                t.ldg = PANEL;
            }
            slab(step, k, t, &to);
        }
}

void FN(gemm_tn)(const float *g, size_t ldg, const float *x, size_t ldx, size_t rows,
                 size_t n, size_t k, float *dw, size_t lddw, int add, float *scratch)
{
    tn_job t = {g, x, dw, ldg, ldx, lddw, rows, 0, add};
    float *flip = scratch + (size_t)ROWS * (SLAB + TILE_NV * VL);

    if (rows == 0) {
        for (size_t i = 0; i < n && !add; i++)
            memset(dw + i * lddw, 0, k * sizeof *dw);
        return;
    }
    if (!runs_along_n(n, k)) {
        blocks(&t, n, k, scratch);
        return;
    }
    t = (tn_job){x, g, flip, ldx, ldg, n, rows, 0, 0};
    blocks(&t, k, n, scratch);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < k; j++)
            dw[i * lddw + j] = (add ? dw[i * lddw + j] : 0) + flip[j * n + i];
}
