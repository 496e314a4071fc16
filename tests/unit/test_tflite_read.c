/* Bytes of a TensorFlow Lite file that nobody vouches for: whatever they say, the
 * answer is a network, a refusal or "damaged". */
#include "dscq/base/alloc.h"
#include "dscq/tflite/tflite.h"
#include "support.h"
#include "tflite_make.h"

#include <stdio.h>
#include <string.h>

#define DIM(...)                                                                       \
    (const int32_t[])                                                                  \
    {                                                                                  \
        __VA_ARGS__                                                                    \
    }
#define LIST(...)                                                                      \
    (const int32_t[])                                                                  \
    {                                                                                  \
        __VA_ARGS__, -2                                                                \
    }

enum { CONV_2D = 3, FULLY_CONNECTED = 9, RESHAPE = 22 };

static const float k_scale = 0.01F;
static const int64_t k_zero = 3;
static const int8_t k_weights[2 * 3 * 3 * 2] = {1, -2, 3, -4, 5, -6, 7, -8, 9};
static const float k_matrix[3 * 18] = {0.5F, -1, 2};

/* A convolution of codes, and a product: small enough to try every byte. */
static uint8_t *small_file(size_t *bytes)
{
    static make_file f;

    f = (make_file){.tensors = 0};
    const int32_t x = make_add(&f, "x", MAKE_I8, DIM(1, 3, 3, 2), 4),
                  w = make_const(&f, "w", MAKE_I8, DIM(2, 3, 3, 2), 4, k_weights,
                                 sizeof k_weights),
                  c = make_add(&f, "c", MAKE_I8, DIM(1, 3, 3, 2), 4),
                  r = make_add(&f, "r", MAKE_I8, DIM(1, 18), 2),
                  m = make_const(&f, "m", MAKE_F32, DIM(3, 18), 2, k_matrix,
                                 sizeof k_matrix),
                  y = make_add(&f, "y", MAKE_F32, DIM(1, 3), 2);
    make_grid(&f, x, &k_scale, &k_zero, 1, 0);
    make_grid(&f, c, &k_scale, &k_zero, 1, 0);
    make_grid(&f, r, &k_scale, &k_zero, 1, 0);
    make_grid(&f, w, &k_scale, NULL, 1, 0);
    make_op *o = make_call(&f, CONV_2D, LIST(x, w, -1), LIST(c));
    make_set(o, 1, 4, 1);
    make_set(o, 2, 4, 1);
    (void)make_call(&f, RESHAPE, LIST(c), LIST(r));
    make_set(make_call(&f, FULLY_CONNECTED, LIST(r, m), LIST(y)), 0, 1, 1);
    f.in[f.inputs++] = x;
    f.out[f.outputs++] = y;
    return make_bytes(bytes, &f);
}

/* Read and made a network, as far as it goes. */
static dscq_status try_bytes(const uint8_t *data, size_t bytes, dscq_error *err)
{
    /* a copy of exactly that size: what is read behind it is found */
    uint8_t *copy = dscq_malloc(bytes, 1);
    dscq_tflite *f = NULL;
    dscq_model *m = NULL;
    dscq_table *t = NULL;

    memcpy(copy, data, bytes);
    dscq_status status = dscq_tflite_parse(&f, copy, bytes, "bytes.tflite", err);
    if (status == DSCQ_OK)
        status = dscq_tflite_to_model(&m, &t, f, err);
    ck_assert_msg(status == DSCQ_OK || status == DSCQ_FORMAT ||
                      status == DSCQ_UNSUPPORTED,
                  "%s", err->msg);
    ck_assert((m != NULL) == (status == DSCQ_OK));
    ck_assert(status == DSCQ_OK || err->msg[0] != '\0');
    dscq_table_destroy(t);
    dscq_model_destroy(m);
    dscq_tflite_close(f);
    dscq_free(copy);
    return status;
}

START_TEST(a_whole_file_is_read)
{
    size_t bytes;
    uint8_t *data = small_file(&bytes);
    dscq_error err = {0};

    ck_assert_int_eq(dscq_tflite_is(data, bytes), 1);
    ck_assert_int_eq(dscq_tflite_is(data, 7), 0);
    test_ok(try_bytes(data, bytes, &err));
    dscq_free(data);
}
END_TEST

START_TEST(a_file_cut_off_anywhere_is_damaged)
{
    size_t bytes, good = 0;
    uint8_t *data = small_file(&bytes);
    dscq_error err = {0};

    for (size_t n = 0; n < bytes; n++)
        good += try_bytes(data, n, &err) == DSCQ_OK;
    ck_assert_uint_le(good, 1); /* the last byte ends no string */
    dscq_free(data);
}
END_TEST

START_TEST(any_byte_may_be_another)
{
    static const uint8_t k_flips[] = {0x01, 0x02, 0x04, 0x10, 0x40, 0x80, 0xFF};
    size_t bytes, refused = 0;
    uint8_t *data = small_file(&bytes);
    dscq_error err = {0};

    for (size_t i = 0; i < bytes; i++)
        for (size_t k = 0; k < sizeof k_flips; k++) {
            data[i] ^= k_flips[k];
            refused += try_bytes(data, bytes, &err) != DSCQ_OK;
            data[i] ^= k_flips[k];
        }
    ck_assert_uint_gt(refused, bytes);
    dscq_free(data);
}
END_TEST

