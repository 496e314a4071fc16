/* One sample: pixels, boxes, augmentation, normalisation. */
#include "data_internal.h"
#include "dscq/data/batch.h"

#include <math.h>
#include <string.h>

dscq_box dscq_box_place(const dscq_box *b, const dscq_placement *where,
                        const dscq_preproc *p)
{
    const double w = where->image_width, h = where->image_height;
    dscq_box out = *b;

    out.x0 = (float)(((double)b->x0 * w * where->sx + where->dx) / p->width);
    out.x1 = (float)(((double)b->x1 * w * where->sx + where->dx) / p->width);
    out.y0 = (float)(((double)b->y0 * h * where->sy + where->dy) / p->height);
    out.y1 = (float)(((double)b->y1 * h * where->sy + where->dy) / p->height);
    return out;
}

dscq_box dscq_box_unplace(const dscq_box *b, const dscq_placement *where,
                          const dscq_preproc *p)
{
    const double w = where->image_width, h = where->image_height;
    dscq_box out = *b;

    out.x0 = (float)(((double)b->x0 * p->width - where->dx) / where->sx / w);
    out.x1 = (float)(((double)b->x1 * p->width - where->dx) / where->sx / w);
    out.y0 = (float)(((double)b->y0 * p->height - where->dy) / where->sy / h);
    out.y1 = (float)(((double)b->y1 * p->height - where->dy) / where->sy / h);
    return out;
}

/* One picture on its way into a sample. */
typedef struct source {
    dscq_dataset *d;
    int part;
    uint32_t item;
    const uint8_t *px;
    dscq_image own;
    dscq_placement where;
} source;

static dscq_status load(source *s, dscq_dataset *d, dscq_split split, size_t i,
                        dscq_error *err)
{
    *s = (source){
        .d = d, .part = d->split[split].part, .item = d->split[split].index[i]};
    return data__pixels(&s->px, &s->where, &s->own, d, s->part, s->item, err);
}

/* x' = mx * x + ax in fractions of the input; what leaves the rectangle `in` is cut,
 * and dropped when less than min_frac of it remains. */
typedef struct box_map {
    double mx, ax, my, ay;
    double in[4];
    double min_frac;
} box_map;

