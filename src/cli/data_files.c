#include "cmd.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* <prefix>/share/dscq when the program is <prefix>/bin/dscq: an installed tree may
 * be moved. */
static int beside_program(char *out, size_t cap)
{
    char program[DSCQ_PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);

    if (n <= 0)
        return 0;
    program[n] = '\0';
    dscq_path_dir(out, cap, program);
    (void)dscq_str_copy(program, sizeof program, out);
    return (size_t)snprintf(out, cap, "%s/../share/dscq", program) < cap &&
           dscq_path_is_dir(out);
}

void cli_data_dir(char *out, size_t cap)
{
    const char *from_user = getenv("DSCQ_DATA");

    if (from_user != NULL && *from_user != '\0')
        (void)dscq_str_copy(out, cap, from_user);
    else if (dscq_path_is_dir(DSCQ_SOURCE_DATA_DIR "/machines") ||
             dscq_path_is_dir(DSCQ_SOURCE_DATA_DIR "/nets"))
        (void)dscq_str_copy(out, cap, DSCQ_SOURCE_DATA_DIR);
    else if (!beside_program(out, cap))
        (void)dscq_str_copy(out, cap, DSCQ_DATA_DIR);
}

static void names_there(char *out, size_t cap, const char *dir)
{
    dscq_dir d;

    (void)dscq_str_copy(out, cap, "(none)");
    if (dscq_dir_list(&d, dir, NULL) != DSCQ_OK)
        return;
    for (size_t i = 0, at = 0; i < d.count; i++) {
        const size_t n = strlen(d.name[i]);
        if (n <= 4 || strcmp(d.name[i] + n - 4, ".cfg") != 0 || at + n + 2 > cap)
            continue;
        at += (size_t)snprintf(out + at, cap - at, "%s%.*s", at > 0 ? ", " : "",
                               (int)n - 4, d.name[i]);
    }
    dscq_dir_free(&d);
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
    status = dscq_path_join(dir, sizeof dir, data, kind, err);
    if (status == DSCQ_OK)
        status = dscq_path_join(out, cap, dir, name, err);
    if (status != DSCQ_OK || dscq_path_exists(out))
        return status;
    if (strchr(name, '/') == NULL && strlen(out) + 5 < cap) {
        strncat(out, ".cfg", cap - strlen(out) - 1);
        if (dscq_path_exists(out))
            return DSCQ_OK;
    }
    names_there(names, sizeof names, dir);
    return dscq_fail(err, DSCQ_IO, "%s: no such file, nor is it one of %s: %s", name,
                     dir, names);
}
