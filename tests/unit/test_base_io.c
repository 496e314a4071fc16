#include "dscq/base/alloc.h"
#include "dscq/base/hash.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/base/zip.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char *message(const char *fmt, const char *path)
{
    static char text[5000];

    (void)snprintf(text, sizeof text, "%s%s", path, fmt);
    return text;
}

START_TEST(a_file_is_read_whole)
{
    dscq_error err = {DSCQ_OK, ""};
    const char *path = test_file("a.txt", "hello");
    uint8_t *data = NULL;
    size_t bytes = 0;

    test_ok(dscq_file_read(&data, &bytes, path, 5, &err));
    ck_assert_uint_eq(bytes, 5);
    ck_assert_str_eq((char *)data, "hello");
    dscq_free(data);
    test_fails(dscq_file_read(&data, &bytes, path, 4, &err), DSCQ_IO,
               message(": 5 bytes, at most 4 are read", path));
    ck_assert_ptr_null(data);
    test_fails(dscq_file_read(&data, &bytes, test_path(""), 4, &err), DSCQ_IO,
               message(": is a folder, want a file", test_path("")));
    path = test_file("empty", "");
    test_ok(dscq_file_read(&data, &bytes, path, 0, &err));
    ck_assert_uint_eq(bytes, 0);
    dscq_free(data);
}
END_TEST

START_TEST(what_is_no_ordinary_file_is_refused_at_once)
{
    dscq_error err = {DSCQ_OK, ""};
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    uint8_t *data = NULL, head[4];
    char hash[65];
    size_t bytes = 0;

    alarm(20); /* a reader that waits is a failure */
    const char *pipe = test_path("pipe");
    ck_assert_int_eq(mkfifo(pipe, 0600), 0);
    test_fails(dscq_file_read(&data, &bytes, pipe, 10, &err), DSCQ_IO,
               message(": is no ordinary file (a named pipe)", pipe));
    test_fails(dscq_file_head(head, &bytes, sizeof head, pipe, &err), DSCQ_IO,
               message(": is no ordinary file (a named pipe)", pipe));
    test_fails(dscq_sha256_file(hash, pipe, &err), DSCQ_IO,
               message(": is no ordinary file (a named pipe)", pipe));
    test_fails(dscq_file_read(&data, &bytes, "/dev/zero", 300000, &err), DSCQ_IO,
               "/dev/zero: is no ordinary file (a device)");
    const int s = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert(dscq_str_copy(at.sun_path, sizeof at.sun_path, test_path("socket")));
    if (s >= 0 && bind(s, (struct sockaddr *)&at, sizeof at) == 0)
        test_fails(dscq_file_read(&data, &bytes, at.sun_path, 10, &err), DSCQ_IO,
                   message(": is no ordinary file (a socket)", at.sun_path));
    (void)close(s);
    alarm(0);
}
END_TEST

START_TEST(endings_are_compared_in_any_case)
{
    ck_assert(dscq_path_ends("a/b.CFG", ".cfg"));
    ck_assert(dscq_path_ends("b.cfg", ".cfg"));
    ck_assert(!dscq_path_ends("a.cfg/b", ".cfg"));
    ck_assert(!dscq_path_ends(".cfg", ".cfg"));
    ck_assert(!dscq_path_ends("g", ".cfg"));
}
END_TEST

typedef struct begin_case {
    const char *text;
    size_t bytes, skipped;
    const char *says; /* NULL: taken */
} begin_case;

static const begin_case k_begins[] = {
    {"plain", 5, 0, NULL},
    {"", 0, 0, NULL},
    {"\xef\xbb\xbf", 3, 3, NULL},
    {"\xef\xbb\xbf"
     "1",
     4, 3, NULL},
    {"\xff\xfe[\0", 4, 0,
     "t: is UTF-16 text; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)"},
    {"\xfe\xff\0[", 4, 0,
     "t: is UTF-16 text; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)"},
    {"[\0n\0", 4, 0, "t: is UTF-16 text; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)"},
    {"\xff\xfe\0\0", 4, 0,
     "t: is UTF-32 text; save it as UTF-8 (iconv -f UTF-32 -t UTF-8)"},
};

