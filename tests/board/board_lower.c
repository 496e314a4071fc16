/* What lowers a packed network and times it, linked with the modules under lower alone
 * (tests/tree/board.sh).
 *   board_lower PACKED.bin */
#include "dscq/base/alloc.h"
#include "dscq/hw/sim.h"
#include "dscq/lower/lower.h"
#include "dscq/pack/pack.h"

#include <stdio.h>

static dscq_status run(const char *path, dscq_error *err)
{
    dscq_qmodel *m = NULL;
    dscq_program *p = NULL;
    dscq_sim *s = NULL;
    const void *input[DSCQ_QMODEL_ENDS];
    dscq_machine machine;
    uint8_t *codes = NULL;
    dscq_status status;

    DSCQ_TRY(dscq_pack_read(&m, path, err));
    DSCQ_TRY(dscq_machine_defaults(&machine, err));
    DSCQ_TRY(dscq_lower(&p, NULL, m, &machine, NULL, err));
    codes = dscq_malloc(dscq_qmodel_digest_bytes(m), 1);
    if (codes == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "inputs", dscq_qmodel_digest_bytes(m)));
    dscq_qmodel_standard_codes(m, 0, codes);
    dscq_qmodel_inputs_of(m, codes, input);
    DSCQ_TRY(dscq_sim_run(&s, p, &machine, input, NULL, err));
    printf("%llu cycles\n", (unsigned long long)dscq_sim_counters(s)->cycles);
done:
    dscq_sim_destroy(s);
    dscq_program_destroy(p);
    dscq_free(codes);
    dscq_qmodel_destroy(m);
    return status;
}

int main(int argc, char **argv)
{
    dscq_error err = {DSCQ_OK, ""};

    if (argc != 2)
        return 2;
    if (run(argv[1], &err) == DSCQ_OK)
        return 0;
    printf("%s: %s\n", argv[1], err.msg);
    return 1;
}
