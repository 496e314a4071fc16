/* Taking a packed file apart, changing it, putting it together again. */
#include "pack_mutate.h"

#include "dscq/base/alloc.h"
#include "dscq/base/hash.h"
#include "dscq/base/rng.h"

#include <string.h>

enum { HEAD = 32, ENTRY = 24, SECTIONS = 16, FIELDS = 1 << 14, OPS = 13 };

typedef enum kind {
    K_VARINT,
    K_ZIGZAG,
    K_NUMBERS, /* `each` bytes a number, any number of them */
    K_REAL,
    K_TEXT, /* length, bytes */
    K_BLOB, /* the same, not characters */
    K_RAW   /* bytes to the section's end */
} kind;

typedef struct field {
    kind kind;
    int section;
    unsigned each;
    size_t at, bytes;
} field;

typedef struct section {
    char tag[4];
    uint32_t flags;
    size_t at, bytes;    /* of the file that was read */
    uint8_t *data;       /* of the one that is written */
    size_t filled, room; /* of data */
} section;

typedef struct file {
    const uint8_t *d;
    size_t bytes, at, end; /* where the walk is, where its section ends */
    int walking, bad;      /* section */
    uint16_t major, minor;
    section s[SECTIONS];
    int sections;
    field f[FIELDS];
    int fields;
    /* what the sections need of each other */
    uint64_t tensors, nodes, channels[512], bits[512], node_k[512], node_op[512],
        out[512];
    dscq_rng g;
} file;

/* ---- taking apart ---- */

static uint64_t number_at(const file *f, size_t at, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)f->d[at + i] << (8 * i);
    return v;
}

static void note(file *f, kind k, unsigned each, size_t bytes)
{
    if (f->bad || bytes > f->end - f->at || f->fields == FIELDS) {
        f->bad = 1;
        return;
    }
    f->f[f->fields++] = (field){k, f->walking, each, f->at, bytes};
    f->at += bytes;
}

static uint64_t numbers(file *f, unsigned each, uint64_t count)
{
    const size_t at = f->at;

    if (count > f->bytes)
        f->bad = 1;
    note(f, K_NUMBERS, each, f->bad ? 0 : (size_t)count * each);
    return f->bad || count == 0 ? 0 : number_at(f, at, each);
}

static uint64_t varint_of(const file *f, size_t *bytes)
{
    uint64_t v = 0;
    size_t n = 0;

    while (f->at + n < f->end && n < 10) {
        const uint8_t b = f->d[f->at + n];
        v |= (uint64_t)(b & 127) << (7 * n);
        n++;
        if (b < 128) {
            *bytes = n;
            return v;
        }
    }
    *bytes = f->bytes + 1; /* note() then fails */
    return 0;
}

static uint64_t varint(file *f, kind k)
{
    size_t bytes;
    const uint64_t v = varint_of(f, &bytes);

    note(f, k, 0, bytes);
    return f->bad ? 0 : v;
}

static void counted(file *f, kind k)
{
    size_t bytes;
    const uint64_t n = varint_of(f, &bytes);

    if (n > f->bytes)
        f->bad = 1;
    note(f, k, 0, f->bad ? 0 : bytes + (size_t)n);
}

/* Fields of docs/format.md 4.3: operations that have them as bits, signed. */
static const struct node_field {
    uint16_t ops;
    int is_signed;
} k_node_fields[] = {{0x0031, 0}, {0x0031, 0}, {0x0231, 0}, {0x0231, 0}, {0x0231, 0},
                     {0x0231, 0}, {0x0001, 0}, {0x0001, 0}, {0x0001, 0}, {0x0030, 0},
                     {0x0030, 0}, {0x0020, 0}, {0x00c0, 0}, {0x0900, 0}, {0x183f, 1},
                     {0x183f, 1}, {0x0003, 0}, {0x0003, 0}};

static void walk_node(file *f, size_t i)
{
    const uint64_t op = numbers(f, 1, 1);

    f->node_op[i] = op;
    counted(f, K_TEXT);
    for (uint64_t k = varint(f, K_VARINT); k > 0 && !f->bad; k--)
        (void)varint(f, K_VARINT);
    f->out[i] = varint(f, K_VARINT);
    if (op >= OPS || f->out[i] >= f->tensors) {
        f->bad = 1;
        return;
    }
    for (size_t k = 0; k < sizeof k_node_fields / sizeof *k_node_fields; k++)
        if ((k_node_fields[k].ops >> op & 1) != 0)
            (void)varint(f, k_node_fields[k].is_signed ? K_ZIGZAG : K_VARINT);
    f->node_k[i] = f->channels[f->out[i]];
    if (op == 0) {
        (void)varint(f, K_VARINT);
        (void)varint(f, K_VARINT);
    }
}

