#include "dscq/base/alloc.h"
#include "help.h"

#include <stdio.h>
#include <string.h>

static dscq_status no_such_command(const char *name, dscq_error *err)
{
    const char *names[64];
    const size_t n = cli_listed(names, 64, &cli_whole_program);
    const char *near = cli_near(name, names, n);
    if (near != NULL)
        return dscq_fail(err, DSCQ_ARG, "no command '%s'; did you mean '%s'?", name,
                         near);
    return dscq_fail(err, DSCQ_ARG, "no command '%s'; try 'dscq help'", name);
}

/* Who types the name alone wants to know what there is: as talk, since it is an error.
 */
static dscq_status no_command(dscq_error *err)
{
    dscq_str s = {0};

    cli__help_overview(&s, &cli_whole_program);
    if (s.text != NULL && !s.bad)
        (void)fprintf(stderr, "%s\n", s.text);
    dscq_str_free(&s);
    return dscq_fail(err, DSCQ_ARG, "no command given; try 'dscq help'");
}

/* A gate that was not met and answers that differ are results: print them. */
static int has_result(dscq_status status)
{
    return status == DSCQ_OK || status == DSCQ_GATE || status == DSCQ_MISMATCH;
}

static dscq_status run(const cli_cmd *cmd, int argc, char **argv, dscq_error *err)
{
    cli_call call = {.program = &cli_whole_program, .cmd = cmd};
    void *options = dscq_calloc(1, cmd->option_bytes);
    dscq_status status;

    if (options == NULL)
        return dscq_fail_nomem(err, "options", cmd->option_bytes);
    DSCQ_TRY(cli_parse(&call, options, argc, argv, err));
    DSCQ_TRY(cli_output_create(&call.out, &call, err));
    DSCQ_TRY(cli_talk_start(&call, err));
    if (call.common.help)
        cli_help_command(&call, cmd);
    else if ((status = cli_check_kinds(&call, options, err)) == DSCQ_OK)
        status = cmd->run(&call, options, err);
    cli_talk_end();
    if (has_result(status) || call.has_result) {
        dscq_error late = {DSCQ_OK, ""};
        const dscq_status written = cli_output_finish(&call, &late);
        if (written != DSCQ_OK && has_result(status)) {
            status = written;
            *err = late;
        }
    } else {
        cli_output_stop(&call, status);
    }
done:
    cli_output_destroy(call.out);
    dscq_free(options);
    return status;
}

/* Asked for on the command line, even when that cannot be read to its end. */
static int wants_json_lines(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--progress=json") == 0 ||
            (strcmp(argv[i], "--progress") == 0 && i + 1 < argc &&
             strcmp(argv[i + 1], "json") == 0))
            return 1;
    return 0;
}

/* `dscq -h` and `dscq --version` are spellings of two commands. */
static const char *command_word(char **argv)
{
    if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)
        return "help";
    if (strcmp(argv[1], "--version") == 0)
        return "version";
    return argv[1];
}

int main(int argc, char **argv)
{
    dscq_error err = {DSCQ_OK, ""};
    const int as_json = wants_json_lines(argc, argv);
    const cli_cmd *cmd =
        argc > 1 ? cli_find(&cli_whole_program, command_word(argv)) : NULL;
    dscq_status status;

    cli_signals_install();
    if (argc < 2)
        status = no_command(&err);
    else if (cmd == NULL)
        status = no_such_command(argv[1], &err);
    else
        status = run(cmd, argc - 1, argv + 1, &err);
    if (status != DSCQ_OK && err.msg[0] != '\0')
        cli_say_error(as_json, &err);
    return dscq_status_exit_code(status);
}
