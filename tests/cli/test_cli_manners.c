/* The command line as a user and a script see it. The list of commands comes from the
 * program itself, so a new command is tested the moment its row exists. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/json.h"
#include "dscq/base/str.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMANDS_MAX = 64 };

static test_output o;

static int run(const char *a, const char *b, const char *c, const char *d)
{
    const char *const argv[] = {a, b, c, d, NULL};

    return test_command(&o, NULL, argv);
}

/* Every command that is listed. */
static size_t commands(char name[COMMANDS_MAX][64])
{
    size_t n = 0;

    ck_assert_int_eq(run("__complete", "--", "", NULL), 0);
    for (const char *p = o.out; *p != '\0' && n < COMMANDS_MAX; n++) {
        const size_t length = strcspn(p, "\n");
        ck_assert_uint_lt(length, 64);
        memcpy(name[n], p, length);
        name[n][length] = '\0';
        p += length + 1;
    }
    ck_assert_uint_gt(n, 2);
    return n;
}

static const struct {
    const char *a, *b;
    int code;
    const char *err;
} k_mistakes[] = {
    {"vresion", NULL, 2, "dscq: no command 'vresion'; did you mean 'version'?\n"},
    {"xyzzy", NULL, 2, "dscq: no command 'xyzzy'; try 'dscq help'\n"},
    {"version", "--jsn", 2,
     "dscq: version: unknown option '--jsn'; did you mean '--json'?\n"},
    /* getopt_long() alone would take this for --verbose */
    {"version", "--verb", 2,
     "dscq: version: unknown option '--verb'; did you mean '--verbose'?\n"},
    {"version", "-x", 2,
     "dscq: version: unknown option '-x'; try 'dscq version --help'\n"},
    {"version", "--csv=1", 2, "dscq: version: option '--csv' takes no value\n"},
    {"version", "--json=", 2, "dscq: --json=: want a file name after '='\n"},
    {"version", "--seed", 2,
     "dscq: version: unknown option '--seed'; it is one of train, eval, sensitivity, "
     "compress\n"},
    {"version", "--nobody-has-this", 2,
     "dscq: version: unknown option '--nobody-has-this'; try 'dscq version --help'\n"},
    {"version", "operand", 2,
     "dscq: version: 'operand' is one operand too many; try 'dscq version --help'\n"},
    {"help", "exit-code", 2,
     "dscq: no command or topic 'exit-code'; did you mean 'exit-codes'?\n"},
    {"train", "--threads", 2, "dscq: train: option '--threads' needs a value\n"},
    {"train", "--threads=300", 2,
     "dscq: --threads = '300': want a whole number in [0, 256]\n"},
    {"train", "--progress=maybe", 2,
     "dscq: --progress = 'maybe': want one of auto|none|json\n"},
};

START_TEST(a_mistake_is_one_line_and_a_hint)
{
    ck_assert_int_eq(run(k_mistakes[_i].a, k_mistakes[_i].b, NULL, NULL),
                     k_mistakes[_i].code);
    ck_assert_str_eq(o.err, k_mistakes[_i].err);
    ck_assert_str_eq(o.out, "");
}
END_TEST

/* From anybody's folder, not installed: the sources' data/ is found beside the build.
 */
START_TEST(machines_are_found_from_any_folder)
{
    (void)unsetenv("DSCQ_DATA");
    ck_assert_int_eq(run("simulate", "none.bin", "--machine=nobody", NULL), 7);
    ck_assert_ptr_nonnull(strstr(o.err, "machine nobody: not one of "));
    ck_assert_ptr_nonnull(strstr(o.err, "/data/machines: "));
    ck_assert_ptr_nonnull(strstr(o.err, ", zcu104"));
    ck_assert_int_eq(setenv("DSCQ_DATA", "absent", 1), 0);
    ck_assert_int_eq(run("simulate", "none.bin", "--machine=zcu104", NULL), 7);
    ck_assert_ptr_nonnull(strstr(o.err, "set DSCQ_DATA"));
    (void)unsetenv("DSCQ_DATA");
}
END_TEST

START_TEST(the_name_alone_shows_what_there_is)
{
    ck_assert_int_eq(run(NULL, NULL, NULL, NULL), 2);
    ck_assert_str_eq(o.out, "");
    ck_assert(strncmp(o.err, "usage: dscq COMMAND", 19) == 0);
    ck_assert_ptr_nonnull(strstr(o.err, "\n  compress "));
    ck_assert_ptr_nonnull(strstr(o.err, "\ndscq: no command given; try 'dscq help'\n"));
}
END_TEST

