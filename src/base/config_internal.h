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
    int first; /* line of the same key before it; 0: none */
} config_entry;

typedef struct config_section {
    char *name;
    int line; /* 0: made by dscq_config_set() */
    int used, first_counts;
    config_entry *entry;
    size_t count, cap;
} config_section;

/* Something that stands in the file and moves nothing here. */
typedef struct config_over {
    dscq_config_why why;
    char section[DSCQ_NAME_MAX], key[DSCQ_NAME_MAX]; /* key "": the whole section */
    int line, times;
} config_over;

struct dscq_config {
    char *name;
    config_section *section;
    size_t count, cap;
    dscq_config_listener listener; /* hear NULL: none */
    size_t holes, torn;            /* of them: lines */
    config_over *over;
    size_t over_count, over_cap;
};

#endif
