/* engine = pipeline: the network as stages and FIFOs (docs/accelerator.md section 14).
 */
#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "dscq/hw/board.h"
#include "dscq/hw/memory.h"
#include "lower_internal.h"

#include <stdio.h>
#include <string.h>

enum { FREE_BYTES = 1 << 30, PROBE_FRAMES = 4, GROW_MOST = 64 };

/* ---- stages and FIFOs --------------------------------------------------- */

static dscq_pipe_stage *new_stage(lowering *l, dscq_pipe_kind kind, int32_t tensor,
                                  const char *prefix, const char *name)
{
    dscq_pipe *pipe = l->p->pipe;
    dscq_pipe_stage *s = &pipe->stage[pipe->stage_count++];
    const dscq_hw_tensor *t = &l->p->tensor[tensor];

    (void)snprintf(s->name, sizeof s->name, "%s%.50s", prefix, name);
    s->kind = kind;
    s->rows = t->h;
    s->tensor = tensor;
    s->cycles = 1;
    s->latency = kind >= DSCQ_PIPE_LANES ? l->m->post_latency_cycles : 0;
    s->lanes = s->vector = s->post = 1;
    s->row_bytes = (uint64_t)t->w * (uint64_t)t->c * (uint64_t)t->elem_bytes;
    return s;
}

static int is_read(const dscq_program *p, int32_t tensor)
{
    for (int32_t o = 0; o < p->op_count; o++)
        for (int32_t i = 0; i < p->op[o].in_count; i++)
            if (p->op[o].in[i] == tensor)
                return 1;
    for (int32_t i = 0; i < p->output_count; i++)
        if (p->output[i] == tensor)
            return 1;
    return 0;
}

static void make_stages(lowering *l)
{
    dscq_program *p = l->p;

    for (int32_t i = 0; i < p->input_count; i++)
        if (is_read(p, p->input[i]))
            new_stage(l, DSCQ_PIPE_LOAD, p->input[i], "load ",
                      p->tensor[p->input[i]].name);
    for (int32_t o = 0; o < p->op_count;) {
        const dscq_hw_op *op = &p->op[o];
        dscq_pipe_stage *s =
            new_stage(l, dscq_hw_has_weights(op) ? DSCQ_PIPE_LANES : DSCQ_PIPE_VECTOR,
                      op->out, "", op->name);
        s->op_first = o;
        s->layer = op->layer;
        while (o < p->op_count && p->op[o].layer == op->layer)
            o++;
        s->op_count = o - s->op_first;
    }
    for (int32_t i = 0; i < p->output_count; i++)
        new_stage(l, DSCQ_PIPE_STORE, p->output[i], "store ",
                  p->tensor[p->output[i]].name);
}

static int32_t producer(const dscq_pipe *pipe, int32_t tensor)
{
    for (int32_t i = 0; i < pipe->stage_count; i++)
        if (pipe->stage[i].kind != DSCQ_PIPE_STORE && pipe->stage[i].tensor == tensor)
            return i;
    return -1;
}

/* Rows [lo, hi) of every firing, so that they never go back. */
static dscq_status windows(lowering *l, dscq_pipe_fifo *f)
{
    const dscq_pipe_stage *to = &l->p->pipe->stage[f->to];
    int32_t had = 0, low = 0;

    f->lo = dscq_calloc((size_t)to->rows, sizeof *f->lo);
    f->hi = dscq_calloc((size_t)to->rows, sizeof *f->hi);
    if (f->lo == NULL || f->hi == NULL)
        return dscq_fail_nomem(l->err, "row windows", (size_t)to->rows * 8);
    for (int32_t n = 0; n < to->rows; n++) {
        int32_t lo = n, hi = n + 1;
        if (to->kind != DSCQ_PIPE_STORE)
            lower__rows(l->p, f->op, f->port, n, n + 1, &lo, &hi);
        hi = dscq_max32(hi, had);
        lo = dscq_max32(dscq_min32(lo, had), low);
        f->lo[n] = low = lo;
        f->hi[n] = had = hi;
    }
    f->used = had;
    return DSCQ_OK;
}

