/* Which column of a list of pictures is the picture and which its class. Lists come
 * from many tools: the heading counts first, then what the fields look like. */
#include "data_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/str.h"

#include <stdio.h>
#include <string.h>

enum { COLUMNS_MAX = 4096 };

/* What is known of one column after a look at all records. */
typedef struct column {
    size_t pictures; /* fields that end like a picture, the first record's left out */
    size_t ones, zeros;
} column;

typedef struct survey {
    column *column;
    size_t count;   /* columns of the first record */
    size_t records; /* with the first one */
    size_t one_hot; /* records with exactly one 1 and no other than 0 and 1 */
    char **first;   /* [count] fields of the first record */
    int32_t first_line;
} survey;

static void free_texts(char **text, size_t count)
{
    for (size_t i = 0; text != NULL && i < count; i++)
        dscq_free(text[i]);
    dscq_free(text);
}

void data__columns_clear(data_columns *c)
{
    free_texts(c->heading, c->count);
    *c = (data_columns){0};
}

int data__is_one(const char *field)
{
    return strcmp(field, "1") == 0 || strcmp(field, "1.0") == 0 ||
           strcmp(field, "true") == 0 || strcmp(field, "True") == 0 ||
           strcmp(field, "TRUE") == 0;
}

static int is_zero(const char *field)
{
    return strcmp(field, "0") == 0 || strcmp(field, "0.0") == 0 ||
           strcmp(field, "false") == 0 || strcmp(field, "False") == 0 ||
           strcmp(field, "FALSE") == 0;
}

static int names_picture(const char *field)
{
    return dscq_image_has_extension(field) || data__is_foreign_name(field);
}

