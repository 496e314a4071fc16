/* BMP of every form and WebP: what is read, bit for bit, and what is refused. */
#include "dscq/base/alloc.h"
#include "test_data_util.h"

#include <stdlib.h>

#if DSCQ_WITH_WEBP
#include <webp/encode.h>
#endif

/* ---- a maker of BMP files ---- */

typedef struct bmp {
    uint8_t data[4096];
    size_t count;
} bmp;

static void put(bmp *b, uint32_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        b->data[b->count++] = (uint8_t)(i < 4 ? v >> (8 * i) : 0);
}

typedef struct form {
    uint32_t header, width;
    int32_t height;
    uint32_t bits, compression, colours;
    const uint32_t *mask; /* [4] of headers that have them */
} form;

/* The header and the palette (0xRRGGBB); the caller puts the pixels. */
static void begin(bmp *b, const form *f, const uint32_t *palette)
{
    const uint32_t entry = f->header == 12 ? 3 : 4;
    const uint32_t masks = f->header == 40 && f->compression == 3   ? 12
                           : f->header == 40 && f->compression == 6 ? 16
                                                                    : 0;

    b->count = 0;
    put(b, 'B' | 'M' << 8, 2);
    put(b, 0, 8);
    put(b, 14 + f->header + masks + entry * f->colours, 4);
    put(b, f->header, 4);
    if (f->header == 12) {
        put(b, f->width, 2);
        put(b, (uint32_t)f->height, 2);
    } else {
        put(b, f->width, 4);
        put(b, (uint32_t)f->height, 4);
    }
    put(b, 1, 2);
    put(b, f->bits, 2);
    if (f->header > 12) {
        put(b, f->compression, 4);
        put(b, 0, 12);
        put(b, f->colours, 4);
        put(b, 0, 4);
    }
    for (uint32_t k = 0; 54 + 4 * k < 14 + f->header + masks && k < 4; k++)
        put(b, f->mask != NULL ? f->mask[k] : 0, 4);
    while (f->header > 12 && b->count < 14 + f->header + masks)
        put(b, 0, 1);
    for (uint32_t i = 0; i < f->colours; i++)
        put(b, palette[i], (int)entry);
}

static dscq_status decode(dscq_image *im, const bmp *b, dscq_error *err)
{
    const dscq_decode_opts opts = {.background = {100, 150, 200}};

    return dscq_image_decode(im, b->data, b->count, "x", &opts, err);
}

static void check_pixels(const bmp *b, int32_t w, int32_t h, int32_t c,
                         const uint8_t *want)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_image im;

    test_ok(decode(&im, b, &err));
    ck_assert_int_eq(im.width, w);
    ck_assert_int_eq(im.height, h);
    ck_assert_int_eq(im.channels, c);
    ck_assert_int_eq(im.kind, DSCQ_IMAGE_BMP);
    for (int32_t i = 0; i < w * h * c; i++)
        ck_assert_msg(im.px[i] == want[i], "byte %d: %d, want %d", (int)i, im.px[i],
                      want[i]);
    dscq_image_clear(&im);
}

/* Red, green over blue, white: the lowest row comes first in the file. */
static const uint8_t k_four[12] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255};
static const uint32_t k_palette[4] = {0xff0000, 0x00ff00, 0x0000ff, 0xffffff};

