#include "dscq/nn/layer.h"

#include <string.h>

#define DSCQ_LAYER(id) extern const dscq_layer_ops dscq_layer_##id;
#include "layers.def"
#undef DSCQ_LAYER

static const dscq_layer_ops *const k_layers[] = {
#define DSCQ_LAYER(id) &dscq_layer_##id,
#include "layers.def"
#undef DSCQ_LAYER
};

enum { LAYERS = sizeof k_layers / sizeof k_layers[0] };

size_t dscq_layer_count(void)
{
    return LAYERS;
}

const dscq_layer_ops *dscq_layer_at(size_t i)
{
    return i < LAYERS ? k_layers[i] : NULL;
}

/* `alias` holds the other spellings, separated by '|'. */
static int is_alias(const char *aliases, const char *name)
{
    return aliases != NULL && dscq_choice_find(aliases, name) >= 0;
}

const dscq_layer_ops *dscq_layer_find(const char *name)
{
    for (size_t i = 0; i < LAYERS; i++)
        if (strcmp(k_layers[i]->name, name) == 0 || is_alias(k_layers[i]->alias, name))
            return k_layers[i];
    return NULL;
}

int dscq_node_has_table(const dscq_node *n)
{
    const int is_leaky_product =
        n->act == DSCQ_ACT_LEAKY && (n->ops->flags & DSCQ_LAYER_PRODUCT) != 0;

    return is_leaky_product || dscq_act_is_table(n->act, n->act_slope);
}
