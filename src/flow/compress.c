#include "dscq/flow/compress.h"

#include "dscq/base/alloc.h"
#include "dscq/base/hash.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/infer/verify.h"
#include "dscq/nn/checkpoint.h"
#include "dscq/pack/pack.h"
#include "dscq/report/writers.h"
#include "flow_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { EMBEDDED_INPUTS = 2 };

/* ---- the float network --------------------------------------------------------- */

static dscq_status train_or_take_over(dscq_train_result *out, dscq_project *p,
                                      const dscq_run_options *o, dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    dscq_status status;

    if (o->out_dir[0] != '\0' && o->resume) {
        DSCQ_TRY(
            dscq_flow_begin(p, o, DSCQ_FLOW_TRAINED, NULL, err)); /* made with these? */
        if (flow__float_is_done(o->out_dir)) {
            DSCQ_TRY(dscq_path_join(path, sizeof path, o->out_dir, "float.ckpt", err));
            dscq_log_printf(o->log, DSCQ_LOG_INFO, "%s: float network taken over",
                            path);
            return dscq_model_load(dscq_project_model(p), path, DSCQ_MATCH_EXACT, NULL,
                                   err);
        }
    }
    DSCQ_TRY(dscq_flow_train(out, p, o, err));
done:
    return status;
}

dscq_status dscq_flow_float_network(dscq_train_result *out, dscq_project *p,
                                    const dscq_run_options *o, int is_tuned,
                                    dscq_error *err)
{
    if (o->weights != NULL && is_tuned)
        return flow__tuned_weights(p, o->weights, o->log, err);
    if (o->weights != NULL)
        return dscq_project_load_weights(p, o->weights, o->log, err);
    if (o->as_is)
        return DSCQ_OK;
    if (dscq_project_train(p)->epochs == 0) {
        dscq_log_printf(
            o->log, DSCQ_LOG_WARN,
            "[train] epochs = 0 and no --weights: compressing fresh weights");
        return DSCQ_OK;
    }
    return train_or_take_over(out, p, o, err);
}

/* ---- measuring ------------------------------------------------------------------- */

typedef struct scores {
    dscq_eval *eval; /* classifiers */
    double value;
} scores;

static dscq_status score_float(scores *s, dscq_project *p, dscq_split split,
                               const dscq_run_options *o, dscq_error *err)
{
    dscq_status status;

    if (dscq_project_is_detector(p))
        return dscq_flow_eval_boxes(&s->value, NULL, p, split, DSCQ_AP_AREA, o, err);
    DSCQ_TRY(dscq_flow_eval(&s->eval, p, split, o, err));
    s->value = dscq_eval_top1_frac(s->eval);
done:
    return status;
}

static dscq_status score_packed(scores *s, dscq_project *p, const dscq_qmodel *q,
                                dscq_split split, const dscq_run_options *o,
                                dscq_error *err)
{
    dscq_status status;

    if (dscq_project_is_detector(p))
        return dscq_flow_eval_packed_boxes(&s->value, NULL, p, q, split, DSCQ_AP_AREA,
                                           o, err);
    DSCQ_TRY(dscq_flow_eval_packed(&s->eval, p, q, split, o, err));
    s->value = dscq_eval_top1_frac(s->eval);
done:
    return status;
}

static void compare(dscq_compress_result *out, const scores *before,
                    const scores *after)
{
    size_t n = 0, m = 0, same = 0;

    out->float_score = before->value;
    out->packed_score = after->value;
    out->mcnemar_p = (double)NAN;
    if (after->eval == NULL)
        return;
    out->images = dscq_eval_count(after->eval);
    dscq_wilson(dscq_eval_top1(after->eval), out->images, FLOW_Z95, &out->packed_low,
                &out->packed_high);
    const int32_t *a = dscq_eval_predictions(before->eval, &n);
    const int32_t *b = dscq_eval_predictions(after->eval, &m);
    const int32_t *label = dscq_eval_labels(after->eval, &m);
    if (n != m || out->images == 0)
        return;
    const dscq_mcnemar t = dscq_mcnemar_test(a, b, label, n);
    for (size_t i = 0; i < n; i++)
        same += a[i] == b[i];
    out->agreement = n > 0 ? (double)same / (double)n : (double)NAN;
    out->mcnemar_p = t.p;
    out->change = dscq_paired_change(t.only_a, t.only_b, out->images);
}

/* Without labels: how near the packed network is to the float one. */
static dscq_status compare_outputs(dscq_compress_result *out, dscq_project *p,
                                   dscq_model *origin, const dscq_qmodel *q,
                                   dscq_split split, const dscq_run_options *o,
                                   dscq_error *err)
{
    flow_agreement a;
    dscq_status status;

    DSCQ_TRY(flow__agree(&a, p, origin, q, split, o, err));
    out->images = a.images;
    out->sqnr_db = a.sqnr_db;
    if (!a.has_top1 || a.images == 0)
        return DSCQ_OK;
    out->agreement = (double)a.same / (double)a.images;
    dscq_wilson(a.same, a.images, FLOW_Z95, &out->packed_low, &out->packed_high);
done:
    return status;
}

