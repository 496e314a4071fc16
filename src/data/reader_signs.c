/* Pictures that need no download: road-sign-like classes, drawn from (seed, index)
 * with perspective, scale, blur, lighting, noise and clutter. Item i of a source is
 * the same whatever else is drawn, in whatever order, by however many threads. */
#include "data_internal.h"

#include <stdio.h>
#include <string.h>

/* The key's 0..1 as 0..216 of 256: at its default of a half, networks of about 50,000
 * weights reach some 95 % on ten classes of 32x32 pixels. */
static int32_t level_of(const dscq_data_params *p)
{
    return (int32_t)(p->difficulty * 216.0);
}

/* lo at difficulty 0, hi at difficulty 256. */
static int32_t between(int32_t lo, int32_t hi, int32_t difficulty)
{
    return lo + (hi - lo) * difficulty / 256;
}

/* Random attitude of a sign of half-diameter `half` (1/256 pixel). */
static sign_pose draw_pose(int32_t cx, int32_t cy, int32_t half, int32_t difficulty,
                           dscq_rng *rng)
{
    const int32_t tilt = between(600, 5200, difficulty);   /* of 65536 a turn */
    const int32_t squeeze = between(8, 90, difficulty);    /* of 256          */
    const int32_t bend = between(2000, 26000, difficulty); /* of 65536        */
    const uint32_t turn = (uint32_t)data__draw(rng, -tilt, tilt);
    const int32_t hx = half * (256 - data__draw(rng, 0, squeeze)) / 256;
    const int32_t hy = half * (256 - data__draw(rng, 0, squeeze)) / 256;
    const int64_t cos = data__sin(turn + 16384), sin = data__sin(turn);
    sign_pose p = {.cx = cx, .cy = cy, .half = half};

    p.a = (int32_t)((cos * 1024) / hx);
    p.b = (int32_t)((sin * 1024) / hx);
    p.c = (int32_t)((-sin * 1024) / hy);
    p.e = (int32_t)((cos * 1024) / hy);
    p.p = data__draw(rng, -bend, bend) * 256 / half;
    p.q = data__draw(rng, -bend, bend) * 256 / half;
    p.fade = data__draw(rng, 0, between(10, 130, difficulty));
    p.dim = data__draw(rng, between(240, 120, difficulty), 256);
    return p;
}

/* What happens between the scene and the file: light, lens, sensor. `scale` is the
 * size of the picture in units of 32 pixels, times 16. */
static void develop(dscq_image *im, int32_t difficulty, int32_t scale, dscq_rng *rng)
{
    const int32_t spread = between(12, 110, difficulty);
    const int32_t passes = between(1, 5, difficulty) * scale * scale / 256;
    int32_t tint[3];

    if (data__draw(rng, 0, 255) < between(20, 130, difficulty))
        data__paint_shadow(im, data__draw(rng, between(200, 90, difficulty), 230), rng);
    for (int i = 0; i < 3; i++)
        tint[i] = 256 + data__draw(rng, -spread / 4, spread / 4);
    const int32_t gain = 256 + data__draw(rng, -spread, spread);
    const int32_t contrast = 256 - data__draw(rng, 0, between(20, 170, difficulty));

    data__paint_light(im, gain, contrast, tint);
    const int32_t blur = data__draw(rng, 0, passes);
    const int32_t drift = data__draw(rng, 0, 3); /* some pictures are only moved */

    data__paint_blur(im, drift == 1 ? 0 : blur, drift == 2 ? 0 : blur);
    data__paint_noise(im, data__draw(rng, 0, between(8, 90, difficulty)), rng);
}

static int32_t picture_scale(int32_t width, int32_t height)
{
    const int32_t side = width < height ? width : height;

    return side / 2 > 8 ? side / 2 : 8; /* 16 at 32 pixels */
}

/* Something that hides a part of the sign: a leaf, a sticker, a pole. */
static void hide_part(dscq_image *im, const sign_pose *p, int32_t difficulty,
                      dscq_rng *rng)
{
    const int32_t half = p->half >> 8;
    const int32_t size = half * between(10, 110, difficulty) / 256;
    const int32_t x = (p->cx >> 8) + data__draw(rng, -half, half);
    const int32_t y = (p->cy >> 8) + data__draw(rng, -half, half);
    uint8_t rgb[3];

    for (int i = 0; i < 3; i++)
        rgb[i] = (uint8_t)data__draw(rng, 20, 220);
    const int32_t rx = data__draw(rng, 1, size + 1), ry = data__draw(rng, 1, size + 1);

    data__paint_blob(im, x, y, rx, ry, rgb);
}

