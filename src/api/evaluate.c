/* How good a network is, float or of integers, on a part of the data. */
#include "api_internal.h"
#include "dscq/flow/compress.h"

#include <math.h>

static dscq_score of_classes(const dscq_eval *e)
{
    dscq_score s = {.images = dscq_eval_count(e),
                    .score = dscq_eval_top1_frac(e),
                    .top5 = dscq_eval_top5_frac(e),
                    .loss = dscq_eval_loss(e)};

    dscq_wilson(dscq_eval_top1(e), dscq_eval_count(e), 1.96, &s.low, &s.high);
    return s;
}

static dscq_status of_boxes(dscq_score *out, double map, dscq_net *n, dscq_split split,
                            dscq_error *err)
{
    const double none = (double)NAN;
    dscq_dataset *d;
    const dscq_status status =
        dscq_project_dataset(&d, n->project, &n->listener.log, err);

    if (status == DSCQ_OK)
        *out = (dscq_score){.images = dscq_dataset_count(d, split),
                            .score = map,
                            .low = none,
                            .high = none,
                            .top5 = none,
                            .loss = none};
    return status;
}

/* q NULL: the float network. */
static dscq_status score(dscq_score *out, dscq_net *n, const dscq_qmodel *q,
                         dscq_split split, const dscq_run_options *run, dscq_error *err)
{
    dscq_project *const p = n->project;
    dscq_eval *e = NULL;
    double map = 0;
    dscq_status status;

    if (dscq_project_is_detector(p)) {
        DSCQ_TRY(q != NULL ? dscq_flow_eval_packed_boxes(&map, NULL, p, q, split,
                                                         DSCQ_AP_AREA, run, err)
                           : dscq_flow_eval_boxes(&map, NULL, p, split, DSCQ_AP_AREA,
                                                  run, err));
        DSCQ_TRY(of_boxes(out, map, n, split, err));
    } else {
        DSCQ_TRY(q != NULL ? dscq_flow_eval_packed(&e, p, q, split, run, err)
                           : dscq_flow_eval(&e, p, split, run, err));
        *out = of_classes(e);
    }
done:
    dscq_eval_destroy(e);
    return status;
}

static dscq_status evaluate(dscq_score *out, dscq_net *n, const dscq_qmodel *q,
                            const char *part, const dscq_work_options *options,
                            dscq_error *err)
{
    dscq_run_options run;
    dscq_split split;
    dscq_score s;
    dscq_status status;

    DSCQ_TRY(api__check_room(out, "dscq_score", err));
    DSCQ_TRY(api__need(n, "net", err));
    DSCQ_TRY(api__part(&split, part, err));
    DSCQ_TRY(api__run_options(&run, n, options, err));
    DSCQ_TRY(score(&s, n, q, split, &run, err));
    api__give(out, &s, sizeof s);
done:
    return status;
}

dscq_status dscq_net_evaluate(dscq_score *out, dscq_net *n, const char *part,
                              const dscq_work_options *options, dscq_error *err)
{
    API_ERROR(err);
    return evaluate(out, n, NULL, part, options, err);
}

dscq_status dscq_qnet_evaluate(dscq_score *out, const dscq_qnet *q, dscq_net *n,
                               const char *part, const dscq_work_options *options,
                               dscq_error *err)
{
    dscq_status status;

    API_ERROR(err);
    DSCQ_TRY(api__need(q, "qnet", err));
    DSCQ_TRY(evaluate(out, n, q->model, part, options, err));
done:
    return status;
}
