/*
 * embed/packed_reader.h - reading a packed network on a board. One header, C99, no
 * library beyond <stdint.h>, <stddef.h> and <string.h>, no allocation: the file lies in
 * memory (flash), and one layer's weights at a time are decoded into the caller's
 * buffer. So memory is the file plus the largest layer.
 *
 * Decodes the fixed-length encodings (dense, bitmap, gap, kernel, lanes, binary): what
 * profile "machine" writes. Others are refused. docs/format.md is the definition; this
 * file shares no code with the library.
 *
 *     dscq_packed p;
 *     if (dscq_packed_open(&p, file, bytes) != DSCQ_PACKED_OK) ...
 *     dscq_packed_node n;
 *     while (dscq_packed_next(&p, &n) == DSCQ_PACKED_OK) {
 *         ... n.op, n.input[], n.output, n.stride_h, ...
 *         for (k = 0; k < n.scale_count; k++) dscq_packed_mult(&n, k), _shift, _bias
 *         if (n.weight_count > 0) dscq_packed_weights(&n, buffer, n.weight_count);
 *     }
 */
#ifndef DSCQ_EMBED_PACKED_READER_H
#define DSCQ_EMBED_PACKED_READER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    DSCQ_PACKED_OK = 0,
    DSCQ_PACKED_END = 1,      /* no more nodes                        */
    DSCQ_PACKED_DAMAGED = -1, /* bytes contradict the format          */
    DSCQ_PACKED_UNKNOWN = -2, /* a newer version, an encoding we lack */
    DSCQ_PACKED_ROOM = -3     /* the caller's buffer is too small     */
};

enum { DSCQ_PACKED_INPUTS = 16, DSCQ_PACKED_TENSOR_MAX = 512 };

/* What nodes of an operation have in the file, docs/format.md sections 4.3, 4.4. */
enum {
    DSCQ_PACKED_STEPS = 1,    /* stride_h, stride_w                        */
    DSCQ_PACKED_PADS = 2,     /* pad_top, pad_left, pad_bottom, pad_right  */
    DSCQ_PACKED_WEIGHTS = 4,  /* dilations, groups; biases; weights        */
    DSCQ_PACKED_WINDOW = 8,   /* kernel_h, kernel_w                        */
    DSCQ_PACKED_KEYS = 16,    /* count_include_pad; keys                   */
    DSCQ_PACKED_FACTOR = 32,  /* factor                                    */
    DSCQ_PACKED_FIRST = 64,   /* first                                     */
    DSCQ_PACKED_CLAMP = 128,  /* clamp_lo, clamp_hi                        */
    DSCQ_PACKED_LEAKY = 256,  /* is_leaky, slope_q15                       */
    DSCQ_PACKED_CURVE = 512,  /* a table of 16-bit factors                 */
    DSCQ_PACKED_WINDOWED = 3, /* steps and pads                            */
    DSCQ_PACKED_SLOPED = 384  /* clamp and slope                           */
};

/* Operations in the order of their numbers, docs/format.md section 4.2: X(id, has). */
#define DSCQ_PACKED_OP_LIST(X)                                                         \
    X(CONV, DSCQ_PACKED_WINDOWED | DSCQ_PACKED_WEIGHTS | DSCQ_PACKED_SLOPED)           \
    X(ADD, DSCQ_PACKED_SLOPED)                                                         \
    X(MUL, DSCQ_PACKED_CLAMP)                                                          \
    X(CONCAT, DSCQ_PACKED_CLAMP)                                                       \
    X(MAXPOOL, DSCQ_PACKED_WINDOWED | DSCQ_PACKED_WINDOW | DSCQ_PACKED_CLAMP)          \
    X(AVGPOOL, DSCQ_PACKED_WINDOWED | DSCQ_PACKED_WINDOW | DSCQ_PACKED_KEYS |          \
                   DSCQ_PACKED_CLAMP)                                                  \
    X(UPSAMPLE, DSCQ_PACKED_FACTOR)                                                    \
    X(REORG, DSCQ_PACKED_FACTOR)                                                       \
    X(SLICE, DSCQ_PACKED_FIRST)                                                        \
    X(PAD, DSCQ_PACKED_PADS)                                                           \
    X(LUT, 0)                                                                          \
    X(LRN, DSCQ_PACKED_FIRST | DSCQ_PACKED_CURVE | DSCQ_PACKED_CLAMP)                  \
    X(RESCALE, DSCQ_PACKED_CLAMP)

