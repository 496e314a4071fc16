#include "test_tensor_util.h"

enum { INT_FAMILIES = 5, CHANNELS_MAX = 600 };

static const dscq_int_kernels *int_family_at(int i)
{
    const char *name = dscq_int_kernels_family(i);

    return name != NULL ? dscq_int_kernels_get(name) : NULL;
}

static void *block(size_t bytes)
{
    void *p = dscq_malloc(bytes, 1);

    ck_assert_ptr_nonnull(p);
    return p;
}

static uint8_t *random_bytes(dscq_rng *r, size_t count)
{
    uint8_t *p = block(count);

    for (size_t i = 0; i < count; i++)
        p[i] = (uint8_t)dscq_rng_below(r, 256);
    return p;
}

/* Weights over the whole range; `zeros` of 256 are 0. */
static int16_t *random_weights(dscq_rng *r, size_t count, uint64_t zeros)
{
    int16_t *p = block(count * sizeof *p);

    for (size_t i = 0; i < count; i++)
        p[i] = dscq_rng_below(r, 256) < zeros
                   ? 0
                   : (int16_t)((int)dscq_rng_below(r, 256) - 128);
    return p;
}

/* Requantisation whose outputs spread over the range for sums of `depth` products. */
typedef struct scales {
    int16_t mult[CHANNELS_MAX];
    uint8_t shift[CHANNELS_MAX];
    int32_t bias[CHANNELS_MAX];
    dscq_requant r;
} scales;

typedef enum style { PLAIN, LEAKY, EXTREME, WIDE, STYLES } style;

static void random_scales(scales *s, dscq_rng *r, size_t depth, style how)
{
    const int is_signed = dscq_rng_below(r, 2) == 0;
    int spread = 4;

    while (((size_t)1 << (2 * (spread - 4))) < depth)
        spread++;
    for (size_t i = 0; i < CHANNELS_MAX; i++) {
        const int sign = dscq_rng_below(r, 2) == 0 ? 1 : -1;

        s->mult[i] = (int16_t)(sign * (16384 + (int)dscq_rng_below(r, 16384)));
        s->shift[i] = (uint8_t)(spread + 4 + (int)dscq_rng_below(r, 5));
        s->bias[i] = (int32_t)dscq_rng_below(r, 20000) - 10000;
        if (how == EXTREME) {
            s->shift[i] = (uint8_t)dscq_rng_below(r, 48);
            s->bias[i] = (int32_t)dscq_rng_below(r, 1 << 24) - (1 << 23);
        }
        if (dscq_rng_below(r, 16) == 0) { /* a dead channel */
            s->mult[i] = 0;
            s->shift[i] = 0;
        }
    }
    s->r = (dscq_requant){.mult = s->mult,
                          .shift = s->shift,
                          .bias = s->bias,
                          .zero = is_signed ? -3 : 120,
                          .lo = is_signed ? -128 : 7,
                          .hi = is_signed ? 101 : 255,
                          .is_leaky = how == LEAKY,
                          .slope_q15 = 3277,
                          .offset = is_signed ? 128 : 0,
                          .out_bytes = how == WIDE ? 2 : 1};
    if (how == WIDE) {
        s->r.lo = -32768;
        s->r.hi = 32767;
        s->r.offset = 0;
    }
}

/* ---- requantise --------------------------------------------------------- */

START_TEST(requantised_rows_are_exact)
{
    const dscq_int_kernels *k = int_family_at(_i);
    static const size_t widths[] = {1, 3, 8, 16, 17, 33, 64, 100};
    dscq_rng r = dscq_rng_seeded(31);
    scales *s = block(sizeof *s);

    for (size_t c = 0; k != NULL && c < COUNT_OF(widths); c++)
        for (int how = 0; how < STYLES; how++) {
            const size_t n = widths[c], rows = 7, bytes = how == WIDE ? 2 : 1;
            int32_t *acc = block(rows * n * sizeof *acc);
            unsigned char *out = block(rows * n * bytes);
            void *rq = block(k->requant_bytes(n));

            random_scales(s, &r, how == EXTREME ? 1 : 5000, (style)how);
            for (size_t i = 0; i < rows * n; i++)
                acc[i] = (int32_t)(dscq_rng_next(&r) >> 32) >> (i % 3 == 0 ? 0 : 12);
            acc[0] = INT32_MAX;
            acc[n - 1] = INT32_MIN;
            k->requant_pack(rq, &s->r, n, 0);
            k->requant(rq, acc, n, out, n, rows, n);
            for (size_t i = 0; i < rows * n; i++) {
                int32_t want = dscq_ref_requant(&s->r, i % n, acc[i]), got = out[i];
                int16_t wide;

                if (bytes == 2) {
                    memcpy(&wide, out + 2 * i, 2);
                    got = wide;
                }
                ck_assert_msg(got == want + s->r.offset,
                              "%s n %zu style %d [%zu]: %d, want %d", k->name, n, how,
                              i, got, want + s->r.offset);
            }
            dscq_free(acc);
            dscq_free(out);
            dscq_free(rq);
        }
    dscq_free(s);
}
END_TEST

