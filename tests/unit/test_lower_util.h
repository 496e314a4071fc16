/* A small network as the planner sees it, without weights and files. */
#ifndef TEST_LOWER_UTIL_H
#define TEST_LOWER_UTIL_H

#include "lower_internal.h"
#include "support.h"

/* A chain of operations: tensor i is made by operation i - 1. */
typedef struct chain {
    dscq_machine m;
    dscq_program p;
    dscq_hw_tensor tensor[4];
    dscq_hw_op op[3];
    low_tensor life[4];
    low_op low[3];
    dscq_qmodel q;
    dscq_qnode node[3];
    dscq_qweights weights[3];
    lowering l;
} chain;

static void add_map(chain *c, int32_t h, int32_t w, int32_t channels)
{
    c->tensor[c->p.tensor_count++] =
        (dscq_hw_tensor){.h = h, .w = w, .c = channels, .bits = 8, .elem_bytes = 1};
}

static void add_op(chain *c, dscq_hw_mode mode, int32_t kernel, int32_t stride,
                   int32_t h, int32_t w, int32_t channels)
{
    const int32_t i = c->p.op_count++;

    add_map(c, h, w, channels);
    c->op[i] = (dscq_hw_op){.mode = mode,
                            .in = {i},
                            .in_count = 1,
                            .out = i + 1,
                            .kernel_h = kernel,
                            .kernel_w = kernel,
                            .stride_h = stride,
                            .stride_w = stride,
                            .pad_top = kernel / 2,
                            .pad_left = kernel / 2,
                            .dilation_h = 1,
                            .dilation_w = 1,
                            .factor_up = 1,
                            .factor_down = 1};
    c->low[i].node = i;
    c->node[i].weights = &c->weights[i];
    c->node[i].groups = 1;
}

/* Words of 8 bytes in 8 banks. */
static void begin(chain *c, int32_t h, int32_t w, int32_t channels)
{
    dscq_error err = {DSCQ_OK, ""};

    memset(c, 0, sizeof *c);
    test_ok(dscq_machine_defaults(&c->m, &err));
    c->p.tensor = c->tensor;
    c->p.op = c->op;
    c->q.node = c->node;
    c->l =
        (lowering){.m = &c->m, .p = &c->p, .op = c->low, .tensor = c->life, .q = &c->q};
    add_map(c, h, w, channels);
}

static void end(chain *c)
{
    const int32_t last = c->p.op_count;

    for (int32_t i = 0; i <= last; i++)
        c->life[i] = (low_tensor){.first_op = i - 1,
                                  .last_op = i < last ? i : last - 1,
                                  .is_input = i == 0,
                                  .is_output = i == last};
}

#endif
