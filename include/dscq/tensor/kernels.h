/*
 * tensor/kernels.h - the float32 kernels, one table of functions per CPU family.
 *
 * Every kernel works on the part it is given, on the calling thread, without
 * allocating; the caller cuts the work into fixed pieces (base/par.h). The bytes of
 * a result depend on the family and on how the work was cut, never on the number
 * of threads. Slow references in double precision: tensor/ref.h.
 *
 * Memory: NHWC, channels fastest. A "row" is one pixel: c floats. `ld*` is the
 * distance in floats between two rows (>= c). Pointers may have any alignment of a
 * float; 64 bytes is fastest, and so is a row distance from dscq_row_stride().
 * Arrays may not overlap unless it says "may alias" (same pointer, same stride).
 * All counts may be 0.
 *
 * Kept between forward and backward is only z, the output before normalisation.
 * y = act(a*z + b) is recomputed when it is loaded (a = gamma/sqrt(var+eps),
 * b = beta - mean*a); with g = dL/d(a*z+b), mean and variance being functions of
 * the batch, dL/dz = c1*g + c2*z + c3 with three numbers per channel (Ioffe and
 * Szegedy 2015, section 3, solved for z).
 */
#ifndef DSCQ_TENSOR_KERNELS_H
#define DSCQ_TENSOR_KERNELS_H

#include "dscq/tensor/act.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Quantise and come back: y = (clamp(rint(y/scale) + zero, lo, hi) - zero)*scale,
 * codes as floats (Jacob et al. 2018, section 3). scale > 0. */
typedef struct dscq_fake_quant {
    float scale, zero, lo, hi;
} dscq_fake_quant;

/* What happens to a stored z on its way into the next layer. */
typedef struct dscq_on_load {
    const float *a, *b; /* [c]; both NULL: 1 and 0; a alone NULL: 1 (bias) */
    dscq_act act;
    float slope;                   /* leaky, elu                               */
    const dscq_fake_quant *quant;  /* after the activation; NULL: none         */
    const dscq_fake_quant *before; /* in front of one that is a table (act.h), as its
                                      integer form has it; NULL: none          */
} dscq_on_load;

/* What happens to a result before it is stored, in this order. Zero = nothing. */
typedef struct dscq_on_store {
    int add_to;          /* out += instead of out =                    */
    const float *bias;   /* [n], NULL: none                            */
    float *sum, *sum_sq; /* [n], both or none: += per-channel sums of the value
                           here (with the bias, before the activation), float: at most
                           some 4096 rows per call, then flush to double */
    dscq_act act;
    float slope;
    int far; /* dw_forward: stored past the caches, see below */
} dscq_on_store;

/* "far": the whole result is larger than a cache, so it is stored without being read
 * into one first. Another thread may read it after any locked instruction of this one
 * (the pool's count of finished tasks is one). Only the time depends on it. */

/* A window sliding over one image. c counts all channels; output channel k of a
 * grouped convolution reads the c/groups channels of its group. */
typedef struct dscq_geom {
    int32_t in_h, in_w, c;
    int32_t out_h, out_w;
    int32_t kernel_h, kernel_w, stride_h, stride_w;
    int32_t pad_top, pad_left, dilation_h, dilation_w;
    int32_t groups;
} dscq_geom;

typedef struct dscq_sgd {
    float rate, momentum, decay; /* v = momentum*v + g + decay*w */
    int nesterov; /* w -= rate*(nesterov ? g + decay*w + momentum*v : v) */
} dscq_sgd;

/* Kingma and Ba 2015; decay is decoupled (Loshchilov and Hutter 2019):
 * w -= rate*(mhat/(sqrt(vhat) + eps) + decay*w), mhat = m*m_scale, vhat = v*v_scale,
 * with m_scale = 1/(1 - beta1^t), v_scale = 1/(1 - beta2^t). */
typedef struct dscq_adam {
    float rate, beta1, beta2, eps, decay, m_scale, v_scale;
} dscq_adam;

