/*
 * dscq/dscq.h - compress convolutional networks, run the result, and see how it runs on
 * an FPGA. The whole of libdscq: what is not declared here or in dscq/status.h is not
 * shown by the library and may change. docs/library.md is the guide, examples/ has
 * programs.
 *
 *   dscq_net         a float network with its settings and its data: train, evaluate,
 *                    compress, export
 *   dscq_qnet        a network of integers, the packed file: read, write, look at,
 *                    verify, evaluate
 *   dscq_session     runs a dscq_qnet on this computer, to the bit as the file says
 *   dscq_machine     an accelerator
 *   dscq_simulation  one run of a dscq_qnet on a dscq_machine: cycles, counters, energy
 *   dscq_table       rows and columns: whatever there is to look at
 *
 * Words. Parts of the data ("train", "valid", "test"), names of tables, columns and
 * counters, settings and formats are those of the program: `dscq help` lists them.
 *
 * Errors. A function that can fail returns dscq_status, DSCQ_OK being 0, and fills *err
 * (which may be NULL) with one line of text; after success it says nothing. There is no
 * hidden last error. After a failure every *out is NULL, and structs and arrays that
 * were to be filled say nothing, but where a function promises more. Any function may
 * return DSCQ_NOMEM, and DSCQ_ARG for a NULL where an object, a path or a place for the
 * result is needed; this is not repeated below. Nothing prints, exits or installs a
 * signal handler; a broken invariant of the library's own ends in assert().
 *
 * Ownership. A `type **out` is the caller's and goes back to the function named like
 * the type that ends in _close; those take NULL. A `char **out` or `uint8_t **out` goes
 * to dscq_free(). `const` pointers that a function returns are borrowed from the object
 * asked and live as long as that, or as said. What an object was made from must
 * outlive it only where "keeps" is said. Strings and structs given are copied.
 *
 * Structs with a `size`. The caller sets size = sizeof the struct and zeroes the rest:
 * `dscq_net_options o = {.size = sizeof o};`. Zero is the default of every member; NULL
 * for all options is all defaults. Later versions add members at the end: the smaller
 * struct of an older caller works on, a larger one of a newer caller is DSCQ_ARG when a
 * member that this version does not know is not zero. Results alike: at most size bytes
 * are written.
 *
 * Threads. No state is shared between objects, so different objects may be used by
 * different threads at once. One object is used by one thread at a time, but for
 * dscq_qnet, dscq_machine, dscq_simulation and dscq_table, which do not change once
 * they are made: any number of threads (and sessions) may share one. Functions that
 * work long use threads of their own and give them back before they return; a session
 * keeps its own until it is closed. Callbacks come in the thread that called. Results
 * do not depend on the number of threads. Leave setenv() and LC_NUMERIC alone
 * meanwhile: numbers in settings and files have a point, as the locale "C" has it.
 *
 * Versions. While the major version is 0, the binary interface is stable within a minor
 * version: programs linked with 0.1.0 run with any 0.1.x, and the library's soname
 * carries both (libdscq.so.0.1). From 1.0 on the major version alone counts.
 */
#ifndef DSCQ_DSCQ_H
#define DSCQ_DSCQ_H

#include "dscq/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Frees what was handed out as bytes or text; NULL is fine. */
DSCQ_API void dscq_free(void *p);

/* Was the library built with this? "onnx", "jpeg", "webp", "expat" (VOC data), "json"
 * (COCO data, reports), "blas" (OpenBLAS where it is installed; else slower code).
 * 1, or 0, also for a word that is none of these. */
DSCQ_API int dscq_has(const char *feature);

/* What long work says and asks; each function may be NULL. ctx is handed to them. */
typedef struct dscq_events {
    size_t size;
    void *ctx;
    /* One line. level 0: a warning, 1: information, 2: detail, 3: see `trace`. */
    void (*message)(void *ctx, int level, const char *text);
    /* done of total units of `what` ("epoch 3"), `note` beside it ("loss 0.412"). */
    void (*progress)(void *ctx, const char *what, double done, double total,
                     const char *note);
    /* Asked between steps: not 0 means stop soon, save what there is and return
     * DSCQ_INTERRUPTED. May look at what a signal handler or another thread set. */
    int (*stop)(void *ctx);
    const char *trace; /* modules that tell what they decide ("lower,pack", "all"), as
                          messages of level 3; CONTRIBUTING.md; NULL: none */
} dscq_events;

/* ---- tables ---------------------------------------------------------------------- */

