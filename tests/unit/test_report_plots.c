#include "dscq/base/alloc.h"
#include "dscq/base/hash.h"
#include "dscq/base/io.h"
#include "dscq/base/png.h"
#include "dscq/base/rng.h"
#include "dscq/base/table.h"
#include "dscq/base/zip.h"
#include "dscq/report/html.h"
#include "dscq/report/plot.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double k_x[] = {0, 1, 2, 3, 4, 5};
static const double k_loss[] = {2.3, 1.7, 1.25, (double)NAN, 0.8, 0.75};
static const double k_top1[] = {10, 41, 62, 70, 74.5, 76};
static const char *const k_bar_name[] = {"conv1", "dw2", "a&b"};
static const char *const k_part_name[] = {"MAC", "SRAM <on chip>"};
static const double k_bar[] = {1e6, 2e6, 0, 5e5, 2.5e6, 3e6};
static const double k_size[] = {1000, 2000, 4000, 4000, 100000, 1500};
static const double k_score[] = {0.5, 0.7, 0.8, 0.75, 0.8, 0.4};
static const double k_drop[] = {0, 12.5, -0.5, 100, (double)NAN, 50};
static const char *const k_label[] = {"a", "b", "c", NULL, "e", "f"};

static dscq_status draw(dscq_picture **p, int which, dscq_error *err)
{
    const dscq_series series[] = {{"training loss", k_x, k_loss, 6, 0},
                                  {"top-1 (%)", k_x, k_top1, 6, 1}};
    const dscq_axes line = {"a small net", "epoch", "loss", 0, 0, 1};
    const dscq_axes bar = {"Energy", "layer", "energy (pJ)", 0, 0, 0};
    const dscq_axes front = {"Trials", "bytes", "accuracy", 1, 0, 0};
    const dscq_bars bars = {k_bar_name, k_part_name, k_bar, 3, 2};
    const dscq_points points = {k_size, k_score, k_label, 6, 0, 0};
    const dscq_axes map = {"Lost", NULL, NULL, 0, 0, 0};
    const dscq_heat heat = {k_bar_name, k_part_name, k_drop, 3, 2};

    return which == 0   ? dscq_plot_line(p, &line, series, 2, err)
           : which == 1 ? dscq_plot_bar(p, &bar, &bars, err)
           : which == 2 ? dscq_plot_pareto(p, &front, &points, err)
                        : dscq_plot_heat(p, &map, &heat, err);
}

static const char *const k_name[] = {"line", "bar", "pareto", "heat"};

START_TEST(the_svg_is_exact)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_picture *p = NULL;
    dscq_str s = {0};
    char name[64];

    test_ok(draw(&p, _i, &err));
    test_ok(dscq_picture_svg(&s, p, &err));
    (void)snprintf(name, sizeof name, "report/%s.svg", k_name[_i]);
    test_golden_text(name, s.text);
    dscq_str_free(&s);
    dscq_picture_destroy(p);
    dscq_picture_destroy(NULL);
}
END_TEST

static uint32_t u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The pixels of a PNG of ours: three chunks, every row filtered "up". */
static uint8_t *decode(const uint8_t *png, size_t bytes, uint32_t *width,
                       uint32_t *height)
{
    dscq_error err = {DSCQ_OK, ""};
    uint8_t *rows = NULL;
    size_t rows_bytes = 0;

    ck_assert_mem_eq(png, "\x89PNG\r\n\x1a\n", 8);
    ck_assert_uint_eq(u32(png + 8), 13);
    ck_assert_mem_eq(png + 12, "IHDR", 4);
    *width = u32(png + 16);
    *height = u32(png + 20);
    ck_assert_mem_eq(png + 24, "\x08\x02\0\0\0", 5);
    ck_assert_uint_eq(u32(png + 29), dscq_crc32(0, png + 12, 17));
    const size_t n = u32(png + 33);
    ck_assert_mem_eq(png + 37, "IDAT", 4);
    ck_assert_uint_eq(33 + 12 + n + 12, bytes);
    ck_assert_uint_eq(u32(png + 41 + n), dscq_crc32(0, png + 37, n + 4));
    ck_assert_mem_eq(png + bytes - 12, "\0\0\0\0IEND\xae\x42\x60\x82", 12);
    const size_t row = (size_t)3 * *width;
    test_ok(dscq_inflate(&rows, &rows_bytes, png + 41, n, DSCQ_ZIP_ZLIB,
                         (row + 1) * *height, &err));
    ck_assert_uint_eq(rows_bytes, (row + 1) * *height);
    uint8_t *out = dscq_malloc(*height, row);
    for (size_t y = 0; y < *height; y++) {
        ck_assert_uint_eq(rows[y * (row + 1)], 2);
        for (size_t x = 0; x < row; x++)
            out[y * row + x] = (uint8_t)(rows[y * (row + 1) + 1 + x] +
                                         (y > 0 ? out[(y - 1) * row + x] : 0));
    }
    dscq_free(rows);
    return out;
}