enum {
#define DSCQ_PACKED_ID(id, has) DSCQ_PACKED_##id,
    DSCQ_PACKED_OP_LIST(DSCQ_PACKED_ID)
#undef DSCQ_PACKED_ID
        DSCQ_PACKED_OPS
};

typedef struct dscq_packed_view {
    const uint8_t *p;
    size_t n;
    int bad;
} dscq_packed_view;

typedef struct dscq_packed_tensor {
    int32_t h, w, c, bits, is_signed, zero_point;
    double scale;
} dscq_packed_tensor;

typedef struct dscq_packed {
    int32_t tensor_count, node_count;
    dscq_packed_tensor tensor[DSCQ_PACKED_TENSOR_MAX];
    int32_t next;
    dscq_packed_view net, constants, weights, ends; /* what is left of each section */
} dscq_packed;

typedef struct dscq_packed_node {
    char name[64];
    int32_t op, input_count, input[DSCQ_PACKED_INPUTS], output;
    /* fields in file order; those an operation lacks are 0 (steps, groups: 1) */
    int32_t stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right, dilation_h,
        dilation_w, groups, kernel_h, kernel_w, count_include_pad, factor, first,
        clamp_lo, clamp_hi, is_leaky, slope_q15;
    int32_t scale_count, table_count, table_bytes;
    const uint8_t *mult, *shift, *bias,
        *table; /* in the file; read with the functions */
    dscq_packed_view keys;
    /* convolution: weights[k][r][s][c] */
    int32_t k, r, s, c;
    size_t weight_count;
    int32_t encoding, form, bits, codebook_count, codebook_bytes, block;
    uint32_t arg;
    const uint8_t *codebook, *level;
    dscq_packed_view payload;
} dscq_packed_node;

/* ---- bytes ---- */

static inline uint64_t dscq_packed_u(dscq_packed_view *v, unsigned bytes)
{
    uint64_t x = 0;
    unsigned i;

    if (v->bad || v->n < bytes) {
        v->bad = 1;
        return 0;
    }
    for (i = 0; i < bytes; i++)
        x |= (uint64_t)v->p[i] << (8 * i);
    v->p += bytes;
    v->n -= bytes;
    return x;
}

static inline const uint8_t *dscq_packed_take(dscq_packed_view *v, size_t bytes)
{
    const uint8_t *p = v->p;

    if (v->bad || v->n < bytes) {
        v->bad = 1;
        return p;
    }
    v->p += bytes;
    v->n -= bytes;
    return p;
}

/* LEB128 below 2^28; more is damage here. */
static inline int32_t dscq_packed_varint(dscq_packed_view *v)
{
    uint32_t x = 0, shift = 0, b;

    do {
        b = (uint32_t)dscq_packed_u(v, 1);
        if (shift > 21)
            v->bad = 1;
        if (v->bad)
            return 0;
        x |= (b & 127U) << shift;
        shift += 7;
    } while (b >= 128);
    return (int32_t)x;
}

static inline void dscq_packed_skip_varint(dscq_packed_view *v)
{
    while (dscq_packed_u(v, 1) >= 128 && !v->bad) {
    }
}

static inline int32_t dscq_packed_zigzag(dscq_packed_view *v)
{
    const int32_t x = dscq_packed_varint(v);

    return (x & 1) != 0 ? -(x >> 1) - 1 : x >> 1;
}

static inline int32_t dscq_packed_signed(const uint8_t *p, unsigned bytes)
{
    uint32_t x = 0;
    unsigned i;

    for (i = 0; i < bytes; i++)
        x |= (uint32_t)p[i] << (8 * i);
    if (bytes < 4 && (x >> (8 * bytes - 1)) != 0)
        x |= ~(uint32_t)0 << (8 * bytes);
    return x <= 0x7fffffffU ? (int32_t)x : -(int32_t)(~x) - 1;
}

