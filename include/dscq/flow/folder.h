/*
 * flow/folder.h - the folder of a run belongs to one run at a time.
 *
 * Whoever writes a run into a folder (training, compression, sensitivity, search,
 * import) has it open meanwhile: run.lock in it says who, and a second run is refused.
 * What killed runs left half written there is removed.
 */
#ifndef DSCQ_FLOW_FOLDER_H
#define DSCQ_FLOW_FOLDER_H

#include "dscq/base/log.h"
#include "dscq/base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_folder dscq_folder;

/* Make the folder when absent and take it for `what` ("dscq train net.cfg"). DSCQ_IO:
 * it cannot be written, or another run has it: the message says who. force:
 * base/lock.h. *out is the caller's; NULL, and DSCQ_OK, for dir "". */
dscq_status dscq_folder_open(dscq_folder **out, const char *dir, const char *what,
                             int force, const dscq_log *log, dscq_error *err);
void dscq_folder_close(dscq_folder *f); /* NULL is fine */

#ifdef __cplusplus
}
#endif
#endif