/* "Class_Name", "class name" -> "classname" */
static void plain_word(char out[32], const char *text)
{
    size_t n = 0;

    for (; *text != '\0' && n < 31; text++) {
        const char c = *text;
        if (c != ' ' && c != '_' && c != '-' && c != '#' && c != '.')
            out[n++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    out[n] = '\0';
}

/* Rank of a heading's word in a list of words separated by bars; -1: not in it. */
static int rank(const char *field, const char *words)
{
    char word[32];

    plain_word(word, field);
    return word[0] != '\0' ? dscq_choice_find(words, word) : -1;
}

#define PICTURE_WORDS                                                                  \
    "filename|filenames|file|files|image|images|img|imagename|imgname|imagepath|"      \
    "imgpath|imageid|imgid|imagefile|imagefilename|filepath|filepaths|path|paths|"     \
    "picture|photo|idcode|id|name"
#define LABEL_WORDS                                                                    \
    "label|labels|class|classes|classname|classlabel|category|categoryname|target|"    \
    "labelname|classid|classindex|classno|classnumber|labelid|categoryid|species|"     \
    "breed|diagnosis|tag|tags|y"
#define PART_WORDS "dataset|datasets|split|subset|set|usage|partition|fold"
#define BOX_WORDS                                                                      \
    "xmin|ymin|xmax|ymax|bbox|x1|y1|x2|y2|roi.x1|roix1|regionshapeattributes"

static dscq_status copy_first(survey *s, const data_csv *c, dscq_error *err)
{
    if (c->count > COLUMNS_MAX)
        return dscq_fail(err, DSCQ_FORMAT, "%zu columns: want at most %d", c->count,
                         COLUMNS_MAX);
    s->column = dscq_calloc(c->count, sizeof *s->column);
    s->first = dscq_calloc(c->count, sizeof *s->first);
    if (s->column == NULL || s->first == NULL)
        return dscq_fail_nomem(err, "columns", c->count * sizeof *s->column);
    s->count = c->count;
    s->first_line = c->line;
    for (size_t i = 0; i < c->count; i++) {
        const char *field = data__csv_field(c, i);
        /* "#filename,...": a heading, not a comment */
        s->first[i] = dscq_strdup(i == 0 && field[0] == '#' ? field + 1 : field);
        if (s->first[i] == NULL)
            return dscq_fail_nomem(err, "columns", strlen(field) + 1);
    }
    return DSCQ_OK;
}

static void count_fields(survey *s, const data_csv *c)
{
    size_t ones = 0, others = 0;

    for (size_t i = 0; i < s->count; i++) {
        const char *field = data__csv_field(c, i);
        column *k = &s->column[i];

        k->pictures += (size_t)(s->records > 1 && names_picture(field));
        k->ones += (size_t)data__is_one(field);
        k->zeros += (size_t)is_zero(field);
        ones += (size_t)data__is_one(field);
        others += (size_t)!is_zero(field);
    }
    /* one field that is neither, the picture */
    s->one_hot += (size_t)(s->records > 1 && ones == 1 && others == 2);
}

/* A comment is a line that begins with '#', unless it is a heading. */
static int is_comment(const data_csv *c)
{
    const char *first = data__csv_field(c, 0);

    return first[0] == '#' &&
           !(c->line == 1 && c->count > 1 && rank(first, PICTURE_WORDS) >= 0);
}

static dscq_status look(survey *s, data_lines l, char separator, dscq_error *err)
{
    data_csv c = {.separator = separator};
    dscq_status record, status = DSCQ_OK;

    while (status == DSCQ_OK && data__csv_next(&c, &l, &record, NULL)) {
        if (record == DSCQ_NOMEM)
            status = dscq_fail_nomem(err, "a line of a list", 0);
        if (record != DSCQ_OK || is_comment(&c) ||
            (c.count == 1 && data__csv_field(&c, 0)[0] == '\0'))
            continue;
        s->records++;
        if (s->records == 1)
            status = copy_first(s, &c, err);
        if (status == DSCQ_OK)
            count_fields(s, &c);
    }
    data__csv_clear(&c);
    return status;
}

/* The column whose heading ranks first; `count` when none is in the list. */
static size_t find_word(const survey *s, const char *words, size_t except)
{
    size_t best = s->count;
    int best_rank = -1;

    for (size_t i = 0; i < s->count; i++) {
        const int r = i == except ? -1 : rank(s->first[i], words);
        if (r >= 0 && (best_rank < 0 || r < best_rank)) {
            best = i;
            best_rank = r;
        }
    }
    return best;
}

/* The column of pictures, and whether the first record is a heading. */
static void find_picture(data_columns *out, const survey *s, int *is_guess)
{
    size_t most = 0;

    for (size_t i = 0; i < s->count; i++)
        if (s->column[i].pictures > most) {
            most = s->column[i].pictures;
            out->picture = i;
        }
    const size_t named = find_word(s, PICTURE_WORDS, s->count);
    int first_has_picture = 0;

    for (size_t i = 0; i < s->count; i++)
        first_has_picture |= names_picture(s->first[i]);
    *is_guess = 0;
    if (most == 0 && first_has_picture) { /* a list of one */
        while (!names_picture(s->first[out->picture]))
            out->picture++;
        return;
    }
    if (most == 0) {
        out->picture = named < s->count ? named : 0;
        out->heading_line = named < s->count ? s->first_line : 0;
        return;
    }
    if (first_has_picture)
        return;
    out->heading_line = s->first_line;
    *is_guess = named == s->count && find_word(s, LABEL_WORDS, s->count) == s->count;
}

static int are_all_binary(const survey *s, const data_columns *c)
{
    const size_t rows = s->records - (c->heading_line != 0);

    for (size_t i = 0; i < s->count; i++)
        if (i != c->picture && s->column[i].ones + s->column[i].zeros != rows)
            return 0;
    return rows > 0;
}

/* The headings beside the picture's, for messages. */
static const char *others(char *out, size_t cap, const survey *s, const data_columns *c)
{
    size_t at = 0;

    out[0] = '\0';
    for (size_t i = 0; i < s->count && at < cap - 1; i++)
        if (i != c->picture) {
            const int n = snprintf(out + at, cap - at, "%s%.40s", at > 0 ? ", " : "",
                                   s->first[i]);
            at += n > 0 ? (size_t)n : 0;
        }
    return out;
}

/* data.label_column. */
static dscq_status use_setting(data_columns *out, const survey *s, const char *wanted,
                               const char *path, dscq_error *err)
{
    char names[200];

    if (out->heading_line == 0)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s: data.label_column = '%s', but the first line is no "
                         "heading",
                         path, wanted);
    if (strcmp(wanted, "one-hot") == 0) {
        out->is_one_hot = 1;
        return DSCQ_OK;
    }
    for (size_t i = 0; i < s->count; i++)
        if (i != out->picture && strcmp(s->first[i], wanted) == 0) {
            out->label = i;
            return DSCQ_OK;
        }
    return dscq_fail(err, DSCQ_FORMAT, "%s:%d: no column '%s'; there are %s", path,
                     (int)s->first_line, wanted, others(names, sizeof names, s, out));
}

/* More than one column beside the picture, and no word that tells the class. */
static dscq_status refuse_columns(const survey *s, const data_columns *c,
                                  const char *path, dscq_error *err)
{
    char names[200];
    const int is_binary = are_all_binary(s, c);

    if (c->heading_line == 0)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s:%d: %zu columns of 0 and 1: if each is a class, the first "
                         "line must name them",
                         path, (int)s->first_line, s->count - 1);
    return dscq_fail(err, DSCQ_FORMAT,
                     "%s:%d: which column is the class? the heading has %s beside the "
                     "picture%s; set data.label_column = %s",
                     path, (int)s->first_line, others(names, sizeof names, s, c),
                     is_binary ? ", all of 0 and 1" : "",
                     is_binary ? "one-hot if each of them is a class" : "its heading");
}

