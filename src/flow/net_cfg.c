/* net.cfg of a run's folder: the network and the settings that made the files beside
 * it, usable from anywhere. The sections are those of the cfg that was given, with what
 * the command line changed and the recipe; paths in them become absolute. */
#include "dscq/base/io.h"
#include "dscq/base/str.h"
#include "flow_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char k_head[] = "# The network and settings that made the files beside "
                             "this one. dscq writes it anew;\n"
                             "# copy it to change it.\n";

/* Keys that name a file or a folder, seen from the folder of the cfg. */
static const struct {
    const char *section, *key;
} k_paths[] = {
    {"data", "train"},    {"data", "train_labels"}, {"data", "test"},
    {"data", "names"},    {"data", "test_labels"},  {"data", "calibrate"},
    {"train", "teacher"}, {"train", "teacher_net"}, {"compress", "ranges"},
    {"machine", "file"},
};

static int is_path(const char *section, const char *key, const char *value)
{
    /* a machine without a slash or an ending is one of data/machines */
    if (strcmp(section, "machine") == 0 && strchr(value, '/') == NULL &&
        strstr(value, ".cfg") == NULL)
        return 0;
    for (size_t i = 0; i < sizeof k_paths / sizeof *k_paths; i++)
        if (strcmp(section, k_paths[i].section) == 0 &&
            strcmp(key, k_paths[i].key) == 0)
            return value[0] != '\0';
    return 0;
}

/* Where `value` is, seen from dir, without a doubt; 0 when there is nothing. */
static int find(char out[DSCQ_PATH_MAX], const char *dir, const char *value)
{
    char path[DSCQ_PATH_MAX];
    char *real;
    int fits;

    if (dscq_path_locate(path, sizeof path, dir, value, NULL) != DSCQ_OK)
        return 0;
    real = realpath(path, NULL);
    if (real == NULL)
        return 0;
    fits = dscq_str_copy(out, DSCQ_PATH_MAX, real);
    free(real);
    return fits;
}

/* A file, or several separated by commas; what is not there stays as it was said. */
static void add_path(dscq_str *to, const char *dir, const char *value)
{
    char path[DSCQ_PATH_MAX], piece[DSCQ_PATH_MAX];

    if (find(path, dir, value)) {
        dscq_str_add(to, path);
        return;
    }
    for (const char *at = value;; at++) {
        const size_t n = strcspn(at, ",");
        const char *word = at + strspn(at, " \t");
        size_t length = word < at + n ? (size_t)(at + n - word) : 0;
        while (length > 0 && (word[length - 1] == ' ' || word[length - 1] == '\t'))
            length--;
        (void)snprintf(piece, sizeof piece, "%.*s", (int)length, word);
        dscq_str_add(to, length > 0 && find(path, dir, piece) ? path : piece);
        at += n;
        if (*at == '\0')
            return;
        dscq_str_add(to, ",");
    }
}

static void add_sections(dscq_str *to, const dscq_config *c, const char *dir)
{
    for (size_t i = 0; i < dscq_config_count(c); i++) {
        const char *section = dscq_config_section(c, i), *key;

        dscq_str_addf(to, "\n[%s]\n", section);
        for (size_t k = 0; (key = dscq_config_key_at(c, i, k)) != NULL; k++) {
            const char *value = dscq_config_get(c, i, key);
            dscq_str_addf(to, "%s = ", key);
            if (is_path(section, key, value))
                add_path(to, dir, value);
            else
                dscq_str_add(to, value);
            dscq_str_add(to, "\n");
        }
    }
}

/* Whether the file there is one of these, and not somebody's own. */
static int is_ours(const char *path)
{
    uint8_t head[sizeof k_head - 1];
    size_t n = 0;

    return dscq_file_head(head, &n, sizeof head, path, NULL) == DSCQ_OK &&
           n == sizeof head && memcmp(head, k_head, n) == 0;
}

dscq_status dscq_flow_write_net_cfg(const dscq_project *p, const dscq_run_options *o,
                                    dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    dscq_str text = {0};
    dscq_status status;

    if (o->out_dir[0] == '\0')
        return DSCQ_OK;
    DSCQ_TRY(dscq_path_join(path, sizeof path, o->out_dir, "net.cfg", err));
    if (dscq_path_is_same(path, p->path)) /* an import's, say */
        return DSCQ_OK;
    if (dscq_path_exists(path) && !is_ours(path)) {
        dscq_log_printf(o->log, DSCQ_LOG_WARN,
                        "%s: is there and not of a run; it stays, though the run is of "
                        "%s",
                        path, p->path);
        return DSCQ_OK;
    }
    dscq_str_add(&text, k_head);
    add_sections(&text, p->cfg, p->dir);
    if (p->recipe != NULL)
        add_sections(&text, p->recipe, p->dir);
    if (p->searched != NULL)
        add_sections(&text, p->searched, p->dir);
    status = text.bad ? dscq_fail_nomem(err, "a cfg", text.len)
                      : dscq_file_write(path, text.text, text.len, err);
done:
    dscq_str_free(&text);
    return status;
}
