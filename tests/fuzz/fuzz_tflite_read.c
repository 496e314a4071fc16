/* TensorFlow Lite files: read, made a network, evaluated when they are small. */
#include "dscq/base/alloc.h"
#include "dscq/tflite/tflite.h"

enum { SMALL = 1 << 16 };

static void evaluate(const dscq_tflite *f)
{
    double *in[4] = {0};
    int32_t n = dscq_tflite_inputs(f);
    int is_small = n > 0 && n <= 4;

    for (int32_t i = 0; i < dscq_tflite_tensors(f); i++)
        is_small = is_small && dscq_tflite_tensor(f, i).count <= SMALL;
    for (int32_t i = 0; is_small && i < n; i++) {
        const int32_t at = dscq_tflite_input_tensor(f, i);
        in[i] = at >= 0 ? dscq_calloc(dscq_tflite_tensor(f, at).count + 1, 8) : 0;
        is_small = in[i] != 0;
    }
    if (is_small)
        (void)dscq_tflite_run(f, (const double *const *)in, 0, 0, 0);
    for (int32_t i = 0; i < 4; i++)
        dscq_free(in[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dscq_tflite *f = NULL;
    dscq_model *m = NULL;
    dscq_table *refused = NULL;
    dscq_error err;

    if (dscq_tflite_parse(&f, data, size, "fuzz.tflite", &err) == DSCQ_OK &&
        dscq_tflite_to_model(&m, &refused, f, &err) == DSCQ_OK)
        evaluate(f);
    dscq_table_destroy(refused);
    dscq_model_destroy(m);
    dscq_tflite_close(f);
    return 0;
}
