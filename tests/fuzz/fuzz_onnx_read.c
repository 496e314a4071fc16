/* ONNX files: read, lowered into a network. */
#include "dscq/onnx/onnx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dscq_onnx *f = NULL;
    dscq_model *m = NULL;
    dscq_table *refused = NULL;
    dscq_error err;

    if (dscq_onnx_parse(&f, data, size, "fuzz.onnx", &err) == DSCQ_OK)
        (void)dscq_onnx_to_model(&m, &refused, f, &err);
    dscq_table_destroy(refused);
    dscq_model_destroy(m);
    dscq_onnx_close(f);
    return 0;
}
