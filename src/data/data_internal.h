/*
 * What the files of the data module share and nobody else sees.
 */
#ifndef DATA_INTERNAL_H
#define DATA_INTERNAL_H

#include "dscq/base/io.h"
#include "dscq/base/log.h"
#include "dscq/base/rng.h"
#include "dscq/base/status.h"
#include "dscq/base/table.h"
#include "dscq/data/boxes.h"
#include "dscq/data/dataset.h"
#include "dscq/data/image.h"
#include "dscq/data/names.h"
#include "dscq/data/pictures.h"
#include "dscq/data/problems.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* ---- kinds of files, told by their first bytes ---- */

typedef struct data_decode data_decode;
typedef dscq_status data_decoder(data_decode *job, dscq_image *out, dscq_error *err);

typedef struct data_kind {
    const char *name;     /* "GIF picture" */
    data_decoder *decode; /* NULL: a kind that is not read */
    int is_picture;
    int32_t kind; /* dscq_image_kind; MADE without a decoder */
} data_kind;

enum { DATA_HEAD_BYTES = 64 }; /* enough of a file to tell its kind */
/* NULL when the bytes are of no kind known here. */
const data_kind *data__kind(const uint8_t *head, size_t bytes);
/* Endings of pictures that are read, with their dots; NULL behind the last. */
const char *data__ending_at(size_t i);
int data__is_foreign_name(const char *path); /* ends like a picture that is not read */
int data__is_text_name(const char *path);    /* ends like labels or documents */
/* What systems leave in folders (._a.png, __MACOSX, @eaDir, Thumbs.db): never data. */
int data__is_clutter(const char *name);

/* ---- pictures ---- */

struct data_decode {
    const uint8_t *data;
    size_t bytes;
    const char *name;
    dscq_decode_opts opts;
    int header_only;
    /* found by the decoder */
    uint32_t width, height;
    int orientation; /* EXIF, 1..8 */
    int32_t kind;    /* dscq_image_kind */
    uint32_t notes;  /* DSCQ_IMAGE_* of this form; turned is added outside */
    /* called once width and height are known, before memory is taken */
    dscq_status (*check_size)(const data_decode *job, dscq_error *err);
};

data_decoder data__png_decode, data__jpeg_decode, data__bmp_decode, data__webp_decode;
/* G+A or RGBA (`samples` 2 or 4) over a background into *out, which has its size; 1
 * when some of the background shows. */
int data__composite(dscq_image *out, const uint8_t *px, size_t samples,
                    const uint8_t background[3]);
dscq_status data__orient(dscq_image *im, int orientation, dscq_error *err);
/* 1 unless the TIFF block of an EXIF segment says otherwise. */
int data__exif_orientation(const uint8_t *tiff, size_t bytes);

static inline uint8_t data__luma(const uint8_t rgb[3])
{
    return (uint8_t)((19595u * rgb[0] + 38470u * rgb[1] + 7471u * rgb[2] + 32768u) >>
                     16);
}

/* ---- text ---- */

/* One line of a text of known length, without its end ("\n", "\r\n" or the old
 * Macintosh's "\r"); 0 at the end of the text. */
typedef struct data_lines {
    const char *at, *end;
    int32_t number; /* of the line last returned, from 1 */
} data_lines;
/* Start behind a byte order mark; DSCQ_FORMAT for UTF-16 (dscq_text_begin()). */
dscq_status data__lines(data_lines *l, const char *text, size_t bytes, const char *name,
                        dscq_error *err);
int data__next_line(const char **line, size_t *bytes, data_lines *l);
/* Cut blanks at both ends. */
void data__trim(const char **text, size_t *bytes);
/* A finite number that fills the whole text; 0 when it is not one. */
int data__parse_real(double *out, const char *text, size_t bytes);
/* A whole number of at most 15 digits. */
int data__parse_int(int64_t *out, const char *text, size_t bytes);
/* "7", and "7.0" as tables with gaps have it. */
int data__parse_whole(int64_t *out, const char *text, size_t bytes);

/* A record of separated fields; zero but for the separator at first. */
typedef struct data_csv {
    char separator;
    int32_t line;  /* where the record began */
    size_t count;  /* of fields */
    char *text;    /* the fields, NUL-terminated, without quotes and outer blanks */
    size_t *start; /* of each in `text` */
    size_t text_bytes, text_cap, cap;
} data_csv;
void data__csv_clear(data_csv *c);
/* The next record; 0 at the end of the text. A record that is wrong (*status) is
 * passed over to its line's end, so that the next may be asked for. */
