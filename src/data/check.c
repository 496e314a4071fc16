/* Everything about a data set that would go wrong later, all at once. */
#include "data_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/hash.h"
#include "dscq/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct hashed {
    uint64_t hash; /* of size and pixels */
    uint32_t item;
    int32_t part, label;
} hashed;

/* What decoding did that nobody asked for: said once, with how many. */
typedef struct image_note {
    uint32_t bit;
    const char *kind, *text;
} image_note;

static const image_note k_notes[] = {
    {DSCQ_IMAGE_TURNED, "turned",
     "turned upright as their EXIF orientation says; boxes count in the turned picture "
     "(in the stored one where the annotation gives its size)"},
    {DSCQ_IMAGE_DEEP, "deep", "with 16 bits a sample: the upper 8 are kept"},
    {DSCQ_IMAGE_TRANSPARENT, "transparent",
     "with transparent pixels, which show data.fill"},
    {DSCQ_IMAGE_INKS, "inks", "in CMYK, converted to RGB without a colour profile"},
    {DSCQ_IMAGE_GREY, "grey", "without colour among others with it"},
};
enum { NOTES = sizeof k_notes / sizeof *k_notes };

typedef struct checker {
    dscq_dataset *d;
    data_open *o;
    hashed *picture;
    size_t count;
    dscq_data_seen *seen;
    size_t noted[NOTES];   /* pictures that each of k_notes is true of ... */
    uint32_t first[NOTES]; /* ... and the first of them                    */
    int first_part[NOTES];
} checker;

static void where_is(char *out, size_t cap, const dscq_dataset *d, int part, uint32_t i)
{
    if (d->part[part].text != NULL)
        (void)dscq_str_copy(out, cap, data__part_path(&d->part[part], i));
    else
        (void)snprintf(out, cap, "%.900s[%u]",
                       part == 1 ? d->params.test : d->params.train, (unsigned)i);
}

static uint64_t hash_picture(const dscq_image *im)
{
    const uint8_t size[6] = {(uint8_t)im->width,    (uint8_t)(im->width >> 8),
                             (uint8_t)im->height,   (uint8_t)(im->height >> 8),
                             (uint8_t)im->channels, 0};
    const uint64_t h = dscq_fnv64(0, size, sizeof size);

    return dscq_fnv64(h, im->px,
                      (size_t)im->width * (size_t)im->height * (size_t)im->channels);
}

static void take_notes(checker *c, const dscq_image *im, int which, uint32_t item)
{
    c->seen->pictures++;
    c->seen->kind[im->kind]++;
    for (int n = 0; n < NOTES; n++)
        if ((im->notes & k_notes[n].bit) != 0 && c->noted[n]++ == 0) {
            c->first[n] = item;
            c->first_part[n] = which;
        }
}

static void tell_notes(checker *c)
{
    char file[DSCQ_PATH_MAX], text[320];

    for (int n = 0; n < NOTES; n++) {
        /* A set of grey pictures only is as it should be. */
        if (c->noted[n] == 0 ||
            (k_notes[n].bit == DSCQ_IMAGE_GREY &&
             (c->noted[n] == c->seen->pictures || c->d->params.channels == 1)))
            continue;
        where_is(file, sizeof file, c->d, c->first_part[n], c->first[n]);
        (void)snprintf(text, sizeof text, "%zu of %zu pictures %s", c->noted[n],
                       c->seen->pictures, k_notes[n].text);
        data__soft(c->o, k_notes[n].kind, file, 0, text);
    }
}

/* Decode everything once; keep a hash of what can be decoded. */
static dscq_status look_at_part(checker *c, int which, dscq_error *err)
{
    const data_part *part = &c->d->part[which];

    for (size_t i = 0; i < part->count; i++) {
        dscq_image im = {0};
        dscq_error why;
        const dscq_status status = part->reader->fetch(&im, part, i, &why);

        if (dscq_log_stop(&c->d->log))
            return dscq_fail(err, DSCQ_INTERRUPTED, "stopped while checking pictures");
        if (i % 64 == 0)
            dscq_log_progress(&c->d->log, "pictures", (double)i, (double)part->count,
                              "");
        if (status != DSCQ_OK) {
            const dscq_status hard =
                data__hard(c->o, status == DSCQ_IO ? "missing_file" : "unreadable",
                           data__part_path(part, i), &why, err);
            if (hard != DSCQ_OK)
                return hard;
            continue;
        }
        c->picture[c->count++] =
            (hashed){hash_picture(&im), (uint32_t)i, which, part->item[i].label};
        take_notes(c, &im, which, (uint32_t)i);
        dscq_image_clear(&im);
    }
    return DSCQ_OK;
}

static int by_hash(const void *a, const void *b)
{
    const hashed *x = a, *y = b;

    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    if (x->part != y->part)
        return x->part - y->part;
    return x->item < y->item ? -1 : x->item > y->item;
}

static void find_twins(checker *c)
{
    char file[DSCQ_PATH_MAX], other[DSCQ_PATH_MAX], text[2 * DSCQ_CLASS_NAME_MAX];

    qsort(c->picture, c->count, sizeof *c->picture, by_hash);
    for (size_t i = 1; i < c->count; i++) {
        const hashed *a = &c->picture[i - 1], *b = &c->picture[i];

        if (a->hash != b->hash)
            continue;
        where_is(file, sizeof file, c->d, b->part, b->item);
        where_is(other, sizeof other, c->d, a->part, a->item);
        const char *kind = a->part != b->part     ? "in_train_and_test"
                           : a->label != b->label ? "conflicting_label"
                                                  : "duplicate";

        (void)snprintf(text, sizeof text, "same pixels as %.200s", other);
        data__soft(c->o, kind, file, 0, text);
    }
}

