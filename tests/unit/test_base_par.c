#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* SCHED_IDLE, sched_setaffinity */
#endif

#include "dscq/base/par.h"
#include "support.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

enum { TASKS = 1000 };

typedef struct count {
    _Atomic int hits[TASKS];
    _Atomic int workers_seen;
    int threads;
} count;

static void hit(void *ctx, size_t task, int worker)
{
    count *c = ctx;

    atomic_fetch_add(&c->hits[task], 1);
    if (worker < 0 || worker >= c->threads)
        atomic_fetch_add(&c->workers_seen, 1);
}

START_TEST(every_task_runs_once)
{
    static const int k_threads[] = {1, 2, 8};
    dscq_error err = {DSCQ_OK, ""};
    dscq_pool *p = NULL;
    static count c;

    test_ok(dscq_pool_create(&p, k_threads[_i], &err));
    ck_assert_int_eq(dscq_pool_threads(p), k_threads[_i]);
    c.threads = k_threads[_i];
    for (size_t tasks = 0; tasks <= TASKS; tasks += tasks < 20 ? 1 : 97) {
        memset(&c.hits, 0, sizeof c.hits);
        dscq_pool_run(p, tasks, hit, &c);
        for (size_t i = 0; i < TASKS; i++)
            ck_assert_msg(atomic_load(&c.hits[i]) == (i < tasks),
                          "%zu tasks: task %zu ran %d times", tasks, i,
                          atomic_load(&c.hits[i]));
    }
    ck_assert_int_eq(atomic_load(&c.workers_seen), 0);
    dscq_pool_destroy(p);
}
END_TEST

/* Small jobs one after the other: what a late worker would spoil. */
START_TEST(many_short_jobs_do_not_mix)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_pool *p = NULL;
    static count c[2];

    test_ok(dscq_pool_create(&p, 4, &err));
    c[0].threads = c[1].threads = 4;
    for (int round = 0; round < 20000; round++)
        dscq_pool_run(p, (size_t)(1 + round % 7), hit, &c[round % 2]);
    int total = 0;
    for (int i = 0; i < TASKS; i++)
        total += atomic_load(&c[0].hits[i]) + atomic_load(&c[1].hits[i]);
    int want = 0;
    for (int round = 0; round < 20000; round++)
        want += 1 + round % 7;
    ck_assert_int_eq(total, want);
    dscq_pool_destroy(p);
}
END_TEST

typedef struct sums {
    double part[64];
} sums;

static void add_part(void *ctx, size_t task, int worker)
{
    sums *s = ctx;

    (void)worker;
    for (int i = 1; i < 2000; i++)
        s->part[task] += 1.0 / ((double)task + i);
}

static double total_for(int threads)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_pool *p = NULL;
    sums s = {{0}};
    double total = 0;

    test_ok(dscq_pool_create(&p, threads, &err));
    dscq_pool_run(p, 64, add_part, &s);
    dscq_pool_destroy(p);
    for (int i = 0; i < 64; i++)
        total += s.part[i];
    return total;
}

START_TEST(sums_are_equal_for_any_thread_count)
{
    const double one = total_for(1), two = total_for(2), eight = total_for(8);

    ck_assert_mem_eq(&one, &two, sizeof one);
    ck_assert_mem_eq(&one, &eight, sizeof one);
}
END_TEST

typedef struct meeting {
    int threads;
    _Atomic int here, wrong;
} meeting;

/* Ends when every thread has come with one task. */
static void meet(void *ctx, size_t task, int worker)
{
    meeting *m = ctx;

    if (task != (size_t)worker)
        atomic_store(&m->wrong, 1);
    atomic_fetch_add(&m->here, 1);
    while (atomic_load(&m->here) < m->threads)
        (void)sched_yield();
}

/* A thread begins with the same part of the tasks in every job. */
START_TEST(every_thread_begins_with_its_share)
{
    static const int k_threads[] = {2, 5};
    dscq_error err = {DSCQ_OK, ""};
    dscq_pool *p = NULL;

    test_ok(dscq_pool_create(&p, k_threads[_i], &err));
    for (int job = 0; job < 200; job++) {
        meeting m = {.threads = k_threads[_i]};
        dscq_pool_run(p, (size_t)k_threads[_i], meet, &m);
        ck_assert_int_eq(atomic_load(&m.wrong), 0);
        ck_assert_int_eq(atomic_load(&m.here), k_threads[_i]);
    }
    dscq_pool_destroy(p);
}
END_TEST

/* ---- busy neighbours ------------------------------------------------------- */

enum { SPINNERS = 4, JOBS = 100 };

typedef struct neighbours {
    pthread_t thread[SPINNERS];
    _Atomic int stop;
    _Atomic uint64_t turns;
} neighbours;

static void *spin(void *arg)
{
    neighbours *n = arg;

    while (!atomic_load(&n->stop))
        atomic_fetch_add(&n->turns, 1);
    return NULL;
}

static void neighbours_begin(neighbours *n)
{
    memset(n, 0, sizeof *n);
    for (int i = 0; i < SPINNERS; i++)
        ck_assert_int_eq(pthread_create(&n->thread[i], NULL, spin, n), 0);
    while (atomic_load(&n->turns) == 0)
        (void)sched_yield();
}

