/* Shared inside the module: the model's insides and helpers of the layers. */
#ifndef NN_INTERNAL_H
#define NN_INTERNAL_H

#include "dscq/nn/layer.h"
#include "dscq/nn/layers.h"
#include "dscq/nn/model.h"

/* What a cfg section may say beside its layer's keys. */
typedef struct nn_common {
    char name[DSCQ_NODE_NAME];
    int32_t batch_normalize;
    double bn_eps; /* NAN: as [net] says */
    int32_t bias;
    int32_t activation; /* 0: not said; else dscq_act + 1 */
    double slope;       /* NAN: the activation's own */
    double learning_rate;
    int32_t stopbackward;
    int32_t frozen;
    int32_t net_output; /* an output of the network, beside the heads: its place */
} nn_common;

struct dscq_model {
    char name[DSCQ_NAME_MAX];
    dscq_shape input;
    dscq_node *node;
    void **params; /* of each node, owned: what node[i].params lets others read */
    int32_t count, cap;
    int32_t *output;
    int32_t output_count;
    int32_t last; /* the default output when output_count is 0 */
    int is_plan;  /* the arrays of the weights are not there yet */
    dscq_net_params *net;
};

dscq_node *nn__node(dscq_model *m, int32_t i);
/* Shape of node i, or of the input. */
dscq_shape nn__shape(const dscq_model *m, int32_t i);
/* What a node learns beside its weights, of a plan too, whose arrays are missing. */
static inline int nn__has_bias(const dscq_node *n)
{
    return n->weights->channels > 0 && !n->normalised;
}
/* model_weights.c: the arrays of a layer with weights, "weight" first; NULL when the
 * layer has none of that name. */
enum { NN_ARRAYS = 6 };
extern const char *const nn__array_name[NN_ARRAYS];
float *nn__array_of(const dscq_weights *w, int which, size_t *count);
/* How long they are, as the layer's shape says; then the arrays themselves. */
dscq_status nn__weights_size(dscq_node *n, const dscq_layer_shape *s,
                             const dscq_node_spec *spec, dscq_error *err);
dscq_status nn__weights_take(dscq_node *n, dscq_error *err);
void nn__weights_copy(dscq_weights *to, const dscq_weights *from); /* of one shape */
void nn__weights_destroy(dscq_weights *w);                         /* NULL is fine */
/* sound.c: DSCQ_FORMAT, beginning with `what` ("layer 'x': bias"), unless all values
 * are finite and, being variances, not below 0. */
dscq_status nn__check_values(const char *what, const float *v, size_t count,
                             int is_variance, dscq_error *err);
/* The node whose output node i passes on unchanged (itself when it computes). */
int32_t nn__view_root(const dscq_model *m, int32_t i, unsigned view_flags);

/* ---- work splitting ------------------------------------------------------ */

/* Group g of `groups` covers items [first, end) of `items`. */
static inline size_t nn__cut(size_t items, size_t groups, size_t g)
{
    return items / groups * g + (items % groups) * g / groups;
}

