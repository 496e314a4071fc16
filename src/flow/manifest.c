#include "dscq/flow/manifest.h"

#include "dscq/base/alloc.h"
#include "dscq/base/hash.h"
#include "dscq/base/io.h"
#include "dscq/base/json.h"
#include "dscq/bo/linalg.h"
#include "dscq/nn/eval.h"
#include "flow_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void put_line(void *ctx, const char *line)
{
    if (line[0] != '#') /* origins name places of this machine */
        dscq_json_push_text(ctx, line);
}

static dscq_status put_file(dscq_json *files, const char *dir, const char *name,
                            dscq_error *err)
{
    char path[DSCQ_PATH_MAX], digest[65];
    dscq_status status;

    DSCQ_TRY(dscq_path_join(path, sizeof path, dir, name, err));
    if (!dscq_path_exists(path))
        return DSCQ_OK;
    DSCQ_TRY(dscq_sha256_file(digest, path, err));
    dscq_json_put_text(files, name, digest);
done:
    return status;
}

static void put_scores(dscq_json *run, const dscq_compress_result *r)
{
    if (r->has_truth) {
        dscq_json_put_real(run, "float_score_frac", r->float_score);
        dscq_json_put_real(run, "packed_score_frac", r->packed_score);
        dscq_json_put_real(run, "change_frac", r->packed_score - r->float_score);
    }
    if (r->has_truth && !isnan(r->mcnemar_p))
        dscq_json_put_real(run, "mcnemar_p", r->mcnemar_p);
    if (r->has_truth && !r->is_detector) {
        dscq_json_put_real(run, "change_low_frac", r->change.low);
        dscq_json_put_real(run, "change_high_frac", r->change.high);
    }
    if (!isnan(r->agreement))
        dscq_json_put_real(run, "agreement_frac", r->agreement);
    if (isfinite(r->sqnr_db))
        dscq_json_put_real(run, "sqnr_db", r->sqnr_db);
}

static dscq_status put_calibration(dscq_json *run, dscq_project *p, dscq_error *err)
{
    char digest[17];
    dscq_dataset *d;
    dscq_status status = DSCQ_OK;

    if (p->data.calibrate[0] == '\0')
        return DSCQ_OK;
    DSCQ_TRY(flow__calibration_data(&d, p, NULL, err));
    dscq_dataset_digest(digest, d);
    dscq_json_put_text(run, "calibration_digest", digest);
done:
    return status;
}

/* Who did it is said when the last digits of second-order rounding depend on it, and
 * a resumed run that had done it before says the same. */
static dscq_status put_linear_algebra(dscq_json *run, const dscq_project *p,
                                      dscq_error *err)
{
    const dscq_method *stage[DSCQ_STAGES];
    int32_t stages;
    dscq_status status;

    DSCQ_TRY(dscq_method_stages(stage, &stages, p->settings->all.method, err));
    if (stage[stages - 1]->post == NULL)
        return DSCQ_OK;
    DSCQ_TRY(dscq_linalg_begin(NULL, err));
    dscq_json_put_text(run, "linear_algebra", dscq_linalg_name());
done:
    return status;
}

