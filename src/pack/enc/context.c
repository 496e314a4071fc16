/*
 * context: adaptive binary arithmetic coding with contexts from the neighbourhood, in
 * the spirit of DeepCABAC (Wiedemann et al. 2020): significance, sign, greater-than-1
 * and -2 flags, remainder by a binary tree. Unlike DeepCABAC the probabilities come
 * from counting states, and the contexts include how dense the weight's input column
 * and output row have been so far: pruning works on both. arg: 0 neighbours only
 * (small layers), 1 densities too.
 *
 * docs/format.md section 6.10 is the definition; encoder and decoder share one walk.
 */
#include "arith.h"
#include "dscq/base/alloc.h"
#include "dscq/pack/pack.h"
#include "enc/encoding.h"

#include <math.h>
#include <stdlib.h>

enum {
    LEVELS = 5, /* density classes */
    SIG = LEVELS * LEVELS * 3,
    TREE = 256,
    CODES_MAX = 256
};

/* ---- symbols: a code as sign and rank of its magnitude ---- */

typedef struct alphabet {
    int32_t top[2];              /* ranks on the positive and negative side */
    uint16_t code[2][CODES_MAX]; /* [side][rank - 1], codebooks only        */
    uint16_t rank[CODES_MAX];    /* of a code                               */
    uint8_t side[CODES_MAX];
    int32_t bits; /* linear codes: two's complement          */
    int is_book;
} alphabet;

static void rank_side(alphabet *a, const dscq_qweights *l, int side)
{
    int32_t n = 0;

    for (int32_t i = 1; i < l->codebook_count; i++) {
        const int32_t v = side ? -l->codebook[i] : l->codebook[i];
        if (v <= 0)
            continue;
        int32_t at = n++;
        for (; at > 0 && abs(l->codebook[a->code[side][at - 1]]) > v; at--)
            a->code[side][at] = a->code[side][at - 1];
        a->code[side][at] = (uint16_t)i;
    }
    a->top[side] = n;
    for (int32_t i = 0; i < n; i++) {
        a->rank[a->code[side][i]] = (uint16_t)(i + 1);
        a->side[a->code[side][i]] = (uint8_t)side;
    }
}

static void alphabet_init(alphabet *a, const dscq_qweights *l)
{
    memset(a, 0, sizeof *a);
    a->bits = l->bits;
    a->is_book = l->form == DSCQ_FORM_CODEBOOK;
    if (a->is_book) {
        rank_side(a, l, 0);
        rank_side(a, l, 1);
    } else {
        a->top[0] = (1 << (l->bits - 1)) - 1;
        a->top[1] = 1 << (l->bits - 1);
    }
}

static inline void split(const alphabet *a, uint32_t code, unsigned *side,
                         uint32_t *rank)
{
    if (a->is_book) {
        *side = a->side[code];
        *rank = a->rank[code];
    } else {
        *side = code >> (a->bits - 1) & 1;
        *rank = *side ? (1U << a->bits) - code : code;
    }
}

/* ---- the model ---- */

typedef struct model {
    arith_bin sig[SIG];
    arith_bin sign[9];
    arith_bin gt1[6], gt2[6];
    arith_bin tree[2][TREE];
    alphabet a;
    uint16_t
        *column; /* density of each weight position over output channels, 1/65536 */
    uint8_t *sign_up; /* sign seen last at each position: 0 none, 1 +, 2 - */
    uint32_t mean;    /* density of the layer so far */
} model;

static void model_init(model *m)
{
    arith_bins(m->sig, SIG);
    arith_bins(m->sign, 9);
    arith_bins(m->gt1, 6);
    arith_bins(m->gt2, 6);
    arith_bins(m->tree[0], TREE);
    arith_bins(m->tree[1], TREE);
    m->mean = 32768;
}

/* Density class against the layer's mean: below 1/2, 4/5, 5/4, 2 times, above. */
static inline unsigned level(uint32_t density, uint32_t mean)
{
    return (unsigned)(density * 2 > mean) + (density * 5 > mean * 4) +
           (density * 4 > mean * 5) + (density > mean * 2);
}

static inline uint32_t moved(uint32_t average, unsigned bit, unsigned shift)
{
    return bit ? average + ((65535 - average) >> shift) : average - (average >> shift);
}