static void walk_net(file *f)
{
    counted(f, K_TEXT);
    (void)varint(f, K_VARINT);
    f->tensors = varint(f, K_VARINT);
    if (f->tensors > 512)
        f->bad = 1;
    for (size_t i = 0; i < f->tensors && !f->bad; i++) {
        counted(f, K_TEXT);
        (void)varint(f, K_VARINT);
        (void)varint(f, K_VARINT);
        f->channels[i] = varint(f, K_VARINT);
        f->bits[i] = numbers(f, 1, 1) & 127;
        (void)varint(f, K_ZIGZAG);
        note(f, K_REAL, 0, 8);
    }
    f->nodes = varint(f, K_VARINT);
    if (f->nodes > 512)
        f->bad = 1;
    for (size_t i = 0; i < f->nodes && !f->bad; i++)
        walk_node(f, i);
}

static void walk_constants(file *f)
{
    for (size_t i = 0; i < f->nodes && !f->bad; i++) {
        const uint64_t n = varint(f, K_VARINT);
        (void)numbers(f, 2, n);
        (void)numbers(f, 1, n);
        if (f->node_op[i] == 0)
            (void)numbers(f, 3, n);
        for (uint64_t k = 0; f->node_op[i] == 5 && k < n && !f->bad; k++)
            (void)varint(f, K_VARINT);
        const uint64_t t = varint(f, K_VARINT);
        (void)numbers(f, f->node_op[i] == 11 || f->bits[f->out[i]] > 8 ? 2 : 1, t);
    }
}

static void walk_ends(file *f)
{
    for (uint64_t i = varint(f, K_VARINT); i > 0 && !f->bad; i--) {
        (void)varint(f, K_VARINT);
        if (numbers(f, 1, 1) != 1)
            continue;
        (void)numbers(f, 1, 4);
        for (int k = 0; k < 9; k++)
            note(f, K_REAL, 0, 8);
        (void)numbers(f, 4, 8);
    }
    for (uint64_t i = varint(f, K_VARINT); i > 0 && !f->bad; i--) {
        (void)varint(f, K_VARINT);
        counted(f, K_TEXT);
        counted(f, K_TEXT);
    }
}

static void walk_weights(file *f)
{
    for (size_t i = 0; i < f->nodes && !f->bad; i++) {
        if (f->node_op[i] != 0)
            continue;
        (void)numbers(f, 1, 1);
        const uint64_t form = numbers(f, 1, 1);
        (void)numbers(f, 1, 1);
        (void)varint(f, K_VARINT);
        if (form == 0) {
            const uint64_t n = varint(f, K_VARINT), each = numbers(f, 1, 1);
            f->bad |= n == 0 || each < 1 || each > 2;
            (void)numbers(f, (unsigned)each, n - 1);
        } else if (form == 2) {
            (void)varint(f, K_VARINT);
            (void)numbers(f, 2, f->node_k[i]);
        }
        counted(f, K_BLOB);
    }
}

static void walk_digests(file *f)
{
    const uint64_t n = varint(f, K_VARINT);
    const size_t crcs = n < 65 ? (size_t)(n * f->nodes * 4) : 0;

    if (f->end - f->at > crcs) /* stored codes */
        note(f, K_NUMBERS, 1, f->end - f->at - crcs);
    note(f, K_NUMBERS, 4, f->end - f->at);
}

static void walk_section(file *f, const section *s)
{
    static const struct {
        char tag[5];
        void (*walk)(file *f);
    } k_walks[] = {{"NET ", walk_net},
                   {"QNT ", walk_constants},
                   {"IO  ", walk_ends},
                   {"WGT ", walk_weights},
                   {"DIG ", walk_digests}};

    f->at = s->at;
    f->end = s->at + s->bytes;
    for (size_t i = 0; i < sizeof k_walks / sizeof *k_walks; i++)
        if (memcmp(k_walks[i].tag, s->tag, 4) == 0)
            k_walks[i].walk(f);
    if (memcmp(s->tag, "CLS ", 4) == 0) {
        const uint64_t n = varint(f, K_VARINT);
        for (uint64_t i = 0; i < n && !f->bad; i++)
            counted(f, K_TEXT);
    }
    if (f->at < f->end) /* what nobody walked */
        note(f, K_RAW, 1, f->end - f->at);
}

