/* What is in a network of integers. */
#include "api_internal.h"
#include "dscq/base/str.h"
#include "dscq/pack/pack.h"

#include <string.h>

dscq_status dscq_qnet_describe(dscq_qnet_info *out, const dscq_qnet *q, dscq_error *err)
{
    dscq_pack_summary s;
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__check_room(out, "dscq_qnet_info", err));
    DSCQ_TRY(api__need(q, "qnet", err));
    DSCQ_TRY(dscq_pack_sizes(&s, NULL, q->model, NULL, err));
    dscq_qnet_info info = {.file_bytes = q->file_bytes,
                           .float_bytes = s.float_bytes,
                           .weights = s.weights,
                           .nonzero = s.nonzero,
                           .value_bits = s.size.values,
                           .position_bits = s.size.positions,
                           .codebook_bits = s.size.codebooks,
                           .constant_bits = s.size.constants,
                           .padding_bits = s.size.padding,
                           .header_bits = s.size.headers,
                           .entropy_bits = s.c_bits,
                           .nodes = q->model->node_count,
                           .inputs = q->model->input_count,
                           .outputs = q->model->output_count,
                           .classes = q->model->class_count,
                           .embedded = q->model->digest_inputs};
    (void)dscq_str_copy(info.sha256, sizeof info.sha256, q->sha256);
    api__give(out, &info, sizeof info);
done:
    return status;
}

dscq_status dscq_qnet_table(dscq_table **out, const dscq_qnet *q, const char *name,
                            dscq_error *err)
{
    dscq_pack_summary s;
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(out, "out", err));
    *out = NULL;
    DSCQ_TRY(api__need(q, "qnet", err));
    DSCQ_TRY(api__need(name, "name", err));
    if (strcmp(name, "layers") == 0)
        return dscq_pack_sizes(&s, out, q->model, NULL, err);
    if (strcmp(name, "nodes") == 0)
        return dscq_pack_node_table(out, q->model, err);
    status = api__no_table(name, "layers, nodes", err);
done:
    return status;
}

dscq_status dscq_qnet_diff(dscq_table **out, const dscq_qnet *a, const dscq_qnet *b,
                           dscq_error *err)
{
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(out, "out", err));
    *out = NULL;
    DSCQ_TRY(api__need(a, "a", err));
    DSCQ_TRY(api__need(b, "b", err));
    DSCQ_TRY(dscq_pack_diff(out, a->model, b->model, err));
done:
    return status;
}

static void give_map(dscq_map_info *out, const dscq_qtensor *t, int is_image)
{
    dscq_map_info info = {.scale = t->scale,
                          .height = t->h,
                          .width = t->w,
                          .channels = t->c,
                          .bits = t->bits,
                          .is_signed = t->is_signed,
                          .zero_point = t->zero_point,
                          .is_image = is_image};

    (void)dscq_str_copy(info.name, sizeof info.name, t->name);
    api__give(out, &info, sizeof info);
}

static dscq_status check_index(const dscq_map_info *out, int32_t i, int32_t count,
                               const char *what, dscq_error *err)
{
    const dscq_status status = api__check_room(out, "dscq_map_info", err);

    if (status != DSCQ_OK || (i >= 0 && i < count))
        return status;
    return dscq_fail(err, DSCQ_ARG, "%s %d: there are %d", what, (int)i, (int)count);
}

dscq_status dscq_qnet_input(dscq_map_info *out, const dscq_qnet *q, int32_t i,
                            dscq_error *err)
{
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(q, "qnet", err));
    DSCQ_TRY(check_index(out, i, q->model->input_count, "input", err));
    const dscq_qinput *in = &q->model->input[i];
    give_map(out, &q->model->tensor[in->tensor], in->is_image);
done:
    return status;
}

dscq_status dscq_qnet_output(dscq_map_info *out, const dscq_qnet *q, int32_t i,
                             dscq_error *err)
{
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(q, "qnet", err));
    DSCQ_TRY(check_index(out, i, q->model->output_count, "output", err));
    give_map(out, &q->model->tensor[q->model->output[i].tensor], 0);
done:
    return status;
}

const char *dscq_qnet_class_name(const dscq_qnet *q, int32_t c)
{
    return c >= 0 && c < q->model->class_count ? q->model->class_name[c] : "";
}

const char *dscq_qnet_meta(const dscq_qnet *q)
{
    return q->model->meta != NULL ? q->model->meta : "";
}
