#include "dscq/base/config.h"
#include "dscq/energy/energy.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

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

/* clang-format off */
static const dscq_key k_row[] = {
    DSCQ_KEY_STR_ROW(dscq_energy_row, name, NULL, "which coefficient"),
    DSCQ_KEY_REAL_ROW(dscq_energy_row, value, 0, 1e12, NULL, "in the coefficient's own unit"),
    DSCQ_KEY_REAL_ROW(dscq_energy_row, spread, 1, 100, NULL, "truth lies between value / spread and value x spread"),
    DSCQ_KEY_STR_ROW(dscq_energy_row, technology, NULL, "node and part it was taken from"),
    DSCQ_KEY_STR_ROW(dscq_energy_row, source, NULL, "where the value comes from"),
    DSCQ_KEY_END};

typedef struct energy_head {
    char name[DSCQ_NAME_MAX];
} energy_head;

static const dscq_key k_head[] = {
    DSCQ_KEY_STR_ROW(energy_head, name, NULL, "name of the set in reports"),
    DSCQ_KEY_END};
/* clang-format on */

const char *dscq_energy_name(int id)
{
    assert(id >= 0 && id < DSCQ_ENERGY_COUNT);
    return k_names[id];
}

const char *dscq_energy_unit(int id)
{
    assert(id >= 0 && id < DSCQ_ENERGY_COUNT);
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

static dscq_status take_row(dscq_energy *e, dscq_config *c, size_t i, dscq_error *err)
{
    dscq_energy_row row;
    dscq_status status;

    memset(&row, 0, sizeof row);
    DSCQ_TRY(dscq_config_bind(&row, c, (int)i, "coefficient", k_row, err));
    const int id = find(row.name);
    if (id < 0)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s:%d: name = '%s': no such coefficient; did you mean '%s'?",
                         dscq_config_name(c), dscq_config_line(c, i), row.name,
                         nearest(row.name));
    if (e->row[id].name[0] != '\0')
        return dscq_fail(err, DSCQ_FORMAT, "%s:%d: '%s' stands twice",
                         dscq_config_name(c), dscq_config_line(c, i), row.name);
    e->row[id] = row;
done:
    return status;
}

/* Files of before machines packed two products into a DSP have no mac_pair. A slice and
 * one operand are shared, the other operand is twice as wide: it lies between one
 * product and two, at their geometric mean, as uncertain as mac and that factor. */
static void derive_pair(dscq_energy *e)
{
    const dscq_energy_row *mac = &e->row[DSCQ_ENERGY_mac];
    dscq_energy_row *pair = &e->row[DSCQ_ENERGY_mac_pair];

    if (pair->name[0] != '\0' || mac->name[0] == '\0')
        return;
    *pair = *mac;
    (void)snprintf(pair->name, sizeof pair->name, "%s", k_names[DSCQ_ENERGY_mac_pair]);
    pair->value = mac->value * sqrt(2.0);
    pair->spread = exp(hypot(log(mac->spread), log(sqrt(2.0))));
    (void)snprintf(pair->source, sizeof pair->source,
                   "derived from mac: between one product and two");
}

dscq_status dscq_energy_load(dscq_energy *out, const char *path, dscq_error *err)
{
    dscq_config *c = NULL;
    dscq_energy e;
    energy_head head;
    int at = -1;
    dscq_status status;

    memset(&e, 0, sizeof e);
    memset(&head, 0, sizeof head);
    DSCQ_TRY(dscq_config_load(&c, path, err));
    DSCQ_TRY(dscq_config_find_unique(&at, c, "energy", err));
    DSCQ_TRY(dscq_config_bind(&head, c, at, "energy", k_head, err));
    memcpy(e.name, head.name, sizeof e.name);
    for (size_t i = 0; i < dscq_config_count(c); i++)
        if (strcmp(dscq_config_section(c, i), "coefficient") == 0)
            DSCQ_TRY(take_row(&e, c, i, err));
    DSCQ_TRY(dscq_config_check_used(c, "energy|coefficient", err));
    derive_pair(&e);
    for (int i = 0; i < DSCQ_ENERGY_COUNT; i++)
        if (e.row[i].name[0] == '\0')
            DSCQ_TRY(dscq_fail(err, DSCQ_FORMAT, "%s: coefficient '%s' is missing",
                               path, k_names[i]));
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