START_TEST(a_text_begins_behind_its_mark)
{
    const begin_case *c = &k_begins[_i];
    dscq_error err = {DSCQ_OK, ""};
    const char *text = c->text;
    size_t bytes = c->bytes;

    if (c->says != NULL) {
        test_fails(dscq_text_begin(&text, &bytes, "t", &err), DSCQ_FORMAT, c->says);
        return;
    }
    test_ok(dscq_text_begin(&text, &bytes, "t", &err));
    ck_assert_uint_eq((size_t)(text - c->text), c->skipped);
    ck_assert_uint_eq(bytes, c->bytes - c->skipped);
}
END_TEST

START_TEST(a_write_replaces_the_file_at_once)
{
    dscq_error err = {DSCQ_OK, ""};
    char path[4096];
    dscq_writer *w = NULL;
    struct stat st;

    (void)dscq_str_copy(path, sizeof path, test_file("out", "old"));
    ck_assert_int_eq(chmod(path, 0640), 0);
    test_ok(dscq_writer_open(&w, path, &err));
    test_ok(dscq_writer_put(w, "new", 3, &err));
    char *now = test_read(path);
    ck_assert_str_eq(now, "old");
    dscq_free(now);
    ck_assert_uint_eq(test_file_count(test_path("")), 2);
    test_ok(dscq_writer_printf(w, &err, " %d %s", 7, "lines"));
    test_ok(dscq_writer_commit(w, &err));
    now = test_read(path);
    ck_assert_str_eq(now, "new 7 lines");
    dscq_free(now);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0640);
    ck_assert_uint_eq(test_file_count(test_path("")), 1);
}
END_TEST

START_TEST(an_abandoned_write_leaves_the_old_file)
{
    dscq_error err = {DSCQ_OK, ""};
    const char *path = test_file("out", "old");
    dscq_writer *w = NULL;

    test_ok(dscq_writer_open(&w, path, &err));
    test_ok(dscq_writer_put(w, "new", 3, &err));
    dscq_writer_abandon(w);
    dscq_writer_abandon(NULL);
    char *now = test_read(path);
    ck_assert_str_eq(now, "old");
    dscq_free(now);
    ck_assert_uint_eq(test_file_count(test_path("")), 1);
}
END_TEST

START_TEST(a_link_stays_a_link)
{
    dscq_error err = {DSCQ_OK, ""};
    const char *target = test_file("target", "old"), *link = test_path("link");
    struct stat st;

    ck_assert_int_eq(symlink("target", link), 0);
    test_ok(dscq_file_write(link, "new", 3, &err));
    ck_assert_int_eq(lstat(link, &st), 0);
    ck_assert(S_ISLNK(st.st_mode));
    char *now = test_read(target);
    ck_assert_str_eq(now, "new");
    dscq_free(now);
}
END_TEST

START_TEST(targets_that_cannot_be_written_are_named)
{
    dscq_error err = {DSCQ_OK, ""};

    test_fails(dscq_file_write(test_path(""), "x", 1, &err), DSCQ_IO,
               message(": cannot write: Is a directory", test_path("")));
    test_fails(
        dscq_file_write(test_path("no/such"), "x", 1, &err), DSCQ_IO,
        message(": cannot create: No such file or directory", test_path("no/such")));
    test_fails(dscq_file_write("/dev/full", "x", 1, &err), DSCQ_IO,
               "/dev/full: cannot write: No space left on device");
    test_ok(dscq_file_write("/dev/null", "x", 1, &err));
}
END_TEST

static dscq_status write_big(void *ctx, dscq_error *err)
{
    static char block[30000];
    dscq_writer *w = NULL;
    dscq_status status = dscq_writer_open(&w, ctx, err);

    if (status != DSCQ_OK)
        return status;
    memset(block, 'b', sizeof block);
    for (int i = 0; i < 8; i++)
        (void)dscq_writer_put(w, block, sizeof block, NULL);
    (void)dscq_writer_printf(w, NULL, "%*s", 5000, "end");
    return dscq_writer_commit(w, err);
}

