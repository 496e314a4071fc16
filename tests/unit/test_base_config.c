#include "dscq/base/config.h"
#include "dscq/base/str.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

typedef struct net {
    int32_t width, height;
} net;

typedef struct conv {
    int32_t filters, size;
    double scale;
} conv;

typedef struct extra {
    int32_t bits;
} extra;

/* clang-format off */
static const dscq_key k_net[] = {
    DSCQ_KEY_INT_ROW(net, width, 1, 4096, NULL, "pixels per row"),
    DSCQ_KEY_INT_ROW(net, height, 1, 4096, "32", "rows"),
    DSCQ_KEY_END};
static const dscq_key k_conv[] = {
    DSCQ_KEY_INT_ROW(conv, filters, 1, 65536, "1", "output channels"),
    DSCQ_KEY_INT_ROW(conv, size, 1, 31, "1", "kernel side"),
    DSCQ_KEY_REAL_ROW(conv, scale, 0, 10, "1", "gain"),
    DSCQ_KEY_END};
static const dscq_key k_extra[] = {
    DSCQ_KEY_INT_ROW(extra, bits, 1, 8, "4", "weight bits"),
    DSCQ_KEY_END};
/* clang-format on */

static const char k_text[] = "\xef\xbb\xbf# a network\r\n"
                             "[net]\r\n"
                             "  width = 64 \n"
                             "\n"
                             "[convolutional]\n"
                             "filters=8\n"
                             "; a remark\n"
                             "[ maxpool ]\n"
                             "[convolutional]\n"
                             "filters = 16\n"
                             "size=3";

static dscq_config *parse(const char *text)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_config *c = NULL;

    test_ok(dscq_config_parse(&c, text, strlen(text), "net.cfg", &err));
    return c;
}

START_TEST(sections_keep_their_order_and_may_repeat)
{
    dscq_config *c = parse(k_text);

    ck_assert_str_eq(dscq_config_name(c), "net.cfg");
    ck_assert_uint_eq(dscq_config_count(c), 4);
    ck_assert_str_eq(dscq_config_section(c, 2), "maxpool");
    ck_assert_int_eq(dscq_config_line(c, 3), 9);
    ck_assert_int_eq(dscq_config_find(c, "convolutional"), 1);
    ck_assert_int_eq(dscq_config_find(c, "conv"), -1);
    ck_assert_str_eq(dscq_config_get(c, 0, "width"), "64");
    ck_assert_ptr_null(dscq_config_get(c, 2, "width"));
    ck_assert_int_eq(dscq_config_key_line(c, 3, "size"), 11);
    ck_assert_int_eq(dscq_config_key_line(c, 3, "none"), 0);
    dscq_config_destroy(c);
    dscq_config_destroy(NULL);
}
END_TEST

START_TEST(values_reach_the_struct)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_config *c = parse(k_text);
    conv a, b, none;
    net n;

    test_ok(dscq_config_bind(&n, c, 0, "net", k_net, &err));
    test_ok(dscq_config_bind(&a, c, 1, "convolutional", k_conv, &err));
    test_ok(dscq_config_bind(&b, c, 3, "convolutional", k_conv, &err));
    test_ok(dscq_config_bind(&none, c, -1, "convolutional", k_conv, &err));
    ck_assert_int_eq(n.width, 64);
    ck_assert_int_eq(n.height, 32);
    ck_assert_int_eq(a.filters, 8);
    ck_assert_int_eq(a.size, 1);
    ck_assert_int_eq(b.filters, 16);
    ck_assert_int_eq(b.size, 3);
    ck_assert_int_eq(none.filters, 1);
    test_fails(dscq_config_check_used(c, "net|convolutional", &err), DSCQ_FORMAT,
               "net.cfg:8: unknown section [maxpool]; did you mean [net]?");
    dscq_config_destroy(c);
}
END_TEST