/* Rank 3 and above: the top 8 bits of rank - 3 by an adaptive tree, the rest raw. */
static inline uint32_t code_rest(arith_coder *c, arith_bin *tree, uint32_t rest,
                                 uint32_t top, int decoding)
{
    unsigned bits = 0;
    while (top >> bits != 0)
        bits++; /* to hold 0..top */
    const unsigned raw = bits > 8 ? bits - 8 : 0;
    const uint32_t high = arith_tree(c, tree, bits - raw, rest >> raw, decoding);
    return high << raw | arith_even(c, raw, rest, decoding);
}

static inline uint32_t code_rank(arith_coder *c, model *m, unsigned ctx, uint32_t rank,
                                 uint32_t top, int decoding)
{
    if (top == 1 || !arith_bit(c, &m->gt1[ctx], rank > 1, decoding))
        return 1;
    if (top == 2 || !arith_bit(c, &m->gt2[ctx], rank > 2, decoding))
        return 2;
    return 3 +
           (top == 3 ? 0 : code_rest(c, m->tree[ctx > 3], rank - 3, top - 3, decoding));
}

/* What the contexts of a weight that is not 0 depend on. */
typedef struct around {
    unsigned up;        /* the weight of the channel before is not 0 */
    unsigned left_sign; /* 0 none, 1 +, 2 -                          */
    uint32_t last_rank; /* of the last weight that was not 0         */
} around;

/* Sign and rank of a weight that is not 0, at position j of its channel. Encoder: of
 * `code`. Returns its code, 0 when the data is not of this code. */
static inline uint32_t code_value(arith_coder *c, model *m, around *a, size_t j,
                                  uint32_t code, int decoding)
{
    unsigned side = 0;
    uint32_t rank = 0;

    if (!decoding)
        split(&m->a, code, &side, &rank);
    if (m->a.top[0] == 0 || m->a.top[1] == 0)
        side = m->a.top[0] == 0;
    else
        side = arith_bit(c, &m->sign[a->left_sign * 3 + m->sign_up[j]], side, decoding);
    const uint32_t top = (uint32_t)m->a.top[side];
    if (top == 0)
        return 0;
    const unsigned mag = (unsigned)(a->last_rank > 1) + (a->last_rank > 2);
    rank = code_rank(c, m, mag * 2 + a->up, rank, top, decoding);
    if (rank > top)
        return 0;
    a->last_rank = rank;
    a->left_sign = 1 + side;
    m->sign_up[j] = (uint8_t)a->left_sign;
    if (!decoding)
        return code;
    return m->a.is_book ? m->a.code[side][rank - 1]
           : side       ? (1U << m->a.bits) - rank
                        : rank;
}

/* All weights, in OHWI order. Decoder: out is code. 0: the data is not of this code. */
static inline int walk(arith_coder *c, model *m, const dscq_qweights *l, int32_t arg,
                       const uint16_t *code, uint16_t *out, int decoding)
{
    const size_t per = l->count / (size_t)l->k;
    uint32_t row = 32768;
    around a = {0, 0, 0};

    for (size_t k = 0, i = 0; k < (size_t)l->k; k++) {
        unsigned sig = 0;
        a.left_sign = 0;
        for (size_t j = 0; j < per; j++, i++) {
            a.up = k > 0 && code[i - per] != 0;
            unsigned ctx = sig + a.up;
            if (arg == 1)
                ctx +=
                    3 * (LEVELS * level(m->column[j], m->mean) + level(row, m->mean));
            sig = arith_bit(c, &m->sig[ctx], !decoding && code[i] != 0, decoding);
            m->column[j] = (uint16_t)moved(m->column[j], sig, 3);
            row = moved(row, sig, 5);
            m->mean = moved(m->mean, sig, 11);
            m->mean += m->mean == 0;
            uint32_t value = 0;
            if (!sig)
                a.left_sign = 0;
            else if ((value = code_value(c, m, &a, j, decoding ? 0 : code[i],
                                         decoding)) == 0)
                return 0;
            if (decoding)
                out[i] = (uint16_t)value;
        }
    }
    return 1;
}

/* ---- the encoding ---- */

static int fits(const dscq_qweights *l)
{
    return l->form != DSCQ_FORM_BINARY;
}

