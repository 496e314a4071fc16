/* The NumPy archive is a zip file that others can read. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/export/npz.h"
#include "dscq/export/unpack.h"
#include "qmodel_legal.h"
#include "support.h"

#include <check.h>
#include <stdlib.h>
#include <unistd.h>

START_TEST(numpy_archives_are_zip_files)
{
    const char path[] = "test_export_npz.npz";
    dscq_qmodel *m = qmodel_legal();
    uint8_t *a, *b;
    size_t na, nb;
    dscq_error err;

    ck_assert_msg(dscq_export_npz(path, m, &err) == DSCQ_OK, "%s", err.msg);
    ck_assert_int_eq(dscq_file_read(&a, &na, path, 1 << 20, &err), DSCQ_OK);
    ck_assert_msg(dscq_export_npz(path, m, &err) == DSCQ_OK, "%s", err.msg);
    ck_assert_int_eq(dscq_file_read(&b, &nb, path, 1 << 20, &err), DSCQ_OK);
    ck_assert_uint_eq(na, nb);
    ck_assert_mem_eq(a, b, na);
    if (test_has_program("python3"))
        ck_assert_int_eq(system("python3 -c \"\n"
                                "import zipfile, struct\n"
                                "z = zipfile.ZipFile('test_export_npz.npz')\n"
                                "assert z.testzip() is None\n"
                                "d = z.read('a.value.npy')\n"
                                "assert d[:8] == b'\\x93NUMPY\\x01\\x00'\n"
                                "n = struct.unpack('<H', d[8:10])[0] + 10\n"
                                "assert n % 64 == 0\n"
                                "h = eval(d[10:n])\n"
                                "assert h == {'descr': '<i2', 'fortran_order': False,"
                                " 'shape': (4, 3, 3, 4)}\n"
                                "v = struct.unpack('<144h', d[n:])\n"
                                "assert v[7] == 100 and sum(v) == 100\n\""),
                         0);
    ck_assert_int_eq(unlink(path), 0);
    dscq_free(a);
    dscq_free(b);
    dscq_qmodel_destroy(m);
}
END_TEST

START_TEST(an_array_that_does_not_fit_leaves_nothing)
{
    const int64_t huge[2] = {1 << 20, 1 << 20};
    dscq_npz *z;
    dscq_error err;

    ck_assert_int_eq(dscq_npz_open(&z, "test_export_never.npz", &err), DSCQ_OK);
    ck_assert_int_eq(dscq_npz_add(z, "x", "<f8", 8, huge, 2, "", &err), DSCQ_ARG);
    dscq_npz_abandon(z);
    ck_assert_int_eq(dscq_path_exists("test_export_never.npz"), 0);
}
END_TEST

static Suite *make_suite(void)
{
    TCase *tc;
    Suite *s = test_suite("export_npz", &tc);

    tcase_add_test(tc, numpy_archives_are_zip_files);
    tcase_add_test(tc, an_array_that_does_not_fit_leaves_nothing);
    return s;
}

int main(void)
{
    return test_run(make_suite);
}
