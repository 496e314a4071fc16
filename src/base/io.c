#include "dscq/base/io.h"

#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "dscq/base/zip.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_BYTES = 1 << 16, PATH_BYTES = 4096 };

/* The hook of the tests: the only mutable object here. */
static _Atomic uint64_t fail_write_in;

void dscq_io_fail_write_at(uint64_t k)
{
    atomic_store(&fail_write_in, k);
}

static int write_must_fail(void)
{
    uint64_t k = atomic_load(&fail_write_in);

    return k != 0 && atomic_fetch_sub(&fail_write_in, 1) == 1;
}

/* ---- reading ---------------------------------------------------------- */

/* To the end of the file, growing *p; it always has room for one byte more. */
static dscq_status read_all(uint8_t **p, size_t *len, size_t cap, int fd,
                            const char *path, size_t max_bytes, dscq_error *err)
{
    for (;;) {
        if (*len == cap) {
            uint8_t *q = dscq_realloc(*p, *len, 2 * cap + 1);
            if (q == NULL)
                return dscq_fail_nomem(err, path, 2 * cap);
            *p = q;
            cap *= 2;
        }
        const ssize_t n = read(fd, *p + *len, cap - *len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return dscq_fail_system(err, path, "cannot read", errno);
        if (n == 0)
            return DSCQ_OK;
        *len += (size_t)n;
        if (*len > max_bytes)
            return dscq_fail(err, DSCQ_IO, "%s: more than %zu bytes", path, max_bytes);
    }
}

static const char *kind_of(mode_t mode)
{
    return S_ISFIFO(mode) ? "a named pipe" : S_ISSOCK(mode) ? "a socket" : "a device";
}

static dscq_status refuse_kind(const char *path, mode_t mode, dscq_error *err)
{
    if (S_ISDIR(mode))
        return dscq_fail(err, DSCQ_IO, "%s: is a folder, want a file", path);
    return dscq_fail(err, DSCQ_IO, "%s: is no ordinary file (%s)", path, kind_of(mode));
}

/* Without O_NONBLOCK the opening of a named pipe waits until somebody writes into it;
 * for an ordinary file the flag means nothing. */
dscq_status dscq_file_open(int *fd, size_t *bytes, const char *path, dscq_error *err)
{
    struct stat st;

    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0) {
        const int why = errno;
        if (why == ENXIO && stat(path, &st) == 0 && !S_ISREG(st.st_mode))
            return refuse_kind(path, st.st_mode, err);
        return dscq_fail_system(err, path, "cannot open", why);
    }
    dscq_status status = DSCQ_OK;
    if (fstat(*fd, &st) != 0)
        status = dscq_fail_system(err, path, "cannot read", errno);
    else if (!S_ISREG(st.st_mode))
        status = refuse_kind(path, st.st_mode, err);
    if (status != DSCQ_OK) {
        (void)close(*fd);
        *fd = -1;
        return status;
    }
    *bytes = (size_t)st.st_size;
    return DSCQ_OK;
}

static dscq_status read_fd(uint8_t **data, size_t *bytes, int fd, size_t expected,
                           const char *path, size_t max_bytes, dscq_error *err)
{
    size_t len = 0;

    if (expected > max_bytes)
        return dscq_fail(err, DSCQ_IO, "%s: %zu bytes, at most %zu are read", path,
                         expected, max_bytes);
    /* A file may grow: the size is only a first guess. One byte more than expected
     * lets the end be seen without growing. */
    size_t cap = expected + 1;
    uint8_t *p = dscq_malloc(cap + 1, 1);
    dscq_status status = p == NULL ? dscq_fail_nomem(err, path, cap)
                                   : read_all(&p, &len, cap, fd, path, max_bytes, err);
    if (status != DSCQ_OK || p == NULL) {
        dscq_free(p);
        return status;
    }
    p[len] = 0;
    *data = p;
    *bytes = len;
    return DSCQ_OK;
}

