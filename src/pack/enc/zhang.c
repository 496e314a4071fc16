/* Two 16-bit forms for comparison (Zhang et al. 2019, Electronics 8(3):295, as told
 * by an independent reader): convolutions store value, row and column of each weight;
 * fully connected layers value and distance. How the paper marks kernel boundaries is
 * not known; a count a kernel is our reading. */
#include "enc/encoding.h"

static int fits_conv(const dscq_qweights *l)
{
    return l->form != DSCQ_FORM_BINARY && l->bits <= 8 && l->r <= 16 && l->s <= 16 &&
           l->r * l->s < 256;
}

static int fits_fc(const dscq_qweights *l)
{
    return l->form != DSCQ_FORM_BINARY && l->bits <= 8;
}

/* ---- convolution: per kernel (k, c) a count, then value, row, column ---- */

static dscq_status cost_conv(dscq_pack_size *out, int32_t *arg, const dscq_qweights *l,
                             const uint16_t *code, dscq_error *err)
{
    const uint64_t nnz = pack__nonzero(code, l->count);

    (void)err;
    *arg = 0;
    out->values = nnz * 8;
    out->positions = nnz * 8 + (uint64_t)l->k * (uint64_t)l->c * 8;
    return DSCQ_OK;
}

static size_t tap_at(const dscq_qweights *l, size_t kernel, size_t tap)
{
    const size_t taps = (size_t)l->r * (size_t)l->s, c = (size_t)l->c;

    return kernel / c * taps * c + kernel % c + tap * c;
}

static dscq_status encode_conv(dscq_buf *b, const dscq_qweights *l, int32_t arg,
                               const uint16_t *code, dscq_error *err)
{
    const size_t kernels = (size_t)l->k * (size_t)l->c;
    const size_t taps = (size_t)l->r * (size_t)l->s;

    (void)arg;
    (void)err;
    for (size_t i = 0; i < kernels; i++) {
        unsigned count = 0;
        for (size_t t = 0; t < taps; t++)
            count += code[tap_at(l, i, t)] != 0;
        dscq_put_u(b, count, 1);
        for (size_t t = 0; t < taps; t++)
            if (code[tap_at(l, i, t)] != 0) {
                dscq_put_u(b, code[tap_at(l, i, t)], 1);
                dscq_put_u(b, t / (size_t)l->s * 16 + t % (size_t)l->s, 1);
            }
    }
    return DSCQ_OK;
}

static void read_kernel(uint16_t *code, const dscq_qweights *l, size_t kernel,
                        dscq_reader *r)
{
    const size_t taps = (size_t)l->r * (size_t)l->s;
    size_t next = 0; /* taps must ascend */

    for (size_t n = (size_t)dscq_get_u(r, 1, "weights of a kernel"); n > 0; n--) {
        const uint64_t v = dscq_get_u(r, 1, "value");
        const uint64_t at = dscq_get_u(r, 1, "row and column");
        const size_t t = (size_t)(at >> 4) * (size_t)l->s + (size_t)(at & 15);
        if ((at & 15) >= (uint64_t)l->s || t < next || t >= taps || v == 0 ||
            v >> l->bits != 0)
            dscq_get_fail(r, "kernel entry");
        if (r->bad != NULL)
            return;
        code[tap_at(l, kernel, t)] = (uint16_t)v;
        next = t + 1;
    }
}

static dscq_status decode_conv(uint16_t *code, const dscq_qweights *l, int32_t arg,
                               dscq_reader *r, dscq_error *err)
{
    const size_t kernels = (size_t)l->k * (size_t)l->c;

    (void)arg;
    (void)err;
    memset(code, 0, l->count * sizeof *code);
    for (size_t i = 0; i < kernels && r->bad == NULL; i++)
        read_kernel(code, l, i, r);
    if (r->bad == NULL && r->pos != r->len)
        dscq_get_fail(r, "bytes behind the last kernel");
    return DSCQ_OK;
}

/* ---- fully connected: value, zeros before; value 0 is a filler ---- */

static dscq_status cost_fc(dscq_pack_size *out, int32_t *arg, const dscq_qweights *l,
                           const uint16_t *code, dscq_error *err)
{
    uint64_t entries = 0, nnz = 0;
    size_t run = 0;

    (void)err;
    *arg = 0;
    for (size_t i = 0; i < l->count; i++) {
        run++;
        if (code[i] != 0) {
            entries += (run - 1) / 256 + 1;
            nnz++;
            run = 0;
        }
    }
    out->values = nnz * 8;
    out->positions = entries * 16 - nnz * 8;
    return DSCQ_OK;
}

static dscq_status encode_fc(dscq_buf *b, const dscq_qweights *l, int32_t arg,
                             const uint16_t *code, dscq_error *err)
{
    size_t run = 0;

    (void)arg;
    (void)err;
    for (size_t i = 0; i < l->count; i++) {
        if (code[i] == 0) {
            run++;
            continue;
        }
        for (; run > 255; run -= 256)
            dscq_put_u(b, 255 << 8, 2);
        dscq_put_u(b, (uint64_t)run << 8 | code[i], 2);
        run = 0;
    }
    return DSCQ_OK;
}

static dscq_status decode_fc(uint16_t *code, const dscq_qweights *l, int32_t arg,
                             dscq_reader *r, dscq_error *err)
{
    size_t at = 0;
    int filler = 0;

    (void)arg;
    (void)err;
    memset(code, 0, l->count * sizeof *code);
    while (r->bad == NULL && r->pos < r->len) {
        const uint64_t entry = dscq_get_u(r, 2, "entry");
        const uint64_t gap = entry >> 8, v = entry & 255;
        at += (size_t)gap;
        filler = v == 0;
        if (at >= l->count || (filler && gap != 255) || v >> l->bits != 0) {
            dscq_get_fail(r, "entry");
            return DSCQ_OK;
        }
        code[at++] = (uint16_t)v;
    }
    if (filler)
        dscq_get_fail(r, "entries end with a filler");
    return DSCQ_OK;
}

const pack_encoding pack__enc_zhang_conv = {
    .info = {"zhang_conv", "16 bits a weight: value, row, column; a count a kernel",
             DSCQ_PACK_COMPARE, 1.0, 0, "row and column address the window registers"},
    .fits = fits_conv,
    .cost = cost_conv,
    .encode = encode_conv,
    .decode = decode_conv,
};

const pack_encoding pack__enc_zhang_fc = {
    .info = {"zhang_fc", "16 bits a weight: value, distance to the one before",
             DSCQ_PACK_COMPARE, 1.0, 0, "an adder for the position"},
    .fits = fits_fc,
    .cost = cost_fc,
    .encode = encode_fc,
    .decode = decode_fc,
};
