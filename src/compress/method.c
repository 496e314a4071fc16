#include "dscq/compress/method.h"

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
