/* YOLO text annotations: "class cx cy w h" in fractions of the picture. */
#include "data_internal.h"

#include <string.h>

enum { FIELDS = 5 };

/* Split at blanks; returns the number of fields, counting on past the ones kept. */
static size_t split_fields(const char **field, size_t *field_bytes, const char *line,
                           size_t bytes)
{
    size_t n = 0;

    data__trim(&line, &bytes);
    while (bytes > 0) {
        size_t len = 0;

        while (len < bytes && line[len] != ' ' && line[len] != '\t')
            len++;
        if (n < FIELDS) {
            field[n] = line;
            field_bytes[n] = len;
        }
        n++;
        line += len;
        bytes -= len;
        data__trim(&line, &bytes);
    }
    return n;
}

static dscq_status parse_line(dscq_annotation *out, const char *line, size_t bytes,
                              int32_t classes, dscq_error *err)
{
    const char *field[FIELDS];
    size_t len[FIELDS];
    int64_t cls = 0;
    double v[4];
    const size_t n = split_fields(field, len, line, bytes);

    if (n == 0)
        return DSCQ_OK;
    if (n != FIELDS)
        return dscq_fail(err, DSCQ_FORMAT, "%zu fields, want 'class cx cy w h'%s", n,
                         n > 6 ? " (outlines are not boxes)" : "");
    if (!data__parse_whole(&cls, field[0], len[0]) || cls < 0 ||
        cls >= (classes > 0 ? classes : DSCQ_CLASSES_MAX))
        return dscq_fail(err, DSCQ_FORMAT, "class '%.*s': want 0..%d",
                         (int)(len[0] < 40 ? len[0] : 40), field[0],
                         (classes > 0 ? (int)classes : DSCQ_CLASSES_MAX) - 1);
    for (int i = 0; i < 4; i++)
        if (!data__parse_real(&v[i], field[i + 1], len[i + 1]) || v[i] < -0.01 ||
            v[i] > 1.01 || (i >= 2 && v[i] < 0.0))
            return dscq_fail(err, DSCQ_FORMAT,
                             "%s = '%.*s': want a fraction of the picture, 0..1",
                             (const char *const[]){"cx", "cy", "w", "h"}[i],
                             (int)(len[i + 1] < 40 ? len[i + 1] : 40), field[i + 1]);
    if (v[2] <= 0.0 || v[3] <= 0.0) {
        out->skipped++;
        return DSCQ_OK;
    }
    if (out->boxes.count >= DSCQ_BOXES_PER_IMAGE_MAX)
        return dscq_fail(err, DSCQ_FORMAT, "more than %d boxes",
                         DSCQ_BOXES_PER_IMAGE_MAX);
    const dscq_box b = {.x0 = (float)(v[0] - v[2] / 2),
                        .y0 = (float)(v[1] - v[3] / 2),
                        .x1 = (float)(v[0] + v[2] / 2),
                        .y1 = (float)(v[1] + v[3] / 2),
                        .cls = (int32_t)cls};
    return dscq_boxes_add(&out->boxes, &b, err);
}

dscq_status dscq_yolo_parse(dscq_annotation *out, const char *text, size_t bytes,
                            const char *name, int32_t classes, dscq_error *err)
{
    data_lines l;
    dscq_annotation ann = {0};
    const char *line;
    size_t len;
    const dscq_status begun = data__lines(&l, text, bytes, name, err);

    *out = ann;
    if (begun != DSCQ_OK)
        return begun;
    while (data__next_line(&line, &len, &l)) {
        const size_t before = ann.skipped;
        const dscq_status status = parse_line(&ann, line, len, classes, err);

        if (status != DSCQ_OK) {
            dscq_annotation_clear(&ann);
            return status == DSCQ_NOMEM ? status
                                        : dscq_fail_at(err, "%s:%d", name, l.number);
        }
        if (before == 0 && ann.skipped == 1)
            ann.skipped_line = l.number;
    }
    dscq_annotation_normalise(&ann, 1, 1);
    *out = ann;
    return DSCQ_OK;
}
