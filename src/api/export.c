/* Networks to and from other programs' formats. */
#include "api_internal.h"
#include "dscq/base/table.h"
#include "dscq/export/float_onnx.h"
#include "dscq/export/packed_onnx.h"
#include "dscq/export/unpack.h"
#include "dscq/flow/import.h"
#include "dscq/nn/checkpoint.h"

#include <string.h>

static dscq_status no_format(const char *format, const char *choices, dscq_error *err)
{
    return dscq_fail(err, DSCQ_ARG, "no format '%s': one of %s", format, choices);
}

dscq_status dscq_net_export(const dscq_net *n, const char *format, const char *path,
                            dscq_error *err)
{
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(n, "net", err));
    DSCQ_TRY(api__need(format, "format", err));
    DSCQ_TRY(api__need(path, "path", err));
    const dscq_model *m = dscq_project_model(n->project);
    if (strcmp(format, "checkpoint") == 0)
        return dscq_model_save(m, path, err);
    if (strcmp(format, "onnx") == 0)
        return dscq_export_float_onnx(m, path, err);
    if (strcmp(format, "darknet") == 0)
        return dscq_flow_export_darknet(m, path, DSCQ_DARKNET_ALEXEYAB, err);
    if (strcmp(format, "darknet-pjreddie") == 0)
        return dscq_flow_export_darknet(m, path, DSCQ_DARKNET_PJREDDIE, err);
    status = no_format(format, "checkpoint, onnx, darknet, darknet-pjreddie", err);
done:
    return status;
}

dscq_status dscq_qnet_export(const dscq_qnet *q, const char *format, const char *path,
                             dscq_error *err)
{
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(q, "qnet", err));
    DSCQ_TRY(api__need(format, "format", err));
    DSCQ_TRY(api__need(path, "path", err));
    if (strcmp(format, "onnx") == 0)
        return dscq_export_packed_onnx(path, q->model, err);
    if (strcmp(format, "npz") == 0)
        return dscq_export_npz(path, q->model, err);
    status = no_format(format, "onnx, npz", err);
done:
    return status;
}

dscq_status dscq_import(dscq_table **refused, const char *network, const char *weights,
                        const char *folder, const char *data, int force,
                        dscq_error *err)
{
    dscq_status status;

    API_ERROR(err);
    if (refused != NULL)
        *refused = NULL;
    DSCQ_TRY(api__need(network, "network", err));
    DSCQ_TRY(api__need(folder, "folder", err));
    const dscq_import_options o = {.network = network,
                                   .weights = weights,
                                   .dir = folder,
                                   .force = force,
                                   .data = data};
    DSCQ_TRY(dscq_flow_import(NULL, refused, &o, err));
done:
    return status;
}
