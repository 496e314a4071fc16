/* The independent decoder (tests/decoder, Python) reads what we write, executes it and
 * finds our digests. The golden files are what every later version must still read. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/infer/verify.h"
#include "dscq/pack/pack.h"
#include "pack_mutate.h"
#include "pack_repair.h"
#include "qmodel_random.h"
#include "support.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GOLDEN  DSCQ_SOURCE_DIR "/tests/golden/pack"
#define DECODER "python3 " DSCQ_SOURCE_DIR "/tests/decoder/dscq_decode.py "

static dscq_qmodel *make(int32_t seed)
{
    const qmodel_random_opts o = {.nodes = 7,
                                  .max_side = 7,
                                  .max_channels = 20,
                                  .wide = seed % 2,
                                  .inputs = seed < 24 ? 1 : 1 + seed % 3};
    dscq_rng g = dscq_rng_seeded(4000 + (uint64_t)seed);
    dscq_qmodel *m;
    dscq_error err;

    ck_assert_msg(qmodel_random(&m, &g, &o, &err) == DSCQ_OK, "%s", err.msg);
    const int is_standard = seed >= 20 && seed % 2 == 0; /* not stored in the file */
    const int32_t count = 2 * m->input_count;
    void *in[2 * 3];
    for (int32_t i = 0; i < count; i++) {
        const dscq_qtensor *t = &m->tensor[m->input[i % m->input_count].tensor];
        in[i] = dscq_calloc(dscq_qtensor_bytes(t), 1);
        qmodel_random_codes(t, in[i], &g);
    }
    ck_assert_int_eq(dscq_infer_make_digests(
                         m, 2, is_standard ? NULL : (const void *const *)in, &err),
                     DSCQ_OK);
    for (int32_t i = 0; i < count; i++)
        dscq_free(in[i]);
    return m;
}

START_TEST(second_decoder_executes_our_files)
{
    const dscq_pack_options o = {_i < 33 ? DSCQ_PACK_NAMED : DSCQ_PACK_ARCHIVE, _i % 11,
                                 3};
    dscq_qmodel *m = make(_i);
    char path[64], cmd[512];
    dscq_error err;

    (void)snprintf(path, sizeof path, "test_infer_decoder_%d.bin", _i);
    ck_assert_msg(dscq_pack_write(path, m, &o, &err) == DSCQ_OK, "%s", err.msg);
    if (test_has_program("python3")) {
        (void)snprintf(cmd, sizeof cmd, DECODER "--verify %s >%s.txt", path, path);
        ck_assert_msg(system(cmd) == 0, "seed %d, encoding %s: the decoder disagrees",
                      _i,
                      _i < 33 ? dscq_pack_encoding_at(o.encoding)->name : "archive");
        (void)snprintf(cmd, sizeof cmd, "%s.txt", path);
        ck_assert_int_eq(unlink(cmd), 0);
    }
    ck_assert_int_eq(unlink(path), 0);
    dscq_qmodel_destroy(m);
}
END_TEST

/* ---- hostile files ---- */

enum { HOSTILE = 250 };

/* Files with right checksums and wrong fields: what this program refuses the second
 * decoder refuses, and what it takes the other takes, so that the document says all. */
START_TEST(both_decoders_refuse_the_same_files)
{
    const dscq_pack_options o = {_i < 11 ? DSCQ_PACK_NAMED : DSCQ_PACK_ARCHIVE, _i % 11,
                                 3};
    dscq_qmodel *m = make(20 + _i);
    static uint8_t other[1 << 20];
    dscq_str cmd = {0};
    char name[64], word[32];
    uint8_t *data;
    size_t bytes;
    dscq_error err;
    int refused[HOSTILE];

    if (!test_has_program("python3")) {
        dscq_qmodel_destroy(m);
        return;
    }
    ck_assert_int_eq(dscq_pack_encode(&data, &bytes, m, &o, &err), DSCQ_OK);
    dscq_str_add(&cmd, DECODER "--check");
    for (int k = 0; k < HOSTILE; k++) {
        const size_t n =
            pack_mutate(other, sizeof other, data, bytes, (uint64_t)(1000 * _i + k));
        dscq_qmodel *back;
        ck_assert_uint_gt(n, 0);
        refused[k] = dscq_pack_decode(&back, other, n, &err) != DSCQ_OK;
        if (!refused[k])
            dscq_qmodel_destroy(back);
        (void)snprintf(name, sizeof name, "hostile_%d_%d.bin", _i, k);
        ck_assert_int_eq(dscq_file_write(name, other, n, &err), DSCQ_OK);
        dscq_str_addf(&cmd, " %s", name);
    }
    FILE *answers = popen(cmd.text, "r");
    ck_assert_ptr_nonnull(answers);
    for (int k = 0; k < HOSTILE; k++) {
        char line[256];
        ck_assert_ptr_nonnull(fgets(line, sizeof line, answers));
        (void)snprintf(word, sizeof word, "%.7s", line);
        (void)snprintf(name, sizeof name, "hostile_%d_%d.bin", _i, k);
        ck_assert_msg((strcmp(word, "damaged") == 0) == refused[k],
                      "%s: this program %s it, the second decoder says %s", name,
                      refused[k] ? "refuses" : "takes", line);
        ck_assert_int_eq(unlink(name), 0);
    }
    ck_assert_int_eq(pclose(answers), 0);
    dscq_str_free(&cmd);
    dscq_free(data);
    dscq_qmodel_destroy(m);
}
END_TEST

