/*
 * axes.h - the frame that the three plots share: title, key, axes with round ticks.
 */
#ifndef REPORT_AXES_H
#define REPORT_AXES_H

#include "picture.h"

enum { AXES_WIDTH = 720, AXES_HEIGHT = 440, AXES_TICKS_MAX = 16, AXES_COLOURS = 10 };

enum { INK = 0x222222, GREY = 0x666666, FAINT = 0xdddddd };

/* The first eight can be told apart by the colour-blind (Okabe, Ito 2008). */
extern const uint32_t report__axes_colour[AXES_COLOURS];

/* One direction: values [lo, hi] to pixels [at_lo, at_hi]. */
typedef struct scale {
    double lo, hi;
    double at_lo, at_hi;
    int is_log;
    int empty; /* nothing was included yet */
} scale;

void report__scale_start(scale *s, int is_log);
/* Widen to hold v; returns 0 for a value that cannot be shown. */
int report__scale_include(scale *s, double v);
/* Round the ends outwards to ticks. */
void report__scale_round(scale *s);
double report__scale_at(const scale *s, double v);
int report__scale_can_show(const scale *s, double v);

typedef struct tick {
    double v;
    char text[24];
} tick;
/* Ticks from lo to hi; returns how many, at most AXES_TICKS_MAX. */
size_t report__scale_ticks(tick *out, const scale *s);

typedef struct frame {
    scale x, y, right;
    double left, top, right_edge, bottom; /* of the plot area, pixels */
    int has_right, names_below;           /* names_below: no ticks along x */
} frame;

/* Place the plot area: room for the title, `key_rows` rows of key, labels. */
void report__frame_place(frame *f, int key_rows, double below);
void report__frame_draw(const frame *f, dscq_picture *p, const dscq_axes *axes,
                        const char *right_label);

/* The key: returns its number of rows; with a picture, draws it. */
int report__frame_key(const frame *f, dscq_picture *p, const char *const *name,
                      size_t count);

#endif
