/*
 * nn/layer.h - what every layer type provides: one row and one file each.
 *
 * A layer turns the outputs of earlier nodes into z, the output before the node's
 * normalisation and activation. Only z is stored; who reads it gets
 * y = quant(act(before(a*z + b))) made on the way (dscq_edge). So a layer never sees
 * the normalisation or activation of its own node: the engine (nn/exec.h) turns the
 * gradient of y into g = dL/d(a*z + b), and a layer reads
 * dz = c1*g + c2*z + c3 (dscq_layer_io.coef; plain g without normalisation).
 *
 * A row has either forward and backward (the convolutions, which fuse their own
 * loads and sums), or `image` functions for one image at a time, which the engine
 * runs in parallel and surrounds with load, sums and store.
 *
 * Shapes are NHWC, dense. Weights are OHWI (nn/model.h).
 */
#ifndef DSCQ_NN_LAYER_H
#define DSCQ_NN_LAYER_H

#include "dscq/base/arena.h"
#include "dscq/base/keys.h"
#include "dscq/base/par.h"
#include "dscq/base/rng.h"
#include "dscq/nn/model.h"
#include "dscq/tensor/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { DSCQ_SUM_GROUPS = 32 }; /* partial sums of a pass, at most */

enum {
    DSCQ_LAYER_WEIGHTS = 1,    /* has weights                                    */
    DSCQ_LAYER_NORM = 2,       /* the cfg may say batch_normalize=1 and bias     */
    DSCQ_LAYER_ACT = 4,        /* the cfg may say activation=                    */
    DSCQ_LAYER_VIEW = 8,       /* output is its input, when it has one of that size */
    DSCQ_LAYER_VIEW_EVAL = 16, /* ... outside training (dropout)                */
    DSCQ_LAYER_HEAD = 32,      /* detector head: its input is an output          */
    DSCQ_LAYER_SOFTMAX = 64,   /* classifier head: a loss takes its input        */
    DSCQ_LAYER_ALWAYS_NORM = 128, /* is a normalisation                            */
    DSCQ_LAYER_PICKS =
        256, /* an output is one of the inputs: it tells act' of that one */
    DSCQ_LAYER_PRODUCT = 512, /* its integer form has no leaky step          */
    DSCQ_LAYER_MOVES = 1024, /* outputs are inputs, elsewhere: codes stay as they are */
    DSCQ_LAYER_BETWEEN = 2048, /* an output lies between its inputs            */
    DSCQ_LAYER_FOLLOWS = 4096, /* channel i is made of channel i of each input  */
    DSCQ_LAYER_REGION = 8192   /* head of exclusive classes, anchors in cells   */
};

/* What a layer computes, for those above who say it in other terms: integers
 * (build/rows.def), operators of ONNX, Darknet's keys. One that they all know needs no
 * more than its row. */
typedef enum dscq_layer_does {
    DSCQ_DOES_OTHER, /* unknown to them: refused where it has to be said              */
    DSCQ_DOES_CONV,  /* weights over a window                                         */
    DSCQ_DOES_DENSE, /* weights over all of the input                                 */
    DSCQ_DOES_NORM,  /* the node's normalisation alone                                */
    DSCQ_DOES_SAME,  /* the node's activation alone                                   */
    DSCQ_DOES_POINT, /* a function of each value by itself, which reference() computes
                      */
    DSCQ_DOES_PASS,  /* nothing, outside training                                     */
    DSCQ_DOES_MAX,   /* over a window                                                 */
    DSCQ_DOES_MEAN,
    DSCQ_DOES_SUM,     /* dscq_shortcut_params      */
    DSCQ_DOES_PRODUCT, /* of two                    */
    DSCQ_DOES_JOIN,    /* dscq_route_params         */
    DSCQ_DOES_UPSAMPLE,
    DSCQ_DOES_REORG,
    DSCQ_DOES_LRN,
    DSCQ_DOES_SOFTMAX,
    DSCQ_DOES_HEAD, /* dscq_head_from_node() (nn/detect.h)                            */
    DSCQ_DOES_COUNT
} dscq_layer_does;

/* How to read a node's output. For n images: n*h*w rows of c floats at z. */
typedef struct dscq_edge {
    const float *z;
    dscq_shape shape;  /* n = images in this pass                        */
    dscq_on_load load; /* y = quant(act(before(a*z + b)))                */
    int is_plain;      /* y = z: may be read in place                    */
} dscq_edge;

/* Where a layer's gradient of one input goes: dscq_sink_put(). */
typedef struct dscq_sink {
    float *g;              /* NULL: nobody wants it                             */
    const dscq_edge *edge; /* of that input                                    */
    int add;               /* other consumers have stored before                */
    int last;              /* last consumer: multiply by act' and make sums     */
    double *sum;           /* last: [DSCQ_SUM_GROUPS][2][c] sums of g, g*z       */
    int wants_sum_z;       /* the second sum as well                            */
    double *range;         /* last: [DSCQ_SUM_GROUPS] sums of g * dy/dscale of the
                              quantisation; NULL: unwanted                      */
    double *before_range;  /* the same of the one in front of the activation     */
    int from_output; /* edge->z is gone: act' (of act) from the layer's own output */
    dscq_act act;    /* from_output                                       */
} dscq_sink;