static dscq_status new_fifo(lowering *l, int32_t to, int32_t op, int32_t port,
                            int32_t tensor)
{
    dscq_pipe *pipe = l->p->pipe;
    dscq_pipe_fifo *f = &pipe->fifo[pipe->fifo_count++];

    f->from = producer(pipe, tensor);
    f->to = to;
    f->op = op;
    f->port = port;
    if (f->from < 0)
        return dscq_fail(l->err, DSCQ_UNSUPPORTED,
                         "layer '%s': nobody makes its input '%s'",
                         pipe->stage[to].name, l->p->tensor[tensor].name);
    return windows(l, f);
}

static dscq_status make_fifos(lowering *l)
{
    dscq_program *p = l->p;
    dscq_pipe *pipe = p->pipe;
    dscq_status status = DSCQ_OK;

    for (int32_t i = 0; i < pipe->stage_count; i++) {
        const dscq_pipe_stage *s = &pipe->stage[i];
        if (s->kind == DSCQ_PIPE_STORE)
            DSCQ_TRY(new_fifo(l, i, 0, 0, s->tensor));
        for (int32_t o = s->op_first; o < s->op_first + s->op_count; o++)
            for (int32_t k = 0; k < p->op[o].in_count; k++)
                DSCQ_TRY(new_fifo(l, i, o, k, p->op[o].in[k]));
    }
    for (int32_t i = 0; i < pipe->stage_count; i++) { /* load what is read */
        dscq_pipe_stage *s = &pipe->stage[i];
        int32_t used = 1;
        for (int32_t k = 0; k < pipe->fifo_count; k++)
            if (pipe->fifo[k].from == i)
                used = dscq_max32(used, pipe->fifo[k].used);
        if (s->kind == DSCQ_PIPE_LOAD)
            s->rows = used;
    }
done:
    return status;
}

/* ---- capacities (rule PL6) ---------------------------------------------- */

static int32_t inputs_of(const dscq_pipe *pipe, int32_t stage)
{
    int32_t n = 0;

    for (int32_t i = 0; i < pipe->fifo_count; i++)
        n += pipe->fifo[i].to == stage;
    return n;
}

/* Rows one firing takes on top of the one before. */
static int32_t step_of(const dscq_pipe *pipe, const dscq_pipe_fifo *f)
{
    const int32_t rows = pipe->stage[f->to].rows;
    int32_t step = rows == 1 ? f->hi[0] : 1;

    for (int32_t n = 1; n < rows; n++)
        step = dscq_max32(step, f->hi[n] - f->hi[n - 1]);
    return dscq_max32(step, 1);
}

static int32_t window_of(const dscq_pipe *pipe, const dscq_pipe_fifo *f)
{
    int32_t most = 1;

    for (int32_t n = 0; n < pipe->stage[f->to].rows; n++)
        most = dscq_max32(most, f->hi[n] - f->lo[n]);
    return most;
}

/* Rows of each stage that firing n of stage `at` needs, through every path. */
static void demand(int32_t *need, const dscq_pipe *pipe, int32_t at, int32_t n)
{
    memset(need, 0, (size_t)pipe->stage_count * sizeof *need);
    need[at] = n + 1;
    for (int32_t s = at; s >= 0; s--)
        for (int32_t i = 0; need[s] > 0 && i < pipe->fifo_count; i++) {
            const dscq_pipe_fifo *f = &pipe->fifo[i];
            if (f->to == s)
                need[f->from] = dscq_max32(need[f->from], f->hi[need[s] - 1]);
        }
}

/* need[] becomes the rows there are when the loads have brought what is needed and
 * every stage before `at` has fired as often as it can: a row goes into all FIFOs at
 * once, so what one branch asks for also fills the others. */
static void run_ahead(int32_t *need, const dscq_pipe *pipe, int32_t at)
{
    for (int32_t s = 0; s < at; s++) {
        int32_t can =
            pipe->stage[s].kind == DSCQ_PIPE_LOAD ? need[s] : pipe->stage[s].rows;
        for (int32_t i = 0; i < pipe->fifo_count; i++) {
            const dscq_pipe_fifo *f = &pipe->fifo[i];
            while (f->to == s && can > 0 && f->hi[can - 1] > need[f->from])
                can--;
        }
        need[s] = dscq_max32(need[s], can);
    }
}

