/* Grids of activations that an import of a quantised network wrote down (ranges.csv),
 * in place of what calibration chose. */
#include "dscq/base/alloc.h"
#include "dscq/base/config.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/compress/calibrate.h"
#include "flow_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 16 << 20, FIELDS = 5, BITS_MIN = 4, BITS_MAX = 16, TABLE_BITS = 8 };
static const char k_before[] = ".pre"; /* in the name of what is in front of a table */

/* The columns; files of before the last one give the bits by their codes. */
static const char k_head[] = "layer,scale,zero,lo,hi,bits",
                  k_old_head[] = "layer,scale,zero,lo,hi";

typedef struct range_row {
    char layer[DSCQ_NAME_MAX];
    double scale;
    long zero, lo, hi, bits;
} range_row;

typedef struct range_use {
    dscq_aquant *grid; /* [dscq_grid_count()] */
    const dscq_project *p;
    const dscq_settings *s;
} range_use;

int32_t flow__codes_bits(int64_t lo, int64_t hi)
{
    int32_t bits = 2;

    while (bits < BITS_MAX && (INT64_C(1) << bits) < hi - lo + 1)
        bits++;
    return bits;
}

/* A row of the columns above, the layer in quotes where it needs them. Cuts the line
 * up. 0: it is none. */
