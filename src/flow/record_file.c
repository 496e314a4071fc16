/* Which settings made what lies in a run's folder: settings.txt, a part for every
 * stage. A stage that goes on with --resume compares: what was begun with one setting
 * and ended with another was made by neither. */
#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/nn/checkpoint.h"
#include "flow_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 1 << 24, SHOWN = 12 };
static const char k_file[] = "settings.txt";
/* Results, no settings: the float.ckpt that a stage put there, and the one that
 * training found and is going to replace. */
static const char k_float_key[] = "float.ckpt", k_before_key[] = "float.ckpt before";

typedef struct stage_row {
    const char *name;
    const char *marker; /* refused without --resume or --force when they are there */
    const char *state;  /* files to go on from, divided by blanks                */
    const char *gone;   /* of them, those that a fresh start removes             */
} stage_row;

static const stage_row k_stage[DSCQ_FLOW_STAGES] = {
    [DSCQ_FLOW_TRAINED] = {"train", "train.ckpt", "train.ckpt", "train.ckpt"},
    [DSCQ_FLOW_SENSED] = {"sensitivity", DSCQ_FLOW_SENSE_JOURNAL,
                          DSCQ_FLOW_SENSE_JOURNAL, ""},
    [DSCQ_FLOW_SEARCHED] = {"search", "search.json packed.bin",
                            "search.json packed.bin", ""},
    [DSCQ_FLOW_COMPRESSED] = {"compress", "packed.bin tune.ckpt channels.ckpt",
                              "tune.ckpt channels.ckpt small.ckpt packed.bin",
                              "tune.ckpt channels.ckpt small.ckpt"},
};

/* ---- lines and parts ------------------------------------------------------------- */

/* The lines of one stage in the file's text: from here, so many bytes. NULL: none. */
static const char *part_of(const char *text, const char *stage, size_t *bytes)
{
    char head[DSCQ_NAME_MAX];
    const char *at, *end;

    (void)snprintf(head, sizeof head, "\n[%s]\n", stage);
    at = text != NULL ? strstr(text, head) : NULL;
    if (at == NULL)
        return NULL;
    at += strlen(head);
    end = strstr(at - 1, "\n[");
    *bytes = end != NULL ? (size_t)(end + 1 - at) : strlen(at);
    return at;
}

/* Value of a key among lines; NULL: not there. */
static const char *value_of(const char *lines, size_t bytes, const char *key, size_t n,
                            size_t *value_bytes)
{
    for (const char *at = lines, *next; at < lines + bytes; at = next) {
        const char *end = memchr(at, '\n', (size_t)(lines + bytes - at));
        end = end != NULL ? end : lines + bytes;
        next = end + 1;
        if ((size_t)(end - at) > n && strncmp(at, key, n) == 0 && at[n] == '=') {
            *value_bytes = (size_t)(end - at) - n - 1;
            return at + n + 1;
        }
    }
    return NULL;
}

static dscq_status read_file(char **text, const char *dir, dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    uint8_t *data = NULL;
    size_t bytes;
    dscq_status status;

    *text = NULL;
    DSCQ_TRY(dscq_path_join(path, sizeof path, dir, k_file, err));
    if (!dscq_path_exists(path))
        return DSCQ_OK;
    DSCQ_TRY(dscq_file_read(&data, &bytes, path, FILE_MAX, err));
    *text = (char *)data;
done:
    return status;
}

/* The file with the part of one stage replaced. */
static dscq_status write_part(const char *dir, const char *old, dscq_flow_stage stage,
                              const char *lines, dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    dscq_str text = {0};
    dscq_status status;

    dscq_str_add(&text, "# The settings that made the files of this folder, for "
                        "--resume to compare.\n");
    for (int s = 0; s < DSCQ_FLOW_STAGES; s++) {
        size_t bytes = 0;
        const char *part =
            s == (int)stage ? lines : part_of(old, k_stage[s].name, &bytes);
        if (part == NULL)
            continue;
        dscq_str_addf(&text, "\n[%s]\n", k_stage[s].name);
        dscq_str_add_bytes(&text, part, s == (int)stage ? strlen(lines) : bytes);
    }
    DSCQ_TRY(dscq_path_join(path, sizeof path, dir, k_file, err));
    status = text.bad ? dscq_fail_nomem(err, "the settings", text.len)
                      : dscq_file_write(path, text.text, text.len, err);
done:
    dscq_str_free(&text);
    return status;
}