/* The least that a FIFO into a join must hold while the other inputs are made. */
static void shortcut_windows(dscq_pipe *pipe, int32_t at, int32_t *least, int32_t *need)
{
    for (int32_t n = 0; n < pipe->stage[at].rows; n++) {
        demand(need, pipe, at, n);
        run_ahead(need, pipe, at);
        for (int32_t i = 0; i < pipe->fifo_count; i++) {
            const dscq_pipe_fifo *f = &pipe->fifo[i];
            if (f->to == at)
                least[i] =
                    dscq_max32(least[i], dscq_min32(need[f->from], f->used) - f->lo[n]);
        }
    }
}

static void set_rows(lowering *l, const int32_t *least, int32_t extra)
{
    dscq_pipe *pipe = l->p->pipe;

    for (int32_t i = 0; i < pipe->fifo_count; i++) {
        dscq_pipe_fifo *f = &pipe->fifo[i];
        const int join = inputs_of(pipe, f->to) > 1;
        const int32_t steps = join ? extra : l->m->fifo_rows;
        f->rows = dscq_max32(window_of(pipe, f), least[i]) + steps * step_of(pipe, f);
        if (join && l->m->shortcut_rows > 0)
            f->rows = dscq_max32(window_of(pipe, f), l->m->shortcut_rows);
    }
}

/* Cycles between the ends of the last two of a few frames; UINT64_MAX: a deadlock. */
static dscq_status probe_interval(lowering *l, uint64_t *interval)
{
    const dscq_pipe_options o = {.frames = PROBE_FRAMES};
    dscq_pipe_options with = o;
    dscq_pipe_result r;
    dscq_status status;

    *interval = UINT64_MAX;
    DSCQ_TRY(dscq_memory_create(&with.memory, l->m, l->err));
    status = dscq_pipe_run(&r, l->p->pipe, l->m, &with, l->err);
    if (status == DSCQ_FORMAT) { /* the run itself will say so if it stays */
        status = DSCQ_OK;
        goto done;
    }
    DSCQ_TRY(status);
    *interval = r.frame_end[PROBE_FRAMES - 1] - r.frame_end[PROBE_FRAMES - 2];
    dscq_pipe_result_clear(&r);
done:
    dscq_memory_destroy(with.memory);
    return status;
}

/* Joins get the fewest rows with which they hold nothing up. */
static dscq_status size_fifos(lowering *l)
{
    dscq_pipe *pipe = l->p->pipe;
    int32_t *least = dscq_calloc((size_t)pipe->fifo_count, sizeof *least);
    int32_t *need = dscq_calloc((size_t)pipe->stage_count, sizeof *need);
    uint64_t best = 0, now = 0;
    int joins = 0;
    dscq_status status = DSCQ_OK;

    if (least == NULL || need == NULL) {
        status = dscq_fail_nomem(l->err, "FIFO sizes", (size_t)pipe->fifo_count * 8);
        goto done;
    }
    for (int32_t i = 0; i < pipe->stage_count; i++)
        if (inputs_of(pipe, i) > 1) {
            joins = 1;
            shortcut_windows(pipe, i, least, need);
        }
    set_rows(l, least, l->m->fifo_rows);
    if (!joins || l->m->shortcut_rows > 0)
        goto done;
    set_rows(l, least, GROW_MOST);
    DSCQ_TRY(probe_interval(l, &best));
    for (int32_t extra = l->m->fifo_rows; extra <= GROW_MOST; extra *= 2) {
        set_rows(l, least, extra);
        DSCQ_TRY(probe_interval(l, &now));
        if (now != UINT64_MAX && now <= best + best / 1000)
            break;
    }
done:
    dscq_free(least);
    dscq_free(need);
    return status;
}

/* ---- weights, rings, places --------------------------------------------- */

static dscq_status make_weights(lowering *l)
{
    const dscq_machine *whole = l->m;
    dscq_status status = DSCQ_OK;

    for (int32_t i = 0; i < l->p->pipe->stage_count; i++) {
        dscq_pipe_stage *s = &l->p->pipe->stage[i];
        if (s->kind != DSCQ_PIPE_LANES)
            continue;
        dscq_machine one = *whole; /* the stage is an array of its own */
        one.multipliers = s->lanes * s->vector;
        one.lanes.count = 1;
        one.lanes.v[0] = s->lanes;
        one.schedule.lanes = s->lanes;
        one.acc_rows = FREE_BYTES;
        one.weight_bytes = FREE_BYTES;
        l->m = &one;
        s->wtile_first = l->p->wtile_count;
        status = lower__make_conv(l, s->op_first);
        l->m = whole;
        if (status != DSCQ_OK)
            break;
        s->wtile_count = l->p->wtile_count - s->wtile_first;
    }
    return status;
}

