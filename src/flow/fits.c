/* Whether a network decides between as many classes as the data have. */
#include "dscq/nn/detect.h"
#include "dscq/nn/layer.h"
#include "flow_internal.h"

#include <stdio.h>
#include <string.h>

/* Where a number of a layer is set: "file:line", "--set ..."; its section when the key
 * is a default. */
static void place_of(char *out, size_t cap, const dscq_project *p, int line,
                     const char *key)
{
    const dscq_config *c = p->cfg;

    (void)snprintf(out, cap, "%s", p->path);
    for (size_t i = 0; i < dscq_config_count(c) && line > 0; i++) {
        if (dscq_config_line(c, i) != line)
            continue;
        dscq_config_key_origin(out, cap, c, i, key);
        if (out[0] == '\0')
            dscq_config_where(out, cap, c, i);
        return;
    }
}

/* The layer that makes so many outputs, and the key that says how many: behind it come
 * only layers that keep their number. NULL when a layer without such a key does. */
static const dscq_node *widest_source(const dscq_model *m, const char **key)
{
    const dscq_node *last = dscq_model_node(m, dscq_model_output(m, 0));

    for (const dscq_node *n = last;;) {
        *key = n->ops->channels_key;
        if (*key != NULL)
            return n->out.c == last->out.c ? n : NULL;
        if (n->input_count != 1 || n->input[0] < 0 || n->in.c != n->out.c)
            return NULL;
        n = dscq_model_node(m, n->input[0]);
    }
}

static dscq_status classifier_fits(const dscq_project *p, int32_t wanted,
                                   int32_t classes, dscq_error *err)
{
    char where[DSCQ_PATH_MAX + DSCQ_NAME_MAX];
    const char *key = NULL;
    const dscq_node *n = widest_source(p->model, &key);

    if (n == NULL || n->line == 0)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s: the network ends in %d outputs but the data have %d "
                         "classes; set the last layer's size to %d",
                         p->path, (int)wanted, (int)classes, (int)classes);
    place_of(where, sizeof where, p, n->line, key);
    return dscq_fail(err, DSCQ_FORMAT,
                     "%s: [%s] %s = %d, but the data have %d classes; set %s = %d",
                     where, n->type, key, (int)wanted, (int)classes, key, (int)classes);
}

/* A head finds no class beyond its own. More than the data have may be on purpose. */
static dscq_status detector_fits(const dscq_project *p, int32_t classes,
                                 dscq_error *err)
{
    const dscq_model *m = p->model;
    char where[DSCQ_PATH_MAX + DSCQ_NAME_MAX];
    dscq_head h;

    for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
        const dscq_node *n = dscq_model_node(m, i);
        if ((n->ops->flags & DSCQ_LAYER_HEAD) == 0 ||
            dscq_head_from_node(&h, m, i, NULL) != DSCQ_OK || h.classes >= classes)
            continue;
        place_of(where, sizeof where, p, n->line, "classes");
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s: [%s] classes = %d, but the data have %d classes; set "
                         "classes = %d and filters = %d in the layer before it",
                         where, n->type, (int)h.classes, (int)classes, (int)classes,
                         (int)((classes + 5) * h.anchors));
    }
    return DSCQ_OK;
}

dscq_status dscq_project_fits(const dscq_project *p, int32_t classes, dscq_error *err)
{
    const int32_t wanted = flow__classes(p);

    if (classes <= 0)
        return DSCQ_OK;
    if (dscq_project_is_detector(p))
        return detector_fits(p, classes, err);
    return wanted > 0 && classes != wanted ? classifier_fits(p, wanted, classes, err)
                                           : DSCQ_OK;
}
