/* One row of a stage, stepped (rules PL2..PL4). Shares nothing with row.c but the
 * decoded tiles. */
#include "dscq/base/alloc.h"
#include "dscq/hw/pipeline_stepped.h"
#include "dscq/hw/stepped.h"
#include "hw_internal.h"

enum { LIMIT = 100000000 }; /* cycles: a row takes far fewer */

/* A unit that does `width` codes a cycle of `left`. */
static uint64_t spend(uint64_t left, uint64_t width)
{
    uint64_t cycles = 0;

    for (; left > 0; cycles++)
        left -= left < width ? left : width;
    return cycles;
}

/* ---- vector stages ------------------------------------------------------ */

/* Codes that one row of the operation takes, one after another. */
static uint64_t codes_of(const dscq_program *p, const dscq_hw_op *op)
{
    const dscq_hw_tensor *y = &p->tensor[op->out];
    const int32_t channels = op->mode == DSCQ_HW_COPY ? op->c_count : y->c;
    uint64_t halves = 0;

    for (int32_t x = 0; x < y->w; x++)
        for (int32_t c = 0; c < channels; c++)
            switch (op->mode) {
            case DSCQ_HW_MAXPOOL:
            case DSCQ_HW_AVGPOOL:
                for (int32_t r = 0; r < op->kernel_h; r++)
                    halves += 2 * (uint64_t)op->kernel_w;
                break;
            case DSCQ_HW_LRN: /* a square, and each neighbour: two at a time */
                halves += 1 + (uint64_t)op->span;
                break;
            default:
                halves += 2;
                break;
            }
    return halves / 2;
}

/* ---- lanes stages ------------------------------------------------------- */

/* Rule P2: whole channels side by side, or a channel in several cycles. */
static int32_t post_of(const dscq_pipe_stage *s, int32_t channels)
{
    int32_t cycles = 0;

    for (int32_t c = 0; c < channels;) {
        int32_t room = s->post;
        for (cycles++; c < channels && room >= s->vector; c++)
            room -= s->vector;
        if (s->post < s->vector) { /* one cycle is spent */
            for (int32_t left = s->vector - s->post; left > 0; left -= s->post)
                cycles++;
            c++;
        }
    }
    return cycles;
}

typedef struct row_run {
    const dscq_program *p;
    const dscq_pipe_stage *s;
    dscq_stepped_push *push;
    int32_t *post;
    int32_t pushes, vectors;
} row_run;

static void add_push(row_run *r, int32_t lanes, const uint16_t *n, int first, int last,
                     uint64_t not_before)
{
    r->push[r->pushes++] = (dscq_stepped_push){.lane1 = lanes,
                                               .g = 1,
                                               .vector = r->vectors,
                                               .is_first = first,
                                               .is_last = last,
                                               .not_before = not_before,
                                               .n = n};
}

/* The pushes of a tile that starts when all lanes are free. */
static void add_tile(row_run *r, const dscq_hw_wtile *t, const hw_decoded *d,
                     uint64_t start)
{
    const dscq_hw_op *op = &r->p->op[t->op];
    const int32_t w = r->p->tensor[op->out].w, lanes = r->s->lanes;
    const int depthwise = op->mode == DSCQ_HW_DEPTHWISE;

    for (int32_t row = 0; row < (depthwise ? t->rows : 1); row++)
        for (int32_t x = 0; x < w; x += r->s->vector) {
            int32_t channels = 0;
            if (depthwise) {
                for (int32_t l = 0; l < lanes; l++)
                    channels += t->channel[row * lanes + l] >= 0;
                add_push(r, channels, d->work + row * d->active, 1, 1, start);
            } else {
                channels = t->m_count;
                for (int32_t k = 0; k < d->columns; k++)
                    add_push(r, d->active, d->work + k * d->active, k == 0,
                             k + 1 == d->columns, start);
            }
            r->post[r->vectors++] = post_of(r->s, channels);
        }
}

static dscq_status room_for(row_run *r, hw_decoded *const *d, dscq_error *err)
{
    size_t pushes = 0, vectors = 0;

    for (int32_t i = 0; i < r->s->wtile_count; i++) {
        const dscq_hw_wtile *t = &r->p->wtile[r->s->wtile_first + i];
        const size_t n = (size_t)t->rows * (size_t)r->p->tensor[r->s->tensor].w;
        vectors += n;
        pushes += n * (size_t)d[i]->columns;
    }
    r->push = dscq_calloc(pushes, sizeof *r->push);
    r->post = dscq_calloc(vectors, sizeof *r->post);
    return r->push == NULL || r->post == NULL
               ? dscq_fail_nomem(err, "a stepped row", pushes * sizeof *r->push)
               : DSCQ_OK;
}

/* A tile begins when the lanes are done with the one before: run to find out when. */
static dscq_status run_tiles(uint64_t *cycles, row_run *r, hw_decoded *const *d,
                             const dscq_machine *m, dscq_error *err)
{
    const dscq_hw_op *op = &r->p->op[r->s->op_first];
    const int32_t depth = op->mode == DSCQ_HW_DEPTHWISE ? m->row_queue : m->queue_depth;
    dscq_stepped_result out = {0};
    dscq_status status = DSCQ_OK;

    for (int32_t i = 0; i < r->s->wtile_count; i++) {
        add_tile(r, &r->p->wtile[r->s->wtile_first + i], d[i], out.lanes_end);
        DSCQ_TRY(dscq_stepped_run(&out, r->push, r->pushes, r->post, r->vectors,
                                  r->s->lanes, depth, m->acc_banks, 0, LIMIT, err));
    }
    *cycles += out.post_end > out.lanes_end ? out.post_end : out.lanes_end;
done:
    return status;
}

static dscq_status lanes_row(uint64_t *cycles, const dscq_program *p,
                             const dscq_pipe_stage *s, const dscq_machine *m,
                             dscq_error *err)
{
    hw_decoded **d = dscq_calloc((size_t)s->wtile_count, sizeof *d);
    row_run r = {.p = p, .s = s};
    dscq_status status = DSCQ_OK;

    if (d == NULL)
        return dscq_fail_nomem(err, "decoded weights", (size_t)s->wtile_count * 8);
    for (int32_t i = 0; i < s->wtile_count; i++)
        DSCQ_TRY(hw__decode(&d[i], p, &p->wtile[s->wtile_first + i], 1, 0, err));
    DSCQ_TRY(room_for(&r, d, err));
    DSCQ_TRY(run_tiles(cycles, &r, d, m, err));
done:
    for (int32_t i = 0; i < s->wtile_count; i++)
        hw__decoded_destroy(d[i]);
    dscq_free(d);
    dscq_free(r.push);
    dscq_free(r.post);
    return status;
}

dscq_status dscq_pipe_stepped_row(uint64_t *cycles, const dscq_program *p,
                                  int32_t stage, const dscq_machine *m, dscq_error *err)
{
    const dscq_pipe_stage *s = &dscq_program_pipe(p)->stage[stage];

    *cycles = (uint64_t)m->command_cycles;
    if (s->kind == DSCQ_PIPE_LANES)
        return lanes_row(cycles, p, s, m, err);
    for (int32_t o = s->op_first; o < s->op_first + s->op_count; o++)
        *cycles += spend(codes_of(p, &p->op[o]), (uint64_t)s->post);
    return DSCQ_OK;
}
