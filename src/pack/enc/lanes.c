/* lanes: what the array's weight memory holds. Lane l owns the output channels m with
 * m mod L = l; its stream walks the columns (kernel row, kernel column, input channel)
 * and inside a column its own channels ascending, as (zeros before, code) pairs with
 * fillers. After Han et al. 2016 (EIE), section 4. arg = L + 65536 * bits of a gap. */
#include "enc/encoding.h"

enum { LANES_MAX = 1024, LANES_DEFAULT = 64, GAP_MIN = 1, GAP_MAX = 12 };

static int fits(const dscq_qweights *l)
{
    return l->form != DSCQ_FORM_BINARY;
}

/* Calls `each` for the weights of a lane in stream order. */
typedef struct lane_walk {
    size_t per, column, k, lanes, lane;
} lane_walk;

static void walk_start(lane_walk *w, const dscq_qweights *l, size_t lanes, size_t lane)
{
    *w = (lane_walk){l->count / (size_t)l->k, 0, lane, lanes, lane};
}

/* OHWI index of the next weight, or SIZE_MAX. */
static size_t walk_next(lane_walk *w, const dscq_qweights *l)
{
    if (w->k >= (size_t)l->k) {
        w->k = w->lane;
        w->column++;
    }
    if (w->column >= w->per || w->k >= (size_t)l->k)
        return SIZE_MAX;
    const size_t at = w->k * w->per + w->column;
    w->k += w->lanes;
    return at;
}

static void count_fillers(uint64_t fillers[GAP_MAX + 1], const dscq_qweights *l,
                          const uint16_t *code, size_t lanes)
{
    for (size_t lane = 0; lane < lanes; lane++) {
        lane_walk w;
        size_t run = 0, at;
        walk_start(&w, l, lanes, lane);
        while ((at = walk_next(&w, l)) != SIZE_MAX) {
            run++;
            if (code[at] == 0)
                continue;
            for (int g = GAP_MIN; g <= GAP_MAX; g++)
                fillers[g] += (run - 1) >> g;
            run = 0;
        }
    }
}

static dscq_status cost(dscq_pack_size *out, int32_t *arg, const dscq_qweights *l,
                        const uint16_t *code, dscq_error *err)
{
    uint64_t fillers[GAP_MAX + 1] = {0}, best = UINT64_MAX;
    const uint64_t b = (uint64_t)l->bits, nnz = pack__nonzero(code, l->count);
    int32_t lanes = *arg & 0xffff;
    int32_t gap = GAP_MIN;

    (void)err;
    if (lanes < 1 || lanes > LANES_MAX)
        lanes = LANES_DEFAULT;
    count_fillers(fillers, l, code, (size_t)lanes);
    for (int g = GAP_MIN; g <= GAP_MAX; g++)
        if ((nnz + fillers[g]) * (b + (uint64_t)g) < best) {
            best = (nnz + fillers[g]) * (b + (uint64_t)g);
            gap = g;
        }
    *arg = lanes | gap << 16;
    out->values = nnz * b;
    out->positions = best - out->values + (uint64_t)lanes * 32; /* pairs a lane */
    out->padding = (8 - best % 8) % 8;
    return DSCQ_OK;
}

/* Pairs of one lane; b NULL: only counted. */
static uint32_t put_lane(dscq_buf *b, const dscq_qweights *l, int32_t arg,
                         const uint16_t *code, size_t lane)
{
    const unsigned g = (unsigned)arg >> 16;
    const size_t full = ((size_t)1 << g) - 1;
    lane_walk w;
    size_t run = 0, at;
    uint32_t pairs = 0;

    walk_start(&w, l, (size_t)arg & 0xffff, lane);
    while ((at = walk_next(&w, l)) != SIZE_MAX) {
        if (code[at] == 0) {
            run++;
            continue;
        }
        for (;; run -= full + 1) {
            const int filler = run > full;
            pairs++;
            if (b != NULL) {
                dscq_put_bits(b, (uint32_t)(filler ? full : run), g);
                dscq_put_bits(b, filler ? 0 : code[at], (unsigned)l->bits);
            }
            if (!filler)
                break;
        }
        run = 0;
    }
    return pairs;
}

static dscq_status encode(dscq_buf *b, const dscq_qweights *l, int32_t arg,
                          const uint16_t *code, dscq_error *err)
{
    const size_t lanes = (size_t)arg & 0xffff;

    (void)err;
    for (size_t lane = 0; lane < lanes; lane++)
        dscq_put_u(b, put_lane(NULL, l, arg, code, lane), 4);
    for (size_t lane = 0; lane < lanes; lane++)
        (void)put_lane(b, l, arg, code, lane);
    (void)dscq_put_bits_end(b);
    return DSCQ_OK;
}

static void read_lane(uint16_t *code, const dscq_qweights *l, int32_t arg, size_t lane,
                      uint32_t pairs, dscq_bits *b, dscq_reader *r)
{
    const unsigned g = (unsigned)arg >> 16, bits = (unsigned)l->bits;
    const uint32_t full = (1U << g) - 1;
    lane_walk w;
    int filler = 0;

    walk_start(&w, l, (size_t)arg & 0xffff, lane);
    for (uint32_t i = 0; i < pairs; i++) {
        const uint32_t pair = dscq_bits_get(b, g + bits);
        const uint32_t gap = pair & full, v = pair >> g;
        size_t at = walk_next(&w, l);
        for (uint32_t j = 0; j < gap && at != SIZE_MAX; j++)
            at = walk_next(&w, l);
        filler = v == 0;
        if (at == SIZE_MAX || (filler && gap != full)) {
            dscq_get_fail(r, "lane pairs");
            return;
        }
        code[at] = (uint16_t)v;
    }
    if (filler)
        dscq_get_fail(r, "lane pairs end with a filler");
}

static dscq_status decode(uint16_t *code, const dscq_qweights *l, int32_t arg,
                          dscq_reader *r, dscq_error *err)
{
    const size_t lanes = (size_t)arg & 0xffff;
    const unsigned g = (unsigned)arg >> 16;
    dscq_bits b;

    (void)err;
    if (lanes < 1 || lanes > LANES_MAX || g < GAP_MIN || g > GAP_MAX)
        dscq_get_fail(r, "lanes or gap bits");
    const uint8_t *pairs =
        dscq_get_bytes(r, r->bad != NULL ? 0 : lanes * 4, "lane table");
    if (r->bad != NULL)
        return DSCQ_OK;
    memset(code, 0, l->count * sizeof *code);
    dscq_bits_init(&b, r->buf + r->pos, r->len - r->pos);
    for (size_t lane = 0; lane < lanes && r->bad == NULL; lane++) {
        dscq_reader one = {pairs + lane * 4, 4, 0, NULL};
        read_lane(code, l, arg, lane, (uint32_t)dscq_get_u(&one, 4, "pairs"), &b, r);
    }
    pack__bits_check(r, &b, "lane pairs");
    return DSCQ_OK;
}

const pack_encoding pack__enc_lanes = {
    .info = {"lanes", "column-major (zeros before, code) stream of every array lane",
             DSCQ_PACK_COMPARE, 1.0, 0,
             "each lane reads its own stream, no reordering"},
    .fits = fits,
    .cost = cost,
    .encode = encode,
    .decode = decode,
    .arg_min = 1,
    .arg_max = LANES_MAX + GAP_MAX * 65536,
};
