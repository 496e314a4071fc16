#include "picture.h"

#include "dscq/base/alloc.h"
#include "dscq/base/io.h"

#include <math.h>
#include <string.h>

dscq_status report__picture_create(dscq_picture **out, int32_t width, int32_t height,
                                   dscq_error *err)
{
    dscq_picture *p = dscq_calloc(1, sizeof *p);

    *out = p;
    if (p == NULL)
        return dscq_fail_nomem(err, "picture", sizeof *p);
    p->width = width;
    p->height = height;
    return DSCQ_OK;
}

void dscq_picture_destroy(dscq_picture *p)
{
    if (p == NULL)
        return;
    dscq_free(p->shape);
    dscq_str_free(&p->texts);
    dscq_free(p);
}

dscq_status report__picture_check(const dscq_picture *p, dscq_error *err)
{
    if (p->bad || p->texts.bad)
        return dscq_fail(err, DSCQ_NOMEM, "out of memory: picture");
    return DSCQ_OK;
}

static int32_t hundredths(double v)
{
    return (int32_t)lround(fmin(fmax(v, -1e6), 1e6) * 100);
}

static void add(dscq_picture *p, shape s)
{
    if (p->count == p->cap && !p->bad) {
        const size_t cap = p->cap == 0 ? 64 : 2 * p->cap;
        shape *q = dscq_realloc(p->shape, p->count * sizeof *q, cap * sizeof *q);
        p->bad = q == NULL;
        if (q != NULL) {
            p->shape = q;
            p->cap = cap;
        }
    }
    if (!p->bad)
        p->shape[p->count++] = s;
}

void report__picture_line(dscq_picture *p, double x, double y, double x2, double y2,
                          uint32_t colour, double width)
{
    add(p, (shape){.kind = SHAPE_LINE,
                   .x = hundredths(x),
                   .y = hundredths(y),
                   .x2 = hundredths(x2),
                   .y2 = hundredths(y2),
                   .colour = colour,
                   .width = hundredths(width)});
}

void report__picture_rect(dscq_picture *p, double x, double y, double w, double h,
                          uint32_t colour)
{
    add(p, (shape){.kind = SHAPE_RECT,
                   .x = hundredths(x),
                   .y = hundredths(y),
                   .x2 = hundredths(w),
                   .y2 = hundredths(h),
                   .colour = colour});
}

void report__picture_disc(dscq_picture *p, double x, double y, double r,
                          uint32_t colour, double rim)
{
    add(p, (shape){.kind = SHAPE_DISC,
                   .x = hundredths(x),
                   .y = hundredths(y),
                   .x2 = hundredths(r),
                   .colour = colour,
                   .width = hundredths(rim)});
}

void report__picture_text(dscq_picture *p, double x, double y, const char *text,
                          text_style style)
{
    if (text == NULL || *text == '\0')
        return;
    add(p, (shape){.kind = SHAPE_TEXT,
                   .x = hundredths(x),
                   .y = hundredths(y),
                   .colour = style.colour,
                   .width = hundredths(style.size),
                   .upright = style.upright,
                   .bold = style.bold,
                   .anchor = style.anchor,
                   .text = p->texts.len});
    dscq_str_add_bytes(&p->texts, text, strlen(text) + 1);
}

const char *report__picture_text_of(const dscq_picture *p, const shape *s)
{
    return p->texts.text + s->text;
}

/* 1250 -> "12.5", -300 -> "-3" */
static void put_number(dscq_str *out, int32_t v)
{
    const int32_t a = v < 0 ? -v : v;

    dscq_str_addf(out, "%s%d", v < 0 ? "-" : "", a / 100);
    if (a % 100 != 0)
        dscq_str_addf(out, a % 10 != 0 ? ".%02d" : ".%d",
                      a % 10 != 0 ? a % 100 : a % 100 / 10);
}

static void put_attribute(dscq_str *out, const char *name, int32_t v)
{
    dscq_str_addf(out, " %s=\"", name);
    put_number(out, v);
    dscq_str_add(out, "\"");
}

