/* What a file is, by its first bytes and, for folders, by its name. */
#include "data_internal.h"

#include <string.h>
#include <strings.h>

/* A mark at an offset. An ISO file (HEIC, AVIF) has its brand behind "ftyp". */
typedef struct mark {
    uint8_t at, bytes;
    const char *text;
    data_kind kind;
} mark;

#define PICTURE(what)                                                                  \
    {                                                                                  \
        what " picture", NULL, 1, DSCQ_IMAGE_MADE                                      \
    }
#define NO_PICTURE(what)                                                               \
    {                                                                                  \
        what, NULL, 0, DSCQ_IMAGE_MADE                                                 \
    }
#define READ(what, kind, decode)                                                       \
    {                                                                                  \
        what " picture", decode, 1, kind                                               \
    }

/* The first row that fits counts. */
static const mark k_marks[] = {
    {0, 8, "\x89PNG\r\n\x1a\n", READ("PNG", DSCQ_IMAGE_PNG, data__png_decode)},
    {0, 3, "\xff\xd8\xff", READ("JPEG", DSCQ_IMAGE_JPEG, data__jpeg_decode)},
    {8, 4, "WEBP", READ("WebP", DSCQ_IMAGE_WEBP, data__webp_decode)},
    {0, 4, "GIF8", PICTURE("GIF")},
    {0, 4, "II*\0", PICTURE("TIFF")},
    {0, 4, "MM\0*", PICTURE("TIFF")},
    {0, 4, "II+\0", PICTURE("TIFF")},
    {0, 4, "MM\0+", PICTURE("TIFF")},
    {4, 8, "ftypavif", PICTURE("AVIF")},
    {4, 8, "ftypavis", PICTURE("AVIF")},
    {4, 7, "ftypqt ", NO_PICTURE("film")},
    {4, 7, "ftypmp4", NO_PICTURE("film")},
    {4, 7, "ftypiso", NO_PICTURE("film")},
    {4, 4, "ftyp", PICTURE("HEIC")},
    {0, 12, "\0\0\0\x0cjP  \r\n\x87\n", PICTURE("JPEG 2000")},
    {0, 4, "\xff\x4f\xff\x51", PICTURE("JPEG 2000")},
    {0, 12, "\0\0\0\x0cJXL \r\n\x87\n", PICTURE("JPEG XL")},
    {0, 2, "\xff\x0a", PICTURE("JPEG XL")},
    {0, 4, "8BPS", PICTURE("Photoshop")},
    {0, 4, "\x76\x2f\x31\x01", PICTURE("OpenEXR")},
    {0, 4, "\0\0\1\0", PICTURE("icon")},
    {0, 4, "<svg", PICTURE("SVG")},
    {0, 4, "\0\5\x16\7", NO_PICTURE("companion file of macOS (AppleDouble)")},
    {0, 4, "%PDF", NO_PICTURE("PDF document")},
    {0, 4, "PK\3\4", NO_PICTURE("zip archive")},
    {0, 2, "\x1f\x8b", NO_PICTURE("gzip file")},
    {0, 7, "version", NO_PICTURE("pointer of Git LFS, without its content")},
    {0, 9, "<!DOCTYPE", NO_PICTURE("web page")},
    {0, 9, "<!doctype", NO_PICTURE("web page")},
    {0, 5, "<html", NO_PICTURE("web page")},
};

static const data_kind k_bmp = READ("BMP", DSCQ_IMAGE_BMP, data__bmp_decode);
static const data_kind k_pnm = PICTURE("PNM");

/* Two letters are little to go by: the size of the header behind them must be one of
 * those that were ever written. */
static int is_bmp(const uint8_t *h, size_t bytes)
{
    static const uint8_t k_sizes[] = {12, 16, 40, 52, 56, 64, 108, 124};

    if (bytes < 18 || h[0] != 'B' || h[1] != 'M' || h[15] || h[16] || h[17])
        return 0;
    return memchr(k_sizes, h[14], sizeof k_sizes) != NULL;
}

static int is_pnm(const uint8_t *h, size_t bytes)
{
    return bytes >= 3 && h[0] == 'P' && h[1] >= '1' && h[1] <= '7' &&
           (h[2] == '\n' || h[2] == ' ' || h[2] == '\r' || h[2] == '\t');
}

const data_kind *data__kind(const uint8_t *head, size_t bytes)
{
    for (size_t i = 0; i < sizeof k_marks / sizeof *k_marks; i++) {
        const mark *m = &k_marks[i];
        if (bytes >= (size_t)m->at + m->bytes &&
            memcmp(head + m->at, m->text, m->bytes) == 0)
            return &m->kind;
    }
    if (is_bmp(head, bytes))
        return &k_bmp;
    return is_pnm(head, bytes) ? &k_pnm : NULL;
}

int dscq_image_is_picture(const uint8_t *head, size_t bytes)
{
    const data_kind *k = data__kind(head, bytes);

    return k != NULL && k->is_picture;
}

const char *dscq_image_kind_name(dscq_image_kind kind)
{
    static const char *const k_names[DSCQ_IMAGE_KINDS] = {"made", "PNG", "JPEG", "BMP",
                                                          "WebP"};

    return k_names[kind];
}

static int is_one_of(const char *text, const char *const *choice, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(text, choice[i]) == 0)
            return 1;
    return 0;
}

#define IS_ONE_OF(text, list) is_one_of(text, list, sizeof(list) / sizeof *(list))

/* The ending of the last component, with its dot; "" when there is none. */
static const char *ending(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot != NULL && strchr(dot, '/') == NULL ? dot : "";
}

static const char *const k_endings[] = {DSCQ_IMAGE_ENDINGS};

int dscq_image_has_extension(const char *path)
{
    return IS_ONE_OF(ending(path), k_endings);
}

const char *data__ending_at(size_t i)
{
    return i < sizeof k_endings / sizeof *k_endings ? k_endings[i] : NULL;
}

int data__is_foreign_name(const char *path)
{
    static const char *const k_foreign[] = {
        ".gif", ".tif", ".tiff", ".heic", ".heif", ".avif", ".ppm", ".pgm", ".pbm",
        ".pnm", ".tga", ".jp2",  ".j2k",  ".jxl",  ".svg",  ".psd", ".exr", ".dng",
        ".cr2", ".nef", ".arw",  ".dcm",  ".jfi",  ".pcx",  ".ico"};

    return IS_ONE_OF(ending(path), k_foreign);
}

int data__is_text_name(const char *path)
{
    static const char *const k_text[] = {".txt", ".xml", ".json", ".csv", ".tsv",
                                         ".md",  ".yml", ".yaml", ".cfg", ".names"};

    return IS_ONE_OF(ending(path), k_text);
}

int data__is_clutter(const char *name)
{
    static const char *const k_clutter[] = {"__MACOSX",
                                            "@eaDir",
                                            "@tmp",
                                            "@Recycle",
                                            "@Recently-Snapshot",
                                            "#recycle",
                                            "#snapshot",
                                            "$RECYCLE.BIN",
                                            "System Volume Information",
                                            "lost+found",
                                            "Thumbs.db",
                                            "ehthumbs.db",
                                            "desktop.ini",
                                            "Icon\r"};

    return name[0] == '.' || IS_ONE_OF(name, k_clutter);
}
