#include "dscq/hw/program.h"

#include "dscq/base/alloc.h"
#include "dscq/hw/engine.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const k_modes[] = {
#define X(name, id, text) #name,
    DSCQ_HW_MODE_LIST(X)
#undef X
};

static const char *const k_streams[] = {
#define X(name, id, text) #name,
    DSCQ_STREAM_LIST(X)
#undef X
};

static const char *const k_tokens[] = {
#define X(name, id, text) #name,
    DSCQ_TOKEN_LIST(X)
#undef X
};

const char *dscq_hw_mode_name(int mode)
{
    assert(mode >= 0 && mode < DSCQ_HW_MODE_COUNT);
    return k_modes[mode];
}

const char *dscq_stream_name(int kind)
{
    assert(kind >= 0 && kind < DSCQ_STREAM_COUNT);
    return k_streams[kind];
}

const char *dscq_token_name(int token)
{
    assert(token >= 0 && token < DSCQ_TOKEN_COUNT);
    return k_tokens[token];
}

dscq_status dscq_program_create(dscq_program **out, const dscq_engine *engine,
                                dscq_error *err)
{
    *out = dscq_calloc(1, sizeof **out);
    if (*out == NULL)
        return dscq_fail_nomem(err, "a program", sizeof **out);
    (*out)->engine = engine;
    return DSCQ_OK;
}

void dscq_hw_wtile_clear(dscq_hw_wtile *w)
{
    dscq_free(w->channel);
    dscq_free(w->level);
    dscq_free(w->lane_offset);
}

void dscq_program_destroy(dscq_program *p)
{
    if (p == NULL)
        return;
    for (int32_t i = 0; p->op != NULL && i < p->op_count; i++) {
        dscq_free(p->op[i].mult);
        dscq_free(p->op[i].shift);
        dscq_free(p->op[i].bias);
        dscq_free(p->op[i].scale_key);
        dscq_free(p->op[i].table);
    }
    for (int32_t i = 0; p->wtile != NULL && i < p->wtile_count; i++)
        dscq_hw_wtile_clear(&p->wtile[i]);
    for (int u = 0; u < DSCQ_UNIT_COUNT; u++)
        dscq_free(p->queue[u]);
    if (p->engine->destroy_own != NULL)
        p->engine->destroy_own(p->own);
    dscq_free(p->tensor);
    dscq_free(p->ring);
    dscq_free(p->op);
    dscq_free(p->wtile);
    dscq_free(p->layer_name);
    dscq_free(p->image);
    dscq_free(p);
}

DSCQ_PRINTF(2, 3)
static dscq_status refuse(dscq_error *err, const char *fmt, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return dscq_fail(err, DSCQ_FORMAT, "program: %s", text);
}

static int inside(int64_t v, int64_t lo, int64_t end)
{
    return v >= lo && v < end;
}

static dscq_status check_tensor(const dscq_program *p, int32_t i, dscq_error *err)
{
    const dscq_hw_tensor *t = &p->tensor[i];

    if (t->h < 1 || t->w < 1 || t->c < 1 || (int64_t)t->h * t->w > INT32_MAX ||
        (t->elem_bytes != 1 && t->elem_bytes != 2) || t->bits < 1 || t->bits > 16 ||
        (t->bits > 8) != (t->elem_bytes == 2))
        return refuse(err, "tensor %d (%s): bad shape or width", i, t->name);
    const uint64_t bytes = dscq_hw_tensor_bytes(t);
    if (t->in_dram &&
        (t->dram_addr > p->dram_bytes || bytes > p->dram_bytes - t->dram_addr ||
         (p->frames > 1 && t->dram_frame * (uint64_t)(p->frames - 1) >
                               p->dram_bytes - t->dram_addr - bytes)))
        return refuse(err, "tensor %d (%s): beyond the end of DRAM", i, t->name);
    return DSCQ_OK;
}

