#include "dscq/flow/kind.h"

#include "dscq/base/io.h"
#include "dscq/data/image.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { HEAD_BYTES = 8192 };

#define TO_ONNX "export it to ONNX in the program that wrote it, then import that"
#define UNPACK  "unpack it first"

static const struct {
    unsigned bit;
    const char *text;
} k_own[] = {
    {DSCQ_KIND_NET, "a network's cfg"},
    {DSCQ_KIND_MACHINE, "a machine's cfg"},
    {DSCQ_KIND_BOARD, "a board's cfg"},
    {DSCQ_KIND_DRAM, "a DRAM cfg"},
    {DSCQ_KIND_ENERGY, "an energy cfg"},
    {DSCQ_KIND_RECIPE, "a recipe"},
    {DSCQ_KIND_PACKED, "a packed network"},
    {DSCQ_KIND_CHECKPOINT, "a checkpoint of float weights"},
    {DSCQ_KIND_WEIGHTS, "Darknet weights"},
    {DSCQ_KIND_ONNX, "an ONNX file"},
    {DSCQ_KIND_TFLITE, "a TensorFlow Lite file"},
    {DSCQ_KIND_REPORT, "a report (JSON)"},
    {DSCQ_KIND_MANIFEST, "the manifest of a run (JSON)"},
    {DSCQ_KIND_JSON, "JSON"},
    {DSCQ_KIND_DUMP, "a dump of an execution"},
    {DSCQ_KIND_PREDICTIONS, "a list of predictions"},
    {DSCQ_KIND_PICTURE, "a picture"},
    {DSCQ_KIND_FOLDER, "a folder"},
};

/* Bytes at a fixed place. */
typedef struct signature {
    size_t at, bytes;
    const char *what;
    dscq_kind kind;
} signature;

#define SIGNED(at, bytes, ...)                                                         \
    {                                                                                  \
        at, sizeof(bytes) - 1, bytes,                                                  \
        {                                                                              \
            __VA_ARGS__                                                                \
        }                                                                              \
    }
#define FOREIGN DSCQ_KIND_FOREIGN

static const signature k_signatures[] = {
    SIGNED(0, "DSCQCKPT", DSCQ_KIND_CHECKPOINT, NULL, NULL),
    SIGNED(0, "DSCQDUMP", DSCQ_KIND_DUMP, NULL, NULL),
    SIGNED(0, "label,predicted,image", DSCQ_KIND_PREDICTIONS, NULL, NULL),
    SIGNED(0, "\x89HDF\r\n", FOREIGN, "an HDF5 file, as Keras writes networks",
           "save the network as ONNX (tf2onnx), then import that"),
    SIGNED(4, "TFL3", DSCQ_KIND_TFLITE, NULL, NULL),
    SIGNED(0, "\x80\x02\x8a\x0al\xfc\x9c", FOREIGN, "a PyTorch file (before 1.6)",
           "write the network with torch.onnx.export(), then import that"),
    SIGNED(0, "\x80\x02", FOREIGN, "a Python pickle", TO_ONNX),
    SIGNED(0, "\x80\x03", FOREIGN, "a Python pickle", TO_ONNX),
    SIGNED(0, "\x80\x04", FOREIGN, "a Python pickle", TO_ONNX),
    SIGNED(0, "\x80\x05", FOREIGN, "a Python pickle", TO_ONNX),
    SIGNED(0, "\x93NUMPY", FOREIGN, "a NumPy array", TO_ONNX),
    SIGNED(0, "GGUF", FOREIGN, "a GGUF file of a language model",
           "there is no convolutional network in it"),
    SIGNED(0, "7767517\n", FOREIGN, "an ncnn network", TO_ONNX),
    SIGNED(0, "\x1f\x8b", FOREIGN, "compressed by gzip", "unpack it first (gunzip)"),
    SIGNED(0,
           "\xfd"
           "7zXZ",
           FOREIGN, "compressed by xz", "unpack it first (unxz)"),
    SIGNED(0, "BZh", FOREIGN, "compressed by bzip2", "unpack it first (bunzip2)"),
    SIGNED(0, "\x28\xb5\x2f\xfd", FOREIGN, "compressed by zstd",
           "unpack it first (unzstd)"),
    SIGNED(0, "\x04\x22\x4d\x18", FOREIGN, "compressed by lz4",
           "unpack it first (unlz4)"),
    SIGNED(0, "7z\xbc\xaf", FOREIGN, "a 7z archive", UNPACK),
    SIGNED(0, "Rar!", FOREIGN, "a RAR archive", UNPACK),
    SIGNED(257, "ustar", FOREIGN, "a tar archive", "unpack it first (tar xf)"),
    SIGNED(0, "%PDF", FOREIGN, "a PDF document", "name the network itself"),
    SIGNED(0,
           "\x7f"
           "ELF",
           FOREIGN, "a program", "name the network itself"),
    SIGNED(0, "version https://git-lfs", DSCQ_KIND_NOTHING,
           "a Git LFS pointer: the file itself was not fetched",
           "run `git lfs pull` in its repository"),
};

