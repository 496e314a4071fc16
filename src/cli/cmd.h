/*
 * cmd.h - a command is a row of commands.def and one file, cmd_<name>.c.
 *
 * The row's descriptor says everything about the command: main.c finds and runs it,
 * opts.c parses its options, cmd_help.c prints its help and manual page,
 * cmd_complete.c completes it. run() reads its options struct, calls one function of
 * flow/, and hands tables to cli_out_*(). It neither exits nor writes to stdout or
 * stderr itself.
 */
#ifndef CLI_CMD_H
#define CLI_CMD_H

#include "dscq/base/json.h"
#include "dscq/base/keys.h"
#include "dscq/base/log.h"
#include "dscq/base/status.h"
#include "dscq/base/table.h"

#include <float.h>
#include <stddef.h>
#include <stdint.h>

typedef enum cli_group {
    CLI_MODEL,    /* networks and data */
    CLI_COMPRESS, /* shrinking and packing */
    CLI_HARDWARE, /* machines, energy, reports */
    CLI_META,     /* about this program */
    CLI_HIDDEN    /* not listed */
} cli_group;

/* ---- options ---------------------------------------------------------- */

enum { CLI_WORDS_MAX = 256 };

/* The values of an option that may be repeated, in the order given; they point into
 * argv. */
typedef struct cli_words {
    const char *v[CLI_WORDS_MAX];
    int32_t count;
} cli_words;

typedef enum cli_opt_kind {
    CLI_FLAG,  /* no value: an int32_t field becomes 1                       */
    CLI_VALUE, /* one value, by the key's type                               */
    CLI_MANY   /* a value each time: a cli_words field                       */
} cli_opt_kind;

/* One row says everything about one option. key.name is the long name with its two
 * dashes ("--fail-if"), so that the messages of base/keys read well. */
typedef struct cli_opt {
    dscq_key key;
    cli_opt_kind kind;
    char letter;         /* 'f' for -f; 0: none */
    const char *metavar; /* "FILE"; ENUM: NULL, the choices are shown */
    unsigned kinds;      /* of a file to read: DSCQ_KIND_... that are right; 0: any */
} cli_opt;

/* clang-format off */
#define CLI_OPT_FLAG(S, field, name, letter, help) \
    {{name, DSCQ_KEY_BOOL, offsetof(S, field), sizeof(int32_t), 0, 1, NULL, "0", help}, \
     CLI_FLAG, letter, NULL, 0}
#define CLI_OPT_INT(S, field, name, letter, metavar, lo, hi, dflt, help) \
    {{name, DSCQ_KEY_INT, offsetof(S, field), sizeof(int32_t), lo, hi, NULL, dflt, help}, \
     CLI_VALUE, letter, metavar, 0}
#define CLI_OPT_I64(S, field, name, letter, metavar, lo, hi, dflt, help) \
    {{name, DSCQ_KEY_I64, offsetof(S, field), sizeof(int64_t), lo, hi, NULL, dflt, help}, \
     CLI_VALUE, letter, metavar, 0}
#define CLI_OPT_REAL(S, field, name, letter, metavar, lo, hi, dflt, help) \
    {{name, DSCQ_KEY_REAL, offsetof(S, field), sizeof(double), lo, hi, NULL, dflt, help}, \
     CLI_VALUE, letter, metavar, 0}
#define CLI_OPT_ENUM(S, field, name, letter, choices, dflt, help) \
    {{name, DSCQ_KEY_ENUM, offsetof(S, field), sizeof(int32_t), 0, 0, choices, dflt, help}, \
     CLI_VALUE, letter, NULL, 0}
#define CLI_OPT_STR(S, field, name, letter, metavar, dflt, help) \
    {{name, DSCQ_KEY_STR, offsetof(S, field), sizeof(((S *)0)->field), 0, 0, NULL, dflt, help}, \
     CLI_VALUE, letter, metavar, 0}
#define CLI_OPT_FILE(S, field, name, letter, metavar, kinds, dflt, help) \
    {{name, DSCQ_KEY_STR, offsetof(S, field), sizeof(((S *)0)->field), 0, 0, NULL, dflt, help}, \
     CLI_VALUE, letter, metavar, kinds}
#define CLI_OPT_LIST(S, field, name, letter, metavar, lo, hi, dflt, help) \
    {{name, DSCQ_KEY_LIST, offsetof(S, field), sizeof(dscq_list), lo, hi, NULL, dflt, help}, \
     CLI_VALUE, letter, metavar, 0}
#define CLI_OPT_MANY(S, field, name, letter, metavar, help) \
    {{name, DSCQ_KEY_STR, offsetof(S, field), sizeof(cli_words), 0, 0, NULL, NULL, help}, \
     CLI_MANY, letter, metavar, 0}
