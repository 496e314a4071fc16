/* The last good weights of a run. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "train_internal.h"

#include <string.h>

enum { GOOD_FLOATS = 1024 * 1024 }; /* more lie in a file */

size_t nn__good_floats(size_t floats)
{
    return floats <= GOOD_FLOATS ? floats : 0;
}

static dscq_status make_file(dscq_trainer *t, dscq_error *err)
{
    char dir[DSCQ_PATH_MAX] = "";

    if (t->p.save[0] != '\0')
        dscq_path_dir(dir, sizeof dir, t->p.save);
    if (!dscq_path_is_dir(dir)) /* made later, or none */
        dir[0] = '\0';
    const dscq_status status =
        dscq_spill_create(&t->good_file, t->floats * sizeof(float), dir, err);
    if (status != DSCQ_OK)
        dscq_fail_at(err, "last good weights");
    return status;
}

dscq_status nn__good_create(dscq_trainer *t, dscq_error *err)
{
    const size_t floats = nn__good_floats(t->floats);
    dscq_status status = DSCQ_OK;

    if (floats == 0)
        status = make_file(t, err);
    else if ((t->good = dscq_calloc(floats, sizeof(float))) == NULL)
        status = dscq_fail_nomem(err, "the last good weights", floats * sizeof(float));
    return status == DSCQ_OK ? nn__good_keep(t, err) : status;
}

dscq_status nn__good_keep(dscq_trainer *t, dscq_error *err)
{
    dscq_status status = DSCQ_OK;

    if (t->good != NULL) {
        nn__params_get(t, t->good);
        return DSCQ_OK;
    }
    for (size_t i = 0; i < t->params; i++) {
        const nn_param *p = &t->param[i];
        DSCQ_TRY(dscq_spill_put(t->good_file, p->at * sizeof(float), p->value,
                                p->count * sizeof(float), err));
    }
done:
    return status;
}

dscq_status nn__good_restore(dscq_trainer *t, dscq_error *err)
{
    dscq_status status = DSCQ_OK;

    if (t->good != NULL) {
        nn__params_set(t, t->good);
        return DSCQ_OK;
    }
    for (size_t i = 0; i < t->params; i++) {
        const nn_param *p = &t->param[i];
        DSCQ_TRY(dscq_spill_get(t->good_file, p->at * sizeof(float), p->value,
                                p->count * sizeof(float), err));
    }
done:
    return status;
}
