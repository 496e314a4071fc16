/* What a cfg says that moves nothing here: said once, in one line of each kind. */
#include "flow_internal.h"

static const char *const k_about[] = {
    [DSCQ_CONFIG_FOREIGN] = "only Darknet's training reads",
    [DSCQ_CONFIG_AGAIN] = "the first one counts, as in Darknet, of",
};

void flow__over_each(const dscq_config *c, void (*say)(void *ctx, const char *text),
                     void *ctx)
{
    for (int why = 0; why < (int)(sizeof k_about / sizeof *k_about); why++) {
        dscq_str list = {0}, text = {0};
        dscq_config_over_list(&list, c, (dscq_config_why)why);
        if (list.len > 0) {
            dscq_str_addf(&text, "%s: %s", k_about[why], list.text);
            if (!text.bad && !list.bad)
                say(ctx, text.text);
        }
        dscq_str_free(&list);
        dscq_str_free(&text);
    }
}

typedef struct teller {
    const dscq_log *log;
    const char *path;
} teller;

static void tell(void *ctx, const char *text)
{
    const teller *t = ctx;

    dscq_log_printf(t->log, DSCQ_LOG_INFO, "%s: %s", t->path, text);
}

void flow__over_tell(const dscq_config *c, const dscq_log *log)
{
    teller t = {log, dscq_config_name(c)};

    flow__over_each(c, tell, &t);
}
