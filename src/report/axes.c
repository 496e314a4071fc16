#include "axes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const uint32_t report__axes_colour[AXES_COLOURS] = {
    0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7, 0xe69f00,
    0x56b4e9, 0x444444, 0xf0e442, 0x8c564b, 0x9999ff};

void report__scale_start(scale *s, int is_log)
{
    *s = (scale){.is_log = is_log, .empty = 1, .hi = 1, .lo = is_log ? 0.1 : 0};
}

int report__scale_can_show(const scale *s, double v)
{
    /* far from the ends of the range, so that no step overflows or vanishes */
    return isfinite(v) && fabs(v) < 1e100 && (!s->is_log || v > 1e-100);
}

int report__scale_include(scale *s, double v)
{
    if (!report__scale_can_show(s, v))
        return 0;
    if (s->empty || v < s->lo)
        s->lo = v;
    if (s->empty || v > s->hi)
        s->hi = v;
    s->empty = 0;
    return 1;
}

/* 1, 2 or 5 times a power of ten, giving about six steps. */
static double step_of(const scale *s)
{
    const double raw = (s->hi - s->lo) / 6, power = pow(10, floor(log10(raw)));
    const double lead = raw / power;

    return power * (lead < 1.5 ? 1 : lead < 3.5 ? 2 : lead < 7.5 ? 5 : 10);
}

void report__scale_round(scale *s)
{
    if (s->is_log) {
        s->lo = pow(10, floor(log10(s->lo) + 1e-9));
        s->hi = pow(10, ceil(log10(s->hi) - 1e-9));
        if (s->hi <= s->lo)
            s->hi = 10 * s->lo;
        return;
    }
    const double size = fmax(fabs(s->lo), fabs(s->hi));
    if (s->hi - s->lo <= fmax(1e-12 * size, 1e-100)) {
        const double half = size <= 1e-100 ? 1 : size / 2;
        s->hi = s->lo + half;
        s->lo -= half;
    }
    const double step = step_of(s);
    s->lo = step * floor(s->lo / step + 1e-9);
    s->hi = step * ceil(s->hi / step - 1e-9);
}

double report__scale_at(const scale *s, double v)
{
    const double part = s->is_log ? log10(v / s->lo) / log10(s->hi / s->lo)
                                  : (v - s->lo) / (s->hi - s->lo);

    return s->at_lo + part * (s->at_hi - s->at_lo);
}

/* 1500000 -> "1.5M"; below 10000 as it is. */
static void write_tick(tick *t, double v, double step)
{
    static const struct {
        double unit;
        const char *letter;
    } k_scales[] = {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}};
    const double a = fabs(v);

    t->v = v;
    for (size_t i = 0; a >= 1e4 && a < 1e15 && i < 4; i++)
        if (a >= k_scales[i].unit) {
            (void)snprintf(t->text, sizeof t->text, "%.4g%s", v / k_scales[i].unit,
                           k_scales[i].letter);
            return;
        }
    if (a >= 1e15 || (a != 0 && step < 1e-4))
        (void)snprintf(t->text, sizeof t->text, "%.3g", v);
    else
        (void)snprintf(t->text, sizeof t->text, "%.*f",
                       step >= 1 ? 0 : (int)ceil(-log10(step) - 1e-9), v);
}

size_t report__scale_ticks(tick *out, const scale *s)
{
    size_t n = 0;

    if (s->is_log) {
        const int first = (int)lround(log10(s->lo)), last = (int)lround(log10(s->hi));
        const int stride = 1 + (last - first) / (AXES_TICKS_MAX - 1);
        for (int e = first; e <= last && n < AXES_TICKS_MAX; e += stride) {
            const double v = pow(10, e);
            write_tick(&out[n++], v, v);
        }
        return n;
    }
    const double step = step_of(s);
    const double first = ceil(s->lo / step - 1e-6);
    while (n < AXES_TICKS_MAX) {
        const double i = first + (double)n, v = i == 0 ? 0 : i * step;
        if (v > s->hi + 1e-6 * step)
            break;
        write_tick(&out[n++], v, step);
    }
    return n;
}

