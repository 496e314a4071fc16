/* bench_data.c - pictures a second of one loader thread (its processor time):
 * generated, augmented, and (with arguments like type=voc train=... width=...) of any
 * data set.
 *
 *     bench_data [KEY=VALUE...]
 */
#include "dscq/base/config.h"
#include "dscq/data/batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct job {
    const char *title, *settings;
} job;

static const job k_jobs[] = {
    {"signs 32x32, drawn", "type=signs width=32 height=32 count=8000 cache_mb=0"},
    {"signs 64x64, drawn", "type=signs width=64 height=64 count=4000 cache_mb=0"},
    {"scenes 192x192, drawn",
     "type=signs_detect width=192 height=192 count=400 cache_mb=0"},
    {"32x32 from memory", "type=signs width=32 height=32 count=8000"},
    {"32x32 flip shift", "type=signs width=32 height=32 count=8000 flip=1 shift=4"},
    {"32x32 flip zoom colour cutout",
     "type=signs width=32 height=32 count=8000 flip=1 zoom=0.2 colour=0.3 cutout=8"},
    {"192x192 flip zoom colour mosaic",
     "type=signs_detect width=192 height=192 count=400 flip=1 zoom=0.3 colour=0.3 "
     "mosaic=0.5"},
};

/* Processor time of this thread: a busy neighbour does not count. */
static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static dscq_status settings(dscq_data_params *p, const char *text, dscq_error *err)
{
    char file[4096] = "[data]\n";
    dscq_config *c = NULL;
    size_t n = strlen(file);

    for (; *text != '\0' && n + 2 < sizeof file; text++)
        file[n++] = *text == ' ' ? '\n' : *text;
    file[n] = '\0';
    memset(p, 0, sizeof *p);
    dscq_status status = dscq_config_parse(&c, file, n, "bench", err);
    if (status == DSCQ_OK)
        status = dscq_config_bind(p, c, 0, "data", dscq_data_keys, err);
    dscq_config_destroy(c);
    return status;
}

/* Best of five epochs after one that fills the cache. */
static dscq_status measure(double *per_second, const char *text, dscq_error *err)
{
    const unsigned flags = DSCQ_LOADER_SHUFFLE | DSCQ_LOADER_AUGMENT;
    dscq_data_params p;
    dscq_dataset *d = NULL;
    dscq_loader *l = NULL;
    dscq_batch b;
    dscq_status status;

    DSCQ_TRY(settings(&p, text, err));
    DSCQ_TRY(dscq_dataset_open(&d, &p, NULL, NULL, err));
    const size_t count = dscq_dataset_count(d, DSCQ_SPLIT_TRAIN);
    DSCQ_TRY(dscq_loader_create(&l, d, DSCQ_SPLIT_TRAIN, count < 64 ? 1 : 64, flags, 1,
                                0, err));
    *per_second = 0.0;
    for (uint32_t epoch = 0; epoch < 6; epoch++) {
        const double start = now();

        dscq_loader_start(l, epoch, 0);
        do
            DSCQ_TRY(dscq_loader_next(&b, l, err));
        while (b.n > 0);
        const double rate = (double)count / (now() - start);
        if (epoch > 0 && rate > *per_second)
            *per_second = rate;
    }
done:
    dscq_loader_destroy(l);
    dscq_dataset_destroy(d);
    return status;
}

static int report(const char *title, const char *text)
{
    dscq_error err = {DSCQ_OK, ""};
    double rate = 0.0;

    if (measure(&rate, text, &err) != DSCQ_OK) {
        (void)fprintf(stderr, "%s: %s\n", title, err.msg);
        return 0;
    }
    (void)printf("%-34s %9.0f pictures/s\n", title, rate);
    return 1;
}

int main(int argc, char **argv)
{
    char text[4000] = "";
    int ok = 1;

    for (int i = 1; i < argc; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s",
                       i > 1 ? " " : "", argv[i]);
    if (argc > 1)
        return report("given", text) ? EXIT_SUCCESS : EXIT_FAILURE;
    for (size_t i = 0; i < sizeof k_jobs / sizeof *k_jobs; i++)
        ok &= report(k_jobs[i].title, k_jobs[i].settings);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
