/* One bit a weight, and 8 bits in the few blocks that binarising hurts most. */
#include "compress_internal.h"

#include <string.h>

static dscq_status begin(dscq_compressor *c, dscq_error *err)
{
    (void)err;
    for (size_t i = 0; i < c->layers; i++) {
        dscq_rule *r = &c->layer[i].rule;
        const int ends = r->kind == DSCQ_KIND_FIRST || r->kind == DSCQ_KIND_LAST;
        const int plain = r->skip || r->form == DSCQ_FORM_LINEAR || ends;

        r->p = 0.0;
        r->per_channel = 1;
        if (r->form != DSCQ_FORM_BINARY && plain) { /* the ends and depthwise: 8 bits */
            r->form = DSCQ_FORM_LINEAR;
            r->b = r->b > 8 ? 16 : 8;
        } else {
            r->form = DSCQ_FORM_BINARY;
            r->b = 1;
        }
        memset(c->layer[i].mask, 1, c->layer[i].w->count);
    }
    return DSCQ_OK;
}

/* Which blocks keep 8 bits is decided again every 64 steps (layer.c). */
static void layer(dscq_compressor *c, dscq_clayer *l, int worker)
{
    compress__copy_form(c, l, worker);
}

const dscq_method dscq_method_binary = {
    .name = "binary",
    .summary = "binary weights with a sparse part of 8-bit blocks",
    .source = "after Nguyen et al., IEEE TCSVT 31(6), 2021; a reconstruction",
    .reads = "high_frac, block",
    .flags = DSCQ_METHOD_QUANTISES,
    .begin = begin,
    .layer = layer,
};
