/* Splits, batches, augmentation: same bytes for any number of threads, resumable,
 * boxes that stay on their object. */
#include "dscq/base/alloc.h"
#include "dscq/base/hash.h"
#include "dscq/base/par.h"
#include "dscq/data/batch.h"
#include "test_data_util.h"

#include <math.h>
#include <stdlib.h>

static const char k_signs[] =
    "type=signs width=20 height=16 count=230 classes=7 flip=1 "
    "shift=3 zoom=0.2 colour=0.3 hue=0.1 cutout=4";
static const char k_scenes[] =
    "type=signs_detect width=48 height=40 count=60 test_count=9 classes=5 flip=1 "
    "zoom=0.3 shift=4 colour=0.2 mosaic=0.4";

static dscq_dataset *open_set(const char *text)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_dataset *d;

    test_ok(data_open_set(&d, text, &err));
    return d;
}

/* Everything in a batch, as one number. */
static uint32_t batch_crc(uint32_t crc, const dscq_batch *b)
{
    const size_t n = (size_t)b->n;

    crc = dscq_crc32(crc, b->x,
                     n * (size_t)(b->height * b->width * b->channels) * sizeof *b->x);
    crc = dscq_crc32(crc, b->label, n * sizeof *b->label);
    crc = dscq_crc32(crc, b->index, n * sizeof *b->index);
    for (size_t i = 0; b->box != NULL && i < n; i++)
        for (int32_t k = 0; k < b->box_count[i]; k++) {
            const dscq_box *q = &b->box[i * (size_t)b->max_boxes + (size_t)k];
            const float v[5] = {q->x0, q->y0, q->x1, q->y1, (float)q->cls};
            crc = dscq_crc32(crc, v, sizeof v);
        }
    return crc;
}

/* crc[b] of batches first.. of an epoch; returns how many. */
static size_t walk(uint32_t *crc, dscq_loader *l, uint32_t epoch, size_t first)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_batch b;
    size_t n = 0;

    dscq_loader_start(l, epoch, first);
    for (;; n++) {
        test_ok(dscq_loader_next(&b, l, &err));
        if (b.n == 0)
            return n;
        ck_assert_uint_eq(b.number, first + n);
        ck_assert_uint_eq(b.epoch, epoch);
        crc[n] = batch_crc(0, &b);
    }
}

static dscq_loader *make_loader(dscq_dataset *d, unsigned flags, int32_t threads)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_loader *l;

    test_ok(dscq_loader_create(&l, d, DSCQ_SPLIT_TRAIN, 24, flags, 5, threads, &err));
    return l;
}

static const unsigned k_all = DSCQ_LOADER_SHUFFLE | DSCQ_LOADER_AUGMENT;

START_TEST(bytes_do_not_depend_on_threads)
{
    static const char *const k_set[] = {k_signs, k_scenes};
    uint32_t want[2][16], got[16];
    dscq_dataset *d = open_set(k_set[_i]);
    dscq_loader *l = make_loader(d, k_all, 0);
    const size_t n = walk(want[0], l, 0, 0);

    ck_assert_uint_eq(walk(want[1], l, 1, 0), n);
    ck_assert_uint_eq(n, dscq_loader_batches(l));
    for (size_t i = 0; i < n; i++)
        ck_assert_uint_ne(want[0][i], want[1][i]); /* epochs differ */
    dscq_loader_destroy(l);
    dscq_dataset_destroy(d);
    for (int32_t threads = 1; threads <= 4; threads++) {
        d = open_set(k_set[_i]); /* nothing cached yet */
        l = make_loader(d, k_all, threads);
        for (uint32_t e = 0; e < 2; e++) {
            ck_assert_uint_eq(walk(got, l, e, 0), n);
            ck_assert_mem_eq(got, want[e], n * sizeof *got);
        }
        dscq_loader_destroy(l);
        dscq_dataset_destroy(d);
    }
}
END_TEST