/* Every 4 bytes as a large number, a negative one, and an offset to the file's start or
 * to itself. */
START_TEST(any_number_may_be_absurd)
{
    size_t bytes;
    uint8_t *data = small_file(&bytes), keep[4];
    dscq_error err = {0};

    for (size_t i = 0; i + 4 <= bytes; i++) {
        const uint32_t values[] = {0xFFFFFFFFU, 0x7FFFFFFFU,       0x00FFFFFFU,
                                   0,           (uint32_t)(0 - i), 0x80000000U};
        memcpy(keep, data + i, 4);
        for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
            for (size_t b = 0; b < 4; b++)
                data[i + b] = (uint8_t)(values[k] >> (8 * b));
            (void)try_bytes(data, bytes, &err);
        }
        memcpy(data + i, keep, 4);
    }
    dscq_free(data);
}
END_TEST

static size_t find(const uint8_t *data, size_t bytes, const void *what, size_t n)
{
    for (size_t i = 0; i + n <= bytes; i++)
        if (memcmp(data + i, what, n) == 0)
            return i;
    ck_abort_msg("not in the file");
}

START_TEST(what_is_wrong_is_said)
{
    size_t bytes;
    uint8_t *data = small_file(&bytes);
    const float nan = (float)(0.0 / 0.0);
    dscq_error err = {0};

    /* a weight that is no number */
    const size_t at = find(data, bytes, k_matrix, 12);
    memcpy(data + at + 4, &nan, 4);
    ck_assert_int_eq(try_bytes(data, bytes, &err), DSCQ_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.msg, "bytes.tflite"));
    dscq_free(data);
    /* weights that end one byte behind the file */
    data = small_file(&bytes);
    const size_t codes = find(data, bytes, k_weights, sizeof k_weights);
    for (int i = 0; i < 4; i++)
        data[codes - 4 + (size_t)i] = (uint8_t)((bytes - codes + 1) >> (8 * i));
    test_fails(try_bytes(data, bytes, &err), DSCQ_FORMAT,
               "bytes.tflite: damaged: tensor 1");
    dscq_free(data);
    /* another version */
    data = small_file(&bytes);
    const uint32_t root = data[0] | (uint32_t)data[1] << 8;
    const size_t vtable = root - (data[root] | (uint32_t)data[root + 1] << 8);
    data[root + data[vtable + 4]] = 4;
    test_fails(try_bytes(data, bytes, &err), DSCQ_UNSUPPORTED,
               "bytes.tflite: version 4 of the TensorFlow Lite format; 3 is read");
    dscq_free(data);
    test_fails(try_bytes((const uint8_t *)"TFL3TFL3", 8, &err), DSCQ_FORMAT,
               "bytes.tflite: damaged: the table at offset 0");
    test_fails(try_bytes((const uint8_t *)"nothing of it", 13, &err), DSCQ_FORMAT,
               "bytes.tflite: no TensorFlow Lite file");
}
END_TEST

/* Many operators that share one large tensor take far more than the file has. */
START_TEST(shared_weights_are_bounded)
{
    enum { SIDE = 1024, OPS = 40 };
    static make_file f;
    float *matrix = dscq_calloc((size_t)SIDE * SIDE, sizeof *matrix);
    size_t bytes;
    dscq_error err = {0};

    f = (make_file){.tensors = 0};
    const int32_t m = make_const(&f, "m", MAKE_F32, DIM(SIDE, SIDE), 2, matrix,
                                 (size_t)SIDE * SIDE * sizeof *matrix);
    int32_t x = make_add(&f, "x", MAKE_F32, DIM(1, SIDE), 2);
    f.in[f.inputs++] = x;
    for (int i = 0; i < OPS; i++) {
        const int32_t y = make_add(&f, "y", MAKE_F32, DIM(1, SIDE), 2);
        make_set(make_call(&f, FULLY_CONNECTED, LIST(x, m), LIST(y)), 0, 1, 1);
        x = y;
    }
    f.out[f.outputs++] = x;
    uint8_t *data = make_bytes(&bytes, &f);
    ck_assert_int_eq(try_bytes(data, bytes, &err), DSCQ_UNSUPPORTED);
    ck_assert_ptr_nonnull(
        strstr(err.msg, "the layers take far more weights than the file has"));
    dscq_free(data);
    dscq_free(matrix);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("tflite_read", &tc);

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_whole_file_is_read);
    tcase_add_test(tc, a_file_cut_off_anywhere_is_damaged);
    tcase_add_test(tc, any_byte_may_be_another);
    tcase_add_test(tc, any_number_may_be_absurd);
    tcase_add_test(tc, what_is_wrong_is_said);
    tcase_add_test(tc, shared_weights_are_bounded);
    return s;
}

int main(void)
{
    return test_run(make);
}
