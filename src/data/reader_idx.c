/* IDX, the format of MNIST: big-endian header, then bytes (ecosystem of LeCun's
 * yann.lecun.com/exdb/mnist description). Plain or gzip. */
#include "data_internal.h"
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"

#include <stdio.h>
#include <string.h>

static const size_t k_bytes_max = (size_t)1 << 31; /* inflated */

static uint32_t big_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Check the header and that the payload is exactly as long as it says. */
dscq_status data__idx_header(uint32_t *dim, uint32_t rank_min, uint32_t rank_max,
                             const uint8_t *data, size_t bytes, const char *name,
                             dscq_error *err)
{
    if (bytes < 4 || data[0] != 0 || data[1] != 0)
        return dscq_fail(err, DSCQ_FORMAT, "%s: no IDX file: want two zero bytes first",
                         name);
    if (data[2] != 0x08)
        return dscq_fail(
            err, DSCQ_UNSUPPORTED,
            "%s: IDX element type 0x%02x: only unsigned bytes (0x08) are read", name,
            data[2]);
    const uint32_t rank = data[3];

    if (rank < rank_min || rank > rank_max)
        return dscq_fail(err, DSCQ_FORMAT, "%s: %u dimensions: want %u..%u", name, rank,
                         rank_min, rank_max);
    if (bytes < 4 + 4 * (size_t)rank)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s: cut short after %zu bytes, in the header", name, bytes);
    size_t want = 1;
    for (uint32_t i = 0; i < rank; i++) {
        dim[i] = big_u32(data + 4 + 4 * (size_t)i);
        if (!dscq_size_mul(&want, want, dim[i]))
            return dscq_fail(err, DSCQ_FORMAT, "%s: sizes in the header overflow",
                             name);
    }
    const size_t have = bytes - 4 - 4 * (size_t)rank;

    if (have != want)
        return dscq_fail(err, DSCQ_FORMAT,
                         "%s: header promises %zu bytes of data, the file has %zu",
                         name, want, have);
    return DSCQ_OK;
}

/* ..images-idx3-ubyte.gz -> ..labels-idx1-ubyte.gz; some copies have a dot there. */
static dscq_status label_path(char *out, const data_open *o, dscq_error *err)
{
    static const char *const k_words[][2] = {{"images-idx3", "labels-idx1"},
                                             {"images.idx3", "labels.idx1"}};
    char path[DSCQ_PATH_MAX];

    if (o->labels[0] != '\0')
        return data__resolve(out, o, o->labels, err);
    for (size_t i = 0; i < sizeof k_words / sizeof *k_words; i++) {
        const char *at = strstr(o->source, k_words[i][0]);

        if (at == NULL)
            continue;
        (void)snprintf(path, sizeof path, "%.*s%s%s", (int)(at - o->source), o->source,
                       k_words[i][1], at + strlen(k_words[i][0]));
        return data__resolve(out, o, path, err);
    }
    return dscq_fail(err, DSCQ_FORMAT,
                     "data.%s_labels is missing, and '%s' has no 'images-idx3' in it "
                     "from which the name could be made",
                     o->is_test ? "test" : "train", o->source);
}

static dscq_status add_labels(data_part *part, data_open *o, const uint8_t *label,
                              size_t n, const char *name, dscq_error *err)
{
    int32_t most = 0;
    char text[16];
    dscq_status status = DSCQ_OK;

    for (size_t i = 0; i < n && status == DSCQ_OK; i++) {
        most = label[i] > most ? label[i] : most;
        if (o->names_fixed && label[i] >= o->names->count) {
            dscq_error why;
            (void)dscq_fail(&why, DSCQ_FORMAT,
                            "%s: label %u of picture %zu: want 0..%d", name, label[i],
                            i, (int)o->names->count - 1);
            status = data__hard(o, "label_range", name, &why, err);
        }
        const int32_t kept =
            o->names_fixed && label[i] >= o->names->count ? 0 : label[i];
        if (status == DSCQ_OK)
            status = data__part_add(part, NULL, kept, err);
    }
    for (int32_t c = 0; !o->names_fixed && c <= most && status == DSCQ_OK; c++) {
        (void)snprintf(text, sizeof text, "%d", (int)c);
        status = dscq_names_add(o->names, text, err);
    }
    return status;
}

static dscq_status open_idx(data_part *part, data_open *o, dscq_error *err)
{
    char images[DSCQ_PATH_MAX], labels[DSCQ_PATH_MAX];
    uint8_t *px = NULL, *lb = NULL;
    size_t px_bytes = 0, lb_bytes = 0;
    uint32_t dim[4] = {0, 0, 0, 1}, count = 0;
    dscq_status status;

    DSCQ_TRY(data__resolve(images, o, o->source, err));
    DSCQ_TRY(label_path(labels, o, err));
    DSCQ_TRY(dscq_file_read_gz(&px, &px_bytes, images, k_bytes_max, err));
    DSCQ_TRY(data__idx_header(dim, 3, 4, px, px_bytes, images, err));
    DSCQ_TRY(dscq_file_read_gz(&lb, &lb_bytes, labels, 1 << 30, err));
    DSCQ_TRY(data__idx_header(&count, 1, 1, lb, lb_bytes, labels, err));
    if (count != dim[0]) {
        status = dscq_fail(err, DSCQ_FORMAT, "%s: %u labels for the %u pictures of %s",
                           labels, count, dim[0], images);
        goto done;
    }
    if (dim[1] < 1 || dim[2] < 1 || dim[1] > 4096 || dim[2] > 4096 ||
        (dim[3] != 1 && dim[3] != 3)) {
        status = dscq_fail(err, DSCQ_FORMAT,
                           "%s: pictures of %ux%ux%u: want 1..4096 rows and columns, 1 "
                           "or 3 channels",
                           images, dim[1], dim[2], dim[3]);
        goto done;
    }
    part->raw_height = (int32_t)dim[1];
    part->raw_width = (int32_t)dim[2];
    part->raw_channels = (int32_t)dim[3];
    const size_t header = 4 + 4 * (size_t)px[3];

    memmove(px, px + header, px_bytes - header);
    part->raw = px;
    px = NULL;
    DSCQ_TRY(add_labels(part, o, lb + 8, count, labels, err));
done:
    dscq_free(px);
    dscq_free(lb);
    return status;
}

const data_reader data__reader_idx = {
    .name = "idx",
    .summary = "IDX image and label files (MNIST), plain or .gz",
    .has_size = 1,
    .needs_source = 1,
    .open = open_idx,
    .fetch = data__fetch_raw,
};