/* Pixels, not the file: another zlib may pack the same pixels otherwise. */
START_TEST(the_pixels_are_exact)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_picture *p = NULL;
    uint32_t width = 0, height = 0;
    uint8_t *png = NULL;
    size_t bytes = 0;
    char hex[66], name[64];

    test_ok(draw(&p, _i, &err));
    test_ok(dscq_picture_write_png(p, test_path("p.png"), &err));
    test_ok(dscq_file_read(&png, &bytes, test_path("p.png"), 1 << 22, &err));
    uint8_t *rgb = decode(png, bytes, &width, &height);
    ck_assert_uint_eq(width, _i < 3 ? 1440 : 320); /* a map is as large as it needs */
    ck_assert_uint_eq(height, _i < 3 ? 880 : 312);
    dscq_sha256_hex(hex, rgb, (size_t)3 * width * height);
    memcpy(hex + 64, "\n", 2);
    (void)snprintf(name, sizeof name, "report/%s.png.sha256", k_name[_i]);
    test_golden_text(name, hex);
    dscq_free(rgb);
    dscq_free(png);
    dscq_picture_destroy(p);
}
END_TEST

START_TEST(any_pixels_become_a_png)
{
    dscq_error err = {DSCQ_OK, ""};
    uint8_t rgb[5 * 3 * 3], *png = NULL;
    uint32_t width = 0, height = 0;
    size_t bytes = 0;
    dscq_rng r = dscq_rng_seeded(1);

    for (size_t i = 0; i < sizeof rgb; i++)
        rgb[i] = (uint8_t)dscq_rng_below(&r, 256);
    test_ok(dscq_png_encode(&png, &bytes, rgb, 5, 3, 3, &err));
    uint8_t *again = decode(png, bytes, &width, &height);
    ck_assert_mem_eq(again, rgb, sizeof rgb);
    dscq_free(again);
    dscq_free(png);
    test_fails(dscq_png_encode(&png, &bytes, rgb, 0, 3, 3, &err), DSCQ_ARG,
               "a PNG of 0 x 3 pixels: want 1 to 65535");
    test_fails(dscq_png_encode(&png, &bytes, rgb, 1, 65536, 3, &err), DSCQ_ARG,
               "a PNG of 1 x 65536 pixels: want 1 to 65535");
}
END_TEST

