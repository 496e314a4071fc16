#include "dscq/report/writers.h"

#include <string.h>

static const dscq_writer_ops k_writers[] = {
#define DSCQ_WRITER(name, write, summary) {name, summary, write},
#include "writers.def"
#undef DSCQ_WRITER
};

size_t dscq_writer_count(void)
{
    return sizeof k_writers / sizeof k_writers[0];
}

const dscq_writer_ops *dscq_writer_at(size_t i)
{
    return i < dscq_writer_count() ? &k_writers[i] : NULL;
}

const dscq_writer_ops *dscq_writer_find(const char *name)
{
    for (size_t i = 0; i < dscq_writer_count(); i++)
        if (strcmp(k_writers[i].name, name) == 0)
            return &k_writers[i];
    return NULL;
}
