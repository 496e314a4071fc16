#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/keys.h"
#include "dscq/base/str.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

int dscq_path_exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

int dscq_path_is_dir(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int dscq_path_is_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

int dscq_path_is_same(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino;
}

dscq_status dscq_path_make_dirs(const char *path, dscq_error *err)
{
    char part[4096];
    const size_t n = strlen(path);

    if (n >= sizeof part)
        return dscq_fail(err, DSCQ_IO, "%.64s...: path of %zu characters is too long",
                         path, n);
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0777) == 0)
            continue;
        const int why = errno; /* before stat() has a reason of its own */
        if (!dscq_path_is_dir(part))
            return dscq_fail(err, DSCQ_IO, "%s: cannot create the folder: %s", part,
                             strerror(why));
    }
    return DSCQ_OK;
}

dscq_status dscq_path_join(char *out, size_t cap, const char *dir, const char *name,
                           dscq_error *err)
{
    const size_t d = strlen(dir);
    const int bare = name[0] == '/' || d == 0 || strcmp(dir, ".") == 0;
    const int n =
        bare ? snprintf(out, cap, "%s", name)
             : snprintf(out, cap, "%s%s%s", dir, dir[d - 1] == '/' ? "" : "/", name);

    if (n < 0 || (size_t)n >= cap)
        return dscq_fail(err, DSCQ_ARG, "%s: path of more than %zu characters", name,
                         cap - 1);
    return DSCQ_OK;
}

dscq_status dscq_path_locate(char *out, size_t cap, const char *dir, const char *name,
                             dscq_error *err)
{
    const dscq_status status = dscq_path_join(out, cap, dir, name, err);

    if (status != DSCQ_OK || dscq_path_exists(out) || !dscq_path_exists(name))
        return status;
    return dscq_path_join(out, cap, ".", name, err);
}

void dscq_path_dir(char *out, size_t cap, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : (size_t)(slash - path);

    if (slash == path)
        n = 1; /* the root */
    if (slash == NULL || n >= cap) {
        (void)dscq_str_copy(out, cap, ".");
        return;
    }
    memcpy(out, path, n);
    out[n] = '\0';
}

const char *dscq_path_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

int dscq_path_ends(const char *path, const char *ending)
{
    const char *base = dscq_path_base(path);
    const size_t n = strlen(base), m = strlen(ending);

    return n > m && strcasecmp(base + n - m, ending) == 0;
}