START_TEST(a_run_resumes_at_any_batch)
{
    uint32_t want[16], got[16];
    dscq_dataset *d = open_set(k_signs);
    dscq_loader *l = make_loader(d, k_all, 2);
    const size_t n = walk(want, l, 3, 0);
    dscq_error err = {DSCQ_OK, ""};
    dscq_batch b;

    for (size_t first = 0; first <= n; first++) {
        ck_assert_uint_eq(walk(got, l, 3, first), n - first);
        ck_assert_mem_eq(got, want + first, (n - first) * sizeof *got);
    }
    dscq_loader_start(l, 9, 0); /* left in the middle */
    test_ok(dscq_loader_next(&b, l, &err));
    ck_assert_uint_eq(walk(got, l, 3, 1), n - 1);
    ck_assert_mem_eq(got, want + 1, (n - 1) * sizeof *got);
    dscq_loader_destroy(l);
    dscq_dataset_destroy(d);
}
END_TEST

START_TEST(the_cache_does_not_change_values)
{
    char text[512];
    uint32_t want[16], got[16];
    dscq_dataset *d = open_set(k_scenes);
    dscq_loader *l = make_loader(d, k_all, 0);
    const size_t n = walk(want, l, 0, 0);

    dscq_loader_destroy(l);
    dscq_dataset_destroy(d);
    (void)snprintf(text, sizeof text, "%s cache_mb=0", k_scenes);
    d = open_set(text);
    l = make_loader(d, k_all, 2);
    ck_assert_uint_eq(walk(got, l, 0, 0), n);
    ck_assert_mem_eq(got, want, n * sizeof *got);
    dscq_loader_destroy(l);
    dscq_dataset_destroy(d);
}
END_TEST

typedef struct fetching {
    dscq_dataset *d;
    uint32_t crc[54];
} fetching;

static void fetch_one(void *ctx, size_t task, int worker)
{
    fetching *f = ctx;
    uint8_t px[16 * 12];

    (void)worker;
    memset(px, 0, sizeof px);
    (void)dscq_dataset_pixels(px, NULL, f->d, DSCQ_SPLIT_TRAIN, task / 2, NULL);
    f->crc[task] = dscq_crc32(0, px, sizeof px);
}

START_TEST(pictures_can_be_fetched_by_several_threads_at_once)
{
    dscq_error err = {DSCQ_OK, ""};
    fetching f = {.d = open_set("type=signs width=16 height=12 channels=1 count=30")};
    dscq_pool *pool;

    test_ok(dscq_pool_create(&pool, 4, &err));
    dscq_pool_run(pool, 54, fetch_one, &f);
    for (size_t i = 0; i < 54; i++) {
        const uint32_t got = f.crc[i];
        fetch_one(&f, i, 0);
        ck_assert_uint_eq(got, f.crc[i]);
    }
    dscq_pool_destroy(pool);
    dscq_dataset_destroy(f.d);
}
END_TEST

START_TEST(every_item_comes_once_an_epoch)
{
    dscq_dataset *d = open_set(k_signs); /* 207 + 23 */
    dscq_error err = {DSCQ_OK, ""};
    dscq_batch b;

    for (int drop = 0; drop < 2; drop++) {
        int seen[207] = {0}, total = 0, in_order = 1;
        dscq_loader *l = make_loader(
            d, DSCQ_LOADER_SHUFFLE | (drop ? DSCQ_LOADER_DROP_LAST : 0u), 1);

        ck_assert_uint_eq(dscq_loader_batches(l), drop ? 8 : 9);
        dscq_loader_start(l, 0, 0);
        for (;;) {
            test_ok(dscq_loader_next(&b, l, &err));
            if (b.n == 0)
                break;
            for (int32_t i = 0; i < b.n; i++) {
                in_order &= b.index[i] == (uint32_t)total;
                total++;
                ck_assert_int_eq(seen[b.index[i]]++, 0);
                ck_assert_int_eq(b.label[i],
                                 dscq_dataset_label(d, DSCQ_SPLIT_TRAIN, b.index[i]));
            }
        }
        ck_assert_int_eq(total, drop ? 192 : 207);
        ck_assert_int_eq(in_order, 0);
        dscq_loader_destroy(l);
    }
    dscq_dataset_destroy(d);
}
END_TEST

