/* The library as a caller has it: float networks, and structs with a size. */
#include "dscq/base/io.h"
#include "dscq/dscq.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OK(call) ck_assert_msg((call) == DSCQ_OK, "%s", err.msg)

static dscq_error err;

static const char *small(void)
{
    return test_source("tests/install/small.cfg");
}

static dscq_net *open_with(const dscq_net_options *o)
{
    dscq_net *n = NULL;

    OK(dscq_net_open(&n, small(), o, &err));
    return n;
}

static dscq_net *open_quick(void)
{
    static const char *const set[] = {"train.epochs=1", "data.count=120"};
    const dscq_net_options o = {.size = sizeof o, .set = set, .set_count = 2};

    return open_with(&o);
}

/* ---- structs with a size --------------------------------------------------------- */

START_TEST(a_callers_struct_may_be_older_or_newer)
{
    static const char *const set[] = {"train.epochs=7"};
    struct {
        dscq_net_options known;
        uint64_t later;
    } newer = {.known = {.size = sizeof newer}};
    dscq_net_options older = {.size = offsetof(dscq_net_options, recipe),
                              .set = set,
                              .set_count = 1,
                              .recipe = "not there, and not seen"};
    dscq_net *n = open_with(&older);

    dscq_net_close(n);
    dscq_net_close(open_with(&newer.known));
    newer.later = 1;
    ck_assert_int_eq(dscq_net_open(&n, small(), &newer.known, &err), DSCQ_ARG);
    ck_assert_ptr_null(n);
    ck_assert_ptr_nonnull(strstr(err.msg, "dscq_net_options"));
    older.size = 0;
    ck_assert_int_eq(dscq_net_open(&n, small(), &older, NULL), DSCQ_ARG);
}
END_TEST

START_TEST(a_result_is_written_as_far_as_the_caller_knows_it)
{
    dscq_net *n = open_with(NULL);
    dscq_net_info all = {.size = sizeof all}, some, none = {0};

    memset(&some, 0xA5, sizeof some);
    some.size = offsetof(dscq_net_info, width);
    OK(dscq_net_describe(&all, n, &err));
    OK(dscq_net_describe(&some, n, &err));
    ck_assert_uint_eq(all.params, 548);
    ck_assert_int_eq(all.width, 16);
    ck_assert_uint_eq(some.params, 548);
    ck_assert_uint_eq(some.size, offsetof(dscq_net_info, width));
    ck_assert_uint_eq((uint32_t)some.width, 0xA5A5A5A5U);
    ck_assert_int_eq(dscq_net_describe(&none, n, &err), DSCQ_ARG);
    ck_assert_int_eq(dscq_net_describe(NULL, n, &err), DSCQ_ARG);
    ck_assert_int_eq(dscq_net_describe(&all, NULL, NULL), DSCQ_ARG);
    dscq_net_close(n);
}
END_TEST

START_TEST(the_version_is_that_of_the_header)
{
    ck_assert_str_eq(dscq_version(), DSCQ_VERSION);
    ck_assert_int_eq(dscq_has("tea"), 0);
    ck_assert_int_eq(dscq_has(NULL), 0);
}
END_TEST

/* ---- opening --------------------------------------------------------------------- */

static const char *setting(dscq_net *n, const char *key, char *out, size_t cap)
{
    dscq_table *t = NULL;

    out[0] = '\0';
    OK(dscq_net_table(&t, n, "settings", &err));
    for (size_t i = 0; i < dscq_table_rows(t); i++) {
        char name[200];
        (void)snprintf(name, sizeof name, "%s.%s", dscq_table_text(t, i, 0),
                       dscq_table_text(t, i, 1));
        if (strcmp(name, key) == 0)
            (void)snprintf(out, cap, "%s", dscq_table_text(t, i, 2));
    }
    dscq_table_close(t);
    return out;
}

START_TEST(settings_come_from_the_file_from_more_and_from_set)
{
    static const char *const set[] = {"train.epochs=3"};
    char *text = test_read(small()), value[100];
    char *cut = strstr(text, "[compress]");
    dscq_net_options o = {.size = sizeof o, .set = set, .set_count = 1};
    dscq_net *n = NULL;

    ck_assert_ptr_nonnull(cut);
    *cut = '\0';
    o.more = "[compress]\nmethod=dsc_clipq\np=0.25\n";
    OK(dscq_net_open(&n, test_file("cut.cfg", text), &o, &err));
    ck_assert_str_eq(setting(n, "train.epochs", value, sizeof value), "3");
    ck_assert_str_eq(setting(n, "train.batch", value, sizeof value), "32");
    ck_assert_str_eq(setting(n, "compress.p", value, sizeof value), "0.25");
    dscq_net_close(n);
    o.more = "[compress]\nmethodd=dsc_clipq\n";
    ck_assert_int_eq(dscq_net_open(&n, test_path("cut.cfg"), &o, &err), DSCQ_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.msg, "methodd"));
    dscq_free(text);
}
END_TEST

