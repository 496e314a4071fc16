/*
 * flow/page.h - a report (dscq.report/1) as tables and as one HTML page.
 */
#ifndef DSCQ_FLOW_PAGE_H
#define DSCQ_FLOW_PAGE_H

#include "dscq/base/json.h"
#include "dscq/base/status.h"
#include "dscq/base/table.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The array of objects under `key` as a table, owned by the caller; columns in the
 * order in which they first occur. DSCQ_FORMAT when there is none. */
dscq_status dscq_report_table(dscq_table **out, const dscq_json *report,
                              const char *key, dscq_error *err);

/* `total`, `accuracy` and `file`: key, value; owned by the caller. */
dscq_status dscq_report_totals(dscq_table **out, const dscq_json *report,
                               dscq_error *err);

/* One self-contained page: totals, cycles a layer, stall bars, energy bars, tables,
 * settings, assumptions. Written atomically. */
dscq_status dscq_report_page(const dscq_json *report, const char *path,
                             dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
