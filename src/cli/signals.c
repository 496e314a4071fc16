#include "cmd.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t seen;

/* The first signal asks the work to stop after the step it is in and to save what
 * there is; the second one does not wait for that. */
static void on_signal(int number)
{
    (void)number;
    if (seen)
        _exit(dscq_status_exit_code(DSCQ_INTERRUPTED));
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
}

int cli_signals_seen(void)
{
    return seen != 0;
}
