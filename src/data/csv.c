/* Records of separated fields: RFC 4180, and what spreadsheets make of it (another
 * separator, blanks around fields, lines that end in \r\n). */
#include "data_internal.h"
#include "dscq/base/alloc.h"

#include <string.h>

enum { SAMPLE_LINES = 64, LINE_MAX_BYTES = 1 << 20 };

void data__csv_clear(data_csv *c)
{
    dscq_free(c->text);
    dscq_free(c->start);
    *c = (data_csv){0};
}

static int is_line_end(char ch)
{
    return ch == '\n' || ch == '\r';
}

/* Room for a field of `bytes` more. */
static dscq_status reserve(data_csv *c, size_t bytes, dscq_error *err)
{
    if (c->text_cap - c->text_bytes < bytes) {
        const size_t cap = 2 * (c->text_cap + bytes);
        char *grown = dscq_realloc(c->text, c->text_bytes, cap);
        if (grown == NULL)
            return dscq_fail_nomem(err, "a line of a list", cap);
        c->text = grown;
        c->text_cap = cap;
    }
    if (c->count == c->cap) {
        const size_t cap = c->cap == 0 ? 16 : 2 * c->cap;
        size_t *grown =
            dscq_realloc(c->start, c->cap * sizeof *grown, cap * sizeof *grown);
        if (grown == NULL)
            return dscq_fail_nomem(err, "a line of a list", cap * sizeof *grown);
        c->start = grown;
        c->cap = cap;
    }
    return DSCQ_OK;
}

static dscq_status add_field(data_csv *c, const char *text, size_t bytes, int is_quoted,
                             dscq_error *err)
{
    char *to;

    if (memchr(text, '\0', bytes) != NULL)
        return dscq_fail(err, DSCQ_FORMAT, "a zero byte: this is not a text file");
    const dscq_status status = reserve(c, bytes + 1, err);

    if (status != DSCQ_OK)
        return status;
    c->start[c->count++] = c->text_bytes;
    to = c->text + c->text_bytes;
    for (size_t i = 0; i < bytes; i++) {
        *to++ = text[i];
        if (is_quoted && text[i] == '"')
            i++; /* "" stands for one */
    }
    *to++ = '\0';
    c->text_bytes = (size_t)(to - c->text);
    return DSCQ_OK;
}

/* The end of a quoted field, behind its first quote; NULL when there is none. */
static const char *closing_quote(const char *at, const char *end)
{
    for (; at < end; at++) {
        if (*at != '"')
            continue;
        if (at + 1 == end || at[1] != '"')
            return at;
        at++;
    }
    return NULL;
}

/* One field from l->at on, which moves to the separator or the line's end behind it. */
static dscq_status next_field(data_csv *c, data_lines *l, dscq_error *err)
{
    const char *at = l->at;
    dscq_status status;

    while (at < l->end && (*at == ' ' || (*at == '\t' && c->separator != '\t')))
        at++;
    if (at < l->end && *at == '"') {
        const char *stop = closing_quote(at + 1, l->end);

        if (stop == NULL || stop - at > LINE_MAX_BYTES)
            return dscq_fail(err, DSCQ_FORMAT, "a quote without its end");
        status = add_field(c, at + 1, (size_t)(stop - at) - 1, 1, err);
        for (const char *p = at; p < stop; p++)
            l->number += *p == '\n';
        at = stop + 1;
        while (at < l->end && (*at == ' ' || (*at == '\t' && c->separator != '\t')))
            at++;
        if (status == DSCQ_OK && at < l->end && *at != c->separator &&
            !is_line_end(*at))
            return dscq_fail(err, DSCQ_FORMAT, "text behind a closing quote");
    } else {
        const char *stop = at;

        while (stop < l->end && *stop != c->separator && !is_line_end(*stop))
            stop++;
        size_t bytes = (size_t)(stop - at);
        data__trim(&at, &bytes);
        status = add_field(c, at, bytes, 0, err);
        at = stop;
    }
    l->at = at;
    return status;
}

/* Behind the line's end, whatever was made of it. */
static void skip_line(data_lines *l)
{
    while (l->at < l->end && !is_line_end(*l->at))
        l->at++;
    if (l->at + 1 < l->end && l->at[0] == '\r' && l->at[1] == '\n')
        l->at++;
    l->at += l->at < l->end;
}

int data__csv_next(data_csv *c, data_lines *l, dscq_status *status, dscq_error *err)
{
    *status = DSCQ_OK;
    if (l->at >= l->end)
        return 0;
    c->count = c->text_bytes = 0;
    c->line = ++l->number;
    do
        *status = next_field(c, l, err);
    while (*status == DSCQ_OK && l->at < l->end && *l->at == c->separator && l->at++);
    skip_line(l);
    return 1;
}

const char *data__csv_field(const data_csv *c, size_t i)
{
    return i < c->count ? c->text + c->start[i] : "";
}

/* ---- which separator ------------------------------------------------------ */

typedef struct score {
    int lines, split, pictures; /* seen; with a separator; with a picture in a field */
} score;

static dscq_status try_separator(score *s, char separator, data_lines l,
                                 dscq_error *err)
{
    data_csv c = {.separator = separator};
    dscq_status status = DSCQ_OK;

    for (int i = 0; i < SAMPLE_LINES && status != DSCQ_NOMEM &&
                    data__csv_next(&c, &l, &status, err);
         i++) {
        int is_picture = 0;

        if (status != DSCQ_OK || (c.count == 1 && data__csv_field(&c, 0)[0] == '\0') ||
            data__csv_field(&c, 0)[0] == '#')
            continue;
        for (size_t k = 0; k < c.count && c.count > 1; k++)
            is_picture |= dscq_image_has_extension(data__csv_field(&c, k));
        s->lines++;
        s->split += c.count > 1;
        s->pictures += is_picture;
    }
    data__csv_clear(&c);
    return status == DSCQ_NOMEM ? status : DSCQ_OK;
}

/* It stands in every line, and leaves the most names of pictures whole. */
dscq_status data__csv_separator(char *out, const data_lines *l, dscq_error *err)
{
    static const char k_separators[] = ",;\t";
    int most = -1;

    *out = '\0';
    for (const char *sep = k_separators; *sep != '\0'; sep++) {
        score s = {0};
        const dscq_status status = try_separator(&s, *sep, *l, err);

        if (status != DSCQ_OK)
            return status;
        if (s.lines > 0 && s.split == s.lines && s.pictures > most) {
            most = s.pictures;
            *out = *sep;
        }
    }
    return DSCQ_OK;
}
