/* Weights as they lie in the file, for whoever asks for them (qnet/qmodel.h). */
#include "enc/encoding.h"
#include "pack_internal.h"

dscq_status pack__decode(uint16_t *codes, const dscq_qweights *w, uint8_t *high,
                         const char **fault, dscq_error *err)
{
    dscq_reader r = {w->packed, w->packed_bytes, 0, NULL};
    dscq_qweights l = *w;

    l.block_high = high;
    const dscq_status status =
        pack__encoding(w->packed_encoding)->decode(codes, &l, w->packed_arg, &r, err);
    *fault = r.bad;
    return status;
}
