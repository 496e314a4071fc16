/*
 * base/log.h - talk and progress, through a callback; silent by default.
 *
 * A dscq_log is passed down by value or pointer; nothing is global. The CLI
 * prints messages on stderr and draws bars on a terminal; tests record them.
 *
 * A log also carries which modules tell what they decide, a line a decision:
 *     DSCQ_TRACE(log, LOWER, "stage %d: %s", ...)
 * Off, which is the default, that is one test of a bit; arguments are not evaluated.
 */
#ifndef DSCQ_BASE_LOG_H
#define DSCQ_BASE_LOG_H

#include "dscq/base/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum dscq_log_level {
    DSCQ_LOG_WARN,
    DSCQ_LOG_INFO,
    DSCQ_LOG_DEBUG,
    DSCQ_LOG_TRACE /* "module: what it decided" */
} dscq_log_level;

#define DSCQ_TRACE_LIST(X) /* name, word, what it tells */                             \
    X(BO, "bo", "the point that is tried next, and why")                               \
    X(COMPRESS, "compress", "rate, bits and form of each layer")                       \
    X(DATA, "data", "the reader that is chosen, what a path stands for")               \
    X(DRAM, "dram", "standard, rule set and address map")                              \
    X(LOWER, "lower", "stages, what is fused, data flow, shapes, streams")             \
    X(ONNX, "onnx", "the rule that takes each node")                                   \
    X(PACK, "pack", "each layer's encoding, and the sizes of the others")              \
    X(SEARCH, "search", "each trial: where it came from, whether it is kept")

typedef enum dscq_traced {
#define X(name, word, text) DSCQ_TRACE_##name,
    DSCQ_TRACE_LIST(X)
#undef X
        DSCQ_TRACES
} dscq_traced;

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
    unsigned traces; /* bit dscq_traced: that module tells */
} dscq_log;

/* NULL log is fine everywhere. */
void dscq_log_printf(const dscq_log *log, dscq_log_level level, const char *fmt, ...)
    DSCQ_PRINTF(3, 4);
void dscq_log_progress(const dscq_log *log, const char *what, double done, double total,
                       const char *note);
int dscq_log_stop(const dscq_log *log);

static inline int dscq_log_traces(const dscq_log *log, dscq_traced module)
{
    return log != NULL && (log->traces >> module & 1U) != 0;
}

/* "word: text" as a message of level TRACE, whether or not the module is asked for. */
void dscq_log_trace(const dscq_log *log, dscq_traced module, const char *fmt, ...)
    DSCQ_PRINTF(3, 4);
#define DSCQ_TRACE(log, module, ...)                                                   \
    do {                                                                               \
        if (dscq_log_traces((log), DSCQ_TRACE_##module))                               \
            dscq_log_trace((log), DSCQ_TRACE_##module, __VA_ARGS__);                   \
    } while (0)

/* "lower,pack" or "all" as bits; NULL and "": none. DSCQ_ARG listing the words. */
dscq_status dscq_traced_parse(unsigned *traces, const char *list, dscq_error *err);
const char *dscq_traced_word(dscq_traced module);
const char *dscq_traced_text(dscq_traced module);

#ifdef __cplusplus
}
#endif
#endif