/* ---- writing --------------------------------------------------------------------- */

static void add_score(dscq_str *meta, const char *key, double score)
{
    char text[40];

    if (isnan(score))
        return;
    dscq_str_real(text, sizeof text, score);
    dscq_str_addf(meta, "%s=%s\n", key, text);
}

static dscq_status make_meta(dscq_str *meta, dscq_project *p, dscq_dataset *d,
                             double valid_float, double valid_tuned, dscq_error *err)
{
    char digest[17], text[40];

    dscq_dataset_digest(digest, d);
    dscq_str_addf(meta, "method=%s\n", p->settings->all.method);
    dscq_str_addf(meta, "config_sha256=%s\n", p->sha256);
    dscq_str_addf(meta, "data_digest=%s\n", digest);
    dscq_str_addf(meta, "seed=%lld\n", (long long)p->train.seed);
    add_score(meta, "valid_float_frac", valid_float);
    add_score(meta, "valid_tuned_frac", valid_tuned);
    if (dscq_dataset_preproc(d)->resize == DSCQ_RESIZE_CROP) {
        dscq_str_real(text, sizeof text, (double)dscq_dataset_preproc(d)->crop_frac);
        dscq_str_addf(meta, "crop_frac=%s\n", text);
    }
    dscq_str_addf(meta, "writer=dscq %s\n", DSCQ_VERSION);
    return meta->bad ? dscq_fail_nomem(err, "the meta data", meta->cap) : DSCQ_OK;
}

static dscq_status write_packed(dscq_compress_result *out, const dscq_qmodel *q,
                                const dscq_compress_options *o, dscq_error *err)
{
    dscq_pack_options po;
    uint8_t *data = NULL;
    size_t bytes;
    dscq_status status;

    DSCQ_TRY(
        dscq_pack_options_parse(&po, o->profile != NULL ? o->profile : "machine", err));
    DSCQ_TRY(dscq_pack_encode(&data, &bytes, q, &po, err));
    DSCQ_TRY(dscq_pack_trace(q, &po, o->run.log, err));
    out->file_bytes = bytes;
    out->float_bytes = q->float_bytes;
    dscq_sha256_hex(out->sha256, data, bytes);
    if (o->packed != NULL)
        (void)dscq_str_copy(out->packed_path, sizeof out->packed_path, o->packed);
    else if (o->run.out_dir[0] != '\0')
        DSCQ_TRY(dscq_path_join(out->packed_path, sizeof out->packed_path,
                                o->run.out_dir, "packed.bin", err));
    if (out->packed_path[0] != '\0')
        DSCQ_TRY(dscq_file_write(out->packed_path, data, bytes, err));
    if (o->data != NULL) {
        *o->data = data;
        *o->data_bytes = bytes;
        data = NULL;
    }
done:
    dscq_free(data);
    return status;
}

static dscq_status write_layers(const dscq_table *layers, const char *dir,
                                dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    dscq_str text = {0};
    dscq_status status;

    DSCQ_TRY(dscq_write_csv(&text, layers, err));
    DSCQ_TRY(dscq_path_join(path, sizeof path, dir, "layers.csv", err));
    DSCQ_TRY(dscq_file_write(path, text.text, text.len, err));
done:
    dscq_str_free(&text);
    return status;
}

/* ---- the pipeline ---------------------------------------------------------------- */

/* Everything between the float network and the packed bytes. */
static dscq_status tune_and_pack(dscq_compress_result *out, dscq_qmodel **q,
                                 dscq_table **layers, dscq_project *p,
                                 const dscq_compress_options *o, dscq_error *err)
{
    const dscq_run_options *run = &o->run;
    dscq_pool *pool = NULL;
    const dscq_kernels *kernels;
    flow_tune tune = {0};
    dscq_dataset *d;
    dscq_str meta = {0};
    dscq_status status;

    DSCQ_TRY(dscq_flow_pool(&pool, &kernels, run, err));
    DSCQ_TRY(dscq_project_dataset(&d, p, run->log, err));
    DSCQ_TRY(flow__tune_init(&tune, p, pool, kernels, run->out_dir, run->log, err));
    dscq_compressor_use(tune.compressor, 0);
    if (out->has_truth)
        DSCQ_TRY(flow__score_run(&out->valid_float, &tune.score, err));
    dscq_compressor_use(tune.compressor, 1);
    DSCQ_TRY(flow__tune_run(&tune, run->resume, out->valid_float, err));
    if (out->has_truth)
        out->valid_tuned = tune.final_score;
    out->sparsity = dscq_compressor_sparsity(tune.compressor);
    DSCQ_TRY(dscq_compressor_table(layers, tune.compressor, err));
    DSCQ_TRY(dscq_compressor_sizes(&out->values_bytes, &out->entropy_bytes,
                                   tune.compressor, err));
    DSCQ_TRY(make_meta(&meta, p, d, out->valid_float, out->valid_tuned, err));
    const dscq_flow_parts parts = {.model = dscq_project_model(p),
                                   .compressor = tune.compressor,
                                   .edge = tune.edge,
                                   .preproc = dscq_dataset_preproc(d),
                                   .dataset = d,
                                   .class_count = dscq_dataset_classes(d),
                                   .logit_bits = p->settings->all.logit_b,
                                   .meta = meta.text,
                                   .log = tune.log};
    DSCQ_TRY(dscq_flow_assemble(q, &parts, err));
    (*q)->float_bytes = dscq_model_float_bytes(flow__trained(p));
    DSCQ_TRY(dscq_infer_make_digests(*q, EMBEDDED_INPUTS, NULL, err));
done:
    flow__tune_clear(&tune);
    dscq_str_free(&meta);
    dscq_pool_destroy(pool);
    return status;
}