int data__csv_next(data_csv *c, data_lines *l, dscq_status *status, dscq_error *err);
const char *data__csv_field(const data_csv *c, size_t i); /* "" beyond the last */
/* ',' ';' or '\t', whichever every one of the first lines holds; 0: none does. Fails
 * for want of memory only. */
dscq_status data__csv_separator(char *out, const data_lines *l, dscq_error *err);

/* ---- parts: one source of samples ---- */

typedef struct data_item {
    size_t path; /* offset into data_part.text; file formats only */
    int32_t label;
    int32_t width, height; /* of the stored picture; 0 = not known yet */
    uint32_t box_first, box_count;
} data_item;

typedef struct data_reader data_reader;
typedef struct data_signs data_signs;

typedef struct data_part {
    const data_reader *reader;
    const dscq_data_params *params;
    int is_test;
    data_item *item;
    size_t count, cap;
    char *text; /* NUL-terminated paths one after another */
    size_t text_bytes, text_cap;
    dscq_boxes boxes;
    /* formats that are held in memory */
    uint8_t *raw; /* [count][raw_bytes of one] */
    int32_t raw_width, raw_height, raw_channels;
    data_signs *signs;
    /* pictures at the network's size: data_slot blocks, NULL = not made */
    _Atomic(void *) *slot;
} data_part;

/* What a reader's open() works with. */
typedef struct data_open {
    const dscq_data_params *params;
    const char *dir;
    const char *source, *labels; /* settings train/test, *_labels, as written */
    int is_test;
    dscq_names *names;
    int names_fixed; /* given by the user or by the training source */
    int sort_names;  /* out: names were met in no particular order   */
    const dscq_log *log;
    dscq_table *problems; /* dscq_dataset_check: collect, do not stop */
    size_t errors, warnings;
    dscq_dir listed; /* of listed_dir; data__open_part() frees it */
    char listed_dir[DSCQ_PATH_MAX];
} data_open;

/* A row of readers.def: one format, one file. */
struct data_reader {
    const char *name, *summary;
    int has_boxes;
    int has_size; /* all pictures have one size: width and height may be 0 */
    int needs_source;
    /* Fill `part` (items, labels, boxes; raw pixels where the format is one file). */
    dscq_status (*open)(data_part *part, data_open *o, dscq_error *err);
    /* The picture as stored. Called from several threads. */
    dscq_status (*fetch)(dscq_image *out, const data_part *part, size_t i,
                         dscq_error *err);
};

const data_reader *data__reader_at(size_t i);

/* Path of a setting, relative paths joined with o->dir. */
dscq_status data__resolve(char *out, const data_open *o, const char *path,
                          dscq_error *err);
dscq_status data__part_add(data_part *part, const char *path, int32_t label,
                           dscq_error *err);
/* Boxes of the item added last; takes over nothing. */
dscq_status data__part_add_boxes(data_part *part, const dscq_annotation *a,
                                 dscq_error *err);
const char *data__part_path(const data_part *part, size_t i);
void data__part_clear(data_part *part);
/* new label = map[old]; items and boxes. */
void data__part_remap(data_part *part, const int32_t *map);
/* The picture that a list in folder `dir` names. Lists travel between machines: where
 * there is no such file, it is sought from the current folder, with backslashes taken
 * for slashes, without its leading folders, and, when its name has no ending of a
 * picture, with each of them. *out is the plain path when nothing is there. */
dscq_status data__find_listed(char *out, data_open *o, const char *dir,
                              const char *name, dscq_error *err);
/* `stem` with an ending of a picture, in any case; *found = 0 when there is no such
 * file. Fails for want of memory only. */
dscq_status data__find_ending(char *out, int *found, data_open *o, const char *stem,
                              dscq_error *err);
/* The common fetch of all formats with a file per picture. */
dscq_status data__fetch_file(dscq_image *out, const data_part *part, size_t i,
                             dscq_error *err);
/* The common fetch of raw pixels in memory. */
dscq_status data__fetch_raw(dscq_image *out, const data_part *part, size_t i,
                            dscq_error *err);