START_TEST(plain_batches_equal_direct_fills)
{
    dscq_dataset *d = open_set(k_signs);
    dscq_loader *l = make_loader(d, 0, 1);
    dscq_error err = {DSCQ_OK, ""};
    dscq_batch b;
    static float x[24 * 20 * 16 * 3];
    int32_t label[24];

    dscq_loader_start(l, 0, 0);
    test_ok(dscq_loader_next(&b, l, &err));
    test_ok(dscq_batch_fill(x, label, d, DSCQ_SPLIT_TRAIN, b.index, 24, &err));
    ck_assert_mem_eq(x, b.x, sizeof x);
    ck_assert_mem_eq(label, b.label, sizeof label);
    dscq_loader_destroy(l);
    dscq_dataset_destroy(d);
}
END_TEST

START_TEST(impossible_loaders_are_refused)
{
    dscq_dataset *d = open_set("type=signs width=12 height=12 count=10 valid_frac=0");
    dscq_error err = {DSCQ_OK, ""};
    dscq_loader *l;

    test_fails(dscq_loader_create(&l, d, DSCQ_SPLIT_VALID, 4, 0, 1, 0, &err), DSCQ_ARG,
               "the valid part is empty; raise data.valid_frac");
    test_fails(dscq_loader_create(&l, d, DSCQ_SPLIT_TRAIN, 0, 0, 1, 0, &err), DSCQ_ARG,
               "batch = 0: want at least 1");
    test_fails(dscq_loader_create(&l, d, DSCQ_SPLIT_TRAIN, 11, DSCQ_LOADER_DROP_LAST, 1,
                                  0, &err),
               DSCQ_ARG, "the train part has 10 pictures, less than one batch of 11");
    dscq_dataset_destroy(d);
}
END_TEST

START_TEST(a_bad_file_ends_the_epoch_with_its_name)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_dataset *d;
    dscq_batch b;
    char name[64];

    data_make_dir("e/a");
    for (int i = 0; i < 40; i++) {
        (void)snprintf(name, sizeof name, "e/a/%02d.png", i);
        data_write_png(name, 6, 6, 3, (unsigned)i);
    }
    test_ok(data_open_set(&d,
                          "type=folder train=e width=6 height=6 valid_frac=0 mean=0 "
                          "std=1 cache_mb=0",
                          &err));
    (void)test_file("e/a/25.png", "gone bad");
    (void)test_file("e/a/27.png", "gone bad too");
    for (int32_t threads = 0; threads <= 3; threads++) {
        dscq_loader *l;

        test_ok(dscq_loader_create(&l, d, DSCQ_SPLIT_TRAIN, 20, 0, 1, threads, &err));
        dscq_loader_start(l, 0, 0);
        test_ok(dscq_loader_next(&b, l, &err));
        ck_assert_int_eq(b.n, 20);
        ck_assert_int_eq(dscq_loader_next(&b, l, &err), DSCQ_FORMAT);
        ck_assert_ptr_nonnull(strstr(err.msg, "e/a/25.png: neither PNG, JPEG, BMP"));
        test_ok(dscq_loader_next(&b, l, &err)); /* the epoch is over */
        ck_assert_int_eq(b.n, 0);
        dscq_loader_destroy(l);
    }
    dscq_dataset_destroy(d);
}
END_TEST

/* ---- augmentation ---- */

/* One picture: grey, with a red rectangle that one box surrounds. */
static void make_red(void)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_image im;

    data_make_dir("r/images");
    data_make_dir("r/labels");
    test_ok(dscq_image_init(&im, 40, 30, 3, &err));
    for (int y = 0; y < 30; y++)
        for (int x = 0; x < 40; x++) {
            const int red = x >= 10 && x < 18 && y >= 6 && y < 18;
            im.px[3 * (y * 40 + x)] = red ? 250 : 60;
            im.px[3 * (y * 40 + x) + 1] = red ? 10 : 60;
            im.px[3 * (y * 40 + x) + 2] = red ? 10 : 60;
        }
    for (int i = 0; i < 4; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "r/images/%d.png", i);
        test_ok(dscq_image_write_png(test_path(name), &im, &err));
        (void)snprintf(name, sizeof name, "r/labels/%d.txt", i);
        (void)test_file(name, "0 0.35 0.4 0.2 0.4\n");
    }
    dscq_image_clear(&im);
}

