/* kernel: the masks of R x S kernels come from a table of the patterns that occur;
 * each kernel stores an index into it, then the codes of its weights that are not
 * zero. For depthwise and K x K layers, whose kernels repeat few patterns. */
#include "dscq/base/alloc.h"
#include "enc/encoding.h"

#include <stdlib.h>

enum { TAPS_MAX = 64, PATTERNS_MAX = 65536 };

static int fits(const dscq_qweights *l)
{
    const int64_t taps = (int64_t)l->r * l->s;

    return l->form != DSCQ_FORM_BINARY && taps > 1 && taps <= TAPS_MAX;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Kernel j of output channel k is the R x S taps at (k, r, s, j). */
static uint64_t mask_of(const dscq_qweights *l, const uint16_t *code, size_t kernel)
{
    const size_t taps = (size_t)l->r * (size_t)l->s, c = (size_t)l->c;
    const uint16_t *first = code + kernel / c * taps * c + kernel % c;
    uint64_t mask = 0;

    for (size_t t = 0; t < taps; t++)
        mask |= (uint64_t)(first[t * c] != 0) << t;
    return mask;
}

typedef struct patterns {
    uint64_t *table;       /* the ones that occur, ascending       */
    size_t kernels, count; /* count PATTERNS_MAX + 1: too many */
} patterns;

static void free_patterns(patterns *p)
{
    dscq_free(p->table);
}

/* Open addressing; 0 marks a free slot. Returns 1 when mask was not there. */
static size_t add_pattern(uint64_t *slot, size_t slots, uint64_t mask)
{
    size_t at = (size_t)(mask * UINT64_C(0x9e3779b97f4a7c15) >> 40) & (slots - 1);

    while (slot[at] != 0 && slot[at] != mask)
        at = (at + 1) & (slots - 1);
    const size_t is_new = slot[at] == 0;
    slot[at] = mask;
    return is_new;
}

/* Memory is bounded by PATTERNS_MAX, not by the kernels of the layer. */
static dscq_status find_patterns(patterns *p, const dscq_qweights *l,
                                 const uint16_t *code, dscq_error *err)
{
    size_t slots = 4, found = 0, has_zero = 0;

    p->kernels = (size_t)l->k * (size_t)l->c;
    p->count = 0;
    while (slots < 2 * p->kernels && slots < 4 * (size_t)PATTERNS_MAX)
        slots *= 2;
    p->table = dscq_calloc(slots, sizeof *p->table);
    if (p->table == NULL)
        return dscq_fail_nomem(err, "kernel patterns", slots * sizeof *p->table);
    for (size_t i = 0; i < p->kernels && found + has_zero <= PATTERNS_MAX; i++) {
        const uint64_t mask = mask_of(l, code, i);
        if (mask == 0)
            has_zero = 1;
        else
            found += add_pattern(p->table, slots, mask);
    }
    for (size_t i = 0; i < slots; i++)
        if (p->table[i] != 0)
            p->table[p->count++] = p->table[i];
    if (has_zero)
        p->table[p->count++] = 0;
    qsort(p->table, p->count, sizeof *p->table, by_value);
    return DSCQ_OK;
}

static size_t index_of(const patterns *p, uint64_t mask)
{
    const uint64_t *at = bsearch(&mask, p->table, p->count, sizeof mask, by_value);

    return (size_t)(at - p->table);
}

static dscq_status cost(dscq_pack_size *out, int32_t *arg, const dscq_qweights *l,
                        const uint16_t *code, dscq_error *err)
{
    const uint64_t taps = (uint64_t)l->r * (uint64_t)l->s;
    patterns p;
    const dscq_status status = find_patterns(&p, l, code, err);

    if (status != DSCQ_OK)
        return status;
    *arg = 0;
    if (p.count > PATTERNS_MAX) {
        free_patterns(&p);
        return dscq_fail(err, DSCQ_UNSUPPORTED, "more than %d kernel patterns",
                         PATTERNS_MAX);
    }
    const uint64_t table = taps * p.count;
    const uint64_t index = (uint64_t)p.kernels * pack__bits_for(p.count);
    out->values = (uint64_t)pack__nonzero(code, l->count) * (uint64_t)l->bits;
    out->positions = 16 + table + index;
    out->padding =
        (8 - table % 8) % 8 + (8 - index % 8) % 8 + (8 - out->values % 8) % 8;
    free_patterns(&p);
    return DSCQ_OK;
}

static void put_kernel_codes(dscq_buf *b, const dscq_qweights *l, const uint16_t *code,
                             const patterns *p)
{
    const size_t taps = (size_t)l->r * (size_t)l->s, c = (size_t)l->c;

    for (size_t i = 0; i < p->kernels; i++) {
        const uint16_t *first = code + i / c * taps * c + i % c;
        for (size_t t = 0; t < taps; t++)
            if (first[t * c] != 0)
                dscq_put_bits(b, first[t * c], (unsigned)l->bits);
    }
    (void)dscq_put_bits_end(b);
}

static dscq_status encode(dscq_buf *b, const dscq_qweights *l, int32_t arg,
                          const uint16_t *code, dscq_error *err)
{
    const unsigned taps = (unsigned)(l->r * l->s);
    patterns p;
    const dscq_status status = find_patterns(&p, l, code, err);

    (void)arg;
    if (status != DSCQ_OK)
        return status;
    dscq_put_u(b, p.count - 1, 2);
    for (size_t i = 0; i < p.count; i++) {
        dscq_put_bits(b, (uint32_t)p.table[i], taps > 32 ? 32 : taps);
        dscq_put_bits(b, (uint32_t)(p.table[i] >> 32), taps > 32 ? taps - 32 : 0);
    }
    (void)dscq_put_bits_end(b);
    for (size_t i = 0; i < p.kernels; i++)
        dscq_put_bits(b, (uint32_t)index_of(&p, mask_of(l, code, i)),
                      pack__bits_for(p.count));
    (void)dscq_put_bits_end(b);
    put_kernel_codes(b, l, code, &p);
    free_patterns(&p);
    return DSCQ_OK;
}

static uint64_t get_wide(dscq_bits *b, unsigned bits)
{
    const uint64_t low = dscq_bits_get(b, bits > 32 ? 32 : bits);

    return low | (uint64_t)dscq_bits_get(b, bits > 32 ? bits - 32 : 0) << 32;
}

static void read_table(uint64_t *table, size_t count, unsigned taps, dscq_reader *r)
{
    const size_t bytes = (count * taps + 7) / 8;
    const uint8_t *p = dscq_get_bytes(r, bytes, "kernel patterns");
    dscq_bits b;

    if (r->bad != NULL)
        return;
    dscq_bits_init(&b, p, bytes);
    for (size_t i = 0; i < count; i++) {
        table[i] = get_wide(&b, taps);
        if (i > 0 && table[i] <= table[i - 1])
            dscq_get_fail(r, "kernel patterns are not ascending");
    }
    pack__bits_check(r, &b, "kernel patterns");
}

/* Kernel i has pattern `mask`; its codes come from v. */
static int read_kernel(uint16_t *code, const dscq_qweights *l, size_t i, uint64_t mask,
                       dscq_bits *v)
{
    const size_t taps = (size_t)l->r * (size_t)l->s, c = (size_t)l->c;
    uint16_t *first = code + i / c * taps * c + i % c;
    int zero = 0;

    for (size_t t = 0; t < taps; t++) {
        first[t * c] = 0;
        if ((mask >> t & 1) != 0) {
            first[t * c] = (uint16_t)dscq_bits_get(v, (unsigned)l->bits);
            zero |= first[t * c] == 0;
        }
    }
    return !zero;
}

static void read_kernels(uint16_t *code, const dscq_qweights *l, const uint64_t *table,
                         size_t count, dscq_reader *r)
{
    const size_t kernels = (size_t)l->k * (size_t)l->c;
    const unsigned width = pack__bits_for(count);
    const size_t bytes = (kernels * width + 7) / 8;
    const uint8_t *p = dscq_get_bytes(r, bytes, "kernel pattern indices");
    dscq_bits index, v;

    if (r->bad != NULL)
        return;
    dscq_bits_init(&index, p, bytes);
    dscq_bits_init(&v, r->buf + r->pos, r->len - r->pos);
    for (size_t i = 0; i < kernels; i++) {
        const size_t at = dscq_bits_get(&index, width);
        if (at >= count || !read_kernel(code, l, i, table[at], &v)) {
            dscq_get_fail(r, "kernel codes");
            return;
        }
    }
    pack__bits_check(r, &index, "kernel pattern indices");
    pack__bits_check(r, &v, "kernel codes");
}

static dscq_status decode(uint16_t *code, const dscq_qweights *l, int32_t arg,
                          dscq_reader *r, dscq_error *err)
{
    const size_t count = (size_t)dscq_get_u(r, 2, "number of kernel patterns") + 1;

    (void)arg;
    if (count > (size_t)l->k * (size_t)l->c)
        dscq_get_fail(r, "number of kernel patterns");
    if (r->bad != NULL)
        return DSCQ_OK;
    uint64_t *table = dscq_calloc(count, sizeof *table);
    if (table == NULL)
        return dscq_fail_nomem(err, "kernel patterns", count * sizeof *table);
    read_table(table, count, (unsigned)(l->r * l->s), r);
    if (r->bad == NULL)
        read_kernels(code, l, table, count, r);
    dscq_free(table);
    return DSCQ_OK;
}

const pack_encoding pack__enc_kernel = {
    .info = {"kernel", "a shared table of kernel masks, an index a kernel, the codes",
             DSCQ_PACK_FIXED, 1.0, PATTERNS_MAX / 64 * 9,
             "a pattern memory of R*S bits a row feeds the taps' enables"},
    .fits = fits,
    .cost = cost,
    .encode = encode,
    .decode = decode,
};