static double limit(double v, double lo, double hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

static void add_boxes(data_sample *out, const source *s, const box_map *m)
{
    const data_part *part = &s->d->part[s->part];
    const data_item *item = &part->item[s->item];
    const int32_t most = s->d->params.max_boxes;

    for (uint32_t k = 0; k < item->box_count && out->box_count < most; k++) {
        dscq_box b = dscq_box_place(&part->boxes.box[item->box_first + k], &s->where,
                                    &s->d->preproc);
        const double xa = m->mx * (double)b.x0 + m->ax,
                     xb = m->mx * (double)b.x1 + m->ax;
        const double ya = m->my * (double)b.y0 + m->ay,
                     yb = m->my * (double)b.y1 + m->ay;
        const double x0 = limit(fmin(xa, xb), m->in[0], m->in[2]);
        const double x1 = limit(fmax(xa, xb), m->in[0], m->in[2]);
        const double y0 = limit(fmin(ya, yb), m->in[1], m->in[3]);
        const double y1 = limit(fmax(ya, yb), m->in[1], m->in[3]);
        const double whole = fabs(xb - xa) * fabs(yb - ya);

        if (!(x1 > x0 && y1 > y0) || (x1 - x0) * (y1 - y0) < m->min_frac * whole)
            continue;
        b.x0 = (float)x0;
        b.y0 = (float)y0;
        b.x1 = (float)x1;
        b.y1 = (float)y1;
        out->box[out->box_count++] = b;
    }
}

/* A size between 1 - zoom and 1 / (1 - zoom), as often below as above 1. */
static double draw_scale(dscq_rng *rng, double zoom)
{
    const double u = 2.0 * dscq_rng_unit64(rng) - 1.0;

    return u < 0.0 ? 1.0 + u * zoom : 1.0 / (1.0 - u * zoom);
}

/* Output = input scaled by s (mirrored when flipped) about its corner, which then
 * lies at (ox, oy); pixels. Written into [x0, x1) x [y0, y1). */
static void paint(uint8_t *to, const source *s, double scale, int is_flipped, double ox,
                  double oy, const int32_t rect[4])
{
    const dscq_preproc *p = &s->d->preproc;
    const double inv = 65536.0 / scale;
    /* centre of output pixel x is x + 0.5; input position counts from centres too */
    const double ax = is_flipped ? (p->width - 0.5) * 65536.0 - (0.5 - ox) * inv
                                 : (0.5 - ox) * inv - 32768.0;
    const double ay = (0.5 - oy) * inv - 32768.0;
    const data_affine a = {.ax = (int64_t)floor(ax + 0.5),
                           .ay = (int64_t)floor(ay + 0.5),
                           .sx = (int64_t)floor((is_flipped ? -inv : inv) + 0.5),
                           .sy = (int64_t)floor(inv + 0.5),
                           .x0 = rect[0],
                           .y0 = rect[1],
                           .x1 = rect[2],
                           .y1 = rect[3]};

    data__affine(to, s->px, p->width, p->height, p->channels, (uint8_t)p->fill, &a);
}

static void paint_boxes(data_sample *out, const source *s, double scale, int is_flipped,
                        double ox, double oy, const int32_t rect[4])
{
    const double w = s->d->preproc.width, h = s->d->preproc.height;
    const box_map m = {.mx = is_flipped ? -scale : scale,
                       .ax = ox / w + (is_flipped ? scale : 0.0),
                       .my = scale,
                       .ay = oy / h,
                       .in = {rect[0] / w, rect[1] / h, rect[2] / w, rect[3] / h},
                       .min_frac = s->d->params.box_min_frac};

    if (out->box != NULL)
        add_boxes(out, s, &m);
}

static int32_t draw_shift(dscq_rng *rng, int32_t most)
{
    return most > 0 ? (int32_t)dscq_rng_below(rng, 2 * (uint64_t)most + 1) - most : 0;
}

/* Flip, shift and zoom of one picture. */
static void place_one(uint8_t *to, data_sample *out, const source *s, dscq_rng *rng)
{
    const dscq_data_params *a = &s->d->params;
    const dscq_preproc *p = &s->d->preproc;
    const int32_t rect[4] = {0, 0, p->width, p->height};
    const int is_flipped = a->flip && dscq_rng_below(rng, 2) == 1;
    const int32_t dx = draw_shift(rng, a->shift), dy = draw_shift(rng, a->shift);

    if (a->zoom > 0.0) {
        const double scale = draw_scale(rng, a->zoom);
        const double ox = dx + (1.0 - scale) * p->width / 2.0;
        const double oy = dy + (1.0 - scale) * p->height / 2.0;

        paint(to, s, scale, is_flipped, ox, oy, rect);
        paint_boxes(out, s, scale, is_flipped, ox, oy, rect);
        return;
    }
    const data_shift shift = {dx, dy, is_flipped};

    data__shift(to, s->px, p->width, p->height, p->channels, (uint8_t)p->fill, &shift);
    paint_boxes(out, s, 1.0, is_flipped, dx, dy, rect);
}

/* Four pictures around a point, each with a corner on it (Bochkovskiy, Wang, Liao,
 * "YOLOv4", 2020, section 3.3). Sizes 0.5 to 1 of the input. */
static dscq_status place_four(uint8_t *to, data_sample *out, const source *first,
                              dscq_split split, dscq_rng *rng, dscq_error *err)
{
    dscq_dataset *d = first->d;
    const int32_t w = d->preproc.width, h = d->preproc.height;
    const int32_t cx = (int32_t)((0.3 + 0.4 * dscq_rng_unit64(rng)) * w);
    const int32_t cy = (int32_t)((0.3 + 0.4 * dscq_rng_unit64(rng)) * h);

    for (int k = 0; k < 4; k++) {
        const int right = k & 1, low = k >> 1;
        const int32_t rect[4] = {right ? cx : 0, low ? cy : 0, right ? w : cx,
                                 low ? h : cy};
        source s = *first;

        s.own = (dscq_image){0};
        if (k > 0) {
            const dscq_status status = load(
                &s, d, split, (size_t)dscq_rng_below(rng, d->split[split].count), err);
            if (status != DSCQ_OK)
                return status;
        }
        const double scale = 0.5 + 0.5 * dscq_rng_unit64(rng);
        const int is_flipped = d->params.flip && dscq_rng_below(rng, 2) == 1;
        const double ox = right ? cx : cx - scale * w, oy = low ? cy : cy - scale * h;

        paint(to, &s, scale, is_flipped, ox, oy, rect);
        paint_boxes(out, &s, scale, is_flipped, ox, oy, rect);
        dscq_image_clear(&s.own);
    }
    return DSCQ_OK;
}

static dscq_status augment(uint8_t *to, data_sample *out, const source *s,
                           dscq_split split, const dscq_rng *rng, dscq_error *err)
{
    const dscq_data_params *a = &s->d->params;
    const dscq_preproc *p = &s->d->preproc;
    const size_t pixels = (size_t)p->width * (size_t)p->height;
    /* A stream for each kind: switching one off leaves the others as they were. */
    dscq_rng geometry = dscq_rng_fork(rng, "geometry", 0);

    if (a->mosaic > 0.0 && out->box != NULL && dscq_rng_unit64(&geometry) < a->mosaic) {
        const dscq_status status = place_four(to, out, s, split, &geometry, err);
        if (status != DSCQ_OK)
            return status;
    } else {
        place_one(to, out, s, &geometry);
    }
    if (a->colour > 0.0 || a->hue > 0.0) {
        dscq_rng colour = dscq_rng_fork(rng, "colour", 0);
        data__jitter(to, pixels, p->channels, a->colour, a->hue, &colour);
    }
    if (a->cutout > 0) {
        dscq_rng cut = dscq_rng_fork(rng, "cutout", 0);
        data__cutout(to, p->width, p->height, p->channels, a->cutout, (uint8_t)p->fill,
                     &cut);
    }
    return DSCQ_OK;
}

size_t data__sample_scratch(const dscq_dataset *d)
{
    return dscq_preproc_floats(&d->preproc);
}

dscq_status data__make_sample(data_sample *out, dscq_dataset *d, dscq_split split,
                              size_t i, const dscq_rng *rng, uint8_t *scratch,
                              dscq_error *err)
{
    const dscq_preproc *p = &d->preproc;
    const box_map whole = {1, 0, 1, 0, {0, 0, 1, 1}, 0};
    source s;
    dscq_status status = load(&s, d, split, i, err);

    if (status != DSCQ_OK)
        return status;
    out->label = d->part[s.part].item[s.item].label;
    out->box_count = 0;
    if (rng != NULL)
        status = augment(scratch, out, &s, split, rng, err);
    else if (out->box != NULL)
        add_boxes(out, &s, &whole);
    if (status == DSCQ_OK)
        dscq_preproc_normalise(out->x, rng != NULL ? scratch : s.px,
                               (size_t)p->width * (size_t)p->height, p,
                               (const float(*)[256])d->table);
    dscq_image_clear(&s.own);
    return status;
}

dscq_status dscq_batch_fill(float *x, int32_t *label, dscq_dataset *d, dscq_split split,
                            const uint32_t *index, size_t n, dscq_error *err)
{
    const size_t floats = dscq_preproc_floats(&d->preproc);

    for (size_t i = 0; i < n; i++) {
        data_sample s = {0};

        s.x = x + i * floats;
        const dscq_status status =
            data__make_sample(&s, d, split, index[i], NULL, NULL, err);

        if (status != DSCQ_OK)
            return status;
        if (label != NULL)
            label[i] = s.label;
    }
    return DSCQ_OK;
}