static inline void dscq_packed_text(dscq_packed_view *v, char *out, size_t cap)
{
    const size_t n = (size_t)dscq_packed_varint(v);
    const uint8_t *p = dscq_packed_take(v, n);

    out[0] = '\0';
    if (n >= cap)
        v->bad = 1;
    if (!v->bad) {
        memcpy(out, p, n);
        out[n] = '\0';
    }
}

/* zlib's CRC-32, without a table. */
static inline uint32_t dscq_packed_crc(const uint8_t *p, size_t n)
{
    uint32_t c = 0xffffffffU;
    int b;

    while (n-- > 0) {
        c ^= *p++;
        for (b = 0; b < 8; b++)
            c = (c >> 1) ^ (0xedb88320U & (0U - (c & 1U)));
    }
    return ~c;
}

/* ---- file ---- */

static inline int dscq_packed_tensors(dscq_packed *p)
{
    char name[128];
    int32_t i;

    dscq_packed_text(&p->net, name, sizeof name);
    dscq_packed_skip_varint(&p->net); /* float bytes */
    p->tensor_count = dscq_packed_varint(&p->net);
    if (p->tensor_count > DSCQ_PACKED_TENSOR_MAX)
        return DSCQ_PACKED_ROOM;
    for (i = 0; i < p->tensor_count && !p->net.bad; i++) {
        dscq_packed_tensor *t = &p->tensor[i];
        uint64_t raw;
        dscq_packed_text(&p->net, name, 64);
        t->h = dscq_packed_varint(&p->net);
        t->w = dscq_packed_varint(&p->net);
        t->c = dscq_packed_varint(&p->net);
        t->bits = (int32_t)dscq_packed_u(&p->net, 1);
        t->is_signed = t->bits >> 7;
        t->bits &= 127;
        t->zero_point = dscq_packed_zigzag(&p->net);
        raw = dscq_packed_u(&p->net, 8);
        memcpy(&t->scale, &raw, sizeof raw);
    }
    p->node_count = dscq_packed_varint(&p->net);
    return p->net.bad ? DSCQ_PACKED_DAMAGED : DSCQ_PACKED_OK;
}

/* Checks header, section table and all CRCs. The file must stay where it is. */
static inline int dscq_packed_open(dscq_packed *p, const void *file, size_t bytes)
{
    static const uint8_t magic[8] = {0x89, 'D', 'S', 'C', 'Q', 13, 10, 26};
    const uint8_t *d = (const uint8_t *)file;
    dscq_packed_view head, table;
    uint32_t sections, i;
    size_t at;

    memset(p, 0, sizeof *p);
    if (bytes < 32 || memcmp(d, magic, 8) != 0)
        return DSCQ_PACKED_DAMAGED;
    head.p = d + 8;
    head.n = 24;
    head.bad = 0;
    if (dscq_packed_crc(d, 28) != (uint32_t)dscq_packed_signed(d + 28, 4))
        return DSCQ_PACKED_DAMAGED;
    if (dscq_packed_u(&head, 2) != 1)
        return DSCQ_PACKED_UNKNOWN;
    (void)dscq_packed_u(&head, 2);
    sections = (uint32_t)dscq_packed_u(&head, 4);
    if (dscq_packed_u(&head, 8) != bytes || sections > 64 ||
        (size_t)sections * 24 > bytes - 32 ||
        dscq_packed_crc(d + 32, (size_t)sections * 24) !=
            (uint32_t)dscq_packed_u(&head, 4))
        return DSCQ_PACKED_DAMAGED;
    table.p = d + 32;
    table.n = (size_t)sections * 24;
    table.bad = 0;
    at = 32 + table.n;
    for (i = 0; i < sections; i++) {
        const char *tag = (const char *)dscq_packed_take(&table, 4);
        const uint32_t flags = (uint32_t)dscq_packed_u(&table, 4);
        const uint64_t n = dscq_packed_u(&table, 8);
        const uint32_t crc = (uint32_t)dscq_packed_u(&table, 4);
        dscq_packed_view *v = memcmp(tag, "NET ", 4) == 0   ? &p->net
                              : memcmp(tag, "QNT ", 4) == 0 ? &p->constants
                              : memcmp(tag, "WGT ", 4) == 0 ? &p->weights
                              : memcmp(tag, "IO  ", 4) == 0 ? &p->ends
                                                            : NULL;
        (void)dscq_packed_u(&table, 4);
        if (n > bytes - at || dscq_packed_crc(d + at, (size_t)n) != crc)
            return DSCQ_PACKED_DAMAGED;
        if (v == NULL && (flags & 1U) != 0)
            return DSCQ_PACKED_UNKNOWN;
        if (v != NULL) {
            v->p = d + at;
            v->n = (size_t)n;
        }
        at += (size_t)n;
    }
    if (at != bytes || p->net.p == NULL || p->constants.p == NULL ||
        p->weights.p == NULL)
        return DSCQ_PACKED_DAMAGED;
    return dscq_packed_tensors(p);
}

