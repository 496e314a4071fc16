/* dispatch.c - which family of kernels this CPU runs. */
#include "dscq/tensor/kernels.h"

#include <string.h>

#ifdef DSCQ_HAVE_AVX512
extern const dscq_kernels tensor__avx512_table;
static int has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("fma");
}
#endif
#ifdef DSCQ_HAVE_AVX2
extern const dscq_kernels tensor__avx2_table;
static int has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif
#ifdef DSCQ_HAVE_PORTABLE
extern const dscq_kernels tensor__portable_table;
#endif
#ifdef DSCQ_HAVE_NEON
extern const dscq_kernels tensor__neon_table;
#endif
#if defined(DSCQ_HAVE_PORTABLE) || defined(DSCQ_HAVE_NEON)
static int has_baseline(void)
{
    return 1;
}
#endif

/* best first; the last one always runs */
static const struct {
    const dscq_kernels *table;
    int (*runs_here)(void);
} families[] = {
#ifdef DSCQ_HAVE_AVX512
    {&tensor__avx512_table, has_avx512},
#endif
#ifdef DSCQ_HAVE_AVX2
    {&tensor__avx2_table, has_avx2},
#endif
#ifdef DSCQ_HAVE_NEON
    {&tensor__neon_table, has_baseline},
#endif
#ifdef DSCQ_HAVE_PORTABLE
    {&tensor__portable_table, has_baseline},
#endif
};

enum { FAMILY_COUNT = sizeof families / sizeof families[0] };

const dscq_kernels *dscq_kernels_get(const char *family)
{
    /* the vectors of arm64's baseline are the portable kernels under their name */
    int want_last = family != NULL && strcmp(family, "portable") == 0;

    for (int i = want_last ? FAMILY_COUNT - 1 : 0; i < FAMILY_COUNT; i++)
        if (families[i].runs_here() && (family == NULL || want_last ||
                                        strcmp(family, families[i].table->name) == 0))
            return families[i].table;
    return NULL;
}

const char *dscq_kernels_family(int i)
{
    for (int f = 0; f < FAMILY_COUNT; f++)
        if (families[f].runs_here() && i-- == 0)
            return families[f].table->name;
    return NULL;
}
