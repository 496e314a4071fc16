/* The tour of README.md, as written there: every `$ build/dscq ...` line must end with
 * exit code 0. Training is cut down by settings so that it takes seconds. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 1024, TOUR_SECONDS = 500 };

/* Smaller data and fewer epochs; only for the commands that train. */
static const char *const k_short = " --set data.count=300 --set data.test_count=60 "
                                   "--set train.epochs=1 --set compress.epochs=1";

static const char *const k_quick = " --set data.count=300 --set sensitivity.prune=0.5 "
                                   "--set sensitivity.bits=4 --set "
                                   "sensitivity.channels= --set "
                                   "sensitivity.norm_images=64";

static const char *const k_search =
    " --set data.count=300 --set data.test_count=60 --set compress.epochs=1 --set "
    "sensitivity.prune=0.5 --set sensitivity.bits=4,8 --set sensitivity.channels= "
    "--set "
    "sensitivity.norm_images=64 --set search.trials=4 --set search.max_loss=1 --set "
    "search.trial_loss=1";

static void run_line(const char *line)
{
    char command[4 * LINE_BYTES];
    const char *comment = strstr(line, " #");
    const int n = comment != NULL ? (int)(comment - line) : (int)strlen(line);
    const char *args = line + strlen("$ build/dscq ");
    const int is_training =
        strncmp(args, "train ", 6) == 0 || strncmp(args, "compress ", 9) == 0;
    const int is_sense = strncmp(args, "sensitivity ", 12) == 0;
    const int is_search = strstr(args, "--search") != NULL;

    snprintf(command, sizeof command,
             "cd '%s' && DSCQ_DATA='%s' '%s' %.*s%s >out.txt 2>err.txt", test_path(""),
             test_source("data"), DSCQ_BINARY, n - (int)strlen("$ build/dscq "), args,
             is_search     ? k_search
             : is_training ? k_short
             : is_sense    ? k_quick
                           : "");
    const int code = system(command);
    if (code != 0) {
        char *said = test_read(test_path("err.txt"));
        ck_abort_msg("%s\nended with %d: %s", command, code, said);
    }
}

static void make_world(void)
{
    char command[LINE_BYTES];

    snprintf(command, sizeof command, "ln -s '%s' '%s'", test_source("data"),
             test_path("data"));
    ck_assert_int_eq(system(command), 0);
}

START_TEST(every_command_of_the_tour_works)
{
    char *text = test_read(test_source("README.md"));
    int commands = 0;

    make_world();
    for (char *line = text; line != NULL && *line != '\0';) {
        char *end = strchr(line, '\n');
        if (end != NULL)
            *end = '\0';
        if (strncmp(line, "$ build/dscq ", 13) == 0) {
            run_line(line);
            commands++;
        }
        line = end != NULL ? end + 1 : NULL;
    }
    ck_assert_int_ge(commands, 7);
    dscq_free(text);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("tour", &tc);

    tcase_set_timeout(tc, TOUR_SECONDS);
    tcase_add_test(tc, every_command_of_the_tour_works);
    return s;
}

int main(void)
{
    return test_run(make);
}
