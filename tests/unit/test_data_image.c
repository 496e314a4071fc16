/* Decoding of PNG and JPEG in every form, and refusal of damaged ones. */
#include "dscq/base/alloc.h"
#include "test_data_util.h"

#include <jpeglib.h>
#include <png.h>
#include <stdlib.h>

/* ---- makers ---- */

typedef struct bytes {
    uint8_t data[1 << 16];
    size_t count;
} bytes;

static void put(png_structp png, png_bytep from, size_t n)
{
    bytes *b = png_get_io_ptr(png);

    ck_assert_uint_le(b->count + n, sizeof b->data);
    memcpy(b->data + b->count, from, n);
    b->count += n;
}

static void flush(png_structp png)
{
    (void)png;
}

/* rows: height rows of `stride` bytes. */
static void make_png(bytes *out, uint32_t w, uint32_t h, int depth, int type,
                     int interlace, const uint8_t *rows, size_t stride)
{
    static const png_color k_palette[3] = {{10, 20, 30}, {200, 100, 50}, {0, 255, 0}};
    static const png_byte k_alpha[1] = {128};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_bytep row[64];

    out->count = 0;
    png_set_write_fn(png, out, put, flush);
    png_set_IHDR(png, info, w, h, depth, type, interlace, 0, 0);
    if (type == PNG_COLOR_TYPE_PALETTE) {
        png_set_PLTE(png, info, k_palette, 3);
        png_set_tRNS(png, info, k_alpha, 1, NULL);
    }
    png_write_info(png, info);
    for (uint32_t y = 0; y < h; y++) {
        row[y] = malloc(stride);
        memcpy(row[y], rows + y * stride, stride);
    }
    png_write_image(png, row);
    png_write_end(png, NULL);
    for (uint32_t y = 0; y < h; y++)
        free(row[y]);
    png_destroy_write_struct(&png, &info);
}

/* A JPEG of w x h in a colour space, all samples from `sample` (components long),
 * except that the left half is `left` when given. exif: orientation or 0. */
static void make_jpeg(bytes *out, uint32_t w, uint32_t h, J_COLOR_SPACE in,
                      J_COLOR_SPACE as, int components, const uint8_t *sample,
                      const uint8_t *left, int exif)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr mgr;
    unsigned char *mem = NULL;
    unsigned long size = 0;
    uint8_t line[64 * 4];
    JSAMPROW row = line;
    uint8_t app1[] = {'E', 'x', 'i', 'f', 0,    0, 'M', 'M', 0, 42, 0, 0, 0,
                      8,   0,   1,   1,   0x12, 0, 3,   0,   0, 0,  1, 0, (uint8_t)exif,
                      0,   0,   0,   0,   0,    0};

    c.err = jpeg_std_error(&mgr);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &mem, &size);
    c.image_width = w;
    c.image_height = h;
    c.input_components = components;
    c.in_color_space = in;
    jpeg_set_defaults(&c);
    jpeg_set_colorspace(&c, as);
    jpeg_set_quality(&c, 100, TRUE);
    jpeg_start_compress(&c, TRUE);
    if (exif != 0)
        jpeg_write_marker(&c, JPEG_APP0 + 1, app1, sizeof app1);
    for (uint32_t x = 0; x < w; x++)
        memcpy(line + x * (size_t)components, left != NULL && x < w / 2 ? left : sample,
               (size_t)components);
    while (c.next_scanline < h)
        (void)jpeg_write_scanlines(&c, &row, 1);
    jpeg_finish_compress(&c);
    ck_assert_uint_le(size, sizeof out->data);
    memcpy(out->data, mem, size);
    out->count = size;
    jpeg_destroy_compress(&c);
    free(mem);
}

static dscq_image decode(const bytes *b, int32_t channels)
{
    const dscq_decode_opts opts = {.channels = channels, .background = {100, 150, 200}};
    dscq_error err = {DSCQ_OK, ""};
    dscq_image im;

    test_ok(dscq_image_decode(&im, b->data, b->count, "made", &opts, &err));
    return im;
}

static int near(int a, int b)
{
    return abs(a - b) <= 2;
}

/* ---- PNG ---- */

