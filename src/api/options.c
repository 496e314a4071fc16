/* Structs with a size: an older caller's are smaller, a newer one's larger. */
#include "api_internal.h"

#include <stddef.h>
#include <string.h>

/* A later version's member must not fall into what an older caller's sizeof counted as
 * padding: no struct ends in any. */
#define NO_TAIL(type, last)                                                            \
    _Static_assert(offsetof(type, last) + sizeof(((type *)0)->last) == sizeof(type),   \
                   #type " ends in padding")
NO_TAIL(dscq_events, trace);
NO_TAIL(dscq_net_options, events);
NO_TAIL(dscq_net_info, is_detector);
NO_TAIL(dscq_data_info, has_boxes);
NO_TAIL(dscq_work_options, reserved);
NO_TAIL(dscq_training, reserved);
NO_TAIL(dscq_score, loss);
NO_TAIL(dscq_compress_request, reserved);
NO_TAIL(dscq_compression, file_bytes);
NO_TAIL(dscq_qnet_info, reserved);
NO_TAIL(dscq_map_info, name);
NO_TAIL(dscq_answer_request, threads);
NO_TAIL(dscq_session_options, reserved);
NO_TAIL(dscq_machine_options, events);
NO_TAIL(dscq_simulation_options, reserved);
NO_TAIL(dscq_simulation_info, multipliers);

static size_t size_of(const void *any)
{
    size_t size;

    memcpy(&size, any, sizeof size); /* the first member of all of them */
    return size;
}

dscq_status api__check_room(const void *out, const char *type, dscq_error *err)
{
    if (out == NULL)
        return dscq_fail(err, DSCQ_ARG, "%s: NULL", type);
    if (size_of(out) < sizeof(size_t))
        return dscq_fail(err, DSCQ_ARG, "%s: its size is not set to sizeof(%s)", type,
                         type);
    return DSCQ_OK;
}

dscq_status api__take(void *to, size_t known, const void *from, const char *type,
                      dscq_error *err)
{
    memset(to, 0, known);
    if (from == NULL)
        return DSCQ_OK;
    const dscq_status status = api__check_room(from, type, err);
    if (status != DSCQ_OK)
        return status;
    const size_t size = size_of(from);
    for (size_t i = known; i < size; i++)
        if (((const unsigned char *)from)[i] != 0)
            return dscq_fail(err, DSCQ_ARG,
                             "%s: byte %zu is set, and dscq %s knows %zu of them: the "
                             "caller was made for a later version",
                             type, i, DSCQ_VERSION, known);
    memcpy(to, from, size < known ? size : known);
    return DSCQ_OK;
}

void api__give(void *out, const void *from, size_t known)
{
    if (out == NULL)
        return;
    const size_t size = size_of(out);
    const size_t n = size < known ? size : known;
    memcpy((char *)out + sizeof size, (const char *)from + sizeof size,
           n - sizeof size);
}

dscq_status api__need(const void *p, const char *what, dscq_error *err)
{
    return p != NULL ? DSCQ_OK : dscq_fail(err, DSCQ_ARG, "%s: NULL", what);
}

dscq_status api__part(dscq_split *out, const char *name, dscq_error *err)
{
    static const dscq_split k_parts[] = {DSCQ_SPLIT_TRAIN, DSCQ_SPLIT_VALID,
                                         DSCQ_SPLIT_TEST};

    for (size_t i = 0; name != NULL && i < sizeof k_parts / sizeof *k_parts; i++)
        if (strcmp(name, dscq_split_name(k_parts[i])) == 0) {
            *out = k_parts[i];
            return DSCQ_OK;
        }
    return dscq_fail(err, DSCQ_ARG, "part '%s': one of train, valid, test",
                     name != NULL ? name : "NULL");
}

/* ---- events ---------------------------------------------------------------------- */

static void message(void *ctx, dscq_log_level level, const char *text)
{
    const dscq_events *e = ctx;

    if (e->message != NULL)
        e->message(e->ctx, (int)level, text);
}

static void progress(void *ctx, const char *what, double done, double total,
                     const char *note)
{
    const dscq_events *e = ctx;

    if (e->progress != NULL)
        e->progress(e->ctx, what, done, total, note != NULL ? note : "");
}

static int stop(void *ctx)
{
    const dscq_events *e = ctx;

    return e->stop != NULL && e->stop(e->ctx);
}

dscq_status api__listen(api_listener *l, const dscq_events *events, dscq_error *err)
{
    dscq_status status;

    l->log = (dscq_log){
        .ctx = &l->events, .message = message, .progress = progress, .stop = stop};
    DSCQ_TRY(api__take(&l->events, sizeof l->events, events, "dscq_events", err));
    DSCQ_TRY(dscq_traced_parse(&l->log.traces, l->events.trace, err));
done:
    return status;
}
