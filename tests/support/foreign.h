/*
 * foreign.h - networks of ../shared/models in a test: opened, fed, compared with the
 * golden answers beside them.
 */
#ifndef FOREIGN_H
#define FOREIGN_H

#include "dscq/base/json.h"
#include "dscq/nn/exec.h"
#include "dscq/onnx/onnx.h"

enum { FOREIGN_PATH = 512 };

typedef struct foreign {
    dscq_onnx *f; /* NULL: Darknet */
    dscq_model *m;
    dscq_exec *e; /* raw outputs */
    float *x;     /* `batch` inputs, rows, columns, channels */
    int32_t batch;
} foreign;

/* Paths below the shared folder; Darknet: without .cfg and .weights. A file.xz is
 * unpacked by xz into the test's folder. 0 after a line "SKIP: ..." when something is
 * not there; anything else that goes wrong fails the test. */
int foreign_onnx(foreign *n, const char *file, int32_t batch);
int foreign_darknet(foreign *n, const char *stem, int32_t batch);
/* The network of an ONNX file anywhere. */
void foreign_onnx_file(foreign *n, const char *path, int32_t batch);
void foreign_close(foreign *n);

/* (pixel * scale - mean) / std, in the order of the channels. */
typedef struct foreign_norm {
    double scale, mean[3], std[3];
    int bgr;
} foreign_norm;

/* RGB bytes of the input's size as image `slot` of the batch. */
void foreign_pixels(foreign *n, int32_t slot, const uint8_t *rgb,
                    const foreign_norm *p);
/* models/golden/inputs/<file>. */
void foreign_png(foreign *n, const char *file, const foreign_norm *p);
/* The first `count` of the batch. */
void foreign_run(foreign *n, int32_t count);
/* Output `i` of image `slot`, in the order of the file (channels first); its length. */
size_t foreign_output(const foreign *n, int32_t i, int32_t slot, float *to, size_t cap);

size_t foreign_best(const float *y, size_t n);
/* Is `label` among the k largest? */
int foreign_among(const float *y, size_t n, size_t label, size_t k);

/* models/golden/<file>; NULL after a SKIP line. */
dscq_json *foreign_golden(const char *file);
/* A member whose name may hold dots. */
const dscq_json *foreign_member(const dscq_json *j, const char *name);
/* Every value within 1e-3, the largest at the same place. */
void foreign_compare(const float *y, size_t count, const dscq_json *want,
                     const char *what);
/* Output i of the last run against models/golden/<file>, raw float32. */
void foreign_compare_raw(const foreign *n, int32_t i, const char *file);

/* Number in column `index` (from 0) of a line of comma-separated values; -1: none. */
long foreign_column(const char *line, int index);

/* RGB bytes resized from in[] to out[] (width, height): bilinear with antialiasing, and
 * plain bilinear, both with pixel centres aligned and rounded as in the golden inputs.
 */
void foreign_shrink(uint8_t *to, const uint8_t *from, const int32_t in[2],
                    const int32_t out[2]);
void foreign_stretch(uint8_t *to, const uint8_t *from, const int32_t in[2],
                     const int32_t out[2]);

/* The 10,000 RGB pictures of the CIFAR-10 test file, 3072 bytes each, unpacked with
 * djxl; NULL after a SKIP line. Free with dscq_free(). */
uint8_t *foreign_cifar(void);

#endif