START_TEST(png_comes_back_as_written)
{
    dscq_error err = {DSCQ_OK, ""};

    for (int32_t c = 1; c <= 3; c += 2) {
        dscq_image im = data_pattern(13, 7, c, 5), back;
        const char *path = test_path("a.png");

        test_ok(dscq_image_write_png(path, &im, &err));
        test_ok(dscq_image_load(&back, path, NULL, &err));
        ck_assert_int_eq(back.width, 13);
        ck_assert_int_eq(back.height, 7);
        ck_assert_int_eq(back.channels, c);
        ck_assert_mem_eq(back.px, im.px, (size_t)(13 * 7 * c));
        int32_t w = 0, h = 0;
        test_ok(dscq_image_probe(&w, &h, path, &err));
        ck_assert_int_eq(w, 13);
        ck_assert_int_eq(h, 7);
        dscq_image_clear(&im);
        dscq_image_clear(&back);
    }
}
END_TEST

START_TEST(png_alpha_is_composited_over_the_background)
{
    static const uint8_t k_rgba[] = {10, 20, 30, 255, 10, 20, 30, 0, 0, 0, 0, 128};
    static const uint8_t k_ga[] = {50, 255, 50, 0, 200, 51};
    bytes b;

    make_png(&b, 3, 1, 8, PNG_COLOR_TYPE_RGBA, 0, k_rgba, 12);
    dscq_image im = decode(&b, 0);
    static const uint8_t k_want[] = {10, 20, 30, 100, 150, 200, 50, 75, 100};
    ck_assert_int_eq(im.channels, 3);
    ck_assert_uint_eq(im.notes, DSCQ_IMAGE_TRANSPARENT);
    ck_assert_mem_eq(im.px, k_want, 9);
    dscq_image_clear(&im);

    make_png(&b, 3, 1, 8, PNG_COLOR_TYPE_GRAY_ALPHA, 0, k_ga, 6);
    im = decode(&b, 0);
    const int under = (19595 * 100 + 38470 * 150 + 7471 * 200 + 32768) >> 16;
    ck_assert_int_eq(im.channels, 1);
    ck_assert_int_eq(im.px[0], 50);
    ck_assert_int_eq(im.px[1], under);
    ck_assert_int_eq(im.px[2], (51 * 200 + 204 * under + 127) / 255);
    dscq_image_clear(&im);
}
END_TEST

START_TEST(png_palette_sixteen_bit_and_low_depths)
{
    static const uint8_t k_index[] = {0x1b}; /* four 2-bit indices: 0 1 2 3 -> use 3 */
    static const uint8_t k_deep[] = {0x12, 0xff, 0xab, 0x00, 0x80, 0x7f};
    static const uint8_t k_bits[] = {0xa0}; /* 1 0 1 */
    bytes b;

    make_png(&b, 3, 1, 2, PNG_COLOR_TYPE_PALETTE, 0, k_index, 1);
    dscq_image im = decode(&b, 0);
    /* entry 0 has alpha 128 over (100, 150, 200) */
    static const uint8_t k_pal[] = {55, 85, 115, 200, 100, 50, 0, 255, 0};
    ck_assert_mem_eq(im.px, k_pal, 9);
    dscq_image_clear(&im);

    make_png(&b, 1, 1, 16, PNG_COLOR_TYPE_RGB, 0, k_deep, 6);
    im = decode(&b, 0);
    static const uint8_t k_high[] = {0x12, 0xab, 0x80};
    ck_assert_mem_eq(im.px, k_high, 3);
    ck_assert_uint_eq(im.notes, DSCQ_IMAGE_DEEP);
    ck_assert_int_eq(im.kind, DSCQ_IMAGE_PNG);
    dscq_image_clear(&im);

    make_png(&b, 3, 1, 1, PNG_COLOR_TYPE_GRAY, 0, k_bits, 1);
    im = decode(&b, 3);
    static const uint8_t k_bw[] = {255, 255, 255, 0, 0, 0, 255, 255, 255};
    ck_assert_mem_eq(im.px, k_bw, 9);
    ck_assert_uint_eq(im.notes, DSCQ_IMAGE_GREY);
    dscq_image_clear(&im);
}
END_TEST

