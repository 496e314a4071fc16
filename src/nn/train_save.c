/* A trainer's state in and out of a checkpoint. */
#include "dscq/base/alloc.h"
#include "dscq/nn/checkpoint.h"
#include "train_internal.h"

#include <stdio.h>
#include <string.h>

enum { INTS = 9, REALS = 6 };

static void get_ints(const dscq_train_state *s, int64_t v[INTS])
{
    const int64_t now[INTS] = {s->epoch,
                               (int64_t)s->batch,
                               (int64_t)s->step,
                               s->best_epoch,
                               s->epochs_since_best,
                               s->has_best,
                               s->stopped_early,
                               0,
                               0};

    memcpy(v, now, sizeof now);
}

static int set_ints(dscq_train_state *s, const int64_t v[INTS])
{
    for (int i = 0; i < INTS; i++)
        if (v[i] < 0 || (i != 1 && i != 2 && v[i] > UINT32_MAX))
            return 0;
    s->epoch = (uint32_t)v[0];
    s->batch = (uint64_t)v[1];
    s->step = (uint64_t)v[2];
    s->best_epoch = (uint32_t)v[3];
    s->epochs_since_best = (uint32_t)v[4];
    s->has_best = v[5] != 0;
    s->stopped_early = v[6] != 0;
    return 1;
}

/* What must be the same for the continuation to be the same. */
static void settings(char *out, size_t cap, const dscq_trainer *t)
{
    snprintf(out, cap, "batch=%d batches=%zu optimiser=%d seed=%lld ema=%d weights=%zu",
             (int)t->p.batch, t->batches, (int)t->p.optimiser, (long long)t->p.seed,
             t->average != NULL, t->learned_floats);
}

static dscq_status add_all(const dscq_trainer *t, dscq_checkpoint *c, dscq_error *err)
{
    const dscq_train_state *s = &t->state;
    const double reals[REALS] = {s->loss_sum,  s->top1_sum, s->samples,
                                 s->last_loss, s->rate,     s->best_score};
    int64_t ints[INTS];
    char text[256];
    dscq_status status;

    get_ints(s, ints);
    settings(text, sizeof text, t);
    DSCQ_TRY(dscq_checkpoint_add_model(c, t->m, err));
    DSCQ_TRY(dscq_checkpoint_add(c, "train.settings", DSCQ_ENTRY_TEXT, text,
                                 strlen(text), err));
    if (t->record != NULL)
        DSCQ_TRY(dscq_checkpoint_add(c, "train.record", DSCQ_ENTRY_TEXT, t->record,
                                     strlen(t->record), err));
    DSCQ_TRY(dscq_checkpoint_add(c, "train.ints", DSCQ_ENTRY_I64, ints, INTS, err));
    DSCQ_TRY(dscq_checkpoint_add(c, "train.reals", DSCQ_ENTRY_F64, reals, REALS, err));
    DSCQ_TRY(dscq_checkpoint_add(c, "train.first", DSCQ_ENTRY_F32, t->first,
                                 t->learned_floats, err));
    if (t->second != NULL)
        DSCQ_TRY(dscq_checkpoint_add(c, "train.second", DSCQ_ENTRY_F32, t->second,
                                     t->learned_floats, err));
    if (t->average != NULL)
        DSCQ_TRY(dscq_checkpoint_add(c, "train.average", DSCQ_ENTRY_F32, t->average,
                                     t->floats, err));
    if (t->best != NULL)
        DSCQ_TRY(dscq_checkpoint_add(c, "train.best", DSCQ_ENTRY_F32, t->best,
                                     t->floats, err));
    if (t->hooks.save != NULL)
        DSCQ_TRY(t->hooks.save(t->hooks.ctx, c, err));
done:
    return status;
}

dscq_status dscq_trainer_save(const dscq_trainer *t, const char *path, dscq_error *err)
{
    dscq_checkpoint *c = NULL;
    dscq_status status;

    DSCQ_TRY(dscq_checkpoint_create(&c, err));
    DSCQ_TRY(add_all(t, c, err));
    DSCQ_TRY(dscq_checkpoint_write(c, path, err));
done:
    dscq_checkpoint_destroy(c);
    return status;
}