/* Text that cannot be parsed, and the one line that says why. */
static const struct {
    const char *text, *message;
} k_broken[] = {
    {"a=1\n", "net.cfg:1: 'a' before the first [section]"},
    {"[net]\nwidth\n", "net.cfg:2: 'width': want key=value or [section]"},
    {"[net]\n=5\n", "net.cfg:2: '=5': want key=value or [section]"},
    {"[net\n", "net.cfg:1: '[net': want [section]"},
    {"[]\n", "net.cfg:1: section name of 0 characters: want 1 to 127"},
    {"[\n", "net.cfg:1: '[': want [section]"},
};

START_TEST(broken_text_is_refused_with_its_line)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_config *c = NULL;

    test_fails(dscq_config_parse(&c, k_broken[_i].text, strlen(k_broken[_i].text),
                                 "net.cfg", &err),
               DSCQ_FORMAT, k_broken[_i].message);
    ck_assert_ptr_null(c);
}
END_TEST

/* Text that parses and cannot be bound. */
static const struct {
    const char *text, *message;
} k_unbound[] = {
    {"[net]\nwidth=1\n# x\n width = 2\n",
     "net.cfg:4: key 'width' given twice in [net], first in line 2"},
    {"[net]\nwidht=64\n",
     "net.cfg:2: widht = '64': unknown key; did you mean 'width'?"},
    {"\n[net]\nheight=3\n", "net.cfg:2: [net] needs the key 'width': pixels per row"},
    {"[net]\nwidth=64\nheight=5000\n",
     "net.cfg:3: height = '5000': want a whole number in [1, 4096]"},
    {"[net]\nwidth=\n", "net.cfg:2: width = '': want a whole number in [1, 4096]"},
    {"[net]\nwidth=6 4\n",
     "net.cfg:2: width = '6 4': want a whole number in [1, 4096]"},
    {"[net]\nwidth=64# pixels\n",
     "net.cfg:2: width = '64# pixels': want a whole number in [1, 4096]"},
};

/* What moves nothing is read over where that is the rule, and told. */
START_TEST(what_is_read_over_is_noted_once)
{
    static const dscq_key keys[] = {
        DSCQ_KEY_INT_ROW(net, width, 1, 4096, NULL, "pixels per row"),
        DSCQ_KEY_OVER_ROW("ema", "of another program"), DSCQ_KEY_END};
    dscq_error err = {DSCQ_OK, ""};
    dscq_config *c = parse("[net]\nwidth=3\nema=any thing\nwidth=4\n"
                           "[net]\nema=1\nwidth=5\n[cost]\ntype=sse\n");
    dscq_str foreign = {0}, again = {0};
    net n[2];

    dscq_config_first_counts(c, 0);
    test_ok(dscq_config_bind(&n[0], c, 0, "net", keys, &err));
    test_ok(dscq_config_bind(&n[1], c, 1, "net", keys, &err));
    dscq_config_use(c, 2);
    test_ok(dscq_config_read_over(c, 2, "", 8, DSCQ_CONFIG_FOREIGN, &err));
    test_ok(dscq_config_check_used(c, "net", &err));
    ck_assert_int_eq(n[0].width, 3);
    ck_assert_int_eq(n[1].width, 5);
    ck_assert_str_eq(dscq_config_key_at(c, 0, 1), "ema");
    ck_assert_ptr_null(dscq_config_key_at(c, 0, 2));
    dscq_config_over_list(&foreign, c, DSCQ_CONFIG_FOREIGN);
    ck_assert_str_eq(foreign.text, "[net] ema (line 3 and 1 more), [cost] (line 8)");
    dscq_config_over_list(&again, c, DSCQ_CONFIG_AGAIN);
    ck_assert_str_eq(again.text, "[net] width (line 4)");
    dscq_str_free(&foreign);
    dscq_str_free(&again);
    dscq_config_destroy(c);
}
END_TEST