START_TEST(png_interlaced_equals_plain)
{
    dscq_image im = data_pattern(19, 11, 3, 1);
    bytes b;

    make_png(&b, 19, 11, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_ADAM7, im.px, 19 * 3);
    dscq_image back = decode(&b, 0);
    ck_assert_mem_eq(back.px, im.px, 19 * 11 * 3);
    dscq_image_clear(&im);
    dscq_image_clear(&back);
}
END_TEST

/* ---- JPEG ---- */

START_TEST(jpeg_grey_stays_grey_and_becomes_rgb_on_request)
{
    static const uint8_t k_grey[] = {77};
    bytes b;

    make_jpeg(&b, 16, 8, JCS_GRAYSCALE, JCS_GRAYSCALE, 1, k_grey, NULL, 0);
    dscq_image im = decode(&b, 0);
    ck_assert_int_eq(im.channels, 1);
    ck_assert(near(im.px[5], 77));
    dscq_image_clear(&im);
    im = decode(&b, 3);
    ck_assert_int_eq(im.channels, 3);
    ck_assert_int_eq(im.px[0], im.px[1]);
    ck_assert_int_eq(im.px[0], im.px[2]);
    dscq_image_clear(&im);
}
END_TEST

START_TEST(jpeg_cmyk_and_ycck_become_rgb)
{
    /* libjpeg writes the Adobe marker for both, so samples are 255 - ink. */
    static const uint8_t k_cmyk[] = {200, 100, 50, 128};
    static const J_COLOR_SPACE k_as[] = {JCS_CMYK, JCS_YCCK};
    bytes b;

    for (int i = 0; i < 2; i++) {
        make_jpeg(&b, 16, 16, JCS_CMYK, k_as[i], 4, k_cmyk, NULL, 0);
        dscq_image im = decode(&b, 0);
        ck_assert_int_eq(im.channels, 3);
        ck_assert_uint_eq(im.notes, DSCQ_IMAGE_INKS);
        ck_assert_int_eq(im.kind, DSCQ_IMAGE_JPEG);
        ck_assert_msg(near(im.px[0], 200 * 128 / 255) && near(im.px[1], 50) &&
                          near(im.px[2], 25),
                      "%d: %d %d %d", i, im.px[0], im.px[1], im.px[2]);
        dscq_image_clear(&im);
    }
}
END_TEST

/* Left half bright: after orientation o it lies where EXIF says. */
START_TEST(jpeg_exif_orientation_is_applied)
{
    static const uint8_t k_dark[] = {20}, k_bright[] = {220};
    /* 1: left, 2: right, 3: right, 4: left, 5: top, 6: top, 7: bottom, 8: bottom */
    const int o = _i + 1;
    bytes b;

    make_jpeg(&b, 32, 16, JCS_GRAYSCALE, JCS_GRAYSCALE, 1, k_dark, k_bright, o);
    dscq_image im = decode(&b, 1);
    const int tall = o >= 5;
    ck_assert_int_eq(im.width, tall ? 16 : 32);
    ck_assert_int_eq(im.height, tall ? 32 : 16);
    const int first = im.px[0] > 128;
    const int last = im.px[(size_t)im.width * (size_t)im.height - 1] > 128;
    const int corner = im.px[im.width - 1] > 128; /* upper right */
    ck_assert_int_ne(first, last);
    ck_assert_int_eq(first, o == 1 || o == 4 || o == 5 || o == 6);
    ck_assert_int_eq(corner, o == 2 || o == 3 || o == 5 || o == 6);
    ck_assert_uint_eq(im.notes, DSCQ_IMAGE_GREY | (o > 1 ? DSCQ_IMAGE_TURNED : 0));
    dscq_image_clear(&im);
}
END_TEST

/* What the size in an annotation says: whether its boxes are of the picture as stored
 * or as seen. */
