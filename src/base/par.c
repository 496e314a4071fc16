#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity */
#endif

#include "dscq/base/par.h"

#include "dscq/base/alloc.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

enum { THREADS_MAX = 256, SPIN = 2000 };

/*
 * `state` holds the number of the job (high half) and how many of its tasks
 * nobody has taken yet (low half). A task is taken by decreasing the low half;
 * that fails when the job has changed meanwhile, so a worker that slept through
 * a whole job cannot take a task of the next one by mistake. The plain fields
 * fn, ctx, tasks, first are read only between taking a task and counting it in
 * `done`; the caller changes them only when everything is counted.
 * The caller never waits for a worker to wake up, only for tasks taken.
 */
typedef struct worker_arg {
    dscq_pool *pool;
    int index;
} worker_arg;

struct dscq_pool {
    _Atomic uint64_t state;
    _Atomic size_t done;
    dscq_task_fn *fn;
    void *ctx;
    size_t tasks, first;

    pthread_mutex_t lock;
    pthread_cond_t posted, finished;
    int sleeping; /* workers inside `posted`; guarded by lock */
    int waiting;  /* the caller is inside `finished`          */
    _Atomic int quit;

    int threads, spin, started;
    pthread_t thread[THREADS_MAX];
    worker_arg arg[THREADS_MAX];
};

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

static uint32_t job_of(uint64_t state)
{
    return (uint32_t)(state >> 32);
}

/* Take and run tasks of the current job until none is left. */
static void drain(dscq_pool *p, int worker)
{
    uint64_t s = atomic_load_explicit(&p->state, memory_order_acquire);

    while ((uint32_t)s != 0) {
        if (!atomic_compare_exchange_weak_explicit(
                &p->state, &s, s - 1, memory_order_acq_rel, memory_order_acquire))
            continue;
        const size_t tasks = p->tasks;
        p->fn(p->ctx, p->first + (tasks - (uint32_t)s), worker);
        if (atomic_fetch_add_explicit(&p->done, 1, memory_order_acq_rel) + 1 == tasks) {
            (void)pthread_mutex_lock(&p->lock);
            if (p->waiting)
                (void)pthread_cond_signal(&p->finished);
            (void)pthread_mutex_unlock(&p->lock);
        }
        s = atomic_load_explicit(&p->state, memory_order_acquire);
    }
}

static int is_news(dscq_pool *p, uint32_t seen)
{
    return job_of(atomic_load_explicit(&p->state, memory_order_acquire)) != seen ||
           atomic_load_explicit(&p->quit, memory_order_acquire);
}

static void *work(void *arg)
{
    const worker_arg *a = arg;
    dscq_pool *const p = a->pool;
    uint32_t seen = 0;

    while (!atomic_load_explicit(&p->quit, memory_order_acquire)) {
        for (int i = 0; i < p->spin && !is_news(p, seen); i++)
            relax();
        if (!is_news(p, seen)) {
            (void)pthread_mutex_lock(&p->lock);
            p->sleeping++;
            while (!is_news(p, seen))
                (void)pthread_cond_wait(&p->posted, &p->lock);
            p->sleeping--;
            (void)pthread_mutex_unlock(&p->lock);
        }
        seen = job_of(atomic_load_explicit(&p->state, memory_order_acquire));
        drain(p, a->index);
    }
    return NULL;
}

static int cpus(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    const int n = CPU_COUNT(&set);
    return n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : n;
}

/* Signals are the business of the thread that called us. */
static int start(dscq_pool *p, int index)
{
    sigset_t all, old;

    p->arg[index] = (worker_arg){p, index};
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    const int rc = pthread_create(&p->thread[index], NULL, work, &p->arg[index]);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

dscq_status dscq_pool_create(dscq_pool **out, int threads, dscq_error *err)
{
    *out = NULL;
    if (threads < 0 || threads > THREADS_MAX)
        return dscq_fail(err, DSCQ_ARG, "threads = %d: want 0 (all CPUs) to %d",
                         threads, THREADS_MAX);
    dscq_pool *p = dscq_calloc(1, sizeof *p);
    if (p == NULL)
        return dscq_fail_nomem(err, "thread pool", sizeof *p);
    const int have = cpus();
    p->threads = threads == 0 ? have : threads;
    p->spin = p->threads <= have ? SPIN : 0;
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->posted, NULL);
    (void)pthread_cond_init(&p->finished, NULL);
    for (p->started = 1; p->started < p->threads; p->started++) {
        const int rc = start(p, p->started);
        if (rc != 0) {
            const int got = p->started;
            const int want = p->threads;
            dscq_pool_destroy(p);
            return dscq_fail(err, DSCQ_IO, "cannot start thread %d of %d: %s", got + 1,
                             want, strerror(rc));
        }
    }
    *out = p;
    return DSCQ_OK;
}

void dscq_pool_destroy(dscq_pool *p)
{
    if (p == NULL)
        return;
    (void)pthread_mutex_lock(&p->lock);
    atomic_store_explicit(&p->quit, 1, memory_order_release);
    (void)pthread_cond_broadcast(&p->posted);
    (void)pthread_mutex_unlock(&p->lock);
    for (int i = 1; i < p->started; i++)
        (void)pthread_join(p->thread[i], NULL);
    (void)pthread_cond_destroy(&p->finished);
    (void)pthread_cond_destroy(&p->posted);
    (void)pthread_mutex_destroy(&p->lock);
    dscq_free(p);
}

int dscq_pool_threads(const dscq_pool *p)
{
    return p == NULL ? 1 : p->threads;
}

static int is_done(dscq_pool *p, size_t tasks)
{
    return atomic_load_explicit(&p->done, memory_order_acquire) == tasks;
}

static void run_batch(dscq_pool *p, size_t first, size_t tasks)
{
    const uint64_t job =
        job_of(atomic_load_explicit(&p->state, memory_order_relaxed)) + (uint64_t)1;

    p->first = first;
    p->tasks = tasks;
    atomic_store_explicit(&p->done, 0, memory_order_relaxed);
    (void)pthread_mutex_lock(&p->lock);
    atomic_store_explicit(&p->state, job << 32 | (uint64_t)tasks, memory_order_release);
    if (p->sleeping > 0)
        (void)pthread_cond_broadcast(&p->posted);
    (void)pthread_mutex_unlock(&p->lock);

    drain(p, 0);
    for (int i = 0; i < p->spin && !is_done(p, tasks); i++)
        relax();
    if (is_done(p, tasks))
        return;
    (void)pthread_mutex_lock(&p->lock);
    p->waiting = 1;
    while (!is_done(p, tasks))
        (void)pthread_cond_wait(&p->finished, &p->lock);
    p->waiting = 0;
    (void)pthread_mutex_unlock(&p->lock);
}

void dscq_pool_run(dscq_pool *p, size_t tasks, dscq_task_fn *fn, void *ctx)
{
    if (p == NULL || p->threads == 1 || tasks <= 1) {
        for (size_t i = 0; i < tasks; i++)
            fn(ctx, i, 0);
        return;
    }
    p->fn = fn;
    p->ctx = ctx;
    for (size_t first = 0; first < tasks;) {
        const size_t left = tasks - first;
        const size_t n = left < UINT32_MAX ? left : UINT32_MAX;
        run_batch(p, first, n);
        first += n;
    }
}
