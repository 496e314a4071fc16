/* `dscq help layers|methods|data|machine|...`: what the tables of the modules say, so
 * that a new row explains itself. */
#include "dscq/compress/method.h"
#include "dscq/compress/settings.h"
#include "dscq/data/dataset.h"
#include "dscq/dram/config.h"
#include "dscq/dram/dram.h"
#include "dscq/energy/energy.h"
#include "dscq/hw/machine.h"
#include "dscq/nn/layer.h"
#include "dscq/nn/layers.h"
#include "dscq/nn/train.h"
#include "dscq/pack/encoding.h"
#include "dscq/search/search.h"
#include "dscq/sense/sense.h"
#include "help.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

enum { NAME_COLUMN = 26 };

/* "a|b|c" -> "a, b, c", which can be broken into lines. */
static void list_choices(char *out, size_t cap, const char *choices)
{
    size_t n = 0;

    for (; *choices != '\0' && n + 3 < cap; choices++) {
        out[n++] = *choices == '|' ? ',' : *choices;
        if (*choices == '|')
            out[n++] = ' ';
    }
    out[n] = '\0';
}

/* "1 to 64", "at least 0", "a, b, c", "0 or 1". */
static void range_of(char *out, size_t cap, const dscq_key *k)
{
    char lo[40], hi[40];
    const int has_lo = k->min > -DBL_MAX, has_hi = k->max < DBL_MAX;

    out[0] = '\0';
    dscq_str_real(lo, sizeof lo, k->min);
    dscq_str_real(hi, sizeof hi, k->max);
    if (k->type == DSCQ_KEY_ENUM)
        list_choices(out, cap, k->choices);
    else if (k->type == DSCQ_KEY_BOOL)
        (void)snprintf(out, cap, "0 or 1");
    else if (k->type == DSCQ_KEY_STR)
        (void)snprintf(out, cap, "text");
    else if (has_lo && has_hi)
        (void)snprintf(out, cap, "%s to %s", lo, hi);
    else if (has_lo || has_hi)
        (void)snprintf(out, cap, "%s %s", has_lo ? "at least" : "at most",
                       has_lo ? lo : hi);
    else
        (void)snprintf(out, cap, "a number");
    if (k->type == DSCQ_KEY_LIST)
        (void)snprintf(out + strlen(out), cap - strlen(out), ", a list");
}

static void put_key(dscq_str *s, const char *name, const dscq_key *k)
{
    char range[256], text[1024];

    range_of(range, sizeof range, k);
    if (k->dflt == NULL)
        (void)snprintf(text, sizeof text, "%s (%s; required)", k->help, range);
    else
        (void)snprintf(text, sizeof text, "%s (%s%s%s)", k->help, range,
                       *k->dflt != '\0' ? "; default " : "", k->dflt);
    cli__help_item(s, name, text, NAME_COLUMN);
}

static void put_keys(dscq_str *s, const dscq_key *keys)
{
    for (const dscq_key *k = keys; k->name != NULL; k++)
        put_key(s, k->name, k);
}

static void put_section(dscq_str *s, const char *name, const dscq_key *keys)
{
    dscq_str_addf(s, "%s[%s]\n", s->len > 0 ? "\n" : "", name);
    put_keys(s, keys);
}

static void put_layer(dscq_str *s, const dscq_layer_ops *ops)
{
    dscq_str_addf(s, "%s[%s]%s%s%s\n  ", s->len > 0 ? "\n" : "", ops->name,
                  ops->alias != NULL ? ", also [" : "",
                  ops->alias != NULL ? ops->alias : "", ops->alias != NULL ? "]" : "");
    cli__help_fill(s, ops->summary, 2, 2);
    if (ops->keys != NULL)
        put_keys(s, ops->keys);
}

static dscq_status print_layers(cli_call *call, dscq_error *err)
{
    dscq_str s = {0};

    for (size_t i = 0; i < dscq_layer_count(); i++)
        put_layer(&s, dscq_layer_at(i));
    dscq_str_add(&s,
                 "\nBeside their own, sections take these where they make sense:\n");
    put_keys(&s, dscq_layer_common_keys(~0U));
    return cli__help_print(call, &s, err);
}

