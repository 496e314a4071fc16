#include "standard.h"

#include <string.h>

int dram__standard_has_level(const dscq_dram_config *c, dram_level level)
{
    dram_row row[DRAM_ROWS_MAX];

    for (int32_t i = dram__standard_rows(row, c); i-- > 0;)
        if (row[i].level == level)
            return 1;
    return 0;
}

static int is_word(char ch)
{
    return ch == '_' || (ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z') ||
           (ch >= 'a' && ch <= 'z');
}

/* tRCD stands in "tRCD + tRP", not in "tRCD_WR". */
static int has_word(const char *text, const char *word)
{
    const size_t len = strlen(word);

    for (const char *p = text; (p = strstr(p, word)) != NULL; p++)
        if ((p == text || !is_word(p[-1])) && !is_word(p[len]))
            return 1;
    return 0;
}

int dram__standard_has_timing(const dscq_dram_config *c, const char *key)
{
    dram_row row[DRAM_ROWS_MAX];

    for (int32_t i = dram__standard_rows(row, c); i-- > 0;)
        if (has_word(row[i].text, key))
            return 1;
    return 0;
}
