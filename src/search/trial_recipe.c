/* The recipe of a trial, from search.json. */
#include "dscq/base/io.h"
#include "dscq/base/json.h"
#include "dscq/flow/steps.h"
#include "dscq/search/explain.h"

dscq_status dscq_flow_trial_recipe(dscq_str *out, const char *dir, int64_t trial,
                                   dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    dscq_json *search = NULL;
    dscq_status status;

    DSCQ_TRY(dscq_path_join(path, sizeof path, dir, "search.json", err));
    if (!dscq_path_exists(path))
        return dscq_fail(err, DSCQ_IO, "%s: no search.json, so there are no trials",
                         dir);
    DSCQ_TRY(dscq_json_load(&search, path, err));
    const dscq_json *trials = dscq_json_get(search, "trials"),
                    *layers = dscq_json_get(search, "layers");
    if (trial < 0 || (uint64_t)trial >= dscq_json_count(trials)) {
        status =
            dscq_fail(err, DSCQ_ARG, "%s: trial %lld: there are trials 0 to %lld", dir,
                      (long long)trial, (long long)dscq_json_count(trials) - 1);
        goto done;
    }
    const dscq_json *t = dscq_json_at(trials, (size_t)trial);
    dscq_str_addf(out, "# trial %lld\n", (long long)trial);
    for (size_t i = 0; i < dscq_json_count(layers); i++)
        dscq_str_addf(
            out, "\n[compress_layer]\nmatch = %s\np = %g\nb = %lld\n",
            dscq_json_text(dscq_json_get(dscq_json_at(layers, i), "layer"), ""),
            dscq_json_real(dscq_json_at(dscq_json_get(t, "p"), i), 0),
            (long long)dscq_json_int(dscq_json_at(dscq_json_get(t, "b"), i), 0));
    if (out->bad)
        status = dscq_fail_nomem(err, "a recipe", out->len);
done:
    dscq_json_free(search);
    return status;
}
