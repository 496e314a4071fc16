/*
 * flow/sample.h - one picture out of a project's data set, as a PNG file.
 *
 * For trying a network on something its data set has, generated or not: the picture as
 * stored, at its own size.
 */
#ifndef DSCQ_FLOW_SAMPLE_H
#define DSCQ_FLOW_SAMPLE_H

#include "dscq/base/keys.h"
#include "dscq/base/table.h"
#include "dscq/flow/project.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_sample_options {
    dscq_split split;
    const char *cls; /* of a class: its name, a glob over names, the beginning of names,
                        or its number, whatever fits first; NULL: any                 */
    int64_t index;   /* which of them, from 0                                         */
    const char *path; /* of the PNG file                                              */
    const dscq_log *log;
} dscq_sample_options;

typedef struct dscq_sample {
    char origin[DSCQ_PATH_MAX], class_name[DSCQ_NAME_MAX]; /* "" : no label          */
    int32_t width, height, label;                          /* -1: no label           */
} dscq_sample;

/* DSCQ_ARG: no such class (with the nearest name), fewer pictures than index. What
 * opening the data set and writing return. */
dscq_status dscq_flow_sample(dscq_sample *out, dscq_project *p,
                             const dscq_sample_options *o, dscq_error *err);

/* One row a class, owned by the caller: index, class, pictures in the split. */
dscq_status dscq_flow_classes(dscq_table **out, dscq_project *p, dscq_split split,
                              const dscq_log *log, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