/* ---- nodes ---- */

/* Does n's operation have it? */
static inline int dscq_packed_has(const dscq_packed_node *n, unsigned what)
{
    static const uint16_t has[DSCQ_PACKED_OPS] = {
#define DSCQ_PACKED_ROW(id, has) has,
        DSCQ_PACKED_OP_LIST(DSCQ_PACKED_ROW)
#undef DSCQ_PACKED_ROW
    };

    return (has[n->op] & what) != 0;
}

static inline void dscq_packed_fields(dscq_packed *p, dscq_packed_node *n)
{
    const struct {
        int32_t *field;
        unsigned of;
    } rows[] = {{&n->stride_h, DSCQ_PACKED_STEPS},
                {&n->stride_w, DSCQ_PACKED_STEPS},
                {&n->pad_top, DSCQ_PACKED_PADS},
                {&n->pad_left, DSCQ_PACKED_PADS},
                {&n->pad_bottom, DSCQ_PACKED_PADS},
                {&n->pad_right, DSCQ_PACKED_PADS},
                {&n->dilation_h, DSCQ_PACKED_WEIGHTS},
                {&n->dilation_w, DSCQ_PACKED_WEIGHTS},
                {&n->groups, DSCQ_PACKED_WEIGHTS},
                {&n->kernel_h, DSCQ_PACKED_WINDOW},
                {&n->kernel_w, DSCQ_PACKED_WINDOW},
                {&n->count_include_pad, DSCQ_PACKED_KEYS},
                {&n->factor, DSCQ_PACKED_FACTOR},
                {&n->first, DSCQ_PACKED_FIRST},
                {&n->clamp_lo, DSCQ_PACKED_CLAMP},
                {&n->clamp_hi, DSCQ_PACKED_CLAMP},
                {&n->is_leaky, DSCQ_PACKED_LEAKY},
                {&n->slope_q15, DSCQ_PACKED_LEAKY}};
    size_t i;

    for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (dscq_packed_has(n, rows[i].of))
            *rows[i].field = rows[i].of == DSCQ_PACKED_CLAMP
                                 ? dscq_packed_zigzag(&p->net)
                                 : dscq_packed_varint(&p->net);
}

static inline void dscq_packed_constants(dscq_packed *p, dscq_packed_node *n)
{
    dscq_packed_view *v = &p->constants;
    int32_t i;

    n->scale_count = dscq_packed_varint(v);
    n->mult = dscq_packed_take(v, (size_t)n->scale_count * 2);
    n->shift = dscq_packed_take(v, (size_t)n->scale_count);
    if (dscq_packed_has(n, DSCQ_PACKED_WEIGHTS))
        n->bias = dscq_packed_take(v, (size_t)n->scale_count * 3);
    n->keys = *v;
    for (i = 0; dscq_packed_has(n, DSCQ_PACKED_KEYS) && i < n->scale_count && !v->bad;
         i++)
        (void)dscq_packed_varint(v);
    n->table_count = dscq_packed_varint(v);
    n->table_bytes =
        dscq_packed_has(n, DSCQ_PACKED_CURVE) || p->tensor[n->output].bits > 8 ? 2 : 1;
    n->table = dscq_packed_take(v, (size_t)n->table_count * (size_t)n->table_bytes);
}

