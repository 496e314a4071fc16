/* The topics of `dscq help` that belong to the command line itself. */
#include "help.h"

#include <stdio.h>

static dscq_status print_options(cli_call *call, dscq_error *err)
{
    static const cli_cmd k_all = {.name = "NAME", .takes = ~0U};
    const cli_opt *row[16];
    char form[200] = "", text[512] = "";
    dscq_str s = {0};

    dscq_str_add(&s, "These mean the same in every command that takes them:\n\n");
    const size_t n = cli_common_options(row, &k_all);
    for (size_t i = 0; i < n; i++) {
        cli__help_option_form(form, sizeof form, row[i]);
        cli__help_option_text(text, sizeof text, row[i]);
        cli__help_item(&s, form, text, 34);
    }
    dscq_str_add(&s, "\n");
    cli__help_fill(
        &s,
        "Names are written in full: no beginning of one is accepted, so that a "
        "script does not break when an option is added. '--' ends the options. A "
        "setting has its default, then the value in the file, then --set, then "
        "an option of its own; the later wins.\n\n"
        "Numbers may have a prefix and the unit that the key's name ends in: 10k, "
        "256KiB, 200MHz, 90%. Times are 90s, 30min, 1h30m. A path that begins "
        "with ~/ begins in the home folder.\n\n"
        "--progress json writes nothing but JSON lines on stderr: objects with an "
        "event: progress (what, done, total, note), message or warning (text), "
        "error (text, exit_code).",
        0, 0);
    return cli__help_print(call, &s, err);
}

const cli_topic cli_topic_options = {"options", "the options that commands share",
                                     print_options};

static dscq_status print_exit_codes(cli_call *call, dscq_error *err)
{
    static const struct {
        int code;
        const char *text;
    } k_codes[] = {
#define X(name, code, text) {code, text},
        DSCQ_STATUS_LIST(X)
#undef X
    };
    char code[16];
    dscq_str s = {0};

    for (size_t i = 0; i < sizeof k_codes / sizeof k_codes[0]; i++) {
        (void)snprintf(code, sizeof code, "%3d", k_codes[i].code);
        cli__help_item(&s, code, k_codes[i].text, 8);
    }
    dscq_str_add(&s,
                 "\n3 and 6 mean: it ran, and the answer is no. The others mean: it "
                 "did not run.\n");
    return cli__help_print(call, &s, err);
}

const cli_topic cli_topic_exit_codes = {"exit-codes", "what the exit codes mean",
                                        print_exit_codes};

static dscq_status print_environment(cli_call *call, dscq_error *err)
{
    dscq_str s = {0};

    cli__help_item(&s, "DSCQ_DATA",
                   "folder with nets/, machines/, boards/, dram/, energy/", 16);
    cli__help_item(&s, "DSCQ_TRACE",
                   "modules, divided by commas, or 'all': each tells on stderr what it "
                   "decides, a line a decision that begins with the module's name:",
                   16);
    for (int i = 0; i < DSCQ_TRACES; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "  %s", dscq_traced_word((dscq_traced)i));
        cli__help_item(&s, name, dscq_traced_text((dscq_traced)i), 16);
    }
    cli__help_item(&s, "NO_COLOR", "not empty: no colours on the terminal", 16);
    cli__help_item(&s, "TERM", "'dumb' or not set: no progress bars", 16);
    return cli__help_print(call, &s, err);
}

const cli_topic cli_topic_environment = {
    "environment", "environment variables that are read", print_environment};