/* Column names are stable, snake_case, and end in their unit (energy_pj,
 * dram_read_bytes, share_frac); versions may add columns. */
typedef struct dscq_table dscq_table;
DSCQ_API void dscq_table_close(dscq_table *t);
DSCQ_API size_t dscq_table_rows(const dscq_table *t);
DSCQ_API size_t dscq_table_columns(const dscq_table *t);
/* Name and type ('t' text, 'i' whole numbers, 'r' real ones) of a column; NULL and 0
 * when there is no such column. */
DSCQ_API const char *dscq_table_column_name(const dscq_table *t, size_t column);
DSCQ_API char dscq_table_column_type(const dscq_table *t, size_t column);
DSCQ_API int dscq_table_find(const dscq_table *t, const char *column); /* -1: none */
/* A cell may be empty: then "" and 0. Row and column must exist, and the column's type
 * be that of the function ('i' has a real value too): anything else ends in assert().
 */
DSCQ_API int dscq_table_is_set(const dscq_table *t, size_t row, size_t column);
DSCQ_API const char *dscq_table_text(const dscq_table *t, size_t row, size_t column);
DSCQ_API int64_t dscq_table_int(const dscq_table *t, size_t row, size_t column);
DSCQ_API double dscq_table_real(const dscq_table *t, size_t row, size_t column);
/* The whole table as CSV, a line of column names first. */
DSCQ_API dscq_status dscq_table_csv(char **out, const dscq_table *t, dscq_error *err);

/* ---- a float network ------------------------------------------------------------- */

typedef struct dscq_net dscq_net;

typedef struct dscq_net_options {
    size_t size;
    const char *const *set; /* [set_count] "section.key=value", later ones win */
    size_t set_count;
    const char *weights; /* a checkpoint, or Darknet .weights; NULL: see below */
    const char *recipe;  /* a file of [compress_layer] sections                 */
    const char *more; /* text of cfg sections ("[data]\ntype=signs\n...") behind those
                         of the file: all settings of an ONNX file, for example      */
    const dscq_events *events; /* of all work on the network, until it is closed; its
                                  ctx must live as long                            */
} dscq_net_options;

/*
 * Open a network. path is one of
 *   a net.cfg   its layers and settings (docs/networks.md), Darknet's files included;
 *               without `weights` they are fresh, drawn from [train] seed
 *   a folder    that a run or dscq_import() made: net.cfg and float.ckpt in it
 *   a file of another program, weights and all: ONNX, TensorFlow Lite (docs/import.md)
 *
 * Every setting is checked now, whatever it is for. Files that settings name are looked
 * for from the folder of path, then from the current one.
 * DSCQ_IO; DSCQ_FORMAT "file:line: ..." for a file or setting that is wrong;
 * DSCQ_UNSUPPORTED for a layer or operator, by name, and for other programs' files.
 */
DSCQ_API dscq_status dscq_net_open(dscq_net **out, const char *path,
                                   const dscq_net_options *options, dscq_error *err);
DSCQ_API void dscq_net_close(dscq_net *n);

/* Other weights: a checkpoint or Darknet .weights; every layer must find its own
 * (DSCQ_FORMAT with both shapes). After a failure some may have been replaced. */
DSCQ_API dscq_status dscq_net_load_weights(dscq_net *n, const char *path,
                                           dscq_error *err);

typedef struct dscq_net_info {
    size_t size;
    uint64_t params, macs; /* learned values; multiply-accumulates of an image */
    uint64_t float_bytes;  /* weights and biases, float32, batch norm folded   */
    int32_t width, height, channels; /* of the input */
    int32_t layers, outputs;
    int32_t is_detector;
} dscq_net_info;
DSCQ_API dscq_status dscq_net_describe(dscq_net_info *out, const dscq_net *n,
                                       dscq_error *err);

/* "layers": a row a layer; "memory": what a training step, validation and one image
 * need, in bytes; "settings": section, key, value of everything in force. DSCQ_ARG for
 * another name. */
DSCQ_API dscq_status dscq_net_table(dscq_table **out, dscq_net *n, const char *name,
                                    dscq_error *err);

typedef struct dscq_data_info {
    size_t size;
    uint64_t train, valid, test; /* pictures of each part */
    int32_t classes;             /* 0: no labels          */
    int32_t has_boxes;
} dscq_data_info;
/* Open the data that [data] names, test part included, and check that they fit the
 * network; training and the like do it by themselves. DSCQ_FORMAT, DSCQ_IO with the
 * file. */
