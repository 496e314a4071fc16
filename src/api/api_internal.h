/* api_internal.h - what is behind the opaque types of dscq/dscq.h, and the way options
 * come in and results go out. */
#ifndef DSCQ_API_INTERNAL_H
#define DSCQ_API_INTERNAL_H

#include "dscq/base/log.h"
#include "dscq/base/par.h"
#include "dscq/base/status.h"
#include "dscq/data/dataset.h"
#include "dscq/dscq.h"
#include "dscq/flow/project.h"
#include "dscq/flow/train.h"
#include "dscq/infer/runtime.h"
#include "dscq/qnet/qmodel.h"

/* A caller may not want to hear why; modules write down more than they hand back. */
#define API_ERROR(err)                                                                 \
    dscq_error unheard;                                                                \
    (err) = (err) != NULL ? (err) : &unheard

/* ---- options.c ---- */

/* *to, of `known` bytes, from the caller's struct of whatever version, NULL for all
 * defaults. DSCQ_ARG: no size, or something set that this version does not know. */
dscq_status api__take(void *to, size_t known, const void *from, const char *type,
                      dscq_error *err);
/* Before the work: has the caller's result struct a size? */
dscq_status api__check_room(const void *out, const char *type, dscq_error *err);
/* Behind it: as much of *from as the caller's struct has room for. out NULL is fine. */
void api__give(void *out, const void *from, size_t known);
/* DSCQ_ARG when a pointer that must be there is NULL. */
dscq_status api__need(const void *p, const char *what, dscq_error *err);
/* "train", "valid", "test". */
dscq_status api__part(dscq_split *out, const char *name, dscq_error *err);

/* The caller's events as the log that modules take; does not move, they keep it. */
typedef struct api_listener {
    dscq_events events;
    dscq_log log;
} api_listener;
dscq_status api__listen(api_listener *l, const dscq_events *events, dscq_error *err);

/* ---- objects ---- */

struct dscq_net {
    dscq_project *project;
    int is_fresh; /* its weights were drawn, and nothing has changed them yet */
    api_listener listener;
};

struct dscq_qnet {
    dscq_qmodel *model;
    uint64_t file_bytes;
    char sha256[65];
};

struct dscq_session {
    const dscq_qmodel *q;
    dscq_pool *pool;
    dscq_runtime *runtime;
    int32_t count, room;  /* images: of the last run, that there is room for */
    uint8_t *codes, *out; /* [room][in_bytes], [room][out_bytes]              */
    uint8_t *pixels;      /* [room][bytes of a picture]; NULL: never asked    */
    const void **input;   /* [room * inputs]                                  */
    void **output;        /* [room * outputs]                                 */
    size_t in_bytes, out_bytes;
};

/* work.c: the options of a run of n. The strings stay the caller's. */
dscq_status api__run_options(dscq_run_options *out, const dscq_net *n,
                             const dscq_work_options *work, dscq_error *err);
/* qnet.c: takes the bytes in without keeping them. */
dscq_status api__qnet_of(dscq_qnet **out, const void *data, size_t bytes,
                         dscq_error *err);

/* table.c: settings as section, key, value. */
dscq_status api__settings_table(dscq_table **out, dscq_error *err);
void api__settings_row(dscq_table *t, const char *section, const char *key,
                       const char *value);
/* DSCQ_ARG "no table 'x': one of ..." */
dscq_status api__no_table(const char *name, const char *choices, dscq_error *err);

#endif