#define CLI_OPT_END \
    {{NULL, DSCQ_KEY_INT, 0, 0, 0, 0, NULL, NULL, NULL}, CLI_FLAG, 0, NULL, 0}
/* clang-format on */

/* The common options, in groups: a command says which it takes (`takes`). --quiet,
 * --verbose and --help it always takes. */
enum {
    CLI_TAKES_TABLE = 1,    /* --json[=FILE], --csv          */
    CLI_TAKES_CONFIG = 2,   /* --set, --print-config         */
    CLI_TAKES_SEED = 4,     /* --seed                        */
    CLI_TAKES_THREADS = 8,  /* --threads                     */
    CLI_TAKES_OUTPUT = 16,  /* -o/--output                   */
    CLI_TAKES_FORCE = 32,   /* --force; comes with TABLE too */
    CLI_TAKES_PROGRESS = 64 /* --progress                    */
};

typedef enum cli_progress {
    CLI_PROGRESS_AUTO,
    CLI_PROGRESS_NONE,
    CLI_PROGRESS_JSON
} cli_progress;

typedef struct cli_common {
    int32_t help, quiet, verbose;
    int32_t json, csv;             /* json: also set when json_file is    */
    char json_file[DSCQ_PATH_MAX]; /* "" = stdout                         */
    int32_t force, print_config;
    cli_words set;
    int64_t seed;               /* -1: not given                                     */
    int32_t threads;            /* 0: one per CPU                                    */
    char output[DSCQ_PATH_MAX]; /* "" : not given                         */
    int32_t progress;           /* cli_progress                           */
} cli_common;

/* ---- a command -------------------------------------------------------- */

typedef struct cli_output cli_output;
typedef struct cli_cmd cli_cmd;
typedef struct cli_topic cli_topic;

/* All of them, in the order of the rows; NULL-ended. A call hands it down, so that no
 * command knows the table that it stands in. */
typedef struct cli_program {
    const cli_cmd *const *commands;
    const cli_topic *const *topics;
} cli_program;

/* One call of a command. */
typedef struct cli_call {
    const cli_program *program;
    const cli_cmd *cmd;
    cli_common common;
    const char *const *arg; /* operands, options taken out */
    int arg_count;
    uint64_t given;      /* options of the command line: see cli_given() */
    const dscq_log *log; /* messages to stderr, bars, Ctrl-C: pass it down */
    cli_output *out;
    int has_result; /* although the command fails: what it found is to be printed */
} cli_call;

struct cli_cmd {
    const char *name;
    cli_group group;
    const char *synopsis; /* the operands: "NET.cfg [IMAGE]..." */
    const char *summary;  /* one line, imperative, no full stop */
    /* Paragraphs divided by empty lines; each is filled to the page. */
    const char *description;
    /* Lines "$ dscq ..." and, before each, a line that says what it is for. */
    const char *examples;
    unsigned takes;         /* CLI_TAKES_...                       */
    int min_args, max_args; /* operands; max -1 = any number       */
    /* Of the first operand and of the others: DSCQ_KIND_... of files that are right;
     * 0: no file, or the command looks itself. */
    unsigned operand_kinds[2];
    const cli_opt *options; /* ends with CLI_OPT_END; NULL = none  */
    size_t option_bytes;    /* of the struct they fill, zeroed     */
    const char *schema;     /* of --json; NULL = "dscq.<name>/1"   */
    const char *const
        *topics; /* words completed as operand; NULL-ended, or NULL: files */
    dscq_status (*run)(cli_call *call, const void *options, dscq_error *err);
};

const cli_cmd *cli_find(const cli_program *p, const char *name); /* NULL: none such */
/* The names of the commands that are not hidden; returns how many, at most cap. */
size_t cli_listed(const char **names, size_t cap, const cli_program *p);

/* The nearest of the words in `candidates` if it is near enough to be a typing
 * mistake, else NULL. */
const char *cli_near(const char *word, const char *const *candidates, size_t count);

/* ---- opts.c ----------------------------------------------------------- */

/* The rows of the common options that `cmd` takes; *count of them, at most 16. */
size_t cli_common_options(const cli_opt *out[16], const cli_cmd *cmd);
/* All options of a command, its own first; returns the count, at most cap. */
size_t cli_all_options(const cli_opt **out, size_t cap, const cli_cmd *cmd);
/* argv[0] is the command's name. argv is permuted. DSCQ_ARG for the user's mistakes. */
dscq_status cli_parse(cli_call *call, void *options, int argc, char **argv,
                      dscq_error *err);

/* Whether an option stood on the command line ("--machine"). */
int cli_given(const cli_call *call, const char *name);
/* DSCQ_ARG naming the first of `names` (NULL-ended) that was given: it means nothing
 * here, and why. */
