/* A small depthwise separable network, images it can learn, and training with hooks. */
#ifndef TEST_COMPRESS_UTIL_H
#define TEST_COMPRESS_UTIL_H

#include "dscq/base/alloc.h"
#include "dscq/base/rng.h"
#include "dscq/compress/method.h"
#include "dscq/nn/train.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 8, CHANNELS = 2, CLASSES = 4, IMAGES = 256, BATCH = 32 };

static const char k_net[] =
    "[net]\nwidth=8\nheight=8\nchannels=2\n"
    "[convolutional]\nname=c1\nbatch_normalize=1\nfilters=16\nsize=3\nstride=1\npad=1\n"
    "activation=relu\n"
    "[depthwise]\nname=b1_dw\nbatch_normalize=1\nsize=3\nstride=2\npad=1\n"
    "activation=relu\n"
    "[convolutional]\nname=b1_pw\nbatch_normalize=1\nfilters=32\nsize=1\nstride=1\n"
    "activation=relu6\n"
    "[convolutional]\nname=b2_pw\nbatch_normalize=1\nfilters=32\nsize=1\nstride=1\n"
    "activation=linear\n"
    "[shortcut]\nname=add\nfrom=-2\nactivation=linear\n"
    "[avgpool]\nname=pool\n"
    "[connected]\nname=fc\noutput=4\nactivation=linear\n"
    "[softmax]\nname=prob\n";

typedef struct images {
    float x[IMAGES][SIDE * SIDE * CHANNELS];
    int32_t label[IMAGES];
} images;

/* A class is the quadrant of a blob in noise, and its sign in the second channel. */
static inline void images_make(images *im, uint64_t seed)
{
    dscq_rng rng = dscq_rng_seeded(seed);

    for (int i = 0; i < IMAGES; i++) {
        const int c = (int)dscq_rng_below(&rng, CLASSES);
        const int cy = (c / 2) * 4 + (int)dscq_rng_below(&rng, 3);
        const int cx = (c % 2) * 4 + (int)dscq_rng_below(&rng, 3);

        im->label[i] = c;
        for (int p = 0; p < SIDE * SIDE; p++)
            for (int k = 0; k < CHANNELS; k++) {
                const int in = p / SIDE >= cy && p / SIDE < cy + 2 && p % SIDE >= cx &&
                               p % SIDE < cx + 2;
                /* the pattern inside the blob tells the class, not only the place */
                const float on = (p + c) % 2 != 0 ? 1.5F : (k == c % 2 ? -1.5F : 1.0F);
                im->x[i][p * CHANNELS + k] =
                    0.4F * dscq_rng_normal(&rng) + (in ? on : 0.0F);
            }
    }
}

static inline dscq_status images_batch(void *ctx, dscq_train_batch *out, uint32_t epoch,
                                       size_t number, dscq_error *err)
{
    const images *im = ctx;

    (void)epoch;
    (void)err;
    memset(out, 0, sizeof *out);
    if (number * BATCH >= IMAGES)
        return DSCQ_OK;
    out->n = BATCH;
    out->x = im->x[number * BATCH];
    out->label = &im->label[number * BATCH];
    return DSCQ_OK;
}

static inline dscq_model *net_make(const char *text, uint64_t seed)
{
    dscq_error err = {DSCQ_OK, ""};
    const dscq_rng rng = dscq_rng_seeded(seed);
    dscq_config *cfg = NULL;
    dscq_model *m = NULL;

    test_ok(dscq_config_parse(&cfg, text, strlen(text), "net.cfg", &err));
    test_ok(dscq_model_from_config(&m, cfg, "compress|compress_layer", &rng, &err));
    dscq_config_destroy(cfg);
    return m;
}

static inline dscq_settings *settings_make(const char *text)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_config *cfg = NULL;
    dscq_settings *s = NULL;

    test_ok(dscq_config_parse(&cfg, text, strlen(text), "net.cfg", &err));
    test_ok(dscq_settings_from_config(&s, cfg, &err));
    dscq_config_destroy(cfg);
    return s;
}

/* Share of right answers with the weights that the model uses now. */
static inline double net_score(dscq_model *m, const images *im)
{
    dscq_error err = {DSCQ_OK, ""};
    const dscq_exec_options o = {.batch = BATCH, .raw_outputs = 1};
    dscq_exec *e = NULL;
    dscq_eval *v = NULL;

    test_ok(dscq_exec_create(&e, m, &o, &err));
    test_ok(dscq_eval_create(&v, CLASSES, &err));
    test_ok(dscq_evaluate(v, e, images_batch, (void *)(uintptr_t)im, NULL, &err));
    const double score = dscq_eval_top1_frac(v);
    dscq_eval_destroy(v);
    dscq_exec_destroy(e);
    return score;
}

static inline dscq_train_params train_params(int32_t epochs)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_train_params p = {0};

    test_ok(dscq_keys_defaults(&p, dscq_train_keys, &err));
    p.epochs = epochs;
    p.batch = BATCH;
    p.learning_rate = 0.05;
    p.keep_best = 0;
    p.warmup_epochs = 0;
    return p;
}

typedef struct fine_tune {
    dscq_compressor *c;
    const images *im;
    dscq_trainer *t;
} fine_tune;

static inline dscq_status fine_tune_validate(void *ctx, dscq_model *m, uint32_t epoch,
                                             double *score, dscq_error *err)
{
    fine_tune *f = ctx;
    dscq_status status = dscq_compressor_apply(f->c, err);

    if (status != DSCQ_OK)
        return status;
    *score = net_score(m, f->im);
    return dscq_compressor_epoch(f->c, epoch, *score, err);
}

static inline dscq_status fine_tune_before(void *ctx, dscq_model *m, uint64_t step,
                                           dscq_error *err)
{
    return dscq_compressor_before_step(((fine_tune *)ctx)->c, m, step, err);
}

static inline dscq_status fine_tune_after(void *ctx, dscq_model *m, dscq_exec *e,
                                          uint64_t step, dscq_error *err)
{
    return dscq_compressor_after_backward(((fine_tune *)ctx)->c, m, e, step, err);
}

/* Train m for some epochs, with c (may be NULL) acting in it. */
static inline void net_train(dscq_model *m, dscq_compressor *c, const images *im,
                             int32_t epochs, double rate)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_train_params p = train_params(epochs);
    fine_tune f = {c, im, NULL};
    const dscq_train_hooks hooks = {.ctx = &f,
                                    .before_step = fine_tune_before,
                                    .after_backward = fine_tune_after,
                                    .validate = fine_tune_validate};

    p.learning_rate = rate;
    test_ok(dscq_trainer_create(&f.t, m, &p, IMAGES / BATCH, NULL, NULL, &err));
    if (c != NULL) {
        dscq_trainer_set_hooks(f.t, &hooks);
        dscq_compressor_attach(c, dscq_trainer_exec(f.t));
    }
    test_ok(dscq_trainer_run(f.t, images_batch, (void *)(uintptr_t)im, NULL, NULL, NULL,
                             &err));
    if (c != NULL)
        dscq_compressor_attach(c, NULL);
    dscq_trainer_destroy(f.t);
}

#endif