static inline void dscq_packed_layer(dscq_packed *p, dscq_packed_node *n)
{
    dscq_packed_view *v = &p->weights;
    const dscq_packed_tensor *x = &p->tensor[n->input[0]];

    n->r = dscq_packed_varint(&p->net);
    n->s = dscq_packed_varint(&p->net);
    n->k = p->tensor[n->output].c;
    n->c = n->groups > 0 ? x->c / n->groups : 0;
    n->encoding = (int32_t)dscq_packed_u(v, 1);
    n->form = (int32_t)dscq_packed_u(v, 1);
    n->bits = (int32_t)dscq_packed_u(v, 1);
    n->arg = (uint32_t)dscq_packed_varint(v);
    if (n->r < 1 || n->s < 1 || n->k < 1 || n->c < 1 || n->bits < 1 || n->bits > 16 ||
        n->form > 2 || n->r > 16384 || n->s > 16384 ||
        (double)n->r * n->s * (double)n->k * n->c > 268435456.0)
        v->bad = 1;
    if (v->bad)
        return;
    n->weight_count = (size_t)n->r * (size_t)n->s * (size_t)n->k * (size_t)n->c;
    if (n->form == 0) {
        n->codebook_count = dscq_packed_varint(v);
        n->codebook_bytes = (int32_t)dscq_packed_u(v, 1);
        if (n->codebook_count < 1 || n->codebook_count > 256 || n->codebook_bytes > 2 ||
            n->codebook_bytes < 1)
            v->bad = 1;
        n->codebook = dscq_packed_take(v, v->bad ? 0
                                                 : (size_t)(n->codebook_count - 1) *
                                                       (size_t)n->codebook_bytes);
    } else if (n->form == 2) {
        n->block = dscq_packed_varint(v);
        n->level = dscq_packed_take(v, (size_t)n->k * 2);
        if (n->block < 1)
            v->bad = 1;
    }
    n->payload.n = (size_t)dscq_packed_varint(v);
    n->payload.bad = 0;
    n->payload.p = dscq_packed_take(v, n->payload.n);
}

/* The next node in execution order. */
static inline int dscq_packed_next(dscq_packed *p, dscq_packed_node *n)
{
    int32_t i;

    if (p->next >= p->node_count)
        return DSCQ_PACKED_END;
    memset(n, 0, sizeof *n);
    n->stride_h = n->stride_w = n->dilation_h = n->dilation_w = n->groups = n->factor =
        1;
    n->op = (int32_t)dscq_packed_u(&p->net, 1);
    dscq_packed_text(&p->net, n->name, sizeof n->name); /* "": its output's name */
    n->input_count = dscq_packed_varint(&p->net);
    if (n->op >= DSCQ_PACKED_OPS)
        return DSCQ_PACKED_UNKNOWN;
    if (n->input_count < 1 || n->input_count > DSCQ_PACKED_INPUTS)
        return DSCQ_PACKED_DAMAGED;
    for (i = 0; i < n->input_count; i++) {
        n->input[i] = dscq_packed_varint(&p->net);
        if (n->input[i] >= p->tensor_count)
            return DSCQ_PACKED_DAMAGED;
    }
    n->output = dscq_packed_varint(&p->net);
    if (p->net.bad || n->output >= p->tensor_count)
        return DSCQ_PACKED_DAMAGED;
    dscq_packed_fields(p, n);
    dscq_packed_constants(p, n);
    if (dscq_packed_has(n, DSCQ_PACKED_WEIGHTS))
        dscq_packed_layer(p, n);
    p->next++;
    return p->net.bad || p->constants.bad || p->weights.bad ? DSCQ_PACKED_DAMAGED
                                                            : DSCQ_PACKED_OK;
}

static inline int32_t dscq_packed_mult(const dscq_packed_node *n, int32_t i)
{
    return dscq_packed_signed(n->mult + 2 * i, 2);
}

static inline int32_t dscq_packed_shift(const dscq_packed_node *n, int32_t i)
{
    return n->shift[i];
}

static inline int32_t dscq_packed_bias(const dscq_packed_node *n, int32_t i)
{
    return dscq_packed_signed(n->bias + 3 * i, 3);
}