START_TEST(what_cannot_be_opened_is_said)
{
    const dscq_net_options weights = {.size = sizeof weights, .weights = "no.ckpt"};
    dscq_net *n = open_with(NULL);
    dscq_table *t = NULL;

    ck_assert_int_eq(dscq_net_table(&t, n, "layer", &err), DSCQ_ARG);
    ck_assert_ptr_nonnull(strstr(err.msg, "layers, memory, settings"));
    ck_assert_int_eq(dscq_net_export(n, "gguf", test_path("x"), &err), DSCQ_ARG);
    dscq_net_close(n);
    ck_assert_int_eq(dscq_net_open(&n, test_path("none.cfg"), NULL, &err), DSCQ_IO);
    ck_assert_ptr_null(n);
    ck_assert_int_eq(dscq_net_open(&n, small(), &weights, &err), DSCQ_IO);
    ck_assert_int_eq(dscq_net_open(NULL, small(), NULL, &err), DSCQ_ARG);
    ck_assert_int_eq(dscq_net_open(&n, NULL, NULL, NULL), DSCQ_ARG);
    dscq_net_close(NULL);
}
END_TEST

/* ---- data and training ----------------------------------------------------------- */

START_TEST(pictures_of_the_data_can_be_had)
{
    dscq_net *n = open_quick();
    dscq_data_info d = {.size = sizeof d};
    uint8_t a[16 * 16 * 3], b[16 * 16 * 3];
    int32_t label = -2;

    OK(dscq_net_data(&d, n, &err));
    ck_assert_uint_eq(d.train + d.valid, 120);
    ck_assert_uint_eq(d.test, 100);
    ck_assert_int_eq(d.classes, 4);
    OK(dscq_net_picture(a, sizeof a, &label, n, "test", 99, &err));
    ck_assert_int_ge(label, 0);
    OK(dscq_net_picture(b, sizeof b, NULL, n, "test", 98, &err));
    ck_assert_int_ne(memcmp(a, b, sizeof a), 0);
    ck_assert_int_eq(dscq_net_picture(a, sizeof a, &label, n, "test", 100, &err),
                     DSCQ_ARG);
    ck_assert_int_eq(dscq_net_picture(a, sizeof a, &label, n, "tests", 0, &err),
                     DSCQ_ARG);
    ck_assert_int_eq(dscq_net_picture(a, sizeof a - 1, NULL, n, "test", 0, &err),
                     DSCQ_ARG);
    dscq_net_close(n);
}
END_TEST

typedef struct heard {
    int messages, steps, stop_at;
} heard;

static void on_message(void *ctx, int level, const char *text)
{
    heard *h = ctx;

    ck_assert_int_ge(level, 0);
    ck_assert_ptr_null(strchr(text, '\n'));
    h->messages++;
}

static void on_progress(void *ctx, const char *what, double done, double total,
                        const char *note)
{
    heard *h = ctx;

    ck_assert(what[0] != '\0' && note != NULL && done <= total);
    h->steps++;
}

static int on_stop(void *ctx)
{
    const heard *h = ctx;

    return h->stop_at > 0 && h->steps >= h->stop_at;
}

