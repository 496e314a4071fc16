/* Reading a coefficient file: [energy] name, then one [coefficient] a component. */
#include "dscq/base/str.h"
#include "dscq/energy/energy.h"

#include <string.h>

typedef struct file_head {
    char name[DSCQ_NAME_MAX];
} file_head;

static const dscq_key k_head[] = {
    DSCQ_KEY_STR_ROW(file_head, name, NULL, "what the table is for"), DSCQ_KEY_END};

static const dscq_key k_row[] = {
    DSCQ_KEY_STR_ROW(dscq_energy_row, name, NULL,
                     "component, as in `dscq help energy`"),
    DSCQ_KEY_REAL_ROW(dscq_energy_row, value, 0, 1e9, NULL, "in the component's unit"),
    DSCQ_KEY_REAL_ROW(dscq_energy_row, spread, 1, 1e3, NULL,
                      "the truth lies between value / spread and value x spread"),
    DSCQ_KEY_STR_ROW(dscq_energy_row, technology, NULL,
                     "process node and device family"),
    DSCQ_KEY_STR_ROW(dscq_energy_row, source, NULL, "where the value comes from"),
    DSCQ_KEY_END};

static const char *const k_names[] = {
#define X(name, unit) #name,
    DSCQ_ENERGY_LIST(X)
#undef X
};

static const char *const k_units[] = {
#define X(name, unit) unit,
    DSCQ_ENERGY_LIST(X)
#undef X
};

const char *dscq_energy_name(int id)
{
    return k_names[id];
}

const char *dscq_energy_unit(int id)
{
    return k_units[id];
}

static int find(const char *name)
{
    for (int i = 0; i < DSCQ_ENERGY_COUNT; i++)
        if (strcmp(k_names[i], name) == 0)
            return i;
    return -1;
}

static const char *nearest(const char *name)
{
    int best = 0;

    for (int i = 1; i < DSCQ_ENERGY_COUNT; i++)
        if (dscq_edit_distance(name, k_names[i]) <
            dscq_edit_distance(name, k_names[best]))
            best = i;
    return k_names[best];
}

static dscq_status read_row(dscq_energy *e, int seen[DSCQ_ENERGY_COUNT], dscq_config *c,
                            size_t section, dscq_error *err)
{
    dscq_energy_row row;
    dscq_status status;

    memset(&row, 0, sizeof row);
    DSCQ_TRY(dscq_config_bind(&row, c, (int)section, "coefficient", k_row, err));
    const int id = find(row.name);
    const int line = dscq_config_line(c, section);
    if (id < 0)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s:%d: no component '%s'; did you mean '%s'?",
                         dscq_config_name(c), line, row.name, nearest(row.name));
    if (seen[id] != 0)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s:%d: component '%s' stands in line %d too",
                         dscq_config_name(c), line, row.name, seen[id]);
    seen[id] = line;
    e->row[id] = row;
done:
    return status;
}

dscq_status dscq_energy_load(dscq_energy *out, const char *path, dscq_error *err)
{
    int seen[DSCQ_ENERGY_COUNT] = {0}, head = -1;
    dscq_energy e;
    file_head h = {""};
    dscq_config *c = NULL;
    dscq_status status;

    memset(&e, 0, sizeof e);
    DSCQ_TRY(dscq_config_load(&c, path, err));
    DSCQ_TRY(dscq_config_find_unique(&head, c, "energy", err));
    DSCQ_TRY(dscq_config_bind(&h, c, head, "energy", k_head, err));
    memcpy(e.name, h.name, sizeof e.name);
    for (size_t i = 0; i < dscq_config_count(c); i++)
        if (strcmp(dscq_config_section(c, i), "coefficient") == 0)
            DSCQ_TRY(read_row(&e, seen, c, i, err));
    DSCQ_TRY(dscq_config_check_used(c, "energy|coefficient", err));
    for (int i = 0; i < DSCQ_ENERGY_COUNT; i++)
        if (seen[i] == 0) {
            status = dscq_fail(err, DSCQ_FORMAT, "%s: no [coefficient] for '%s' (%s)",
                               path, k_names[i], k_units[i]);
            goto done;
        }
    *out = e;
done:
    dscq_config_destroy(c);
    return status;
}

dscq_status dscq_energy_load_for(dscq_energy *out, const dscq_machine *m,
                                 dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    dscq_status status;

    DSCQ_TRY(dscq_machine_path(path, sizeof path, m, "energy", m->energy, err));
    DSCQ_TRY(dscq_energy_load(out, path, err));
done:
    return status;
}