DSCQ_API dscq_status dscq_net_data(dscq_data_info *out, dscq_net *n, dscq_error *err);
/* A picture of a part, as the network is given it: rows, columns, channels in RGB
 * order, height x width x channels bytes, of which `capacity` fit into pixels, before
 * it is normalised: what dscq_session_run_pixels() takes. *label (may be NULL): its
 * class, -1 without one. DSCQ_ARG: no such part or picture, or no room for it. */
DSCQ_API dscq_status dscq_net_picture(uint8_t *pixels, size_t capacity, int32_t *label,
                                      dscq_net *n, const char *part, size_t index,
                                      dscq_error *err);

/* How the work below is done. */
typedef struct dscq_work_options {
    size_t size;
    const char *folder; /* gets weights, curves, states to go on from; made when absent;
                           NULL: nothing is written                                */
    int32_t threads;    /* 0: one a processor                                      */
    int32_t resume;     /* go on with what `folder` has, of the same settings      */
    int32_t force;      /* replace what an earlier run left there                  */
    int32_t reserved;   /* 0 */
} dscq_work_options;

typedef struct dscq_training {
    size_t size;
    double valid_score; /* of the weights kept: top-1 as a fraction, AP50 of a detector;
                           NaN without a validation part                           */
    uint64_t images, peak_bytes; /* images an epoch; memory                    */
    uint32_t epochs, best_epoch; /* best_epoch counts from 0                       */
    int32_t stopped_early;
    int32_t reserved;
} dscq_training;
/* Train on from the weights as they are, by [train]; the network then has the weights
 * that were kept. *out may be NULL. DSCQ_INTERRUPTED: it has those of the step at which
 * it stopped; with a folder, all is saved for `resume`, in a network opened as this one
 * was. DSCQ_ARG: the folder has another run. */
DSCQ_API dscq_status dscq_net_train(dscq_training *out, dscq_net *n,
                                    const dscq_work_options *options, dscq_error *err);

typedef struct dscq_score {
    size_t size;
    uint64_t images;
    double score; /* top-1 as a fraction; a detector: mean average precision, AP50 */
    double low, high;  /* 95 % interval (Wilson); NaN: a detector                   */
    double top5, loss; /* NaN: a detector                                           */
} dscq_score;
/* How good the weights are on one part of the data. Of the options `threads` counts. */
DSCQ_API dscq_status dscq_net_evaluate(dscq_score *out, dscq_net *n, const char *part,
                                       const dscq_work_options *options,
                                       dscq_error *err);

typedef struct dscq_qnet dscq_qnet;

typedef struct dscq_compress_request {
    size_t size;
    const dscq_work_options *work;
    const char *profile; /* encodings of the file: "machine" (NULL), "loaded",
                            "archive", or one by name; docs/format.md              */
    int32_t spare_test;  /* do not look at the test part                           */
    int32_t reserved;
} dscq_compress_request;

typedef struct dscq_compression {
    size_t size;
    uint64_t images; /* of the test part, the validation part without one */
    double float_score, packed_score; /* on them; NaN: no labels                      */
    double packed_low, packed_high;   /* 95 % interval; NaN: a detector               */
    double agreement; /* fraction with the float network's class; NaN: no classifier  */
    double sparsity;  /* fraction of weights that are 0 */
    uint64_t float_bytes, file_bytes;
} dscq_compression;
/*
 * Compress the network as [compress] and [compress_layer] say, from the weights as they
 * are: with fine-tuning (epochs > 0), or without (epochs = 0), where pictures without
 * labels are enough. *out is the network of integers; the float network keeps its
 * weights. *result and *layers (a row a layer: rule, density, bits, error) may be
 * NULL. With a folder: packed.bin, run.json and the rest of `dscq compress`.
 * DSCQ_INTERRUPTED, DSCQ_ARG as dscq_net_train().
 */
DSCQ_API dscq_status dscq_net_compress(dscq_qnet **out, dscq_compression *result,
                                       dscq_table **layers, dscq_net *n,
                                       const dscq_compress_request *request,
                                       dscq_error *err);

/* Write the float network: "checkpoint" (path: a file), "onnx" (a file), "darknet" and
 * "darknet-pjreddie" (path.cfg and path.weights). Replaces what is there, at once or
 * not at all. DSCQ_UNSUPPORTED: what the format cannot say, by layer. */
DSCQ_API dscq_status dscq_net_export(const dscq_net *n, const char *format,
                                     const char *path, dscq_error *err);