START_TEST(training_tells_stops_and_goes_on)
{
    static const char *const set[] = {"train.epochs=2", "data.count=200"};
    heard h = {.stop_at = 8};
    const dscq_events events = {.size = sizeof events,
                                .ctx = &h,
                                .message = on_message,
                                .progress = on_progress,
                                .stop = on_stop};
    const dscq_net_options o = {
        .size = sizeof o, .set = set, .set_count = 2, .events = &events};
    dscq_work_options work = {.size = sizeof work, .folder = test_path("run")};
    dscq_training whole = {.size = sizeof whole}, parts = {.size = sizeof parts};
    dscq_score a = {.size = sizeof a}, b = {.size = sizeof b};
    dscq_net *n = open_with(&o);

    ck_assert_int_eq(dscq_net_train(NULL, n, &work, &err), DSCQ_INTERRUPTED);
    ck_assert_int_ge(h.steps, 8);
    dscq_net_close(n);
    h.stop_at = 0;
    n = open_with(&o);
    ck_assert_int_eq(dscq_net_train(NULL, n, &work, &err), DSCQ_ARG); /* is taken */
    dscq_net_close(n);
    n = open_with(&o);
    work.resume = 1;
    OK(dscq_net_train(&parts, n, &work, &err));
    OK(dscq_net_evaluate(&a, n, "test", NULL, &err));
    dscq_net_close(n);
    ck_assert_int_gt(h.messages, 0);

    n = open_with(&o);
    OK(dscq_net_train(&whole, n, NULL, &err));
    OK(dscq_net_evaluate(&b, n, "test", NULL, &err));
    dscq_net_close(n);
    ck_assert_uint_eq(whole.epochs, parts.epochs);
    ck_assert(a.score == b.score && a.loss == b.loss); /* the same to the bit */
    ck_assert(a.low <= a.score && a.score <= a.high);

    OK(dscq_net_open(&n, test_path("run"), NULL, &err)); /* the folder is a network */
    OK(dscq_net_evaluate(&b, n, "test", NULL, &err));
    ck_assert(a.loss == b.loss);
    dscq_net_close(n);
}
END_TEST

/* ---- compression ----------------------------------------------------------------- */

START_TEST(compressing_leaves_the_network_alone)
{
    dscq_net *n = open_quick();
    dscq_compression r = {.size = sizeof r};
    dscq_score before = {.size = sizeof before}, after = {.size = sizeof after};
    dscq_qnet_info first = {.size = sizeof first}, second = {.size = sizeof second};
    dscq_qnet *q = NULL, *again = NULL;
    dscq_table *layers = NULL;

    OK(dscq_net_train(NULL, n, NULL, &err));
    OK(dscq_net_evaluate(&before, n, "valid", NULL, &err));
    OK(dscq_net_compress(&q, &r, &layers, n, NULL, &err));
    OK(dscq_net_evaluate(&after, n, "valid", NULL, &err));
    ck_assert(before.loss == after.loss);
    OK(dscq_net_compress(&again, NULL, NULL, n, NULL, &err));
    OK(dscq_qnet_describe(&first, q, &err));
    OK(dscq_qnet_describe(&second, again, &err));
    ck_assert_str_eq(first.sha256, second.sha256);
    ck_assert_uint_eq(first.file_bytes, r.file_bytes);
    ck_assert_uint_eq(dscq_table_rows(layers), 4);
    OK(dscq_qnet_evaluate(&after, q, n, "test", NULL, &err));
    ck_assert(after.score == r.packed_score && after.images == r.images);
    dscq_table_close(layers);
    dscq_qnet_close(q);
    dscq_qnet_close(again);
    dscq_net_close(n);
}
END_TEST

START_TEST(post_training_needs_no_labels_and_a_folder_gets_the_record)
{
    static const char *const set[] = {"compress.epochs=0", "data.count=120"};
    const dscq_net_options o = {.size = sizeof o, .set = set, .set_count = 2};
    const dscq_work_options work = {.size = sizeof work, .folder = test_path("out")};
    const dscq_compress_request request = {
        .size = sizeof request, .work = &work, .profile = "archive", .spare_test = 1};
    dscq_net *n = open_with(&o);
    dscq_compression r = {.size = sizeof r};
    dscq_qnet *q = NULL, *read = NULL;
    dscq_table *differences = NULL;

    OK(dscq_net_compress(&q, &r, NULL, n, &request, &err));
    ck_assert(dscq_path_exists(test_path("out/run.json")));
    OK(dscq_qnet_open(&read, test_path("out/packed.bin"), &err));
    OK(dscq_qnet_diff(&differences, q, read, &err));
    ck_assert_uint_eq(dscq_table_rows(differences), 0);
    dscq_table_close(differences);
    dscq_qnet_close(read);
    ck_assert_int_eq(dscq_net_compress(&read, NULL, NULL, n, &request, &err), DSCQ_ARG);
    ck_assert_ptr_null(read);
    dscq_qnet_close(q);
    dscq_net_close(n);
}
END_TEST

