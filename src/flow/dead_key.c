#include "dscq/flow/simulate.h"
#include "dscq/hw/engine.h"
#include "flow_internal.h"

#include <stdio.h>
#include <string.h>

static int is_one_of(const char *key, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(*names, key) == 0)
            return 1;
    return 0;
}

const char *dscq_flow_dead_key(const dscq_machine *m, const char *key)
{
    static const char *const k_simple[] = {"mem_bytes_per_cycle", "mem_latency_cycles",
                                           NULL};
    const dscq_engine *own = dscq_engine_of(m);

    if (strncmp(key, "machine.", 8) == 0)
        key += 8;
    if (!dscq_machine_is_simple(m) && is_one_of(key, k_simple))
        return "the memory is command-level (dram is not simple)";
    if (is_one_of(key, own->keys))
        return NULL;
    for (int32_t i = 0; i < DSCQ_ENGINE_COUNT; i++)
        if (is_one_of(key, dscq_engine_at(i)->keys))
            return own->no_key;
    return NULL;
}

static void warn_section(const dscq_machine *m, const dscq_config *c,
                         const char *section, const dscq_key *keys, const dscq_log *log)
{
    const int i = dscq_config_find(c, section);
    char key[DSCQ_NAME_MAX], from[DSCQ_PATH_MAX + DSCQ_NAME_MAX];

    for (; i >= 0 && keys->name != NULL; keys++) {
        dscq_config_key_origin(from, sizeof from, c, (size_t)i, keys->name);
        (void)snprintf(key, sizeof key, "%s.%s", section, keys->name);
        const char *why = from[0] != '\0' ? dscq_flow_dead_key(m, key) : NULL;
        if (why == NULL)
            continue;
        if (dscq_config_key_line(c, (size_t)i, keys->name) == 0) /* names the key */
            dscq_log_printf(log, DSCQ_LOG_WARN, "%s moves nothing: %s", from, why);
        else
            dscq_log_printf(log, DSCQ_LOG_WARN, "%s: %s moves nothing: %s", from,
                            keys->name, why);
    }
}

void flow__warn_dead_keys(const dscq_machine *m, const dscq_config *c,
                          const dscq_log *log)
{
    warn_section(m, c, "machine", dscq_machine_keys(), log);
    warn_section(m, c, "schedule", dscq_schedule_keys(), log);
}
