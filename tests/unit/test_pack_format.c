/* The document and the program say the same: limits; payloads are used up to their last
 * byte; a network has the texts that the format allows. */
#include "dscq/base/alloc.h"
#include "dscq/base/str.h"
#include "dscq/pack/pack.h"
#include "enc/encoding.h"
#include "format.h"
#include "qmodel_random.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- docs/format.md ---- */

static const struct limit {
    long value;
    const char *text;
} k_limits[] = {
#define X(id, value, text) {value, text},
    PACK_LIMIT_LIST(X) DSCQ_QNET_LIMITS(X)
#undef X
};
enum { LIMITS = sizeof k_limits / sizeof *k_limits };

/* Rows of a table of two columns behind `heading`. */
static int count_rows(const char *text, const char *heading)
{
    const char *at = strstr(text, heading);
    int rows = 0;

    ck_assert_ptr_nonnull(at);
    at = strstr(at, "\n|---");
    ck_assert_ptr_nonnull(at);
    for (at = strchr(at + 1, '\n') + 1; *at == '|'; at = strchr(at, '\n') + 1)
        rows++;
    return rows;
}

START_TEST(the_document_lists_the_limits_of_the_program)
{
    char *text = test_read(test_source("docs/format.md"));

    for (int i = 0; i < LIMITS; i++) {
        char row[200];
        (void)snprintf(row, sizeof row, "\n| %s | %ld |\n", k_limits[i].text,
                       k_limits[i].value);
        ck_assert_msg(strstr(text, row) != NULL, "docs/format.md lacks the row%s", row);
    }
    ck_assert_int_eq(count_rows(text, "## 3. Limits"), LIMITS);
    dscq_free(text);
}
END_TEST

START_TEST(the_document_lists_the_fields_of_the_program)
{
    char *text = test_read(test_source("docs/format.md"));
    const char *table = strstr(text, "### 4.3 Fields");

    ck_assert_ptr_nonnull(table);
    for (size_t i = 0; i < pack__field_count; i++) {
        char row[512];
        const char *at = strstr(table, pack__fields[i].name);
        ck_assert_msg(at != NULL, "docs/format.md lacks field %s",
                      pack__fields[i].name);
        while (*at != '|') /* to the column of the operations */
            at++;
        (void)snprintf(row, sizeof row, "%.*s", (int)strcspn(at, "\n"), at);
        for (int op = 0; op < DSCQ_Q_COUNT; op++) {
            char word[32];
            (void)snprintf(word, sizeof word, " %s ", dscq_qop_name((dscq_qop)op));
            const char *end = strchr(row + 1, '|'), *found = strstr(row, word);
            ck_assert_ptr_nonnull(end);
            ck_assert_msg((found != NULL && found < end) ==
                              pack__field_in(&pack__fields[i], (dscq_qop)op),
                          "field %s of %s: document and program differ",
                          pack__fields[i].name, dscq_qop_name((dscq_qop)op));
        }
        ck_assert_msg((strstr(row, "| zigzag |") != NULL) == pack__fields[i].is_signed,
                      "type of field %s", pack__fields[i].name);
    }
    dscq_free(text);
}
END_TEST

START_TEST(the_document_lists_the_operations_of_the_program)
{
    char *text = test_read(test_source("docs/format.md"));
    const char *numbers = strstr(text, "### 4.2 Operations"),
               *demands = strstr(text, "### 4.6 What an operation demands");

    ck_assert_ptr_nonnull(numbers);
    ck_assert_ptr_nonnull(demands);
    for (int op = 0; op < DSCQ_Q_COUNT; op++) {
        const char *name = dscq_qop_name((dscq_qop)op);
        char cells[64];
        (void)snprintf(cells, sizeof cells, "| %d | %s |", op, name);
        const char *at = strstr(numbers, cells);
        ck_assert_msg(at != NULL && at < demands, "docs/format.md 4.2 lacks %s", cells);
        (void)snprintf(cells, sizeof cells, "\n| %s |", name);
        ck_assert_msg(strstr(demands, cells) != NULL, "docs/format.md 4.6 lacks %s",
                      name);
    }
    dscq_free(text);
}
END_TEST

/* ---- payloads ---- */

/* A layer that encoding `id` takes; its codes and the marks of its blocks. */
typedef struct sample {
    dscq_qweights l;
    uint16_t code[96];
    uint8_t high[8];
} sample;