static void neighbours_end(neighbours *n)
{
    atomic_store(&n->stop, 1);
    for (int i = 0; i < SPINNERS; i++)
        ck_assert_int_eq(pthread_join(n->thread[i], NULL), 0);
}

/* As many threads as cores and many more, each core with two neighbours that never
 * rest: every job ends, and with the same bytes. */
START_TEST(busy_neighbours_change_nothing)
{
    static const int k_threads[] = {2, 16};
    const double want = total_for(1);
    dscq_error err = {DSCQ_OK, ""};
    neighbours n;
    dscq_pool *p = NULL;

    neighbours_begin(&n);
    test_ok(dscq_pool_create(&p, k_threads[_i], &err));
    for (int job = 0; job < JOBS; job++) {
        sums s = {{0}};
        double total = 0;
        dscq_pool_run(p, 64, add_part, &s);
        for (int i = 0; i < 64; i++)
            total += s.part[i];
        ck_assert_mem_eq(&total, &want, sizeof want);
    }
    dscq_pool_destroy(p);
    neighbours_end(&n);
}
END_TEST

/* Ourselves and all threads made from now on, on one of the CPUs we may use. */
static void stay_on_one_cpu(void)
{
    cpu_set_t all, one;
    size_t cpu = 0;

    ck_assert_int_eq(sched_getaffinity(0, sizeof all, &all), 0);
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
}

typedef struct who {
    _Atomic int caller, workers;
} who;

static void note_worker(void *ctx, size_t task, int worker)
{
    who *w = ctx;

    (void)task;
    atomic_fetch_add(worker == 0 ? &w->caller : &w->workers, 1);
}

/* The workers run at idle priority on a CPU that others keep busy: less than a
 * thousandth of its time is theirs. Who waited for them to wake up would need hours for
 * these jobs; the caller does the tasks itself. (The case has a timeout.) */
START_TEST(nobody_waits_for_a_worker_without_a_task)
{
    const struct sched_param none = {0};
    dscq_error err = {DSCQ_OK, ""};
    neighbours n;
    dscq_pool *p = NULL;
    who w = {0, 0};

    stay_on_one_cpu();
    ck_assert_int_eq(pthread_setschedparam(pthread_self(), SCHED_IDLE, &none), 0);
    test_ok(dscq_pool_create(&p, 8, &err));
    if (pthread_setschedparam(pthread_self(), SCHED_OTHER, &none) != 0) {
        dscq_pool_destroy(p);
        test_skip("this kernel lets no thread out of SCHED_IDLE without privilege");
        return;
    }
    neighbours_begin(&n);
    for (int job = 0; job < 20 * JOBS; job++)
        dscq_pool_run(p, 8, note_worker, &w);
    ck_assert_int_eq(atomic_load(&w.caller) + atomic_load(&w.workers), 20 * JOBS * 8);
    ck_assert_int_gt(atomic_load(&w.caller), atomic_load(&w.workers));
    neighbours_end(&n);
    dscq_pool_destroy(p);
}
END_TEST

START_TEST(no_pool_runs_in_order_here)
{
    count c;

    memset(&c, 0, sizeof c);
    c.threads = 1;
    ck_assert_int_eq(dscq_pool_threads(NULL), 1);
    dscq_pool_run(NULL, 5, hit, &c);
    for (int i = 0; i < TASKS; i++)
        ck_assert_int_eq(atomic_load(&c.hits[i]), i < 5);
    dscq_pool_destroy(NULL);
}
END_TEST

START_TEST(the_number_of_threads_is_checked)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_pool *p = NULL;

    test_fails(dscq_pool_create(&p, -1, &err), DSCQ_ARG,
               "threads = -1: want 0 (all CPUs) to 256");
    test_fails(dscq_pool_create(&p, 257, &err), DSCQ_ARG,
               "threads = 257: want 0 (all CPUs) to 256");
    ck_assert_ptr_null(p);
    test_ok(dscq_pool_create(&p, 0, &err));
    ck_assert_int_ge(dscq_pool_threads(p), 1);
    dscq_pool_destroy(p);
}
END_TEST

static dscq_status make_pool(void *ctx, dscq_error *err)
{
    dscq_pool *p = NULL;
    const dscq_status status = dscq_pool_create(&p, 2, err);

    (void)ctx;
    dscq_pool_destroy(p);
    return status;
}

START_TEST(no_memory_is_reported)
{
    ck_assert_uint_ge(test_each_alloc_fails(make_pool, NULL), 1);
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("base/par", &tc);

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, every_task_runs_once, 0, 3);
    tcase_add_test(tc, many_short_jobs_do_not_mix);
    tcase_add_test(tc, sums_are_equal_for_any_thread_count);
    tcase_add_loop_test(tc, every_thread_begins_with_its_share, 0, 2);
    tcase_add_loop_test(tc, busy_neighbours_change_nothing, 0, 2);
    tcase_add_test(tc, nobody_waits_for_a_worker_without_a_task);
    tcase_add_test(tc, no_pool_runs_in_order_here);
    tcase_add_test(tc, the_number_of_threads_is_checked);
    tcase_add_test(tc, no_memory_is_reported);
    return s;
}

int main(void)
{
    return test_run(make);
}