/* What only the name tells; `text` of ours is in k_own. */
static const struct {
    const char *ending;
    dscq_kind kind;
} k_endings[] = {
    {".onnx", {DSCQ_KIND_ONNX, NULL, NULL}},
    {".weights", {DSCQ_KIND_WEIGHTS, NULL, NULL}},
    {".pt", {FOREIGN, "named like a PyTorch file", TO_ONNX}},
    {".pth", {FOREIGN, "named like a PyTorch file", TO_ONNX}},
    {".pb", {FOREIGN, "a TensorFlow graph", "convert it to ONNX first (tf2onnx)"}},
    {".pbtxt", {FOREIGN, "a TensorFlow graph", "convert it to ONNX first (tf2onnx)"}},
    {".meta", {FOREIGN, "of a TensorFlow checkpoint", TO_ONNX}},
    {".index", {FOREIGN, "of a TensorFlow checkpoint", TO_ONNX}},
    {".tflite", {DSCQ_KIND_TFLITE, NULL, NULL}},
    {".h5", {FOREIGN, "named like a Keras file", TO_ONNX}},
    {".keras", {FOREIGN, "named like a Keras file", TO_ONNX}},
    {".caffemodel", {FOREIGN, "weights of a Caffe network", TO_ONNX}},
    {".prototxt", {FOREIGN, "a Caffe network", TO_ONNX}},
    {".mlmodel", {FOREIGN, "a Core ML network", TO_ONNX}},
    {".pdmodel", {FOREIGN, "a PaddlePaddle network", TO_ONNX}},
    {".mnn", {FOREIGN, "an MNN network", TO_ONNX}},
    {".engine", {FOREIGN, "a TensorRT engine", "import the ONNX file it was made of"}},
    {".plan", {FOREIGN, "a TensorRT engine", "import the ONNX file it was made of"}},
    {".safetensors", {FOREIGN, "named like a safetensors file", TO_ONNX}},
    {".zip", {FOREIGN, "named like a zip archive", UNPACK}},
    {".gz", {FOREIGN, "named like a gzip file", UNPACK}},
};

static const dscq_kind k_unknown = {0, NULL, NULL};

const char *dscq_kind_text(unsigned bit)
{
    for (size_t i = 0; i < sizeof k_own / sizeof *k_own; i++)
        if (k_own[i].bit == bit)
            return k_own[i].text;
    return NULL;
}

static dscq_kind own(unsigned bit)
{
    return (dscq_kind){bit, dscq_kind_text(bit), NULL};
}

static int has(const char *head, size_t bytes, const char *word)
{
    const size_t n = strlen(word);

    for (size_t i = 0; i + n <= bytes; i++)
        if (memcmp(head + i, word, n) == 0)
            return 1;
    return 0;
}

/* A zip archive is many things; its first names tell which. */
static dscq_kind zip_of(const char *head, size_t bytes)
{
    if (has(head, bytes, "/data.pkl") || has(head, bytes, "/constants.pkl"))
        return (dscq_kind){
            FOREIGN, "a PyTorch file",
            "write the network with torch.onnx.export(), then import that"};
    if (has(head, bytes, ".npy"))
        return (dscq_kind){FOREIGN, "an archive of NumPy arrays (.npz)", TO_ONNX};
    if (has(head, bytes, "model.weights.h5") || has(head, bytes, "config.json"))
        return (dscq_kind){FOREIGN, "a Keras file",
                           "save the network as ONNX (tf2onnx), then import that"};
    return (dscq_kind){FOREIGN, "a zip archive", UNPACK};
}

static dscq_kind json_of(const char *head, size_t bytes)
{
    return own(has(head, bytes, "\"dscq.report/") ? DSCQ_KIND_REPORT
               : has(head, bytes, "\"dscq.run/")  ? DSCQ_KIND_MANIFEST
                                                  : DSCQ_KIND_JSON);
}

/* The section that decides stands at the start of a line. */
static dscq_kind cfg_of(const char *head, size_t bytes)
{
    static const struct {
        const char *section;
        unsigned bit;
    } k_sections[] = {{"[net]", DSCQ_KIND_NET},
                      {"[network]", DSCQ_KIND_NET},
                      {"[machine]", DSCQ_KIND_MACHINE},
                      {"[board]", DSCQ_KIND_BOARD},
                      {"[device]", DSCQ_KIND_DRAM},
                      {"[energy]", DSCQ_KIND_ENERGY},
                      {"[compress_layer]", DSCQ_KIND_RECIPE}};
    const char *first[sizeof k_sections / sizeof *k_sections] = {NULL};

    for (size_t at = 0; at < bytes;) {
        const char *line = head + at, *nl = memchr(line, '\n', bytes - at);
        const size_t n = nl != NULL ? (size_t)(nl - line) : bytes - at;
        for (size_t i = 0; i < sizeof k_sections / sizeof *k_sections; i++) {
            const size_t word = strlen(k_sections[i].section);
            if (n >= word && memcmp(line, k_sections[i].section, word) == 0 &&
                first[i] == NULL)
                first[i] = line;
        }
        at += n + 1;
    }
    for (size_t i = 0; i < sizeof k_sections / sizeof *k_sections; i++)
        if (first[i] != NULL)
            return own(k_sections[i].bit);
    return k_unknown;
}

