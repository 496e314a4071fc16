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
#include <time.h>

/*
 * How long a thread watches for news before it sleeps. Going to sleep and being woken
 * costs some 50 us on a virtual machine, and a layer ends with a wait of about that
 * length; so the watch is as long as waits have lately been: it doubles after a wait
 * that SPIN_MAX would have covered and drops to SPIN_MIN after a longer one, as they
 * are when a neighbour has one of our cores and watching would only take its place.
 */
enum { THREADS_MAX = 256, SPIN_MIN = 20 * 1000, SPIN_MAX = 320 * 1000 }; /* ns */
enum { PAUSES = 32 };         /* between two looks at the clock */
enum { LINE = 64 };           /* bytes */
enum { BATCH_MAX = 1 << 22 }; /* tasks of a job */

/*
 * Every thread has a share of a job's tasks: a run of neighbours, the same part of the
 * whole in every job, so that a thread mostly finds in its own cache what it wrote in
 * the job before (batches lie in the order of their images). Who has finished his own
 * share helps with the others'.
 *
 * `left` of a share holds the number of the job (high half) and how many of its tasks
 * nobody has taken yet (low half). A task is taken by decreasing the low half;
 * that fails when the job has changed meanwhile, so a worker that slept through
 * a whole job cannot take a task of the next one by mistake. The plain fields
 * (fn, ctx, tasks, first, end) are read only between taking a task and counting it in
 * `done`; the caller changes them only when everything is counted.
 * The caller never waits for a worker to wake up, only for tasks taken.
 */
typedef struct share {
    _Alignas(LINE) _Atomic uint64_t left;
    size_t end;                      /* one behind its last task */
    _Alignas(LINE) char apart[LINE]; /* lines are fetched in pairs */
} share;

typedef struct worker_arg {
    dscq_pool *pool;
    int index;
    int64_t spin; /* ns; 0: sleeps at once */
} worker_arg;

struct dscq_pool {
    _Alignas(LINE) _Atomic uint32_t job; /* what workers watch: all is ready */
    _Atomic int quit;
    _Alignas(LINE) _Atomic size_t done;
    _Alignas(LINE) dscq_task_fn *fn;
    void *ctx;
    size_t first, tasks;

    pthread_mutex_t lock;
    pthread_cond_t posted, finished;
    int sleeping; /* workers inside `posted`; guarded by lock */
    int waiting;  /* the caller is inside `finished`          */

    int threads, started;
    pthread_t thread[THREADS_MAX];
    worker_arg arg[THREADS_MAX];
    share share[];
};

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

static int64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t next_spin(int64_t spin, int64_t waited)
{
    if (waited > SPIN_MAX)
        return SPIN_MIN;
    return spin < waited ? (2 * spin < SPIN_MAX ? 2 * spin : SPIN_MAX) : spin;
}

/* Run task number `task` of the current job and count it. */
static void run_task(dscq_pool *p, size_t task, int worker)
{
    const size_t tasks = p->tasks;

    p->fn(p->ctx, p->first + task, worker);
    if (atomic_fetch_add_explicit(&p->done, 1, memory_order_acq_rel) + 1 < tasks)
        return;
    (void)pthread_mutex_lock(&p->lock);
    if (p->waiting)
        (void)pthread_cond_signal(&p->finished);
    (void)pthread_mutex_unlock(&p->lock);
}

/* Take and run tasks of a share until none is left. */
static void drain_share(dscq_pool *p, share *of, int worker)
{
    uint64_t s = atomic_load_explicit(&of->left, memory_order_acquire);

    while ((uint32_t)s != 0) {
        if (!atomic_compare_exchange_weak_explicit(
                &of->left, &s, s - 1, memory_order_acq_rel, memory_order_acquire))
            continue;
        run_task(p, of->end - (uint32_t)s, worker);
        s = atomic_load_explicit(&of->left, memory_order_acquire);
    }
}

static void drain(dscq_pool *p, int worker)
{
    for (int i = 0; i < p->threads; i++)
        drain_share(p, &p->share[(worker + i) % p->threads], worker);
}

/* A thread waits until `ready` holds of `what`: it watches for *spin, then sleeps. */
typedef int ready_fn(dscq_pool *p, size_t what);
typedef void sleep_fn(dscq_pool *p, size_t what);