START_TEST(palettes_are_read)
{
    static const uint32_t k_headers[] = {12, 40, 52, 56, 64, 108, 124};
    bmp b;

    for (size_t i = 0; i < sizeof k_headers / sizeof *k_headers; i++) {
        begin(&b, &(form){k_headers[i], 2, 2, 8, 0, 4, NULL}, k_palette);
        if (k_headers[i] == 12) /* it cannot say how many: fewer than 256 are there */
            put(&b, 0x0302, 4), put(&b, 0x0100, 4);
        else
            put(&b, 0x0302, 4), put(&b, 0x0100, 4);
        check_pixels(&b, 2, 2, 3, k_four);
    }
    begin(&b, &(form){40, 2, 2, 4, 0, 4, NULL}, k_palette);
    put(&b, 0x23, 4);
    put(&b, 0x01, 4);
    check_pixels(&b, 2, 2, 3, k_four);

    static const uint32_t k_two[2] = {0x0a0a0a, 0xf0f0f0}; /* greys: one channel */
    static const uint8_t k_bits[9] = {10, 240, 10, 240, 240, 10, 10, 10, 240};
    begin(&b, &(form){40, 9, 1, 1, 0, 2, NULL}, k_two);
    put(&b, 0x8058, 4); /* 0101 1000, 1 */
    check_pixels(&b, 9, 1, 1, k_bits);
}
END_TEST

START_TEST(true_colour_is_read_from_either_end)
{
    static const uint8_t k_rows[] = {255, 0, 0,   255, 255, 255, 0, 0,
                                     0,   0, 255, 0,   255, 0,   0, 0};
    bmp b;

    begin(&b, &(form){40, 2, 2, 24, 0, 0, NULL}, NULL);
    memcpy(b.data + b.count, k_rows, sizeof k_rows);
    b.count += sizeof k_rows;
    check_pixels(&b, 2, 2, 3, k_four);
    begin(&b, &(form){40, 2, -2, 24, 0, 0, NULL}, NULL);
    memcpy(b.data + b.count, k_rows + 8, 8);
    memcpy(b.data + b.count + 8, k_rows, 8);
    b.count += sizeof k_rows;
    check_pixels(&b, 2, 2, 3, k_four);
    begin(&b, &(form){12, 2, 2, 24, 0, 0, NULL}, NULL);
    memcpy(b.data + b.count, k_rows, sizeof k_rows);
    b.count += sizeof k_rows;
    check_pixels(&b, 2, 2, 3, k_four);
}
END_TEST

START_TEST(masks_are_read)
{
    static const uint32_t k_565[4] = {0xf800, 0x07e0, 0x001f, 0};
    static const uint32_t k_deep[4] = {0x3ff00000, 0x000ffc00, 0x000003ff, 0};
    static const uint8_t k_15[6] = {255, 0, 0, 132, 8, 255};
    static const uint8_t k_16[6] = {255, 0, 0, 132, 130, 255};
    static const uint8_t k_30[3] = {255, 128, 0};
    bmp b;

    begin(&b, &(form){40, 2, 1, 16, 0, 0, NULL}, NULL); /* 5 bits each */
    put(&b, 31u << 10, 2);
    put(&b, 16u << 10 | 1u << 5 | 31, 2);
    check_pixels(&b, 2, 1, 3, k_15);
    for (uint32_t header = 40; header <= 124; header += header == 40 ? 12 : 72) {
        begin(&b, &(form){header, 2, 1, 16, 3, 0, k_565}, NULL);
        put(&b, 31u << 11, 2);
        put(&b, 16u << 11 | 32u << 5 | 31, 2);
        check_pixels(&b, 2, 1, 3, k_16);
    }
    begin(&b, &(form){40, 1, 1, 32, 3, 0, k_deep}, NULL);
    put(&b, 1023u << 20 | 514u << 10, 4);
    check_pixels(&b, 1, 1, 3, k_30);
}
END_TEST

