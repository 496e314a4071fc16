/* Mistakes that people make, and what the program says to them: the mend, not only the
 * fault. One table: arguments, exit code, what the message has. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "program.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char k_net[] =
    "[net]\nwidth=16\nheight=16\nchannels=3\n"
    "[convolutional]\nfilters=4\nsize=3\nstride=2\npad=1\nbatch_normalize=1\n"
    "activation=relu\n"
    "[avgpool]\n[connected]\noutput=4\nactivation=linear\n[softmax]\n"
    "[data]\ntype=signs\nclasses=4\ncount=80\ntest_count=20\nvalid_frac=0.2\n"
    "[train]\nepochs=1\nbatch=16\n[compress]\nepochs=0\n";

/* Networks of other programs, as far as their first bytes go. */
static const struct {
    const char *name, *bytes;
    size_t count;
} k_foreign[] = {
    {"new.pt", "PK\3\4aaaaaaaaaaaaaaaaaaaaaaaaaamodel/data.pkl", 45},
    {"old.pt",
     "\x80\x02\x8a\x0al\xfc\x9c"
     "F\xf9 j",
     11},
    {"keras.h5", "\x89HDF\r\n\x1a\n", 8},
    {"net.keras", "PK\3\4aaaaaaaaaaaaaaaaaaaaaaaaaaconfig.json", 41},
    {"net.onnx.gz", "\x1f\x8b\x08\x00", 4},
    {"net.tflite", "\x1c\0\0\0TFL3", 8},
    {"net.safetensors", "\x40\0\0\0\0\0\0\0{\"a\":", 13},
    {"frozen.pb", "\x0a\x20\x0a\x05", 4},
    {"arrays.npz", "PK\3\4aaaaaaaaaaaaaaaaaaaaaaaaaaconv.npy", 38},
    {"files.zip", "PK\3\4aaaaaaaaaaaaaaaaaaaaaaaaaaread.me", 37},
    {"net.caffemodel", "\x0a\x04net1", 6},
    {"net.mlmodel", "\x08\x04\x12\x10", 4},
    {"pointer.onnx", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n", 56},
    {"page.onnx", "<!DOCTYPE html>\n<html><body>Not found</body></html>\n", 52},
    {"empty.onnx", "", 0},
    {"any.dat", "\x01\x02\x03\x04\x05\x06\x07\x08", 8},
    {"photo.png", "\x89PNG\r\n\x1a\n", 8},
};

static void make_files(void)
{
    dscq_error err = {DSCQ_OK, ""};

    test_file("net.cfg", k_net);
    test_file("five.cfg", "[net]\nwidht=16\nheight=16\nchannels=3\nwidth=16\n"
                          "[convolutional]\nfilters=many\nsize=3\nactivation=relu\n"
                          "[convolutionnal]\nfilters=3\n"
                          "[connected]\noutput=4\nactivation=linear\n"
                          "[train]\nepochs=-1\nthis is no line\n"
                          "[compress]\nmethod=clippq\n[trian]\nbatch=3\n");
    test_file("list.cfg", "[compress_layer]\nmatch=*\np=0.5\n");
    test_file("other.json", "{\"a\": 1}\n");
    for (size_t i = 0; i < sizeof k_foreign / sizeof *k_foreign; i++)
        test_ok(dscq_file_write(test_path(k_foreign[i].name), k_foreign[i].bytes,
                                k_foreign[i].count, &err));
    ck_assert_int_eq(mkfifo(test_path("pipe"), 0600), 0);
    test_program_ok("compress net.cfg -o run --quiet");
    test_printed("");
    test_program_ok("report run/packed.bin --json=old.json --quiet");
    test_program_ok("report run/packed.bin --json=noending --quiet");
    test_program_ok("export net.cfg -w run/float.ckpt -o stem --quiet");
}

/* `said` is looked for in stderr and stdout together; a second text may follow. */
static const struct {
    const char *args;
    int code;
    const char *said, *and;
} k_mistakes[] = {
    /* a name that is not quite one */
    {"simulate run/packed.bin --machine zcu140", 7, "did you mean zcu104?", "zynq7020"},
    {"simulate run/packed.bin --machine kv260", 7, "a board, not a machine",
     "--machine zcu104 --set board=kv260"},
    {"simulate run/packed.bin --machine PYNQ-Z2", 7,
     "a board, not a machine; for it: ", "zynq7020"},
    {"compress net.cfg -o x --search greedy --set search.objective=energy -m zedbord",
     7, "machine zedbord: not one of", "zynq7020"},
    {"simulate run/packed.bin --machine ZCU104", 0, "frames/s", NULL},
    {"simulate run/packed.bin --what-if dram=ddr9", 7, "dram ddr9: ", "ddr3_1333"},
    {"simulate run/packed.bin --set dram=DDR4-2400", 0, "frames/s", NULL},
    {"simulate run/packed.bin --set energy=fpga61", 7, "did you mean fpga16?", NULL},
    {"dram none.trc --config ddr4_2040", 7, "did you mean ddr4_2400?", NULL},
    {"train demmo --dry-run", 7, "did you mean demo?", "mobilenet_v1_32"},
    {"train DEMO --dry-run", 0, "multiply-accumulates", NULL},
    /* settings */
    {"train net.cfg --set trian.epochs=3", 5, "--set trian: ", "did you mean [train]?"},
    {"train net.cfg --set train.epochs=x", 5, "--set train.epochs: ", "whole number"},
    {"compress net.cfg --set compress.method=x", 5, "--set compress.method: ", NULL},
    {"train net.cfg --set net.width=0", 5, "net.cfg:1 and --set net.width: ", NULL},
    {"train net.cfg --dry-run --set train.batch=0.016k", 0, "parameters", NULL},
    {"simulate run/packed.bin --set clock_mhz=0.1GHz", 0, " 100 MHz", NULL},
    {"simulate run/packed.bin --what-if clock_mhz=300MHz", 0, "fps", NULL},
    {"simulate run/packed.bin --set clock_mhz=5ns", 5, "200MHz", NULL},
    {"compress net.cfg --search greedy --budget 30xyz -o x", 2, "30min", "1h30m"},
    {"train net.cfg --set data.type=folder --set data.train=~/no-such-folder", 7,
     "/home/nobody/no-such-folder", NULL},
    {"train net.cfg --epochs 3", 2, "did you mean --set train.epochs=3",
     "compress.epochs=3"},
    {"train net.cfg --learning-rate=0.1", 2, "--set train.learning_rate=0.1", NULL},
    {"simulate run/packed.bin --clock-mhz 100", 2, "--set clock_mhz=100", NULL},
    {"inspect run/packed.bin --machine zcu104", 2, "it is one of compress, simulate",
     NULL},
    /* --json and what is behind it */
    {"inspect run/packed.bin --json report.json", 2, "write --json=report.json", NULL},
    {"run run/packed.bin photo.png --json out.json", 2, "write --json=out.json", NULL},
    {"train --json new.json net.cfg", 2, "write --json=new.json", NULL},
    {"check net.cfg --json out.json", 2, "write --json=out.json", NULL},
    {"version --json=-", 0, "\"dscq.version/1\"", NULL},
    {"sample net.cfg --class strop -o y.png", 2, "class 'strop': there is none", NULL},
    {"sample net.cfg --class red -o y.png --force", 0, "red_circle", NULL},
    {"sample net.cfg --class *_5 -o y.png --force", 0, "red_circle_5", NULL},
    {"sample net.cfg --class 2 -o y.png --force", 0, "red_circle_6", NULL},
    {"sample net.cfg --index 999 -o z.png", 2, "index 999: the test part has 20", NULL},
    {"sample net.cfg -o y.jpg", 2, ".jpg is not written here", ".png"},
    {"sample net.cfg", 0, "pictures", NULL},
    {"train net.cfg -o -", 2, "want a name", "/dev/stdout"},
    {"report run/packed.bin --html -", 2, "want a name", NULL},
    {"inspect -", 2, "standard input is not read", NULL},
    /* a file of another kind */
    {"compress run/packed.bin", 5, "this is a packed network", "inspect"},
    {"train run/float.ckpt", 5, "this is a checkpoint", "eval --weights"},
    {"train photo.png", 5, "this is a picture", "run"},
    {"train other.json", 5, "this is JSON", "NET.cfg"},
    {"train list.cfg", 5, "this is a recipe", "compress --recipe"},
    {"train run", 7, "is a folder", "NET.cfg"},
    {"simulate net.cfg", 5, "this is a network's cfg", "compress"},
    {"simulate run", 7, "is a folder; its packed network is run/packed.bin", NULL},
    {"inspect run/run.json", 5, "the manifest of a run", NULL},
    {"verify old.json", 5, "this is a report", "report"},
    {"diff run/packed.bin net.cfg", 5, "this is a network's cfg", NULL},
    {"run net.cfg photo.png", 5, "run wants PACKED.bin", NULL},
    {"run run/packed.bin net.cfg", 5, "run wants IMAGE", NULL},
    {"eval net.cfg -w run/packed.bin", 5, "eval --weights wants a checkpoint",
     "eval --packed"},
    {"eval net.cfg -p run/float.ckpt", 5, "eval --packed wants a packed network", NULL},
    {"compress net.cfg --recipe net.cfg", 5, "compress --recipe wants a recipe", NULL},
    {"simulate run/packed.bin --machine net.cfg", 5, "wants a machine's cfg", NULL},
    {"simulate run/packed.bin --net run/packed.bin", 5, "wants a network's cfg", NULL},
    {"report run/packed.bin --baseline run/run.json", 5, "wants a report", NULL},
    {"explain run/packed.bin", 5, "explain wants RUN", NULL},
    {"export run/run.json -o a.onnx", 5, "the manifest of a run", NULL},
    {"check run/run.json", 5, "the manifest of a run", NULL},
    {"report noending", 0, "energy_pj", NULL}, /* a report whatever its name */
    /* networks of other programs */
    {"import new.pt -o i", 4, "a PyTorch file", "torch.onnx.export()"},
    {"import old.pt -o i", 4, "a PyTorch file", "torch.onnx.export()"},
    {"import keras.h5 -o i", 4, "an HDF5 file", "ONNX"},
    {"import net.keras -o i", 4, "a Keras file", "ONNX"},
    {"import net.onnx.gz -o i", 4, "compressed by gzip", "gunzip"},
    {"import net.tflite -o i", 5, "net.tflite: damaged", NULL},
    {"import net.safetensors -o i", 4, "a safetensors file", "ONNX"},
    {"import frozen.pb -o i", 4, "a TensorFlow graph", "tf2onnx"},
    {"import arrays.npz -o i", 4, "arrays", "ONNX"},
    {"import files.zip -o i", 4, "a zip archive", "unpack"},
    {"import net.caffemodel -o i", 4, "Caffe", "ONNX"},
    {"import net.mlmodel -o i", 4, "a Core ML network", "ONNX"},
    {"import pointer.onnx -o i", 5, "a Git LFS pointer", "git lfs pull"},
    {"import page.onnx -o i", 5, "a web page", "download"},
    {"import empty.onnx -o i", 5, "empty", NULL},
    {"import any.dat -o i", 5,
     "neither an ONNX or TensorFlow Lite file nor a Darknet cfg", NULL},
    {"import run/float.ckpt -o i", 5, "this is a checkpoint", "NET.cfg"},
    {"import net.cfg -o i", 2, "a Darknet cfg needs its weights file too", NULL},
    {"compress new.pt", 4, "a PyTorch file", "torch.onnx.export()"},
    {"train net.cfg -w keras.h5", 4, "an HDF5 file", NULL},
    {"simulate pointer.onnx", 5, "a Git LFS pointer", NULL},
    {"check new.pt keras.h5", 5, "a PyTorch file", "an HDF5 file"},
    /* options that mean nothing where they stand */
    {"compress net.cfg --budget 30 -o x", 2, "--budget means nothing here",
     "--search bayes"},
    {"compress net.cfg --machine zcu104 -o x", 2, "--machine means nothing here", NULL},
    {"report other.json", 2, "schema", "dscq.report/1"},
    {"report run/packed.bin --baseline other.json", 2, "schema", "dscq.report/1"},
    {"report old.json --machine zcu104", 2, "--machine means nothing here", NULL},
    {"report old.json --frames 2", 2, "--frames means nothing here", NULL},
    {"report old.json --set clock_mhz=100", 2, "--set means nothing here", NULL},
    {"report old.json --trace t.json", 2, "--trace means nothing here", NULL},
    {"export run/packed.bin -w run/float.ckpt -o a.onnx", 2, "--weights means nothing",
     NULL},
    {"export net.cfg -w run/float.ckpt -o a.onnx --dialect pjreddie", 2,
     "--dialect means nothing here", NULL},
    {"eval net.cfg -p run/packed.bin --ap coco", 2, "--ap means nothing here", NULL},
    {"explain run 0 --recipe 3", 2, "leave '0' out", NULL},
    /* endings */
    {"export net.cfg -w run/float.ckpt -o a.tflite", 2, ".tflite is not written here",
     ".onnx"},
    {"export net.cfg -w run/float.ckpt -o a.cfg", 2, "a name without an ending", NULL},
    {"export net.cfg -w run/float.ckpt -o stem", 2, "stem.cfg: exists", "--force"},
    {"export net.cfg -w run/float.ckpt -o net-v1.5", 0, "net-v1.5.cfg", NULL},
    {"unpack run/packed.bin -o x.h5", 2, ".h5 is not written here", ".npz"},
    {"unpack run/packed.bin --as archive -o x.npz", 2, ".npz is not written", ".bin"},
    {"simulate run/packed.bin --trace x.fst", 2, ".fst is not written here", ".vcd"},
    {"report run/packed.bin --html x.pdf", 2, ".pdf is not written here", ".html"},
    {"eval net.cfg -p run/packed.bin --predictions x.json", 2, ".json is not written",
     ".csv"},
    /* layers of a run, words of the help */
    {"explain run 2", 0, "2_connected", NULL},
    {"explain run 2_conected", 2, "did you mean '2_connected'", NULL},
    {"explain run nolayer", 2, "2_connected", "0_convolutional"},
    {"help train.epochs", 0, "passes over the training part", NULL},
    {"help epochs", 0, "train.epochs", "compress.epochs"},
    {"help [search]", 0, "max_loss", NULL},
    {"help clipq", 0, "Tung and Mori", NULL},
    {"help depthwise", 0, "[depthwise]", NULL},
    {"help huffman", 0, "huffman", NULL},
    {"help folder", 0, "data.type = folder", NULL},
    {"help -- --budget", 0, "dscq compress", NULL},
    {"help nothing-of-the-kind", 2, "try 'dscq help'", NULL},
    /* what is no ordinary file */
    {"train pipe", 7, "is no ordinary file", NULL},
    {"train net.cfg -w pipe", 7, "is no ordinary file", NULL},
    {"simulate pipe", 7, "is no ordinary file", NULL},
    {"simulate run/packed.bin --net pipe", 7, "is no ordinary file", NULL},
    {"simulate run/packed.bin --machine ./pipe", 7, "is no ordinary file", NULL},
    {"report run/packed.bin --baseline pipe", 7, "is no ordinary file", NULL},
    {"verify run/packed.bin --dump pipe", 7, "is no ordinary file", NULL},
    {"dram pipe", 7, "is no ordinary file", NULL},
    {"import pipe -o i", 7, "is no ordinary file", NULL},
    {"import net.cfg pipe -o i", 7, "is no ordinary file", NULL},
    {"compress net.cfg --recipe pipe -o x", 7, "is no ordinary file", NULL},
    {"train net.cfg --set data.type=list --set data.train=pipe", 7,
     "is no ordinary file", NULL},
};

static int has(const char *file, const char *text)
{
    char *all = test_read(test_path(file));
    const int yes = strstr(all, text) != NULL;

    dscq_free(all);
    return yes;
}

static void check_said(const char *args, const char *text)
{
    if (text == NULL || has("stderr.txt", text) || has("stdout.txt", text))
        return;
    char *err = test_read(test_path("stderr.txt"));
    ck_abort_msg("dscq %s: no '%s' in: %s", args, text, err);
}

/* A mistake is one line on stderr, and leaves nothing behind. */
static void check_line(const char *args)
{
    char *err = test_read(test_path("stderr.txt"));
    const size_t n = strlen(err);

    ck_assert_msg(n > 6 && strncmp(err, "dscq: ", 6) == 0 &&
                      strchr(err, '\n') == err + n - 1,
                  "dscq %s: %s", args, err);
    dscq_free(err);
}

START_TEST(a_mistake_is_told_with_its_mend)
{
    if (!test_has_json())
        return;
    ck_assert_int_eq(setenv("HOME", "/home/nobody", 1), 0);
    make_files();
    const size_t files = test_file_count(test_path(""));
    for (size_t i = 0; i < sizeof k_mistakes / sizeof *k_mistakes; i++) {
        const char *args = k_mistakes[i].args;
        const int code = test_program(args);
        check_said(args, k_mistakes[i].said);
        check_said(args, k_mistakes[i].and);
        ck_assert_msg(code == k_mistakes[i].code, "dscq %s: exit code %d", args, code);
        if (code != 0)
            check_line(args);
        ck_assert_msg(!dscq_path_exists(test_path("-")), "dscq %s wrote '-'", args);
    }
    ck_assert_uint_le(test_file_count(test_path("")), files + 6);
}
END_TEST

/* All mistakes of a cfg in one call. */
START_TEST(check_tells_every_mistake_of_a_cfg)
{
    static const char *const k_all[] = {"five.cfg:2: widht = '16'",
                                        "five.cfg:7: filters = 'many'",
                                        "five.cfg:10: [convolutionnal]",
                                        "five.cfg:16: epochs = '-1'",
                                        "five.cfg:17: 'this is no line'",
                                        "five.cfg:19: [compress] method",
                                        "five.cfg:20: "};

    make_files();
    ck_assert_int_eq(test_program("check five.cfg"), 5);
    for (size_t i = 0; i < sizeof k_all / sizeof *k_all; i++)
        check_said("check five.cfg", k_all[i]);
    test_said("errors");
    ck_assert_int_eq(test_program("check five.cfg --quiet"), 5);
    test_printed("five.cfg:16: epochs = '-1'"); /* what went wrong is always said */
    test_program_fails("train five.cfg", 5, "five.cfg:17: 'this is no line'");
}
END_TEST

static size_t printed(void)
{
    char *out = test_read(test_path("stdout.txt"));
    const size_t n = strlen(out);

    dscq_free(out);
    return n;
}

/* What writes files, or its result elsewhere, is silent; what is asked for is not. */
START_TEST(quiet_prints_nothing_that_is_elsewhere)
{
    static const char *const k_silent[] = {
        "export net.cfg -w a/float.ckpt -o a.onnx -q",
        "import a.onnx -o c -q",
        "unpack d/packed.bin -q",
        "report d/packed.bin -q --json=d.json",
        "report d/packed.bin -q --html d.html",
        "report d/packed.bin -q --fail-if cycles>1e12"};
    static const char *const k_said[] = {
        "train net.cfg -o e -q",      "sensitivity net.cfg -w a/float.ckpt -o b -q",
        "train net.cfg -q --dry-run", "inspect d/packed.bin -q",
        "report d/packed.bin -q",     "version -q --json"};

    if (!test_has_json())
        return;
    (void)test_file("net.cfg", k_net);
    test_program_ok("train net.cfg -o a");
    test_program_ok("compress net.cfg -w a/float.ckpt -o d -q");
    ck_assert_uint_gt(printed(), 0);
    for (size_t i = 0; i < sizeof k_silent / sizeof *k_silent; i++) {
        test_program_ok(k_silent[i]);
        ck_assert_msg(printed() == 0, "dscq %s printed", k_silent[i]);
    }
    for (size_t i = 0; i < sizeof k_said / sizeof *k_said; i++) {
        test_program_ok(k_said[i]);
        ck_assert_msg(printed() > 0, "dscq %s printed nothing", k_said[i]);
    }
    ck_assert_int_eq(test_program("report d/packed.bin -q --fail-if cycles>1"), 3);
    test_printed("cycles>1");
}
END_TEST

/* A consumer that dispatches on "schema" must not meet two things of one name. */
START_TEST(a_schema_names_one_thing)
{
    static const struct {
        const char *args, *file, *schema;
    } k_documents[] = {
        {"run run/packed.bin sign.png --json", "stdout.txt", "dscq.answers/1"},
        {NULL, "run/run.json", "dscq.run/1"},
        {"compress net.cfg -w run/float.ckpt -o c --json", "stdout.txt",
         "dscq.compress/1"},
        {"train net.cfg -o t --json", "stdout.txt", "dscq.train/1"},
        {"inspect run/packed.bin --json", "stdout.txt", "dscq.inspect/1"},
        {"report run/packed.bin --json", "stdout.txt", "dscq.report/1"},
        {"eval net.cfg -p run/packed.bin --json", "stdout.txt", "dscq.eval/1"},
        {"check net.cfg --json", "stdout.txt", "dscq.check/1"},
        {"verify run/packed.bin --json", "stdout.txt", "dscq.verify/1"},
        {"diff run/packed.bin run/packed.bin --json", "stdout.txt", "dscq.diff/1"},
        {"explain run 2 --json", "stdout.txt", "dscq.explain/1"},
        {"sensitivity net.cfg -w run/float.ckpt -o s --json", "stdout.txt",
         "dscq.sensitivity/1"},
        {"unpack run/packed.bin --json", "stdout.txt", "dscq.unpack/1"},
        {"compress net.cfg -w run/float.ckpt -o f --search greedy --quiet",
         "f/search.json", "dscq.search/1"},
    };
    const size_t n = sizeof k_documents / sizeof *k_documents;
    char want[80];

    if (!test_has_json())
        return;
    make_files();
    test_program_ok("sample net.cfg -o sign.png");
    for (size_t i = 0; i < n; i++) {
        const int code =
            k_documents[i].args != NULL ? test_program(k_documents[i].args) : 0;
        ck_assert_msg(code == 0 || code == 3, "dscq %s: %d", k_documents[i].args, code);
        (void)snprintf(want, sizeof want, "\"schema\": \"%s\"", k_documents[i].schema);
        ck_assert_msg(has(k_documents[i].file, want), "%s: no %s", k_documents[i].file,
                      want);
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(k_documents[i].schema, k_documents[j].schema);
    }
}
END_TEST

/* As somebody who may not: root may write anywhere. */
static void exec_as_nobody(const char *dir)
{
    if (chdir(dir) != 0 || chmod(".", 0777) != 0 || chmod("..", 0755) != 0)
        _exit(97);
    const int out = open("stderr.txt", O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (dup2(out, 1) < 0 || dup2(out, 2) < 0 || (getuid() == 0 && setuid(65534) != 0))
        _exit(98);
    (void)execl(DSCQ_BINARY, "dscq", "train", "net.cfg", "-o", "closed/run",
                (char *)NULL);
    _exit(99);
}

/* A folder that must not be written to says that, not that something is not there. */
START_TEST(a_read_only_folder_says_so)
{
    char dir[1024];

    (void)test_file("net.cfg", k_net);
    ck_assert_int_eq(chmod(test_path("net.cfg"), 0644), 0);
    ck_assert_int_eq(mkdir(test_path("closed"), 0555), 0);
    (void)dscq_str_copy(dir, sizeof dir, test_path(""));
    const pid_t pid = fork();
    if (pid == 0)
        exec_as_nobody(dir);
    const int code = test_finish(pid);
    if (code == 99) {
        test_skip("nobody may run %s", DSCQ_BINARY);
        return;
    }
    ck_assert_int_eq(code, 7);
    test_said("closed/run: cannot create the folder: Permission denied");
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("mistakes on the command line", &tc);

    tcase_set_timeout(tc, 600);
    tcase_add_test(tc, a_mistake_is_told_with_its_mend);
    tcase_add_test(tc, check_tells_every_mistake_of_a_cfg);
    tcase_add_test(tc, quiet_prints_nothing_that_is_elsewhere);
    tcase_add_test(tc, a_schema_names_one_thing);
    tcase_add_test(tc, a_read_only_folder_says_so);
    return s;
}

int main(void)
{
    return test_run(make);
}