START_TEST(boxes_are_of_the_picture_whose_size_they_give)
{
    static const struct {
        const char *size;
        int32_t width;
    } k_sizes[] = {{"<size><width>32</width><height>16</height></size>", 32},
                   {"<size><width>16</width><height>32</height></size>", 16},
                   {"", 16}};
    static const uint8_t k_grey[] = {77};
    dscq_error err = {DSCQ_OK, ""};
    char xml[500];
    bytes b;

    make_jpeg(&b, 32, 16, JCS_GRAYSCALE, JCS_GRAYSCALE, 1, k_grey, NULL, 6);
    data_make_dir("v");
    (void)test_file_bytes("v/a.jpg", b.data, b.count);
    for (size_t i = 0; i < sizeof k_sizes / sizeof *k_sizes; i++) {
        dscq_data_params p;
        dscq_dataset *d;
        dscq_table *t;
        dscq_data_seen seen;
        dscq_image im;
        size_t errors, turned = 0;

        (void)snprintf(xml, sizeof xml,
                       "<annotation>%s<object><name>x</name><bndbox><xmin>1</xmin>"
                       "<ymin>1</ymin><xmax>8</xmax><ymax>8</ymax></bndbox></object>"
                       "</annotation>",
                       k_sizes[i].size);
        (void)test_file("v/a.xml", xml);
        test_ok(
            data_settings(&p, "type=voc train=v width=8 height=8 valid_frac=0", &err));
        test_ok(dscq_dataset_open(&d, &p, test_path(""), NULL, &err));
        test_ok(dscq_dataset_image(&im, d, DSCQ_SPLIT_TRAIN, 0, &err));
        ck_assert_int_eq(im.width, k_sizes[i].width);
        dscq_image_clear(&im);
        dscq_dataset_destroy(d);
        test_ok(dscq_problems_create(&t, &err));
        test_ok(dscq_dataset_check(t, &errors, &seen, &p, test_path(""), NULL, &err));
        ck_assert_uint_eq(errors, 0);
        for (size_t r = 0; r < dscq_table_rows(t); r++)
            turned += strcmp(dscq_table_text(t, r, (size_t)dscq_table_find(t, "kind")),
                             "turned") == 0;
        ck_assert_uint_eq(turned, k_sizes[i].width == 16);
        dscq_table_destroy(t);
    }
}
END_TEST

/* The eight orientations of a 2x1 picture in PNG's eXIf are the same table; here
 * the pixel-exact mapping, through a lossless file. */
START_TEST(orientation_maps_every_pixel)
{
    /* picture  0 1 2 / 3 4 5 ; what a viewer shows, row by row */
    static const uint8_t k_want[8][6] = {
        {0, 1, 2, 3, 4, 5}, {2, 1, 0, 5, 4, 3}, {5, 4, 3, 2, 1, 0}, {3, 4, 5, 0, 1, 2},
        {0, 3, 1, 4, 2, 5}, {3, 0, 4, 1, 5, 2}, {5, 2, 4, 1, 3, 0}, {2, 5, 1, 4, 0, 3}};
    uint8_t exif[] = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3,
                      0,   1,   0,  0, 0, 0, 0, 0, 0, 0, 0,    0, 0};
    static const uint8_t k_px[] = {0, 1, 2, 3, 4, 5};
    bytes b = {.count = 0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);

    exif[18] = (uint8_t)(_i + 1);
    png_set_write_fn(png, &b, put, flush);
    png_set_IHDR(png, info, 3, 2, 8, PNG_COLOR_TYPE_GRAY, 0, 0, 0);
    png_set_eXIf_1(png, info, sizeof exif, exif);
    png_write_info(png, info);
    png_write_row(png, k_px);
    png_write_row(png, k_px + 3);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    dscq_image im = decode(&b, 0);
    ck_assert_int_eq(im.width, _i >= 4 ? 2 : 3);
    ck_assert_mem_eq(im.px, k_want[_i], 6);
    dscq_image_clear(&im);
}
END_TEST

/* ---- hostile ---- */

static dscq_status decode_bytes(const uint8_t *data, size_t n, dscq_error *err)
{
    dscq_image im;
    const dscq_status status = dscq_image_decode(&im, data, n, "x", NULL, err);

    if (status == DSCQ_OK)
        dscq_image_clear(&im);
    else
        ck_assert_ptr_null(im.px);
    return status;
}

