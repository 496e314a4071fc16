#include "cmd.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { OPTIONS_MAX = 64, JSON_CODE = 1000, OPTION_CODE = 2000 };

/* Every option with a group of its own; 0: taken by every command. */
static const struct {
    unsigned group;
    cli_opt opt;
} k_common[] = {
    {CLI_TAKES_TABLE,
     {{"--json", DSCQ_KEY_STR, offsetof(cli_common, json_file), DSCQ_PATH_MAX, 0, 0,
       NULL, "", "print JSON instead of text, or write it to FILE"},
      CLI_VALUE,
      0,
      "FILE",
      0}},
    {CLI_TAKES_TABLE,
     CLI_OPT_FLAG(cli_common, csv, "--csv", 0, "print tables as CSV instead of text")},
    {CLI_TAKES_CONFIG,
     CLI_OPT_MANY(cli_common, set, "--set", 0, "SECTION.KEY=VALUE",
                  "override a setting of the configuration file; may be repeated")},
    {CLI_TAKES_CONFIG, CLI_OPT_FLAG(cli_common, print_config, "--print-config", 0,
                                    "print the settings in effect and where each "
                                    "comes from, then stop")},
    {CLI_TAKES_SEED, CLI_OPT_I64(cli_common, seed, "--seed", 0, "N", -1, 0x1p53 - 1,
                                 "-1", "seed of all randomness; overrides the file's")},
    {CLI_TAKES_THREADS,
     CLI_OPT_INT(cli_common, threads, "--threads", 0, "N", 0, 256, "0",
                 "threads; 0 = one per CPU; results do not depend "
                 "on it")},
    {CLI_TAKES_OUTPUT, CLI_OPT_STR(cli_common, output, "--output", 'o', "PATH", "",
                                   "where the result goes")},
    {CLI_TAKES_FORCE | CLI_TAKES_TABLE | CLI_TAKES_OUTPUT,
     CLI_OPT_FLAG(cli_common, force, "--force", 0, "replace files that exist")},
    {CLI_TAKES_PROGRESS,
     CLI_OPT_ENUM(cli_common, progress, "--progress", 0, "auto|none|json", "auto",
                  "bars on a terminal, nothing, or JSON lines on stderr")},
    {0, CLI_OPT_FLAG(cli_common, quiet, "--quiet", 'q',
                     "leave out the talk, and results that are "
                     "in a file")},
    {0, CLI_OPT_FLAG(cli_common, verbose, "--verbose", 'v', "say more")},
    {0, CLI_OPT_FLAG(cli_common, help, "--help", 'h', "print this help and stop")},
};

size_t cli_common_options(const cli_opt *out[16], const cli_cmd *cmd)
{
    size_t n = 0;

    for (size_t i = 0; i < sizeof k_common / sizeof k_common[0]; i++)
        if (k_common[i].group == 0 || (k_common[i].group & cmd->takes) != 0)
            out[n++] = &k_common[i].opt;
    return n;
}

size_t cli_all_options(const cli_opt **out, size_t cap, const cli_cmd *cmd)
{
    const cli_opt *common[16];
    size_t n = 0;

    for (const cli_opt *o = cmd->options; o != NULL && o->key.name != NULL; o++) {
        assert(n < cap);
        out[n++] = o;
    }
    const size_t more = cli_common_options(common, cmd);
    assert(n + more <= cap);
    memcpy(out + n, common, more * sizeof *common);
    return n + more;
}

/* What getopt_long() wants, made from the rows. */
typedef struct tables {
    const cli_opt *row[OPTIONS_MAX];
    size_t count;
    struct option longs[OPTIONS_MAX + 1];
    char shorts[2 * OPTIONS_MAX + 2];
} tables;

static int is_json(const cli_opt *o)
{
    return strcmp(o->key.name, "--json") == 0;
}