/* Index of a class: looks it up, appends it, or says that it is unknown. */
dscq_status data__class_of(int32_t *out, data_open *o, const char *name,
                           const char *where, dscq_error *err);
/* The class whose name stands in a path, longest name first; DSCQ_FORMAT when none
 * does or two of the same length do. */
dscq_status data__class_in_path(int32_t *out, const data_open *o, const char *path,
                                dscq_error *err);
/* Pictures of a folder and its sub-folders, each by `add` (NULL: its path, label -1).
 * What was left out is a remark. */
typedef dscq_status data_add_picture(data_part *part, data_open *o, const char *picture,
                                     dscq_error *err);
dscq_status data__add_folder(data_part *part, data_open *o, const char *dir,
                             data_add_picture *add, dscq_error *err);
/* Count pictures of a folder that no item of the part is. */
dscq_status data__remark_unlisted(const data_part *part, data_open *o, const char *dir,
                                  dscq_error *err);
/* dscq_pictures_remarks() as warnings about `dir`. */
void data__folder_remarks(data_open *o, const char *dir, const dscq_pictures *f);

/* A problem with one record. While checking, it becomes a row and DSCQ_OK (the
 * caller leaves the record out); otherwise a hard one is the failure and a soft one
 * a warning in the log, "file:line: text"; line 0 = none. */
dscq_status data__hard(data_open *o, const char *kind, const char *file,
                       const dscq_error *why, dscq_error *err);
void data__soft(data_open *o, const char *kind, const char *file, int32_t line,
                const char *text);

/* Warn about boxes without area that an annotation held. */
void data__report_skipped(data_open *o, const char *file, const dscq_annotation *a);

/* Parsers that are fuzzed by themselves. */
dscq_status data__idx_header(uint32_t *dim, uint32_t rank_min, uint32_t rank_max,
                             const uint8_t *data, size_t bytes, const char *name,
                             dscq_error *err);
dscq_status data__cifar_parse(data_part *part, const uint8_t *data, size_t bytes,
                              const char *name, int32_t classes, size_t label_bytes,
                              size_t label_at, dscq_error *err);

/* ---- dataset ---- */

struct dscq_dataset {
    dscq_data_params params;
    char dir[DSCQ_PATH_MAX];
    const data_reader *reader;
    dscq_names names;
    data_part part[2]; /* training source, test source */
    struct {
        uint32_t *index; /* into the part */
        size_t count;
        int part;
    } split[3];
    uint32_t *held_back; /* test_frac: the test part of the only source */
    size_t held_back_count;
    dscq_preproc preproc;
    float table[3][256];
    dscq_log log;
    atomic_size_t cached_bytes;
};

/* Which column of a list is what. */
typedef struct data_columns {
    size_t count;
    size_t picture, label;
    int32_t heading_line; /* 0: there is none */
    int is_one_hot;       /* every column but the picture's is a class, 0 or 1 */
    char **heading;       /* [count]; NULL without a heading */
} data_columns;           /* zero-initialise */
void data__columns_clear(data_columns *c);
/* From the heading and the fields themselves; DSCQ_FORMAT when it cannot be told. Says
 * what it takes no notice of. */
dscq_status data__columns_find(data_columns *out, data_open *o, const data_lines *l,
                               char separator, const char *path, dscq_error *err);
int data__is_one(const char *field); /* "1", "1.0", "true" */

/* Used by open() and by check(). */
dscq_status data__dataset_open(dscq_dataset **out, const dscq_data_params *p,
                               const char *dir, data_open *o, dscq_error *err);
dscq_status data__open_part(dscq_dataset *d, int which, data_open *o, dscq_error *err);
dscq_status data__make_splits(dscq_dataset *d, dscq_error *err);
dscq_status data__settle_stats(dscq_dataset *d, dscq_error *err);

/* Borrowed pixels at the network's size, from the cache, or in *own when it is full
 * (the caller clears *own). */
dscq_status data__pixels(const uint8_t **px, dscq_placement *where, dscq_image *own,
                         dscq_dataset *d, int which, size_t item, dscq_error *err);
void data__cache_drop(dscq_dataset *d);

/* ---- augmentation ---- */