START_TEST(every_cut_is_refused)
{
    static const uint8_t k_rgb[] = {200, 30, 90}, k_left[] = {20, 130, 40};
    dscq_error err = {DSCQ_OK, ""};
    dscq_image im = data_pattern(9, 9, 3, 3);
    bytes b;

    make_png(&b, 9, 9, 8, PNG_COLOR_TYPE_RGB, 0, im.px, 27);
    dscq_image_clear(&im);
    for (size_t n = 0; n < b.count; n++)
        ck_assert_msg(decode_bytes(b.data, n, &err) == DSCQ_FORMAT,
                      "png cut at %zu: %s", n, err.msg);
    make_jpeg(&b, 32, 16, JCS_RGB, JCS_YCbCr, 3, k_rgb, k_left, 0);
    for (size_t n = 0; n + 2 < b.count; n++) /* the last two bytes are the end mark */
        ck_assert_msg(decode_bytes(b.data, n, &err) == DSCQ_FORMAT,
                      "jpeg cut at %zu: %s", n, err.msg);
}
END_TEST

/* Any status is fine; sanitizers watch, and a refusal carries the name. */
START_TEST(damaged_bytes_never_crash)
{
    static const uint8_t k_rgb[] = {200, 30, 90}, k_left[] = {20, 130, 40};
    dscq_image im = data_pattern(9, 9, 3, 3);
    unsigned refused = 0;
    bytes b;

    for (int kind = 0; kind < 2; kind++) {
        if (kind == 0)
            make_png(&b, 9, 9, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_ADAM7, im.px, 27);
        else
            make_jpeg(&b, 32, 16, JCS_RGB, JCS_YCbCr, 3, k_rgb, k_left, 6);
        for (size_t i = 0; i < b.count; i++) {
            const uint8_t was = b.data[i];
            static const uint8_t k_flip[] = {0xff, 0x01, 0x80};

            for (size_t k = 0; k < 3; k++) {
                dscq_error err = {DSCQ_OK, ""};
                b.data[i] = was ^ k_flip[k];
                if (decode_bytes(b.data, b.count, &err) != DSCQ_OK) {
                    refused++;
                    ck_assert_ptr_nonnull(strstr(err.msg, "x: "));
                }
            }
            b.data[i] = was;
        }
    }
    dscq_image_clear(&im);
    ck_assert_uint_gt(refused, 100);
}
END_TEST

START_TEST(absurd_sizes_are_refused_before_memory_is_taken)
{
    dscq_error err = {DSCQ_OK, ""};
    bytes b;
    const uint8_t zero[8] = {0};

    make_png(&b, 1, 1, 8, PNG_COLOR_TYPE_GRAY, 0, zero, 1);
    static const uint8_t k_sof[] = {0xff, 0xd8, 0xff, 0xc0, 0, 11,   8, 0x7f,
                                    0xff, 0x7f, 0xff, 1,    1, 0x11, 0};
    test_fails(decode_bytes(k_sof, sizeof k_sof, &err), DSCQ_FORMAT,
               "x: damaged JPEG: Premature end of JPEG file");

    const dscq_decode_opts opts = {.max_pixels = 100};
    dscq_image im = data_pattern(11, 10, 1, 0), out;
    make_png(&b, 11, 10, 8, PNG_COLOR_TYPE_GRAY, 0, im.px, 11);
    test_fails(
        dscq_image_decode(&out, b.data, b.count, "big.png", &opts, &err), DSCQ_FORMAT,
        "big.png: picture of 11x10 pixels: want sides of 1..32767 and at most 100 "
        "pixels; make it smaller first");
    dscq_image_clear(&im);
    uint8_t *row = calloc(40000, 1); /* real files, larger than is read */
    make_png(&b, 40000, 1, 8, PNG_COLOR_TYPE_GRAY, 0, row, 40000);
    test_fails(
        decode_bytes(b.data, b.count, &err), DSCQ_FORMAT,
        "x: picture of 40000x1 pixels: want sides of 1..32767 and at most 67108864 "
        "pixels; make it smaller first");
    free(row);
    static const uint8_t k_wide[] = {0xff, 0xd8, 0xff, 0xc0, 0,    11, 8,    0,    1,
                                     0xff, 0xff, 1,    1,    0x11, 0,  0xff, 0xda, 0,
                                     8,    1,    1,    0,    0,    63, 0};
    test_fails(
        decode_bytes(k_wide, sizeof k_wide, &err), DSCQ_FORMAT,
        "x: picture of 65535x1 pixels: want sides of 1..32767 and at most 67108864 "
        "pixels; make it smaller first");
    test_fails(dscq_image_init(&out, 32767, 32767, 1, &err), DSCQ_ARG,
               "picture of 32767x32767: want sides of 1..32767 and at most 67108864 "
               "pixels");
    test_fails(dscq_image_init(&out, 2, 2, 2, &err), DSCQ_ARG,
               "picture with 2 channels: want 1 or 3");
}
END_TEST