static dscq_status model_create(model **out, const dscq_qweights *l, dscq_error *err)
{
    const size_t per = l->count / (size_t)l->k;
    model *m = dscq_malloc(1, sizeof *m);

    *out = NULL;
    if (m == NULL)
        return dscq_fail_nomem(err, "contexts", sizeof *m);
    m->column = dscq_malloc(per, sizeof *m->column);
    m->sign_up = dscq_calloc(per, 1);
    if (m->column == NULL || m->sign_up == NULL) {
        dscq_free(m->column);
        dscq_free(m->sign_up);
        dscq_free(m);
        return dscq_fail_nomem(err, "contexts", per * 3);
    }
    for (size_t j = 0; j < per; j++)
        m->column[j] = 32768;
    model_init(m);
    alphabet_init(&m->a, l);
    *out = m;
    return DSCQ_OK;
}

static void model_destroy(model *m)
{
    if (m == NULL)
        return;
    dscq_free(m->column);
    dscq_free(m->sign_up);
    dscq_free(m);
}

static dscq_status run_encoder(dscq_buf *b, double *ideal_bits, const dscq_qweights *l,
                               int32_t arg, const uint16_t *code, dscq_error *err)
{
    arith_coder c;
    model *m;
    const dscq_status status = model_create(&m, l, err);

    if (status != DSCQ_OK)
        return status;
    arith_encode_to(&c, b);
    c.measuring = ideal_bits != NULL;
    (void)walk(&c, m, l, arg, code, NULL, 0);
    arith_encode_end(&c);
    if (ideal_bits != NULL)
        *ideal_bits = c.bits;
    model_destroy(m);
    return DSCQ_OK;
}

dscq_status dscq_pack_context_ideal(double *bits, const dscq_qweights *w, int32_t arg,
                                    dscq_error *err)
{
    dscq_buf b = {.counting = 1};
    uint16_t *code = dscq_malloc(w->count, sizeof *code);

    if (code == NULL)
        return dscq_fail_nomem(err, "codes", w->count * sizeof *code);
    dscq_status status = dscq_qweights_codes(w, code, err);
    if (status == DSCQ_OK)
        status = run_encoder(&b, bits, w, arg, code, err);
    dscq_free(code);
    return status;
}

static dscq_status cost(dscq_pack_size *out, int32_t *arg, const dscq_qweights *l,
                        const uint16_t *code, dscq_error *err)
{
    uint64_t best = UINT64_MAX;
    const uint64_t nnz = pack__nonzero(code, l->count);

    for (int32_t a = 0; a <= 1; a++) {
        dscq_buf b = {.counting = 1};
        const dscq_status status = run_encoder(&b, NULL, l, a, code, err);
        if (status != DSCQ_OK)
            return status;
        if ((uint64_t)b.len * 8 < best) {
            best = (uint64_t)b.len * 8;
            *arg = a;
        }
    }
    /* One stream: the split is that of the layer's entropies. */
    const double n = (double)l->count, z = n - (double)nnz;
    const double where = (nnz > 0 ? -(double)nnz * log2((double)nnz / n) : 0.0) +
                         (z > 0 ? -z * log2(z / n) : 0.0);
    out->positions = where < (double)best ? (uint64_t)where : best;
    out->values = best - out->positions;
    return DSCQ_OK;
}

static dscq_status encode(dscq_buf *b, const dscq_qweights *l, int32_t arg,
                          const uint16_t *code, dscq_error *err)
{
    return run_encoder(b, NULL, l, arg, code, err);
}

static dscq_status decode(uint16_t *code, const dscq_qweights *l, int32_t arg,
                          dscq_reader *r, dscq_error *err)
{
    arith_coder c;
    model *m;
    const dscq_status status = model_create(&m, l, err);

    if (status != DSCQ_OK)
        return status;
    arith_decode_from(&c, r->buf, r->len);
    if (!walk(&c, m, l, arg, code, code, 1) || !arith_decode_done(&c))
        dscq_get_fail(r, "context-coded weights");
    model_destroy(m);
    return DSCQ_OK;
}

const pack_encoding pack__enc_context = {
    .info = {"context", "adaptive arithmetic coding with neighbourhood contexts",
             DSCQ_PACK_DEEP, 0.5, (SIG + 21 + 2 * TREE) * 30,
             "one bin a cycle at best, serial; meant for archives"},
    .fits = fits,
    .cost = cost,
    .encode = encode,
    .decode = decode,
    .arg_max = 1,
};
