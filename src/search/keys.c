#include "dscq/flow/steps.h"
#include "dscq/search/search.h"

static const char k_searches[] = "|none"
#define DSCQ_SEARCH(id)   "|" #id
#define DSCQ_PROTOCOL(id) ""
#include "searches.def"
#undef DSCQ_SEARCH
#undef DSCQ_PROTOCOL
    ;
static const char k_protocols[] = ""
#define DSCQ_SEARCH(id)   ""
#define DSCQ_PROTOCOL(id) "|" #id
#include "searches.def"
#undef DSCQ_SEARCH
#undef DSCQ_PROTOCOL
    ;

#define P dscq_search_params
const dscq_key dscq_search_keys[] = {
    DSCQ_KEY_ENUM_ROW(P, search, DSCQ_CHOICES(k_searches), "none",
                      "how recipes are found; none: the recipe of [compress] as it is"),
    DSCQ_KEY_ENUM_ROW(P, protocol, DSCQ_CHOICES(k_protocols), "joint",
                      "bayes: all layers at once, or one after the other as CLIP-Q"),
    DSCQ_KEY_ENUM_ROW(P, objective, DSCQ_CHOICES(DSCQ_METRIC_LIST(DSCQ_CHOICE) "|auto"),
                      "auto",
                      "what shall be small; auto: energy when trials run on a machine "
                      "(--machine, or a limit asks for it), else bytes"),
    DSCQ_KEY_INT_ROW(P, trials, 1, 100000, "60",
                     "recipes to measure, all layers" DSCQ_MAY_CHANGE),
    DSCQ_KEY_INT_ROW(P, warm, 0, 1000, "10",
                     "joint: first trials, from mild to hard, before the model's"),
    DSCQ_KEY_STR_ROW(
        P, budget, "",
        "time for one call, fine-tuning included, as 90s, 30min, 1h30m; empty: "
        "no limit" DSCQ_MAY_CHANGE),
    DSCQ_KEY_REAL_ROW(P, max_loss, 0, 1, "0.01",
                      "accuracy that may be lost after fine-tuning" DSCQ_MAY_CHANGE),
    DSCQ_KEY_REAL_ROW(P, trial_loss, 0, 1, "0.1",
                      "accuracy that a trial, not fine-tuned, may lose"),
    DSCQ_KEY_REAL_ROW(P, max_bytes, 0, 1e12, "0", "limit of the file; 0: none"),
    DSCQ_KEY_REAL_ROW(P, max_cycles, 0, 1e15, "0", "limit of a frame; 0: none"),
    DSCQ_KEY_REAL_ROW(P, max_energy_uj, 0, 1e12, "0", "limit of a frame; 0: none"),
    DSCQ_KEY_INT_ROW(P, max_bram, 0, 1000000, "0", "limit of block RAMs; 0: none"),
    DSCQ_KEY_REAL_ROW(P, weight, 0, 10, "0",
                      "layers: accuracy that saving the whole objective is worth; 0: "
                      "trial_loss"),
    DSCQ_KEY_REAL_ROW(P, p_max, 0, 0.99, "0.9", "largest pruning rate"),
    DSCQ_KEY_REAL_ROW(P, p_step, 0.01, 0.5, "0.05", "distance of pruning rates"),
    DSCQ_KEY_INT_ROW(P, b_min, 2, 8, "2", "smallest bit width"),
    DSCQ_KEY_INT_ROW(P, b_max, 2, 8, "8", "largest bit width"),
    DSCQ_KEY_INT_ROW(P, dw_b_min, 2, 8, "4", "smallest bit width, depthwise layers"),
    DSCQ_KEY_STR_ROW(P, layers, "*", "globs: which layers are searched"),
    DSCQ_KEY_INT_ROW(P, images, 0, 10000000, "2000",
                     "validation images a trial, evenly spread; 0: all"),
    DSCQ_KEY_INT_ROW(P, norm_images, 0, 10000000, "512",
                     "training images on which a trial measures batch norm again"),
    DSCQ_KEY_INT_ROW(P, finalists, 0, 100, "1",
                     "recipes to fine-tune; 0: recipe.cfg is all" DSCQ_MAY_CHANGE),
    DSCQ_KEY_END};
#undef P

static const char *const k_name[] = {
#define X(name, id, column, text) #name,
    DSCQ_METRIC_LIST(X)
#undef X
};
static const char *const k_column[] = {
#define X(name, id, column, text) column,
    DSCQ_METRIC_LIST(X)
#undef X
};
static const char *const k_text[] = {
#define X(name, id, column, text) text,
    DSCQ_METRIC_LIST(X)
#undef X
};

const char *dscq_metric_name(int metric)
{
    return k_name[metric];
}

const char *dscq_metric_column(int metric)
{
    return k_column[metric];
}

const char *dscq_metric_text(int metric)
{
    return k_text[metric];
}

/* A time that cannot be read is found now, not when the search begins. */
static dscq_status check_budget(const void *params, const dscq_config *c, int at,
                                dscq_error *err)
{
    const dscq_search_params *s = params;
    char where[DSCQ_PATH_MAX + DSCQ_NAME_MAX];
    double seconds;

    if (s->budget[0] == '\0' ||
        dscq_parse_duration(&seconds, s->budget, err) == DSCQ_OK)
        return DSCQ_OK;
    if (err != NULL)
        err->code = DSCQ_FORMAT; /* like any other value of a key */
    dscq_config_key_origin(where, sizeof where, c, (size_t)at, "budget");
    return dscq_fail_at(err, "%s: budget", where);
}

const dscq_project_section dscq_search_section = {
    "search", dscq_search_keys, sizeof(dscq_search_params), check_budget};

const dscq_search_params *dscq_project_search(dscq_project *p)
{
    return dscq_project_section_params(p, &dscq_search_section);
}

int dscq_search_is_asked(const dscq_search_params *s)
{
    return s->search > 0; /* none */
}

int dscq_search_wants_machine(const dscq_search_params *s)
{
    const int asks = s->objective >= DSCQ_METRIC_CYCLES && s->objective < DSCQ_METRICS;

    return asks || s->max_cycles > 0 || s->max_energy_uj > 0 || s->max_bram > 0;
}