const cli_topic cli_topic_layers = {
    "layers", "the sections of a network and their keys", print_layers};

static void put_method(dscq_str *s, const dscq_method *m)
{
    dscq_str_addf(s, "%s%s\n  ", s->len > 0 ? "\n" : "", m->name);
    cli__help_fill(s, m->summary, 2, 2);
    if (m->source != NULL) {
        dscq_str_add(s, "  ");
        cli__help_fill(s, m->source, 2, 2);
    }
    if (m->keys != NULL && *m->keys != '\0')
        dscq_str_addf(s, "  keys of [compress] beside p and b: %s\n", m->keys);
}

static dscq_status print_methods(cli_call *call, dscq_error *err)
{
    dscq_str s = {0};

    for (size_t i = 0; i < dscq_method_count(); i++)
        put_method(&s, dscq_method_at(i));
    put_section(&s, "compress", dscq_compress_keys);
    put_section(&s, "compress_layer", dscq_layer_keys);
    return cli__help_print(call, &s, err);
}

static dscq_status print_search(cli_call *call, dscq_error *err)
{
    dscq_str s = {0};

    put_section(&s, "sensitivity", dscq_sense_keys);
    put_section(&s, "search", dscq_search_keys);
    dscq_str_add(&s, "\nWhat is measured of a trial:\n");
    for (int m = 0; m < DSCQ_METRICS; m++)
        cli__help_item(&s, dscq_metric_name(m), dscq_metric_text(m), NAME_COLUMN);
    return cli__help_print(call, &s, err);
}

const cli_topic cli_topic_search = {"search", "keys of [sensitivity] and [search]",
                                    print_search};

const cli_topic cli_topic_methods = {"methods", "compression: methods and their keys",
                                     print_methods};

static dscq_status print_data(cli_call *call, dscq_error *err)
{
    dscq_str s = {0};

    dscq_str_add(
        &s, "Pictures are PNG, JPEG, BMP or WebP, told apart by their content; a "
            "folder\nstands for the pictures in it and in its sub-folders. What is "
            "left out is\ncounted: `dscq check NET.cfg` before training says it "
            "all.\n\nTypes:\n");
    for (size_t i = 0; i < dscq_data_type_count(); i++)
        cli__help_item(&s, dscq_data_type_name(i), dscq_data_type_summary(i),
                       NAME_COLUMN);
    put_section(&s, "data", dscq_data_keys);
    return cli__help_print(call, &s, err);
}

const cli_topic cli_topic_data = {"data", "data sets: types and keys", print_data};

static dscq_status print_train(cli_call *call, dscq_error *err)
{
    dscq_str s = {0};

    put_section(&s, "net", dscq_net_keys);
    put_section(&s, "train", dscq_train_keys);
    return cli__help_print(call, &s, err);
}

const cli_topic cli_topic_train = {"training", "keys of [net] and [train]",
                                   print_train};

static dscq_status print_machine(cli_call *call, dscq_error *err)
{
    dscq_str s = {0};

    dscq_str_add(&s, "A file under data/machines/:\n");
    put_section(&s, "machine", dscq_machine_keys());
    put_section(&s, "schedule", dscq_schedule_keys());
    return cli__help_print(call, &s, err);
}

const cli_topic cli_topic_machine = {"machine", "the accelerator: keys", print_machine};

static dscq_status print_dram(cli_call *call, dscq_error *err)
{
    dscq_str s = {0};

    dscq_str_add(&s, "Rule sets:\n");
    for (int i = 0; i < dscq_dram_policy_count(); i++)
        cli__help_item(&s, dscq_dram_policy_name(i), dscq_dram_policy_summary(i),
                       NAME_COLUMN);
    put_section(&s, "device", dscq_dram_device_keys());
    put_section(&s, "controller", dscq_dram_controller_keys());
    put_section(&s, "termination", dscq_dram_termination_keys());
    return cli__help_print(call, &s, err);
}

