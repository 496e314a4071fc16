/*
 * The QNTC section: what QNT holds - multipliers, shifts, biases, tables - entropy
 * coded for archives (docs/format.md section 4.5). A channel's 48 bits are about 14
 * random ones of the multiplier, one of the shift and 14 of the bias; what is left over
 * is leading zeros and repetition, and on a narrow network it weighs as much as all
 * positions of its weights.
 */
#include "dscq/base/alloc.h"
#include "enc/arith.h"
#include "format.h"

enum {
    CLASS_BITS = 5,    /* of the length of a number */
    MANTISSA_BITS = 3, /* of a multiplier: these adapt, MULT_EVEN do not */
    MULT_EVEN = 11,
    SHIFT_BITS = 8,
    KINDS = 3 /* depthwise, another convolution, another operation */
};

/* A number as its length in bits and, below the leading 1, two adaptive bits and even
 * ones. */
typedef struct number {
    arith_bin length[1 << CLASS_BITS];
    arith_bin next[1 << CLASS_BITS][4];
} number;

typedef struct constants {
    arith_coder c;
    number count, entries, key, step, bias[KINDS];
    arith_bin dead, whole, negative, below;
    arith_bin mantissa[4][1 << MANTISSA_BITS];
    arith_bin shift[KINDS][1 << SHIFT_BITS];
} constants;

static void number_init(number *n)
{
    arith_bins(n->length, sizeof n->length / sizeof *n->length);
    for (size_t i = 0; i < sizeof n->next / sizeof *n->next; i++)
        arith_bins(n->next[i], sizeof n->next[i] / sizeof *n->next[i]);
}

static void constants_init(constants *s)
{
    number_init(&s->count);
    number_init(&s->entries);
    number_init(&s->key);
    number_init(&s->step);
    arith_bins(&s->dead, 1);
    arith_bins(&s->whole, 1);
    arith_bins(&s->negative, 1);
    arith_bins(&s->below, 1);
    for (size_t i = 0; i < sizeof s->mantissa / sizeof *s->mantissa; i++)
        arith_bins(s->mantissa[i], 1 << MANTISSA_BITS);
    for (size_t i = 0; i < KINDS; i++) {
        arith_bins(s->shift[i], 1 << SHIFT_BITS);
        number_init(&s->bias[i]);
    }
}

/* 0 .. 2^31 - 1. */
static uint32_t code_number(arith_coder *c, number *n, uint32_t v, int decoding)
{
    uint32_t length = 0;

    while (!decoding && length < 31 && v >> length != 0)
        length++;
    length = arith_tree(c, n->length, CLASS_BITS, length, decoding);
    if (length < 2)
        return length;
    const unsigned low = length - 1, adaptive = low < 2 ? low : 2;
    const uint32_t top =
        arith_tree(c, n->next[length], adaptive,
                   v >> (low - adaptive) & ((1U << adaptive) - 1), decoding);
    return 1U << low | top << (low - adaptive) |
           arith_even(c, low - adaptive, v, decoding);
}

/* A number with a sign; 0 has none. */
static int32_t code_signed(arith_coder *c, number *n, arith_bin *sign, int32_t v,
                           int decoding)
{
    const uint32_t size =
        code_number(c, n, v < 0 ? -(uint32_t)v : (uint32_t)v, decoding);

    if (size == 0)
        return 0;
    return arith_bit(c, sign, v < 0, decoding) ? -(int32_t)size : (int32_t)size;
}

/* A multiplier: 0; 2^14 <= |m| < 2^15; or any other as 16 bits. *fault: an other one
 * that is none. */
static int16_t code_mult(constants *s, unsigned shift, int32_t m, int *fault,
                         int decoding)
{
    arith_coder *c = &s->c;
    const int32_t size = m < 0 ? -m : m;

    if (arith_bit(c, &s->dead, m == 0, decoding))
        return 0;
    if (!arith_bit(c, &s->whole, size >= 1 << 14 && size < 1 << 15, decoding)) {
        m = (int16_t)(uint16_t)arith_even(c, 16, (uint16_t)m, decoding);
        *fault |= m == 0 || (m >= 1 << 14) || (m <= -(1 << 14) && m != INT16_MIN);
        return (int16_t)m;
    }
    const unsigned sign = arith_bit(c, &s->negative, m < 0, decoding);
    const uint32_t low = (uint32_t)size & 0x3fff;
    const uint32_t top = arith_tree(c, s->mantissa[shift & 3], MANTISSA_BITS,
                                    low >> MULT_EVEN, decoding);
    const int32_t whole = (int32_t)(1U << 14 | top << MULT_EVEN |
                                    arith_even(c, MULT_EVEN, low, decoding));
    return (int16_t)(sign ? -whole : whole);
}

static unsigned kind_of(const dscq_qnode *n)
{
    return n->weights == NULL ? 2 : n->weights->c != 1;
}

/* One scale entry; returns 0 when the bytes are not of this code. */
static int code_entry(constants *s, dscq_qnode *n, int32_t i, int decoding)
{
    arith_coder *c = &s->c;
    const unsigned kind = kind_of(n);
    int fault = 0;
    const uint32_t r =
        arith_tree(c, s->shift[kind], SHIFT_BITS, decoding ? 0 : n->shift[i], decoding);
    const int16_t m = code_mult(s, r, decoding ? 0 : n->mult[i], &fault, decoding);
    const int32_t b = dscq_qop_has(n->op, DSCQ_QHAS_WEIGHTS)
                          ? code_signed(c, &s->bias[kind], &s->below,
                                        decoding ? 0 : n->bias[i], decoding)
                          : 0;
    const uint32_t key =
        dscq_qop_has(n->op, DSCQ_QHAS_KEYS)
            ? code_number(c, &s->key, decoding ? 0 : (uint32_t)n->scale_key[i],
                          decoding)
            : 0;

    if (decoding) {
        n->shift[i] = (uint8_t)r;
        n->mult[i] = m;
        if (n->bias != NULL)
            n->bias[i] = b;
        if (n->scale_key != NULL)
            n->scale_key[i] = (int32_t)key;
    }
    return !fault && b >= DSCQ_QBIAS_MIN && b <= DSCQ_QBIAS_MAX &&
           key <= DSCQ_QNET_MAX_ELEMENTS;
}

