#include "dscq/flow/folder.h"

#include "dscq/base/alloc.h"
#include "dscq/base/io.h"
#include "dscq/base/lock.h"
#include "flow_internal.h"

#include <string.h>

struct dscq_folder {
    dscq_lock *lock;
};

/* A search has folders of its own inside. */
static size_t sweep(const char *dir)
{
    char path[DSCQ_PATH_MAX];
    size_t gone = dscq_writer_sweep(dir);
    dscq_dir d = {0};

    if (dscq_dir_list(&d, dir, NULL) != DSCQ_OK)
        return gone;
    for (size_t i = 0; i < d.count; i++)
        if (strncmp(d.name[i], DSCQ_FLOW_FINALIST, sizeof DSCQ_FLOW_FINALIST - 1) ==
                0 &&
            dscq_path_join(path, sizeof path, dir, d.name[i], NULL) == DSCQ_OK)
            gone += dscq_writer_sweep(path);
    dscq_dir_free(&d);
    return gone;
}

dscq_status dscq_folder_open(dscq_folder **out, const char *dir, const char *what,
                             int force, const dscq_log *log, dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    dscq_folder *f = NULL;
    dscq_status status;

    *out = NULL;
    if (dir[0] == '\0')
        return DSCQ_OK;
    DSCQ_TRY(dscq_path_make_dirs(dir, err));
    DSCQ_TRY(dscq_path_join(path, sizeof path, dir, "run.lock", err));
    f = dscq_calloc(1, sizeof *f);
    if (f == NULL)
        return dscq_fail_nomem(err, "a folder", sizeof *f);
    DSCQ_TRY(dscq_lock_take(&f->lock, path, what, force, log, err));
    const size_t gone = sweep(dir);
    if (gone > 0)
        dscq_log_printf(log, DSCQ_LOG_INFO,
                        "%s: %zu files that killed runs left half written are removed",
                        dir, gone);
    *out = f;
    return DSCQ_OK;
done:
    dscq_folder_close(f);
    return status;
}

void dscq_folder_close(dscq_folder *f)
{
    if (f == NULL)
        return;
    dscq_lock_release(f->lock);
    dscq_free(f);
}

dscq_status flow__prepare_dir(const dscq_run_options *o, const char *marker,
                              dscq_error *err)
{
    char path[DSCQ_PATH_MAX];
    dscq_status status = DSCQ_OK;

    if (o->out_dir[0] == '\0')
        return DSCQ_OK;
    DSCQ_TRY(dscq_path_make_dirs(o->out_dir, err));
    DSCQ_TRY(dscq_path_join(path, sizeof path, o->out_dir, marker, err));
    if (dscq_path_exists(path) && !o->resume && !o->force)
        return dscq_fail(err, DSCQ_ARG,
                         "%s exists: --resume continues that run, --force replaces it, "
                         "-o names another folder",
                         path);
done:
    return status;
}
