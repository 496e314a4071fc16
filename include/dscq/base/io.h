/*
 * base/io.h - whole-file reads and atomic writes.
 *
 * An output is written to a temporary name in the same folder and renamed when
 * it is complete and flushed, so that a reader never sees half a file and a
 * failed or interrupted run leaves the old one. Messages name the path.
 */
#ifndef DSCQ_BASE_IO_H
#define DSCQ_BASE_IO_H

#include "dscq/base/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Open an ordinary file for reading; the caller closes *fd, *bytes is its size. Every
 * reader of files goes through here: a named pipe, a device or a folder is DSCQ_IO at
 * once ("is no ordinary file"), never something to wait for. */
dscq_status dscq_file_open(int *fd, size_t *bytes, const char *path, dscq_error *err);
/* The whole file; one zero byte follows the data. *data is freed with dscq_free().
 * DSCQ_IO when missing, unreadable, no ordinary file, or above max_bytes. */
dscq_status dscq_file_read(uint8_t **data, size_t *bytes, const char *path,
                           size_t max_bytes, dscq_error *err);
/* The same, inflating when the content begins with the gzip magic; max_bytes
 * bounds the inflated size. DSCQ_FORMAT for a damaged stream. */
dscq_status dscq_file_read_gz(uint8_t **data, size_t *bytes, const char *path,
                              size_t max_bytes, dscq_error *err);

/* The first bytes of a file, at most cap; *bytes says how many there were. */
dscq_status dscq_file_head(uint8_t *head, size_t *bytes, size_t cap, const char *path,
                           dscq_error *err);
/* Where a text begins: behind the byte order mark that some editors write. UTF-16 and
 * UTF-32 are DSCQ_FORMAT "name: is UTF-16 text; save it as UTF-8". Every parser of
 * text calls this first. */
dscq_status dscq_text_begin(const char **text, size_t *bytes, const char *name,
                            dscq_error *err);

/* Atomic replacement of `path`. On failure nothing is left behind. */
dscq_status dscq_file_write(const char *path, const void *data, size_t bytes,
                            dscq_error *err);

/* Streaming form of the same: open, put any number of times, then commit or
 * abandon. After a failed put every later put and commit return that failure. */
typedef struct dscq_writer dscq_writer;
dscq_status dscq_writer_open(dscq_writer **out, const char *path, dscq_error *err);
dscq_status dscq_writer_put(dscq_writer *w, const void *data, size_t bytes,
                            dscq_error *err);
dscq_status dscq_writer_printf(dscq_writer *w, dscq_error *err, const char *fmt, ...)
    DSCQ_PRINTF(3, 4);
dscq_status dscq_writer_commit(dscq_writer *w,
                               dscq_error *err); /* frees w either way */
void dscq_writer_abandon(dscq_writer *w);        /* NULL is fine */

/* Remove what writers of processes that are gone left in a folder (their temporary
 * files); those of living ones stay. Returns how many. */
size_t dscq_writer_sweep(const char *dir);

int dscq_path_exists(const char *path);
/* Two names of one file or folder. */
int dscq_path_is_same(const char *a, const char *b);
int dscq_path_is_dir(const char *path);
int dscq_path_is_file(const char *path); /* a regular one: reading never waits */
/* Create a folder and its parents. */
dscq_status dscq_path_make_dirs(const char *path, dscq_error *err);
/* dir + "/" + name, or name when it is absolute. DSCQ_ARG when it does not fit. */
dscq_status dscq_path_join(char *out, size_t cap, const char *dir, const char *name,
                           dscq_error *err);
/* A path that a configuration in folder `dir` names: dscq_path_join(), unless there is
 * nothing there but something of that name seen from the current folder, as --set on a
 * command line means it. */
dscq_status dscq_path_locate(char *out, size_t cap, const char *dir, const char *name,
                             dscq_error *err);
/* Folder part of a path ("." when none). */
void dscq_path_dir(char *out, size_t cap, const char *path);
/* Last component; borrows from path. */
const char *dscq_path_base(const char *path);

/* Does a path end like this (".cfg"), in capitals or not? The ending alone is a name
 * without one. */
int dscq_path_ends(const char *path, const char *ending);
/* Length of a path without the ending of its last component: all of "a.b/c", ".d". */
size_t dscq_path_stem(const char *path);

/* Names in a folder, sorted bytewise, "." and ".." left out. Free with
 * dscq_dir_free(). */
typedef struct dscq_dir {
    char **name;
    size_t count;
} dscq_dir;
dscq_status dscq_dir_list(dscq_dir *out, const char *path, dscq_error *err);
void dscq_dir_free(dscq_dir *d);
/* The file NAME.cfg in `dir`: of exactly that name, else of one that differs in case or
 * in '-' for '_' alone ("ZCU104", "ddr3-1333"). DSCQ_IO "WHAT NAME: not one of DIR:
 * ..." with the nearest name and as many of the others as fit. */
dscq_status dscq_path_named(char *out, size_t cap, const char *dir, const char *name,
                            const char *what, dscq_error *err);
/* For messages: "a, b, c" of the files a.cfg, b.cfg, c.cfg there (ending ".cfg"), as
 * many as fit; "(none)". */
void dscq_dir_stems(char *out, size_t cap, const char *path, const char *ending);

/* Tests: the k-th write to disk from now fails as if the disk were full. */
void dscq_io_fail_write_at(uint64_t k);

#ifdef __cplusplus
}
#endif
#endif