static dscq_status find_label(data_columns *out, const survey *s, const char *setting,
                              const char *path, dscq_error *err)
{
    const size_t named = find_word(s, LABEL_WORDS, out->picture);

    out->label = out->picture + 1 < s->count ? out->picture + 1 : 0;
    if (setting[0] != '\0')
        return use_setting(out, s, setting, path, err);
    if (s->count <= 2)
        return DSCQ_OK;
    /* Every row with exactly one 1: a column a class, whatever they are called. */
    const int is_one_hot =
        are_all_binary(s, out) && s->records > 1 && s->one_hot == s->records - 1;

    if (out->heading_line == 0)
        return is_one_hot ? refuse_columns(s, out, path, err) : DSCQ_OK;
    if (named == s->count || is_one_hot)
        return refuse_columns(s, out, path, err);
    out->label = named;
    return DSCQ_OK;
}

/* What a user might think is read. */
static void remark(const data_columns *c, const survey *s, data_open *o, int is_guess,
                   const char *path)
{
    char text[400];
    const size_t part = find_word(s, PART_WORDS, c->picture);
    const size_t box = find_word(s, BOX_WORDS, c->picture);

    if (c->heading_line == 0)
        return;
    if (is_guess) {
        (void)snprintf(text, sizeof text,
                       "taken for a heading, because column %zu is no picture: %.200s",
                       c->picture + 1, s->first[c->picture]);
        data__soft(o, "heading", path, c->heading_line, text);
    }
    if (!c->is_one_hot && part < s->count && part != c->label) {
        (void)snprintf(text, sizeof text,
                       "column '%.200s' is not looked at: every line is taken",
                       s->first[part]);
        data__soft(o, "ignored_column", path, c->heading_line, text);
    }
    if (!c->is_one_hot && box < s->count && box != c->label) {
        (void)snprintf(text, sizeof text,
                       "column '%.200s' and the like: boxes are not read from lists "
                       "(type = voc, yolo or coco)",
                       s->first[box]);
        data__soft(o, "ignored_column", path, c->heading_line, text);
    }
}

dscq_status data__columns_find(data_columns *out, data_open *o, const data_lines *l,
                               char separator, const char *path, dscq_error *err)
{
    survey s = {0};
    int is_guess = 0;
    dscq_status status;

    *out = (data_columns){0};
    status = look(&s, *l, separator, err);
    if (status != DSCQ_OK && status != DSCQ_NOMEM)
        (void)dscq_fail_at(err, "%s", path);
    if (status != DSCQ_OK || s.count == 0)
        goto done;
    find_picture(out, &s, &is_guess);
    DSCQ_TRY(find_label(out, &s, o->params->label_column, path, err));
    remark(out, &s, o, is_guess, path);
    out->count = s.count;
    if (out->heading_line != 0) {
        out->heading = s.first;
        s.first = NULL;
    }
done:
    free_texts(s.first, s.count);
    dscq_free(s.column);
    return status;
}
