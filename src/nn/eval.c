#include "dscq/nn/eval.h"

#include "dscq/base/alloc.h"
#include "dscq/base/str.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct dscq_eval {
    int32_t classes;
    uint64_t *confusion;
    uint64_t count, top1, top5, unsound;
    double loss;
    int32_t *predicted, *label;
    size_t images, cap;
};

dscq_status dscq_eval_create(dscq_eval **out, int32_t classes, dscq_error *err)
{
    dscq_eval *e;

    *out = NULL;
    if (classes < 1 || classes > 65536)
        return dscq_fail(err, DSCQ_ARG, "%d classes: want 1 to 65536", (int)classes);
    e = dscq_calloc(1, sizeof *e);
    if (e != NULL)
        e->confusion = dscq_calloc((size_t)classes * (size_t)classes, sizeof(uint64_t));
    if (e == NULL || e->confusion == NULL) {
        dscq_eval_destroy(e);
        return dscq_fail_nomem(err, "an evaluation",
                               (size_t)classes * (size_t)classes * 8);
    }
    e->classes = classes;
    *out = e;
    return DSCQ_OK;
}

void dscq_eval_destroy(dscq_eval *e)
{
    if (e == NULL)
        return;
    dscq_free(e->confusion);
    dscq_free(e->predicted);
    dscq_free(e->label);
    dscq_free(e);
}

static dscq_status reserve(dscq_eval *e, size_t more, dscq_error *err)
{
    size_t cap = e->cap == 0 ? 1024 : e->cap;

    while (cap < e->images + more)
        cap *= 2;
    if (cap == e->cap)
        return DSCQ_OK;
    int32_t *p = dscq_realloc(e->predicted, e->cap * 4, cap * 4);
    if (p != NULL)
        e->predicted = p;
    int32_t *l = p != NULL ? dscq_realloc(e->label, e->cap * 4, cap * 4) : NULL;
    if (l == NULL)
        return dscq_fail_nomem(err, "predictions", cap * 4);
    e->label = l;
    e->cap = cap;
    return DSCQ_OK;
}

/* How many classes come before the true one: higher score, or equal and lower. */
static int32_t rank_of(const float *v, int32_t classes, int32_t label)
{
    int32_t rank = 0;

    for (int32_t c = 0; c < classes; c++)
        rank += v[c] > v[label] || (v[c] == v[label] && c < label);
    return rank;
}

static int32_t best_of(const float *v, int32_t classes)
{
    int32_t best = 0;

    for (int32_t c = 1; c < classes; c++)
        if (v[c] > v[best])
            best = c;
    return best;
}

static int is_sound(const float *v, int32_t classes)
{
    for (int32_t c = 0; c < classes; c++)
        if (!isfinite(v[c]))
            return 0;
    return 1;
}

static double cross_entropy(const float *v, int32_t classes, int32_t label)
{
    double top = (double)v[0], sum = 0;

    for (int32_t c = 1; c < classes; c++)
        top = fmax(top, (double)v[c]);
    for (int32_t c = 0; c < classes; c++)
        sum += exp((double)v[c] - top);
    return log(sum) + top - (double)v[label];
}

dscq_status dscq_eval_add(dscq_eval *e, const float *logits, const int32_t *label,
                          int32_t n, dscq_error *err)
{
    for (int32_t i = 0; i < n; i++)
        if (label[i] < -1 || label[i] >= e->classes)
            return dscq_fail(err, DSCQ_FORMAT, "label %d: there are %d classes",
                             (int)label[i], (int)e->classes);
    const dscq_status status = reserve(e, (size_t)n, err);
    if (status != DSCQ_OK)
        return status;
    for (int32_t i = 0; i < n; i++) {
        const float *v = logits + (size_t)i * (size_t)e->classes;
        const int32_t best = best_of(v, e->classes);
        e->predicted[e->images] = best;
        e->label[e->images++] = label[i];
        if (label[i] < 0)
            continue;
        e->count++;
        e->confusion[(size_t)label[i] * (size_t)e->classes + (size_t)best]++;
        if (!is_sound(v, e->classes)) { /* NaN is smaller than nothing: no rank */
            e->unsound++;
            continue;
        }
        const int32_t rank = rank_of(v, e->classes, label[i]);
        e->top1 += best == label[i];
        e->top5 += rank < 5;
        e->loss += cross_entropy(v, e->classes, label[i]);
    }
    return DSCQ_OK;
}

