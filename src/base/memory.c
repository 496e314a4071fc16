/* How much memory there is, before anybody takes it: Linux hands out more than it has
 * and kills who uses it. */
#include "dscq/base/alloc.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

/* A file with one number; "max", or no file: no limit. Nothing is allocated. */
static uint64_t number_in(const char *path)
{
    char text[32];
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);

    if (fd >= 0)
        (void)close(fd);
    if (n <= 0 || text[0] < '0' || text[0] > '9')
        return UINT64_MAX;
    text[n] = '\0';
    return strtoull(text, NULL, 10);
}

static uint64_t of_machine(void)
{
    struct sysinfo s;

    if (sysinfo(&s) != 0)
        return UINT64_MAX;
    return ((uint64_t)s.totalram + s.totalswap) * s.mem_unit;
}

static uint64_t of_resource(int resource)
{
    struct rlimit r;

    return getrlimit(resource, &r) != 0 || r.rlim_cur == RLIM_INFINITY ? UINT64_MAX
                                                                       : r.rlim_cur;
}

uint64_t dscq_memory_limit(void)
{
    const uint64_t limit[] = {of_machine(), of_resource(RLIMIT_AS),
                              of_resource(RLIMIT_DATA),
                              /* as a container sees its own group, versions 2 and 1 */
                              number_in("/sys/fs/cgroup/memory.max"),
                              number_in("/sys/fs/cgroup/memory/memory.limit_in_bytes")};
    uint64_t least = UINT64_MAX;

    for (size_t i = 0; i < sizeof limit / sizeof *limit; i++)
        least = limit[i] < least ? limit[i] : least;
    return least;
}

dscq_status dscq_memory_check(const char *what, uint64_t bytes, dscq_error *err)
{
    const uint64_t limit = dscq_memory_limit();

    if (bytes <= limit)
        return DSCQ_OK;
    return dscq_fail(err, DSCQ_NOMEM,
                     "out of memory: %s: %" PRIu64 " bytes; there are %" PRIu64
                     " for this process",
                     what, bytes, limit);
}