static dscq_status check_ring(const dscq_program *p, int32_t i, dscq_error *err)
{
    const dscq_hw_ring *r = &p->ring[i];

    if (!inside(r->tensor, 0, p->tensor_count))
        return refuse(err, "ring %d: no tensor %d", i, r->tensor);
    const dscq_hw_tensor *t = &p->tensor[r->tensor];
    if (r->rows < 1 || (r->rows > t->h && !p->engine->rings_span_frames) || r->x0 < 0 ||
        r->width < 1 || r->x0 + r->width > t->w || r->c0 < 0 || r->c_count < 1 ||
        r->c0 + r->c_count > t->c || r->base < 0 ||
        r->line_bytes < r->width * t->elem_bytes ||
        r->row_bytes < (int64_t)r->c_count * r->line_bytes)
        return refuse(err, "ring %d of %s: bad geometry", i, t->name);
    return DSCQ_OK;
}

static dscq_status check_op(const dscq_program *p, int32_t i, dscq_error *err)
{
    const dscq_hw_op *o = &p->op[i];

    if (!inside(o->mode, 0, DSCQ_HW_MODE_COUNT) ||
        !inside(o->out, 0, p->tensor_count) ||
        !inside(o->in_count, 1, DSCQ_OP_INPUTS + 1) ||
        !inside(o->layer, 0, p->layer_count))
        return refuse(err, "operation %d: bad reference", i);
    for (int32_t k = 0; k < o->in_count; k++)
        if (!inside(o->in[k], 0, p->tensor_count))
            return refuse(err, "operation %d (%s): no tensor %d", i, o->name, o->in[k]);
    if (o->kernel_h < 1 || o->kernel_w < 1 || o->stride_h < 1 || o->stride_w < 1 ||
        o->dilation_h < 1 || o->dilation_w < 1 || o->factor_up < 1 ||
        o->factor_down < 1 || o->lanes < 1 || o->vector < 1)
        return refuse(err, "operation %d (%s): bad geometry", i, o->name);
    return DSCQ_OK;
}

static dscq_status check_wtile(const dscq_program *p, int32_t i, dscq_error *err)
{
    const dscq_hw_wtile *w = &p->wtile[i];

    if (!inside(w->op, 0, p->op_count))
        return refuse(err, "weight tile %d: no operation %d", i, w->op);
    const dscq_hw_op *o = &p->op[w->op];
    const int32_t m = p->tensor[o->out].c, c = p->tensor[o->in[0]].c;
    if (!inside(w->m_first, 0, m) || w->m_count < 1 || w->m_first + w->m_count > m ||
        !inside(w->c_first, 0, c) || w->c_count < 1 || w->c_first + w->c_count > c ||
        w->channel == NULL || w->lane_offset == NULL || w->rows < 1 ||
        (int64_t)w->rows * o->lanes < w->m_count || w->dram_addr > p->image_bytes ||
        w->stream_bytes > p->image_bytes - w->dram_addr)
        return refuse(err, "weight tile %d of %s: bad range", i, o->name);
    for (int32_t l = 0; l < o->lanes; l++)
        if (w->lane_offset[l] > w->lane_offset[l + 1] ||
            w->lane_offset[l + 1] > w->stream_bytes)
            return refuse(err, "weight tile %d of %s: bad lane %d", i, o->name, l);
    for (int64_t k = 0; k < (int64_t)w->rows * o->lanes; k++)
        if (w->channel[k] != -1 &&
            !inside(w->channel[k], w->m_first, w->m_first + w->m_count))
            return refuse(err, "weight tile %d of %s: bad channel", i, o->name);
    return DSCQ_OK;
}

