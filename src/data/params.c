/* The [data] section: its keys, and the table of formats behind `type`. */
#include "data_internal.h"

#define DSCQ_READER(id) extern const data_reader data__reader_##id;
#include "readers.def"
#undef DSCQ_READER

static const data_reader *const k_readers[] = {
#define DSCQ_READER(id) &data__reader_##id,
#include "readers.def"
#undef DSCQ_READER
};

/* "|idx|cifar10|...": the choices of `type` are this text without its first bar. */
static const char k_types[] =
#define DSCQ_READER(id) "|" #id
#include "readers.def"
#undef DSCQ_READER
    ;

const data_reader *data__reader_at(size_t i)
{
    return k_readers[i];
}

size_t dscq_data_type_count(void)
{
    return sizeof k_readers / sizeof k_readers[0];
}

const char *dscq_data_type_name(size_t i)
{
    return k_readers[i]->name;
}

const char *dscq_data_type_summary(size_t i)
{
    return k_readers[i]->summary;
}

int dscq_data_type_has_boxes(size_t i)
{
    return k_readers[i]->has_boxes;
}

const char *dscq_split_name(dscq_split s)
{
    static const char *const k_names[] = {"train", "valid", "test"};

    return k_names[s];
}

#define P                         dscq_data_params
#define INT(f, lo, hi, d, help)   DSCQ_KEY_INT_ROW(P, f, lo, hi, d, help)
#define I64(f, lo, hi, d, help)   DSCQ_KEY_I64_ROW(P, f, lo, hi, d, help)
#define REAL(f, lo, hi, d, help)  DSCQ_KEY_REAL_ROW(P, f, lo, hi, d, help)
#define BOOL(f, d, help)          DSCQ_KEY_BOOL_ROW(P, f, d, help)
#define ENUM(f, choices, d, help) DSCQ_KEY_ENUM_ROW(P, f, choices, d, help)
#define STR(f, d, help)           DSCQ_KEY_STR_ROW(P, f, d, help)

/* clang-format off */
const dscq_key dscq_data_keys[] = {
    ENUM(type, k_types + 1, NULL, "format of the data set (dscq help data)"),
    STR(train, "", "training source: folder, file, or files separated by commas"),
    STR(train_labels, "", "its label or annotation file, where the format has one"),
    STR(test, "", "test source; not opened before the final test"),
    STR(test_labels, "", "its label or annotation file"),
    STR(names, "", "file of class names, one a line; default: found in the data"),
    STR(calibrate, "", "folder of unlabelled pictures to calibrate with; default: training part"),
    STR(label_column, "", "list: heading of the class's column; one-hot: each column but the picture's is a class"),
    BOOL(fine, "1", "cifar100: use the 100 fine labels, not the 20 coarse ones"),

    INT(width, 0, DSCQ_IMAGE_SIDE_MAX, "0", "input width in pixels; 0 = as stored"),
    INT(height, 0, DSCQ_IMAGE_SIDE_MAX, "0", "input height in pixels; 0 = as stored"),
    INT(channels, 0, 3, "0", "1 grey, 3 RGB; 0 = as stored, 3 for picture files"),
    ENUM(resize, DSCQ_RESIZE_CHOICES, "stretch", "how a picture is brought to the input size"),
    ENUM(filter, DSCQ_FILTER_CHOICES, "antialias", "resampling; corners is Darknet's rule"),
    ENUM(order, DSCQ_ORDER_CHOICES, "rgb", "order of the channels at the input"),
    INT(fill, 0, 255, "128", "grey of letterbox bars and under transparent pixels"),
    REAL(crop_frac, 0.01, 1, "1", "resize = crop: share of the largest centred crop"),
    REAL(pixel_scale, 1e-6, 256, "0.00392156862745098", "factor on pixels before mean and std"),
    STR(mean, "auto", "per channel, in scaled pixels; auto = of the training part"),
    STR(std, "auto", "per channel, in scaled pixels; auto = of the training part"),

    REAL(valid_frac, 0, 0.9, "0.1", "share of the training source kept for validation"),
    REAL(test_frac, 0, 0.9, "0", "share held back as test part when test is not given"),
    ENUM(split, "random|tail", "random", "tail: the last of every class, in file order"),
    I64(seed, 0, 9007199254740991.0, "1", "of the split and of generated pictures"),
    I64(limit, 0, 4294967295.0, "0", "use at most so many training pictures; 0 = all"),
    INT(cache_mb, 0, 1 << 20, "1024", "memory for pictures at input size, in MB" DSCQ_MAY_CHANGE),

    I64(count, 1, 100000000, "10000", "signs: pictures in the training source"),
    I64(test_count, 0, 100000000, "2000", "signs: pictures in the test source"),
    INT(classes, 2, 1024, "10", "signs: number of classes"),
    INT(objects, 1, 64, "5", "signs_detect: at most so many signs a scene"),
    REAL(difficulty, 0, 1, "0.5", "signs: 0 clean pictures, 1 hardly readable"),

    BOOL(flip, "0", "augment: mirror half of the pictures"),
    INT(shift, 0, 1024, "0", "augment: shift by up to so many pixels"),
    REAL(zoom, 0, 0.9, "0", "augment: size times 1 - zoom to 1 / (1 - zoom)"),
    REAL(colour, 0, 1, "0", "augment: brightness, contrast, saturation by up to +- this"),
    REAL(hue, 0, 0.5, "0", "augment: hue by up to +- this part of the circle"),
    INT(cutout, 0, 4096, "0", "augment: blank a square of this side, in pixels"),
    REAL(mosaic, 0, 1, "0", "augment, boxes: share of samples made of four pictures"),
    REAL(box_min_frac, 0, 1, "0.25", "augment: drop boxes of which less stays visible"),
    INT(max_boxes, 1, 4096, "100", "boxes a picture in a batch, at most"),
    DSCQ_KEY_END
};
/* clang-format on */