/* Two branches and a join. */
static const char k_branched[] =
    "[net]\nwidth=16\nheight=16\nchannels=3\n"
    "[convolutional]\nfilters=6\nsize=3\nstride=2\npad=1\nbatch_normalize=1\n"
    "activation=relu\n"
    "[convolutional]\nfilters=8\nsize=3\npad=1\nbatch_normalize=1\nactivation=relu\n"
    "[route]\nlayers=-2\n"
    "[convolutional]\nfilters=8\nsize=1\nbatch_normalize=1\nactivation=relu\n"
    "[route]\nlayers=-1,-3\n"
    "[avgpool]\n[connected]\noutput=4\nactivation=linear\n[softmax]\n"
    "[data]\ntype=signs\nclasses=4\ncount=60\ntest_count=40\nmean=0\nstd=1\n"
    "[train]\nepochs=1\nbatch=16\n";

START_TEST(a_graph_with_branches_comes_back_from_onnx)
{
    const dscq_net_options o = {.size = sizeof o, .more = strstr(k_branched, "[data]")};
    dscq_score a = {.size = sizeof a}, b = {.size = sizeof b};
    dscq_net *n = NULL, *back = NULL;

    if (!dscq_has("onnx")) {
        test_skip("no ONNX; -DDSCQ_WITH_ONNX=ON would help");
        return;
    }
    OK(dscq_net_open(&n, test_file("branched.cfg", k_branched), NULL, &err));
    OK(dscq_net_train(NULL, n, NULL, &err));
    OK(dscq_net_evaluate(&a, n, "test", NULL, &err));
    OK(dscq_net_export(n, "onnx", test_path("branched.onnx"), &err));
    OK(dscq_net_open(&back, test_path("branched.onnx"), &o, &err));
    OK(dscq_net_evaluate(&b, back, "test", NULL, &err));
    ck_assert_double_eq_tol(a.loss, b.loss, 1e-5);
    dscq_net_close(back);
    dscq_net_close(n);
}
END_TEST

START_TEST(an_onnx_file_is_a_network_too)
{
    const dscq_net_options o = {.size = sizeof o,
                                .more = "[data]\ntype=signs\nclasses=4\ncount=60\n"
                                        "test_count=40\n[compress]\nepochs=0\n"};
    const char *path = test_path("net.onnx");
    dscq_score a = {.size = sizeof a}, b = {.size = sizeof b};
    dscq_net *n = open_quick(), *back = NULL;
    dscq_qnet *q = NULL;

    if (!dscq_has("onnx")) {
        test_skip("no ONNX; -DDSCQ_WITH_ONNX=ON would help");
        dscq_net_close(n);
        return;
    }
    OK(dscq_net_train(NULL, n, NULL, &err));
    OK(dscq_net_export(n, "onnx", path, &err));
    dscq_net_close(n);
    OK(dscq_net_open(&n, path, &o, &err));
    OK(dscq_net_evaluate(&a, n, "test", NULL, &err));
    OK(dscq_net_compress(&q, NULL, NULL, n, NULL, &err));
    dscq_qnet_close(q);
    OK(dscq_import(NULL, path, NULL, test_path("in"),
                   "type=signs\nclasses=4\ncount=60\ntest_count=40\n", 0, &err));
    OK(dscq_net_open(&back, test_path("in"), NULL, &err));
    OK(dscq_net_evaluate(&b, back, "test", NULL, &err));
    ck_assert(a.loss == b.loss);
    ck_assert_int_eq(dscq_import(NULL, path, NULL, test_path("in"), NULL, 0, &err),
                     DSCQ_ARG);
    dscq_net_close(back);
    dscq_net_close(n);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("api_net", &tc);

    tcase_add_test(tc, a_callers_struct_may_be_older_or_newer);
    tcase_add_test(tc, a_result_is_written_as_far_as_the_caller_knows_it);
    tcase_add_test(tc, the_version_is_that_of_the_header);
    tcase_add_test(tc, settings_come_from_the_file_from_more_and_from_set);
    tcase_add_test(tc, what_cannot_be_opened_is_said);
    tcase_add_test(tc, pictures_of_the_data_can_be_had);
    tcase_add_test(tc, training_tells_stops_and_goes_on);
    tcase_add_test(tc, compressing_leaves_the_network_alone);
    tcase_add_test(tc, post_training_needs_no_labels_and_a_folder_gets_the_record);
    tcase_add_test(tc, an_onnx_file_is_a_network_too);
    tcase_add_test(tc, a_graph_with_branches_comes_back_from_onnx);
    tcase_set_timeout(tc, 120);
    return s;
}

int main(void)
{
    return test_run(make);
}
