/*
 * peer_ncnn - milliseconds of one inference by ncnn, through its C interface, one
 * thread, CPU time. Compiled by bench/peer_infer.sh where ncnn is installed; no part of
 * the build.
 *
 *   peer_ncnn FILE.param SIDE SECONDS [REPEATS]
 *
 * Weights are zero, which its speed does not depend on. Options are those of its own
 * benchmark: packed layouts, Winograd, light mode, pooled memory. One line per repeat,
 * the median of 7 slices; with REPEATS 0 a line for every line read, so that a script
 * can take turns with others.
 */
#include <ncnn/c_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static size_t zeros(ncnn_datareader_t reader, void *to, size_t bytes)
{
    (void)reader;
    memset(to, 0, bytes);
    return bytes;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int order(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void pass(ncnn_net_t net, ncnn_option_t option, ncnn_mat_t in)
{
    ncnn_extractor_t ex = ncnn_extractor_create(net);
    ncnn_mat_t out = NULL;

    ncnn_extractor_set_option(ex, option);
    if (ncnn_extractor_input(ex, "data", in) != 0 ||
        ncnn_extractor_extract(ex, "output", &out) != 0) {
        (void)fprintf(stderr, "peer_ncnn: the network does not run\n");
        exit(1);
    }
    ncnn_mat_destroy(out);
    ncnn_extractor_destroy(ex);
}

static double median_ms(ncnn_net_t net, ncnn_option_t option, ncnn_mat_t in,
                        double seconds)
{
    double ms[7];

    for (int i = 0; i < 7; i++) {
        const double begin = now();
        double count = 0, end;
        do {
            pass(net, option, in);
            count++;
        } while ((end = now()) - begin < seconds);
        ms[i] = 1e3 * (end - begin) / count;
    }
    qsort(ms, 7, sizeof ms[0], order);
    return ms[3];
}

int main(int argc, char **argv)
{
    char line[64];

    if (argc < 4) {
        (void)fprintf(stderr, "usage: peer_ncnn FILE.param SIDE SECONDS [REPEATS]\n");
        return 2;
    }
    const int side = (int)strtol(argv[2], NULL, 10);
    const double seconds = strtod(argv[3], NULL);
    long left = argc > 4 ? strtol(argv[4], NULL, 10) : 1;
    const int asked = left == 0;
    ncnn_net_t net = ncnn_net_create();
    ncnn_option_t option = ncnn_option_create();
    ncnn_datareader_t reader = ncnn_datareader_create();
    ncnn_mat_t in = ncnn_mat_create_3d(side, side, 3, NULL);

    ncnn_option_set_num_threads(option, 1);
    ncnn_option_set_blob_allocator(option,
                                   ncnn_allocator_create_unlocked_pool_allocator());
    ncnn_option_set_workspace_allocator(option, ncnn_allocator_create_pool_allocator());
    ncnn_net_set_option(net, option);
    reader->read = zeros;
    if (ncnn_net_load_param(net, argv[1]) != 0 ||
        ncnn_net_load_model_datareader(net, reader) != 0) {
        (void)fprintf(stderr, "peer_ncnn: %s does not load\n", argv[1]);
        return 1;
    }
    ncnn_mat_fill_float(in, 0.01F);
    for (int i = 0; i < 8; i++)
        pass(net, option, in);
    while (asked ? fgets(line, sizeof line, stdin) != NULL : left-- > 0) {
        printf("%.5f\n", median_ms(net, option, in, seconds));
        (void)fflush(stdout);
    }
    ncnn_mat_destroy(in);
    ncnn_datareader_destroy(reader);
    ncnn_option_destroy(option);
    ncnn_net_destroy(net);
    return 0;
}
