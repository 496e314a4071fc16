/*
 * base/lock.h - one process at a time, and a file that says which.
 *
 * The file names the process, its host, what it does and since when. The kernel keeps
 * the lock (flock), so it ends with the process however that ends, and a file that
 * nobody holds is taken over. On a file system of several hosts whose locks do not
 * reach from one to the other the file itself is what is left to go by: one that names
 * another host is respected.
 */
#ifndef DSCQ_BASE_LOCK_H
#define DSCQ_BASE_LOCK_H

#include "dscq/base/log.h"
#include "dscq/base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_lock dscq_lock;

/*
 * Take `path` (its folder exists) for `command` (one line, for people). Waits two
 * seconds at most, for a process that was just killed.
 * force: the file of a process of another host, or one that nothing can tell about, is
 * taken over as well; never that of a process that is known to live. DSCQ_IO: held,
 * naming who; or the file cannot be made.
 */
dscq_status dscq_lock_take(dscq_lock **out, const char *path, const char *command,
                           int force, const dscq_log *log, dscq_error *err);
/* The file goes away. NULL is fine. */
void dscq_lock_release(dscq_lock *lock);

#ifdef __cplusplus
}
#endif
#endif
