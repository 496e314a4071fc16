/* Train a network and compress it: the work of `dscq compress`, from C.
 *
 *   cc train_compress.c $(pkg-config --cflags --libs dscq) -o train_compress
 *   ./train_compress NET.cfg PACKED.bin [SECTION.KEY=VALUE]...
 *
 * Ctrl-C stops between two steps. */
#include <dscq/dscq.h>
#include <signal.h>
#include <stdio.h>

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static int stop(void *ctx)
{
    (void)ctx;
    return interrupted != 0;
}

static void message(void *ctx, int level, const char *text)
{
    (void)ctx;
    if (level <= 1) /* warnings and information, no details */
        fprintf(stderr, "%s%s\n", level == 0 ? "warning: " : "", text);
}

static void progress(void *ctx, const char *what, double done, double total,
                     const char *note)
{
    int *percent = ctx;
    const int now = total > 0 ? (int)(100 * done / total) : 0;

    if (now / 10 != *percent / 10) /* it comes for every step */
        fprintf(stderr, "%s: %d %% %s\n", what, now, note);
    *percent = now;
}

static dscq_status work(dscq_net *net, dscq_qnet **packed, dscq_error *err)
{
    dscq_training training = {.size = sizeof training};
    dscq_score score = {.size = sizeof score};
    dscq_compression result = {.size = sizeof result};
    dscq_table *layers = NULL;
    dscq_status status;

    status = dscq_net_train(&training, net, NULL, err);
    if (status != DSCQ_OK)
        return status;
    printf("trained %u epochs, %.1f MB\n", (unsigned)training.epochs,
           (double)training.peak_bytes / 1e6);
    status = dscq_net_evaluate(&score, net, "test", NULL, err);
    if (status != DSCQ_OK)
        return status;
    printf("float  %.2f %% (%.2f..%.2f) of %llu pictures\n", 100 * score.score,
           100 * score.low, 100 * score.high, (unsigned long long)score.images);
    status = dscq_net_compress(packed, &result, &layers, net, NULL, err);
    if (status != DSCQ_OK)
        return status;
    printf("packed %.2f %%, %llu bytes instead of %llu, %.0f %% zeros\n",
           100 * result.packed_score, (unsigned long long)result.file_bytes,
           (unsigned long long)result.float_bytes, 100 * result.sparsity);
    const int name = dscq_table_find(layers, "layer");
    const int bits = dscq_table_find(layers, "bits");
    for (size_t row = 0; name >= 0 && bits >= 0 && row < dscq_table_rows(layers); row++)
        printf("  %-24s %lld bits a weight\n",
               dscq_table_text(layers, row, (size_t)name),
               (long long)dscq_table_int(layers, row, (size_t)bits));
    dscq_table_close(layers);
    return DSCQ_OK;
}

int main(int argc, char **argv)
{
    int percent = 0;
    const dscq_events events = {.size = sizeof events,
                                .ctx = &percent,
                                .message = message,
                                .progress = progress,
                                .stop = stop};
    dscq_net_options options = {.size = sizeof options, .events = &events};
    dscq_net *net = NULL;
    dscq_qnet *packed = NULL;
    dscq_error err;
    dscq_status status;

    if (argc < 3) {
        fprintf(stderr, "usage: train_compress NET.cfg PACKED.bin [KEY=VALUE]...\n");
        return 2;
    }
    options.set = (const char *const *)argv + 3;
    options.set_count = (size_t)argc - 3;
    signal(SIGINT, on_signal);
    status = dscq_net_open(&net, argv[1], &options, &err);
    if (status == DSCQ_OK)
        status = work(net, &packed, &err);
    if (status == DSCQ_OK)
        status = dscq_qnet_write(packed, argv[2], NULL, &err);
    if (status != DSCQ_OK)
        fprintf(stderr, "%s: %s\n", dscq_status_name(status), err.msg);
    dscq_qnet_close(packed);
    dscq_net_close(net);
    return status == DSCQ_OK ? 0 : 1;
}