static void wait_until(dscq_pool *p, int64_t *spin, ready_fn *ready, sleep_fn *sleep,
                       size_t what)
{
    if (ready(p, what))
        return;
    if (*spin == 0) {
        sleep(p, what);
        return;
    }
    const int64_t start = now_ns();
    while (now_ns() - start < *spin) {
        for (int i = 0; i < PAUSES; i++) {
            if (ready(p, what))
                return;
            relax();
        }
    }
    sleep(p, what);
    *spin = next_spin(*spin, now_ns() - start);
}

/* A worker: another job than the one it has seen. */
static int is_news(dscq_pool *p, size_t seen)
{
    return atomic_load_explicit(&p->job, memory_order_acquire) != seen ||
           atomic_load_explicit(&p->quit, memory_order_acquire);
}

static void sleep_for_news(dscq_pool *p, size_t seen)
{
    (void)pthread_mutex_lock(&p->lock);
    p->sleeping++;
    while (!is_news(p, seen))
        (void)pthread_cond_wait(&p->posted, &p->lock);
    p->sleeping--;
    (void)pthread_mutex_unlock(&p->lock);
}

static void *work(void *arg)
{
    worker_arg *a = arg;
    dscq_pool *const p = a->pool;
    uint32_t seen = 0;

    while (!atomic_load_explicit(&p->quit, memory_order_acquire)) {
        wait_until(p, &a->spin, is_news, sleep_for_news, seen);
        seen = atomic_load_explicit(&p->job, memory_order_acquire);
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

    p->arg[index] = (worker_arg){p, index, p->arg[0].spin};
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
    const int have = cpus();
    if (threads == 0)
        threads = have;
    const size_t bytes = sizeof(dscq_pool) + (size_t)threads * sizeof(share);
    dscq_pool *p = dscq_calloc(1, bytes);
    if (p == NULL)
        return dscq_fail_nomem(err, "thread pool", bytes);
    p->threads = threads;
    p->arg[0] = (worker_arg){p, 0, p->threads <= have ? SPIN_MIN : 0};
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->posted, NULL);
    (void)pthread_cond_init(&p->finished, NULL);
    for (p->started = 1; p->started < p->threads; p->started++) {
        if (start(p, p->started) != 0) {
            const int got = p->started;
            const int want = p->threads;
            dscq_pool_destroy(p);
            return dscq_fail_thread(err, "thread", got + 1, want);
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

static void sleep_until_done(dscq_pool *p, size_t tasks)
{
    (void)pthread_mutex_lock(&p->lock);
    p->waiting = 1;
    while (!is_done(p, tasks))
        (void)pthread_cond_wait(&p->finished, &p->lock);
    p->waiting = 0;
    (void)pthread_mutex_unlock(&p->lock);
}

static void post(dscq_pool *p, uint32_t job)
{
    const size_t threads = (size_t)p->threads, tasks = p->tasks;

    atomic_store_explicit(&p->done, 0, memory_order_relaxed);
    for (size_t i = 0; i < threads; i++)
        p->share[i].end = tasks * (i + 1) / threads;
    for (size_t i = 0; i < threads; i++) {
        const size_t first = tasks * i / threads;
        atomic_store_explicit(&p->share[i].left,
                              (uint64_t)job << 32 | (p->share[i].end - first),
                              memory_order_release);
    }
    (void)pthread_mutex_lock(&p->lock);
    atomic_store_explicit(&p->job, job, memory_order_release);
    if (p->sleeping > 0)
        (void)pthread_cond_broadcast(&p->posted);
    (void)pthread_mutex_unlock(&p->lock);
}

static void run_batch(dscq_pool *p, size_t first, size_t tasks)
{
    p->first = first;
    p->tasks = tasks;
    post(p, atomic_load_explicit(&p->job, memory_order_relaxed) + 1);
    drain(p, 0);
    wait_until(p, &p->arg[0].spin, is_done, sleep_until_done, tasks);
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
        const size_t n = left < BATCH_MAX ? left : BATCH_MAX;
        run_batch(p, first, n);
        first += n;
    }
}