void report__frame_place(frame *f, int key_rows, double below)
{
    f->left = 76;
    f->right_edge = AXES_WIDTH - (f->has_right ? 76 : 24);
    f->top = 44 + 18 * key_rows;
    f->bottom = AXES_HEIGHT - 34 - below;
    f->x.at_lo = f->left;
    f->x.at_hi = f->right_edge;
    f->y.at_lo = f->right.at_lo = f->bottom;
    f->y.at_hi = f->right.at_hi = f->top;
}

static void draw_y(const frame *f, dscq_picture *p, const scale *s, int is_right)
{
    const double x = is_right ? f->right_edge + 8 : f->left - 8;
    const text_style style = {12, is_right ? ANCHOR_START : ANCHOR_END, INK, 0, 0};
    tick ticks[AXES_TICKS_MAX];
    const size_t n = report__scale_ticks(ticks, s);

    for (size_t i = 0; i < n; i++) {
        const double y = report__scale_at(s, ticks[i].v);
        if (!is_right)
            report__picture_line(p, f->left, y, f->right_edge, y, FAINT, 1);
        report__picture_text(p, x, y + 4, ticks[i].text, style);
    }
}

static void draw_x(const frame *f, dscq_picture *p)
{
    const text_style style = {12, ANCHOR_MIDDLE, INK, 0, 0};
    tick ticks[AXES_TICKS_MAX];
    const size_t n = report__scale_ticks(ticks, &f->x);

    for (size_t i = 0; i < n; i++) {
        const double x = report__scale_at(&f->x, ticks[i].v);
        report__picture_line(p, x, f->bottom, x, f->bottom + 5, INK, 1);
        report__picture_text(p, x, f->bottom + 19, ticks[i].text, style);
    }
}

void report__frame_draw(const frame *f, dscq_picture *p, const dscq_axes *axes,
                        const char *right_label)
{
    const double mid_x = (f->left + f->right_edge) / 2,
                 mid_y = (f->top + f->bottom) / 2;
    const text_style label = {13, ANCHOR_MIDDLE, INK, 0, 0};
    const text_style turned = {13, ANCHOR_MIDDLE, INK, 1, 0};

    report__picture_text(p, mid_x, 26, axes->title,
                         (text_style){16, ANCHOR_MIDDLE, INK, 0, 1});
    draw_y(f, p, &f->y, 0);
    if (f->has_right)
        draw_y(f, p, &f->right, 1);
    if (!f->names_below)
        draw_x(f, p);
    report__picture_line(p, f->left, f->bottom, f->right_edge, f->bottom, INK, 1);
    report__picture_line(p, f->left, f->top, f->left, f->bottom, INK, 1);
    if (f->has_right)
        report__picture_line(p, f->right_edge, f->top, f->right_edge, f->bottom, INK,
                             1);
    report__picture_text(p, mid_x, AXES_HEIGHT - 12, axes->x_label, label);
    report__picture_text(p, 20, mid_y, axes->y_label, turned);
    if (f->has_right)
        report__picture_text(p, AXES_WIDTH - 8, mid_y, right_label, turned);
}

int report__frame_key(const frame *f, dscq_picture *p, const char *const *name,
                      size_t count)
{
    const double left = 76, right = AXES_WIDTH - 24;
    double x = left, y = 46;
    int rows = 0;

    (void)f;
    for (size_t i = 0; i < count; i++) {
        if (name[i] == NULL)
            continue;
        const double w = 26 + 7.2 * (double)strlen(name[i]);
        if (rows == 0 || x + w > right) {
            y += rows == 0 ? 0 : 18;
            x = left;
            rows++;
        }
        if (p != NULL) {
            report__picture_rect(p, x, y - 9, 12, 10,
                                 report__axes_colour[i % AXES_COLOURS]);
            report__picture_text(p, x + 18, y, name[i],
                                 (text_style){12, ANCHOR_START, INK, 0, 0});
        }
        x += w + 10;
    }
    return rows;
}
