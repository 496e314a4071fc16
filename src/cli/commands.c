/* What the program can do: the tables and nothing else, for main.c. */
#include "cmd.h"

#define CLI_COMMAND(id) extern const cli_cmd cli_cmd_##id;
#include "commands.def"
#undef CLI_COMMAND

static const cli_cmd *const k_commands[] = {
#define CLI_COMMAND(id) &cli_cmd_##id,
#include "commands.def"
#undef CLI_COMMAND
    NULL};

#define CLI_TOPIC(id) extern const cli_topic cli_topic_##id;
#include "topics.def"
#undef CLI_TOPIC

static const cli_topic *const k_topics[] = {
#define CLI_TOPIC(id) &cli_topic_##id,
#include "topics.def"
#undef CLI_TOPIC
    NULL};

const cli_program cli_whole_program = {k_commands, k_topics};
