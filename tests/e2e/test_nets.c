/* Every network of data/nets from its cfg to the machine: the plan, a few training
 * steps and a compression epoch on generated pictures, the packed file executed, and
 * simulated with the bytes of the integer reference. Narrow and on small pictures, so
 * that all of them take seconds. */
#define _XOPEN_SOURCE 700
#include "dscq/base/alloc.h"
#include "dscq/base/config.h"
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "dscq/nn/layers.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NETS_MAX = 64, WORDS = 60, SMALL = 99 };

static char *names[NETS_MAX];
static int nets;

static void list_nets(void)
{
    dscq_dir dir = {0};

    if (dscq_dir_list(&dir, test_source("data/nets"), NULL) != DSCQ_OK)
        return;
    for (size_t i = 0; i < dir.count && nets < NETS_MAX; i++)
        if (dscq_glob_match("*.cfg", dir.name[i]))
            names[nets++] = strdup(dir.name[i]);
    dscq_dir_free(&dir);
}

/* What the network decides between, and its input. */
typedef struct facts {
    int32_t classes, width, height;
    int is_detector;
} facts;

static facts look(const char *path)
{
    const dscq_rng r = dscq_rng_seeded(1);
    dscq_config *cfg = NULL;
    dscq_model *m = NULL;
    dscq_error err = {0};
    facts f = {0};

    ck_assert_msg(dscq_config_load(&cfg, path, &err) == DSCQ_OK, "%s", err.msg);
    ck_assert_msg(dscq_model_from_config(
                      &m, cfg, "data|train|compress|compress_layer|machine|schedule",
                      &r, &err) == DSCQ_OK,
                  "%s", err.msg);
    const dscq_shape in = dscq_model_input(m);
    const dscq_node *last = dscq_model_node(m, dscq_model_output(m, 0));
    f.width = in.w;
    f.height = in.h;
    f.is_detector =
        strcmp(last->type, "yolo") == 0 || strcmp(last->type, "region") == 0;
    f.classes =
        f.is_detector ? ((const dscq_yolo_params *)last->params)->classes : last->out.c;
    dscq_model_destroy(m);
    dscq_config_destroy(cfg);
    return f;
}

static void run_ok(const char *net, const char *args)
{
    static char text[4096];
    test_output *o = calloc(1, sizeof *o);
    const char *argv[WORDS + 1] = {NULL};
    int argc = 0;

    snprintf(text, sizeof text, "%s", args);
    for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " ")) {
        ck_assert_int_lt(argc, WORDS);
        argv[argc++] = word;
    }
    const int code = test_command(o, NULL, argv);
    ck_assert_msg(code == 0, "%s: dscq %s: exit code %d: %s", net, argv[0], code,
                  o->err);
    free(o);
}

/* A copy with ten classes where the network has a thousand. */
static const char *copy_of(const char *name)
{
    char path[1024];

    snprintf(path, sizeof path, "data/nets/%s", name);
    char *text = test_read(test_source(path));
    for (char *at = text; (at = strstr(at, "= 1000\n")) != NULL; at += 6)
        memcpy(at, "= 10  ", 6);
    const char *copy = test_file(name, text);
    dscq_free(text);
    return copy;
}

/* Settings that make any of the networks small and its data generated ones. */
static void overrides(char *out, size_t cap, const facts *f)
{
    const int32_t w = f->width > SMALL ? (f->is_detector ? 96 : SMALL) : f->width;
    const int32_t h = f->height > SMALL ? (f->is_detector ? 96 : SMALL) : f->height;

    snprintf(
        out, cap,
        "--set data.type=%s --set data.classes=%d --set data.count=16 --set "
        "data.test_count=4 --set data.test_frac=0 --set data.valid_frac=0.25 --set "
        "data.split=random --set net.width=%d --set net.height=%d --set "
        "net.width_multiplier=0.25 --set train.batch=8 --set train.epochs=1 --set "
        "train.warmup_epochs=0 --set train.learning_rate=0.001 --set "
        "compress.epochs=1 --set compress.calibration_images=4",
        f->is_detector ? "signs_detect" : "signs", (int)f->classes, (int)w, (int)h);
}

START_TEST(from_cfg_to_the_machine)
{
    char set[1536], args[4096];
    const char *cfg = copy_of(names[_i]);
    const facts f = look(cfg);

    overrides(set, sizeof set, &f);
    snprintf(args, sizeof args, "train %s --dry-run -q %s", cfg, set);
    run_ok(names[_i], args);
    snprintf(args, sizeof args, "compress %s -o out --threads 1 -q %s", cfg, set);
    run_ok(names[_i], args);
    run_ok(names[_i], "verify out/packed.bin");
    run_ok(names[_i], "simulate out/packed.bin --machine zcu104 --verify");
}
END_TEST

static Suite *make(void)
{
    TCase *tc;
    Suite *s = test_suite("nets", &tc);

    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, from_cfg_to_the_machine, 0, nets);
    return s;
}

int main(void)
{
    setenv("DSCQ_DATA", test_source("data"), 1);
    list_nets();
    return nets == 0 ? 1 : test_run(make);
}
