/*
 * nn/exec.h - running a model: memory planned once, no allocation in a pass.
 *
 * An engine holds, for one model and one largest batch, the stored outputs z, the
 * gradients and all scratch in one block, whose layout is planned from lifetimes when
 * it is created. In training, only pre-normalisation outputs are kept and
 * normalisation and activation are recomputed on load; otherwise they are applied
 * before storing. The work is cut into fixed pieces, so results do not depend on the
 * number of threads, only on the kernel family.
 *
 * The model is borrowed and must outlive the engine; its weights may change between
 * passes (dscq_exec_refresh() after a change when not training), its graph not.
 */
#ifndef DSCQ_NN_EXEC_H
#define DSCQ_NN_EXEC_H

#include "dscq/base/par.h"
#include "dscq/base/rng.h"
#include "dscq/base/status.h"
#include "dscq/nn/model.h"
#include "dscq/tensor/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_exec dscq_exec;

typedef struct dscq_exec_options {
    int32_t batch;   /* largest number of images in a pass, >= 1              */
    int training;    /* plan for backward passes as well                      */
    int raw_outputs; /* a softmax at the end is left out: outputs are logits;
                        always so in training                                 */
    int keep_nodes;  /* every node's output stays readable after a pass (more
                        memory; dscq_exec_node_output())                      */
    int lean;        /* training alone, with less memory: no output is quantised   */
    int hand_over;   /* training: weight gradients of large layers stand only while
                        dscq_exec_on_gradients() hears of them                */
    dscq_pool *pool; /* borrowed; NULL: this thread alone                     */
    const dscq_kernels *kernels; /* NULL: the best of this CPU                 */
} dscq_exec_options;

/* Bytes, as planned; what is used is the same (a test compares). */
typedef struct dscq_exec_plan {
    size_t activation_bytes; /* stored outputs and gradients, overlapped        */
    size_t weight_bytes;     /* packed copies and gradients of weights          */
    size_t gradient_bytes;   /* all gradients of weights, also handed over ones */
    size_t scratch_bytes;    /* all threads, partial sums                       */
    size_t total_bytes;
    size_t unshared_bytes; /* outputs and gradients if nothing were overlapped */
} dscq_exec_plan;

dscq_status dscq_exec_create(dscq_exec **out, dscq_model *m, const dscq_exec_options *o,
                             dscq_error *err);
void dscq_exec_destroy(dscq_exec *e); /* NULL is fine */

/* The plan alone, without allocating anything of that size. */
dscq_status dscq_exec_dry_run(dscq_exec_plan *out, dscq_model *m,
                              const dscq_exec_options *o, dscq_error *err);
/* DSCQ_NOMEM, naming the largest layer, when total_bytes are more than this process may
 * have; dscq_exec_create() asks before it takes anything. */
dscq_status dscq_exec_has_room(const dscq_model *m, int32_t batch, size_t total_bytes,
                               dscq_error *err);
dscq_exec_plan dscq_exec_get_plan(const dscq_exec *e);
const char *dscq_exec_kernels(const dscq_exec *e); /* family, for the run manifest */
/* Most scratch that a thread has used so far; never above its planned share. */
size_t dscq_exec_scratch_peak(const dscq_exec *e);
int32_t dscq_exec_batch(const dscq_exec *e);
dscq_model *dscq_exec_model(const dscq_exec *e);

typedef enum dscq_pass {
    DSCQ_PASS_EVAL, /* running statistics, no dropout                           */
    DSCQ_PASS_TRAIN /* batch statistics; needs options.training                 */
} dscq_pass;

/* x: n images, h*w*c of the model's input each; must stay until backward is done.
 * 1 <= n <= batch. rng: source of dropout in this step (NULL: no dropout).
 * Cannot fail. */
void dscq_exec_forward(dscq_exec *e, dscq_pass pass, const float *x, int32_t n,
                       const dscq_rng *rng);

/* Weights, normalisation or quantisation changed: repack before the next pass.
 * Training passes do this by themselves. */
void dscq_exec_refresh(dscq_exec *e);

/* Output i (dscq_model_output) of the last pass: activated; shape.n = n. Borrowed
 * until the next pass. With raw_outputs: the logits. */