START_TEST(alpha_counts_when_some_of_it_is_there)
{
    static const uint32_t k_mask[4] = {0xff0000, 0xff00, 0xff, 0xff000000};
    static const uint8_t k_blend[6] = {255, 0, 0, 100, 150, 200};
    static const uint8_t k_opaque[6] = {255, 0, 0, 1, 2, 3};
    dscq_error err = {DSCQ_OK, ""};
    dscq_image im;
    bmp b;

    begin(&b, &(form){108, 2, 1, 32, 3, 0, k_mask}, NULL);
    put(&b, 0xffff0000, 4);
    put(&b, 0x00010203, 4);
    check_pixels(&b, 2, 1, 3, k_blend);
    test_ok(decode(&im, &b, &err));
    ck_assert_uint_eq(im.notes, DSCQ_IMAGE_TRANSPARENT);
    dscq_image_clear(&im);
    begin(&b, &(form){124, 2, 1, 32, 3, 0, k_mask}, NULL); /* declared, never set */
    put(&b, 0x00ff0000, 4);
    put(&b, 0x00010203, 4);
    check_pixels(&b, 2, 1, 3, k_opaque);
    begin(&b, &(form){40, 2, 1, 32, 0, 0, NULL}, NULL); /* the fourth byte is nothing */
    put(&b, 0x80ff0000, 4);
    put(&b, 0x10010203, 4);
    check_pixels(&b, 2, 1, 3, k_opaque);
}
END_TEST

START_TEST(run_lengths_are_read)
{
    static const uint32_t k_grey[4] = {0, 0x404040, 0x808080, 0xffffff};
    /* 5 x 3; the lowest row first: a run; then pixels as they are, filled up; a jump */
    static const uint8_t k_eight[] = {5, 1, 0, 0, 0, 3, 1, 2, 3, 0, 2,
                                      3, 0, 0, 0, 2, 2, 0, 1, 2, 0, 1};
    static const uint8_t k_four_bits[] = {5, 0x11, 0, 0, 0, 3, 0x12, 0x30, 2, 0x33,
                                          0, 0,    0, 2, 2, 0, 1,    0x20, 0, 1};
    static const uint8_t k_want[15] = {0,   0,   128, 0,  0,  64, 128, 255,
                                       255, 255, 64,  64, 64, 64, 64};
    bmp b;

    begin(&b, &(form){40, 5, 3, 8, 1, 4, NULL}, k_grey);
    memcpy(b.data + b.count, k_eight, sizeof k_eight);
    b.count += sizeof k_eight;
    check_pixels(&b, 5, 3, 1, k_want);
    begin(&b, &(form){40, 5, 3, 4, 2, 4, NULL}, k_grey);
    memcpy(b.data + b.count, k_four_bits, sizeof k_four_bits);
    b.count += sizeof k_four_bits;
    check_pixels(&b, 5, 3, 1, k_want);
}
END_TEST

typedef struct bad_bmp {
    form f;
    const char *pixels; /* hexadecimal */
    dscq_status status;
    const char *says;
} bad_bmp;

static const bad_bmp k_bad[] = {
    {{40, 2, 2, 8, 0, 4, NULL},
     "0203000001",
     DSCQ_FORMAT,
     "x: damaged BMP: cut short in its pixels"},
    {{40, 2, 1, 8, 0, 4, NULL},
     "02040000",
     DSCQ_FORMAT,
     "x: damaged BMP: colour 4 of a palette of 4"},
    {{40, 2, 1, 7, 0, 4, NULL},
     "02040000",
     DSCQ_FORMAT,
     "x: damaged BMP: 7 bits a pixel"},
    {{40, 2, 1, 24, 1, 0, NULL},
     "0100",
     DSCQ_FORMAT,
     "x: damaged BMP: compression 1 with 24 bits a pixel"},
    {{40, 2, -1, 8, 1, 4, NULL},
     "0200",
     DSCQ_FORMAT,
     "x: damaged BMP: run lengths from the top down"},
    {{40, 2, 1, 8, 1, 4, NULL},
     "0301",
     DSCQ_FORMAT,
     "x: damaged BMP: a run leaves the picture"},
    {{40, 2, 2, 8, 1, 4, NULL},
     "0201",
     DSCQ_FORMAT,
     "x: damaged BMP: cut short in its pixels"},
    {{40, 2, 2, 8, 1, 4, NULL},
     "00020300",
     DSCQ_FORMAT,
     "x: damaged BMP: a jump leaves the picture"},
    {{40, 2, 1, 8, 1, 4, NULL},
     "000201",
     DSCQ_FORMAT,
     "x: damaged BMP: cut short in its pixels"},
    {{40, 2, 1, 8, 1, 4, NULL},
     "000502",
     DSCQ_FORMAT,
     "x: damaged BMP: cut short in its pixels"},
    {{40, 2, 1, 16, 3, 0, NULL},
     "00000000",
     DSCQ_FORMAT,
     "x: damaged BMP: mask 00000000"},
    {{40, 2, 1, 24, 4, 0, NULL},
     "0000",
     DSCQ_UNSUPPORTED,
     "x: a form of BMP not read here: compression 4"},
    {{64, 2, 1, 24, 4, 0, NULL},
     "0000",
     DSCQ_UNSUPPORTED,
     "x: a form of BMP not read here: compression 4"},
    {{40, 0, 1, 24, 0, 0, NULL},
     "",
     DSCQ_FORMAT,
     "x: picture of 0x1 pixels: want sides of 1..32767 and at most 67108864 pixels; "
     "make it smaller first"},
    {{40, 40000, 1, 24, 0, 0, NULL},
     "",
     DSCQ_FORMAT,
     "x: picture of 40000x1 pixels: want sides of 1..32767 and at most 67108864 "
     "pixels; make it smaller first"},
};