/* ---- products ----------------------------------------------------------- */

typedef struct product {
    const dscq_int_kernels *k;
    size_t m, n, depth;
    int sparse;
    style how;
} product;

/* Both products against plain sums; with and without requantisation. */
static void check_product(const product *t, dscq_rng *r, scales *s)
{
    const size_t lda = t->depth + 1, ldo = t->n + 2;
    const int32_t zero = (int32_t)dscq_rng_below(r, 256);
    uint8_t *a = random_bytes(r, t->m * lda), *out = random_bytes(r, t->m * ldo);
    int16_t *w = random_weights(r, t->n * t->depth, t->sparse ? 230 : 20);
    int32_t *acc = block(t->m * ldo * sizeof *acc);
    const dscq_int_kernels *k = t->k;
    void *packed, *rq = block(k->requant_bytes(t->n));
    void *scratch = block(k->sparse_scratch_bytes(t->n, t->depth));

    random_scales(s, r, t->depth, t->how);
    k->requant_pack(rq, &s->r, t->n, 0);
    if (t->sparse) {
        packed = block(k->sparse_packed_bytes(w, t->depth, t->n, t->depth));
        k->sparse_pack(packed, w, t->depth, t->n, t->depth, zero);
        k->sparse_gemm(packed, a, lda, acc, ldo, t->m, t->n, t->depth, NULL, scratch);
        k->sparse_gemm(packed, a, lda, out, ldo, t->m, t->n, t->depth, rq, scratch);
    } else {
        packed = block(k->gemm_packed_bytes(t->n, t->depth));
        k->gemm_pack(packed, w, t->depth, t->n, t->depth, zero);
        k->gemm(packed, a, lda, acc, ldo, t->m, t->n, t->depth, NULL);
        k->gemm(packed, a, lda, out, ldo, t->m, t->n, t->depth, rq);
    }
    for (size_t i = 0; i < t->m; i++)
        for (size_t j = 0; j < t->n; j++) {
            int64_t want = 0;

            for (size_t d = 0; d < t->depth; d++)
                want += w[j * t->depth + d] * (a[i * lda + d] - zero);
            ck_assert_msg(acc[i * ldo + j] == want,
                          "%s %zux%zux%zu [%zu,%zu]: %d, want %lld", k->name, t->m,
                          t->n, t->depth, i, j, acc[i * ldo + j], (long long)want);
            ck_assert_int_eq(out[i * ldo + j],
                             dscq_ref_requant(&s->r, j, want) + s->r.offset);
        }
    dscq_free(a);
    dscq_free(out);
    dscq_free(w);
    dscq_free(acc);
    dscq_free(packed);
    dscq_free(rq);
    dscq_free(scratch);
}

static void each_product(const dscq_int_kernels *k, int sparse)
{
    static const size_t rows[] = {1, 2, 5, 13, 29, 65, 70};
    static const size_t outs[] = {1, 4, 7, 8, 16, 17, 24, 48, 65};
    static const size_t depths[] = {1, 3, 4, 8, 27, 33, 64, 130};
    dscq_rng r = dscq_rng_seeded(32);
    scales *s = block(sizeof *s);

    for (size_t i = 0; k != NULL && i < COUNT_OF(rows); i++)
        for (size_t j = 0; j < COUNT_OF(outs); j++)
            for (size_t d = (i + j) % 2; d < COUNT_OF(depths); d += 2) {
                const style how = (i + j + d) % 7 == 0   ? EXTREME
                                  : (i + j + d) % 5 == 0 ? LEAKY
                                                         : PLAIN;
                product t = {k, rows[i], outs[j], depths[d], sparse, how};

                check_product(&t, &r, s);
            }
    if (k != NULL)
        check_product(&(product){k, 300, 20, 1030, sparse, PLAIN}, &r, s);
    dscq_free(s);
}