typedef struct data_sample {
    float *x;      /* [height][width][channels]                             */
    dscq_box *box; /* room for params.max_boxes, fractions of the input; or NULL */
    int32_t box_count;
    int32_t label;
} data_sample;

/* Bytes of scratch that data__make_sample() needs. */
size_t data__sample_scratch(const dscq_dataset *d);
/* Fill a sample with item i of a split; augmented with the stream `rng` when that is
 * not NULL. */
dscq_status data__make_sample(data_sample *out, dscq_dataset *d, dscq_split split,
                              size_t i, const dscq_rng *rng, uint8_t *scratch,
                              dscq_error *err);

/* sin of turn/65536 of the circle, in 1/16384: integers only. */
int32_t data__sin(uint32_t turn);

/* Affine copy: output pixel centre (x, y) takes input position
 * (ax + sx * x, ay + sy * y), all in 1/65536 pixel; outside reads `fill`. Only the
 * output rectangle [x0, x1) x [y0, y1) is written. */
typedef struct data_affine {
    int64_t ax, ay, sx, sy;
    int32_t x0, y0, x1, y1;
} data_affine;
void data__affine(uint8_t *to, const uint8_t *from, int32_t width, int32_t height,
                  int32_t channels, uint8_t fill, const data_affine *a);
/* Whole pixels to the right and down, mirrored first when asked; rest reads `fill`. */
typedef struct data_shift {
    int32_t dx, dy;
    int is_flipped;
} data_shift;
void data__shift(uint8_t *to, const uint8_t *from, int32_t width, int32_t height,
                 int32_t channels, uint8_t fill, const data_shift *s);
/* Brightness, contrast, saturation each by up to +-colour, hue by up to +-hue. */
void data__jitter(uint8_t *px, size_t pixels, int32_t channels, double colour,
                  double hue, dscq_rng *rng);
void data__cutout(uint8_t *px, int32_t width, int32_t height, int32_t channels,
                  int32_t side, uint8_t fill, dscq_rng *rng);

/* ---- the sign generator: integers only, see reader_signs.c ---- */

/* Textures of every class, made once; `side` is the larger side of the pictures. */
dscq_status data__signs_create(data_signs **out, int32_t classes, int32_t side,
                               dscq_error *err);
void data__signs_destroy(data_signs *s); /* NULL is fine */
void data__sign_class_name(char *out, size_t cap, int32_t cls);

/* RGBA of class `cls` at a size of at least `want` pixels (if there is one that
 * large); *side is its width and height. Borrowed from s. */
const uint8_t *data__sign_texture(const data_signs *s, int32_t cls, int32_t want,
                                  int32_t *side);

/* Where a sign stands: u = (a dx + b dy) / (1 + p dx + q dy), v alike with c and e,
 * u and v in -1..1 over the texture. dx, dy from the centre in pixels. */
typedef struct sign_pose {
    int32_t cx, cy;     /* centre, 1/256 pixel                      */
    int32_t half;       /* half the diameter, 1/256 pixel           */
    int32_t a, b, c, e; /* 1/65536 per pixel                        */
    int32_t p, q;       /* 1/65536 per pixel                        */
    int32_t fade, dim;  /* 0..256 towards grey; 0..256 of its light */
    int32_t box[4];     /* out: pixels covered, x0 y0 x1 y1         */
} sign_pose;
void data__sign_paint(dscq_image *im, const data_signs *s, int32_t cls,
                      sign_pose *pose);

/* Steps of a picture. Amounts are 0..256 unless said otherwise. */
void data__paint_background(dscq_image *im, dscq_rng *rng);
void data__paint_clutter(dscq_image *im, int32_t shapes, int32_t size, dscq_rng *rng);
void data__paint_blob(dscq_image *im, int32_t cx, int32_t cy, int32_t rx, int32_t ry,
                      const uint8_t rgb[3]);
void data__paint_shadow(dscq_image *im, int32_t light, dscq_rng *rng);
void data__paint_light(dscq_image *im, int32_t gain, int32_t contrast,
                       const int32_t tint[3]);
void data__paint_blur(dscq_image *im, int32_t passes_x, int32_t passes_y);
void data__paint_noise(dscq_image *im, int32_t amount, dscq_rng *rng);

/* Uniform in [lo, hi]. */
int32_t data__draw(dscq_rng *rng, int32_t lo, int32_t hi);

#endif