static void make_tables(tables *t, const cli_cmd *cmd)
{
    size_t n = 0;

    memset(t, 0, sizeof *t);
    t->count = cli_all_options(t->row, OPTIONS_MAX, cmd);
    t->shorts[n++] = ':'; /* a missing value is told apart from an unknown option */
    for (size_t i = 0; i < t->count; i++) {
        const cli_opt *o = t->row[i];
        const int has_value = o->kind != CLI_FLAG;
        t->longs[i] = (struct option){o->key.name + 2,
                                      is_json(o)  ? optional_argument
                                      : has_value ? required_argument
                                                  : no_argument,
                                      NULL, OPTION_CODE + (int)i};
        if (o->letter != 0) {
            t->shorts[n++] = o->letter;
            if (has_value)
                t->shorts[n++] = ':';
        }
    }
}

static int row_of(const cli_cmd *cmd, const char *name)
{
    const cli_opt *row[OPTIONS_MAX];
    const size_t n = cli_all_options(row, OPTIONS_MAX, cmd);

    for (size_t i = 0; i < n; i++)
        if (strcmp(row[i]->key.name, name) == 0)
            return (int)i;
    return -1;
}

int cli_given(const cli_call *call, const char *name)
{
    const int i = row_of(call->cmd, name);

    return i >= 0 && (call->given >> i & 1) != 0;
}

dscq_status cli_refuse_given(const cli_call *call, const char *const *names,
                             const char *why, dscq_error *err)
{
    for (; *names != NULL; names++)
        if (cli_given(call, *names))
            return dscq_fail(err, DSCQ_ARG, "%s: %s means nothing here: %s",
                             call->cmd->name, *names, why);
    return DSCQ_OK;
}

/* "--epochs 3" was meant as a setting. */
static dscq_status maybe_setting(const cli_cmd *cmd, const char *name,
                                 const char *value, dscq_error *err)
{
    char key[DSCQ_NAME_MAX], list[160];

    (void)dscq_str_copy(key, sizeof key, name + strspn(name, "-"));
    for (char *c = key; *c != '\0'; c++)
        *c = *c == '-' ? '_' : *c;
    if ((cmd->takes & CLI_TAKES_CONFIG) == 0 ||
        !cli_key_places(list, sizeof list, cmd, key,
                        value != NULL && *value != '-' ? value : "VALUE"))
        return DSCQ_OK;
    return dscq_fail(err, DSCQ_ARG, "%s: unknown option '%s'; did you mean --set %s?",
                     cmd->name, name, list);
}

/* An option that other commands have. */
static dscq_status maybe_elsewhere(const cli_call *call, const char *name,
                                   dscq_error *err)
{
    const cli_cmd *const *all = call->program->commands;
    char list[120] = "";
    size_t n = 0;

    for (size_t i = 0; all[i] != NULL; i++)
        if (all[i]->group != CLI_HIDDEN && n + 20 < sizeof list &&
            row_of(all[i], name) >= 0)
            n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n > 0 ? ", " : "",
                                  all[i]->name);
    if (n == 0)
        return DSCQ_OK;
    return dscq_fail(err, DSCQ_ARG, "%s: unknown option '%s'; it is one of %s",
                     call->cmd->name, name, list);
}

/* `token` as typed; `next` is the word behind it, or NULL. */
static dscq_status unknown_option(const tables *t, const cli_call *call,
                                  const char *token, const char *next, dscq_error *err)
{
    const cli_cmd *cmd = call->cmd;
    const char *names[OPTIONS_MAX];
    char name[DSCQ_NAME_MAX];

    (void)dscq_str_copy(name, sizeof name, token);
    const size_t length = strcspn(name, "=");
    const char *value = name[length] == '=' ? token + length + 1 : next;
    name[length] = '\0';
    const char *bare = name + strspn(name, "-"); /* dashes are no likeness */
    dscq_status status = maybe_setting(cmd, name, value, err);
    if (status == DSCQ_OK)
        status = maybe_elsewhere(call, name, err);
    if (status != DSCQ_OK)
        return status;
    for (size_t i = 0; i < t->count; i++)
        names[i] = t->row[i]->key.name + 2;
    const char *near = cli_near(bare, names, t->count);
    if (near == NULL) /* an abbreviation is as good a hint */
        for (size_t i = 0; i < t->count && near == NULL; i++)
            if (strlen(bare) > 1 && strncmp(names[i], bare, strlen(bare)) == 0)
                near = names[i];
    if (near != NULL)
        return dscq_fail(err, DSCQ_ARG, "%s: unknown option '%s'; did you mean '--%s'?",
                         cmd->name, name, near);
    return dscq_fail(err, DSCQ_ARG, "%s: unknown option '%s'; try 'dscq %s --help'",
                     cmd->name, name, cmd->name);
}

