#include "dscq/flow/data_dir.h"

#include "dscq/base/io.h"
#include "dscq/base/keys.h"
#include "dscq/base/str.h"

#include <unistd.h>

int dscq_flow_data_beside(char *out, size_t cap, const char *file)
{
    static const char *const k_places[] = {"../share/dscq", "../../share/dscq",
                                           "../data", "../../data"};
    char program[DSCQ_PATH_MAX], dir[DSCQ_PATH_MAX], machines[DSCQ_PATH_MAX];

    if (file == NULL) {
        const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
        if (n <= 0)
            return 0;
        program[n] = '\0';
        file = program;
    }
    dscq_path_dir(dir, sizeof dir, file);
    for (size_t i = 0; i < sizeof k_places / sizeof *k_places; i++)
        if (dscq_path_join(out, cap, dir, k_places[i], NULL) == DSCQ_OK &&
            dscq_path_join(machines, sizeof machines, out, "machines", NULL) ==
                DSCQ_OK &&
            dscq_path_is_dir(machines))
            return 1;
    return 0;
}
