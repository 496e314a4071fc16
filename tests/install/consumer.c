/* A program of somebody else: uses the library, prints its version. */
#include <dscq/dscq.h>
#include <stdio.h>
#include <string.h>

#if DSCQ_VERSION_NUMBER < 100
#error "an older dscq"
#endif

int main(void)
{
    dscq_machine_options options = {.size = sizeof options};
    dscq_machine *machine = NULL;
    dscq_error err;

    if (strcmp(dscq_version(), DSCQ_VERSION) != 0)
        return 2;
    if (dscq_machine_open(&machine, "zynq7020", &options, &err) != DSCQ_OK) {
        fprintf(stderr, "%s\n", err.msg);
        return 3;
    }
    dscq_machine_close(machine);
    printf("dscq %s\n", dscq_version());
    return 0;
}
