/*
 * tensor/ref.h - what the kernels compute, slowly and in double precision.
 *
 * Each function is the definition of the kernel of the same name in kernels.h, on
 * float arrays with the sums in double, written from the formula and sharing no code
 * with the kernels. Tests compare the two; nothing else should call them.
 */
#ifndef DSCQ_TENSOR_REF_H
#define DSCQ_TENSOR_REF_H

#include "dscq/tensor/int_kernels.h"
#include "dscq/tensor/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The value of one z of channel c. */
double dscq_ref_load(const dscq_on_load *f, size_t c, double z);
/* The factor by which a gradient at that z is multiplied. */
double dscq_ref_mask(const dscq_on_load *f, size_t c, double z);
double dscq_ref_quantise(const dscq_fake_quant *q, double x);

/* C[m x n] = A[m x k] * B, element (k,n) at b[k*stride[0] + n*stride[1]]; out is
 * dense, before anything of on_store. */
void dscq_ref_gemm(double *out, const float *a, size_t lda, const float *b,
                   const size_t stride[2], const size_t mnk[3]);
/* dW[n x k] = G^T X, dense */
void dscq_ref_gemm_tn(double *out, const float *g, const float *x, size_t rows,
                      size_t n, size_t k);

/* A whole convolution of one image, any groups; weights OHWI with k output channels;
 * out [out_h][out_w][k]. And its two gradients (dw, din overwritten). */
void dscq_ref_conv(const dscq_geom *g, int32_t k, const float *in, const float *w,
                   double *out);
void dscq_ref_conv_wgrad(const dscq_geom *g, int32_t k, const float *in,
                         const float *dout, double *dw);
void dscq_ref_conv_dgrad(const dscq_geom *g, int32_t k, const float *w,
                         const float *dout, double *din);

void dscq_ref_maxpool(const dscq_geom *g, const float *in, double *out);
void dscq_ref_avgpool(const dscq_geom *g, int count_pad, const float *in, double *out);

/* The code (offset not added) for the accumulator of channel c. */
int32_t dscq_ref_requant(const dscq_requant *r, size_t c, int64_t acc);
/* Accumulators sum w*(u - zero) of a whole convolution of one image, k outputs. */
void dscq_ref_conv_int(const dscq_geom *g, int32_t k, const uint8_t *in, int32_t zero,
                       const int16_t *w, int64_t *acc);

#ifdef __cplusplus
}
#endif
#endif
