#include "cmd.h"
#include "dscq/base/alloc.h"
#include "dscq/flow/kind.h"
#include "dscq/pack/pack.h"
#include "eval.h"
#include "project.h"

#include <string.h>

static const cli_opt k_options[] = {
    CLI_OPT_FILE(eval_options, weights, "--weights", 'w', "FILE",
                 DSCQ_KIND_CHECKPOINT | DSCQ_KIND_WEIGHTS, "",
                 "float weights: a checkpoint, or Darknet .weights"),
    CLI_OPT_FILE(eval_options, packed, "--packed", 'p', "FILE", DSCQ_KIND_PACKED, "",
                 "packed file, executed in integers"),
    CLI_OPT_FILE(eval_options, baseline, "--baseline", 0, "FILE", DSCQ_KIND_PACKED, "",
                 "another packed file to compare with, on the same images"),
    CLI_OPT_ENUM(eval_options, split, "--split", 0, "train|valid|test", "test",
                 "part of the data"),
    CLI_OPT_FLAG(eval_options, per_class, "--per-class", 0, "a row a class"),
    CLI_OPT_FLAG(eval_options, confusion, "--confusion", 0, "the confusion matrix"),
    CLI_OPT_STR(eval_options, predictions, "--predictions", 0, "FILE", "",
                "write label and prediction of every image there"),
    CLI_OPT_FILE(eval_options, against, "--against", 0, "FILE", DSCQ_KIND_PREDICTIONS,
                 "", "compare with such a file of another run"),
    CLI_OPT_ENUM(eval_options, rule, "--ap", 0, "voc11|area|coco", "area",
                 "rule of average precision, for detectors"),
    CLI_OPT_END};

static const char *const k_of_boxes[] = {"--ap", NULL};

static const char **class_names(dscq_dataset *d)
{
    const int32_t n = dscq_dataset_classes(d);
    const char **names = dscq_calloc((size_t)n + 1, sizeof *names);

    for (int32_t i = 0; names != NULL && i < n; i++)
        names[i] = dscq_dataset_class_name(d, i);
    return names;
}

static void show_score(cli_call *call, const char *what, const dscq_eval *e)
{
    dscq_json *j = dscq_json_object();
    double lo, hi;

    dscq_wilson(dscq_eval_top1(e), dscq_eval_count(e), 1.96, &lo, &hi);
    cli_out_text(call,
                 "%-8s top-1 %6.2f %% (95 %%: %.2f..%.2f)  top-5 %6.2f %%  loss %.4f  "
                 "%llu images\n",
                 what, 100 * dscq_eval_top1_frac(e), 100 * lo, 100 * hi,
                 100 * dscq_eval_top5_frac(e), dscq_eval_loss(e),
                 (unsigned long long)dscq_eval_count(e));
    dscq_json_put_real(j, "top1_frac", dscq_eval_top1_frac(e));
    dscq_json_put_real(j, "top1_low_frac", lo);
    dscq_json_put_real(j, "top1_high_frac", hi);
    dscq_json_put_real(j, "top5_frac", dscq_eval_top5_frac(e));
    dscq_json_put_real(j, "loss", dscq_eval_loss(e));
    dscq_json_put_int(j, "images", (int64_t)dscq_eval_count(e));
    cli_out_json(call, what, j);
}

static dscq_status show_tables(cli_call *call, const eval_options *o,
                               const dscq_eval *e, dscq_dataset *d, dscq_error *err)
{
    const char **names = class_names(d);
    dscq_table *t = NULL;
    dscq_status status = DSCQ_OK;

    if (o->per_class) {
        DSCQ_TRY(dscq_eval_per_class(&t, e, names, err));
        cli_out_table(call, t);
        dscq_table_destroy(t);
        t = NULL;
    }
    if (o->confusion) {
        DSCQ_TRY(dscq_eval_confusion_table(&t, e, names, err));
        cli_out_table(call, t);
    }
done:
    dscq_table_destroy(t);
    dscq_free(names);
    return status;
}

/* `a` is what the packed network `b` is compared with; p_key as in eval_pair. */
static void show_pair(cli_call *call, const char *what, const char *key,
                      const char *p_key, const dscq_eval *a, const dscq_eval *b)
{
    size_t n = 0, m = 0;
    const int32_t *pa = dscq_eval_predictions(a, &n);
    const int32_t *pb = dscq_eval_predictions(b, &m);

    if (n == m)
        cli__eval_show_pair(
            call, &(eval_pair){"packed", "packed", what, what, key, p_key}, b, pa, pb);
}

