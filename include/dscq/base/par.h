/*
 * base/par.h - a pool of threads for loops over disjoint tasks.
 *
 * A loop is cut into `tasks` fixed pieces (never a function of the number of
 * threads); workers take pieces in any order; what must be summed is stored per
 * piece and combined afterwards in index order. So results have the same bytes
 * for 1 thread or 16. A thread begins with its share (of two threads, the second takes
 * the second half), so that loops over the same data find it in its cache, and then
 * helps the others. Waiting threads spin briefly, then sleep, so that a busy
 * neighbour on one core does not stall the loop.
 */
#ifndef DSCQ_BASE_PAR_H
#define DSCQ_BASE_PAR_H

#include "dscq/base/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_pool dscq_pool;

/* `task` in [0, tasks); `worker` in [0, dscq_pool_threads()): index of private
 * scratch. The caller takes part as worker 0. */
typedef void dscq_task_fn(void *ctx, size_t task, int worker);

/* threads >= 1 (the caller counts as one); 0 = one per CPU this process may use. */
dscq_status dscq_pool_create(dscq_pool **out, int threads, dscq_error *err);
void dscq_pool_destroy(dscq_pool *p);      /* NULL is fine */
int dscq_pool_threads(const dscq_pool *p); /* NULL: 1 */

/* Run all tasks, return when all are done. NULL pool runs them here in order.
 * Not re-entrant: a task must not call it on the same pool. */
void dscq_pool_run(dscq_pool *p, size_t tasks, dscq_task_fn *fn, void *ctx);

#ifdef __cplusplus
}
#endif
#endif
