#include "dscq/compress/method.h"

#include <stdio.h>
#include <string.h>

#define DSCQ_METHOD(id) extern const dscq_method dscq_method_##id;
#include "methods.def"
#undef DSCQ_METHOD

static const dscq_method *const k_methods[] = {
#define DSCQ_METHOD(id) &dscq_method_##id,
#include "methods.def"
#undef DSCQ_METHOD
};

size_t dscq_method_count(void)
{
    return sizeof k_methods / sizeof k_methods[0];
}

const dscq_method *dscq_method_at(size_t i)
{
    return k_methods[i];
}

const dscq_method *dscq_method_find(const char *name)
{
    for (size_t i = 0; i < dscq_method_count(); i++)
        if (strcmp(k_methods[i]->name, name) == 0)
            return k_methods[i];
    return NULL;
}

/* The row, or DSCQ_FORMAT with the name that is nearest. */
static dscq_status find_or_suggest(const dscq_method **out, const char *word,
                                   dscq_error *err)
{
    const dscq_method *nearest = dscq_method_at(0);

    *out = dscq_method_find(word);
    if (*out != NULL)
        return DSCQ_OK;
    for (size_t i = 1; i < dscq_method_count(); i++)
        if (dscq_edit_distance(word, dscq_method_at(i)->name) <
            dscq_edit_distance(word, nearest->name))
            nearest = dscq_method_at(i);
    return dscq_fail(err, DSCQ_FORMAT,
                     "[compress] method: unknown method '%s'; did you mean '%s'?", word,
                     nearest->name);
}

dscq_status dscq_method_stages(const dscq_method *stage[DSCQ_STAGES], int32_t *count,
                               const char *names, dscq_error *err)
{
    const dscq_method *m = NULL;
    int32_t n = 0;

    for (const char *at = names; *at != '\0'; at += *at == ',') {
        char name[DSCQ_NAME_MAX];
        dscq_status status;

        if (m != NULL && m->post != NULL)
            return dscq_fail(err, DSCQ_FORMAT,
                             "[compress] method: %s rounds the finished network and "
                             "must be the last "
                             "stage",
                             m->name);
        (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(at, ","), at);
        char *word = name + strspn(name, " \t");
        word[strcspn(word, " \t")] = '\0';
        status = find_or_suggest(&m, word, err);
        if (status != DSCQ_OK)
            return status;
        if (n < DSCQ_STAGES)
            stage[n] = m;
        n++;
        at += strcspn(at, ",");
    }
    if (n == 0 || n > DSCQ_STAGES)
        return dscq_fail(err, DSCQ_FORMAT, "[compress] method: %d stages; want 1 to %d",
                         n, DSCQ_STAGES);
    *count = n;
    return DSCQ_OK;
}
