/* Integer networks with synthetic weights, for measuring the machine: the shapes are
 * the published ones, the non-zero weights are at random places. */
#ifndef BENCH_SIM_NETS_H
#define BENCH_SIM_NETS_H

#include "dscq/base/alloc.h"
#include "dscq/base/rng.h"
#include "dscq/qnet/qmodel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct net {
    dscq_qmodel *m;
    dscq_rng rng;
    int32_t tensors, nodes, at; /* at: newest tensor */
    int32_t bits;               /* of a weight code; 8: dense linear */
} net;

static void net_die(const dscq_error *err)
{
    (void)fprintf(stderr, "bench: %s\n", err->msg);
    exit(1);
}

static void net_tensor(net *n, int32_t h, int32_t w, int32_t c)
{
    dscq_qtensor *t = &n->m->tensor[n->tensors];

    (void)snprintf(t->name, sizeof t->name, "t%d", n->tensors);
    t->h = h;
    t->w = w;
    t->c = c;
    t->bits = 8;
    t->is_signed = 1;
    t->scale = 0.05;
    n->at = n->tensors++;
}

static void net_start(net *n, int32_t side, int32_t channels, uint64_t seed)
{
    dscq_error err;

    n->rng = dscq_rng_seeded(seed);
    if (dscq_qmodel_create(&n->m, &err) != DSCQ_OK ||
        dscq_qmodel_reserve(n->m, 256, 256, 1, 1, &err) != DSCQ_OK)
        net_die(&err);
    n->tensors = n->nodes = 0;
    net_tensor(n, side, side, channels);
    n->m->input[0].tensor = 0;
}

static dscq_qnode *net_node(net *n, dscq_qop op, int32_t x, const char *name)
{
    dscq_qnode *k = &n->m->node[n->nodes++];

    (void)snprintf(k->name, sizeof k->name, "%s", name);
    k->op = op;
    k->input[0] = x;
    k->input_count = 1;
    k->stride_h = k->stride_w = k->dilation_h = k->dilation_w = k->groups = 1;
    k->factor = 1;
    k->clamp_lo = -128;
    k->clamp_hi = 127;
    return k;
}

/* Values: density d of non-zeros; bits < 8: a codebook of 2^bits entries. */
static void net_weights(net *n, dscq_qweights *w, double density)
{
    w->bits = n->bits;
    if (n->bits < 8) {
        w->form = DSCQ_FORM_CODEBOOK;
        w->codebook_count = 1 << n->bits;
        for (int32_t i = 1; i < w->codebook_count; i++)
            w->codebook[i] = (int16_t)((i % 2 ? 1 : -1) * (4 * i + 3) % 128);
    }
    for (size_t i = 0; i < w->count; i++) {
        if (dscq_rng_unit(&n->rng) >= (float)density)
            continue;
        if (n->bits < 8)
            w->value[i] =
                w->codebook[1 +
                            dscq_rng_below(&n->rng, (uint64_t)w->codebook_count - 1)];
        else
            w->value[i] = (int16_t)((1 + (int)dscq_rng_below(&n->rng, 127)) *
                                    (dscq_rng_below(&n->rng, 2) ? 1 : -1));
    }
}

/* kernel k, stride s, padding p, m outputs in `groups` groups. */
static void net_conv(net *n, const char *name, int32_t k, int32_t s, int32_t p,
                     int32_t m, int32_t groups, double density, int relu)
{
    const int32_t x = n->at;
    const dscq_qtensor *t = &n->m->tensor[x];
    dscq_qnode *node = net_node(n, DSCQ_Q_CONV, x, name);
    const int32_t h = (t->h + 2 * p - k) / s + 1, w = (t->w + 2 * p - k) / s + 1;
    dscq_error err;

    node->stride_h = node->stride_w = s;
    node->pad_top = node->pad_left = node->pad_bottom = node->pad_right = p;
    node->groups = groups;
    if (dscq_qweights_create(&node->weights, m, k, k, t->c / groups, DSCQ_FORM_LINEAR,
                             0, &err) != DSCQ_OK ||
        dscq_qnode_reserve(node, m, &err) != DSCQ_OK)
        net_die(&err);
    net_weights(n, node->weights, density);
    const double terms = density * k * k * (t->c / groups) + 1;
    int32_t shift = 14;
    while ((double)(1 << (shift - 14)) * 2 < terms)
        shift += 2;
    for (int32_t i = 0; i < m; i++) {
        node->mult[i] = (int16_t)(16384 + dscq_rng_below(&n->rng, 8000));
        node->shift[i] = (uint8_t)shift;
        node->bias[i] = (int32_t)dscq_rng_below(&n->rng, 4096) - 1024;
    }
    node->clamp_lo = relu ? 0 : -128;
    net_tensor(n, h, w, m);
    node->output = n->at;
}