const cli_topic cli_topic_dram = {"memory", "DRAM: rule sets and keys", print_dram};

static const struct {
    const char *name, *text;
} k_coefficients[] = {
#define X(name, unit) {#name, unit},
    DSCQ_ENERGY_LIST(X)
#undef X
};

static dscq_status print_energy(cli_call *call, dscq_error *err)
{
    dscq_str s = {0};

    dscq_str_add(&s, "A file under data/energy/ has one [coefficient] section each:\n");
    for (size_t i = 0; i < sizeof k_coefficients / sizeof k_coefficients[0]; i++)
        cli__help_item(&s, k_coefficients[i].name, k_coefficients[i].text, NAME_COLUMN);
    dscq_str_add(&s, "\nCounters they are multiplied with, and the others:\n");
    for (int i = 0; i < dscq_counter_count(); i++)
        cli__help_item(&s, dscq_counter_name(i), dscq_counter_text(i), NAME_COLUMN);
    return cli__help_print(call, &s, err);
}

const cli_topic cli_topic_energy = {"energy", "coefficients and counters",
                                    print_energy};

static void put_encoding(dscq_str *s, const dscq_pack_encoding_info *e)
{
    char text[512];

    (void)snprintf(text, sizeof text, "%s. %s; %g a cycle, %ld table bits: %s",
                   e->summary, dscq_pack_kind_name(e->kind), e->hw_entries_per_cycle,
                   (long)e->hw_table_bits, e->hw_note);
    cli__help_item(s, e->name, text, NAME_COLUMN);
}

static dscq_status print_encodings(cli_call *call, dscq_error *err)
{
    dscq_str s = {0};

    dscq_str_add(&s, "Kinds: fixed (profile machine), at rest (and loaded), deep (and "
                     "archive), comparison (only\nwhen named). Rates are those of a "
                     "plain decoder in hardware.\n\n");
    for (int32_t i = 0; i < dscq_pack_encoding_count(); i++)
        if (dscq_pack_encoding_at(i) != NULL)
            put_encoding(&s, dscq_pack_encoding_at(i));
    return cli__help_print(call, &s, err);
}

const cli_topic cli_topic_encodings = {"encodings", "how weights are stored",
                                       print_encodings};

/* The sections of a net.cfg and a machine file, layers apart. */
typedef struct section {
    const char *name;
    const dscq_key *keys;
    int of_machine;
} section;

enum { SECTIONS = 9 };

static void list_sections(section out[SECTIONS])
{
    const section all[SECTIONS] = {{"data", dscq_data_keys, 0},
                                   {"train", dscq_train_keys, 0},
                                   {"compress", dscq_compress_keys, 0},
                                   {"compress_layer", dscq_layer_keys, 0},
                                   {"sensitivity", dscq_sense_keys, 0},
                                   {"search", dscq_search_keys, 0},
                                   {"net", dscq_net_keys, 0},
                                   {"machine", dscq_machine_keys(), 1},
                                   {"schedule", dscq_schedule_keys(), 1}};

    memcpy(out, all, sizeof all);
}

static dscq_status print_keys(cli_call *call, dscq_error *err)
{
    section all[SECTIONS];
    dscq_str s = {0};

    list_sections(all);
    for (size_t i = 0; i < SECTIONS; i++)
        put_section(&s, all[i].name, all[i].keys);
    return cli__help_print(call, &s, err);
}

const cli_topic cli_topic_keys = {"keys", "every key of a net.cfg and a machine file",
                                  print_keys};