/* ---- weights ---- */

typedef struct dscq_packed_bits {
    const uint8_t *p;
    size_t left; /* bits */
    unsigned at; /* in *p */
    int bad;
} dscq_packed_bits;

static inline dscq_packed_bits dscq_packed_bits_of(dscq_packed_view *v, size_t bits)
{
    dscq_packed_bits b;

    b.left = (bits + 7) / 8 * 8;
    b.p = dscq_packed_take(v, b.left / 8);
    b.at = 0;
    b.bad = v->bad;
    return b;
}

static inline uint32_t dscq_packed_get(dscq_packed_bits *b, unsigned bits)
{
    uint32_t v = 0, got = 0;

    if (b->bad || b->left < bits) {
        b->bad = 1;
        return 0;
    }
    b->left -= bits;
    while (got < bits) {
        const unsigned room = 8 - b->at, take = bits - got < room ? bits - got : room;
        v |= ((uint32_t)(*b->p >> b->at) & ((1U << take) - 1U)) << got;
        got += take;
        b->at += take;
        if (b->at == 8) {
            b->at = 0;
            b->p++;
        }
    }
    return v;
}

static inline int16_t dscq_packed_value(const dscq_packed_node *n, uint32_t code)
{
    if (n->form == 1) {
        const uint32_t half = 1U << (n->bits - 1);
        return (int16_t)((int32_t)(code ^ half) - (int32_t)half);
    }
    if (code == 0 || (int32_t)code >= n->codebook_count)
        return 0;
    return (int16_t)dscq_packed_signed(n->codebook + (size_t)(code - 1) *
                                                         (size_t)n->codebook_bytes,
                                       (unsigned)n->codebook_bytes);
}

static inline int dscq_packed_pairs(const dscq_packed_node *n, int16_t *out,
                                    dscq_packed_view *v)
{
    const unsigned g = n->arg, w = g + (unsigned)n->bits;
    size_t at = 0;
    dscq_packed_bits b = dscq_packed_bits_of(v, v->n * 8);

    if (g < 1 || g > 16)
        return DSCQ_PACKED_DAMAGED;
    while (b.left >= w) {
        const size_t left = b.left;
        const uint32_t gap = dscq_packed_get(&b, g);
        const uint32_t code = dscq_packed_get(&b, (unsigned)n->bits);
        if (gap == 0 && code == 0 && left < 8)
            break;
        at += gap;
        if (at >= n->weight_count)
            return DSCQ_PACKED_DAMAGED;
        out[at++] = dscq_packed_value(n, code);
    }
    return DSCQ_PACKED_OK;
}

static inline int dscq_packed_kernels(const dscq_packed_node *n, int16_t *out,
                                      dscq_packed_view *v)
{
    const size_t taps = (size_t)n->r * (size_t)n->s, c = (size_t)n->c;
    const size_t kernels = (size_t)n->k * c, count = (size_t)dscq_packed_u(v, 2) + 1;
    dscq_packed_bits table = dscq_packed_bits_of(v, count * taps), index, code;
    unsigned width = 0;
    size_t i, t;

    while (((size_t)1 << width) < count)
        width++;
    index = dscq_packed_bits_of(v, kernels * width);
    code = dscq_packed_bits_of(v, v->n * 8);
    for (i = 0; i < kernels && !table.bad && !index.bad; i++) {
        const size_t at = (size_t)dscq_packed_get(&index, width) * taps;
        if (at >= count * taps)
            return DSCQ_PACKED_DAMAGED;
        for (t = 0; t < taps; t++) {
            const size_t bit = at + t;
            if ((table.p[bit / 8] >> (bit % 8) & 1) != 0)
                out[i / c * taps * c + i % c + t * c] =
                    dscq_packed_value(n, dscq_packed_get(&code, (unsigned)n->bits));
        }
    }
    return v->bad || table.bad || index.bad || code.bad ? DSCQ_PACKED_DAMAGED
                                                        : DSCQ_PACKED_OK;
}