const float *dscq_exec_output(const dscq_exec *e, int32_t i, dscq_shape *shape);
/* Any node (DSCQ_INPUT: what the network saw), with keep_nodes, after EVAL. */
const float *dscq_exec_node_output(const dscq_exec *e, int32_t node, dscq_shape *shape);

/* Where the caller writes dL/d(output i) after a TRAIN pass; zeroed by it. */
float *dscq_exec_output_grad(dscq_exec *e, int32_t i);
/* Gradients of everything that is learned, from the output gradients. */
void dscq_exec_backward(dscq_exec *e);

/* Gradients of node i after backward; members as in its dscq_weights, NULL when
 * absent or frozen. Borrowed; the caller may change the values (clipping). */
typedef struct dscq_grads {
    float *w, *bias, *gamma, *beta;
} dscq_grads;
dscq_grads dscq_exec_grads(const dscq_exec *e, int32_t node);

/* Called by dscq_exec_backward() for each node whose gradients are handed over, as soon
 * as all of them are there: the weights of this node are not read any more in this pass
 * and may be changed. Needs options.hand_over. */
typedef void dscq_gradients_fn(void *ctx, int32_t node);
void dscq_exec_on_gradients(dscq_exec *e, dscq_gradients_fn *fn, void *ctx);
/* Whether node i is one of these. */
int dscq_exec_hands_over(const dscq_exec *e, int32_t node);

/* Running statistics move by this factor a training pass, default 0.1 (new =
 * (1-f)*old + f*batch, variance unbiased). Freezing makes TRAIN passes use, and
 * leave alone, the running statistics (frozen nodes always do). */
void dscq_exec_norm_momentum(dscq_exec *e, double factor);
void dscq_exec_freeze_norm(dscq_exec *e, int on);

/* Fake quantisation of a node's activated output (DSCQ_INPUT: of the input), with
 * straight-through gradient inside the range: codes of `bits`, signed unless
 * is_unsigned, y = scale*(q - zero). scale = 0 or NULL: off. Nodes that pass their
 * input on (a route of one layer, dropout, heads) take over its codes: nothing is done
 * for them. */
typedef struct dscq_act_quant {
    float scale;
    int32_t zero, bits, is_unsigned;
} dscq_act_quant;
dscq_status dscq_exec_quantise(dscq_exec *e, int32_t node, const dscq_act_quant *q,
                               dscq_error *err);

/* The same in front of a node's activation, where that is a table in the integer form
 * (dscq_node_has_table(); DSCQ_ARG elsewhere): y = quant(act(before(x))). */
dscq_status dscq_exec_quantise_before(dscq_exec *e, int32_t node,
                                      const dscq_act_quant *q, dscq_error *err);

/* Backward passes also give the gradient of every quantisation's scale that some layer
 * reads: sum of g * (code - zero - y/scale) inside the range, of g times the end's code
 * outside (the straight-through estimate of Esser et al., ICLR 2020). 0 elsewhere. */
void dscq_exec_learn_ranges(dscq_exec *e, int on);
double dscq_exec_range_grad(const dscq_exec *e, int32_t node);
double dscq_exec_range_grad_before(const dscq_exec *e, int32_t node);

/* Called in EVAL passes for the input and then after each node with its activated
 * output (after fake quantisation; the input before it), for calibration. NULL: off. */
typedef void dscq_observe_fn(void *ctx, int32_t node, const float *y, dscq_shape shape);
void dscq_exec_observe(dscq_exec *e, dscq_observe_fn *fn, void *ctx);
/* Called in EVAL passes for each node whose activation is a table in the integer form,
 * with what that activation is about to see (before any quantisation of it). */
void dscq_exec_observe_before(dscq_exec *e, dscq_observe_fn *fn, void *ctx);

/* Seconds spent so far in each node (forward, backward) when a clock was given: for
 * `--profile`. now() returns seconds; NULL: off. */
void dscq_exec_profile(dscq_exec *e, double (*now)(void));
void dscq_exec_seconds(const dscq_exec *e, int32_t node, double *forward,
                       double *backward);

#ifdef __cplusplus
}
#endif
#endif
