/* Rows of [net] and of what every layer section may say. */
#include "nn_internal.h"

#define INT_(f, lo, hi, d, h)  DSCQ_KEY_INT_ROW(dscq_net_params, f, lo, hi, d, h)
#define REAL_(f, lo, hi, d, h) DSCQ_KEY_REAL_ROW(dscq_net_params, f, lo, hi, d, h)
#define BOOL_(f, d, h)         DSCQ_KEY_BOOL_ROW(dscq_net_params, f, d, h)
#define ENUM_(f, c, d, h)      DSCQ_KEY_ENUM_ROW(dscq_net_params, f, c, d, h)
#define LIST_(f, lo, hi, d, h) DSCQ_KEY_LIST_ROW(dscq_net_params, f, lo, hi, d, h)
#define OVER_(name)            DSCQ_KEY_OVER_ROW(name, "Darknet: training only, read over")

/* clang-format off */
const dscq_key dscq_net_keys[] = {
    DSCQ_KEY_STR_ROW(dscq_net_params, name, "", "name of the network; default: the file's"),
    INT_(width, 0, 65536, "0", "columns of the input"),
    INT_(height, 0, 65536, "0", "rows of the input"),
    INT_(channels, 0, 65536, "0", "channels of the input"),
    INT_(inputs, 0, 1e9, "0", "features of an input that is no image (1 x 1 x inputs)"),
    REAL_(width_multiplier, 0.01, 16, "1", "scales the channels of every layer but the last"),
    INT_(channel_divisor, 1, 1024, "8", "scaled channels are a multiple of this"),
    ENUM_(dialect, "alexeyab|pjreddie", "alexeyab", "batch norm divides by sqrt(var+eps), or by sqrt(var)+1e-6 (weights files are converted when imported)"),
    BOOL_(imported, "0", "the network comes from another program: data.mean and data.std are 0 and 1 where they are not given"),
    REAL_(bn_eps, 0, 1e6, "1e-5", "batch norm: added to the variance"),
    /* Darknet's training settings: read, kept, not used for training here */
    INT_(batch, 1, 1e6, "1", "Darknet: images per update (here: [train] batch)"),
    INT_(subdivisions, 1, 1e6, "1", "Darknet: parts of a batch"),
    INT_(time_steps, 1, 1, "1", "Darknet: only 1"),
    INT_(max_batches, 0, 1e9, "0", "Darknet: updates in all"),
    INT_(burn_in, 0, 1e9, "0", "Darknet: updates of warm-up"),
    ENUM_(policy, "constant|step|steps|exp|poly|sigmoid|random|sgdr", "constant", "Darknet: schedule"),
    {"step", DSCQ_KEY_INT, offsetof(dscq_net_params, step_size), sizeof(int32_t), 0, 1e9, NULL, "1", "Darknet: policy=step"},
    BOOL_(adam, "0", "Darknet: optimiser"),
    BOOL_(flip, "1", "Darknet: augmentation"),
    BOOL_(center, "0", "Darknet: augmentation"),
    BOOL_(noadjust, "0", "Darknet: augmentation"),
    BOOL_(mosaic, "0", "Darknet: augmentation"),
    BOOL_(letter_box, "0", "Darknet: pictures keep their shape (data.resize is letterbox, unless it is given)"),
    INT_(max_crop, 0, 65536, "0", "Darknet: augmentation"),
    INT_(min_crop, 0, 65536, "0", "Darknet: augmentation"),
    REAL_(momentum, 0, 1, "0.9", "Darknet: optimiser"),
    REAL_(decay, 0, 1, "0.0001", "Darknet: weight decay"),
    REAL_(learning_rate, 0, 100, "0.001", "Darknet: rate"),
    REAL_(B1, 0, 1, "0.9", "Darknet: adam"),
    REAL_(B2, 0, 1, "0.999", "Darknet: adam"),
    REAL_(eps, 0, 1, "1e-7", "Darknet: adam"),
    REAL_(scale, 0, 100, "1", "Darknet: policy=step"),
    REAL_(gamma, 0, 100, "1", "Darknet: policy=exp"),
    REAL_(power, 0, 100, "4", "Darknet: policy=poly, burn_in"),
    REAL_(angle, 0, 360, "0", "Darknet: augmentation"),
    REAL_(aspect, 0, 10, "1", "Darknet: augmentation"),
    REAL_(saturation, 0, 10, "1", "Darknet: augmentation"),
    REAL_(exposure, 0, 10, "1", "Darknet: augmentation"),
    REAL_(hue, 0, 10, "0", "Darknet: augmentation"),
    LIST_(steps, -1, 1e9, "", "Darknet: policy=steps"),
    LIST_(scales, 0, 100, "", "Darknet: policy=steps"),
    OVER_("ema_alpha"),
    OVER_("mixup"),
    OVER_("cutmix"),
    OVER_("mosaic_bound"),
    OVER_("blur"),
    OVER_("gaussian_noise"),
    OVER_("contrastive"),
    OVER_("contrastive_jit_flip"),
    OVER_("contrastive_color"),
    OVER_("unsupervised"),
    OVER_("adversarial_lr"),
    OVER_("attention"),
    OVER_("label_smooth_eps"),
    OVER_("loss_scale"),
    OVER_("sgdr_cycle"),
    OVER_("sgdr_mult"),
    OVER_("seq_scales"),
    OVER_("learning_rate_min"),
    OVER_("burnin_update"),
    OVER_("max_epochs"),
    OVER_("resize_step"),
    OVER_("train_only_bn"),
    OVER_("track"),
    OVER_("augment_speed"),
    OVER_("sequential_subdivisions"),
    OVER_("try_fix_nan"),
    OVER_("weights_reject_freq"),
    OVER_("equidistant_point"),
    OVER_("badlabels_rejection_percentage"),
    OVER_("num_sigmas_reject_badlabels"),
    OVER_("use_cuda_graph"),
    OVER_("dynamic_minibatch"),
    OVER_("optimized_memory"),
    OVER_("workspace_size_limit_MB"),
    OVER_("max_chart_loss"),
    OVER_("show_receptive_field"),
    OVER_("seen"),
    OVER_("gpus"),
    DSCQ_KEY_END
};