START_TEST(a_comment_may_follow_a_value)
{
    static const char text[] = "[net]      # layer 0\n"
                               "width = 64 # pixels ; of a row\n"
                               "height=32\t; rows\n"
                               "   # nothing but a comment\n"
                               "\t; neither\n"
                               "[convolutional];\n"
                               "layers = 14_*;15_*#1\n"
                               "[ maxpool ]# 2\n"
                               "train = \"a folder #1\"   # in quotes\n"
                               "names = \"x\"\n"
                               "empty = # nothing\n"
                               "inner = say \"a ; b\" # c\n"
                               "open = \"no end # 1\n";
    dscq_config *c = parse(text);

    ck_assert_uint_eq(dscq_config_count(c), 3);
    ck_assert_str_eq(dscq_config_section(c, 0), "net");
    ck_assert_str_eq(dscq_config_get(c, 0, "width"), "64");
    ck_assert_str_eq(dscq_config_get(c, 0, "height"), "32");
    ck_assert_str_eq(dscq_config_get(c, 1, "layers"), "14_*;15_*#1");
    ck_assert_str_eq(dscq_config_section(c, 2), "maxpool");
    ck_assert_str_eq(dscq_config_get(c, 2, "train"), "a folder #1");
    ck_assert_str_eq(dscq_config_get(c, 2, "names"), "x");
    ck_assert_str_eq(dscq_config_get(c, 2, "empty"), "");
    ck_assert_str_eq(dscq_config_get(c, 2, "inner"), "say \"a ; b\"");
    ck_assert_str_eq(dscq_config_get(c, 2, "open"), "\"no end # 1");
    ck_assert_int_eq(dscq_config_key_line(c, 2, "inner"), 12);
    dscq_config_destroy(c);
}
END_TEST

START_TEST(bad_settings_are_refused_with_their_line)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_config *c = parse(k_unbound[_i].text);
    net n;

    test_fails(dscq_config_bind(&n, c, 0, "net", k_net, &err), DSCQ_FORMAT,
               k_unbound[_i].message);
    dscq_config_destroy(c);
}
END_TEST

START_TEST(a_missing_section_misses_its_keys)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_config *c = parse("");
    net n;

    test_fails(dscq_config_bind(&n, c, -1, "net", k_net, &err), DSCQ_FORMAT,
               "net.cfg: [net] needs the key 'width': pixels per row");
    dscq_config_destroy(c);
}
END_TEST

START_TEST(bytes_that_are_no_text_are_refused)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_config *c = NULL;
    char many[600 * 8] = "[s]\n", name[200];

    test_fails(dscq_config_parse(&c, "[n]\na\0b=1\n", 10, "net.cfg", &err), DSCQ_FORMAT,
               "net.cfg:2: a zero byte: this is not a text file");
    for (int i = 0; i < 600; i++) {
        char line[16];
        (void)snprintf(line, sizeof line, "k%d=1\n", i);
        strncat(many, line, sizeof many - strlen(many) - 1);
    }
    test_fails(dscq_config_parse(&c, many, strlen(many), "net.cfg", &err), DSCQ_FORMAT,
               "net.cfg:514: more than 512 keys in [s]");
    memset(name, 'k', sizeof name);
    memcpy(name, "[s]\n", 4);
    memcpy(name + 190, "=1", 3);
    test_fails(dscq_config_parse(&c, name, 192, "net.cfg", &err), DSCQ_FORMAT,
               "net.cfg:2: key of 186 characters: want 1 to 127");
}
END_TEST

START_TEST(two_tables_share_a_section)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_config *c =
        parse("[convolutional]\nbits=3\nfilters=9\n[convolutional]\nbit=1\n");
    conv a;
    extra b;
    void *const params[] = {&a, &b};
    const dscq_key *const rows[] = {k_conv, k_extra};

    test_ok(dscq_config_bind_many(params, rows, 2, c, 0, "convolutional", &err));
    ck_assert_int_eq(a.filters, 9);
    ck_assert_int_eq(b.bits, 3);
    test_fails(dscq_config_bind_many(params, rows, 2, c, 1, "convolutional", &err),
               DSCQ_FORMAT, "net.cfg:5: bit = '1': unknown key; did you mean 'bits'?");
    dscq_config_destroy(c);
}
END_TEST

