#include "cmd.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/flow/data_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cli_data_dir(char *out, size_t cap)
{
    const char *from_user = getenv("DSCQ_DATA");

    if (from_user != NULL && *from_user != '\0')
        (void)dscq_str_copy(out, cap, from_user);
    else if (dscq_path_is_dir(DSCQ_SOURCE_DATA_DIR "/machines") ||
             dscq_path_is_dir(DSCQ_SOURCE_DATA_DIR "/nets"))
        (void)dscq_str_copy(out, cap, DSCQ_SOURCE_DATA_DIR);
    else if (!dscq_flow_data_beside(out, cap, NULL))
        (void)dscq_str_copy(out, cap, DSCQ_DATA_DIR);
}

dscq_status cli_data_file(char *out, size_t cap, const char *kind, const char *name,
                          dscq_error *err)
{
    char data[DSCQ_PATH_MAX], dir[DSCQ_PATH_MAX], names[300];
    dscq_status status;

    if (dscq_path_exists(name))
        return dscq_str_copy(out, cap, name)
                   ? DSCQ_OK
                   : dscq_fail(err, DSCQ_ARG, "%s: path is too long", name);
    cli_data_dir(data, sizeof data);
    DSCQ_TRY(dscq_path_join(dir, sizeof dir, data, kind, err));
    if (!dscq_path_is_dir(data))
        return dscq_fail(err, DSCQ_IO,
                         "%s: no such file, and no folder %s; set DSCQ_DATA to the "
                         "folder data/ of the sources",
                         name, data);
    if (dscq_path_ends(name, ".cfg")) { /* its own ending may stand there */
        DSCQ_TRY(dscq_path_join(out, cap, dir, name, err));
        if (dscq_path_exists(out))
            return DSCQ_OK;
    } else if (strchr(name, '/') == NULL) {
        return dscq_path_named(
            out, cap, dir, name,
            strcmp(kind, "nets") == 0 ? "no file or network" : "no file or DRAM", err);
    }
    dscq_dir_stems(names, sizeof names, dir, ".cfg");
    status = dscq_fail(err, DSCQ_IO, "%s: no such file, nor is it one of %s: %s", name,
                       dir, names);
done:
    return status;
}
