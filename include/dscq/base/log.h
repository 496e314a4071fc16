/*
 * base/log.h - talk and progress, through a callback; silent by default.
 *
 * A dscq_log is passed down by value or pointer; nothing is global. The CLI
 * prints messages on stderr and draws bars on a terminal; tests record them.
 */
#ifndef DSCQ_BASE_LOG_H
#define DSCQ_BASE_LOG_H

#include "dscq/base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum dscq_log_level {
    DSCQ_LOG_WARN,
    DSCQ_LOG_INFO,
    DSCQ_LOG_DEBUG
} dscq_log_level;

typedef struct dscq_log {
    void *ctx;
    /* One line without newline. NULL: dropped. */
    void (*message)(void *ctx, dscq_log_level level, const char *text);
    /* done of total units of `what` ("epoch 3"), with a short `note`
     * ("loss 0.412"). NULL: dropped. Calls may be frequent; the receiver thins. */
    void (*progress)(void *ctx, const char *what, double done, double total,
                     const char *note);
    /* Asked between steps; non-zero means: stop soon, save what there is, return
     * DSCQ_INTERRUPTED. NULL: never. */
    int (*stop)(void *ctx);
} dscq_log;

/* NULL log is fine everywhere. */
void dscq_log_printf(const dscq_log *log, dscq_log_level level, const char *fmt, ...)
    DSCQ_PRINTF(3, 4);
void dscq_log_progress(const dscq_log *log, const char *what, double done, double total,
                       const char *note);
int dscq_log_stop(const dscq_log *log);

#ifdef __cplusplus
}
#endif
#endif
