/* The reader for boards, on the bytes as they are and again with right checksums. It
 * must stay inside the file; where the library accepts a file too, both see the same
 * constants and weights. */
#include "dscq/base/alloc.h"
#include "dscq/embed/packed_reader.h"
#include "dscq/pack/pack.h"
#include "fuzz_pack_repair.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM = 1 << 16 }; /* weights of the largest layer that is decoded */

static void same_node(const dscq_qnode *want, const dscq_packed_node *got,
                      const int16_t *weights)
{
    if ((int)want->op != got->op || want->output != got->output ||
        want->scale_count != got->scale_count || want->table_count != got->table_count)
        abort();
    for (int32_t k = 0; k < want->scale_count; k++)
        if (want->mult[k] != dscq_packed_mult(got, k) ||
            want->shift[k] != dscq_packed_shift(got, k) ||
            (want->bias != NULL && want->bias[k] != dscq_packed_bias(got, k)))
            abort();
    dscq_qweights open;
    if (weights == NULL || dscq_qweights_open(&open, want->weights, NULL) != DSCQ_OK)
        return;
    if (memcmp(weights, open.value, open.count * sizeof *weights) != 0)
        abort();
    dscq_qweights_close(&open, want->weights);
}

/* m: what the library makes of the same bytes, or NULL. */
static void read_all(const dscq_qmodel *m, const uint8_t *data, size_t size,
                     int16_t *weights)
{
    static dscq_packed p; /* large for a stack */
    dscq_packed_node n;
    int32_t nodes = 0;
    int status = dscq_packed_open(&p, data, size);

    if (m != NULL && status == DSCQ_PACKED_DAMAGED)
        abort();
    while (status == DSCQ_PACKED_OK &&
           (status = dscq_packed_next(&p, &n)) == DSCQ_PACKED_OK) {
        const int got = n.weight_count > 0 ? dscq_packed_weights(&n, weights, ROOM)
                                           : DSCQ_PACKED_END;
        if (m != NULL && got == DSCQ_PACKED_DAMAGED)
            abort();
        if (m != NULL)
            same_node(&m->node[nodes], &n, got == DSCQ_PACKED_OK ? weights : NULL);
        nodes++;
    }
    if (m != NULL && (status == DSCQ_PACKED_DAMAGED ||
                      (status == DSCQ_PACKED_END && nodes != m->node_count)))
        abort();
}

static void try_one(const uint8_t *data, size_t size, int16_t *weights)
{
    dscq_qmodel *m = NULL;

    if (dscq_pack_decode(&m, data, size, NULL) != DSCQ_OK)
        m = NULL;
    read_all(m, data, size, weights);
    dscq_qmodel_destroy(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int16_t *weights = dscq_malloc(ROOM, sizeof *weights);
    uint8_t *copy = dscq_malloc(size, 1);

    if (weights != NULL && copy != NULL) {
        try_one(data, size, weights);
        memcpy(copy, data, size);
        if (fuzz_pack_repair(copy, size))
            try_one(copy, size, weights);
    }
    dscq_free(copy);
    dscq_free(weights);
    return 0;
}
