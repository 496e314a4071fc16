/* Nodes of the integer network as operations of the machine: one function a row of
 * qnet/qops.def, and the refusals. */
#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "lower_internal.h"

#include <assert.h>
#include <string.h>

/* ---- refusals ----------------------------------------------------------- */

static dscq_status check_values(const dscq_qmodel *q, const dscq_qnode *n,
                                const dscq_qweights *w, const dscq_machine *m,
                                dscq_error *err)
{
    const dscq_qtensor *x = &q->tensor[n->input[0]];
    const int32_t top = 1 << (m->weight_bits - 1);
    const size_t per = (size_t)w->r * (size_t)w->s * (size_t)w->c;

    for (int32_t k = 0; k < w->k; k++) {
        int64_t sum = 0;
        for (size_t i = 0; i < per; i++) {
            const int32_t v = w->value[(size_t)k * per + i];
            if (v < -top || v >= top)
                return dscq_fail(err, DSCQ_UNSUPPORTED,
                                 "layer '%s': weight value %d; the lanes take "
                                 "weight_bits = %d",
                                 n->name, v, m->weight_bits);
            sum += v < 0 ? -v : v;
        }
        if (sum * dscq_qtensor_reach(x) >= INT64_C(1) << (m->acc_bits - 1))
            return dscq_fail(err, DSCQ_UNSUPPORTED,
                             "layer '%s': channel %d may overflow acc_bits = %d",
                             n->name, k, m->acc_bits);
    }
    return DSCQ_OK;
}

static dscq_status check_conv(const dscq_qmodel *q, const dscq_qnode *n,
                              const dscq_machine *m, dscq_error *err)
{
    const dscq_qtensor *x = &q->tensor[n->input[0]];
    dscq_qweights w;

    if (x->bits > m->act_bits)
        return dscq_fail(
            err, DSCQ_UNSUPPORTED,
            "layer '%s': input '%s' has %d bits; the lanes take act_bits = %d", n->name,
            x->name, x->bits, m->act_bits);
    dscq_status status = dscq_qweights_open(&w, n->weights, err);
    if (status == DSCQ_OK)
        status = check_values(q, n, &w, m, err);
    dscq_qweights_close(&w, n->weights);
    return status;
}

dscq_status lower__check(const dscq_qmodel *q, const dscq_machine *m, dscq_error *err)
{
    dscq_status status = DSCQ_OK;

    if (q->input_count > DSCQ_OP_INPUTS || q->output_count > DSCQ_OP_INPUTS)
        return dscq_fail(err, DSCQ_UNSUPPORTED,
                         "%d inputs and %d outputs; the machine takes %d of each",
                         q->input_count, q->output_count, DSCQ_OP_INPUTS);
    for (int32_t i = 0; i < q->node_count; i++)
        if (q->node[i].weights != NULL)
            DSCQ_TRY(check_conv(q, &q->node[i], m, err));
done:
    return status;
}

/* ---- operations --------------------------------------------------------- */

typedef struct maker {
    lowering *l;
    const dscq_qnode *n;
    int32_t node;
} maker;

static dscq_status new_op(maker *k, dscq_hw_mode mode, dscq_hw_op **out)
{
    lowering *l = k->l;

    if (l->p->op_count == l->op_cap) {
        const int32_t cap = l->op_cap == 0 ? 64 : 2 * l->op_cap;
        dscq_hw_op *op = dscq_realloc(l->p->op, (size_t)l->op_cap * sizeof *op,
                                      (size_t)cap * sizeof *op);
        if (op != NULL)
            l->p->op = op;
        low_op *low = dscq_realloc(l->op, (size_t)l->op_cap * sizeof *low,
                                   (size_t)cap * sizeof *low);
        if (low != NULL)
            l->op = low;
        if (op == NULL || low == NULL)
            return dscq_fail_nomem(l->err, "operations", (size_t)cap * sizeof *op);
        l->op_cap = cap;
    }
    dscq_hw_op *op = &l->p->op[l->p->op_count];
    memset(op, 0, sizeof *op);
    memset(&l->op[l->p->op_count], 0, sizeof l->op[0]);
    l->op[l->p->op_count].node = k->node;
    l->p->op_count++;
    dscq_str_copy(op->name, sizeof op->name, k->n->name);
    op->mode = mode;
    op->layer = k->node;
    op->in[0] = k->n->input[0];
    op->in_count = 1;
    op->out = k->n->output;
    op->kernel_h = op->kernel_w = op->stride_h = op->stride_w = 1;
    op->dilation_h = op->dilation_w = op->factor_up = op->factor_down = 1;
    op->clamp_lo = k->n->clamp_lo;
    op->clamp_hi = k->n->clamp_hi;
    op->lanes = 1;
    op->vector = 1;
    *out = op;
    return DSCQ_OK;
}