START_TEST(dense_products_are_exact)
{
    each_product(int_family_at(_i), 0);
}
END_TEST

START_TEST(sparse_products_are_exact)
{
    each_product(int_family_at(_i), 1);
}
END_TEST

START_TEST(the_largest_legal_accumulator_does_not_saturate)
{
    const dscq_int_kernels *k = int_family_at(_i);
    enum { DEPTH = 60000 };
    int32_t acc = 0;
    uint8_t *a;
    int16_t *w;
    void *packed;

    if (k == NULL)
        return;
    a = block(DEPTH);
    w = block(DEPTH * sizeof *w);
    memset(a, 255, DEPTH);
    for (size_t i = 0; i < DEPTH; i++)
        w[i] = -128;
    packed = block(k->gemm_packed_bytes(1, DEPTH));
    k->gemm_pack(packed, w, DEPTH, 1, DEPTH, 0);
    k->gemm(packed, a, DEPTH, &acc, 1, 1, 1, DEPTH, NULL);
    ck_assert_int_eq(acc, -128 * 255 * DEPTH);
    dscq_free(a);
    dscq_free(w);
    dscq_free(packed);
}
END_TEST

/* ---- convolutions ------------------------------------------------------- */

typedef struct shape {
    int32_t h, w, c, kh, kw, sh, sw, pad, dilation;
} shape;

static const shape shapes[] = {
    {5, 9, 1, 3, 3, 1, 1, 1, 1},   {6, 12, 8, 3, 3, 1, 1, 1, 1},
    {6, 23, 8, 3, 3, 2, 2, 1, 1},  {7, 7, 16, 3, 3, 2, 2, 1, 1},
    {7, 9, 16, 3, 3, 1, 1, 1, 1},  {8, 8, 32, 3, 3, 2, 2, 1, 1},
    {5, 3, 32, 3, 3, 1, 1, 1, 1},  {9, 9, 24, 3, 3, 1, 1, 1, 1},
    {9, 9, 24, 3, 3, 2, 2, 1, 1},  {4, 4, 64, 3, 3, 1, 1, 1, 1},
    {6, 5, 100, 3, 3, 2, 2, 1, 1}, {6, 5, 144, 5, 5, 1, 1, 2, 1},
    {9, 11, 20, 5, 5, 2, 2, 2, 1}, {8, 9, 40, 3, 2, 2, 1, 0, 2},
    {3, 3, 4, 1, 1, 1, 1, 0, 1},   {2, 2, 16, 7, 7, 1, 1, 3, 1},
    {4, 30, 16, 3, 3, 1, 3, 1, 1}, {5, 9, 144, 3, 3, 1, 1, 1, 1},
    {4, 40, 8, 3, 3, 1, 1, 1, 1},  {4, 71, 8, 3, 3, 2, 2, 1, 1},
    {4, 33, 16, 3, 3, 1, 1, 1, 1}, {4, 46, 16, 3, 3, 2, 2, 1, 1},
    {4, 17, 32, 3, 3, 1, 1, 1, 1}, {4, 29, 32, 3, 3, 2, 2, 0, 1},
    {4, 9, 64, 3, 3, 1, 1, 1, 1},  {4, 12, 128, 3, 3, 2, 2, 1, 1},
    {3, 9, 64, 1, 9, 1, 1, 0, 1},  {5, 70, 192, 3, 3, 1, 1, 1, 1},
};

static dscq_geom geom_of(const shape *s)
{
    dscq_geom g = {.in_h = s->h,
                   .in_w = s->w,
                   .c = s->c,
                   .kernel_h = s->kh,
                   .kernel_w = s->kw,
                   .stride_h = s->sh,
                   .stride_w = s->sw,
                   .pad_top = s->pad,
                   .pad_left = s->pad,
                   .dilation_h = s->dilation,
                   .dilation_w = s->dilation,
                   .groups = s->c};

    g.out_h = (s->h + 2 * s->pad - s->dilation * (s->kh - 1) - 1) / s->sh + 1;
    g.out_w = (s->w + 2 * s->pad - s->dilation * (s->kw - 1) - 1) / s->sw + 1;
    return g;
}

