/*
 * What the writers share.
 */
#ifndef REPORT_INTERNAL_H
#define REPORT_INTERNAL_H

#include "dscq/base/table.h"

#include <stddef.h>

enum { REPORT_CELL_BYTES = 256 };

/* The cell as people read it; "-" where a number is missing. Cut at cap. */
void report__cell(char *out, size_t cap, const dscq_table *t, size_t row, size_t c);
/* The heading, or the key where there is none. */
const char *report__heading(const dscq_column *column);
/* Columns on a terminal, letters of a picture: code points, not bytes. */
size_t report__width(const char *text);
/* UTF-8: every byte but the continuations. */
int report__starts_letter(char c);

#endif