/* What the packed network is measured on. */
static dscq_split measured_part(const dscq_dataset *d, const dscq_compress_options *o)
{
    if (!o->no_test && dscq_dataset_has_test(d))
        return DSCQ_SPLIT_TEST;
    if (dscq_dataset_count(d, DSCQ_SPLIT_VALID) > 0)
        return DSCQ_SPLIT_VALID;
    if (dscq_dataset_classes(d) > 0)
        dscq_log_printf(o->run.log, DSCQ_LOG_WARN,
                        "neither a test nor a validation part: the scores are of the "
                        "training pictures, and flatter");
    return DSCQ_SPLIT_TRAIN;
}

static dscq_status begin(dscq_project *p, const dscq_compress_options *o,
                         dscq_error *err)
{
    char profile[80];
    dscq_status status;

    (void)snprintf(profile, sizeof profile, "--profile=%.60s\n",
                   o->profile != NULL ? o->profile : "machine");
    DSCQ_TRY(dscq_flow_begin_float(p, &o->run, err));
    DSCQ_TRY(dscq_flow_begin(p, &o->run, DSCQ_FLOW_COMPRESSED, profile, err));
done:
    return status;
}

dscq_status dscq_flow_compress(dscq_compress_result *out, dscq_table **layers,
                               dscq_project *p, const dscq_compress_options *o,
                               dscq_error *err)
{
    scores before = {0}, after = {0};
    dscq_table *table = NULL;
    dscq_qmodel *q = NULL;
    dscq_model *origin = NULL;
    dscq_dataset *d;
    dscq_status status;

    memset(out, 0, sizeof *out);
    out->agreement = out->sqnr_db = out->valid_float = out->valid_tuned = (double)NAN;
    if (layers != NULL)
        *layers = NULL;
    out->is_detector = dscq_project_is_detector(p);
    DSCQ_TRY(begin(p, o, err));
    DSCQ_TRY(dscq_project_dataset(&d, p, o->run.log, err));
    out->has_truth = flow__has_truth(p, d);
    DSCQ_TRY(dscq_flow_float_network(&out->train, p, &o->run,
                                     p->settings->all.epochs > 0, err));
    if (!o->is_part) {
        DSCQ_TRY(dscq_flow_keep_float(p, &o->run, DSCQ_FLOW_COMPRESSED, err));
        DSCQ_TRY(dscq_flow_write_net_cfg(p, &o->run, err));
    }
    const dscq_split split = measured_part(d, o);
    out->split = dscq_split_name(split);
    /* Scored here because fine-tuning changes the weights; only printed at the end. */
    if (out->has_truth)
        DSCQ_TRY(score_float(&before, p, split, &o->run, err));
    else
        DSCQ_TRY(dscq_model_clone(&origin, dscq_project_model(p), err));
    DSCQ_TRY(flow__reshape(p, &o->run, err));
    DSCQ_TRY(tune_and_pack(out, &q, &table, p, o, err));
    DSCQ_TRY(write_packed(out, q, o, err));
    if (out->has_truth) {
        DSCQ_TRY(score_packed(&after, p, q, split, &o->run, err));
        compare(out, &before, &after);
    } else {
        DSCQ_TRY(compare_outputs(out, p, origin, q, split, &o->run, err));
    }
    if (o->run.out_dir[0] != '\0')
        DSCQ_TRY(write_layers(table, o->run.out_dir, err));
    if (layers != NULL) {
        *layers = table;
        table = NULL;
    }
done:
    flow__reshape_undo(p);
    dscq_table_destroy(table);
    dscq_qmodel_destroy(q);
    dscq_model_destroy(origin);
    dscq_eval_destroy(before.eval);
    dscq_eval_destroy(after.eval);
    return status;
}
