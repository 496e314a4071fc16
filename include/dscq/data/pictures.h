/*
 * data/pictures.h - the pictures of a folder, and what else looks like one there.
 *
 * A picture is a file whose name ends as one (DSCQ_IMAGE_ENDINGS, any case), in the
 * folder or in one of its sub-folders. What operating systems and NAS boxes leave
 * behind is passed over: names that begin with a dot (._photo.jpg, .DS_Store,
 * .ipynb_checkpoints), __MACOSX, @eaDir, Thumbs.db and the like. Nothing else is passed
 * over in silence: pictures of kinds that are not read, and pictures whose names do
 * not say so, are counted.
 */
#ifndef DSCQ_DATA_PICTURES_H
#define DSCQ_DATA_PICTURES_H

#include "dscq/base/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dscq_pictures {
    char **path; /* from `dir` on, each folder sorted bytewise; owned */
    size_t count, cap;
    size_t nested;           /* of them: in sub-folders */
    size_t foreign;          /* left out: GIF, TIFF, HEIC, ... */
    size_t unnamed;          /* left out: PNG, JPEG, ... under another ending */
    char first_nested[256];  /* "" when there is none */
    char first_foreign[256]; /* with its kind: "a/b.gif (GIF picture)" */
    char first_unnamed[256];
} dscq_pictures; /* zero-initialise */

/* Adds to *out, so that several folders may be listed into one. DSCQ_IO when a folder
 * cannot be listed, DSCQ_FORMAT when they are nested deeper than 32. Links are
 * followed, once. On failure *out still wants clearing. */
dscq_status dscq_pictures_list(dscq_pictures *out, const char *dir, dscq_error *err);
void dscq_pictures_clear(dscq_pictures *f);

/* What a user should know about the list, one line each: calls put(ctx, kind, text) for
 * "sub_folders", "other_kinds" and "unnamed_pictures". */
void dscq_pictures_remarks(const dscq_pictures *f,
                           void (*put)(void *ctx, const char *kind, const char *text),
                           void *ctx);

#ifdef __cplusplus
}
#endif
#endif
