/* The whole product on a tiny network: same bytes for 1 and 2 threads, the same bytes
 * after kill -9 and --resume, a packed file that every execution agrees on. */
#define _XOPEN_SOURCE 700
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/json.h"
#include "program.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TEST_SECONDS = 600 };

static const char *const k_net =
    "[net]\nwidth=16\nheight=16\nchannels=3\n"
    "[convolutional]\nfilters=8\nsize=3\nstride=2\npad=1\nbatch_normalize=1\n"
    "activation=relu\n"
    "[depthwise]\nsize=3\npad=1\nbatch_normalize=1\nactivation=relu\n"
    "[convolutional]\nname=wide\nfilters=16\nsize=1\nbatch_normalize=1\n"
    "activation=relu6\n"
    "[depthwise]\nsize=3\npad=1\nbatch_normalize=1\nactivation=relu6\n"
    "[convolutional]\nfilters=16\nsize=1\nbatch_normalize=1\nactivation=linear\n"
    "[shortcut]\nfrom=-3\nactivation=leaky\n"
    "[avgpool]\n[connected]\noutput=4\nactivation=linear\n[softmax]\n"
    "[data]\ntype=signs\nclasses=4\ncount=400\ntest_count=100\nvalid_frac=0.2\nflip=1\n"
    "shift=2\n"
    "[train]\nepochs=3\nbatch=16\nlearning_rate=0.05\n"
    "[compress]\nmethod=dsc_clipq\nepochs=3\np=0.5\nb=4\nfreeze_frac=0.4\n"
    "calibration_images=64\n"
    "[compress_layer]\nmatch=wide\nb=3\n";

static void make_reference(void)
{
    test_file("net.cfg", k_net);
    test_program_ok("compress net.cfg -o one --threads 1 --quiet");
}

START_TEST(two_threads_write_the_bytes_of_one)
{
    test_program_ok("compress net.cfg -o two --threads 2 --quiet");
    test_same("one/float.ckpt", "two/float.ckpt");
    test_same("one/packed.bin", "two/packed.bin");
    test_same("one/run.json", "two/run.json");
    test_same("one/layers.csv", "two/layers.csv");
}
END_TEST

/* Killed ever later and resumed until it gets through. */
static void kill_until_done(const char *net, const char *dir)
{
    char args[256];

    snprintf(args, sizeof args, "compress %s -o %s --threads 1", net, dir);
    ck_assert_int_gt(test_kill_until_done(args, "--resume", 0), 0);
}

START_TEST(killed_and_resumed_it_writes_the_same_bytes)
{
    test_finish(
        test_start("compress net.cfg -o again --threads 1 --set train.save_every=1 "
                   "--dry-run-nothing")); /* a refused flag leaves no folder behind */
    ck_assert(!dscq_path_exists(test_path("again")));
    kill_until_done("net.cfg", "again");
    test_same("one/float.ckpt", "again/float.ckpt");
    test_same("one/packed.bin", "again/packed.bin");
}
END_TEST

/* Half of the channels removed, the smaller network taught by the large one, then
 * compressed: the same bytes with two threads, and after kill -9. */
