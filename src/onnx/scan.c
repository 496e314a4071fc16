/* A look at the wire format before the parser proper sees it: nesting and the number
 * of messages are bounded here, because that parser recurses and allocates for each. */
#include "scan.h"

enum { DEPTH_MAX = 24 };
static const size_t ITEMS_MAX = 4000000;

typedef enum message {
    MODEL,
    TRAINING,
    FUNCTION,
    GRAPH,
    NODE,
    ATTRIBUTE,
    VALUE_INFO,
    TYPE,
    SEQUENCE,
    MAP
} message;

typedef struct edge {
    message in;
    uint64_t field;
    message to;
} edge;

/* The fields of onnx.proto through which messages can contain themselves. */
static const edge k_edges[] = {
    {MODEL, 7, GRAPH},       {MODEL, 20, TRAINING},   {MODEL, 25, FUNCTION},
    {TRAINING, 1, GRAPH},    {TRAINING, 2, GRAPH},    {FUNCTION, 7, NODE},
    {GRAPH, 1, NODE},        {GRAPH, 11, VALUE_INFO}, {GRAPH, 12, VALUE_INFO},
    {GRAPH, 13, VALUE_INFO}, {NODE, 5, ATTRIBUTE},    {ATTRIBUTE, 6, GRAPH},
    {ATTRIBUTE, 11, GRAPH},  {ATTRIBUTE, 14, TYPE},   {ATTRIBUTE, 15, TYPE},
    {VALUE_INFO, 2, TYPE},   {TYPE, 4, SEQUENCE},     {TYPE, 5, MAP},
    {TYPE, 9, SEQUENCE},     {SEQUENCE, 1, TYPE},     {MAP, 2, TYPE},
};

typedef struct level {
    message kind;
    size_t end;
} level;

static int varint(const uint8_t *p, size_t end, size_t *at, uint64_t *v)
{
    *v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (*at >= end)
            return 0;
        const uint8_t b = p[(*at)++];
        *v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80)
            return 1;
    }
    return 0;
}

static int next(message in, uint64_t field, message *to)
{
    for (size_t i = 0; i < sizeof k_edges / sizeof k_edges[0]; i++)
        if (k_edges[i].in == in && k_edges[i].field == field) {
            *to = k_edges[i].to;
            return 1;
        }
    return 0;
}

/* Past a field's value; *len: bytes of a length-delimited one, which stay unread. */
static int skip(const uint8_t *p, size_t end, size_t *at, unsigned wire, uint64_t *len)
{
    const size_t fixed = wire == 1 ? 8 : 4;
    uint64_t v;

    *len = 0;
    switch (wire) {
    case 0:
        return varint(p, end, at, &v);
    case 2:
        return varint(p, end, at, len) && *len <= end - *at;
    case 1:
    case 5:
        if (fixed > end - *at)
            return 0;
        *at += fixed;
        return 1;
    default:
        return 0;
    }
}

const char *onnx__scan(const uint8_t *p, size_t bytes)
{
    level stack[DEPTH_MAX];
    int depth = 0;
    size_t at = 0, items = 0;

    stack[0] = (level){MODEL, bytes};
    while (depth >= 0) {
        const level l = stack[depth];
        uint64_t tag, len;
        message to = MODEL;
        if (at >= l.end) {
            depth--;
            continue;
        }
        if (!varint(p, l.end, &at, &tag) ||
            !skip(p, l.end, &at, (unsigned)(tag & 7), &len))
            return "not an ONNX file, or cut short";
        if (++items > ITEMS_MAX)
            return "more parts than any network has";
        if ((tag & 7) != 2)
            continue;
        if (!next(l.kind, tag >> 3, &to)) {
            at += (size_t)len;
            continue;
        }
        if (depth + 1 >= DEPTH_MAX)
            return "parts are nested too deeply";
        stack[++depth] = (level){to, at + (size_t)len};
    }
    return NULL;
}
