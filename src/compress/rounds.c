/* Keys of the methods that cut in rounds. */
#include "compress_internal.h"

#define P compress_rounds
static const dscq_key k_rows[] = {
    DSCQ_KEY_REAL_ROW(P, acc_loss, 0, 1, "0.001",
                      "reversed, peak: score that a cut may cost"),
    DSCQ_KEY_INT_ROW(P, round_epochs, 1, 1000, "1",
                     "reversed, peak: epochs of retraining after a cut"),
    DSCQ_KEY_REAL_ROW(P, density_step, 0.01, 0.99, "0.8",
                      "reversed: factor of the kept fraction from cut to cut"),
    DSCQ_KEY_END};
#undef P

const dscq_method_keys compress__rounds_keys = {k_rows, sizeof(compress_rounds),
                                                "last_p"};
