#include "dscq/hw/engine.h"
#include "result.h"

dscq_status dscq_sim_run(dscq_sim **out, const dscq_program *p, const dscq_machine *m,
                         const void *const *inputs, const dscq_sim_options *options,
                         dscq_error *err)
{
    static const dscq_sim_options k_default;
    dscq_sim *s = NULL;
    dscq_status status;

    *out = NULL;
    DSCQ_TRY(dscq_program_check(p, err));
    DSCQ_TRY(dscq_machine_check(m, err));
    DSCQ_TRY(hw__sim_create(&s, p, m, err));
    DSCQ_TRY(
        p->engine->run(s, p, m, inputs, options != NULL ? options : &k_default, err));
    *out = s;
    return DSCQ_OK;
done:
    dscq_sim_destroy(s);
    return status;
}

dscq_sim_bound dscq_sim_lower_bound(const dscq_program *p, const dscq_machine *m)
{
    return p->engine->bound(p, m);
}
