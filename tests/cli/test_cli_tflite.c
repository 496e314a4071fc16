/* TensorFlow Lite files on the command line: told by their content, checked, brought
 * in, refused with all reasons. */
#include "dscq/base/alloc.h"
#include "support.h"
#include "tflite_make.h"

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

enum { FULLY_CONNECTED = 9, CUSTOM = 32, LSTM = 16, RESHAPE = 22 };

static const int8_t k_weights[4 * 12] = {3, -100, 127, 5};
static const float k_in = 0.5F, k_w = 0.01F, k_out = 0.25F;
static const int64_t k_zero = -7;

/* A product of codes; `odd`: and two operators that no layer is, one behind the other.
 */
static void write_file(const char *name, int odd)
{
    static make_file f;
    size_t bytes;

    f = (make_file){.tensors = 0};
    const int32_t x = make_add(&f, "x", MAKE_I8, DIM(1, 2, 2, 3), 4),
                  w = make_const(&f, "w", MAKE_I8, DIM(4, 12), 2, k_weights,
                                 sizeof k_weights),
                  y = make_add(&f, "scores", MAKE_I8, DIM(1, 4), 2),
                  a = make_add(&f, "a", MAKE_I8, DIM(1, 4), 2),
                  b = make_add(&f, "b", MAKE_I8, DIM(1, 4), 2);
    make_grid(&f, x, &k_in, &k_zero, 1, 0);
    make_grid(&f, w, &k_w, NULL, 1, 0);
    make_grid(&f, y, &k_out, &k_zero, 1, 0);
    make_set(make_call(&f, FULLY_CONNECTED, LIST(x, w), LIST(y)), 0, 1, 1);
    if (odd) {
        make_call(&f, CUSTOM, LIST(y), LIST(a))->custom = "odd";
        (void)make_call(&f, LSTM, LIST(a), LIST(b));
    }
    f.in[f.inputs++] = x;
    f.out[f.outputs++] = odd ? b : y;
    uint8_t *data = make_bytes(&bytes, &f);
    (void)test_file_bytes(name, data, bytes);
    dscq_free(data);
}

static int run(test_output *o, const char *const argv[])
{
    return test_command(o, test_path(""), argv);
}

START_TEST(a_file_of_any_name_is_brought_in)
{
    static test_output o;

    write_file("download", 0);
    ck_assert_msg(run(&o, (const char *const[]){"check", "download", NULL}) == 0, "%s",
                  o.err);
    ck_assert_msg(
        run(&o, (const char *const[]){"import", "download", "-o", "net", NULL}) == 0,
        "%s", o.err);
    ck_assert_ptr_nonnull(
        strstr(o.err, "--data mean=0.474509804 --data std=0.00784313725"));
    char *ranges = test_read(test_path("net/ranges.csv"));
    ck_assert_str_eq(ranges, "layer,scale,zero,lo,hi,bits\r\n"
                             "input,0.5,-7,-128,127,8\r\n"
                             "scores,0.25,-7,-128,127,8\r\n");
    char *cfg = test_read(test_path("net/net.cfg"));
    ck_assert_ptr_nonnull(strstr(cfg, "name=scores\n"));
    ck_assert_ptr_nonnull(strstr(cfg, "ranges=ranges.csv\n"));
    dscq_free(ranges);
    dscq_free(cfg);
}
END_TEST

START_TEST(all_that_is_odd_is_listed)
{
    static test_output o;

    write_file("odd.tflite", 1);
    ck_assert_int_eq(
        run(&o, (const char *const[]){"import", "odd.tflite", "-o", "odd", NULL}), 4);
    ck_assert_ptr_nonnull(strstr(o.out, "CUSTOM:odd"));
    ck_assert_ptr_nonnull(strstr(o.out, "LSTM"));
    ck_assert_ptr_nonnull(strstr(o.err, "2 operators cannot be imported"));
    ck_assert_int_eq(run(&o, (const char *const[]){"check", "odd.tflite", NULL}), 5);
    ck_assert_ptr_nonnull(strstr(o.out, "CUSTOM:odd"));
    ck_assert_ptr_nonnull(strstr(o.out, "LSTM"));
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("cli_tflite", &tc);

    tcase_add_test(tc, a_file_of_any_name_is_brought_in);
    tcase_add_test(tc, all_that_is_odd_is_listed);
    return s;
}

int main(void)
{
    return test_run(make);
}