START_TEST(results_go_to_stdout_and_nothing_else_does)
{
    ck_assert_int_eq(run("version", NULL, NULL, NULL), 0);
    ck_assert(strncmp(o.out, "dscq ", 5) == 0);
    ck_assert_str_eq(o.err, "");
    ck_assert_int_eq(run("--version", NULL, NULL, NULL), 0);
    ck_assert_int_eq(run("--help", NULL, NULL, NULL), 0);
    ck_assert_ptr_nonnull(strstr(o.out, "usage: dscq COMMAND"));
    ck_assert_uint_eq(test_file_count(test_path("")), 0);
}
END_TEST

START_TEST(json_is_json_and_goes_to_a_file_when_asked)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_json *j = NULL;

    if (!test_has_json())
        return;
    ck_assert_int_eq(run("version", "--json", NULL, NULL), 0);
    test_ok(dscq_json_parse(&j, o.out, strlen(o.out), "stdout", &err));
    ck_assert_str_eq(dscq_json_text(dscq_json_get(j, "schema"), ""), "dscq.version/1");
    dscq_json_free(j);
    ck_assert_int_eq(run("version", "--json=v.json", NULL, NULL), 0);
    ck_assert(strncmp(o.out, "dscq ", 5) == 0); /* text stays on stdout */
    test_ok(dscq_json_load(&j, test_path("v.json"), &err));
    dscq_json_free(j);
    ck_assert_int_eq(run("version", "--json=v.json", NULL, NULL), 2);
    ck_assert_str_eq(o.err, "dscq: v.json: exists; use --force to replace it\n");
    ck_assert_int_eq(run("version", "--json=v.json", "--force", NULL), 0);
    ck_assert_int_eq(run("version", "--json=no/such/v.json", NULL, NULL), 7);
    ck_assert_int_eq(run("version", "--json", "--csv", NULL), 2);
    ck_assert_str_eq(
        o.err, "dscq: version: --json and --csv both want stdout; try --json=FILE\n");
}
END_TEST

START_TEST(a_full_stdout_is_an_error)
{
    char command[4096];

    (void)snprintf(command, sizeof command, "'%s' help > /dev/full 2> '%s'",
                   DSCQ_BINARY, test_path("err"));
    const int status = system(command); /* NOLINT(cert-env33-c): a fixed command */
    ck_assert_int_eq(status >> 8, 7);
    char *text = test_read(test_path("err"));
    ck_assert_str_eq(
        text, "dscq: cannot write to standard output: No space left on device\n");
    dscq_free(text);
}
END_TEST

/* What follows "usage: dscq NAME " up to the line's end. */
static void usage_line(char *out, size_t cap, const char *name)
{
    char start[128];

    (void)snprintf(start, sizeof start, "usage: dscq %s [OPTION]...", name);
    ck_assert_msg(strncmp(o.out, start, strlen(start)) == 0, "%s: %s", name, o.out);
    const char *rest = o.out + strlen(start);
    const size_t n = strcspn(rest, "\n");
    ck_assert_uint_lt(n, cap);
    memcpy(out, rest, n);
    out[n] = '\0';
}

static void unescape(char *out, const char *page)
{
    for (; *page != '\0'; page++)
        if (strncmp(page, "\\-", 2) != 0)
            *out++ = *page;
        else {
            *out++ = '-';
            page++;
        }
    *out = '\0';
}

START_TEST(every_command_has_help_and_a_page_with_the_same_synopsis)
{
    char name[COMMANDS_MAX][64], usage[512], help[sizeof o.out], want[640];
    static char page[sizeof o.out];
    const size_t n = commands(name);

    for (size_t i = 0; i < n; i++) {
        ck_assert_int_eq(run("help", name[i], NULL, NULL), 0);
        usage_line(usage, sizeof usage, name[i]);
        memcpy(help, o.out, sizeof help);
        ck_assert_int_eq(run(name[i], "-h", NULL, NULL), 0);
        ck_assert_str_eq(o.out, help);
        for (const char *p = help; *p != '\0';) { /* fits a terminal */
            const size_t width = strcspn(p, "\n");
            const int typed =
                strncmp(p, "    $", 5) == 0 || strncmp(p, "usage", 5) == 0;
            ck_assert_msg(typed || width <= 80, "%s: a line of %zu: %.*s", name[i],
                          width, (int)width, p);
            p += width + (p[width] == '\n');
        }
        ck_assert_int_eq(run("help", "--man", name[i], NULL), 0);
        unescape(page, o.out);
        (void)snprintf(want, sizeof want, "\\fBdscq %s\\fR [\\fIOPTION\\fR]...%s\n",
                       name[i], usage);
        ck_assert_msg(strstr(page, want) != NULL, "%s: no '%s' in its page", name[i],
                      want);
        ck_assert_ptr_nonnull(strstr(page, ".SH EXIT STATUS\n"));
    }
}
END_TEST

