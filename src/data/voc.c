/* Pascal VOC annotations. The only file that knows expat. */
#include "data_internal.h"
#include "dscq/base/str.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#if DSCQ_WITH_EXPAT

#include <expat.h>

enum { TEXT_MAX = 256, DEPTH_MAX = 32 };

typedef struct voc_job {
    XML_Parser parser;
    const char *name;
    dscq_annotation *out;
    dscq_names *classes;
    int grow;
    dscq_status status;
    dscq_error *err;

    char path[TEXT_MAX]; /* "annotation/object/name" */
    int depth;
    char text[TEXT_MAX];
    size_t text_bytes;

    char object[DSCQ_CLASS_NAME_MAX];
    int object_line;
    double corner[4]; /* xmin ymin xmax ymax */
    unsigned corners; /* bit set of those seen */
    int is_difficult;
} voc_job;

static int line_of(const voc_job *j)
{
    return (int)XML_GetCurrentLineNumber(j->parser);
}

static void stop(voc_job *j, dscq_status status)
{
    j->status = status;
    (void)XML_StopParser(j->parser, XML_FALSE);
}

#define REFUSE(j, ...) stop(j, dscq_fail((j)->err, DSCQ_FORMAT, __VA_ARGS__))

static void on_start(void *ctx, const XML_Char *tag, const XML_Char **attributes)
{
    voc_job *j = ctx;
    const size_t used = strlen(j->path), more = strlen(tag);

    (void)attributes;
    if (j->status != DSCQ_OK)
        return;
    if (j->depth >= DEPTH_MAX || used + more + 2 > sizeof j->path) {
        REFUSE(j, "%s:%d: elements nested too deeply", j->name, line_of(j));
        return;
    }
    if (j->depth == 0 && strcmp(tag, "annotation") != 0) {
        REFUSE(j, "%s:%d: root element <%.60s>, want <annotation>", j->name, line_of(j),
               tag);
        return;
    }
    (void)snprintf(j->path + used, sizeof j->path - used, "%s%s",
                   j->depth > 0 ? "/" : "", tag);
    j->depth++;
    j->text_bytes = 0;
    if (strcmp(j->path, "annotation/object") == 0) {
        j->object[0] = '\0';
        j->object_line = line_of(j);
        j->corners = 0;
        j->is_difficult = 0;
    }
}

static void on_text(void *ctx, const XML_Char *text, int bytes)
{
    voc_job *j = ctx;
    const size_t room = sizeof j->text - 1 - j->text_bytes;
    const size_t n = (size_t)bytes < room ? (size_t)bytes : room;

    /* What no element of interest can hold is cut; its reader will refuse it. */
    memcpy(j->text + j->text_bytes, text, n);
    j->text_bytes += n;
}

static dscq_status find_class(int32_t *cls, voc_job *j)
{
    const char *best = NULL;
    unsigned distance = 0;

    *cls = dscq_names_find(j->classes, j->object);
    if (*cls >= 0)
        return DSCQ_OK;
    if (j->grow)
        return dscq_names_intern(cls, j->classes, j->object, j->err);
    for (int32_t i = 0; i < j->classes->count; i++) {
        const unsigned d = dscq_edit_distance(j->object, j->classes->name[i]);
        if (best == NULL || d < distance) {
            best = j->classes->name[i];
            distance = d;
        }
    }
    return dscq_fail(j->err, DSCQ_FORMAT, "%s:%d: unknown class '%s'; nearest is '%s'",
                     j->name, j->object_line, j->object,
                     best != NULL ? best : "(none)");
}

static void end_object(voc_job *j)
{
    const double *c = j->corner;
    dscq_box b = {0};

    if (j->object[0] == '\0' || j->corners != 15) {
        REFUSE(j, "%s:%d: object without %s", j->name, j->object_line,
               j->object[0] == '\0' ? "name" : "a complete bndbox");
        return;
    }
    for (int i = 0; i < 4; i++) {
        if (c[i] < -1e6 || c[i] > 1e6) {
            REFUSE(j, "%s:%d: box corner at %g pixels", j->name, j->object_line, c[i]);
            return;
        }
    }
    /* The same column for both edges is how label tools store "nothing". */
    if (c[2] <= c[0] || c[3] <= c[1]) {
        if (j->out->skipped++ == 0)
            j->out->skipped_line = j->object_line;
        return;
    }
    dscq_status status = find_class(&b.cls, j);

    b.x0 = (float)(c[0] - 1.0);
    b.y0 = (float)(c[1] - 1.0);
    b.x1 = (float)c[2];
    b.y1 = (float)c[3];
    b.is_difficult = (uint8_t)(j->is_difficult != 0);
    if (status == DSCQ_OK && j->out->boxes.count >= DSCQ_BOXES_PER_IMAGE_MAX)
        status = dscq_fail(j->err, DSCQ_FORMAT, "%s: more than %d boxes", j->name,
                           DSCQ_BOXES_PER_IMAGE_MAX);
    if (status == DSCQ_OK)
        status = dscq_boxes_add(&j->out->boxes, &b, j->err);
    if (status != DSCQ_OK)
        stop(j, status);
}

/* The text of an element that holds a number. */
static double number(voc_job *j, double lo, double hi)
{
    double v = 0.0;

    if (!data__parse_real(&v, j->text, j->text_bytes) || v < lo || v > hi) {
        REFUSE(j, "%s:%d: <%s> is '%.*s': want a number in [%g, %g]", j->name,
               line_of(j), strrchr(j->path, '/') + 1,
               (int)(j->text_bytes < 40 ? j->text_bytes : 40), j->text, lo, hi);
        return lo;
    }
    return v;
}