START_TEST(fewer_channels)
{
    char text[4096];
    uint8_t *data = NULL;
    size_t before, after;

    snprintf(text, sizeof text, "%s[compress_layer]\nmatch=*\nkeep_channels=0.5\n",
             k_net);
    char *tail = strstr(text, "epochs=3\np=0.5"); /* of [compress] */
    ck_assert_ptr_nonnull(tail);
    tail[7] = '2';
    test_file("half.cfg", text);
    test_program_ok(
        "compress half.cfg -o h1 --threads 1 --quiet --set train.distil_weight=0.5");
    test_program_ok(
        "compress half.cfg -o h2 --threads 2 --quiet --set train.distil_weight=0.5");
    test_same("h1/small.ckpt", "h2/small.ckpt");
    test_same("h1/packed.bin", "h2/packed.bin");
    test_same("h1/run.json", "h2/run.json");
    char *manifest = test_read(test_path("h1/run.json"));
    ck_assert_ptr_nonnull(strstr(manifest, "\"small.ckpt\""));
    dscq_free(manifest);
    ck_assert(dscq_path_exists(test_path("h1/channels.csv")));
    ck_assert_int_eq(dscq_file_read(&data, &after, test_path("h1/small.ckpt"),
                                    (size_t)1 << 26, NULL),
                     DSCQ_OK);
    dscq_free(data);
    ck_assert_int_eq(dscq_file_read(&data, &before, test_path("one/float.ckpt"),
                                    (size_t)1 << 26, NULL),
                     DSCQ_OK);
    dscq_free(data);
    ck_assert_uint_lt(after, before);
    test_program_ok("verify h1/packed.bin");
    kill_until_done("half.cfg --set train.distil_weight=0.5", "h3");
    test_same("h1/small.ckpt", "h3/small.ckpt");
    test_same("h1/packed.bin", "h3/packed.bin");
    /* what is tied to a layer that keeps all stays */
    snprintf(text, sizeof text, "%s[compress_layer]\nmatch=wide\nkeep_channels=0.5\n",
             k_net);
    test_file("tied.cfg", text);
    ck_assert_int_eq(
        test_finish(test_start("compress tied.cfg -w one/float.ckpt -o h4")), 5);
    char *said = test_read(test_path("stderr.txt"));
    ck_assert_msg(strstr(said, "keep_channels removes nothing") != NULL, "%s", said);
    dscq_free(said);
}
END_TEST

#define LEARNS                                                                         \
    "--set compress.learn_ranges=1 --set compress.activation_b=4 --set "               \
    "compress.freeze_frac=0.7"

/* Activation ranges that learn: any number of threads, kill -9 and all. */
START_TEST(learned_ranges)
{
    test_program_ok(
        "compress net.cfg -o r1 --threads 1 --quiet -w one/float.ckpt " LEARNS);
    test_program_ok(
        "compress net.cfg -o r2 --threads 2 --quiet -w one/float.ckpt " LEARNS);
    test_same("r1/packed.bin", "r2/packed.bin");
    kill_until_done("net.cfg -w one/float.ckpt " LEARNS, "r3");
    test_same("r1/packed.bin", "r3/packed.bin");
    test_program_ok(
        "compress net.cfg -o r4 --threads 1 --quiet -w one/float.ckpt " LEARNS
        " --set compress.range_rate=0");
    ck_assert_int_eq(test_finish(test_start("diff r1/packed.bin r4/packed.bin")), 6);
    ck_assert_int_eq(
        test_finish(test_start("compress net.cfg -o r5 --set compress.epochs=0 "
                               "--set compress.learn_ranges=1")),
        5);
}
END_TEST

START_TEST(interrupted_it_saves_and_says_130)
{
    const struct timespec wait = {0, 20 * 1000 * 1000};
    const pid_t pid = test_start("train net.cfg -o stopped --set train.epochs=400");

    while (!dscq_path_exists(test_path("stopped/curve.csv"))) {
        ck_assert_int_eq(waitpid(pid, NULL, WNOHANG), 0); /* it goes on */
        nanosleep(&wait, NULL);
    }
    nanosleep(&wait, NULL);
    kill(pid, SIGINT);
    ck_assert_int_eq(test_finish(pid), 130);
    ck_assert(dscq_path_exists(test_path("stopped/train.ckpt")));
    test_program_ok(
        "train net.cfg -o stopped --resume --set train.epochs=400 --dry-run");
}
END_TEST