static dscq_status new_ring(lowering *l, int32_t tensor, int32_t rows, int64_t *at,
                            int32_t *out)
{
    dscq_program *p = l->p;
    const dscq_hw_tensor *t = &p->tensor[tensor];
    const int64_t line = (int64_t)t->w * t->elem_bytes, row = line * t->c;

    if (row > INT32_MAX / 4 || row * rows > INT32_MAX)
        return dscq_fail(
            l->err, DSCQ_UNSUPPORTED,
            "layer '%s': %d rows of %lld bytes are more than a line buffer "
            "can hold",
            t->name, rows, (long long)row);
    *out = p->ring_count;
    p->ring[p->ring_count++] = (dscq_hw_ring){.tensor = tensor,
                                              .rows = rows,
                                              .width = t->w,
                                              .c_count = t->c,
                                              .base = *at,
                                              .line_bytes = (int32_t)line,
                                              .row_bytes = (int32_t)row};
    *at += row * rows;
    return DSCQ_OK;
}

static dscq_status make_rings(lowering *l)
{
    dscq_program *p = l->p;
    dscq_pipe *pipe = p->pipe;
    int64_t at = 0;
    dscq_status status = DSCQ_OK;

    dscq_free(p->ring);
    p->ring_count = 0;
    p->ring =
        dscq_calloc((size_t)(pipe->stage_count + pipe->fifo_count), sizeof *p->ring);
    if (p->ring == NULL)
        return dscq_fail_nomem(l->err, "rings", 1024);
    for (int32_t i = 0; i < pipe->stage_count; i++)
        DSCQ_TRY(new_ring(l, pipe->stage[i].tensor, 1, &at, &pipe->stage[i].ring));
    for (int32_t i = 0; i < pipe->fifo_count; i++) {
        dscq_pipe_fifo *f = &pipe->fifo[i];
        DSCQ_TRY(new_ring(l, pipe->stage[f->from].tensor, f->rows, &at, &f->ring));
    }
    p->act_peak_bytes = at;
done:
    return status;
}

static void place_in_dram(lowering *l)
{
    dscq_program *p = l->p;
    const uint64_t align = (uint64_t)l->m->burst_bytes;
    uint64_t at = (p->image_bytes + align - 1) / align * align;

    for (int32_t i = 0; i < p->tensor_count; i++) {
        dscq_hw_tensor *t = &p->tensor[i];
        for (int32_t k = 0; k < p->input_count; k++)
            t->in_dram |= p->input[k] == i;
        for (int32_t k = 0; k < p->output_count; k++)
            t->in_dram |= p->output[k] == i;
        if (!t->in_dram)
            continue;
        t->dram_addr = at;
        t->dram_frame = (dscq_hw_tensor_bytes(t) + align - 1) / align * align;
        at += t->dram_frame * (uint64_t)p->frames;
    }
    p->dram_bytes = at;
    for (int32_t i = 0; i < p->pipe->stage_count; i++) {
        dscq_pipe_stage *s = &p->pipe->stage[i];
        s->address = p->tensor[s->tensor].dram_addr;
        s->frame_bytes = p->tensor[s->tensor].dram_frame;
    }
}

/* ---- resources ---------------------------------------------------------- */

static dscq_resources share_of(const dscq_resources *r, double logic, double block)
{
    return (dscq_resources){.dsp = (int64_t)((double)r->dsp * block),
                            .bram36 = (int64_t)((double)r->bram36 * block),
                            .uram = (int64_t)((double)r->uram * block),
                            .lut = (int64_t)((double)r->lut * logic),
                            .ff = (int64_t)((double)r->ff * logic)};
}

