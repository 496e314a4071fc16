/* Peak-pruning, three readings: the peak of the histogram of surviving weights, the
 * peak of the accuracy curve, the peak of the storage. */
#include "compress_internal.h"
#include "dscq/compress/prune.h"

static const double k_index_bits = 4.0; /* size reading: position of one weight */
enum { MAX_UNDONE = 2 };

/* Which reading of the method. */
#define PEAK_LIST(X)                                                                   \
    X(valley, VALLEY)                                                                  \
    X(accuracy, ACCURACY)                                                              \
    X(size, SIZE)
enum {
#define X(word, id) PEAK_##id,
    PEAK_LIST(X)
#undef X
};

typedef struct peak_params {
    double alpha_first, alpha_step; /* fractions of the peak */
    int32_t peak;                   /* PEAK_...              */
} peak_params;

#define P peak_params
static const dscq_key k_rows[] = {
    DSCQ_KEY_REAL_ROW(P, alpha_first, 0.01, 2, "0.5",
                      "peak: first threshold, in peak positions"),
    DSCQ_KEY_REAL_ROW(P, alpha_step, 0.01, 1, "0.1", "peak: its growth"),
    DSCQ_KEY_ENUM_ROW(P, peak, DSCQ_CHOICES(PEAK_LIST(DSCQ_CHOICE)), "valley",
                      "peak: which reading of the method"),
    DSCQ_KEY_END};
#undef P
static const dscq_method_keys k_keys = {k_rows, sizeof(peak_params), "last_p"};

typedef struct peak_state {
    compress_snapshot good, peak; /* last accepted state; best of this round */
    double alpha, alpha_step;
    int32_t round_left, position, undone;
    int32_t done; /* nothing left to try: keep the masks */
} peak_state;

typedef struct peak_layer {
    int32_t given_up; /* size reading: its cut lost too much */
} peak_layer;

static const compress_field k_fields[] = {
    COMPRESS_FIELD(peak_state, INT, round_left, 6),
    COMPRESS_FIELD(peak_state, INT, position, 7),
    COMPRESS_FIELD(peak_state, INT, undone, 9),
    COMPRESS_FIELD(peak_state, INT, done, 10),
    COMPRESS_FIELD(peak_state, REAL, alpha, 2),
    COMPRESS_FIELD(peak_state, REAL, alpha_step, 3),
    COMPRESS_FIELD(peak_state, SNAPSHOT, good, 0),
    COMPRESS_FIELD(peak_state, SNAPSHOT, peak, 0),
    COMPRESS_FIELDS_END};
static const compress_field k_layer_fields[] = {
    COMPRESS_FIELD(peak_layer, INT, given_up, 1), COMPRESS_FIELDS_END};
static const dscq_method_state k_state = {sizeof(peak_state), sizeof(peak_layer),
                                          k_fields, k_layer_fields};

static void everything(dscq_compressor *c, double part)
{
    for (size_t i = 0; i < c->layers; i++)
        compress__mask_rate(c, &c->layer[i], c->layer[i].rule.p * part, 0);
}

/* Everything under alpha times the position of its layer's peak goes. */
static void cut_valley(dscq_compressor *c)
{
    const peak_state *s = c->state;

    for (size_t i = 0; i < c->layers; i++) {
        dscq_clayer *l = &c->layer[i];
        double peak;

        if (!(l->rule.p > 0.0))
            continue;
        peak = dscq_peak_magnitude(l->w->w, l->mask, l->w->count);
        if (dscq_mask_threshold(l->mask, l->w->w, l->held, l->w->count,
                                s->alpha * peak) == 0)
            compress__mask_rate(c, l, l->rule.p, 0); /* an odd histogram: as before */
        compress__zero_pruned(l);
    }
}

static size_t kept_of(const dscq_clayer *l)
{
    size_t kept = 0;

    for (size_t i = 0; i < l->w->count; i++)
        kept += l->mask[i];
    return kept;
}

/* The layer that takes most bytes and was not given up; -1: none. */
static int32_t largest(const dscq_compressor *c)
{
    double top = 0.0;
    int32_t at = -1;

    for (size_t i = 0; i < c->layers; i++) {
        const dscq_clayer *l = &c->layer[i];
        const peak_layer *own = l->state;
        const double bits = (double)kept_of(l) * (l->rule.b + k_index_bits);

        if (l->rule.p > 0.0 && !own->given_up && bits > top) {
            top = bits;
            at = (int32_t)i;
        }
    }
    return at;
}

