#include "dscq/base/str.h"

#include "dscq/base/alloc.h"
#include "dscq/base/keys.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for `more` bytes and the NUL. */
static int reserve(dscq_str *s, size_t more)
{
    if (s->bad || more >= SIZE_MAX / 2 - s->len)
        s->bad = 1;
    if (s->bad)
        return 0;
    const size_t want = s->len + more + 1;
    if (want <= s->cap)
        return 1;
    const size_t cap = want < 64 ? 64 : want + want / 2;
    char *p = dscq_realloc(s->text, s->len, cap);
    if (p == NULL) {
        s->bad = 1;
        return 0;
    }
    s->text = p;
    s->cap = cap;
    return 1;
}

void dscq_str_add_bytes(dscq_str *s, const char *text, size_t bytes)
{
    if (!reserve(s, bytes))
        return;
    if (bytes > 0)
        memcpy(s->text + s->len, text, bytes);
    s->len += bytes;
    s->text[s->len] = '\0';
}

void dscq_str_add(dscq_str *s, const char *text)
{
    dscq_str_add_bytes(s, text, strlen(text));
}

void dscq_str_addf(dscq_str *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    const int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        s->bad = 1;
    if (n < 0 || !reserve(s, (size_t)n))
        return;
    va_start(ap, fmt);
    (void)vsnprintf(s->text + s->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    s->len += (size_t)n;
}

void dscq_str_free(dscq_str *s)
{
    dscq_free(s->text);
    *s = (dscq_str){0};
}

size_t dscq_utf8_length(const char *text)
{
    static const uint32_t k_least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *s = (const unsigned char *)text;
    const size_t n = s[0] < 0x80               ? 1
                     : (s[0] & 0xe0U) == 0xc0U ? 2
                     : (s[0] & 0xf0U) == 0xe0U ? 3
                     : (s[0] & 0xf8U) == 0xf0U ? 4
                                               : 0;
    if (n <= 1)
        return n;
    uint32_t code = s[0] & (0x7fU >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0U) != 0x80U)
            return 0;
        code = code << 6 | (s[i] & 0x3fU);
    }
    return code < k_least[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)
               ? 0
               : n;
}

int dscq_is_control(const char *text)
{
    const unsigned char c = (unsigned char)text[0], next = (unsigned char)text[c != 0];

    return c < 0x20 || c == 0x7f || (c == 0xc2 && next >= 0x80 && next < 0xa0);
}

int dscq_str_clean(char *out, size_t cap, const char *text)
{
    static const char k_unknown[] = "\xef\xbf\xbd"; /* U+FFFD */
    size_t at = 0;
    int same = 1;

    while (*text != '\0') {
        const size_t n = dscq_utf8_length(text);
        const int is_bad = n == 0, is_control = !is_bad && dscq_is_control(text);
        const char *from = is_bad ? k_unknown : is_control ? " " : text;
        const size_t bytes = is_bad ? sizeof k_unknown - 1 : is_control ? 1 : n;
        if (at + bytes >= cap) {
            same = 0;
            break;
        }
        memcpy(out + at, from, bytes);
        at += bytes;
        text += is_bad ? 1 : n;
        same = same && !is_bad && !is_control;
    }
    out[at] = '\0';
    return same;
}

int dscq_str_copy(char *out, size_t cap, const char *text)
{
    const size_t n = strlen(text);
    const size_t keep = n < cap ? n : cap - 1;

    if (cap == 0)
        return 0;
    memmove(out, text, keep);
    out[keep] = '\0';
    return keep == n;
}

void dscq_str_real(char *out, size_t cap, double v)
{
    char text[40];

    if (!isfinite(v)) {
        (void)dscq_str_copy(out, cap, isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
        return;
    }
    /* 15 digits are never longer than the shortest form, except for subnormals. */
    for (int digits = fabs(v) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, v);
        if (digits == 17 || strtod(text, NULL) == v)
            break;
    }
    (void)dscq_str_copy(out, cap, text);
}

/* Linear backtracking: only the last '*' is ever retried. */
static int glob(const char *p, const char *p_end, const char *t)
{
    const char *star = NULL, *retry = NULL;

    while (*t != '\0') {
        if (p < p_end && *p == '*') {
            star = p++;
            retry = t;
        } else if (p < p_end && (*p == '?' || *p == *t)) {
            p++;
            t++;
        } else if (star != NULL) {
            p = star + 1;
            t = ++retry;
        } else {
            return 0;
        }
    }
    while (p < p_end && *p == '*')
        p++;
    return p == p_end;
}

int dscq_glob_match(const char *pattern, const char *text)
{
    return glob(pattern, pattern + strlen(pattern), text);
}

int dscq_glob_match_any(const char *patterns, const char *text)
{
    for (;;) {
        const char *end = patterns + strcspn(patterns, ",");
        const char *last = end;
        while (patterns < last && *patterns == ' ')
            patterns++;
        while (last > patterns && last[-1] == ' ')
            last--;
        if (glob(patterns, last, text))
            return 1;
        if (*end == '\0')
            return 0;
        patterns = end + 1;
    }
}

/* A decimal number; hexadecimal, "inf" and "nan", which strtod would take, are
 * not quantities. */
static const char *scan_number(double *out, const char *text)
{
    char *end = NULL;

    if (text[strspn(text, "+-.")] < '0' || text[strspn(text, "+-.")] > '9')
        return NULL;
    if (text[strspn(text, "+-0")] == 'x' || text[strspn(text, "+-0")] == 'X')
        return NULL;
    *out = strtod(text, &end);
    return end != text && isfinite(*out) ? end : NULL;
}

/* Seconds of one "min", of n characters; 0: no such unit of time. */
static double seconds_of(const char *text, size_t n)
{
    static const struct {
        const char *names;
        double seconds;
    } k_units[] = {{"s|sec|secs|second|seconds", 1},
                   {"m|min|mins|minute|minutes", 60},
                   {"h|hr|hrs|hour|hours", 3600},
                   {"d|day|days", 86400}};
    char word[16];

    if (n >= sizeof word)
        return 0;
    memcpy(word, text, n);
    word[n] = '\0';
    for (size_t i = 0; i < sizeof k_units / sizeof *k_units; i++)
        if (dscq_choice_find(k_units[i].names, word) >= 0)
            return k_units[i].seconds;
    return 0;
}

dscq_status dscq_parse_duration(double *seconds, const char *text, dscq_error *err)
{
    const char *p = text;
    double sum = 0, v = 0;

    while ((p = scan_number(&v, p)) != NULL && v >= 0) {
        p += strspn(p, " ");
        const size_t n = strcspn(p, "0123456789. ");
        const int alone = n == 0 && *p == '\0' && sum <= 0; /* a number: seconds */
        const double unit = alone ? 1 : seconds_of(p, n);
        if (unit <= 0)
            break;
        sum += v * unit;
        p += n + strspn(p + n, " ");
        if (*p == '\0') {
            *seconds = sum;
            return DSCQ_OK;
        }
    }
    return dscq_fail(err, DSCQ_ARG,
                     "'%s': want a time such as 90, 90s, 30m, 30min, 2h or 1h30m",
                     text);
}
