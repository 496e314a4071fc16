/*
 * onnx_conformance DIR: every model.onnx below DIR that has a test_data_set_* beside it
 * is evaluated operator by operator, and, where a network can be made of it, by the
 * network as well; both must give the expected outputs. Prints how many matched, were
 * refused, and failed; lists the failed (with -v the refused too). Exit 0: none failed.
 */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/nn/exec.h"
#include "dscq/onnx/onnx.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PORTS = 64, PATH_BYTES = 4096 };

typedef struct counts {
    int models, matched, by_network, refused, failed;
    int verbose;
} counts;

typedef enum verdict { MATCHED, REFUSED, FAILED } verdict;

typedef struct sample {
    dscq_onnx_tensor *in[PORTS], *want[PORTS];
    int32_t inputs, outputs;
} sample;

static void clear(sample *s)
{
    for (int i = 0; i < PORTS; i++) {
        dscq_onnx_tensor_free(s->in[i]);
        dscq_onnx_tensor_free(s->want[i]);
    }
    memset(s, 0, sizeof *s);
}

static dscq_status file_in(char *path, const char *dir, const char *what, int32_t i,
                           dscq_error *err)
{
    const int n = snprintf(path, PATH_BYTES, "%s/%s_%d.pb", dir, what, (int)i);
    return n > 0 && n < PATH_BYTES ? DSCQ_OK
                                   : dscq_fail(err, DSCQ_ARG, "%s: path too long", dir);
}

static dscq_status load(sample *s, const dscq_onnx *f, const char *dir, dscq_error *err)
{
    char path[PATH_BYTES];
    dscq_status status = DSCQ_OK;

    s->inputs = dscq_onnx_inputs(f);
    s->outputs = dscq_onnx_outputs(f);
    if (s->inputs > PORTS || s->outputs > PORTS)
        return dscq_fail(err, DSCQ_UNSUPPORTED, "more than %d ports", (int)PORTS);
    for (int32_t i = 0; i < s->inputs && status == DSCQ_OK; i++) {
        status = file_in(path, dir, "input", i, err);
        if (status != DSCQ_OK)
            break;
        status = dscq_onnx_tensor_load(&s->in[i], path, err);
    }
    for (int32_t i = 0; i < s->outputs && status == DSCQ_OK; i++) {
        status = file_in(path, dir, "output", i, err);
        if (status != DSCQ_OK)
            break;
        status = dscq_onnx_tensor_load(&s->want[i], path, err);
    }
    return status;
}

/* Relative 1e-3 and absolute 1e-7, as the backend tests of ONNX do; integers: equal,
 * but for one step where a quotient may round either way. */
static int is_near(const dscq_onnx_tensor *got, const dscq_onnx_tensor *want)
{
    if (got->type != want->type || got->rank != want->rank ||
        memcmp(got->dim, want->dim, (size_t)want->rank * sizeof want->dim[0]) != 0)
        return 0;
    for (size_t i = 0; i < want->count; i++) {
        const double a = got->v[i], b = want->v[i];
        if (a == b || (isnan(a) && isnan(b)))
            continue;
        if (!(fabs(a - b) <= 1e-7 + 1e-3 * fabs(b)))
            return 0;
    }
    return 1;
}

static verdict evaluate(dscq_onnx *f, const sample *s, dscq_error *err)
{
    const dscq_onnx_tensor *got[PORTS] = {NULL};
    const dscq_status status = dscq_onnx_run(
        got, NULL, f, (const dscq_onnx_tensor *const *)s->in, s->inputs, err);

    if (status == DSCQ_UNSUPPORTED)
        return REFUSED;
    if (status != DSCQ_OK)
        return FAILED;
    for (int32_t i = 0; i < s->outputs; i++)
        if (!is_near(got[i], s->want[i])) {
            (void)dscq_fail(err, DSCQ_MISMATCH, "output %d differs", (int)i);
            return FAILED;
        }
    return MATCHED;
}

/* Network outputs are float: the bound is that of one float pass. */
static int network_output(const dscq_onnx *f, const dscq_model *m, dscq_exec *e,
                          const sample *s, int32_t i, int64_t image, int64_t images)
{
    const float *y[PORTS];
    const size_t per = s->want[i]->count / (size_t)images;
    float *to = dscq_malloc(per, sizeof *to);
    double most = 0;
    int ok = to != NULL && per * (size_t)images == s->want[i]->count;
    size_t have = 0;

    for (int32_t j = 0; j < dscq_model_outputs(m) && j < PORTS; j++)
        y[j] = dscq_exec_output(e, j, NULL);
    const dscq_onnx_output *o = dscq_onnx_model_output(f, i);
    for (int32_t p = 0; p < o->count; p++)
        have += dscq_shape_count(
            &dscq_model_node(m, dscq_model_output(m, o->part[p]))->out);
    ok = ok && have == per;
    if (ok)
        dscq_onnx_collect(to, f, m, i, y);
    for (size_t k = 0; ok && k < per; k++)
        most = fmax(most, fabs(s->want[i]->v[(size_t)image * per + k]));
    for (size_t k = 0; ok && k < per; k++) {
        const double want = s->want[i]->v[(size_t)image * per + k];
        ok = fabs((double)to[k] - want) <= 1e-6 + 1e-3 * fabs(want) + 1e-5 * most;
    }
    dscq_free(to);
    return ok;
}

