#include "dscq/base/status.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "version") == 0)
        return puts("dscq " DSCQ_VERSION) < 0 ? dscq_status_exit_code(DSCQ_IO) : 0;
    (void)fprintf(stderr, "dscq: want a command; try 'dscq version'\n");
    return dscq_status_exit_code(DSCQ_ARG);
}
