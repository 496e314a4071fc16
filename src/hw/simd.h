/* One body, compiled for the CPU at hand: plain C that the compiler turns into
 * vectors. Integer arithmetic only, so every version gives the same result. */
#ifndef DSCQ_HW_SIMD_H
#define DSCQ_HW_SIMD_H

#if defined(__GNUC__)
#define DSCQ_HW_INLINE inline __attribute__((always_inline))
#else
#define DSCQ_HW_INLINE inline
#endif

#if defined(__GNUC__) && defined(__x86_64__)
#define DSCQ_HW_DISPATCH(name, params, body, args)                                     \
    __attribute__((target("avx2"))) static void name##_avx2 params                     \
    {                                                                                  \
        body args;                                                                     \
    }                                                                                  \
    static void name##_base params                                                     \
    {                                                                                  \
        body args;                                                                     \
    }                                                                                  \
    static void name params                                                            \
    {                                                                                  \
        if (__builtin_cpu_supports("avx2"))                                            \
            name##_avx2 args;                                                          \
        else                                                                           \
            name##_base args;                                                          \
    }
#else
#define DSCQ_HW_DISPATCH(name, params, body, args)                                     \
    static void name params                                                            \
    {                                                                                  \
        body args;                                                                     \
    }
#endif

#endif