START_TEST(bad_bmp_is_refused)
{
    const bad_bmp *t = &k_bad[_i];
    static const uint32_t k_none[4] = {0};
    dscq_error err = {DSCQ_OK, ""};
    dscq_image im;
    bmp b;

    begin(&b, &t->f, k_none);
    for (const char *p = t->pixels; *p != '\0'; p += 2) {
        const char two[3] = {p[0], p[1], '\0'};
        put(&b, (uint32_t)strtoul(two, NULL, 16), 1);
    }
    test_fails(decode(&im, &b, &err), t->status, t->says);
    ck_assert_ptr_null(im.px);
}
END_TEST

START_TEST(no_cut_of_a_bmp_does_harm)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_image im;
    bmp b;

    begin(&b, &(form){108, 2, 2, 8, 0, 4, NULL}, k_palette);
    put(&b, 0x0302, 4);
    put(&b, 0x0100, 4);
    for (size_t whole = b.count; b.count > 18; b.count--) {
        uint8_t *copy = malloc(b.count); /* its end is the end, for sanitizers */
        memcpy(copy, b.data, b.count);
        const dscq_status status =
            dscq_image_decode(&im, copy, b.count, "x", NULL, &err);
        ck_assert_int_eq(status, b.count == whole ? DSCQ_OK : DSCQ_FORMAT);
        dscq_image_clear(&im);
        free(copy);
    }
}
END_TEST

/* ---- WebP ---- */

#if DSCQ_WITH_WEBP

/* RIFF with VP8X, the picture's own chunk, and EXIF when there is an orientation. */
static size_t make_webp(uint8_t *to, const uint8_t *rgba, int w, int h, int has_alpha,
                        int exif)
{
    static const uint8_t k_exif[] = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0,
                                     3,   0,   0, 0,  1, 0, 0, 0, 0, 0, 0, 0,    0};
    uint8_t *made = NULL;
    const size_t n = WebPEncodeLosslessRGBA(rgba, w, h, 4 * w, &made);
    size_t at = 12;

    ck_assert_uint_gt(n, 20);
    if (exif == 0) {
        memcpy(to, made, n);
        WebPFree(made);
        return n;
    }
    memcpy(to, made, 12);
    memcpy(to + at, "VP8X\x0a\0\0\0", 8);
    memset(to + at + 8, 0, 10);
    to[at + 8] = (uint8_t)(0x08 | (has_alpha ? 0x10 : 0));
    to[at + 12] = (uint8_t)(w - 1);
    to[at + 15] = (uint8_t)(h - 1);
    at += 18;
    memcpy(to + at, made + 12, n - 12);
    at += n - 12;
    memcpy(to + at, "EXIF\x1a\0\0\0", 8);
    memcpy(to + at + 8, k_exif, sizeof k_exif);
    to[at + 8 + 19] = (uint8_t)exif;
    at += 8 + sizeof k_exif;
    to[4] = (uint8_t)(at - 8);
    to[5] = (uint8_t)((at - 8) >> 8);
    WebPFree(made);
    return at;
}

