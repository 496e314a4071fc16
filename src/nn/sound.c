/* Numbers that no network computes with: NaN, infinity, a negative variance. They come
 * out of damaged files and of training that diverged, and pass through a network in
 * silence: whatever is compared with NaN is false. */
#include "nn_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char k_remedy[] =
    "the file is damaged, or the training that wrote it diverged; take an earlier one";

dscq_status nn__check_values(const char *what, const float *v, size_t count,
                             int is_variance, dscq_error *err)
{
    size_t bad = 0, first = 0;

    for (size_t i = 0; i < count; i++)
        if (!isfinite(v[i]) || (is_variance && v[i] < 0)) {
            first = bad == 0 ? i : first;
            bad++;
        }
    if (bad == 0)
        return DSCQ_OK;
    return dscq_fail(err, DSCQ_FORMAT, "%s %zu of %zu is %g%s (%zu such): %s", what,
                     first, count, (double)v[first],
                     isfinite(v[first]) ? ", a variance below 0" : "", bad, k_remedy);
}

static dscq_status check_array(const dscq_node *n, const char *array, const float *v,
                               size_t count, dscq_error *err)
{
    char what[DSCQ_NODE_NAME + 32];

    if (v == NULL)
        return DSCQ_OK;
    (void)snprintf(what, sizeof what, "layer '%s': %s", n->name, array);
    return nn__check_values(what, v, count, strcmp(array, "var") == 0, err);
}

static dscq_status check_node(const dscq_node *n, dscq_error *err)
{
    const dscq_weights *w = n->weights;
    const size_t channels = (size_t)w->channels;
    dscq_status status = DSCQ_OK;

    for (int j = 0; j < NN_ARRAYS; j++) {
        size_t count;
        const float *v = nn__array_of(w, j, &count);
        DSCQ_TRY(check_array(n, nn__array_name[j], v, count, err));
    }
    if (!isfinite(n->act_slope))
        status =
            dscq_fail(err, DSCQ_FORMAT, "layer '%s': the slope of its activation is %g",
                      n->name, n->act_slope);
    for (size_t i = 0; w->var != NULL && i < channels && status == DSCQ_OK; i++)
        if (!((double)w->var[i] + w->bn_eps > 0))
            status = dscq_fail(err, DSCQ_FORMAT,
                               "layer '%s': var %zu of %zu is 0 and so is what is "
                               "added to it: normalising divides by 0",
                               n->name, i, channels);
done:
    return status;
}

dscq_status dscq_model_check_weights(const dscq_model *m, dscq_error *err)
{
    dscq_status status = DSCQ_OK;

    for (int32_t i = 0; i < m->count && status == DSCQ_OK; i++)
        status = check_node(&m->node[i], err);
    return status;
}