/* Lane l's stream: columns, and inside a column channels l, l + L, ... */
static inline int dscq_packed_lanes(const dscq_packed_node *n, int16_t *out,
                                    dscq_packed_view *v)
{
    const size_t lanes = n->arg & 0xffffU, per = n->weight_count / (size_t)n->k;
    const unsigned g = n->arg >> 16;
    const uint8_t *counts = dscq_packed_take(v, lanes * 4);
    dscq_packed_bits b = dscq_packed_bits_of(v, v->n * 8);
    size_t lane;

    if (lanes < 1 || g < 1 || g > 16 || v->bad)
        return DSCQ_PACKED_DAMAGED;
    for (lane = 0; lane < lanes; lane++) {
        const size_t own =
            lane < (size_t)n->k ? ((size_t)n->k - lane + lanes - 1) / lanes : 0;
        uint32_t pairs = (uint32_t)dscq_packed_signed(counts + lane * 4, 4);
        size_t at = 0;
        for (; pairs > 0; pairs--, at++) {
            at += dscq_packed_get(&b, g);
            if (b.bad || own == 0 || at >= own * per)
                return DSCQ_PACKED_DAMAGED;
            out[(lane + at % own * lanes) * per + at / own] =
                dscq_packed_value(n, dscq_packed_get(&b, (unsigned)n->bits));
        }
    }
    return b.bad ? DSCQ_PACKED_DAMAGED : DSCQ_PACKED_OK;
}

static inline int dscq_packed_signs(const dscq_packed_node *n, int16_t *out,
                                    dscq_packed_view *v)
{
    const size_t per = n->weight_count / (size_t)n->k, block = (size_t)n->block;
    const size_t blocks = (per + block - 1) / block;
    dscq_packed_bits map = dscq_packed_bits_of(v, blocks * (size_t)n->k);
    dscq_packed_bits b = dscq_packed_bits_of(v, v->n * 8);
    size_t i;

    for (i = 0; i < n->weight_count && !map.bad; i++) {
        const size_t at = i / per * blocks + i % per / block;
        if ((map.p[at / 8] >> (at % 8) & 1) != 0) {
            const uint32_t q = dscq_packed_get(&b, 8);
            out[i] = (int16_t)((int32_t)(q ^ 128U) - 128);
        } else {
            const int32_t a = dscq_packed_signed(n->level + i / per * 2, 2);
            out[i] = (int16_t)(dscq_packed_get(&b, 1) != 0 ? -a : a);
        }
    }
    return map.bad || b.bad ? DSCQ_PACKED_DAMAGED : DSCQ_PACKED_OK;
}

/* Integer weights of a convolution, OHWI, into out[room]. */
static inline int dscq_packed_weights(const dscq_packed_node *n, int16_t *out,
                                      size_t room)
{
    dscq_packed_view v = n->payload;
    dscq_packed_bits map, b;
    size_t i;

    if (room < n->weight_count)
        return DSCQ_PACKED_ROOM;
    memset(out, 0, n->weight_count * sizeof *out);
    switch (n->encoding) {
    case 0:
        b = dscq_packed_bits_of(&v, v.n * 8);
        for (i = 0; i < n->weight_count; i++)
            out[i] = dscq_packed_value(n, dscq_packed_get(&b, (unsigned)n->bits));
        return b.bad ? DSCQ_PACKED_DAMAGED : DSCQ_PACKED_OK;
    case 1:
        map = dscq_packed_bits_of(&v, n->weight_count);
        b = dscq_packed_bits_of(&v, v.n * 8);
        for (i = 0; i < n->weight_count; i++)
            if (dscq_packed_get(&map, 1) != 0)
                out[i] = dscq_packed_value(n, dscq_packed_get(&b, (unsigned)n->bits));
        return map.bad || b.bad ? DSCQ_PACKED_DAMAGED : DSCQ_PACKED_OK;
    case 2:
        return dscq_packed_pairs(n, out, &v);
    case 3:
        return dscq_packed_kernels(n, out, &v);
    case 4:
        return dscq_packed_lanes(n, out, &v);
    case 7:
        return n->form == 2 ? dscq_packed_signs(n, out, &v) : DSCQ_PACKED_DAMAGED;
    default:
        return DSCQ_PACKED_UNKNOWN;
    }
}

#endif
