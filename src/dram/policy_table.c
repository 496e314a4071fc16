#include "dram_internal.h"

#include <string.h>

#define DSCQ_DRAM_POLICY(id) extern const dram_policy dram__policy_##id;
#include "policies.def"
#undef DSCQ_DRAM_POLICY

static const dram_policy *const k_policies[] = {
#define DSCQ_DRAM_POLICY(id) &dram__policy_##id,
#include "policies.def"
#undef DSCQ_DRAM_POLICY
};

enum { POLICIES = sizeof k_policies / sizeof k_policies[0] };

const dram_policy *dram__policy_find(const char *name)
{
    for (int i = 0; i < POLICIES; i++)
        if (strcmp(k_policies[i]->name, name) == 0)
            return k_policies[i];
    return NULL;
}

int dscq_dram_policy_count(void)
{
    return POLICIES;
}

const char *dscq_dram_policy_name(int i)
{
    return k_policies[i]->name;
}

const char *dscq_dram_policy_summary(int i)
{
    return k_policies[i]->summary;
}
