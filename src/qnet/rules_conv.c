/* What a convolution demands of its node and its weights. */
#include "rules.h"

static dscq_status check_book(const qnet_rule *c, const dscq_qweights *w)
{
    if (w->bits < 1 || w->bits > 8 || w->codebook_count < 1 ||
        w->codebook_count > 1 << w->bits)
        return qnet__refuse(c, "codebook of %d entries for %d-bit codes",
                            w->codebook_count, w->bits);
    if (w->codebook[0] != 0)
        return qnet__refuse(c, "codebook entry 0 is %d; it must be 0", w->codebook[0]);
    for (int32_t i = 1; i < w->codebook_count; i++)
        for (int32_t j = 0; j < i; j++)
            if (w->codebook[i] == w->codebook[j])
                return qnet__refuse(c, "codebook entries %d and %d are both %d", j, i,
                                    w->codebook[i]);
    return DSCQ_OK;
}

static int in_book(const dscq_qweights *w, int32_t v)
{
    for (int32_t i = 0; i < w->codebook_count; i++)
        if (w->codebook[i] == v)
            return 1;
    return 0;
}

/* One bit per 16-bit value: which values the weights may take. */
static dscq_status check_values_in_book(const qnet_rule *c, const dscq_qweights *w)
{
    uint8_t near[256] = {0};

    for (int32_t v = -128; v < 128; v++)
        near[v + 128] = (uint8_t)in_book(w, v);
    for (size_t i = 0; i < w->count; i++) {
        const int32_t v = w->value[i];
        if (v >= -128 && v < 128 ? !near[v + 128] : !in_book(w, v))
            return qnet__refuse(c, "weight %zu is %d, which is not in the codebook", i,
                                v);
    }
    return DSCQ_OK;
}

static dscq_status check_linear(const qnet_rule *c, const dscq_qweights *w)
{
    if ((w->bits < 1 || w->bits > 8) && w->bits != 16)
        return qnet__refuse(c, "%d-bit linear weights; want 1 to 8 or 16", w->bits);
    return DSCQ_OK;
}

static dscq_status check_values_linear(const qnet_rule *c, const dscq_qweights *w)
{
    const int32_t top = 1 << (w->bits - 1);
    for (size_t i = 0; i < w->count; i++)
        if (w->value[i] < -top || w->value[i] >= top)
            return qnet__refuse(c, "weight %zu is %d, more than %d bits", i,
                                w->value[i], w->bits);
    return DSCQ_OK;
}

static dscq_status check_binary(const qnet_rule *c, const dscq_qweights *w)
{
    const size_t per = w->count / (size_t)w->k;

    if (w->bits != 1 || w->level == NULL || w->block_high == NULL || w->block < 1)
        return qnet__refuse(c, "binary weights without levels or blocks");
    const size_t blocks = (per + (size_t)w->block - 1) / (size_t)w->block;
    if (w->block_count != blocks * (size_t)w->k)
        return qnet__refuse(c, "%zu blocks; want %zu", w->block_count,
                            blocks * (size_t)w->k);
    for (int32_t k = 0; k < w->k; k++)
        if (w->level[k] < 1)
            return qnet__refuse(c, "level %d of channel %d; want above 0", w->level[k],
                                k);
    return DSCQ_OK;
}

static dscq_status check_values_binary(const qnet_rule *c, const dscq_qweights *w)
{
    const size_t per = w->count / (size_t)w->k;

    for (size_t i = 0; i < w->count; i++) {
        const size_t k = i / per, b = dscq_qweights_block(w, i);
        const int32_t v = w->value[i];
        if (w->block_high[b] > 1)
            return qnet__refuse(c, "block %zu: mark %d", b, w->block_high[b]);
        if (w->block_high[b] ? v < -128 || v > 127
                             : v != w->level[k] && v != -w->level[k])
            return qnet__refuse(c, "weight %zu is %d, which its block cannot hold", i,
                                v);
    }
    return DSCQ_OK;
}