static void check_depthwise(const dscq_int_kernels *k, const shape *sh, style how,
                            dscq_rng *r, scales *s)
{
    const dscq_geom g = geom_of(sh);
    const size_t c = (size_t)g.c, taps = (size_t)(g.kernel_h * g.kernel_w);
    const size_t wide = (size_t)dscq_dw_in_pixels(&g) * c, line = (size_t)g.out_w * c;
    const int32_t zero = (int32_t)dscq_rng_below(r, 256);
    uint8_t *in = random_bytes(r, (size_t)(g.in_h * g.in_w) * c);
    uint8_t *padded = block((size_t)(g.in_h + 1) * wide), *out = block(line);
    int16_t *w = random_weights(r, taps * c, 20);
    int64_t *acc = block((size_t)g.out_h * line * sizeof *acc);
    void *packed = block(k->dw_packed_bytes(taps, c)), *rq = block(k->requant_bytes(c));

    random_scales(s, r, taps, how);
    k->requant_pack(rq, &s->r, c, 1);
    k->dw_pack(packed, w, taps, c, zero);
    dscq_ref_conv_int(&g, g.c, in, zero, w, acc);
    memset(padded, zero, (size_t)(g.in_h + 1) * wide); /* the last row is padding */
    for (int32_t y = 0; y < g.in_h; y++)
        for (size_t x = 0; x < (size_t)g.in_w; x++)
            if ((x + (size_t)g.pad_left + 1) * c <= wide)
                memcpy(padded + (size_t)y * wide + (x + (size_t)g.pad_left) * c,
                       in + ((size_t)(y * g.in_w) + x) * c, c);
    for (int32_t oy = 0; oy < g.out_h; oy++) {
        const uint8_t *rows[8];

        for (int32_t i = 0; i < g.kernel_h; i++) {
            int32_t y = oy * g.stride_h - g.pad_top + i * g.dilation_h;

            rows[i] = padded + (size_t)(y < 0 || y >= g.in_h ? g.in_h : y) * wide;
        }
        k->dw_row(&g, rows, packed, out, rq);
        for (size_t i = 0; i < line; i++)
            ck_assert_msg(
                out[i] == dscq_ref_requant(&s->r, i % c, acc[(size_t)oy * line + i]) +
                              s->r.offset,
                "%s %dx%dx%d k%d s%d row %d byte %zu", k->name, g.in_h, g.in_w, g.c,
                g.kernel_h, g.stride_w, oy, i);
    }
    dscq_free(in);
    dscq_free(padded);
    dscq_free(out);
    dscq_free(w);
    dscq_free(acc);
    dscq_free(packed);
    dscq_free(rq);
}

START_TEST(depthwise_rows_are_exact)
{
    const dscq_int_kernels *k = int_family_at(_i);
    dscq_rng r = dscq_rng_seeded(33);
    scales *s = block(sizeof *s);

    for (size_t i = 0; k != NULL && i < COUNT_OF(shapes); i++)
        for (int how = PLAIN; how <= EXTREME; how++)
            check_depthwise(k, &shapes[i], (style)how, &r, s);
    dscq_free(s);
}
END_TEST

/* im2col and the product make a grouped convolution. */
START_TEST(grouped_convolutions_are_exact)
{
    const dscq_int_kernels *k = int_family_at(_i);
    dscq_rng r = dscq_rng_seeded(34);

    for (size_t i = 0; k != NULL && i < COUNT_OF(shapes); i++) {
        dscq_geom g = geom_of(&shapes[i]);
        const int32_t groups = g.c % 4 == 0 ? 4 : 1, outs = 3 * groups, zero = 99;
        const size_t per = (size_t)(g.kernel_h * g.kernel_w * g.c / groups);
        const size_t pixels = (size_t)(g.out_h * g.out_w), all = (size_t)outs;
        uint8_t *in = random_bytes(&r, (size_t)(g.in_h * g.in_w * g.c) + 63);
        uint8_t *cols = block(pixels * per + 63);
        int16_t *w = random_weights(&r, per * all, 20);
        int64_t *want = block(pixels * all * sizeof *want);
        int32_t *acc = block(pixels * all * sizeof *acc);
        void *packed = block(k->gemm_packed_bytes(3, per));

        g.groups = groups;
        dscq_ref_conv_int(&g, outs, in, zero, w, want);
        for (int32_t q = 0; q < groups; q++) {
            k->gemm_pack(packed, w + (size_t)(3 * q) * per, per, 3, per, zero);
            k->im2col(&g, in, q, 0, pixels, cols, per, (uint8_t)zero);
            k->gemm(packed, cols, per, acc + 3 * q, all, pixels, 3, per, NULL);
        }
        for (size_t j = 0; j < pixels * all; j++)
            ck_assert_int_eq(acc[j], want[j]);
        dscq_free(in);
        dscq_free(cols);
        dscq_free(w);
        dscq_free(want);
        dscq_free(acc);
        dscq_free(packed);
    }
}
END_TEST

