/* The command line read by itself: options into a struct, mistakes into one line with a
 * remedy; words that are nearly right; help that fills its lines. */
#include "dscq/base/str.h"
#include "help.h"
#include "support.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

typedef struct choices {
    int32_t deep, width, colour;
    char file[32];
    cli_words also;
} choices;

static const cli_opt k_options[] = {
    CLI_OPT_FLAG(choices, deep, "--deep", 'd', "go down"),
    CLI_OPT_INT(choices, width, "--width", 'w', "N", 1, 9, "4", "how wide"),
    CLI_OPT_ENUM(choices, colour, "--colour", 0, "red|green", "green", "which"),
    CLI_OPT_STR(choices, file, "--file", 'f', "FILE", "", "where"),
    CLI_OPT_MANY(choices, also, "--also", 'a', "WORD", "more"),
    CLI_OPT_END};
static const cli_opt k_other_options[] = {
    CLI_OPT_FLAG(choices, deep, "--elsewhere", 0, "of the other"), CLI_OPT_END};

static dscq_status no_run(cli_call *call, const void *options, dscq_error *err)
{
    (void)call;
    (void)options;
    (void)err;
    return DSCQ_OK;
}

static const cli_cmd k_cmd = {.name = "dig",
                              .synopsis = "HOLE [TOOL]",
                              .takes = CLI_TAKES_TABLE | CLI_TAKES_CONFIG,
                              .min_args = 1,
                              .max_args = 2,
                              .options = k_options,
                              .option_bytes = sizeof(choices),
                              .run = no_run};
static const cli_cmd k_other = {
    .name = "fill", .options = k_other_options, .run = no_run};
static const cli_cmd k_hidden = {
    .name = "secret", .group = CLI_HIDDEN, .options = k_other_options, .run = no_run};
static const cli_cmd *const k_commands[] = {&k_cmd, &k_other, &k_hidden, NULL};
static const cli_topic *const k_topics[] = {NULL};
static const cli_program k_program = {k_commands, k_topics};

/* "dig" and the words of `line` through cli_parse(). */
static dscq_status parse(cli_call *call, choices *out, const char *line,
                         dscq_error *err)
{
    static char text[256];
    static char *argv[24];
    int argc = 0;

    snprintf(text, sizeof text, "dig %s", line);
    for (char *p = strtok(text, " "); p != NULL; p = strtok(NULL, " "))
        argv[argc++] = p;
    argv[argc] = NULL;
    memset(out, 0, sizeof *out);
    *call = (cli_call){.program = &k_program, .cmd = &k_cmd};
    return cli_parse(call, out, argc, argv, err);
}

START_TEST(options_and_operands_reach_their_places)
{
    cli_call call;
    choices o;
    dscq_error err;

    test_ok(parse(&call, &o, "pit", &err));
    ck_assert_int_eq(o.width, 4);
    ck_assert_int_eq(o.colour, 1);
    ck_assert_str_eq(call.arg[0], "pit");
    ck_assert(!cli_given(&call, "--width"));
    test_ok(
        parse(&call, &o, "-dw7 pit --colour red --also a -ab --file=x -- -w", &err));
    ck_assert_int_eq(o.deep, 1);
    ck_assert_int_eq(o.width, 7);
    ck_assert_int_eq(o.colour, 0);
    ck_assert_str_eq(o.file, "x");
    ck_assert_int_eq(o.also.count, 2);
    ck_assert_str_eq(o.also.v[1], "b");
    ck_assert_int_eq(call.arg_count, 2);
    ck_assert_str_eq(call.arg[1], "-w");
    ck_assert(cli_given(&call, "--width") && cli_given(&call, "--deep"));
    test_ok(parse(&call, &o, "pit --json=r.json --csv --set a.b=c --set d.e=f", &err));
    ck_assert_str_eq(call.common.json_file, "r.json");
    ck_assert_int_eq(call.common.set.count, 2);
}
END_TEST

