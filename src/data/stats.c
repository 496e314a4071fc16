/* Mean and deviation per channel, as written or as measured. */
#include "data_internal.h"

#include <math.h>
#include <string.h>

enum { SAMPLE_MAX = 1024 }; /* pictures measured, evenly spread over the split */

/* "0.5", "0.4, 0.5, 0.6" into v[channels]; one value serves all channels. */
static dscq_status parse_list(float *v, int32_t channels, const char *key,
                              const char *text, dscq_error *err)
{
    const char *at = text;
    int32_t n = 0;
    double value = 0.0;

    for (;;) {
        const size_t len = strcspn(at, ",");

        if (n >= 3 || !data__parse_real(&value, at, len))
            return dscq_fail(err, DSCQ_FORMAT,
                             "data.%s = '%s': want auto, one number, or %d numbers",
                             key, text, (int)channels);
        v[n++] = (float)value;
        if (at[len] == '\0')
            break;
        at += len + 1;
    }
    if (n != 1 && n != channels)
        return dscq_fail(err, DSCQ_FORMAT, "data.%s = '%s': %d numbers for %d channels",
                         key, text, (int)n, (int)channels);
    for (int32_t c = n; c < channels; c++)
        v[c] = v[0];
    return DSCQ_OK;
}

typedef struct sums {
    uint64_t n, sum[3], square[3];
} sums;

static void add_picture(sums *s, const uint8_t *px, size_t pixels, size_t channels)
{
    for (size_t c = 0; c < channels; c++) {
        uint64_t sum = 0, square = 0;

        for (size_t i = 0; i < pixels; i++) {
            const uint64_t v = px[i * channels + c];
            sum += v;
            square += v * v;
        }
        s->sum[c] += sum;
        s->square[c] += square;
    }
    s->n += pixels;
}

static dscq_status measure(sums *s, dscq_dataset *d, dscq_error *err)
{
    const size_t count = d->split[DSCQ_SPLIT_TRAIN].count;
    const size_t step = (count + SAMPLE_MAX - 1) / SAMPLE_MAX;
    const dscq_preproc *p = &d->preproc;

    for (size_t i = 0; i < count; i += step) {
        const uint8_t *px;
        dscq_image own = {0};
        const dscq_status status = data__pixels(
            &px, NULL, &own, d, 0, d->split[DSCQ_SPLIT_TRAIN].index[i], err);

        if (status != DSCQ_OK)
            return status;
        add_picture(s, px, (size_t)p->width * (size_t)p->height, (size_t)p->channels);
        dscq_image_clear(&own);
        if (dscq_log_stop(&d->log))
            return dscq_fail(err, DSCQ_INTERRUPTED, "stopped while measuring pixels");
    }
    return DSCQ_OK;
}

dscq_status data__settle_stats(dscq_dataset *d, dscq_error *err)
{
    const int auto_mean = strcmp(d->params.mean, "auto") == 0;
    const int auto_std = strcmp(d->params.std, "auto") == 0;
    dscq_preproc *p = &d->preproc;
    sums s = {0};
    dscq_status status = DSCQ_OK;

    if (auto_mean || auto_std)
        DSCQ_TRY(measure(&s, d, err));
    for (int32_t c = 0; s.n > 0 && c < p->channels; c++) {
        /* Output channel c of a BGR network is channel 2 - c of the picture. */
        const int32_t k = p->order == DSCQ_ORDER_BGR && p->channels == 3 ? 2 - c : c;
        const double mean = (double)s.sum[k] / (double)s.n;
        const double variance = (double)s.square[k] / (double)s.n - mean * mean;
        const double std = variance > 1.0 ? sqrt(variance) : 1.0; /* flat pictures */

        p->mean[c] = auto_mean ? (float)(mean * (double)p->scale) : 0.0f;
        p->std[c] = auto_std ? (float)(std * (double)p->scale) : 1.0f;
    }
    if (!auto_mean)
        DSCQ_TRY(parse_list(p->mean, p->channels, "mean", d->params.mean, err));
    if (!auto_std)
        DSCQ_TRY(parse_list(p->std, p->channels, "std", d->params.std, err));
    DSCQ_TRY(dscq_preproc_check(p, err));
    dscq_preproc_table(d->table, p);
done:
    return status;
}
