/* Reading a file takes no more memory than twice the file and its largest layer:
 * weights stay packed and are decoded layer by layer. Measured on Linux, without
 * sanitizers. */
#include "dscq/base/alloc.h"
#include "dscq/pack/pack.h"
#include "peak.h"
#include "support.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#endif

#if defined(__linux__) && defined(__GLIBC__) && !defined(SANITIZED)
#include <malloc.h>
enum { MEASURED = 1 };
static void give_back(void) /* what is freed */
{
    (void)mallopt(M_MMAP_THRESHOLD, 64 * 1024);
}
#else
enum { MEASURED = 0 };
static void give_back(void)
{
}
#endif

enum { LAYERS = 5, WIDTH = 1536, SLACK = 1 << 20 };

static void add_layer(dscq_qmodel *m, int32_t i)
{
    dscq_qnode *n = &m->node[i];
    dscq_error err;

    (void)snprintf(n->name, sizeof n->name, "fc%d", i);
    n->op = DSCQ_Q_CONV;
    n->input_count = 1;
    n->input[0] = i;
    n->output = i + 1;
    n->clamp_lo = -128;
    n->clamp_hi = 127;
    ck_assert_int_eq(dscq_qweights_create(&n->weights, WIDTH, 1, 1, WIDTH,
                                          DSCQ_FORM_CODEBOOK, 0, &err),
                     DSCQ_OK);
    ck_assert_int_eq(dscq_qnode_reserve(n, WIDTH, &err), DSCQ_OK);
    n->weights->bits = 3;
    n->weights->codebook_count = 8;
    for (int32_t v = 1; v < 8; v++)
        n->weights->codebook[v] = (int16_t)(v < 5 ? v : 4 - v);
    for (size_t j = 0; j < n->weights->count; j++) {
        const uint32_t h = (uint32_t)(j * 2654435761u) >> 20;
        n->weights->value[j] = h % 3 != 0 ? 0 : n->weights->codebook[1 + h / 3 % 7];
    }
}

/* A chain of fully connected layers. */
static dscq_qmodel *make(void)
{
    dscq_qmodel *m;
    dscq_error err;

    ck_assert_int_eq(dscq_qmodel_create(&m, &err), DSCQ_OK);
    ck_assert_int_eq(dscq_qmodel_reserve(m, LAYERS + 1, LAYERS, 1, 1, &err), DSCQ_OK);
    for (int32_t t = 0; t <= LAYERS; t++) {
        dscq_qtensor *q = &m->tensor[t];
        (void)snprintf(q->name, sizeof q->name, "t%d", t);
        q->h = q->w = 1;
        q->c = WIDTH;
        q->bits = 8;
        q->scale = 1;
    }
    m->output[0].tensor = LAYERS;
    (void)snprintf(m->output[0].role, sizeof m->output[0].role, "raw");
    for (int32_t i = 0; i < LAYERS; i++)
        add_layer(m, i);
    return m;
}

START_TEST(reading_takes_twice_the_file_and_the_largest_layer)
{
    static const dscq_pack_profile profile[] = {DSCQ_PACK_MACHINE, DSCQ_PACK_ARCHIVE};
    const dscq_pack_options o = {profile[_i], -1, 0};
    const size_t layer = (size_t)WIDTH * WIDTH * sizeof(int16_t);
    const char *path;
    dscq_qmodel *m;
    uint8_t *data;
    size_t bytes;
    dscq_error err;

    give_back();
    m = make();
    ck_assert_msg(dscq_pack_encode(&data, &bytes, m, &o, &err) == DSCQ_OK, "%s",
                  err.msg);
    dscq_qmodel_destroy(m);
    path = test_file_bytes("packed.bin", data, bytes);
    dscq_free(data);
    (void)peak_bytes(1);
    const size_t before = peak_bytes(0);
    ck_assert_msg(dscq_pack_read(&m, path, &err) == DSCQ_OK, "%s", err.msg);
    const size_t took = peak_bytes(0) - before;
    dscq_qmodel_destroy(m);
    if (!MEASURED || before == 0) {
        test_skip("memory is measured on Linux without sanitizers");
        return;
    }
    ck_assert_msg(took <= 2 * bytes + layer + SLACK,
                  "%zu bytes for a file of %zu and a layer of %zu", took, bytes, layer);
    ck_assert_msg(took >= bytes, "%zu bytes for a file of %zu: nothing was measured",
                  took, bytes);
}
END_TEST

static Suite *make_suite(void)
{
    TCase *tc;
    Suite *s = test_suite("pack_memory", &tc);

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, reading_takes_twice_the_file_and_the_largest_layer, 0, 2);
    return s;
}

int main(void)
{
    return test_run(make_suite);
}