dscq_status dscq_file_read(uint8_t **data, size_t *bytes, const char *path,
                           size_t max_bytes, dscq_error *err)
{
    size_t expected = 0;
    int fd = -1;

    *data = NULL;
    *bytes = 0;
    dscq_status status = dscq_file_open(&fd, &expected, path, err);
    if (status != DSCQ_OK)
        return status;
    status = read_fd(data, bytes, fd, expected, path, max_bytes, err);
    (void)close(fd);
    return status;
}

dscq_status dscq_file_head(uint8_t *head, size_t *bytes, size_t cap, const char *path,
                           dscq_error *err)
{
    size_t unused = 0;
    int fd = -1;

    *bytes = 0;
    dscq_status status = dscq_file_open(&fd, &unused, path, err);
    while (status == DSCQ_OK && *bytes < cap) {
        const ssize_t n = read(fd, head + *bytes, cap - *bytes);
        if (n < 0 && errno != EINTR)
            status =
                dscq_fail(err, DSCQ_IO, "%s: cannot read: %s", path, strerror(errno));
        else if (n == 0)
            break;
        else if (n > 0)
            *bytes += (size_t)n;
    }
    if (fd >= 0)
        (void)close(fd);
    return status;
}

/* What two or four bytes of an encoding look like at the start of a text: its mark, or
 * the zeros beside a first character of ASCII. */
static const char *wide_encoding(const uint8_t *t, size_t n)
{
    if (n >= 4 && ((t[0] == 0xff && t[1] == 0xfe && t[2] == 0 && t[3] == 0) ||
                   (t[0] == 0 && t[1] == 0 && t[2] == 0xfe && t[3] == 0xff) ||
                   (t[0] != 0 && t[1] == 0 && t[2] == 0 && t[3] == 0)))
        return "UTF-32";
    if (n >= 2 && ((t[0] == 0xff && t[1] == 0xfe) || (t[0] == 0xfe && t[1] == 0xff)))
        return "UTF-16";
    if (n >= 4 && ((t[0] != 0 && t[1] == 0 && t[2] != 0 && t[3] == 0) ||
                   (t[0] == 0 && t[1] != 0 && t[2] == 0 && t[3] != 0)))
        return "UTF-16";
    return NULL;
}

dscq_status dscq_text_begin(const char **text, size_t *bytes, const char *name,
                            dscq_error *err)
{
    const char *wide = wide_encoding((const uint8_t *)*text, *bytes);

    if (wide != NULL)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s: is %s text; save it as UTF-8 (iconv -f %s -t UTF-8)",
                         name, wide, wide);
    if (*bytes >= 3 && memcmp(*text, "\xef\xbb\xbf", 3) == 0) {
        *text += 3;
        *bytes -= 3;
    }
    return DSCQ_OK;
}

dscq_status dscq_file_read_gz(uint8_t **data, size_t *bytes, const char *path,
                              size_t max_bytes, dscq_error *err)
{
    uint8_t *raw = NULL;
    size_t raw_bytes = 0;
    dscq_status status = dscq_file_read(&raw, &raw_bytes, path, max_bytes, err);

    *data = NULL;
    *bytes = 0;
    if (status != DSCQ_OK)
        return status;
    if (raw_bytes < 2 || raw[0] != 0x1f || raw[1] != 0x8b) {
        *data = raw;
        *bytes = raw_bytes;
        return DSCQ_OK;
    }
    status = dscq_inflate(data, bytes, raw, raw_bytes, DSCQ_ZIP_GZIP, max_bytes, err);
    dscq_free(raw);
    if (status != DSCQ_OK)
        (void)dscq_fail_at(err, "%s", path);
    return status;
}

/* ---- writing ---------------------------------------------------------- */

