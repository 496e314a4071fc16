#include "dscq/base/spill.h"

#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/keys.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct dscq_spill {
    int fd;
    size_t bytes;
};

static const char *folder(const char *dir)
{
    const char *temp = getenv("TMPDIR");

    if (dir[0] != '\0')
        return dir;
    return temp != NULL && temp[0] != '\0' ? temp : "/tmp";
}

static dscq_status reserve(dscq_spill *s, const char *asked, dscq_error *err)
{
    const char *dir = folder(asked);
    char path[DSCQ_PATH_MAX];
    dscq_status status = dscq_path_join(path, sizeof path, dir, ".dscq-XXXXXX", err);

    if (status != DSCQ_OK)
        return status;
    s->fd = mkstemp(path);
    int code = s->fd < 0 ? errno : 0;
    if (s->fd >= 0) {
        (void)unlink(path);
        (void)fcntl(s->fd, F_SETFD, FD_CLOEXEC);
        code = posix_fallocate(s->fd, 0, (off_t)s->bytes);
    }
    if (code != 0)
        return dscq_fail(err, DSCQ_IO,
                         "%s: cannot keep %zu bytes in a file there: %s (%s)", dir,
                         s->bytes, strerror(code),
                         asked[0] != '\0' ? "make room, or choose another folder"
                                          : "TMPDIR names another folder");
    return DSCQ_OK;
}

dscq_status dscq_spill_create(dscq_spill **out, size_t bytes, const char *dir,
                              dscq_error *err)
{
    dscq_spill *s = dscq_calloc(1, sizeof *s);

    *out = NULL;
    if (s == NULL)
        return dscq_fail_nomem(err, "a file without a name", sizeof *s);
    s->fd = -1;
    s->bytes = bytes;
    const dscq_status status = reserve(s, dir, err);
    if (status != DSCQ_OK) {
        dscq_spill_destroy(s);
        return status;
    }
    *out = s;
    return DSCQ_OK;
}

dscq_status dscq_spill_put(dscq_spill *s, size_t at, const void *data, size_t bytes,
                           dscq_error *err)
{
    const unsigned char *from = data;

    assert(at <= s->bytes && bytes <= s->bytes - at);
    while (bytes > 0) {
        const ssize_t n = pwrite(s->fd, from, bytes, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return dscq_fail(err, DSCQ_IO, "cannot write a temporary file: %s",
                             strerror(n < 0 ? errno : EIO));
        from += n;
        at += (size_t)n;
        bytes -= (size_t)n;
    }
    return DSCQ_OK;
}

dscq_status dscq_spill_get(const dscq_spill *s, size_t at, void *data, size_t bytes,
                           dscq_error *err)
{
    unsigned char *to = data;

    assert(at <= s->bytes && bytes <= s->bytes - at);
    while (bytes > 0) {
        const ssize_t n = pread(s->fd, to, bytes, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return dscq_fail(err, DSCQ_IO, "cannot read a temporary file: %s",
                             strerror(n < 0 ? errno : EIO));
        to += n;
        at += (size_t)n;
        bytes -= (size_t)n;
    }
    return DSCQ_OK;
}

void dscq_spill_destroy(dscq_spill *s)
{
    if (s == NULL)
        return;
    if (s->fd >= 0)
        (void)close(s->fd);
    dscq_free(s);
}