static dscq_status store(cli_call *call, void *options, const cli_opt *o,
                         const char *value, dscq_error *err)
{
    const cli_opt *const own = call->cmd->options;
    int is_own = 0;

    for (const cli_opt *p = own; p != NULL && p->key.name != NULL; p++)
        is_own |= p == o;
    const int row = row_of(call->cmd, o->key.name);
    assert(row >= 0); /* o is one of its rows */
    call->given |= UINT64_C(1) << row;
    void *const base = is_own ? options : (void *)&call->common;
    if (o->kind == CLI_FLAG) {
        *(int32_t *)((unsigned char *)base + o->key.offset) = 1;
        return DSCQ_OK;
    }
    if (o->kind == CLI_MANY) {
        cli_words *w = (cli_words *)((unsigned char *)base + o->key.offset);
        if (w->count == CLI_WORDS_MAX)
            return dscq_fail(err, DSCQ_ARG, "%s: given more than %d times", o->key.name,
                             CLI_WORDS_MAX);
        w->v[w->count++] = value;
        return DSCQ_OK;
    }
    if (is_json(o)) {
        call->common.json = 1;
        if (value == NULL)
            return DSCQ_OK;
        if (*value == '\0')
            return dscq_fail(err, DSCQ_ARG, "--json=: want a file name after '='");
        if (strcmp(value, "-") == 0)
            return DSCQ_OK; /* standard output, as without a name */
    }
    if (o->key.type == DSCQ_KEY_STR && strcmp(value, "-") == 0)
        return dscq_fail(err, DSCQ_ARG,
                         "%s -: want a name; standard output is /dev/stdout",
                         o->key.name);
    const dscq_key one[] = {o->key, DSCQ_KEY_END};
    const dscq_status status = dscq_keys_set(base, one, o->key.name, value, err);
    if (status == DSCQ_FORMAT) { /* a mistake on the command line, not in a file */
        if (err != NULL)
            err->code = DSCQ_ARG;
        return DSCQ_ARG;
    }
    return status;
}

static dscq_status set_defaults(void *base, const cli_opt *o, dscq_error *err)
{
    if (o->kind == CLI_MANY || o->key.dflt == NULL)
        return DSCQ_OK;
    const dscq_key one[] = {o->key, DSCQ_KEY_END};
    return dscq_keys_set(base, one, o->key.name, o->key.dflt, err);
}

