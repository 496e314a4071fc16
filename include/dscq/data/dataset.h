/*
 * data/dataset.h - labelled pictures from files or from the built-in generator.
 *
 * One interface over every format (dscq_data_types lists them). Three splits:
 *
 *   train   what training sees
 *   valid   split off the training source once, seeded, the same share of every
 *           class: for early stopping, sensitivity, search, calibration
 *   test    its own source, or test_frac of the only one; nothing of it is opened
 *           or counted before dscq_dataset_open_test()
 *
 * The split depends on [data] seed alone, never on the seed of a training run, so
 * that runs can be compared. Pictures are held as bytes at the network's size
 * (after stretch, letterbox or crop), made on first use by whichever thread needs
 * them, and kept until cache_mb is full; later ones are decoded again each time.
 * The values do not depend on what is cached.
 *
 * Functions taking a dscq_dataset may be called from several threads at once,
 * except _open_test and _destroy.
 */
#ifndef DSCQ_DATA_DATASET_H
#define DSCQ_DATA_DATASET_H

#include "dscq/base/keys.h"
#include "dscq/base/log.h"
#include "dscq/base/status.h"
#include "dscq/base/table.h"
#include "dscq/data/boxes.h"
#include "dscq/data/image.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Section [data]. Paths are relative to the folder given to dscq_dataset_open() or,
 * when there is nothing there, to the current one (dscq_path_locate()).
 * Sources by type (train = and test = alike):
 *   idx           image file; *_labels defaults to the same name with
 *                 "images-idx3" replaced by "labels-idx1"; .gz or plain
 *   cifar10/100   folder, or files separated by commas (default: data_batch_*.bin,
 *                 train.bin / test_batch.bin, test.bin in the folder)
 *   folder        one sub-folder per class
 *   flat          one folder; class = file name up to the last '_', or with
 *                 `names` the longest class name found in the file name
 *   list          text or CSV file: picture, class number or name; with one column
 *                 the class is found in the path, as for flat
 *   images        one folder without labels (calibration; label -1)
 *   signs, signs_detect   nothing to read: count, test_count, classes, difficulty
 *   voc           root folder, or ROOT/ImageSets/Main/LIST.txt
 *   yolo          folder of pictures, or a list file; boxes in .../labels/NAME.txt
 *   coco          folder of pictures, *_labels = instances JSON                  */
typedef struct dscq_data_params {
    int32_t type; /* index into dscq_data_type_choices() */
    char train[DSCQ_PATH_MAX], train_labels[DSCQ_PATH_MAX];
    char test[DSCQ_PATH_MAX], test_labels[DSCQ_PATH_MAX];
    char names[DSCQ_PATH_MAX];
    char calibrate[DSCQ_PATH_MAX]; /* flow/ opens it */
    char label_column[128];        /* list: heading of the class's column, or one-hot */
    int32_t fine;                  /* cifar100: fine (1) or coarse (0) labels */

    int32_t width, height, channels; /* 0 = as stored (fixed-size formats only) */
    int32_t resize, filter, order, fill;
    double crop_frac;
    double pixel_scale;
    char mean[128], std[128]; /* "auto", or one number per channel, or one for all */

    double valid_frac, test_frac;
    int32_t split;
    int64_t seed;
    int64_t limit; /* pictures of the training source, per class alike; 0 = all */
    int32_t cache_mb;

    int64_t count, test_count; /* signs */
    int32_t classes;
    int32_t objects;
    double difficulty;

    int32_t flip; /* augmentation, training only */
    int32_t shift;
    double zoom;
    double colour;
    double hue;
    int32_t cutout;
    double mosaic;
    double box_min_frac;
    int32_t max_boxes;
} dscq_data_params;

extern const dscq_key dscq_data_keys[];

/* Names of the types, and one line on each for help. */
size_t dscq_data_type_count(void);
const char *dscq_data_type_name(size_t i);
const char *dscq_data_type_summary(size_t i);
int dscq_data_type_has_boxes(size_t i);

typedef enum dscq_split {
    DSCQ_SPLIT_TRAIN,
    DSCQ_SPLIT_VALID,
    DSCQ_SPLIT_TEST
} dscq_split;
const char *dscq_split_name(dscq_split s);

typedef struct dscq_dataset dscq_dataset;

