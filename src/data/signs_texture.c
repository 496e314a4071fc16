/* The signs themselves: 6 shapes x 6 colour schemes x 32 glyphs. Classes come in
 * families of four that share shape and colours and differ in a similar glyph, so
 * that telling them apart takes detail, which is what compression loses first. */
#include "data_internal.h"
#include "dscq/base/alloc.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ONE = 4096, /* of the coordinates below: the sign spans -ONE..ONE */
    SHAPES = 6,
    SCHEMES = 6,
    FAMILY = 4,
    GROUPS = 8,
    SUB = 4, /* samples a texel, each way */
    SMALLEST = 8
};

typedef struct glyph {
    char name[8];
    uint8_t row[7]; /* 5 bits each, left column = 16 */
} glyph;

/* clang-format off */
static const glyph k_glyph[GROUPS * FAMILY] = {
    {"3", {31,  2,  4,  2,  1, 17, 14}}, {"5", {31, 16, 30,  1,  1, 17, 14}},
    {"6", { 6,  8, 16, 30, 17, 17, 14}}, {"8", {14, 17, 17, 14, 17, 17, 14}},
    {"P", {30, 17, 17, 30, 16, 16, 16}}, {"R", {30, 17, 17, 30, 20, 18, 17}},
    {"B", {30, 17, 17, 30, 17, 17, 30}}, {"D", {28, 18, 17, 17, 17, 18, 28}},
    {"up", {4, 14, 21,  4,  4,  4,  4}}, {"down", {4, 4, 4,  4, 21, 14,  4}},
    {"plus", {0, 4, 4, 31,  4,  4,  0}}, {"bar", {0, 0, 31, 31, 31,  0,  0}},
    {"0", {14, 17, 17, 17, 17, 17, 14}}, {"9", {14, 17, 17, 15,  1,  2, 12}},
    {"C", {14, 17, 16, 16, 16, 17, 14}}, {"G", {14, 17, 16, 23, 17, 17, 15}},
    {"E", {31, 16, 16, 30, 16, 16, 31}}, {"F", {31, 16, 16, 30, 16, 16, 16}},
    {"H", {17, 17, 17, 31, 17, 17, 17}}, {"K", {17, 18, 20, 24, 20, 18, 17}},
    {"T", {31,  4,  4,  4,  4,  4,  4}}, {"Y", {17, 17, 17, 10,  4,  4,  4}},
    {"V", {17, 17, 17, 17, 17, 10,  4}}, {"X", {17, 17, 10,  4, 10, 17, 17}},
    {"1", { 4, 12,  4,  4,  4,  4, 14}}, {"2", {14, 17,  1,  2,  4,  8, 31}},
    {"4", { 2,  6, 10, 18, 31,  2,  2}}, {"7", {31,  1,  2,  4,  8,  8,  8}},
    {"M", {17, 27, 21, 21, 17, 17, 17}}, {"N", {17, 17, 25, 21, 19, 17, 17}},
    {"W", {17, 17, 17, 21, 21, 21, 10}}, {"U", {17, 17, 17, 17, 17, 17, 14}},
};

typedef struct scheme {
    char name[8];
    uint8_t rim[3], face[3], ink[3];
} scheme;

static const scheme k_scheme[SCHEMES] = {
    {"red",    {196,  24,  32}, {238, 238, 232}, { 24,  24,  26}},
    {"blue",   {236, 238, 240}, { 24,  74, 168}, {240, 240, 240}},
    {"yellow", { 28,  28,  28}, {244, 200,  28}, { 22,  22,  22}},
    {"stop",   {240, 236, 232}, {190,  26,  34}, {244, 242, 238}},
    {"green",  {236, 240, 236}, { 20, 122,  70}, {242, 242, 238}},
    {"plain",  { 36,  70, 150}, {236, 236, 238}, { 30,  52, 120}},
};

/* Half-planes n.p <= reach; normals in 1/16384. A circle has none. */
typedef struct outline {
    char name[10];
    int32_t shift;           /* added to v: where the centre of the outline is */
    int32_t reach, sides;
    int16_t nx[8], ny[8];
    int32_t glyph_v, glyph_half; /* centre and half height of the glyph */
} outline;

