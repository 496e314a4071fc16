#include "qmodel_vector.h"

#include "dscq/base/alloc.h"
#include "dscq/base/json.h"
#include "dscq/base/str.h"

#include <stdio.h>
#include <string.h>

static int32_t number(const dscq_json *j, const char *key)
{
    return (int32_t)dscq_json_int(dscq_json_get(j, key), 0);
}

static void *codes(const dscq_qtensor *t, const dscq_json *q)
{
    void *data = dscq_calloc(dscq_qtensor_bytes(t), 1);

    for (size_t i = 0; data != NULL && i < dscq_qtensor_count(t); i++)
        dscq_qtensor_put(t, data, i, (int32_t)dscq_json_int(dscq_json_at(q, i), 0));
    return data;
}

static void read_tensor(dscq_qtensor *t, const dscq_json *j, int index)
{
    (void)snprintf(t->name, sizeof t->name, "t%d", index);
    t->h = number(j, "h");
    t->w = number(j, "w");
    t->c = number(j, "c");
    t->bits = number(j, "bits");
    t->is_signed = number(j, "signed");
    t->zero_point = number(j, "zero");
    t->scale = dscq_json_real(dscq_json_get(j, "scale"), 1.0);
}

static void read_fields(dscq_qnode *n, const dscq_json *j)
{
    const struct {
        const char *key;
        int32_t *field;
    } rows[] = {
        {"stride_h", &n->stride_h},     {"stride_w", &n->stride_w},
        {"pad_top", &n->pad_top},       {"pad_left", &n->pad_left},
        {"pad_bottom", &n->pad_bottom}, {"pad_right", &n->pad_right},
        {"dilation_h", &n->dilation_h}, {"dilation_w", &n->dilation_w},
        {"groups", &n->groups},         {"kernel_h", &n->kernel_h},
        {"kernel_w", &n->kernel_w},     {"count_include_pad", &n->count_include_pad},
        {"factor", &n->factor},         {"first", &n->first},
        {"clamp_lo", &n->clamp_lo},     {"clamp_hi", &n->clamp_hi},
        {"is_leaky", &n->is_leaky},     {"slope_q15", &n->slope_q15}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        *rows[i].field = number(j, rows[i].key);
}

static dscq_status read_arrays(dscq_qnode *n, const dscq_json *j, dscq_error *err)
{
    const dscq_json *mult = dscq_json_get(j, "mult"),
                    *table = dscq_json_get(j, "table");
    dscq_status status;

    DSCQ_TRY(dscq_qnode_reserve(n, (int32_t)dscq_json_count(mult), err));
    for (size_t i = 0; i < dscq_json_count(mult); i++) {
        n->mult[i] = (int16_t)dscq_json_int(dscq_json_at(mult, i), 0);
        n->shift[i] =
            (uint8_t)dscq_json_int(dscq_json_at(dscq_json_get(j, "shift"), i), 0);
        if (n->bias != NULL)
            n->bias[i] =
                (int32_t)dscq_json_int(dscq_json_at(dscq_json_get(j, "bias"), i), 0);
        if (n->scale_key != NULL)
            n->scale_key[i] =
                (int32_t)dscq_json_int(dscq_json_at(dscq_json_get(j, "keys"), i), 0);
    }
    n->table_count = (int32_t)dscq_json_count(table);
    n->table = dscq_calloc(dscq_json_count(table), sizeof *n->table);
    for (size_t i = 0; n->table != NULL && i < dscq_json_count(table); i++)
        n->table[i] = (int32_t)dscq_json_int(dscq_json_at(table, i), 0);
    if (dscq_json_get(j, "value") == NULL)
        return DSCQ_OK;
    DSCQ_TRY(dscq_qweights_create(&n->weights, number(j, "k"), number(j, "r"),
                                  number(j, "s"), number(j, "c"), DSCQ_FORM_LINEAR, 0,
                                  err));
    n->weights->bits = 8;
    for (size_t i = 0; i < n->weights->count; i++) {
        const int64_t v = dscq_json_int(dscq_json_at(dscq_json_get(j, "value"), i), 0);
        n->weights->value[i] = (int16_t)v;
        if (v < -128 || v > 127)
            n->weights->bits = 16;
    }
done:
    return status;
}

static dscq_status read_case(qmodel_vector *v, const dscq_json *j, dscq_error *err)
{
    const dscq_json *in = dscq_json_get(j, "inputs"), *node = dscq_json_get(j, "node");
    const int32_t inputs = (int32_t)dscq_json_count(in);
    dscq_status status;

    (void)dscq_str_copy(v->name, sizeof v->name,
                        dscq_json_text(dscq_json_get(j, "name"), "?"));
    DSCQ_TRY(dscq_qmodel_create(&v->m, err));
    DSCQ_TRY(dscq_qmodel_reserve(v->m, inputs + 1, 1, inputs, 1, err));
    for (int32_t i = 0; i < inputs; i++) {
        const dscq_json *t = dscq_json_at(in, (size_t)i);
        read_tensor(&v->m->tensor[i], t, i);
        v->m->input[i].tensor = i;
        v->m->node[0].input[i] = i;
        v->input[i] = codes(&v->m->tensor[i], dscq_json_get(t, "q"));
    }
    read_tensor(&v->m->tensor[inputs], dscq_json_get(j, "output"), inputs);
    v->want = codes(&v->m->tensor[inputs], dscq_json_get(j, "output.q"));
    dscq_qnode *n = &v->m->node[0];
    const char *op = dscq_json_text(dscq_json_get(node, "op"), "?");
    while (n->op < DSCQ_Q_COUNT && strcmp(dscq_qop_name(n->op), op) != 0)
        n->op++;
    (void)snprintf(n->name, sizeof n->name, "node");
    n->input_count = inputs;
    n->output = inputs;
    read_fields(n, node);
    DSCQ_TRY(read_arrays(n, node, err));
    v->m->output[0].tensor = inputs;
    (void)snprintf(v->m->output[0].role, sizeof v->m->output[0].role, "raw");
    DSCQ_TRY(dscq_qmodel_check(v->m, err));
done:
    return status;
}

dscq_status qmodel_vectors_load(qmodel_vectors *out, const char *op, dscq_error *err)
{
    char path[512];
    dscq_json *j = NULL;
    dscq_status status;

    *out = (qmodel_vectors){NULL, 0};
    (void)snprintf(path, sizeof path, DSCQ_SOURCE_DIR "/tests/golden/arith/%s.json",
                   op);
    DSCQ_TRY(dscq_json_load(&j, path, err));
    const dscq_json *cases = dscq_json_get(j, "cases");
    out->item = dscq_calloc(dscq_json_count(cases), sizeof *out->item);
    if (out->item == NULL)
        return dscq_fail_nomem(err, "test vectors", 0);
    for (size_t i = 0; i < dscq_json_count(cases); i++) {
        out->count++;
        status = read_case(&out->item[i], dscq_json_at(cases, i), err);
        if (status != DSCQ_OK) {
            (void)dscq_fail_at(err, "%s", out->item[i].name);
            goto done;
        }
    }
done:
    dscq_json_free(j);
    return status;
}

void qmodel_vectors_free(qmodel_vectors *v)
{
    for (size_t i = 0; i < v->count; i++) {
        for (int j = 0; j < DSCQ_QNODE_INPUTS; j++)
            dscq_free(v->item[i].input[j]);
        dscq_free(v->item[i].want);
        dscq_qmodel_destroy(v->item[i].m);
    }
    dscq_free(v->item);
    *v = (qmodel_vectors){NULL, 0};
}