static dscq_status check_classes(checker *c, dscq_error *err)
{
    const dscq_dataset *d = c->d;
    uint64_t *count = dscq_calloc((size_t)d->names.count + 1, sizeof *count);
    uint64_t least = UINT64_MAX, most = 0;
    int32_t rare = 0, common = 0;
    char text[400];

    if (count == NULL)
        return dscq_fail_nomem(err, "counting classes", (size_t)d->names.count * 8);
    dscq_dataset_histogram(d, DSCQ_SPLIT_TRAIN, count);
    for (int32_t k = 0; k < d->names.count; k++) {
        if (count[k] == 0) {
            (void)snprintf(text, sizeof text,
                           "class '%.200s' does not occur in training",
                           d->names.name[k]);
            data__soft(c->o, "empty_class", d->params.train, 0, text);
            continue;
        }
        if (count[k] < least) {
            least = count[k];
            rare = k;
        }
        if (count[k] > most) {
            most = count[k];
            common = k;
        }
    }
    if (most > 0 && most / least >= 10) {
        (void)snprintf(text, sizeof text,
                       "'%.110s' occurs %llu times, '%.110s' only %llu",
                       d->names.name[common], (unsigned long long)most,
                       d->names.name[rare], (unsigned long long)least);
        data__soft(c->o, "imbalance", d->params.train, 0, text);
    }
    if (d->names.count == 1 && !d->reader->has_boxes)
        data__soft(c->o, "one_class", d->params.train, 0, "there is only one class");
    dscq_free(count);
    return DSCQ_OK;
}

/* Darknet finds the class of a path by looking for its name inside; "car" is then
 * found in "cart". */
static void check_names(checker *c)
{
    const dscq_names *n = &c->d->names;
    char text[400];

    if (n->count > 2048) /* quadratic */
        return;
    for (int32_t i = 0; i < n->count; i++)
        for (int32_t k = 0; k < n->count; k++)
            if (i != k && strlen(n->name[i]) > 1 &&
                strstr(n->name[k], n->name[i]) != NULL) {
                (void)snprintf(
                    text, sizeof text,
                    "class name '%.120s' stands inside '%.120s': tools that find the "
                    "class in the path (Darknet) mix them up",
                    n->name[i], n->name[k]);
                data__soft(c->o, "name_collision",
                           c->d->params.names[0] != '\0' ? c->d->params.names
                                                         : c->d->params.train,
                           0, text);
            }
}

static dscq_status look(checker *c, dscq_error *err)
{
    dscq_dataset *d = c->d;
    dscq_error why = {DSCQ_OK, ""};
    dscq_status status;

    if (d->params.test[0] != '\0' && data__open_part(d, 1, c->o, &why) != DSCQ_OK)
        DSCQ_TRY(data__hard(c->o, "bad_source", d->params.test, &why, err));
    c->seen->train = d->split[DSCQ_SPLIT_TRAIN].count;
    c->seen->valid = d->split[DSCQ_SPLIT_VALID].count;
    c->seen->classes = d->names.count;
    c->seen->has_boxes = d->reader->has_boxes;
    if (d->part[0].count == 0 && c->o->errors == 0) {
        (void)dscq_fail(&why, DSCQ_FORMAT, "data.train = '%s': no pictures in it",
                        d->params.train);
        DSCQ_TRY(data__hard(c->o, "bad_source", d->params.train, &why, err));
    }
    if (d->part[0].count > 0 && d->split[DSCQ_SPLIT_VALID].count == 0)
        data__soft(c->o, "no_validation", d->params.train, 0,
                   d->params.valid_frac > 0
                       ? "too few pictures to leave one for validation: the last epoch "
                         "is kept"
                       : "data.valid_frac = 0: without validation the last epoch is "
                         "kept, and nothing can be searched");
    c->picture = dscq_malloc(d->part[0].count + d->part[1].count, sizeof *c->picture);
    if (c->picture == NULL)
        return dscq_fail_nomem(err, "checking pictures",
                               (d->part[0].count + d->part[1].count) * sizeof(hashed));
    DSCQ_TRY(look_at_part(c, 0, err));
    DSCQ_TRY(look_at_part(c, 1, err));
    tell_notes(c);
    find_twins(c);
    DSCQ_TRY(check_classes(c, err));
    check_names(c);
    if (c->o->errors == 0 && d->split[DSCQ_SPLIT_TRAIN].count > 0 &&
        data__settle_stats(d, &why) != DSCQ_OK)
        DSCQ_TRY(data__hard(c->o, "settings", d->params.train, &why, err));
done:
    return status;
}

dscq_status dscq_dataset_check(dscq_table *to, size_t *errors, dscq_data_seen *seen,
                               const dscq_data_params *p, const char *dir,
                               const dscq_log *log, dscq_error *err)
{
    data_open o = {.log = log, .problems = to};
    checker c = {.o = &o, .seen = seen};
    dscq_error why = {DSCQ_OK, ""};
    dscq_status status;

    *seen = (dscq_data_seen){0};
    status = data__dataset_open(&c.d, p, dir, &o, &why);
    if (status == DSCQ_OK)
        DSCQ_TRY(look(&c, err));
    else
        DSCQ_TRY(data__hard(&o, "bad_source", p->train, &why, err));
    status = dscq_table_check(to, err);
done:
    *errors = o.errors;
    dscq_free(c.picture);
    dscq_dataset_destroy(c.d);
    return status;
}
