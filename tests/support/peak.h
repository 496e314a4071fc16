/* peak.h - the largest resident memory of this process, for tests and benches. */
#ifndef DSCQ_TEST_PEAK_H
#define DSCQ_TEST_PEAK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Peak resident bytes since the last call with `reset`, which returns 0; 0 where the
 * system does not say. */
static inline size_t peak_bytes(int reset)
{
    FILE *f =
        reset ? fopen("/proc/self/clear_refs", "w") : fopen("/proc/self/status", "r");
    char line[256];
    size_t kb = 0;

    if (f == NULL)
        return 0;
    if (reset)
        (void)fputs("5", f);
    else
        while (fgets(line, sizeof line, f) != NULL)
            if (strncmp(line, "VmHWM:", 6) == 0)
                kb = (size_t)strtoul(line + 6, NULL, 10);
    (void)fclose(f);
    return kb * 1024;
}

#endif
