/*
 * nn/layers.h - the params struct of every layer type, for those who build models
 * without a cfg. Zero is not a default: start with the _default() functions.
 */
#ifndef DSCQ_NN_LAYERS_H
#define DSCQ_NN_LAYERS_H

#include "dscq/base/keys.h"
#include "dscq/nn/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* [convolutional], [depthwise]. Darknet: pad=1 means size/2 and wins over padding. */
typedef struct dscq_conv_params {
    int32_t filters;
    int32_t size, size_h, size_w;       /* size_h, size_w 0: = size              */
    int32_t stride, stride_x, stride_y; /* 0: = stride                           */
    int32_t pad, padding;               /* pad: bool; padding: on all sides      */
    int32_t pad_top, pad_left, pad_bottom, pad_right; /* -1: as above              */
    int32_t dilation, groups;
    int32_t binary, xnor, flipped, dot, antialiasing; /* refused unless 0          */
    int32_t is_output;                                /* not widened */
} dscq_conv_params;

/* With every pad given. */
dscq_conv_params dscq_conv_params_make(int32_t filters, const dscq_window *w);

typedef struct dscq_connected_params {
    int32_t output;
    int32_t is_output;
} dscq_connected_params;

/* [maxpool]: Darknet's `padding` is the total of both sides, size-1 when absent;
 * half of it (rounded down) goes before. Explicit pads win. ceil: keep a last
 * partial window (ONNX ceil_mode). */
typedef struct dscq_pool_params {
    int32_t size, size_h, size_w, stride, stride_x, stride_y, padding;
    int32_t pad_top, pad_left, pad_bottom, pad_right;
    int32_t count_pad; /* [avgpool] divides by the whole window          */
    int32_t maxpool_depth, out_channels; /* AlexeyAB: refused              */
} dscq_pool_params;

dscq_pool_params dscq_pool_params_make(const dscq_window *w, int count_pad);
/* [avgpool] over the whole map. */
dscq_pool_params dscq_pool_params_global(void);

typedef struct dscq_dropout_params {
    double probability;
} dscq_dropout_params;

/* [shortcut] from: index (absolute, or relative when negative), as [route] layers.
 * Inputs of different sizes are refused. */
typedef struct dscq_shortcut_params {
    dscq_list from;
    double alpha, beta;   /* beta * previous + alpha * from: 1, 1 */
    int32_t weights_type; /* refused unless 0 */
} dscq_shortcut_params;

typedef struct dscq_route_params {
    dscq_list layers;
    int32_t groups, group_id;
    /* for importers: a range of channels of a single input; channels 0: all */
    int32_t first_channel, channels;
} dscq_route_params;

typedef struct dscq_scale_factor_params {
    int32_t stride;
} dscq_scale_factor_params; /* [upsample] nearest; [reorg] space to depth: channel
                             * (dy*stride + dx)*c + k of the output is channel k at
                             * (y*stride + dy, x*stride + dx) (Darknet's reorg3d)    */

/* [lrn] Krizhevsky 2012, alpha divided by size as in Caffe and ONNX: y = x / (kappa +
 * alpha/size * sum x^2)^beta over `size` neighbouring channels. */
typedef struct dscq_lrn_params {
    int32_t size;
    double alpha, beta, kappa;
} dscq_lrn_params;

/* [scale_channels] from: previous (1 x 1 x c, or of the same size) times `from`. */
typedef struct dscq_scale_channels_params {
    int32_t from;
    int32_t scale_wh;
} dscq_scale_channels_params;

typedef struct dscq_softmax_params {
    int32_t groups;
    double temperature;
} dscq_softmax_params;

/* [yolo], [region] */
typedef struct dscq_yolo_params {
    int32_t classes, num;
    dscq_list mask, anchors;
    double jitter, ignore_thresh, truth_thresh, scale_x_y, iou_thresh, iou_normalizer,
        cls_normalizer, obj_normalizer, beta_nms, thresh, object_scale, noobject_scale,
        class_scale, coord_scale, max_delta, label_smooth_eps, resize;
    int32_t random, max, iou_loss, nms_kind, coords, softmax, bias_match, rescore,
        absolute, focal_loss, new_coords, map;
} dscq_yolo_params;

/* The [net] section. Darknet's training keys are read and kept for those who
 * translate them; this program trains by [train]. */
typedef struct dscq_net_params {
    char name[DSCQ_NAME_MAX];
    int32_t width, height, channels, inputs;
    double width_multiplier;
    int32_t channel_divisor;
    int32_t imported; /* its file did not say how pictures become its input */
    int32_t dialect;  /* 0 alexeyab: sqrt(var + eps), 1 pjreddie: sqrt(var) + 1e-6 */
    double bn_eps;
    int32_t batch, subdivisions, time_steps, max_batches, burn_in, policy, step_size,
        adam, flip, center, noadjust, mosaic, letter_box, max_crop, min_crop;
    double momentum, decay, learning_rate, B1, B2, eps, scale, gamma, power, angle,
        aspect, saturation, exposure, hue;
    dscq_list steps, scales;
} dscq_net_params;

/* Of a model that came from a cfg; NULL otherwise. */
const dscq_net_params *dscq_model_net(const dscq_model *m);
extern const dscq_key dscq_net_keys[];

#ifdef __cplusplus
}
#endif
#endif
