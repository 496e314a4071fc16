/* A model's weights in and out of a checkpoint. */
#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "dscq/nn/checkpoint.h"
#include "nn_internal.h"

#include <stdio.h>
#include <string.h>

static void entry_name(char *out, size_t cap, const char *node, int which)
{
    snprintf(out, cap, "%s.%s", node, nn__array_name[which]);
}

dscq_status dscq_checkpoint_add_model(dscq_checkpoint *c, const dscq_model *m,
                                      dscq_error *err)
{
    char name[DSCQ_NODE_NAME + 16];
    dscq_status status = DSCQ_OK;

    for (int32_t i = 0; i < m->count; i++)
        for (int j = 0; j < NN_ARRAYS; j++) {
            size_t count;
            const float *v = nn__array_of(m->node[i].weights, j, &count);
            if (v == NULL)
                continue;
            entry_name(name, sizeof name, m->node[i].name, j);
            DSCQ_TRY(dscq_checkpoint_add(c, name, DSCQ_ENTRY_F32, v, count, err));
        }
done:
    return status;
}

static int has_arrays(const dscq_node *n)
{
    return n->weights->count > 0 || n->weights->channels > 0;
}

/* Whether every array of node n is in c under the name `from`. *some: any is. */
static int fits(const dscq_node *n, const dscq_checkpoint *c, const char *from,
                int *some)
{
    char name[DSCQ_NODE_NAME + 16];
    int all = 1;

    *some = 0;
    for (int j = 0; j < NN_ARRAYS; j++) {
        size_t want, have = 0;
        entry_name(name, sizeof name, from, j);
        const void *data = dscq_checkpoint_find(c, name, DSCQ_ENTRY_F32, &have);
        const int wanted = nn__array_of(n->weights, j, &want) != NULL;
        *some |= data != NULL;
        if (wanted != (data != NULL) || (wanted && want != have))
            all = 0;
    }
    return all;
}

static void load_node(const dscq_node *n, const dscq_checkpoint *c, const char *from)
{
    char name[DSCQ_NODE_NAME + 16];

    for (int j = 0; j < NN_ARRAYS; j++) {
        size_t count;
        float *to = nn__array_of(n->weights, j, &count);
        entry_name(name, sizeof name, from, j);
        const void *data = dscq_checkpoint_find(c, name, DSCQ_ENTRY_F32, NULL);
        if (to != NULL && data != NULL)
            memcpy(to, data, count * sizeof(float));
    }
}

/* Name of the layer that entry i belongs to, when entry i is a new one. */
static int layer_at(const dscq_checkpoint *c, size_t i, char *out)
{
    const char *name = dscq_checkpoint_name(c, i);
    const char *dot = strrchr(name, '.');

    if (dot == NULL || strncmp(name, "train.", 6) == 0 ||
        (size_t)(dot - name) >= DSCQ_NODE_NAME)
        return 0;
    memcpy(out, name, (size_t)(dot - name));
    out[dot - name] = '\0';
    if (i == 0)
        return 1;
    const char *before = dscq_checkpoint_name(c, i - 1);
    return strncmp(before, out, strlen(out)) != 0 || before[strlen(out)] != '.';
}

/* The first layer of c that m lacks; 0: there is none. */
static int find_surplus(char layer[DSCQ_NODE_NAME], const dscq_model *m,
                        const dscq_checkpoint *c)
{
    for (size_t i = 0; i < dscq_checkpoint_count(c); i++)
        if (layer_at(c, i, layer) && dscq_model_find(m, layer) < 0)
            return 1;
    return 0;
}

static dscq_status check_exact(const dscq_model *m, const dscq_checkpoint *c,
                               dscq_error *err)
{
    char layer[DSCQ_NODE_NAME];

    for (int32_t i = 0; i < m->count; i++) {
        int some;
        if (has_arrays(&m->node[i]) && !fits(&m->node[i], c, m->node[i].name, &some))
            return dscq_fail(
                err, DSCQ_FORMAT, "layer '%s': %s; the weights are of another network",
                m->node[i].name,
                some ? "other sizes in the checkpoint" : "not in the checkpoint");
    }
    if (find_surplus(layer, m, c))
        return dscq_fail(err, DSCQ_FORMAT,
                         "the checkpoint has a layer '%s' that the network lacks",
                         layer);
    return DSCQ_OK;
}

/* "24 x 3 x 3 x 8", "10 x 64", and how channels are shifted; k 0: no such array. */
static void put_shape(char *out, size_t cap, size_t k, size_t r, size_t s, size_t c,
                      const char *more)
{
    char shape[96] = "no weights";

    if (k > 0 && r * s > 1)
        snprintf(shape, sizeof shape, "%zu x %zu x %zu x %zu", k, r, s, c);
    else if (k > 0)
        snprintf(shape, sizeof shape, "%zu x %zu", k, c);
    snprintf(out, cap, "%s%s", shape, more);
}

/* What the file holds under the name `from`, in the terms of node n: it knows how many
 * numbers, and from the array of the channels how many filters they are. */