static inline size_t nn__min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t nn__max(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* ---- sums, sinks ---------------------------------------------------------- */

/* Float sums of a piece of work that are added to a group's doubles. */
typedef struct nn_sums {
    float *a, *b; /* [count]; NULL: none wanted               */
    double *to;   /* [2][c], of the group, from channel `first` on */
    size_t c, count;
    size_t rows; /* since the last flush */
    size_t group;
} nn_sums;

enum { NN_FLUSH_ROWS = 2048 };

/* to: base of [groups][2][c], NULL: none. For channels [first, first+count);
 * clears the group's doubles of these. */
nn_sums nn__sums_begin(dscq_arena *scratch, double *to, size_t group, size_t c,
                       size_t first, size_t count);
void nn__sums_count(nn_sums *s, size_t rows); /* flushes when it is time */
void nn__sums_flush(nn_sums *s);
size_t nn__sums_floats(size_t c); /* scratch it takes, in floats */
/* The groups' [groups][2][c] added up in order, into the first group's place; 0 groups:
 * zeros. */
void nn__sums_total(double *sums, size_t groups, size_t c);

/* What a convolution does as it stores output channels from `channel` on, whose sums
 * begin at `at`: bias and activation, or the sums of training. */
dscq_on_store nn__on_store(const dscq_layer_io *io, const nn_sums *s, size_t channel,
                           size_t at);
/* `rows` pixels of all c channels are stored. */
void nn__stored(const dscq_layer_io *io, float *z, size_t rows, size_t c, nn_sums *s);

/* Output rows [first, stop) of one image: an item of a walk in bands of rows. */
typedef struct nn_band {
    size_t image;
    int32_t first, stop;
} nn_band;

static inline nn_band nn__band(size_t item, int32_t rows, int32_t bands, int32_t out_h)
{
    const int32_t first = (int32_t)(item % (size_t)bands) * rows;

    return (nn_band){item / (size_t)bands, first,
                     first + rows < out_h ? first + rows : out_h};
}

/* Store `rows` rows of gradient `dx` (dense) of sink s from row `first` on. dx may
 * be NULL: the gradient is already there. */
void nn__sink_put(const dscq_sink *s, const dscq_kernels *k, size_t first, size_t rows,
                  const float *dx, nn_sums *sums);

/* dz rows [first, first+rows): borrowed when it is g itself, else made in buf. */
const float *nn__load_dz(const dscq_layer_io *io, size_t first, size_t rows, float *buf,
                         size_t ld);
/* y rows of input e: borrowed when plain and ld is c, else made in buf. */
const float *nn__load_x(const dscq_edge *e, const dscq_kernels *k, size_t first,
                        size_t rows, float *buf, size_t ld);

static inline size_t nn__room(size_t floats) /* in an arena, in floats */
{
    return dscq_arena_room(floats, sizeof(float)) / sizeof(float) + 1;
}

static inline float *nn__take(dscq_arena *a, size_t floats)
{
    return dscq_arena_take(a, floats, sizeof(float));
}

/* Whether a map of this pass is too large to wait in a cache for its next reader. */
static inline int nn__is_far(const dscq_shape *map)
{
    return dscq_shape_count(map) > (size_t)512 * 1024; /* floats */
}

/* What eval does to rows just computed by a kernel that could not do it itself. */
void nn__post(const dscq_layer_io *io, float *z, size_t rows, size_t c);

/* Distance in floats between the partial sums of two groups: no two of them share a
 * cache line (or a pair of lines, which are fetched together), as two threads write
 * them at the same time. */
static inline size_t nn__part_stride(size_t n)
{
    return (n + 31) / 32 * 32;
}

/* Where group g of partial sums of n floats lies: the first one where the sum will be.
 */
static inline float *nn__part(float *sum, float *part, size_t g, size_t n)
{
    return g == 0 ? sum : part + (g - 1) * nn__part_stride(n);
}
/* sum[i]: all groups' added up, in order, in parallel. */
void nn__reduce(dscq_pool *pool, const dscq_kernels *k, float *sum, const float *part,
                size_t groups, size_t n);

/* ---- the generic driver ---------------------------------------------------- */

size_t nn__images_forward(const dscq_layer_io *io);
size_t nn__images_backward(const dscq_layer_io *io);
size_t nn__images_scratch(const dscq_node *node, const dscq_shape *x, int32_t x_count);

/* ---- shared by layers ------------------------------------------------------- */

dscq_geom nn__geom(const dscq_node *node);
/* Keys of a window in the struct S, behind its size. */
#define NN_WINDOW_ROWS(S, what)                                                        \
    DSCQ_KEY_INT_ROW(S, size_h, 0, 4096, "0", "rows of the " what "; 0: size"),        \
        DSCQ_KEY_INT_ROW(S, size_w, 0, 4096, "0", "columns of the " what "; 0: size"), \
        DSCQ_KEY_INT_ROW(S, stride, 1, 4096, "1", "step"),                             \
        DSCQ_KEY_INT_ROW(S, stride_x, 0, 4096, "0", "step along a row; 0: stride"),    \
        DSCQ_KEY_INT_ROW(S, stride_y, 0, 4096, "0", "step along a column; 0: stride")
static inline int32_t nn__or_else(int32_t v, int32_t other)
{
    return v > 0 ? v : other;
}
/* The map of c channels that a window makes of x: DSCQ_FORMAT when it does not fit. */
dscq_status nn__slide(dscq_layer_shape *out, const dscq_window *w, const dscq_shape *x,
                      int32_t c, dscq_error *err);
extern const dscq_key nn__no_keys[];
/* layer_point.c: one input of the output's shape; passed on as it is, and so its
 * gradient. */
dscq_status nn__same_shape(dscq_layer_shape *out, void *params, const dscq_shape *x,
                           int32_t x_count, dscq_error *err);
void nn__copy_forward(const dscq_layer_io *io, int32_t image, const float *const *x,
                      float *z, void *state);
void nn__copy_backward(const dscq_layer_io *io, int32_t image, const float *const *x,
                       const float *z, const float *dz, float *const *dx,
                       const void *state);

/* ---- convolutions: three ways to compute them --------------------------------- */

typedef struct nn_conv_way {
    size_t (*scratch_floats)(const dscq_node *n, int32_t images, const dscq_kernels *k);
    size_t (*pack_floats)(const dscq_node *n, const dscq_kernels *k, int back);
    /* w: OHWI, already scaled */
    void (*pack)(float *packed, const dscq_node *n, const dscq_kernels *k,
                 const float *w, int back);
    int (*packs_itself)(const dscq_node *n, int32_t images); /* NULL: never */
    size_t (*dw_part_floats)(const dscq_node *n, int32_t images);
    size_t (*forward)(const dscq_layer_io *io);
    size_t (*backward)(const dscq_layer_io *io);
} nn_conv_way;

extern const nn_conv_way nn__pointwise; /* rows times matrix: 1x1, connected  */
extern const nn_conv_way nn__depthwise; /* one filter per channel             */
extern const nn_conv_way nn__thin;      /* few channels in: the first layer   */
extern const nn_conv_way nn__dense;     /* everything else, through im2col    */

/* Groups of partial weight gradients for `items` pieces of work. */
size_t nn__dw_groups(size_t items, size_t weights);

/* Reference convolution in double; w OHWI. */
void nn__conv_reference(double *z, const double *x, dscq_shape in, dscq_shape out,
                        const dscq_window *win, int32_t n, const double *w);

#endif
