/*
 * Small things that the tests of the data module share.
 */
#ifndef TEST_DATA_UTIL_H
#define TEST_DATA_UTIL_H

#include "dscq/base/config.h"
#include "dscq/base/io.h"
#include "dscq/data/dataset.h"
#include "dscq/data/problems.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

/* Settings "type=idx train=x ..." (separated by blanks) bound as [data]. */
static inline dscq_status data_settings(dscq_data_params *p, const char *text,
                                        dscq_error *err)
{
    char file[4096] = "[data]\n", copy[4096];
    dscq_config *c = NULL;

    (void)snprintf(copy, sizeof copy, "%s", text);
    for (char *save = NULL, *word = strtok_r(copy, " ", &save); word != NULL;
         word = strtok_r(NULL, " ", &save)) {
        (void)strncat(file, word, sizeof file - strlen(file) - 2);
        (void)strncat(file, "\n", sizeof file - strlen(file) - 1);
    }
    memset(p, 0, sizeof *p);
    dscq_status status = dscq_config_parse(&c, file, strlen(file), "test.cfg", err);
    if (status == DSCQ_OK)
        status = dscq_config_bind(p, c, 0, "data", dscq_data_keys, err);
    dscq_config_destroy(c);
    return status;
}

/* Open a data set whose relative paths start in this test's folder. */
static inline dscq_status data_open_set(dscq_dataset **d, const char *text,
                                        dscq_error *err)
{
    dscq_data_params p;
    const dscq_status status = data_settings(&p, text, err);

    *d = NULL;
    return status == DSCQ_OK ? dscq_dataset_open(d, &p, test_path(""), NULL, err)
                             : status;
}

static inline void data_make_dir(const char *name)
{
    dscq_error err = {DSCQ_OK, ""};

    test_ok(dscq_path_make_dirs(test_path(name), &err));
}

/* A picture whose bytes are a simple function of place and `salt`. */
static inline dscq_image data_pattern(int32_t w, int32_t h, int32_t c, unsigned salt)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_image im;

    test_ok(dscq_image_init(&im, w, h, c, &err));
    for (int32_t i = 0; i < w * h * c; i++) {
        const uint32_t v = ((uint32_t)i + 17u * salt) * 2654435761u;
        im.px[i] = (uint8_t)(v >> 24);
    }
    return im;
}

static inline void data_write_png(const char *name, int32_t w, int32_t h, int32_t c,
                                  unsigned salt)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_image im = data_pattern(w, h, c, salt);

    test_ok(dscq_image_write_png(test_path(name), &im, &err));
    dscq_image_clear(&im);
}

/* One colour all over. */
static inline void data_write_flat(const char *name, int32_t w, int32_t h, uint8_t r,
                                   uint8_t g, uint8_t b)
{
    dscq_error err = {DSCQ_OK, ""};
    dscq_image im;

    test_ok(dscq_image_init(&im, w, h, 3, &err));
    for (int32_t i = 0; i < w * h; i++) {
        im.px[3 * i] = r;
        im.px[3 * i + 1] = g;
        im.px[3 * i + 2] = b;
    }
    test_ok(dscq_image_write_png(test_path(name), &im, &err));
    dscq_image_clear(&im);
}

#endif