struct dscq_writer {
    int fd;
    dscq_status failed; /* of the first failure; everything after it returns it */
    dscq_error why;
    int direct; /* a device or a pipe: no temporary file, no rename */
    size_t used;
    char path[PATH_BYTES], temp[PATH_BYTES + 32];
    uint8_t buffer[BUFFER_BYTES];
};

static dscq_status refuse(dscq_writer *w, const char *what, int code)
{
    w->failed = dscq_fail_system(&w->why, w->path, what, code);
    return w->failed;
}

static dscq_status write_all(dscq_writer *w, const uint8_t *data, size_t bytes)
{
    while (bytes > 0) {
        if (write_must_fail())
            return refuse(w, "cannot write", ENOSPC);
        const ssize_t n = write(w->fd, data, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return refuse(w, "cannot write", errno);
        data += n;
        bytes -= (size_t)n;
    }
    return DSCQ_OK;
}

static dscq_status flush(dscq_writer *w)
{
    const size_t used = w->used;

    w->used = 0;
    return write_all(w, w->buffer, used);
}

/* A name beside the target that nobody uses: .<name>.<pid>-<n>.tmp */
static int open_beside(dscq_writer *w, mode_t mode)
{
    char dir[PATH_BYTES];

    dscq_path_dir(dir, sizeof dir, w->path);
    for (unsigned n = 0; n < 10000; n++) {
        const int len = snprintf(w->temp, sizeof w->temp, "%s/.%s.%ld-%u.tmp", dir,
                                 dscq_path_base(w->path), (long)getpid(), n);
        if (len < 0 || (size_t)len >= sizeof w->temp) {
            errno = ENAMETOOLONG;
            return -1;
        }
        const int fd = open(w->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 && mode != 0)
            (void)fchmod(fd, mode);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

/* The process in a name made by open_beside(), 0 when it is none. */
static long owner_of(const char *name)
{
    const size_t n = strlen(name);
    char *end = NULL;

    if (name[0] != '.' || n < 8 || strcmp(name + n - 4, ".tmp") != 0)
        return 0;
    const char *dash = strrchr(name, '-');
    const char *dot = dash;
    while (dot != NULL && dot > name && *dot != '.')
        dot--;
    if (dot == NULL || dot <= name || strspn(dot + 1, "0123456789") < 1 ||
        dash + 1 + strspn(dash + 1, "0123456789") != name + n - 4 ||
        dash + 1 == name + n - 4)
        return 0;
    const long pid = strtol(dot + 1, &end, 10);
    return end == dash && pid > 0 ? pid : 0;
}

size_t dscq_writer_sweep(const char *dir)
{
    char path[PATH_BYTES];
    dscq_dir d = {0};
    size_t gone = 0;

    if (dscq_dir_list(&d, dir, NULL) != DSCQ_OK)
        return 0;
    for (size_t i = 0; i < d.count; i++) {
        const long pid = owner_of(d.name[i]);
        if (pid > 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH &&
            dscq_path_join(path, sizeof path, dir, d.name[i], NULL) == DSCQ_OK)
            gone += unlink(path) == 0;
    }
    dscq_dir_free(&d);
    return gone;
}

/* Follow links, so that the file behind them is replaced and they stay. */
static dscq_status open_target(dscq_writer *w, const char *path)
{
    struct stat st;
    char *real = NULL;

    if (!dscq_str_copy(w->path, sizeof w->path, path))
        return refuse(w, "cannot create", ENAMETOOLONG);
    if (stat(path, &st) != 0) {
        w->fd = open_beside(w, 0);
    } else if (S_ISDIR(st.st_mode)) {
        return refuse(w, "cannot write", EISDIR);
    } else if (!S_ISREG(st.st_mode)) {
        w->direct = 1;
        w->fd = open(path, O_WRONLY | O_CLOEXEC);
    } else if ((real = realpath(path, NULL)) == NULL ||
               !dscq_str_copy(w->path, sizeof w->path, real)) {
        w->fd = -1;
    } else {
        w->fd = open_beside(w, st.st_mode & 07777);
    }
    const int code = errno;
    free(real);
    return w->fd < 0 ? refuse(w, "cannot create", code) : DSCQ_OK;
}

dscq_status dscq_writer_open(dscq_writer **out, const char *path, dscq_error *err)
{
    dscq_writer *w = dscq_malloc(1, sizeof *w);

    *out = NULL;
    if (w == NULL)
        return dscq_fail_nomem(err, path, sizeof *w);
    w->fd = -1;
    w->failed = DSCQ_OK;
    w->direct = 0;
    w->used = 0;
    w->temp[0] = '\0';
    const dscq_status status = open_target(w, path);
    if (status != DSCQ_OK) {
        if (err != NULL)
            *err = w->why;
        dscq_free(w);
        return status;
    }
    *out = w;
    return DSCQ_OK;
}

static dscq_status answer(const dscq_writer *w, dscq_error *err)
{
    if (w->failed != DSCQ_OK && err != NULL)
        *err = w->why;
    return w->failed;
}

dscq_status dscq_writer_put(dscq_writer *w, const void *data, size_t bytes,
                            dscq_error *err)
{
    if (w->failed == DSCQ_OK && bytes > BUFFER_BYTES - w->used)
        (void)flush(w);
    if (w->failed == DSCQ_OK && bytes > BUFFER_BYTES)
        (void)write_all(w, data, bytes);
    else if (w->failed == DSCQ_OK && bytes > 0) {
        memcpy(w->buffer + w->used, data, bytes);
        w->used += bytes;
    }
    return answer(w, err);
}

dscq_status dscq_writer_printf(dscq_writer *w, dscq_error *err, const char *fmt, ...)
{
    dscq_status status;
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    const int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof text)
        return dscq_writer_put(w, text, (size_t)n, err);
    const size_t bytes = n < 0 ? 0 : (size_t)n;
    char *longer = n < 0 ? NULL : dscq_malloc(bytes + 1, 1);
    if (longer == NULL) {
        if (w->failed == DSCQ_OK)
            w->failed = dscq_fail_nomem(&w->why, w->path, bytes);
        return answer(w, err);
    }
    va_start(ap, fmt);
    (void)vsnprintf(longer, bytes + 1, fmt, ap);
    va_end(ap);
    status = dscq_writer_put(w, longer, bytes, err);
    dscq_free(longer);
    return status;
}

dscq_status dscq_writer_commit(dscq_writer *w, dscq_error *err)
{
    if (w->failed == DSCQ_OK)
        (void)flush(w);
    if (w->failed == DSCQ_OK && !w->direct && fsync(w->fd) != 0 && errno != EINVAL)
        (void)refuse(w, "cannot flush", errno);
    if (close(w->fd) != 0 && w->failed == DSCQ_OK && errno != EINTR)
        (void)refuse(w, "cannot close", errno);
    w->fd = -1;
    if (w->failed == DSCQ_OK && !w->direct) {
        if (rename(w->temp, w->path) != 0)
            (void)refuse(w, "cannot replace", errno);
        else
            w->temp[0] = '\0'; /* nothing left to remove */
    }
    const dscq_status status = answer(w, err);
    dscq_writer_abandon(w);
    return status;
}

void dscq_writer_abandon(dscq_writer *w)
{
    if (w == NULL)
        return;
    if (w->fd >= 0)
        (void)close(w->fd);
    if (w->temp[0] != '\0')
        (void)unlink(w->temp);
    dscq_free(w);
}

dscq_status dscq_file_write(const char *path, const void *data, size_t bytes,
                            dscq_error *err)
{
    dscq_writer *w = NULL;
    dscq_status status = dscq_writer_open(&w, path, err);

    if (status != DSCQ_OK || w == NULL)
        return status;
    (void)dscq_writer_put(w, data, bytes, NULL); /* commit says it again */
    return dscq_writer_commit(w, err);
}
