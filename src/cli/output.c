#include "cmd.h"
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/report/writers.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef enum out_form { FORM_TEXT, FORM_CSV, FORM_JSON } out_form;

struct cli_output {
    out_form form;
    int hushed;      /* text and tables for people are dropped */
    dscq_json *root; /* NULL when no JSON is wanted */
    dscq_json *warnings;
    dscq_str page;    /* all of stdout: shown at the end, or not at all */
    int tables, text; /* printed so far */
    dscq_status failed;
    dscq_error why;
};

dscq_status cli_output_create(cli_output **out, const cli_call *call, dscq_error *err)
{
    const cli_common *c = &call->common;
    char schema[DSCQ_NAME_MAX];

    *out = NULL;
    if (c->json_file[0] != '\0') {
        const dscq_status status = cli_check_overwrite(call, c->json_file, err);
        if (status != DSCQ_OK)
            return status;
    }
    cli_output *o = dscq_calloc(1, sizeof *o);
    if (o == NULL)
        return dscq_fail_nomem(err, "output", sizeof *o);
    o->form = c->csv                               ? FORM_CSV
              : c->json && c->json_file[0] == '\0' ? FORM_JSON
                                                   : FORM_TEXT;
    o->hushed = c->quiet && o->form == FORM_TEXT && c->json_file[0] != '\0';
    if (c->json) {
        o->root = dscq_json_object();
        o->warnings = dscq_json_array();
        if (o->root == NULL || o->warnings == NULL) {
            cli_output_destroy(o);
            return dscq_fail_nomem(err, "JSON output", 0);
        }
        (void)snprintf(schema, sizeof schema, "dscq.%s/1", call->cmd->name);
        dscq_json_put_text(o->root, "schema",
                           call->cmd->schema != NULL ? call->cmd->schema : schema);
        dscq_json_put_text(o->root, "version", DSCQ_VERSION);
    }
    *out = o;
    return DSCQ_OK;
}

void cli_output_destroy(cli_output *o)
{
    if (o == NULL)
        return;
    dscq_json_free(o->root);
    dscq_json_free(o->warnings);
    dscq_str_free(&o->page);
    dscq_free(o);
}

void cli_output_warning(cli_output *o, const char *text)
{
    if (o != NULL && o->warnings != NULL)
        dscq_json_push_text(o->warnings, text);
}

static void print(cli_output *o, const char *text)
{
    if (*text != '\0')
        o->text = 1;
    dscq_str_add(&o->page, text); /* no memory: see finish */
}

void cli_out_raw(cli_call *call, const char *text)
{
    print(call->out, text);
}

void cli_out_line(void *call, const char *line)
{
    cli_out_raw(call, line);
    cli_out_raw(call, "\n");
}

void cli_out_text(cli_call *call, const char *fmt, ...)
{
    char text[2048];
    va_list ap;

    if (call->out->form != FORM_TEXT || call->out->hushed)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    print(call->out, text);
}

void cli_out_heading(cli_call *call, const char *text)
{
    cli_out_text(call, "%s%s\n", call->out->text ? "\n" : "", text);
}

void cli_out_table(cli_call *call, const dscq_table *t)
{
    cli_output *o = call->out;
    dscq_str s = {0};
    dscq_status status = dscq_table_check(t, &o->why);

    if (status == DSCQ_OK && o->root != NULL)
        dscq_json_put(o->root, dscq_table_name(t), dscq_table_json(t));
    if (status == DSCQ_OK && o->form == FORM_TEXT && !o->hushed)
        status = dscq_write_text(&s, t, &o->why);
    if (status == DSCQ_OK && o->form == FORM_CSV)
        status = dscq_write_csv(&s, t, &o->why);
    if (status == DSCQ_OK && s.text != NULL) {
        if (o->tables > 0 && o->form == FORM_CSV)
            print(o, "\r\n"); /* an empty line between two tables */
        print(o, s.text);
        o->tables++;
    }
    if (status != DSCQ_OK)
        o->failed = status;
    dscq_str_free(&s);
}

void cli_out_hush(cli_call *call, int on)
{
    call->out->hushed = on && call->common.quiet && call->out->form == FORM_TEXT;
}

void cli_out_wrong(cli_call *call, const dscq_table *t)
{
    const int hushed = call->out->hushed;

    call->out->hushed = 0;
    cli_out_table(call, t);
    call->out->hushed = hushed;
}

void cli_out_json(cli_call *call, const char *key, dscq_json *value)
{
    if (call->out->root != NULL)
        dscq_json_put(call->out->root, key, value);
    else
        dscq_json_free(value);
}

void cli_out_int(cli_call *call, const char *key, int64_t v)
{
    if (call->out->root != NULL)
        dscq_json_put_int(call->out->root, key, v);
}

void cli_out_real(cli_call *call, const char *key, double v)
{
    if (call->out->root != NULL)
        dscq_json_put_real(call->out->root, key, v);
}

void cli_out_string(cli_call *call, const char *key, const char *v)
{
    if (call->out->root != NULL)
        dscq_json_put_text(call->out->root, key, v);
}

void cli_out_document(cli_call *call, dscq_json *document)
{
    cli_output *o = call->out;

    if (o->root == NULL) {
        dscq_json_free(document);
        return;
    }
    dscq_json_free(o->root);
    dscq_json_free(o->warnings); /* a document of its own says its own */
    o->root = document;
    o->warnings = NULL;
}

static dscq_status finish_json(cli_call *call, dscq_error *err)
{
    cli_output *o = call->out;
    const char *path = call->common.json_file;
    char *text = NULL;

    if (o->warnings != NULL) {
        dscq_json_put(o->root, "warnings", o->warnings);
        o->warnings = NULL;
    }
    dscq_status status = dscq_json_dump(&text, o->root, err);
    if (status == DSCQ_OK && *path != '\0')
        status = dscq_file_write(path, text, strlen(text), err);
    else if (status == DSCQ_OK)
        print(o, text);
    dscq_free(text);
    return status;
}

/* Not through a FILE, which would allocate its buffer. */
static dscq_status show(const cli_output *o, dscq_error *err)
{
    const char *text = o->page.text;

    for (size_t left = o->page.len; left > 0;) {
        const ssize_t n = write(STDOUT_FILENO, text, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return dscq_fail(err, DSCQ_IO, "cannot write to standard output: %s",
                             strerror(errno));
        text += n;
        left -= (size_t)n;
    }
    return DSCQ_OK;
}

dscq_status cli_output_finish(cli_call *call, dscq_error *err)
{
    cli_output *o = call->out;
    dscq_status status = DSCQ_OK;

    if (o->failed != DSCQ_OK) {
        *err = o->why;
        return o->failed;
    }
    if (o->root != NULL)
        status = finish_json(call, err);
    if (status == DSCQ_OK && o->page.bad)
        status = dscq_fail_nomem(err, "output", o->page.len);
    return status == DSCQ_OK ? show(o, err) : status;
}

void cli_output_stop(cli_call *call, dscq_status why)
{
    dscq_error ignored;

    if (why != DSCQ_NOMEM && !call->out->page.bad)
        (void)show(call->out, &ignored);
}

dscq_status cli_check_overwrite(const cli_call *call, const char *path, dscq_error *err)
{
    struct stat st;

    if (call->common.force || stat(path, &st) != 0 ||
        (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
        return DSCQ_OK;
    return dscq_fail(err, DSCQ_ARG, "%s: exists; use --force to replace it", path);
}
