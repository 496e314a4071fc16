/* What the files of this module share. */
#ifndef COMPRESS_INTERNAL_H
#define COMPRESS_INTERNAL_H

#include "dscq/base/ints.h"
#include "dscq/compress/levels.h"
#include "dscq/compress/method.h"

/* One node with weights. */
struct dscq_clayer {
    dscq_rule asked; /* by the settings                        */
    dscq_rule rule;  /* as the present stage understands them */
    dscq_weights *w; /* of the model */
    float *used;     /* [count] what w_used points to */
    uint8_t *mask;   /* [count] 1 = kept, as of the last step that decided it */
    uint8_t *held;   /* [count] pruned by an earlier stage: stays pruned      */
    size_t kept;     /* weights kept in the last step                         */
    dscq_wquant *q;  /* when frozen, or while a method keeps fixed levels     */
    double rate;     /* pruning rate in force now (schedules)                 */
    void *state;     /* dscq_method_state.layer_bytes of the stage's method   */
    int no_memory;   /* the last copy could not be made                        */
};

/* Scratch of one worker. */
typedef struct compress_work {
    void *clip;    /* dscq_clipq_scratch_bytes(largest) */
    float *v;      /* [largest] */
    double *score; /* [largest]: of blocks, or a scale of each channel */
    uint32_t *order;
} compress_work;

typedef struct compress_snapshot {
    float *data;   /* learned values of every node in turn */
    uint8_t *mask; /* masks of every layer in turn         */
    double *rate;  /* [layers]                             */
    size_t count, mask_count;
    double score;
    int valid;
} compress_snapshot;

struct dscq_compressor {
    dscq_model *model;
    dscq_settings *settings;
    dscq_pool *pool;
    dscq_exec *exec;
    dscq_clayer *layer;
    size_t layers;
    int32_t *layer_of; /* [nodes] index into layer, -1 */
    compress_work *work;
    int workers;
    size_t largest;

    const dscq_method *stage[DSCQ_STAGES];
    double share[DSCQ_STAGES];
    uint64_t stage_end[DSCQ_STAGES]; /* step at which a stage is over */
    int32_t stages, at;              /* at == -1: not started */
    uint64_t steps, steps_per_epoch, freeze_step, step, stage_begin;
    uint32_t epochs;
    int frozen, copies;
    int settled; /* frozen, and batch norm statistics stand still       */
    uint64_t settle_step;
    double t; /* progress of the stage */

    double score0; /* before compression */

    /* of the method of the present stage (stage.c) */
    const void *params[DSCQ_METHOD_KEYS]; /* the structs of its own keys */
    void *state, *layer_state;            /* of it; of all layers        */
    const dscq_method_state *state_rows;
};

/* ---- what a method remembers (stage.c) ------------------------------------------ */

typedef enum compress_field_kind {
    COMPRESS_END,
    COMPRESS_INT,      /* int32_t                                          */
    COMPRESS_REAL,     /* double                                           */
    COMPRESS_SNAPSHOT, /* compress_snapshot; not of a layer                */
    COMPRESS_WEIGHTS   /* float *, one a weight; of a layer alone          */
} compress_field_kind;

/* A member of a state struct that a checkpoint keeps. Numbers have a place in the
 * arrays there, which the driver shares: "compress.words" (places 4 to 11, and from 17
 * on), "compress.reals" (from 2 on) and, of a layer, "compress.N.reals" (1, and from 3
 * on). A place once used keeps its meaning: files of earlier versions are read. */
typedef struct compress_field {
    compress_field_kind kind;
    int place;
    size_t offset;
    const char *name; /* of what is no number: "compress.NAME", "compress.N.NAME" */
} compress_field;

/* clang-format off */
#define COMPRESS_FIELD(S, kind, member, place)                                         \
    {COMPRESS_##kind, place, offsetof(S, member), #member}
#define COMPRESS_FIELDS_END {COMPRESS_END, 0, 0, NULL}
/* clang-format on */

static inline void *compress__member(void *state, const compress_field *f)
{
    return (unsigned char *)state + f->offset;
}

/* Both structs are zeroed when the stage begins, arrays among the fields as well. */
struct dscq_method_state {
    size_t bytes, layer_bytes;                   /* c->state; l->state of each layer */
    const compress_field *fields, *layer_fields; /* up to COMPRESS_END; NULL: none */
};

/* Stage `at` is the present one: its method's params, and a state of zeros. */
dscq_status compress__stage_enter(dscq_compressor *c, int32_t at, dscq_error *err);
void compress__stage_leave(dscq_compressor *c); /* frees the state */

/* ---- what most methods do with a layer (layer.c) -------------------------- */

/* used = mask ? w : 0; kept is counted. */
void compress__copy_masked(dscq_clayer *l);
/* The copy in the rule's form from mask and w: linear grid (steps below 8 bits are
 * chosen again every 64 steps) or binary blocks; a codebook rule gives the masked
 * weights themselves. */
void compress__copy_form(dscq_compressor *c, dscq_clayer *l, int worker);
/* Master weights of pruned positions to zero: fixed masks stay fixed. */
void compress__zero_pruned(dscq_clayer *l);
/* Gradient of pruned weights to zero. */
void compress__mask_gradient(dscq_compressor *c, dscq_clayer *l, float *dw);
/* mask: the rate's smallest magnitudes pruned, held respected. */
void compress__mask_rate(dscq_compressor *c, dscq_clayer *l, double rate, int worker);
/* Pruning rate among the weights that an earlier stage left. */
double compress__rate_left(const dscq_clayer *l, double p);
/* Integers by the rule's form from mask and w: k-means codebook, linear, binary. */
dscq_status compress__freeze_form(dscq_compressor *c, dscq_clayer *l, int worker,
                                  dscq_error *err);
/* A codebook from real levels (in units of scale[k] when per channel, else NULL) with
 * the edges between them (NULL: midpoints). */
dscq_status compress__freeze_levels(dscq_clayer *l, const double *level, int32_t n,
                                    const double *edge, const double *scale,
                                    dscq_error *err);
/* The rule is not CLIP-Q's own business: linear or binary. */
int compress__is_plain(const dscq_clayer *l);
/* For methods of uniform codes: codebook rules become linear ones. */
void compress__all_linear(dscq_compressor *c);

/* ---- cuts, each followed by retraining (rounds.c) --------------------------- */

typedef struct compress_rounds {
    double acc_loss;      /* score that a cut may cost                         */
    int32_t round_epochs; /* of retraining                                     */
    double density_step;  /* factor of the kept fraction from cut to cut       */
} compress_rounds;
extern const dscq_method_keys compress__rounds_keys;

/* ---- all learned values and masks, to go back to (snapshot.c) -------------- */

dscq_status compress__snapshot_take(compress_snapshot *s, const dscq_compressor *c,
                                    double score, dscq_error *err);
void compress__snapshot_restore(dscq_compressor *c, const compress_snapshot *s);
void compress__snapshot_free(compress_snapshot *s);

#endif