/* ---- comparing ------------------------------------------------------------------- */

typedef struct difference {
    size_t count;
    char key[3 * DSCQ_NAME_MAX], was[80], is[80]; /* of the first   */
    char others[160];                             /* names of more  */
} difference;

/* Digests are told by their first digits, lists by their beginning. */
static void shorten(char *out, size_t cap, const char *value, size_t n)
{
    const int is_digest =
        value != NULL && n == 64 && strspn(value, "0123456789abcdef") >= 64;

    if (value == NULL)
        (void)snprintf(out, cap, "not given");
    else if (n == 0)
        (void)snprintf(out, cap, "empty");
    else
        (void)snprintf(out, cap, "%.*s%s", is_digest ? SHOWN : (int)(n < 60 ? n : 60),
                       value, is_digest || n > 60 ? "..." : "");
}

static void note(difference *d, const char *key, size_t n, const char *was,
                 size_t was_n, const char *is, size_t is_n)
{
    const size_t used = strlen(d->others);

    if (d->count++ == 0) {
        (void)snprintf(d->key, sizeof d->key, "%.*s", (int)n, key);
        shorten(d->was, sizeof d->was, was, was_n);
        shorten(d->is, sizeof d->is, is, is_n);
    } else if (used + n + 3 < sizeof d->others) {
        (void)snprintf(d->others + used, sizeof d->others - used, "%s%.*s",
                       used > 0 ? ", " : "", (int)n, key);
    }
}

/* Keys of lines a that lines b have with another value, or not at all; with `only`: of
 * the latter alone, the former having been found from the other side. */
static void compare(difference *d, const char *a, size_t a_bytes, const char *b,
                    size_t b_bytes, int only)
{
    for (const char *at = a, *next; at < a + a_bytes; at = next) {
        const char *end = memchr(at, '\n', (size_t)(a + a_bytes - at));
        end = end != NULL ? end : a + a_bytes;
        next = end + 1;
        const char *equal = memchr(at, '=', (size_t)(end - at));
        size_t there = 0;
        if (equal == NULL)
            continue;
        const size_t n = (size_t)(equal - at), here = (size_t)(end - equal - 1);
        const char *other = value_of(b, b_bytes, at, n, &there);
        if (strncmp(at, k_float_key, sizeof k_float_key - 1) == 0)
            continue; /* a result, no setting */
        if (only && other == NULL)
            note(d, at, n, equal + 1, here, NULL, 0);
        else if (!only && (other == NULL || there != here ||
                           memcmp(other, equal + 1, here) != 0))
            note(d, at, n, other, there, equal + 1, here);
    }
}

/* A rate that does not look at the end of the run makes the same steps whatever the
 * number of epochs: a longer run goes on where the shorter one ended. */
static int may_grow(const dscq_project *p, const difference *d)
{
    const int32_t schedule = p->train.schedule;

    return d->count == 1 && strcmp(d->key, "train.epochs") == 0 &&
           (schedule == DSCQ_SCHED_CONSTANT || schedule == DSCQ_SCHED_STEP) &&
           strtol(d->was, NULL, 10) < p->train.epochs;
}

static dscq_status refuse(const char *dir, const difference *d, dscq_error *err)
{
    return dscq_fail(
        err, DSCQ_FORMAT,
        "%.100s: begun with %.80s = %.80s, now it is %.80s%s%s%s: --resume "
        "goes on with what was begun; give it as it was, or start afresh "
        "with --force or in another folder (-o)",
        dir, d->key, d->was, d->is, d->others[0] != '\0' ? " (also: " : "", d->others,
        d->others[0] != '\0' ? ")" : "");
}

/* ---- a stage begins -------------------------------------------------------------- */

/* Word k of a list of file names; 0: there is none. */
static int word_at(char out[DSCQ_NAME_MAX], const char *words, size_t k)
{
    const char *at = words;

    for (; k > 0 && *at != '\0'; k--) {
        at += strcspn(at, " ");
        at += *at == ' ';
    }
    (void)snprintf(out, DSCQ_NAME_MAX, "%.*s", (int)strcspn(at, " "), at);
    return out[0] != '\0';
}

