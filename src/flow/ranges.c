/* Grids of activations that an import of a quantised network wrote down (ranges.csv),
 * in place of what calibration chose. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/compress/calibrate.h"
#include "flow_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 16 << 20, FIELDS = 4 };

typedef struct range_row {
    char layer[DSCQ_NAME_MAX];
    double scale;
    long zero, lo, hi;
} range_row;

/* "layer,scale,zero,lo,hi", the layer in quotes where it needs them. Cuts the line up.
 * 0: it is none. */
static int read_row(range_row *out, char *line)
{
    char *field[FIELDS], *end;
    size_t n = 0;

    for (int i = FIELDS; i-- > 0;) {
        field[i] = strrchr(line, ',');
        if (field[i] == NULL)
            return 0;
        *field[i]++ = '\0';
    }
    const int quoted = line[0] == '"';
    for (const char *p = line + quoted;
         *p != '\0' && !(quoted && *p == '"' && p[1] == 0); p++) {
        if (n + 1 >= sizeof out->layer)
            return 0;
        out->layer[n++] = *p;
        p += quoted && p[0] == '"' && p[1] == '"';
    }
    out->layer[n] = '\0';
    out->scale = strtod(field[0], &end);
    if (end == field[0] || *end != '\0' || !(out->scale > 0 && isfinite(out->scale)))
        return 0;
    long *const whole[] = {&out->zero, &out->lo, &out->hi};
    for (int i = 0; i < 3; i++) {
        *whole[i] = strtol(field[i + 1], &end, 10);
        if (end == field[i + 1] || *end != '\0' || labs(*whole[i]) > 1 << 20)
            return 0;
    }
    return out->lo < out->hi;
}

static int is_output(const dscq_model *m, int32_t node)
{
    for (int32_t i = 0; i < dscq_model_outputs(m); i++)
        if (dscq_calibrate_source(m, dscq_model_output(m, i)) == node)
            return 1;
    return 0;
}

static dscq_status use_row(dscq_aquant *edge, const dscq_model *m,
                           const dscq_settings *s, const range_row *r, dscq_error *err)
{
    const int is_input = strcmp(r->layer, "input") == 0;
    const int32_t node = is_input ? DSCQ_INPUT : dscq_model_find(m, r->layer);

    if (!is_input && node < 0)
        return dscq_fail(err, DSCQ_FORMAT,
                         "no layer '%.80s' in the network; was the file written by its "
                         "import?",
                         r->layer);
    const int32_t at = dscq_calibrate_source(m, node);
    if (!is_output(m, at)) /* outputs are never clipped */
        edge[at + 1] = dscq_aquant_make((double)(r->lo - r->zero) * r->scale,
                                        (double)(r->hi - r->zero) * r->scale,
                                        dscq_rules_activation_bits(s, m, at), 1);
    return DSCQ_OK;
}

static dscq_status use_text(dscq_aquant *edge, const dscq_model *m,
                            const dscq_settings *s, char *text, const char *path,
                            dscq_error *err)
{
    static const char head[] = "layer,scale,zero,lo,hi";
    range_row r;
    int number = 0;

    for (char *line = text, *next; line != NULL && *line != '\0'; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        line[strcspn(line, "\r")] = '\0';
        number++;
        if (number == 1 && strcmp(line, head) == 0)
            continue;
        if (number == 1)
            return dscq_fail(err, DSCQ_FORMAT, "%s:1: want the columns %s", path, head);
        if (!read_row(&r, line))
            return dscq_fail(err, DSCQ_FORMAT,
                             "%s:%d: want a layer, a scale above 0, a zero point, and "
                             "the smallest and the largest code",
                             path, number);
        const dscq_status status = use_row(edge, m, s, &r, err);
        if (status != DSCQ_OK)
            return dscq_fail_at(err, "%s:%d", path, number);
    }
    return DSCQ_OK;
}

dscq_status flow__use_ranges(dscq_aquant *edge, const dscq_project *p,
                             const dscq_settings *s, dscq_error *err)
{
    const dscq_model *m = p->model;
    char path[DSCQ_PATH_MAX];
    uint8_t *data = NULL;
    size_t bytes;
    dscq_status status = DSCQ_OK;

    if (s->all.ranges[0] == '\0')
        return DSCQ_OK;
    DSCQ_TRY(dscq_path_locate(path, sizeof path, p->dir, s->all.ranges, err));
    DSCQ_TRY(dscq_file_read(&data, &bytes, path, FILE_MAX, err));
    DSCQ_TRY(use_text(edge, m, s, (char *)data, path, err));
    for (int32_t i = 0; i < dscq_model_nodes(m); i++)
        edge[i + 1] = edge[dscq_calibrate_source(m, i) + 1];
done:
    dscq_free(data);
    return status;
}