static void *copy_of(lowering *l, const void *from, size_t count, size_t bytes)
{
    void *to = dscq_malloc(count, bytes);

    if (to == NULL)
        (void)dscq_fail_nomem(l->err, "constants", count * bytes);
    else if (count > 0)
        memcpy(to, from, count * bytes);
    return to;
}

static dscq_status copy_scales(maker *k, dscq_hw_op *op, int32_t first, int32_t count)
{
    op->mult = copy_of(k->l, k->n->mult + first, (size_t)count, sizeof *op->mult);
    op->shift = copy_of(k->l, k->n->shift + first, (size_t)count, sizeof *op->shift);
    op->scale_count = count;
    return op->mult == NULL || op->shift == NULL ? DSCQ_NOMEM : DSCQ_OK;
}

static void window_of(dscq_hw_op *op, const dscq_qnode *n, int32_t kh, int32_t kw)
{
    op->kernel_h = kh;
    op->kernel_w = kw;
    op->stride_h = n->stride_h;
    op->stride_w = n->stride_w;
    op->pad_top = n->pad_top;
    op->pad_left = n->pad_left;
}

static dscq_status make_conv(maker *k)
{
    const dscq_qmodel *q = k->l->q;
    const dscq_qnode *n = k->n;
    const dscq_qweights *w = n->weights;
    const int depthwise = n->groups > 1 && w->c == 1 && w->k == n->groups;
    dscq_hw_op *op;
    dscq_status status;

    DSCQ_TRY(new_op(k, depthwise ? DSCQ_HW_DEPTHWISE : DSCQ_HW_BROADCAST, &op));
    window_of(op, n, w->r, w->s);
    op->dilation_h = n->dilation_h;
    op->dilation_w = n->dilation_w;
    op->is_leaky = n->is_leaky;
    op->slope_q15 = n->slope_q15;
    DSCQ_TRY(copy_scales(k, op, 0, w->k));
    op->bias = copy_of(k->l, n->bias, (size_t)w->k, sizeof *op->bias);
    if (op->bias == NULL)
        return DSCQ_NOMEM;
    const dscq_qtensor *y = &q->tensor[n->output];
    op->mac_dense = (uint64_t)w->count * (uint64_t)y->h * (uint64_t)y->w;
done:
    return status;
}

static dscq_status make_add(maker *k)
{
    dscq_hw_op *op;
    dscq_status status;

    DSCQ_TRY(new_op(k, DSCQ_HW_ADD, &op));
    op->in_count = k->n->input_count;
    memcpy(op->in, k->n->input, (size_t)op->in_count * sizeof op->in[0]);
    op->is_leaky = k->n->is_leaky;
    op->slope_q15 = k->n->slope_q15;
    DSCQ_TRY(copy_scales(k, op, 0, k->n->scale_count));
done:
    return status;
}

static dscq_status make_mul(maker *k)
{
    dscq_hw_op *op;
    dscq_status status;

    DSCQ_TRY(new_op(k, DSCQ_HW_MUL, &op));
    op->in_count = 2;
    op->in[1] = k->n->input[1];
    DSCQ_TRY(copy_scales(k, op, 0, 1));
done:
    return status;
}

static dscq_status make_concat(maker *k)
{
    const dscq_qnode *n = k->n;
    int32_t at = 0;
    dscq_status status = DSCQ_OK;

    for (int32_t i = 0; i < n->input_count; i++) {
        const int32_t c = k->l->q->tensor[n->input[i]].c;
        dscq_hw_op *op;
        DSCQ_TRY(new_op(k, DSCQ_HW_COPY, &op));
        op->in[0] = n->input[i];
        op->c_out = at;
        op->c_count = c;
        op->copy_scaled = !dscq_qnode_is_copied(n, i);
        DSCQ_TRY(copy_scales(k, op, i, 1));
        at += c;
    }
done:
    return status;
}

