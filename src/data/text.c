/* Lines, fields and numbers of text that came from outside. */
#include "data_internal.h"
#include "dscq/base/io.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

dscq_status data__lines(data_lines *l, const char *text, size_t bytes, const char *name,
                        dscq_error *err)
{
    const dscq_status status = dscq_text_begin(&text, &bytes, name, err);

    *l = (data_lines){text, text + bytes, 0};
    return status;
}

int data__next_line(const char **line, size_t *bytes, data_lines *l)
{
    const char *stop = l->at;

    if (l->at >= l->end)
        return 0;
    while (stop < l->end && *stop != '\n' && *stop != '\r')
        stop++;
    *line = l->at;
    *bytes = (size_t)(stop - l->at);
    if (stop + 1 < l->end && stop[0] == '\r' && stop[1] == '\n')
        stop++;
    l->at = stop < l->end ? stop + 1 : stop;
    l->number++;
    return 1;
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v';
}

void data__trim(const char **text, size_t *bytes)
{
    while (*bytes > 0 && is_blank((*text)[0])) {
        (*text)++;
        (*bytes)--;
    }
    while (*bytes > 0 && is_blank((*text)[*bytes - 1]))
        (*bytes)--;
}

int data__parse_real(double *out, const char *text, size_t bytes)
{
    char copy[64];
    char *end = NULL;

    data__trim(&text, &bytes);
    if (bytes == 0 || bytes >= sizeof copy || memchr(text, '\0', bytes) != NULL)
        return 0;
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    if (strspn(copy, "0123456789+-.eE") != bytes) /* no hex, no inf, no nan */
        return 0;
    *out = strtod(copy, &end);
    return *end == '\0' && isfinite(*out);
}

int data__parse_int(int64_t *out, const char *text, size_t bytes)
{
    int64_t v = 0;
    size_t i = 0;

    data__trim(&text, &bytes);
    const int minus = bytes > 0 && text[0] == '-';
    i = minus ? 1 : 0;
    if (bytes - i == 0 || bytes - i > 15)
        return 0;
    for (; i < bytes; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        v = 10 * v + (text[i] - '0');
    }
    *out = minus ? -v : v;
    return 1;
}

int data__parse_whole(int64_t *out, const char *text, size_t bytes)
{
    double v = 0;

    if (data__parse_int(out, text, bytes))
        return 1;
    if (!data__parse_real(&v, text, bytes) || v != floor(v) || fabs(v) > 1e9)
        return 0;
    *out = (int64_t)v;
    return 1;
}