/* ---- golden files ---- */

/* One file an encoding, and one an archive: tests/golden/pack/good_<name>.bin. */
START_TEST(golden_files_are_read_and_written_alike)
{
    const int is_archive = _i == dscq_pack_encoding_count();
    const dscq_pack_options o = {is_archive ? DSCQ_PACK_ARCHIVE : DSCQ_PACK_NAMED, _i,
                                 3};
    dscq_qmodel *back;
    char path[512];
    uint8_t *want, *got;
    size_t want_bytes, got_bytes;
    dscq_error err;

    (void)snprintf(path, sizeof path, GOLDEN "/good_%s.bin",
                   is_archive ? "archive" : dscq_pack_encoding_at(_i)->name);
    if (getenv("DSCQ_UPDATE_GOLDEN") != NULL) {
        dscq_qmodel *m = make(_i);
        ck_assert_int_eq(dscq_pack_write(path, m, &o, &err), DSCQ_OK);
        dscq_qmodel_destroy(m);
    }
    ck_assert_msg(dscq_file_read(&want, &want_bytes, path, 1 << 24, &err) == DSCQ_OK,
                  "%s", err.msg);
    ck_assert_msg(dscq_pack_decode(&back, want, want_bytes, &err) == DSCQ_OK, "%s",
                  err.msg);
    ck_assert_int_eq(dscq_pack_encode(&got, &got_bytes, back, NULL, &err), DSCQ_OK);
    ck_assert_msg(want_bytes == got_bytes && memcmp(want, got, got_bytes) == 0,
                  "%s: written again it has other bytes", path);
    ck_assert_int_eq(back->digest_inputs, 2);
    ck_assert_int_eq(back->coded_constants, is_archive);
    ck_assert_int_eq(want[10], is_archive); /* the lowest minor version that will do */
    ck_assert_msg(dscq_infer_verify(NULL, back, NULL, &err) == DSCQ_OK, "%s", err.msg);
    dscq_free(want);
    dscq_free(got);
    dscq_qmodel_destroy(back);
}
END_TEST

/* Files of earlier states of the format: never written again, read for ever. */
START_TEST(old_files_are_read)
{
    static const char *const profile[] = {"machine", "loaded", "archive"};
    const char *name = _i < dscq_pack_encoding_count()
                           ? dscq_pack_encoding_at(_i)->name
                           : profile[_i - dscq_pack_encoding_count()];
    char path[512], cmd[600];
    dscq_qmodel *m;
    dscq_error err;

    (void)snprintf(path, sizeof path, GOLDEN "/old_1_0_%s.bin", name);
    ck_assert_msg(dscq_pack_read(&m, path, &err) == DSCQ_OK, "%s", err.msg);
    ck_assert_msg(dscq_infer_verify(NULL, m, NULL, &err) == DSCQ_OK, "%s", err.msg);
    dscq_qmodel_destroy(m);
    (void)snprintf(cmd, sizeof cmd, DECODER "--verify %s >/dev/null", path);
    if (test_has_program("python3"))
        ck_assert_int_eq(system(cmd), 0);
}
END_TEST