/*
 * Read the training source (labels and boxes; pictures of fixed-size formats,
 * the names of the others), split it, and settle mean and std: "auto" measures
 * the training split (at most 1024 pictures, evenly spread) in exact integers.
 * dir: folder that relative paths start from; NULL = the current one.
 * log: warnings about skipped boxes and the like; may be NULL.
 * One bad file fails the whole: DSCQ_FORMAT, DSCQ_IO with its name.
 */
dscq_status dscq_dataset_open(dscq_dataset **out, const dscq_data_params *p,
                              const char *dir, const dscq_log *log, dscq_error *err);
/* The test source. DSCQ_ARG when [data] names none. Once is enough; a second call
 * does nothing. */
dscq_status dscq_dataset_open_test(dscq_dataset *d, dscq_error *err);
int dscq_dataset_has_test(const dscq_dataset *d); /* named, opened or not */
void dscq_dataset_destroy(dscq_dataset *d);       /* NULL is fine */

const dscq_data_params *dscq_dataset_params(const dscq_dataset *d);
/* With mean and std settled; borrowed. */
const dscq_preproc *dscq_dataset_preproc(const dscq_dataset *d);
/* Use another network's preprocessing (an imported one's): forgets what is cached.
 * Not while a loader works on d. */
dscq_status dscq_dataset_set_preproc(dscq_dataset *d, const dscq_preproc *p,
                                     dscq_error *err);

int32_t dscq_dataset_classes(const dscq_dataset *d); /* 0: no labels */
const char *dscq_dataset_class_name(const dscq_dataset *d, int32_t cls);
int dscq_dataset_has_boxes(const dscq_dataset *d);

/* Items are numbered 0 .. count-1 within a split. */
size_t dscq_dataset_count(const dscq_dataset *d, dscq_split s); /* test: 0 unopened */
int32_t dscq_dataset_label(const dscq_dataset *d, dscq_split s, size_t i); /* or -1 */
/* Fractions of the picture as stored; borrowed. */
const dscq_box *dscq_dataset_boxes(const dscq_dataset *d, dscq_split s, size_t i,
                                   size_t *count);
/* "path", "file.gz[123]" or "signs train 123": for messages. Length as snprintf. */
size_t dscq_dataset_origin(char *out, size_t cap, const dscq_dataset *d, dscq_split s,
                           size_t i);
/* The picture as stored (any size); dscq_image_clear() it. */
dscq_status dscq_dataset_image(dscq_image *out, dscq_dataset *d, dscq_split s, size_t i,
                               dscq_error *err);
/* What one is at the network's size: bytes into px[height][width][channels]. */
dscq_status dscq_dataset_pixels(uint8_t *px, dscq_placement *where, dscq_dataset *d,
                                dscq_split s, size_t i, dscq_error *err);

/* Count of every class in a split (boxes count for detection), `classes` numbers. */
void dscq_dataset_histogram(const dscq_dataset *d, dscq_split s, uint64_t *count);

/* 16 hex digits over settings, labels, boxes, file names, and, for the formats
 * that are held in memory, pixels: what a run manifest records. Test not included. */
void dscq_dataset_digest(char out[17], const dscq_dataset *d);

typedef struct dscq_data_seen {
    size_t pictures, kind[DSCQ_IMAGE_KINDS]; /* that could be read */
    size_t train, valid;                     /* items of these splits */
    int32_t classes, has_boxes;              /* as dscq_dataset_classes() */
} dscq_data_seen;

/*
 * Look for everything that would go wrong in an hour of work, without stopping at
 * the first: unreadable pictures, missing and empty label files, labels out of
 * range, boxes without area or outside, sizes that disagree, classes without
 * pictures, imbalance above 10:1, what decoding did unasked (an orientation, 16 bits,
 * alpha, CMYK, grey among colour), class names inside one another where classes are
 * found by name, the same picture in training and test, preprocessing that does
 * not fit. Test source included. Each problem becomes a row of `to`
 * (dscq_problems_create()). DSCQ_OK whether or not there are any; *errors counts the
 * severe ones.
 */
dscq_status dscq_dataset_check(dscq_table *to, size_t *errors, dscq_data_seen *seen,
                               const dscq_data_params *p, const char *dir,
                               const dscq_log *log, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
