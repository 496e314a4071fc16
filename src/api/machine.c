/* A machine: found by name, looked at, planned for. */
#define _GNU_SOURCE /* dladdr() */
#include "api_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/keys.h"
#include "dscq/base/str.h"
#include "dscq/flow/data_dir.h"
#include "dscq/flow/simulate.h"
#include "dscq/lower/lower.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* The file that holds this code, library or program; NULL: not known. */
static const char *own_file(void)
{
    static const char anchor;
    Dl_info info;

    return dladdr(&anchor, &info) != 0 && info.dli_fname != NULL &&
                   strchr(info.dli_fname, '/') != NULL
               ? info.dli_fname
               : NULL;
}

/* Where machines, boards, memories and energies are, when nobody says. */
static void find_data(char *out, size_t cap)
{
    const char *from_user = getenv("DSCQ_DATA"), *library = own_file();

    if (from_user != NULL && *from_user != '\0')
        (void)dscq_str_copy(out, cap, from_user);
    else if ((library == NULL || !dscq_flow_data_beside(out, cap, library)) &&
             !dscq_flow_data_beside(out, cap, NULL))
        (void)dscq_str_copy(out, cap, DSCQ_DATA_DIR);
}

dscq_status dscq_machine_open(dscq_machine **out, const char *name,
                              const dscq_machine_options *options, dscq_error *err)
{
    char data_dir[DSCQ_PATH_MAX];
    dscq_machine_options o;
    api_listener listener;
    dscq_machine *m = NULL;
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(out, "out", err));
    *out = NULL;
    DSCQ_TRY(api__take(&o, sizeof o, options, "dscq_machine_options", err));
    DSCQ_TRY(api__listen(&listener, o.events, err));
    find_data(data_dir, sizeof data_dir);
    m = dscq_calloc(1, sizeof *m);
    if (m == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "a machine", sizeof *m));
    DSCQ_TRY(dscq_flow_machine(m, name, NULL,
                               o.data_dir != NULL ? o.data_dir : data_dir, o.set,
                               o.set_count, &listener.log, err));
    *out = m;
    return DSCQ_OK;
done:
    dscq_machine_close(m);
    return status;
}

void dscq_machine_close(dscq_machine *m)
{
    dscq_free(m);
}

static void add_keys(dscq_table *t, const char *section, const void *params,
                     const dscq_key *keys)
{
    char value[DSCQ_LIST_MAX * 26 + DSCQ_PATH_MAX];

    for (const dscq_key *k = keys; k->name != NULL; k++) {
        (void)dscq_keys_print(value, sizeof value, params, k);
        api__settings_row(t, section, k->name, value);
    }
}

static dscq_status settings(dscq_table **out, const dscq_machine *m, dscq_error *err)
{
    dscq_status status;

    DSCQ_TRY(api__settings_table(out, err));
    add_keys(*out, "machine", m, dscq_machine_keys());
    add_keys(*out, "schedule", &m->schedule, dscq_schedule_keys());
    DSCQ_TRY(dscq_table_finish(out, err));
done:
    return status;
}

dscq_status dscq_machine_table(dscq_table **out, const dscq_machine *m,
                               const char *name, dscq_error *err)
{
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(out, "out", err));
    *out = NULL;
    DSCQ_TRY(api__need(m, "machine", err));
    DSCQ_TRY(api__need(name, "name", err));
    if (strcmp(name, "settings") == 0)
        return settings(out, m, err);
    if (strcmp(name, "resources") == 0)
        return dscq_flow_resources(out, NULL, m, err);
    status = api__no_table(name, "settings, resources", err);
done:
    return status;
}

dscq_status dscq_machine_plan(dscq_table **out, const dscq_machine *m,
                              const dscq_qnet *q, int32_t frames, dscq_error *err)
{
    const dscq_lower_options lo = {.frames = frames};
    dscq_program *program = NULL;
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(out, "out", err));
    *out = NULL;
    DSCQ_TRY(api__need(m, "machine", err));
    DSCQ_TRY(api__need(q, "qnet", err));
    DSCQ_TRY(dscq_lower(&program, out, q->model, m, &lo, err));
done:
    dscq_program_destroy(program);
    return status;
}