static int has_state(const char *dir, dscq_flow_stage stage)
{
    char name[DSCQ_NAME_MAX], path[DSCQ_PATH_MAX];

    for (size_t k = 0; word_at(name, k_stage[stage].state, k); k++)
        if (dscq_path_join(path, sizeof path, dir, name, NULL) == DSCQ_OK &&
            dscq_path_exists(path))
            return 1;
    return 0;
}

/* A state of other settings must not be found by a later --resume. */
static void remove_states(const dscq_run_options *o, dscq_flow_stage stage)
{
    char name[DSCQ_NAME_MAX], path[DSCQ_PATH_MAX];
    dscq_dir d = {0};

    for (size_t k = 0; word_at(name, k_stage[stage].gone, k); k++)
        if (dscq_path_join(path, sizeof path, o->out_dir, name, NULL) == DSCQ_OK &&
            (o->weights == NULL || !dscq_path_is_same(path, o->weights)))
            (void)remove(path);
    if (stage != DSCQ_FLOW_COMPRESSED || dscq_dir_list(&d, o->out_dir, NULL) != DSCQ_OK)
        return;
    for (size_t i = 0; i < d.count; i++) { /* tune.STEP.state */
        const size_t n = strlen(d.name[i]);
        if (n > 11 && strncmp(d.name[i], "tune.", 5) == 0 &&
            strcmp(d.name[i] + n - 6, ".state") == 0 &&
            dscq_path_join(path, sizeof path, o->out_dir, d.name[i], NULL) == DSCQ_OK)
            (void)remove(path);
    }
    dscq_dir_free(&d);
}

/* Whether a stage's lines give this digest for `key`. */
static int has_digest(const char *text, dscq_flow_stage stage, const char *key,
                      const char *digest)
{
    size_t bytes = 0, n = 0;
    const char *part = part_of(text, k_stage[stage].name, &bytes), *made = NULL;

    if (part != NULL)
        made = value_of(part, bytes, key, strlen(key), &n);
    return made != NULL && n == 64 && strncmp(made, digest, 64) == 0;
}

/* float.ckpt of somebody else, an import say, is not trained over in passing. */
static dscq_status spare_float(const dscq_run_options *o, const char *old,
                               dscq_error *err)
{
    char path[DSCQ_PATH_MAX], digest[65];
    dscq_status status;

    DSCQ_TRY(dscq_path_join(path, sizeof path, o->out_dir, "float.ckpt", err));
    if (o->force || !dscq_path_exists(path) ||
        (o->weights != NULL && dscq_path_is_same(path, o->weights)))
        return DSCQ_OK;
    DSCQ_TRY(dscq_sha256_file(digest, path, err));
    for (int s = 0; s < DSCQ_FLOW_STAGES; s++)
        if (has_digest(old, (dscq_flow_stage)s, k_float_key, digest) ||
            has_digest(old, (dscq_flow_stage)s, k_before_key, digest))
            return DSCQ_OK;
    return dscq_fail(err, DSCQ_ARG,
                     "%.200s exists and no run of this folder made it: start from it "
                     "with -w, or name another folder with -o; --force replaces it",
                     path);
done:
    return status;
}

/* The lines of training, and what is going to be replaced: until then it stays. */
static dscq_status write_trained(const dscq_run_options *o, const char *old,
                                 const char *lines, dscq_error *err)
{
    char path[DSCQ_PATH_MAX], digest[65];
    dscq_str part = {0};
    dscq_status status;

    dscq_str_add(&part, lines);
    DSCQ_TRY(dscq_path_join(path, sizeof path, o->out_dir, "float.ckpt", err));
    if (dscq_path_exists(path)) {
        DSCQ_TRY(dscq_sha256_file(digest, path, err));
        dscq_str_addf(&part, "%s=%s\n", k_before_key, digest);
    }
    status = part.bad ? dscq_fail_nomem(err, "the settings", part.len)
                      : write_part(o->out_dir, old, DSCQ_FLOW_TRAINED, part.text, err);
done:
    dscq_str_free(&part);
    return status;
}

