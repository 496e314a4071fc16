/* The classes of a packed network and of the data: the same number in both only when
 * both were numbered alike, so they are matched by name. */
#include "dscq/base/str.h"
#include "flow_internal.h"

#include <stdio.h>
#include <string.h>

enum { LIST_BYTES = 150 };

/* Names of one side; a packed file keeps the first 63 bytes of each. */
typedef struct name_list {
    const dscq_qmodel *q;
    const dscq_dataset *d;
    int32_t count;
} name_list;

static const char *name_of(const name_list *l, int32_t i)
{
    return l->q != NULL ? l->q->class_name[i] : dscq_dataset_class_name(l->d, i);
}

/* "0", "1", "2": numbers that stand where there are no names. */
static int are_numbers(const name_list *l)
{
    char number[16];

    for (int32_t i = 0; i < l->count; i++) {
        (void)snprintf(number, sizeof number, "%d", (int)i);
        if (strcmp(name_of(l, i), number) != 0)
            return 0;
    }
    return 1;
}

static int is_same_name(const char *a, const char *b)
{
    return strncmp(a, b, sizeof *((dscq_qmodel *)0)->class_name - 1) == 0;
}

static int32_t find(const name_list *l, const char *name)
{
    for (int32_t i = 0; i < l->count; i++)
        if (is_same_name(name_of(l, i), name))
            return i;
    return -1;
}

static void list(char out[LIST_BYTES], const name_list *l)
{
    size_t used = 0;

    out[0] = '\0';
    for (int32_t i = 0; i < l->count; i++) {
        const char *name = name_of(l, i);
        const size_t n = strlen(name) + (i > 0 ? 2 : 0);
        if (used + n + 5 >= LIST_BYTES) {
            (void)snprintf(out + used, LIST_BYTES - used, ", ...");
            return;
        }
        (void)snprintf(out + used, LIST_BYTES - used, "%s%s", i > 0 ? ", " : "", name);
        used += n;
    }
}

static dscq_status differ(const name_list *q, const name_list *d, dscq_error *err)
{
    char ours[LIST_BYTES], theirs[LIST_BYTES];

    list(ours, q);
    list(theirs, d);
    return dscq_fail(err, DSCQ_FORMAT,
                     "the packed network tells %d classes apart (%s), the data have %d "
                     "(%s): the names must be the same; data.names names them",
                     (int)q->count, ours, (int)d->count, theirs);
}

dscq_status flow__match_classes(int32_t *to, const dscq_qmodel *q,
                                const dscq_dataset *d, const dscq_log *log,
                                dscq_error *err)
{
    const name_list packed = {q, NULL, q->class_count};
    const name_list data = {NULL, d, dscq_dataset_classes(d)};
    int moved = 0;

    for (int32_t i = 0; i < data.count; i++)
        to[i] = i;
    if (packed.count == 0)
        return DSCQ_OK;
    if (packed.count != data.count)
        return differ(&packed, &data, err);
    for (int32_t i = 0; i < data.count; i++)
        moved |= !is_same_name(name_of(&packed, i), name_of(&data, i));
    if (!moved)
        return DSCQ_OK;
    if (are_numbers(&packed) || are_numbers(&data)) {
        dscq_log_printf(log, DSCQ_LOG_WARN,
                        "the classes of the %s have no names: matched by number",
                        are_numbers(&packed) ? "packed network" : "data");
        return DSCQ_OK;
    }
    for (int32_t i = 0; i < data.count; i++) {
        to[i] = find(&packed, name_of(&data, i));
        if (to[i] < 0 || find(&data, name_of(&packed, i)) < 0)
            return differ(&packed, &data, err);
    }
    dscq_log_printf(log, DSCQ_LOG_INFO,
                    "the data number the classes otherwise than the packed network: "
                    "matched by name");
    return DSCQ_OK;
}
