/* Questions about a project. */
#include "dscq/nn/layer.h"
#include "flow_internal.h"

dscq_model *dscq_project_model(dscq_project *p)
{
    return p->model;
}

dscq_model *dscq_project_swap_model(dscq_project *p, dscq_model *m)
{
    dscq_model *const was = p->model;

    p->model = m;
    return was;
}

dscq_config *dscq_project_config(dscq_project *p)
{
    return p->cfg;
}

const char *dscq_project_path(const dscq_project *p)
{
    return p->path;
}

const dscq_train_params *dscq_project_train(const dscq_project *p)
{
    return &p->train;
}

const dscq_data_params *dscq_project_data(const dscq_project *p)
{
    return &p->data;
}

int dscq_project_has_data(const dscq_project *p)
{
    return p->has_data;
}

const char *dscq_project_sha256(const dscq_project *p)
{
    return p->sha256;
}

int dscq_project_is_detector(const dscq_project *p)
{
    for (int32_t i = 0; i < dscq_model_nodes(p->model); i++)
        if (dscq_model_node(p->model, i)->ops->flags & DSCQ_LAYER_HEAD)
            return 1;
    return 0;
}

const dscq_model *flow__trained(const dscq_project *p)
{
    return p->origin != NULL ? p->origin : p->model;
}

int32_t flow__classes(const dscq_project *p)
{
    const dscq_model *m = p->model;

    if (dscq_project_is_detector(p) || dscq_model_outputs(m) != 1)
        return 0;
    const dscq_node *n = dscq_model_node(m, dscq_model_output(m, 0));
    return n->out.h == 1 && n->out.w == 1 ? n->out.c : 0;
}

int flow__has_truth(const dscq_project *p, const dscq_dataset *d)
{
    if (dscq_project_is_detector(p))
        return dscq_dataset_has_boxes(d);
    return flow__classes(p) > 0 && dscq_dataset_classes(d) > 0 &&
           !dscq_dataset_has_boxes(d);
}
