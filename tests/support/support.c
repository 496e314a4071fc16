#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* nftw */
#endif

#include "support.h"

#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/json.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATHS = 8, PATH_BYTES = 4096 };

static char root[PATH_BYTES]; /* made by test_run(), shared by its children */

static int remove_one(const char *path, const struct stat *st, int flag,
                      struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    (void)chmod(path, 0700);
    return remove(path);
}

/* A line a test and reason, "PID reason", from all children of test_run(). */
static const char *skip_list(char *path, size_t cap)
{
    (void)snprintf(path, cap, "%s/skipped", root);
    return path;
}

void test_skip(const char *reason, ...)
{
    static char last[1024];
    char text[1024], line[1100], path[PATH_BYTES + 16];
    va_list args;

    va_start(args, reason);
    (void)vsnprintf(text, sizeof text, reason, args);
    va_end(args);
    if (strcmp(text, last) == 0)
        return; /* in a loop */
    memcpy(last, text, sizeof last);
    (void)printf("SKIP: %s\n", text);
    (void)fflush(stdout);
    const int n = snprintf(line, sizeof line, "%ld %s\n", (long)getpid(), text);
    const int fd = open(skip_list(path, sizeof path),
                        O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ck_assert_msg(fd >= 0 && write(fd, line, (size_t)n) == n && close(fd) == 0,
                  "cannot write %s", path);
}

/* How many tests skipped: each is a process. */
static int skipped_tests(void)
{
    char path[PATH_BYTES + 16], line[1100];
    FILE *f = fopen(skip_list(path, sizeof path), "r");
    int n = 0;

    if (f == NULL)
        return 0;
    long pids[4096];
    while (n < 4096 && fgets(line, sizeof line, f) != NULL) {
        const long pid = strtol(line, NULL, 10);
        int k = 0;
        while (k < n && pids[k] != pid)
            k++;
        if (k == n)
            pids[n++] = pid;
    }
    (void)fclose(f);
    return n;
}

int test_run_all(Suite *(*const make[])(void), size_t count)
{
    const char *tmp = getenv("TMPDIR");

    (void)snprintf(root, sizeof root, "%s/dscq-test-XXXXXX",
                   tmp != NULL && *tmp != '\0' ? tmp : "/tmp");
    if (mkdtemp(root) == NULL) {
        perror(root);
        return EXIT_FAILURE;
    }
    SRunner *runner = srunner_create(NULL);
    for (size_t i = 0; i < count; i++)
        srunner_add_suite(runner, make[i]());
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    const int run = srunner_ntests_run(runner);
    srunner_free(runner);
    const int skipped = skipped_tests();
    (void)nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (run == 0)
        (void)fprintf(stderr, "no tests were run\n");
    if (skipped > 0)
        (void)printf("%d of %d tests skipped, at least in part\n", skipped, run);
    if (failed > 0 || run == 0)
        return EXIT_FAILURE;
    return skipped == run ? TEST_SKIPPED : EXIT_SUCCESS;
}

int test_run(Suite *(*make)(void))
{
    return test_run_all(&make, 1);
}

Suite *test_suite(const char *name, TCase **tc)
{
    Suite *s = suite_create(name);

    *tc = tcase_create("core");
    tcase_set_timeout(*tc, 300); /* a busy machine is no failure */
    suite_add_tcase(s, *tc);
    return s;
}

static char *next_path(void)
{
    static char paths[PATHS][PATH_BYTES];
    static unsigned turn;

    return paths[turn++ % PATHS];
}

const char *test_path(const char *name)
{
    char *out = next_path();
    const int n = snprintf(out, PATH_BYTES, "%s/%ld", root, (long)getpid());

    (void)mkdir(out, 0700);
    if (*name != '\0')
        (void)snprintf(out + n, PATH_BYTES - (size_t)n, "/%s", name);
    return out;
}

const char *test_file_bytes(const char *name, const void *data, size_t bytes)
{
    const char *path = test_path(name);
    FILE *f = fopen(path, "wb");

    ck_assert_msg(f != NULL && fwrite(data, 1, bytes, f) == bytes, "cannot write %s",
                  path);
    ck_assert_int_eq(fclose(f), 0);
    return path;
}

const char *test_file(const char *name, const char *text)
{
    return test_file_bytes(name, text, strlen(text));
}

char *test_read(const char *path)
{
    dscq_error err = {DSCQ_OK, ""};
    uint8_t *data = NULL;
    size_t bytes = 0;

    test_ok(dscq_file_read(&data, &bytes, path, SIZE_MAX / 4, &err));
    return (char *)data;
}

size_t test_file_count(const char *dir)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_dir d;

    test_ok(dscq_dir_list(&d, dir, &err));
    const size_t n = d.count;
    dscq_dir_free(&d);
    return n;
}

const char *test_source(const char *relative)
{
    char *out = next_path();

    (void)snprintf(out, PATH_BYTES, "%s/%s", DSCQ_SOURCE_DIR, relative);
    return out;
}

const char *test_shared(const char *relative)
{
    const char *dir = getenv("DSCQ_SHARED");
    char *out = next_path();

    if (dir == NULL || *dir == '\0')
        dir = DSCQ_SOURCE_DIR "/../shared";
    (void)snprintf(out, PATH_BYTES, "%s/%s", dir, relative);
    if (dscq_path_exists(out))
        return out;
    test_skip("no %s (set DSCQ_SHARED)", out);
    return NULL;
}

