/*
 * settings.h - the sections of a net.cfg and of a machine file, layers apart.
 */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include "cmd.h"
#include "dscq/compress/settings.h"

typedef struct cli_section {
    const char *name;
    const dscq_key *keys;
    int of_machine;
} cli_section;

enum { CLI_KEY_SECTIONS = 9 };
/* compress: room for the rows of its section. */
void cli_list_sections(cli_section out[CLI_KEY_SECTIONS],
                       dscq_key compress[DSCQ_COMPRESS_KEYS]);

#endif
