/*
 * picture.h - a picture is a list of shapes in the order they are painted.
 * Coordinates are pixels of the SVG, y downwards, kept in hundredths so that the
 * text form does not depend on how a printf rounds.
 */
#ifndef REPORT_PICTURE_H
#define REPORT_PICTURE_H

#include "dscq/report/plot.h"

typedef enum shape_kind { SHAPE_LINE, SHAPE_RECT, SHAPE_DISC, SHAPE_TEXT } shape_kind;

typedef enum text_anchor { ANCHOR_START, ANCHOR_MIDDLE, ANCHOR_END } text_anchor;

typedef struct shape {
    shape_kind kind;
    int32_t x, y, x2,
        y2;          /* hundredths; RECT: x2, y2 = width, height; DISC: x2 = radius */
    uint32_t colour; /* 0xRRGGBB */
    int32_t width;   /* hundredths: LINE; DISC: of the rim, 0 = filled; TEXT: size */
    int upright;     /* TEXT: turned left by 90 degrees */
    int bold;
    text_anchor anchor;
    size_t text; /* offset in picture.texts */
} shape;

struct dscq_picture {
    int32_t width, height; /* pixels */
    shape *shape;
    size_t count, cap;
    dscq_str texts; /* NUL-divided */
    int bad;        /* an allocation failed */
};

dscq_status report__picture_create(dscq_picture **out, int32_t width, int32_t height,
                                   dscq_error *err);
/* Failures are remembered; report__picture_check() tells. */
dscq_status report__picture_check(const dscq_picture *p, dscq_error *err);

void report__picture_line(dscq_picture *p, double x, double y, double x2, double y2,
                          uint32_t colour, double width);
void report__picture_rect(dscq_picture *p, double x, double y, double w, double h,
                          uint32_t colour);
void report__picture_disc(dscq_picture *p, double x, double y, double r,
                          uint32_t colour, double rim);

typedef struct text_style {
    double size;
    text_anchor anchor;
    uint32_t colour;
    int upright, bold;
} text_style;
void report__picture_text(dscq_picture *p, double x, double y, const char *text,
                          text_style style);
const char *report__picture_text_of(const dscq_picture *p, const shape *s);

/* A glyph: column c's bits, bit 0 at the top, bit 7 below the baseline; a box for
 * what is not ASCII. */
const uint8_t *report__font_glyph(char c);
enum { FONT_COLUMNS = 5, FONT_ROWS = 8, FONT_RISE = 7, FONT_ADVANCE = 6 };

#endif
