/* Files on the command line: is it one that the command can take, does the name that
 * is written to say what will be in it? */
#include "cmd.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/flow/kind.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { OPTIONS_MAX = 64 };

/* "eval --packed", or the name alone for an operand; 0: the command takes none. */
static int taker(char *out, size_t cap, const cli_cmd *cmd, unsigned bit)
{
    out[0] = '\0';
    if (cmd->group == CLI_HIDDEN)
        return 0;
    if ((cmd->operand_kinds[0] | cmd->operand_kinds[1]) & bit) {
        (void)dscq_str_copy(out, cap, cmd->name);
        return 1;
    }
    for (const cli_opt *o = cmd->options; o != NULL && o->key.name != NULL; o++)
        if (o->kinds & bit) {
            (void)snprintf(out, cap, "%s %s", cmd->name, o->key.name);
            return 1;
        }
    return 0;
}

/* "inspect, verify, simulate": who takes such a file. */
static void takers(char *out, size_t cap, const cli_program *p, unsigned bit)
{
    char one[DSCQ_NAME_MAX];
    size_t at = 0;

    out[0] = '\0';
    for (size_t i = 0; p->commands[i] != NULL; i++)
        if (taker(one, sizeof one, p->commands[i], bit) && at + strlen(one) + 3 < cap)
            at += (size_t)snprintf(out + at, cap - at, "%s%s", at > 0 ? ", " : "", one);
}

/* A folder with packed.bin in it, where such a file is wanted. */
static int run_folder(char *out, size_t cap, const char *path, unsigned want)
{
    return (want & DSCQ_KIND_PACKED) != 0 &&
           dscq_path_join(out, cap, path, "packed.bin", NULL) == DSCQ_OK &&
           dscq_path_is_file(out);
}

static dscq_status check_kind(const cli_program *p, const char *where, const char *path,
                              unsigned want, const char *wanted, dscq_error *err)
{
    char list[120], packed[DSCQ_PATH_MAX];

    if (want == 0)
        return DSCQ_OK;
    const dscq_kind k = dscq_kind_of(path);
    if (k.bit == 0 || (k.bit & want) != 0)
        return DSCQ_OK;
    if (k.bit & (DSCQ_KIND_FOREIGN | DSCQ_KIND_NOTHING))
        return dscq_kind_refuse_foreign(path, err);
    if (k.bit == DSCQ_KIND_FOLDER && run_folder(packed, sizeof packed, path, want))
        return dscq_fail(err, DSCQ_IO, "%s: is a folder; its packed network is %s",
                         path, packed);
    if (k.bit == DSCQ_KIND_FOLDER)
        return dscq_fail(err, DSCQ_IO, "%s: is a folder, want a file: %s", path,
                         wanted);
    takers(list, sizeof list, p, k.bit);
    return dscq_fail(err, DSCQ_FORMAT, "%s: this is %s, %s wants %s%s%s", path, k.text,
                     where, wanted, list[0] != '\0' ? "; it goes to " : "", list);
}

/* "NET.cfg | PACKED.bin" for the first operand, "IMAGE" for the others. */
static void operand_name(char *out, size_t cap, const cli_cmd *cmd, int at)
{
    const char *s = cmd->synopsis;
    const size_t first = strcspn(s, " [");
    const int two = cmd->max_args != 1 && s[first] != '\0' && strchr(s, '|') == NULL;

    if (!two)
        (void)snprintf(out, cap, "%s", s);
    else if (at == 0)
        (void)snprintf(out, cap, "%.*s", (int)first, s);
    else
        (void)snprintf(out, cap, "%s", s + first + strspn(s + first, " ["));
    out[strcspn(out, "]")] = '\0';
}

/* "a checkpoint of float weights or Darknet weights" */
static void kind_names(char *out, size_t cap, unsigned kinds)
{
    size_t n = 0;

    out[0] = '\0';
    for (unsigned bit = 1; bit != 0 && bit <= kinds; bit <<= 1)
        if ((kinds & bit) != 0 && dscq_kind_text(bit) != NULL && n < cap)
            n += (size_t)snprintf(out + n, cap - n, "%s%s", n > 0 ? " or " : "",
                                  dscq_kind_text(bit));
}

dscq_status cli_check_kinds(const cli_call *call, const void *options, dscq_error *err)
{
    const cli_cmd *cmd = call->cmd;
    char name[DSCQ_NAME_MAX], where[DSCQ_NAME_MAX];
    dscq_status status = DSCQ_OK;

    for (int i = 0; i < call->arg_count; i++) {
        operand_name(name, sizeof name, cmd, i);
        DSCQ_TRY(check_kind(call->program, cmd->name, call->arg[i],
                            cmd->operand_kinds[i > 0], name, err));
    }
    for (const cli_opt *o = cmd->options; o != NULL && o->key.name != NULL; o++) {
        if (o->kinds == 0 || !cli_given(call, o->key.name))
            continue;
        (void)snprintf(where, sizeof where, "%s %s", cmd->name, o->key.name);
        kind_names(name, sizeof name, o->kinds);
        DSCQ_TRY(check_kind(call->program, where, (const char *)options + o->key.offset,
                            o->kinds, name, err));
    }
done:
    return status;
}

/* Something like ".tflite" behind the name; the number in "net-v1.5" is none. */
static const char *ending_of(const char *path)
{
    const char *base = dscq_path_base(path), *dot = strrchr(base, '.');

    return dot == NULL || dot == base || !isalpha((unsigned char)dot[1]) ? NULL
                                                                         : dot + 1;
}

dscq_status cli_check_ending(const char *path, const char *endings, const char *option,
                             dscq_error *err)
{
    char list[DSCQ_NAME_MAX] = "";
    const char *ending = ending_of(path);
    size_t n = 0;

    if (ending == NULL || strncmp(path, "/dev/", 5) == 0 ||
        dscq_choice_find(endings, ending) >= 0)
        return DSCQ_OK;
    for (const char *p = endings; *p != '\0' && n + 24 < sizeof list;) {
        const size_t word = strcspn(p, "|");
        n += (size_t)snprintf(list + n, sizeof list - n, "%s.%.*s", n > 0 ? ", " : "",
                              (int)(word < 20 ? word : 20), p);
        p += word + (p[word] == '|');
    }
    return dscq_fail(err, DSCQ_ARG,
                     "%s %s: .%s is not written here; want %s, or a name without an "
                     "ending",
                     option, path, ending, list);
}