static void cut_largest(dscq_compressor *c)
{
    const compress_rounds *rounds = c->params[1];
    peak_state *s = c->state;

    s->position = largest(c);
    s->done = s->position < 0;
    if (s->done)
        return;
    dscq_clayer *l = &c->layer[s->position];
    const double kept = (double)kept_of(l) / (double)l->w->count;
    compress__mask_rate(c, l, 1.0 - kept * rounds->density_step, 0);
    compress__zero_pruned(l);
}

/* The next, stronger cut. */
static void cut(dscq_compressor *c)
{
    const peak_params *p = c->params[0];
    const compress_rounds *rounds = c->params[1];
    peak_state *s = c->state;

    if (p->peak == PEAK_VALLEY)
        cut_valley(c);
    else if (p->peak == PEAK_SIZE)
        cut_largest(c);
    else
        everything(c, s->alpha);
    s->round_left = rounds->round_epochs;
    s->peak.valid = 0;
}

static dscq_status begin(dscq_compressor *c, dscq_error *err)
{
    const peak_params *p = c->params[0];
    const compress_rounds *rounds = c->params[1];
    peak_state *s = c->state;
    dscq_status status;

    s->alpha = p->alpha_first;
    s->alpha_step = p->alpha_step;
    everything(c, c->steps == 0 ? 1.0 : 0.0);
    if (c->steps == 0)
        return DSCQ_OK;
    status = compress__snapshot_take(&s->good, c, c->score0, err);
    if (status != DSCQ_OK)
        return status;
    if (p->peak != PEAK_ACCURACY)
        everything(c, 1.0); /* prune first; peaks appear in what is left */
    else
        everything(c, s->alpha);
    s->round_left = rounds->round_epochs;
    return DSCQ_OK;
}

static void layer(dscq_compressor *c, dscq_clayer *l, int worker)
{
    (void)c;
    (void)worker;
    compress__zero_pruned(l);
    compress__copy_masked(l);
}

/* A round that lost too much: back, and be gentler, or give the layer up. */
static void undo(dscq_compressor *c)
{
    const peak_params *p = c->params[0];
    peak_state *s = c->state;

    compress__snapshot_restore(c, &s->good);
    if (p->peak == PEAK_SIZE && s->position >= 0) {
        peak_layer *own = c->layer[s->position].state;
        own->given_up = 1;
        return;
    }
    s->done = ++s->undone >= MAX_UNDONE;
    s->alpha -= s->alpha_step; /* halfway to the cut that failed */
    s->alpha_step *= 0.5;
}

static dscq_status epoch(dscq_compressor *c, double score, dscq_error *err)
{
    const peak_params *p = c->params[0];
    const compress_rounds *rounds = c->params[1];
    peak_state *s = c->state;
    dscq_status status = DSCQ_OK;

    if (s->done)
        return DSCQ_OK;
    if (!s->peak.valid || score > s->peak.score)
        status = compress__snapshot_take(&s->peak, c, score, err);
    if (status != DSCQ_OK || --s->round_left > 0)
        return status;
    if (s->peak.score >= c->score0 - rounds->acc_loss) {
        compress__snapshot_restore(c, &s->peak); /* the best of the round goes on */
        status = compress__snapshot_take(&s->good, c, s->peak.score, err);
    } else {
        undo(c);
    }
    s->alpha += s->alpha_step;
    if (s->alpha > 1.0 + 1e-9 && p->peak != PEAK_SIZE)
        s->done = 1;
    if (status == DSCQ_OK && !s->done)
        cut(c);
    return status;
}

const dscq_method dscq_method_peak = {
    .name = "peak",
    .summary = "cut the valley below the weight peak again and again, keep the best",
    .source = "Electronics 2019, 8(3):295; three readings, reconstructed",
    .flags = DSCQ_METHOD_PRUNES | DSCQ_METHOD_SCORED,
    .keys = {&k_keys, &compress__rounds_keys},
    .state = &k_state,
    .begin = begin,
    .layer = layer,
    .gradient = compress__mask_gradient,
    .epoch = epoch,
};
