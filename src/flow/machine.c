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

/* "zcu104, zynq7020": machines whose file names the board. */
static void machines_for(char *out, size_t cap, const char *dir, const char *board)
{
    char path[DSCQ_PATH_MAX];
    size_t n = 0;
    dscq_dir d;

    out[0] = '\0';
    if (dscq_dir_list(&d, dir, NULL) != DSCQ_OK)
        return;
    for (size_t i = 0; i < d.count; i++) {
        const size_t length = dscq_path_stem(d.name[i]);
        dscq_config *c = NULL;
        if (!dscq_path_ends(d.name[i], ".cfg") ||
            dscq_path_join(path, sizeof path, dir, d.name[i], NULL) != DSCQ_OK ||
            dscq_config_load(&c, path, NULL) != DSCQ_OK)
            continue;
        const int at = dscq_config_find(c, "machine");
        const char *own = at >= 0 ? dscq_config_get(c, (size_t)at, "board") : NULL;
        if (own != NULL && strcmp(own, board) == 0 && n + length + 7 < cap)
            n += (size_t)snprintf(out + n, cap - n, "%s%.*s", n > 0 ? ", " : "",
                                  (int)length, d.name[i]);
        dscq_config_destroy(c);
    }
    dscq_dir_free(&d);
}

/* A board is what a machine is built on. DSCQ_OK when `name` is no board. */
static dscq_status refuse_board(const char *name, const char *data_dir, const char *dir,
                                dscq_error *err)
{
    char boards[DSCQ_PATH_MAX], path[DSCQ_PATH_MAX], board[DSCQ_NAME_MAX], list[120];

    if (dscq_path_join(boards, sizeof boards, data_dir, "boards", NULL) != DSCQ_OK ||
        dscq_path_named(path, sizeof path, boards, name, "board", NULL) != DSCQ_OK)
        return DSCQ_OK;
    (void)dscq_str_copy(board, sizeof board, dscq_path_base(path));
    board[dscq_path_stem(board)] = '\0';
    machines_for(list, sizeof list, dir, board);
    if (list[0] != '\0')
        return dscq_fail(err, DSCQ_IO, "machine %s: a board, not a machine; for it: %s",
                         name, list);
    return dscq_fail(
        err, DSCQ_IO,
        "machine %s: a board, not a machine, and none is made for it; give "
        "it to one: --machine %s --set board=%s",
        name, k_default_machine, board);
}

static dscq_status machine_path(char out[DSCQ_PATH_MAX], const char *name,
                                const char *dir, const char *data_dir, dscq_error *err)
{
    char machines[DSCQ_PATH_MAX];
    dscq_error unknown;
    dscq_status status;

    if (strchr(name, '/') != NULL || dscq_path_ends(name, ".cfg"))
        return dscq_path_join(out, DSCQ_PATH_MAX, dir, name, err);
    DSCQ_TRY(dscq_path_join(machines, sizeof machines, data_dir, "machines", err));
    if (!dscq_path_is_dir(machines))
        return dscq_fail(
            err, DSCQ_IO,
            "machine %s: no folder %s; set DSCQ_DATA to the folder data/ of "
            "the sources, or name a file",
            name, machines);
    status = dscq_path_named(out, DSCQ_PATH_MAX, machines, name, "machine", &unknown);
    if (status == DSCQ_OK)
        return DSCQ_OK;
    if (status == DSCQ_IO)
        DSCQ_TRY(refuse_board(name, data_dir, machines, err));
    if (err != NULL)
        *err = unknown;
    status = unknown.code;
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
