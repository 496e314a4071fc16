/* `dscq help layers|methods|data|machine|...`: what the tables of the modules say, so
 * that a new row explains itself. */
#include "dscq/compress/method.h"
#include "dscq/compress/settings.h"
#include "dscq/data/dataset.h"
#include "dscq/nn/layer.h"
#include "dscq/nn/layers.h"
#include "dscq/nn/train.h"
#include "dscq/search/search.h"
#include "dscq/sense/sense.h"
#include "help_rows.h"
#include "settings.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

static dscq_status print_layers(cli_call *call, dscq_error *err)
{
    dscq_str s = {0};

    for (size_t i = 0; i < dscq_layer_count(); i++)
        cli__put_layer(&s, dscq_layer_at(i));
    dscq_str_add(&s,
                 "\nBeside their own, sections take these where they make sense:\n");
    cli__put_keys(&s, dscq_layer_common_keys(~0U));
    return cli__help_print(call, &s, err);
}

const cli_topic cli_topic_layers = {
    "layers", "the sections of a network and their keys", print_layers};

static dscq_status print_methods(cli_call *call, dscq_error *err)
{
    dscq_key keys[DSCQ_COMPRESS_KEYS];
    dscq_str s = {0};

    for (size_t i = 0; i < dscq_method_count(); i++)
        cli__put_method(&s, dscq_method_at(i));
    dscq_compress_keys(keys);
    cli__put_section(&s, "compress", keys);
    cli__put_section(&s, "compress_layer", dscq_layer_keys);
    return cli__help_print(call, &s, err);
}

static dscq_status print_search(cli_call *call, dscq_error *err)
{
    dscq_str s = {0};

    cli__put_section(&s, "sensitivity", dscq_sense_keys);
    cli__put_section(&s, "search", dscq_search_keys);
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
    cli__put_section(&s, "data", dscq_data_keys);
    return cli__help_print(call, &s, err);
}

const cli_topic cli_topic_data = {"data", "data sets: types and keys", print_data};

static dscq_status print_train(cli_call *call, dscq_error *err)
{
    dscq_str s = {0};

    cli__put_section(&s, "net", dscq_net_keys);
    cli__put_section(&s, "train", dscq_train_keys);
    return cli__help_print(call, &s, err);
}

const cli_topic cli_topic_train = {"training", "keys of [net] and [train]",
                                   print_train};

static dscq_status print_keys(cli_call *call, dscq_error *err)
{
    cli_section all[CLI_KEY_SECTIONS];
    dscq_key compress[DSCQ_COMPRESS_KEYS];
    dscq_str s = {0};

    cli_list_sections(all, compress);
    for (size_t i = 0; i < CLI_KEY_SECTIONS; i++)
        cli__put_section(&s, all[i].name, all[i].keys);
    return cli__help_print(call, &s, err);
}

const cli_topic cli_topic_keys = {"keys", "every key of a net.cfg and a machine file",
                                  print_keys};
