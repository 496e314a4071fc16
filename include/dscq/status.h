/*
 * dscq/status.h - how everything here reports trouble, and which version this is.
 *
 * Installed, and included by dscq/dscq.h; the modules have it through base/status.h.
 */
#ifndef DSCQ_STATUS_H
#define DSCQ_STATUS_H

/* Read by the build as well: here alone. */
#define DSCQ_VERSION_MAJOR 0
#define DSCQ_VERSION_MINOR 1
#define DSCQ_VERSION_PATCH 0
#define DSCQ_VERSION                                                                   \
    DSCQ_VERSION_TEXT(DSCQ_VERSION_MAJOR, DSCQ_VERSION_MINOR, DSCQ_VERSION_PATCH)
#define DSCQ_VERSION_TEXT(major, minor, patch)  DSCQ_VERSION_WORDS(major, minor, patch)
#define DSCQ_VERSION_WORDS(major, minor, patch) #major "." #minor "." #patch
/* For #if DSCQ_VERSION_NUMBER >= 200, which is 0.2.0. */
#define DSCQ_VERSION_NUMBER                                                            \
    (DSCQ_VERSION_MAJOR * 10000 + DSCQ_VERSION_MINOR * 100 + DSCQ_VERSION_PATCH)

/* In front of what libdscq.so shows; nothing else is shown. */
#if defined(__GNUC__)
#define DSCQ_API __attribute__((visibility("default")))
#else
#define DSCQ_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* DSCQ_OK is 0. Numbers and names stay as they are; later versions add at the end. */
#define DSCQ_STATUS_LIST(X) /* name, exit code of the program, meaning */              \
    X(OK, 0, "success")                                                                \
    X(INTERNAL, 1, "a bug of ours")                                                    \
    X(ARG, 2, "a value outside its documented range")                                  \
    X(GATE, 3, "ran fine; a threshold was not met")                                    \
    X(UNSUPPORTED, 4, "well formed, but not something this build does")                \
    X(FORMAT, 5, "bytes or settings that contradict the format")                       \
    X(MISMATCH, 6, "ran fine; two answers that must agree do not")                     \
    X(IO, 7, "the system refused a read or a write")                                   \
    X(NOMEM, 7, "out of memory")                                                       \
    X(INTERRUPTED, 130, "stopped by a signal; what was done is saved")

typedef enum dscq_status {
#define X(name, code, text) DSCQ_##name,
    DSCQ_STATUS_LIST(X)
#undef X
} dscq_status;

/* The caller's, on its stack for example; its layout stays. After a failure msg is one
 * line that names the thing, the place, the value and, where there is one, the remedy.
 */
typedef struct dscq_error {
    dscq_status code;
    char msg[512]; /* fixed size: reporting "no memory" must not allocate */
} dscq_error;

/* The version of the library that runs, "0.1.0"; DSCQ_VERSION is the one that the
 * caller was compiled with. */
DSCQ_API const char *dscq_version(void);

DSCQ_API const char *dscq_status_name(dscq_status status); /* "FORMAT" */
DSCQ_API const char *dscq_status_text(dscq_status status); /* its meaning */

#ifdef __cplusplus
}
#endif
#endif