/* Read an ONNX or TensorFlow Lite file (weights NULL), or a Darknet cfg with its
 * weights, and write net.cfg, float.ckpt and, of a quantised one, ranges.csv into a
 * folder, which dscq_net_open() takes. data: text of its [data] section, or NULL.
 * *refused (may be NULL): with DSCQ_UNSUPPORTED the nodes that cannot be read, or NULL.
 * DSCQ_ARG: there is a net.cfg already and force is 0. */
DSCQ_API dscq_status dscq_import(dscq_table **refused, const char *network,
                                 const char *weights, const char *folder,
                                 const char *data, int force, dscq_error *err);

/* ---- a network of integers ------------------------------------------------------- */

/* Read a packed file, or its bytes (copied). Every byte is checked: DSCQ_FORMAT for a
 * damaged one, DSCQ_UNSUPPORTED for one of a later version. */
DSCQ_API dscq_status dscq_qnet_open(dscq_qnet **out, const char *path, dscq_error *err);
DSCQ_API dscq_status dscq_qnet_decode(dscq_qnet **out, const void *data, size_t bytes,
                                      dscq_error *err);
DSCQ_API void dscq_qnet_close(dscq_qnet *q);

/* Write it, as a file (whole or not at all) or into memory. profile as in
 * dscq_compress_request, but NULL keeps the encodings it has. */
DSCQ_API dscq_status dscq_qnet_write(const dscq_qnet *q, const char *path,
                                     const char *profile, dscq_error *err);
DSCQ_API dscq_status dscq_qnet_encode(uint8_t **data, size_t *bytes, const dscq_qnet *q,
                                      const char *profile, dscq_error *err);

typedef struct dscq_qnet_info {
    size_t size;
    uint64_t file_bytes, float_bytes, weights, nonzero;
    uint64_t value_bits, position_bits, codebook_bits, constant_bits, padding_bits,
        header_bits;     /* of the file; they add up to it            */
    double entropy_bits; /* lower bound of positions and codes        */
    int32_t nodes, inputs, outputs, classes;
    int32_t embedded; /* inputs with digests, for dscq_qnet_verify() */
    char sha256[65];  /* of the file that was read, or that writing it as it is makes */
    char reserved[3];
} dscq_qnet_info;
DSCQ_API dscq_status dscq_qnet_describe(dscq_qnet_info *out, const dscq_qnet *q,
                                        dscq_error *err);

/* "layers": a row a layer with weights: encoding, density, bits by purpose; "nodes": a
 * row an operation: inputs, shape, scale. DSCQ_ARG for another name. */
DSCQ_API dscq_status dscq_qnet_table(dscq_table **out, const dscq_qnet *q,
                                     const char *name, dscq_error *err);
/* A row a difference between two: what, where, in a, in b. None: they do the same. */
DSCQ_API dscq_status dscq_qnet_diff(dscq_table **out, const dscq_qnet *a,
                                    const dscq_qnet *b, dscq_error *err);

/* value = scale * (code - zero_point); a code takes 1 byte, 2 when bits > 8. */
typedef struct dscq_map_info {
    size_t size;
    double scale;
    int32_t height, width, channels;
    int32_t bits, is_signed, zero_point;
    int32_t is_image; /* an input that takes pixels */
    int32_t reserved;
    char name[64];
} dscq_map_info;
/* Input or output i, from 0; DSCQ_ARG when there is none. */
DSCQ_API dscq_status dscq_qnet_input(dscq_map_info *out, const dscq_qnet *q, int32_t i,
                                     dscq_error *err);
DSCQ_API dscq_status dscq_qnet_output(dscq_map_info *out, const dscq_qnet *q, int32_t i,
                                      dscq_error *err);
DSCQ_API const char *dscq_qnet_class_name(const dscq_qnet *q, int32_t c); /* or "" */
/* What the file says about itself: lines "key=value". */
DSCQ_API const char *dscq_qnet_meta(const dscq_qnet *q);

/* Run the embedded inputs and compare every layer with the digests in the file.
 * DSCQ_MISMATCH names image, layer, channel, row and column of the first difference;
 * DSCQ_ARG: there are no digests. */
DSCQ_API dscq_status dscq_qnet_verify(const dscq_qnet *q, dscq_error *err);

/* How good it is on one part of the data of n, whose classes are its own by name. */
DSCQ_API dscq_status dscq_qnet_evaluate(dscq_score *out, const dscq_qnet *q,
                                        dscq_net *n, const char *part,
                                        const dscq_work_options *options,
                                        dscq_error *err);