dscq_status cli_refuse_given(const cli_call *call, const char *const *names,
                             const char *why, dscq_error *err);

/* ---- settings.c ------------------------------------------------------ */

/* "train.epochs=3 (or compress.epochs=3)": the settings called `key` that --set of the
 * command reaches. 0: there is none. */
int cli_key_places(char *out, size_t cap, const cli_cmd *cmd, const char *key,
                   const char *value);

/* ---- files.c ----------------------------------------------------------- */

/* Operands and file options that exist but are files of another kind than the command
 * takes: DSCQ_FORMAT (a folder: DSCQ_IO) that says what it is, and who takes it; for
 * those of other programs see dscq_kind_refuse_foreign(). */
dscq_status cli_check_kinds(const cli_call *call, const void *options, dscq_error *err);
/* A name that is written to, "" being none: DSCQ_ARG when its ending says another
 * format than those of `endings` ("html|htm"). A name without an ending and a device
 * will do. */
dscq_status cli_check_ending(const char *path, const char *endings, const char *option,
                             dscq_error *err);

/* ---- output.c: results on stdout -------------------------------------- */

/* A table: printed as text or CSV at once, or kept for the JSON document. */
void cli_out_table(cli_call *call, const dscq_table *t);
/* Text for people: nothing with --json or --csv. */
void cli_out_text(cli_call *call, const char *fmt, ...) DSCQ_PRINTF(2, 3);
/* A heading over what follows, the same way. */
void cli_out_heading(cli_call *call, const char *text);
/* --quiet drops text and tables for people once their content goes elsewhere too: into
 * a file, or into the exit code. With --json=FILE it does so by itself. */
void cli_out_hush(cli_call *call, int on);
/* A table of what went wrong: shown to people even when quiet. */
void cli_out_wrong(cli_call *call, const dscq_table *t);
/* Raw text in every form (help, manual pages, configuration). */
void cli_out_raw(cli_call *call, const char *text);
/* A member of the JSON document; takes value over. */
void cli_out_json(cli_call *call, const char *key, dscq_json *value);
void cli_out_int(cli_call *call, const char *key, int64_t v);
void cli_out_real(cli_call *call, const char *key, double v);
void cli_out_string(cli_call *call, const char *key, const char *v);
/* In place of all that: a whole document made elsewhere; takes it over. */
void cli_out_document(cli_call *call, dscq_json *document);
/* Put = call of dscq_..._print() functions: a line of --print-config. */
void cli_out_line(void *call, const char *line);

/* DSCQ_ARG when `path` exists and --force was not given; devices are fine. */
dscq_status cli_check_overwrite(const cli_call *call, const char *path,
                                dscq_error *err);

/* ---- data files that come with the program ---------------------------- */

/* Where data/ is: $DSCQ_DATA, the source tree's when run from its root, the
 * installed one or the source tree's beside the program, or the configured one. */
void cli_data_dir(char *out, size_t cap);
/* The file itself when it exists, else data/<kind>/<name>[.cfg]: "zcu104" ->
 * ".../machines/zcu104.cfg". DSCQ_IO listing the names there are. */
dscq_status cli_data_file(char *out, size_t cap, const char *kind, const char *name,
                          dscq_error *err);

/* ---- help topics ------------------------------------------------------ */

/* `dscq help TOPIC`: a row of topics.def and a function that prints. */
struct cli_topic {
    const char *name;
    const char *summary;
    dscq_status (*print)(cli_call *call, dscq_error *err);
};

extern const cli_program cli_whole_program; /* commands.c, for main.c */

/* ---- main.c's own helpers --------------------------------------------- */

dscq_status cli_output_create(cli_output **out, const cli_call *call, dscq_error *err);
/* Write what is kept, check that stdout took everything. */
dscq_status cli_output_finish(cli_call *call, dscq_error *err);
/* The command failed: show the text that it had, unless for want of memory. */
void cli_output_stop(cli_call *call, dscq_status why);
void cli_output_destroy(cli_output *o);
void cli_output_warning(cli_output *o, const char *text);

typedef struct cli_talk cli_talk;
/* The log of a call: messages, bars, stop flag. */
dscq_status cli_talk_start(cli_call *call, dscq_error *err); /* sets call->log */
void cli_talk_end(void); /* leaves no half-drawn bar */

/* The line that says why the program ends, for people or as a JSON line. */
void cli_say_error(int as_json, const dscq_error *err);

/* Until cli_signals_seen() is called for the first time a signal ends the program at
 * once; from then on the first one is for the work to see. */
void cli_signals_install(void);
int cli_signals_seen(void);
void cli_signals_as_json(int on); /* how the handler says it */

/* The help text of a command on stdout (-h). */
void cli_help_command(cli_call *call, const cli_cmd *cmd);

#endif