static const outline k_outline[SHAPES] = {
    {"circle",   0,    3900, 0, {0}, {0}, 0, 2050},
    {"triangle", -700, 2150, 3, {0, 14189, -14189}, {16384, -8192, -8192}, 850, 1350},
    {"square",   0,    3500, 4, {16384, -16384, 0, 0}, {0, 0, 16384, -16384}, 0, 2250},
    {"octagon",  0,    3750, 8, {16384, 11585, 0, -11585, -16384, -11585, 0, 11585},
                                {0, 11585, 16384, 11585, 0, -11585, -16384, -11585}, 0, 2050},
    {"diamond",  0,    2850, 4, {11585, -11585, 11585, -11585},
                                {11585, 11585, -11585, -11585}, 0, 1600},
    {"wedge",    700,  2150, 3, {0, 14189, -14189}, {-16384, 8192, 8192}, -850, 1350},
};
/* clang-format on */

typedef struct sign_kind {
    int32_t shape, scheme, glyph;
} sign_kind;

struct data_signs {
    int32_t classes, side, levels; /* level k has side >> k texels a side */
    size_t class_bytes;
    uint8_t *texel; /* [classes][levels][side >> k][side >> k][4] */
};

/* Every triple occurs once; neighbouring families differ in everything. */
static sign_kind kind_of(int32_t cls)
{
    const int32_t family = cls / FAMILY, pair = family % (SHAPES * SCHEMES);
    const int32_t turn = family / (SHAPES * SCHEMES);

    return (sign_kind){pair % SHAPES, (pair / SHAPES + pair) % SCHEMES,
                       (pair + turn) % GROUPS * FAMILY + cls % FAMILY};
}

void data__sign_class_name(char *out, size_t cap, int32_t cls)
{
    const sign_kind k = kind_of(cls);

    (void)snprintf(out, cap, "%s_%s_%s", k_scheme[k.scheme].name,
                   k_outline[k.shape].name, k_glyph[k.glyph].name);
}

static int32_t square_root(int64_t v)
{
    int64_t r = 0;

    for (int64_t bit = (int64_t)1 << 30; bit > 0; bit >>= 1)
        if ((r + bit) * (r + bit) <= v)
            r += bit;
    return (int32_t)r;
}

/* Distance to the outline, positive inside. */
static int32_t depth(const outline *o, int32_t u, int32_t v)
{
    int32_t least = o->reach;

    v += o->shift;
    if (o->sides == 0)
        return o->reach - square_root((int64_t)u * u + (int64_t)v * v);
    for (int32_t i = 0; i < o->sides; i++) {
        const int32_t d = o->reach - ((o->nx[i] * u + o->ny[i] * v) >> 14);
        least = d < least ? d : least;
    }
    return least;
}

static int32_t bit_at(const glyph *g, int32_t x, int32_t y)
{
    return x >= 0 && x < 5 && y >= 0 && y < 7 ? g->row[y] >> (4 - x) & 1 : 0;
}

/* The 5x7 dots, interpolated and cut at a half, so that strokes are smooth. */
static int is_ink(const outline *o, const glyph *g, int32_t u, int32_t v)
{
    const int32_t cell = 2 * o->glyph_half / 7;
    const int32_t x = (u + cell * 5 / 2) * 256 / cell - 128;
    const int32_t y = (v - o->glyph_v + o->glyph_half) * 256 / cell - 128;

    if (x < -256 || y < -256 || x >= 5 * 256 || y >= 7 * 256)
        return 0;
    const int32_t ix = (x + 256) / 256 - 1, iy = (y + 256) / 256 - 1;
    const int32_t fx = x - ix * 256, fy = y - iy * 256;
    const int32_t top = bit_at(g, ix, iy) * (256 - fx) + bit_at(g, ix + 1, iy) * fx;
    const int32_t low =
        bit_at(g, ix, iy + 1) * (256 - fx) + bit_at(g, ix + 1, iy + 1) * fx;

    return top * (256 - fy) + low * fy >= 27000; /* a little fatter than a half */
}

