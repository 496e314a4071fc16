/* `dscq help machine|memory|energy|encodings`. */
#include "dscq/dram/config.h"
#include "dscq/dram/dram.h"
#include "dscq/energy/energy.h"
#include "dscq/hw/counters.h"
#include "dscq/hw/machine.h"
#include "dscq/pack/encoding.h"
#include "help_rows.h"

#include <string.h>

static dscq_status print_machine(cli_call *call, dscq_error *err)
{
    dscq_str s = {0};

    dscq_str_add(&s, "A file under data/machines/:\n");
    cli__put_section(&s, "machine", dscq_machine_keys());
    cli__put_section(&s, "schedule", dscq_schedule_keys());
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
    dscq_str_add(&s, "\nStandards:\n");
    for (int i = 0; i < dscq_dram_standard_count(); i++)
        cli__help_item(&s, dscq_dram_standard_name(i), dscq_dram_standard_summary(i),
                       NAME_COLUMN);
    cli__put_section(&s, "device", dscq_dram_device_keys());
    cli__put_section(&s, "controller", dscq_dram_controller_keys());
    cli__put_section(&s, "termination", dscq_dram_termination_keys());
    return cli__help_print(call, &s, err);
}

const cli_topic cli_topic_dram = {"memory", "DRAM: rule sets, standards and keys",
                                  print_dram};

static dscq_status print_energy(cli_call *call, dscq_error *err)
{
    dscq_str s = {0};

    dscq_str_add(&s, "A file under data/energy/ has one [coefficient] section each:\n");
    for (int i = 0; i < DSCQ_ENERGY_COUNT; i++)
        cli__help_item(&s, dscq_energy_name(i), dscq_energy_unit(i), NAME_COLUMN);
    dscq_str_add(&s, "\nCounters they are multiplied with, and the others:\n");
    for (int i = 0; i < dscq_counter_count(); i++)
        cli__help_item(&s, dscq_counter_name(i), dscq_counter_text(i), NAME_COLUMN);
    return cli__help_print(call, &s, err);
}

const cli_topic cli_topic_energy = {"energy", "coefficients and counters",
                                    print_energy};

static dscq_status print_encodings(cli_call *call, dscq_error *err)
{
    dscq_str s = {0};

    dscq_str_add(&s, "Kinds: fixed (profile machine), at rest (and loaded), deep (and "
                     "archive), comparison (only\nwhen named). Rates are those of a "
                     "plain decoder in hardware.\n\n");
    for (int32_t i = 0; i < dscq_pack_encoding_count(); i++)
        if (dscq_pack_encoding_at(i) != NULL)
            cli__put_encoding(&s, dscq_pack_encoding_at(i));
    return cli__help_print(call, &s, err);
}

const cli_topic cli_topic_encodings = {"encodings", "how weights are stored",
                                       print_encodings};