static dscq_status check_weights(const qnet_rule *c)
{
    const dscq_qweights *w = c->n->weights;

    if (w == NULL || (w->value == NULL && w->packed == NULL))
        return qnet__refuse(c, "no weights");
    if (w->k < 1 || w->r < 1 || w->s < 1 || w->c < 1 || w->k > DSCQ_QNET_MAX_CHANNELS ||
        w->r > DSCQ_QNET_MAX_SIDE || w->s > DSCQ_QNET_MAX_SIDE ||
        w->c > DSCQ_QNET_MAX_CHANNELS ||
        (uint64_t)w->r * (uint64_t)w->s > DSCQ_QNET_MAX_ELEMENTS ||
        (uint64_t)w->r * (uint64_t)w->s * (uint64_t)w->c > DSCQ_QNET_MAX_ELEMENTS ||
        w->count != (uint64_t)w->r * (uint64_t)w->s * (uint64_t)w->c * (uint64_t)w->k ||
        w->count > DSCQ_QNET_MAX_ELEMENTS)
        return qnet__refuse(c, "weights of %d x %d x %d x %d", w->k, w->r, w->s, w->c);
    if (w->form == DSCQ_FORM_CODEBOOK)
        return check_book(c, w);
    if (w->form == DSCQ_FORM_LINEAR)
        return check_linear(c, w);
    if (w->form == DSCQ_FORM_BINARY)
        return check_binary(c, w);
    return qnet__refuse(c, "weight form %d is unknown", (int)w->form);
}

static dscq_status check_overflow(const qnet_rule *c)
{
    const dscq_qweights *w = c->n->weights;
    const int64_t reach = dscq_qtensor_reach(c->x);
    const size_t per = w->count / (size_t)w->k;

    for (int32_t k = 0; k < w->k; k++) {
        const int16_t *row = w->value + (size_t)k * per;
        int64_t sum = 0;
        for (size_t i = 0; i < per; i++)
            sum += row[i] < 0 ? -row[i] : row[i];
        if (sum > INT32_MAX / reach)
            return qnet__refuse(
                c,
                "channel %d: %lld * %lld may overflow the 32-bit accumulator;"
                " use fewer bits",
                k, (long long)reach, (long long)sum);
    }
    return DSCQ_OK;
}

dscq_status qnet__check_values(const dscq_qmodel *m, const dscq_qnode *n,
                               dscq_error *err)
{
    const qnet_rule c = {m, n, &m->tensor[n->input[0]], &m->tensor[n->output], err};
    const dscq_qweights *w = n->weights;
    dscq_status status;

    if (w->form == DSCQ_FORM_CODEBOOK)
        status = check_values_in_book(&c, w);
    else if (w->form == DSCQ_FORM_LINEAR)
        status = check_values_linear(&c, w);
    else
        status = check_values_binary(&c, w);
    return status != DSCQ_OK ? status : check_overflow(&c);
}

dscq_status qnet__rule_conv(const qnet_rule *c)
{
    const dscq_qnode *n = c->n;
    dscq_status status;

    DSCQ_TRY(qnet__need_inputs(c, 1));
    DSCQ_TRY(check_weights(c));
    DSCQ_TRY(qnet__need_steps(c));
    const dscq_qweights *w = n->weights;
    if (n->groups < 1 || w->k % n->groups != 0 || (int64_t)w->c * n->groups != c->x->c)
        return qnet__refuse(c, "%d groups of %d input and %d output channels from %d",
                            n->groups, w->c, w->k, c->x->c);
    DSCQ_TRY(
        qnet__need_shape(c,
                         dscq_qwindow_out(c->x->h, w->r, n->stride_h,
                                          n->pad_top + n->pad_bottom, n->dilation_h),
                         dscq_qwindow_out(c->x->w, w->s, n->stride_w,
                                          n->pad_left + n->pad_right, n->dilation_w),
                         w->k));
    DSCQ_TRY(qnet__need_scales(c, w->k));
    DSCQ_TRY(qnet__need_normal(c));
    if (n->bias == NULL)
        return qnet__refuse(c, "no bias array");
    for (int32_t k = 0; k < w->k; k++)
        if (n->bias[k] < DSCQ_QBIAS_MIN || n->bias[k] > DSCQ_QBIAS_MAX)
            return qnet__refuse(c, "bias %d of channel %d is more than 24 bits",
                                n->bias[k], k);
    DSCQ_TRY(qnet__need_clamp(c));
    DSCQ_TRY(qnet__need_leaky(c));
    if (w->value != NULL) /* packed ones were checked when they were read */
        DSCQ_TRY(qnet__check_values(c->m, n, c->err));
done:
    return status;
}