/* How each bad file is made from a good one, and what is said about it. */
static const struct bad {
    const char *name, *message;
    dscq_status status;
    int at; /* byte that changes; negative: from the section table's tag list */
    uint8_t to;
    int cut;      /* bytes taken off the end */
    int repaired; /* right checksums afterwards */
} k_bad[] = {
    {"magic", "not a packed network (the first 8 bytes differ)", DSCQ_FORMAT, 2, 'P', 0,
     0},
    {"text_mode", "a packed network damaged by a text-mode transfer", DSCQ_FORMAT, 5,
     '\n', 0, 0},
    {"header", "header: checksum differs; the file is damaged", DSCQ_FORMAT, 16, 1, 0,
     0},
    {"version_2", "format version 2.0; this program reads 1.x", DSCQ_UNSUPPORTED, 8, 2,
     0, 1},
    {"table", "section table: checksum differs; the file is damaged", DSCQ_FORMAT, 34,
     '!', 0, 0},
    {"unknown_required", "section 'NEX ' is required and unknown to this program",
     DSCQ_UNSUPPORTED, 34, 'X', 0, 1},
    {"body", "section 'NET ': checksum differs; the file is damaged", DSCQ_FORMAT, 160,
     0xee, 0, 0},
    {"cut", "", DSCQ_FORMAT, -1, 0, 1, 0},
};

START_TEST(bad_files_are_refused_with_these_words)
{
    const struct bad *b = &k_bad[_i];
    char path[512];
    uint8_t *data;
    size_t bytes;
    dscq_qmodel *m;
    dscq_error err;

    if (getenv("DSCQ_UPDATE_GOLDEN") != NULL) {
        ck_assert_int_eq(
            dscq_file_read(&data, &bytes, GOLDEN "/good_dense.bin", 1 << 24, &err),
            DSCQ_OK);
        if (b->at >= 0)
            data[b->at] = b->to;
        if (b->repaired)
            (void)pack_repair(data);
        (void)snprintf(path, sizeof path, GOLDEN "/bad_%s.bin", b->name);
        ck_assert_int_eq(dscq_file_write(path, data, bytes - (size_t)b->cut, &err),
                         DSCQ_OK);
        dscq_free(data);
    }
    (void)snprintf(path, sizeof path, GOLDEN "/bad_%s.bin", b->name);
    ck_assert_msg(dscq_file_read(&data, &bytes, path, 1 << 24, &err) == DSCQ_OK, "%s",
                  err.msg);
    ck_assert_int_eq(dscq_pack_decode(&m, data, bytes, &err), b->status);
    if (b->message[0] != '\0')
        ck_assert_str_eq(err.msg, b->message);
    else
        ck_assert_ptr_nonnull(strstr(err.msg, "the header says"));
    ck_assert_ptr_null(m);
    dscq_free(data);
}
END_TEST

/* A later minor version with an optional section that we do not know. */
START_TEST(a_newer_minor_version_is_read)
{
    uint8_t *data, *more;
    size_t bytes;
    dscq_qmodel *m;
    dscq_error err;

    ck_assert_int_eq(
        dscq_file_read(&data, &bytes, GOLDEN "/good_dense.bin", 1 << 24, &err),
        DSCQ_OK);
    uint32_t sections;
    memcpy(&sections, data + 12, 4);
    const size_t table_end = 32 + (size_t)sections * 24;
    more = dscq_calloc(bytes + 24 + 5, 1);
    memcpy(more, data, table_end);
    memcpy(more + table_end, "LANE", 4);
    more[table_end + 8] = 5;
    memcpy(more + table_end + 24, data + table_end, bytes - table_end);
    memcpy(more + bytes + 24, "hello", 5);
    more[10] = 7; /* version 1.7 */
    sections++;
    memcpy(more + 12, &sections, 4);
    const uint64_t total = bytes + 29;
    memcpy(more + 16, &total, 8);
    (void)pack_repair(more);
    ck_assert_msg(dscq_pack_decode(&m, more, (size_t)total, &err) == DSCQ_OK, "%s",
                  err.msg);
    dscq_qmodel_destroy(m);
    dscq_free(more);
    dscq_free(data);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("infer_decoder");
    TCase *tc = tcase_create("decoder");

    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, golden_files_are_read_and_written_alike, 0,
                        dscq_pack_encoding_count() + 1);
    tcase_add_loop_test(tc, old_files_are_read, 0, dscq_pack_encoding_count() + 3);
    tcase_add_loop_test(tc, bad_files_are_refused_with_these_words, 0,
                        (int)(sizeof k_bad / sizeof *k_bad));
    tcase_add_test(tc, a_newer_minor_version_is_read);
    tcase_add_loop_test(tc, both_decoders_refuse_the_same_files, 0, 13);
    tcase_add_loop_test(tc, second_decoder_executes_our_files, 0, 44);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return test_run(make_suite);
}