/* Colour at one point; NULL outside the sign. */
static const uint8_t *colour_at(const sign_kind *k, int32_t u, int32_t v)
{
    const outline *o = &k_outline[k->shape];
    const scheme *c = &k_scheme[k->scheme];
    const int32_t d = depth(o, u, v);

    if (d <= 0)
        return NULL;
    if (d < 560)
        return c->rim;
    return is_ink(o, &k_glyph[k->glyph], u, v) ? c->ink : c->face;
}

static void draw_texel(uint8_t rgba[4], const sign_kind *k, int32_t x, int32_t y,
                       int32_t side)
{
    uint32_t sum[3] = {0}, hits = 0;

    for (int32_t j = 0; j < SUB * SUB; j++) {
        const int32_t px = (x * SUB + j % SUB) * 2 + 1,
                      py = (y * SUB + j / SUB) * 2 + 1;
        const uint8_t *c =
            colour_at(k, px * ONE / (side * SUB) - ONE, py * ONE / (side * SUB) - ONE);

        for (int i = 0; c != NULL && i < 3; i++)
            sum[i] += c[i];
        hits += c != NULL;
    }
    for (int i = 0; i < 3; i++)
        rgba[i] = (uint8_t)(hits > 0 ? (sum[i] + hits / 2) / hits : 128);
    rgba[3] = (uint8_t)((hits * 255 + SUB * SUB / 2) / (SUB * SUB));
}

/* Mean of 2x2 texels, colours weighted by how much sign is in them. */
static void halve(uint8_t *to, const uint8_t *from, size_t side)
{
    for (size_t i = 0; i < side / 2 * (side / 2); i++) {
        const size_t x = i % (side / 2) * 2, y = i / (side / 2) * 2;
        uint32_t sum[3] = {0}, alpha = 0;

        for (size_t k = 0; k < 4; k++) {
            const uint8_t *t = from + 4 * ((y + k / 2) * side + x + k % 2);

            for (int c = 0; c < 3; c++)
                sum[c] += (uint32_t)t[c] * t[3];
            alpha += t[3];
        }
        for (size_t c = 0; c < 3; c++)
            to[4 * i + c] = (uint8_t)(alpha > 0 ? (sum[c] + alpha / 2) / alpha : 128);
        to[4 * i + 3] = (uint8_t)((alpha + 2) / 4);
    }
}

static void draw_class(uint8_t *texel, int32_t cls, int32_t side)
{
    const sign_kind k = kind_of(cls);

    for (int32_t i = 0; i < side * side; i++)
        draw_texel(texel + 4 * (size_t)i, &k, i % side, i / side, side);
    for (size_t n = (size_t)side; n > SMALLEST; n /= 2) {
        halve(texel + 4 * n * n, texel, n);
        texel += 4 * n * n;
    }
}

dscq_status data__signs_create(data_signs **out, int32_t classes, int32_t side,
                               dscq_error *err)
{
    data_signs *s = dscq_calloc(1, sizeof *s);

    *out = NULL;
    if (s == NULL)
        return dscq_fail_nomem(err, "sign textures", sizeof *s);
    assert(classes <= SHAPES * SCHEMES * GROUPS * FAMILY);
    s->classes = classes;
    s->side = side <= 48 ? 64 : 128;
    for (int32_t k = s->side; k >= SMALLEST; k /= 2) {
        s->class_bytes += (size_t)k * (size_t)k * 4;
        s->levels++;
    }
    s->texel = dscq_malloc((size_t)classes, s->class_bytes);
    if (s->texel == NULL) {
        data__signs_destroy(s);
        return dscq_fail_nomem(err, "sign textures",
                               (size_t)classes * (side <= 48 ? 21760 : 87296));
    }
    for (int32_t c = 0; c < classes; c++)
        draw_class(s->texel + (size_t)c * s->class_bytes, c, s->side);
    *out = s;
    return DSCQ_OK;
}

void data__signs_destroy(data_signs *s)
{
    if (s == NULL)
        return;
    dscq_free(s->texel);
    dscq_free(s);
}

const uint8_t *data__sign_texture(const data_signs *s, int32_t cls, int32_t want,
                                  int32_t *side)
{
    const uint8_t *t = s->texel + (size_t)cls * s->class_bytes;

    *side = s->side;
    while (*side > SMALLEST && *side / 2 >= want) {
        t += (size_t)*side * (size_t)*side * 4;
        *side /= 2;
    }
    return t;
}
