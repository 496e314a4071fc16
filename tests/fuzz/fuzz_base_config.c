#include "dscq/base/config.h"

typedef struct params {
    int32_t width, mode;
    double rate;
    char name[16];
    dscq_list anchors;
} params;

/* clang-format off */
static const dscq_key k_keys[] = {
    DSCQ_KEY_INT_ROW(params, width, 1, 4096, NULL, "columns"),
    DSCQ_KEY_ENUM_ROW(params, mode, "a|b", "a", "mode"),
    DSCQ_KEY_REAL_ROW(params, rate, 0, 1, "0.1", "rate"),
    DSCQ_KEY_STR_ROW(params, name, "", "name"),
    DSCQ_KEY_LIST_ROW(params, anchors, -10, 10, "1,2", "anchors"),
    DSCQ_KEY_END};
/* clang-format on */

static void drop(void *ctx, const char *line)
{
    *(size_t *)ctx += line[0] != '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dscq_config *c = NULL;
    dscq_error err;
    size_t lines = 0;
    params p;

    if (dscq_config_parse(&c, (const char *)data, size, "fuzz", &err) != DSCQ_OK)
        return 0;
    (void)dscq_config_set(c, "net#2.width=7", "--set", &err);
    for (size_t i = 0; i < dscq_config_count(c); i++)
        if (dscq_config_bind(&p, c, (int)i, dscq_config_section(c, i), k_keys, &err) ==
            DSCQ_OK)
            dscq_config_print_section(c, (int)i, "net", &p, k_keys, drop, &lines);
    (void)dscq_config_check_used(c, "net|data", &err);
    dscq_config_destroy(c);
    return 0;
}