uint64_t dscq_eval_count(const dscq_eval *e)
{
    return e->count;
}

uint64_t dscq_eval_unsound(const dscq_eval *e)
{
    return e->unsound;
}

uint64_t dscq_eval_top1(const dscq_eval *e)
{
    return e->top1;
}

uint64_t dscq_eval_top5(const dscq_eval *e)
{
    return e->top5;
}

static double share(uint64_t part, uint64_t all)
{
    return all > 0 ? (double)part / (double)all : 0;
}

double dscq_eval_top1_frac(const dscq_eval *e)
{
    return share(e->top1, e->count);
}

double dscq_eval_top5_frac(const dscq_eval *e)
{
    return share(e->top5, e->count);
}

double dscq_eval_loss(const dscq_eval *e)
{
    const uint64_t sound = e->count - e->unsound;

    return sound > 0 ? e->loss / (double)sound : 0;
}

const uint64_t *dscq_eval_confusion(const dscq_eval *e, int32_t *classes)
{
    *classes = e->classes;
    return e->confusion;
}

const int32_t *dscq_eval_predictions(const dscq_eval *e, size_t *count_out)
{
    *count_out = e->images;
    return e->predicted;
}

const int32_t *dscq_eval_labels(const dscq_eval *e, size_t *count_out)
{
    *count_out = e->images;
    return e->label;
}

static void class_name(char *out, size_t cap, const char *const *names, int32_t c)
{
    if (names != NULL && names[c] != NULL)
        snprintf(out, cap, "%s", names[c]);
    else
        snprintf(out, cap, "%d", (int)c);
}

static const dscq_column k_class_columns[] = {
    DSCQ_INT_COLUMN("class", ""),
    DSCQ_TEXT_COLUMN("name", ""),
    DSCQ_INT_COLUMN("images", ""),
    DSCQ_INT_COLUMN("correct", ""),
    DSCQ_REAL_COLUMN("recall_frac", "recall", 4),
    DSCQ_REAL_COLUMN("precision_frac", "precision", 4),
    DSCQ_REAL_COLUMN("f1_frac", "F1", 4),
    DSCQ_COLUMN_END};

static void class_row(dscq_table *t, const dscq_eval *e, int32_t c,
                      const char *const *names)
{
    const size_t k = (size_t)e->classes, i = (size_t)c;
    uint64_t truth = 0, said = 0;
    const uint64_t right = e->confusion[i * k + i];
    char name[128];

    for (size_t j = 0; j < k; j++) {
        truth += e->confusion[i * k + j];
        said += e->confusion[j * k + i];
    }
    class_name(name, sizeof name, names, c);
    DSCQ_TABLE_ROW(t, dscq_int(c), dscq_text(name), dscq_int((int64_t)truth),
                   dscq_int((int64_t)right), dscq_real(share(right, truth)),
                   dscq_real(share(right, said)),
                   dscq_real(share(2 * right, truth + said)));
}

dscq_status dscq_eval_per_class(dscq_table **out, const dscq_eval *e,
                                const char *const *names, dscq_error *err)
{
    const dscq_status status = dscq_table_create(out, "classes", k_class_columns, err);

    if (status != DSCQ_OK)
        return status;
    for (int32_t c = 0; c < e->classes; c++)
        class_row(*out, e, c, names);
    return dscq_table_finish(out, err);
}