static void make_sample(sample *s, int32_t id, int32_t bits, dscq_rng *g)
{
    const int is_binary = id == dscq_pack_encoding_find("binary");

    *s = (sample){.l = {.k = 4, .r = 3, .s = 2, .c = 4, .count = 96, .bits = bits}};
    s->l.form = is_binary ? DSCQ_FORM_BINARY : DSCQ_FORM_LINEAR;
    s->l.block = 12;
    s->l.block_count = 8;
    s->l.block_high = s->high;
    for (int b = 0; b < 8; b++)
        s->high[b] = is_binary && dscq_rng_below(g, 2);
    if (is_binary)
        s->l.bits = 1;
    for (size_t i = 0; i < 96; i++) {
        const uint64_t codes =
            is_binary ? (s->high[i / 12] ? 256 : 2) : (uint64_t)1 << bits;
        s->code[i] = dscq_rng_below(g, 3) == 0 ? (uint16_t)dscq_rng_below(g, codes)
                                               : (uint16_t)0;
    }
}

static int takes(const sample *s, int32_t id, int32_t arg, const uint8_t *data,
                 size_t bytes)
{
    dscq_reader r = {data, bytes, 0, NULL};
    uint16_t code[96] = {0};
    uint8_t high[8] = {0};
    dscq_qweights l = s->l;
    dscq_error err;

    l.block_high = high;
    ck_assert_int_eq(pack__encoding(id)->decode(code, &l, arg, &r, &err), DSCQ_OK);
    return r.bad == NULL && memcmp(code, s->code, sizeof code) == 0;
}

/* The payload as it is; with bytes behind it; without its last one. */
static void check_payload(const sample *s, int32_t id, const char *name)
{
    const pack_encoding *e = pack__encoding(id);
    dscq_pack_size size = {0};
    dscq_buf b = {0};
    int32_t arg = 0;
    dscq_error err;

    ck_assert_int_eq(e->cost(&size, &arg, &s->l, s->code, &err), DSCQ_OK);
    ck_assert_int_eq(e->encode(&b, &s->l, arg, s->code, &err), DSCQ_OK);
    const size_t bytes = b.len;
    ck_assert_msg(takes(s, id, arg, b.data, bytes), "%s does not read itself", name);
    for (int fill = 0; fill < 2; fill++)
        for (size_t more = 1; more <= 9; more++) {
            uint8_t *longer = dscq_malloc(bytes + more, 1);
            memcpy(longer, b.data, bytes);
            memset(longer + bytes, fill ? 0xff : 0, more);
            ck_assert_msg(!takes(s, id, arg, longer, bytes + more),
                          "%s takes %zu bytes of %d behind its payload", name, more,
                          fill);
            dscq_free(longer);
        }
    if (bytes > 0)
        ck_assert_msg(!takes(s, id, arg, b.data, bytes - 1), "%s misses its last byte",
                      name);
    dscq_buf_free(&b);
}

START_TEST(a_payload_is_used_up)
{
    const char *name = dscq_pack_encoding_at(_i)->name;
    dscq_rng g = dscq_rng_seeded(500 + (uint64_t)_i);
    sample s;

    for (int round = 0; round < 200; round++) {
        make_sample(&s, _i, 2 + round % 7, &g);
        ck_assert_msg(pack__encoding(_i)->fits(&s.l), "%s does not fit", name);
        check_payload(&s, _i, name);
    }
}
END_TEST

/* A whole byte for a code of fewer bits. */
START_TEST(a_code_wider_than_the_layer_is_refused)
{
    static const uint8_t fc[] = {0x85, 0}; /* code 0x85 for 5 bits */
    static const uint8_t conv[] = {1, 0x85, 0};
    const dscq_qweights l = {.k = 1,
                             .r = 1,
                             .s = 1,
                             .c = 1,
                             .count = 1,
                             .bits = 5,
                             .form = DSCQ_FORM_LINEAR};
    dscq_reader r = {fc, sizeof fc, 0, NULL};
    uint16_t code;
    dscq_error err;

    ck_assert_int_eq(pack__encoding(dscq_pack_encoding_find("zhang_fc"))
                         ->decode(&code, &l, 0, &r, &err),
                     DSCQ_OK);
    ck_assert_ptr_nonnull(r.bad);
    r = (dscq_reader){conv, sizeof conv, 0, NULL};
    ck_assert_int_eq(pack__encoding(dscq_pack_encoding_find("zhang_conv"))
                         ->decode(&code, &l, 0, &r, &err),
                     DSCQ_OK);
    ck_assert_ptr_nonnull(r.bad);
}
END_TEST

