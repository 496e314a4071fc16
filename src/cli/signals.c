#include "cmd.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t seen;
static volatile sig_atomic_t
    asked; /* the work looks at `seen`, so it can stop itself */
static volatile sig_atomic_t as_json;

static void say(const char *text)
{
    const ssize_t n = write(STDERR_FILENO, text, strlen(text));

    (void)n; /* nobody is left to be told */
}

static _Noreturn void end_now(void)
{
    say(as_json ? "{\"event\": \"error\", \"text\": \"stopped by a signal\"}\n"
                : "dscq: stopped by a signal\n");
    _exit(dscq_status_exit_code(DSCQ_INTERRUPTED));
}

/* The first signal asks the work to stop after the step it is in and to save what
 * there is; the second one does not wait for that. Work that has not asked yet is still
 * reading its input, or has nothing to save: it ends at once. System calls are
 * restarted all the same, since writes to a pipe must not fail half-way. */
static void on_signal(int number)
{
    (void)number;
    if (seen || !asked)
        end_now();
    seen = 1;
}

void cli_signals_install(void)
{
    struct sigaction a;

    memset(&a, 0, sizeof a);
    a.sa_handler = on_signal;
    (void)sigemptyset(&a.sa_mask);
    a.sa_flags = SA_RESTART;
    (void)sigaction(SIGINT, &a, NULL);
    (void)sigaction(SIGTERM, &a, NULL);
    a.sa_handler = SIG_IGN; /* past 'ulimit -f' a write fails, and that is told */
    (void)sigaction(SIGXFSZ, &a, NULL);
}

int cli_signals_seen(void)
{
    asked = 1;
    return seen != 0;
}

void cli_signals_as_json(int on)
{
    as_json = on;
}