START_TEST(a_setting_from_outside_wins_and_is_named)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_config *c = parse(k_text);
    conv b;

    test_ok(dscq_config_set(c, "convolutional#2.filters = 5", "--set", &err));
    test_ok(dscq_config_set(c, "convolutional#2.scale=a=b", "--set", &err));
    test_ok(dscq_config_set(c, "train.seed=1", "--set", &err));
    ck_assert_str_eq(dscq_config_get(c, 3, "filters"), "5");
    ck_assert_str_eq(dscq_config_get(c, 1, "filters"), "8");
    ck_assert_int_eq(dscq_config_find(c, "train"), 4);
    ck_assert_int_eq(dscq_config_line(c, 4), 0);
    test_fails(dscq_config_bind(&b, c, 3, "convolutional", k_conv, &err), DSCQ_FORMAT,
               "--set convolutional.scale: scale = 'a=b': want a number in [0, 10]");
    test_ok(dscq_config_set(c, "convolutional#2.scale=2", "--scale", &err));
    test_ok(dscq_config_bind(&b, c, 3, "convolutional", k_conv, &err));
    ck_assert_int_eq(b.filters, 5);
    ck_assert_double_eq(b.scale, 2);
    dscq_config_destroy(c);
}
END_TEST

static const struct {
    const char *text, *message;
} k_bad_set[] = {
    {"width", "'width': want section.key=value"},
    {"net.width", "'net.width': want section.key=value"},
    {"net=width.x", "'net=width.x': want section.key=value"},
    {".width=1", "'.width=1': want section.key=value"},
    {"net.=1", "'net.=1': want section.key=value"},
    {"net#0.width=1", "'net#0.width=1': want section#N.key=value, N from 1"},
    {"net#x.width=1", "'net#x.width=1': want section#N.key=value, N from 1"},
    {"net#.width=1", "'net#.width=1': want section#N.key=value, N from 1"},
    {"net#2.width=1", "'net#2.width=1': net.cfg has only 1 section(s) [net]"},
};

START_TEST(a_malformed_setting_is_refused)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_config *c = parse(k_text);

    test_fails(dscq_config_set(c, k_bad_set[_i].text, "--set", &err), DSCQ_ARG,
               k_bad_set[_i].message);
    ck_assert_uint_eq(dscq_config_count(c), 4);
    dscq_config_destroy(c);
}
END_TEST

START_TEST(an_unknown_section_made_outside_is_named)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_config *c = parse("[train]\n[train]\n");
    int i = 0;

    test_fails(dscq_config_find_unique(&i, c, "train", &err), DSCQ_FORMAT,
               "net.cfg:2: section [train] stands twice, first in line 1");
    test_ok(dscq_config_find_unique(&i, c, "data", &err));
    ck_assert_int_eq(i, -1);
    dscq_config_destroy(c);
    c = parse("");
    test_ok(dscq_config_set(c, "trian.seed=1", "--set", &err));
    test_fails(dscq_config_check_used(c, "net|train|data", &err), DSCQ_FORMAT,
               "--set trian: unknown section [trian]; did you mean [train]?");
    dscq_config_destroy(c);
}
END_TEST

static void add_line(void *ctx, const char *line)
{
    dscq_str_add(ctx, line);
    dscq_str_add(ctx, "\n");
}

START_TEST(effective_settings_are_printed_and_read_back)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_config *c = parse(k_text);
    dscq_str s = {0};
    conv a, b;

    test_ok(dscq_config_set(c, "convolutional.scale=0.1", "--set", &err));
    test_ok(dscq_config_bind(&a, c, 1, "convolutional", k_conv, &err));
    dscq_config_print_section(c, 1, "convolutional", &a, k_conv, add_line, &s);
    ck_assert_str_eq(s.text, "[convolutional]\n"
                             "# net.cfg:6\nfilters=8\n"
                             "# default\nsize=1\n"
                             "# --set convolutional.scale\nscale=0.1\n");
    dscq_config_destroy(c);
    c = parse(s.text);
    test_ok(dscq_config_bind(&b, c, 0, "convolutional", k_conv, &err));
    ck_assert_mem_eq(&a, &b, sizeof a);
    dscq_config_destroy(c);
    dscq_str_free(&s);
}
END_TEST