START_TEST(every_page_pleases_mandoc)
{
    char name[COMMANDS_MAX][64], command[8192];
    const size_t n = commands(name);

    if (!test_has_program("mandoc"))
        return;
    for (size_t i = 0; i <= n; i++) {
        const char *page = test_path("page");
        (void)snprintf(
            command, sizeof command,
            "'%s' help --man %s > '%s' && mandoc -T lint -W warning '%s' >&2",
            DSCQ_BINARY, i < n ? name[i] : "", page, page);
        ck_assert_msg(system(command) == 0, "%s", /* NOLINT(cert-env33-c) */
                      i < n ? name[i] : "dscq");
    }
}
END_TEST

START_TEST(every_topic_prints_something)
{
    ck_assert_int_eq(run("__complete", "--", "help", ""), 0);
    char list[sizeof o.out];
    memcpy(list, o.out, sizeof list);
    int topics = 0;
    for (char *p = list; *p != '\0';) {
        char *end = p + strcspn(p, "\n");
        const char *next = *end == '\0' ? end : end + 1;
        *end = '\0';
        ck_assert_msg(run("help", p, NULL, NULL) == 0, "%s: %s", p, o.err);
        ck_assert_msg(strlen(o.out) > 20, "%s: %s", p, o.out);
        for (const char *q = list; q < p; q += strlen(q) + 1)
            ck_assert_msg(strcmp(q, p) != 0, "'%s' is a command and a topic", p);
        topics++;
        p += next - p;
    }
    ck_assert_int_gt(topics, 5);
}
END_TEST

START_TEST(completion_comes_from_the_same_tables)
{
    ck_assert_int_eq(run("__complete", "--", "vers", NULL), 0);
    ck_assert_str_eq(o.out, "version\n");
    ck_assert_int_eq(run("__complete", "--", "version", "--j"), 0);
    ck_assert_str_eq(o.out, "--json\n");
    const char *const choice[] = {"__complete", "--", "train", "--progress", "n", NULL};
    ck_assert_int_eq(test_command(&o, NULL, choice), 0);
    ck_assert_str_eq(o.out, "none\n");
    ck_assert_int_eq(run("__complete", "--", "nonsense", "x"), 0);
    ck_assert_str_eq(o.out, "");
    ck_assert_int_eq(run("__complete", "--", "help", "exit"), 0);
    ck_assert_str_eq(o.out, "exit-codes\n");
}
END_TEST

START_TEST(a_missing_operand_names_the_synopsis)
{
    ck_assert_int_eq(run("train", NULL, NULL, NULL), 2);
    ck_assert(strncmp(o.err, "dscq: train: want ", 18) == 0);
    ck_assert_int_eq(run("train", "--no-such", NULL, NULL), 2);
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("the command line's manners", &tc);

    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, a_mistake_is_one_line_and_a_hint, 0,
                        sizeof k_mistakes / sizeof k_mistakes[0]);
    tcase_add_test(tc, machines_are_found_from_any_folder);
    tcase_add_test(tc, the_name_alone_shows_what_there_is);
    tcase_add_test(tc, results_go_to_stdout_and_nothing_else_does);
    tcase_add_test(tc, json_is_json_and_goes_to_a_file_when_asked);
    tcase_add_test(tc, a_full_stdout_is_an_error);
    tcase_add_test(tc, every_command_has_help_and_a_page_with_the_same_synopsis);
    tcase_add_test(tc, every_page_pleases_mandoc);
    tcase_add_test(tc, every_topic_prints_something);
    tcase_add_test(tc, completion_comes_from_the_same_tables);
    tcase_add_test(tc, a_missing_operand_names_the_synopsis);
    return s;
}

int main(void)
{
    return test_run(make);
}
