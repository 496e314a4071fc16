/* A TensorFlow Lite file as a network, its grids, and the settings that keep a
 * quantised one as it is. */
#include "dscq/base/log.h"
#include "dscq/tflite/tflite.h"
#include "flow_internal.h"

/* Nothing is trained, pruned or calibrated anew. */
static const char k_settings[] =
    "\n# the file's own codes and "
    "grids\n[compress]\nmethod=uniform\nepochs=0\np=0\nb=8\nkeep_codes=1\n"
    "ranges=ranges.csv\n";

dscq_status flow__read_tflite(dscq_model **out, flow_brought *with,
                              const dscq_import_options *o, dscq_error *err)
{
    const dscq_graph_range *r;
    dscq_tflite *f = NULL;
    int32_t count = 0;
    dscq_status status;

    DSCQ_TRY(dscq_tflite_load(&f, o->network, err));
    DSCQ_TRY(dscq_tflite_to_model(out, with->refused, f, err));
    for (int32_t i = 0; dscq_tflite_note(f, i) != NULL; i++)
        dscq_log_printf(o->log, DSCQ_LOG_WARN, "%s: %s", o->network,
                        dscq_tflite_note(f, i));
    r = dscq_tflite_ranges(f, &count);
    if (with->ranges != NULL)
        DSCQ_TRY(flow__range_table(with->ranges, r, count, *out, err));
    if (with->settings != NULL && count > 0)
        dscq_str_add(with->settings, k_settings);
done:
    dscq_tflite_close(f);
    return status;
}
