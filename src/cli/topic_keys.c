/* `dscq help layers|methods|data|machine|...`: what the tables of the modules say, so
 * that a new row explains itself. */
#include "dscq/compress/method.h"
#include "dscq/compress/settings.h"
#include "dscq/data/dataset.h"
#include "dscq/energy/energy.h"
#include "dscq/flow/search.h"
#include "dscq/hw/dram.h"
#include "dscq/hw/dram_config.h"
#include "dscq/hw/machine.h"
#include "dscq/nn/layer.h"
#include "dscq/nn/layers.h"
#include "dscq/nn/train.h"
#include "dscq/pack/encoding.h"
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

static void put_keys(dscq_str *s, const dscq_key *keys)
{
    char range[256], text[1024];

    for (const dscq_key *k = keys; k->name != NULL; k++) {
        range_of(range, sizeof range, k);
        if (k->dflt == NULL)
            (void)snprintf(text, sizeof text, "%s (%s; required)", k->help, range);
        else
            (void)snprintf(text, sizeof text, "%s (%s%s%s)", k->help, range,
                           *k->dflt != '\0' ? "; default " : "", k->dflt);
        help_item(s, k->name, text, NAME_COLUMN);
    }
}

static void put_section(dscq_str *s, const char *name, const dscq_key *keys)
{
    dscq_str_addf(s, "%s[%s]\n", s->len > 0 ? "\n" : "", name);
    put_keys(s, keys);
}

static dscq_status print_layers(cli_call *call, dscq_error *err)
{
    dscq_str s = {0};

    for (size_t i = 0; i < dscq_layer_count(); i++) {
        const dscq_layer_ops *ops = dscq_layer_at(i);
        dscq_str_addf(&s, "%s[%s]%s%s%s\n  ", i > 0 ? "\n" : "", ops->name,
                      ops->alias != NULL ? ", also [" : "",
                      ops->alias != NULL ? ops->alias : "",
                      ops->alias != NULL ? "]" : "");
        help_fill(&s, ops->summary, 2, 2);
        if (ops->keys != NULL)
            put_keys(&s, ops->keys);
    }
    dscq_str_add(&s,
                 "\nBeside their own, sections take these where they make sense:\n");
    put_keys(&s, dscq_layer_common_keys(~0U));
    return help_print(call, &s, err);
}

const cli_topic cli_topic_layers = {
    "layers", "the sections of a network and their keys", print_layers};

static dscq_status print_methods(cli_call *call, dscq_error *err)
{
    dscq_str s = {0};

    for (size_t i = 0; i < dscq_method_count(); i++) {
        const dscq_method *m = dscq_method_at(i);
        dscq_str_addf(&s, "%s%s\n  ", i > 0 ? "\n" : "", m->name);
        help_fill(&s, m->summary, 2, 2);
        if (m->source != NULL) {
            dscq_str_add(&s, "  ");
            help_fill(&s, m->source, 2, 2);
        }
        if (m->keys != NULL && *m->keys != '\0')
            dscq_str_addf(&s, "  keys of [compress] beside p and b: %s\n", m->keys);
    }
    put_section(&s, "compress", dscq_compress_keys);
    put_section(&s, "compress_layer", dscq_layer_keys);
    return help_print(call, &s, err);
}

static dscq_status print_search(cli_call *call, dscq_error *err)
{
    dscq_str s = {0};

    put_section(&s, "sensitivity", dscq_sense_keys);
    put_section(&s, "search", dscq_search_keys);
    dscq_str_add(&s, "\nWhat is measured of a trial:\n");
    for (int m = 0; m < DSCQ_METRICS; m++)
        help_item(&s, dscq_metric_name(m), dscq_metric_text(m), NAME_COLUMN);
    return help_print(call, &s, err);
}

const cli_topic cli_topic_search = {"search", "keys of [sensitivity] and [search]",
                                    print_search};

const cli_topic cli_topic_methods = {"methods", "compression: methods and their keys",
                                     print_methods};

static dscq_status print_data(cli_call *call, dscq_error *err)
{
    dscq_str s = {0};

    dscq_str_add(&s, "Types:\n");
    for (size_t i = 0; i < dscq_data_type_count(); i++)
        help_item(&s, dscq_data_type_name(i), dscq_data_type_summary(i), NAME_COLUMN);
    put_section(&s, "data", dscq_data_keys);
    return help_print(call, &s, err);
}

