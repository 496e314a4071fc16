/*
 * flow/manifest.h - run.json: what made a packed file, so that it can be made again.
 *
 * dscq.run/1, docs/run-manifest.md. Digests instead of contents; no time, host, user
 * or absolute path, so that equal runs write equal bytes.
 */
#ifndef DSCQ_FLOW_MANIFEST_H
#define DSCQ_FLOW_MANIFEST_H

#include "dscq/flow/compress.h"
#include "dscq/flow/simulate.h"

#ifdef __cplusplus
extern "C" {
#endif

/* out_dir/run.json, atomically; nothing when out_dir is "". */
dscq_status dscq_manifest_write(dscq_project *p, const dscq_compress_options *o,
                                const dscq_compress_result *r, dscq_error *err);

/* The accuracy of packed_path (digest `sha256`) from the run.json beside it, into f.
 * f stays as it is when there is none, when it is of another file, or when it holds no
 * top-1 accuracy (no labels, a detector). DSCQ_NOMEM alone is a failure. */
dscq_status dscq_manifest_accuracy(dscq_report_facts *f, const char *packed_path,
                                   const char *sha256, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
