/*
 * flow/project.h - a net.cfg and everything it says: network, data, training,
 * compression, machine.
 *
 * One file holds Darknet's graph sections and [data], [train], [compress], [machine].
 * Opening a project parses and checks all of it before any work starts, so a
 * misspelt key in [machine] is not found out after an hour of training.
 */
#ifndef DSCQ_FLOW_PROJECT_H
#define DSCQ_FLOW_PROJECT_H

#include "dscq/base/config.h"
#include "dscq/base/keys.h"
#include "dscq/base/log.h"
#include "dscq/base/par.h"
#include "dscq/base/status.h"
#include "dscq/compress/settings.h"
#include "dscq/data/dataset.h"
#include "dscq/nn/model.h"
#include "dscq/nn/train.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_project dscq_project;

/* What a project is opened for. */
typedef enum dscq_project_use {
    DSCQ_PROJECT_RUN,   /* fresh weights are made                                     */
    DSCQ_PROJECT_TRAIN, /* the same, once it is known that a training step has room   */
    DSCQ_PROJECT_PLAN   /* none: tables, settings, dry runs (dscq_model_fill())       */
} dscq_project_use;

/* A section of net.cfg that a module above reads ([search]): the project binds, checks,
 * prints and records it as its own. */
typedef struct dscq_project_section {
    const char *name;
    const dscq_key *keys;
    size_t bytes; /* of the struct that the keys fill */
    /* What the rows of keys cannot say; NULL: nothing. at: section of c, -1: absent. */
    dscq_status (*check)(const void *params, const dscq_config *c, int at,
                         dscq_error *err);
} dscq_project_section;
enum { DSCQ_PROJECT_SECTIONS = 4 /* of others, at most */ };

typedef struct dscq_project_options {
    const char *const *set; /* "section.key=value" in the order given   */
    size_t set_count;
    int has_seed; /* --seed: overrides [train] seed                       */
    uint64_t seed;
    /* NULL: the first fault ends dscq_project_open(). Else it hears them all, and the
     * project is made as far as it goes: without a model when layers or their numbers
     * are wrong. */
    const dscq_config_listener *listener;
    const char *text;   /* read in place of the file, which gives its name and folder
                           alone; no listener then; NULL: the file                   */
    const char *recipe; /* file of [compress_layer] sections that come after those of
                           the cfg; NULL: none                                       */
    const dscq_project_section *const *section; /* [section_count] of others */
    size_t section_count;
    dscq_project_use use;
    const dscq_log *log; /* asked whether to stop; NULL: never                        */
} dscq_project_options;

/* Parse `path`, build the network with fresh weights (from the seed). Owned by the
 * caller. DSCQ_IO, or DSCQ_FORMAT as "file:line: ..."; DSCQ_NOMEM, at once, for a
 * network that this machine has no memory for. */
dscq_status dscq_project_open(dscq_project **out, const char *path,
                              const dscq_project_options *o, dscq_error *err);
void dscq_project_destroy(dscq_project *p); /* NULL is fine */

const char *dscq_project_path(const dscq_project *p);
dscq_model *dscq_project_model(dscq_project *p);
dscq_config *dscq_project_config(dscq_project *p);
const dscq_train_params *dscq_project_train(const dscq_project *p);
const dscq_data_params *dscq_project_data(const dscq_project *p);
int dscq_project_has_data(const dscq_project *p); /* a [data] section stands there */
/* [compress], [compress_layer] and those of the recipe; NULL: no such section. */
const dscq_settings *dscq_project_settings(const dscq_project *p);
/* What a section of another module says; NULL when the project was opened without it.
 * The module may write down there what a value like "auto" came to: the manifest says
 * it. */
void *dscq_project_section_params(dscq_project *p, const dscq_project_section *section);
/* The rows of a recipe file, behind the first `rows` of the settings, in place of what
 * was there. The settings, NULL or not, are those of dscq_project_settings(). */
dscq_status dscq_project_use_recipe(dscq_project *p, size_t rows, const char *path,
                                    dscq_error *err);
/* Another network of the same nodes in place of the project's; hands back that. */
dscq_model *dscq_project_swap_model(dscq_project *p, dscq_model *m);
const char *dscq_project_sha256(const dscq_project *p); /* of the effective text */
/* A warning, once: the network is imported and [data] lacks mean or std, for which 0
 * and 1 are taken. 0: nothing to say. dscq_project_dataset() says it when nobody did.
 */
int dscq_project_unsaid(char *out, size_t cap, dscq_project *p);
int dscq_project_is_detector(const dscq_project *p); /* ends in yolo or region */

/* Weights from elsewhere: .weights (Darknet) or a checkpoint, by name. Every layer must
 * find its own: DSCQ_FORMAT with both shapes. Layers of the file that the network lacks
 * are a warning. */
dscq_status dscq_project_load_weights(dscq_project *p, const char *path,
                                      const dscq_log *log, dscq_error *err);

/* Weights to start a training run from: as [train] load says (by name or by order), the
 * layers of reinit_layers left fresh; so are those that do not fit, with a warning. */
dscq_status dscq_project_start_weights(dscq_project *p, const char *path,
                                       const dscq_log *log, dscq_error *err);

/* Whether the network decides between the classes of the data: DSCQ_FORMAT names
 * section, line and key. `classes` 0, no labels, fits everything. */
dscq_status dscq_project_fits(const dscq_project *p, int32_t classes, dscq_error *err);

/* What a training step of it takes, engine and optimiser; for dscq_exec_has_room(). */
dscq_status dscq_project_plan_bytes(uint64_t *bytes, const dscq_project *p,
                                    dscq_error *err);

/* Whether the data set opens and fits, as the next one does, without reading a picture
 * for mean and deviation, and without keeping it. */
dscq_status dscq_project_check_data(const dscq_project *p, const dscq_log *log,
                                    dscq_error *err);

/* Open the data set (relative paths start at the cfg's folder), check that it fits
 * the network: size, channels, number of classes. Once; later calls hand back the
 * same one, borrowed. */
dscq_status dscq_project_dataset(dscq_dataset **out, dscq_project *p,
                                 const dscq_log *log, dscq_error *err);

/* The effective settings of every section, re-readable, with origins. */
void dscq_project_print(const dscq_project *p, void (*put)(void *ctx, const char *line),
                        void *ctx);

#ifdef __cplusplus
}
#endif
#endif