START_TEST(every_execution_of_the_file_agrees)
{
    test_program_ok("verify one/packed.bin");
    test_program_ok("simulate one/packed.bin --machine zcu104 --frames 2 --verify");
    test_program_ok("simulate one/packed.bin --machine zynq7020 --verify");
    test_program_ok("verify one/packed.bin --write-dump one/dump");
    test_program_ok("verify one/packed.bin --dump one/dump");
    uint8_t *dump = NULL;
    size_t bytes;
    ck_assert_int_eq(
        dscq_file_read(&dump, &bytes, test_path("one/dump"), (size_t)1 << 26, NULL),
        DSCQ_OK);
    dump[bytes - 1] ^= 1; /* the last code of the last layer */
    ck_assert_int_eq(dscq_file_write(test_path("one/wrong"), dump, bytes, NULL),
                     DSCQ_OK);
    dscq_free(dump);
    ck_assert_int_eq(test_finish(test_start("verify one/packed.bin --dump one/wrong "
                                            "--json=one/wrong.json")),
                     6);
    test_program_ok("diff one/packed.bin one/packed.bin --json=one/same.json");
    ck_assert_int_eq(test_finish(test_start(
                         "diff one/packed.bin " DSCQ_SOURCE_DIR
                         "/tests/golden/pack/good_dense.bin --json=one/diff.json")),
                     6);
    dscq_json *j = NULL;
    ck_assert_int_eq(dscq_json_load(&j, test_path("one/diff.json"), NULL), DSCQ_OK);
    ck_assert(dscq_json_int(dscq_json_get(j, "difference_count"), 0) > 0);
    dscq_json_free(j);
    test_program_ok("unpack one/packed.bin -o one/packed.npz");
}
END_TEST

/* The same network in its smallest form, and back to the same bytes. */
START_TEST(an_archive_is_the_same_network)
{
    uint8_t *machine = NULL, *archive = NULL;
    size_t machine_bytes, archive_bytes;

    test_program_ok("unpack one/packed.bin --as archive -o one/archive.bin");
    test_program_ok("diff one/packed.bin one/archive.bin");
    test_program_ok("verify one/archive.bin");
    test_program_ok("simulate one/archive.bin --machine zynq7020 --verify");
    test_program_ok("unpack one/archive.bin --as machine -o one/machine.bin");
    test_same("one/packed.bin", "one/machine.bin");
    ck_assert_int_eq(test_finish(test_start("unpack one/packed.bin --as machine "
                                            "-o one/machine.bin")),
                     2); /* never overwritten without --force */
    ck_assert_int_eq(test_finish(test_start("unpack one/packed.bin --as small")), 2);
    ck_assert_int_eq(dscq_file_read(&machine, &machine_bytes,
                                    test_path("one/machine.bin"), (size_t)1 << 26,
                                    NULL),
                     DSCQ_OK);
    ck_assert_int_eq(dscq_file_read(&archive, &archive_bytes,
                                    test_path("one/archive.bin"), (size_t)1 << 26,
                                    NULL),
                     DSCQ_OK);
    ck_assert_uint_lt(archive_bytes, machine_bytes);
    dscq_free(machine);
    dscq_free(archive);
}
END_TEST

START_TEST(a_report_is_stable_and_gates_work)
{
    test_program_ok(
        "report one/packed.bin --machine zcu104 --energy --json=one/a.json");
    test_program_ok(
        "report one/packed.bin --machine zcu104 --energy --json=one/b.json");
    test_same("one/a.json", "one/b.json");
    test_program_ok(
        "report one/packed.bin --baseline one/a.json --fail-if energy_pj>+1% "
        "--fail-if cycles>+0%");
    /* another machine: compared only when told */
    test_program_fails("report one/packed.bin --set clock_mhz=20 --baseline one/a.json "
                       "--fail-if energy_pj>+2%",
                       2, "clock_mhz is 20, was 200");
    test_said("--other-baseline");
    test_program_fails("report one/packed.bin --frames 2 --baseline one/a.json", 2,
                       "number of frames is 2, was 1");
    test_program_fails("report one/packed.bin --set clock_mhz=20 --baseline one/a.json "
                       "--fail-if energy_pj>+2% --other-baseline",
                       3, "gates broken");
    test_said("warning: one/a.json: ");
    dscq_json *j = NULL;
    ck_assert_int_eq(dscq_json_load(&j, test_path("one/a.json"), NULL), DSCQ_OK);
    ck_assert_str_eq(dscq_json_text(dscq_json_get(j, "schema"), ""), "dscq.report/1");
    ck_assert(dscq_json_int(dscq_json_get(j, "total.cycles"), 0) > 0);
    dscq_json_free(j);
}
END_TEST