static void put_shape_in(char *out, size_t cap, const dscq_node *n,
                         const dscq_checkpoint *c, const char *from)
{
    const dscq_weights *w = n->weights;
    const size_t window = (size_t)w->r * (size_t)w->s;
    size_t count[NN_ARRAYS] = {0};
    char name[DSCQ_NODE_NAME + 16];

    for (int j = 0; j < NN_ARRAYS; j++) {
        entry_name(name, sizeof name, from, j);
        (void)dscq_checkpoint_find(c, name, DSCQ_ENTRY_F32, &count[j]);
    }
    const char *more = count[2] > 0 ? ", batch norm" : count[1] > 0 ? ", bias" : "";
    const size_t channels = count[2] > 0 ? count[2] : count[1];
    const size_t k = channels > 0 && count[0] % channels == 0 ? channels : 1;
    const size_t each = count[0] / k;
    if (count[0] > 0 && window > 0 && each % window == 0)
        put_shape(out, cap, k, (size_t)w->r, (size_t)w->s, each / window, more);
    else
        put_shape(out, cap, count[0] > 0 ? k : 0, 1, 1, each, more);
}

static void left_out(dscq_match_report *r, const dscq_node *n, const dscq_checkpoint *c,
                     const char *from, int misfit)
{
    const dscq_weights *w = n->weights;
    char here[64], there[64];

    if (misfit)
        r->misfit++;
    else
        r->missing++;
    if (r->first_left[0] != '\0')
        return;
    dscq_str_copy(r->first_left, sizeof r->first_left, n->name);
    put_shape(here, sizeof here, w->count > 0 ? (size_t)w->k : 0, (size_t)w->r,
              (size_t)w->s, (size_t)w->c,
              n->normalised     ? ", batch norm"
              : w->bias != NULL ? ", bias"
                                : "");
    dscq_str_copy(there, sizeof there, "none of that name");
    if (misfit)
        put_shape_in(there, sizeof there, n, c, from);
    snprintf(r->why, sizeof r->why, "%s here, %s in the file", here, there);
}

static int32_t layers_in(const dscq_checkpoint *c)
{
    char layer[DSCQ_NODE_NAME];
    int32_t count = 0;

    for (size_t i = 0; i < dscq_checkpoint_count(c); i++)
        count += layer_at(c, i, layer);
    return count;
}

static void load_by_name(dscq_model *m, const dscq_checkpoint *c, dscq_match_report *r)
{
    for (int32_t i = 0; i < m->count; i++) {
        const dscq_node *n = &m->node[i];
        int some = 0;
        if (!has_arrays(n))
            continue;
        if (fits(n, c, n->name, &some)) {
            load_node(n, c, n->name);
            r->loaded++;
        } else {
            left_out(r, n, c, n->name, some);
        }
    }
}

static void load_by_order(dscq_model *m, const dscq_checkpoint *c, dscq_match_report *r)
{
    char layer[DSCQ_NODE_NAME];
    size_t at = 0;
    int stopped = 0;

    for (int32_t i = 0; i < m->count; i++) {
        const dscq_node *n = &m->node[i];
        int some = 0;
        if (!has_arrays(n))
            continue;
        while (at < dscq_checkpoint_count(c) && !layer_at(c, at, layer))
            at++;
        if (at >= dscq_checkpoint_count(c))
            stopped = 1;
        if (!stopped && fits(n, c, layer, &some)) {
            load_node(n, c, layer);
            r->loaded++;
            at++;
        } else {
            stopped = 1;
            left_out(r, n, c, layer, some);
        }
    }
}

dscq_status dscq_checkpoint_load_model(dscq_model *m, const dscq_checkpoint *c,
                                       dscq_match match, dscq_match_report *report,
                                       dscq_error *err)
{
    dscq_match_report r = {0};

    if (match == DSCQ_MATCH_EXACT) {
        const dscq_status status = check_exact(m, c, err);
        if (status != DSCQ_OK)
            return status;
    }
    if (match == DSCQ_MATCH_ORDER)
        load_by_order(m, c, &r);
    else
        load_by_name(m, c, &r);
    r.surplus = layers_in(c) - r.loaded;
    if (match != DSCQ_MATCH_ORDER && !find_surplus(r.first_surplus, m, c))
        r.first_surplus[0] = '\0';
    if (report != NULL)
        *report = r;
    return DSCQ_OK;
}

dscq_status dscq_model_save(const dscq_model *m, const char *path, dscq_error *err)
{
    dscq_checkpoint *c = NULL;
    dscq_status status;

    DSCQ_TRY(dscq_checkpoint_create(&c, err));
    DSCQ_TRY(dscq_checkpoint_add_model(c, m, err));
    DSCQ_TRY(dscq_checkpoint_write(c, path, err));
done:
    dscq_checkpoint_destroy(c);
    return status;
}

dscq_status dscq_model_load(dscq_model *m, const char *path, dscq_match match,
                            dscq_match_report *report, dscq_error *err)
{
    dscq_checkpoint *c = NULL;
    dscq_status status;

    DSCQ_TRY(dscq_checkpoint_read(&c, path, err));
    status = dscq_checkpoint_load_model(m, c, match, report, err);
    if (status != DSCQ_OK)
        dscq_fail_at(err, "%s", path);
done:
    dscq_checkpoint_destroy(c);
    return status;
}

dscq_status dscq_model_copy_weights(dscq_model *to, const dscq_model *from,
                                    dscq_error *err)
{
    dscq_checkpoint *c = NULL;
    dscq_status status;

    DSCQ_TRY(dscq_checkpoint_create(&c, err));
    DSCQ_TRY(dscq_checkpoint_add_model(c, from, err));
    DSCQ_TRY(dscq_checkpoint_load_model(to, c, DSCQ_MATCH_EXACT, NULL, err));
done:
    dscq_checkpoint_destroy(c);
    return status;
}
