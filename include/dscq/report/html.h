/*
 * report/html.h - one self-contained page: headings, paragraphs, tables, pictures.
 *
 * No scripts, no links to other hosts or files: style and pictures are inside. Every
 * text is escaped here.
 */
#ifndef DSCQ_REPORT_HTML_H
#define DSCQ_REPORT_HTML_H

#include "dscq/base/status.h"
#include "dscq/base/table.h"
#include "dscq/report/plot.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_page dscq_page;

/* Owned by the caller. Failures while it is filled (no memory) are remembered and
 * returned by dscq_page_write(). */
dscq_status dscq_page_create(dscq_page **out, const char *title, dscq_error *err);
void dscq_page_destroy(dscq_page *p); /* NULL is fine */

void dscq_page_section(dscq_page *p, const char *heading);
void dscq_page_paragraph(dscq_page *p, const char *text);
/* Preformatted: settings, a command line. */
void dscq_page_code(dscq_page *p, const char *text);
void dscq_page_table(dscq_page *p, const char *caption, const dscq_table *t);
void dscq_page_picture(dscq_page *p, const char *caption, const dscq_picture *picture);

/* A part of it could not be made, for want of memory say: no page. */
void dscq_page_fail(dscq_page *p, const dscq_error *why);

/* Ends the page and hands it out as text, borrowed; NULL when something failed. */
const char *dscq_page_text(dscq_page *p);
/* Atomically (base/io.h). */
dscq_status dscq_page_write(dscq_page *p, const char *path, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
