/* The rows of [compress] and [compress_layer]. */
#include "dscq/compress/method.h"
#include "dscq/compress/settings.h"

#include <assert.h>
#include <string.h>

#define P dscq_compress_params
static const dscq_key k_common[] = {
    DSCQ_KEY_STR_ROW(P, method, "clipq", "methods, one stage after the other"),
    DSCQ_KEY_LIST_ROW(P, share, 0.01, 1, "", "part of the epochs of each stage"),
    DSCQ_KEY_INT_ROW(P, epochs, 0, 100000, "10", "epochs of fine-tuning"),
    DSCQ_KEY_REAL_ROW(P, learning_rate, 0, 10, "0.01", "rate of fine-tuning"),
    DSCQ_KEY_REAL_ROW(P, freeze_frac, 0, 1, "0.1",
                      "last part of the steps: masks and codebooks fixed"),
    DSCQ_KEY_REAL_ROW(P, p, 0, 0.999, "0.5", "fraction of a layer's weights to prune"),
    DSCQ_KEY_INT_ROW(P, b, 1, 16, "4", "bits of a weight's code (1: binary)"),
    DSCQ_KEY_ENUM_ROW(P, form, DSCQ_CHOICES(DSCQ_QFORM_LIST(DSCQ_CHOICE)), "codebook",
                      "how codes become weights, where the method leaves it open"),
    DSCQ_KEY_ENUM_ROW(P, scale, "layer|channel", "layer", "one weight scale for each"),
    DSCQ_KEY_ENUM_ROW(P, depthwise, "own|same", "own",
                      "depthwise layers: linear codes per channel, or as the others"),
    DSCQ_KEY_INT_ROW(P, dw_b, 2, 16, "8", "bits of depthwise weights"),
    DSCQ_KEY_INT_ROW(P, first_b, 0, 16, "8", "bits of the first layer (0: b)"),
    DSCQ_KEY_INT_ROW(P, last_b, 0, 16, "0", "bits of the last layer (0: b)"),
    DSCQ_KEY_REAL_ROW(P, dw_p, 0, 0.999, "0", "pruning rate of depthwise layers"),
    DSCQ_KEY_REAL_ROW(P, first_p, -1, 0.999, "0", "of the first layer (-1: p)"),
    DSCQ_KEY_REAL_ROW(P, last_p, -1, 0.999, "-1", "of the last layer (-1: p)"),
    DSCQ_KEY_REAL_ROW(P, high_frac, 0, 1, "0.03",
                      "binary: part of the blocks that keep 8 bits"),
    DSCQ_KEY_INT_ROW(P, block, 0, 65536, "0",
                     "binary: weights of a block (0: a kernel, or 16)"),
    DSCQ_KEY_INT_ROW(P, activation_b, 4, 16, "8", "bits of activations"),
    DSCQ_KEY_INT_ROW(P, input_b, 4, 16, "8", "bits of the network's input"),
    DSCQ_KEY_INT_ROW(P, logit_b, 4, 16, "16", "bits of the network's outputs"),
    DSCQ_KEY_ENUM_ROW(P, calibration, DSCQ_CHOICES(DSCQ_CAL_LIST(DSCQ_CHOICE)), "mse",
                      "how the range of an activation is chosen"),
    DSCQ_KEY_REAL_ROW(P, percentile, 50, 100, "99.99",
                      "part of the values inside the range, percent"),
    DSCQ_KEY_INT_ROW(P, calibration_images, 1, 1000000, "512",
                     "images for calibration"),
    DSCQ_KEY_STR_ROW(
        P, ranges, "",
        "grids of activations instead, as import writes them (ranges.csv); "
        "layers it does not name are calibrated"),
    DSCQ_KEY_BOOL_ROW(P, learn_ranges, "0",
                      "ranges of activations learn from the freeze on"),
    DSCQ_KEY_REAL_ROW(P, range_rate, 0, 100, "1",
                      "learn_ranges: their rate, in learning rates"),
    DSCQ_KEY_BOOL_ROW(P, bias_correction, "0",
                      "shift biases by what quantisation does to the mean"),
    DSCQ_KEY_BOOL_ROW(P, reestimate_norm, "0",
                      "measure batch norm statistics again with quantised weights"),
    DSCQ_KEY_BOOL_ROW(
        P, keep_codes, "0",
        "8-bit linear: codes of weights that were quantised before, up to "
        "255 from 0"),
    DSCQ_KEY_BOOL_ROW(P, fold_norm, "0",
                      "fold batch norm into the weights before anything else"),
    DSCQ_KEY_INT_ROW(P, channel_epochs, -1, 100000, "-1",
                     "keep_channels: epochs of the smaller network (-1: epochs)"),
    DSCQ_KEY_INT_ROW(
        P, channel_multiple, 1, 1024, "1",
        "keep_channels: channels kept are rounded up to multiples of this"),
    DSCQ_KEY_END};
