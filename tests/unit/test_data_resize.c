/* Resizing against a slow reference in double, letterbox and crop by hand, and the
 * arithmetic of normalisation. */
#include "dscq/base/hash.h"
#include "test_data_util.h"

#include <math.h>
#include <stdlib.h>

/* Weight of input pixel j for output pixel i along one axis. */
static double weight(dscq_filter f, double i, double j, double in, double out)
{
    const double scale = in / out;
    double at, lo, hi;

    switch (f) {
    case DSCQ_FILTER_BILINEAR:
        at = fmin(fmax((i + 0.5) * scale - 0.5, 0.0), in - 1.0);
        return fmax(0.0, 1.0 - fabs(j - at));
    case DSCQ_FILTER_CORNERS:
        at = out > 1.0 ? i * (in - 1.0) / (out - 1.0) : 0.0;
        return fmax(0.0, 1.0 - fabs(j - at));
    case DSCQ_FILTER_ANTIALIAS:
        return fmax(0.0, 1.0 - fabs(j + 0.5 - (i + 0.5) * scale) / fmax(scale, 1.0));
    case DSCQ_FILTER_AREA:
        lo = fmax(i * scale, j);
        hi = fmin((i + 1.0) * scale, j + 1.0);
        return fmax(0.0, hi - lo);
    default:
        return floor((i + 0.5) * scale + 1e-9) == j ? 1.0 : 0.0;
    }
}

static double reference(const dscq_image *in, dscq_filter f, int32_t x, int32_t y,
                        int32_t c, int32_t w, int32_t h)
{
    double sum = 0.0, total = 0.0;

    for (int32_t j = 0; j < in->height; j++) {
        const double wy = weight(f, y, j, in->height, h);
        for (int32_t i = 0; wy > 0.0 && i < in->width; i++) {
            const double wx = weight(f, x, i, in->width, w);
            sum += wx * wy * in->px[(j * in->width + i) * in->channels + c];
            total += wx * wy;
        }
    }
    return sum / total;
}

static const int32_t k_size[][4] = {{1, 1, 3, 2},   {5, 4, 1, 1},    {7, 9, 14, 5},
                                    {16, 16, 8, 8}, {13, 21, 13, 7}, {40, 3, 9, 11},
                                    {2, 2, 31, 17}, {33, 32, 32, 33}};

START_TEST(resize_agrees_with_the_reference)
{
    const dscq_filter f = (dscq_filter)_i;
    dscq_error err = {DSCQ_OK, ""};

    for (size_t k = 0; k < sizeof k_size / sizeof *k_size; k++)
        for (int32_t c = 1; c <= 3; c += 2) {
            const int32_t *s = k_size[k], all[4] = {0, 0, s[0], s[1]};
            dscq_image in = data_pattern(s[0], s[1], c, (unsigned)k), out;

            test_ok(dscq_image_resize(&out, &in, all, s[2], s[3], f, &err));
            for (int32_t i = 0; i < s[2] * s[3] * c; i++) {
                const double want =
                    reference(&in, f, i / c % s[2], i / c / s[2], i % c, s[2], s[3]);
                ck_assert_msg(fabs(out.px[i] - want) <= 0.52,
                              "filter %d %dx%d to %dx%d at %d: got %d, want %g", _i,
                              s[0], s[1], s[2], s[3], i, out.px[i], want);
            }
            dscq_image_clear(&in);
            dscq_image_clear(&out);
        }
}
END_TEST

START_TEST(a_flat_picture_stays_flat)
{
    dscq_error err = {DSCQ_OK, ""};
    const int32_t all[4] = {0, 0, 37, 23};
    dscq_image in, out;

    for (int v = 0; v < 256; v += 51) {
        test_ok(dscq_image_init(&in, 37, 23, 3, &err));
        memset(in.px, v, 37 * 23 * 3);
        for (int f = 0; f <= DSCQ_FILTER_NEAREST; f++) {
            test_ok(dscq_image_resize(&out, &in, all, 64, 9, (dscq_filter)f, &err));
            for (int i = 0; i < 64 * 9 * 3; i++)
                ck_assert_int_eq(out.px[i], v);
            dscq_image_clear(&out);
        }
        dscq_image_clear(&in);
    }
}
END_TEST

