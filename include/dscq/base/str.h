/*
 * base/str.h - a bounded string builder and small text helpers.
 */
#ifndef DSCQ_BASE_STR_H
#define DSCQ_BASE_STR_H

#include "dscq/base/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A growable text. Zero-initialise; release with dscq_str_free(). After a
 * failed allocation `bad` is set, further appends do nothing. */
typedef struct dscq_str {
    char *text; /* NUL terminated once something was appended */
    size_t len, cap;
    int bad;
} dscq_str;

void dscq_str_add(dscq_str *s, const char *text);
void dscq_str_add_bytes(dscq_str *s, const char *text, size_t bytes);
void dscq_str_addf(dscq_str *s, const char *fmt, ...) DSCQ_PRINTF(2, 3);
void dscq_str_free(dscq_str *s);

/* Copy with truncation; always terminated; returns 1 when it fitted. */
int dscq_str_copy(char *out, size_t cap, const char *text);
/* The same, as a text that anybody can show: whole UTF-8 characters only, a byte that
 * is none becomes U+FFFD, a control character a blank. Returns 1 when nothing changed.
 */
int dscq_str_clean(char *out, size_t cap, const char *text);

/* Bytes of the well-formed UTF-8 character at `text` (RFC 3629: no overlong forms, no
 * surrogates, nothing above U+10FFFF); 0 when it is none. A NUL is one of 1 byte. */
size_t dscq_utf8_length(const char *text);
/* Is the character at `text`, of whole UTF-8, a control character (U+0000..1F,
 * U+007F..9F)? */
int dscq_is_control(const char *text);

/* Shortest decimal that reads back to the same double, 'C' locale, never "nan"
 * in JSON's sense: writes "nan", "inf", "-inf" for those. */
void dscq_str_real(char *out, size_t cap, double v);

/* '*' matches any run, '?' one character; for layer patterns ("conv*_dw"). */
int dscq_glob_match(const char *pattern, const char *text);
/* Any of several patterns separated by commas. */
int dscq_glob_match_any(const char *patterns, const char *text);

/* "90", "90s", "30m", "30min", "2h", "1h30m": seconds. DSCQ_ARG with the legal
 * forms. */
dscq_status dscq_parse_duration(double *seconds, const char *text, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