static int take_apart(file *f, const uint8_t *data, size_t bytes)
{
    f->d = data;
    f->bytes = bytes;
    if (bytes < HEAD || number_at(f, 12, 4) > SECTIONS - 2)
        return 0;
    f->major = (uint16_t)number_at(f, 8, 2);
    f->minor = (uint16_t)number_at(f, 10, 2);
    f->sections = (int)number_at(f, 12, 4);
    size_t at = HEAD + (size_t)f->sections * ENTRY;
    if (at > bytes)
        return 0;
    for (int i = 0; i < f->sections; i++) {
        section *s = &f->s[i];
        const size_t e = HEAD + (size_t)i * ENTRY;
        memcpy(s->tag, data + e, 4);
        s->flags = (uint32_t)number_at(f, e + 4, 4);
        s->bytes = (size_t)number_at(f, e + 8, 8);
        s->at = at;
        if (s->bytes > bytes - at)
            return 0;
        at += s->bytes;
    }
    for (f->walking = 0; f->walking < f->sections; f->walking++)
        walk_section(f, &f->s[f->walking]);
    return !f->bad && f->fields > 0;
}

/* ---- changing ---- */

static int one_in(file *f, uint64_t n)
{
    return dscq_rng_below(&f->g, n) == 0;
}

static void put(section *s, const void *data, size_t bytes)
{
    if (bytes > s->room - s->filled)
        bytes = s->room - s->filled;
    if (bytes > 0)
        memcpy(s->data + s->filled, data, bytes);
    s->filled += bytes;
}

static void put_varint(section *s, uint64_t v)
{
    uint8_t raw[10];
    size_t n = 0;

    for (; v >= 128; v >>= 7)
        raw[n++] = (uint8_t)(v | 128);
    raw[n++] = (uint8_t)v;
    put(s, raw, n);
}

/* A number near a border, near v, or of another field of the kind. */
static uint64_t other_number(file *f, uint64_t v, kind k)
{
    const uint64_t power = UINT64_C(1) << dscq_rng_below(&f->g, one_in(f, 4) ? 64 : 16);

    switch (dscq_rng_below(&f->g, 9)) {
    case 0:
        return 0;
    case 1:
        return v + 1;
    case 2:
        return v - 1;
    case 3:
        return v * 2;
    case 4:
        return v / 2;
    case 5:
        return power;
    case 6:
        return power - 1;
    case 7:
        return dscq_rng_below(&f->g, 20);
    default:
        for (int tries = 0; tries < 50; tries++) {
            const field *o = &f->f[dscq_rng_below(&f->g, (uint64_t)f->fields)];
            if (o->kind != k)
                continue;
            f->at = o->at;
            f->end = o->at + o->bytes;
            size_t bytes;
            return varint_of(f, &bytes);
        }
        return dscq_rng_next(&f->g);
    }
}

static void put_other_numbers(file *f, section *s, const field *o)
{
    static const uint64_t k_edges[] = {0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff};
    const size_t count = o->bytes / o->each;
    const size_t at = (size_t)dscq_rng_below(&f->g, count > 0 ? count : 1);

    for (size_t i = 0; i < count; i++) {
        uint64_t v = number_at(f, o->at + i * o->each, o->each);
        if (i == at) {
            const uint64_t how = dscq_rng_below(&f->g, 4);
            v = how == 0   ? v ^ UINT64_C(1) << dscq_rng_below(&f->g, 8 * o->each)
                : how == 1 ? k_edges[dscq_rng_below(&f->g, 8)]
                : how == 2 ? v + (one_in(f, 2) ? 1 : UINT64_MAX)
                           : dscq_rng_next(&f->g);
        }
        uint8_t raw[8];
        for (unsigned b = 0; b < o->each; b++)
            raw[b] = (uint8_t)(v >> (8 * b));
        put(s, raw, o->each);
    }
}

