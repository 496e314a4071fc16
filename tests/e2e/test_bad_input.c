/* Every way of handing in something broken ends with the documented exit code, one
 * clear line on stderr, and nothing half-written. A row a case. */
#define _XOPEN_SOURCE 700
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "support.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

enum { ARGS_MAX = 12, STEP_SECONDS = 300 };

typedef struct bad_case {
    const char *name;
    const char *args;      /* words divided by blanks; @x = file x of the folder      */
    const char *cfg;       /* text of @net.cfg; NULL: the good one                    */
    void (*prepare)(void); /* breaks something; NULL: nothing more                    */
    int exit_code;
    const char *says; /* must occur on stderr */
} bad_case;

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

/* ---- running the program ------------------------------------------------------- */

typedef struct outcome {
    int code;
    char err[4096];
} outcome;

static int wait_for(pid_t pid)
{
    int status = 0;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static outcome run(const char *args)
{
    char text[2048], path[8][600];
    const char *argv[ARGS_MAX + 2] = {DSCQ_BINARY};
    int argc = 1, paths = 0;
    outcome o = {0};

    snprintf(text, sizeof text, "%s", args);
    for (char *word = text; *word != '\0';) {
        char *end = word + strcspn(word, " ");
        const int last = *end == '\0';
        *end = '\0';
        ck_assert_int_lt(argc, ARGS_MAX);
        if (word[0] == '@') {
            snprintf(path[paths], sizeof path[paths], "%s", test_path(word + 1));
            argv[argc++] = path[paths++];
        } else {
            argv[argc++] = word;
        }
        word = last ? end : end + 1;
    }
    const char *err_path = test_path("stderr.txt");
    const pid_t pid = fork();
    if (pid == 0) {
        const int err = open(err_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        const int out = open("/dev/null", O_WRONLY);
        alarm(STEP_SECONDS);
        dup2(out, 1);
        dup2(err, 2);
        setenv("DSCQ_DATA", test_source("data"), 1);
        execv(DSCQ_BINARY, (char *const *)(uintptr_t)argv);
        _exit(99);
    }
    o.code = wait_for(pid);
    char *said = test_read(err_path);
    snprintf(o.err, sizeof o.err, "%s", said);
    dscq_free(said);
    return o;
}

/* Lines that the program itself says with its name in front. */
static int error_lines(const char *text)
{
    int n = 0;

    for (const char *p = text; p != NULL && *p != '\0';
         p = strchr(p, '\n') != NULL ? strchr(p, '\n') + 1 : NULL)
        n += strncmp(p, "dscq: ", 6) == 0 && strncmp(p, "dscq: warning", 13) != 0;
    return n;
}

/* ---- a good world to break ------------------------------------------------------ */

#define GRAPH                                                                          \
    "[convolutional]\nfilters=8\nsize=3\nstride=2\npad=1\nbatch_normalize=1\n"         \
    "activation=relu\n\n[depthwise]\nsize=3\nstride=2\npad=1\nbatch_normalize=1\n"     \
    "activation=relu\n\n[convolutional]\nfilters=12\nsize=1\nbatch_normalize=1\n"      \
    "activation=relu\n\n[avgpool]\n\n[connected]\noutput=4\nactivation=linear\n\n"     \
    "[softmax]\n\n"
#define NET "[net]\nwidth=16\nheight=16\nchannels=3\n\n"
#define SIGNS                                                                          \
    "[data]\ntype=signs\nclasses=4\ncount=160\ntest_count=40\nvalid_frac=0.2\n\n"
#define TRAIN "[train]\nepochs=1\nbatch=16\n\n"
#define COMPRESS                                                                       \
    "[compress]\nmethod=clipq\nepochs=1\np=0.3\nb=4\ncalibration_images=32\n\n"
#define GOOD       NET GRAPH SIGNS TRAIN COMPRESS
#define DATA(text) NET GRAPH TRAIN COMPRESS "[data]\n" text "\n"

static uint8_t *load(const char *name, size_t *bytes)
{
    uint8_t *data = NULL;

    ck_assert_int_eq(
        dscq_file_read(&data, bytes, test_path(name), (size_t)1 << 28, NULL), DSCQ_OK);
    return data;
}

static void copy_with(const char *from, const char *to, size_t keep, size_t flip_at)
{
    size_t bytes;
    uint8_t *data = load(from, &bytes);

    if (flip_at < bytes)
        data[flip_at] ^= 0x41;
    test_file_bytes(to, data, keep < bytes ? keep : bytes);
    dscq_free(data);
}

static void put_u32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* 40 grey images of 16 x 16 and their labels 0..3, in IDX form. */
static void write_idx(uint32_t images, uint32_t labels, size_t cut, uint8_t label_top)
{
    static uint8_t data[16 + 40 * 256], label[8 + 64];

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 37 >> 3);
    put_u32(data, 0x803);
    put_u32(data + 4, images);
    put_u32(data + 8, 16);
    put_u32(data + 12, 16);
    put_u32(label, 0x801);
    put_u32(label + 4, labels);
    for (size_t i = 0; i < 64; i++)
        label[8 + i] = (uint8_t)(i % 4);
    label[8 + 3] = label_top;
    test_file_bytes("a-images-idx3-ubyte", data, sizeof data - cut);
    test_file_bytes("a-labels-idx1-ubyte", label, 8 + 40);
}

static void idx_short(void)
{
    write_idx(40, 40, 100, 3);
}
static void idx_header(void)
{
    write_idx(40, 40, 0, 3);
    copy_with("a-images-idx3-ubyte", "a-images-idx3-ubyte", 9, SIZE_MAX);
}
static void idx_magic(void)
{
    write_idx(40, 40, 0, 3);
    copy_with("a-images-idx3-ubyte", "a-images-idx3-ubyte", SIZE_MAX, 2);
}
static void idx_counts(void)
{
    write_idx(40, 39, 0, 3);
}
static void idx_absurd(void)
{
    write_idx(0xfffffff0u, 40, 0, 3);
}
static void idx_label(void)
{
    write_idx(40, 40, 0, 200);
}
static void idx_empty(void)
{
    write_idx(40, 40, 0, 3);
    test_file("a-images-idx3-ubyte", "");
}
static void write_gz(size_t cut, size_t flip)
{
    size_t bytes;

    write_idx(40, 40, 0, 3);
    uint8_t *data = load("a-images-idx3-ubyte", &bytes);
    gzFile f = gzopen(test_path("b-images-idx3-ubyte.gz"), "wb");
    ck_assert_int_eq(gzwrite(f, data, (unsigned)bytes), (int)bytes);
    gzclose(f);
    dscq_free(data);
    copy_with("a-labels-idx1-ubyte", "b-labels-idx1-ubyte", SIZE_MAX, SIZE_MAX);
    dscq_free(load("b-images-idx3-ubyte.gz", &bytes));
    copy_with("b-images-idx3-ubyte.gz", "b-images-idx3-ubyte.gz", bytes - cut, flip);
}
static void gz_short(void)
{
    write_gz(40, SIZE_MAX);
}
static void gz_damaged(void)
{
    write_gz(0, 60);
}

static void write_cifar(size_t records, size_t extra, uint8_t label)
{
    uint8_t *data = calloc(records * 3073 + extra + 1, 1);

    for (size_t i = 0; i < records; i++)
        data[i * 3073] = (uint8_t)(i % 10);
    data[0] = label;
    dscq_path_make_dirs(test_path("cifar"), NULL);
    test_file_bytes("cifar/data_batch_1.bin", data, records * 3073 + extra);
    free(data);
}
static void cifar_short(void)
{
    write_cifar(20, 100, 1);
}
static void cifar_label(void)
{
    write_cifar(20, 0, 10);
}
static void cifar_empty(void)
{
    write_cifar(0, 0, 0);
}

static const uint8_t k_png_head[] = {0x89, 'P', 'N', 'G', 13,  10, 26, 10, 0, 0, 0,
                                     13,   'I', 'H', 'D', 'R', 0,  0,  0,  8, 0, 0,
                                     0,    8,   8,   2,   0,   0,  0,  0,  0, 0, 0};

static void write_folder(const char *name, const void *data, size_t bytes)
{
    char path[128];

    for (int c = 0; c < 4; c++)
        for (int i = 0; i < 8; i++) {
            snprintf(path, sizeof path, "pics/class%d", c);
            dscq_path_make_dirs(test_path(path), NULL);
            snprintf(path, sizeof path, "pics/class%d/%s%d%s", c, "im", i, name);
            test_file_bytes(path, data, bytes);
        }
}
static void png_cut(void)
{
    write_folder(".png", k_png_head, sizeof k_png_head);
}
static void png_text(void)
{
    write_folder(".png", "this is no picture", 18);
}
static void png_none(void)
{
    write_folder(".png", "", 0);
}
static void png_absurd(void)
{
    uint8_t head[sizeof k_png_head];

    memcpy(head, k_png_head, sizeof head);
    head[16] = head[20] = 0x7f;
    write_folder(".png", head, sizeof head);
}
static void jpeg_cut(void)
{
    static const uint8_t jpeg[] = {0xff, 0xd8, 0xff, 0xe0, 0, 16,
                                   'J',  'F',  'I',  'F',  0, 1};

    write_folder(".jpg", jpeg, sizeof jpeg);
}
static void folder_empty(void)
{
    dscq_path_make_dirs(test_path("pics"), NULL);
}
static void list_missing(void)
{
    test_file("list.txt", "nowhere/one.png 0\nnowhere/two.png 1\n");
}
static void list_label(void)
{
    test_file("list.txt", "one.png -3\n");
}

static void make_good(void)
{
    test_file("good.cfg", GOOD);
    const outcome o = run("compress @good.cfg -o @good --quiet");
    ck_assert_msg(o.code == 0, "the good run ended with %d: %s", o.code, o.err);
}
static void ckpt_short(void)
{
    copy_with("good/float.ckpt", "bad.ckpt", 700, SIZE_MAX);
}
static void ckpt_flip(void)
{
    copy_with("good/float.ckpt", "bad.ckpt", SIZE_MAX, 500);
}
static void ckpt_version(void)
{
    copy_with("good/float.ckpt", "bad.ckpt", SIZE_MAX, 8);
}
static void ckpt_empty(void)
{
    test_file("bad.ckpt", "");
}
static void ckpt_resume(void)
{
    dscq_path_make_dirs(test_path("again"), NULL);
    copy_with("good/train.ckpt", "again/train.ckpt", 600, SIZE_MAX);
}
static void weights_short(void)
{
    test_file_bytes("bad.weights", "\0\0\0\0\2\0\0\0\0\0\0\0", 12);
}
static void weights_other(void)
{
    uint8_t data[20 + 40] = {0};

    data[4] = 2;
    test_file_bytes("bad.weights", data, sizeof data);
}
static void weights_odd(void)
{
    uint8_t data[20 + 41] = {0};

    data[4] = 2;
    test_file_bytes("bad.weights", data, sizeof data);
}
static void packed_short(void)
{
    copy_with("good/packed.bin", "bad.bin", 300, SIZE_MAX);
}
static void packed_flip(void)
{
    size_t bytes;

    dscq_free(load("good/packed.bin", &bytes));
    copy_with("good/packed.bin", "bad.bin", SIZE_MAX, bytes / 2);
}
static void packed_magic(void)
{
    copy_with("good/packed.bin", "bad.bin", SIZE_MAX, 0);
}
static void packed_empty(void)
{
    test_file("bad.bin", "");
}
static void packed_long(void)
{
    size_t bytes;
    uint8_t *data = load("good/packed.bin", &bytes);
    uint8_t *more = calloc(bytes + 16, 1);

    memcpy(more, data, bytes);
    test_file_bytes("bad.bin", more, bytes + 16);
    free(more);
    dscq_free(data);
}
static void packed_text(void)
{
    test_file("bad.bin", "[net]\nwidth=3\n");
}
static void machine_typo(void)
{
    test_file("m.cfg", "[machine]\nname=m\nque_depth=4\n");
}
static void machine_range(void)
{
    test_file("m.cfg", "[machine]\nname=m\nqueue_depth=100000\n");
}
static void machine_section(void)
{
    test_file("m.cfg", "[machine]\nname=m\n[shedule]\nfuse=none\n");
}
static void report_other(void)
{
    test_file("r.json", "{\"schema\": \"other/1\"}\n");
}
static void report_broken(void)
{
    test_file("r.json", "{\"schema\": \n");
}
static void out_is_file(void)
{
    test_file("occupied", "x");
}

/* clang-format off */
static const bad_case k_cases[] = {
    /* the command line */
    {"unknown command", "compres @net.cfg", NULL, NULL, 2, "compress"},
    {"unknown flag", "train @net.cfg --epoch", NULL, NULL, 2, "--epoch"},
    {"no operand", "train", NULL, NULL, 2, "NET.cfg"},
    {"too many operands", "train @net.cfg @net.cfg", NULL, NULL, 2, "dscq"},
    {"threads out of range", "train @net.cfg --threads 100000", NULL, NULL, 2, "threads"},
    {"set without value", "train @net.cfg --set train.epochs", NULL, NULL, 2, "train.epochs"},
    {"set of an unknown key", "train @net.cfg --set train.epoch=3", NULL, NULL, 5, "epochs"},
    {"set of an unknown section", "train @net.cfg --set trian.epochs=3", NULL, NULL, 5, "train"},
    /* configuration */
    {"no such file", "train @none.cfg", NULL, NULL, 7, "none.cfg"},
    {"a folder", "train @", NULL, NULL, 7, "folder"},
    {"empty file", "train @net.cfg", "", NULL, 5, "net.cfg"},
    {"no [net]", "train @net.cfg", GRAPH SIGNS, NULL, 5, "net"},
    {"no layers", "train @net.cfg", NET SIGNS, NULL, 5, "net.cfg"},
    {"unknown section", "train @net.cfg", NET "[convolutionl]\nfilters=3\n", NULL, 5, "convolutional"},
    {"unknown key", "train @net.cfg", NET "[convolutional]\nfilter=3\n", NULL, 5, "filters"},
    {"duplicate key", "train @net.cfg", NET GRAPH SIGNS "[train]\nepochs=3\nepochs=4\n", NULL, 5, "given twice in [train]"},
    {"duplicate section", "train @net.cfg", GOOD TRAIN, NULL, 5, "[train]"},
    {"value out of range", "train @net.cfg", NET GRAPH SIGNS "[train]\nepochs=-3\n", NULL, 5, "epochs"},
    {"not a number", "train @net.cfg", NET GRAPH SIGNS "[train]\nlearning_rate=fast\n", NULL, 5, "learning_rate"},
    {"not a choice", "train @net.cfg", NET GRAPH SIGNS "[train]\noptimiser=sgdd\n", NULL, 5, "sgd"},
    {"no equals sign", "train @net.cfg", NET "[convolutional]\nfilters 3\n", NULL, 5, "net.cfg:7"},
    {"no bracket", "train @net.cfg", NET "[convolutional\nfilters=3\n", NULL, 5, "net.cfg:6"},
    {"key before a section", "train @net.cfg", "width=3\n" GOOD, NULL, 5, "net.cfg:1"},
    {"no filters", "train @net.cfg", NET "[convolutional]\nfilters=0\n", NULL, 5, "filters"},
    {"absurd input", "train @net.cfg", "[net]\nwidth=100000000\nheight=3\nchannels=3\n" GRAPH, NULL, 5, "width"},
    {"kernel beyond the input", "train @net.cfg", NET "[convolutional]\nfilters=3\nsize=99\n" , NULL, 5, "net.cfg:6"},
    {"groups do not divide", "train @net.cfg", NET "[convolutional]\nfilters=4\nsize=1\ngroups=2\nactivation=relu\n", NULL, 5, "groups"},
    {"route forward", "train @net.cfg", NET "[route]\nlayers=5\n" GRAPH, NULL, 5, "net.cfg:6"},
    {"shortcut of another size", "train @net.cfg", NET GRAPH "[shortcut]\nfrom=0\n", NULL, 5, "shortcut"},
    {"unknown activation", "train @net.cfg", NET "[convolutional]\nfilters=4\nactivation=rellu\n", NULL, 5, "relu"},
    {"no [data]", "train @net.cfg", NET GRAPH TRAIN, NULL, 5, "[data]"},
    {"another number of classes", "train @net.cfg", NET GRAPH TRAIN "[data]\ntype=signs\nclasses=7\ncount=100\ntest_count=20\n", NULL, 5, "7"},
    {"data of another size", "train @net.cfg", DATA("type=signs\nclasses=4\nwidth=20\n"), NULL, 5, "[net]"},
    {"unknown method", "compress @net.cfg -o @x", NET GRAPH SIGNS TRAIN "[compress]\nmethod=clpq\n", NULL, 5, "clipq"},
    {"pattern without a layer", "compress @net.cfg -o @x", GOOD "[compress_layer]\nmatch=nolayer*\nb=3\n", NULL, 5, "nolayer"},
    {"bits out of range", "compress @net.cfg -o @x", NET GRAPH SIGNS TRAIN "[compress]\nb=20\n", NULL, 5, "b"},
    /* IDX */
    {"idx missing", "train @net.cfg", DATA("type=idx\ntrain=none-images-idx3-ubyte\n"), NULL, 7, "none-images"},
    {"idx cut short", "train @net.cfg", DATA("type=idx\ntrain=a-images-idx3-ubyte\n"), idx_short, 5, "a-images"},
    {"idx header cut short", "train @net.cfg", DATA("type=idx\ntrain=a-images-idx3-ubyte\n"), idx_header, 5, "a-images"},
    {"idx of another type", "train @net.cfg", DATA("type=idx\ntrain=a-images-idx3-ubyte\n"), idx_magic, 4, "a-images"},
    {"idx counts differ", "train @net.cfg", DATA("type=idx\ntrain=a-images-idx3-ubyte\n"), idx_counts, 5, "39"},
    {"idx absurd size", "train @net.cfg", DATA("type=idx\ntrain=a-images-idx3-ubyte\n"), idx_absurd, 5, "a-images"},
    {"idx label beyond the classes", "train @net.cfg", DATA("type=idx\ntrain=a-images-idx3-ubyte\n"), idx_label, 5, ""},
    {"idx empty", "train @net.cfg", DATA("type=idx\ntrain=a-images-idx3-ubyte\n"), idx_empty, 5, "a-images"},
    {"gz cut short", "train @net.cfg", DATA("type=idx\ntrain=b-images-idx3-ubyte.gz\ntrain_labels=b-labels-idx1-ubyte\n"), gz_short, 5, "b-images"},
    {"gz damaged", "train @net.cfg", DATA("type=idx\ntrain=b-images-idx3-ubyte.gz\ntrain_labels=b-labels-idx1-ubyte\n"), gz_damaged, 5, "b-images"},
    /* CIFAR */
    {"cifar folder missing", "train @net.cfg", DATA("type=cifar10\ntrain=nowhere\n"), NULL, 7, "nowhere"},
    {"cifar not whole records", "train @net.cfg", DATA("type=cifar10\ntrain=cifar\n"), cifar_short, 5, "3073"},
    {"cifar label", "train @net.cfg", DATA("type=cifar10\ntrain=cifar\n"), cifar_label, 5, "label"},
    {"cifar empty", "train @net.cfg", DATA("type=cifar10\ntrain=cifar\n"), cifar_empty, 5, "data_batch_1"},
    /* pictures */
    {"png cut short", "train @net.cfg", DATA("type=folder\ntrain=pics\n"), png_cut, 5, ".png"},
    {"text called png", "train @net.cfg", DATA("type=folder\ntrain=pics\n"), png_text, 5, ".png"},
    {"empty png", "train @net.cfg", DATA("type=folder\ntrain=pics\n"), png_none, 5, ".png"},
    {"absurd png", "train @net.cfg", DATA("type=folder\ntrain=pics\n"), png_absurd, 5, ".png"},
    {"jpeg cut short", "train @net.cfg", DATA("type=folder\ntrain=pics\n"), jpeg_cut, 5, ".jpg"},
    {"folder without classes", "train @net.cfg", DATA("type=folder\ntrain=pics\n"), folder_empty, 5, "pics"},
    {"folder missing", "train @net.cfg", DATA("type=folder\ntrain=pics\n"), NULL, 7, "pics"},
    {"list of missing pictures", "train @net.cfg", DATA("type=list\ntrain=list.txt\n"), list_missing, 7, "one.png"},
    {"list with a bad label", "train @net.cfg", DATA("type=list\ntrain=list.txt\n"), list_label, 5, "list.txt"},
    {"list missing", "train @net.cfg", DATA("type=list\ntrain=list.txt\n"), NULL, 7, "list.txt"},
    /* checkpoints and weights */
    {"checkpoint missing", "train @net.cfg -w @none.ckpt -o @x", NULL, NULL, 7, "none.ckpt"},
    {"checkpoint cut short", "train @net.cfg -w @bad.ckpt -o @x", NULL, ckpt_short, 5, "bad.ckpt"},
    {"checkpoint changed", "train @net.cfg -w @bad.ckpt -o @x", NULL, ckpt_flip, 5, "bad.ckpt"},
    {"checkpoint of another version", "train @net.cfg -w @bad.ckpt -o @x", NULL, ckpt_version, 5, "bad.ckpt"},
    {"checkpoint empty", "train @net.cfg -w @bad.ckpt -o @x", NULL, ckpt_empty, 5, "bad.ckpt"},
    {"resume from damage", "train @net.cfg --resume -o @again", NULL, ckpt_resume, 5, "train.ckpt"},
    {"run already there", "train @net.cfg -o @good", NULL, NULL, 2, "--resume"},
    {"weights cut short", "train @net.cfg -w @bad.weights -o @x", NULL, weights_short, 5, "bad.weights"},
    {"weights of another net", "train @net.cfg -w @bad.weights -o @x", NULL, weights_other, 5, "cfg"},
    {"weights not whole floats", "train @net.cfg -w @bad.weights -o @x", NULL, weights_odd, 5, "bad.weights"},
    /* packed files */
    {"packed missing", "inspect @none.bin", NULL, NULL, 7, "none.bin"},
    {"packed cut short", "inspect @bad.bin", NULL, packed_short, 5, "bad.bin"},
    {"packed changed", "simulate @bad.bin", NULL, packed_flip, 5, "bad.bin"},
    {"packed magic", "inspect @bad.bin", NULL, packed_magic, 5, "bad.bin"},
    {"packed empty", "inspect @bad.bin", NULL, packed_empty, 5, "bad.bin"},
    {"packed too long", "inspect @bad.bin", NULL, packed_long, 5, "bad.bin"},
    {"not packed at all", "simulate @bad.bin", NULL, packed_text, 5, "bad.bin"},
    {"packed is a folder", "inspect @good", NULL, NULL, 7, "folder"},
    /* machines and reports */
    {"machine missing", "simulate @good/packed.bin -m nomachine", NULL, NULL, 7, "zynq7020"},
    {"machine key", "simulate @good/packed.bin -m @m.cfg", NULL, machine_typo, 5, "queue_depth"},
    {"machine value", "simulate @good/packed.bin -m @m.cfg", NULL, machine_range, 5, "queue_depth"},
    {"machine section", "simulate @good/packed.bin -m @m.cfg", NULL, machine_section, 5, "schedule"},
    {"report of another schema", "report @r.json", NULL, report_other, 2, "schema"},
    {"report is no JSON", "report @r.json", NULL, report_broken, 5, "r.json"},
    {"gate without a number", "report @good/packed.bin --fail-if energy_pj>much", NULL, NULL, 2, "much"},
    {"gate of an unknown key", "report @good/packed.bin --fail-if energie>3", NULL, NULL, 2, "energie"},
    /* outputs */
    {"output below a file", "train @net.cfg -o @occupied/run", NULL, out_is_file, 7, "occupied"},
    {"disk full", "inspect @good/packed.bin --json=/dev/full", NULL, NULL, 7, "/dev/full"},
};
/* clang-format on */

enum { CASES = sizeof k_cases / sizeof *k_cases };

/* NULL, or what is wrong with the answer. */
static const char *judge(const bad_case *c, const outcome *o)
{
    if (o->code != c->exit_code)
        return "another exit code";
    if (error_lines(o->err) != 1)
        return "not one line";
    if (strstr(o->err, c->says) == NULL)
        return "does not say what";
    if (dscq_path_exists(test_path("x/packed.bin")) ||
        dscq_path_exists(test_path("x/float.ckpt")))
        return "left something behind";
    return NULL;
}

START_TEST(each_is_refused_in_one_line)
{
    static const char *const fresh[] = {"pics", "cifar", "x", "again", "list.txt"};
    int failed = 0;

    for (size_t i = 0; i < CASES; i++) {
        const bad_case *c = &k_cases[i];
        for (size_t f = 0; f < sizeof fresh / sizeof *fresh; f++)
            (void)nftw(test_path(fresh[f]), remove_one, 8, FTW_DEPTH | FTW_PHYS);
        test_file("net.cfg", c->cfg != NULL ? c->cfg : GOOD);
        if (c->prepare != NULL)
            c->prepare();
        const outcome o = run(c->args);
        const char *wrong = judge(c, &o);
        if (wrong == NULL)
            continue;
        failed++;
        fprintf(stderr, "%s: %s (exit %d, want %d, want '%s'): %s\n", c->name, wrong,
                o.code, c->exit_code, c->says, o.err);
    }
    ck_assert_int_eq(failed, 0);
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("bad_input", &tc);

    tcase_add_checked_fixture(tc, make_good, NULL);
    tcase_set_timeout(tc, 2 * STEP_SECONDS);
    tcase_add_test(tc, each_is_refused_in_one_line);
    return s;
}

int main(void)
{
    return test_run(make);
}
