/* What a run predicted, kept in a file, and a later run compared with it. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "eval.h"

#include <stdlib.h>
#include <string.h>

static const char k_head[] = "label,predicted,image\n";
static const size_t k_bytes_max = (size_t)1 << 30;

/* The image stands last: its name may hold commas. */
static void image_line(dscq_str *s, const dscq_eval *e, const dscq_dataset *d,
                       dscq_split split, size_t i)
{
    size_t n;
    char name[DSCQ_PATH_MAX];

    (void)dscq_dataset_origin(name, sizeof name, d, split, i);
    for (char *c = name; *c != '\0'; c++)
        if (*c == '\n' || *c == '\r')
            *c = '?';
    dscq_str_addf(s, "%d,%d,%s\n", (int)dscq_eval_labels(e, &n)[i],
                  (int)dscq_eval_predictions(e, &n)[i], name);
}

dscq_status cli__eval_write_predictions(cli_call *call, const char *path,
                                        const dscq_eval *e, const dscq_dataset *d,
                                        dscq_split split, dscq_error *err)
{
    dscq_str s = {0};
    size_t n;
    dscq_status status;

    (void)dscq_eval_predictions(e, &n);
    DSCQ_TRY(cli_check_overwrite(call, path, err));
    dscq_str_add(&s, k_head);
    for (size_t i = 0; i < n; i++)
        image_line(&s, e, d, split, i);
    if (s.bad)
        DSCQ_TRY(dscq_fail_nomem(err, "predictions", s.cap));
    DSCQ_TRY(dscq_file_write(path, s.text, s.len, err));
done:
    dscq_str_free(&s);
    return status;
}

/* "label,predicted,image" against image i; the prediction into *out. */
static int parse_line(int32_t *out, const char *line, size_t length, const dscq_eval *e,
                      const dscq_dataset *d, dscq_split split, size_t i)
{
    dscq_str want = {0};
    char *end;
    const long label = strtol(line, &end, 10);
    const long predicted = *end == ',' ? strtol(end + 1, &end, 10) : -2;
    int same;

    image_line(&want, e, d, split, i);
    const char *name = want.bad ? NULL : strchr(strchr(want.text, ',') + 1, ',');
    size_t n;
    same = name != NULL && *end == ',' && predicted >= 0 && predicted < 65536 &&
           label == dscq_eval_labels(e, &n)[i] &&
           (size_t)(line + length - end) == strlen(name) - 1 &&
           memcmp(end, name, strlen(name) - 1) == 0;
    *out = (int32_t)predicted;
    dscq_str_free(&want);
    return same;
}

static dscq_status read_baseline(int32_t *out, const char *text, const char *path,
                                 const dscq_eval *e, const dscq_dataset *d,
                                 dscq_split split, size_t n, dscq_error *err)
{
    const char *at = text + sizeof k_head - 1;

    if (strncmp(text, k_head, sizeof k_head - 1) != 0)
        return dscq_fail(err, DSCQ_FORMAT, "%s:1: want 'label,predicted,image'", path);
    for (size_t i = 0; i < n; i++) {
        const char *end = strchr(at, '\n');
        if (end == NULL || !parse_line(&out[i], at, (size_t)(end - at), e, d, split, i))
            return dscq_fail(
                err, DSCQ_FORMAT,
                "%s:%zu: not a prediction for image %zu of this split: the "
                "baseline must be of the same data",
                path, i + 2, i);
        at = end + 1;
    }
    if (*at != '\0')
        return dscq_fail(err, DSCQ_FORMAT, "%s: more than the %zu images of this split",
                         path, n);
    return DSCQ_OK;
}

void cli__eval_show_pair(cli_call *call, const eval_pair *p, const dscq_eval *e,
                         const int32_t *before, const int32_t *now)
{
    size_t n;
    const int32_t *label = dscq_eval_labels(e, &n);

    if (dscq_eval_count(e) == 0)
        return;
    const dscq_mcnemar t = dscq_mcnemar_test(before, now, label, n);
    const dscq_paired c = dscq_paired_change(t.only_a, t.only_b, dscq_eval_count(e));
    dscq_json *j = dscq_json_object();

    cli_out_text(call,
                 "%s less %s %+.2f (95 %%: %+.2f..%+.2f): %s only right %llu, %s only "
                 "right %llu, McNemar p = %.3g\n",
                 p->what, p->base, 100 * c.change, 100 * c.low, 100 * c.high,
                 p->base_short, (unsigned long long)t.only_a, p->what_short,
                 (unsigned long long)t.only_b, t.p);
    dscq_json_put_real(j, "change_frac", c.change);
    dscq_json_put_real(j, "change_low_frac", c.low);
    dscq_json_put_real(j, "change_high_frac", c.high);
    dscq_json_put_real(j, "mcnemar_p", t.p);
    cli_out_json(call, p->key, j);
    if (p->p_key != NULL)
        cli_out_real(call, p->p_key, t.p);
}

dscq_status cli__eval_against(cli_call *call, const char *path, const dscq_eval *e,
                              const dscq_dataset *d, dscq_split split, dscq_error *err)
{
    uint8_t *text = NULL;
    const char *start;
    int32_t *before = NULL;
    size_t bytes, n;
    const int32_t *now = dscq_eval_predictions(e, &n);
    dscq_status status;

    DSCQ_TRY(dscq_file_read(&text, &bytes, path, k_bytes_max, err));
    start = (const char *)text;
    DSCQ_TRY(dscq_text_begin(&start, &bytes, path, err));
    before = dscq_calloc(n + 1, sizeof *before);
    if (before == NULL) {
        status = dscq_fail_nomem(err, "a baseline", n * sizeof *before);
        goto done;
    }
    DSCQ_TRY(read_baseline(before, start, path, e, d, split, n, err));
    cli__eval_show_pair(call,
                        &(eval_pair){"this run", "this", "the earlier", "earlier",
                                     "against_predictions", NULL},
                        e, before, now);
done:
    dscq_free(before);
    dscq_free(text);
    return status;
}
