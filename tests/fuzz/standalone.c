/*
 * standalone.c - replays inputs through a fuzz target, under any compiler.
 *
 *     fuzz_x [--mutate N] FILE|FOLDER...
 *
 * Every file (folders are walked one level, in bytewise order) is given to
 * LLVMFuzzerTestOneInput() as it is, cut at a few places, and N times with a few
 * bytes changed by a fixed generator, so that a replay is the same everywhere.
 */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct replay {
    unsigned long mutations;
    unsigned long files, runs;
} replay;

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
        (void)LLVMFuzzerTestOneInput(copy, n);
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
        (void)LLVMFuzzerTestOneInput(exact, n);
        free(exact);
        r->runs++;
    }
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
    for (int i = first; ok && i < argc; i++)
        ok = run_path(&r, argv[i]);
    (void)printf("%lu files, %lu runs\n", r.files, r.runs);
    return ok && r.files > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