static dscq_status make_rescale(maker *k)
{
    return make_concat(k);
}

static dscq_status make_pool(maker *k, dscq_hw_mode mode)
{
    const dscq_qnode *n = k->n;
    const dscq_qtensor *x = &k->l->q->tensor[n->input[0]];
    dscq_hw_op *op;
    dscq_status status;

    DSCQ_TRY(new_op(k, mode, &op));
    window_of(op, n, n->kernel_h == 0 ? x->h : n->kernel_h,
              n->kernel_w == 0 ? x->w : n->kernel_w);
    if (mode == DSCQ_HW_AVGPOOL) {
        DSCQ_TRY(copy_scales(k, op, 0, n->scale_count));
        op->count_include_pad = n->count_include_pad;
        op->scale_key =
            copy_of(k->l, n->scale_key, (size_t)n->scale_count, sizeof *op->scale_key);
        if (op->scale_key == NULL)
            return DSCQ_NOMEM;
    }
done:
    return status;
}

static dscq_status make_maxpool(maker *k)
{
    return make_pool(k, DSCQ_HW_MAXPOOL);
}

static dscq_status make_avgpool(maker *k)
{
    return make_pool(k, DSCQ_HW_AVGPOOL);
}

/* upsample, reorg, slice and pad differ in one number each */
static dscq_status make_move(maker *k, dscq_hw_op **op)
{
    const dscq_status status = new_op(k, DSCQ_HW_COPY, op);

    if (status == DSCQ_OK)
        (*op)->c_count = k->l->q->tensor[k->n->output].c;
    return status;
}

static dscq_status make_upsample(maker *k)
{
    dscq_hw_op *op;
    const dscq_status status = make_move(k, &op);

    if (status == DSCQ_OK)
        op->factor_up = k->n->factor;
    return status;
}

static dscq_status make_reorg(maker *k)
{
    dscq_hw_op *op;
    const dscq_status status = make_move(k, &op);

    if (status == DSCQ_OK)
        op->factor_down = k->n->factor;
    return status;
}

static dscq_status make_slice(maker *k)
{
    dscq_hw_op *op;
    const dscq_status status = make_move(k, &op);

    if (status == DSCQ_OK)
        op->c_first = k->n->first;
    return status;
}

static dscq_status make_pad(maker *k)
{
    dscq_hw_op *op;
    const dscq_status status = make_move(k, &op);

    if (status == DSCQ_OK) {
        op->pad_top = k->n->pad_top;
        op->pad_left = k->n->pad_left;
    }
    return status;
}

static dscq_status copy_table(maker *k, dscq_hw_op *op)
{
    op->table =
        copy_of(k->l, k->n->table, (size_t)k->n->table_count, sizeof *op->table);
    op->table_count = k->n->table_count;
    return op->table == NULL ? DSCQ_NOMEM : DSCQ_OK;
}

static dscq_status make_lut(maker *k)
{
    dscq_hw_op *op;
    dscq_status status;

    DSCQ_TRY(new_op(k, DSCQ_HW_LUT, &op));
    DSCQ_TRY(copy_table(k, op));
done:
    return status;
}

static dscq_status make_lrn(maker *k)
{
    dscq_hw_op *op;
    dscq_status status;

    DSCQ_TRY(new_op(k, DSCQ_HW_LRN, &op));
    op->span = k->n->first;
    DSCQ_TRY(copy_scales(k, op, 0, 1));
    DSCQ_TRY(copy_table(k, op));
done:
    return status;
}

static dscq_status (*const k_make[DSCQ_Q_COUNT])(maker *k) = {
#define DSCQ_QOP(name, id, meaning, traits) [DSCQ_Q_##id] = make_##name,
#include "dscq/qnet/qops.def"
#undef DSCQ_QOP
};

/* ---- residual sums inside the convolution ------------------------------- */

static int32_t uses_of(const dscq_qmodel *q, int32_t tensor)
{
    int32_t n = 0;

    for (int32_t i = 0; i < q->output_count; i++)
        n += q->output[i].tensor == tensor;
    for (int32_t i = 0; i < q->node_count; i++)
        for (int32_t k = 0; k < q->node[i].input_count; k++)
            n += q->node[i].input[k] == tensor;
    return n;
}