/* Windows read where they lie in a padded image make an ordinary convolution. */
static void check_lines(const dscq_int_kernels *k, const shape *sh, size_t outs,
                        dscq_rng *r, scales *s)
{
    dscq_geom g = geom_of(sh);
    const size_t c = (size_t)g.c, wide = (size_t)(g.in_w + 2 * sh->pad) * c;
    const size_t line = (size_t)g.kernel_w * c, n = (size_t)g.out_w;
    const size_t depth = line * (size_t)g.kernel_h;
    const int32_t zero = 77;
    uint8_t *in = random_bytes(r, (size_t)(g.in_h * g.in_w) * c);
    uint8_t *padded = block((size_t)(g.in_h + 2 * sh->pad) * wide);
    uint8_t *out = block(n * outs);
    int16_t *w = random_weights(r, outs * depth, 20);
    int64_t *want = block((size_t)g.out_h * n * outs * sizeof *want);
    void *packed = block(k->gemm_packed_bytes(outs, depth));
    void *rq = block(k->requant_bytes(outs));

    g.groups = 1;
    random_scales(s, r, depth, PLAIN);
    k->requant_pack(rq, &s->r, outs, 0);
    k->gemm_pack(packed, w, depth, outs, depth, zero);
    dscq_ref_conv_int(&g, (int32_t)outs, in, zero, w, want);
    memset(padded, zero, (size_t)(g.in_h + 2 * sh->pad) * wide);
    for (size_t y = 0; y < (size_t)g.in_h; y++)
        memcpy(padded + (y + (size_t)sh->pad) * wide + (size_t)sh->pad * c,
               in + y * (size_t)g.in_w * c, (size_t)g.in_w * c);
    for (size_t y = 0; y < (size_t)g.out_h; y++) {
        const dscq_byte_lines a = {padded + y * (size_t)g.stride_h * wide,
                                   (size_t)g.stride_w * c, line, (size_t)g.kernel_h,
                                   (size_t)g.dilation_h * wide};

        k->gemm_lines(packed, &a, out, outs, n, outs, rq);
        for (size_t i = 0; i < n * outs; i++)
            ck_assert_msg(
                out[i] == dscq_ref_requant(&s->r, i % outs, want[y * n * outs + i]) +
                              s->r.offset,
                "%s %zu outputs, row %zu byte %zu", k->name, outs, y, i);
    }
    dscq_free(in);
    dscq_free(padded);
    dscq_free(out);
    dscq_free(w);
    dscq_free(want);
    dscq_free(packed);
    dscq_free(rq);
}

START_TEST(windows_in_place_are_exact)
{
    const dscq_int_kernels *k = int_family_at(_i);
    static const size_t outs[] = {1, 6, 8, 16, 20, 48, 70};
    dscq_rng r = dscq_rng_seeded(37);
    scales *s = block(sizeof *s);

    for (size_t i = 0; k != NULL && i < COUNT_OF(shapes); i++)
        if (shapes[i].kw * shapes[i].c % 4 == 0 && shapes[i].dilation == 1)
            check_lines(k, &shapes[i], outs[i % COUNT_OF(outs)], &r, s);
    dscq_free(s);
}
END_TEST

/* One sum of docs/arithmetic.md section 4 on bytes as they are held. */
static uint8_t one_sum(const dscq_byte_sum *s, int a, int b)
{
    const int64_t sum =
        (int64_t)(a - s->z[0]) * s->m[0] + (int64_t)(b - s->z[1]) * s->m[1];
    const int64_t y = (((sum >> s->shift) + 128) >> 8) + s->zero;

    return (uint8_t)(y < s->lo ? s->lo : y > s->hi ? s->hi : y);
}