typedef struct dscq_answer_request {
    size_t size;
    double threshold; /* smallest score of a box; 0: 0.3                        */
    const char *draw; /* folder that gets the pictures with their boxes, or NULL */
    const dscq_events *events;
    int32_t top;     /* classes a picture; 0: 1                                 */
    int32_t threads; /* 0: one a processor                                      */
} dscq_answer_request;
/* Classes or boxes of picture files (PNG, JPEG, BMP, WebP) of any size; a folder stands
 * for those in it. The columns are those of `dscq run`. A file that cannot be read
 * costs its own rows alone: *out then holds the others', beside the status. */
DSCQ_API dscq_status dscq_qnet_answer(dscq_table **out, const dscq_qnet *q,
                                      const char *const *path, size_t count,
                                      const dscq_answer_request *request,
                                      dscq_error *err);

/* "onnx": whole numbers behind DequantizeLinear; "npz": every array for NumPy. */
DSCQ_API dscq_status dscq_qnet_export(const dscq_qnet *q, const char *format,
                                      const char *path, dscq_error *err);

/* ---- running it ------------------------------------------------------------------ */

typedef struct dscq_session dscq_session;

typedef struct dscq_session_options {
    size_t size;
    const char *kernels; /* "avx512vnni", "avx2", "portable"; NULL: the best here. They
                            differ in speed alone */
    int32_t threads;     /* images at once; 0: one a processor */
    int32_t reserved;
} dscq_session_options;

/* Plans and packs everything, keeps q. DSCQ_UNSUPPORTED: kernels that this processor
 * lacks. */
DSCQ_API dscq_status dscq_session_open(dscq_session **out, const dscq_qnet *q,
                                       const dscq_session_options *options,
                                       dscq_error *err);
DSCQ_API void dscq_session_close(dscq_session *s);

/* Run `count` images. x[i]: the values of input i, count x height x width x channels,
 * as they are behind preprocessing; a value beyond the input's range becomes its end,
 * NaN the zero point. */
DSCQ_API dscq_status dscq_session_run_floats(dscq_session *s, int32_t count,
                                             const float *const *x, dscq_error *err);
/* The same for a network that takes a picture: count x height x width x channels bytes,
 * RGB, of the input's size; the file's preprocessing is done. DSCQ_UNSUPPORTED: it has
 * several inputs or takes no picture. */
DSCQ_API dscq_status dscq_session_run_pixels(dscq_session *s, int32_t count,
                                             const uint8_t *pixels, dscq_error *err);

/* Of the last run: output i as real values, count x height x width x channels, of which
 * `capacity` fit into to (DSCQ_ARG: too few). */
DSCQ_API dscq_status dscq_session_output(float *to, size_t capacity,
                                         const dscq_session *s, int32_t i,
                                         dscq_error *err);
/* The codes themselves, of one image; borrowed until the next run. NULL: no such output
 * or image. *bytes may be NULL. */
DSCQ_API const void *dscq_session_codes(size_t *bytes, const dscq_session *s, int32_t i,
                                        int32_t image);
/* The k likeliest classes of an image, best first, and their probabilities (softmax of
 * output 0; may be NULL). DSCQ_ARG: no such image, or k outside 1 to the number of
 * classes. */
DSCQ_API dscq_status dscq_session_top(int32_t *classes, double *probabilities,
                                      const dscq_session *s, int32_t image, int32_t k,
                                      dscq_error *err);

/* Memory it holds, bytes, and the kernels in use. */
DSCQ_API uint64_t dscq_session_bytes(const dscq_session *s);
DSCQ_API const char *dscq_session_kernels(const dscq_session *s);

/* ---- a machine ------------------------------------------------------------------- */

typedef struct dscq_machine dscq_machine;

typedef struct dscq_machine_options {
    size_t size;
    const char *const *set; /* [set_count] "clock_mhz=300", "schedule.fuse=none" */
    size_t set_count;
    const char *data_dir; /* has machines/, boards/, dram/, energy/. NULL: $DSCQ_DATA;
                             else share/dscq or data beside the library's or the
                             program's folder; else where it was installed        */
    const dscq_events *events; /* hears of settings that move nothing */
} dscq_machine_options;

/* name: "zcu104" of data_dir/machines (NULL means that one), or a path (it has a '/' or
 * ends in .cfg). DSCQ_IO: no such machine, with the nearest name; DSCQ_FORMAT: a
 * setting that is wrong. */