dscq_status dscq_manifest_write(dscq_project *p, const dscq_compress_options *o,
                                const dscq_compress_result *r, dscq_error *err)
{
    char path[DSCQ_PATH_MAX], digest[17], *text = NULL;
    dscq_json *run = dscq_json_object(), *files = dscq_json_object(),
              *settings = dscq_json_array();
    dscq_dataset *d;
    dscq_status status = DSCQ_OK;

    if (o->run.out_dir[0] == '\0')
        goto done;
    dscq_json_put_text(run, "schema", "dscq.run/1");
    dscq_json_put_text(run, "version", DSCQ_VERSION);
    dscq_json_put_text(run, "kernels", dscq_kernels_get(o->run.kernels)->name);
    DSCQ_TRY(put_linear_algebra(run, p, err));
    dscq_json_put_text(run, "config", dscq_path_base(dscq_project_path(p)));
    dscq_json_put_text(run, "config_sha256", dscq_project_sha256(p));
    dscq_json_put_int(run, "seed", dscq_project_train(p)->seed);
    DSCQ_TRY(dscq_project_dataset(&d, p, NULL, err));
    dscq_dataset_digest(digest, d);
    dscq_json_put_text(run, "data_digest", digest);
    DSCQ_TRY(put_calibration(run, p, err));
    dscq_json_put_int(run, "float_bytes", (int64_t)r->float_bytes);
    dscq_json_put_int(run, "file_bytes", (int64_t)r->file_bytes);
    dscq_json_put_text(run, "split", r->split);
    dscq_json_put_int(run, "images", (int64_t)r->images);
    put_scores(run, r);
    dscq_json_put_real(run, "values_bytes", r->values_bytes);
    dscq_json_put_real(run, "entropy_bytes", r->entropy_bytes);
    dscq_project_print(p, put_line, settings);
    dscq_json_put(run, "settings", settings);
    settings = NULL;
    DSCQ_TRY(put_file(files, o->run.out_dir, "float.ckpt", err));
    if (flow__removes_channels(p->settings))
        DSCQ_TRY(put_file(files, o->run.out_dir, "small.ckpt", err));
    DSCQ_TRY(put_file(files, o->run.out_dir, "packed.bin", err));
    dscq_json_put(run, "sha256", files);
    files = NULL;
    DSCQ_TRY(dscq_json_dump(&text, run, err));
    DSCQ_TRY(dscq_path_join(path, sizeof path, o->run.out_dir, "run.json", err));
    DSCQ_TRY(dscq_file_write(path, text, strlen(text), err));
done:
    dscq_free(text);
    dscq_json_free(settings);
    dscq_json_free(files);
    dscq_json_free(run);
    return status;
}

static int is_of_file(const dscq_json *run, const char *name, const char *sha256)
{
    const dscq_json *files = dscq_json_get(run, "sha256");

    for (size_t i = 0; i < dscq_json_count(files); i++)
        if (strcmp(dscq_json_key(files, i), name) == 0)
            return strcmp(dscq_json_text(dscq_json_member(files, i), ""), sha256) == 0;
    return 0;
}

/* Only top-1 accuracies come with an interval of the change. */
static void take_accuracy(dscq_report_facts *f, const dscq_json *run)
{
    const int64_t images = dscq_json_int(dscq_json_get(run, "images"), 0);
    const double packed = dscq_json_real(dscq_json_get(run, "packed_score_frac"), -1);
    const double base = dscq_json_real(dscq_json_get(run, "float_score_frac"), -1);

    if (images <= 0 || !(packed >= 0 && packed <= 1) || !(base >= 0 && base <= 1) ||
        dscq_json_get(run, "change_low_frac") == NULL)
        return;
    f->accuracy_images = (uint64_t)images;
    f->float_top1_frac = base;
    f->packed_top1_frac = packed;
    f->mcnemar_p = dscq_json_real(dscq_json_get(run, "mcnemar_p"), (double)NAN);
    dscq_wilson((uint64_t)llround(packed * (double)images), (uint64_t)images, FLOW_Z95,
                &f->packed_low_frac, &f->packed_high_frac);
}

dscq_status dscq_manifest_accuracy(dscq_report_facts *f, const char *packed_path,
                                   const char *sha256, dscq_error *err)
{
    char dir[DSCQ_PATH_MAX], path[DSCQ_PATH_MAX];
    dscq_json *run = NULL;
    dscq_error why;

    dscq_path_dir(dir, sizeof dir, packed_path);
    if (dscq_path_join(path, sizeof path, dir, "run.json", &why) != DSCQ_OK ||
        !dscq_path_is_file(path))
        return DSCQ_OK;
    if (dscq_json_load(&run, path, &why) != DSCQ_OK)
        return why.code == DSCQ_NOMEM ? dscq_fail(err, DSCQ_NOMEM, "%s", why.msg)
                                      : DSCQ_OK;
    if (is_of_file(run, dscq_path_base(packed_path), sha256))
        take_accuracy(f, run);
    dscq_json_free(run);
    return DSCQ_OK;
}