static void put_other_real(file *f, section *s, const field *o)
{
    static const double k_reals[] = {0,     -1,    1e-320, 1e308, -0.0,
                                     1e-40, 1e300, 0.5,    1,     255};
    double v = k_reals[dscq_rng_below(&f->g, sizeof k_reals / sizeof *k_reals)];
    uint64_t bits = dscq_rng_next(&f->g);

    if (one_in(f, 3)) { /* infinities and what is no number */
        bits = bits << 52 | UINT64_C(0x7ff) << 52 | (bits & 3) << 50;
        memcpy(&v, &bits, sizeof v);
    } else if (one_in(f, 3)) {
        memcpy(&v, f->d + o->at, sizeof v);
        v *= one_in(f, 2) ? 1000 : 0.001;
    }
    put(s, &v, sizeof v);
}

static void put_other_text(file *f, section *s, const field *o)
{
    static const char *const k_texts[] = {
        "",     "x",        "\n",   "\t",  "\x7f",         "\xc2\x85",
        "\xe4", "\xc0\xaf", "yolo", "raw", "\xed\xa0\x80", "key=value\nlines=2"};
    uint8_t longest[600];
    static const size_t k_lengths[] = {31, 32, 63, 64, 127, 128, 511, 512};

    if (one_in(f, 3)) {
        const size_t n = k_lengths[dscq_rng_below(&f->g, 8)];
        memset(longest, 'n', sizeof longest);
        put_varint(s, n);
        put(s, longest, n);
        return;
    }
    for (int tries = 0; one_in(f, 2) && tries < 50; tries++) {
        const field *t = &f->f[dscq_rng_below(&f->g, (uint64_t)f->fields)];
        if (t->kind == K_TEXT && t->at != o->at) {
            put(s, f->d + t->at, t->bytes);
            return;
        }
    }
    const char *text = k_texts[dscq_rng_below(&f->g, sizeof k_texts / sizeof *k_texts)];
    put_varint(s, strlen(text));
    put(s, text, strlen(text));
}

/* data[bytes] with a bit, a byte, the end or the length changed; its length in front
 * when `is_counted`. */
static void put_other_bytes(file *f, section *s, const uint8_t *data, size_t bytes,
                            int is_counted)
{
    const uint8_t junk[4] = {0, 0xff, 1, 0};
    const uint64_t how = dscq_rng_below(&f->g, 6);
    const size_t more = how == 4 ? 1 + (size_t)dscq_rng_below(&f->g, 4) : 0;
    const size_t keep = how == 5 ? (size_t)dscq_rng_below(&f->g, bytes + 1) : bytes;

    if (is_counted)
        put_varint(s, keep + more);
    const size_t start = s->filled;
    put(s, data, keep);
    put(s, junk + (more == 4 ? 0 : dscq_rng_below(&f->g, 5 - more)), more);
    for (int n = how < 4 ? 1 + (int)how : 0; n > 0 && s->filled > start; n--) {
        uint8_t *b = &s->data[start + dscq_rng_below(&f->g, s->filled - start)];
        const unsigned flip = 1U << dscq_rng_below(&f->g, 8);
        const uint64_t any = dscq_rng_next(&f->g);
        *b = (uint8_t)(one_in(f, 2) ? *b ^ flip : any);
    }
}

static void put_other(file *f, section *s, const field *o)
{
    size_t head;

    f->at = o->at;
    f->end = o->at + o->bytes;
    if (one_in(f, 40)) /* gone, or there twice: all behind it is shifted */
        return;
    if (one_in(f, 40)) {
        put(s, f->d + o->at, o->bytes);
        put(s, f->d + o->at, o->bytes);
        return;
    }
    switch (o->kind) {
    case K_VARINT:
    case K_ZIGZAG:
        put_varint(s, other_number(f, varint_of(f, &head), o->kind));
        break;
    case K_NUMBERS:
        put_other_numbers(f, s, o);
        break;
    case K_REAL:
        put_other_real(f, s, o);
        break;
    case K_TEXT:
        put_other_text(f, s, o);
        break;
    case K_BLOB:
        (void)varint_of(f, &head);
        put_other_bytes(f, s, f->d + o->at + head, o->bytes - head, 1);
        break;
    default:
        put_other_bytes(f, s, f->d + o->at, o->bytes, 0);
    }
}

