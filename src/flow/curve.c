#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "flow_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t k_curve_bytes_max = (size_t)16 << 20;

void flow__curve_clear(flow_curve *c)
{
    dscq_free(c->row);
    *c = (flow_curve){0};
}

void flow__curve_add(void *ctx, const dscq_train_row *row)
{
    flow_curve *c = ctx;

    if (c->count == c->cap) {
        const size_t cap = c->cap == 0 ? 64 : 2 * c->cap;
        dscq_train_row *grown =
            dscq_realloc(c->row, c->count * sizeof *c->row, cap * sizeof *c->row);
        c->no_memory |= grown == NULL;
        if (grown == NULL)
            return;
        c->row = grown;
        c->cap = cap;
    }
    c->row[c->count++] = *row;
}

void flow__curve_load(flow_curve *c, const char *dir, const char *stem, uint32_t epochs)
{
    char path[DSCQ_PATH_MAX];
    uint8_t *text = NULL;
    size_t bytes;

    if (flow__curve_path(path, dir, stem, "csv", NULL) != DSCQ_OK)
        return;
    const dscq_status status =
        dscq_file_read(&text, &bytes, path, k_curve_bytes_max, NULL);
    c->no_memory |= status == DSCQ_NOMEM;
    if (status != DSCQ_OK)
        return;
    for (const char *line = strchr((char *)text, '\n'); line != NULL && line[1] != '\0';
         line = strchr(line + 1, '\n')) {
        dscq_train_row r = {.score = (double)NAN};
        char *p = NULL;
        const unsigned long epoch = strtoul(line + 1, &p, 10);
        if (*p != ',' || epoch == 0 || epoch > epochs)
            break;
        r.epoch = (uint32_t)epoch - 1;
        r.rate = strtod(p + 1, &p);
        r.loss = *p == ',' ? strtod(p + 1, &p) : (double)NAN;
        r.top1_frac = *p == ',' ? strtod(p + 1, &p) : (double)NAN;
        if (*p == ',' && p[1] != '\n' && p[1] != '\0')
            r.score = strtod(p + 1, &p);
        flow__curve_add(c, &r);
    }
    dscq_free(text);
}

void flow__tell_row(const dscq_log *log, const char *what, const dscq_train_row *row,
                    int32_t epochs, int is_detector, const char *more)
{
    char train[40] = "", valid[40] = "";

    if (!is_detector)
        snprintf(train, sizeof train, "  train %.2f %%", 100 * row->top1_frac);
    if (!isnan(row->score))
        snprintf(valid, sizeof valid, "  valid %s%.2f %%", is_detector ? "AP50 " : "",
                 100 * row->score);
    dscq_log_printf(log, DSCQ_LOG_INFO, "%s %u/%d  rate %.4g  loss %.4f%s%s%s", what,
                    (unsigned)row->epoch + 1, (int)epochs, row->rate, row->loss, train,
                    valid, more);
}

static void add_field(dscq_str *s, double v, char end)
{
    char text[40] = "";

    if (isfinite(v))
        dscq_str_real(text, sizeof text, v);
    dscq_str_addf(s, "%s%c", text, end);
}

dscq_status flow__curve_write(const flow_curve *c, const char *dir, const char *stem,
                              const char *title, dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    dscq_str s = {0};
    dscq_status status;

    dscq_str_add(&s, "epoch,learning_rate,loss,train_top1_frac,valid_score_frac\n");
    for (size_t i = 0; i < c->count; i++) {
        dscq_str_addf(&s, "%u,", (unsigned)c->row[i].epoch + 1);
        add_field(&s, c->row[i].rate, ',');
        add_field(&s, c->row[i].loss, ',');
        add_field(&s, c->row[i].top1_frac, ',');
        add_field(&s, c->row[i].score, '\n');
    }
    if (s.bad || c->no_memory) {
        status = dscq_fail_nomem(err, "the training curve", s.cap);
        goto done;
    }
    DSCQ_TRY(flow__curve_path(path, dir, stem, "csv", err));
    DSCQ_TRY(dscq_file_write(path, s.text, s.len, err));
    DSCQ_TRY(flow__curve_draw(c, dir, stem, title, err));
done:
    dscq_str_free(&s);
    return status;
}
