#include "qmodel_legal.h"

#include "dscq/base/alloc.h"
#include "support.h"

#include <check.h>
#include <stdio.h>

dscq_qmodel *qmodel_legal(void)
{
    static const char *const name[] = {"in", "a", "b", "c", "d"};
    static const dscq_qop op[] = {DSCQ_Q_CONV, DSCQ_Q_ADD, DSCQ_Q_AVGPOOL, DSCQ_Q_LUT};
    dscq_qmodel *m;
    dscq_error err;

    ck_assert_int_eq(dscq_qmodel_create(&m, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_qmodel_reserve(m, 5, 4, 1, 1, &err), DSCQ_OK);
    for (int i = 0; i < 5; i++) {
        dscq_qtensor *t = &m->tensor[i];
        (void)snprintf(t->name, sizeof t->name, "%s", name[i]);
        t->h = t->w = i < 3 ? 6 : 3;
        t->c = 4;
        t->bits = 8;
        t->scale = 0.5;
    }
    for (int i = 0; i < 4; i++) {
        dscq_qnode *n = &m->node[i];
        (void)snprintf(n->name, sizeof n->name, "%s", name[i + 1]);
        n->op = op[i];
        n->input_count = 1;
        n->input[0] = i;
        n->output = i + 1;
        n->clamp_lo = -128;
        n->clamp_hi = 127;
    }
    dscq_qnode *conv = &m->node[0], *add = &m->node[1], *avg = &m->node[2];
    conv->pad_top = conv->pad_left = conv->pad_bottom = conv->pad_right = 1;
    ck_assert_int_eq(
        dscq_qweights_create(&conv->weights, 4, 3, 3, 4, DSCQ_FORM_CODEBOOK, 0, &err),
        DSCQ_OK);
    conv->weights->bits = 2;
    conv->weights->codebook_count = 3;
    conv->weights->codebook[1] = 100;
    conv->weights->codebook[2] = -100;
    conv->weights->value[7] = 100;
    ck_assert_int_eq(dscq_qnode_reserve(conv, 4, &err), DSCQ_OK);
    add->input_count = 2;
    add->input[1] = 0;
    ck_assert_int_eq(dscq_qnode_reserve(add, 2, &err), DSCQ_OK);
    avg->kernel_h = avg->kernel_w = avg->stride_h = avg->stride_w = 2;
    ck_assert_int_eq(dscq_qnode_reserve(avg, 1, &err), DSCQ_OK);
    avg->scale_key[0] = 4;
    avg->mult[0] = 16384;
    m->node[3].table_count = 256;
    m->node[3].table = dscq_calloc(256, sizeof(int32_t));
    (void)snprintf(m->output[0].role, sizeof m->output[0].role, "raw");
    m->output[0].tensor = 4;
    return m;
}
