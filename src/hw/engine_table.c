#include "dscq/hw/engine.h"

#include <assert.h>

#define X(name, id, text) extern const dscq_engine hw__engine_##name;
DSCQ_ENGINE_LIST(X)
#undef X

static const dscq_engine *const k_engines[DSCQ_ENGINE_COUNT] = {
#define X(name, id, text) &hw__engine_##name,
    DSCQ_ENGINE_LIST(X)
#undef X
};

const dscq_engine *dscq_engine_at(int32_t i)
{
    assert(i >= 0 && i < DSCQ_ENGINE_COUNT);
    return k_engines[i];
}

const dscq_engine *dscq_engine_of(const dscq_machine *m)
{
    return dscq_engine_at(m->engine);
}