static dscq_status check_compute(const dscq_program *p, const dscq_hw_cmd *c, size_t i,
                                 dscq_error *err)
{
    const dscq_hw_op *o = &p->op[c->op];
    const dscq_hw_ring *r = &p->ring[c->ring];
    const int has_weights = dscq_hw_has_weights(o);

    if (r->tensor != o->out || c->first >= c->last || c->first < 0 ||
        c->last > (int64_t)r->width * p->tensor[o->out].h)
        return refuse(err, "compute command %zu (%s): bad range", i, o->name);
    if (has_weights != (c->wtile >= 0) ||
        (has_weights && p->wtile[c->wtile].op != c->op))
        return refuse(err, "compute command %zu (%s): bad weight tile", i, o->name);
    for (int32_t k = 0; k < o->in_count; k++)
        if (!inside(c->ring_in[k], 0, p->ring_count) ||
            p->ring[c->ring_in[k]].tensor != o->in[k])
            return refuse(err, "compute command %zu (%s): bad input ring", i, o->name);
    return DSCQ_OK;
}

static dscq_status check_cmd(const dscq_program *p, int u, size_t i, dscq_error *err)
{
    const dscq_hw_cmd *c = &p->queue[u][i];

    if (c->unit != u || !inside(c->op, 0, p->op_count) ||
        !inside(c->frame, 0, p->frames) || !inside(c->wtile, -1, p->wtile_count))
        return refuse(err, "%s command %zu: bad reference", dscq_unit_name(u), i);
    if (u != DSCQ_UNIT_LOAD_WEIGHT && !inside(c->ring, 0, p->ring_count))
        return refuse(err, "%s command %zu: no ring %d", dscq_unit_name(u), i, c->ring);
    if (u == DSCQ_UNIT_COMPUTE)
        return check_compute(p, c, i, err);
    if (i > 0 && c->ticket <= p->queue[u][i - 1].ticket)
        return refuse(err, "%s command %zu: tickets do not rise", dscq_unit_name(u), i);
    if (u == DSCQ_UNIT_LOAD_WEIGHT)
        return c->wtile >= 0 ? DSCQ_OK
                             : refuse(err, "load_weight command %zu: no tile", i);
    const dscq_hw_tensor *t = &p->tensor[p->ring[c->ring].tensor];
    if (!t->in_dram || c->first < 0 || c->first >= c->last || c->last > t->h ||
        c->last - c->first > p->ring[c->ring].rows)
        return refuse(err, "%s command %zu: bad rows", dscq_unit_name(u), i);
    return DSCQ_OK;
}

dscq_status dscq_program_check(const dscq_program *p, dscq_error *err)
{
    dscq_status status = DSCQ_OK;
    size_t dma = 0;

    if (p->frames < 1 || p->layer_count < 1 || p->image_bytes > p->dram_bytes)
        return refuse(err, "empty");
    for (int32_t i = 0; i < p->tensor_count; i++)
        DSCQ_TRY(check_tensor(p, i, err));
    for (int32_t i = 0; i < p->ring_count; i++)
        DSCQ_TRY(check_ring(p, i, err));
    for (int32_t i = 0; i < p->op_count; i++)
        DSCQ_TRY(check_op(p, i, err));
    for (int32_t i = 0; i < p->wtile_count; i++)
        DSCQ_TRY(check_wtile(p, i, err));
    for (int u = 0; u < DSCQ_UNIT_COUNT; u++) {
        dma += u == DSCQ_UNIT_COMPUTE ? 0 : p->queue_count[u];
        for (size_t i = 0; i < p->queue_count[u]; i++)
            DSCQ_TRY(check_cmd(p, u, i, err));
    }
    if (dma != p->ticket_count)
        return refuse(err, "%zu transfers but %u tickets", dma, p->ticket_count);
    for (int32_t i = 0; i < p->input_count; i++)
        if (!p->tensor[p->input[i]].in_dram)
            return refuse(err, "input %d is not in DRAM", i);
    for (int32_t i = 0; i < p->output_count; i++)
        if (!p->tensor[p->output[i]].in_dram)
            return refuse(err, "output %d is not in DRAM", i);
    if (p->engine->check_own != NULL)
        DSCQ_TRY(p->engine->check_own(p, err));
done:
    return status;
}
