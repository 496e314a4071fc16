/* huffman: the pairs of `gap`, gaps and codes each under a canonical Huffman code of
 * at most 15 bits (Han et al. 2016, section 4). arg = bits of a gap. Lengths (4 bits a
 * symbol: codes, then gaps) and the number of pairs come first. */
#include "dscq/base/alloc.h"
#include "enc/encoding.h"

#include <assert.h>

enum { GAP_MIN = 1, GAP_MAX = 8, LEN_MAX = 15, SYMBOLS = 256 };

/* `len` is as wide as `code`: where a loop walks both and they are not, gcc 12 for ARM
 * in Thumb mode counts the place of a code from that of its length and then takes the
 * store for one outside of the struct, so that its reader finds zeros. */
typedef struct huff {
    int32_t symbols;
    uint64_t count[SYMBOLS];
    uint16_t len[SYMBOLS];
    uint16_t code[SYMBOLS]; /* first transmitted bit lowest */
} huff;

static int fits(const dscq_qweights *l)
{
    return l->form != DSCQ_FORM_BINARY && l->bits <= 8;
}

/* ---- lengths ---- */

/* Depths of a Huffman tree by repeatedly joining the two rarest nodes; ties by the
 * lower index, so that the lengths do not depend on the platform. */
static int tree_lengths(huff *h)
{
    uint64_t weight[2 * SYMBOLS];
    int16_t parent[2 * SYMBOLS], alive[SYMBOLS];
    int live = 0, nodes = SYMBOLS, deepest = 0;

    for (int i = 0; i < h->symbols; i++) {
        h->len[i] = 0;
        weight[i] = h->count[i];
        if (h->count[i] != 0)
            alive[live++] = (int16_t)i;
    }
    if (live == 1) {
        h->len[alive[0]] = 1;
        return 1;
    }
    const int leaves = live;
    int16_t leaf[SYMBOLS];
    memcpy(leaf, alive, sizeof leaf);
    while (live > 1) {
        for (int pick = 0; pick < 2; pick++) { /* the rarest to the end */
            int best = 0;
            for (int i = 1; i < live - pick; i++)
                if (weight[alive[i]] < weight[alive[best]] ||
                    (weight[alive[i]] == weight[alive[best]] && alive[i] < alive[best]))
                    best = i;
            const int16_t t = alive[best];
            alive[best] = alive[live - 1 - pick];
            alive[live - 1 - pick] = t;
        }
        const int16_t a = alive[live - 1], b = alive[live - 2];
        weight[nodes] = weight[a] + weight[b];
        parent[a] = parent[b] = (int16_t)nodes;
        alive[live - 2] = (int16_t)nodes++;
        live--;
    }
    for (int i = 0; i < leaves; i++) {
        int depth = 0;
        for (int n = leaf[i]; n != nodes - 1; n = parent[n])
            depth++;
        h->len[leaf[i]] = (uint16_t)depth;
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest;
}

static void limited_lengths(huff *h)
{
    uint64_t kept[SYMBOLS];

    memcpy(kept, h->count, sizeof kept);
    while (tree_lengths(h) > LEN_MAX)
        for (int i = 0; i < h->symbols; i++)
            h->count[i] = (h->count[i] + 1) / 2; /* flatter, never 0 */
    memcpy(h->count, kept, sizeof kept);
}

/* Canonical codes from lengths: shorter first, then by symbol. 0: not a code. */
static int assign_codes(huff *h)
{
    uint32_t next = 0, room = 0;
    int used = 0;

    for (int n = 1; n <= LEN_MAX; n++) {
        for (int i = 0; i < h->symbols; i++) {
            if (h->len[i] != n)
                continue;
            uint32_t reversed = 0;
            for (int b = 0; b < n; b++)
                reversed |= (next >> b & 1) << (n - 1 - b);
            h->code[i] = (uint16_t)reversed;
            next++;
            room += 1U << (LEN_MAX - n);
            used++;
        }
        if (next > 1U << n)
            return 0;
        next <<= 1;
    }
    if (used == 0)
        return 1;
    return room == 1U << LEN_MAX || (used == 1 && room == 1U << (LEN_MAX - 1));
}

/* ---- walking the pairs ---- */

typedef void pair_fn(void *ctx, uint32_t gap, uint32_t code);

static uint64_t for_pairs(const dscq_qweights *l, const uint16_t *code, int g,
                          pair_fn *fn, void *ctx)
{
    const uint32_t full = (1U << g) - 1;
    size_t run = 0;
    uint64_t pairs = 0;

    for (size_t i = 0; i < l->count; i++) {
        if (code[i] == 0) {
            run++;
            continue;
        }
        for (; run > full; run -= (size_t)full + 1, pairs++)
            fn(ctx, full, 0);
        fn(ctx, (uint32_t)run, code[i]);
        pairs++;
        run = 0;
    }
    return pairs;
}

typedef struct coder {
    huff value, gap;
    dscq_buf *b;
} coder;

static void count_pair(void *ctx, uint32_t gap, uint32_t code)
{
    coder *c = ctx;

    c->gap.count[gap]++;
    c->value.count[code]++;
}

static void put_pair(void *ctx, uint32_t gap, uint32_t code)
{
    coder *c = ctx;

    dscq_put_bits(c->b, c->gap.code[gap], c->gap.len[gap]);
    dscq_put_bits(c->b, c->value.code[code], c->value.len[code]);
}

static uint64_t prepare(coder *c, const dscq_qweights *l, const uint16_t *code, int g)
{
    memset(c, 0, sizeof *c);
    c->value.symbols = 1 << l->bits;
    c->gap.symbols = 1 << g;
    const uint64_t pairs = for_pairs(l, code, g, count_pair, c);
    if (pairs > 0) {
        limited_lengths(&c->value);
        limited_lengths(&c->gap);
    }
    (void)assign_codes(&c->value);
    (void)assign_codes(&c->gap);
    return pairs;
}

static uint64_t varint_bits(uint64_t v)
{
    uint64_t n = 8;

    for (; v >= 0x80; v >>= 7)
        n += 8;
    return n;
}

static void cost_of(dscq_pack_size *out, const coder *c, uint64_t pairs)
{
    const uint64_t tables = 4 * ((uint64_t)c->value.symbols + (uint64_t)c->gap.symbols);
    uint64_t stream = 0;

    *out = (dscq_pack_size){0};
    for (int i = 1; i < c->value.symbols; i++)
        out->values += c->value.count[i] * c->value.len[i];
    for (int i = 0; i < c->gap.symbols; i++)
        stream += c->gap.count[i] * c->gap.len[i];
    out->positions = stream + c->value.count[0] * c->value.len[0];
    out->codebooks = tables;
    out->headers = varint_bits(pairs);
    out->padding = (8 - tables % 8) % 8 + (8 - (out->values + out->positions) % 8) % 8;
}

static dscq_status cost(dscq_pack_size *out, int32_t *arg, const dscq_qweights *l,
                        const uint16_t *code, dscq_error *err)
{
    coder *c = dscq_malloc(1, sizeof *c);
    uint64_t best = UINT64_MAX;

    if (c == NULL)
        return dscq_fail_nomem(err, "Huffman tables", sizeof *c);
    for (int g = GAP_MIN; g <= GAP_MAX; g++) {
        dscq_pack_size one;
        cost_of(&one, c, prepare(c, l, code, g));
        if (dscq_pack_size_bits(&one) < best) {
            best = dscq_pack_size_bits(&one);
            *out = one;
            *arg = g;
        }
    }
    dscq_free(c);
    return DSCQ_OK;
}

static dscq_status encode(dscq_buf *b, const dscq_qweights *l, int32_t arg,
                          const uint16_t *code, dscq_error *err)
{
    coder *c = dscq_malloc(1, sizeof *c);

    if (c == NULL)
        return dscq_fail_nomem(err, "Huffman tables", sizeof *c);
    const uint64_t pairs = prepare(c, l, code, arg);
    c->b = b;
    for (int i = 0; i < c->value.symbols; i++)
        dscq_put_bits(b, c->value.len[i], 4);
    for (int i = 0; i < c->gap.symbols; i++)
        dscq_put_bits(b, c->gap.len[i], 4);
    (void)dscq_put_bits_end(b);
    dscq_put_varint(b, pairs);
    (void)for_pairs(l, code, arg, put_pair, c);
    (void)dscq_put_bits_end(b);
    dscq_free(c);
    return DSCQ_OK;
}

/* ---- decoding ---- */

/* [next 15 bits] -> symbol << 4 | length; length 0: no such code. */
typedef struct tables {
    coder c;
    uint16_t value[1 << LEN_MAX], gap[1 << LEN_MAX];
} tables;

static int fill_table(uint16_t *table, huff *h)
{
    if (!assign_codes(h))
        return 0;
    memset(table, 0, sizeof *table << LEN_MAX);
    for (uint32_t i = 0; i < (uint32_t)h->symbols; i++)
        for (uint32_t at = h->code[i]; h->len[i] != 0 && at < 1U << LEN_MAX;
             at += 1U << h->len[i])
            table[at] = (uint16_t)(i << 4 | h->len[i]);
    return 1;
}

static void read_lengths(tables *t, const dscq_qweights *l, int g, dscq_reader *r)
{
    const size_t bytes = (((size_t)1 << l->bits) + ((size_t)1 << g)) * 4 / 8 +
                         ((((size_t)1 << l->bits) + ((size_t)1 << g)) * 4 % 8 != 0);
    const uint8_t *p = dscq_get_bytes(r, bytes, "Huffman lengths");
    dscq_bits b;

    if (r->bad != NULL)
        return;
    dscq_bits_init(&b, p, bytes);
    t->c.value.symbols = 1 << l->bits;
    t->c.gap.symbols = 1 << g;
    for (int i = 0; i < t->c.value.symbols; i++)
        t->c.value.len[i] = (uint16_t)dscq_bits_get(&b, 4);
    for (int i = 0; i < t->c.gap.symbols; i++)
        t->c.gap.len[i] = (uint16_t)dscq_bits_get(&b, 4);
    pack__bits_check(r, &b, "Huffman lengths");
    if (!fill_table(t->value, &t->c.value) || !fill_table(t->gap, &t->c.gap))
        dscq_get_fail(r, "Huffman lengths are not a code");
}

static uint32_t next_symbol(dscq_bits *b, const uint16_t *table)
{
    dscq_bits_fill(b);
    const uint32_t e = table[b->acc & ((1U << LEN_MAX) - 1)];
    if ((e & 15) == 0)
        b->bad = 1;
    dscq_bits_skip(b, e & 15);
    return e >> 4;
}

static void read_pairs(uint16_t *code, const dscq_qweights *l, int g, uint64_t pairs,
                       const tables *t, dscq_reader *r)
{
    const uint32_t full = (1U << g) - 1;
    size_t at = 0;
    int filler = 0;
    dscq_bits b;

    dscq_bits_init(&b, r->buf + r->pos, r->len - r->pos);
    for (; pairs > 0 && !b.bad; pairs--) {
        const uint32_t gap = next_symbol(&b, t->gap);
        const uint32_t v = next_symbol(&b, t->value);
        at += gap;
        filler = v == 0;
        if (at >= l->count || (filler && gap != full)) {
            dscq_get_fail(r, "Huffman pairs");
            return;
        }
        code[at++] = (uint16_t)v;
    }
    if (filler)
        dscq_get_fail(r, "Huffman pairs end with a filler");
    pack__bits_check(r, &b, "Huffman pairs");
}

static dscq_status decode(uint16_t *code, const dscq_qweights *l, int32_t arg,
                          dscq_reader *r, dscq_error *err)
{
    tables *t = dscq_calloc(1, sizeof *t);

    if (t == NULL)
        return dscq_fail_nomem(err, "Huffman tables", sizeof *t);
    memset(code, 0, l->count * sizeof *code);
    read_lengths(t, l, arg, r);
    const uint64_t pairs = dscq_get_varint(r, "number of Huffman pairs");
    if (r->bad == NULL)
        read_pairs(code, l, arg, pairs, t, r);
    dscq_free(t);
    return DSCQ_OK;
}

const pack_encoding pack__enc_huffman = {
    .info = {"huffman", "gap pairs under two canonical Huffman codes", DSCQ_PACK_ATREST,
             0.5, 2 * (1 << LEN_MAX) * 12,
             "a pair takes two serial table look-ups; meant for loading from flash"},
    .fits = fits,
    .cost = cost,
    .encode = encode,
    .decode = decode,
    .arg_min = GAP_MIN,
    .arg_max = GAP_MAX,
};
