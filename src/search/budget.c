/* The time of a search: what is spent, what is kept back for the finalists, and a table
 * of sensitivity that need not be measured again. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "search_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Of the budget at most, however many finalists are wanted: trials choose them. */
static const double k_most_kept_back = 0.8;

double search__elapsed(const search *s)
{
    return s->o->now != NULL ? s->o->now() - s->started : 0;
}

int search__is_late(const search *s, double reserve)
{
    return s->budget > 0 && search__elapsed(s) + reserve >= s->budget;
}

dscq_status search__keep_back(search *s, dscq_error *err)
{
    dscq_status status = DSCQ_OK;

    if (s->budget <= 0 || s->params.finalists == 0)
        return DSCQ_OK;
    DSCQ_TRY(dscq_flow_tune_seconds(&s->finalist_seconds, s->project, s->pool,
                                    s->kernels, s->o->now, err));
    s->kept_back = fmin(s->finalist_seconds * s->params.finalists,
                        fmax(s->finalist_seconds, k_most_kept_back * s->budget));
    dscq_log_printf(s->log, DSCQ_LOG_INFO,
                    "of the budget of %.0f s %.0f s are kept for fine-tuning finalists "
                    "(about %.0f s each)",
                    s->budget, fmin(s->kept_back, s->budget), s->finalist_seconds);
    if (s->kept_back >= s->budget)
        dscq_log_printf(s->log, DSCQ_LOG_WARN,
                        "fine-tuning alone takes longer than the budget: no time for "
                        "trials; fewer [compress] epochs or finalists = 0 leave some");
done:
    return status;
}

/* ---- the table of sensitivity -----------------------------------------------------
 */

/* The log of the run, which says stop when the time of the table is over as well. */
typedef struct timed_log {
    const search *s;
    const dscq_log *log;
    int late;
} timed_log;

static void on_message(void *ctx, dscq_log_level level, const char *text)
{
    const timed_log *t = ctx;

    if (t->log != NULL && t->log->message != NULL)
        t->log->message(t->log->ctx, level, text);
}

static void on_progress(void *ctx, const char *what, double done, double total,
                        const char *note)
{
    const timed_log *t = ctx;

    dscq_log_progress(t->log, what, done, total, note);
}

static int on_stop(void *ctx)
{
    timed_log *t = ctx;

    if (dscq_log_stop(t->log))
        return 1;
    t->late = search__is_late(t->s, t->s->kept_back);
    return t->late;
}

static dscq_status measure(search *s, int *late, dscq_error *err)
{
    timed_log t = {.s = s, .log = s->log};
    const dscq_log log = {&t, on_message, on_progress, on_stop,
                          s->log != NULL ? s->log->traces : 0};
    dscq_run_options run = s->o->compress.run;

    run.log = &log;
    const dscq_status status =
        dscq_flow_sense(&s->sense, s->project, s->pool, s->kernels, &run, err);
    *late = status == DSCQ_INTERRUPTED && t.late;
    if (!*late)
        return status;
    dscq_log_printf(
        s->log, DSCQ_LOG_WARN,
        "the budget is used up before sensitivity is measured; what is done "
        "stays in %s/" DSCQ_FLOW_SENSE_JOURNAL " for --resume",
        s->dir);
    return DSCQ_OK;
}

/* A table that somebody measured elsewhere, put where this search looks for its own; it
 * is read there, and refused when it is of something else. */
static dscq_status borrow(int *borrowed, const search *s, const char *own,
                          dscq_error *err)
{
    const char *weights = s->o->compress.run.weights;
    char dir[DSCQ_PATH_MAX], from[DSCQ_PATH_MAX];
    uint8_t *data = NULL;
    size_t bytes;
    dscq_status status = DSCQ_OK;

    *borrowed = 0;
    if (dscq_path_exists(own) || (s->o->sense_dir == NULL && weights == NULL))
        return DSCQ_OK;
    if (s->o->sense_dir == NULL)
        dscq_path_dir(dir, sizeof dir, weights);
    DSCQ_TRY(dscq_path_join(from, sizeof from,
                            s->o->sense_dir != NULL ? s->o->sense_dir : dir,
                            DSCQ_FLOW_SENSE_JOURNAL, err));
    if (!dscq_path_exists(from) && s->o->sense_dir == NULL)
        return DSCQ_OK;
    DSCQ_TRY(dscq_file_read(&data, &bytes, from, (size_t)1 << 28, err));
    DSCQ_TRY(dscq_file_write(own, data, bytes, err));
    *borrowed = 1;
    dscq_log_printf(s->log, DSCQ_LOG_INFO, "%s: sensitivity taken from there", from);
done:
    dscq_free(data);
    return status;
}

dscq_status search__sense(search *s, int *late, dscq_error *err)
{
    char own[DSCQ_PATH_MAX];
    int borrowed;
    dscq_status status;

    DSCQ_TRY(dscq_path_join(own, sizeof own, s->dir, DSCQ_FLOW_SENSE_JOURNAL, err));
    DSCQ_TRY(borrow(&borrowed, s, own, err));
    status = measure(s, late, err);
    if (status != DSCQ_FORMAT || !borrowed)
        return status;
    (void)remove(own);
    if (s->o->sense_dir != NULL) /* it was asked for */
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s: its sensitivity is of another network, other images or "
                         "other kernels",
                         s->o->sense_dir);
    dscq_log_printf(s->log, DSCQ_LOG_INFO,
                    "that table is of something else: measured "
                    "again");
    status = measure(s, late, err);
done:
    return status;
}