dscq_status dscq_eval_confusion_table(dscq_table **out, const dscq_eval *e,
                                      const char *const *names, dscq_error *err)
{
    const size_t k = (size_t)e->classes;
    dscq_column *column = dscq_calloc(k + 2, sizeof *column);
    dscq_cell *cell = dscq_calloc(k + 1, sizeof *cell);
    char name[128];
    dscq_status status = DSCQ_OK;

    *out = NULL;
    if (column == NULL || cell == NULL)
        DSCQ_TRY(dscq_fail_nomem(err, "table", k * sizeof *column));
    column[0] = (dscq_column)DSCQ_TEXT_COLUMN("truth", "");
    for (size_t c = 0; c < k; c++) {
        class_name(name, sizeof name, names, (int32_t)c);
        column[c + 1].type = DSCQ_CELL_INT;
        (void)snprintf(column[c + 1].key, sizeof column->key, "predicted_%d", (int)c);
        (void)dscq_str_copy(column[c + 1].head, sizeof column->head, name);
    }
    DSCQ_TRY(dscq_table_create(out, "confusion", column, err));
    for (size_t c = 0; c < k; c++) {
        class_name(name, sizeof name, names, (int32_t)c);
        cell[0] = dscq_text(name);
        for (size_t j = 0; j < k; j++)
            cell[j + 1] = dscq_int((int64_t)e->confusion[c * k + j]);
        dscq_table_add(*out, cell, k + 1);
    }
    status = dscq_table_finish(out, err);
done:
    dscq_free(column);
    dscq_free(cell);
    return status;
}

void dscq_wilson(uint64_t good, uint64_t total, double z, double *lo, double *hi)
{
    *lo = 0;
    *hi = 1;
    if (total == 0)
        return;
    const double n = (double)total, p = (double)good / n, zz = z * z;
    const double centre = (p + zz / (2 * n)) / (1 + zz / n);
    const double half = z / (1 + zz / n) * sqrt(p * (1 - p) / n + zz / (4 * n * n));

    *lo = fmax(0, centre - half);
    *hi = fmin(1, centre + half);
}

/* P(X <= k) for X ~ binomial(n, 1/2), in logarithms so that n may be large. */
static double binomial_tail(uint64_t k, uint64_t n)
{
    double sum = 0;

    for (uint64_t i = 0; i <= k; i++)
        sum += exp(lgamma((double)n + 1) - lgamma((double)i + 1) -
                   lgamma((double)(n - i) + 1) - (double)n * log(2.0));
    return sum;
}

dscq_mcnemar dscq_mcnemar_test(const int32_t *a, const int32_t *b, const int32_t *label,
                               size_t n)
{
    dscq_mcnemar m = {.p = 1};

    for (size_t i = 0; i < n; i++) {
        const int right_a = a[i] == label[i], right_b = b[i] == label[i];
        if (label[i] < 0)
            continue;
        m.both += right_a && right_b;
        m.only_a += right_a && !right_b;
        m.only_b += !right_a && right_b;
        m.neither += !right_a && !right_b;
    }
    const uint64_t discordant = m.only_a + m.only_b;
    const uint64_t fewer = m.only_a < m.only_b ? m.only_a : m.only_b;
    m.exact = discordant < 25;
    if (discordant == 0)
        return m;
    if (m.exact) {
        m.p = fmin(1, 2 * binomial_tail(fewer, discordant));
        return m;
    }
    const double d = fabs((double)m.only_a - (double)m.only_b) - 1;
    m.statistic = d > 0 ? d * d / (double)discordant : 0;
    m.p = erfc(sqrt(m.statistic / 2)); /* chi-square, one degree of freedom */
    return m;
}

dscq_paired dscq_paired_change(uint64_t lost, uint64_t gained, uint64_t n)
{
    const double all = (double)n, d = (double)gained - (double)lost;
    const double var =
        ((double)lost + (double)gained + 1.0 - d * d / all) / (all * all);
    const double half = 1.96 * sqrt(var > 0.0 ? var : 0.0);

    return (dscq_paired){d / all, d / all - half, d / all + half};
}
