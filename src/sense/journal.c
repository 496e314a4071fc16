/* Finished cells on disk, so that nothing is measured twice. */
#include "dscq/base/alloc.h"
#include "dscq/base/hash.h"
#include "dscq/base/io.h"
#include "dscq/base/json.h"
#include "sense_internal.h"

#include <stdio.h>
#include <string.h>

enum { HEX = 65 };

/* Everything that decides the results: weights, normalisation, images. */
static void digest(char out[HEX], const dscq_sense *s, const dscq_model *m,
                   const dscq_sense_run *run)
{
    dscq_sha256 h;
    char line[64];

    dscq_sha256_init(&h);
    for (int32_t i = 0; i < dscq_model_nodes(m); i++) {
        const dscq_node *n = dscq_model_node(m, i);
        const dscq_weights *w = n->weights;
        const float *const all[] = {w->bias, w->gamma, w->beta, w->mean, w->var};

        dscq_sha256_add(&h, n->name, strlen(n->name) + 1);
        if (w->count > 0)
            dscq_sha256_add(&h, w->w_used, w->count * sizeof *w->w);
        for (size_t k = 0; k < sizeof all / sizeof *all; k++)
            if (all[k] != NULL)
                dscq_sha256_add(&h, all[k], (size_t)w->channels * sizeof(float));
    }
    (void)snprintf(line, sizeof line, "%zu images, %llu right", s->images,
                   (unsigned long long)s->base_right);
    dscq_sha256_add(&h, line, strlen(line));
    if (run->digest != NULL)
        dscq_sha256_add(&h, run->digest, strlen(run->digest));
    dscq_sha256_end(out, &h);
}

dscq_status sense__journal_write(const dscq_sense *s, const dscq_model *m,
                                 const dscq_sense_run *run, dscq_error *err)
{
    dscq_json *j, *cells;
    char hex[HEX], *text = NULL;
    dscq_status status;

    if (run->journal == NULL)
        return DSCQ_OK;
    j = dscq_json_object();
    cells = dscq_json_array();
    digest(hex, s, m, run);
    dscq_json_put_int(j, "version", 1);
    dscq_json_put_text(j, "inputs_sha256", hex);
    dscq_json_put_int(j, "images", (int64_t)s->images);
    dscq_json_put_int(j, "base_right", (int64_t)s->base_right);
    for (size_t i = 0; i < s->cells; i++) {
        const dscq_sense_cell *c = &s->cell[i];
        dscq_json *row;

        if (!c->done)
            continue;
        row = dscq_json_object();
        dscq_json_put_text(row, "layer", dscq_model_node(m, c->node)->name);
        dscq_json_put_text(row, "probe", sense__probe_name(c->probe));
        dscq_json_put_real(row, "value", c->value);
        dscq_json_put_int(row, "right", (int64_t)c->right);
        dscq_json_put_int(row, "lost", (int64_t)c->lost);
        dscq_json_put_int(row, "gained", (int64_t)c->gained);
        dscq_json_push(cells, row);
    }
    dscq_json_put(j, "cells", cells);
    DSCQ_TRY(dscq_json_dump(&text, j, err));
    DSCQ_TRY(dscq_file_write(run->journal, text, strlen(text), err));
done:
    dscq_free(text);
    dscq_json_free(j);
    return status;
}

static void take_row(dscq_sense *s, const dscq_model *m, const dscq_json *row)
{
    const char *layer = dscq_json_text(dscq_json_get(row, "layer"), "");
    const char *probe = dscq_json_text(dscq_json_get(row, "probe"), "");
    const double value = dscq_json_real(dscq_json_get(row, "value"), -1.0);
    const int64_t right = dscq_json_int(dscq_json_get(row, "right"), -1);
    const int64_t lost = dscq_json_int(dscq_json_get(row, "lost"), -1);
    const int64_t gained = dscq_json_int(dscq_json_get(row, "gained"), -1);
    const int64_t n = (int64_t)s->images;

    if (right < 0 || right > n || lost < 0 || lost > n || gained < 0 || gained > n)
        return; /* measured again */
    for (size_t i = 0; i < s->cells; i++) {
        dscq_sense_cell *c = &s->cell[i];

        if (c->value == value && strcmp(sense__probe_name(c->probe), probe) == 0 &&
            strcmp(dscq_model_node(m, c->node)->name, layer) == 0) {
            c->right = (uint64_t)right;
            c->lost = (uint64_t)lost;
            c->gained = (uint64_t)gained;
            sense__finish(c, s->images);
        }
    }
}

dscq_status sense__journal_read(dscq_sense *s, const dscq_model *m,
                                const dscq_sense_run *run, dscq_error *err)
{
    dscq_json *j = NULL;
    char hex[HEX];
    dscq_status status;

    if (run->journal == NULL || !dscq_path_exists(run->journal))
        return DSCQ_OK;
    DSCQ_TRY(dscq_json_load(&j, run->journal, err));
    digest(hex, s, m, run);
    if (dscq_json_int(dscq_json_get(j, "version"), 0) != 1 ||
        strcmp(dscq_json_text(dscq_json_get(j, "inputs_sha256"), ""), hex) != 0) {
        status = dscq_fail(err, DSCQ_FORMAT,
                           "%s: this journal is of another network or other images; "
                           "give another name or remove it",
                           run->journal);
        goto done;
    }
    const dscq_json *cells = dscq_json_get(j, "cells");
    for (size_t i = 0; i < dscq_json_count(cells); i++)
        take_row(s, m, dscq_json_at(cells, i));
done:
    dscq_json_free(j);
    return status;
}