/* The convolution, made just before, whose output is one side of this sum and is used
 * nowhere else: the sum then costs no pass of its own. */
static int join_residual(maker *k)
{
    const dscq_qnode *n = k->n;
    const dscq_qmodel *q = k->l->q;
    dscq_program *p = k->l->p;

    if (!k->l->m->schedule.epilogue || n->op != DSCQ_Q_ADD || n->input_count != 2 ||
        p->op_count == 0 || n->input[0] == n->input[1])
        return 0;
    dscq_hw_op *op = &p->op[p->op_count - 1];
    const int side = op->out == n->input[0] ? 0 : 1;
    if (op->out != n->input[side] || op->has_residual || uses_of(q, op->out) != 1 ||
        (op->mode != DSCQ_HW_BROADCAST && op->mode != DSCQ_HW_DEPTHWISE))
        return 0;
    const dscq_qtensor *own = &q->tensor[op->out], *other = &q->tensor[n->input[!side]];
    op->has_residual = 1;
    op->in[1] = n->input[!side];
    op->in_count = 2;
    op->res_m_self = n->mult[side];
    op->res_m_other = n->mult[!side];
    op->res_shift = n->shift[0];
    op->res_zero_self = own->zero_point;
    op->res_zero_other = other->zero_point;
    op->res_zero_out = q->tensor[n->output].zero_point;
    op->res_lo = n->clamp_lo;
    op->res_hi = n->clamp_hi;
    op->res_is_leaky = n->is_leaky;
    op->res_slope_q15 = n->slope_q15;
    op->out = n->output;
    return 1;
}

dscq_status lower__make_ops(lowering *l)
{
    dscq_status status = DSCQ_OK;

    for (int32_t i = 0; i < l->q->node_count; i++) {
        maker k = {l, &l->q->node[i], i};
        if (!join_residual(&k))
            DSCQ_TRY(k_make[l->q->node[i].op](&k));
    }
done:
    return status;
}

/* ---- rows and columns --------------------------------------------------- */

typedef struct axis {
    int32_t kernel, stride, pad, dilation, in, out;
} axis;

static void range(const dscq_hw_op *op, int32_t i, axis x, int32_t a, int32_t b,
                  int32_t *lo, int32_t *hi)
{
    switch (op->mode) {
    case DSCQ_HW_BROADCAST:
    case DSCQ_HW_DEPTHWISE:
    case DSCQ_HW_MAXPOOL:
    case DSCQ_HW_AVGPOOL:
        if (i == 1) { /* the residual's other side */
            *lo = a;
            *hi = b;
            break;
        }
        *lo = a * x.stride - x.pad;
        *hi = (b - 1) * x.stride - x.pad + (x.kernel - 1) * x.dilation + 1;
        break;
    case DSCQ_HW_COPY:
        if (op->factor_down > 1) {
            *lo = a * op->factor_down;
            *hi = b * op->factor_down;
        } else {
            *lo = a / op->factor_up - x.pad;
            *hi = (b - 1) / op->factor_up - x.pad + 1;
        }
        break;
    default:
        *lo = x.in == x.out ? a : 0;
        *hi = x.in == x.out ? b : x.in;
        break;
    }
    *lo = *lo < 0 ? 0 : *lo;
    *hi = *hi > x.in ? x.in : *hi;
    *lo = *lo > x.in ? x.in : *lo;
    *hi = *hi < *lo ? *lo : *hi;
}

void lower__rows(const dscq_program *p, int32_t op, int32_t i, int32_t a, int32_t b,
                 int32_t *lo, int32_t *hi)
{
    const dscq_hw_op *o = &p->op[op];
    const axis x = {o->kernel_h,   o->stride_h,           o->pad_top,
                    o->dilation_h, p->tensor[o->in[i]].h, p->tensor[o->out].h};

    range(o, i, x, a, b, lo, hi);
}

void lower__columns(const dscq_program *p, int32_t op, int32_t i, int32_t a, int32_t b,
                    int32_t *lo, int32_t *hi)
{
    const dscq_hw_op *o = &p->op[op];
    const axis x = {o->kernel_w,   o->stride_w,           o->pad_left,
                    o->dilation_w, p->tensor[o->in[i]].w, p->tensor[o->out].w};

    range(o, i, x, a, b, lo, hi);
}
