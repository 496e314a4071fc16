#include "dscq/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 1024 };

static const struct {
    const char *word, *text;
} k_traces[] = {
#define X(name, word, text) {word, text},
    DSCQ_TRACE_LIST(X)
#undef X
};

void dscq_log_printf(const dscq_log *log, dscq_log_level level, const char *fmt, ...)
{
    char text[TEXT_BYTES];
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

void dscq_log_trace(const dscq_log *log, dscq_traced module, const char *fmt, ...)
{
    char text[TEXT_BYTES];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    dscq_log_printf(log, DSCQ_LOG_TRACE, "%s: %s", k_traces[module].word, text);
}

const char *dscq_traced_word(dscq_traced module)
{
    return k_traces[module].word;
}

const char *dscq_traced_text(dscq_traced module)
{
    return k_traces[module].text;
}

static dscq_status no_such_word(const char *word, size_t len, dscq_error *err)
{
    char words[160] = "";

    for (int i = 0; i < DSCQ_TRACES; i++)
        (void)snprintf(words + strlen(words), sizeof words - strlen(words), "%s, ",
                       k_traces[i].word);
    return dscq_fail(err, DSCQ_ARG, "DSCQ_TRACE: no module '%.*s'; there are %sall",
                     (int)len, word, words);
}

dscq_status dscq_traced_parse(unsigned *traces, const char *list, dscq_error *err)
{
    *traces = 0;
    while (list != NULL && *list != '\0') {
        const size_t len = strcspn(list, ",");
        int i = 0;
        while (i < DSCQ_TRACES && (strlen(k_traces[i].word) != len ||
                                   memcmp(k_traces[i].word, list, len) != 0))
            i++;
        if (i < DSCQ_TRACES)
            *traces |= 1U << i;
        else if (len == 3 && memcmp(list, "all", len) == 0)
            *traces = ~0U;
        else
            return no_such_word(list, len, err);
        list += len + (list[len] == ',');
    }
    return DSCQ_OK;
}