static double number_at(const char *file, const char *key)
{
    dscq_json *j = NULL;
    dscq_error err = {0};

    ck_assert_msg(dscq_json_load(&j, test_path(file), &err) == DSCQ_OK, "%s", err.msg);
    const double v = dscq_json_real(dscq_json_get(j, key), -1);
    dscq_json_free(j);
    return v;
}

/* From the run.json beside the file, if it is about this very file. */
START_TEST(a_report_knows_the_accuracy)
{
    test_program_ok("report one/packed.bin --json=one/a.json");
    ck_assert(number_at("one/a.json", "accuracy.images") > 0);
    ck_assert(number_at("one/a.json", "accuracy.packed_top1_frac") ==
              number_at("one/run.json", "packed_score_frac"));
    ck_assert(number_at("one/a.json", "accuracy.packed_low_frac") <
              number_at("one/a.json", "accuracy.packed_top1_frac"));
    test_program_ok("report one/packed.bin --baseline one/a.json --fail-if "
                    "packed_top1_frac<-0.1%");
    test_program_ok("unpack one/packed.bin --as archive -o one/other.bin");
    test_program_ok("report one/other.bin --json=one/other.json");
    ck_assert(number_at("one/other.json", "accuracy.images") < 0);
    ck_assert(number_at("one/other.json", "total.cycles") > 0);
    /* what is no manifest is passed by, also what would never end */
    ck_assert_int_eq(unlink(test_path("one/run.json")), 0);
    ck_assert_int_eq(mkfifo(test_path("one/run.json"), 0600), 0);
    test_program_ok("report one/packed.bin --json=one/other.json --force");
    ck_assert(number_at("one/other.json", "accuracy.images") < 0);
}
END_TEST

START_TEST(pictures_get_answers)
{
    test_program_ok(
        "eval net.cfg -w one/float.ckpt -p one/packed.bin --per-class --confusion");
    test_program_ok("inspect one/packed.bin --json=one/inspect.json");
    dscq_json *j = NULL;
    ck_assert_int_eq(dscq_json_load(&j, test_path("one/inspect.json"), NULL), DSCQ_OK);
    uint8_t *data = NULL;
    size_t bytes;
    ck_assert_int_eq(dscq_file_read(&data, &bytes, test_path("one/packed.bin"),
                                    (size_t)1 << 26, NULL),
                     DSCQ_OK);
    ck_assert_int_eq(dscq_json_int(dscq_json_get(j, "file_bytes"), 0), (int64_t)bytes);
    dscq_free(data);
    dscq_json_free(j);
    test_program_ok("run one/packed.bin one/curve.png --top 2");
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("pipeline", &tc);

    tcase_add_checked_fixture(tc, make_reference, NULL);
    tcase_set_timeout(tc, TEST_SECONDS);
    tcase_add_test(tc, two_threads_write_the_bytes_of_one);
    tcase_add_test(tc, killed_and_resumed_it_writes_the_same_bytes);
    tcase_add_test(tc, fewer_channels);
    tcase_add_test(tc, learned_ranges);
    tcase_add_test(tc, interrupted_it_saves_and_says_130);
    tcase_add_test(tc, every_execution_of_the_file_agrees);
    tcase_add_test(tc, an_archive_is_the_same_network);
    tcase_add_test(tc, a_report_is_stable_and_gates_work);
    tcase_add_test(tc, a_report_knows_the_accuracy);
    tcase_add_test(tc, pictures_get_answers);
    return s;
}

int main(void)
{
    return test_run(make);
}