/* What the state itself carries; it may have come here without settings.txt. */
static dscq_status record_of_state(char **out, const char *dir, dscq_flow_stage stage,
                                   dscq_error *err)
{
    char name[DSCQ_NAME_MAX], path[DSCQ_PATH_MAX];
    dscq_checkpoint *c = NULL;
    dscq_status status = DSCQ_OK;

    for (size_t k = 0; *out == NULL && word_at(name, k_stage[stage].state, k); k++) {
        const char *dot = strrchr(name, '.'), *text;

        DSCQ_TRY(dscq_path_join(path, sizeof path, dir, name, err));
        if (dot == NULL || strcmp(dot, ".ckpt") != 0 || !dscq_path_exists(path))
            continue;
        DSCQ_TRY(dscq_checkpoint_read(&c, path, err));
        text = dscq_checkpoint_find(c, "train.record", DSCQ_ENTRY_TEXT, NULL);
        if (text != NULL && (*out = dscq_strdup(text)) == NULL)
            DSCQ_TRY(dscq_fail_nomem(err, "the settings", strlen(text)));
        dscq_checkpoint_destroy(c);
        c = NULL;
    }
done:
    dscq_checkpoint_destroy(c);
    return status;
}

static dscq_status go_on(dscq_project *p, const dscq_run_options *o,
                         dscq_flow_stage stage, const char *old, dscq_error *err)
{
    const char *now = p->record[stage], *part = NULL;
    difference d = {0};
    char *own = NULL;
    size_t bytes = 0;
    dscq_status status;

    DSCQ_TRY(record_of_state(&own, o->out_dir, stage, err));
    part = own != NULL ? own : part_of(old, k_stage[stage].name, &bytes);
    bytes = own != NULL ? strlen(own) : bytes;
    if (part == NULL) {
        status = dscq_fail(err, DSCQ_FORMAT,
                           "%.200s: nothing says which settings of `dscq %s` made what "
                           "is there; --force starts afresh, -o names another folder",
                           o->out_dir, k_stage[stage].name);
        goto done;
    }
    compare(&d, now, strlen(now), part, bytes, 0);
    compare(&d, part, bytes, now, strlen(now), 1);
    if (d.count > 0 && stage == DSCQ_FLOW_TRAINED && may_grow(p, &d))
        status = write_part(o->out_dir, old, stage, now, err);
    else if (d.count > 0)
        status = refuse(o->out_dir, &d, err);
done:
    dscq_free(own);
    return status;
}

/* The lines of this run, kept with the project for the checkpoints to carry. */
static dscq_status note_record(dscq_project *p, const dscq_run_options *o,
                               dscq_flow_stage stage, const char *more, dscq_error *err)
{
    dscq_str now = {0};
    dscq_status status;

    DSCQ_TRY(dscq_flow_record_text(&now, p, o, stage, err));
    dscq_str_add(&now, more != NULL ? more : "");
    if (now.bad)
        DSCQ_TRY(dscq_fail_nomem(err, "the settings", now.len));
    dscq_free(p->record[stage]);
    p->record[stage] = now.text;
    return DSCQ_OK;
done:
    dscq_str_free(&now);
    return status;
}

dscq_status dscq_flow_begin(dscq_project *p, const dscq_run_options *o,
                            dscq_flow_stage stage, const char *more, dscq_error *err)
{
    char name[DSCQ_NAME_MAX], *old = NULL;
    dscq_status status;

    if (o->out_dir[0] == '\0')
        return DSCQ_OK;
    for (size_t k = 0; word_at(name, k_stage[stage].marker, k); k++)
        DSCQ_TRY(flow__prepare_dir(o, name, err));
    DSCQ_TRY(note_record(p, o, stage, more, err));
    DSCQ_TRY(read_file(&old, o->out_dir, err));
    if (o->resume && has_state(o->out_dir, stage)) {
        DSCQ_TRY(go_on(p, o, stage, old, err));
        goto done;
    }
    if (stage == DSCQ_FLOW_TRAINED)
        DSCQ_TRY(spare_float(o, old, err));
    remove_states(o, stage);
    status = stage == DSCQ_FLOW_TRAINED
                 ? write_trained(o, old, p->record[stage], err)
                 : write_part(o->out_dir, old, stage, p->record[stage], err);
done:
    dscq_free(old);
    return status;
}

