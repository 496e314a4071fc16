/* What a file is, told by its bytes and, where they say nothing, by its name. */
#include "dscq/flow/kind.h"
#include "support.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *bytes;
    size_t count; /* 0: strlen */
    unsigned bit;
} k_files[] = {
    {"packed.bin",
     "\x89"
     "DSCQ\r\n\x1a",
     0, DSCQ_KIND_PACKED},
    {"any.name",
     "\x89"
     "DSCQ\r\n\x1a",
     0, DSCQ_KIND_PACKED},
    {"cut.bin",
     "\x89"
     "DSC",
     0, 0},
    {"a.weights", "\0\0\0\0\2\0\0\0\5\0\0\0", 12, DSCQ_KIND_WEIGHTS},
    {"darknet53.conv.74", "\0\0\0\0\2\0\0\0\5\0\0\0", 12, DSCQ_KIND_WEIGHTS},
    {"yolov4.conv.137", "\0\0\0\0\2\0\0\0\5\0\0\0", 12, DSCQ_KIND_WEIGHTS},
    {"layer.conv.x", "\0\0\0\0\2\0\0\0\5\0\0\0", 12, 0},
    {"a.conv.", "\0\0\0\0\2\0\0\0\5\0\0\0", 12, 0},
    {"net.cfg", "# c\n[net]\nwidth=3\n", 0, DSCQ_KIND_NET},
    {"net.txt", "\xef\xbb\xbf[net]\nwidth=3\n", 0, DSCQ_KIND_NET},
    {"m.onnx", "\x08\x07\x12\x04", 0, DSCQ_KIND_ONNX},
    {"no-ending", "\x08\x07\x12\x04", 0, DSCQ_KIND_ONNX},
    {"report.json", "{\"schema\": \"dscq.report/1\"}", 0, DSCQ_KIND_REPORT},
    {"run.json", " {\"schema\": \"dscq.run/1\"}", 0, DSCQ_KIND_MANIFEST},
    {"other.json", "{\"a\": 1}", 0, DSCQ_KIND_JSON},
    {"p.png", "\x89PNG\r\n\x1a\n", 0, DSCQ_KIND_PICTURE},
    {"model.pt", "PK\3\4....archive/data.pkl", 0, DSCQ_KIND_FOREIGN},
    {"page.onnx", "<!DOCTYPE html>", 0, DSCQ_KIND_NOTHING},
    {"nothing.onnx", "", 0, DSCQ_KIND_NOTHING},
    {"noise", "\1\2\3\4\5", 0, 0},
};

START_TEST(a_file_is_what_its_bytes_say)
{
    const size_t n =
        k_files[_i].count != 0 ? k_files[_i].count : strlen(k_files[_i].bytes);
    const char *path = test_file_bytes(k_files[_i].name, k_files[_i].bytes, n);

    ck_assert_uint_eq(dscq_kind_of(path).bit, k_files[_i].bit);
}
END_TEST

START_TEST(what_belongs_to_others_is_refused_with_a_way_out)
{
    dscq_error err = {DSCQ_OK, ""};

    ck_assert_int_eq(
        dscq_kind_refuse_foreign(test_file("m.pt", "PK\3\4....archive/data.pkl"), &err),
        DSCQ_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.msg, "m.pt: "));
    ck_assert_ptr_nonnull(strstr(err.msg, "torch.onnx.export()"));
    ck_assert_int_eq(dscq_kind_refuse_foreign(test_file("p.onnx", "<html>"), &err),
                     DSCQ_FORMAT);
    test_ok(dscq_kind_refuse_foreign(test_file("n.cfg", "[net]\n"), &err));
    ck_assert_uint_eq(dscq_kind_of(test_path(".")).bit, DSCQ_KIND_FOLDER);
    ck_assert_uint_eq(dscq_kind_of(test_path("none")).bit, 0);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("flow_kind", &tc);

    tcase_add_loop_test(tc, a_file_is_what_its_bytes_say, 0,
                        sizeof k_files / sizeof *k_files);
    tcase_add_test(tc, what_belongs_to_others_is_refused_with_a_way_out);
    return s;
}

int main(void)
{
    return test_run(make);
}