/* Texts that the parser would cut stand in quotes. */
START_TEST(printed_texts_survive_reading)
{
    typedef struct texts {
        char path[64];
    } texts;
    /* clang-format off */
    static const dscq_key k_texts[] = {
        DSCQ_KEY_STR_ROW(texts, path, "", "a path"), DSCQ_KEY_END};
    /* clang-format on */
    static const char *const k_values[] = {"",   "plain", "a #1", "a ;b",
                                           "#1", " x ",   "a#1",  "say \"a\""};
    dscq_error err = {DSCQ_OK, ""};

    for (size_t i = 0; i < sizeof k_values / sizeof *k_values; i++) {
        dscq_config *c = parse("[data]\n");
        dscq_str s = {0};
        texts a = {""}, b = {""};

        memcpy(a.path, k_values[i], strlen(k_values[i]) + 1);
        dscq_config_print_section(c, 0, "data", &a, k_texts, add_line, &s);
        dscq_config_destroy(c);
        c = parse(s.text);
        test_ok(dscq_config_bind(&b, c, 0, "data", k_texts, &err));
        ck_assert_str_eq(b.path, k_values[i]);
        dscq_config_destroy(c);
        dscq_str_free(&s);
    }
}
END_TEST

START_TEST(a_file_is_named_when_it_cannot_be_read)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_config *c = NULL;
    net n;
    char want[5000];

    test_fails(dscq_config_load(&c, "/nonexistent/x.cfg", &err), DSCQ_IO,
               "/nonexistent/x.cfg: cannot open: No such file or directory");
    const char *path = test_file("net.cfg", "[net]\nwide=3\n");
    test_ok(dscq_config_load(&c, path, &err));
    (void)snprintf(want, sizeof want,
                   "%s:2: wide = '3': unknown key; did you mean 'width'?", path);
    test_fails(dscq_config_bind(&n, c, 0, "net", k_net, &err), DSCQ_FORMAT, want);
    dscq_config_destroy(c);
}
END_TEST

static dscq_status use_all(void *ctx, dscq_error *err)
{
    dscq_config *c = NULL;
    dscq_status status = dscq_config_load(&c, ctx, err);
    net n;

    if (status == DSCQ_OK)
        status = dscq_config_set(c, "train.seed=7", "--set", err);
    if (status == DSCQ_OK)
        status = dscq_config_set(c, "net.width=65", "--set", err);
    if (status == DSCQ_OK)
        status = dscq_config_bind(&n, c, 0, "net", k_net, err);
    dscq_config_destroy(c);
    return status;
}

START_TEST(no_memory_is_reported)
{
    char path[4096];

    (void)dscq_str_copy(path, sizeof path, test_file("net.cfg", k_text));
    ck_assert_uint_gt(test_each_alloc_fails(use_all, path), 15);
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("base/config", &tc);

    tcase_add_test(tc, sections_keep_their_order_and_may_repeat);
    tcase_add_test(tc, values_reach_the_struct);
    tcase_add_loop_test(tc, broken_text_is_refused_with_its_line, 0,
                        sizeof k_broken / sizeof k_broken[0]);
    tcase_add_loop_test(tc, bad_settings_are_refused_with_their_line, 0,
                        sizeof k_unbound / sizeof k_unbound[0]);
    tcase_add_test(tc, a_missing_section_misses_its_keys);
    tcase_add_test(tc, bytes_that_are_no_text_are_refused);
    tcase_add_test(tc, what_is_read_over_is_noted_once);
    tcase_add_test(tc, a_comment_may_follow_a_value);
    tcase_add_test(tc, two_tables_share_a_section);
    tcase_add_test(tc, a_setting_from_outside_wins_and_is_named);
    tcase_add_loop_test(tc, a_malformed_setting_is_refused, 0,
                        sizeof k_bad_set / sizeof k_bad_set[0]);
    tcase_add_test(tc, an_unknown_section_made_outside_is_named);
    tcase_add_test(tc, effective_settings_are_printed_and_read_back);
    tcase_add_test(tc, printed_texts_survive_reading);
    tcase_add_test(tc, a_file_is_named_when_it_cannot_be_read);
    tcase_add_test(tc, no_memory_is_reported);
    return s;
}

int main(void)
{
    return test_run(make);
}
