/* `dscq help WORD`: any word of the tables. */
#include "dscq/compress/method.h"
#include "dscq/data/dataset.h"
#include "dscq/dram/dram.h"
#include "dscq/energy/energy.h"
#include "dscq/hw/counters.h"
#include "dscq/nn/layer.h"
#include "dscq/pack/encoding.h"
#include "dscq/search/search.h"
#include "help_rows.h"
#include "settings.h"

#include <stdio.h>
#include <string.h>

/* "train.epochs", "epochs", "[train]", "train." */
static int find_keys(dscq_str *s, const char *word)
{
    char name[2 * DSCQ_NAME_MAX], part[DSCQ_NAME_MAX], full[2 * DSCQ_NAME_MAX];
    cli_section all[CLI_KEY_SECTIONS];
    dscq_key compress[DSCQ_COMPRESS_KEYS];
    int found = 0;

    cli_list_sections(all, compress);
    (void)dscq_str_copy(part, sizeof part, word + (*word == '['));
    part[strcspn(part, "].")] = '\0';
    const char *dot = strchr(word, '.');
    const int whole = *word == '[' || (dot != NULL && dot[1] == '\0');
    for (size_t i = 0; i < CLI_KEY_SECTIONS; i++) {
        if ((dot != NULL || whole) && strcmp(all[i].name, part) != 0)
            continue;
        if (whole) {
            cli__put_section(s, all[i].name, all[i].keys);
            return 1;
        }
        (void)dscq_str_copy(name, sizeof name, dot != NULL ? dot + 1 : word);
        const dscq_key *k = dscq_keys_find(all[i].keys, name);
        if (k == NULL)
            continue;
        (void)snprintf(full, sizeof full, "%s.%s", all[i].name, k->name);
        cli__put_key(s, full, k);
        found++;
    }
    return found;
}

static int find_layer_keys(dscq_str *s, const char *word)
{
    char name[2 * DSCQ_NAME_MAX], full[2 * DSCQ_NAME_MAX];
    const char *dot = strchr(word, '.');
    int found = 0;

    (void)dscq_str_copy(name, sizeof name, word + (*word == '['));
    name[strcspn(name, "].")] = '\0';
    for (size_t i = 0; i < dscq_layer_count(); i++) {
        const dscq_layer_ops *ops = dscq_layer_at(i);
        const int is_it = strcmp(ops->name, name) == 0 ||
                          (ops->alias != NULL && strcmp(ops->alias, name) == 0);
        if (is_it && (dot == NULL || dot[1] == '\0')) {
            cli__put_layer(s, ops);
            return 1;
        }
        if (ops->keys == NULL || (dot != NULL && !is_it))
            continue;
        const dscq_key *k = dscq_keys_find(ops->keys, dot != NULL ? dot + 1 : word);
        if (k == NULL)
            continue;
        (void)snprintf(full, sizeof full, "%s.%s", ops->name, k->name);
        cli__put_key(s, full, k);
        found++;
    }
    const dscq_key *k =
        dot != NULL ? NULL : dscq_keys_find(dscq_layer_common_keys(~0U), word);
    if (k != NULL)
        cli__put_key(s, k->name, k);
    return found + (k != NULL);
}

static int find_names(dscq_str *s, const char *word)
{
    int found = 0;

    if (dscq_method_find(word) != NULL) {
        cli__put_method(s, dscq_method_find(word));
        cli__put_method_keys(s, dscq_method_find(word));
        found++;
    }
    for (int32_t i = 0; i < dscq_pack_encoding_count(); i++) {
        const dscq_pack_encoding_info *e = dscq_pack_encoding_at(i);
        if (e != NULL && strcmp(e->name, word) == 0) {
            cli__put_encoding(s, e);
            found++;
        }
    }
    for (size_t i = 0; i < dscq_data_type_count(); i++)
        if (strcmp(dscq_data_type_name(i), word) == 0) {
            dscq_str_addf(s, "data.type = %s: %s\n", word, dscq_data_type_summary(i));
            found++;
        }
    for (int m = 0; m < DSCQ_METRICS; m++)
        if (strcmp(dscq_metric_name(m), word) == 0) {
            dscq_str_addf(s, "search.objective = %s: %s\n", word, dscq_metric_text(m));
            found++;
        }
    for (int i = 0; i < dscq_dram_policy_count(); i++)
        if (strcmp(dscq_dram_policy_name(i), word) == 0) {
            cli__help_item(s, word, dscq_dram_policy_summary(i), NAME_COLUMN);
            found++;
        }
    for (int i = 0; i < dscq_dram_standard_count(); i++)
        if (strcmp(dscq_dram_standard_name(i), word) == 0) {
            cli__help_item(s, word, dscq_dram_standard_summary(i), NAME_COLUMN);
            found++;
        }
    for (int i = 0; i < dscq_counter_count(); i++)
        if (strcmp(dscq_counter_name(i), word) == 0) {
            cli__help_item(s, word, dscq_counter_text(i), NAME_COLUMN);
            found++;
        }
    for (int i = 0; i < DSCQ_ENERGY_COUNT; i++)
        if (strcmp(dscq_energy_name(i), word) == 0) {
            cli__help_item(s, word, dscq_energy_unit(i), NAME_COLUMN);
            found++;
        }
    return found;
}

static int find_options(dscq_str *s, const cli_program *p, const char *word)
{
    const cli_opt *row[HELP_OPTIONS_MAX];
    char form[200] = "", text[512] = "";
    int found = 0;

    for (size_t c = 0; *word == '-' && p->commands[c] != NULL; c++) {
        const size_t n = cli_all_options(row, HELP_OPTIONS_MAX, p->commands[c]);
        for (size_t i = 0; i < n && p->commands[c]->group != CLI_HIDDEN; i++) {
            const char letter[3] = {'-', row[i]->letter, '\0'};
            if (strcmp(row[i]->key.name, word) != 0 && strcmp(letter, word) != 0)
                continue;
            cli__help_option_form(form, sizeof form, row[i]);
            cli__help_option_text(text, sizeof text, row[i]);
            dscq_str_addf(s, "dscq %s\n", p->commands[c]->name);
            cli__help_item(s, form, text, NAME_COLUMN);
            found++;
        }
    }
    return found;
}

int cli__help_lookup(dscq_str *s, const cli_program *p, const char *word)
{
    return find_options(s, p, word) + find_keys(s, word) + find_layer_keys(s, word) +
           find_names(s, word);
}
