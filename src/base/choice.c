/* Words of a list "a|b|c". */
#include "dscq/base/keys.h"

#include <string.h>

int dscq_choice_find(const char *choices, const char *text)
{
    const size_t n = strlen(text);

    for (int i = 0;; i++) {
        const size_t word = strcspn(choices, "|");
        if (word == n && memcmp(choices, text, n) == 0)
            return i;
        if (choices[word] == '\0')
            return -1;
        choices += word + 1;
    }
}

void dscq_choice_name(char *out, size_t cap, const char *choices, int i)
{
    out[0] = '\0';
    for (; i >= 0; i--) {
        const size_t word = strcspn(choices, "|");
        if (i == 0) {
            const size_t n = word < cap ? word : cap - 1;
            memcpy(out, choices, n);
            out[n] = '\0';
        }
        if (choices[word] == '\0')
            return;
        choices += word + 1;
    }
}