const char *test_shared_unpacked(const char *relative)
{
    const char *path = test_shared(relative), *end = ".xz";
    char command[2 * PATH_BYTES + 32];

    if (path == NULL || strlen(path) < strlen(end) ||
        strcmp(path + strlen(path) - strlen(end), end) != 0)
        return path;
    if (!test_has_program("xz"))
        return NULL;
    const char *slash = strrchr(path, '/'); /* its ending says what it is */
    char name[PATH_BYTES];
    (void)snprintf(name, sizeof name, "%s", slash != NULL ? slash + 1 : path);
    name[strlen(name) - strlen(end)] = '\0';
    const char *out = test_path(name);
    (void)snprintf(command, sizeof command, "xz -dc '%s' > '%s'", path, out);
    ck_assert_msg(system(command) == 0, "xz cannot unpack %s", path);
    return out;
}

int test_has(int has, const char *part)
{
    if (!has)
        test_skip("built with -DDSCQ_WITH_%s=OFF", part);
    return has;
}

int test_has_json(void)
{
    dscq_json *j = NULL;
    const dscq_status status = dscq_json_parse(&j, "{}", 2, "test", NULL);

    dscq_json_free(j);
    return test_has(status != DSCQ_UNSUPPORTED, "JSON");
}

int test_has_program(const char *name)
{
    char command[256];

    (void)snprintf(command, sizeof command, "command -v '%s' >/dev/null", name);
    if (system(command) == 0)
        return 1;
    test_skip("no program %s", name);
    return 0;
}

void test_golden(const char *name, const void *data, size_t bytes)
{
    char relative[512];
    dscq_error err = {DSCQ_OK, ""};
    uint8_t *want = NULL;
    size_t want_bytes = 0, line = 1, i = 0;
    const unsigned char *got = data;

    (void)snprintf(relative, sizeof relative, "tests/golden/%s", name);
    const char *path = test_source(relative);
    if (getenv("DSCQ_UPDATE_GOLDEN") != NULL) {
        char dir[PATH_BYTES];
        dscq_path_dir(dir, sizeof dir, path);
        test_ok(dscq_path_make_dirs(dir, &err));
        test_ok(dscq_file_write(path, data, bytes, &err));
        return;
    }
    test_ok(dscq_file_read(&want, &want_bytes, path, SIZE_MAX / 4, &err));
    while (i < bytes && i < want_bytes && got[i] == want[i])
        line += got[i++] == '\n';
    ck_assert_msg(i == bytes && i == want_bytes,
                  "%s: differs at byte %zu, line %zu (%zu bytes, want %zu):\n"
                  "  got  %.60s\n  want %.60s",
                  relative, i, line, bytes, want_bytes,
                  i < bytes ? (const char *)got + i : "(end)",
                  i < want_bytes ? (const char *)want + i : "(end)");
    dscq_free(want);
}

void test_golden_text(const char *name, const char *text)
{
    test_golden(name, text, strlen(text));
}

unsigned test_each_alloc_fails(test_op *op, void *ctx)
{
    for (unsigned k = 1; k < 100000; k++) {
        dscq_error err = {DSCQ_OK, ""};
        (void)dscq_alloc_fail_at(k);
        const dscq_status status = op(ctx, &err);
        const uint64_t made = dscq_alloc_fail_at(0);
        if (made < k) {
            ck_assert_msg(status == DSCQ_OK, "nothing failed, yet: %s", err.msg);
            return k - 1;
        }
        ck_assert_msg(status == DSCQ_NOMEM, "allocation %u fails: status %s (%s)", k,
                      dscq_status_name(status), err.msg);
        ck_assert_msg(err.code == DSCQ_NOMEM && err.msg[0] != '\0',
                      "allocation %u fails: no message", k);
    }
    ck_abort_msg("100000 allocations and no end");
    return 0;
}

unsigned test_each_write_fails(test_op *op, void *ctx)
{
    for (unsigned k = 1; k < 100000; k++) {
        dscq_error err = {DSCQ_OK, ""};
        dscq_io_fail_write_at(k);
        const dscq_status status = op(ctx, &err);
        dscq_io_fail_write_at(0);
        if (status == DSCQ_OK)
            return k - 1;
        ck_assert_msg(status == DSCQ_IO, "write %u fails: status %s (%s)", k,
                      dscq_status_name(status), err.msg);
        ck_assert_msg(err.code == DSCQ_IO && err.msg[0] != '\0',
                      "write %u fails: no message", k);
    }
    ck_abort_msg("100000 writes and no end");
    return 0;
}

static void read_back(char *out, size_t cap, FILE *f)
{
    rewind(f);
    const size_t n = fread(out, 1, cap - 1, f);
    out[n] = '\0';
    (void)fclose(f);
}

int test_command(test_output *o, const char *dir, const char *const argv[])
{
    FILE *out = tmpfile(), *err = tmpfile();
    char *args[64] = {(char *)DSCQ_BINARY};
    int status = 0, n = 1;

    ck_assert(out != NULL && err != NULL);
    if (dir == NULL)
        dir = test_path("");
    for (; argv[n - 1] != NULL && n < 63; n++)
        memcpy(&args[n], &argv[n - 1], sizeof args[n]); /* execv() changes nothing */
    (void)fflush(NULL);
    const pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (chdir(dir) != 0 || dup2(fileno(out), 1) < 0 || dup2(fileno(err), 2) < 0)
            _exit(127);
        (void)execv(args[0], args);
        _exit(127);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    read_back(o->out, sizeof o->out, out);
    read_back(o->err, sizeof o->err, err);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