#undef P

#define L dscq_layer_params
const dscq_key dscq_layer_keys[] = {
    DSCQ_KEY_STR_ROW(L, match, NULL, "globs over layer names, comma separated"),
    DSCQ_KEY_REAL_ROW(L, p, -1, 0.999, "-1", "pruning rate"),
    DSCQ_KEY_REAL_ROW(L, high_frac, -1, 1, "-1", "binary: blocks with 8 bits"),
    DSCQ_KEY_REAL_ROW(L, keep_channels, -1, 1, "-1",
                      "structured: part of the output channels to keep"),
    DSCQ_KEY_INT_ROW(L, b, -1, 16, "-1", "bits of a code"),
    DSCQ_KEY_ENUM_ROW(L, form, "inherit" DSCQ_QFORM_LIST(DSCQ_CHOICE), "inherit",
                      "how codes become weights"),
    DSCQ_KEY_ENUM_ROW(L, scale, "inherit|layer|channel", "inherit",
                      "one weight scale for each"),
    DSCQ_KEY_INT_ROW(L, block, -1, 65536, "-1", "binary: weights of a block"),
    DSCQ_KEY_INT_ROW(L, activation_b, -1, 16, "-1", "bits of the layer's output"),
    DSCQ_KEY_BOOL_ROW(L, skip, "0", "leave alone: 8 bits a channel, nothing pruned"),
    DSCQ_KEY_END};
#undef L

/* ---- with those of the methods ------------------------------------------------- */

/* Place of every method's keys in the params, in the order of methods.def. */
typedef struct block {
    const dscq_method_keys *keys;
    size_t offset;
} block;

enum { BLOCKS = 64 };

static const block *find_block(const block *b, size_t n, const dscq_method_keys *keys)
{
    for (size_t i = 0; i < n; i++)
        if (b[i].keys == keys)
            return &b[i];
    return NULL;
}

static size_t list_blocks(block out[BLOCKS])
{
    size_t n = 0, used = 0;

    for (size_t i = 0; i < dscq_method_count(); i++)
        for (size_t k = 0; k < DSCQ_METHOD_KEYS; k++) {
            const dscq_method_keys *keys = dscq_method_at(i)->keys[k];

            if (keys == NULL || find_block(out, n, keys) != NULL)
                continue;
            assert(n < BLOCKS);
            out[n++] = (block){keys, offsetof(dscq_compress_params, own) + used};
            used +=
                (keys->bytes + sizeof(double) - 1) / sizeof(double) * sizeof(double);
            assert(used <= DSCQ_OWN_BYTES);
        }
    return n;
}

const void *dscq_method_own(const dscq_compress_params *p, const dscq_method_keys *keys)
{
    block all[BLOCKS];
    const block *b = find_block(all, list_blocks(all), keys);

    assert(b != NULL);
    return (const unsigned char *)p + b->offset;
}

/* A row, and the blocks that are listed behind it; returns how many rows there are. */
static size_t put(dscq_key *out, size_t n, const dscq_key *row, size_t offset,
                  const block *b, size_t blocks)
{
    assert(n + 1 < DSCQ_COMPRESS_KEYS);
    out[n] = *row;
    out[n++].offset += offset;
    for (size_t i = 0; i < blocks; i++)
        if (b[i].keys->after != NULL && strcmp(b[i].keys->after, row->name) == 0)
            for (const dscq_key *k = b[i].keys->rows; k->name != NULL; k++)
                n = put(out, n, k, b[i].offset, b, blocks);
    return n;
}

void dscq_compress_keys(dscq_key out[DSCQ_COMPRESS_KEYS])
{
    block b[BLOCKS];
    const size_t blocks = list_blocks(b);
    size_t n = 0;

    for (const dscq_key *k = k_common; k->name != NULL; k++)
        n = put(out, n, k, 0, b, blocks);
    for (size_t i = 0; i < blocks; i++)
        for (const dscq_key *k = b[i].keys->rows;
             b[i].keys->after == NULL && k->name != NULL; k++)
            n = put(out, n, k, b[i].offset, b, blocks);
    out[n] = (dscq_key)DSCQ_KEY_END;
}
