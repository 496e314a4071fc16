/*
 * standalone.c - replays inputs through a fuzz target, under any compiler.
 *
 *     fuzz_x [--mutate N] [--seed S] FILE|FOLDER...
 *
 * Every file (folders are walked one level, in bytewise order) is given to
 * LLVMFuzzerTestOneInput() as it is, cut at a few places, and N times with a few
 * bytes changed by a fixed generator, so that a replay is the same everywhere. A target
 * with a mutator of its own changes them itself, with the seeds S, S + 1, ... An input
 * that takes minutes ends the program by SIGALRM.
 */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* A target may have one; NULL otherwise. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                               unsigned int seed) __attribute__((weak));

/* An input that takes longer hangs, and the signal says so. */
enum { SECONDS_MAX = 120, ROOM = 1 << 16 };

static void run_one(const uint8_t *data, size_t bytes)
{
    (void)alarm(SECONDS_MAX);
    (void)LLVMFuzzerTestOneInput(data, bytes);
    (void)alarm(0);
}

typedef struct replay {
    unsigned long mutations, seed;
    unsigned long files, runs;
} replay;

/* Changed by the target itself; into a block of exactly the size. */
static void run_custom(replay *r, const uint8_t *data, size_t bytes)
{
    uint8_t *copy = dscq_malloc(bytes + ROOM, 1);

    if (copy == NULL)
        abort();
    for (unsigned long k = 0; k < r->mutations; k++, r->runs++) {
        const unsigned seed = (unsigned)(r->seed + k);
        memcpy(copy, data, bytes);
        const size_t n = LLVMFuzzerCustomMutator(copy, bytes, bytes + ROOM, seed);
        uint8_t *exact = malloc(n > 0 ? n : 1);
        if (exact == NULL)
            abort();
        memcpy(exact, copy, n);
        run_one(exact, n);
        free(exact);
    }
    dscq_free(copy);
}

static void run_mutations(replay *r, const uint8_t *data, size_t bytes)
{
    dscq_rng rng = dscq_rng_seeded(bytes);
    uint8_t *copy = dscq_malloc(bytes + 1, 1);

    if (copy == NULL)
        abort();
    for (unsigned long k = 0; bytes > 0 && k < r->mutations; k++, r->runs++) {
        const uint64_t changes = 1 + dscq_rng_below(&rng, 4);
        size_t n = bytes;

        memcpy(copy, data, bytes);
        for (uint64_t i = 0; i < changes; i++)
            copy[dscq_rng_below(&rng, bytes)] = (uint8_t)dscq_rng_next(&rng);
        if (dscq_rng_below(&rng, 4) == 0)
            n = (size_t)dscq_rng_below(&rng, bytes + 1);
        run_one(copy, n);
    }
    dscq_free(copy);
}

static int run_file(replay *r, const char *path)
{
    dscq_error err = {DSCQ_OK, ""};
    uint8_t *data = NULL, *exact;
    size_t bytes = 0;

    if (dscq_file_read(&data, &bytes, path, (size_t)1 << 28, &err) != DSCQ_OK) {
        (void)fprintf(stderr, "%s\n", err.msg);
        return 0;
    }
    /* A block of exactly this size: a read past the end is seen. */
    for (size_t part = 0; part <= 8; part++) {
        const size_t n = bytes * part / 8;

        exact = malloc(n > 0 ? n : 1);
        if (exact == NULL)
            abort();
        memcpy(exact, data, n);
        run_one(exact, n);
        free(exact);
        r->runs++;
    }
    if (LLVMFuzzerCustomMutator != NULL)
        run_custom(r, data, bytes);
    else
        run_mutations(r, data, bytes);
    dscq_free(data);
    r->files++;
    return 1;
}

static int run_path(replay *r, const char *path)
{
    dscq_error err = {DSCQ_OK, ""};
    char name[4096];
    dscq_dir dir;
    int ok = 1;

    if (!dscq_path_is_dir(path))
        return run_file(r, path);
    if (dscq_dir_list(&dir, path, &err) != DSCQ_OK) {
        (void)fprintf(stderr, "%s\n", err.msg);
        return 0;
    }
    for (size_t i = 0; ok && i < dir.count; i++) {
        ok = dscq_path_join(name, sizeof name, path, dir.name[i], &err) == DSCQ_OK;
        if (ok && !dscq_path_is_dir(name))
            ok = run_file(r, name);
    }
    dscq_dir_free(&dir);
    return ok;
}

int main(int argc, char **argv)
{
    replay r = {0};
    int first = 1, ok = 1;

    if (argc > 2 && strcmp(argv[1], "--mutate") == 0) {
        r.mutations = strtoul(argv[2], NULL, 10);
        first = 3;
    }
    if (argc > first + 1 && strcmp(argv[first], "--seed") == 0) {
        r.seed = strtoul(argv[first + 1], NULL, 10);
        first += 2;
    }
    for (int i = first; ok && i < argc; i++)
        ok = run_path(&r, argv[i]);
    (void)printf("%lu files, %lu runs\n", r.files, r.runs);
    return ok && r.files > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