/* A field of a section taken at random: arrays of digests do not crowd out the rest. */
static int pick(file *f)
{
    const int s = (int)dscq_rng_below(&f->g, (uint64_t)f->sections);
    int count = 0, at;

    for (int i = 0; i < f->fields; i++)
        count += f->f[i].section == s;
    if (count == 0)
        return (int)dscq_rng_below(&f->g, (uint64_t)f->fields);
    at = (int)dscq_rng_below(&f->g, (uint64_t)count);
    for (int i = 0; i < f->fields; i++)
        if (f->f[i].section == s && at-- == 0)
            return i;
    return 0;
}

static void swap_sections(section *a, section *b)
{
    const section t = *a;

    *a = *b;
    *b = t;
}

static void change_sections(file *f)
{
    section *s = &f->s[dscq_rng_below(&f->g, (uint64_t)f->sections)];
    const int last = f->sections - 1;

    switch (dscq_rng_below(&f->g, 8)) {
    case 0:
        put(s, "\0\0\0\0", 1 + (size_t)dscq_rng_below(&f->g, 4));
        break;
    case 1:
        s->filled -= s->filled > 0;
        break;
    case 2:
        s->filled = 0;
        break;
    case 3:
        s->flags ^= 1U << dscq_rng_below(&f->g, one_in(f, 2) ? 1 : 32);
        break;
    case 4:
        s->tag[dscq_rng_below(&f->g, 4)] = (char)(32 + dscq_rng_below(&f->g, 96));
        break;
    case 5:
        swap_sections(s, &f->s[dscq_rng_below(&f->g, (uint64_t)f->sections)]);
        break;
    case 6: /* gone */
        swap_sections(s, &f->s[last]);
        f->sections -= last > 0;
        break;
    default:
        f->minor = (uint16_t)dscq_rng_below(&f->g, 4);
        f->major = one_in(f, 4) ? 2 : f->major;
    }
}

/* ---- putting together ---- */

static void number_into(uint8_t *p, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static size_t put_together(const file *f, uint8_t *out, size_t cap)
{
    const size_t table = (size_t)f->sections * ENTRY;
    size_t at = HEAD + table;

    for (int i = 0; i < f->sections; i++)
        at += f->s[i].filled;
    if (at > cap)
        return 0;
    memcpy(out, f->d, 8);
    number_into(out + 8, f->major, 2);
    number_into(out + 10, f->minor, 2);
    number_into(out + 12, (uint64_t)f->sections, 4);
    number_into(out + 16, at, 8);
    at = HEAD + table;
    for (int i = 0; i < f->sections; i++) {
        uint8_t *e = out + HEAD + (size_t)i * ENTRY;
        const section *s = &f->s[i];
        memcpy(out + at, s->data, s->filled);
        memcpy(e, s->tag, 4);
        number_into(e + 4, s->flags, 4);
        number_into(e + 8, s->filled, 8);
        number_into(e + 16, dscq_crc32(0, out + at, s->filled), 4);
        number_into(e + 20, 0, 4);
        at += s->filled;
    }
    number_into(out + 24, dscq_crc32(0, out + HEAD, table), 4);
    number_into(out + 28, dscq_crc32(0, out, 28), 4);
    return at;
}

size_t pack_mutate(uint8_t *out, size_t cap, const uint8_t *data, size_t bytes,
                   uint64_t seed)
{
    enum { MORE = 2048 };
    file *f = dscq_calloc(1, sizeof *f);
    uint8_t *room = NULL;
    size_t made = 0;
    int chosen[3];

    if (f == NULL || !take_apart(f, data, bytes))
        goto done;
    f->g = dscq_rng_seeded(seed);
    room = dscq_calloc((size_t)f->sections, bytes + MORE);
    if (room == NULL)
        goto done;
    for (int i = 0; i < f->sections; i++) {
        f->s[i].data = room + (size_t)i * (bytes + MORE);
        f->s[i].room = bytes + MORE;
    }
    const int changes = one_in(f, 12) ? 0 : 1 + (int)dscq_rng_below(&f->g, 3);
    for (int i = 0; i < changes; i++)
        chosen[i] = pick(f);
    for (int i = 0; i < f->fields; i++) {
        const field o = f->f[i];
        int is_chosen = 0;
        for (int c = 0; c < changes; c++)
            is_chosen |= chosen[c] == i;
        if (is_chosen)
            put_other(f, &f->s[o.section], &o);
        else
            put(&f->s[o.section], data + o.at, o.bytes);
    }
    if (changes == 0 || one_in(f, 10))
        change_sections(f);
    made = put_together(f, out, cap);
done:
    dscq_free(room);
    dscq_free(f);
    return made;
}
