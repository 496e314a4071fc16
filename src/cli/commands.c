#include "cmd.h"

#include <string.h>

#define CLI_COMMAND(id) extern const cli_cmd cli_cmd_##id;
#include "commands.def"
#undef CLI_COMMAND

const cli_cmd *const cli_commands[] = {
#define CLI_COMMAND(id) &cli_cmd_##id,
#include "commands.def"
#undef CLI_COMMAND
    NULL};

#define CLI_TOPIC(id) extern const cli_topic cli_topic_##id;
#include "topics.def"
#undef CLI_TOPIC

const cli_topic *const cli_topics[] = {
#define CLI_TOPIC(id) &cli_topic_##id,
#include "topics.def"
#undef CLI_TOPIC
    NULL};

const cli_cmd *cli_find(const char *name)
{
    for (size_t i = 0; cli_commands[i] != NULL; i++)
        if (strcmp(cli_commands[i]->name, name) == 0)
            return cli_commands[i];
    return NULL;
}

const char *cli_near(const char *word, const char *const *candidates, size_t count)
{
    const char *best = NULL;
    unsigned limit = (unsigned)strlen(word) / 3 + 1, best_distance = limit + 1;

    for (size_t i = 0; i < count; i++) {
        const unsigned d = dscq_edit_distance(word, candidates[i]);
        if (d < best_distance) {
            best = candidates[i];
            best_distance = d;
        }
    }
    return best;
}