static dscq_status board_of(const lowering *l, low_board *out)
{
    const dscq_resources fixed = dscq_pipe_fixed_need(l->m);
    char path[DSCQ_PATH_MAX];
    dscq_board board;
    dscq_status status = DSCQ_OK;

    memset(out, 0, sizeof *out);
    out->most = (dscq_resources){INT32_MAX, INT32_MAX, 0, INT32_MAX, INT32_MAX};
    out->advised = out->most;
    if (l->m->board[0] == '\0')
        return DSCQ_OK;
    DSCQ_TRY(dscq_machine_path(path, sizeof path, l->m, "boards", l->m->board, l->err));
    DSCQ_TRY(dscq_board_load(&board, path, l->err));
    out->is_board = 1;
    out->most = dscq_board_resources(&board);
    out->advised = share_of(&out->most, board.logic_fill_frac, board.block_fill_frac);
#define X(field, text)                                                                 \
    out->most.field -= fixed.field;                                                    \
    out->advised.field -= fixed.field;
    DSCQ_RESOURCE_LIST(X)
#undef X
done:
    return status;
}

dscq_pipe_cost lower__stage_cost(const lowering *l, const dscq_pipe_stage *s)
{
    const dscq_hw_op *op = &l->p->op[s->op_first];
    dscq_pipe_cost c = {.post = s->post, .multiplies = dscq_hw_op_rescales(op)};

    if (s->kind != DSCQ_PIPE_LANES)
        return c;
    c.lanes = s->lanes;
    c.vector = s->vector;
    c.channels = l->p->tensor[op->out].c;
    for (int32_t i = s->wtile_first; i < s->wtile_first + s->wtile_count; i++) {
        const dscq_hw_wtile *t = &l->p->wtile[i];
        uint32_t longest = 0;
        c.acc_rows =
            op->mode == DSCQ_HW_DEPTHWISE ? 1 : dscq_max32(c.acc_rows, t->rows);
        c.is_wide |= dscq_hw_wtile_is_wide(l->p, t);
        c.is_dense = t->kind == DSCQ_STREAM_DENSE || t->kind == DSCQ_STREAM_BINARY;
        c.entry_bits = t->kind == DSCQ_STREAM_BINARY
                           ? 1
                           : t->bits + (t->kind == DSCQ_STREAM_GAP ? t->gap_bits : 0);
        for (int32_t k = 0; k < s->lanes; k++)
            longest = t->lane_offset[k + 1] - t->lane_offset[k] > longest
                          ? t->lane_offset[k + 1] - t->lane_offset[k]
                          : longest;
        c.depth += ceil_div(8LL * longest, c.entry_bits);
    }
    return c;
}

dscq_resources lower__fifos_need(const lowering *l, int32_t stage, int32_t lanes,
                                 int32_t vector, int32_t post)
{
    const dscq_pipe *pipe = l->p->pipe;
    dscq_resources sum = {0};

    for (int32_t i = 0; i < pipe->fifo_count; i++) {
        const dscq_pipe_fifo *f = &pipe->fifo[i];
        if (f->to != stage)
            continue;
        const dscq_hw_tensor *t = &l->p->tensor[pipe->stage[f->from].tensor];
        const dscq_pipe_stage *to = &pipe->stage[stage];
        const int64_t bytes = (int64_t)f->rows * t->w * t->c * t->elem_bytes;
        int64_t width = to->kind == DSCQ_PIPE_VECTOR ? post : 8;
        if (to->kind == DSCQ_PIPE_LANES)
            width = l->p->op[to->op_first].mode == DSCQ_HW_DEPTHWISE
                        ? (int64_t)lanes * vector
                        : vector;
        const dscq_resources r =
            dscq_pipe_fifo_need(bytes, (width > 0 ? width : 1) * t->elem_bytes);
        dscq_resources_add(&sum, &r);
    }
    return sum;
}

static void sum_needs(lowering *l, dscq_resources *total)
{
    dscq_pipe *pipe = l->p->pipe;

    memset(total, 0, sizeof *total);
    for (int32_t i = 0; i < pipe->stage_count; i++) {
        dscq_pipe_stage *s = &pipe->stage[i];
        const dscq_resources fifos =
            lower__fifos_need(l, i, s->lanes, s->vector, s->post);
        s->need = (dscq_resources){0};
        if (s->kind >= DSCQ_PIPE_LANES) {
            const dscq_pipe_cost c = lower__stage_cost(l, s);
            s->need = dscq_pipe_stage_need(&c, l->m);
        }
        dscq_resources_add(&s->need, &fifos);
        dscq_resources_add(total, &s->need);
    }
}