/* Table entries as steps from the one before. */
static int code_table(constants *s, dscq_qnode *n, const dscq_qtensor *y, int decoding)
{
    const pack_entry entry = pack__entry(n, y);
    const int32_t span = 1 << 8 * entry.bytes, lo = entry.is_signed ? -span / 2 : 0;
    int32_t last = 0;

    for (int32_t i = 0; i < n->table_count; i++) {
        const int32_t step = code_signed(&s->c, &s->step, &s->below,
                                         decoding ? 0 : n->table[i] - last, decoding);
        const int64_t v = (int64_t)last + step; /* any step can come from a file */
        if (v < lo || v >= lo + span)
            return 0;
        last = (int32_t)v;
        if (decoding)
            n->table[i] = last;
    }
    return 1;
}

/* ---- writing ---- */

int pack__codes_constants(const dscq_qmodel *m, const dscq_pack_options *o)
{
    return o->profile == DSCQ_PACK_ARCHIVE ||
           (o->profile == DSCQ_PACK_KEEP && m->coded_constants);
}

void pack__put_coded_constants(dscq_buf *b, const dscq_qmodel *m, pack_choice *sizes)
{
    constants *s = dscq_malloc(1, sizeof *s);

    if (s == NULL) {
        b->bad = 1;
        return;
    }
    constants_init(s);
    arith_encode_to(&s->c, b);
    for (int32_t i = 0; i < m->node_count; i++) {
        dscq_qnode n = m->node[i]; /* the walk writes only when it decodes */
        const size_t start = b->len;
        (void)code_number(&s->c, &s->count, (uint32_t)n.scale_count, 0);
        for (int32_t k = 0; k < n.scale_count; k++)
            (void)code_entry(s, &n, k, 0);
        (void)code_number(&s->c, &s->entries, (uint32_t)n.table_count, 0);
        (void)code_table(s, &n, &m->tensor[n.output], 0);
        if (sizes != NULL)
            sizes[i].size.constants = (uint64_t)(b->len - start) * 8;
    }
    arith_encode_end(&s->c);
    dscq_free(s);
}

/* ---- reading ---- */

/* A convolution has one entry a channel and at least one weight for each, so the bound
 * on weights holds for them too. */
static dscq_status get_entries(constants *s, dscq_qnode *n, uint64_t *budget,
                               dscq_reader *r, dscq_error *err)
{
    const uint32_t count = code_number(&s->c, &s->count, 0, 1);

    if (n->weights != NULL ? (int64_t)count != n->weights->k || count > *budget
                           : count > DSCQ_QNET_MAX_ENTRIES) {
        dscq_get_fail(r, "scale entries");
        return DSCQ_OK;
    }
    *budget -= n->weights != NULL ? count : 0;
    if (count == 0)
        return DSCQ_OK;
    const dscq_status status = dscq_qnode_reserve(n, (int32_t)count, err);
    if (status != DSCQ_OK)
        return status;
    for (int32_t i = 0; i < n->scale_count && r->bad == NULL; i++)
        if (!code_entry(s, n, i, 1) || s->c.past > 4)
            dscq_get_fail(r, "scale entry");
    return DSCQ_OK;
}

static dscq_status get_table(constants *s, dscq_qnode *n, const dscq_qtensor *y,
                             dscq_reader *r, dscq_error *err)
{
    const uint32_t count = r->bad != NULL ? 0 : code_number(&s->c, &s->entries, 0, 1);

    if (count > DSCQ_QNET_MAX_TABLE)
        dscq_get_fail(r, "table entries");
    if (count == 0 || r->bad != NULL)
        return DSCQ_OK;
    n->table = dscq_calloc(count, sizeof *n->table);
    if (n->table == NULL)
        return dscq_fail_nomem(err, "table", count * sizeof *n->table);
    n->table_count = (int32_t)count;
    if (!code_table(s, n, y, 1))
        dscq_get_fail(r, "table entry");
    return DSCQ_OK;
}

dscq_status pack__get_coded_constants(dscq_qmodel *m, dscq_reader *r,
                                      uint64_t file_bytes, dscq_error *err)
{
    uint64_t budget = PACK_WEIGHT_SLACK + file_bytes * PACK_WEIGHTS_PER_BYTE;
    constants *s = dscq_malloc(1, sizeof *s);
    dscq_status status = DSCQ_OK;

    if (s == NULL)
        return dscq_fail_nomem(err, "contexts", sizeof *s);
    constants_init(s);
    arith_decode_from(&s->c, r->buf, r->len);
    for (int32_t i = 0; i < m->node_count && r->bad == NULL; i++) {
        dscq_qnode *n = &m->node[i];
        DSCQ_TRY(get_entries(s, n, &budget, r, err));
        DSCQ_TRY(get_table(s, n, &m->tensor[n->output], r, err));
    }
    if (r->bad == NULL && !arith_decode_done(&s->c))
        dscq_get_fail(r, "coded constants");
    r->pos = r->len;
    m->coded_constants = 1;
done:
    dscq_free(s);
    return status;
}