dscq_status dscq_flow_begin_float(dscq_project *p, const dscq_run_options *o,
                                  dscq_error *err)
{
    const int is_trained = o->weights == NULL && !o->as_is && p->train.epochs > 0;

    return is_trained ? dscq_flow_begin(p, o, DSCQ_FLOW_TRAINED, NULL, err) : DSCQ_OK;
}

/* ---- the float network that a stage ended with ----------------------------------- */

dscq_status flow__float_done(const char *dir, dscq_flow_stage stage, dscq_error *err)
{
    char path[DSCQ_PATH_MAX], digest[65], *old = NULL;
    dscq_str part = {0};
    size_t bytes = 0;
    dscq_status status;

    DSCQ_TRY(dscq_path_join(path, sizeof path, dir, "float.ckpt", err));
    DSCQ_TRY(dscq_sha256_file(digest, path, err));
    DSCQ_TRY(read_file(&old, dir, err));
    const char *lines = part_of(old, k_stage[stage].name, &bytes);
    for (const char *at = lines, *next; lines != NULL && at < lines + bytes;
         at = next) {
        next = at + strcspn(at, "\n") + 1;
        if (strncmp(at, k_float_key, sizeof k_float_key - 1) != 0)
            dscq_str_add_bytes(&part, at, (size_t)(next - at));
    }
    dscq_str_addf(&part, "%s=%s\n", k_float_key, digest);
    status = part.bad ? dscq_fail_nomem(err, "the settings", part.len)
                      : write_part(dir, old, stage, part.text, err);
done:
    dscq_free(old);
    dscq_str_free(&part);
    return status;
}

int flow__float_is_done(const char *dir)
{
    char path[DSCQ_PATH_MAX], digest[65], *old = NULL;

    if (dscq_path_join(path, sizeof path, dir, "float.ckpt", NULL) != DSCQ_OK ||
        !dscq_path_exists(path) || dscq_sha256_file(digest, path, NULL) != DSCQ_OK ||
        read_file(&old, dir, NULL) != DSCQ_OK)
        return 0;
    const int is = has_digest(old, DSCQ_FLOW_TRAINED, k_float_key, digest);
    dscq_free(old);
    return is;
}

/* Whether a checkpoint holds the weights of m. */
static int holds(const char *path, const dscq_model *m)
{
    char a[65], b[65];
    dscq_sha256 x, y;
    dscq_model *other = NULL;
    int is = 0;

    if (dscq_model_clone(&other, m, NULL) == DSCQ_OK &&
        dscq_model_load(other, path, DSCQ_MATCH_EXACT, NULL, NULL) == DSCQ_OK) {
        dscq_sha256_init(&x);
        dscq_sha256_init(&y);
        dscq_flow_digest_network(&x, m);
        dscq_flow_digest_network(&y, other);
        dscq_sha256_end(a, &x);
        dscq_sha256_end(b, &y);
        is = strcmp(a, b) == 0;
    }
    dscq_model_destroy(other);
    return is;
}

dscq_status dscq_flow_keep_float(const dscq_project *p, const dscq_run_options *o,
                                 dscq_flow_stage stage, dscq_error *err)
{
    char path[DSCQ_PATH_MAX], *old = NULL;
    dscq_status status;

    if (o->out_dir[0] == '\0')
        return DSCQ_OK;
    DSCQ_TRY(dscq_path_join(path, sizeof path, o->out_dir, "float.ckpt", err));
    if (dscq_path_exists(path) && holds(path, p->model))
        return DSCQ_OK;
    if (dscq_path_exists(path)) {
        const dscq_run_options mine = {.out_dir = o->out_dir, .force = o->force};
        DSCQ_TRY(read_file(&old, o->out_dir, err));
        DSCQ_TRY(spare_float(&mine, old, err));
    }
    DSCQ_TRY(dscq_model_save(p->model, path, err));
    DSCQ_TRY(flow__float_done(o->out_dir, stage, err));
done:
    dscq_free(old);
    return status;
}