static verdict run_network(dscq_onnx *f, const sample *s, dscq_error *err)
{
    dscq_model *m = NULL;
    dscq_exec *e = NULL;
    float *x = NULL;
    verdict v = REFUSED;

    if (dscq_onnx_to_model(&m, NULL, f, err) != DSCQ_OK)
        return REFUSED;
    const dscq_shape in = dscq_model_input(m);
    const size_t map = (size_t)in.h * (size_t)in.w, c = (size_t)in.c;
    const dscq_exec_options o = {.batch = 1};
    const int64_t images = s->in[0]->rank > 0 ? s->in[0]->dim[0] : 0;
    if (images < 1 || s->in[0]->type != DSCQ_ONNX_FLOAT ||
        s->in[0]->count != (size_t)images * map * c || s->in[0]->rank == 3 ||
        dscq_model_outputs(m) > PORTS ||
        (s->in[0]->rank == 4 && s->in[0]->dim[1] != in.c))
        goto done;
    x = dscq_malloc(map * c, sizeof *x);
    if (x == NULL || dscq_exec_create(&e, m, &o, err) != DSCQ_OK)
        goto done;
    v = MATCHED;
    for (int64_t n = 0; n < images && v == MATCHED; n++) {
        for (size_t k = 0; k < c; k++)
            for (size_t p = 0; p < map; p++)
                x[p * c + k] = (float)s->in[0]->v[((size_t)n * c + k) * map + p];
        dscq_exec_forward(e, DSCQ_PASS_EVAL, x, 1, NULL);
        for (int32_t i = 0; i < s->outputs && v == MATCHED; i++)
            if (!network_output(f, m, e, s, i, n, images)) {
                (void)dscq_fail(err, DSCQ_MISMATCH, "network: output %d differs",
                                (int)i);
                v = FAILED;
            }
    }
done:
    dscq_exec_destroy(e);
    dscq_free(x);
    dscq_model_destroy(m);
    return v;
}

static void try_model(counts *n, const char *dir)
{
    char path[PATH_BYTES];
    dscq_error err = {0};
    dscq_onnx *f = NULL;
    sample s = {0};
    verdict v = MATCHED, net = REFUSED;

    n->models++;
    snprintf(path, sizeof path, "%s/model.onnx", dir);
    dscq_status status = dscq_onnx_load(&f, path, &err);
    for (int k = 0; status == DSCQ_OK && v == MATCHED; k++) {
        snprintf(path, sizeof path, "%s/test_data_set_%d", dir, k);
        if (!dscq_path_is_dir(path)) {
            if (k == 0)
                status = dscq_fail(&err, DSCQ_UNSUPPORTED, "no test data");
            break;
        }
        status = load(&s, f, path, &err);
        if (status == DSCQ_OK)
            v = evaluate(f, &s, &err);
        if (status == DSCQ_OK && v == MATCHED) {
            dscq_error net_err = {0};
            net = run_network(f, &s, &net_err);
            if (net == FAILED) {
                err = net_err;
                v = FAILED;
            }
        }
        clear(&s);
    }
    if (status != DSCQ_OK)
        v = status == DSCQ_UNSUPPORTED ? REFUSED : FAILED;
    n->matched += v == MATCHED;
    n->by_network += v == MATCHED && net == MATCHED;
    n->refused += v == REFUSED;
    n->failed += v == FAILED;
    if (v == FAILED || (v == REFUSED && n->verbose))
        printf("%s %s: %s\n", v == FAILED ? "FAILED " : "refused", dir, err.msg);
    clear(&s);
    dscq_onnx_close(f);
}

static dscq_status walk(counts *n, const char *dir, int depth, dscq_error *err)
{
    char path[PATH_BYTES];
    dscq_dir list;
    dscq_status status = dscq_dir_list(&list, dir, err);

    if (status != DSCQ_OK)
        return status;
    for (size_t i = 0; i < list.count && status == DSCQ_OK; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, list.name[i]);
        if (strcmp(list.name[i], "model.onnx") == 0)
            try_model(n, dir);
        else if (depth < 6 && dscq_path_is_dir(path))
            status = walk(n, path, depth + 1, err);
    }
    dscq_dir_free(&list);
    return status;
}

int main(int argc, char **argv)
{
    counts n = {.verbose = argc == 3 && strcmp(argv[1], "-v") == 0};
    dscq_error err = {0};

    if (argc != 2 && !n.verbose) {
        fprintf(stderr, "usage: onnx_conformance [-v] DIR\n");
        return dscq_status_exit_code(DSCQ_ARG);
    }
    const dscq_status status = walk(&n, argv[argc - 1], 0, &err);
    if (status != DSCQ_OK || n.models == 0) {
        fprintf(stderr, "onnx_conformance: %s\n",
                status != DSCQ_OK ? err.msg : "no model.onnx below this folder");
        return dscq_status_exit_code(status != DSCQ_OK ? status : DSCQ_IO);
    }
    printf(
        "%d models: %d matched (%d of them as networks too), %d refused, %d failed\n",
        n.models, n.matched, n.by_network, n.refused, n.failed);
    return n.failed == 0 ? 0 : dscq_status_exit_code(DSCQ_MISMATCH);
}
