/*
 * The one place that knows OpenBLAS: not linked but loaded, when a Gaussian process or
 * second-order pruning first asks for it. Linked, it would start a thread a core and
 * map 36 MB in every run of the program, and a thread that does not get the 128 MB of
 * addresses it wants tries for ever.
 */
#include "linalg_internal.h"

#if DSCQ_WITH_BLAS

#include "dscq/base/alloc.h"

#include <dlfcn.h>
#include <string.h>
#include <sys/mman.h>

/* Fortran's ways: everything by address, a character argument has a hidden length at
 * the end. Row-major lower is column-major upper. */
typedef void potr_fn(const char *uplo, const int *n, double *a, const int *lda,
                     int *info, size_t uplo_len);
typedef void trsv_fn(const char *uplo, const char *trans, const char *diag,
                     const int *n, const double *a, const int *lda, double *x,
                     const int *incx, size_t uplo_len, size_t trans_len,
                     size_t diag_len);
typedef void syrk_fn(const char *uplo, const char *trans, const int *n, const int *k,
                     const double *alpha, const double *a, const int *lda,
                     const double *beta, double *c, const int *ldc, size_t uplo_len,
                     size_t trans_len);
typedef void threads_fn(int threads);

/* Set once, under the lock of linalg.c, before the table is shown to anybody. */
static struct {
    potr_fn *dpotrf, *dpotri;
    trsv_fn *dtrsv;
    syrk_fn *dsyrk;
    threads_fn *set_threads;
    char one_thread[sizeof "OPENBLAS_NUM_THREADS=1"];
    char **environment; /* kept: somebody may be in the middle of reading it */
} loaded = {.one_thread = "OPENBLAS_NUM_THREADS=1"};

static const int k_one = 1;

static int factor(double *a, size_t n)
{
    const int size = (int)n;
    int info = 0;

    if (n == 0)
        return 1;
    loaded.set_threads(1); /* whatever the rest of the process wants */
    loaded.dpotrf("U", &size, a, &size, &info, 1);
    return info == 0;
}

static void solve(const char *trans, const double *l, size_t n, double *b)
{
    const int size = (int)n;

    if (n > 0)
        loaded.dtrsv("U", trans, "N", &size, l, &size, b, &k_one, 1, 1, 1);
}

static void forward(const double *l, size_t n, double *b)
{
    solve("T", l, n, b);
}

static void backward(const double *l, size_t n, double *b)
{
    solve("N", l, n, b);
}

static int inverse_from_factor(double *a, size_t n)
{
    const int size = (int)n;
    int info = 0;

    loaded.dpotri("U", &size, a, &size, &info, 1);
    return info == 0;
}

static void gram_add(double *h, const double *x, size_t rows, size_t n)
{
    const int size = (int)n, k = (int)rows;
    const double one = 1.0;

    if (rows == 0 || n == 0)
        return;
    loaded.set_threads(1);
    loaded.dsyrk("U", "N", &size, &k, &one, x, &size, &one, h, &size, 1, 1);
}

static const linalg_table k_openblas = {"openblas", factor,   forward,
                                        backward,   gram_add, inverse_from_factor};

/* ---- loading ------------------------------------------------------------ */

/* Addresses that the library (64 MB with what it needs itself) and its work area (128
 * MB) take. Looked for beforehand: OpenBLAS never gives up looking for a work area. */
static const size_t k_room = (size_t)256 << 20;

static int has_room(void)
{
    void *p = mmap(NULL, k_room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);

    if (p == MAP_FAILED)
        return 0;
    (void)munmap(p, k_room);
    return 1;
}

static dscq_status no_room(dscq_error *err)
{
    return dscq_fail(err, DSCQ_NOMEM,
                     "out of memory: OpenBLAS (%zu bytes of address space; see "
                     "'ulimit -v')",
                     k_room);
}

extern char **environ;

/* OpenBLAS starts its threads while it is loaded, as many as a variable says. It stands
 * in a copy of the environment for that moment: setenv() would change what other
 * threads are reading (libjpeg calls getenv()) and stay for programs started later. */
static dscq_status load_with_one_thread(void **out, const char *name, dscq_error *err)
{
    char **const before = environ;
    size_t n = 0;

    while (before != NULL && before[n] != NULL)
        n++;
    char **with = dscq_calloc(n + 2, sizeof *with);
    if (with == NULL)
        return dscq_fail_nomem(err, name, (n + 2) * sizeof *with);
    dscq_free(loaded.environment);
    loaded.environment = with;
    with[0] = loaded.one_thread; /* the first of a name counts */
    if (n > 0)
        memcpy(with + 1, before, n * sizeof *with);
    environ = with;
    *out = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    environ = before;
    return DSCQ_OK;
}

static int find_symbols(void *library)
{
    const struct {
        const char *name;
        void *to;
    } want[] = {{"dpotrf_", &loaded.dpotrf},
                {"dpotri_", &loaded.dpotri},
                {"dtrsv_", &loaded.dtrsv},
                {"dsyrk_", &loaded.dsyrk},
                {"openblas_set_num_threads", &loaded.set_threads}};

    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        void *symbol = dlsym(library, want[i].name);

        if (symbol == NULL)
            return 0;
        memcpy(want[i].to, &symbol, sizeof symbol); /* ISO C has no such cast */
    }
    return 1;
}

dscq_status bo__openblas(const linalg_table **out, dscq_error *err)
{
    static const char *const names[] = {"libopenblas.so.0", "libopenblas.so"};
    dscq_status status;

    *out = NULL;
    if (!has_room())
        return no_room(err);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        void *library = NULL;

        DSCQ_TRY(load_with_one_thread(&library, names[i], err));
        const char *why = library == NULL ? dlerror() : NULL;
        /* the loader's words for malloc() and mmap() that failed */
        if (library == NULL && (why == NULL || strstr(why, "memory") != NULL))
            return no_room(err);
        if (library != NULL && find_symbols(library)) {
            *out = &k_openblas; /* and stays loaded: results must not change midway */
            return DSCQ_OK;
        }
        if (library != NULL)
            (void)dlclose(library);
    }
done:
    return status;
}

#else

dscq_status bo__openblas(const linalg_table **out, dscq_error *err)
{
    (void)err;
    *out = NULL;
    return DSCQ_OK;
}

#endif