/* Where red is in one sample, in pixels: x0 y0 x1 y1; 0 when nowhere. */
static int find_red(double box[4], const float *x, const double in[4], int32_t w)
{
    box[0] = box[1] = 1e9;
    box[2] = box[3] = -1e9;
    for (int32_t j = (int32_t)in[1]; j < (int32_t)in[3]; j++)
        for (int32_t i = (int32_t)in[0]; i < (int32_t)in[2]; i++) {
            const float *p = x + 3 * (j * w + i);
            if ((double)p[0] < 0.55 || (double)p[1] > 0.3)
                continue;
            box[0] = fmin(box[0], i);
            box[1] = fmin(box[1], j);
            box[2] = fmax(box[2], i + 1);
            box[3] = fmax(box[3], j + 1);
        }
    return box[2] > box[0];
}

static const char *const k_augment[] = {"flip=1",
                                        "shift=6",
                                        "flip=1 shift=5",
                                        "zoom=0.4",
                                        "flip=1 zoom=0.3 shift=4",
                                        "resize=letterbox flip=1 zoom=0.2",
                                        "resize=letterbox",
                                        "resize=crop"};

START_TEST(boxes_stay_on_their_object)
{
    dscq_error err = {DSCQ_OK, ""};
    const double all[4] = {0, 0, 64, 64};
    dscq_dataset *d;
    dscq_batch b;
    char text[256];
    int boxes = 0, flipped = 0;

    make_red();
    (void)snprintf(text, sizeof text,
                   "type=yolo train=r/images width=64 height=64 mean=0 std=1 "
                   "valid_frac=0 box_min_frac=0 %s",
                   k_augment[_i]);
    test_ok(data_open_set(&d, text, &err));
    dscq_loader *l = make_loader(d, DSCQ_LOADER_AUGMENT, 0);
    for (uint32_t e = 0; e < 40; e++) {
        dscq_loader_start(l, e, 0);
        test_ok(dscq_loader_next(&b, l, &err));
        for (int32_t i = 0; i < b.n; i++) {
            const dscq_box *q = &b.box[i * b.max_boxes];
            double red[4];
            const int found = find_red(red, b.x + i * 64 * 64 * 3, all, 64);

            ck_assert_int_le(b.box_count[i], 1);
            if (b.box_count[i] == 0 || !found)
                continue;
            const double want[4] = {(double)q->x0 * 64, (double)q->y0 * 64,
                                    (double)q->x1 * 64, (double)q->y1 * 64};
            for (int k = 0; k < 4; k++)
                ck_assert_msg(fabs(red[k] - want[k]) <= 1.6,
                              "%s: epoch %u item %d edge %d: red at %g, box at %g",
                              k_augment[_i], e, i, k, red[k], want[k]);
            boxes++;
            flipped += red[0] + red[2] > 64.0;
        }
    }
    ck_assert_int_gt(boxes, 100);
    if (strstr(k_augment[_i], "flip") != NULL)
        ck_assert_int_gt(flipped, 20);
    dscq_loader_destroy(l);
    dscq_dataset_destroy(d);
}
END_TEST

START_TEST(mosaic_boxes_stay_on_their_objects)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_dataset *d;
    dscq_batch b;
    int boxes = 0, several = 0;

    make_red();
    test_ok(data_open_set(&d,
                          "type=yolo train=r/images width=64 height=64 mean=0 std=1 "
                          "valid_frac=0 mosaic=1 flip=1",
                          &err));
    dscq_loader *l = make_loader(d, DSCQ_LOADER_AUGMENT, 0);
    for (uint32_t e = 0; e < 30; e++) {
        dscq_loader_start(l, e, 0);
        test_ok(dscq_loader_next(&b, l, &err));
        for (int32_t i = 0; i < b.n; i++) {
            several += b.box_count[i] > 1;
            for (int32_t k = 0; k < b.box_count[i]; k++) {
                const dscq_box *q = &b.box[i * b.max_boxes + k];
                const double in[4] = {(double)q->x0 * 64, (double)q->y0 * 64,
                                      (double)q->x1 * 64, (double)q->y1 * 64};
                double red[4];

                if (in[2] - in[0] < 4 || in[3] - in[1] < 4)
                    continue; /* a sliver at the seam */
                ck_assert_msg(find_red(red, b.x + i * 64 * 64 * 3, in, 64),
                              "no red in %g %g %g %g", in[0], in[1], in[2], in[3]);
                /* it fills its box */
                ck_assert_double_gt(red[2] - red[0], 0.6 * (in[2] - in[0]) - 1);
                ck_assert_double_gt(red[3] - red[1], 0.6 * (in[3] - in[1]) - 1);
                boxes++;
            }
        }
    }
    ck_assert_int_gt(boxes, 150);
    ck_assert_int_gt(several, 50);
    dscq_loader_destroy(l);
    dscq_dataset_destroy(d);
}
END_TEST

