/* int_dispatch.c - which family of integer kernels this CPU runs. */
#include "dscq/tensor/int_kernels.h"

#include <string.h>

#ifdef DSCQ_HAVE_INT_AVX512
extern const dscq_int_kernels tensor__int_avx512_table;
static int has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif
#ifdef DSCQ_HAVE_INT_AVX512VNNI
extern const dscq_int_kernels tensor__int_avx512vnni_table;
static int has_avx512vnni(void)
{
    return has_avx512() && __builtin_cpu_supports("avx512vnni");
}
#endif
#ifdef DSCQ_HAVE_INT_AVX2
extern const dscq_int_kernels tensor__int_avx2_table;
static int has_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}
#endif
#ifdef DSCQ_HAVE_INT_PORTABLE
extern const dscq_int_kernels tensor__int_portable_table;
#endif
#ifdef DSCQ_HAVE_INT_NEON
extern const dscq_int_kernels tensor__int_neon_table;
#endif
#if defined(DSCQ_HAVE_INT_PORTABLE) || defined(DSCQ_HAVE_INT_NEON)
static int has_baseline(void)
{
    return 1;
}
#endif

/* best first; the last one always runs */
static const struct {
    const dscq_int_kernels *table;
    int (*runs_here)(void);
} families[] = {
#ifdef DSCQ_HAVE_INT_AVX512VNNI
    {&tensor__int_avx512vnni_table, has_avx512vnni},
#endif
#ifdef DSCQ_HAVE_INT_AVX512
    {&tensor__int_avx512_table, has_avx512},
#endif
#ifdef DSCQ_HAVE_INT_AVX2
    {&tensor__int_avx2_table, has_avx2},
#endif
#ifdef DSCQ_HAVE_INT_NEON
    {&tensor__int_neon_table, has_baseline},
#endif
#ifdef DSCQ_HAVE_INT_PORTABLE
    {&tensor__int_portable_table, has_baseline},
#endif
};

enum { FAMILY_COUNT = sizeof families / sizeof families[0] };

const dscq_int_kernels *dscq_int_kernels_get(const char *family)
{
    int want_last = family != NULL && strcmp(family, "portable") == 0;

    for (int i = want_last ? FAMILY_COUNT - 1 : 0; i < FAMILY_COUNT; i++)
        if (families[i].runs_here() && (family == NULL || want_last ||
                                        strcmp(family, families[i].table->name) == 0))
            return families[i].table;
    return NULL;
}

const char *dscq_int_kernels_family(int i)
{
    for (int f = 0; f < FAMILY_COUNT; f++)
        if (families[f].runs_here() && i-- == 0)
            return families[f].table->name;
    return NULL;
}