const cli_topic cli_topic_data = {"data", "data sets: types and keys", print_data};

static dscq_status print_train(cli_call *call, dscq_error *err)
{
    dscq_str s = {0};

    put_section(&s, "net", dscq_net_keys);
    put_section(&s, "train", dscq_train_keys);
    return help_print(call, &s, err);
}

const cli_topic cli_topic_train = {"training", "keys of [net] and [train]",
                                   print_train};

static dscq_status print_machine(cli_call *call, dscq_error *err)
{
    dscq_str s = {0};

    dscq_str_add(&s, "A file under data/machines/:\n");
    put_section(&s, "machine", dscq_machine_keys());
    put_section(&s, "schedule", dscq_schedule_keys());
    return help_print(call, &s, err);
}

const cli_topic cli_topic_machine = {"machine", "the accelerator: keys", print_machine};

static dscq_status print_dram(cli_call *call, dscq_error *err)
{
    dscq_str s = {0};

    dscq_str_add(&s, "Rule sets:\n");
    for (int i = 0; i < dscq_dram_policy_count(); i++)
        help_item(&s, dscq_dram_policy_name(i), dscq_dram_policy_summary(i),
                  NAME_COLUMN);
    put_section(&s, "device", dscq_dram_device_keys());
    put_section(&s, "controller", dscq_dram_controller_keys());
    put_section(&s, "termination", dscq_dram_termination_keys());
    return help_print(call, &s, err);
}

const cli_topic cli_topic_dram = {"memory", "DRAM: rule sets and keys", print_dram};

static dscq_status print_energy(cli_call *call, dscq_error *err)
{
    static const struct {
        const char *name, *text;
    } k_rows[] = {
#define X(name, unit) {#name, unit},
        DSCQ_ENERGY_LIST(X)
#undef X
    };
    dscq_str s = {0};

    dscq_str_add(&s, "A file under data/energy/ has one [coefficient] section each:\n");
    for (size_t i = 0; i < sizeof k_rows / sizeof k_rows[0]; i++)
        help_item(&s, k_rows[i].name, k_rows[i].text, NAME_COLUMN);
    dscq_str_add(&s, "\nCounters they are multiplied with, and the others:\n");
    for (int i = 0; i < dscq_counter_count(); i++)
        help_item(&s, dscq_counter_name(i), dscq_counter_text(i), NAME_COLUMN);
    return help_print(call, &s, err);
}

const cli_topic cli_topic_energy = {"energy", "coefficients and counters",
                                    print_energy};

static dscq_status print_encodings(cli_call *call, dscq_error *err)
{
    dscq_str s = {0};

    dscq_str_add(&s, "Kinds: fixed (profile machine), at rest (and loaded), deep (and "
                     "archive), comparison (only\nwhen named). Rates are those of a "
                     "plain decoder in hardware.\n\n");
    for (int32_t i = 0; i < dscq_pack_encoding_count(); i++) {
        const dscq_pack_encoding_info *e = dscq_pack_encoding_at(i);
        char text[512];
        if (e == NULL)
            continue;
        (void)snprintf(text, sizeof text, "%s. %s; %g a cycle, %ld table bits: %s",
                       e->summary, dscq_pack_kind_name(e->kind),
                       e->hw_entries_per_cycle, (long)e->hw_table_bits, e->hw_note);
        help_item(&s, e->name, text, NAME_COLUMN);
    }
    return help_print(call, &s, err);
}

const cli_topic cli_topic_encodings = {"encodings", "how weights are stored",
                                       print_encodings};

static dscq_status print_keys(cli_call *call, dscq_error *err)
{
    dscq_str s = {0};

    put_section(&s, "net", dscq_net_keys);
    put_section(&s, "data", dscq_data_keys);
    put_section(&s, "train", dscq_train_keys);
    put_section(&s, "compress", dscq_compress_keys);
    put_section(&s, "compress_layer", dscq_layer_keys);
    put_section(&s, "sensitivity", dscq_sense_keys);
    put_section(&s, "search", dscq_search_keys);
    put_section(&s, "machine", dscq_machine_keys());
    put_section(&s, "schedule", dscq_schedule_keys());
    return help_print(call, &s, err);
}

const cli_topic cli_topic_keys = {"keys", "every key of a net.cfg and a machine file",
                                  print_keys};