/* Shift and flip by hand on a 4x1 picture: the outcome is one of the possible ones,
 * and each of them occurs. */
START_TEST(shift_and_flip_are_exact)
{
    static const int k_px[4] = {10, 20, 30, 40};
    dscq_error err = {DSCQ_OK, ""};
    dscq_dataset *d;
    dscq_batch b;
    dscq_image im;
    int seen[2][3] = {{0}};

    data_make_dir("s/a");
    test_ok(dscq_image_init(&im, 4, 1, 1, &err));
    for (int i = 0; i < 4; i++)
        im.px[i] = (uint8_t)k_px[i];
    test_ok(dscq_image_write_png(test_path("s/a/1.png"), &im, &err));
    dscq_image_clear(&im);
    test_ok(
        data_open_set(&d,
                      "type=folder train=s width=4 height=1 channels=1 mean=0 std=1 "
                      "pixel_scale=1 fill=99 flip=1 shift=1 valid_frac=0",
                      &err));
    dscq_loader *l = make_loader(d, DSCQ_LOADER_AUGMENT, 0);
    for (uint32_t e = 0; e < 200; e++) {
        int match = 0;

        dscq_loader_start(l, e, 0);
        test_ok(dscq_loader_next(&b, l, &err));
        if ((int)b.x[0] == 99 && (int)b.x[3] == 99)
            continue; /* moved up or down, out of a picture one row high */
        for (int flip = 0; flip < 2; flip++)
            for (int dx = -1; dx <= 1; dx++) {
                int same = 1;
                for (int x = 0; x < 4; x++) {
                    const int u = x - dx;
                    const int want = u < 0 || u > 3 ? 99 : k_px[flip ? 3 - u : u];
                    same &= (int)b.x[x] == want;
                }
                match += same;
                seen[flip][dx + 1] += same;
            }
        ck_assert_int_eq(match, 1);
    }
    for (int i = 0; i < 6; i++)
        ck_assert_int_gt(seen[i / 3][i % 3], 2);
    dscq_loader_destroy(l);
    dscq_dataset_destroy(d);
}
END_TEST

START_TEST(cutout_blanks_one_square)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_dataset *d;
    dscq_batch b;
    int full = 0;

    data_make_dir("k/a");
    data_write_flat("k/a/1.png", 20, 20, 200, 200, 200);
    test_ok(data_open_set(&d,
                          "type=folder train=k width=20 height=20 channels=1 mean=0 "
                          "std=1 pixel_scale=1 fill=0 cutout=6 valid_frac=0",
                          &err));
    dscq_loader *l = make_loader(d, DSCQ_LOADER_AUGMENT, 0);
    for (uint32_t e = 0; e < 60; e++) {
        int blank = 0;

        dscq_loader_start(l, e, 0);
        test_ok(dscq_loader_next(&b, l, &err));
        for (int i = 0; i < 400; i++)
            blank += (int)b.x[i] == 0;
        ck_assert_int_ge(blank, 9); /* a corner of it at least */
        ck_assert_int_le(blank, 36);
        full += blank == 36;
    }
    ck_assert_int_gt(full, 10);
    dscq_loader_destroy(l);
    dscq_dataset_destroy(d);
}
END_TEST

/* ---- splits ---- */

