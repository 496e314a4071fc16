/* Settings that --set reaches: which sections there are, and which have a key. */
#include "settings.h"

#include "dscq/base/str.h"
#include "dscq/data/dataset.h"
#include "dscq/hw/machine.h"
#include "dscq/nn/layers.h"
#include "dscq/nn/train.h"
#include "dscq/search/search.h"
#include "dscq/sense/sense.h"

#include <stdio.h>
#include <string.h>

void cli_list_sections(cli_section out[CLI_KEY_SECTIONS],
                       dscq_key compress[DSCQ_COMPRESS_KEYS])
{
    const cli_section all[CLI_KEY_SECTIONS] = {{"data", dscq_data_keys, 0},
                                               {"train", dscq_train_keys, 0},
                                               {"compress", compress, 0},
                                               {"compress_layer", dscq_layer_keys, 0},
                                               {"sensitivity", dscq_sense_keys, 0},
                                               {"search", dscq_search_keys, 0},
                                               {"net", dscq_net_keys, 0},
                                               {"machine", dscq_machine_keys(), 1},
                                               {"schedule", dscq_schedule_keys(), 1}};

    dscq_compress_keys(compress);
    memcpy(out, all, sizeof all);
}

int cli_key_places(char *out, size_t cap, const cli_cmd *cmd, const char *key,
                   const char *value)
{
    const int of_machine = cmd->group == CLI_HARDWARE; /* there it stands alone */
    cli_section all[CLI_KEY_SECTIONS];
    dscq_key compress[DSCQ_COMPRESS_KEYS];
    size_t n = 0;
    int found = 0;

    out[0] = '\0';
    cli_list_sections(all, compress);
    for (size_t i = 0; i < CLI_KEY_SECTIONS; i++) {
        const int bare = of_machine && strcmp(all[i].name, "machine") == 0;
        if ((of_machine && !all[i].of_machine) || n + 1 >= cap ||
            strcmp(all[i].name, "compress_layer") == 0 || /* matches, not one value */
            (found > 0 && strcmp(all[i].name, "net") == 0) || /* Darknet's, not used */
            dscq_keys_find(all[i].keys, key) == NULL)
            continue;
        n += (size_t)snprintf(out + n, cap - n, "%s%s%s%s=%s",
                              found == 0   ? ""
                              : found == 1 ? " (or "
                                           : ", ",
                              bare ? "" : all[i].name, bare ? "" : ".", key, value);
        found++;
    }
    if (found > 1 && n + 1 < cap)
        (void)dscq_str_copy(out + n, cap - n, ")");
    return found;
}
