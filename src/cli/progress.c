#include "cmd.h"
#include "dscq/base/alloc.h"
#include "dscq/base/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { BAR_CELLS = 24, REDRAW_MS = 100 };

/* One program, one terminal: the only place where talk has a state. */
struct cli_talk {
    cli_call *call;
    dscq_log log;
    int bars, colour, drawn;
    char what[160];
    double started_s, shown_s;
};

static cli_talk talk;

static double now_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void clear_bar(void)
{
    if (talk.drawn)
        (void)fputs("\r\033[K", stderr);
    talk.drawn = 0;
}

/* One line an event, for programs that run this one: with --progress json there is
 * nothing else on stderr. Takes the object over. */
static void say_json(dscq_json *event)
{
    char *text = NULL;

    if (dscq_json_dump(&text, event, NULL) == DSCQ_OK) {
        for (char *p = text; *p != '\0'; p++) /* texts hold no raw newline */
            if (*p == '\n')
                *p = ' ';
        (void)fprintf(stderr, "%s\n", text);
    }
    dscq_free(text);
    dscq_json_free(event);
}

static dscq_json *event_of(const char *kind)
{
    dscq_json *j = dscq_json_object();

    dscq_json_put_text(j, "event", kind);
    return j;
}

static void say_message(dscq_log_level level, const char *text)
{
    dscq_json *j = event_of(level == DSCQ_LOG_WARN ? "warning" : "message");

    dscq_json_put_text(j, "text", text);
    say_json(j);
}

void cli_say_error(int as_json, const dscq_error *err)
{
    if (!as_json) {
        (void)fprintf(stderr, "dscq: %s\n", err->msg);
        return;
    }
    dscq_json *j = event_of("error");
    dscq_json_put_text(j, "text", err->msg);
    dscq_json_put_int(j, "exit_code", dscq_status_exit_code(err->code));
    say_json(j);
}

static void on_message(void *ctx, dscq_log_level level, const char *text)
{
    const cli_common *c = &talk.call->common;

    (void)ctx;
    if (level == DSCQ_LOG_WARN)
        cli_output_warning(talk.call->out, text);
    if ((level == DSCQ_LOG_INFO && c->quiet) ||
        (level == DSCQ_LOG_DEBUG && !c->verbose))
        return;
    if (c->progress == CLI_PROGRESS_JSON) {
        say_message(level, text);
        return;
    }
    clear_bar();
    if (level == DSCQ_LOG_WARN)
        (void)fprintf(stderr, "%sdscq: warning: %s%s\n", talk.colour ? "\033[33m" : "",
                      text, talk.colour ? "\033[0m" : "");
    else
        (void)fprintf(stderr, "%s\n", text);
}

static void format_time(char *out, size_t cap, double s)
{
    if (s < 60)
        (void)snprintf(out, cap, "%.0fs", s);
    else if (s < 3600)
        (void)snprintf(out, cap, "%dm%02ds", (int)s / 60, (int)s % 60);
    else
        (void)snprintf(out, cap, "%dh%02dm", (int)(s / 3600), (int)fmod(s / 60, 60));
}

static int terminal_columns(void)
{
    struct winsize w;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 20 ? w.ws_col : 80;
}

static void draw(double done, double total, double elapsed, const char *note)
{
    char bar[BAR_CELLS + 1], left[32] = "", rate[32] = "", line[512];
    const double part = total > 0 ? fmin(done / total, 1) : 0;
    const int full = (int)(part * BAR_CELLS);

    for (int i = 0; i < BAR_CELLS; i++)
        bar[i] = i < full ? '=' : i == full ? '>' : ' ';
    bar[BAR_CELLS] = '\0';
    if (elapsed > 0.5 && done > 0) {
        (void)snprintf(rate, sizeof rate, " %.4g/s", done / elapsed);
        if (part > 0 && part < 1)
            format_time(left, sizeof left, elapsed * (1 - part) / part);
    }
    (void)snprintf(line, sizeof line, "%s [%s] %3.0f%%%s%s%s%s%s", talk.what, bar,
                   100 * part, rate, left[0] != '\0' ? " ETA " : "", left,
                   note != NULL && *note != '\0' ? "  " : "", note != NULL ? note : "");
    (void)fprintf(stderr, "\r\033[K%.*s", terminal_columns() - 1, line);
    (void)fflush(stderr);
    talk.drawn = 1;
}

static void say_progress(double done, double total, const char *note)
{
    dscq_json *j = event_of("progress");

    dscq_json_put_text(j, "what", talk.what);
    dscq_json_put_real(j, "done", done);
    dscq_json_put_real(j, "total", total);
    dscq_json_put_text(j, "note", note != NULL ? note : "");
    say_json(j);
}

static void on_progress(void *ctx, const char *what, double done, double total,
                        const char *note)
{
    const double now = now_s();

    (void)ctx;
    if (strcmp(talk.what, what) != 0) {
        (void)dscq_str_copy(talk.what, sizeof talk.what, what);
        talk.started_s = now;
        talk.shown_s = -1;
    }
    if (done < total && now - talk.shown_s < 1e-3 * REDRAW_MS)
        return;
    talk.shown_s = now;
    if (talk.call->common.progress == CLI_PROGRESS_JSON)
        say_progress(done, total, note);
    else
        draw(done, total, now - talk.started_s, note);
    if (done >= total)
        clear_bar();
}

static int on_stop(void *ctx)
{
    (void)ctx;
    return cli_signals_seen();
}

dscq_status cli_talk_start(cli_call *call, dscq_error *err)
{
    const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");
    const int tty = isatty(STDERR_FILENO) && term != NULL &&
                    strcmp(term, "dumb") != 0 && *term != '\0';
    const cli_common *c = &call->common;

    cli_signals_as_json(c->progress == CLI_PROGRESS_JSON);
    talk = (cli_talk){.call = call, .shown_s = -1};
    talk.colour = tty && (no_colour == NULL || *no_colour == '\0');
    talk.bars = c->progress == CLI_PROGRESS_JSON ||
                (c->progress == CLI_PROGRESS_AUTO && tty && !c->quiet);
    talk.log =
        (dscq_log){&talk, on_message, talk.bars ? on_progress : NULL, on_stop, 0};
    call->log = &talk.log;
    return dscq_traced_parse(&talk.log.traces, getenv("DSCQ_TRACE"), err);
}

void cli_talk_end(void)
{
    clear_bar();
}