START_TEST(the_split_keeps_the_share_of_every_class)
{
    dscq_dataset *d =
        open_set("type=signs width=12 height=12 count=1000 classes=9 valid_frac=0.2");
    uint64_t n[9];

    ck_assert_uint_eq(dscq_dataset_count(d, DSCQ_SPLIT_VALID), 200);
    ck_assert_uint_eq(dscq_dataset_count(d, DSCQ_SPLIT_TRAIN), 800);
    dscq_dataset_histogram(d, DSCQ_SPLIT_VALID, n);
    for (int c = 0; c < 9; c++)
        ck_assert_msg(n[c] == 22 || n[c] == 23, "class %d: %d", c, (int)n[c]);
    dscq_dataset_destroy(d);
}
END_TEST

static void origins(char *out, size_t cap, const char *settings, dscq_split s)
{
    dscq_dataset *d = open_set(settings);
    char one[2048];

    out[0] = '\0';
    for (size_t i = 0; i < dscq_dataset_count(d, s); i++) {
        (void)dscq_dataset_origin(one, sizeof one, d, s, i);
        (void)strncat(out, dscq_path_base(one), cap - strlen(out) - 2);
        (void)strncat(out, " ", cap - strlen(out) - 1);
    }
    dscq_dataset_destroy(d);
}

START_TEST(tail_takes_the_last_of_every_class)
{
    char a[4096], b[4096], c[4096], name[64];

    data_make_dir("t");
    for (int i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof name, "t/%c_%02d.png", i % 2 ? 'p' : 'q', i);
        data_write_png(name, 2, 2, 1, (unsigned)i);
    }
#define FLAT "type=flat train=t width=2 height=2 mean=0 std=1 valid_frac=0.2 "
    origins(a, sizeof a, FLAT "split=tail", DSCQ_SPLIT_VALID);
    ck_assert_str_eq(a, "p_17.png p_19.png q_16.png q_18.png ");
    origins(a, sizeof a, FLAT "seed=1", DSCQ_SPLIT_VALID);
    origins(b, sizeof b, FLAT "seed=1", DSCQ_SPLIT_VALID);
    origins(c, sizeof c, FLAT "seed=2", DSCQ_SPLIT_VALID);
    ck_assert_str_eq(a, b);
    ck_assert_str_ne(a, c);
    /* limit and test_frac leave the others disjoint */
    origins(a, sizeof a, FLAT "test_frac=0.2 limit=10", DSCQ_SPLIT_VALID);
    origins(b, sizeof b, FLAT "test_frac=0.2 limit=10", DSCQ_SPLIT_TRAIN);
    ck_assert_uint_eq(strlen(a), 2 * strlen("p_17.png "));
    ck_assert_uint_eq(strlen(b), 8 * strlen("p_17.png "));
}
END_TEST

/* Pictures with boxes are shared out by the class of their first box: the last of each
 * class, not the last of all. */
START_TEST(box_splits_take_the_same_share_of_every_class)
{
    char a[4096], name[64], label[64];

    data_make_dir("s/images");
    data_make_dir("s/labels");
    for (int i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof name, "s/images/%02d.png", i);
        data_write_png(name, 4, 4, 1, (unsigned)i);
        (void)snprintf(name, sizeof name, "s/labels/%02d.txt", i);
        (void)snprintf(label, sizeof label, "%d .5 .5 .5 .5\n%d .5 .5 .2 .2\n", i / 10,
                       1 - i / 10);
        (void)test_file(name, label);
    }
    (void)test_file("s/names.txt", "one\ntwo\n");
    origins(a, sizeof a,
            "type=yolo train=s/images names=s/names.txt width=4 height=4 mean=0 std=1 "
            "valid_frac=0.2 split=tail",
            DSCQ_SPLIT_VALID);
    ck_assert_str_eq(a, "08.png 09.png 18.png 19.png ");
}
END_TEST