DSCQ_API dscq_status dscq_machine_open(dscq_machine **out, const char *name,
                                       const dscq_machine_options *options,
                                       dscq_error *err);
DSCQ_API void dscq_machine_close(dscq_machine *m);

/* "settings": section, key, value; "resources": what it needs of its board, of which
 * DSCQ_ARG says that it does not fit (a pipeline's depend on the network: see
 * dscq_simulation_table()). DSCQ_ARG for another name. */
DSCQ_API dscq_status dscq_machine_table(dscq_table **out, const dscq_machine *m,
                                        const char *name, dscq_error *err);
/* How q would run, layer by layer, planned and not simulated: tiles, order, what stays
 * on chip, estimated cycles and traffic. DSCQ_UNSUPPORTED names what the machine cannot
 * run, DSCQ_ARG the buffer that is too small. */
DSCQ_API dscq_status dscq_machine_plan(dscq_table **out, const dscq_machine *m,
                                       const dscq_qnet *q, int32_t frames,
                                       dscq_error *err);

/* ---- a simulation ---------------------------------------------------------------- */

typedef struct dscq_simulation dscq_simulation;

typedef struct dscq_simulation_options {
    size_t size;
    /* input[i]: codes of input i, frames x its bytes; NULL: the inputs embedded in the
     * file, in turn, else zero points. */
    const void *const *input;
    const char *trace;   /* file that gets every command: .json or .vcd; or NULL */
    const char *what_if; /* "clock_mhz=300,dram=ddr3-1333": timed again with these */
    const dscq_events *events;
    int32_t frames;      /* 0: 1                                                   */
    int32_t timing_only; /* no arithmetic, no outputs                              */
    int32_t verify;      /* compare every layer with the integer reference         */
    int32_t reserved;
} dscq_simulation_options;

/* Lower q to a program of m, run it, price it. DSCQ_UNSUPPORTED, DSCQ_ARG as
 * dscq_machine_plan(), DSCQ_ARG also when m does not fit its board; DSCQ_MISMATCH
 * (verify) names layer, channel, row and column. */
DSCQ_API dscq_status dscq_simulate(dscq_simulation **out, const dscq_qnet *q,
                                   const dscq_machine *m,
                                   const dscq_simulation_options *options,
                                   dscq_error *err);
DSCQ_API void dscq_simulation_close(dscq_simulation *s);

typedef struct dscq_simulation_info {
    size_t size;
    uint64_t cycles, frames; /* all frames together                          */
    double fps, latency_ms;  /* in the steady state; of the first frame      */
    double gops_dense, gops_effective, utilisation_frac;
    double dram_bytes; /* all frames together                          */
    /* Energy of all frames. The truth lies between low and high: docs/energy.md. */
    double energy_pj, energy_low_pj, energy_high_pj;
    double dynamic_pj, static_pj, dram_pj; /* add up to energy_pj                 */
    double watt;
    int32_t verified; /* layers found equal; -1: not asked */
    int32_t multipliers;
} dscq_simulation_info;
DSCQ_API dscq_status dscq_simulation_describe(dscq_simulation_info *out,
                                              const dscq_simulation *s,
                                              dscq_error *err);

/* A counter by its name ("mac_done", "mult_imbalance", "dram_read_bursts"; the table
 * "counters" has them all) of one layer, numbered as the packed network's nodes; layer
 * -1: of the whole run. DSCQ_ARG: no such counter or layer. */
DSCQ_API dscq_status dscq_simulation_counter(uint64_t *out, const dscq_simulation *s,
                                             const char *name, int32_t layer,
                                             dscq_error *err);
/* "layers", "counters", "stalls", "schedule", "energy", "coefficients", "resources",
 * "what_if"; borrowed. NULL: no such table, or what_if was not asked for. */
DSCQ_API const dscq_table *dscq_simulation_table(const dscq_simulation *s,
                                                 const char *name);
/* Codes of output i of one frame, as the machine made them; borrowed. NULL: none. */
DSCQ_API const void *dscq_simulation_codes(size_t *bytes, const dscq_simulation *s,
                                           int32_t i, int32_t frame);
/* The report of docs/report-schema.md, JSON. q: what was simulated. */
DSCQ_API dscq_status dscq_simulation_report(char **out, const dscq_simulation *s,
                                            const dscq_qnet *q, dscq_error *err);

#ifdef __cplusplus
}
#endif
#endif