START_TEST(a_full_disk_leaves_the_old_file)
{
    dscq_error err = {DSCQ_OK, ""};
    char path[4096];

    (void)dscq_str_copy(path, sizeof path, test_file("out", "old"));
    ck_assert_uint_ge(test_each_write_fails(write_big, path), 4);
    dscq_io_fail_write_at(2);
    test_fails(write_big(path, &err), DSCQ_IO,
               message(": cannot write: No space left on device", path));
    dscq_io_fail_write_at(0);
    char *now = test_read(path); /* of the run in which nothing failed */
    ck_assert_uint_eq(strlen(now), 8 * 30000 + 5000);
    dscq_free(now);
    ck_assert_uint_eq(test_file_count(test_path("")), 1);
}
END_TEST

START_TEST(no_memory_leaves_the_old_file)
{
    char path[4096];

    (void)dscq_str_copy(path, sizeof path, test_file("out", "old"));
    ck_assert_uint_eq(test_each_alloc_fails(write_big, path), 2);
    ck_assert_uint_eq(test_file_count(test_path("")), 1);
}
END_TEST

START_TEST(after_a_failed_put_everything_fails_alike)
{
    dscq_error err = {DSCQ_OK, ""};
    const char *path = test_path("out");
    static char block[70000];
    dscq_writer *w = NULL;

    test_ok(dscq_writer_open(&w, path, &err));
    dscq_io_fail_write_at(1);
    const char *want = message(": cannot write: No space left on device", path);
    test_fails(dscq_writer_put(w, block, sizeof block, &err), DSCQ_IO, want);
    test_fails(dscq_writer_put(w, "x", 1, &err), DSCQ_IO, want);
    test_fails(dscq_writer_printf(w, &err, "x"), DSCQ_IO, want);
    test_fails(dscq_writer_commit(w, &err), DSCQ_IO, want);
    ck_assert_uint_eq(test_file_count(test_path("")), 0);
}
END_TEST

START_TEST(paths_are_joined_and_split)
{
    dscq_error err = {DSCQ_OK, ""};
    char p[16];

    test_ok(dscq_path_join(p, sizeof p, "a", "b", &err));
    ck_assert_str_eq(p, "a/b");
    test_ok(dscq_path_join(p, sizeof p, "a/", "b", &err));
    ck_assert_str_eq(p, "a/b");
    test_ok(dscq_path_join(p, sizeof p, "a", "/b", &err));
    ck_assert_str_eq(p, "/b");
    test_ok(dscq_path_join(p, sizeof p, ".", "b", &err));
    ck_assert_str_eq(p, "b");
    test_ok(dscq_path_join(p, sizeof p, "/", "b", &err));
    ck_assert_str_eq(p, "/b");
    test_fails(dscq_path_join(p, sizeof p, "12345678", "12345678", &err), DSCQ_ARG,
               "12345678: path of more than 15 characters");
    dscq_path_dir(p, sizeof p, "a/b/c");
    ck_assert_str_eq(p, "a/b");
    dscq_path_dir(p, sizeof p, "c");
    ck_assert_str_eq(p, ".");
    dscq_path_dir(p, sizeof p, "/c");
    ck_assert_str_eq(p, "/");
    ck_assert_str_eq(dscq_path_base("a/b/c"), "c");
    ck_assert_str_eq(dscq_path_base("c"), "c");
}
END_TEST

static dscq_status list_here(void *ctx, dscq_error *err)
{
    dscq_dir d;
    const dscq_status status = dscq_dir_list(&d, ctx, err);

    if (status == DSCQ_OK)
        dscq_dir_free(&d);
    return status;
}