static int within(const dscq_resources *need, const dscq_resources *most)
{
#define X(field, text)                                                                 \
    if (need->field > most->field)                                                     \
        return 0;
    DSCQ_RESOURCE_LIST(X)
#undef X
    return 1;
}

/* ---- the whole ---------------------------------------------------------- */

static void drop_weights(dscq_program *p)
{
    for (int32_t i = 0; i < p->wtile_count; i++)
        dscq_hw_wtile_clear(&p->wtile[i]);
    p->wtile_count = 0;
    p->image_bytes = 0;
}

/* Sized by estimates, then built and counted exactly; what turns out too large is sized
 * again for less. */
static dscq_status size_and_build(lowering *l)
{
    low_board b;
    dscq_resources total;
    double interval = 0;
    dscq_status status;

    DSCQ_TRY(board_of(l, &b));
    for (int tries = 0; tries < 12; tries++) {
        const low_board now = b;
        DSCQ_TRY(lower__size_stages(l, &now, &interval));
        drop_weights(l->p);
        for (int32_t o = 0; o < l->p->op_count; o++)
            l->op[o] = (low_op){.node = l->op[o].node};
        DSCQ_TRY(make_weights(l));
        DSCQ_TRY(dscq_pipe_measure(l->p, l->m, l->err));
        DSCQ_TRY(size_fifos(l));
        sum_needs(l, &total);
        low_board whole;
        DSCQ_TRY(board_of(l, &whole));
        if (within(&total, &whole.most))
            break;
        b.most = share_of(&b.most, 0.93, 0.93); /* the estimate was too low */
        b.advised = share_of(&b.advised, 0.93, 0.93);
    }
done:
    return status;
}

static dscq_status open_pipe(lowering *l)
{
    dscq_program *p = l->p;
    int32_t inputs = 0;

    for (int32_t o = 0; o < p->op_count; o++)
        inputs += p->op[o].in_count;
    p->pipe = dscq_calloc(1, sizeof *p->pipe);
    if (p->pipe == NULL)
        return dscq_fail_nomem(l->err, "a pipeline", sizeof *p->pipe);
    p->pipe->stage =
        dscq_calloc((size_t)(p->op_count + p->input_count + p->output_count),
                    sizeof *p->pipe->stage);
    p->pipe->fifo =
        dscq_calloc((size_t)(inputs + p->output_count), sizeof *p->pipe->fifo);
    if (p->pipe->stage == NULL || p->pipe->fifo == NULL)
        return dscq_fail_nomem(l->err, "a pipeline", 4096);
    return DSCQ_OK;
}

dscq_status lower__pipeline(lowering *l, dscq_table **schedule_out)
{
    const dscq_machine *given = l->m;
    dscq_machine own = *given;
    dscq_status status;

    own.schedule.epilogue = 0; /* a sum is a stage of its own */
    own.act_banks = 1024;      /* a stage's line buffer gives a column a cycle */
    own.act_word_bytes = 64;
    own.post_entries = 4096;
    l->m = &own;
    DSCQ_TRY(lower__make_ops(l));
    DSCQ_TRY(open_pipe(l));
    make_stages(l);
    DSCQ_TRY(make_fifos(l));
    for (int32_t i = 0; i < l->p->pipe->fifo_count; i++) /* until they are sized */
        l->p->pipe->fifo[i].rows =
            window_of(l->p->pipe, &l->p->pipe->fifo[i]) +
            l->m->fifo_rows * step_of(l->p->pipe, &l->p->pipe->fifo[i]);
    place_in_dram(l); /* the probes move rows */
    DSCQ_TRY(size_and_build(l));
    DSCQ_TRY(make_rings(l));
    place_in_dram(l);
    DSCQ_TRY(dscq_program_check(l->p, l->err));
    DSCQ_TRY(dscq_pipe_check(l->p->pipe, l->err));
    if (schedule_out != NULL)
        DSCQ_TRY(lower__pipe_table(schedule_out, l, l->err));
done:
    l->m = given;
    return status;
}
