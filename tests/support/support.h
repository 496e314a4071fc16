/*
 * support.h - what every test program needs: a main, a folder of its own,
 * golden files, failing allocations and writes, the shared data folder.
 *
 *     static Suite *make(void) { ... }
 *     int main(void) { return test_run(make); }
 */
#ifndef DSCQ_TEST_SUPPORT_H
#define DSCQ_TEST_SUPPORT_H

#include "dscq/base/status.h"

#include <check.h>
#include <stddef.h>
#include <stdint.h>

/* Run the suite; the value for main(). Removes the temporary folder. TEST_SKIPPED,
 * which ctest is told means "skipped", when every test called test_skip() and none
 * failed. */
enum { TEST_SKIPPED = 77 };
int test_run(Suite *(*make)(void));
int test_run_all(Suite *(*const make[])(void), size_t count);

/* A suite of one case called "core": for files with few tests. Add the tests to
 * *tc. */
Suite *test_suite(const char *name, TCase **tc);

/* "<folder of this test process>/<name>"; the folder exists and is removed by
 * test_run(). `name` may be "" for the folder itself. Returns a static buffer of
 * eight that are used in turn. */
const char *test_path(const char *name);

/* Write a text file into that folder; returns its path as above. */
const char *test_file(const char *name, const char *text);
const char *test_file_bytes(const char *name, const void *data, size_t bytes);
/* The whole file as text, freed with dscq_free(); fails the test when absent. */
char *test_read(const char *path);
/* How many files the folder holds (are temporary files left behind?). */
size_t test_file_count(const char *dir);

/* Compare with tests/golden/<name>, byte by byte; the message names the first
 * line that differs. DSCQ_UPDATE_GOLDEN=1 writes the file instead. */
void test_golden(const char *name, const void *data, size_t bytes);
void test_golden_text(const char *name, const char *text);

/* <source>/<relative>. */
const char *test_source(const char *relative);

/* This test leaves out something for want of what the reason names: prints
 * "SKIP: <reason>", which tools/check lists at its end. It counts as skipped even when
 * it goes on and the rest holds; usually it returns. The reason ends in what would
 * help. */
void test_skip(const char *reason, ...) __attribute__((format(printf, 1, 2)));

/* Path in the shared data folder (env DSCQ_SHARED, else ../shared beside the
 * project), or NULL after test_skip() when it is not there. */
const char *test_shared(const char *relative);

/* The same for an .xz of it, unpacked into the test's folder. */
const char *test_shared_unpacked(const char *relative);

/* Whether this build has what DSCQ_WITH_<part> switches: `has`, with test_skip() when
 * it has not. */
int test_has(int has, const char *part);
int test_has_json(void);

/* Whether the shell finds a program; test_skip() when not. */
int test_has_program(const char *name);

/* Run op with its 1st, 2nd, ... allocation failing until it succeeds untouched.
 * Every failure must be DSCQ_NOMEM with a message. Leaks are the business of
 * AddressSanitizer. op must release what it made. Returns how many failed. */
typedef dscq_status test_op(void *ctx, dscq_error *err);
unsigned test_each_alloc_fails(test_op *op, void *ctx);
/* The same for the k-th write to disk; every failure must be DSCQ_IO. */
unsigned test_each_write_fails(test_op *op, void *ctx);

/* Run the program with these arguments (a NULL ends them) in `dir` (NULL: the
 * test's folder). Output is cut at the size of the arrays. Returns the exit code,
 * or -1 when it died of a signal. */
typedef struct test_output {
    char out[1 << 16], err[1 << 16];
} test_output;
int test_command(test_output *o, const char *dir, const char *const argv[]);

/* err.msg and status in one assert. */
#define test_fails(call, want_status, want_message)                                    \
    do {                                                                               \
        const dscq_status test_status = (call);                                        \
        ck_assert_msg(test_status == (want_status), "%s: status %s, want %s (%s)",     \
                      #call, dscq_status_name(test_status),                            \
                      dscq_status_name(want_status), err.msg);                         \
        ck_assert_str_eq(err.msg, want_message);                                       \
    } while (0)

#define test_ok(call)                                                                  \
    do {                                                                               \
        const dscq_status test_status = (call);                                        \
        ck_assert_msg(test_status == DSCQ_OK, "%s: %s: %s", #call,                     \
                      dscq_status_name(test_status), err.msg);                         \
    } while (0)

#endif