START_TEST(folders_are_made_and_listed_in_order)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_dir d;
    char root[4096];

    (void)dscq_str_copy(root, sizeof root, test_path(""));
    test_ok(dscq_path_make_dirs(test_path("x/y/z"), &err));
    test_ok(dscq_path_make_dirs(test_path("x/y/z"), &err));
    ck_assert(dscq_path_is_dir(test_path("x/y/z")));
    (void)test_file("b", "");
    (void)test_file("A", "");
    (void)test_file("a", "");
    test_ok(dscq_dir_list(&d, root, &err));
    ck_assert_uint_eq(d.count, 4);
    ck_assert_str_eq(d.name[0], "A");
    ck_assert_str_eq(d.name[1], "a");
    ck_assert_str_eq(d.name[2], "b");
    ck_assert_str_eq(d.name[3], "x");
    dscq_dir_free(&d);
    ck_assert(dscq_path_exists(test_path("b")) && !dscq_path_is_dir(test_path("b")));
    ck_assert(!dscq_path_exists(test_path("c")));
    test_fails(dscq_path_make_dirs(test_path("b/c"), &err), DSCQ_IO,
               message(": cannot create the folder: File exists", test_path("b")));
    test_fails(dscq_dir_list(&d, test_path("none"), &err), DSCQ_IO,
               message(": cannot list: No such file or directory", test_path("none")));
    ck_assert_uint_eq(test_each_alloc_fails(list_here, root), 5);
}
END_TEST

/* "hello hello hello\n" by gzip -n, and the same as a raw and a zlib stream. */
static const uint8_t k_gz[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00,
                               0x00, 0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57,
                               0xc8, 0x40, 0x90, 0x5c, 0x00, 0x3b, 0x7c, 0x8a,
                               0xdf, 0x12, 0x00, 0x00, 0x00};

START_TEST(gz_files_are_inflated)
{
    dscq_error err = {DSCQ_OK, ""};
    uint8_t *data = NULL, twice[2 * sizeof k_gz];
    size_t bytes = 0;

    const char *path = test_file_bytes("x.gz", k_gz, sizeof k_gz);
    test_ok(dscq_file_read_gz(&data, &bytes, path, 100, &err));
    ck_assert_str_eq((char *)data, "hello hello hello\n");
    ck_assert_uint_eq(bytes, 18);
    dscq_free(data);
    memcpy(twice, k_gz, sizeof k_gz);
    memcpy(twice + sizeof k_gz, k_gz, sizeof k_gz);
    path = test_file_bytes("two.gz", twice, sizeof twice);
    test_ok(dscq_file_read_gz(&data, &bytes, path, 100, &err));
    ck_assert_uint_eq(bytes, 36);
    dscq_free(data);
    path = test_file("plain", "hello");
    test_ok(dscq_file_read_gz(&data, &bytes, path, 100, &err));
    ck_assert_str_eq((char *)data, "hello");
    dscq_free(data);
    path = test_file_bytes("cut.gz", k_gz, sizeof k_gz - 9);
    test_fails(dscq_file_read_gz(&data, &bytes, path, 100, &err), DSCQ_FORMAT,
               message(": compressed data ends early, at byte 20", path));
    ck_assert_ptr_null(data);
}
END_TEST

START_TEST(inflation_is_bounded)
{
    dscq_error err = {DSCQ_OK, ""};
    uint8_t *data = NULL;
    size_t bytes = 0;

    test_ok(dscq_inflate(&data, &bytes, k_gz, sizeof k_gz, DSCQ_ZIP_GZIP, 18, &err));
    ck_assert_uint_eq(bytes, 18);
    dscq_free(data);
    test_fails(dscq_inflate(&data, &bytes, k_gz, sizeof k_gz, DSCQ_ZIP_GZIP, 17, &err),
               DSCQ_FORMAT, "inflates to more than 17 bytes");
    ck_assert_ptr_null(data);
    test_ok(dscq_inflate(&data, &bytes, k_gz + 10, sizeof k_gz - 18, DSCQ_ZIP_RAW, 99,
                         &err));
    ck_assert_str_eq((char *)data, "hello hello hello\n");
    dscq_free(data);
    test_fails(dscq_inflate(&data, &bytes, k_gz + 10, sizeof k_gz - 17, DSCQ_ZIP_RAW,
                            99, &err),
               DSCQ_FORMAT, "1 bytes follow the compressed data");
    test_fails(dscq_inflate(&data, &bytes, "", 0, DSCQ_ZIP_ZLIB, 99, &err), DSCQ_FORMAT,
               "compressed data ends early, at byte 0");
}
END_TEST