/* ---- texts ---- */

START_TEST(texts_are_utf8_without_control_characters)
{
    static const struct {
        const char *text;
        int in_text, in_lines;
    } k_cases[] = {
        {"plain", 1, 1},
        {"B\xc3\xa4r \xe2\x82\xac \xf0\x9f\x9a\xa6", 1, 1},
        {"two\nlines", 0, 1},
        {"tab\there", 0, 0},
        {"cr\rhere", 0, 0},
        {"del\x7f", 0, 0},
        {"c1 \xc2\x85", 0, 0},
        {"\xc2\xa0 no-break blank", 1, 1},
        {"latin-1 B\xe4r", 0, 0},
        {"cut \xe2\x82", 0, 0},
        {"overlong \xc0\xaf", 0, 0},
        {"surrogate \xed\xa0\x80", 0, 0},
        {"beyond \xf4\x90\x80\x80", 0, 0},
        {"lone \x80", 0, 0},
    };
    const qmodel_random_opts o = {.nodes = 2, .max_side = 4, .max_channels = 4};
    dscq_rng g = dscq_rng_seeded(1);
    char names[2][64];
    dscq_qmodel *m;
    dscq_error err;

    test_ok(qmodel_random(&m, &g, &o, &err));
    m->class_name = dscq_calloc(1, sizeof *m->class_name);
    m->class_count = 1;
    (void)snprintf(m->class_name[0], 64, "c");
    (void)snprintf(names[0], 64, "%s", m->tensor[0].name);
    (void)snprintf(names[1], 64, "%s", m->node[0].name);
    for (size_t i = 0; i < sizeof k_cases / sizeof *k_cases; i++) {
        const char *text = k_cases[i].text;
        struct {
            char *at;
            const char *good;
            int allowed;
        } place[] = {
            {m->tensor[0].name, names[0], k_cases[i].in_text},
            {m->node[0].name, names[1], k_cases[i].in_text},
            {m->class_name[0], "c", k_cases[i].in_text},
            {m->name, "net", k_cases[i].in_text},
            {m->output[0].role, "raw", k_cases[i].in_text},
            {m->output[0].params, "", k_cases[i].in_lines},
        };
        for (size_t p = 0; p < sizeof place / sizeof *place; p++) {
            (void)snprintf(place[p].at, 32, "%s", text);
            ck_assert_msg((dscq_qmodel_check(m, &err) == DSCQ_OK) == place[p].allowed,
                          "text %zu in place %zu: %s", i, p, err.msg);
            (void)snprintf(place[p].at, 64, "%s", place[p].good);
        }
        m->meta = dscq_strdup(text);
        ck_assert_int_eq(dscq_qmodel_check(m, &err) == DSCQ_OK, k_cases[i].in_lines);
        dscq_free(m->meta);
        m->meta = NULL;
    }
    dscq_qmodel_destroy(m);
}
END_TEST

START_TEST(names_are_made_fit_for_the_file)
{
    char out[12];

    ck_assert_int_eq(dscq_str_clean(out, sizeof out, "B\xc3\xa4r"), 1);
    ck_assert_str_eq(out, "B\xc3\xa4r");
    ck_assert_int_eq(dscq_str_clean(out, sizeof out, "B\xe4r\t"), 0);
    ck_assert_str_eq(out, "B\xef\xbf\xbdr ");
    ck_assert_int_eq(dscq_str_clean(out, 5, "abc\xe2\x82\xac"), 0); /* no half one */
    ck_assert_str_eq(out, "abc");
    ck_assert_int_eq(dscq_str_clean(out, 4, "abcd"), 0);
    ck_assert_str_eq(out, "abc");
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("pack_format", &tc);

    tcase_add_test(tc, the_document_lists_the_limits_of_the_program);
    tcase_add_test(tc, the_document_lists_the_fields_of_the_program);
    tcase_add_test(tc, the_document_lists_the_operations_of_the_program);
    tcase_add_loop_test(tc, a_payload_is_used_up, 0, dscq_pack_encoding_count());
    tcase_add_test(tc, a_code_wider_than_the_layer_is_refused);
    tcase_add_test(tc, texts_are_utf8_without_control_characters);
    tcase_add_test(tc, names_are_made_fit_for_the_file);
    return s;
}

int main(void)
{
    return test_run(make);
}