START_TEST(byte_sums_are_exact)
{
    const dscq_int_kernels *k = int_family_at(_i);
    dscq_rng r = dscq_rng_seeded(35);

    for (size_t n = 0; k != NULL && n < 200; n += n < 40 ? 1 : 37)
        for (int32_t shift = 0; shift < 48; shift += 5) {
            dscq_byte_sum s = {.shift = shift, .lo = 3, .hi = 250};
            uint8_t *a = random_bytes(&r, n), *b = random_bytes(&r, n);
            uint8_t *y = block(n), *one = block(n);

            for (int i = 0; i < 2; i++) {
                s.z[i] = (int32_t)dscq_rng_below(&r, 256);
                s.m[i] = (int32_t)dscq_rng_below(&r, 65535) - 32767;
            }
            s.zero = (int32_t)dscq_rng_below(&r, 256);
            k->sum_bytes(&s, a, b, y, n);
            k->sum_bytes(&s, a, NULL, one, n);
            for (size_t i = 0; i < n; i++) {
                ck_assert_uint_eq(y[i], one_sum(&s, a[i], b[i]));
                ck_assert_uint_eq(one[i], one_sum(&s, a[i], s.z[1]));
            }
            dscq_free(a);
            dscq_free(b);
            dscq_free(y);
            dscq_free(one);
        }
}
END_TEST

START_TEST(byte_maxima_and_totals_are_exact)
{
    const dscq_int_kernels *k = int_family_at(_i);
    dscq_rng r = dscq_rng_seeded(36);

    for (size_t n = 0; k != NULL && n < 300; n += n < 70 ? 1 : 61) {
        uint8_t *x[5], *y = block(n);
        uint32_t *sum = block(n * sizeof *sum);

        memset(sum, 0, n * sizeof *sum);
        for (size_t j = 0; j < COUNT_OF(x); j++) {
            x[j] = random_bytes(&r, n);
            k->total_bytes(sum, x[j], n);
        }
        k->max_bytes((const uint8_t *const *)x, COUNT_OF(x), 40, 220, y, n);
        for (size_t i = 0; i < n; i++) {
            uint32_t total = 0;
            uint8_t top = 40;

            for (size_t j = 0; j < COUNT_OF(x); j++) {
                total += x[j][i];
                top = x[j][i] > top ? x[j][i] : top;
            }
            ck_assert_uint_eq(sum[i], total);
            ck_assert_uint_eq(y[i], top > 220 ? 220 : top);
        }
        for (size_t j = 0; j < COUNT_OF(x); j++)
            dscq_free(x[j]);
        dscq_free(y);
        dscq_free(sum);
    }
}
END_TEST

START_TEST(requantisation_matches_worked_examples)
{
    const int16_t mult[] = {16384, -16384};
    const uint8_t shift[] = {10, 10};
    const int32_t bias[] = {0, 256};
    dscq_requant r = {mult, shift, bias, 1, -128, 127, 0, 0, 0, 1};

    ck_assert_int_eq(dscq_ref_requant(&r, 0, 16), 2);  /* 16*16/256 = 1 */
    ck_assert_int_eq(dscq_ref_requant(&r, 0, 24), 3);  /* 1.5 rounds up */
    ck_assert_int_eq(dscq_ref_requant(&r, 0, -24), 0); /* -1.5 rounds up to -1 */
    ck_assert_int_eq(dscq_ref_requant(&r, 1, 16), 1);  /* -1 + 1 */
    ck_assert_int_eq(dscq_ref_requant(&r, 0, 9999), 127);
    r.is_leaky = 1;
    r.slope_q15 = 8192;
    ck_assert_int_eq(dscq_ref_requant(&r, 0, -64), 0); /* -4 * 0.25 */
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("tensor_int", &tc);

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, requantisation_matches_worked_examples);
    tcase_add_loop_test(tc, requantised_rows_are_exact, 0, INT_FAMILIES);
    tcase_add_loop_test(tc, dense_products_are_exact, 0, INT_FAMILIES);
    tcase_add_loop_test(tc, sparse_products_are_exact, 0, INT_FAMILIES);
    tcase_add_loop_test(tc, the_largest_legal_accumulator_does_not_saturate, 0,
                        INT_FAMILIES);
    tcase_add_loop_test(tc, depthwise_rows_are_exact, 0, INT_FAMILIES);
    tcase_add_loop_test(tc, grouped_convolutions_are_exact, 0, INT_FAMILIES);
    tcase_add_loop_test(tc, windows_in_place_are_exact, 0, INT_FAMILIES);
    tcase_add_loop_test(tc, byte_sums_are_exact, 0, INT_FAMILIES);
    tcase_add_loop_test(tc, byte_maxima_and_totals_are_exact, 0, INT_FAMILIES);
    return s;
}

int main(void)
{
    return test_run(make);
}