START_TEST(held_back_pictures_are_the_test_part)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_dataset *d;
    char name[64];
    int seen[20] = {0};

    data_make_dir("hb/a");
    for (int i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof name, "hb/a/%02d.png", i);
        data_write_png(name, 2, 2, 1, (unsigned)i);
    }
    test_ok(data_open_set(&d,
                          "type=folder train=hb width=2 height=2 mean=0 std=1 "
                          "test_frac=0.25 valid_frac=0.2",
                          &err));
    ck_assert_uint_eq(dscq_dataset_count(d, DSCQ_SPLIT_TEST), 0);
    ck_assert_int_eq(dscq_dataset_has_test(d), 1);
    test_ok(dscq_dataset_open_test(d, &err));
    test_ok(dscq_dataset_open_test(d, &err));
    ck_assert_uint_eq(dscq_dataset_count(d, DSCQ_SPLIT_TEST), 5);
    for (int s = 0; s < 3; s++)
        for (size_t i = 0; i < dscq_dataset_count(d, (dscq_split)s); i++) {
            char path[2048];
            (void)dscq_dataset_origin(path, sizeof path, d, (dscq_split)s, i);
            seen[strtol(dscq_path_base(path), NULL, 10)]++;
        }
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(seen[i], 1);
    dscq_dataset_destroy(d);
}
END_TEST

START_TEST(another_preprocessing_can_be_set)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_dataset *d = open_set("type=signs width=16 height=16 count=20");
    dscq_preproc p = *dscq_dataset_preproc(d);
    uint8_t big[16 * 16 * 3], small[8 * 8];

    test_ok(dscq_dataset_pixels(big, NULL, d, DSCQ_SPLIT_TRAIN, 3, &err));
    p.width = p.height = 8;
    p.channels = 1;
    test_ok(dscq_dataset_set_preproc(d, &p, &err));
    test_ok(dscq_dataset_pixels(small, NULL, d, DSCQ_SPLIT_TRAIN, 3, &err));
    p.std[0] = -1;
    ck_assert_int_eq(dscq_dataset_set_preproc(d, &p, &err), DSCQ_ARG);
    ck_assert_int_eq(dscq_dataset_preproc(d)->width, 8);
    dscq_dataset_destroy(d);
}
END_TEST

static dscq_status load_some(void *ctx, dscq_error *err)
{
    dscq_loader *l = NULL;
    dscq_batch b;
    dscq_status status = dscq_loader_create(&l, ctx, DSCQ_SPLIT_TRAIN, 8,
                                            DSCQ_LOADER_AUGMENT, 1, 0, err);

    if (status == DSCQ_OK) {
        dscq_loader_start(l, 0, 0);
        status = dscq_loader_next(&b, l, err);
    }
    dscq_loader_destroy(l);
    return status;
}

START_TEST(no_memory_is_reported)
{
    dscq_dataset *d =
        open_set("type=signs_detect width=20 height=20 count=20 cache_mb=0");

    ck_assert_uint_ge(test_each_alloc_fails(load_some, d), 8);
    dscq_dataset_destroy(d);
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("data/loader", &tc);

    tcase_add_loop_test(tc, bytes_do_not_depend_on_threads, 0, 2);
    tcase_add_test(tc, a_run_resumes_at_any_batch);
    tcase_add_test(tc, the_cache_does_not_change_values);
    tcase_add_test(tc, pictures_can_be_fetched_by_several_threads_at_once);
    tcase_add_test(tc, every_item_comes_once_an_epoch);
    tcase_add_test(tc, plain_batches_equal_direct_fills);
    tcase_add_test(tc, impossible_loaders_are_refused);
    tcase_add_test(tc, a_bad_file_ends_the_epoch_with_its_name);
    tcase_add_loop_test(tc, boxes_stay_on_their_object, 0,
                        (int)(sizeof k_augment / sizeof *k_augment));
    tcase_add_test(tc, mosaic_boxes_stay_on_their_objects);
    tcase_add_test(tc, shift_and_flip_are_exact);
    tcase_add_test(tc, cutout_blanks_one_square);
    tcase_add_test(tc, the_split_keeps_the_share_of_every_class);
    tcase_add_test(tc, tail_takes_the_last_of_every_class);
    tcase_add_test(tc, box_splits_take_the_same_share_of_every_class);
    tcase_add_test(tc, held_back_pictures_are_the_test_part);
    tcase_add_test(tc, another_preprocessing_can_be_set);
    tcase_add_test(tc, no_memory_is_reported);
    return s;
}

int main(void)
{
    return test_run(make);
}