START_TEST(other_files_are_named)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_image im;

    test_fails(decode_bytes((const uint8_t *)"GIF89a.........", 15, &err), DSCQ_FORMAT,
               "x: a GIF picture; want PNG, JPEG, BMP or WebP: convert it");
    test_fails(decode_bytes((const uint8_t *)"hello", 5, &err), DSCQ_FORMAT,
               "x: neither PNG, JPEG, BMP nor WebP");
    test_fails(decode_bytes((const uint8_t *)"<!DOCTYPE html>", 15, &err), DSCQ_FORMAT,
               "x: a web page; want PNG, JPEG, BMP or WebP");
    test_fails(decode_bytes((const uint8_t *)"", 0, &err), DSCQ_FORMAT,
               "x: empty file, want a PNG, JPEG, BMP or WebP picture");
    ck_assert_int_eq(dscq_image_load(&im, test_path("none.png"), NULL, &err), DSCQ_IO);
    ck_assert_ptr_nonnull(strstr(err.msg, "none.png"));
    ck_assert(dscq_image_has_extension("a/b.JPeG"));
    ck_assert(!dscq_image_has_extension("a.png/readme"));
}
END_TEST

static dscq_status decode_made(void *ctx, dscq_error *err)
{
    const bytes *b = ctx;
    dscq_image im;
    const dscq_status status =
        dscq_image_decode(&im, b->data, b->count, "x",
                          &(dscq_decode_opts){.channels = 1, .background = {0}}, err);

    dscq_image_clear(&im);
    return status;
}

START_TEST(no_memory_is_reported)
{
    static const uint8_t k_rgb[] = {200, 30, 90};
    dscq_image im = data_pattern(9, 9, 3, 3);
    bytes b;

    make_png(&b, 9, 9, 8, PNG_COLOR_TYPE_RGB, 0, im.px, 27);
    dscq_image_clear(&im);
    ck_assert_uint_ge(test_each_alloc_fails(decode_made, &b), 3);
    make_jpeg(&b, 8, 8, JCS_RGB, JCS_YCbCr, 3, k_rgb, NULL, 6);
    ck_assert_uint_ge(test_each_alloc_fails(decode_made, &b), 3);
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("data/image", &tc);

    tcase_add_test(tc, png_comes_back_as_written);
    tcase_add_test(tc, png_alpha_is_composited_over_the_background);
    tcase_add_test(tc, png_palette_sixteen_bit_and_low_depths);
    tcase_add_test(tc, png_interlaced_equals_plain);
    tcase_add_test(tc, jpeg_grey_stays_grey_and_becomes_rgb_on_request);
    tcase_add_test(tc, jpeg_cmyk_and_ycck_become_rgb);
    tcase_add_test(tc, boxes_are_of_the_picture_whose_size_they_give);
    tcase_add_loop_test(tc, jpeg_exif_orientation_is_applied, 0, 8);
    tcase_add_loop_test(tc, orientation_maps_every_pixel, 0, 8);
    tcase_add_test(tc, every_cut_is_refused);
    tcase_add_test(tc, damaged_bytes_never_crash);
    tcase_add_test(tc, absurd_sizes_are_refused_before_memory_is_taken);
    tcase_add_test(tc, other_files_are_named);
    tcase_add_test(tc, no_memory_is_reported);
    return s;
}

int main(void)
{
    return test_run(make);
}
