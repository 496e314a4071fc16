/* The cfg examples of the documents, fed to the program: what a reader copies works. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "program.h"

#include <stdio.h>
#include <string.h>

enum { LINE_MAX_BYTES = 4096 };

/* A network for examples of other sections: their globs find layers in it. */
static const char k_net[] =
    "[net]\nwidth=16\nheight=16\nchannels=3\n"
    "[convolutional]\nname=conv1_pw\nfilters=4\nsize=3\nstride=2\npad=1\n"
    "batch_normalize=1\nactivation=relu\n"
    "[avgpool]\n[connected]\nname=fc\noutput=4\nactivation=linear\n[softmax]\n";

typedef struct example {
    dscq_str text;
    int sections, has_net, line;
} example;

/* A [section] at the start of the line: prose has no such lines. */
static int is_section(const char *line)
{
    return line[0] == '[' &&
           strspn(line + 1, "abcdefghijklmnopqrstuvwxyz_0123456789") > 0 &&
           line[1 + strspn(line + 1, "abcdefghijklmnopqrstuvwxyz_0123456789")] == ']';
}

static void add_line(example *e, const char *line, int number)
{
    if (e->line == 0)
        e->line = number;
    e->sections += is_section(line);
    e->has_net += strncmp(line, "[net]", 5) == 0;
    dscq_str_addf(&e->text, "%s\n", line);
}

/* What was collected, as a network's cfg; 1 when it was one. */
static int try_example(example *e, const char *document)
{
    dscq_str cfg = {0};
    const int is_cfg = e->sections > 0;

    if (is_cfg) {
        dscq_str_addf(&cfg, "%s%s", e->has_net ? "" : k_net, e->text.text);
        (void)test_file("example.cfg", cfg.text);
        const int code = test_program("train example.cfg --dry-run");
        char *err = test_read(test_path("stderr.txt"));
        ck_assert_msg(code == 0, "%s:%d: %s\n%s", document, e->line, err, e->text.text);
        dscq_free(err);
        dscq_str_free(&cfg);
    }
    dscq_str_free(&e->text);
    *e = (example){.line = 0};
    return is_cfg;
}

/* Fenced blocks and blocks indented by four; returns how many examples there were. */
static int try_document(const char *path)
{
    char *text = test_read(test_source(path));
    example e = {.line = 0};
    int fenced = 0, found = 0, number = 0;

    for (char *line = text; line != NULL; number++) {
        char *end = strchr(line, '\n');
        if (end != NULL)
            *end = '\0';
        const int fence = strncmp(line, "```", 3) == 0;
        const int indented = !fenced && strncmp(line, "    ", 4) == 0;
        if (fence || (!fenced && !indented && *line != '\0'))
            found += try_example(&e, path);
        else if (fenced || indented)
            add_line(&e, line + (indented ? 4 : 0), number + 1);
        fenced ^= fence;
        line = end != NULL ? end + 1 : NULL;
    }
    found += try_example(&e, path);
    dscq_free(text);
    return found;
}

START_TEST(every_cfg_example_is_taken)
{
    dscq_error err = {DSCQ_OK, ""};
    char path[LINE_MAX_BYTES];
    int found = try_document("README.md");
    dscq_dir d;

    test_ok(dscq_dir_list(&d, test_source("docs"), &err));
    for (size_t i = 0; i < d.count; i++)
        if (strstr(d.name[i], ".md") != NULL) {
            (void)snprintf(path, sizeof path, "docs/%s", d.name[i]);
            found += try_document(path);
        }
    dscq_dir_free(&d);
    ck_assert_int_ge(found, 3);
}
END_TEST

static Suite *make(void)
{
    TCase *tc = NULL;
    Suite *s = test_suite("examples of the documents", &tc);

    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, every_cfg_example_is_taken);
    return s;
}

int main(void)
{
    return test_run(make);
}
