/* The rows of searches.def. */
#include "search_internal.h"

#include <assert.h>

#define DSCQ_SEARCH(id)   extern const search_method search__method_##id;
#define DSCQ_PROTOCOL(id) extern const search_method search__protocol_##id;
#include "searches.def"
#undef DSCQ_SEARCH
#undef DSCQ_PROTOCOL

static const search_method *const k_searches[] = {
    NULL, /* none */
#define DSCQ_SEARCH(id) &search__method_##id,
#define DSCQ_PROTOCOL(id)
#include "searches.def"
#undef DSCQ_SEARCH
#undef DSCQ_PROTOCOL
};

static const search_method *const k_protocols[] = {
#define DSCQ_SEARCH(id)
#define DSCQ_PROTOCOL(id) &search__protocol_##id,
#include "searches.def"
#undef DSCQ_SEARCH
#undef DSCQ_PROTOCOL
};

const search_method *search__method(const dscq_search_params *p)
{
    const search_method *m = k_searches[p->search];

    assert(m != NULL);
    return m->solve != NULL ? m : k_protocols[p->protocol];
}
