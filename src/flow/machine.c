#include "dscq/base/config.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/flow/simulate.h"
#include "flow_internal.h"

#include <stdio.h>
#include <string.h>

static const char *const k_default_machine = "zcu104";

/* Beside the machine's own keys, a net.cfg may say which file to start from. */
static const dscq_key k_file_keys[] = {
    DSCQ_KEY_STR_ROW(flow_machine_file, file, "",
                     "machine to start from: a name under data/machines, or a path"),
    DSCQ_KEY_END};

static dscq_status machine_path(char out[DSCQ_PATH_MAX], const char *name,
                                const char *dir, const char *data_dir, dscq_error *err)
{
    const size_t n = strlen(name);
    char file[DSCQ_PATH_MAX], names[200];
    dscq_status status;
    int written;

    if (strchr(name, '/') != NULL || (n > 4 && strcmp(name + n - 4, ".cfg") == 0))
        return dscq_path_join(out, DSCQ_PATH_MAX, dir, name, err);
    written = snprintf(file, sizeof file, "machines/%s.cfg", name);
    if (written < 0 || (size_t)written >= sizeof file)
        return dscq_fail(err, DSCQ_ARG, "machine name of %zu bytes is too long", n);
    DSCQ_TRY(dscq_path_join(out, DSCQ_PATH_MAX, data_dir, file, err));
    if (dscq_path_exists(out))
        return DSCQ_OK;
    DSCQ_TRY(dscq_path_join(file, sizeof file, data_dir, "machines", err));
    if (!dscq_path_is_dir(file))
        return dscq_fail(
            err, DSCQ_IO,
            "machine %s: no folder %s; set DSCQ_DATA to the folder data/ of "
            "the sources, or name a file",
            name, file);
    dscq_dir_stems(names, sizeof names, file, ".cfg");
    return dscq_fail(err, DSCQ_IO, "machine %s: not one of %s: %s", name, file, names);
done:
    return status;
}

/* Copy the keys that section `i` of `from` gives into section `name` of `to`. */
static dscq_status copy_keys(dscq_config *to, const dscq_config *from, int i,
                             const char *name, const dscq_key *keys, dscq_error *err)
{
    char text[DSCQ_PATH_MAX + DSCQ_NAME_MAX], origin[DSCQ_PATH_MAX + 32];
    dscq_status status = DSCQ_OK;

    for (const dscq_key *k = keys; i >= 0 && k->name != NULL; k++) {
        const char *value = dscq_config_get(from, (size_t)i, k->name);
        if (value == NULL)
            continue;
        snprintf(text, sizeof text, "%s.%s=%s", name, k->name, value);
        snprintf(origin, sizeof origin, "%s:%d", dscq_config_name(from),
                 dscq_config_key_line(from, (size_t)i, k->name));
        DSCQ_TRY(dscq_config_set(to, text, origin, err));
    }
done:
    return status;
}

/* "clock_mhz=300" means [machine]; "schedule.fuse=none" says its section. */
static dscq_status apply_set(dscq_config *c, const char *const *set, size_t count,
                             dscq_error *err)
{
    char text[DSCQ_PATH_MAX];
    dscq_status status = DSCQ_OK;

    for (size_t i = 0; i < count; i++) {
        const size_t key = strcspn(set[i], "=.");
        const int has_section = set[i][key] == '.';
        const int n =
            snprintf(text, sizeof text, "%s%s", has_section ? "" : "machine.", set[i]);
        if (n < 0 || (size_t)n >= sizeof text)
            return dscq_fail(err, DSCQ_ARG, "--set: %zu bytes are too many",
                             strlen(set[i]));
        DSCQ_TRY(dscq_config_set(c, text, "--set", err));
    }
done:
    return status;
}

dscq_status flow__machine_section(flow_machine_file *file, dscq_config *cfg,
                                  dscq_error *err)
{
    dscq_machine scratch;
    void *const params[] = {file, &scratch};
    const dscq_key *const rows[] = {k_file_keys, dscq_machine_keys()};
    int machine, schedule;
    dscq_status status;

    memset(file, 0, sizeof *file);
    DSCQ_TRY(dscq_machine_defaults(&scratch, err));
    DSCQ_TRY(dscq_config_find_unique(&machine, cfg, "machine", err));
    DSCQ_TRY(dscq_config_find_unique(&schedule, cfg, "schedule", err));
    if (machine >= 0)
        DSCQ_TRY(dscq_config_bind_many(params, rows, 2, cfg, machine, "machine", err));
    if (schedule >= 0)
        DSCQ_TRY(dscq_config_bind(&scratch.schedule, cfg, schedule, "schedule",
                                  dscq_schedule_keys(), err));
done:
    return status;
}

dscq_status dscq_flow_machine(dscq_machine *out, const char *name, dscq_config *cfg,
                              const char *data_dir, const char *const *set,
                              size_t set_count, const dscq_log *log, dscq_error *err)
{
    flow_machine_file file = {""};
    char path[DSCQ_PATH_MAX], dir[DSCQ_PATH_MAX] = ".", home[DSCQ_PATH_MAX];
    dscq_config *c = NULL;
    dscq_status status;

    if (name == NULL && cfg != NULL) {
        DSCQ_TRY(flow__machine_section(&file, cfg, err));
        dscq_path_dir(dir, sizeof dir, dscq_config_name(cfg));
        name = file.file[0] != '\0' ? file.file : NULL;
    } else {
        cfg = NULL; /* a machine named on the command line stands alone */
    }
    if (name == NULL)
        name = k_default_machine;
    DSCQ_TRY(machine_path(path, name, dir, data_dir, err));
    DSCQ_TRY(dscq_config_load(&c, path, err));
    if (cfg != NULL) {
        DSCQ_TRY(copy_keys(c, cfg, dscq_config_find(cfg, "machine"), "machine",
                           dscq_machine_keys(), err));
        DSCQ_TRY(copy_keys(c, cfg, dscq_config_find(cfg, "schedule"), "schedule",
                           dscq_schedule_keys(), err));
    }
    DSCQ_TRY(apply_set(c, set, set_count, err));
    dscq_path_dir(dir, sizeof dir, path);
    DSCQ_TRY(dscq_path_join(home, sizeof home, dir, "..", err));
    DSCQ_TRY(dscq_machine_bind(out, c, home, err));
    DSCQ_TRY(dscq_config_check_used(c, "machine|schedule", err));
    flow__warn_dead_keys(out, c, log);
done:
    dscq_config_destroy(c);
    return status;
}
