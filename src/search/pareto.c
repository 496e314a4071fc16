/* Where trials come from, and which of them no other beats. */
#include "search_internal.h"

#include <math.h>

const char *search__source_name(search_source s)
{
    static const char *const k_name[] = {
#define X(id, word) word,
        SEARCH_SOURCE_LIST(X)
#undef X
    };

    return k_name[s];
}

/* Is a at least as good in all that was measured, and better in something? */
static int beats(const search_trial *a, const search_trial *b)
{
    int better = 0;

    for (int m = 0; m < DSCQ_METRICS; m++) {
        if (!isfinite(a->value[m]) || !isfinite(b->value[m]))
            continue;
        if (a->value[m] > b->value[m])
            return 0;
        better = better || a->value[m] < b->value[m];
    }
    return better;
}

void search__front(const search *s, unsigned char *on)
{
    for (size_t i = 0; i < s->trials; i++) {
        on[i] = !s->trial[i].failed;
        for (size_t k = 0; on[i] && k < s->trials; k++)
            if (k != i && !s->trial[k].failed && beats(&s->trial[k], &s->trial[i]))
                on[i] = 0;
    }
}