/* The same bytes with every compiler: recorded once. */
START_TEST(resized_bytes_are_fixed)
{
    static const uint32_t k_crc[] = {0xbf5e5ed0, 0xfb0bdb2a, 0x47172726, 0xbab21b85,
                                     0xb24eed20};
    dscq_error err = {DSCQ_OK, ""};
    const int32_t region[4] = {3, 5, 90, 61};
    dscq_image in = data_pattern(101, 77, 3, 42), out;

    test_ok(dscq_image_resize(&out, &in, region, 48, 40, (dscq_filter)_i, &err));
    ck_assert_msg(dscq_crc32(0, out.px, 48 * 40 * 3) == k_crc[_i],
                  "filter %d: crc 0x%08x, want 0x%08x", _i,
                  dscq_crc32(0, out.px, 48 * 40 * 3), k_crc[_i]);
    dscq_image_clear(&in);
    dscq_image_clear(&out);
}
END_TEST

START_TEST(regions_outside_are_refused)
{
    dscq_error err = {DSCQ_OK, ""};
    const int32_t bad[4] = {1, 0, 4, 4}, good[4] = {1, 2, 2, 2};
    dscq_image in = data_pattern(4, 4, 1, 0), out;

    test_fails(dscq_image_resize(&out, &in, bad, 2, 2, DSCQ_FILTER_AREA, &err),
               DSCQ_ARG, "region 1,0 4x4 leaves a picture of 4x4");
    test_ok(dscq_image_resize(&out, &in, good, 2, 2, DSCQ_FILTER_AREA, &err));
    ck_assert_int_eq(out.px[0], in.px[9]);
    ck_assert_int_eq(out.px[3], in.px[14]);
    dscq_image_clear(&out);
    dscq_image_clear(&in);
}
END_TEST

static dscq_preproc plain(int32_t w, int32_t h, int32_t c)
{
    return (dscq_preproc){.width = w,
                          .height = h,
                          .channels = c,
                          .fill = 7,
                          .crop_frac = 1.0f,
                          .scale = 1.0f / 255.0f,
                          .std = {1.0f, 1.0f, 1.0f}};
}

START_TEST(letterbox_keeps_the_shape_and_centres_it)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_preproc p = plain(32, 32, 3);
    dscq_image in = data_pattern(64, 40, 3, 1), out;
    dscq_placement at;

    p.resize = DSCQ_RESIZE_LETTERBOX;
    test_ok(dscq_preproc_geometry(&out, &at, &p, &in, &err));
    ck_assert_int_eq(at.x, 0);
    ck_assert_int_eq(at.y, 6);
    ck_assert_int_eq(at.width, 32);
    ck_assert_int_eq(at.height, 20);
    ck_assert_double_eq(at.sx, 0.5);
    ck_assert_double_eq(at.dy, 6.0);
    for (int i = 0; i < 6 * 32 * 3; i++) {
        ck_assert_int_eq(out.px[i], 7);
        ck_assert_int_eq(out.px[(26 * 32) * 3 + i], 7);
    }
    const int32_t all[4] = {0, 0, 64, 40};
    dscq_image small;
    test_ok(dscq_image_resize(&small, &in, all, 32, 20, DSCQ_FILTER_BILINEAR, &err));
    ck_assert_mem_eq(out.px + 6 * 32 * 3, small.px, 20 * 32 * 3);
    dscq_image_clear(&small);
    dscq_image_clear(&in);
    dscq_image_clear(&out);
}
END_TEST

START_TEST(crop_takes_the_centre)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_preproc p = plain(224, 224, 1);
    dscq_image in = data_pattern(256, 256, 1, 1), out;
    dscq_placement at;

    p.resize = DSCQ_RESIZE_CROP;
    p.crop_frac = 0.875f; /* 224 of 256: no resampling at all */
    test_ok(dscq_preproc_geometry(&out, &at, &p, &in, &err));
    ck_assert_double_eq(at.dx, -16.0);
    for (int y = 0; y < 224; y++)
        ck_assert_mem_eq(out.px + y * 224, in.px + (y + 16) * 256 + 16, 224);
    dscq_image_clear(&in);
    dscq_image_clear(&out);
}
END_TEST

