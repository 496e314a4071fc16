#include "lower.h"

tfl_rule *tflite__rule_find(int32_t code)
{
    static const tfl_row k_rows[] = {
#define TFL_RULE(code, name) {TFL_##code, tflite__rule_##name},
#include "rules.def"
#undef TFL_RULE
    };

    for (size_t i = 0; i < sizeof k_rows / sizeof *k_rows; i++)
        if (k_rows[i].code == code)
            return k_rows[i].rule;
    return NULL;
}