typedef struct dscq_kernels {
    const char *name; /* "avx512", "avx2", "portable", "neon": for the run manifest */
    int lanes;        /* floats in a vector                                         */

    /* ---- rows of pixels ------------------------------------------------- */

    /* y = quant(act(before(a*z + b))). y may alias z. With a NULL `f`: a copy. */
    void (*load)(const dscq_on_load *f, const float *z, size_t ldz, float *y,
                 size_t ldy, size_t rows, size_t c);
    /* out = (g + more) * act'(before(a*z + b)), 0 where quant or before clamps; sum +=
     * out, sum_z += out*z (each NULL: not wanted). more NULL: 0. out may alias g or
     * more. All dense: row distance c. z may be NULL for a linear act without
     * quant and sum_z. far: see dscq_on_store; no effect where out aliases. */
    void (*mask)(const dscq_on_load *f, const float *z, const float *g,
                 const float *more, float *out, size_t rows, size_t c, float *sum,
                 float *sum_z, int far);
    /* d = c1*g + c2*z + c3, dense input; d may alias g. */
    void (*bn_back)(const float *const coef[3], const float *g, const float *z,
                    float *d, size_t ldd, size_t rows, size_t c);
    /* sum += z, sum_sq += z*z (sum_sq NULL: not wanted), float, per channel. */
    void (*stat)(const float *z, size_t ldz, size_t rows, size_t c, float *sum,
                 float *sum_sq);
    /* y += alpha*x */
    void (*add_rows)(float alpha, const float *x, size_t ldx, float *y, size_t ldy,
                     size_t rows, size_t c);

    /* ---- matrix products ------------------------------------------------ */

    /* C[m x n] = A[m x k] * B. B is packed once per step: size, then pack from
     * element (k,n) at b[k*k_stride + n*n_stride]: weights [N][K] (OHWI: K = R*S*C)
     * have k_stride 1 and n_stride K (forward); the same weights read as [K][N]
     * for the gradient of the input have k_stride N, n_stride 1. `packed` is
     * 64-byte aligned. For best speed m in one call is at most what keeps A in L2
     * (m*k <= 64k floats) but any m is right. A row of A may overlap the next one
     * (lda < k): a convolution without im2col, one call per kernel row. */
    size_t (*gemm_packed_floats)(size_t n, size_t k);
    void (*gemm_pack)(float *packed, const float *b, size_t n, size_t k,
                      size_t n_stride, size_t k_stride);
    void (*gemm)(const float *packed, const float *a, size_t lda, float *c, size_t ldc,
                 size_t m, size_t n, size_t k, const dscq_on_store *s);
    /* dW[n x k] = G^T X over `rows` rows of G [rows x n] and X [rows x k], or with
     * `add` dW += G^T X. `scratch`: gemm_tn_scratch_floats(n, k) floats, 64-byte
     * aligned. Large n*k want many rows in one call (>= 256). */
    size_t (*gemm_tn_scratch_floats)(size_t n, size_t k);
    void (*gemm_tn)(const float *g, size_t ldg, const float *x, size_t ldx, size_t rows,
                    size_t n, size_t k, float *dw, size_t lddw, int add,
                    float *scratch);

    /* ---- depthwise ------------------------------------------------------ */

    /* One output row. in[r], r < kernel_h: input row oy*stride_h - pad_top +
     * r*dilation_h, starting at column -pad_left (so with its own left and right
     * padding), pixels dense; NULL: a row of padding. w [kernel_h][kernel_w][c]
     * (dw_pack). Uses of geom: c, out_w, kernel, stride_w, dilation_w. */
    void (*dw_forward)(const dscq_geom *g, const float *const *in, const float *w,
                       float *out, const dscq_on_store *s);
    /* dw [kernel_h][kernel_w][c] += of one output row's gradient dz (dense). */
    void (*dw_wgrad)(const dscq_geom *g, const float *const *in, const float *dz,
                     float *dw);
    /* One input row's gradient dx (dense, in_w pixels, overwritten). dz[r]: the
     * output row oy with oy*stride_h + r*dilation_h - pad_top = iy, NULL when
     * there is none; it starts dscq_dw_dz_lead() zero pixels before its first
     * pixel and has dscq_dw_dz_trail() zero pixels behind its last one. */
    void (*dw_dgrad)(const dscq_geom *g, const float *const *dz, const float *w,
                     float *dx);
    /* [c][taps] (OHWI with one input channel) <-> [taps][c]: out[j*rows + i] =
     * in[i*cols + j]; any matrix. */
    void (*transpose)(float *out, const float *in, size_t rows, size_t cols);

    /* ---- other convolutions --------------------------------------------- */

    /* Output pixels first .. first+rows-1 of one image (row-major) of group
     * `group`, one row of kernel_h*kernel_w*(c/groups) floats each, in OHWI order.
     * Padding is `fill`ed with 0. */
    void (*im2col)(const dscq_geom *g, const float *image, int32_t group, size_t first,
                   size_t rows, float *out, size_t ldo);
    /* The transpose: image += . */
    void (*col2im_add)(const dscq_geom *g, const float *cols, size_t ldc, int32_t group,
                       size_t first, size_t rows, float *image);

    /* ---- pooling, one image --------------------------------------------- */

    /* where[out_h*out_w*c]: input pixel iy*in_w + ix of the maximum (the first
     * one), -1 when the window lies in the padding (then out = 0); may be NULL. */
    void (*maxpool)(const dscq_geom *g, const float *in, float *out, int32_t *where);
    void (*maxpool_back)(const dscq_geom *g, const float *dout, const int32_t *where,
                         float *din_add);
    /* Mean over the real positions, or over kernel_h*kernel_w. */
    void (*avgpool)(const dscq_geom *g, int count_pad, const float *in, float *out);
    void (*avgpool_back)(const dscq_geom *g, int count_pad, const float *dout,
                         float *din_add);
    /* Nearest neighbour: out[(y*factor+i)][(x*factor+j)] = in[y][x]; in_h, in_w, c. */
    void (*upsample)(const float *in, int32_t in_h, int32_t in_w, int32_t c,
                     int32_t factor, float *out);
    void (*upsample_back)(const float *dout, int32_t in_h, int32_t in_w, int32_t c,
                          int32_t factor, float *din_add);

    /* ---- vectors of n floats -------------------------------------------- */

    void (*add)(const float *x, const float *y, float *out, size_t n); /* may alias */
    void (*mul)(const float *x, const float *y, float *out, size_t n); /* may alias */
    void (*axpy)(float alpha, const float *x, float *y, size_t n);    /* y += alpha*x */
    void (*scale)(float alpha, const float *x, float *out, size_t n); /* may alias */
    /* fixed order: 64 partial sums, then pairwise */
    double (*sum)(const float *x, size_t n);
    double (*dot)(const float *x, const float *y, size_t n);
    float (*abs_max)(const float *x, size_t n);                      /* 0 for n = 0 */
    void (*min_max)(const float *x, size_t n, float *lo, float *hi); /* n >= 1 */
    /* count[min(bins-1, floor(|x|*bins/top))] += 1; top > 0, NaN in the last bin. */
    void (*abs_histogram)(const float *x, size_t n, float top, uint64_t *count,
                          size_t bins);
    void (*quantise)(const dscq_fake_quant *q, const float *x, float *out, size_t n);
    /* rows of n: out = exp(x - max)/sum. May alias. */
    void (*softmax)(const float *x, float *out, size_t rows, size_t n);
    void (*sgd)(const dscq_sgd *o, float *w, float *v, const float *g, size_t n);
    void (*adam)(const dscq_adam *o, float *w, float *m, float *v, const float *g,
                 size_t n);
} dscq_kernels;

/* The table of a family, or of the best one this CPU has (NULL). NULL: this CPU or
 * this build does not have it. "portable" (on arm64 also called "neon") always is
 * there. */
const dscq_kernels *dscq_kernels_get(const char *family);
/* Family names for a test that walks them: the i-th that runs here, best first, or
 * NULL. */
const char *dscq_kernels_family(int i);

/* Row distance >= c, a multiple of 16 floats that does not make rows collide in a
 * cache. For scratch; stored tensors are dense. */
size_t dscq_row_stride(size_t c);

/* Zero pixels that dw_dgrad reads before and behind a row of dz. */
int32_t dscq_dw_dz_lead(const dscq_geom *g);
int32_t dscq_dw_dz_trail(const dscq_geom *g);
/* Pixels of a padded input row that dw_forward and dw_wgrad read. */
int32_t dscq_dw_in_pixels(const dscq_geom *g);

#ifdef __cplusplus
}
#endif
#endif