static void net_add(net *n, const char *name, int32_t other)
{
    const int32_t x = n->at;
    const dscq_qtensor *t = &n->m->tensor[x];
    dscq_qnode *node = net_node(n, DSCQ_Q_ADD, x, name);
    dscq_error err;

    node->input[1] = other;
    node->input_count = 2;
    if (dscq_qnode_reserve(node, 2, &err) != DSCQ_OK)
        net_die(&err);
    node->mult[0] = node->mult[1] = 16384;
    node->shift[0] = node->shift[1] = 7;
    net_tensor(n, t->h, t->w, t->c);
    node->output = n->at;
}

static void net_pool(net *n, const char *name, int32_t k, int32_t s, int is_max)
{
    const int32_t x = n->at;
    const dscq_qtensor *t = &n->m->tensor[x];
    dscq_qnode *node = net_node(n, is_max ? DSCQ_Q_MAXPOOL : DSCQ_Q_AVGPOOL, x, name);
    const int32_t side = (t->h - k) / s + 1;
    dscq_error err;

    node->kernel_h = node->kernel_w = k;
    node->stride_h = node->stride_w = s;
    if (!is_max) {
        if (dscq_qnode_reserve(node, 1, &err) != DSCQ_OK)
            net_die(&err);
        node->scale_key[0] = k * k;
        node->mult[0] = 20000;
        node->shift[0] = 12;
    }
    net_tensor(n, side, side, t->c);
    node->output = n->at;
}

static dscq_qmodel *net_end(net *n, const char *name)
{
    dscq_error err;

    n->m->tensor_count = n->tensors;
    n->m->node_count = n->nodes;
    n->m->output[0].tensor = n->at;
    (void)snprintf(n->m->name, sizeof n->m->name, "%s", name);
    (void)snprintf(n->m->output[0].role, sizeof n->m->output[0].role, "logits");
    if (dscq_qmodel_check(n->m, &err) != DSCQ_OK)
        net_die(&err);
    return n->m;
}

/* MobileNetV2 1.0 at 224: pointwise layers and the classifier at `density`, depthwise
 * and first layers dense. */
static inline dscq_qmodel *net_mobilenet_v2(double density, int32_t bits, uint64_t seed)
{
    static const int k_block[7][4] = {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2},
                                      {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2},
                                      {6, 320, 1, 1}};
    net n = {.bits = bits};
    char name[64];
    int at = 0;

    net_start(&n, 224, 3, seed);
    net_conv(&n, "conv0", 3, 2, 1, 32, 1, 1, 1);
    /* 224 with padding 1 and stride 2 makes 112 */
    for (int b = 0; b < 7; b++)
        for (int i = 0; i < k_block[b][2]; i++, at++) {
            const int32_t x = n.at, c = n.m->tensor[x].c;
            const int stride = i == 0 ? k_block[b][3] : 1;
            if (k_block[b][0] > 1) {
                (void)snprintf(name, sizeof name, "block%d_expand", at);
                net_conv(&n, name, 1, 1, 0, c * k_block[b][0], 1, density, 1);
            }
            const int32_t mid = n.m->tensor[n.at].c;
            (void)snprintf(name, sizeof name, "block%d_dw", at);
            net_conv(&n, name, 3, stride, 1, mid, mid, 1, 1);
            (void)snprintf(name, sizeof name, "block%d_project", at);
            net_conv(&n, name, 1, 1, 0, k_block[b][1], 1, density, 0);
            if (stride == 1 && c == k_block[b][1]) {
                (void)snprintf(name, sizeof name, "block%d_add", at);
                net_add(&n, name, x);
            }
        }
    net_conv(&n, "conv_last", 1, 1, 0, 1280, 1, density, 1);
    net_pool(&n, "pool", 7, 7, 0);
    net_conv(&n, "fc", 1, 1, 0, 1000, 1, density, 0);
    return net_end(&n, "mobilenet_v2_224");
}

/* AlexNet (two groups, no normalisation) at the densities of its table. */
static inline dscq_qmodel *net_alexnet(double conv, const double fc[3], int32_t bits,
                                       uint64_t seed)
{
    net n = {.bits = bits};

    net_start(&n, 227, 3, seed);
    net_conv(&n, "conv1", 11, 4, 0, 96, 1, conv, 1);
    net_pool(&n, "pool1", 3, 2, 1);
    net_conv(&n, "conv2", 5, 1, 2, 256, 2, conv, 1);
    net_pool(&n, "pool2", 3, 2, 1);
    net_conv(&n, "conv3", 3, 1, 1, 384, 1, conv, 1);
    net_conv(&n, "conv4", 3, 1, 1, 384, 2, conv, 1);
    net_conv(&n, "conv5", 3, 1, 1, 256, 2, conv, 1);
    net_pool(&n, "pool5", 3, 2, 1);
    net_conv(&n, "fc6", 6, 1, 0, 4096, 1, fc[0], 1);
    net_conv(&n, "fc7", 1, 1, 0, 4096, 1, fc[1], 1);
    net_conv(&n, "fc8", 1, 1, 0, 1000, 1, fc[2], 0);
    return net_end(&n, "alexnet_227");
}