static dscq_status fetch_one(dscq_image *out, const data_part *part, size_t i,
                             dscq_error *err)
{
    const dscq_data_params *d = part->params;
    const int32_t difficulty = level_of(d);
    const int32_t w = d->width, h = d->height, side = w < h ? w : h;
    const dscq_rng root = dscq_rng_seeded((uint64_t)d->seed);
    dscq_rng rng =
        dscq_rng_fork(&root, part->is_test ? "signs test" : "signs train", i);
    const dscq_status status = dscq_image_init(out, w, h, 3, err);

    if (status != DSCQ_OK)
        return status;
    data__paint_background(out, &rng);
    data__paint_clutter(out, data__draw(&rng, 0, between(2, 9, difficulty)), side / 3,
                        &rng);
    /* Half the side in 1/256 pixel, times the share of the picture it fills. */
    const int32_t half =
        side *
        data__draw(&rng, between(100, 56, difficulty), between(122, 118, difficulty)) /
        2 * 256 / 128;
    /* One draw a statement: the order of arguments is the compiler's. */
    const int32_t roam = side * between(8, 34, difficulty);
    const int32_t cx = w * 128 + data__draw(&rng, -roam, roam);
    const int32_t cy = h * 128 + data__draw(&rng, -roam, roam);
    sign_pose pose = draw_pose(cx, cy, half, difficulty, &rng);

    data__sign_paint(out, part->signs, part->item[i].label, &pose);
    if (data__draw(&rng, 0, 255) < between(0, 150, difficulty))
        hide_part(out, &pose, difficulty, &rng);
    develop(out, difficulty, picture_scale(w, h), &rng);
    return DSCQ_OK;
}

static int overlaps(const dscq_box *b, const dscq_boxes *others)
{
    for (size_t i = 0; i < others->count; i++)
        if (dscq_box_iou(b, &others->box[i]) > 0.02)
            return 1;
    return 0;
}

/* Place and class of the signs of scene i; nothing is drawn yet, so that the boxes
 * of a data set are known before its pictures. */
typedef struct scene {
    sign_pose pose[64];
    int32_t cls[64];
    int32_t count;
    dscq_rng rng; /* continues with the picture */
} scene;

static void plan_scene(scene *s, const dscq_data_params *d, int is_test, size_t i)
{
    const int32_t difficulty = level_of(d);
    const int32_t side = d->width < d->height ? d->width : d->height;
    const dscq_rng root = dscq_rng_seeded((uint64_t)d->seed);
    dscq_rng rng = dscq_rng_fork(&root, is_test ? "scenes test" : "scenes train", i);
    const int32_t wanted = data__draw(&rng, 1, d->objects);
    dscq_box taken[64];
    dscq_boxes others = {taken, 0, 64};

    s->count = 0;
    for (int32_t tries = 0; tries < 8 * wanted && s->count < wanted; tries++) {
        /* diameter from a twelfth (but 10 pixels) to a bit over a third of the side */
        int32_t least = side * 256 / between(16, 26, difficulty);
        least = least < 5 * 256 ? 5 * 256 : least;
        const int32_t most = side * 256 / 5 > least ? side * 256 / 5 : least;
        const int32_t half = data__draw(&rng, least, most);
        const int32_t cx =
            data__draw(&rng, half * 3 / 4, d->width * 256 - half * 3 / 4);
        const int32_t cy =
            data__draw(&rng, half * 3 / 4, d->height * 256 - half * 3 / 4);
        const dscq_box b = {.x0 = (float)(cx - half),
                            .y0 = (float)(cy - half),
                            .x1 = (float)(cx + half),
                            .y1 = (float)(cy + half)};
        const int32_t cls = data__draw(&rng, 0, d->classes - 1);
        const sign_pose pose = draw_pose(cx, cy, half, difficulty, &rng);

        if (overlaps(&b, &others))
            continue;
        taken[others.count++] = b;
        s->pose[s->count] = pose;
        s->cls[s->count++] = cls;
    }
    s->rng = rng;
}

