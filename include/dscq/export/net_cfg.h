/*
 * export/net_cfg.h - a network as the text of a net.cfg, which dscq_model_from_config()
 * reads back: same graph, same names, so that a checkpoint of the one fits the other.
 *
 * A cfg chains its sections: where a node's first input is not the one before it, a
 * [route] of one layer is put in (it computes nothing).
 */
#ifndef DSCQ_EXPORT_NET_CFG_H
#define DSCQ_EXPORT_NET_CFG_H

#include "dscq/base/str.h"
#include "dscq/nn/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum dscq_cfg_dialect {
    DSCQ_CFG_OURS,     /* every key this program reads                              */
    DSCQ_CFG_IMPORTED, /* the same, and imported=1 in [net]                         */
    DSCQ_CFG_DARKNET,  /* only what AlexeyAB's Darknet reads: depthwise becomes groups,
                         names go; DSCQ_UNSUPPORTED for what it cannot say, by node  */
    DSCQ_CFG_PJREDDIE  /* the same for pjreddie's, which reads less; says
                         dialect=pjreddie, which that program skips                  */
} dscq_cfg_dialect;

/* Appends to *text ([net] first). DSCQ_UNSUPPORTED when a section cannot say it. */
dscq_status dscq_export_net_cfg(dscq_str *text, const dscq_model *m,
                                dscq_cfg_dialect dialect, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