int cli_key_places(char *out, size_t cap, const cli_cmd *cmd, const char *key,
                   const char *value)
{
    const int of_machine = cmd->group == CLI_HARDWARE; /* there it stands alone */
    section all[SECTIONS];
    size_t n = 0;
    int found = 0;

    out[0] = '\0';
    list_sections(all);
    for (size_t i = 0; i < SECTIONS; i++) {
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

/* ---- any word of the tables --------------------------------------------- */

/* "train.epochs", "epochs", "[train]", "train." */
static int find_keys(dscq_str *s, const char *word)
{
    char name[2 * DSCQ_NAME_MAX], part[DSCQ_NAME_MAX], full[2 * DSCQ_NAME_MAX];
    section all[SECTIONS];
    int found = 0;

    list_sections(all);
    (void)dscq_str_copy(part, sizeof part, word + (*word == '['));
    part[strcspn(part, "].")] = '\0';
    const char *dot = strchr(word, '.');
    const int whole = *word == '[' || (dot != NULL && dot[1] == '\0');
    for (size_t i = 0; i < SECTIONS; i++) {
        if ((dot != NULL || whole) && strcmp(all[i].name, part) != 0)
            continue;
        if (whole) {
            put_section(s, all[i].name, all[i].keys);
            return 1;
        }
        (void)dscq_str_copy(name, sizeof name, dot != NULL ? dot + 1 : word);
        const dscq_key *k = dscq_keys_find(all[i].keys, name);
        if (k == NULL)
            continue;
        (void)snprintf(full, sizeof full, "%s.%s", all[i].name, k->name);
        put_key(s, full, k);
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
            put_layer(s, ops);
            return 1;
        }
        if (ops->keys == NULL || (dot != NULL && !is_it))
            continue;
        const dscq_key *k = dscq_keys_find(ops->keys, dot != NULL ? dot + 1 : word);
        if (k == NULL)
            continue;
        (void)snprintf(full, sizeof full, "%s.%s", ops->name, k->name);
        put_key(s, full, k);
        found++;
    }
    const dscq_key *k =
        dot != NULL ? NULL : dscq_keys_find(dscq_layer_common_keys(~0U), word);
    if (k != NULL)
        put_key(s, k->name, k);
    return found + (k != NULL);
}

static int find_names(dscq_str *s, const char *word)
{
    int found = 0;

    if (dscq_method_find(word) != NULL) {
        put_method(s, dscq_method_find(word));
        found++;
    }
    for (int32_t i = 0; i < dscq_pack_encoding_count(); i++) {
        const dscq_pack_encoding_info *e = dscq_pack_encoding_at(i);
        if (e != NULL && strcmp(e->name, word) == 0) {
            put_encoding(s, e);
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
    for (int i = 0; i < dscq_counter_count(); i++)
        if (strcmp(dscq_counter_name(i), word) == 0) {
            cli__help_item(s, word, dscq_counter_text(i), NAME_COLUMN);
            found++;
        }
    for (size_t i = 0; i < sizeof k_coefficients / sizeof *k_coefficients; i++)
        if (strcmp(k_coefficients[i].name, word) == 0) {
            cli__help_item(s, word, k_coefficients[i].text, NAME_COLUMN);
            found++;
        }
    return found;
}

static int find_options(dscq_str *s, const char *word)
{
    const cli_opt *row[HELP_OPTIONS_MAX];
    char form[200] = "", text[512] = "";
    int found = 0;

    for (size_t c = 0; *word == '-' && cli_commands[c] != NULL; c++) {
        const size_t n = cli_all_options(row, HELP_OPTIONS_MAX, cli_commands[c]);
        for (size_t i = 0; i < n && cli_commands[c]->group != CLI_HIDDEN; i++) {
            const char letter[3] = {'-', row[i]->letter, '\0'};
            if (strcmp(row[i]->key.name, word) != 0 && strcmp(letter, word) != 0)
                continue;
            cli__help_option_form(form, sizeof form, row[i]);
            cli__help_option_text(text, sizeof text, row[i]);
            dscq_str_addf(s, "dscq %s\n", cli_commands[c]->name);
            cli__help_item(s, form, text, NAME_COLUMN);
            found++;
        }
    }
    return found;
}

int cli__help_lookup(dscq_str *s, const char *word)
{
    return find_options(s, word) + find_keys(s, word) + find_layer_keys(s, word) +
           find_names(s, word);
}