START_TEST(plots_without_sense_are_refused)
{
    static const double nothing[] = {(double)NAN, -1}, bad_bar[] = {1, -2};
    dscq_error err = {DSCQ_OK, ""};
    dscq_picture *p = NULL;
    dscq_series series[9];
    const dscq_axes axes = {"", "", "", 0, 1, 0};
    const dscq_bars bars = {k_bar_name, k_part_name, bad_bar, 1, 2};
    const dscq_bars none = {k_bar_name, k_part_name, bad_bar, 0, 2};
    const dscq_points points = {nothing, nothing, NULL, 2, 0, 0};

    for (int i = 0; i < 9; i++)
        series[i] = (dscq_series){"s", k_x, nothing, 2, 0};
    test_fails(dscq_plot_line(&p, &axes, series, 9, &err), DSCQ_ARG,
               "9 curves in one plot: at most 8");
    test_fails(dscq_plot_line(&p, &axes, series, 1, &err), DSCQ_ARG,
               "a plot without a point that can be shown");
    test_fails(dscq_plot_line(&p, &axes, NULL, 0, &err), DSCQ_ARG,
               "a plot without a point that can be shown");
    test_fails(dscq_plot_bar(&p, &axes, &bars, &err), DSCQ_ARG,
               "bar 'conv1', part 'SRAM <on chip>': -2, want a number >= 0");
    test_fails(dscq_plot_bar(&p, &axes, &none, &err), DSCQ_ARG,
               "0 bars of 2 parts: want 1 to 200 bars, 1 to 10 parts");
    test_fails(dscq_plot_pareto(&p, &axes, &points, &err), DSCQ_ARG,
               "a plot without a point that can be shown");
    ck_assert_ptr_null(p);
}
END_TEST

/* Extreme values must neither hang nor overrun anything. */
START_TEST(any_numbers_are_drawn)
{
    static const double k_wild[][4] = {
        {0, 0, 0, 0},
        {-1e299, 1e299, 0, 1},
        {1e-300, 2e-300, 1e-299, 5e-324},
        {1e15, 1e15 + 1, 1e15 + 2, 1e15},
        {(double)NAN, (double)INFINITY, (double)-INFINITY, 3},
        {-5, -5, -5, -5}};
    dscq_error err = {DSCQ_OK, ""};

    for (size_t i = 0; i < 36; i++) {
        const double *x = k_wild[i / 6], *y = k_wild[i % 6];
        for (int logs = 0; logs < 4; logs++) {
            const dscq_axes axes = {"t", "x", "y", logs & 1, logs >> 1, 0};
            const dscq_series series = {"s", x, y, 4, 0};
            const dscq_points points = {x, y, NULL, 4, 1, 1};
            dscq_picture *p = NULL;
            dscq_str s = {0};
            if (dscq_plot_line(&p, &axes, &series, 1, &err) == DSCQ_OK) {
                test_ok(dscq_picture_svg(&s, p, &err));
                ck_assert_ptr_null(strstr(s.text, "nan"));
                dscq_picture_destroy(p);
            }
            if (dscq_plot_pareto(&p, &axes, &points, &err) == DSCQ_OK)
                dscq_picture_destroy(p);
            dscq_str_free(&s);
        }
    }
}
END_TEST

START_TEST(the_front_holds_what_nothing_beats)
{
    dscq_error err = {DSCQ_OK, ""};
    unsigned char on[6];
    const dscq_points points = {k_size, k_score, NULL, 6, 0, 0};

    test_ok(dscq_pareto_front(on, &points, &err));
    ck_assert_mem_eq(on, "\1\1\1\0\0\0", 6);
    const dscq_points twins = {
        (const double[]){1, 1, 2}, (const double[]){5, 5, 5}, NULL, 3, 0, 0};
    test_ok(dscq_pareto_front(on, &twins, &err));
    ck_assert_mem_eq(on, "\1\0\0", 3);
    const dscq_points turned = {(const double[]){1, 2, 3, (double)NAN},
                                (const double[]){1, 2, 3, 0},
                                NULL,
                                4,
                                1,
                                1};
    test_ok(dscq_pareto_front(on, &turned, &err)); /* large x and small y are good */
    ck_assert_mem_eq(on, "\1\1\1\0", 4);
}
END_TEST

/* The sorted sweep against the definition. */
START_TEST(the_front_agrees_with_its_definition)
{
    enum { N = 200 };
    dscq_error err = {DSCQ_OK, ""};
    dscq_rng r = dscq_rng_seeded(5);
    double x[N], y[N];
    unsigned char on[N];

    for (int i = 0; i < N; i++) {
        x[i] = (double)dscq_rng_below(&r, 30);
        y[i] = (double)dscq_rng_below(&r, 30);
    }
    const dscq_points points = {x, y, NULL, N, 0, 0};
    test_ok(dscq_pareto_front(on, &points, &err));
    for (int i = 0; i < N; i++) {
        int beaten = 0;
        for (int k = 0; k < N; k++) {
            const int better = x[k] < x[i] || y[k] > y[i];
            const int worse = x[k] > x[i] || y[k] < y[i];
            beaten |= !worse && (better || k < i);
        }
        ck_assert_int_eq(on[i], !beaten);
    }
}
END_TEST

