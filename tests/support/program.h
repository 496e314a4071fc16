/*
 * program.h - the program itself in the test's folder: whole runs, killed ones, and the
 * files they leave. Arguments are one text, divided by blanks.
 */
#ifndef DSCQ_TEST_PROGRAM_H
#define DSCQ_TEST_PROGRAM_H

#include "support.h"

#include <sys/types.h>

/* stdout.txt and stderr.txt of the folder get what it says. */
pid_t test_start(const char *args);
int test_finish(pid_t pid); /* exit code, or 128 + signal */
int test_program(const char *args);
void test_program_ok(const char *args); /* fails the test with what it said */
/* It ends with code `want` and says `said`. */
void test_program_fails(const char *args, int want, const char *said);
/* Start it, kill -9 it after ever longer times, with `more` appended from the second
 * time on, until it gets through with exit code `code`; returns how often it was
 * killed. */
int test_kill_until_done(const char *args, const char *more, int code);
/* Two files of the folder are equal byte by byte. */
void test_same(const char *a, const char *b);
/* So are these files of two folders in it. */
void test_same_files(const char *a, const char *b, const char *const *file,
                     size_t count);
/* A number of DIR/run.json in the folder; -1: it is not there. */
double test_run_number(const char *dir, const char *key);
/* stderr.txt, or stdout.txt, has the text. */
void test_said(const char *text);
void test_printed(const char *text);

#endif