static dscq_status get_floats(float *to, const dscq_checkpoint *c, const char *name,
                              size_t want, dscq_error *err)
{
    size_t count;
    const void *data = dscq_checkpoint_find(c, name, DSCQ_ENTRY_F32, &count);

    if (data == NULL || count != want)
        return dscq_fail(err, DSCQ_FORMAT, "entry '%s' is missing or of another size",
                         name);
    memcpy(to, data, count * sizeof(float));
    return DSCQ_OK;
}

static dscq_status check_settings(const dscq_trainer *t, const dscq_checkpoint *c,
                                  dscq_error *err)
{
    char want[256];
    size_t count;
    const char *have =
        dscq_checkpoint_find(c, "train.settings", DSCQ_ENTRY_TEXT, &count);

    settings(want, sizeof want, t);
    if (have == NULL)
        return dscq_fail(err, DSCQ_FORMAT,
                         "these are weights alone, no run to continue");
    if (strcmp(have, want) != 0)
        return dscq_fail(
            err, DSCQ_FORMAT,
            "made with other settings (%.150s), cannot continue with (%.150s)", have,
            want);
    return DSCQ_OK;
}

static dscq_status take_state(dscq_trainer *t, const dscq_checkpoint *c,
                              dscq_error *err)
{
    size_t ni, nr;
    const int64_t *ints = dscq_checkpoint_find(c, "train.ints", DSCQ_ENTRY_I64, &ni);
    const double *reals = dscq_checkpoint_find(c, "train.reals", DSCQ_ENTRY_F64, &nr);
    dscq_train_state s = {0};

    if (ints == NULL || reals == NULL || ni != INTS || nr != REALS ||
        !set_ints(&s, ints))
        return dscq_fail(err, DSCQ_FORMAT, "the position of the run is damaged");
    s.loss_sum = reals[0];
    s.top1_sum = reals[1];
    s.samples = reals[2];
    s.last_loss = reals[3];
    s.rate = reals[4];
    s.best_score = reals[5];
    t->state = s;
    return DSCQ_OK;
}

static dscq_status take_all(dscq_trainer *t, const dscq_checkpoint *c, dscq_error *err)
{
    dscq_status status;

    DSCQ_TRY(check_settings(t, c, err));
    DSCQ_TRY(dscq_checkpoint_load_model(t->m, c, DSCQ_MATCH_EXACT, NULL, err));
    DSCQ_TRY(take_state(t, c, err));
    DSCQ_TRY(get_floats(t->first, c, "train.first", t->learned_floats, err));
    if (t->second != NULL)
        DSCQ_TRY(get_floats(t->second, c, "train.second", t->learned_floats, err));
    if (t->average != NULL)
        DSCQ_TRY(get_floats(t->average, c, "train.average", t->floats, err));
    if (t->state.has_best && t->p.keep_best) {
        if (t->best == NULL)
            t->best = dscq_calloc(t->floats, sizeof(float));
        if (t->best == NULL)
            DSCQ_TRY(dscq_fail_nomem(err, "the best weights", t->floats));
        DSCQ_TRY(get_floats(t->best, c, "train.best", t->floats, err));
    }
    if (t->hooks.resume != NULL)
        DSCQ_TRY(t->hooks.resume(t->hooks.ctx, c, err));
    DSCQ_TRY(nn__good_keep(t, err));
done:
    return status;
}

dscq_status dscq_trainer_resume(dscq_trainer *t, const char *path, dscq_error *err)
{
    dscq_checkpoint *c = NULL;
    dscq_status status;

    DSCQ_TRY(dscq_checkpoint_read(&c, path, err));
    status = take_all(t, c, err);
    if (status != DSCQ_OK)
        dscq_fail_at(err, "%s", path);
done:
    dscq_checkpoint_destroy(c);
    return status;
}