static dscq_status build_page(dscq_page **page, dscq_error *err)
{
    static const dscq_column columns[] = {DSCQ_TEXT_COLUMN("layer", ""),
                                          DSCQ_REAL_COLUMN("energy_pj", "energy", 1),
                                          DSCQ_COLUMN_END};
    dscq_table *t = NULL;
    dscq_picture *p = NULL;
    dscq_status status;

    *page = NULL;
    DSCQ_TRY(dscq_table_create(&t, "layers", columns, err));
    DSCQ_TABLE_ROW(t, dscq_text("<conv>"), dscq_real(12.34));
    DSCQ_TRY(draw(&p, 2, err));
    DSCQ_TRY(dscq_page_create(page, "Report & more", err));
    dscq_page_section(*page, "Layers");
    dscq_page_paragraph(*page, "Energy < 1 mJ.");
    dscq_page_table(*page, "Per layer", t);
    dscq_page_picture(*page, "Trials", p);
    dscq_page_code(*page, "dscq report \"x\"\n");
done:
    dscq_picture_destroy(p);
    dscq_table_destroy(t);
    return status;
}

START_TEST(the_page_is_exact_and_self_contained)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_page *page = NULL;

    test_ok(build_page(&page, &err));
    test_golden_text("report/page.html", dscq_page_text(page));
    test_ok(dscq_page_write(page, test_path("r.html"), &err));
    char *text = test_read(test_path("r.html"));
    ck_assert_str_eq(text, dscq_page_text(page));
    ck_assert_ptr_null(strstr(text, "<script"));
    ck_assert_ptr_null(strstr(text, "src="));
    dscq_free(text);
    dscq_page_destroy(page);
    dscq_page_destroy(NULL);
}
END_TEST

static dscq_status all_of_it(void *ctx, dscq_error *err)
{
    dscq_page *page = NULL;
    dscq_picture *p = NULL;
    dscq_status status;

    DSCQ_TRY(build_page(&page, err));
    DSCQ_TRY(dscq_page_write(page, ctx, err));
    for (int i = 0; i < 3; i++) {
        dscq_picture_destroy(p);
        DSCQ_TRY(draw(&p, i, err));
    }
    DSCQ_TRY(dscq_picture_write_svg(p, ctx, err));
    DSCQ_TRY(dscq_picture_write_png(p, ctx, err));
done:
    dscq_picture_destroy(p);
    dscq_page_destroy(page);
    return status;
}

START_TEST(no_memory_and_no_disk_are_reported)
{
    char path[4096];

    (void)dscq_str_copy(path, sizeof path, test_path("out"));
    ck_assert_uint_gt(test_each_alloc_fails(all_of_it, path), 30);
    ck_assert_uint_ge(test_each_write_fails(all_of_it, path), 3);
    ck_assert_uint_eq(test_file_count(test_path("")), 1);
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("report/plots and report/html", &tc);

    tcase_add_loop_test(tc, the_svg_is_exact, 0, 4);
    tcase_add_loop_test(tc, the_pixels_are_exact, 0, 4);
    tcase_add_test(tc, any_pixels_become_a_png);
    tcase_add_test(tc, plots_without_sense_are_refused);
    tcase_add_test(tc, any_numbers_are_drawn);
    tcase_add_test(tc, the_front_holds_what_nothing_beats);
    tcase_add_test(tc, the_front_agrees_with_its_definition);
    tcase_add_test(tc, the_page_is_exact_and_self_contained);
    tcase_add_test(tc, no_memory_and_no_disk_are_reported);
    return s;
}

int main(void)
{
    return test_run(make);
}
