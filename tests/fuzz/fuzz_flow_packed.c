/*
 * Packed files whose checksums are right and whose fields are not, through what the
 * commands do with a file: inspect, diff, unpack, export, verify, run, simulate. What
 * is accepted must come back from a second writing, the slow reference and the fast
 * runtime must agree on it, and so must the machine. Reading may ask for memory in
 * proportion to the file and no more; work is done where the network is small.
 */
#include "dscq/base/alloc.h"
#include "dscq/export/packed_onnx.h"
#include "dscq/export/unpack.h"
#include "dscq/flow/run.h"
#include "dscq/flow/simulate.h"
#include "dscq/infer/runtime.h"
#include "dscq/infer/verify.h"
#include "dscq/nn/detect.h"
#include "dscq/pack/pack.h"
#include "pack_mutate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                               unsigned int seed);

enum { WORK_MAX = 1 << 18, CODES_MAX = 1 << 16, WEIGHTS_MAX = 1 << 14 };

static void must(int is_so, const char *what, const dscq_error *err)
{
    if (is_so)
        return;
    (void)fprintf(stderr, "%s: %s\n", what, err->msg);
    abort();
}

/* docs/format.md section 3 bounds the weights of a file; each is decoded once, two
 * bytes and what its encoding needs, and a node or tensor is some hundred bytes. */
static uint64_t memory_of(size_t size)
{
    const uint64_t weights = (1 << 20) + (uint64_t)size * 4096;

    return 16 * weights + (uint64_t)size * 1024 + (64 << 20);
}

/* Codes, multiplications and weights of one execution. */
static uint64_t work_of(const dscq_qmodel *m, uint64_t *codes, uint64_t *weights)
{
    uint64_t work = 0;

    *codes = *weights = 0;
    for (int32_t i = 0; i < m->tensor_count; i++)
        *codes += dscq_qtensor_count(&m->tensor[i]);
    for (int32_t i = 0; i < m->node_count; i++) {
        const dscq_qnode *n = &m->node[i];
        const uint64_t out = dscq_qtensor_count(&m->tensor[n->output]);
        const dscq_qtensor *x = &m->tensor[n->input[0]];
        const uint64_t kh = n->kernel_h > 0 ? (uint64_t)n->kernel_h : (uint64_t)x->h;
        const uint64_t kw = n->kernel_w > 0 ? (uint64_t)n->kernel_w : (uint64_t)x->w;
        *weights += n->weights != NULL ? n->weights->count : 0;
        work += dscq_qnode_macs(m, n);
        if (n->op == DSCQ_Q_MAXPOOL || n->op == DSCQ_Q_AVGPOOL)
            work += out * kh * kw;
        if (n->op == DSCQ_Q_LRN)
            work += out * (uint64_t)n->first;
    }
    return work + *codes;
}

static void look(const dscq_qmodel *m, const uint8_t *data, size_t size)
{
    dscq_pack_summary sum;
    dscq_table *t = NULL;
    dscq_error err = {DSCQ_OK, ""};
    dscq_qmodel *back;
    uint8_t *once, *twice;
    size_t n, again;

    must(dscq_pack_sections(&t, data, size, &err) == DSCQ_OK, "sections", &err);
    dscq_table_destroy(t);
    must(dscq_pack_node_table(&t, m, &err) == DSCQ_OK, "nodes", &err);
    dscq_table_destroy(t);
    must(dscq_pack_sizes(&sum, &t, m, NULL, &err) == DSCQ_OK, "sizes", &err);
    dscq_table_destroy(t);
    must(dscq_pack_encode(&once, &n, m, NULL, &err) == DSCQ_OK, "write", &err);
    must(dscq_pack_decode(&back, once, n, &err) == DSCQ_OK, "read", &err);
    must(dscq_pack_diff(&t, m, back, &err) == DSCQ_OK, "diff", &err);
    must(dscq_table_rows(t) == 0, "what was written differs", &err);
    dscq_table_destroy(t);
    must(dscq_pack_encode(&twice, &again, back, NULL, &err) == DSCQ_OK, "again", &err);
    must(n == again && memcmp(once, twice, n) == 0, "other bytes", &err);
    dscq_qmodel_destroy(back);
    dscq_free(once);
    dscq_free(twice);
}

static void unpack(const dscq_qmodel *m)
{
    char path[64];
    dscq_error err;

    (void)snprintf(path, sizeof path, "/tmp/fuzz_flow_packed.%ld", (long)getpid());
    (void)dscq_export_npz(path, m, &err);
    (void)dscq_export_packed_onnx(path, m, &err);
    (void)unlink(path);
}

static void heads(const dscq_qmodel *m)
{
    dscq_preproc p;
    dscq_head h;
    dscq_error err;

    (void)dscq_flow_preproc(&p, m, &err);
    for (int32_t i = 0; i < m->output_count; i++)
        (void)dscq_head_parse(&h, m->output[i].params, &err);
}

/* Right digests, then every kernel family against them. */
static void run(dscq_qmodel *m)
{
    dscq_error err = {DSCQ_OK, ""};

    (void)dscq_infer_verify(NULL, m, NULL, &err); /* with those of the file */
    must(dscq_infer_make_digests(m, 2, NULL, &err) == DSCQ_OK, "digests", &err);
    must(dscq_infer_verify(NULL, m, NULL, &err) == DSCQ_OK, "verify", &err);
    must(dscq_infer_verify(NULL, m, "portable", &err) == DSCQ_OK, "portable", &err);
}

static void simulate(const dscq_qmodel *m, int engine)
{
    const dscq_simulate_options o = {.frames = 2, .verify = 1};
    dscq_error err = {DSCQ_OK, ""};
    dscq_simulation s;
    dscq_machine machine;

    must(dscq_machine_defaults(&machine, &err) == DSCQ_OK, "machine", &err);
    machine.engine = engine;
    machine.act_bits = machine.weight_bits = 16;
    (void)snprintf(machine.data_dir, sizeof machine.data_dir, "%s",
                   DSCQ_SOURCE_DIR "/data");
    const dscq_status status = dscq_flow_simulate(&s, m, &machine, &o, &err);
    must(status == DSCQ_OK || status == DSCQ_UNSUPPORTED || status == DSCQ_ARG,
         "simulate", &err);
    dscq_simulation_clear(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t codes, weights;
    dscq_qmodel *m;
    dscq_error err = {DSCQ_OK, ""};

    (void)dscq_alloc_asked();
    const dscq_status status = dscq_pack_decode(&m, data, size, &err);
    must(dscq_alloc_asked() <= memory_of(size), "reading asks for too much", &err);
    must(status == DSCQ_OK || status == DSCQ_FORMAT || status == DSCQ_UNSUPPORTED,
         "read", &err);
    if (status != DSCQ_OK)
        return 0;
    const uint64_t work = work_of(m, &codes, &weights);
    if (weights <= WEIGHTS_MAX * 64)
        look(m, data, size);
    heads(m);
    if (weights <= WEIGHTS_MAX)
        unpack(m);
    if (work <= WORK_MAX && codes <= CODES_MAX && weights <= WEIGHTS_MAX) {
        run(m);
        simulate(m, 0);
        simulate(m, 1);
    }
    dscq_qmodel_destroy(m);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                               unsigned int seed)
{
    uint8_t *out = dscq_malloc(max_size, 1);
    size_t n = out != NULL ? pack_mutate(out, max_size, data, size, seed) : 0;

    if (n > 0)
        memcpy(data, out, n);
    dscq_free(out);
    return n > 0 ? n : size;
}
