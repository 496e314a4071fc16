/* BMP, strictly: Microsoft's headers of 12 (OS/2 1) to 124 bytes (BITMAPV5HEADER), 1,
 * 4, 8, 16, 24 and 32 bits, palettes, masks, RLE4 and RLE8, rows from either end. */
#include "data_internal.h"
#include "dscq/base/alloc.h"

#include <string.h>

enum { FILE_HEADER = 14, PALETTE_MAX = 256 };

/* Values of `compression`. */
enum { PLAIN = 0, RLE8 = 1, RLE4 = 2, MASKS = 3, JPEG = 4, PNG = 5, ALPHA_MASKS = 6 };

/* One sample of a 16 or 32 bit pixel. */
typedef struct sample {
    uint32_t mask;
    unsigned shift, bits;
} sample;

typedef struct bmp {
    data_decode *job;
    const uint8_t *data;
    size_t bytes;
    uint32_t header, bits, compression, pixels_at;
    int is_top_down;
    uint32_t colours;
    uint8_t palette[PALETTE_MAX][3];
    sample channel[4]; /* R G B A */
    dscq_error *err;
} bmp;

static uint32_t u16(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t u32(const uint8_t *p)
{
    return u16(p) | u16(p + 2) << 16;
}

#define REFUSE(b, ...) dscq_fail((b)->err, DSCQ_FORMAT, "%s: damaged BMP: " __VA_ARGS__)

/* Width, height, bits and compression; the palette's and masks' places follow. */
static dscq_status read_header(bmp *b)
{
    const uint8_t *d = b->data, *h = d + FILE_HEADER;
    data_decode *job = b->job;

    b->pixels_at = u32(d + 10);
    b->header = u32(h);
    if (b->bytes < FILE_HEADER + b->header)
        return REFUSE(b, "cut short in its header", job->name);
    const int is_old = b->header == 12;
    const uint32_t rows = is_old ? u16(h + 6) : u32(h + 8);

    job->width = is_old ? u16(h + 4) : u32(h + 4);
    b->is_top_down = rows >> 31 != 0;
    job->height = b->is_top_down ? 0u - rows : rows;
    b->bits = is_old ? u16(h + 10) : u16(h + 14);
    b->compression = b->header >= 40 ? u32(h + 16) : PLAIN;
    b->colours = b->header >= 40 ? u32(h + 32) : 0;
    return DSCQ_OK;
}

static dscq_status check_form(const bmp *b)
{
    const char *name = b->job->name;
    const uint32_t bits = b->bits, c = b->compression;
    const int is_os2 = b->header == 64 || b->header == 16;

    if (c == JPEG || c == PNG || c > ALPHA_MASKS || (is_os2 && c >= MASKS))
        return dscq_fail(b->err, DSCQ_UNSUPPORTED,
                         "%s: a form of BMP not read here: compression %u", name,
                         (unsigned)c);
    if (bits != 1 && bits != 4 && bits != 8 && bits != 16 && bits != 24 && bits != 32)
        return REFUSE(b, "%u bits a pixel", name, (unsigned)bits);
    if ((c == RLE8 && bits != 8) || (c == RLE4 && bits != 4) ||
        ((c == MASKS || c == ALPHA_MASKS) && bits != 16 && bits != 32))
        return REFUSE(b, "compression %u with %u bits a pixel", name, (unsigned)c,
                      (unsigned)bits);
    if ((c == RLE8 || c == RLE4) && b->is_top_down)
        return REFUSE(b, "run lengths from the top down", name);
    return DSCQ_OK;
}

static dscq_status read_palette(bmp *b)
{
    const size_t entry = b->header == 12 ? 3 : 4, at = FILE_HEADER + b->header;
    const uint32_t most = 1u << b->bits;
    const uint32_t n = b->colours == 0 || b->colours > most ? most : b->colours;

    /* Old files with a full palette's number of bits may store fewer colours than that:
     * what lies before the pixels counts. */
    for (uint32_t i = 0; i < n; i++) {
        const size_t from = at + i * entry;

        if (from + entry > b->bytes ||
            (b->pixels_at > at && from + entry > b->pixels_at)) {
            if (i == 0 || b->colours != 0)
                return REFUSE(b, "cut short in its palette", b->job->name);
            b->colours = i;
            return DSCQ_OK;
        }
        for (int k = 0; k < 3; k++)
            b->palette[i][k] = b->data[from + 2 - (size_t)k];
    }
    b->colours = n;
    return DSCQ_OK;
}

static sample sample_of(uint32_t mask)
{
    sample s = {mask, 0, 0};

    while (mask != 0 && (mask & 1) == 0) {
        mask >>= 1;
        s.shift++;
    }
    for (; mask & 1; mask >>= 1)
        s.bits++;
    s.mask = mask != 0 ? 0 : s.mask; /* with a hole: no mask */
    return s;
}

static dscq_status read_masks(bmp *b)
{
    static const uint32_t k_plain[2][3] = {{0x7c00, 0x3e0, 0x1f},
                                           {0xff0000, 0xff00, 0xff}};
    const int has_masks = b->compression == MASKS || b->compression == ALPHA_MASKS;
    const size_t at = FILE_HEADER + 40;
    /* A header of 56 bytes and more has a place for alpha; with 40 bytes the masks
     * follow it. */
    const int count = b->header >= 56 || b->compression == ALPHA_MASKS ? 4 : 3;

    for (int k = 0; k < 3 && !has_masks; k++)
        b->channel[k] = sample_of(k_plain[b->bits == 32][k]);
    if (!has_masks)
        return DSCQ_OK;
    if (b->bytes < at + 4 * (size_t)count)
        return REFUSE(b, "cut short in its masks", b->job->name);
    uint32_t seen = 0;
    for (int k = 0; k < count; k++) {
        const uint32_t mask = u32(b->data + at + 4 * (size_t)k);

        b->channel[k] = sample_of(mask);
        if ((k < 3 && mask == 0) || b->channel[k].mask != mask || (seen & mask) != 0 ||
            (b->bits == 16 && mask > 0xffff))
            return REFUSE(b, "mask %08x", b->job->name, (unsigned)mask);
        seen |= mask;
    }
    return DSCQ_OK;
}

/* A sample of any width, stretched to 0..255. */
static uint8_t stretch(const sample *s, uint32_t pixel)
{
    const uint64_t v = (pixel & s->mask) >> s->shift;
    const uint64_t most = ((uint64_t)1 << s->bits) - 1;

    return (uint8_t)((v * 255 + most / 2) / most);
}

/* ---- rows without run lengths ---- */

static dscq_status index_row(uint8_t *to, const bmp *b, const uint8_t *from)
{
    const unsigned per = 8 / b->bits, mask = (1u << b->bits) - 1;

    for (uint32_t x = 0; x < b->job->width; x++) {
        const unsigned shift = b->bits * (per - 1 - x % per);
        const unsigned v = ((unsigned)from[x / per] >> shift) & mask;

        if (v >= b->colours)
            return REFUSE(b, "colour %u of a palette of %u", b->job->name, v,
                          (unsigned)b->colours);
        memcpy(to + 3 * (size_t)x, b->palette[v], 3);
    }
    return DSCQ_OK;
}

/* RGB, or RGBA where the file has alpha. */
static void mask_row(uint8_t *to, const bmp *b, const uint8_t *from, size_t samples)
{
    const size_t step = b->bits / 8;

    for (uint32_t x = 0; x < b->job->width; x++) {
        const uint8_t *p = from + x * step;
        const uint32_t pixel = step == 2 ? u16(p) : u32(p);

        for (size_t k = 0; k < samples; k++)
            to[x * samples + k] = stretch(&b->channel[k], pixel);
    }
}

static void true_row(uint8_t *to, const bmp *b, const uint8_t *from)
{
    for (size_t x = 0; x < b->job->width; x++)
        for (size_t k = 0; k < 3; k++)
            to[3 * x + k] = from[3 * x + 2 - k];
}

static dscq_status read_rows(uint8_t *to, const bmp *b, size_t samples)
{
    const size_t w = b->job->width, h = b->job->height;
    const size_t stride = (w * b->bits + 31) / 32 * 4;

    if (b->pixels_at > b->bytes || (b->bytes - b->pixels_at) / stride < h)
        return REFUSE(b, "cut short in its pixels", b->job->name);
    for (size_t y = 0; y < h; y++) {
        const uint8_t *from = b->data + b->pixels_at + y * stride;
        uint8_t *row = to + (b->is_top_down ? y : h - 1 - y) * w * samples;
        dscq_status status = DSCQ_OK;

        if (b->bits <= 8)
            status = index_row(row, b, from);
        else if (b->bits == 24)
            true_row(row, b, from);
        else
            mask_row(row, b, from, samples);
        if (status != DSCQ_OK)
            return status;
    }
    return DSCQ_OK;
}

/* ---- run lengths ---- */

typedef struct runs {
    const bmp *b;
    const uint8_t *at, *end;
    uint8_t *to;
    uint32_t x, y; /* y counts from the lowest row */
} runs;

/* `n` pixels: of two colours in turn, or packed one after another. */
static dscq_status put(runs *r, unsigned n, const uint8_t *packed, unsigned pair)
{
    const bmp *b = r->b;
    const uint32_t w = b->job->width, h = b->job->height;

    if (r->y >= h || n > w - r->x)
        return REFUSE(b, "a run leaves the picture", b->job->name);
    for (unsigned i = 0; i < n; i++, r->x++) {
        const unsigned byte = packed == NULL ? pair : packed[b->bits == 8 ? i : i / 2];
        const unsigned v = b->bits == 8 ? byte : i % 2 == 0 ? byte >> 4 : byte & 15;

        if (v >= b->colours)
            return REFUSE(b, "colour %u of a palette of %u", b->job->name, v,
                          (unsigned)b->colours);
        memcpy(r->to + ((size_t)(h - 1 - r->y) * w + r->x) * 3, b->palette[v], 3);
    }
    return DSCQ_OK;
}

/* What stands behind a zero: end of row (0), of picture (1), a jump (2), or so many
 * pixels as they are, filled up to an even number of bytes. */
static dscq_status escape(runs *r, unsigned code, int *is_done)
{
    const bmp *b = r->b;
    const size_t left = (size_t)(r->end - r->at);

    if (code == 0) {
        r->x = 0;
        r->y++;
    } else if (code == 1) {
        *is_done = 1;
    } else if (code == 2) {
        if (left < 2)
            return REFUSE(b, "cut short in its pixels", b->job->name);
        r->x += r->at[0];
        r->y += r->at[1];
        r->at += 2;
        if (r->x > b->job->width || r->y > b->job->height)
            return REFUSE(b, "a jump leaves the picture", b->job->name);
    } else {
        const size_t bytes = b->bits == 8 ? code : (code + 1) / 2;

        if (left < bytes)
            return REFUSE(b, "cut short in its pixels", b->job->name);
        const dscq_status status = put(r, code, r->at, 0);
        if (status != DSCQ_OK)
            return status;
        r->at += bytes + (left > bytes ? bytes % 2 : 0);
    }
    return DSCQ_OK;
}

static dscq_status read_runs(uint8_t *to, const bmp *b)
{
    const size_t n = (size_t)b->job->width * b->job->height;
    runs r = {.b = b, .to = to, .end = b->data + b->bytes};
    int is_done = 0;

    if (b->pixels_at > b->bytes)
        return REFUSE(b, "cut short in its pixels", b->job->name);
    r.at = b->data + b->pixels_at;
    for (size_t i = 0; i < n; i++) /* what no run writes shows the first colour */
        memcpy(to + 3 * i, b->palette[0], 3);
    while (!is_done) {
        if (r.end - r.at < 2) {
            if (r.y >= b->job->height ||
                (r.y + 1 == b->job->height && r.x == b->job->width))
                break; /* all rows are there, only the end mark is not */
            return REFUSE(b, "cut short in its pixels", b->job->name);
        }
        const unsigned count = r.at[0], value = r.at[1];

        r.at += 2;
        const dscq_status status =
            count > 0 ? put(&r, count, NULL, value) : escape(&r, value, &is_done);
        if (status != DSCQ_OK)
            return status;
    }
    return DSCQ_OK;
}

/* ---- all of it ---- */

/* Many writers declare alpha and leave it at nothing: then the picture is opaque. */
static int has_alpha(const bmp *b, size_t pixels)
{
    const uint8_t *from = b->data + b->pixels_at;
    const size_t step = b->bits / 8, w = b->job->width;
    const size_t stride = (w * b->bits + 31) / 32 * 4;

    if (b->channel[3].mask == 0 || b->pixels_at > b->bytes ||
        (b->bytes - b->pixels_at) / stride < b->job->height)
        return 0;
    for (size_t i = 0; i < pixels; i++) {
        const uint8_t *p = from + i / w * stride + i % w * step;
        if (((step == 2 ? u16(p) : u32(p)) & b->channel[3].mask) != 0)
            return 1;
    }
    return 0;
}

static dscq_status read_transparent(dscq_image *out, const bmp *b, size_t pixels)
{
    data_decode *job = b->job;
    dscq_image own = {0};
    dscq_status status;

    own.px = dscq_malloc(pixels, 4);
    if (own.px == NULL)
        return dscq_fail_nomem(b->err, job->name, pixels * 4);
    status = read_rows(own.px, b, 4);
    if (status == DSCQ_OK && data__composite(out, own.px, 4, job->opts.background))
        job->notes |= DSCQ_IMAGE_TRANSPARENT;
    dscq_image_clear(&own);
    return status;
}

/* A palette of greys only is a grey picture, as in the other formats. */
static int is_grey(const bmp *b)
{
    for (uint32_t i = 0; b->bits <= 8 && i < b->colours; i++)
        if (b->palette[i][0] != b->palette[i][1] ||
            b->palette[i][1] != b->palette[i][2])
            return 0;
    return b->bits <= 8;
}

dscq_status data__bmp_decode(data_decode *job, dscq_image *out, dscq_error *err)
{
    bmp b = {.job = job, .data = job->data, .bytes = job->bytes, .err = err};
    dscq_status status;

    job->orientation = 1;
    DSCQ_TRY(read_header(&b));
    DSCQ_TRY(job->check_size(job, err));
    DSCQ_TRY(check_form(&b));
    if (job->header_only)
        goto done;
    const size_t pixels = (size_t)job->width * job->height;

    if (b.bits <= 8)
        DSCQ_TRY(read_palette(&b));
    else if (b.bits != 24)
        DSCQ_TRY(read_masks(&b));
    DSCQ_TRY(dscq_image_init(out, (int32_t)job->width, (int32_t)job->height, 3, err));
    if (b.compression == RLE8 || b.compression == RLE4)
        status = read_runs(out->px, &b);
    else if (has_alpha(&b, pixels))
        status = read_transparent(out, &b, pixels);
    else
        status = read_rows(out->px, &b, 3);
    if (status == DSCQ_OK && is_grey(&b)) {
        job->notes |= DSCQ_IMAGE_GREY;
        status = dscq_image_set_channels(out, 1, err);
    }
done:
    return status;
}
