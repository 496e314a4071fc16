/* What a board needs: packed networks are read, run, and their digests compared. Linked
 * with base, tensor, qnet, pack and infer alone (tests/tree/board.sh).
 *   board_run PACKED.bin... */
#include "dscq/infer/runtime.h"
#include "dscq/infer/verify.h"
#include "dscq/pack/pack.h"

#include <stdio.h>

/* One pass of the runtime for every embedded input. */
static dscq_status run(const char *path, dscq_error *err)
{
    dscq_qmodel *m = NULL;
    dscq_runtime *r = NULL;
    dscq_status status;

    DSCQ_TRY(dscq_pack_read(&m, path, err));
    DSCQ_TRY(dscq_infer_verify(NULL, m, NULL, err));
    DSCQ_TRY(dscq_runtime_create(&r, m, NULL, err));
    printf("%d layers, %d inputs: digests equal; %zu bytes of activations\n",
           (int)m->node_count, (int)m->digest_inputs, dscq_runtime_arena_bytes(r));
done:
    dscq_runtime_destroy(r);
    dscq_qmodel_destroy(m);
    return status;
}

int main(int argc, char **argv)
{
    dscq_error err = {DSCQ_OK, ""};

    for (int i = 1; i < argc; i++)
        if (run(argv[i], &err) != DSCQ_OK) {
            printf("%s: %s\n", argv[i], err.msg);
            return 1;
        }
    return argc > 1 ? 0 : 2;
}