#define OVER "Darknet: training only, read over"
#define ROW_NAME DSCQ_KEY_STR_ROW(nn_common, name, "", "name of the layer; default: <index>_<type>")
static const char k_activations[] = "unset"
#define DSCQ_ACT(name, ...) "|" #name
#include "dscq/tensor/acts.def"
#undef DSCQ_ACT
    ;
#define ROWS_ACT \
    DSCQ_KEY_ENUM_ROW(nn_common, activation, k_activations, "unset", "applied to the output"), \
    DSCQ_KEY_REAL_ROW(nn_common, slope, -1e6, 1e6, "auto", "leaky: of the negative side (auto: 0.1); elu: alpha (auto: 1)")
#define ROWS_NORM \
    DSCQ_KEY_BOOL_ROW(nn_common, batch_normalize, "0", "normalise each channel over the batch"), \
    DSCQ_KEY_REAL_ROW(nn_common, bn_eps, 0, 1e6, "auto", "added to the variance; auto: as [net] says"), \
    DSCQ_KEY_BOOL_ROW(nn_common, bias, "1", "a constant per channel, when not normalised")
#define ROWS_TRAIN \
    DSCQ_KEY_REAL_ROW(nn_common, learning_rate, 0, 1000, "1", "multiple of the learning rate"), \
    DSCQ_KEY_INT_ROW(nn_common, stopbackward, 0, 1e9, "0", "1: this layer and all before it are not trained; more: Darknet, for so many updates, read over"), \
    DSCQ_KEY_OVER_ROW("dontload", OVER), DSCQ_KEY_OVER_ROW("dontloadscales", OVER), \
    DSCQ_KEY_OVER_ROW("onlyforward", OVER), DSCQ_KEY_OVER_ROW("dont_update", OVER), \
    DSCQ_KEY_OVER_ROW("burnin_update", OVER), DSCQ_KEY_OVER_ROW("train_only_bn", OVER), \
    DSCQ_KEY_BOOL_ROW(nn_common, frozen, "0", "this layer is not trained"), \
    DSCQ_KEY_INT_ROW(nn_common, net_output, 0, 65536, "0", "an output of the network (default: the heads, else the last layer); they come by this number, then as they stand")

static const dscq_key k_plain[] = {ROW_NAME, ROWS_TRAIN, DSCQ_KEY_END};
static const dscq_key k_act[] = {ROW_NAME, ROWS_TRAIN, ROWS_ACT, DSCQ_KEY_END};
static const dscq_key k_norm[] = {ROW_NAME, ROWS_TRAIN, ROWS_NORM, DSCQ_KEY_END};
static const dscq_key k_both[] = {ROW_NAME, ROWS_TRAIN, ROWS_ACT, ROWS_NORM, DSCQ_KEY_END};
/* clang-format on */

const dscq_key *dscq_layer_common_keys(unsigned flags)
{
    const int act = (flags & DSCQ_LAYER_ACT) != 0;

    if ((flags & DSCQ_LAYER_NORM) != 0)
        return act ? k_both : k_norm;
    return act ? k_act : k_plain;
}

const dscq_key nn__no_keys[] = {DSCQ_KEY_END};
