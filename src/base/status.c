#include "dscq/base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#undef dscq_fail /* the analyser's, see status.h */
#undef dscq_fail_nomem
#undef dscq_fail_thread
#undef dscq_fail_system

/* Names out of files end up in messages: what is not printable becomes '?', so
 * that a message stays one line and cannot talk to the terminal. */
static void store(dscq_error *err, dscq_status code, const char *text)
{
    size_t i = 0;

    for (; text[i] != '\0' && i + 1 < sizeof err->msg; i++) {
        const unsigned char c = (unsigned char)text[i];
        err->msg[i] = c < 0x20 || c == 0x7f ? '?' : text[i];
    }
    err->msg[i] = '\0';
    err->code = code;
}

dscq_status dscq_fail(dscq_error *err, dscq_status code, const char *fmt, ...)
{
    char text[sizeof err->msg]; /* the arguments may point into err->msg */
    va_list ap;

    if (err == NULL)
        return code;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    store(err, code, text);
    return code;
}

dscq_status dscq_fail_nomem(dscq_error *err, const char *what, unsigned long long bytes)
{
    if (bytes == 0)
        return dscq_fail(err, DSCQ_NOMEM, "out of memory: %s", what);
    return dscq_fail(err, DSCQ_NOMEM, "out of memory: %s (%llu bytes)", what, bytes);
}

dscq_status dscq_fail_system(dscq_error *err, const char *path, const char *what,
                             int code)
{
    if (code == ENOMEM) /* fopen(), opendir(), realpath() allocate */
        return dscq_fail_nomem(err, path, 0);
    return dscq_fail(err, DSCQ_IO, "%s: %s: %s", path, what, strerror(code));
}

dscq_status dscq_fail_thread(dscq_error *err, const char *what, int number, int count)
{
    return dscq_fail(err, DSCQ_NOMEM,
                     "out of memory or of threads: %s %d of %d cannot start (see "
                     "'ulimit -v' and 'ulimit -u'; --threads 1 needs fewest)",
                     what, number, count);
}

dscq_status dscq_fail_at(dscq_error *err, const char *fmt, ...)
{
    char text[2 * sizeof err->msg];
    va_list ap;

    if (err == NULL)
        return DSCQ_INTERNAL;
    va_start(ap, fmt);
    const int n = vsnprintf(text, sizeof err->msg, fmt, ap);
    va_end(ap);
    const size_t at =
        n < 0 ? 0 : ((size_t)n < sizeof err->msg ? (size_t)n : sizeof err->msg - 1);
    (void)snprintf(text + at, sizeof text - at, ": %s", err->msg);
    store(err, err->code, text);
    return err->code;
}

const char *dscq_version(void)
{
    return DSCQ_VERSION;
}

typedef struct status_row {
    const char *name;
    int exit_code;
    const char *text;
} status_row;

static const status_row k_rows[] = {
#define X(name, code, text) {#name, code, text},
    DSCQ_STATUS_LIST(X)
#undef X
};

static const status_row *row(dscq_status status)
{
    const size_t i = (size_t)status;

    return &k_rows[i < sizeof k_rows / sizeof k_rows[0] ? i : (size_t)DSCQ_INTERNAL];
}

int dscq_status_exit_code(dscq_status status)
{
    return row(status)->exit_code;
}

const char *dscq_status_name(dscq_status status)
{
    return row(status)->name;
}

const char *dscq_status_text(dscq_status status)
{
    return row(status)->text;
}
