/* Words that a person types: is there such a command, or one spelt like it? */
#include "cmd.h"

#include <string.h>

const cli_cmd *cli_find(const cli_program *p, const char *name)
{
    for (size_t i = 0; p->commands[i] != NULL; i++)
        if (strcmp(p->commands[i]->name, name) == 0)
            return p->commands[i];
    return NULL;
}

size_t cli_listed(const char **names, size_t cap, const cli_program *p)
{
    size_t n = 0;

    for (size_t i = 0; p->commands[i] != NULL && n < cap; i++)
        if (p->commands[i]->group != CLI_HIDDEN)
            names[n++] = p->commands[i]->name;
    return n;
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
