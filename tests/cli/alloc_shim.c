/* Preloaded into the program by test_cli_memory.c: the allocation numbered
 * DSCQ_FAIL_AT, of whichever library, returns NULL; at the end "allocations
 * blocks-left" goes to the file DSCQ_FAIL_REPORT. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *p, size_t bytes);
void *__libc_memalign(size_t align, size_t bytes);
void __libc_free(void *p);
void *memalign(size_t align, size_t bytes);

static _Atomic long made, live, fail_at = -1;

static int must_fail(void)
{
    if (atomic_load(&fail_at) < 0) {
        const char *text = getenv("DSCQ_FAIL_AT");
        atomic_store(&fail_at, text != NULL ? strtol(text, NULL, 10) : 0);
    }
    if (atomic_fetch_add(&made, 1) + 1 != atomic_load(&fail_at))
        return 0;
    errno = ENOMEM;
    return 1;
}

static void *counted(void *p)
{
    if (p != NULL)
        atomic_fetch_add(&live, 1);
    return p;
}

void *malloc(size_t bytes)
{
    return must_fail() ? NULL : counted(__libc_malloc(bytes));
}

void *calloc(size_t count, size_t bytes)
{
    return must_fail() ? NULL : counted(__libc_calloc(count, bytes));
}

void *realloc(void *p, size_t bytes)
{
    if (must_fail())
        return NULL;
    void *q = __libc_realloc(p, bytes);
    return p == NULL ? counted(q) : q;
}

void *memalign(size_t align, size_t bytes)
{
    return must_fail() ? NULL : counted(__libc_memalign(align, bytes));
}

void *aligned_alloc(size_t align, size_t bytes)
{
    return memalign(align, bytes);
}

int posix_memalign(void **out, size_t align, size_t bytes)
{
    void *p = memalign(align, bytes);

    if (p == NULL)
        return ENOMEM;
    *out = p;
    return 0;
}

void free(void *p)
{
    if (p == NULL)
        return;
    atomic_fetch_sub(&live, 1);
    __libc_free(p);
}

__attribute__((destructor)) static void report(void)
{
    const char *path = getenv("DSCQ_FAIL_REPORT");
    char text[64];

    if (path == NULL)
        return;
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int n = snprintf(text, sizeof text, "%ld %ld\n", atomic_load(&made),
                           atomic_load(&live));
    if (fd < 0 || write(fd, text, (size_t)n) != n)
        _exit(97);
    (void)close(fd);
}
