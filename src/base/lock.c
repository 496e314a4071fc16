#include "dscq/base/lock.h"

#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, TEXT_BYTES = 1024, TRIES = 100, NAP_MS = 20, WAIT_MS = 2000 };

struct dscq_lock {
    int fd;
    char path[PATH_BYTES];
};

/* What a lock file says; "" and 0 where it says nothing. */
typedef struct holder {
    long pid;
    char host[128], command[256], since[40];
} holder;

/* ---- the text -------------------------------------------------------------------- */

static void host_name(char *out, size_t cap)
{
    if (gethostname(out, cap) != 0)
        (void)dscq_str_copy(out, cap, "?");
    out[cap - 1] = '\0';
}

static void take_line(char *out, size_t cap, const char *text, const char *key)
{
    const char *at = strstr(text, key);
    const size_t n = at != NULL ? strcspn(at + strlen(key), "\n") : 0;

    (void)snprintf(out, cap, "%.*s", (int)n, n > 0 ? at + strlen(key) : "");
}

static void read_holder(holder *h, int fd)
{
    char text[TEXT_BYTES], pid[24];
    const ssize_t n = pread(fd, text, sizeof text - 1, 0);

    text[n > 0 ? (size_t)n : 0] = '\0';
    take_line(pid, sizeof pid, text, "pid ");
    take_line(h->host, sizeof h->host, text, "host ");
    take_line(h->command, sizeof h->command, text, "command ");
    take_line(h->since, sizeof h->since, text, "since ");
    h->pid = strtol(pid, NULL, 10);
}

static dscq_status write_holder(int fd, const char *path, const char *command,
                                dscq_error *err)
{
    char text[TEXT_BYTES], host[128], since[40];
    const time_t now = time(NULL);
    struct tm t;

    host_name(host, sizeof host);
    (void)strftime(since, sizeof since, "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&now, &t));
    const int n =
        snprintf(text, sizeof text, "pid %ld\nhost %s\nsince %s\ncommand %.200s\n",
                 (long)getpid(), host, since, command);
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
        return dscq_fail(err, DSCQ_IO, "%s: cannot write: %s", path, strerror(errno));
    return DSCQ_OK;
}

static dscq_status is_held(const char *path, const holder *h, const char *remedy,
                           dscq_error *err)
{
    char dir[PATH_BYTES];

    dscq_path_dir(dir, sizeof dir, path);
    if (h->pid <= 0)
        return dscq_fail(err, DSCQ_IO, "%.200s: another run works in this folder; %s",
                         dir, remedy);
    return dscq_fail(
        err, DSCQ_IO,
        "%.150s: another run works in this folder: process %ld on %s since "
        "%s (%.100s); %s",
        dir, h->pid, h->host, h->since, h->command, remedy);
}

/* ---- taking it ------------------------------------------------------------------- */

static int open_lock(const char *path, int *created)
{
    for (int i = 0; i < TRIES; i++) {
        int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

        *created = fd >= 0;
        if (fd < 0 && errno == EEXIST)
            fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd >= 0 || errno != ENOENT) /* ENOENT: released between the two */
            return fd;
    }
    return -1;
}

/* The one who had it may have removed the file after it was opened here. */
static int is_still_there(int fd, const char *path)
{
    struct stat mine, now;

    return fstat(fd, &mine) == 0 && stat(path, &now) == 0 &&
           mine.st_dev == now.st_dev && mine.st_ino == now.st_ino;
}

static int is_alive(const holder *h)
{
    return h->pid > 0 && (kill((pid_t)h->pid, 0) == 0 || errno != ESRCH);
}

/* Nobody holds the file in a way that this kernel sees: may it be taken? locks: the
 * file system keeps locks at all, so on this host the holder is gone. */
static dscq_status judge(int fd, const char *path, int locks, int force,
                         const dscq_log *log, dscq_error *err)
{
    char here[128];
    holder h;

    host_name(here, sizeof here);
    read_holder(&h, fd);
    if (h.pid <= 0 && locks) /* killed before it could say who it is */
        return DSCQ_OK;
    const int is_here = strcmp(h.host, here) == 0;
    if (!locks && is_here && is_alive(&h))
        return is_held(path, &h, "wait for it, or name another folder with -o", err);
    if (!is_here && !force)
        return is_held(path, &h,
                       "if that run is gone, --force takes the folder from it", err);
    dscq_log_printf(log, DSCQ_LOG_INFO,
                    "%s: of process %ld on %s, which is gone: "
                    "taken over",
                    path, h.pid, h.host);
    return DSCQ_OK;
}

/* A killed process lets go of its locks when it is taken apart, a little after the one
 * who killed it goes on: so a held lock is asked for again for a while. */
static int lock_soon(int fd)
{
    const struct timespec nap = {0, NAP_MS * 1000000L};

    for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; waited += NAP_MS) {
        if ((errno != EWOULDBLOCK && errno != EINTR) || waited >= WAIT_MS)
            return -1;
        (void)nanosleep(&nap, NULL);
    }
    return 0;
}

/* *again: the file went away in between. */
static dscq_status try_once(dscq_lock *l, int *again, const char *command, int force,
                            const dscq_log *log, dscq_error *err)
{
    int created = 0, locks = 1;
    holder h;
    dscq_status status = DSCQ_OK;

    *again = 0;
    l->fd = open_lock(l->path, &created);
    if (l->fd < 0)
        return dscq_fail(err, DSCQ_IO, "%s: cannot create: %s", l->path,
                         strerror(errno));
    if (lock_soon(l->fd) != 0) {
        if (errno == EWOULDBLOCK || errno == EINTR) {
            read_holder(&h, l->fd);
            return is_held(l->path, &h, "wait for it, or name another folder with -o",
                           err);
        }
        locks = 0; /* no such thing here: who made the file has it */
    }
    if (locks && !is_still_there(l->fd, l->path)) {
        *again = 1;
        return DSCQ_OK;
    }
    if (!created)
        status = judge(l->fd, l->path, locks, force, log, err);
    if (status == DSCQ_OK) {
        status = write_holder(l->fd, l->path, command, err);
        if (status != DSCQ_OK)
            (void)unlink(l->path);
    }
    return status;
}

dscq_status dscq_lock_take(dscq_lock **out, const char *path, const char *command,
                           int force, const dscq_log *log, dscq_error *err)
{
    dscq_lock *l = dscq_calloc(1, sizeof *l);
    dscq_status status = DSCQ_OK;
    int again = 1;

    *out = NULL;
    if (l == NULL)
        return dscq_fail_nomem(err, "a lock", sizeof *l);
    l->fd = -1;
    if (!dscq_str_copy(l->path, sizeof l->path, path))
        status =
            dscq_fail(err, DSCQ_ARG, "path of %zu bytes is too long", strlen(path));
    for (int i = 0; i < TRIES && again && status == DSCQ_OK; i++) {
        status = try_once(l, &again, command, force, log, err);
        if ((again || status != DSCQ_OK) && l->fd >= 0) {
            (void)close(l->fd);
            l->fd = -1;
        }
    }
    if (status == DSCQ_OK && again)
        status = dscq_fail(err, DSCQ_IO, "%s: others keep taking it", path);
    if (status != DSCQ_OK) {
        dscq_free(l);
        return status;
    }
    *out = l;
    return DSCQ_OK;
}

void dscq_lock_release(dscq_lock *l)
{
    if (l == NULL)
        return;
    (void)unlink(l->path); /* while it is held: nobody else's can be hit */
    (void)close(l->fd);
    dscq_free(l);
}