/* One pass over a node. */
typedef struct dscq_layer_io {
    const dscq_node *node;
    const dscq_kernels *k;
    dscq_pool *pool;
    dscq_arena *scratch; /* [threads]: at least scratch_floats() each, cleared */
    int32_t n;           /* images                                             */
    int32_t n_max;       /* images that were planned for                       */
    int training;
    int32_t x_count;
    const dscq_edge *x;
    float *z; /* output; n * out                                    */
    /* forward, training: [DSCQ_SUM_GROUPS][2][c] sums of z, z*z (NULL: unwanted)
     * forward, otherwise: what is done to z before it is stored. */
    double *sum;
    dscq_on_load post; /* convolutions: post.a is in the packed weights already */
    /* backward */
    const float *g;           /* gradient of this node, see above                  */
    const float *coef[3];     /* c1, c2, c3; all NULL: dz = g                      */
    dscq_sink *dx;            /* [x_count]                                         */
    float *dw;                /* [count], overwritten                              */
    float *dw_part;           /* partial sums, dw_part_floats() floats             */
    const float *packed;      /* weights, as pack() left them, or packs_itself() */
    const float *packed_back; /* for the gradient of the input                 */
    void *state;              /* state_bytes() kept from forward to backward       */
    dscq_rng rng;             /* of this node and step                             */
    int has_rng;              /* 0: no dropout                                     */
} dscq_layer_io;

/* What infer() finds out. Zeroed on entry. */
typedef struct dscq_layer_shape {
    dscq_shape out;     /* n = 1                                              */
    int32_t k, r, s, c; /* weights, OHWI; all 0: none                         */
    dscq_window window;
    uint64_t macs; /* multiply-accumulates of one image                  */
} dscq_layer_shape;

/* One image. x[i] and dx[i] point at image-sized arrays; dx is zeroed before and
 * ADDED to; entries of dx may be NULL. `state` is this image's. */
typedef void dscq_image_forward(const dscq_layer_io *io, int32_t image,
                                const float *const *x, float *z, void *state);
typedef void dscq_image_backward(const dscq_layer_io *io, int32_t image,
                                 const float *const *x, const float *z, const float *dz,
                                 float *const *dx, const void *state);

struct dscq_layer_ops {
    const char *name;     /* the word in net.cfg; never reused                  */
    const char *alias;    /* other spelling in Darknet's dialects, or NULL      */
    const char *summary;  /* one line for `dscq help layers`                    */
    size_t param_bytes;   /* 0: none                                            */
    const dscq_key *keys; /* DSCQ_KEY_END alone when it takes none             */
    unsigned flags;
    dscq_layer_does does;
    dscq_darknet darknet; /* who knows it                                       */
    const char *onnx;     /* the operator that is it, or NULL: several, or none  */
    int32_t inputs_min, inputs_max;

    /* Inputs of node `index` as its keys say; NULL: the previous node. An index
     * out of range or not earlier than `index` is DSCQ_FORMAT. */
    dscq_status (*wire)(int32_t *input, int32_t *count, void *params, int32_t index,
                        dscq_error *err);
    /* Output channels; `want` > 0: from now on so many. NULL: follows its input. */
    int32_t (*channels)(void *params, int32_t want);
    const char *channels_key; /* that says how many; NULL: none                  */
    /* Shapes, or DSCQ_FORMAT saying which dimension is wrong. May complete params
     * (depthwise takes its channels from the input). */
    dscq_status (*infer)(dscq_layer_shape *out, void *params, const dscq_shape *x,
                         int32_t x_count, dscq_error *err);
    /* Scratch of one worker for n images, forward and backward. */
    size_t (*scratch_floats)(const dscq_node *node, const dscq_shape *x, int32_t n,
                             const dscq_kernels *k);
    size_t (*state_bytes)(const dscq_node *node, const dscq_shape *x); /* an image */

    /* either (scratch of pack: as many floats as there are weights) */
    size_t (*pack_floats)(const dscq_node *node, const dscq_kernels *k, int back);
    /* scale [k] is multiplied into the weights (inference); NULL: 1. */
    void (*pack)(float *packed, const dscq_node *node, const dscq_kernels *k,
                 const float *scale, int back, float *scratch);
    /* In training with n images at most: packed is NULL, forward and backward pack
     * weights->w_used themselves, piece by piece. NULL: never. */
    int (*packs_itself)(const dscq_node *node, int32_t n);
    size_t (*dw_part_floats)(const dscq_node *node, int32_t n);
    /* Both return how many groups of sums they have written. */
    size_t (*forward)(const dscq_layer_io *io);
    size_t (*backward)(const dscq_layer_io *io);
    /* or */
    dscq_image_forward *image_forward;
    dscq_image_backward *image_backward;
    int needs_x, needs_z; /* image_backward reads x, z */

    /* Slow, obvious, double precision, shares no code with the above: z of n images
     * from the y of its inputs. Dropout is left out (it is the identity here). */
    void (*reference)(double *z, const dscq_node *node, const double *const *x,
                      const dscq_shape *x_shape, int32_t n, const double *w);
};

size_t dscq_layer_count(void);
const dscq_layer_ops *dscq_layer_at(size_t i);
const dscq_layer_ops *dscq_layer_find(const char *name); /* NULL: none such */

/* Keys that every section may have beside those of its layer: name,
 * batch_normalize, bn_eps, bias, activation, ... which ones, ops->flags say. */
const dscq_key *dscq_layer_common_keys(unsigned flags);

/* For writers: can section i of a cfg, which names a layer type, be read? DSCQ_FORMAT
 * says which key cannot hold its value. Sizes are not checked against other layers. */
dscq_status dscq_layer_check_section(dscq_config *cfg, size_t i, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
