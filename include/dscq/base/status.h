/*
 * base/status.h - the only way code below the CLI reports trouble.
 *
 * Bad input, a bad file, no memory: return a status and fill the caller's
 * dscq_error with one line that names the thing, the place, the value and,
 * where there is one, the remedy. A caller that broke a documented contract is
 * a bug and meets an assert. A function that cannot fail returns void or a value.
 */
#ifndef DSCQ_BASE_STATUS_H
#define DSCQ_BASE_STATUS_H

#include "dscq/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define DSCQ_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define DSCQ_PRINTF(f, a)
#endif

/* Fill *err (err may be NULL) and hand the code back, so that a failing
 * function can end with `return dscq_fail(err, DSCQ_FORMAT, "...", ...)`. */
dscq_status dscq_fail(dscq_error *err, dscq_status code, const char *fmt, ...)
    DSCQ_PRINTF(3, 4);

/* The same for "no memory", naming what it was for and how much (0: not known). */
dscq_status dscq_fail_nomem(dscq_error *err, const char *what,
                            unsigned long long bytes);

/* The same for a system call that failed with `code`, an errno: "path: cannot open: No
 * such file or directory". DSCQ_IO, or DSCQ_NOMEM when that is what it was. */
dscq_status dscq_fail_system(dscq_error *err, const char *path, const char *what,
                             int code);

/* The same for pthread_create(), which does not tell no memory from too many threads:
 * DSCQ_NOMEM, naming both. */
dscq_status dscq_fail_thread(dscq_error *err, const char *what, int number, int count);

#ifdef __clang_analyzer__ /* sees one file, and would have a failure end in DSCQ_OK */
#define dscq_fail(err, code, ...) ((void)dscq_fail(err, code, __VA_ARGS__), (code))
#define dscq_fail_nomem(...)      ((void)dscq_fail_nomem(__VA_ARGS__), DSCQ_NOMEM)
#define dscq_fail_thread(...)     ((void)dscq_fail_thread(__VA_ARGS__), DSCQ_NOMEM)
#define dscq_fail_system(...)     ((void)dscq_fail_system(__VA_ARGS__), DSCQ_IO)
#endif

/* Put "where: " in front of the message in *err: the place (a file, a line, a
 * layer) that the failing level could not know. Returns err->code; a caller whose
 * err may be NULL returns its own status instead. */
dscq_status dscq_fail_at(dscq_error *err, const char *fmt, ...) DSCQ_PRINTF(2, 3);

int dscq_status_exit_code(dscq_status status);

/* The one control-flow macro. Needs `status` in scope and a `done:` label. */
#define DSCQ_TRY(expr)                                                                 \
    do {                                                                               \
        if ((status = (expr)) != DSCQ_OK)                                              \
            goto done;                                                                 \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