static int is_word(const voc_job *j, const char *word)
{
    const char *text = j->text;
    size_t bytes = j->text_bytes;

    data__trim(&text, &bytes);
    return bytes == strlen(word) && strncasecmp(text, word, bytes) == 0;
}

/* 0, 1, true, false; label tools also leave it empty, or "Unspecified". */
static int flag(voc_job *j)
{
    if (is_word(j, "") || is_word(j, "false") || is_word(j, "no") ||
        is_word(j, "unspecified"))
        return 0;
    return is_word(j, "true") || is_word(j, "yes") || number(j, 0, 1e6) > 0.0;
}

/* Of the picture; 0, "the annotation does not say", when it is empty. */
static int32_t side(voc_job *j)
{
    return is_word(j, "") ? 0 : (int32_t)number(j, 0, DSCQ_IMAGE_SIDE_MAX);
}

static void copy_text(char *out, size_t cap, voc_job *j)
{
    const char *text = j->text;
    size_t bytes = j->text_bytes;

    data__trim(&text, &bytes);
    if (bytes >= cap) {
        REFUSE(j, "%s:%d: <%s> longer than %zu characters", j->name, line_of(j),
               strrchr(j->path, '/') + 1, cap - 1);
        return;
    }
    memcpy(out, text, bytes);
    out[bytes] = '\0';
}

static void end_element(voc_job *j)
{
    static const char *const k_corner[4] = {
        "annotation/object/bndbox/xmin", "annotation/object/bndbox/ymin",
        "annotation/object/bndbox/xmax", "annotation/object/bndbox/ymax"};

    if (strcmp(j->path, "annotation/object") == 0)
        end_object(j);
    else if (strcmp(j->path, "annotation/object/name") == 0)
        copy_text(j->object, sizeof j->object, j);
    else if (strcmp(j->path, "annotation/filename") == 0)
        copy_text(j->out->file, sizeof j->out->file, j);
    else if (strcmp(j->path, "annotation/object/difficult") == 0)
        j->is_difficult = flag(j);
    else if (strcmp(j->path, "annotation/size/width") == 0)
        j->out->width = side(j);
    else if (strcmp(j->path, "annotation/size/height") == 0)
        j->out->height = side(j);
    for (int i = 0; i < 4 && j->status == DSCQ_OK; i++) {
        if (strcmp(j->path, k_corner[i]) == 0) {
            j->corner[i] = number(j, -1e6, 1e6);
            j->corners |= 1u << i;
        }
    }
}

static void on_end(void *ctx, const XML_Char *tag)
{
    voc_job *j = ctx;

    (void)tag;
    if (j->status != DSCQ_OK)
        return;
    end_element(j);
    char *slash = strrchr(j->path, '/');
    *(slash != NULL ? slash : j->path) = '\0';
    j->depth--;
    j->text_bytes = 0;
}

static void on_entity(void *ctx, const XML_Char *entity, int is_parameter,
                      const XML_Char *value, int value_length, const XML_Char *base,
                      const XML_Char *system_id, const XML_Char *public_id,
                      const XML_Char *notation)
{
    voc_job *j = ctx;

    (void)entity, (void)is_parameter, (void)value, (void)value_length, (void)base;
    (void)system_id, (void)public_id, (void)notation;
    REFUSE(j, "%s:%d: declares an entity; annotations have none", j->name, line_of(j));
}

static dscq_status parse(voc_job *j, const char *text, size_t bytes)
{
    if (bytes > 1u << 28)
        return dscq_fail(j->err, DSCQ_FORMAT, "%s: annotation of %zu bytes", j->name,
                         bytes);
    XML_SetUserData(j->parser, j);
    XML_SetElementHandler(j->parser, on_start, on_end);
    XML_SetCharacterDataHandler(j->parser, on_text);
    XML_SetEntityDeclHandler(j->parser, on_entity);
    const enum XML_Status done = XML_Parse(j->parser, text, (int)bytes, 1);

    if (j->status != DSCQ_OK)
        return j->status;
    if (done != XML_STATUS_OK && XML_GetErrorCode(j->parser) == XML_ERROR_NO_MEMORY)
        return dscq_fail_nomem(j->err, j->name, bytes);
    if (done != XML_STATUS_OK)
        return dscq_fail(j->err, DSCQ_FORMAT, "%s:%d: not well-formed XML: %s", j->name,
                         line_of(j), XML_ErrorString(XML_GetErrorCode(j->parser)));
    return DSCQ_OK;
}

dscq_status dscq_voc_parse(dscq_annotation *out, const char *text, size_t bytes,
                           const char *name, dscq_names *classes, int grow,
                           dscq_error *err)
{
    dscq_annotation ann = {.in_pixels = 1};
    voc_job j = {
        .name = name, .out = &ann, .classes = classes, .grow = grow, .err = err};

    *out = (dscq_annotation){0};
    j.parser = XML_ParserCreate(NULL);
    if (j.parser == NULL)
        return dscq_fail_nomem(err, "the XML reader", 0);
    const dscq_status status = parse(&j, text, bytes);
    XML_ParserFree(j.parser);
    if (status != DSCQ_OK)
        dscq_annotation_clear(&ann);
    *out = ann;
    return status;
}

#else

dscq_status dscq_voc_parse(dscq_annotation *out, const char *text, size_t bytes,
                           const char *name, dscq_names *classes, int grow,
                           dscq_error *err)
{
    (void)text, (void)bytes, (void)classes, (void)grow;
    *out = (dscq_annotation){0};
    return dscq_fail(err, DSCQ_UNSUPPORTED,
                     "%s: this build reads no XML; configure with -DDSCQ_WITH_EXPAT=ON",
                     name);
}

#endif