START_TEST(every_damaged_byte_is_survived)
{
    dscq_error err = {DSCQ_OK, ""};
    int refused = 0;

    for (size_t i = 0; i < sizeof k_gz; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            uint8_t bad[sizeof k_gz], *data = NULL;
            size_t bytes = 0;
            memcpy(bad, k_gz, sizeof bad);
            bad[i] ^= (uint8_t)(1U << bit);
            refused += dscq_inflate(&data, &bytes, bad, sizeof bad, DSCQ_ZIP_GZIP, 1000,
                                    &err) != DSCQ_OK;
            dscq_free(data);
        }
    ck_assert_int_gt(refused, 150); /* a few header bits carry no meaning */
}
END_TEST

static dscq_status inflate_here(void *ctx, dscq_error *err)
{
    uint8_t *data = NULL;
    size_t bytes = 0;

    (void)ctx;
    const dscq_status status =
        dscq_inflate(&data, &bytes, k_gz, sizeof k_gz, DSCQ_ZIP_GZIP, 1 << 20, err);
    dscq_free(data);
    return status;
}

START_TEST(inflation_without_memory_is_reported)
{
    ck_assert_uint_ge(test_each_alloc_fails(inflate_here, NULL), 2);
}
END_TEST

static dscq_status deflate_here(void *ctx, dscq_error *err)
{
    uint8_t *data = NULL;
    size_t bytes = 0;
    const dscq_status status =
        dscq_deflate(&data, &bytes, ctx, 200000, DSCQ_ZIP_ZLIB, err);

    dscq_free(data);
    return status;
}

START_TEST(what_is_deflated_inflates_again)
{
    static uint8_t text[200000];
    dscq_error err = {DSCQ_OK, ""};

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(i * i / 1000);
    for (int form = DSCQ_ZIP_RAW; form <= DSCQ_ZIP_GZIP; form++)
        for (size_t n = 0; n <= sizeof text; n += sizeof text / 2) {
            uint8_t *small = NULL, *again = NULL;
            size_t small_bytes = 0, again_bytes = 0;
            test_ok(
                dscq_deflate(&small, &small_bytes, text, n, (dscq_zip_form)form, &err));
            test_ok(dscq_inflate(&again, &again_bytes, small, small_bytes,
                                 (dscq_zip_form)form, n, &err));
            ck_assert_uint_eq(again_bytes, n);
            ck_assert(memcmp(again, text, n) == 0);
            dscq_free(small);
            dscq_free(again);
        }
    ck_assert_uint_ge(test_each_alloc_fails(deflate_here, text), 2);
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("base/io and base/zip", &tc);

    tcase_add_test(tc, a_file_is_read_whole);
    tcase_add_test(tc, what_is_no_ordinary_file_is_refused_at_once);
    tcase_add_test(tc, endings_are_compared_in_any_case);
    tcase_add_loop_test(tc, a_text_begins_behind_its_mark, 0,
                        (int)(sizeof k_begins / sizeof *k_begins));
    tcase_add_test(tc, a_write_replaces_the_file_at_once);
    tcase_add_test(tc, an_abandoned_write_leaves_the_old_file);
    tcase_add_test(tc, a_link_stays_a_link);
    tcase_add_test(tc, targets_that_cannot_be_written_are_named);
    tcase_add_test(tc, a_full_disk_leaves_the_old_file);
    tcase_add_test(tc, no_memory_leaves_the_old_file);
    tcase_add_test(tc, after_a_failed_put_everything_fails_alike);
    tcase_add_test(tc, paths_are_joined_and_split);
    tcase_add_test(tc, folders_are_made_and_listed_in_order);
    tcase_add_test(tc, gz_files_are_inflated);
    tcase_add_test(tc, inflation_is_bounded);
    tcase_add_test(tc, every_damaged_byte_is_survived);
    tcase_add_test(tc, inflation_without_memory_is_reported);
    tcase_add_test(tc, what_is_deflated_inflates_again);
    return s;
}

int main(void)
{
    return test_run(make);
}