static dscq_status one_option(cli_call *call, void *options, const tables *t, int code,
                              char **argv, dscq_error *err)
{
    const char *const token = argv[optind - 1], *const next = argv[optind];
    char letter[3] = "-?";

    if (code == ':') /* getopt tells the option, not the token */
        return dscq_fail(err, DSCQ_ARG, "%s: option '%s' needs a value",
                         call->cmd->name, token);
    if (code == '?' && optopt != 0 && optopt < OPTION_CODE) {
        letter[1] = (char)optopt;
        return unknown_option(t, call, letter, NULL, err);
    }
    if (code == '?' && optopt >= OPTION_CODE)
        return dscq_fail(err, DSCQ_ARG, "%s: option '%s' takes no value",
                         call->cmd->name, t->row[optopt - OPTION_CODE]->key.name);
    if (code == '?')
        return unknown_option(t, call, token, next, err);
    if (code < OPTION_CODE) {
        for (size_t i = 0; i < t->count; i++)
            if (t->row[i]->letter == code)
                return store(call, options, t->row[i], optarg, err);
        return dscq_fail(err, DSCQ_INTERNAL, "option -%c has no row", code);
    }
    /* getopt_long() takes any unique beginning of a name; scripts that use one would
     * break when an option is added, so only the whole name is accepted. */
    const cli_opt *o = t->row[code - OPTION_CODE];
    const char *typed = optarg == argv[optind - 1] ? argv[optind - 2] : token;
    const size_t n = strcspn(typed, "=");
    if (strlen(o->key.name) != n || strncmp(o->key.name, typed, n) != 0)
        return unknown_option(t, call, typed, next, err);
    return store(call, options, o, optarg, err);
}

/* The word behind a bare --json, which is no file to write to but an operand. */
static const char *word_after_json(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0 && argv[i + 1][0] != '-')
            return argv[i + 1];
    return NULL;
}

/* "--json report.json": the name of something that is not there, or one word too many.
 */
static int meant_for_json(const cli_call *call, const char *word)
{
    const int max = call->cmd->max_args;

    if (word == NULL)
        return 0;
    return (max >= 0 && call->arg_count > max) ||
           (dscq_path_ends(word, ".json") && !dscq_path_exists(word));
}

static dscq_status check_operands(const cli_call *call, const char *after_json,
                                  dscq_error *err)
{
    const cli_cmd *cmd = call->cmd;

    if (meant_for_json(call, after_json))
        return dscq_fail(err, DSCQ_ARG,
                         "%s: '%s' behind --json is an operand; to write there, write "
                         "--json=%s",
                         cmd->name, after_json, after_json);
    if (call->arg_count < cmd->min_args)
        return dscq_fail(err, DSCQ_ARG, "%s: want %s; try 'dscq %s --help'", cmd->name,
                         cmd->synopsis, cmd->name);
    if (cmd->max_args >= 0 && call->arg_count > cmd->max_args)
        return dscq_fail(err, DSCQ_ARG,
                         "%s: '%s' is one operand too many; try 'dscq %s --help'",
                         cmd->name, call->arg[cmd->max_args], cmd->name);
    for (int i = 0; i < call->arg_count; i++)
        if (strcmp(call->arg[i], "-") == 0 && cmd->group != CLI_HIDDEN)
            return dscq_fail(err, DSCQ_ARG,
                             "%s: '-': standard input is not read; name a file",
                             cmd->name);
    if (call->common.json && call->common.json_file[0] == '\0' && call->common.csv)
        return dscq_fail(err, DSCQ_ARG,
                         "%s: --json and --csv both want stdout; try --json=FILE",
                         cmd->name);
    return DSCQ_OK;
}

dscq_status cli_parse(cli_call *call, void *options, int argc, char **argv,
                      dscq_error *err)
{
    dscq_status status = DSCQ_OK;
    const cli_opt *common[16];
    tables t;
    int code;

    const char *const after_json = word_after_json(argc, argv);
    make_tables(&t, call->cmd);
    const size_t n = cli_common_options(common, call->cmd);
    call->common = (cli_common){.seed = -1};
    for (size_t i = 0; i < t.count && status == DSCQ_OK; i++)
        status = set_defaults(i + n < t.count ? options : (void *)&call->common,
                              t.row[i], err);
    optind = 0; /* glibc: start afresh */
    opterr = 0;
    while (status == DSCQ_OK &&
           (code = getopt_long(argc, argv, t.shorts, t.longs, NULL)) != -1)
        status = one_option(call, options, &t, code, argv, err);
    if (status != DSCQ_OK || call->common.help)
        return status;
    call->arg = (const char *const *)argv + optind;
    call->arg_count = argc - optind;
    return check_operands(call, after_json, err);
}
