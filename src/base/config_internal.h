/*
 * What config_parse.c builds and config.c looks at.
 */
#ifndef BASE_CONFIG_INTERNAL_H
#define BASE_CONFIG_INTERNAL_H

#include "dscq/base/config.h"

typedef struct config_entry {
    char *key, *value;
    char *origin; /* NULL: the file, at `line` */
    int line;
} config_entry;

typedef struct config_section {
    char *name;
    int line; /* 0: made by dscq_config_set() */
    int used;
    config_entry *entry;
    size_t count, cap;
} config_section;

struct dscq_config {
    char *name;
    config_section *section;
    size_t count, cap;
    dscq_config_listener listener; /* hear NULL: none */
    size_t holes, torn;            /* of them: lines */
};

#endif
