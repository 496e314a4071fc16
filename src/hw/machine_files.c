/* What a machine names: its memory, files under the data folder. */
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/hw/machine.h"

#include <stdio.h>
#include <string.h>

int dscq_machine_is_simple(const dscq_machine *m)
{
    return strcmp(m->dram, "simple") == 0;
}

dscq_status dscq_machine_path(char *out, size_t cap, const dscq_machine *m,
                              const char *kind, const char *name, dscq_error *err)
{
    char dir[DSCQ_PATH_MAX];

    if (strchr(name, '/') != NULL) {
        if (!dscq_str_copy(out, cap, name))
            return dscq_fail(err, DSCQ_ARG, "the path %s is too long", name);
        return DSCQ_OK;
    }
    const int n = snprintf(dir, sizeof dir, "%s%s%s", m->data_dir,
                           m->data_dir[0] != '\0' ? "/" : "", kind);
    if (n < 0 || (size_t)n >= sizeof dir)
        return dscq_fail(err, DSCQ_ARG, "the path of %s/%s is too long", kind, name);
    return dscq_path_named(out, cap, dir, name, kind, err);
}