START_TEST(webp_is_read)
{
    static const uint8_t k_opaque[8] = {10, 20, 30, 255, 200, 100, 50, 255};
    static const uint8_t k_clear[8] = {10, 20, 30, 255, 200, 100, 50, 0};
    const dscq_decode_opts opts = {.background = {1, 2, 3}};
    dscq_error err = {DSCQ_OK, ""};
    uint8_t data[4096];
    dscq_image im;

    size_t n = make_webp(data, k_opaque, 2, 1, 0, 0);
    test_ok(dscq_image_decode(&im, data, n, "x", &opts, &err));
    ck_assert_int_eq(im.kind, DSCQ_IMAGE_WEBP);
    ck_assert_uint_eq(im.notes, 0);
    ck_assert_int_eq(im.px[0], 10);
    ck_assert_int_eq(im.px[5], 50);
    dscq_image_clear(&im);
    for (size_t cut = 0; cut < n; cut++)
        ck_assert_int_ne(dscq_image_decode(&im, data, cut, "x", &opts, &err), DSCQ_OK);

    n = make_webp(data, k_clear, 2, 1, 1, 0);
    test_ok(dscq_image_decode(&im, data, n, "x", &opts, &err));
    ck_assert_uint_eq(im.notes, DSCQ_IMAGE_TRANSPARENT);
    ck_assert_int_eq(im.px[3], 1);
    ck_assert_int_eq(im.px[5], 3);
    dscq_image_clear(&im);

    n = make_webp(data, k_opaque, 2, 1, 0, 6); /* a quarter turn */
    test_ok(dscq_image_decode(&im, data, n, "x", &opts, &err));
    ck_assert_uint_eq(im.notes, DSCQ_IMAGE_TURNED);
    ck_assert_int_eq(im.height, 2);
    dscq_image_clear(&im);
}
END_TEST

#else

START_TEST(webp_is_read)
{
    static const uint8_t k_head[16] = "RIFF\4\0\0\0WEBPVP8 ";
    dscq_error err = {DSCQ_OK, ""};
    dscq_image im;

    test_fails(dscq_image_decode(&im, k_head, sizeof k_head, "x", NULL, &err),
               DSCQ_UNSUPPORTED,
               "x: this build reads no WebP; configure with -DDSCQ_WITH_WEBP=ON");
}
END_TEST

#endif

static dscq_status decode_made(void *ctx, dscq_error *err)
{
    const bmp *b = ctx;
    dscq_image im;
    const dscq_status status = decode(&im, b, err);

    dscq_image_clear(&im);
    return status;
}

START_TEST(no_memory_is_reported)
{
    static const uint32_t k_mask[4] = {0xff0000, 0xff00, 0xff, 0xff000000};
    bmp b;

    begin(&b, &(form){108, 1, 1, 32, 3, 0, k_mask}, NULL);
    put(&b, 0x80ff0000, 4);
    ck_assert_uint_ge(test_each_alloc_fails(decode_made, &b), 2);
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("data/formats", &tc);

    tcase_add_test(tc, palettes_are_read);
    tcase_add_test(tc, true_colour_is_read_from_either_end);
    tcase_add_test(tc, masks_are_read);
    tcase_add_test(tc, alpha_counts_when_some_of_it_is_there);
    tcase_add_test(tc, run_lengths_are_read);
    tcase_add_loop_test(tc, bad_bmp_is_refused, 0, (int)(sizeof k_bad / sizeof *k_bad));
    tcase_add_test(tc, no_cut_of_a_bmp_does_harm);
    tcase_add_test(tc, webp_is_read);
    tcase_add_test(tc, no_memory_is_reported);
    return s;
}

int main(void)
{
    return test_run(make);
}
