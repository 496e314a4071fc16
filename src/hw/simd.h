/* One body, compiled for the CPU at hand: plain C that the compiler turns into
 * vectors. Integer arithmetic only, so every version gives the same result. */
#ifndef HW_SIMD_H
#define HW_SIMD_H

#if defined(__GNUC__)
#define DSCQ_HW_INLINE inline __attribute__((always_inline))
#else
#define DSCQ_HW_INLINE inline
#endif

#if defined(__GNUC__) && defined(__x86_64__)
#define DSCQ_HW_X86  1
#define DSCQ_HW_AVX2 __attribute__((target("avx2,bmi,popcnt")))
#define DSCQ_HW_AVX512                                                                 \
    __attribute__((                                                                    \
        target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,bmi,bmi2,popcnt")))

static inline int hw_has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("popcnt");
}

static inline int hw_has_avx512(void)
{
    return hw_has_avx2() && __builtin_cpu_supports("bmi2") &&
           __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni");
}

#define DSCQ_HW_DISPATCH(name, params, body, args)                                     \
    DSCQ_HW_AVX512 static void name##_avx512 params                                    \
    {                                                                                  \
        body args;                                                                     \
    }                                                                                  \
    DSCQ_HW_AVX2 static void name##_avx2 params                                        \
    {                                                                                  \
        body args;                                                                     \
    }                                                                                  \
    static void name##_base params                                                     \
    {                                                                                  \
        body args;                                                                     \
    }                                                                                  \
    static void name params                                                            \
    {                                                                                  \
        if (hw_has_avx512())                                                           \
            name##_avx512 args;                                                        \
        else if (hw_has_avx2())                                                        \
            name##_avx2 args;                                                          \
        else                                                                           \
            name##_base args;                                                          \
    }
#else
#define DSCQ_HW_X86 0
#define DSCQ_HW_DISPATCH(name, params, body, args)                                     \
    static void name params                                                            \
    {                                                                                  \
        body args;                                                                     \
    }
#endif

#endif
