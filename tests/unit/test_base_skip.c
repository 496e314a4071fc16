/* What a test program tells ctest about tests that could not be made. */
#include "dscq/base/alloc.h"
#include "support.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PASS, SKIP, PART, FAIL, KINDS }; /* of a test inside: the loop index k */

START_TEST(inside)
{
    if (_i == SKIP || _i == PART)
        test_skip("no %s", "moon");
    if (_i == PART)
        test_skip("no sun either");
    if (_i == SKIP)
        test_skip("no %s", "moon"); /* said once */
    ck_assert_int_ne(_i, FAIL);
}
END_TEST

static int inside_from, inside_to;

static Suite *make_inside(void)
{
    TCase *tc;
    Suite *s = test_suite("inside", &tc);

    tcase_add_loop_test(tc, inside, inside_from, inside_to);
    return s;
}

/* The exit code of a program of tests [from, to), and in `said` what it printed. */
static int program_of(char *said, size_t cap, int from, int to)
{
    const char *path = test_path("said.txt");
    int status = 0;

    inside_from = from;
    inside_to = to;
    (void)fflush(NULL);
    const pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (freopen(path, "w", stdout) == NULL)
            _exit(127);
        const int code = test_run(make_inside);
        (void)fflush(NULL);
        _exit(code);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    char *text = test_read(path);
    (void)snprintf(said, cap, "%s", text);
    dscq_free(text);
    return WEXITSTATUS(status);
}

START_TEST(a_program_is_skipped_when_all_its_tests_are)
{
    static const struct {
        int from, to, code;
        const char *says;
    } k_cases[] = {
        {SKIP, SKIP + 1, TEST_SKIPPED, "1 of 1 tests skipped"},
        {PART, PART + 1, TEST_SKIPPED, "1 of 1 tests skipped"},
        {SKIP, PART + 1, TEST_SKIPPED, "2 of 2 tests skipped"},
        {PASS, PART + 1, 0, "2 of 3 tests skipped"},
        {PASS, PASS + 1, 0, NULL},
        {PASS, KINDS, 1, "2 of 4 tests skipped"},
        {FAIL, KINDS, 1, NULL},
        {PASS, PASS, 1, NULL}, /* of nothing, nothing holds */
    };
    char said[8192];

    for (size_t k = 0; k < sizeof k_cases / sizeof k_cases[0]; k++) {
        const int code = program_of(said, sizeof said, k_cases[k].from, k_cases[k].to);
        ck_assert_msg(code == k_cases[k].code, "case %zu: exit %d: %s", k, code, said);
        const char *count = strstr(said, "tests skipped");
        if (k_cases[k].says == NULL)
            ck_assert_msg(count == NULL, "case %zu: %s", k, said);
        else
            ck_assert_msg(strstr(said, k_cases[k].says) != NULL, "case %zu: %s", k,
                          said);
    }
}
END_TEST

START_TEST(a_reason_is_said_once_a_test_on_a_line_of_its_own)
{
    char said[8192];
    int moons = 0;

    (void)program_of(said, sizeof said, SKIP, SKIP + 1);
    for (const char *p = said; (p = strstr(p, "SKI"
                                              "P: no moon\n")) != NULL;
         p++)
        moons++;
    ck_assert_int_eq(moons, 1);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("skip", &tc);

    tcase_add_test(tc, a_program_is_skipped_when_all_its_tests_are);
    tcase_add_test(tc, a_reason_is_said_once_a_test_on_a_line_of_its_own);
    return s;
}

int main(void)
{
    return test_run(make);
}
