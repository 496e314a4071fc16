/* The rows of [train]. */
#include "dscq/nn/train.h"

#define INT_(f, lo, hi, d, h)  DSCQ_KEY_INT_ROW(dscq_train_params, f, lo, hi, d, h)
#define REAL_(f, lo, hi, d, h) DSCQ_KEY_REAL_ROW(dscq_train_params, f, lo, hi, d, h)
#define BOOL_(f, d, h)         DSCQ_KEY_BOOL_ROW(dscq_train_params, f, d, h)
#define ENUM_(f, c, d, h)      DSCQ_KEY_ENUM_ROW(dscq_train_params, f, c, d, h)
#define STR_(f, d, h)          DSCQ_KEY_STR_ROW(dscq_train_params, f, d, h)

/* clang-format off */
const dscq_key dscq_train_keys[] = {
    INT_(epochs, 0, 1e6, "20", "passes over the training part; with schedule = constant or step more of them on --resume"),
    INT_(batch, 1, 65536, "64", "images per update"),
    ENUM_(optimiser, "sgd|adam|adamw", "sgd", "sgd: momentum; adam: decay in the gradient; adamw: decay apart"),
    REAL_(learning_rate, 0, 1000, "0.05", "highest rate of the schedule"),
    REAL_(momentum, 0, 0.9999, "0.9", "sgd"),
    REAL_(decay, 0, 1, "1e-4", "weight decay; not of normalisation and biases"),
    REAL_(beta1, 0, 0.9999, "0.9", "adam, adamw"),
    REAL_(beta2, 0, 0.999999, "0.999", "adam, adamw"),
    REAL_(adam_eps, 1e-12, 1, "1e-8", "adam, adamw"),
    BOOL_(nesterov, "0", "sgd: look ahead"),
    ENUM_(schedule, "cosine|step|poly|constant", "cosine", "how the rate falls"),
    REAL_(warmup_epochs, 0, 1e6, "0", "epochs in which the rate rises from 0"),
    REAL_(hold_epochs, 0, 1e6, "0", "epochs after them in which it stays at the top"),
    REAL_(final_rate, 0, 1, "0", "cosine, poly: share of learning_rate at the end"),
    INT_(cycles, 1, 1000, "1", "cosine, poly: how often it falls, each time from the top"),
    DSCQ_KEY_LIST_ROW(dscq_train_params, steps, 0, 1e6, "", "epochs at which the rate is multiplied, under any schedule"),
    REAL_(step_scale, 0, 1, "0.1", "steps: by this"),
    REAL_(poly_power, 0.1, 10, "1", "poly: exponent"),
    REAL_(label_smoothing, 0, 0.9, "0", "share of the target spread over all classes"),
    REAL_(clip_norm, 0, 1e9, "0", "longest gradient; 0: any"),
    REAL_(ema, 0, 0.999999, "0", "decay of averaged weights, which are then the result; 0: off"),
    REAL_(norm_momentum, 0.0001, 1, "0.1", "share of a batch in the running statistics"),
    DSCQ_KEY_I64_ROW(dscq_train_params, seed, 0, 9e15, "1", "of weights, order, augmentation, dropout"),
    INT_(patience, 0, 1e6, "0", "stop after so many epochs without a better validation; 0: never"),
    BOOL_(keep_best, "1", "end with the weights of the best validation"),
    STR_(freeze, "", "layers that are not trained, as patterns (conv*,stem)"),
    STR_(head_rate_layers, "", "layers that learn at head_rate, as patterns"),
    REAL_(head_rate, 0, 1000, "1", "multiple of the learning rate of head_rate_layers"),
    STR_(layer_rates, "", "multiples of the learning rate: pattern:factor,...; later ones win"),
    ENUM_(load, "name|order", "name", "how start weights (--weights) find their layers"),
    STR_(reinit_layers, "", "layers whose start weights are left out, as patterns"),
    STR_(teacher, "", "weights of a float teacher, for distil_weight"),
    STR_(teacher_net, "", "cfg of the teacher; empty: this network"),
    REAL_(distil_temperature, 0.1, 100, "4", "of the teacher's and the student's softmax"),
    REAL_(distil_weight, 0, 1, "0", "share of the teacher in the loss; 0: no teacher"),
    REAL_(box_weight, 0, 1000, "1", "detector: weight of places and sizes"),
    REAL_(object_weight, 0, 1000, "1", "detector: weight of finding objects"),
    REAL_(noobject_weight, 0, 1000, "0.5", "detector: weight of false objects"),
    REAL_(class_weight, 0, 1000, "1", "detector: weight of classes"),
    STR_(save, "", "checkpoint file; empty: none" DSCQ_MAY_CHANGE),
    INT_(save_every, 1, 1e6, "1", "epochs between checkpoints" DSCQ_MAY_CHANGE),
    DSCQ_KEY_END
};
/* clang-format on */