/* MobileNetV1 at `side`, every width times `alpha` (multiples of 4), 10 classes; the
 * last blocks of 512 as many as `middle`. */
static inline dscq_qmodel *net_mobilenet_v1(double alpha, int32_t side, int32_t middle,
                                            double density, int32_t bits, uint64_t seed)
{
    static const int k_block[8][2] = {{64, 1},  {128, 2}, {128, 1}, {256, 2},
                                      {256, 1}, {512, 2}, {0, 0},   {1024, 2}};
    net n = {.bits = bits};
    char name[64];
    int at = 0;

    net_start(&n, side, 3, seed);
    net_conv(&n, "conv0", 3, 2, 1, (int32_t)(32 * alpha + 3) / 4 * 4, 1, 1, 1);
    for (int b = 0; b < 8; b++)
        for (int i = 0; i < (k_block[b][0] == 0 ? middle : 1); i++, at++) {
            const int32_t c = n.m->tensor[n.at].c;
            const int wide = k_block[b][0] == 0 ? 512 : k_block[b][0];
            (void)snprintf(name, sizeof name, "block%d_dw", at);
            net_conv(&n, name, 3, k_block[b][1] == 2 ? 2 : 1, 1, c, c, 1, 1);
            (void)snprintf(name, sizeof name, "block%d_pw", at);
            net_conv(&n, name, 1, 1, 0, (int32_t)(wide * alpha + 3) / 4 * 4, 1, density,
                     1);
        }
    const int32_t last = n.m->tensor[n.at].h;
    net_pool(&n, "pool", last, last, 0);
    net_conv(&n, "fc", 1, 1, 0, 10, 1, density, 0);
    (void)snprintf(name, sizeof name, "mobilenet_v1_%g_%d", alpha, side);
    return net_end(&n, name);
}

/* The last convolution's weights as signs, and 8-bit weights in `high` of the blocks.
 */
static inline void net_binary(net *n, double high)
{
    dscq_qnode *node = &n->m->node[n->nodes - 1];
    dscq_qweights *old = node->weights, *w = NULL;
    const int32_t per = old->r * old->s * old->c,
                  block = old->r * old->s > 1 ? old->r * old->s : 8;
    dscq_error err;

    if (per % block != 0)
        return; /* the first layer stays as it is */
    if (dscq_qweights_create(&w, old->k, old->r, old->s, old->c, DSCQ_FORM_BINARY,
                             block, &err) != DSCQ_OK)
        net_die(&err);
    w->bits = 1;
    for (int32_t k = 0; k < w->k; k++)
        w->level[k] = (int16_t)(8 + dscq_rng_below(&n->rng, 24));
    for (size_t i = 0; i < w->block_count; i++)
        w->block_high[i] = dscq_rng_unit(&n->rng) < (float)high;
    for (size_t i = 0; i < w->count; i++) {
        const int16_t level = w->level[i / (size_t)per];
        w->value[i] = w->block_high[i / (size_t)block]
                          ? (int16_t)((int)dscq_rng_below(&n->rng, 255) - 127)
                          : (dscq_rng_below(&n->rng, 2) ? level : (int16_t)-level);
    }
    dscq_qweights_destroy(old);
    node->weights = w;
}

/* Tiny YOLOv2 at 416 (VOC): 1-bit weights, 3 % of the blocks with 8 bits; first and
 * last layer 8 bits. */
static inline dscq_qmodel *net_tiny_yolo(uint64_t seed)
{
    static const int k_width[] = {16, 32, 64, 128, 256, 512, 1024, 1024};
    net n = {.bits = 8};
    char name[64];

    net_start(&n, 416, 3, seed);
    for (int i = 0; i < 8; i++) {
        (void)snprintf(name, sizeof name, "conv%d", i);
        net_conv(&n, name, 3, 1, 1, k_width[i], 1, 1, 1);
        if (i > 0)
            net_binary(&n, 0.03);
        if (i < 5) {
            (void)snprintf(name, sizeof name, "pool%d", i);
            net_pool(&n, name, 2, 2, 1);
        }
    }
    net_conv(&n, "head", 1, 1, 0, 125, 1, 1, 0);
    return net_end(&n, "tiny_yolo_v2_416");
}

#endif