static const struct {
    const char *line, *message;
} k_wrong[] = {
    {"", "dig: want HOLE [TOOL]; try 'dscq dig --help'"},
    {"a b c", "dig: 'c' is one operand too many; try 'dscq dig --help'"},
    {"a -", "dig: '-': standard input is not read; name a file"},
    {"a --width", "dig: option '--width' needs a value"},
    {"a --width 10", "--width = '10': want a whole number in [1, 9]"},
    {"a --colour blue", "--colour = 'blue': want one of red|green"},
    {"a --deep=1", "dig: option '--deep' takes no value"},
    {"a --dep", "dig: unknown option '--dep'; did you mean '--deep'?"},
    {"a --wid 3", "dig: unknown option '--wid'; did you mean '--width'?"},
    {"a --elsewhere", "dig: unknown option '--elsewhere'; it is one of fill"},
    {"a --epochs 3", "dig: unknown option '--epochs'; did you mean --set "
                     "train.epochs=3 (or compress.epochs=3)?"},
    {"a -x", "dig: unknown option '-x'; try 'dscq dig --help'"},
    {"a --json --csv", "dig: --json and --csv both want stdout; try --json=FILE"},
    {"a b --json out.json", "dig: 'out.json' behind --json is an operand; to write "
                            "there, write --json=out.json"},
    {"a --file -", "--file -: want a name; standard output is /dev/stdout"},
};

START_TEST(mistakes_are_named_with_a_remedy)
{
    cli_call call;
    choices o;
    dscq_error err = {DSCQ_OK, ""};

    test_fails(parse(&call, &o, k_wrong[_i].line, &err), DSCQ_ARG, k_wrong[_i].message);
}
END_TEST

START_TEST(near_words_are_found_and_far_ones_are_not)
{
    const char *names[4];
    const size_t n = cli_listed(names, 4, &k_program);

    ck_assert_uint_eq(n, 2); /* the hidden one is not listed */
    ck_assert_str_eq(cli_near("dgi", names, n), "dig");
    ck_assert_str_eq(cli_near("fil", names, n), "fill");
    ck_assert_ptr_null(cli_near("excavate", names, n));
    ck_assert_ptr_eq(cli_find(&k_program, "secret"), &k_hidden);
    ck_assert_ptr_null(cli_find(&k_program, "di"));
}
END_TEST

START_TEST(help_keeps_to_its_lines)
{
    char text[400] = "", form[100], said[100];
    dscq_str s = {0};

    for (int i = 0; i < 30; i++)
        strcat(text, i % 7 == 0 ? "wonderful " : "words ");
    strcat(text, "\n\nend");
    cli__help_item(&s, "--name", text, 20);
    ck_assert(!s.bad);
    for (const char *p = s.text; *p != '\0'; p += strcspn(p, "\n") + 1) {
        const size_t n = strcspn(p, "\n");
        ck_assert_uint_le(n, HELP_WIDTH);
        if (p != s.text && n > 0)
            ck_assert_uint_ge(strspn(p, " "), 20);
    }
    ck_assert_ptr_nonnull(strstr(s.text, "\n\n                    end\n"));
    cli__help_option_form(form, sizeof form, &k_options[1]);
    ck_assert_str_eq(form, "-w, --width N");
    cli__help_option_form(form, sizeof form, &k_options[2]);
    ck_assert_str_eq(form, "    --colour red|green");
    cli__help_option_text(said, sizeof said, &k_options[1]);
    ck_assert_str_eq(said, "how wide (default 4)");
    dscq_str_free(&s);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("cli_parse", &tc);

    tcase_add_test(tc, options_and_operands_reach_their_places);
    tcase_add_loop_test(tc, mistakes_are_named_with_a_remedy, 0,
                        sizeof k_wrong / sizeof *k_wrong);
    tcase_add_test(tc, near_words_are_found_and_far_ones_are_not);
    tcase_add_test(tc, help_keeps_to_its_lines);
    return s;
}

int main(void)
{
    return test_run(make);
}