size_t dscq_path_stem(const char *path)
{
    const char *base = dscq_path_base(path), *dot = strrchr(base, '.');

    return dot != NULL && dot != base ? (size_t)(dot - path) : strlen(path);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static dscq_status add_name(dscq_dir *d, size_t *cap, const char *name, dscq_error *err)
{
    if (d->count == *cap) {
        const size_t want = *cap == 0 ? 64 : *cap * 2;
        char **p =
            dscq_realloc(d->name, d->count * sizeof *d->name, want * sizeof *d->name);
        if (p == NULL)
            return dscq_fail_nomem(err, "names in a folder", want * sizeof *d->name);
        d->name = p;
        *cap = want;
    }
    char *copy = dscq_strdup(name);
    if (copy == NULL)
        return dscq_fail_nomem(err, "names in a folder", strlen(name) + 1);
    d->name[d->count++] = copy;
    return DSCQ_OK;
}

dscq_status dscq_dir_list(dscq_dir *out, const char *path, dscq_error *err)
{
    dscq_status status = DSCQ_OK;
    const struct dirent *e;
    size_t cap = 0;

    *out = (dscq_dir){0};
    DIR *d = opendir(path);
    if (d == NULL)
        return dscq_fail_system(err, path, "cannot list", errno);
    errno = 0;
    while (status == DSCQ_OK && (e = readdir(d)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            status = add_name(out, &cap, e->d_name, err);
    if (status == DSCQ_OK && errno != 0)
        status = dscq_fail_system(err, path, "cannot list", errno);
    (void)closedir(d);
    if (status != DSCQ_OK)
        dscq_dir_free(out);
    else if (out->count > 0)
        qsort(out->name, out->count, sizeof *out->name, by_bytes);
    return status;
}

void dscq_dir_free(dscq_dir *d)
{
    for (size_t i = 0; i < d->count; i++)
        dscq_free(d->name[i]);
    dscq_free(d->name);
    *d = (dscq_dir){0};
}

void dscq_dir_stems(char *out, size_t cap, const char *path, const char *ending)
{
    const size_t tail = strlen(ending);
    dscq_dir d;

    (void)dscq_str_copy(out, cap, "(none)");
    if (dscq_dir_list(&d, path, NULL) != DSCQ_OK)
        return;
    for (size_t i = 0, at = 0; i < d.count; i++) {
        const size_t n = strlen(d.name[i]);
        if (n <= tail || strcmp(d.name[i] + n - tail, ending) != 0 || at + n + 2 > cap)
            continue;
        at += (size_t)snprintf(out + at, cap - at, "%s%.*s", at > 0 ? ", " : "",
                               (int)(n - tail), d.name[i]);
    }
    dscq_dir_free(&d);
}

static char plain(char c)
{
    return c == '-' ? '_' : (char)tolower((unsigned char)c);
}

/* The name as the files have it: without ".cfg", small letters, '_'. */
static void plain_name(char *out, size_t cap, const char *name)
{
    const size_t n = strlen(name);
    const size_t stem = dscq_path_ends(name, ".cfg") ? n - 4 : n;
    size_t i = 0;

    for (; i < stem && i + 1 < cap; i++)
        out[i] = plain(name[i]);
    out[i] = '\0';
}

/* Which file of the folder the name means; NULL: none. The nearest name into `near`
 * when it is near enough to be a slip of the finger. */
static const char *file_of(char *near, size_t cap, const dscq_dir *d, const char *name)
{
    char want[DSCQ_NAME_MAX], have[DSCQ_NAME_MAX];
    unsigned best = (unsigned)strlen(name) / 3 + 2;

    near[0] = '\0';
    plain_name(want, sizeof want, name);
    for (size_t i = 0; i < d->count; i++) {
        if (!dscq_path_ends(d->name[i], ".cfg"))
            continue;
        plain_name(have, sizeof have, d->name[i]);
        const unsigned distance = dscq_edit_distance(want, have);
        if (distance == 0)
            return d->name[i];
        if (distance < best) {
            best = distance;
            (void)dscq_str_copy(near, cap, have);
        }
    }
    return NULL;
}

dscq_status dscq_path_named(char *out, size_t cap, const char *dir, const char *name,
                            const char *what, dscq_error *err)
{
    char exact[DSCQ_PATH_MAX], near[DSCQ_NAME_MAX], names[160];
    dscq_dir d;
    dscq_status status;

    if (strlen(name) >= DSCQ_NAME_MAX)
        return dscq_fail(err, DSCQ_ARG, "%s name of %zu bytes is too long", what,
                         strlen(name));
    (void)snprintf(exact, sizeof exact, "%s.cfg", name);
    status = dscq_path_join(out, cap, dir, exact, err);
    if (status != DSCQ_OK || dscq_path_exists(out))
        return status;
    status = dscq_dir_list(&d, dir, err);
    if (status != DSCQ_OK)
        return status;
    const char *file = file_of(near, sizeof near, &d, name);
    if (file != NULL)
        status = dscq_path_join(out, cap, dir, file, err);
    dscq_dir_free(&d);
    if (file != NULL)
        return status;
    dscq_dir_stems(names, sizeof names, dir, ".cfg");
    return dscq_fail(err, DSCQ_IO, "%s %s: %s%s%snot one of %s: %s", what, name,
                     near[0] != '\0' ? "did you mean " : "", near,
                     near[0] != '\0' ? "? It is " : "", dir, names);
}