START_TEST(values_are_scaled_pixel_minus_mean_over_std)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_preproc p = plain(2, 1, 3);
    dscq_image in;
    float x[6];

    p.mean[0] = 0.5f, p.mean[1] = 0.25f, p.mean[2] = 0.0f;
    p.std[0] = 0.5f, p.std[1] = 0.25f, p.std[2] = 1.0f;
    test_ok(dscq_image_init(&in, 2, 1, 3, &err));
    memcpy(in.px, (const uint8_t[]){255, 0, 51, 0, 255, 102}, 6);
    test_ok(dscq_preproc_apply(x, NULL, &p, &in, &err));
    static const float k_rgb[] = {1.0f, -1.0f, 0.2f, -1.0f, 3.0f, 0.4f};
    for (int i = 0; i < 6; i++)
        ck_assert_double_eq_tol((double)x[i], (double)k_rgb[i], 1e-6);
    p.order = DSCQ_ORDER_BGR; /* mean and std belong to the output's channels */
    test_ok(dscq_preproc_apply(x, NULL, &p, &in, &err));
    static const float k_bgr[] = {-0.6f, -1.0f, 1.0f, -0.2f, 3.0f, 0.0f};
    for (int i = 0; i < 6; i++)
        ck_assert_double_eq_tol((double)x[i], (double)k_bgr[i], 1e-6);
    dscq_image_clear(&in);
}
END_TEST

START_TEST(impossible_preprocessing_is_refused)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_preproc p = plain(4, 4, 3);

    p.std[1] = 0.0f;
    test_fails(dscq_preproc_check(&p, &err), DSCQ_ARG,
               "preprocessing: channel 1: mean 0, std 0: want finite values and std "
               "above 0");
    p = plain(4, 4, 2);
    test_fails(dscq_preproc_check(&p, &err), DSCQ_ARG,
               "preprocessing: channels = 2: want 1 or 3");
    p = plain(0, 4, 3);
    test_fails(dscq_preproc_check(&p, &err), DSCQ_ARG,
               "preprocessing: input of 0x4 pixels");
    p = plain(4, 4, 3);
    p.crop_frac = NAN;
    ck_assert_int_eq(dscq_preproc_check(&p, &err), DSCQ_ARG);
    p = plain(4, 4, 3);
    p.filter = 99;
    ck_assert_int_eq(dscq_preproc_check(&p, &err), DSCQ_ARG);
}
END_TEST

START_TEST(a_file_goes_straight_to_the_input)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_preproc p = plain(8, 8, 1);
    dscq_image in, grey;
    float a[64], b[64];

    data_write_png("p.png", 21, 13, 3, 9);
    test_ok(dscq_preproc_load(a, NULL, &p, test_path("p.png"), &err));
    test_ok(dscq_image_load(&in, test_path("p.png"), NULL, &err));
    test_ok(dscq_image_set_channels(&in, 1, &err));
    grey = in;
    test_ok(dscq_preproc_apply(b, NULL, &p, &grey, &err));
    ck_assert_mem_eq(a, b, sizeof a);
    dscq_image_clear(&in);
}
END_TEST

static dscq_status resize_here(void *ctx, dscq_error *err)
{
    const int32_t all[4] = {0, 0, 9, 9};
    dscq_image out;
    const dscq_status status =
        dscq_image_resize(&out, ctx, all, 4, 5, DSCQ_FILTER_ANTIALIAS, err);

    dscq_image_clear(&out);
    return status;
}

START_TEST(no_memory_is_reported)
{
    dscq_image in = data_pattern(9, 9, 3, 1);

    ck_assert_uint_ge(test_each_alloc_fails(resize_here, &in), 8);
    dscq_image_clear(&in);
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("data/resize", &tc);

    tcase_add_loop_test(tc, resize_agrees_with_the_reference, 0,
                        DSCQ_FILTER_NEAREST + 1);
    tcase_add_test(tc, a_flat_picture_stays_flat);
    tcase_add_loop_test(tc, resized_bytes_are_fixed, 0, DSCQ_FILTER_NEAREST + 1);
    tcase_add_test(tc, regions_outside_are_refused);
    tcase_add_test(tc, letterbox_keeps_the_shape_and_centres_it);
    tcase_add_test(tc, crop_takes_the_centre);
    tcase_add_test(tc, values_are_scaled_pixel_minus_mean_over_std);
    tcase_add_test(tc, impossible_preprocessing_is_refused);
    tcase_add_test(tc, a_file_goes_straight_to_the_input);
    tcase_add_test(tc, no_memory_is_reported);
    return s;
}

int main(void)
{
    return test_run(make);
}