/* JSON, a web page, a cfg; `head` is text as far as it was read. */
static dscq_kind text_of(const char *head, size_t bytes)
{
    size_t at = 0;

    if (dscq_text_begin(&head, &bytes, "", NULL) != DSCQ_OK)
        return k_unknown; /* of two or four bytes a character: no text of ours */
    while (at < bytes && strchr(" \t\r\n", head[at]) != NULL)
        at++;
    if (at == bytes)
        return (dscq_kind){DSCQ_KIND_NOTHING, "empty", "write or fetch it again"};
    if (memchr(head, '\0', bytes) != NULL)
        return k_unknown;
    if (head[at] == '{')
        return json_of(head, bytes);
    if (bytes - at > 5 && (strncasecmp(head + at, "<!doc", 5) == 0 ||
                           strncasecmp(head + at, "<html", 5) == 0))
        return (dscq_kind){DSCQ_KIND_NOTHING, "a web page, not the file it stands for",
                           "download the file itself"};
    if (bytes - at > 5 && memcmp(head + at, "<?xml", 5) == 0 &&
        has(head, bytes, "<net "))
        return (dscq_kind){FOREIGN, "an OpenVINO network", TO_ONNX};
    return cfg_of(head, bytes);
}

static dscq_kind bytes_of(const char *head, size_t bytes)
{
    uint64_t length = 0;

    if (bytes >= 8 && memcmp(head,
                             "\x89"
                             "DSCQ",
                             5) == 0)
        return own(DSCQ_KIND_PACKED);
    for (size_t i = 0; i < sizeof k_signatures / sizeof *k_signatures; i++) {
        const signature *s = &k_signatures[i];
        if (bytes >= s->at + s->bytes && memcmp(head + s->at, s->what, s->bytes) == 0)
            return s->kind.text != NULL ? s->kind : own(s->kind.bit);
    }
    if (bytes >= 4 && memcmp(head, "PK\3\4", 4) == 0)
        return zip_of(head, bytes);
    if (dscq_image_is_picture((const uint8_t *)head, bytes))
        return own(DSCQ_KIND_PICTURE);
    if (bytes >= 3 && head[0] == 8 && head[1] > 0 && head[1] < 32 &&
        strchr("\x12\x1a\"*2:B", head[2]) != NULL && head[2] != '\0')
        return own(DSCQ_KIND_ONNX);             /* ir_version, then another field */
    for (size_t i = 0; bytes > 9 && i < 8; i++) /* a length, then a JSON header */
        length |= (uint64_t)(uint8_t)head[i] << (8 * i);
    if (length > 1 && length < 1U << 30 && head[8] == '{' && head[9] == '"')
        return (dscq_kind){FOREIGN, "a safetensors file: weights without a network",
                           TO_ONNX};
    return text_of(head, bytes);
}

static dscq_kind name_of(const char *path)
{
    const size_t n = strlen(path);
    const char *dot = strrchr(dscq_path_base(path), '.');

    if (dot != NULL && dot - dscq_path_base(path) > 5 && dot[1] != '\0' &&
        dot[1 + strspn(dot + 1, "0123456789")] == '\0' &&
        strncmp(dot - 5, ".conv", 5) == 0) /* "darknet53.conv.74": the first layers */
        return own(DSCQ_KIND_WEIGHTS);
    for (size_t i = 0; i < sizeof k_endings / sizeof *k_endings; i++) {
        const size_t m = strlen(k_endings[i].ending);
        const dscq_kind *k = &k_endings[i].kind;
        if (n > m && strcasecmp(path + n - m, k_endings[i].ending) == 0)
            return k->text != NULL ? *k : own(k->bit);
    }
    return k_unknown;
}

dscq_kind dscq_kind_of(const char *path)
{
    char head[HEAD_BYTES];
    size_t bytes = 0;

    if (dscq_path_is_dir(path))
        return own(DSCQ_KIND_FOLDER);
    if (dscq_file_head((uint8_t *)head, &bytes, sizeof head, path, NULL) != DSCQ_OK)
        return k_unknown;
    const dscq_kind k = bytes_of(head, bytes), named = name_of(path);
    if (k.bit == DSCQ_KIND_ONNX && named.bit == DSCQ_KIND_FOREIGN)
        return named; /* other formats are protobuf too */
    return k.bit != 0 ? k : named;
}

dscq_status dscq_kind_refuse_foreign(const char *path, dscq_error *err)
{
    const dscq_kind k = dscq_kind_of(path);

    if ((k.bit & (DSCQ_KIND_FOREIGN | DSCQ_KIND_NOTHING)) == 0)
        return DSCQ_OK;
    return dscq_fail(err, k.bit == DSCQ_KIND_FOREIGN ? DSCQ_UNSUPPORTED : DSCQ_FORMAT,
                     "%s: this is %s; %s", path, k.text, k.mend);
}