static dscq_status classes(cli_call *call, const eval_options *o, dscq_project *p,
                           const dscq_qmodel *q, const dscq_run_options *ro,
                           dscq_error *err)
{
    dscq_eval *real = NULL, *packed = NULL, *other = NULL;
    dscq_qmodel *base = NULL;
    dscq_dataset *d;
    dscq_status status;

    DSCQ_TRY(dscq_project_dataset(&d, p, call->log, err));
    if (o->weights[0] != '\0') {
        DSCQ_TRY(dscq_flow_eval(&real, p, (dscq_split)o->split, ro, err));
        show_score(call, "float", real);
    }
    if (q != NULL) {
        DSCQ_TRY(dscq_flow_eval_packed(&packed, p, q, (dscq_split)o->split, ro, err));
        show_score(call, "packed", packed);
    }
    if (o->baseline[0] != '\0') {
        DSCQ_TRY(dscq_pack_read(&base, o->baseline, err));
        DSCQ_TRY(dscq_flow_eval_packed(&other, p, base, (dscq_split)o->split, ro, err));
        show_score(call, "baseline", other);
    }
    if (real != NULL && packed != NULL)
        show_pair(call, "float", "against_float", "mcnemar_p", real, packed);
    if (other != NULL && packed != NULL)
        show_pair(call, "baseline", "against_baseline", NULL, other, packed);
    const dscq_eval *last = packed != NULL ? packed : real;
    if (o->against[0] != '\0')
        DSCQ_TRY(
            cli__eval_against(call, o->against, last, d, (dscq_split)o->split, err));
    DSCQ_TRY(show_tables(call, o, last, d, err));
    if (o->predictions[0] != '\0')
        DSCQ_TRY(cli__eval_write_predictions(call, o->predictions, last, d,
                                             (dscq_split)o->split, err));
done:
    dscq_eval_destroy(real);
    dscq_eval_destroy(packed);
    dscq_eval_destroy(other);
    dscq_qmodel_destroy(base);
    return status;
}

static dscq_status run(cli_call *call, const void *options, dscq_error *err)
{
    const eval_options *o = options;
    const dscq_run_options ro = cli_run_options(call, "", "", 0);
    dscq_project *p = NULL;
    dscq_qmodel *q = NULL;
    dscq_status status;

    DSCQ_TRY(cli_check_ending(o->predictions, "csv|txt", "--predictions", err));
    DSCQ_TRY(cli_project_open(&p, call, err));
    if (cli_project_printed(call, p))
        goto done;
    if (!dscq_project_is_detector(p))
        DSCQ_TRY(cli_refuse_given(call, k_of_boxes, "the network finds no boxes", err));
    if (o->weights[0] == '\0' && o->packed[0] == '\0') {
        status = dscq_fail(err, DSCQ_ARG,
                           "what to evaluate? give --weights, --packed or "
                           "both");
        goto done;
    }
    if (o->baseline[0] != '\0' &&
        (o->packed[0] == '\0' || dscq_project_is_detector(p))) {
        status =
            dscq_fail(err, DSCQ_ARG, "--baseline: needs --packed, and a classifier");
        goto done;
    }
    if (o->weights[0] != '\0')
        DSCQ_TRY(dscq_project_load_weights(p, o->weights, call->log, err));
    if (o->packed[0] != '\0')
        DSCQ_TRY(dscq_pack_read(&q, o->packed, err));
    if (dscq_project_is_detector(p))
        DSCQ_TRY(cli__eval_boxes(call, o, p, q, &ro, err));
    else
        DSCQ_TRY(classes(call, o, p, q, &ro, err));
done:
    dscq_qmodel_destroy(q);
    dscq_project_destroy(p);
    return status;
}

const cli_cmd cli_cmd_eval = {
    .name = "eval",
    .group = CLI_MODEL,
    .synopsis = "NET.cfg",
    .summary = "measure accuracy, in float and in integers",
    .description =
        "Top-1 with its 95 % Wilson interval, top-5 and loss (mean average precision "
        "for "
        "a detector) on one part of the data of NET.cfg. With both --weights and "
        "--packed, or with --baseline, the two are compared on the same images: the "
        "difference with its 95 % interval, and McNemar's test. --predictions keeps "
        "what "
        "was predicted (packed, or else float), --against compares a later run of any "
        "network with it. A packed file's classes are matched with "
        "those of the data by name.",
    .examples = "Float and packed side by side:\n"
                "$ dscq eval data/nets/demo.cfg -w runs/demo/float.ckpt -p "
                "runs/demo/packed.bin --per-class\n"
                "Two networks on the same images:\n"
                "$ dscq eval data/nets/demo.cfg -w runs/demo/float.ckpt --predictions "
                "first.csv\n"
                "$ dscq eval data/nets/demo.cfg -w runs/other/float.ckpt --against "
                "first.csv\n",
    .takes = CLI_TAKES_TABLE | CLI_TAKES_CONFIG | CLI_TAKES_SEED | CLI_TAKES_THREADS |
             CLI_TAKES_PROGRESS,
    .min_args = 1,
    .max_args = 1,
    .operand_kinds = {DSCQ_KIND_NET},
    .options = k_options,
    .option_bytes = sizeof(eval_options),
    .run = run,
};
