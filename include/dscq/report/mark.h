/*
 * report/mark.h - draw a labelled frame into pixels: what a detector found.
 */
#ifndef DSCQ_REPORT_MARK_H
#define DSCQ_REPORT_MARK_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* rgb: height rows of width * 3 bytes. Frame with corners (x0, y0), (x1, y1), the
 * latter exclusive, in pixels; what lies outside the picture is cut off. Line and
 * letters grow with the picture. label: printable ASCII, "" = none; it stands above the
 * frame, or inside where there is no room. colour: 0xRRGGBB. */
void dscq_mark_box(uint8_t *rgb, int32_t width, int32_t height, double x0, double y0,
                   double x1, double y1, uint32_t colour, const char *label);

/* A colour for class number `cls`: twelve that differ well, then again. */
uint32_t dscq_mark_colour(int32_t cls);

#ifdef __cplusplus
}
#endif
#endif