static int read_row(range_row *out, char *line, int fields)
{
    char *field[FIELDS], *end;
    size_t n = 0;

    for (int i = fields; i-- > 0;) {
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
    long *const whole[] = {&out->zero, &out->lo, &out->hi, &out->bits};
    for (int i = 0; i + 1 < fields; i++) {
        *whole[i] = strtol(field[i + 1], &end, 10);
        if (end == field[i + 1] || *end != '\0' || labs(*whole[i]) > 1 << 20)
            return 0;
    }
    if (out->lo >= out->hi || out->hi - out->lo >= 1 << BITS_MAX)
        return 0;
    if (fields < FIELDS)
        out->bits = flow__codes_bits(out->lo, out->hi);
    return 1;
}

/* What somebody wrote down for the bits of a node's output, 0: nobody did. The first
 * words of `says` name who. */
static int32_t given_bits(const range_use *u, int32_t node, char *says, size_t cap)
{
    const char *key = node == DSCQ_INPUT ? "input_b" : "activation_b";
    const dscq_settings *s = u->s;
    const int section = dscq_config_find(u->p->cfg, "compress");

    for (size_t i = s->layer_count; node != DSCQ_INPUT && i-- > 0;)
        if (s->layer[i].activation_b > 0 &&
            dscq_glob_match_any(s->layer[i].match,
                                dscq_model_node(u->p->model, node)->name)) {
            (void)snprintf(says, cap, "[compress_layer] activation_b");
            return s->layer[i].activation_b;
        }
    (void)snprintf(says, cap, "compress.%s", key);
    if (section < 0 || dscq_config_get(u->p->cfg, (size_t)section, key) == NULL)
        return 0;
    return node == DSCQ_INPUT ? s->all.input_b : s->all.activation_b;
}

/* Bits of an edge for the codes of a row: as many as the file has, if a packed file has
 * as few. */
static dscq_status row_bits(int32_t *bits, const range_use *u, const range_row *r,
                            int32_t node, dscq_error *err)
{
    char says[48];
    const int32_t given = given_bits(u, node, says, sizeof says);

    if (r->bits < 1 || r->bits > BITS_MAX || r->bits < flow__codes_bits(r->lo, r->hi))
        return dscq_fail(err, DSCQ_FORMAT,
                         "layer '%.80s': %ld bits do not hold the codes %ld to %ld",
                         r->layer, r->bits, r->lo, r->hi);
    *bits = r->bits < BITS_MIN ? BITS_MIN : (int32_t)r->bits;
    if (given != 0 && given != *bits)
        return dscq_fail(err, DSCQ_FORMAT,
                         "layer '%.80s': %ld bits here, %d by %s; leave one of the two "
                         "out, or change the row",
                         r->layer, r->bits, (int)given, says);
    return DSCQ_OK;
}

/* Where every code of `bits` is used (or one short of it, as -127..127), or the layer's
 * own relu6 cuts the rest off, the grid is the file's, code by code. Otherwise its
 * range is kept and all codes share it: a packed network clips where its codes end. */
static dscq_aquant grid_of(const range_row *r, int32_t bits, const dscq_node *n)
{
    const double lo = (double)(r->lo - r->zero) * r->scale,
                 hi = (double)(r->hi - r->zero) * r->scale;
    const int64_t codes = r->hi - r->lo + 1, half = INT64_C(1) << (bits - 1);
    const int is_six = n != NULL && n->act == DSCQ_ACT_RELU6 && r->lo == r->zero &&
                       fabs(hi - 6) <= 0.5001 * r->scale;
    /* in signed codes: as they are, or moved down by half of them, or from the bottom
     */
    const int64_t shift = r->lo >= -half && r->hi < half   ? 0
                          : r->lo >= 0 && r->hi < 2 * half ? -half
                                                           : -half - r->lo;
    const int64_t zero = r->zero + (is_six ? -half - r->lo : shift);

    if ((codes >= 2 * half - 1 || is_six) && zero >= -half && zero < half)
        return (dscq_aquant){r->scale, (int32_t)zero, bits, 1};
    return dscq_aquant_make(lo, hi, bits, 1);
}

/* An output of the network that no layer computes with has more bits than the file
 * gave it: its codes lie on that grid, with as many between two as the bits allow. */
static dscq_aquant grid_of_output(const range_row *r, int32_t bits)
{
    const int32_t own = r->bits < BITS_MIN ? BITS_MIN : (int32_t)r->bits;
    const dscq_aquant file = grid_of(r, own, NULL);
    const int32_t between = 1 << (bits - own);

    return (dscq_aquant){file.scale / between, file.zero_point * between, bits, 1};
}

/* "NAME.pre", as the packed network calls it: in front of the table of a layer. -1: it
 * is none. */
static int32_t in_front_of(const dscq_model *m, const char *layer)
{
    const size_t n = strlen(layer), end = sizeof k_before - 1;
    char name[DSCQ_NAME_MAX];

    if (n <= end || strcmp(layer + n - end, k_before) != 0)
        return -1;
    (void)snprintf(name, sizeof name, "%.*s", (int)(n - end), layer);
    const int32_t node = dscq_model_find(m, name);
    return node >= 0 && dscq_node_has_table(dscq_model_node(m, node)) ? node : -1;
}

static dscq_status use_before(const range_use *u, const range_row *r, int32_t node,
                              dscq_error *err)
{
    if (r->bits < BITS_MIN || r->bits > TABLE_BITS ||
        r->bits < flow__codes_bits(r->lo, r->hi))
        return dscq_fail(err, DSCQ_FORMAT,
                         "'%.80s': %ld bits for the codes %ld to %ld; the table of an "
                         "activation takes %d to %d",
                         r->layer, r->bits, r->lo, r->hi, BITS_MIN, TABLE_BITS);
    u->grid[dscq_grid_before(dscq_model_nodes(u->p->model), node)] =
        grid_of(r, (int32_t)r->bits, NULL);
    return DSCQ_OK;
}

static dscq_status use_row(const range_use *u, const range_row *r, dscq_error *err)
{
    const dscq_model *m = u->p->model;
    const int is_input = strcmp(r->layer, "input") == 0;
    const int32_t node = is_input ? DSCQ_INPUT : dscq_model_find(m, r->layer);
    const int32_t behind = is_input || node >= 0 ? -1 : in_front_of(m, r->layer);

    if (behind >= 0)
        return use_before(u, r, behind, err);
    if (!is_input && node < 0)
        return dscq_fail(err, DSCQ_FORMAT,
                         "no layer '%.80s' in the network; was the file written by its "
                         "import?",
                         r->layer);
    const int32_t at = dscq_calibrate_source(m, node);
    int32_t bits = 0;
    if (dscq_calibrate_is_logits(m, at)) {
        bits = dscq_rules_activation_bits(u->s, m, at);
        if (bits >= r->bits && bits >= BITS_MIN)
            u->grid[at + 1] = grid_of_output(r, bits);
        return DSCQ_OK;
    }
    const dscq_status status = row_bits(&bits, u, r, at, err);
    if (status == DSCQ_OK)
        u->grid[at + 1] =
            grid_of(r, bits, at == DSCQ_INPUT ? NULL : dscq_model_node(m, at));
    return status;
}

static dscq_status use_text(const range_use *u, char *text, const char *path,
                            dscq_error *err)
{
    range_row r;
    int number = 0, fields = FIELDS;

    for (char *line = text, *next; line != NULL && *line != '\0'; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        line[strcspn(line, "\r")] = '\0';
        number++;
        if (number == 1) {
            fields = strcmp(line, k_old_head) == 0 ? FIELDS - 1 : FIELDS;
            if (fields == FIELDS && strcmp(line, k_head) != 0)
                return dscq_fail(err, DSCQ_FORMAT, "%s:1: want the columns %s", path,
                                 k_head);
            continue;
        }
        if (!read_row(&r, line, fields))
            return dscq_fail(err, DSCQ_FORMAT,
                             "%s:%d: want a layer, a scale above 0, a zero point, the "
                             "smallest and the largest code%s",
                             path, number, fields == FIELDS ? ", and bits" : "");
        const dscq_status status = use_row(u, &r, err);
        if (status != DSCQ_OK)
            return dscq_fail_at(err, "%s:%d", path, number);
    }
    return DSCQ_OK;
}

dscq_status flow__use_ranges(dscq_aquant *grid, const dscq_project *p,
                             const dscq_settings *s, dscq_error *err)
{
    const range_use u = {grid, p, s};
    char path[DSCQ_PATH_MAX];
    uint8_t *data = NULL;
    size_t bytes;
    dscq_status status = DSCQ_OK;

    if (s->all.ranges[0] == '\0')
        return DSCQ_OK;
    DSCQ_TRY(dscq_path_locate(path, sizeof path, p->dir, s->all.ranges, err));
    DSCQ_TRY(dscq_file_read(&data, &bytes, path, FILE_MAX, err));
    DSCQ_TRY(use_text(&u, (char *)data, path, err));
done:
    dscq_free(data);
    return status;
}