static void put_escaped(dscq_str *out, const char *text)
{
    for (; *text != '\0'; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '<')
            dscq_str_add(out, "&lt;");
        else if (c == '>')
            dscq_str_add(out, "&gt;");
        else if (c == '&')
            dscq_str_add(out, "&amp;");
        else if (c == '"')
            dscq_str_add(out, "&quot;");
        else
            dscq_str_add_bytes(out, c < 0x20 ? " " : text, 1);
    }
}

static void put_text(dscq_str *out, const dscq_picture *p, const shape *s)
{
    static const char *const k_anchor[] = {"", " text-anchor=\"middle\"",
                                           " text-anchor=\"end\""};

    dscq_str_add(out, "<text");
    put_attribute(out, "x", s->x);
    put_attribute(out, "y", s->y);
    put_attribute(out, "font-size", s->width);
    dscq_str_addf(out, " fill=\"#%06x\"%s%s", (unsigned)s->colour, k_anchor[s->anchor],
                  s->bold ? " font-weight=\"bold\"" : "");
    if (s->upright) {
        dscq_str_add(out, " transform=\"rotate(-90 ");
        put_number(out, s->x);
        dscq_str_add(out, " ");
        put_number(out, s->y);
        dscq_str_add(out, ")\"");
    }
    dscq_str_add(out, ">");
    put_escaped(out, report__picture_text_of(p, s));
    dscq_str_add(out, "</text>\n");
}

static void put_shape(dscq_str *out, const dscq_picture *p, const shape *s)
{
    const unsigned colour = (unsigned)s->colour;

    switch (s->kind) {
    case SHAPE_LINE:
        dscq_str_add(out, "<line");
        put_attribute(out, "x1", s->x);
        put_attribute(out, "y1", s->y);
        put_attribute(out, "x2", s->x2);
        put_attribute(out, "y2", s->y2);
        dscq_str_addf(out, " stroke=\"#%06x\"", colour);
        put_attribute(out, "stroke-width", s->width);
        dscq_str_add(out, " stroke-linecap=\"round\"/>\n");
        break;
    case SHAPE_RECT:
        dscq_str_add(out, "<rect");
        put_attribute(out, "x", s->x);
        put_attribute(out, "y", s->y);
        put_attribute(out, "width", s->x2);
        put_attribute(out, "height", s->y2);
        dscq_str_addf(out, " fill=\"#%06x\"/>\n", colour);
        break;
    case SHAPE_DISC:
        dscq_str_add(out, "<circle");
        put_attribute(out, "cx", s->x);
        put_attribute(out, "cy", s->y);
        put_attribute(out, "r", s->x2);
        if (s->width == 0)
            dscq_str_addf(out, " fill=\"#%06x\"/>\n", colour);
        else {
            dscq_str_addf(out, " fill=\"#ffffff\" stroke=\"#%06x\"", colour);
            put_attribute(out, "stroke-width", s->width);
            dscq_str_add(out, "/>\n");
        }
        break;
    case SHAPE_TEXT:
        put_text(out, p, s);
        break;
    }
}

dscq_status dscq_picture_svg(dscq_str *out, const dscq_picture *p, dscq_error *err)
{
    dscq_str_addf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
        "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\">\n"
        "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n",
        p->width, p->height, p->width, p->height, p->width, p->height);
    for (size_t i = 0; i < p->count; i++)
        put_shape(out, p, &p->shape[i]);
    dscq_str_add(out, "</svg>\n");
    return out->bad ? dscq_fail(err, DSCQ_NOMEM, "out of memory: SVG") : DSCQ_OK;
}

dscq_status dscq_picture_write_svg(const dscq_picture *p, const char *path,
                                   dscq_error *err)
{
    dscq_str s = {0};
    dscq_status status = dscq_picture_svg(&s, p, err);

    if (status == DSCQ_OK)
        status = dscq_file_write(path, s.text, s.len, err);
    dscq_str_free(&s);
    return status;
}