static dscq_status fetch_scene(dscq_image *out, const data_part *part, size_t i,
                               dscq_error *err)
{
    const dscq_data_params *d = part->params;
    const int32_t difficulty = level_of(d);
    const int32_t side = d->width < d->height ? d->width : d->height;
    const dscq_status status = dscq_image_init(out, d->width, d->height, 3, err);
    scene s;

    if (status != DSCQ_OK)
        return status;
    plan_scene(&s, d, part->is_test, i);
    data__paint_background(out, &s.rng);
    data__paint_clutter(out, data__draw(&s.rng, 2, between(6, 20, difficulty)),
                        side / 5, &s.rng);
    for (int32_t k = 0; k < s.count; k++) {
        data__sign_paint(out, part->signs, s.cls[k], &s.pose[k]);
        if (data__draw(&s.rng, 0, 255) < between(0, 90, difficulty))
            hide_part(out, &s.pose[k], difficulty, &s.rng);
    }
    /* A scene is one camera: blur does not grow with the whole picture. */
    develop(out, difficulty, 12, &s.rng);
    return DSCQ_OK;
}

static dscq_status prepare(data_part *part, data_open *o, dscq_error *err)
{
    const dscq_data_params *p = o->params;
    char name[64];
    dscq_status status = DSCQ_OK;

    if (p->width < 12 || p->height < 12 || p->width > 4096 || p->height > 4096)
        return dscq_fail(
            err, DSCQ_FORMAT,
            "data.width, data.height = %dx%d: generated signs want 12..4096",
            (int)p->width, (int)p->height);
    if (o->names_fixed && o->names->count != p->classes)
        return dscq_fail(err, DSCQ_FORMAT, "data.classes = %d, but there are %d names",
                         (int)p->classes, (int)o->names->count);
    for (int32_t c = 0; c < p->classes && !o->names_fixed && status == DSCQ_OK; c++) {
        data__sign_class_name(name, sizeof name, c);
        status = dscq_names_add(o->names, name, err);
    }
    if (status == DSCQ_OK)
        status = data__signs_create(&part->signs, p->classes,
                                    p->width > p->height ? p->width : p->height, err);
    return status;
}

static dscq_status open_signs(data_part *part, data_open *o, dscq_error *err)
{
    const int64_t n = o->is_test ? o->params->test_count : o->params->count;
    dscq_status status = prepare(part, o, err);

    for (int64_t i = 0; i < n && status == DSCQ_OK; i++)
        status = data__part_add(part, NULL, (int32_t)(i % o->params->classes), err);
    return status;
}

/* The extent of every sign, by drawing it on an empty canvas: exact to the pixel. */
static dscq_status add_scene(data_part *part, const data_open *o, dscq_image *canvas,
                             size_t i, dscq_error *err)
{
    const double w = o->params->width, h = o->params->height;
    dscq_annotation a = {.width = o->params->width, .height = o->params->height};
    scene s;
    dscq_status status;

    plan_scene(&s, o->params, o->is_test, i);
    DSCQ_TRY(data__part_add(part, NULL, -1, err));
    for (int32_t k = 0; k < s.count; k++) {
        const int32_t *box = s.pose[k].box;

        data__sign_paint(canvas, part->signs, s.cls[k], &s.pose[k]);
        if (box[2] - box[0] < 4 || box[3] - box[1] < 4 || box[0] >= box[2])
            continue;
        const dscq_box b = {.x0 = (float)(box[0] / w),
                            .y0 = (float)(box[1] / h),
                            .x1 = (float)(box[2] / w),
                            .y1 = (float)(box[3] / h),
                            .cls = s.cls[k]};
        DSCQ_TRY(dscq_boxes_add(&a.boxes, &b, err));
    }
    DSCQ_TRY(data__part_add_boxes(part, &a, err));
done:
    dscq_annotation_clear(&a);
    return status;
}

static dscq_status open_scenes(data_part *part, data_open *o, dscq_error *err)
{
    const int64_t n = o->is_test ? o->params->test_count : o->params->count;
    dscq_image canvas = {0};
    dscq_status status;

    DSCQ_TRY(prepare(part, o, err));
    DSCQ_TRY(dscq_image_init(&canvas, o->params->width, o->params->height, 3, err));
    memset(canvas.px, 0, 3 * (size_t)o->params->width * (size_t)o->params->height);
    for (int64_t i = 0; i < n; i++)
        DSCQ_TRY(add_scene(part, o, &canvas, (size_t)i, err));
done:
    dscq_image_clear(&canvas);
    return status;
}

const data_reader data__reader_signs = {
    .name = "signs",
    .summary = "generated road-sign-like pictures; nothing to download",
    .open = open_signs,
    .fetch = fetch_one,
};

const data_reader data__reader_signs_detect = {
    .name = "signs_detect",
    .summary = "generated scenes of several signs with boxes",
    .has_boxes = 1,
    .open = open_scenes,
    .fetch = fetch_scene,
};
