#include "dscq/base/log.h"

#include <stdarg.h>
#include <stdio.h>

void dscq_log_printf(const dscq_log *log, dscq_log_level level, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    if (log == NULL || log->message == NULL)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    log->message(log->ctx, level, text);
}

void dscq_log_progress(const dscq_log *log, const char *what, double done, double total,
                       const char *note)
{
    if (log != NULL && log->progress != NULL)
        log->progress(log->ctx, what, done, total, note);
}

int dscq_log_stop(const dscq_log *log)
{
    return log != NULL && log->stop != NULL && log->stop(log->ctx) != 0;
}
